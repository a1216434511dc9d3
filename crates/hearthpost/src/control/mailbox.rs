//! Requests about rights in mailboxes: who may do what with a mailbox of somebody else.
//!
//! A change and its entry of the history are one commit. Sessions that have the mailbox open, and those that
//! watch, hear of it by the store's notice.

use directory::Directory;
use mail::ids::AccountId;
use mailbox::{Entry, MailboxName, Tree};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::contract::{Batch, Conflict, GrantRow, Op, StoreError, Urgency};
use store::rights::{Grant, Grantee, Rights, RightsChange, Side};

use super::Answer;
use super::history::{By, Record, Turn};
use crate::services::Services;

/// Stands for every account of this server.
pub const ANYONE: &str = "anyone";

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the command line documents the same fields
pub enum Request {
    /// The entries of one mailbox, or of all that have some: [`Shown`].
    Rights {
        address: String,
        mailbox: Option<String>,
    },
    /// Sets an entry; without rights it goes. Answered with the mailbox's entries.
    SetRights {
        address: String,
        mailbox: String,
        who: String,
        rights: String,
    },
}

/// An entry as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// whose mailbox
    pub address: String,
    /// the owner's name for it
    pub mailbox: String,
    /// an account's address, or [`ANYONE`]
    pub who: String,
    /// what it gives
    pub rights: String,
    /// what it takes, whoever else gives it
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub taken: String,
}

/// Why it is not done.
enum Refused {
    Said(String),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Answers.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    let done = match request {
        Request::Rights { address, mailbox } => list(services, &address, mailbox.as_deref()).await,
        Request::SetRights {
            address,
            mailbox,
            who,
            rights,
        } => set(services, by, (&address, &mailbox), (&who, &rights)).await,
    };
    match done {
        Ok(shown) => Answer::done(shown),
        Err(Refused::Said(text)) => Answer::Refused(text),
        Err(Refused::Store(StoreError::Conflict(Conflict::TooManyEntries))) => Answer::Refused(
            "this mailbox has entries about as many accounts as it may; remove one first".to_owned(),
        ),
        Err(Refused::Store(StoreError::Conflict(Conflict::TooManyPublic))) => Answer::Refused(
            "this account shows everybody as many mailboxes as it may; take one back first".to_owned(),
        ),
        Err(Refused::Store(error)) => Answer::Failed(error.to_string()),
    }
}

async fn list(services: &Services, address: &str, mailbox: Option<&str>) -> Result<Vec<Shown>, Refused> {
    let owner = account_of(services, address)?;
    let tree = Tree::of(services.store.mailboxes(owner).await?);
    if let Some(name) = mailbox {
        let entry = find(&tree, address, name)?;
        let rows = services.store.grants(entry.row.id).await?;
        return Ok(shown(services, address, &tree, &rows));
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let rows = services.store.grants_of(owner, after).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.mailbox);
        all.extend(rows);
    }
    Ok(shown(services, address, &tree, &all))
}

async fn set(
    services: &Services,
    by: &By,
    (address, mailbox): (&str, &str),
    (who, rights): (&str, &str),
) -> Result<Vec<Shown>, Refused> {
    let _turn = Turn::of(services).await;
    let owner = account_of(services, address)?;
    let tree = Tree::of(services.store.mailboxes(owner).await?);
    let entry = find(&tree, address, mailbox)?;
    let rights = Rights::parse(rights).map_err(|letter| {
        Refused::Said(format!(
            "{letter:?} is no right. There are l r s w i p k x t e a, and c and d for kx and te"
        ))
    })?;
    let (grantee, side) = whom(services, who, owner)?;
    let change = Op::ChangeGrant {
        mailbox: entry.row.id,
        who: grantee,
        side,
        change: RightsChange::Set(rights),
    };
    let before = services.store.grants(entry.row.id).await?;
    let note = record(
        by,
        (address, &entry.name),
        (who, side),
        (&before, grantee, rights),
    );
    match (&note.before, &note.after) {
        (None, None) => {
            return Err(Refused::Said(format!(
                "{mailbox} of {address} has no entry about {who}. See all with: hearthpost mailbox acl list {address}"
            )));
        }
        (was, is) if was == is => return Ok(shown(services, address, &tree, &before)),
        _ => {}
    }
    let text = serde_json::to_string(&note).expect("plain values are always JSON");
    let batch = Batch {
        urgency: Urgency::Urgent,
        ops: vec![change, Op::Audit { text }],
    };
    services.store.commit(batch).await?.committed();
    let rows = services.store.grants(entry.row.id).await?;
    Ok(shown(services, address, &tree, &rows))
}

