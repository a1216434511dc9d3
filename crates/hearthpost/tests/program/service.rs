//! The program under a service manager: bound sockets, the line to the manager, the unit's hardening, the end.

#![allow(clippy::disallowed_methods, reason = "a black-box test lives in real time")]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::sink::{Script, Sink};
use testkit::talk::Talk;

use crate::help::{PATIENCE, Server, done, program, this_user, until, with_input};

/// The score of `systemd-analyze security` may be at most this, in tenths.
const EXPOSURE_TENTHS: u32 = 15;

fn settings(dir: &Path, smtp: &str) -> PathBuf {
    let file = dir.join("hearthpost.toml");
    let text = format!(
        "data_dir = \"{dir}/data\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n[process]\nuser = \"{user}\"\n\
         [doors]\nsmtp = \"{smtp}\"\n[log]\nstderr = \"json\"\n",
        dir = dir.display(),
        user = this_user(),
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn is_there(tool: &str) -> bool {
    let found = Command::new("sh")
        .arg("-c")
        .arg(format!("command -v {tool}"))
        .output();
    let found = found.is_ok_and(|output| output.status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "{tool} (Debian package systemd) is not installed, and here nothing may be skipped"
    );
    if !found {
        eprintln!("SKIPPED: {tool} (Debian package systemd) is not installed");
    }
    found
}

#[test]
fn the_manager_hears_when_doors_open_and_when_they_close() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut command = program();
    command
        .arg("serve")
        .arg("--config")
        .arg(settings(dir.path(), "127.0.0.1:0"))
        .env("NOTIFY_SOCKET", &socket);
    let mut server = Server::spawn(command);
    assert_eq!(heard(), "READY=1");
    let doors = done(&dir.path().join("data"), &["status"])["doors"].clone();
    assert_eq!(doors["smtp"].as_array().unwrap().len(), 1, "ready means open");
    server.signal("HUP");
    assert_eq!(heard(), "RELOADING=1");
    assert_eq!(heard(), "READY=1");
    server.signal("TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn a_socket_that_the_manager_bound_becomes_the_door_of_its_address() {
    if !is_there("systemd-socket-activate") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Nobody else uses this one of loopback's addresses.
    let port = 2525;
    let address = format!("127.83.79.67:{port}");
    let mut command = Command::new("systemd-socket-activate");
    command
        .args(["-l", &address])
        .arg(env!("CARGO_BIN_EXE_hearthpost"))
        .arg("serve")
        .arg("--config")
        .arg(settings(dir.path(), &address));
    let server = Server::spawn(command);
    server.wait_for(|line| line.contains("Listening on").then_some(()));
    // The first connection starts the server, and waits in the socket until then.
    let mut talk = Talk::connect_to(address.parse().unwrap()).unwrap();
    server.wait_for_event("program.started");
    assert!(talk.reply().starts_with("220 mail.example.org"));
    let doors = done(&dir.path().join("data"), &["status"])["doors"].clone();
    assert_eq!(
        doors["smtp"],
        serde_json::json!([address]),
        "and it bound no other"
    );
}

#[test]
fn ops_1_the_unit_leaves_little_open() {
    if !is_there("systemd-analyze") {
        return;
    }
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/hearthpost.service");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap_or_else(|| panic!("{said}"));
    let score = line
        .rsplit(": ")
        .next()
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    let tenths: u32 = score.replace('.', "").parse().unwrap();
    assert!(tenths <= EXPOSURE_TENTHS, "{line}");
}

/// A server whose mail to other servers goes to `sink`.
fn sending(dir: &Path, sink: u16) -> (PathBuf, PathBuf) {
    let file = settings(dir, "127.0.0.1:0");
    let text = std::fs::read_to_string(&file).unwrap()
        + &format!(
            "[deliver]\nallow_private = true\n[[routes]]\nname = \"sink\"\nhost = \"127.0.0.1\"\nport = {sink}\ntls = \"none\"\n"
        );
    std::fs::write(&file, text).unwrap();
    (file, dir.join("data"))
}

#[test]
fn dur_7_a_stop_does_not_wait_for_a_silent_server_and_its_mail_goes_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let silent = Script::read("after-dot: silence").unwrap();
    let sink = Sink::start("127.0.0.1:0".parse().unwrap(), silent).unwrap();
    let (file, data) = sending(dir.path(), sink.address().port());
    let mut server = Server::serving(&file);
    let sent = with_input(
        &data,
        &["sendmail", "someone@elsewhere.example"],
        "Subject: x\n\nx\n",
    );
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    until("the message reaches the sink", || {
        sink.statistics().whole_messages == 1
    });
    let began = std::time::Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    sink.set(Script::read("").unwrap());
    let mut server = Server::serving(&file);
    until("it arrives after the next start", || sink.accepted_count() == 1);
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    assert_eq!(sink.accepted_count(), 1, "and only once");
}
