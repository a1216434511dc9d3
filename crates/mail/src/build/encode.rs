//! Encodings for building: RFC 2047 encoded words, quoted strings, quoted-printable, line ends.

use base64::Engine as _;

/// Octets of text in one encoded word: 36 octets are 48 letters, so that it fits a line of 78 behind a field name
/// (RFC 2047 §2 allows words of 75).
const WORD_OCTETS: usize = 36;
/// Letters in a line of quoted-printable without its soft break (RFC 2045 §6.7).
const QP_LINE: usize = 75;

/// A value for an unstructured field: as it is when it is ASCII that folding leaves as it is, that cannot be mistaken for
/// an encoded word and has no word too long for a line; else encoded words.
pub(super) fn unstructured(text: &str) -> String {
    let words_fit = text.split(' ').all(|word| word.len() <= 900);
    let folds_well = text.trim() == text && !text.contains("  ") && !text.contains('\t');
    if text.is_ascii() && words_fit && folds_well && !text.contains("=?") {
        return text.to_owned();
    }
    encoded_words(text)
}

/// A display name: an atom sequence, a quoted string, or encoded words (RFC 5322 §3.2.5).
pub(super) fn phrase(name: &str) -> String {
    let atoms = name
        .chars()
        .all(|letter| letter == ' ' || (letter.is_ascii() && crate::address::is_atext(letter)));
    let plain = name.is_ascii() && name.len() <= 200 && !name.contains("=?") && !name.contains('\t');
    if atoms && plain && !name.contains("  ") {
        return name.to_owned();
    }
    if !plain {
        return encoded_words(name);
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for letter in name.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// Encoded words of whole letters, with a space between them that readers drop (RFC 2047 §5, §6.2).
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD_OCTETS);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, behind) = rest.split_at(end);
        let encoded = base64::engine::general_purpose::STANDARD.encode(piece);
        words.push(format!("=?utf-8?B?{encoded}?="));
        rest = behind;
    }
    words.join(" ")
}

/// Every CRLF, LF and CR becomes CRLF, NUL becomes U+FFFD, and the last line gets its end.
pub(super) fn crlf_lines(text: &str) -> Vec<u8> {
    let mut lines = String::with_capacity(text.len() + text.len() / 32 + 2);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {
                letters.next_if_eq(&'\n');
                lines.push_str("\r\n");
            }
            '\n' => lines.push_str("\r\n"),
            '\0' => lines.push('\u{fffd}'),
            other => lines.push(other),
        }
    }
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push_str("\r\n");
    }
    lines.into_bytes()
}

/// Quoted-printable of text whose line ends are CRLF.
pub(crate) fn quoted_printable(lines: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(lines.len() + lines.len() / 4);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\r\n").unwrap_or(line);
        quoted_printable_line(content, &mut output);
        output.extend_from_slice(&line[content.len()..]);
    }
    output
}

fn quoted_printable_line(content: &[u8], output: &mut Vec<u8>) {
    let mut column = 0;
    for (place, byte) in content.iter().enumerate() {
        let last = place + 1 == content.len();
        let plain = match byte {
            b'=' => false,
            // At the end of a line white space is lost on the way (rule 3).
            b' ' | b'\t' => !last,
            byte => byte.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        if column + width > QP_LINE {
            output.extend_from_slice(b"=\r\n");
            column = 0;
        }
        // Behind a soft break a dash could make the line a delimiter of the multipart around it (RFC 2046 §5.1.1).
        let plain = plain && !(*byte == b'-' && column == 0 && place > 0);
        if plain {
            output.push(*byte);
        } else {
            output.extend_from_slice(format!("={byte:02X}").as_bytes());
        }
        column += if plain { 1 } else { 3 };
    }
}
