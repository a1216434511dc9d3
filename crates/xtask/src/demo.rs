//! A running `hearthpost demo`: started as anybody would start it, driven through its one line of JSON.

use crate::process;
use crate::report::{Outcome, Stopwatch, pause};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a start may take before it counts as failed.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a polite end may take (threat case DUR-7 asks for less than 10 s).
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A server that ends with its owner.
pub struct Demo {
    child: Child,
    /// The line it printed when every door was open.
    pub json: Value,
    /// From exec to that line.
    pub start_time: Duration,
}

impl Demo {
    /// Starts `binary demo --dir dir --json EXTRA...` and waits for its line.
    pub fn start(binary: &Path, dir: &Path, extra: &[&str]) -> Outcome<Self> {
        Self::start_with(Command::new(binary), dir, extra)
    }

    /// As [`Demo::start`], with a command that may wrap the program (strace, ip netns exec, prlimit).
    pub fn start_with(mut command: Command, dir: &Path, extra: &[&str]) -> Outcome<Self> {
        command
            .arg("demo")
            .arg("--dir")
            .arg(dir)
            .arg("--json")
            .args(extra);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if std::env::var_os("HEARTHPOST_SHOW_LOG").is_none() {
            let log = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(log_file(dir))?;
            command.stderr(log);
        }
        let started = Stopwatch::start();
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let line = first_line(&mut child)?;
        let start_time = started.elapsed();
        let mut demo = Self {
            child,
            json: Value::Null,
            start_time,
        };
        match line {
            Some(line) => {
                demo.json = serde_json::from_str(&line).map_err(|error| format!("{error} in {line:?}"))?
            }
            None => {
                process::stop(&mut demo.child, Duration::from_secs(1));
                let log = std::fs::read_to_string(log_file(dir)).unwrap_or_default();
                return Err(format!("the server did not open its doors\n{}", process::tail(&log, 20)).into());
            }
        }
        Ok(demo)
    }

    /// The port of a door: `smtp`, `submission`, `submissions`, `lmtp`, `imap`, `imaps`, with `--pop3` `pop3`, `pop3s`.
    pub fn port(&self, door: &str) -> Outcome<u16> {
        self.json[door]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| format!("the demo's line has no port {door:?}: {}", self.json).into())
    }

    /// Address and password of the user whose address starts with `name@`.
    pub fn user(&self, name: &str) -> Outcome<(String, String)> {
        let wanted = format!("{name}@");
        let users = self.json["users"].as_array().cloned().unwrap_or_default();
        for user in users {
            if let (Some(address), Some(password)) = (user["address"].as_str(), user["password"].as_str())
                && address.starts_with(&wanted)
            {
                return Ok((address.to_owned(), password.to_owned()));
            }
        }
        Err(format!("the demo's line has no user {name}: {}", self.json).into())
    }

    /// The file with the certificate of the demo's own authority.
    pub fn ca(&self) -> Outcome<PathBuf> {
        self.json["ca"]
            .as_str()
            .map(PathBuf::from)
            .ok_or_else(|| "the demo's line names no ca".into())
    }

    /// The process id as the demo says it (a wrapper's own id differs).
    pub fn pid(&self) -> u32 {
        self.json["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or_else(|| self.child.id())
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as a power switch does not: with SIGKILL to the server itself.
    pub fn kill(mut self) {
        // Already gone is as good.
        let _ = Command::new("kill")
            .arg("-KILL")
            .arg(self.pid().to_string())
            .stderr(Stdio::null())
            .status();
        let _ = process::wait(&mut self.child, STOP_LIMIT);
    }

    /// Ends it politely and says how long it took.
    pub fn stop(mut self) -> Outcome<Duration> {
        let started = Stopwatch::start();
        let _ = Command::new("kill")
            .arg("-TERM")
            .arg(self.pid().to_string())
            .stderr(Stdio::null())
            .status();
        if process::wait(&mut self.child, STOP_LIMIT).is_none() {
            return Err(format!(
                "the server did not end within {} s of SIGTERM",
                STOP_LIMIT.as_secs()
            )
            .into());
        }
        pause(Duration::ZERO);
        Ok(started.elapsed())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        process::stop(&mut self.child, Duration::from_secs(5));
    }
}

/// Where the server's log of a demo in `dir` goes: beside the directory, so that it is not part of the data.
pub fn log_file(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

/// The first line a program prints, `None` if it ends or takes too long; the rest is read and dropped.
pub fn first_line(child: &mut Child) -> Outcome<Option<String>> {
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        // The receiver may have given up; then nobody needs the line.
        let _ = send.send(lines.next().and_then(Result::ok));
        // Keep reading, so that the server never blocks on a full pipe.
        lines.for_each(drop);
    });
    Ok(receive.recv_timeout(START_LIMIT).ok().flatten())
}
