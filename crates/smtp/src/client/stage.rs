//! What a reply means where it comes: a table, nothing else.

use super::reply::Reply;

/// What a reply answers. The names are the words of logs and timelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// the connection itself
    Banner,
    /// EHLO, HELO, LHLO
    Hello,
    /// STARTTLS
    StartTls,
    /// AUTH
    Auth,
    /// RSET
    Reset,
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA, or a chunk of BDAT that is not the last
    Data,
    /// the end of the message
    Final,
    /// QUIT
    Quit,
}

/// What a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// go on
    Positive,
    /// 4xx: trying later may help
    Temporary,
    /// 5xx: trying again does not help
    Permanent,
    /// 421: the server closes the connection; trying later may help
    Closing,
    /// a code that has no place here: a broken server; trying later may help
    Fault,
}

impl Answer {
    /// Whether trying again does not help.
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::Permanent)
    }
}

impl Stage {
    /// The word for logs and timelines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Hello => "hello",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Reset => "reset",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Final => "final",
            Self::Quit => "quit",
        }
    }

    /// What `reply` means here.
    pub fn judge(self, reply: &Reply) -> Answer {
        match (self, reply.code) {
            (_, 421) => Answer::Closing,
            // RFC 5321 §4.5.3.1.10: a server that means "too many recipients" by 552 means "not all at once".
            (Self::Rcpt, 552) if matches!(reply.enhanced, None | Some((5, 5, 3))) => Answer::Temporary,
            (_, 400..=499) => Answer::Temporary,
            (_, 500..=599) => Answer::Permanent,
            (Self::Data, 300..=399) => Answer::Positive,
            (Self::Data, _) => Answer::Fault,
            (_, 200..=299) => Answer::Positive,
            _ => Answer::Fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Stage; 10] = [
        Stage::Banner,
        Stage::Hello,
        Stage::StartTls,
        Stage::Auth,
        Stage::Reset,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Final,
        Stage::Quit,
    ];

    #[test]
    fn every_reply_means_something_at_every_stage() {
        use Answer::{Closing, Fault, Permanent, Positive, Temporary};
        for stage in ALL {
            let (on_2xx, on_3xx) = match stage {
                Stage::Data => (Fault, Positive),
                _ => (Positive, Fault),
            };
            let table = [
                ("220 x\r\n", on_2xx),
                ("250 x\r\n", on_2xx),
                ("334 x\r\n", on_3xx),
                ("354 x\r\n", on_3xx),
                ("421 4.3.2 x\r\n", Closing),
                ("450 x\r\n", Temporary),
                ("451 x\r\n", Temporary),
                ("500 x\r\n", Permanent),
                ("521 x\r\n", Permanent),
                ("554 x\r\n", Permanent),
            ];
            for (bytes, want) in table {
                let reply = Reply::read(bytes.as_bytes()).unwrap();
                assert_eq!(stage.judge(&reply), want, "{stage:?} {bytes:?}");
            }
        }
    }

    #[test]
    fn too_many_recipients_are_sent_later_and_a_full_mailbox_is_not() {
        let table = [
            (Stage::Rcpt, "552 too many recipients\r\n", Answer::Temporary),
            (
                Stage::Rcpt,
                "552 5.5.3 too many recipients\r\n",
                Answer::Temporary,
            ),
            (Stage::Rcpt, "552 5.2.2 mailbox full\r\n", Answer::Permanent),
            (Stage::Final, "552 too large\r\n", Answer::Permanent),
        ];
        for (stage, bytes, want) in table {
            let reply = Reply::read(bytes.as_bytes()).unwrap();
            assert_eq!(stage.judge(&reply), want, "{bytes:?}");
        }
    }
}
