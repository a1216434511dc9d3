//! A lexicon: the distinct words of some messages, and which message has which.
//!
//! In memory and (packed) on disk it is one run of octets:
//! - four lengths: words, octets of words, octets of postings, messages that are not wholly in it;
//! - all words in order as one text, a NUL before, between and behind them: one scan finds every word that contains a fragment;
//! - for each word the places of its messages: a lone one, or steps;
//! - for every 32nd word where it and its places begin;
//! - the places of messages that have more words than are taken: they must be read.

use std::hash::{BuildHasher as _, RandomState};

use mail::texts::Text;
use memchr::memmem;

use crate::bits::Bits;
use crate::limits::MESSAGE_WORD_BYTES;
use crate::needle::Needle;
use crate::octets::{put_u32, put_varint, u32_at, varint};
use crate::words::{pieces, runs};

/// Words from one entry of the table to the next.
const BLOCK_WORDS: usize = 32;
/// Octets of the four lengths.
const HEAD_BYTES: usize = 16;
/// Slots for the first words of a builder; a power of two.
const FIRST_SLOTS: usize = 256;

/// Collects the words of messages. A word and each of its places are entries of a few vectors, so that memory is asked for seldom.
#[derive(Default)]
pub(crate) struct Builder {
    /// of all words, one behind the other
    octets: Vec<u8>,
    words: Vec<Word>,
    places: Vec<Place>,
    /// where a word may be that hashes to this slot, and to the next ones: its number plus 1; at least half of them are 0
    slots: Vec<u32>,
    hashing: Keys,
    unsure: Vec<u32>,
}

/// A distinct word.
#[derive(Debug, Clone, Copy)]
struct Word {
    hash: u32,
    at: u32,
    length: u32,
    /// its newest entry in `places`
    newest: u32,
}

/// A message that has a word.
#[derive(Debug, Clone, Copy)]
struct Place {
    place: u32,
    /// the word's entry before; its own number when there is none
    before: u32,
}

/// What words are hashed with: keys of its own in each builder, so that nobody can send words that all hash alike. Every word of every
/// message is hashed, so it has to be quick: eight octets cost one multiplication, of which both halves count.
struct Keys([u64; 2]);

impl Default for Keys {
    fn default() -> Self {
        let chance = RandomState::new();
        Self([chance.hash_one(0_u8), chance.hash_one(1_u8) | 1])
    }
}

impl Keys {
    fn hash(&self, piece: &[u8]) -> u32 {
        let mix = |state: u64, octets: u64| {
            let product = u128::from(state ^ octets) * u128::from(self.0[1]);
            (product >> 64) as u64 ^ product as u64
        };
        let (eights, rest) = piece.as_chunks::<8>();
        let state = eights
            .iter()
            .fold(self.0[0], |state, eight| mix(state, u64::from_le_bytes(*eight)));
        let rest = rest.iter().fold(0, |rest, octet| rest << 8 | u64::from(*octet));
        // The length tells a NUL at the end from nothing.
        let state = mix(mix(state, rest), piece.len() as u64);
        (state >> 32) as u32
    }
}

