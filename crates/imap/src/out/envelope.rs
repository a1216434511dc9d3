//! ENVELOPE (RFC 3501 §7.4.2).

use std::borrow::Cow;

use super::Out;

/// The parts of the header that ENVELOPE tells. Values are raw header octets, unfolded, encoded words left as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope<'a> {
    /// Date
    pub date: Option<Cow<'a, [u8]>>,
    /// Subject
    pub subject: Option<Cow<'a, [u8]>>,
    /// From
    pub from: Vec<Address<'a>>,
    /// Sender; if empty, From stands in
    pub sender: Vec<Address<'a>>,
    /// Reply-To; if empty, From stands in
    pub reply_to: Vec<Address<'a>>,
    /// To
    pub to: Vec<Address<'a>>,
    /// Cc
    pub cc: Vec<Address<'a>>,
    /// Bcc
    pub bcc: Vec<Address<'a>>,
    /// In-Reply-To
    pub in_reply_to: Option<Cow<'a, [u8]>>,
    /// Message-ID
    pub message_id: Option<Cow<'a, [u8]>>,
}

/// An address, or one end of a group: a group begins with only `mailbox` (its name) and ends with nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address<'a> {
    /// display name
    pub name: Option<Cow<'a, [u8]>>,
    /// source route (RFC 5321 Appendix C), `@a,@b`
    pub route: Option<Cow<'a, [u8]>>,
    /// local part, or the group's name
    pub mailbox: Option<Cow<'a, [u8]>>,
    /// domain; `None` marks the ends of a group
    pub host: Option<Cow<'a, [u8]>>,
}

impl Envelope<'_> {
    pub(super) fn write(&self, out: &mut Out) {
        let sender = if self.sender.is_empty() {
            &self.from
        } else {
            &self.sender
        };
        let reply_to = if self.reply_to.is_empty() {
            &self.from
        } else {
            &self.reply_to
        };
        out.raw(b"(");
        out.nstring(self.date.as_deref());
        out.raw(b" ");
        out.nstring(self.subject.as_deref());
        for addresses in [&self.from, sender, reply_to, &self.to, &self.cc, &self.bcc] {
            out.raw(b" ");
            write_addresses(out, addresses);
        }
        out.raw(b" ");
        out.nstring(self.in_reply_to.as_deref());
        out.raw(b" ");
        out.nstring(self.message_id.as_deref());
        out.raw(b")");
    }
}

/// `"(" 1*address ")" / nil`: without spaces between the addresses.
fn write_addresses(out: &mut Out, addresses: &[Address<'_>]) {
    if addresses.is_empty() {
        out.raw(b"NIL");
        return;
    }
    out.raw(b"(");
    for address in addresses {
        out.raw(b"(");
        out.nstring(address.name.as_deref());
        out.raw(b" ");
        out.nstring(address.route.as_deref());
        out.raw(b" ");
        out.nstring(address.mailbox.as_deref());
        out.raw(b" ");
        out.nstring(address.host.as_deref());
        out.raw(b")");
    }
    out.raw(b")");
}
