//! Mailboxes that several people use, with the real program: set from the command line and by IMAP, read with curl.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::help::{Demo, done, refused};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn last(lines: &[String]) -> &str {
    lines.last().map_or("", String::as_str)
}

#[test]
fn rights_are_set_by_operators_and_owners_and_hold_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = demo.dir.clone();
    let mut alice = demo.imaps(ALICE, &demo.password("alice"));
    let mut bob = demo.imaps(BOB, &demo.password("bob"));
    assert!(last(&alice.imap("a", "CREATE Team")).starts_with("a OK"));

    let set = ["mailbox", "acl", "set", ALICE, "Team"];
    let shown = done(&data, &[&set[..], &[BOB, "lrs"]].concat());
    assert_eq!(
        shown,
        json!([{"address": ALICE, "mailbox": "Team", "who": BOB, "rights": "lrs"}])
    );
    let his = format!("#shared/{ALICE}/Team");
    let lines = bob.imap("a", &format!("SELECT {his}"));
    assert!(last(&lines).starts_with("a OK [READ-WRITE]"), "{lines:?}");
    let entry = done(&data, &["history", "--noun", "mailbox", "--limit", "1"])[0].clone();
    assert_eq!(entry["noun"], "mailbox");
    assert_eq!(entry["name"], format!("{ALICE} Team"));
    assert_eq!(entry["after"], json!({ BOB: "lrs" }));

    // What the owner sets is what the operator sees.
    assert!(last(&alice.imap("b", "SETACL Team anyone lr")).starts_with("b OK"));
    assert!(last(&alice.imap("c", &format!("SETACL Team -{BOB} s"))).starts_with("c OK"));
    let all = done(&data, &["mailbox", "acl", "list", ALICE]);
    assert_eq!(
        all,
        json!([
            {"address": ALICE, "mailbox": "Team", "who": "anyone", "rights": "lr"},
            {"address": ALICE, "mailbox": "Team", "who": BOB, "rights": "lrs", "taken": "s"},
        ])
    );

    // A session that waits hears of it when an operator takes the rights.
    bob.say("i IDLE\r\n");
    // He is told that he may not mark as read any more.
    let begun: Vec<String> = std::iter::from_fn(|| bob.line())
        .take_while(|line| !line.starts_with('+'))
        .collect();
    assert!(
        begun.iter().any(|line| line.contains("[PERMANENTFLAGS ()]")),
        "{begun:?}"
    );
    let before = done(&data, &["history", "--noun", "mailbox", "--limit", "1"]);
    assert_eq!(done(&data, &[&set[..], &[BOB, "lrs"]].concat()), all);
    assert_eq!(
        done(&data, &["history", "--noun", "mailbox", "--limit", "1"]),
        before,
        "what is so already is no change"
    );
    let remove = ["mailbox", "acl", "remove", ALICE, "Team"];
    done(&data, &[&remove[..], &["anyone"]].concat());
    done(&data, &[&remove[..], &[BOB]].concat());
    let taken = done(&data, &["history", "--noun", "mailbox", "--limit", "1"])[0].clone();
    assert_eq!(taken["note"], format!("({BOB} lrs)"));
    let (code, said) = refused(&data, &[&remove[..], &["anyone"]].concat());
    assert!(
        code == 1 && said.contains(&format!("Team of {ALICE} has no entry about anyone.")),
        "{code} {said}"
    );
    let (code, said) = refused(&data, &["undo", taken["id"].as_str().unwrap()]);
    assert!(
        code == 1 && said.contains("undo does not take back rights"),
        "{code} {said}"
    );
    let told = std::iter::from_fn(|| bob.line()).find(|line| line.starts_with("* NO"));
    assert!(told.is_some_and(|line| line.starts_with("* NO [NOPERM]")));
    bob.say("DONE\r\n");
    assert!(last(&bob.imap_answer("i")).starts_with("i OK"));
    assert!(last(&bob.imap("d", "FETCH 1:* FLAGS")).starts_with("d NO [NOPERM]"));

    for (args, says) in [
        (&["Team", BOB, "lrz"][..], "'z' is no right"),
        (
            &["Team", ALICE, "lr"],
            "the owner of a mailbox has every right in it",
        ),
        (
            &["Team", "carol@example.test", "lr"],
            "not the main address of an account here",
        ),
        (&["Nowhere", BOB, "lr"], "has no mailbox Nowhere"),
    ] {
        let (code, said) = refused(&data, &[&["mailbox", "acl", "set", ALICE], args].concat());
        assert!(code == 1 && said.contains(says), "{args:?}: {code} {said}");
    }

    // Without a server the same.
    assert_eq!(demo.stop(), Some(0));
    done(&data, &[&set[..], &[BOB, "lr"]].concat());
    let demo = Demo::start(&data, &[]);
    read_with_curl(&demo, &his);
}

fn read_with_curl(demo: &Demo, mailbox: &str) {
    let mut alice = demo.imaps(ALICE, &demo.password("alice"));
    alice.say("a APPEND Team {30+}\r\nSubject: shared\r\n\r\nthe words\r\n\r\n");
    let lines = alice.imap_answer("a");
    assert!(last(&lines).starts_with("a OK"), "{lines:?}");
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: reading with curl");
        return;
    }
    let listed = curl(demo, "", &["--request", "LIST \"\" *"]);
    assert!(listed.contains(mailbox), "{listed}");
    let path = mailbox
        .replace('#', "%23")
        .replace('@', "%40")
        .replace("Team", "Team;MAILINDEX=1");
    let read = curl(demo, &path.replace('/', "%2F").replace("Team%2F", "Team/"), &[]);
    assert!(read.contains("the words"), "{read}");
}

fn curl(demo: &Demo, path: &str, more: &[&str]) -> String {
    let output = Command::new("curl")
        .arg("--silent")
        .arg("--show-error")
        .arg("--cacert")
        .arg(Path::new(demo.json["ca"].as_str().unwrap()))
        .arg("--user")
        .arg(format!("{BOB}:{}", demo.password("bob")))
        .args(more)
        .arg(format!("imaps://localhost:{}/{path}", demo.port("imaps")))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
