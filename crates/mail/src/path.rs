//! Reading the `<…>` of MAIL FROM and RCPT TO (RFC 5321 §4.1.2, RFC 6531 §3.3).
//!
//! ```text
//! Reverse-path   = Path / "<>"
//! Forward-path   = Path
//! Path           = "<" [ A-d-l ":" ] Mailbox ">"
//! A-d-l          = At-domain *( "," At-domain )
//! Mailbox        = Local-part "@" ( Domain / address-literal )
//! ```
//! Source routes are recognised and reported, so that the receiver can refuse them by name (RFC 5321 appendix C lets a
//! server ignore or refuse them; threat case REL-5).

use crate::address::{BadAddress, Domain, LocalPart, Mailbox, Path, Utf8, is_atext};
use crate::limits::{ARGUMENT_BYTES, LOCAL_PART_BYTES};

/// A path that was read and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<'a, T> {
    /// The path itself, without its source route.
    pub path: T,
    /// Whether `@a,@b:` stood before the mailbox.
    pub source_route: bool,
    /// What follows the closing `>`: nothing, or ESMTP parameters with the space before them.
    pub rest: &'a [u8],
}

/// Whom RCPT TO names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 §4.1.1.3).
    Postmaster,
    /// `<local@domain>`.
    Mailbox(Mailbox),
}

/// Reads the path of MAIL FROM: `<>` or `<local@domain>` at the very start of `input`.
pub fn reverse_path(input: &[u8], utf8: Utf8) -> Result<Parsed<'_, Path>, BadAddress> {
    if let Some(rest) = input.strip_prefix(b"<>") {
        return Ok(Parsed {
            path: Path::Null,
            source_route: false,
            rest,
        });
    }
    let (text, end) = bracketed(input, utf8)?;
    let (text, source_route) = skip_source_route(text, utf8)?;
    let path = Path::Mailbox(whole_mailbox(text, utf8)?);
    Ok(Parsed {
        path,
        source_route,
        rest: &input[end..],
    })
}

/// Reads the path of RCPT TO: `<local@domain>` or `<Postmaster>` at the very start of `input`.
pub fn forward_path(input: &[u8], utf8: Utf8) -> Result<Parsed<'_, ForwardPath>, BadAddress> {
    let (text, end) = bracketed(input, utf8)?;
    let (text, source_route) = skip_source_route(text, utf8)?;
    let path = if text.eq_ignore_ascii_case("postmaster") {
        ForwardPath::Postmaster
    } else {
        ForwardPath::Mailbox(whole_mailbox(text, utf8)?)
    };
    Ok(Parsed {
        path,
        source_route,
        rest: &input[end..],
    })
}

fn whole_mailbox(text: &str, utf8: Utf8) -> Result<Mailbox, BadAddress> {
    let (mailbox, rest) = mailbox(text, utf8)?;
    if rest.is_empty() {
        Ok(mailbox)
    } else {
        Err(BadAddress::Syntax)
    }
}

/// The text between `<` and the `>` that ends it (a quoted `>` does not), and the offset behind the `>`.
fn bracketed(input: &[u8], utf8: Utf8) -> Result<(&str, usize), BadAddress> {
    if input.first() != Some(&b'<') {
        return Err(BadAddress::NoBrackets);
    }
    let mut quoted = false;
    let mut at = 1;
    loop {
        match input.get(at) {
            _ if at > ARGUMENT_BYTES => return Err(BadAddress::TooLong),
            None => {
                return Err(if quoted {
                    BadAddress::Syntax
                } else {
                    BadAddress::NoBrackets
                });
            }
            Some(byte) if *byte < b' ' || *byte == 0x7f => return Err(BadAddress::Control),
            Some(b'\\') if quoted => at += 1,
            Some(b'"') => quoted = !quoted,
            Some(b'>') if !quoted => break,
            Some(_) => {}
        }
        at += 1;
    }
    let text = std::str::from_utf8(&input[1..at]).map_err(|_| match utf8 {
        Utf8::Allowed => BadAddress::Syntax,
        Utf8::Refused => BadAddress::NeedsUtf8,
    })?;
    if utf8 == Utf8::Refused && !text.is_ascii() {
        return Err(BadAddress::NeedsUtf8);
    }
    if text.is_empty() {
        Err(BadAddress::Empty)
    } else {
        Ok((text, at + 1))
    }
}

