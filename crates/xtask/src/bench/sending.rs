//! Mail going out: submission (signed in, TLS) to sinks of twenty domains, beside Debian's Postfix with Dovecot's SASL; a queue full of
//! mail for dead domains; a restart with it.
//!
//! The part that measures runs inside the lab's namespace ([`inside`], started by [`compare`]), because sinks, names and clients
//! are there; it prints one JSON object for each figure.

#![allow(
    clippy::disallowed_methods,
    reason = "measures from outside, in real time, over real sockets"
)]

use super::Options;
use super::lab::{Lab, median, status_kib};
use super::results::{Goal, Results};
use super::submission_peer::SubmissionPeer;
use crate::campaign::mailer::{Letter, Person};
use crate::campaign::names::Names;
use crate::campaign::server::{Plan, Server, certificate};
use crate::process;
use crate::report::Outcome;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::sink::{Authority, Script, Sink};
use testkit::talk::TlsClient;

/// Domains of the drain, each with a sink of its own.
const DOMAINS: usize = 20;
/// Sessions that submit at the same time.
const SESSIONS: usize = 10;
/// Sessions that submit at the same time where signing is measured.
const SIGNED_SESSIONS: usize = 50;
/// Octets of a message's text.
const TEXT_OCTETS: usize = 4096;
/// Domains whose servers are gone: half refuse, half swallow.
const DEAD: usize = 100;
/// The user's password.
pub const PASSWORD: &str = "correct horse battery";
/// How long a drain may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
/// How long the whole row may take.
const ROW_LIMIT: Duration = Duration::from_secs(1_800);

/// Measures all three and records them.
pub fn compare(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    play(lab, options, results, "sending")
}

/// Measures what signing with two keys costs a drain.
pub fn signing(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    results.beside("unsigned");
    play(lab, options, results, "signing")
}

fn play(lab: &Lab, options: &Options, results: &mut Results, what: &str) -> Outcome<()> {
    let dir = lab.dir(what);
    std::fs::create_dir_all(&dir)?;
    let mut command = lab.inside(std::env::current_exe()?);
    command
        .arg("sending-inside")
        .arg(lab.namespace())
        .arg(&lab.binary)
        .arg(&dir)
        .arg(lab.group("hearthpost"))
        .arg(lab.group("peer"))
        .args([
            options.runs.to_string(),
            options.run_s.to_string(),
            options.queued.to_string(),
            what.to_owned(),
        ]);
    let finished = process::run_shown(&mut command, ROW_LIMIT)?;
    let lines: Vec<Value> = finished
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    lines.iter().for_each(|line| record(line, results));
    if finished.status.success() {
        Ok(())
    } else {
        Err(process::tail(&finished.both(), 5).into())
    }
}

fn record(line: &Value, results: &mut Results) {
    let number = |name: &str| line[name].as_f64().unwrap_or(f64::NAN);
    match line["row"].as_str() {
        Some("drain") => {
            let (ours, peer) = (number("ours_per_s"), number("peer_per_s"));
            results.compared(
                format!("submitted until at the sink/s, {SESSIONS} sessions, {DOMAINS} domains"),
                ours,
                peer,
                Some(ours / peer),
                Some(Goal::at_least(3.0, "≥ 3 × the peer".into())),
                ours / peer,
            );
            let (ours, peer) = (number("ours_cpu_ms"), number("peer_cpu_ms"));
            results.compared(
                "CPU ms per message sent on".into(),
                ours,
                peer,
                Some(ours / peer),
                Some(Goal::at_most(0.2, "≤ 1/5 of the peer".into())),
                ours / peer,
            );
        }
        Some("dead") => {
            let queued = line["queued"].as_u64().unwrap_or(0);
            let leaves = number("leaves_s");
            results.own(
                format!("{queued} queued for {DEAD} dead domains: one for a healthy domain leaves after"),
                leaves,
                format!("{leaves:.2} s"),
                Some(Goal::at_most(5.0, "< 5 s".into())),
            );
            let grown = (number("full_kib") - number("idle_kib")) / 1024.0;
            results.own(
                format!("memory with {queued} queued, above idle"),
                grown,
                format!("{grown:.1} MiB (idle {:.1})", number("idle_kib") / 1024.0),
                Some(Goal::at_most(64.0, "≤ 64 MiB".into())),
            );
        }
        Some("signing") => record_signing(&number, results),
        Some("restart") => {
            let first = number("first_s");
            results.own(
                "restart with that queue: first delivery after".into(),
                first,
                format!("{first:.2} s (doors open after {:.2} s)", number("open_s")),
                Some(Goal::at_most(10.0, "< 10 s".into())),
            );
        }
        _ => {}
    }
}

