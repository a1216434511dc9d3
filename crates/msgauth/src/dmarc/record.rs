//! DMARC records as values (RFC 9989 §4.7). Pure.

use std::fmt;

use crate::tags::Tags;

/// What a domain wants done with mail that only claims to be its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// nothing
    None,
    /// treated with suspicion
    Quarantine,
    /// refused
    Reject,
}

impl Policy {
    fn parse(word: &[u8]) -> Option<Self> {
        match word.to_ascii_lowercase().as_slice() {
            b"none" => Some(Self::None),
            b"quarantine" => Some(Self::Quarantine),
            b"reject" => Some(Self::Reject),
            _ => None,
        }
    }

    /// One step down, for a domain that only tests (`t=y`).
    pub fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        })
    }
}

/// `psd=`: whether a registry publishes the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suffix {
    /// it does
    Yes,
    /// the domain is the top of its organization
    No,
    /// it does not say
    Unknown,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcRecord {
    /// `p=`. Nothing when the record's policies cannot be read and it asks for no reports: then it is for finding
    /// organizations only (RFC 9989 §4.10.1).
    pub policy: Option<Policy>,
    /// `sp=`
    pub subdomains: Option<Policy>,
    /// `np=`
    pub nonexistent: Option<Policy>,
    /// `psd=`
    pub suffix: Suffix,
    /// `t=y`
    pub testing: bool,
    /// `adkim=s`
    pub strict_dkim: bool,
    /// `aspf=s`
    pub strict_spf: bool,
}

impl DmarcRecord {
    /// Reads a TXT record. Nothing when it is no DMARC record: it has to begin with `v=DMARC1`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let tags = Tags::parse(text).ok()?;
        if tags.first() != Some(b"v") || tags.get("v") != Some(b"DMARC1") {
            return None;
        }
        let read = |tag: &str| tags.get(tag).map(Policy::parse);
        let (policy, subdomains, nonexistent) = (read("p"), read("sp"), read("np"));
        let readable =
            matches!(policy, Some(Some(_))) && subdomains != Some(None) && nonexistent != Some(None);
        let is = |tag: &str, letter: &[u8]| {
            tags.get(tag)
                .is_some_and(|value| value.eq_ignore_ascii_case(letter))
        };
        let suffix = match (is("psd", b"y"), is("psd", b"n")) {
            (true, _) => Suffix::Yes,
            (_, true) => Suffix::No,
            _ => Suffix::Unknown,
        };
        let (policy, subdomains, nonexistent) = if readable {
            (policy.flatten(), subdomains.flatten(), nonexistent.flatten())
        } else {
            let reports = tags.get("rua").is_some_and(names_a_mailbox);
            (reports.then_some(Policy::None), None, None)
        };
        Some(Self {
            policy,
            subdomains,
            nonexistent,
            suffix,
            testing: is("t", b"y"),
            strict_dkim: is("adkim", b"s"),
            strict_spf: is("aspf", b"s"),
        })
    }
}

/// At least one URI that a report could be sent to.
fn names_a_mailbox(list: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|uri| {
        let uri = uri.trim_ascii();
        uri.get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"mailto:"))
            && uri[7..].contains(&b'@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_11_records_are_read_as_the_rfc_says() {
        let policies = |text: &str| {
            DmarcRecord::parse(text.as_bytes())
                .map(|record| (record.policy, record.subdomains, record.nonexistent))
        };
        use Policy::{None as Nothing, Quarantine, Reject};
        let table = [
            ("v=DMARC1; p=reject", Some((Some(Reject), None, None))),
            (
                "v=DMARC1;p=Quarantine;sp=NONE;np=reject;",
                Some((Some(Quarantine), Some(Nothing), Some(Reject))),
            ),
            ("v=DMARC1", Some((None, None, None))),
            ("v=DMARC1; psd=n", Some((None, None, None))),
            ("v=DMARC1; p=block", Some((None, None, None))),
            (
                "v=DMARC1; p=block; rua=mailto:a@x.example",
                Some((Some(Nothing), None, None)),
            ),
            (
                "v=DMARC1; rua=mailto:a@x.example",
                Some((Some(Nothing), None, None)),
            ),
            (
                "v=DMARC1; p=reject; sp=block; rua=mailto:a@x.example",
                Some((Some(Nothing), None, None)),
            ),
            ("v=DMARC1; p=reject; sp=block", Some((None, None, None))),
            ("v=DMARC1; p=reject; pct=0; x=y", Some((Some(Reject), None, None))),
            ("p=reject; v=DMARC1", None),
            ("v=dmarc1; p=reject", None),
            ("v=DMARC2; p=reject", None),
            ("v=spf1 -all", None),
            ("v=DMARC1; p=reject; p=none", None),
        ];
        for (text, want) in table {
            assert_eq!(policies(text), want, "{text}");
        }
        let record = DmarcRecord::parse(b"v=DMARC1; p=none; adkim=s; aspf=S; t=y; psd=y").expect("a record");
        assert!(record.strict_dkim && record.strict_spf && record.testing);
        assert_eq!(record.suffix, Suffix::Yes);
    }
}
