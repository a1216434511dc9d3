//! `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF` (RFC 5321 §4.1.1.2), with SIZE (RFC 1870), BODY
//! (RFC 6152), SMTPUTF8 (RFC 6531) and AUTH (RFC 4954 §5).

use mail::address::Utf8;
use mail::path::reverse_path;

use crate::params;
use crate::refusal::{Refusal, codes};
use crate::session::{Flavour, Session, Stage};
use crate::steps::{AskSender, BodyType, MailFrom, Step};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    match session.stage {
        Stage::Fresh => return session.sequence("Greet first: EHLO and your name (LHLO for LMTP)"),
        Stage::Open(_) | Stage::Chunking(..) => {
            return session.sequence("One message at a time: finish this one or send RSET");
        }
        Stage::Greeted => {}
    }
    if let Some(refusal) = must_sign_in(&session) {
        return session.error(&refusal);
    }
    let extended = session.hello().is_some_and(|hello| hello.extended);
    match read(args, extended, session.setup().max_message_bytes) {
        Ok(mail) => Step::Sender(AskSender { session, mail }),
        Err(refusal) => session.refused(&refusal),
    }
}

/// RFC 6409 §4.3: submission asks who it is, and before that for TLS.
fn must_sign_in<P>(session: &Session<P>) -> Option<Refusal> {
    if session.setup().flavour != Flavour::Submission || session.signed_in() {
        return None;
    }
    let text = if session.shared.secured || session.setup().insecure_auth {
        "Sign in first: AUTH PLAIN or LOGIN"
    } else {
        "Begin TLS with STARTTLS (or use port 465), then sign in"
    };
    Some(Refusal::new(codes::AUTH_REQUIRED, text))
}

fn read(args: &[u8], extended: bool, max_message_bytes: u64) -> Result<MailFrom, Refusal> {
    let path = super::after_keyword(args, "FROM:")
        .ok_or_else(|| Refusal::new(codes::BAD_ARGUMENTS, "Write MAIL FROM:<address>"))?;
    // SMTPUTF8 stands behind the path, so the path is read with UTF-8 first and held to the parameter afterwards.
    let parsed = reverse_path(path, Utf8::Allowed)
        .map_err(|fault| Refusal::new(codes::BAD_SENDER, format!("The sender cannot be read: {fault}")))?;
    if parsed.source_route {
        let text = "Source routes are not taken: write the sender's address alone";
        return Err(Refusal::new(codes::BAD_SENDER, text));
    }
    let mut mail = MailFrom {
        reverse_path: parsed.path,
        size_bytes: None,
        body: BodyType::SevenBit,
        smtputf8: false,
    };
    let parameters = params::parse(parsed.rest)?;
    if !extended && !parameters.is_empty() {
        return Err(params::unknown(parameters[0].keyword));
    }
    for param in parameters {
        apply(&mut mail, param, max_message_bytes)?;
    }
    let path_bytes = &path[..path.len() - parsed.rest.len()];
    if !mail.smtputf8 && !path_bytes.is_ascii() {
        return Err(Refusal::new(
            codes::NEEDS_UTF8,
            "The sender's address needs the parameter SMTPUTF8",
        ));
    }
    Ok(mail)
}

fn apply(mail: &mut MailFrom, param: params::Param<'_>, max_message_bytes: u64) -> Result<(), Refusal> {
    match (param.keyword.to_ascii_uppercase().as_str(), param.value) {
        ("SIZE", Some(value)) => {
            let size = size(value).ok_or_else(params::malformed)?;
            if size > max_message_bytes {
                let text =
                    format!("A message may have at most {max_message_bytes} octets: send a smaller one");
                return Err(Refusal::new(codes::TOO_LARGE, text));
            }
            mail.size_bytes = Some(size);
        }
        ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => mail.body = BodyType::SevenBit,
        ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => mail.body = BodyType::EightBitMime,
        ("BODY", Some(value)) if value.eq_ignore_ascii_case("BINARYMIME") => {
            return Err(Refusal::new(
                codes::UNKNOWN_PARAMETER,
                "BINARYMIME is not offered: send BODY=8BITMIME",
            ));
        }
        ("SMTPUTF8", None) => mail.smtputf8 = true,
        // RFC 4954 §5: a server that does not trust the client for it reads the value and treats it as <>.
        ("AUTH", Some(value)) if is_xtext(value) => {}
        ("SIZE" | "BODY" | "SMTPUTF8" | "AUTH", _) => return Err(params::malformed()),
        _ => return Err(params::unknown(param.keyword)),
    }
    Ok(())
}

/// `size-value = 1*20DIGIT` (RFC 1870 §4). What does not fit 64 bits is larger than any limit.
fn size(value: &str) -> Option<u64> {
    let digits = value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

/// `xtext = *( xchar / hexchar )`, `hexchar = "+" 2(%x30-39 / %x41-46)` (RFC 3461 §4).
fn is_xtext(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let ok = match byte {
            b'+' => (0..2).all(|_| {
                bytes
                    .next()
                    .is_some_and(|hex| matches!(hex, b'0'..=b'9' | b'A'..=b'F'))
            }),
            other => other.is_ascii_graphic() && other != b'=',
        };
        if !ok {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_parameters_are_held_to_what_is_offered() {
        let table: &[(&str, u16)] = &[
            ("FROM:<>", 250),
            ("from:<a@example.org>", 250),
            ("FROM: <a@example.org>", 250),
            ("FROM:<a@example.org> SIZE=1000 BODY=8BITMIME", 250),
            ("FROM:<a@example.org> SMTPUTF8 AUTH=<>", 250),
            ("FROM:<a@example.org> AUTH=a+40b.c", 250),
            ("FROM:<j\u{fc}rgen@example.org> SMTPUTF8", 250),
            ("FROM:<j\u{fc}rgen@example.org>", 553),
            ("FROM:<a@example.org> SIZE=1001", 552),
            ("FROM:<a@example.org> SIZE=99999999999999999999", 552),
            ("FROM:<a@example.org> SIZE=999999999999999999999", 501),
            ("FROM:<a@example.org> SIZE=-1", 501),
            ("FROM:<a@example.org> SIZE", 501),
            ("FROM:<a@example.org> SMTPUTF8=yes", 501),
            ("FROM:<a@example.org> AUTH=a+4xb", 501),
            ("FROM:<a@example.org> BODY=BINARYMIME", 555),
            ("FROM:<a@example.org> RET=HDRS", 555),
            ("FROM:<a@example.org>SIZE=1", 501),
            ("FROM:a@example.org", 501),
            ("FROM:<a@b@example.org>", 501),
            ("FROM:<@x.example:a@example.org>", 501),
            ("FROM:<a@example.org.>", 501),
            ("TO:<a@example.org>", 501),
            ("", 501),
        ];
        for (args, want) in table {
            let got = read(args.as_bytes(), true, 1000).map_or_else(|refusal| refusal.code.code(), |_| 250);
            assert_eq!(got, *want, "{args:?}");
        }
        assert_eq!(
            read(b"FROM:<>", true, 1).expect("the null path").reverse_path,
            mail::address::Path::Null
        );
        assert_eq!(
            read(b"FROM:<> SIZE=1", false, 10)
                .expect_err("HELO knows no parameters")
                .code
                .code(),
            555
        );
    }
}
