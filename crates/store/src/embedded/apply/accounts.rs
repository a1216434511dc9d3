//! Domains, accounts and aliases.

use mail::ids::{AccountId, Id};
use rusqlite::params;

use crate::contract::{AccountRow, Conflict, NewAccount, OpResult, Result, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::load;
use crate::embedded::rows::{account_sum, int, ledger_sum, text_sum};

/// Between two targets of an alias; no address contains it.
pub(crate) const TARGET_SEPARATOR: &str = "\n";

const fn refuse<T>(conflict: Conflict) -> Result<T> {
    Err(StoreError::Conflict(conflict))
}

impl Work<'_> {
    /// Adds a domain.
    pub(super) fn create_domain(&mut self, name: &str, settings: &str) -> Result<OpResult> {
        if self.exists("SELECT EXISTS(SELECT 1 FROM domains WHERE name=?)", name)? {
            return refuse(Conflict::DomainExists);
        }
        self.write_domain(name, settings)
    }

    /// Replaces a domain's settings.
    pub(super) fn set_domain(&mut self, name: &str, settings: &str) -> Result<OpResult> {
        if !self.exists("SELECT EXISTS(SELECT 1 FROM domains WHERE name=?)", name)? {
            return refuse(Conflict::NoSuchDomain);
        }
        self.write_domain(name, settings)
    }

    fn write_domain(&mut self, name: &str, settings: &str) -> Result<OpResult> {
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO domains VALUES(?,?,?)")?
            .execute(params![name, settings, text_sum("domain", name, settings)])?;
        Ok(OpResult::Done)
    }

    /// Removes a domain nobody has an address in.
    pub(super) fn remove_domain(&mut self, name: &str) -> Result<OpResult> {
        let suffix = format!("@{name}");
        let used = "SELECT EXISTS(SELECT 1 FROM accounts WHERE substr(address,-length(?1))=?1) \
                    OR EXISTS(SELECT 1 FROM aliases WHERE substr(key,-length(?1))=?1)";
        if self.exists(used, &suffix)? {
            return refuse(Conflict::DomainInUse);
        }
        let removed = self
            .conn
            .prepare_cached("DELETE FROM domains WHERE name=?")?
            .execute(params![name])?;
        if removed == 0 {
            refuse(Conflict::NoSuchDomain)
        } else {
            Ok(OpResult::Done)
        }
    }

    /// Adds an account with its mailboxes.
    pub(super) fn create_account(&mut self, new: &NewAccount) -> Result<OpResult> {
        self.check_address_free(&new.address)?;
        if load::account(self.conn, new.id)?.is_some() {
            return refuse(Conflict::AccountExists);
        }
        let row = AccountRow {
            id: new.id,
            address: new.address.clone(),
            credential: new.credential.clone(),
            quota_bytes: new.quota_bytes,
            used_bytes: 0,
            enabled: true,
            settings: new.settings.clone(),
        };
        self.conn
            .prepare_cached("INSERT INTO accounts VALUES(?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(new.id.raw()),
                row.address,
                row.credential,
                int(row.quota_bytes),
                row.enabled,
                row.settings,
                int(new.inbox.raw()),
                account_sum(&row, new.inbox)
            ])?;
        self.conn
            .prepare_cached("INSERT INTO ledgers VALUES(?,0,0,0,?)")?
            .execute(params![int(new.id.raw()), ledger_sum(new.id.raw(), 0, 0, 0)])?;
        self.ledger.created_account(new.id);
        self.shared.saw_id(new.id.raw());
        self.insert_mailbox(new.id, new.inbox, None, "INBOX", None)?;
        for (mailbox, name, special_use) in &new.mailboxes {
            self.create_mailbox(new.id, *mailbox, None, name, *special_use)?;
        }
        Ok(OpResult::Done)
    }

    /// Replaces the given fields.
    pub(super) fn set_account(
        &mut self,
        id: AccountId,
        credential: Option<&str>,
        quota_bytes: Option<u64>,
        enabled: Option<bool>,
        settings: Option<&str>,
    ) -> Result<OpResult> {
        let Some((mut row, state)) = load::account(self.conn, id)? else {
            return refuse(Conflict::NoSuchAccount);
        };
        if let Some(credential) = credential {
            row.credential = Some(credential.to_owned());
        }
        row.quota_bytes = quota_bytes.unwrap_or(row.quota_bytes);
        row.enabled = enabled.unwrap_or(row.enabled);
        if let Some(settings) = settings {
            settings.clone_into(&mut row.settings);
        }
        self.ledger.change_account(self.conn, id)?.quota_bytes = row.quota_bytes;
        self.conn
            .prepare_cached(
                "UPDATE accounts SET credential=?,quota_bytes=?,enabled=?,settings=?,sum=? WHERE id=?",
            )?
            .execute(params![
                row.credential,
                int(row.quota_bytes),
                row.enabled,
                row.settings,
                account_sum(&row, state.inbox),
                int(id.raw())
            ])?;
        Ok(OpResult::Done)
    }

    /// Removes the account; the collector empties its mailboxes.
    pub(super) fn remove_account(&mut self, id: AccountId) -> Result<OpResult> {
        self.ledger.account(self.conn, id)?;
        let mailboxes: Vec<i64> = self
            .conn
            .prepare_cached("SELECT id FROM mailboxes WHERE account=?")?
            .query_map(params![int(id.raw())], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for mailbox in mailboxes {
            self.doom(mail::ids::MailboxId::from_raw(crate::embedded::rows::uint(
                mailbox,
            )))?;
        }
        self.conn
            .prepare_cached("DELETE FROM accounts WHERE id=?")?
            .execute(params![int(id.raw())])?;
        self.conn
            .prepare_cached("DELETE FROM ledgers WHERE account=?")?
            .execute(params![int(id.raw())])?;
        self.forget_account_entries(id)?;
        self.forget_grantee(id)?;
        self.ledger.drop_account(id);
        Ok(OpResult::Done)
    }

    /// Adds an alias.
    pub(super) fn create_alias(&mut self, key: &str, targets: &[String]) -> Result<OpResult> {
        self.check_address_free(key)?;
        self.write_alias(key, targets)
    }

    /// Replaces an alias's targets.
    pub(super) fn set_alias(&mut self, key: &str, targets: &[String]) -> Result<OpResult> {
        if !self.exists("SELECT EXISTS(SELECT 1 FROM aliases WHERE key=?)", key)? {
            return refuse(Conflict::NoSuchAlias);
        }
        self.write_alias(key, targets)
    }

    fn write_alias(&mut self, key: &str, targets: &[String]) -> Result<OpResult> {
        if targets.iter().any(|target| target.contains(TARGET_SEPARATOR)) {
            return refuse(Conflict::NotAllowed);
        }
        let joined = targets.join(TARGET_SEPARATOR);
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO aliases VALUES(?,?,?)")?
            .execute(params![key, joined, text_sum("alias", key, &joined)])?;
        Ok(OpResult::Done)
    }

    /// Removes an alias.
    pub(super) fn remove_alias(&mut self, key: &str) -> Result<OpResult> {
        let removed = self
            .conn
            .prepare_cached("DELETE FROM aliases WHERE key=?")?
            .execute(params![key])?;
        if removed == 0 {
            refuse(Conflict::NoSuchAlias)
        } else {
            Ok(OpResult::Done)
        }
    }

    /// Addresses are unique over accounts and aliases.
    fn check_address_free(&self, key: &str) -> Result<()> {
        if self.exists("SELECT EXISTS(SELECT 1 FROM accounts WHERE address=?)", key)? {
            return refuse(Conflict::AccountExists);
        }
        if self.exists("SELECT EXISTS(SELECT 1 FROM aliases WHERE key=?)", key)? {
            return refuse(Conflict::AliasExists);
        }
        Ok(())
    }

    fn exists(&self, question: &str, text: &str) -> Result<bool> {
        Ok(self
            .conn
            .prepare_cached(question)?
            .query_row(params![text], |row| row.get(0))?)
    }
}
