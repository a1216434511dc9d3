//! Fields that came with a message and claim to be our own results (RFC 8601 §5).

use std::ops::Range;

use mail::header::{Field, Header, Shape, unfold};

use crate::limits::HIDDEN_NAME_BYTES;

/// Where fields stand that must go before our own field is added: Authentication-Results with one of `our_names`, or so written that
/// somebody may read one in it, and Received-SPF that names us as the receiver. Of a field that holds such a one in a line of its
/// continuation, where programs that do not unfold read a field, the part from there on.
pub fn forged(header: &Header<'_>, our_names: &[&str]) -> Vec<Range<usize>> {
    let forged = |field: &Field<'_>| match claims_ours(field, our_names) {
        true => Some(field.range()),
        false => hidden(field, our_names),
    };
    header.fields().iter().filter_map(forged).collect()
}

/// From the first continuation line on that would be such a field by itself.
fn hidden(field: &Field<'_>, our_names: &[&str]) -> Option<Range<usize>> {
    let (whole, Range { start, end }) = (field.whole(), field.range());
    let lines = memchr::memchr_iter(b'\n', whole).map(|at| at + 1);
    let claims = |at: &usize| {
        let text = whole[*at..].trim_ascii_start();
        let Some(colon) = memchr::memchr(b':', text).filter(|colon| *colon <= HIDDEN_NAME_BYTES) else {
            return false;
        };
        let (name, value) = (text[..colon].trim_ascii_end(), unfold(&text[colon + 1..]));
        if name.eq_ignore_ascii_case(b"Authentication-Results") {
            return !is_list_of_names(&value, our_names)
                && server(&value)
                    .is_none_or(|server| our_names.iter().any(|ours| server.eq_ignore_ascii_case(ours)));
        }
        name.eq_ignore_ascii_case(b"Received-SPF")
            && our_names.iter().any(|ours| has_word(&value, ours.as_bytes()))
    };
    let at = lines.filter(|at| *at < whole.len()).find(claims)?;
    Some(start + at..end)
}

/// Whether a line goes on like the `h=` of a signature (RFC 6376 §3.5): another field's name and a colon. Results have no colon there, and
/// a signature that loses its end is none any more where the message goes on to.
fn is_list_of_names(value: &[u8], our_names: &[&str]) -> bool {
    let value = value.trim_ascii_start();
    let end = value
        .iter()
        .position(|byte| !is_token(*byte))
        .unwrap_or(value.len());
    let (first, rest) = value.split_at(end);
    let ours = our_names
        .iter()
        .any(|ours| first.eq_ignore_ascii_case(ours.as_bytes()) || is_dotted(first, ours.as_bytes()));
    !first.is_empty() && !ours && rest.trim_ascii_start().starts_with(b":")
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
    fn aut_5_a_field_inside_a_folded_one_is_cut_off() {
        let table = [
            (
                "Subject: x\r\n Authentication-Results: mx.here.example; spf=pass\r\n more",
                Some(12),
            ),
            (
                "Subject: x\r\n\tauthentication-results : (c) MX.here.example; dkim=pass",
                Some(12),
            ),
            (
                "X: a\r\n b\r\n  Authentication-Results:\r\n  mx.here.example; spf=pass",
                Some(10),
            ),
            (
                "Authentication-Results: there.example; spf=fail\r\n Authentication-Results: mx.here.example; spf=pass",
                Some(49),
            ),
            ("X: a\r\n Received-SPF: pass receiver=mx.here.example", Some(6)),
            (
                "X: a\r\n Authentication-Results: \"mx.he\\re.example\"; spf=pass",
                Some(6),
            ),
            (
                "Subject: x\r\n Authentication-Results: there.example; spf=pass",
                None,
            ),
            ("Subject: x\r\n on Authentication-Results: mx.here.example", None),
            ("Subject: x\r\n Authentication-Results of mx.here.example", None),
            (
                "DKIM-Signature: v=1; d=x.example; h=From:\r\n Authentication-Results:To:\r\n Subject; bh=x; b=y",
                None,
            ),
            (
                "DKIM-Signature: v=1; h=From:\r\n Authentication-Results:mx.here.example.:x; spf=pass",
                Some(30),
            ),
            (
                "DKIM-Signature: v=1; h=From:\r\n Authentication-Results: (c) To:Subject; spf=pass",
                Some(30),
            ),
        ];
        for (field, want) in table {
            let block = format!("{field}\r\nTo: b@y.example\r\n\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            let found = forged(&header, &["mx.here.example"]);
            let want = want.map(|at| at..field.len() + 2);
            assert_eq!(found.first().cloned(), want, "{field:?}");
        }
    }

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
