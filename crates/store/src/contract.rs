//! The contract between the program and whatever keeps its data. A backend implements [`Store`]; `contract_tests` run
//! against every backend. A [`Batch`] is data (never a closure), so that one writer thread or one SQL transaction can
//! run many of them and share one sync.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mail::ids::{AccountId, BlobId, MailboxId, MessageId, QueueId};
use world::clock::{BoxFuture, UnixMs};

use crate::durable::Durable;
use crate::flags::{FlagEdit, FlagMask, Flags};
use crate::rights::{Grant, Grantee, RightsChange, Side};
use crate::uids::UidSet;

/// Rows in one page of a read. Each page is its own snapshot; no read transaction outlives the call.
pub const PAGE_ROWS: usize = 256;
/// Bodies up to this size go into the same transaction as their rows: one sync for both.
pub const INLINE_BODY_BYTES: usize = 64 * 1024;

/// Attempts kept of one recipient; of more, the middle ones go.
pub const ATTEMPTS_KEPT: u32 = 50;
/// Of those, the first ones that always stay.
pub const FIRST_ATTEMPTS_KEPT: u32 = 10;
/// Days for which attempts are kept after the message left the queue.
pub const ATTEMPT_DAYS: u64 = 30;
/// Bytes of metadata (names and values) of one account.
pub const METADATA_BYTES_PER_ACCOUNT: usize = 1 << 20;
/// Bytes of one value of metadata.
pub const METADATA_VALUE_BYTES: usize = 64 * 1024;
/// Entries of metadata of one account. Those whose name does not begin with `/` are the server's own, and count for neither limit.
pub const METADATA_ENTRIES_PER_ACCOUNT: usize = 2000;
/// Names without a mailbox that one account may subscribe to.
pub const SUBSCRIBED_NAMES_PER_ACCOUNT: usize = 1000;
/// Whom one mailbox may have entries about: accounts, and anyone.
pub const GRANTS_PER_MAILBOX: usize = 200;
/// Mailboxes of others that one account is told of.
pub const SHARED_MAILBOXES: usize = 5000;
/// Mailboxes of one account that may have an entry about anyone: what one account can put into everybody's list.
pub const PUBLIC_MAILBOXES_PER_ACCOUNT: usize = 100;
/// Days for which audit entries are kept.
pub const AUDIT_DAYS: u64 = 365;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Too much work is waiting; try again soon. Nothing was changed.
    Busy,
    /// The disk is full (or nearly: a reserve is kept for deleting). Nothing was changed.
    Full,
    /// A precondition did not hold. Nothing of the batch was changed.
    Conflict(Conflict),
    /// What was read does not match its checksum, or is missing. The name says which row or body.
    Damaged(String),
    /// The disk refused (an I/O error). Nothing of the batch is promised; the text says what to do.
    Fatal(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the store has too much work waiting"),
            Self::Full => f.write_str("the disk is full"),
            Self::Conflict(conflict) => write!(f, "{conflict}"),
            Self::Damaged(what) => write!(f, "{what} is damaged"),
            Self::Fatal(what) => write!(f, "the disk refused: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// A precondition that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Conflict {
    NoSuchMailbox,
    NoSuchMessage,
    MailboxExists,
    /// INBOX cannot be deleted; a mailbox cannot move below itself.
    NotAllowed,
    HasChildren,
    TooManyMailboxes,
    TooManyKeywords,
    NoSuchAccount,
    AccountExists,
    NoSuchDomain,
    DomainExists,
    DomainInUse,
    NoSuchAlias,
    AliasExists,
    /// (accepted, recipient, mailbox) was placed before: a replay.
    AlreadyDelivered,
    ClaimLost,
    /// The recipient does not wait (any more).
    NotWaiting,
    OverQuota,
    /// A value, or all entries of the account together, would be larger than allowed.
    MetadataTooLarge,
    /// The account has as many entries of metadata, or names without a mailbox, as it may.
    TooManyEntries,
    /// The account has as many mailboxes with an entry about anyone as it may.
    TooManyPublic,
    /// UIDs of this mailbox are used up (2^32 - 1).
    NoUidsLeft,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchMailbox => "there is no such mailbox",
            Self::NoSuchMessage => "the message is not there any more",
            Self::MailboxExists => "a mailbox of that name exists",
            Self::NotAllowed => "that mailbox cannot be deleted or moved there",
            Self::HasChildren => "there are mailboxes below it",
            Self::TooManyMailboxes => "the account has as many mailboxes as it may",
            Self::TooManyKeywords => "the mailbox has as many keywords as it may",
            Self::NoSuchAccount => "there is no such account",
            Self::AccountExists => "an account has that address",
            Self::NoSuchDomain => "there is no such domain",
            Self::DomainExists => "the domain exists",
            Self::DomainInUse => "the domain has accounts or aliases",
            Self::NoSuchAlias => "there is no such alias",
            Self::AliasExists => "an alias has that address",
            Self::AlreadyDelivered => "it was delivered before",
            Self::ClaimLost => "somebody else has dealt with it",
            Self::NotWaiting => "that recipient does not wait any more",
            Self::OverQuota => "the account is full",
            Self::MetadataTooLarge => "the metadata is larger than allowed",
            Self::TooManyEntries => "the account has as many entries as it may",
            Self::TooManyPublic => "the account shows everybody as many mailboxes as it may",
            Self::NoUidsLeft => "the mailbox has used up its UIDs",
        })
    }
}

