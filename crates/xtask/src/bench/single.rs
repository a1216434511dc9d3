//! What is measured on Hearthpost alone: syncs, system calls, notices, starts, memory, a long history.

use super::Options;
use super::imap_scale::{INDEXING_LIMIT, wait_for_index};
use super::lab::{Lab, median, status_kib};
use super::results::{Goal, Results};
use crate::demo::Demo;
use crate::process;
use crate::report::{Outcome, Stopwatch, pause};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Lone messages under strace.
const LONE: usize = 40;
/// Messages while system calls are counted.
const COUNTED: usize = 2_000;
/// Deliveries whose notice is timed.
const NOTICES: usize = 600;
/// How long connections are idle before memory is read.
const IDLE: Duration = Duration::from_secs(60);
/// Messages of one sender, in this many equal parts.
const HISTORY: (usize, usize) = (20_000, 5);

/// Runs the load generator against a demo; an error unless every message arrived.
pub fn inbound(
    lab: &Lab,
    demo: &Demo,
    n: usize,
    sessions: usize,
    mailboxes: usize,
    more: &[&str],
) -> Outcome<Value> {
    let password = demo.json["bulk"]["password"]
        .as_str()
        .ok_or("the demo named no bulk users")?
        .to_owned();
    let mut args: Vec<String> = [
        "inbound",
        "--user",
        "user%d@example.test",
        "--rcpt",
        "user%d@example.test",
        "--runs",
        "1",
        "--deadline",
        "300",
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend(["--smtp".into(), format!("127.0.0.1:{}", demo.port("smtp")?)]);
    args.extend([
        "--imap".into(),
        format!("127.0.0.1:{}", demo.port("imap")?),
        "--password".into(),
        password,
    ]);
    args.extend([
        "--n".into(),
        n.to_string(),
        "--conc".into(),
        sessions.to_string(),
        "--mailboxes".into(),
        mailboxes.to_string(),
    ]);
    args.extend(["--cgroup".into(), lab.group("hearthpost").display().to_string()]);
    args.extend(more.iter().map(|word| (*word).to_owned()));
    let lines = lab.mailbench(&args)?;
    let metrics = lines.last().ok_or("no result")?["metrics"].clone();
    if metrics["err"].as_f64() != Some(0.0) || metrics["missing"].as_f64() != Some(0.0) {
        return Err(format!("not every message arrived: {metrics}").into());
    }
    Ok(metrics)
}

/// One message after the other on one connection, each until visible; strace counts the syncs.
pub fn syncs_of_a_lone_message(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("alone", 1)?;
    inbound(lab, &demo, 20, 1, 1, &[])?;
    let log = lab.dir("strace.txt");
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=fsync,fdatasync,sync_file_range,msync,syncfs,sync",
            "-o",
        ])
        .arg(&log)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    pause(Duration::from_millis(500));
    let measured = inbound(lab, &demo, LONE, 1, 1, &[]);
    process::stop(&mut strace, Duration::from_secs(5));
    measured?;
    let text = std::fs::read_to_string(&log)?;
    let syncs = text
        .lines()
        .filter(|line| line.contains("sync") && !line.contains("resumed"))
        .count();
    let each = syncs as f64 / LONE as f64;
    // A checkpoint of the write-ahead log may fall into the measurement; it is not a message's sync.
    let goal = Goal::at_most(1.1, "1".into());
    results.own(
        format!("syncs per lone message (strace, {LONE} messages)"),
        each,
        format!("{each:.2}"),
        Some(goal),
    );
    Ok(())
}

