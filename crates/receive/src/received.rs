//! The Received field of this hop (RFC 5321 §4.4). A pure function.
//!
//! ```text
//! Time-stamp-line = "Received:" FWS Stamp CRLF
//! Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
//! Opt-info        = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;

use mail::address::{Domain, Mailbox};
use mail::date;
use mail::ids::QueueId;
use world::clock::UnixMs;
use world::net::TlsFacts;

/// How a message came.
#[derive(Debug, Clone)]
pub struct Hop<'a> {
    /// where from; `None` keeps it out, for submissions and local programs (threat cases PRV-1, PRV-4)
    pub from: Option<From<'a>>,
    /// our name
    pub by: &'a str,
    /// the protocol
    pub with: Protocol,
    /// the message's name
    pub queue_id: QueueId,
    /// the only recipient; with several nobody is named, so that nobody learns of the others
    pub for_recipient: Option<&'a Mailbox>,
    /// when
    pub at: UnixMs,
}

/// The other side, as it names itself and as it is.
#[derive(Debug, Clone)]
pub struct From<'a> {
    /// the name of its greeting; left out when it is no domain
    pub hello: &'a str,
    /// its address
    pub address: IpAddr,
    /// what TLS agreed on
    pub tls: Option<&'a TlsFacts>,
}

/// The facts behind `with` (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// LMTP, or SMTP
    pub lmtp: bool,
    /// greeted with EHLO
    pub extended: bool,
    /// MAIL with SMTPUTF8
    pub utf8: bool,
    /// inside TLS
    pub tls: bool,
    /// signed in
    pub signed_in: bool,
}

impl Protocol {
    /// The registered keyword.
    fn keyword(self) -> String {
        let base = match (self.lmtp, self.utf8, self.extended) {
            (true, true, _) => "UTF8LMTP",
            (true, false, _) => "LMTP",
            (false, true, _) => "UTF8SMTP",
            (false, false, true) => "ESMTP",
            (false, false, false) => "SMTP",
        };
        let tls = if self.tls && base != "SMTP" { "S" } else { "" };
        let auth = if self.signed_in && base != "SMTP" { "A" } else { "" };
        format!("{base}{tls}{auth}")
    }
}

/// The field with its CR LF. Nothing from outside can break it: a greeting that is no domain is left out, and addresses
/// hold no control characters.
pub fn field(hop: &Hop<'_>) -> Vec<u8> {
    let mut text = String::with_capacity(320);
    text.push_str("Received: ");
    if let Some(from) = &hop.from {
        let literal = Domain::from_ip(from.address.to_canonical());
        match Domain::parse(from.hello) {
            Ok(hello) if hello.literal().is_none() => write!(text, "from {hello} ({literal})"),
            _ => write!(text, "from {literal}"),
        }
        .expect("a String takes everything");
        text.push_str("\r\n\t");
    }
    write!(
        text,
        "by {} with {} id {}",
        hop.by,
        hop.with.keyword(),
        hop.queue_id
    )
    .expect("a String takes everything");
    if let Some(recipient) = hop.for_recipient {
        write!(text, "\r\n\tfor <{recipient}>").expect("a String takes everything");
    }
    if let Some(tls) = hop.from.as_ref().and_then(|from| from.tls) {
        write!(text, "\r\n\t({} {})", tls.version.as_str(), tls.cipher).expect("a String takes everything");
    }
    write!(text, ";\r\n\t{}\r\n", date::rfc5322(hop.at.0)).expect("a String takes everything");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::address::Utf8;
    use mail::ids::Id;
    use world::net::TlsVersion;

    fn hop<'a>(from: Option<From<'a>>, with: Protocol, to: Option<&'a Mailbox>) -> String {
        let id = QueueId::from_raw(1 << 30);
        let at = UnixMs(0);
        let field = field(&Hop {
            from,
            by: "mx.example.test",
            with,
            queue_id: id,
            for_recipient: to,
            at,
        });
        String::from_utf8(field).expect("text")
    }

    const ESMTP: Protocol = Protocol {
        lmtp: false,
        extended: true,
        utf8: false,
        tls: false,
        signed_in: false,
    };

    #[test]
    fn a_strangers_hop_names_what_is_known_of_it() {
        let tls = TlsFacts {
            version: TlsVersion::Tls13,
            cipher: "TLS13_AES_256_GCM_SHA384",
            sni: None,
            alpn: None,
            resumed: false,
        };
        let to = Mailbox::parse("bob@example.test", Utf8::Refused).expect("an address");
        let from = From {
            hello: "mail.example.org",
            address: [192, 0, 2, 1].into(),
            tls: Some(&tls),
        };
        let got = hop(Some(from), Protocol { tls: true, ..ESMTP }, Some(&to));
        assert_eq!(
            got,
            format!(
                "Received: from mail.example.org ([192.0.2.1])\r\n\tby mx.example.test with ESMTPS id {}\r\n\tfor \
                 <bob@example.test>\r\n\t(TLSv1.3 TLS13_AES_256_GCM_SHA384);\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n",
                QueueId::from_raw(1 << 30)
            )
            .replace("Thu, 01", if got.contains("Thu, 1 ") { "Thu, 1" } else { "Thu, 01" })
        );
    }

    #[test]
    fn smt_8_a_greeting_that_is_no_name_never_reaches_the_header() {
        for hello in [
            "a\"b",
            "(x",
            "<script>",
            "x;y",
            "[1.2.3.4]",
            "\u{202e}evil",
            "a..b",
            "-",
        ] {
            let from = From {
                hello,
                address: [192, 0, 2, 1].into(),
                tls: None,
            };
            let got = hop(Some(from), ESMTP, None);
            assert!(
                got.starts_with("Received: from [192.0.2.1]\r\n\tby mx.example.test with ESMTP id "),
                "{got}"
            );
            assert!(!got.contains(hello), "{got}");
        }
    }

    #[test]
    fn keywords_are_the_registered_ones() {
        let all = |lmtp, extended, utf8, tls, signed_in| {
            Protocol {
                lmtp,
                extended,
                utf8,
                tls,
                signed_in,
            }
            .keyword()
        };
        assert_eq!(all(false, false, false, true, false), "SMTP");
        assert_eq!(all(false, true, false, false, false), "ESMTP");
        assert_eq!(all(false, true, false, true, true), "ESMTPSA");
        assert_eq!(all(false, true, true, true, false), "UTF8SMTPS");
        assert_eq!(all(true, true, false, false, false), "LMTP");
        assert_eq!(all(true, true, true, true, false), "UTF8LMTPS");
    }

    #[test]
    fn prv_1_a_submissions_hop_tells_nothing_of_its_client() {
        let got = hop(
            None,
            Protocol {
                tls: true,
                signed_in: true,
                ..ESMTP
            },
            None,
        );
        assert!(
            got.starts_with("Received: by mx.example.test with ESMTPSA id "),
            "{got}"
        );
        assert_eq!(got.lines().count(), 2, "{got}");
    }
}
