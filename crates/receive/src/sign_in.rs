//! Step 2: the SASL exchange of AUTH (RFC 4954 §4), with the directory as judge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::{self, Credentials, Mechanism};
use directory::scram::{self, ClientFirst};
use directory::{AuthFailure, Origin, SignedIn};
use smtp::frame::{Frame, command_line};
use smtp::limits::AUTH_LINE_BYTES;
use smtp::refusal::codes;
use smtp::{AskAuth, Refusal, Step};

use crate::talk::{Proof, Talk, Waited};
use crate::transaction::canonical;

/// Runs the exchange. `None` when the connection ended within it.
pub(crate) async fn run(talk: &mut Talk<'_>, mut ask: AskAuth<Proof>) -> Option<Step<Proof>> {
    if ask.mechanism().eq_ignore_ascii_case(scram::NAME) && talk.context.directory.offers_scram() {
        return prove(talk, ask).await;
    }
    let Some(mechanism) = Mechanism::named(ask.mechanism()) else {
        let text = "That mechanism is not offered: use AUTH PLAIN or LOGIN";
        return Some(ask.refuse(&Refusal::new(codes::UNKNOWN_MECHANISM, text)));
    };
    let initial = ask.take_initial();
    let mut step = sasl::start(mechanism, initial.as_deref());
    loop {
        match step {
            sasl::Step::Done(credentials) => return Some(check(talk, ask, credentials).await),
            sasl::Step::Refused(refusal) => return Some(ask.refuse(&of_sasl(refusal))),
            sasl::Step::Challenge(challenge, exchange) => {
                talk.conn.write(ask.challenge(challenge).as_bytes());
                match response(talk).await {
                    Response::Line(line) => step = exchange.respond(&line),
                    other => return broken_off(ask, other),
                }
            }
        }
    }
}

/// SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, then the server that it knows the keys; 235 carries no
/// data, so the server's proof is a challenge of its own (RFC 4954 §4).
async fn prove(talk: &mut Talk<'_>, mut ask: AskAuth<Proof>) -> Option<Step<Proof>> {
    let origin = origin(talk);
    let (directory, guard) = (talk.context.directory.clone(), talk.context.guard.clone());
    if !guard.may_sign_in(origin.peer) {
        return Some(ask.refuse(&Refusal::new(codes::AUTH_NOT_NOW, TOO_MANY)));
    }
    let first = match ask.take_initial() {
        Some(initial) if initial == b"=" => Response::Line(Vec::new()),
        Some(initial) => Response::Line(initial),
        None => asked(talk, &ask, "").await,
    };
    let first = match decoded(first) {
        Ok(first) => first,
        Err(other) => return broken_off(ask, other),
    };
    let first = match ClientFirst::read(&first) {
        Ok(first) => first,
        Err(refusal) => return Some(ask.refuse(&of_sasl(refusal))),
    };
    let (challenge, claim) = directory.scram_begin(first);
    // Whoever was told a salt has tried a name: breaking off, or a proof that is none, counts as a wrong password does.
    let last = match decoded(asked(talk, &ask, &challenge).await) {
        Ok(last) => last,
        Err(other) => {
            guard.failed(origin.peer);
            return broken_off(ask, other);
        }
    };
    let (who, proof) = match directory.scram_finish(claim, &last, origin) {
        Ok(proved) => proved,
        Err(Ok(failure)) => return Some(judged(talk, ask, origin, Err(failure))),
        Err(Err(refusal)) => {
            guard.failed(origin.peer);
            return Some(ask.refuse(&of_sasl(refusal)));
        }
    };
    match decoded(asked(talk, &ask, &proof).await) {
        Ok(_) => Some(judged(talk, ask, origin, Ok(who))),
        Err(other) => broken_off(ask, other),
    }
}

/// Sends a challenge; the client's line.
async fn asked(talk: &mut Talk<'_>, ask: &AskAuth<Proof>, challenge: &str) -> Response {
    let reply = ask.challenge(&STANDARD.encode(challenge));
    talk.conn.write(reply.as_bytes());
    response(talk).await
}

