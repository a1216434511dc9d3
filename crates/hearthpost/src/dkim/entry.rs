//! A key as it is written down: everything but its private half, which has a file of its own.

use std::sync::Arc;

use msgauth::dkim::key::Key;
use msgauth::dkim::sign::SigningKey;
use serde::{Deserialize, Serialize};
use world::dns::{Lookup, Record};

use super::life::{Seen, Stage};

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Kind {
    Rsa,
    Ed25519,
}

impl Kind {
    /// Both: receivers that know only one use that one.
    pub const ALL: [Self; 2] = [Self::Rsa, Self::Ed25519];

    /// A stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// One key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// whose mail it signs
    pub domain: String,
    /// what tells it from others; no two keys here have the same
    pub selector: String,
    /// what it is made of
    pub kind: Kind,
    /// what must be published
    pub record: String,
    /// when it was made, in milliseconds since 1970
    pub made_ms: u64,
    /// where it stands
    #[serde(flatten)]
    pub stage: Stage,
    /// when its record was last seen in DNS
    pub seen_ms: Option<u64>,
    /// the private half, as long as it is needed
    #[serde(skip)]
    pub key: Option<Arc<SigningKey>>,
    /// when DNS was last asked
    #[serde(skip)]
    pub looked_ms: Option<u64>,
}

impl Entry {
    /// Where its record is published.
    pub fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// Whether it signs for the domain with the same kind of key as `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        self.domain == other.domain && self.kind == other.kind
    }
}

/// What a lookup shows of a record. Two records at one name are none: which of them a receiver takes is up to it (RFC 6376 §3.6.2.2).
pub fn seen(record: &str, lookup: &Lookup) -> Seen {
    let records = match lookup {
        Lookup::Answer { records, .. } => records,
        Lookup::Negative { .. } => return Seen::Absent,
        Lookup::Failed(_) => return Seen::Unknown,
    };
    let texts: Vec<&[u8]> = records
        .iter()
        .filter_map(|record| match record {
            Record::Txt(text) => Some(text.as_slice()),
            _ => None,
        })
        .collect();
    let ours = Key::parse(record.as_bytes()).map(|key| key.public);
    match texts.as_slice() {
        [] => Seen::Absent,
        [only] if ours.is_ok() && Key::parse(only).map(|key| key.public) == ours => Seen::Right,
        _ => Seen::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use world::dns::{Absence, Failure, Security};

    use super::*;

    #[test]
    fn a_record_is_right_when_it_holds_this_very_key_alone() {
        let key = |octet| SigningKey::ed25519("example.org", "e1", &[octet; 32]).unwrap();
        let (ours, other) = (key(1).record(), key(2).record());
        let answer = |texts: &[&str]| Lookup::Answer {
            records: texts
                .iter()
                .map(|text| Record::Txt(text.as_bytes().to_vec()))
                .collect(),
            ttl: Duration::ZERO,
            chain: Vec::new(),
            security: Security::Insecure,
        };
        let loose = ours.replace("; ", " ;").replace("v=DKIM1 ;", "v=DKIM1; t=y;");
        let revoked = "v=DKIM1; k=ed25519; p=";
        for (texts, want) in [
            (vec![ours.as_str()], Seen::Right),
            (vec![loose.as_str()], Seen::Right),
            (vec![other.as_str()], Seen::Wrong),
            (vec![ours.as_str(), other.as_str()], Seen::Wrong),
            (vec![revoked], Seen::Wrong),
            (vec!["v=spf1 -all"], Seen::Wrong),
            (vec![], Seen::Absent),
        ] {
            assert_eq!(seen(&ours, &answer(&texts)), want, "{texts:?}");
        }
        let absent = Lookup::Negative {
            absence: Absence::NxDomain,
            security: Security::Insecure,
            ttl: Duration::ZERO,
        };
        assert_eq!(seen(&ours, &absent), Seen::Absent);
        assert_eq!(seen(&ours, &Lookup::Failed(Failure::ServFail)), Seen::Unknown);
        assert_eq!(seen("nonsense", &answer(&["nonsense"])), Seen::Wrong);
    }
}
