//! What an account holds: how much mail, where, and the newest of it, for whoever is about to remove it.

use std::str::FromStr;

use mail::decode;
use mail::header::Fields;
use mail::ids::AccountId;
use mail::value::addresses;
use serde::{Deserialize, Serialize};
use store::contract::{MailboxRow, MessageRow, StoreError};

use super::Answer;
use crate::limits::{SAMPLE_HEADER_BYTES, SAMPLE_ROWS, SAMPLE_TEXT_CHARS, SAMPLE_UIDS};
use crate::services::Services;

/// An account's mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Holdings {
    /// main address
    pub address: String,
    /// mailboxes with mail in them
    pub mailboxes: u64,
    /// messages in all of them
    pub messages: u64,
    /// their octets
    pub size_bytes: u64,
    /// some of the newest
    pub sample: Vec<Held>,
    /// whether all this was removed
    pub removed: bool,
}

/// One message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// one level of its mailbox's name
    pub mailbox: String,
    /// when it came (RFC 3339)
    pub received_at: String,
    /// octets
    pub size_bytes: u64,
    /// the address in From, as far as it can be read
    pub from: String,
    /// its subject, cut off where it is long
    pub subject: String,
}

/// Looks.
pub async fn answer(services: &Services, address: &str) -> Answer {
    let account = match services.directory.account(address) {
        Ok(account) => account,
        Err(error) => return Answer::from_admin::<()>(Err(error)),
    };
    let Ok(id) = AccountId::from_str(&account.id) else {
        return Answer::Failed(format!("{} is no identifier of an account", account.id));
    };
    match look(services, id, account.address).await {
        Ok(holdings) => Answer::done(holdings),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

async fn look(services: &Services, account: AccountId, address: String) -> Result<Holdings, StoreError> {
    let mut mailboxes = services.store.mailboxes(account).await?;
    mailboxes.retain(|mailbox| mailbox.messages > 0);
    let mut sample = Vec::new();
    for mailbox in &mailboxes {
        if sample.len() < SAMPLE_ROWS {
            newest(services, mailbox, &mut sample).await?;
        }
    }
    Ok(Holdings {
        address,
        mailboxes: mailboxes.len() as u64,
        messages: mailboxes.iter().map(|mailbox| u64::from(mailbox.messages)).sum(),
        size_bytes: mailboxes.iter().map(|mailbox| mailbox.size_bytes).sum(),
        sample,
        removed: false,
    })
}

/// Adds the newest of a mailbox, the newest first, until the sample is full.
async fn newest(services: &Services, mailbox: &MailboxRow, sample: &mut Vec<Held>) -> Result<(), StoreError> {
    let behind = mailbox.uidnext.saturating_sub(1 + SAMPLE_UIDS);
    let rows = services.store.placements(mailbox.id, behind).await?;
    let room = SAMPLE_ROWS - sample.len();
    let ids = rows.iter().rev().take(room).map(|row| row.message).collect();
    for message in services.store.messages(ids).await? {
        sample.push(held(services, mailbox, &message).await);
    }
    Ok(())
}

/// What cannot be read is left empty: the message goes all the same.
async fn held(services: &Services, mailbox: &MailboxRow, message: &MessageRow) -> Held {
    let body = services
        .store
        .read_body(message.blob, 0, SAMPLE_HEADER_BYTES)
        .await;
    let (from, subject) = body.map_or_else(|_| Default::default(), |bytes| headline(&bytes));
    Held {
        mailbox: mailbox.name.clone(),
        received_at: message.internal_date.rfc3339(),
        size_bytes: message.prefix.len() as u64 + message.body_bytes,
        from,
        subject,
    }
}

/// From and Subject for people.
fn headline(header: &[u8]) -> (String, String) {
    let (mut from, mut subject) = (None, None);
    for field in Fields::new(header) {
        if from.is_none() && field.is("From") {
            let first = addresses::mailboxes(field.value()).into_iter().next();
            from = first.map(|mailbox| {
                let domain = mailbox.domain.unwrap_or_default();
                let whole = [&mailbox.local[..], b"@", &domain].concat();
                plain(&String::from_utf8_lossy(&whole))
            });
        }
        if subject.is_none() && field.is("Subject") {
            subject = Some(plain(&decode::text(field.value())));
        }
    }
    (from.unwrap_or_default(), subject.unwrap_or_default())
}

/// A stranger's text that may be shown on a terminal: without control characters, and short.
fn plain(text: &str) -> String {
    let mut letters = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut out: String = letters.by_ref().take(SAMPLE_TEXT_CHARS).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_what_people_read_and_harms_no_terminal() {
        let table: [(&[u8], &str, &str); 4] = [
            (
                b"Subject: =?utf-8?q?caf=C3=A9?=\r\nFrom: Ann <ann@example.org>\r\n\r\nSubject: no\r\n",
                "ann@example.org",
                "café",
            ),
            (b"Subject: a\x1b[2Jb\x07\r\n", "", "a [2Jb"),
            (b"From: x@y.example\r\nFrom: z@y.example\r\n", "x@y.example", ""),
            (b"", "", ""),
        ];
        for (header, from, subject) in table {
            let (is_from, is_subject) = headline(header);
            assert_eq!((is_from.as_str(), is_subject.trim()), (from, subject));
        }
        let long = format!("Subject: {}\r\n", "x".repeat(500));
        let (_, subject) = headline(long.as_bytes());
        assert_eq!(subject.chars().count(), SAMPLE_TEXT_CHARS + 1);
    }
}