/// The octets of a line in base64; `*` is no such line.
fn decoded(response: Response) -> Result<Vec<u8>, Response> {
    match response {
        Response::Line(line) => STANDARD.decode(line).map_err(|_| Response::Malformed),
        other => Err(other),
    }
}

/// The exchange ends without an answer to the question who it is.
fn broken_off(ask: AskAuth<Proof>, response: Response) -> Option<Step<Proof>> {
    match response {
        Response::Line(_) | Response::Malformed => {
            let text = "A response is one line of base64";
            Some(ask.refuse(&Refusal::new(codes::BAD_AUTH_RESPONSE, text)))
        }
        Response::TooLong => {
            // Nobody knows where the line ends: nothing after it can be a command.
            let refusal = Refusal::new(codes::LINE_TOO_LONG, "That response is too long");
            Some(Step::Close(Some(smtp::Reply::refuse(&refusal))))
        }
        Response::Gone => None,
    }
}

enum Response {
    Line(Vec<u8>),
    Malformed,
    TooLong,
    Gone,
}

async fn response(talk: &mut Talk<'_>) -> Response {
    let deadline = talk.command_deadline();
    loop {
        match command_line(talk.conn.buffered(), AUTH_LINE_BYTES) {
            Frame::Line { line, consumed } => {
                let line = line.to_vec();
                talk.conn.consume(consumed);
                return Response::Line(line);
            }
            Frame::BadBytes { consumed } => {
                talk.conn.consume(consumed);
                return Response::Malformed;
            }
            Frame::BareLf | Frame::TooLong => return Response::TooLong,
            Frame::Incomplete => {}
        }
        if !matches!(talk.wait(deadline).await, Waited::More) {
            return Response::Gone;
        }
    }
}

const TOO_MANY: &str = "Too many wrong passwords came from your address: wait ten minutes";

fn origin(talk: &Talk<'_>) -> Origin {
    Origin {
        door: talk.door.kind().name(),
        peer: canonical(talk.conn.peer().addr.ip()),
    }
}

async fn check(talk: &mut Talk<'_>, ask: AskAuth<Proof>, credentials: Credentials) -> Step<Proof> {
    let origin = origin(talk);
    if !talk.context.guard.may_sign_in(origin.peer) {
        return ask.refuse(&Refusal::new(codes::AUTH_NOT_NOW, TOO_MANY));
    }
    let directory = &talk.context.directory;
    let checked = directory
        .authenticate(&credentials.user, &credentials.password, origin)
        .await;
    judged(talk, ask, origin, checked)
}

fn judged(
    talk: &mut Talk<'_>,
    ask: AskAuth<Proof>,
    origin: Origin,
    checked: Result<SignedIn, AuthFailure>,
) -> Step<Proof> {
    let guard = &talk.context.guard;
    match checked {
        Ok(user) => {
            guard.signed_in(origin.peer);
            talk.user = Some(user);
            ask.succeed()
        }
        Err(AuthFailure::Rejected) => {
            guard.failed(origin.peer);
            let text = "Name or password are wrong: check both and try again";
            ask.refuse(&Refusal::new(codes::AUTH_FAILED, text))
        }
        Err(AuthFailure::TryLater) => {
            let text = "Too many are signing in just now: please try again in a moment";
            ask.refuse(&Refusal::new(codes::AUTH_NOT_NOW, text))
        }
    }
}

fn of_sasl(refusal: sasl::Refusal) -> Refusal {
    let code = match refusal {
        sasl::Refusal::Cancelled | sasl::Refusal::NotBase64 | sasl::Refusal::Malformed => {
            codes::BAD_AUTH_RESPONSE
        }
        sasl::Refusal::TooLong => codes::LINE_TOO_LONG,
        sasl::Refusal::ActingForAnother => codes::AUTH_FAILED,
    };
    Refusal::new(code, refusal.sentence())
}
