use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::Value;
use testkit::talk::Talk;

use crate::help::{Demo, counted, done, program, refused, run, with_input};

#[test]
fn a_stopped_server_is_administered_through_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    assert_eq!(done(data, &["status"])["running"], false);
    assert_eq!(
        done(data, &["domain", "add", "Example.ORG", "--separator", "-"])["name"],
        "example.org"
    );
    let made = done(
        data,
        &[
            "account",
            "add",
            "Ann@example.org",
            "--quota",
            "5GiB",
            "--name",
            "Ann Example",
        ],
    );
    assert_eq!(made[0]["address"], "Ann@example.org");
    assert_eq!(
        made[0]["password"].as_str().unwrap().len(),
        24,
        "made, because none was given"
    );
    let shown = done(data, &["account", "show", "ann@example.org"]);
    assert_eq!(
        (shown["quota_bytes"].as_u64(), shown["name"].as_str()),
        (Some(5 << 30), Some("Ann Example"))
    );
    done(data, &["alias", "add", "info@example.org", "ann@example.org"]);
    done(data, &["alias", "add", "@example.org", "info@example.org"]);
    let aliases = done(data, &["alias", "list"]);
    assert_eq!(aliases.as_array().unwrap().len(), 2);
    assert_eq!(aliases[1]["targets"][0], "ann@example.org");
    done(
        data,
        &["domain", "set", "example.org", "--postmaster", "ann@example.org"],
    );
    let domain = done(data, &["domain", "show", "example.org"]);
    assert_eq!(
        (domain["separator"].as_str(), domain["postmaster"].as_str()),
        (Some("-"), Some("ann@example.org"))
    );
    done(data, &["alias", "remove", "@example.org"]);
    done(data, &["alias", "remove", "info@example.org"]);
    let held = counted(data, &["account", "remove", "ann@example.org"]);
    assert_eq!(
        (held["messages"].as_u64(), held["removed"].as_bool()),
        (Some(0), Some(false))
    );
    assert_eq!(
        done(data, &["account", "show", "ann@example.org"])["address"],
        "ann@example.org"
    );
    let held = done(data, &["account", "remove", "ann@example.org", "--yes"]);
    assert_eq!(held["removed"].as_bool(), Some(true));
    done(data, &["domain", "remove", "example.org"]);
    assert_eq!(done(data, &["domain", "list"]), Value::Array(vec![]));
    assert_eq!(done(data, &["store", "check"])["damaged"], Value::Array(vec![]));
    assert_eq!(done(data, &["queue", "list"]), Value::Array(vec![]));
}

#[test]
fn a_running_server_obeys_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = &demo.dir;
    let made = done(data, &["account", "add", "carol@example.test"]);
    let password = made[0]["password"].as_str().unwrap().to_owned();
    demo.imaps("carol@example.test", &password);
    assert_eq!(demo.send("sales@example.test", "x").get(..9), Some("550 5.1.1"));
    done(
        data,
        &[
            "alias",
            "add",
            "sales@example.test",
            "carol@example.test",
            "alice@example.test",
        ],
    );
    assert_eq!(demo.send("sales@example.test", "to both").get(..4), Some("250 "));
    assert_eq!(demo.subjects("alice").last().unwrap(), "to both");
    done(data, &["account", "set", "carol@example.test", "--disable"]);
    assert_eq!(
        demo.send("carol@example.test", "x").get(..9),
        Some("550 5.1.1"),
        "the outside sees no such user"
    );
    let mut talk = Talk::connect_tls(demo.port("imaps"), &demo.tls());
    talk.line();
    assert!(
        talk.imap("a", &format!("LOGIN carol@example.test {password}"))
            .last()
            .unwrap()
            .starts_with("a NO")
    );
    done(data, &["account", "set", "carol@example.test", "--enable"]);
    let changed = with_input(
        data,
        &["account", "set", "carol@example.test", "--password-stdin"],
        "my own words\n",
    );
    assert!(changed.status.success() && !String::from_utf8_lossy(&changed.stdout).contains("my own words"));
    demo.imaps("carol@example.test", "\"my own words\"");
    let status = done(data, &["status"]);
    assert_eq!(
        (status["running"].as_bool(), status["accounts"].as_u64()),
        (Some(true), Some(3))
    );
    let held = counted(data, &["account", "remove", "carol@example.test"]);
    assert_eq!(
        (
            held["messages"].as_u64(),
            held["mailboxes"].as_u64(),
            held["removed"].as_bool()
        ),
        (Some(1), Some(1), Some(false))
    );
    assert_eq!(
        (
            held["sample"][0]["mailbox"].as_str(),
            held["sample"][0]["subject"].as_str()
        ),
        (Some("INBOX"), Some("to both"))
    );
    demo.imaps("carol@example.test", "\"my own words\"");
    done(data, &["account", "remove", "carol@example.test", "--yes"]);
    assert_eq!(demo.send("carol@example.test", "x").get(..9), Some("550 5.1.1"));
    assert_eq!(
        status["doors"]["imaps"][0],
        format!("127.0.0.1:{}", demo.port("imaps"))
    );
    assert_eq!(status["admission"], "open");
}

