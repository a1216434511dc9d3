//! Parts of messages on the real program: put together (CATENATE), shown by URL (URLAUTH), told in batches (UIDBATCHES).

use testkit::talk::Talk;

use crate::help::Demo;

fn as_user(demo: &Demo, name: &str) -> Talk {
    demo.imaps(&format!("{name}@example.test"), &demo.password(name))
}

fn fetched(demo: &Demo, url: &str) -> Vec<String> {
    let mut bob = as_user(demo, "bob");
    let mut lines = bob.imap("f", &format!("URLFETCH \"{url}\""));
    assert!(lines.pop().unwrap().starts_with("f OK"), "{lines:?}");
    lines
}

/// The secret behind the tokens is in the data directory, and so is what RESETKEY wrote.
#[test]
fn a_url_outlives_a_kill_and_ends_with_its_reset() {
    let dir = tempfile::tempdir().unwrap();
    let first = Demo::start(dir.path(), &[]);
    let mut alice = as_user(&first, "alice");
    assert!(
        alice
            .imap("b", "SELECT INBOX")
            .last()
            .unwrap()
            .starts_with("b OK")
    );
    let made = alice.imap(
        "c",
        "APPEND Drafts (\\Draft) CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)\" TEXT {11+}\r\nnew words\r\n)",
    );
    assert!(made.last().unwrap().starts_with("c OK [APPENDUID"), "{made:?}");
    let rump = "imap://alice%40example.test@mail.example.test/Drafts/;UID=1;URLAUTH=user+bob%40example.test";
    let made = alice.imap("d", &format!("GENURLAUTH \"{rump}\" INTERNAL"));
    let url = made[0]
        .strip_prefix("* GENURLAUTH \"")
        .and_then(|line| line.strip_suffix('"'))
        .unwrap_or_else(|| panic!("{made:?}"))
        .to_owned();
    let batches = alice.imap("e", "UIDBATCHES 500");
    assert_eq!(batches[0], "* UIDBATCHES (TAG \"e\") 1");
    let told = fetched(&first, &url);
    let whole = told.join("\n");
    assert!(
        whole.contains("Subject: Welcome to Hearthpost") && whole.contains("new words"),
        "{whole}"
    );
    first.kill();
    let second = Demo::start(dir.path(), &[]);
    assert_eq!(fetched(&second, &url), told);
    let reset = as_user(&second, "alice").imap("g", "RESETKEY Drafts");
    assert!(reset[0].starts_with("g OK [URLMECH INTERNAL]"), "{reset:?}");
    second.kill();
    let third = Demo::start(dir.path(), &[]);
    assert_eq!(fetched(&third, &url), [format!("* URLFETCH \"{url}\" NIL")]);
    assert_eq!(third.stop(), Some(0));
}
