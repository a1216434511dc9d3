//! The framer: where one command ends and the next begins (RFC 3501 §2.2, §4.3; RFC 7888).
//!
//! 1. [`Framer::feed`] takes the octets at hand and says how many it used and what they came to ([`Progress`]).
//! 2. A line that ends in `{n}` or `{n+}` goes on after n octets of literal; `{n}` only after [`Progress::Continue`] was answered.
//! 3. The message of an APPEND is never buffered: [`Progress::Append`] hands over the head, then the driver calls
//!    [`Framer::accept_append`] and gets the octets as [`Progress::AppendOctets`], or [`Framer::refuse_append`]. So it is with the
//!    parts of a catenated one (RFC 4469); its URLs belong to the lines between them.
//! 4. What is refused is drained to its end inside the framer, literals included, within a bound; beyond the bound, or where the end
//!    cannot be known, [`Progress::Close`]. So octets of a refused literal are never parsed as a command (IMP-9).
//!
//! Nothing is allocated by an announced size: the buffer grows with what arrived.

#[path = "frame_drain.rs"]
mod drain;

use std::fmt;

use crate::command::Tag;
use crate::limits;
use drain::{Drain, DrainEnd};

/// One command: its lines with CR LF, and its literals where they stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// For [`crate::parse::request`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From a whole command, for tests and fuzzing.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl fmt::Debug for Frame {
    /// Only the length: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} octets)", self.bytes.len())
    }
}

/// What the octets fed so far came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// All octets were used; more are needed.
    NeedMore,
    /// A whole command.
    Command(Frame),
    /// A synchronising literal was announced and is acceptable: write a continuation request, flush, go on feeding.
    Continue,
    /// The head of an APPEND: parse it, decide, then call `accept_append` or `refuse_append` before feeding again.
    Append(Frame),
    /// The octets just used belong to the message of the APPEND.
    AppendOctets,
    /// Behind octets of an APPEND others are announced (RFC 3502, RFC 4469): read the line by
    /// [`crate::parse::further_messages`], then call `accept_append` or `refuse_append`.
    AppendMore(Vec<u8>),
    /// Behind octets of a catenated message the command ends with this line, which is read the same way.
    AppendLast(Vec<u8>),
    /// The command line of the APPEND ended after its message; `clean` if with nothing but CR LF. When not clean, answer BAD and
    /// forget the message; the framer drains what may follow.
    AppendEnd {
        /// nothing stood between the message and the end
        clean: bool,
    },
    /// The line asked for by `expect_line`, without CR LF.
    Line(Vec<u8>),
    /// The command is refused: answer it, go on feeding; the framer throws the rest of it away.
    Refused(Refusal),
    /// Say BYE and close: what follows cannot be told from commands, or is too much to throw away.
    Close(Why),
}

/// A command that broke a rule of framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// for the tagged BAD; untagged if absent
    pub tag: Option<Tag>,
    /// what was wrong
    pub why: Why,
}

/// What was wrong. `Display` is a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// the line, or the command as a whole, is too long
    TooLong,
    /// a literal is too large
    LiteralTooLarge,
    /// LITERAL-: a non-synchronising literal of more than 4,096 octets (RFC 7888 §5)
    NotSynchronising,
    /// LF without CR
    BareLf,
    /// an announced size of more than 64 bits
    BadLiteral,
}

impl Why {
    /// Whether the answer is `NO [TOOBIG]` or `NO [LIMIT]` in spirit, rather than a mistake in syntax.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::TooLong | Self::LiteralTooLarge)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "Command is too long",
            Self::LiteralTooLarge => "Literal is too large",
            Self::NotSynchronising => "Literals over 4096 octets must be synchronising before sign-in",
            Self::BareLf => "Lines end with CR LF",
            Self::BadLiteral => "Literal size is not a number this server understands",
        })
    }
}

/// What is left to do after a refused APPEND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recovery {
    /// answer and go on feeding
    GoOn,
    /// answer, say BYE and close: too much to throw away
    Close,
}

