//! `cargo xtask internet [--only WORD] [--release] [--binary PATH]`: two Hearthposts, a Debian Postfix, hostile sinks and DNS in
//! network namespaces of their own: mail in all directions, refusals, delays, bounces, partitions, kills.
//!
//! 1. [`run`] makes the middle of the net, a namespace with a bridge, and starts itself again inside it;
//! 2. [`inside`] puts up the hosts ([`net`]), names (Debian's knot, signed), the servers ([`hosts`], [`postfix`]);
//! 3. [`scenarios`] are played one after another; each is a sentence;
//! 4. whatever happened, every namespace and process is taken away again.
//!
//! Addresses are those of documentation (RFC 5737, RFC 3849), so nothing has to be allowed that is not on the Internet.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

mod hosts;
mod net;
mod postfix;
mod scenarios;

use crate::campaign::binary;
use crate::install::{is_root, missing_is};
use crate::process::{self, find};
use crate::report::{Outcome, Summary};
use hosts::Hosts;
use net::Net;
use std::time::{Duration, Instant};

/// The whole campaign is shorter than this.
const LIMIT: Duration = Duration::from_secs(360);

/// Makes the net, plays, takes it away.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    if let Some(why) = missing()? {
        missing_is(&mut summary, "the test Internet", &why);
        return Ok(summary);
    }
    let binary = binary(args)?;
    let net = Net::new()?;
    let mut command = net.in_the_middle(&std::env::current_exe()?);
    command
        .arg("internet-inside")
        .arg(net.prefix())
        .arg(&binary)
        .args(
            args.iter()
                .position(|arg| arg == "--only")
                .and_then(|at| args.get(at + 1)),
        );
    let finished = process::run_shown(&mut command, LIMIT)?;
    // The one inside has already said each; here they are only counted.
    for line in finished.stdout.lines() {
        if line.starts_with("  ok    ") {
            summary.pass_quietly(1);
        } else if let Some(failure) = line.strip_prefix("  FAIL  ") {
            summary.fail_quietly(1, format!("test Internet: {failure}"));
        }
    }
    if !finished.status.success() && summary.failed() == 0 {
        summary.fail("the test Internet", process::tail(&finished.both(), 20));
    }
    Ok(summary)
}

fn missing() -> Outcome<Option<String>> {
    if !is_root()? {
        return Ok(Some("network namespaces need root".into()));
    }
    let programs = ["ip", "nft", "knotd", "keymgr", "postfix"];
    let lacking: Vec<&str> = programs
        .into_iter()
        .filter(|program| find(program).is_none())
        .collect();
    Ok((!lacking.is_empty()).then(|| format!("{} not installed: cargo xtask install", lacking.join(", "))))
}

/// `cargo xtask internet-inside PREFIX BINARY [WORD]`, started by [`run`] in the middle of the net.
pub fn inside(args: &[String]) -> Outcome<Summary> {
    let [prefix, binary, rest @ ..] = args else {
        return Err("internet-inside PREFIX BINARY [WORD]".into());
    };
    let only = rest.first().map(String::as_str).unwrap_or_default();
    let net = Net::inside(prefix);
    let mut summary = Summary::new();
    let hosts = Hosts::start(&net, std::path::Path::new(binary))?;
    for scenario in scenarios::ALL
        .iter()
        .filter(|scenario| scenario.name.contains(only))
    {
        let began = Instant::now();
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (scenario.play)(&hosts)));
        let result = played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.unwrap_or_else(|| "a client gave up waiting".into()))
        });
        let took = began.elapsed().as_secs_f64();
        match result {
            Ok(detail) => summary.pass(format!("{}: {detail} ({took:.1} s)", scenario.name)),
            Err(why) => {
                summary.fail(scenario.name, why.replace('\n', " / "));
                println!("{}", hosts.tails());
            }
        }
    }
    Ok(summary)
}
