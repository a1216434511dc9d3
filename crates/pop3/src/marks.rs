//! Which messages DELE marked. Numbers do not change in a session, and marked messages are as if they were gone (RFC 1939 §5).

use std::fmt;

/// Marks on the messages of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// a bit for each message, set when it is marked
    bits: Vec<u64>,
    all: Left,
    left: Left,
}

/// What is not marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// how many messages
    pub messages: u32,
    /// their octets
    pub octets: u64,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.messages == 1 { "" } else { "s" };
        write!(f, "{} message{plural} ({} octets)", self.messages, self.octets)
    }
}

/// Why a message cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// There is none of that number.
    NoSuch,
    /// It is marked.
    Marked,
}

impl Missing {
    /// One plain sentence for the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoSuch => "There is no message of that number",
            Self::Marked => "That message is marked as deleted; RSET takes the mark away",
        }
    }
}

impl Marks {
    /// So many messages, none marked.
    pub fn new(all: Left) -> Self {
        Self {
            bits: vec![0; all.messages.div_ceil(64) as usize],
            all,
            left: all,
        }
    }

    /// The position of a message, counted from 0, unless it is marked or not there.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn find(&self, number: u32) -> Result<u32, Missing> {
        let index = number.checked_sub(1).filter(|&index| index < self.all.messages);
        match index {
            None => Err(Missing::NoSuch),
            Some(index) if self.is_marked(index) => Err(Missing::Marked),
            Some(index) => Ok(index),
        }
    }

    /// Marks a message of that many octets.
    ///
    /// # Errors
    /// When it is marked already or not there.
    pub fn mark(&mut self, number: u32, octets: u64) -> Result<(), Missing> {
        let index = self.find(number)?;
        self.bits[(index / 64) as usize] |= 1 << (index % 64);
        self.left.messages -= 1;
        self.left.octets = self.left.octets.saturating_sub(octets);
        Ok(())
    }

    /// Takes all marks away (RSET).
    pub fn clear(&mut self) {
        self.bits.fill(0);
        self.left = self.all;
    }

    /// What STAT counts.
    pub fn left(&self) -> Left {
        self.left
    }

    /// Positions of the messages that are not marked, counted from 0.
    pub fn unmarked(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.all.messages).filter(|&index| !self.is_marked(index))
    }

    /// Positions of the marked messages, counted from 0.
    pub fn marked(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.all.messages).filter(|&index| self.is_marked(index))
    }

    /// Whether no message is marked.
    pub fn none(&self) -> bool {
        self.left.messages == self.all.messages
    }

    fn is_marked(&self, index: u32) -> bool {
        self.bits[(index / 64) as usize] >> (index % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_marked_message_is_gone_until_rset() {
        let all = Left {
            messages: 2,
            octets: 320,
        };
        let mut marks = Marks::new(all);
        assert_eq!(
            (marks.find(0), marks.find(3)),
            (Err(Missing::NoSuch), Err(Missing::NoSuch))
        );
        assert_eq!(marks.mark(1, 120), Ok(()));
        assert_eq!(
            marks.left(),
            Left {
                messages: 1,
                octets: 200
            }
        );
        assert_eq!(
            (marks.find(1), marks.mark(1, 120)),
            (Err(Missing::Marked), Err(Missing::Marked))
        );
        assert_eq!(marks.find(2), Ok(1), "numbers stay");
        marks.clear();
        assert_eq!((marks.left(), marks.none(), marks.find(1)), (all, true, Ok(0)));
    }

    proptest! {
        #[test]
        fn marks_are_a_set(count in 0u32..200, wanted in proptest::collection::vec(0u32..260, 0..80)) {
            let mut marks = Marks::new(Left { messages: count, octets: u64::from(count) * 10 });
            let mut model = BTreeSet::new();
            for number in wanted {
                let expected = match number {
                    0 => Err(Missing::NoSuch),
                    n if n > count => Err(Missing::NoSuch),
                    n if model.contains(&n) => Err(Missing::Marked),
                    n => { model.insert(n); Ok(()) }
                };
                prop_assert_eq!(marks.mark(number, 10), expected);
            }
            let marked: BTreeSet<u32> = marks.marked().map(|index| index + 1).collect();
            prop_assert_eq!(&marked, &model);
            prop_assert_eq!(marks.unmarked().count() + marked.len(), count as usize);
            let left = count - marked.len() as u32;
            prop_assert_eq!(marks.left(), Left { messages: left, octets: u64::from(left) * 10 });
        }
    }
}
