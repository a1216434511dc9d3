use serde_json::Value;

use super::{Place, password, spec};
use crate::admin::{AccountChange, AliasSpec};
use crate::{Change, Directory, DomainSettings, noted};

fn told(change: &Change) -> String {
    let state = |state: &Option<Value>| state.as_ref().map_or("-".to_owned(), Value::to_string);
    let secret = if change.password { " and a password" } else { "" };
    format!(
        "{} {}: {} > {}{secret}",
        change.noun,
        change.name,
        state(&change.before),
        state(&change.after)
    )
}

async fn audit(directory: &Directory) -> Vec<String> {
    let rows = directory.doors.store.audit(0).await.unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

/// What the audit says is what the states were and are.
#[tokio::test]
async fn a_note_has_the_state_before_and_after_and_is_in_the_change_s_batch() {
    let place = Place::new();
    let directory = place.with_people().await;
    assert!(audit(&directory).await.is_empty(), "nobody writes");
    let alias = AliasSpec {
        address: "Info@example.test".to_owned(),
        targets: vec!["alice@example.test".to_owned()],
    };
    let before = directory.account_known("alice@example.test");
    noted(told, async {
        directory.add_alias(alias).await.unwrap();
        let change = AccountChange {
            password: Some(password("a long secret")),
            name: Some("Alice".to_owned()),
            ..AccountChange::default()
        };
        directory.set_account("Alice@example.test", change).await.unwrap();
        directory.add_account(spec("carol@example.test")).await.unwrap();
        directory.remove_account("bob@example.test").await.unwrap();
        let same = DomainSettings::default();
        directory.set_domain("example.test", same).await.unwrap();
        let two = [
            "b.test".to_owned(),
            "A.test".to_owned(),
            "example.test".to_owned(),
        ];
        assert_eq!(directory.add_domains(&two).await.unwrap(), 2);
        assert!(directory.add_account(spec("carol@example.test")).await.is_err());
    })
    .await;
    let state = |known: Option<(String, Value)>| known.unwrap().1.to_string();
    let carol = state(directory.account_known("carol@example.test"));
    let want = [
        format!(
            "alias info@example.test: - > {}",
            state(directory.alias_known("info@example.test"))
        ),
        format!(
            "account alice@example.test: {} > {} and a password",
            state(before),
            state(directory.account_known("alice@example.test"))
        ),
        format!("account carol@example.test: - > {carol}"),
        format!("account bob@example.test: {carol} > -"),
        format!("domain a.test: - > {}", state(directory.domain_known("a.test"))),
        format!("domain b.test: - > {}", state(directory.domain_known("b.test"))),
    ];
    assert_eq!(audit(&directory).await, want);
}

/// Whatever the store refuses leaves neither the change nor its note.
#[tokio::test]
async fn a_change_that_is_refused_leaves_no_note_and_a_note_that_is_lost_no_change() {
    let place = Place::new();
    let directory = place.with_people().await;
    let many: Vec<String> = vec!["new.test".to_owned(), "not a domain".to_owned()];
    let refused = noted(told, directory.add_domains(&many)).await;
    assert!(refused.is_err());
    assert!(directory.domain("new.test").is_err(), "all or none");
    assert!(audit(&directory).await.is_empty());
}
