//! What SEARCH, SORT and THREAD found (RFC 3501 §7.2.5, RFC 4466 §2.6.2, RFC 5256 §4).

use super::Out;
use crate::command::{PartialRange, Tag};
use crate::name::MailboxName;

/// One `* ESEARCH` response (RFC 4731 §3.1, RFC 9394 §3.1). What is `None` is not told.
#[derive(Debug, Clone, Copy)]
pub struct Esearch<'a> {
    /// whose command it answers
    pub tag: &'a Tag,
    /// of which mailbox, and its UIDVALIDITY: in the answer to a search in several (RFC 7377 §2.1)
    pub mailbox: Option<(&'a MailboxName, u32)>,
    /// the numbers are UIDs
    pub uid: bool,
    /// the first message
    pub min: Option<u32>,
    /// the last message
    pub max: Option<u32>,
    /// how many
    pub count: Option<u32>,
    /// all numbers in the order of the result; not told when empty (RFC 4731 §3.1)
    pub all: Option<&'a [u32]>,
    /// some numbers in the order of the result; NIL when there are none (RFC 9394 §3.1)
    pub partial: Option<(PartialRange, &'a [u32])>,
    /// the highest mod-sequence of what is told (RFC 7162 §3.1.10)
    pub modseq: Option<u64>,
}

/// What came into a result that is kept up to date, or went from it (RFC 5267 §4.3.2).
#[derive(Debug, Clone, Copy)]
pub struct ResultChange<'a> {
    /// whose command asked for it
    pub tag: &'a Tag,
    /// the numbers are UIDs
    pub uid: bool,
    /// ADDTO, else REMOVEFROM
    pub added: bool,
    /// places, counted from 1 or 0, and what stands there one after the other; at least one, none of them empty
    pub places: &'a [(u32, Vec<u32>)],
}

/// A piece of `* THREAD` (RFC 5256 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadStep {
    /// a thread, or a branch of one, begins
    Open,
    /// a message; the child of the one before it, if that stands in the same parentheses
    Message(u32),
    /// it ends
    Close,
}

impl Out {
    /// `* SEARCH …`; with the highest mod-sequence of the messages found, if MODSEQ was searched and some were
    /// found (RFC 7162 §3.1.5).
    pub fn search(&mut self, numbers: impl IntoIterator<Item = u32>, modseq: Option<u64>) {
        self.numbers_line(b"* SEARCH", numbers, modseq);
    }

    /// `* SORT …` (RFC 5256 §4); with the highest mod-sequence likewise (RFC 7162 §3.1.6).
    pub fn sort(&mut self, numbers: impl IntoIterator<Item = u32>, modseq: Option<u64>) {
        self.numbers_line(b"* SORT", numbers, modseq);
    }

    fn numbers_line(&mut self, start: &[u8], numbers: impl IntoIterator<Item = u32>, modseq: Option<u64>) {
        self.raw(start);
        for number in numbers {
            self.raw(b" ");
            self.number(u64::from(number));
        }
        if let Some(modseq) = modseq {
            self.raw(b" (MODSEQ ");
            self.number(modseq);
            self.raw(b")");
        }
        self.crlf();
    }

    /// `* ESEARCH (TAG "…") [UID] …`
    pub fn esearch(&mut self, found: &Esearch<'_>) {
        self.raw(b"* ESEARCH (TAG ");
        self.string(found.tag.as_str().as_bytes());
        if let Some((name, uidvalidity)) = found.mailbox {
            self.raw(b" MAILBOX ");
            self.mailbox(name);
            self.raw(b" UIDVALIDITY ");
            self.number(u64::from(uidvalidity));
        }
        self.raw(if found.uid { b") UID" } else { b")" });
        self.named_number(b" MIN ", found.min.map(u64::from));
        self.named_number(b" MAX ", found.max.map(u64::from));
        self.named_number(b" COUNT ", found.count.map(u64::from));
        if let Some(all) = found.all.filter(|all| !all.is_empty()) {
            self.raw(b" ALL ");
            self.ranges(&runs(all));
        }
        if let Some((range, numbers)) = found.partial {
            self.partial(range, numbers);
        }
        self.named_number(b" MODSEQ ", found.modseq);
        self.crlf();
    }

    /// `* ESEARCH (TAG "…") [UID] ADDTO (place numbers …)` or `REMOVEFROM` (RFC 5267 §5).
    pub fn result_change(&mut self, change: &ResultChange<'_>) {
        self.raw(b"* ESEARCH (TAG ");
        self.string(change.tag.as_str().as_bytes());
        self.raw(if change.uid { b") UID" } else { b")" });
        self.raw(if change.added { b" ADDTO " } else { b" REMOVEFROM " });
        self.list(change.places, |out, (position, numbers)| {
            out.number(u64::from(*position));
            out.raw(b" ");
            out.ranges(&runs(numbers));
        });
        self.crlf();
    }

    /// `"PARTIAL" SP "(" partial-range SP (sequence-set / "NIL") ")"`
    fn partial(&mut self, range: PartialRange, numbers: &[u32]) {
        let sign: &[u8] = if range.from_end { b"-" } else { b"" };
        self.raw(b" PARTIAL (");
        self.raw(sign);
        self.number(u64::from(range.first.get()));
        self.raw(b":");
        self.raw(sign);
        self.number(u64::from(range.last.get()));
        self.raw(b" ");
        if numbers.is_empty() {
            self.raw(b"NIL");
        } else {
            self.ranges(&runs(numbers));
        }
        self.raw(b")");
    }

