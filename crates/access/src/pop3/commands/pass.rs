//! PASS (RFC 1939 §7), and what follows a sign-in of any kind. A refusal costs and says the same whatever the reason was.

use directory::{AuthFailure, Origin, Password, SignedIn};
use pop3::Code;

use crate::pop3::session::Cx;

/// What became of a sign-in.
pub(crate) enum Outcome {
    Welcome(SignedIn),
    /// Counts against the connection, after a pause.
    Refused(Code, &'static str),
    /// The exchange itself was at fault.
    Wrong(&'static str),
}

/// Asks the directory.
pub(crate) async fn check(cx: &mut Cx<'_, '_>, user: &str, password: &Password) -> Outcome {
    let origin = match origin(cx) {
        Ok(origin) => origin,
        Err(outcome) => return outcome,
    };
    let said = cx.ctx.directory.authenticate(user, password, origin).await;
    judged(cx, origin, said)
}

/// Where the sign-in comes from, unless nobody may sign in from there now.
pub(crate) fn origin(cx: &Cx<'_, '_>) -> Result<Origin, Outcome> {
    let origin = Origin {
        door: if cx.plaintext { "pop3" } else { "pop3s" },
        peer: cx.peer.addr.ip(),
    };
    if cx.ctx.guard.may_sign_in(origin.peer) {
        return Ok(origin);
    }
    Err(Outcome::Refused(
        Code::SysTemp,
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
            Outcome::Refused(Code::Auth, "Wrong user name or password")
        }
        Err(AuthFailure::TryLater) => Outcome::Refused(
            Code::SysTemp,
            "Too many people are signing in; try again in a moment",
        ),
    }
}
