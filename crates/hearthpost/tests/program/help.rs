//! Starting the program and talking to it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use testkit::talk::{Talk, TlsClient};

/// How long anything may take before its test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hearthpost"))
}

/// The number of the user who runs the tests: a server that they start stays who it is, also as root.
pub fn this_user() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Output {
    program().args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed, with `--data data --json`; what it printed.
pub fn done(data: &Path, args: &[&str]) -> Value {
    let output = program()
        .args(args)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

/// Runs a command that changes things without `--yes`, with `--data data --json`: what it printed. It must say that nothing was done.
pub fn counted(data: &Path, args: &[&str]) -> Value {
    let output = program()
        .args(args)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(
        said.starts_with("hearthpost: nothing was changed yet. To ")
            && said.ends_with("say the same with --yes.\n"),
        "{args:?}: {said}"
    );
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

/// Where the running server's door of this name and number listens, by its `status`.
pub fn port(data: &Path, door: &str, number: usize) -> u16 {
    let doors = done(data, &["status"])["doors"].clone();
    let address = doors[door][number].as_str().unwrap().to_owned();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// Asks again and again until it is so.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        // The server needs the processor more than we do.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a command that must be refused; exit code and sentence.
pub fn refused(data: &Path, args: &[&str]) -> (i32, String) {
    let output = program()
        .args(args)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{args:?} was not refused");
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A running server. Ends with its owner.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
}

impl Server {
    /// Starts `command` and collects the lines of its standard output.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for output in outputs {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = send.send(line); // after the test nobody listens
                }
            });
        }
        Self { child, lines }
    }

    /// `hearthpost serve` with these settings, once every door is open. They ask for `log.stderr = "json"`.
    pub fn serving(settings: impl AsRef<Path>) -> Self {
        let mut command = program();
        command.arg("serve").arg("--config").arg(settings.as_ref());
        let server = Self::spawn(command);
        server.wait_for_event("program.started");
        server
    }

    /// The next line of the log that tells of this event.
    pub fn wait_for_event(&self, event: &str) -> Value {
        self.wait_for(|line| {
            let line = serde_json::from_str::<Value>(line).ok();
            line.filter(|line| line["event"] == event)
        })
    }

    /// The next line for which `wanted` has a value.
    pub fn wait_for<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = self
                .lines
                .recv_timeout(PATIENCE)
                .expect("the program says it in time");
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }

    /// Whether it says nothing at all for this long.
    pub fn is_silent_for(&self, time: Duration) -> bool {
        self.lines.recv_timeout(time).is_err()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; the exit code, if it ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// A running demo.
pub struct Demo {
    pub server: Server,
    pub json: Value,
    pub dir: PathBuf,
}

impl Demo {
    pub fn start(dir: &Path, extra: &[&str]) -> Self {
        let server = Self::spawn(dir, extra);
        let json = server.wait_for(|line| serde_json::from_str::<Value>(line).ok());
        Self {
            server,
            json,
            dir: dir.to_owned(),
        }
    }

    /// Starts without waiting.
    pub fn spawn(dir: &Path, extra: &[&str]) -> Server {
        let mut command = program();
        command
            .arg("demo")
            .arg("--dir")
            .arg(dir)
            .arg("--json")
            .args(extra);
        Server::spawn(command)
    }

    pub fn port(&self, door: &str) -> u16 {
        u16::try_from(self.json[door].as_u64().unwrap()).unwrap()
    }

    pub fn password(&self, name: &str) -> String {
        let users = self.json["users"].as_array().unwrap();
        let user = users
            .iter()
            .find(|user| user["address"] == format!("{name}@example.test"))
            .unwrap();
        user["password"].as_str().unwrap().to_owned()
    }

    pub fn tls(&self) -> TlsClient {
        TlsClient::trusting(Path::new(self.json["ca"].as_str().unwrap()))
    }

    /// Sends one message from a stranger; the reply to its end.
    pub fn send(&self, to: &str, subject: &str) -> String {
        let mut talk = Talk::connect(self.port("smtp"));
        assert!(talk.reply().starts_with("220 "));
        assert!(talk.ask("EHLO client.test").starts_with("250-"));
        assert!(talk.ask("MAIL FROM:<you@example.net>").starts_with("250 "));
        let reply = talk.ask(&format!("RCPT TO:<{to}>"));
        if !reply.starts_with("250 ") {
            return reply;
        }
        assert!(talk.ask("DATA").starts_with("354 "));
        talk.ask(&format!("Subject: {subject}\r\n\r\nHello.\r\n."))
    }

    /// A signed-in IMAPS session.
    pub fn imaps(&self, address: &str, password: &str) -> Talk {
        let mut talk = Talk::connect_tls(self.port("imaps"), &self.tls());
        assert!(talk.line().unwrap().starts_with("* OK"));
        let answer = talk.imap("a", &format!("LOGIN {address} {password}"));
        assert!(answer.last().unwrap().starts_with("a OK"), "{answer:?}");
        talk
    }

    /// Subjects in somebody's INBOX.
    pub fn subjects(&self, name: &str) -> Vec<String> {
        let mut talk = self.imaps(&format!("{name}@example.test"), &self.password(name));
        assert!(
            talk.imap("b", "EXAMINE INBOX")
                .last()
                .unwrap()
                .starts_with("b OK")
        );
        let lines = talk.imap("c", "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
        lines
            .iter()
            .filter_map(|line| line.strip_prefix("Subject: ").map(str::to_owned))
            .collect()
    }

    /// Ends it politely; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.server.signal("TERM");
        self.server.ended()
    }

    /// Ends it as a power switch does not.
    pub fn kill(mut self) {
        self.server.signal("KILL");
        assert_eq!(self.server.ended(), None);
    }
}

/// Runs a command with `input` on its standard input.
pub fn with_input(data: &Path, args: &[&str], input: &str) -> Output {
    let mut command = program();
    command.args(args).arg("--data").arg(data);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
