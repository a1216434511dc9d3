//! The crash campaign (recipe R1, oracle O1): kill -9 under load, restart, read everything back.
//!
//! Half of the cycles work on one growing directory, the others on fresh ones, ten cycles each. A cycle: start; compare what is
//! there with the ledger and with what the readers know (`people.rs`); put load on (8 strangers, 2 users, 1 local program, 4 readers,
//! who append, flag, move, expunge and replace messages and rename a tree of folders); after at least 20 acknowledged deliveries
//! and a random 0.4 to 1.5 s: SIGKILL. Every fifth restart, and the last, is itself killed three times while it recovers (DUR-9). At the end
//! everything is read once more, then 1,000 further deliveries must all be accepted (DUR-11).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::demo::{Demo, Launch};
use super::ledger::{Findings, Ledger, Oracle, message};
use super::load::{Load, Road};
use super::people::Person;
use super::smtp_client::{Sent, Smtp};
use super::told;
use crate::report::Summary;

/// Mailboxes that receive.
const RECEIVERS: u64 = 8;
/// People who read and change; their accounts follow the receivers'.
const PEOPLE: u64 = 4;
/// Cycles on a fresh directory before the next.
const CYCLES_A_DIRECTORY: usize = 10;
const ROADS: [Road; 11] = [
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::Stranger,
    Road::User,
    Road::User,
    Road::Program,
];

/// What to do.
pub struct Options {
    /// how to start the program
    pub launch: Launch,
    /// kills in all
    pub cycles: usize,
    /// decides every moment
    pub seed: u64,
    /// a place for the directories; emptied at the end when all is well
    pub place: PathBuf,
    /// give up at the first finding (for planted faults)
    pub stop_at_first: bool,
}

/// What a whole campaign found.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs)]
pub struct Report {
    pub cycles: usize,
    pub kills_while_unanswered: usize,
    pub fewest_acknowledged: u64,
    pub acknowledged: u64,
    pub changes_acknowledged: u64,
    /// the readers' changes that a kill left without an answer
    pub changes_under_way: BTreeMap<&'static str, usize>,
    pub recovery_kills: usize,
    pub findings: Findings,
    pub wrong: Vec<String>,
    pub refusals_after: usize,
    pub slowest_start: Duration,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn clean(&self) -> bool {
        self.findings.clean() && self.wrong.is_empty() && self.refusals_after == 0
    }
}

/// Runs the campaign and tells it as checks.
pub fn run(options: &Options) -> Result<(Report, Summary), String> {
    let growing = options.cycles.div_ceil(2);
    let mut report = Report {
        fewest_acknowledged: u64::MAX,
        ..Report::default()
    };
    run_directory(options, "growing", growing, &mut report)?;
    let mut left = options.cycles - growing;
    let mut round = 0;
    while left > 0 && (report.clean() || !options.stop_at_first) {
        let cycles = left.min(CYCLES_A_DIRECTORY);
        run_directory(options, &format!("fresh-{round}"), cycles, &mut report)?;
        (left, round) = (left - cycles, round + 1);
    }
    // A campaign that looks for a planted fault tells its own story.
    let tally = if options.stop_at_first {
        Summary::new()
    } else {
        tell(&report)
    };
    Ok((report, tally))
}

fn tell(report: &Report) -> Summary {
    let mut tally = Summary::new();
    let share = report.kills_while_unanswered * 100 / report.cycles.max(1);
    let verdict = |good: bool, text: String| if good { Ok(text) } else { Err(text) };
    told(
        &mut tally,
        "dur_1_dur_11 nothing lost, torn, doubled or invented",
        verdict(report.findings.clean(), format!("{:?}", report.findings)),
    );
    told(
        &mut tally,
        "dur_5_dur_6 acknowledged changes, UIDs and UIDVALIDITY hold",
        verdict(
            report.wrong.is_empty(),
            format!(
                "{} changes acknowledged; wrong: {:?}",
                report.changes_acknowledged,
                &report.wrong[..report.wrong.len().min(5)]
            ),
        ),
    );
    told(
        &mut tally,
        "dur_9 recovery may itself be killed",
        verdict(
            report.findings.clean() && report.recovery_kills > 0,
            format!("{} starts killed while recovering", report.recovery_kills),
        ),
    );
    told(
        &mut tally,
        "at least 20 acknowledged deliveries a cycle",
        verdict(
            report.fewest_acknowledged >= 20,
            format!("fewest {}", report.fewest_acknowledged),
        ),
    );
    told(
        &mut tally,
        "at least 60 % of the kills while a DATA is unanswered",
        verdict(share >= 60, format!("{share} % of {}", report.cycles)),
    );
    told(
        &mut tally,
        "dur_11 1,000 further deliveries, none refused",
        verdict(
            report.refusals_after == 0,
            format!("{} refused", report.refusals_after),
        ),
    );
    println!(
        "  crash: {} kills, {} deliveries acknowledged, {} present, {} present without a reply read, slowest start {:?}",
        report.cycles,
        report.acknowledged,
        report.findings.present,
        report.findings.unacknowledged,
        report.slowest_start
    );
    println!(
        "  crash: changes under way at the kills: {:?}",
        report.changes_under_way
    );
    tally
}

