use proptest::prelude::*;

use super::*;
use crate::fuzzing;
use crate::limits::{MIME_DEPTH, MIME_PARTS};

/// One line a part: section-like depth, kind, type, the body's bytes.
fn outline(message: &[u8]) -> Vec<String> {
    let structure = Structure::parse(message);
    fuzzing::check_structure(message, &structure);
    let row = |part: &Part| {
        let content_type = part.content_type(message);
        let kind = match part.kind {
            Kind::Multipart => "*".to_owned(),
            Kind::Message => "@".to_owned(),
            Kind::Leaf(_) => format!("{:?}", String::from_utf8_lossy(part.body.of(message))),
        };
        format!(
            "{}{}/{} {kind} {}",
            " ".repeat(part.depth as usize),
            content_type.kind,
            content_type.subtype,
            part.lines
        )
    };
    structure.parts().iter().map(row).collect()
}

const PARTS: &[u8] = b"From: a@b.test\r\n\
Content-Type: multipart/mixed; boundary=\"outer\"\r\n\
\r\n\
preamble\r\n\
--outer\r\n\
\r\n\
first\r\n\
\r\n\
--outer \t\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: inner\r\n\
Content-Type: multipart/alternative; boundary=in\r\n\
\r\n\
--in\r\n\
Content-Type: text/plain\r\n\
\r\n\
plain\r\n\
--in\r\n\
Content-Type: text/html\r\n\
\r\n\
<p>\r\n\
--in--\r\n\
inner epilogue\r\n\
--outer\r\n\
Content-Type: multipart/digest; boundary=dig\r\n\
\r\n\
--dig\r\n\
\r\n\
Subject: digested\r\n\
\r\n\
text\r\n\
--dig--\r\n\
--outer--\r\n\
epilogue\r\n";

#[test]
fn parts_are_found_with_their_ranges() {
    assert_eq!(
        outline(PARTS),
        [
            "multipart/mixed * 32",
            " text/plain \"first\\r\\n\" 1",
            " message/rfc822 @ 12",
            "  multipart/alternative * 9",
            "   text/plain \"plain\" 0",
            "   text/html \"<p>\" 0",
            " multipart/digest * 5",
            "  message/rfc822 @ 2",
            "   text/plain \"text\" 0",
        ]
    );
}

#[test]
fn sections_count_as_imap_counts() {
    let structure = Structure::parse(PARTS);
    let body = |numbers: &[u32]| {
        let section = structure.section(numbers)?;
        Some(String::from_utf8_lossy(structure.part(section.part).body.of(PARTS)).into_owned())
    };
    let message_header = |numbers: &[u32]| {
        let inner = structure.section(numbers)?.message?;
        Some(String::from_utf8_lossy(structure.part(inner).header.of(PARTS)).into_owned())
    };
    assert_eq!(body(&[1]).as_deref(), Some("first\r\n"));
    assert_eq!(body(&[2, 1]).as_deref(), Some("plain"));
    assert_eq!(body(&[2, 2]).as_deref(), Some("<p>"));
    assert_eq!(body(&[3, 1, 1]).as_deref(), Some("text"));
    assert!(message_header(&[2]).unwrap().starts_with("Subject: inner\r\n"));
    assert_eq!(
        message_header(&[3, 1]).as_deref(),
        Some("Subject: digested\r\n\r\n")
    );
    assert!(message_header(&[]).unwrap().starts_with("From: a@b.test\r\n"));
    for missing in [
        &[0][..],
        &[4],
        &[1, 1],
        &[2, 3],
        &[2, 1, 1],
        &[3, 1, 2],
        &[3, 1, 1, 1],
        &[u32::MAX],
    ] {
        assert_eq!(structure.section(missing), None, "{missing:?}");
    }
    let plain = Structure::parse(b"Subject: x\r\n\r\nbody");
    assert_eq!(plain.section(&[1]).unwrap().part, PartId::ROOT);
    assert_eq!(plain.section(&[1, 1]), None);
    assert_eq!(plain.section(&[2]), None);
    let wrapped = Structure::parse(b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody");
    assert_eq!(wrapped.section(&[1]).unwrap().part, PartId::ROOT);
    assert_eq!(wrapped.section(&[1]).unwrap().message.unwrap().index(), 1);
    assert_eq!(wrapped.section(&[1, 1]).unwrap().part.index(), 1);
}

#[test]
fn malformed_messages_have_parts_too() {
    let table: &[(&[u8], &[&str])] = &[
        (b"", &["text/plain \"\" 0"]),
        (b"no header at all", &["text/plain \"\" 0"]),
        (b"\r\nbody\r\n", &["text/plain \"body\\r\\n\" 1"]),
        (b"Content-Type: multipart/mixed\r\n\r\nbody", &["text/plain \"body\" 0"]),
        (b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n", &["text/plain \"--\\r\\n\" 1"]),
        (b"Content-Type: multipart/mixed; boundary=b\n\nnever", &["text/plain \"never\" 0"]),
        // Cut off in the header of a part, in its body, in the delimiter.
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b", &["multipart/mixed * 0", " text/plain \"\" 0"]),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html",
            &["multipart/mixed * 1", " text/html \"\" 0"],
        ),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b-",
            &["multipart/mixed * 3", " text/plain \"x\\n--b-\" 1"],
        ),
        // The part's header has no blank line before the next delimiter.
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\nx\n--b--",
            &["multipart/mixed * 5", " text/html \"\" 0", " text/plain \"x\" 0"],
        ),
        // An empty part keeps its blank line in its header.
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--\n", &["multipart/mixed * 3", " text/plain \"\" 0"]),
        // The inner multipart never ends; the outer one does.
        (
            b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n--a--\n--b\n",
            &["multipart/mixed * 11", " multipart/mixed * 2", "  text/plain \"x\" 0", " text/plain \"y\" 0"],
        ),
        // An encoded message/rfc822 is not opened.
        (
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo=\n",
            &["application/octet-stream \"U3ViamVjdDogeAo=\\n\" 1"],
        ),
        (b"Content-Type: text\n\nx", &["text/plain \"x\" 0"]),
        (b"Content-Type: text/html\nContent-Type: image/png\n\nx", &["text/html \"x\" 0"]),
    ];
    for (message, expected) in table {
        assert_eq!(outline(message), *expected, "{}", message.escape_ascii());
    }
}

