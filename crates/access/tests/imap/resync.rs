//! Mod-sequences and quick resynchronisation (RFC 7162), and windows of results (RFC 9394).

use crate::support::{Client, World};

async fn several(count: usize) -> World {
    let world = World::new().await;
    for number in 1..=count {
        let message = format!("Subject: {number}\r\nFrom: bob@example.test\r\n\r\nbody of {number}\r\n");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    world
}

/// A client with QRESYNC; UIDVALIDITY and HIGHESTMODSEQ of its INBOX.
async fn qresync(world: &World) -> (Client, u64, u64) {
    let mut client = world.user("alice").await;
    assert_eq!(client.ok("ENABLE QRESYNC").await[0], "* ENABLED QRESYNC");
    let lines = client.ok("SELECT INBOX").await;
    let (validity, highest) = (code(&lines, "UIDVALIDITY"), code(&lines, "HIGHESTMODSEQ"));
    (client, validity, highest)
}

fn code(lines: &[String], name: &str) -> u64 {
    let found = lines.iter().rev().find_map(|line| {
        let rest = &line[line.find(&format!("[{name} "))? + name.len() + 2..];
        rest.split(']').next()?.parse().ok()
    });
    found.unwrap_or_else(|| panic!("{name} in {lines:?}"))
}

/// The lines about messages: VANISHED and FETCH, without mod-sequences.
fn news(lines: &[String]) -> Vec<String> {
    let of_messages =
        |line: &&String| line.starts_with("* ") && line.contains(" FETCH ") || line.starts_with("* VANISHED");
    let short = |line: &String| line.split(" MODSEQ").next().unwrap().to_owned();
    lines.iter().filter(of_messages).map(short).collect()
}

#[tokio::test]
async fn who_comes_back_is_told_only_what_changed() {
    let world = several(8).await;
    let (mut away, validity, highest) = qresync(&world).await;
    away.ok("UNSELECT").await;
    let mut other = world.inbox().await;
    other.ok("STORE 2,5 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    other.ok("UID STORE 7 +FLAGS (\\Flagged)").await;
    world
        .deliver("alice@example.test", b"Subject: new\r\n\r\nnew\r\n")
        .await;
    let lines = away
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} {highest}))"))
        .await;
    let told = [
        "* VANISHED (EARLIER) 2,5",
        "* 5 FETCH (UID 7 FLAGS (\\Flagged)",
        "* 7 FETCH (UID 9 FLAGS (\\Recent)",
    ];
    assert_eq!(news(&lines), told);
    let exists = lines.iter().position(|line| line == "* 7 EXISTS").unwrap();
    let vanished = lines
        .iter()
        .position(|line| line.starts_with("* VANISHED"))
        .unwrap();
    assert!(exists < vanished, "{lines:?}");
    // The same from another mailbox, which is closed with a word (RFC 7162 §3.2.11).
    let lines = away
        .ok(&format!(
            "SELECT INBOX (QRESYNC ({validity} {}))",
            code(&lines, "HIGHESTMODSEQ")
        ))
        .await;
    assert!(
        lines[0].starts_with("* OK [CLOSED]") && news(&lines).is_empty(),
        "{lines:?}"
    );
    // Only what the client knows; and nothing when it remembers another mailbox.
    let lines = away
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} {highest} 1:5))"))
        .await;
    assert_eq!(news(&lines), ["* VANISHED (EARLIER) 2,5"]);
    let lines = away
        .ok(&format!("SELECT INBOX (QRESYNC ({} {highest}))", validity + 1))
        .await;
    assert!(news(&lines).is_empty());
    // Sequence numbers that still fit bound what can have gone (§3.2.5.2): here message 1 is UID 1, and 3 was UID 3.
    let lines = away
        .ok(&format!(
            "SELECT INBOX (QRESYNC ({validity} {highest} 1:8 (1,3,6 1,3,6)))"
        ))
        .await;
    assert_eq!(
        news(&lines),
        ["* VANISHED (EARLIER) 2,5", "* 5 FETCH (UID 7 FLAGS (\\Flagged)"]
    );
    let lines = away
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} 1 1:8 (2,5 3,7)))"))
        .await;
    assert!(
        !news(&lines)[0].starts_with("* VANISHED"),
        "up to UID 7 nothing can have gone: {lines:?}"
    );
}

