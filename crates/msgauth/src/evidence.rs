//! What was asked and what was answered: the part of every result that an explanation can point at. Plain values.

use std::fmt;

use world::dns::{Absence, Failure, Record, RecordType};

use crate::limits::{EVIDENCE_LETTERS, EVIDENCE_RECORDS};

/// One question to DNS and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// the name as it was asked for
    pub name: String,
    /// the type
    pub kind: RecordType,
    /// what came
    pub answer: Answered,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Records, as text, cut to their limits; how many there were.
    Records(Vec<String>, usize),
    /// A server said that there are none.
    Absent(Absence),
    /// Nothing is known.
    Failed(Failure),
    /// The question was not asked or not waited for: the check had spent its budget.
    Spent(Spent),
}

/// Which budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// the number of questions
    Questions,
    /// the time
    Time,
}

impl Answered {
    /// Repeats records within the limits of evidence.
    pub(crate) fn of_records(records: &[Record]) -> Self {
        let shown = records.iter().take(EVIDENCE_RECORDS).map(words).collect();
        Self::Records(shown, records.len())
    }
}

fn words(record: &Record) -> String {
    match record {
        Record::A(address) => address.to_string(),
        Record::Aaaa(address) => address.to_string(),
        Record::Mx(preference, host) => format!("{preference} {}", printable(host.as_bytes())),
        Record::Txt(text) => format!("\"{}\"", printable(text)),
        Record::Ptr(name) | Record::Cname(name) => printable(name.as_bytes()),
        Record::Tlsa(usage, selector, matching, _) => format!("{usage} {selector} {matching} …"),
        Record::Srv(priority, weight, port, host) => {
            format!("{priority} {weight} {port} {}", printable(host.as_bytes()))
        }
    }
}

/// Octets from outside as letters that cannot change what stands around them; cut at the limit.
pub fn printable(octets: &[u8]) -> String {
    let mut text = String::new();
    for (letters, octet) in octets.iter().enumerate() {
        if letters == EVIDENCE_LETTERS {
            text.push('…');
            break;
        }
        match octet {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*octet)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = kind_word(self.kind);
        write!(f, "{kind} {}: {}", printable(self.name.as_bytes()), self.answer)
    }
}

/// The type's name in zone files.
pub fn kind_word(kind: RecordType) -> &'static str {
    match kind {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Mx => "MX",
        RecordType::Txt => "TXT",
        RecordType::Ptr => "PTR",
        RecordType::Tlsa => "TLSA",
        RecordType::Cname => "CNAME",
        RecordType::Srv => "SRV",
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(shown, count) => {
                f.write_str(&shown.join(", "))?;
                match count - shown.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Absent(Absence::NxDomain) => f.write_str("no such name"),
            Self::Absent(Absence::NoData) => f.write_str("no such record"),
            Self::Failed(failure) => f.write_str(failure_words(*failure)),
            Self::Spent(spent) => write!(f, "not answered: {spent}"),
        }
    }
}

/// A failure in words.
pub fn failure_words(failure: Failure) -> &'static str {
    match failure {
        Failure::Timeout => "no answer in time",
        Failure::ServFail => "the name server failed (SERVFAIL)",
        Failure::Refused => "the name server refused (REFUSED)",
        Failure::Bogus => "the answer's DNSSEC signature is wrong",
        Failure::Malformed => "the answer could not be read",
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Questions => "the check had asked as much as it may",
            Self::Time => "the check's time was over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_stays_on_its_line() {
        let asked = Asked {
            name: "a\nb.example".into(),
            kind: RecordType::Txt,
            answer: Answered::of_records(&[Record::Txt(b"x\r\ny\\z\xff".to_vec())]),
        };
        assert_eq!(
            asked.to_string(),
            "TXT a\\x0ab.example: \"x\\x0d\\x0ay\\\\z\\xff\""
        );
    }

    #[test]
    fn evidence_is_cut() {
        let many = vec![Record::Txt(vec![b'x'; 60_000]); 5_000];
        let Answered::Records(shown, 5_000) = Answered::of_records(&many) else {
            panic!("records");
        };
        assert_eq!(shown.len(), EVIDENCE_RECORDS);
        assert!(shown.iter().all(|text| text.len() < EVIDENCE_LETTERS + 10));
    }
}
