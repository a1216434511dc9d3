//! The contract's suite against both sides.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::contract::{Batch, Op, Store};
use crate::contract_tests::make::{alice, commit, deliver, mailbox};
use crate::contract_tests::model::Model;
use crate::contract_tests::run_all;
use crate::tests::support::World;

#[tokio::test]
async fn the_embedded_backend_keeps_the_contract() {
    let cases = run_all(|| {
        let dir = tempfile::tempdir().expect("a directory");
        (World::new().open(dir.path()), Box::new(dir))
    });
    assert!(cases.await >= 20);
}

/// On a runtime with several workers a lone batch is committed by its own task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_backend_keeps_the_contract_on_the_callers_threads() {
    let cases = run_all(|| {
        let dir = tempfile::tempdir().expect("a directory");
        (World::new().open(dir.path()), Box::new(dir))
    });
    assert!(cases.await >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_commit_is_done_when_its_call_returns_and_a_crowd_shares() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    commit(store.as_ref(), alice()).await.expect("an account");
    deliver(store.as_ref(), 1, b"text")
        .await
        .expect("the first is calm");
    // The writer's thread answers a moment before it gives its turn back, so the first may still find it busy.
    let mut at_once = false;
    for n in 0..100 {
        let set = Op::SetSubscribed {
            mailbox: mailbox(1),
            subscribed: n % 2 == 0,
        };
        let mut answer = store.commit(Batch::urgent(set));
        at_once = matches!(
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Ok(_))
        );
        if at_once {
            break;
        }
        let _ = answer.await.expect("committed");
    }
    assert!(at_once, "one waits for nobody");
    let crowd = (2..=200).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { deliver(store.as_ref(), n, b"text").await.map(drop) })
    });
    for one in crowd.collect::<Vec<_>>() {
        one.await.expect("no panic").expect("committed");
    }
    let found = store.mailbox(mailbox(1)).await.expect("a read").expect("INBOX");
    assert_eq!(found.messages, 200);
}

#[tokio::test]
async fn the_model_keeps_the_contract() {
    let cases = run_all(|| (Arc::new(Model::new(World::new().clock.door())), Box::new(())));
    assert!(cases.await >= 20);
}
