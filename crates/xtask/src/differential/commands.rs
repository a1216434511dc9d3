//! What both servers are asked: items of FETCH, and searches made from the mail itself.

use super::mailset::Letter;
use std::collections::BTreeSet;

/// Items asked of every message, in groups of one command each.
pub const ITEMS: &[&str] = &[
    "FLAGS INTERNALDATE RFC822.SIZE",
    "ENVELOPE",
    "BODY BODYSTRUCTURE",
    "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.HEADER",
    "BODY.PEEK[]<0.64> BODY.PEEK[]<100.50> BODY.PEEK[]<100000.5> BODY.PEEK[TEXT]<3.20> BODY.PEEK[HEADER]<10.40>",
    "BODY.PEEK[HEADER.FIELDS (FROM to sUBJECT Date)] BODY.PEEK[HEADER.FIELDS (Received)] \
     BODY.PEEK[HEADER.FIELDS (X-None)] BODY.PEEK[HEADER.FIELDS.NOT (Received Subject)]",
    "BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2] BODY.PEEK[2.MIME] BODY.PEEK[3] BODY.PEEK[1]<2.30>",
    "BODY.PEEK[1.1] BODY.PEEK[1.1.MIME] BODY.PEEK[1.2] BODY.PEEK[2.1] BODY.PEEK[2.1.MIME] BODY.PEEK[1.1.1]",
    "BODY.PEEK[1.HEADER] BODY.PEEK[1.TEXT] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] \
     BODY.PEEK[2.HEADER.FIELDS (Subject From)] BODY.PEEK[2.HEADER.FIELDS.NOT (Subject)]",
];

/// Items of extensions: asked when both servers announce the first word.
pub const EXTENSIONS: &[(&str, &str)] = &[
    ("BINARY", "BINARY.SIZE[1] BINARY.SIZE[1.1] BINARY.SIZE[2]"),
    ("BINARY", "BINARY.PEEK[1]"),
    ("BINARY", "BINARY.PEEK[2]"),
    ("BINARY", "BINARY.PEEK[1.1]"),
];

/// Keywords and system flags that the messages are appended with, in turn.
pub const FLAGS: &[&str] = &[
    "",
    "\\Seen",
    "\\Answered \\Seen",
    "\\Flagged",
    "\\Draft $Work",
    "\\Deleted",
    "$Work work",
];

/// Internal dates that the messages are appended with, in turn.
pub const DATES: &[&str] = &[
    "05-Jan-2026 10:11:12 +0000",
    "31-Dec-2025 23:30:00 -0100",
    " 1-Jan-2026 00:10:00 +0300",
    "29-Feb-2024 12:00:00 +0530",
];

const FIXED: &[&str] = &[
    "ALL",
    "SEEN",
    "UNSEEN",
    "ANSWERED",
    "UNANSWERED",
    "FLAGGED",
    "UNFLAGGED",
    "DRAFT",
    "UNDRAFT",
    "DELETED",
    "UNDELETED",
    "KEYWORD $Work",
    "UNKEYWORD $work",
    "KEYWORD nothing",
    "NOT SEEN",
    "OR SEEN FLAGGED",
    "NOT (SEEN ANSWERED)",
    "LARGER 1000",
    "SMALLER 1000",
    "LARGER 0",
    "SMALLER 300 LARGER 200",
    "1:10",
    "5:3,*",
    "UID 1:20",
    "NOT 1:5 UNSEEN",
    "BEFORE 1-Jan-2026",
    "ON 31-Dec-2025",
    "ON 1-Jan-2026",
    "SINCE 1-Jan-2026",
    "ON 29-Feb-2024",
    "SINCE 1-Jan-2027",
    "SENTON 5-Jan-2026",
    "SENTBEFORE 5-Jan-2026",
    "SENTSINCE 6-Jan-2026",
    "SENTBEFORE 1-Jan-1990",
    "SENTSINCE 1-Jan-2030",
    "HEADER X-None \"\"",
    "HEADER MIME-Version \"\"",
    "HEADER Received \"\"",
    "HEADER Content-Type multipart",
    "HEADER Message-ID one.test",
    "HEADER To bob",
    "FROM \"\"",
    "TO \"\"",
    "CC \"\"",
    "BCC \"\"",
    "SUBJECT \"\"",
    "TEXT \"\"",
    "BODY \"\"",
    "FROM Example",
    "FROM ann@one",
    "FROM \"Ann Example\"",
    "TO two.test",
    "CC undisclosed",
    "BCC Team",
    "SUBJECT Grusse",
    "SUBJECT \"over three\"",
    "SUBJECT utf-8",
    "FROM jurgen",
    "TEXT \"Ann Example\"",
    "TEXT html",
    "TEXT boundary",
    "BODY \"plain part\"",
    "BODY \"html part\"",
    "BODY color",
    "BODY \"<b>\"",
    "BODY \"Hyper text\"",
    "BODY \"softbreak\"",
    "BODY R3LDvMOfZSB6",
    "BODY preamble",
    "BODY epilogue",
    "BODY \"inner subject\"",
    "BODY \"inner one\"",
    "TEXT \"inner subject\"",
    "BODY Content-Type",
    "BODY file.bin",
    "TEXT file.bin",
    "BODY \"--outer\"",
    "SUBJECT inner",
    "FROM inner",
    "HEADER Subject inner",
    "BODY R0lG",
    "BODY AQID",
    "BODY Reporting-MTA",
    "BODY digested",
    "BODY \"deep body\"",
    "SUBJECT \"folded over\"",
    "HEADER Subject \"folded  over\"",
    "BODY x",
    "TEXT one",
    "CHARSET UTF-8 ALL",
    "CHARSET US-ASCII SUBJECT words",
    "CHARSET X-NONE ALL",
    "CHARSET ISO-8859-1 SUBJECT words",
];

