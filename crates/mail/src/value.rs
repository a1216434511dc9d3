//! The values of structured header fields, as bytes: types and parameters here, addresses in [`addresses`], message
//! identifiers in [`ids`]. Encoded words stay as they are (`decode` turns them into text), because IMAP shows them raw.
//!
//! Everything is read leniently, in one pass, without recursion: comments are counted, not descended into.

pub mod addresses;
pub mod ids;
mod parameters;

use crate::limits::{FIELD_VALUE_BYTES, PARAMETERS};
use parameters::Reader;
pub(crate) use parameters::skip_comment;

/// One parameter as it stands in the field: `name*0*` is not joined with its continuation here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Lower case, with its RFC 2231 stars.
    pub name: String,
    /// Unquoted and unfolded, not decoded.
    pub value: Vec<u8>,
}

/// The value of a parameter with its RFC 2231 continuations joined and percent signs decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The charset it names, if it names one.
    pub charset: Option<String>,
    /// The octets in that charset.
    pub value: Vec<u8>,
}

/// Content-Type (RFC 2045 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// Lower case: `text`.
    pub kind: String,
    /// Lower case: `plain`.
    pub subtype: String,
    /// In the order of the field.
    pub parameters: Vec<Parameter>,
}

impl ContentType {
    /// A type without parameters.
    pub fn new(kind: &str, subtype: &str) -> Self {
        Self {
            kind: kind.into(),
            subtype: subtype.into(),
            parameters: Vec::new(),
        }
    }

    /// `text/plain; charset=us-ascii`, what RFC 2045 §5.2 gives a part without a usable Content-Type.
    pub fn text_plain() -> Self {
        let charset = Parameter {
            name: "charset".into(),
            value: b"us-ascii".to_vec(),
        };
        Self {
            parameters: vec![charset],
            ..Self::new("text", "plain")
        }
    }

    /// Reads the value of a Content-Type field. Nothing when there is no `type/subtype` in it.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(&value[..value.len().min(FIELD_VALUE_BYTES)]);
        let (kind, subtype) = reader.media()?;
        Some(Self {
            kind,
            subtype,
            parameters: reader.parameters(PARAMETERS),
        })
    }

    /// Whether it is `kind/subtype`, both given in lower case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// A parameter by its lower-case name, as it stands in the field.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        find(&self.parameters, name)
    }

    /// A parameter with its continuations joined (RFC 2231 §3, §4).
    pub fn joined(&self, name: &str) -> Option<Joined> {
        parameters::joined(&self.parameters, name)
    }
}

/// Content-Disposition (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// Lower case: `attachment`, `inline`.
    pub kind: String,
    /// In the order of the field.
    pub parameters: Vec<Parameter>,
}

impl Disposition {
    /// Reads the value of a Content-Disposition field. Nothing when it begins with no word.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(&value[..value.len().min(FIELD_VALUE_BYTES)]);
        let kind = reader.token()?;
        Some(Self {
            kind,
            parameters: reader.parameters(PARAMETERS),
        })
    }

    /// A parameter by its lower-case name, as it stands in the field.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        find(&self.parameters, name)
    }

    /// A parameter with its continuations joined (RFC 2231 §3, §4).
    pub fn joined(&self, name: &str) -> Option<Joined> {
        parameters::joined(&self.parameters, name)
    }
}

fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a [u8]> {
    parameters
        .iter()
        .find(|parameter| parameter.name == name)
        .map(|parameter| parameter.value.as_slice())
}

/// Content-Transfer-Encoding (RFC 2045 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// Lines of ASCII.
    SevenBit,
    /// Lines of octets.
    EightBit,
    /// Octets.
    Binary,
    /// RFC 2045 §6.7.
    QuotedPrintable,
    /// RFC 2045 §6.8.
    Base64,
    /// Another word; the body's octets are taken as they are (RFC 2045 §6.4).
    Other(Vec<u8>),
}

impl Encoding {
    /// Reads the value of a Content-Transfer-Encoding field; an empty one is 7bit.
    pub fn parse(value: &[u8]) -> Self {
        let word = Reader::new(&value[..value.len().min(FIELD_VALUE_BYTES)])
            .token()
            .unwrap_or_default();
        match word.as_str() {
            "" | "7bit" => Self::SevenBit,
            "8bit" => Self::EightBit,
            "binary" => Self::Binary,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => Self::Other(word.into_bytes()),
        }
    }

    /// The word, in lower case.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::SevenBit => b"7bit",
            Self::EightBit => b"8bit",
            Self::Binary => b"binary",
            Self::QuotedPrintable => b"quoted-printable",
            Self::Base64 => b"base64",
            Self::Other(word) => word,
        }
    }

    /// Whether the octets in the body are not the content's own, as far as we know.
    pub fn changes_octets(&self) -> bool {
        matches!(self, Self::QuotedPrintable | Self::Base64)
    }
}

/// Whether a type has parts inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Multipart,
    Message,
    Other,
}

/// The same answer as [`ContentType::parse`] gives, without building it.
pub(crate) fn media_kind(value: &[u8]) -> MediaKind {
    let first = value.trim_ascii_start().first().copied().unwrap_or(b' ');
    // Nearly all parts are text, application or image: decided by their first letter.
    if !matches!(first, b'm' | b'M' | b'(') {
        return MediaKind::Other;
    }
    let Some((kind, subtype)) = Reader::new(&value[..value.len().min(FIELD_VALUE_BYTES)]).media() else {
        return MediaKind::Other;
    };
    match (kind.as_str(), subtype.as_str()) {
        ("multipart", _) => MediaKind::Multipart,
        ("message", "rfc822" | "global") => MediaKind::Message,
        _ => MediaKind::Other,
    }
}

/// The items of a comma-separated field (Content-Language, Keywords): unfolded, trimmed, comments and empty items left
/// out, at most [`PARAMETERS`] of them.
pub fn comma_list(value: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(&value[..value.len().min(FIELD_VALUE_BYTES)]);
    let mut items = Vec::new();
    while items.len() < PARAMETERS {
        match reader.item() {
            Some(item) if item.is_empty() => {}
            Some(item) => items.push(item),
            None => break,
        }
    }
    items
}

#[cfg(test)]
mod tests;