fn record_signing(number: &dyn Fn(&str) -> f64, results: &mut Results) {
    let (signed, unsigned) = (number("signed_per_s"), number("unsigned_per_s"));
    results.compared(
        format!(
            "submitted until at the sink/s, signed with RSA-2048 and Ed25519, {SIGNED_SESSIONS} sessions"
        ),
        signed,
        unsigned,
        Some(signed / unsigned),
        Some(Goal::at_least(0.75, "≥ 75 % of the unsigned rate".into())),
        signed / unsigned,
    );
    let (signed, unsigned) = (number("signed_cpu_ms"), number("unsigned_cpu_ms"));
    let name = "CPU ms per message sent on".to_owned();
    results.compared(name, signed, unsigned, Some(signed / unsigned), None, 0.0);
    let (signed, unsigned) = (number("signed_p99_ms"), number("unsigned_p99_ms"));
    let name = "another session's answer to NOOP meanwhile, p99, ms".to_owned();
    results.compared(name, signed, unsigned, Some(signed / unsigned), None, 0.0);
    let rsa = number("rsa_ms");
    let name = "for comparison: one RSA-2048 signature by ring, ms of a core".to_owned();
    results.own(name, rsa, format!("{rsa:.3}"), None);
    let all = 1e3 * number("cores") / unsigned;
    results.remark(format!(
        "Both servers run all the time and take turns; the key files are the only difference between them. At the unsigned rate a message takes \
         {all:.2} ms of all cores, clients and sinks included, so three quarters of that rate leave {:.2} ms for both signatures.",
        all / 3.0
    ));
}

/// `sending-inside NAMESPACE BINARY DIR GROUP PEER_GROUP RUNS SECONDS QUEUED WHAT`
pub fn inside(args: &[String]) -> Outcome<()> {
    let [
        namespace,
        binary,
        dir,
        group,
        peer_group,
        runs,
        seconds,
        queued,
        what,
    ] = args
    else {
        return Err("sending-inside wants nine words".into());
    };
    let place = Place {
        namespace: namespace.clone(),
        dir: PathBuf::from(dir),
        binary: PathBuf::from(binary),
        group: PathBuf::from(group),
        peer_group: PathBuf::from(peer_group),
        authority: Authority::new(),
    };
    let field = Field::start(&place)?;
    if what == "signing" {
        return sign(&place, &field, runs.parse()?, seconds.parse()?);
    }
    drain(&place, &field, runs.parse()?, seconds.parse()?)?;
    dead(&place, &field, queued.parse()?)
}

/// Where things are.
pub struct Place {
    /// the network namespace we are in
    pub namespace: String,
    /// for files
    pub dir: PathBuf,
    binary: PathBuf,
    group: PathBuf,
    /// accounts the peer's CPU time
    pub peer_group: PathBuf,
    /// signs everybody's certificates
    pub authority: Authority,
}

/// Names and sinks.
struct Field {
    sinks: Vec<Sink>,
    late: Sink,
    names: Names,
    dns: SocketAddr,
}

