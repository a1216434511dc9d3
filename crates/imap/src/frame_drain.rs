//! Throwing the rest of a refused command away, literals included, without taking any of it for a command (IMP-9).

use super::{Announced, Why, announced, up_to_lf};
use crate::limits;

/// Throwing a refused command away.
#[derive(Debug)]
pub(super) struct Drain {
    /// octets of the current literal
    literal_left: u64,
    /// octets that may still be thrown away
    budget: u64,
    /// the last octets of the current line, enough to see a literal announced
    tail: Vec<u8>,
}

pub(super) enum DrainEnd {
    NotYet,
    Command,
    Lost(Why),
}

impl Drain {
    /// Begins with so many octets of a literal; at most `budget` octets are thrown away.
    pub(super) fn new(literal_left: u64, budget: u64) -> Self {
        Self {
            literal_left,
            budget,
            tail: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, DrainEnd) {
        let (take, complete) = if self.literal_left > 0 {
            (
                usize::try_from(self.literal_left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len()),
                false,
            )
        } else {
            up_to_lf(bytes)
        };
        if take as u64 > self.budget {
            return (take, DrainEnd::Lost(Why::TooLong));
        }
        self.budget -= take as u64;
        if self.literal_left > 0 {
            self.literal_left -= take as u64;
            return (take, DrainEnd::NotYet);
        }
        self.remember(&bytes[..take]);
        (
            take,
            if complete {
                self.line_complete()
            } else {
                DrainEnd::NotYet
            },
        )
    }

    fn line_complete(&mut self) -> DrainEnd {
        let tail = std::mem::take(&mut self.tail);
        let Some(line) = tail.strip_suffix(b"\r\n") else {
            return DrainEnd::Lost(Why::BareLf);
        };
        if is_cut_announcement(line) {
            return DrainEnd::Lost(Why::BadLiteral);
        }
        match announced(line) {
            // The client waits for a continuation and gets the refusal instead: the command is over (RFC 3501 §7.5).
            None
            | Some(Ok(Announced {
                synchronising: true, ..
            })) => DrainEnd::Command,
            Some(Err(())) => DrainEnd::Lost(Why::BadLiteral),
            Some(Ok(announced)) if announced.size_bytes > self.budget => DrainEnd::Lost(Why::LiteralTooLarge),
            Some(Ok(announced)) => {
                self.literal_left = announced.size_bytes;
                DrainEnd::NotYet
            }
        }
    }

    pub(super) fn remember(&mut self, octets: &[u8]) {
        let keep = limits::LITERAL_HEADER_BYTES + 2;
        self.tail
            .extend_from_slice(&octets[octets.len().saturating_sub(keep)..]);
        self.tail.drain(..self.tail.len().saturating_sub(keep));
    }
}

/// Nothing but digits before `}` or `+}` in the remembered tail: the `{` may stand before it.
fn is_cut_announcement(tail: &[u8]) -> bool {
    let digits = tail
        .strip_suffix(b"}")
        .map(|inside| inside.strip_suffix(b"+").unwrap_or(inside));
    digits.is_some_and(|digits| {
        digits.len() + 4 >= limits::LITERAL_HEADER_BYTES && digits.iter().all(u8::is_ascii_digit)
    })
}
