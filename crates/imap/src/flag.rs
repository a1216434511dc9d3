//! Message flags as IMAP names them (RFC 3501 §2.3.2).

use std::fmt;

/// A flag that can be stored. `\Recent` is none: the server alone gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// a keyword: an atom, as spelled by the client; compared without case
    Keyword(String),
}

impl Flag {
    /// The five system flags.
    pub const SYSTEM: [Self; 5] = [
        Self::Answered,
        Self::Flagged,
        Self::Deleted,
        Self::Seen,
        Self::Draft,
    ];

    /// A keyword; `None` when it is not an atom or longer than [`crate::limits::FLAG_BYTES`].
    pub fn keyword(name: &str) -> Option<Self> {
        is_keyword(name).then(|| Self::Keyword(name.to_owned()))
    }

    /// On the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Keyword(name) => name,
        }
    }

    /// A system flag by its name without the backslash, in any case.
    pub fn system(name: &str) -> Option<Self> {
        Self::SYSTEM
            .into_iter()
            .find(|flag| flag.name()[1..].eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a text can stand as a keyword on the wire: an atom of at most [`crate::limits::FLAG_BYTES`].
pub fn is_keyword(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() <= crate::limits::FLAG_BYTES;
    fits && name.bytes().all(crate::parse::chars::is_atom_char)
}

/// Whether a text can stand in a flag list of a response: a keyword, or a backslash and an atom.
pub fn is_flag(name: &str) -> bool {
    is_keyword(name.strip_prefix('\\').unwrap_or(name))
}
