//! Names and their records, as plain data: answers our side as the DNS door, and is read out for the others.

use std::collections::BTreeMap;
use std::time::Duration;

use world::clock::BoxFuture;
use world::dns::{Absence, Dns, Lookup, Record, RecordType, Security};

/// A small world of names. What is not in it does not exist.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    names: BTreeMap<String, Vec<Record>>,
}

impl Zone {
    /// Adds a record; the name is in lower case, without its last dot.
    pub fn add(&mut self, name: impl Into<String>, record: Record) {
        self.names.entry(name.into()).or_default().push(record);
    }

    /// Adds a text.
    pub fn text(&mut self, name: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.add(name, Record::Txt(text.into()));
    }

    /// Every name with its records.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[Record])> {
        self.names
            .iter()
            .map(|(name, records)| (name.as_str(), records.as_slice()))
    }

    /// The texts of a name.
    pub fn texts(&self, name: &str) -> Vec<&[u8]> {
        let records = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let texts = records.iter().filter_map(|record| match record {
            Record::Txt(text) => Some(text.as_slice()),
            _ => None,
        });
        texts.collect()
    }

    fn answer(&self, name: &str, kind: RecordType) -> Lookup {
        let (security, ttl) = (Security::Insecure, Duration::ZERO);
        let absent = |absence| Lookup::Negative {
            absence,
            security,
            ttl,
        };
        let Some(all) = self.names.get(&name.to_ascii_lowercase()) else {
            return absent(Absence::NxDomain);
        };
        let records: Vec<Record> = all.iter().filter(|record| is_of(record, kind)).cloned().collect();
        if records.is_empty() {
            return absent(Absence::NoData);
        }
        Lookup::Answer {
            records,
            ttl,
            chain: Vec::new(),
            security,
        }
    }
}

fn is_of(record: &Record, kind: RecordType) -> bool {
    matches!(
        (record, kind),
        (Record::A(_), RecordType::A)
            | (Record::Aaaa(_), RecordType::Aaaa)
            | (Record::Mx(..), RecordType::Mx)
            | (Record::Txt(_), RecordType::Txt)
            | (Record::Ptr(_), RecordType::Ptr)
    )
}

impl Dns for Zone {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        let lookup = self.answer(name, kind);
        Box::pin(async move { lookup })
    }
}
