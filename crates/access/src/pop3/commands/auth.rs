//! AUTH (RFC 5034) with PLAIN and SCRAM-SHA-256 (RFC 7677).

use directory::sasl::Mechanism;
use directory::scram;
use pop3::Secret;
use pop3::limits::AUTH_LINE_BYTES;
use world::clock::Monotonic;

use super::pass::applicant;
use crate::pop3::io::{Io, Stop};
use crate::pop3::session::Cx;
use crate::sign_in::{Asking, Outcome};

/// One exchange. `initial` is the initial response as sent; `=` is an empty one.
pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    mechanism: &str,
    initial: Option<Secret>,
    until: Monotonic,
) -> Result<Outcome, Stop> {
    let applicant = applicant(cx);
    let initial = initial.as_ref().map(Secret::expose);
    let scram = cx.ctx.directory.offers_scram();
    let mut asking = Challenges { io: cx.io, until };
    if mechanism == scram::NAME && scram {
        return applicant.prove(initial, &mut asking).await;
    }
    let plain = Mechanism::named(mechanism).filter(|named| *named == Mechanism::Plain);
    applicant.exchange(plain, initial, &mut asking).await
}

struct Challenges<'s, 'd> {
    io: &'s mut Io<'d>,
    until: Monotonic,
}

impl Asking for Challenges<'_, '_> {
    type Stop = Stop;

    async fn ask(&mut self, challenge: &str) -> Result<Option<Vec<u8>>, Stop> {
        self.io.out.challenge(challenge);
        let line = self.io.line(AUTH_LINE_BYTES, self.until).await?;
        Ok(line.ok())
    }

    fn is_ours(stop: &Stop) -> bool {
        matches!(stop, Stop::Shutdown)
    }
}
