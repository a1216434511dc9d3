//! `hearthpost check message` against a name server.

use std::process::Stdio;

use serde_json::Value;
use testkit::hostile_dns::HostileDns;
use testkit::talk::Talk;

use crate::help::{Demo, done, program};

const ZONE: &str = r#"
there.example            300 TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.there.example     300 TXT "v=DMARC1; p=reject"
broken.example           !servfail
_dmarc.broken.example    !servfail
e1._domainkey.there.example 300 TXT "v=DKIM1; k=ed25519; p=6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
"#;

fn check(runtime: &tokio::runtime::Runtime, message: &str, from: &str, ip: &str, more: &[&str]) -> String {
    let dns = runtime.block_on(HostileDns::start(ZONE)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("message.eml");
    std::fs::write(&file, message).unwrap();
    let output = program()
        .args(["check", "message"])
        .arg(&file)
        .args(["--ip", ip, "--helo", "mx.there.example", "--mail-from", from])
        .args(["--dns", &dns.addr().to_string()])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_message_is_examined_with_its_evidence_in_words() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let message = "From: Ann <ann@there.example>\nSubject: hello\n\nbody\n";
    let told = check(&runtime, message, "ann@there.example", "192.0.2.1", &[]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[0],
        "verdict: accept: there.example by SPF vouches for the author's domain"
    );
    assert_eq!(
        lines[1],
        "spf: pass: the reverse-path's domain there.example about 192.0.2.1: \"ip4:192.0.2.1\" in the SPF record of there.example matched"
    );
    assert_eq!(lines[2], "    TXT there.example: \"v=spf1 ip4:192.0.2.1 -all\"");
    assert!(
        told.contains("\ndkim: none: the message has no signature\n"),
        "{told}"
    );
    assert!(
        told.contains("\niprev: permerror: 192.0.2.1 has no name\n"),
        "{told}"
    );
}

#[test]
fn a_message_is_examined_for_scripts() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let json = |message: &str, from: &str, more: &[&str]| -> Value {
        let more = [more, &["--json"]].concat();
        serde_json::from_str(&check(&runtime, message, from, "198.51.100.7", &more)).unwrap()
    };
    let words = |told: &Value| {
        ["spf", "dmarc", "arc", "iprev", "verdict"].map(|key| told[key].as_str().unwrap_or("?").to_owned())
    };
    let forged = json("From: ann@there.example\n\nbody\n", "<>", &[]);
    assert_eq!(words(&forged), ["none", "fail", "none", "permerror", "reject"]);
    assert_eq!(forged["dkim"], serde_json::json!([]));
    assert_eq!(
        forged["explanation"],
        "nobody vouches for there.example, and it wants for such mail: reject"
    );
    let broken = json("From: ann@broken.example\n\nbody\n", "ann@broken.example", &[]);
    assert_eq!(
        words(&broken),
        ["temperror", "temperror", "none", "permerror", "defer"]
    );
    let own = json(
        "From: ann@plain.example\n\nbody\n",
        "<>",
        &["--own", "plain.example"],
    );
    assert_eq!(words(&own), ["none", "none", "none", "permerror", "reject"]);
    let signed = "DKIM-Signature: v=1; a=rsa-sha1; d=there.example; s=e1; h=from; bh=AA==; b=AA==\n\
                  From: ann@there.example\n\nbody\n";
    let signed = json(signed, "<>", &[]);
    assert_eq!(signed["dkim"], serde_json::json!(["policy"]));
    assert_eq!(
        signed["evidence"]["dkim"][0]["why"],
        "there.example (key e1): rsa-sha1 is not believed any more (RFC 8301)"
    );
}

