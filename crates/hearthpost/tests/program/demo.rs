use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::talk::Talk;

use crate::help::{Demo, Server, done, program, run, with_input};

#[test]
fn a_message_comes_in_is_read_and_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let first = Demo::start(dir.path(), &[]);
    assert_eq!(first.subjects("alice"), ["Welcome to Hearthpost"]);
    let reply = first.send("Alice+news@example.test", "one");
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(
        first.send("nobody@example.test", "none").get(..9),
        Some("550 5.1.1")
    );
    assert_eq!(first.send("alice@elsewhere.test", "none").get(..4), Some("550 "));
    assert_eq!(
        first.send("postmaster@example.test", "two").get(..4),
        Some("250 ")
    );
    assert_eq!(first.subjects("alice"), ["Welcome to Hearthpost", "one", "two"]);
    let (passwords, ports) = (first.json["users"].clone(), first.port("imaps"));
    first.kill();
    let second = Demo::start(dir.path(), &[]);
    assert_eq!(second.json["users"], passwords);
    assert_eq!(second.port("imaps"), ports, "free ports are taken again");
    assert_eq!(second.subjects("alice"), ["Welcome to Hearthpost", "one", "two"]);
    assert_eq!(second.subjects("bob"), ["Welcome to Hearthpost"]);
    done(
        &second.dir,
        &["account", "password", "bob@example.test", "--generate"],
    );
    assert_eq!(second.stop(), Some(0));
    let third = Demo::start(dir.path(), &[]);
    assert_eq!(third.json["users"][0], passwords[0]);
    assert_eq!(
        third.json["users"][1]["password"],
        serde_json::Value::Null,
        "nobody knows it here"
    );
    assert_eq!(third.stop(), Some(0));
}

#[test]
fn the_life_of_a_message_can_be_traced() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let reply = demo.send("bob@example.test", "trace me");
    let word = |word: &&str| word.len() == 14 && word.starts_with('q');
    let id = reply
        .split_whitespace()
        .find(word)
        .unwrap_or_else(|| panic!("no queue id in {reply}"))
        .to_owned();
    // At once, while the server runs: it is asked to write its log out first.
    for _ in 0..2 {
        let output = run(&["trace", &id, "--data", dir.path().to_str().unwrap()]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.contains(&id)), "{text}");
        let [came, accepted] = lines.as_slice() else {
            panic!("two steps are expected: {text}")
        };
        assert!(
            came.contains("receive.arrived") && came.contains("127.0.0.1"),
            "{text}"
        );
        assert!(
            accepted.contains("queue.accepted") && accepted.contains("bob@example.test"),
            "{text}"
        );
    }
    demo.stop();
    let output = run(&["trace", &id, "--data", dir.path().to_str().unwrap()]);
    assert!(output.status.success());
    let other = run(&["trace", "qaaaaaaaaaaaaa", "--data", dir.path().to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("has nothing about qaaaaaaaaaaaaa"));
    assert_eq!(run(&["trace", "nonsense"]).status.code(), Some(2));
}

#[test]
fn the_line_of_json_says_everything_and_bulk_users_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--users", "300"]);
    for door in ["smtp", "submission", "submissions", "lmtp", "imap", "imaps"] {
        assert!(demo.port(door) >= 1024, "{door}");
    }
    assert_eq!(demo.json["pid"].as_u64(), Some(u64::from(demo.server.pid())));
    assert_eq!(
        Path::new(demo.json["dir"].as_str().unwrap()),
        dir.path().canonicalize().unwrap()
    );
    let bulk = demo.json["bulk"].clone();
    assert_eq!(bulk["pattern"], "user%d@example.test");
    assert_eq!(bulk["count"], 300);
    let password = bulk["password"].as_str().unwrap();
    for number in [0, 299] {
        let mut talk = demo.imaps(&format!("user{number}@example.test"), password);
        let folders = talk
            .imap("b", "LIST \"\" *")
            .iter()
            .filter(|line| line.starts_with("* LIST"))
            .count();
        assert_eq!(folders, 6);
    }
    assert_eq!(demo.send("user299@example.test", "x").get(..4), Some("250 "));
    assert_eq!(demo.send("user300@example.test", "x").get(..4), Some("550 "));
    demo.stop();
    let again = Demo::start(dir.path(), &[]);
    assert!(again.json.get("bulk").is_none(), "only when asked for");
    let more = {
        again.stop();
        Demo::start(dir.path(), &["--users", "301"])
    };
    assert_eq!(
        more.json["bulk"]["password"], password,
        "the same password as before"
    );
    more.imaps("user300@example.test", password);
}

#[test]
fn signing_in_needs_tls_unless_the_demo_is_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let login = |demo: &Demo| {
        let mut talk = Talk::connect(demo.port("imap"));
        talk.line();
        let answer = talk.imap(
            "a",
            &format!("LOGIN alice@example.test {}", demo.password("alice")),
        );
        answer.last().unwrap().clone()
    };
    let ehlo = |demo: &Demo| {
        let mut talk = Talk::connect(demo.port("submission"));
        talk.reply();
        talk.ask("EHLO client.test")
    };
    let strict = Demo::start(dir.path(), &[]);
    assert!(login(&strict).starts_with("a NO"), "{}", login(&strict));
    assert!(!ehlo(&strict).contains("AUTH"));
    strict.stop();
    let open = Demo::start(dir.path(), &["--insecure-auth"]);
    assert!(login(&open).starts_with("a OK"), "{}", login(&open));
    assert!(ehlo(&open).contains("AUTH"));
}

