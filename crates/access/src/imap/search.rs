//! Whether a message matches the keys of SEARCH (RFC 3501 §6.4.4).
//!
//! Each key is asked with what is known so far: the row, then the message's row, its header, its whole. `None` means that
//! more must be read. So a search reads only what decides it.

use std::sync::{Arc, OnceLock};

use imap::command::{Numbers, SearchKey};
use imap::date::Date;
use index::{Digest, Found, Place, Question, Verdict};
use mail::collation::fold;
use mail::header::Fields;
use mail::ids::MessageId;
use mail::limits::HEADER_BLOCK_BYTES;
use mail::mime::Structure;
use mail::sort_keys::sent_day;
use mail::texts::{self, Text};
use mailbox::{Message, Opened, Person, Row};
use store::flags::{Flags, SEEN};
use store::uids::UidSet;
use world::clock::UnixMs;

use super::commands::numbers;
use super::find::everything;
use super::io::{Io, Stop};
use super::updates::stored_flags;
use crate::limits::{SEARCH_KEYS, SEARCH_TEXTS};

/// A key, ready to be asked of many messages.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    All,
    And(Vec<Key>),
    Or(Box<Key>, Box<Key>),
    Not(Box<Key>),
    /// has this flag
    Has(Flags),
    Recent,
    Unseen,
    Uids(Arc<UidSet>),
    /// changed at this mod-sequence or later
    ModSeq(u64),
    EmailId(MessageId),
    /// larger than
    Larger(u64),
    Smaller(u64),
    /// internal date: days since 1970, first to last
    Arrived(i64, i64),
    /// internal date: seconds since 1970, first to last
    ArrivedAt(i64, i64),
    /// save date: days since 1970, first to last; matches nothing before [`Key::look_up_save_dates`]
    Saved(i64, i64),
    /// Date field: days since 1970, first to last
    Sent(i64, i64),
    /// a field whose text contains the (folded) needle
    Header(String, String),
    Body(String),
    Text(String),
    /// a key that looks into text, and what the index says of it
    Looked(Box<Key>, Found),
    Never,
}

/// What a key costs for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) keys: usize,
    pub(crate) texts: usize,
}

impl Cost {
    const ONE: Self = Self { keys: 1, texts: 0 };

    fn and(self, more: Self) -> Self {
        Self {
            keys: self.keys + more.keys,
            texts: self.texts + more.texts,
        }
    }

    /// What is said to a search that costs too much.
    pub(crate) fn too_much(self) -> Option<String> {
        if self.texts > SEARCH_TEXTS {
            return Some(format!(
                "At most {SEARCH_TEXTS} texts are looked for at once; ask in several commands"
            ));
        }
        // The list that holds them all is none of them.
        (self.keys > SEARCH_KEYS + 1)
            .then(|| format!("A search may have at most {SEARCH_KEYS} keys; ask in several commands"))
    }
}

/// What is known of a message.
pub(crate) struct Known<'m> {
    pub(crate) row: &'m Row,
    /// rare keywords
    pub(crate) rare: &'m [String],
    pub(crate) recent: bool,
    /// what the index keeps of it
    pub(crate) digest: Option<&'m Digest>,
    pub(crate) message: Option<&'m Message>,
    pub(crate) header: Option<&'m [u8]>,
    pub(crate) whole: Option<&'m Texts<'m>>,
}

impl Known<'_> {
    /// Internal date, seconds since 1970.
    fn arrived(&self) -> Option<i64> {
        let kept = self.digest.map(|digest| digest.internal_date);
        let date = kept.or_else(|| self.message.map(|message| message.row.internal_date))?;
        Some(i64::try_from(date.0 / 1000).unwrap_or(i64::MAX))
    }

    /// The day of the Date field, `Some(None)` without one.
    fn sent_day(&self) -> Option<Option<i64>> {
        let kept = self.digest.map(|digest| digest.sent_day);
        kept.or_else(|| self.header.map(sent_day))
    }
}

/// The words of a whole message, without case: decoded when the first key asks, and once however many ask (IMP-3).
pub(crate) struct Texts<'m> {
    message: &'m [u8],
    header: OnceLock<Vec<Text>>,
    body: OnceLock<Vec<Text>>,
    /// headers of parts
    parts: OnceLock<Vec<Text>>,
}

impl<'m> Texts<'m> {
    pub(crate) fn of(message: &'m [u8]) -> Self {
        Self {
            message,
            header: OnceLock::new(),
            body: OnceLock::new(),
            parts: OnceLock::new(),
        }
    }

