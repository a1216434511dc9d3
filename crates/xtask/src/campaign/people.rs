//! The readers of recipe R1: each works on an account of its own (APPEND, STORE, MOVE, EXPUNGE, RENAME) and keeps a model;
//! after a crash every acknowledged change must hold, and the one that was under way holds wholly or not at all (DUR-5, DUR-6).
//! What a client remembers from before the crash, brought up to date by quick resynchronisation (RFC 7162 §3.2), must be what a full
//! reading finds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::chance::Chance;
use super::imap_client::{Imap, number_after};
use super::ledger::{header, message};

const FOLDERS: [&str; 2] = ["INBOX", "Archive"];
const RENAMED: [&str; 2] = ["Work-a", "Work-b"];

/// Where a message is and how it is flagged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    folder: usize,
    uid: u64,
    flagged: bool,
}

/// The change that was sent and not yet answered.
#[derive(Clone, Debug)]
enum Pending {
    Append(u64),
    Flag(u64),
    Move(u64),
    Expunge(u64),
    Rename,
}

/// One person with a mailbox and a memory.
pub struct Person {
    user: String,
    next_seq: u64,
    messages: BTreeMap<u64, State>,
    gone: BTreeSet<u64>,
    pending: Option<Pending>,
    renamed: usize,
    identity: BTreeMap<(usize, u64), u64>,
    high: BTreeMap<usize, (u64, u64, u64)>,
    /// each folder as it was read last: which UIDs, and which of them are flagged
    remembered: BTreeMap<usize, BTreeMap<u64, bool>>,
    chance: Chance,
    /// changes acknowledged
    pub acknowledged: u64,
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
            renamed: 0,
            identity: BTreeMap::new(),
            high: BTreeMap::new(),
            remembered: BTreeMap::new(),
            chance: Chance::new(seed),
            acknowledged: 0,
        }
    }

    /// Works until `stop` or until the server is gone.
    pub fn work(&mut self, port: u16, password: &str, stop: &Arc<AtomicBool>) {
        let Ok(mut imap) = Imap::sign_in(port, &self.user, password) else {
            return;
        };
        while !stop.load(Ordering::Relaxed) {
            if self.step(&mut imap).is_err() {
                return;
            }
        }
    }

    fn step(&mut self, imap: &mut Imap) -> std::io::Result<()> {
        let seqs: Vec<u64> = self.messages.keys().copied().collect();
        if seqs.len() < 5 {
            return self.append(imap);
        }
        let seq = seqs[self.chance.between(0, seqs.len() as u64) as usize];
        match self.chance.between(0, 10) {
            0..3 => self.append(imap),
            3..6 => self.flag(imap, seq),
            6..8 => self.relocate(imap, seq),
            8 => self.expunge(imap, seq),
            _ => self.rename(imap),
        }
    }

    fn append(&mut self, imap: &mut Imap) -> std::io::Result<()> {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.pending = Some(Pending::Append(seq));
        let body = message(seq, &self.user, &self.user, 1_500);
        let answer = imap.command_with_literal("APPEND INBOX", &body)?.or_error()?;
        let uid = after_code(&answer.status, "APPENDUID", 1)
            .ok_or_else(|| std::io::Error::other(answer.status.clone()))?;
        self.messages.insert(
            seq,
            State {
                folder: 0,
                uid,
                flagged: false,
            },
        );
        self.done()
    }

    fn flag(&mut self, imap: &mut Imap, seq: u64) -> std::io::Result<()> {
        let state = self.messages[&seq].clone();
        self.pending = Some(Pending::Flag(seq));
        imap.command(&format!("SELECT {}", FOLDERS[state.folder]))?
            .or_error()?;
        let sign = if state.flagged { '-' } else { '+' };
        imap.command(&format!("UID STORE {} {sign}FLAGS (\\Flagged)", state.uid))?
            .or_error()?;
        self.messages
            .entry(seq)
            .and_modify(|message| message.flagged = !state.flagged);
        self.done()
    }

    fn relocate(&mut self, imap: &mut Imap, seq: u64) -> std::io::Result<()> {
        let state = self.messages[&seq].clone();
        self.pending = Some(Pending::Move(seq));
        imap.command(&format!("SELECT {}", FOLDERS[state.folder]))?
            .or_error()?;
        let answer = imap
            .command(&format!("UID MOVE {} {}", state.uid, FOLDERS[1 - state.folder]))?
            .or_error()?;
        let texts = answer
            .untagged
            .iter()
            .map(|line| line.text.as_str())
            .chain([answer.status.as_str()]);
        let uid = texts.filter_map(|text| after_code(text, "COPYUID", 2)).next();
        let uid = uid.ok_or_else(|| std::io::Error::other("MOVE without COPYUID"))?;
        self.messages.insert(
            seq,
            State {
                folder: 1 - state.folder,
                uid,
                ..state
            },
        );
        self.done()
    }

    fn expunge(&mut self, imap: &mut Imap, seq: u64) -> std::io::Result<()> {
        let state = self.messages[&seq].clone();
        imap.command(&format!("SELECT {}", FOLDERS[state.folder]))?
            .or_error()?;
        self.pending = Some(Pending::Expunge(seq));
        imap.command(&format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", state.uid))?
            .or_error()?;
        imap.command(&format!("UID EXPUNGE {}", state.uid))?.or_error()?;
        self.messages.remove(&seq);
        self.gone.insert(seq);
        self.done()
    }

    fn rename(&mut self, imap: &mut Imap) -> std::io::Result<()> {
        self.pending = Some(Pending::Rename);
        let answer = imap.command(&format!(
            "RENAME {} {}",
            RENAMED[self.renamed],
            RENAMED[1 - self.renamed]
        ))?;
        if answer.ok() {
            self.renamed = 1 - self.renamed;
        } else {
            imap.command(&format!("CREATE {}", RENAMED[self.renamed]))?;
        }
        self.done()
    }

    fn done(&mut self) -> std::io::Result<()> {
        self.pending = None;
        self.acknowledged += 1;
        Ok(())
    }

    /// Compares with the server after a restart, and goes on from what it finds. Returns what is wrong, in words.
    pub fn compare(&mut self, port: u16, password: &str) -> std::io::Result<Vec<String>> {
        let mut wrong = Vec::new();
        let mut imap = Imap::sign_in(port, &self.user, password)?;
        imap.command("ENABLE QRESYNC")?.or_error()?;
        let mut found: BTreeMap<u64, State> = BTreeMap::new();
        for folder in 0..FOLDERS.len() {
            self.read_folder(&mut imap, folder, &mut found, &mut wrong)?;
        }
        let pending = self.pending.take();
        for (seq, state) in &self.messages {
            judge(*seq, state, found.get(seq), pending.as_ref(), &mut wrong);
        }
        for seq in found.keys().filter(|seq| !self.messages.contains_key(seq)) {
            match pending {
                Some(Pending::Append(under_way)) if under_way == *seq => {}
                _ if self.gone.contains(seq) => {
                    wrong.push(format!("message {seq} was expunged and came back"))
                }
                _ => wrong.push(format!("message {seq} was never stored")),
            }
        }
        if let Some(Pending::Expunge(seq)) = pending
            && !found.contains_key(&seq)
        {
            self.gone.insert(seq);
        }
        self.messages = found;
        self.compare_renamed(&mut imap, &mut wrong)?;
        Ok(wrong
            .into_iter()
            .map(|what| format!("{}: {what}", self.user))
            .collect())
    }

    fn read_folder(
        &mut self,
        imap: &mut Imap,
        folder: usize,
        found: &mut BTreeMap<u64, State>,
        wrong: &mut Vec<String>,
    ) -> std::io::Result<()> {
        let name = FOLDERS[folder];
        let resynchronised = self.resynchronise(imap, folder)?;
        let mut read = BTreeMap::new();
        let selected = imap.command(&format!("EXAMINE {name}"))?.or_error()?;
        let number = |code: &str| selected.code_number(code).unwrap_or_default();
        let now = (number("UIDVALIDITY"), number("UIDNEXT"), number("HIGHESTMODSEQ"));
        if let Some(before) = self.high.insert(folder, now)
            && (before.0 != now.0 || before.1 > now.1 || before.2 > now.2)
        {
            wrong.push(format!(
                "{name}: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ went from {before:?} to {now:?}"
            ));
        }
        let answer = imap
            .command("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Seq)])")?
            .or_error()?;
        for line in answer
            .untagged
            .iter()
            .filter(|line| line.text.contains(" FETCH "))
        {
            let uid = number_after(&line.text, "UID").unwrap_or_default();
            read.insert(uid, line.text.contains("\\Flagged"));
            let head = line
                .literals
                .first()
                .map(|head| String::from_utf8_lossy(head).into_owned())
                .unwrap_or_default();
            let Some(seq) = header(&head, "X-Seq").and_then(|seq| seq.parse().ok()) else {
                continue;
            };
            if self
                .identity
                .insert((folder, uid), seq)
                .is_some_and(|before| before != seq)
            {
                wrong.push(format!("{name}: UID {uid} names another message than before"));
            }
            let state = State {
                folder,
                uid,
                flagged: line.text.contains("\\Flagged"),
            };
            if found.insert(seq, state).is_some() {
                wrong.push(format!("message {seq} is in two places"));
            }
        }
        if resynchronised.is_some_and(|resynchronised| resynchronised != read) {
            wrong.push(format!("{name}: resynchronising leads elsewhere than reading"));
        }
        self.remembered.insert(folder, read);
        Ok(())
    }

    /// What was remembered, with what QRESYNC says of it; `None` the first time.
    fn resynchronise(&self, imap: &mut Imap, folder: usize) -> std::io::Result<Option<BTreeMap<u64, bool>>> {
        let (Some(remembered), Some(high)) = (self.remembered.get(&folder), self.high.get(&folder)) else {
            return Ok(None);
        };
        let (name, validity, highest) = (FOLDERS[folder], high.0, high.2);
        let answer = imap
            .command(&format!("EXAMINE {name} (QRESYNC ({validity} {highest}))"))?
            .or_error()?;
        let mut known = remembered.clone();
        for line in &answer.untagged {
            if let Some(set) = line.text.strip_prefix("* VANISHED (EARLIER) ") {
                known.retain(|uid, _| !is_in(set, *uid));
            } else if line.text.contains(" FETCH ") {
                let uid = number_after(&line.text, "UID").unwrap_or_default();
                known.insert(uid, line.text.contains("\\Flagged"));
            }
        }
        Ok(Some(known))
    }

    fn compare_renamed(&mut self, imap: &mut Imap, wrong: &mut Vec<String>) -> std::io::Result<()> {
        let listed = imap.command("LIST \"\" Work-%")?.or_error()?;
        let there: Vec<usize> = (0..2)
            .filter(|at| {
                listed
                    .untagged
                    .iter()
                    .any(|line| line.text.contains(RENAMED[*at]))
            })
            .collect();
        match there.as_slice() {
            [one] => self.renamed = *one,
            [] => {}
            both => wrong.push(format!("a rename left {} folders", both.len())),
        }
        Ok(())
    }
}