/// Results of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Who waits for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for `250` or `OK`: starts a commit at once.
    Urgent,
    /// Joins the next commit, or starts its own within 5 ms.
    Lazy,
}

/// Operations that are committed together or not at all.
#[derive(Debug, Clone)]
pub struct Batch {
    /// who waits
    pub urgency: Urgency,
    /// in order; results come back in the same order
    pub ops: Vec<Op>,
}

impl Batch {
    /// A batch of one operation somebody waits for.
    pub fn urgent(op: Op) -> Self {
        Self {
            urgency: Urgency::Urgent,
            ops: vec![op],
        }
    }
    /// A batch of one operation nobody waits for.
    pub fn lazy(op: Op) -> Self {
        Self {
            urgency: Urgency::Lazy,
            ops: vec![op],
        }
    }
}

/// A body that is ready to be committed: made by [`BodyStage::finish`].
#[derive(Debug, Clone)]
pub struct Body {
    /// its name, never reused
    pub blob: BlobId,
    /// its size
    pub size_bytes: u64,
    /// BLAKE3 of its bytes
    pub hash: [u8; 32],
    /// where its bytes are until the commit
    pub place: BodyPlace,
}

/// Where a staged body's bytes are.
#[derive(Debug, Clone)]
pub enum BodyPlace {
    /// In memory; goes into the same transaction as its rows.
    Inline(Bytes),
    /// In the backend's large-body storage, already synced.
    Staged(Staged),
}

/// Holds a staged body: when the last copy goes and the body was not committed, so do its bytes.
#[derive(Clone, Default)]
pub struct Staged(Option<Arc<dyn std::any::Any + Send + Sync>>);

impl Staged {
    /// Drops `release` with the last copy.
    pub fn with(release: impl Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(release)))
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "kept" })
    }
}

/// Collects the bytes of a body before the commit. Dropping it throws them away.
pub trait BodyStage: Send {
    /// Adds bytes.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>>;
    /// Ends the body. A large one is synced when this returns.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Body>>;
}

/// Which mailbox a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The account's INBOX.
    Inbox,
    /// This one; falls back to INBOX when it is gone by the time of the commit.
    Mailbox(MailboxId),
    /// The one with this use (RFC 6154), the oldest if there are several. Where there is none, the one of the usual name ([`SpecialUse::usual_name`])
    /// at the top, which is made if it is missing too. INBOX when the account may have no more mailboxes.
    Special(SpecialUse),
}

/// A local recipient whose plan is ready.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// position of the recipient in its acceptance (with the queue id, the key that a replay cannot double)
    pub recipient: u32,
    /// whose mailbox
    pub account: AccountId,
    /// header lines we add, CRLF-terminated: Return-Path, Delivered-To, Received
    pub prefix: Vec<u8>,
    /// where to, with initial flags; at least one
    pub targets: Vec<(Target, Flags)>,
}