    fn header_contains(&self, needle: &str) -> bool {
        // As much of it as whoever reads the header alone.
        let header = &self.message[..self.message.len().min(HEADER_BLOCK_BYTES)];
        let lines = self.header.get_or_init(|| texts::header_lines(header).collect());
        needle.is_empty() || lines.iter().any(|line| line.contains(needle))
    }

    fn body_contains(&self, needle: &str) -> bool {
        let body = self.body.get_or_init(|| {
            let structure = Structure::parse(self.message);
            texts::body(self.message, &structure).collect()
        });
        // Every text holds the empty string, also the text of a message that has none.
        needle.is_empty() || body.iter().any(|text| text.contains(needle))
    }
    fn part_headers_contain(&self, needle: &str) -> bool {
        let parts = self.parts.get_or_init(|| {
            let structure = Structure::parse(self.message);
            texts::part_headers(self.message, &structure).collect()
        });
        parts.iter().any(|line| line.contains(needle))
    }
}

/// Makes the keys ready; `None` when a sequence number does not exist.
pub(crate) fn prepare(keys: &[SearchKey], opened: &Opened, now: UnixMs) -> Option<Key> {
    keys.iter()
        .map(|key| ready(key, opened, now))
        .collect::<Option<Vec<_>>>()
        .map(Key::And)
}

fn ready(key: &SearchKey, opened: &Opened, now: UnixMs) -> Option<Key> {
    let seconds = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
    let ago = |count: &std::num::NonZeroU32| seconds - i64::from(count.get());
    Some(match key {
        SearchKey::All => Key::All,
        SearchKey::And(keys) => prepare(keys, opened, now)?,
        SearchKey::Or(one, other) => Key::Or(
            Box::new(ready(one, opened, now)?),
            Box::new(ready(other, opened, now)?),
        ),
        SearchKey::Not(key) => Key::Not(Box::new(ready(key, opened, now)?)),
        SearchKey::Has(flag) => Key::Has(stored_flags(std::slice::from_ref(flag))),
        SearchKey::HasNot(flag) => Key::Not(Box::new(Key::Has(stored_flags(std::slice::from_ref(flag))))),
        SearchKey::Recent => Key::Recent,
        SearchKey::Old => Key::Not(Box::new(Key::Recent)),
        SearchKey::New => Key::And(vec![Key::Recent, Key::Unseen]),
        SearchKey::Header(name, text) => Key::Header(name.clone(), fold(text)),
        SearchKey::Body(text) => Key::Body(fold(text)),
        SearchKey::Text(text) => Key::Text(fold(text)),
        SearchKey::Before(date) => Key::Arrived(i64::MIN, day(*date) - 1),
        SearchKey::On(date) => Key::Arrived(day(*date), day(*date)),
        SearchKey::Since(date) => Key::Arrived(day(*date), i64::MAX),
        SearchKey::SentBefore(date) => Key::Sent(i64::MIN, day(*date) - 1),
        SearchKey::SentOn(date) => Key::Sent(day(*date), day(*date)),
        SearchKey::SentSince(date) => Key::Sent(day(*date), i64::MAX),
        SearchKey::SavedBefore(date) => Key::Saved(i64::MIN, day(*date) - 1),
        SearchKey::SavedOn(date) => Key::Saved(day(*date), day(*date)),
        SearchKey::SavedSince(date) => Key::Saved(day(*date), i64::MAX),
        // RFC 8514 §4.3: the mailbox keeps save dates.
        SearchKey::SaveDateSupported => Key::All,
        SearchKey::Larger(size) => Key::Larger(*size),
        SearchKey::Smaller(size) => Key::Smaller(*size),
        SearchKey::Older(count) => Key::ArrivedAt(i64::MIN, ago(count)),
        SearchKey::Younger(count) => Key::ArrivedAt(ago(count), i64::MAX),
        SearchKey::Sequence(set) => Key::Uids(numbers::shared(opened, Numbers::Sequence, set)?),
        SearchKey::Uid(set) => Key::Uids(numbers::shared(opened, Numbers::Uid, set)?),
        SearchKey::ModSeq(modseq) => Key::ModSeq(*modseq),
        SearchKey::EmailId(id) => id.parse().map_or(Key::Never, Key::EmailId),
        // There are no threads yet (RFC 8474 §5.2: THREADID is NIL).
        SearchKey::ThreadId(_) => Key::Never,
        // Its keys were put in its place before ([`super::filters`]); where there is none, nothing matches.
        SearchKey::Filter(_) => Key::Never,
    })
}