fn judge(
    seq: u64,
    wanted: &State,
    found: Option<&State>,
    pending: Option<&Pending>,
    wrong: &mut Vec<String>,
) {
    let Some(found) = found else {
        match pending {
            Some(Pending::Expunge(under_way)) if *under_way == seq => {}
            _ => wrong.push(format!("message {seq} is lost")),
        }
        return;
    };
    let flag_may_differ = matches!(pending, Some(Pending::Flag(under_way)) if *under_way == seq);
    if found.flagged != wanted.flagged && !flag_may_differ {
        wrong.push(format!(
            "message {seq} lost a flag change: {wanted:?}, found {found:?}"
        ));
    }
    let may_have_moved = matches!(pending, Some(Pending::Move(under_way)) if *under_way == seq);
    if (found.folder, found.uid) != (wanted.folder, wanted.uid) && !may_have_moved {
        wrong.push(format!("message {seq} is elsewhere: {wanted:?}, found {found:?}"));
    }
}

/// Whether a set of UIDs holds this one.
fn is_in(set: &str, uid: u64) -> bool {
    set.split(',').any(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let bounds = first.parse::<u64>().ok().zip(last.parse::<u64>().ok());
        bounds.is_some_and(|(first, last)| (first..=last).contains(&uid))
    })
}

