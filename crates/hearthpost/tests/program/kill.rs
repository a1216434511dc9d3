use std::time::Duration;

use crate::help::{Demo, done};

/// DUR-10: a kill at any moment of a first start leaves something the next start makes good: every account is there with
/// all its mailboxes, or not at all until it is made again.
#[test]
fn dur_10_a_kill_while_accounts_are_made_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut killed = 0;
    for delay_ms in [0, 3, 10, 25, 50, 80, 120, 170, 230] {
        let mut server = Demo::spawn(dir.path(), &["--users", "2000"]);
        if !server.is_silent_for(Duration::from_millis(delay_ms)) {
            break;
        }
        server.signal("KILL");
        assert_eq!(server.ended(), None, "it ended by the signal and not by itself");
        killed += 1;
        let accounts = done(dir.path(), &["account", "list"]).as_array().unwrap().len();
        assert!(
            accounts == 0 || accounts == 2002 || accounts.is_multiple_of(250),
            "{accounts}: whole commits only"
        );
    }
    assert!(killed >= 3, "the starts were too fast to kill");
    let demo = Demo::start(dir.path(), &["--users", "2000"]);
    assert_eq!(
        done(dir.path(), &["account", "list"]).as_array().unwrap().len(),
        2002
    );
    assert_eq!(
        done(dir.path(), &["store", "check"])["damaged"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let password = demo.json["bulk"]["password"].as_str().unwrap().to_owned();
    for number in [0, 249, 250, 1999] {
        let mut talk = demo.imaps(&format!("user{number}@example.test"), &password);
        let folders = talk
            .imap("b", "LIST \"\" *")
            .iter()
            .filter(|line| line.starts_with("* LIST"))
            .count();
        assert_eq!(folders, 6, "user{number}");
    }
    assert_eq!(
        demo.subjects("alice"),
        ["Welcome to Hearthpost"],
        "once, not once for each start"
    );
    assert_eq!(demo.stop(), Some(0));
}
