//! Which header fields a signature covers (RFC 6376 §5.4.2), and what is hashed of them (§3.7). Pure.

use std::collections::HashMap;
use std::ops::Range;

use mail::header::{Field, Fields};

use super::canon::{Canon, header_field};

/// The fields of a header block, to be taken from the last to the first.
pub(crate) struct Signable<'a> {
    fields: Vec<Field<'a>>,
    /// lower-case name to places, in order
    by_name: HashMap<String, Vec<usize>>,
}

impl<'a> Signable<'a> {
    /// Of a header block within the receiver's limits.
    pub fn of(header: &'a [u8]) -> Self {
        let fields: Vec<Field<'a>> = Fields::new(header).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, field) in fields.iter().enumerate() {
            // A name with a space before it is a field to some and a fold to others: nothing signs it.
            if field.name_range().start == field.range().start {
                let name = String::from_utf8_lossy(field.name()).to_ascii_lowercase();
                by_name.entry(name).or_default().push(place);
            }
        }
        Self { fields, by_name }
    }

    /// All fields.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// How many fields have that lower-case name.
    pub fn count(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, Vec::len)
    }

    /// What is hashed for a list of names: for each of them the last field not yet taken, or nothing when there is none left. The field
    /// at `own` is the signature itself and never taken.
    pub fn data(&self, names: &[String], own: Option<usize>, canon: Canon) -> Vec<u8> {
        let mut left: HashMap<&str, usize> = HashMap::new();
        let mut data = Vec::new();
        for name in names {
            let Some(places) = self.by_name.get(name) else {
                continue;
            };
            let left = left.entry(name).or_insert(places.len());
            while *left > 0 {
                *left -= 1;
                let place = places[*left];
                if Some(place) != own {
                    header_field(canon, self.fields[place].whole(), &mut data);
                    break;
                }
            }
        }
        data
    }
}

/// Appends the signature's own field as it was hashed: without the value of `b=` and without a line end.
pub(crate) fn own_field(field: &Field<'_>, value_range: Range<usize>, canon: Canon, data: &mut Vec<u8>) {
    let start = field.value_range().start - field.range().start;
    let whole = field.whole();
    let mut unsigned = whole[..start + value_range.start].to_vec();
    unsigned.extend_from_slice(&whole[start + value_range.end..]);
    header_field(canon, &unsigned, data);
    while data.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        data.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_8_fields_are_taken_from_the_last_to_the_first() {
        let header = b"A: 1\r\nB: 2\r\nA : 3\r\n\r\n";
        let signable = Signable::of(header);
        let data = |names: &[&str], own| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            String::from_utf8(signable.data(&names, own, Canon::Relaxed)).expect("ASCII")
        };
        assert_eq!(data(&["a", "b"], None), "a:3\r\nb:2\r\n");
        assert_eq!(data(&["a", "x", "a", "a"], None), "a:3\r\na:1\r\n");
        assert_eq!(data(&["a", "a"], Some(2)), "a:1\r\n");
        let odd = Signable::of(b" From: x\r\nFrom: y\r\n\r\n");
        assert_eq!(odd.count("from"), 1);
    }
}
