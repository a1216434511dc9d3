#![allow(missing_docs)]
//! Entries for fuzz targets.

/// A header block through the decisions on content. Never panics.
pub fn fuzz_content(bytes: &[u8]) {
    let address = "team@example.test".parse().expect("an address");
    let _ = crate::content::decide(bytes.to_vec(), None, &[address]);
    if let Ok(header) = mail::header::Header::scan(bytes) {
        let _ = crate::author::decide(&header, |_| true);
        let missing = crate::edits::Missing {
            date: "Date: x".to_owned(),
            message_id: "Message-ID: <x@y>".to_owned(),
        };
        let edited = crate::edits::apply(bytes, &header, &missing);
        if let Ok(header) = mail::header::Header::scan(&edited) {
            assert!(header.first("Bcc").is_none(), "no Bcc survives");
        }
    }
}
