//! The readers of recipe R1: each works on an account of its own (APPEND of one or several messages, STORE, MOVE, EXPUNGE, REPLACE,
//! RENAME of a tree) and keeps a model; after a crash every acknowledged change must hold, and the one that was under way holds
//! wholly or not at all (DUR-5, DUR-6). What a client remembers from before the crash, brought up to date by quick
//! resynchronisation (RFC 7162 §3.2), must be what a full reading finds.

mod judge;
mod memory;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::chance::Chance;
use super::imap_client::{Answer, Imap, number_after};
use super::ledger::{inspect, message};
use judge::{Before, Pending, State, judge};
use memory::Memory;
use tree::{FOLDERS, ROOTS};

/// Messages of a reader below which it adds, and above which it removes.
const FEW: usize = 5;
const MANY: usize = 60;
/// About how long a message of theirs is, in octets; a non-synchronising literal may have 4096 (RFC 7888).
const MESSAGE_BYTES: usize = 1_500;

/// What the server told of a folder, of which none may change back.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    validity: u64,
    next: u64,
    highest: u64,
}

/// One person with a mailbox and a memory.
pub struct Person {
    user: String,
    next_seq: u64,
    messages: BTreeMap<u64, State>,
    gone: BTreeSet<u64>,
    pending: Option<Pending>,
    /// which root the tree has; none before it is planted
    root: Option<usize>,
    /// each name of a message that was ever told
    identity: BTreeMap<(usize, u64), u64>,
    told: [Told; FOLDERS],
    remembered: [Option<Memory>; FOLDERS],
    chance: Chance,
    wrong: Vec<String>,
    /// changes acknowledged
    pub acknowledged: u64,
    /// how often which kind of change was under way when the server was killed
    pub under_way: BTreeMap<&'static str, usize>,
}

impl Person {
    /// A person on a fresh account.
    pub fn new(user: &str, seed: u64) -> Self {
        Self {
            user: user.to_owned(),
            next_seq: 1,
            messages: BTreeMap::new(),
            gone: BTreeSet::new(),
            pending: None,
            root: None,
            identity: BTreeMap::new(),
            told: [Told::default(); FOLDERS],
            remembered: Default::default(),
            chance: Chance::new(seed),
            wrong: Vec::new(),
            acknowledged: 0,
            under_way: BTreeMap::new(),
        }
    }

    /// Works until `stop` or until the server is gone. What the server refuses is wrong: nothing here asks for too much.
    pub fn work(&mut self, port: u16, password: &str, stop: &Arc<AtomicBool>) {
        let Ok(mut imap) = self.sign_in(port, password) else {
            return;
        };
        while !stop.load(Ordering::Relaxed) {
            let Err(error) = self.step(&mut imap) else {
                continue;
            };
            if error.kind() == ErrorKind::Other {
                self.wrong
                    .push(format!("refused ({:?} under way): {error}", self.pending));
            }
            return;
        }
    }

    fn sign_in(&self, port: u16, password: &str) -> Result<Imap> {
        let mut imap = Imap::sign_in(port, &self.user, password)?;
        imap.command("ENABLE QRESYNC")?.or_error()?;
        Ok(imap)
    }

    fn step(&mut self, imap: &mut Imap) -> Result<()> {
        let seqs: Vec<u64> = self.messages.keys().copied().collect();
        if seqs.len() < FEW {
            return self.append(imap, 1);
        }
        let seq = seqs[self.chance.between(0, seqs.len() as u64) as usize];
        if seqs.len() > MANY {
            return self.expunge(imap, seq);
        }
        match self.chance.between(0, 20) {
            0..2 => self.append(imap, 1),
            2 => self.append(imap, 2),
            3 => self.append(imap, 3),
            4..7 => self.flag(imap, seq),
            7..9 => self.relocate(imap, seq),
            9..13 => self.expunge(imap, seq),
            13..16 => self.replace(imap, seq),
            16..18 => self.rename(imap),
            _ => self.remember(imap),
        }
    }

