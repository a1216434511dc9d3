//! The header block of a message or a part as fields with offsets: one pass, nothing copied, nothing decoded.
//!
//! Written for hostile and old mail: bare LF ends a line as CRLF does, a line without a colon is a field of its own
//! shape ([`Shape::Junk`]), a header block without a blank line ends where the bytes end. A line that begins with a space or a
//! TAB continues the field before it (RFC 5322 §2.2.3); as the very first line it is a field with [`Shape::Odd`].
//! CR alone never ends a line.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::limits::{HEADER_BLOCK_BYTES, HEADER_FIELDS};

/// How well formed a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `name:` with a name of printable ASCII (RFC 5322 §2.2).
    Proper,
    /// Space before the colon or before the name, a name that is empty or has other letters. Some programs will take
    /// it for the field it resembles (threat case AUT-3), so [`Field::is`] does too.
    Odd,
    /// A line without a colon.
    Junk,
}

/// One field. All offsets count from the start of the bytes that were scanned.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    source: &'a [u8],
    start: usize,
    name_start: usize,
    name_end: usize,
    value_start: usize,
    end: usize,
    shape: Shape,
}

impl<'a> Field<'a> {
    /// The whole field with its line end: what IMAP `BODY[HEADER.FIELDS]` copies and what removing the field removes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The name without white space around it; empty for junk.
    pub fn name_range(&self) -> Range<usize> {
        self.name_start..self.name_end
    }

    /// What follows the colon, with folds and leading space, without the last line end. For junk the whole line.
    pub fn value_range(&self) -> Range<usize> {
        self.value_start..self.value_start + trim_line_end(&self.source[self.value_start..self.end]).len()
    }

    /// The bytes of [`Self::range`].
    pub fn whole(&self) -> &'a [u8] {
        &self.source[self.range()]
    }

    /// The bytes of [`Self::name_range`].
    pub fn name(&self) -> &'a [u8] {
        &self.source[self.name_range()]
    }

    /// The bytes of [`Self::value_range`].
    pub fn value(&self) -> &'a [u8] {
        &self.source[self.value_range()]
    }

    /// How well formed it is.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the name is `name`, whatever its case; odd fields included.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line: line ends removed, white space around it trimmed (RFC 5322 §2.2.3). Borrowed when there is
    /// nothing to remove inside.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.value())
    }
}

/// Removes CR and LF (and NUL, which nobody can show) and trims white space at both ends.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(
        value
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0))
            .collect(),
    )
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The fields of a header block, one after the other. After the last one [`Fields::body_start`] tells where the body is.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    source: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> Fields<'a> {
    /// Starts at the first octet of `source`, which may be a whole message.
    pub fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            at: 0,
            ended: false,
        }
    }

    /// Starts at `at`, the start of a line; offsets still count from the first octet of `source`.
    pub(crate) fn starting_at(source: &'a [u8], at: usize) -> Self {
        Self {
            source,
            at,
            ended: false,
        }
    }

    /// Where the next field starts; after the last field, where the body starts (behind the blank line).
    pub fn body_start(&self) -> usize {
        self.at
    }

    /// Whether the blank line was found (only known after the last field).
    pub fn has_blank_line(&self) -> bool {
        self.ended
    }

    fn line_end(&self, from: usize) -> usize {
        memchr(b'\n', &self.source[from..]).map_or(self.source.len(), |lf| from + lf + 1)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.at;
        if self.ended || start >= self.source.len() {
            return None;
        }
        let first_line_end = self.line_end(start);
        if is_blank(&self.source[start..first_line_end]) {
            self.at = first_line_end;
            self.ended = true;
            return None;
        }
        let mut end = first_line_end;
        while matches!(self.source.get(end), Some(b' ' | b'\t')) && self.source[end - 1] == b'\n' {
            end = self.line_end(end);
        }
        self.at = end;
        Some(field(self.source, start, first_line_end, end))
    }
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

fn field(source: &[u8], start: usize, first_line_end: usize, end: usize) -> Field<'_> {
    let Some(colon) = memchr(b':', &source[start..first_line_end]) else {
        return Field {
            source,
            start,
            name_start: start,
            name_end: start,
            value_start: start,
            end,
            shape: Shape::Junk,
        };
    };
    let before = &source[start..start + colon];
    let left = before.len() - before.trim_ascii_start().len();
    let name = before.trim_ascii();
    let proper = name.len() == before.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    Field {
        source,
        start,
        name_start: start + left,
        name_end: start + left + name.len(),
        value_start: start + colon + 1,
        end,
        shape: if proper { Shape::Proper } else { Shape::Odd },
    }
}

/// Why a message's header block is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// More than [`HEADER_BLOCK_BYTES`] octets: 552 5.3.4.
    TooLarge,
    /// More than [`HEADER_FIELDS`] fields: 554 5.6.0.
    TooManyFields,
}

