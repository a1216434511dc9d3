//! Cases that must not compile, without two builds of every dependency.
//!
//! trybuild has cargo check the dependencies with some flags and the cases with one more (`--diagnostic-width`), so cargo would check
//! everything twice, SQLite and all. Flags of the environment come before both: the test runs itself once more with them.

use std::process::Command;

/// Those of trybuild's cases, as cargo reads them: the expected messages are written with these.
const FLAGS: &str = "--cfg\x1ftrybuild\x1f--verbose\x1f-A\x1fdead_code\x1f--diagnostic-width=140";
/// Where cargo looks for flags first.
const VARIABLE: &str = "CARGO_ENCODED_RUSTFLAGS";

/// Runs `cases` with the flags set, for the test of this name.
///
/// # Panics
/// When the cases do, with all that they said.
pub fn with_flags(test: &str, cases: impl FnOnce()) {
    if std::env::var_os(VARIABLE).is_some() {
        return cases();
    }
    let again = Command::new(std::env::current_exe().expect("a test has a program"))
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, FLAGS)
        .output()
        .expect("a program that runs can run again");
    let (said, told) = (
        String::from_utf8_lossy(&again.stdout),
        String::from_utf8_lossy(&again.stderr),
    );
    assert!(
        again.status.success() && said.contains("test result: ok. 1 passed"),
        "{said}{told}"
    );
}
