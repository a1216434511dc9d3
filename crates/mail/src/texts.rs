//! The texts of a message in which people look for words: what they are is said once, for whoever reads the message and for
//! whoever keeps them ready. All are decoded, and folded by [`crate::collation::fold`] a window at a time: a folded text may be
//! eleven times as large.
//!
//! A text is a field or a part: nothing is found across two of them.

use std::borrow::Cow;

use crate::collation::{fold, fold_into};
use crate::decode;
use crate::header::{Field, Fields};
use crate::mime::{Kind, Part, Structure};

/// Octets of a text that are folded at a time.
const WINDOW_BYTES: usize = 64 * 1024;

/// A text to look into, decoded. It takes no more memory than that: what is beyond ASCII is folded when somebody looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    text: String,
    /// it is ASCII, and stands here folded
    plain: bool,
}

impl Text {
    fn new(mut text: String) -> Self {
        let plain = text.is_ascii();
        if plain {
            text.make_ascii_uppercase();
        }
        Self { text, plain }
    }

    /// Whether the folded text contains a folded needle.
    pub fn contains(&self, needle: &str) -> bool {
        if self.plain || needle.is_empty() {
            return self.text.contains(needle);
        }
        let (mut window, mut rest) = (String::new(), self.text.as_str());
        while !rest.is_empty() {
            // Folding goes along with joining, so any boundary of letters does.
            let (now, after) = rest.split_at(boundary(rest, WINDOW_BYTES));
            fold_into(now, &mut window);
            if window.contains(needle) {
                return true;
            }
            let overlap = boundary(&window, (window.len() + 1).saturating_sub(needle.len()));
            window.drain(..overlap);
            rest = after;
        }
        false
    }

    /// The folded text in parts that end behind ASCII that is neither letter nor digit, so that no word is cut. `None`, as the last,
    /// where 64 KiB go by without.
    pub fn windows(&self) -> impl Iterator<Item = Option<Cow<'_, str>>> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let all = std::mem::take(&mut rest);
            if self.plain {
                return Some(Some(Cow::Borrowed(all)));
            }
            let separates = |octet: &u8| octet.is_ascii() && !octet.is_ascii_alphanumeric();
            let end = match all.as_bytes().get(..WINDOW_BYTES) {
                None => all.len(),
                Some(window) => match window.iter().rposition(separates) {
                    Some(at) => at + 1,
                    None => return Some(None),
                },
            };
            let (now, after) = all.split_at(end);
            rest = after;
            Some(Some(Cow::Owned(fold(now))))
        })
    }

    /// The whole folded text, as large as it may be.
    pub fn folded(&self) -> String {
        if self.plain {
            self.text.clone()
        } else {
            fold(&self.text)
        }
    }
}

/// The last boundary of letters that is not beyond `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The value of a field.
pub fn value(field: &Field<'_>) -> String {
    fold(&decode::text(field.value()))
}

/// The fields of a header block as people read them: `NAME: VALUE`.
pub fn header_lines(header: &[u8]) -> impl Iterator<Item = Text> {
    Fields::new(header).map(|field| line(&field))
}

fn line(field: &Field<'_>) -> Text {
    let name = String::from_utf8_lossy(field.name());
    Text::new(format!("{name}: {}", decode::text(field.value())))
}

/// What is in the body: `text/*` parts, `message/*` parts that hold no message (reports), and the header lines of messages
/// inside the message.
pub fn body<'m>(message: &'m [u8], structure: &'m Structure) -> impl Iterator<Item = Text> + 'm {
    let parts = structure.parts().iter().enumerate();
    parts.flat_map(move |(at, part)| {
        let inside_message = |parent| structure.part(parent).kind == Kind::Message;
        let inner = at > 0 && part.parent.is_some_and(inside_message);
        let header = if inner { part.header.of(message) } else { &[] };
        header_lines(header).chain(part_text(message, part))
    })
}