fn record(
    by: &By,
    (address, mailbox): (&str, &str),
    (who, side): (&str, Side),
    (rows, grantee, rights): (&[GrantRow], Grantee, Rights),
) -> Record {
    let known = rows.iter().find(|row| row.who == grantee).map(|row| row.grant);
    let of_side = |grant: Grant| match side {
        Side::Given => grant.given,
        Side::Taken => grant.taken,
    };
    let state = |rights: Rights| (!rights.is_empty()).then(|| json!({ who: rights.to_string() }));
    let (before, after) = (state(known.map(of_side).unwrap_or_default()), state(rights));
    let gone = after
        .is_none()
        .then(|| format!("({who} {})", known.map(of_side).unwrap_or_default()));
    let verb = match (&before, &after) {
        (None, _) => "added",
        (Some(_), Some(_)) => "set",
        (Some(_), None) => "removed",
    };
    Record {
        by: by.text().to_owned(),
        noun: "mailbox".to_owned(),
        verb: verb.to_owned(),
        name: format!("{address} {mailbox}"),
        before,
        after,
        note: gone,
        ..Record::default()
    }
}

fn account_of(services: &Services, address: &str) -> Result<AccountId, Refused> {
    let account = services.directory.account_of(address);
    account.ok_or_else(|| {
        Refused::Said(format!(
            "{address} is not the main address of an account here. See all with: hearthpost account list"
        ))
    })
}

fn whom(services: &Services, who: &str, owner: AccountId) -> Result<(Grantee, Side), Refused> {
    let (who, side) = match who.strip_prefix('-') {
        Some(rest) => (rest, Side::Taken),
        None => (who, Side::Given),
    };
    if who == ANYONE {
        return Ok((Grantee::Anyone, side));
    }
    let account = account_of(services, who)?;
    if account == owner {
        return Err(Refused::Said(
            "the owner of a mailbox has every right in it, always".to_owned(),
        ));
    }
    Ok((Grantee::Account(account), side))
}

fn find<'t>(tree: &'t Tree, address: &str, name: &str) -> Result<&'t Entry, Refused> {
    let parsed = MailboxName::parse(name).map_err(|bad| Refused::Said(bad.to_string()))?;
    tree.find(&parsed)
        .ok_or_else(|| Refused::Said(format!("{address} has no mailbox {name}")))
}

fn shown(services: &Services, address: &str, tree: &Tree, rows: &[GrantRow]) -> Vec<Shown> {
    let name = |row: &GrantRow| {
        let entry = tree.entries().iter().find(|entry| entry.row.id == row.mailbox);
        entry.map_or_else(|| row.mailbox.to_string(), |entry| entry.name.clone())
    };
    let mut shown: Vec<Shown> = rows
        .iter()
        .map(|row| Shown {
            address: address.to_owned(),
            mailbox: name(row),
            who: called(&services.directory, row.who),
            rights: row.grant.given.to_string(),
            taken: row.grant.taken.to_string(),
        })
        .collect();
    shown.sort_by(|one, other| (&one.mailbox, &one.who).cmp(&(&other.mailbox, &other.who)));
    shown
}

fn called(directory: &Directory, who: Grantee) -> String {
    match who {
        Grantee::Anyone => ANYONE.to_owned(),
        Grantee::Account(account) => directory
            .address_of(account)
            .map_or_else(|| account.to_string(), |address| address.to_string()),
    }
}
