use proptest::prelude::*;

use super::*;
use crate::command::Command;
use crate::fuzzing;

/// RFC 3501 §6.4.5, the example of part numbers, made flesh.
const MESSAGE: &[u8] = b"From: a@x\r\nSubject: outer\r\nX-A: 1\r\n two\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n\
--o\r\nContent-Type: text/plain\r\n\r\none\r\n\
--o\r\nContent-Type: application/octet-stream\r\nX-P: 2\r\n\r\ntwo\r\n\
--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: three\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n\
--i\r\n\r\nthree-one\r\n--i\r\nX-Q: 3\r\n\r\nthree-two\r\n--i--\r\n\
--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: four\r\n\r\nfour text\r\n\
--o--\r\n";

fn items(line: &str) -> Vec<FetchItem> {
    let frame = format!("a FETCH 1 {line}\r\n");
    match crate::parse::request(frame.as_bytes())
        .expect("a command")
        .command
    {
        Command::Fetch(fetch) => fetch.items,
        other => panic!("{other:?}"),
    }
}

fn fetched(message: &[u8], item: &str) -> Option<String> {
    let structure = Structure::parse(message);
    let taken = with_octets(message, &structure, &items(item)[0], |octets| match octets {
        Octets::Nil => None,
        Octets::Of(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
    });
    taken.expect("an item with octets")
}

#[test]
fn sections_name_what_rfc_3501_says() {
    let outer_header =
        "From: a@x\r\nSubject: outer\r\nX-A: 1\r\n two\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n";
    let three_header = "Subject: three\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n";
    for (item, wanted) in [
        ("BODY[HEADER]", Some(outer_header)),
        ("RFC822.HEADER", Some(outer_header)),
        ("BODY[1]", Some("one")),
        ("BODY[1.MIME]", Some("Content-Type: text/plain\r\n\r\n")),
        ("BODY[2]", Some("two")),
        (
            "BODY[2.MIME]",
            Some("Content-Type: application/octet-stream\r\nX-P: 2\r\n\r\n"),
        ),
        ("BODY[3.HEADER]", Some(three_header)),
        ("BODY[3.MIME]", Some("Content-Type: message/rfc822\r\n\r\n")),
        ("BODY[3.1]", Some("three-one")),
        ("BODY[3.2]", Some("three-two")),
        ("BODY[3.2.MIME]", Some("X-Q: 3\r\n\r\n")),
        ("BODY[4]", Some("Subject: four\r\n\r\nfour text")),
        ("BODY[4.TEXT]", Some("four text")),
        ("BODY[4.1]", Some("four text")),
        ("BODY[4.HEADER.FIELDS (subject)]", Some("Subject: four\r\n\r\n")),
        ("BODY[1.1]", None),
        ("BODY[5]", None),
        ("BODY[1.HEADER]", None),
        ("BODY[2.TEXT]", None),
        ("BODY[2.HEADER.FIELDS (a)]", None),
        (
            "BODY[HEADER.FIELDS (x-a from)]",
            Some("From: a@x\r\nX-A: 1\r\n two\r\n\r\n"),
        ),
        (
            "BODY[HEADER.FIELDS.NOT (X-A From Content-Type)]",
            Some("Subject: outer\r\n\r\n"),
        ),
        ("BODY[HEADER.FIELDS (Bcc)]", Some("\r\n")),
        ("BODY[1]<1.1>", Some("n")),
        ("BODY[1]<2.100>", Some("e")),
        ("BODY[1]<3.1>", Some("")),
        ("BODY[1]<4000000000.4000000000>", Some("")),
    ] {
        assert_eq!(fetched(MESSAGE, item).as_deref(), wanted, "{item}");
    }
    let whole = String::from_utf8(MESSAGE.to_vec()).expect("ASCII");
    assert_eq!(fetched(MESSAGE, "BODY[]"), Some(whole.clone()));
    assert_eq!(fetched(MESSAGE, "RFC822"), Some(whole.clone()));
    assert_eq!(
        fetched(MESSAGE, "BODY[TEXT]"),
        whole.strip_prefix(outer_header).map(str::to_owned)
    );
}

#[test]
fn an_unknown_encoding_is_seen_without_decoding() {
    let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n\
        --b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nabc\r\n\
        --b\r\n\r\nplain\r\n--b--\r\n";
    let structure = Structure::parse(message);
    for (part, unknown) in [("", false), ("1", false), ("2", true), ("3", false), ("4", false)] {
        let item = items(&format!("BINARY.SIZE[{part}]"));
        let [FetchItem::BinarySize(section)] = item.as_slice() else {
            panic!("{item:?}")
        };
        assert_eq!(
            has_unknown_encoding(message, &structure, section),
            unknown,
            "{part}"
        );
        let decoded = decode(message, &structure, section);
        assert_eq!(decoded == Decoded::UnknownEncoding, unknown, "{part}");
    }
}

#[test]
fn a_message_without_parts_has_part_one() {
    let message = b"Subject: x\r\n\r\ntext\r\n";
    assert_eq!(fetched(message, "BODY[1]").as_deref(), Some("text\r\n"));
    assert_eq!(
        fetched(message, "BODY[1.MIME]").as_deref(),
        Some("Subject: x\r\n\r\n")
    );
    assert_eq!(fetched(message, "BODY[2]"), None);
    assert_eq!(
        fetched(b"Subject: x", "BODY[HEADER.FIELDS (Subject)]").as_deref(),
        Some("Subject: x\r\n\r\n")
    );
    assert_eq!(fetched(b"", "BODY[]").as_deref(), Some(""));
}

#[test]
fn header_items_do_not_need_the_body() {
    for (line, wanted) in [
        ("BODY[HEADER]", true),
        ("BODY.PEEK[HEADER.FIELDS (a)]", true),
        ("RFC822.HEADER", true),
        ("BODY[1.HEADER]", false),
        ("BODY[]", false),
        ("RFC822", false),
        ("ENVELOPE", false),
    ] {
        assert_eq!(needs_header_only(&items(line)[0]), wanted, "{line}");
    }
    assert_eq!(section_of(&FetchItem::Flags), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn listed_and_unlisted_fields_make_the_whole_header(names in proptest::collection::vec("[A-Ca-c]{1}", 1..4), header in "([A-D]: [a-z]{0,5}\r\n( [a-z]{1,3}\r\n)?){0,8}") {
        let message = format!("{header}\r\nbody");
        let structure = Structure::parse(message.as_bytes());
        let size = |text| {
            let section = Section { part: Vec::new(), text };
            resolve(message.as_bytes(), &structure, &section).expect("a header").len()
        };
        let both = size(SectionText::HeaderFields(names.clone())) + size(SectionText::HeaderFieldsNot(names));
        prop_assert_eq!(both, size(SectionText::Header) + 2);
    }

    #[test]
    fn any_message_has_sections(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let items = b"(BODY[1] BODY[1.MIME] BODY[TEXT]<3.4> BODY[HEADER.FIELDS (a)] BODY[1.1.HEADER] RFC822)\r\n";
        fuzzing::fuzz_sections(&[items.as_slice(), &bytes].concat());
        fuzzing::fuzz_names(&bytes);
        fuzzing::fuzz_session(&bytes);
    }
}
