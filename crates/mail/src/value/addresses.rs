//! Address fields: From, To, Reply-To and their like (RFC 5322 §3.4, §4.4), one pass, no recursion.
//!
//! This is the one parser of header addresses: who may send as whom, ENVELOPE, JMAP and the web all use it, so they
//! agree (threat case AUT-4). What several programs could read differently is marked: [`HeaderMailbox::well_formed`].

use super::parameters::{comment_end, quoted};
use crate::address::{BadAddress, Domain, LocalPart, Mailbox, Utf8};
use crate::header::unfold;
use crate::limits::{ADDRESSES, FIELD_VALUE_BYTES};

/// One element of an address list, in order. Groups are flat: a start, their members, an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `name <local@domain>` or `local@domain`.
    Mailbox(HeaderMailbox),
    /// `name:`. Raw words, unquoted.
    GroupStart(Vec<u8>),
    /// `;`
    GroupEnd,
}

/// An address of a header field: raw octets, unquoted and unfolded, encoded words as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderMailbox {
    /// The display name, or else the last comment.
    pub name: Option<Vec<u8>>,
    /// A source route without its colon: `@a,@b` (RFC 5322 §4.4).
    pub route: Option<Vec<u8>>,
    /// What stands before the last `@`.
    pub local: Vec<u8>,
    /// What stands behind the last `@`; nothing when there is none.
    pub domain: Option<Vec<u8>>,
    /// False when the address breaks the grammar so that another program could read another address: two `@`, words
    /// behind the `>`, a second `<`, an open bracket, comment or quotation, a quotation that is not a whole word of the local part, no
    /// domain, a source route; or when the field holds a NUL.
    pub well_formed: bool,
}

impl HeaderMailbox {
    /// As an address that mail can be sent to and that can be compared with an account's.
    pub fn to_mailbox(&self) -> Result<Mailbox, BadAddress> {
        let domain = self.domain.as_deref().ok_or(BadAddress::NoDomain)?;
        let domain = std::str::from_utf8(domain).map_err(|_| BadAddress::BadDomain)?;
        let local = std::str::from_utf8(&self.local).map_err(|_| BadAddress::Syntax)?;
        if local.is_empty() {
            return Err(BadAddress::Empty);
        }
        Mailbox::new(
            LocalPart::from_unquoted(local, Utf8::Allowed)?,
            Domain::parse(domain)?,
        )
    }
}

/// Reads an address list; at most [`ADDRESSES`] entries come back.
pub fn parse(value: &[u8]) -> Vec<Entry> {
    let value = &value[..value.len().min(FIELD_VALUE_BYTES)];
    let mut list = List::new(value);
    list.run();
    if memchr::memchr(0, value).is_some() {
        distrust(&mut list.entries);
    }
    list.entries
}

/// We leave NULs out; other programs end the text at one.
fn distrust(entries: &mut [Entry]) {
    for entry in entries {
        if let Entry::Mailbox(mailbox) = entry {
            mailbox.well_formed = false;
        }
    }
}

/// The mailboxes of [`parse`], members of groups included.
pub fn mailboxes(value: &[u8]) -> Vec<HeaderMailbox> {
    parse(value)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Mailbox(mailbox) => Some(mailbox),
            _ => None,
        })
        .collect()
}

