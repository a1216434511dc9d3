use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use testkit::talk::{Talk, TlsClient};

use crate::help::{Server, done, port, refused, run, with_input};

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
             [tls]\ncertificate = \"{dir}/server.pem\"\nkey = \"{dir}/server.key\"\n[process]\nuser = \"{user}\"\n[log]\nstderr = \"json\"\n{more}",
            user = crate::help::this_user(),
            data = data.display(),
            dir = dir.display(),
        );
        std::fs::write(&file, text).unwrap();
        Self {
            server: Server::serving(&file),
            data,
            ca: made.ca_file,
        }
    }

    fn wait_for(&self, event: &str) -> Value {
        self.server.wait_for_event(event)
    }

    fn port(&self, door: &str, number: usize) -> u16 {
        port(&self.data, door, number)
    }
}

/// `imap.message_limit` is told to whoever signs in, and `imap.save_limit` beside it is a mistake.
#[test]
fn a_limit_of_messages_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[imap]\nmessage_limit = 1000\n");
    let password = "a good password";
    let add = ["account", "add", "ann@example.org", "--password-stdin"];
    assert!(
        with_input(&served.data, &add, &format!("{password}\n"))
            .status
            .success()
    );
    let mut talk = Talk::connect_tls(served.port("imaps", 0), &TlsClient::trusting(&served.ca));
    talk.line().unwrap();
    let said = talk.imap("a", &format!("LOGIN ann@example.org \"{password}\""));
    assert!(said.last().unwrap().contains(" MESSAGELIMIT=1000"), "{said:?}");
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
    let kept = served.wait_for("program.settings-kept");
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
fn a_reload_changes_what_can_be_changed_and_no_session_ends() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[limits]\nmessage_size = \"1 MiB\"\n");
    let (smtp, file) = (served.port("smtp", 0), dir.path().join("hearthpost.toml"));
    let mut before = Talk::connect(smtp);
    before.reply();
    assert!(before.ask("EHLO client.test").contains("SIZE 1048576"));
    let mut reader = Talk::connect_tls(served.port("imaps", 0), &TlsClient::trusting(&served.ca));
    reader.line();
    let text = std::fs::read_to_string(&file).unwrap();
    let new = text
        .replace("1 MiB", "2 MiB")
        .replace("mail.example.org", "mx.example.org")
        .replace("[\"example.org\"]", "[\"example.org\", \"example.net\"]");
    std::fs::write(&file, new).unwrap();
    let report = done(&served.data, &["reload"]);
    assert_eq!(
        report.to_string(),
        r#"{"certificates":true,"changed":["domains","limits.message_size"],"restart":["hostname"]}"#
    );
    let told = served.wait_for("program.settings-read");
    assert_eq!(told["changed"], "domains limits.message_size");
    let mut after = Talk::connect(smtp);
    assert!(
        after.reply().starts_with("220 mail.example.org"),
        "the name takes a restart"
    );
    assert!(after.ask("EHLO client.test").contains("SIZE 2097152"));
    assert_eq!(
        done(&served.data, &["domain", "show", "example.net"])["name"],
        "example.net"
    );
    assert!(before.ask("NOOP").starts_with("250 "), "the session goes on");
    assert!(reader.imap("a", "NOOP").last().unwrap().starts_with("a OK"));
    assert_eq!(done(&served.data, &["reload"])["changed"], Value::Array(vec![]));
}

#[test]
fn tls_4_a_reload_changes_which_domains_must_have_tls() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[mandatory_tls]\ndomains = [\"one.test\"]\n");
    let stage = |domain: &str| done(&served.data, &["tls", "show", domain])["stage"].clone();
    assert_eq!(
        (stage("one.test"), stage("two.test")),
        ("require".into(), "nothing".into())
    );
    assert_eq!(stage("gmail.com"), "require");
    let (code, said) = refused(&served.data, &["tls", "remove", "one.test"]);
    assert!(code == 1 && said.contains("mandatory_tls.domains"), "{said}");
    let file = dir.path().join("hearthpost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let new = text.replace("[\"one.test\"]", "[\"two.test\"]\nshipped_list = \"warn\"");
    std::fs::write(&file, new).unwrap();
    let report = done(&served.data, &["reload"]);
    let changed = serde_json::json!(["mandatory_tls.domains", "mandatory_tls.shipped_list"]);
    assert_eq!(report["changed"], changed);
    assert_eq!(
        (stage("one.test"), stage("two.test")),
        ("nothing".into(), "require".into())
    );
    assert_eq!(stage("gmail.com"), "warn");
}

