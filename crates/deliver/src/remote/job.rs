//! From claimed rows to jobs: recipients of one message that go the same way with the same envelope go together.

use mail::address::{Mailbox, Utf8};
use msgauth::tls::policy::Wish;
use queue::params::{EnvelopeParams, RecipientParams, TlsWish};
use store::contract::{Claim, WaitingRow};

use super::letter;
use super::route::{Asked, Destination, Route};
use crate::limits::RECIPIENTS_PER_TRANSACTION;

/// One message for some of its recipients, on one way.
#[derive(Debug)]
pub struct Job {
    /// the way
    pub route: Route,
    /// what the sender asked for
    pub envelope: EnvelopeParams,
    /// who gets it, at least one
    pub recipients: Vec<Waiter>,
}

/// A claimed recipient.
#[derive(Debug)]
pub struct Waiter {
    /// ours until it is recorded or given back
    pub claim: Claim,
    /// its row
    pub row: WaitingRow,
    /// what the sender asked for it
    pub params: RecipientParams,
    /// its address
    pub mailbox: Mailbox,
}

impl Waiter {
    /// Asks for its way with what is known of it.
    pub fn asks<T>(&self, answer: impl Fn(Asked<'_>) -> T) -> T {
        let sender = letter::path(&self.row.reverse_path);
        answer(Asked {
            to: self.mailbox.domain(),
            from: sender.mailbox().map(Mailbox::domain),
            attempts: self.row.attempts,
            refused_us: self.params.second_way,
        })
    }
}

impl Job {
    /// Its first row: what it says of the message, all of them say.
    pub fn row(&self) -> &WaitingRow {
        &self.recipients.first().expect("a job has recipients").row
    }

    /// What the copies of all its recipients have in common.
    pub fn params(&self) -> &RecipientParams {
        &self.recipients.first().expect("a job has recipients").params
    }

    /// What the message asks of TLS.
    pub fn wish(&self) -> Wish {
        wish(self.row(), &self.envelope)
    }

    fn goes_with(&self, waiter: &Waiter, route: &Route) -> bool {
        let (one, other) = (self.params(), &waiter.params);
        self.route == *route
            && self.row().queue_id == waiter.row.queue_id
            && one.reverse_path == other.reverse_path
            && one.via == other.via
            && self.recipients.len() < RECIPIENTS_PER_TRANSACTION
    }
}

/// What a message asks of TLS (RFC 8689). Whoever sends nothing back to (`<>`) sends a report, which shall not be lost for it (§5).
pub fn wish(row: &WaitingRow, envelope: &EnvelopeParams) -> Wish {
    match envelope.tls {
        TlsWish::Nothing => Wish::Nothing,
        TlsWish::RequireTls if row.reverse_path.is_empty() => Wish::RequireTlsReport,
        TlsWish::RequireTls => Wish::RequireTls,
        TlsWish::NotRequired => Wish::NotRequired,
    }
}

/// Claimed rows, by what is done with them.
#[derive(Debug, Default)]
pub struct Grouped {
    /// these are sent
    pub jobs: Vec<(Destination, Job)>,
    /// a server refused these for good; only their report is missing
    pub refused: Vec<(Claim, WaitingRow)>,
    /// the address of these cannot be read
    pub unreadable: Vec<(Claim, WaitingRow)>,
}

/// Makes jobs, in the order of the rows. `choose` finds the way.
pub fn group(rows: Vec<(Claim, WaitingRow)>, choose: impl Fn(Asked<'_>) -> Route) -> Grouped {
    let mut jobs: Vec<Job> = Vec::new();
    let mut grouped = Grouped::default();
    for (claim, row) in rows {
        let params = RecipientParams::read(&row.params);
        if params.refused {
            grouped.refused.push((claim, row));
            continue;
        }
        let Ok(mailbox) = Mailbox::parse(&row.address, Utf8::Allowed) else {
            grouped.unreadable.push((claim, row));
            continue;
        };
        let waiter = Waiter {
            claim,
            row,
            params,
            mailbox,
        };
        let route = waiter.asks(&choose);
        match jobs.iter_mut().find(|job| job.goes_with(&waiter, &route)) {
            Some(job) => job.recipients.push(waiter),
            None => jobs.push(Job {
                route,
                envelope: EnvelopeParams::read(&waiter.row.envelope),
                recipients: vec![waiter],
            }),
        }
    }
    let with_destination = |job: Job| (job.route.destination(), job);
    grouped.jobs = jobs.into_iter().map(with_destination).collect();
    grouped
}
