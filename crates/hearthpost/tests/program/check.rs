//! `hearthpost check message` against a name server.

use std::process::Stdio;

use serde_json::Value;
use testkit::hostile_dns::HostileDns;

use crate::help::program;

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
