//! Mail for other servers. Decision 0018 has the states and what a crash leaves; this is the journey.
//!
//! 1. [`scheduler::run`] hears which lanes have work and gives connections to destinations, in turns ([`lanes`]); what it
//!    learned of a destination is in [`destination`].
//! 2. A connection's task ([`courier`]) claims rows of a lane and makes jobs of them ([`job`]): one message, one way
//!    ([`route`]).
//! 3. [`carry::carry`] takes a job to its end: over the connection that is open, or host by host ([`find`], [`hosts`]), under the rule of
//!    what TLS must be ([`secure`]), address by address ([`connect`]), sending the message ([`letter`], [`session`]) and judging each answer ([`outcome`]).
//! 4. [`record::record`] writes outcome, attempt and report ([`report`]) in one transaction, before the connection ends its next message.
//!    What becomes of it when a fault of ours ends the task in the middle is decided by [`in_hand`].
//! 5. [`overdue::run`] looks at recipients whose deadline has passed: the sender is told of the delay, or everything is given up.
//!
//! The pure parts are `route`, `hosts`, `outcome`, `destination`, `lanes` and `job`: tables and property tests say what they
//! decide. The others do what those say.
//!
//! Guarantees: at least once; twice only where a server had the whole message and its answer did not reach our disk (at most one
//! message a connection); a recipient ends delivered, or failed with its report in the same transaction. Bounded: connections, jobs that
//! wait for one, one small record for each lane.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use directory::Directory;
use msgauth::tls::DomainPolicies;
use parking_lot::Mutex;
use queue::Queue;
use store::contract::{Claim, Conflict, StoreError};
use tokio::sync::{Semaphore, watch};
use world::chance::Chance;
use world::clock::{Monotonic, UnixMs};
use world::dns::Dns;
use world::ids::IdSource;
use world::net::{Network, TlsClient};

use crate::events::DeliverEvent;
use crate::limits::{DOUBLE_BOUNCES_PER_HOUR, RECODING};
use crate::settings::Settings;

pub mod carry;
pub mod connect;
pub mod courier;
pub mod destination;
pub mod find;
pub mod hosts;
pub mod in_hand;
pub mod job;
pub mod lanes;
pub mod letter;
pub mod outcome;
pub mod overdue;
pub mod pending;
pub mod recode;
pub mod record;
pub mod report;
pub mod route;
pub mod scheduler;
pub mod secure;
pub mod session;
pub mod silent;
pub mod status;
pub mod talk;

/// What remote delivery needs: its doors.
pub struct Remote {
    /// where mail waits
    pub queue: Arc<Queue>,
    /// who is here
    pub directory: Arc<Directory>,
    /// new identifiers
    pub ids: Arc<IdSource>,
    /// random bytes
    pub chance: Arc<dyn Chance>,
    /// names
    pub dns: Arc<dyn Dns>,
    /// connections
    pub network: Arc<dyn Network>,
    /// TLS
    pub tls: Arc<dyn TlsClient>,
    /// what is known of recipients' domains about TLS
    pub policies: Arc<dyn DomainPolicies>,
    settings: watch::Receiver<Arc<Settings>>,
    double_bounces: Mutex<Hourly>,
    silent: Mutex<silent::Silent>,
    scheduler: OnceLock<Weak<scheduler::Shared>>,
    /// how many messages may be re-encoded now
    recoding: Semaphore,
}

/// How delivery stands, for an operator.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// connections to other servers now
    pub connections: u32,
    /// destinations that could not be reached and are left alone, and for how long still; the first to be tried again first
    pub parked: Vec<(route::Destination, Duration)>,
}

/// The doors, as the program hands them over.
pub struct Doors {
    /// where mail waits
    pub queue: Arc<Queue>,
    /// who is here
    pub directory: Arc<Directory>,
    /// new identifiers
    pub ids: Arc<IdSource>,
    /// random bytes
    pub chance: Arc<dyn Chance>,
    /// names
    pub dns: Arc<dyn Dns>,
    /// connections
    pub network: Arc<dyn Network>,
    /// TLS
    pub tls: Arc<dyn TlsClient>,
    /// what is known of recipients' domains about TLS
    pub policies: Arc<dyn DomainPolicies>,
    /// the settings in force; another value is followed from the next attempt on
    pub settings: watch::Receiver<Arc<Settings>>,
}

impl Remote {
    /// Joins the doors.
    pub fn new(doors: Doors) -> Arc<Self> {
        Arc::new(Self {
            queue: doors.queue,
            directory: doors.directory,
            ids: doors.ids,
            chance: doors.chance,
            dns: doors.dns,
            network: doors.network,
            tls: doors.tls,
            policies: doors.policies,
            settings: doors.settings,
            double_bounces: Mutex::new(Hourly::default()),
            silent: Mutex::default(),
            scheduler: OnceLock::new(),
            recoding: Semaphore::new(RECODING),
        })
    }

    /// How it stands, with at most `most` parked destinations; nothing while it does not run.
    pub fn standing(&self, most: usize) -> Standing {
        let scheduler = self.scheduler.get().and_then(Weak::upgrade);
        scheduler.map_or_else(Standing::default, |shared| shared.standing(most))
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    fn next_try(&self, attempts: u32, chance: u64) -> UnixMs {
        self.queue
            .schedule()
            .next_try(self.queue.clock.now(), attempts, chance)
    }

    /// A claim whose outcome the store did not take is given back.
    fn given_back_unless(&self, done: store::contract::Result<()>, claim: Claim) {
        match done {
            Ok(()) | Err(StoreError::Conflict(Conflict::ClaimLost)) => {}
            Err(error) => {
                self.queue.store.release(claim);
                self.store_failed(&error);
            }
        }
    }

    fn store_failed(&self, error: &StoreError) {
        self.queue.events.emit(&DeliverEvent::StoreFailed {
            reason: error.to_string(),
        });
    }
}

/// Delivers to other servers until `shutdown` turns true. One per store.
pub async fn run(remote: Arc<Remote>, shutdown: watch::Receiver<bool>) {
    tokio::join!(
        scheduler::run(remote.clone(), shutdown.clone()),
        overdue::run(remote, shutdown)
    );
}

/// Completes when the program stops.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody can stop it any more.
        std::future::pending::<()>().await;
    }
}

/// At most so many in an hour.
#[derive(Debug, Default)]
struct Hourly {
    since: Option<Monotonic>,
    taken: u32,
}

impl Hourly {
    fn take(&mut self, now: Monotonic) -> bool {
        let hour = Duration::from_secs(3600);
        if self
            .since
            .is_none_or(|since| now.0.saturating_sub(since.0) >= hour)
        {
            (self.since, self.taken) = (Some(now), 0);
        }
        self.taken += 1;
        self.taken <= DOUBLE_BOUNCES_PER_HOUR
    }
}
