//! ARC (RFC 8617): what servers before us saw, sealed. A good chain proves who sealed it and nothing about their honesty: it counts only
//! where the newest sealer is on the operator's list.

mod said;
mod sets;

use std::fmt;

pub use said::vouches;

use crate::desk::Desk;
use crate::dkim::body::{BodyHash, Hashed};
use crate::dkim::canon::{Canon, header_field};
use crate::dkim::header::{Signable, own_field};
use crate::dkim::key::Keys;
use crate::dkim::signature::{Algorithm, BadSignature, Signature};
use crate::dkim::{Rule as DkimRule, verify};
use crate::evidence::Asked;
use sets::Set;

/// RFC 8617 §4.4; `Display` writes the words of RFC 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArcResult {
    /// there is no chain
    None,
    /// the chain is whole
    Pass,
    /// it is not
    Fail,
    /// DNS did not answer: another time
    TempError,
}

impl fmt::Display for ArcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
        })
    }
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The message has no ARC fields.
    NoChain,
    /// Every seal and the newest signature are good.
    Good,
    /// A field breaks the grammar.
    Unreadable(BadSignature),
    /// Instances stand twice, begin elsewhere than at 1, or say of the chain what they must not.
    Structure,
    /// So many is the instance that lacks a field.
    Incomplete(usize),
    /// More sets than RFC 8617 §4.2.1 allows.
    TooManySets,
    /// The newest sealer found the chain broken.
    SaidToFail,
    /// The newest signature of the message is not good.
    Message(DkimRule),
    /// The seal of an instance is not good.
    Seal(usize, DkimRule),
}

impl Rule {
    /// The result that follows.
    pub fn result(self) -> ArcResult {
        match self {
            Self::NoChain => ArcResult::None,
            Self::Good => ArcResult::Pass,
            Self::Message(DkimRule::NoAnswer) | Self::Seal(_, DkimRule::NoAnswer) => ArcResult::TempError,
            _ => ArcResult::Fail,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChain => f.write_str("the message has no ARC chain"),
            Self::Good => f.write_str("the ARC chain is whole"),
            Self::Unreadable(bad) => write!(f, "a field of the ARC chain cannot be read: {bad}"),
            Self::Structure => f.write_str("the sets of the ARC chain do not fit together"),
            Self::Incomplete(instance) => write!(f, "set {instance} of the ARC chain lacks a field"),
            Self::TooManySets => f.write_str("the ARC chain has more than 50 sets"),
            Self::SaidToFail => f.write_str("the newest sealer found the ARC chain broken"),
            Self::Message(rule) => write!(f, "the newest signature of the ARC chain does not hold: {rule}"),
            Self::Seal(instance, rule) => write!(f, "seal {instance} of the ARC chain does not hold: {rule}"),
        }
    }
}

/// The answer and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArcEvidence {
    /// the answer
    pub result: ArcResult,
    /// the rule that decided
    pub rule: Rule,
    /// the domains that sealed, first to last; they are proven only when the result is pass
    pub sealers: Vec<String>,
    /// the newest sealer says that the author was vouched for when it took the message
    pub author_vouched: bool,
    /// every question
    pub asked: Vec<Asked>,
}

impl fmt::Display for ArcEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        match (self.result, self.sealers.last()) {
            (ArcResult::Pass, Some(sealer)) if self.author_vouched => {
                write!(f, "; {sealer} sealed it and says that the author was vouched for")
            }
            (ArcResult::Pass, Some(sealer)) => write!(f, "; {sealer} sealed it"),
            _ => Ok(()),
        }
    }
}

/// A chain that is being verified.
pub struct Verifying {
    chain: Result<Chain, Rule>,
}

struct Chain {
    sealers: Vec<String>,
    author_vouched: bool,
    /// the newest signature of the message, and what it signed of the header
    message: (Signature, Vec<u8>),
    body: Vec<BodyHash>,
    /// the fields of all sets, as seals sign them
    sets: Vec<u8>,
    /// first to last
    seals: Vec<Seal>,
}

/// A seal, and what it signed: everything up to its own field stands in the chain once, not once for each of fifty seals.
struct Seal {
    signature: Signature,
    /// so many octets of the sets
    upto: usize,
    /// the seal's own field, without its value
    own: Vec<u8>,
}

impl Verifying {
    /// Starts with the header block.
    pub fn begin(header: &[u8]) -> Self {
        let signable = Signable::of(header);
        let chain = sets::of(&signable).and_then(|sets| Chain::of(&signable, sets));
        Self { chain }
    }

    /// Takes octets of the body, with CRLF line ends, cut anywhere.
    pub fn body(&mut self, octets: &[u8]) {
        if let Ok(chain) = &mut self.chain {
            chain.body.iter_mut().for_each(|body| body.take(octets));
        }
    }

    /// Ends the body, asks for the keys and decides.
    pub async fn finish(self, desk: &mut Desk<'_>) -> ArcEvidence {
        let (rule, sealers, author_vouched) = match self.chain {
            Err(rule) => (rule, Vec::new(), false),
            Ok(mut chain) => {
                let (sealers, vouched) = (std::mem::take(&mut chain.sealers), chain.author_vouched);
                (chain.decide(desk).await, sealers, vouched)
            }
        };
        ArcEvidence {
            result: rule.result(),
            rule,
            sealers,
            author_vouched,
            asked: desk.take_asked(),
        }
    }
}

