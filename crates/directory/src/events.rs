//! What this crate tells the log.

use std::net::IpAddr;

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEvent {
    /// `directory.loaded`: everything is in memory.
    Loaded {
        /// how many domains
        domains: u64,
        /// how many accounts
        accounts: u64,
        /// how many aliases
        aliases: u64,
    },
    /// `directory.signed-in`: somebody gave the right password.
    SignedIn {
        /// main address of the account
        address: String,
        /// which door, for example `imaps`
        door: &'static str,
        /// from where
        peer: IpAddr,
    },
    /// `directory.sign-in-refused`: the peer is told nothing of the reason.
    SignInRefused {
        /// the name as it was sent
        user: String,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// for the operator: `unknown user`, `wrong password`, `disabled`, `no password set`, `changed meanwhile`
        reason: &'static str,
    },
    /// `directory.sign-in-postponed`: too many sign-ins wait for a hash; the peer was asked to come back.
    SignInPostponed {
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
    },
    /// `directory.changed`: an administrator changed something, and it is on disk.
    Changed {
        /// `domain`, `account`, `alias`
        noun: &'static str,
        /// `added`, `set`, `removed`
        verb: &'static str,
        /// its name
        name: String,
    },
    /// `directory.row-unreadable`: a stored row was left out because it cannot be read.
    RowUnreadable {
        /// `domain`, `account`, `alias`
        noun: &'static str,
        /// its name
        name: String,
    },
}

impl Event for DirectoryEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Loaded { .. } => "directory.loaded",
            Self::SignedIn { .. } => "directory.signed-in",
            Self::SignInRefused { .. } => "directory.sign-in-refused",
            Self::SignInPostponed { .. } => "directory.sign-in-postponed",
            Self::Changed { .. } => "directory.changed",
            Self::RowUnreadable { .. } => "directory.row-unreadable",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Loaded { .. } | Self::SignedIn { .. } | Self::Changed { .. } => Severity::Info,
            Self::SignInRefused { .. } | Self::SignInPostponed { .. } => Severity::Warning,
            Self::RowUnreadable { .. } => Severity::Alert,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::Loaded {
                domains,
                accounts,
                aliases,
            } => {
                format!("Loaded {domains} domains, {accounts} accounts and {aliases} aliases")
            }
            Self::SignedIn { address, door, peer } => format!("{address} signed in on {door} from {peer}"),
            Self::SignInRefused {
                user,
                door,
                peer,
                reason,
            } => {
                format!("Refused the sign-in of {user:?} on {door} from {peer}: {reason}")
            }
            Self::SignInPostponed { door, peer } => {
                format!("Asked {peer} on {door} to sign in later: too many passwords are being checked")
            }
            Self::Changed { noun, verb, name } => format!("The {noun} {name} was {verb}"),
            Self::RowUnreadable { noun, name } => {
                format!(
                    "The stored {noun} {name} cannot be read and is left out: set it anew with `hearthpost {noun} set`"
                )
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Loaded {
                domains,
                accounts,
                aliases,
            } => {
                field("domains", Value::Number(*domains));
                field("accounts", Value::Number(*accounts));
                field("aliases", Value::Number(*aliases));
            }
            Self::SignedIn { address, door, peer } => {
                field("account", Value::Text(address));
                field("door", Value::Text(door));
                field("peer", Value::Text(&peer.to_string()));
            }
            Self::SignInRefused {
                user,
                door,
                peer,
                reason,
            } => {
                field("user", Value::Text(user));
                field("door", Value::Text(door));
                field("peer", Value::Text(&peer.to_string()));
                field("reason", Value::Text(reason));
            }
            Self::SignInPostponed { door, peer } => {
                field("door", Value::Text(door));
                field("peer", Value::Text(&peer.to_string()));
            }
            Self::Changed { noun, verb, name } => {
                field("noun", Value::Text(noun));
                field("verb", Value::Text(verb));
                field("name", Value::Text(name));
            }
            Self::RowUnreadable { noun, name } => {
                field("noun", Value::Text(noun));
                field("name", Value::Text(name));
            }
        }
    }
}
