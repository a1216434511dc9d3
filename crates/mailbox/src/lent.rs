//! Mail that somebody lets others have by an authorized URL (RFC 4467): nothing of an account is reached before the token was checked.

use std::sync::Arc;

use bytes::Bytes;
use directory::url_keys::{UrlKey, UrlProof};
use mail::ids::{AccountId, Id, MailboxId};
use store::contract::{MetadataRow, Op};
use store::durable::Durable;

use crate::error::{Error, Result};
use crate::name::MailboxName;
use crate::person::{Mailboxes, Person};

/// Where the text stands that changes with a reset: among the metadata, under a name that no client can write or read, as theirs
/// begin with `/private/` or `/shared/`.
const RESET_ENTRY: &str = "urlauth";

/// An account of whose mail a URL speaks. Until the URL has proved itself, only its key can be had.
pub struct Lender {
    person: Person,
}

/// What a mailbox's access key depends on, as it stands now.
#[derive(Debug, Clone)]
pub struct KeyParts {
    account: AccountId,
    mailbox: MailboxId,
    resets: (Bytes, Bytes),
}

impl KeyParts {
    /// For the directory, which makes keys.
    pub fn key(&self) -> UrlKey<'_> {
        UrlKey {
            account: self.account,
            mailbox: self.mailbox,
            resets: (&self.resets.0, &self.resets.1),
        }
    }
}

impl Mailboxes {
    /// An account that a URL names.
    pub fn lender(self: &Arc<Self>, account: AccountId) -> Lender {
        Lender {
            person: Person {
                shared: Arc::clone(self),
                account,
            },
        }
    }
}

impl Lender {
    /// What the key of a mailbox depends on.
    pub async fn key_parts(&self, name: &MailboxName) -> Result<KeyParts> {
        self.person.url_key_parts(name).await
    }

    /// The account's mail, for reading what the URL names and nothing else.
    pub fn shown(self, proof: &UrlProof) -> Result<Person> {
        if proof.account() == self.person.account {
            Ok(self.person)
        } else {
            Err(Error::NoSuchMailbox)
        }
    }
}

impl Person {
    /// What the access key of an own mailbox depends on.
    pub async fn url_key_parts(&self, name: &MailboxName) -> Result<KeyParts> {
        let tree = self.tree().await?;
        // Read first: whoever tries names must not learn from the time it takes which are there (threat case IMP-5).
        let rows = self.shared.store.metadata(self.account).await?;
        let row = &tree.find(name).ok_or(Error::NoSuchMailbox)?.row;
        if row.account != self.account {
            return Err(Error::NoSuchMailbox);
        }
        let reset = |mailbox: Option<MailboxId>| {
            let is_it = |entry: &&MetadataRow| entry.mailbox == mailbox && entry.entry == RESET_ENTRY;
            rows.iter()
                .find(is_it)
                .map(|entry| entry.value.clone())
                .unwrap_or_default()
        };
        Ok(KeyParts {
            account: self.account,
            mailbox: row.id,
            resets: (reset(None), reset(Some(row.id))),
        })
    }

    /// Makes all earlier URLs of a mailbox, or of all mailboxes, worthless (RESETKEY).
    pub async fn reset_url_key(&self, name: Option<&MailboxName>) -> Result<Durable<()>> {
        let mailbox = match name {
            Some(name) => Some(self.url_key_parts(name).await?.mailbox),
            None => None,
        };
        // Identifiers are never reused, so this text never was there before.
        let value = self.shared.ids.next::<MailboxId>().raw().to_be_bytes();
        let op = Op::SetMetadata {
            account: self.account,
            mailbox,
            entries: vec![(RESET_ENTRY.to_owned(), Some(Bytes::copy_from_slice(&value)))],
        };
        Ok(self.commit(vec![op]).await?.narrow(|_| ()))
    }
}
