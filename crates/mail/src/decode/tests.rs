use ::base64::Engine as _;
use proptest::prelude::*;

use super::*;
use crate::fuzzing;

#[test]
fn base64_is_lenient() {
    let table: &[(&[u8], &[u8])] = &[
        (b"", b""),
        (b"Zm9vYmFy", b"foobar"),
        (b"Zm9v\r\nYmE=\r\n", b"fooba"),
        (b"Zg==Zg==", b"ff"),
        (b"Zg", b"f"),
        (b"Zm8", b"fo"),
        (b"Z", b""),
        (b"Z!m*9 v", b"foo"),
        (b"====", b""),
        (b"Zm9v\xff\x00", b"foo"),
    ];
    for (input, expected) in table {
        assert_eq!(base64::decode(input), *expected, "{}", input.escape_ascii());
    }
}

#[test]
fn quoted_printable_is_lenient() {
    let table: &[(&[u8], &[u8])] = &[
        (b"", b""),
        (b"a=3Db=3db", b"a=b=b"),
        (b"soft=\r\nbreak=  \r\nagain=\nend", b"softbreakagainend"),
        (b"trailing  \t\r\nspace  ", b"trailing\r\nspace  "),
        (b"broken=", b"broken"),
        (b"broken=4", b"broken=4"),
        (b"broken=ZZ=\xff", b"broken=ZZ=\xff"),
        (b"caf=E9\n", b"caf\xe9\n"),
        (b"==", b"="),
    ];
    for (input, expected) in table {
        assert_eq!(
            quoted_printable::decode(input),
            *expected,
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn encoded_words_become_text() {
    let table: &[(&[u8], &str)] = &[
        (b" plain text\r\n", "plain text"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?= c", "a b c"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"=?utf-8?B?w6Q=?= x =?UTF-8*de?q?=C3=A4?=", "ä x ä"),
        // A letter cut in two by the sender.
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"),
        (b"=?utf-8?Q?a b?=", "a b"),
        (b"=?nonsense?Q?=E4?=", "ä"),
        (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
        (b"=?utf-8?Q?open", "=?utf-8?Q?open"),
        (b"=??Q?a?=", "=??Q?a?="),
        (b"=", "="),
        (b"gr\xc3\xbcn und gr\xc3\xbcn", "grün und grün"),
        (b"gr\xfcn", "grün"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (
            b"=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=",
            "日本",
        ),
        (b"=?utf-7?Q?+AOQ-?=", "ä"),
        (b"a \r\n\t b", "a b"),
    ];
    for (value, expected) in table {
        assert_eq!(text(value), *expected, "{}", value.escape_ascii());
    }
}

#[test]
fn rel_7_encoded_line_ends_do_not_become_lines() {
    assert_eq!(text(b"=?utf-8?Q?a=0D=0ABcc:_x?="), "aBcc: x");
    assert_eq!(text(b"=?utf-8?B?AA0K?="), "");
}

#[test]
fn parameters_are_joined_and_decoded() {
    let name = |value: &str| file_name(None, &ContentType::parse(value.as_bytes()).unwrap());
    let table = [
        ("a/b; name=plain.txt", Some("plain.txt")),
        ("a/b; name=two words.txt; x=y", Some("two words.txt")),
        ("a/b; name*=utf-8''gr%C3%BCn", Some("grün")),
        ("a/b; name*=iso-8859-1'en'gr%FCn", Some("grün")),
        ("a/b; name*1=b; name*0=a", Some("ab")),
        (
            "a/b; name*0*=utf-8'de'%C3; name*1*=%BC; name*2=\"%20\"",
            Some("ü%20"),
        ),
        ("a/b; name=plain; name*=utf-8''better", Some("better")),
        ("a/b; name=\"=?utf-8?Q?gr=C3=BCn?=.png\"", Some("grün.png")),
        ("a/b; name*=nothing", Some("nothing")),
        ("a/b; name*=%zz%", Some("%zz%")),
        ("a/b; names=x", None),
    ];
    for (value, expected) in table {
        assert_eq!(name(value).as_deref(), expected, "{value}");
    }
}

#[test]
fn mim_3_rfc_2231_continuations_are_bounded() {
    let value: String = (0..5000).map(|number| format!("; name*{number}*=%41")).collect();
    let content_type = ContentType::parse(format!("a/b{value}").as_bytes()).unwrap();
    assert_eq!(content_type.parameters.len(), crate::limits::PARAMETERS);
    assert_eq!(
        content_type.joined("name").unwrap().value.len(),
        crate::limits::PARAMETERS
    );
    let huge = ContentType::parse(b"a/b; name*4294967295=b; name*99999999999=c; name*0=a").unwrap();
    assert_eq!(huge.joined("name").unwrap().value, b"ab");
}

#[test]
fn mim_4_charsets_never_fail() {
    let table: &[(&str, &[u8], &str)] = &[
        ("utf-8", b"\xc0\x80\xff", "\u{fffd}\u{fffd}\u{fffd}"),
        ("us-ascii", "ä".as_bytes(), "ä"),
        ("us-ascii", b"\xe4", "ä"),
        ("no-such-charset", b"\xe4", "ä"),
        ("", b"x", "x"),
        ("iso-2022-kr", b"x", "\u{fffd}"),
        ("utf-7", b"+", ""),
        ("utf-7", b"+2AA-x", "\u{fffd}x"),
        ("utf-7", b"a+-b", "a+b"),
        ("UTF_8", "ä".as_bytes(), "ä"),
        ("cp1252", b"\x80", "€"),
        ("cp850x", b"a", "a"),
        ("iso-8859-8-i", b"\xe0", "א"),
    ];
    for (label, octets, expected) in table {
        assert_eq!(charset::to_text(label.as_bytes(), octets), *expected, "{label}");
    }
}

#[test]
fn mim_4_truncated_bodies_decode_as_far_as_they_go() {
    let whole = b"Zm9vYmFyIGJheg==";
    for cut in 0..whole.len() {
        assert!(b"foobar baz".starts_with(base64::decode(&whole[..cut]).as_slice()));
    }
    let whole = b"a=C3=A4=\r\nb=3D";
    for cut in 0..=whole.len() {
        assert!(quoted_printable::decode(&whole[..cut]).len() <= cut);
    }
    // uuencode is no transfer encoding of MIME: the octets stay as they are.
    let uu = b"begin 644 x\n#0V%T\n`\nend\n";
    assert_eq!(transfer(Encoding::parse(b"x-uuencode"), uu).as_ref(), uu);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn base64_undoes_what_the_reference_does(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let encoded = ::base64::engine::general_purpose::STANDARD.encode(&octets);
        prop_assert_eq!(base64::decode(encoded.as_bytes()), octets);
    }

    #[test]
    fn any_bytes_keep_the_promises(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::fuzz_decode(&bytes);
    }

    #[test]
    fn word_like_text_keeps_the_promises(text in "(=\\?(utf-8|utf-16|utf-7|iso-2022-jp|x)\\?[QBqbx]\\?[A-Za-z0-9=_+/ \r\n]{0,20}(\\?=)?[ \r\n]{0,3}){0,6}") {
        fuzzing::fuzz_decode(text.as_bytes());
    }
}

#[test]
fn charsets_are_read_strictly() {
    use super::charset::Charset;
    for (name, octets, text) in [
        ("US-ASCII", &b"abc"[..], Some("abc")),
        ("us-ascii", b"gr\xc3\xbc\xc3\x9fe", Some("grüße")),
        ("UTF-8", b"\xff", None),
        ("iso-8859-1", b"gr\xfc\xdfe", Some("grüße")),
        ("KOI8-R", b"\xd0\xd2\xc9", Some("при")),
        ("ISO-2022-JP", b"\x1b$BF|K\\\x1b(B", Some("日本")),
        ("cp1252", b"\x80", Some("€")),
        ("shift_jis", b"\x81", None),
        ("UTF-7", b"gr+APwA3w-e", Some("grüße")),
    ] {
        let charset = Charset::named(name.as_bytes()).expect("a known charset");
        assert_eq!(charset.decode(octets).as_deref(), text, "{name}");
    }
    for name in ["", "klingon", "iso-2022-kr", "hz-gb-2312"] {
        assert_eq!(Charset::named(name.as_bytes()), None, "{name}");
    }
}
