//! Checksums of rows: 48 bits of BLAKE3 over every column, the key included, so that neither rot nor a misplaced row is
//! served as if it were right.

use mail::ids::{AccountId, Id, MailboxId};

use crate::contract::{AccountRow, MailboxRow, SpecialUse, StoreError};
use crate::rights::{Grant, Grantee};

/// Collects the columns of one row.
pub(crate) struct Sum(Vec<u8>);

impl Sum {
    /// Starts with the table's name, so that a row is not taken for one of another table.
    pub fn of(table: &str) -> Self {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(table.as_bytes());
        Self(bytes)
    }

    pub fn int(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// 48 bits, so that SQLite stores it in six bytes.
    pub fn end(self) -> i64 {
        low_bits(&self.0)
    }
}

fn low_bits(row: &[u8]) -> i64 {
    let hash = blake3::hash(row);
    let mut low = [0u8; 8];
    low[..6].copy_from_slice(&hash.as_bytes()[..6]);
    i64::from_le_bytes(low)
}

/// Whether a row is what was stored.
pub(crate) fn verify(stored: i64, computed: i64, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if stored == computed || crate::embedded::plants::no_checksum() {
        return Ok(());
    }
    Err(StoreError::Damaged(what()))
}

/// An unsigned number as SQLite keeps it. All ours are below 2^63.
pub(crate) const fn int(value: u64) -> i64 {
    value as i64
}

/// A number SQLite gave back.
pub(crate) const fn uint(value: i64) -> u64 {
    value as u64
}

/// Checksum of a placement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacementColumns<'a> {
    pub mailbox: MailboxId,
    pub uid: u32,
    pub message: u64,
    pub bits: u32,
    pub keywords: Option<&'a [u8]>,
    pub modseq: u64,
    pub size: u64,
    /// 0: when the message was
    pub saved_at: u64,
}

impl PlacementColumns<'_> {
    /// A place without a date of its own has the checksum it had before version 3.
    pub fn sum(&self) -> i64 {
        if self.keywords.is_none() {
            return self.plain_sum();
        }
        let sum = Sum::of("placement")
            .int(self.mailbox.raw())
            .int(u64::from(self.uid))
            .int(self.message)
            .int(u64::from(self.bits))
            .bytes(self.keywords.unwrap_or_default())
            .int(self.modseq)
            .int(self.size);
        match self.saved_at {
            0 => sum.end(),
            own => sum.int(own).end(),
        }
    }

    /// The same without keywords, of which a change of a whole mailbox needs two for each message: asks for no memory.
    fn plain_sum(&self) -> i64 {
        const NAME: &[u8] = b"placement";
        let columns = [
            self.mailbox.raw(),
            u64::from(self.uid),
            self.message,
            u64::from(self.bits),
            0,
            self.modseq,
            self.size,
            self.saved_at,
        ];
        let mut row = [0; NAME.len() + 8 * 8];
        let (name, places) = row.split_at_mut(NAME.len());
        name.copy_from_slice(NAME);
        for (place, column) in places.chunks_exact_mut(8).zip(columns) {
            place.copy_from_slice(&column.to_le_bytes());
        }
        let used = if self.saved_at == 0 {
            row.len() - 8
        } else {
            row.len()
        };
        low_bits(&row[..used])
    }
}

/// Checksum of a mailbox row.
pub(crate) fn mailbox_sum(row: &MailboxRow, tombstone_floor: u64) -> i64 {
    Sum::of("mailbox")
        .int(row.id.raw())
        .int(row.account.raw())
        .int(row.parent.map_or(0, Id::raw))
        .bytes(row.name.as_bytes())
        .int(special_use_code(row.special_use))
        .int(u64::from(row.subscribed))
        .int(u64::from(row.uidvalidity))
        .int(u64::from(row.uidnext))
        .int(row.modseq)
        .int(u64::from(row.messages))
        .int(u64::from(row.unseen))
        .int(u64::from(row.deleted))
        .int(row.size_bytes)
        .int(tombstone_floor)
        .end()
}

