//! What the queue needs to work.

use std::sync::Arc;

use mail::address::{Mailbox, Path};
use parking_lot::RwLock;
use store::contract::Store;
use tokio::sync::Notify;
use world::clock::{Clock, UnixMs};
use world::events::Events;

use crate::accept::FIRST_TRY;
use crate::lanes;
use crate::news::News;
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::signing::Signer;

/// The name of the route that mail for a recipient from a sender takes; `None` when it goes to the recipient's domain.
pub type RouteName = dyn Fn(&Mailbox, &Path) -> Option<String> + Send + Sync;

/// The queue's doors. Shared by everything that accepts and by the workers that deliver.
pub struct Queue {
    /// where messages are kept
    pub store: Arc<dyn Store>,
    /// the clock
    pub clock: Arc<dyn Clock>,
    /// the log
    pub events: Arc<dyn Events>,
    /// the local plan
    pub plan: Arc<Plan>,
    /// woken when a recipient of ours was left waiting
    pub waiting: Notify,
    /// which lanes have new work
    pub news: News,
    /// signs what users submit and what we write
    pub signer: Signer,
    settings: RwLock<Settings>,
}

struct Settings {
    schedule: Schedule,
    route: Arc<RouteName>,
    /// why a recipient elsewhere waits before anybody tried
    untried: Arc<str>,
}

impl Queue {
    /// Joins the doors, with the default schedule and no routes.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        events: Arc<dyn Events>,
        plan: Arc<Plan>,
    ) -> Arc<Self> {
        let settings = Settings {
            schedule: Schedule::default(),
            route: Arc::new(|_, _| None),
            untried: FIRST_TRY.into(),
        };
        Arc::new(Self {
            store,
            clock,
            events,
            plan,
            waiting: Notify::new(),
            news: News::default(),
            signer: Signer::default(),
            settings: RwLock::new(settings),
        })
    }

    /// The times in force.
    pub fn schedule(&self) -> Schedule {
        self.settings.read().schedule
    }

    /// Other times, from now on. Deadlines of messages that are in the queue are decided anew when they pass.
    pub fn set_schedule(&self, schedule: Schedule) {
        self.settings.write().schedule = schedule;
    }

    /// Other routes, from now on. They only name lanes of new recipients; where mail goes is decided when it goes.
    pub fn set_routes(&self, route: Arc<RouteName>) {
        self.settings.write().route = route;
    }

    /// What recipients elsewhere are said to wait for before anybody tried, from now on.
    pub fn set_untried(&self, reason: &str) {
        self.settings.write().untried = reason.into();
    }

    pub(crate) fn untried(&self) -> Arc<str> {
        self.settings.read().untried.clone()
    }

    /// The destination's part of a lane's name.
    pub fn destination(&self, to: &Mailbox, from: &Path) -> String {
        let route = self.settings.read().route.clone();
        route(to, from).unwrap_or_else(|| lanes::domain_of(to))
    }

    /// As [`Queue::tell`], at an operator's wish: a destination that is left alone for a while is tried all the same.
    pub fn tell_urgent(&self, lane: &str, due: UnixMs) {
        if lane == lanes::LOCAL {
            self.waiting.notify_one();
        } else {
            self.news.tell_urgent(lane, due);
        }
    }

    /// Somebody waits in a lane, due at `due`: whoever works there is told.
    pub fn tell(&self, lane: &str, due: UnixMs) {
        if lane == lanes::LOCAL {
            self.waiting.notify_one();
        } else {
            self.news.tell(lane, due);
        }
    }
}
