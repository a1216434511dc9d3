use mail::ids::{BlobId, Id};
use store::contract::{Batch, Op};
use store::flags::Flags;

use super::{Place, mailbox, spec};
use crate::admin::{AccountChange, AliasSpec};
use crate::limits::USAGE_REST;
use crate::{Directory, DomainSettings, Resolution};

/// The local parts of who gets it, with the tag, or the word for nobody.
fn who(directory: &Directory, address: &str) -> String {
    said(&directory.resolve(&mailbox(address)))
}

fn said(resolution: &Resolution) -> String {
    match resolution {
        Resolution::Local(reached) => {
            let recipients = reached.recipients();
            let one = |found: &crate::LocalRecipient| match found.tag() {
                Some(tag) => format!("{}+{tag}", found.address().local()),
                None => found.address().local().to_string(),
            };
            let forwards = reached
                .forwards()
                .iter()
                .map(|forward| format!("to:{}", forward.target()));
            recipients
                .iter()
                .map(one)
                .chain(forwards)
                .collect::<Vec<_>>()
                .join(" ")
        }
        Resolution::UnknownUser => "unknown".to_owned(),
        Resolution::Disabled => "disabled".to_owned(),
        Resolution::ReportsOnly => "reports only".to_owned(),
        Resolution::NotOurs => "not ours".to_owned(),
    }
}

async fn alias(directory: &Directory, address: &str, targets: &[&str]) {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    directory
        .add_alias(AliasSpec {
            address: address.to_owned(),
            targets,
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn addresses_lead_where_they_should() {
    let place = Place::new();
    let directory = place.with_people().await;
    directory.add_account(spec("carol@example.test")).await.unwrap();
    let off = AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    directory.set_account("carol@example.test", off).await.unwrap();
    let plain = DomainSettings {
        separator: None,
        ..DomainSettings::default()
    };
    directory.add_domain("plain.test", plain).await.unwrap();
    directory.add_account(spec("dora@plain.test")).await.unwrap();
    alias(
        &directory,
        "all@example.test",
        &["alice@example.test", "bob@example.test", "carol@example.test"],
    )
    .await;
    alias(
        &directory,
        "team@example.test",
        &["all@example.test", "alice+team@example.test"],
    )
    .await;
    alias(&directory, "gone@example.test", &["carol@example.test"]).await;
    alias(&directory, "alice+vip@example.test", &["bob@example.test"]).await;
    alias(&directory, "@plain.test", &["dora@plain.test"]).await;
    let table = [
        ("alice@example.test", "alice"),
        ("ALICE@Example.TEST", "alice"),
        ("alice+News@example.test", "alice+News"),
        ("alice+a+b@example.test", "alice+a+b"),
        ("alice+@example.test", "alice+"),
        ("+alice@example.test", "unknown"),
        ("alice+vip@example.test", "bob"),
        ("all@example.test", "alice bob"),
        ("all+x@example.test", "alice+x bob+x"),
        ("team@example.test", "alice+team bob"),
        ("carol@example.test", "disabled"),
        ("carol+x@example.test", "disabled"),
        ("gone@example.test", "disabled"),
        ("nobody@example.test", "unknown"),
        ("\"\"@example.test", "unknown"),
        ("dora+x@plain.test", "dora"),
        ("anything@plain.test", "dora"),
        ("alice@elsewhere.test", "not ours"),
        ("alice@sub.example.test", "not ours"),
        ("alice@[127.0.0.1]", "not ours"),
    ];
    for (address, expected) in table {
        assert_eq!(who(&directory, address), expected, "{address}");
    }
    let found = directory.resolve(&mailbox("Alice+News@example.test"));
    assert_eq!(
        found.recipients()[0].address().to_string(),
        "alice@example.test",
        "Delivered-To is the main address"
    );
    assert_eq!(
        found.recipients()[0].original().to_string(),
        "Alice+News@example.test"
    );
}

#[tokio::test]
async fn alias_loops_end_and_each_account_is_named_once() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "a@example.test", &["alice@example.test"]).await;
    alias(
        &directory,
        "b@example.test",
        &["a@example.test", "bob@example.test"],
    )
    .await;
    let again = AliasSpec {
        address: "a@example.test".to_owned(),
        targets: vec![
            "b@example.test".to_owned(),
            "alice@example.test".to_owned(),
            "a@example.test".to_owned(),
        ],
    };
    directory.set_alias(again).await.unwrap();
    assert_eq!(who(&directory, "a@example.test"), "alice bob");
    assert_eq!(who(&directory, "b@example.test"), "bob alice");
    let only_itself = AliasSpec {
        address: "a@example.test".to_owned(),
        targets: vec!["a@example.test".to_owned()],
    };
    directory.set_alias(only_itself).await.unwrap();
    assert_eq!(who(&directory, "a@example.test"), "unknown");
}

#[tokio::test]
async fn a_chain_of_aliases_is_followed_ten_deep_and_no_further() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "l1@example.test", &["alice@example.test"]).await;
    for level in 2..=11 {
        let (from, to) = (
            format!("l{level}@example.test"),
            format!("l{}@example.test", level - 1),
        );
        alias(&directory, &from, &[&to]).await;
    }
    assert_eq!(who(&directory, "l10@example.test"), "alice");
    assert_eq!(who(&directory, "l11@example.test"), "unknown");
}

