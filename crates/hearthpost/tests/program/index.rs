use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::help::{Demo, done, refused, until};

/// Asks until everything is indexed.
fn complete(data: &Path) -> Value {
    let state = || done(data, &["index", "status"]);
    until("everything is indexed", || state()["state"] == "complete");
    state()
}

#[test]
fn the_index_is_told_of_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = demo.dir.clone();
    let state = complete(&data);
    assert!(state["messages"].as_u64() >= Some(1), "{state}");
    assert_eq!(done(&data, &["status"])["index"]["state"], "complete");
    let mode = std::fs::metadata(data.join("index.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(done(&data, &["index", "rebuild"])["running"], true);
    assert_eq!(complete(&data)["messages"], state["messages"]);
    assert_eq!(demo.stop(), Some(0));
    let (code, text) = refused(&data, &["index", "status"]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(done(&data, &["index", "rebuild"])["running"], false);
    assert!(!data.join("index.db").exists());
    let again = Demo::start(&data, &[]);
    assert_eq!(complete(&data)["messages"], state["messages"]);
    assert_eq!(again.stop(), Some(0));
}
