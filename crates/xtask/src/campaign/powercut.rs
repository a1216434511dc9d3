//! Power cuts on the whole program: one run is recorded, then for many moments a state is rebuilt that the disk may show after a cut
//! (any subset of the unsynced writes, torn at 512 octets), the program started on it, and the oracle asked (DUR-3, recipe R3).
//!
//! What counts as acknowledged at a cut is read from the recording itself: the replies that had been handed to a socket before it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::disk::{NameRule, Op};
use testkit::powercut::{Recording, snapshot, strace};

use super::chance::Chance;
use super::demo::{Demo, Launch};
use super::ledger::{Findings, Ledger, Oracle};
use super::load::{Load, Road};
use super::told;
use crate::report::Summary;

/// Deliveries in the recorded run.
const DELIVERIES: u64 = 120;

/// What to do.
pub struct Options {
    /// how to start the program
    pub launch: Launch,
    /// a place for directories
    pub place: PathBuf,
    /// cuts in all
    pub cuts: usize,
    /// decides every moment
    pub seed: u64,
}

/// Runs the campaign.
pub fn run(options: &Options) -> Summary {
    let mut summary = Summary::new();
    told(
        &mut summary,
        "dur_3 power cuts lose nothing that was acknowledged",
        all_cuts(options),
    );
    summary
}

/// Records one run and examines every cut.
pub fn all_cuts(options: &Options) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let dir = options.place.join("recorded");
    let trace = options.place.join("recorded.trace");
    let mut launch = options.launch.clone();
    Demo::start(&launch, &dir)?.stop()?;
    let base = snapshot(&dir).map_err(text)?;
    launch.wrapper = strace(&trace);
    let ledger = Arc::new(Ledger::default());
    record(&launch, &dir, &ledger, options.seed)?;
    let recording = Recording::read(&trace, &dir, base, NameRule::WithDirectory)?;
    let answers: Vec<usize> = answers(&recording);
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
        return Err("the recording has no acknowledgement".into());
    };
    println!(
        "  power cuts: {} operations recorded, {} acknowledgements",
        recording.ops().len(),
        answers.len()
    );
    let mut chance = Chance::new(options.seed);
    let (mut present, mut unacknowledged) = (0, 0);
    for cut in 0..options.cuts {
        // Every other cut falls right after an acknowledgement: what was promised is youngest then.
        let at = if cut % 2 == 0 {
            answers[chance.between(0, answers.len() as u64) as usize] + 1
        } else {
            chance.between(*first as u64, *last as u64 + 1) as usize
        };
        let seed = chance.next();
        let found = examine(options, &recording, &ledger, at, seed)
            .map_err(|error| format!("cut {cut} before operation {at}, seed {seed}: {error}"))?;
        present += found.present;
        unacknowledged += found.unacknowledged;
        if cut % 10 == 9 {
            println!("  power cuts: {} of {}", cut + 1, options.cuts);
        }
    }
    Ok(format!(
        "{} cuts, {present} messages found, {unacknowledged} of them not acknowledged, 0 lost, torn or doubled",
        options.cuts
    ))
}

/// Runs the program under strace with load on it, until enough is acknowledged.
fn record(launch: &Launch, dir: &std::path::Path, ledger: &Arc<Ledger>, seed: u64) -> Result<(), String> {
    let mut demo = Demo::start(launch, dir)?;
    let load = Load::start(
        ledger,
        demo.ports,
        &demo.password,
        &[Road::Stranger, Road::Stranger, Road::Stranger, Road::User],
        8,
        seed,
    );
    let began = Instant::now();
    while ledger.acknowledged() < DELIVERIES && began.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    load.join();
    demo.stop().map(drop)
}

/// Where in the recording an acknowledgement was handed to a socket.
fn answers(recording: &Recording) -> Vec<usize> {
    let is_answer = |op: &Op| matches!(op, Op::Sent { bytes } if find(bytes, b"queued as q"));
    recording
        .ops()
        .iter()
        .enumerate()
        .filter(|(_, op)| is_answer(op))
        .map(|(at, _)| at)
        .collect()
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn examine(
    options: &Options,
    recording: &Recording,
    ledger: &Ledger,
    at: usize,
    seed: u64,
) -> Result<Findings, String> {
    let dir = options.place.join("cut");
    let _ = fs::remove_dir_all(&dir);
    recording
        .rebuild(at, seed, &dir)
        .map_err(|error| error.to_string())?;
    let sent: Vec<u8> = recording.sent_before(at).flatten().copied().collect();
    let told = ledger.as_of(|reply| queue_id(reply).is_some_and(|id| find(&sent, id.as_bytes())));
    let demo = Demo::start(&options.launch, &dir)?;
    let findings = Oracle::default()
        .examine(&told, demo.ports.imap, &demo.password, true)
        .map_err(|error| error.to_string())?;
    if findings.clean() {
        Ok(findings)
    } else {
        Err(format!("{findings:?}"))
    }
}

/// The queue id in a final reply.
fn queue_id(reply: &str) -> Option<&str> {
    let at = reply.find("queued as ")? + "queued as ".len();
    reply[at..].split_whitespace().next()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_queue_id_is_read_from_the_reply() {
        assert_eq!(
            super::queue_id("250 2.0.0 accepted, queued as qabc\r\n"),
            Some("qabc")
        );
        assert_eq!(super::queue_id("250 2.0.0 OK"), None);
    }
}
