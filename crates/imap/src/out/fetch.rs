//! `* n FETCH (…)` (RFC 3501 §7.4.2).

use super::{Envelope, Out, Structure};
use crate::command::{FetchItem, FetchSection, Section, SectionText};
use crate::date::DateTime;

/// One FETCH response being written; each method adds an item. [`FetchLine::finish`] ends it.
#[derive(Debug)]
#[must_use = "an unfinished FETCH response breaks the session"]
pub struct FetchLine<'o> {
    pub(super) out: &'o mut Out,
    empty: bool,
    /// octets of a streamed item that are still owed
    owed: u64,
    /// where it begins, while nothing of it was taken
    begun: Option<usize>,
}

/// The octets of a message item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Octets<'a> {
    /// the part does not exist
    Nil,
    /// these; they may be long and hold any octet but NUL
    Of(&'a [u8]),
}

impl Out {
    /// Begins `* n FETCH (`.
    pub fn fetch(&mut self, sequence: u32) -> FetchLine<'_> {
        self.fetch_of(sequence, b" FETCH (")
    }

    /// Begins `* uid UIDFETCH (` (RFC 9586 §3.3).
    pub fn uid_fetch(&mut self, uid: u32) -> FetchLine<'_> {
        self.fetch_of(uid, b" UIDFETCH (")
    }

    fn fetch_of(&mut self, number: u32, what: &[u8]) -> FetchLine<'_> {
        let begun = Some(self.bytes.len());
        self.raw(b"* ");
        self.number(u64::from(number));
        self.raw(what);
        FetchLine {
            out: self,
            empty: true,
            owed: 0,
            begun,
        }
    }
}

