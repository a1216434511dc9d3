//! Signing in at a smarthost: AUTH with PLAIN (RFC 4616) or LOGIN. The driver does it under TLS only.

use std::collections::VecDeque;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::greeting::{Gone, Peer, Ready, gone};
use super::offers::Mechanism;
use super::reply::Reply;
use super::stage::{Answer, Stage};
use crate::limits::AUTH_COMMAND_BYTES;

/// A name and a password. Neither is ever shown.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// `None` when one of them holds a NUL, or the name is empty (RFC 4616 §2).
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Option<Self> {
        let (user, password) = (user.into(), password.into());
        let good = !user.is_empty() && !user.contains('\0') && !password.contains('\0');
        good.then_some(Self { user, password })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Ready {
    /// Signs in, with PLAIN if it is offered, else with LOGIN.
    ///
    /// # Errors
    /// When the server offers neither.
    pub fn auth(self, credentials: &Credentials) -> Result<AwaitAuth, Self> {
        let offered = |mechanism| self.0.offers.auth.contains(&mechanism);
        let lines = if offered(Mechanism::Plain) {
            plain(credentials)
        } else if offered(Mechanism::Login) {
            login(credentials)
        } else {
            return Err(self);
        };
        Ok(AwaitAuth { peer: self.0, lines })
    }
}

/// `message = [authzid] NUL authcid NUL passwd`, with the command when there is room.
fn plain(credentials: &Credentials) -> VecDeque<Vec<u8>> {
    let response = STANDARD.encode(format!("\0{}\0{}", credentials.user, credentials.password));
    let at_once = format!("AUTH PLAIN {response}\r\n");
    if at_once.len() <= AUTH_COMMAND_BYTES {
        return VecDeque::from([at_once.into_bytes()]);
    }
    VecDeque::from([b"AUTH PLAIN\r\n".to_vec(), format!("{response}\r\n").into_bytes()])
}

fn login(credentials: &Credentials) -> VecDeque<Vec<u8>> {
    let line = |text: &str| format!("{}\r\n", STANDARD.encode(text)).into_bytes();
    VecDeque::from([
        b"AUTH LOGIN\r\n".to_vec(),
        line(&credentials.user),
        line(&credentials.password),
    ])
}

/// In an AUTH exchange.
#[must_use = "the server waits"]
pub struct AwaitAuth {
    peer: Box<Peer>,
    lines: VecDeque<Vec<u8>>,
}

impl fmt::Debug for AwaitAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitAuth(..)")
    }
}

/// What a reply in an AUTH exchange leads to.
#[derive(Debug)]
#[must_use = "the server waits"]
pub enum AfterAuth {
    /// Signed in.
    Ready(Ready),
    /// The next line is to be sent.
    More(AwaitAuth),
    /// Not signed in: name or password are wrong (5xx), or not now (4xx).
    Refused(Ready, Reply),
    /// The connection is of no use.
    Gone(Gone),
}

impl AwaitAuth {
    /// The line to send now. Hand it out once for each [`AfterAuth::More`], and never to a log.
    pub fn next_bytes(&mut self) -> Vec<u8> {
        self.lines.pop_front().unwrap_or_default()
    }

    /// Takes the answer.
    pub fn reply(self, reply: &Reply) -> AfterAuth {
        if reply.code == 334 && !self.lines.is_empty() {
            return AfterAuth::More(self);
        }
        match Stage::Auth.judge(reply) {
            // A welcome in the middle of the exchange is as good.
            Answer::Positive => AfterAuth::Ready(Ready(self.peer)),
            Answer::Temporary | Answer::Permanent => AfterAuth::Refused(Ready(self.peer), reply.clone()),
            answer => AfterAuth::Gone(gone(Stage::Auth, answer, reply)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AfterHello, ClientName, Flavour, Greeting};
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::read(text.as_bytes()).unwrap()
    }

    fn ready(offers: &str) -> Ready {
        let me = ClientName::new("mx.example.org").unwrap();
        let hello = Greeting::new(me, Flavour::Smtp)
            .reply(&reply("220 hi\r\n"))
            .unwrap();
        match hello.reply(&reply(&format!("250-me\r\n250 {offers}\r\n"))) {
            AfterHello::Ready(ready) => ready,
            other => panic!("{other:?}"),
        }
    }

    /// Sends and hears in turn; what was sent, and how it ended.
    fn exchange(offers: &str, credentials: &Credentials, replies: &[&str]) -> (Vec<String>, &'static str) {
        let mut sent = Vec::new();
        let Ok(mut wait) = ready(offers).auth(credentials) else {
            return (sent, "no mechanism");
        };
        for text in replies {
            sent.push(String::from_utf8(wait.next_bytes()).unwrap());
            wait = match wait.reply(&reply(text)) {
                AfterAuth::More(wait) => wait,
                AfterAuth::Ready(_) => return (sent, "ready"),
                AfterAuth::Refused(..) => return (sent, "refused"),
                AfterAuth::Gone(_) => return (sent, "gone"),
            };
        }
        (sent, "more")
    }

    #[test]
    fn plain_is_one_line_and_login_two_questions() {
        let tim = Credentials::new("tim", "tanstaaftanstaaf").unwrap();
        // The response of RFC 4616 §4's example.
        let plain = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n";
        let login = ["AUTH LOGIN\r\n", "dGlt\r\n", "dGFuc3RhYWZ0YW5zdGFhZg==\r\n"];
        let table: &[(&str, &[&str], &[&str], &str)] = &[
            ("AUTH LOGIN PLAIN", &["235 ok\r\n"], &[plain], "ready"),
            ("AUTH PLAIN", &["535 5.7.8 no\r\n"], &[plain], "refused"),
            ("AUTH PLAIN", &["454 later\r\n"], &[plain], "refused"),
            ("AUTH PLAIN", &["334 \r\n"], &[plain], "gone"),
            ("AUTH PLAIN", &["421 bye\r\n"], &[plain], "gone"),
            (
                "AUTH LOGIN",
                &["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"],
                &login,
                "ready",
            ),
            ("AUTH LOGIN", &["334 x\r\n", "535 no\r\n"], &login[..2], "refused"),
            ("AUTH CRAM-MD5", &[], &[], "no mechanism"),
            ("PIPELINING", &[], &[], "no mechanism"),
        ];
        for (offers, replies, sent, end) in table {
            let got = exchange(offers, &tim, replies);
            assert_eq!(
                (&got.0[..], got.1),
                (
                    &sent.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                    *end
                )
            );
        }
    }

    #[test]
    fn a_long_response_waits_for_its_question() {
        let long = Credentials::new("tim", "x".repeat(600)).unwrap();
        let (sent, end) = exchange("AUTH PLAIN", &long, &["334 \r\n", "235 ok\r\n"]);
        assert_eq!(
            (sent[0].as_str(), sent.len(), end),
            ("AUTH PLAIN\r\n", 2, "ready")
        );
    }

    #[test]
    fn rel_8_credentials_hold_no_nul_and_are_never_shown() {
        assert!(Credentials::new("a\0b", "c").is_none());
        assert!(Credentials::new("a", "c\0").is_none());
        let odd = Credentials::new("a\r\nRSET", "b\r\nQUIT").unwrap();
        let (sent, _) = exchange("AUTH PLAIN", &odd, &["235 ok\r\n"]);
        assert_eq!(sent[0].matches('\n').count(), 1, "base64 hides every line end");
        assert!(!format!("{odd:?}").contains("QUIT"));
    }
}
