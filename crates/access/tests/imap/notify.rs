//! What a client is told without asking (RFC 5465).

use mail::ids::MailboxId;
use store::contract::{Batch, Op, Store as _, Urgency};
use store::rights::{Grantee, Rights, RightsChange, Side};

use crate::support::{Client, World};

const MAIL: &[u8] = b"Subject: x\r\n\r\nx\r\n";

/// Must come next, without a command.
async fn expect(client: &mut Client, lines: &[&str]) {
    for wanted in lines {
        assert_eq!(client.line().await, *wanted);
    }
}

/// Nothing came before the answer to this command.
async fn quiet(client: &mut Client) {
    let lines = client.ok("GETQUOTAROOT INBOX").await;
    let told: Vec<&String> = lines.iter().filter(|line| !line.contains("QUOTA")).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn notify_tells_of_the_open_mailbox_between_commands() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let mut other = world.inbox().await;
    client
        .ok("NOTIFY SET (selected (MessageNew (FLAGS BODY[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))")
        .await;
    world.deliver("alice@example.test", MAIL).await;
    let header =
        "* 1 FETCH (UID 1 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: x\r\n\r\n)";
    expect(&mut client, &["* 1 EXISTS", "* 1 RECENT", header]).await;
    other.ok("NOOP").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    expect(&mut client, &["* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))"]).await;
    other.ok("EXPUNGE").await;
    expect(&mut client, &["* 1 EXPUNGE"]).await;
    // What the client brings itself is not fetched for it.
    let lines = client.append("INBOX", MAIL).await;
    assert!(lines.starts_with("OK [APPENDUID"), "{lines}");
    quiet(&mut client).await;
    // It goes on in another mailbox, whichever is open.
    client.ok("CREATE Other").await;
    client.ok("SELECT Other").await;
    other.ok("NOOP").await;
    other.ok("UID COPY 2 Other").await;
    assert_eq!(client.line().await, "* 1 EXISTS");
}

#[tokio::test]
async fn delayed_expunges_wait_for_a_command_that_allows_them() {
    let world = World::new().await;
    for _ in 0..2 {
        world.deliver("alice@example.test", MAIL).await;
    }
    let mut client = world.inbox().await;
    let mut other = world.inbox().await;
    client
        .ok("NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))")
        .await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    assert!(
        client
            .line()
            .await
            .starts_with("* 1 FETCH (UID 1 FLAGS (\\Deleted")
    );
    other.ok("EXPUNGE").await;
    world.deliver("alice@example.test", MAIL).await;
    expect(&mut client, &["* 3 EXISTS", "* 3 RECENT"]).await;
    let lines = client.ok("FETCH 2 UID").await;
    assert_eq!(lines[..1], ["* 2 FETCH (UID 2)"], "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("EXPUNGE")), "{lines:?}");
    let lines = client.ok("NOOP").await;
    assert_eq!(lines[0], "* 1 EXPUNGE");
}

#[tokio::test]
async fn notify_tells_of_other_mailboxes_by_their_numbers() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    let mut other = world.inbox().await;
    other.ok("CREATE Lists/a").await;
    other.ok("CREATE Elsewhere").await;
    let lines = client
        .ok("NOTIFY SET STATUS (subtree Lists (MessageNew MessageExpunge)) (inboxes (MessageNew MessageExpunge FlagChange))")
        .await;
    let told: Vec<&str> = lines.iter().filter_map(|line| line.split(" (").next()).collect();
    assert_eq!(
        told[..3],
        ["* STATUS INBOX", "* STATUS Lists", "* STATUS Lists/a"]
    );
    assert!(
        lines[0].contains("HIGHESTMODSEQ") && !lines[1].contains("HIGHESTMODSEQ"),
        "{lines:?}"
    );
    world.deliver("alice@example.test", MAIL).await;
    let line = client.line().await;
    assert!(
        line.starts_with("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1 UIDVALIDITY "),
        "{line}"
    );
    other.ok("NOOP").await;
    other.ok("COPY 1 Elsewhere").await;
    other.ok("COPY 1 Lists/a").await;
    expect(&mut client, &["* STATUS Lists/a (MESSAGES 1 UIDNEXT 2)"]).await;
    other.ok("STORE 1 +FLAGS (\\Seen)").await;
    let line = client.line().await;
    assert!(
        line.starts_with("* STATUS INBOX (UNSEEN 0 UIDVALIDITY "),
        "{line}"
    );
    // Other flags are told to who knows mod-sequences.
    other.ok("STORE 1 +FLAGS (\\Flagged)").await;
    quiet(&mut client).await;
    client.ok("ENABLE CONDSTORE").await;
    other.ok("STORE 1 +FLAGS (\\Answered)").await;
    let line = client.line().await;
    assert!(line.starts_with("* STATUS INBOX (UIDVALIDITY "), "{line}");
    assert!(line.contains("HIGHESTMODSEQ"), "{line}");
    // A mailbox that is open is told of by SELECTED alone: here, not at all.
    client.ok("SELECT INBOX").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    world.deliver("alice@example.test", MAIL).await;
    quiet(&mut client).await;
    // When it is not open any more, what happened meanwhile is told.
    let lines = client.ok("UNSELECT").await;
    let told = match lines.len() {
        1 => client.line().await,
        _ => lines[0].clone(),
    };
    assert!(told.starts_with("* STATUS INBOX (MESSAGES 1 UIDNEXT 3"), "{told}");
}

