//! Patterns for lines: a prefix, or with `*` the whole line; `{name}` keeps a word.

use std::collections::BTreeMap;

/// Values by name.
pub(super) type Values = BTreeMap<String, String>;

/// Puts known values in the place of `{name}`. Unknown names stay.
pub(super) fn fill_in(text: &str, values: &Values) -> String {
    let mut out = text.to_owned();
    for (name, value) in values {
        out = out.replace(&format!("{{{name}}}"), value);
    }
    out
}

/// The first `{name}` that is still there.
pub(super) fn unknown_name(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    is_name(name).then_some(name)
}

/// Whether `line` matches; what it names is added to `values`.
pub(super) fn matches(pattern: &str, line: &str, values: &mut Values) -> bool {
    let pattern = fill_in(pattern, values);
    let pieces = pieces_of(&pattern);
    let anchored = pieces.iter().any(|piece| matches!(piece, Piece::Anything));
    let mut kept = Vec::new();
    let fits = fits(&pieces, line, anchored, &mut kept);
    if fits {
        values.extend(kept);
    }
    fits
}

#[derive(Debug)]
enum Piece<'a> {
    Text(&'a str),
    Anything,
    Word(&'a str),
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
}

fn pieces_of(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    // IMAP's mark of an untagged response is meant as it stands.
    if let Some(after) = pattern.strip_prefix("* ") {
        pieces.push(Piece::Text("* "));
        rest = after;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('*') {
            pieces.push(Piece::Anything);
            rest = after;
            continue;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'))
            && is_name(name)
            && !name.bytes().all(|byte| byte.is_ascii_digit())
        {
            pieces.push(Piece::Word(name));
            rest = after;
            continue;
        }
        let end = rest[1..].find(['*', '{']).map_or(rest.len(), |at| at + 1);
        pieces.push(Piece::Text(&rest[..end]));
        rest = &rest[end..];
    }
    pieces
}

/// Backtracking over `*`; patterns and lines are short.
fn fits(pieces: &[Piece<'_>], line: &str, anchored: bool, kept: &mut Vec<(String, String)>) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return !anchored || line.is_empty();
    };
    match first {
        Piece::Text(text) => line
            .strip_prefix(text)
            .is_some_and(|after| fits(rest, after, anchored, kept)),
        Piece::Anything => line
            .char_indices()
            .map(|(at, _)| at)
            .chain([line.len()])
            .any(|at| fits(rest, &line[at..], anchored, kept)),
        Piece::Word(name) => {
            let end = line
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(line.len());
            let fit = end > 0 && fits(rest, &line[end..], anchored, kept);
            if fit {
                kept.push(((*name).to_owned(), line[..end].to_owned()));
            }
            fit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let table = [
            ("250", "250 ok", true),
            ("250", "25", false),
            ("", "anything", true),
            ("250 *ok", "250 2.0.0 ok", true),
            ("250 *ok", "250 2.0.0 ok then", false),
            ("250 *ok*", "250 2.0.0 ok then", true),
            ("*", "", true),
            ("a{known}b", "aKb", true),
            ("a{known}b", "aXb", false),
            ("* OK", "* OK [CAPABILITY]", true),
            ("* OK", "a OK", false),
            ("x {5} literal", "x {5} literal", true),
        ];
        for (pattern, line, expected) in table {
            let mut values = Values::from([("known".into(), "K".into())]);
            assert_eq!(
                matches(pattern, line, &mut values),
                expected,
                "{pattern} / {line}"
            );
        }
        let mut values = Values::new();
        assert!(matches(
            "250 * queued as {id}",
            "250 2.0.0 Ok: queued as qabc",
            &mut values
        ));
        assert_eq!(values["id"], "qabc");
        assert!(!matches("250 {id}", "250 other", &mut values));
        assert_eq!(unknown_name("x {a.b} y"), Some("a.b"));
        assert_eq!(fill_in("<{id}>", &values), "<qabc>");
    }
}
