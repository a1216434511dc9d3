//! Durable inbound until visible over IMAP, both servers alternately.

use super::Options;
use super::floor::{self, Work};
use super::lab::{Lab, median};
use super::peer::{self, Peer};
use super::results::{Goal, Results};
use crate::demo::Demo;
use crate::report::Outcome;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// Messages of the run that finds out how fast a server is.
const TRIAL: usize = 200;
/// Most messages of a run, so that the load generator keeps them in memory.
const MOST_MESSAGES: [(usize, usize); 2] = [(4096, 100_000), (102_400, 20_000)];

/// One combination of size, sessions and mailboxes.
#[derive(Clone, Copy)]
struct Case {
    size: usize,
    sessions: usize,
    mailboxes: usize,
}

/// A server as the load generator addresses it.
struct Target {
    name: &'static str,
    args: Vec<String>,
}

impl Target {
    fn hearthpost(lab: &Lab, demo: &Demo) -> Outcome<Self> {
        let password = demo.json["bulk"]["password"]
            .as_str()
            .ok_or("the demo named no bulk users")?;
        let args = vec![
            "--smtp".into(),
            format!("127.0.0.1:{}", demo.port("smtp")?),
            "--imap".into(),
            format!("127.0.0.1:{}", demo.port("imap")?),
            "--user".into(),
            "user%d@example.test".into(),
            "--rcpt".into(),
            "user%d@example.test".into(),
            "--password".into(),
            password.to_owned(),
            "--cgroup".into(),
            lab.group("hearthpost").display().to_string(),
        ];
        Ok(Self {
            name: "hearthpost",
            args,
        })
    }

    fn floor(lab: &Lab, floor: &Floor) -> Self {
        let args = vec![
            "--smtp".into(),
            format!("127.0.0.1:{}", floor.smtp),
            "--imap".into(),
            format!("127.0.0.1:{}", floor.imap),
            "--user".into(),
            "user%d@example.test".into(),
            "--rcpt".into(),
            "user%d@example.test".into(),
            "--password".into(),
            "none".into(),
            "--cgroup".into(),
            lab.group("floor").display().to_string(),
        ];
        Self { name: "floor", args }
    }

    fn peer(lab: &Lab) -> Self {
        let args = vec![
            "--smtp".into(),
            format!("127.0.0.1:{}", peer::SMTP_PORT),
            "--imap".into(),
            format!("127.0.0.1:{}", peer::IMAP_PORT),
            "--user".into(),
            "u%d@bench.test".into(),
            "--rcpt".into(),
            "u%d@bench.test".into(),
            "--password".into(),
            peer::PASSWORD.into(),
            "--cgroup".into(),
            lab.group("peer").display().to_string(),
        ];
        Self {
            name: "postfix-dovecot",
            args,
        }
    }

    fn run(&self, lab: &Lab, case: Case, messages: usize) -> Outcome<Run> {
        let mut args = vec!["inbound".to_owned()];
        args.extend(self.args.iter().cloned());
        for (flag, value) in [
            ("--n", messages.to_string()),
            ("--size", case.size.to_string()),
            ("--conc", case.sessions.to_string()),
            ("--mailboxes", case.mailboxes.to_string()),
            ("--runs", "1".to_owned()),
            ("--peer", self.name.to_owned()),
            ("--settle", "0.5".to_owned()),
            ("--deadline", "120".to_owned()),
        ] {
            args.extend([flag.to_owned(), value]);
        }
        Run::read(&lab.mailbench(&args)?)
    }
}

/// The floor server ([`super::floor`]), running in the lab; ended with its owner.
struct Floor {
    child: Child,
    smtp: u64,
    imap: u64,
}

/// The floor as it is started: its directory, then the work for a message on its path and beside it, in microseconds.
pub fn serve_floor(args: &[String]) -> Outcome<()> {
    let [dir, path_us, beside_us] = args else {
        return Err("floor DIR PATH_US BESIDE_US".into());
    };
    let work = Work {
        path_us: path_us.parse()?,
        beside_us: beside_us.parse()?,
    };
    floor::serve(Path::new(dir), work)
}

