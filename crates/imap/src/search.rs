//! What SEARCH, SORT and THREAD ask (RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 5256, RFC 5267, RFC 9394).

use std::num::NonZeroU32;

use crate::command::{FetchItem, Numbers};
use crate::date::Date;
use crate::filter::FilterName;
use crate::flag::Flag;
use crate::name::MailboxName;
use crate::set::SequenceSet;

/// SEARCH (RFC 3501 §6.4.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// which numbers the answer holds
    pub numbers: Numbers,
    /// `RETURN (…)`; without it the answer is `* SEARCH`
    pub returns: Option<Returns>,
    /// all must hold; at least one
    pub keys: Vec<SearchKey>,
    /// with `UPDATE`: what is told of each message that comes into the result; may be none (RFC 5465 §7)
    pub update_items: Vec<FetchItem>,
}

impl Search {
    /// Whether any key needs mod-sequences, which also enables CONDSTORE (RFC 7162 §3.1).
    pub fn uses_modseq(&self) -> bool {
        self.keys.iter().any(SearchKey::uses_modseq)
    }
}

/// What an ESEARCH response is to hold. At least one of them; `RETURN ()` is ALL (RFC 4731 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Returns {
    /// MIN: the first
    pub min: bool,
    /// MAX: the last
    pub max: bool,
    /// ALL: all numbers; never together with `partial`
    pub all: bool,
    /// COUNT: how many
    pub count: bool,
    /// SAVE: keep them for `$` (RFC 5182)
    pub save: bool,
    /// PARTIAL: some of them (RFC 9394 §3.1)
    pub partial: Option<PartialRange>,
    /// UPDATE: tell what changes in the result from now on (RFC 5267 §4.3)
    pub update: bool,
    /// CONTEXT: a hint that the same will be asked again (RFC 5267 §4.2)
    pub context: bool,
}

impl Returns {
    /// What `RETURN ()` means, and a SEARCH without RETURN in IMAP4rev2 (RFC 9051 §6.4.4).
    pub const ALL: Self = Self {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
        partial: None,
        update: false,
        context: false,
    };

    /// Whether there is an answer: SAVE alone asks for none (RFC 5182 §2.1).
    pub fn wants_answer(&self) -> bool {
        self.min
            || self.max
            || self.all
            || self.count
            || self.partial.is_some()
            || self.update
            || self.context
    }
}

/// Places in a result, counted from 1, first to last (RFC 9394 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialRange {
    /// `-1:-100`: counted from the end
    pub from_end: bool,
    /// the smaller place
    pub first: NonZeroU32,
    /// the larger place
    pub last: NonZeroU32,
}

impl PartialRange {
    /// Two places in either order.
    pub fn new(from_end: bool, one: NonZeroU32, other: NonZeroU32) -> Self {
        Self {
            from_end,
            first: one.min(other),
            last: one.max(other),
        }
    }

    /// The part of a result that it means.
    pub fn of<T>(self, result: &[T]) -> &[T] {
        let place = |place: NonZeroU32| usize::try_from(place.get()).unwrap_or(usize::MAX);
        let before = place(self.first).saturating_sub(1).min(result.len());
        let until = place(self.last).min(result.len());
        if self.from_end {
            &result[result.len() - until..result.len() - before]
        } else {
            &result[before..until]
        }
    }
}

/// ESEARCH: a search in several mailboxes, whose answers hold UIDs (RFC 7377).
#[derive(Debug, Clone, PartialEq)]
pub struct MultiSearch {
    /// where; at least one
    pub sources: Vec<Source>,
    /// what is asked; `returns` is there
    pub search: Search,
}

impl MultiSearch {
    /// Whether only the open mailbox is searched: what is about sequence numbers or `$` makes sense there only (RFC 7377 §2.2).
    pub fn only_selected(&self) -> bool {
        self.sources.iter().all(|source| *source == Source::Selected)
    }
}

/// Mailboxes to be searched (RFC 5465 §6, RFC 7377 §2.2). Names that do not exist are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `selected`: the open one
    Selected,
    /// `inboxes`: those in which mail arrives
    Inboxes,
    /// `personal`: all of this person's
    Personal,
    /// `subscribed`
    Subscribed,
    /// `subtree`: these and all below them
    Subtree(Vec<MailboxName>),
    /// `subtree-one`: these and those right below them
    SubtreeOne(Vec<MailboxName>),
    /// `mailboxes`: these
    Mailboxes(Vec<MailboxName>),
}

/// SORT (RFC 5256 §3).
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// `RETURN (…)` (RFC 5267 §3); without it the answer is `* SORT`
    pub returns: Option<Returns>,
    /// the first decides first; at least one
    pub criteria: Vec<SortCriterion>,
    /// what is sorted; `returns` in it is not used
    pub search: Search,
}

/// One criterion of SORT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortCriterion {
    /// `REVERSE`
    pub reverse: bool,
    /// by what
    pub key: SortKey,
}