#[tokio::test]
async fn notify_tells_of_names_subscriptions_and_notes() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    let mut other = world.user("alice").await;
    client
        .ok("NOTIFY SET (personal (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))")
        .await;
    other.ok("CREATE a").await;
    expect(&mut client, &["* LIST (\\HasNoChildren \\Subscribed) \"/\" a"]).await;
    other.ok("CREATE a/b").await;
    expect(
        &mut client,
        &[
            "* LIST (\\HasChildren \\Subscribed) \"/\" a",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b",
        ],
    )
    .await;
    other.ok("RENAME a x").await;
    expect(
        &mut client,
        &["* LIST (\\HasChildren \\Subscribed) \"/\" x (\"OLDNAME\" (a))"],
    )
    .await;
    other.ok("UNSUBSCRIBE x/b").await;
    expect(&mut client, &["* LIST (\\HasNoChildren) \"/\" x/b"]).await;
    other.ok("SUBSCRIBE x/b").await;
    expect(&mut client, &["* LIST (\\HasNoChildren \\Subscribed) \"/\" x/b"]).await;
    other.ok("DELETE x/b").await;
    expect(
        &mut client,
        &[
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" x",
            "* LIST (\\NonExistent \\Subscribed) \"/\" x/b",
        ],
    )
    .await;
    other.ok("UNSUBSCRIBE x/b").await;
    expect(&mut client, &["* LIST (\\NonExistent) \"/\" x/b"]).await;
    other
        .ok("SETMETADATA x (/private/comment \"c\" /shared/y \"1\")")
        .await;
    expect(&mut client, &["* METADATA x /private/comment /shared/y"]).await;
    other
        .ok("SETMETADATA x (/private/comment NIL /shared/y \"1\")")
        .await;
    expect(&mut client, &["* METADATA x /private/comment"]).await;
    other.ok("SETMETADATA \"\" (/private/comment \"mine\")").await;
    expect(&mut client, &["* METADATA \"\" /private/comment"]).await;
    // The client's own changes are no news to it.
    for own in [
        "CREATE own/below",
        "RENAME own mine",
        "SUBSCRIBE mine",
        "SETMETADATA mine (/private/comment \"c\")",
        "SETMETADATA \"\" (/private/z \"c\")",
        "UNSUBSCRIBE mine",
        "DELETE mine/below",
    ] {
        assert_eq!(client.ok(own).await.len(), 1, "{own}");
    }
    quiet(&mut client).await;
    other.ok("DELETE mine").await;
    expect(&mut client, &["* LIST (\\NonExistent) \"/\" mine"]).await;
}

