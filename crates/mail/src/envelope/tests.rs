use proptest::prelude::*;

use super::*;
use crate::fuzzing;

fn address(name: Option<&str>, mailbox: Option<&str>, host: Option<&str>) -> EnvelopeAddress {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    EnvelopeAddress {
        name: bytes(name),
        route: None,
        mailbox: bytes(mailbox),
        host: bytes(host),
    }
}

#[test]
fn the_envelope_of_rfc_9051_is_read() {
    let header = b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
From: Terry Gray <gray@cac.washington.edu>\r\n\
Subject: IMAP4rev2 WG mtg summary and minutes\r\n\
To: imap@cac.washington.edu\r\n\
cc: minutes@CNRI.Reston.VA.US, \"John Klensin\" <KLENSIN@MIT.EDU>\r\n\
Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\nFrom: body@x.test\r\n";
    let from = vec![address(
        Some("Terry Gray"),
        Some("gray"),
        Some("cac.washington.edu"),
    )];
    let expected = Envelope {
        date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
        subject: Some(b"IMAP4rev2 WG mtg summary and minutes".to_vec()),
        from: from.clone(),
        sender: from.clone(),
        reply_to: from,
        to: vec![address(None, Some("imap"), Some("cac.washington.edu"))],
        cc: vec![
            address(None, Some("minutes"), Some("CNRI.Reston.VA.US")),
            address(Some("John Klensin"), Some("KLENSIN"), Some("MIT.EDU")),
        ],
        bcc: vec![],
        in_reply_to: None,
        message_id: Some(b"<B27397-0100000@cac.washington.edu>".to_vec()),
    };
    assert_eq!(Envelope::parse(header), expected);
}

#[test]
fn groups_folds_and_doubles_are_told_as_imap_tells_them() {
    let envelope = Envelope::parse(
        b"Subject: =?utf-8?Q?a?=\r\n  b\r\nSubject: second\r\nTo: one@a.test\r\nTo: Friends: two@b.test;\r\nFrom:\r\nIn-Reply-To:\r\nCc: nobody\r\n",
    );
    assert_eq!(envelope.subject.as_deref(), Some(&b"=?utf-8?Q?a?=  b"[..]));
    assert_eq!(
        envelope.to,
        [
            address(None, Some("one"), Some("a.test")),
            address(None, Some("Friends"), None),
            address(None, Some("two"), Some("b.test")),
            address(None, None, None),
        ]
    );
    assert!(envelope.from.is_empty() && envelope.sender.is_empty());
    assert_eq!(envelope.in_reply_to.as_deref(), Some(&b""[..]));
    assert_eq!(envelope.cc, [address(None, Some("nobody"), Some(""))]);
    assert_eq!(envelope.date, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_keep_the_promises(text in "((From|To|Sender|Date|cc) ?: ?[a-z@<>,;:\"() ]{0,20}\r?\n){0,8}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::fuzz_envelope(text.as_bytes());
        fuzzing::fuzz_envelope(&bytes);
        fuzzing::fuzz_header(text.as_bytes());
        fuzzing::fuzz_header(&bytes);
    }
}
