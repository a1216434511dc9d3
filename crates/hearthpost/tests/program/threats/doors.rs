//! The doors, and a server to knock at.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use serde_json::Value;
use testkit::talk::{Talk, TlsClient};

/// A running demo in a directory of its own; ended with the test.
pub struct Server {
    child: Child,
    /// the demo's line
    pub json: Value,
    _dir: tempfile::TempDir,
}

impl Server {
    /// A demo that permits sign-in in the clear, so that every case can run on every door.
    pub fn start() -> Self {
        Self::start_with(&["--insecure-auth"])
    }

    /// A demo as it is by default.
    pub fn start_strict() -> Self {
        Self::start_with(&[])
    }

    fn start_with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_hearthpost"))
            .args(["demo", "--json", "--dir"])
            .arg(dir.path().join("demo"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("asked for"))
            .read_line(&mut line)
            .expect("the demo's line");
        let json = serde_json::from_str(&line).expect("one line of JSON");
        Self {
            child,
            json,
            _dir: dir,
        }
    }

    /// The port of a door.
    pub fn port(&self, name: &str) -> u16 {
        self.json[name].as_u64().expect("every door has a port") as u16
    }

    /// Address and password of alice (0) or bob (1).
    pub fn user(&self, at: usize) -> (String, String) {
        let user = &self.json["users"][at];
        (
            user["address"].as_str().expect("an address").to_owned(),
            user["password"].as_str().expect("a password").to_owned(),
        )
    }

    /// A TLS client that trusts the demo.
    pub fn tls(&self) -> TlsClient {
        TlsClient::trusting(&PathBuf::from(self.json["ca"].as_str().expect("a CA file")))
    }

    /// The demo's directory.
    pub fn dir(&self) -> PathBuf {
        PathBuf::from(self.json["dir"].as_str().expect("a directory"))
    }

    /// Resident memory of the server in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most that it ever was.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.json["pid"])).expect("the server runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("Linux tells it");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number")
    }

    /// CPU time of the server so far, in milliseconds (clock ticks are 10 ms).
    pub fn cpu_ms(&self) -> u64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.json["pid"])).expect("the server runs");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .expect("a comm field")
            .split_whitespace()
            .collect();
        (fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")) * 10
    }

    /// A signed-in IMAP session in the clear.
    pub fn imap(&self, at: usize) -> Talk {
        let (address, password) = self.user(at);
        let mut talk = Talk::connect(self.port("imap"));
        talk.line();
        let answer = talk.imap("l", &format!("LOGIN {address} \"{password}\""));
        assert!(
            answer.last().is_some_and(|line| line.starts_with("l OK")),
            "{answer:?}"
        );
        talk
    }

    /// Every message in a user's INBOX, as stored.
    pub fn inbox(&self, at: usize) -> Vec<String> {
        let mut talk = self.imap(at);
        let selected = talk.imap("s", "EXAMINE INBOX");
        let exists = selected.iter().find_map(|line| {
            line.strip_prefix("* ")?
                .strip_suffix(" EXISTS")?
                .parse::<usize>()
                .ok()
        });
        (1..=exists.expect("EXISTS"))
            .map(|number| message(&talk.imap("f", &format!("FETCH {number} BODY.PEEK[]"))))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The literal of a FETCH answer that was read as lines.
fn message(lines: &[String]) -> String {
    let first = lines
        .iter()
        .position(|line| line.contains(" FETCH "))
        .expect("a FETCH line");
    let size: usize = lines[first]
        .rsplit_once('{')
        .and_then(|(_, size)| size.trim_end_matches('}').parse().ok())
        .expect("a literal");
    let mut text = lines[first + 1..].join("\r\n");
    text.truncate(size);
    text
}

/// A door through which mail comes in.
#[derive(Clone, Copy, Debug)]
pub struct MailDoor {
    /// its name in the demo's JSON
    pub name: &'static str,
    /// the greeting verb
    pub hello: &'static str,
    /// whether alice signs in first
    pub signs_in: bool,
    /// whether TLS is implicit
    pub tls: bool,
}

/// Every door through which mail comes in. A new one joins here.
pub const MAIL_DOORS: [MailDoor; 4] = [
    MailDoor {
        name: "smtp",
        hello: "EHLO",
        signs_in: false,
        tls: false,
    },
    MailDoor {
        name: "submission",
        hello: "EHLO",
        signs_in: true,
        tls: false,
    },
    MailDoor {
        name: "submissions",
        hello: "EHLO",
        signs_in: true,
        tls: true,
    },
    MailDoor {
        name: "lmtp",
        hello: "LHLO",
        signs_in: false,
        tls: false,
    },
];

/// Every door that speaks lines in the clear first.
pub const CLEAR_DOORS: [&str; 4] = ["smtp", "submission", "lmtp", "imap"];

impl MailDoor {
    /// Connected, banner read, nothing said.
    pub fn connect(&self, server: &Server) -> Talk {
        let port = server.port(self.name);
        let mut talk = if self.tls {
            Talk::connect_tls(port, &server.tls())
        } else {
            Talk::connect(port)
        };
        let banner = talk.reply();
        assert!(banner.starts_with("220"), "{}: {banner}", self.name);
        talk
    }

    /// Greeted, and signed in where the door wants it.
    pub fn ready(&self, server: &Server) -> Talk {
        let mut talk = self.connect(server);
        let hello = talk.ask(&format!("{} client.test", self.hello));
        assert!(hello.starts_with("250"), "{}: {hello}", self.name);
        if self.signs_in {
            let (address, password) = server.user(0);
            let token = base64::engine::general_purpose::STANDARD.encode(format!("\0{address}\0{password}"));
            let answer = talk.ask(&format!("AUTH PLAIN {token}"));
            assert!(answer.starts_with("235"), "{}: {answer}", self.name);
        }
        talk
    }

    /// The envelope sender this door may use.
    pub fn sender(&self) -> &'static str {
        if self.signs_in {
            "alice@example.test"
        } else {
            "stranger@remote.test"
        }
    }

    /// Up to `354` with bob as the recipient.
    pub fn at_data(&self, server: &Server) -> Talk {
        let mut talk = self.ready(server);
        self.envelope(&mut talk, "bob@example.test");
        talk
    }

    /// MAIL, RCPT, DATA on an open session; panics unless all are taken.
    pub fn envelope(&self, talk: &mut Talk, to: &str) {
        for (line, wanted) in [
            (format!("MAIL FROM:<{}>", self.sender()), "250"),
            (format!("RCPT TO:<{to}>"), "250"),
            ("DATA".into(), "354"),
        ] {
            let reply = talk.ask(&line);
            assert!(reply.starts_with(wanted), "{}: {line}: {reply}", self.name);
        }
    }

    /// A header block that every door takes.
    pub fn head(&self, subject: &str) -> String {
        format!(
            "From: <{}>\r\nTo: <bob@example.test>\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject}@client.test>\r\n",
            self.sender()
        )
    }
}
