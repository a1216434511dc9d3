//! Mailboxes of others that somebody may see (RFC 4314, RFC 2342 §5): their names, and what may be done with them.
//!
//! Nobody looks a name up in another's tree to learn whether it is there. What somebody may see is gathered first, from the entries
//! that name them, and names are looked for in that: so what they may not see and what does not exist cost the same and are
//! answered the same (threat case IMP-5).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use mail::ids::{AccountId, MailboxId};
use store::contract::GrantRow;
use store::durable::Durable;
use store::rights::{Grant, Grantee, Rights, RightsChange, Side, rights_of};

use crate::error::{Error, Result};
use crate::name::{MailboxName, OTHERS, SEPARATOR};
use crate::permission::{Act, may};
use crate::person::Person;
use crate::session::Opened;
use crate::tree::{Entry, Tree};

/// A mailbox that messages go to, and what the person may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// which
    pub mailbox: MailboxId,
    /// whose
    pub owner: AccountId,
    /// the person's rights there
    pub rights: Rights,
}

impl Entry {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place {
            mailbox: self.row.id,
            owner: self.row.account,
            rights: self.rights,
        }
    }

    /// Whether the person may.
    ///
    /// # Errors
    /// As [`may`].
    pub fn may(&self, act: Act) -> Result<()> {
        may(act, self.rights)
    }
}

/// How an open mailbox stands after its rights were looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// as before
    Same,
    /// other rights, and it may still be read
    Changed,
    /// it may not be read any more
    Withdrawn,
    /// it might not be read before either
    StillWithdrawn,
}

impl Person {
    /// The person's own mailboxes, then those of others that they may see.
    pub async fn everything(&self) -> Result<Arc<Tree>> {
        let own = self.tree().await?;
        let shared = self.of_others().await?;
        if shared.entries().is_empty() {
            return Ok(own);
        }
        let entries = own.entries().iter().chain(shared.entries());
        Ok(Arc::new(Tree::from_entries(entries.cloned().collect())))
    }

    /// The mailbox of a name: one's own, or one of another that may be seen.
    ///
    /// # Errors
    /// `NoSuchMailbox`, also when it may not be seen.
    pub async fn find(&self, name: &MailboxName) -> Result<Entry> {
        let tree = match name.is_of_others() {
            true => self.of_others().await?,
            false => self.tree().await?,
        };
        tree.find(name).cloned().ok_or(Error::NoSuchMailbox)
    }

    /// The same, of a name that something is to be done with.
    ///
    /// # Errors
    /// As `find`, and as [`may`].
    pub async fn find_for(&self, name: &MailboxName, act: Act) -> Result<Entry> {
        let entry = self.find(name).await?;
        entry.may(act)?;
        Ok(entry)
    }

    /// Who reads messages of a mailbox: its owner, on behalf of whoever was let in.
    pub fn at(&self, opened: &Opened) -> Self {
        self.as_owner(opened.owner())
    }

    /// The same, for a place that messages go to.
    pub fn at_place(&self, place: Place) -> Self {
        self.as_owner(place.owner)
    }

