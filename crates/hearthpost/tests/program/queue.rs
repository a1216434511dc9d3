//! The queue from the command line: who waits, why, and what an operator does about it.

use std::path::Path;

use serde_json::Value;
use testkit::talk::Talk;

use crate::help::{Demo, counted, done, program, refused};

/// What a command says to people.
fn said(data: &Path, args: &[&str]) -> String {
    let output = program().args(args).arg("--data").arg(data).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Alice and Bob send to other servers; the demo has no road to them.
fn leave_waiting(demo: &Demo) {
    for (user, to) in [
        ("alice", &["a@there.test", "b@there.test", "c@else.test"][..]),
        ("bob", &["d@there.test"][..]),
    ] {
        let mut talk = Talk::connect(demo.port("submission"));
        talk.reply();
        talk.ask("EHLO client.test");
        let plain = format!("\0{user}@example.test\0{}", demo.password(user));
        let plain = crate::cli::base64(plain.as_bytes());
        assert!(talk.ask(&format!("AUTH PLAIN {plain}")).starts_with("235 "));
        assert!(
            talk.ask(&format!("MAIL FROM:<{user}@example.test>"))
                .starts_with("250 ")
        );
        for to in to {
            assert!(talk.ask(&format!("RCPT TO:<{to}>")).starts_with("250 "));
        }
        assert!(talk.ask("DATA").starts_with("354 "));
        let text = format!("From: {user}@example.test\r\nSubject: far\r\n\r\nHello.\r\n.");
        assert!(talk.ask(&text).starts_with("250 "));
    }
}

fn rows(value: &Value) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = value.as_array().unwrap();
    rows.iter()
        .map(|row| (text(row, "to"), text(row, "state")))
        .collect()
}

fn row(to: &str, state: &str) -> (String, String) {
    (to.to_owned(), state.to_owned())
}

#[test]
fn the_queue_is_listed_searched_and_changed_with_a_count_first() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    leave_waiting(&demo);
    let data = &demo.dir;
    assert_eq!(rows(&done(data, &["queue", "list"])).len(), 4);
    let there = done(
        data,
        &[
            "queue",
            "list",
            "--domain",
            "there.test",
            "--from",
            "alice@example.test",
        ],
    );
    assert_eq!(
        rows(&there),
        [row("a@there.test", "waiting"), row("b@there.test", "waiting")]
    );
    assert_eq!(there[0]["account"], "alice@example.test");
    assert_eq!(
        rows(&done(data, &["queue", "list", "--account", "bob@example.test"])).len(),
        1
    );
    assert_eq!(
        rows(&done(data, &["queue", "search", "ELSE"])),
        [row("c@else.test", "waiting")]
    );
    assert!(rows(&done(data, &["queue", "list", "--older-than", "1 h"])).is_empty());

    let meant = counted(data, &["queue", "hold", "--from", "alice@example.test"]);
    assert_eq!(
        (meant["matched"].as_u64(), meant["changed"].as_u64()),
        (Some(3), Some(0))
    );
    assert_eq!(rows(&meant["sample"]).len(), 3);
    let (code, text) = refused(data, &["queue", "hold", "--from", "alice@example.test"]);
    assert_eq!(
        (code, text.as_str()),
        (
            1,
            "hearthpost: nothing was changed yet. To hold them, say the same with --yes.\n"
        )
    );
    let nobody = ["queue", "hold", "--from", "nobody@example.test"];
    assert_eq!(
        done(data, &nobody)["matched"],
        0,
        "there is nothing that is not done"
    );
    assert!(rows(&done(data, &["queue", "list", "--held"])).is_empty());

    let held = done(data, &["queue", "hold", "--from", "alice@example.test", "--yes"]);
    assert_eq!(held["changed"], 3);
    assert_eq!(rows(&done(data, &["queue", "list", "--held"])).len(), 3);
    assert!(said(data, &["queue", "list", "--held"]).contains(" held "));
    let text = said(data, &["queue", "release", "--to", "c@else.test", "--yes"]);
    assert_eq!(text, "1 recipient: released and tried now.\n");
    let text = said(data, &["queue", "purge", "--domain", "there.test", "--yes"]);
    assert_eq!(text, "3 recipients: removed; nobody is told.\n");
    assert_eq!(
        rows(&done(data, &["queue", "list"])),
        [row("c@else.test", "waiting")]
    );
    let nobody = said(data, &["queue", "purge", "--domain", "there.test", "--yes"]);
    assert_eq!(
        nobody,
        "Nobody who waits is meant by that; nothing was changed.\n"
    );
    assert_eq!(done(data, &["queue", "retry", "--all", "--yes"])["changed"], 1);
    assert_eq!(done(data, &["status"])["running"], true);
}

