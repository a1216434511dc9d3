//! Whole messages with the parse that mail-parser expects of them, with LF and with CRLF.

use std::fmt::Write as _;
use std::path::Path;

use mail::decode;
use mail::header::{Fields, Shape};
use mail::mime::{Kind, Part, PartId, Structure};
use serde_json::Value;

use crate::shared;

/// Messages where we differ on purpose.
const DIFFERENCES: &[(&str, &str)] = &[
    ("rfc/000", LENIENT_BASE64),
    (
        "rfc/008",
        "an encoded message/rfc822 is not opened: its parts would have no offsets (RFC 2045 §6.4 forbids it)",
    ),
    ("legacy/026", CHARSET_GUESS),
    ("legacy/052", CHARSET_GUESS),
    ("malformed/000", "parts whose header has no blank line are parts"),
    ("malformed/001", WHOLE_LINES),
    ("malformed/004", WHOLE_LINES),
    ("malformed/007", WHOLE_LINES),
    ("malformed/008", WHOLE_LINES),
    ("malformed/009", OUTER_ENDS_INNER),
    ("malformed/011", OUTER_ENDS_INNER),
    ("malformed/012", OUTER_ENDS_INNER),
    ("malformed/013", CUT_OFF),
    ("malformed/014", CUT_OFF),
    ("malformed/016", OUTER_ENDS_INNER),
    ("malformed/020", FIRST_FIELD),
    ("malformed/021", FIRST_FIELD),
    (
        "malformed/022",
        "a message/rfc822 is a message even when its header is not one",
    ),
];

const LENIENT_BASE64: &str = "what is not base64 is decoded as far as it goes; they give the raw octets";
const CHARSET_GUESS: &str =
    "octets without a charset that are not UTF-8 are read as Windows-1252, not as U+FFFD";
const WHOLE_LINES: &str = "a delimiter is a whole line: a boundary that only begins a line is content, and an inner \
multipart's delimiter is never taken for the outer one's";
const OUTER_ENDS_INNER: &str =
    "a delimiter of an outer multipart ends inner ones that are still open (RFC 2046 §5.1.2)";
const CUT_OFF: &str = "a message cut off behind a delimiter has an empty last part";
const FIRST_FIELD: &str = "of two Content-Type fields the first counts, theirs is the last";

#[test]
fn published_parses_are_as_expected_but_for_named_differences() {
    let Some(folder) = shared::folder("suites/mime-mailparser") else {
        return;
    };
    let mut wrong = String::new();
    let mut idle = Vec::new();
    let mut compared = 0;
    for kind in ["rfc", "legacy", "malformed"] {
        let mut names: Vec<_> = std::fs::read_dir(folder.join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        for path in names
            .iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        {
            let name = format!("{kind}/{}", path.file_stem().unwrap().to_string_lossy());
            let differences = compare_both(path);
            compared += 2;
            match (
                DIFFERENCES.iter().any(|(known, _)| *known == name),
                differences.is_empty(),
            ) {
                (true, true) => idle.push(name),
                (false, false) => write!(wrong, "== {name}\n{differences}").unwrap(),
                _ => {}
            }
        }
    }
    eprintln!("{compared} messages compared");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(idle.is_empty(), "these agree after all: {idle:?}");
}

fn compare_both(path: &Path) -> String {
    let original = std::fs::read(path).unwrap();
    let (mut lf, mut crlf) = (Vec::new(), Vec::new());
    for (place, byte) in original.iter().enumerate() {
        if *byte != b'\r' {
            lf.push(*byte);
        }
        if *byte == b'\n' && original[..place].last() != Some(&b'\r') {
            crlf.push(b'\r');
        }
        crlf.push(*byte);
    }
    let mut differences = String::new();
    for (message, extension) in [(&lf, "json"), (&crlf, "crlf.json")] {
        let expected = std::fs::read_to_string(path.with_extension(extension)).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let mut comparison = Comparison {
            message,
            structure: Structure::parse(message),
            report: String::new(),
        };
        comparison.message_at(PartId::ROOT, &expected);
        for line in comparison.report.lines() {
            writeln!(differences, "{extension}: {line}").unwrap();
        }
    }
    differences
}

struct Comparison<'a> {
    message: &'a [u8],
    structure: Structure,
    report: String,
}