    fn named_number(&mut self, name: &[u8], number: Option<u64>) {
        if let Some(number) = number {
            self.raw(name);
            self.number(number);
        }
    }

    /// `* THREAD (…)(…)`: threads without nesting on the stack, however deep they are.
    pub fn thread(&mut self, steps: impl IntoIterator<Item = ThreadStep>) {
        self.raw(b"* THREAD");
        let mut before = None;
        for step in steps {
            if before.is_none() || matches!(before, Some(ThreadStep::Message(_))) && step != ThreadStep::Close
            {
                self.raw(b" ");
            }
            match step {
                ThreadStep::Open => self.raw(b"("),
                ThreadStep::Message(number) => self.number(u64::from(number)),
                ThreadStep::Close => self.raw(b")"),
            }
            before = Some(step);
        }
        self.crlf();
    }
}

/// Numbers in their order, ascending neighbours joined: the order of a SORT is told too (RFC 5267 §3).
fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some(run) if run.1.checked_add(1) == Some(number) => run.1 = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn written(write: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::new();
        write(&mut out);
        String::from_utf8(out.take()).expect("ASCII")
    }

    #[test]
    fn changes_of_results_are_told() {
        let tag = Tag::new(b"B01").expect("a tag");
        let line = |uid, added, places: &[(u32, Vec<u32>)]| {
            let tag = &tag;
            written(|out| {
                out.result_change(&ResultChange {
                    tag,
                    uid,
                    added,
                    places,
                })
            })
        };
        assert_eq!(
            line(true, true, &[(0, vec![32768, 32769])]),
            "* ESEARCH (TAG \"B01\") UID ADDTO (0 32768:32769)\r\n"
        );
        assert_eq!(
            line(false, false, &[(5, vec![3]), (2, vec![4, 7, 8])]),
            "* ESEARCH (TAG \"B01\") REMOVEFROM (5 3 2 4,7:8)\r\n"
        );
    }

    #[test]
    fn results_are_told() {
        let tag = Tag::new(b"A282").expect("a tag");
        let nothing = Esearch {
            tag: &tag,
            mailbox: None,
            uid: false,
            min: None,
            max: None,
            count: None,
            all: None,
            partial: None,
            modseq: None,
        };
        let place = |place| NonZeroU32::new(place).expect("not 0");
        let first = PartialRange::new(false, place(1), place(100));
        let last = PartialRange::new(true, place(100), place(1));
        for (found, line) in [
            (nothing, ""),
            (
                Esearch {
                    min: Some(2),
                    count: Some(3),
                    ..nothing
                },
                " MIN 2 COUNT 3",
            ),
            (
                Esearch {
                    uid: true,
                    all: Some(&[2, 10, 11, 12]),
                    modseq: Some(7),
                    ..nothing
                },
                " UID ALL 2,10:12 MODSEQ 7",
            ),
            (
                Esearch {
                    all: Some(&[]),
                    count: Some(0),
                    ..nothing
                },
                " COUNT 0",
            ),
            (
                Esearch {
                    all: Some(&[5, 4, 5, 6, 1]),
                    max: Some(1),
                    ..nothing
                },
                " MAX 1 ALL 5,4:6,1",
            ),
            (
                Esearch {
                    partial: Some((first, &[3, 4])),
                    ..nothing
                },
                " PARTIAL (1:100 3:4)",
            ),
            (
                Esearch {
                    partial: Some((last, &[])),
                    ..nothing
                },
                " PARTIAL (-1:-100 NIL)",
            ),
        ] {
            let expected = format!("* ESEARCH (TAG \"A282\"){line}\r\n");
            assert_eq!(written(|out| out.esearch(&found)), expected);
        }
        let name = MailboxName::from_utf8("Entw\u{fc}rfe").expect("a name");
        let found = Esearch {
            mailbox: Some((&name, 42)),
            uid: true,
            count: Some(2),
            ..nothing
        };
        assert_eq!(
            written(|out| out.esearch(&found)),
            "* ESEARCH (TAG \"A282\" MAILBOX Entw&APw-rfe UIDVALIDITY 42) UID COUNT 2\r\n"
        );
        assert_eq!(written(|out| out.sort([2, 84, 882], None)), "* SORT 2 84 882\r\n");
        assert_eq!(written(|out| out.sort([2], Some(9))), "* SORT 2 (MODSEQ 9)\r\n");
    }

    /// RFC 5256 §4, its examples.
    #[test]
    fn threads_are_told() {
        use ThreadStep::{Close, Message, Open};
        let steps = |text: &str| -> Vec<ThreadStep> {
            let spaced = text.replace('(', " ( ").replace(')', " ) ");
            let words = spaced.split_whitespace();
            words
                .map(|word| match word {
                    "(" => Open,
                    ")" => Close,
                    number => Message(number.parse().expect("a number")),
                })
                .collect()
        };
        for line in ["(2)(3 6 (4 23)(44 7 96))", "((3)(5))", "(1 (2 (3)(4))(5))"] {
            assert_eq!(
                written(|out| out.thread(steps(line))),
                format!("* THREAD {line}\r\n")
            );
        }
        assert_eq!(written(|out| out.thread([])), "* THREAD\r\n");
    }
}
