//! What a header gains and loses: a submission's (RFC 6409 §8, RFC 5322 §3.6.3), and any that claims results of ours (RFC 8601 §5). Pure.

use mail::header::Header;

/// Fields that are for the submitter's eyes alone (threat case REL-11).
const PRIVATE_FIELDS: [&str; 2] = ["Bcc", "Resent-Bcc"];

/// What is added when it is missing. Both lines are made here, without CR LF.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    /// `Date: …`
    pub date: String,
    /// `Message-ID: …`
    pub message_id: String,
}

/// The header block after the edits. `block` ends with its empty line if the message has one.
pub(crate) fn apply(block: &[u8], header: &Header<'_>, missing: &Missing) -> Vec<u8> {
    let mut edited = Vec::with_capacity(block.len() + 128);
    for (name, line) in [("Date", &missing.date), ("Message-ID", &missing.message_id)] {
        if header.first(name).is_none() {
            edited.extend_from_slice(line.as_bytes());
            edited.extend_from_slice(b"\r\n");
        }
    }
    let mut kept_from = 0;
    for field in header.fields() {
        if PRIVATE_FIELDS.iter().any(|private| field.is(private)) {
            let range = field.range();
            edited.extend_from_slice(&block[kept_from..range.start]);
            kept_from = range.end;
        }
    }
    edited.extend_from_slice(&block[kept_from..]);
    edited
}

/// The block without fields that claim to be results of ours (threat case AUT-5).
pub(crate) fn without_forged(block: Vec<u8>, our_name: &str) -> Vec<u8> {
    let Ok(header) = Header::scan(&block) else {
        return block;
    };
    let forged = msgauth::results::forged(&header, &[our_name]);
    if forged.is_empty() {
        return block;
    }
    let (mut kept, mut from) = (Vec::with_capacity(block.len()), 0);
    for range in forged {
        kept.extend_from_slice(&block[from..range.start]);
        from = range.end;
    }
    kept.extend_from_slice(&block[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rel_11_bcc_goes_and_what_is_missing_comes() {
        let missing = Missing {
            date: "Date: D".to_owned(),
            message_id: "Message-ID: <M>".to_owned(),
        };
        let table: &[(&str, &str)] = &[
            ("From: a\r\n\r\n", "Date: D\r\nMessage-ID: <M>\r\nFrom: a\r\n\r\n"),
            (
                "Date: x\r\nmessage-id: <own>\r\n\r\n",
                "Date: x\r\nmessage-id: <own>\r\n\r\n",
            ),
            (
                "Date: x\r\nBcc: a,\r\n b\r\nTo: c\r\nBCC : d\r\nresent-bcc: e\r\nMessage-ID: <own>\r\n\r\n",
                "Date: x\r\nTo: c\r\nMessage-ID: <own>\r\n\r\n",
            ),
        ];
        for (block, want) in table {
            let header = Header::scan(block.as_bytes()).expect("small");
            let edited = apply(block.as_bytes(), &header, &missing);
            assert_eq!(String::from_utf8_lossy(&edited), *want);
        }
    }
}