    /// One message, or several in one command: all or none (RFC 3502).
    fn append(&mut self, imap: &mut Imap, count: u64) -> Result<()> {
        let folder = self.any_folder();
        let seqs: Vec<u64> = (self.next_seq..self.next_seq + count).collect();
        self.next_seq += count;
        self.pending = Some(Pending::Append {
            folder,
            seqs: seqs.clone(),
        });
        let bodies: Vec<Vec<u8>> = seqs.iter().map(|seq| self.body(*seq)).collect();
        let command = format!("APPEND {}", self.name(folder));
        let answer = imap.command_with_literals(&command, &bodies)?.or_error()?;
        let uids = coded(&answer, "APPENDUID", 1).unwrap_or_default();
        if uids.len() != seqs.len() {
            return Err(Error::other(format!("{count} messages, but {}", answer.status)));
        }
        for (seq, uid) in seqs.into_iter().zip(uids) {
            let flagged = false;
            self.place(seq, State { folder, uid, flagged });
        }
        self.done()
    }

    /// One message in the place of another, there or elsewhere (RFC 8508).
    fn replace(&mut self, imap: &mut Imap, old: u64) -> Result<()> {
        let State { folder, uid, flagged } = self.messages[&old].clone();
        let to = self.any_folder();
        self.select(imap, folder)?;
        let new = self.next_seq;
        self.next_seq += 1;
        self.pending = Some(Pending::Replace {
            old,
            new,
            folder: to,
            flagged,
        });
        let flags = if flagged { "\\Flagged" } else { "" };
        let command = format!("UID REPLACE {uid} {} ({flags})", self.name(to));
        let answer = imap
            .command_with_literals(&command, &[self.body(new)])?
            .or_error()?;
        self.heard(folder, &answer);
        let uid = only(&answer, "APPENDUID", 1)?;
        self.forget(old);
        let folder = to;
        self.place(new, State { folder, uid, flagged });
        self.done()
    }

    fn flag(&mut self, imap: &mut Imap, seq: u64) -> Result<()> {
        let State { folder, uid, flagged } = self.messages[&seq].clone();
        self.select(imap, folder)?;
        self.pending = Some(Pending::Flag(seq));
        let sign = if flagged { '-' } else { '+' };
        let answer = imap
            .command(&format!("UID STORE {uid} {sign}FLAGS (\\Flagged)"))?
            .or_error()?;
        self.heard(folder, &answer);
        let flagged = !flagged;
        self.place(seq, State { folder, uid, flagged });
        self.done()
    }

    fn relocate(&mut self, imap: &mut Imap, seq: u64) -> Result<()> {
        let state = self.messages[&seq].clone();
        let to = (state.folder + 1 + self.chance.between(0, FOLDERS as u64 - 1) as usize) % FOLDERS;
        self.select(imap, state.folder)?;
        self.pending = Some(Pending::Move { seq, to });
        let command = format!("UID MOVE {} {}", state.uid, self.name(to));
        let answer = imap.command(&command)?.or_error()?;
        self.heard(state.folder, &answer);
        let uid = only(&answer, "COPYUID", 2)?;
        let moved = State {
            folder: to,
            uid,
            ..state
        };
        self.place(seq, moved);
        self.done()
    }

    fn expunge(&mut self, imap: &mut Imap, seq: u64) -> Result<()> {
        let State { folder, uid, .. } = self.messages[&seq];
        self.select(imap, folder)?;
        self.pending = Some(Pending::Expunge(seq));
        imap.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"))?
            .or_error()?;
        let answer = imap.command(&format!("UID EXPUNGE {uid}"))?.or_error()?;
        self.heard(folder, &answer);
        self.forget(seq);
        self.done()
    }

    /// The whole tree gets another root, perhaps below a folder that is not there yet.
    fn rename(&mut self, imap: &mut Imap) -> Result<()> {
        let from = self.root.unwrap_or_default();
        let to = (from + 1 + self.chance.between(0, ROOTS.len() as u64 - 1) as usize) % ROOTS.len();
        self.pending = Some(Pending::Rename { to });
        imap.command(&format!("RENAME {} {}", ROOTS[from], ROOTS[to]))?
            .or_error()?;
        self.root = Some(to);
        self.done()
    }

    /// Reads a folder as a client that will come back to it; the crash may follow at once.
    fn remember(&mut self, imap: &mut Imap) -> Result<()> {
        let folder = self.any_folder();
        let selected = imap
            .command(&format!("EXAMINE {}", self.name(folder)))?
            .or_error()?;
        self.opened(folder, &selected);
        self.remembered[folder] = Some(Memory::read(imap, &selected)?);
        Ok(())
    }