/// The framer of one connection. Idle it holds no buffer.
#[derive(Debug)]
pub struct Framer {
    signed_in: bool,
    literal_limit_bytes: u64,
    buffer: Vec<u8>,
    /// where in `buffer` the current line began
    line_start: usize,
    /// the message under way stands in `UTF8 (…)`: a parenthesis follows it
    in_parentheses: bool,
    /// the octets under way are announced like a part of a catenated message (RFC 4469)
    in_catenation: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Line,
    Literal {
        left: usize,
    },
    RawLine,
    AppendOffered(Announced),
    AppendOctets {
        left: u64,
    },
    AppendTail,
    /// a URL of CATENATE in the lines behind octets of an APPEND
    TailLiteral {
        left: usize,
    },
    Drain(Drain),
    Closed(Why),
}

/// A literal's announcement at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) size_bytes: u64,
    pub(crate) synchronising: bool,
    pub(crate) binary: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(limits::LITERAL_BYTES)
    }
}

impl Framer {
    /// Before sign-in. `literal_limit_bytes` counts after it, for literals that are no messages.
    pub const fn new(literal_limit_bytes: u64) -> Self {
        Self {
            signed_in: false,
            literal_limit_bytes,
            buffer: Vec::new(),
            line_start: 0,
            in_parentheses: false,
            in_catenation: false,
            state: State::Line,
        }
    }

    /// From now on the limits after sign-in hold, and APPEND streams.
    pub fn signed_in(&mut self) {
        self.signed_in = true;
    }

    /// From now on the limits before sign-in hold again (RFC 8437).
    pub fn signed_out(&mut self) {
        self.signed_in = false;
    }

