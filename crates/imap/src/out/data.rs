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
    /// `("CHILDINFO" ("SUBSCRIBED"))`: the selection options that something below meets (RFC 5258 §3.5); empty for none
    pub child_info: &'a [&'a str],
    /// `("OLDNAME" (name))`: what it was called before, or by this client (RFC 9051 §6.3.9.7)
    pub old_name: Option<&'a str>,
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

    /// `* NAMESPACE (("" "/")) (("#shared/" "/")) NIL`: one's own mailboxes, and those of others (RFC 2342 §5).
    pub fn namespace(&mut self) {
        self.raw(b"* NAMESPACE ((\"\" \"/\")) ((\"#shared/\" \"/\")) NIL\r\n");
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
        if !line.child_info.is_empty() || line.old_name.is_some() {
            self.raw(b" ");
            self.extended(line);
        }
        self.crlf();
    }

    /// `mbox-list-extended = "(" [mbox-list-extended-item *(SP mbox-list-extended-item)] ")"` (RFC 5258 §6)
    fn extended(&mut self, line: &ListLine<'_>) {
        self.raw(b"(");
        if !line.child_info.is_empty() {
            self.raw(b"\"CHILDINFO\" ");
            self.list(line.child_info, |out, option| out.quoted(option.as_bytes()));
        }
        if let Some(old) = line.old_name {
            let between: &[u8] = if line.child_info.is_empty() { b"" } else { b" " };
            self.raw(between);
            self.raw(b"\"OLDNAME\" (");
            self.name(old);
            self.raw(b")");
        }
        self.raw(b")");
    }

    pub(super) fn mailbox(&mut self, name: &MailboxName) {
        self.name(name.as_str());
    }

    /// UTF-8 in quotes (RFC 9755 §3, RFC 9051 §5.1) where the client switched it on, else modified UTF-7.
    fn name(&mut self, name: &str) {
        if !self.mode.names_are_utf8() || name.is_ascii() {
            return self.astring(self.wire_name(name).as_bytes());
        }
        if name.contains(['\r', '\n', '\0']) {
            self.string(name.as_bytes());
        } else {
            self.quoted(name.as_bytes());
        }
    }

    fn wire_name<'n>(&self, name: &'n str) -> std::borrow::Cow<'n, str> {
        if self.mode.names_are_utf8() {
            name.into()
        } else {
            crate::utf7::encode(name).into()
        }
    }

    /// `* QUOTA root (STORAGE used limit …)` (RFC 9208 §5.1)
    pub fn quota(&mut self, root: &str, resources: &[(&str, u64, u64)]) {
        self.raw(b"* QUOTA ");
        self.astring(root.as_bytes());
        self.raw(b" ");
        self.list(resources, |out, (name, used, limit)| {
            out.raw(name.as_bytes());
            out.raw(b" ");
            out.number(*used);
            out.raw(b" ");
            out.number(*limit);
        });
        self.crlf();
    }

    /// `* QUOTAROOT mailbox root …` (RFC 9208 §5.2)
    pub fn quota_root(&mut self, mailbox: &MailboxName, root: &str) {
        self.raw(b"* QUOTAROOT ");
        self.mailbox(mailbox);
        self.raw(b" ");
        self.astring(root.as_bytes());
        self.crlf();
    }

    /// `* ACL mailbox identifier rights …` (RFC 4314 §3.6)
    pub fn acl(&mut self, mailbox: &MailboxName, entries: &[(String, String)]) {
        self.raw(b"* ACL ");
        self.mailbox(mailbox);
        for (identifier, rights) in entries {
            self.raw(b" ");
            self.astring(identifier.as_bytes());
            self.raw(b" ");
            self.astring(rights.as_bytes());
        }
        self.crlf();
    }

    /// `* LISTRIGHTS mailbox identifier required optional …` (RFC 4314 §3.7)
    pub fn list_rights(
        &mut self,
        mailbox: &MailboxName,
        identifier: &str,
        required: &str,
        optional: &[String],
    ) {
        self.raw(b"* LISTRIGHTS ");
        self.mailbox(mailbox);
        for text in [identifier, required] {
            self.raw(b" ");
            self.astring(text.as_bytes());
        }
        for rights in optional {
            self.raw(b" ");
            self.astring(rights.as_bytes());
        }
        self.crlf();
    }

    /// `* MYRIGHTS mailbox rights` (RFC 4314 §3.8)
    pub fn my_rights(&mut self, mailbox: &MailboxName, rights: &str) {
        self.raw(b"* MYRIGHTS ");
        self.mailbox(mailbox);
        self.raw(b" ");
        self.astring(rights.as_bytes());
        self.crlf();
    }

    /// `* LANGUAGE (…)` (RFC 5255 §3.4)
    pub fn language(&mut self, tags: &[&str]) {
        self.raw(b"* LANGUAGE ");
        self.list(tags, |out, tag| out.astring(tag.as_bytes()));
        self.crlf();
    }

    /// `* METADATA mailbox (entry value …)` (RFC 5464 §4.4.1); without a mailbox the server's own.
    pub fn metadata(&mut self, mailbox: Option<&MailboxName>, values: &[(&str, Option<&[u8]>)]) {
        self.raw(b"* METADATA ");
        match mailbox {
            Some(name) => self.mailbox(name),
            None => self.raw(b"\"\""),
        }
        self.raw(b" ");
        self.list(values, |out, (entry, value)| {
            out.astring(entry.as_bytes());
            out.raw(b" ");
            match value {
                Some(value) if value.contains(&0) => {
                    out.raw(b"~");
                    out.literal(value);
                }
                value => out.nstring(*value),
            }
        });
        self.crlf();
    }

    /// `* METADATA name entry entry …`: these entries changed (RFC 5464 §4.4.2). At least one.
    pub fn metadata_changed(&mut self, mailbox: Option<&MailboxName>, entries: &[&str]) {
        self.raw(b"* METADATA ");
        match mailbox {
            Some(name) => self.mailbox(name),
            None => self.raw(b"\"\""),
        }
        for entry in entries {
            self.raw(b" ");
            self.astring(entry.as_bytes());
        }
        self.crlf();
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

    /// `* n RECENT`; nothing in IMAP4rev2
    pub fn recent(&mut self, count: u32) {
        // RFC 9051 appendix E: there is no RECENT.
        if self.mode.rev2 {
            return;
        }
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
