//! Whole messages, many in one question: for whoever shows or sends one after the other.
//!
//! 1. [`Reader::rows_and_inline`] reads rows, and bodies that are in the database, at one moment, with one statement for each message,
//! 2. [`Reader::read_settled`] reads the bodies that are in packs; those that lie one behind the other with one read of the file.
//!
//! Whatever is not as its checksum says, or not where its row says, is left out: whoever then reads that body alone finds out why, or
//! finds it where it has moved to meanwhile.

use bytes::Bytes;
use mail::ids::{Id, MessageId};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement, params};

use crate::contract::{INLINE_BODY_BYTES, PAGE_ROWS, ReadMessage, Result, Together};
use crate::embedded::load::{self, BodyRow};
use crate::embedded::pack;
use crate::embedded::readers::{Reader, is_body};
use crate::embedded::rows::int;
use crate::limits::SPAN_BYTES;

const QUESTION: &str = "SELECT m.id,m.account,m.blob,m.prefix,m.body_bytes,m.internal_date,m.saved_at,m.places,m.sum,\
    b.blob,b.size,b.hash,b.pack,b.place,b.stored,b.refs,b.sum,i.bytes FROM messages m \
    LEFT JOIN bodies b ON b.blob=m.blob AND m.body_bytes<=?2 LEFT JOIN inline i ON i.blob=b.blob AND b.pack=0 AND b.size<=?2 WHERE m.id=?1";
const BODY_COLUMNS: usize = 9;
const INLINE_COLUMN: usize = 17;

/// What was found of each message, in the order asked.
type Found = Vec<Result<Option<ReadMessage>>>;

/// A body that is in a pack.
struct InPack {
    /// whose it is, counted in [`Found`]
    at: usize,
    body: BodyRow,
}

impl Reader {
    pub fn read_messages(&mut self, ids: &[MessageId], together: Together) -> Result<Found> {
        let (mut found, settled) = self.snapshot(|reader| reader.rows_and_inline(ids, together))?;
        let mut rest = &settled[..];
        while !rest.is_empty() {
            let (together, others) = rest.split_at(neighbours(rest));
            self.read_settled(&mut found, together);
            rest = others;
        }
        Ok(found)
    }

    fn rows_and_inline(&self, ids: &[MessageId], together: Together) -> Result<(Found, Vec<InPack>)> {
        let mut statement = self.conn.prepare_cached(QUESTION)?;
        let mut found = Vec::with_capacity(ids.len().min(PAGE_ROWS));
        let mut settled = Vec::new();
        let mut left_bytes = together.all_bytes;
        for id in ids.iter().take(PAGE_ROWS) {
            let small = together.body_bytes.min(left_bytes);
            let read = self.shared.watch(read_one(&mut statement, *id, small));
            let read = read.map(|read| {
                let (message, body) = read?;
                if let Some(body) = body {
                    left_bytes = left_bytes.saturating_sub(body.size);
                    if body.pack != 0 {
                        settled.push(InPack {
                            at: found.len(),
                            body,
                        });
                    }
                }
                Some(message)
            });
            found.push(read);
        }
        Ok((found, settled))
    }

    /// Bodies that are neighbours in one pack.
    fn read_settled(&mut self, found: &mut Found, bodies: &[InPack]) {
        let Some(first) = bodies.first() else { return };
        let length: u64 = bodies.iter().map(|each| each.body.stored).sum();
        let Some((span, unzip)) = self.pack_span(&first.body, length) else {
            return;
        };
        let mut rest = span;
        for InPack { at, body } in bodies {
            let (record, behind) = rest.split_at(body.stored as usize);
            rest = behind;
            let Some(Ok(Some(message))) = found.get_mut(*at) else {
                continue;
            };
            let prefix = &message.row.prefix;
            let mut octets = Vec::with_capacity(prefix.len() + body.size as usize);
            octets.extend_from_slice(prefix);
            let expected = (body.blob, body.size, &body.hash);
            if pack::append_small(record, unzip, expected, &mut octets).is_ok() {
                message.octets = Some(octets.into());
            }
        }
    }
}

/// A message and, if it is small enough, the row of its body.
fn read_one(
    statement: &mut Statement<'_>,
    id: MessageId,
    small: u64,
) -> Result<Option<(ReadMessage, Option<BodyRow>)>> {
    let mut rows = statement.query(params![int(id.raw()), int(small)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let message = load::message_from(row)?.row;
    let body = match row.get_ref(BODY_COLUMNS)? {
        ValueRef::Null => None,
        _ => load::body_at(row, BODY_COLUMNS)
            .ok()
            .filter(|body| body.size <= small),
    };
    let octets = match &body {
        Some(body) if body.pack == 0 => inline(row, &message.prefix, body)?,
        _ => None,
    };
    Ok(Some((ReadMessage { row: message, octets }, body)))
}

/// The whole of a message whose body is in the database.
fn inline(row: &Row<'_>, prefix: &[u8], body: &BodyRow) -> Result<Option<Bytes>> {
    Ok(match row.get_ref(INLINE_COLUMN)? {
        ValueRef::Blob(bytes) if is_body(bytes, body) => Some([prefix, bytes].concat().into()),
        _ => None,
    })
}

/// How many of these, the first one at least, lie one behind the other and are read at once.
fn neighbours(bodies: &[InPack]) -> usize {
    let mut length = 0u64;
    let mut end = bodies.first().map(|first| (first.body.pack, first.body.place));
    let fits = |each: &&InPack| {
        let here = end == Some((each.body.pack, each.body.place));
        length = length.saturating_add(each.body.stored);
        end = Some((each.body.pack, each.body.place.saturating_add(each.body.stored)));
        here && length <= SPAN_BYTES
    };
    bodies.iter().take_while(fits).count().max(1)
}

/// The longest record of a small body fits a span.
const _: () = assert!((pack::RECORD_HEADER_BYTES + pack::SUM_BYTES + INLINE_BODY_BYTES) as u64 <= SPAN_BYTES);
