//! The first words of a message as a person would read them (RFC 8970): the text part without what it quotes, or what a page shows.
//!
//! Bounded: one part is looked at, at most [`PREVIEW_PART_BYTES`] of it, and reading ends when enough is found.

use crate::decode;
use crate::limits::{PREVIEW_LETTERS, PREVIEW_PART_BYTES};
use crate::mime::{Kind, Part, Structure};

mod page;

/// At most [`PREVIEW_LETTERS`] characters, words separated by single spaces; empty when there is no text. `structure` must be that
/// of `message`, which may be cut at its end.
pub fn preview(message: &[u8], structure: &Structure) -> String {
    let shown = structure.parts().iter().filter(|part| is_shown(part, message));
    let mut page = None;
    for part in shown {
        let content_type = part.content_type(message);
        let text = |part: &Part| {
            let body = part.body.of(message);
            let body = &body[..body.len().min(PREVIEW_PART_BYTES)];
            decode::body_text(&content_type, part.encoding(message), body)
        };
        match content_type.subtype.as_str() {
            "html" if page.is_none() => page = Some(page::words(&text(part))),
            "plain" => {
                let words = plain(&text(part));
                // Some programs send an empty text beside the page.
                if !words.is_empty() {
                    return words;
                }
            }
            _ => {}
        }
    }
    page.unwrap_or_default()
}

/// A text that is neither attached nor inside a message that is attached.
fn is_shown(part: &Part, message: &[u8]) -> bool {
    if !matches!(part.kind, Kind::Leaf(_)) || part.content_type(message).kind != "text" {
        return false;
    }
    let attached = |part: &Part| {
        part.disposition(message)
            .is_some_and(|how| how.kind == "attachment")
    };
    !attached(part)
}

/// The words of a plain text: without quoted lines and what follows the signature's mark, unless nothing else is there.
fn plain(text: &str) -> String {
    let own = text
        .lines()
        .take_while(|line| *line != "-- ")
        .filter(|line| !line.trim_start().starts_with('>'));
    let mut words = Words::default();
    own.for_each(|line| words.text(line));
    if !words.is_empty() {
        return words.finish();
    }
    let mut words = Words::default();
    text.lines()
        .for_each(|line| words.text(line.trim_start_matches(['>', ' ', '\t'])));
    words.finish()
}

/// Words in a row, up to the limit.
#[derive(Default)]
struct Words {
    text: String,
    letters: usize,
    /// a word ended; the next needs a space before it
    gap: bool,
}

impl Words {
    /// Adds a piece that begins a new word.
    fn text(&mut self, piece: &str) {
        self.space();
        piece.chars().for_each(|letter| self.letter(letter));
    }

    fn space(&mut self) {
        self.gap = !self.text.is_empty();
    }

    fn letter(&mut self, letter: char) {
        if letter.is_whitespace() {
            return self.space();
        }
        let needed = 1 + usize::from(self.gap);
        if is_invisible(letter) || self.letters + needed > PREVIEW_LETTERS {
            // What does not fit ends the text: a shorter word must not slip in behind it.
            self.letters += if is_invisible(letter) { 0 } else { PREVIEW_LETTERS };
            return;
        }
        if std::mem::take(&mut self.gap) {
            self.text.push(' ');
        }
        self.text.push(letter);
        self.letters += needed;
    }

    fn is_full(&self) -> bool {
        self.letters >= PREVIEW_LETTERS
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn finish(self) -> String {
        self.text
    }
}

/// Control characters, and those that senders of newsletters pad their first line with.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> String {
        let message = message.replace('\n', "\r\n");
        preview(message.as_bytes(), &Structure::parse(message.as_bytes()))
    }

    #[test]
    fn the_first_words_are_shown() {
        for (message, wanted) in [
            ("Subject: x\n\nHello,\n\n  this is\tnew.\n", "Hello, this is new."),
            ("Subject: x\n\n> You wrote\n> this\nNo.\n-- \nB.\n", "No."),
            ("Subject: x\n\n> only\n> quoted\n", "only quoted"),
            ("Subject: x\n\n", ""),
            ("Content-Type: image/png\n\nabc", ""),
            (
                "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FC=DFe\n",
                "grüße",
            ),
            (
                "Content-Type: text/html\n\n<p>Hello&nbsp;<b>wor</b>ld<p>a &lt; b",
                "Hello world a < b",
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Disposition: attachment\n\nlog\n\
                 --b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\n \n--c\n\
                 Content-Type: text/html\n\n<title>t</title><p>page\n--c--\n--b--\n",
                "page",
            ),
            (
                "Subject: x\n\nOffer\u{200c}\u{34f}\u{ad} today\u{feff}\n",
                "Offer today",
            ),
        ] {
            assert_eq!(of(message), wanted, "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_have_a_short_preview(
            page in proptest::prelude::any::<bool>(),
            words in proptest::collection::vec("[<>&;/!a-z# \\-\u{ad}\u{fc}]{0,6}", 0..80),
            octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
        ) {
            let kind = if page { "html" } else { "plain" };
            let mut message = format!("Content-Type: text/{kind}\r\n\r\n{}", words.concat()).into_bytes();
            message.extend_from_slice(&octets);
            crate::fuzzing::fuzz_preview(&message);
        }
    }

    #[test]
    fn there_is_an_end() {
        let long = of(&format!("Subject: x\n\n{}", "wörter ".repeat(100)));
        assert!(long.chars().count() <= PREVIEW_LETTERS && long.starts_with("wörter wörter"));
        assert_eq!(
            of(&format!("Subject: x\n\n{}", "x".repeat(500))).chars().count(),
            PREVIEW_LETTERS
        );
        let page = format!("Content-Type: text/html\n\n{}<p>x", "<div>".repeat(50_000));
        assert_eq!(of(&page), "", "the words are beyond what is looked at");
    }
}
