//! What was seen in a day, counted: one row for each kind of outcome at a host. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{EVIDENCE_DOMAIN_ROWS, EVIDENCE_POLICIES, EVIDENCE_POLICY_LINES, EVIDENCE_ROWS};
use crate::tls::attempt::{PolicyKind, ResultType};
use crate::tls::text::shortened;

/// What sessions have in common that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Session {
    /// the recipient's domain
    pub domain: String,
    /// which policy it is counted under
    pub kind: PolicyKind,
    /// whose that is
    pub policy_domain: String,
    /// the host; empty where it was left out
    pub host: String,
    /// its address
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// ours
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    /// what failed by the policy it is counted under; nothing: it succeeded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultType>,
    /// what of TLS there was
    pub grade: Grade,
    /// what failed, in words; of sessions counted together the first one's
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What of TLS a session had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// a certificate that verifies for the host's name, or fits a TLSA record
    Verified,
    /// a certificate that does not
    Encrypted,
    /// none: mail could go in the clear
    Clear,
    /// none: mail waits instead
    Refused,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// what
    #[serde(flatten)]
    pub session: Session,
    /// how often
    pub count: u64,
}

/// What was seen in one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    rows: BTreeMap<Session, u64>,
    /// lines of the policies that were in force, and the hosts they name, by kind and domain
    policies: BTreeMap<(PolicyKind, String), Terms>,
}

/// What a policy said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// its lines (RFC 8460 §4.4 `policy-string`)
    pub lines: Vec<String>,
    /// its host patterns (`mx-host`)
    pub hosts: Vec<String>,
}

/// As it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    rows: Vec<Row>,
    policies: Vec<(PolicyKind, String, Terms)>,
}

impl Evidence {
    /// Counts a session. When there are as many rows as may be, it is counted under no domain.
    pub fn count(&mut self, session: Session) {
        self.count_many(session, 1);
    }

    fn count_many(&mut self, mut session: Session, times: u64) {
        session.text = shortened(&session.text);
        // Words differ (addresses, dates); the first ones stand for all.
        let text = std::mem::take(&mut session.text);
        if let Some(count) = self.row(&session) {
            *count += times;
            return;
        }
        session.text = text;
        if self.rows.len() >= EVIDENCE_ROWS {
            session = coarse(session);
        } else if self.of(&session.domain).count() >= EVIDENCE_DOMAIN_ROWS {
            session = without_host(session);
        }
        match self.row(&Session {
            text: String::new(),
            ..session.clone()
        }) {
            Some(count) => *count += times,
            None => drop(self.rows.insert(session, times)),
        }
    }

    /// The row that counts sessions like this, whatever its words are. Without words a session stands before all rows like it.
    fn row(&mut self, session: &Session) -> Option<&mut u64> {
        let (found, count) = self.rows.range_mut(session.clone()..).next()?;
        let same = Session {
            text: String::new(),
            ..found.clone()
        } == *session;
        same.then_some(count)
    }

    /// Adds what was counted of the same day before.
    pub fn add(&mut self, before: Self) {
        for (session, count) in before.rows {
            self.count_many(session, count);
        }
        for ((kind, domain), terms) in before.policies {
            self.policy(kind, &domain, || terms);
        }
    }

    /// Remembers what a policy said, for reports.
    pub fn policy(&mut self, kind: PolicyKind, domain: &str, terms: impl FnOnce() -> Terms) {
        let key = (kind, domain.to_owned());
        if self.policies.len() >= EVIDENCE_POLICIES || self.policies.contains_key(&key) {
            return;
        }
        let mut terms = terms();
        terms.lines.truncate(EVIDENCE_POLICY_LINES);
        terms.hosts.truncate(EVIDENCE_POLICY_LINES);
        terms
            .lines
            .iter_mut()
            .chain(&mut terms.hosts)
            .for_each(|line| *line = shortened(line));
        self.policies.insert(key, terms);
    }

    /// What the policy of a kind said.
    pub fn terms(&self, kind: PolicyKind, domain: &str) -> Terms {
        self.policies
            .get(&(kind, domain.to_owned()))
            .cloned()
            .unwrap_or_default()
    }

    /// All rows, by domain.
    pub fn rows(&self) -> impl Iterator<Item = (&Session, u64)> {
        self.rows.iter().map(|(session, count)| (session, *count))
    }

    /// The rows of one domain.
    pub fn of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = (&'a Session, u64)> {
        let rows = self.rows.range(least_of(domain)..);
        rows.map(|(session, count)| (session, *count))
            .take_while(move |(session, _)| session.domain == domain)
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As it is kept.
    pub fn stored(&self) -> Stored {
        let rows = self.rows().map(|(session, count)| Row {
            session: session.clone(),
            count,
        });
        let policies = self.policies.iter();
        Stored {
            rows: rows.collect(),
            policies: policies
                .map(|((kind, domain), terms)| (*kind, domain.clone(), terms.clone()))
                .collect(),
        }
    }

    /// From what was kept.
    pub fn restored(stored: Stored) -> Self {
        let policies = stored.policies.into_iter();
        Self {
            rows: stored
                .rows
                .into_iter()
                .map(|row| (row.session, row.count))
                .collect(),
            policies: policies
                .map(|(kind, domain, terms)| ((kind, domain), terms))
                .collect(),
        }
    }
}

/// Stands before all sessions with a domain: each value is the first of its order.
fn least_of(domain: &str) -> Session {
    Session {
        domain: domain.to_owned(),
        kind: PolicyKind::Tlsa,
        policy_domain: String::new(),
        host: String::new(),
        address: None,
        ours: None,
        result: None,
        grade: Grade::Verified,
        text: String::new(),
    }
}

/// What is left of a session when its domain has more hosts and addresses than are told apart.
fn without_host(session: Session) -> Session {
    Session {
        policy_domain: session.domain.clone(),
        host: String::new(),
        address: None,
        ours: None,
        ..session
    }
}

/// What is left of a session when there is no room for more.
fn coarse(session: Session) -> Session {
    Session {
        domain: String::new(),
        policy_domain: String::new(),
        host: String::new(),
        address: None,
        ours: None,
        text: String::new(),
        ..session
    }
}

#[cfg(test)]
pub(in crate::tls) mod tests {
    use super::*;
    use crate::limits::EVIDENCE_TEXT;

