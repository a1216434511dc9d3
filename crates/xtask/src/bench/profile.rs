//! Where the time of an accepted message goes: CPU by perf's samples, waiting for the disk by strace's clock.

use super::Options;
use super::lab::Lab;
use super::results::Results;
use super::single::inbound;
use crate::process;
use crate::report::{Outcome, pause};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Messages while samples are taken.
const SAMPLED: usize = 8_000;
/// Messages while syncs are timed; strace makes every one slower.
const TIMED: usize = 500;
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

/// Samples the process under ten sessions of 4 KB, then times its syncs.
pub fn inbound_path(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("profile", 100)?;
    inbound(lab, &demo, 500, 10, 100, &[])?;
    let data = lab.dir("perf.data");
    let mut perf = Command::new("perf")
        .args(["record", "-q", "-F", SAMPLES_HZ, "-o"])
        .arg(&data)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("perf is needed for the profile: {error}"))?;
    pause(Duration::from_millis(300));
    let measured = inbound(lab, &demo, SAMPLED, 10, 100, &["--settle", "0.1"]);
    process::must(
        Command::new("kill").args(["-INT", &perf.id().to_string()]),
        CALL_LIMIT,
    )?;
    process::wait(&mut perf, CALL_LIMIT).ok_or("perf did not end")?;
    let cpu_ms = measured?["cpu_s_per_1000"].as_f64().unwrap_or(f64::NAN);
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
    let samples = process::must(&mut report, CALL_LIMIT)?.stdout;
    let shares = by_kind(&samples);
    let (syncs, each_ms) = syncs(lab, &demo)?;
    results.remark(page(cpu_ms, &shares, &hottest(&samples), syncs, each_ms));
    Ok(())
}

/// Syncs per message and milliseconds each, at ten sessions.
fn syncs(lab: &Lab, demo: &crate::demo::Demo) -> Outcome<(f64, f64)> {
    let log = lab.dir("syncs.txt");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-T", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    pause(Duration::from_millis(500));
    let measured = inbound(lab, demo, TIMED, 10, 100, &[]);
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

fn page(cpu_ms: f64, shares: &[(&str, f64)], hottest: &[String], syncs: f64, each_ms: f64) -> String {
    let mut out = format!(
        "## Profile of the inbound path\n\n\
         4 KB, 10 sessions, 100 mailboxes: {cpu_ms:.3} ms of CPU a message, by perf's samples of the server:\n\n\
         | part | share | ms a message |\n|---|---:|---:|\n"
    );
    for (kind, percent) in shares {
        out.push_str(&format!(
            "| {kind} | {percent:.1} % | {:.3} |\n",
            cpu_ms * percent / 100.0
        ));
    }
    out.push_str(&format!(
        "\nWaiting for the disk: {syncs:.2} syncs a message, {each_ms:.2} ms each (strace slows them).\n\nHottest functions: {}.\n",
        hottest.join(", ")
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
}