/// A recipient who still waits after the acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// position of the recipient in its acceptance
    pub recipient: u32,
    /// the address to deliver to, in wire form
    pub address: String,
    /// the local account, if it is one of ours
    pub account: Option<AccountId>,
    /// one destination for one sender, as text owned by `queue`: recipients of a lane are claimed together
    pub lane: String,
    /// when to try
    pub due: UnixMs,
    /// when somebody must look at it although it was not delivered: to tell the sender of the delay, or to give up
    pub deadline: UnixMs,
    /// why it waits, in words
    pub reason: String,
    /// DSN and other per-recipient parameters, as JSON owned by `queue`
    pub params: String,
}

/// A message is accepted: the moment of responsibility.
#[derive(Debug, Clone)]
pub struct Accept {
    /// given at MAIL FROM
    pub queue_id: QueueId,
    /// the bytes
    pub body: Body,
    /// envelope sender in wire form; empty for `<>`
    pub reverse_path: String,
    /// INTERNALDATE
    pub received_at: UnixMs,
    /// header lines that queued copies carry in front of the body (the Received of this hop)
    pub queue_prefix: Vec<u8>,
    /// origin, RET, ENVID, account of the submitter …, as JSON owned by `queue`
    pub envelope: String,
    /// recipients that are delivered in this very commit
    pub deliveries: Vec<Delivery>,
    /// recipients that wait
    pub waiting: Vec<Waiting>,
}

/// A claim on one waiting recipient: held in memory, lost at a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// whose message
    pub queue_id: QueueId,
    /// which recipient
    pub recipient: u32,
    /// fencing token: a later claim of the same row has a larger one
    pub token: u64,
}

/// What became of a claimed recipient.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Placed here; the row goes in the same transaction.
    DeliveredHere(Delivery),
    /// Handed over to somebody else.
    DeliveredElsewhere,
    /// Not now: try again at `due`. Counts as an attempt.
    Retry {
        /// when
        due: UnixMs,
        /// the new deadline; usually the row's own
        deadline: UnixMs,
        /// why, in words
        reason: String,
    },
    /// The sender was told of the delay (the notice is another operation of the same batch). No attempt: due time, attempts
    /// and reason stay. May stand before another outcome of the same claim in one batch.
    Told {
        /// the next deadline
        deadline: UnixMs,
        /// the recipient's parameters from now on, as JSON owned by `queue`
        params: String,
    },
    /// Given up; the sender has been told (the bounce is another operation of the same batch).
    Failed {
        /// why, in words
        reason: String,
    },
}

/// One try to deliver to a recipient, kept until [`ATTEMPT_DAYS`] after the recipient is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// when it began
    pub at: UnixMs,
    /// what happened, as JSON owned by `queue`
    pub text: String,
}

/// One semantic operation.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // fields named like the columns of the contract's table in docs/decisions
pub enum Op {
    /// Body, message rows, placements of the ready recipients, queue rows of the waiting ones.
    Accept(Box<Accept>),
    /// A claimed recipient's outcome; fails with `ClaimLost`. The attempt is kept beside it, at most
    /// [`ATTEMPTS_KEPT`] of a recipient: the first [`FIRST_ATTEMPTS_KEPT`] and the last ones.
    RecordOutcome {
        claim: Claim,
        outcome: Outcome,
        prior_attempts: u32,
        attempt: Option<Attempt>,
    },
    /// Holds a waiting recipient back, or lets it go again. A claim that stands is not ended: what is under way ends, and a
    /// retry stays held. `NotWaiting` when it does not wait.
    Hold {
        queue_id: QueueId,
        recipient: u32,
        held: bool,
    },
    /// Changes when a waiting recipient is tried, and its deadline if one is given. `NotWaiting` when it does not wait.
    Reschedule {
        queue_id: QueueId,
        recipient: u32,
        due: UnixMs,
        deadline: Option<UnixMs>,
    },
    /// Removes a waiting recipient, and ends a claim on it: the claim's outcome is then answered `ClaimLost`. `note` is kept
    /// as its last attempt. `NotWaiting` when it does not wait.
    Purge {
        queue_id: QueueId,
        recipient: u32,
        note: String,
    },
    /// Writes down who changed what, as JSON owned by the caller; kept for [`AUDIT_DAYS`].
    Audit {
        text: String,
    },

