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

/// Answers before the sync.
pub(crate) fn early_answer() -> bool {
    planted("early-answer")
}

/// Does not notice replays.
pub(crate) fn no_unique() -> bool {
    planted("no-unique")
}

/// Believes what it reads.
pub(crate) fn no_checksum() -> bool {
    planted("no-checksum")
}
