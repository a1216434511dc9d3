//! Sessions against a model: whatever they and others do, every client's picture of the mailbox stays right.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use store::contract::Target;
use store::flags::{FlagEdit, Flags};
use store::uids::UidSet;

use crate::name::MailboxName;
use crate::person::Person;
use crate::session::{Expunges, Opened};
use crate::testing::World;

/// What one client believes.
struct Client {
    opened: Opened,
    /// position = sequence number - 1
    uids: Vec<u32>,
    flags: BTreeMap<u32, u32>,
}

impl Client {
    async fn open(person: &Person) -> Self {
        let opened = person.open(&MailboxName::inbox(), false).await.unwrap();
        let mut client = Self {
            opened,
            uids: Vec::new(),
            flags: BTreeMap::new(),
        };
        client.fetch_new();
        client
    }

    /// Like a client after EXISTS: fetches what it does not know.
    fn fetch_new(&mut self) {
        let known = self.uids.len() as u32;
        for seq in known + 1..=self.opened.exists() {
            let uid = self.opened.uid_at(seq).expect("EXISTS says it is there");
            assert!(self.uids.last().is_none_or(|&last| last < uid), "UIDs ascend");
            self.uids.push(uid);
            let set = UidSet::from_uids([uid]);
            let rows: Vec<(u32, u32)> = self
                .opened
                .select(&set)
                .map(|(seq, row)| (seq, row.bits))
                .collect();
            assert_eq!(rows.len(), 1, "what was just announced can be fetched");
            assert_eq!(rows[0].0, seq);
            self.flags.insert(uid, rows[0].1);
        }
    }

    fn take_updates(&mut self, expunges: Expunges) {
        let updates = self.opened.updates(expunges);
        assert!(
            expunges == Expunges::Tell || updates.expunged.is_empty(),
            "EXPUNGE only where the RFC allows"
        );
        let mut told = Vec::new();
        for seq in &updates.expunged {
            told.push(self.uids.remove(*seq as usize - 1));
        }
        told.reverse();
        assert_eq!(told, updates.vanished);
        for (seq, uid) in &updates.flags {
            assert_eq!(self.uids[*seq as usize - 1], *uid);
            let row = *self
                .opened
                .snapshot()
                .find(*uid)
                .expect("flags are told of what is there");
            self.flags.insert(*uid, row.bits);
        }
        if let Some(exists) = updates.exists {
            assert!(exists as usize > self.uids.len(), "EXISTS never shrinks");
            self.fetch_new();
        }
        assert_eq!(self.opened.exists() as usize, self.uids.len());
    }

    /// Sequence numbers mean what this client thinks, whatever was committed meanwhile.
    fn check_numbers(&mut self) {
        self.opened.look();
        assert_eq!(self.opened.exists() as usize, self.uids.len());
        for (seq, &uid) in (1..).zip(&self.uids) {
            assert_eq!(self.opened.uid_at(seq), Some(uid));
            assert_eq!(self.opened.seq_of(uid), Some(seq));
        }
        assert_eq!(self.opened.uid_at(self.uids.len() as u32 + 1), None);
        assert_eq!(self.opened.uid_at(0), None);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Deliver,
    Append,
    Edit {
        who: usize,
        from: usize,
        to: usize,
        edit: u8,
        bits: u32,
        silent: bool,
        unchanged_since: bool,
    },
    Expunge {
        who: usize,
    },
    Move {
        who: usize,
        from: usize,
        to: usize,
    },
    Poll {
        who: usize,
        tell: bool,
    },
    Reopen {
        who: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Deliver),
        1 => Just(Step::Append),
        6 => (0usize..3, 0usize..12, 0usize..12, 0u8..3, 0u32..16, any::<bool>(), any::<bool>()).prop_map(
            |(who, from, to, edit, bits, silent, unchanged_since)| Step::Edit {
                who, from, to, edit, bits, silent, unchanged_since
            }
        ),
        2 => (0usize..3).prop_map(|who| Step::Expunge { who }),
        1 => (0usize..3, 0usize..12, 0usize..12).prop_map(|(who, from, to)| Step::Move { who, from, to }),
        5 => (0usize..3, any::<bool>()).prop_map(|(who, tell)| Step::Poll { who, tell }),
        1 => (0usize..3).prop_map(|who| Step::Reopen { who }),
    ]
}

/// The mailbox as it should be.
#[derive(Default)]
struct Model {
    rows: BTreeMap<u32, (u32, u64)>,
    modseq: u64,
}

