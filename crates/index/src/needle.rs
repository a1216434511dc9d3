//! What to look for in a lexicon, from what a person looks for in texts.
//!
//! A fragment of one word is decided by the lexicon alone. Of anything longer the lexicon gives candidates: the messages that
//! have all its words, the first one as the end of a word, the last one as the beginning; they are then read.

use crate::limits::OVERLAP_BYTES;
use crate::words::runs;

/// A pattern over the octets of a lexicon, in which words stand between NULs.
pub(crate) type Pattern = Vec<u8>;

/// How to find a needle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needle {
    /// Whoever has this pattern has the needle.
    Exactly(Pattern),
    /// Whoever has the needle has all these patterns, but not the other way round.
    AtMost(Vec<Pattern>),
}

impl Needle {
    /// Of a folded text.
    pub(crate) fn of(folded: &str) -> Self {
        let all: Vec<_> = runs(folded).collect();
        if let [run] = all[..]
            && !run.begins
            && !run.ends
            && run.word.len() <= OVERLAP_BYTES
        {
            return Self::Exactly(run.word.to_vec());
        }
        Self::AtMost(
            all.into_iter()
                .map(|run| pattern(run.word, run.begins, run.ends))
                .collect(),
        )
    }

    /// Candidates for those that have the words of both.
    pub(crate) fn and(self, other: Self) -> Self {
        let patterns = |needle| match needle {
            Self::Exactly(pattern) => vec![pattern],
            Self::AtMost(patterns) => patterns,
        };
        let mut all = patterns(self);
        all.extend(patterns(other));
        Self::AtMost(all)
    }
}

/// A part of the text, bounded where the text shows a separator. Of a long one the start is enough for candidates.
fn pattern(word: &[u8], begins: bool, ends: bool) -> Pattern {
    let mut pattern = Vec::with_capacity(word.len() + 2);
    if begins {
        pattern.push(0);
    }
    pattern.extend_from_slice(&word[..word.len().min(OVERLAP_BYTES)]);
    if ends && word.len() <= OVERLAP_BYTES {
        pattern.push(0);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fragment_is_decided_by_words() {
        let long = "A".repeat(OVERLAP_BYTES + 1);
        let most =
            |patterns: &[&[u8]]| Needle::AtMost(patterns.iter().map(|pattern| pattern.to_vec()).collect());
        for (text, needle) in [
            ("ELLO", Needle::Exactly(b"ELLO".to_vec())),
            ("ELLO WOR", most(&[b"ELLO\0", b"\0WOR"])),
            ("A@B.C", most(&[b"A\0", b"\0B\0", b"\0C"])),
            (" WORD", most(&[b"\0WORD"])),
            ("WORD.", most(&[b"WORD\0"])),
            ("...", most(&[])),
            ("", most(&[])),
            (&long, most(&[&long.as_bytes()[1..]])),
        ] {
            assert_eq!(Needle::of(text), needle, "{text}");
        }
    }
}
