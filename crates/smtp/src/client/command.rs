//! What a message asks of a server, and the lines of MAIL and RCPT.
//!
//! Every word of a line is made of a checked type: an address ([`mail::address`]), a number, a word of a fixed list, or
//! `xtext`; so nothing can end the line before its CR LF (threat case REL-8).

use std::fmt;

use mail::address::{Mailbox, Path};
use mail::wire::SmtpArg;

use super::greeting::Ready;
use super::offers::Offers;
use crate::dsn::{EnvId, Notify, OriginalRecipient, Ret};
use crate::steps::BodyType;
use crate::timing::{DeliverBy, DeliverByMode};

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRequest {
    /// who gets the bounce
    pub reverse_path: Path,
    /// octets of the message in wire form, without dots and end
    pub size_bytes: Option<u64>,
    /// whether it holds octets above 127
    pub body: BodyType,
    /// whether its header holds UTF-8. Addresses outside ASCII ask for SMTPUTF8 by themselves.
    pub smtputf8: bool,
    /// how much a bounce brings back
    pub ret: Option<Ret>,
    /// the sender's name of this sending
    pub envid: Option<EnvId>,
    /// by when (RFC 2852)
    pub deliver_by: Option<DeliverBy>,
    /// only over TLS, all the way (RFC 8689)
    pub requiretls: RequireTls,
    /// BDAT where CHUNKING is offered (RFC 3030); else DATA always
    pub chunking: bool,
}

/// Whether a message asks for TLS all the way (RFC 8689).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// it does not
    #[default]
    No,
    /// it does where that is offered, and goes without where it is not: a report (RFC 8689 §5)
    WhereOffered,
    /// it goes to no server that does not offer it
    Must,
}

impl MailRequest {
    /// A plain message.
    pub fn new(reverse_path: Path) -> Self {
        Self {
            reverse_path,
            size_bytes: None,
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            deliver_by: None,
            requiretls: RequireTls::No,
            chunking: true,
        }
    }
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcptRequest {
    /// who
    pub address: Mailbox,
    /// when a report is sent
    pub notify: Option<Notify>,
    /// who it was first
    pub orcpt: Option<OriginalRecipient>,
}

impl RcptRequest {
    /// Without wishes.
    pub fn new(address: Mailbox) -> Self {
        Self {
            address,
            notify: None,
            orcpt: None,
        }
    }
}

/// Why a message cannot go to this server. The session can take another.
#[derive(Debug)]
pub struct CannotSend {
    /// the session
    pub ready: Ready,
    /// why
    pub why: Cannot,
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cannot {
    /// The message has octets above 127 and the server lacks 8BITMIME: re-encode it, or 5.6.3.
    EightBit,
    /// The message or an address needs SMTPUTF8 and the server lacks it: 5.6.7.
    Utf8,
    /// The message is larger than the server's SIZE: 5.3.4.
    TooLarge {
        /// what the server takes, in octets
        limit_bytes: u64,
    },
    /// The message must go over TLS all the way and the server does not promise it: 5.7.30.
    RequireTls,
    /// The message must come back when it is late, and the server cannot do that in the time left: 5.4.7.
    DeliverBy,
    /// There are no recipients.
    Nobody,
}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EightBit => f.write_str("the server takes no 8-bit text (8BITMIME)"),
            Self::Utf8 => f.write_str("the server takes no international addresses (SMTPUTF8)"),
            Self::TooLarge { limit_bytes } => {
                write!(f, "the server takes messages of up to {limit_bytes} octets")
            }
            Self::RequireTls => f.write_str("the server does not promise TLS all the way (REQUIRETLS)"),
            Self::DeliverBy => f.write_str("the server cannot hold to the time left (DELIVERBY)"),
            Self::Nobody => f.write_str("the message has no recipients"),
        }
    }
}

