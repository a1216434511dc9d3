//! What the queue needs to work.

use std::sync::Arc;

use store::contract::Store;
use tokio::sync::Notify;
use world::clock::Clock;
use world::events::Events;

use crate::plan::Plan;

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
    /// woken when a recipient was left waiting
    pub waiting: Notify,
}

impl Queue {
    /// Joins the doors.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        events: Arc<dyn Events>,
        plan: Arc<Plan>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            events,
            plan,
            waiting: Notify::new(),
        })
    }
}