async fn edit(person: &Person, client: &mut Client, model: &mut Model, step: &Step) {
    let Step::Edit {
        from,
        to,
        edit,
        bits,
        silent,
        unchanged_since,
        ..
    } = *step
    else {
        return;
    };
    if client.uids.is_empty() {
        return;
    }
    client.opened.look();
    let clamp = |at: usize| (at % client.uids.len()) as u32 + 1;
    let seqs = (clamp(from), clamp(to));
    let uids = client.opened.uids_of_seqs(&[seqs]).expect("in range");
    let flags = Flags::bits(bits);
    let edit = [
        FlagEdit::Replace(flags.clone()),
        FlagEdit::Add(flags.clone()),
        FlagEdit::Remove(flags),
    ][usize::from(edit)]
    .clone();
    let limit = unchanged_since.then(|| client.opened.applied_modseq());
    let before = Arc::clone(client.opened.snapshot());
    let set = person
        .set_flags(&client.opened, uids.clone(), edit.clone(), limit)
        .await
        .unwrap();
    let set = set.committed().clone();
    assert!(set.modseq >= model.modseq, "modseqs never go down");
    for (&uid, row) in model.rows.iter_mut().filter(|(uid, _)| uids.contains(**uid)) {
        let kept = limit.is_some_and(|limit| row.1 > limit);
        assert_eq!(set.modified.contains(uid), kept, "uid {uid}");
        let after = Flags::bits(row.0).edited(&edit).bits;
        if !kept && after != row.0 {
            *row = (after, set.modseq);
        } else if !kept {
            // A store may or may not give an unchanged row a new modseq.
            row.1 = person
                .shared
                .store
                .placements(client.opened.id(), uid - 1)
                .await
                .unwrap()[0]
                .modseq;
        }
    }
    model.modseq = set.modseq;
    if silent {
        for &uid in client
            .uids
            .iter()
            .filter(|&&uid| uids.contains(uid) && !set.modified.contains(uid))
        {
            let known = client.flags.get_mut(&uid).expect("known");
            *known = Flags::bits(*known).edited(&edit).bits;
        }
        client.opened.look();
        client.opened.hush_silent(&set, &edit, &before);
    } else {
        client.opened.look();
        for (seq, row) in client.opened.select(&uids) {
            assert_eq!(client.uids[seq as usize - 1], row.uid);
            client.flags.insert(row.uid, row.bits);
        }
        client.opened.hush(&uids);
    }
}

async fn run(steps: Vec<Step>) {
    let world = World::new().await;
    let person = world.person().await;
    let mut model = Model::default();
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::open(&person).await);
    }
    let archive = MailboxName::parse("Archive").unwrap();
    let _created = person.create(&archive, None).await.unwrap();
    let archive = person.find(&archive).await.unwrap().place();
    for step in &steps {
        match *step {
            Step::Deliver => {
                let placed = world.deliver(&person, Target::Inbox).await;
                assert!(model.rows.keys().all(|&uid| uid < placed.uid), "UIDs ascend");
                model.rows.insert(placed.uid, (0, placed.modseq));
                model.modseq = placed.modseq;
            }
            Step::Append => {
                let body = world.body(&person, b"Subject: x\r\n\r\nhello\r\n").await;
                let inbox = clients[0].opened.place();
                let placed = person.append(inbox, body, Flags::bits(1), None).await.unwrap();
                let placed = placed.committed();
                model.rows.insert(placed.uid, (1, placed.modseq));
                model.modseq = placed.modseq;
            }
            Step::Edit { who, .. } => edit(&person, &mut clients[who], &mut model, step).await,
            Step::Expunge { who } => {
                let all = UidSet::from_ranges([(1, u32::MAX)]);
                let done = person.expunge(&clients[who].opened, all).await.unwrap();
                let expected: Vec<u32> = model
                    .rows
                    .iter()
                    .filter(|(_, row)| row.0 & 8 != 0)
                    .map(|(&uid, _)| uid)
                    .collect();
                assert_eq!(done.committed().uids.iter().collect::<Vec<_>>(), expected);
                model.rows.retain(|uid, _| !expected.contains(uid));
            }
            Step::Move { who, from, to } if !clients[who].uids.is_empty() => {
                let client = &mut clients[who];
                client.opened.look();
                let clamp = |at: usize| (at % client.uids.len()) as u32 + 1;
                let uids = client
                    .opened
                    .uids_of_seqs(&[(clamp(from), clamp(to))])
                    .expect("in range");
                let done = person
                    .move_to(&client.opened, uids.clone(), archive)
                    .await
                    .unwrap();
                let moved: Vec<u32> = done.committed().pairs.iter().map(|pair| pair.0).collect();
                let expected: Vec<u32> = model
                    .rows
                    .keys()
                    .copied()
                    .filter(|&uid| uids.contains(uid))
                    .collect();
                assert_eq!(moved, expected);
                model.rows.retain(|uid, _| !expected.contains(uid));
            }
            Step::Move { .. } => {}
            Step::Poll { who, tell } => {
                clients[who].take_updates(if tell { Expunges::Tell } else { Expunges::Hold });
            }
            Step::Reopen { who } => clients[who] = Client::open(&person).await,
        }
        clients.iter_mut().for_each(Client::check_numbers);
    }
    for client in &mut clients {
        person.refresh(&client.opened).await.unwrap();
        client.take_updates(Expunges::Tell);
        let rows: Vec<(u32, u32)> = model.rows.iter().map(|(&uid, row)| (uid, row.0)).collect();
        let believed: Vec<(u32, u32)> = client.uids.iter().map(|uid| (*uid, client.flags[uid])).collect();
        assert_eq!(believed, rows, "in the end every client knows the mailbox");
        let modseqs: Vec<u64> = client.opened.snapshot().iter().map(|row| row.modseq).collect();
        assert_eq!(modseqs, model.rows.values().map(|row| row.1).collect::<Vec<_>>());
    }
    assert_eq!(world.mailboxes.open_views(), 1, "three sessions share one view");
    drop(clients);
    assert_eq!(world.mailboxes.open_views(), 0, "the last session drops it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_client_keeps_a_right_picture(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
