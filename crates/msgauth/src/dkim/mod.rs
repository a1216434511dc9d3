//! DKIM (RFC 6376, 8301, 8463): whose signature does the message bear, and is it still whole?
//!
//! 1. [`Verifying::begin`] reads the header block: signatures ([`signature`]), what each of them covers;
//! 2. [`Verifying::body`] hashes the body as it streams by ([`canon`]), once for each kind of hash that was asked for;
//! 3. [`Verifying::finish`] asks for keys ([`key`]), and decides; the rule that decided is a value, [`Rule`].
//!
//! [`sign`] makes signatures of our own.

pub(crate) mod body;
pub mod canon;
pub mod crypto;
pub(crate) mod header;
pub mod key;
pub mod sign;
pub mod signature;
pub(crate) mod verify;

use std::fmt;

pub use verify::Verifying;

use crate::evidence::Asked;
use key::BadKey;
use signature::{Algorithm, BadSignature};

/// RFC 8601 §2.7.1; `Display` writes its words. `none` is a report without signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimResult {
    /// the signature is good
    Pass,
    /// the message was changed, or somebody else signed it
    Fail,
    /// we do not accept such signatures
    Policy,
    /// it cannot be read
    Neutral,
    /// DNS did not answer: another time
    TempError,
    /// there is no key, or something that must be there is missing
    PermError,
}

impl fmt::Display for DkimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}

/// The rule that decided about one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is good.
    Good,
    /// The field breaks the grammar.
    Unreadable(BadSignature),
    /// rsa-sha1 (RFC 8301 §3.1)
    WeakAlgorithm,
    /// An RSA key of too few bits (RFC 8301 §3.2).
    ShortKey(usize),
    /// An RSA key of more bits than are computed with.
    LongKey(usize),
    /// `h=` does not list From (RFC 6376 §5.4).
    FromNotSigned,
    /// `x=` is over.
    Expired,
    /// The body's hash is another.
    BodyChanged,
    /// The signature does not fit the header and the key.
    HeaderChanged,
    /// `l=` leaves so many octets of the body uncovered (RFC 6376 §8.2).
    PartOfBody(u64),
    /// `l=` says more octets than there are (RFC 6376 §3.5).
    BodyShorter,
    /// `i=` is not in the domain, and the key asks for that.
    AgentOutside,
    /// There is no key record.
    NoKey,
    /// The key record cannot be used.
    BadKey(BadKey),
    /// DNS did not answer.
    NoAnswer,
    /// The message names too many keys.
    TooManyKeys,
}

impl Rule {
    /// The result that follows.
    pub fn result(self) -> DkimResult {
        match self {
            Self::Good => DkimResult::Pass,
            Self::BodyChanged | Self::HeaderChanged => DkimResult::Fail,
            Self::WeakAlgorithm
            | Self::ShortKey(_)
            | Self::LongKey(_)
            | Self::Expired
            | Self::PartOfBody(_) => DkimResult::Policy,
            Self::Unreadable(_) | Self::TooManyKeys => DkimResult::Neutral,
            Self::NoAnswer => DkimResult::TempError,
            Self::FromNotSigned | Self::BodyShorter | Self::AgentOutside | Self::NoKey | Self::BadKey(_) => {
                DkimResult::PermError
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("the signature is good"),
            Self::Unreadable(bad) => write!(f, "the signature cannot be read: {bad}"),
            Self::WeakAlgorithm => f.write_str("rsa-sha1 is not believed any more (RFC 8301)"),
            Self::ShortKey(bits) => write!(
                f,
                "the key has {bits} bits only, too few to be believed (RFC 8301)"
            ),
            Self::LongKey(bits) => write!(f, "the key has {bits} bits, more than is computed with here"),
            Self::FromNotSigned => f.write_str("the signature does not cover From"),
            Self::Expired => f.write_str("the signature has expired"),
            Self::BodyChanged => f.write_str("the body is not what was signed"),
            Self::HeaderChanged => f.write_str("the header is not what was signed, or another key signed it"),
            Self::PartOfBody(octets) => {
                write!(
                    f,
                    "{octets} octets at the end of the body are not covered (l=), so anybody may have added them"
                )
            }
            Self::BodyShorter => f.write_str("the body is shorter than the signature says (l=)"),
            Self::AgentOutside => f.write_str("the key allows signatures of the domain itself only (t=s)"),
            Self::NoKey => f.write_str("the domain has no such key"),
            Self::BadKey(bad) => write!(f, "the domain's key cannot be used: {bad}"),
            Self::NoAnswer => f.write_str("DNS did not answer about the key"),
            Self::TooManyKeys => f.write_str("the message names more keys than are asked for"),
        }
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "its record is not a key",
            Self::Revoked => "it was revoked",
            Self::UnknownType => "it is of another type than the signature",
            Self::OtherHash => "it does not allow SHA-256",
            Self::OtherService => "it is not for mail",
        })
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags(_) => f.write_str("it is not a list of tags"),
            Self::Missing(tag) => write!(f, "it has no {tag}="),
            Self::Value(tag) => write!(f, "{tag}= has a value that is not allowed"),
            Self::AgentOutside => f.write_str("i= is not within d="),
        }
    }
}

/// What is known of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimEvidence {
    /// the answer
    pub result: DkimResult,
    /// `d=`, when it could be read
    pub domain: Option<String>,
    /// `s=`
    pub selector: Option<String>,
    /// `a=`
    pub algorithm: Option<Algorithm>,
    /// bits of the key that decided
    pub key_bits: Option<usize>,
    /// the domain says that it only tests (`t=y`)
    pub testing: bool,
    /// the rule that decided
    pub rule: Rule,
    /// every question for this signature; a key that an earlier one asked for is not asked for again
    pub asked: Vec<Asked>,
}

impl fmt::Display for DkimEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.domain, &self.selector) {
            (Some(domain), Some(selector)) => write!(f, "{domain} (key {selector}): {}", self.rule)?,
            _ => write!(f, "{}", self.rule)?,
        }
        if self.testing {
            f.write_str("; the domain only tests")?;
        }
        Ok(())
    }
}

/// What is known of all signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DkimReport {
    /// those that were looked at; the author's domain's first, then in the order of the header
    pub signatures: Vec<DkimEvidence>,
    /// how many more there were
    pub skipped: usize,
}
