//! From standard input to a message: pure.
//!
//! Programs write what they like: bare line ends, progress bars, no header, names without a domain. The server takes none of
//! that, rightly; here it is put in order, because what comes in here has no signature that could break.

use mail::address::Mailbox;
use mail::header::Header;
use mail::value::addresses::{Entry, HeaderMailbox, parse};

/// Longest line, in octets (RFC 5322 §2.1.1: 998).
const LINE_BYTES: usize = 990;
/// Fields whose addresses are made whole.
const ADDRESS_FIELDS: [&str; 6] = ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"];
/// Fields that name recipients.
const RECIPIENT_FIELDS: [&str; 3] = ["To", "Cc", "Bcc"];

/// What is added where it is missing.
pub struct Parts<'a> {
    /// the caller's own address; its domain is that of bare names
    pub own: &'a Mailbox,
    /// who stands in From when nobody does
    pub author: &'a Mailbox,
    /// with this name
    pub name: Option<&'a str>,
}

/// Lines that end with CR LF: every CR, LF and CR LF ends one, NUL is left out, long lines are broken. With
/// `lone_dot_ends` the first line that is a dot alone ends the message.
pub fn lines(input: &[u8], lone_dot_ends: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len() + input.len() / 32);
    let mut rest = input;
    while !rest.is_empty() {
        let end = memchr2(rest).unwrap_or(rest.len());
        let line = &rest[..end];
        if lone_dot_ends && line == b"." {
            break;
        }
        push_line(line, &mut out);
        let crlf = rest[end..].starts_with(b"\r\n");
        rest = &rest[(end + if crlf { 2 } else { 1 }).min(rest.len())..];
    }
    out
}

fn memchr2(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'))
}

fn push_line(line: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(line.iter().filter(|byte| **byte != 0));
    let mut begin = start;
    while out.len() - begin > LINE_BYTES {
        let mut cut = begin + LINE_BYTES;
        // Not within a letter of UTF-8.
        while cut > begin + 1 && out[cut] & 0xC0 == 0x80 {
            cut -= 1;
        }
        out.splice(cut..cut, *b"\r\n");
        begin = cut + 2;
    }
    out.extend_from_slice(b"\r\n");
}

/// The message, with a header. What [`lines`] made goes in.
pub fn make(input: &[u8], parts: &Parts<'_>) -> Vec<u8> {
    // The separator line of mailbox files, which some programs send along.
    let input = match input.starts_with(b"From ") {
        true => {
            &input[input
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(input.len(), |at| at + 1)..]
        }
        false => input,
    };
    let header_end = header_end(input);
    let (header, body) = input.split_at(header_end);
    let mut out = Vec::with_capacity(input.len() + 256);
    let has_from = push_fields(header, parts.own, &mut out);
    if !has_from {
        out.extend_from_slice(from_line(parts).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.strip_prefix(b"\r\n").unwrap_or(body));
    out
}

/// Where the header ends: at an empty line, or at the first line that cannot be in one.
fn header_end(input: &[u8]) -> usize {
    let mut at = 0;
    while at < input.len() {
        let length = input[at..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(input.len() - at, |lf| lf + 1);
        let line = &input[at..at + length];
        let continues = at > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        if !continues && !is_field(line) {
            break;
        }
        at += length;
    }
    at
}

/// RFC 5322 §3.6.8: a name of visible letters, then a colon.
fn is_field(line: &[u8]) -> bool {
    match line.iter().position(|byte| *byte == b':') {
        Some(0) | None => false,
        Some(colon) => line[..colon].iter().all(|byte| (33..=126).contains(byte)),
    }
}

/// Writes the fields with whole addresses; whether somebody is in From.
fn push_fields(header: &[u8], own: &Mailbox, out: &mut Vec<u8>) -> bool {
    let mut has_from = false;
    let mut rest = header;
    while !rest.is_empty() {
        let end = field_end(rest);
        let field = &rest[..end];
        rest = &rest[end..];
        let colon = field.iter().position(|byte| *byte == b':').unwrap_or(0);
        let name = String::from_utf8_lossy(&field[..colon]).into_owned();
        let is_address = ADDRESS_FIELDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&name));
        has_from |= name.eq_ignore_ascii_case("From");
        match is_address.then(|| whole(&field[colon + 1..], own)).flatten() {
            Some(value) => out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes()),
            None => out.extend_from_slice(field),
        }
    }
    has_from
}

fn field_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let Some(lf) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
            return bytes.len();
        };
        at += lf + 1;
        if !matches!(bytes.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
}

/// The value of an address field with a domain for every name, when one lacks it; `None` leaves it as it is.
fn whole(value: &[u8], own: &Mailbox) -> Option<String> {
    let entries = parse(value);
    let lacks = |entry: &Entry| matches!(entry, Entry::Mailbox(mailbox) if mailbox.domain.is_none() && !mailbox.local.is_empty());
    if !entries.iter().any(lacks) || entries.iter().any(|entry| !matches!(entry, Entry::Mailbox(_))) {
        return None;
    }
    let mut named = Vec::new();
    for entry in entries {
        let Entry::Mailbox(mailbox) = entry else { continue };
        named.push(written(&mailbox, own)?);
    }
    Some(named.join(",\r\n "))
}

fn written(mailbox: &HeaderMailbox, own: &Mailbox) -> Option<String> {
    let address = match &mailbox.domain {
        Some(_) => mailbox.to_mailbox().ok()?,
        None => {
            let local = String::from_utf8(mailbox.local.clone()).ok()?;
            Mailbox::parse(&format!("{local}@{}", own.domain()), mail::address::Utf8::Allowed).ok()?
        }
    };
    let name = mailbox
        .name
        .as_ref()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    Some(match name {
        Some(name) => format!("{} <{address}>", quoted(&name)),
        None => address.to_string(),
    })
}