/// What was read of the address that is being read.
#[derive(Default)]
struct Draft {
    /// Words with one space between them: the display name if `<` follows.
    words: Vec<u8>,
    /// The same without the spaces: the address if no `<` follows.
    bare: Vec<u8>,
    /// Where the last `@` stands in `bare`.
    at_sign: Option<usize>,
    at_signs: usize,
    space: bool,
    /// White space was seen inside the bare address where none may be.
    broken: bool,
    comment: Option<Vec<u8>>,
    angle: Option<HeaderMailbox>,
    trailing: bool,
    /// A comment or a quoted string had no end: who does not look for one finds other addresses there.
    unended: bool,
    /// The last word was a quoted string: a dot or an `@` has to follow (RFC 5322 §3.4.1, §4.4).
    after_quote: bool,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.angle.is_none()
    }

    fn add(&mut self, octets: &[u8]) {
        if self.angle.is_some() {
            self.trailing = true;
        }
        self.broken |= std::mem::take(&mut self.after_quote) && !matches!(octets, [b'.' | b'@', ..]);
        let dotted = octets.first().is_some_and(|byte| matches!(byte, b'.' | b'@'));
        if self.space && !self.words.is_empty() {
            let after_dot = self.words.ends_with(b".") || self.words.ends_with(b"@");
            self.broken |= !dotted && !after_dot;
            self.words.push(b' ');
        }
        self.space = false;
        self.words.extend_from_slice(octets);
        self.bare.extend_from_slice(octets);
    }

    /// In an address a quoted string is a whole word of the local part; elsewhere another program may read the address without it.
    fn quoted(&mut self, content: &[u8], closed: bool) {
        self.broken |= self.at_sign.is_some() || !(self.bare.is_empty() || self.bare.ends_with(b"."));
        self.unended |= !closed;
        self.add(content);
        self.after_quote = true;
    }

    fn at_sign(&mut self) {
        self.add(b"@");
        self.at_sign = Some(self.bare.len() - 1);
        self.at_signs += 1;
    }

    fn finish(self) -> Option<HeaderMailbox> {
        if self.is_empty() {
            return None;
        }
        let comment = self.comment;
        if let Some(mut angle) = self.angle {
            angle.well_formed &= !self.trailing && !self.unended;
            let words = (!self.words.is_empty()).then_some(self.words);
            angle.name = words.or(comment);
            return Some(angle);
        }
        let Some(at) = self.at_sign else {
            return Some(HeaderMailbox {
                name: comment,
                local: self.words,
                ..HeaderMailbox::default()
            });
        };
        let domain = self.bare[at + 1..].to_vec();
        let local = self.bare[..at].to_vec();
        let well_formed =
            self.at_signs == 1 && !self.broken && !self.unended && !domain.is_empty() && !local.is_empty();
        Some(HeaderMailbox {
            name: comment,
            route: None,
            local,
            domain: Some(domain),
            well_formed,
        })
    }
}

struct List<'a> {
    value: &'a [u8],
    at: usize,
    entries: Vec<Entry>,
    draft: Draft,
    in_group: bool,
}

impl<'a> List<'a> {
    fn new(value: &'a [u8]) -> Self {
        Self {
            value,
            at: 0,
            entries: Vec::new(),
            draft: Draft::default(),
            in_group: false,
        }
    }

    fn run(&mut self) {
        while self.at < self.value.len() && self.entries.len() < ADDRESSES {
            self.step(self.value[self.at]);
        }
        self.end_address();
        if self.in_group {
            self.entries.push(Entry::GroupEnd);
        }
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.draft.space = true;
                self.at += 1;
            }
            b'(' => {
                let (end, closed) = comment_end(self.value, self.at);
                self.draft.comment = comment_text(&self.value[self.at..end]);
                self.draft.space = true;
                self.draft.unended |= !closed;
                self.at = end;
            }
            b'"' => {
                let (content, end, closed) = quoted(self.value, self.at);
                self.draft.quoted(&content, closed);
                self.at = end;
            }
            b'<' => self.angle(),
            b'[' => self.literal(),
            b',' => {
                self.end_address();
                self.at += 1;
            }
            b':' if !self.in_group && self.draft.angle.is_none() && self.draft.at_sign.is_none() => {
                let name = std::mem::take(&mut self.draft).words;
                self.entries.push(Entry::GroupStart(name));
                self.in_group = true;
                self.at += 1;
            }
            b';' => {
                self.end_address();
                if std::mem::take(&mut self.in_group) {
                    self.entries.push(Entry::GroupEnd);
                }
                self.at += 1;
            }
            b'@' => {
                self.draft.at_sign();
                self.at += 1;
            }
            _ => self.atom(),
        }
    }

    fn atom(&mut self) {
        let rest = &self.value[self.at..];
        let stops = |byte: &u8| byte.is_ascii_whitespace() || b"(\"<[,:;@".contains(byte);
        let len = rest.iter().position(stops).unwrap_or(rest.len()).max(1);
        // `\x` outside quotes is no pair in the grammar; both letters stay.
        let atom: Vec<u8> = rest[..len].iter().copied().filter(|byte| *byte != 0).collect();
        if !atom.is_empty() {
            self.draft.add(&atom);
        }
        self.at += len;
    }

    /// `[192.0.2.1]`: white space and colons inside belong to it.
    fn literal(&mut self) {
        let rest = &self.value[self.at..];
        let len = rest
            .iter()
            .position(|byte| matches!(byte, b']' | b'\n' | b',' | b'>'))
            .map_or(rest.len(), |end| if rest[end] == b']' { end + 1 } else { end });
        self.draft.add(&unfold(&rest[..len.max(1)]));
        self.at += len.max(1);
    }

    fn end_address(&mut self) {
        if let Some(mailbox) = std::mem::take(&mut self.draft).finish() {
            self.entries.push(Entry::Mailbox(mailbox));
        }
    }

    /// `"<" [ route ":" ] local "@" domain ">"`, comments and white space left out.
    fn angle(&mut self) {
        self.at += 1;
        let mut inner = Inner::default();
        let mut closed = false;
        while let Some(byte) = self.value.get(self.at) {
            match byte {
                b'>' => {
                    closed = true;
                    self.at += 1;
                    break;
                }
                b'(' => {
                    let (end, _) = comment_end(self.value, self.at);
                    self.draft.comment = comment_text(&self.value[self.at..end]);
                    inner.space = true;
                    self.at = end;
                }
                b'"' => {
                    let (content, end, _) = quoted(self.value, self.at);
                    inner.quoted(&content);
                    self.at = end;
                }
                other => {
                    inner.take(*other);
                    self.at += 1;
                }
            }
        }
        let again = self.draft.angle.is_some();
        let mut mailbox = inner.finish();
        mailbox.well_formed &= closed && !again;
        self.draft.angle = Some(mailbox);
    }
}

