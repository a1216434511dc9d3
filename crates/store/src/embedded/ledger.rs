//! What the writer remembers of mailboxes and accounts, so that a delivery changes their numbers in memory and each
//! touched row is written once per commit. Only the writer changes these rows, so the memory is never stale.

use std::collections::{HashMap, HashSet};

use mail::ids::{AccountId, Id, MailboxId};
use rusqlite::{Connection, params};
use world::clock::UnixMs;

use crate::contract::{Claim, Conflict, Notice, Result, StoreError};
use crate::embedded::load::{self, AccountState, MailboxState};
use crate::embedded::rows::{int, ledger_sum, mailbox_sum};
use crate::limits::{LEDGER_ROWS, ROWS_PER_MODSEQ};

/// The writer's memory, and what the current batch did to it.
#[derive(Default)]
pub(crate) struct Ledger {
    mailboxes: HashMap<MailboxId, MailboxState>,
    accounts: HashMap<AccountId, AccountState>,
    changed_mailboxes: HashSet<MailboxId>,
    changed_accounts: HashSet<AccountId>,
    group: HashMap<AccountId, (u64, HashSet<MailboxId>)>,
    /// the group concerns every account
    everybody: bool,
    spent_claims: Vec<Claim>,
    spent_bodies: Vec<u64>,
    batch: BatchMemory,
}

/// What one batch did, so that it can be taken back alone.
#[derive(Default)]
struct BatchMemory {
    mailboxes: HashMap<MailboxId, Option<MailboxState>>,
    accounts: HashMap<AccountId, Option<AccountState>>,
    values: HashMap<AccountId, (u64, u32)>,
    touched: Vec<(AccountId, MailboxId)>,
    touched_accounts: Vec<AccountId>,
    everybody: bool,
    claims: Vec<Claim>,
    bodies: Vec<u64>,
}

impl Ledger {
    /// Begins a batch.
    pub fn begin(&mut self) {
        self.batch = BatchMemory::default();
    }

    /// The batch stays.
    pub fn keep(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        for (account, (modseq, _)) in batch.values {
            self.group.entry(account).or_default().0 = modseq;
        }
        for (account, mailbox) in batch.touched {
            self.group.entry(account).or_default().1.insert(mailbox);
        }
        for account in batch.touched_accounts {
            self.group.entry(account).or_default();
        }
        self.everybody |= batch.everybody;
        self.spent_claims.extend(batch.claims);
        self.spent_bodies.extend(batch.bodies);
    }

    /// The batch was rolled back.
    pub fn take_back(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        for (id, before) in batch.mailboxes {
            match before {
                Some(state) => self.mailboxes.insert(id, state),
                None => self.mailboxes.remove(&id),
            };
        }
        for (id, before) in batch.accounts {
            match before {
                Some(state) => self.accounts.insert(id, state),
                None => self.accounts.remove(&id),
            };
        }
    }

    /// The commit failed: nothing remembered may be believed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The commit is durable. Returns what to tell listeners, which claims ended and which staged bodies were used.
    pub fn committed(&mut self) -> (Vec<Notice>, Vec<Claim>, Vec<u64>) {
        let everybody = std::mem::take(&mut self.everybody);
        let notices = self.group.drain().map(|(account, (modseq, mailboxes))| {
            let mut mailboxes: Vec<MailboxId> = mailboxes.into_iter().collect();
            mailboxes.sort_unstable();
            Notice {
                number: 0,
                account,
                modseq,
                mailboxes,
                everybody,
            }
        });
        let notices = notices.collect();
        if self.mailboxes.len() > LEDGER_ROWS || self.accounts.len() > LEDGER_ROWS {
            self.mailboxes.clear();
            self.accounts.clear();
        }
        (
            notices,
            std::mem::take(&mut self.spent_claims),
            std::mem::take(&mut self.spent_bodies),
        )
    }

    /// Writes every changed row once.
    pub fn write_out(&mut self, conn: &Connection) -> Result<()> {
        for id in self.changed_mailboxes.drain() {
            let Some(MailboxState { row, tombstone_floor }) = self.mailboxes.get(&id) else {
                continue;
            };
            conn.prepare_cached(
                "UPDATE mailboxes SET uidvalidity=?,uidnext=?,modseq=?,messages=?,unseen=?,deleted=?,size_bytes=?,\
                 tombstone_floor=?,sum=? WHERE id=?",
            )?
            .execute(params![
                row.uidvalidity,
                row.uidnext,
                int(row.modseq),
                row.messages,
                row.unseen,
                row.deleted,
                int(row.size_bytes),
                int(*tombstone_floor),
                mailbox_sum(row, *tombstone_floor),
                int(id.raw())
            ])?;
        }
        for id in self.changed_accounts.drain() {
            let Some(state) = self.accounts.get(&id) else {
                continue;
            };
            conn.prepare_cached(
                "UPDATE ledgers SET used_bytes=?,modseq=?,last_uidvalidity=?,sum=? WHERE account=?",
            )?
            .execute(params![
                int(state.used_bytes),
                int(state.modseq),
                state.last_uidvalidity,
                ledger_sum(id.raw(), state.used_bytes, state.modseq, state.last_uidvalidity),
                int(id.raw())
            ])?;
        }
        Ok(())
    }