#[test]
fn a_broken_file_changes_nothing_and_every_problem_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[limits]\nmessage_size = \"1 MiB\"\n");
    let (smtp, file) = (served.port("smtp", 0), dir.path().join("hearthpost.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    let broken = text.replace("1 MiB", "2 MiB").replace("hostname", "hostnme") + "conections = 5\n";
    std::fs::write(&file, broken).unwrap();
    let (code, said) = refused(&served.data, &["reload"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("have 2 problems"), "{said}");
    assert!(
        said.contains("line 2: hostnme: there is no such setting. Did you mean hostname?"),
        "{said}"
    );
    assert!(
        said.contains(
            "line 18: limits.conections: there is no such setting. Did you mean limits.connections?"
        ),
        "{said}"
    );
    served.server.signal("HUP");
    let kept = served.wait_for("program.settings-kept");
    assert!(kept["reason"].as_str().unwrap().contains("hostnme"), "{kept}");
    // A file it names is a part of the settings.
    std::fs::write(
        &file,
        text.replace("1 MiB", "2 MiB")
            .replace("server.key", "nothing.key"),
    )
    .unwrap();
    let (code, said) = refused(&served.data, &["reload"]);
    assert!(
        code == 2 && said.contains("line 11: tls.key: ") && said.contains("nothing.key"),
        "{said}"
    );
    let mut talk = Talk::connect(smtp);
    talk.reply();
    assert!(
        talk.ask("EHLO client.test").contains("SIZE 1048576"),
        "nothing has changed"
    );
}

#[test]
fn status_tells_what_somebody_should_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[limits]\nconnections = 10\n");
    let status = done(&served.data, &["status"]);
    assert_eq!(status["troubles"], Value::Array(vec![]), "{status}");
    assert_eq!(status["queue"]["waiting"], 0);
    assert!(status["disk_free_bytes"].as_u64().unwrap() > 0);
    assert!(
        status["certificate_until"].as_str().unwrap().starts_with("20"),
        "{status}"
    );
    std::fs::write(dir.path().join("server.pem"), "nonsense").unwrap();
    served.server.signal("HUP");
    served.wait_for("program.settings-kept");
    let status = done(&served.data, &["status"]);
    let trouble = &status["troubles"][0];
    assert_eq!(
        (&trouble["event"], &trouble["severity"]),
        (&"program.settings-kept".into(), &"alert".into())
    );
    assert!(
        trouble["sentence"]
            .as_str()
            .unwrap()
            .contains("no certificate in it"),
        "{trouble}"
    );
    let output = run(&["status", "--data", served.data.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("Running: version ") && text.contains(" (0 s)") || text.contains(" s)"),
        "{text}"
    );
    assert!(text.contains("Nothing waits in the queue"), "{text}");
    assert!(text.contains("The certificate is good until 20"), "{text}");
    assert!(text.contains("What somebody should look at"), "{text}");
}

#[test]
fn status_says_that_nobody_asks_whom_mail_is_from_until_the_settings_do() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path(), "[smtp]\nauthenticity = \"off\"\n");
    let told = || {
        let status = done(&served.data, &["status"]);
        let text = run(&["status", "--data", served.data.to_str().unwrap()]).stdout;
        (status, String::from_utf8(text).unwrap())
    };
    let (status, text) = told();
    assert_eq!(status["authenticity"], "off", "{status}");
    let note = status["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("smtp.authenticity is off: ") && text.contains(&format!("\nNote: {note}\n")),
        "{note}: {text}"
    );
    let file = dir.path().join("hearthpost.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings.replace("\"off\"", "\"note\"")).unwrap();
    done(&served.data, &["reload"]);
    let (status, text) = told();
    assert_eq!(
        (&status["authenticity"], &status["notes"]),
        (&"note".into(), &Value::Array(vec![])),
        "{status}"
    );
    assert!(!text.contains("Note: "), "{text}");
}

#[test]
fn settings_are_checked_and_shown_for_people_and_for_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hearthpost.toml");
    let at = file.to_str().unwrap();
    std::fs::write(
        &file,
        "data_dir = \"/x\"\nhostname = \"mail\"\n[doors]\nsmtp = [\"127.0.0.1:25\"]\n",
    )
    .unwrap();
    let output = run(&["config", "check", "--config", at, "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(checked["in_order"], false);
    assert_eq!(checked["problems"][0]["line"], 2);
    assert_eq!(checked["problems"][0]["setting"], "hostname");
    std::fs::write(
        &file,
        "data_dir = \"/x\"\nhostname = \"mail.example.org\"\n[doors]\nsmtp = [\"127.0.0.1:25\"]\n",
    )
    .unwrap();
    let output = run(&["config", "check", "--config", at, "--json"]);
    assert!(output.status.success());
    let output = run(&["config", "show", "--config", at]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("hostname = \"mail.example.org\"  # line 2\n"),
        "{text}"
    );
    assert!(text.contains("queue.give_up = \"5 days\"  # default\n"), "{text}");
    let again = dir.path().join("again.toml");
    std::fs::write(&again, &text).unwrap();
    assert!(
        run(&["config", "check", "--config", again.to_str().unwrap()])
            .status
            .success()
    );
    let output = run(&["config", "show", "--config", at, "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(shown.as_array().unwrap().iter().any(|one| {
        one["name"] == "doors.smtp"
            && one["source"] == "file"
            && one["line"] == 4
            && one["takes"] == "restart"
    }));
}

#[test]
fn a_fallback_with_less_tls_than_its_route_is_noted_by_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hearthpost.toml");
    let text = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\n[doors]\nsmtp = [\"127.0.0.1:25\"]\n[[routes]]\nname = \"relay\"\n\
                host = \"relay.example.net\"\n";
    for (fallback, noted) in [("", false), ("fallback = \"mx\"\n", true)] {
        std::fs::write(&file, format!("{text}{fallback}")).unwrap();
        let output = run(&["config", "check", "--config", file.to_str().unwrap()]);
        let said = String::from_utf8(output.stdout).unwrap();
        let note = "Note: the route \"relay\" asks for TLS with a certificate that verifies, its fallback \"mx\" for less";
        assert!(output.status.success() && said.contains(note) == noted, "{said}");
    }
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
    // A quarter of the places is for users.
    let mut inside: Vec<Talk> = (0..7).map(|_| Talk::connect(smtp)).collect();
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
    served.wait_for("guard.refused");
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
