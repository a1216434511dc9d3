//! The states of a session (RFC 1939 §3): AUTHORIZATION, TRANSACTION, UPDATE.
//!
//! The UPDATE state says `+OK` for removed messages only by taking a proof by value:
//!
//! ```compile_fail,E0061
//! struct Proof;
//! fn cheat(removal: pop3::Removal<(), Proof>, out: &mut pop3::Out) {
//!     removal.ok(out);
//! }
//! ```

use std::marker::PhantomData;

use crate::command::Verb;
use crate::marks::Marks;
use crate::reply::{Code, Out};

/// Before the sign-in.
#[derive(Debug)]
pub struct Authorization {
    private: bool,
    can_start_tls: bool,
    named: Option<String>,
    utf8: bool,
}

impl Authorization {
    /// `private`: passwords may be said here. `can_start_tls`: STLS would make it so.
    pub fn new(private: bool, can_start_tls: bool) -> Self {
        Self {
            private,
            can_start_tls,
            named: None,
            utf8: false,
        }
    }

    /// Whether passwords may be said.
    pub fn private(&self) -> bool {
        self.private
    }

    /// Whether STLS is possible.
    pub fn can_start_tls(&self) -> bool {
        self.can_start_tls
    }

    /// USER: the PASS that follows is this one's.
    pub fn name(&mut self, user: String) {
        self.named = Some(user);
    }

    /// PASS: the name that USER gave, once.
    pub fn named(&mut self) -> Option<String> {
        self.named.take()
    }

    /// UTF8 (RFC 6856 §2.1): from here on the client takes headers in UTF-8.
    pub fn take_utf8(&mut self) {
        self.utf8 = true;
    }

    /// Somebody signed in. `P` will be the proof of what QUIT does.
    pub fn signed_in<M, P>(self, maildrop: M, marks: Marks) -> Transaction<M, P> {
        Transaction {
            maildrop,
            marks,
            utf8: self.utf8,
            proof: PhantomData,
        }
    }
}

/// Somebody signed in and has their messages before them.
#[derive(Debug)]
pub struct Transaction<M, P> {
    /// the messages, as the driver knows them
    pub maildrop: M,
    /// which of them are marked
    pub marks: Marks,
    utf8: bool,
    proof: PhantomData<fn(P)>,
}

impl<M, P> Transaction<M, P> {
    /// Whether the client takes headers in UTF-8.
    pub fn utf8(&self) -> bool {
        self.utf8
    }

    /// QUIT: the UPDATE state.
    pub fn quit(self) -> Update<M, P> {
        match self.marks.none() {
            true => Update::Nothing,
            false => Update::Removes(Removal {
                maildrop: self.maildrop,
                marks: self.marks,
                proof: PhantomData,
            }),
        }
    }
}

/// What QUIT has to do.
#[derive(Debug)]
#[must_use = "QUIT gets an answer"]
pub enum Update<M, P> {
    /// nothing was marked
    Nothing,
    /// messages go
    Removes(Removal<M, P>),
}

/// Messages that go, and the answer that is owed.
#[derive(Debug)]
#[must_use = "QUIT gets an answer"]
pub struct Removal<M, P> {
    /// the messages, as the driver knows them
    pub maildrop: M,
    /// which of them go
    pub marks: Marks,
    proof: PhantomData<fn(P)>,
}

impl<M, P> Removal<M, P> {
    /// `+OK`: they are gone, durably.
    pub fn ok(self, out: &mut Out, proof: P) {
        drop(proof);
        out.ok("Removed what was marked; until next time");
    }

    /// `-ERR [code] text` (RFC 1939 §6): none is gone.
    pub fn failed(self, out: &mut Out, code: Code, text: &str) {
        out.err(Some(code), text);
    }
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// before the sign-in
    Authorization {
        /// passwords may be said
        private: bool,
        /// STLS is possible
        can_start_tls: bool,
    },
    /// after it
    Transaction,
}

