use store::contract::SpecialUse;

use super::{Place, password, spec};
use crate::admin::{AccountChange, AliasSpec};
use crate::{AccountSpec, AdminError, Credential, DomainSettings};

fn alias(address: &str, targets: &[&str]) -> AliasSpec {
    AliasSpec {
        address: address.to_owned(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let place = Place::new();
    let before = {
        let directory = place.with_people().await;
        directory
            .add_alias(alias(
                "info@example.test",
                &["alice@example.test", "bob@example.test"],
            ))
            .await
            .unwrap();
        directory
            .add_alias(alias("@example.test", &["bob@example.test"]))
            .await
            .unwrap();
        let change = AccountChange {
            password: Some(password("alice's secret")),
            quota_bytes: Some(12345),
            name: Some("Alice Liddell".to_owned()),
            ..AccountChange::default()
        };
        directory.set_account("alice@example.test", change).await.unwrap();
        let many: Vec<AccountSpec> = (0..600)
            .map(|number| spec(&format!("user{number}@example.test")))
            .collect();
        directory.add_accounts(many).await.unwrap();
        (directory.domains(), directory.accounts(), directory.aliases())
    };
    let directory = place.open().await;
    assert_eq!(
        before,
        (directory.domains(), directory.accounts(), directory.aliases())
    );
    assert_eq!(directory.count_accounts(), 602);
    assert_eq!(
        directory.account("alice@example.test").unwrap().name.as_deref(),
        Some("Alice Liddell")
    );
    let loaded = place.events.named("directory.loaded");
    let last = loaded.last().unwrap();
    assert_eq!(
        (last.number("accounts"), last.number("aliases")),
        (Some(602), Some(2))
    );
}

#[tokio::test]
async fn a_new_account_has_its_mailboxes() {
    let place = Place::new();
    let directory = place.with_people().await;
    let account = directory
        .resolve(&super::mailbox("alice@example.test"))
        .recipients()[0]
        .account();
    let mut found: Vec<(String, Option<SpecialUse>)> = directory
        .doors
        .store
        .mailboxes(account)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.name, row.special_use))
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("Archive", Some(SpecialUse::Archive)),
        ("Drafts", Some(SpecialUse::Drafts)),
        ("INBOX", None),
        ("Junk", Some(SpecialUse::Junk)),
        ("Sent", Some(SpecialUse::Sent)),
        ("Trash", Some(SpecialUse::Trash)),
    ];
    assert_eq!(found, expected.map(|(name, usage)| (name.to_owned(), usage)));
}

#[tokio::test]
async fn refusals_say_what_to_do_and_change_nothing() {
    let place = Place::new();
    let directory = place.with_people().await;
    directory
        .add_alias(alias("info@example.test", &["alice@example.test"]))
        .await
        .unwrap();
    let before = (directory.domains(), directory.accounts(), directory.aliases());
    let with_password = |text: &str| AccountSpec {
        credential: Credential::Password(password(text)),
        ..spec("new@example.test")
    };
    let wrong: Vec<(Result<(), AdminError>, &str)> = vec![
        (
            directory.add_account(spec("nodomain")).await.map(drop),
            "Write it as name@domain.",
        ),
        (
            directory.add_account(spec("\"\"@example.test")).await.map(drop),
            "the address is empty",
        ),
        (
            directory.add_account(spec("a@other.test")).await.map(drop),
            "Add it first: hearthpost domain add other.test",
        ),
        (
            directory.add_account(spec("ALICE@example.test")).await.map(drop),
            "the account alice@example.test exists already",
        ),
        (
            directory.add_account(spec("info@example.test")).await.map(drop),
            "the alias info@example.test exists already",
        ),
        (
            directory.add_account(with_password("short")).await.map(drop),
            "shorter than 8 characters",
        ),
        (
            directory
                .add_account(with_password(&"x".repeat(1025)))
                .await
                .map(drop),
            "longer than 1024 bytes",
        ),
        (
            directory
                .add_account(with_password("with\nnewline"))
                .await
                .map(drop),
            "a control character",
        ),
        (
            directory
                .add_accounts(vec![spec("x@example.test"), spec("X@example.test")])
                .await
                .map(drop),
            "x@example.test is named twice",
        ),
        (
            directory
                .add_accounts(vec![spec("x@example.test"), spec("bob@example.test")])
                .await
                .map(drop),
            "bob@example.test exists",
        ),
        (
            directory.remove_account("nobody@example.test").await,
            "hearthpost account list",
        ),
        (
            directory.remove_account("info@example.test").await,
            "there is no account info@example.test",
        ),
        (
            directory
                .add_alias(alias("bob@example.test", &["alice@example.test"]))
                .await
                .map(drop),
            "the account bob@example.test exists already",
        ),
        (
            directory
                .add_alias(alias("x@example.test", &["away@"]))
                .await
                .map(drop),
            "is not an address",
        ),
        (
            directory
                .add_alias(alias("x@example.test", &["nobody@example.test"]))
                .await
                .map(drop),
            "is not an account or alias here",
        ),
        (
            directory.add_alias(alias("x@example.test", &[])).await.map(drop),
            "1 to 1000 addresses, not to 0",
        ),
        (
            directory.remove_alias("alice@example.test").await,
            "there is no alias alice@example.test",
        ),
        (
            directory
                .add_domain("example.test", DomainSettings::default())
                .await
                .map(drop),
            "the domain example.test exists already",
        ),
        (
            directory
                .add_domain("[127.0.0.1]", DomainSettings::default())
                .await
                .map(drop),
            "is not a domain name",
        ),
        (
            directory
                .add_domain("example..org", DomainSettings::default())
                .await
                .map(drop),
            "is not a domain name",
        ),
        (
            directory
                .add_domain(
                    "x.test",
                    DomainSettings {
                        separator: Some('@'),
                        ..DomainSettings::default()
                    },
                )
                .await
                .map(drop),
            "cannot divide a name from its tag",
        ),
        (
            directory.remove_domain("example.test").await,
            "still has accounts or aliases",
        ),
        (directory.remove_domain("other.test").await, "is not served here"),
    ];
    for (result, sentence) in wrong {
        let said = result.expect_err(sentence).to_string();
        assert!(said.contains(sentence), "expected {sentence:?} in {said:?}");
    }
    assert_eq!(
        before,
        (directory.domains(), directory.accounts(), directory.aliases())
    );
}