#[test]
fn what_waits_is_listed_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    let mut talk = Talk::connect(demo.port("submission"));
    talk.reply();
    talk.ask("EHLO client.test");
    assert!(talk.ask("AUTH LOGIN").starts_with("334 "));
    talk.ask("YWxpY2VAZXhhbXBsZS50ZXN0");
    let password = base64(demo.password("alice").as_bytes());
    assert!(talk.ask(&password).starts_with("235 "));
    assert!(talk.ask("MAIL FROM:<alice@example.test>").starts_with("250 "));
    assert!(talk.ask("RCPT TO:<far@elsewhere.test>").starts_with("250 "));
    assert!(talk.ask("DATA").starts_with("354 "));
    assert!(
        talk.ask("From: alice@example.test\r\nSubject: far\r\n\r\nHello.\r\n.")
            .starts_with("250 ")
    );
    // The demo finds out a moment after the acceptance that it has no road.
    let waiting = (0..200)
        .map(|_| done(&demo.dir, &["queue", "list"]))
        .find(|waiting| {
            waiting[0]["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("no road"))
        })
        .expect("the reason is told");
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    assert_eq!(
        (waiting[0]["to"].as_str(), waiting[0]["from"].as_str()),
        (Some("far@elsewhere.test"), Some("alice@example.test"))
    );
    assert_eq!(done(&demo.dir, &["status"])["queue_waits"], true);
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let three =
            chunk.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(three >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[test]
fn accounts_and_aliases_come_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    done(&data, &["domain", "add", "example.org"]);
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = "address,password,quota,name\nann@example.org,\"a pass,word\",1GiB,\"Ann \"\"A\"\" Example\"\nben@example.org\n\n# not yet\n";
    let made = done(&data, &["account", "add", "--csv", &file("good.csv", good)]);
    assert_eq!(made.as_array().unwrap().len(), 2);
    assert!(made[0].get("password").is_none() && made[1]["password"].is_string());
    let ann = done(&data, &["account", "show", "ann@example.org"]);
    assert_eq!(
        (ann["name"].as_str(), ann["quota_bytes"].as_u64()),
        (Some("Ann \"A\" Example"), Some(1 << 30))
    );
    let aliases =
        "alias,to\nall@example.org,ann@example.org,ben@example.org\nteam@example.org,all@example.org\n";
    assert_eq!(
        done(&data, &["alias", "add", "--csv", &file("aliases.csv", aliases)])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let gallery = [
        (
            "quote.csv",
            "x@example.org,\"open\n",
            2,
            "line 1: a quote is not closed",
        ),
        (
            "quota.csv",
            "x@example.org,,5GB\n",
            2,
            "line 1: \"5GB\" is not a size",
        ),
        (
            "many.csv",
            "x@example.org,longenough,1GiB,X,Y\n",
            2,
            "line 1: there are more than four fields",
        ),
        ("none.csv", "# nothing\n", 2, "has no accounts in it"),
        (
            "twice.csv",
            "x@example.org\nX@example.org\n",
            1,
            "x@example.org is named twice",
        ),
        (
            "exists.csv",
            "x@example.org\nann@example.org\n",
            1,
            "the account ann@example.org exists already",
        ),
        (
            "weak.csv",
            "x@example.org,short\n",
            1,
            "shorter than 8 characters",
        ),
    ];
    for (name, text, code, sentence) in gallery {
        let (found, said) = refused(&data, &["account", "add", "--csv", &file(name, text)]);
        assert!(said.contains(sentence), "{name}: {said}");
        assert_eq!(found, code, "{name}");
    }
    assert_eq!(
        done(&data, &["account", "list"]).as_array().unwrap().len(),
        2,
        "a refused file adds nothing"
    );
}

#[test]
fn refusals_name_the_next_step_and_have_their_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    let gallery: &[(&[&str], i32, &str)] = &[
        (
            &["account", "add", "a@other.org"],
            1,
            "Add it first: hearthpost domain add other.org",
        ),
        (&["account", "add", "nonsense"], 1, "Write it as name@domain."),
        (
            &["account", "show", "a@example.org"],
            1,
            "See all with: hearthpost account list",
        ),
        (
            &["account", "remove", "a@example.org"],
            1,
            "there is no account a@example.org",
        ),
        (
            &["account", "add", "a@example.org", "--quota", "much"],
            2,
            "Write it like 500MiB, 5GiB, or 0 for no limit.",
        ),
        (
            &["account", "add", "a@example.org", "--password-stdin"],
            2,
            "there is no password on standard input",
        ),
        (&["account", "add"], 2, "<ADDRESS>"),
        (
            &["alias", "add", "a@example.org", "nobody@example.org"],
            1,
            "nobody@example.org is not an account or alias here",
        ),
        (
            &["domain", "add", "example.org"],
            1,
            "the domain example.org exists already",
        ),
        (
            &["domain", "add", "x.org", "--separator", "ab"],
            1,
            "is not one letter",
        ),
        (
            &["domain", "remove", "x.org"],
            1,
            "the domain x.org is not served here. See all with: hearthpost domain list",
        ),
        (
            &["dkim", "list", "x.org"],
            1,
            "x.org is no domain of ours. See all with: hearthpost domain list",
        ),
        (
            &["dkim", "show", "x.org"],
            1,
            "x.org is no domain of ours. See all with: hearthpost domain list",
        ),
        (
            &["dkim", "retire", "x.org"],
            1,
            "x.org is no domain of ours. See all with: hearthpost domain list",
        ),
        (&["account", "fetch", "x"], 2, "unrecognized subcommand"),
        (&["history", "--limit", "0"], 2, "0 is not in 1.."),
        (
            &["queue", "list", "--from", "a b"],
            2,
            "--from \"a b\" is no address. Write name@example.org",
        ),
        (
            &["queue", "hold", "--to", "@a..b"],
            2,
            "--to \"@a..b\" is no address",
        ),
        (
            &["queue", "purge", "--domain", "ann@x.org"],
            2,
            "--domain \"ann@x.org\" is no domain",
        ),
    ];
    for (args, code, sentence) in gallery {
        let (found, said) = refused(data, args);
        assert!(said.contains(sentence), "{args:?}: {said}");
        assert_eq!(found, *code, "{args:?}");
    }
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("letter.txt"), "x").unwrap();
    let (code, said) = refused(&other, &["status"]);
    assert!(said.contains("is no server's data directory"), "{said}");
    assert_eq!((code, std::fs::read_dir(&other).unwrap().count()), (3, 1));
    let (code, said) = refused(&other.join("letter.txt"), &["status"]);
    assert!(
        said.contains("cannot be opened: not a directory. Say which server is meant with --data DIR"),
        "{said}"
    );
    assert_eq!(code, 3);
    let nobody = run(&["status", "--config", other.join("missing.toml").to_str().unwrap()]);
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert!(
        said.contains("which server is meant?") && said.contains("--data DIR"),
        "{said}"
    );
    assert_eq!(nobody.status.code(), Some(2));
    let (code, said) = refused(&data.join("missing"), &["status"]);
    assert!(
        said.contains("A server makes it at its first start") && said.contains("with --data DIR"),
        "{said}"
    );
    assert_eq!(code, 3);
}