/// The lines of the MIME headers of parts: what neither [`header_lines`] of the message nor [`body`] has (RFC 9051 §6.4.4 counts them to
/// TEXT).
pub fn part_headers<'m>(message: &'m [u8], structure: &'m Structure) -> impl Iterator<Item = Text> + 'm {
    let parts = structure.parts().iter().skip(1);
    let of_part = parts.filter(|part| {
        let inside_message = |parent| structure.part(parent).kind == Kind::Message;
        !part.parent.is_some_and(inside_message)
    });
    of_part.flat_map(|part| header_lines(part.header.of(message)))
}

fn part_text(message: &[u8], part: &Part) -> Option<Text> {
    if !matches!(part.kind, Kind::Leaf(_)) {
        return None;
    }
    let content_type = part.content_type(message);
    matches!(content_type.kind.as_str(), "text" | "message").then(|| {
        let body = part.body.of(message);
        Text::new(decode::body_text(&content_type, part.encoding(message), body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hide_nothing() {
        // U+FDFA becomes 18 letters of 33 octets; the needle lies across the window's end, wherever that is.
        for before in WINDOW_BYTES - 12..=WINDOW_BYTES + 4 {
            let text = Text::new(format!("{}N\u{e9}edle\u{fdfa} end", "x".repeat(before)));
            for needle in ["n\u{e9}edle", "\u{fdfa} end", "x", "d"] {
                assert!(text.contains(&fold(needle)), "{needle} behind {before}");
            }
            assert!(!text.contains(&fold("needles")));
        }
        assert!(Text::new("\u{e9}".to_owned()).contains(""));
    }

    #[test]
    fn windows_cut_no_word() {
        let text = Text::new("w\u{f6}rter \u{fdfa}, ".repeat(30_000));
        let windows: Vec<_> = text.windows().map(Option::unwrap).collect();
        assert!(windows.len() > 1 && windows.iter().all(|window| window.len() <= 11 * WINDOW_BYTES));
        assert_eq!(windows.concat(), text.folded());
        assert!(windows.iter().all(|window| window.ends_with([' ', ','])));
        let text = Text::new("\u{fdfa}".repeat(WINDOW_BYTES));
        assert_eq!(text.windows().collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn texts_are_fields_and_parts() {
        let message: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            gr=FC=DFe, a long li=\r\nne\r\n\
            --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwords\r\n\
            --b\r\nContent-Type: image/png\r\n\r\nnot text\r\n--b--\r\n";
        let header = &message[..crate::header::body_start(message)];
        let lines: Vec<String> = header_lines(header).map(|line| line.folded()).collect();
        assert_eq!(lines[0], "FROM: JU\u{308}RGEN <J@EXAMPLE.TEST>");
        assert_eq!(lines.len(), 2);
        let structure = Structure::parse(message);
        let texts: Vec<String> = body(message, &structure).map(|text| text.folded()).collect();
        assert_eq!(
            texts,
            ["GRU\u{308}\u{df}E, A LONG LINE", "SUBJECT: INNER", "WORDS"]
        );
    }

    #[test]
    fn messages_inside_are_searched_with_their_headers_and_reports_are_text() {
        let message: &[u8] = b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n\
            --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
            --c\r\nContent-Type: text/html\r\nX-Part: unseen\r\n\r\n<b>deep</b>\r\n--c--\r\n\r\n\
            --b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b--\r\nepilogue\r\n";
        let structure = Structure::parse(message);
        let texts: Vec<String> = body(message, &structure).map(|text| text.folded()).collect();
        let texts = texts.join("|");
        for there in ["SUBJECT: INNER", "<B>DEEP</B>", "ACTION: FAILED"] {
            assert!(texts.contains(there), "{there} is not in {texts}");
        }
        for absent in ["OUTER", "X-PART", "PREAMBLE", "EPILOGUE"] {
            assert!(!texts.contains(absent), "{absent} is in {texts}");
        }
        let headers: Vec<String> = part_headers(message, &structure)
            .map(|text| text.folded())
            .collect();
        assert_eq!(
            headers,
            [
                "CONTENT-TYPE: MESSAGE/RFC822",
                "CONTENT-TYPE: TEXT/HTML",
                "X-PART: UNSEEN",
                "CONTENT-TYPE: MESSAGE/DELIVERY-STATUS"
            ]
        );
    }
}
