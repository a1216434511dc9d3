//! Whoever keeps what was read by the count of commits never shows less than somebody else has seen already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::contract::Store;
use crate::contract_tests::make::{account, alice, commit, deliver};
use crate::embedded::Embedded;
use crate::tests::support::World;

/// Messages that arrive meanwhile.
const ARRIVALS: u64 = 400;

async fn uidnext(store: &Embedded) -> u32 {
    let rows = store.mailboxes(account(1)).await.expect("mailboxes");
    rows.iter().map(|row| row.uidnext).max().expect("a mailbox")
}

/// Keeps a number while nothing is counted, as a reader with a memory does; another reader always asks.
async fn look_twice(store: Arc<Embedded>, done: Arc<AtomicBool>) -> u64 {
    let mut believed = 0;
    while !done.load(Ordering::Relaxed) {
        let counted = store.commits();
        let kept = uidnext(&store).await;
        loop {
            let seen = uidnext(&store).await;
            if counted.is_none() || store.commits() != counted {
                break;
            }
            assert_eq!(kept, seen, "kept by a count that has not moved");
            believed += 1;
            if done.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    believed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_seen_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    commit(store.as_ref(), alice()).await.expect("an account");
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(look_twice(Arc::clone(&store), Arc::clone(&done))))
        .collect();
    for n in 1..=ARRIVALS {
        deliver(store.as_ref(), n, b"x").await.expect("accepted");
    }
    assert!(store.commits().is_some(), "nothing is under way");
    done.store(true, Ordering::Relaxed);
    let mut believed = 0;
    for reader in readers {
        believed += reader.await.expect("a reader");
    }
    assert!(believed > 0, "something was kept, and compared");
}
