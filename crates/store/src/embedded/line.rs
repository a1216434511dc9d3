//! The queue in front of the writer.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use world::clock::BoxFuture;

use crate::contract::{Batch, Receipt, Result, StoreError, Urgency};
use crate::durable::Durable;
use crate::embedded::apply::inline_bytes;
use crate::embedded::writer::Writer;
use crate::limits::{GROUP_BATCHES, GROUP_BYTES, LAZY_MS, QUEUE_BATCHES, QUEUE_BYTES};

/// A batch and who waits for it.
pub(crate) struct Job {
    pub batch: Batch,
    pub reply: oneshot::Sender<Result<Durable<Receipt>>>,
    bytes: usize,
}

#[cfg(feature = "planted-faults")]
impl Job {
    /// The same batch once more, with nobody waiting.
    pub fn again(&self) -> Self {
        Self {
            batch: self.batch.clone(),
            reply: oneshot::channel().0,
            bytes: 0,
        }
    }
}

type Chore = Box<dyn FnOnce(&mut Writer) + Send>;

/// What the writer is to do next.
pub(crate) enum Next {
    /// Commit these together.
    Group(Vec<Job>),
    /// A step of upkeep.
    Chore(Chore),
    /// Nothing more will come.
    End,
}

/// The queue.
pub(crate) struct CommitLine {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    urgent: usize,
    chores: VecDeque<Chore>,
    chore_was_last: bool,
    closing: bool,
}

impl State {
    fn must_start(&self) -> bool {
        self.urgent > 0 || self.closing || !self.chores.is_empty() || self.jobs.len() >= GROUP_BATCHES
    }
}

impl CommitLine {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
        }
    }

    /// Queues a batch. The answer comes after the sync.
    pub fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Durable<Receipt>>> {
        let bytes = inline_bytes(&batch);
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.state.lock();
            let crowded = state.jobs.len() >= QUEUE_BATCHES || state.bytes + bytes > QUEUE_BYTES;
            if crowded || state.closing {
                return Box::pin(std::future::ready(Err(StoreError::Busy)));
            }
            state.bytes += bytes;
            state.urgent += usize::from(batch.urgency == Urgency::Urgent);
            state.jobs.push_back(Job { batch, reply, bytes });
        }
        self.wake.notify_one();
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(StoreError::Fatal("the store is closed".to_owned())))
        })
    }

    /// Runs a step of upkeep on the writer's thread and waits for it. Never call it from an async task.
    pub fn run<T: Send + 'static>(&self, step: impl FnOnce(&mut Writer) -> T + Send + 'static) -> Result<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        let chore: Chore = Box::new(move |writer| {
            // The asker waits below, so this cannot fail.
            let _ = reply.send(step(writer));
        });
        {
            let mut state = self.state.lock();
            if state.closing {
                return Err(StoreError::Busy);
            }
            state.chores.push_back(chore);
        }
        self.wake.notify_one();
        answer.recv().map_err(|_| StoreError::Busy)
    }

    /// Waits for work. Lazy work waits at most 5 ms for company; upkeep and commits take turns.
    pub fn next(&self) -> Next {
        let mut state = self.state.lock();
        loop {
            if !state.jobs.is_empty() && !state.must_start() {
                let patience = Duration::from_millis(LAZY_MS);
                self.wake
                    .wait_while_for(&mut state, |state| !state.must_start(), patience);
            }
            let chore_turn = state.jobs.is_empty() || !state.chore_was_last;
            if chore_turn && let Some(chore) = state.chores.pop_front() {
                state.chore_was_last = true;
                return Next::Chore(chore);
            }
            state.chore_was_last = false;
            if !state.jobs.is_empty() {
                return Next::Group(state.take_group());
            }
            if state.closing {
                return Next::End;
            }
            self.wake.wait(&mut state);
        }
    }

    /// The writer is gone: nobody may wait for it for ever.
    pub fn abandon(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.jobs.clear();
        state.chores.clear();
    }

    /// No new work; what waits is still done.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_all();
    }
}

impl State {
    fn take_group(&mut self) -> Vec<Job> {
        let mut group = Vec::with_capacity(self.jobs.len().min(GROUP_BATCHES));
        let mut bytes = 0;
        while group.len() < GROUP_BATCHES {
            let Some(job) = self.jobs.front() else { break };
            if !group.is_empty() && bytes + job.bytes > GROUP_BYTES {
                break;
            }
            bytes += job.bytes;
            self.bytes -= job.bytes;
            self.urgent -= usize::from(job.batch.urgency == Urgency::Urgent);
            group.extend(self.jobs.pop_front());
        }
        group
    }
}
