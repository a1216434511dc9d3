//! The oracle's memory: every message that was ever offered, whether it was acknowledged, and what became of it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::imap_client::{Imap, number_after};

/// One message as a client saw it.
#[derive(Clone, Debug)]
struct Entry {
    recipients: Vec<String>,
    acknowledged: bool,
    /// the final reply, which names the queue id
    reply: String,
}

/// All messages of a campaign on one directory.
#[derive(Default)]
pub struct Ledger {
    next: AtomicU64,
    entries: Mutex<HashMap<u64, Entry>>,
    /// acknowledged deliveries, counted per recipient
    acknowledged: AtomicU64,
}

impl Ledger {
    /// Writes `attempt` before anything is sent; gives the sequence number.
    pub fn attempt(&self, recipients: &[String]) -> u64 {
        let seq = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Entry {
            recipients: recipients.to_vec(),
            acknowledged: false,
            reply: String::new(),
        };
        self.entries
            .lock()
            .expect("no client panics while it holds the ledger")
            .insert(seq, entry);
        seq
    }

    /// Writes `ack`, after the final reply was read.
    pub fn acknowledge(&self, seq: u64, reply: &str) {
        let mut entries = self
            .entries
            .lock()
            .expect("no client panics while it holds the ledger");
        let entry = entries
            .get_mut(&seq)
            .expect("only attempted messages are acknowledged");
        entry.acknowledged = true;
        reply.clone_into(&mut entry.reply);
        self.acknowledged
            .fetch_add(entry.recipients.len() as u64, Ordering::Relaxed);
    }

    /// The ledger as it was when only the replies that `was_sent` knows had left the server.
    pub fn as_of(&self, was_sent: impl Fn(&str) -> bool) -> Self {
        let mut entries = self
            .entries
            .lock()
            .expect("no client panics while it holds the ledger")
            .clone();
        for entry in entries.values_mut() {
            entry.acknowledged &= was_sent(&entry.reply);
        }
        Self {
            entries: Mutex::new(entries),
            ..Self::default()
        }
    }

    /// Deliveries acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// A message of about `size` octets that can be recognised and checked later.
pub fn message(seq: u64, from: &str, to: &str, size: usize) -> Vec<u8> {
    let mut text = String::with_capacity(size + 100);
    let mut state = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!(
            "line {state:016x} of message {seq}, as plain as a line can be\r\n"
        ));
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: campaign {seq}\r\nMessage-ID: <{seq}@campaign.test>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
         X-Seq: {seq}\r\nX-Hash: {hash}\r\n\r\n{text}"
    )
    .into_bytes()
}

/// What a stored message says of itself: its sequence number, and whether its text matches its hash.
pub fn inspect(message: &[u8]) -> Option<(u64, bool)> {
    let split = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&message[..split + 2]);
    let seq = header(&head, "X-Seq")?.parse().ok()?;
    let wanted = header(&head, "X-Hash")?;
    Some((
        seq,
        blake3::hash(&message[split + 4..]).to_hex().as_str() == wanted,
    ))
}

/// The value of a header field of our own making (unfolded).
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::trim)
}

/// Findings of the oracle; all but `unacknowledged` must be 0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Findings {
    pub present: u64,
    pub lost: u64,
    pub duplicate: u64,
    pub torn: u64,
    pub phantom: u64,
    /// a UID that names another message than before, UIDVALIDITY changed, UIDNEXT or HIGHESTMODSEQ went down
    pub uid_broken: u64,
    /// messages the server itself reported as damaged
    pub damaged: u64,
    /// allowed: present, though no reply was read
    pub unacknowledged: u64,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn clean(&self) -> bool {
        self.lost + self.duplicate + self.torn + self.phantom + self.uid_broken + self.damaged == 0
    }
}

/// What the oracle knows of one mailbox from earlier readings.
#[derive(Default, Clone)]
struct Known {
    uidvalidity: u64,
    uidnext: u64,
    modseq: u64,
    by_uid: HashMap<u64, u64>,
}

/// Reads mailboxes back over IMAP and compares.
#[derive(Default)]
pub struct Oracle {
    known: HashMap<String, Known>,
}

