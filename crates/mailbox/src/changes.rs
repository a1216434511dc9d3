//! Changes of messages: flags, copy, move, expunge, append. Each is one commit, and the shared view has it before the
//! call returns, so that whoever is answered sees it.

use mail::ids::MailboxId;
use store::contract::{Body, FlagsRow, Op, OpResult, Placed, Receipt, StoreError};
use store::durable::Durable;
use store::flags::{FlagEdit, Flags};
use store::uids::UidSet;
use world::clock::UnixMs;

use crate::error::{Error, Result};
use crate::hub::OwnChange;
use crate::permission::{Act, flags_of, may, permitted};
use crate::person::Person;
use crate::plants;
use crate::session::Opened;
use crate::shared::Place;

/// Flags were set.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagsSet {
    /// what the mailbox had reached before
    pub before: u64,
    /// the modseq of the change
    pub modseq: u64,
    /// messages whose flags changed
    pub changed: Vec<FlagsRow>,
    /// UIDs left alone because of `unchanged_since`
    pub modified: UidSet,
}

/// Messages were copied: (source, destination) UIDs in order.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Copied {
    pub uidvalidity: u32,
    pub pairs: Vec<(u32, u32)>,
}

/// Messages were moved: (source, destination) UIDs in order.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Moved {
    pub uidvalidity: u32,
    pub pairs: Vec<(u32, u32)>,
    pub modseq: u64,
}

/// Messages were expunged.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Expunged {
    pub uids: UidSet,
    pub modseq: u64,
}

/// A message that a person brings.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// from [`Person::stage`]
    pub body: Body,
    /// its first flags
    pub flags: Flags,
    /// now, if absent
    pub internal_date: Option<UnixMs>,
}

impl Person {
    /// Adds a message that the person brings (IMAP APPEND). `body` comes from [`Person::stage`].
    pub async fn append(
        &self,
        to: Place,
        body: Body,
        flags: Flags,
        internal_date: Option<UnixMs>,
    ) -> Result<Durable<Placed>> {
        let message = NewMessage {
            body,
            flags,
            internal_date,
        };
        let placed = self.append_all(to, vec![message]).await?;
        let one = placed.narrow(|placed| placed.into_iter().next());
        one.transpose().ok_or_else(another_question)
    }

    /// Adds several messages in one commit, in order (RFC 3502): all of them or none.
    /// Flags that the person may not set there are left out (RFC 4314 §4).
    pub async fn append_all(&self, to: Place, messages: Vec<NewMessage>) -> Result<Durable<Vec<Placed>>> {
        may(Act::Insert, to.rights)?;
        let (account, mailbox, now) = (to.owner, to.mailbox, self.shared.clock.now());
        let mask = flags_of(to.rights);
        let ops = messages.into_iter().map(|message| Op::Append {
            account,
            mailbox,
            body: message.body,
            flags: mask.of(&message.flags),
            internal_date: message.internal_date.unwrap_or(now),
        });
        let receipt = self.commit(ops.collect()).await?;
        self.refresh_open(mailbox).await?;
        Ok(receipt.narrow(|receipt| receipt.results.into_iter().filter_map(appended).collect()))
    }

    /// Puts a new message in the place of one of an open mailbox, there or in another, in one commit (RFC 8508).
    pub async fn replace(
        &self,
        opened: &Opened,
        uid: u32,
        to: Place,
        message: NewMessage,
    ) -> Result<Durable<Placed>> {
        opened.may(Act::TakeOut)?;
        may(Act::Insert, to.rights)?;
        let mailbox = to.mailbox;
        if plants::split_replace() {
            return self.replace_in_two(opened, uid, to, message).await;
        }
        let receipt = self
            .commit(vec![Op::Replace {
                account: to.owner,
                from: opened.id(),
                uid,
                mailbox,
                body: message.body,
                flags: flags_of(to.rights).of(&message.flags),
                internal_date: message.internal_date.unwrap_or_else(|| self.shared.clock.now()),
            }])
            .await?;
        self.refresh(opened).await?;
        self.refresh_open(mailbox).await?;
        one(receipt, appended)
    }

    /// The planted fault: between its commits both messages are there.
    async fn replace_in_two(
        &self,
        opened: &Opened,
        uid: u32,
        to: Place,
        message: NewMessage,
    ) -> Result<Durable<Placed>> {
        let placed = self
            .append(to, message.body, message.flags, message.internal_date)
            .await?;
        let _gone = self
            .commit(vec![Op::Expunge {
                mailbox: opened.id(),
                uids: UidSet::from_uids([uid]),
                only_deleted: false,
            }])
            .await?;
        self.refresh(opened).await?;
        Ok(placed)
    }