/// RFC 5322 §3.2.4: letters that cannot end the quotation.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for letter in name.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
    text
}

fn from_line(parts: &Parts<'_>) -> String {
    match parts.name {
        Some(name) => format!("From: {} <{}>\r\n", quoted(name), parts.author),
        None => format!("From: {}\r\n", parts.author),
    }
}

/// Who is named in To, Cc and Bcc of a message that [`make`] made. What is no address is passed over: the server, which sees
/// the field too, does not judge it either.
pub fn recipients(message: &[u8]) -> Vec<Mailbox> {
    let end = mail::header::body_start(message);
    let Ok(header) = Header::scan(&message[..end]) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in RECIPIENT_FIELDS {
        for field in header.all(name) {
            found.extend(parse(field.value()).into_iter().filter_map(|entry| match entry {
                Entry::Mailbox(mailbox) => mailbox.to_mailbox().ok(),
                Entry::GroupStart(_) | Entry::GroupEnd => None,
            }));
        }
    }
    found
}

/// Whether the message needs 8BITMIME, and whether its header does.
pub fn is_eight_bit(message: &[u8]) -> (bool, bool) {
    let header = mail::header::body_start(message);
    (!message.is_ascii(), !message[..header].is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::address::Utf8;

    fn own() -> Mailbox {
        Mailbox::parse("root@example.org", Utf8::Refused).unwrap()
    }

    fn made(input: &str) -> String {
        let own = own();
        let parts = Parts {
            own: &own,
            author: &own,
            name: Some("Cron \"the\" Daemon"),
        };
        String::from_utf8(make(&lines(input.as_bytes(), false), &parts)).unwrap()
    }

    #[test]
    fn lines_end_with_crlf_whatever_they_ended_with() {
        for (input, dots, want) in [
            ("a\nb\r\nc\rd", false, "a\r\nb\r\nc\r\nd\r\n"),
            ("a\n\nb\n", false, "a\r\n\r\nb\r\n"),
            ("a\r\r\nb", false, "a\r\n\r\nb\r\n"),
            ("a\n.\nb\n", true, "a\r\n"),
            ("a\n.\nb\n", false, "a\r\n.\r\nb\r\n"),
            ("a\n..\n.\r\nb", true, "a\r\n..\r\n"),
            ("nul\0here", false, "nulhere\r\n"),
            ("", true, ""),
        ] {
            assert_eq!(
                String::from_utf8(lines(input.as_bytes(), dots)).unwrap(),
                want,
                "{input:?}"
            );
        }
    }

    #[test]
    fn long_lines_are_broken_between_letters() {
        let out = lines("é".repeat(2000).as_bytes(), false);
        for line in out.split(|byte| *byte == b'\n') {
            assert!(line.len() <= 998);
            assert!(std::str::from_utf8(line).is_ok());
        }
    }

    #[test]
    fn crons_own_mail_gets_whole_addresses() {
        assert_eq!(
            made("From: root (Cron Daemon)\nTo: admin\nSubject: Cron\n\nout\n"),
            "From: \"Cron Daemon\" <root@example.org>\r\nTo: admin@example.org\r\nSubject: Cron\r\n\r\nout\r\n"
        );
        assert_eq!(
            made("From: \"(Cron Daemon)\" <root>\nTo: bob@example.net, admin\n\nout\n"),
            "From: \"(Cron Daemon)\" <root@example.org>\r\nTo: bob@example.net,\r\n admin@example.org\r\n\r\nout\r\n"
        );
    }

    #[test]
    fn a_message_without_a_header_gets_one() {
        let from = "From: \"Cron \\\"the\\\" Daemon\" <root@example.org>\r\n\r\n";
        assert_eq!(made("hello\nworld\n"), format!("{from}hello\r\nworld\r\n"));
        assert_eq!(made("\nhello\n"), format!("{from}hello\r\n"));
        assert_eq!(made(""), from);
        assert_eq!(
            made("Subject: x\nhello world\nTo: nobody\n"),
            format!("Subject: x\r\n{from}hello world\r\nTo: nobody\r\n")
        );
        assert_eq!(
            made("From root@x Mon Jan 1\nSubject: x\n\nb\n"),
            format!("Subject: x\r\n{from}b\r\n")
        );
    }

    #[test]
    fn a_whole_header_stays_as_it_is() {
        let text = "From: Ann\r\n <ann@example.org>\r\nTo: Bob <bob@example.net>,\r\n\tcarl@example.com\r\nX: y\r\n\r\nb\r\n";
        assert_eq!(made(text), text);
    }

    #[test]
    fn recipients_come_from_to_cc_and_bcc() {
        let message = made(
            "To: a@x.test, b\nCc: Carl <c@x.test>\nBcc: d@x.test\nResent-To: e@x.test\n\nTo: f@x.test\n",
        );
        let found: Vec<String> = recipients(message.as_bytes())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["a@x.test", "b@example.org", "c@x.test", "d@x.test"]);
    }

    #[test]
    fn eight_bit_text_is_noticed() {
        assert_eq!(is_eight_bit("Subject: x\r\n\r\nü\r\n".as_bytes()), (true, false));
        assert_eq!(is_eight_bit("Subject: ü\r\n\r\nx\r\n".as_bytes()), (true, true));
        assert_eq!(is_eight_bit(b"Subject: x\r\n\r\nx\r\n"), (false, false));
    }
}
