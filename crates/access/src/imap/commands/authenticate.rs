//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959) with PLAIN, LOGIN and SCRAM-SHA-256 (RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::{self, Mechanism, Refusal, Step};
use directory::scram::{self, ClientFirst};
use imap::command::Authenticate;
use imap::frame::Progress;
use imap::out::Code;
use world::clock::Monotonic;

use super::login::{Outcome, check, judged, origin};
use crate::imap::io::Stop;
use crate::imap::session::Cx;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    authenticate: Authenticate,
    plaintext: bool,
    until: Monotonic,
) -> Result<Outcome, Stop> {
    if authenticate.mechanism == scram::NAME && cx.ctx.directory.offers_scram() {
        return prove(cx, authenticate, plaintext, until).await;
    }
    let Some(mechanism) = Mechanism::named(&authenticate.mechanism) else {
        return Ok(Outcome::Wrong("This mechanism is not offered"));
    };
    let initial = authenticate
        .initial
        .map(|initial| STANDARD.encode(initial.expose()));
    // "=" is how an empty initial response is written.
    let initial = initial.map(|line| if line.is_empty() { "=".to_owned() } else { line });
    let mut step = sasl::start(mechanism, initial.as_ref().map(String::as_bytes));
    loop {
        match step {
            Step::Done(credentials) => {
                return Ok(check(cx, &credentials.user, &credentials.password, plaintext).await);
            }
            Step::Refused(Refusal::ActingForAnother) => {
                return Ok(Outcome::Refused(
                    Code::AuthorizationFailed,
                    Refusal::ActingForAnother.sentence(),
                ));
            }
            Step::Refused(refusal) => return Ok(Outcome::Wrong(refusal.sentence())),
            Step::Challenge(challenge, exchange) => {
                if challenge.is_empty() {
                    cx.io.out.challenge(b"");
                } else {
                    cx.io.out.continuation(challenge);
                }
                cx.io.framer.expect_line();
                let Progress::Line(line) = cx.io.next(until).await? else {
                    return Ok(Outcome::Wrong("That line is too long"));
                };
                step = exchange.respond(&line);
            }
        }
    }
}

/// SCRAM: the client proves that it knows the password, then the server that it knows the keys; IMAP's `OK` carries no data, so
/// the server's proof is a challenge of its own (RFC 5802 §5).
async fn prove(
    cx: &mut Cx<'_, '_>,
    authenticate: Authenticate,
    plaintext: bool,
    until: Monotonic,
) -> Result<Outcome, Stop> {
    let origin = match origin(cx, plaintext) {
        Ok(origin) => origin,
        Err(outcome) => return Ok(outcome),
    };
    let first = match authenticate.initial {
        Some(initial) => Ok(initial.expose().to_vec()),
        None => ask(cx, b"", until).await?,
    };
    let first = match first.and_then(|first| ClientFirst::read(&first)) {
        Ok(first) => first,
        Err(refusal) => return Ok(refused(refusal)),
    };
    let (challenge, claim) = cx.ctx.directory.scram_begin(first);
    // Whoever was told a salt has tried a name: breaking off, or a proof that is none, counts as a wrong password does.
    let last = match ask(cx, challenge.as_bytes(), until).await {
        Ok(Ok(last)) => last,
        broken_off => {
            if !matches!(broken_off, Err(Stop::Shutdown)) {
                cx.ctx.guard.failed(origin.peer);
            }
            return broken_off.map(|said| said.map_or_else(refused, |_| refused(Refusal::Malformed)));
        }
    };
    let (who, proof) = match cx.ctx.directory.scram_finish(claim, &last, origin) {
        Ok(proved) => proved,
        Err(Ok(failure)) => return Ok(judged(cx, origin, Err(failure))),
        Err(Err(refusal)) => {
            cx.ctx.guard.failed(origin.peer);
            return Ok(refused(refusal));
        }
    };
    match ask(cx, proof.as_bytes(), until).await? {
        Ok(_) => Ok(judged(cx, origin, Ok(who))),
        Err(refusal) => Ok(refused(refusal)),
    }
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::ActingForAnother => Outcome::Refused(Code::AuthorizationFailed, refusal.sentence()),
        refusal => Outcome::Wrong(refusal.sentence()),
    }
}

/// Sends a challenge and decodes the answer.
async fn ask(
    cx: &mut Cx<'_, '_>,
    challenge: &[u8],
    until: Monotonic,
) -> Result<Result<Vec<u8>, Refusal>, Stop> {
    cx.io.out.challenge(challenge);
    cx.io.framer.expect_line();
    let Progress::Line(line) = cx.io.next(until).await? else {
        return Ok(Err(Refusal::TooLong));
    };
    if line == b"*" {
        return Ok(Err(Refusal::Cancelled));
    }
    Ok(STANDARD.decode(&line).map_err(|_| Refusal::NotBase64))
}
