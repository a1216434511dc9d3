//! Faults planted on purpose, so that `cargo xtask imap-stress --plants` and `cargo xtask crash --plants` can show that they would
//! notice them. Without the feature `planted-faults` every function here is a constant `false`.

#[cfg(feature = "planted-faults")]
fn planted(name: &str) -> bool {
    std::env::var_os("HEARTHPOST_PLANT").is_some_and(|value| value == name)
}

#[cfg(not(feature = "planted-faults"))]
const fn planted(_name: &str) -> bool {
    false
}

/// Tells expunges where sequence numbers must stay.
pub(crate) fn early_expunge() -> bool {
    planted("early-expunge")
}

/// Forgets to tell that a message went.
pub(crate) fn lost_expunge(uid: u32) -> bool {
    uid.is_multiple_of(8) && planted("lost-expunge")
}

/// Forgets to tell that flags changed.
pub(crate) fn lost_flags(uid: u32) -> bool {
    uid.is_multiple_of(8) && planted("lost-flags")
}

/// Forgets, to one who comes back, that messages went.
pub(crate) fn lost_vanished() -> bool {
    planted("lost-vanished")
}

/// Replaces a message in two commits instead of one.
pub(crate) fn split_replace() -> bool {
    planted("split-replace")
}
