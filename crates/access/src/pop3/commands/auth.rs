//! AUTH (RFC 5034) with PLAIN and SCRAM-SHA-256 (RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::{self, Mechanism, Refusal, Step};
use directory::scram::{self, ClientFirst};
use pop3::limits::AUTH_LINE_BYTES;
use pop3::{Code, Secret};
use world::clock::Monotonic;

use super::pass::{Outcome, check, judged, origin};
use crate::pop3::io::Stop;
use crate::pop3::session::Cx;

/// One exchange. `initial` is the initial response as sent; `=` is an empty one.
pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    mechanism: &str,
    initial: Option<Secret>,
    until: Monotonic,
) -> Result<Outcome, Stop> {
    if mechanism == scram::NAME && cx.ctx.directory.offers_scram() {
        return prove(cx, initial, until).await;
    }
    let Some(Mechanism::Plain) = Mechanism::named(mechanism) else {
        return Ok(Outcome::Wrong("This mechanism is not offered"));
    };
    let initial = initial.as_ref().map(|initial| initial.expose().as_bytes());
    let mut step = sasl::start(Mechanism::Plain, initial);
    loop {
        match step {
            Step::Done(credentials) => return Ok(check(cx, &credentials.user, &credentials.password).await),
            Step::Refused(refusal) => return Ok(refused(refusal)),
            Step::Challenge(challenge, exchange) => {
                cx.io.out.challenge(challenge);
                let Ok(line) = cx.io.line(AUTH_LINE_BYTES, until).await? else {
                    return Ok(refused(Refusal::TooLong));
                };
                step = exchange.respond(&line);
            }
        }
    }
}

/// SCRAM: the client proves that it knows the password, then the server that it knows the keys; `+OK` carries no data, so the server's
/// proof is a challenge of its own (RFC 5802 §5).
async fn prove(cx: &mut Cx<'_, '_>, initial: Option<Secret>, until: Monotonic) -> Result<Outcome, Stop> {
    let origin = match origin(cx) {
        Ok(origin) => origin,
        Err(outcome) => return Ok(outcome),
    };
    let first = match initial {
        Some(initial) => decoded(initial.expose().as_bytes()),
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
        Refusal::ActingForAnother => Outcome::Refused(Code::Auth, refusal.sentence()),
        refusal => Outcome::Wrong(refusal.sentence()),
    }
}

/// Sends a challenge and decodes the answer.
async fn ask(
    cx: &mut Cx<'_, '_>,
    challenge: &[u8],
    until: Monotonic,
) -> Result<Result<Vec<u8>, Refusal>, Stop> {
    cx.io.out.challenge(&STANDARD.encode(challenge));
    let Ok(line) = cx.io.line(AUTH_LINE_BYTES, until).await? else {
        return Ok(Err(Refusal::TooLong));
    };
    match line == b"*" {
        true => Ok(Err(Refusal::Cancelled)),
        false => Ok(decoded(&line)),
    }
}

fn decoded(line: &[u8]) -> Result<Vec<u8>, Refusal> {
    match line {
        b"=" => Ok(Vec::new()),
        line => STANDARD.decode(line).map_err(|_| Refusal::NotBase64),
    }
}
