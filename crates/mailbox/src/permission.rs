//! What rights let somebody do with a mailbox (RFC 4314 §4): pure, one table. Every door asks here.
//!
//! Without `l` a mailbox is as if it were not there, whatever other rights there are; that is stricter than RFC 4314 §4, and
//! leaves one answer for what does not exist and for what one may not know of (threat case IMP-5).

use store::flags::{DELETED, FlagEdit, FlagMask, Flags, SEEN};
use store::rights::Rights;

use crate::error::{Error, Result};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// list it, subscribe to it, learn one's own rights
    See,
    /// open it, count its messages, search it, learn of its quota
    Read,
    /// put messages into it
    Insert,
    /// take messages out by moving or replacing them (RFC 6851 §4.4, RFC 8508 §3.6)
    TakeOut,
    /// expunge
    Expunge,
    /// make a mailbox below it, or move one there
    CreateBelow,
    /// delete it, or give it another name
    Delete,
    /// see and change who has which rights
    Administer,
    /// read its metadata, and keep private entries (RFC 5464 §3.3)
    ReadNotes,
    /// change its shared metadata
    WriteNotes,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::See,
        Self::Read,
        Self::Insert,
        Self::TakeOut,
        Self::Expunge,
        Self::CreateBelow,
        Self::Delete,
        Self::Administer,
        Self::ReadNotes,
        Self::WriteNotes,
    ];

    /// The rights it needs, besides `l`.
    pub const fn needs(self) -> Rights {
        match self {
            Self::See => Rights::NONE,
            Self::Read | Self::ReadNotes => Rights::READ,
            Self::Insert => Rights::INSERT,
            Self::TakeOut => Rights::TRASH.union(Rights::EXPUNGE),
            Self::Expunge => Rights::EXPUNGE,
            Self::CreateBelow => Rights::CREATE,
            Self::Delete => Rights::DELETE,
            Self::Administer => Rights::ADMINISTER,
            Self::WriteNotes => Rights::READ.union(Rights::WRITE),
        }
    }
}

/// Whether somebody with these rights may.
///
/// # Errors
/// `NoSuchMailbox` without `l`; `NoPermission` with what is missing.
pub fn may(act: Act, rights: Rights) -> Result<()> {
    if !rights.has(Rights::LOOKUP) {
        return Err(Error::NoSuchMailbox);
    }
    let missing = act.needs().without(rights);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::NoPermission(missing))
    }
}

/// The flags that may be set and cleared (RFC 4314 §4): `s` is for `\Seen`, `t` for `\Deleted`, `w` for all others.
pub fn flags_of(rights: Rights) -> FlagMask {
    let bit = |right, bits| if rights.has(right) { bits } else { 0 };
    FlagMask {
        bits: bit(Rights::SEEN, SEEN) | bit(Rights::TRASH, DELETED) | bit(Rights::WRITE, !(SEEN | DELETED)),
        keywords: rights.has(Rights::WRITE),
    }
}

/// Whether anything may be changed: READ-WRITE (RFC 4314 §5.2). All flags are shared by everybody, so each flag right counts.
pub fn writes(rights: Rights) -> bool {
    let changing = Rights::INSERT
        .union(Rights::EXPUNGE)
        .union(Rights::SEEN)
        .union(Rights::WRITE)
        .union(Rights::TRASH);
    rights.has_any(changing)
}

/// What of a change of flags may be done. A change is refused only when nothing of it may (RFC 4314 §4).
///
/// # Errors
/// `NoPermission` with the rights it would take.
pub fn permitted(edit: FlagEdit, rights: Rights) -> Result<FlagEdit> {
    let mask = flags_of(rights);
    if mask == FlagMask::ALL {
        return Ok(edit);
    }
    let named = match &edit {
        FlagEdit::Replace(flags)
        | FlagEdit::ReplaceSome(flags, _)
        | FlagEdit::Add(flags)
        | FlagEdit::Remove(flags) => flags,
    };
    let replaces = matches!(&edit, FlagEdit::Replace(_) | FlagEdit::ReplaceSome(..));
    let names_none = *named == Flags::default();
    let clears_some = replaces && names_none && mask != NO_FLAGS;
    if !(mask.touches(named) || clears_some || (names_none && !replaces)) {
        return Err(Error::NoPermission(rights_for(named).without(rights)));
    }
    Ok(match edit {
        FlagEdit::Add(flags) => FlagEdit::Add(mask.of(&flags)),
        FlagEdit::Remove(flags) => FlagEdit::Remove(mask.of(&flags)),
        FlagEdit::Replace(flags) | FlagEdit::ReplaceSome(flags, _) => FlagEdit::ReplaceSome(flags, mask),
    })
}

