//! The texts of a message in which people look for words: what they are is said once, for whoever reads the message and for
//! whoever keeps them ready. All are decoded and folded by [`crate::collation::fold`].
//!
//! A text is a field or a part: nothing is found across two of them.

use crate::collation::fold;
use crate::decode;
use crate::header::{Field, Fields};
use crate::mime::{Kind, Part, Structure};

/// The value of a field.
pub fn value(field: &Field<'_>) -> String {
    fold(&decode::text(field.value()))
}

/// The fields of a header block as people read them: `NAME: VALUE`.
pub fn header_lines(header: &[u8]) -> impl Iterator<Item = String> {
    Fields::new(header).map(|field| line(&field))
}

fn line(field: &Field<'_>) -> String {
    let name = String::from_utf8_lossy(field.name());
    fold(&format!("{name}: {}", decode::text(field.value())))
}

/// What is in the body: `text/*` parts, `message/*` parts that hold no message (reports), and the header lines of messages
/// inside the message.
pub fn body<'m>(message: &'m [u8], structure: &'m Structure) -> impl Iterator<Item = String> + 'm {
    let parts = structure.parts().iter().enumerate();
    parts.flat_map(move |(at, part)| {
        let inside_message = |parent| structure.part(parent).kind == Kind::Message;
        let inner = at > 0 && part.parent.is_some_and(inside_message);
        let header = if inner { part.header.of(message) } else { &[] };
        header_lines(header).chain(part_text(message, part))
    })
}

fn part_text(message: &[u8], part: &Part) -> Option<String> {
    if !matches!(part.kind, Kind::Leaf(_)) {
        return None;
    }
    let content_type = part.content_type(message);
    matches!(content_type.kind.as_str(), "text" | "message").then(|| {
        let body = part.body.of(message);
        fold(&decode::body_text(&content_type, part.encoding(message), body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_fields_and_parts() {
        let message: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            gr=FC=DFe, a long li=\r\nne\r\n\
            --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwords\r\n\
            --b\r\nContent-Type: image/png\r\n\r\nnot text\r\n--b--\r\n";
        let header = &message[..crate::header::body_start(message)];
        let lines: Vec<String> = header_lines(header).collect();
        assert_eq!(lines[0], "FROM: JU\u{308}RGEN <J@EXAMPLE.TEST>");
        assert_eq!(lines.len(), 2);
        let structure = Structure::parse(message);
        let texts: Vec<String> = body(message, &structure).collect();
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
        let texts = body(message, &structure).collect::<Vec<_>>().join("|");
        for there in ["SUBJECT: INNER", "<B>DEEP</B>", "ACTION: FAILED"] {
            assert!(texts.contains(there), "{there} is not in {texts}");
        }
        for absent in ["OUTER", "X-PART", "PREAMBLE", "EPILOGUE"] {
            assert!(!texts.contains(absent), "{absent} is in {texts}");
        }
    }
}
