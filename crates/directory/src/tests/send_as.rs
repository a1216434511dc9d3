use super::{ORIGIN, Place, mailbox, password, spec};
use crate::admin::AccountChange;
use crate::{AccountSpec, Credential, DomainSettings};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn rel_5_a_grant_lets_one_account_send_as_what_it_names() {
    let place = Place::new();
    let directory = place.with_people().await;
    directory
        .add_domain("other.test", DomainSettings::default())
        .await
        .unwrap();
    directory
        .add_domain_alias("new.test", "other.test")
        .await
        .unwrap();
    let carol = AccountSpec {
        credential: Credential::Password(password("carol's secret")),
        ..spec("carol@example.test")
    };
    directory.add_account(carol).await.unwrap();
    let carol = directory
        .authenticate("carol@example.test", &password("carol's secret"), ORIGIN)
        .await
        .unwrap();
    assert!(!carol.may_send_as(&mailbox("bob@example.test")));
    let granted = directory
        .grant_send_as(
            "carol@example.test",
            &names(&["Bob@example.test", "@other.test", "bob@example.test"]),
        )
        .await
        .unwrap();
    assert_eq!(granted, ["@other.test", "bob@example.test"]);
    let change = AccountChange {
        name: Some("Carol".to_owned()),
        ..AccountChange::default()
    };
    directory.set_account("carol@example.test", change).await.unwrap();
    let table = [
        ("carol@example.test", true),
        ("bob@example.test", true),
        ("BOB+x@example.test", true),
        ("alice@example.test", false),
        ("anybody@other.test", true),
        ("anybody@new.test", true),
        ("anybody@sub.other.test", false),
        ("anybody@elsewhere.test", false),
    ];
    for (address, may) in table {
        assert_eq!(carol.may_send_as(&mailbox(address)), may, "{address}");
    }
    let left = directory
        .revoke_send_as("carol@example.test", &names(&["@other.test"]))
        .await
        .unwrap();
    assert_eq!(left, ["bob@example.test"]);
    assert_eq!(directory.send_as("carol@example.test").unwrap(), left);
    assert!(!carol.may_send_as(&mailbox("anybody@other.test")));
    let off = AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    directory.set_account("carol@example.test", off).await.unwrap();
    assert!(!carol.may_send_as(&mailbox("bob@example.test")));
}

#[tokio::test]
async fn a_grant_that_cannot_be_is_refused() {
    let place = Place::new();
    let directory = place.with_people().await;
    let alice = "alice@example.test";
    let wrong = [
        (
            directory
                .grant_send_as(alice, &names(&["x@elsewhere.test"]))
                .await,
            "is not served here",
        ),
        (
            directory.grant_send_as(alice, &names(&["nonsense"])).await,
            "is not an address",
        ),
        (
            directory
                .grant_send_as("zoe@example.test", &names(&["@example.test"]))
                .await,
            "there is no account",
        ),
        (
            directory
                .revoke_send_as(alice, &names(&["bob@example.test"]))
                .await,
            "not allowed to send as",
        ),
    ];
    for (result, sentence) in wrong {
        let said = result.expect_err(sentence).to_string();
        assert!(said.contains(sentence), "expected {sentence:?} in {said:?}");
    }
}
