//! Tag lists: what DKIM signatures, keys, ARC and DMARC records are written in (RFC 6376 §3.2). Pure.
//!
//! ```text
//! tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
//! tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
//! tag-name = ALPHA *( ALPHA / DIGIT / "_" )
//! ```

use std::ops::Range;

use crate::limits::{TAG_LIST_BYTES, TAGS};

/// A tag list, in order. No name stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags<'a> {
    source: &'a [u8],
    tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    name: Range<usize>,
    /// everything between the `=` and the `;`
    value: Range<usize>,
}

/// Why a text is no tag list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTags {
    /// a part without `=`, or a name with other letters
    Syntax,
    /// a name stands twice
    Twice,
    /// more tags or octets than the limits allow
    TooLong,
}

impl<'a> Tags<'a> {
    /// Reads a whole list.
    pub fn parse(source: &'a [u8]) -> Result<Self, BadTags> {
        if source.len() > TAG_LIST_BYTES {
            return Err(BadTags::TooLong);
        }
        let mut list = Self {
            source,
            tags: Vec::new(),
        };
        let mut at = 0;
        while at < source.len() {
            let end = memchr::memchr(b';', &source[at..]).map_or(source.len(), |found| at + found);
            let last = end == source.len();
            if !(last && source[at..end].trim_ascii().is_empty()) {
                list.add(at..end)?;
            }
            at = end + 1;
        }
        Ok(list)
    }

    fn add(&mut self, part: Range<usize>) -> Result<(), BadTags> {
        if self.tags.len() == TAGS {
            return Err(BadTags::TooLong);
        }
        let text = &self.source[part.clone()];
        let equals = memchr::memchr(b'=', text).ok_or(BadTags::Syntax)?;
        let before = &text[..equals];
        let lead = before.len() - before.trim_ascii_start().len();
        let name = part.start + lead..part.start + lead + before.trim_ascii().len();
        if !is_name(&self.source[name.clone()]) {
            return Err(BadTags::Syntax);
        }
        let tag = Tag {
            value: part.start + equals + 1..part.end,
            name,
        };
        if self.tags.iter().any(|known| self.name(known) == self.name(&tag)) {
            return Err(BadTags::Twice);
        }
        self.tags.push(tag);
        Ok(())
    }

    fn name(&self, tag: &Tag) -> &'a [u8] {
        &self.source[tag.name.clone()]
    }

    /// The value of a tag without white space around it. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.range(name).map(|range| self.source[range].trim_ascii())
    }

    /// Where the value stands, from its `=` to its `;`.
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        let found = self.tags.iter().find(|tag| self.name(tag) == name.as_bytes());
        found.map(|tag| tag.value.clone())
    }

    /// The value as text, if it is ASCII.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?;
        std::str::from_utf8(value).ok().filter(|text| text.is_ascii())
    }

    /// The value without any white space: base64, lists that were folded.
    pub fn compact(&self, name: &str) -> Option<Vec<u8>> {
        let value = self.get(name)?;
        Some(
            value
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect(),
        )
    }

    /// The name of the first tag.
    pub fn first(&self) -> Option<&'a [u8]> {
        self.tags.first().map(|tag| self.name(tag))
    }
}

fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Base64 with white space strewn in, as signatures and keys have it.
pub fn base64(value: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    // Some signers leave the padding out; trailing bits that are not zero are common in old keys.
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let compact: Vec<u8> = value
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    GeneralPurpose::new(&STANDARD, LENIENT).decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_their_folds() {
        let tags = Tags::parse(b" v=1; a = x y ;\r\n\tb=AB\r\n CD==; c= ;").expect("a list");
        assert_eq!(tags.first(), Some(&b"v"[..]));
        assert_eq!(tags.text("a"), Some("x y"));
        assert_eq!(tags.compact("b").as_deref(), Some(&b"ABCD=="[..]));
        assert_eq!(tags.get("c"), Some(&b""[..]));
        assert_eq!(tags.get("A"), None);
        assert_eq!(Tags::parse(b"").map(|tags| tags.first()), Ok(None));
    }

    #[test]
    fn broken_lists_are_none() {
        for (text, why) in [
            ("v=1; v=2", BadTags::Twice),
            ("v", BadTags::Syntax),
            ("v=1;;a=1", BadTags::Syntax),
            ("=1", BadTags::Syntax),
            ("1a=1", BadTags::Syntax),
            ("a b=1", BadTags::Syntax),
        ] {
            assert_eq!(Tags::parse(text.as_bytes()), Err(why), "{text}");
        }
        let many: String = (0..100).map(|number| format!("a{number}=1;")).collect();
        assert_eq!(Tags::parse(many.as_bytes()), Err(BadTags::TooLong));
    }
}
