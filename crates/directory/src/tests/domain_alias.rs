use super::{Place, mailbox, spec};
use crate::admin::AliasSpec;
use crate::{DomainSettings, Resolution};

#[tokio::test]
async fn a_domain_alias_has_the_addresses_of_the_other() {
    let place = Place::new();
    let directory = place.with_people().await;
    let view = directory
        .add_domain_alias("NEW.test", "example.test")
        .await
        .unwrap();
    assert_eq!(
        (view.name.as_str(), view.of.as_str()),
        ("new.test", "example.test")
    );
    for (address, who) in [
        ("alice@new.test", "alice@example.test"),
        ("Bob+x@new.test", "bob@example.test"),
        ("postmaster@new.test", "alice@example.test"),
    ] {
        let found = directory.resolve(&mailbox(address));
        assert_eq!(found.recipients()[0].address().to_string(), who, "{address}");
        assert_eq!(found.recipients()[0].original().to_string(), address);
    }
    assert_eq!(
        directory.resolve(&mailbox("nobody@new.test")),
        Resolution::UnknownUser
    );
    let tables = directory.tables();
    let alice = directory.resolve(&mailbox("alice@example.test")).recipients()[0].account();
    assert!(tables.is_own(alice, &mailbox("alice+x@new.test")));
    assert!(!tables.is_own(alice, &mailbox("bob@new.test")));
    drop(tables);
    drop(directory);
    let directory = place.open().await;
    assert_eq!(directory.domain_aliases(), [view]);
    directory.remove_domain_alias("new.test").await.unwrap();
    assert_eq!(directory.resolve(&mailbox("alice@new.test")), Resolution::NotOurs);
}

#[tokio::test]
async fn a_domain_alias_is_one_step_and_has_no_names_of_its_own() {
    let place = Place::new();
    let directory = place.with_people().await;
    directory
        .add_domain_alias("new.test", "example.test")
        .await
        .unwrap();
    directory
        .add_domain("full.test", DomainSettings::default())
        .await
        .unwrap();
    directory.add_account(spec("dora@full.test")).await.unwrap();
    let alias = |address: &str| AliasSpec {
        address: address.to_owned(),
        targets: vec!["alice@example.test".to_owned()],
    };
    let wrong = [
        (
            directory.add_domain_alias("x.test", "new.test").await.map(drop),
            "is an alias",
        ),
        (
            directory
                .add_domain_alias("example.test", "full.test")
                .await
                .map(drop),
            "Remove it first",
        ),
        (
            directory
                .add_domain_alias("full.test", "example.test")
                .await
                .map(drop),
            "still has accounts",
        ),
        (
            directory.add_domain_alias("x.test", "y.test").await.map(drop),
            "is not served here",
        ),
        (
            directory
                .add_domain_alias("full.test", "full.test")
                .await
                .map(drop),
            "is an alias",
        ),
        (
            directory.remove_domain("example.test").await,
            "is an alias of example.test",
        ),
        (
            directory.remove_domain_alias("full.test").await,
            "there is no domain alias",
        ),
        (
            directory.add_account(spec("eve@new.test")).await.map(drop),
            "no names of its own",
        ),
        (
            directory.add_alias(alias("info@new.test")).await.map(drop),
            "no names of its own",
        ),
    ];
    for (result, sentence) in wrong {
        let said = result.expect_err(sentence).to_string();
        assert!(said.contains(sentence), "expected {sentence:?} in {said:?}");
    }
}
