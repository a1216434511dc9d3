//! Real mail: what the columns say is what reading says. Skipped aloud when the shared mail is not beside the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tests::{Plain, by_columns};
use super::*;
use crate::question::{Place, Question};

/// Every so many messages of the collection: enough for every kind of mail.
const STEP: usize = 41;

fn collection() -> Option<PathBuf> {
    let root = match std::env::var_os("HEARTHPOST_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let folder = root.join("corpora");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is absent", folder.display());
    None
}

fn messages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            messages(&path, found);
        } else if path.extension().is_some_and(|end| end == "eml") {
            found.push(path);
        }
    }
}

/// The texts of a message, read once.
struct Read {
    subjects: Vec<String>,
    header: Vec<String>,
    body: Vec<String>,
    parts: Vec<String>,
}

impl Read {
    fn of(message: &[u8]) -> Self {
        let structure = Structure::parse(message);
        let header = structure.root().header.of(message);
        let subjects = Fields::new(header).filter(|field| field.is("Subject"));
        Self {
            subjects: subjects.map(|field| texts::value(&field)).collect(),
            header: texts::header_lines(header).map(|line| line.folded()).collect(),
            body: texts::body(message, &structure)
                .map(|text| text.folded())
                .collect(),
            parts: texts::part_headers(message, &structure)
                .map(|text| text.folded())
                .collect(),
        }
    }

    fn has(&self, place: &Place, needle: &str) -> bool {
        let any = |texts: &[String]| texts.iter().any(|text| text.contains(needle));
        match place {
            Place::Header(_) => any(&self.subjects),
            Place::Body => any(&self.body),
            Place::Text => any(&self.header) || any(&self.body) || any(&self.parts),
        }
    }
}

/// Pieces of what is there: short, long, across words, and what is nowhere.
fn needles(read: &[Read]) -> Vec<String> {
    let mut needles = vec!["ZZQXJ".to_owned(), "E".to_owned(), " ".to_owned(), "@".to_owned()];
    for (n, message) in read.iter().enumerate().step_by(7) {
        let texts = [&message.subjects, &message.header, &message.body, &message.parts][n % 4];
        let Some(text) = texts.get(n % texts.len().max(1)) else {
            continue;
        };
        let letters: Vec<char> = text.chars().collect();
        for length in [3, 6, 14, 40] {
            let from = (n * 7919 + length) % letters.len().max(1);
            let piece = letters.iter().skip(from).take(length);
            needles.push(piece.collect());
        }
    }
    needles
}

#[test]
fn real_mail_is_found_as_by_reading() {
    let Some(folder) = collection() else { return };
    let unpacked = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for archive in ["train-lists-modern.tar.zst", "train-spamassassin-2002.tar.zst"] {
        let mut tar = Command::new("tar");
        let tar = tar.arg("--zstd").arg("-xf").arg(folder.join(archive));
        if !tar
            .arg("-C")
            .arg(unpacked.path())
            .status()
            .is_ok_and(|status| status.success())
        {
            return eprintln!("SKIPPED: tar or zstd is absent");
        }
    }
    messages(unpacked.path(), &mut paths);
    paths.sort();
    let (mut builder, mut read, mut bytes) = (Builder::default(), Vec::new(), 0);
    for (n, path) in paths.iter().step_by(STEP).enumerate() {
        let message = std::fs::read(path).unwrap();
        bytes += message.len();
        read.push(Read::of(&message));
        builder.add(MessageId::from_raw(n as u64 + 1), 0, &message, &Plain);
    }
    let (ids, columns) = builder.finish();
    let places = [Place::Text, Place::Body, Place::Header("Subject".to_owned())];
    let (mut asked, mut looked) = (0, 0);
    for needle in needles(&read) {
        for place in &places {
            let question = Question::of_folded(place.clone(), needle.clone());
            for (message, answer) in read.iter().zip(by_columns(&columns, ids.len(), &question)) {
                asked += 1;
                match answer {
                    Some(answer) => assert_eq!(answer, message.has(place, &needle), "{place:?} {needle:?}"),
                    None => looked += 1,
                }
            }
        }
    }
    let unpacked: usize = columns.iter().map(|(_, octets)| octets.len()).sum();
    println!(
        "{} messages, {bytes} octets, {unpacked} in columns; {asked} questions, {looked} to be read",
        ids.len()
    );
    assert!(looked * 4 < asked, "{looked} of {asked}");
}
