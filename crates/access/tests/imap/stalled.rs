//! Clients that ask for everything and do not read: what is held for them has a bound over all sessions, and nobody gets wrong octets.

use mailbox::limits::ANSWERS_BYTES;
use mailbox::memory::Taken;

use crate::bodies::{assert_same, fetched, holding, message};
use crate::support::{Client, World};

/// A message of two parts, the second in base64, of about so many octets.
fn parts(octets: usize) -> String {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    format!(
        "Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nshort\r\n--b\r\n\
         Content-Type: application/x-y\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        line.repeat(octets.div_ceil(line.len()))
    )
}

/// Everything that there is for clients beyond their shares.
fn everything(world: &World) -> Taken {
    world.mailboxes.memory().take(ANSWERS_BYTES).unwrap()
}

fn left(world: &World) -> u64 {
    world.mailboxes.memory().left_bytes()
}

/// Waits until nothing moves any more: what is left stays as it is.
async fn settled(world: &World) -> u64 {
    let mut same = 0;
    let mut last = left(world);
    while same < 5_000 {
        tokio::task::yield_now().await;
        let now = left(world);
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// Waits until all that was taken is given back.
async fn all_given_back(world: &World) {
    while left(world) < ANSWERS_BYTES {
        tokio::task::yield_now().await;
    }
}

/// More clients than there is memory for hold no more than that; others go on meanwhile, and everybody gets the right octets.
#[tokio::test]
async fn ops_11_clients_that_do_not_read_share_a_bound_and_hold_nobody_up() {
    let mut messages = vec![message(0, 900_000)];
    messages.extend((1..150).map(|n| message(n, 8000)));
    messages.push(message(150, 1_100_000));
    let world = holding(&messages).await;
    let mut stalled = Vec::new();
    for _ in 0..80 {
        let mut client = world.inbox().await;
        client.send(b"x1 FETCH 1:* (BODY.PEEK[])\r\n").await;
        stalled.push(client);
    }
    let least = settled(&world).await;
    assert!(
        least < 1 << 20,
        "{least} octets are left: too few clients to prove anything"
    );
    // Whoever comes now has its share, which is enough.
    let mut other = world.inbox().await;
    let lines = other.ok("FETCH 1:* (BODY.PEEK[])").await;
    assert_same(&lines[..lines.len() - 1], &fetched(&messages));
    // Who leaves, and who reads after all, gives back what was taken.
    stalled.truncate(3);
    while left(&world) <= least {
        tokio::task::yield_now().await;
    }
    for client in &mut stalled {
        let lines = client.until("x1").await;
        assert_same(&lines[..lines.len() - 1], &fetched(&messages));
    }
    all_given_back(&world).await;
}

/// Where nothing is left, every way to ask for octets gives the same ones as otherwise.
#[tokio::test]
async fn ops_11_a_share_is_enough_for_everything_that_can_be_sent_in_pieces() {
    let sizes = [40, 3000, 30_000, 64_000, 66_000, 300_000, 600_000, 1_100_000];
    let mut messages: Vec<String> = sizes
        .iter()
        .enumerate()
        .map(|(n, &size)| message(n, size))
        .collect();
    messages.extend([parts(500), parts(200_000), parts(1_300_000)]);
    messages.extend((0..80).map(|n| message(n, 5000)));
    let world = holding(&messages).await;
    let asked = [
        "1:* (BODY.PEEK[])",
        "1:* (BODY.PEEK[TEXT])",
        "1:* (BODY.PEEK[HEADER])",
        "1:* (BODY.PEEK[HEADER.FIELDS (Subject)])",
        "1:* (BODY.PEEK[]<100.70000>)",
        "1:* (BODY.PEEK[1])",
        "1:* (BODY.PEEK[2])",
        "1:* (BODY.PEEK[2]<40.200000>)",
        "1:* (BODY.PEEK[2]<9000000.5>)",
        "1:* (BODY.PEEK[2.MIME])",
        "1:* (BODY.PEEK[3])",
        "5:8 (UID RFC822)",
        "1:* (ENVELOPE BODYSTRUCTURE PREVIEW INTERNALDATE SAVEDATE)",
        "9:11 (BINARY.PEEK[1])",
        "9:11 (BINARY.SIZE[2])",
        "9:11 (BINARY.PEEK[1]<1.3>)",
    ];
    let mut client = world.user("alice").await;
    // Read-only: nothing becomes \Seen, so that both times the same is told.
    client.ok("EXAMINE INBOX").await;
    let mut roomy = Vec::new();
    for items in asked {
        roomy.push(client.ok(&format!("FETCH {items}")).await);
    }
    let all = everything(&world);
    for (items, roomy) in asked.iter().zip(&roomy) {
        let lines = client.ok(&format!("FETCH {items}")).await;
        assert_eq!(lines.len(), roomy.len(), "{items}");
        for (at, (line, wanted)) in lines.iter().zip(roomy).enumerate() {
            assert!(
                line == wanted,
                "{items}: {at}: {} octets, not {}",
                line.len(),
                wanted.len()
            );
        }
    }
    // Several items of one message: what is streamed stands behind the others.
    let lines = client.ok("FETCH 6 (BODY.PEEK[] BODY.PEEK[]<0.200000> UID)").await;
    let (whole, start) = (&messages[5], &messages[5][..200_000]);
    let streamed = format!(
        "BODY[] {{{}}}\r\n{whole} BODY[]<0> {{200000}}\r\n{start}",
        whole.len()
    );
    assert!(
        lines[0] == format!("* 6 FETCH (UID 6 {streamed})"),
        "{:.60}",
        lines[0]
    );
    client.ok("SEARCH BODY \"message 0006\"").await;
    drop(all);
    all_given_back(&world).await;
}

/// What can be made only as a whole is refused where nothing is left for it, by itself, and without harm.
#[tokio::test]
async fn ops_11_what_has_no_room_is_refused_and_can_be_had_later() {
    let messages = [message(0, 100), parts(500_000), message(2, 100)];
    let world = holding(&messages).await;
    let mut client = world.inbox().await;
    let all = everything(&world);
    let lines = client.run("FETCH 2 (BINARY[2])").await;
    assert_eq!(
        lines.len(),
        1,
        "nothing of it is sent, and it stays unseen: {lines:?}"
    );
    assert!(lines[0].starts_with("NO [UNAVAILABLE]"), "{lines:?}");
    let before = world.events.named("access.message-damaged").len();
    // BINARY of a message without parts is the message.
    let lines = client.run("FETCH 1:3 (UID BINARY.PEEK[])").await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("* 1 FETCH (UID 1 BINARY[]") && lines[1].starts_with("* 3 FETCH (UID 3"));
    assert!(lines[2].starts_with("NO [UNAVAILABLE]"), "{lines:?}");
    assert_eq!(
        world.events.named("access.message-damaged").len(),
        before,
        "nothing is damaged"
    );
    drop(all);
    let lines = client.ok("FETCH 2 (BINARY[2])").await;
    let decoded = "ABC".repeat(500_000_usize.div_ceil(78) * 19);
    let wanted = format!("* 2 FETCH (BINARY[2] {{{}}}\r\n{decoded})", decoded.len());
    assert!(
        lines[0] == wanted,
        "{} octets, not {}",
        lines[0].len(),
        wanted.len()
    );
    assert!(lines[1].contains("\\Seen"), "{:?}", &lines[1..]);
    all_given_back(&world).await;
}

/// A response of which something is gone cannot be taken back: the connection ends, and what it held is free.
#[tokio::test]
async fn ops_11_a_response_that_was_begun_and_has_no_room_ends_the_session() {
    let long = format!("X-Long: {}\r\n{}", "y".repeat(100_000), parts(500_000));
    let world = holding(&[long]).await;
    let mut client = world.inbox().await;
    let all = everything(&world);
    client
        .send(b"x1 FETCH 1 (BODY.PEEK[HEADER] BINARY.PEEK[2])\r\n")
        .await;
    client.rest_of_raw().await;
    drop(all);
    all_given_back(&world).await;
    let mut client = world.inbox().await;
    client.ok("FETCH 1 (BODY.PEEK[HEADER] BINARY.PEEK[2])").await;
}

/// URLFETCH and CATENATE of large messages do with a share, too.
#[tokio::test]
async fn ops_11_urls_do_with_a_share() {
    let large = message(1, 1_200_000);
    let world = holding(std::slice::from_ref(&large)).await;
    let mut client = world.inbox().await;
    let rump = "imap://alice%40example.test@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous";
    let lines = client.ok(&format!("GENURLAUTH \"{rump}\" INTERNAL")).await;
    let url = lines[0].strip_prefix("* GENURLAUTH ").unwrap().to_owned();
    let all = everything(&world);
    let lines = client.ok(&format!("URLFETCH {url}")).await;
    let wanted = format!("* URLFETCH {url} {{{}}}\r\n{large}", large.len());
    assert!(
        lines[0] == wanted,
        "{} octets, not {}",
        lines[0].len(),
        wanted.len()
    );
    client
        .ok("APPEND Drafts CATENATE (URL /INBOX/;UID=1/;SECTION=HEADER URL /INBOX/;UID=1/;SECTION=TEXT)")
        .await;
    client.ok("SELECT Drafts").await;
    let lines = client.ok("FETCH 1 (BODY.PEEK[])").await;
    assert_same(&lines[..1], &wanted_one(&large));
    drop(all);
    all_given_back(&world).await;
}

fn wanted_one(message: &str) -> Vec<String> {
    fetched(&[message.to_owned()])
}

/// Items that are answered from the index hold no more than a share either.
#[tokio::test]
async fn ops_11_what_the_index_knows_is_told_where_nothing_is_left() {
    let messages: Vec<String> = (0..200).map(|n| message(n, 200)).collect();
    let world = holding(&messages).await.indexed().await;
    let mut client: Client = world.inbox().await;
    let roomy = client.ok("FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)").await;
    let all = everything(&world);
    assert_eq!(client.ok("FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)").await, roomy);
    assert_eq!(roomy.len(), 201);
    drop(all);
    all_given_back(&world).await;
}