#[tokio::test]
async fn postmaster_is_always_delivered() {
    let place = Place::new();
    let directory = place.with_people().await;
    directory
        .add_domain("empty.test", DomainSettings::default())
        .await
        .unwrap();
    assert_eq!(
        who(&directory, "PostMaster@example.test"),
        "alice",
        "the oldest account"
    );
    assert_eq!(who(&directory, "postmaster+x@example.test"), "alice");
    assert_eq!(
        who(&directory, "postmaster@empty.test"),
        "alice",
        "a domain without accounts: the server's oldest"
    );
    assert_eq!(who(&directory, "postmaster@elsewhere.test"), "not ours");
    assert_eq!(
        said(&directory.resolve_postmaster_from(&mail::address::Path::Null, crate::Vouched::No)),
        "alice"
    );
    alias(&directory, "@example.test", &["bob@example.test"]).await;
    assert_eq!(
        who(&directory, "postmaster@example.test"),
        "alice",
        "before the catch-all"
    );
    let to_bob = DomainSettings {
        postmaster: Some("bob@example.test".to_owned()),
        ..DomainSettings::default()
    };
    directory.set_domain("example.test", to_bob).await.unwrap();
    let found = directory.resolve(&mailbox("postmaster@example.test"));
    assert_eq!(said(&found), "bob");
    assert_eq!(
        found.recipients()[0].original().to_string(),
        "postmaster@example.test"
    );
    directory
        .add_account(spec("postmaster@example.test"))
        .await
        .unwrap();
    assert_eq!(who(&directory, "postmaster@example.test"), "postmaster");
    let off = || AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    directory
        .set_account("postmaster@example.test", off())
        .await
        .unwrap();
    assert_eq!(
        who(&directory, "postmaster@example.test"),
        "bob",
        "a disabled postmaster does not swallow it"
    );
    directory.set_account("bob@example.test", off()).await.unwrap();
    assert_eq!(who(&directory, "postmaster@example.test"), "alice");
    directory.set_account("alice@example.test", off()).await.unwrap();
    assert_eq!(
        who(&directory, "postmaster@example.test"),
        "disabled",
        "nobody at all is left"
    );
}

#[tokio::test]
async fn quota_is_reserved_and_follows_what_is_stored() {
    let place = Place::new();
    let directory = place.with_people().await;
    let small = AccountChange {
        quota_bytes: Some(1000),
        ..AccountChange::default()
    };
    directory.set_account("alice@example.test", small).await.unwrap();
    let found = directory.resolve(&mailbox("alice@example.test"));
    let alice = &found.recipients()[0];
    let held = directory.reserve(alice, 600).unwrap();
    assert!(directory.reserve(alice, 600).is_none());
    drop(held);
    let store = directory.doors.store.clone();
    let inbox = store
        .mailboxes(alice.account())
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.name == "INBOX")
        .unwrap();
    let mut stage = store.stage(BlobId::from_raw(1 << 30));
    stage.write(&[b'x'; 900]).await.unwrap();
    let body = stage.finish().await.unwrap();
    let append = Op::Append {
        account: alice.account(),
        mailbox: inbox.id,
        body,
        flags: Flags::default(),
        internal_date: world::clock::UnixMs(0),
    };
    let _ = store.commit(Batch::urgent(append)).await.unwrap();
    let patience = std::time::Duration::from_secs(60);
    let counted = tokio::time::timeout(patience, async {
        while directory.account("alice@example.test").unwrap().used_bytes < 900 {
            // The count rests after each look.
            place.clock.advance(USAGE_REST).await;
        }
    });
    counted.await.expect("it is counted");
    assert!(directory.reserve(alice, 200).is_none(), "900 of 1000 are used");
    assert!(directory.reserve(alice, 50).is_some());
}