    /// IMAP APPEND. `OverQuota` when the account has no room.
    Append {
        account: AccountId,
        mailbox: MailboxId,
        body: Body,
        flags: Flags,
        internal_date: UnixMs,
    },
    /// IMAP REPLACE (RFC 8508): one message goes and another comes to a mailbox of the account, in one transaction.
    /// `NoSuchMessage` when the first is not there any more. The room it leaves counts for the quota.
    Replace {
        account: AccountId,
        from: MailboxId,
        uid: u32,
        mailbox: MailboxId,
        body: Body,
        flags: Flags,
        internal_date: UnixMs,
    },
    /// Changes flags; messages whose modseq is above `unchanged_since` are left alone and named in the result.
    SetFlags {
        mailbox: MailboxId,
        uids: UidSet,
        edit: FlagEdit,
        unchanged_since: Option<u64>,
    },
    /// Copies in UID order, with those flags that are among `keep`. `OverQuota` as for APPEND, of the account that gets the copies.
    /// The mailboxes may be two accounts': whoever asks has seen to it that this is wanted.
    Copy {
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
        keep: FlagMask,
    },
    /// Copies and expunges in one transaction (RFC 6851). `OverQuota` when another account gets the messages and has no room.
    Move {
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
        keep: FlagMask,
    },
    /// Removes. With `only_deleted`, only those with \Deleted. Leaves tombstones.
    Expunge {
        mailbox: MailboxId,
        uids: UidSet,
        only_deleted: bool,
    },

    /// `parent: None` is the top. The name is one level, NFC, 1 to 255 bytes.
    CreateMailbox {
        account: AccountId,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: String,
        special_use: Option<SpecialUse>,
    },
    /// Removes the mailbox and its messages. `HasChildren` while there are some.
    DeleteMailbox {
        mailbox: MailboxId,
    },
    /// Renames or moves one row; the tree below follows.
    RenameMailbox {
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: String,
    },
    /// RENAME INBOX (RFC 9051 §6.3.6): creates `mailbox` and moves INBOX's messages into it.
    RenameInbox {
        account: AccountId,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: String,
    },
    SetSubscribed {
        mailbox: MailboxId,
        subscribed: bool,
    },
    /// Remembers, or forgets, a subscription to a whole name that no mailbox has (RFC 9051 §6.3.7 keeps it past DELETE).
    SetSubscribedName {
        account: AccountId,
        name: String,
        subscribed: bool,
    },
    /// RFC 4314: changes what a mailbox's entry about somebody gives or takes; an entry that says nothing any more goes. A mailbox
    /// begins with the entries of the one it is made below, but for that about anyone where the account has [`PUBLIC_MAILBOXES_PER_ACCOUNT`]
    /// already. `NotAllowed` about the owner, `NoSuchAccount`, `TooManyEntries`, `TooManyPublic`.
    ChangeGrant {
        mailbox: MailboxId,
        who: Grantee,
        side: Side,
        change: RightsChange,
    },
    /// RFC 5464: sets entries of a mailbox, or of the account (`None`); an entry without a value is removed. Names are kept as
    /// given: the caller folds their case. Of another's mailbox the entries are kept too, as the account's own.
    SetMetadata {
        account: AccountId,
        mailbox: Option<MailboxId>,
        entries: Vec<(String, Option<Bytes>)>,
    },

    /// `settings` is JSON owned by `directory`.
    CreateDomain {
        name: String,
        settings: String,
    },
    SetDomain {
        name: String,
        settings: String,
    },
    /// `DomainInUse` while accounts or aliases of it exist.
    RemoveDomain {
        name: String,
    },
    /// Creates the account with INBOX and the given further mailboxes.
    CreateAccount {
        account: NewAccount,
    },
    /// Every `Some` field is replaced.
    SetAccount {
        account: AccountId,
        credential: Option<String>,
        quota_bytes: Option<u64>,
        enabled: Option<bool>,
        settings: Option<String>,
    },
    /// Removes the account, its mailboxes and messages.
    RemoveAccount {
        account: AccountId,
    },
    /// `key` is an AddressKey's text (`local@domain`, or `@domain` for catch-all).
    CreateAlias {
        key: String,
        targets: Vec<String>,
    },
    SetAlias {
        key: String,
        targets: Vec<String>,
    },
    RemoveAlias {
        key: String,
    },
}

