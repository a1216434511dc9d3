use proptest::prelude::*;

use super::*;
use crate::fuzzing::events;

/// Feeds everything; answers literals and accepts messages; what came out, one line each.
fn run(framer: &mut Framer, stream: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = stream;
    loop {
        let (used, progress) = framer.feed(rest);
        match progress {
            Progress::NeedMore => return told,
            Progress::Command(frame) => told.push(format!("command {}", frame.bytes().escape_ascii())),
            Progress::Continue => told.push("continue".to_owned()),
            Progress::AppendMore(line) => {
                told.push(format!("more {}", line.escape_ascii()));
                framer.accept_append();
            }
            Progress::AppendLast(line) => told.push(format!("last {}", line.escape_ascii())),
            Progress::Append(frame) => {
                told.push(format!("append {}", frame.bytes().escape_ascii()));
                if framer.accept_append() {
                    told.push("continue".to_owned());
                }
            }
            Progress::AppendOctets => told.push(format!("octets {}", rest[..used].escape_ascii())),
            Progress::AppendEnd { clean } => told.push(format!("end {clean}")),
            Progress::Line(line) => told.push(format!("line {}", line.escape_ascii())),
            Progress::Refused(refusal) => {
                told.push(format!(
                    "refused {:?} {:?}",
                    refusal.tag.as_ref().map(Tag::as_str),
                    refusal.why
                ));
            }
            Progress::Close(why) => {
                told.push(format!("close {why:?}"));
                return told;
            }
        }
        rest = &rest[used..];
    }
}

fn before_sign_in() -> Framer {
    Framer::default()
}

fn after_sign_in() -> Framer {
    let mut framer = Framer::default();
    framer.signed_in();
    framer
}

#[test]
fn commands_end_at_crlf_and_go_on_after_literals() {
    let stream = b"A1 NOOP\r\nA2 LOGIN {5}\r\nalice {3+}\r\na\r\n\r\nA3 NO\rOP\r\n";
    assert_eq!(
        run(&mut before_sign_in(), stream),
        [
            "command A1 NOOP\\r\\n",
            "continue",
            "command A2 LOGIN {5}\\r\\nalice {3+}\\r\\na\\r\\n\\r\\n",
            "command A3 NO\\rOP\\r\\n",
        ]
    );
}

#[test]
fn an_idle_framer_holds_nothing() {
    let mut framer = before_sign_in();
    assert!(framer.is_idle());
    framer.feed(b"A1 NO");
    assert!(!framer.is_idle());
    framer.feed(b"OP\r\n");
    assert!(framer.is_idle());
    assert_eq!(framer.buffer.capacity(), 0);
    assert_eq!(framer.feed(b""), (0, Progress::NeedMore));
}

#[test]
fn announcements_are_read_like_the_grammar_says() {
    for (line, wanted) in [
        ("x {5}", Some(Ok((5, true, false)))),
        ("x {5+}", Some(Ok((5, false, false)))),
        ("x ~{5}", Some(Ok((5, true, true)))),
        ("x ~{0+}", Some(Ok((0, false, true)))),
        ("{00005}", Some(Ok((5, true, false)))),
        ("x {18446744073709551615}", Some(Ok((u64::MAX, true, false)))),
        ("x {18446744073709551616+}", Some(Err(()))),
        ("x {}", None),
        ("x {+}", None),
        ("x {5-}", None),
        ("x {5} ", None),
        ("x 5}", None),
        ("5}", None),
        ("}", None),
        ("", None),
    ] {
        let found = announced(line.as_bytes());
        let found =
            found.map(|found| found.map(|found| (found.size_bytes, found.synchronising, found.binary)));
        assert_eq!(found, wanted, "{line}");
    }
}

