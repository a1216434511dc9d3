//! Rights in more mailboxes than one account is told of.

use crate::contract::{
    Conflict, NewAccount, Op, OpResult, PUBLIC_MAILBOXES_PER_ACCOUNT, SHARED_MAILBOXES, Store as _,
    StoreError,
};
use crate::contract_tests::make::{account, alice, commit, commit_all, mailbox};
use crate::rights::{Grantee, Rights, RightsChange, Side};
use crate::tests::support::World;

/// Whoever shows thousands of mailboxes to everybody hides no mailbox that another lets somebody into by name.
#[tokio::test]
async fn imp_5_what_is_shown_to_everybody_hides_nothing_given_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    let store = store.as_ref();
    let last = 20_000;
    for account in [
        person(2, "bob@example.test", 3),
        person(3, "carol@example.test", last),
    ] {
        commit(store, Op::CreateAccount { account })
            .await
            .expect("an account");
    }
    commit(store, alice()).await.expect("an account");
    let by_name = Grantee::Account(account(2));
    let both = vec![change(2, by_name), change(last, Grantee::Anyone)];
    commit_all(store, both).await.expect("rights");
    // Each begins with what holds above it.
    for some in below(SHARED_MAILBOXES as u64).chunks(500) {
        commit_all(store, some.to_vec()).await.expect("mailboxes");
    }
    let told = store.grants_to(account(2)).await.expect("rights");
    assert_eq!(told.len(), SHARED_MAILBOXES);
    assert!(told.is_sorted_by_key(|row| row.mailbox));
    assert!(told.iter().all(|row| row.who == by_name));
    let told = store.grants_to(account(3)).await.expect("rights");
    assert_eq!(told, [], "her own is hers");
}

/// One account fills nobody's list: by entries, or by making mailboxes below one that everybody sees.
#[tokio::test]
async fn imp_5_one_account_shows_everybody_so_many_mailboxes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    let store = store.as_ref();
    let account_of_bob = person(2, "bob@example.test", 20_000);
    let bob = Op::CreateAccount {
        account: account_of_bob,
    };
    commit_all(store, vec![alice(), bob]).await.expect("accounts");
    commit(store, change(2, Grantee::Anyone)).await.expect("rights");
    let many = PUBLIC_MAILBOXES_PER_ACCOUNT as u64 + 20;
    commit_all(store, below(many)).await.expect("mailboxes");
    let told = store.grants_to(account(2)).await.expect("rights");
    assert_eq!(told.len(), PUBLIC_MAILBOXES_PER_ACCOUNT);
    let last = 100 + many - 1;
    let refused = commit(store, change(last, Grantee::Anyone)).await;
    assert_eq!(refused, Err(StoreError::Conflict(Conflict::TooManyPublic)));
    let again = commit(store, change(100, Grantee::Anyone)).await;
    assert_eq!(again, Ok(OpResult::Done), "an entry that is there may change");
    let away = Op::ChangeGrant {
        mailbox: mailbox(100),
        who: Grantee::Anyone,
        side: Side::Given,
        change: RightsChange::Set(Rights::NONE),
    };
    commit(store, away).await.expect("rights");
    commit(store, change(last, Grantee::Anyone))
        .await
        .expect("there is room again");
    let told = store.grants_to(account(2)).await.expect("rights");
    assert_eq!(told.len(), PUBLIC_MAILBOXES_PER_ACCOUNT);
    assert_eq!(told.last().map(|row| row.mailbox), Some(mailbox(last)));
}

/// Mailboxes of the first account below its second.
fn below(many: u64) -> Vec<Op> {
    let below = (0..many).map(|n| Op::CreateMailbox {
        account: account(1),
        mailbox: mailbox(100 + n),
        parent: Some(mailbox(2)),
        name: n.to_string(),
        special_use: None,
    });
    below.collect()
}

fn person(n: u64, address: &str, inbox: u64) -> NewAccount {
    NewAccount {
        id: account(n),
        address: address.to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: mailbox(inbox),
        mailboxes: Vec::new(),
    }
}

fn change(at: u64, who: Grantee) -> Op {
    Op::ChangeGrant {
        mailbox: mailbox(at),
        who,
        side: Side::Given,
        change: RightsChange::Set(Rights::LOOKUP),
    }
}
