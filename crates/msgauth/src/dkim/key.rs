//! Key records (RFC 6376 §3.6.1, RFC 8463 §4), and where they are asked for.

use world::dns::{Record, RecordType};

use super::crypto::PublicKey;
use crate::desk::{Desk, Reply};
use crate::evidence::Spent;
use crate::limits::DKIM_KEY_RECORDS;
use crate::tags::{Tags, base64};

/// A key that may be used for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// the key itself
    pub public: PublicKey,
    /// `t=y`: the domain only tests
    pub testing: bool,
    /// `t=s`: `i=` must be in the domain itself
    pub strict: bool,
}

/// Why a record is no key for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// not a tag list, another version, no `p=`, octets that are no key
    Unreadable,
    /// `p=` is empty
    Revoked,
    /// `k=` is a type that nobody knows
    UnknownType,
    /// `h=` does not allow SHA-256
    OtherHash,
    /// `s=` does not allow mail
    OtherService,
}

/// What is known of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// records, usable or not; at least one
    Keys(Vec<Result<Key, BadKey>>),
    /// there is no such record
    Nothing,
    /// DNS did not answer
    NoAnswer,
    /// not asked: this message has named too many keys
    NotAsked,
}

impl Key {
    /// Reads a record.
    pub fn parse(text: &[u8]) -> Result<Self, BadKey> {
        let tags = Tags::parse(text).map_err(|_| BadKey::Unreadable)?;
        let versioned = tags
            .get("v")
            .is_none_or(|v| v == b"DKIM1" && tags.first() == Some(b"v"));
        let value = tags.get("p").filter(|_| versioned).ok_or(BadKey::Unreadable)?;
        if value.is_empty() {
            return Err(BadKey::Revoked);
        }
        if !allows(&tags, "h", &["sha256"]) {
            return Err(BadKey::OtherHash);
        }
        if !allows(&tags, "s", &["*", "email"]) {
            return Err(BadKey::OtherService);
        }
        let octets = base64(value).ok_or(BadKey::Unreadable)?;
        let kind = tags.get("k").unwrap_or(b"rsa").to_ascii_lowercase();
        let public = match kind.as_slice() {
            b"rsa" => PublicKey::rsa(&octets),
            b"ed25519" => PublicKey::ed25519(&octets),
            _ => return Err(BadKey::UnknownType),
        };
        Ok(Self {
            public: public.ok_or(BadKey::Unreadable)?,
            testing: flag(&tags, b"y"),
            strict: flag(&tags, b"s"),
        })
    }
}

/// Whether a list is absent or holds one of the words.
fn allows(tags: &Tags<'_>, tag: &str, words: &[&str]) -> bool {
    let Some(list) = tags.get(tag) else {
        return true;
    };
    list.split(|byte| *byte == b':').any(|word| {
        words
            .iter()
            .any(|known| word.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
    })
}

fn flag(tags: &Tags<'_>, flag: &[u8]) -> bool {
    let flags = tags.get("t").unwrap_or_default();
    flags
        .split(|byte| *byte == b':')
        .any(|known| known.trim_ascii() == flag)
}

/// The keys of one message: each name is asked for once.
#[derive(Default)]
pub(crate) struct Keys {
    known: Vec<(String, Found)>,
}

impl Keys {
    /// The keys at `selector._domainkey.domain`.
    pub async fn find(&mut self, desk: &mut Desk<'_>, selector: &str, domain: &str) -> Found {
        let name = format!("{selector}._domainkey.{domain}");
        if let Some((_, found)) = self.known.iter().find(|(known, _)| *known == name) {
            return found.clone();
        }
        let found = of_reply(desk.ask(&name, RecordType::Txt).await);
        self.known.push((name, found.clone()));
        found
    }
}

fn of_reply(reply: Reply) -> Found {
    let records = match reply {
        Reply::Records(records) => records,
        Reply::Absent(_) => return Found::Nothing,
        Reply::Spent(Spent::Questions) => return Found::NotAsked,
        Reply::Spent(Spent::Time) | Reply::Failed(_) => return Found::NoAnswer,
    };
    let texts = records.iter().filter_map(|record| match record {
        Record::Txt(text) => Some(text),
        _ => None,
    });
    Found::Keys(
        texts
            .take(DKIM_KEY_RECORDS)
            .map(|text| Key::parse(text))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_keys_or_say_why_not() {
        const P: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let table = [
            (format!("v=DKIM1; k=ed25519; p={P}"), Ok((false, false))),
            (
                format!("k=ed25519; t=y:s; s=email : x; h=sha1:sha256; p={P}"),
                Ok((true, true)),
            ),
            ("v=DKIM1; p=".to_owned(), Err(BadKey::Revoked)),
            ("v=DKIM1; k=rsa".to_owned(), Err(BadKey::Unreadable)),
            (format!("k=ed25519; v=DKIM1; p={P}"), Err(BadKey::Unreadable)),
            (format!("v=DKIM2; k=ed25519; p={P}"), Err(BadKey::Unreadable)),
            (format!("v=DKIM1; k=dsa; p={P}"), Err(BadKey::UnknownType)),
            (format!("v=DKIM1; k=rsa; p={P}"), Err(BadKey::Unreadable)),
            (
                format!("v=DKIM1; k=ed25519; h=sha1; p={P}"),
                Err(BadKey::OtherHash),
            ),
            (
                format!("v=DKIM1; k=ed25519; s=tlsrpt; p={P}"),
                Err(BadKey::OtherService),
            ),
            ("v=spf1 -all".to_owned(), Err(BadKey::Unreadable)),
        ];
        for (text, want) in table {
            let got = Key::parse(text.as_bytes()).map(|key| (key.testing, key.strict));
            assert_eq!(got, want, "{text}");
        }
    }
}