#[test]
fn imp_1_before_sign_in_a_command_has_8_kib() {
    let long = [b"A1 LOGIN ".as_slice(), &[b'x'; 9000], b" y\r\nA2 NOOP\r\n"].concat();
    assert_eq!(
        run(&mut before_sign_in(), &long),
        ["refused Some(\"A1\") TooLong", "command A2 NOOP\\r\\n"]
    );
    let parentheses = [b'('; 200_000];
    let told = run(&mut before_sign_in(), &parentheses);
    assert_eq!(told, ["refused None TooLong", "close TooLong"]);
    let endless_tag = [b'a'; 100_000];
    assert_eq!(
        run(&mut before_sign_in(), &endless_tag),
        ["refused None TooLong", "close TooLong"]
    );
}

#[test]
fn imp_1_announced_sizes_are_not_allocated() {
    for (stream, wanted) in [
        ("A1 LOGIN {4294967295+}\r\n", vec!["close LiteralTooLarge"]),
        ("A1 LOGIN {99999999999999999999+}\r\n", vec!["close BadLiteral"]),
        (
            "A1 LOGIN {4294967295}\r\nA2 NOOP\r\n",
            vec!["refused Some(\"A1\") LiteralTooLarge", "command A2 NOOP\\r\\n"],
        ),
        (
            "A1 LOGIN {8193}\r\nA2 NOOP\r\n",
            vec!["refused Some(\"A1\") LiteralTooLarge", "command A2 NOOP\\r\\n"],
        ),
        ("A1 LOGIN {8000}\r\n", vec!["continue"]),
    ] {
        let mut framer = before_sign_in();
        assert_eq!(run(&mut framer, stream.as_bytes()), wanted, "{stream}");
        assert!(framer.buffer.capacity() <= 64, "only what arrived is held");
    }
}

#[test]
fn imp_1_many_small_literals_stay_within_the_command() {
    let mut framer = before_sign_in();
    let mut told = run(&mut framer, b"A1 LOGIN");
    for _ in 0..20 {
        told.extend(run(&mut framer, b" {1000+}\r\n"));
        told.extend(run(&mut framer, &[b'x'; 1000]));
    }
    told.extend(run(&mut framer, b"\r\nA2 NOOP\r\n"));
    assert_eq!(
        told,
        ["refused Some(\"A1\") LiteralTooLarge", "command A2 NOOP\\r\\n"]
    );
}

#[test]
fn literal_minus_holds_before_sign_in_only() {
    let big = [
        b"A1 LOGIN {4097+}\r\n".as_slice(),
        &[b'x'; 4097],
        b" y\r\nA2 NOOP\r\n",
    ]
    .concat();
    assert_eq!(
        run(&mut before_sign_in(), &big),
        ["refused Some(\"A1\") NotSynchronising", "command A2 NOOP\\r\\n"]
    );
    assert_eq!(run(&mut after_sign_in(), &big).len(), 2);
    let fits = [b"A1 LOGIN {4096+}\r\n".as_slice(), &[b'x'; 4096], b" y\r\n"].concat();
    assert_eq!(run(&mut before_sign_in(), &fits).len(), 1);
    assert!(run(&mut before_sign_in(), &fits)[0].starts_with("command"));
}

/// A logout hidden where only a confused server would look for a command.
#[test]
fn imp_9_octets_of_a_refused_literal_are_never_a_command() {
    let hidden = b"x\r\nA2 LOGOUT\r\nyyyyyy";
    let size = hidden.len();
    assert_eq!(size, 20, "the table counts on it");
    let small_limit = || {
        let mut framer = Framer::new(10);
        framer.signed_in();
        framer
    };
    let table: [(Framer, Vec<u8>, Vec<&str>); 5] = [
        (
            small_limit(),
            [
                format!("A1 SELECT {{{size}+}}\r\n").as_bytes(),
                hidden,
                b"\r\nA3 NOOP\r\n",
            ]
            .concat(),
            vec!["refused Some(\"A1\") LiteralTooLarge", "command A3 NOOP\\r\\n"],
        ),
        (
            small_limit(),
            [
                format!("A1 LOGIN {{{size}+}}\r\n").as_bytes(),
                hidden,
                format!(" {{{size}+}}\r\n").as_bytes(),
                hidden,
                b"\r\nA3 NOOP\r\n",
            ]
            .concat(),
            vec!["refused Some(\"A1\") LiteralTooLarge", "command A3 NOOP\\r\\n"],
        ),
        (
            before_sign_in(),
            [
                &[b'a'; 9000],
                format!(" {{{size}+}}\r\n").as_bytes(),
                hidden,
                b"\r\nA3 NOOP\r\n",
            ]
            .concat(),
            vec!["refused None TooLong", "command A3 NOOP\\r\\n"],
        ),
        (
            before_sign_in(),
            [
                b"A1 LOGIN {5000+}\r\n".as_slice(),
                &[b'x'; 4980],
                hidden,
                b"\r\nA3 NOOP\r\n",
            ]
            .concat(),
            vec!["refused Some(\"A1\") NotSynchronising", "command A3 NOOP\\r\\n"],
        ),
        (
            before_sign_in(),
            [b"A1 LOGIN {70000+}\r\n".as_slice(), hidden].concat(),
            vec!["close LiteralTooLarge"],
        ),
    ];
    for (mut framer, stream, wanted) in table {
        assert_eq!(run(&mut framer, &stream), wanted, "{}", stream.escape_ascii());
    }
}

