//! Requests about the queue. All come in pages: the caller goes on behind `next` until there is none.

use std::time::Duration;

use mail::ids::{AccountId, QueueId};
use queue::attempt::AttemptText;
use queue::list::{Entry, entry, page};
use queue::operate::{self, Act, Order};
use queue::params::EnvelopeParams;
use serde::{Deserialize, Serialize};
use store::contract::{AcceptedMessage, AttemptRow, StoreError};

use super::Answer;
use super::history::By;
use crate::services::Services;

/// Where a page ended: queue id and position of a recipient.
pub type Place = (String, u32);

/// What can be asked of the queue.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Who still waits and is meant: one [`Page`], oldest first.
    List {
        /// who is meant
        selection: Selection,
        /// behind this row
        after: Option<Place>,
    },
    /// Does something to those who are meant, or counts them: one [`Changed`].
    Change {
        /// what
        act: Act,
        /// who is meant
        selection: Selection,
        /// whether it is done; otherwise it is only counted
        yes: bool,
        /// behind this row
        after: Option<Place>,
    },
    /// One message: a [`Shown`].
    Show {
        /// its queue id
        id: String,
    },
    /// Attempts to deliver a message, in order: a list of [`Attempt`], empty at the end.
    Attempts {
        /// its queue id
        id: String,
        /// behind this (recipient, number)
        after: Option<(u32, u32)>,
    },
}

/// Which of those who wait are meant; every given part must fit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// recipients of this message
    pub id: Option<String>,
    /// envelope sender: an address, `@domain`, or `<>`
    pub from: Option<String>,
    /// recipient: an address or `@domain`
    pub to: Option<String>,
    /// the recipient's domain
    pub domain: Option<String>,
    /// came at least so many seconds ago
    pub older_than_s: Option<u64>,
    /// the reason holds this text
    pub error: Option<String>,
    /// submitted by this account: its address or its id
    pub account: Option<String>,
    /// held by an operator, or not
    pub held: Option<bool>,
    /// id, sender, recipient or reason holds this text
    pub text: Option<String>,
}

/// A part of the list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// those who are meant
    pub waiting: Vec<Waiting>,
    /// go on behind this row
    pub next: Option<Place>,
}

/// What a part of a change came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Changed {
    /// how many were meant
    pub matched: u64,
    /// the first few of them
    pub sample: Vec<Waiting>,
    /// how many were changed
    pub changed: u64,
    /// go on behind this row
    pub next: Option<Place>,
}

/// One waiting recipient.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    /// whose message
    pub queue_id: String,
    /// position among the message's recipients
    pub recipient: u32,
    /// envelope sender; `<>` for none
    pub from: String,
    /// whom it is for
    pub to: String,
    /// whether that is one of ours
    pub local: bool,
    /// `waiting` or `held`
    pub state: String,
    /// destination and sending account
    pub lane: String,
    /// address of the account that submitted it, or its id when it is gone
    pub account: Option<String>,
    /// octets of the message
    pub size_bytes: u64,
    /// when it came (RFC 3339)
    pub received_at: String,
    /// when it is tried next (RFC 3339)
    pub due: String,
    /// when the sender is told of the delay, or it is given up (RFC 3339)
    pub deadline: String,
    /// tries so far
    pub attempts: u32,
    /// why it waits
    pub reason: String,
}

/// A message, as far as the queue knows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// its queue id
    pub id: String,
    /// its envelope; none when nobody waits for it any more
    pub message: Option<Message>,
    /// the first recipients who wait
    pub recipients: Vec<Waiting>,
}

/// The envelope of a message in the queue.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// envelope sender; `<>` for none
    pub from: String,
    /// when it came (RFC 3339)
    pub received_at: String,
    /// octets, without what we add
    pub size_bytes: u64,
    /// address of the account that submitted it, or its id when it is gone
    pub account: Option<String>,
    /// where it came from, who answers for it, and what the sender asked for
    pub params: EnvelopeParams,
}

/// One attempt to deliver.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// position among the message's recipients
    pub recipient: u32,
    /// counts the recipient's attempts, from 0
    pub number: u32,
    /// whom it was for
    pub to: String,
    /// when it began (RFC 3339)
    pub at: String,
    /// what happened
    #[serde(flatten)]
    pub what: AttemptText,
}

/// Answers.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    let answered = match request {
        Request::List { selection, after } => list(services, selection, after).await,
        Request::Change {
            act,
            selection,
            yes,
            after,
        } => change(services, (act, yes, by), selection, after).await,
        Request::Show { id } => show(services, &id).await,
        Request::Attempts { id, after } => attempts(services, &id, after).await,
    };
    answered.unwrap_or_else(|refused| refused)
}

type Answered = Result<Answer, Answer>;

async fn list(services: &Services, selection: Selection, after: Option<Place>) -> Answered {
    let (selection, after) = (selected(services, selection)?, place(after)?);
    let now = services.clock.now();
    let found = page(services.store.as_ref(), &selection, now, after)
        .await
        .map_err(failed)?;
    Ok(Answer::done(Page {
        waiting: found
            .entries
            .into_iter()
            .map(|one| waiting(services, one))
            .collect(),
        next: found.next.map(|(id, recipient)| (id.to_string(), recipient)),
    }))
}

