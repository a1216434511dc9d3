use mail::address::Path;

use super::{Place, mailbox};
use crate::Vouched;
use crate::admin::AliasSpec;
use crate::{Directory, Resolution};

const STRANGER: &str = "carol@elsewhere.test";

async fn alias(directory: &Directory, address: &str, targets: &[&str]) -> crate::AliasView {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    let spec = AliasSpec {
        address: address.to_owned(),
        targets,
    };
    directory.add_alias(spec).await.unwrap()
}

fn from(sender: &str) -> Path {
    Path::Mailbox(mailbox(sender))
}

/// `target via sender` of each forward.
fn forwards(found: &Resolution) -> Vec<String> {
    let one = |forward: &crate::Forward| {
        format!(
            "{} {} {}",
            forward.target(),
            forward.via(),
            forward.reverse_path()
        )
    };
    found.forwards().iter().map(one).collect()
}

#[tokio::test]
async fn an_alias_leads_here_and_elsewhere() {
    let place = Place::new();
    let directory = place.with_people().await;
    let view = alias(
        &directory,
        "team@example.test",
        &["alice@example.test", "x@elsewhere.test", "X@elsewhere.test"],
    )
    .await;
    assert_eq!(view.forwards, ["x@elsewhere.test", "X@elsewhere.test"]);
    alias(
        &directory,
        "all@example.test",
        &["team@example.test", "y@far.test", "bob@example.test"],
    )
    .await;
    let found = directory.resolve_from(
        &mailbox("all+tag@example.test"),
        &from("alice@example.test"),
        Vouched::Yes,
    );
    let here: Vec<String> = found
        .recipients()
        .iter()
        .map(|of| of.address().to_string())
        .collect();
    assert_eq!(here, ["bob@example.test", "alice@example.test"]);
    assert_eq!(
        forwards(&found),
        [
            "y@far.test all+tag@example.test <alice@example.test>",
            "x@elsewhere.test all+tag@example.test <alice@example.test>",
        ],
        "each once, under the address that was asked for; a sender of ours stays"
    );
}

#[tokio::test]
async fn a_strangers_sender_is_rewritten_and_reports_find_the_way_back() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "out@example.test", &["x@far.test"]).await;
    let out = mailbox("out@example.test");
    assert_eq!(
        forwards(&directory.resolve_from(&out, &Path::Null, Vouched::No)),
        ["x@far.test out@example.test <>"]
    );
    let found = directory.resolve_from(&out, &from(STRANGER), Vouched::No);
    let Path::Mailbox(back) = found.forwards()[0].reverse_path().clone() else {
        panic!("{found:?}");
    };
    assert_eq!(back.domain().as_str(), "example.test");
    assert_ne!(back, mailbox(STRANGER));
    let report = directory.resolve_from(&back, &Path::Null, Vouched::No);
    assert_eq!(forwards(&report), [format!("{STRANGER} {back} <>")]);
    assert_eq!(
        directory.resolve_from(&back, &from("spam@other.test"), Vouched::No),
        Resolution::ReportsOnly
    );
    let forged = mailbox(&back.to_string().replace("carol", "dave"));
    assert_eq!(
        directory.resolve_from(&forged, &Path::Null, Vouched::No),
        Resolution::UnknownUser
    );
    // A catch-all does not swallow them.
    alias(&directory, "@example.test", &["bob@example.test"]).await;
    assert_eq!(
        forwards(&directory.resolve_from(&back, &Path::Null, Vouched::No)).len(),
        1
    );
    assert_eq!(
        directory.resolve_from(&forged, &Path::Null, Vouched::No),
        Resolution::UnknownUser
    );
    place
        .clock
        .advance(std::time::Duration::from_secs(22 * 86_400))
        .await;
    assert_eq!(
        directory.resolve_from(&back, &Path::Null, Vouched::No),
        Resolution::UnknownUser
    );
}

#[tokio::test]
async fn a_long_sender_is_kept() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "out@example.test", &["x@far.test"]).await;
    let sender = format!("{}@elsewhere.test", "a".repeat(60));
    let found = directory.resolve_from(&mailbox("out@example.test"), &from(&sender), Vouched::Yes);
    assert_eq!(*found.forwards()[0].reverse_path(), from(&sender));
}

#[tokio::test]
async fn loop_2_an_alias_that_leads_back_is_named_when_it_is_set() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "a@example.test", &["x@far.test"]).await;
    alias(&directory, "b@example.test", &["a@example.test"]).await;
    let c = alias(
        &directory,
        "c@example.test",
        &["b@example.test", "a@example.test"],
    )
    .await;
    assert_eq!(c.leads_back_through, None, "a diamond is no loop");
    let spec = AliasSpec {
        address: "a@example.test".to_owned(),
        targets: vec!["x@far.test".to_owned(), "c@example.test".to_owned()],
    };
    let a = directory.set_alias(spec).await.unwrap();
    assert!(a.leads_back_through.is_some(), "{a:?}");
    let found = directory.resolve(&mailbox("c@example.test"));
    assert_eq!(forwards(&found).len(), 1, "the walk ends, and each is named once");
}

#[tokio::test]
async fn rel_5_a_forwarded_address_is_nobodys_own() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(
        &directory,
        "mixed@example.test",
        &["alice@example.test", "x@far.test"],
    )
    .await;
    let tables = directory.tables();
    let alice = directory.resolve(&mailbox("alice@example.test")).recipients()[0].account();
    assert!(tables.is_own(alice, &mailbox("alice@example.test")));
    assert!(!tables.is_own(alice, &mailbox("mixed@example.test")));
}

#[tokio::test]
async fn postmaster_may_lead_elsewhere() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "postmaster@example.test", &["admin@far.test"]).await;
    let sender = from("alice@example.test");
    let found = directory.resolve_postmaster_from(&sender, Vouched::Yes);
    assert_eq!(
        forwards(&found),
        ["admin@far.test postmaster@example.test <alice@example.test>"]
    );
}

#[tokio::test]
async fn rel_8_a_target_that_holds_another_command_is_no_address() {
    let place = Place::new();
    let directory = place.with_people().await;
    for target in [
        "x@far.test\r\nRCPT TO:<y@far.test>",
        "x@far.test> NOTIFY=NEVER",
        "x\0@far.test",
        "<x@far.test>",
        "x y@far.test",
        "x@far.test,y@far.test",
    ] {
        let spec = AliasSpec {
            address: "out@example.test".to_owned(),
            targets: vec![target.to_owned()],
        };
        let said = directory.add_alias(spec).await.expect_err(target).to_string();
        assert!(said.contains("is not an address"), "{said}");
    }
}

#[tokio::test]
async fn an_address_of_ours_that_a_stranger_made_up_does_not_leave_as_ours() {
    let place = Place::new();
    let directory = place.with_people().await;
    alias(&directory, "out@example.test", &["x@elsewhere.test"]).await;
    let sender = from("alice@example.test");
    let leaves_as = |vouched| match directory.resolve_from(&mailbox("out@example.test"), &sender, vouched) {
        Resolution::Local(reached) => reached.forwards()[0].reverse_path().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(leaves_as(Vouched::Yes), sender, "her own mail");
    let rewritten = leaves_as(Vouched::No).to_string();
    assert!(rewritten.starts_with("<SRS0="), "{rewritten}");
}
