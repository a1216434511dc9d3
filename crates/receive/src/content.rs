//! Step 5: what the header says against the message. A pure function; the body is not looked at here.

use mail::address::{AddressKey, Mailbox, Utf8};
use mail::header::{Header, HeaderFault};
use mail::limits::HEADER_FIELDS;
use smtp::Refusal;
use smtp::refusal::codes;

use crate::author;
use crate::edits::{self, Missing};
use crate::limits::{HEADER_BYTES, HOPS};

/// What a submission is held to and given.
pub(crate) struct Submitter<'a> {
    /// whether an address is the submitter's own
    pub owns: &'a (dyn Fn(&Mailbox) -> bool + Sync),
    /// what is added when it is missing
    pub missing: Missing,
}

/// Looks at the whole header block. The result is the block as it is kept. `forwarding` are the addresses the message
/// was sent to, when each of them leads to another server.
pub(crate) fn decide(
    block: Vec<u8>,
    submitter: Option<&Submitter<'_>>,
    forwarding: &[Mailbox],
) -> Result<Vec<u8>, Refusal> {
    begins_with_a_field(&block)?;
    let header = Header::scan(&block).map_err(|fault| of_header(&fault))?;
    hops(&header)?;
    comes_back(&header, forwarding)?;
    let Some(submitter) = submitter else {
        return Ok(block);
    };
    author::decide(&header, submitter.owns)?;
    let edited = edits::apply(&block, &header, &submitter.missing);
    Ok(edited)
}

/// 550 5.6.0 when the first line continues another: our own lines go in front, and the last of them would be continued
/// with a stranger's words (threat case REL-7).
fn begins_with_a_field(block: &[u8]) -> Result<(), Refusal> {
    if matches!(block.first(), Some(b' ' | b'\t')) {
        let text =
            "The message begins with a line that continues a header field: begin with the field's name";
        return Err(Refusal::new(codes::BAD_CONTENT, text));
    }
    Ok(())
}

/// 554 5.4.6 above the limit (RFC 5321 §6.3): the message goes in circles.
pub fn hops(header: &Header<'_>) -> Result<(), Refusal> {
    if header.received_count() > HOPS {
        let text = format!(
            "The message has passed more than {HOPS} servers and is going in circles: check your forwarding"
        );
        return Err(Refusal::new(codes::MAIL_LOOP, text));
    }
    Ok(())
}

/// 554 5.4.6 when the message was forwarded from all these addresses before (threat case LOOP-2): the copy that left here
/// carried them as Delivered-To. When only some of them are known, the others' mail is taken, and delivery ends the loop.
fn comes_back(header: &Header<'_>, forwarding: &[Mailbox]) -> Result<(), Refusal> {
    let was_at = |address: &Mailbox| {
        header.all("Delivered-To").any(|field| {
            let known = std::str::from_utf8(field.value().trim_ascii()).ok();
            let known = known.and_then(|text| Mailbox::parse(text, Utf8::Allowed).ok());
            known.is_some_and(|known| AddressKey::exact(&known) == AddressKey::exact(address))
        })
    };
    if forwarding.is_empty() || !forwarding.iter().all(was_at) {
        return Ok(());
    }
    let text = format!(
        "The message has been forwarded from {} before and is going in circles: check your forwarding",
        forwarding[0]
    );
    Err(Refusal::new(codes::MAIL_LOOP, text))
}

/// 552 or 554 for a header above its limits.
pub fn of_header(fault: &HeaderFault) -> Refusal {
    match fault {
        HeaderFault::TooLarge => Refusal::new(
            codes::HEADER_TOO_LARGE,
            format!(
                "The header has more than {} KiB: shorten it and send it again",
                HEADER_BYTES / 1024
            ),
        ),
        HeaderFault::TooManyFields => Refusal::new(
            codes::TOO_MANY_FIELDS,
            format!("The header has more than {HEADER_FIELDS} fields: shorten it and send it again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(block: String) -> u16 {
        decide(block.into_bytes(), None, &[]).map_or_else(|refusal| refusal.code.code(), |_| 250)
    }

    #[test]
    fn rel_10_more_than_fifty_hops_are_a_loop() {
        assert_eq!(code(format!("{}\r\n", "Received: x\r\n".repeat(50))), 250);
        assert_eq!(code(format!("{}\r\n", "Received: x\r\n".repeat(51))), 554);
    }

    #[test]
    fn loop_2_a_message_that_was_forwarded_from_here_is_not_taken_again() {
        let address = |text: &str| text.parse::<Mailbox>().expect("an address");
        let forwarding = [address("Team@example.test"), address("all@example.test")];
        let code = |block: &str, forwarding: &[Mailbox]| {
            decide(block.as_bytes().to_vec(), None, forwarding)
                .map_or_else(|refusal| refusal.code.code(), |_| 250)
        };
        let table = [
            ("Delivered-To: team@example.test\r\n\r\n", 1, 554),
            ("Delivered-To:  TEAM@EXAMPLE.test \r\n\r\n", 1, 554),
            ("Delivered-To: team@example.test\r\n\r\n", 2, 250),
            (
                "Delivered-To: team@example.test\r\nDelivered-To: all@example.test\r\n\r\n",
                2,
                554,
            ),
            ("Delivered-To: other@example.test\r\n\r\n", 1, 250),
            ("X-Delivered-To: team@example.test\r\n\r\n", 1, 250),
            ("Delivered-To: team@example.test\r\n\r\n", 0, 250),
        ];
        for (block, addresses, want) in table {
            assert_eq!(
                code(block, &forwarding[..addresses]),
                want,
                "{block:?} {addresses}"
            );
        }
    }

    #[test]
    fn rel_7_a_first_line_never_continues_our_own_fields() {
        for start in [" evil\r\n", "\tevil\r\n", " \r\n", " X: y\r\n"] {
            assert_eq!(
                code(format!("{start}From: a@there.example\r\n\r\n")),
                550,
                "{start:?}"
            );
        }
        assert_eq!(code("From: a@there.example\r\n folded\r\n\r\n".to_owned()), 250);
        assert_eq!(code("\r\n".to_owned()), 250);
    }

    #[test]
    fn smt_2_a_header_has_at_most_1000_fields_and_256_kib() {
        assert_eq!(code(format!("{}\r\n", "X: y\r\n".repeat(1000))), 250);
        assert_eq!(code(format!("{}\r\n", "X: y\r\n".repeat(1001))), 554);
        let line = format!("X: {}\r\n", "y".repeat(995));
        assert_eq!(
            code(format!("{}\r\n", line.repeat(HEADER_BYTES / line.len()))),
            250
        );
        assert_eq!(
            code(format!("{}\r\n", line.repeat(HEADER_BYTES / line.len() + 1))),
            552
        );
    }
}
