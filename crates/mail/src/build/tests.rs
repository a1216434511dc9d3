use proptest::prelude::*;

use super::*;
use crate::decode;
use crate::header::{Header, Shape};
use crate::mime::{Kind, Structure};
use crate::value::addresses;

fn value(text: &str) -> HeaderValue {
    HeaderValue::new(text).unwrap()
}

fn named(name: &str, address: &str) -> NamedMailbox {
    NamedMailbox {
        name: value(name),
        mailbox: address.parse().unwrap(),
    }
}

#[test]
fn a_welcome_message_is_plain_text() {
    let message = MessageBuilder::new()
        .date(DateTime::from_unix_ms(1_795_386_600_000, 0))
        .from(&named("Hearthpost", "postmaster@example.test"))
        .to(&[named("", "alice@example.test")])
        .subject(&value("Welcome"))
        .message_id("q1", "mx.example.test")
        .finish(&Body::Text("Hello\nAlice".into()))
        .unwrap();
    let expected = "Date: Sun, 22 Nov 2026 22:30:00 +0000\r\n\
From: Hearthpost <postmaster@example.test>\r\n\
To: alice@example.test\r\n\
Subject: Welcome\r\n\
Message-ID: <q1@mx.example.test>\r\n\
MIME-Version: 1.0\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
\r\n\
Hello\r\nAlice\r\n";
    assert_eq!(String::from_utf8_lossy(message.as_bytes()), expected);
}

#[test]
fn names_and_subjects_that_are_not_ascii_are_encoded_and_folded() {
    let subject = "Grüße an alle, die schon lange auf eine Nachricht warten, und an die anderen auch 🏡";
    let message = MessageBuilder::new()
        .from(&named("Jörg \"der\" Große", "jorg@example.test"))
        .to(&[
            named("Doe, John", "a@example.test"),
            named("Plain Name", "b@example.test"),
        ])
        .subject(&value(subject))
        .finish(&Body::Text("äöü = viel\n".into()))
        .unwrap();
    let header = Header::scan(message.as_bytes()).unwrap();
    assert_eq!(decode::text(header.first("Subject").unwrap().value()), subject);
    let from = &addresses::mailboxes(header.first("From").unwrap().value())[0];
    assert_eq!(decode::text(from.name.as_deref().unwrap()), "Jörg \"der\" Große");
    let to = addresses::mailboxes(header.first("To").unwrap().value());
    assert_eq!(to[0].name.as_deref(), Some(&b"Doe, John"[..]));
    assert_eq!(to[1].to_mailbox().unwrap().to_string(), "b@example.test");
    assert!(
        message
            .as_bytes()
            .split(|byte| *byte == b'\n')
            .all(|line| line.len() <= 79)
    );
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(
        structure.root().decoded_body(message.as_bytes()).as_ref(),
        "äöü = viel\r\n".as_bytes()
    );
}

#[test]
fn a_report_has_its_parts() {
    let body = Body::Multipart {
        subtype: value("report; report-type=delivery-status"),
        parts: vec![
            Body::Text("It did not arrive.".into()),
            Body::Raw {
                content_type: value("message/delivery-status"),
                octets: b"Reporting-MTA: dns; mx.example.test\r\n".to_vec(),
            },
            Body::Text("--=_0_0 looks like a boundary".into()),
        ],
    };
    let message = MessageBuilder::new().finish(&body).unwrap();
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.root().kind, Kind::Multipart);
    let types: Vec<String> = structure
        .parts()
        .iter()
        .map(|part| part.content_type(message.as_bytes()).subtype)
        .collect();
    assert_eq!(types, ["report", "plain", "delivery-status", "plain"]);
    assert_eq!(
        structure.parts()[3].body.of(message.as_bytes()),
        b"--=_0_0 looks like a boundary\r\n"
    );
}

#[test]
fn raw_octets_are_checked() {
    let raw = |octets: &[u8]| {
        let body = Body::Raw {
            content_type: value("message/rfc822"),
            octets: octets.to_vec(),
        };
        MessageBuilder::new().finish(&body)
    };
    assert_eq!(raw(b"a\nb"), Err(WireFault::BareLf { at: 1 }));
    assert_eq!(raw(b"a\0"), Err(WireFault::Nul { at: 1 }));
    assert!(raw(b"Subject: x\r\n\r\n\xe4\r\n").is_ok());
}

#[test]
fn field_names_are_names() {
    assert!(FieldName::new("X-Reason").is_some());
    for bad in ["", "a b", "a:b", "a\r\nb", "ä", &"x".repeat(65)] {
        assert_eq!(FieldName::new(bad), None, "{bad:?}");
    }
}

const PAYLOADS: &[&str] = &[
    "\r\nBcc: victim@example.org",
    "\nX-Evil: yes",
    "\rX-Evil: yes",
    "\0",
    "%0d%0aBcc: victim@example.org",
    "=?utf-8?Q?=0D=0ABcc:_victim?=",
    "\u{2028}Bcc: x",
    "\u{85}Bcc: x",
    "\u{ff1a}",
    "a\r\n\r\nbody",
    " \t ",
    "\" <other@example.org>",
    ">, <other@example.org",
    ", other@example.org",
    "(",
    "\\",
];

fn payload() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(PAYLOADS.to_vec()).prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![fixed, "\\PC{0,30}", "[a-z ]{0,90}"], 0..5)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rel_7_no_value_begins_another_field(subject in payload(), name in payload(), id in payload(), text in payload()) {
        // What the constructor refuses cannot be given; what it takes must stay in its field.
        let mut message = MessageBuilder::new();
        let mut expected = vec![];
        if let Ok(name) = HeaderValue::new(name.clone()) {
            let mailbox = "alice@example.test".parse().unwrap();
            message = message.from(&NamedMailbox { name, mailbox });
            expected.push("From");
        }
        if let Ok(subject) = HeaderValue::new(subject.clone()) {
            message = message.subject(&subject);
            expected.push("Subject");
        }
        message = message.message_id(&id, "example.test");
        expected.extend(["Message-ID", "MIME-Version", "Content-Type"]);
        let message = message.finish(&Body::Text(text.clone())).unwrap();
        let header = Header::scan(message.as_bytes()).unwrap();
        let names: Vec<&str> = header
            .fields()
            .iter()
            .map(|field| std::str::from_utf8(field.name()).unwrap())
            .filter(|name| *name != "Content-Transfer-Encoding")
            .collect();
        prop_assert_eq!(&names, &expected);
        prop_assert!(header.fields().iter().all(|field| field.shape() == Shape::Proper));
        if let Some(field) = header.first("Subject") {
            let read = decode::text(field.value());
            prop_assert_eq!(read.trim(), subject.trim());
        }
        if let Some(field) = header.first("From") {
            let list = addresses::mailboxes(field.value());
            prop_assert_eq!(list.len(), 1);
            prop_assert_eq!(list[0].to_mailbox().unwrap().to_string(), "alice@example.test");
            prop_assert!(list[0].well_formed);
        }
        let structure = Structure::parse(message.as_bytes());
        let body = structure.root().decoded_body(message.as_bytes());
        let expected = String::from_utf8(encode::crlf_lines(&text)).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&body), expected);
    }
}
