use mail::header::Header;
use mail::ids::Id;
use mail::mime::Structure;
use proptest::prelude::*;

use super::*;

const HEADER: &[u8] =
    b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
Date: Thu, 26 Nov 2026 05:00:00 +0000\r\nMessage-ID: <m1@example.org>\r\n\r\n";

fn address(text: &str) -> Mailbox {
    text.parse().expect("an address")
}

/// A report with one recipient, and the parts of it that tests change.
struct Case {
    kind: Kind,
    to: Mailbox,
    address: Mailbox,
    via: Option<Mailbox>,
    orcpt: Option<(String, String)>,
    code: u16,
    enhanced: Option<(u8, u16, u16)>,
    lines: Vec<String>,
    expired: bool,
    envid: Option<String>,
    deliver_by: Option<UnixMs>,
    future_release: Option<String>,
    header: Vec<u8>,
    whole: Option<Vec<u8>>,
    reader: Reader,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            kind: Kind::Failed,
            to: address("alice@example.org"),
            address: address("bob@example.net"),
            via: None,
            orcpt: None,
            code: 550,
            enhanced: Some((5, 1, 1)),
            lines: vec!["<bob@example.net>: Recipient address rejected: User unknown".to_owned()],
            expired: false,
            envid: None,
            deliver_by: None,
            future_release: None,
            header: HEADER.to_vec(),
            whole: None,
            reader: Reader::Sender,
        }
    }
}

impl Case {
    fn compose(&self) -> Composed {
        let host = Domain::parse("mx.example.org").expect("a domain");
        let told = Told {
            address: &self.address,
            via: self.via.as_ref(),
            orcpt: self
                .orcpt
                .as_ref()
                .map(|(kind, address)| (kind.as_str(), address.as_str())),
            answer: Answer::Server {
                host: "mx.example.net",
                step: Step::Recipient,
                code: self.code,
                enhanced: self.enhanced,
                lines: &self.lines,
            },
            expired: self.expired,
            last_attempt: Some(UnixMs(1_795_672_800_000)),
            retry_until: Some(UnixMs(1_796_104_800_000)),
        };
        compose(&Report {
            kind: self.kind,
            host: &host,
            to: &self.to,
            reader: self.reader,
            message_id: "q1.bounce",
            now: UnixMs(1_795_672_800_000),
            queue_id: QueueId::from_raw(1 << 40),
            arrived: UnixMs(1_795_669_200_000),
            envid: self.envid.as_deref(),
            deliver_by: self.deliver_by,
            future_release: self.future_release.clone(),
            recipients: vec![told],
            original: Original {
                header: &self.header,
                whole: self.whole.as_deref(),
            },
        })
    }

    /// The bodies of the three parts, the first one as text.
    fn parts(&self) -> (String, String, Vec<u8>) {
        parts(self.compose().bytes())
    }
}

/// The three parts, decoded; checks that there are three of the right types.
fn parts(bytes: &[u8]) -> (String, String, Vec<u8>) {
    assert_eq!(mail::wire::check_message(bytes), Ok(()));
    let structure = Structure::parse(bytes);
    let root = structure.root().content_type(bytes);
    assert_eq!(
        (root.kind.as_str(), root.subtype.as_str()),
        ("multipart", "report")
    );
    assert_eq!(root.parameter("report-type"), Some(&b"delivery-status"[..]));
    let ids: Vec<_> = structure.children(mail::mime::PartId::ROOT).collect();
    assert_eq!(ids.len(), 3);
    let body = |place: usize| structure.part(ids[place]).decoded_body(bytes).into_owned();
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    (text(body(0)), text(body(1)), body(2))
}

fn types(bytes: &[u8]) -> Vec<String> {
    let structure = Structure::parse(bytes);
    let name = |id| {
        let kind = structure.part(id).content_type(bytes);
        format!("{}/{}", kind.kind, kind.subtype)
    };
    structure.children(mail::mime::PartId::ROOT).map(name).collect()
}