    fn select(&mut self, imap: &mut Imap, folder: usize) -> Result<()> {
        let selected = imap
            .command(&format!("SELECT {}", self.name(folder)))?
            .or_error()?;
        self.opened(folder, &selected);
        Ok(())
    }

    /// A folder's numbers never go back, whoever was told them (RFC 9051 §2.3.1.1, RFC 7162 §3.1.2.1).
    fn opened(&mut self, folder: usize, selected: &Answer) {
        let number = |code: &str| selected.code_number(code).unwrap_or_default();
        let before = self.told[folder];
        let now = Told {
            validity: number("UIDVALIDITY"),
            next: number("UIDNEXT"),
            highest: number("HIGHESTMODSEQ"),
        };
        let is_new = before.validity != 0 && before.validity != now.validity;
        if is_new || before.next > now.next || before.highest > now.highest {
            self.wrong.push(format!(
                "{}: what was {before:?} is now {now:?}",
                self.name(folder)
            ));
        }
        self.told[folder] = now;
    }

    /// What a change told of the folder's HIGHESTMODSEQ.
    fn heard(&mut self, folder: usize, answer: &Answer) {
        let rows = answer
            .untagged
            .iter()
            .filter_map(|line| number_after(&line.text, "MODSEQ"));
        let highest = rows.chain(answer.code_number("HIGHESTMODSEQ")).max();
        let told = &mut self.told[folder];
        told.highest = told.highest.max(highest.unwrap_or_default());
    }

    /// A message is where the server says.
    fn place(&mut self, seq: u64, state: State) {
        let told = &mut self.told[state.folder];
        told.next = told.next.max(state.uid + 1);
        self.identify(state.folder, state.uid, seq);
        self.messages.insert(seq, state);
    }

    fn identify(&mut self, folder: usize, uid: u64, seq: u64) {
        let before = self.identity.insert((folder, uid), seq);
        if before.is_some_and(|before| before != seq) {
            self.wrong.push(format!(
                "{}: UID {uid} names message {seq} and named {before:?}",
                self.name(folder)
            ));
        }
    }

    fn forget(&mut self, seq: u64) {
        self.messages.remove(&seq);
        self.gone.insert(seq);
    }

    fn done(&mut self) -> Result<()> {
        self.pending = None;
        self.acknowledged += 1;
        Ok(())
    }

    fn any_folder(&mut self) -> usize {
        self.chance.between(0, FOLDERS as u64) as usize
    }

    fn name(&self, folder: usize) -> String {
        tree::name(self.root.unwrap_or_default(), folder)
    }

    fn body(&self, seq: u64) -> Vec<u8> {
        message(seq, &self.user, &self.user, MESSAGE_BYTES)
    }

    /// Compares with the server after a restart, and goes on from what it finds. Returns what is wrong, in words.
    pub fn compare(&mut self, port: u16, password: &str) -> Result<Vec<String>> {
        let mut imap = self.sign_in(port, password)?;
        let pending = self.pending.take();
        if let Some(pending) = &pending {
            *self.under_way.entry(pending.kind()).or_default() += 1;
        }
        match self.find_tree(&mut imap, pending.as_ref())? {
            Ok(root) => {
                self.root = Some(root);
                self.compare_messages(&mut imap, pending.as_ref())?;
            }
            Err(what) => self.wrong.push(what),
        }
        let wrong = std::mem::take(&mut self.wrong);
        Ok(wrong
            .into_iter()
            .map(|what| format!("{}: {what}", self.user))
            .collect())
    }

    fn find_tree(
        &self,
        imap: &mut Imap,
        pending: Option<&Pending>,
    ) -> Result<std::result::Result<usize, String>> {
        let Some(before) = self.root else {
            tree::plant(imap)?;
            return Ok(Ok(0));
        };
        let under_way = match pending {
            Some(Pending::Rename { to }) => Some(*to),
            _ => None,
        };
        Ok(tree::root(&tree::listed(imap)?, before, under_way))
    }

