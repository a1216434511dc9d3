//! Results that a session keeps up to date for its client (RFC 5267): which messages belong to each and in which order, and which
//! messages must be looked at again. Whether a message belongs is decided by whoever keeps the result.

use store::uids::UidSet;

use crate::rows::Snapshot;
use crate::session::Opened;

/// Names a kept result within the open mailbox of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptId(u32);

/// How the messages of a result are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// as in the mailbox: where a message stands need not be told
    Mailbox,
    /// as whoever keeps the result says
    Own,
}

/// Messages that come into a result, or go from it, at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// where the first of them stands, counted from 1; 0 in the order of the mailbox
    pub position: u32,
    /// they stand one after the other
    pub uids: Vec<u32>,
}

/// What must be looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// messages that changed, came, or went without the client's knowing it
    pub uids: UidSet,
    /// those that came, without those that the client brought itself
    pub new: UidSet,
}

struct Kept {
    id: KeptId,
    order: Order,
    uids: Vec<u32>,
}

/// What an open mailbox notes for results, and for who wants to see what comes. Nothing, as long as nobody asks.
#[derive(Default)]
pub(crate) struct Live {
    results: Vec<Kept>,
    next: u32,
    /// somebody wants to see what comes
    watched: bool,
    /// changes up to here were noted
    noted_modseq: u64,
    unsettled: Vec<(u32, u32)>,
    new: Vec<(u32, u32)>,
    own: Vec<(u32, u32)>,
}

impl Live {
    fn is_on(&self) -> bool {
        self.watched || !self.results.is_empty()
    }

    /// The client is about to be told that these went: they leave every result.
    pub(crate) fn note_gone(&mut self, vanished: &[u32]) -> Vec<(KeptId, Vec<Place>)> {
        if self.results.is_empty() || vanished.is_empty() {
            return Vec::new();
        }
        let gone = UidSet::from_uids(vanished.iter().copied());
        let left = self.results.iter_mut().map(|kept| (kept.id, kept.leave(&gone)));
        left.filter(|(_, places)| !places.is_empty()).collect()
    }

    /// What changed in the snapshot since, as far as the client knows it, and what went without its knowing.
    pub(crate) fn note_changes(&mut self, snapshot: &Snapshot, known_uid: u32, untold: &[u32]) {
        if self.results.is_empty() {
            return;
        }
        let changed = snapshot
            .changed_after(self.noted_modseq)
            .map(|row| row.uid)
            .filter(|&uid| uid <= known_uid);
        let uids = changed.chain(untold.iter().copied());
        self.unsettled.extend(uids.map(|uid| (uid, uid)));
        self.noted_modseq = snapshot.modseq();
    }

    /// The client was told of these messages just now.
    pub(crate) fn note_new(&mut self, first: u32, last: u32) {
        if self.is_on() {
            self.new.push((first, last));
        }
    }

    fn kept(&mut self, id: KeptId) -> Option<&mut Kept> {
        self.results.iter_mut().find(|kept| kept.id == id)
    }
}

impl Opened {
    /// Keeps a result, which was found in the present snapshot. In the order of the mailbox UIDs ascend.
    pub fn keep(&mut self, order: Order, uids: Vec<u32>) -> KeptId {
        let modseq = self.snapshot().modseq();
        let live = &mut self.live;
        if live.results.is_empty() {
            live.noted_modseq = modseq;
        }
        let id = KeptId(live.next);
        live.next += 1;
        live.results.push(Kept { id, order, uids });
        id
    }

    /// Keeps it no longer.
    pub fn let_go(&mut self, id: KeptId) {
        self.live.results.retain(|kept| kept.id != id);
    }

    /// The messages of a result, in its order.
    pub fn members(&self, id: KeptId) -> &[u32] {
        let found = self.live.results.iter().find(|kept| kept.id == id);
        found.map_or(&[], |kept| kept.uids.as_slice())
    }

    /// Those of some messages that are in a result, ascending. In the order of the mailbox each is looked up; in another all members are
    /// passed once, which looks at nothing but their numbers.
    pub fn members_among(&self, id: KeptId, some: &UidSet) -> Vec<u32> {
        let found = self.live.results.iter().find(|kept| kept.id == id);
        found.map_or(Vec::new(), |kept| kept.among(some))
    }

