//! Entries for fuzz targets; each panics when a promise is broken.

use crate::command;
use crate::lines::Lines;

/// Command lines: what is read has a verb, and no text of a refusal breaks a line.
pub fn fuzz_command(bytes: &[u8]) {
    for line in bytes.split(|&octet| octet == b'\n') {
        match command::parse(line) {
            Ok(command) => drop(command.verb()),
            Err(bad) => assert!(!bad.text().contains(['\r', '\n'])),
        }
    }
}

/// A message as lines, in two chunkings that must agree, with no end before the end: the first octet chooses the chunks and TOP.
pub fn fuzz_lines(bytes: &[u8]) {
    let Some((&choice, message)) = bytes.split_first() else {
        return;
    };
    let make = || match choice & 1 {
        0 => Lines::whole(),
        _ => Lines::top(u32::from(choice >> 5)),
    };
    let whole = answer(make(), message, message.len().max(1));
    let pieces = answer(make(), message, usize::from(choice >> 1) + 1);
    assert_eq!(whole, pieces);
    let ends = whole
        .split(|&octet| octet == b'\n')
        .filter(|line| *line == b".\r");
    assert_eq!(ends.count(), 1);
    assert!(whole.ends_with(b".\r\n"));
}

fn answer(mut lines: Lines, message: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in message.chunks(chunk) {
        lines.feed(piece, &mut out);
    }
    lines.finish(&mut out);
    out
}
