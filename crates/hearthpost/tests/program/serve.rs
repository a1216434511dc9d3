use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use testkit::talk::{Talk, TlsClient};

use crate::help::{Server, done, program, with_input};

/// A server of the settings an operator would write, on ports the system chooses.
struct Served {
    server: Server,
    data: PathBuf,
    ca: PathBuf,
}

impl Served {
    fn start(dir: &Path, more: &str) -> Self {
        let made = certs::demo::provide(dir).unwrap();
        let (data, file) = (dir.join("data"), dir.join("hearthpost.toml"));
        let text = format!(
            "data_dir = \"{data}\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n\
             [doors]\nsmtp = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nsubmissions = \"127.0.0.1:0\"\nimaps = \"127.0.0.1:0\"\nimap = \"127.0.0.1:0\"\n\
             [tls]\ncertificate = \"{dir}/server.pem\"\nkey = \"{dir}/server.key\"\n[log]\nstderr = \"json\"\n{more}",
            data = data.display(),
            dir = dir.display(),
        );
        std::fs::write(&file, text).unwrap();
        let mut command = program();
        command.arg("serve").arg("--config").arg(&file);
        let server = Server::spawn(command);
        let served = Self {
            server,
            data,
            ca: made.ca_file,
        };
        served.wait_for("program.started");
        served
    }

    fn wait_for(&self, event: &str) -> Value {
        self.server.wait_for(|line| {
            serde_json::from_str::<Value>(line)
                .ok()
                .filter(|line| line["event"] == event)
        })
    }

    fn port(&self, door: &str, number: usize) -> u16 {
        let status = done(&self.data, &["status"]);
        let address = status["doors"][door][number].as_str().unwrap().to_owned();
        address.rsplit(':').next().unwrap().parse().unwrap()
    }
}

#[test]
fn a_server_runs_from_its_settings_and_only_the_doors_asked_for_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = Served::start(dir.path(), "");
    assert_eq!(
        std::fs::metadata(&served.data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let doors = done(&served.data, &["status"])["doors"].clone();
    let names: Vec<&str> = doors.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["imap", "imaps", "smtp", "submissions"]);
    let added = with_input(
        &served.data,
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    for number in 0..2 {
        let mut talk = Talk::connect(served.port("smtp", number));
        assert!(talk.reply().starts_with("220 mail.example.org"));
        talk.ask("EHLO client.test");
        talk.ask("MAIL FROM:<you@example.net>");
        assert_eq!(talk.ask("RCPT TO:<ann@example.org>").get(..4), Some("250 "));
        talk.ask("DATA");
        assert_eq!(talk.ask("Subject: x\r\n\r\nx\r\n.").get(..4), Some("250 "));
    }
    let mut talk = Talk::connect_tls(served.port("imaps", 0), &TlsClient::trusting(&served.ca));
    talk.line();
    assert!(
        talk.imap("a", "LOGIN ann@example.org \"a good password\"")
            .last()
            .unwrap()
            .starts_with("a OK")
    );
    assert!(talk.imap("b", "SELECT INBOX").contains(&"* 2 EXISTS".to_owned()));
    served.server.signal("HUP");
    served.wait_for("program.certificates-read");
    std::fs::write(dir.path().join("server.pem"), "nonsense").unwrap();
    served.server.signal("HUP");
    let kept = served.wait_for("program.certificates-kept");
    assert!(
        kept["reason"]
            .as_str()
            .unwrap()
            .contains("has no certificate in it"),
        "{kept}"
    );
    Talk::connect_tls(served.port("imaps", 0), &TlsClient::trusting(&served.ca));
    served.server.signal("TERM");
    assert_eq!(served.server.ended(), Some(0));
}

#[test]
fn dur_7_a_stop_lets_a_message_finish_and_tells_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = Served::start(dir.path(), "");
    with_input(
        &served.data,
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    let smtp = served.port("smtp", 0);
    let mut idle = Talk::connect(smtp);
    idle.reply();
    let mut reader = Talk::connect_tls(served.port("imaps", 0), &TlsClient::trusting(&served.ca));
    reader.line();
    let mut busy = Talk::connect(smtp);
    busy.reply();
    busy.ask("EHLO client.test");
    busy.ask("MAIL FROM:<you@example.net>");
    busy.ask("RCPT TO:<ann@example.org>");
    assert!(busy.ask("DATA").starts_with("354 "));
    busy.say("Subject: half\r\n\r\nfirst half\r\n");
    served.server.signal("TERM");
    assert!(idle.reply().starts_with("421 "), "an idle sender is told");
    assert!(idle.is_closed());
    assert!(
        reader.line().unwrap().starts_with("* BYE"),
        "an idle reader is told"
    );
    busy.say("second half\r\n.\r\n");
    assert!(busy.reply().starts_with("250 "), "a message under way finishes");
    served.wait_for("program.stopped");
    assert_eq!(served.server.ended(), Some(0));
    let account = done(&served.data, &["account", "show", "ann@example.org"]);
    assert!(account["used_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_full_house_says_so_and_a_stalled_client_cannot_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = Served::start(dir.path(), "[limits]\nconnections = 10\n");
    let smtp = served.port("smtp", 0);
    let mut inside: Vec<Talk> = (0..10).map(|_| Talk::connect(smtp)).collect();
    for talk in &mut inside {
        assert!(talk.reply().starts_with("220 "));
    }
    let mut outside = Talk::connect(smtp);
    assert_eq!(
        outside.reply(),
        "421 4.3.2 Too many connections, try again in a minute"
    );
    assert!(outside.is_closed());
    drop(inside.pop());
    served.wait_for("program.full");
    for talk in &mut inside {
        talk.ask("EHLO client.test");
        talk.ask("MAIL FROM:<you@example.net>");
        talk.say("RCPT TO:<");
    }
    served.server.signal("TERM");
    let stopped = served.wait_for("program.stopped");
    assert!(stopped["duration_ms"].as_u64().unwrap() < 10_000, "{stopped}");
    assert_eq!(served.server.ended(), Some(0));
    assert!(served.server.is_silent_for(Duration::from_millis(1)));
}