/// `@one,@two:` before the mailbox; each domain must be one.
fn skip_source_route(text: &str, utf8: Utf8) -> Result<(&str, bool), BadAddress> {
    if !text.starts_with('@') {
        return Ok((text, false));
    }
    let mut rest = text;
    loop {
        rest = rest.strip_prefix('@').ok_or(BadAddress::Syntax)?;
        let (_, behind) = domain(rest, utf8)?;
        if let Some(mailbox) = behind.strip_prefix(':') {
            return Ok((mailbox, true));
        }
        rest = behind.strip_prefix(',').ok_or(BadAddress::Syntax)?;
    }
}

/// `Local-part "@" Domain` at the start of `text`; what follows is returned.
pub(crate) fn mailbox(text: &str, utf8: Utf8) -> Result<(Mailbox, &str), BadAddress> {
    if text.is_empty() {
        return Err(BadAddress::Empty);
    }
    let (local, rest) = local_part(text, utf8)?;
    if rest.is_empty() {
        return Err(BadAddress::NoDomain);
    }
    let rest = rest.strip_prefix('@').ok_or(BadAddress::Syntax)?;
    let (domain, rest) = domain(rest, utf8)?;
    Ok((Mailbox::new(local, domain)?, rest))
}

/// `Dot-string / Quoted-string` at the start of `text`; what follows is returned.
pub(crate) fn local_part(text: &str, utf8: Utf8) -> Result<(LocalPart, &str), BadAddress> {
    match text.strip_prefix('"') {
        Some(inner) => quoted_string(inner, utf8),
        None => dot_string(text, utf8),
    }
}

fn dot_string(text: &str, utf8: Utf8) -> Result<(LocalPart, &str), BadAddress> {
    let end = text
        .find(|letter| letter != '.' && !is_atext(letter))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.split('.').any(str::is_empty) {
        let control = rest.chars().next().is_some_and(char::is_control);
        return Err(if control {
            BadAddress::Control
        } else {
            BadAddress::Syntax
        });
    }
    Ok((LocalPart::from_unquoted(name, utf8)?, rest))
}

/// `*QcontentSMTP DQUOTE`; `quoted-pairSMTP = %d92 %d32-126`.
fn quoted_string(inner: &str, utf8: Utf8) -> Result<(LocalPart, &str), BadAddress> {
    let mut name = String::new();
    let mut letters = inner.char_indices();
    while let Some((at, letter)) = letters.next() {
        let letter = match letter {
            '"' => return Ok((LocalPart::from_unquoted(&name, utf8)?, &inner[at + 1..])),
            '\\' => letters.next().ok_or(BadAddress::Syntax)?.1,
            other => other,
        };
        if name.len() > LOCAL_PART_BYTES {
            return Err(BadAddress::LocalTooLong);
        }
        name.push(letter);
    }
    Err(BadAddress::Syntax)
}

/// A name or `[…]` at the start of `text`; what follows is returned.
fn domain(text: &str, utf8: Utf8) -> Result<(Domain, &str), BadAddress> {
    let end = if text.starts_with('[') {
        text.find(']').ok_or(BadAddress::BadDomain)? + 1
    } else {
        // Only what can follow a domain in a path ends it: any other letter makes the name invalid.
        text.find([',', ':', '>']).unwrap_or(text.len())
    };
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Err(BadAddress::NoDomain);
    }
    if utf8 == Utf8::Refused && !name.is_ascii() {
        return Err(BadAddress::NeedsUtf8);
    }
    Ok((Domain::parse(name)?, rest))
}

#[cfg(test)]
mod tests;
