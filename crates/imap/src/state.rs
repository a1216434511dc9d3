//! The states of a session as types, and the table of what is allowed when (RFC 3501 §3, §6).
//!
//! [`NotAuthenticated`] → [`Authenticated`] ⇄ [`Selected`]; moving on consumes the state, so nobody acts on the old one. Any of
//! them ends by being dropped after LOGOUT.

use crate::command::Verb;

/// Which state, without what it holds: the row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// nobody signed in, no TLS: signing in is not allowed (LOGINDISABLED)
    Plaintext,
    /// nobody signed in, TLS active (or the operator permits signing in without)
    Private,
    /// signed in, no mailbox open
    Authenticated,
    /// a mailbox is open
    Selected,
    /// BYE was said
    Logout,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Plaintext,
        Self::Private,
        Self::Authenticated,
        Self::Selected,
        Self::Logout,
    ];
}

/// Whether a command may run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// it may
    Yes,
    /// `NO [PRIVACYREQUIRED]`: signing in needs TLS first (RFC 3501 §6.2.3, RFC 5530)
    NeedsPrivacy,
    /// `BAD`: sign in first
    NeedsSignIn,
    /// `BAD`: select a mailbox first
    NeedsMailbox,
    /// `BAD`: signed in already
    SignedIn,
    /// `BAD`: TLS is active already, or there is no certificate
    HasTls,
    /// nothing may run any more
    Over,
}

impl Permit {
    /// A sentence for the client; with the response code and status it goes with, except for `Yes` and `Over`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Yes => "Allowed",
            Self::NeedsPrivacy => "Use STARTTLS first; signing in without TLS is off",
            Self::NeedsSignIn => "Sign in first",
            Self::NeedsMailbox => "Select a mailbox first",
            Self::SignedIn => "Already signed in",
            Self::HasTls => "TLS is not available now",
            Self::Over => "The session is over",
        }
    }
}

/// The table. `can_start_tls`: there is a certificate and the connection is in plain text.
pub const fn permit(stage: Stage, can_start_tls: bool, verb: Verb) -> Permit {
    use Stage::{Authenticated, Logout, Plaintext, Private, Selected};
    match (kind(verb), stage) {
        (_, Logout) => Permit::Over,
        (Kind::Any, _) => Permit::Yes,
        (Kind::Tls, Plaintext | Private) => {
            if can_start_tls {
                Permit::Yes
            } else {
                Permit::HasTls
            }
        }
        (Kind::SignIn, Plaintext) => Permit::NeedsPrivacy,
        (Kind::SignIn, Private) => Permit::Yes,
        (Kind::Tls | Kind::SignIn, Authenticated | Selected) => Permit::SignedIn,
        (Kind::User | Kind::Mailbox, Plaintext | Private) => Permit::NeedsSignIn,
        (Kind::User, Authenticated | Selected) | (Kind::Mailbox, Selected) => Permit::Yes,
        (Kind::Mailbox, Authenticated) => Permit::NeedsMailbox,
    }
}

enum Kind {
    /// in any state (RFC 3501 §6.1)
    Any,
    /// STARTTLS
    Tls,
    /// in the not authenticated state (§6.2)
    SignIn,
    /// in the authenticated and selected states (§6.3)
    User,
    /// in the selected state (§6.4)
    Mailbox,
}

const fn kind(verb: Verb) -> Kind {
    match verb {
        Verb::Capability | Verb::Noop | Verb::Logout | Verb::Id | Verb::Language => Kind::Any,
        Verb::StartTls => Kind::Tls,
        Verb::Authenticate | Verb::Login => Kind::SignIn,
        // RFC 5161 §3.1 wants ENABLE before SELECT; RFC 9051 §6.3.1 lifts that, and clients rely on it.
        Verb::Enable
        | Verb::Select
        | Verb::Examine
        | Verb::Create
        | Verb::Delete
        | Verb::Rename
        | Verb::Subscribe
        | Verb::Unsubscribe
        | Verb::List
        | Verb::Lsub
        | Verb::Namespace
        | Verb::Status
        | Verb::MultiSearch
        | Verb::ResetKey
        | Verb::GenUrlAuth
        | Verb::UrlFetch
        | Verb::Append
        | Verb::Idle
        | Verb::Notify
        | Verb::Unauthenticate
        | Verb::Compress
        | Verb::GetQuota
        | Verb::GetQuotaRoot
        | Verb::SetQuota
        | Verb::SetAcl
        | Verb::DeleteAcl
        | Verb::GetAcl
        | Verb::ListRights
        | Verb::MyRights
        | Verb::GetMetadata
        | Verb::SetMetadata => Kind::User,
        Verb::Check
        | Verb::Close
        | Verb::Unselect
        | Verb::Expunge
        | Verb::UidExpunge
        | Verb::Search
        | Verb::Sort
        | Verb::Thread
        | Verb::CancelUpdate
        | Verb::Fetch
        | Verb::Store
        | Verb::Copy
        | Verb::Replace
        | Verb::UidBatches
        | Verb::Move => Kind::Mailbox,
    }
}

/// Nobody signed in.
#[derive(Debug)]
pub struct NotAuthenticated {
    private: bool,
}

impl NotAuthenticated {
    /// `private`: TLS is active, or the operator permits signing in without.
    pub const fn new(private: bool) -> Self {
        Self { private }
    }

    /// The row of the table.
    pub const fn stage(&self) -> Stage {
        if self.private {
            Stage::Private
        } else {
            Stage::Plaintext
        }
    }

