//! IMAP measured on Hearthpost alone: syncs, notices, indexing; ten thousand idle sessions; a mailbox of a million messages.

use super::Options;
use super::lab::{Lab, median, status_kib};
use super::results::{Goal, Results};
use crate::demo::Demo;
use crate::process;
use crate::report::{Outcome, Stopwatch, pause};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// STOREs under strace.
const LONE: usize = 40;
/// Deliveries whose notice is timed.
const NOTICES: usize = 600;
/// Messages that arrive at once while indexing is measured, and one by one.
const ARRIVING: (usize, usize) = (10_000, 500);
/// How long sessions are idle before memory is read.
const IDLE: Duration = Duration::from_secs(60);
/// How long the index may take for a million messages.
pub const INDEXING_LIMIT: Duration = Duration::from_secs(1200);

/// What needs no other server and little time.
pub fn alone(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("imap-alone", 1)?;
    // A thread that never ran has no name yet.
    wait_for_index(lab, "imap-alone", Duration::from_secs(60))?;
    indexing(lab, &demo, results)?;
    lone_stores(lab, &demo, results)?;
    notices(lab, &demo, results)
}

/// A step of `imap.py` as the demo's user.
fn step(lab: &Lab, demo: &Demo, name: &str, more: &[(&str, usize)]) -> Outcome<Value> {
    let (user, password) = demo.user("bob")?;
    let mut args = vec![name.to_owned()];
    let port = demo.port("imap")?.to_string();
    args.extend([
        "--port".into(),
        port,
        "--user".into(),
        user,
        "--password".into(),
        password,
    ]);
    for (flag, value) in more {
        args.extend([format!("--{flag}"), value.to_string()]);
    }
    lab.script("imap.py", &args)
}

/// Processor time of indexing, and how soon after the last message all are indexed.
fn indexing(lab: &Lab, demo: &Demo, results: &mut Results) -> Outcome<()> {
    for (step_name, count, how) in [
        ("populate", ARRIVING.0, "at once"),
        ("paced", ARRIVING.1, "a hundred a second"),
    ] {
        let before = index_cpu_ms(demo)?;
        step(lab, demo, step_name, &[("messages", count)])?;
        let behind = wait_for_index(lab, "imap-alone", Duration::from_secs(60))?;
        let each = (index_cpu_ms(demo)? - before) / count as f64;
        results.own(
            format!("indexing, processor ms for each 4 KB message, {count} that come {how}"),
            each,
            format!("{each:.3} ms"),
            Some(Goal::at_most(1.0, "≤ 1 ms".into())),
        );
        let goal = (step_name == "paced").then(|| Goal::at_most(1.0, "≤ 1 s".into()));
        results.own(
            format!("from the last of these to an index that has them all, {how}"),
            behind,
            format!("{behind:.2} s"),
            goal,
        );
    }
    Ok(())
}

/// Processor time of the thread that indexes.
fn index_cpu_ms(demo: &Demo) -> Outcome<f64> {
    for task in std::fs::read_dir(format!("/proc/{}/task", demo.pid()))? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == "index" {
            let stat = std::fs::read_to_string(task.join("schedstat"))?;
            let ns: f64 = stat.split_whitespace().next().unwrap_or_default().parse()?;
            return Ok(ns / 1e6);
        }
    }
    Err("there is no thread called index".into())
}

/// Seconds until the index says that it has everything.
pub fn wait_for_index(lab: &Lab, name: &str, limit: Duration) -> Outcome<f64> {
    let started = Stopwatch::start();
    while started.elapsed() < limit {
        let mut ask = lab.inside(&lab.binary);
        ask.args(["index", "status", "--json", "--data"])
            .arg(lab.dir(name));
        let said: Value = serde_json::from_str(&process::must(&mut ask, Duration::from_secs(20))?.stdout)?;
        if said["state"] == "complete" && said["accounts_behind"] == 0 {
            return Ok(started.seconds());
        }
        pause(Duration::from_millis(20));
    }
    Err("the index did not catch up".into())
}

/// strace counts the syncs of STOREs that come one by one.
fn lone_stores(lab: &Lab, demo: &Demo, results: &mut Results) -> Outcome<()> {
    let log = lab.dir("strace-store.txt");
    let calls = "trace=fsync,fdatasync,sync_file_range,msync,syncfs,sync";
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-e", calls, "-o"])
        .arg(&log)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    pause(Duration::from_millis(500));
    let stored = step(lab, demo, "lone", &[("runs", LONE)]);
    process::stop(&mut strace, Duration::from_secs(5));
    stored?;
    let text = std::fs::read_to_string(&log)?;
    let is_sync = |line: &&str| line.contains("sync") && !line.contains("resumed");
    let each = text.lines().filter(is_sync).count() as f64 / LONE as f64;
    results.own(
        format!("syncs for a lone STORE (strace, {LONE} of them)"),
        each,
        format!("{each:.2}"),
        // A checkpoint of the write-ahead log may fall into the measurement; it is not a STORE's sync.
        Some(Goal::at_most(1.1, "1".into())),
    );
    Ok(())
}

