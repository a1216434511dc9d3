//! To whom an address belongs: a pure walk over the tables in memory.
//!
//! The order of answers for one address: the account or alias of exactly that name; the one without its tag; the
//! postmaster rule; the domain's catch-all; nobody. Aliases may name aliases.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use mail::address::{AddressKey, Mailbox, Utf8};
use mail::ids::AccountId;

use crate::limits::{ALIAS_DEPTH, ALIAS_RECIPIENTS};
use crate::snapshot::{Account, DomainSettings, Name, Snapshot};

/// To whom an address belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// These accounts, each once; at least one.
    Local(Vec<LocalRecipient>),
    /// A domain of ours without such a user: 550 5.1.1.
    UnknownUser,
    /// A user of ours who takes no mail. For the outside the same as [`Resolution::UnknownUser`], so that nobody can probe.
    Disabled,
    /// Not a domain of ours: 550 5.7.1 for a stranger, remote for a submitter.
    NotOurs,
}

impl Resolution {
    /// The recipients, if there are any.
    pub fn recipients(&self) -> &[LocalRecipient] {
        match self {
            Self::Local(recipients) => recipients,
            _ => &[],
        }
    }
}

/// An account that gets a copy. Only the directory makes one.
#[derive(Debug, Clone)]
pub struct LocalRecipient {
    account: Arc<Account>,
    original: Mailbox,
    tag: Option<String>,
}

impl PartialEq for LocalRecipient {
    fn eq(&self, other: &Self) -> bool {
        self.account.id == other.account.id && self.original == other.original && self.tag == other.tag
    }
}

impl Eq for LocalRecipient {}

impl LocalRecipient {
    /// Whose mailbox.
    pub fn account(&self) -> AccountId {
        self.account.id
    }
    /// The account's main address, for Delivered-To.
    pub fn address(&self) -> &Mailbox {
        &self.account.address
    }
    /// The address that was asked for, as it was written.
    pub fn original(&self) -> &Mailbox {
        &self.original
    }
    /// The tag behind the separator (`news` of `alice+news@…`), as it was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
    pub(crate) fn entry(&self) -> &Account {
        &self.account
    }
}

impl Snapshot {
    /// To whom `address` belongs.
    pub(crate) fn resolve(&self, address: &Mailbox) -> Resolution {
        let Some(settings) = self.domains.get(address.domain().as_str()) else {
            return Resolution::NotOurs;
        };
        let found = self.expand(address, settings);
        match found {
            Resolution::Local(_) => found,
            _ if is_postmaster(address, settings) => self.postmaster_of(address, settings).unwrap_or(found),
            _ => found,
        }
    }

    /// Whether mail to `address` reaches `account` and nobody else, because of its own names: an address that several people
    /// share is nobody's own, and the postmaster rule, which finds a reader where nobody was named, gives no right to send.
    pub(crate) fn is_own(&self, account: AccountId, address: &Mailbox) -> bool {
        let settings = self.domains.get(address.domain().as_str());
        settings.is_some_and(|settings| {
            matches!(self.expand(address, settings).recipients(), [only] if only.account() == account)
        })
    }

    /// To whom `<postmaster>` without a domain belongs: the first domain, in name order, that has somebody to take it.
    pub(crate) fn resolve_postmaster(&self) -> Resolution {
        let addresses = self.domains.keys().filter_map(|domain| postmaster_at(domain));
        let mut found = addresses.map(|address| self.resolve(&address));
        found
            .find(|found| matches!(found, Resolution::Local(_)))
            .unwrap_or(Resolution::UnknownUser)
    }

    /// Whether some account or alias answers for `address`, enabled or not.
    pub(crate) fn has_name(&self, address: &Mailbox) -> bool {
        let settings = self.domains.get(address.domain().as_str());
        settings.is_some_and(|settings| self.look_up(address, settings).is_some())
    }

    fn expand(&self, address: &Mailbox, settings: &DomainSettings) -> Resolution {
        let Some((name, tag)) = self.look_up(address, settings) else {
            return Resolution::UnknownUser;
        };
        let mut walk = Walk::new(address);
        walk.visit(self, name, tag, 0);
        while let Some((target, tag, depth)) = walk.ahead.pop_front() {
            let Some(settings) = self.domains.get(target.domain().as_str()) else {
                continue;
            };
            if !walk.seen.insert(AddressKey::exact(&target)) {
                continue;
            }
            if let Some((name, own_tag)) = self.look_up(&target, settings) {
                walk.visit(self, name, own_tag.or(tag), depth);
            }
        }
        walk.answer()
    }

