//! The contract's reads of mail and of the directory; those of the queue are in `waiting.rs`.

use mail::ids::{AccountId, BlobId, Id, MailboxId, MessageId};
use rusqlite::params;
use world::clock::UnixMs;

use crate::contract::{
    AccountRow, Changes, Conflict, GrantRow, MailboxRow, MessageRow, MetadataRow, PAGE_ROWS, PlacementRow,
    Result, SHARED_MAILBOXES, StoreError,
};
use crate::embedded::apply::{TARGET_SEPARATOR, flags_of};
use crate::embedded::load::{self, StoredPlacement};
use crate::embedded::readers::Reader;
use crate::embedded::rows::{int, metadata_sum, subscribed_name_sum, text_sum, uint, verify};
use crate::flags::DELETED;
use crate::limits::TOMBSTONES_PER_PAGE;
use crate::uids::UidSet;

const PAGE: i64 = PAGE_ROWS as i64;

impl Reader {
    pub fn mailboxes(&mut self, account: AccountId) -> Result<Vec<MailboxRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id,account,parent,name,special_use,subscribed,uidvalidity,uidnext,modseq,messages,unseen,deleted,\
             size_bytes,tombstone_floor,sum FROM mailboxes WHERE account=? ORDER BY id",
        )?;
        let mut rows = statement.query(params![int(account.raw())])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(load::mailbox_from(row)?.row);
        }
        Ok(found)
    }

    pub fn placements(&mut self, mailbox: MailboxId, after_uid: u32) -> Result<Vec<PlacementRow>> {
        self.snapshot(|reader| {
            let state = load::mailbox(&reader.conn, mailbox)?;
            let missing = StoreError::Conflict(Conflict::NoSuchMailbox);
            let messages = state.ok_or(missing)?.row.messages as usize;
            let mut statement = reader.conn.prepare_cached(
                "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements \
                 WHERE mailbox=? AND uid>? ORDER BY uid LIMIT ?",
            )?;
            let found = statement
                .query_map(params![int(mailbox.raw()), after_uid, PAGE], load::placement_from)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            drop(statement);
            // A row that rot hides leaves a gap in the count.
            if after_uid == 0 && found.len() != messages.min(PAGE_ROWS) {
                return Err(StoreError::Damaged(format!(
                    "mailbox {mailbox} (its count does not match)"
                )));
            }
            reader.named(mailbox, found)
        })
    }

    /// Verifies placements and gives their keywords names.
    fn named(&mut self, mailbox: MailboxId, found: Vec<StoredPlacement>) -> Result<Vec<PlacementRow>> {
        let rare = found.iter().any(|placement| placement.keywords.is_some());
        let names = if rare {
            load::keyword_names(&self.conn, mailbox)?
        } else {
            Vec::new()
        };
        found
            .into_iter()
            .map(|placement| {
                let placement = placement.verified()?;
                Ok(PlacementRow {
                    uid: placement.uid,
                    message: MessageId::from_raw(placement.message),
                    flags: flags_of(&placement, &names)?,
                    modseq: placement.modseq,
                    size_bytes: placement.size,
                })
            })
            .collect()
    }

    pub fn changes_since(&mut self, mailbox: MailboxId, modseq: u64) -> Result<Changes> {
        self.snapshot(|reader| reader.changed(mailbox, modseq))
    }

    /// Of several mailboxes at one moment.
    pub fn changes_of(&mut self, asked: &[(MailboxId, u64)]) -> Result<Vec<Result<Changes>>> {
        self.snapshot(|reader| {
            let answers = asked.iter().map(|(mailbox, modseq)| {
                let found = reader.changed(*mailbox, *modseq);
                reader.shared.watch(found)
            });
            Ok(answers.collect())
        })
    }

    fn changed(&mut self, mailbox: MailboxId, modseq: u64) -> Result<Changes> {
        let missing = StoreError::Conflict(Conflict::NoSuchMailbox);
        let state = load::mailbox(&self.conn, mailbox)?.ok_or(missing)?;
        let highest = state.row.modseq;
        if modseq < state.tombstone_floor {
            let empty = (Vec::new(), UidSet::new());
            return Ok(Changes {
                rows: empty.0,
                vanished: empty.1,
                upto: highest,
                highest,
                too_old: true,
            });
        }
        let (mut found, row_limit) = self.changed_rows(mailbox, modseq)?;
        let (mut buried, tombstone_limit) = self.buried(mailbox, modseq)?;
        let upto = row_limit.min(tombstone_limit).min(highest);
        found.retain(|placement| placement.modseq <= upto);
        buried.retain(|(at, _, _)| *at <= upto);
        let rows = self.named(mailbox, found)?;
        let vanished = UidSet::from_ranges(buried.into_iter().map(|(_, first, last)| (first, last)));
        Ok(Changes {
            rows,
            vanished,
            upto,
            highest,
            too_old: false,
        })
    }

    /// One page of changed rows, and the last modseq it holds wholly. At most 256 rows share a modseq, so each page
    /// holds at least one.
    fn changed_rows(&mut self, mailbox: MailboxId, modseq: u64) -> Result<(Vec<StoredPlacement>, u64)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements \
             WHERE mailbox=? AND modseq>? ORDER BY modseq,uid LIMIT ?",
        )?;
        let mut found = statement
            .query_map(
                params![int(mailbox.raw()), int(modseq), PAGE + 1],
                load::placement_from,
            )?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if found.len() <= PAGE_ROWS {
            return Ok((found, u64::MAX));
        }
        let next = found.pop().map_or(u64::MAX, |placement| placement.modseq);
        Ok((found, next - 1))
    }

    fn buried(&mut self, mailbox: MailboxId, modseq: u64) -> Result<(Vec<(u64, u32, u32)>, u64)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT modseq,first,last FROM tombstones WHERE mailbox=? AND modseq>? ORDER BY modseq,first LIMIT ?",
        )?;
        let limit = TOMBSTONES_PER_PAGE as i64 + 1;
        let mut found = statement
            .query_map(params![int(mailbox.raw()), int(modseq), limit], |row| {
                Ok((uint(row.get(0)?), load::low(row.get(1)?), load::low(row.get(2)?)))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if found.len() <= TOMBSTONES_PER_PAGE {
            return Ok((found, u64::MAX));
        }
        let next = found.pop().map_or(u64::MAX, |(at, _, _)| at);
        Ok((found, next - 1))
    }

    pub fn messages(&mut self, ids: &[MessageId]) -> Result<Vec<MessageRow>> {
        self.snapshot(|reader| {
            let mut found = Vec::with_capacity(ids.len().min(PAGE_ROWS));
            for id in ids.iter().take(PAGE_ROWS) {
                found.extend(load::message(&reader.conn, id.raw())?.map(|state| state.row));
            }
            Ok(found)
        })
    }

    pub fn save_dates(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Vec<(u32, UnixMs)>> {
        self.snapshot(|reader| {
            let mut statement = reader.conn.prepare_cached(
                "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements \
                 WHERE mailbox=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?",
            )?;
            let mut found = Vec::new();
            for &(first, last) in uids.ranges() {
                let room = (PAGE_ROWS - found.len()) as i64;
                let mut rows = statement.query(params![int(mailbox.raw()), first, last, room])?;
                while let Some(row) = rows.next()? {
                    let placement = load::placement_from(row)?.verified()?;
                    found.push((placement.uid, reader.save_date(&placement)?));
                }
                if found.len() == PAGE_ROWS {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn save_date(&self, placement: &StoredPlacement) -> Result<UnixMs> {
        if placement.saved_at != 0 {
            return Ok(UnixMs(placement.saved_at));
        }
        let missing = || StoreError::Damaged(format!("message {}", MessageId::from_raw(placement.message)));
        let message = load::message(&self.conn, placement.message)?.ok_or_else(missing)?;
        Ok(message.row.saved_at)
    }

    /// Of the next messages behind `after_uid`: the bytes of those that are deleted, and the last UID; none when there are no more.
    pub fn deleted_bytes(&mut self, mailbox: MailboxId, after_uid: u32) -> Result<(u64, Option<u32>)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements \
             WHERE mailbox=? AND uid>? ORDER BY uid LIMIT ?",
        )?;
        let mut rows = statement.query(params![int(mailbox.raw()), after_uid, PAGE])?;
        let (mut bytes, mut seen, mut last) = (0, 0, after_uid);
        while let Some(row) = rows.next()? {
            let placement = load::placement_from(row)?;
            (seen, last) = (seen + 1, placement.uid);
            if placement.bits & DELETED != 0 {
                bytes += placement.verified()?.size;
            }
        }
        Ok((bytes, (seen == PAGE_ROWS).then_some(last)))
    }

    pub fn metadata(&mut self, account: AccountId) -> Result<Vec<MetadataRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT mailbox,entry,value,sum FROM metadata WHERE account=? ORDER BY mailbox,entry",
        )?;
        let mut rows = statement.query(params![int(account.raw())])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mailbox = uint(row.get(0)?);
            let value: Vec<u8> = row.get(2)?;
            let entry = MetadataRow {
                mailbox: (mailbox != 0).then(|| MailboxId::from_raw(mailbox)),
                entry: row.get(1)?,
                value: value.into(),
            };
            let sum = metadata_sum(account, entry.mailbox, &entry.entry, &entry.value);
            verify(row.get(3)?, sum, || {
                format!("metadata {} of account {account}", entry.entry)
            })?;
            found.push(entry);
        }
        Ok(found)
    }

    pub fn subscribed_names(&mut self, account: AccountId) -> Result<Vec<String>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT name,sum FROM subscribed_names WHERE account=? ORDER BY name")?;
        let mut rows = statement.query(params![int(account.raw())])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            verify(row.get(1)?, subscribed_name_sum(account, &name), || {
                format!("a subscription of account {account}")
            })?;
            found.push(name);
        }
        Ok(found)
    }

    pub fn grants(&mut self, mailbox: MailboxId) -> Result<Vec<GrantRow>> {
        self.snapshot(|reader| {
            let missing = StoreError::Conflict(Conflict::NoSuchMailbox);
            let owner = load::mailbox(&reader.conn, mailbox)?.ok_or(missing)?.row.account;
            let found = load::grants(&reader.conn, mailbox)?.into_iter();
            Ok(found
                .map(|(who, grant)| GrantRow {
                    mailbox,
                    owner,
                    who,
                    grant,
                })
                .collect())
        })
    }

    pub fn grants_to(&mut self, account: AccountId) -> Result<Vec<GrantRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT g.mailbox,who,given,taken,g.sum,m.account FROM grants g JOIN mailboxes m ON m.id=g.mailbox \
             WHERE who IN (0,?1) AND m.account<>?1 \
             ORDER BY EXISTS(SELECT 1 FROM grants h WHERE h.mailbox=g.mailbox AND h.who=?1) DESC,g.mailbox,who",
        )?;
        let mut rows = statement.query(params![int(account.raw())])?;
        let (mut found, mut mailboxes, mut last) = (Vec::new(), 0, None);
        while let Some(row) = rows.next()? {
            let stored = load::grant_from(row)?;
            mailboxes += usize::from(last.replace(stored.mailbox) != Some(stored.mailbox));
            if mailboxes > SHARED_MAILBOXES {
                break;
            }
            found.push(stored.of(AccountId::from_raw(uint(row.get(5)?))));
        }
        found.sort_by_key(|row| (row.mailbox, row.who));
        Ok(found)
    }

    pub fn grants_of(&mut self, owner: AccountId, after: Option<MailboxId>) -> Result<Vec<GrantRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT g.mailbox,who,given,taken,g.sum FROM grants g WHERE g.mailbox IN \
             (SELECT DISTINCT m.id FROM mailboxes m JOIN grants h ON h.mailbox=m.id WHERE m.account=? AND m.id>? \
              ORDER BY m.id LIMIT ?) ORDER BY g.mailbox,who",
        )?;
        let after = after.map_or(0, |id| int(id.raw()));
        let mut rows = statement.query(params![int(owner.raw()), after, PAGE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(load::grant_from(row)?.of(owner));
        }
        Ok(found)
    }

    pub fn domains(&mut self, after: &str) -> Result<Vec<(String, String)>> {
        self.texts(
            "SELECT name,settings,sum FROM domains WHERE name>? ORDER BY name LIMIT ?",
            "domain",
            after,
        )
    }

    pub fn aliases(&mut self, after: &str) -> Result<Vec<(String, Vec<String>)>> {
        let found = self.texts(
            "SELECT key,targets,sum FROM aliases WHERE key>? ORDER BY key LIMIT ?",
            "alias",
            after,
        )?;
        let split = |targets: &str| -> Vec<String> {
            if targets.is_empty() {
                Vec::new()
            } else {
                targets.split(TARGET_SEPARATOR).map(str::to_owned).collect()
            }
        };
        Ok(found
            .into_iter()
            .map(|(key, targets)| (key, split(&targets)))
            .collect())
    }

    fn texts(&mut self, question: &str, table: &str, after: &str) -> Result<Vec<(String, String)>> {
        let mut statement = self.conn.prepare_cached(question)?;
        let mut rows = statement.query(params![after, PAGE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, text): (String, String) = (row.get(0)?, row.get(1)?);
            verify(row.get(2)?, text_sum(table, &key, &text), || {
                format!("{table} {key}")
            })?;
            found.push((key, text));
        }
        Ok(found)
    }

    pub fn accounts(&mut self, after: Option<AccountId>) -> Result<Vec<AccountRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id,address,credential,quota_bytes,enabled,settings,inbox,a.sum,used_bytes,modseq,last_uidvalidity,l.sum \
             FROM accounts a JOIN ledgers l ON l.account=a.id WHERE id>? ORDER BY id LIMIT ?",
        )?;
        let mut rows = statement.query(params![after.map_or(-1, |id| int(id.raw())), PAGE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(load::account_from(&self.conn, row)?.0);
        }
        Ok(found)
    }

    /// Several bodies from their starts. Those in the database are read at one moment.
    pub fn read_bodies(&mut self, wanted: &[(BlobId, u64)]) -> Result<Vec<Result<bytes::Bytes>>> {
        let found = self.snapshot(|reader| {
            let found = wanted.iter().map(|(blob, _)| reader.row_and_inline(*blob));
            Ok(found.collect::<Vec<_>>())
        })?;
        let mut bodies = Vec::with_capacity(wanted.len());
        for (&(blob, length), found) in wanted.iter().zip(found) {
            let body = match found {
                Ok((_, Some(body))) => Ok(body.slice(..body.len().min(length as usize))),
                Ok((_, None)) => self.read_body(blob, 0, length),
                Err(error) => Err(error),
            };
            bodies.push(self.shared.watch(body));
        }
        Ok(bodies)
    }

    pub fn read_body(&mut self, blob: BlobId, offset: u64, length: u64) -> Result<bytes::Bytes> {
        self.body_range(blob, offset, length.min(crate::limits::READ_BODY_BYTES))
    }
}
