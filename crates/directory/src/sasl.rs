//! SASL PLAIN (RFC 4616) and LOGIN as pure state machines: lines in, challenges or credentials out. Nothing here knows
//! an account, so a broken exchange cannot touch anybody else's sign-in.
//!
//! 1. [`Mechanism::named`] finds the mechanism of an AUTH or AUTHENTICATE command.
//! 2. [`start`] takes the initial response, if there was one.
//! 3. [`Exchange::respond`] takes each further line, until the step is [`Step::Done`] or [`Step::Refused`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::limits::SASL_LINE_BYTES;
use crate::password::Password;

/// A mechanism this server offers; only under TLS, which is the caller's to ensure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login: old, still the only one some clients know
    Login,
}

impl Mechanism {
    /// All, in the order they are announced.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// The mechanism of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// What a client claims: to be checked by [`crate::Directory::authenticate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// the user name as sent; not yet an address
    pub user: String,
    /// the password as sent
    pub password: Password,
}

/// Why an exchange ended without credentials. Nothing was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client sent `*`: SMTP 501 5.0.0, IMAP BAD.
    Cancelled,
    /// Not canonical base64: SMTP 501 5.5.2, IMAP BAD.
    NotBase64,
    /// A line above 12 KiB: SMTP 500 5.5.6, IMAP BAD.
    TooLong,
    /// Base64, but not what the mechanism says (missing or extra NULs, not UTF-8, an empty name): SMTP 501 5.5.2, IMAP BAD.
    Malformed,
    /// It asks to act for somebody else: SMTP 535 5.7.8, IMAP NO. Nobody may.
    ActingForAnother,
}

impl Refusal {
    /// One plain sentence for the peer.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Cancelled => "Sign-in cancelled",
            Self::NotBase64 => "That is not base64",
            Self::TooLong => "That line is too long",
            Self::Malformed => "That response does not fit the mechanism",
            Self::ActingForAnother => "Nobody may act for another user here",
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this (already base64, possibly empty) after `334 ` or `+ `, read a line, give it to [`Exchange::respond`].
    Challenge(&'static str, Exchange),
    /// Check these.
    Done(Credentials),
    /// It is over.
    Refused(Refusal),
}

/// An exchange that waits for a line.
#[derive(Debug)]
pub struct Exchange(Waiting);

#[derive(Debug)]
enum Waiting {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

/// Begins. `initial` is the initial response as sent (base64; `=` stands for an empty one, RFC 4954 §4), without line end.
pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> Step {
    let exchange = match mechanism {
        Mechanism::Plain => Exchange(Waiting::Plain),
        Mechanism::Login => Exchange(Waiting::LoginUser),
    };
    match (initial, mechanism) {
        (Some(b"="), _) => exchange.decoded(&[]),
        (Some(line), _) => exchange.respond(line),
        (None, Mechanism::Plain) => Step::Challenge("", exchange),
        (None, Mechanism::Login) => Step::Challenge("VXNlcm5hbWU6", exchange),
    }
}

impl Exchange {
    /// Takes the client's next line, without line end.
    pub fn respond(self, line: &[u8]) -> Step {
        if line.len() > SASL_LINE_BYTES {
            return Step::Refused(Refusal::TooLong);
        }
        if line == b"*" {
            return Step::Refused(Refusal::Cancelled);
        }
        match STANDARD.decode(line).map(Zeroizing::new) {
            Ok(bytes) => self.decoded(&bytes),
            Err(_) => Step::Refused(Refusal::NotBase64),
        }
    }

    fn decoded(self, bytes: &[u8]) -> Step {
        match self.0 {
            Waiting::Plain => plain(bytes),
            Waiting::LoginUser => match login_text(bytes) {
                Some(user) if !user.is_empty() => Step::Challenge(
                    "UGFzc3dvcmQ6",
                    Self(Waiting::LoginPassword {
                        user: user.to_owned(),
                    }),
                ),
                _ => Step::Refused(Refusal::Malformed),
            },
            Waiting::LoginPassword { user } => match login_text(bytes) {
                Some(password) => Step::Done(Credentials {
                    user,
                    password: Password::new(password),
                }),
                None => Step::Refused(Refusal::Malformed),
            },
        }
    }
}

// RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd; none of the three contains NUL.
fn plain(bytes: &[u8]) -> Step {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Step::Refused(Refusal::Malformed);
    };
    let mut parts = text.split('\0');
    let (Some(acting_for), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Step::Refused(Refusal::Malformed);
    };
    if user.is_empty() || password.is_empty() {
        return Step::Refused(Refusal::Malformed);
    }
    if !acting_for.is_empty() && acting_for != user {
        return Step::Refused(Refusal::ActingForAnother);
    }
    Step::Done(Credentials {
        user: user.to_owned(),
        password: Password::new(password),
    })
}

fn login_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(
        mechanism: Mechanism,
        initial: Option<&[u8]>,
        lines: &[&[u8]],
    ) -> Result<Credentials, Option<Refusal>> {
        let mut step = start(mechanism, initial);
        let mut lines = lines.iter();
        loop {
            match step {
                Step::Done(credentials) => return Ok(credentials),
                Step::Refused(refusal) => return Err(Some(refusal)),
                Step::Challenge(_, exchange) => match lines.next() {
                    Some(line) => step = exchange.respond(line),
                    None => return Err(None),
                },
            }
        }
    }