impl Builder {
    /// Octets of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let fixed = size_of::<Word>() + 2 * size_of::<u32>();
        self.octets.len() + fixed * self.words.len() + size_of::<Place>() * self.places.len()
    }

    /// Adds a message. Places come in ascending order.
    pub(crate) fn add(&mut self, place: u32, texts: impl Iterator<Item = Text>) {
        let mut taken = 0;
        for text in texts {
            for window in text.windows() {
                let words = window.and_then(|window| self.note_all(place, &window, taken));
                let Some(words) = words else {
                    return self.unsure.push(place);
                };
                taken = words;
            }
        }
    }

    /// Octets taken with those of this text; `None` when they are too many.
    fn note_all(&mut self, place: u32, text: &str, mut taken: usize) -> Option<usize> {
        for piece in runs(text).flat_map(|run| pieces(run.word)) {
            taken += self.note(place, piece);
            if taken > MESSAGE_WORD_BYTES {
                return None;
            }
        }
        Some(taken)
    }

    /// Octets that were new.
    fn note(&mut self, place: u32, piece: &[u8]) -> usize {
        if self.words.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = self.hashing.hash(piece);
        let (slot, found) = self.look_up(hash, piece);
        let entry = self.places.len() as u32;
        let Some(number) = found else {
            self.slots[slot] = self.words.len() as u32 + 1;
            self.words.push(Word {
                hash,
                at: self.octets.len() as u32,
                length: piece.len() as u32,
                newest: entry,
            });
            self.octets.extend_from_slice(piece);
            self.places.push(Place { place, before: entry });
            return piece.len();
        };
        let before = self.words[number].newest;
        if self.places[before as usize].place == place {
            return 0;
        }
        self.words[number].newest = entry;
        self.places.push(Place { place, before });
        piece.len()
    }

    /// The number of a word, if it is known, and the slot in which that stands or belongs.
    fn look_up(&self, hash: u32, piece: &[u8]) -> (usize, Option<usize>) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(number) = (self.slots[slot] as usize).checked_sub(1) {
            let word = &self.words[number];
            if word.hash == hash && self.octets_of(word) == piece {
                return (slot, Some(number));
            }
            slot = (slot + 1) & mask;
        }
        (slot, None)
    }

    fn octets_of(&self, word: &Word) -> &[u8] {
        &self.octets[word.at as usize..(word.at + word.length) as usize]
    }

    /// Twice the slots.
    fn grow(&mut self) {
        self.slots = vec![0; (2 * self.slots.len()).max(FIRST_SLOTS)];
        let mask = self.slots.len() - 1;
        for (number, word) in self.words.iter().enumerate() {
            let mut slot = word.hash as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number as u32 + 1;
        }
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut words: Vec<&Word> = self.words.iter().collect();
        words.sort_unstable_by_key(|word| self.octets_of(word));
        let mut writer = Writer::default();
        let mut places = Vec::new();
        for word in words {
            self.places_of(word, &mut places);
            writer.push(self.octets_of(word), &places);
        }
        writer.finish(&self.unsure)
    }

    /// The places of a word, ascending.
    fn places_of(&self, word: &Word, places: &mut Vec<u32>) {
        places.clear();
        let mut entry = word.newest;
        loop {
            let Place { place, before } = self.places[entry as usize];
            places.push(place);
            if before == entry {
                return places.reverse();
            }
            entry = before;
        }
    }
}

/// Writes words in their order.
struct Writer {
    words: usize,
    text: Vec<u8>,
    postings: Vec<u8>,
    blocks: Vec<u8>,
    steps: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            words: 0,
            text: vec![0],
            postings: Vec::new(),
            blocks: Vec::new(),
            steps: Vec::new(),
        }
    }
}

impl Writer {
    fn push(&mut self, word: &[u8], places: &[u32]) {
        if self.words.is_multiple_of(BLOCK_WORDS) {
            put_u32(&mut self.blocks, self.text.len());
            put_u32(&mut self.blocks, self.postings.len());
        }
        self.words += 1;
        self.text.extend_from_slice(word);
        self.text.push(0);
        if let [place] = places {
            return put_varint(&mut self.postings, u64::from(*place) << 1);
        }
        self.steps.clear();
        crate::octets::put_ascending(&mut self.steps, places.iter().map(|&place| u64::from(place)));
        put_varint(&mut self.postings, (self.steps.len() as u64) << 1 | 1);
        self.postings.extend_from_slice(&self.steps);
    }

    fn finish(self, unsure: &[u32]) -> Vec<u8> {
        let rest = self.text.len() + self.postings.len() + self.blocks.len();
        let mut octets = Vec::with_capacity(HEAD_BYTES + rest + 4 * unsure.len());
        for length in [self.words, self.text.len(), self.postings.len(), unsure.len()] {
            put_u32(&mut octets, length);
        }
        octets.extend_from_slice(&self.text);
        octets.extend_from_slice(&self.postings);
        octets.extend_from_slice(&self.blocks);
        unsure
            .iter()
            .for_each(|&place| put_u32(&mut octets, place as usize));
        octets
    }
}