impl Comparison<'_> {
    fn say(&mut self, id: PartId, what: &str, ours: impl std::fmt::Debug, theirs: impl std::fmt::Debug) {
        writeln!(
            self.report,
            "part {} {what}: ours {ours:?} theirs {theirs:?}",
            id.index()
        )
        .unwrap();
    }

    /// A message: their parts are numbered inside it, from 0.
    fn message_at(&mut self, root: PartId, expected: &Value) {
        self.part_at(root, 0, expected);
    }

    fn part_at(&mut self, id: PartId, number: usize, expected: &Value) {
        let part = *self.structure.part(id);
        let theirs = &expected["parts"][number];
        self.offsets(id, &part, theirs);
        self.fields(id, &part, theirs);
        let body = &theirs["body"];
        let children: Vec<PartId> = self.structure.children(id).collect();
        match (part.kind, body) {
            (Kind::Multipart, body) if body.get("Multipart").is_some() => {
                let numbers = body["Multipart"].as_array().unwrap();
                if children.len() != numbers.len() {
                    self.say(id, "children", children.len(), numbers.len());
                    return;
                }
                for (child, number) in children.iter().zip(numbers) {
                    self.part_at(*child, number.as_u64().unwrap() as usize, expected);
                }
            }
            (Kind::Message, body) if body.get("Message").is_some() => {
                self.message_at(children[0], &body["Message"]);
            }
            (Kind::Leaf(_), body) => self.content(id, &part, body),
            (kind, body) => {
                let theirs = body.as_object().map(|body| body.keys().next().cloned());
                self.say(id, "kind", kind, theirs);
            }
        }
    }

    fn offsets(&mut self, id: PartId, part: &Part, theirs: &Value) {
        let container = !matches!(part.kind, Kind::Leaf(_));
        let pairs = [
            ("header start", part.header.start, "offset_header"),
            ("body start", part.body.start, "offset_body"),
            ("body end", part.body.end, "offset_end"),
        ];
        for (what, ours, name) in pairs {
            let theirs = theirs[name].as_u64().unwrap();
            // Where a container ends they count differently (with or without the delimiter behind it).
            if u64::from(ours) != theirs && !(container && what == "body end") {
                self.say(id, what, ours, theirs);
            }
        }
    }

    fn fields(&mut self, id: PartId, part: &Part, theirs: &Value) {
        let header = part.header.of(self.message);
        let start = part.header.start as usize;
        let ours: Vec<_> = Fields::new(header)
            .filter(|field| field.shape() != Shape::Junk)
            .map(|field| {
                (
                    String::from_utf8_lossy(field.name()).to_ascii_lowercase(),
                    start + field.range().start,
                    start + field.range().end,
                )
            })
            .collect();
        let theirs: Vec<_> = theirs["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| {
                let name = field["name"].as_str().map(|name| name.replace('_', "-"));
                let name = name.unwrap_or_else(|| field["name"]["other"].as_str().unwrap().to_lowercase());
                let offset = |name: &str| field[name].as_u64().unwrap() as usize;
                (name, offset("offset_field"), offset("offset_end"))
            })
            .collect();
        if ours != theirs {
            self.say(id, "fields", ours, theirs);
        }
    }

    fn content(&mut self, id: PartId, part: &Part, theirs: &Value) {
        let content_type = part.content_type(self.message);
        let encoding = part.encoding(self.message);
        let body = part.body.of(self.message);
        let text = theirs.get("Text").or(theirs.get("Html"));
        if let Some(text) = text {
            let ours = decode::body_text(&content_type, encoding, body);
            if Some(ours.as_str()) != text.as_str() {
                self.say(id, "text", ours, text.as_str());
            }
            return;
        }
        let Some(octets) = theirs.get("Binary").or(theirs.get("InlineBinary")) else {
            let theirs = theirs.as_object().map(|body| body.keys().next().cloned());
            self.say(id, "kind", part.kind, theirs);
            return;
        };
        let octets: Vec<u8> = octets
            .as_array()
            .unwrap()
            .iter()
            .map(|octet| octet.as_u64().unwrap() as u8)
            .collect();
        let ours = decode::transfer(encoding, body);
        if ours.as_ref() != octets {
            self.say(
                id,
                "octets",
                ours.escape_ascii().to_string(),
                octets.escape_ascii().to_string(),
            );
        }
    }
}
