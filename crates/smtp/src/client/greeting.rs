//! From the connection to a session that is ready: banner, EHLO, HELO.

use std::fmt;

use mail::address::Domain;

use super::offers::Offers;
use super::reply::Reply;
use super::stage::{Answer, Stage};
use crate::limits::HELLO_NAME_BYTES;

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// RFC 5321
    Smtp,
    /// RFC 2033: the end of a message is answered once for each recipient
    Lmtp,
}

/// The name we greet with: visible ASCII, 1 to 255 octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// A name of the configuration. `None` when it may not stand in EHLO.
    pub fn new(text: &str) -> Option<Self> {
        let good =
            (1..=HELLO_NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// A host name or an address literal.
    pub fn of(domain: &Domain) -> Self {
        Self(domain.as_str().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The reply after which a connection is of no use: close it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// what was answered
    pub stage: Stage,
    /// what it means; of a server only [`Answer::Closing`] and [`Answer::Fault`] tell that it is in trouble
    pub answer: Answer,
    /// the reply
    pub reply: Reply,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was answered {}", self.stage.name(), self.reply)
    }
}

/// What all states of a connection know.
#[derive(Debug)]
pub(super) struct Peer {
    pub me: ClientName,
    pub flavour: Flavour,
    pub offers: Offers,
    /// a transaction may still be open at the server: RSET before the next MAIL
    pub open: bool,
}

/// Connected; the banner is awaited.
#[derive(Debug)]
#[must_use = "the connection waits"]
pub struct Greeting(Box<Peer>);

impl Greeting {
    /// A new connection.
    pub fn new(me: ClientName, flavour: Flavour) -> Self {
        Self(Box::new(Peer {
            me,
            flavour,
            offers: Offers::default(),
            open: false,
        }))
    }

    /// Takes the banner.
    ///
    /// # Errors
    /// When the server does not want to talk.
    pub fn reply(self, reply: &Reply) -> Result<Hello, Gone> {
        match Stage::Banner.judge(reply) {
            Answer::Positive => Ok(Hello::first(self.0)),
            answer => Err(gone(Stage::Banner, answer, reply)),
        }
    }
}

pub(super) fn gone(stage: Stage, answer: Answer, reply: &Reply) -> Gone {
    Gone {
        stage,
        answer,
        reply: reply.clone(),
    }
}

/// The greeting is to be sent.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct Hello {
    peer: Box<Peer>,
    word: &'static str,
}

/// What the answer to a greeting leads to.
#[derive(Debug)]
#[must_use = "the server waits"]
pub enum AfterHello {
    /// Greeted.
    Ready(Ready),
    /// The server does not know EHLO: greet again, with HELO (RFC 5321 §3.2).
    Again(Hello),
    /// It does not want to talk.
    Gone(Gone),
}

impl Hello {
    /// EHLO, or LHLO. What was offered before is forgotten.
    pub(super) fn first(mut peer: Box<Peer>) -> Self {
        peer.offers = Offers::default();
        peer.open = false;
        let word = match peer.flavour {
            Flavour::Smtp => "EHLO",
            Flavour::Lmtp => "LHLO",
        };
        Self { peer, word }
    }

    /// The line to send.
    pub fn command(&self) -> Vec<u8> {
        format!("{} {}\r\n", self.word, self.peer.me.as_str()).into_bytes()
    }

    /// Takes the answer.
    pub fn reply(mut self, reply: &Reply) -> AfterHello {
        match Stage::Hello.judge(reply) {
            Answer::Positive => {
                if self.word != "HELO" {
                    self.peer.offers = Offers::of(reply);
                }
                AfterHello::Ready(Ready(self.peer))
            }
            // RFC 7504 §3: 521 says that this host takes no mail at all; no other greeting changes that.
            Answer::Permanent if self.word == "EHLO" && reply.code != 521 => {
                self.word = "HELO";
                AfterHello::Again(self)
            }
            answer => AfterHello::Gone(gone(Stage::Hello, answer, reply)),
        }
    }
}

/// Greeted, and in no transaction.
#[derive(Debug)]
#[must_use = "close it with QUIT"]
pub struct Ready(pub(super) Box<Peer>);

impl Ready {
    /// What the server offers.
    pub fn offers(&self) -> &Offers {
        &self.0.offers
    }

    /// Uses less than is offered; for servers that offer what they cannot do.
    pub fn restrict(mut self, restrict: impl FnOnce(&mut Offers)) -> Self {
        restrict(&mut self.0.offers);
        self
    }

    /// Ends the session: the line to send.
    pub fn quit(self) -> &'static [u8] {
        super::QUIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::read(text.as_bytes()).unwrap()
    }

    fn hello(flavour: Flavour) -> Hello {
        let me = ClientName::new("mx.example.org").unwrap();
        Greeting::new(me, flavour)
            .reply(&reply("220 hi\r\n"))
            .expect("greeted")
    }

    #[test]
    fn the_banner_decides_whether_to_go_on() {
        let table = [
            ("220 hi\r\n", None),
            ("220-hi\r\n220 there\r\n", None),
            ("421 busy\r\n", Some(Answer::Closing)),
            ("450 later\r\n", Some(Answer::Temporary)),
            ("554 no\r\n", Some(Answer::Permanent)),
            ("521 never\r\n", Some(Answer::Permanent)),
            ("354 what\r\n", Some(Answer::Fault)),
        ];
        for (text, want) in table {
            let me = ClientName::of(&Domain::from_ip("192.0.2.1".parse().unwrap()));
            let got = Greeting::new(me, Flavour::Smtp).reply(&reply(text));
            assert_eq!(got.err().map(|gone| gone.answer), want, "{text:?}");
        }
    }

    #[test]
    fn ehlo_falls_back_to_helo_and_lhlo_to_nothing() {
        let table = [
            (Flavour::Smtp, "250 ok\r\n", "ready"),
            (Flavour::Smtp, "500 what\r\n", "again"),
            (Flavour::Smtp, "502 what\r\n", "again"),
            (Flavour::Smtp, "554 no\r\n", "again"),
            (Flavour::Smtp, "521 no mail\r\n", "gone"),
            (Flavour::Smtp, "450 later\r\n", "gone"),
            (Flavour::Smtp, "421 later\r\n", "gone"),
            (Flavour::Smtp, "354 what\r\n", "gone"),
            (Flavour::Lmtp, "250 ok\r\n", "ready"),
            (Flavour::Lmtp, "500 what\r\n", "gone"),
        ];
        for (flavour, text, want) in table {
            let got = match hello(flavour).reply(&reply(text)) {
                AfterHello::Ready(_) => "ready",
                AfterHello::Again(again) => {
                    assert_eq!(again.command(), b"HELO mx.example.org\r\n");
                    assert!(matches!(again.reply(&reply("550 no\r\n")), AfterHello::Gone(_)));
                    "again"
                }
                AfterHello::Gone(_) => "gone",
            };
            assert_eq!(got, want, "{text:?}");
        }
        assert_eq!(hello(Flavour::Lmtp).command(), b"LHLO mx.example.org\r\n");
    }

    #[test]
    fn after_helo_nothing_is_offered() {
        let AfterHello::Again(again) = hello(Flavour::Smtp).reply(&reply("500 what\r\n")) else {
            panic!("HELO is next");
        };
        let AfterHello::Ready(ready) = again.reply(&reply("250-me\r\n250 PIPELINING\r\n")) else {
            panic!("greeted");
        };
        assert_eq!(*ready.offers(), Offers::default());
    }

    #[test]
    fn rel_8_a_name_is_one_visible_word() {
        for bad in ["", "a b", "a\r\nRSET", "a\0", "\u{fc}"] {
            assert!(ClientName::new(bad).is_none(), "{bad:?}");
        }
        assert!(ClientName::new(&"x".repeat(256)).is_none());
    }
}
