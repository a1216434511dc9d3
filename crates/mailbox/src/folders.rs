//! Changes of the tree: create, delete, rename, subscribe. Each is one commit.

use bytes::Bytes;
use mail::ids::MailboxId;
use store::contract::{
    Batch, Conflict, Op, OpResult, Receipt, SUBSCRIBED_NAMES_PER_ACCOUNT, SpecialUse, StoreError, Urgency,
};
use store::durable::Durable;

use crate::error::{Error, Result};
use crate::limits::NAME_LEVELS;
use crate::name::MailboxName;
use crate::person::Person;
use crate::tree::Tree;

/// A mailbox was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Created {
    pub mailbox: MailboxId,
    pub uidvalidity: u32,
}

impl Person {
    /// Creates a mailbox, and the missing levels above it, in one commit (RFC 9051 §6.3.4).
    pub async fn create(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Durable<Created>> {
        let tree = self.tree().await?;
        if tree.find(name).is_some() {
            return Err(conflict(Conflict::MailboxExists));
        }
        let (mut ops, parent) = self.missing_parents(&tree, name)?;
        let mailbox = self.shared.ids.next();
        let leaf = name.leaf().to_owned();
        // The mailbox has its own subscription from here on.
        ops.insert(0, self.subscription(name, false));
        ops.push(Op::CreateMailbox {
            account: self.account,
            mailbox,
            parent,
            name: leaf,
            special_use,
        });
        let receipt = self.commit(ops).await?;
        Ok(receipt.narrow(|receipt| Created {
            mailbox,
            uidvalidity: last_uidvalidity(&receipt),
        }))
    }

    /// Deletes a mailbox and its messages. Not INBOX, not one with mailboxes below it.
    pub async fn delete(&self, name: &MailboxName) -> Result<Durable<()>> {
        let tree = self.tree().await?;
        let entry = tree.find(name).ok_or(Error::NoSuchMailbox)?;
        if name.is_inbox() {
            return Err(conflict(Conflict::NotAllowed));
        }
        if entry.has_children {
            return Err(conflict(Conflict::HasChildren));
        }
        let mut ops = vec![Op::DeleteMailbox {
            mailbox: entry.row.id,
        }];
        // RFC 3501 §6.3.6: the name stays subscribed. With very many such names, tidiness comes first.
        if entry.row.subscribed && self.subscribed_names().await?.len() < SUBSCRIBED_NAMES_PER_ACCOUNT {
            ops.push(self.subscription(name, true));
        }
        let receipt = self.commit(ops).await?;
        if let Some(view) = self.shared.registry.open_view(entry.row.id) {
            // The view learns that it is gone; sessions that have it open are woken.
            let _gone = view.refresh(self.shared.store.as_ref()).await;
        }
        Ok(receipt.narrow(|_| ()))
    }

    /// Renames a mailbox and with it the tree below; missing levels above the new name are created. INBOX stays and
    /// gives its messages to the new name (RFC 9051 §6.3.6).
    pub async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<Durable<()>> {
        let tree = self.tree().await?;
        let entry = tree.find(from).ok_or(Error::NoSuchMailbox)?;
        if tree.find(to).is_some() {
            return Err(conflict(Conflict::MailboxExists));
        }
        let below_itself = to.levels().starts_with(from.levels());
        if below_itself && !from.is_inbox() {
            return Err(conflict(Conflict::NotAllowed));
        }
        self.check_depth(&tree, from, to)?;
        let mailbox = entry.row.id;
        let (mut ops, parent) = self.missing_parents(&tree, to)?;
        let name = to.leaf().to_owned();
        ops.insert(0, self.subscription(to, false));
        ops.push(if from.is_inbox() {
            Op::RenameInbox {
                account: self.account,
                mailbox: self.shared.ids.next(),
                parent,
                name,
            }
        } else {
            Op::RenameMailbox {
                mailbox,
                parent,
                name,
            }
        });
        let receipt = self.commit(ops).await?;
        if let Some(view) = self.shared.registry.open_view(mailbox) {
            view.refresh(self.shared.store.as_ref()).await?;
        }
        Ok(receipt.narrow(|_| ()))
    }

    /// Subscribes or unsubscribes (RFC 9051 §6.3.7).
    pub async fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<Durable<()>> {
        let tree = self.tree().await?;
        let op = match tree.find(name) {
            Some(entry) => Op::SetSubscribed {
                mailbox: entry.row.id,
                subscribed,
            },
            None if !subscribed && self.subscribed_names().await?.contains(&name.to_string()) => {
                self.subscription(name, false)
            }
            None => return Err(Error::NoSuchMailbox),
        };
        let receipt = self.commit(vec![op]).await?;
        Ok(receipt.narrow(|_| ()))
    }

    /// Names that are subscribed to and have no mailbox any more.
    pub async fn subscribed_names(&self) -> Result<Vec<String>> {
        Ok(self.shared.store.subscribed_names(self.account).await?)
    }

    /// Sets and removes metadata of a mailbox or of the account, in one commit.
    pub async fn set_metadata(
        &self,
        mailbox: Option<MailboxId>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Durable<()>> {
        let account = self.account;
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name, value.map(Bytes::from)))
            .collect();
        let op = Op::SetMetadata {
            account,
            mailbox,
            entries,
        };
        Ok(self.commit(vec![op]).await?.narrow(|_| ()))
    }

    fn subscription(&self, name: &MailboxName, subscribed: bool) -> Op {
        Op::SetSubscribedName {
            account: self.account,
            name: name.to_string(),
            subscribed,
        }
    }

    /// Operations that create the missing levels above `name`, and the id of the level right above it.
    fn missing_parents(&self, tree: &Tree, name: &MailboxName) -> Result<(Vec<Op>, Option<MailboxId>)> {
        let mut ops = Vec::new();
        let mut parent = None;
        for depth in 1..name.levels().len() {
            let above = MailboxName::parse(&name.levels()[..depth].join("/"))?;
            if let Some(entry) = tree.find(&above) {
                parent = Some(entry.row.id);
                continue;
            }
            let mailbox = self.shared.ids.next();
            let name = above.leaf().to_owned();
            ops.push(self.subscription(&above, false));
            ops.push(Op::CreateMailbox {
                account: self.account,
                mailbox,
                parent,
                name,
                special_use: None,
            });
            parent = Some(mailbox);
        }
        Ok((ops, parent))
    }

    /// The tree below a renamed mailbox must keep to the limit of levels too.
    fn check_depth(&self, tree: &Tree, from: &MailboxName, to: &MailboxName) -> Result<()> {
        let prefix = format!("{from}/");
        let levels = |name: &str| name.split('/').count();
        let below = tree
            .entries()
            .iter()
            .filter(|entry| entry.name.starts_with(&prefix));
        let deepest = below
            .map(|entry| levels(&entry.name) - from.levels().len())
            .max()
            .unwrap_or(0);
        if !from.is_inbox() && to.levels().len() + deepest > NAME_LEVELS {
            return Err(Error::BadName(crate::name::BadName::TooDeep));
        }
        Ok(())
    }

    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Result<Durable<Receipt>> {
        Ok(self
            .shared
            .store
            .commit(Batch {
                urgency: Urgency::Urgent,
                ops,
            })
            .await?)
    }
}

fn conflict(conflict: Conflict) -> Error {
    Error::Store(StoreError::Conflict(conflict))
}

fn last_uidvalidity(receipt: &Receipt) -> u32 {
    match receipt.results.last() {
        Some(OpResult::MailboxCreated { uidvalidity }) => *uidvalidity,
        _ => 0,
    }
}
