//! Every story in `stories/`, played against the real program.
//!
//! `HEARTHPOST_STORY=word` plays only those whose name has the word.

use std::path::Path;

use testkit::story;

#[test]
fn the_stories_come_out_as_they_are_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stories");
    let filter = std::env::var("HEARTHPOST_STORY").unwrap_or_default();
    let binary = Path::new(env!("CARGO_BIN_EXE_hearthpost"));
    let outcomes = story::play_all(&dir, binary, &filter).expect("the stories can be read");
    assert!(!outcomes.is_empty(), "no story has a name with {filter:?}");
    let mut failures = String::new();
    for outcome in &outcomes {
        match &outcome.result {
            Ok(()) => println!("story {} ... ok", outcome.name),
            Err(report) => failures.push_str(&format!("story {} ... FAILED\n{report}\n", outcome.name)),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn a_story_that_expects_something_else_fails_at_its_line() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wrong = [
        (
            "reply",
            "dialogue a on smtp:\n  S: 220\n  C: NOOP\n  S: 999\n",
            ":4: the server said something else",
        ),
        (
            "count",
            "mailbox alice INBOX contains 0 messages\n",
            ":1: alice's INBOX should contain 0 messages and contains 1",
        ),
        (
            "never",
            "dialogue a on imap:\n  C: a NOOP\n  not: a OK\n  S*: a\n",
            ":4: the server said something else",
        ),
    ];
    for (name, text, _) in &wrong {
        std::fs::write(dir.path().join(format!("{name}.story")), text).expect("it can be written");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_hearthpost"));
    let outcomes = story::play_all(dir.path(), binary, "").expect("the stories can be read");
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        let (_, _, expected) = wrong
            .iter()
            .find(|(name, ..)| *name == outcome.name)
            .expect("one of these");
        let report = outcome.result.expect_err("a wrong story fails");
        assert!(report.contains(expected), "{report}");
    }
}