/// A new account.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct NewAccount {
    pub id: AccountId,
    /// main address: an AddressKey's text; unique over accounts and aliases
    pub address: String,
    /// argon2id PHC string
    pub credential: Option<String>,
    /// 0: no limit
    pub quota_bytes: u64,
    /// JSON owned by `directory`
    pub settings: String,
    pub inbox: MailboxId,
    /// Drafts, Sent, Junk, Trash, Archive …
    pub mailboxes: Vec<(MailboxId, String, Option<SpecialUse>)>,
}

/// RFC 6154.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
    Memos,
    Scheduled,
    Snoozed,
}

impl SpecialUse {
    /// What such a mailbox is called when nobody chose a name.
    pub const fn usual_name(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Archive => "Archive",
            Self::Drafts => "Drafts",
            Self::Flagged => "Flagged",
            Self::Junk => "Junk",
            Self::Sent => "Sent",
            Self::Trash => "Trash",
            Self::Memos => "Memos",
            Self::Scheduled => "Scheduled",
            Self::Snoozed => "Snoozed",
        }
    }
}

/// What one operation did.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum OpResult {
    Accepted(Accepted),
    Recorded,
    Appended(Placed),
    /// Changed rows in UID order, and those left alone because of `unchanged_since`. Whoever has seen the mailbox up to `before`
    /// has, with `changed`, seen it up to `modseq`.
    FlagsSet {
        before: u64,
        modseq: u64,
        changed: Vec<FlagsRow>,
        modified: UidSet,
    },
    /// (source, destination) pairs in UID order.
    Copied {
        uidvalidity: u32,
        pairs: Vec<(u32, u32)>,
    },
    Moved {
        uidvalidity: u32,
        pairs: Vec<(u32, u32)>,
        modseq: u64,
    },
    Expunged {
        uids: UidSet,
        modseq: u64,
    },
    MailboxCreated {
        uidvalidity: u32,
    },
    Done,
}

/// Names what an acceptance committed. Only a backend makes one, so that the proof of another commit cannot be narrowed to it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub struct Accepted {
    pub queue_id: QueueId,
    pub placed: Vec<Placed>,
    pub waiting: u32,
}

impl Accepted {
    /// What of the acceptance concerns these positions of recipients, for answers per recipient (LMTP).
    pub fn part(&self, positions: &[u32]) -> Self {
        let placed: Vec<Placed> = self
            .placed
            .iter()
            .filter(|placed| positions.contains(&placed.recipient))
            .cloned()
            .collect();
        let is_placed = |position: &u32| placed.iter().any(|placed| placed.recipient == *position);
        let waiting = positions.iter().filter(|position| !is_placed(position)).count();
        Self {
            queue_id: self.queue_id,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            placed,
        }
    }
}

/// One placement.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Placed {
    pub recipient: u32,
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub message: MessageId,
    pub uidvalidity: u32,
    pub uid: u32,
    pub modseq: u64,
}

/// Flags of one message after a change.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct FlagsRow {
    pub uid: u32,
    pub flags: Flags,
    pub modseq: u64,
}

/// What a commit did; one result per operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// in the order of the operations
    pub results: Vec<OpResult>,
}

/// A mailbox as stored.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct MailboxRow {
    pub id: MailboxId,
    pub account: AccountId,
    pub parent: Option<MailboxId>,
    /// one level of the name; "INBOX" for the inbox
    pub name: String,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    pub uidvalidity: u32,
    pub uidnext: u32,
    /// HIGHESTMODSEQ
    pub modseq: u64,
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub size_bytes: u64,
}

