//! What a signed-in client can do with its messages.

use crate::client::Pop;
use crate::support::World;

const ONE: &[u8] = b"Subject: one\r\n\r\nfirst\r\n";
const TWO: &[u8] = b"Subject: two\r\n\r\nsecond\r\n.\r\n..dots\r\n";

#[tokio::test]
async fn messages_are_counted_listed_named_and_read() {
    let pop = Pop::with(&[ONE, TWO]).await;
    let mut client = pop.user("alice").await;
    assert_eq!(client.ok("STAT").await, format!("2 {}", ONE.len() + TWO.len()));
    let sizes = [format!("1 {}", ONE.len()), format!("2 {}", TWO.len())];
    assert_eq!(client.lines("LIST").await, sizes);
    assert_eq!(client.ok("LIST 2").await, sizes[1]);
    let names = client.lines("UIDL").await;
    assert_eq!(client.ok("UIDL 1").await, names[0]);
    assert_ne!(names[0].split(' ').nth(1), names[1].split(' ').nth(1));
    assert_eq!(client.lines("RETR 1").await, ["Subject: one", "", "first"]);
    assert_eq!(
        client.lines("RETR 2").await,
        ["Subject: two", "", "second", ".", "..dots"]
    );
    assert_eq!(client.lines("TOP 2 0").await, ["Subject: two", ""]);
    assert_eq!(client.lines("TOP 2 2").await, ["Subject: two", "", "second", "."]);
    for command in ["RETR 3", "RETR 0", "TOP 3 1", "LIST 3", "UIDL 9", "DELE 3"] {
        client.err(command, "There is no message of that number").await;
    }
    client.ok("NOOP").await;
    client.ok("QUIT").await;
    client.is_closed().await;
    let mut again = pop.user("alice").await;
    assert_eq!(again.lines("UIDL").await, names, "names stay");
}

#[tokio::test]
async fn deleted_messages_go_at_quit_and_not_before() {
    let pop = Pop::with(&[ONE, TWO]).await;
    let mut imap = pop.world.inbox().await;
    let mut client = pop.user("alice").await;
    client.ok("DELE 1").await;
    client.err("RETR 1", "That message is marked").await;
    client.err("DELE 1", "That message is marked").await;
    assert_eq!(client.ok("STAT").await, format!("1 {}", TWO.len()));
    assert_eq!(
        client.lines("LIST").await,
        [format!("2 {}", TWO.len())],
        "numbers stay"
    );
    client.ok("RSET").await;
    assert_eq!(client.lines("LIST").await.len(), 2);
    client.ok("DELE 2").await;
    assert_eq!(imap.ok("NOOP").await.len(), 1, "nothing happened yet");
    client.ok("QUIT").await;
    let told = imap.ok("NOOP").await;
    assert!(told.contains(&"* 2 EXPUNGE".to_owned()), "{told:?}");
    let mut again = pop.user("alice").await;
    assert_eq!(again.lines("RETR 1").await[0], "Subject: one");
}

#[tokio::test]
async fn a_session_that_does_not_quit_removes_nothing() {
    let pop = Pop::with(&[ONE]).await;
    let mut client = pop.user("alice").await;
    client.ok("DELE 1").await;
    drop(client);
    // Silence for ten minutes ends the other one, without a word.
    let mut silent = loop {
        let mut client = pop.secure().await;
        client.ok("USER alice@example.test").await;
        client
            .send(format!("PASS {}\r\n", crate::support::PASSWORD).as_bytes())
            .await;
        let said = client.late_line().await;
        if said.starts_with("+OK") {
            break client;
        }
    };
    silent.ok("DELE 1").await;
    silent.is_closed().await;
    let mut client = pop.user("alice").await;
    assert_eq!(client.ok("STAT").await, format!("1 {}", ONE.len()));
}

#[tokio::test]
async fn one_session_has_the_maildrop_and_imap_goes_on_beside_it() {
    let pop = Pop::with(&[ONE, TWO]).await;
    let mut first = pop.user("alice").await;
    let mut second = pop.secure().await;
    second.ok("USER alice@example.test").await;
    second
        .late_err(&format!("PASS {}", crate::support::PASSWORD), "[IN-USE]")
        .await;
    drop(pop.user("bob").await);
    // Numbers stay while IMAP removes and mail arrives.
    let mut imap = pop.world.inbox().await;
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    imap.ok("EXPUNGE").await;
    pop.world
        .deliver("alice@example.test", b"Subject: three\r\n\r\nx\r\n")
        .await;
    assert_eq!(first.lines("LIST").await.len(), 2);
    assert_eq!(first.lines("RETR 2").await[0], "Subject: two");
    first.ok("DELE 1").await;
    first.ok("DELE 2").await;
    first.ok("QUIT").await;
    second.ok("USER alice@example.test").await;
    second.ok(&format!("PASS {}", crate::support::PASSWORD)).await;
    let left = second.lines("UIDL").await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(second.lines("RETR 1").await[0], "Subject: three");
}

#[tokio::test]
async fn reading_changes_nothing_for_imap() {
    let pop = Pop::with(&[ONE]).await;
    let mut client = pop.user("alice").await;
    client.lines("RETR 1").await;
    client.ok("QUIT").await;
    let mut imap = pop.world.inbox().await;
    let flags = imap.ok("FETCH 1 (FLAGS)").await;
    assert_eq!(flags[0], "* 1 FETCH (FLAGS (\\Recent))");
}

#[tokio::test]
async fn commands_may_come_together() {
    let pop = Pop::with(&[ONE, TWO]).await;
    let mut client = pop.user("alice").await;
    client
        .send(b"STAT\r\nUIDL 1\r\nTOP 1 0\r\nDELE 1\r\nNOOP\r\nQUIT\r\n")
        .await;
    let mut said = Vec::new();
    for _ in 0..8 {
        said.push(client.line().await);
    }
    assert!(
        said[0].starts_with("+OK 2 ") && said[1].starts_with("+OK 1 "),
        "{said:?}"
    );
    assert_eq!(said[3..6], ["Subject: one", "", "."]);
    assert!(said[6..].iter().all(|line| line.starts_with("+OK")), "{said:?}");
    assert!(client.line().await.starts_with("+OK Removed"));
    client.is_closed().await;
}

#[tokio::test]
async fn a_large_message_comes_whole() {
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    for line in 0..60_000 {
        message.extend_from_slice(format!(".{line} and some more text to fill it\r\n").as_bytes());
    }
    let pop = Pop::with(&[&message]).await;
    let mut client = pop.user("alice").await;
    let lines = client.lines("RETR 1").await;
    let text = lines.join("\r\n") + "\r\n";
    assert!(
        text.as_bytes() == message,
        "{} of {} octets",
        text.len(),
        message.len()
    );
    client.ok("NOOP").await;
}

#[tokio::test]
async fn dur_6_names_of_messages_hold_after_a_restart() {
    let pop = Pop::with(&[ONE, TWO]).await;
    let mut client = pop.user("alice").await;
    let names = client.lines("UIDL").await;
    client.ok("DELE 1").await;
    client.ok("QUIT").await;
    drop(client);
    let Pop { world, ctx } = pop;
    drop(ctx);
    let pop = Pop::over(World::reopened(world).await);
    pop.world.deliver("alice@example.test", ONE).await;
    let mut client = pop.user("alice").await;
    let after = client.lines("UIDL").await;
    assert_eq!(after.len(), 2);
    assert_eq!(names[1].split(' ').nth(1), after[0].split(' ').nth(1));
    assert!(
        names
            .iter()
            .all(|name| !name.ends_with(after[1].split(' ').nth(1).unwrap()))
    );
}