    fn b64(bytes: &[u8]) -> Vec<u8> {
        STANDARD.encode(bytes).into_bytes()
    }

    #[test]
    fn rfc_4616_examples() {
        let tim = run(Mechanism::Plain, Some(&b64(b"\0tim\0tanstaaftanstaaf")), &[]).unwrap();
        assert_eq!(
            (tim.user.as_str(), tim.password.reveal()),
            ("tim", "tanstaaftanstaaf")
        );
        let other = run(Mechanism::Plain, Some(&b64(b"Ursel\0Kurt\0xipj3plmq")), &[]);
        assert_eq!(other, Err(Some(Refusal::ActingForAnother)));
        assert!(run(Mechanism::Plain, Some(&b64(b"Kurt\0Kurt\0xipj3plmq")), &[]).is_ok());
        assert!(run(Mechanism::Plain, None, &[&b64(b"\0tim\0secret")]).is_ok());
    }

    #[test]
    fn login_asks_for_name_and_password() {
        let Step::Challenge(ask, _) = start(Mechanism::Login, None) else {
            panic!("a challenge")
        };
        assert_eq!(STANDARD.decode(ask).unwrap(), b"Username:");
        let done = run(Mechanism::Login, Some(&b64(b"tim")), &[&b64(b"secret")]).unwrap();
        assert_eq!((done.user.as_str(), done.password.reveal()), ("tim", "secret"));
        assert!(run(Mechanism::Login, None, &[&b64(b"tim"), &b64(b"secret")]).is_ok());
    }

    #[test]
    fn log_4_malformed_exchanges_are_refused_without_credentials() {
        let long = vec![b'A'; SASL_LINE_BYTES + 4];
        let table: &[(Mechanism, &[u8], Refusal)] = &[
            (Mechanism::Plain, b"*", Refusal::Cancelled),
            (Mechanism::Login, b"*", Refusal::Cancelled),
            (Mechanism::Plain, b"!!!!", Refusal::NotBase64),
            (Mechanism::Plain, b"AHRpbQBzZWNyZXR=", Refusal::NotBase64), // trailing bits are not zero
            (Mechanism::Plain, b"AHRpbQBzZWNyZXQ", Refusal::NotBase64),  // no padding
            (Mechanism::Plain, b"AHRp bQBzZWNyZXQ=", Refusal::NotBase64),
            (Mechanism::Plain, b"=", Refusal::Malformed),
            (Mechanism::Login, b"=", Refusal::Malformed),
            (Mechanism::Plain, &long, Refusal::TooLong),
        ];
        for (mechanism, line, refusal) in table {
            assert_eq!(
                run(*mechanism, Some(line), &[]),
                Err(Some(*refusal)),
                "{}",
                line.escape_ascii()
            );
        }
        for text in [
            &b"\0\0\0"[..],
            b"\0tim",
            b"tim\0secret",
            b"\0tim\0sec\0ret",
            b"\0\0secret",
            b"\0tim\0",
            b"\0\xff\0secret",
        ] {
            assert_eq!(
                run(Mechanism::Plain, Some(&b64(text)), &[]),
                Err(Some(Refusal::Malformed)),
                "{}",
                text.escape_ascii()
            );
        }
        assert_eq!(
            run(Mechanism::Login, Some(&b64(b"ti\0m")), &[]),
            Err(Some(Refusal::Malformed))
        );
        assert_eq!(
            run(Mechanism::Login, Some(&b64(b"tim")), &[b"*"]),
            Err(Some(Refusal::Cancelled))
        );
        assert_eq!(
            run(Mechanism::Login, Some(&b64(b"tim")), &[&b64(b"a\0b")]),
            Err(Some(Refusal::Malformed))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn log_4_no_bytes_confuse_the_machines(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..4)) {
            for mechanism in Mechanism::ALL {
                let rest: Vec<&[u8]> = lines.iter().skip(1).map(Vec::as_slice).collect();
                let encoded = b64(&lines[0]);
                for initial in [None, Some(lines[0].as_slice()), Some(encoded.as_slice())] {
                    if let Ok(done) = run(mechanism, initial, &rest) {
                        prop_assert!(!done.user.contains('\0') && !done.user.is_empty());
                        prop_assert!(!done.password.reveal().contains('\0'));
                    }
                }
            }
        }

        #[test]
        fn plain_round_trips(user in "[^\0]{1,40}", password in "[^\0]{1,40}") {
            let done = run(Mechanism::Plain, Some(&b64(format!("\0{user}\0{password}").as_bytes())), &[]).unwrap();
            prop_assert_eq!(done.user, user);
            prop_assert_eq!(done.password.reveal(), password);
        }
    }
}
