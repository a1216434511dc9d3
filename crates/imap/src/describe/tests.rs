use std::path::PathBuf;

use super::*;
use crate::oracle::decoded;
use crate::out::Out;

/// The FETCH response with all that describes a message; their decoder must take it whole.
fn described(message: &[u8]) -> Vec<u8> {
    let found = mail::mime::Structure::parse(message);
    let mut out = Out::new();
    let mut line = out.fetch(1);
    line.envelope(&envelope(message));
    line.body(&structure(message, &found));
    line.body_structure(&structure(message, &found));
    line.finish();
    out.take()
}

fn body_structure(message: &[u8]) -> String {
    let found = mail::mime::Structure::parse(message);
    let mut out = Out::new();
    let mut line = out.fetch(1);
    line.body_structure(&structure(message, &found));
    line.finish();
    assert!(decoded(out.bytes()).is_empty());
    let text = String::from_utf8(out.take()).expect("ASCII");
    text.trim_start_matches("* 1 FETCH (BODYSTRUCTURE ")
        .trim_end_matches(")\r\n")
        .to_owned()
}

#[test]
fn the_structure_of_a_message_without_parts_says_type_size_and_lines() {
    assert_eq!(
        body_structure(b"Subject: x\r\n\r\none\r\ntwo\r\n"),
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)"
    );
    assert_eq!(
        body_structure(
            b"Content-Type: image/png; name=\"a\\\"b.png\"\r\nContent-ID: <1@x>\r\nContent-Transfer-Encoding: BASE64\r\n\
              Content-Disposition: attachment; filename=a.png\r\nContent-Language: en, de\r\nContent-Location: http://x/\r\n\
              Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Description: pic\r\n\r\nAAAA"
        ),
        "(\"image\" \"png\" (\"name\" \"a\\\"b.png\") \"<1@x>\" \"pic\" \"base64\" 4 \"Q2hlY2sgSW50ZWdyaXR5IQ==\" \
         (\"attachment\" (\"filename\" \"a.png\")) (\"en\" \"de\") \"http://x/\")"
    );
}

#[test]
fn multiparts_and_messages_inside() {
    let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner\r\nFrom: a@x\r\n\r\ninner text\r\n--b--\r\n";
    assert_eq!(
        body_structure(message),
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0 NIL NIL NIL NIL)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 39 (NIL \"inner\" ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) \
         ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 0 NIL NIL NIL NIL) 3 \
         NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
    );
}

#[test]
fn types_that_would_mislead_are_told_as_basic() {
    for message in [
        &b"Content-Type: multipart/mixed\r\n\r\nno boundary"[..],
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno delimiter",
        b"Content-Type: message/global\r\n\r\nSubject: x\r\n\r\ny",
        b"Content-Type: message/partial\r\n\r\nx",
        b"Content-Type: /\r\n\r\nx",
        b"Content-Type: text\r\n\r\nx",
        b"",
        b"\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"From: a: b@c, d;, \"x\"@y, <@r,@s:z@w>\r\nTo: undisclosed-recipients:;\r\nSubject: \xff\0\r\n\r\n",
    ] {
        assert!(decoded(&described(message)).is_empty());
    }
}

#[test]
fn mim_1_deep_nesting_is_capped_the_same_everywhere() {
    for levels in [40, 1_000, 20_000] {
        let multiparts: String = (0..levels)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"))
            .collect();
        let octets = described(multiparts.as_bytes());
        assert!(octets.len() < 20_000, "{}", octets.len());
        let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(levels);
        let octets = described(messages.as_bytes());
        assert!(octets.len() < 30_000, "{}", octets.len());
    }
    // Their decoder has its own, lower limit of depth.
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(4);
    assert!(decoded(&described(messages.as_bytes())).is_empty());
}

fn shared() -> Option<PathBuf> {
    let from_setting = std::env::var_os("HEARTHPOST_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = from_setting.unwrap_or(beside);
    found.is_dir().then_some(found)
}

#[test]
fn every_mail_of_the_suite_is_described_decodably() {
    let Some(suite) = shared()
        .map(|shared| shared.join("suites/mime-mailparser"))
        .filter(|path| path.is_dir())
    else {
        eprintln!("SKIPPED: shared/suites/mime-mailparser is not beside the repository");
        return;
    };
    let mut seen = 0;
    for folder in ["legacy", "malformed", "rfc"] {
        for entry in std::fs::read_dir(suite.join(folder)).expect("the suite's folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "eml") {
                continue;
            }
            let message = std::fs::read(&path).expect("a message");
            for message in [with_crlf(&message), message] {
                let octets = described(&message);
                assert!(decoded(&octets).is_empty(), "{}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 80, "only {seen} messages were found");
}

fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len());
    for &byte in message {
        if byte == b'\n' && octets.last() != Some(&b'\r') {
            octets.push(b'\r');
        }
        octets.push(byte);
    }
    octets
}
