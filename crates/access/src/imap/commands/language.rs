//! LANGUAGE (RFC 5255 §3): the sentences of this server are English; a client that asks is told so.

use imap::out::Code;

use crate::imap::io::Io;
use crate::imap::session::Reading;

/// What there is: English, and the default of RFC 2277, which is English too.
const TAGS: [&str; 2] = ["EN", "I-DEFAULT"];

pub(crate) fn run(io: &mut Io<'_>, ranges: &[String], answer: Reading) {
    if ranges.is_empty() {
        io.out.language(&TAGS);
        return answer.ok(&mut io.out, None);
    }
    match ranges.iter().find_map(|range| matching(range)) {
        Some(tag) => {
            io.out.language(&[tag]);
            answer.ok(&mut io.out, None);
        }
        None => answer.no(&mut io.out, Some(Code::Cannot), "This server speaks English only"),
    }
}

/// The first of ours that a range of the client takes (RFC 4647 §3.3; `default` and `*` are RFC 5255 §3.2's).
fn matching(range: &str) -> Option<&'static str> {
    match range {
        "*" | "default" | "i-default" => Some("I-DEFAULT"),
        "en" => Some("EN"),
        _ if range.starts_with("en-") => Some("EN"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::matching;

    #[test]
    fn ranges_are_matched() {
        for (range, tag) in [
            ("en", Some("EN")),
            ("en-gb", Some("EN")),
            ("default", Some("I-DEFAULT")),
            ("*", Some("I-DEFAULT")),
            ("de", None),
            ("enm", None),
        ] {
            assert_eq!(matching(range), tag, "{range}");
        }
    }
}