fn run_directory(options: &Options, name: &str, cycles: usize, report: &mut Report) -> Result<(), String> {
    let dir = options.place.join(name);
    let mut launch = options.launch.clone();
    launch.users = (RECEIVERS + PEOPLE) as usize;
    let ledger = Arc::new(Ledger::default());
    let mut oracle = Oracle::default();
    let mut chance = Chance::new(options.seed ^ name.len() as u64);
    let mut people: Vec<Person> = (0..PEOPLE)
        .map(|at| Person::new(&format!("user{}@example.test", RECEIVERS + at), options.seed + at))
        .collect();
    for cycle in 0..cycles {
        if cycle % 5 == 4 {
            report.recovery_kills += kill_while_recovering(&launch, &dir, &mut chance);
        }
        let mut demo = Demo::start(&launch, &dir)?;
        report.slowest_start = report.slowest_start.max(demo.start_took);
        compare(&demo, &ledger, &mut oracle, &mut people, false, report)?;
        if options.stop_at_first && !report.clean() {
            return Ok(());
        }
        one_cycle(&mut demo, &ledger, &mut people, &mut chance, report);
        if cycle % 10 == 9 || cycle + 1 == cycles {
            println!(
                "  crash {name}: {}/{cycles} kills, {} acknowledged so far",
                cycle + 1,
                ledger.acknowledged()
            );
        }
    }
    report.recovery_kills += kill_while_recovering(&launch, &dir, &mut chance);
    let mut demo = Demo::start(&launch, &dir)?;
    compare(&demo, &ledger, &mut oracle, &mut people, true, report)?;
    report.refusals_after += further_deliveries(&demo, &ledger, 1_000)?;
    compare(&demo, &ledger, &mut oracle, &mut people, true, report)?;
    report.acknowledged += ledger.acknowledged();
    report.changes_acknowledged += people.iter().map(|person| person.acknowledged).sum::<u64>();
    for (kind, count) in people.iter().flat_map(|person| &person.under_way) {
        *report.changes_under_way.entry(kind).or_default() += count;
    }
    demo.stop()?;
    if report.clean() {
        let _ = std::fs::remove_dir_all(&dir);
    }
    Ok(())
}

fn one_cycle(
    demo: &mut Demo,
    ledger: &Arc<Ledger>,
    people: &mut Vec<Person>,
    chance: &mut Chance,
    report: &mut Report,
) {
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load::start(
        ledger,
        demo.ports,
        &demo.password,
        &ROADS,
        RECEIVERS,
        chance.next(),
    );
    let workers: Vec<_> = std::mem::take(people)
        .into_iter()
        .map(|mut person| {
            let (port, password, stop) = (demo.ports.imap, demo.password.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                person.work(port, &password, &stop);
                person
            })
        })
        .collect();
    let began = Instant::now();
    let wanted = Duration::from_millis(chance.between(400, 1_500));
    let patience = Duration::from_secs(30);
    while (began.elapsed() < wanted || load.acknowledged.load(Ordering::Relaxed) < 20)
        && began.elapsed() < patience
    {
        std::thread::sleep(Duration::from_micros(200 + chance.between(0, 1_000)));
    }
    demo.kill();
    let acknowledged = load.acknowledged.load(Ordering::Relaxed);
    let end = load.join();
    stop.store(true, Ordering::Relaxed);
    people.extend(
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a reader does not panic")),
    );
    report.cycles += 1;
    report.kills_while_unanswered += usize::from(end.unanswered > 0);
    report.fewest_acknowledged = report.fewest_acknowledged.min(acknowledged);
    report.wrong.extend(
        end.refusals
            .into_iter()
            .map(|reply| format!("refused under load: {}", reply.trim())),
    );
}

fn kill_while_recovering(launch: &Launch, dir: &Path, chance: &mut Chance) -> usize {
    for _ in 0..3 {
        let mut command = std::process::Command::new(&launch.binary);
        command
            .args(["demo", "--json", "--insecure-auth", "--dir"])
            .arg(dir)
            .args(["--users", &launch.users.to_string()]);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let Ok(mut child) = command.spawn() else { return 0 };
        std::thread::sleep(Duration::from_millis(chance.between(5, 120)));
        let _ = child.kill();
        let _ = child.wait();
    }
    3
}

fn compare(
    demo: &Demo,
    ledger: &Arc<Ledger>,
    oracle: &mut Oracle,
    people: &mut [Person],
    whole: bool,
    report: &mut Report,
) -> Result<(), String> {
    let findings = oracle
        .examine(ledger, demo.ports.imap, &demo.password, whole)
        .map_err(|error| format!("the oracle could not read: {error}"))?;
    let total = &mut report.findings;
    total.lost = total.lost.max(findings.lost);
    total.duplicate = total.duplicate.max(findings.duplicate);
    total.torn += findings.torn;
    total.phantom = total.phantom.max(findings.phantom);
    total.uid_broken += findings.uid_broken;
    total.damaged += findings.damaged;
    total.present = total.present.max(findings.present);
    total.unacknowledged = total.unacknowledged.max(findings.unacknowledged);
    for person in people {
        report.wrong.extend(
            person
                .compare(demo.ports.imap, &demo.password)
                .map_err(|error| format!("a reader could not read: {error}"))?,
        );
    }
    Ok(())
}

/// Sends `count` small messages in one road after another; how many were not accepted.
pub fn further_deliveries(demo: &Demo, ledger: &Ledger, count: usize) -> Result<usize, String> {
    let mut refused = 0;
    let mut session = Smtp::connect(demo.ports.smtp, false).map_err(|error| error.to_string())?;
    for at in 0..count {
        let recipients = [format!("user{}@example.test", at as u64 % RECEIVERS)];
        let seq = ledger.attempt(&recipients);
        match session.send(
            "after@remote.test",
            &recipients,
            &message(seq, "after@remote.test", &recipients[0], 1_000),
            false,
        ) {
            Sent::Acknowledged(reply) => ledger.acknowledge(seq, &reply),
            _ => {
                refused += 1;
                session = Smtp::connect(demo.ports.smtp, false).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(refused)
}