/// Ten sessions; the kernel's own counter of system calls of our process.
pub fn system_calls(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("calls", 100)?;
    inbound(lab, &demo, 500, 10, 100, &[])?;
    let out = lab.dir("perf.txt");
    let mut perf = Command::new("perf")
        .args([
            "stat",
            "-x",
            ",",
            "-e",
            "raw_syscalls:sys_enter,context-switches",
            "-o",
        ])
        .arg(&out)
        .args(["-p", &demo.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("perf is needed to count system calls: {error}"))?;
    pause(Duration::from_millis(500));
    let measured = inbound(lab, &demo, COUNTED, 10, 100, &["--settle", "0.1"]);
    // perf writes its counts when it is interrupted.
    process::must(
        Command::new("kill").args(["-INT", &perf.id().to_string()]),
        Duration::from_secs(5),
    )?;
    process::wait(&mut perf, Duration::from_secs(10)).ok_or("perf did not end")?;
    measured?;
    let text = std::fs::read_to_string(&out)?;
    let count = |event: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(event));
        line.and_then(|line| line.split(',').next())
            .and_then(|count| count.parse().ok())
            .unwrap_or(f64::NAN)
    };
    let calls = count("raw_syscalls") / COUNTED as f64;
    let switches = count("context-switches") / COUNTED as f64;
    let goal = Goal::at_most(40.0, "≤ 40".into());
    results.own(
        "system calls per message, 10 sessions, polling by the client included".into(),
        calls,
        format!("{calls:.1}"),
        Some(goal),
    );
    results.own(
        "context switches per message, 10 sessions".into(),
        switches,
        format!("{switches:.1}"),
        None,
    );
    Ok(())
}

/// From the sender's reading of `250` to the notice at an IDLE client.
pub fn notices(lab: &Lab, _options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("idle", 1)?;
    let password = demo.json["bulk"]["password"].as_str().unwrap_or_default();
    let args = [
        demo.port("smtp")?.to_string(),
        demo.port("imap")?.to_string(),
        password.to_owned(),
        NOTICES.to_string(),
    ];
    let found = lab.script("idle_notice.py", &args)?;
    let number = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
    let goal = Goal::at_most(20.0, "≤ 20 ms".into());
    let shown = format!(
        "{:.2} ms (p50 {:.2}, max {:.2})",
        number("p99_ms"),
        number("p50_ms"),
        number("max_ms")
    );
    results.own(
        format!("250 to IDLE notice, p99 of {NOTICES}"),
        number("p99_ms"),
        shown,
        Some(goal),
    );
    Ok(())
}

/// From exec to open doors: fresh, and with many messages; and memory at rest.
pub fn starts(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let (mut fresh, mut memory) = (Vec::new(), Vec::new());
    lab.hearthpost("start", 0)?.stop()?;
    for _ in 0..options.runs {
        let demo = lab.hearthpost("start", 0)?;
        fresh.push(demo.start_time.as_secs_f64() * 1e3);
        pause(Duration::from_secs(2));
        memory.push(status_kib(demo.pid(), "VmRSS:")? / 1024.0);
        demo.stop()?;
    }
    let goal = || Some(Goal::at_most(150.0, "≤ 150 ms".into()));
    let (fresh, memory) = (median(fresh), median(memory));
    results.own(
        "exec to every door open, small store (with the namespace's wrapper)".into(),
        fresh,
        format!("{fresh:.0} ms"),
        goal(),
    );
    results.own(
        "idle RSS".into(),
        memory,
        format!("{memory:.1} MiB"),
        Some(Goal::at_most(32.0, "≤ 32 MiB".into())),
    );
    let demo = lab.hearthpost("full", 100)?;
    let started = Stopwatch::start();
    fill(lab, &demo, options.messages)?;
    println!(
        "  filled with {} messages in {:.0} s",
        options.messages,
        started.seconds()
    );
    // A server that still indexes is not at rest.
    let behind = wait_for_index(lab, "full", INDEXING_LIMIT)?;
    println!("  the index was in step {behind:.1} s after the last message");
    demo.stop()?;
    let (mut full, mut full_memory) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let demo = lab.hearthpost("full", 100)?;
        full.push(demo.start_time.as_secs_f64() * 1e3);
        pause(Duration::from_secs(2));
        full_memory.push(status_kib(demo.pid(), "VmRSS:")? / 1024.0);
        demo.stop()?;
    }
    let (full, full_memory) = (median(full), median(full_memory));
    let name = format!(
        "exec to every door open, {} messages in 100 mailboxes",
        options.messages
    );
    results.own(name, full, format!("{full:.0} ms"), goal());
    let name = format!("idle RSS, {} messages", options.messages);
    results.own(
        name,
        full_memory,
        format!("{full_memory:.1} MiB"),
        Some(Goal::at_most(32.0, "≤ 32 MiB".into())),
    );
    std::fs::remove_dir_all(lab.dir("full"))?;
    Ok(())
}

