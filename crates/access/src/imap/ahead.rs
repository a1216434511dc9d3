//! What the index keeps of a message for FETCH, written ahead of time, and FETCH from it: nothing is read from the store.

use imap::command::FetchItem;
use imap::describe;
use imap::out::{FetchLine, ready};
use index::{Describe, Described, Digest, Wanted};
use mail::mime::Structure;

use super::content;

/// Describes messages as FETCH shows them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ahead;

/// Raise it when ENVELOPE, BODY or BODYSTRUCTURE of some message changes.
const VERSION: u16 = 1;

impl Describe for Ahead {
    fn version(&self) -> u16 {
        VERSION
    }

    fn describe(&self, message: &[u8], structure: &Structure) -> Described {
        let header = structure.root().header.of(message);
        let shown = describe::structure(message, structure);
        Described {
            envelope: ready::envelope(&describe::envelope(header)),
            body: ready::body(&shown),
            body_structure: ready::body_structure(&shown),
        }
    }
}

/// What of a digest these items need beside the row; `None` when one of them needs the message.
pub(crate) fn wanted(items: &[FetchItem]) -> Option<Wanted> {
    let mut wanted = Wanted::default();
    for item in items {
        match item {
            FetchItem::Flags
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::EmailId
            | FetchItem::ThreadId
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size => {}
            FetchItem::Envelope => wanted.envelope = true,
            FetchItem::Body => wanted.body = true,
            FetchItem::BodyStructure => wanted.body_structure = true,
            _ => return None,
        }
    }
    Some(wanted)
}

/// Writes an item that is not about the row.
pub(crate) fn write(line: &mut FetchLine<'_>, item: &FetchItem, digest: &Digest) {
    match item {
        FetchItem::InternalDate => line.internal_date(content::date_time(digest.internal_date)),
        FetchItem::Rfc822Size => line.size(digest.size_bytes),
        FetchItem::Envelope => line.envelope_ready(&digest.envelope),
        FetchItem::Body => line.body_ready(&digest.body),
        FetchItem::BodyStructure => line.body_structure_ready(&digest.body_structure),
        _ => {}
    }
}