/// A lexicon to look into.
#[derive(Clone, Copy)]
pub(crate) struct Lexicon<'o> {
    words: usize,
    text: &'o [u8],
    postings: &'o [u8],
    blocks: &'o [u8],
    unsure: &'o [u8],
}

impl<'o> Lexicon<'o> {
    /// `None` when the lengths contradict the octets.
    pub(crate) fn of(octets: &'o [u8]) -> Option<Self> {
        let length = |n| u32_at(octets, n);
        let (words, text, postings, unsure) = (length(0)?, length(1)?, length(2)?, length(3)?);
        let (text, rest) = octets.get(HEAD_BYTES..)?.split_at_checked(text)?;
        let (postings, rest) = rest.split_at_checked(postings)?;
        let (blocks, rest) = rest.split_at_checked(8 * words.div_ceil(BLOCK_WORDS))?;
        let bounded = text.first() == Some(&0) && text.last() == Some(&0);
        (bounded && rest.len() == 4 * unsure).then_some(Self {
            words,
            text,
            postings,
            blocks,
            unsure: rest,
        })
    }

    /// (messages that have it, messages that must be read), of a segment with so many messages.
    pub(crate) fn find(&self, needle: &Needle, messages: usize) -> Option<(Bits, Bits)> {
        let unsure = self.unsure(messages)?;
        match needle {
            Needle::Exactly(pattern) => {
                let mut found = self.containing(pattern, messages)?;
                found.without(&unsure);
                Some((found, unsure))
            }
            Needle::AtMost(patterns) => {
                let mut candidates = Bits::all(messages);
                for pattern in patterns {
                    if !candidates.is_empty() {
                        candidates.and(&self.containing(pattern, messages)?);
                    }
                }
                candidates.or(&unsure);
                Some((Bits::none(messages), candidates))
            }
        }
    }

    fn unsure(&self, messages: usize) -> Option<Bits> {
        let mut unsure = Bits::none(messages);
        for n in 0..self.unsure.len() / 4 {
            unsure.set(u32_at(self.unsure, n)? as u32);
        }
        Some(unsure)
    }

    fn containing(&self, pattern: &[u8], messages: usize) -> Option<Bits> {
        let mut found = Bits::none(messages);
        let finder = memmem::Finder::new(pattern);
        let inside = usize::from(pattern.first() == Some(&0));
        let mut cursor = Cursor::start();
        let mut from = 0;
        while let Some(at) = self.text.get(from..).and_then(|rest| finder.find(rest)) {
            let end = cursor.seek(self, from + at + inside)?;
            each_place(self.postings, cursor.posting, |place| found.set(place))?;
            // The NUL that ends this word begins the next one.
            from = end;
        }
        Some(found)
    }
}

/// A word of a lexicon.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    word: usize,
    text: usize,
    posting: usize,
}

impl Cursor {
    fn start() -> Self {
        Self {
            word: 0,
            text: 1,
            posting: 0,
        }
    }

    /// Goes forward to the word in which `at` lies; gives the end of that word.
    fn seek(&mut self, lexicon: &Lexicon<'_>, at: usize) -> Option<usize> {
        let next_block = self.word / BLOCK_WORDS + 1;
        let starts = |block: usize| u32_at(lexicon.blocks, 2 * block);
        if starts(next_block).is_some_and(|start| start <= at) {
            let blocks = lexicon.blocks.len() / 8;
            let (mut low, mut high) = (next_block, blocks);
            while high - low > 1 {
                let middle = low.midpoint(high);
                if starts(middle)? <= at {
                    low = middle
                } else {
                    high = middle
                }
            }
            *self = Self {
                word: low * BLOCK_WORDS,
                text: starts(low)?,
                posting: u32_at(lexicon.blocks, 2 * low + 1)?,
            };
        }
        loop {
            let end = self.end(lexicon)?;
            if at < end {
                return Some(end);
            }
            self.next(lexicon, end)?;
        }
    }

