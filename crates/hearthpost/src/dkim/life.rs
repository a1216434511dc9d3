//! The life of a signing key as one pure function: from where it stands and what is known to what comes next.
//!
//! ```text
//! waiting ──record seen──► published ──seen again, an hour later──► signing ──a newer one signs──► retiring ──► removable ──► gone
//!    └───────────────────── the domain's first key: at once ──────────┘                        mail in flight   record is gone
//! ```
//!
//! A key signs when its record was seen in DNS, with the right key in it, and not before ([`Order::SignNow`] is the operator's word against
//! that). What DNS says never ends a signing key: a signature that nobody can verify counts as none (RFC 6376 §6.1), so signing on loses
//! nothing, and a forged answer gains nothing; but the operator is told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a key stands, and since when (milliseconds since 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Stage {
    /// It is made, and its record must be published.
    Waiting { since_ms: u64 },
    /// Its record was seen.
    Published { since_ms: u64 },
    /// It signs.
    Signing {
        since_ms: u64,
        /// since when its record is not in DNS as it should be
        lost_ms: Option<u64>,
    },
    /// It signs no more; mail that it signed is still on its way.
    Retiring { since_ms: u64 },
    /// Nothing needs its record any more.
    Removable { since_ms: u64 },
}

impl Stage {
    /// A stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Published { .. } => "published",
            Self::Signing { .. } => "signing",
            Self::Retiring { .. } => "retiring",
            Self::Removable { .. } => "removable",
        }
    }

    /// Whether its private half is still of use.
    pub const fn needs_key(self) -> bool {
        matches!(
            self,
            Self::Waiting { .. } | Self::Published { .. } | Self::Signing { .. }
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What DNS shows where the record should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The record of this key, usable, and no other.
    Right,
    /// Something else: another key, two records, one that cannot be used.
    Wrong,
    /// Nothing, and a name server said so.
    Absent,
    /// Nobody answered, or nobody was asked.
    Unknown,
}

/// What an operator wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Sign, though the record was not seen.
    SignNow,
    /// Sign no more.
    Retire,
}

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// milliseconds since 1970
    pub now_ms: u64,
    /// what DNS shows
    pub seen: Seen,
    /// the domain is here, and no key of the settings signs for it
    pub wanted: bool,
    /// a newer key of the same kind signs for the domain
    pub newer_signs: bool,
    /// another key of the same kind signs for the domain
    pub another_signs: bool,
    /// how long records stay for mail in flight
    pub keep: Duration,
    /// how long a record must have been seen before its key takes over from another
    pub settle: Duration,
    /// what the operator wishes now
    pub order: Option<Order>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same or another stage.
    To(Stage),
    /// It is forgotten.
    Gone,
}

/// Decides.
pub fn next(stage: Stage, facts: Facts) -> Next {
    match facts.order {
        Some(Order::SignNow) if matches!(stage, Stage::Waiting { .. } | Stage::Published { .. }) => {
            return Next::To(signing(facts));
        }
        Some(Order::Retire) => return retired(stage, facts),
        _ => {}
    }
    if stage.needs_key() && !facts.wanted {
        return retired(stage, facts);
    }
    match stage {
        Stage::Waiting { .. } if facts.seen == Seen::Right => Next::To(if facts.another_signs {
            Stage::Published {
                since_ms: facts.now_ms,
            }
        } else {
            signing(facts)
        }),
        Stage::Published { since_ms } => Next::To(match facts.seen {
            Seen::Absent | Seen::Wrong => Stage::Waiting {
                since_ms: facts.now_ms,
            },
            Seen::Right if !facts.another_signs || passed(since_ms, facts.settle, facts) => signing(facts),
            Seen::Right | Seen::Unknown => stage,
        }),
        Stage::Signing { .. } if facts.newer_signs => Next::To(retiring(facts)),
        Stage::Signing { since_ms, lost_ms } => Next::To(Stage::Signing {
            since_ms,
            lost_ms: match facts.seen {
                Seen::Right => None,
                Seen::Absent | Seen::Wrong => lost_ms.or(Some(facts.now_ms)),
                Seen::Unknown => lost_ms,
            },
        }),
        Stage::Retiring { since_ms } if passed(since_ms, facts.keep, facts) => Next::To(removable(facts)),
        Stage::Removable { .. } if matches!(facts.seen, Seen::Absent | Seen::Wrong) => Next::Gone,
        Stage::Waiting { .. } | Stage::Retiring { .. } | Stage::Removable { .. } => Next::To(stage),
    }
}

