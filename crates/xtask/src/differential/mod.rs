//! `cargo xtask differential [--short] [--write] [--binary PATH]`: the same mail and the same commands to Debian's Dovecot and to us; answers
//! compared as values.
//!
//! 1. [`mailset::gather`] finds the mail; both servers are given it by APPEND, with the same flags and dates;
//! 2. [`fetch`] asks for every item of every message, [`search`] for every search, [`order::compare`]
//!    for every order;
//! 3. [`compare`] gives the smallest values that differ;
//! 4. each must fit one of [`classes::CLASSES`], else the test fails and says the first of them.
//!
//! The short form takes our own messages and a sample of the shared ones. `--write` writes the page of the classes; run it
//! with all the mail.

#![expect(
    clippy::disallowed_methods,
    reason = "the tool talks to both servers from outside, over real sockets"
)]

mod classes;
mod commands;
mod compare;
mod mailset;
mod order;
mod page;
mod session;
mod value;

use crate::demo::Demo;
use crate::dovecot::{self, Dovecot, Storage};
use crate::install;
use crate::process::{self, Scratch, find, tail};
use crate::report::{Outcome, Summary};
use crate::tree;
use classes::CLASSES;
use compare::Difference;
use mailset::Letter;
use page::Met;
use session::Session;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use value::Value;

/// Messages in one FETCH.
const PAGE: usize = 50;
/// Differences without class that are shown.
const SHOWN: usize = 40;
/// More classes than this are a sign that nobody judged them.
const MOST_CLASSES: usize = 30;
/// How many ports are tried for Dovecot.
const PORTS: usize = 3;

/// Both servers, and which message has which UID.
struct Pair<'l> {
    ours: Session,
    theirs: Session,
    /// UID with us, UID with Dovecot, message
    letters: Vec<(u32, u32, &'l Letter)>,
}

/// What was found.
#[derive(Default)]
struct Found {
    compared: u64,
    met: Vec<Met>,
    unknown: u64,
    lines: Vec<String>,
}

/// Runs the comparison.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    summary.merge(install::ensure(install::IMAP_PEER)?);
    if find("dovecot").is_none() {
        return Ok(summary);
    }
    let given = args
        .iter()
        .position(|arg| arg == "--binary")
        .and_then(|at| args.get(at + 1));
    let binary = match given {
        Some(path) => PathBuf::from(path),
        None => tree::build("hearthpost", if has("--short") { "dev" } else { "release" })?,
    };
    let letters = mailset::gather(has("--short"), &mut summary)?;
    let place = Scratch::new("differential")?;
    let demo = Demo::start(&binary, &place.path().join("demo"), &["--insecure-auth"])?;
    let peer = peer(&place.path().join("dovecot"))?;
    let (user, password) = demo.user("bob")?;
    let mut pair = Pair {
        ours: Session::open(demo.port("imap")?, &user, &password)?,
        theirs: Session::open(peer.port, dovecot::USER, dovecot::PASSWORD)?,
        letters: Vec::new(),
    };
    let mut found = Found {
        met: vec![Met::default(); CLASSES.len()],
        ..Found::default()
    };
    append(&mut pair, &letters, &mut found)?;
    fetch(&mut pair, &mut found)?;
    search(&mut pair, &letters, has("--short"), &mut found)?;
    order::compare(&mut pair, &mut found)?;
    judge(&found, pair.letters.len(), &mut summary);
    if has("--write") {
        let version = process::run(
            Command::new(find("dovecot").unwrap_or_default()).arg("--version"),
            Duration::from_secs(10),
        )?;
        let version = version.stdout.split(' ').next().unwrap_or_default().to_owned();
        page::write(&found.met, pair.letters.len(), found.compared, &version)?;
    }
    Ok(summary)
}

