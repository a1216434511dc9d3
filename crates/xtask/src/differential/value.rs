//! IMAP answers as values: what two servers mean can be compared, however each of them writes it.
//!
//! A quoted string and a literal of the same octets are the same value. Names of items are kept as they are asked for, with
//! their sections; everything else that is not a string or a list is an atom.

use std::fmt;

/// How deep lists may stand in each other.
const DEPTH: usize = 200;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NIL
    Nil,
    /// a number, a flag, a word
    Atom(Vec<u8>),
    /// a quoted string or a literal
    Text(Vec<u8>),
    /// what stands in parentheses
    List(Vec<Value>),
}

impl Value {
    /// The octets of an atom or a string; none of NIL and lists.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(octets) | Self::Text(octets) => Some(octets),
            Self::Nil | Self::List(_) => None,
        }
    }

    /// The members of a list; none of everything else.
    pub fn members(&self) -> Option<&[Value]> {
        match self {
            Self::List(members) => Some(members),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => out.write_str("NIL"),
            Self::Atom(octets) => write!(out, "{}", octets.escape_ascii()),
            Self::Text(octets) => write!(out, "\"{}\"", octets.escape_ascii()),
            Self::List(members) => {
                out.write_str("(")?;
                for (at, member) in members.iter().enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    write!(out, "{space}{member}")?;
                }
                out.write_str(")")
            }
        }
    }
}

/// Reads all values of one response, which is without its final CRLF but with its literals.
pub fn read(octets: &[u8]) -> Result<Vec<Value>, String> {
    let mut reader = Reader { octets, at: 0 };
    let values = reader.until_end(0, false)?;
    Ok(values)
}

struct Reader<'o> {
    octets: &'o [u8],
    at: usize,
}

impl Reader<'_> {
    fn until_end(&mut self, depth: usize, inside: bool) -> Result<Vec<Value>, String> {
        if depth > DEPTH {
            return Err("lists too deep".to_owned());
        }
        let mut values = Vec::new();
        loop {
            match self.octets.get(self.at) {
                None if inside => return Err("a list has no end".to_owned()),
                None => return Ok(values),
                Some(b' ') => self.at += 1,
                Some(b')') if inside => {
                    self.at += 1;
                    return Ok(values);
                }
                Some(b')') => return Err("a list ends that did not begin".to_owned()),
                Some(b'(') => {
                    self.at += 1;
                    values.push(Value::List(self.until_end(depth + 1, true)?));
                }
                Some(b'"') => values.push(self.quoted()?),
                Some(b'{') => values.push(self.literal()?),
                Some(b'~') if self.octets.get(self.at + 1) == Some(&b'{') => {
                    self.at += 1;
                    values.push(self.literal()?);
                }
                Some(_) => values.push(self.atom()?),
            }
        }
    }

    fn quoted(&mut self) -> Result<Value, String> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.octets.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    text.extend(self.octets.get(self.at));
                }
                Some(&octet) => text.push(octet),
                None => return Err("a quoted string has no end".to_owned()),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Value::Text(text))
    }

    fn literal(&mut self) -> Result<Value, String> {
        let rest = &self.octets[self.at..];
        let end = rest
            .iter()
            .position(|&octet| octet == b'}')
            .ok_or("a literal without size")?;
        let size = std::str::from_utf8(&rest[1..end])
            .ok()
            .and_then(|size| size.parse::<usize>().ok());
        let size = size.ok_or("a literal's size is no number")?;
        let start = self.at + end + 3;
        let text = self
            .octets
            .get(start..start + size)
            .ok_or("a literal is too short")?;
        self.at = start + size;
        Ok(Value::Text(text.to_vec()))
    }

    /// Up to a space or parenthesis; in brackets these are part of the word (`BODY[HEADER.FIELDS (TO)]`).
    fn atom(&mut self) -> Result<Value, String> {
        let (start, mut brackets) = (self.at, 0_usize);
        while let Some(octet) = self.octets.get(self.at) {
            match octet {
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b' ' | b'(' | b')' if brackets == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        if brackets > 0 {
            return Err("a bracket has no end".to_owned());
        }
        let word = &self.octets[start..self.at];
        Ok(if word.eq_ignore_ascii_case(b"NIL") {
            Value::Nil
        } else {
            Value::Atom(word.to_vec())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_literal_are_the_same_value() {
        let quoted = read(br#"* 1 FETCH (BODY[HEADER.FIELDS (TO)] "a\"b" UID 5 X NIL)"#).unwrap();
        let literal = read(b"* 1 FETCH (BODY[HEADER.FIELDS (TO)] {3}\r\na\"b UID 5 X nil)").unwrap();
        assert_eq!(quoted, literal);
        assert_eq!(
            quoted[3].to_string(),
            r#"(BODY[HEADER.FIELDS (TO)] "a\"b" UID 5 X NIL)"#
        );
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        for bad in ["(", ")", "\"a", "{9}\r\nabc", "{x}\r\n", "BODY[HEADER"] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
