//! Identifiers: 63-bit, time-ordered numbers that are never reused.
//!
//! Layout: 42 bits of milliseconds since 1970, 9 bits of node, 12 bits of sequence. As text: one letter that
//! tells the kind, then 13 characters of lower-case base32 (RFC 4648 §6 alphabet). That is valid as a JMAP Id (RFC 8620 §1.2)
//! and as an IMAP OBJECTID (RFC 8474 §7). They are made by `world::ids::IdSource`; this module only names them.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The text was not an identifier of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an identifier: one letter and 13 base32 characters are expected")
    }
}

impl std::error::Error for BadId {}

/// What every identifier can do; lets `IdSource` make any kind.
pub trait Id: Copy + Ord + fmt::Debug + fmt::Display {
    /// Wraps a raw number. Only the store (reading rows) and `IdSource` (making new ones) should call this.
    fn from_raw(raw: u64) -> Self;
    /// The raw number, below 2^63, so that it fits an SQL integer.
    fn raw(self) -> u64;
    /// Milliseconds since 1970 at which the identifier was made.
    fn unix_ms(self) -> u64 {
        self.raw() >> 21
    }
}

fn write_text(letter: char, raw: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; 13];
    for (place, slot) in text.iter_mut().enumerate() {
        *slot = ALPHABET[((raw >> (60 - 5 * place)) & 31) as usize];
    }
    write!(f, "{letter}{}", text.escape_ascii())
}

fn read_text(letter: char, text: &str) -> Result<u64, BadId> {
    let digits = text.strip_prefix(letter).ok_or(BadId)?;
    if digits.len() != 13 {
        return Err(BadId);
    }
    let mut raw: u64 = 0;
    for byte in digits.bytes() {
        let value = ALPHABET.iter().position(|&known| known == byte).ok_or(BadId)?;
        raw = raw.checked_mul(32).ok_or(BadId)? | value as u64;
    }
    if raw >> 63 == 0 { Ok(raw) } else { Err(BadId) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl Id for $name {
            fn from_raw(raw: u64) -> Self {
                debug_assert!(raw >> 63 == 0, "identifiers have 63 bits");
                Self(raw)
            }
            fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text($letter, self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                read_text($letter, text).map(Self)
            }
        }
    };
}

id!(
    /// An account: somebody who can sign in and owns mailboxes.
    AccountId, 'a'
);
id!(
    /// A mailbox (folder) of one account. IMAP MAILBOXID (RFC 8474).
    MailboxId, 'f'
);
id!(
    /// A message of one account, the same in every mailbox it is placed in. IMAP EMAILID.
    MessageId, 'm'
);
id!(
    /// The immutable bytes of a message body, shared by all recipients of one acceptance.
    BlobId, 'b'
);
id!(
    /// One transaction from MAIL FROM on; in every log line, in Received, in `250 2.0.0 … queued as`.
    QueueId, 'q'
);
id!(
    /// A recorded change of domains, accounts, aliases or the queue.
    ChangeId, 'c'
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for raw in [0, 1, 31, 32, 1 << 21, (1 << 63) - 1] {
            let id = QueueId::from_raw(raw);
            let text = id.to_string();
            assert_eq!(text.len(), 14);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.parse::<BlobId>(), Err(BadId), "kinds do not mix");
        }
    }

    #[test]
    fn text_orders_like_numbers_within_the_alphabet() {
        assert_eq!(QueueId::from_raw(5 << 21).unix_ms(), 5);
    }
}