/// Whether `offers` are enough for a message.
pub(super) fn check(offers: &Offers, mail: &MailRequest, rcpts: &[RcptRequest]) -> Result<(), Cannot> {
    if rcpts.is_empty() {
        return Err(Cannot::Nobody);
    }
    if needs_utf8(mail, rcpts) && !offers.smtputf8 {
        return Err(Cannot::Utf8);
    }
    // RFC 6531 §3.1 lets no server offer SMTPUTF8 without 8BITMIME.
    if mail.body == BodyType::EightBitMime && !offers.eightbitmime {
        return Err(Cannot::EightBit);
    }
    if let (Some(size), Some(limit_bytes)) = (mail.size_bytes, offers.size)
        && limit_bytes != 0
        && size > limit_bytes
    {
        return Err(Cannot::TooLarge { limit_bytes });
    }
    if mail.requiretls == RequireTls::Must && !offers.requiretls {
        return Err(Cannot::RequireTls);
    }
    match (mail.deliver_by, offers.deliver_by) {
        (Some(by), least) if by.mode == DeliverByMode::Return => {
            let least = least.ok_or(Cannot::DeliverBy)?;
            // RFC 2852 §4: with R the time is positive, and not below the least the server names.
            if by.seconds <= 0 || by.seconds.unsigned_abs() < least {
                return Err(Cannot::DeliverBy);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(super) fn needs_utf8(mail: &MailRequest, rcpts: &[RcptRequest]) -> bool {
    mail.smtputf8
        || mail.reverse_path.mailbox().is_some_and(Mailbox::needs_utf8)
        || rcpts.iter().any(|rcpt| rcpt.address.needs_utf8())
}

/// `MAIL FROM:<…>` with the parameters that are offered.
pub(super) fn mail_line(offers: &Offers, mail: &MailRequest, smtputf8: bool) -> Vec<u8> {
    let mut line = format!("MAIL FROM:{}", SmtpArg::path(&mail.reverse_path));
    if let (Some(size), Some(_)) = (mail.size_bytes, offers.size) {
        line.push_str(&format!(" SIZE={size}"));
    }
    match mail.body {
        BodyType::EightBitMime => line.push_str(" BODY=8BITMIME"),
        BodyType::SevenBit => {}
    }
    if smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    if let (Some(ret), true) = (mail.ret, offers.dsn) {
        line.push_str(&format!(" RET={}", ret.word()));
    }
    if let (Some(envid), true) = (&mail.envid, offers.dsn) {
        line.push_str(&format!(" ENVID={}", envid.to_xtext()));
    }
    if let (Some(by), Some(_)) = (mail.deliver_by, offers.deliver_by) {
        line.push_str(&format!(" BY={by}"));
    }
    if mail.requiretls != RequireTls::No && offers.requiretls {
        line.push_str(" REQUIRETLS");
    }
    line.push_str("\r\n");
    line.into_bytes()
}

/// `RCPT TO:<…>` with the parameters that are offered.
pub(super) fn rcpt_line(offers: &Offers, rcpt: &RcptRequest) -> Vec<u8> {
    let mut line = format!("RCPT TO:{}", SmtpArg::forward_path(&rcpt.address));
    if let (Some(notify), true) = (rcpt.notify, offers.dsn) {
        line.push_str(&format!(" NOTIFY={notify}"));
    }
    if let (Some(orcpt), true) = (&rcpt.orcpt, offers.dsn) {
        line.push_str(&format!(" ORCPT={}", orcpt.to_value()));
    }
    line.push_str("\r\n");
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reply;

    fn offers(lines: &str) -> Offers {
        let mut bytes = b"250-me\r\n".to_vec();
        let words: Vec<&str> = lines.split(',').collect();
        for (at, word) in words.iter().enumerate() {
            let mark = if at + 1 == words.len() { ' ' } else { '-' };
            bytes.extend(format!("250{mark}{word}\r\n").into_bytes());
        }
        Offers::of(&Reply::read(&bytes).unwrap())
    }

    fn request() -> MailRequest {
        let sender = "a@example.org".parse().unwrap();
        MailRequest {
            size_bytes: Some(1_000),
            ret: Some(Ret::Headers),
            envid: EnvId::new("a b=c+d"),
            deliver_by: Some(DeliverBy {
                seconds: 120,
                mode: DeliverByMode::Notify,
                trace: true,
            }),
            ..MailRequest::new(Path::Mailbox(sender))
        }
    }

    fn rcpt(address: &str) -> RcptRequest {
        RcptRequest {
            notify: Notify::parse("SUCCESS,FAILURE"),
            orcpt: OriginalRecipient::new("rfc822", "b+c@example.net"),
            ..RcptRequest::new(address.parse().unwrap())
        }
    }

    #[test]
    fn only_what_is_offered_is_asked_for() {
        let all = "SIZE 0,8BITMIME,SMTPUTF8,DSN,DELIVERBY,REQUIRETLS";
        let eight = MailRequest {
            body: BodyType::EightBitMime,
            requiretls: RequireTls::Must,
            ..request()
        };
        let table = [
            (
                all,
                request(),
                "MAIL FROM:<a@example.org> SIZE=1000 RET=HDRS ENVID=a+20b+3Dc+2Bd BY=120;NT\r\n",
            ),
            (
                all,
                eight,
                "MAIL FROM:<a@example.org> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=a+20b+3Dc+2Bd BY=120;NT REQUIRETLS\r\n",
            ),
            ("HELP", request(), "MAIL FROM:<a@example.org>\r\n"),
            ("SIZE", MailRequest::new(Path::Null), "MAIL FROM:<>\r\n"),
        ];
        for (offered, mail, want) in table {
            let line = mail_line(&offers(offered), &mail, false);
            assert_eq!(String::from_utf8(line).unwrap(), want);
        }
        let line = rcpt_line(&offers("DSN"), &rcpt("b@example.net"));
        let want = "RCPT TO:<b@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@example.net\r\n";
        assert_eq!(String::from_utf8(line).unwrap(), want);
        assert_eq!(
            rcpt_line(&offers("HELP"), &rcpt("b@example.net")),
            b"RCPT TO:<b@example.net>\r\n"
        );
    }

    #[test]
    fn what_a_server_cannot_do_is_found_before_anything_is_sent() {
        let plain = MailRequest::new(Path::Null);
        let eight = MailRequest {
            body: BodyType::EightBitMime,
            ..plain.clone()
        };
        let utf8 = MailRequest {
            smtputf8: true,
            ..plain.clone()
        };
        let sized = MailRequest {
            size_bytes: Some(1_001),
            ..plain.clone()
        };
        let tls = MailRequest {
            requiretls: RequireTls::Must,
            ..plain.clone()
        };
        let by = |seconds, mode| MailRequest {
            deliver_by: Some(DeliverBy {
                seconds,
                mode,
                trace: false,
            }),
            ..plain.clone()
        };
        let (notify, back) = (DeliverByMode::Notify, DeliverByMode::Return);
        let table = [
            (&plain, "HELP", Ok(())),
            (&eight, "HELP", Err(Cannot::EightBit)),
            (&eight, "8BITMIME", Ok(())),
            (&utf8, "8BITMIME", Err(Cannot::Utf8)),
            (&utf8, "8BITMIME,SMTPUTF8", Ok(())),
            (&sized, "SIZE 1000", Err(Cannot::TooLarge { limit_bytes: 1000 })),
            (&sized, "SIZE 1001", Ok(())),
            (&sized, "SIZE", Ok(())),
            (&sized, "SIZE 0", Ok(())),
            (&tls, "HELP", Err(Cannot::RequireTls)),
            (&tls, "REQUIRETLS", Ok(())),
            (&by(-5, notify), "HELP", Ok(())),
            (&by(100, back), "HELP", Err(Cannot::DeliverBy)),
            (&by(100, back), "DELIVERBY", Ok(())),
            (&by(100, back), "DELIVERBY 101", Err(Cannot::DeliverBy)),
            (&by(0, back), "DELIVERBY", Err(Cannot::DeliverBy)),
        ];
        for (mail, offered, want) in table {
            let got = check(
                &offers(offered),
                mail,
                &[RcptRequest::new("b@example.net".parse().unwrap())],
            );
            assert_eq!(got, want, "{mail:?} {offered}");
        }
        assert_eq!(check(&offers("HELP"), &plain, &[]), Err(Cannot::Nobody));
        let outside = [RcptRequest::new("j\u{fc}rgen@example.net".parse().unwrap())];
        assert_eq!(check(&offers("8BITMIME"), &plain, &outside), Err(Cannot::Utf8));
    }

    #[test]
    fn rel_8_nothing_in_an_argument_becomes_another_command() {
        let evil = "x\r\nRSET\r\nMAIL FROM:<evil@example.org>";
        // Addresses, ENVID and ORCPT with a line end cannot be made at all.
        assert!(evil.parse::<Mailbox>().is_err());
        assert!(format!("\"{evil}\"@example.org").parse::<Mailbox>().is_err());
        assert!(EnvId::new(evil).is_none());
        assert!(OriginalRecipient::new("rfc822", evil).is_none());
        assert!(OriginalRecipient::new("utf-8", evil).is_none());
        assert!(OriginalRecipient::new("rfc822;x\r\nRSET", "a").is_none());
        // What can be made and looks like syntax stays inside its word.
        let mail = MailRequest {
            envid: EnvId::new("x SMTPUTF8 BY=1;R>"),
            deliver_by: None,
            ..request()
        };
        let line = String::from_utf8(mail_line(&offers("DSN"), &mail, false)).unwrap();
        assert_eq!(
            line,
            "MAIL FROM:<a@example.org> RET=HDRS ENVID=x+20SMTPUTF8+20BY+3D1;R>\r\n"
        );
        let odd = RcptRequest {
            orcpt: OriginalRecipient::new("rfc822", "a> NOTIFY=NEVER <b@x"),
            notify: None,
            address: "\"a> NOTIFY=NEVER <b\"@example.org".parse().unwrap(),
        };
        let line = String::from_utf8(rcpt_line(&offers("DSN"), &odd)).unwrap();
        assert_eq!(
            line,
            "RCPT TO:<\"a> NOTIFY=NEVER <b\"@example.org> ORCPT=rfc822;a>+20NOTIFY+3DNEVER+20<b@x\r\n"
        );
    }
}
