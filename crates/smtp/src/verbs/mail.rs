//! `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF` (RFC 5321 §4.1.1.2), with SIZE (RFC 1870), BODY
//! (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954 §5), RET and ENVID (RFC 3461 §4.3, §4.4), and for submission HOLDFOR and
//! HOLDUNTIL (RFC 4865 §3) and BY (RFC 2852 §4); inside TLS REQUIRETLS (RFC 8689 §2).

use mail::address::Utf8;
use mail::path::reverse_path;

use crate::dsn::{EnvId, Ret};
use crate::limits::{DELIVER_BY_SECONDS, HOLD_SECONDS};
use crate::params;
use crate::refusal::{Refusal, codes};
use crate::session::{Flavour, Session, Stage};
use crate::steps::{AskSender, BodyType, MailFrom, Step};
use crate::timing::{DeliverBy, DeliverByMode, Hold};
use crate::xtext;

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
    let offered = Offered {
        max_message_bytes: session.setup().max_message_bytes,
        deliver_by: session.setup().flavour == Flavour::Submission,
        hold_until: session.hold_until_at_most(),
        requiretls: session.shared.secured,
    };
    match read(args, extended, offered) {
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

/// What the parameters are held to.
#[derive(Debug, Clone, Copy)]
struct Offered {
    max_message_bytes: u64,
    deliver_by: bool,
    /// the last moment of HOLDUNTIL, in seconds since 1970, where holding is offered
    hold_until: Option<u64>,
    requiretls: bool,
}

fn read(args: &[u8], extended: bool, offered: Offered) -> Result<MailFrom, Refusal> {
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
        ret: None,
        envid: None,
        hold: None,
        deliver_by: None,
        requiretls: false,
    };
    let parameters = params::parse(parsed.rest)?;
    if !extended && !parameters.is_empty() {
        return Err(params::unknown(parameters[0].keyword));
    }
    for param in parameters {
        apply(&mut mail, param, offered)?;
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

fn apply(mail: &mut MailFrom, param: params::Param<'_>, offered: Offered) -> Result<(), Refusal> {
    match (param.keyword.to_ascii_uppercase().as_str(), param.value) {
        ("SIZE", Some(value)) => {
            mail.size_bytes = Some(fitting(value, offered.max_message_bytes)?);
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
        ("AUTH", Some(value)) if xtext::decode(value).is_some() => {}
        ("RET", Some(value)) => mail.ret = Some(Ret::parse(value).ok_or_else(params::malformed)?),
        ("ENVID", Some(value)) => mail.envid = Some(EnvId::parse(value).ok_or_else(params::malformed)?),
        ("HOLDFOR" | "HOLDUNTIL", _) if offered.hold_until.is_none() => {
            return Err(params::unknown(param.keyword));
        }
        ("HOLDFOR", Some(value)) => hold(mail, Hold::parse_for(value), offered)?,
        ("HOLDUNTIL", Some(value)) => hold(mail, Hold::parse_until(value), offered)?,
        ("BY", Some(value)) if offered.deliver_by => {
            mail.deliver_by = Some(deliver_by(
                DeliverBy::parse(value).ok_or_else(params::malformed)?,
            )?);
        }
        ("REQUIRETLS", None) if offered.requiretls => mail.requiretls = true,
        ("REQUIRETLS", Some(_)) if offered.requiretls => return Err(params::malformed()),
        ("SIZE" | "BODY" | "SMTPUTF8" | "AUTH" | "RET" | "ENVID" | "HOLDFOR" | "HOLDUNTIL", _) => {
            return Err(params::malformed());
        }
        ("BY", None) if offered.deliver_by => return Err(params::malformed()),
        _ => return Err(params::unknown(param.keyword)),
    }
    Ok(())
}

fn fitting(value: &str, max_message_bytes: u64) -> Result<u64, Refusal> {
    let size = size(value).ok_or_else(params::malformed)?;
    if size > max_message_bytes {
        let text = format!("A message may have at most {max_message_bytes} octets: send a smaller one");
        return Err(Refusal::new(codes::TOO_LARGE, text));
    }
    Ok(size)
}

/// One of the two, once, and not beyond what was announced. A moment that has passed holds nothing.
fn hold(mail: &mut MailFrom, asked: Option<Hold>, offered: Offered) -> Result<(), Refusal> {
    let asked = asked.ok_or_else(params::malformed)?;
    if mail.hold.is_some() {
        let text = "HOLDFOR and HOLDUNTIL exclude each other: write one of them";
        return Err(Refusal::new(codes::BAD_ARGUMENTS, text));
    }
    let too_long = match asked {
        Hold::For(seconds) => u64::from(seconds) > HOLD_SECONDS,
        Hold::Until(moment) => offered.hold_until.is_none_or(|last| moment > last),
    };
    if too_long {
        let text = format!("A message is held for at most {HOLD_SECONDS} seconds: choose an earlier time");
        return Err(Refusal::new(codes::BAD_ARGUMENTS, text));
    }
    mail.hold = Some(asked);
    Ok(())
}

/// With mode R a time that is over, or nearly, can only be missed.
fn deliver_by(asked: DeliverBy) -> Result<DeliverBy, Refusal> {
    let too_soon = asked.seconds <= 0 || asked.seconds.unsigned_abs() < DELIVER_BY_SECONDS;
    if asked.mode == DeliverByMode::Return && too_soon {
        let text = format!("BY with R needs at least {DELIVER_BY_SECONDS} seconds: give more time, or use N");
        return Err(Refusal::new(codes::BAD_ARGUMENTS, text));
    }
    Ok(asked)
}

/// `size-value = 1*20DIGIT` (RFC 1870 §4). What does not fit 64 bits is larger than any limit.
fn size(value: &str) -> Option<u64> {
    let digits = value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: Offered = Offered {
        max_message_bytes: 1000,
        deliver_by: false,
        hold_until: None,
        requiretls: false,
    };
    /// In November 2026; seven days later is the last moment.
    const SUBMISSION: Offered = Offered {
        max_message_bytes: 1000,
        deliver_by: true,
        hold_until: Some(1_795_671_000 + HOLD_SECONDS),
        requiretls: true,
    };

    fn code(args: &str, offered: Offered) -> u16 {
        read(args.as_bytes(), true, offered).map_or_else(|refusal| refusal.code.code(), |_| 250)
    }

    #[test]
    fn holding_and_deadlines_are_for_submission_within_what_is_announced() {
        let table: &[(&str, u16, u16)] = &[
            ("HOLDFOR=60", 250, 555),
            ("holdfor=604800", 250, 555),
            ("HOLDFOR=604801", 501, 555),
            ("HOLDFOR=0", 501, 555),
            ("HOLDFOR=9999999999", 501, 555),
            ("HOLDFOR", 501, 555),
            ("HOLDUNTIL=2026-11-26T06:00:00Z", 250, 555),
            ("HOLDUNTIL=2026-12-03T05:30:00Z", 250, 555),
            ("HOLDUNTIL=2026-12-03T05:30:01Z", 501, 555),
            ("HOLDUNTIL=2020-01-01T00:00:00Z", 250, 555),
            ("HOLDUNTIL=tomorrow", 501, 555),
            ("HOLDUNTIL", 501, 555),
            ("HOLDFOR=60 HOLDUNTIL=2026-11-26T06:00:00Z", 501, 555),
            ("HOLDFOR=60 HOLDFOR=60", 501, 501),
            ("BY=60;R", 250, 555),
            ("BY=59;R", 501, 555),
            ("BY=0;R", 501, 555),
            ("BY=-60;R", 501, 555),
            ("BY=-60;NT", 250, 555),
            ("by=+600;rt", 250, 555),
            ("BY=600", 501, 555),
            ("BY", 501, 555),
        ];
        for (parameters, submission, relay) in table {
            let args = format!("FROM:<a@example.org> {parameters}");
            assert_eq!(code(&args, SUBMISSION), *submission, "{args:?}");
            assert_eq!(code(&args, RELAY), *relay, "{args:?}");
        }
    }

    #[test]
    fn tls_12_requiretls_is_taken_inside_tls_only() {
        let table = [
            ("FROM:<a@example.org> REQUIRETLS", 250, 555),
            ("FROM:<> requiretls", 250, 555),
            ("FROM:<a@example.org> REQUIRETLS=yes", 501, 555),
            ("FROM:<a@example.org> REQUIRETLS REQUIRETLS", 501, 501),
        ];
        let inside = Offered {
            requiretls: true,
            ..RELAY
        };
        for (args, secured, plain) in table {
            assert_eq!(
                (code(args, inside), code(args, RELAY)),
                (secured, plain),
                "{args}"
            );
        }
    }

    #[test]
    fn what_was_asked_for_is_kept() {
        let args = b"FROM:<a@example.org> RET=HDRS ENVID=a+20b HOLDFOR=60 BY=120;R";
        let mail = read(args, true, SUBMISSION).expect("all of it is offered");
        assert_eq!(mail.ret, Some(Ret::Headers));
        assert_eq!(mail.envid.as_ref().map(EnvId::as_str), Some("a b"));
        assert_eq!(mail.hold, Some(Hold::For(60)));
        let by = mail.deliver_by.map(|by| (by.seconds, by.mode));
        assert_eq!(by, Some((120, DeliverByMode::Return)));
    }

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
            ("FROM:<a@example.org> AUTH=a+FF", 501),
            ("FROM:<a@example.org> RET=HDRS", 250),
            ("FROM:<a@example.org> ret=full ENVID=QQ+2B1", 250),
            ("FROM:<a@example.org> RET=ALL", 501),
            ("FROM:<a@example.org> RET", 501),
            ("FROM:<a@example.org> RET=FULL RET=HDRS", 501),
            ("FROM:<a@example.org> ENVID", 501),
            ("FROM:<a@example.org> ENVID=a+0Ab", 501),
            ("FROM:<a@example.org> ENVID=a+2b", 501),
            ("FROM:<a@example.org> X-OWN=1", 555),
            ("FROM:<a@example.org>SIZE=1", 501),
            ("FROM:a@example.org", 501),
            ("FROM:<a@b@example.org>", 501),
            ("FROM:<@x.example:a@example.org>", 501),
            ("FROM:<a@example.org.>", 501),
            ("TO:<a@example.org>", 501),
            ("", 501),
        ];
        for (args, want) in table {
            assert_eq!(code(args, RELAY), *want, "{args:?}");
        }
        assert_eq!(
            read(b"FROM:<>", true, RELAY).expect("the null path").reverse_path,
            mail::address::Path::Null
        );
        assert_eq!(
            read(b"FROM:<> SIZE=1", false, RELAY)
                .expect_err("HELO knows no parameters")
                .code
                .code(),
            555
        );
    }
}
