//! `cargo xtask systemd`: the unit and the socket unit of `packaging/` under a real systemd.
//!
//! 1. [`run`] makes a key, settings and the two scripts, and starts `machine.sh` in namespaces of its own, where it becomes a
//!    small machine over a copy-on-write view of this one, with systemd as its first process;
//! 2. inside, `visit.sh` starts, reloads, kills the keeper, stops, starts by socket, and writes down what it finds;
//! 3. [`judge`] says of each fact whether it is as it must be.
//!
//! Nothing of this machine is changed. Where the namespaces cannot be made, that is said and nothing is judged.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

use crate::campaign::{binary, told};
use crate::install::{is_root, missing_is};
use crate::process::{self, Scratch, find};
use crate::report::{Outcome, Summary};
use crate::tree;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const MACHINE: &str = include_str!("machine.sh");
const VISIT: &str = include_str!("visit.sh");
/// The machine is switched off when it takes longer.
const LIMIT: Duration = Duration::from_secs(400);
/// The service may take this long to end.
const DRAIN: Duration = Duration::from_secs(10);

const SETTINGS: &str = "\
data_dir = \"/var/lib/hearthpost\"
hostname = \"mail.example.org\"
domains = [\"example.org\"]

[doors]
smtp = [\"0.0.0.0:25\", \"[::]:25\"]
submission = [\"0.0.0.0:587\", \"[::]:587\"]
submissions = [\"0.0.0.0:465\", \"[::]:465\"]
imaps = [\"0.0.0.0:993\", \"[::]:993\"]

[tls]
certificate = \"/run/credentials/hearthpost.service/tls.pem\"
key = \"/run/credentials/hearthpost.service/tls.key\"
";

/// Boots, visits, judges.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    if let Some(why) = missing()? {
        missing_is(&mut summary, "the unit under systemd", &why);
        return Ok(summary);
    }
    let binary = binary(args)?;
    let (work, share) = (Scratch::new("systemd-work")?, Scratch::new("systemd-share")?);
    prepare(share.path())?;
    let finished = process::run(&mut machine(work.path(), share.path(), &binary), LIMIT)?;
    let read = |name: &str| std::fs::read_to_string(share.path().join(name)).unwrap_or_default();
    let seen = read("facts");
    let facts = facts(&seen);
    if facts.is_empty() {
        let why = format!(
            "no such machine can be made here: {}",
            process::tail(&finished.both(), 3)
        );
        summary.skip("the unit under systemd", why.replace('\n', " / "));
        return Ok(summary);
    }
    judge(&mut summary, &facts);
    if summary.failed() > 0 {
        println!("{}", process::tail(&read("trouble"), 80));
    }
    Ok(summary)
}

fn missing() -> Outcome<Option<String>> {
    if !is_root()? {
        return Ok(Some("a machine of namespaces needs root".into()));
    }
    if !Path::new("/lib/systemd/systemd").exists() {
        return Ok(Some("systemd is not installed: cargo xtask install".into()));
    }
    let lacking = ["openssl", "unshare", "ip", "useradd"]
        .into_iter()
        .find(|program| find(program).is_none());
    Ok(lacking.map(|program| format!("{program} is not installed: cargo xtask install")))
}

fn prepare(share: &Path) -> Outcome<()> {
    std::fs::write(share.join("machine.sh"), MACHINE)?;
    std::fs::write(share.join("visit.sh"), VISIT)?;
    std::fs::write(share.join("hearthpost.toml"), SETTINGS)?;
    let made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3",
        "-subj",
        "/CN=mail.example.org",
        "-keyout",
        "server.key",
        "-out",
        "server.pem",
    ];
    process::must(
        Command::new("openssl").args(made).current_dir(share),
        Duration::from_secs(30),
    )?;
    Ok(())
}

fn machine(work: &Path, share: &Path, binary: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--pid",
            "--fork",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "--kill-child",
            "bash",
        ])
        .arg(share.join("machine.sh"))
        .args([work, share, binary])
        .arg(tree::root().join("packaging"));
    command
}

fn facts(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

fn judge(summary: &mut Summary, facts: &HashMap<&str, &str>) {
    let of = |name: &str| facts.get(name).copied().unwrap_or("(not seen)");
    let mut check = |name: &str, fact: &str, right: bool| {
        let said = if right {
            Ok(fact.to_owned())
        } else {
            Err(format!("found {fact:?}"))
        };
        told(summary, name, said);
    };
    let is = |name: &str, want: &str| of(name) == want;
    check(
        "started means that every door is open",
        of("started"),
        is("started", "active"),
    );
    let uid = of("expected_uid");
    let unprivileged = format!("{uid} {uid} {uid} {uid} 0000000000000000 1 2");
    for (name, who) in [
        ("server_rights", "ops_1 the server"),
        ("keeper_rights", "ops_1 its keeper"),
    ] {
        let right = of(name).trim() == unprivileged;
        check(
            &format!("{who} is the unit's user without a capability"),
            of(name),
            right,
        );
    }
    check(
        "port 25 answers",
        of("smtp"),
        of("smtp").starts_with("220 mail.example.org "),
    );
    check(
        "ops_2 a key that only root can read signs, by LoadCredential and the keeper",
        of("handshakes"),
        is("handshakes", "1"),
    );
    check("root may ask it", of("status_command"), is("status_command", "{"));
    check(
        "a reload ends nothing",
        of("reloaded"),
        is("reloaded", "active 1"),
    );
    check(
        "and reads the settings",
        of("settings_read"),
        is("settings_read", "1"),
    );
    check(
        "ops_2 without its keeper the server is started again",
        of("without_keeper"),
        is("without_keeper", "active 1"),
    );
    let millis = of("stopped")
        .strip_prefix("success ")
        .and_then(|text| text.parse().ok());
    let in_time = millis.is_some_and(|millis: u64| Duration::from_millis(millis) < DRAIN);
    check("it stops in order and in time", of("stopped"), in_time);
    check("it starts again", of("again"), is("again", "active"));
    check(
        "the socket unit starts nothing by itself",
        of("socket_before"),
        is("socket_before", "inactive"),
    );
    check(
        "the first connection starts the server, which answers it",
        of("socket_smtp"),
        of("socket_smtp").starts_with("220 mail.example.org "),
    );
    check(
        "with all its doors",
        of("socket_after"),
        is("socket_after", "active 1"),
    );
    check(
        "ops_1 and by no capability at all",
        of("socket_bounds"),
        is("socket_bounds", "0000000000000000"),
    );
    check("the visit came to its end", of("end"), is("end", "reached"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_a_failure() {
        let mut summary = Summary::new();
        judge(
            &mut summary,
            &facts("started active\nexpected_uid 9\nserver_rights 0 0 0 0 0000000000000000 1 2"),
        );
        assert_eq!(summary.failed(), 15);
    }
}
