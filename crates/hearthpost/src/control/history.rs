//! Who changed what: every change of domains, accounts and aliases is written down with what was before and after.
//!
//! 1. [`around`] does a request; the directory tells of each change, and the [`Record`] of it goes into the store's audit in the batch of
//!    the change ([`directory::noted`]).
//! 2. [`answer`] reads them back; [`super::undo`] takes one back.
//!
//! Changes go one at a time, so that what a record says is what its change did. Passwords and their verifiers are never in it,
//! only that one was set. There is no change without its record, whenever the machine stops.

use std::collections::VecDeque;

use directory::Change;
use mail::address::Domain;
use mail::ids::{ChangeId, Id};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::{AuditRow, Store, StoreError};
use tokio::sync::MutexGuard;

use super::{Answer, Request as AnyRequest, account, alias, domain};
use crate::limits::HISTORY_ENTRIES;
use crate::services::Services;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By(String);

impl By {
    /// A user of this machine.
    pub fn user(uid: u32) -> Self {
        Self(format!("uid {uid}"))
    }

    /// As it is written down.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The server by itself.
    pub fn server() -> Self {
        Self("server".to_owned())
    }

    /// The settings file.
    pub fn settings() -> Self {
        Self("settings".to_owned())
    }
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The newest [`Shown`] entries, newest first.
    List {
        /// of this noun only
        noun: Option<String>,
        /// about this name only
        name: Option<String>,
        /// at most so many
        limit: usize,
    },
    /// Take one back.
    Undo {
        /// of the entry
        id: String,
    },
}

/// The kinds of things that have a history of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Noun {
    Domain,
    Account,
    Alias,
}

/// One thing a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// its kind
    pub noun: Noun,
    /// its name, in the form in which it is kept
    pub name: String,
}

/// A written down change. In the store it is JSON; entries of others may lack all but a few of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// who
    pub by: String,
    /// `domain`, `account`, `alias`, `tls`, or another for which there is no undo
    pub noun: String,
    /// `added`, `set`, `removed`
    pub verb: String,
    /// whose
    pub name: String,
    /// its state before, `None`: it was not there
    pub before: Option<Value>,
    /// its state after, `None`: it is gone
    pub after: Option<Value>,
    /// a password was set
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub password: bool,
    /// octets of mail that went with it
    #[serde(skip_serializing_if = "is_zero")]
    pub lost_bytes: u64,
    /// the change that this one takes back
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// what else there is to say
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An entry as it is answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// of the entry (c…)
    pub id: String,
    /// when (RFC 3339)
    pub at: String,
    /// what
    #[serde(flatten)]
    pub record: Record,
}

/// Answers.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    match request {
        Request::List { noun, name, limit } => {
            let wanted = |record: &Record| {
                noun.as_ref().is_none_or(|noun| *noun == record.noun)
                    && name
                        .as_ref()
                        .is_none_or(|name| name.eq_ignore_ascii_case(&record.name))
            };
            match newest(services.store.as_ref(), wanted, limit.min(HISTORY_ENTRIES)).await {
                Ok(entries) => Answer::done(entries),
                Err(error) => Answer::Failed(error.to_string()),
            }
        }
        Request::Undo { id } => match id.parse::<ChangeId>() {
            Ok(id) => super::undo::undo(services, by, id).await,
            Err(_) => Answer::Wrong(format!(
                "{id:?} is no change: one letter c and 13 more are expected. See all with: hearthpost history"
            )),
        },
    }
}

async fn newest(
    store: &dyn Store,
    wanted: impl Fn(&Record) -> bool,
    limit: usize,
) -> Result<Vec<Shown>, StoreError> {
    let mut kept = VecDeque::with_capacity(limit);
    let mut after = 0;
    loop {
        let page = store.audit(after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in page {
            let record = Record::read(&row.text);
            if !wanted(&record) || limit == 0 {
                continue;
            }
            if kept.len() == limit {
                kept.pop_front();
            }
            kept.push_back((row.id, row.at, record));
        }
    }
    let shown = kept.into_iter().rev().map(|(id, at, record)| Shown {
        id: ChangeId::from_raw(id).to_string(),
        at: at.rfc3339(),
        record,
    });
    Ok(shown.collect())
}

/// The entry with this id.
pub async fn find(store: &dyn Store, id: ChangeId) -> Result<Option<Record>, StoreError> {
    let page = store.audit(id.raw().saturating_sub(1)).await?;
    let found = page.first().filter(|row| row.id == id.raw());
    Ok(found.map(|row| Record::read(&row.text)))
}

/// The newest entry about the same thing after `id`.
pub async fn newer(store: &dyn Store, id: ChangeId, like: &Record) -> Result<Option<ChangeId>, StoreError> {
    let (mut after, mut found) = (id.raw(), None);
    loop {
        let page = store.audit(after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.id;
        let same = |row: &&AuditRow| {
            let record = Record::read(&row.text);
            record.noun == like.noun && record.name == like.name
        };
        if let Some(row) = page.iter().rfind(same) {
            found = Some(ChangeId::from_raw(row.id));
        }
    }
}

impl Record {
    /// From the store's text; what is no record is a note.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            note: Some(text.to_owned()),
            ..Self::default()
        })
    }

    /// What it is about, if that has states.
    pub fn subject(&self) -> Option<Subject> {
        let noun = match self.noun.as_str() {
            "domain" => Noun::Domain,
            "account" => Noun::Account,
            "alias" => Noun::Alias,
            _ => return None,
        };
        Some(Subject {
            noun,
            name: self.name.clone(),
        })
    }

    fn of(by: &By, change: &Change, undoes: Option<ChangeId>) -> Self {
        Self {
            by: by.0.clone(),
            noun: change.noun.to_owned(),
            verb: match (&change.before, &change.after) {
                (None, _) => "added",
                (Some(_), Some(_)) => "set",
                (Some(_), None) => "removed",
            }
            .to_owned(),
            name: change.name.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            password: change.password,
            lost_bytes: if change.after.is_none() {
                change.used_bytes
            } else {
                0
            },
            undoes: undoes.map(|id| id.to_string()),
            note: None,
        }
    }
}