/// Delivers until the store holds `messages`, by LMTP with a hundred recipients a message.
fn fill(lab: &Lab, demo: &Demo, messages: usize) -> Outcome<()> {
    let args = [demo.port("lmtp")?.to_string(), messages.to_string()];
    let done = lab.script("fill.py", &args)?;
    if done["delivered"].as_u64() == Some(messages as u64) {
        Ok(())
    } else {
        Err(format!("filling failed: {done}").into())
    }
}

/// Memory per signed-in idle connection, plaintext and TLS, and in IDLE with a mailbox open.
pub fn idle_connections(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let count = options.connections;
    for (door, mode, goal_kib) in [
        ("imap", "", 16.0),
        ("imap", "idle", 16.0),
        ("imaps", "", 40.0),
        ("imaps", "idle", 40.0),
    ] {
        let demo = lab.hearthpost(&format!("memory-{door}{mode}"), 100)?;
        let password = demo.json["bulk"]["password"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let port = demo.port(door)?.to_string();
        let words = |count: usize, seconds: u64| -> Vec<String> {
            let (count, seconds, pid) = (count.to_string(), seconds.to_string(), demo.pid().to_string());
            let words = [
                door.to_owned(),
                port.clone(),
                password.clone(),
                count,
                seconds,
                pid,
            ];
            let mode = (!mode.is_empty()).then(|| mode.to_owned());
            words.into_iter().chain(mode).collect()
        };
        lab.script("idle_connections.py", &words(20, 0))?;
        let found = lab.script("idle_connections.py", &words(count, IDLE.as_secs()))?;
        let each = found["kib_each"].as_f64().unwrap_or(f64::NAN);
        let state = if mode.is_empty() {
            "signed in"
        } else {
            "in IDLE on INBOX"
        };
        let name = format!(
            "RSS of each of {count} idle connections on {door}, {state}, after {} s",
            IDLE.as_secs()
        );
        let goal = Goal::at_most(goal_kib, format!("≤ {goal_kib:.0} KiB"));
        results.own(name, each, format!("{each:.1} KiB"), Some(goal));
    }
    Ok(())
}

/// Many messages from one sender to one mailbox: the last part must cost what the first did.
pub fn long_history(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let (messages, parts) = if options.quick {
        (HISTORY.0 / 4, HISTORY.1)
    } else {
        HISTORY
    };
    let demo = lab.hearthpost("history", 1)?;
    inbound(
        lab,
        &demo,
        200,
        10,
        1,
        &["--senders", "1", "--sender-domains", "1"],
    )?;
    let mut times = Vec::new();
    for _ in 0..parts {
        let metrics = inbound(
            lab,
            &demo,
            messages / parts,
            10,
            1,
            &["--senders", "1", "--sender-domains", "1"],
        )?;
        times.push(metrics["cpu_s_per_1000"].as_f64().unwrap_or(f64::NAN));
    }
    println!("  CPU ms per message, part by part: {times:.3?}");
    let growth = times[parts - 1] / times[0];
    let goal = Goal::at_most(1.25, "no growth (≤ × 1.25)".into());
    let shown = format!("× {growth:.2} ({:.3} → {:.3} CPU ms)", times[0], times[parts - 1]);
    results.own(
        format!("cost of the last against the first of {messages} messages of one sender"),
        growth,
        shown,
        Some(goal),
    );
    Ok(())
}