#[test]
fn the_demo_listens_on_loopback_alone() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let mut inodes = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/fd", demo.server.pid()))
        .unwrap()
        .flatten()
    {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if let Some(inode) = target
            .to_string_lossy()
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inodes.push(inode.to_owned());
        }
    }
    let mut listening = 0;
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text =
            std::fs::read_to_string(format!("/proc/{}/net/{table}", demo.server.pid())).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.iter().any(|inode| fields.get(9) == Some(&inode.as_str())) {
                assert!(fields[1].starts_with("0100007F:"), "{line}");
                listening += 1;
            }
        }
    }
    assert_eq!(listening, 6);
}

#[test]
fn secrets_on_disk_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let demo = Demo::start(&data, &[]);
    assert_eq!(
        std::fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for name in ["demo.json", "ca.key", "server.key", "control.sock"] {
        let mode = std::fs::metadata(data.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let log = std::fs::read_to_string(data.join("log/hearthpost.jsonl")).unwrap();
    assert!(!log.contains(&demo.password("alice")), "no password in the log");
}

#[test]
fn one_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let first = Demo::start(dir.path(), &[]);
    let mut command = program();
    command.arg("demo").arg("--dir").arg(dir.path());
    let mut second = Server::spawn(command);
    let said = second.wait_for(|line| line.strip_prefix("hearthpost: ").map(str::to_owned));
    assert!(said.contains("another process owns the store"), "{said}");
    assert_eq!(second.ended(), Some(3));
    assert_eq!(
        first.send("alice@example.test", "still here").get(..4),
        Some("250 ")
    );
}

#[test]
fn the_card_names_doors_people_and_commands() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.arg("demo").arg("--dir").arg(dir.path());
    let mut server = Server::spawn(command);
    let mut card = Vec::new();
    loop {
        let line = server.wait_for(|line| Some(line.to_owned()));
        let last = line.starts_with("Ctrl-C ends it");
        card.push(line);
        if last {
            break;
        }
    }
    let card = card.join("\n");
    for word in [
        "SMTP",
        "LMTP",
        "submissions",
        "IMAPS",
        "alice@example.test",
        "bob@example.test",
        "ca.pem",
        "Thunderbird",
        "curl",
    ] {
        assert!(card.contains(word), "{word} in\n{card}");
    }
    let curl = std::process::Command::new("curl").arg("--version").output();
    if curl.is_err() {
        eprintln!("SKIPPED: the card's commands need curl");
    } else {
        let commands: Vec<&str> = card.lines().filter(|line| line.starts_with("  curl ")).collect();
        assert_eq!(commands.len(), 3);
        for command in commands {
            let output = std::process::Command::new("bash")
                .arg("-c")
                .arg(command)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{command}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    server.signal("INT");
    assert_eq!(server.ended(), Some(0));
}

/// Starts it and ends it; what it says somebody's password is.
fn printed(dir: &Path, name: &str) -> Option<String> {
    let demo = Demo::start(dir, &[]);
    let users = demo.json["users"].as_array().unwrap().clone();
    demo.stop();
    let mut of = users
        .iter()
        .filter(|user| user["address"] == format!("{name}@example.test"));
    of.next().unwrap()["password"].as_str().map(str::to_owned)
}

#[test]
fn a_password_that_somebody_set_is_not_printed_and_what_is_known_of_it_is_not_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let (first, bob) = (demo.password("alice"), demo.password("bob"));
    let set = |text: &str| {
        let args = ["account", "set", "alice@example.test", "--password-stdin"];
        assert!(with_input(dir.path(), &args, text).status.success());
    };
    set("my own words\n");
    demo.stop();
    for start in ["hashed", "remembered"] {
        assert_eq!(printed(dir.path(), "alice"), None, "{start}");
        assert_eq!(printed(dir.path(), "bob").as_ref(), Some(&bob), "{start}");
    }
    set(&format!("{first}\n"));
    assert_eq!(printed(dir.path(), "alice"), Some(first));
    // What was found is believed as long as nobody set a password: a start that hashed would find out.
    let file = dir.path().join("demo.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for name in ["alice", "bob"] {
        let right = &mut state["found"][format!("{name}@example.test")]["right"];
        assert_eq!(*right, true);
        *right = false.into();
    }
    std::fs::write(&file, state.to_string()).unwrap();
    assert_eq!(printed(dir.path(), "bob"), None);
    set("my own words again\n");
    assert_eq!(printed(dir.path(), "bob"), None);
    // A file of a program that remembered nothing of the kind.
    state.as_object_mut().unwrap().remove("found");
    std::fs::write(&file, state.to_string()).unwrap();
    assert_eq!(printed(dir.path(), "alice"), None);
    assert_eq!(printed(dir.path(), "bob"), Some(bob));
}

/// Peak and present memory of a process, in MiB.
fn memory_mib(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    (field("VmHWM:"), field("VmRSS:"))
}

#[test]
fn log_3_a_flood_of_sign_ins_takes_19_mib_for_each_core_and_gives_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    let port = demo.port("imap");
    let guess = move |number: usize| {
        let mut talk = Talk::connect(port);
        talk.line();
        let answer = talk.imap("a", &format!("LOGIN alice@example.test guess{number}"));
        assert!(answer.last().unwrap().starts_with("a NO"), "{answer:?}");
    };
    let flood: Vec<_> = (0..60)
        .map(|number| std::thread::spawn(move || guess(number)))
        .collect();
    flood.into_iter().for_each(|one| one.join().unwrap());
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    let (peak, present) = memory_mib(demo.server.pid());
    assert!(
        peak <= 19 * cores + 48,
        "{peak} MiB at the peak with {cores} cores"
    );
    assert!(
        present <= 48,
        "{present} MiB afterwards: the memory of hashes goes back to the system"
    );
}
