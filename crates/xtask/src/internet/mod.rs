//! `cargo xtask internet [--only WORD] [--release] [--binary PATH]`: stories of several hosts (`stories/internet`), played by
//! Hearthposts, a Debian Postfix, hostile sinks and DNS in network namespaces of their own, over IPv4 and IPv6.
//!
//! 1. [`run`] makes for each story the middle of a net, a namespace with a bridge, and starts itself again inside it;
//! 2. [`inside`] reads the story ([`story`]), puts up the hosts ([`net`]), names (Debian's knot, signed), the servers ([`hosts`],
//!    [`postfix`], [`sinks`]), and plays;
//! 3. whatever happened, every namespace and process is taken away again.
//!
//! Stories know nothing of each other: some are played at the same time. Addresses are those of documentation (RFC 5737, RFC 3849),
//! so nothing has to be allowed that is not on the Internet.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

mod hosts;
mod keys;
mod milters;
mod net;
mod postfix;
mod sinks;
mod slow;
mod story;
mod stranger;
mod unbound;

use crate::campaign::binary;
use crate::install::{is_root, missing_is};
use crate::process::{self, Scratch, find};
use crate::report::{Outcome, Summary};
use crate::tree;
use hosts::Hosts;
use net::Net;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use story::Story;

/// Where the stories are.
const PLACE: &str = "stories/internet";
/// A story is shorter than this, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(480);
/// How many are played at the same time.
const AT_ONCE: usize = 3;

/// Plays all stories, or those with a word in their names.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    if let Some(why) = missing()? {
        missing_is(&mut summary, "the test Internet", &why);
        return Ok(summary);
    }
    let only = args
        .iter()
        .position(|arg| arg == "--only")
        .and_then(|at| args.get(at + 1));
    let mut stories = stories()?;
    stories.retain(|path| only.is_none_or(|word| name_of(path).contains(word.as_str())));
    if stories.is_empty() {
        return Err(format!("no story in {PLACE} has such a name").into());
    }
    let binary = binary(args)?;
    let (next, told) = (AtomicUsize::new(0), Mutex::new(&mut summary));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(stories.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = stories.get(number) else { break };
                    let began = Instant::now();
                    let played = play_apart(number, path, &binary);
                    let took = began.elapsed().as_secs_f64();
                    let mut told = told.lock().expect("no player panics");
                    match played {
                        Ok(remarks) => told.pass(format!("{}{remarks} ({took:.1} s)", name_of(path))),
                        Err(why) => told.fail(name_of(path), why),
                    }
                }
            });
        }
    });
    match wrong_story_fails(stories.len(), &binary) {
        Ok(()) => summary.pass("a story that is wrong fails at its line"),
        Err(why) => summary.fail("a story that is wrong fails at its line", why),
    }
    Ok(summary)
}

/// The test of the test: this story is wrong at its last line.
const WRONG: &str = "host a.test: Hearthpost with alice, bob\nalice@a.test sends \"hello\" to bob@a.test\n\
                     bob@a.test receives \"hello\" within 15 s\n  lacks: From: <alice@a.test>\n";

/// A story that is wrong has to fail, at its line and for its reason.
fn wrong_story_fails(number: usize, binary: &Path) -> Outcome<()> {
    let place = Scratch::new("wrong-story")?;
    let path = place.path().join("wrong.story");
    std::fs::write(&path, WRONG)?;
    match play_apart(number, &path, binary) {
        Ok(_) => Err("it came out as it was written".into()),
        Err(why)
            if why
                .to_string()
                .contains("within 15 s`: it should not have the line") =>
        {
            Ok(())
        }
        Err(why) => Err(format!("it failed otherwise: {why}").into()),
    }
}

/// Every story, in the order of the names.
fn stories() -> Outcome<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(tree::root().join(PLACE))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "story") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Plays one story in a net of its own. Remarks for people.
fn play_apart(number: usize, path: &Path, binary: &Path) -> Outcome<String> {
    let net = Net::new(number)?;
    let mut command = net.in_the_middle(&std::env::current_exe()?);
    command
        .arg("internet-inside")
        .arg(net.prefix())
        .arg(binary)
        .arg(path);
    let finished = process::run(&mut command, LIMIT).map_err(|error| stuck(&error.to_string()))?;
    if finished.status.success() {
        return Ok(finished.stdout.trim_end().to_owned());
    }
    let said = finished.both();
    let why = said.split_once("cargo xtask internet-inside: ");
    Err(why.map_or(said.as_str(), |(_, why)| why).into())
}

/// What is told of a story that took too long: where it was.
fn stuck(said: &str) -> String {
    let last = said.lines().rev().find(|line| line.starts_with(story::play::AT));
    format!(
        "it did not end within {} s, and was {}",
        LIMIT.as_secs(),
        last.unwrap_or("at its beginning")
    )
}

fn missing() -> Outcome<Option<String>> {
    if !is_root()? {
        return Ok(Some("network namespaces need root".into()));
    }
    let programs = [
        "ip",
        "nft",
        "knotd",
        "keymgr",
        "postfix",
        "opendkim",
        "opendmarc",
        "arcsign",
        "openssl",
        "unbound",
    ];
    let lacking: Vec<&str> = programs
        .into_iter()
        .filter(|program| find(program).is_none())
        .collect();
    Ok((!lacking.is_empty()).then(|| format!("{} not installed: cargo xtask install", lacking.join(", "))))
}

/// `cargo xtask internet-inside PREFIX BINARY STORY`, started by [`run`] in the middle of the net. Says remarks and nothing else.
pub fn inside(args: &[String]) -> Outcome<()> {
    let [prefix, binary, path] = args else {
        return Err("internet-inside PREFIX BINARY STORY".into());
    };
    let shown = tree::shown(Path::new(path));
    let text = std::fs::read_to_string(path)?;
    let story = Story::read(&text).map_err(|why| format!("{shown}: {why}"))?;
    let hosts = Hosts::start(&Net::inside(prefix), Path::new(binary), &story)?;
    match story::play::play(&story, &hosts) {
        Ok(remarks) => {
            let told: String = remarks.iter().map(|remark| format!(", {remark}")).collect();
            println!("{told}");
            Ok(())
        }
        Err((line, why)) => {
            let step = text
                .lines()
                .nth(line.saturating_sub(1))
                .unwrap_or_default()
                .trim();
            Err(format!("{shown}:{line} `{step}`: {why}\n{}", hosts.tails()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_of_several_hosts_can_be_read() {
        let stories = stories().unwrap();
        assert!(!stories.is_empty());
        for path in stories {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(why) = Story::read(&text) {
                panic!("{}: {why}", path.display());
            }
        }
    }
}
