//! Reads SQLite's log by itself, following <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>: to count what
//! recovery takes over, to tell rot from a torn tail (row C21), and to prove the chain after a failed sync.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC_LITTLE: u32 = 0x377f_0682;
const MAGIC_BIG: u32 = 0x377f_0683;

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WalFacts {
    /// frames of whole commits, from the start
    pub frames: u64,
    /// whole commits, from the start
    pub commits: u64,
    /// commits behind a damaged frame that were once synced
    pub commits_behind_damage: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Chain(u32, u32);

struct Frame {
    commit: bool,
    salts: (u32, u32),
    stored: Chain,
}

/// Walks the log once. A missing or empty log holds nothing.
pub(crate) fn scan(path: &Path) -> io::Result<WalFacts> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WalFacts::default()),
        Err(error) => return Err(error),
    };
    let mut reader = io::BufReader::with_capacity(256 * 1024, file);
    let mut header = [0u8; HEADER_BYTES];
    if !fill(&mut reader, &mut header)? || header.iter().all(|&byte| byte == 0) {
        return Ok(WalFacts::default());
    }
    let big = word(&header, 0) == MAGIC_BIG;
    let start = checksum(big, Chain(0, 0), &header[..24]);
    let magic_ok = matches!(word(&header, 0), MAGIC_LITTLE | MAGIC_BIG);
    let header_ok = magic_ok && start == Chain(word(&header, 24), word(&header, 28));
    let page_bytes = match word(&header, 8) {
        size @ 512..=65536 if size.is_power_of_two() => size as usize,
        _ => 4096,
    };
    let mut walk = Walk {
        salts: header_ok.then(|| (word(&header, 16), word(&header, 20))),
        facts: WalFacts::default(),
        chain: start,
        broken: !header_ok,
        pending: 0,
        suspects: 0,
        last_commit: false,
    };
    let mut frame = vec![0u8; FRAME_HEADER_BYTES + page_bytes];
    let mut previous_stored = None;
    while fill(&mut reader, &mut frame)? {
        let head = Frame {
            commit: word(&frame, 4) != 0,
            salts: (word(&frame, 8), word(&frame, 12)),
            stored: Chain(word(&frame, 16), word(&frame, 20)),
        };
        if !walk.step(big, &head, &frame, previous_stored) {
            break;
        }
        previous_stored = Some(head.stored);
    }
    Ok(walk.facts)
}

/// The state of one walk: first along the proven chain, then, behind a bad frame, looking for proof of later commits.
struct Walk {
    salts: Option<(u32, u32)>,
    facts: WalFacts,
    chain: Chain,
    broken: bool,
    pending: u64,
    suspects: u64,
    last_commit: bool,
}

impl Walk {
    /// Takes one frame; `false` ends the walk.
    fn step(&mut self, big: bool, head: &Frame, frame: &[u8], previous_stored: Option<Chain>) -> bool {
        let salts = *self.salts.get_or_insert(head.salts);
        let computed = frame_checksum(big, self.chain, frame);
        let fits = head.salts == salts && computed == head.stored;
        if !self.broken {
            self.pending += 1;
            if fits {
                self.chain = computed;
                if head.commit {
                    self.facts.frames += self.pending;
                    self.facts.commits += 1;
                    self.pending = 0;
                }
                return true;
            }
            // A frame of another generation is the log's ordinary end; its own salts may be the damage, though, so
            // one more frame is looked at.
            self.broken = true;
            self.last_commit = head.commit;
            self.suspects = u64::from(head.commit);
            self.chain = computed;
            return true;
        }
        let by_stored = previous_stored.is_some_and(|seed| frame_checksum(big, seed, frame) == head.stored);
        let follows = head.salts == salts && (by_stored || fits);
        if follows && self.last_commit {
            // A commit was followed by another one: it had been synced.
            self.facts.commits_behind_damage += std::mem::take(&mut self.suspects);
        }
        if follows && head.commit {
            self.suspects += 1;
        }
        self.last_commit = head.commit && (follows || head.salts == salts);
        self.chain = if follows { head.stored } else { computed };
        head.salts == salts || follows
    }
}

fn frame_checksum(big: bool, seed: Chain, frame: &[u8]) -> Chain {
    let head = checksum(big, seed, &frame[..8]);
    checksum(big, head, &frame[FRAME_HEADER_BYTES..])
}

fn checksum(big: bool, seed: Chain, bytes: &[u8]) -> Chain {
    let (mut first, mut second) = (seed.0, seed.1);
    for pair in bytes.as_chunks::<8>().0 {
        let (a, b) = (
            [pair[0], pair[1], pair[2], pair[3]],
            [pair[4], pair[5], pair[6], pair[7]],
        );
        let (a, b) = match big {
            true => (u32::from_be_bytes(a), u32::from_be_bytes(b)),
            false => (u32::from_le_bytes(a), u32::from_le_bytes(b)),
        };
        first = first.wrapping_add(a).wrapping_add(second);
        second = second.wrapping_add(b).wrapping_add(first);
    }
    Chain(first, second)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Fills the buffer; `false` when the file ends first.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Bytes of the log that hold accepted frames, from the log's shared index (`mxFrame`, at byte 16).
pub(crate) fn used_bytes(shm: &File) -> io::Result<u64> {
    let mut last_frame = [0u8; 4];
    shm.read_exact_at(&mut last_frame, 16)?;
    Ok(HEADER_BYTES as u64 + u64::from(u32::from_ne_bytes(last_frame)) * (FRAME_HEADER_BYTES as u64 + 4096))
}
