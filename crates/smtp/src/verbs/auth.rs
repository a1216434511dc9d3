//! `auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF` (RFC 4954 §4). The mechanism itself is the driver's.

use crate::refusal::{Refusal, codes};
use crate::session::{Flavour, Session, Stage};
use crate::steps::{AskAuth, Step};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if session.setup().flavour != Flavour::Submission {
        let text = "Nobody signs in at this door: users send by port 465 or 587";
        return session.error(&Refusal::new(codes::NOT_OFFERED, text));
    }
    match session.stage {
        Stage::Fresh => return session.sequence("Greet first: EHLO and your name"),
        Stage::Open(_) | Stage::Chunking(..) => {
            return session.sequence("Not within a message: finish it or send RSET");
        }
        Stage::Greeted => {}
    }
    if session.signed_in() {
        return session.sequence("You have signed in already: go on");
    }
    if !session.shared.secured && !session.setup().insecure_auth {
        // The password may be on the wire already: say so (threat case REL-6).
        let text = "Begin TLS first (STARTTLS, or port 465). If you sent a password without it, others may have read it: change it";
        return session.error(&Refusal::new(codes::TLS_REQUIRED, text));
    }
    match read(args) {
        Some((mechanism, initial)) => Step::Auth(AskAuth {
            session,
            mechanism,
            initial,
        }),
        None => session.error(&Refusal::new(
            codes::BAD_ARGUMENTS,
            "Write AUTH PLAIN or AUTH LOGIN",
        )),
    }
}

/// `sasl-mech = 1*20mech-char` (RFC 4422 §3.1).
fn read(args: &[u8]) -> Option<(String, Option<Vec<u8>>)> {
    let text = std::str::from_utf8(args).ok()?;
    let (mechanism, initial) = match text.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial)),
        None => (text, None),
    };
    let named = (1..=20).contains(&mechanism.len())
        && mechanism
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let initial = initial
        .filter(|initial| !initial.is_empty())
        .map(|initial| initial.as_bytes().to_vec());
    named.then(|| (mechanism.to_owned(), initial))
}
