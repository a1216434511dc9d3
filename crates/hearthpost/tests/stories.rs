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