impl std::fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the header is larger than {} KiB", HEADER_BLOCK_BYTES / 1024),
            Self::TooManyFields => write!(f, "the header has more than {HEADER_FIELDS} fields"),
        }
    }
}

impl std::error::Error for HeaderFault {}

/// A header block with its fields collected.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    fields: Vec<Field<'a>>,
    body_start: usize,
}

impl<'a> Header<'a> {
    /// Scans the header block at the start of `source` (a whole message, or a header alone) within the limits of the
    /// receiver.
    pub fn scan(source: &'a [u8]) -> Result<Self, HeaderFault> {
        // One octet more than allowed is enough to see that it is too much.
        let mut fields = Fields::new(&source[..source.len().min(HEADER_BLOCK_BYTES + 1)]);
        let mut found = Vec::with_capacity(24);
        for field in fields.by_ref() {
            if found.len() == HEADER_FIELDS {
                return Err(HeaderFault::TooManyFields);
            }
            found.push(field);
        }
        if fields.body_start() > HEADER_BLOCK_BYTES {
            return Err(HeaderFault::TooLarge);
        }
        Ok(Self {
            fields: found,
            body_start: fields.body_start(),
        })
    }

    /// All fields in their order.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// Where the body starts: behind the blank line, or at the end when there is none.
    pub fn body_start(&self) -> usize {
        self.body_start
    }

    /// The first field of that name, whatever its case.
    pub fn first(&self, name: &str) -> Option<Field<'a>> {
        self.fields.iter().find(|field| field.is(name)).copied()
    }

    /// All fields of that name, in their order.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Field<'a>> + 's {
        self.fields.iter().filter(move |field| field.is(name)).copied()
    }

    /// How many fields have that name.
    pub fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// How many Received fields there are: the hops so far (RFC 5321 §6.3).
    pub fn received_count(&self) -> usize {
        self.count("Received")
    }

    /// How the From field stands: see [`FromFields`].
    pub fn from_fields(&self) -> FromFields {
        FromFields::count(&self.fields)
    }
}

/// How many From fields a header has, the odd forms apart: evidence for AUT-3. Only `proper == 1` with nothing else is
/// a message whose author everybody sees alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FromFields {
    /// `From:` in any case.
    pub proper: usize,
    /// `From :`, ` From:` on the first line and other forms that some programs take for From.
    pub odd: usize,
    /// Continuation lines that read like a From field (`␠From: somebody@…`) and that some programs take for one.
    pub in_folds: usize,
}

impl FromFields {
    fn count(fields: &[Field<'_>]) -> Self {
        let mut counts = Self::default();
        for field in fields {
            match (field.is("From") || looks_like_from(field.name()), field.shape) {
                (true, Shape::Proper) => counts.proper += 1,
                (true, _) => counts.odd += 1,
                (false, _) => {}
            }
            counts.in_folds += from_lines_in_folds(field);
        }
        counts
    }

    /// Exactly one From field and nothing that anybody could take for another.
    pub fn is_single(&self) -> bool {
        self.proper == 1 && self.odd == 0 && self.in_folds == 0
    }
}

/// `From` with control characters or white space strewn in.
fn looks_like_from(name: &[u8]) -> bool {
    let mut letters = name
        .iter()
        .filter(|byte| !(byte.is_ascii_control() || byte.is_ascii_whitespace()));
    let mut wanted = b"from".iter();
    loop {
        match (letters.next(), wanted.next()) {
            (None, None) => return true,
            (Some(letter), Some(want)) if letter.eq_ignore_ascii_case(want) => {}
            _ => return false,
        }
    }
}

/// A DKIM `h=` list folds to lines like `\tfrom:to:subject`; those have no space behind the colon or no `@`.
fn from_lines_in_folds(field: &Field<'_>) -> usize {
    field
        .whole()
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter(|line| reads_like_from(line))
        .count()
}

fn reads_like_from(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if !line
        .get(..4)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"from"))
    {
        return false;
    }
    match line[4..].trim_ascii_start() {
        [b':', rest @ ..] => {
            matches!(rest.first(), Some(b' ' | b'\t' | b'<' | b'"')) && memchr(b'@', rest).is_some()
        }
        _ => false,
    }
}

