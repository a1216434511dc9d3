//! URLs that let somebody else have one message or a part of it (RFC 4467).

use crate::support::{Client, World};

const MAIL: &[u8] = b"Subject: one\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst part\r\n--b\r\n\r\nsecond part\r\n--b--\r\n";

/// The URL with its token.
async fn generated(client: &mut Client, rump: &str) -> String {
    let lines = client.ok(&format!("GENURLAUTH \"{rump}\" INTERNAL")).await;
    let url = lines[0]
        .strip_prefix("* GENURLAUTH \"")
        .and_then(|line| line.strip_suffix('"'));
    url.expect("a URL").to_owned()
}

async fn fetched(client: &mut Client, url: &str) -> Option<String> {
    let lines = client.ok(&format!("URLFETCH \"{url}\"")).await;
    let rest = lines[0]
        .strip_prefix(&format!("* URLFETCH \"{url}\" "))
        .expect("the same URL");
    if rest == "NIL" {
        return None;
    }
    Some(rest.split_once("}\r\n").expect("a literal").1.to_owned())
}

const ALICE: &str = "imap://alice%40example.test@mail.example.test";

#[tokio::test]
async fn others_have_what_an_authorized_url_names() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut alice = world.inbox().await;
    let part = format!("{ALICE}/INBOX/;UID=1/;SECTION=2;URLAUTH=user+bob%40example.test");
    let url = generated(&mut alice, &part).await;
    assert!(
        url.starts_with(&format!("{part}:internal:")) && url.len() == part.len() + 10 + 64,
        "{url}"
    );
    assert_eq!(
        generated(&mut alice, &part).await,
        url,
        "the same until it is reset"
    );
    let mut bob = world.user("bob").await;
    assert_eq!(fetched(&mut bob, &url).await.as_deref(), Some("second part"));
    // It is for Bob alone, and for this part of this message.
    assert_eq!(fetched(&mut alice, &url).await, None);
    for changed in [
        url.replace("SECTION=2", "SECTION=1"),
        url.replace("UID=1", "UID=2"),
        url.replace("/INBOX", "/Drafts"),
        url.replace("user+bob%40example.test", "anonymous"),
        url.replace("alice%40", "bob%40"),
        url.replace("mail.example", "other.example"),
        url[..url.len() - 2].to_owned(),
        format!("{url}00"),
        part.clone(),
        "imap://nobody%40example.test@h/INBOX/;UID=1;URLAUTH=anonymous:internal:00000000000000000000000000000000".to_owned(),
        "no URL at all".to_owned(),
    ] {
        assert_eq!(fetched(&mut bob, &changed).await, None, "{changed}");
    }
    // Several at once, whole messages, partials, for everybody.
    let whole = generated(&mut alice, &format!("{ALICE}/INBOX/;UID=1;URLAUTH=authuser")).await;
    let start = generated(
        &mut alice,
        &format!("{ALICE}/INBOX/;UID=1/;PARTIAL=0.7;URLAUTH=anonymous"),
    )
    .await;
    let lines = bob.ok(&format!("URLFETCH \"{whole}\" \"{start}\" bogus")).await;
    assert!(lines[0].ends_with(&*String::from_utf8_lossy(MAIL)), "{lines:?}");
    assert!(
        lines[1].ends_with("{7}\r\nSubject") && lines[2] == "* URLFETCH \"bogus\" NIL",
        "{lines:?}"
    );
    assert_eq!(lines.len(), 4);
    // It sets no flag.
    assert!(!alice.ok("FETCH 1 FLAGS").await[0].contains("\\Seen"));
    // Sessions come and go; the URL stays, over a restart too, as long as the message does.
    alice.ok("STORE 1 +FLAGS (\\Deleted)").await;
    alice.ok("EXPUNGE").await;
    assert_eq!(fetched(&mut bob, &whole).await, None);
}