async fn change(
    services: &Services,
    (act, yes, by): (Act, bool, &By),
    selection: Selection,
    after: Option<Place>,
) -> Answered {
    let (selection, after) = (selected(services, selection)?, place(after)?);
    let order = Order {
        act,
        selection,
        do_it: yes,
        by: by.text().to_owned(),
    };
    let done = operate::page(&services.queue, &order, after)
        .await
        .map_err(failed)?;
    Ok(Answer::done(Changed {
        matched: done.matched,
        sample: done
            .sample
            .into_iter()
            .map(|one| waiting(services, one))
            .collect(),
        changed: done.changed,
        next: done.next.map(|(id, recipient)| (id.to_string(), recipient)),
    }))
}

async fn show(services: &Services, id: &str) -> Answered {
    let id = queue_id(id)?;
    let found = services.store.accepted_message(id).await.map_err(failed)?;
    let (message, rows) = match found {
        Some(mut found) => {
            let rows = std::mem::take(&mut found.waiting);
            (Some(message(services, found)), rows)
        }
        None => (None, Vec::new()),
    };
    if message.is_none()
        && services
            .store
            .attempts(id, None)
            .await
            .map_err(failed)?
            .is_empty()
    {
        return Err(Answer::Refused(format!(
            "the queue knows nothing of {id}: nobody waits for it, and no attempt of the last 30 days is kept. \
             What the log says of it: hearthpost trace {id}"
        )));
    }
    Ok(Answer::done(Shown {
        id: id.to_string(),
        message,
        recipients: rows
            .into_iter()
            .map(|row| waiting(services, entry(row)))
            .collect(),
    }))
}

fn message(services: &Services, found: AcceptedMessage) -> Message {
    let params = EnvelopeParams::read(&found.envelope);
    Message {
        from: match found.reverse_path.as_str() {
            "" => "<>".to_owned(),
            address => address.to_owned(),
        },
        received_at: found.received_at.rfc3339(),
        size_bytes: found.body_bytes,
        account: params.account.map(|id| account_text(services, id)),
        params,
    }
}

async fn attempts(services: &Services, id: &str, after: Option<(u32, u32)>) -> Answered {
    let rows = services
        .store
        .attempts(queue_id(id)?, after)
        .await
        .map_err(failed)?;
    Ok(Answer::done(rows.into_iter().map(attempt).collect::<Vec<_>>()))
}

fn attempt(row: AttemptRow) -> Attempt {
    Attempt {
        recipient: row.recipient,
        number: row.number,
        to: row.address,
        at: row.at.rfc3339(),
        what: AttemptText::read(&row.text),
    }
}

fn waiting(services: &Services, entry: Entry) -> Waiting {
    Waiting {
        queue_id: entry.queue_id.to_string(),
        recipient: entry.recipient,
        from: entry.from,
        to: entry.to,
        local: entry.local,
        state: if entry.held { "held" } else { "waiting" }.to_owned(),
        lane: entry.lane,
        account: entry.account.map(|id| account_text(services, id)),
        size_bytes: entry.size_bytes,
        received_at: entry.received_at.rfc3339(),
        due: entry.due.rfc3339(),
        deadline: entry.deadline.rfc3339(),
        attempts: entry.attempts,
        reason: entry.reason,
    }
}

fn account_text(services: &Services, id: AccountId) -> String {
    match services.directory.address_of(id) {
        Some(address) => address.to_string(),
        None => id.to_string(),
    }
}

fn selected(services: &Services, selection: Selection) -> Result<queue::select::Selection, Answer> {
    let account = match selection.account {
        None => None,
        Some(text) => Some(account(services, &text)?),
    };
    Ok(queue::select::Selection {
        id: selection.id.as_deref().map(queue_id).transpose()?,
        from: selection.from,
        to: selection.to,
        domain: selection.domain,
        older_than: selection.older_than_s.map(Duration::from_secs),
        error: selection.error,
        account,
        held: selection.held,
        text: selection.text,
    })
}

/// By its address, or by its id when the account is gone.
fn account(services: &Services, text: &str) -> Result<AccountId, Answer> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let found = services
        .directory
        .account(text)
        .map_err(|error| Answer::Refused(error.to_string()))?;
    found
        .id
        .parse()
        .map_err(|_| Answer::Failed(format!("the account {text} has no usable id")))
}

fn queue_id(text: &str) -> Result<QueueId, Answer> {
    text.parse().map_err(|_| {
        Answer::Wrong(format!(
            "{text:?} is no queue id. It is the word with q behind \"id\" in Received."
        ))
    })
}

fn place(place: Option<Place>) -> Result<Option<(QueueId, u32)>, Answer> {
    place
        .map(|(id, recipient)| Ok((queue_id(&id)?, recipient)))
        .transpose()
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn failed(error: StoreError) -> Answer {
    Answer::Failed(error.to_string())
}
