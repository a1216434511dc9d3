//! Changing the directory: one commit for each command, then the tables in memory follow. Each change is checked before
//! it is committed, and every refusal says what to do instead.

pub mod account;
pub mod alias;
pub mod domain;
pub mod domain_alias;
mod send_as;

use std::fmt;

use mail::address::{AddressKey, BadAddress, Domain, Mailbox, Utf8};
use store::contract::{Batch, Conflict, Op, StoreError, Urgency};

use crate::directory::Directory;
use crate::limits;
use crate::snapshot::Snapshot;

pub use account::{AccountChange, AccountSpec, AccountView, Credential};
pub use alias::{AliasSpec, AliasView};
pub use domain::DomainView;
pub use domain_alias::DomainAliasView;

/// Why a change was not made. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminError {
    /// Not an address.
    BadAddress {
        /// as it was given
        text: String,
        /// what is wrong with it
        why: BadAddress,
    },
    /// Not a domain name.
    BadDomain {
        /// as it was given
        text: String,
    },
    /// There is no such domain here.
    NoSuchDomain(String),
    /// There is no such account.
    NoSuchAccount(String),
    /// There is no such alias.
    NoSuchAlias(String),
    /// It exists already, as this noun.
    Exists {
        /// `domain`, `account`, `alias`
        noun: &'static str,
        /// its name
        name: String,
    },
    /// Accounts or aliases of the domain exist.
    DomainInUse(String),
    /// The domain is an alias of another: it has no names of its own, and nothing is an alias of it.
    DomainIsAlias(String),
    /// Another domain is an alias of the domain.
    DomainHasAlias {
        /// the domain
        name: String,
        /// the other one
        alias: String,
    },
    /// There is no such domain alias.
    NoSuchDomainAlias(String),
    /// The account was not allowed to send as that.
    NoSuchGrant {
        /// whose
        account: String,
        /// what
        name: String,
    },
    /// More grants than an account may have.
    GrantCount(usize),
    /// A target in a domain of ours that is none of our addresses.
    TargetNotLocal(String),
    /// An alias without a target, or with too many.
    TargetCount(usize),
    /// A password that may not be set.
    BadPassword(&'static str),
    /// A separator that may not be one.
    BadSeparator(char),
    /// The same name twice in one command.
    Twice(String),
    /// Too many passwords are being checked.
    Busy,
    /// The store refused.
    Store(StoreError),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAddress { text, why } => {
                write!(f, "{text:?} is not an address: {why}. Write it as name@domain.")
            }
            Self::BadDomain { text } => {
                write!(
                    f,
                    "{text:?} is not a domain name. Write it as example.org, without a dot at the end."
                )
            }
            Self::NoSuchDomain(name) => {
                write!(
                    f,
                    "the domain {name} is not served here. Add it first: hearthpost domain add {name}"
                )
            }
            Self::NoSuchAccount(name) => {
                write!(
                    f,
                    "there is no account {name}. See all with: hearthpost account list"
                )
            }
            Self::NoSuchAlias(name) => {
                write!(f, "there is no alias {name}. See all with: hearthpost alias list")
            }
            Self::Exists { noun, name } => {
                write!(
                    f,
                    "the {noun} {name} exists already. Change it with: hearthpost {noun} set {name}"
                )
            }
            Self::DomainInUse(name) => {
                write!(
                    f,
                    "the domain {name} still has accounts or aliases. Remove those first."
                )
            }
            Self::DomainIsAlias(name) => write!(
                f,
                "the domain {name} is an alias and has no names of its own. Use the domain it stands for: hearthpost domain list"
            ),
            Self::DomainHasAlias { name, alias } => write!(
                f,
                "the domain {alias} is an alias of {name}. Remove it first: hearthpost domain alias remove {alias}"
            ),
            Self::NoSuchDomainAlias(name) => write!(
                f,
                "there is no domain alias {name}. See all with: hearthpost domain alias list"
            ),
            Self::NoSuchGrant { account, name } => write!(
                f,
                "{account} is not allowed to send as {name} by a grant. See all with: hearthpost account send-as {account} list"
            ),
            Self::GrantCount(count) => write!(
                f,
                "an account may be allowed to send as at most {} addresses and domains, not {count}. Grant a whole domain as @domain.",
                limits::SEND_AS_GRANTS
            ),
            Self::TargetNotLocal(name) => {
                write!(
                    f,
                    "{name} is not an account or alias here. Add it first, or name another."
                )
            }
            Self::TargetCount(count) => {
                write!(
                    f,
                    "an alias leads to 1 to {} addresses, not to {count}",
                    limits::ALIAS_TARGETS
                )
            }
            Self::BadPassword(why) => write!(
                f,
                "that password cannot be set: {why}. Leave it out to have one generated."
            ),
            Self::BadSeparator(given) => {
                write!(
                    f,
                    "{given:?} cannot divide a name from its tag. Use one of + - _ . = # or \"off\"."
                )
            }
            Self::Twice(name) => write!(f, "{name} is named twice. Leave one out."),
            Self::Busy => f.write_str("too many passwords are being checked. Try again in a minute."),
            Self::Store(StoreError::Full) => {
                f.write_str("the disk is full. Free some space, then try again.")
            }
            Self::Store(StoreError::Busy) => f.write_str("the store has too much work waiting. Try again."),
            Self::Store(error) => write!(f, "{error}. Look at the log and run: hearthpost status"),
        }
    }
}

