//! `hearthpost check message` against a name server.

use std::process::Stdio;

use serde_json::Value;
use testkit::hostile_dns::HostileDns;
use testkit::talk::Talk;

use crate::help::{Demo, program};

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
