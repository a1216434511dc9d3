//! What one client knows of the mailbox it has open, and the rules each response must keep. Pure, so that a wrong dialogue can be
//! shown to be found.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Fetched, Response};

/// What command is under way, as far as the rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum During {
    /// FETCH, STORE or SEARCH with sequence numbers: no message may go (RFC 3501 §7.4.1, RFC 9051 §7.5.1)
    Numbered,
    /// SELECT or EXAMINE: VANISHED (EARLIER) may come
    Selecting,
    /// UID FETCH with VANISHED: VANISHED (EARLIER) may come
    AskedVanished,
    /// anything else
    Other,
}

/// What a client remembers of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Known {
    pub flags: Option<BTreeSet<String>>,
    pub modseq: u64,
    /// the mod-sequence that `flags` belong to
    pub flags_at: u64,
}

/// One open mailbox as its client sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// UIDs by sequence number; those not read yet are `None`, and are the last ones
    pub slots: Vec<Option<u32>>,
    /// what is known of each UID
    pub known: BTreeMap<u32, Known>,
    /// UIDs the client saw go
    pub gone: BTreeSet<u32>,
    /// VANISHED takes the place of EXPUNGE (RFC 7162 §3.2.10)
    pub qresync: bool,
    /// unasked FETCH responses must say UID and MODSEQ (RFC 7162 §3.1)
    pub condstore: bool,
}

impl Sight {
    /// A mailbox about to be opened.
    pub fn new(condstore: bool, qresync: bool) -> Self {
        Self {
            condstore,
            qresync,
            ..Self::default()
        }
    }

    /// Takes a response in; an error says which rule it breaks.
    pub fn take(&mut self, response: &Response, during: During) -> Result<(), String> {
        match response {
            Response::Exists(count) => self.exists(*count),
            Response::Expunge(seq) => self.expunge(*seq, during),
            Response::Vanished(earlier, uids) => self.vanished(*earlier, uids, during),
            Response::Fetch(fetched) => self.fetched(fetched),
            Response::Search(found) => self.found(found, during),
            Response::Bye | Response::Other(_) => Ok(()),
        }
    }

    fn exists(&mut self, count: u32) -> Result<(), String> {
        let before = self.slots.len();
        if (count as usize) < before {
            return Err(format!("EXISTS fell from {before} to {count} without EXPUNGE"));
        }
        self.slots.resize(count as usize, None);
        Ok(())
    }

    fn expunge(&mut self, seq: u32, during: During) -> Result<(), String> {
        if during == During::Numbered {
            return Err(format!("EXPUNGE {seq} during a command with sequence numbers"));
        }
        if self.qresync {
            return Err("EXPUNGE although QRESYNC is enabled".to_owned());
        }
        let at = (seq as usize).checked_sub(1).filter(|&at| at < self.slots.len());
        let at = at.ok_or_else(|| format!("EXPUNGE {seq} of {}", self.slots.len()))?;
        if let Some(uid) = self.slots.remove(at) {
            self.bury(uid);
        }
        Ok(())
    }

    fn vanished(&mut self, earlier: bool, uids: &[(u32, u32)], during: During) -> Result<(), String> {
        if !self.qresync {
            return Err("VANISHED without QRESYNC".to_owned());
        }
        if earlier {
            return self.vanished_earlier(uids, during);
        }
        if during == During::Numbered {
            return Err("VANISHED during a command with sequence numbers".to_owned());
        }
        for uid in uids.iter().flat_map(|&(first, last)| first..=last) {
            let at = self
                .place_of(uid)
                .ok_or_else(|| format!("VANISHED {uid}, which was not there"))?;
            self.slots.remove(at);
            self.bury(uid);
        }
        Ok(())
    }

    /// Where a UID is, or which unread place it must have: one behind all smaller UIDs and before all larger ones.
    fn place_of(&self, uid: u32) -> Option<usize> {
        if let Some(at) = self.slots.iter().position(|slot| *slot == Some(uid)) {
            return Some(at);
        }
        let below = |slot: &Option<u32>| slot.is_some_and(|known| known < uid);
        let start = self.slots.iter().rposition(below).map_or(0, |at| at + 1);
        let next = self.slots.get(start)?;
        next.is_none().then_some(start)
    }

    fn vanished_earlier(&mut self, uids: &[(u32, u32)], during: During) -> Result<(), String> {
        if !matches!(during, During::Selecting | During::AskedVanished) {
            return Err("VANISHED (EARLIER) that nobody asked for".to_owned());
        }
        let is_in = |uid: u32| uids.iter().any(|&(first, last)| (first..=last).contains(&uid));
        if let Some(uid) = self.slots.iter().flatten().find(|uid| is_in(**uid)) {
            return Err(format!("VANISHED (EARLIER) names {uid}, which is there"));
        }
        let went: Vec<u32> = self.known.keys().copied().filter(|&uid| is_in(uid)).collect();
        went.into_iter().for_each(|uid| self.bury(uid));
        Ok(())
    }

