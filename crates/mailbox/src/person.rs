//! Where everything begins: the mailboxes of everybody, and what one signed-in person may do with theirs.

use std::sync::Arc;

use directory::SignedIn;
use index::Index;
use mail::ids::{AccountId, BlobId, MailboxId};
use store::contract::{Admission, BodyStage, Conflict, MetadataRow, Store, StoreError};
use tokio::sync::Semaphore;
use world::clock::Clock;
use world::ids::IdSource;

use crate::error::{Error, Result};
use crate::limits::{HEAVY_READ_BYTES, READ_BYTES};
use crate::memory::Memory;
use crate::name::MailboxName;
use crate::permission::Act;
use crate::session::Opened;
use crate::tree::{Entry, Tree, Trees};
use crate::view::Registry;
use crate::watch::Bells;
use crate::{hub, kept};

/// The mailboxes of everybody: one value for the process.
pub struct Mailboxes {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) trees: Trees,
    /// what each may see of others
    pub(crate) of_others: Trees,
    /// sessions that want to hear of more than their open mailbox
    pub(crate) bells: Bells,
    /// one permit is 1 MiB of a large message in memory
    pub(crate) heavy: Arc<Semaphore>,
    /// of messages that are on their way to clients
    pub(crate) memory: Memory,
    /// what is known of messages without reading them
    pub(crate) index: Option<Arc<Index>>,
}

impl Mailboxes {
    /// Begins to listen to the store; must be called inside a runtime. The listener ends when the value is dropped.
    pub fn start(store: Arc<dyn Store>, ids: Arc<IdSource>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::start_with(store, ids, clock, None)
    }

    pub(crate) fn start_with(
        store: Arc<dyn Store>,
        ids: Arc<IdSource>,
        clock: Arc<dyn Clock>,
        index: Option<Arc<Index>>,
    ) -> Arc<Self> {
        let notices = store.subscribe();
        let heavy = Arc::new(Semaphore::new((HEAVY_READ_BYTES / READ_BYTES) as usize));
        let registry = Arc::new(Registry::new(Arc::clone(&clock)));
        let mailboxes = Arc::new(Self {
            store,
            ids,
            clock,
            registry,
            trees: Trees::default(),
            of_others: Trees::default(),
            bells: Bells::default(),
            heavy,
            memory: Memory::default(),
            index,
        });
        let weak = Arc::downgrade(&mailboxes);
        tokio::spawn(hub::listen(weak.clone(), notices));
        let (clock, wake) = (Arc::clone(&mailboxes.clock), mailboxes.registry.kept_one());
        tokio::spawn(kept::forget(weak, clock, wake));
        mailboxes
    }

    /// What a signed-in person may do.
    pub fn person(self: &Arc<Self>, who: &SignedIn) -> Person {
        Person {
            shared: Arc::clone(self),
            account: who.account(),
        }
    }

    /// What all sessions together may hold of messages for their clients.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// How many mailboxes are open in some session; for tests and for operators.
    pub fn open_views(&self) -> usize {
        self.registry.open_views(None).len()
    }

    /// How many mailboxes are in memory although no session has them open, and their bytes.
    pub fn kept_views(&self) -> (usize, usize) {
        self.registry.kept().held()
    }
}

impl Drop for Mailboxes {
    fn drop(&mut self) {
        // Kept views hold the registry: without this neither would ever go.
        drop(self.registry.close());
    }
}

/// What an account uses, and may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// bytes of its messages
    pub used_bytes: u64,
    /// how many it may have; 0: no limit
    pub quota_bytes: u64,
    /// how many mailboxes it has
    pub mailboxes: u64,
}

/// One person's mail. Reaches another account only where rights there allow it.
#[derive(Clone)]
pub struct Person {
    pub(crate) shared: Arc<Mailboxes>,
    pub(crate) account: AccountId,
}