#[test]
fn imp_9_a_size_cut_off_by_the_drain_closes() {
    let zeros = "0".repeat(40);
    let stream = [
        &[b'a'; 9000],
        format!(" {{{zeros}20+}}\r\n").as_bytes(),
        b"A2 LOGOUT\r\n",
    ]
    .concat();
    assert_eq!(
        run(&mut before_sign_in(), &stream),
        ["refused None TooLong", "close BadLiteral"]
    );
}

#[test]
fn imp_9_bare_lf_closes() {
    assert_eq!(
        run(&mut before_sign_in(), b"A1 LOGIN a {5+}\nA2 LOGOUT\r\n"),
        ["close BareLf"]
    );
    assert_eq!(
        run(&mut after_sign_in(), b"A1 NOOP\nA2 NOOP\r\n"),
        ["close BareLf"]
    );
}

#[test]
fn append_streams_its_message() {
    let mut framer = after_sign_in();
    assert_eq!(
        run(
            &mut framer,
            b"A1 append INBOX (\\Seen) {10}\r\nab\r\nA2 NOO\r\nA2 NOOP\r\n"
        ),
        [
            "append A1 append INBOX (\\\\Seen) {10}\\r\\n",
            "continue",
            "octets ab\\r\\nA2 NOO",
            "end true",
            "command A2 NOOP\\r\\n"
        ]
    );
    assert_eq!(
        run(&mut framer, b"A1 APPEND {5+}\r\nINBOX {0+}\r\n\r\nA2 NOOP\r\n"),
        [
            "append A1 APPEND {5+}\\r\\nINBOX {0+}\\r\\n",
            "end true",
            "command A2 NOOP\\r\\n"
        ]
    );
    assert!(framer.is_idle());
}

#[test]
fn a_huge_append_buffers_nothing() {
    let mut framer = after_sign_in();
    let told = run(&mut framer, b"A1 APPEND INBOX {10737418240+}\r\nabc");
    assert_eq!(
        told,
        ["append A1 APPEND INBOX {10737418240+}\\r\\n", "octets abc"]
    );
    assert_eq!(framer.buffer.capacity(), 0);
    assert_eq!(framer.refuse_append(), Recovery::Close);
    assert_eq!(
        framer.feed(b"A2 NOOP\r\n").1,
        Progress::Close(Why::LiteralTooLarge)
    );
}