#[tokio::test]
async fn notify_none_is_silence() {
    let world = World::new().await;
    for _ in 0..3 {
        world.deliver("alice@example.test", MAIL).await;
    }
    let mut client = world.inbox().await;
    let mut other = world.inbox().await;
    client.ok("NOTIFY NONE").await;
    world.deliver("alice@example.test", MAIL).await;
    other.ok("STORE 1 +FLAGS (\\Seen)").await;
    assert_eq!(client.ok("NOOP").await.len(), 1);
    // The client's own commands have their answers.
    let lines = client.ok("STORE 2 +FLAGS (\\Deleted)").await;
    assert!(lines[0].starts_with("* 2 FETCH (FLAGS (\\Deleted"), "{lines:?}");
    assert_eq!(client.ok("EXPUNGE").await[0], "* 2 EXPUNGE");
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH 1 3");
    // With the next NOTIFY everything is told that was not (§3.1).
    let lines = client.ok("NOTIFY SET (selected NONE)").await;
    assert_eq!(lines[0], "* 3 EXISTS");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* 1 FETCH (FLAGS (\\Seen")),
        "{lines:?}"
    );
    world.deliver("alice@example.test", MAIL).await;
    assert_eq!(client.ok("NOOP").await.len(), 1);
}

#[tokio::test]
async fn idle_and_notify_tell_the_same() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let mut other = world.user("alice").await;
    client
        .ok("NOTIFY SET (selected-delayed (MessageNew (UID) MessageExpunge)) (personal (MailboxName))")
        .await;
    client.send(b"i IDLE\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    other.ok("CREATE a").await;
    expect(&mut client, &["* LIST (\\HasNoChildren \\Subscribed) \"/\" a"]).await;
    world.deliver("alice@example.test", MAIL).await;
    expect(&mut client, &["* 1 EXISTS", "* 1 RECENT", "* 1 FETCH (UID 1)"]).await;
    other.ok("SELECT INBOX").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    expect(&mut client, &["* 1 EXPUNGE"]).await;
    client.send(b"DONE\r\n").await;
    assert!(client.line().await.starts_with("i OK"));
}

#[tokio::test]
async fn notify_refuses_what_it_cannot_tell() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    let line = client
        .refused(
            "NOTIFY SET (personal (MessageNew MessageExpunge AnnotationChange))",
            "NO [BADEVENT (",
        )
        .await;
    assert!(
        line.contains("MessageNew MessageExpunge FlagChange MailboxName"),
        "{line}"
    );
    client.refused("NOTIFY SET (personal (FlagChange))", "BAD").await;
    client.refused("NOTIFY SET (selected (MailboxName))", "BAD").await;
    // Names that do not exist are watched all the same: they may come.
    client
        .ok("NOTIFY SET STATUS (mailboxes (absent other) (MessageNew MessageExpunge MailboxName))")
        .await;
    let mut other = world.user("alice").await;
    other.ok("CREATE absent").await;
    expect(
        &mut client,
        &["* LIST (\\HasNoChildren \\Subscribed) \"/\" absent"],
    )
    .await;
}

/// IMP-5: nothing of another person's is told.
#[tokio::test]
async fn imp_5_notify_tells_nothing_of_others() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client
        .ok("NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)) (subtree bob NONE)")
        .await;
    let mut bob = world.user("bob").await;
    bob.ok("CREATE secret").await;
    bob.ok("SUBSCRIBE secret").await;
    bob.ok("SETMETADATA secret (/shared/comment \"x\")").await;
    world.deliver("bob@example.test", MAIL).await;
    quiet(&mut client).await;
}

async fn make_mailboxes(world: &World, from: u64, count: u64) {
    let account = world.account("alice@example.test").await;
    let create = |at: u64| Op::CreateMailbox {
        account,
        mailbox: mail::ids::Id::from_raw(1_000_000 + at),
        parent: None::<MailboxId>,
        name: format!("m{at}"),
        special_use: None,
    };
    let ops = (from..from + count).map(create).collect();
    let urgency = Urgency::Urgent;
    let _receipt = world.store.commit(Batch { urgency, ops }).await.unwrap();
}

/// RFC 5465 §5.8: too much is not told, and that is said.
#[tokio::test]
async fn imp_7_more_than_can_be_told_is_said_to_be() {
    let world = World::new().await;
    let limit = access::limits::NOTIFY_MAILBOXES as u64;
    let mut client = world.user("alice").await;
    client.ok("NOTIFY SET (personal (SubscriptionChange))").await;
    make_mailboxes(&world, 0, limit + 1).await;
    let line = client.line().await;
    assert!(line.starts_with("* OK [NOTIFICATIONOVERFLOW]"), "{line}");
    client
        .refused("NOTIFY SET (personal (MailboxName))", "NO [NOTIFICATIONOVERFLOW]")
        .await;
    client.ok("NOTIFY SET (subtree m1 (MailboxName))").await;
    let mut other = world.user("alice").await;
    other.ok("CREATE m1/a").await;
    assert!(
        client
            .line()
            .await
            .starts_with("* LIST (\\HasChildren \\Subscribed) \"/\" m1")
    );
}

