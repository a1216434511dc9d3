//! Real mail programs against a real server: `hearthpost demo --json` as anybody would start it, TLS checked against its own
//! authority, every result asserted. Each client prints its version and what it was asked to do.

mod fetchmail;
mod imapclient;
mod postfix;
mod readers;
mod senders;
mod sync;
mod thunderbird;

use crate::demo::Demo;
use crate::install::missing_is;
use crate::process::{self, Finished, Scratch, find, tail};
use crate::report::{Outcome, Summary};
use crate::tree;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one call of one program may take.
const CALL_LIMIT: Duration = Duration::from_secs(300);

/// One mail program: how it is found, how it says its version, what it is asked to do.
struct Client {
    name: &'static str,
    program: &'static str,
    version: &'static [&'static str],
    /// What else must be there, fetched if need be; most need nothing.
    ready: fn() -> Outcome<()>,
    /// Runs its checks; gives the names of those that held.
    run: fn(&World) -> Outcome<Vec<String>>,
}

const CLIENTS: &[Client] = &[
    Client {
        name: "swaks",
        program: "swaks",
        version: &["--version"],
        ready: nothing,
        run: senders::swaks,
    },
    Client {
        name: "msmtp",
        program: "msmtp",
        version: &["--version"],
        ready: nothing,
        run: senders::msmtp,
    },
    Client {
        name: "curl",
        program: "curl",
        version: &["--version"],
        ready: nothing,
        run: readers::curl,
    },
    Client {
        name: "mbsync",
        program: "mbsync",
        version: &["--version"],
        ready: nothing,
        run: sync::mbsync,
    },
    Client {
        name: "offlineimap",
        program: "offlineimap",
        version: &["--version"],
        ready: nothing,
        run: sync::offlineimap,
    },
    Client {
        name: "fetchmail",
        program: "fetchmail",
        version: &["--version"],
        ready: nothing,
        run: fetchmail::run,
    },
    Client {
        name: "neomutt",
        program: "neomutt",
        version: &["-v"],
        ready: nothing,
        run: readers::neomutt,
    },
    Client {
        name: "thunderbird",
        program: "thunderbird",
        version: &["--version"],
        ready: thunderbird::ready,
        run: thunderbird::run,
    },
    Client {
        name: "smtplib",
        program: "python3",
        version: &["--version"],
        ready: nothing,
        run: senders::smtplib,
    },
    Client {
        name: "imaplib",
        program: "python3",
        version: &["--version"],
        ready: nothing,
        run: readers::imaplib,
    },
    Client {
        name: "poplib",
        program: "python3",
        version: &["--version"],
        ready: nothing,
        run: readers::poplib,
    },
    Client {
        name: "imapclient",
        program: "python3",
        version: &["--version"],
        ready: imapclient::ready,
        run: imapclient::run,
    },
    Client {
        name: "postfix",
        program: "postconf",
        version: &["-d", "-h", "mail_version"],
        ready: nothing,
        run: postfix::run,
    },
];

/// `cargo xtask clients [NAME...]`, all without names.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let binary = tree::build("hearthpost", "dev")?;
    let mut summary = Summary::new();
    for client in CLIENTS
        .iter()
        .filter(|client| args.is_empty() || args.iter().any(|name| name == client.name))
    {
        if let Err(why) = present(client) {
            missing_is(&mut summary, &format!("client {}", client.name), &why);
            continue;
        }
        let version = version(client);
        println!("  {} ({version})", client.name);
        match World::new(&binary, client.name).and_then(|world| (client.run)(&world)) {
            Ok(checks) => {
                checks.iter().for_each(|check| summary.pass(check));
                summary.note(format!(
                    "client {}, {version}: {}",
                    client.name,
                    checks.join("; ")
                ));
            }
            Err(error) => {
                summary.fail(format!("client {}", client.name), &error);
                summary.note(format!("client {}, {version}: FAILED", client.name));
            }
        }
    }
    Ok(summary)
}

