//! LOGIN (RFC 3501 §6.2.3), and what follows a sign-in of any kind. A refusal costs and says the same whatever the reason was.

use directory::{AuthFailure, Origin, Password, SignedIn};
use imap::command::Login;
use imap::out::Code;
use world::net::Peer;

use crate::events::AccessEvent;
use crate::imap::Context;
use crate::imap::io::{Io, Stop};
use crate::imap::session::{Cx, Next, Reading};
use crate::limits::{SIGN_IN_PAUSE, SIGN_INS};

/// What became of a sign-in.
pub(crate) enum Outcome {
    Welcome(SignedIn),
    /// `NO`
    Refused(Code<'static>, &'static str),
    /// `BAD`
    Wrong(&'static str),
}

pub(crate) async fn run(cx: &mut Cx<'_, '_>, login: &Login, plaintext: bool) -> Result<Outcome, Stop> {
    let (Ok(user), Ok(password)) = (
        std::str::from_utf8(&login.user),
        std::str::from_utf8(login.password.expose()),
    ) else {
        return Ok(Outcome::Refused(Code::AuthenticationFailed, REJECTED));
    };
    Ok(check(cx, user, &Password::new(password), plaintext).await)
}

const REJECTED: &str = "Wrong user name or password";

/// Asks the directory.
pub(crate) async fn check(cx: &mut Cx<'_, '_>, user: &str, password: &Password, plaintext: bool) -> Outcome {
    let origin = match origin(cx, plaintext) {
        Ok(origin) => origin,
        Err(outcome) => return outcome,
    };
    let said = cx.ctx.directory.authenticate(user, password, origin).await;
    judged(cx, origin, said)
}

/// Where the sign-in comes from, unless nobody may sign in from there now.
pub(crate) fn origin(cx: &Cx<'_, '_>, plaintext: bool) -> Result<Origin, Outcome> {
    let origin = Origin {
        door: if plaintext { "imap" } else { "imaps" },
        peer: cx.peer.addr.ip(),
    };
    if cx.ctx.guard.may_sign_in(origin.peer) {
        return Ok(origin);
    }
    Err(Outcome::Refused(
        Code::Unavailable,
        "Too many wrong passwords came from your address; wait ten minutes",
    ))
}

/// Counts the outcome, and words it.
pub(crate) fn judged(cx: &Cx<'_, '_>, origin: Origin, said: Result<SignedIn, AuthFailure>) -> Outcome {
    let guard = &cx.ctx.guard;
    match said {
        Ok(who) => {
            guard.signed_in(origin.peer);
            Outcome::Welcome(who)
        }
        Err(AuthFailure::Rejected) => {
            guard.failed(origin.peer);
            Outcome::Refused(Code::AuthenticationFailed, REJECTED)
        }
        Err(AuthFailure::TryLater) => Outcome::Refused(
            Code::Unavailable,
            "Too many people are signing in; try again in a moment",
        ),
    }
}

/// Says no after a pause that grows; ends the connection after [`SIGN_INS`] refusals.
pub(crate) async fn refuse(
    ctx: &Context,
    io: &mut Io<'_>,
    peer: Peer,
    answer: Reading,
    (code, text): (Code<'static>, &'static str),
    refusals: u32,
) -> Result<Next, Stop> {
    io.pause(SIGN_IN_PAUSE * refusals).await?;
    answer.no(&mut io.out, Some(code), text);
    if refusals < SIGN_INS {
        return Ok(Next::Go);
    }
    io.out.bye(None, "Too many refused sign-ins");
    ctx.events.emit(&AccessEvent::TooManyErrors {
        peer: peer.addr.ip(),
        what: "too many refused sign-ins",
    });
    Ok(Next::Close)
}