/// From the sender's reading of `250` to the notice at an IDLE client.
fn notices(lab: &Lab, demo: &Demo, results: &mut Results) -> Outcome<()> {
    let password = demo.json["bulk"]["password"].as_str().unwrap_or_default();
    let args = [
        demo.port("smtp")?.to_string(),
        demo.port("imap")?.to_string(),
        password.to_owned(),
        NOTICES.to_string(),
    ];
    let found = lab.script("idle_notice.py", &args)?;
    let number = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
    results.own(
        format!("250 to IDLE notice, p50 of {NOTICES}"),
        number("p50_ms"),
        format!("{:.2} ms (p99 {:.2})", number("p50_ms"), number("p99_ms")),
        Some(Goal::at_most(2.0, "≤ 2 ms".into())),
    );
    Ok(())
}

/// Signed in over TLS, INBOX open, in IDLE: what they take of memory and processor.
pub fn idle(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("imap-idle", 100)?;
    let password = demo.json["bulk"]["password"].as_str().unwrap_or_default();
    let (port, pid) = (demo.port("imaps")?.to_string(), demo.pid().to_string());
    let (count, seconds) = (options.connections, IDLE.as_secs());
    let words = [
        "imaps",
        &port,
        password,
        &count.to_string(),
        &seconds.to_string(),
        &pid,
        "idle",
    ];
    let found = lab.script("idle_connections.py", &words.map(str::to_owned))?;
    let number = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
    let whole = number("after_kib") / 1024.0;
    results.own(
        format!("RSS of the server with {count} sessions over TLS in IDLE, after {seconds} s"),
        whole,
        format!("{whole:.0} MiB ({:.1} KiB each)", number("kib_each")),
        Some(Goal::at_most(400.0, "≤ 400 MiB for 10,000".into())),
    );
    let share = 100.0 * number("cpu_s") / IDLE.as_secs_f64();
    results.own(
        format!("processor time of these {seconds} s"),
        share,
        format!("{share:.2} % of a core"),
        Some(Goal::at_most(1.0, "< 1 %".into())),
    );
    Ok(())
}

/// Opens a mailbox of very many messages after a start and reads all flags.
pub fn million(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("imap-million", 1)?;
    step(lab, &demo, "million", &[("messages", options.messages)])?;
    let behind = wait_for_index(lab, "imap-million", INDEXING_LIMIT)?;
    println!("  the index was in step {behind:.1} s after the last message");
    demo.stop()?;
    let (mut runs, mut at_rest) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let demo = lab.hearthpost("imap-million", 1)?;
        pause(Duration::from_secs(2));
        at_rest.push(status_kib(demo.pid(), "VmRSS:")? / 1024.0);
        runs.push(step(lab, &demo, "opened", &[("pid", demo.pid() as usize)])?);
        demo.stop()?;
    }
    let of = |row: &str| {
        let values = runs.iter().filter_map(|run| run["rows"][row][0].as_f64());
        median(values.collect())
    };
    let count = runs
        .first()
        .and_then(|run| run["units"]["open_ms"].as_u64())
        .unwrap_or(0);
    if count != options.messages as u64 {
        return Err(format!("{count} messages were there").into());
    }
    results.remark(format!("The server at rest had {:.1} MiB.", median(at_rest)));
    for (name, row, unit, goal) in [
        ("SELECT after a start", "open_ms", "ms", Some(2000.0)),
        ("processor time of that", "open_cpu_ms", "ms", None),
        ("memory that it adds", "open_mib", "MiB", Some(64.0)),
        ("FETCH 1:* (FLAGS), the first octet", "flags_first_ms", "ms", None),
        ("FETCH 1:* (FLAGS), all", "flags_ms", "ms", None),
        (
            "memory that SELECT and FETCH add at their peak",
            "flags_mib",
            "MiB",
            Some(64.0),
        ),
    ] {
        let value = of(row);
        let goal = goal.map(|limit| Goal::at_most(limit, format!("≤ {limit} {unit}")));
        results.own(
            format!("{count} messages: {name}"),
            value,
            format!("{value:.1} {unit}"),
            goal,
        );
    }
    std::fs::remove_dir_all(lab.dir("imap-million"))?;
    Ok(())
}
