//! Message text: the end of DATA, dots, bare octets, however it is cut.

use proptest::prelude::*;
use smtp::text::Decoder;
use smtp::{BareBytes, Fault, TextRules};

const REFUSE: TextRules = TextRules {
    bare_bytes: BareBytes::Refuse,
    line_limit_bytes: 998,
};
const NORMALISE: TextRules = TextRules {
    bare_bytes: BareBytes::Normalise,
    line_limit_bytes: 998,
};

/// What came out of DATA.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// nothing when the message is refused: then nobody may use its text
    text: Option<Vec<u8>>,
    fault: Option<Fault>,
    /// octets up to and with the end; `None` while there is no end
    ended_at: Option<usize>,
}

fn decode(rules: TextRules, input: &[u8], cuts: &[usize]) -> Outcome {
    let mut decoder = Decoder::data(rules);
    let (mut text, mut at, mut turn) = (Vec::new(), 0, 0);
    while at < input.len() && !decoder.ended() {
        let width = cuts
            .get(turn % cuts.len().max(1))
            .copied()
            .unwrap_or(input.len())
            .max(1);
        turn += 1;
        let piece = decoder.next(&input[at..input.len().min(at + width)]);
        text.extend_from_slice(piece.text);
        at += piece.consumed;
    }
    let fault = decoder.fault();
    Outcome {
        text: fault.is_none().then_some(text),
        fault,
        ended_at: decoder.ended().then_some(at),
    }
}