/// What a request would change.
pub fn subjects(request: &AnyRequest) -> Vec<Subject> {
    match request {
        AnyRequest::Domain(request) => domains(request),
        AnyRequest::Account(request) => accounts(request),
        AnyRequest::Alias(request) => aliases(request),
        _ => Vec::new(),
    }
}

fn domains(request: &domain::Request) -> Vec<Subject> {
    let name = match request {
        domain::Request::Add { name, .. }
        | domain::Request::Set { name, .. }
        | domain::Request::Remove { name }
        | domain::Request::AddAlias { new: name, .. }
        | domain::Request::RemoveAlias { new: name } => name,
        domain::Request::List | domain::Request::Show { .. } | domain::Request::ListAliases => {
            return Vec::new();
        }
    };
    vec![Subject::domain(name)]
}

fn accounts(request: &account::Request) -> Vec<Subject> {
    match request {
        account::Request::Add { accounts } => {
            let subjects = accounts.iter().map(|new| Subject::account(&new.address));
            subjects.collect()
        }
        account::Request::Set { address, .. }
        | account::Request::Remove { address }
        | account::Request::GrantSendAs { address, .. }
        | account::Request::RevokeSendAs { address, .. } => vec![Subject::account(address)],
        account::Request::List
        | account::Request::Show { .. }
        | account::Request::Holdings { .. }
        | account::Request::ListSendAs { .. } => Vec::new(),
    }
}

fn aliases(request: &alias::Request) -> Vec<Subject> {
    match request {
        alias::Request::Add { aliases } => aliases.iter().map(|new| Subject::alias(&new.address)).collect(),
        alias::Request::Set { alias } => vec![Subject::alias(&alias.address)],
        alias::Request::Remove { address } => vec![Subject::alias(address)],
        alias::Request::List | alias::Request::Show { .. } => Vec::new(),
    }
}

impl Subject {
    /// The domain of this name.
    pub fn domain(name: &str) -> Self {
        let name = Domain::parse(name).map_or_else(|_| name.to_owned(), |domain| domain.as_str().to_owned());
        Self {
            noun: Noun::Domain,
            name,
        }
    }

    fn account(address: &str) -> Self {
        Self {
            noun: Noun::Account,
            name: address.to_owned(),
        }
    }

    fn alias(address: &str) -> Self {
        Self {
            noun: Noun::Alias,
            name: address.to_owned(),
        }
    }

    /// Its present state, `None` when it is not there. The name becomes the one that is kept.
    pub fn state(&mut self, services: &Services) -> Option<Value> {
        let directory = &services.directory;
        let (name, state) = match self.noun {
            Noun::Domain => directory.domain_known(&self.name),
            Noun::Account => directory.account_known(&self.name),
            Noun::Alias => directory.alias_known(&self.name),
        }?;
        self.name = name;
        Some(state)
    }
}

/// What is to be written down of a piece of work.
pub struct About<'a> {
    /// who asks for it
    pub by: &'a By,
    /// what it is about
    pub subjects: Vec<Subject>,
    /// the change it takes back
    pub undoes: Option<ChangeId>,
}

/// The turn to change something. Whatever a change is decided from is looked at while one has it: two who ask at once would else both find
/// the state that only one of them changes.
pub struct Turn<'a> {
    _held: MutexGuard<'a, ()>,
}

impl<'a> Turn<'a> {
    /// Waits for it.
    pub async fn of(services: &'a Services) -> Self {
        Self {
            _held: services.changing.lock().await,
        }
    }
}

/// Does `work` and writes down what it changes.
pub async fn around(services: &Services, about: About<'_>, work: impl Future<Output = Answer>) -> Answer {
    let turn = Turn::of(services).await;
    during(&turn, services, about, work).await
}

/// The same for who has the turn already.
pub async fn during(
    _turn: &Turn<'_>,
    services: &Services,
    about: About<'_>,
    work: impl Future<Output = Answer>,
) -> Answer {
    // How much mail an account has: what a removal would lose. When that cannot be read, what was known last is told.
    if let [only] = about.subjects.as_slice()
        && only.noun == Noun::Account
    {
        let _ = services.directory.refresh_usage().await;
    }
    let (by, undoes) = (about.by.clone(), about.undoes);
    let write = move |change: &Change| {
        let record = Record::of(&by, change, undoes);
        serde_json::to_string(&record).expect("plain values are always JSON")
    };
    directory::noted(write, work).await
}
