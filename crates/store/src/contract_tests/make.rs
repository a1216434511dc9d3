//! Builders of identifiers, bodies and operations for tests of stores.

use bytes::Bytes;
use mail::ids::{AccountId, BlobId, Id, MailboxId, QueueId};
use world::clock::UnixMs;

use crate::contract::{
    Accept, Accepted, Batch, Body, Delivery, NewAccount, Op, OpResult, Receipt, Result, Store, Target,
    Waiting,
};
use crate::flags::Flags;

/// The moment test identifiers are made at.
pub const START_MS: u64 = 1_000_000_000_000;

/// The lane of recipients who wait.
pub const LANE: &str = "elsewhere.test -";

/// Between the due time and the deadline of recipients who wait, in milliseconds.
pub const DEADLINE_MS: u64 = 1_000_000;

const fn raw(kind: u64, number: u64) -> u64 {
    (START_MS << 21) + (kind << 28) + number
}

/// Account number `n`.
pub fn account(n: u64) -> AccountId {
    AccountId::from_raw(raw(1, n))
}

/// Mailbox number `n`.
pub fn mailbox(n: u64) -> MailboxId {
    MailboxId::from_raw(raw(2, n))
}

/// Body number `n`.
pub fn blob(n: u64) -> BlobId {
    BlobId::from_raw(raw(3, n))
}

/// Acceptance number `n`.
pub fn queue_id(n: u64) -> QueueId {
    QueueId::from_raw(raw(4, n))
}

/// Stages a body and finishes it.
pub async fn body(store: &dyn Store, n: u64, bytes: &[u8]) -> Result<Body> {
    let mut stage = store.stage(blob(n));
    for part in bytes.chunks(10_000) {
        stage.write(part).await?;
    }
    stage.finish().await
}

/// Account 1 with INBOX (mailbox 1) and Archive (mailbox 2).
pub fn alice() -> Op {
    let account = NewAccount {
        id: account(1),
        address: "alice@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: mailbox(1),
        mailboxes: vec![(mailbox(2), "Archive".to_owned(), None)],
    };
    Op::CreateAccount { account }
}

/// A delivery to the INBOX of an account.
pub fn delivery(recipient: u32, account: AccountId) -> Delivery {
    let prefix = format!("Delivered-To: {account}\r\n").into_bytes();
    Delivery {
        recipient,
        account,
        prefix,
        targets: vec![(Target::Inbox, Flags::default())],
    }
}

/// A recipient who waits until `due_ms`.
pub fn waiting(recipient: u32, due_ms: u64) -> Waiting {
    Waiting {
        recipient,
        address: format!("user{recipient}@elsewhere.test"),
        account: None,
        lane: LANE.to_owned(),
        due: UnixMs(due_ms),
        deadline: UnixMs(due_ms + DEADLINE_MS),
        reason: "not tried yet".to_owned(),
        params: "{}".to_owned(),
    }
}

/// An acceptance.
pub fn accept(n: u64, body: Body, deliveries: Vec<Delivery>, waiting: Vec<Waiting>) -> Op {
    Op::Accept(Box::new(Accept {
        queue_id: queue_id(n),
        body,
        reverse_path: "sender@elsewhere.test".to_owned(),
        received_at: UnixMs(START_MS + n),
        queue_prefix: b"Received: here\r\n".to_vec(),
        envelope: "{}".to_owned(),
        deliveries,
        waiting,
    }))
}

/// Commits one operation.
pub async fn commit(store: &dyn Store, op: Op) -> Result<OpResult> {
    commit_all(store, vec![op])
        .await
        .map(|mut receipt| receipt.results.remove(0))
}

/// Commits several operations together.
pub async fn commit_all(store: &dyn Store, ops: Vec<Op>) -> Result<Receipt> {
    let batch = Batch {
        urgency: crate::contract::Urgency::Urgent,
        ops,
    };
    store
        .commit(batch)
        .await
        .map(|durable| durable.committed().clone())
}

/// Delivers `bytes` as body and acceptance number `n` to account 1's INBOX.
pub async fn deliver(store: &dyn Store, n: u64, bytes: &[u8]) -> Result<Accepted> {
    let body = body(store, n, bytes).await?;
    match commit(store, accept(n, body, vec![delivery(0, account(1))], Vec::new())).await? {
        OpResult::Accepted(accepted) => Ok(accepted),
        other => panic!("an acceptance was answered with {other:?}"),
    }
}

/// The whole body.
pub async fn read_all(store: &dyn Store, blob: BlobId, size_bytes: u64) -> Result<Bytes> {
    let mut all = Vec::new();
    while (all.len() as u64) < size_bytes {
        let part = store.read_body(blob, all.len() as u64, size_bytes).await?;
        assert!(!part.is_empty(), "a body ended early");
        all.extend_from_slice(&part);
    }
    Ok(all.into())
}
