//! Real mail: every message of the shared corpora is parsed by us and by mail-parser.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mail::envelope::Envelope;
use mail::fuzzing;
use mail::header::{Fields, Header, HeaderFault};
use mail::mime::{Kind, Structure};
use mail_parser::{Message, MessageParser, PartType};

use crate::shared;

const UT_ZONE: &str = "their date parser runs over the blank line behind the zone UT";
const WORD_LOCAL: &str = "an encoded word before the @ is the local part; they drop it";
const QUOTED_LOCAL: &str = "a quoted string before the @ is the local part; they drop it";
const GROUP: &str = "an unquoted colon begins a group; its first member is their author";

/// Messages that we read otherwise on purpose, by the start of the file's name.
const DIFFERENCES: &[(&str, &str)] = &[
    ("00304.d02fe9b0", UT_ZONE),
    ("00306.a94c6529", UT_ZONE),
    ("66540391f0159f7c", WORD_LOCAL),
    ("db15d7178ba99d2f", WORD_LOCAL),
    ("00263.13fc73e0", WORD_LOCAL),
    ("00320.20dcbb5b", WORD_LOCAL),
    ("00323.9e36bf05", WORD_LOCAL),
    ("00324.6f320a8c", WORD_LOCAL),
    ("77da625f67a5696a", QUOTED_LOCAL),
    ("00208.c9e30fc9", QUOTED_LOCAL),
    ("00916.018fdcfb", GROUP),
];

/// Unpacks through `tar` and `zstd`; false when those are absent.
fn unpack(archive: &Path, folder: &Path) -> bool {
    let mut tar = Command::new("tar");
    tar.arg("--zstd")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(folder)
        .stderr(Stdio::null());
    matches!(tar.status(), Ok(status) if status.success())
}

fn emails(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            emails(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            found.push(path);
        }
    }
}

/// The parts in order: what they hold and where their body starts.
fn our_outline(structure: &Structure) -> Vec<(char, u32)> {
    let letter = |kind| match kind {
        Kind::Multipart => '*',
        Kind::Message => '@',
        Kind::Leaf(_) => '.',
    };
    structure
        .parts()
        .iter()
        .map(|part| (letter(part.kind), part.body.start))
        .collect()
}

fn their_outline(message: &Message<'_>, outline: &mut Vec<(char, u32)>) {
    for part in &message.parts {
        match &part.body {
            PartType::Multipart(_) => outline.push(('*', part.offset_body)),
            PartType::Message(inner) => {
                outline.push(('@', part.offset_body));
                their_outline(inner, outline);
            }
            _ => outline.push(('.', part.offset_body)),
        }
    }
}

/// They make up spaces around encoded words glued to text and keep fewer at folds.
fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The first author of ours as they write one: quotes and white space left out on both sides.
fn our_author(bytes: &[u8]) -> String {
    let envelope = Envelope::parse(bytes);
    let Some(first) = envelope.from.first() else {
        return String::new();
    };
    let half =
        |half: &Option<Vec<u8>>| String::from_utf8_lossy(half.as_deref().unwrap_or_default()).into_owned();
    match half(&first.host) {
        host if host.is_empty() => half(&first.mailbox),
        host => format!("{}@{host}", half(&first.mailbox)),
    }
}

fn their_author(theirs: &Message<'_>) -> Option<String> {
    let address = theirs.from()?.first()?.address()?;
    Some(without_space(&address.replace('"', "")))
}

/// What we read otherwise than mail-parser.
fn differences(bytes: &[u8]) -> Vec<String> {
    let structure = Structure::parse(bytes);
    let mut found = Vec::new();
    let Some(theirs) = MessageParser::default().parse(bytes) else {
        return found;
    };
    let mut outline = Vec::new();
    their_outline(&theirs, &mut outline);
    if outline != our_outline(&structure) {
        found.push(format!("structure {:?} {outline:?}", our_outline(&structure)));
    }
    if let Some(author) = their_author(&theirs)
        && author != our_author(bytes)
    {
        found.push(format!("From {:?} {author:?}", our_author(bytes)));
    }
    let subject = Fields::new(bytes).find(|field| field.is("Subject"));
    let ours = without_space(
        &subject
            .map(|field| mail::decode::text(field.value()))
            .unwrap_or_default(),
    );
    let theirs = without_space(theirs.subject().unwrap_or_default());
    // They leave octets without a charset undecoded.
    if ours != theirs && !theirs.contains('\u{fffd}') {
        found.push(format!("Subject {ours:?} {theirs:?}"));
    }
    found
}

/// What must hold of any message, whatever others read.
fn check(bytes: &[u8]) {
    let structure = Structure::parse(bytes);
    fuzzing::check_structure(bytes, &structure);
    assert!(structure.is_complete());
    for part in structure.parts() {
        let _ = part.decoded_body(bytes);
    }
    match Header::scan(bytes) {
        Ok(header) => assert_eq!(header.body_start(), structure.root().body.start as usize),
        Err(fault) => assert_eq!(fault, HeaderFault::TooLarge),
    }
}

#[test]
fn real_mail_is_read_as_mail_parser_reads_it() {
    let Some(corpora) = shared::folder("corpora") else {
        return;
    };
    let scratch = std::env::temp_dir().join(format!("hearthpost-corpora-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    for entry in std::fs::read_dir(&corpora).unwrap() {
        let archive = entry.unwrap().path();
        if archive.extension().is_some_and(|extension| extension == "zst") && !unpack(&archive, &scratch) {
            eprintln!("SKIPPED: {} needs tar and zstd", archive.display());
        }
    }
    let mut paths = Vec::new();
    emails(&scratch, &mut paths);
    let mut wrong = Vec::new();
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        check(&bytes);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let known = DIFFERENCES.iter().any(|(start, _)| name.starts_with(start));
        let found = differences(&bytes);
        match (known, found.is_empty()) {
            (true, true) => wrong.push(format!("{name} agrees after all")),
            (false, false) => wrong.push(format!("{name}: {found:?}")),
            _ => {}
        }
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    eprintln!("{} messages compared", paths.len());
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
}
