//! Entries for fuzz targets.

use mail::ids::{Id as _, MessageId};
use mail::mime::Structure;

use crate::lexicon::Lexicon;
use crate::needle::Needle;
use crate::segment::{Builder, Column, Part, ids_of, merge};
use crate::strings::Strings;
use crate::{Describe, Described};

struct Nothing;

impl Describe for Nothing {
    fn version(&self) -> u16 {
        0
    }
    fn describe(&self, _: &[u8], _: &Structure) -> Described {
        Described::default()
    }
}

/// Any octets as columns: they are read or refused. As a message: it can be indexed, and its columns are good.
pub fn fuzz_columns(octets: &[u8]) {
    let needle = Needle::of("A B");
    if let Some(lexicon) = Lexicon::of(octets) {
        let _ = lexicon.find(&needle, 100);
        let _ = lexicon.find(&Needle::of("A"), 100);
        let _ = crate::lexicon::merge(&[(lexicon, &[Some(0), None])]);
    }
    if let Some(strings) = Strings::of(octets) {
        let _ = strings.containing(b"A", 100);
        let _ = strings.get(1);
    }
    let _ = ids_of(octets);
    let mut builder = Builder::default();
    builder.add(MessageId::from_raw(1), 0, octets, &Nothing);
    let (ids, columns) = builder.finish();
    let part = Part {
        ids,
        stays: vec![true],
        columns,
    };
    let (ids, columns) = merge(&[part]).expect("what was just made is good");
    assert_eq!(ids, [1]);
    assert_eq!(columns.len(), Column::OTHERS.len() + 1);
}
