//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).

use std::borrow::Cow;

use super::{Envelope, Out};

/// Names and values of a MIME parameter list, values unquoted.
pub type Params<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// Content-Disposition: its type and parameters (RFC 2183).
pub type Disposition<'a> = (Cow<'a, [u8]>, Params<'a>);

/// What a message or part consists of. As deep as the parser's budget let it become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Structure<'a> {
    /// has parts
    Multipart(Multipart<'a>),
    /// has none
    Leaf(Box<Leaf<'a>>),
}

/// A multipart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart<'a> {
    /// if there is none (an empty multipart), one empty text/plain is told instead: the grammar demands a part
    pub parts: Vec<Structure<'a>>,
    /// `mixed`, `alternative` …
    pub subtype: Cow<'a, [u8]>,
    /// of Content-Type
    pub params: Params<'a>,
    /// Content-Disposition
    pub disposition: Option<Disposition<'a>>,
    /// Content-Language
    pub language: Vec<Cow<'a, [u8]>>,
    /// Content-Location
    pub location: Option<Cow<'a, [u8]>>,
}

/// A part without parts; or a message/rfc822, which has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// `text`, `image` …
    pub media_type: Cow<'a, [u8]>,
    /// `plain`, `png` …
    pub subtype: Cow<'a, [u8]>,
    /// of Content-Type
    pub params: Params<'a>,
    /// Content-ID
    pub id: Option<Cow<'a, [u8]>>,
    /// Content-Description
    pub description: Option<Cow<'a, [u8]>>,
    /// Content-Transfer-Encoding; `7bit` if absent
    pub encoding: Option<Cow<'a, [u8]>>,
    /// octets of the body as transferred
    pub size_bytes: u64,
    /// what the kind adds
    pub kind: LeafKind<'a>,
    /// Content-MD5
    pub md5: Option<Cow<'a, [u8]>>,
    /// Content-Disposition
    pub disposition: Option<Disposition<'a>>,
    /// Content-Language
    pub language: Vec<Cow<'a, [u8]>>,
    /// Content-Location
    pub location: Option<Cow<'a, [u8]>>,
}

/// What BODY adds for some media types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafKind<'a> {
    /// nothing
    Basic,
    /// text: lines of the body
    Text {
        /// CR LFs in the body
        lines: u64,
    },
    /// message/rfc822 (and message/global)
    Message {
        /// of the inner message
        envelope: Box<Envelope<'a>>,
        /// of the inner message
        structure: Box<Structure<'a>>,
        /// CR LFs in the body
        lines: u64,
    },
}

impl Structure<'_> {
    pub(super) fn write(&self, out: &mut Out, extended: bool) {
        out.raw(b"(");
        match self {
            Self::Multipart(multipart) => multipart.write(out, extended),
            Self::Leaf(leaf) => leaf.write(out, extended),
        }
        out.raw(b")");
    }
}

impl Multipart<'_> {
    fn write(&self, out: &mut Out, extended: bool) {
        for part in &self.parts {
            part.write(out, extended);
        }
        if self.parts.is_empty() {
            out.raw(b"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0)");
        }
        out.raw(b" ");
        out.string(&self.subtype);
        if extended {
            out.raw(b" ");
            write_params(out, &self.params);
            write_common(
                out,
                self.disposition.as_ref(),
                &self.language,
                self.location.as_deref(),
            );
        }
    }
}

impl Leaf<'_> {
    fn write(&self, out: &mut Out, extended: bool) {
        out.string(&self.media_type);
        out.raw(b" ");
        out.string(&self.subtype);
        out.raw(b" ");
        write_params(out, &self.params);
        out.raw(b" ");
        out.nstring(self.id.as_deref());
        out.raw(b" ");
        out.nstring(self.description.as_deref());
        out.raw(b" ");
        out.string(self.encoding.as_deref().unwrap_or(b"7bit"));
        out.raw(b" ");
        out.number(self.size_bytes.min(u64::from(u32::MAX)));
        self.kind.write(out, extended);
        if extended {
            out.raw(b" ");
            out.nstring(self.md5.as_deref());
            write_common(
                out,
                self.disposition.as_ref(),
                &self.language,
                self.location.as_deref(),
            );
        }
    }
}

impl LeafKind<'_> {
    fn write(&self, out: &mut Out, extended: bool) {
        match self {
            Self::Basic => {}
            Self::Text { lines } => {
                out.raw(b" ");
                out.number(*lines);
            }
            Self::Message {
                envelope,
                structure,
                lines,
            } => {
                out.raw(b" ");
                envelope.write(out);
                out.raw(b" ");
                structure.write(out, extended);
                out.raw(b" ");
                out.number(*lines);
            }
        }
    }
}

fn write_params(out: &mut Out, params: &Params<'_>) {
    if params.is_empty() {
        out.raw(b"NIL");
        return;
    }
    out.list(params, |out, (name, value)| {
        out.string(name);
        out.raw(b" ");
        out.string(value);
    });
}

/// `body-fld-dsp`, `body-fld-lang`, `body-fld-loc`, each after a space.
fn write_common(
    out: &mut Out,
    disposition: Option<&Disposition<'_>>,
    language: &[Cow<'_, [u8]>],
    location: Option<&[u8]>,
) {
    out.raw(b" ");
    match disposition {
        None => out.raw(b"NIL"),
        Some((kind, params)) => {
            out.raw(b"(");
            out.string(kind);
            out.raw(b" ");
            write_params(out, params);
            out.raw(b")");
        }
    }
    out.raw(b" ");
    match language {
        [] => out.raw(b"NIL"),
        [one] => out.string(one),
        several => out.list(several, |out, tag| out.string(tag)),
    }
    out.raw(b" ");
    out.nstring(location);
}
