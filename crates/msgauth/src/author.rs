//! The domain that a reader sees as the author's: of the one From field, read by the one parser (threat cases AUT-3, AUT-4). Pure.

use std::fmt;

use mail::address::Domain;
use mail::header::Header;
use mail::value::addresses::{Entry, parse};

use crate::limits::AUTHORS;

/// Whose message it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// One domain, canonical. Several mailboxes of the same domain are one author.
    Domain(String),
    /// Nobody: there is no From field, or it names no mailbox.
    Nobody,
    /// Several: more than one From field, or something that other programs take for one, or mailboxes of several domains.
    Several,
    /// An address that two programs could read as two, or that has no domain of the DNS.
    Unreadable,
}

impl Author {
    /// Of a header block.
    pub fn of(header: &Header<'_>) -> Self {
        let counts = header.from_fields();
        if counts.proper + counts.odd == 0 {
            return Self::Nobody;
        }
        let Some(field) = header.first("From").filter(|_| counts.is_single()) else {
            return Self::Several;
        };
        let entries = parse(field.value());
        if entries.len() > AUTHORS {
            return Self::Several;
        }
        let mut known: Option<String> = None;
        for entry in entries {
            let Entry::Mailbox(mailbox) = entry else {
                continue;
            };
            let domain = mailbox.to_mailbox().ok().filter(|_| mailbox.well_formed);
            let Some(domain) = domain.map(|mailbox| mailbox.domain().clone()) else {
                return Self::Unreadable;
            };
            if domain.literal().is_some() || names_another(field.value(), mailbox.name.as_deref(), &domain) {
                return Self::Unreadable;
            }
            match &known {
                Some(first) if first != domain.as_str() => return Self::Several,
                _ => known = Some(domain.as_str().to_owned()),
            }
        }
        known.map_or(Self::Nobody, Self::Domain)
    }

    /// The domain, if there is exactly one.
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Domain(domain) => Some(domain),
            _ => None,
        }
    }
}

/// `a@x.example <b@y.example>`: outside quotes an `@` has no place before the `<`, and some programs take the first address. The same domain
/// twice is common and harmless.
fn names_another(value: &[u8], name: Option<&[u8]>, domain: &Domain) -> bool {
    let Some(at) = name.and_then(|name| memchr::memrchr(b'@', name)) else {
        return false;
    };
    let named = name.unwrap_or_default()[at + 1..].trim_ascii();
    memchr::memchr(b'"', value).is_none() && !named.eq_ignore_ascii_case(domain.as_str().as_bytes())
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => write!(f, "the author's domain is {domain}"),
            Self::Nobody => f.write_str("the message names no author"),
            Self::Several => f.write_str("the message names several authors"),
            Self::Unreadable => f.write_str("the author's address can be read in several ways"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_3_and_aut_4_only_one_author_that_everybody_reads_alike_has_a_domain() {
        let domain = |domain: &str| Author::Domain(domain.to_owned());
        let table = [
            ("From: a@x.example\r\n", domain("x.example")),
            ("From: \"b@y.example\" <a@X.Example>\r\n", domain("x.example")),
            ("From: a@bücher.example\r\n", domain("xn--bcher-kva.example")),
            ("From: a@x.example, b@x.example\r\n", domain("x.example")),
            ("From: a@x.example, b@y.example\r\n", Author::Several),
            ("From: a@x.example\r\nFrom: b@x.example\r\n", Author::Several),
            ("From: a@x.example\r\nFrom : b@y.example\r\n", Author::Several),
            ("From : a@x.example\r\n", Author::Several),
            (" From: b@y.example\r\nFrom: a@x.example\r\n", Author::Several),
            (
                "Subject: s\r\n From: b@y.example\r\nFrom: a@x.example\r\n",
                Author::Several,
            ),
            ("Subject: x\r\n", Author::Nobody),
            ("From:\r\n", Author::Nobody),
            ("From: us:;\r\n", Author::Nobody),
            ("From: <a@x.example> <b@y.example>\r\n", Author::Unreadable),
            ("From: <@y.example:a@x.example>\r\n", Author::Unreadable),
            ("From: a@x.example@y.example\r\n", Author::Unreadable),
            ("From: <a@x.example\0b@y.example>\r\n", Author::Unreadable),
            ("From: a@[192.0.2.1]\r\n", Author::Unreadable),
            ("From: <>\r\n", Author::Unreadable),
            ("From: somebody\r\n", Author::Unreadable),
            ("From: a@x.example <b@y.example>\r\n", Author::Unreadable),
            ("From: a@x.example <a@X.example>\r\n", domain("x.example")),
            ("From: \"a@x.example\" <b@y.example>\r\n", domain("y.example")),
        ];
        for (text, want) in table {
            let block = format!("{text}\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            assert_eq!(Author::of(&header), want, "{text:?}");
        }
    }
}