/// Where the body of a message starts; the header is everything before.
pub fn body_start(message: &[u8]) -> usize {
    let mut fields = Fields::new(message);
    fields.by_ref().for_each(drop);
    fields.body_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(source: &[u8]) -> Vec<(String, String, Shape)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Fields::new(source)
            .map(|field| (text(field.name()), text(&field.unfolded()), field.shape()))
            .collect()
    }

    fn row(name: &str, value: &str, shape: Shape) -> (String, String, Shape) {
        (name.into(), value.into(), shape)
    }

    #[test]
    fn fields_are_found_in_any_shape() {
        let source = b" From: a@x\r\nSubject: one\r\n two\r\n\tthree\r\nTo :b\nno colon here\r\n: empty\r\nB\xc3\xa9: c\r\n\r\nbody: no\r\n";
        assert_eq!(
            listing(source),
            [
                row("From", "a@x", Shape::Odd),
                row("Subject", "one two\tthree", Shape::Proper),
                row("To", "b", Shape::Odd),
                row("", "no colon here", Shape::Junk),
                row("", "empty", Shape::Odd),
                row("Bé", "c", Shape::Odd),
            ]
        );
        assert_eq!(&source[body_start(source)..], b"body: no\r\n");
    }

    #[test]
    fn ranges_rebuild_the_block() {
        let source = b"A: 1\r\nB: 2\r\n 3\r\nC: 4\n\nrest";
        let header = Header::scan(source).unwrap();
        let rebuilt: Vec<u8> = header
            .fields()
            .iter()
            .flat_map(|field| field.whole().to_vec())
            .collect();
        assert_eq!(rebuilt, b"A: 1\r\nB: 2\r\n 3\r\nC: 4\n");
        assert_eq!(header.first("b").unwrap().value(), b" 2\r\n 3");
        assert_eq!(&source[header.body_start()..], b"rest");
        assert_eq!(header.count("c"), 1);
    }

    #[test]
    fn a_block_may_end_without_a_blank_line() {
        for source in [&b"A: 1"[..], b"A: 1\r\n", b"A: 1\r", b"A: 1\r\n "] {
            let header = Header::scan(source).unwrap();
            assert_eq!(header.fields().len(), 1);
            assert_eq!(header.body_start(), source.len());
        }
        assert_eq!(Header::scan(b"").unwrap().fields().len(), 0);
        assert_eq!(body_start(b"\r\nA: 1\r\n"), 2);
    }

    #[test]
    fn mim_3_header_bombs_are_refused_by_limits() {
        let many = b"A: b\r\n".repeat(HEADER_FIELDS);
        assert!(Header::scan(&many).is_ok());
        let too_many = b"A: b\r\n".repeat(HEADER_FIELDS + 1);
        assert_eq!(Header::scan(&too_many).err(), Some(HeaderFault::TooManyFields));
        let large = [b"A: ".to_vec(), b"x".repeat(25 << 20), b"\r\n\r\n".to_vec()].concat();
        assert_eq!(Header::scan(&large).err(), Some(HeaderFault::TooLarge));
        let fits = [
            b"A: ".to_vec(),
            b"x".repeat(HEADER_BLOCK_BYTES - 7),
            b"\r\n\r\n".to_vec(),
        ]
        .concat();
        assert_eq!(fits.len(), HEADER_BLOCK_BYTES);
        assert_eq!(Header::scan(&fits).unwrap().body_start(), HEADER_BLOCK_BYTES);
    }

    #[test]
    fn aut_3_every_form_of_a_second_from_is_counted() {
        let table: &[(&[u8], (usize, usize, usize))] = &[
            (b"From: a@x\r\n", (1, 0, 0)),
            (b"Subject: x\r\n", (0, 0, 0)),
            (b"From: a@x\r\nFROM: b@x\r\n", (2, 0, 0)),
            (b"From: a@x\r\nFrom : b@x\r\n", (1, 1, 0)),
            (b"From: a@x\r\nFrom\t: b@x\r\n", (1, 1, 0)),
            (b" From: a@x\r\nFrom: b@x\r\n", (1, 1, 0)),
            (b"\tFrom: a@x\r\nFrom: b@x\r\n", (1, 1, 0)),
            (b"From: a@x\r\n From: b@x\r\n", (1, 0, 1)),
            (b"Subject: s\r\n\tFrom: b@x\r\nFrom: a@x\r\n", (1, 0, 1)),
            (b"From: a@x\r\nFrom\0: b@x\r\n", (1, 1, 0)),
            (b"From:\r\n a@x\r\n", (1, 0, 0)),
            (
                b"From: a@x\r\nDKIM-Signature: h=to:\r\n\tfrom:subject; i=a@x\r\n",
                (1, 0, 0),
            ),
            (b"From: a@x\r\nResent-From: b@x\r\nX-From: c@x\r\n", (1, 0, 0)),
            (b"From: a@x\nFrom: b@x\n", (2, 0, 0)),
        ];
        for (source, (proper, odd, in_folds)) in table {
            let counts = Header::scan(source).unwrap().from_fields();
            let expected = FromFields {
                proper: *proper,
                odd: *odd,
                in_folds: *in_folds,
            };
            assert_eq!(counts, expected, "{}", source.escape_ascii());
            assert_eq!(counts.is_single(), (*proper, *odd, *in_folds) == (1, 0, 0));
        }
    }
}