#[test]
fn a_refused_append_is_drained() {
    let offer = |framer: &mut Framer, head: &[u8]| {
        let (used, progress) = framer.feed(head);
        assert_eq!(used, head.len());
        assert!(matches!(progress, Progress::Append(_)));
    };
    let mut framer = after_sign_in();
    offer(&mut framer, b"A1 APPEND INBOX {20}\r\n");
    assert_eq!(framer.refuse_append(), Recovery::GoOn, "the client sends nothing");
    assert_eq!(run(&mut framer, b"A2 NOOP\r\n"), ["command A2 NOOP\\r\\n"]);

    offer(&mut framer, b"A3 APPEND INBOX {20+}\r\n");
    assert_eq!(framer.refuse_append(), Recovery::GoOn);
    assert_eq!(
        run(&mut framer, b"x\r\nA4 LOGOUT\r\nyyyyyy\r\nA5 NOOP\r\n"),
        ["command A5 NOOP\\r\\n"]
    );

    offer(&mut framer, b"A6 APPEND INBOX {20+}\r\n");
    assert!(!framer.accept_append());
    assert_eq!(framer.feed(b"x\r\n"), (3, Progress::AppendOctets));
    assert_eq!(framer.refuse_append(), Recovery::GoOn, "given up in the middle");
    assert_eq!(
        run(&mut framer, b"A7 LOGOUT\r\nyyyyyy\r\nA8 NOOP\r\n"),
        ["command A8 NOOP\\r\\n"]
    );
}

#[test]
fn another_message_may_follow() {
    for chunk in [1, 2, 1000] {
        let mut framer = after_sign_in();
        let stream = "A1 APPEND INBOX UTF8 (~{2+}\r\nhi) (\\Seen) {3+}\r\nyou ~{1+}\r\n!\r\nA2 UID REPLACE 3 {1+}\r\na {2+}\r\nhi\r\n";
        let told: Vec<String> = stream
            .as_bytes()
            .chunks(chunk)
            .flat_map(|piece| run(&mut framer, piece))
            .filter(|line| !line.starts_with("octets"))
            .collect();
        assert_eq!(
            told,
            [
                "append A1 APPEND INBOX UTF8 (~{2+}\\r\\n",
                "more  (\\\\Seen) {3+}\\r\\n",
                "more  ~{1+}\\r\\n",
                "end true",
                "append A2 UID REPLACE 3 {1+}\\r\\na {2+}\\r\\n",
                "end true",
            ],
            "{chunk}"
        );
    }
}

/// RFC 4469: parts stream like messages, URLs are parts of the lines between them, as literals too.
#[test]
fn parts_of_a_catenated_message_stream() {
    for chunk in [1, 2, 1000] {
        let mut framer = after_sign_in();
        let stream = "A1 APPEND x CATENATE (URL {2+}\r\n/a TEXT {2+}\r\nhi URL /b TEXT ~{1+}\r\n! URL {2+}\r\n/c) (\\Seen) {3+}\r\nyou\r\n\
             A2 APPEND x (\\Seen) catenate (text {2+}\r\nhi)\r\nA3 APPEND x {1+}\r\na CATENATE (URL /d URL {1+}\r\ne)\r\n\
             A4 APPEND x CATENATE (URL /f)\r\nA5 APPEND URL {2+}\r\nhi\r\nA6 APPEND TEXT {2+}\r\nhi\r\nA7 NOOP\r\n";
        let told: Vec<String> = stream
            .as_bytes()
            .chunks(chunk)
            .flat_map(|piece| run(&mut framer, piece))
            .filter(|line| !line.starts_with("octets"))
            .collect();
        assert_eq!(
            told,
            [
                "append A1 APPEND x CATENATE (URL {2+}\\r\\n/a TEXT {2+}\\r\\n",
                "more  URL /b TEXT ~{1+}\\r\\n",
                "more  URL {2+}\\r\\n/c) (\\\\Seen) {3+}\\r\\n",
                "end true",
                "append A2 APPEND x (\\\\Seen) catenate (text {2+}\\r\\n",
                "last )\\r\\n",
                "append A3 APPEND x {1+}\\r\\n",
                "last  CATENATE (URL /d URL {1+}\\r\\ne)\\r\\n",
                "command A4 APPEND x CATENATE (URL /f)\\r\\n",
                "append A5 APPEND URL {2+}\\r\\n",
                "end true",
                "append A6 APPEND TEXT {2+}\\r\\n",
                "end true",
                "command A7 NOOP\\r\\n",
            ],
            "{chunk}"
        );
    }
}