#[test]
fn a_message_is_shown_and_traced_with_what_was_done_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    leave_waiting(&demo);
    let data = demo.dir.clone();
    let waiting = done(&data, &["queue", "list", "--from", "bob@example.test"]);
    let id = waiting[0]["queue_id"].as_str().unwrap().to_owned();
    let shown = done(&data, &["queue", "show", &id]);
    assert_eq!(shown["message"]["from"], "bob@example.test");
    assert_eq!(shown["message"]["params"]["origin"], "submitted");
    assert_eq!(rows(&shown["recipients"]), [row("d@there.test", "waiting")]);
    let text = said(&data, &["queue", "show", &id]);
    assert!(
        text.starts_with(&format!("{id} from bob@example.test, ")),
        "{text}"
    );
    assert!(
        text.contains("  origin: submitted by bob@example.test\n"),
        "{text}"
    );
    assert!(text.contains("d@there.test"), "{text}");

    done(&data, &["queue", "purge", "--id", &id, "--yes"]);
    let text = said(&data, &["queue", "show", &id]);
    assert!(
        text.starts_with(&format!("{id}: nobody waits for it any more.")),
        "{text}"
    );
    assert!(text.contains("d@there.test: removed by uid "), "{text}");
    let history = done(&data, &["history", "--noun", "queue"]);
    assert_eq!(
        (history[0]["verb"].as_str(), history[0]["name"].as_str()),
        (Some("purged"), Some(&*format!("id {id}")))
    );
    assert!(
        history[0]["note"].as_str().unwrap().contains(" for d@there.test"),
        "{history}"
    );
    let trace = said(&data, &["trace", &id]);
    let at = |what: &str| trace.find(what).unwrap_or_else(|| panic!("{what} in {trace}"));
    assert!(at("queue.accepted") < at("d@there.test: removed"), "{trace}");
    assert!(at("d@there.test: removed") < at("queue.operated"), "{trace}");

    for address in ["d@there.test", "Bob@example.test"] {
        let traced = done(&data, &["trace", address, "--limit", "1"]);
        assert_eq!(traced.as_array().map(Vec::len), Some(1), "{traced}");
        assert_eq!(traced[0]["id"], id.as_str(), "the newest, {traced}");
        assert_eq!(traced[0]["what"], "purge", "{traced}");
    }
    let text = said(&data, &["trace", "d@there.test"]);
    assert!(text.starts_with("ID "), "{text}");
    assert!(text.contains(&id) && text.contains("removed by uid "), "{text}");
    assert!(
        done(&data, &["trace", "nobody@there.test"])
            .as_array()
            .is_some_and(Vec::is_empty)
    );

    // A stopped server's queue is worked through its store.
    demo.stop();
    let shown = done(&data, &["queue", "show", &id]);
    assert_eq!(shown["attempts"][0]["result"], "purged");
    assert_eq!(done(&data, &["queue", "purge", "--all", "--yes"])["changed"], 3);
    assert_eq!(done(&data, &["queue", "list"]), Value::Array(Vec::new()));
}

#[test]
fn refusals_of_the_queue_name_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    let gallery: &[(&[&str], i32, &str)] = &[
        (
            &["queue", "purge", "--yes"],
            2,
            "or --all for everybody who waits",
        ),
        (&["queue", "hold"], 2, "See who waits with: hearthpost queue list"),
        (
            &["queue", "list", "--older-than", "5"],
            2,
            "Write it like \"30 min\", \"4 h\" or \"5 days\".",
        ),
        (&["queue", "list", "--id", "nonsense"], 2, "is no queue id"),
        (
            &["queue", "list", "--account", "a@example.org"],
            1,
            "there is no account a@example.org",
        ),
        (
            &["queue", "show", "qaaaaaaaaaaaab"],
            1,
            "the queue knows nothing of qaaaaaaaaaaaab",
        ),
        (&["queue", "show"], 2, "<ID>"),
    ];
    for (args, code, sentence) in gallery {
        let (found, said) = refused(data, args);
        assert!(said.contains(sentence), "{args:?}: {said}");
        assert_eq!(found, *code, "{args:?}: {said}");
    }
}
