//! Where the time of an accepted message goes: CPU by perf's samples, waiting for the disk by strace's clock.

use super::Options;
use super::lab::Lab;
use super::results::Results;
use super::single::inbound;
use crate::demo::Demo;
use crate::process;
use crate::report::{Outcome, pause};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Sessions of each profile, and the messages while samples are taken.
const PROFILES: [(usize, usize); 2] = [(1, 5_000), (10, 8_000)];
/// Messages while calls are counted, and while syncs are timed; strace makes every one slower.
const TIMED: usize = 500;
/// What is counted: the event's name for perf, and ours.
const COUNTED: &[(&str, &str)] = &[
    ("context-switches", "changes of threads"),
    ("syscalls:sys_enter_futex", "`futex`"),
    ("syscalls:sys_enter_epoll_wait", "`epoll_wait`"),
    ("syscalls:sys_enter_recvfrom", "`recvfrom`"),
    ("syscalls:sys_enter_sendto", "`sendto`"),
    (
        "syscalls:sys_enter_pwrite64",
        "`pwrite64` (two a page of the log)",
    ),
    ("syscalls:sys_enter_fcntl", "`fcntl`"),
];
/// Samples a second; a prime, so that it beats with nothing.
const SAMPLES_HZ: &str = "1999";
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// What a sampled function belongs to: the first row whose words its name contains.
const KINDS: &[(&str, &[&str])] = &[
    ("hash (BLAKE3)", &["blake3"]),
    ("TLS", &["rustls", "ring_core", "aes_", "chacha"]),
    ("compress", &["ZSTD", "zstd", "HUF_", "FSE_"]),
    ("SQL", &["sqlite3", "rusqlite", "btree", "pager", "vdbe", "wal"]),
    ("our store", &["store::"]),
    (
        "frames, headers, decisions",
        &[
            "smtp::",
            "mail::",
            "receive::",
            "queue::",
            "directory::",
            "deliver::",
        ],
    ),
    ("mailbox views and IMAP", &["mailbox::", "access::", "imap::"]),
    ("log", &["world_real::log", "serde_json"]),
    (
        "runtime",
        &["tokio", "mio", "parking_lot", "crossbeam", "futures"],
    ),
    (
        "memory",
        &[
            "malloc", "free", "realloc", "memcpy", "memmove", "memset", "alloc::", "_int_",
        ],
    ),
];

/// What one profile showed.
struct Profile {
    sessions: usize,
    cpu_ms: f64,
    samples: String,
    /// name and number a message
    counts: Vec<(&'static str, f64)>,
    syncs: f64,
    sync_ms: f64,
}

/// Samples the process under one session and under ten, counts its calls, and times its syncs.
pub fn inbound_path(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("profile", 100)?;
    inbound(lab, &demo, 500, 10, 100, &[])?;
    let mut out = String::from("### Profile of the inbound path\n");
    for (sessions, messages) in PROFILES {
        let (cpu_ms, samples) = sample(lab, &demo, sessions, messages)?;
        let counts = count(lab, &demo, sessions)?;
        let (syncs, sync_ms) = syncs(lab, &demo, sessions)?;
        out.push_str(&page(&Profile {
            sessions,
            cpu_ms,
            samples,
            counts,
            syncs,
            sync_ms,
        }));
    }
    results.remark(out);
    Ok(())
}

/// Milliseconds of CPU a message, and perf's report.
fn sample(lab: &Lab, demo: &Demo, sessions: usize, messages: usize) -> Outcome<(f64, String)> {
    let data = lab.dir("perf.data");
    let output = data.display().to_string();
    let words = ["record", "-q", "-F", SAMPLES_HZ, "-o", &output];
    let metrics = under_perf(lab, demo, &words, sessions, messages)?;
    let cpu_ms = metrics["cpu_s_per_1000"].as_f64().unwrap_or(f64::NAN);
    let mut report = Command::new("perf");
    report
        .args([
            "report",
            "--stdio",
            "-q",
            "--no-children",
            "--sort",
            "dso,symbol",
            "-i",
        ])
        .arg(&data);
    Ok((cpu_ms, process::must(&mut report, CALL_LIMIT)?.stdout))
}

/// Calls a message, by the kernel's own counters.
fn count(lab: &Lab, demo: &Demo, sessions: usize) -> Outcome<Vec<(&'static str, f64)>> {
    let output = lab.dir("perf.txt").display().to_string();
    let events: Vec<&str> = COUNTED.iter().map(|(event, _)| *event).collect();
    let words = ["stat", "-x", ",", "-e", &events.join(","), "-o", &output];
    under_perf(lab, demo, &words, sessions, TIMED)?;
    let text = std::fs::read_to_string(&output)?;
    Ok(counts_of(&text, TIMED))
}

/// Runs the load while perf looks at the server.
fn under_perf(lab: &Lab, demo: &Demo, words: &[&str], sessions: usize, messages: usize) -> Outcome<Value> {
    let mut perf = Command::new("perf")
        .args(words)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("perf is needed for the profile: {error}"))?;
    pause(Duration::from_millis(300));
    let measured = inbound(lab, demo, messages, sessions, 100, &["--settle", "0.1"]);
    // perf writes what it has when it is interrupted.
    process::must(
        Command::new("kill").args(["-INT", &perf.id().to_string()]),
        CALL_LIMIT,
    )?;
    process::wait(&mut perf, CALL_LIMIT).ok_or("perf did not end")?;
    measured
}

