//! Step 2: the SASL exchange of AUTH (RFC 4954 §4), with the directory as judge.

use directory::sasl::{self, Credentials, Mechanism};
use directory::{AuthFailure, Origin, SignedIn};
use smtp::frame::{Frame, command_line};
use smtp::limits::AUTH_LINE_BYTES;
use smtp::refusal::codes;
use smtp::{AskAuth, Refusal, Step};

use crate::talk::{Proof, Talk, Waited};
use crate::transaction::canonical;

/// Runs the exchange. `None` when the connection ended within it.
pub(crate) async fn run(talk: &mut Talk<'_>, mut ask: AskAuth<Proof>) -> Option<Step<Proof>> {
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
                    Response::Malformed => {
                        let text = "A response is one line of base64";
                        return Some(ask.refuse(&Refusal::new(codes::BAD_AUTH_RESPONSE, text)));
                    }
                    Response::TooLong => {
                        // Nobody knows where the line ends: nothing after it can be a command.
                        let refusal = Refusal::new(codes::LINE_TOO_LONG, "That response is too long");
                        return Some(Step::Close(Some(smtp::Reply::refuse(&refusal))));
                    }
                    Response::Gone => return None,
                }
            }
        }
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

async fn check(talk: &mut Talk<'_>, ask: AskAuth<Proof>, credentials: Credentials) -> Step<Proof> {
    let origin = Origin {
        door: talk.door.kind().name(),
        peer: canonical(talk.conn.peer().addr.ip()),
    };
    let (directory, guard) = (&talk.context.directory, &talk.context.guard);
    if !guard.may_sign_in(origin.peer) {
        let text = "Too many wrong passwords came from your address: wait ten minutes";
        return ask.refuse(&Refusal::new(codes::AUTH_NOT_NOW, text));
    }
    let checked: Result<SignedIn, AuthFailure> = directory
        .authenticate(&credentials.user, &credentials.password, origin)
        .await;
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