    /// Messages of all kept results together.
    pub fn members_of_all(&self) -> usize {
        self.live.results.iter().map(|kept| kept.uids.len()).sum()
    }

    /// Whether messages that come are to be noted although no result is kept.
    pub fn watch_new(&mut self, watched: bool) {
        self.live.watched = watched;
    }

    /// The client brought these messages itself.
    pub fn brought(&mut self, uids: &UidSet) {
        if self.live.is_on() {
            self.live.own.extend_from_slice(uids.ranges());
        }
    }

    /// Whether something must be looked at again.
    pub fn is_unsettled(&self) -> bool {
        !self.live.unsettled.is_empty() || !self.live.new.is_empty()
    }

    /// Takes what must be looked at again; whoever takes it settles it, or hands it back.
    pub fn unsettled(&mut self) -> Option<Unsettled> {
        let live = &mut self.live;
        let own = std::mem::take(&mut live.own);
        if live.unsettled.is_empty() && live.new.is_empty() {
            return None;
        }
        let came = UidSet::from_ranges(std::mem::take(&mut live.new));
        let changed = std::mem::take(&mut live.unsettled);
        let uids = UidSet::from_ranges(changed.into_iter().chain(came.ranges().iter().copied()));
        let own = UidSet::from_ranges(own);
        let new = came.without(own.iter());
        Some(Unsettled { uids, new })
    }

    /// It could not be settled now.
    pub fn hand_back(&mut self, unsettled: &Unsettled) {
        self.live.unsettled.extend_from_slice(unsettled.uids.ranges());
        self.live.new.extend_from_slice(unsettled.new.ranges());
    }

    /// These messages do not belong to a result any more. Gives where they stood: to be taken away one place after the other.
    pub fn leave(&mut self, id: KeptId, uids: &UidSet) -> Vec<Place> {
        self.live.kept(id).map_or(Vec::new(), |kept| kept.leave(uids))
    }

    /// These messages belong to a result from now on: each with its index among the others, all together ascending. Gives where
    /// they stand: to be put in one place after the other. In the order of the mailbox the index is of no effect.
    pub fn join(&mut self, id: KeptId, joining: &[(usize, u32)]) -> Vec<Place> {
        self.live.kept(id).map_or(Vec::new(), |kept| kept.join(joining))
    }
}

impl Kept {
    fn among(&self, some: &UidSet) -> Vec<u32> {
        if self.order == Order::Own {
            let mut found: Vec<u32> = self
                .uids
                .iter()
                .copied()
                .filter(|&uid| some.contains(uid))
                .collect();
            found.sort_unstable();
            return found;
        }
        let range = |&(first, last): &(u32, u32)| {
            let from = self.uids.partition_point(|&uid| uid < first);
            let behind = self.uids.partition_point(|&uid| uid <= last);
            &self.uids[from..behind]
        };
        some.ranges().iter().flat_map(range).copied().collect()
    }

    fn leave(&mut self, uids: &UidSet) -> Vec<Place> {
        let leaving = self
            .uids
            .iter()
            .enumerate()
            .filter(|(_, uid)| uids.contains(**uid));
        let mut places = places(self.order, leaving.map(|(at, &uid)| (at, uid)));
        if !places.is_empty() {
            self.uids.retain(|&uid| !uids.contains(uid));
        }
        // From the end, so that no place moves before it is named.
        places.reverse();
        places
    }

    fn join(&mut self, joining: &[(usize, u32)]) -> Vec<Place> {
        match self.order {
            Order::Mailbox => {
                self.uids.extend(joining.iter().map(|(_, uid)| *uid));
                self.uids.sort_unstable();
            }
            Order::Own => {
                let mut before = std::mem::take(&mut self.uids).into_iter();
                for &(at, uid) in joining {
                    let until = at.saturating_sub(self.uids.len());
                    self.uids.extend(before.by_ref().take(until));
                    self.uids.push(uid);
                }
                self.uids.extend(before);
            }
        }
        places(self.order, joining.iter().copied())
    }
}