/// The end of a key that is in use or was to be. One that never signed leaves no mail behind.
fn retired(stage: Stage, facts: Facts) -> Next {
    match stage {
        Stage::Waiting { .. } if facts.seen != Seen::Right => Next::Gone,
        Stage::Waiting { .. } | Stage::Published { .. } => Next::To(removable(facts)),
        Stage::Signing { .. } => Next::To(retiring(facts)),
        Stage::Retiring { .. } | Stage::Removable { .. } => Next::To(stage),
    }
}

fn signing(facts: Facts) -> Stage {
    Stage::Signing {
        since_ms: facts.now_ms,
        lost_ms: None,
    }
}

fn retiring(facts: Facts) -> Stage {
    Stage::Retiring {
        since_ms: facts.now_ms,
    }
}

fn removable(facts: Facts) -> Stage {
    Stage::Removable {
        since_ms: facts.now_ms,
    }
}

fn passed(since_ms: u64, wait: Duration, facts: Facts) -> bool {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    facts.now_ms >= since_ms.saturating_add(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const NOW_MS: u64 = 1000 * HOUR_MS;

    fn facts(seen: Seen) -> Facts {
        Facts {
            now_ms: NOW_MS,
            seen,
            wanted: true,
            newer_signs: false,
            another_signs: false,
            keep: Duration::from_millis(168 * HOUR_MS),
            settle: Duration::from_millis(HOUR_MS),
            order: None,
        }
    }

    fn word(next: Next) -> &'static str {
        match next {
            Next::To(Stage::Signing { lost_ms: Some(_), .. }) => "signing, lost",
            Next::To(stage) => stage.word(),
            Next::Gone => "gone",
        }
    }

    fn ago(hours: u64) -> u64 {
        NOW_MS - hours * HOUR_MS
    }

    #[test]
    fn what_dns_shows_moves_a_key_and_never_ends_one_that_signs() {
        let (waiting, published) = (Stage::Waiting { since_ms: ago(2) }, |hours| Stage::Published {
            since_ms: ago(hours),
        });
        let signs = |lost_ms| Stage::Signing {
            since_ms: ago(2),
            lost_ms,
        };
        let (retiring, removable) = (
            |hours| Stage::Retiring { since_ms: ago(hours) },
            Stage::Removable { since_ms: ago(2) },
        );
        // what DNS shows: right, wrong, absent, unknown
        let table: &[(Stage, bool, [&str; 4])] = &[
            (waiting, false, ["signing", "waiting", "waiting", "waiting"]),
            (waiting, true, ["published", "waiting", "waiting", "waiting"]),
            (
                published(0),
                true,
                ["published", "waiting", "waiting", "published"],
            ),
            (published(1), true, ["signing", "waiting", "waiting", "published"]),
            (
                published(0),
                false,
                ["signing", "waiting", "waiting", "published"],
            ),
            (
                signs(None),
                false,
                ["signing", "signing, lost", "signing, lost", "signing"],
            ),
            (
                signs(Some(1)),
                false,
                ["signing", "signing, lost", "signing, lost", "signing, lost"],
            ),
            (retiring(167), true, ["retiring"; 4]),
            (retiring(168), true, ["removable"; 4]),
            (removable, true, ["removable", "gone", "gone", "removable"]),
        ];
        for (stage, another_signs, want) in table {
            let all = [Seen::Right, Seen::Wrong, Seen::Absent, Seen::Unknown];
            for (seen, want) in all.into_iter().zip(want) {
                let facts = Facts {
                    another_signs: *another_signs,
                    ..facts(seen)
                };
                assert_eq!(
                    word(next(*stage, facts)),
                    *want,
                    "{stage:?} {another_signs} {seen:?}"
                );
            }
        }
    }

    #[test]
    fn a_newer_key_an_order_or_a_domain_that_is_gone_retires_a_key() {
        let signing = Stage::Signing {
            since_ms: ago(9),
            lost_ms: None,
        };
        let (waiting, published) = (Stage::Waiting { since_ms: 0 }, Stage::Published { since_ms: 0 });
        let newer = Facts {
            newer_signs: true,
            another_signs: true,
            ..facts(Seen::Right)
        };
        assert_eq!(word(next(signing, newer)), "retiring");
        let unwanted = |seen| Facts {
            wanted: false,
            ..facts(seen)
        };
        let retire = |seen| Facts {
            order: Some(Order::Retire),
            ..facts(seen)
        };
        for facts in [unwanted, retire].iter().map(|make| make(Seen::Unknown)) {
            assert_eq!(word(next(signing, facts)), "retiring");
            assert_eq!(word(next(waiting, facts)), "gone");
            assert_eq!(word(next(published, facts)), "removable");
        }
        assert_eq!(
            word(next(waiting, unwanted(Seen::Right))),
            "removable",
            "its record is there"
        );
        let now = Facts {
            order: Some(Order::SignNow),
            another_signs: true,
            ..facts(Seen::Absent)
        };
        assert_eq!(word(next(waiting, now)), "signing");
        assert_eq!(word(next(published, now)), "signing");
    }

    #[test]
    fn the_first_loss_is_remembered_and_ends_when_the_record_is_back() {
        let signing = |lost_ms| Stage::Signing { since_ms: 5, lost_ms };
        assert_eq!(
            next(signing(Some(7)), facts(Seen::Absent)),
            Next::To(signing(Some(7)))
        );
        assert_eq!(
            next(signing(None), facts(Seen::Wrong)),
            Next::To(signing(Some(NOW_MS)))
        );
        assert_eq!(
            next(signing(Some(7)), facts(Seen::Right)),
            Next::To(signing(None))
        );
        // A clock that went back changes nothing.
        let early = Facts {
            now_ms: 1,
            another_signs: true,
            ..facts(Seen::Right)
        };
        let published = Stage::Published { since_ms: 5 };
        assert_eq!(next(published, early), Next::To(published));
    }

    proptest::proptest! {
        /// Whatever DNS says and whenever: no key signs that was not seen, none takes over before an hour, none is forgotten while its mail may
        /// be on its way.
        #[test]
        fn no_key_signs_unseen_and_none_goes_before_its_time(
            days in proptest::collection::vec((0u64..200, 0u8..4, proptest::bool::ANY, proptest::bool::ANY, proptest::bool::ANY), 1..40)
        ) {
            let (mut stage, mut now_ms, mut retired) = (Stage::Waiting { since_ms: 0 }, 0, None);
            for (hours, shown, wanted, newer_signs, retire) in days {
                now_ms += hours * HOUR_MS;
                let seen = [Seen::Right, Seen::Wrong, Seen::Absent, Seen::Unknown][usize::from(shown)];
                let facts = Facts {
                    now_ms,
                    wanted,
                    newer_signs,
                    another_signs: newer_signs,
                    order: (retire && hours > 150).then_some(Order::Retire),
                    ..facts(seen)
                };
                let before = stage;
                let Next::To(after) = next(stage, facts) else {
                    let signed_once = retired.is_some();
                    let week_over = retired.is_none_or(|since: u64| now_ms >= since + 168 * HOUR_MS);
                    proptest::prop_assert!(!signed_once || week_over);
                    break;
                };
                let signs = |stage: Stage| stage.word() == "signing";
                if signs(after) && !signs(before) {
                    proptest::prop_assert_eq!(seen, Seen::Right);
                    if newer_signs {
                        let Stage::Published { since_ms } = before else {
                            return Err(proptest::test_runner::TestCaseError::fail("it took over at once"));
                        };
                        proptest::prop_assert!(now_ms >= since_ms + HOUR_MS);
                    }
                }
                if after.word() == "retiring" && before.word() != "retiring" {
                    retired = Some(now_ms);
                }
                stage = after;
            }
        }
    }
}