impl std::error::Error for AdminError {}

/// Results of administration.
pub type Result<T> = std::result::Result<T, AdminError>;

impl Directory {
    /// One batch, with the notes about it.
    pub(crate) async fn commit(&self, mut ops: Vec<Op>, name: &str) -> Result<()> {
        ops.extend(crate::noted::ops(&self.tables(), &ops));
        let batch = Batch {
            urgency: Urgency::Urgent,
            ops,
        };
        self.doors
            .store
            .commit(batch)
            .await
            .map(drop)
            .map_err(|error| refused(error, name))
    }
}

/// The store's own checks come last; `name` is what the command was about.
fn refused(error: StoreError, name: &str) -> AdminError {
    let name = name.to_owned();
    match error {
        StoreError::Conflict(Conflict::DomainExists) => AdminError::Exists { noun: "domain", name },
        StoreError::Conflict(Conflict::AccountExists) => AdminError::Exists {
            noun: "account",
            name,
        },
        StoreError::Conflict(Conflict::AliasExists) => AdminError::Exists { noun: "alias", name },
        StoreError::Conflict(Conflict::NoSuchDomain) => AdminError::NoSuchDomain(name),
        StoreError::Conflict(Conflict::NoSuchAccount) => AdminError::NoSuchAccount(name),
        StoreError::Conflict(Conflict::NoSuchAlias) => AdminError::NoSuchAlias(name),
        StoreError::Conflict(Conflict::DomainInUse) => AdminError::DomainInUse(name),
        other => AdminError::Store(other),
    }
}

pub(crate) fn parse_domain(text: &str) -> Result<Domain> {
    let bad = || AdminError::BadDomain {
        text: text.to_owned(),
    };
    Domain::parse(text)
        .ok()
        .filter(|domain| domain.literal().is_none())
        .ok_or_else(bad)
}

pub(crate) fn parse_address(text: &str) -> Result<Mailbox> {
    let bad = |why| AdminError::BadAddress {
        text: text.to_owned(),
        why,
    };
    let address = Mailbox::parse(text.trim(), Utf8::Allowed).map_err(bad)?;
    // The key of an empty name would look like the domain's catch-all.
    if AddressKey::exact(&address).local().is_empty() {
        Err(bad(BadAddress::Empty))
    } else {
        Ok(address)
    }
}

/// The noun that holds this name already.
pub(crate) fn holder(tables: &Snapshot, key: &str) -> Option<&'static str> {
    use crate::snapshot::Name;
    tables.names.get(key).map(|name| match name {
        Name::Account(_) => "account",
        Name::Alias(_) => "alias",
    })
}