#[tokio::test]
async fn aliases_of_one_file_may_lead_to_each_other_and_removal_ends_them() {
    let place = Place::new();
    let directory = place.with_people().await;
    let many = vec![
        alias("a@example.test", &["b@example.test"]),
        alias("b@example.test", &["bob@example.test"]),
    ];
    assert_eq!(directory.add_aliases(many).await.unwrap(), 2);
    let to = |address: &str| directory.resolve(&super::mailbox(address)).recipients().len();
    assert_eq!(to("a@example.test"), 1);
    directory.remove_alias("b@example.test").await.unwrap();
    assert_eq!(to("a@example.test"), 0);
    directory.remove_alias("a@example.test").await.unwrap();
    directory.remove_account("alice@example.test").await.unwrap();
    directory.remove_account("bob@example.test").await.unwrap();
    directory.remove_domain("example.test").await.unwrap();
    assert_eq!(directory.domains().len(), 0);
    assert_eq!(
        place
            .events
            .named("directory.changed")
            .last()
            .unwrap()
            .text("verb"),
        Some("removed")
    );
}

#[tokio::test]
async fn the_mark_of_a_password_changes_whenever_one_is_set_and_only_then() {
    let place = Place::new();
    let directory = place.with_people().await;
    let mark = || directory.password_mark("alice@example.test").unwrap();
    assert_eq!(mark(), None);
    let set = |text: &str| AccountChange {
        password: Some(password(text)),
        ..AccountChange::default()
    };
    let mut marks = Vec::new();
    for text in ["alice's secret", "alice's secret", "another secret"] {
        directory
            .set_account("alice@example.test", set(text))
            .await
            .unwrap();
        marks.extend(mark());
    }
    marks.sort();
    marks.dedup();
    assert_eq!(
        marks.len(),
        3,
        "a new salt makes another mark of the same password"
    );
    let before = mark();
    let rename = AccountChange {
        name: Some("Alice Liddell".to_owned()),
        ..AccountChange::default()
    };
    directory.set_account("alice@example.test", rename).await.unwrap();
    assert_eq!(mark(), before);
    drop(directory);
    let again = place.open().await;
    assert_eq!(again.password_mark("alice@example.test").unwrap(), before);
    assert!(again.password_mark("nobody@example.test").is_err());
}

#[tokio::test]
async fn accounts_that_are_added_together_have_each_their_own_password_and_their_order() {
    let place = Place::new();
    let directory = place.open().await;
    directory
        .add_domain("example.test", DomainSettings::default())
        .await
        .unwrap();
    let named = |name: &str, credential: Credential| AccountSpec {
        credential,
        ..spec(&format!("{name}@example.test"))
    };
    let with = |name: &str| {
        named(
            name,
            Credential::Password(password(&format!("{name}'s own secret"))),
        )
    };
    let specs = vec![
        with("zoe"),
        named("nobody", Credential::None),
        with("yan"),
        with("abe"),
        with("bea"),
    ];
    assert_eq!(directory.add_accounts(specs).await.unwrap(), 5);
    for name in ["zoe", "yan", "abe", "bea"] {
        for other in ["zoe", "abe"] {
            let secret = password(&format!("{other}'s own secret"));
            let right = directory
                .has_password(&format!("{name}@example.test"), &secret)
                .await;
            assert_eq!(right.unwrap(), name == other, "{name} {other}");
        }
    }
    assert!(!directory.account("nobody@example.test").unwrap().can_sign_in);
    let first = directory.resolve(&super::mailbox("postmaster@example.test"));
    let oldest = directory.account_of("zoe@example.test").unwrap();
    assert_eq!(first.recipients()[0].account(), oldest);
}
