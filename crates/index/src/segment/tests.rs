use mail::header::body_start;
use proptest::prelude::*;

use super::*;
use crate::question::{Place, Question};

/// Describes a message by its size.
pub(crate) struct Plain;

impl Describe for Plain {
    fn version(&self) -> u16 {
        1
    }
    fn describe(&self, message: &[u8], _: &Structure) -> Described {
        assert!(memchr::memmem::find(message, b"panic, please").is_none());
        let text = |name: &str| format!("({name} {})", message.len()).into_bytes();
        Described {
            envelope: text("envelope"),
            body: text("body"),
            body_structure: text("structure"),
        }
    }
}

/// What reading the message says.
pub(crate) fn by_reading(message: &[u8], place: &Place, text: &str) -> bool {
    let needle = mail::collation::fold(text);
    let header = &message[..body_start(message)];
    let structure = Structure::parse(message);
    let in_header = || texts::header_lines(header).any(|line| line.contains(&needle));
    let in_body = || texts::body(message, &structure).any(|text| text.contains(&needle));
    let in_parts = || texts::part_headers(message, &structure).any(|line| line.contains(&needle));
    match place {
        Place::Header(name) => Fields::new(header)
            .filter(|field| field.is(name))
            .any(|field| texts::value(&field).contains(&needle)),
        Place::Body => in_body(),
        Place::Text => in_header() || in_body() || in_parts(),
    }
}

/// What the columns of a segment say: per message `Some(has it)`, or `None` when it must be read.
pub(crate) fn by_columns(columns: &Columns, messages: usize, question: &Question) -> Vec<Option<bool>> {
    let octets = |wanted: Column| {
        let found = columns.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, octets)| octets.as_slice()).unwrap()
    };
    let asked: Vec<&[u8]> = question.columns().into_iter().map(octets).collect();
    let (yes, look) = question.answer(&asked, messages).unwrap();
    let mut answers = vec![Some(false); messages];
    yes.iter().for_each(|place| answers[place] = Some(true));
    look.iter().for_each(|place| answers[place] = None);
    answers
}

fn segment_of(first: u64, messages: &[Vec<u8>]) -> (Vec<u64>, Columns) {
    let mut builder = Builder::default();
    for (at, message) in messages.iter().enumerate() {
        builder.add(MessageId::from_raw(first + at as u64), 7, message, &Plain);
    }
    builder.finish()
}

fn check(columns: &Columns, messages: &[Vec<u8>], place: &Place, text: &str) -> usize {
    let question = Question::new(place.clone(), text);
    let answers = by_columns(columns, messages.len(), &question);
    for (message, answer) in messages.iter().zip(&answers) {
        if let Some(answer) = answer {
            let read = by_reading(message, place, text);
            assert_eq!(
                *answer,
                read,
                "{place:?} {text:?} in {}",
                String::from_utf8_lossy(message)
            );
        }
    }
    answers.iter().filter(|answer| answer.is_some()).count()
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = "[a-cA-C]{1,4}|é|ß|日本|\u{2019}|[a-z0-9]{20,200}|, |\\.|@|=\r\n|=41";
    let text = proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" ").replace("  ", ""));
    let message = (text.clone(), text.clone(), text, 0usize..5).prop_map(|(subject, from, body, shape)| {
        let header = format!("Subject: {}\r\nFROM: {}\r\nX-Mailer: {}\r\n", subject.replace("\r\n", ""), from.replace("\r\n", ""), body.len());
        let rest = match shape {
            0 => format!("\r\n{body}"),
            1 => format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{body}"),
            2 => format!("Content-Type: message/rfc822\r\n\r\nSubject: inner {subject}\r\n\r\n{body}"),
            3 => format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png; name=\"{}\"\r\nX-Part: {}\r\n\r\n{body}\r\n--b--\r\n",
                subject.replace("\r\n", ""), from.replace("\r\n", "")),
            _ => format!("Cc: {from}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{body}\r\n--b\r\n\r\n{subject}\r\n--b--\r\n").replace("=\r\n", ""),
        };
        (header + &rest).into_bytes()
    });
    proptest::collection::vec(message, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn what_is_found_is_what_reading_finds(messages in messages(), from in 0usize..300, length in 0usize..40, which in 0usize..12, free in "[a-c ]{0,4}") {
        let split = messages.len() / 2;
        let (ids, columns) = segment_of(1, &messages);
        let (ids1, columns1) = segment_of(1, &messages[..split]);
        let (ids2, columns2) = segment_of(1 + split as u64, &messages[split..]);
        let part = |ids: Vec<u64>, columns| Part { stays: vec![true; ids.len()], ids, columns };
        let (merged_ids, merged) = merge(&[part(ids2, columns2), part(ids1, columns1)]).unwrap();
        prop_assert_eq!(&merged_ids, &ids);
        for (column, octets) in &columns {
            let same = merged.iter().find(|(other, _)| other == column).unwrap();
            prop_assert_eq!(&same.1, octets, "{:?}: merging gives what indexing together gives", column);
        }
        let source = String::from_utf8_lossy(&messages[which % messages.len()]).into_owned();
        let letters: Vec<char> = source.chars().collect();
        let from = from % letters.len();
        let fragment: String = letters[from..(from + length).min(letters.len())].iter().collect();
        for text in [fragment.as_str(), free.as_str()] {
            for place in [Place::Text, Place::Body, Place::Header("subject".into()), Place::Header("From".into()), Place::Header("Cc".into()), Place::Header("X-Mailer".into()), Place::Header("X-No".into())] {
                check(&columns, &messages, &place, text);
            }
        }
    }
}

