//! Rights in a mailbox (RFC 4314 §2.1), and who has them. Pure: rights in, rights out.

use std::fmt;

use mail::ids::AccountId;

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u16);

/// The letters in the order they are written; the bit is the place. Part of the stored format: only append.
const LETTERS: [u8; 11] = *b"lrswipkxtea";

impl Rights {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// `l`: the mailbox is seen
    pub const LOOKUP: Self = Self(1);
    /// `r`: it is opened and read
    pub const READ: Self = Self(1 << 1);
    /// `s`: `\Seen` is set and cleared
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: other flags than `\Seen` and `\Deleted`
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: messages come in
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: kept, and without effect here
    pub const POST: Self = Self(1 << 5);
    /// `k`: mailboxes are made below it
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: it is deleted and renamed
    pub const DELETE: Self = Self(1 << 7);
    /// `t`: `\Deleted` is set and cleared
    pub const TRASH: Self = Self(1 << 8);
    /// `e`: messages are expunged
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: rights are given and taken
    pub const ADMINISTER: Self = Self(1 << 10);
    /// Every right there is.
    pub const ALL: Self = Self((1 << LETTERS.len()) - 1);

    /// From the stored number; unknown bits are no rights.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The number to store.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From letters, the obsolete `c` and `d` included (RFC 4314 §2.1.1: create and delete, which mean `kx` and `te` here).
    ///
    /// # Errors
    /// The first character that is no right.
    pub fn parse(letters: &str) -> Result<Self, char> {
        let mut rights = Self::NONE;
        for letter in letters.chars() {
            rights = rights.union(Self::of_letter(letter).ok_or(letter)?);
        }
        Ok(rights)
    }

    fn of_letter(letter: char) -> Option<Self> {
        match letter {
            'c' => Some(Self::CREATE.union(Self::DELETE)),
            'd' => Some(Self::TRASH.union(Self::EXPUNGE)),
            _ => LETTERS
                .iter()
                .position(|&known| char::from(known) == letter)
                .map(|at| Self(1 << at)),
        }
    }

    /// Each right alone.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..LETTERS.len())
            .map(|at| Self(1 << at))
            .filter(move |one| self.has(*one))
    }

    /// Whether all of `wanted` are among them.
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Whether one of `wanted` is.
    pub const fn has_any(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Those that are not in `less`.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }

    /// With the obsolete letters that older clients look for (RFC 4314 §2.1.1): for MYRIGHTS and ACL responses.
    pub fn with_obsolete(self) -> String {
        let mut text = self.to_string();
        if self.has_any(Self::CREATE.union(Self::DELETE)) {
            text.push('c');
        }
        if self.has_any(Self::TRASH.union(Self::EXPUNGE)) {
            text.push('d');
        }
        text
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = LETTERS.iter().enumerate();
        letters
            .filter(|(at, _)| self.0 & (1 << at) != 0)
            .try_for_each(|(_, &letter)| write!(f, "{}", char::from(letter)))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// every account of this server
    Anyone,
    /// this one
    Account(AccountId),
}

impl Grantee {
    /// Whether an account is meant.
    pub fn covers(self, account: AccountId) -> bool {
        match self {
            Self::Anyone => true,
            Self::Account(only) => only == account,
        }
    }
}

/// What one entry gives and takes (RFC 4314 §2: `-id` is what is taken, whoever else gives it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grant {
    /// rights it gives
    pub given: Rights,
    /// rights it takes
    pub taken: Rights,
}

impl Grant {
    /// Takes every right.
    pub const ALL_TAKEN: Self = Self {
        given: Rights::NONE,
        taken: Rights::ALL,
    };

    /// Whether it says nothing.
    pub const fn is_empty(self) -> bool {
        self.given.is_empty() && self.taken.is_empty()
    }

    /// The entry after a change of its one side or the other.
    #[must_use]
    pub const fn changed(self, side: Side, change: RightsChange) -> Self {
        match side {
            Side::Given => Self {
                given: change.applied(self.given),
                ..self
            },
            Side::Taken => Self {
                taken: change.applied(self.taken),
                ..self
            },
        }
    }
}

/// Which half of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `id`
    Given,
    /// `-id`
    Taken,
}

/// A change of rights (RFC 4314 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightsChange {
    /// these and no others
    Set(Rights),
    /// `+`
    Add(Rights),
    /// `-`
    Remove(Rights),
}

impl RightsChange {
    const fn applied(self, before: Rights) -> Rights {
        match self {
            Self::Set(rights) => rights,
            Self::Add(more) => before.union(more),
            Self::Remove(less) => before.without(less),
        }
    }
}

