//! Fuzzing on the stable toolchain: every parser of outside bytes, a kept corpus, seeded mutations.
//!
//! The journey: [`TARGETS`] names the entry points of the crates' `fuzzing` modules; the program `fuzz` takes an input of the
//! corpus (`corpus/TARGET/`), changes it with [`mutate::Mutator`], writes it to a file, and feeds it to the target. A panic,
//! a stack overflow, more than [`INPUT_LIMIT`] of time or [`MEMORY_LIMIT_KIB`] of memory ends the process; the file then
//! holds the input. What was found is fixed and the input is kept in the corpus under a name that says what it was;
//! `tests/replay.rs` feeds the whole corpus to its targets in every test run.
//!
//! Absences: no coverage feedback (it needs an unstable compiler); the corpus is shaped like the real thing instead.

use std::time::Duration;

pub mod mutate;

/// Longest time one input may take. The parsers' budgets make it a hundredth of that.
pub const INPUT_LIMIT: Duration = Duration::from_secs(5);
/// Largest input that mutation makes, in octets.
pub const INPUT_LIMIT_BYTES: usize = 64 << 10;
/// Most memory one input may add, in KiB.
pub const MEMORY_LIMIT_KIB: u64 = 256 << 10;

/// A parser's entry: it must return, whatever the bytes.
pub type Entry = fn(&[u8]);

/// Every target: the name of its corpus, and its entry.
pub const TARGETS: &[(&str, Entry)] = &[
    ("access-search", access::fuzzing::fuzz_search),
    ("config", config::fuzzing::fuzz_config),
    ("dane", world_real::fuzzing::fuzz_dane),
    ("directory-sasl", directory::fuzzing::fuzz_sasl),
    ("directory-scram", directory::fuzzing::fuzz_scram),
    ("directory-srs", directory::fuzzing::fuzz_srs),
    ("directory-verifier", directory::fuzzing::fuzz_verifier),
    ("dns-reply", world_real::fuzzing::fuzz_dns_reply),
    ("imap-filter", imap::fuzzing::fuzz_filter),
    ("imap-names", imap::fuzzing::fuzz_names),
    ("imap-sections", imap::fuzzing::fuzz_sections),
    ("imap-session", imap::fuzzing::fuzz_session),
    ("imap-url", imap::fuzzing::fuzz_url),
    ("index-columns", index::fuzzing::fuzz_columns),
    ("mail-address", mail::fuzzing::fuzz_address),
    ("mail-date", mail::fuzzing::fuzz_date),
    ("mail-decode", mail::fuzzing::fuzz_decode),
    ("mail-downgrade", mail::fuzzing::fuzz_downgrade),
    ("mail-envelope", mail::fuzzing::fuzz_envelope),
    ("mail-header", mail::fuzzing::fuzz_header),
    ("mail-mime", mail::fuzzing::fuzz_mime),
    ("mail-preview", mail::fuzzing::fuzz_preview),
    ("mail-threads", mail::fuzzing::fuzz_threads),
    ("mail-values", mail::fuzzing::fuzz_values),
    ("mailbox-name", mailbox::fuzzing::fuzz_mailbox_name),
    ("msgauth-answers", msgauth::fuzzing::fuzz_answers),
    ("msgauth-message", msgauth::fuzzing::fuzz_message),
    ("msgauth-spf", msgauth::fuzzing::fuzz_spf),
    ("msgauth-sts-answer", msgauth::fuzzing::fuzz_sts_answer),
    ("msgauth-sts-policy", msgauth::fuzzing::fuzz_sts_policy),
    ("msgauth-sts-record", msgauth::fuzzing::fuzz_sts_record),
    ("msgauth-suffixes", msgauth::fuzzing::fuzz_suffixes),
    ("msgauth-tags", msgauth::fuzzing::fuzz_tags),
    ("msgauth-tlsa", msgauth::fuzzing::fuzz_tlsa),
    ("msgauth-tlsrpt-record", msgauth::fuzzing::fuzz_tlsrpt_record),
    ("pop3-command", pop3::fuzzing::fuzz_command),
    ("pop3-lines", pop3::fuzzing::fuzz_lines),
    ("receive-content", receive::fuzzing::fuzz_content),
    ("smtp-client-reply", smtp::fuzzing::fuzz_client_reply),
    ("smtp-client-session", smtp::fuzzing::fuzz_client_session),
    ("smtp-command", smtp::fuzzing::fuzz_command),
    ("smtp-data", smtp::fuzzing::fuzz_data),
    // It also returns the replies, for a test of its own crate.
    ("smtp-session", |bytes| drop(smtp::fuzzing::fuzz_session(bytes))),
    ("world-lines", world::fuzzing::fuzz_lines),
];

/// The entry of a target.
pub fn entry(name: &str) -> Option<Entry> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, entry)| *entry)
}