    /// Changes flags: those that the person may change. Rows above `unchanged_since` are left alone and named (RFC 7162 §3.1.3).
    pub async fn set_flags(
        &self,
        opened: &Opened,
        uids: UidSet,
        edit: FlagEdit,
        unchanged_since: Option<u64>,
    ) -> Result<Durable<FlagsSet>> {
        if opened.examined() {
            return Err(Error::ReadOnly);
        }
        let edit = permitted(edit, opened.rights())?;
        let _own = OwnChange::begin(&self.shared, opened.shared_view());
        let receipt = self
            .commit(vec![Op::SetFlags {
                mailbox: opened.id(),
                uids,
                edit,
                unchanged_since,
            }])
            .await?;
        let set = one(receipt, |result| match result {
            OpResult::FlagsSet {
                before,
                modseq,
                changed,
                modified,
            } => Some(FlagsSet {
                before,
                modseq,
                changed,
                modified,
            }),
            _ => None,
        })?;
        opened
            .view()
            .take_in(set.committed(), self.shared.store.as_ref())
            .await?;
        Ok(set)
    }

    /// Copies into another mailbox, without the flags that the person may not set there (RFC 4314 §4).
    pub async fn copy(&self, opened: &Opened, uids: UidSet, place: Place) -> Result<Durable<Copied>> {
        opened.may(Act::Read)?;
        may(Act::Insert, place.rights)?;
        let to = place.mailbox;
        let receipt = self
            .commit(vec![Op::Copy {
                from: opened.id(),
                uids,
                to,
                keep: flags_of(place.rights),
            }])
            .await?;
        self.refresh_open(to).await?;
        one(receipt, |result| match result {
            OpResult::Copied { uidvalidity, pairs } => Some(Copied { uidvalidity, pairs }),
            _ => None,
        })
    }

    /// Moves into another mailbox, in one transaction (RFC 6851).
    pub async fn move_to(&self, opened: &Opened, uids: UidSet, place: Place) -> Result<Durable<Moved>> {
        opened.may(Act::TakeOut)?;
        may(Act::Insert, place.rights)?;
        let to = place.mailbox;
        let receipt = self
            .commit(vec![Op::Move {
                from: opened.id(),
                uids,
                to,
                keep: flags_of(place.rights),
            }])
            .await?;
        self.refresh(opened).await?;
        self.refresh_open(to).await?;
        one(receipt, |result| match result {
            OpResult::Moved {
                uidvalidity,
                pairs,
                modseq,
            } => Some(Moved {
                uidvalidity,
                pairs,
                modseq,
            }),
            _ => None,
        })
    }

    /// Removes those of `uids` that have `\Deleted`.
    pub async fn expunge(&self, opened: &Opened, uids: UidSet) -> Result<Durable<Expunged>> {
        opened.may(Act::Expunge)?;
        let receipt = self
            .commit(vec![Op::Expunge {
                mailbox: opened.id(),
                uids,
                only_deleted: true,
            }])
            .await?;
        self.refresh(opened).await?;
        one(receipt, |result| match result {
            OpResult::Expunged { uids, modseq } => Some(Expunged { uids, modseq }),
            _ => None,
        })
    }

    /// Removes these messages, whatever their flags: for doors without `\\Deleted`. Those that are gone already are left out.
    pub async fn remove(&self, mailbox: MailboxId, uids: UidSet) -> Result<Durable<Expunged>> {
        let receipt = self
            .commit(vec![Op::Expunge {
                mailbox,
                uids,
                only_deleted: false,
            }])
            .await?;
        self.refresh_open(mailbox).await?;
        one(receipt, |result| match result {
            OpResult::Expunged { uids, modseq } => Some(Expunged { uids, modseq }),
            _ => None,
        })
    }

    /// Brings a mailbox that may be open somewhere up to date.
    async fn refresh_open(&self, mailbox: MailboxId) -> Result<()> {
        match self.shared.registry.open_view(mailbox) {
            Some(view) => view.refresh(self.shared.store.as_ref()).await,
            None => Ok(()),
        }
    }
}

fn appended(result: OpResult) -> Option<Placed> {
    match result {
        OpResult::Appended(placed) => Some(placed),
        _ => None,
    }
}

/// The proof of the only operation of a batch.
fn one<T>(receipt: Durable<Receipt>, pick: impl Fn(OpResult) -> Option<T>) -> Result<Durable<T>> {
    let part = receipt.narrow(|receipt| receipt.results.into_iter().next().and_then(pick));
    part.transpose().ok_or_else(another_question)
}

fn another_question() -> Error {
    Error::Store(StoreError::Fatal(
        "the store answered another question".to_owned(),
    ))
}