/// Reads the lines of `perf stat -x ,`: count, unit, event.
fn counts_of(text: &str, messages: usize) -> Vec<(&'static str, f64)> {
    let of_event = |event: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(event));
        line.and_then(|line| line.split(',').next()?.parse().ok())
            .unwrap_or(f64::NAN)
    };
    COUNTED
        .iter()
        .map(|(event, name)| (*name, of_event(event) / messages as f64))
        .collect()
}

/// Syncs per message and milliseconds each.
fn syncs(lab: &Lab, demo: &Demo, sessions: usize) -> Outcome<(f64, f64)> {
    let log = lab.dir("syncs.txt");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-T", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    pause(Duration::from_millis(500));
    let measured = inbound(lab, demo, TIMED, sessions, 100, &[]);
    process::stop(&mut strace, Duration::from_secs(5));
    measured?;
    let text = std::fs::read_to_string(&log)?;
    let times: Vec<f64> = text
        .lines()
        .filter_map(|line| line.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok())
        .collect();
    let each_ms = times.iter().sum::<f64>() / times.len().max(1) as f64 * 1e3;
    Ok((times.len() as f64 / TIMED as f64, each_ms))
}

/// Percent, shared object and symbol of each line of perf's report.
fn lines(samples: &str) -> impl Iterator<Item = (f64, &str, &str)> {
    samples.lines().filter_map(|line| {
        let (percent, rest) = line.trim().split_once('%')?;
        let (object, symbol) = rest.trim().split_once(char::is_whitespace)?;
        // perf pads the symbol and may add columns of dashes.
        let symbol = symbol.trim().split("  ").next()?;
        Some((percent.parse().ok()?, object, symbol))
    })
}

fn kind_of(object: &str, symbol: &str) -> &'static str {
    if object.starts_with("[kernel") || symbol.starts_with("[k]") {
        let sync = [
            "sync",
            "ext4",
            "jbd2",
            "blk_",
            "bio_",
            "submit",
            "writeback",
            "folio",
        ];
        let disk = sync.iter().any(|word| symbol.contains(word));
        return if disk {
            "kernel: files and syncs"
        } else {
            "kernel: network, scheduling, rest"
        };
    }
    let found = KINDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| symbol.contains(word)));
    found.map_or("other", |(kind, _)| *kind)
}

fn by_kind(samples: &str) -> Vec<(&'static str, f64)> {
    let mut shares: BTreeMap<&'static str, f64> = BTreeMap::new();
    for (percent, object, symbol) in lines(samples) {
        *shares.entry(kind_of(object, symbol)).or_default() += percent;
    }
    let mut shares: Vec<(&'static str, f64)> = shares.into_iter().collect();
    shares.sort_by(|one, two| two.1.total_cmp(&one.1));
    shares
}

fn hottest(samples: &str) -> Vec<String> {
    lines(samples)
        .take(12)
        .map(|(percent, _, symbol)| format!("{percent:.1} % `{symbol}`"))
        .collect()
}

fn page(profile: &Profile) -> String {
    let Profile {
        sessions,
        cpu_ms,
        syncs,
        sync_ms,
        ..
    } = profile;
    let mut out = format!(
        "\n### {sessions} {}\n\n\
         4 KB, 100 mailboxes: {cpu_ms:.3} ms of CPU a message, by perf's samples of the server:\n\n\
         | part | share | ms a message |\n|---|---:|---:|\n",
        if *sessions == 1 { "session" } else { "sessions" }
    );
    for (kind, percent) in by_kind(&profile.samples) {
        out.push_str(&format!(
            "| {kind} | {percent:.1} % | {:.3} |\n",
            cpu_ms * percent / 100.0
        ));
    }
    let counts: Vec<String> = profile
        .counts
        .iter()
        .map(|(name, number)| format!("{number:.1} {name}"))
        .collect();
    out.push_str(&format!(
        "\nA message: {}.\n\nWaiting for the disk: {syncs:.2} syncs a message, {sync_ms:.2} ms each (strace slows them).\n\n\
         Hottest functions: {}.\n",
        counts.join(", "),
        hottest(&profile.samples).join(", ")
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_sorted_into_kinds() {
        let report = "    40.00%  hearthpost  [.] sqlite3VdbeExec\n    25.50%  [kernel.kallsyms]  [k] ext4_sync_file\n\
                      10.00%  hearthpost  [.] blake3_hash_many_avx2\n     1.00%  libc.so.6  [.] __memmove_avx\n";
        let shares = by_kind(report);
        assert_eq!(shares[0], ("SQL", 40.0));
        assert_eq!(shares[1], ("kernel: files and syncs", 25.5));
        assert!(shares.contains(&("hash (BLAKE3)", 10.0)) && shares.contains(&("memory", 1.0)));
        assert_eq!(hottest(report)[0], "40.0 % `[.] sqlite3VdbeExec`");
    }

    #[test]
    fn counts_are_given_for_each_message() {
        let text = "# started\n\n1200,,context-switches,1,100.00,,\n250,,syscalls:sys_enter_futex,1,100.00,,\n\
                    <not supported>,,syscalls:sys_enter_fcntl,0,100.00,,\n";
        let counts = counts_of(text, 100);
        assert_eq!(counts[..2], [("changes of threads", 12.0), ("`futex`", 2.5)]);
        assert!(
            counts
                .iter()
                .all(|(name, number)| *name != "`fcntl`" || number.is_nan())
        );
    }
}