/// Checksum of an account row (its changing numbers are in the ledger row).
pub(crate) fn account_sum(row: &AccountRow, inbox: MailboxId) -> i64 {
    Sum::of("account")
        .int(row.id.raw())
        .bytes(row.address.as_bytes())
        .int(u64::from(row.credential.is_some()))
        .bytes(row.credential.as_deref().unwrap_or_default().as_bytes())
        .int(row.quota_bytes)
        .int(u64::from(row.enabled))
        .bytes(row.settings.as_bytes())
        .int(inbox.raw())
        .end()
}

/// Checksum of an account's changing numbers.
pub(crate) fn ledger_sum(account: u64, used_bytes: u64, modseq: u64, last_uidvalidity: u32) -> i64 {
    Sum::of("ledger")
        .int(account)
        .int(used_bytes)
        .int(modseq)
        .int(u64::from(last_uidvalidity))
        .end()
}

/// Checksum of a row made of one key and one text (domains, aliases, keywords).
pub(crate) fn text_sum(table: &str, key: &str, text: &str) -> i64 {
    Sum::of(table).bytes(key.as_bytes()).bytes(text.as_bytes()).end()
}

/// Checksum of an entry of metadata.
pub(crate) fn metadata_sum(account: AccountId, mailbox: Option<MailboxId>, entry: &str, value: &[u8]) -> i64 {
    Sum::of("metadata")
        .int(account.raw())
        .int(mailbox.map_or(0, Id::raw))
        .bytes(entry.as_bytes())
        .bytes(value)
        .end()
}

/// Checksum of an entry about rights.
pub(crate) fn grant_sum(mailbox: MailboxId, who: Grantee, grant: Grant) -> i64 {
    Sum::of("grant")
        .int(mailbox.raw())
        .int(grantee_code(who))
        .int(u64::from(grant.given.bits()))
        .int(u64::from(grant.taken.bits()))
        .end()
}

/// Whom an entry is about as a number; no account has the number 0.
pub(crate) fn grantee_code(who: Grantee) -> u64 {
    match who {
        Grantee::Anyone => 0,
        Grantee::Account(account) => account.raw(),
    }
}

/// Checksum of a name that is subscribed to.
pub(crate) fn subscribed_name_sum(account: AccountId, name: &str) -> i64 {
    Sum::of("subscribed name")
        .int(account.raw())
        .bytes(name.as_bytes())
        .end()
}

/// RFC 6154 and RFC 9979 uses as numbers; part of the stored format.
pub(crate) fn special_use_code(special_use: Option<SpecialUse>) -> u64 {
    match special_use {
        None => 0,
        Some(SpecialUse::All) => 1,
        Some(SpecialUse::Archive) => 2,
        Some(SpecialUse::Drafts) => 3,
        Some(SpecialUse::Flagged) => 4,
        Some(SpecialUse::Junk) => 5,
        Some(SpecialUse::Sent) => 6,
        Some(SpecialUse::Trash) => 7,
        Some(SpecialUse::Memos) => 8,
        Some(SpecialUse::Scheduled) => 9,
        Some(SpecialUse::Snoozed) => 10,
    }
}

/// The use a number stands for.
pub(crate) fn special_use_from(code: u64) -> Option<SpecialUse> {
    Some(match code {
        1 => SpecialUse::All,
        2 => SpecialUse::Archive,
        3 => SpecialUse::Drafts,
        4 => SpecialUse::Flagged,
        5 => SpecialUse::Junk,
        6 => SpecialUse::Sent,
        7 => SpecialUse::Trash,
        8 => SpecialUse::Memos,
        9 => SpecialUse::Scheduled,
        10 => SpecialUse::Snoozed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_without_keywords_has_the_same_sum_both_ways() {
        for saved_at in [0, 77] {
            let plain = PlacementColumns {
                mailbox: MailboxId::from_raw(3),
                uid: 4,
                message: 5,
                bits: 6,
                keywords: None,
                modseq: 7,
                size: 8,
                saved_at,
            };
            let listed = PlacementColumns {
                keywords: Some(&[]),
                ..plain
            };
            assert_eq!(plain.sum(), listed.sum(), "{saved_at}");
        }
    }
}