#[test]
fn the_control_socket_answers_its_own_version_and_survives_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let mut socket = BufReader::new(UnixStream::connect(demo.dir.join("control.sock")).unwrap());
    let mut ask = |line: &str| {
        socket
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        socket.read_line(&mut answer).unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()
    };
    let status = ask(r#"{"version":1,"request":{"status":"show"}}"#);
    assert_eq!(status["done"]["running"], true);
    let other = ask(r#"{"version":2,"request":{"status":"show"}}"#);
    assert!(
        other["refused"].as_str().unwrap().contains("version 2"),
        "{other}"
    );
    for nonsense in [
        "",
        "{}",
        "nonsense",
        r#"{"version":1,"request":{"account":{"explode":{}}}}"#,
    ] {
        assert!(ask(nonsense)["refused"].is_string(), "{nonsense}");
    }
    assert_eq!(
        ask(r#"{"version":1,"request":{"domain":"list"}}"#)["done"][0]["name"],
        "example.test"
    );
}

#[test]
fn the_control_socket_is_for_its_owner_and_root() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let has_setpriv = Command::new("setpriv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_root || !has_setpriv {
        eprintln!("SKIPPED: trying the control socket as another user needs root and setpriv");
        return;
    }
    let as_nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command
            .arg(program().get_program())
            .args(["status", "--data"])
            .arg(&demo.dir)
            .output()
            .unwrap()
    };
    let closed = as_nobody();
    if closed.status.code() == Some(126) || closed.status.code() == Some(127) {
        eprintln!("SKIPPED: the other user cannot reach the program under test");
        return;
    }
    assert_eq!(
        closed.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&closed.stderr)
    );
    // Even if the file's mode were wrong, the kernel's word on who calls decides.
    for path in [demo.dir.clone(), demo.dir.join("control.sock")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let named = as_nobody();
    let said = String::from_utf8_lossy(&named.stderr).into_owned();
    assert_eq!(named.status.code(), Some(1), "{said}");
    assert!(said.contains("only the server's own user and root"), "{said}");
}

