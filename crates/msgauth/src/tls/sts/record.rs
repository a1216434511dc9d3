//! The record that says a domain has a policy (RFC 8461 §3.1). Pure.
//!
//! ```text
//! sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
//! sts-field       = sts-id / sts-extension          ; sts-version = %s"v=STSv1"
//! sts-field-delim = *WSP ";" *WSP
//! sts-id          = %s"id=" 1*32(ALPHA / DIGIT)
//! ```

use world::dns::Record;

use crate::limits::{STS_ID_LETTERS, STS_RECORD_BYTES};
use crate::tls::record::{fields, meant};

/// What such records begin with.
const VERSION: &[u8] = b"v=STSv1";

/// A record: the name of the policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsRecord {
    /// another value means another policy; 1 to 32 letters and digits
    pub id: String,
}

/// Why a domain's records name no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecord {
    /// none of them is such a record
    None,
    /// more than one is: the domain has no policy then (RFC 8461 §3.1)
    Several,
    /// the one that is cannot be read
    Broken,
}

/// The one record among the answers about `_mta-sts.DOMAIN`. Others about that name are nobody's business.
///
/// # Errors
/// There is not exactly one that can be read.
pub fn the_one(records: &[Record]) -> Result<StsRecord, NoRecord> {
    let mut texts = meant(VERSION, records);
    match (texts.next(), texts.next()) {
        (None, _) => Err(NoRecord::None),
        (Some(_), Some(_)) => Err(NoRecord::Several),
        (Some(text), None) => StsRecord::parse(text).ok_or(NoRecord::Broken),
    }
}

impl StsRecord {
    /// Reads one record.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > STS_RECORD_BYTES {
            return None;
        }
        let mut id = None;
        for field in fields(VERSION, text)? {
            let (name, value) = field?;
            if name == b"id" && id.is_none() {
                id = Some(read_id(value)?);
            }
        }
        Some(Self { id: id? })
    }
}

fn read_id(value: &[u8]) -> Option<String> {
    let fits = (1..=STS_ID_LETTERS).contains(&value.len()) && value.iter().all(u8::is_ascii_alphanumeric);
    fits.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tls_5_a_record_is_read_as_the_grammar_has_it() {
        let long = format!("v=STSv1; id={};", "a".repeat(33));
        let huge = format!("v=STSv1; id=1; x={}", "a".repeat(STS_RECORD_BYTES));
        for (text, id) in [
            ("v=STSv1; id=20160831085700Z;", Some("20160831085700Z")),
            ("v=STSv1;id=1", Some("1")),
            ("v=STSv1 \t;  id=a1 ; x-y.z=t!s ;", Some("a1")),
            ("v=STSv1; id=1; id=2", Some("1")),
            ("v=STSv1", None),
            ("v=STSv1;", None),
            ("v=STSv1; id=", None),
            ("v=STSv1; id=a-b", None),
            ("v=STSv1; ID=1", None),
            ("V=STSv1; id=1", None),
            ("v=STSv2; id=1", None),
            ("v=STSv1; id=1;; x=y", None),
            ("v=STSv1; id=1; novalue", None),
            ("v=STSv1; id=1; =x", None),
            (" v=STSv1; id=1", None),
            (long.as_str(), None),
            (huge.as_str(), None),
        ] {
            let read = StsRecord::parse(text.as_bytes()).map(|record| record.id);
            assert_eq!(read.as_deref(), id, "{text}");
        }
    }

    #[test]
    fn tls_5_there_must_be_exactly_one_record() {
        let txt = |text: &str| Record::Txt(text.as_bytes().to_vec());
        let good = txt("v=STSv1; id=1;");
        let other = txt("v=spf1 -all");
        assert_eq!(the_one(&[]), Err(NoRecord::None));
        assert_eq!(
            the_one(&[other.clone(), txt("v=STSv11; id=1")]),
            Err(NoRecord::None)
        );
        assert_eq!(
            the_one(&[other, good.clone()]),
            Ok(StsRecord { id: "1".to_owned() })
        );
        assert_eq!(the_one(&[good.clone(), good.clone()]), Err(NoRecord::Several));
        assert_eq!(the_one(&[good, txt("v=STSv1; nonsense")]), Err(NoRecord::Several));
        assert_eq!(the_one(&[txt("v=STSv1; id=?")]), Err(NoRecord::Broken));
    }

    proptest! {
        #[test]
        fn an_id_is_letters_and_digits_whatever_comes(text: Vec<u8>) {
            if let Some(record) = StsRecord::parse(&text) {
                prop_assert!(record.id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
        }

        #[test]
        fn every_id_comes_back(id in "[a-zA-Z0-9]{1,32}") {
            let text = format!("v=STSv1; id={id};");
            prop_assert_eq!(StsRecord::parse(text.as_bytes()), Some(StsRecord { id }));
        }
    }
}