impl Field {
    fn start(place: &Place) -> Outcome<Self> {
        let mut records = String::from("late.test. MX 10 mx.late.test.\nmx.late.test. A 127.70.1.1\n");
        for (word, count, net) in [("d", DOMAINS, 70), ("dead", DEAD, 71)] {
            for number in 0..count {
                records.push_str(&format!(
                    "{word}{number}.test. MX 10 mx.{word}{number}.test.\nmx.{word}{number}.test. A 127.{net}.0.{}\n",
                    number + 1
                ));
            }
        }
        let open = |address: [u8; 4], script: &str| -> Outcome<Sink> {
            let address = SocketAddr::from((Ipv4Addr::from(address), 25));
            Ok(Sink::start_counting(address, Script::read(script)?, None)?)
        };
        let sinks = (0..DOMAINS)
            .map(|number| open([127, 70, 0, number as u8 + 1], ""))
            .collect::<Outcome<Vec<_>>>()?;
        // The second half of the dead swallow what is sent to them.
        let rules = format!(
            "add table inet dead\nadd chain inet dead in {{ type filter hook input priority 0; }}\n\
             add rule inet dead in ip daddr 127.71.0.{}-127.71.0.{} tcp dport 25 drop\n",
            DEAD / 2 + 1,
            DEAD
        );
        let file = place.dir.join("dead.nft");
        std::fs::write(&file, rules)?;
        process::must(Command::new("nft").arg("-f").arg(&file), Duration::from_secs(10))?;
        let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        Ok(Self {
            sinks,
            late: open([127, 70, 1, 1], "")?,
            names: Names::start(&[], &place.dir.join("dns"), &[dns], &records)?,
            dns,
        })
    }

    fn drained(&self) -> u64 {
        self.sinks.iter().map(Sink::accepted_count).sum()
    }
}

fn hearthpost(place: &Place, field: &Field, name: &str, more: &str) -> Outcome<(Server, Person)> {
    hearthpost_at(place, field, name, more, 20_000)
}

fn hearthpost_at(
    place: &Place,
    field: &Field,
    name: &str,
    more: &str,
    port_base: u16,
) -> Outcome<(Server, Person)> {
    std::fs::create_dir_all(&place.group)?;
    let dir = place.dir.join(name);
    let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", place.group.display());
    let server = Server::start(Plan {
        binary: place.binary.clone(),
        wrapper: ["sh", "-c", &join, "sh"].map(str::to_owned).to_vec(),
        hostname: "mx.sender.test".into(),
        domains: vec!["sender.test".into()],
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listen: Vec::new(),
        port_base,
        certificate: certificate(&place.authority, &["mx.sender.test"], &dir.join("tls"))?,
        settings: format!(
            "[tls]\n[deliver]\nallow_private = true\n[dns]\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n[log]\nstderr = \"off\"\n{more}",
            field.dns,
            field.names.anchor.display()
        ),
        dir,
    })?;
    server.account("alice@sender.test", PASSWORD)?;
    let alice = person(
        place,
        "alice@sender.test",
        server.plan.door(587),
        server.plan.door(993),
    )?;
    Ok((server, alice))
}

/// Somebody with a mail program for `mx.sender.test`.
pub fn person(place: &Place, address: &str, submission: SocketAddr, imaps: SocketAddr) -> Outcome<Person> {
    let ca = place.dir.join("ca.pem");
    std::fs::write(&ca, place.authority.pem())?;
    Ok(Person {
        address: address.into(),
        password: PASSWORD.into(),
        submission,
        imaps,
        server: "mx.sender.test".into(),
        tls: TlsClient::trusting(&ca),
    })
}

/// One run: so many messages from ten sessions to twenty domains, until the last is at its sink.
struct Run {
    per_s: f64,
    cpu_ms: f64,
}

fn run(
    field: &Field,
    who: &Person,
    group: &Path,
    label: &str,
    (sessions, messages): (usize, usize),
) -> Outcome<Run> {
    let (before, cpu) = (field.drained(), cpu_seconds(group)?);
    let began = Instant::now();
    submit(who, (sessions, messages), label, |number| {
        format!("x{number}@d{}.test", number % DOMAINS)
    })?;
    while field.drained() < before + messages as u64 {
        if began.elapsed() > DRAIN_LIMIT {
            return Err(format!("{label}: {} of {messages} drained", field.drained() - before).into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = began.elapsed().as_secs_f64();
    // What is done after the last answer belongs to it too.
    std::thread::sleep(Duration::from_millis(300));
    let run = Run {
        per_s: messages as f64 / seconds,
        cpu_ms: (cpu_seconds(group)? - cpu) * 1e3 / messages as f64,
    };
    println!(
        "  {label:<28} {messages:>6} messages: {:>7.1}/s, {:.3} CPU ms each ({seconds:.1} s)",
        run.per_s, run.cpu_ms
    );
    Ok(run)
}

/// Submits in so many sessions at a time.
fn submit(
    who: &Person,
    (sessions, messages): (usize, usize),
    label: &str,
    to: impl Fn(usize) -> String + Sync,
) -> Outcome<()> {
    let text: Arc<str> = "A line of text of seventy-two octets, the last two of which are CR LF.\r\n"
        .repeat(TEXT_OCTETS / 72)
        .into();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        let mut session = who.session()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= messages {
                session.ask("QUIT");
                return Ok(());
            }
            let (to, subject) = (to(number), format!("{label} {number}"));
            let recipients = [to.as_str()];
            let letter = Letter {
                text: &text,
                ..Letter::new(&recipients, &subject)
            };
            who.send_in(&mut session, &letter)?;
        }
    };
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..sessions).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err("a client gave up waiting".into()))
            })
            .collect()
    });
    Ok(results.into_iter().collect::<Result<(), String>>()?)
}