/// What stands between angle brackets.
#[derive(Default)]
struct Inner {
    text: Vec<u8>,
    at_sign: Option<usize>,
    at_signs: usize,
    route: Option<Vec<u8>>,
    /// White space or a comment stands before the next octet.
    space: bool,
    broken: bool,
    /// The last word was a quoted string.
    after_quote: bool,
}

impl Inner {
    /// As in [`Draft::quoted`].
    fn quoted(&mut self, content: &[u8]) {
        self.word_begins(b'"');
        self.broken |= self.at_sign.is_some() || !(self.text.is_empty() || self.text.ends_with(b"."));
        self.text.extend_from_slice(content);
        self.after_quote = true;
    }

    /// White space divides words at a dot or an `@` only (RFC 5322 §4.4); elsewhere another program may read the last
    /// word alone.
    fn word_begins(&mut self, byte: u8) {
        let joins = matches!(byte, b'.' | b'@' | b':' | b',')
            || self.text.last().is_none_or(|last| b".@,".contains(last));
        self.broken |= self.space && !joins;
        self.broken |= std::mem::take(&mut self.after_quote) && !matches!(byte, b'.' | b'@');
        self.space = false;
    }

    fn take(&mut self, byte: u8) {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            self.space = true;
            return;
        }
        if byte != 0 {
            self.word_begins(byte);
        }
        match byte {
            0 => {}
            b':' if self.text.first() == Some(&b'@') && self.route.is_none() => {
                self.route = Some(std::mem::take(&mut self.text));
                self.at_sign = None;
                self.at_signs = 0;
            }
            b'@' => {
                self.at_sign = Some(self.text.len());
                self.at_signs += 1;
                self.text.push(byte);
            }
            b'<' | b',' | b';' => {
                // In a route commas are right; anywhere else the address is broken.
                self.broken |= self.text.first() != Some(&b'@') || byte != b',';
                self.text.push(byte);
            }
            other => self.text.push(other),
        }
    }

    fn finish(self) -> HeaderMailbox {
        let (local, domain) = match self.at_sign {
            Some(at) => (self.text[..at].to_vec(), Some(self.text[at + 1..].to_vec())),
            None => (self.text, None),
        };
        let whole = !local.is_empty() && domain.as_ref().is_some_and(|domain| !domain.is_empty());
        let well_formed = whole && self.at_signs == 1 && !self.broken && self.route.is_none();
        HeaderMailbox {
            name: None,
            route: self.route,
            local,
            domain,
            well_formed,
        }
    }
}

/// The text of a comment without its outer brackets and the backslashes of its pairs; nothing when it is empty.
fn comment_text(comment: &[u8]) -> Option<Vec<u8>> {
    let inner = comment.strip_prefix(b"(").unwrap_or(comment);
    let inner = inner.strip_suffix(b")").unwrap_or(inner);
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => text.extend(bytes.next()),
            b'\r' | b'\n' | 0 => {}
            other => text.push(*other),
        }
    }
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| text.to_vec())
}
