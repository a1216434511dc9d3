//! The demo as the campaigns use it: plaintext sign-in on loopback, bulk accounts, killed and restarted on one directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::demo::Demo as Running;

/// How to start the demo.
#[derive(Clone)]
pub struct Launch {
    /// the program
    pub binary: PathBuf,
    /// bulk accounts
    pub users: usize,
    /// further environment
    pub env: Vec<(String, String)>,
    /// put in front of the program (strace …)
    pub wrapper: Vec<OsString>,
}

impl Launch {
    /// The binary without anything special.
    pub fn plain(binary: &Path, users: usize) -> Self {
        Self {
            binary: binary.to_owned(),
            users,
            env: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// With one more environment variable.
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut words = self
            .wrapper
            .iter()
            .cloned()
            .chain([self.binary.clone().into_os_string()]);
        let mut command = Command::new(words.next().expect("the program is always there"));
        command
            .args(words)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The doors on 127.0.0.1 that the campaigns use.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Ports {
    pub smtp: u16,
    pub submission: u16,
    pub lmtp: u16,
    pub imap: u16,
}

/// A running demo. Dropping it ends it.
pub struct Demo {
    running: Option<Running>,
    /// its doors
    pub ports: Ports,
    /// the server's own process id (differs from the child's under a wrapper)
    pub pid: u32,
    /// password of the bulk accounts
    pub password: String,
    /// from exec to the JSON line
    pub start_took: Duration,
}

impl Demo {
    /// Starts on `dir` and waits until every door is open.
    pub fn start(launch: &Launch, dir: &Path) -> Result<Self, String> {
        let users = launch.users.to_string();
        let running = Running::start_with(launch.command(), dir, &["--insecure-auth", "--users", &users])
            .map_err(|error| error.to_string())?;
        let port = |door: &str| running.port(door).map_err(|error| error.to_string());
        Ok(Self {
            ports: Ports {
                smtp: port("smtp")?,
                submission: port("submission")?,
                lmtp: port("lmtp")?,
                imap: port("imap")?,
            },
            pid: running.pid(),
            password: running.json["bulk"]["password"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            start_took: running.start_time,
            running: Some(running),
        })
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// SIGTERM; how long the end took, or an error when it took too long.
    pub fn stop(&mut self) -> Result<Duration, String> {
        self.running
            .take()
            .ok_or("not running")?
            .stop()
            .map_err(|error| error.to_string())
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::alive)
    }
}
