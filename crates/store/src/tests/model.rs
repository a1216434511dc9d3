//! Random operations: the embedded backend and the reference must say and show the same.

use std::collections::HashMap;
use std::sync::Arc;

use mail::ids::MessageId;
use proptest::prelude::*;
use world::clock::UnixMs;

use crate::contract::{
    Attempt, AttemptRow, Batch, Changes, Delivery, GrantRow, Lane, MailboxRow, NewAccount, Op, OpResult,
    Outcome, PlacementRow, Receipt, Result, Store, Target, Urgency, Waiting, WaitingRow,
};
use crate::contract_tests::make::{
    START_MS, accept, account, alice, blob, body, delivery, mailbox, queue_id, waiting,
};
use crate::contract_tests::model::Model;
use crate::embedded::Embedded;
use crate::flags::{DELETED, FlagEdit, FlagMask, Flags, SEEN};
use crate::rights::{Grantee, Rights, RightsChange, Side};
use crate::tests::support::World;
use crate::uids::UidSet;

/// A step of the test, in small numbers; the same numbers name the same things on both sides.
#[derive(Debug, Clone)]
enum Step {
    Deliver {
        size: usize,
        to: Vec<u64>,
        waiting: u32,
    },
    Append {
        to: u64,
        size: usize,
        flags: Flags,
    },
    SetFlags {
        mailbox: u64,
        uids: (u32, u32),
        edit: FlagEdit,
        since: Option<u64>,
    },
    Copy {
        from: u64,
        uids: (u32, u32),
        to: u64,
    },
    Move {
        from: u64,
        uids: (u32, u32),
        to: u64,
    },
    Expunge {
        mailbox: u64,
        uids: (u32, u32),
        only_deleted: bool,
    },
    Create {
        mailbox: u64,
        parent: Option<u64>,
        name: u8,
    },
    Delete {
        mailbox: u64,
    },
    Rename {
        mailbox: u64,
        parent: Option<u64>,
        name: u8,
    },
    RenameInbox {
        mailbox: u64,
        name: u8,
    },
    Subscribe {
        mailbox: u64,
        on: bool,
    },
    Grant {
        mailbox: u64,
        anyone: bool,
        taken: bool,
        kind: u8,
        bits: u16,
    },
    Quota {
        bytes: u64,
    },
    Work {
        overdue: bool,
        lane: u8,
        end: u8,
        attempt: bool,
    },
    Operate {
        pick: usize,
        act: u8,
    },
    Audit,
    /// Two operations in one batch, the second of which may fail.
    Both(Box<Step>, Box<Step>),
    Reopen,
}

fn flags() -> impl Strategy<Value = Flags> {
    (
        any::<bool>(),
        any::<bool>(),
        proptest::sample::subsequence(vec!["Alpha", "beta", "$Junk"], 0..=3),
    )
        .prop_map(|(seen, deleted, names)| {
            let mut flags = Flags::bits(if seen { SEEN } else { 0 } | if deleted { DELETED } else { 0 });
            names.iter().for_each(|name| flags.add_keyword(name));
            flags
        })
}

fn edit() -> impl Strategy<Value = FlagEdit> {
    (0..3, flags()).prop_map(|(kind, flags)| match kind {
        0 => FlagEdit::Replace(flags),
        1 => FlagEdit::Add(flags),
        _ => FlagEdit::Remove(flags),
    })
}