/// Dovecot at a port of its own. Between the look for a free one and Dovecot's binding to it somebody may have taken it: then another.
fn peer(dir: &Path) -> Outcome<Dovecot> {
    let mut left = PORTS;
    loop {
        left -= 1;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .port();
        let started = Dovecot::start(dir, Storage::Mdbox, port, &|program| Ok(Command::new(program)));
        if started.is_ok() || left == 0 {
            return started;
        }
    }
}

impl Found {
    fn add(&mut self, difference: &Difference<'_>) {
        let Some(at) = CLASSES.iter().position(|class| (class.fits)(difference)) else {
            self.unknown += 1;
            self.lines.push(page::shown(difference));
            return;
        };
        self.met[at].count += 1;
        let own = difference.letter.is_some_and(|letter| letter.own);
        if own && self.met[at].example.is_none() {
            self.met[at].example = Some(page::shown(difference));
        }
    }

    fn whole(&mut self, item: &str, path: &str, ours: &str, theirs: &str) {
        self.add(&Difference {
            letter: None,
            item: item.to_owned(),
            path: path.to_owned(),
            ours: Value::Atom(ours.as_bytes().to_vec()),
            theirs: Value::Atom(theirs.as_bytes().to_vec()),
        });
    }
}

/// Gives both servers every message; one that either refuses is left out of both, and is a difference.
fn append<'l>(pair: &mut Pair<'l>, letters: &'l [Letter], found: &mut Found) -> Outcome<()> {
    for session in [&mut pair.ours, &mut pair.theirs] {
        session.demand("CREATE compare")?;
    }
    for (at, letter) in letters.iter().enumerate() {
        let flags = commands::FLAGS[at % commands::FLAGS.len()];
        let date = commands::DATES[at % commands::DATES.len()];
        let size = letter.octets.len();
        let mut command = format!("APPEND compare ({flags}) \"{date}\" {{{size}+}}\r\n").into_bytes();
        command.extend_from_slice(&letter.octets);
        let ours = pair.ours.command(&command)?.status;
        let theirs = pair.theirs.command(&command)?.status;
        let uids = (appended(&ours), appended(&theirs));
        if let (Some(ours), Some(theirs)) = uids {
            pair.letters.push((ours, theirs, letter));
        } else {
            found.whole("APPEND", &letter.name, &ours, &theirs);
        }
    }
    for session in [&mut pair.ours, &mut pair.theirs] {
        session.demand("EXAMINE compare")?;
    }
    Ok(())
}

/// The UID in `[APPENDUID validity uid]`.
fn appended(status: &str) -> Option<u32> {
    let (_, rest) = status.split_once("[APPENDUID ")?;
    let (_, uid) = rest.split_once(']')?.0.split_once(' ')?;
    uid.parse().ok()
}

fn fetch(pair: &mut Pair<'_>, found: &mut Found) -> Outcome<()> {
    let both = |word| pair.ours.can(word) && pair.theirs.can(word);
    let more = commands::EXTENSIONS
        .iter()
        .filter(|(word, _)| both(word))
        .map(|(_, items)| *items);
    let groups: Vec<&str> = commands::ITEMS.iter().copied().chain(more).collect();
    for page in pair.letters.chunks(PAGE) {
        for group in &groups {
            let ours = ask(&mut pair.ours, page.iter().map(|letter| letter.0), group)?;
            let theirs = ask_peer(&mut pair.theirs, page.iter().map(|letter| letter.1), group)?;
            let nothing = BTreeMap::new();
            for (our_uid, their_uid, letter) in page {
                let (one, other) = (ours.get(our_uid), theirs.get(their_uid));
                let (one, other) = (one.unwrap_or(&nothing), other.unwrap_or(&nothing));
                found.compared += one.len() as u64;
                for difference in compare::items(letter, one, other) {
                    found.add(&difference);
                }
            }
        }
    }
    Ok(())
}

