//! What a sender may ask for beside delivery, against the real binary: a report of the delivery, and a later delivery.

use testkit::talk::Talk;

use crate::help::{Demo, done};

#[test]
fn a_sender_is_told_of_the_delivery_it_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    let mut talk = signed_in(&demo);
    assert!(
        talk.ask("MAIL FROM:<alice@example.test> RET=HDRS ENVID=QQ+20314")
            .starts_with("250 ")
    );
    assert!(
        talk.ask("RCPT TO:<bob@example.test> NOTIFY=SUCCESS,FAILURE")
            .starts_with("250 ")
    );
    send(&mut talk);
    until(&demo, "bob", "HEADER Subject wishes");
    until(&demo, "alice", "SUBJECT \"Delivered: bob@example.test\"");
    let mut alice = demo.imaps("alice@example.test", &demo.password("alice"));
    alice.imap("s", "SELECT INBOX");
    let report = alice.imap("f", "FETCH * BODY.PEEK[]").join("\n");
    for part in [
        "Action: delivered",
        "Original-Envelope-Id: QQ 314",
        "Final-Recipient: rfc822; bob@example.test",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
fn a_held_submission_waits_for_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    let mut talk = signed_in(&demo);
    assert!(
        talk.ask("MAIL FROM:<alice@example.test> HOLDFOR=3600")
            .starts_with("250 ")
    );
    assert!(talk.ask("RCPT TO:<bob@example.test>").starts_with("250 "));
    assert!(send(&mut talk).contains("held here until"));
    let waiting = done(&demo.dir, &["queue", "list"]).to_string();
    assert!(waiting.contains("bob@example.test"), "{waiting}");
    assert!(
        waiting.contains("the sender asked for a later delivery"),
        "{waiting}"
    );
}

fn signed_in(demo: &Demo) -> Talk {
    let mut talk = Talk::connect(demo.port("submission"));
    talk.reply();
    let offers = talk.ask("EHLO client.test");
    for offer in ["DSN", "FUTURERELEASE 604800 ", "DELIVERBY 60"] {
        assert!(offers.contains(offer), "{offer} in {offers}");
    }
    assert!(talk.ask("AUTH LOGIN").starts_with("334 "));
    assert!(talk.ask("YWxpY2VAZXhhbXBsZS50ZXN0").starts_with("334 "));
    let password = crate::cli::base64(demo.password("alice").as_bytes());
    assert!(talk.ask(&password).starts_with("235 "));
    talk
}

fn send(talk: &mut Talk) -> String {
    assert!(talk.ask("DATA").starts_with("354 "));
    let answer = talk.ask("From: alice@example.test\r\nSubject: wishes\r\n\r\nHello.\r\n.");
    assert!(answer.starts_with("250 "), "{answer}");
    answer
}

/// Until a search in somebody's INBOX finds something: by IDLE, which tells of every message that comes.
fn until(demo: &Demo, name: &str, search: &str) {
    let mut talk = demo.imaps(&format!("{name}@example.test"), &demo.password(name));
    talk.imap("s", "SELECT INBOX");
    loop {
        let found = talk.imap("f", &format!("SEARCH {search}"));
        if found
            .iter()
            .any(|line| line.len() > "* SEARCH ".len() && line.starts_with("* SEARCH "))
        {
            return;
        }
        if found.iter().any(|line| line.ends_with(" EXISTS")) {
            continue;
        }
        // A line that does not come ends the test.
        talk.say("i IDLE\r\n");
        while !talk.line().expect("the server goes on").ends_with(" EXISTS") {}
        talk.say("DONE\r\n");
        talk.imap_answer("i");
    }
}
