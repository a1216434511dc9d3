use std::sync::Arc;
use std::time::Duration;

use super::{ORIGIN, Place, mailbox, password, spec};
use crate::admin::{AccountChange, AliasSpec};
use crate::{AccountSpec, AuthFailure, Credential, Directory, DomainSettings};

async fn with_passwords(place: &Place) -> Arc<Directory> {
    let directory = place.open().await;
    directory
        .add_domain("example.test", DomainSettings::default())
        .await
        .unwrap();
    for name in ["alice", "bob"] {
        let credential = Credential::Password(password(&format!("{name}'s secret")));
        let spec = AccountSpec {
            credential,
            ..spec(&format!("{name}@example.test"))
        };
        directory.add_account(spec).await.unwrap();
    }
    directory.add_account(spec("nologin@example.test")).await.unwrap();
    let off = AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    directory.set_account("bob@example.test", off).await.unwrap();
    directory
}

async fn try_sign_in(directory: &Arc<Directory>, user: &str, text: &str) -> Result<String, AuthFailure> {
    let done = directory.authenticate(user, &password(text), ORIGIN).await;
    done.map(|signed_in| signed_in.address().to_string())
}

#[tokio::test]
async fn log_2_every_refusal_costs_one_hash_and_looks_the_same() {
    let place = Place::new();
    let directory = with_passwords(&place).await;
    let table = [
        ("alice@example.test", "wrong", "wrong password"),
        ("nobody@example.test", "alice's secret", "unknown user"),
        ("bob@example.test", "bob's secret", "disabled"),
        ("nologin@example.test", "anything at all", "no password set"),
        ("alice@elsewhere.test", "alice's secret", "unknown user"),
        ("alice+tag@example.test", "alice's secret", "unknown user"),
        ("alice", "alice's secret", "not an address"),
        ("alice@example.test\0", "alice's secret", "not an address"),
    ];
    for (user, text, reason) in table {
        let before = directory.hashing().checked();
        assert_eq!(
            try_sign_in(&directory, user, text).await,
            Err(AuthFailure::Rejected),
            "{user}"
        );
        assert_eq!(directory.hashing().checked(), before + 1, "{user} costs a hash");
        let events = place.events.named("directory.sign-in-refused");
        assert_eq!(events.last().unwrap().text("reason"), Some(reason), "{user}");
    }
}

#[tokio::test]
async fn a_password_that_was_right_is_remembered_for_ten_minutes() {
    let place = Place::new();
    let directory = with_passwords(&place).await;
    let checked = |directory: &Arc<Directory>| directory.hashing().checked();
    for _ in 0..3 {
        let who = try_sign_in(&directory, "Alice@Example.Test", "alice's secret").await;
        assert_eq!(who.as_deref(), Ok("alice@example.test"));
    }
    assert_eq!(checked(&directory), 1, "the second and third cost no hash");
    assert!(
        try_sign_in(&directory, "alice@example.test", "alice's secret ")
            .await
            .is_err()
    );
    place.clock.jump(Duration::from_secs(599));
    try_sign_in(&directory, "alice@example.test", "alice's secret")
        .await
        .unwrap();
    assert_eq!(checked(&directory), 2);
    place.clock.jump(Duration::from_secs(2));
    try_sign_in(&directory, "alice@example.test", "alice's secret")
        .await
        .unwrap();
    assert_eq!(
        checked(&directory),
        3,
        "forgotten after ten minutes, however often it was used"
    );
}

#[tokio::test]
async fn a_changed_password_forgets_the_old_one_and_a_disabled_account_is_out() {
    let place = Place::new();
    let directory = with_passwords(&place).await;
    let alice = directory
        .authenticate("alice@example.test", &password("alice's secret"), ORIGIN)
        .await
        .unwrap();
    let change = AccountChange {
        password: Some(password("a new secret")),
        ..AccountChange::default()
    };
    directory.set_account("alice@example.test", change).await.unwrap();
    assert!(
        try_sign_in(&directory, "alice@example.test", "alice's secret")
            .await
            .is_err()
    );
    assert!(
        try_sign_in(&directory, "alice@example.test", "a new secret")
            .await
            .is_ok()
    );
    assert!(alice.still_welcome() && alice.may_send_as(&mailbox("alice@example.test")));
    let off = AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    directory.set_account("alice@example.test", off).await.unwrap();
    assert!(
        try_sign_in(&directory, "alice@example.test", "a new secret")
            .await
            .is_err(),
        "although it is remembered"
    );
    assert!(!alice.still_welcome() && !alice.may_send_as(&mailbox("alice@example.test")));
    directory.remove_account("alice@example.test").await.unwrap();
    assert!(!alice.still_welcome());
}