/// Neighbours stand in one place.
fn places(order: Order, members: impl Iterator<Item = (usize, u32)>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut next = 0;
    for (at, uid) in members {
        match places.last_mut() {
            Some(place) if order == Order::Mailbox || at == next => place.uids.push(uid),
            _ => {
                let counted = u32::try_from(at + 1).unwrap_or(u32::MAX);
                places.push(Place {
                    position: if order == Order::Mailbox { 0 } else { counted },
                    uids: vec![uid],
                });
            }
        }
        next = at + 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(order: Order, uids: &[u32]) -> Kept {
        Kept {
            id: KeptId(0),
            order,
            uids: uids.to_vec(),
        }
    }

    /// RFC 5267 §4.3.3, §4.3.4: what a client does with what it is told.
    fn add(list: &mut Vec<u32>, places: &[Place]) {
        for place in places {
            if place.position == 0 {
                list.extend(&place.uids);
                list.sort_unstable();
            } else {
                let at = place.position as usize - 1;
                list.splice(at..at, place.uids.iter().copied());
            }
        }
    }

    fn remove(list: &mut Vec<u32>, places: &[Place]) {
        for place in places {
            if place.position == 0 {
                list.retain(|uid| !place.uids.contains(uid));
            } else {
                let at = place.position as usize - 1;
                let gone: Vec<u32> = list.drain(at..at + place.uids.len()).collect();
                assert_eq!(gone, place.uids);
            }
        }
    }

    #[test]
    fn some_members_are_found_in_either_order() {
        let some = UidSet::from_ranges([(2, 4), (7, 7), (20, u32::MAX)]);
        assert_eq!(kept(Order::Own, &[9, 4, 7, 1, 30, 3]).among(&some), [3, 4, 7, 30]);
        assert_eq!(
            kept(Order::Mailbox, &[1, 3, 4, 7, 9, 30]).among(&some),
            [3, 4, 7, 30]
        );
        assert!(kept(Order::Mailbox, &[]).among(&some).is_empty());
    }

    #[test]
    fn places_are_named_as_they_are_used() {
        let place = |position, uids: &[u32]| Place {
            position,
            uids: uids.to_vec(),
        };
        let mut sorted = kept(Order::Own, &[9, 4, 7, 1, 3]);
        let gone = UidSet::from_uids([4, 7, 3, 100]);
        assert_eq!(sorted.leave(&gone), [place(5, &[3]), place(2, &[4, 7])]);
        assert_eq!(sorted.uids, [9, 1]);
        let joining = [(0, 5), (2, 8), (3, 6), (5, 2)];
        let wanted = [place(1, &[5]), place(3, &[8, 6]), place(6, &[2])];
        assert_eq!(sorted.join(&joining), wanted);
        assert_eq!(sorted.uids, [5, 9, 8, 6, 1, 2]);
        let mut plain = kept(Order::Mailbox, &[1, 3, 4, 7]);
        assert_eq!(plain.leave(&gone), [place(0, &[3, 4, 7])]);
        assert_eq!(plain.join(&[(0, 2), (0, 9)]), [place(0, &[2, 9])]);
        assert_eq!(plain.uids, [1, 2, 9]);
        assert!(plain.leave(&gone).is_empty() && plain.join(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_client_that_follows_has_the_same_list(
            own in any::<bool>(),
            steps in prop::collection::vec((any::<bool>(), prop::collection::btree_map(1u32..60, any::<u16>(), 0..12)), 1..12),
        ) {
            let order = if own { Order::Own } else { Order::Mailbox };
            let mut kept = kept(order, &[]);
            let mut client = Vec::new();
            for (come, uids) in steps {
                if come {
                    let mut wanted = kept.uids.clone();
                    for (uid, seed) in uids.iter().filter(|(uid, _)| !kept.uids.contains(uid)) {
                        wanted.insert(usize::from(*seed) % (wanted.len() + 1), *uid);
                    }
                    let joining: Vec<(usize, u32)> = wanted
                        .iter()
                        .copied()
                        .enumerate()
                        .filter(|(_, uid)| !kept.uids.contains(uid))
                        .collect();
                    add(&mut client, &kept.join(&joining));
                    if own {
                        prop_assert_eq!(&kept.uids, &wanted);
                    }
                } else {
                    remove(&mut client, &kept.leave(&UidSet::from_uids(uids.keys().copied())));
                    prop_assert!(kept.uids.iter().all(|uid| !uids.contains_key(uid)));
                }
                prop_assert_eq!(&client, &kept.uids);
            }
        }
    }
}