fn day(date: Date) -> i64 {
    date.days_since_1970()
}

impl Key {
    /// Whether it matches; `None` if more must be known.
    pub(crate) fn matches(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Never => Some(false),
            Self::And(keys) => all(keys, known),
            Self::Or(one, other) => match (one.matches(known), other.matches(known)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(key) => key.matches(known).map(|matches| !matches),
            Self::Has(flags) => Some(has(known, flags)),
            Self::Recent => Some(known.recent),
            Self::Unseen => Some(known.row.bits & SEEN == 0),
            Self::Uids(uids) => Some(uids.contains(known.row.uid)),
            Self::ModSeq(modseq) => Some(known.row.modseq >= *modseq),
            Self::EmailId(id) => Some(known.row.message == *id),
            _ => self.matches_content(known),
        }
    }

    fn matches_content(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Self::Larger(size) => Some(u64::from(known.row.size_bytes) > *size),
            Self::Smaller(size) => Some(u64::from(known.row.size_bytes) < *size),
            Self::Arrived(first, last) => known
                .arrived()
                .map(|second| (*first..=*last).contains(&second.div_euclid(86_400))),
            Self::ArrivedAt(first, last) => known.arrived().map(|second| (*first..=*last).contains(&second)),
            Self::Sent(first, last) => known
                .sent_day()
                .map(|day| day.is_some_and(|day| (*first..=*last).contains(&day))),
            Self::Header(name, needle) => known.header.map(|header| header_contains(header, name, needle)),
            Self::Text(needle) => match known.header.map(|header| any_header_contains(header, needle)) {
                Some(true) => Some(true),
                _ => known.whole.map(|whole| {
                    whole.header_contains(needle)
                        || whole.body_contains(needle)
                        || whole.part_headers_contain(needle)
                }),
            },
            Self::Body(needle) => known.whole.map(|whole| whole.body_contains(needle)),
            Self::Looked(key, found) => match found.verdict(known.row.message) {
                Verdict::Yes => Some(true),
                Verdict::No => Some(false),
                Verdict::Look => key.matches_content(known),
            },
            _ => Some(false),
        }
    }

    /// The messages that are left by the sets of UIDs which every match must be in.
    pub(crate) fn among(&self) -> UidSet {
        match self {
            Self::Uids(uids) => uids.as_ref().clone(),
            Self::And(keys) => {
                // A set of a search result can be as long as the mailbox: it is not copied.
                keys.iter().fold(everything(), |among, key| match key {
                    Self::Uids(uids) => among.intersection(uids),
                    Self::And(_) => among.intersection(&key.among()),
                    _ => among,
                })
            }
            _ => everything(),
        }
    }

    /// Keys in it, and how many of them look into text.
    pub(crate) fn cost(&self) -> Cost {
        match self {
            Self::And(keys) => keys.iter().map(Self::cost).fold(Cost::ONE, Cost::and),
            Self::Or(one, other) => Cost::ONE.and(one.cost()).and(other.cost()),
            Self::Not(key) => Cost::ONE.and(key.cost()),
            Self::Header(..) | Self::Body(_) | Self::Text(_) | Self::Looked(..) => Cost { keys: 1, texts: 1 },
            _ => Cost::ONE,
        }
    }

    pub(crate) fn needs_header(&self) -> bool {
        match self {
            Self::And(keys) => keys.iter().any(Self::needs_header),
            Self::Or(one, other) => one.needs_header() || other.needs_header(),
            Self::Not(key) => key.needs_header(),
            Self::Sent(..) | Self::Header(..) | Self::Text(_) => true,
            Self::Looked(key, _) => key.needs_header(),
            _ => false,
        }
    }

    /// Whether what the index keeps of a message beside its texts may decide.
    pub(crate) fn asks_digest(&self) -> bool {
        match self {
            Self::And(keys) => keys.iter().any(Self::asks_digest),
            Self::Or(one, other) => one.asks_digest() || other.asks_digest(),
            Self::Not(key) => key.asks_digest(),
            Self::Arrived(..) | Self::ArrivedAt(..) | Self::Sent(..) => true,
            _ => false,
        }
    }

    /// Puts the messages that they match in the place of keys about save dates: these belong to a message's place in this mailbox, not to
    /// the message (RFC 8514 §2).
    pub(crate) async fn look_up_save_dates(
        &mut self,
        person: &Person,
        opened: &Opened,
    ) -> mailbox::Result<()> {
        let mut keys = Vec::new();
        self.add_saved(&mut keys);
        if keys.is_empty() {
            return Ok(());
        }
        let everything = UidSet::from_ranges([(1, u32::MAX)]);
        let dates = person.save_dates(opened, everything).await?;
        let day = |date: &UnixMs| i64::try_from(date.0 / 86_400_000).unwrap_or(i64::MAX);
        for (key, (first, last)) in keys {
            let of_days = dates
                .iter()
                .filter(|(_, date)| (first..=last).contains(&day(date)));
            *key = Self::Uids(Arc::new(UidSet::from_uids(of_days.map(|(&uid, _)| uid))));
        }
        Ok(())
    }

    /// The keys about save dates, each with its days.
    fn add_saved<'k>(&'k mut self, saved: &mut Vec<(&'k mut Self, (i64, i64))>) {
        let days = match self {
            Self::And(keys) => return keys.iter_mut().for_each(|key| key.add_saved(saved)),
            Self::Or(one, other) => {
                one.add_saved(saved);
                return other.add_saved(saved);
            }
            Self::Not(key) => return key.add_saved(saved),
            Self::Saved(first, last) => (*first, *last),
            _ => return,
        };
        saved.push((self, days));
    }

    /// Asks the index about every key that looks into text. An answer covers all mailboxes: those that other mailboxes gave to the same
    /// keys are in `asked`, in their order, and are not asked for again.
    pub(crate) async fn look_up(
        &mut self,
        person: &Person,
        io: &mut Io<'_>,
        asked: &mut Vec<Found>,
    ) -> Result<(), Stop> {
        let mut texts = Vec::new();
        self.add_texts(&mut texts);
        for (at, (key, question)) in texts.into_iter().enumerate() {
            let found = match asked.get(at) {
                Some(found) => found.clone(),
                None => {
                    io.breathe().await?;
                    let found = person.search_text(question).await;
                    asked.push(found.clone());
                    found
                }
            };
            let inner = std::mem::replace(key, Self::Never);
            *key = Self::Looked(Box::new(inner), found);
        }
        Ok(())
    }

    /// The keys that look into text, each with its question.
    fn add_texts<'k>(&'k mut self, texts: &mut Vec<(&'k mut Self, Question)>) {
        let (place, needle) = match self {
            Self::And(keys) => return keys.iter_mut().for_each(|key| key.add_texts(texts)),
            Self::Or(one, other) => {
                one.add_texts(texts);
                return other.add_texts(texts);
            }
            Self::Not(key) => return key.add_texts(texts),
            Self::Header(name, needle) => (Place::Header(name.clone()), needle.clone()),
            Self::Body(needle) => (Place::Body, needle.clone()),
            Self::Text(needle) => (Place::Text, needle.clone()),
            _ => return,
        };
        texts.push((self, Question::of_folded(place, needle)));
    }
}