fn step() -> impl Strategy<Value = Step> {
    let simple = prop_oneof![
        6 => (prop_oneof![0usize..200, Just(70_000)], prop::collection::vec(1u64..7, 0..3), 0u32..3)
            .prop_map(|(size, to, waiting)| Step::Deliver { size, to, waiting }),
        2 => (1u64..7, 0usize..200, flags()).prop_map(|(to, size, flags)| Step::Append { to, size, flags }),
        3 => (1u64..7, uids(), edit(), prop::option::of(0u64..20))
            .prop_map(|(mailbox, uids, edit, since)| Step::SetFlags { mailbox, uids, edit, since }),
        2 => (1u64..8, uids(), 1u64..8).prop_map(|(from, uids, to)| Step::Copy { from, uids, to }),
        2 => (1u64..8, uids(), 1u64..8).prop_map(|(from, uids, to)| Step::Move { from, uids, to }),
        2 => (1u64..7, uids(), any::<bool>())
            .prop_map(|(mailbox, uids, only_deleted)| Step::Expunge { mailbox, uids, only_deleted }),
        2 => (3u64..7, prop::option::of(1u64..7), 0u8..4)
            .prop_map(|(mailbox, parent, name)| Step::Create { mailbox, parent, name }),
        1 => (1u64..7).prop_map(|mailbox| Step::Delete { mailbox }),
        1 => (1u64..7, prop::option::of(1u64..7), 0u8..4)
            .prop_map(|(mailbox, parent, name)| Step::Rename { mailbox, parent, name }),
        1 => (3u64..7, 0u8..4).prop_map(|(mailbox, name)| Step::RenameInbox { mailbox, name }),
        1 => (1u64..7, any::<bool>()).prop_map(|(mailbox, on)| Step::Subscribe { mailbox, on }),
        2 => (1u64..7, any::<bool>(), any::<bool>(), 0u8..3, any::<u16>())
            .prop_map(|(mailbox, anyone, taken, kind, bits)| Step::Grant { mailbox, anyone, taken, kind, bits }),
        1 => (0u64..2000).prop_map(|bytes| Step::Quota { bytes }),
        4 => (any::<bool>(), 0u8..2, 0u8..5, any::<bool>())
            .prop_map(|(overdue, lane, end, attempt)| Step::Work { overdue, lane, end, attempt }),
        3 => (0usize..6, 0u8..5).prop_map(|(pick, act)| Step::Operate { pick, act }),
        1 => Just(Step::Audit),
        1 => Just(Step::Reopen),
    ];
    prop_oneof![
        5 => simple.clone(),
        1 => (simple.clone(), simple).prop_map(|(a, b)| Step::Both(Box::new(a), Box::new(b))),
    ]
}

fn uids() -> impl Strategy<Value = (u32, u32)> {
    (1u32..8, 0u32..6).prop_map(|(first, more)| (first, first + more))
}

/// Mailbox numbers are used once: identifiers are never reused, so a deleted one gets a new name.
#[derive(Default)]
struct Names {
    made: HashMap<u64, u64>,
    last: u64,
}

impl Names {
    fn now(&self, small: u64) -> mail::ids::MailboxId {
        mailbox(self.made.get(&small).copied().unwrap_or(small))
    }

    fn fresh(&mut self, small: u64) -> mail::ids::MailboxId {
        self.last += 1;
        self.made.insert(small, 100 + self.last);
        self.now(small)
    }
}

struct Pair {
    real: Arc<Embedded>,
    model: Model,
    names: Names,
    bodies: u64,
}