#[test]
fn delimiters_are_whole_lines() {
    // Dashes in the middle of a line, a longer and a shorter boundary, white space in front: all are content.
    let message =
        b"Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx --ab\n--abc\n--a\n --ab\n--ab--c\n--ab--\n";
    assert_eq!(
        outline(message),
        [
            "multipart/mixed * 8",
            " text/plain \"x --ab\\n--abc\\n--a\\n --ab\\n--ab--c\" 4"
        ]
    );
}

#[test]
fn mim_2_boundaries_that_are_prefixes_of_one_another_stay_apart() {
    let message = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=aa\n\n--aa\n\nx\n--aa--\n--a\n\ny\n--a--\n";
    assert_eq!(
        outline(message),
        [
            "multipart/mixed * 11",
            " multipart/mixed * 3",
            "  text/plain \"x\" 0",
            " text/plain \"y\" 0"
        ]
    );
}

fn nested_multiparts(levels: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for level in 0..levels {
        message.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").as_bytes(),
        );
    }
    message.extend_from_slice(b"\ncore\n");
    for level in (0..levels).rev() {
        message.extend_from_slice(format!("--b{level}--\n").as_bytes());
    }
    message
}

#[test]
fn mim_1_deep_nesting_ends_in_a_leaf() {
    for levels in [MIME_DEPTH - 1, MIME_DEPTH, MIME_DEPTH + 1, 1_000, 100_000] {
        let message = nested_multiparts(levels);
        let structure = Structure::parse(&message);
        fuzzing::check_structure(&message, &structure);
        assert_eq!(structure.parts().len(), levels.min(MIME_DEPTH) + 1);
        let last = structure.parts().last().unwrap();
        let expected = if levels > MIME_DEPTH {
            Leaf::NotOpened
        } else {
            Leaf::Plain
        };
        assert_eq!(last.kind, Kind::Leaf(expected));
        assert_eq!(structure.is_complete(), levels <= MIME_DEPTH);
    }
    let message = b"Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    let structure = Structure::parse(&message);
    assert_eq!(structure.parts().len(), MIME_DEPTH + 1);
    let last = structure.parts().last().unwrap();
    assert!(last.content_type(&message).is("application", "octet-stream"));
}

fn many_parts(count: usize) -> Vec<u8> {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    message.extend(b"--b\n\nx\n".repeat(count));
    message.extend_from_slice(b"--b--\n");
    message
}

