//! The list of domains that must have TLS with a certificate that verifies: whom it is learned from, who is on it, and what then
//! happens (threat case TLS-4; decision 0036).
//!
//! 1. [`starter`]: the list that comes with the program.
//! 2. [`Entry`]: what the operator said of a domain; it outweighs the rest.
//! 3. [`learn`]: domains that have always shown verified TLS climb from stage to stage.
//! 4. [`decide`]: what all of them together mean for one domain.
//!
//! Pure. Names are exact: what holds for `example.org` says nothing of `mail.example.org`.

pub mod learn;
pub mod starter;

use serde::{Deserialize, Serialize};

use super::policy::{Listed, ListedBy, Required};
use crate::names;
use learn::{Seen, Stage, Thresholds};

/// What the operator said of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// it must have TLS
    Require {
        /// any certificate will do
        #[serde(default)]
        any_certificate: bool,
        /// host names that its MX records may name, `*.` in front for one label; none: any
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// it need not, whatever else says that it must
    Exempt,
}

/// How far something may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// nothing is done
    Off,
    /// it is listed
    Observe,
    /// mail goes on as before, and a downgrade is told
    Warn,
    /// mail waits instead of going without
    Require,
}

/// What is decided about a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// how far it goes
    pub power: Power,
    /// who says so
    pub by: ListedBy,
}

/// What counts for one domain.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// what the operator said, by command or settings
    pub entry: Option<&'a Entry>,
    /// it is on the shipped list, which may go so far
    pub shipped: Power,
    /// what was seen of it
    pub seen: Option<&'a Seen>,
    /// how much it takes to climb, and how far
    pub thresholds: &'a Thresholds,
}

/// Who says what about a domain; the operator first, then whoever goes farther. `None` when nobody says anything.
pub fn decide(known: Known<'_>) -> Option<Verdict> {
    match known.entry {
        Some(Entry::Exempt) => return None,
        Some(Entry::Require { .. }) => {
            return Some(Verdict {
                power: Power::Require,
                by: ListedBy::Operator,
            });
        }
        None => {}
    }
    let learned = known
        .seen
        .map_or(Power::Off, |seen| match seen.stage(known.thresholds) {
            Stage::New => Power::Off,
            Stage::Observe => Power::Observe,
            Stage::Warn => Power::Warn,
            Stage::Require => Power::Require,
        });
    let (power, by) = if known.shipped >= learned {
        (known.shipped, ListedBy::Shipped)
    } else {
        (learned, ListedBy::Learned)
    };
    (power > Power::Off).then_some(Verdict { power, by })
}

/// The same in the words of the rule, for one host.
pub fn listed(known: Known<'_>, host: &str) -> Listed {
    let Some(Verdict {
        power: Power::Require,
        by,
    }) = decide(known)
    else {
        return Listed::No;
    };
    match known.entry {
        Some(Entry::Require {
            any_certificate,
            hosts,
        }) => Listed::Required {
            by,
            what: if *any_certificate {
                Required::Encrypted
            } else {
                Required::Verified
            },
            fits: hosts.is_empty() || hosts.iter().any(|pattern| names::fits(pattern, host)),
        },
        _ => Listed::Required {
            by,
            what: Required::Verified,
            fits: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::learn::tests::{THRESHOLDS, seen_for};
    use super::*;

    fn known<'a>(entry: Option<&'a Entry>, shipped: Power, seen: Option<&'a Seen>) -> Known<'a> {
        Known {
            entry,
            shipped,
            seen,
            thresholds: &THRESHOLDS,
        }
    }

    #[test]
    fn tls_4_the_operator_outweighs_the_rest_and_else_the_strictest_counts() {
        let require = Entry::Require {
            any_certificate: false,
            hosts: Vec::new(),
        };
        let (fresh, week, month) = (seen_for(1), seen_for(7), seen_for(30));
        let verdict = |power, by| Some(Verdict { power, by });
        for (entry, shipped, seen, expected) in [
            (None, Power::Off, None, None),
            (None, Power::Off, Some(&fresh), None),
            (
                None,
                Power::Off,
                Some(&week),
                verdict(Power::Observe, ListedBy::Learned),
            ),
            (
                None,
                Power::Off,
                Some(&month),
                verdict(Power::Warn, ListedBy::Learned),
            ),
            (
                None,
                Power::Warn,
                Some(&week),
                verdict(Power::Warn, ListedBy::Shipped),
            ),
            (
                None,
                Power::Require,
                Some(&month),
                verdict(Power::Require, ListedBy::Shipped),
            ),
            (Some(&Entry::Exempt), Power::Require, Some(&month), None),
            (
                Some(&require),
                Power::Off,
                None,
                verdict(Power::Require, ListedBy::Operator),
            ),
            (
                Some(&require),
                Power::Require,
                None,
                verdict(Power::Require, ListedBy::Operator),
            ),
        ] {
            assert_eq!(
                decide(known(entry, shipped, seen)),
                expected,
                "{entry:?} {shipped:?}"
            );
        }
    }

    #[test]
    fn tls_4_an_entry_may_name_hosts() {
        let entry = Entry::Require {
            any_certificate: true,
            hosts: vec!["mx.example.org".to_owned(), "*.mail.example".to_owned()],
        };
        for (host, expected) in [
            ("MX.example.org.", true),
            ("a.mail.example", true),
            ("a.b.mail.example", false),
            ("mail.example", false),
            ("mx.evil.example", false),
        ] {
            let listed = listed(known(Some(&entry), Power::Off, None), host);
            let required = Listed::Required {
                by: ListedBy::Operator,
                what: Required::Encrypted,
                fits: expected,
            };
            assert_eq!(listed, required, "{host}");
        }
        let warned = listed(known(None, Power::Warn, None), "mx.example.org");
        assert_eq!(warned, Listed::No, "a warning stops nothing");
    }
}
