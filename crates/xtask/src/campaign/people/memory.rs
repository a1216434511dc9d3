//! What a client with QRESYNC keeps of a folder, and how a new selection brings it up to date (RFC 7162 §3.2.5): UIDVALIDITY,
//! HIGHESTMODSEQ, and each UID with its flags and MODSEQ (DUR-6).

use std::collections::BTreeMap;

use crate::campaign::imap_client::{Answer, Imap, number_after};

/// A message as FETCH (UID FLAGS MODSEQ) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// in order
    flags: Vec<String>,
    modseq: u64,
}

/// A folder as it was read last.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    validity: u64,
    highest: u64,
    rows: BTreeMap<u64, Row>,
}

impl Memory {
    /// Reads a folder whole.
    pub(super) fn read(imap: &mut Imap, selected: &Answer) -> std::io::Result<Self> {
        let answer = imap.command("UID FETCH 1:* (UID FLAGS MODSEQ)")?.or_error()?;
        let mut memory = Self::of(selected);
        memory.hear(&answer);
        Ok(memory)
    }

    fn of(selected: &Answer) -> Self {
        let number = |code: &str| selected.code_number(code).unwrap_or_default();
        Self {
            validity: number("UIDVALIDITY"),
            highest: number("HIGHESTMODSEQ"),
            rows: BTreeMap::new(),
        }
    }

    /// Selects with what is remembered; what the client then believes. With `naming` it tells the server which UIDs it knows, and
    /// is told nothing of others.
    pub(super) fn resynchronise(&self, imap: &mut Imap, name: &str, naming: bool) -> std::io::Result<Self> {
        let known = match naming && !self.rows.is_empty() {
            true => format!(" {}", self.uids()),
            false => String::new(),
        };
        let (validity, highest) = (self.validity, self.highest.max(1));
        let answer = imap
            .command(&format!("EXAMINE {name} (QRESYNC ({validity} {highest}{known}))"))?
            .or_error()?;
        let mut now = Self::of(&answer);
        now.rows.clone_from(&self.rows);
        now.hear(&answer);
        Ok(now)
    }

    fn uids(&self) -> String {
        let uids: Vec<String> = self.rows.keys().map(u64::to_string).collect();
        uids.join(",")
    }

    fn hear(&mut self, answer: &Answer) {
        for line in &answer.untagged {
            if let Some(set) = line.text.strip_prefix("* VANISHED (EARLIER) ") {
                self.rows.retain(|uid, _| !is_in(set, *uid));
            } else if let Some((uid, row)) = row(&line.text) {
                self.rows.insert(uid, row);
            }
        }
    }

    /// What is wrong when `self`, brought up to date from `earlier`, is held against a full reading.
    pub(super) fn differs(&self, earlier: &Self, naming: bool, read: &Self) -> Option<String> {
        // RFC 7162 §3.2.5.2: of what is not among the known UIDs nothing is told. Who knows none cannot name them.
        let only_known = naming && !earlier.rows.is_empty();
        let asked = |uid: &u64| !only_known || earlier.rows.contains_key(uid);
        let mut uids: Vec<&u64> = self.rows.keys().chain(read.rows.keys()).collect();
        uids.retain(|uid| asked(uid) && self.rows.get(uid) != read.rows.get(uid));
        let uid = uids.first()?;
        Some(format!(
            "resynchronising from MODSEQ {} leads elsewhere than reading: UID {uid} was {:?}, is held for {:?} and is {:?}",
            earlier.highest,
            earlier.rows.get(uid),
            self.rows.get(uid),
            read.rows.get(uid)
        ))
    }

    /// A message that is newer than the folder says of itself.
    pub(super) fn above_highest(&self) -> Option<String> {
        let (uid, row) = self.rows.iter().find(|(_, row)| row.modseq > self.highest)?;
        Some(format!(
            "UID {uid} has MODSEQ {}, above HIGHESTMODSEQ {}",
            row.modseq, self.highest
        ))
    }
}

fn row(text: &str) -> Option<(u64, Row)> {
    text.split_once(" FETCH ")?;
    let (_, flags) = text.split_once("FLAGS (")?;
    let (flags, _) = flags.split_once(')')?;
    let mut flags: Vec<String> = flags
        .split_whitespace()
        .filter(|flag| *flag != "\\Recent")
        .map(str::to_owned)
        .collect();
    flags.sort();
    let modseq = number_after(text, "MODSEQ")?;
    Some((number_after(text, "UID")?, Row { flags, modseq }))
}

/// Whether a set of UIDs holds this one.
fn is_in(set: &str, uid: u64) -> bool {
    set.split(',').any(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let bounds = first.parse::<u64>().ok().zip(last.parse::<u64>().ok());
        bounds.is_some_and(|(first, last)| (first..=last).contains(&uid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::imap_client::Line;

    fn heard(lines: &[&str]) -> Answer {
        let line = |text: &&str| Line {
            text: (*text).to_owned(),
            literals: Vec::new(),
        };
        Answer {
            untagged: lines.iter().map(line).collect(),
            status: "OK [HIGHESTMODSEQ 9] done".to_owned(),
        }
    }

    #[test]
    fn sets_are_read() {
        let held: Vec<u64> = (1..10).filter(|&uid| is_in("2,4:6,9", uid)).collect();
        assert_eq!(held, [2, 4, 5, 6, 9]);
    }

    #[test]
    fn dur_6_what_resynchronising_does_not_tell_is_noticed() {
        let row = |uid: u64, flags: &str, modseq: u64| {
            format!("* {uid} FETCH (UID {uid} FLAGS ({flags}) MODSEQ ({modseq}))")
        };
        let folder = |lines: &[String]| {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut memory = Memory::of(&heard(&[]));
            memory.hear(&heard(&lines));
            memory
        };
        let earlier = folder(&[row(1, "", 3), row(2, "", 4)]);
        let read = folder(&[row(2, "\\Seen \\Flagged", 7), row(3, "", 8)]);
        let told = |lines: &[&str]| {
            let mut now = earlier.clone();
            now.hear(&heard(lines));
            now
        };
        let (gone, changed, new) = (
            "* VANISHED (EARLIER) 1",
            row(2, "\\Flagged \\Seen", 7),
            row(3, "", 8),
        );
        let whole = told(&[gone, &changed, &new]);
        assert_eq!(whole.differs(&earlier, false, &read), None);
        let named = told(&[gone, &changed]);
        assert_eq!(named.differs(&earlier, true, &read), None);
        for short in [
            told(&[gone, &changed]),
            told(&[gone, &new]),
            told(&[&changed, &new]),
        ] {
            assert!(short.differs(&earlier, false, &read).is_some(), "{short:?}");
        }
        assert_eq!(read.above_highest(), None);
        assert!(folder(&[row(1, "", 10)]).above_highest().is_some());
    }
}