/// As [`ask`]. Dovecot leaves in the middle of the answer about a part that is not well encoded (BINARY): that message it does not tell.
fn ask_peer(
    session: &mut Session,
    uids: impl Iterator<Item = u32>,
    items: &str,
) -> Outcome<compare::Fetched> {
    let uids: Vec<u32> = uids.collect();
    if let Ok(found) = ask(session, uids.iter().copied(), items) {
        return Ok(found);
    }
    session.reopen()?;
    let mut found = compare::Fetched::new();
    for uid in uids {
        match ask(session, std::iter::once(uid), items) {
            Ok(one) => found.extend(one),
            Err(_) => session.reopen()?,
        }
    }
    Ok(found)
}

/// One FETCH. After a refusal each message is asked for alone: one that cannot be told hides the others.
fn ask(session: &mut Session, uids: impl Iterator<Item = u32>, items: &str) -> Outcome<compare::Fetched> {
    let uids: Vec<String> = uids.map(|uid| uid.to_string()).collect();
    let answer = session.command(format!("UID FETCH {} ({items})", uids.join(",")))?;
    if answer.status.starts_with("OK") {
        return Ok(compare::fetched(&answer.untagged)?);
    }
    let mut found = compare::Fetched::new();
    for uid in &uids {
        let answer = session.command(format!("UID FETCH {uid} ({items})"))?;
        if answer.status.starts_with("BAD") {
            return Err(format!("UID FETCH ({items}): {}", answer.status).into());
        }
        found.extend(compare::fetched(&answer.untagged)?);
    }
    Ok(found)
}

fn search(pair: &mut Pair<'_>, letters: &[Letter], short: bool, found: &mut Found) -> Outcome<()> {
    for search in commands::searches(letters, short) {
        let command = [b"UID SEARCH ".as_slice(), &search].concat();
        let (ours, theirs) = (pair.ours.command(&command)?, pair.theirs.command(&command)?);
        let shown = String::from_utf8_lossy(&search).replace("\r\n", " ");
        let word = |status: &str| status.split(' ').next().unwrap_or_default().to_owned();
        if word(&ours.status) != word(&theirs.status) {
            found.whole("SEARCH", &shown, &ours.status, &theirs.status);
            continue;
        }
        let (one, other) = (
            compare::numbers(&ours.untagged),
            compare::numbers(&theirs.untagged),
        );
        let plain = shown.trim_start_matches("CHARSET UTF-8 ");
        let key = plain.split(' ').next().unwrap_or_default().to_owned();
        for (our_uid, their_uid, letter) in &pair.letters {
            found.compared += 1;
            let (hit, peer_hit) = (one.contains(our_uid), other.contains(their_uid));
            if hit != peer_hit {
                let said = |hit: bool| Value::Atom(if hit { b"found".to_vec() } else { b"not".to_vec() });
                found.add(&Difference {
                    letter: Some(letter),
                    item: format!("SEARCH {key}"),
                    path: plain.to_owned(),
                    ours: said(hit),
                    theirs: said(peer_hit),
                });
            }
        }
    }
    Ok(())
}

fn judge(found: &Found, letters: usize, summary: &mut Summary) {
    let known: u64 = found.met.iter().map(|met| met.count).sum();
    for (class, met) in CLASSES.iter().zip(&found.met) {
        println!("  {:>7}  {}", met.count, class.name);
    }
    if CLASSES.len() > MOST_CLASSES {
        summary.fail(
            "classes of differences",
            format!("{} are too many", CLASSES.len()),
        );
    }
    if found.unknown == 0 {
        summary.pass(format!(
            "{letters} messages, {} values as Dovecot tells them, but for {known} in {} judged classes",
            found.compared,
            CLASSES.len()
        ));
    } else {
        let lines = &found.lines[..found.lines.len().min(SHOWN)];
        summary.fail(
            "as Dovecot",
            format!(
                "{} differences fit no class\n{}",
                found.unknown,
                tail(&lines.join("\n"), SHOWN)
            ),
        );
        if let Some(file) = std::env::var_os("HEARTHPOST_DIFFERENCES") {
            // For looking through all of them; the summary has the first.
            let _ = std::fs::write(file, found.lines.join("\n"));
        }
    }
}