impl Floor {
    fn start(lab: &Lab, name: &str, work: Work) -> Outcome<Self> {
        let mut command = lab.inside_group("floor", &std::env::current_exe()?)?;
        command
            .arg("floor")
            .arg(lab.dir(name))
            .args([work.path_us.to_string(), work.beside_us.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let ports: Value = serde_json::from_str(&line)?;
        let port = |name: &str| ports[name].as_u64().ok_or("the floor named no port");
        Ok(Self {
            smtp: port("smtp")?,
            imap: port("imap")?,
            child,
        })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one run showed.
struct Run {
    per_s: f64,
    cpu_s_per_1000: f64,
    client_ms: f64,
    seconds: f64,
}

impl Run {
    fn read(lines: &[Value]) -> Outcome<Self> {
        let metrics = &lines.last().ok_or("no result")?["metrics"];
        let number = |name: &str| metrics[name].as_f64().unwrap_or(f64::NAN);
        if number("err") > 0.0 || number("missing") > 0.0 {
            return Err(format!("{} refused, {} missing", number("err"), number("missing")).into());
        }
        Ok(Self {
            per_s: number("visible_per_s"),
            cpu_s_per_1000: number("cpu_s_per_1000"),
            client_ms: number("client_cpu_s") / number("ok") * 1e3,
            seconds: number("visible_s"),
        })
    }
}

/// Ours, the peer, and the floor, in the order in which they take turns.
const OURS: usize = 0;
const PEER: usize = 1;
const FLOOR: usize = 2;

/// Medians of one case.
struct Figures {
    rates: [f64; 3],
    cpus: [f64; 3],
    sync_ms: f64,
    client_ms: f64,
}

/// Measures every case; all servers run all the time and take turns.
pub fn compare(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let demo = lab.hearthpost("inbound", 100)?;
    let _peer = Peer::start(lab, 100)?;
    let floor = Floor::start(lab, "floor", Work::default())?;
    let targets = [
        Target::hearthpost(lab, &demo)?,
        Target::peer(lab),
        Target::floor(lab, &floor),
    ];
    for case in cases(options) {
        let figures = measure(lab, options, &targets, case)?;
        record(results, case, &figures);
    }
    Ok(())
}

/// What a message takes of our processor time outside of the store, in front of its `250` (bench/accepting.md, "The time line of one
/// acceptance": to the `354`, to the message's end, the batch, the answer).
const PATH_US: u64 = 34;
/// The store's part: statements, frames, locks, claims.
const STORE_US: u64 = 61;

/// How near to the floor a server could come that does on its path only what ours does outside of the store: one message of 4 KB at a
/// time. Once with the store's part beside, as behind a log that takes nothing but its sync; once with all of it on the path.
pub fn bound(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let case = Case {
        size: 4096,
        sessions: 1,
        mailboxes: 1,
    };
    let work = |path_us, beside_us| Work { path_us, beside_us };
    let demo = lab.hearthpost("bound", 100)?;
    let kinds = [
        ("a server that only answers and syncs", work(0, 0)),
        (
            "the same with our path, the store's part beside it",
            work(PATH_US, STORE_US),
        ),
        (
            "the same with our path and the store's part on it",
            work(PATH_US + STORE_US, 0),
        ),
    ];
    let mut floors = Vec::new();
    for (at, (_, work)) in kinds.iter().enumerate() {
        floors.push(Floor::start(lab, &format!("floor-{at}"), *work)?);
    }
    let mut targets: Vec<Target> = floors.iter().map(|floor| Target::floor(lab, floor)).collect();
    targets.push(Target::hearthpost(lab, &demo)?);
    let mut sizes = Vec::new();
    for target in &targets {
        sizes.push(trial(lab, options, target, case)?);
    }
    let (mut rates, mut syncs) = (vec![Vec::new(); targets.len()], Vec::new());
    for _ in 0..options.runs {
        for ((target, size), rates) in targets.iter().zip(&sizes).zip(&mut rates) {
            syncs.push(lab.sync_ms()?);
            rates.push(target.run(lab, case, *size)?.per_s);
        }
    }
    let sync_ms = median(syncs);
    let names = kinds.iter().map(|(name, _)| *name).chain(["Hearthpost"]);
    for (name, rates) in names.zip(rates) {
        let per_s = median(rates);
        let share = per_s * sync_ms / 1e3;
        results.own(
            format!("share of sessions ÷ sync, {name}"),
            share,
            format!("{:.0} % ({per_s:.0}/s at {sync_ms:.2} ms)", share * 100.0),
            None,
        );
    }
    Ok(())
}

fn measure(lab: &Lab, options: &Options, targets: &[Target; 3], case: Case) -> Outcome<Figures> {
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    let mut cpus = [Vec::new(), Vec::new(), Vec::new()];
    let (mut syncs, mut clients) = (Vec::new(), Vec::new());
    let mut sizes = [0; 3];
    for (size, target) in sizes.iter_mut().zip(targets) {
        *size = trial(lab, options, target, case)?;
    }
    for _ in 0..options.runs {
        for (at, target) in targets
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != FLOOR || has_floor(case))
        {
            // Before and after ours: the disk's own speed wanders.
            if at == OURS {
                syncs.push(lab.sync_ms()?);
            }
            let run = target.run(lab, case, sizes[at])?;
            if at == OURS {
                syncs.push(lab.sync_ms()?);
                clients.push(run.client_ms);
            }
            println!(
                "  {:>6} B, {:>2} sessions, {:>3} mailboxes: {:<16} {:>7.1}/s, {:.3} CPU s per 1000 ({:.1} s)",
                case.size,
                case.sessions,
                case.mailboxes,
                target.name,
                run.per_s,
                run.cpu_s_per_1000,
                run.seconds
            );
            rates[at].push(run.per_s);
            cpus[at].push(run.cpu_s_per_1000);
        }
    }
    Ok(Figures {
        rates: rates.map(median),
        cpus: cpus.map(median),
        sync_ms: median(syncs),
        client_ms: median(clients),
    })
}

/// Whether the goal for the case is a share of what the machine allows.
fn has_floor(case: Case) -> bool {
    case.size == 4096 && case.sessions <= 10
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for size in [4096, 102_400] {
        for sessions in [1, 10, 50] {
            for mailboxes in [1, 100] {
                let essential = match size {
                    4096 => mailboxes == 100 || sessions == 1,
                    _ => mailboxes == 100 && sessions == 10,
                };
                let named = options.cases.contains(&[size, sessions, mailboxes]);
                if named || (options.cases.is_empty() && (!options.essential || essential)) {
                    cases.push(Case {
                        size,
                        sessions,
                        mailboxes,
                    });
                }
            }
        }
    }
    cases
}

/// How many messages make a run long enough.
fn trial(lab: &Lab, options: &Options, target: &Target, case: Case) -> Outcome<usize> {
    target.run(lab, case, TRIAL)?;
    let run = target.run(lab, case, TRIAL * 2)?;
    let most = MOST_MESSAGES
        .iter()
        .find(|(size, _)| *size == case.size)
        .map_or(TRIAL, |(_, most)| *most);
    Ok(((run.per_s * options.run_s * 1.4) as usize).clamp(TRIAL, most))
}

fn record(results: &mut Results, case: Case, figures: &Figures) {
    let (rates, cpus, client_ms) = (figures.rates, figures.cpus, figures.client_ms);
    let name = format!(
        "{} KB, {} sessions, {} mailboxes",
        case.size / 1024,
        case.sessions,
        case.mailboxes
    );
    let factor = match (case.size, case.sessions) {
        (4096, 50) => Some(8.0),
        (4096, 10) => Some(5.0),
        (4096, 1) => Some(1.0),
        _ => None,
    };
    let times = rates[OURS] / rates[PEER];
    let goal = factor.map(|factor| Goal::at_least(factor, format!("≥ {factor} × the peer")));
    results.compared(
        format!("visible/s, {name}"),
        rates[OURS],
        rates[PEER],
        Some(times),
        goal,
        times,
    );
    if has_floor(case) {
        let bare = case.sessions as f64 / (figures.sync_ms / 1e3);
        let share = rates[OURS] / bare;
        results.own(
            format!("share of sessions ÷ sync, {name}"),
            share,
            format!(
                "{:.0} % ({:.2} ms a message and session; CPU: ours {:.2}, the client's {client_ms:.2})",
                share * 100.0,
                case.sessions as f64 / rates[OURS] * 1e3,
                cpus[OURS],
            ),
            Some(Goal::at_least(
                0.7,
                format!("≥ 70 % ({:.0}/s at {:.2} ms)", 0.7 * bare, figures.sync_ms),
            )),
        );
        let allowed = rates[OURS] / rates[FLOOR];
        results.own(
            format!("share of what this machine allows (a server that only answers and syncs), {name}"),
            allowed,
            format!(
                "{:.0} % of {:.0}/s, which is itself {:.0} % of sessions ÷ sync (its CPU {:.2} ms a message)",
                allowed * 100.0,
                rates[FLOOR],
                rates[FLOOR] / bare * 100.0,
                cpus[FLOOR],
            ),
            Some(Goal::at_least(0.7, "≥ 70 %".to_owned())),
        );
    }
    let part = if case.size == 4096 && case.sessions >= 10 {
        10.0
    } else {
        6.0
    };
    let goal = Goal::at_most(1.0 / part, format!("≤ 1/{part:.0} of the peer"));
    results.compared(
        format!("CPU ms per message, {name}"),
        cpus[OURS],
        cpus[PEER],
        Some(cpus[OURS] / cpus[PEER]),
        Some(goal),
        cpus[OURS] / cpus[PEER],
    );
}