    fn bury(&mut self, uid: u32) {
        self.known.remove(&uid);
        self.gone.insert(uid);
    }

    fn fetched(&mut self, fetched: &Fetched) -> Result<(), String> {
        let at = (fetched.seq as usize).wrapping_sub(1);
        let Some(slot) = self.slots.get(at).copied() else {
            return Err(format!("FETCH {} of {} messages", fetched.seq, self.slots.len()));
        };
        if self.condstore && fetched.flags.is_some() && fetched.modseq.is_none() {
            return Err(format!("FETCH {} says FLAGS without MODSEQ", fetched.seq));
        }
        let Some(uid) = fetched.uid.or(slot) else {
            return Ok(());
        };
        self.place(at, uid)?;
        let known = self.known.entry(uid).or_default();
        let (before, now) = (known.modseq, fetched.modseq.unwrap_or(0));
        if now != 0 && now < before {
            return Err(format!("MODSEQ of UID {uid} fell from {before} to {now}"));
        }
        let same_moment = now != 0 && now == known.flags_at && known.flags.is_some();
        if same_moment && fetched.flags.is_some() && fetched.flags != known.flags {
            return Err(format!(
                "the flags of UID {uid} changed, its MODSEQ {now} did not"
            ));
        }
        known.modseq = before.max(now);
        if fetched.flags.is_some() {
            known.flags.clone_from(&fetched.flags);
            known.flags_at = known.modseq;
        }
        Ok(())
    }

    /// The message at a place has this UID: now, and as long as it is there.
    fn place(&mut self, at: usize, uid: u32) -> Result<(), String> {
        match self.slots[at] {
            Some(before) if before != uid => {
                return Err(format!("message {} was UID {before} and is now {uid}", at + 1));
            }
            Some(_) => return Ok(()),
            None => self.slots[at] = Some(uid),
        }
        if self.gone.contains(&uid) {
            return Err(format!("UID {uid} was expunged and is back"));
        }
        let below = self.slots[..at].iter().rev().flatten().next();
        let above = self.slots[at + 1..].iter().flatten().next();
        if below.is_some_and(|&below| below >= uid) || above.is_some_and(|&above| above <= uid) {
            return Err(format!(
                "UID {uid} at {} does not ascend: {below:?}, {above:?}",
                at + 1
            ));
        }
        Ok(())
    }

    /// What a search found is there as the client was told until now: later in the same command it may be told that it went. A message
    /// that it was told of and has not read yet may have any UID that fits its place.
    fn found(&self, found: &[u32], during: During) -> Result<(), String> {
        let there = |number: &u32| (1..=self.slots.len() as u32).contains(number);
        if during == During::Numbered {
            let wrong = found.iter().find(|number| !there(number));
            return wrong.map_or(Ok(()), |number| {
                Err(format!("SEARCH found {number} of {} messages", self.slots.len()))
            });
        }
        let known = self.uids();
        let unknown: Vec<&u32> = found
            .iter()
            .filter(|uid| known.binary_search(uid).is_err())
            .collect();
        let fits = |uid: &u32| !self.gone.contains(uid) && self.place_of(*uid).is_some();
        if let Some(uid) = unknown.iter().find(|uid| !fits(uid)) {
            return Err(format!("UID SEARCH found {uid}, which was not there: {known:?}"));
        }
        let unread = self.slots.len() - known.len();
        if unknown.len() > unread {
            return Err(format!("UID SEARCH found {unknown:?}, and {unread} are unread"));
        }
        Ok(())
    }

    /// The client changed flags with `.SILENT` and was told nothing: it works them out (RFC 9051 §6.4.6).
    pub fn work_out(&mut self, uid: u32, sign: char, flags: &[&str]) {
        let Some(known_here) = self.known.get_mut(&uid) else {
            return;
        };
        known_here.flags_at = known_here.modseq;
        let Some(known) = &mut known_here.flags else {
            return;
        };
        if sign == '=' {
            known.clear();
        }
        for flag in flags {
            if sign == '-' {
                known.remove(*flag);
            } else {
                known.insert((*flag).to_owned());
            }
        }
    }

    /// The UIDs the client knows, ascending.
    pub fn uids(&self) -> Vec<u32> {
        self.slots.iter().flatten().copied().collect()
    }

