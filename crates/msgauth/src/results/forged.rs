//! Fields that came with a message and claim to be our own results (RFC 8601 §5).

use std::ops::Range;

use mail::header::{Field, Header, Shape};

/// Where fields stand that must go before our own field is added: Authentication-Results with one of `our_names`, or so written that
/// somebody may read one in it, and Received-SPF that names us as the receiver.
pub fn forged(header: &Header<'_>, our_names: &[&str]) -> Vec<Range<usize>> {
    let claims = |field: &&Field<'_>| claims_ours(field, our_names);
    header.fields().iter().filter(claims).map(Field::range).collect()
}

fn claims_ours(field: &Field<'_>, our_names: &[&str]) -> bool {
    let name: Vec<u8> = field
        .name()
        .iter()
        .copied()
        .filter(u8::is_ascii_graphic)
        .collect();
    let value = field.unfolded();
    if name.eq_ignore_ascii_case(b"Authentication-Results") {
        // A name with spaces or control characters in it is another field to some programs and this one to others.
        return field.shape() != Shape::Proper
            || server(&value)
                .is_none_or(|server| our_names.iter().any(|ours| server.eq_ignore_ascii_case(ours)));
    }
    let received_spf = name.eq_ignore_ascii_case(b"Received-SPF");
    received_spf && our_names.iter().any(|ours| has_word(&value, ours.as_bytes()))
}

/// `[CFWS] value [ CFWS version ]` before the first semicolon. Nothing when it is anything else.
fn server(value: &[u8]) -> Option<String> {
    let mut rest = skip_comments(value)?;
    let mut server = Vec::new();
    if let Some(inner) = rest.strip_prefix(b"\"") {
        let end = inner.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        server.extend_from_slice(&inner[..end]);
        rest = inner[end..].strip_prefix(b"\"")?;
    } else {
        let end = rest
            .iter()
            .position(|byte| !is_token(*byte))
            .unwrap_or(rest.len());
        server.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    let rest = skip_comments(rest)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = skip_comments(&rest[digits..])?;
    let ended = rest.is_empty() || rest[0] == b';';
    let name = String::from_utf8(server)
        .ok()
        .filter(|name| !name.is_empty() && ended)?;
    Some(name.trim_end_matches('.').to_owned())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte)
}

/// White space and comments; nothing when a comment has no end.
fn skip_comments(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = text.trim_ascii_start();
        if text.first() != Some(&b'(') {
            return Some(text);
        }
        let (mut depth, mut at) = (0usize, 0);
        loop {
            match text.get(at)? {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        text = text.get(at..)?;
    }
}

/// Whether `word` stands there as a whole name.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    text.split(|byte| !in_name(byte))
        .any(|found| found.trim_ascii_end().eq_ignore_ascii_case(word) || is_dotted(found, word))
}

fn is_dotted(found: &[u8], word: &[u8]) -> bool {
    found
        .strip_suffix(b".")
        .is_some_and(|found| found.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_5_fields_that_claim_to_be_ours_are_found() {
        let table = [
            ("Authentication-Results: mx.here.example; spf=pass", true),
            ("authentication-results: MX.Here.Example; spf=pass", true),
            ("Authentication-Results: mx.here.example", true),
            ("Authentication-Results:\r\n mx.here.example\r\n ; spf=pass", true),
            (
                "Authentication-Results: (x) mx.here.example (y) 1 (z); spf=pass",
                true,
            ),
            (
                "Authentication-Results: (a (b) \\) c) mx.here.example; spf=pass",
                true,
            ),
            ("Authentication-Results: \"mx.here.example\"; spf=pass", true),
            ("Authentication-Results: mx.here.example.; spf=pass", true),
            ("Authentication-Results: \"mx.he\\re.example\"; spf=pass", true),
            ("Authentication-Results: (mx.here.example; spf=pass", true),
            (
                "Authentication-Results: there.example mx.here.example; spf=pass",
                true,
            ),
            ("Authentication-Results: ; spf=pass", true),
            ("Authentication-Results : mx.here.example; spf=pass", true),
            ("Authentication-Results : there.example; spf=pass", true),
            ("Authentication-Results\0: there.example; spf=pass", true),
            ("Authentication-Results: there.example; spf=pass", false),
            (
                "Authentication-Results: there.example 1; dkim=pass (mx.here.example)",
                false,
            ),
            ("Authentication-Results: x-mx.here.example; spf=pass", false),
            ("Received-SPF: pass (mx.here.example: fine) receiver=x", true),
            ("Received-SPF: pass receiver=mx.HERE.example.; x", true),
            ("Received-SPF: pass receiver=mx.there.example", false),
            (
                "ARC-Authentication-Results: i=1; mx.here.example; spf=pass",
                false,
            ),
            ("Subject: Authentication-Results: mx.here.example", false),
        ];
        for (field, want) in table {
            let block = format!("From: a@x.example\r\n{field}\r\nTo: b@y.example\r\n\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            let found = forged(&header, &["mx.here.example", "here.example"]);
            assert_eq!(!found.is_empty(), want, "{field:?}");
            if want {
                assert_eq!(&block[found[0].clone()], format!("{field}\r\n"));
            }
        }
    }
}