    /// Between two commands: nothing is half read. STARTTLS demands it.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Line) && self.buffer.is_empty()
    }

    /// The next line is no command but belongs to the current one: `DONE`, an AUTHENTICATE response. To be called between
    /// commands only.
    pub fn expect_line(&mut self) {
        debug_assert!(self.is_idle(), "a raw line is expected between commands");
        self.state = State::RawLine;
    }

    /// Takes the offered message. True: write a continuation request first.
    pub fn accept_append(&mut self) -> bool {
        let State::AppendOffered(announced) = self.state else {
            return false;
        };
        self.state = State::AppendOctets {
            left: announced.size_bytes,
        };
        announced.synchronising
    }

    /// Refuses the offered message, or gives up in the middle of it.
    pub fn refuse_append(&mut self) -> Recovery {
        let left = match self.state {
            State::AppendOffered(announced) if announced.synchronising => {
                self.reset();
                return Recovery::GoOn;
            }
            State::AppendOffered(announced) => announced.size_bytes,
            State::AppendOctets { left } => left,
            _ => return Recovery::GoOn,
        };
        self.drain_literal(left, Why::LiteralTooLarge);
        if matches!(self.state, State::Closed(_)) {
            Recovery::Close
        } else {
            Recovery::GoOn
        }
    }

    /// Uses some of `bytes`; says how many and what they came to. To be called again with the rest until it says
    /// [`Progress::NeedMore`]; with nothing to feed it says so at once.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Progress) {
        let mut used = 0;
        loop {
            let (more, progress) = self.step(&bytes[used..]);
            used += more;
            match progress {
                Some(progress) => return (used, progress),
                None if used == bytes.len() && !self.acts_without_octets() => {
                    return (used, Progress::NeedMore);
                }
                None => {}
            }
        }
    }

    fn acts_without_octets(&self) -> bool {
        matches!(
            self.state,
            State::Literal { left: 0 }
                | State::TailLiteral { left: 0 }
                | State::AppendOctets { left: 0 }
                | State::Closed(_)
        )
    }

    fn step(&mut self, bytes: &[u8]) -> (usize, Option<Progress>) {
        match &mut self.state {
            State::Line => self.line(bytes),
            State::Literal { left } => {
                let take = bytes.len().min(*left);
                *left -= take;
                self.buffer.extend_from_slice(&bytes[..take]);
                if *left == 0 {
                    self.line_start = self.buffer.len();
                    self.state = State::Line;
                }
                (take, None)
            }
            State::TailLiteral { left } => {
                let take = bytes.len().min(*left);
                *left -= take;
                self.buffer.extend_from_slice(&bytes[..take]);
                if *left == 0 {
                    self.line_start = self.buffer.len();
                    self.state = State::AppendTail;
                }
                (take, None)
            }
            State::RawLine => self.raw_line(bytes),
            State::AppendOffered(_) => (0, Some(Progress::NeedMore)),
            State::AppendOctets { left: 0 } => {
                self.state = State::AppendTail;
                (0, None)
            }
            State::AppendOctets { left } => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                (take, (take > 0).then_some(Progress::AppendOctets))
            }
            State::AppendTail => self.append_tail(bytes),
            State::Drain(_) => (self.drain(bytes), None),
            State::Closed(why) => (bytes.len(), Some(Progress::Close(*why))),
        }
    }

    fn line(&mut self, bytes: &[u8]) -> (usize, Option<Progress>) {
        let (take, complete) = up_to_lf(bytes);
        let line_bytes = self.buffer.len() - self.line_start + take;
        if line_bytes > self.line_limit() || self.buffer.len() + take > self.command_limit() {
            return (0, Some(self.refuse_line(&bytes[..take])));
        }
        self.buffer.extend_from_slice(&bytes[..take]);
        (take, if complete { self.line_complete() } else { None })
    }

    fn line_complete(&mut self) -> Option<Progress> {
        let Some(line) = self.buffer[self.line_start..].strip_suffix(b"\r\n") else {
            return Some(self.close(Why::BareLf));
        };
        match announced(line) {
            None => Some(Progress::Command(self.take_frame())),
            Some(Err(())) => Some(self.close(Why::BadLiteral)),
            Some(Ok(announced)) => self.literal_announced(announced),
        }
    }

    fn literal_announced(&mut self, announced: Announced) -> Option<Progress> {
        let is_url = is_url_of_catenation(&self.buffer, self.line_start, false);
        if self.signed_in && is_append_message(&self.buffer) && !is_url {
            let frame = self.take_frame();
            self.offer(announced, frame.bytes());
            return Some(Progress::Append(frame));
        }
        if let Err(why) = self.check_literal(announced) {
            let refusal = Progress::Refused(Refusal { tag: self.tag(), why });
            if announced.synchronising {
                self.reset();
                return Some(refusal);
            }
            self.drain_literal(announced.size_bytes, why);
            return Some(if let State::Closed(why) = self.state {
                Progress::Close(why)
            } else {
                refusal
            });
        }
        // `check_literal` bounded it far below usize::MAX.
        self.state = State::Literal {
            left: announced.size_bytes as usize,
        };
        announced.synchronising.then_some(Progress::Continue)
    }

    /// A message was announced at the end of `line`.
    fn offer(&mut self, announced: Announced, line: &[u8]) {
        let before = memchr::memrchr(b'{', line).map_or(0, |brace| brace.saturating_sub(2));
        self.in_parentheses = line[before..].starts_with(b"(~");
        self.in_catenation = is_announced_by(line, b"TEXT");
        self.state = State::AppendOffered(announced);
    }

    fn check_literal(&self, announced: Announced) -> Result<(), Why> {
        let limit = if self.signed_in {
            self.literal_limit_bytes
        } else {
            limits::LITERAL_BEFORE_SIGN_IN_BYTES
        };
        let total = (self.buffer.len() as u64).saturating_add(announced.size_bytes);
        if announced.size_bytes > limit || total > self.command_limit() as u64 {
            return Err(Why::LiteralTooLarge);
        }
        if !self.signed_in && !announced.synchronising && announced.size_bytes > limits::LITERAL_MINUS_BYTES {
            return Err(Why::NotSynchronising);
        }
        Ok(())
    }

    fn refuse_line(&mut self, more: &[u8]) -> Progress {
        let remembered = self.line_start..self.buffer.len();
        self.buffer
            .extend_from_slice(&more[..more.len().min(limits::TAG_BYTES + 1)]);
        let refusal = Refusal {
            tag: self.tag(),
            why: Why::TooLong,
        };
        let budget = self.drain_limit();
        let mut drain = Drain::new(0, budget);
        drain.remember(&self.buffer[remembered]);
        self.reset();
        self.state = State::Drain(drain);
        Progress::Refused(refusal)
    }

    fn raw_line(&mut self, bytes: &[u8]) -> (usize, Option<Progress>) {
        let (take, complete) = up_to_lf(bytes);
        if self.buffer.len() + take > limits::RAW_LINE_BYTES.min(self.line_limit()) {
            return (0, Some(self.close(Why::TooLong)));
        }
        self.buffer.extend_from_slice(&bytes[..take]);
        if !complete {
            return (take, None);
        }
        let mut line = std::mem::take(&mut self.buffer);
        if !line.ends_with(b"\r\n") {
            return (take, Some(self.close(Why::BareLf)));
        }
        line.truncate(line.len() - 2);
        self.reset();
        (take, Some(Progress::Line(line)))
    }

    /// What stands behind octets of an APPEND: nothing, other messages (RFC 3502 §6.3.11), other parts of the message (RFC 4469).
    fn append_tail(&mut self, bytes: &[u8]) -> (usize, Option<Progress>) {
        let (take, complete) = up_to_lf(bytes);
        let line_bytes = self.buffer.len() - self.line_start + take;
        if line_bytes > limits::LINE_BYTES || self.buffer.len() + take > limits::COMMAND_BYTES {
            let budget = self.drain_limit();
            let mut drain = Drain::new(0, budget);
            drain.remember(&self.buffer[self.line_start..]);
            self.reset();
            self.state = State::Drain(drain);
            return (0, Some(Progress::AppendEnd { clean: false }));
        }
        self.buffer.extend_from_slice(&bytes[..take]);
        (take, if complete { self.tail_complete() } else { None })
    }

    fn tail_complete(&mut self) -> Option<Progress> {
        let lines = &self.buffer[..];
        let closed = lines.strip_prefix(b")").filter(|_| self.in_parentheses);
        let rest = closed.unwrap_or(if self.in_parentheses { b"" } else { lines });
        if rest == b"\r\n" {
            self.reset();
            return Some(Progress::AppendEnd { clean: true });
        }
        let goes_on = rest.starts_with(b" ") || (self.in_catenation && rest.starts_with(b")"));
        let last_line = self.buffer[self.line_start..].strip_suffix(b"\r\n");
        match last_line.filter(|_| goes_on).map(announced) {
            Some(Some(Ok(announced))) => self.tail_announces(announced, rest.to_vec()),
            Some(None) if self.in_catenation || holds_catenation(rest) => {
                let rest = rest.to_vec();
                self.reset();
                Some(Progress::AppendLast(rest))
            }
            _ => Some(self.unclean()),
        }
    }

    fn tail_announces(&mut self, announced: Announced, lines: Vec<u8>) -> Option<Progress> {
        if !is_url_of_catenation(&self.buffer, self.line_start, self.in_catenation) {
            self.reset();
            self.offer(announced, &lines);
            return Some(Progress::AppendMore(lines));
        }
        if self.check_literal(announced).is_err() {
            return Some(self.unclean());
        }
        // `check_literal` bounded it far below usize::MAX.
        self.state = State::TailLiteral {
            left: announced.size_bytes as usize,
        };
        announced.synchronising.then_some(Progress::Continue)
    }

    /// Something stands behind a message that has no place there.
    fn unclean(&mut self) -> Progress {
        let line = self.buffer.split_off(self.line_start);
        self.reset();
        self.state = State::Drain(Drain::new(0, self.drain_limit()));
        // Only the end of the line is looked at, and literals it announces are thrown away.
        let _all = self.drain(&line);
        Progress::AppendEnd { clean: false }
    }

    fn drain_literal(&mut self, size_bytes: u64, why: Why) {
        let budget = self.drain_limit();
        self.reset();
        self.state = if size_bytes > budget {
            State::Closed(why)
        } else {
            State::Drain(Drain::new(size_bytes, budget))
        };
    }

    /// Throws octets away; ends the state when the command ended.
    fn drain(&mut self, bytes: &[u8]) -> usize {
        let State::Drain(drain) = &mut self.state else {
            return 0;
        };
        let (take, end) = drain.take(bytes);
        match end {
            DrainEnd::NotYet => {}
            DrainEnd::Command => self.reset(),
            DrainEnd::Lost(why) => self.state = State::Closed(why),
        }
        take
    }

    fn take_frame(&mut self) -> Frame {
        let bytes = std::mem::take(&mut self.buffer);
        self.reset();
        Frame { bytes }
    }

    fn reset(&mut self) {
        self.buffer = Vec::new();
        self.line_start = 0;
        self.state = State::Line;
    }

    fn close(&mut self, why: Why) -> Progress {
        self.reset();
        self.state = State::Closed(why);
        Progress::Close(why)
    }

    fn tag(&self) -> Option<Tag> {
        let end = self.buffer.iter().position(|&byte| byte == b' ')?;
        Tag::new(&self.buffer[..end])
    }

    const fn line_limit(&self) -> usize {
        if self.signed_in {
            limits::LINE_BYTES
        } else {
            limits::COMMAND_BEFORE_SIGN_IN_BYTES
        }
    }

    const fn command_limit(&self) -> usize {
        if self.signed_in {
            limits::COMMAND_BYTES
        } else {
            limits::COMMAND_BEFORE_SIGN_IN_BYTES
        }
    }

    const fn drain_limit(&self) -> u64 {
        if self.signed_in {
            limits::DRAIN_BYTES
        } else {
            limits::DRAIN_BEFORE_SIGN_IN_BYTES
        }
    }
}