#[tokio::test]
async fn a_reset_makes_earlier_urls_worthless() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut alice = world.inbox().await;
    alice.append("Drafts", b"a: b\r\n\r\nc").await;
    let in_inbox = generated(
        &mut alice,
        &format!("{ALICE}/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser"),
    )
    .await;
    let in_drafts = generated(
        &mut alice,
        &format!("{ALICE}/Drafts/;UID=1/;SECTION=TEXT;URLAUTH=authuser"),
    )
    .await;
    let mut bob = world.user("bob").await;
    assert_eq!(fetched(&mut bob, &in_inbox).await.as_deref(), Some("first part"));
    let lines = alice.ok("RESETKEY INBOX INTERNAL").await;
    assert!(lines[0].starts_with("OK [URLMECH INTERNAL]"), "{lines:?}");
    assert_eq!(fetched(&mut bob, &in_inbox).await, None);
    assert_eq!(fetched(&mut bob, &in_drafts).await.as_deref(), Some("c"));
    let again = generated(
        &mut alice,
        &format!("{ALICE}/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser"),
    )
    .await;
    assert!(again != in_inbox && fetched(&mut bob, &again).await.is_some());
    alice.ok("RESETKEY").await;
    assert_eq!(fetched(&mut bob, &in_drafts).await, None);
    assert_eq!(fetched(&mut bob, &again).await, None);
    alice.refused("RESETKEY Nowhere", "NO [NONEXISTENT]").await;
    alice.refused("RESETKEY INBOX XSAMPLE", "NO [CANNOT]").await;
    // What is kept of it is nobody's note.
    let lines = alice
        .ok("GETMETADATA (DEPTH infinity) INBOX (/private /shared)")
        .await;
    assert!(!lines.concat().contains("urlauth"), "{lines:?}");
    let lines = alice.ok("SELECT INBOX").await;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* OK [URLMECH INTERNAL]")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_url_ends_when_it_says() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut alice = world.inbox().await;
    // The simulated clock stands at noon of 23 November 2026.
    for (expire, lasts) in [
        ("2026-11-23T11:59:59Z", false),
        ("2026-11-23T12:30:00%2b01:00", false),
        ("2026-11-24T00:00:00Z", true),
    ] {
        let rump = format!("{ALICE}/INBOX/;UID=1/;SECTION=1;EXPIRE={expire};URLAUTH=authuser");
        if expire.contains('%') {
            alice
                .refused(&format!("GENURLAUTH \"{rump}\" INTERNAL"), "BAD")
                .await;
            continue;
        }
        let url = generated(&mut alice, &rump).await;
        assert_eq!(fetched(&mut alice, &url).await.is_some(), lasts, "{expire}");
    }
}

#[tokio::test]
async fn nobody_authorizes_what_is_not_theirs() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut bob = world.user("bob").await;
    for (rump, said) in [
        (format!("{ALICE}/INBOX/;UID=1;URLAUTH=authuser"), "BAD"),
        ("imap://bob%40example.test@h/INBOX/;UID=1".to_owned(), "BAD"),
        ("imap://h/INBOX/;UID=1;URLAUTH=authuser".to_owned(), "BAD"),
        ("/INBOX/;UID=1;URLAUTH=authuser".to_owned(), "BAD"),
        (
            "imap://bob%40example.test@h/INBOX;URLAUTH=authuser".to_owned(),
            "BAD",
        ),
        (
            format!(
                "imap://bob%40example.test@h/INBOX/;UID=1;URLAUTH=authuser:internal:{}",
                "0".repeat(32)
            ),
            "BAD",
        ),
        (
            "imap://bob%40example.test@h/Nowhere/;UID=1;URLAUTH=authuser".to_owned(),
            "NO [NONEXISTENT]",
        ),
        (
            "imap://bob%40example.test@h/INBOX/;UID=1;URLAUTH=submit+bob%40example.test".to_owned(),
            "NO [CANNOT]",
        ),
    ] {
        bob.refused(&format!("GENURLAUTH \"{rump}\" INTERNAL"), said)
            .await;
    }
    let rump = "imap://bob%40example.test@h/INBOX/;UID=1;URLAUTH=authuser";
    bob.refused(&format!("GENURLAUTH \"{rump}\" XSAMPLE"), "NO [CANNOT]")
        .await;
    let mut guest = world.secure().await;
    guest.refused("URLFETCH x", "BAD").await;
}

