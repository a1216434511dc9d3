//! Message text on its way in: finds the true end of DATA, removes the dots, and finds what must not be there.
//!
//! [`Decoder`] lends slices of its input; it never collects. Its states, at the border between two octets:
//!
//! | state | what came before | on CR | on LF | on `.` | on NUL | on anything else |
//! |---|---|---|---|---|---|---|
//! | LineStart | CR LF, or nothing | Line's | Line's | Dot (DATA only) | Line's | Line |
//! | Dot | a dot that is removed | DotCr | Line's | Line | Line's | Line |
//! | DotCr | dot, CR | fault, Line's | **end** | fault, Line | fault, Line | fault, Line |
//! | Line | text | Cr | fault | Line | fault | Line |
//! | Cr | CR | fault, Cr | LineStart | fault, Line | fault, Line | fault, Line |
//!
//! Only CR LF . CR LF reaches *end* (RFC 5321 §4.1.1.4; CVE-2023-51764 and its kin): a bare LF or CR never makes a new line
//! in this sense, even when it is normalised into one.

use crate::limits::TEXT_LINE_BYTES;

/// What happens to bare CR, bare LF and NUL in message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BareBytes {
    /// The message is read to its true end and refused with 550 5.6.0.
    #[default]
    Refuse,
    /// A bare CR or LF becomes CR LF, a NUL goes.
    Normalise,
}

/// The rules for message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRules {
    /// bare CR, LF and NUL
    pub bare_bytes: BareBytes,
    /// octets of a line without its CR LF
    pub line_limit_bytes: usize,
}

impl Default for TextRules {
    fn default() -> Self {
        Self {
            bare_bytes: BareBytes::Refuse,
            line_limit_bytes: TEXT_LINE_BYTES,
        }
    }
}

/// What is wrong with a message's text. The first fault found is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// a CR without its LF
    BareCr,
    /// an LF without its CR
    BareLf,
    /// a NUL
    Nul,
    /// a line above the limit
    LongLine,
}

impl Fault {
    /// One plain sentence for the peer.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BareCr => {
                "The message has a CR that is not followed by LF: end every line with CR LF and send it again"
            }
            Self::BareLf => {
                "The message has an LF without CR before it: end every line with CR LF and send it again"
            }
            Self::Nul => "The message has a NUL octet: encode binary parts and send it again",
            Self::LongLine => {
                "The message has a line of more than 998 octets: wrap or encode it and send it again"
            }
        }
    }
}

/// What one call of [`Decoder::next`] yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// octets of the input that are done with
    pub consumed: usize,
    /// text of the message; empty once it has a fault that refuses it
    pub text: &'a [u8],
    /// whether this was the end of DATA
    pub end: bool,
}

const CRLF: &[u8] = b"\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Dot,
    DotCr,
    Line,
    Cr,
    /// A normalised line end is still to be yielded.
    Owed,
    End,
}

/// Reads message text, in DATA with dots and an end, or in BDAT without.
#[derive(Debug, Clone)]
pub struct Decoder {
    rules: TextRules,
    dots: bool,
    state: State,
    line_bytes: usize,
    fault: Option<Fault>,
}

impl Decoder {
    /// For DATA: dots are removed, CR LF . CR LF ends.
    pub fn data(rules: TextRules) -> Self {
        Self {
            rules,
            dots: true,
            state: State::LineStart,
            line_bytes: 0,
            fault: None,
        }
    }

    /// For BDAT: the driver counts octets; [`Decoder::close`] ends.
    pub fn chunked(rules: TextRules) -> Self {
        Self {
            rules,
            dots: false,
            state: State::LineStart,
            line_bytes: 0,
            fault: None,
        }
    }

    /// What is wrong so far.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether DATA has ended.
    pub fn ended(&self) -> bool {
        self.state == State::End
    }

