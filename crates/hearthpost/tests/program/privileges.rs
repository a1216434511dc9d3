//! What a running server has given up. Started as root, these tests also see it become somebody else.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::talk::{Talk, TlsClient};

use crate::help::{Demo, Server, done, port, program, this_user, with_input};

/// A user that no machine has.
const STRANGER: u32 = 64_999;

/// Who serves in these tests: where we are root, somebody else.
fn server_user() -> u32 {
    if this_user() == 0 { STRANGER } else { this_user() }
}

struct Served {
    server: Server,
    data: PathBuf,
    ca: PathBuf,
}

impl Served {
    fn port(&self, door: &str) -> u16 {
        port(&self.data, door, 0)
    }
}

/// `dir` must let others through, as the directories of a real server do.
fn serve(dir: &Path) -> Served {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let made = certs::demo::provide(dir).unwrap();
    let (data, file) = (dir.join("data"), dir.join("hearthpost.toml"));
    let text = format!(
        "data_dir = \"{data}\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n[process]\nuser = \"{user}\"\n\
         [doors]\nsmtp = \"127.0.0.1:0\"\nimaps = \"127.0.0.1:0\"\n\
         [tls]\ncertificate = \"{dir}/server.pem\"\nkey = \"{dir}/server.key\"\n[log]\nstderr = \"json\"\n",
        data = data.display(),
        dir = dir.display(),
        user = server_user(),
    );
    std::fs::write(&file, text).unwrap();
    Served {
        server: Server::serving(&file),
        data,
        ca: made.ca_file,
    }
}

/// What every thread of `pid` must show in its status.
fn check_threads(pid: u32, uid: u32) {
    let tasks: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().collect();
    assert!(
        tasks.len() > 2,
        "the runtime and the log run in threads of their own"
    );
    for task in tasks {
        let status = task.unwrap().path().join("status");
        // A thread may end between the listing and the reading.
        let Ok(text) = std::fs::read_to_string(&status) else {
            continue;
        };
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {}", status.display()))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            field("Uid:"),
            [uid; 4].map(|uid| uid.to_string()).join(" "),
            "{text}"
        );
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set} in {text}");
        }
        if this_user() == 0 {
            assert_eq!(field("CapBnd:"), "0000000000000000", "{text}");
            if uid != 0 {
                assert_eq!(field("Groups:"), "", "{text}");
            }
        }
        assert_eq!(field("NoNewPrivs:"), "1", "{text}");
        assert_eq!(field("Seccomp:"), "2", "{text}");
    }
}

/// Every file below `dir` with its owner and mode.
fn files(dir: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is = std::fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), is.uid(), is.mode() & 0o7777));
        if is.is_dir() {
            found.extend(files(&path));
        }
    }
    found
}

/// What is in the memory of a process that can be written.
fn memory(pid: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [range.0, range.1].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut part = vec![0; (to - from) as usize];
        if memory.read_exact_at(&mut part, from).is_ok() {
            all.extend(part);
        }
    }
    all
}

fn holds(memory: &[u8], secret: &[u8]) -> bool {
    memory.windows(secret.len()).any(|part| part == secret)
}

/// The secret number of a P-256 key in PKCS #8 (RFC 5915 §3: an OCTET STRING of 32 octets behind version 1).
fn private_scalar(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let head = [2, 1, 1, 4, 32];
    let at = der.windows(head.len()).position(|part| part == head).unwrap() + head.len();
    der[at..at + 32].to_vec()
}

#[test]
fn ops_1_no_thread_of_a_server_has_any_right_left_and_mail_still_comes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    check_threads(served.server.pid(), server_user());
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
    let port = |door: &str| served.port(door);
    let mut talk = Talk::connect(port("smtp"));
    assert!(talk.reply().starts_with("220 "));
    talk.ask("EHLO client.test");
    talk.ask("MAIL FROM:<you@example.net>");
    talk.ask("RCPT TO:<ann@example.org>");
    talk.ask("DATA");
    assert!(talk.ask("Subject: x\r\n\r\nx\r\n.").starts_with("250 "));
    let mut talk = Talk::connect_tls(port("imaps"), &TlsClient::trusting(&served.ca));
    talk.line();
    let signed_in = talk.imap("a", "LOGIN ann@example.org \"a good password\"");
    assert!(signed_in.last().unwrap().starts_with("a OK"));
    assert!(talk.imap("b", "SELECT INBOX").contains(&"* 1 EXISTS".to_owned()));
    // Signing in and storing have started every kind of thread by now.
    check_threads(served.server.pid(), server_user());
    drop(talk);
    served.server.signal("TERM");
    assert_eq!(served.server.ended(), Some(0));
    for (path, uid, mode) in files(&served.data) {
        assert_eq!(uid, server_user(), "{}", path.display());
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    // Root's own commands at the stopped server leave nothing behind that the server could not open.
    done(&served.data, &["domain", "add", "example.com"]);
    for (path, uid, _) in files(&served.data) {
        assert_eq!(uid, server_user(), "{}", path.display());
    }
}

