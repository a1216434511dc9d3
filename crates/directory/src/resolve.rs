//! To whom an address belongs: a pure walk over the tables in memory.
//!
//! A domain that is an alias of another stands for it. The order of answers for one address then: the account or alias of
//! exactly that name; the one without its tag; the postmaster rule; the domain's catch-all; nobody. Aliases may name
//! aliases, and addresses on other servers.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use mail::address::{AddressKey, Domain, Mailbox, Path, Utf8};
use mail::ids::AccountId;

use crate::forward::Forward;
use crate::limits::{ALIAS_DEPTH, ALIAS_RECIPIENTS};
use crate::snapshot::{Account, DomainSettings, Name, Snapshot};

/// To whom an address belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A name of ours, and whom it reaches.
    Local(Reached),
    /// A domain of ours without such a user: 550 5.1.1.
    UnknownUser,
    /// A user of ours who takes no mail. For the outside the same as [`Resolution::UnknownUser`], so that nobody can probe.
    Disabled,
    /// A return address of forwarded mail ([`crate::srs`]), and this mail is no report: 550 5.7.1.
    ReportsOnly,
    /// Not a domain of ours: 550 5.7.1 for a stranger, remote for a submitter.
    NotOurs,
}

/// Whom an address of ours reaches: at least one, here or elsewhere, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub(crate) recipients: Vec<LocalRecipient>,
    pub(crate) forwards: Vec<Forward>,
}

impl Reached {
    /// Accounts here.
    pub fn recipients(&self) -> &[LocalRecipient] {
        &self.recipients
    }

    /// Addresses on other servers.
    pub fn forwards(&self) -> &[Forward] {
        &self.forwards
    }

    /// Both, given away.
    pub fn into_parts(self) -> (Vec<LocalRecipient>, Vec<Forward>) {
        (self.recipients, self.forwards)
    }
}

impl Resolution {
    /// The accounts here, if there are any.
    pub fn recipients(&self) -> &[LocalRecipient] {
        match self {
            Self::Local(reached) => &reached.recipients,
            _ => &[],
        }
    }

    /// The addresses on other servers to which the name leads, if there are any.
    pub fn forwards(&self) -> &[Forward] {
        match self {
            Self::Local(reached) => &reached.forwards,
            _ => &[],
        }
    }

    pub(crate) fn local(recipients: Vec<LocalRecipient>, forwards: Vec<Forward>) -> Self {
        Self::Local(Reached { recipients, forwards })
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
    /// To whom `address` belongs. Forwards have no sender yet: `forward` gives them one.
    pub(crate) fn resolve(&self, address: &Mailbox) -> Resolution {
        let Some((meant, settings)) = self.meant(address) else {
            return Resolution::NotOurs;
        };
        let found = self.expand(address, &meant, settings);
        match found {
            Resolution::Local(_) => found,
            _ if is_postmaster(&meant, settings) => {
                self.postmaster_of(address, &meant, settings).unwrap_or(found)
            }
            _ => found,
        }
    }

    /// Whether mail to `address` reaches `account` and nobody else, because of its own names: an address that several people
    /// share is nobody's own, and the postmaster rule, which finds a reader where nobody was named, gives no right to send.
    pub(crate) fn is_own(&self, account: AccountId, address: &Mailbox) -> bool {
        let Some((meant, settings)) = self.meant(address) else {
            return false;
        };
        match self.expand(address, &meant, settings) {
            Resolution::Local(Reached { recipients, forwards }) => {
                forwards.is_empty() && matches!(&recipients[..], [only] if only.account() == account)
            }
            _ => false,
        }
    }

    /// The address behind `address` when its domain is an alias of another, else itself; with the settings of its domain.
    /// Nothing when the domain is not ours.
    pub(crate) fn meant(&self, address: &Mailbox) -> Option<(Mailbox, &DomainSettings)> {
        let settings = self.domains.get(address.domain().as_str())?;
        let Some(of) = &settings.alias_of else {
            return Some((address.clone(), settings));
        };
        let domain = Domain::parse(of).ok()?;
        let meant = Mailbox::new(address.local().clone(), domain).ok()?;
        Some((meant, self.domains.get(of)?))
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
        self.meant(address)
            .is_some_and(|(meant, settings)| self.look_up(&meant, settings).is_some())
    }

    /// Follows the names from `meant`; `address` is how it was asked for.
    fn expand(&self, address: &Mailbox, meant: &Mailbox, settings: &DomainSettings) -> Resolution {
        let Some((name, tag)) = self.look_up(meant, settings) else {
            return Resolution::UnknownUser;
        };
        let mut walk = Walk::new(address, meant);
        walk.visit(self, name, tag, 0);
        while let Some((target, tag, depth)) = walk.ahead.pop_front() {
            let Some((target, settings)) = self.meant(&target) else {
                walk.forward(target);
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
    pub(crate) fn look_up(
        &self,
        address: &Mailbox,
        settings: &DomainSettings,
    ) -> Option<(&Name, Option<String>)> {
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
    fn postmaster_of(
        &self,
        address: &Mailbox,
        meant: &Mailbox,
        settings: &DomainSettings,
    ) -> Option<Resolution> {
        let configured = settings
            .postmaster
            .as_deref()
            .and_then(|text| Mailbox::parse(text, Utf8::Allowed).ok());
        if let Some(target) = configured
            && let Some((target, settings)) = self.meant(&target)
            && let found @ Resolution::Local(_) = self.expand(address, &target, settings)
        {
            return Some(found);
        }
        let account = self.first_enabled(meant.domain().as_str())?;
        let recipient = LocalRecipient {
            account,
            original: address.clone(),
            tag: None,
        };
        Some(Resolution::local(vec![recipient], Vec::new()))
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
    forwards: Vec<Forward>,
    met_disabled: bool,
}

impl<'a> Walk<'a> {
    fn new(original: &'a Mailbox, meant: &Mailbox) -> Self {
        Self {
            original,
            ahead: VecDeque::new(),
            seen: HashSet::from([AddressKey::exact(meant)]),
            accounts: HashSet::new(),
            recipients: Vec::new(),
            forwards: Vec::new(),
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
                } else if self.has_room() && self.accounts.insert(*id) {
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

    fn forward(&mut self, target: Mailbox) {
        if self.has_room() && self.seen.insert(AddressKey::exact(&target)) {
            self.forwards.push(Forward {
                target,
                via: self.original.clone(),
                reverse_path: Path::Null,
            });
        }
    }

    fn has_room(&self) -> bool {
        self.recipients.len() + self.forwards.len() < ALIAS_RECIPIENTS
    }

    fn answer(self) -> Resolution {
        let nobody = self.recipients.is_empty() && self.forwards.is_empty();
        match (nobody, self.met_disabled) {
            (false, _) => Resolution::local(self.recipients, self.forwards),
            (true, true) => Resolution::Disabled,
            (true, false) => Resolution::UnknownUser,
        }
    }
}
