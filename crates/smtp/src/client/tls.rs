//! STARTTLS (RFC 3207).

use super::greeting::{Gone, Hello, Peer, Ready, gone};
use super::reply::Reply;
use super::stage::{Answer, Stage};

impl Ready {
    /// Asks for TLS: the line to send. What the server offers is the caller's to look at.
    pub fn starttls(self) -> (&'static [u8], AwaitTls) {
        (b"STARTTLS\r\n", AwaitTls(self.0))
    }
}

/// After STARTTLS.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct AwaitTls(Box<Peer>);

/// What the answer to STARTTLS leads to.
#[derive(Debug)]
#[must_use = "the server waits"]
pub enum AfterStartTls {
    /// The handshake begins now.
    Begin(BeginTls),
    /// No TLS; the session goes on in the clear, if it may.
    Refused(Ready, Reply),
    /// The connection is of no use.
    Gone(Gone),
}

impl AwaitTls {
    /// Takes the answer. Whatever the server sent behind it in the clear must not be read (threat case: injected replies,
    /// CVE-2011-0411 and its kin): the driver checks that nothing waits.
    pub fn reply(self, reply: &Reply) -> AfterStartTls {
        match Stage::StartTls.judge(reply) {
            Answer::Positive => AfterStartTls::Begin(BeginTls(self.0)),
            Answer::Temporary | Answer::Permanent => AfterStartTls::Refused(Ready(self.0), reply.clone()),
            answer => AfterStartTls::Gone(gone(Stage::StartTls, answer, reply)),
        }
    }
}

/// The handshake is under way.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct BeginTls(Box<Peer>);

impl BeginTls {
    /// The handshake succeeded: greet again. Nothing of what was offered in the clear is remembered (RFC 3207 §4.2).
    pub fn done(self) -> Hello {
        Hello::first(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AfterHello, ClientName, Flavour, Greeting};
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::read(text.as_bytes()).unwrap()
    }

    fn ready() -> Ready {
        let me = ClientName::new("mx.example.org").unwrap();
        let hello = Greeting::new(me, Flavour::Smtp)
            .reply(&reply("220 hi\r\n"))
            .unwrap();
        match hello.reply(&reply("250-me\r\n250-STARTTLS\r\n250 PIPELINING\r\n")) {
            AfterHello::Ready(ready) => ready,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn starttls_is_answered_begun_or_gone_on_without() {
        let table = [
            ("220 go\r\n", "begin"),
            ("454 not now\r\n", "refused"),
            ("501 what\r\n", "refused"),
            ("421 bye\r\n", "gone"),
            ("354 what\r\n", "gone"),
        ];
        for (text, want) in table {
            let (line, wait) = ready().starttls();
            assert_eq!(line, b"STARTTLS\r\n");
            let got = match wait.reply(&reply(text)) {
                AfterStartTls::Begin(_) => "begin",
                AfterStartTls::Refused(ready, _) => {
                    assert!(ready.offers().pipelining, "the session goes on");
                    "refused"
                }
                AfterStartTls::Gone(_) => "gone",
            };
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn after_tls_nothing_is_remembered() {
        let (_, wait) = ready().starttls();
        let AfterStartTls::Begin(begin) = wait.reply(&reply("220 go\r\n")) else {
            panic!("220 begins");
        };
        let hello = begin.done();
        assert_eq!(hello.command(), b"EHLO mx.example.org\r\n");
        let AfterHello::Ready(ready) = hello.reply(&reply("250 me\r\n")) else {
            panic!("greeted");
        };
        assert!(!ready.offers().pipelining && !ready.offers().starttls);
    }
}