/// IMP-5: of another's mailbox is told what one's rights let one know, and no more (RFC 5465 §5.9).
#[tokio::test]
async fn imp_5_notify_keeps_to_the_rights_in_shared_mailboxes() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    alice.ok("CREATE Team").await;
    alice.ok("CREATE Hidden").await;
    let mut bob = world.user("bob").await;
    let shared = "#shared/alice@example.test";
    bob.ok(&format!(
        "NOTIFY SET (subtree {shared} (MessageNew MessageExpunge MailboxName MailboxMetadataChange))"
    ))
    .await;
    alice.append("Team", MAIL).await;
    alice.append("Hidden", MAIL).await;
    quiet(&mut bob).await;
    alice.ok("SETACL Team bob@example.test lr").await;
    let line = bob.line().await;
    assert!(line.starts_with("* LIST (\\HasNoChildren"), "{line}");
    assert!(line.ends_with("/Team"), "{line}");
    assert!(
        bob.line()
            .await
            .starts_with(&format!("* STATUS {shared}/Team (MESSAGES 1 "))
    );
    alice.append("Team", MAIL).await;
    assert_eq!(
        bob.line().await,
        format!("* STATUS {shared}/Team (MESSAGES 2 UIDNEXT 3)")
    );
    alice
        .ok("SETMETADATA Team (/shared/comment \"x\" /private/comment \"y\")")
        .await;
    assert_eq!(
        bob.line().await,
        format!("* METADATA {shared}/Team /shared/comment")
    );
    // Without `r` there are no numbers any more, without `l` there is no name.
    alice.ok("SETACL Team bob@example.test l").await;
    assert_eq!(
        bob.line().await,
        format!("* LIST (\\NoAccess) \"/\" {shared}/Team")
    );
    alice.append("Team", MAIL).await;
    quiet(&mut bob).await;
    let lines = bob
        .ok(&format!(
            "NOTIFY SET STATUS (subtree {shared} (MessageNew MessageExpunge MailboxName))"
        ))
        .await;
    assert_eq!(lines[0], format!("* LIST (\\NoAccess) \"/\" {shared}/Team"));
    assert_eq!(lines.len(), 2, "{lines:?}");
    alice.ok("DELETEACL Team bob@example.test").await;
    let line = bob.line().await;
    assert!(
        line.starts_with("* LIST (\\NonExistent") && line.ends_with("/Team"),
        "{line}"
    );
}

/// What an operator changes on the command line is a commit and nothing else: whom it concerns is told all the same.
#[tokio::test]
async fn imp_5_notify_tells_of_rights_that_an_operator_gives() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    alice.ok("CREATE Team").await;
    alice.ok("CREATE News").await;
    let mut bob = world.user("bob").await;
    let shared = "#shared/alice@example.test";
    bob.ok(&format!("NOTIFY SET (subtree {shared} (MailboxName))"))
        .await;
    quiet(&mut bob).await;
    let account = world.account("bob@example.test").await;
    for (name, who, rights, told) in [
        (
            "Team",
            Grantee::Account(account),
            "lr",
            "* LIST (\\HasNoChildren)",
        ),
        ("News", Grantee::Anyone, "lr", "* LIST (\\HasNoChildren)"),
        ("News", Grantee::Anyone, "", "* LIST (\\NonExistent)"),
        ("Team", Grantee::Account(account), "", "* LIST (\\NonExistent)"),
    ] {
        operator_sets(&world, name, who, rights).await;
        let line = bob.line().await;
        assert!(line.starts_with(told), "{line}");
        assert!(line.ends_with(&format!("{shared}/{name}")), "{line}");
    }
    quiet(&mut bob).await;
}

async fn operator_sets(world: &World, name: &str, who: Grantee, rights: &str) {
    let alice = world.account("alice@example.test").await;
    let tree = world.store.mailboxes(alice).await.unwrap();
    let row = tree.into_iter().find(|row| row.name == name).unwrap();
    let change = Op::ChangeGrant {
        mailbox: row.id,
        who,
        side: Side::Given,
        change: RightsChange::Set(Rights::parse(rights).unwrap()),
    };
    world
        .store
        .commit(Batch::urgent(change))
        .await
        .unwrap()
        .committed();
}
