//! Rights in more mailboxes than one account is told of.

use mail::ids::Id as _;

use crate::contract::{NewAccount, Op, SHARED_MAILBOXES, Store as _};
use crate::contract_tests::make::{account, alice, commit, commit_all, mailbox};
use crate::rights::{Grantee, Rights, RightsChange, Side};
use crate::tests::support::World;

/// Whoever shows thousands of mailboxes to everybody hides no mailbox that another lets somebody into by name.
#[tokio::test]
async fn imp_5_what_is_shown_to_everybody_hides_nothing_given_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    let store = store.as_ref();
    let person = |n, address: &str, inbox| NewAccount {
        id: account(n),
        address: address.to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: mailbox(inbox),
        mailboxes: Vec::new(),
    };
    let change = |at, who| Op::ChangeGrant {
        mailbox: mailbox(at),
        who,
        side: Side::Given,
        change: RightsChange::Set(Rights::LOOKUP),
    };
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
    let both = vec![change(2, Grantee::Anyone), change(last, by_name)];
    commit_all(store, both).await.expect("rights");
    // Each begins with what holds above it.
    let below = (0..SHARED_MAILBOXES as u64).map(|n| Op::CreateMailbox {
        account: account(1),
        mailbox: mailbox(100 + n),
        parent: Some(mailbox(2)),
        name: n.to_string(),
        special_use: None,
    });
    let below: Vec<Op> = below.collect();
    for some in below.chunks(500) {
        commit_all(store, some.to_vec()).await.expect("mailboxes");
    }
    let told = store.grants_to(account(2)).await.expect("rights");
    assert_eq!(told.len(), SHARED_MAILBOXES);
    assert!(told.is_sorted_by_key(|row| row.mailbox));
    let named = told.last().expect("a row");
    assert_eq!((named.mailbox, named.who), (mailbox(last), by_name));
    assert_eq!(told[0].mailbox, mailbox(2), "and the first of the others");
    assert!(mailbox(last).raw() > mailbox(100).raw());
}
