//! Message flags: 5 system flags and 27 common keywords as bits, rarer keywords by name.

/// `\Seen`
pub const SEEN: u32 = 1;
/// `\Answered`
pub const ANSWERED: u32 = 1 << 1;
/// `\Flagged`
pub const FLAGGED: u32 = 1 << 2;
/// `\Deleted`
pub const DELETED: u32 = 1 << 3;
/// `\Draft`
pub const DRAFT: u32 = 1 << 4;

/// Rare keywords a mailbox may use.
pub const MAX_KEYWORDS_PER_MAILBOX: usize = 100;

/// Keywords that have a bit (bit 5 and up), as clients spell them; compared without case. The order is part of the
/// stored format: only append.
pub const COMMON_KEYWORDS: [&str; 27] = [
    "$Forwarded",
    "$MDNSent",
    "$Junk",
    "$NotJunk",
    "$Phishing",
    "$SubmitPending",
    "$Submitted",
    "$Important",
    "$label1",
    "$label2",
    "$label3",
    "$label4",
    "$label5",
    "Junk",
    "NonJunk",
    "$MailFlagBit0",
    "$MailFlagBit1",
    "$MailFlagBit2",
    "$HasAttachment",
    "$HasNoAttachment",
    "$hasMemo",
    "$muted",
    "$followed",
    "$canUnsubscribe",
    "$unsubscribed",
    "Forwarded",
    "$istrusted",
];

/// The flags of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// system flags and common keywords
    pub bits: u32,
    /// rare keywords, sorted, without duplicates (case-insensitively)
    pub keywords: Vec<String>,
}

impl Flags {
    /// Only bits.
    pub const fn bits(bits: u32) -> Self {
        Self {
            bits,
            keywords: Vec::new(),
        }
    }

    /// Adds a keyword by name, as a bit if it is a common one.
    pub fn add_keyword(&mut self, name: &str) {
        if let Some(at) = COMMON_KEYWORDS
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
        {
            self.bits |= 1 << (at + 5);
            return;
        }
        if !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.keywords.push(name.to_owned());
            self.keywords.sort_by_key(|keyword| keyword.to_ascii_lowercase());
        }
    }

    /// All keyword names, common and rare.
    pub fn keyword_names(&self) -> impl Iterator<Item = &str> {
        let bits = self.bits;
        let common = COMMON_KEYWORDS
            .iter()
            .enumerate()
            .filter(move |(at, _)| bits & (1 << (at + 5)) != 0);
        common
            .map(|(_, name)| *name)
            .chain(self.keywords.iter().map(String::as_str))
    }

    /// Whether all these bits are set.
    pub fn has(&self, bits: u32) -> bool {
        self.bits & bits == bits
    }

    /// The flags after `edit`.
    pub fn edited(&self, edit: &FlagEdit) -> Self {
        match edit {
            FlagEdit::Replace(new) => new.clone(),
            FlagEdit::ReplaceSome(new, mask) => {
                let mut mixed = mask.of(new);
                mixed.bits |= self.bits & !mask.bits;
                if !mask.keywords {
                    mixed.keywords.clone_from(&self.keywords);
                }
                mixed
            }
            FlagEdit::Add(more) => {
                let mut all = self.clone();
                all.bits |= more.bits;
                for keyword in &more.keywords {
                    all.add_keyword(keyword);
                }
                all
            }
            FlagEdit::Remove(less) => {
                let mut rest = self.clone();
                rest.bits &= !less.bits;
                rest.keywords.retain(|keyword| {
                    !less
                        .keywords
                        .iter()
                        .any(|gone| gone.eq_ignore_ascii_case(keyword))
                });
                rest
            }
        }
    }
}

/// Some of the flags there are: those that somebody may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagMask {
    /// system flags and common keywords
    pub bits: u32,
    /// rare keywords
    pub keywords: bool,
}

impl FlagMask {
    /// All of them.
    pub const ALL: Self = Self {
        bits: u32::MAX,
        keywords: true,
    };

    /// Those of `flags` that are among them.
    pub fn of(self, flags: &Flags) -> Flags {
        Flags {
            bits: flags.bits & self.bits,
            keywords: if self.keywords {
                flags.keywords.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// Whether one of `flags` is among them.
    pub fn touches(self, flags: &Flags) -> bool {
        self.of(flags) != Flags::default()
    }
}

/// A change of flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagEdit {
    /// `FLAGS`
    Replace(Flags),
    /// `FLAGS` of somebody who may change only some: the others stay as they are
    ReplaceSome(Flags, FlagMask),
    /// `+FLAGS`
    Add(Flags),
    /// `-FLAGS`
    Remove(Flags),
}

impl FlagEdit {
    /// What the change does to the bits of any message: those that stay, and those that are set.
    pub fn on_bits(&self) -> (u32, u32) {
        match self {
            Self::Replace(new) => (0, new.bits),
            Self::ReplaceSome(new, mask) => (!mask.bits, new.bits & mask.bits),
            Self::Add(more) => (u32::MAX, more.bits),
            Self::Remove(less) => (!less.bits, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_may_not_change_stays() {
        let flags = |bits, names: &[&str]| {
            let mut flags = Flags::bits(bits);
            names.iter().for_each(|name| flags.add_keyword(name));
            flags
        };
        let before = flags(SEEN | FLAGGED, &["Rare"]);
        let wanted = flags(ANSWERED | DELETED, &["Other"]);
        let (seen, rest) = (
            FlagMask {
                bits: SEEN,
                keywords: false,
            },
            FlagMask {
                bits: !(SEEN | DELETED),
                keywords: true,
            },
        );
        for (mask, after) in [
            (FlagMask::ALL, wanted.clone()),
            (
                FlagMask {
                    bits: 0,
                    keywords: false,
                },
                before.clone(),
            ),
            (seen, flags(FLAGGED, &["Rare"])),
            (rest, flags(SEEN | ANSWERED, &["Other"])),
        ] {
            assert_eq!(
                before.edited(&FlagEdit::ReplaceSome(wanted.clone(), mask)),
                after,
                "{mask:?}"
            );
        }
        assert!(rest.touches(&wanted) && !seen.touches(&wanted));
    }

    #[test]
    fn what_a_change_does_to_bits_is_what_it_does_to_flags() {
        let mask = FlagMask {
            bits: SEEN | FLAGGED,
            keywords: false,
        };
        let new = Flags::bits(SEEN | ANSWERED);
        for edit in [
            FlagEdit::Replace(new.clone()),
            FlagEdit::ReplaceSome(new.clone(), mask),
            FlagEdit::Add(new.clone()),
            FlagEdit::Remove(new.clone()),
        ] {
            let (keep, set) = edit.on_bits();
            for bits in [0, SEEN, FLAGGED, SEEN | DELETED, u32::MAX] {
                let after = Flags::bits(bits).edited(&edit);
                assert_eq!(after.bits, bits & keep | set, "{edit:?} of {bits}");
            }
        }
    }
}
