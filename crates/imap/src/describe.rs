//! ENVELOPE and BODYSTRUCTURE from what `mail` found in a message: the one parse that serves everybody.

use std::borrow::Cow;

use mail::mime::{Kind, Part, PartId, Span};
use mail::value::Parameter;

use crate::out::{Address, Disposition, Envelope, Leaf, LeafKind, Multipart, Params, Structure};

/// The envelope of a message, from its header block (or the whole message; the body is not looked at).
pub fn envelope(header: &[u8]) -> Envelope<'static> {
    mail::envelope::Envelope::parse(header).into()
}

/// The structure of a message, from its bytes and what [`mail::mime::Structure::parse`] found in them. As deep as the parser's
/// limit ([`mail::limits::MIME_DEPTH`]).
pub fn structure<'m>(message: &'m [u8], found: &mail::mime::Structure) -> Structure<'m> {
    part(message, found, PartId::ROOT)
}

fn part<'m>(message: &'m [u8], found: &mail::mime::Structure, id: PartId) -> Structure<'m> {
    let part = found.part(id);
    match part.kind {
        Kind::Multipart => Structure::Multipart(multipart(message, found, id)),
        Kind::Message => Structure::Leaf(Box::new(inner_message(message, found, id))),
        Kind::Leaf(_) => Structure::Leaf(Box::new(leaf(message, part))),
    }
}

fn multipart<'m>(message: &'m [u8], found: &mail::mime::Structure, id: PartId) -> Multipart<'m> {
    let this = found.part(id);
    let content_type = this.content_type(message);
    Multipart {
        parts: found
            .children(id)
            .map(|child| part(message, found, child))
            .collect(),
        subtype: Cow::Owned(content_type.subtype.into_bytes()),
        params: params(content_type.parameters),
        disposition: disposition(message, this),
        language: languages(message, this),
        location: field(message, this.fields.location),
    }
}

/// message/rfc822 tells the envelope and structure of the message inside. message/global does so only in RFC 9051; to IMAP4rev1
/// clients it is a basic part.
fn inner_message<'m>(message: &'m [u8], found: &mail::mime::Structure, id: PartId) -> Leaf<'m> {
    let this = found.part(id);
    let mut leaf = leaf(message, this);
    let inner = found.children(id).next();
    if let (Some(inner), b"rfc822") = (inner, &*leaf.subtype) {
        leaf.kind = LeafKind::Message {
            envelope: Box::new(envelope(found.part(inner).header.of(message))),
            structure: Box::new(part(message, found, inner)),
            lines: u64::from(this.lines),
        };
    }
    leaf
}

fn leaf<'m>(message: &'m [u8], part: &Part) -> Leaf<'m> {
    let content_type = part.content_type(message);
    let kind = if content_type.kind == "text" {
        LeafKind::Text {
            lines: u64::from(part.lines),
        }
    } else {
        LeafKind::Basic
    };
    Leaf {
        media_type: Cow::Owned(content_type.kind.into_bytes()),
        subtype: Cow::Owned(content_type.subtype.into_bytes()),
        params: params(content_type.parameters),
        id: field(message, part.fields.id),
        description: field(message, part.fields.description),
        encoding: part
            .fields
            .encoding
            .map(|_| Cow::Owned(part.encoding(message).as_bytes().to_vec())),
        size_bytes: part.body.len() as u64,
        kind,
        md5: field(message, part.fields.md5),
        disposition: disposition(message, part),
        language: languages(message, part),
        location: field(message, part.fields.location),
    }
}

fn disposition<'m>(message: &[u8], part: &Part) -> Option<Disposition<'m>> {
    let found = part.disposition(message)?;
    Some((Cow::Owned(found.kind.into_bytes()), params(found.parameters)))
}

fn languages<'m>(message: &[u8], part: &Part) -> Vec<Cow<'m, [u8]>> {
    part.languages(message).into_iter().map(Cow::Owned).collect()
}

fn params<'m>(found: Vec<Parameter>) -> Params<'m> {
    found
        .into_iter()
        .map(|found| (Cow::Owned(found.name.into_bytes()), Cow::Owned(found.value)))
        .collect()
}

fn field(message: &[u8], span: Option<Span>) -> Option<Cow<'_, [u8]>> {
    span.map(|span| mail::header::unfold(span.of(message)))
}

impl From<mail::envelope::Envelope> for Envelope<'static> {
    fn from(found: mail::envelope::Envelope) -> Self {
        Self {
            date: found.date.map(Cow::Owned),
            subject: found.subject.map(Cow::Owned),
            from: addresses(found.from),
            sender: addresses(found.sender),
            reply_to: addresses(found.reply_to),
            to: addresses(found.to),
            cc: addresses(found.cc),
            bcc: addresses(found.bcc),
            in_reply_to: found.in_reply_to.map(Cow::Owned),
            message_id: found.message_id.map(Cow::Owned),
        }
    }
}

fn addresses(found: Vec<mail::envelope::EnvelopeAddress>) -> Vec<Address<'static>> {
    found.into_iter().map(Address::from).collect()
}

impl From<mail::envelope::EnvelopeAddress> for Address<'static> {
    fn from(found: mail::envelope::EnvelopeAddress) -> Self {
        Self {
            name: found.name.map(Cow::Owned),
            route: found.route.map(Cow::Owned),
            mailbox: found.mailbox.map(Cow::Owned),
            host: found.host.map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests;