    /// The first sequence number whose UID was not read yet.
    pub fn first_unread(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none).map(|at| at + 1)
    }

    /// After a quick resynchronisation: what is remembered and did not vanish must be exactly what is there.
    pub fn settle_remembered(&mut self) -> Result<(), String> {
        let remembered: Vec<u32> = self.known.keys().copied().collect();
        if remembered.len() > self.slots.len() {
            return Err(format!(
                "after QRESYNC {} messages are remembered and {} exist",
                remembered.len(),
                self.slots.len()
            ));
        }
        for (at, uid) in remembered.into_iter().enumerate() {
            self.place(at, uid)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::response;
    use super::*;

    fn hear(qresync: bool, during: During, lines: &[&str]) -> Result<Sight, String> {
        let mut sight = Sight::new(qresync, qresync);
        for line in lines {
            sight.take(&response(line.as_bytes())?, during)?;
        }
        Ok(sight)
    }

    #[test]
    fn a_right_dialogue_is_taken() {
        let sight = hear(
            false,
            During::Other,
            &[
                "* 3 EXISTS",
                "* 1 FETCH (UID 4)",
                "* 2 FETCH (UID 6)",
                "* 3 FETCH (UID 9)",
                "* 2 EXPUNGE",
                "* 3 EXISTS",
                "* SEARCH 4 9 12",
                "* 3 EXPUNGE",
                "* 3 EXISTS",
            ],
        );
        let sight = sight.expect("all is well");
        assert_eq!((sight.uids(), sight.first_unread()), (vec![4, 9], Some(3)));
        let sight = hear(
            true,
            During::Other,
            &[
                "* 2 EXISTS",
                "* 1 FETCH (UID 4 FLAGS () MODSEQ (5))",
                "* VANISHED 4",
            ],
        );
        assert_eq!(sight.expect("all is well").slots.len(), 1);
    }

    /// The test of the test: one wrong dialogue for each rule.
    #[test]
    fn each_broken_rule_is_found() {
        let one = "* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (9))";
        for (qresync, during, lines, word) in [
            (
                false,
                During::Other,
                vec!["* 3 EXISTS", "* 2 EXISTS"],
                "EXISTS fell",
            ),
            (
                false,
                During::Numbered,
                vec!["* 3 EXISTS", "* 1 EXPUNGE"],
                "sequence numbers",
            ),
            (
                true,
                During::Numbered,
                vec!["* 3 EXISTS", "* VANISHED 4"],
                "sequence numbers",
            ),
            (
                false,
                During::Other,
                vec!["* 3 EXISTS", "* 4 EXPUNGE"],
                "EXPUNGE 4 of 3",
            ),
            (true, During::Other, vec!["* 3 EXISTS", "* 1 EXPUNGE"], "although"),
            (
                false,
                During::Other,
                vec!["* 3 EXISTS", "* VANISHED 1"],
                "without QRESYNC",
            ),
            (
                true,
                During::Other,
                vec!["* 1 EXISTS", one, "* VANISHED 5"],
                "not there",
            ),
            (
                true,
                During::Other,
                vec!["* 1 EXISTS", one, "* VANISHED (EARLIER) 5"],
                "nobody asked",
            ),
            (
                true,
                During::Selecting,
                vec!["* 1 EXISTS", one, "* VANISHED (EARLIER) 1:9"],
                "which is there",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", one, "* 1 FETCH (UID 5)"],
                "is now 5",
            ),
            (
                false,
                During::Other,
                vec!["* 2 EXISTS", one, "* 2 FETCH (UID 3)"],
                "ascend",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", "* 2 FETCH (UID 3)"],
                "of 1 messages",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", one, "* 1 FETCH (FLAGS () MODSEQ (8))"],
                "fell",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", one, "* 1 FETCH (FLAGS () MODSEQ (9))"],
                "did not",
            ),
            (
                false,
                During::Numbered,
                vec!["* 1 EXISTS", "* SEARCH 1 2"],
                "found 2 of 1",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", one, "* SEARCH 5"],
                "which was not there",
            ),
            (
                false,
                During::Other,
                vec!["* 1 EXISTS", one, "* 1 EXPUNGE", "* 1 EXISTS", "* SEARCH 4"],
                "which was not there",
            ),
            (
                false,
                During::Other,
                vec!["* 2 EXISTS", one, "* SEARCH 4 5 6"],
                "1 are unread",
            ),
            (
                true,
                During::Other,
                vec!["* 1 EXISTS", "* 1 FETCH (FLAGS ())"],
                "without MODSEQ",
            ),
            (
                false,
                During::Other,
                vec![
                    "* 1 EXISTS",
                    one,
                    "* 1 EXPUNGE",
                    "* 1 EXISTS",
                    "* 1 FETCH (UID 4)",
                ],
                "is back",
            ),
        ] {
            let found = hear(qresync, during, &lines).expect_err(word);
            assert!(found.contains(word), "{found}");
        }
    }
}