#[test]
fn settings_are_checked_and_documented() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hearthpost.toml");
    let path = file.to_str().unwrap();
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = run(&["config", "check", "--config", path]);
        (
            output.status.code(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (code, said) = check("hostnme = \"mail.example.org\"\n[doors]\nimaps = [\"127.0.0.1:993\"]\n");
    assert_eq!(code, Some(2));
    for sentence in [
        "3 problems",
        "line 1: hostnme: there is no such setting. Did you mean hostname?",
        "line 3: doors.imaps",
        "data_dir: it is missing",
    ] {
        assert!(said.contains(sentence), "{sentence} in {said}");
    }
    let tls = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\n[doors]\nimaps = [\"127.0.0.1:993\"]\n[tls]\n\
               certificate = \"/nonexistent/chain.pem\"\nkey = \"/nonexistent/key.pem\"\n";
    let (code, said) = check(tls);
    assert_eq!(code, Some(2));
    assert!(said.contains("/nonexistent/chain.pem cannot be read"), "{said}");
    let (code, said) =
        check("data_dir = \"/x\"\nhostname = \"mail.example.org\"\n[doors]\nsmtp = [\"127.0.0.1:25\"]\n");
    assert_eq!((code, said.contains("is in order")), (Some(0), true), "{said}");
    let missing = run(&["serve", "--config", "/nonexistent/hearthpost.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("Say where they are with --config FILE."));
    let reference = run(&["config", "reference"]);
    assert!(String::from_utf8_lossy(&reference.stdout).contains("## doors.submissions"));
}