    pub(crate) fn as_owner(&self, owner: AccountId) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            account: owner,
        }
    }

    /// Looks at the rights in an open mailbox again. Costs nothing in one's own.
    pub async fn recheck(&self, opened: &mut Opened) -> Result<Standing> {
        if opened.owner() == self.account {
            return Ok(Standing::Same);
        }
        let before = opened.rights();
        let rights = match self.shared.store.grants(opened.id()).await {
            Ok(rows) => self.rights_by(opened.owner(), &rows),
            Err(error) => match Error::from(error) {
                // That it went is told in another way.
                Error::NoSuchMailbox => before,
                other => return Err(other),
            },
        };
        opened.set_rights(rights);
        let read_before = may(Act::Read, before).is_ok();
        Ok(match may(Act::Read, rights) {
            Err(_) if read_before => Standing::Withdrawn,
            Err(_) => Standing::StillWithdrawn,
            Ok(()) if rights == before => Standing::Same,
            Ok(()) => Standing::Changed,
        })
    }

    /// A place with the person's rights as they are now: for a command that took long since it was let in. Costs nothing in one's own.
    ///
    /// # Errors
    /// `NoSuchMailbox` when it went, and as [`may`].
    pub async fn still_may(&self, act: Act, place: Place) -> Result<Place> {
        if place.owner == self.account {
            return Ok(place);
        }
        let rows = self.shared.store.grants(place.mailbox).await?;
        let rights = self.rights_by(place.owner, &rows);
        may(act, rights)?;
        Ok(Place { rights, ..place })
    }

    /// Who has which rights in a mailbox, anyone first. The owner, who has all, is not among them.
    pub async fn grants(&self, name: &MailboxName) -> Result<(Entry, Vec<(Grantee, Grant)>)> {
        let entry = self.find_for(name, Act::Administer).await?;
        let rows = self.shared.store.grants(entry.row.id).await?;
        Ok((entry, rows.into_iter().map(|row| (row.who, row.grant)).collect()))
    }

    /// Gives or takes rights in a mailbox. Sessions that have it open hear of it at once.
    ///
    /// # Errors
    /// As `find_for`; `NotAllowed` about the owner.
    pub async fn change_grant(
        &self,
        name: &MailboxName,
        who: Grantee,
        side: Side,
        change: RightsChange,
    ) -> Result<Durable<()>> {
        let entry = self.find_for(name, Act::Administer).await?;
        let mailbox = entry.row.id;
        let receipt = self
            .commit(vec![store::contract::Op::ChangeGrant {
                mailbox,
                who,
                side,
                change,
            }])
            .await?;
        self.shared.look_at_rights(mailbox);
        Ok(receipt.narrow(|_| ()))
    }

    /// What the person may see of others, by name.
    async fn of_others(&self) -> Result<Arc<Tree>> {
        let commits = self.shared.store.commits();
        if let Some(tree) = self.shared.of_others.get(self.account, commits) {
            return Ok(tree);
        }
        let rows = self.shared.store.grants_to(self.account).await?;
        let subscribed = match rows.is_empty() {
            true => Vec::new(),
            false => self.subscribed_names().await?,
        };
        let mut entries = Vec::new();
        for (owner, rights) in self.visible(&rows) {
            self.add_visible(owner, &rights, &mut entries).await?;
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        for entry in &mut entries {
            entry.row.subscribed = subscribed.binary_search(&entry.name).is_ok();
        }
        let tree = Arc::new(Tree::from_entries(entries));
        self.shared.of_others.keep(self.account, commits, &tree);
        Ok(tree)
    }

    /// Which mailboxes may be seen, by owner.
    fn visible(&self, rows: &[GrantRow]) -> BTreeMap<AccountId, HashMap<MailboxId, Rights>> {
        let mut visible: BTreeMap<AccountId, HashMap<MailboxId, Rights>> = BTreeMap::new();
        for of_one in rows.chunk_by(|one, next| one.mailbox == next.mailbox) {
            let owner = of_one[0].owner;
            let rights = self.rights_by(owner, of_one);
            if may(Act::See, rights).is_ok() {
                visible
                    .entry(owner)
                    .or_default()
                    .insert(of_one[0].mailbox, rights);
            }
        }
        visible
    }

    fn rights_by(&self, owner: AccountId, rows: &[GrantRow]) -> Rights {
        rights_of(self.account, owner, rows.iter().map(|row| (row.who, row.grant)))
    }

    async fn add_visible(
        &self,
        owner: AccountId,
        rights: &HashMap<MailboxId, Rights>,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        let Some(account) = self.shared.store.account(owner).await? else {
            return Ok(());
        };
        let label = label(&account.address, owner);
        let tree = self.as_owner(owner).tree().await?;
        let seen = |entry: &&Entry| rights.contains_key(&entry.row.id);
        let names = tree.entries().iter().filter(seen);
        let parents = above(names.map(|entry| entry.name.as_str()));
        for entry in tree.entries().iter().filter(seen) {
            let mut row = entry.row.clone();
            // Another's Sent is nobody else's Sent.
            row.special_use = None;
            entries.push(Entry {
                name: format!("{OTHERS}{SEPARATOR}{label}{SEPARATOR}{}", entry.name),
                has_children: parents.contains(entry.name.as_str()),
                rights: rights.get(&row.id).copied().unwrap_or(Rights::NONE),
                row,
            });
        }
        Ok(())
    }
}

/// All names above these. One pass: an owner may share thousands of mailboxes with everybody.
fn above<'n>(names: impl Iterator<Item = &'n str>) -> HashSet<&'n str> {
    names
        .flat_map(|name| name.match_indices(SEPARATOR).map(|(at, _)| &name[..at]))
        .collect()
}

/// How an owner is called in names: by the address; by the identifier when the address cannot stand in a name.
fn label(address: &str, owner: AccountId) -> String {
    let name = MailboxName::parse(&format!("{OTHERS}{SEPARATOR}{address}{SEPARATOR}x"));
    let whole = name.is_ok_and(|name| name.levels().len() == 3 && name.levels()[1] == address);
    if whole {
        address.to_owned()
    } else {
        owner.to_string()
    }
}

impl crate::Mailboxes {
    /// Rights in a mailbox changed: wakes the sessions that have it open, and those that watch, so that they look.
    pub fn look_at_rights(&self, mailbox: MailboxId) {
        // Whom it concerns may be anyone.
        self.bells.ring_all();
        if let Some(view) = self.registry.open_view(mailbox) {
            view.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;

    use super::*;

    #[test]
    fn names_above_are_found_whole() {
        let names = above(["INBOX", "a/b/c", "a/b", "ab/x"].into_iter());
        assert_eq!(names, HashSet::from(["a", "a/b", "ab"]));
    }

    #[test]
    fn an_owner_is_called_by_an_address_that_can_stand_in_a_name() {
        let owner = AccountId::from_raw(7);
        for (address, plain) in [
            ("bob@example.test", true),
            ("\"b b\"@example.test", true),
            ("b/b@example.test", false),
            ("b%b@example.test", false),
            ("b*b@example.test", false),
        ] {
            let wanted = if plain {
                address.to_owned()
            } else {
                owner.to_string()
            };
            assert_eq!(label(address, owner), wanted, "{address}");
        }
    }
}