fn drain(place: &Place, field: &Field, runs: usize, seconds: f64) -> Outcome<()> {
    let (_server, alice) = hearthpost(place, field, "drain", "")?;
    let peer = SubmissionPeer::start(place)?;
    let targets = [
        (&alice, place.group.as_path(), "hearthpost"),
        (&peer.person, place.peer_group.as_path(), "postfix+dovecot sasl"),
    ];
    let mut sizes = [0; 2];
    for (size, (who, group, name)) in sizes.iter_mut().zip(targets).rev() {
        let trial = run(field, who, group, &format!("{name}, trial"), (SESSIONS, 400))?;
        *size = ((trial.per_s * seconds * 1.3) as usize).clamp(400, 40_000);
    }
    let mut figures = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for number in 0..runs {
        for (at, (who, group, name)) in targets.iter().enumerate() {
            let run = run(
                field,
                who,
                group,
                &format!("{name}, run {number}"),
                (SESSIONS, sizes[at]),
            )?;
            figures[at].0.push(run.per_s);
            figures[at].1.push(run.cpu_ms);
        }
    }
    let [(ours, ours_cpu), (theirs, theirs_cpu)] = figures;
    println!(
        "{}",
        json!({
            "row": "drain",
            "ours_per_s": median(ours), "ours_cpu_ms": median(ours_cpu),
            "peer_per_s": median(theirs), "peer_cpu_ms": median(theirs_cpu),
        })
    );
    Ok(())
}

/// What is signed with both keys, and what is not, in turns; a session that only says NOOP waits meanwhile.
fn sign(place: &Place, field: &Field, runs: usize, seconds: f64) -> Outcome<()> {
    let keys = super::auth::key_files(&place.dir.join("keys"), "sender.test")?;
    let (_signed, signer) = hearthpost(place, field, "signed", &format!("[dkim]\nkeys = {keys:?}\n"))?;
    let other = Place {
        namespace: place.namespace.clone(),
        dir: place.dir.join("other"),
        binary: place.binary.clone(),
        group: place.peer_group.clone(),
        peer_group: place.peer_group.clone(),
        authority: Authority::new(),
    };
    std::fs::create_dir_all(&other.dir)?;
    let (_unsigned, plain) = hearthpost_at(&other, field, "unsigned", "", 30_000)?;
    let targets = [
        (&signer, &place.group, "signed"),
        (&plain, &other.group, "unsigned"),
    ];
    let mut size = 0;
    for (who, group, name) in targets {
        let trial = run(
            field,
            who,
            group,
            &format!("{name}, trial"),
            (SIGNED_SESSIONS, 1_000),
        )?;
        size = size.max(((trial.per_s * seconds * 1.3) as usize).clamp(1_000, 40_000));
    }
    let mut figures = [const { (Vec::new(), Vec::new(), Vec::new()) }; 2];
    for number in 0..runs {
        for (at, (who, group, name)) in targets.iter().enumerate() {
            let (over, answers) = (AtomicBool::new(false), Mutex::new(Vec::new()));
            let run = std::thread::scope(|scope| {
                scope.spawn(|| *answers.lock().expect("one thread writes") = noops(who, &over));
                let run = run(
                    field,
                    who,
                    group,
                    &format!("{name}, run {number}"),
                    (SIGNED_SESSIONS, size),
                );
                over.store(true, Ordering::Relaxed);
                run
            })?;
            figures[at].0.push(run.per_s);
            figures[at].1.push(run.cpu_ms);
            figures[at]
                .2
                .push(p99(answers.into_inner().expect("the thread has ended")));
        }
    }
    let [signed, unsigned] = figures.map(|(rates, cpus, waits)| (median(rates), median(cpus), median(waits)));
    println!(
        "{}",
        json!({
            "row": "signing",
            "signed_per_s": signed.0, "signed_cpu_ms": signed.1, "signed_p99_ms": signed.2,
            "unsigned_per_s": unsigned.0, "unsigned_cpu_ms": unsigned.1, "unsigned_p99_ms": unsigned.2,
            "rsa_ms": super::auth::rsa_signature_ms()?, "cores": std::thread::available_parallelism()?.get(),
        })
    );
    Ok(())
}

