//! The DNS tree walk (RFC 9989 §4.10): which records lie between a domain and the root, and whose domain it is.
//!
//! Walking asks; [`Walk::organization`] and [`Walk::policy_record`] decide and are pure.

use world::dns::{Record, RecordType};

use super::record::{DmarcRecord, Suffix};
use crate::desk::{Desk, Reply};
use crate::limits::WALK_NAMES;
use crate::suffixes::PublicSuffixes;

/// What a walk found, from the longest name to the shortest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// where it began, canonical
    pub start: String,
    /// domains with exactly one record
    pub found: Vec<(String, DmarcRecord)>,
}

/// A name about which DNS did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// The walks of one check: each name is asked for once.
#[derive(Default)]
pub(crate) struct Walks {
    known: Vec<(String, Option<DmarcRecord>)>,
}

impl Walks {
    /// Walks from `start` towards the root.
    pub async fn walk(&mut self, desk: &mut Desk<'_>, start: &str) -> Result<Walk, NoAnswer> {
        let mut found = Vec::new();
        for name in names(start) {
            let Some(record) = self.record(desk, name).await? else {
                continue;
            };
            // §4.10, steps 2 and 6: also where the walk began, so a registry that sends mail is its own organization.
            let stop = record.suffix != Suffix::Unknown;
            found.push((name.to_owned(), record));
            if stop {
                break;
            }
        }
        Ok(Walk {
            start: start.to_owned(),
            found,
        })
    }

    async fn record(&mut self, desk: &mut Desk<'_>, domain: &str) -> Result<Option<DmarcRecord>, NoAnswer> {
        if let Some((_, record)) = self.known.iter().find(|(known, _)| known == domain) {
            return Ok(record.clone());
        }
        let name = format!("_dmarc.{domain}");
        let record = match desk.ask(&name, RecordType::Txt).await {
            Reply::Records(records) => only_record(&records),
            Reply::Absent(_) => None,
            Reply::Failed(_) | Reply::Spent(_) => return Err(NoAnswer(name)),
        };
        self.known.push((domain.to_owned(), record.clone()));
        Ok(record)
    }
}

/// Several records are none (RFC 9989 §4.10).
fn only_record(records: &[Record]) -> Option<DmarcRecord> {
    let mut read = records.iter().filter_map(|record| match record {
        Record::Txt(text) => DmarcRecord::parse(text),
        _ => None,
    });
    let first = read.next();
    if read.next().is_some() { None } else { first }
}

/// The names that a walk asks for: the domain itself, then its ancestors, of which those of more than seven labels are left out.
fn names(start: &str) -> Vec<&str> {
    let mut names = vec![start];
    let mut rest = start;
    while let Some((_, parent)) = rest.split_once('.') {
        if parent.split('.').count() < WALK_NAMES {
            names.push(parent);
        }
        rest = parent;
    }
    names
}

impl Walk {
    /// The organizational domain (RFC 9989 §4.10.2). A name on the list of public suffixes is never one, if there is a list: a
    /// registry's record without `psd=y` must not make its customers relatives of one another.
    pub fn organization(&self, suffixes: Option<&PublicSuffixes>) -> String {
        let mut chosen = self.start.as_str();
        for (name, record) in &self.found {
            match record.suffix {
                Suffix::No => {
                    chosen = name;
                    break;
                }
                Suffix::Yes if *name != self.start => {
                    chosen = self.child_of(name);
                    break;
                }
                _ => chosen = name,
            }
        }
        match suffixes {
            Some(list) if chosen != self.start && list.is_suffix(chosen) => self.child_of(chosen).to_owned(),
            _ => chosen.to_owned(),
        }
    }

    /// The name one label longer than `parent` on the way from it to the start.
    fn child_of(&self, parent: &str) -> &str {
        let before = self.start[..self.start.len() - parent.len()].trim_end_matches('.');
        let label = before.rfind('.').map_or(0, |dot| dot + 1);
        &self.start[label..]
    }

    /// The record whose policy counts for mail of the walk's start, and whose it is: the domain's own, its organization's, or its
    /// registry's (RFC 9989 §4.10.1).
    pub fn policy_record(&self, organization: &str) -> Option<&(String, DmarcRecord)> {
        let at = |domain: &str| self.found.iter().find(|(name, _)| name == domain);
        let registry = || self.found.iter().find(|(_, record)| record.suffix == Suffix::Yes);
        at(&self.start).or_else(|| at(organization)).or_else(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(start: &str, found: &[(&str, &str)]) -> Walk {
        let read = |text: &str| {
            DmarcRecord::parse(format!("v=DMARC1; p=none; {text}").as_bytes()).expect("a record")
        };
        Walk {
            start: start.to_owned(),
            found: found
                .iter()
                .map(|(name, text)| ((*name).to_owned(), read(text)))
                .collect(),
        }
    }

    #[test]
    fn aut_11_a_walk_asks_for_eight_names_at_most() {
        assert_eq!(names("example.com"), ["example.com", "com"]);
        assert_eq!(
            names("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ]
        );
    }

    #[test]
    fn aut_11_organizations_are_found_as_the_rfc_says() {
        let table: &[(&str, &[(&str, &str)], &str)] = &[
            (
                "a.mail.example.com",
                &[("mail.example.com", ""), ("example.com", "")],
                "example.com",
            ),
            ("a.mail.example.com", &[("com", "psd=y")], "example.com"),
            (
                "a.mail.example.com",
                &[("mail.example.com", "psd=n")],
                "mail.example.com",
            ),
            ("a.mail.example.com", &[], "a.mail.example.com"),
            (
                "example.com",
                &[("example.com", ""), ("com", "psd=y")],
                "example.com",
            ),
            ("bank.example", &[("bank.example", "psd=y")], "bank.example"),
            (
                "giant.bank.example",
                &[("giant.bank.example", ""), ("bank.example", "psd=y")],
                "giant.bank.example",
            ),
            (
                "mail.giant.bank.example",
                &[("giant.bank.example", ""), ("bank.example", "psd=y")],
                "giant.bank.example",
            ),
            ("shop.co.uk", &[("shop.co.uk", ""), ("co.uk", "")], "shop.co.uk"),
            ("www.shop.co.uk", &[("co.uk", "")], "shop.co.uk"),
        ];
        let list = PublicSuffixes::parse("com\nuk\nco.uk\nexample");
        for (start, found, want) in table {
            assert_eq!(
                walk(start, found).organization(Some(&list)),
                *want,
                "{start} {found:?}"
            );
        }
        // Without the list a registry's careless record makes relatives of strangers.
        assert_eq!(walk("shop.co.uk", &[("co.uk", "")]).organization(None), "co.uk");
    }

    #[test]
    fn aut_11_the_nearest_record_with_a_say_counts() {
        let of = |start: &str, found: &[(&str, &str)]| {
            let walk = walk(start, found);
            let organization = walk.organization(None);
            walk.policy_record(&organization).map(|(name, _)| name.clone())
        };
        let three = [("a.example.com", ""), ("example.com", ""), ("com", "psd=y")];
        assert_eq!(of("a.example.com", &three).as_deref(), Some("a.example.com"));
        // A record between the author's domain and the organization has no say.
        assert_eq!(of("x.a.example.com", &three).as_deref(), Some("example.com"));
        assert_eq!(of("example.com", &three[2..]).as_deref(), Some("com"));
        assert_eq!(of("example.com", &[]), None);
    }
}