    /// Somebody signed in; `who` should be a value that only a successful sign-in makes.
    pub fn signed_in<A>(self, who: A) -> Authenticated<A> {
        Authenticated { who }
    }
}

/// Somebody signed in; no mailbox is open.
#[derive(Debug)]
pub struct Authenticated<A> {
    /// who
    pub who: A,
}

impl<A> Authenticated<A> {
    /// The row of the table.
    pub const STAGE: Stage = Stage::Authenticated;

    /// UNAUTHENTICATE (RFC 8437): nobody is signed in any more; who it was comes back.
    pub fn sign_out(self, private: bool) -> (NotAuthenticated, A) {
        (NotAuthenticated::new(private), self.who)
    }

    /// A mailbox was opened.
    pub fn select<M>(self, mailbox: M) -> Selected<A, M> {
        Selected {
            who: self.who,
            mailbox,
        }
    }
}

/// A mailbox is open.
#[derive(Debug)]
pub struct Selected<A, M> {
    /// who
    pub who: A,
    /// the open mailbox
    pub mailbox: M,
}

impl<A, M> Selected<A, M> {
    /// The row of the table.
    pub const STAGE: Stage = Stage::Selected;

    /// CLOSE, UNSELECT, or the start of another SELECT; the mailbox comes back to be closed.
    pub fn close(self) -> (Authenticated<A>, M) {
        (Authenticated { who: self.who }, self.mailbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3501 §6: one line per command; plaintext, private, authenticated, selected.
    const TABLE: &str = "
        CAPABILITY   yes yes yes yes
        NOOP         yes yes yes yes
        LOGOUT       yes yes yes yes
        ID           yes yes yes yes
        LANGUAGE     yes yes yes yes
        STARTTLS     yes tls in  in
        AUTHENTICATE tls yes in  in
        LOGIN        tls yes in  in
        ENABLE       no  no  yes yes
        SELECT       no  no  yes yes
        EXAMINE      no  no  yes yes
        CREATE       no  no  yes yes
        DELETE       no  no  yes yes
        RENAME       no  no  yes yes
        SUBSCRIBE    no  no  yes yes
        UNSUBSCRIBE  no  no  yes yes
        LIST         no  no  yes yes
        LSUB         no  no  yes yes
        NAMESPACE    no  no  yes yes
        STATUS       no  no  yes yes
        APPEND       no  no  yes yes
        IDLE         no  no  yes yes
        NOTIFY       no  no  yes yes
        COMPRESS     no  no  yes yes
        REPLACE      no  no  mbx yes
        RESETKEY       no  no  yes yes
        GENURLAUTH     no  no  yes yes
        URLFETCH       no  no  yes yes
        UIDBATCHES   no  no  mbx yes
        UNAUTHENTICATE no  no  yes yes
        GETQUOTA       no  no  yes yes
        GETQUOTAROOT   no  no  yes yes
        SETQUOTA       no  no  yes yes
        SETACL         no  no  yes yes
        DELETEACL      no  no  yes yes
        GETACL         no  no  yes yes
        LISTRIGHTS     no  no  yes yes
        MYRIGHTS       no  no  yes yes
        GETMETADATA    no  no  yes yes
        SETMETADATA    no  no  yes yes
        CHECK        no  no  mbx yes
        CLOSE        no  no  mbx yes
        UNSELECT     no  no  mbx yes
        EXPUNGE      no  no  mbx yes
        UID_EXPUNGE  no  no  mbx yes
        SEARCH       no  no  mbx yes
        SORT         no  no  mbx yes
        THREAD       no  no  mbx yes
        ESEARCH      no  no  yes yes
        CANCELUPDATE no  no  mbx yes
        FETCH        no  no  mbx yes
        STORE        no  no  mbx yes
        COPY         no  no  mbx yes
        MOVE         no  no  mbx yes
    ";

    #[test]
    fn the_table_covers_every_command_in_every_state() {
        let mut seen = 0;
        for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let name = words.next().expect("a name").replace('_', " ");
            let verb = Verb::ALL
                .into_iter()
                .find(|verb| verb.name() == name)
                .expect("a known command");
            for stage in [
                Stage::Plaintext,
                Stage::Private,
                Stage::Authenticated,
                Stage::Selected,
            ] {
                let wanted = match words.next().expect("four columns") {
                    "yes" => Permit::Yes,
                    "no" => Permit::NeedsSignIn,
                    "mbx" => Permit::NeedsMailbox,
                    "in" => Permit::SignedIn,
                    _ if verb == Verb::StartTls => Permit::HasTls,
                    _ => Permit::NeedsPrivacy,
                };
                assert_eq!(
                    permit(stage, stage == Stage::Plaintext, verb),
                    wanted,
                    "{name} {stage:?}"
                );
            }
            assert_eq!(permit(Stage::Logout, false, verb), Permit::Over);
            seen += 1;
        }
        assert_eq!(seen, Verb::ALL.len());
    }

    #[test]
    fn starttls_needs_a_certificate() {
        assert_eq!(permit(Stage::Plaintext, false, Verb::StartTls), Permit::HasTls);
        assert_eq!(permit(Stage::Private, true, Verb::StartTls), Permit::Yes);
    }

    #[test]
    fn states_follow_one_another() {
        let start = NotAuthenticated::new(true);
        assert_eq!(start.stage(), Stage::Private);
        let (authenticated, mailbox) = start.signed_in("alice").select("INBOX").close();
        assert_eq!((authenticated.who, mailbox), ("alice", "INBOX"));
        assert_eq!(NotAuthenticated::new(false).stage(), Stage::Plaintext);
    }
}
