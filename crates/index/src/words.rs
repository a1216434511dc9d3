//! How a folded text falls into words. Any rule would do, as long as texts and what is looked for follow the same one: then a
//! fragment without separators lies inside one word, and nothing can be missed.
//!
//! Letters and digits of ASCII are parts of words, and everything beyond ASCII but two blocks of punctuation. Very long words
//! are cut into pieces that overlap, so that every short fragment is inside one of them.

use crate::limits::{OVERLAP_BYTES, PIECE_BYTES};

/// What an octet is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// in a word, wherever it stands
    Word,
    /// a separator
    Separator,
    /// what follows decides
    Begins,
}

/// The kinds of all octets: most of a text is looked up here, octet by octet.
const KINDS: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Word; 256];
    let mut octet = 0;
    while octet < 128 {
        if !(octet as u8).is_ascii_alphanumeric() {
            kinds[octet] = Kind::Separator;
        }
        octet += 1;
    }
    kinds[0xe2] = Kind::Begins;
    kinds[0xe3] = Kind::Begins;
    kinds
}

/// Octets of the separator at the start; 0 when there is none.
fn separator(octets: &[u8]) -> usize {
    match (octets.first().map(|&first| KINDS[first as usize]), octets) {
        (Some(Kind::Separator), _) => 1,
        // U+2000 to U+207F (dashes, quotes, spaces), U+3000 to U+303F (CJK punctuation).
        (Some(Kind::Begins), [0xe2, 0x80 | 0x81, _, ..] | [0xe3, 0x80, _, ..]) => 3,
        _ => 0,
    }
}

/// A run of octets between separators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run<'t> {
    pub(crate) word: &'t [u8],
    /// whether the text goes on before and behind it
    pub(crate) begins: bool,
    pub(crate) ends: bool,
}

/// The words of a text in their order.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let octets = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            match separator(&octets[at..]) {
                0 => break,
                length => at += length,
            }
        }
        let start = at;
        while at < octets.len() && separator(&octets[at..]) == 0 {
            at += 1;
        }
        (start < at).then_some(Run {
            word: &octets[start..at],
            begins: start > 0,
            ends: at < octets.len(),
        })
    })
}

/// A word as it stands in a lexicon: whole, or in pieces of which each but the first repeats the end of the one before. The
/// last one is longer than the overlap.
pub(crate) fn pieces(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let end = (from + PIECE_BYTES).min(word.len());
        start = (end < word.len()).then(|| end - OVERLAP_BYTES);
        Some(&word[from..end])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_lie_between_separators() {
        let words = |text| -> Vec<String> {
            let octets = |run: Run<'_>| String::from_utf8_lossy(run.word).into_owned();
            runs(text).map(octets).collect()
        };
        assert_eq!(words("HELLO, WORLD\r\n42!"), ["HELLO", "WORLD", "42"]);
        assert_eq!(
            words("DON\u{2019}T \u{65e5}\u{672c}\u{3002}X"),
            ["DON", "T", "日本", "X"]
        );
        assert_eq!(words(" .-\u{3000}"), [""; 0]);
        let ends: Vec<(bool, bool)> = runs("A B ").map(|run| (run.begins, run.ends)).collect();
        assert_eq!(ends, [(false, true), (true, true)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn every_short_fragment_is_inside_a_piece(word in "[A-Z]{1,400}", at in 0usize..400, length in 1usize..=OVERLAP_BYTES) {
            let word = word.as_bytes();
            let at = at % word.len();
            let fragment = &word[at..(at + length).min(word.len())];
            prop_assert!(pieces(word).any(|piece| memchr::memmem::find(piece, fragment).is_some()));
            let all: Vec<&[u8]> = pieces(word).collect();
            prop_assert!(all.iter().all(|piece| piece.len() <= PIECE_BYTES));
            let tail = &word[word.len() - fragment.len()..];
            prop_assert!(all.last().is_some_and(|piece| piece.ends_with(tail)));
        }
    }
}
