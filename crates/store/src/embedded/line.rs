//! The queue in front of the writer, and who has the writer's turn.
//!
//! Usually the writer's own thread has it: it takes what queued up while the last sync ran. An urgent batch that comes alone and
//! finds nobody at work is handed back to its task with the turn ([`Queued::Here`]): a lone sender then waits for the sync and for
//! no change of threads. Whoever has the turn is alone; it ends with [`CommitLine::next`] or the drop of [`Turn`].
//!
//! | who came last | the last sync was | [`Manner`] of the turn |
//! |---|---|---|
//! | somebody else, or with company | – | [`Manner::HandedOver`]: the runtime gives this thread's other tasks to another one |
//! | the same task, alone | slow | [`Manner::HandedOver`] |
//! | the same task, alone | quick | [`Manner::Plain`]: this worker of the runtime just waits for the disk |
//!
//! A plain turn costs no change of threads at all, but nobody looks at the runtime's sockets and timers while the other workers
//! sleep. So the writer's thread, which has nothing else to do then, looks every [`WATCH_MS`] whether a plain turn got stuck, and
//! wakes a sleeping worker ([`CommitLine::rest`]).

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task;

use crate::contract::{Batch, Receipt, Result, StoreError, Urgency};
use crate::durable::Durable;
use crate::embedded::apply::inline_bytes;
use crate::embedded::writer::Writer;
use crate::limits::{GROUP_BATCHES, GROUP_BYTES, LAZY_MS, QUEUE_BATCHES, QUEUE_BYTES, WATCH_MS};

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
pub(crate) struct Turn<'a> {
    line: &'a CommitLine,
    quick: bool,
}

impl<'a> Turn<'a> {
    /// Begins the turn that [`Queued::Here`] gave.
    pub fn begin(line: &'a CommitLine) -> Self {
        WRITING.set(true);
        Self { line, quick: false }
    }

    /// Ends it, and says whether the disk was quick enough for the next one to be plain.
    pub fn end(mut self, quick: bool) {
        self.quick = quick;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        WRITING.set(false);
        if std::thread::panicking() {
            self.line.abandon();
        }
        self.line.leave(self.quick);
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
    /// The task that committed the last group by itself.
    lone: Option<task::Id>,
    /// Its sync was quick.
    quick: bool,
    /// The runtime of the task that has a plain turn at this moment.
    plain: Option<Handle>,
    /// Plain turns so far.
    plain_turns: u64,
    /// The writer's thread looks after plain turns.
    watched: bool,
    closing: bool,
}

/// Who asks to commit, and what its thread may do.
#[derive(Clone)]
pub(crate) struct Committer {
    /// a runtime that can hand over a worker's tasks
    runtime: Handle,
    task: Option<task::Id>,
}

impl Committer {
    /// The task that runs on this thread, if blocking here is allowed.
    pub fn here() -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        let may_block = runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
        let task = task::try_id();
        may_block.then_some(Self { runtime, task })
    }
}

/// How a task's thread waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With its other tasks handed over to another thread.
    HandedOver,
    /// As it is.
    Plain,
}

/// The answer to a queued batch.
pub(crate) type Answer = oneshot::Receiver<Result<Durable<Receipt>>>;

/// A batch that was queued, and what its task does with it.
pub(crate) enum Queued {
    /// The writer's thread answers.
    Wait(Answer),
    /// The writer is idle and nobody else waits: commit this group here, under a [`Turn`].
    Here(Vec<Job>, Answer, Manner),
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