#[test]
fn a_fragment_of_a_word_needs_no_reading() {
    let message =
        |body: &str| format!("Subject: Hello world\r\nTo: a@example.test\r\n\r\n{body}\r\n").into_bytes();
    let messages = [message("Hello world, schoen"), message("nothing"), message("")];
    let (_, columns) = segment_of(1, &messages);
    for (place, text, decided) in [
        (Place::Body, "ello", 3),
        (Place::Body, "ello wor", 2),
        (Place::Text, "HELLO", 3),
        (Place::Text, "lo wo", 0),
        (Place::Header("subject".to_owned()), "ello wor", 3),
        (Place::Header("to".to_owned()), "@example", 3),
        (Place::Header("subject".to_owned()), "", 3),
        (Place::Body, " ", 0),
    ] {
        assert_eq!(
            check(&columns, &messages, &place, text),
            decided,
            "{place:?} {text}"
        );
    }
}

#[test]
fn too_many_words_are_not_decided_by_words() {
    let mut body = String::new();
    let mut number = 0u64;
    while body.len() < 2 * crate::limits::MESSAGE_WORD_BYTES {
        body.push_str(&format!("{number:020} "));
        number += 1;
    }
    let messages = [
        format!("Subject: x\r\n\r\n{body}").into_bytes(),
        b"Subject: y\r\n\r\nz".to_vec(),
    ];
    let (_, columns) = segment_of(1, &messages);
    let last = format!("{:020}", number - 1);
    let answers = by_columns(&columns, 2, &Question::new(Place::Body, &last));
    assert_eq!(answers, [None, Some(false)]);
}

#[test]
fn a_message_that_would_take_too_much_is_left_out() {
    struct Long;
    impl Describe for Long {
        fn version(&self) -> u16 {
            1
        }
        fn describe(&self, message: &[u8], _: &Structure) -> Described {
            let envelope = vec![b'x'; message.len() / 20 * MESSAGE_COLUMN_BYTES];
            Described {
                envelope,
                ..Described::default()
            }
        }
    }
    let mut builder = Builder::default();
    assert!(builder.add(MessageId::from_raw(1), 7, b"Subject: a\r\n\r\n", &Long));
    assert!(!builder.add(
        MessageId::from_raw(2),
        7,
        b"Subject: a\r\n\r\nand more words",
        &Long
    ));
    assert!(builder.add(MessageId::from_raw(3), 7, b"Subject: b\r\n\r\n", &Long));
    assert_eq!(builder.finish().0, [1, 3]);
}

#[test]
fn a_header_is_looked_at_as_far_as_a_reader_of_it_looks() {
    let message = format!(
        "Subject: first\r\nX-Long: {}\r\nX-Last: late\r\n\r\n",
        "y".repeat(HEADER_BLOCK_BYTES)
    );
    let (_, columns) = segment_of(1, &[message.into_bytes()]);
    for (text, there) in [("first", true), ("late", false)] {
        let answers = by_columns(&columns, 1, &Question::new(Place::Text, text));
        assert_eq!(answers, [Some(there)], "{text}");
    }
}

#[test]
fn those_that_are_gone_are_left_out() {
    let messages: Vec<Vec<u8>> = (0..4)
        .map(|n| format!("Subject: s{n}\r\n\r\nword{n} common").into_bytes())
        .collect();
    let (ids, columns) = segment_of(10, &messages);
    let part = Part {
        ids,
        stays: vec![true, false, false, true],
        columns,
    };
    let (ids, columns) = merge(&[part]).unwrap();
    assert_eq!(ids, [10, 13]);
    let yes = |text: &str| by_columns(&columns, 2, &Question::new(Place::Body, text));
    assert_eq!(yes("common"), [Some(true), Some(true)]);
    assert_eq!(yes("word1"), [Some(false), Some(false)]);
    assert_eq!(yes("word3"), [Some(false), Some(true)]);
}

#[test]
fn what_is_to_be_saved_is_an_attachment() {
    let part = |header: &str| {
        format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n{header}\r\n\r\nx\r\n--b--\r\n"
        )
    };
    for (header, expected) in [
        ("Content-Type: text/plain", false),
        ("Content-Disposition: attachment", true),
        ("Content-Type: image/png; name=a.png", true),
        ("Content-Disposition: inline", false),
    ] {
        let message = part(header).into_bytes();
        assert_eq!(
            has_attachments(&message, &Structure::parse(&message)),
            expected,
            "{header}"
        );
    }
}
