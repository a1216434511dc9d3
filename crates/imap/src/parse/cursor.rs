//! Reading a frame from left to right, within a budget of tokens and depth (IMP-3).

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::Trouble;
use super::chars;
use crate::frame::announced;
use crate::limits;
use crate::mode::Mode;
use crate::name::MailboxName;

/// What the readers return: a value, or why the command is refused.
pub(super) type Parsed<T> = Result<T, Trouble>;

/// A place in a frame.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    tokens_left: u32,
    depth_left: u32,
    mode: Mode,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], mode: Mode) -> Self {
        Self {
            rest: bytes,
            tokens_left: limits::TOKENS,
            depth_left: limits::DEPTH,
            mode,
        }
    }

    /// What the client switched on.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.rest = &self.rest[1..];
        }
        there
    }

    pub(super) fn need(&mut self, byte: u8, otherwise: &'static str) -> Parsed<()> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(Trouble::bad(otherwise))
        }
    }

    pub(super) fn space(&mut self) -> Parsed<()> {
        self.need(b' ', "A space and another argument are missing")
    }

    /// Whether a space and another argument follow; takes the space. A space before the end of the command is
    /// [`Self::quirk_trailing_space`].
    pub(super) fn more(&mut self) -> bool {
        !self.quirk_trailing_space() && self.eat(b' ')
    }

    /// Takes the end of the command, which must be here.
    pub(super) fn end(&mut self) -> Parsed<()> {
        if self.quirk_trailing_space() || self.rest == b"\r\n" {
            self.rest = &[];
            return Ok(());
        }
        Err(Trouble::bad("The command goes on where it should end"))
    }

    /// Leniency: a single space before the end of a command, which RFC 3501 has no place for and several clients send.
    fn quirk_trailing_space(&self) -> bool {
        self.rest == b" \r\n"
    }

    /// Counts a token.
    pub(super) fn token(&mut self) -> Parsed<()> {
        self.tokens_left = self
            .tokens_left
            .checked_sub(1)
            .ok_or(Trouble::bad("The command has too many parts"))?;
        Ok(())
    }

    /// Runs `read` one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth_left = self
            .depth_left
            .checked_sub(1)
            .ok_or(Trouble::bad("The command is nested too deeply"))?;
        let value = read(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    /// As many octets of a class as there are, perhaps none.
    pub(super) fn take_while(&mut self, is_in: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|&byte| !is_in(byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// At least one octet of a class.
    pub(super) fn run_of(&mut self, is_in: impl Fn(u8) -> bool, otherwise: &'static str) -> Parsed<&'a [u8]> {
        self.token()?;
        let run = self.take_while(is_in);
        if run.is_empty() {
            Err(Trouble::bad(otherwise))
        } else {
            Ok(run)
        }
    }

    /// `atom`, as text.
    pub(super) fn atom(&mut self) -> Parsed<&'a str> {
        let atom = self.run_of(chars::is_atom_char, "A word is missing")?;
        Ok(ascii(atom))
    }

    /// `atom` in upper case.
    pub(super) fn word(&mut self) -> Parsed<String> {
        Ok(self.atom()?.to_ascii_uppercase())
    }

    /// Takes `word` in any case if it is next as a whole atom.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let Some((start, rest)) = self.rest.split_at_checked(word.len()) else {
            return false;
        };
        let whole = rest.first().is_none_or(|&byte| !chars::is_atom_char(byte));
        let there = whole && start.eq_ignore_ascii_case(word.as_bytes());
        if there {
            self.rest = rest;
        }
        there
    }

    /// `number`: 32 bits
    pub(super) fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Trouble::bad("A number is too large"))
    }

    /// `nz-number`
    pub(super) fn nonzero(&mut self) -> Parsed<NonZeroU32> {
        NonZeroU32::new(self.number()?).ok_or(Trouble::bad("A number must not be 0"))
    }

    /// `number64` / `mod-sequence-valzer`: 63 bits (RFC 7162 §7)
    pub(super) fn number64(&mut self) -> Parsed<u64> {
        let digits = self.run_of(|byte| byte.is_ascii_digit(), "A number is missing")?;
        let number = ascii(digits)
            .parse()
            .ok()
            .filter(|&number: &u64| number >> 63 == 0);
        number.ok_or(Trouble::bad("A number is too large"))
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(super) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => Ok(Cow::Borrowed(
                self.run_of(chars::is_astring_char, "An argument is missing")?,
            )),
        }
    }

    /// `string = quoted / literal`
    pub(super) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.token()?;
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => Ok(Cow::Borrowed(self.literal()?)),
            _ => Err(Trouble::bad("A string is missing")),
        }
    }

    /// `nstring = string / nil`
    pub(super) fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat_word("NIL") {
            Ok(None)
        } else {
            self.string().map(Some)
        }
    }

    /// `list-mailbox = 1*list-char / string`
    pub(super) fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => Ok(Cow::Borrowed(
                self.run_of(chars::is_list_char, "A mailbox pattern is missing")?,
            )),
        }
    }

    /// `mailbox = "INBOX" / astring`, a name that can exist.
    pub(super) fn mailbox(&mut self) -> Parsed<MailboxName> {
        let wire = self.astring()?;
        self.name(&wire)
    }

    /// A name as the session's mode writes it.
    pub(super) fn name(&self, wire: &[u8]) -> Parsed<MailboxName> {
        let name = if self.mode.names_are_utf8() {
            MailboxName::from_utf8_wire(wire)
        } else {
            MailboxName::from_wire(wire)
        };
        name.map_err(Trouble::name)
    }

    /// `nstring / literal8` (RFC 5464 §5): the octets may hold NUL in a literal8 alone.
    pub(super) fn nstring_or_literal8(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if !self.eat(b'~') {
            return self.nstring();
        }
        self.token()?;
        if self.peek() != Some(b'{') {
            return Err(Trouble::bad("A literal has no size"));
        }
        Ok(Some(Cow::Borrowed(self.literal_octets()?)))
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let inside = &self.rest[1..];
        let mut unescaped: Option<Vec<u8>> = None;
        let mut from = 0;
        let mut at = 0;
        loop {
            match (inside.get(at).copied(), inside.get(at + 1).copied()) {
                (Some(b'"'), _) => break,
                (Some(b'\\'), Some(b'"' | b'\\')) => {
                    unescaped
                        .get_or_insert_default()
                        .extend_from_slice(&inside[from..at]);
                    from = at + 1;
                    at += 2;
                }
                (None | Some(b'\r' | b'\n' | b'\0' | b'\\'), _) => {
                    return Err(Trouble::bad(
                        "A quoted string does not end or has a forbidden character",
                    ));
                }
                (Some(byte), _) if byte < 0x80 || quirk_8bit_in_quoted() => at += 1,
                _ => return Err(Trouble::bad("8-bit characters belong into a literal")),
            }
        }
        self.rest = &inside[at + 1..];
        Ok(match unescaped {
            None => Cow::Borrowed(&inside[..at]),
            Some(mut start) => {
                start.extend_from_slice(&inside[from..at]);
                Cow::Owned(start)
            }
        })
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8`; the framer has seen to it that the octets are there.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let octets = self.literal_octets()?;
        if memchr::memchr(0, octets).is_some() {
            return Err(Trouble::bad("A literal must not hold NUL"));
        }
        Ok(octets)
    }

    fn literal_octets(&mut self) -> Parsed<&'a [u8]> {
        let header_end =
            memchr::memmem::find(self.rest, b"\r\n").ok_or(Trouble::bad("A literal has no size"))?;
        let header = announced(&self.rest[..header_end]).and_then(Result::ok);
        // A line may hold only one announcement, at its end: otherwise the framer saw another literal than we do.
        let whole = self.rest[1..header_end]
            .iter()
            .all(|&byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'}'));
        let (Some(header), true) = (header, whole) else {
            return Err(Trouble::bad("A literal has no size"));
        };
        let size = usize::try_from(header.size_bytes).map_err(|_| Trouble::bad("A literal is too large"))?;
        let after = &self.rest[header_end + 2..];
        let (octets, rest) = after
            .split_at_checked(size)
            .ok_or(Trouble::bad("A literal is incomplete"))?;
        self.rest = rest;
        Ok(octets)
    }

    /// `"(" [item *(SP item)] ")"`, perhaps empty.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.token()?;
        self.need(b'(', "A list in parentheses is missing")?;
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.need(b' ', "A list does not end")?;
        }
    }

    /// Like `list`, with at least one item.
    pub(super) fn filled_list<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let items = self.list(item)?;
        if items.is_empty() {
            Err(Trouble::bad("A list is empty"))
        } else {
            Ok(items)
        }
    }
}

/// Leniency: RFC 3501's QUOTED-CHAR is 7-bit, but clients send UTF-8 passwords and search texts in quotes; there is
/// only one way to read them.
const fn quirk_8bit_in_quoted() -> bool {
    true
}

/// Octets of a class that has only ASCII.
fn ascii(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
}
