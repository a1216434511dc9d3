//! `cargo xtask imap-stress [--seconds N] [--seed N] [--release] [--binary PATH] [--plants]`: many IMAP clients on one real server.
//!
//! 1. A `hearthpost demo` starts; sixteen clients ([`client`]) share the mailboxes of three accounts, some plain, some with
//!    CONDSTORE, some with QRESYNC; some have results kept up to date (UPDATE), some are told without asking (NOTIFY), and work out
//!    what they must then know ([`live`]); two more programs deliver by SMTP and LMTP.
//! 2. Each client keeps its own sight of the open mailbox ([`sight`]) and checks every response against the rules of RFC 3501,
//!    9051 and 7162; all together keep [`truth`]: which message each UID is, what went, what was promised.
//! 3. At the end everybody is told what is left to tell; what each believes must equal what a fresh client reads, and that must
//!    equal what was promised.
//!
//! A seed decides what each client does. With `--plants` the server is wrong on purpose, and must be found out.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

mod client;
mod live;
mod sight;
mod truth;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::campaign::chance::Chance;
use crate::campaign::demo::{Demo, Launch};
use crate::campaign::smtp_client::{Sent, Smtp};
use crate::campaign::{binary, number, place, told};
use crate::report::{Outcome, Summary};
use crate::tree;
use client::{Client, Habit, Kind, LASTING, Seat, message};
use sight::Known;
use truth::Truth;

/// Clients of each account.
const CLIENTS: [usize; 3] = [8, 5, 3];
/// Between two deliveries of one program.
const DELIVERY_PAUSE: Duration = Duration::from_millis(40);
/// How long the clients look for a fault that is there, time after time.
const PLANTED_SECONDS: [u64; 3] = [6, 20, 60];
/// What the server does wrong on purpose.
const PLANTS: [&str; 3] = ["early-expunge", "lost-expunge", "lost-flags"];

/// Runs the test, or with `--plants` the test of the test.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let seed = number(args, "--seed", u64::from(std::process::id()))?;
    let seconds = number(args, "--seconds", 30)?;
    println!("  imap-stress: seed {seed}");
    let place = place("imap-stress")?;
    let mut summary = Summary::new();
    if args.iter().any(|arg| arg == "--plants") {
        let planted = match args.iter().any(|arg| arg == "--binary") {
            true => binary(args)?,
            false => tree::build_with("hearthpost", "dev", &["planted-faults"])?,
        };
        for plant in PLANTS {
            let launch = Launch::plain(&planted, CLIENTS.len()).with_env("HEARTHPOST_PLANT", plant);
            let verdict = caught(&launch, &place, plant, seed)?;
            told(&mut summary, &format!("planted: {plant} is caught"), verdict);
        }
    } else {
        let launch = Launch::plain(&binary(args)?, CLIENTS.len());
        let (done, found, wrong) = once(&launch, &place.join("demo"), seconds, seed)?;
        let verdict = match found {
            0 => Ok(format!("{seconds} s, {done}")),
            _ => Err(format!(
                "seed {seed}: {found} wrong; {}",
                wrong.join("\n        ")
            )),
        };
        told(
            &mut summary,
            "dur_5_dur_6 many clients, every response as it must be",
            verdict,
        );
    }
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&place)?;
    }
    Ok(summary)
}

/// Longer and longer, until the clients notice: how often they meet depends on the machine.
fn caught(launch: &Launch, place: &Path, plant: &str, seed: u64) -> Outcome<Result<String, String>> {
    for (round, seconds) in (0..).zip(PLANTED_SECONDS) {
        let (_, found, wrong) = once(
            launch,
            &place.join(format!("{plant}-{round}")),
            seconds,
            seed + round,
        )?;
        if found > 0 {
            let text = format!("{found} found in {seconds} s, the first: {}", wrong[0]);
            return Ok(Ok(text));
        }
    }
    Ok(Err("the clients did not notice".to_owned()))
}

fn once(launch: &Launch, dir: &Path, seconds: u64, seed: u64) -> Outcome<(String, usize, Vec<String>)> {
    let mut demo = Demo::start(launch, dir)?;
    let truth = Arc::new(Truth::default());
    let until = Instant::now() + Duration::from_secs(seconds);
    let workers: Vec<_> = seats(&demo)
        .into_iter()
        .map(|seat| {
            let (truth, seed) = (Arc::clone(&truth), seed.wrapping_mul(1_000) + seat.number as u64);
            std::thread::spawn(move || work(seat, truth, seed, until))
        })
        .collect();
    let programs = [(demo.ports.lmtp, true), (demo.ports.smtp, false)].map(|(port, lmtp)| {
        let truth = Arc::clone(&truth);
        std::thread::spawn(move || deliver(port, lmtp, &truth, until, seed))
    });
    for program in programs {
        program.join().map_err(|_| "a delivering program panicked")?;
    }
    let clients: Vec<Option<Client>> = workers
        .into_iter()
        .map(|worker| worker.join().map_err(|_| "a client panicked"))
        .collect::<Result<_, _>>()?;
    finish(&demo, &truth, clients.into_iter().flatten().collect());
    let stopped = demo.stop();
    if let Err(error) = stopped {
        truth.wrong(format!("the server did not stop: {error}"));
    }
    Ok(truth.report())
}

