//! Signing in, whatever the door: by name and password, or by an exchange of SASL (PLAIN, LOGIN, SCRAM-SHA-256). A refusal costs and
//! says the same whatever the reason was. Each protocol brings [`Asking`] (how a challenge goes out and a line comes back) and words
//! [`Outcome`] its own way.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::sasl::{self, Mechanism, Refusal, Step};
use directory::scram::ClientFirst;
use directory::{AuthFailure, Origin, Password, SignedIn};

use crate::door::Doors;

/// What became of a sign-in.
pub(crate) enum Outcome {
    Welcome(SignedIn),
    /// Counts against the connection, after a pause.
    Refused(No),
    /// The exchange itself was at fault.
    Wrong(&'static str),
}

/// Why somebody may not sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum No {
    /// name or password; nobody learns which
    Rejected,
    /// wants to act for somebody else
    ActingForAnother,
    /// too many at once
    TryLater,
    /// too many wrong passwords came from there
    Barred,
}

impl No {
    /// One plain sentence for the peer.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Rejected => "Wrong user name or password",
            Self::ActingForAnother => Refusal::ActingForAnother.sentence(),
            Self::TryLater => "Too many people are signing in; try again in a moment",
            Self::Barred => "Too many wrong passwords came from your address; wait ten minutes",
        }
    }
}

/// How one protocol asks for the next line of an exchange.
pub(crate) trait Asking: Send {
    /// what ends a connection
    type Stop: Send;

    /// Sends a challenge, in base64, and waits for the line that answers it; `None` when it is longer than it may be.
    fn ask(&mut self, challenge: &str) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Stop>> + Send;

    /// Whether it is the server that ends the connection.
    fn is_ours(stop: &Self::Stop) -> bool;
}

/// Who signs in, from where.
pub(crate) struct Applicant<'c> {
    doors: &'c Doors,
    origin: Origin,
}

impl<'c> Applicant<'c> {
    /// `door` is its name in the log.
    pub(crate) fn new(doors: &'c Doors, door: &'static str, peer: IpAddr) -> Self {
        Self {
            doors,
            origin: Origin { door, peer },
        }
    }

    /// By name and password.
    pub(crate) async fn check(&self, user: &str, password: &Password) -> Outcome {
        if self.is_barred() {
            return Outcome::Refused(No::Barred);
        }
        let said = self
            .doors
            .directory
            .authenticate(user, password, self.origin)
            .await;
        self.judged(said)
    }

    /// By an exchange. `initial` is the initial response in base64; `=` is an empty one.
    pub(crate) async fn exchange<A: Asking>(
        &self,
        mechanism: Option<Mechanism>,
        initial: Option<&str>,
        asking: &mut A,
    ) -> Result<Outcome, A::Stop> {
        let Some(mechanism) = mechanism else {
            return Ok(Outcome::Wrong("This mechanism is not offered"));
        };
        let mut step = sasl::start(mechanism, initial.map(str::as_bytes));
        loop {
            match step {
                Step::Done(credentials) => {
                    return Ok(self.check(&credentials.user, &credentials.password).await);
                }
                Step::Refused(refusal) => return Ok(refused(refusal)),
                Step::Challenge(challenge, exchange) => {
                    let Some(line) = asking.ask(challenge).await? else {
                        return Ok(refused(Refusal::TooLong));
                    };
                    step = exchange.respond(&line);
                }
            }
        }
    }

    /// SCRAM: the client proves that it knows the password, then the server that it knows the keys. The last answer of these protocols
    /// carries no data, so the server's proof is a challenge of its own (RFC 5802 §5).
    pub(crate) async fn prove<A: Asking>(
        &self,
        initial: Option<&str>,
        asking: &mut A,
    ) -> Result<Outcome, A::Stop> {
        if self.is_barred() {
            return Ok(Outcome::Refused(No::Barred));
        }
        let first = match initial {
            Some(initial) => decoded(initial.as_bytes()),
            None => data(asking, b"").await?,
        };
        let first = match first.and_then(|first| ClientFirst::read(&first)) {
            Ok(first) => first,
            Err(refusal) => return Ok(refused(refusal)),
        };
        let (directory, guard) = (&self.doors.directory, &self.doors.guard);
        let (challenge, claim) = directory.scram_begin(first);
        // Whoever was told a salt has tried a name: breaking off, or a proof that is none, counts as a wrong password does.
        let last = match data(asking, challenge.as_bytes()).await {
            Ok(Ok(last)) => last,
            Ok(Err(refusal)) => {
                guard.failed(self.origin.peer);
                return Ok(refused(refusal));
            }
            Err(stop) => {
                if !A::is_ours(&stop) {
                    guard.failed(self.origin.peer);
                }
                return Err(stop);
            }
        };
        let (who, proof) = match directory.scram_finish(claim, &last, self.origin) {
            Ok(proved) => proved,
            Err(Ok(failure)) => return Ok(self.judged(Err(failure))),
            Err(Err(refusal)) => {
                guard.failed(self.origin.peer);
                return Ok(refused(refusal));
            }
        };
        match data(asking, proof.as_bytes()).await? {
            Ok(_) => Ok(self.judged(Ok(who))),
            Err(refusal) => Ok(refused(refusal)),
        }
    }

    fn is_barred(&self) -> bool {
        !self.doors.guard.may_sign_in(self.origin.peer)
    }

    /// Counts the outcome.
    fn judged(&self, said: Result<SignedIn, AuthFailure>) -> Outcome {
        let guard = &self.doors.guard;
        match said {
            Ok(who) => {
                guard.signed_in(self.origin.peer);
                Outcome::Welcome(who)
            }
            Err(AuthFailure::Rejected) => {
                guard.failed(self.origin.peer);
                Outcome::Refused(No::Rejected)
            }
            Err(AuthFailure::TryLater) => Outcome::Refused(No::TryLater),
        }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::ActingForAnother => Outcome::Refused(No::ActingForAnother),
        refusal => Outcome::Wrong(refusal.sentence()),
    }
}

/// Sends a challenge and decodes the answer.
async fn data<A: Asking>(asking: &mut A, challenge: &[u8]) -> Result<Result<Vec<u8>, Refusal>, A::Stop> {
    let line = asking.ask(&STANDARD.encode(challenge)).await?;
    Ok(match line.as_deref() {
        None => Err(Refusal::TooLong),
        Some(b"*") => Err(Refusal::Cancelled),
        Some(line) => decoded(line),
    })
}

fn decoded(line: &[u8]) -> Result<Vec<u8>, Refusal> {
    match line {
        b"=" => Ok(Vec::new()),
        line => STANDARD.decode(line).map_err(|_| Refusal::NotBase64),
    }
}
