//! Changes of the tree: create, delete, rename, subscribe. Each is one commit. In another's tree rights are asked first, then it
//! is done as its owner would do it.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use mail::ids::{AccountId, MailboxId};
use store::contract::{
    Batch, Conflict, MetadataRow, Op, OpResult, Receipt, SUBSCRIBED_NAMES_PER_ACCOUNT, SpecialUse,
    StoreError, Urgency,
};
use store::durable::Durable;
use store::rights::Rights;

use crate::error::{Error, Result};
use crate::limits::NAME_LEVELS;
use crate::name::MailboxName;
use crate::permission::{Act, may};
use crate::person::Person;
use crate::shared::Place;
use crate::tree::{Entry, Tree};

/// A mailbox was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Created {
    pub mailbox: MailboxId,
    pub uidvalidity: u32,
}

impl Person {
    /// Creates a mailbox, and the missing levels above it, in one commit (RFC 9051 §6.3.4). Rights come down from the mailbox above
    /// (RFC 4314 §4).
    pub async fn create(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Durable<Created>> {
        if !name.is_of_others() {
            return self.create_own(name, special_use).await;
        }
        if self.find(name).await.is_ok() {
            return Err(conflict(Conflict::MailboxExists));
        }
        let (owner, own) = self.below_which(name).await?;
        if special_use.is_some() {
            return Err(Error::NoPermission(Rights::ADMINISTER));
        }
        owner.create_own(&own, None).await
    }

    /// Who makes a mailbox of this name in another's tree, and how it is called there.
    ///
    /// # Errors
    /// `NoPermission` unless the nearest mailbox above that there is may have others below it; also when there is none, or none that
    /// may be seen, or nobody of that name.
    async fn below_which(&self, name: &MailboxName) -> Result<(Self, MailboxName)> {
        let refused = || Error::NoPermission(Rights::CREATE);
        let (_, own) = name.owner_and_own().ok_or_else(refused)?;
        let mut above = name.parent();
        while let Some(parent) = above {
            if let Ok(entry) = self.find(&parent).await {
                entry.may(Act::CreateBelow)?;
                let owner = self.at_place(entry.place());
                owner.check_nearest(&own, &entry).await?;
                return Ok((owner, own));
            }
            above = parent.parent();
        }
        Err(refused())
    }

    /// Nothing that another may not see is between a new mailbox and the one it may be made below.
    async fn check_nearest(&self, own: &MailboxName, above: &Entry) -> Result<()> {
        let tree = self.tree().await?;
        let mut parent = own.parent();
        while let Some(name) = parent {
            match tree.find(&name) {
                Some(entry) if entry.row.id == above.row.id => return Ok(()),
                Some(_) => break,
                None => parent = name.parent(),
            }
        }
        Err(Error::NoPermission(Rights::CREATE))
    }

    async fn create_own(
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
        let Some((_, own)) = name.owner_and_own() else {
            return self.delete_own(name, None).await;
        };
        let entry = self.find_for(name, Act::Delete).await?;
        let owner = self.at_place(entry.place());
        let done = owner.delete_own(&own, Some(entry.row.id)).await;
        match done {
            // What is below it may not be seen.
            Err(Error::Store(StoreError::Conflict(Conflict::HasChildren))) if !entry.has_children => {
                Err(Error::NoPermission(Rights::DELETE))
            }
            done => done,
        }
    }

    /// `only`: the mailbox whose rights were asked; another one that took its name meanwhile is left alone.
    async fn delete_own(&self, name: &MailboxName, only: Option<MailboxId>) -> Result<Durable<()>> {
        let tree = self.tree().await?;
        let entry = named(&tree, name, only)?;
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
        if !from.is_of_others() && !to.is_of_others() {
            return self.rename_own(from, to, None).await;
        }
        let entry = self.find_for(from, Act::Delete).await?;
        let (Some((theirs, own)), Some((others, new))) = (from.owner_and_own(), to.owner_and_own()) else {
            return Err(Error::OtherOwner);
        };
        if theirs != others {
            return Err(Error::OtherOwner);
        }
        if own.is_inbox() {
            return Err(conflict(Conflict::NotAllowed));
        }
        if self.find(to).await.is_ok() {
            return Err(conflict(Conflict::MailboxExists));
        }
        self.below_which(to).await?;
        let owner = self.at_place(entry.place());
        owner.rename_own(&own, &new, Some(entry.row.id)).await
    }

    /// `only` as in `delete_own`.
    async fn rename_own(
        &self,
        from: &MailboxName,
        to: &MailboxName,
        only: Option<MailboxId>,
    ) -> Result<Durable<()>> {
        let tree = self.tree().await?;
        let entry = named(&tree, from, only)?;
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
        if name.is_of_others() && subscribed {
            self.find(name).await?;
            let receipt = self.commit(vec![self.subscription(name, true)]).await?;
            return Ok(receipt.narrow(|_| ()));
        }
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

    /// Sets and removes metadata of a mailbox or of the account, in one commit. Private entries on another's mailbox are the
    /// person's own; the others are its owner's (RFC 5464 §3.3).
    pub async fn set_metadata(
        &self,
        mailbox: Option<Place>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Durable<()>> {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name, value.map(Bytes::from)));
        let (own, owners): (Vec<_>, Vec<_>) = entries.partition(|(name, _)| is_private(name));
        if let Some(place) = mailbox {
            may(Act::ReadNotes, place.rights)?;
            if !owners.is_empty() {
                may(Act::WriteNotes, place.rights)?;
            }
        }
        let owner = mailbox.map_or(self.account, |place| place.owner);
        let parts = [(self.account, own), (owner, owners)];
        let ops = parts.into_iter().map(|(account, entries)| Op::SetMetadata {
            account,
            mailbox: mailbox.map(|place| place.mailbox),
            entries,
        });
        Ok(self.commit(ops.collect()).await?.narrow(|_| ()))
    }

    /// The metadata of a mailbox that the person may read; of another's its private entries are the person's own.
    pub async fn metadata_of(&self, place: Place) -> Result<Vec<MetadataRow>> {
        may(Act::ReadNotes, place.rights)?;
        let mut rows = self.metadata().await?;
        if place.owner != self.account {
            rows.retain(|row| is_private(&row.entry));
            let owners = self.at_place(place).metadata().await?;
            rows.extend(owners.into_iter().filter(|row| row.entry.starts_with("/shared/")));
        }
        rows.retain(|row| row.mailbox == Some(place.mailbox));
        Ok(rows)
    }

    /// The shared metadata of others' mailboxes, as far as the person may read it. Each owner's is read once, however many places
    /// there are.
    pub async fn notes_of_others(&self, places: &[Place]) -> Result<Vec<MetadataRow>> {
        let readable = places
            .iter()
            .filter(|place| may(Act::ReadNotes, place.rights).is_ok());
        let readable: HashMap<MailboxId, AccountId> =
            readable.map(|place| (place.mailbox, place.owner)).collect();
        let mut rows = Vec::new();
        for owner in readable.values().copied().collect::<BTreeSet<_>>() {
            let theirs = self.as_owner(owner).metadata().await?.into_iter();
            rows.extend(theirs.filter(|row| {
                let is_told = row.mailbox.and_then(|mailbox| readable.get(&mailbox)) == Some(&owner);
                is_told && row.entry.starts_with("/shared/")
            }));
        }
        Ok(rows)
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

/// The mailbox of a name, if it is the one that is meant.
fn named<'t>(tree: &'t Tree, name: &MailboxName, only: Option<MailboxId>) -> Result<&'t Entry> {
    tree.find(name)
        .filter(|entry| only.is_none_or(|only| entry.row.id == only))
        .ok_or(Error::NoSuchMailbox)
}

/// RFC 5464 §3.2.1: whoever sets it sees it alone.
fn is_private(entry: &str) -> bool {
    entry.starts_with("/private/")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn imp_5_what_took_the_name_meanwhile_is_left_alone() {
        let world = World::new().await;
        let person = world.person().await;
        let (name, other) = (MailboxName::parse("a").unwrap(), MailboxName::parse("b").unwrap());
        let asked = person.create(&name, None).await.unwrap().committed().mailbox;
        let _ = person.rename(&name, &other).await.unwrap();
        let _ = person.create(&name, None).await.unwrap();
        let done = person.delete_own(&name, Some(asked)).await;
        assert_eq!(done.err(), Some(Error::NoSuchMailbox));
        let to = MailboxName::parse("c").unwrap();
        let done = person.rename_own(&name, &to, Some(asked)).await;
        assert_eq!(done.err(), Some(Error::NoSuchMailbox));
        assert!(person.delete_own(&other, Some(asked)).await.is_ok());
        assert!(person.find(&name).await.is_ok());
    }
}
