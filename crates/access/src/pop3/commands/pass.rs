//! PASS (RFC 1939 §7), and what is answered to a sign-in of any kind that is refused.

use directory::Password;
use pop3::Code;

use crate::pop3::session::Cx;
use crate::sign_in::{Applicant, No, Outcome};

pub(crate) async fn check(cx: &mut Cx<'_, '_>, user: &str, password: &Password) -> Outcome {
    applicant(cx).check(user, password).await
}

/// Who signs in at this door.
pub(crate) fn applicant<'s>(cx: &Cx<'s, '_>) -> Applicant<'s> {
    let door = if cx.plaintext { "pop3" } else { "pop3s" };
    Applicant::new(cx.ctx, door, cx.peer.addr.ip())
}

/// What the client's program is told.
pub(crate) const fn code(no: No) -> Code {
    match no {
        No::Rejected | No::ActingForAnother => Code::Auth,
        No::TryLater | No::Barred => Code::SysTemp,
    }
}