impl Chain {
    fn of(signable: &Signable<'_>, sets: Vec<Set>) -> Result<Self, Rule> {
        let newest = sets.last().ok_or(Rule::NoChain)?;
        let (place, message) = &newest.message;
        let mut data = signable.data(&message.signed, Some(*place), message.header_canon);
        let own = &signable.fields()[*place];
        own_field(own, message.value_range.clone(), message.header_canon, &mut data);
        let mut body = Vec::new();
        BodyHash::place(&mut body, message.body_canon, message.body_length);
        let (all, seals) = seals(signable, &sets);
        Ok(Self {
            sealers: sets.iter().map(|set| set.seal.1.domain.clone()).collect(),
            // Without From in it (RFC 6376 §5.4) the signature fits any author.
            author_vouched: message.signed.iter().any(|name| name == "from")
                && vouches(signable.fields()[newest.results].value()),
            message: (message.clone(), data),
            body,
            sets: all,
            seals,
        })
    }

    async fn decide(self, desk: &mut Desk<'_>) -> Rule {
        let body: Vec<Hashed> = self.body.into_iter().map(BodyHash::finish).collect();
        let mut keys = Keys::default();
        let (message, data) = &self.message;
        if message.algorithm == Algorithm::RsaSha1 {
            return Rule::Message(DkimRule::WeakAlgorithm);
        }
        if body[0].hash != message.body_hash {
            return Rule::Message(DkimRule::BodyChanged);
        }
        let found = keys.find(desk, &message.selector, &message.domain).await;
        match verify::with_the_key(message, data, &body[0], &found).0 {
            DkimRule::Good => {}
            rule => return Rule::Message(rule),
        }
        for (at, seal) in self.seals.iter().enumerate().rev() {
            let signature = &seal.signature;
            let rule = match signature.algorithm {
                Algorithm::RsaSha1 => DkimRule::WeakAlgorithm,
                _ => {
                    let found = keys.find(desk, &signature.selector, &signature.domain).await;
                    let data = [&self.sets[..seal.upto], &seal.own].concat();
                    verify::with_the_key(signature, &data, &body[0], &found).0
                }
            };
            if rule != DkimRule::Good {
                return Rule::Seal(at + 1, rule);
            }
        }
        Rule::Good
    }
}

/// What each seal signed: all sets up to its own, the seal itself without its value (RFC 8617 §5.1.1).
fn seals(signable: &Signable<'_>, sets: &[Set]) -> (Vec<u8>, Vec<Seal>) {
    let (mut all, mut seals) = (Vec::new(), Vec::with_capacity(sets.len()));
    let fields = signable.fields();
    for set in sets {
        let (place, signature) = &set.seal;
        header_field(Canon::Relaxed, fields[set.results].whole(), &mut all);
        header_field(Canon::Relaxed, fields[set.message.0].whole(), &mut all);
        let mut own = Vec::new();
        own_field(
            &fields[*place],
            signature.value_range.clone(),
            Canon::Relaxed,
            &mut own,
        );
        seals.push(Seal {
            signature: signature.clone(),
            upto: all.len(),
            own,
        });
        header_field(Canon::Relaxed, fields[*place].whole(), &mut all);
    }
    (all, seals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_9_a_chain_of_fifty_sets_is_kept_once() {
        let set = |at: usize| {
            let (cv, long) = match at {
                1 => ("none", "x".repeat(100_000)),
                _ => ("pass", String::new()),
            };
            let made = "a=rsa-sha256; d=there.example; s=k; b=AA==";
            format!(
                "ARC-Authentication-Results: i={at}; there.example; none ({long})\r\n\
                 ARC-Message-Signature: i={at}; {made}; bh=AA==; h=from\r\n\
                 ARC-Seal: i={at}; cv={cv}; {made}\r\n"
            )
        };
        let header: String = (1..=50).map(set).collect::<String>() + "\r\n";
        let Ok(chain) = Verifying::begin(header.as_bytes()).chain else {
            panic!("a chain");
        };
        let own: usize = chain.seals.iter().map(|seal| seal.own.len()).sum();
        assert_eq!(chain.seals.len(), 50);
        assert!(chain.sets.len() + own < 2 * header.len());
    }

    #[test]
    fn aut_8_a_sealer_vouches_for_no_author_that_its_signature_leaves_out() {
        let vouched = |signed: &str| {
            let made = "a=rsa-sha256; d=there.example; s=k; b=AA==";
            let header = format!(
                "ARC-Authentication-Results: i=1; there.example; dmarc=pass\r\n\
                 ARC-Message-Signature: i=1; {made}; bh=AA==; h={signed}\r\n\
                 ARC-Seal: i=1; cv=none; {made}\r\nFrom: a@x.example\r\n\r\n"
            );
            Verifying::begin(header.as_bytes())
                .chain
                .is_ok_and(|chain| chain.author_vouched)
        };
        assert!(vouched("subject:From"));
        assert!(!vouched("subject:date"));
    }
}