/// What an account may, by all entries of a mailbox together: what some give less what some take. The owner has every right,
/// whatever they say, so that no mailbox is ever without somebody who can change its rights (RFC 4314 §2 leaves it to the server).
pub fn rights_of(
    account: AccountId,
    owner: AccountId,
    entries: impl IntoIterator<Item = (Grantee, Grant)>,
) -> Rights {
    if account == owner {
        return Rights::ALL;
    }
    let (mut given, mut taken) = (Rights::NONE, Rights::NONE);
    for (_, grant) in entries.into_iter().filter(|(who, _)| who.covers(account)) {
        given = given.union(grant.given);
        taken = taken.union(grant.taken);
    }
    given.without(taken)
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;

    use super::*;

    fn rights(letters: &str) -> Rights {
        Rights::parse(letters).expect("rights")
    }

    #[test]
    fn letters_read_back_and_unknown_ones_are_named() {
        assert_eq!(rights("lrswipkxtea"), Rights::ALL);
        assert_eq!(Rights::ALL.to_string(), "lrswipkxtea");
        assert_eq!(Rights::ALL.each().count(), 11);
        for (given, read) in [
            ("", ""),
            ("al", "la"),
            ("c", "kx"),
            ("d", "te"),
            ("lrcd", "lrkxte"),
        ] {
            assert_eq!(rights(given).to_string(), read);
        }
        for (given, wrong) in [("lq", 'q'), ("L", 'L'), ("l0", '0'), ("+l", '+'), ("é", 'é')] {
            assert_eq!(Rights::parse(given), Err(wrong));
        }
        assert_eq!(Rights::from_bits(u16::MAX), Rights::ALL);
    }

    /// RFC 4314 §2.1.1: shown when any member is.
    #[test]
    fn obsolete_letters_are_shown_beside_what_they_stand_for() {
        for (given, shown) in [
            ("lr", "lr"),
            ("k", "kc"),
            ("x", "xc"),
            ("t", "td"),
            ("lkxte", "lkxtecd"),
        ] {
            assert_eq!(rights(given).with_obsolete(), shown);
        }
    }

    #[test]
    fn imp_5_what_is_taken_is_taken_whoever_gives_it() {
        let (owner, alice, bob) = (
            AccountId::from_raw(1),
            AccountId::from_raw(2),
            AccountId::from_raw(3),
        );
        let entry = |who, given: &str, taken: &str| {
            let (given, taken) = (rights(given), rights(taken));
            (who, Grant { given, taken })
        };
        let (anyone, of_alice, of_bob) = (Grantee::Anyone, Grantee::Account(alice), Grantee::Account(bob));
        for (entries, wanted) in [
            (vec![], ""),
            (vec![entry(of_bob, "lrswipkxtea", "")], ""),
            (vec![entry(anyone, "lr", "")], "lr"),
            (vec![entry(of_alice, "lrs", "")], "lrs"),
            (vec![entry(anyone, "lr", ""), entry(of_alice, "i", "")], "lri"),
            (vec![entry(anyone, "lrs", ""), entry(of_alice, "", "r")], "ls"),
            (vec![entry(anyone, "", "s"), entry(of_alice, "lrs", "")], "lr"),
            (vec![entry(of_alice, "lrs", "rs")], "l"),
            (vec![entry(of_bob, "", "lrs"), entry(of_alice, "lrs", "")], "lrs"),
        ] {
            assert_eq!(
                rights_of(alice, owner, entries.clone()),
                rights(wanted),
                "{entries:?}"
            );
            assert_eq!(rights_of(owner, owner, entries), Rights::ALL);
        }
        let against = [
            entry(anyone, "", "a"),
            entry(Grantee::Account(owner), "", "lrswipkxtea"),
        ];
        assert_eq!(rights_of(owner, owner, against), Rights::ALL);
    }

    #[test]
    fn a_change_concerns_one_side() {
        let start = Grant {
            given: rights("lr"),
            taken: rights("s"),
        };
        for (side, change, given, taken) in [
            (Side::Given, RightsChange::Set(rights("i")), "i", "s"),
            (Side::Given, RightsChange::Add(rights("li")), "lri", "s"),
            (Side::Given, RightsChange::Remove(rights("rx")), "l", "s"),
            (Side::Taken, RightsChange::Set(Rights::NONE), "lr", ""),
            (Side::Taken, RightsChange::Add(rights("w")), "lr", "sw"),
        ] {
            let wanted = Grant {
                given: rights(given),
                taken: rights(taken),
            };
            assert_eq!(start.changed(side, change), wanted);
        }
    }
}