#[tokio::test]
async fn accounts_that_share_a_verifier_share_one_hash() {
    let place = Place::new();
    let directory = with_passwords(&place).await;
    let shared = directory.verifier(&password("shared secret")).await.unwrap();
    let one = |number| AccountSpec {
        credential: Credential::Verifier(shared.clone()),
        ..spec(&format!("user{number}@example.test"))
    };
    assert_eq!(
        directory.add_accounts((0..600).map(one).collect()).await.unwrap(),
        600
    );
    let before = directory.hashing().checked();
    for number in [0, 7, 300, 599] {
        try_sign_in(&directory, &format!("user{number}@example.test"), "shared secret")
            .await
            .unwrap();
    }
    assert_eq!(directory.hashing().checked(), before + 1);
}

#[tokio::test]
async fn a_user_sends_as_the_addresses_that_reach_him() {
    let place = Place::new();
    let directory = with_passwords(&place).await;
    directory.add_account(spec("carol@example.test")).await.unwrap();
    for (address, target) in [
        ("info@example.test", "alice@example.test"),
        ("sales@example.test", "carol@example.test"),
    ] {
        let targets = vec![target.to_owned()];
        directory
            .add_alias(AliasSpec {
                address: address.to_owned(),
                targets,
            })
            .await
            .unwrap();
    }
    let both = vec!["alice@example.test".to_owned(), "carol@example.test".to_owned()];
    let shared = AliasSpec {
        address: "team@example.test".to_owned(),
        targets: both,
    };
    directory.add_alias(shared).await.unwrap();
    let alice = directory
        .authenticate("alice@example.test", &password("alice's secret"), ORIGIN)
        .await
        .unwrap();
    let table = [
        ("team@example.test", false),
        ("alice@example.test", true),
        ("ALICE+x@example.test", true),
        ("info@example.test", true),
        ("sales@example.test", false),
        ("carol@example.test", false),
        ("bob@example.test", false),
        ("nobody@example.test", false),
        ("postmaster@example.test", false),
        ("alice@elsewhere.test", false),
    ];
    for (address, may) in table {
        assert_eq!(alice.may_send_as(&mailbox(address)), may, "{address}");
    }
    assert_eq!(format!("{alice:?}"), "SignedIn(alice@example.test)");
}

#[tokio::test]
async fn log_2_all_spellings_of_a_name_have_one_salt_whether_it_is_there_or_not() {
    let place = Place::new();
    let directory = place.open().await;
    for domain in ["example.test", "b\u{fc}cher.test"] {
        directory
            .add_domain(domain, DomainSettings::default())
            .await
            .unwrap();
    }
    let generated = crate::Password::generate(&testkit::chance::SeededChance::new(5));
    let known = AccountSpec {
        credential: Credential::Password(generated),
        ..spec("alice@b\u{fc}cher.test")
    };
    directory.add_account(known).await.unwrap();
    let salt = |user: String| {
        let first = format!("n,,n={user},r=abc");
        let first = crate::scram::ClientFirst::read(first.as_bytes()).unwrap();
        let (challenge, _) = directory.scram_begin(first);
        challenge.split(',').nth(1).unwrap().to_owned()
    };
    let salts = ["alice", "nobody"].map(|name| {
        let salts = [
            format!("{name}@b\u{fc}cher.test"),
            format!("\"{name}\"@b\u{fc}cher.test"),
            format!("\"\\{name}\"@B\u{dc}CHER.test"),
            format!("{}@xn--bcher-kva.test", name.to_uppercase()),
        ]
        .map(salt);
        assert!(salts.iter().all(|salt| *salt == salts[0]), "{name}: {salts:?}");
        salts[0].clone()
    });
    assert_ne!(salts[0], salts[1]);
    assert_ne!(salt("nobody@example.test".to_owned()), salts[1]);
}
