//! Step 5, for submissions: who says they wrote it? A pure function over the header.
//!
//! RFC 6409 §6.1 and RFC 5322 §3.6.2: exactly one From, at most one Sender; every mailbox in From, Sender, Resent-From and
//! Resent-Sender must be the submitter's own. What another program could read as another author is refused.

use mail::address::Mailbox;
use mail::header::Header;
use mail::value::addresses::{Entry, HeaderMailbox, parse};
use smtp::Refusal;
use smtp::refusal::codes;

use crate::limits::AUTHORS;

/// The fields that name an author.
const AUTHOR_FIELDS: [&str; 4] = ["From", "Sender", "Resent-From", "Resent-Sender"];

/// Holds a submission's header to its submitter. `owns` says whether an address is theirs.
pub fn decide(header: &Header<'_>, owns: impl Fn(&Mailbox) -> bool) -> Result<(), Refusal> {
    if !header.from_fields().is_single() {
        let text = "A message has exactly one From field with your address: add it, or remove the others";
        return Err(Refusal::new(codes::BAD_CONTENT, text));
    }
    if header.count("Sender") > 1 {
        return Err(Refusal::new(
            codes::BAD_CONTENT,
            "A message has at most one Sender field: remove the others",
        ));
    }
    AUTHOR_FIELDS
        .iter()
        .flat_map(|name| header.all(name).map(move |field| (name, field)))
        .try_for_each(|(name, field)| names_submitter(name, field.value(), &owns))
}

/// One field: it names somebody, and nobody but the submitter.
fn names_submitter(name: &str, value: &[u8], owns: &impl Fn(&Mailbox) -> bool) -> Result<(), Refusal> {
    let entries = parse(value);
    // The reader stops at its limit: what stands behind it was not looked at and cannot be vouched for.
    if entries.len() >= AUTHORS {
        let text = format!("The {name} field names too many authors: write your own address alone");
        return Err(Refusal::new(codes::BAD_CONTENT, text));
    }
    let named: Vec<_> = entries.into_iter().filter_map(mailbox).collect();
    if named.is_empty() {
        let text = format!("The {name} field names nobody: write your address");
        return Err(Refusal::new(codes::BAD_CONTENT, text));
    }
    if !named.iter().all(|mailbox| is_own(mailbox, owns)) {
        let text = format!("The {name} field has an address that is not yours: send as one of your own");
        return Err(Refusal::new(codes::NOT_YOUR_ADDRESS, text));
    }
    Ok(())
}

fn mailbox(entry: Entry) -> Option<HeaderMailbox> {
    match entry {
        Entry::Mailbox(mailbox) => Some(mailbox),
        Entry::GroupStart(_) | Entry::GroupEnd => None,
    }
}

fn is_own(named: &HeaderMailbox, owns: &impl Fn(&Mailbox) -> bool) -> bool {
    named.well_formed && named.to_mailbox().is_ok_and(|mailbox| owns(&mailbox))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::address::AddressKey;

    #[test]
    fn rel_5_every_author_is_the_submitters_own() {
        let table: &[(&str, u16)] = &[
            ("From: alice@example.test\r\n", 250),
            ("From: Alice <Alice@EXAMPLE.test>\r\n", 250),
            ("From: \"Bob\" <alice+tag@example.test>\r\n", 250),
            ("FROM:alice@example.test\r\nSender: alice@example.test\r\n", 250),
            (
                "From: alice@example.test, alice+b@example.test\r\nSender: alice@example.test\r\n",
                250,
            ),
            ("From: bob@example.test\r\n", 550),
            ("From: alice@example.test, bob@example.test\r\n", 550),
            ("From: alice@example.test\r\nSender: bob@example.test\r\n", 550),
            (
                "From: alice@example.test\r\nResent-From: bob@example.test\r\n",
                550,
            ),
            (
                "From: alice@example.test\r\nResent-Sender: bob@example.test\r\n",
                550,
            ),
            (
                "From: alice@example.test\r\nSender: alice@example.test\r\nSender: alice@example.test\r\n",
                550,
            ),
            ("From: alice@example.test\r\nFrom: bob@example.test\r\n", 550),
            ("From: alice@example.test\r\nFrom : bob@example.test\r\n", 550),
            ("Subject: x\r\n", 550),
            ("From:\r\n", 550),
            ("From: nobody:;\r\n", 550),
            ("From: <alice@example.test> <bob@example.test>\r\n", 550),
            ("From: alice@example.test <bob@example.test>\r\n", 550),
            ("From: <@bob.example:alice@example.test>\r\n", 550),
            ("From: alice@example.test@bob.example\r\n", 550),
            ("From: alice@example.test\0@bob.example\r\n", 550),
        ];
        let own = |mailbox: &Mailbox| AddressKey::split(mailbox, '+').0.as_str() == "alice@example.test";
        for (text, want) in table {
            let block = format!("{text}\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            let got = decide(&header, own).map_or_else(|refusal| refusal.code.code(), |()| 250);
            assert_eq!(got, *want, "{text:?}");
        }
    }

    #[test]
    fn rel_5_nobody_hides_behind_the_limit_of_the_reader() {
        let own = |mailbox: &Mailbox| mailbox.to_string() == "alice@example.test";
        let got = |value: &str| {
            let block = format!("From: {value}\r\n\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            decide(&header, own).map_or_else(|refusal| refusal.code.code(), |()| 250)
        };
        let folded = |word: &str, times| vec![word; times].join("\r\n ");
        let many = mail::limits::ADDRESSES;
        let groups = folded("a:;", many / 2);
        assert_eq!(
            got(&format!("alice@example.test,\r\n {groups}\r\n bob@example.test")),
            550
        );
        let addresses = folded("alice@example.test,", many);
        assert_eq!(got(&format!("{addresses}\r\n bob@example.test")), 550);
        assert_eq!(got(&folded("alice@example.test,", AUTHORS - 1)), 250);
        assert_eq!(got(&folded("alice@example.test,", AUTHORS)), 550);
    }

    #[test]
    fn rel_5_an_address_that_others_read_otherwise_is_nobodys_own() {
        let own = |mailbox: &Mailbox| mailbox.to_string() == "alicebob@example.test";
        for value in [
            "<alice bob@example.test>",
            "<alice\r\n bob@example.test>",
            "<alice(x)bob@example.test>",
            "x <alicebob@example.test bob@example.test>",
            "alicebob@example.test (x <bob@example.test>",
            "alicebob@example.test (x\r\n <bob@example.test>\r\n (y)",
            "\"x <bob@example.test>, alicebob@example.test",
        ] {
            let block = format!("From: {value}\r\n\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            assert!(decide(&header, own).is_err(), "{value:?}");
        }
        for value in [
            "Alice (a (nested) note) < alicebob @ example.test >",
            "\"a \\\"b\" <alicebob@\r\n example.test> (note)",
        ] {
            let block = format!("From: {value}\r\n\r\n");
            let header = Header::scan(block.as_bytes()).expect("small");
            assert_eq!(decide(&header, own), Ok(()), "{value:?}");
        }
    }
}