    /// Queues a batch. The answer comes after the sync. With a `committer` an urgent batch that finds the writer idle is
    /// handed back with the turn.
    pub fn enter(&self, batch: Batch, committer: Option<&Committer>) -> Result<Queued> {
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
            if let Some(committer) = committer
                && urgent
                && state.is_idle_for_one()
            {
                state.busy = true;
                let manner = state.manner(committer);
                if manner == Manner::Plain && !state.watched {
                    state.watched = true;
                    self.wake.notify_one();
                }
                return Ok(Queued::Here(state.take_group(), answer, manner));
            }
        }
        self.wake.notify_one();
        Ok(Queued::Wait(answer))
    }

    /// Nobody has the writer and nothing waits for it.
    #[cfg(test)]
    pub fn is_at_rest(&self) -> bool {
        let state = self.state.lock();
        !state.busy && state.jobs.is_empty() && state.chores.is_empty()
    }

    /// Gives the turn back that [`Queued::Here`] came with.
    fn leave(&self, quick: bool) {
        let mut state = self.state.lock();
        state.busy = false;
        state.quick = quick;
        state.plain = None;
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
                self.rest(&mut state);
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
                state.lone = None;
                return Next::Group(state.take_group());
            }
            if state.closing {
                return Next::End;
            }
            self.rest(&mut state);
        }
    }

    /// The writer's thread sleeps until there may be work. While tasks have plain turns it looks after them: a turn that lasts
    /// from one look to the next is stuck, and an empty task wakes a worker, which then attends to sockets and timers.
    fn rest(&self, state: &mut MutexGuard<'_, State>) {
        if !state.watched {
            return self.wake.wait(state);
        }
        let turns = state.plain_turns;
        let waited = self.wake.wait_for(state, Duration::from_millis(WATCH_MS));
        if !waited.timed_out() || state.plain_turns != turns {
            return;
        }
        match &state.plain {
            Some(runtime) => drop(runtime.spawn(async {})),
            None => state.watched = false,
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
    /// How the next turn of this task is taken; remembers it.
    fn manner(&mut self, committer: &Committer) -> Manner {
        let same = self.lone.is_some() && self.lone == committer.task;
        self.lone = committer.task;
        // With one worker only, nobody else could attend to anything.
        if !(same && self.quick) || committer.runtime.metrics().num_workers() < 2 {
            return Manner::HandedOver;
        }
        self.plain = Some(committer.runtime.clone());
        self.plain_turns += 1;
        Manner::Plain
    }

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

    /// A runtime, and two of its tasks.
    fn two_tasks(workers: usize) -> (tokio::runtime::Runtime, [Committer; 2]) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a runtime");
        let committers = [(), ()].map(|()| Committer {
            runtime: runtime.handle().clone(),
            task: Some(runtime.spawn(async {}).id()),
        });
        (runtime, committers)
    }

    /// A line whose last group had no company.
    fn calm() -> CommitLine {
        let line = CommitLine::new();
        assert!(matches!(
            line.enter(batch(Urgency::Urgent), None),
            Ok(Queued::Wait(_))
        ));
        assert!(matches!(line.next(), Next::Group(jobs) if jobs.len() == 1));
        line.leave(true);
        line
    }

    /// How the turn is taken, if it is.
    fn manner(line: &CommitLine, urgency: Urgency, committer: Option<&Committer>) -> Option<Manner> {
        match line.enter(batch(urgency), committer) {
            Ok(Queued::Here(_, _, manner)) => Some(manner),
            _ => None,
        }
    }

    #[test]
    fn only_a_lone_urgent_batch_gets_the_turn() {
        let (_runtime, [one, _]) = two_tasks(2);
        let is_here = |line: &CommitLine, urgency, committer| {
            manner(line, urgency, committer) == Some(Manner::HandedOver)
        };
        assert!(is_here(&calm(), Urgency::Urgent, Some(&one)));
        assert!(
            !is_here(&calm(), Urgency::Lazy, Some(&one)),
            "nobody waits for it"
        );
        assert!(!is_here(&calm(), Urgency::Urgent, None), "it must not block");
        assert!(
            !is_here(&CommitLine::new(), Urgency::Urgent, Some(&one)),
            "nothing is known of the load"
        );
        let line = calm();
        assert!(!is_here(&line, Urgency::Urgent, None));
        assert!(
            !is_here(&line, Urgency::Urgent, Some(&one)),
            "somebody else waits"
        );
    }

    #[test]
    fn a_worker_blocks_as_it_is_only_for_a_task_that_comes_again_to_a_quick_disk() {
        let (_runtime, [one, two]) = two_tasks(2);
        let (_small, [lone, _]) = two_tasks(1);
        let nobody = Committer {
            task: None,
            ..one.clone()
        };
        // First and second committer, whether the first sync was quick, how the second turn is taken.
        let table = [
            (&one, &one, true, Manner::Plain),
            (&one, &one, false, Manner::HandedOver),
            (&one, &two, true, Manner::HandedOver),
            (&nobody, &nobody, true, Manner::HandedOver),
            (&lone, &lone, true, Manner::HandedOver),
        ];
        for (first, second, quick, wanted) in table {
            let line = calm();
            assert_eq!(
                manner(&line, Urgency::Urgent, Some(first)),
                Some(Manner::HandedOver)
            );
            line.leave(quick);
            assert_eq!(manner(&line, Urgency::Urgent, Some(second)), Some(wanted));
        }
        let line = calm();
        assert!(manner(&line, Urgency::Urgent, Some(&one)).is_some());
        line.leave(true);
        assert!(manner(&line, Urgency::Urgent, None).is_none());
        assert!(matches!(line.next(), Next::Group(_)));
        line.leave(true);
        let after_the_thread = manner(&line, Urgency::Urgent, Some(&one));
        assert_eq!(
            after_the_thread,
            Some(Manner::HandedOver),
            "somebody else came between"
        );
    }

    /// One of two workers blocks in a plain turn; the other one sleeps and must be woken to attend to a timer.
    #[test]
    fn a_plain_turn_that_gets_stuck_does_not_keep_the_runtime_from_its_timers() {
        let (runtime, [one, _]) = two_tasks(2);
        let line = std::sync::Arc::new(calm());
        assert!(manner(&line, Urgency::Urgent, Some(&one)).is_some());
        line.leave(true);
        let watcher = {
            let line = std::sync::Arc::clone(&line);
            std::thread::spawn(move || matches!(line.next(), Next::End))
        };
        let (tell, told) = mpsc::channel();
        let (stuck_line, committer) = (std::sync::Arc::clone(&line), one);
        let stuck = runtime.spawn(async move {
            tokio::spawn(async move {
                tokio::time::timeout(Duration::from_millis(WATCH_MS / 2), std::future::pending::<()>())
                    .await
                    .expect_err("it is pending for ever");
                tell.send(())
            });
            // Once around, so that the other worker registers its timer and goes to sleep.
            tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>())
                .await
                .expect_err("it is pending for ever");
            assert_eq!(
                manner(&stuck_line, Urgency::Urgent, Some(&committer)),
                Some(Manner::Plain)
            );
            let fired = told.recv_timeout(Duration::from_secs(20));
            stuck_line.leave(true);
            fired.is_ok()
        });
        assert!(
            runtime.block_on(stuck).expect("the task ends"),
            "the timer never fired"
        );
        line.close();
        assert!(watcher.join().expect("the watcher ends"));
    }

    #[test]
    fn the_turn_is_one_at_a_time_and_what_came_meanwhile_is_next() {
        let (_runtime, [one, _]) = two_tasks(2);
        let line = calm();
        assert!(manner(&line, Urgency::Urgent, Some(&one)).is_some());
        {
            let _turn = Turn::begin(&line);
            assert!(is_writing_here());
            assert!(
                manner(&line, Urgency::Urgent, Some(&one)).is_none(),
                "the turn is taken"
            );
        }
        assert!(!is_writing_here());
        assert!(matches!(line.next(), Next::Group(jobs) if jobs.len() == 1));
    }

    #[test]
    fn a_panic_in_a_turn_ends_the_line() {
        let (_runtime, [one, _]) = two_tasks(2);
        let line = calm();
        assert!(manner(&line, Urgency::Urgent, Some(&one)).is_some());
        let panicked = std::thread::scope(|scope| {
            let turn = scope.spawn(|| {
                let _turn = Turn::begin(&line);
                panic!("an invariant is broken");
            });
            turn.join().is_err()
        });
        assert!(panicked);
        assert!(matches!(
            line.enter(batch(Urgency::Urgent), Some(&one)),
            Err(StoreError::Busy)
        ));
        assert!(matches!(line.next(), Next::End));
    }
}
