//! Results that are kept up to date (RFC 5267).

use crate::support::{Client, World};

fn message(subject: &str, size: usize) -> Vec<u8> {
    let filler = "x".repeat(size);
    format!("From: a@b.test\r\nSubject: {subject}\r\n\r\n{filler}\r\n").into_bytes()
}

async fn world_of(subjects: &[(&str, usize)]) -> World {
    let world = World::new().await;
    for (subject, size) in subjects {
        world
            .deliver("alice@example.test", &message(subject, *size))
            .await;
    }
    world
}

/// Responses that say how results change; everything else is left out.
fn changes(lines: &[String]) -> Vec<&str> {
    let about = |line: &&str| line.contains("ADDTO") || line.contains("REMOVEFROM");
    lines.iter().map(String::as_str).filter(about).collect()
}

/// What comes up to and with the answer to the next NOOP: changes come when their cause is told.
async fn news(client: &mut Client) -> Vec<String> {
    let mut lines = client.ok("NOOP").await;
    lines.extend(client.ok("NOOP").await);
    lines
}

#[tokio::test]
async fn results_are_kept_up_to_date() {
    let world = world_of(&[("a", 1), ("b", 1), ("c", 1)]).await;
    let mut client = world.inbox().await;
    let mut other = world.inbox().await;
    let found = client.ok("UID SEARCH RETURN (UPDATE COUNT) UNSEEN").await;
    assert_eq!(found[0], "* ESEARCH (TAG \"t3\") UID COUNT 3");
    let found = client.ok("SEARCH RETURN (UPDATE) SUBJECT c").await;
    assert_eq!(found[0], "* ESEARCH (TAG \"t4\")");
    other.ok("STORE 1,3 +FLAGS (\\Seen)").await;
    let lines = news(&mut client).await;
    assert_eq!(changes(&lines), ["* ESEARCH (TAG \"t3\") UID REMOVEFROM (0 1,3)"]);
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start));
    assert!(place("* 1 FETCH") < place("* ESEARCH"), "{lines:?}");
    other.ok("STORE 3 -FLAGS (\\Seen)").await;
    for subject in ["c again", "d"] {
        world.deliver("alice@example.test", &message(subject, 1)).await;
    }
    let lines = news(&mut client).await;
    assert_eq!(
        changes(&lines),
        [
            "* ESEARCH (TAG \"t3\") UID ADDTO (0 3:5)",
            "* ESEARCH (TAG \"t4\") ADDTO (0 4)"
        ]
    );
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start));
    assert!(place("* 5 EXISTS") < place("* ESEARCH"), "{lines:?}");
    // What goes leaves the results before sequence numbers move.
    other.ok("NOOP").await;
    other.ok("STORE 2:4 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    let lines = news(&mut client).await;
    let told: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("ESEARCH") || line.contains("EXPUNGE"))
        .collect();
    assert_eq!(
        told,
        [
            "* ESEARCH (TAG \"t3\") UID REMOVEFROM (0 2:4)",
            "* ESEARCH (TAG \"t4\") REMOVEFROM (0 3:4)",
            "* 4 EXPUNGE",
            "* 3 EXPUNGE",
            "* 2 EXPUNGE"
        ]
    );
    client.ok("CANCELUPDATE \"t3\"").await;
    client.ok("CANCELUPDATE \"t4\" \"t99\"").await;
    other.ok("STORE 1 -FLAGS (\\Seen)").await;
    assert!(changes(&news(&mut client).await).is_empty());
}

#[tokio::test]
async fn own_changes_count_and_results_end_with_their_mailbox() {
    let world = world_of(&[("a", 1), ("b", 1)]).await;
    let mut client = world.inbox().await;
    client.ok("UID SEARCH RETURN (UPDATE ALL) FLAGGED").await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(
        changes(&client.ok("NOOP").await),
        ["* ESEARCH (TAG \"t3\") UID ADDTO (0 1)"]
    );
    // A message that came and matches is told of; what the client brought itself is not fetched for it.
    let uid_only = "UID SEARCH RETURN (UPDATE (UID FLAGS BODY[HEADER.FIELDS (SUBJECT)])) SUBJECT new";
    client.ok(uid_only).await;
    client.append("INBOX", &message("new", 1)).await;
    let lines = news(&mut client).await;
    assert_eq!(changes(&lines), ["* ESEARCH (TAG \"t6\") UID ADDTO (0 3)"]);
    assert!(!lines.iter().any(|line| line.contains("FETCH")), "{lines:?}");
    world.deliver("alice@example.test", &message("new too", 1)).await;
    let lines = news(&mut client).await;
    let fetched =
        "* 4 FETCH (UID 4 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT)] {20}\r\nSubject: new too\r\n\r\n)";
    let place = |wanted: &str| lines.iter().position(|line| line.starts_with(wanted));
    assert!(
        place("* 4 EXISTS") < place("* ESEARCH (TAG \"t6\") UID ADDTO (0 4)"),
        "{lines:?}"
    );
    assert!(
        place("* ESEARCH") < place(fetched) && place(fetched).is_some(),
        "{lines:?}"
    );
    let unseen = client.ok("SEARCH UNSEEN").await;
    assert_eq!(unseen[0], "* SEARCH 1 2 3 4", "looking changes nothing");
    client.ok("SELECT INBOX").await;
    let mut other = world.inbox().await;
    other.ok("STORE 1 -FLAGS (\\Flagged)").await;
    assert!(changes(&news(&mut client).await).is_empty());
}

