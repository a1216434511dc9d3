//! What can be asked of the texts of messages, and the answer: yes, no, or look.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mail::collation::fold;
use mail::ids::{Id as _, MessageId};

use crate::bits::Bits;
use crate::lexicon::Lexicon;
use crate::needle::Needle;
use crate::segment::Column;
use crate::strings::Strings;

/// Where the text is looked for (RFC 3501 §6.4.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the fields of this name. An empty text asks whether there is such a field.
    Header(String),
    /// In the body: text parts, and the headers of messages inside.
    Body,
    /// In the header, in the body, or in the headers of parts.
    Text,
}

/// A question: which messages have this text there?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    place: Place,
    folded: String,
}

impl Question {
    /// The text is compared as [`fold`] says.
    pub fn new(place: Place, text: &str) -> Self {
        Self::of_folded(place, fold(text))
    }

    /// Of a text that is folded already; folding twice is not folding once.
    pub fn of_folded(place: Place, folded: String) -> Self {
        Self { place, folded }
    }

    /// The columns that answer it.
    pub(crate) fn columns(&self) -> Vec<Column> {
        match &self.place {
            Place::Header(name) => vec![Column::of_field(name).unwrap_or(Column::HeaderWords)],
            Place::Body => vec![Column::BodyWords],
            Place::Text => vec![Column::HeaderWords, Column::BodyWords, Column::PartWords],
        }
    }

    /// (messages that have it, messages to be read) of a segment, from the columns named by [`Question::columns`]. `None` when they are damaged.
    pub(crate) fn answer(&self, columns: &[&[u8]], messages: usize) -> Option<(Bits, Bits)> {
        // No text holds a NUL that a person could mean.
        if self.folded.contains('\0') {
            return Some((Bits::none(messages), Bits::all(messages)));
        }
        match (&self.place, columns) {
            (Place::Header(name), [column]) => match Column::of_field(name) {
                Some(_) => {
                    let found = Strings::of(column)?.containing(self.folded.as_bytes(), messages)?;
                    Some((found, Bits::none(messages)))
                }
                None => {
                    let name = Needle::of(&fold(name));
                    Lexicon::of(column)?.find(&name.and(Needle::of(&self.folded)), messages)
                }
            },
            (_, columns) => {
                let needle = Needle::of(&self.folded);
                let (mut yes, mut look) = (Bits::none(messages), Bits::none(messages));
                for column in columns {
                    let (found, maybe) = Lexicon::of(column)?.find(&needle, messages)?;
                    yes.or(&found);
                    look.or(&maybe);
                }
                look.without(&yes);
                Some((yes, look))
            }
        }
    }
}

/// What is known of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has the text.
    Yes,
    /// It has not.
    No,
    /// It must be read: it is not indexed, or words alone do not decide.
    Look,
}

/// The answer to a [`Question`]. Without an index it says [`Verdict::Look`] of every message.
#[derive(Debug, Clone, Default)]
pub struct Found {
    covered: Sorted,
    yes: Sorted,
    look: Sorted,
}

impl Found {
    pub(crate) fn new(covered: Arc<[u64]>, yes: Vec<u64>, look: Vec<u64>) -> Self {
        Self {
            covered: Sorted::new(covered),
            yes: Sorted::new(yes.into()),
            look: Sorted::new(look.into()),
        }
    }

    /// What is known of a message. Quick when asked in ascending order of ids.
    pub fn verdict(&self, message: MessageId) -> Verdict {
        let id = message.raw();
        if self.yes.contains(id) {
            Verdict::Yes
        } else if self.look.contains(id) || !self.covered.contains(id) {
            Verdict::Look
        } else {
            Verdict::No
        }
    }
}

/// Ascending numbers that remember where the last one asked for was.
#[derive(Debug, Default)]
struct Sorted {
    numbers: Arc<[u64]>,
    hint: AtomicUsize,
}

impl Clone for Sorted {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.numbers))
    }
}

impl Sorted {
    fn new(numbers: Arc<[u64]>) -> Self {
        Self {
            numbers,
            hint: AtomicUsize::new(0),
        }
    }

    fn contains(&self, wanted: u64) -> bool {
        let hint = self.hint.load(Ordering::Relaxed);
        let near = |at: usize| self.numbers.get(at).copied();
        // The first one that is not smaller is usually the one hinted at, or the next.
        for at in [hint, hint + 1] {
            let before = at.checked_sub(1).and_then(near);
            if before.is_none_or(|before| before < wanted)
                && near(at).is_none_or(|here| here >= wanted)
                && at <= self.numbers.len()
            {
                self.hint.store(at, Ordering::Relaxed);
                return near(at) == Some(wanted);
            }
        }
        let at = self.numbers.partition_point(|&number| number < wanted);
        self.hint.store(at, Ordering::Relaxed);
        near(at) == Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn hints_change_nothing(mut numbers in proptest::collection::vec(0u64..60, 0..40), asked in proptest::collection::vec(0u64..60, 0..80)) {
            numbers.sort_unstable();
            numbers.dedup();
            let sorted = Sorted::new(numbers.clone().into());
            for wanted in asked {
                prop_assert_eq!(sorted.contains(wanted), numbers.contains(&wanted));
            }
        }
    }
}