impl Oracle {
    /// Reads what is new in each recipient's INBOX (everything, if `whole`) and compares with the ledger.
    pub fn examine(
        &mut self,
        ledger: &Ledger,
        port: u16,
        password: &str,
        whole: bool,
    ) -> std::io::Result<Findings> {
        let mut findings = Findings::default();
        let entries = ledger
            .entries
            .lock()
            .expect("no client panics while it holds the ledger")
            .clone();
        let mut users: Vec<String> = entries
            .values()
            .flat_map(|entry| entry.recipients.clone())
            .collect();
        users.sort();
        users.dedup();
        let mut seen: HashMap<(u64, String), u64> = HashMap::new();
        for user in users {
            let known = self.known.entry(user.clone()).or_default();
            read_inbox(known, &user, port, password, whole, &mut findings)?;
            for seq in known.by_uid.values() {
                *seen.entry((*seq, user.clone())).or_default() += 1;
            }
        }
        for (key, count) in &seen {
            findings.present += count;
            findings.duplicate += count - 1;
            match entries.get(&key.0) {
                Some(entry) if entry.recipients.contains(&key.1) => {
                    findings.unacknowledged += u64::from(!entry.acknowledged)
                }
                _ => findings.phantom += 1,
            }
        }
        for (seq, entry) in entries.iter().filter(|(_, entry)| entry.acknowledged) {
            for recipient in &entry.recipients {
                findings.lost += u64::from(!seen.contains_key(&(*seq, recipient.clone())));
            }
        }
        Ok(findings)
    }
}

fn read_inbox(
    known: &mut Known,
    user: &str,
    port: u16,
    password: &str,
    whole: bool,
    findings: &mut Findings,
) -> std::io::Result<()> {
    let mut imap = Imap::sign_in(port, user, password)?;
    let selected = imap.command("EXAMINE INBOX")?.or_error()?;
    let number = |name: &str| selected.code_number(name).unwrap_or_default();
    let (uidvalidity, uidnext, modseq) = (number("UIDVALIDITY"), number("UIDNEXT"), number("HIGHESTMODSEQ"));
    let changed = known.uidvalidity != 0 && known.uidvalidity != uidvalidity;
    findings.uid_broken +=
        u64::from(changed) + u64::from(uidnext < known.uidnext) + u64::from(modseq < known.modseq);
    let first = if whole { 1 } else { known.uidnext.max(1) };
    (known.uidvalidity, known.uidnext, known.modseq) = (uidvalidity, uidnext, modseq);
    let mut reread: HashMap<u64, u64> = HashMap::new();
    let mut low = first;
    while low < uidnext {
        let answer = imap.command(&format!("UID FETCH {low}:{} (UID BODY.PEEK[])", low + 199))?;
        if !answer.ok() {
            findings.damaged += 1;
        }
        for line in answer
            .untagged
            .iter()
            .filter(|line| line.text.contains(" FETCH "))
        {
            let uid = number_after(&line.text, "UID").unwrap_or_default();
            let Some(body) = line.literals.first() else {
                continue;
            };
            match inspect(body) {
                Some((seq, intact)) => {
                    findings.torn += u64::from(!intact);
                    reread.insert(uid, seq);
                }
                // The demo's welcome message and the like.
                None => findings.torn += u64::from(body.windows(6).any(|window| window == b"X-Seq:")),
            }
        }
        low += 200;
    }
    for (uid, seq) in &reread {
        findings.uid_broken += u64::from(known.by_uid.get(uid).is_some_and(|before| before != seq));
    }
    if whole {
        known.by_uid = reread;
    } else {
        known.by_uid.extend(reread);
    }
    let _ = imap.command("LOGOUT");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_recognises_itself_and_a_change_in_it() {
        let whole = message(7, "a@b.test", "c@d.test", 2_000);
        assert_eq!(inspect(&whole), Some((7, true)));
        let mut torn = whole.clone();
        let last = torn.len() - 5;
        torn[last] ^= 1;
        assert_eq!(inspect(&torn), Some((7, false)));
        assert_eq!(inspect(&whole[..whole.len() - 10]), Some((7, false)));
    }
}