impl FetchLine<'_> {
    /// `UID n`
    pub fn uid(&mut self, uid: u32) {
        self.item(b"UID ");
        self.out.number(u64::from(uid));
    }

    /// `FLAGS (…)`; names on the wire, `\Recent` included where it holds.
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        self.item(b"FLAGS ");
        self.out.flags(flags);
    }

    /// `INTERNALDATE "…"`
    pub fn internal_date(&mut self, moment: DateTime) {
        self.item(b"INTERNALDATE ");
        self.out.string(moment.to_string().as_bytes());
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, size_bytes: u64) {
        self.item(b"RFC822.SIZE ");
        self.out.number(size_bytes);
    }

    /// `MODSEQ (n)` (RFC 7162 §3.1.4.2)
    pub fn modseq(&mut self, modseq: u64) {
        self.item(b"MODSEQ (");
        self.out.number(modseq);
        self.out.raw(b")");
    }

    /// `EMAILID (id)` (RFC 8474 §5.1)
    pub fn email_id(&mut self, id: &str) {
        self.item(b"EMAILID (");
        self.out.text(id);
        self.out.raw(b")");
    }

    /// `THREADID (id)`, or NIL (RFC 8474 §5.2)
    pub fn thread_id(&mut self, id: Option<&str>) {
        self.item(b"THREADID ");
        match id {
            Some(id) => {
                self.out.raw(b"(");
                self.out.text(id);
                self.out.raw(b")");
            }
            None => self.out.raw(b"NIL"),
        }
    }

    /// `PREVIEW "…"` (RFC 8970 §3.1): UTF-8
    pub fn preview(&mut self, text: &str) {
        self.item(b"PREVIEW ");
        self.out.string(text.as_bytes());
    }

    /// `SAVEDATE "…"`, or NIL (RFC 8514 §4.2)
    pub fn save_date(&mut self, moment: Option<DateTime>) {
        self.item(b"SAVEDATE ");
        self.out.nstring(
            moment
                .map(|moment| moment.to_string())
                .as_deref()
                .map(str::as_bytes),
        );
    }

    /// `BINARY[…]<offset>` with its octets, which are decoded and already cut to the partial. With NUL it is a literal8
    /// (RFC 3516 §4.2).
    pub fn binary(&mut self, fetched: &FetchSection, octets: Octets<'_>) {
        self.label(b"BINARY[", &fetched.section);
        self.offset(fetched);
        self.out.raw(b" ");
        match octets {
            Octets::Nil => self.out.raw(b"NIL"),
            Octets::Of(octets) => {
                if octets.contains(&0) {
                    self.out.raw(b"~");
                }
                self.out.literal(octets);
            }
        }
    }

    /// `BINARY.SIZE[…] n`
    pub fn binary_size(&mut self, section: &Section, size_bytes: u64) {
        self.label(b"BINARY.SIZE[", section);
        self.out.raw(b" ");
        self.out.number(size_bytes);
    }

    /// `ENVELOPE (…)`
    pub fn envelope(&mut self, envelope: &Envelope<'_>) {
        self.item(b"ENVELOPE ");
        envelope.write(self.out);
    }

    /// `BODY (…)`: the structure without extension data
    pub fn body(&mut self, structure: &Structure<'_>) {
        self.item(b"BODY ");
        structure.write(self.out, false);
    }

    /// `BODYSTRUCTURE (…)`
    pub fn body_structure(&mut self, structure: &Structure<'_>) {
        self.item(b"BODYSTRUCTURE ");
        structure.write(self.out, true);
    }

    /// `BODY[…]<offset>`, `RFC822`, `RFC822.HEADER` or `RFC822.TEXT` with its octets, which are already cut to the partial.
    pub fn octets(&mut self, item: &FetchItem, octets: Octets<'_>) {
        self.octets_label(item);
        match octets {
            Octets::Nil => self.out.raw(b"NIL"),
            Octets::Of(octets) => self.out.literal(octets),
        }
    }

    /// Like `octets`, for a long item: only the announcement; exactly `size_bytes` must follow by `stream`.
    pub fn octets_streamed(&mut self, item: &FetchItem, size_bytes: u64) {
        self.octets_label(item);
        self.out.literal_header(size_bytes);
        self.owed = size_bytes;
    }

    /// Octets of the announced item; more than are owed are cut off.
    pub fn stream(&mut self, octets: &[u8]) {
        let take = usize::try_from(self.owed).unwrap_or(usize::MAX).min(octets.len());
        self.out.raw(&octets[..take]);
        self.owed -= take as u64;
    }

    /// Octets written and not yet taken.
    pub fn untaken_bytes(&self) -> usize {
        self.out.len()
    }

    /// What was written so far, to be sent while the rest is still to come; empties the buffer.
    pub fn take(&mut self) -> Vec<u8> {
        self.begun = None;
        self.out.take()
    }

    /// Takes the response back, and the memory it was made in. False when something of it is gone already: then only closing is left.
    #[must_use = "a response that cannot be taken back must end the session"]
    pub fn undo(self) -> bool {
        let Some(begun) = self.begun else { return false };
        self.out.bytes.truncate(begun);
        self.out.bytes.shrink_to_fit();
        true
    }

    /// Octets still owed after `octets_streamed`. If they cannot be had (the store failed), the connection must be closed.
    pub fn owed(&self) -> u64 {
        self.owed
    }

    /// Ends the response.
    pub fn finish(self) {
        debug_assert!(self.owed == 0, "an announced literal was not written");
        self.out.raw(b")\r\n");
    }

    fn octets_label(&mut self, item: &FetchItem) {
        match item {
            FetchItem::Rfc822 => self.item(b"RFC822 "),
            FetchItem::Rfc822Header => self.item(b"RFC822.HEADER "),
            FetchItem::Rfc822Text => self.item(b"RFC822.TEXT "),
            FetchItem::Section(section) => self.section_label(section),
            _ => debug_assert!(false, "this item has no octets"),
        }
    }

    fn section_label(&mut self, fetched: &FetchSection) {
        self.label(b"BODY[", &fetched.section);
        self.offset(fetched);
        self.out.raw(b" ");
    }

    fn label(&mut self, start: &[u8], section: &Section) {
        self.item(start);
        write_section(self.out, section);
        self.out.raw(b"]");
    }

    fn offset(&mut self, fetched: &FetchSection) {
        if let Some(partial) = fetched.partial {
            self.out.raw(b"<");
            self.out.number(u64::from(partial.offset));
            self.out.raw(b">");
        }
    }

    pub(super) fn item(&mut self, label: &[u8]) {
        debug_assert!(self.owed == 0, "an announced literal was not written");
        if !self.empty {
            self.out.raw(b" ");
        }
        self.empty = false;
        self.out.raw(label);
    }
}

fn write_section(out: &mut Out, section: &Section) {
    for (at, number) in section.part.iter().enumerate() {
        if at > 0 {
            out.raw(b".");
        }
        out.number(u64::from(number.get()));
    }
    let (name, fields): (&[u8], &[String]) = match &section.text {
        SectionText::All => return,
        SectionText::Header => (b"HEADER", &[]),
        SectionText::HeaderFields(fields) => (b"HEADER.FIELDS ", fields),
        SectionText::HeaderFieldsNot(fields) => (b"HEADER.FIELDS.NOT ", fields),
        SectionText::Text => (b"TEXT", &[]),
        SectionText::Mime => (b"MIME", &[]),
    };
    if !section.part.is_empty() {
        out.raw(b".");
    }
    out.raw(name);
    if !fields.is_empty() {
        out.list(fields, |out, field| out.astring(field.as_bytes()));
    }
}