impl Pair {
    async fn ops(&mut self, side: &dyn Store, step: &Step, number: u64) -> Vec<Op> {
        let set = |(first, last)| UidSet::from_ranges([(first, last)]);
        let name = |name: &u8| format!("n{name}");
        vec![match step {
            Step::Deliver {
                size,
                to,
                waiting: waits,
            } => {
                let body = body(side, number, &vec![b'x'; *size]).await.expect("a body");
                let plan = |(at, small): (usize, &u64)| Delivery {
                    targets: vec![(Target::Mailbox(self.names.now(*small)), Flags::bits(SEEN))],
                    ..delivery(at as u32, account(1))
                };
                let plans = to.iter().enumerate().map(plan).collect();
                let rows = (0..*waits)
                    .map(|at| Waiting {
                        lane: format!("lane {}", at % 2),
                        ..waiting(50 + at, START_MS + u64::from(at))
                    })
                    .collect();
                accept(number, body, plans, rows)
            }
            Step::Append { to, size, flags } => Op::Append {
                account: account(1),
                mailbox: self.names.now(*to),
                body: body(side, number, &vec![b'y'; *size]).await.expect("a body"),
                flags: flags.clone(),
                internal_date: UnixMs(number),
            },
            Step::SetFlags {
                mailbox,
                uids,
                edit,
                since,
            } => Op::SetFlags {
                mailbox: self.names.now(*mailbox),
                uids: set(*uids),
                edit: edit.clone(),
                unchanged_since: *since,
            },
            Step::Copy { from, uids, to } => Op::Copy {
                from: self.names.now(*from),
                uids: set(*uids),
                to: self.names.now(*to),
                keep: FlagMask::ALL,
            },
            Step::Move { from, uids, to } => Op::Move {
                from: self.names.now(*from),
                uids: set(*uids),
                to: self.names.now(*to),
                keep: FlagMask::ALL,
            },
            Step::Expunge {
                mailbox,
                uids,
                only_deleted,
            } => Op::Expunge {
                mailbox: self.names.now(*mailbox),
                uids: set(*uids),
                only_deleted: *only_deleted,
            },
            Step::Create {
                mailbox,
                parent,
                name: wanted,
            } => Op::CreateMailbox {
                account: account(1),
                mailbox: self.names.now(*mailbox),
                parent: parent.map(|small| self.names.now(small)),
                name: name(wanted),
                special_use: None,
            },
            Step::Delete { mailbox } => Op::DeleteMailbox {
                mailbox: self.names.now(*mailbox),
            },
            Step::Rename {
                mailbox,
                parent,
                name: wanted,
            } => Op::RenameMailbox {
                mailbox: self.names.now(*mailbox),
                parent: parent.map(|small| self.names.now(small)),
                name: name(wanted),
            },
            Step::RenameInbox {
                mailbox,
                name: wanted,
            } => Op::RenameInbox {
                account: account(1),
                mailbox: self.names.now(*mailbox),
                parent: None,
                name: name(wanted),
            },
            Step::Subscribe { mailbox, on } => Op::SetSubscribed {
                mailbox: self.names.now(*mailbox),
                subscribed: *on,
            },
            Step::Grant {
                mailbox,
                anyone,
                taken,
                kind,
                bits,
            } => {
                let rights = Rights::from_bits(*bits);
                Op::ChangeGrant {
                    mailbox: self.names.now(*mailbox),
                    who: if *anyone {
                        Grantee::Anyone
                    } else {
                        Grantee::Account(account(2))
                    },
                    side: if *taken { Side::Taken } else { Side::Given },
                    change: match kind {
                        0 => RightsChange::Set(rights),
                        1 => RightsChange::Add(rights),
                        _ => RightsChange::Remove(rights),
                    },
                }
            }
            Step::Quota { bytes } => Op::SetAccount {
                account: account(1),
                credential: None,
                quota_bytes: Some(*bytes),
                enabled: None,
                settings: None,
            },
            Step::Work {
                overdue,
                lane,
                end,
                attempt: is_kept,
            } => {
                let now = UnixMs(START_MS + 1_000_000);
                let claimed = if *overdue {
                    side.claim_overdue(now, 1).await
                } else {
                    side.claim_lane(&format!("lane {lane}"), now, 1).await
                };
                let Some((claim, row)) = claimed.expect("claims").into_iter().next() else {
                    return Vec::new();
                };
                let outcome = match end {
                    0 => Outcome::DeliveredHere(delivery(claim.recipient, account(1))),
                    1 => Outcome::Retry {
                        due: UnixMs(row.due.0 + 7),
                        deadline: UnixMs(row.deadline.0 + 3),
                        reason: "again".to_owned(),
                    },
                    2 => Outcome::Told {
                        deadline: UnixMs(row.deadline.0 + 5),
                        params: "told".to_owned(),
                    },
                    3 => Outcome::Failed {
                        reason: "no".to_owned(),
                    },
                    _ => Outcome::DeliveredElsewhere,
                };
                Op::RecordOutcome {
                    claim,
                    outcome,
                    prior_attempts: row.attempts,
                    attempt: attempt(*is_kept),
                }
            }
            Step::Operate { pick, act } => operate(side, *pick, *act).await,
            Step::Audit => Op::Audit {
                text: format!("entry {number}"),
            },
            Step::Both(..) | Step::Reopen => return Vec::new(),
        }]
    }
}

