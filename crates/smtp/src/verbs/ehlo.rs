//! `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF` (RFC 5321 §4.1.1.1).

use mail::date::DateTime;

use crate::limits::{DELIVER_BY_SECONDS, HELLO_NAME_BYTES, HOLD_SECONDS};
use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::{Flavour, Hello, HelloName, Session, Stage};
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if session.is_lmtp() {
        // RFC 2033 §4.1: an LMTP server has neither HELO nor EHLO.
        return session.error(&Refusal::new(
            codes::UNKNOWN_COMMAND,
            "This door speaks LMTP: begin with LHLO",
        ));
    }
    greet(session, args, true)
}

/// Takes the name; ends any transaction (RFC 5321 §4.1.4) and lists what is offered.
pub(super) fn greet<P>(session: Session<P>, args: &[u8], extended: bool) -> Step<P> {
    let Some(name) = name(args) else {
        let text = "Name yourself with one word of visible letters: a host name or an address literal";
        return session.error(&Refusal::new(codes::BAD_ARGUMENTS, text));
    };
    let again = session.hello().is_some();
    let take = |mut session: Session<P>| {
        session.shared.hello = Some(Hello { name, extended });
        let session = session.at(Stage::Greeted);
        let lines = if extended {
            offers(&session)
        } else {
            vec![session.setup().host_name.clone()]
        };
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let reply = Reply::plain(250, &lines);
        Step::Answer(session, reply)
    };
    if again {
        session.count_idle(take)
    } else {
        take(session)
    }
}

/// Odd but legal names are taken: underscores, bare addresses, one label. Control characters, spaces and what is not
/// UTF-8 are not (threat case SMT-8).
fn name(args: &[u8]) -> Option<HelloName> {
    let text = std::str::from_utf8(args).ok()?.trim_matches(' ');
    let legal = !text.is_empty()
        && text.len() <= HELLO_NAME_BYTES
        && !text.contains(|letter: char| letter.is_control() || letter.is_whitespace());
    legal.then(|| HelloName::checked(text.to_owned()))
}

fn offers<P>(session: &Session<P>) -> Vec<String> {
    let setup = session.setup();
    let secured = session.shared.secured;
    let mut lines = vec![
        setup.host_name.clone(),
        "PIPELINING".to_owned(),
        format!("SIZE {}", setup.max_message_bytes),
        "8BITMIME".to_owned(),
        "SMTPUTF8".to_owned(),
        "CHUNKING".to_owned(),
        "ENHANCEDSTATUSCODES".to_owned(),
        "DSN".to_owned(),
    ];
    if setup.flavour == Flavour::Submission {
        lines.push(format!("DELIVERBY {DELIVER_BY_SECONDS}"));
    }
    if let Some(last) = session.hold_until_at_most() {
        lines.push(format!("FUTURERELEASE {HOLD_SECONDS} {}", moment(last)));
    }
    if setup.starttls && !secured {
        lines.push("STARTTLS".to_owned());
    }
    if secured {
        // RFC 8689 §2: after TLS only.
        lines.push("REQUIRETLS".to_owned());
    }
    let may_sign_in = setup.flavour == Flavour::Submission && (secured || setup.insecure_auth);
    if may_sign_in && !session.signed_in() {
        let scram = if session.shared.scram {
            " SCRAM-SHA-256"
        } else {
            ""
        };
        lines.push(format!("AUTH PLAIN LOGIN{scram}"));
    }
    lines.extend(setup.sender.iter().map(|sender| format!("XSENDER {sender}")));
    lines.push("HELP".to_owned());
    lines
}

/// RFC 3339, in UTC.
fn moment(unix_s: u64) -> String {
    let ms = i64::try_from(unix_s).unwrap_or(i64::MAX).saturating_mul(1000);
    DateTime::from_unix_ms(ms, 0).to_rfc3339()
}