/// Searches for words outside ASCII: key, word.
const FOREIGN: &[(&str, &str)] = &[
    ("SUBJECT", "Grüße"),
    ("SUBJECT", "GRÜSSE"),
    ("SUBJECT", "köln"),
    ("SUBJECT", "日本"),
    ("SUBJECT", "äöü"),
    ("FROM", "jürgen"),
    ("TO", "rémi"),
    ("TO", "André"),
    ("BODY", "Größe"),
    ("BODY", "zerbraword"),
    ("BODY", "grüße"),
    ("TEXT", "grüße"),
    ("TEXT", "Größe"),
    ("HEADER Subject", "grüße"),
    ("TO", "用户"),
    ("BODY", "日本"),
    ("TEXT", "こと"),
];

/// All searches, as they are sent behind `UID SEARCH `.
pub fn searches(letters: &[Letter], short: bool) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = FIXED.iter().map(|text| text.as_bytes().to_vec()).collect();
    for (key, word) in FOREIGN {
        found.push(format!("CHARSET UTF-8 {key} {{{}+}}\r\n{word}", word.len()).into_bytes());
    }
    let every = if short { 25 } else { 150 };
    let mut made = BTreeSet::new();
    for (at, letter) in letters.iter().enumerate().step_by(every) {
        let text = String::from_utf8_lossy(&letter.octets).into_owned();
        let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        made.extend(word_of(body, at).map(|word| format!("BODY {word}")));
        made.extend(word_of(body, at + 3).map(|word| format!("TEXT {word}")));
        for (field, key) in [
            ("Subject", "SUBJECT"),
            ("From", "FROM"),
            ("To", "TO"),
            ("Received", "HEADER Received"),
        ] {
            let value = field_of(header, field).unwrap_or_default();
            made.extend(word_of(value, at).map(|word| format!("{key} {word}")));
        }
        made.extend(day_of(field_of(header, "Date").unwrap_or_default()).map(|day| format!("SENTON {day}")));
    }
    found.extend(made.into_iter().map(String::into_bytes));
    found
}

/// One of the plain words of a text, another for each number.
fn word_of(text: &str, number: usize) -> Option<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words
        .filter(|word| word.len() >= 5 && word.len() <= 20)
        .take(200)
        .collect();
    words.get(number * 7 % words.len().max(1)).copied()
}

/// The first line of a field's value.
fn field_of<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = header.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// `5-Jan-2026` from a Date field.
fn day_of(date: &str) -> Option<String> {
    let words: Vec<&str> = date.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let day = words.windows(3).find(|three| {
        let numeric = |word: &str, length: usize| {
            word.len() <= length && word.bytes().all(|octet| octet.is_ascii_digit())
        };
        numeric(three[0], 2) && three[1].len() == 3 && three[2].len() == 4 && numeric(three[2], 4)
    })?;
    Some(format!(
        "{}-{}-{}",
        day[0].trim_start_matches('0'),
        day[1],
        day[2]
    ))
}