const NO_FLAGS: FlagMask = FlagMask {
    bits: 0,
    keywords: false,
};

/// The rights it takes to change these flags; all of them when none is named.
fn rights_for(flags: &Flags) -> Rights {
    let each = [Rights::SEEN, Rights::TRASH, Rights::WRITE];
    let wanted = each.into_iter().filter(|&right| flags_of(right).touches(flags));
    let wanted = wanted.fold(Rights::NONE, Rights::union);
    if wanted.is_empty() {
        each.into_iter().fold(Rights::NONE, Rights::union)
    } else {
        wanted
    }
}

#[cfg(test)]
mod tests {
    use store::flags::FLAGGED;

    use super::*;

    fn rights(letters: &str) -> Rights {
        Rights::parse(letters).unwrap()
    }

    /// Act, and the rights that let it happen; any right less refuses it.
    const TABLE: [(Act, &str); 10] = [
        (Act::See, "l"),
        (Act::Read, "lr"),
        (Act::Insert, "li"),
        (Act::TakeOut, "lte"),
        (Act::Expunge, "le"),
        (Act::CreateBelow, "lk"),
        (Act::Delete, "lx"),
        (Act::Administer, "la"),
        (Act::ReadNotes, "lr"),
        (Act::WriteNotes, "lrw"),
    ];

    #[test]
    fn imp_5_every_act_needs_its_rights_and_no_others() {
        for act in Act::ALL {
            let rows = TABLE.iter().filter(|(known, _)| *known == act);
            let [(_, needed)] = rows.collect::<Vec<_>>()[..] else {
                panic!("{act:?} is not once in the table");
            };
            let needed = rights(needed);
            assert_eq!(may(act, needed), Ok(()), "{act:?}");
            assert_eq!(may(act, Rights::ALL), Ok(()), "{act:?}");
            for less in needed.each() {
                let rest = Rights::ALL.without(less);
                let wanted = match less {
                    Rights::LOOKUP => Error::NoSuchMailbox,
                    other => Error::NoPermission(other),
                };
                assert_eq!(may(act, rest), Err(wanted), "{act:?} without {less}");
            }
        }
        for act in Act::ALL {
            assert_eq!(may(act, Rights::NONE), Err(Error::NoSuchMailbox), "{act:?}");
        }
    }

    /// RFC 4314 §4: APPEND and COPY keep, STORE changes, what rights allow.
    #[test]
    fn imp_5_flags_need_their_rights() {
        for (given, bits, keywords) in [
            ("lr", 0, false),
            ("ls", SEEN, false),
            ("lt", DELETED, false),
            ("lw", !(SEEN | DELETED), true),
            ("lst", SEEN | DELETED, false),
            ("lstw", u32::MAX, true),
        ] {
            assert_eq!(flags_of(rights(given)), FlagMask { bits, keywords }, "{given}");
        }
    }

    #[test]
    fn imp_5_a_change_of_flags_is_refused_only_when_nothing_of_it_may_happen() {
        let flags = |bits| Flags::bits(bits);
        let seen = FlagMask {
            bits: SEEN,
            keywords: false,
        };
        let add = |bits| FlagEdit::Add(flags(bits));
        let replace = |bits| FlagEdit::Replace(flags(bits));
        for (given, edit, wanted) in [
            ("lrs", add(SEEN | FLAGGED), Ok(add(SEEN))),
            ("lrs", add(FLAGGED), Err("w")),
            ("lr", add(SEEN | DELETED), Err("st")),
            ("lr", add(0), Ok(add(0))),
            (
                "lrs",
                replace(SEEN | FLAGGED),
                Ok(FlagEdit::ReplaceSome(flags(SEEN | FLAGGED), seen)),
            ),
            ("lrs", replace(0), Ok(FlagEdit::ReplaceSome(flags(0), seen))),
            ("lrs", replace(FLAGGED), Err("w")),
            ("lr", replace(0), Err("stw")),
            ("lrstw", replace(FLAGGED), Ok(replace(FLAGGED))),
            (
                "lrt",
                FlagEdit::Remove(flags(DELETED | SEEN)),
                Ok(FlagEdit::Remove(flags(DELETED))),
            ),
        ] {
            let wanted = wanted.map_err(|missing| Error::NoPermission(rights(missing)));
            assert_eq!(permitted(edit.clone(), rights(given)), wanted, "{given} {edit:?}");
        }
    }

    #[test]
    fn whoever_may_change_something_opens_it_read_write() {
        for (given, wanted) in [
            ("lr", false),
            ("lrpkxa", false),
            ("lrs", true),
            ("lrw", true),
            ("lrt", true),
            ("lri", true),
            ("lre", true),
        ] {
            assert_eq!(writes(rights(given)), wanted, "{given}");
        }
    }
}
