//! Quoted-printable of mail bodies (RFC 2045 §6.7), lenient: lower-case hex counts, an `=` that begins nothing stays,
//! white space at the end of a line goes (rule 3).

use super::hex_pair;

/// Decodes `input`. The result is never longer.
pub fn decode(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut rest = input;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
        line(&rest[..end], &mut output);
        rest = &rest[end..];
    }
    output
}

fn line(line: &[u8], output: &mut Vec<u8>) {
    let (content, line_end) = match line.strip_suffix(b"\n") {
        Some(content) => {
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            (content, &line[content.len()..])
        }
        None => (line, &line[line.len()..]),
    };
    let padded = content.len()
        - content
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
    let content = if line_end.is_empty() {
        content
    } else {
        &content[..padded]
    };
    let (content, line_end) = match content[..padded.min(content.len())].strip_suffix(b"=") {
        Some(soft) => (soft, &b""[..]),
        None => (content, line_end),
    };
    let mut rest = content;
    while let Some(equals) = memchr::memchr(b'=', rest) {
        output.extend_from_slice(&rest[..equals]);
        let pair = rest.get(equals + 1).zip(rest.get(equals + 2));
        match pair.and_then(|(high, low)| hex_pair(*high, *low)) {
            Some(value) => {
                output.push(value);
                rest = &rest[equals + 3..];
            }
            None => {
                output.push(b'=');
                rest = &rest[equals + 1..];
            }
        }
    }
    output.extend_from_slice(rest);
    output.extend_from_slice(line_end);
}