    /// A mailbox as of now. Its account is read with it: bytes and modseq of an account follow from the rows of its mailboxes, so
    /// they have to be known before this commit changes or removes one of them.
    pub fn mailbox(&mut self, conn: &Connection, id: MailboxId) -> Result<Option<&MailboxState>> {
        if !self.mailboxes.contains_key(&id) {
            let Some(state) = load::mailbox(conn, id)? else {
                return Ok(None);
            };
            self.account(conn, state.row.account)?;
            self.mailboxes.insert(id, state);
        }
        Ok(self.mailboxes.get(&id))
    }

    /// A mailbox that must exist.
    pub fn known_mailbox(&mut self, conn: &Connection, id: MailboxId) -> Result<&MailboxState> {
        self.mailbox(conn, id)?
            .ok_or(StoreError::Conflict(Conflict::NoSuchMailbox))
    }

    /// A mailbox to change; its row is written at the end of the group.
    pub fn change_mailbox(&mut self, conn: &Connection, id: MailboxId) -> Result<&mut MailboxState> {
        self.known_mailbox(conn, id)?;
        let missing = StoreError::Conflict(Conflict::NoSuchMailbox);
        let state = self.mailboxes.get_mut(&id).ok_or(missing)?;
        self.batch
            .mailboxes
            .entry(id)
            .or_insert_with(|| Some(state.clone()));
        self.changed_mailboxes.insert(id);
        Ok(state)
    }

    /// An account as of now.
    pub fn account(&mut self, conn: &Connection, id: AccountId) -> Result<AccountState> {
        if let Some(state) = self.accounts.get(&id) {
            return Ok(*state);
        }
        let missing = StoreError::Conflict(Conflict::NoSuchAccount);
        let (_, state) = load::account(conn, id)?.ok_or(missing)?;
        self.accounts.insert(id, state);
        Ok(state)
    }

    /// An account to change; its row is written at the end of the group.
    pub fn change_account(&mut self, conn: &Connection, id: AccountId) -> Result<&mut AccountState> {
        self.changed_accounts.insert(id);
        self.count(conn, id)
    }

    /// An account of which no more changes than what its mailboxes' rows say: bytes, and a modseq that one of them gets. Its own row is
    /// not written, which spares every delivery a page.
    fn count(&mut self, conn: &Connection, id: AccountId) -> Result<&mut AccountState> {
        let before = self.account(conn, id)?;
        self.batch.accounts.entry(id).or_insert(Some(before));
        self.accounts
            .get_mut(&id)
            .ok_or(StoreError::Conflict(Conflict::NoSuchAccount))
    }

    /// The mailbox's row was made by this batch.
    pub fn created_mailbox(&mut self, id: MailboxId) {
        self.batch.mailboxes.insert(id, None);
    }

    /// The account's rows were made by this batch.
    pub fn created_account(&mut self, id: AccountId) {
        self.batch.accounts.insert(id, None);
    }

    /// The mailbox's row was removed.
    pub fn drop_mailbox(&mut self, id: MailboxId) {
        let before = self.mailboxes.remove(&id);
        self.batch.mailboxes.entry(id).or_insert(before);
    }

    /// The account's rows were removed.
    pub fn drop_account(&mut self, id: AccountId) {
        let before = self.accounts.remove(&id);
        self.batch.accounts.entry(id).or_insert(before);
    }

    /// The modseq for one more changed row: one value per batch and account, and a new one after each 256 rows.
    pub fn modseq(&mut self, conn: &Connection, account: AccountId) -> Result<u64> {
        self.changed_accounts.insert(account);
        self.next_modseq(conn, account)
    }

    /// A placement of so many bytes: the modseq that its row and its mailbox's get.
    pub fn place(&mut self, conn: &Connection, account: AccountId, bytes: u64) -> Result<u64> {
        self.count(conn, account)?.used_bytes += bytes;
        self.next_modseq(conn, account)
    }

    fn next_modseq(&mut self, conn: &Connection, account: AccountId) -> Result<u64> {
        if let Some((value, rows)) = self.batch.values.get_mut(&account)
            && *rows < ROWS_PER_MODSEQ
        {
            *rows += 1;
            return Ok(*value);
        }
        let state = self.count(conn, account)?;
        state.modseq += 1;
        let value = state.modseq;
        self.batch.values.insert(account, (value, 1));
        Ok(value)
    }

    /// A UIDVALIDITY that this account never used: max(last + 1, now).
    pub fn uidvalidity(&mut self, conn: &Connection, account: AccountId, now: UnixMs) -> Result<u32> {
        let state = self.change_account(conn, account)?;
        let seconds = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX);
        state.last_uidvalidity = seconds.max(state.last_uidvalidity.saturating_add(1));
        Ok(state.last_uidvalidity)
    }

    /// Listeners of this mailbox are to be told.
    pub fn touch(&mut self, account: AccountId, mailbox: MailboxId) {
        self.batch.touched.push((account, mailbox));
    }

    /// Listeners of this account are to be told, and no mailbox has anything new for them.
    pub fn touch_account(&mut self, account: AccountId) {
        self.batch.touched_accounts.push(account);
    }

    /// Listeners of every account are to be told, with whatever else this batch touched.
    pub fn touch_everybody(&mut self) {
        self.batch.everybody = true;
    }

    /// The claim ends when the commit is durable.
    pub fn spend_claim(&mut self, claim: Claim) {
        self.batch.claims.push(claim);
    }

    /// The staged body belongs to a row when the commit is durable.
    pub fn spend_body(&mut self, blob: u64) {
        self.batch.bodies.push(blob);
    }
}
