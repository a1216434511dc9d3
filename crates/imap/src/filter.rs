//! The name of a saved search (RFC 5466 §4).

/// `1*<any ATOM-CHAR except "/">`, at most [`crate::limits::FILTER_NAME_BYTES`] octets. Names are compared without case, like those of the entries that hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterName(Box<str>);

impl FilterName {
    /// From the wire; `None` when it cannot be a name.
    pub fn new(text: &[u8]) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= crate::limits::FILTER_NAME_BYTES;
        let is_in = |&byte: &u8| crate::parse::chars::is_atom_char(byte) && byte != b'/';
        let text = std::str::from_utf8(text).ok()?;
        (fits && text.bytes().all(|byte| is_in(&byte))).then(|| Self(text.into()))
    }

    /// As the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entries of metadata that may hold it, the one that counts first (RFC 5466 §1).
    pub fn entries(&self) -> [String; 2] {
        ENTRIES.map(|above| format!("{above}{}", self.0.to_ascii_lowercase()))
    }

    /// The name whose value an entry of metadata holds: `None` when it holds no saved search, `Some(None)` when it is to hold one and cannot be named.
    pub fn of_entry(entry: &str) -> Option<Option<Self>> {
        let name = ENTRIES.iter().find_map(|above| entry.strip_prefix(above))?;
        Some(Self::new(name.as_bytes()))
    }
}

/// RFC 5466 §3.2: a person's own saved searches, and those of everybody.
const ENTRIES: [&str; 2] = ["/private/filters/values/", "/shared/filters/values/"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_atoms_without_a_slash() {
        let long = "x".repeat(crate::limits::FILTER_NAME_BYTES);
        for good in ["on-the-road", "A+b", "x[1", &long] {
            assert_eq!(FilterName::new(good.as_bytes()).unwrap().as_str(), good);
        }
        let longer = format!("{long}x");
        for bad in ["", "a/b", "a b", "a*", "\"a", "a]", "(a", "ä", &longer] {
            assert_eq!(FilterName::new(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn names_and_entries_belong_together() {
        let name = FilterName::new(b"Road").unwrap();
        let entries = name.entries();
        assert_eq!(
            entries,
            ["/private/filters/values/road", "/shared/filters/values/road"]
        );
        for entry in entries {
            let of_entry = FilterName::of_entry(&entry);
            assert_eq!(of_entry, Some(FilterName::new(b"road")));
        }
        assert_eq!(FilterName::of_entry("/private/filters/values/a/b"), Some(None));
        assert_eq!(FilterName::of_entry("/private/filters/values"), None);
        assert_eq!(FilterName::of_entry("/private/filters/descriptions/a"), None);
    }
}
