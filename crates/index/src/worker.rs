//! The one thread that indexes: nicer than the rest of the process, so that it takes what nobody else needs. A job that
//! panics ends alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::limits::NICE;

type Job = Box<dyn FnOnce() + Send>;

/// The thread's other end; it ends when this is dropped.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, taken) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || {
                // Where the system forbids even that, it works like everybody else.
                let _ = rustix::process::nice(NICE);
                while let Ok(job) = taken.recv() {
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })?;
        Ok(Self { jobs })
    }

    /// Begins a job for which nobody waits.
    pub(crate) fn begin(&self, job: impl FnOnce() + Send + 'static) {
        // The thread ends no sooner than this end.
        let _ = self.jobs.send(Box::new(job));
    }

    /// Waits for a job; `None` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Who asked may be gone.
            let _ = reply.send(job());
        });
        self.jobs.send(job).ok()?;
        answer.await.ok()
    }
}
