//! Where a message comes from, as types: what an origin may do is decided when the program is compiled.

use directory::{SignedIn, TrustedUser};
use mail::address::Mailbox;
use mail::ids::AccountId;

mod sealed {
    pub trait Sealed {}
}

/// Where a message comes from. Closed: the five below are all there are.
pub trait Origin: sealed::Sealed + Send + Sync + 'static {
    /// Stable name, as stored and logged.
    fn name(&self) -> &'static str;
    /// The account that answers for the message, if one does.
    fn account(&self) -> Option<AccountId>;
    /// Whether anybody answers for the reverse-path. Where nobody does, a receipt would be a way to write to strangers through us.
    fn vouched(&self) -> bool {
        true
    }
}

/// An origin whose messages may leave for other servers, with a [`RelayGrant`].
pub trait MayRelay: Origin {}

/// Another server, by SMTP, that nobody vouches for. Local recipients only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger;

/// A program on this machine, by LMTP or the command line. Local recipients only: coming from this machine is no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalProgram;

/// Root or the server's own user, whom the kernel named. They may send as any address of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser {
    address: Mailbox,
}

impl LocalUser {
    /// For a user of this machine with that right.
    pub fn by(user: &TrustedUser) -> Self {
        Self {
            address: user.address().clone(),
        }
    }

    /// Whose mail it is when nothing else is said.
    pub fn address(&self) -> &Mailbox {
        &self.address
    }
}

/// Somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    account: AccountId,
    address: Mailbox,
}

/// The system itself: bounces, reports, notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated {
    /// what made it, a stable word such as `bounce`
    pub maker: &'static str,
}

impl Submitted {
    /// For somebody who signed in.
    pub fn by(signed_in: &SignedIn) -> Self {
        Self {
            account: signed_in.account(),
            address: signed_in.address().clone(),
        }
    }

    /// The submitter's main address.
    pub fn address(&self) -> &Mailbox {
        &self.address
    }
}

/// The right to send one message to other servers. Nothing else lets [`crate::Envelope::add_remote`] take a recipient.
#[derive(Debug)]
pub struct RelayGrant {
    holder: Option<AccountId>,
}

impl RelayGrant {
    /// Somebody who signed in may send to the world.
    pub fn for_submitter(signed_in: &SignedIn) -> Self {
        Self {
            holder: Some(signed_in.account()),
        }
    }

    /// Root and the server's own user may send to the world.
    pub fn for_local_user(_user: &TrustedUser) -> Self {
        Self { holder: None }
    }

    /// The system may send its own messages to the world.
    pub fn for_generated(_generated: &Generated) -> Self {
        Self { holder: None }
    }

    /// Whose right it is; `None` for the system and for users of this machine.
    pub fn holder(&self) -> Option<AccountId> {
        self.holder
    }
}

impl sealed::Sealed for Stranger {}
impl sealed::Sealed for LocalProgram {}
impl sealed::Sealed for LocalUser {}
impl sealed::Sealed for Submitted {}
impl sealed::Sealed for Generated {}

impl Origin for Stranger {
    fn name(&self) -> &'static str {
        "stranger"
    }
    fn vouched(&self) -> bool {
        false
    }
    fn account(&self) -> Option<AccountId> {
        None
    }
}

impl Origin for LocalProgram {
    fn name(&self) -> &'static str {
        "local-program"
    }
    fn account(&self) -> Option<AccountId> {
        None
    }
}

impl Origin for LocalUser {
    fn name(&self) -> &'static str {
        "local-user"
    }
    fn account(&self) -> Option<AccountId> {
        None
    }
}

impl Origin for Submitted {
    fn name(&self) -> &'static str {
        "submitted"
    }
    fn account(&self) -> Option<AccountId> {
        Some(self.account)
    }
}

impl Origin for Generated {
    fn name(&self) -> &'static str {
        "generated"
    }
    fn account(&self) -> Option<AccountId> {
        None
    }
}

impl MayRelay for LocalUser {}
impl MayRelay for Submitted {}
impl MayRelay for Generated {}