/// What a client does to a message on its way into DATA.
fn stuff(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut line_start = true;
    for &byte in message {
        if line_start && byte == b'.' {
            wire.push(b'.');
        }
        wire.push(byte);
        line_start = byte == b'\n';
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[test]
fn smg_1_only_crlf_dot_crlf_ends_data() {
    let false_ends: [&[u8]; 12] = [
        b"\n.\n",
        b"\n.\r",
        b"\r.\n",
        b"\r.\r",
        b"\n.\r\n",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
    ];
    for false_end in false_ends {
        let mut input = b"Subject: x\r\n\r\nbody".to_vec();
        input.extend_from_slice(false_end);
        let smuggled = b"MAIL FROM:<evil@example.org>\r\nDATA\r\nsmuggled\r\n.\r\n";
        input.extend_from_slice(smuggled);
        let after = b"QUIT\r\n";
        let true_end = input.len();
        input.extend_from_slice(after);
        for rules in [REFUSE, NORMALISE] {
            let outcome = decode(rules, &input, &[]);
            assert_eq!(
                outcome.ended_at,
                Some(true_end),
                "{:?}",
                false_end.escape_ascii().to_string()
            );
            assert_eq!(
                outcome.fault.is_some(),
                rules == REFUSE,
                "{:?}",
                false_end.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn smg_2_bare_octets_are_faults_or_normalised() {
    let table: &[(&str, Option<Fault>, &str)] = &[
        ("a\nb\r\n", Some(Fault::BareLf), "a\r\nb\r\n"),
        ("\na\r\n", Some(Fault::BareLf), "\r\na\r\n"),
        ("a\rb\r\n", Some(Fault::BareCr), "a\r\nb\r\n"),
        ("\ra\r\n", Some(Fault::BareCr), "\r\na\r\n"),
        ("a\r\r\n", Some(Fault::BareCr), "a\r\n\r\n"),
        ("a\0b\r\n", Some(Fault::Nul), "ab\r\n"),
        ("\0\r\n", Some(Fault::Nul), "\r\n"),
        ("a\n.\nb\r\n", Some(Fault::BareLf), "a\r\n.\r\nb\r\n"),
        (".\na\r\n", Some(Fault::BareLf), "\r\na\r\n"),
        (".\ra\r\n", Some(Fault::BareCr), "\r\na\r\n"),
        ("..\r\n", None, ".\r\n"),
        ("ok\r\n", None, "ok\r\n"),
        ("", None, ""),
    ];
    for (text, fault, normalised) in table {
        let wire = format!("{text}.\r\n");
        for cuts in [&[][..], &[1], &[2], &[3]] {
            let strict = decode(REFUSE, wire.as_bytes(), cuts);
            assert_eq!(strict.fault, *fault, "{text:?}");
            assert_eq!(strict.ended_at, Some(wire.len()), "{text:?}");
            let lenient = decode(NORMALISE, wire.as_bytes(), cuts);
            assert_eq!(lenient.text.as_deref(), Some(normalised.as_bytes()), "{text:?}");
        }
    }
}

#[test]
fn smt_1_a_text_line_has_at_most_998_octets() {
    for (length, fault) in [
        (998, None),
        (999, Some(Fault::LongLine)),
        (100_000, Some(Fault::LongLine)),
    ] {
        let wire = format!("short\r\n{}\r\nshort\r\n.\r\n", "x".repeat(length));
        for rules in [REFUSE, NORMALISE] {
            let outcome = decode(rules, wire.as_bytes(), &[700]);
            assert_eq!(
                (outcome.fault, outcome.ended_at),
                (fault, Some(wire.len())),
                "{length}"
            );
        }
    }
}

#[test]
fn chunks_keep_their_state_and_the_last_line_is_ended() {
    let table: &[(&[&str], Option<Fault>, &str)] = &[
        (&["a\r", "\nb\r\n"], None, "a\r\nb\r\n"),
        (&["a\r\n", ".\r\n", "b"], None, "a\r\n.\r\nb\r\n"),
        (&["a\r", "b\r\n"], Some(Fault::BareCr), ""),
        (&["a", "\nb"], Some(Fault::BareLf), ""),
        (&["a\r"], Some(Fault::BareCr), ""),
        (&[""], None, ""),
    ];
    for (chunks, fault, want) in table {
        let mut decoder = Decoder::chunked(REFUSE);
        let mut text = Vec::new();
        for chunk in *chunks {
            let mut rest = chunk.as_bytes();
            while !rest.is_empty() {
                let piece = decoder.next(rest);
                text.extend_from_slice(piece.text);
                rest = &rest[piece.consumed..];
            }
        }
        text.extend_from_slice(decoder.close());
        assert_eq!(decoder.fault(), *fault, "{chunks:?}");
        if fault.is_none() {
            assert_eq!(String::from_utf8_lossy(&text), *want, "{chunks:?}");
        }
    }
}

fn clean_message() -> impl Strategy<Value = Vec<u8>> {
    let line = proptest::collection::vec(prop_oneof![3 => Just(b'.'), 5 => 1u8..=9, 5 => 14u8..=255], 0..40);
    proptest::collection::vec(line, 0..20).prop_map(|lines| {
        let mut message = Vec::new();
        for line in lines {
            message.extend_from_slice(&line);
            message.extend_from_slice(b"\r\n");
        }
        message
    })
}

fn hostile_text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(0u8), Just(b'a')];
    proptest::collection::vec(byte, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn smg_6_dots_come_back_as_they_were(message in clean_message(), cuts in proptest::collection::vec(1usize..9, 1..9)) {
        let wire = stuff(&message);
        let outcome = decode(REFUSE, &wire, &cuts);
        prop_assert_eq!(outcome.text, Some(message));
        prop_assert_eq!(outcome.ended_at, Some(wire.len()));
    }

    #[test]
    fn cuts_never_change_the_outcome(input in hostile_text(), cuts in proptest::collection::vec(1usize..5, 1..9)) {
        for rules in [REFUSE, NORMALISE] {
            let whole = decode(rules, &input, &[]);
            prop_assert_eq!(&decode(rules, &input, &cuts), &whole);
        }
    }

    #[test]
    fn the_end_is_where_crlf_dot_crlf_is(input in hostile_text()) {
        let mut marked = b"\r\n".to_vec();
        marked.extend_from_slice(&input);
        let want = marked.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| at + 3);
        for rules in [REFUSE, NORMALISE] {
            prop_assert_eq!(decode(rules, &input, &[]).ended_at, want);
        }
    }

    #[test]
    fn normalised_text_is_clean(input in hostile_text()) {
        let text = decode(NORMALISE, &input, &[2]).text.unwrap_or_default();
        prop_assert!(!text.contains(&0));
        for (at, byte) in text.iter().enumerate() {
            prop_assert!(*byte != b'\n' || (at > 0 && text[at - 1] == b'\r'));
            prop_assert!(*byte != b'\r' || text.get(at + 1).is_none_or(|next| *next == b'\n'));
        }
    }

    #[test]
    fn the_fuzz_entries_hold_on_random_input(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        smtp::fuzzing::fuzz_data(&bytes);
        smtp::fuzzing::fuzz_command(&bytes);
        let _ = smtp::fuzzing::fuzz_session(&bytes);
    }
}
