//! Untagged data about the session and its mailboxes (RFC 3501 §7.2, §7.3, §7.4.1).

use super::Out;
use crate::command::StatusItem;
use crate::name::MailboxName;

/// One `* LIST` or `* LSUB` response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLine<'a> {
    /// with backslashes: `\HasChildren`, `\Noselect`, `\Subscribed`, `\Drafts` …
    pub attributes: Vec<&'a str>,
    /// the name
    pub name: &'a MailboxName,
    /// `("CHILDINFO" ("SUBSCRIBED"))`: a child is subscribed and the name matched because of RECURSIVEMATCH (RFC 5258 §3.5)
    pub child_info: bool,
}

/// One value in a `* STATUS` response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusValue<'a> {
    /// for all items but MAILBOXID
    Number(StatusItem, u64),
    /// MAILBOXID (RFC 8474 §4.3)
    MailboxId(&'a str),
    /// APPENDLIMIT NIL: no limit (RFC 7889 §4)
    NoAppendLimit,
}

impl Out {
    /// `* CAPABILITY …`; names from [`crate::capability::capabilities`].
    pub fn capability(&mut self, names: &str) {
        self.raw(b"* CAPABILITY ");
        self.text(names);
        self.crlf();
    }

    /// `* ENABLED …` (RFC 5161 §3.2); may be empty.
    pub fn enabled<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        self.raw(b"* ENABLED");
        for name in names {
            self.raw(b" ");
            self.text(name);
        }
        self.crlf();
    }

    /// `* ID (…)` (RFC 2971 §3.2).
    pub fn id(&mut self, pairs: &[(&str, &str)]) {
        self.raw(b"* ID ");
        if pairs.is_empty() {
            self.raw(b"NIL");
        } else {
            self.list(pairs, |out, (field, value)| {
                out.string(field.as_bytes());
                out.raw(b" ");
                out.string(value.as_bytes());
            });
        }
        self.crlf();
    }

    /// `* NAMESPACE (("" "/")) NIL NIL`: personal mailboxes only (RFC 2342 §5).
    pub fn namespace(&mut self) {
        self.raw(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    }

    /// `* LIST (…) "/" name`
    pub fn list_line(&mut self, line: &ListLine<'_>) {
        self.mailbox_line(b"* LIST ", line);
    }

    /// `* LSUB (…) "/" name`
    pub fn lsub_line(&mut self, line: &ListLine<'_>) {
        self.mailbox_line(b"* LSUB ", line);
    }

    /// The answer to `LIST "" ""`: `* LIST (\Noselect) "/" ""` (RFC 3501 §6.3.8).
    pub fn list_separator(&mut self) {
        self.raw(b"* LIST (\\Noselect) \"/\" \"\"\r\n");
    }

    fn mailbox_line(&mut self, start: &[u8], line: &ListLine<'_>) {
        self.raw(start);
        self.flags(line.attributes.iter().copied());
        self.raw(b" \"/\" ");
        self.mailbox(line.name);
        if line.child_info {
            self.raw(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
        }
        self.crlf();
    }

    fn mailbox(&mut self, name: &MailboxName) {
        self.astring(name.to_wire().as_bytes());
    }

    /// `* STATUS name (…)`
    pub fn status_line(&mut self, name: &MailboxName, values: &[StatusValue<'_>]) {
        self.raw(b"* STATUS ");
        self.mailbox(name);
        self.raw(b" ");
        self.list(values, |out, value| match value {
            StatusValue::Number(item, number) => {
                out.raw(item.name().as_bytes());
                out.raw(b" ");
                out.number(*number);
            }
            StatusValue::MailboxId(id) => {
                out.raw(b"MAILBOXID (");
                out.text(id);
                out.raw(b")");
            }
            StatusValue::NoAppendLimit => out.raw(b"APPENDLIMIT NIL"),
        });
        self.crlf();
    }

    /// `* FLAGS (…)`: the flags of the mailbox.
    pub fn mailbox_flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        self.raw(b"* FLAGS ");
        self.flags(flags);
        self.crlf();
    }

    /// `* n EXISTS`
    pub fn exists(&mut self, count: u32) {
        self.numbered(count, b" EXISTS\r\n");
    }

    /// `* n RECENT`
    pub fn recent(&mut self, count: u32) {
        self.numbered(count, b" RECENT\r\n");
    }

    /// `* n EXPUNGE`; allowed only where RFC 3501 §7.4.1 says.
    pub fn expunge(&mut self, sequence: u32) {
        self.numbered(sequence, b" EXPUNGE\r\n");
    }

    /// `* VANISHED uids`, which takes the place of EXPUNGE, or `* VANISHED (EARLIER) uids`, which moves no sequence number
    /// (RFC 7162 §3.2.10). Ranges ascend and are not empty.
    pub fn vanished(&mut self, earlier: bool, uids: &[(u32, u32)]) {
        self.raw(b"* VANISHED ");
        if earlier {
            self.raw(b"(EARLIER) ");
        }
        self.ranges(uids);
        self.crlf();
    }

    fn numbered(&mut self, number: u32, what: &[u8]) {
        self.raw(b"* ");
        self.number(u64::from(number));
        self.raw(what);
    }
}