    fn end(&self, lexicon: &Lexicon<'_>) -> Option<usize> {
        let rest = lexicon.text.get(self.text..)?;
        Some(self.text + memchr::memchr(0, rest)?)
    }

    fn next(&mut self, lexicon: &Lexicon<'_>, end: usize) -> Option<()> {
        self.posting = behind(lexicon.postings, self.posting)?;
        self.text = end + 1;
        self.word += 1;
        Some(())
    }
}

fn behind(postings: &[u8], mut at: usize) -> Option<usize> {
    let head = varint(postings, &mut at)?;
    let steps = if head & 1 == 0 {
        0
    } else {
        usize::try_from(head >> 1).ok()?
    };
    at.checked_add(steps).filter(|&end| end <= postings.len())
}

fn each_place(postings: &[u8], mut at: usize, mut found: impl FnMut(u32)) -> Option<()> {
    let head = varint(postings, &mut at)?;
    if head & 1 == 0 {
        found(u32::try_from(head >> 1).ok()?);
        return Some(());
    }
    let end = at.checked_add(usize::try_from(head >> 1).ok()?)?;
    let steps = postings.get(..end)?;
    let mut place = 0u64;
    while at < end {
        place = place.checked_add(varint(steps, &mut at)?)?;
        found(u32::try_from(place).ok()?);
    }
    Some(())
}

/// One lexicon of several. `places` says for each of its messages which place it gets, or that it goes.
pub(crate) fn merge(parts: &[(Lexicon<'_>, &[Option<u32>])]) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    let mut cursors = vec![Cursor::start(); parts.len()];
    let mut places = Vec::new();
    loop {
        let word_of = |at: usize| {
            let (lexicon, cursor) = (&parts[at].0, &cursors[at]);
            (cursor.word < lexicon.words).then(|| Some(&lexicon.text[cursor.text..cursor.end(lexicon)?]))
        };
        let mut least: Option<&[u8]> = None;
        for at in 0..parts.len() {
            let Some(word) = word_of(at) else { continue };
            let word = word?;
            if least.is_none_or(|least| word < least) {
                least = Some(word);
            }
        }
        let Some(least) = least else { break };
        places.clear();
        for ((lexicon, new), cursor) in parts.iter().zip(&mut cursors) {
            if cursor.word >= lexicon.words || !lexicon.text[cursor.text..].starts_with(least) {
                continue;
            }
            let end = cursor.end(lexicon)?;
            if end - cursor.text != least.len() {
                continue;
            }
            each_place(lexicon.postings, cursor.posting, |place| {
                places.extend(new.get(place as usize).copied().flatten());
            })?;
            cursor.next(lexicon, end)?;
        }
        places.sort_unstable();
        if !places.is_empty() {
            writer.push(least, &places);
        }
    }
    let mut unsure = Vec::new();
    for (lexicon, new) in parts {
        for n in 0..lexicon.unsure.len() / 4 {
            unsure.extend(new.get(u32_at(lexicon.unsure, n)?).copied().flatten());
        }
    }
    unsure.sort_unstable();
    Some(writer.finish(&unsure))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::limits::PIECE_BYTES;

    #[test]
    fn words_hash_apart_and_otherwise_in_every_builder() {
        let keys = Keys::default();
        let words: Vec<Vec<u8>> = (0..2000_u32)
            .map(|n| format!("WORD{n}").into_bytes())
            // One letter at different lengths, and NULs, which fill up the last octets.
            .chain((1..=PIECE_BYTES).flat_map(|length| [vec![b'A'; length], vec![0; length]]))
            .collect();
        let hashes: HashSet<u32> = words.iter().map(|word| keys.hash(word)).collect();
        // Of 2,192 random numbers of 32 bits two are the same once in 1,800 times.
        assert!(hashes.len() + 2 >= words.len());
        let low: HashSet<u32> = hashes.iter().map(|hash| hash % 4096).collect();
        assert!(low.len() > 1500, "{} of 4096 slots", low.len());
        let others = Keys::default();
        assert!(
            words
                .iter()
                .filter(|word| keys.hash(word) == others.hash(word))
                .count()
                < 3
        );
    }
}
