use proptest::prelude::*;

use super::*;
use crate::fuzzing;

fn reverse(input: &str) -> Result<(String, bool, String), BadAddress> {
    let parsed = reverse_path(input.as_bytes(), Utf8::Refused)?;
    Ok((
        parsed.path.to_string(),
        parsed.source_route,
        String::from_utf8(parsed.rest.to_vec()).unwrap(),
    ))
}

fn ok(path: &str, route: bool, rest: &str) -> Result<(String, bool, String), BadAddress> {
    Ok((path.into(), route, rest.into()))
}

#[test]
fn reverse_paths_are_read_as_rfc_5321_writes_them() {
    let table = [
        ("<>", ok("<>", false, "")),
        ("<> SIZE=10", ok("<>", false, " SIZE=10")),
        (
            "<Smith@Alpha.ARPA> BODY=8BITMIME",
            ok("<Smith@alpha.arpa>", false, " BODY=8BITMIME"),
        ),
        (
            "<@one.example,@two.example:joe@three.example>",
            ok("<joe@three.example>", true, ""),
        ),
        (
            "<@[192.0.2.1]:joe@three.example>",
            ok("<joe@three.example>", true, ""),
        ),
        ("<\"a>b\"@c.example>x", ok("<\"a>b\"@c.example>", false, "x")),
        ("<\"a\\\">\"@c.example>", ok("<\"a\\\">\"@c.example>", false, "")),
        (
            "<user@[IPv6:2001:db8::1]>",
            ok("<user@[IPv6:2001:db8::1]>", false, ""),
        ),
        (
            "<user%remote@example.test>",
            ok("<user%remote@example.test>", false, ""),
        ),
        (
            "<host!user@example.test>",
            ok("<host!user@example.test>", false, ""),
        ),
        ("", Err(BadAddress::NoBrackets)),
        ("user@example.test", Err(BadAddress::NoBrackets)),
        (" <user@example.test>", Err(BadAddress::NoBrackets)),
        ("<user@example.test", Err(BadAddress::NoBrackets)),
        ("<user>", Err(BadAddress::NoDomain)),
        ("< user@example.test>", Err(BadAddress::Syntax)),
        ("<user@example.test >", Err(BadAddress::BadDomain)),
        ("<us er@example.test>", Err(BadAddress::Syntax)),
        ("<user@example.test.>", Err(BadAddress::BadDomain)),
        ("<<user@example.test>>", Err(BadAddress::Syntax)),
        ("<user@a.example,user@b.example>", Err(BadAddress::Syntax)),
        ("<\"user@example.test>", Err(BadAddress::Syntax)),
        ("<@one.example:>", Err(BadAddress::Empty)),
        ("<@one.example>", Err(BadAddress::Syntax)),
        ("<@:joe@three.example>", Err(BadAddress::NoDomain)),
        ("<user@example.test\r\nRCPT>", Err(BadAddress::Control)),
        ("<us\0er@example.test>", Err(BadAddress::Control)),
        ("<jörg@example.test>", Err(BadAddress::NeedsUtf8)),
        ("<jorg@exämple.test>", Err(BadAddress::NeedsUtf8)),
    ];
    for (input, expected) in table {
        assert_eq!(reverse(input), expected, "{input:?}");
    }
}

#[test]
fn utf8_paths_need_permission() {
    let parsed = reverse_path("<jörg@bücher.example>".as_bytes(), Utf8::Allowed).unwrap();
    assert_eq!(parsed.path.to_string(), "<jörg@xn--bcher-kva.example>");
    assert_eq!(
        reverse_path(b"<j\xf6rg@example.test>", Utf8::Allowed),
        Err(BadAddress::Syntax)
    );
    assert_eq!(
        reverse_path(b"<j\xf6rg@example.test>", Utf8::Refused),
        Err(BadAddress::NeedsUtf8)
    );
}

#[test]
fn forward_paths_may_be_postmaster_alone() {
    let read = |input: &'static str| forward_path(input.as_bytes(), Utf8::Refused).map(|parsed| parsed.path);
    assert_eq!(read("<Postmaster>"), Ok(ForwardPath::Postmaster));
    assert_eq!(read("<POSTMASTER> NOTIFY=NEVER"), Ok(ForwardPath::Postmaster));
    let mailbox = "postmaster@example.test".parse().unwrap();
    assert_eq!(
        read("<postmaster@example.test>"),
        Ok(ForwardPath::Mailbox(mailbox))
    );
    assert_eq!(read("<>"), Err(BadAddress::Empty));
    assert_eq!(read("<abuse>"), Err(BadAddress::NoDomain));
}

#[test]
fn rel_5_route_tricks_stay_plain_local_parts_or_are_reported() {
    for input in [
        "<a%b@example.test>",
        "<a!b@example.test>",
        "<\"a@b\"@example.test>",
    ] {
        let parsed = forward_path(input.as_bytes(), Utf8::Refused).unwrap();
        let ForwardPath::Mailbox(mailbox) = parsed.path else {
            panic!("a mailbox")
        };
        assert_eq!(mailbox.domain().as_str(), "example.test");
        assert!(!parsed.source_route);
    }
    assert!(
        forward_path(b"<@a.example:b@example.test>", Utf8::Refused)
            .unwrap()
            .source_route
    );
}

#[test]
fn long_input_is_refused_in_bounded_work() {
    let long = format!("<{}@example.test>", "a".repeat(1 << 20));
    assert_eq!(
        reverse_path(long.as_bytes(), Utf8::Refused),
        Err(BadAddress::TooLong)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_keep_the_promises(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        fuzzing::fuzz_address(&bytes);
    }

    #[test]
    fn path_like_text_keeps_the_promises(text in "<[a-z\"\\\\@:,.<> é\\[\\]%!+-]{0,40}>[ A-Z=]{0,8}") {
        fuzzing::fuzz_address(text.as_bytes());
    }
}
