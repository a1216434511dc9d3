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

/// Answers before the sync.
pub(crate) fn early_answer() -> bool {
    planted("early-answer")
}

/// A slow disk, so that the planted early answer is early enough to be caught.
pub(crate) fn pause() {
    std::thread::park_timeout(std::time::Duration::from_millis(20));
}

/// Does not notice replays.
pub(crate) fn no_unique() -> bool {
    planted("no-unique")
}

/// Believes what it reads.
pub(crate) fn no_checksum() -> bool {
    planted("no-checksum")
}