/// The keeper of a server.
fn keeper_of(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let [one] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("a server has one child, its keeper: {children:?}");
    };
    one.parse().unwrap()
}

/// Whether a process has ended; its parent may not have asked for it yet.
fn gone(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).map_or(true, |status| {
        status.lines().any(|line| line.starts_with("State:\tZ"))
    })
}

#[test]
fn ops_2_the_key_is_with_the_keeper_which_can_do_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    let keeper = keeper_of(served.server.pid());
    let status = std::fs::read_to_string(format!("/proc/{keeper}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(field("Threads:"), "2", "one signs, one reads");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    // Reading, of whatever owner, is the one right of root that is left to it.
    let read_all = if this_user() == 0 {
        "0000000000000004"
    } else {
        "0000000000000000"
    };
    for set in ["CapPrm:", "CapEff:"] {
        assert_eq!(field(set), read_all, "{set} in {status}");
    }
    assert_eq!(field("CapInh:"), "0000000000000000");
    // The key is read once more for a reload, and nothing of it is in the server's memory.
    served.server.signal("HUP");
    served.server.wait_for_event("program.certificates-read");
    Talk::connect_tls(served.port("imaps"), &TlsClient::trusting(&served.ca));
    let key = std::fs::read_to_string(dir.path().join("server.key")).unwrap();
    if this_user() == 0 {
        let secret = private_scalar(&key);
        assert!(
            !holds(&memory(served.server.pid()), &secret),
            "the key is in the server's memory"
        );
        assert!(
            holds(&memory(keeper), &secret),
            "the search finds a key that is there"
        );
    }
    served.server.signal("TERM");
    assert_eq!(served.server.ended(), Some(0));
    // Each look starts a program, so that they are together longer than it may take.
    let ended = (0..200).any(|_| {
        program().arg("--version").output().unwrap();
        gone(keeper)
    });
    assert!(ended, "the keeper ends with its server");
}

#[test]
fn ops_2_without_its_keeper_a_server_stops_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    let sent = Command::new("kill")
        .arg("-KILL")
        .arg(keeper_of(served.server.pid()).to_string())
        .status();
    assert!(sent.unwrap().success());
    served.server.wait_for_event("program.keeper-lost");
    assert_eq!(served.server.ended(), Some(4));
}

#[test]
fn a_keeper_is_nothing_for_people() {
    let output = program()
        .args(["keeper", "--config", "/x"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("for the server itself"), "{said}");
}

#[test]
fn ops_2_a_key_that_only_root_can_read_is_taken_at_a_reload_too() {
    if this_user() != 0 {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    let key = dir.path().join("server.key");
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    let other = tempfile::tempdir().unwrap();
    certs::demo::provide(other.path()).unwrap();
    for name in ["server.pem", "server.key"] {
        std::fs::copy(other.path().join(name), dir.path().join("new")).unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join(name)).unwrap();
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    served.server.signal("HUP");
    served.server.wait_for_event("program.certificates-read");
    Talk::connect_tls(
        served.port("imaps"),
        &TlsClient::trusting(&other.path().join("ca.pem")),
    );
    served.server.signal("TERM");
    assert_eq!(served.server.ended(), Some(0));
}

#[test]
fn ops_1_the_demo_gives_up_its_rights_too() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    check_threads(demo.server.pid(), this_user());
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn ops_2_the_sandbox_refuses_what_it_must() {
    let dir = tempfile::tempdir().unwrap();
    let output = program()
        .args(["self-test", "sandbox", "--data"])
        .arg(dir.path())
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{said}{complained}");
    assert!(
        said.lines().filter(|line| line.starts_with("right: ")).count() > 15,
        "{said}"
    );
    assert!(!said.contains("WRONG"), "{said}");
}

#[test]
fn ops_2_the_sandbox_keeps_the_key_and_the_settings_from_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    served.server.signal("TERM");
    assert_eq!(served.server.ended(), Some(0));
    let output = program()
        .args(["self-test", "sandbox", "--config"])
        .arg(dir.path().join("hearthpost.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    for what in ["read the TLS key", "read the settings"] {
        assert!(said.contains(&format!("right: {what}: ")), "{said}");
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn ops_3_keys_and_mail_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    demo.send("alice@example.test", "hello");
    for (path, uid, mode) in files(dir.path()) {
        assert_eq!(uid, this_user(), "{}", path.display());
        let secret = path.extension().is_some_and(|ext| ext == "key")
            || path.starts_with(dir.path().join("log"))
            || path.to_string_lossy().contains("store");
        assert!(
            !secret || mode & 0o077 == 0,
            "{} has mode {mode:o}",
            path.display()
        );
    }
    assert_eq!(demo.stop(), Some(0));
}
