//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959) with PLAIN, LOGIN and SCRAM-SHA-256 (RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::Mechanism;
use directory::scram;
use imap::command::Authenticate;
use imap::frame::Progress;
use world::clock::Monotonic;

use super::login::applicant;
use crate::imap::io::{Io, Stop};
use crate::imap::session::Cx;
use crate::sign_in::{Asking, Outcome};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    authenticate: Authenticate,
    plaintext: bool,
    until: Monotonic,
) -> Result<Outcome, Stop> {
    let applicant = applicant(cx, plaintext);
    let initial = authenticate
        .initial
        .map(|initial| STANDARD.encode(initial.expose()));
    // "=" is how an empty initial response is written.
    let initial = initial.map(|line| if line.is_empty() { "=".to_owned() } else { line });
    let (mechanism, scram) = (&authenticate.mechanism, cx.ctx.directory.offers_scram());
    let mut asking = Challenges { io: cx.io, until };
    if mechanism == scram::NAME && scram {
        return applicant.prove(initial.as_deref(), &mut asking).await;
    }
    let mechanism = Mechanism::named(mechanism);
    applicant
        .exchange(mechanism, initial.as_deref(), &mut asking)
        .await
}

struct Challenges<'s, 'd> {
    io: &'s mut Io<'d>,
    until: Monotonic,
}

impl Asking for Challenges<'_, '_> {
    type Stop = Stop;

    async fn ask(&mut self, challenge: &str) -> Result<Option<Vec<u8>>, Stop> {
        self.io.out.challenge(challenge);
        self.io.framer.expect_line();
        match self.io.next(self.until).await? {
            Progress::Line(line) => Ok(Some(line)),
            _ => Ok(None),
        }
    }

    fn is_ours(stop: &Stop) -> bool {
        matches!(stop, Stop::Shutdown)
    }
}
