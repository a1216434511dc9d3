//! What would have failed if everything that is proposed had been required: from the evidence that is kept. Pure but for reading.

use std::collections::BTreeMap;
use std::io;

use super::attempt::PolicyKind;
use super::book::Book;
use super::day::Day;
use super::list::Power;
use super::rpt::evidence::{Grade, Session};
use crate::limits::DRY_RUN_REASONS;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun {
    /// the first day that was looked at
    pub from: Day,
    /// the last one
    pub to: Day,
    /// domains that are proposed, not required, and had sessions; those that would have failed first
    pub domains: Vec<Trial>,
}

/// One domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// which
    pub domain: String,
    /// `observe` or `warn`
    pub proposed: &'static str,
    /// sessions in all
    pub sessions: u64,
    /// sessions that would have failed: in the clear, or with a certificate that does not verify
    pub would_fail: u64,
    /// why, the most frequent first
    pub reasons: Vec<(String, u64)>,
}

/// Looks at the last `days` days, today included.
///
/// # Errors
/// The disk refuses.
pub fn dry_run(book: &Book, days: u32) -> io::Result<DryRun> {
    let to = book.today();
    let from = to.before(days.saturating_sub(1));
    let mut tried: BTreeMap<String, (Trial, BTreeMap<String, u64>)> = BTreeMap::new();
    for day in from.0..=to.0 {
        for (session, count) in book.evidence(Day(day))?.rows() {
            let Some(proposed) = proposed(book, session) else {
                continue;
            };
            let (trial, reasons) = tried.entry(session.domain.clone()).or_default();
            (trial.domain, trial.proposed) = (session.domain.clone(), proposed);
            trial.sessions += count;
            if would_fail(session) {
                trial.would_fail += count;
                *reasons.entry(reason(session)).or_default() += count;
            }
        }
    }
    let mut domains: Vec<Trial> = tried
        .into_values()
        .map(|(trial, reasons)| with(trial, reasons))
        .collect();
    domains.sort_by(|one, other| {
        let order = other.would_fail.cmp(&one.would_fail);
        order.then_with(|| one.domain.cmp(&other.domain))
    });
    Ok(DryRun { from, to, domains })
}

fn proposed(book: &Book, session: &Session) -> Option<&'static str> {
    match book.told(&session.domain).verdict?.power {
        Power::Observe => Some("observe"),
        Power::Warn => Some("warn"),
        Power::Off | Power::Require => None,
    }
}

/// What DANE vouches for needs no list.
fn would_fail(session: &Session) -> bool {
    session.kind != PolicyKind::Tlsa && session.grade != Grade::Verified
}

fn reason(session: &Session) -> String {
    let what = match session.grade {
        _ if !session.text.is_empty() => session.text.as_str(),
        Grade::Clear | Grade::Refused => "no TLS",
        Grade::Encrypted | Grade::Verified => "the certificate does not verify",
    };
    format!("{}: {what}", session.host)
}

fn with(mut trial: Trial, reasons: BTreeMap<String, u64>) -> Trial {
    trial.reasons = reasons.into_iter().collect();
    trial.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    trial.reasons.truncate(DRY_RUN_REASONS);
    trial
}
