//! Faults planted on purpose, so that a crash campaign can show that it would notice them. Without the feature
//! `planted-faults` every function here is a constant `false`.

#[cfg(feature = "planted-faults")]
fn planted(name: &str) -> bool {
    std::env::var_os("HEARTHPOST_PLANT").is_some_and(|value| value == name)
}

#[cfg(not(feature = "planted-faults"))]
const fn planted(_name: &str) -> bool {
    false
}

/// Every acceptance of the group once more, when `HEARTHPOST_REPLAY` is set: what a crash between a commit and the news of it
/// can lead to.
#[cfg(feature = "planted-faults")]
pub(crate) fn replays(jobs: &[super::line::Job]) -> Vec<super::line::Job> {
    use crate::contract::{BodyPlace, Op};
    let again =
        |op: &Op| matches!(op, Op::Accept(accept) if matches!(accept.body.place, BodyPlace::Inline(_)));
    if std::env::var_os("HEARTHPOST_REPLAY").is_none() {
        return Vec::new();
    }
    let chosen = jobs.iter().filter(|job| job.batch.ops.iter().all(again));
    chosen.map(super::line::Job::again).collect()
}

/// Nothing is replayed.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn replays(_jobs: &[super::line::Job]) -> Vec<super::line::Job> {
    Vec::new()
}

/// Answers acceptances before the sync, and then takes its time like a slow disk, so that the early answer is early enough
/// to be caught.
#[cfg(feature = "planted-faults")]
pub(crate) fn answer_early(jobs: &mut [super::line::Job]) {
    use crate::contract::{Accepted, Op, OpResult, Receipt};
    use crate::durable::Durable;
    if !planted("early-answer") {
        return;
    }
    for job in jobs {
        let [Op::Accept(accept)] = job.batch.ops.as_slice() else {
            continue;
        };
        let accepted = Accepted {
            queue_id: accept.queue_id,
            placed: Vec::new(),
            waiting: accept.waiting.len() as u32,
        };
        let (unused, _) = tokio::sync::oneshot::channel();
        let reply = std::mem::replace(&mut job.reply, unused);
        let results = vec![OpResult::Accepted(accepted)];
        let _ = reply.send(Ok(Durable::synced(Receipt { results })));
    }
    std::thread::park_timeout(std::time::Duration::from_millis(20));
}

/// Nothing is answered early.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn answer_early(_jobs: &mut [super::line::Job]) {}

/// Does not notice replays.
pub(crate) fn no_unique() -> bool {
    planted("no-unique")
}

/// Believes what it reads.
pub(crate) fn no_checksum() -> bool {
    planted("no-checksum")
}
