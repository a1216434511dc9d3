//! Verifying: the header at once, the body as it streams by, the keys at the end.

use mail::header::Field;

use super::body::{BodyHash, Hashed};
use super::crypto::PublicKey;
use super::header::{Signable, own_field};
use super::key::{BadKey, Found, Key, Keys};
use super::signature::{Algorithm, BadSignature, Signature};
use super::{DkimEvidence, DkimReport, DkimResult, Rule};
use crate::desk::Desk;
use crate::limits::{DKIM_SIGNATURES, RSA_BITS_MAX, RSA_BITS_MIN};
use crate::names;

/// A message that is being verified.
pub struct Verifying {
    drafts: Vec<Draft>,
    bodies: Vec<BodyHash>,
    skipped: usize,
}

/// One signature, with everything of the header that it needs.
struct Draft {
    signature: Result<Signature, BadSignature>,
    /// what was signed of the header
    data: Vec<u8>,
    /// which of the body hashes is its
    body: usize,
}

impl Verifying {
    /// Starts with the header block. Signatures of `author` (the domain of From) and its relatives come first; what is over the limit
    /// is not looked at, so nobody can hide a good signature behind a hundred bad ones of other domains.
    pub fn begin(header: &[u8], author: Option<&str>) -> Self {
        let signable = Signable::of(header);
        let mut found: Vec<(usize, Result<Signature, BadSignature>)> = signable
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| is_signature(field))
            .map(|(place, field)| (place, Signature::parse(field.value())))
            .collect();
        found.sort_by_key(|(_, signature)| !is_of(signature, author));
        let skipped = found.len().saturating_sub(DKIM_SIGNATURES);
        found.truncate(DKIM_SIGNATURES);
        let mut verifying = Self {
            drafts: Vec::with_capacity(found.len()),
            bodies: Vec::new(),
            skipped,
        };
        for (place, signature) in found {
            verifying.add(&signable, place, signature);
        }
        verifying
    }

    fn add(&mut self, signable: &Signable<'_>, place: usize, signature: Result<Signature, BadSignature>) {
        let (mut data, mut body) = (Vec::new(), 0);
        if let Ok(signature) = &signature {
            let canon = signature.header_canon;
            data = signable.data(&signature.signed, Some(place), canon);
            own_field(
                &signable.fields()[place],
                signature.value_range.clone(),
                canon,
                &mut data,
            );
            body = BodyHash::place(&mut self.bodies, signature.body_canon, signature.body_length);
        }
        self.drafts.push(Draft {
            signature,
            data,
            body,
        });
    }

    /// Takes octets of the body, with CRLF line ends, cut anywhere.
    pub fn body(&mut self, octets: &[u8]) {
        for body in &mut self.bodies {
            body.take(octets);
        }
    }

    /// Ends the body and asks for the keys of those signatures that still may be good. `now_s` is seconds since 1970.
    pub async fn finish(self, desk: &mut Desk<'_>, now_s: u64) -> DkimReport {
        let hashed: Vec<Hashed> = self.bodies.into_iter().map(BodyHash::finish).collect();
        let (mut signatures, mut keys) = (Vec::new(), Keys::default());
        for draft in self.drafts {
            let signature = match draft.signature {
                Ok(signature) => signature,
                Err(bad) => {
                    signatures.push(DkimEvidence::unreadable(bad));
                    continue;
                }
            };
            let early = before_the_key(&signature, &hashed[draft.body], now_s);
            let (rule, key) = match early {
                Some(rule) => (rule, None),
                None => {
                    let found = keys.find(desk, &signature.selector, &signature.domain).await;
                    with_the_key(&signature, &draft.data, &hashed[draft.body], &found)
                }
            };
            signatures.push(DkimEvidence::of(
                &signature,
                rule,
                key.as_ref(),
                desk.take_asked(),
            ));
        }
        DkimReport {
            signatures,
            skipped: self.skipped,
        }
    }
}

