//! The record that says where reports about TLS are wanted (RFC 8460 §3). Pure.
//!
//! ```text
//! tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]     ; tlsrpt-version = %s"v=TLSRPTv1"
//! tlsrpt-rua    = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)               ; mailto: or https:, `,` `!` `;` are encoded
//! ```

use world::dns::Record;

use crate::limits::{TLSRPT_RECORD_BYTES, TLSRPT_URIS};
use crate::tls::record::{fields, meant};
use crate::tls::text::trim;

const VERSION: &[u8] = b"v=TLSRPTv1";

/// Where a domain wants its reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RptRecord {
    /// `mailto:` and `https:` URIs, in order; at least one
    pub uris: Vec<String>,
}

/// The one record among the answers about `_smtp._tls.DOMAIN`; with none or several there are no reports (RFC 8460 §3).
pub fn the_one(records: &[Record]) -> Option<RptRecord> {
    let mut texts = meant(VERSION, records);
    match (texts.next(), texts.next()) {
        (Some(text), None) => RptRecord::parse(text),
        _ => None,
    }
}

impl RptRecord {
    /// Reads one record. URIs of schemes that nobody knows are left out; fields that nobody knows are left alone.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TLSRPT_RECORD_BYTES {
            return None;
        }
        let mut uris = None;
        for field in fields(VERSION, text)? {
            let (name, value) = field?;
            if name == b"rua" && uris.is_none() {
                uris = Some(read_uris(value)?);
            }
        }
        let uris = uris?;
        (!uris.is_empty()).then_some(Self { uris })
    }
}

fn read_uris(value: &[u8]) -> Option<Vec<String>> {
    let mut uris = Vec::new();
    for uri in value.split(|byte| *byte == b',').map(trim) {
        let plain = !uri.is_empty() && uri.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'!');
        if !plain || uris.len() == TLSRPT_URIS {
            return None;
        }
        let uri = String::from_utf8_lossy(uri).into_owned();
        let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        if matches!(scheme.as_deref(), Some("mailto" | "https")) {
            uris.push(uri);
        }
    }
    Some(uris)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_read_as_the_grammar_has_it() {
        let many = format!("v=TLSRPTv1; rua={}", ["mailto:a@b.c"; TLSRPT_URIS + 1].join(","));
        let huge = format!(
            "v=TLSRPTv1; rua=mailto:a@b.c; x={}",
            "a".repeat(TLSRPT_RECORD_BYTES)
        );
        for (text, uris) in [
            (
                "v=TLSRPTv1;rua=mailto:reports@example.com",
                &["mailto:reports@example.com"][..],
            ),
            (
                "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt , MAILTO:a@b.c ;",
                &["https://reporting.example.com/v1/tlsrpt", "MAILTO:a@b.c"],
            ),
            ("v=TLSRPTv1; x=y; rua=ftp://a,mailto:a@b.c", &["mailto:a@b.c"]),
            ("v=TLSRPTv1; rua=ftp://a", &[]),
            ("v=TLSRPTv1; rua=", &[]),
            ("v=TLSRPTv1; rua=mailto:a@b.c!10m", &[]),
            ("v=TLSRPTv1; rua=mailto:a@b.c,,mailto:d@e.f", &[]),
            ("v=TLSRPTv1", &[]),
            ("v=tlsrptv1; rua=mailto:a@b.c", &[]),
            ("v=TLSRPTv1;; rua=mailto:a@b.c", &[]),
            (many.as_str(), &[]),
            (huge.as_str(), &[]),
        ] {
            let read = RptRecord::parse(text.as_bytes()).map(|record| record.uris);
            assert_eq!(read.unwrap_or_default(), uris, "{text:.100}");
        }
    }

    #[test]
    fn several_records_are_none() {
        let txt = |text: &str| Record::Txt(text.as_bytes().to_vec());
        let one = txt("v=TLSRPTv1;rua=mailto:a@b.c");
        assert!(the_one(&[txt("other"), one.clone()]).is_some());
        assert_eq!(the_one(&[one.clone(), one]), None);
        assert_eq!(the_one(&[]), None);
    }

    proptest! {
        #[test]
        fn what_is_read_stands_on_one_line(text: Vec<u8>) {
            if let Some(record) = RptRecord::parse(&text) {
                prop_assert!(record.uris.iter().all(|uri| uri.bytes().all(|byte| byte.is_ascii_graphic())));
            }
        }
    }
}