/// A settings file for `check message --config`, whose data are in `data` beside it.
fn settings(dir: &std::path::Path, more: &str) -> String {
    let file = dir.join("hearthpost.toml");
    let data = dir.join("data");
    let text = format!(
        "data_dir = \"{}\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:0\"]\n{more}\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_message_is_judged_by_the_servers_own_settings_and_the_word_that_decided_is_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("suffixes");
    std::fs::write(&list, "example\nthere.example\n").unwrap();
    let suffixes = format!("smtp.public_suffixes = \"{}\"", list.display());
    let (ann, below) = ("ann@there.example", "ann@below.there.example");
    let (allowed, other) = ("192.0.2.1", "198.51.100.7");
    let table = [
        // settings, author, client, dmarc, verdict, whose word
        ("", ann, allowed, "pass", "accept", None),
        ("", ann, other, "fail", "reject", None),
        (
            "smtp.refused_domains = [\"there.example\"]",
            below,
            allowed,
            "pass",
            "reject",
            Some(("smtp.refused_domains", "there.example")),
        ),
        (
            "smtp.own_servers = [\"198.51.100.0/24\"]",
            ann,
            other,
            "fail",
            "accept",
            Some(("smtp.own_servers", "198.51.100.0/24")),
        ),
        (
            "smtp.lenient_domains = [\"there.example\"]",
            below,
            other,
            "fail",
            "accept",
            Some(("smtp.lenient_domains", "there.example")),
        ),
        (
            "domains = [\"there.example\"]",
            ann,
            other,
            "fail",
            "reject",
            None,
        ),
        ("", below, allowed, "pass", "accept", None),
        (&suffixes, below, allowed, "none", "accept", None),
    ];
    for (lines, author, ip, dmarc, verdict, word) in table {
        let file = settings(dir.path(), lines);
        let message = format!("From: {author}\n\nbody\n");
        let more = ["--config", &file, "--json"];
        let told: Value = serde_json::from_str(&check(&runtime, &message, ann, ip, &more)).unwrap();
        let about = format!("{lines} {author} {ip}: {told:#}");
        assert_eq!(
            (told["dmarc"].as_str(), told["verdict"].as_str()),
            (Some(dmarc), Some(verdict)),
            "{about}"
        );
        assert_eq!(told["settings"], file.as_str(), "{about}");
        assert_eq!(told["authenticity"], "off", "{about}");
        let named = |key: &str| told["overrule"][key].as_str();
        assert_eq!(named("setting").zip(named("entry")), word, "{about}");
        if let Some((setting, entry)) = word {
            let explained = told["explanation"].as_str().unwrap();
            assert!(
                explained.ends_with(&format!("({setting} names {entry})")),
                "{about}"
            );
        }
    }
}

#[test]
fn domains_of_the_servers_directory_are_ours_and_the_settings_are_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = settings(dir.path(), "smtp.authenticity = \"enforce\"");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let message = "From: ann@plain.example\n\nbody\n";
    let before = check(&runtime, message, "<>", "192.0.2.1", &["--config", &file]);
    assert!(before.starts_with("verdict: accept: "), "{before}");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "nothing is made");
    done(&data, &["domain", "add", "plain.example"]);
    done(
        &data,
        &["domain", "alias", "add", "other.example", "plain.example"],
    );
    let told = check(&runtime, message, "<>", "192.0.2.1", &["--config", &file]);
    assert!(
        told.starts_with("verdict: reject: plain.example is a domain of ours"),
        "{told}"
    );
    let end = format!(
        "\nsettings: {file}\nsmtp.authenticity: enforce: its server does as the verdict says\n\
         domains of ours: other.example, plain.example\n"
    );
    assert!(told.ends_with(&end), "{told}");
    let gone = program()
        .args([
            "check",
            "message",
            "-",
            "--ip",
            "192.0.2.1",
            "--helo",
            "x",
            "--mail-from",
            "",
            "--config",
            "/nowhere",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("/nowhere"));
}

#[test]
fn a_data_directory_that_is_closed_is_told_with_options_that_the_command_has() {
    let dir = tempfile::tempdir().unwrap();
    let file = settings(dir.path(), "");
    // One that nobody can open, root included.
    std::os::unix::fs::symlink("data", dir.path().join("data")).unwrap();
    let message = dir.path().join("message");
    std::fs::write(&message, "From: ann@plain.example\n\nbody\n").unwrap();
    let told = program()
        .args(["check", "message", message.to_str().unwrap(), "--ip", "192.0.2.1"])
        .args(["--helo", "x", "--mail-from", "", "--config", &file])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot be opened") && said.contains("--own names some") && !said.contains("--data"),
        "{said}"
    );
}

/// The demo goes by a name server, so mail from outside must be from whom it says.
#[test]
fn aut_14_a_demo_with_a_dns_takes_no_false_authors() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let zone = "there.example 300 TXT \"v=spf1 ip4:127.0.0.1 -all\"\n_dmarc.there.example 300 TXT \"v=DMARC1; p=reject\"\n\
                _dmarc.other.example 300 TXT \"v=DMARC1; p=reject\"\n";
    let dns = runtime.block_on(HostileDns::start(zone)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth", "--dns", &dns.addr().to_string()]);
    let send = |path: &str, author: &str| {
        let mut talk = Talk::connect(demo.port("smtp"));
        talk.reply();
        talk.ask("EHLO there.example");
        talk.ask(&format!("MAIL FROM:<{path}>"));
        talk.ask("RCPT TO:<alice@example.test>");
        talk.ask("DATA");
        talk.ask(&format!("From: {author}\r\nSubject: x\r\n\r\nbody\r\n."))
    };
    let good = send("a@there.example", "a@there.example");
    assert!(good.starts_with("250 "), "{good}");
    let disowned = send("a@there.example", "a@other.example");
    assert!(
        disowned.starts_with("550 5.7.1 Not taken: nobody vouches for other.example"),
        "{disowned}"
    );
    let ours = send("a@there.example", "bob@example.test");
    assert!(
        ours.starts_with("550 5.7.1 Not taken: example.test is a domain of ours"),
        "{ours}"
    );
}

#[test]
fn the_records_of_our_keys_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("h1._domainkey.example.org.pem");
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n";
    std::fs::write(&key, pem).unwrap();
    let settings = dir.path().join("hearthpost.toml");
    let text = format!(
        "data_dir = \"{}\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:0\"]\ndkim.keys = [\"{}\"]\n",
        dir.path().display(),
        key.display()
    );
    std::fs::write(&settings, text).unwrap();
    let keys = || {
        program()
            .args(["check", "keys", "--config"])
            .arg(&settings)
            .output()
            .unwrap()
    };
    let open = keys();
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert_eq!(open.status.code(), Some(2));
    assert!(
        said.contains("dkim.keys: everybody on this machine may open"),
        "{said}"
    );
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let told = String::from_utf8(keys().stdout).unwrap();
    assert_eq!(
        told,
        "h1._domainkey.example.org. TXT \"v=DKIM1; k=ed25519; p=6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=\"\n"
    );
}