impl Person {
    /// Whose mail.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// All of the person's own mailboxes by name.
    pub async fn tree(&self) -> Result<Arc<Tree>> {
        // Counted before it is read: what is committed meanwhile makes it old, whether it was seen or not.
        let commits = self.shared.store.commits();
        if let Some(tree) = self.shared.trees.get(self.account, commits) {
            return Ok(tree);
        }
        let tree = Arc::new(Tree::of(self.shared.store.mailboxes(self.account).await?));
        self.shared.trees.keep(self.account, commits, &tree);
        Ok(tree)
    }

    /// Opens a mailbox (IMAP SELECT and EXAMINE). Messages that are there are told of at once.
    pub async fn open(&self, name: &MailboxName, read_only: bool) -> Result<Opened> {
        let Entry { row, rights, .. } = self.find_for(name, Act::Read).await?;
        // Seated first, so that what is committed after the refresh is heard of.
        let seat = self.shared.registry.seat(row.account, row.id);
        seat.refresh(self.shared.store.as_ref()).await?;
        Ok(Opened::new(seat, row, read_only, rights))
    }

    /// Brings an open mailbox up to what is committed at this moment. Sessions are woken by notices as well; this is
    /// for commands that must not miss anything (NOOP).
    pub async fn refresh(&self, opened: &Opened) -> Result<()> {
        opened.view().refresh(self.shared.store.as_ref()).await
    }

    /// What the account uses, and may.
    pub async fn usage(&self) -> Result<Usage> {
        let account = self.shared.store.account(self.account).await?;
        let account = account.ok_or(Error::Store(StoreError::Conflict(Conflict::NoSuchAccount)))?;
        let mailboxes = self.shared.store.mailboxes(self.account).await?;
        Ok(Usage {
            used_bytes: account.used_bytes,
            quota_bytes: account.quota_bytes,
            mailboxes: mailboxes.len() as u64,
        })
    }

    /// Bytes of the messages with `\\Deleted` in a mailbox.
    pub async fn deleted_bytes(&self, mailbox: MailboxId) -> Result<u64> {
        Ok(self.shared.store.deleted_bytes(mailbox).await?)
    }

    /// All metadata of the account and its mailboxes (RFC 5464).
    pub async fn metadata(&self) -> Result<Vec<MetadataRow>> {
        let mut rows = self.shared.store.metadata(self.account).await?;
        // What the server keeps there under other names is nobody's note.
        rows.retain(|row| row.entry.starts_with('/'));
        Ok(rows)
    }

    /// Whether new messages of so many bytes may come as things stand, when `leaves_bytes` of what is there go for them:
    /// room on the disk and in the account. The commit decides; this is for refusing before the bytes are sent.
    pub async fn may_add(&self, more_bytes: u64, leaves_bytes: u64) -> Result<()> {
        if self.shared.store.admission() == Admission::DeletingOnly {
            return Err(Error::Store(StoreError::Full));
        }
        let account = self.shared.store.account(self.account).await?;
        let account = account.ok_or(Error::Store(StoreError::Conflict(Conflict::NoSuchAccount)))?;
        let used = account.used_bytes.saturating_sub(leaves_bytes);
        if account.quota_bytes > 0 && used.saturating_add(more_bytes) > account.quota_bytes {
            return Err(Error::Store(StoreError::Conflict(Conflict::OverQuota)));
        }
        Ok(())
    }

    /// Begins to collect the bytes of a new message.
    pub fn stage(&self) -> Box<dyn BodyStage> {
        self.shared.store.stage(self.shared.ids.next::<BlobId>())
    }

    /// The RECENT count of a mailbox that is not open here: messages nobody was told of. Estimated from UIDs: exact
    /// unless some of them were expunged.
    pub fn recent(&self, row: &store::contract::MailboxRow) -> u32 {
        let above = self.shared.registry.recent_above(row.id);
        row.uidnext
            .saturating_sub(1)
            .saturating_sub(above)
            .min(row.messages)
    }
}