/// What SORT sorts by (RFC 5256 §3, RFC 5957).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// the internal date
    Arrival,
    /// the local part of the first address in Cc
    Cc,
    /// the Date field, as UTC; the internal date when there is none
    Date,
    /// the name or address of the first address in From, as it is displayed
    DisplayFrom,
    /// the same of To
    DisplayTo,
    /// the local part of the first address in From
    From,
    /// octets
    Size,
    /// the base subject
    Subject,
    /// the local part of the first address in To
    To,
}

/// THREAD (RFC 5256 §3).
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    /// how
    pub algorithm: ThreadAlgorithm,
    /// what is threaded
    pub search: Search,
}

/// How THREAD makes threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// `ORDEREDSUBJECT`
    OrderedSubject,
    /// `REFERENCES`
    References,
}

/// One condition of SEARCH. Texts are UTF-8 whatever the charset was.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchKey {
    /// every message
    All,
    /// `( … )`: all of them
    And(Vec<SearchKey>),
    /// has the flag: ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, KEYWORD
    Has(Flag),
    /// has it not: UNANSWERED … UNKEYWORD
    HasNot(Flag),
    /// RECENT
    Recent,
    /// OLD: not recent
    Old,
    /// NEW: recent and unseen
    New,
    /// BCC, CC, FROM, SUBJECT, TO, HEADER: the decoded field contains the text; an empty text: the field exists
    Header(String, String),
    /// BODY
    Body(String),
    /// TEXT: header or body
    Text(String),
    /// BEFORE: internal date, its day only
    Before(Date),
    /// ON
    On(Date),
    /// SINCE
    Since(Date),
    /// SENTBEFORE: the Date field, its day only, without zone
    SentBefore(Date),
    /// SENTON
    SentOn(Date),
    /// SENTSINCE
    SentSince(Date),
    /// SAVEDBEFORE: when it came into this mailbox, its day only (RFC 8514)
    SavedBefore(Date),
    /// SAVEDON
    SavedOn(Date),
    /// SAVEDSINCE
    SavedSince(Date),
    /// SAVEDATESUPPORTED: every message, as the mailbox keeps save dates (RFC 8514 §4.3)
    SaveDateSupported,
    /// LARGER: more octets than
    Larger(u64),
    /// SMALLER: fewer octets than
    Smaller(u64),
    /// OLDER: arrived at least so many seconds ago (RFC 5032)
    Older(NonZeroU32),
    /// YOUNGER: arrived at most so many seconds ago (RFC 5032)
    Younger(NonZeroU32),
    /// NOT
    Not(Box<SearchKey>),
    /// OR
    Or(Box<SearchKey>, Box<SearchKey>),
    /// message sequence numbers
    Sequence(SequenceSet),
    /// UID
    Uid(SequenceSet),
    /// MODSEQ: at least this mod-sequence (RFC 7162 §3.1.5); the entry name is of no effect here
    ModSeq(u64),
    /// EMAILID (RFC 8474)
    EmailId(String),
    /// THREADID (RFC 8474)
    ThreadId(String),
    /// FILTER: a saved search, whose keys have to be put in its place (RFC 5466 §3.1)
    Filter(FilterName),
}

impl SearchKey {
    /// Whether it is about sequence numbers, or about what was saved of the open mailbox.
    pub fn is_of_selected(&self) -> bool {
        match self {
            Self::Sequence(_) => true,
            Self::Uid(set) => set.is_saved(),
            Self::Not(key) => key.is_of_selected(),
            Self::Or(one, other) => one.is_of_selected() || other.is_of_selected(),
            Self::And(keys) => keys.iter().any(Self::is_of_selected),
            _ => false,
        }
    }

    /// Whether it names a saved search.
    pub fn uses_filter(&self) -> bool {
        match self {
            Self::Filter(_) => true,
            Self::Not(key) => key.uses_filter(),
            Self::Or(one, other) => one.uses_filter() || other.uses_filter(),
            Self::And(keys) => keys.iter().any(Self::uses_filter),
            _ => false,
        }
    }

    /// Whether it needs mod-sequences.
    pub fn uses_modseq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::Not(key) => key.uses_modseq(),
            Self::Or(one, other) => one.uses_modseq() || other.uses_modseq(),
            Self::And(keys) => keys.iter().any(Self::uses_modseq),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_range_is_a_part_of_the_result() {
        let range = |from_end, one, other| {
            let place = |place| NonZeroU32::new(place).expect("not 0");
            PartialRange::new(from_end, place(one), place(other))
        };
        let result = [11, 12, 13, 14, 15];
        for (range, part) in [
            (range(false, 1, 2), &result[..2]),
            (range(false, 2, 1), &result[..2]),
            (range(false, 4, 9), &result[3..]),
            (range(false, 5, 5), &result[4..]),
            (range(false, 6, 9), &[]),
            (range(true, 1, 1), &result[4..]),
            (range(true, 2, 1), &result[3..]),
            (range(true, 4, 9), &result[..2]),
            (range(true, 6, 9), &[]),
            (range(true, 1, u32::MAX), &result[..]),
        ] {
            assert_eq!(range.of(&result), part, "{range:?}");
        }
    }
}