/// URLs reach no further than rights do: parts of another's mailbox need the right to read it, and only its owner authorizes URLs.
#[tokio::test]
async fn imp_5_urls_reach_no_further_than_rights() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    alice.ok("CREATE Team").await;
    assert!(alice.append("Team", MAIL).await.starts_with("OK"));
    let mut bob = world.user("bob").await;
    let taken = "APPEND Drafts CATENATE (URL \"/%23shared/alice@example.test/Team/;UID=1/;SECTION=2\")";
    bob.refused(taken, "NO [BADURL").await;
    for (rights, reads) in [("l", false), ("r", false), ("lr", true), ("lswi", false)] {
        alice.ok(&format!("SETACL Team bob@example.test {rights}")).await;
        let last = bob.run(taken).await.pop().unwrap();
        assert_eq!(last.starts_with("OK [APPENDUID"), reads, "{rights}: {last}");
        assert!(reads || last.starts_with("NO [BADURL"), "{rights}: {last}");
    }
    alice.ok("SETACL Team bob@example.test lrswipkxtea").await;
    for (rump, said) in [
        (
            "imap://bob%40example.test@h/%23shared/alice@example.test/Team/;UID=1;URLAUTH=authuser",
            "NO [NONEXISTENT]",
        ),
        (
            "imap://alice%40example.test@h/Team/;UID=1;URLAUTH=authuser",
            "BAD",
        ),
    ] {
        bob.refused(&format!("GENURLAUTH \"{rump}\" INTERNAL"), said)
            .await;
    }
    bob.refused("RESETKEY #shared/alice@example.test/Team", "NO [NONEXISTENT]")
        .await;
    // What Alice authorized stays hers to take back, whatever rights Bob has.
    let rump = format!("{ALICE}/Team/;UID=1/;SECTION=1;URLAUTH=user+bob%40example.test");
    let url = generated(&mut alice, &rump).await;
    alice.ok("DELETEACL Team bob@example.test").await;
    assert_eq!(fetched(&mut bob, &url).await.as_deref(), Some("first part"));
    alice.ok("RESETKEY Team").await;
    assert_eq!(fetched(&mut bob, &url).await, None);
}

/// Nor is what is kept of a reset told to whoever watches notes.
#[tokio::test]
async fn a_reset_is_no_note() {
    let world = World::new().await;
    let mut watching = world.user("alice").await;
    watching
        .ok("NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))")
        .await;
    let mut alice = world.inbox().await;
    alice.ok("RESETKEY").await;
    alice.ok("RESETKEY INBOX").await;
    alice.ok("SETMETADATA INBOX (/private/comment \"x\")").await;
    assert_eq!(watching.line().await, "* METADATA INBOX /private/comment");
}

/// URLs can be made worthless however full the notes are: somebody with the right `w` could fill them.
#[tokio::test]
async fn imp_5_a_reset_needs_no_room_among_the_notes() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut alice = world.inbox().await;
    let url = generated(&mut alice, &format!("{ALICE}/INBOX/;UID=1;URLAUTH=authuser")).await;
    for hundred in 0..store::contract::METADATA_ENTRIES_PER_ACCOUNT / 100 {
        let notes: Vec<String> = (0..100).map(|n| format!("/shared/{hundred}-{n} \"x\"")).collect();
        alice
            .ok(&format!("SETMETADATA INBOX ({})", notes.join(" ")))
            .await;
    }
    let more = "SETMETADATA INBOX (/shared/more \"x\")";
    alice.refused(more, "NO [METADATA TOOMANY]").await;
    alice.ok("RESETKEY INBOX").await;
    alice.ok("RESETKEY").await;
    assert_eq!(fetched(&mut alice, &url).await, None);
    alice.refused(more, "NO [METADATA TOOMANY]").await;
    alice
        .ok("SETMETADATA INBOX (/shared/0-0 NIL /shared/more \"x\")")
        .await;
}
