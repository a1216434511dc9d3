//! FETCH of many whole messages: read ahead while they are sent, and still in order, bounded, and of one moment.

use mail::ids::MailboxId;
use store::contract::Store as _;

use crate::support::{Client, World};

/// A message of about so many octets; each line says of which it is.
pub(crate) fn message(number: usize, octets: usize) -> String {
    let line = format!("line of message {number:04}, again and again\r\n");
    format!(
        "Subject: {number}\r\n\r\n{}",
        line.repeat(octets.div_ceil(line.len()))
    )
}

/// Alice with these messages in INBOX.
pub(crate) async fn holding(messages: &[String]) -> World {
    let world = World::new().await;
    for message in messages {
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    world
}

/// The responses to a FETCH of these messages.
pub(crate) fn fetched(messages: &[String]) -> Vec<String> {
    let line = |(at, message): (usize, &String)| {
        format!("* {} FETCH (BODY[] {{{}}}\r\n{message})", at + 1, message.len())
    };
    messages.iter().enumerate().map(line).collect()
}

async fn unseen(world: &World, inbox: MailboxId) -> u32 {
    world.store.mailbox(inbox).await.unwrap().unwrap().unseen
}

async fn inbox(world: &World) -> MailboxId {
    let alice = world.account("alice@example.test").await;
    world.store.mailboxes(alice).await.unwrap()[0].id
}

pub(crate) fn assert_same(lines: &[String], wanted: &[String]) {
    assert_eq!(lines.len(), wanted.len());
    for (at, (line, wanted)) in lines.iter().zip(wanted).enumerate() {
        assert!(
            line == wanted,
            "response {at}: {} octets, not {}",
            line.len(),
            wanted.len()
        );
    }
}

/// Sizes around every limit: what is read with others, what is read alone, what is read and sent in pieces.
#[tokio::test]
async fn whole_messages_come_in_order_whatever_their_sizes() {
    let sizes = [40, 3000, 9000, 66_000, 0, 500, 64_000, 1, 2000, 700];
    let mut messages: Vec<String> = (0..90).map(|n| message(n, sizes[n % sizes.len()])).collect();
    messages[37] = message(37, 1_100_000);
    let world = holding(&messages).await;
    let mut client = world.inbox().await;
    let lines = client.ok("FETCH 1:* (BODY.PEEK[])").await;
    assert_same(&lines[..lines.len() - 1], &fetched(&messages));
    let lines = client.ok("FETCH 77,3,71:73 (BODY.PEEK[])").await;
    let all = fetched(&messages);
    let some: Vec<String> = [3, 71, 72, 73, 77]
        .iter()
        .map(|&at| all[at - 1].clone())
        .collect();
    assert_same(&lines[..lines.len() - 1], &some);
    let lines = client.ok("FETCH 1:* (BODY[]<0.9>)").await;
    let first = |line: &&String| line.contains("BODY[]<0>");
    assert_eq!(lines.iter().filter(first).count(), messages.len());
    assert_eq!(
        unseen(&world, inbox(&world).await).await,
        0,
        "every page was marked"
    );
}

/// What one message says comes between what others say, also over octets in random pieces.
#[tokio::test]
async fn whole_messages_come_in_order_through_a_narrow_wire() {
    let messages: Vec<String> = (0..90).map(|n| message(n, 100 + n * 37)).collect();
    let world = holding(&messages).await;
    let mut client = world.connect_in_pieces(access::imap::Security::ImplicitTls, 7);
    client.send(crate::support::HELLO).await;
    client.line().await;
    let sign_in = format!("LOGIN alice@example.test \"{}\"", crate::support::PASSWORD);
    client.ok(&sign_in).await;
    client.ok("SELECT INBOX").await;
    let lines = client.ok("FETCH 1:* (BODY.PEEK[])").await;
    assert_same(&lines[..lines.len() - 1], &fetched(&messages));
}

/// A client that does not read holds up its own FETCH, and nothing is read for it beyond the page that is sent and the next one.
#[tokio::test]
async fn imp_3_a_client_that_does_not_read_holds_up_its_own_fetch() {
    let messages: Vec<String> = (0..400).map(|n| message(n, 8000)).collect();
    let world = holding(&messages).await;
    let inbox = inbox(&world).await;
    let mut client = world.inbox().await;
    client.send(b"x1 FETCH 1:* (BODY[])\r\n").await;
    let first = client.line().await;
    assert!(first.starts_with("* 1 FETCH (BODY[] {"), "{:.60}", first);
    for _ in 0..200 {
        // What is marked was sent, or waits to be: 64 KiB with us, as many in the wire, as many with the client.
        let marked = 400 - unseen(&world, inbox).await;
        assert!(
            marked <= 64,
            "{marked} messages were sent to a client that does not read"
        );
    }
    let mut other = world.inbox().await;
    assert_eq!(other.ok("FETCH 400 (RFC822.SIZE)").await.len(), 2, "others go on");
    let lines = client.until("x1").await;
    let bodies = lines.iter().filter(|line| line.contains("(BODY[] {")).count();
    assert_eq!(bodies, 399);
    assert_eq!(unseen(&world, inbox).await, 0);
}

/// Messages that go while they are fetched are still of the mailbox that the client was told of; it hears of it afterwards.
#[tokio::test]
async fn what_goes_during_a_fetch_is_still_sent() {
    let messages: Vec<String> = (0..300).map(|n| message(n, 5000)).collect();
    let world = holding(&messages).await;
    let mut reader = world.inbox().await;
    let mut remover = world.inbox().await;
    reader.send(b"x1 FETCH 1:* (BODY.PEEK[])\r\n").await;
    let first = reader.line().await;
    remover.ok("STORE 2:300 +FLAGS.SILENT (\\Deleted)").await;
    let gone = remover.ok("EXPUNGE").await;
    assert_eq!(gone.iter().filter(|line| line.ends_with(" EXPUNGE")).count(), 299);
    let mut lines = vec![first];
    lines.extend(until_fetched(&mut reader).await);
    assert_same(&lines, &fetched(&messages));
    let told = reader.ok("NOOP").await;
    assert_eq!(told.iter().filter(|line| line.ends_with(" EXPUNGE")).count(), 299);
    assert_eq!(
        reader.ok("FETCH 1:* (BODY.PEEK[])").await[0],
        fetched(&messages)[0]
    );
}

/// The FETCH responses before `x1 OK`; no EXPUNGE may stand among them (RFC 3501 §7.4.1).
async fn until_fetched(client: &mut Client) -> Vec<String> {
    let mut lines = client.until("x1").await;
    let last = lines.pop().unwrap();
    assert!(last.starts_with("OK"), "{last}");
    assert!(!lines.iter().any(|line| line.ends_with(" EXPUNGE")));
    lines.retain(|line| line.contains("(BODY[] {"));
    lines
}

/// IMAP4rev2 has no `\Recent` (RFC 9051 §2.3.2), also where flags come with a body.
#[tokio::test]
async fn flags_beside_a_body_are_those_of_the_mode() {
    let world = holding(&[message(1, 50)]).await;
    let mut client = world.user("alice").await;
    client.ok("ENABLE IMAP4rev2").await;
    client.ok("SELECT INBOX").await;
    let lines = client.ok("FETCH 1 (FLAGS BODY.PEEK[])").await;
    assert!(
        lines[0].starts_with("* 1 FETCH (FLAGS () BODY[] {"),
        "{}",
        lines[0]
    );
}