/// An operator's act on one of those who wait, or on somebody who does not.
async fn operate(side: &dyn Store, pick: usize, act: u8) -> Op {
    let rows = side.waiting(None).await.expect("waiting");
    let row = rows.get(pick);
    let queue_id = row.map_or(queue_id(9999), |row| row.queue_id);
    let recipient = row.map_or(0, |row| row.recipient);
    match act {
        0 | 1 => Op::Hold {
            queue_id,
            recipient,
            held: act == 0,
        },
        2 | 3 => Op::Reschedule {
            queue_id,
            recipient,
            due: UnixMs(START_MS + 3),
            deadline: (act == 2).then_some(UnixMs(START_MS + 4)),
        },
        _ => Op::Purge {
            queue_id,
            recipient,
            note: "purged".to_owned(),
        },
    }
}

fn attempt(is_kept: bool) -> Option<Attempt> {
    is_kept.then(|| Attempt {
        at: UnixMs(START_MS),
        text: "a try".to_owned(),
    })
}

/// Message identifiers are the store's own choice: they are compared by what they name.
fn without_messages(receipt: Result<Receipt>) -> Result<Receipt> {
    receipt.map(|mut receipt| {
        for result in &mut receipt.results {
            match result {
                OpResult::Accepted(accepted) => {
                    accepted
                        .placed
                        .iter_mut()
                        .for_each(|placed| placed.message = nobody());
                }
                OpResult::Appended(placed) => placed.message = nobody(),
                _ => {}
            }
        }
        receipt
    })
}

fn nobody() -> MessageId {
    mail::ids::Id::from_raw(0)
}

/// Everything a caller can see.
#[derive(Debug, PartialEq)]
struct Seen {
    mailboxes: Vec<MailboxRow>,
    contents: Vec<Contents>,
    used_bytes: Vec<u64>,
    grants: Vec<GrantRow>,
    granted: Vec<GrantRow>,
    waiting: Vec<WaitingRow>,
    lanes: Vec<Lane>,
    next_deadline: Option<UnixMs>,
    attempts: Vec<AttemptRow>,
    audit: Vec<(UnixMs, String)>,
}

/// One mailbox: its rows, the bytes of its messages, its changes and keywords.
#[derive(Debug, PartialEq)]
struct Contents {
    placements: Vec<PlacementRow>,
    bytes: Vec<Vec<u8>>,
    changes: Changes,
    keywords: Vec<String>,
    save_dates: Vec<(u32, UnixMs)>,
}

