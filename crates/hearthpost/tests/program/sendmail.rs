//! `sendmail` as cron, scripts and other users of the machine call it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::help::{Demo, Server, done, this_user, with_input};

/// A user that no machine has.
const SOMEBODY: u32 = 64_998;

fn feed(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who is refused early may not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Called by the name `sendmail`, as a link in the path of every script is.
fn sendmail(dir: &Path) -> Command {
    let link = dir.join("sendmail");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hearthpost"), &link).unwrap();
    }
    Command::new(link)
}

fn check(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn cron_and_scripts_hand_in_mail() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(&dir.path().join("demo"), &[]);
    let send = |args: &[&str], input: &str| {
        let mut command = sendmail(dir.path());
        command.arg("--data").arg(&demo.dir).args(args);
        feed(command, input)
    };
    let cron = "From: root (Cron Daemon)\nTo: alice\nBcc: bob@example.test\nSubject: cron one\n\n50%\r100%\n.\nlast\n";
    check(
        &send(
            &["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
            cron,
        ),
        0,
        "",
    );
    check(&send(&["alice@example.test"], "no header at all\n"), 0, "");
    check(
        &send(
            &["-t", "-i"],
            "To: someone@elsewhere.example\nSubject: out\n\nx\n",
        ),
        0,
        "",
    );
    check(&send(&["alice"], "Subject: dot\n\na\n.\nnot this\n"), 0, "");
    assert!(demo.subjects("alice").contains(&"cron one".to_owned()));
    assert!(demo.subjects("alice").contains(&"dot".to_owned()));
    assert!(
        demo.subjects("bob").contains(&"cron one".to_owned()),
        "Bcc gets a copy"
    );
    let mut talk = demo.imaps("alice@example.test", &demo.password("alice"));
    talk.imap("s", "EXAMINE INBOX");
    let lines = talk.imap("f", "FETCH 2:* (BODY.PEEK[])").join("\n");
    assert!(
        lines.contains("From: \"Cron Daemon\" <root@example.test>"),
        "{lines}"
    );
    assert!(lines.contains("To: alice@example.test"), "{lines}");
    assert!(lines.contains("50%\n100%\n.\nlast"), "{lines}");
    assert!(!lines.contains("Bcc") && !lines.contains("not this"), "{lines}");
    assert!(
        lines.contains("Message-ID: <") && lines.contains("Date: "),
        "{lines}"
    );
    check(&send(&["nobody-here"], "x\n"), 67, "5.1.1");
    check(&send(&["-t"], "Subject: x\n\nx\n"), 64, "nobody to send to");
    check(
        &send(&["-t"], "From: a@elsewhere.example\nTo: alice\n\nx\n"),
        77,
        "5.7.1",
    );
    check(&send(&["-bs"], ""), 64, "-b");
    assert_eq!(demo.stop(), Some(0));
    let mut command = sendmail(dir.path());
    command.arg("--data").arg(dir.path().join("demo")).arg("alice");
    check(&feed(command, "x\n"), 75, "does not run");
}

struct Served {
    _server: Server,
    data: PathBuf,
    file: PathBuf,
}

fn serve(dir: &Path, users: &str) -> Served {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (data, file) = (dir.join("data"), dir.join("hearthpost.toml"));
    let text = format!(
        "data_dir = \"{data}\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n[process]\nuser = \"{user}\"\n\
         [doors]\nsmtp = \"127.0.0.1:0\"\nlocal = \"{dir}/run/submit.sock\"\nlocal_users = [{users}]\n[log]\nstderr = \"json\"\n",
        data = data.display(),
        dir = dir.display(),
        user = this_user(),
    );
    std::fs::write(&file, text).unwrap();
    let server = Server::serving(&file);
    for name in ["ann", "bob"] {
        let added = with_input(
            &data,
            &[
                "account",
                "add",
                &format!("{name}@example.org"),
                "--password-stdin",
            ],
            "a good password\n",
        );
        assert!(added.status.success());
    }
    Served {
        _server: server,
        data,
        file,
    }
}

#[test]
fn rel_5_the_kernel_says_who_calls_and_the_settings_what_they_may_send() {
    if this_user() != 0 {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let served = serve(dir.path(), &format!("\"{SOMEBODY}: ann@example.org\""));
    // Another user may not reach the tree where it was built.
    let here = dir.path().join("hearthpost");
    std::fs::copy(env!("CARGO_BIN_EXE_hearthpost"), &here).unwrap();
    let send = |uid: u32, args: &[&str], input: &str| {
        let mut command = Command::new("setpriv");
        let id = uid.to_string();
        command
            .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .arg(&here)
            .args(["sendmail", "-C"])
            .arg(&served.file)
            .args(args);
        feed(command, input)
    };
    check(&send(SOMEBODY, &["bob"], "hello\n"), 0, "");
    check(
        &send(SOMEBODY, &["-t"], "From: ann@example.org\nTo: bob\n\nx\n"),
        0,
        "",
    );
    check(
        &send(SOMEBODY, &["-t"], "From: bob@example.org\nTo: bob\n\nx\n"),
        77,
        "not yours",
    );
    check(
        &send(SOMEBODY, &["-f", "bob", "bob"], "x\n"),
        77,
        "not an address of yours",
    );
    check(&send(SOMEBODY + 1, &["bob"], "x\n"), 77, "doors.local_users");
    check(&send(0, &["-f", "anything", "bob"], "x\n"), 0, "");
    let bob = done(&served.data, &["account", "show", "bob@example.org"]);
    assert!(bob["used_bytes"].as_u64().unwrap() > 0, "{bob}");
}