#[test]
fn a_failure_is_told_in_plain_words_first() {
    let composed = Case::default().compose();
    let header = Header::scan(composed.header()).expect("a header");
    let field = |name: &str| mail::decode::text(header.first(name).expect("the field").value());
    assert_eq!(field("From"), "Mail delivery <postmaster@mx.example.org>");
    assert_eq!(field("To"), "alice@example.org");
    assert_eq!(field("Subject"), "Not delivered: bob@example.net");
    assert_eq!(field("Auto-Submitted"), "auto-replied");
    assert_eq!(field("Message-ID"), "<q1.bounce@mx.example.org>");
    assert_eq!(field("References"), "<m1@example.org>");
    let (text, machine, original) = Case::default().parts();
    let number = QueueId::from_raw(1 << 40);
    assert_eq!(
        text.replace("\r\n", "\n"),
        format!(
            "This is the mail server mx.example.org. Your message was NOT delivered\n\
to this address, and it will not be tried again:\n\n    bob@example.net\n\n\
\x20   Nobody at example.net has this address.\n\n\
\x20   Whose turn it is: yours.\n\n\
\x20   Next step: Check the address for a spelling mistake, or ask the\n\
\x20   person for it another way, and send the message again.\n\n\
\x20   The server mx.example.net answered:\n\n\
\x20       550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown\n\n\
Your message:\n\n\
\x20   Subject:  Grüße\n\
\x20   Date:     Thu, 26 Nov 2026 05:00:00 +0000\n\
\x20   Received: Thu, 26 Nov 2026 05:00:00 +0000\n\
\x20   Number:   {number}\n\n\
Behind this text follow details for mail administrators and programs,\nand the header of your message.\n\n"
        )
    );
    assert_eq!(
        machine,
        "Reporting-MTA: dns; mx.example.org\r\n\
Arrival-Date: Thu, 26 Nov 2026 05:00:00 +0000\r\n\r\n\
Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\n\
Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>: Recipient address\r\n rejected: User unknown\r\n\
Last-Attempt-Date: Thu, 26 Nov 2026 06:00:00 +0000\r\n"
    );
    assert_eq!(original, &HEADER[..HEADER.len() - 2]);
}

#[test]
fn each_kind_says_its_own() {
    let table = [
        (
            Kind::Failed,
            450,
            "NOT delivered",
            "Action: failed\r\nStatus: 4.1.1",
            false,
        ),
        (
            Kind::Delayed,
            450,
            "you need not send it again",
            "Action: delayed\r\nStatus: 4.1.1",
            true,
        ),
        (
            Kind::Relayed,
            250,
            "no delivery notices",
            "Action: relayed\r\nStatus: 2.1.1",
            false,
        ),
        (
            Kind::Delivered,
            250,
            "as you asked to be told",
            "Action: delivered\r\nStatus: 2.1.1",
            false,
        ),
        (
            Kind::Expanded,
            250,
            "stands for several addresses",
            "Action: expanded\r\nStatus: 2.1.1",
            false,
        ),
    ];
    for (kind, code, words, status, until) in table {
        let case = Case {
            kind,
            code,
            expired: true,
            ..Case::default()
        };
        let (text, machine, _) = case.parts();
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{kind:?}: {flat}");
        assert!(machine.contains(status), "{kind:?}: {machine}");
        assert_eq!(machine.contains("Will-Retry-Until"), until, "{kind:?}");
        assert_eq!(
            flat.contains("tried for an hour"),
            kind == Kind::Failed,
            "{kind:?}"
        );
    }
}

#[test]
fn what_the_sender_gave_comes_back() {
    let case = Case {
        envid: Some("QQ314159".to_owned()),
        orcpt: Some(("rfc822".to_owned(), "Robert@example.net".to_owned())),
        ..Case::default()
    };
    let (_, machine, _) = case.parts();
    assert!(
        machine.contains("Original-Envelope-Id: QQ314159\r\n"),
        "{machine}"
    );
    assert!(
        machine.contains("Original-Recipient: rfc822; Robert@example.net\r\n"),
        "{machine}"
    );
}

#[test]
fn international_addresses_are_written_as_rfc_6533_says() {
    let ascii = Case {
        address: address("jörg@example.net"),
        ..Case::default()
    };
    assert_eq!(types(ascii.compose().bytes())[1], "message/delivery-status");
    assert!(
        ascii
            .parts()
            .1
            .contains("Final-Recipient: utf-8; j\\x{F6}rg@example.net\r\n")
    );
    let ascii_is_plain = ascii.compose().is_seven_bit() && !ascii.compose().needs_utf8();
    let utf8 = Case {
        to: address("ålice@example.org"),
        header: "Subject: Grüße\r\n\r\n".into(),
        ..ascii
    };
    assert!(ascii_is_plain);
    let composed = utf8.compose();
    assert!(composed.needs_utf8() && !composed.is_seven_bit());
    assert_eq!(
        types(composed.bytes())[1..],
        ["message/global-delivery-status", "message/global-headers"]
    );
    assert!(
        utf8.parts()
            .1
            .contains("Final-Recipient: utf-8; jörg@example.net\r\n")
    );
}

#[test]
fn loop_7_a_forward_is_told_by_the_address_the_sender_knows() {
    let case = Case {
        address: address("secret@private.example"),
        via: Some(address("team@example.org")),
        lines: vec!["<Secret@private.example>: User unknown".to_owned()],
        ..Case::default()
    };
    let composed = String::from_utf8(case.compose().into_bytes()).expect("UTF-8");
    assert!(!composed.to_lowercase().contains("secret"), "{composed}");
    assert!(
        composed.contains("550 5.1.1 <team@example.org>: User unknown"),
        "{composed}"
    );
}

