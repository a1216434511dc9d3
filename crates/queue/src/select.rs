//! Which of those who wait are meant: pure.

use std::time::Duration;

use mail::ids::{AccountId, QueueId};
use store::contract::WaitingRow;
use world::clock::UnixMs;

use crate::params::EnvelopeParams;

/// Every given part must fit; nothing given means everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// recipients of this message
    pub id: Option<QueueId>,
    /// envelope sender: an address, `@domain`, or `<>`
    pub from: Option<String>,
    /// recipient: an address or `@domain`
    pub to: Option<String>,
    /// the recipient's domain
    pub domain: Option<String>,
    /// came at least so long ago
    pub older_than: Option<Duration>,
    /// the reason why it waits holds this text
    pub error: Option<String>,
    /// submitted by this account
    pub account: Option<AccountId>,
    /// held by an operator, or not
    pub held: Option<bool>,
    /// id, sender, recipient or reason holds this text
    pub text: Option<String>,
}

impl Selection {
    /// Whether a row is meant. Letters are compared without their case.
    pub fn matches(&self, row: &WaitingRow, now: UnixMs) -> bool {
        let account = || EnvelopeParams::read(&row.envelope).account;
        self.id.is_none_or(|id| id == row.queue_id)
            && self.held.is_none_or(|held| held == row.held)
            && fits(self.from.as_deref(), |wanted| {
                is_address(&row.reverse_path, wanted)
            })
            && fits(self.to.as_deref(), |wanted| is_address(&row.address, wanted))
            && fits(self.domain.as_deref(), |wanted| is_domain(&row.address, wanted))
            && fits(self.error.as_deref(), |wanted| holds(&row.reason, wanted))
            && fits(self.text.as_deref(), |wanted| is_mentioned(row, wanted))
            && self
                .older_than
                .is_none_or(|age| is_older(row.received_at, now, age))
            && self.account.is_none_or(|wanted| account() == Some(wanted))
    }

    /// What is meant, in words for the audit.
    pub fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("{name} {value}")));
        };
        say("id", self.id.map(|id| id.to_string()));
        say("from", self.from.clone());
        say("to", self.to.clone());
        say("domain", self.domain.clone());
        say(
            "older than",
            self.older_than.map(|age| format!("{} s", age.as_secs())),
        );
        say("error", self.error.clone());
        say("account", self.account.map(|account| account.to_string()));
        say("text", self.text.clone());
        if words.is_empty() {
            "everybody".to_owned()
        } else {
            words.join(", ")
        }
    }
}

fn fits(wanted: Option<&str>, test: impl FnOnce(&str) -> bool) -> bool {
    wanted.is_none_or(test)
}

fn is_address(address: &str, wanted: &str) -> bool {
    match (wanted, wanted.strip_prefix('@')) {
        ("<>", _) => address.is_empty(),
        (_, Some(domain)) => is_domain(address, domain),
        (_, None) => address.to_lowercase() == wanted.to_lowercase(),
    }
}

fn is_domain(address: &str, wanted: &str) -> bool {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    domain.is_some_and(|domain| domain == wanted.trim_start_matches('@').to_lowercase())
}

fn holds(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(&wanted.to_lowercase())
}

fn is_mentioned(row: &WaitingRow, wanted: &str) -> bool {
    let id = row.queue_id.to_string();
    [&id, &row.reverse_path, &row.address, &row.reason]
        .into_iter()
        .any(|text| holds(text, wanted))
}

fn is_older(came: UnixMs, now: UnixMs, age: Duration) -> bool {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    came.0.saturating_add(age) <= now.0
}

#[cfg(test)]
mod tests {
    use mail::ids::{BlobId, Id};

    use super::*;

