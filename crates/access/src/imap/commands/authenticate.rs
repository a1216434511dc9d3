//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959) with PLAIN and LOGIN.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::{self, Mechanism, Refusal, Step};
use imap::command::Authenticate;
use imap::frame::Progress;
use imap::out::Code;
use world::clock::Monotonic;

use super::login::{Outcome, check};
use crate::imap::io::Stop;
use crate::imap::session::Cx;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    authenticate: Authenticate,
    plaintext: bool,
    until: Monotonic,
) -> Result<Outcome, Stop> {
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
