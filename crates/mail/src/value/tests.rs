use proptest::prelude::*;

use super::addresses::{Entry, HeaderMailbox, mailboxes, parse};
use super::*;
use crate::fuzzing;

#[test]
fn encodings_are_words() {
    let table: &[(&[u8], Encoding)] = &[
        (b" Base64\r\n", Encoding::Base64),
        (b"quoted-printable (why not)", Encoding::QuotedPrintable),
        (b"8BIT", Encoding::EightBit),
        (b"", Encoding::SevenBit),
        (b"x-uuencode", Encoding::Other(b"x-uuencode".to_vec())),
    ];
    for (value, expected) in table {
        assert_eq!(Encoding::parse(value), *expected);
    }
}

#[test]
fn media_kinds_agree_with_the_full_parser() {
    for value in [
        "multipart/mixed",
        "(c) Multipart / Mixed ;x",
        "message/rfc822",
        "message/GLOBAL",
        "message/partial",
        "text/plain",
        "m",
        "/x",
        "",
        "multipart",
    ] {
        let full = match ContentType::parse(value.as_bytes()) {
            Some(content_type) if content_type.kind == "multipart" => MediaKind::Multipart,
            Some(content_type)
                if content_type.is("message", "rfc822") || content_type.is("message", "global") =>
            {
                MediaKind::Message
            }
            _ => MediaKind::Other,
        };
        assert_eq!(media_kind(value.as_bytes()), full, "{value}");
    }
}

#[test]
fn lists_are_split_at_commas() {
    assert_eq!(
        comma_list(b" en, de (German) ,\r\n fr-CH,,"),
        [b"en".to_vec(), b"de".to_vec(), b"fr-CH".to_vec()]
    );
    assert!(comma_list(b" ").is_empty());
}

#[test]
fn message_ids_are_what_stands_in_brackets() {
    let table: &[(&[u8], &[&[u8]])] = &[
        (
            b" <1234@local.machine.example>\r\n",
            &[b"1234@local.machine.example"],
        ),
        (b"<a@b>\r\n\t<c@d> junk <e@f>", &[b"a@b", b"c@d", b"e@f"]),
        (b" old@form ", &[b"old@form"]),
        (b"<>", &[]),
        (b"<open", &[]),
        (b"<a@b> <\"from <c@d>", &[b"a@b", b"c@d"]),
        (b"", &[]),
    ];
    for (value, expected) in table {
        assert_eq!(ids::message_ids(value), *expected, "{}", value.escape_ascii());
    }
}

fn mailbox(name: &str, local: &str, domain: &str) -> HeaderMailbox {
    HeaderMailbox {
        name: (!name.is_empty()).then(|| name.into()),
        route: None,
        local: local.into(),
        domain: Some(domain.into()),
        well_formed: true,
    }
}