/// A message's place in a mailbox.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct PlacementRow {
    pub uid: u32,
    pub message: MessageId,
    pub flags: Flags,
    pub modseq: u64,
    /// of the whole message, prefix and body
    pub size_bytes: u64,
}

/// An entry of metadata (RFC 5464) as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MetadataRow {
    /// `None`: the account's own
    pub mailbox: Option<MailboxId>,
    pub entry: String,
    pub value: Bytes,
}

/// An entry about rights in a mailbox as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct GrantRow {
    pub mailbox: MailboxId,
    /// whose mailbox
    pub owner: AccountId,
    pub who: Grantee,
    pub grant: Grant,
}

/// A message as stored: `prefix` followed by the body.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct MessageRow {
    pub id: MessageId,
    pub account: AccountId,
    pub blob: BlobId,
    pub prefix: Bytes,
    /// without the prefix
    pub body_bytes: u64,
    pub internal_date: UnixMs,
    pub saved_at: UnixMs,
}

/// How much of bodies is read together with the rows of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// bytes of a body that is read; a longer one is left out
    pub body_bytes: u64,
    /// bytes of all of them; a body that would exceed it is left out
    pub all_bytes: u64,
}

/// A message as it was read with others.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadMessage {
    /// what is stored of it
    pub row: MessageRow,
    /// prefix and body, verified; nothing when the body was left out, or could not be read together with others:
    /// [`Store::read_body`] then tells why
    pub octets: Option<Bytes>,
}

/// What changed in a mailbox after some modseq.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Changes {
    /// New and changed rows, in modseq order, at most `PAGE_ROWS`.
    /// At most that many rows share a modseq (a larger change takes several), so every page advances.
    pub rows: Vec<PlacementRow>,
    /// UIDs that went, whether or not the caller ever saw them.
    pub vanished: UidSet,
    /// All changes up to here are in this page: continue from it until it equals `highest`.
    pub upto: u64,
    /// The mailbox's HIGHESTMODSEQ at the time of the read.
    pub highest: u64,
    /// The question reaches back further than tombstones are kept: reload the mailbox.
    pub too_old: bool,
}

/// A notice that something was committed. May be lost or merged: always ask `changes_since`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Notice {
    /// notices are numbered from 1 in the order they are sent, since the store was opened
    pub number: u64,
    pub account: AccountId,
    pub modseq: u64,
    /// the mailboxes touched; empty: unknown, look at all
    pub mailboxes: Vec<MailboxId>,
    /// what anyone may do in one of them changed: it concerns every account
    pub everybody: bool,
}

/// An account as stored.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AccountRow {
    pub id: AccountId,
    pub address: String,
    pub credential: Option<String>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub enabled: bool,
    pub settings: String,
}

/// A waiting recipient as stored.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct WaitingRow {
    pub queue_id: QueueId,
    pub recipient: u32,
    pub address: String,
    pub account: Option<AccountId>,
    pub lane: String,
    pub due: UnixMs,
    pub deadline: UnixMs,
    /// an operator holds it: it is neither tried nor given up
    pub held: bool,
    pub attempts: u32,
    pub reason: String,
    pub params: String,
    pub reverse_path: String,
    pub envelope: String,
    pub queue_prefix: Bytes,
    pub blob: BlobId,
    pub body_bytes: u64,
    pub received_at: UnixMs,
}

/// A lane with waiting recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// its name
    pub lane: String,
    /// when the first of its recipients that are neither held nor claimed is due; `None` when there is none
    pub due: Option<UnixMs>,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AcceptedMessage {
    pub queue_id: QueueId,
    pub reverse_path: String,
    pub envelope: String,
    pub queue_prefix: Bytes,
    pub blob: BlobId,
    pub body_bytes: u64,
    pub received_at: UnixMs,
    /// the first recipients who still wait, in order, at most `PAGE_ROWS`; [`Store::waiting`] has the others
    pub waiting: Vec<WaitingRow>,
}

/// An attempt as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AttemptRow {
    pub recipient: u32,
    /// counts the recipient's attempts, from 0
    pub number: u32,
    pub at: UnixMs,
    /// whom it was for; empty when the row was damaged
    pub address: String,
    pub text: String,
}

