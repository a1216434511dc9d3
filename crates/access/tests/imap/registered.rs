//! Keywords and uses of mailboxes that are registered (RFC 9979): kept, found and told like all others.

use crate::support::World;

/// RFC 9979 §3 and what it registers with it. Some have a bit in the store, some a name; no client can tell.
const KEYWORDS: [&str; 18] = [
    "$notify",
    "$muted",
    "$followed",
    "$memo",
    "$hasmemo",
    "$hasattachment",
    "$hasnoattachment",
    "$autosent",
    "$unsubscribed",
    "$canunsubscribe",
    "$imported",
    "$istrusted",
    "$maskedemail",
    "$new",
    "$mailflagbit0",
    "$mailflagbit1",
    "$mailflagbit2",
    "$Important",
];

#[tokio::test]
async fn registered_keywords_are_kept() {
    let world = World::new().await;
    for keyword in KEYWORDS {
        let message = format!("Subject: {keyword}\r\n\r\nx\r\n");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let mut client = world.inbox().await;
    for (at, keyword) in KEYWORDS.iter().enumerate() {
        client
            .ok(&format!("STORE {} +FLAGS.SILENT ({keyword})", at + 1))
            .await;
    }
    drop(client);
    let world = world.reopened().await;
    let mut client = world.user("alice").await;
    let lines = client.ok("SELECT INBOX").await;
    let kept = lines
        .iter()
        .find(|line| line.contains("[PERMANENTFLAGS"))
        .unwrap()
        .to_lowercase();
    for (at, keyword) in KEYWORDS.iter().enumerate() {
        assert!(kept.contains(&keyword.to_lowercase()), "{keyword}: {kept}");
        for spelling in [keyword.to_lowercase(), keyword.to_uppercase()] {
            let lines = client.ok(&format!("SEARCH KEYWORD {spelling}")).await;
            assert_eq!(lines[0], format!("* SEARCH {}", at + 1), "{spelling}");
        }
    }
    client.ok("CREATE Later (USE (\\Snoozed))").await;
    client.ok("CREATE Notes (USE (\\Memos))").await;
    client.ok("CREATE Outgoing (USE (\\scheduled))").await;
    let lines = client.ok("LIST (SPECIAL-USE) \"\" *").await.join("|");
    for told in [
        "\\Snoozed) \"/\" Later",
        "\\Memos) \"/\" Notes",
        "\\Scheduled) \"/\" Outgoing",
    ] {
        assert!(lines.contains(told), "{told}: {lines}");
    }
    client
        .refused("CREATE Other (USE (\\Bogus))", "NO [USEATTR]")
        .await;
}