/// Whether a client can be run here; if not, why.
fn present(client: &Client) -> Result<(), String> {
    if find(client.program).is_none() {
        return Err(format!("{} is not installed", client.program));
    }
    (client.ready)().map_err(|error| format!("not ready: {error}"))
}

fn nothing() -> Outcome<()> {
    Ok(())
}

fn version(client: &Client) -> String {
    let program = find(client.program).unwrap_or_else(|| PathBuf::from(client.program));
    let said = process::run(
        Command::new(program).args(client.version),
        Duration::from_secs(20),
    );
    let text = said.map(|said| said.both()).unwrap_or_default();
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("version unknown")
        .trim();
    line.chars().take(60).collect()
}

/// A server of its own for one client, and a place for the client's files.
struct World {
    demo: Demo,
    place: Scratch,
    alice: (String, String),
    bob: (String, String),
    ca: PathBuf,
}

impl World {
    fn new(binary: &Path, name: &str) -> Outcome<Self> {
        let place = Scratch::new(name)?;
        let demo = Demo::start(binary, &place.path().join("demo"), &["--pop3"])?;
        let (alice, bob, ca) = (demo.user("alice")?, demo.user("bob")?, demo.ca()?);
        Ok(Self {
            demo,
            place,
            alice,
            bob,
            ca,
        })
    }

    fn port(&self, door: &str) -> Outcome<u16> {
        self.demo.port(door)
    }

    /// Writes a file only we can read; configuration files with passwords must not be readable by others.
    fn file(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.place.path().join(name);
        std::fs::write(&path, text)?;
        process::must(Command::new("chmod").arg("600").arg(&path), CALL_LIMIT)?;
        Ok(path)
    }

    /// A program of the test, with a home of its own.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find(program).unwrap_or_else(|| PathBuf::from(program)));
        command
            .current_dir(self.place.path())
            .env("HOME", self.place.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm");
        command
    }

    /// One of the Python scripts in `crates/xtask/clients`, not yet started.
    fn python_command(&self, script: &str) -> Command {
        let script = tree::root().join("crates/xtask/clients").join(script);
        let mut command = self.command("python3");
        command
            .env("HEARTHPOST_DEMO", self.demo.json.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(script);
        command
    }

    /// One of the Python scripts, run to its end.
    fn python(&self, script: &str, args: &[&str]) -> Outcome<Finished> {
        process::must(self.python_command(script).args(args), CALL_LIMIT)
    }

    /// The checks that a Python script says held.
    fn python_checks(&self, script: &str) -> Outcome<Vec<String>> {
        checks_in(&self.python(script, &[])?.stdout)
    }

    /// Demands that `count` messages with this subject are in the INBOX of `name`; a `250` means now.
    fn arrived(&self, name: &str, subject: &str, count: usize) -> Outcome<()> {
        self.python("arrived.py", &[name, "INBOX", subject, &count.to_string(), "0"])
            .map(drop)
    }
}

/// The checks that a script says held.
fn checks_in(said: &str) -> Outcome<Vec<String>> {
    let held = said.lines().filter_map(|line| line.strip_prefix("ok "));
    let checks: Vec<String> = held.map(str::to_owned).collect();
    match checks.is_empty() {
        true => Err("the script checked nothing".into()),
        false => Ok(checks),
    }
}

/// Demands success of a call, and says what it was for.
fn works(what: &str, command: &mut Command) -> Outcome<Finished> {
    process::must(command, CALL_LIMIT).map_err(|error| format!("{what}: {error}").into())
}

/// Demands that a call fails and says `because`.
fn refused(what: &str, because: &str, command: &mut Command) -> Outcome<()> {
    let finished = process::run(command, CALL_LIMIT)?;
    let said = finished.both();
    if finished.status.success() || !said.contains(because) {
        return Err(format!("{what}: not refused with {because:?}\n{}", tail(&said, 20)).into());
    }
    Ok(())
}

/// Checks that held, collected while a client works.
#[derive(Default)]
struct Held(Vec<String>);

impl Held {
    fn add(&mut self, what: &str) {
        self.0.push(what.to_owned());
    }
}