#[test]
fn loop_7_only_a_header_goes_back_by_default() {
    let whole = [HEADER, b"A body.\r\n"].concat();
    let case = Case::default();
    assert_eq!(types(case.compose().bytes())[2], "text/rfc822-headers");
    let case = Case {
        whole: Some(whole.clone()),
        ..Case::default()
    };
    // The parser goes into message/rfc822; the part itself is what was given.
    assert_eq!(types(case.compose().bytes())[2], "message/rfc822");
    assert_eq!(case.parts().2, whole);
    let broken = Case {
        whole: Some(b"A: b\n\nx".to_vec()),
        ..Case::default()
    };
    assert_eq!(types(broken.compose().bytes())[2], "text/rfc822-headers");
}

#[test]
fn replies_keep_their_lines_and_get_their_codes_once() {
    let case = Case {
        lines: vec!["5.1.1 one".into(), "550 5.1.1 two".into(), "three".into()],
        ..Case::default()
    };
    let (text, _, _) = case.parts();
    for line in [
        "550-5.1.1 one\r\n",
        "550-5.1.1 550 5.1.1 two\r\n",
        "550 5.1.1 three\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn loop_1_a_report_is_marked_so_that_no_program_answers_it() {
    for kind in Kind::ALL {
        let composed = Case {
            kind,
            ..Case::default()
        }
        .compose();
        let header = Header::scan(composed.header()).expect("a header");
        let value = header.first("Auto-Submitted").expect("the field").unfolded();
        assert_eq!(&value[..], b"auto-replied", "{kind:?}");
    }
}

/// The page for people shows what is really written. When this fails, put the printed text into the page.
#[test]
fn the_page_about_reports_shows_what_they_say() {
    let page = include_str!("../../../../docs/run/bounces.md");
    let no_such_user = Case::default();
    let delayed = Case {
        kind: Kind::Delayed,
        code: 451,
        enhanced: Some((4, 7, 1)),
        lines: vec!["Greylisted, please try again in 300 seconds".to_owned()],
        ..Case::default()
    };
    let blocked = Case {
        code: 554,
        enhanced: Some((5, 7, 1)),
        lines: vec![
            "Service unavailable; Client host [203.0.113.5] blocked using list.blocklist.example".to_owned(),
            "See https://blocklist.example/why".to_owned(),
        ],
        ..Case::default()
    };
    let texts = [no_such_user, delayed, blocked].map(|case| case.parts().0.replace("\r\n", "\n"));
    let missing: Vec<&str> = texts
        .iter()
        .map(|text| text.trim_end())
        .filter(|text| !page.contains(text))
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/run/bounces.md:\n{}",
        missing.join("\n\n")
    );
}

proptest! {
    /// Whatever peers and senders say, a report is a well-formed multipart/report whose parts hold what was put in.
    #[test]
    fn every_report_reads_back(
        kind in proptest::sample::select(&Kind::ALL[..]),
        code in 200_u16..600,
        lines in proptest::collection::vec(any::<String>(), 0..30),
        envid in proptest::option::of(any::<String>()),
        orcpt in proptest::option::of((any::<String>(), any::<String>())),
        header in proptest::collection::vec(any::<u8>(), 0..2000),
        utf8 in any::<bool>(),
        expired in any::<bool>(),
    ) {
        let to = address(if utf8 { "ålice@example.org" } else { "alice@example.org" });
        let case = Case { kind, to, code, lines, envid, orcpt, header, expired, ..Case::default() };
        let (text, machine, _) = case.parts();
        prop_assert!(text.contains("bob@example.net"));
        let fields: Vec<&str> = machine.split("\r\n").filter(|line| !line.starts_with(' ')).collect();
        let count = |name: &str| fields.iter().filter(|line| line.starts_with(name)).count();
        for name in ["Reporting-MTA:", "Arrival-Date:", "Final-Recipient:", "Action:", "Status:", "Diagnostic-Code:"] {
            prop_assert_eq!(count(name), 1, "{} in {}", name, machine);
        }
        prop_assert_eq!(machine.matches("\r\n\r\n").count(), 1);
        prop_assert!(utf8 || machine.is_ascii());
    }
}

#[test]
fn loop_4_postmaster_is_not_told_of_a_message_of_his_own() {
    let case = Case {
        reader: Reader::Postmaster,
        ..Case::default()
    };
    let text = String::from_utf8(case.compose().into_bytes()).expect("seven bits");
    assert!(
        text.contains("Subject: Report not delivered: bob@example.net"),
        "{text}"
    );
    assert!(
        text.contains("you get it as postmaster") && !text.contains("Your message"),
        "{text}"
    );
}
