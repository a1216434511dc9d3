//! Addresses of the envelope: [`Domain`], [`LocalPart`], [`Mailbox`], [`Path`], and [`AddressKey`] for looking people up.
//! The parsers of SMTP's `<…>` are in [`crate::path`].
//!
//! A local part keeps its unquoted form (`"john doe"@x` and `john\ doe` are the same person) and is quoted again when
//! written. Percent signs and exclamation marks (`a%b@c`, `a!b@c`) are plain letters of a local part: nobody routes by
//! them (threat case REL-5).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use crate::limits::{DOMAIN_BYTES, LABEL_BYTES, LOCAL_PART_BYTES, PATH_BYTES};

/// Why an address or a path is refused. All of them are permanent (SMTP 553 5.1.3, 501 5.1.7, or 553 5.6.7 for
/// [`BadAddress::NeedsUtf8`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAddress {
    /// Nothing where something must be.
    Empty,
    /// There is no `@domain`.
    NoDomain,
    /// The path does not begin with `<` and end with `>`.
    NoBrackets,
    /// A letter that may not stand there unquoted, a dot too many, an open quote.
    Syntax,
    /// The local part has more than 64 octets (RFC 5321 §4.5.3.1.1).
    LocalTooLong,
    /// The domain has more than 255 octets or a label of more than 63.
    DomainTooLong,
    /// The domain is not a name IDNA or DNS allows (a trailing dot included), or its address literal is not one.
    BadDomain,
    /// Letters outside ASCII without SMTPUTF8 (RFC 6531 §3.5).
    NeedsUtf8,
    /// The path has more than 256 octets (RFC 5321 §4.5.3.1.3).
    TooLong,
    /// A CR, LF, NUL or another control character.
    Control,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the address is empty",
            Self::NoDomain => "the address has no domain",
            Self::NoBrackets => "the path must stand in < and >",
            Self::Syntax => "the address has a letter or a dot where none may be",
            Self::LocalTooLong => "the part before the @ is longer than 64 octets",
            Self::DomainTooLong => "the domain is too long",
            Self::BadDomain => "the domain is not a valid name",
            Self::NeedsUtf8 => "the address needs SMTPUTF8",
            Self::TooLong => "the path is longer than 256 octets",
            Self::Control => "the address has a control character",
        })
    }
}

impl std::error::Error for BadAddress {}

/// Whether letters outside ASCII may stand in an address: only when the sender asked for SMTPUTF8 (RFC 6531).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf8 {
    /// The client said SMTPUTF8, or the address comes from our own configuration.
    Allowed,
    /// Only ASCII.
    Refused,
}

/// The domain of an address: a lower-case DNS name with A-labels (UTS-46), or an address literal in its canonical
/// form (`[192.0.2.1]`, `[IPv6:2001:db8::1]`). Never ends with a dot. At most 255 octets, labels at most 63.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a name or an address literal. U-labels become A-labels, capitals become small. Underscores are let
    /// through: RFC 5321's grammar has none, but sending hosts in the wild do.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if let Some(inner) = text.strip_prefix('[') {
            return Self::parse_literal(inner.strip_suffix(']').ok_or(BadAddress::Syntax)?);
        }
        if text.is_empty() {
            return Err(BadAddress::Empty);
        }
        // UTS-46 can shorten a name, but never by more than this; refusing early bounds its work.
        if text.len() > 4 * DOMAIN_BYTES {
            return Err(BadAddress::DomainTooLong);
        }
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(BadAddress::Control);
        }
        let plain = text.is_ascii() && !has_punycode_label(text);
        let name = if plain {
            text.to_ascii_lowercase()
        } else {
            let ascii = Uts46::new()
                .to_ascii(
                    text.as_bytes(),
                    AsciiDenyList::EMPTY,
                    Hyphens::Allow,
                    DnsLength::Ignore,
                )
                .map_err(|_| BadAddress::BadDomain)?;
            ascii.to_ascii_lowercase()
        };
        check_name(&name)?;
        Ok(Self(name.into()))
    }

    fn parse_literal(inner: &str) -> Result<Self, BadAddress> {
        let tag = inner.get(..5);
        let address = if tag.is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:")) {
            inner[5..]
                .parse::<Ipv6Addr>()
                .map(IpAddr::V6)
                .map_err(|_| BadAddress::BadDomain)?
        } else {
            inner
                .parse::<Ipv4Addr>()
                .map(IpAddr::V4)
                .map_err(|_| BadAddress::BadDomain)?
        };
        Ok(Self::from_ip(address))
    }

    /// The address literal of an IP address (RFC 5321 §4.1.3).
    pub fn from_ip(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self(format!("[{address}]").into()),
            IpAddr::V6(address) => Self(format!("[IPv6:{address}]").into()),
        }
    }

    /// The text: A-labels in lower case, or the literal with its brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The IP address when this is an address literal.
    pub fn literal(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        match inner.strip_prefix("IPv6:") {
            Some(six) => six.parse().ok().map(IpAddr::V6),
            None => inner.parse().ok().map(IpAddr::V4),
        }
    }

    /// For people: U-labels where IDNA allows them. Never use it for a decision.
    pub fn to_unicode(&self) -> String {
        if self.literal().is_some() {
            return self.0.to_string();
        }
        Uts46::new()
            .to_unicode(self.0.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow)
            .0
            .into_owned()
    }
}

fn has_punycode_label(text: &str) -> bool {
    text.split('.').any(|label| {
        label
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("xn--"))
    })
}