    fn row() -> WaitingRow {
        WaitingRow {
            queue_id: QueueId::from_raw(7 << 21),
            recipient: 0,
            address: "Eve@Victim.example".to_owned(),
            account: None,
            lane: "victim.example -".to_owned(),
            due: UnixMs(0),
            deadline: UnixMs(0),
            held: false,
            attempts: 0,
            reason: "Connection refused by mx.victim.example".to_owned(),
            params: "{}".to_owned(),
            reverse_path: "alice@example.test".to_owned(),
            envelope: EnvelopeParams {
                account: Some(AccountId::from_raw(9 << 21)),
                ..EnvelopeParams::default()
            }
            .json(),
            queue_prefix: bytes::Bytes::new(),
            blob: BlobId::from_raw(1),
            body_bytes: 10,
            received_at: UnixMs(100_000),
        }
    }

    #[test]
    fn every_given_part_must_fit() {
        let text = |text: &str| Some(text.to_owned());
        let all = Selection::default();
        let now = UnixMs(160_000);
        let table: Vec<(&str, Selection, bool)> = vec![
            ("everybody", all.clone(), true),
            (
                "id",
                Selection {
                    id: Some(row().queue_id),
                    ..all.clone()
                },
                true,
            ),
            (
                "other id",
                Selection {
                    id: Some(QueueId::from_raw(1)),
                    ..all.clone()
                },
                false,
            ),
            (
                "from",
                Selection {
                    from: text("ALICE@example.test"),
                    ..all.clone()
                },
                true,
            ),
            (
                "from, part",
                Selection {
                    from: text("alice"),
                    ..all.clone()
                },
                false,
            ),
            (
                "from domain",
                Selection {
                    from: text("@Example.test"),
                    ..all.clone()
                },
                true,
            ),
            (
                "from nobody",
                Selection {
                    from: text("<>"),
                    ..all.clone()
                },
                false,
            ),
            (
                "to",
                Selection {
                    to: text("eve@victim.EXAMPLE"),
                    ..all.clone()
                },
                true,
            ),
            (
                "domain",
                Selection {
                    domain: text("victim.example"),
                    ..all.clone()
                },
                true,
            ),
            (
                "domain, end",
                Selection {
                    domain: text("example"),
                    ..all.clone()
                },
                false,
            ),
            (
                "error",
                Selection {
                    error: text("connection REFUSED"),
                    ..all.clone()
                },
                true,
            ),
            (
                "other error",
                Selection {
                    error: text("greylisted"),
                    ..all.clone()
                },
                false,
            ),
            (
                "a minute",
                Selection {
                    older_than: Some(Duration::from_secs(60)),
                    ..all.clone()
                },
                true,
            ),
            (
                "longer",
                Selection {
                    older_than: Some(Duration::from_secs(61)),
                    ..all.clone()
                },
                false,
            ),
            (
                "account",
                Selection {
                    account: Some(AccountId::from_raw(9 << 21)),
                    ..all.clone()
                },
                true,
            ),
            (
                "other account",
                Selection {
                    account: Some(AccountId::from_raw(1)),
                    ..all.clone()
                },
                false,
            ),
            (
                "held",
                Selection {
                    held: Some(true),
                    ..all.clone()
                },
                false,
            ),
            (
                "text",
                Selection {
                    text: text("VICTIM"),
                    ..all.clone()
                },
                true,
            ),
            (
                "other text",
                Selection {
                    text: text("bob"),
                    ..all.clone()
                },
                false,
            ),
            (
                "two, one wrong",
                Selection {
                    to: text("eve@victim.example"),
                    error: text("x.y"),
                    ..all.clone()
                },
                false,
            ),
        ];
        for (name, selection, want) in table {
            assert_eq!(selection.matches(&row(), now), want, "{name}");
        }
        let nobody = WaitingRow {
            reverse_path: String::new(),
            ..row()
        };
        let from = Selection {
            from: text("<>"),
            ..all
        };
        assert!(from.matches(&nobody, now));
    }

    #[test]
    fn a_selection_has_words() {
        assert_eq!(Selection::default().words(), "everybody");
        let selection = Selection {
            from: Some("a@b.test".to_owned()),
            older_than: Some(Duration::from_secs(60)),
            ..Selection::default()
        };
        assert_eq!(selection.words(), "from a@b.test, older than 60 s");
    }
}
