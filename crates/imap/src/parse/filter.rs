//! FILTER in a search, and the searches that are saved (RFC 5466).

use mail::decode::charset::Charset;

use super::cursor::{Cursor, Parsed};
use super::search::keys;
use super::{Trouble, chars};
use crate::command::SearchKey;
use crate::filter::FilterName;
use crate::limits::FILTER_BYTES;
use crate::mode::Mode;
use crate::out::Code;

/// `"FILTER" SP filter-name`, `filter-name = 1*<any ATOM-CHAR except "/">`
///
/// Saved searches are UTF-8, so no other charset goes with one (RFC 5466 §3.1).
pub(super) fn name(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<FilterName> {
    if texts != Charset::Utf8 {
        return Err(Trouble::bad_with(
            Code::BadCharset,
            "FILTER goes with UTF-8 alone",
        ));
    }
    let name = cursor.run_of(chars::is_atom_char, "The name of a saved search is missing")?;
    FilterName::new(name).ok_or(Trouble::bad("That cannot be the name of a saved search"))
}

/// `search-criteria = search-key *(SP search-key)` (RFC 5466 §4): the whole of a saved search. `None` when it is none.
pub fn saved_search(value: &[u8]) -> Option<Vec<SearchKey>> {
    if value.len() > FILTER_BYTES {
        return None;
    }
    let mut cursor = Cursor::new(value, Mode::default());
    let keys = keys(&mut cursor, Charset::Utf8).ok()?;
    cursor.rest().is_empty().then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Numbers, Search};
    use crate::parse::request;

    fn name(text: &str) -> FilterName {
        FilterName::new(text.as_bytes()).expect("a name")
    }

    #[test]
    fn searches_name_saved_ones() {
        let wanted = Search {
            numbers: Numbers::Sequence,
            returns: None,
            keys: vec![
                SearchKey::Not(Box::new(SearchKey::Filter(name("on-the-road")))),
                SearchKey::All,
            ],
            update_items: Vec::new(),
        };
        assert!(wanted.keys[0].uses_filter() && !wanted.keys[1].uses_filter());
        for line in [
            "a SEARCH NOT FILTER on-the-road ALL\r\n",
            "a SEARCH CHARSET utf-8 NOT FILTER on-the-road ALL\r\n",
            "a SEARCH CHARSET US-ASCII not filter on-the-road ALL\r\n",
        ] {
            let request = request(line.as_bytes()).expect("a search");
            assert_eq!(request.command, Command::Search(wanted.clone()), "{line}");
        }
        for (line, code) in [
            ("a SEARCH FILTER\r\n", None),
            ("a SEARCH FILTER a/b\r\n", None),
            ("a SEARCH FILTER \"a\"\r\n", None),
            ("a SEARCH CHARSET iso-8859-1 FILTER a\r\n", Some(Code::BadCharset)),
            ("a SORT (SIZE) utf-7 FILTER a\r\n", Some(Code::BadCharset)),
        ] {
            let fault = request(line.as_bytes()).expect_err(line);
            assert_eq!((fault.is_no, fault.code), (false, code), "{line}");
        }
    }

    #[test]
    fn saved_searches_are_whole() {
        for (value, keys) in [
            ("OR SMALLER 5000 FROM \"boss@example.com\"", 1),
            ("UNSEEN (FLAGGED UNDELETED)", 2),
            ("FILTER other", 1),
            ("SUBJECT \"gr\u{fc}\u{df}e\"", 1),
            ("SUBJECT {3}\r\na\"b", 1),
        ] {
            let read = saved_search(value.as_bytes()).expect(value);
            assert_eq!(read.len(), keys, "{value}");
        }
        let long = "SEEN ".repeat(FILTER_BYTES);
        for bad in [
            "",
            " ",
            "OR SMALLER",
            "OR SMALLER 5",
            "ALL ",
            " ALL",
            "ALL\r\n",
            "ALL) (ALL",
            "RETURN (MIN) ALL",
            "CHARSET UTF-8 ALL",
            &long,
        ] {
            assert_eq!(saved_search(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(saved_search(b"SUBJECT \xff"), None);
    }
}