/// One that does not match decides, whatever the others need.
fn all(keys: &[Key], known: &Known<'_>) -> Option<bool> {
    let mut decided = Some(true);
    for key in keys {
        match key.matches(known) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => decided = None,
        }
    }
    decided
}

fn has(known: &Known<'_>, flags: &Flags) -> bool {
    let rare = |wanted: &String| {
        known
            .rare
            .iter()
            .any(|keyword| keyword.eq_ignore_ascii_case(wanted))
    };
    known.row.bits & flags.bits == flags.bits && flags.keywords.iter().all(rare)
}

fn header_contains(header: &[u8], name: &str, needle: &str) -> bool {
    let mut fields = Fields::new(header).filter(|field| field.is(name));
    // An empty needle asks whether the field is there (RFC 3501 §6.4.4).
    fields.any(|field| needle.is_empty() || texts::value(&field).contains(needle))
}

fn any_header_contains(header: &[u8], needle: &str) -> bool {
    texts::header_lines(header).any(|line| line.contains(needle))
}

/// Asks every question about content; for fuzzing.
pub(crate) fn look_everywhere(message: &[u8]) {
    let header = &message[..mail::header::body_start(message)];
    let found = any_header_contains(header, "a")
        | header_contains(header, "Subject", "a")
        | Texts::of(message).body_contains("a")
        | Texts::of(message).part_headers_contain("a");
    let day = sent_day(header).unwrap_or(0);
    // Every answer is fine; getting there must not panic.
    std::hint::black_box((found, day));
}

#[cfg(test)]
mod tests {
    use mail::ids::Id as _;

    use super::*;