    pub(in crate::tls) fn session(
        domain: &str,
        host: &str,
        result: Option<ResultType>,
        grade: Grade,
    ) -> Session {
        Session {
            domain: domain.to_owned(),
            kind: PolicyKind::NoPolicy,
            policy_domain: domain.to_owned(),
            host: host.to_owned(),
            address: Some("192.0.2.25".to_owned()),
            ours: Some("198.51.100.1".to_owned()),
            result,
            grade,
            text: if result.is_some() {
                "some words".to_owned()
            } else {
                String::new()
            },
        }
    }

    #[test]
    fn the_same_is_counted_together_and_comes_back() {
        let mut day = Evidence::default();
        for _ in 0..3 {
            day.count(session("a.example", "mx.a.example", None, Grade::Verified));
        }
        let failed = session(
            "a.example",
            "mx.a.example",
            Some(ResultType::StarttlsNotSupported),
            Grade::Clear,
        );
        day.count(failed.clone());
        day.count(Session {
            text: "other\nwords".to_owned(),
            ..failed
        });
        day.count(session("b.example", "mx.b.example", None, Grade::Encrypted));
        let counts: Vec<(String, u64, String)> = day
            .rows()
            .map(|(row, count)| (row.domain.clone(), count, row.text.clone()))
            .collect();
        assert_eq!(
            counts,
            [
                ("a.example".to_owned(), 3, String::new()),
                ("a.example".to_owned(), 2, "some words".to_owned()),
                ("b.example".to_owned(), 1, String::new())
            ]
        );
        day.policy(PolicyKind::Sts, "a.example", || Terms {
            lines: vec!["version: STSv1".to_owned()],
            hosts: vec!["x\ty".to_owned()],
        });
        day.policy(PolicyKind::Sts, "a.example", || unreachable!("known"));
        assert_eq!(day.terms(PolicyKind::Sts, "a.example").hosts, ["x?y"]);
        assert_eq!(Evidence::restored(day.stored()), day);
        let mut two = day.clone();
        two.add(day.clone());
        let doubled: Vec<u64> = two.rows().map(|(_, count)| count).collect();
        assert_eq!(doubled, [6, 4, 2], "the same rows, twice");
        assert_eq!(
            two.terms(PolicyKind::Sts, "a.example"),
            day.terms(PolicyKind::Sts, "a.example")
        );
    }

    #[test]
    fn q_7_one_domain_with_hosts_without_end_leaves_room_for_others() {
        let mut day = Evidence::default();
        for number in 0..EVIDENCE_ROWS {
            let host = format!("mx{number}.a.example");
            let own = Session {
                policy_domain: host.clone(),
                kind: PolicyKind::Tlsa,
                ..session("a.example", &host, None, Grade::Verified)
            };
            day.count(own);
        }
        day.count(session("b.example", "mx.b.example", None, Grade::Verified));
        let rows: Vec<_> = day.of("a.example").collect();
        assert_eq!(rows.len(), EVIDENCE_DOMAIN_ROWS + 1);
        let counted: u64 = rows.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, EVIDENCE_ROWS as u64, "none is lost");
        let (rest, count) = rows.iter().find(|(row, _)| row.host.is_empty()).unwrap();
        assert_eq!(rest.policy_domain, "a.example");
        assert_eq!(*count, (EVIDENCE_ROWS - EVIDENCE_DOMAIN_ROWS) as u64);
        assert_eq!(day.of("b.example").count(), 1);
        assert_eq!((day.of("").count(), day.of("a").count()), (0, 0));
        assert_eq!(Evidence::restored(day.stored()), day);
    }

    #[test]
    fn q_7_strangers_make_no_day_without_end() {
        let mut day = Evidence::default();
        let many = EVIDENCE_ROWS + 500;
        for number in 0..many {
            let name = format!("d{number}.example");
            day.count(Session {
                text: "x".repeat(10_000),
                ..session(&name, &name, Some(ResultType::ValidationFailure), Grade::Clear)
            });
        }
        assert!(day.rows.len() <= EVIDENCE_ROWS + 1, "{}", day.rows.len());
        assert_eq!(
            day.rows().map(|(_, count)| count).sum::<u64>(),
            many as u64,
            "none is lost"
        );
        assert!(day.rows().all(|(row, _)| row.text.len() <= EVIDENCE_TEXT));
        for number in 0..EVIDENCE_POLICIES + 9 {
            day.policy(PolicyKind::Sts, &number.to_string(), Terms::default);
        }
        assert_eq!(day.policies.len(), EVIDENCE_POLICIES);
    }
}
