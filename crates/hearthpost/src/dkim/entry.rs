//! A key as it is written down: everything but its private half, which has a file of its own.

use std::sync::Arc;

use msgauth::dkim::key::Key;
use msgauth::dkim::sign::SigningKey;
use serde::{Deserialize, Serialize};
use world::dns::{Lookup, Record};

use super::life::{Seen, Stage};
use crate::limits::DKIM_KEYS_OF_A_DOMAIN;

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
    /// an operator ended it: no other is made in its place
    #[serde(default)]
    pub ended_by_operator: bool,
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

    /// Whether it signs or may come to sign. One whose private half is lost does neither, wherever it stands.
    pub fn is_of_use(&self) -> bool {
        self.stage.needs_key() && self.key.is_some()
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
    match texts.as_slice() {
        [] => Seen::Absent,
        [only] if is_same_key(record.as_bytes(), only) => Seen::Right,
        _ => Seen::Wrong,
    }
}

/// Whether two records publish one usable key, however each is written.
pub fn is_same_key(one: &[u8], other: &[u8]) -> bool {
    let public = |record: &[u8]| Key::parse(record).map(|key| key.public);
    public(one).is_ok_and(|one| public(other) == Ok(one))
}

/// Whether a domain with these keys needs others now: none is of use, and no operator wished it so. Keys stand in the order in which they
/// were made: what became of the last pair counts. There is an end to it, so that files that are lost again and again do not pile up entries.
pub fn lacks_keys(of_domain: &[&Entry]) -> bool {
    let newest = of_domain.last().map(|entry| entry.made_ms);
    let mut last_pair = of_domain.iter().filter(|entry| Some(entry.made_ms) == newest);
    let was_wished = newest.is_some() && last_pair.all(|entry| entry.ended_by_operator);
    nothing_signs(of_domain) && !was_wished && of_domain.len() < DKIM_KEYS_OF_A_DOMAIN
}

/// Whether none of a domain's keys signs or may come to sign.
pub fn nothing_signs(of_domain: &[&Entry]) -> bool {
    !of_domain.iter().any(|entry| entry.is_of_use())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use world::dns::{Absence, Failure, Security};

    use super::*;

    #[test]
    fn others_are_made_where_nothing_signs_unless_an_operator_ended_the_last_pair() {
        let now_ms = 5;
        let entry = |made_ms, stage, has_key: bool, ended_by_operator| Entry {
            domain: "example.org".to_owned(),
            selector: "e1".to_owned(),
            kind: Kind::Ed25519,
            record: String::new(),
            made_ms,
            stage,
            seen_ms: None,
            ended_by_operator,
            key: has_key
                .then(|| Arc::new(SigningKey::ed25519("example.org", "e1", &[1; 32]).expect("a key"))),
            looked_ms: None,
        };
        let waiting = |made_ms, has_key| entry(made_ms, Stage::Waiting { since_ms: now_ms }, has_key, false);
        let ended = |made_ms, by| entry(made_ms, Stage::Retiring { since_ms: now_ms }, false, by);
        for (what, entries, want) in [
            ("none yet", vec![], true),
            ("one waits", vec![ended(1, false), waiting(2, true)], false),
            ("its file is lost", vec![waiting(1, false)], true),
            ("the domain went and came", vec![ended(1, false); 2], true),
            (
                "an operator ended it",
                vec![ended(1, false), ended(2, true)],
                false,
            ),
            ("half of it", vec![ended(2, true), ended(2, false)], true),
            ("an older one", vec![ended(1, true), ended(2, false)], true),
            ("too many", vec![ended(1, false); DKIM_KEYS_OF_A_DOMAIN], false),
        ] {
            let entries: Vec<&Entry> = entries.iter().collect();
            assert_eq!(lacks_keys(&entries), want, "{what}");
        }
    }

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