/// `sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]` (RFC 5321 §4.1.2), plus `_`.
fn check_name(name: &str) -> Result<(), BadAddress> {
    if name.len() > DOMAIN_BYTES {
        return Err(BadAddress::DomainTooLong);
    }
    for label in name.split('.') {
        if label.len() > LABEL_BYTES {
            return Err(BadAddress::DomainTooLong);
        }
        let letters = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if label.is_empty() || !letters || label.starts_with('-') || label.ends_with('-') {
            return Err(BadAddress::BadDomain);
        }
    }
    Ok(())
}

impl FromStr for Domain {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Self::parse(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before the `@`, unquoted: at most 64 octets, no control characters, UTF-8 only if it was allowed.
/// May be empty (`""@example.com` is an address). Letters keep their case: only their owner may fold them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(Box<str>);

impl LocalPart {
    /// Takes the unquoted form as it is.
    pub fn from_unquoted(text: &str, utf8: Utf8) -> Result<Self, BadAddress> {
        if text.len() > LOCAL_PART_BYTES {
            return Err(BadAddress::LocalTooLong);
        }
        if text.chars().any(is_forbidden) {
            return Err(BadAddress::Control);
        }
        if utf8 == Utf8::Refused && !text.is_ascii() {
            return Err(BadAddress::NeedsUtf8);
        }
        Ok(Self(text.into()))
    }

    /// Reads the form that stands in an address: `Dot-string / Quoted-string` (RFC 5321 §4.1.2).
    pub fn parse(text: &str, utf8: Utf8) -> Result<Self, BadAddress> {
        let (local, rest) = crate::path::local_part(text, utf8)?;
        if rest.is_empty() {
            Ok(local)
        } else {
            Err(BadAddress::Syntax)
        }
    }

    /// The unquoted form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be written without quotes.
    pub fn is_dot_string(&self) -> bool {
        self.0
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
    }
}

/// Control characters (C0, DEL, C1) and Unicode's line separators never stand in an address.
fn is_forbidden(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// `atext` of RFC 5322 §3.2.3, with UTF-8 as RFC 6531 §3.3 extends it.
pub(crate) fn is_atext(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(letter)
        || (!letter.is_ascii() && !is_forbidden(letter))
}

impl fmt::Display for LocalPart {
    /// The wire form: quoted when it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dot_string() {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for letter in self.0.chars() {
            if matches!(letter, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{letter}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `local@domain` of the envelope. `Display` writes the wire form, at most 254 octets. `FromStr` reads it (UTF-8
/// allowed: it is for configuration; SMTP uses [`crate::path`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    local: LocalPart,
    domain: Domain,
}

impl Mailbox {
    /// Joins the two; fails with [`BadAddress::TooLong`] when the wire form would pass 254 octets.
    pub fn new(local: LocalPart, domain: Domain) -> Result<Self, BadAddress> {
        let mailbox = Self { local, domain };
        // Without brackets, so two less than a path (RFC 5321 §4.5.3.1.3, erratum 1690 of RFC 3696).
        let worst = 2 * mailbox.local.0.len() + 3 + mailbox.domain.0.len();
        if worst > PATH_BYTES - 2 && mailbox.to_string().len() > PATH_BYTES - 2 {
            return Err(BadAddress::TooLong);
        }
        Ok(mailbox)
    }

    /// Reads `local@domain`.
    pub fn parse(text: &str, utf8: Utf8) -> Result<Self, BadAddress> {
        let (mailbox, rest) = crate::path::mailbox(text, utf8)?;
        if rest.is_empty() {
            Ok(mailbox)
        } else {
            Err(BadAddress::Syntax)
        }
    }

    /// What stands before the `@`.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether sending to it needs SMTPUTF8 (the domain never does: it is kept as A-labels).
    pub fn needs_utf8(&self) -> bool {
        !self.local.0.is_ascii()
    }
}

impl FromStr for Mailbox {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Self::parse(text, Utf8::Allowed)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A reverse path: who gets the bounce. `Display` writes it with its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// `<>`: nobody; the message itself is a notice (RFC 5321 §4.5.5).
    Null,
    /// `<local@domain>`.
    Mailbox(Mailbox),
}

impl Path {
    /// The mailbox, unless it is the null path.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// An address for looking up who it is: the domain as it is, the local part in NFC and lower case, without its tag.
/// Two addresses of one person have the same key. Never write it on the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey {
    text: Box<str>,
    at: usize,
}

impl AddressKey {
    /// The key of the whole local part, with no tag split off.
    pub fn exact(mailbox: &Mailbox) -> Self {
        Self::join(&fold(mailbox.local.as_str()), &mailbox.domain)
    }

    /// Splits the tag off at the first `separator` and returns it in the case it was written: `Alice+News@x` gives
    /// (`alice@x`, `News`). A separator in the first place splits nothing.
    pub fn split(mailbox: &Mailbox, separator: char) -> (Self, Option<String>) {
        let local = mailbox.local.as_str();
        match local.split_once(separator) {
            Some((name, tag)) if !name.is_empty() => {
                (Self::join(&fold(name), &mailbox.domain), Some(tag.to_owned()))
            }
            _ => (Self::exact(mailbox), None),
        }
    }

    fn join(local: &str, domain: &Domain) -> Self {
        Self {
            text: format!("{local}@{domain}").into(),
            at: local.len(),
        }
    }

    /// `local@domain`; the local part is not quoted, so the last `@` divides.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The folded local part.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain's text.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

/// Lower case, then NFC, until nothing changes (a second round is rare: some lower-case forms compose anew).
fn fold(local: &str) -> String {
    if local.is_ascii() {
        return local.to_ascii_lowercase();
    }
    let mut folded: String = local.nfc().collect::<String>().to_lowercase().nfc().collect();
    for _ in 0..3 {
        let again: String = folded.to_lowercase().nfc().collect();
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