async fn see(store: &dyn Store) -> Seen {
    let mut mailboxes = store.mailboxes(account(1)).await.expect("mailboxes");
    mailboxes.extend(store.mailboxes(account(2)).await.expect("mailboxes"));
    let mut contents = Vec::new();
    for row in &mailboxes {
        let mut placed = store.placements(row.id, 0).await.expect("placements");
        let messages = store
            .messages(placed.iter().map(|row| row.message).collect())
            .await
            .expect("messages");
        let mut bytes_of = Vec::new();
        for message in &messages {
            let mut bytes = message.prefix.to_vec();
            bytes.extend(
                store
                    .read_body(message.blob, 0, message.body_bytes)
                    .await
                    .expect("a body"),
            );
            bytes_of.push(bytes);
        }
        placed.iter_mut().for_each(|row| row.message = nobody());
        let mut changes = store.changes_since(row.id, 2).await.expect("changes");
        changes.rows.iter_mut().for_each(|row| row.message = nobody());
        let keywords = store.keywords(row.id).await.expect("keywords");
        let everything = UidSet::from_ranges([(1, u32::MAX)]);
        let save_dates = store.save_dates(row.id, everything).await.expect("dates");
        contents.push(Contents {
            placements: placed,
            bytes: bytes_of,
            changes,
            keywords,
            save_dates,
        });
    }
    let mut attempts = Vec::new();
    for number in 1..60 {
        attempts.extend(store.attempts(queue_id(number), None).await.expect("attempts"));
    }
    let audit = store.audit(0).await.expect("the audit");
    let accounts = store.accounts(None).await.expect("accounts");
    let used = accounts.iter().map(|row| row.used_bytes).collect();
    Seen {
        mailboxes,
        contents,
        used_bytes: used,
        grants: store.grants_of(account(1), None).await.expect("grants"),
        granted: store.grants_to(account(2)).await.expect("grants"),
        waiting: store.waiting(None).await.expect("waiting"),
        lanes: store.lanes("").await.expect("lanes"),
        next_deadline: store.next_deadline().await.expect("next deadline"),
        attempts,
        audit: audit.into_iter().map(|row| (row.at, row.text)).collect(),
    }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new();
    let mut pair = Pair {
        real: world.open(dir.path()),
        model: Model::new(world.clock.door()),
        names: Names::default(),
        bodies: 0,
    };
    for side in [pair.real.as_ref() as &dyn Store, &pair.model] {
        let bob = NewAccount {
            id: account(2),
            address: "bob@example.test".to_owned(),
            credential: None,
            quota_bytes: 0,
            settings: "{}".to_owned(),
            inbox: mailbox(7),
            mailboxes: Vec::new(),
        };
        for op in [alice(), Op::CreateAccount { account: bob }] {
            side.commit(Batch::urgent(op))
                .await
                .map(drop)
                .expect("an account");
        }
    }
    for step in steps {
        if let Step::Reopen = step {
            pair.real.close();
            drop(pair.real);
            pair.real = world.open(dir.path());
            continue;
        }
        perform(&mut pair, &step).await;
        assert_eq!(
            see(pair.real.as_ref()).await,
            see(&pair.model).await,
            "after {step:?}"
        );
    }
    assert!(pair.bodies == 0 || pair.real.upkeep().settle().is_ok());
    assert_eq!(
        see(pair.real.as_ref()).await,
        see(&pair.model).await,
        "after settling"
    );
    assert_eq!(
        pair.real.upkeep().scrub().expect("a pass").damaged,
        Vec::<String>::new()
    );
}

async fn perform(pair: &mut Pair, step: &Step) {
    let parts = match step {
        Step::Both(first, second) => vec![first.as_ref().clone(), second.as_ref().clone()],
        other => vec![other.clone()],
    };
    for part in &parts {
        if let Step::Create { mailbox, .. } | Step::RenameInbox { mailbox, .. } = part {
            pair.names.fresh(*mailbox);
        }
    }
    let mut numbers = Vec::new();
    for _ in &parts {
        pair.bodies += 1;
        numbers.push(pair.bodies);
    }
    let real: Arc<dyn Store> = Arc::clone(&pair.real) as Arc<dyn Store>;
    let (mut real_ops, mut model_ops) = (Vec::new(), Vec::new());
    for (part, number) in parts.iter().zip(numbers) {
        real_ops.extend(pair.ops(real.as_ref(), part, number).await);
        let model = std::mem::replace(&mut pair.model, Model::new(World::new().clock.door()));
        model_ops.extend(pair.ops(&model, part, number).await);
        pair.model = model;
    }
    let claims = |ops: &[Op]| -> Vec<crate::contract::Claim> {
        let claim = |op: &Op| {
            if let Op::RecordOutcome { claim, .. } = op {
                Some(*claim)
            } else {
                None
            }
        };
        ops.iter().filter_map(claim).collect()
    };
    let (real_claims, model_claims) = (claims(&real_ops), claims(&model_ops));
    let batch = |ops| Batch {
        urgency: Urgency::Lazy,
        ops,
    };
    let said = real
        .commit(batch(real_ops))
        .await
        .map(|durable| durable.committed().clone());
    let wanted = pair
        .model
        .commit(batch(model_ops))
        .await
        .map(|durable| durable.committed().clone());
    real_claims.into_iter().for_each(|claim| real.release(claim));
    model_claims
        .into_iter()
        .for_each(|claim| pair.model.release(claim));
    assert_eq!(without_messages(said), without_messages(wanted), "{step:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_backend_and_the_model_agree(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}

#[test]
fn names_differ_by_kind() {
    assert_ne!(blob(1).to_string()[1..], queue_id(1).to_string()[1..]);
}
