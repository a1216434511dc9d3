//! The INBOX of one session, as it was at the sign-in.

use std::sync::Arc;

use directory::SignedIn;
use mail::ids::MailboxId;
use mailbox::{Error, MailboxName, Person, Row, Snapshot};
use pop3::Marks;
use pop3::marks::Left;
use store::uids::UidSet;

use super::taken::Seat;

/// Somebody's messages, by number.
pub(crate) struct Maildrop {
    pub(crate) who: SignedIn,
    pub(crate) person: Person,
    pub(crate) mailbox: MailboxId,
    uidvalidity: u32,
    snapshot: Arc<Snapshot>,
    /// held until the session ends
    _seat: Seat,
}

impl Maildrop {
    /// Looks at the INBOX, without claiming its recent messages: that is for those who show them.
    pub(crate) async fn open(who: SignedIn, person: Person, seat: Seat) -> Result<(Self, Marks), Error> {
        let opened = person.open(&MailboxName::inbox(), true).await?;
        let snapshot = Arc::clone(opened.snapshot());
        let maildrop = Self {
            who,
            person,
            mailbox: opened.id(),
            uidvalidity: opened.uidvalidity(),
            snapshot,
            _seat: seat,
        };
        let marks = Marks::new(Left {
            messages: maildrop.snapshot.len(),
            octets: maildrop.snapshot.iter().map(octets).sum(),
        });
        Ok((maildrop, marks))
    }

    /// The message at a position, counted from 0.
    pub(crate) fn at(&self, index: u32) -> Option<&Row> {
        self.snapshot.at(index)
    }

    /// The name of a message that no other message of this account ever has here (RFC 1939 §7, UIDL).
    pub(crate) fn unique_id(&self, row: &Row) -> String {
        format!("{}.{}", self.uidvalidity, row.uid)
    }

    /// The UIDs of what is marked.
    pub(crate) fn uids_of(&self, marks: &Marks) -> UidSet {
        UidSet::from_uids(
            marks
                .marked()
                .filter_map(|index| self.at(index))
                .map(|row| row.uid),
        )
    }
}

/// Octets of a message as it is stored.
pub(crate) fn octets(row: &Row) -> u64 {
    u64::from(row.size_bytes)
}
