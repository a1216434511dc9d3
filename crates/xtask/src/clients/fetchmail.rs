//! fetchmail: collects mail over IMAP or POP3 and hands it to a program.

use super::readers::says;
use super::{CALL_LIMIT, Held, World, works};
use crate::process::{self, Finished, tail};
use crate::report::Outcome;
use std::path::PathBuf;

/// What fetchmail ends with when there was nothing to collect.
const NOTHING_NEW: i32 = 1;

/// fetchmail over both protocols, with TLS first and with TLS asked for.
pub fn run(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    for subject in ["deliver:INBOX:kept", "deliver:INBOX:. dot"] {
        world.python("far_side.py", &[subject])?;
    }
    let kept = Poll::new(world, "imaps", "protocol IMAP", "ssl keep")?;
    kept.collects("Subject: kept")?;
    kept.finds_nothing()?;
    world.arrived("bob", "kept", 1)?;
    held.add("fetchmail: IMAP over TLS, keeps, and collects only what is new");
    let taken = Poll::new(world, "imap", "protocol IMAP", "sslproto TLS1.2+ fetchall nokeep")?;
    taken.collects("Subject: . dot")?;
    world.arrived("bob", "kept", 0)?;
    taken.finds_nothing()?;
    held.add("fetchmail: IMAP with STARTTLS, deletes what it collected");
    for subject in ["deliver:INBOX:pop kept", "deliver:INBOX:. pop dot"] {
        world.python("far_side.py", &[subject])?;
    }
    let kept = Poll::new(world, "pop3s", "protocol POP3 uidl", "ssl keep")?;
    kept.collects("Subject: pop kept")?;
    kept.finds_nothing()?;
    world.arrived("bob", "pop kept", 1)?;
    held.add("fetchmail: POP3 over TLS, keeps, and knows by UIDL what it has");
    let taken = Poll::new(world, "pop3", "protocol POP3", "sslproto TLS1.2+ fetchall nokeep")?;
    taken.collects("Subject: . pop dot")?;
    world.arrived("bob", "pop kept", 0)?;
    taken.finds_nothing()?;
    held.add("fetchmail: POP3 with STLS, deletes what it collected");
    Ok(held.0)
}

/// One way to collect bob's mail.
struct Poll<'a> {
    world: &'a World,
    config: PathBuf,
    /// All that came, one message after the other.
    collected: PathBuf,
}

impl<'a> Poll<'a> {
    fn new(world: &'a World, door: &str, protocol: &str, options: &str) -> Outcome<Self> {
        let collected = world.place.path().join(format!("{door}.mail"));
        let config = format!(
            "poll localhost {protocol} port {port} auth password\n\
             user \"{user}\" password \"{password}\" {options} sslcertck sslcertfile \"{ca}\"\n\
             mda \"/bin/sh -c 'cat >> {collected}'\"\n",
            port = world.port(door)?,
            user = world.bob.0,
            password = world.bob.1,
            ca = world.ca.display(),
            collected = collected.display(),
        );
        let config = world.file(&format!("{door}.fetchmailrc"), &config)?;
        Ok(Self {
            world,
            config,
            collected,
        })
    }

    fn command(&self) -> std::process::Command {
        let mut command = self.world.command("fetchmail");
        command.arg("-v").arg("-f").arg(&self.config);
        let known = self.config.with_extension("known");
        command.arg("--idfile").arg(known);
        command
            .arg("--pidfile")
            .arg(self.world.place.path().join("fetchmail.pid"));
        command
    }

    fn collects(&self, wanted: &str) -> Outcome<Finished> {
        let said = works("fetchmail", &mut self.command())?;
        says(&std::fs::read_to_string(&self.collected)?, wanted)?;
        Ok(said)
    }

    fn finds_nothing(&self) -> Outcome<()> {
        let said = process::run(&mut self.command(), CALL_LIMIT)?;
        match said.status.code() {
            Some(NOTHING_NEW) => Ok(()),
            other => Err(format!(
                "fetchmail: {other:?} instead of nothing new\n{}",
                tail(&said.both(), 30)
            )
            .into()),
        }
    }
}