/// Milliseconds of each answer to a NOOP, one after the other, until it is over.
fn noops(who: &Person, over: &AtomicBool) -> Vec<f64> {
    let Ok(mut session) = who.session() else {
        return Vec::new();
    };
    let mut answers = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        session.ask("NOOP");
        answers.push(began.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(5));
    }
    answers
}

fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// A queue full of mail for dead domains, and what that does to others; then a restart with it.
fn dead(place: &Place, field: &Field, queued: usize) -> Outcome<()> {
    let retries = "[queue]\nretry_first = \"1 s\"\nretry_longest = \"1 min\"\n";
    let (mut server, alice) = hearthpost(place, field, "dead", retries)?;
    run(field, &alice, &place.group, "warming up", (SESSIONS, 100))?;
    let idle_kib = status_kib(server.pid(), "VmRSS:")?;
    let began = Instant::now();
    submit(&alice, (SESSIONS, queued), "dead", |number| {
        format!("x{number}@dead{}.test", number % DEAD)
    })?;
    println!(
        "  {queued} messages for {DEAD} dead domains queued in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let leaves_s = (0..5)
        .map(|number| leaves(&field.late, &alice, number))
        .collect::<Outcome<Vec<f64>>>()?
        .into_iter()
        .fold(0.0, f64::max);
    let full_kib = status_kib(server.pid(), "VmRSS:")?;
    println!(
        "{}",
        json!({"row": "dead", "queued": queued, "leaves_s": leaves_s, "idle_kib": idle_kib, "full_kib": full_kib})
    );
    field
        .late
        .set(Script::read("mail: reply 451 4.3.0 after your restart")?);
    alice.send(&Letter::new(&["x@late.test"], "after the restart"))?;
    server.stop()?;
    let before = field.late.accepted_count();
    field.late.set(Script::good());
    let began = Instant::now();
    server.launch()?;
    let open_s = began.elapsed().as_secs_f64();
    while field.late.accepted_count() == before {
        if began.elapsed() > Duration::from_secs(120) {
            return Err("nothing was delivered within two minutes of the restart".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let first_s = began.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"row": "restart", "first_s": first_s, "open_s": open_s})
    );
    Ok(())
}

/// Seconds from submitting one message until its sink has it.
fn leaves(sink: &Sink, who: &Person, number: usize) -> Outcome<f64> {
    let before = sink.accepted_count();
    let began = Instant::now();
    who.send(&Letter::new(&["x@late.test"], &format!("healthy {number}")))?;
    while sink.accepted_count() == before {
        if began.elapsed() > Duration::from_secs(60) {
            return Err("mail for a healthy domain did not leave within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(began.elapsed().as_secs_f64())
}

/// CPU seconds of everything that ever ran in the group.
pub fn cpu_seconds(group: &Path) -> Outcome<f64> {
    if let Ok(text) = std::fs::read_to_string(group.join("cpuacct.usage")) {
        return Ok(text.trim().parse::<f64>()? / 1e9);
    }
    let text = std::fs::read_to_string(group.join("cpu.stat"))?;
    let usage = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))
        .ok_or("the group accounts no CPU time")?;
    Ok(usage.trim().parse::<f64>()? / 1e6)
}
