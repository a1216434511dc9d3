//! What a sink remembers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use parking_lot::Mutex;

/// A message that was answered 2yz after the dot.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The text of its Message-ID field, empty without one.
    pub message_id: String,
    /// What MAIL FROM named, without the angle brackets.
    pub reverse_path: String,
    /// Parameters of MAIL FROM as they were written.
    pub mail_parameters: String,
    /// Accepted recipients with their parameters as they were written.
    pub recipients: Vec<(String, String)>,
    /// Its length in octets, dots removed.
    pub octets: u64,
    /// Its beginning, at most 256 KiB; empty when the sink only counts.
    pub content: Vec<u8>,
    /// Where it came from.
    pub peer: Option<IpAddr>,
    /// What the client called itself.
    pub hello: String,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Who had signed in.
    pub user: Option<String>,
    /// The number of its connection, from 1.
    pub connection: u64,
    /// When it was answered.
    pub at: Instant,
}

/// Counts of a sink since its start.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Most connections open at one time.
    pub most_open: u64,
    /// TLS handshakes that were finished.
    pub handshakes: u64,
    /// How often it did what its script told it instead of behaving well.
    pub misbehaviours: u64,
    /// MAIL commands.
    pub transactions: u64,
    /// Messages that came in whole, accepted or not.
    pub whole_messages: u64,
    /// Messages answered 2yz after the dot.
    pub accepted: u64,
    /// What the client did against the standard or without our offer.
    pub violations: Vec<String>,
}

/// Violations that are kept.
const MOST_VIOLATIONS: usize = 100;

#[derive(Default)]
struct Inner {
    accepted: Vec<Accepted>,
    counts: BTreeMap<(String, String), u64>,
    statistics: Statistics,
}

/// Behind one lock: a sink is busy with its sockets.
#[derive(Default)]
pub(super) struct Record(Mutex<Inner>);

impl Record {
    pub(super) fn accepted(&self) -> Vec<Accepted> {
        self.0.lock().accepted.clone()
    }

    pub(super) fn accepted_count(&self) -> u64 {
        self.0.lock().statistics.accepted
    }

    pub(super) fn counts(&self) -> BTreeMap<(String, String), u64> {
        self.0.lock().counts.clone()
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.0.lock().statistics.clone()
    }

    /// Gives the connection's number.
    pub(super) fn opened(&self) -> u64 {
        let statistics = &mut self.0.lock().statistics;
        statistics.connections += 1;
        statistics.open += 1;
        statistics.most_open = statistics.most_open.max(statistics.open);
        statistics.connections
    }

    pub(super) fn closed(&self) {
        self.0.lock().statistics.open -= 1;
    }

    pub(super) fn handshake(&self) {
        self.0.lock().statistics.handshakes += 1;
    }

    pub(super) fn misbehaved(&self) {
        self.0.lock().statistics.misbehaviours += 1;
    }

    pub(super) fn transaction(&self) {
        self.0.lock().statistics.transactions += 1;
    }

    pub(super) fn whole_message(&self) {
        self.0.lock().statistics.whole_messages += 1;
    }

    pub(super) fn violation(&self, what: String) {
        let violations = &mut self.0.lock().statistics.violations;
        if violations.len() < MOST_VIOLATIONS {
            violations.push(what);
        }
    }

    /// Counts a message; keeps it unless the sink only counts.
    pub(super) fn accept(&self, message: Accepted, keep: bool) {
        let mut inner = self.0.lock();
        inner.statistics.accepted += 1;
        for (recipient, _) in &message.recipients {
            let key = (message.message_id.clone(), recipient.to_ascii_lowercase());
            *inner.counts.entry(key).or_default() += 1;
        }
        if keep {
            inner.accepted.push(message);
        }
    }
}