fn seats(demo: &Demo) -> Vec<Seat> {
    let mut seats = Vec::new();
    for (account, clients) in CLIENTS.into_iter().enumerate() {
        for _ in 0..clients {
            let number = seats.len();
            seats.push(seat(
                demo,
                account,
                number,
                [Kind::Qresync, Kind::Plain, Kind::Condstore][number % 3],
            ));
        }
    }
    seats
}

fn seat(demo: &Demo, account: usize, number: usize, kind: Kind) -> Seat {
    Seat {
        port: demo.ports.imap,
        account,
        user: format!("user{account}@example.test"),
        password: demo.password.clone(),
        number,
        kind,
        habit: match number {
            4 | 7 | 12 => Habit::Lists,
            5 | 6 | 10 => Habit::Notify,
            _ => Habit::Asks,
        },
    }
}

/// One client's whole life; `None` when its connection broke, which is counted as wrong.
fn work(seat: Seat, truth: Arc<Truth>, seed: u64, until: Instant) -> Option<Client> {
    let number = seat.number;
    let worked = Client::sign_in(seat, Arc::clone(&truth), seed).and_then(|mut client| {
        client.work(until)?;
        Ok(client)
    });
    match worked {
        Ok(client) => Some(client),
        Err(error) => {
            truth.wrong(format!("client {number}: the connection broke: {error}"));
            None
        }
    }
}

fn deliver(port: u16, lmtp: bool, truth: &Truth, until: Instant, seed: u64) {
    let mut chance = Chance::new(seed ^ u64::from(lmtp));
    let Ok(mut session) = Smtp::connect(port, lmtp) else {
        return truth.wrong("nothing listens for deliveries".to_owned());
    };
    for at in 0_u64.. {
        if Instant::now() >= until {
            return;
        }
        let account = chance.between(0, CLIENTS.len() as u64) as usize;
        let marker = format!("{}-{at}", if lmtp { "lmtp" } else { "smtp" });
        let to = format!("user{account}@example.test");
        match session.send(
            "stress@remote.test",
            &[to],
            &message(&marker, chance.between(10, 3_000) as usize),
            lmtp,
        ) {
            Sent::Acknowledged(_) => truth.delivered(&marker, account),
            other => return truth.wrong(format!("a delivery ended as {other:?}")),
        }
        truth.count(if lmtp { "LMTP" } else { "SMTP" });
        std::thread::sleep(DELIVERY_PAUSE);
    }
}

/// What everybody believes, what is there, what was promised: all the same.
fn finish(demo: &Demo, truth: &Arc<Truth>, clients: Vec<Client>) {
    let mut present: BTreeMap<(usize, u32), BTreeMap<u32, Known>> = BTreeMap::new();
    for account in 0..CLIENTS.len() {
        let read = read_account(demo, truth, account, &mut present);
        if let Err(error) = read {
            truth.wrong(format!("account {account} cannot be read: {error}"));
        }
    }
    for (mailbox, known) in &present {
        truth.compare(*mailbox, known);
    }
    truth.compare_deliveries();
    for mut client in clients {
        if let Err(error) = last_look(&mut client, &present, truth) {
            // A mailbox that came and went may be gone.
            if error.kind() != std::io::ErrorKind::NotConnected {
                truth.wrong(format!("a client could not look once more: {error}"));
            }
        }
    }
}

fn read_account(
    demo: &Demo,
    truth: &Arc<Truth>,
    account: usize,
    present: &mut BTreeMap<(usize, u32), BTreeMap<u32, Known>>,
) -> std::io::Result<()> {
    let mut reader = Client::sign_in(
        seat(demo, account, 900 + account, Kind::Condstore),
        Arc::clone(truth),
        1,
    )?;
    for name in LASTING {
        if let Some((validity, known)) = reader.read_anew(name)? {
            present.insert((account, validity), known);
        }
    }
    Ok(())
}

fn last_look(
    client: &mut Client,
    present: &BTreeMap<(usize, u32), BTreeMap<u32, Known>>,
    truth: &Truth,
) -> std::io::Result<()> {
    let account = client.account();
    client.last_notices()?;
    if let Some((name, validity, believed)) = client.last_sight()? {
        same(
            truth,
            (&name, "believes", client.number()),
            present.get(&(account, validity)),
            &believed,
        );
    }
    if !client.resynchronises() {
        return Ok(());
    }
    for name in LASTING {
        if let Some((validity, read)) = client.resynchronise(name)? {
            same(
                truth,
                (name, "resynchronised to", client.number()),
                present.get(&(account, validity)),
                &read,
            );
        }
    }
    Ok(())
}

fn same(
    truth: &Truth,
    (name, how, client): (&str, &str, usize),
    there: Option<&BTreeMap<u32, Known>>,
    believed: &BTreeMap<u32, Known>,
) {
    // Mailboxes that come and go are not read at the end.
    let Some(there) = there else { return };
    let (is, was): (Vec<&u32>, Vec<&u32>) = (there.keys().collect(), believed.keys().collect());
    if is != was {
        truth.wrong(format!("client {client} {how} {name}: {was:?}, there are {is:?}"));
    }
    for (uid, known) in believed {
        let Some(now) = there.get(uid) else { continue };
        if now.flags != known.flags {
            truth.wrong(format!(
                "client {client} {how} {name}: UID {uid} {:?}, it is {:?}",
                known.flags, now.flags
            ));
        }
    }
}
