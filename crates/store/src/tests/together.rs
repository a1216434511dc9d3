//! Whole messages from packs: neighbours and strangers, and one among them that rotted.

use std::fs;
use std::path::Path;

use mail::ids::MessageId;

use crate::contract::{Op, Store, Together};
use crate::contract_tests::make::{alice, commit, deliver, mailbox};
use crate::embedded::Embedded;
use crate::flags::FlagMask;
use crate::tests::support::World;
use crate::uids::UidSet;

const TOGETHER: Together = Together {
    body_bytes: 64 * 1024,
    all_bytes: 8 << 20,
};

/// Compresses well or not at all, and is of very different length.
fn body(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut octet = |at: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at);
        if n.is_multiple_of(3) {
            (state >> 56) as u8
        } else {
            b'a' + (at % 7) as u8
        }
    };
    (0..n * n % 20_011).map(&mut octet).collect()
}

async fn settled(dir: &Path, world: &World) -> (std::sync::Arc<Embedded>, Vec<MessageId>) {
    let store = world.open(dir);
    commit(store.as_ref(), alice()).await.expect("an account");
    for n in 1..=150 {
        deliver(store.as_ref(), n, &body(n)).await.expect("accepted");
    }
    assert_eq!(store.upkeep().settle().expect("settled").bodies, 150);
    // Beside them one that is not settled, and a second place of one that is.
    deliver(store.as_ref(), 151, &body(151)).await.expect("accepted");
    let copy = Op::Copy {
        from: mailbox(1),
        uids: UidSet::from_uids([7]),
        to: mailbox(1),
        keep: FlagMask::ALL,
    };
    commit(store.as_ref(), copy).await.expect("copied");
    let rows = store.placements(mailbox(1), 0).await.expect("placements");
    (store, rows.iter().map(|row| row.message).collect())
}

/// The numbers of the messages whose octets came; each must be right.
async fn right(store: &Embedded, ids: &[MessageId], numbers: &[u64]) -> Vec<u64> {
    let found = store
        .read_messages(ids.to_vec(), TOGETHER)
        .await
        .expect("an answer");
    assert_eq!(found.len(), ids.len());
    let came = |(found, &n): (_, &u64)| -> Option<u64> {
        let found: crate::contract::Result<Option<crate::contract::ReadMessage>> = found;
        let found = found.expect("a row").expect("a message");
        let octets = found.octets?;
        let whole = [&found.row.prefix[..], &body(n)].concat();
        assert!(octets == whole, "message {n}");
        Some(n)
    };
    found.into_iter().zip(numbers).filter_map(came).collect()
}

#[tokio::test]
async fn neighbours_in_a_pack_are_read_together() {
    let (dir, world) = (tempfile::tempdir().expect("a directory"), World::new());
    let (store, ids) = settled(dir.path(), &world).await;
    let numbers: Vec<u64> = (1..=151).chain([7]).collect();
    assert_eq!(right(&store, &ids, &numbers).await, numbers);
    // Backwards no two are neighbours in the order of the file.
    let backwards = |all: &[u64]| all.iter().rev().copied().collect::<Vec<_>>();
    let reversed: Vec<MessageId> = ids.iter().rev().copied().collect();
    assert_eq!(
        right(&store, &reversed, &backwards(&numbers)).await,
        backwards(&numbers)
    );
    let some: Vec<usize> = (0..152).step_by(3).collect();
    let third: Vec<MessageId> = some.iter().map(|&at| ids[at]).collect();
    let of_third: Vec<u64> = some.iter().map(|&at| numbers[at]).collect();
    assert_eq!(right(&store, &third, &of_third).await, of_third);
}

#[tokio::test]
async fn dsk_5_a_body_that_rotted_in_a_pack_costs_only_itself() {
    let (dir, world) = (tempfile::tempdir().expect("a directory"), World::new());
    let (store, ids) = settled(dir.path(), &world).await;
    store.close();
    drop(store);
    let pack = fs::read_dir(dir.path().join("packs"))
        .expect("packs")
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("a pack");
    let mut bytes = fs::read(&pack).expect("a file");
    // Behind its header, in the middle of what does not compress.
    let random = body(60);
    let at = bytes
        .windows(64)
        .position(|window| window == &random[100..164])
        .expect("body 60 is stored as it is");
    bytes[at] ^= 1;
    fs::write(&pack, bytes).expect("a write");
    let store = world.open(dir.path());
    let numbers: Vec<u64> = (1..=151).chain([7]).collect();
    let others: Vec<u64> = numbers.iter().copied().filter(|&n| n != 60).collect();
    assert_eq!(right(&store, &ids, &numbers).await, others);
    let row = store.messages(vec![ids[59]]).await.expect("a row").remove(0);
    let alone = store.read_body(row.blob, 0, row.body_bytes).await;
    assert!(alone.is_err(), "who reads it alone is told");
    fs::remove_file(&pack).expect("removed");
    let store = {
        store.close();
        drop(store);
        world.open(dir.path())
    };
    assert_eq!(right(&store, &ids, &numbers).await, [151], "the pack is gone");
}