    /// Takes from the start of `input`. Call again with the rest until it is used up or the end is reached; a piece may
    /// consume nothing, but then the next one does.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Piece<'a> {
        let mut piece = self.step(input);
        if self.fault.is_some_and(|fault| self.refuses(fault)) {
            piece.text = &[];
        }
        piece
    }

    /// Ends BDAT text: what must follow the last octet so that the message ends with CR LF.
    pub fn close(&mut self) -> &'static [u8] {
        let state = std::mem::replace(&mut self.state, State::End);
        if state == State::Cr {
            self.found(Fault::BareCr);
        }
        let refused = self.fault.is_some_and(|fault| self.refuses(fault));
        if refused || state == State::LineStart {
            &[]
        } else {
            CRLF
        }
    }

    fn refuses(&self, fault: Fault) -> bool {
        fault == Fault::LongLine || self.rules.bare_bytes == BareBytes::Refuse
    }

    fn found(&mut self, fault: Fault) {
        // A fault that is normalised away is none.
        if self.refuses(fault) && self.fault.is_none() {
            self.fault = Some(fault);
        }
    }

    fn step<'a>(&mut self, input: &'a [u8]) -> Piece<'a> {
        let mut skipped = 0;
        loop {
            let Some(&byte) = input.get(skipped) else {
                return Piece {
                    consumed: skipped,
                    text: &[],
                    end: self.ended(),
                };
            };
            let piece = match (self.state, byte) {
                (State::End, _) => return Piece::end(skipped),
                (State::LineStart, b'.') if self.dots => {
                    self.state = State::Dot;
                    skipped += 1;
                    continue;
                }
                (State::Dot, b'\r') => {
                    self.state = State::DotCr;
                    skipped += 1;
                    continue;
                }
                (State::DotCr | State::Cr, b'\n') => return self.line_end(skipped + 1),
                (State::DotCr | State::Cr, _) => {
                    self.found(Fault::BareCr);
                    self.text_after_break(0)
                }
                (State::Owed, _) => self.text_after_break(0),
                (State::LineStart | State::Dot | State::Line, _) => self.lines(&input[skipped..]),
            };
            return Piece {
                consumed: piece.consumed + skipped,
                ..piece
            };
        }
    }

    /// LF after CR: the end of a line whose CR came in an earlier piece, or of DATA.
    fn line_end(&mut self, consumed: usize) -> Piece<'static> {
        if self.state == State::DotCr {
            self.state = State::End;
            return Piece::end(consumed);
        }
        self.state = State::LineStart;
        self.line_bytes = 0;
        Piece::of(consumed, CRLF)
    }

    /// A normalised line end: what follows is text, not the start of a line in DATA's sense.
    fn text_after_break(&mut self, consumed: usize) -> Piece<'static> {
        self.state = State::Line;
        self.line_bytes = 0;
        Piece::of(consumed, CRLF)
    }

    /// As many whole lines as stand there unchanged, and the start of the next.
    fn lines<'a>(&mut self, input: &'a [u8]) -> Piece<'a> {
        self.state = State::Line;
        let mut at = 0;
        while let Some(found) = position_of_special(&input[at..]) {
            let special = at + found;
            self.count(found);
            let until_special = |consumed| Piece::of(consumed, &input[..special]);
            match (input[special], input.get(special + 1)) {
                (b'\r', Some(b'\n')) => {
                    at = special + 2;
                    self.line_bytes = 0;
                    let dot_follows = self.dots && input.get(at) == Some(&b'.');
                    if dot_follows || at == input.len() {
                        self.state = State::LineStart;
                        return Piece::of(at, &input[..at]);
                    }
                }
                (b'\r', None) => {
                    self.state = State::Cr;
                    return until_special(special + 1);
                }
                (0, _) => {
                    self.found(Fault::Nul);
                    return until_special(special + 1);
                }
                (bare, _) => {
                    self.found(if bare == b'\r' {
                        Fault::BareCr
                    } else {
                        Fault::BareLf
                    });
                    self.state = State::Owed;
                    return until_special(special + 1);
                }
            }
        }
        self.count(input.len() - at);
        Piece::of(input.len(), input)
    }

    fn count(&mut self, bytes: usize) {
        self.line_bytes = self.line_bytes.saturating_add(bytes);
        if self.line_bytes > self.rules.line_limit_bytes {
            self.found(Fault::LongLine);
        }
    }
}

impl<'a> Piece<'a> {
    /// Text, and more may come.
    fn of(consumed: usize, text: &'a [u8]) -> Self {
        let end = false;
        Self { consumed, text, end }
    }

    /// The end of DATA.
    fn end(consumed: usize) -> Self {
        let (text, end) = (&[], true);
        Self { consumed, text, end }
    }
}

fn position_of_special(bytes: &[u8]) -> Option<usize> {
    memchr::memchr3(b'\r', b'\n', 0, bytes)
}
