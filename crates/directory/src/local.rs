//! Users of this machine who send without a password: the kernel says who they are (SO_PEERCRED).
//!
//! Root and the server's own user may send as any address of ours: whoever is either could read and write all mail anyway. Other
//! users may send as the one account that the settings give them, and as whatever that account may.

use std::fmt;
use std::sync::Arc;

use mail::address::{Domain, LocalPart, Mailbox, Utf8};

use crate::directory::Directory;
use crate::sign_in::SignedIn;

/// Which users of this machine may send.
#[derive(Debug, Clone, Default)]
pub struct LocalRules {
    /// as any address of ours
    pub trusted: Vec<u32>,
    /// as the account of this address
    pub users: Vec<(u32, Mailbox)>,
    /// this server's name: bare names are at its domain, if that is ours
    pub host_name: String,
}

/// A user of this machine, as the kernel named them.
#[derive(Debug, Clone)]
pub struct LocalCaller {
    /// user id
    pub uid: u32,
    /// the name of that user
    pub name: String,
}

/// A user of this machine who may send. Only [`Directory::local_sender`] makes one.
#[derive(Debug, Clone)]
pub enum LocalSender {
    /// as any address of ours
    Trusted(TrustedUser),
    /// as this account
    Account(SignedIn),
}

/// Root, or the server's own user.
#[derive(Clone)]
pub struct TrustedUser {
    directory: Arc<Directory>,
    address: Mailbox,
}

impl fmt::Debug for TrustedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedUser({})", self.address)
    }
}

impl TrustedUser {
    /// Whose mail it is when nothing else is said: the user's name at our domain.
    pub fn address(&self) -> &Mailbox {
        &self.address
    }

    /// Whether `address` is at a domain of ours.
    pub fn may_send_as(&self, address: &Mailbox) -> bool {
        self.directory.is_local_domain(address.domain())
    }
}

impl LocalSender {
    /// Whose mail it is when nothing else is said.
    pub fn address(&self) -> &Mailbox {
        match self {
            Self::Trusted(user) => user.address(),
            Self::Account(user) => user.address(),
        }
    }
}

impl Directory {
    /// What a user of this machine may send, by `rules`. `caller` comes from the kernel, from nowhere else. `None`: nothing,
    /// also while there is no domain, or the account is disabled.
    pub fn local_sender(self: &Arc<Self>, caller: &LocalCaller, rules: &LocalRules) -> Option<LocalSender> {
        if let Some((_, address)) = rules.users.iter().find(|(uid, _)| *uid == caller.uid) {
            return self.vouch_for(address).map(LocalSender::Account);
        }
        if !rules.trusted.contains(&caller.uid) {
            return None;
        }
        let domain = self.own_domain(&rules.host_name)?;
        let local = LocalPart::parse(&caller.name, Utf8::Refused).ok();
        let local = local.or_else(|| LocalPart::parse("postmaster", Utf8::Refused).ok())?;
        let address = Mailbox::new(local, domain).ok()?;
        Some(LocalSender::Trusted(TrustedUser {
            directory: self.clone(),
            address,
        }))
    }

    /// The domain that the host's name is in, or else the first.
    fn own_domain(&self, host_name: &str) -> Option<Domain> {
        let tables = self.tables();
        let domains = || tables.domains.keys();
        let of_host = domains().find(|domain| {
            host_name
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        Domain::parse(of_host.or_else(|| domains().next())?).ok()
    }
}
