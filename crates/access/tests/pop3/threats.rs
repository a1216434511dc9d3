//! Abuse, damage and the end of the server, seen by a client.

use access::Security;
use mailbox::limits::ANSWERS_BYTES;
use tokio::io::AsyncWriteExt as _;

use crate::client::Pop;
use crate::support::{HELLO, World};

#[tokio::test]
async fn imp_1_a_guest_has_a_minute_five_mistakes_and_short_lines() {
    let pop = Pop::new().await;
    let mut slow = pop.secure().await;
    slow.is_closed().await;
    let mut junk = pop.secure().await;
    for _ in 0..4 {
        junk.err("XYZZY", "There is no such command").await;
    }
    junk.err("STAT", "Sign in first").await;
    junk.err_or_end().await;
    let mut long = pop.secure().await;
    let line = "A".repeat(5000);
    long.err(
        &format!("USER {line}"),
        "That is no command: the line is too long",
    )
    .await;
    long.ok("CAPA").await;
}

#[tokio::test]
async fn imp_9_what_is_no_line_is_never_a_command() {
    let pop = Pop::with(&[b"Subject: x\r\n\r\nx\r\n"]).await;
    let mut client = pop.user("alice").await;
    client.send(b"NOOP\nDELE 1\r\n").await;
    assert!(
        client
            .line()
            .await
            .starts_with("-ERR That is no command: the line has a LF")
    );
    assert!(client.line().await.starts_with("+OK Message 1 goes"));
    client.ok("RSET").await;
    client.send(b"DE\0LE 1\r\n").await;
    assert!(
        client
            .line()
            .await
            .starts_with("-ERR That is no command: the line has a NUL")
    );
}

#[tokio::test]
async fn smt_9_http_is_sent_away_from_pop3() {
    let pop = Pop::new().await;
    let mut client = pop.connect(Security::StartTls);
    client.line().await;
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.is_closed().await;
    assert_eq!(pop.world.events.named("access.other-protocol").len(), 1);
}

#[tokio::test]
async fn tls_8_without_a_certificate_there_is_no_tls() {
    let pop = Pop::over(World::with(|ctx| ctx.tls = None).await);
    let mut client = pop.connect(Security::StartTls);
    client.line().await;
    assert!(!client.lines("CAPA").await.contains(&"STLS".to_owned()));
    client.err("STLS", "STLS is not possible here").await;
    let mut client = pop.connect(Security::ImplicitTls);
    client.wire.write_all(HELLO).await.unwrap_or_default();
    client.is_closed().await;
}

#[tokio::test]
async fn dsk_5_a_damaged_message_costs_only_itself() {
    let filler = "the same line again and again\r\n".repeat(40);
    let messages: Vec<String> = (0..3)
        .map(|count| format!("Subject: {count}\r\n\r\nMARK{count}\r\n{filler}"))
        .collect();
    let octets: Vec<&[u8]> = messages.iter().map(String::as_bytes).collect();
    let Pop { world, ctx } = Pop::with(&octets).await;
    drop(ctx);
    let pop = Pop::over(world.damaged(1).await);
    let mut client = pop.user("alice").await;
    assert_eq!(client.lines("RETR 1").await[0], "Subject: 0");
    client
        .err("RETR 2", "[SYS/PERM] That message cannot be read")
        .await;
    assert_eq!(client.lines("RETR 3").await[0], "Subject: 2");
    assert_eq!(pop.world.events.named("access.store-refused").len(), 1);
    client.ok("DELE 2").await;
    client.ok("QUIT").await;
    assert_eq!(pop.user("alice").await.lines("LIST").await.len(), 2);
}

#[tokio::test]
async fn dur_7_the_stop_removes_nothing_and_says_so() {
    let pop = Pop::with(&[b"Subject: x\r\n\r\nx\r\n"]).await;
    let mut client = pop.user("alice").await;
    client.ok("DELE 1").await;
    pop.world.stop.send_replace(true);
    let said = client.line().await;
    assert!(
        said.starts_with("-ERR [SYS/TEMP] The server is about to restart"),
        "{said}"
    );
    client.is_closed().await;
    let mut imap = pop.world.mailboxes.open_views();
    while imap > 0 {
        tokio::task::yield_now().await;
        imap = pop.world.mailboxes.open_views();
    }
}

/// A message whose client does not read is held within the bound of all sessions, and comes whole where nothing is left.
#[tokio::test]
async fn ops_11_a_large_message_is_sent_with_a_share() {
    let message = format!(
        "Subject: large\r\n\r\n{}",
        ".a line with a dot\r\n".repeat(40_000)
    );
    let pop = Pop::with(&[message.as_bytes()]).await;
    let memory = pop.world.mailboxes.memory().clone();
    let mut client = pop.user("alice").await;
    client.send(b"RETR 1\r\n").await;
    assert!(client.line().await.starts_with("+OK"));
    assert!(
        memory.left_bytes() < ANSWERS_BYTES,
        "what is above its share is counted"
    );
    let all = memory.take(memory.left_bytes()).unwrap();
    for line in message.lines() {
        let stuffed = if line.starts_with('.') { "." } else { "" };
        assert_eq!(client.line().await, format!("{stuffed}{line}"));
    }
    assert_eq!(client.line().await, ".");
    client.ok("NOOP").await;
    drop(all);
    assert_eq!(memory.left_bytes(), ANSWERS_BYTES);
}