/// How many octets up to and including the first LF, and whether there is one.
fn up_to_lf(bytes: &[u8]) -> (usize, bool) {
    memchr::memchr(b'\n', bytes).map_or((bytes.len(), false), |at| (at + 1, true))
}

/// The literal that a line (without CR LF) announces at its end: `["~"] "{" number ["+"] "}"` (RFC 3501 §9, RFC 7888 §8,
/// RFC 3516 §4). `Err` when it has the shape but the number is none.
pub(crate) fn announced(line: &[u8]) -> Option<Result<Announced, ()>> {
    let inside = line.strip_suffix(b"}")?;
    let (inside, synchronising) = inside
        .strip_suffix(b"+")
        .map_or((inside, true), |without_plus| (without_plus, false));
    let digits_from = inside.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let digits = &inside[digits_from + 1..];
    if inside[digits_from] != b'{' || digits.is_empty() {
        return None;
    }
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    let binary = inside[..digits_from].ends_with(b"~");
    Some(
        size.map(|size_bytes| Announced {
            size_bytes,
            synchronising,
            binary,
        })
        .ok_or(()),
    )
}

/// Whether the literal announced at the end of `buffer` is the message of an APPEND or REPLACE, not its mailbox name:
/// `tag SP "APPEND" SP mailbox … SP literal`, `tag SP ["UID" SP] "REPLACE" SP number SP mailbox … SP literal`.
fn is_append_message(buffer: &[u8]) -> bool {
    let Some(space) = memchr::memchr(b' ', buffer) else {
        return false;
    };
    let rest = &buffer[space + 1..];
    let Some(arguments) = after_word(rest, b"APPEND ").or_else(|| replace_arguments(rest)) else {
        return false;
    };
    let names_mailbox =
        arguments.starts_with(b"{") && memchr::memchr(b'\n', arguments) == Some(arguments.len() - 1);
    !names_mailbox
}