/// Whether a command may be given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Yes,
    /// Only under TLS.
    NeedsPrivacy,
    /// Only after the sign-in.
    NeedsSignIn,
    /// Only before the sign-in.
    AfterSignIn,
    /// There is no TLS to go over to.
    NoTls,
}

impl Permit {
    /// One plain sentence for the client; empty when there is nothing to refuse.
    pub fn text(self) -> &'static str {
        match self {
            Self::Yes => "",
            Self::NeedsPrivacy => "Signing in is possible under TLS only; STLS first",
            Self::NeedsSignIn => "Sign in first",
            Self::AfterSignIn => "You are signed in already",
            Self::NoTls => "STLS is not possible here",
        }
    }
}

/// Decides it.
pub fn permit(stage: Stage, verb: Verb) -> Permit {
    let before = matches!(stage, Stage::Authorization { .. });
    match (verb, stage) {
        (Verb::Capa | Verb::Lang | Verb::Quit, _) => Permit::Yes,
        (Verb::Stls, Stage::Authorization { can_start_tls, .. }) => match can_start_tls {
            true => Permit::Yes,
            false => Permit::NoTls,
        },
        (Verb::User | Verb::Pass | Verb::Auth, Stage::Authorization { private, .. }) => match private {
            true => Permit::Yes,
            false => Permit::NeedsPrivacy,
        },
        (Verb::Utf8, Stage::Authorization { .. }) => Permit::Yes,
        (Verb::Stls | Verb::User | Verb::Pass | Verb::Auth | Verb::Utf8, Stage::Transaction) => {
            Permit::AfterSignIn
        }
        _ if before => Permit::NeedsSignIn,
        _ => Permit::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Left;

    #[test]
    fn commands_have_their_time() {
        use Permit::{AfterSignIn, NeedsPrivacy, NeedsSignIn, NoTls, Yes};
        let open = Stage::Authorization {
            private: false,
            can_start_tls: true,
        };
        let secure = Stage::Authorization {
            private: true,
            can_start_tls: false,
        };
        let table = [
            (Verb::Capa, [Yes, Yes, Yes]),
            (Verb::Lang, [Yes, Yes, Yes]),
            (Verb::Quit, [Yes, Yes, Yes]),
            (Verb::Stls, [Yes, NoTls, AfterSignIn]),
            (Verb::Utf8, [Yes, Yes, AfterSignIn]),
            (Verb::User, [NeedsPrivacy, Yes, AfterSignIn]),
            (Verb::Pass, [NeedsPrivacy, Yes, AfterSignIn]),
            (Verb::Auth, [NeedsPrivacy, Yes, AfterSignIn]),
            (Verb::Stat, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::List, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Uidl, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Retr, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Top, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Dele, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Noop, [NeedsSignIn, NeedsSignIn, Yes]),
            (Verb::Rset, [NeedsSignIn, NeedsSignIn, Yes]),
        ];
        for (verb, wanted) in table {
            assert_eq!(
                [open, secure, Stage::Transaction].map(|stage| permit(stage, verb)),
                wanted,
                "{verb:?}"
            );
        }
    }

    #[test]
    fn quit_owes_a_proof_only_when_something_goes() {
        let marks = Marks::new(Left {
            messages: 1,
            octets: 9,
        });
        let idle: Transaction<(), u8> = Authorization::new(true, false).signed_in((), marks.clone());
        assert!(matches!(idle.quit(), Update::Nothing));
        let mut busy: Transaction<(), u8> = Authorization::new(true, false).signed_in((), marks);
        assert_eq!(busy.marks.mark(1, 9), Ok(()));
        let Update::Removes(removal) = busy.quit() else {
            panic!("a message goes")
        };
        let mut out = Out::default();
        removal.ok(&mut out, 7);
        assert!(out.take().starts_with(b"+OK"));
    }

    #[test]
    fn a_name_is_good_for_one_password() {
        let mut state = Authorization::new(true, false);
        state.name("a".to_owned());
        assert_eq!((state.named().as_deref(), state.named()), (Some("a"), None));
    }
}
