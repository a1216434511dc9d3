//! `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF`
//! (RFC 5321 §4.1.1.3).

use mail::address::Utf8;
use mail::path::{ForwardPath, forward_path};

use crate::params;
use crate::refusal::{Refusal, codes};
use crate::session::{Session, Stage};
use crate::steps::{AskRecipient, Step};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    let smtputf8 = match &session.stage {
        Stage::Open(transaction) => transaction.smtputf8,
        Stage::Chunking(..) => return session.sequence("The message has begun: finish it or send RSET"),
        Stage::Fresh | Stage::Greeted => {
            return session.sequence("Name the sender first: MAIL FROM:<address>");
        }
    };
    match read(args, smtputf8) {
        Ok(recipient) => Step::Recipient(AskRecipient { session, recipient }),
        Err(refusal) => session.refused(&refusal),
    }
}

fn read(args: &[u8], smtputf8: bool) -> Result<ForwardPath, Refusal> {
    let path = super::after_keyword(args, "TO:")
        .ok_or_else(|| Refusal::new(codes::BAD_ARGUMENTS, "Write RCPT TO:<address>"))?;
    let parsed = forward_path(path, Utf8::Allowed).map_err(|fault| {
        Refusal::new(
            codes::BAD_RECIPIENT,
            format!("The recipient cannot be read: {fault}"),
        )
    })?;
    if parsed.source_route {
        // RFC 5321 appendix C lets a server ignore or refuse them. Refused, no reading of them can differ.
        let text = "Source routes are not taken: write the recipient's address alone";
        return Err(Refusal::new(codes::BAD_RECIPIENT, text));
    }
    let path_bytes = &path[..path.len() - parsed.rest.len()];
    if !smtputf8 && !path_bytes.is_ascii() {
        return Err(Refusal::new(
            codes::NEEDS_UTF8,
            "The recipient's address needs MAIL with SMTPUTF8",
        ));
    }
    // DSN (RFC 3461) is not offered, so no parameter is known.
    match params::parse(parsed.rest)?.first() {
        Some(param) => Err(params::unknown(param.keyword)),
        None => Ok(parsed.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_one_address_and_nothing_else() {
        let table: &[(&str, bool, u16)] = &[
            ("TO:<a@example.org>", false, 250),
            ("to: <a@example.org>", false, 250),
            ("TO:<postmaster>", false, 250),
            ("TO:<PostMaster>", false, 250),
            ("TO:<\"a b\"@example.org>", false, 250),
            ("TO:<j\u{fc}rgen@example.org>", true, 250),
            ("TO:<j\u{fc}rgen@example.org>", false, 553),
            ("TO:<>", false, 501),
            ("TO:<alice>", false, 501),
            ("TO:<a@b@example.org>", false, 501),
            ("TO:<@example.org:a@b.example>", false, 501),
            ("TO:<a@example.org.>", false, 501),
            ("TO:<a@example.org> NOTIFY=NEVER", false, 555),
            ("TO:a@example.org", false, 501),
            ("FROM:<a@example.org>", false, 501),
        ];
        for (args, smtputf8, want) in table {
            let got = read(args.as_bytes(), *smtputf8).map_or_else(|refusal| refusal.code.code(), |_| 250);
            assert_eq!(got, *want, "{args:?}");
        }
    }
}