/// Whether the literal announced at the end of `buffer` is a URL of CATENATE (RFC 4469 §5), which is a part of the command and no
/// message. `is_inside`: a part of a catenated message stood before it. No message is announced behind a word `URL`, unless that is
/// the name of the mailbox.
fn is_url_of_catenation(buffer: &[u8], line_start: usize, is_inside: bool) -> bool {
    is_announced_by(&buffer[line_start..], b"URL") && (is_inside || holds_catenation(buffer))
}

/// Whether the literal announced at the end of `line` stands behind this word and a space.
fn is_announced_by(line: &[u8], word: &[u8]) -> bool {
    let Some(brace) = memchr::memrchr(b'{', line) else {
        return false;
    };
    let before = line[..brace].strip_suffix(b"~").unwrap_or(&line[..brace]);
    let Some(before) = before.strip_suffix(b" ") else {
        return false;
    };
    let Some((start, end)) = before.split_at_checked(before.len().wrapping_sub(word.len())) else {
        return false;
    };
    end.eq_ignore_ascii_case(word) && matches!(start.last(), Some(b' ' | b'('))
}

fn holds_catenation(lines: &[u8]) -> bool {
    let mut places = memchr::memmem::find_iter(lines, b" (");
    places.any(|at| at >= 9 && lines[at - 9..at].eq_ignore_ascii_case(b" CATENATE"))
}

fn replace_arguments(command: &[u8]) -> Option<&[u8]> {
    let command = after_word(command, b"UID ").unwrap_or(command);
    let arguments = after_word(command, b"REPLACE ")?;
    let space = memchr::memchr(b' ', arguments)?;
    Some(&arguments[space + 1..])
}

fn after_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
