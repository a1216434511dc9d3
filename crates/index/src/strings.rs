//! One octet string for each message of a segment, side by side: how many, where each ends, all octets.
//!
//! Texts of fields are kept so too: of each message the values of all fields of that name, each with a NUL behind it. One
//! scan over all of them finds every message that has a needle, exactly.

use memchr::memmem;

use crate::bits::Bits;
use crate::octets::{put_u32, u32_at};

/// Collects strings.
#[derive(Default)]
pub(crate) struct Builder {
    ends: Vec<u8>,
    octets: Vec<u8>,
}

impl Builder {
    /// The next message's.
    pub(crate) fn push(&mut self, string: &[u8]) {
        self.octets.extend_from_slice(string);
        put_u32(&mut self.ends, self.octets.len());
    }

    /// Octets of the column.
    pub(crate) fn bytes(&self) -> usize {
        4 + self.ends.len() + self.octets.len()
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut column = Vec::with_capacity(4 + self.ends.len() + self.octets.len());
        put_u32(&mut column, self.ends.len() / 4);
        column.extend_from_slice(&self.ends);
        column.extend_from_slice(&self.octets);
        column
    }
}

/// Strings to look at.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'o> {
    ends: &'o [u8],
    octets: &'o [u8],
}

impl<'o> Strings<'o> {
    /// `None` when the lengths contradict the octets.
    pub(crate) fn of(column: &'o [u8]) -> Option<Self> {
        let count = u32_at(column, 0)?;
        let (ends, octets) = column[4..].split_at_checked(count.checked_mul(4)?)?;
        let whole = count.checked_sub(1).map_or(Some(0), |last| u32_at(ends, last))?;
        (whole == octets.len()).then_some(Self { ends, octets })
    }

    /// Where the string of a message lies in the column.
    pub(crate) fn range(&self, place: usize) -> Option<std::ops::Range<usize>> {
        let start = place
            .checked_sub(1)
            .map_or(Some(0), |before| u32_at(self.ends, before))?;
        let end = u32_at(self.ends, place)?;
        let octets = 4 + self.ends.len();
        (start <= end && end <= self.octets.len()).then_some(octets + start..octets + end)
    }

    pub(crate) fn get(&self, place: usize) -> Option<&'o [u8]> {
        let range = self.range(place)?;
        let octets = 4 + self.ends.len();
        self.octets.get(range.start - octets..range.end - octets)
    }

    /// The messages with a text that contains the needle; without a needle those that have the field.
    pub(crate) fn containing(&self, needle: &[u8], messages: usize) -> Option<Bits> {
        let mut found = Bits::none(messages);
        if needle.is_empty() {
            for place in 0..messages {
                if !self.get(place)?.is_empty() {
                    found.set(place as u32);
                }
            }
            return Some(found);
        }
        let finder = memmem::Finder::new(needle);
        let (mut place, mut from) = (0, 0);
        while let Some(at) = self.octets.get(from..).and_then(|rest| finder.find(rest)) {
            while u32_at(self.ends, place)? <= from + at {
                place += 1;
            }
            found.set(place as u32);
            from = u32_at(self.ends, place)?;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_in_their_message_only() {
        let mut builder = Builder::default();
        for text in ["AB\0BC\0", "", "\0", "BCBC\0", "ABC\0"] {
            builder.push(text.as_bytes());
        }
        let column = builder.finish();
        let strings = Strings::of(&column).unwrap();
        let found = |needle: &str| -> Vec<usize> {
            strings.containing(needle.as_bytes(), 5).unwrap().iter().collect()
        };
        assert_eq!(found("BC"), [0, 3, 4]);
        assert_eq!(found("AB"), [0, 4]);
        assert_eq!(found("ABBC"), [0; 0]);
        assert_eq!(found(""), [0, 2, 3, 4]);
        assert_eq!(strings.get(3), Some(&b"BCBC\0"[..]));
        assert_eq!(strings.get(5), None);
        assert!(Strings::of(&column[..column.len() - 1]).is_none());
        assert!(Strings::of(&[]).is_none());
    }
}