#[tokio::test]
async fn sorted_results_are_kept_up_to_date() {
    let world = world_of(&[("m", 30), ("k", 10), ("p", 20)]).await;
    let mut client = world.inbox().await;
    let mut other = world.inbox().await;
    let found = client
        .ok("UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED")
        .await;
    assert_eq!(found[0], "* ESEARCH (TAG \"t3\") UID ALL 2,1,3");
    let found = client
        .ok("SORT RETURN (UPDATE CONTEXT COUNT) (REVERSE SIZE) UTF-8 ALL")
        .await;
    assert_eq!(found[0], "* ESEARCH (TAG \"t4\") COUNT 3");
    for (subject, size) in [("z", 25), ("a", 5), ("l", 50)] {
        world.deliver("alice@example.test", &message(subject, size)).await;
    }
    // By subject: k m p, then a k l m p z. By size: m 30, p 20, k 10; then l 50, m 30, z 25, p 20, k 10, a 5.
    assert_eq!(
        changes(&news(&mut client).await),
        [
            "* ESEARCH (TAG \"t3\") UID ADDTO (1 5 3 6 6 4)",
            "* ESEARCH (TAG \"t4\") ADDTO (1 6 3 4 6 5)"
        ]
    );
    other.ok("NOOP").await;
    other.ok("STORE 2,6 +FLAGS (\\Deleted)").await;
    assert_eq!(
        changes(&news(&mut client).await),
        ["* ESEARCH (TAG \"t3\") UID REMOVEFROM (2 2,6)"]
    );
    other.ok("STORE 6 -FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    assert_eq!(
        changes(&news(&mut client).await),
        [
            "* ESEARCH (TAG \"t4\") REMOVEFROM (5 2)",
            "* ESEARCH (TAG \"t3\") UID ADDTO (2 6)"
        ]
    );
}

/// A message that is placed in a long result is compared with a few of it; many new ones are sorted with all others.
#[tokio::test]
async fn new_messages_find_their_place_in_a_long_result() {
    let world = World::new().await;
    let subject = |at: usize| format!("{:03}", at * 7 % 101);
    for at in 0..60 {
        world
            .deliver("alice@example.test", &message(&subject(at), 1))
            .await;
    }
    let mut client = world.inbox().await;
    let found = client
        .ok("UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 ALL")
        .await;
    let mut kept: Vec<u32> = numbers(found[0].split("ALL ").nth(1).unwrap());
    let mut next = 60;
    for arriving in [1, 2, 1, 30] {
        for _ in 0..arriving {
            world
                .deliver("alice@example.test", &message(&subject(next), 1))
                .await;
            next += 1;
        }
        for line in changes(&news(&mut client).await) {
            let places = line.split("ADDTO (").nth(1).unwrap().trim_end_matches(')');
            let words: Vec<&str> = places.split(' ').collect();
            for pair in words.chunks(2) {
                let at = pair[0].parse::<usize>().unwrap() - 1;
                kept.splice(at..at, numbers(pair[1]));
            }
        }
        let anew = client.ok("UID SORT (REVERSE SUBJECT) UTF-8 ALL").await;
        let anew = anew[0].replace("* SORT ", "").replace(' ', ",");
        assert_eq!(kept, numbers(&anew), "after {next}");
    }
}

fn numbers(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

#[tokio::test]
async fn only_so_many_results_are_kept_up_to_date() {
    let world = world_of(&[("a", 1)]).await;
    let mut client = world.inbox().await;
    for _ in 0..access::limits::UPDATE_CONTEXTS {
        let lines = client.ok("SEARCH RETURN (UPDATE COUNT) ALL").await;
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
    let lines = client.ok("SEARCH RETURN (UPDATE COUNT) ALL").await;
    assert_eq!(lines[0], "* ESEARCH (TAG \"t11\") COUNT 1");
    assert!(lines[1].starts_with("* NO [NOUPDATE \"t11\"]"), "{lines:?}");
    client.ok("CANCELUPDATE \"t3\"").await;
    assert_eq!(client.ok("SEARCH RETURN (UPDATE COUNT) ALL").await.len(), 2);
    client.send(b"t4 SEARCH RETURN (UPDATE) ALL\r\n").await;
    assert!(client.line().await.starts_with("t4 BAD"));
    client.send(b"t4 SEARCH RETURN (COUNT) ALL\r\n").await;
    assert_eq!(client.line().await, "* ESEARCH (TAG \"t4\") COUNT 1");
    assert!(client.line().await.starts_with("t4 OK"));
    let lines = client.ok("ESEARCH RETURN (UPDATE COUNT) ALL").await;
    assert!(lines[0].starts_with("* NO [NOUPDATE"), "{lines:?}");
}

/// RFC 5267 §4.3.2: while a client idles it hears of changes as they happen.
#[tokio::test]
async fn idle_tells_how_results_change() {
    let world = world_of(&[("a", 1)]).await;
    let mut client = world.inbox().await;
    client.ok("UID SEARCH RETURN (UPDATE) TEXT needle").await;
    client.send(b"i IDLE\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    world.deliver("alice@example.test", &message("needle", 1)).await;
    assert_eq!(client.line().await, "* 2 EXISTS");
    assert_eq!(client.line().await, "* 2 RECENT");
    assert_eq!(client.line().await, "* ESEARCH (TAG \"t3\") UID ADDTO (0 2)");
    client.send(b"DONE\r\n").await;
    assert!(client.line().await.starts_with("i OK"));
}