/// A URL that is too long for a command is thrown away with the rest, and nothing of it is taken for a command (IMP-9).
#[test]
fn imp_9_a_refused_url_of_a_catenation_is_drained() {
    let mut framer = after_sign_in();
    let url = "\r\nA9 LOGOUT\r\n".repeat(6000);
    let stream = format!(
        "A1 APPEND x CATENATE (TEXT {{2+}}\r\nhi URL {{{}+}}\r\n{url})\r\nA2 NOOP\r\n",
        url.len()
    );
    let told: Vec<String> = run(&mut framer, stream.as_bytes())
        .into_iter()
        .filter(|line| !line.starts_with("octets"))
        .collect();
    assert_eq!(told[1..], ["end false", "command A2 NOOP\\r\\n"]);
    let long = "x".repeat(limits::LINE_BYTES);
    let stream = format!("A1 APPEND x CATENATE (TEXT {{2+}}\r\nhi URL {long})\r\nA2 NOOP\r\n");
    let told = run(&mut framer, stream.as_bytes());
    assert_eq!(told[told.len() - 2..], ["end false", "command A2 NOOP\\r\\n"]);
}

#[test]
fn more_after_the_message_is_not_clean_and_drained() {
    for tail in ["garbage\r\n", "x {3+}\r\nA9 \r\n", "\rx\r\n", " \r\n", ")\r\n"] {
        for chunk in [1, 2, 1000] {
            let mut framer = after_sign_in();
            let stream = format!("A1 APPEND INBOX {{2+}}\r\nhi{tail}A2 NOOP\r\n");
            let told: Vec<String> = stream
                .as_bytes()
                .chunks(chunk)
                .flat_map(|piece| run(&mut framer, piece))
                .collect();
            let told: Vec<&str> = told
                .iter()
                .filter(|line| !line.starts_with("octets"))
                .map(String::as_str)
                .collect();
            assert_eq!(
                told[1..],
                ["end false", "command A2 NOOP\\r\\n"],
                "{tail:?} {chunk}"
            );
        }
    }
}

#[test]
fn raw_lines_are_not_commands() {
    let mut framer = after_sign_in();
    framer.expect_line();
    assert_eq!(
        run(&mut framer, b"DONE\r\nA2 NOOP\r\n"),
        ["line DONE", "command A2 NOOP\\r\\n"]
    );
    framer.expect_line();
    assert_eq!(run(&mut framer, b"x {5}\r\n"), ["line x {5}"]);
    framer.expect_line();
    assert_eq!(run(&mut framer, &[b'x'; 20_000]), ["close TooLong"]);
}

/// Streams made of pieces that matter to framing.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"A1 NOOP\r\n".to_vec()),
        Just(b"A2 LOGIN {3}\r\n".to_vec()),
        Just(b"A3 LOGIN {3+}\r\n".to_vec()),
        Just(b"A4 LOGIN {5000+}\r\n".to_vec()),
        Just(b"A5 APPEND INBOX {7+}\r\n".to_vec()),
        Just(b"A6 APPEND {5}\r\nINBOX {70000000+}\r\n".to_vec()),
        Just(b"A7 APPEND INBOX {0}\r\n".to_vec()),
        Just(b"A8 APPEND ../x {4}\r\n".to_vec()),
        Just(b"A9 APPEND x CATENATE (TEXT {3+}\r\n".to_vec()),
        Just(b"B1 APPEND x CATENATE (URL {2+}\r\n".to_vec()),
        Just(b" URL {2+}\r\n".to_vec()),
        Just(b" TEXT {2}\r\n".to_vec()),
        Just(b")\r\n".to_vec()),
        Just(vec![b'x'; 9000]),
        Just(b"abc".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"}\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn chunking_never_changes_the_framing(stream in stream(), signed_in in any::<bool>(), chunk in 1usize..200) {
        prop_assert_eq!(events(&stream, signed_in, stream.len().max(1)), events(&stream, signed_in, chunk));
        prop_assert_eq!(events(&stream, signed_in, 1), events(&stream, signed_in, chunk));
    }
}