#[tokio::test]
async fn resynchronising_must_be_asked_for_in_order() {
    let world = several(2).await;
    let mut client = world.inbox().await;
    client.refused("SELECT INBOX (QRESYNC (1 1))", "BAD").await;
    client
        .refused("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "BAD")
        .await;
    client.ok("FETCH 1 FLAGS").await;
    client.ok("ENABLE QRESYNC").await;
    for wrong in [
        "SELECT INBOX (QRESYNC (0 1))",
        "SELECT INBOX (QRESYNC (1))",
        "SELECT INBOX (QRESYNC (1 1 1:*))",
        "SELECT INBOX (QRESYNC (1 1 1:2 (1 *)))",
        "SELECT INBOX (QRESYNC 1 1)",
        "FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1:* (FLAGS) (VANISHED)",
    ] {
        client.refused(wrong, "BAD").await;
    }
    assert_eq!(
        client.ok("FETCH 2 UID").await[0],
        "* 2 FETCH (UID 2)",
        "INBOX is still open"
    );
}

#[tokio::test]
async fn vanished_takes_the_place_of_expunge() {
    let world = several(6).await;
    let (mut client, _, highest) = qresync(&world).await;
    let mut other = world.inbox().await;
    other.ok("STORE 2:3 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    // Not while sequence numbers are in use.
    assert!(news(&client.ok("FETCH 6 UID").await) == ["* 6 FETCH (UID 6)"]);
    assert_eq!(news(&client.ok("NOOP").await), ["* VANISHED 2:3"]);
    assert_eq!(client.ok("FETCH 4 UID").await[0], "* 4 FETCH (UID 6)");
    // Its own: the highest mod-sequence in the answer (RFC 7162 §3.2.7).
    client.ok("UID STORE 5 +FLAGS.SILENT (\\Deleted)").await;
    let lines = client.ok("UID EXPUNGE 5").await;
    assert_eq!(news(&lines), ["* VANISHED 5"]);
    assert!(
        lines.last().unwrap().starts_with("OK [HIGHESTMODSEQ"),
        "{lines:?}"
    );
    let lines = client.ok("UID MOVE 6 Trash").await;
    assert_eq!(news(&lines), ["* VANISHED 6"]);
    // What went since, asked for (§3.2.6); also what went last.
    let lines = client
        .ok(&format!(
            "UID FETCH 3:* (FLAGS) (CHANGEDSINCE {highest} VANISHED)"
        ))
        .await;
    assert_eq!(news(&lines), ["* VANISHED (EARLIER) 3,5:6"]);
}

#[tokio::test]
async fn a_conditional_store_leaves_alone_what_changed() {
    let world = several(4).await;
    let (mut client, _, highest) = qresync(&world).await;
    let mut other = world.inbox().await;
    other.ok("STORE 2,4 +FLAGS (\\Flagged)").await;
    let lines = client
        .ok(&format!("STORE 1:4 (UNCHANGEDSINCE {highest}) +FLAGS (\\Seen)"))
        .await;
    assert!(
        lines.last().unwrap().starts_with("OK [MODIFIED 2,4]"),
        "{lines:?}"
    );
    let seen: Vec<&String> = lines.iter().filter(|line| line.contains("\\Seen")).collect();
    assert_eq!(seen.len(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("UID 2 ") && line.contains("\\Flagged")),
        "told why: {lines:?}"
    );
    // RFC 7162 §3.1.3: 0 means that no message may have the flag's change at all.
    let lines = client
        .ok("UID STORE 1:* (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Answered)")
        .await;
    assert!(
        lines.last().unwrap().starts_with("OK [MODIFIED 1:4]"),
        "{lines:?}"
    );
    let lines = client
        .ok(&format!("FETCH 1:* (FLAGS) (CHANGEDSINCE {highest})"))
        .await;
    assert_eq!(news(&lines).len(), 4);
    let lines = client.ok("STATUS INBOX (HIGHESTMODSEQ)").await;
    let status: u64 = lines[0]
        .split("HIGHESTMODSEQ ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')')
        .parse()
        .unwrap();
    assert!(status > highest);
}

/// After a backup was restored, clients remember changes that the server has not: they are told how everything is.
#[tokio::test]
async fn who_comes_from_the_future_is_told_everything() {
    let world = several(3).await;
    let mut other = world.inbox().await;
    other.ok("STORE 2 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    other.ok("STORE 1 +FLAGS (\\Seen)").await;
    let (mut client, validity, highest) = qresync(&world).await;
    let everything = [
        "* VANISHED (EARLIER) 2",
        "* 1 FETCH (UID 1 FLAGS (\\Seen)",
        "* 2 FETCH (UID 3 FLAGS ()",
    ];
    for (remembered, told) in [
        (highest, &everything[..0]),
        (highest + 1, &everything[..]),
        (i64::MAX as u64, &everything[..]),
    ] {
        let lines = client
            .ok(&format!("SELECT INBOX (QRESYNC ({validity} {remembered}))"))
            .await;
        assert_eq!(news(&lines), told, "{remembered} of {highest}");
    }
}

#[tokio::test]
async fn what_went_too_long_ago_is_worked_out_from_what_the_client_knows() {
    let world = several(5).await;
    let mut other = world.inbox().await;
    other.ok("STORE 2,4 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    other.ok("LOGOUT").await;
    // Tombstones are kept for ninety days; then the collector forgets them.
    world.clock.jump(std::time::Duration::from_secs(91 * 86_400));
    world.store.upkeep().collect().unwrap();
    let (mut client, validity, _) = qresync(&world).await;
    let lines = client
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} 1 1:5))"))
        .await;
    assert_eq!(news(&lines)[0], "* VANISHED (EARLIER) 2,4");
    let lines = client.ok(&format!("SELECT INBOX (QRESYNC ({validity} 1))")).await;
    assert_eq!(news(&lines)[0], "* VANISHED (EARLIER) 2,4");
    // The largest pair that fits saves naming what came before it.
    let lines = client
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} 1 1:5 (2 3)))"))
        .await;
    assert_eq!(news(&lines)[0], "* VANISHED (EARLIER) 4");
}

#[tokio::test]
async fn a_window_of_messages_is_counted_from_either_end() {
    let world = several(9).await;
    let mut client = world.inbox().await;
    let uids = |lines: Vec<String>| -> Vec<String> {
        news(&lines)
            .iter()
            .map(|line| line.split(['(', ')']).nth(1).unwrap().to_owned())
            .collect()
    };
    for (window, wanted) in [
        ("1:2", vec!["UID 3", "UID 4"]),
        ("2:1", vec!["UID 3", "UID 4"]),
        ("-1:-2", vec!["UID 8", "UID 9"]),
        ("6:100", vec!["UID 8", "UID 9"]),
        ("50:60", vec![]),
        ("-7:-9", vec!["UID 3"]),
    ] {
        let lines = client
            .ok(&format!("UID FETCH 3:* (UID) (PARTIAL {window})"))
            .await;
        assert_eq!(uids(lines), wanted, "{window}");
    }
    client.refused("UID FETCH 1:* (UID) (PARTIAL 1:-2)", "BAD").await;
    client.refused("UID FETCH 1:* (UID) (PARTIAL 0:2)", "BAD").await;
    client.refused("FETCH 1:* (UID) (PARTIAL 1:2)", "BAD").await;
}
