//! The shared mail: read when it is there, said aloud when it is not.

use std::path::PathBuf;
use std::process::Command;

/// Where shared material is: `$HEARTHPOST_SHARED`, or beside the tree.
pub fn shared() -> PathBuf {
    std::env::var_os("HEARTHPOST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}

/// Real messages of the shared corpora and suites, with CRLF line ends: every `step`th file.
pub fn messages(step: usize) -> Vec<Vec<u8>> {
    let place = std::env::temp_dir().join(format!("hearthpost-oracles-{}", std::process::id()));
    let mut files = Vec::new();
    if std::fs::create_dir_all(&place).is_ok() {
        for name in ["train-lists-modern", "train-spamassassin-2002"] {
            unpack(&shared().join(format!("corpora/{name}.tar.zst")), &place);
        }
    }
    for dir in [place.clone(), shared().join("suites")] {
        walk(&dir, &mut files);
    }
    files.sort();
    let read = files.iter().step_by(step.max(1));
    let messages: Vec<Vec<u8>> = read
        .filter_map(|file| std::fs::read(file).ok())
        .map(|text| with_crlf(&text))
        .collect();
    // What is left of it after a crash is in the system's temporary directory.
    let _ = std::fs::remove_dir_all(&place);
    if messages.is_empty() {
        eprintln!("SKIPPED: no mail in {}", shared().display());
    }
    messages
}

fn unpack(archive: &std::path::Path, place: &std::path::Path) {
    if !archive.is_file() {
        eprintln!("SKIPPED: {} is absent", archive.display());
        return;
    }
    let done = Command::new("tar")
        .arg("--zstd")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(place)
        .status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED: {} could not be unpacked (tar with zstd)",
            archive.display()
        );
    }
}

fn walk(dir: &std::path::Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|end| end == "eml" || end == "msg") {
            files.push(path);
        }
    }
}

/// Every line end as CRLF.
pub fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    for (at, byte) in text.iter().enumerate() {
        let cr_before = at > 0 && text[at - 1] == b'\r';
        match byte {
            b'\n' if !cr_before => out.extend_from_slice(b"\r\n"),
            b'\r' if text.get(at + 1) != Some(&b'\n') => {}
            other => out.push(*other),
        }
    }
    out
}
