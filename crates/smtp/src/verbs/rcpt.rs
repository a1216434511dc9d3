//! `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF`
//! (RFC 5321 §4.1.1.3), with NOTIFY and ORCPT (RFC 3461 §4.1, §4.2).

use mail::address::Utf8;
use mail::path::{ForwardPath, forward_path};

use crate::dsn::{Notify, OriginalRecipient};
use crate::params;
use crate::refusal::{Refusal, codes};
use crate::session::{Session, Stage};
use crate::steps::{AskRecipient, Step, Wishes};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    let smtputf8 = match &session.stage {
        Stage::Open(transaction) => transaction.smtputf8,
        Stage::Chunking(..) => return session.sequence("The message has begun: finish it or send RSET"),
        Stage::Fresh | Stage::Greeted => {
            return session.sequence("Name the sender first: MAIL FROM:<address>");
        }
    };
    let extended = session.hello().is_some_and(|hello| hello.extended);
    match read(args, smtputf8, extended) {
        Ok((recipient, wishes)) => Step::Recipient(AskRecipient {
            session,
            recipient,
            wishes,
        }),
        Err(refusal) => session.refused(&refusal),
    }
}

fn read(args: &[u8], smtputf8: bool, extended: bool) -> Result<(ForwardPath, Wishes), Refusal> {
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
    // An ORCPT of type utf-8 may hold letters outside ASCII too, when SMTPUTF8 was said (RFC 6533 §3).
    if !smtputf8 && !path.is_ascii() {
        return Err(Refusal::new(
            codes::NEEDS_UTF8,
            "The recipient's address needs MAIL with SMTPUTF8",
        ));
    }
    let parameters = params::parse(parsed.rest)?;
    if !extended && !parameters.is_empty() {
        return Err(params::unknown(parameters[0].keyword));
    }
    let mut wishes = Wishes::default();
    for param in parameters {
        apply(&mut wishes, param)?;
    }
    Ok((parsed.path, wishes))
}

fn apply(wishes: &mut Wishes, param: params::Param<'_>) -> Result<(), Refusal> {
    match (param.keyword.to_ascii_uppercase().as_str(), param.value) {
        ("NOTIFY", Some(value)) => wishes.notify = Some(Notify::parse(value).ok_or_else(params::malformed)?),
        ("ORCPT", Some(value)) => {
            wishes.orcpt = Some(OriginalRecipient::parse(value).ok_or_else(params::malformed)?);
        }
        ("NOTIFY" | "ORCPT", None) => return Err(params::malformed()),
        _ => return Err(params::unknown(param.keyword)),
    }
    Ok(())
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
            ("TO:<a@example.org> NOTIFY=NEVER", false, 250),
            ("TO:<postmaster> notify=delay,SUCCESS", false, 250),
            ("TO:<a@example.org> NOTIFY=NEVER,DELAY", false, 501),
            ("TO:<a@example.org> NOTIFY=SOMETIMES", false, 501),
            ("TO:<a@example.org> NOTIFY", false, 501),
            ("TO:<a@example.org> NOTIFY=DELAY NOTIFY=DELAY", false, 501),
            ("TO:<a@example.org> ORCPT=rfc822;b+2Bc@example.org", false, 250),
            ("TO:<a@example.org> ORCPT=b@example.org", false, 501),
            ("TO:<a@example.org> ORCPT=rfc822;b+0D+0A", false, 501),
            ("TO:<a@example.org> ORCPT", false, 501),
            (
                "TO:<a@example.org> ORCPT=utf-8;j\u{fc}rgen@example.org",
                true,
                250,
            ),
            (
                "TO:<a@example.org> ORCPT=utf-8;j\u{fc}rgen@example.org",
                false,
                553,
            ),
            (
                "TO:<a@example.org> ORCPT=utf-8;j\\x{FC}rgen@example.org",
                false,
                250,
            ),
            ("TO:<a@example.org> RET=FULL", false, 555),
            ("TO:a@example.org", false, 501),
            ("FROM:<a@example.org>", false, 501),
        ];
        for (args, smtputf8, want) in table {
            let got = read(args.as_bytes(), *smtputf8, true);
            let got = got.map_or_else(|refusal| refusal.code.code(), |_| 250);
            assert_eq!(got, *want, "{args:?}");
        }
        let after_helo = read(b"TO:<a@example.org> NOTIFY=NEVER", false, false);
        assert_eq!(after_helo.expect_err("HELO knows no parameters").code.code(), 555);
    }
}