    #[test]
    fn large_texts_are_searched_whole_and_headers_as_far_as_they_are_read() {
        let long = "\u{fdfa}".repeat(50_000);
        let message = format!(
            "Subject: first\r\nX-Long: {}\r\nX-Last: late\r\n\r\n{long}N\u{e9}edle{long}end",
            "y".repeat(HEADER_BLOCK_BYTES)
        );
        let message = message.replace(
            "\r\nX-Long",
            "\r\nContent-Type: text/plain; charset=utf-8\r\nX-Long",
        );
        let texts = Texts::of(message.as_bytes());
        for there in ["n\u{e9}edle", "end", "\u{fdfa}n"] {
            assert!(texts.body_contains(&fold(there)), "{there}");
        }
        assert!(!texts.body_contains(&fold("needles")));
        assert!(texts.header_contains(&fold("first")));
        assert!(!texts.header_contains(&fold("late")));
        assert!(!texts.part_headers_contain(&fold("needles")));
    }

    const MAIL: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\n\
        Subject: Gr\xc3\xbc\xc3\x9fe\r\n\
        Date: Mon, 23 Nov 2026 23:30:00 -0800\r\n\
        X-Empty:\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Stra=DFe am K=D6NIGSplatz, a long li=\r\nne\r\n\
        --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n--b--\r\n";

    fn row() -> Row {
        Row {
            modseq: 7,
            message: MessageId::from_raw(1),
            uid: 3,
            bits: SEEN,
            size_bytes: 0,
        }
    }

    fn ask(key: &Key, header: bool, whole: bool) -> Option<bool> {
        let row = row();
        let header = header.then(|| &MAIL[..mail::header::body_start(MAIL)]);
        key.matches(&Known {
            row: &row,
            rare: &[],
            recent: false,
            digest: None,
            message: None,
            header,
            whole: whole.then_some(&Texts::of(MAIL)),
        })
    }

    #[test]
    fn texts_are_found_decoded_and_without_case() {
        let header = |name: &str, text: &str| Key::Header(name.to_owned(), fold(text));
        for (key, expected) in [
            (header("From", "jürgen"), true),
            (header("from", "JÜRGEN"), true),
            (header("Subject", "grüße"), true),
            (header("Subject", "q?J"), false),
            (header("X-Empty", ""), true),
            (header("X-Absent", ""), false),
            (Key::Body(fold("königsplatz")), true),
            (Key::Body(fold("a long line")), true),
            (Key::Body(fold("Grüße")), false),
            (Key::Body(fold("secret")), false),
            (Key::Text(fold("grüße")), true),
            (Key::Text(fold("straße")), true),
            (Key::Text(fold("absent")), false),
            (Key::Sent(day(Date::new(2026, 11, 23).unwrap()), i64::MAX), true),
            (Key::Sent(day(Date::new(2026, 11, 24).unwrap()), i64::MAX), false),
        ] {
            assert_eq!(ask(&key, true, true), Some(expected), "{key:?}");
        }
    }

    #[test]
    fn no_more_is_read_than_decides() {
        let body = || Key::Body("x".to_owned());
        let seen = || Key::Has(Flags::bits(SEEN));
        let unseen = || Key::Not(Box::new(seen()));
        for (key, expected) in [
            (Key::And(vec![body(), unseen()]), Some(false)),
            (Key::And(vec![body(), seen()]), None),
            (Key::Or(Box::new(body()), Box::new(seen())), Some(true)),
            (Key::Or(Box::new(body()), Box::new(unseen())), None),
            (Key::Not(Box::new(body())), None),
            (Key::Text("x".to_owned()), None),
        ] {
            assert_eq!(ask(&key, false, false), expected, "{key:?}");
        }
        assert_eq!(
            ask(&Key::Text(fold("jürgen")), true, false),
            Some(true),
            "the header decides"
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn any_octets_can_be_searched(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            look_everywhere(&bytes);
            look_everywhere(&[MAIL, &bytes].concat());
        }
    }

    #[test]
    fn rows_are_compared() {
        for (key, expected) in [
            (Key::Uids(Arc::new(UidSet::from_uids([1, 3]))), true),
            (Key::Uids(Arc::new(UidSet::from_uids([4]))), false),
            (Key::ModSeq(7), true),
            (Key::ModSeq(8), false),
            (
                Key::Has(stored_flags(&[imap::flag::Flag::keyword("$Forwarded").unwrap()])),
                false,
            ),
            (Key::Recent, false),
            (Key::EmailId(MessageId::from_raw(1)), true),
        ] {
            assert_eq!(ask(&key, false, false), Some(expected), "{key:?}");
        }
    }
}