#[test]
fn mim_2_many_parts_are_counted_and_capped() {
    let message = many_parts(MIME_PARTS - 1);
    let structure = Structure::parse(&message);
    assert!(structure.is_complete());
    assert_eq!(structure.parts().len(), MIME_PARTS);
    assert_eq!(structure.children(PartId::ROOT).count(), MIME_PARTS - 1);
    let message = many_parts(100_000);
    let structure = Structure::parse(&message);
    assert!(!structure.is_complete());
    assert_eq!(structure.parts().len(), MIME_PARTS);
    assert_eq!(structure.root().body.range().end, message.len());
}

/// CPU time is not asked here (no clock on this floor): the work is counted in steps of the budget instead.
fn steps(message: &[u8]) -> u64 {
    let (mut low, mut high) = (0, 1 << 40);
    let enough = |steps| {
        let budget = Budget {
            steps,
            nodes: usize::MAX,
            ..Budget::for_message(0)
        };
        Structure::parse_within(message, budget).is_complete()
    };
    while low < high {
        let middle = (low + high) / 2;
        if enough(middle) {
            high = middle
        } else {
            low = middle + 1
        }
    }
    low
}

fn boundary_like_lines(lines: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for level in 0..40 {
        let boundary = format!("{}{level:02}", "a".repeat(20));
        message.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary={boundary}\n\n--{boundary}\n").as_bytes(),
        );
    }
    message.push(b'\n');
    message.extend(format!("--{}xx\n", "a".repeat(20)).repeat(lines).as_bytes());
    message
}

#[test]
fn mim_2_time_grows_with_the_size() {
    type Make = fn(usize) -> Vec<u8>;
    let makers: [(Make, usize); 4] = [
        (many_parts, 5_000),
        (boundary_like_lines, 5_000),
        (
            |lines| {
                [
                    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n".to_vec(),
                    b"--\n".repeat(lines),
                ]
                .concat()
            },
            50_000,
        ),
        (|fields| b"A: b\n c\n".repeat(fields), 50_000),
    ];
    for (make, size) in makers {
        let (once, twice) = (steps(&make(size)), steps(&make(2 * size)));
        assert!(twice as f64 <= 2.3 * once as f64, "{once} {twice}");
        assert!(once > 0);
    }
}

#[test]
fn the_budget_ends_a_parse_early_and_says_so() {
    let whole = Structure::parse(PARTS);
    assert!(whole.is_complete());
    for bytes in 0..PARTS.len() {
        let cut = Structure::parse_within(
            PARTS,
            Budget {
                bytes,
                ..Budget::for_message(PARTS.len())
            },
        );
        assert!(!cut.is_complete());
        fuzzing::check_structure(&PARTS[..bytes], &cut);
    }
    for steps in 0..200 {
        let cut = Structure::parse_within(
            PARTS,
            Budget {
                steps,
                ..Budget::for_message(0)
            },
        );
        assert!(!cut.is_complete());
        fuzzing::check_structure(PARTS, &cut);
        assert_eq!(cut.root().body.range().end, PARTS.len());
    }
    for nodes in 1..9 {
        let cut = Structure::parse_within(
            PARTS,
            Budget {
                nodes,
                ..Budget::for_message(PARTS.len())
            },
        );
        assert!(!cut.is_complete() && cut.parts().len() <= nodes, "{nodes}");
        fuzzing::check_structure(PARTS, &cut);
    }
}

#[test]
fn mim_4_cr_only_parts_are_one_line() {
    let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\rb\r--b--\rc\r\n--b--\r\n";
    assert_eq!(
        outline(message),
        ["multipart/mixed * 4", " text/plain \"a\\rb\\r--b--\\rc\" 0"]
    );
}

fn mime_like() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=a",
            "Content-Type: multipart/digest; boundary=aa",
            "Content-Type: message/rfc822",
            "Content-Type: text/plain",
            "Content-Type: multipart/mixed;\r\n boundary*0=a; boundary*1=b",
            "Content-Transfer-Encoding: base64",
            "",
            "",
            "--a",
            "--a--",
            "--aa",
            "--aa--",
            "--ab",
            "--ab--",
            "text",
            " ",
            "--",
        ]),
        0..40,
    )
    .prop_flat_map(|lines| prop::sample::select(vec!["\r\n", "\n"]).prop_map(move |end| lines.join(end)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn mime_like_text_keeps_the_promises(text in mime_like()) {
        fuzzing::fuzz_mime(text.as_bytes());
    }

    #[test]
    fn any_bytes_keep_the_promises(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::fuzz_mime(&bytes);
    }
}
