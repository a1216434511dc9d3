//! The part for programs: message/delivery-status (RFC 3464 §2), or its international sister (RFC 6533 §3) when the
//! sender's own address is not ASCII.

use std::fmt::Write as _;

use mail::address::Mailbox;
use mail::build::Body;
use mail::date::rfc5322;
use mail::wire::HeaderValue;

use super::{Answer, Kind, Report, Status, Told, clean, text};
use crate::limits::DIAGNOSTIC_BYTES;

/// Octets of a line that we build; longer words stay whole.
const LINE: usize = 76;

pub(super) fn part(report: &Report<'_>) -> Body {
    let form = if report.to.needs_utf8() {
        Form::Utf8
    } else {
        Form::Ascii
    };
    let mut out = String::new();
    put(&mut out, "Reporting-MTA", &format!("dns; {}", report.host));
    if let Some(envid) = report.envid {
        put(&mut out, "Original-Envelope-Id", &form.line(envid));
    }
    put(&mut out, "Arrival-Date", &rfc5322(report.arrived.0));
    if let Some(by) = report.deliver_by {
        put(&mut out, "Deliver-By-Date", &rfc5322(by.0));
    }
    if let Some(wish) = &report.future_release {
        put(&mut out, "Future-Release-Request", &form.line(wish));
    }
    for told in &report.recipients {
        out.push_str("\r\n");
        recipient(&mut out, report.kind, told, form);
    }
    let kind = match form {
        Form::Ascii => "message/delivery-status",
        Form::Utf8 => "message/global-delivery-status",
    };
    Body::Raw {
        content_type: HeaderValue::new(kind).expect("plain letters"),
        octets: out.into_bytes(),
    }
}

/// The fields of one recipient (RFC 3464 §2.3).
fn recipient(out: &mut String, kind: Kind, told: &Told<'_>, form: Form) {
    if let Some((kind, address)) = told.orcpt {
        let kind = clean::ascii_line(kind, 40).replace([';', ' '], "");
        let address = if kind.eq_ignore_ascii_case("utf-8") {
            form.utf8_address(address)
        } else {
            form.line(address)
        };
        put(out, "Original-Recipient", &format!("{kind}; {address}"));
    }
    put(out, "Final-Recipient", &form.typed(told.shown()));
    put(out, "Action", kind.action());
    put(out, "Status", &status(kind, told).to_string());
    let (host, diagnostic) = match &told.answer {
        Answer::Server { host, .. } => (Some(*host), format!("smtp; {}", text::reply(told).join(" "))),
        Answer::Ours { host, text, .. } => (*host, format!("x-hearthpost; {}", clean::ours(text))),
    };
    if let Some(host) = host {
        put(
            out,
            "Remote-MTA",
            &format!("dns; {}", clean::ascii_line(host, 255)),
        );
    }
    put(out, "Diagnostic-Code", &form.cut(&diagnostic, DIAGNOSTIC_BYTES));
    if let Some(at) = told.last_attempt {
        put(out, "Last-Attempt-Date", &rfc5322(at.0));
    }
    if let (Kind::Delayed, Some(until)) = (kind, told.retry_until) {
        put(out, "Will-Retry-Until", &rfc5322(until.0));
    }
}

/// A status agrees with its action: what succeeded is 2.x.x, and a delay is never 5.x.x.
fn status(kind: Kind, told: &Told<'_>) -> Status {
    let given = told.status();
    let (subject, detail) = given.rest();
    match kind {
        Kind::Failed if given.class() == 2 => Status::new(5, 0, 0),
        Kind::Failed => given,
        Kind::Delayed if given.class() == 2 => Status::new(4, 0, 0),
        Kind::Delayed => Status::new(4, subject, detail),
        Kind::Relayed | Kind::Delivered | Kind::Expanded if given.class() == 2 => given,
        Kind::Relayed | Kind::Delivered | Kind::Expanded => Status::new(2, 0, 0),
    }
}

/// How letters outside ASCII are written.
#[derive(Clone, Copy)]
enum Form {
    /// message/delivery-status: not at all, addresses in the form of RFC 6533 §3
    Ascii,
    /// message/global-delivery-status: as they are
    Utf8,
}

impl Form {
    fn cut(self, text: &str, max: usize) -> String {
        match self {
            Self::Ascii => clean::ascii_line(text, max),
            Self::Utf8 => clean::line(text, max),
        }
    }

    fn line(self, text: &str) -> String {
        self.cut(text, DIAGNOSTIC_BYTES)
    }

    fn typed(self, mailbox: &Mailbox) -> String {
        if mailbox.needs_utf8() {
            format!("utf-8; {}", self.utf8_address(&mailbox.to_string()))
        } else {
            format!("rfc822; {mailbox}")
        }
    }

    fn utf8_address(self, address: &str) -> String {
        match self {
            Self::Ascii => utf8_addr_xtext(&clean::line(address, DIAGNOSTIC_BYTES)),
            Self::Utf8 => clean::line(address, DIAGNOSTIC_BYTES),
        }
    }
}

/// `utf-8-addr-xtext` of RFC 6533 §3: `\x{HEX}` for what is not printable ASCII, and for the backslash, `+` and `=`.
fn utf8_addr_xtext(address: &str) -> String {
    let mut text = String::with_capacity(address.len());
    for letter in address.chars() {
        if letter.is_ascii_graphic() && !matches!(letter, '\\' | '+' | '=') {
            text.push(letter);
        } else {
            write!(text, "\\x{{{:X}}}", u32::from(letter)).expect("a String takes everything");
        }
    }
    text
}

/// One field, folded at spaces; a word too long for the wire is cut.
fn put(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push(':');
    let mut column = name.len() + 1;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        let word = clean::line(word, 900);
        if column + 1 + word.len() > LINE && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(&word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_rfc_6533_says() {
        let table = [
            ("bob@example.net", "bob@example.net"),
            ("jörg@example.net", "j\\x{F6}rg@example.net"),
            ("a+b=c\\@x", "a\\x{2B}b\\x{3D}c\\x{5C}@x"),
            ("用户@x", "\\x{7528}\\x{6237}@x"),
        ];
        for (address, want) in table {
            assert_eq!(utf8_addr_xtext(address), want);
        }
    }

    #[test]
    fn no_value_begins_another_field() {
        let mut out = String::new();
        put(
            &mut out,
            "Diagnostic-Code",
            &clean::ascii_line("smtp; 550 a\r\nAction: delivered", 900),
        );
        assert_eq!(out, "Diagnostic-Code: smtp; 550 a??Action: delivered\r\n");
    }
}