/// An audit entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AuditRow {
    /// grows with each entry
    pub id: u64,
    pub at: UnixMs,
    pub text: String,
}

/// Whether new work is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// All work.
    Open,
    /// No mail from strangers: space or time is short.
    UsersOnly,
    /// Only work that frees space.
    DeletingOnly,
}

/// What a backend does. Every method may be called from any task; none blocks the runtime.
pub trait Store: Send + Sync + 'static {
    /// Begins a body. Its name is `blob`, made by the caller's `IdSource`.
    fn stage(&self, blob: BlobId) -> Box<dyn BodyStage>;
    /// Commits; returns after the sync. The only source of [`Durable`].
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Durable<Receipt>>>;

    /// Whether new work is taken; cheap.
    fn admission(&self) -> Admission;
    /// Notices of commits, from now on.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Notice>;

    /// The number of the last notice. It is told before anybody is answered, the notice itself comes a moment later: whoever heard this
    /// number has heard of everything that was acknowledged. Cheap.
    fn notices(&self) -> u64;

    /// Counts the commits: whoever asks, then reads, and finds the same number later has missed nothing since. `None` while a commit
    /// is under way: others may see it already or not yet, so what is read then is not to be kept. Cheap.
    fn commits(&self) -> Option<u64>;

    /// All mailboxes of an account.
    fn mailboxes(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MailboxRow>>>;
    /// One mailbox, if it exists.
    fn mailbox(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Option<MailboxRow>>>;
    /// Placements with a UID above `after_uid`, in UID order, at most `PAGE_ROWS`.
    fn placements(&self, mailbox: MailboxId, after_uid: u32) -> BoxFuture<'_, Result<Vec<PlacementRow>>>;
    /// What changed after `modseq`.
    fn changes_since(&self, mailbox: MailboxId, modseq: u64) -> BoxFuture<'_, Result<Changes>>;
    /// The same of several mailboxes in one question.
    fn changes_of(&self, asked: Vec<(MailboxId, u64)>) -> BoxFuture<'_, Result<Vec<Result<Changes>>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(asked.len());
            for (mailbox, modseq) in asked {
                answers.push(self.changes_since(mailbox, modseq).await);
            }
            Ok(answers)
        })
    }
    /// Message rows, in the order asked; a missing one is left out. At most `PAGE_ROWS`.
    /// A message whose last placement was expunged stays readable until it is collected.
    fn messages(&self, ids: Vec<MessageId>) -> BoxFuture<'_, Result<Vec<MessageRow>>>;
    /// Messages with small bodies in one question: an answer for each id, in the order asked; `None` when there is no such message.
    /// At most `PAGE_ROWS`. It is asked when this returns, not when somebody waits for it: the answer can be made while whoever
    /// asked does something else.
    fn read_messages(
        &self,
        ids: Vec<MessageId>,
        together: Together,
    ) -> BoxFuture<'_, Result<Vec<Result<Option<ReadMessage>>>>>;
    /// Bytes of a body, verified against its checksums. `length` is cut at the body's end and at 1 MiB.
    fn read_body(&self, blob: BlobId, offset: u64, length: u64) -> BoxFuture<'_, Result<Bytes>>;
    /// The same of many bodies in one question, each from its start; whoever asks bounds the sum of the lengths.
    fn read_bodies(&self, wanted: Vec<(BlobId, u64)>) -> BoxFuture<'_, Result<Vec<Result<Bytes>>>>;
    /// Names of the rare keywords used in a mailbox.
    fn keywords(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<String>>>;
    /// When messages came into this mailbox (RFC 8514 SAVEDATE): delivered, appended, copied or moved. In UID order, those of
    /// the set that exist, at most `PAGE_ROWS`: for more, ask for the UIDs above the last. Copies made before dates were kept
    /// have their message's.
    fn save_dates(&self, mailbox: MailboxId, uids: UidSet) -> BoxFuture<'_, Result<Vec<(u32, UnixMs)>>>;
    /// Bytes of the messages with `\Deleted` in a mailbox; reads all its rows, page by page: other questions have their turn between
    /// them, and what is committed meanwhile may be counted or not.
    fn deleted_bytes(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<u64>>;
    /// All metadata of an account, its mailboxes' included; bounded by [`METADATA_BYTES_PER_ACCOUNT`].
    fn metadata(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MetadataRow>>>;
    /// Names an account subscribes to that no mailbox had when it did, in name order.
    fn subscribed_names(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<String>>>;
    /// Entries about rights in a mailbox, anyone first; at most [`GRANTS_PER_MAILBOX`] and one.
    fn grants(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<GrantRow>>>;
    /// Entries about an account and about anyone in mailboxes of others, by mailbox; of the first [`SHARED_MAILBOXES`], before all
    /// of those that have an entry about this account: what somebody shows to everybody never hides them. A damaged entry takes every right, here and in the other questions: nothing is shown because of rot.
    fn grants_to(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<GrantRow>>>;
    /// Entries about rights in all mailboxes of an account, by mailbox, after the given mailbox, whole mailboxes: at most `PAGE_ROWS`
    /// mailboxes.
    fn grants_of(&self, account: AccountId, after: Option<MailboxId>)
    -> BoxFuture<'_, Result<Vec<GrantRow>>>;

    /// Domains with their settings, after the given name, in name order, at most `PAGE_ROWS`.
    fn domains(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, String)>>>;
    /// One account, if it exists.
    fn account(&self, account: AccountId) -> BoxFuture<'_, Result<Option<AccountRow>>>;
    /// Accounts after the given id, in id order, at most `PAGE_ROWS`.
    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'_, Result<Vec<AccountRow>>>;
    /// Aliases after the given key, in key order, at most `PAGE_ROWS`.
    fn aliases(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, Vec<String>)>>>;

    /// Lanes after the given name, in name order, at most `PAGE_ROWS`; a shorter page is the last.
    fn lanes(&self, after: &str) -> BoxFuture<'_, Result<Vec<Lane>>>;
    /// When the first recipient of one lane is due that is neither held nor claimed.
    fn lane_due(&self, lane: &str) -> BoxFuture<'_, Result<Option<UnixMs>>>;
    /// Claims up to `n` recipients of a lane that are due, the earliest first. At most `PAGE_ROWS`.
    fn claim_lane(
        &self,
        lane: &str,
        now: UnixMs,
        n: usize,
    ) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>>;
    /// Claims up to `n` recipients whose deadline has come, the earliest first, whenever they are due. At most `PAGE_ROWS`.
    fn claim_overdue(&self, now: UnixMs, n: usize) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>>;
    /// The earliest deadline of those neither held nor claimed.
    fn next_deadline(&self) -> BoxFuture<'_, Result<Option<UnixMs>>>;
    /// Whether a claim still stands: not when its recipient was purged meanwhile.
    fn holds(&self, claim: Claim) -> bool;
    /// Gives a claim back without an outcome.
    fn release(&self, claim: Claim);
    /// Gives a claim back whose holder cannot say whether it handed the message over: until the process ends no lane gives this recipient
    /// again, at most [`crate::limits::ABANDONED_KEPT`] of them; its deadline goes on.
    fn abandon(&self, claim: Claim);
    /// Waiting recipients after the given row, in (queue id, recipient) order, at most `PAGE_ROWS`.
    fn waiting(&self, after: Option<(QueueId, u32)>) -> BoxFuture<'_, Result<Vec<WaitingRow>>>;

    /// A message of which somebody still waits.
    fn accepted_message(&self, queue_id: QueueId) -> BoxFuture<'_, Result<Option<AcceptedMessage>>>;
    /// Attempts to deliver a message after the given (recipient, number), in that order, at most `PAGE_ROWS`.
    fn attempts(
        &self,
        queue_id: QueueId,
        after: Option<(u32, u32)>,
    ) -> BoxFuture<'_, Result<Vec<AttemptRow>>>;
    /// Audit entries after the given id (0: from the first kept), oldest first, at most `PAGE_ROWS`.
    fn audit(&self, after: u64) -> BoxFuture<'_, Result<Vec<AuditRow>>>;

    /// The largest raw identifier ever stored, for `IdSource::new`.
    fn id_floor(&self) -> u64;
}