    fn compare_messages(&mut self, imap: &mut Imap, pending: Option<&Pending>) -> Result<()> {
        let mut found: BTreeMap<u64, State> = BTreeMap::new();
        for folder in 0..FOLDERS {
            self.compare_memory(imap, folder)?;
            self.read_folder(imap, folder, &mut found)?;
        }
        let before = Before {
            messages: &self.messages,
            gone: &self.gone,
            pending,
        };
        self.wrong.extend(judge(&before, &found));
        // Whatever was offered and is not there must not come later.
        self.gone = (1..self.next_seq)
            .filter(|seq| !found.contains_key(seq))
            .collect();
        self.messages = found;
        Ok(())
    }

    /// What was remembered, with what QRESYNC says of it, is what a full reading finds.
    fn compare_memory(&mut self, imap: &mut Imap, folder: usize) -> Result<()> {
        let (name, naming) = (self.name(folder), self.chance.between(0, 2) == 0);
        let earlier = self.remembered[folder].take();
        let now = match &earlier {
            Some(earlier) => Some(earlier.resynchronise(imap, &name, naming)?),
            None => None,
        };
        let selected = imap.command(&format!("EXAMINE {name}"))?.or_error()?;
        self.opened(folder, &selected);
        let read = Memory::read(imap, &selected)?;
        let differs = match (&earlier, &now) {
            (Some(earlier), Some(now)) => now.differs(earlier, naming, &read),
            _ => None,
        };
        let wrong = differs.into_iter().chain(read.above_highest());
        self.wrong.extend(wrong.map(|what| format!("{name}: {what}")));
        // Some come back after several crashes.
        let stays_away = self.chance.between(0, 3) == 0;
        self.remembered[folder] = earlier.filter(|_| stays_away).or(Some(read));
        Ok(())
    }

    /// Reads every message of the folder that is open.
    fn read_folder(
        &mut self,
        imap: &mut Imap,
        folder: usize,
        found: &mut BTreeMap<u64, State>,
    ) -> Result<()> {
        let answer = imap
            .command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")?
            .or_error()?;
        let told = answer.untagged.iter().filter_map(|line| {
            let (seq, intact) = inspect(line.literals.first()?)?;
            Some((seq, intact, &line.text))
        });
        for (seq, intact, text) in told {
            let uid = number_after(text, "UID").unwrap_or_default();
            let flagged = text.contains("\\Flagged");
            if !intact {
                self.wrong.push(format!("message {seq} is torn"));
            }
            self.identify(folder, uid, seq);
            if found.insert(seq, State { folder, uid, flagged }).is_some() {
                self.wrong.push(format!("message {seq} is in two places"));
            }
        }
        Ok(())
    }
}

/// The one UID that a code names.
fn only(answer: &Answer, code: &str, nth: usize) -> Result<u64> {
    match coded(answer, code, nth).as_deref() {
        Some([uid]) => Ok(*uid),
        _ => Err(Error::other(format!("no {code} of one message: {answer:?}"))),
    }
}

/// The UIDs in the `nth` place (from 0) after a response code's name, in any line.
fn coded(answer: &Answer, code: &str, nth: usize) -> Option<Vec<u64>> {
    let lines = answer.untagged.iter().map(|line| line.text.as_str());
    lines
        .chain([answer.status.as_str()])
        .find_map(|text| after_code(text, code, nth))
}

fn after_code(text: &str, code: &str, nth: usize) -> Option<Vec<u64>> {
    let rest = &text[text.find(code)? + code.len()..];
    let set = rest.trim_start().split([' ', ']']).nth(nth)?;
    let mut uids = Vec::new();
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        uids.extend(first.parse::<u64>().ok()?..=last.parse().ok()?);
    }
    Some(uids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read() {
        let cases = [
            ("OK [APPENDUID 38505 3955] done", "APPENDUID", 1, vec![3955]),
            ("OK [APPENDUID 38505 3:5] done", "APPENDUID", 1, vec![3, 4, 5]),
            ("OK [APPENDUID 38505 3,7] done", "APPENDUID", 1, vec![3, 7]),
            ("* OK [COPYUID 432432 304 3956] x", "COPYUID", 2, vec![3956]),
        ];
        for (text, code, nth, wanted) in cases {
            assert_eq!(after_code(text, code, nth), Some(wanted), "{text}");
        }
    }
}