#[test]
fn address_lists_of_rfc_5322_are_read() {
    let list = parse(b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;");
    assert_eq!(
        list,
        [
            Entry::GroupStart(b"A Group".to_vec()),
            Entry::Mailbox(mailbox("Ed Jones", "c", "a.test")),
            Entry::Mailbox(mailbox("", "joe", "where.test")),
            Entry::Mailbox(mailbox("John", "jdoe", "one.test")),
            Entry::GroupEnd,
        ]
    );
    assert_eq!(
        parse(b"Undisclosed recipients:;"),
        [
            Entry::GroupStart(b"Undisclosed recipients".to_vec()),
            Entry::GroupEnd
        ]
    );
    let table: &[(&[u8], &[HeaderMailbox])] = &[
        (
            b"Joe Q. Public <john.q.public@example.com>",
            &[mailbox("Joe Q. Public", "john.q.public", "example.com")],
        ),
        (b"jdoe@test   . example", &[mailbox("", "jdoe", "test.example")]),
        (
            b"jdoe@one.test (John Doe)",
            &[mailbox("John Doe", "jdoe", "one.test")],
        ),
        (
            b"\"Giant; \\\"Big\\\" Box\" <s@example.net>",
            &[mailbox("Giant; \"Big\" Box", "s", "example.net")],
        ),
        (
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            &[mailbox("Pete", "pete", "silly.test")],
        ),
        (
            b"\"john doe\"@example.test",
            &[mailbox("", "john doe", "example.test")],
        ),
        (
            b"user@[IPv6:::1], a@b.test",
            &[mailbox("", "user", "[IPv6:::1]"), mailbox("", "a", "b.test")],
        ),
        (b" , , ", &[]),
        (b"(only a comment)", &[]),
    ];
    for (value, expected) in table {
        assert_eq!(mailboxes(value), *expected, "{}", value.escape_ascii());
    }
}

#[test]
fn aut_4_ambiguous_addresses_are_marked() {
    let ambiguous: &[&[u8]] = &[
        b"<a@good.test> <b@evil.test>",
        b"a@good.test <b@evil.test> c@other.test",
        b"<a@good.test@evil.test>",
        b"a@good.test@evil.test",
        b"a@good.test b@evil.test",
        b"<a@good.test",
        b"<a@good.test,b@evil.test>",
        b"<@route.test:a@good.test>",
        b"nobody",
        b"<>",
        b"<a@>",
        b"\"a@good.test\"",
        b"a@good.test\"",
        b"a@good.test\"x\"",
        b"a@\"good.test\"",
        b"\"x\"a@good.test",
        b"a\"x\"@good.test",
        b"<\"x\"a@good.test>",
        b"<a@good.test\"x\">",
        b"<a@\"good.test\">",
        b"<a@good.test> \"",
        b"\"x\".\"y\"\"z\"@good.test",
        b"a@good.test\0.evil.test",
        b"<a\0@good.test>",
        b"Name\0 <a@good.test>",
    ];
    for value in ambiguous {
        let list = mailboxes(value);
        assert!(
            !list.is_empty() && list.iter().any(|mailbox| !mailbox.well_formed),
            "{}",
            value.escape_ascii()
        );
    }
    // A quoted word of a local part is one (RFC 5322 §4.4).
    for value in [
        &b"\"x y\".b@good.test"[..],
        b"<a.\"x\" @good.test>",
        b"\"x\"@good.test",
        b"\"A\"\"B\" c <a@good.test>",
    ] {
        let list = mailboxes(value);
        assert!(list.len() == 1 && list[0].well_formed, "{}", value.escape_ascii());
    }
    // A name that looks like an address is a name.
    let list = mailboxes(b"\"boss@good.test\" <b@evil.test>");
    assert_eq!(list, [mailbox("boss@good.test", "b", "evil.test")]);
    assert_eq!(list[0].to_mailbox().unwrap().to_string(), "b@evil.test");
    assert!(
        mailboxes(b"a\x00b@x.test")[0].to_mailbox().is_ok(),
        "a NUL is left out, as everywhere"
    );
}

#[test]
fn mim_3_addresses_and_comments_are_bounded() {
    let many = b"a@b.test, ".repeat(100_000);
    assert!(parse(&many).len() <= crate::limits::ADDRESSES);
    let nested = b"(".repeat(100_000);
    assert!(parse(&nested).is_empty());
    assert!(ContentType::parse(&nested).is_none());
    let closed = [b"(".repeat(50), b")".repeat(50), b"a@b.test".to_vec()].concat();
    assert_eq!(mailboxes(&closed).len(), 1);
    let quotes = b"\"\\".repeat(100_000);
    assert!(parse(&quotes).len() <= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_keep_the_promises(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::fuzz_values(&bytes);
    }

    #[test]
    fn address_like_text_keeps_the_promises(text in "[a-c@<>,:;\"()\\[\\]\\\\ .\r\n\t=?/*'%0-9]{0,60}") {
        fuzzing::fuzz_values(text.as_bytes());
        fuzzing::fuzz_values(format!("a/b;{text}").as_bytes());
    }

    #[test]
    fn mailboxes_survive_a_header(name in "[A-Za-z .,\"\\\\@<>()]{0,20}", local in "[a-z.+\" @]{1,10}", domain in "[a-z]{1,8}\\.test") {
        let local = crate::address::LocalPart::from_unquoted(&local, crate::address::Utf8::Refused).unwrap();
        let address = crate::address::Mailbox::new(local, crate::address::Domain::parse(&domain).unwrap()).unwrap();
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!("\"{quoted}\" <{address}>");
        let list = mailboxes(value.as_bytes());
        prop_assert_eq!(list.len(), 1);
        prop_assert_eq!(list[0].to_mailbox(), Ok(address));
        prop_assert!(list[0].well_formed);
        let bare = list[0].to_mailbox().unwrap().to_string();
        prop_assert_eq!(mailboxes(bare.as_bytes())[0].to_mailbox(), list[0].to_mailbox());
    }
}
