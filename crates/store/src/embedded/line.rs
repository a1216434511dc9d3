//! The queue in front of the writer, and who has the writer's turn.
//!
//! Usually the writer's own thread has it: it takes what queued up while the last sync ran. An urgent batch that comes alone and
//! finds nobody at work is handed back to its task with the turn ([`Queued::Here`]): a lone sender then waits for the sync and for
//! no change of threads. Whoever has the turn is alone; it ends with [`CommitLine::next`] or the drop of [`Turn`].

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

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

thread_local! {
    /// Whether this thread has the turn of some store.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is committing to a store at this moment: a panic here means that an invariant of the data is broken.
pub fn is_writing_here() -> bool {
    WRITING.get()
}

/// The writer's turn, taken by a task. A panic in it abandons the line, as the end of the writer's thread would.
pub(crate) struct Turn<'a>(&'a CommitLine);

impl<'a> Turn<'a> {
    /// Begins the turn that [`Queued::Here`] gave.
    pub fn begin(line: &'a CommitLine) -> Self {
        WRITING.set(true);
        Self(line)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        WRITING.set(false);
        if std::thread::panicking() {
            self.0.abandon();
        }
        self.0.leave();
    }
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
    /// Somebody has the writer: its own thread, or a task that found it idle.
    busy: bool,
    /// The last group had no company: whoever comes next may as well do it himself.
    calm: bool,
    closing: bool,
}

/// A batch that was queued, and what its task does with it.
pub(crate) enum Queued {
    /// The writer's thread answers.
    Wait(oneshot::Receiver<Result<Durable<Receipt>>>),
    /// The writer is idle and nobody else waits: commit this group here, under a [`Turn`].
    Here(Vec<Job>, oneshot::Receiver<Result<Durable<Receipt>>>),
}

impl State {
    /// Nobody has the writer, and nothing waits but the one batch that was just queued.
    fn is_idle_for_one(&self) -> bool {
        self.calm && !self.busy && self.jobs.len() == 1 && self.chores.is_empty()
    }

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

    /// Queues a batch. The answer comes after the sync. With `may_commit_here` an urgent batch that finds the writer idle is
    /// handed back with the turn.
    pub fn enter(&self, batch: Batch, may_commit_here: bool) -> Result<Queued> {
        let bytes = inline_bytes(&batch);
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.state.lock();
            let crowded = state.jobs.len() >= QUEUE_BATCHES || state.bytes + bytes > QUEUE_BYTES;
            if crowded || state.closing {
                return Err(StoreError::Busy);
            }
            let urgent = batch.urgency == Urgency::Urgent;
            state.bytes += bytes;
            state.urgent += usize::from(urgent);
            state.jobs.push_back(Job { batch, reply, bytes });
            if may_commit_here && urgent && state.is_idle_for_one() {
                state.busy = true;
                return Ok(Queued::Here(state.take_group(), answer));
            }
        }
        self.wake.notify_one();
        Ok(Queued::Wait(answer))
    }

    /// Gives the turn back that [`Queued::Here`] came with.
    fn leave(&self) {
        let mut state = self.state.lock();
        state.busy = false;
        if !state.jobs.is_empty() || !state.chores.is_empty() || state.closing {
            drop(state);
            self.wake.notify_one();
        }
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
        state.busy = false;
        loop {
            if state.busy {
                self.wake.wait(&mut state);
                continue;
            }
            if !state.jobs.is_empty() && !state.must_start() {
                let patience = Duration::from_millis(LAZY_MS);
                self.wake
                    .wait_while_for(&mut state, |state| !state.must_start(), patience);
                if state.busy {
                    continue;
                }
            }
            let chore_turn = state.jobs.is_empty() || !state.chore_was_last;
            if chore_turn && let Some(chore) = state.chores.pop_front() {
                state.chore_was_last = true;
                state.busy = true;
                return Next::Chore(chore);
            }
            state.chore_was_last = false;
            if !state.jobs.is_empty() {
                state.busy = true;
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
        self.calm = group.len() == 1;
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Op;

    fn batch(urgency: Urgency) -> Batch {
        let op = Op::RemoveAlias {
            key: "a@example.test".to_owned(),
        };
        Batch {
            urgency,
            ops: vec![op],
        }
    }

    /// A line whose last group had no company.
    fn calm() -> CommitLine {
        let line = CommitLine::new();
        assert!(matches!(
            line.enter(batch(Urgency::Urgent), false),
            Ok(Queued::Wait(_))
        ));
        assert!(matches!(line.next(), Next::Group(jobs) if jobs.len() == 1));
        line.leave();
        line
    }

    fn is_here(line: &CommitLine, urgency: Urgency, may: bool) -> bool {
        matches!(line.enter(batch(urgency), may), Ok(Queued::Here(..)))
    }

    #[test]
    fn only_a_lone_urgent_batch_gets_the_turn() {
        assert!(is_here(&calm(), Urgency::Urgent, true));
        assert!(!is_here(&calm(), Urgency::Lazy, true), "nobody waits for it");
        assert!(!is_here(&calm(), Urgency::Urgent, false), "it must not block");
        assert!(
            !is_here(&CommitLine::new(), Urgency::Urgent, true),
            "nothing is known of the load"
        );
        let line = calm();
        assert!(!is_here(&line, Urgency::Urgent, false));
        assert!(!is_here(&line, Urgency::Urgent, true), "somebody else waits");
    }

    #[test]
    fn the_turn_is_one_at_a_time_and_what_came_meanwhile_is_next() {
        let line = calm();
        assert!(is_here(&line, Urgency::Urgent, true));
        {
            let _turn = Turn::begin(&line);
            assert!(is_writing_here());
            assert!(!is_here(&line, Urgency::Urgent, true), "the turn is taken");
        }
        assert!(!is_writing_here());
        assert!(matches!(line.next(), Next::Group(jobs) if jobs.len() == 1));
    }

    #[test]
    fn a_panic_in_a_turn_ends_the_line() {
        let line = calm();
        assert!(is_here(&line, Urgency::Urgent, true));
        let panicked = std::thread::scope(|scope| {
            let turn = scope.spawn(|| {
                let _turn = Turn::begin(&line);
                panic!("an invariant is broken");
            });
            turn.join().is_err()
        });
        assert!(panicked);
        assert!(matches!(
            line.enter(batch(Urgency::Urgent), true),
            Err(StoreError::Busy)
        ));
        assert!(matches!(line.next(), Next::End));
    }
}