fn is_signature(field: &Field<'_>) -> bool {
    field.is("DKIM-Signature") && field.name_range().start == field.range().start
}

fn is_of(signature: &Result<Signature, BadSignature>, author: Option<&str>) -> bool {
    let (Ok(signature), Some(author)) = (signature, author) else {
        return false;
    };
    names::is_within(author, &signature.domain) || names::is_within(&signature.domain, author)
}

/// What can be said without the key.
fn before_the_key(signature: &Signature, body: &Hashed, now_s: u64) -> Option<Rule> {
    if signature.algorithm == Algorithm::RsaSha1 {
        return Some(Rule::WeakAlgorithm);
    }
    if !signature.signed.iter().any(|name| name == "from") {
        return Some(Rule::FromNotSigned);
    }
    if let Some(expires_s) = signature.expires_s
        && (expires_s < now_s || signature.made_s.is_some_and(|made_s| made_s > expires_s))
    {
        return Some(Rule::Expired);
    }
    if body.hash != signature.body_hash {
        return Some(Rule::BodyChanged);
    }
    None
}

/// The decision. With several records at one name the best of them counts: all of them are the domain's own.
pub(crate) fn with_the_key(
    signature: &Signature,
    data: &[u8],
    body: &Hashed,
    found: &Found,
) -> (Rule, Option<Key>) {
    let keys = match found {
        Found::Keys(keys) => keys,
        Found::Nothing => return (Rule::NoKey, None),
        Found::NoAnswer => return (Rule::NoAnswer, None),
        Found::NotAsked => return (Rule::TooManyKeys, None),
    };
    let mut last = (Rule::NoKey, None);
    for key in keys {
        let rule = match key {
            Ok(key) => by_key(signature, data, body, key),
            Err(bad) => Rule::BadKey(*bad),
        };
        let good = rule == Rule::Good;
        last = (rule, key.clone().ok());
        if good {
            break;
        }
    }
    last
}

fn by_key(signature: &Signature, data: &[u8], body: &Hashed, key: &Key) -> Rule {
    match (&key.public, signature.algorithm) {
        (PublicKey::Rsa(_, bits), _) if *bits < RSA_BITS_MIN => return Rule::ShortKey(*bits),
        (PublicKey::Rsa(_, bits), _) if *bits > RSA_BITS_MAX => return Rule::LongKey(*bits),
        (PublicKey::Rsa(..), Algorithm::RsaSha256) | (PublicKey::Ed25519(_), Algorithm::Ed25519Sha256) => {}
        _ => return Rule::BadKey(BadKey::UnknownType),
    }
    if key.strict && signature.agent_domain != signature.domain {
        return Rule::AgentOutside;
    }
    if !key.public.verifies(data, &signature.value) {
        return Rule::HeaderChanged;
    }
    match signature.body_length {
        Some(length) if length < body.length => Rule::PartOfBody(body.length - length),
        Some(length) if length > body.length => Rule::BodyShorter,
        _ => Rule::Good,
    }
}

impl DkimEvidence {
    fn unreadable(bad: BadSignature) -> Self {
        Self {
            result: Rule::Unreadable(bad).result(),
            domain: None,
            selector: None,
            algorithm: None,
            key_bits: None,
            testing: false,
            rule: Rule::Unreadable(bad),
            asked: Vec::new(),
        }
    }

    fn of(signature: &Signature, rule: Rule, key: Option<&Key>, asked: Vec<crate::evidence::Asked>) -> Self {
        Self {
            result: rule.result(),
            domain: Some(signature.domain.clone()),
            selector: Some(signature.selector.clone()),
            algorithm: Some(signature.algorithm),
            key_bits: key.map(|key| match &key.public {
                PublicKey::Rsa(_, bits) => *bits,
                PublicKey::Ed25519(_) => 256,
            }),
            testing: key.is_some_and(|key| key.testing),
            rule,
            asked,
        }
    }

    /// Whether the signature vouches for its domain.
    pub fn passes(&self) -> bool {
        self.result == DkimResult::Pass
    }
}