/// The `nth` number (from 0) after a response code's name.
fn after_code(text: &str, code: &str, nth: usize) -> Option<u64> {
    let rest = &text[text.find(code)? + code.len()..];
    rest.trim_start().split([' ', ']']).nth(nth)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read() {
        assert_eq!(
            after_code("OK [APPENDUID 38505 3955] done", "APPENDUID", 1),
            Some(3955)
        );
        assert_eq!(
            after_code("* OK [COPYUID 432432 304 3956] x", "COPYUID", 2),
            Some(3956)
        );
    }

    #[test]
    fn sets_are_read() {
        let held: Vec<u64> = (1..10).filter(|&uid| is_in("2,4:6,9", uid)).collect();
        assert_eq!(held, [2, 4, 5, 6, 9]);
    }

    #[test]
    fn a_lost_message_and_a_lost_flag_are_noticed() {
        let state = State {
            folder: 0,
            uid: 3,
            flagged: true,
        };
        let mut wrong = Vec::new();
        judge(1, &state, None, None, &mut wrong);
        judge(
            1,
            &state,
            Some(&State {
                flagged: false,
                ..state.clone()
            }),
            None,
            &mut wrong,
        );
        judge(
            1,
            &state,
            Some(&State {
                flagged: false,
                ..state.clone()
            }),
            Some(&Pending::Flag(1)),
            &mut wrong,
        );
        judge(1, &state, None, Some(&Pending::Expunge(1)), &mut wrong);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