    /// The name that answers for `address`, and the tag that was split off on the way.
    fn look_up(&self, address: &Mailbox, settings: &DomainSettings) -> Option<(&Name, Option<String>)> {
        if let Some(name) = self.names.get(AddressKey::exact(address).as_str()) {
            return Some((name, None));
        }
        if let Some(separator) = settings.separator {
            let (key, tag) = AddressKey::split(address, separator);
            if let (Some(name), Some(tag)) = (self.names.get(key.as_str()), tag) {
                return Some((name, Some(tag)));
            }
        }
        if is_postmaster(address, settings) {
            return None; // its own rule comes before the catch-all
        }
        let name = self.names.get(&format!("@{}", address.domain()))?;
        Some((name, None))
    }

    // RFC 5321 §4.5.1: a server must accept mail for postmaster of every domain it serves.
    fn postmaster_of(&self, address: &Mailbox, settings: &DomainSettings) -> Option<Resolution> {
        let configured = settings
            .postmaster
            .as_deref()
            .and_then(|text| Mailbox::parse(text, Utf8::Allowed).ok());
        if let Some(target) = configured
            && let Some(settings) = self.domains.get(target.domain().as_str())
            && let Resolution::Local(mut recipients) = self.expand(&target, settings)
        {
            for recipient in &mut recipients {
                recipient.original = address.clone();
            }
            return Some(Resolution::Local(recipients));
        }
        let account = self.first_enabled(address.domain().as_str())?;
        let recipient = LocalRecipient {
            account,
            original: address.clone(),
            tag: None,
        };
        Some(Resolution::Local(vec![recipient]))
    }

    /// The oldest enabled account of the domain, else of the whole server.
    fn first_enabled(&self, domain: &str) -> Option<Arc<Account>> {
        let enabled = |id: &AccountId| self.accounts.get(id).filter(|account| account.enabled).cloned();
        let here = self
            .by_domain
            .get(domain)
            .and_then(|ids| ids.iter().find_map(enabled));
        here.or_else(|| {
            self.accounts
                .values()
                .filter(|account| account.enabled)
                .min_by_key(|a| a.id)
                .cloned()
        })
    }
}

fn is_postmaster(address: &Mailbox, settings: &DomainSettings) -> bool {
    let key = match settings.separator {
        Some(separator) => AddressKey::split(address, separator).0,
        None => AddressKey::exact(address),
    };
    key.local() == "postmaster"
}

fn postmaster_at(domain: &str) -> Option<Mailbox> {
    Mailbox::parse(&format!("postmaster@{domain}"), Utf8::Refused).ok()
}

/// The way through aliases of aliases.
struct Walk<'a> {
    original: &'a Mailbox,
    ahead: VecDeque<(Mailbox, Option<String>, usize)>,
    seen: HashSet<AddressKey>,
    accounts: HashSet<AccountId>,
    recipients: Vec<LocalRecipient>,
    met_disabled: bool,
}

impl<'a> Walk<'a> {
    fn new(original: &'a Mailbox) -> Self {
        Self {
            original,
            ahead: VecDeque::new(),
            seen: HashSet::from([AddressKey::exact(original)]),
            accounts: HashSet::new(),
            recipients: Vec::new(),
            met_disabled: false,
        }
    }

    fn visit(&mut self, tables: &Snapshot, name: &Name, tag: Option<String>, depth: usize) {
        match name {
            Name::Account(id) => {
                let Some(account) = tables.accounts.get(id) else {
                    return;
                };
                if !account.enabled {
                    self.met_disabled = true;
                } else if self.recipients.len() < ALIAS_RECIPIENTS && self.accounts.insert(*id) {
                    self.recipients.push(LocalRecipient {
                        account: account.clone(),
                        original: self.original.clone(),
                        tag,
                    });
                }
            }
            Name::Alias(targets) if depth < ALIAS_DEPTH => {
                self.ahead.extend(
                    targets
                        .iter()
                        .map(|target| (target.clone(), tag.clone(), depth + 1)),
                );
            }
            Name::Alias(_) => {}
        }
    }

    fn answer(self) -> Resolution {
        match (self.recipients.is_empty(), self.met_disabled) {
            (false, _) => Resolution::Local(self.recipients),
            (true, true) => Resolution::Disabled,
            (true, false) => Resolution::UnknownUser,
        }
    }
}
