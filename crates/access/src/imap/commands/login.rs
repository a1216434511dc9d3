//! LOGIN (RFC 3501 §6.2.3), and what is answered to a sign-in of any kind that is refused.

use directory::Password;
use imap::command::Login;
use imap::out::Code;

use crate::imap::session::Cx;
use crate::sign_in::{Applicant, No, Outcome};

pub(crate) async fn run(cx: &mut Cx<'_, '_>, login: &Login, plaintext: bool) -> Outcome {
    let (Ok(user), Ok(password)) = (
        std::str::from_utf8(&login.user),
        std::str::from_utf8(login.password.expose()),
    ) else {
        return Outcome::Refused(No::Rejected);
    };
    applicant(cx, plaintext)
        .check(user, &Password::new(password))
        .await
}

/// Who signs in at this door.
pub(crate) fn applicant<'s>(cx: &Cx<'s, '_>, plaintext: bool) -> Applicant<'s> {
    let door = if plaintext { "imap" } else { "imaps" };
    Applicant::new(cx.ctx, door, cx.peer.addr.ip())
}

/// What the client's program is told.
pub(crate) const fn code(no: No) -> Code<'static> {
    match no {
        No::Rejected => Code::AuthenticationFailed,
        No::ActingForAnother => Code::AuthorizationFailed,
        No::TryLater | No::Barred => Code::Unavailable,
    }
}
