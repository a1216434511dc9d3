//! From a frame to a command: one file per command, its grammar above its parser.
//!
//! [`request`] reads the tag and the name, looks the name up in `COMMANDS` or, after `UID`, in `UID_COMMANDS`, lets the
//! parser of that command read its arguments, and wants the end of the line behind them. To add a command: a variant of
//! [`Command`], a [`crate::command::Verb`] with its row in `state`, a file here, a line in the table.

pub(crate) mod chars;

mod acl;
mod append;
mod authenticate;
mod cancel_update;
mod common;
mod create;
mod cursor;
mod delete;
mod enable;
mod examine;
mod expunge;
mod fetch;
mod filter;
mod id;
mod language;
mod list;
mod login;
mod lsub;
mod metadata;
mod multi_search;
mod notify;
mod qresync;
mod quota;
mod rename;
mod search;
mod search_return;
mod section;
mod select;
mod sort;
mod status;
mod store;
mod subscribe;
mod thread;
mod transfer;
mod uid_batches;
mod urlauth;

use std::borrow::Cow;

pub use append::further_messages;
pub use authenticate::{SaslLine, sasl_line};
pub use filter::saved_search;

use crate::command::{Command, Numbers, Request, Tag};
use crate::mode::Mode;
use crate::name::BadName;
use crate::out::Code;
use crate::set::SequenceSet;
use cursor::{Cursor, Parsed};

/// A command that is refused before it becomes a request. Say `tag BAD|NO [code] text` with [`crate::out::Out::refuse`] or
/// [`crate::out::Out::refuse_no`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// the tag, if there was one
    pub tag: Option<Tag>,
    /// whether it is `NO`: the syntax was right but it can never work
    pub is_no: bool,
    /// the response code
    pub code: Option<Code<'static>>,
    /// a sentence for the client
    pub text: Cow<'static, str>,
}

impl Fault {
    /// Writes the answer.
    pub fn write(&self, out: &mut crate::out::Out) {
        if self.is_no {
            out.refuse_no(self.tag.as_ref(), self.code.as_ref(), &self.text);
        } else {
            out.refuse(self.tag.as_ref(), self.code.as_ref(), &self.text);
        }
    }
}

/// A fault whose tag is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    is_no: bool,
    code: Option<Code<'static>>,
    text: Cow<'static, str>,
}

impl Trouble {
    const fn bad(text: &'static str) -> Self {
        Self {
            is_no: false,
            code: None,
            text: Cow::Borrowed(text),
        }
    }

    const fn bad_with(code: Code<'static>, text: &'static str) -> Self {
        Self {
            is_no: false,
            code: Some(code),
            text: Cow::Borrowed(text),
        }
    }

    const fn no(code: Code<'static>, text: &'static str) -> Self {
        Self {
            is_no: true,
            code: Some(code),
            text: Cow::Borrowed(text),
        }
    }

    /// RFC 5530 §3: CANNOT, "the operation violates some invariant of the server and can never succeed".
    fn name(why: BadName) -> Self {
        Self {
            is_no: true,
            code: Some(Code::Cannot),
            text: Cow::Owned(why.to_string()),
        }
    }
}

type Arguments = fn(&mut Cursor<'_>) -> Parsed<Command>;

/// Name on the wire and parser of the arguments; RFC 3501 §6 in its order, then the extensions.
const COMMANDS: &[(&str, Arguments)] = &[
    ("CAPABILITY", |_| Ok(Command::Capability)),
    ("NOOP", |_| Ok(Command::Noop)),
    ("LOGOUT", |_| Ok(Command::Logout)),
    ("STARTTLS", |_| Ok(Command::StartTls)),
    ("AUTHENTICATE", authenticate::arguments),
    ("LOGIN", login::arguments),
    ("SELECT", select::arguments),
    ("EXAMINE", examine::arguments),
    ("CREATE", create::arguments),
    ("DELETE", delete::arguments),
    ("RENAME", rename::arguments),
    ("SUBSCRIBE", subscribe::arguments),
    ("UNSUBSCRIBE", subscribe::unsubscribe_arguments),
    ("LIST", list::arguments),
    ("LSUB", lsub::arguments),
    ("STATUS", status::arguments),
    ("APPEND", append::arguments),
    ("REPLACE", |cursor| {
        append::replace_arguments(cursor, Numbers::Sequence)
    }),
    ("COMPRESS", |cursor| {
        cursor.space()?;
        Ok(Command::Compress(cursor.word()?))
    }),
    ("CHECK", |_| Ok(Command::Check)),
    ("CLOSE", |_| Ok(Command::Close)),
    ("EXPUNGE", |_| Ok(Command::Expunge)),
    ("SEARCH", |cursor| search::arguments(cursor, Numbers::Sequence)),
    ("SORT", |cursor| sort::arguments(cursor, Numbers::Sequence)),
    ("THREAD", |cursor| thread::arguments(cursor, Numbers::Sequence)),
    ("ESEARCH", multi_search::arguments),
    ("CANCELUPDATE", cancel_update::arguments),
    ("RESETKEY", urlauth::reset_arguments),
    ("GENURLAUTH", urlauth::generate_arguments),
    ("URLFETCH", urlauth::fetch_arguments),
    ("UIDBATCHES", uid_batches::arguments),
    ("FETCH", |cursor| fetch::arguments(cursor, Numbers::Sequence)),
    ("STORE", |cursor| store::arguments(cursor, Numbers::Sequence)),
    ("COPY", |cursor| {
        transfer::copy_arguments(cursor, Numbers::Sequence)
    }),
    ("MOVE", |cursor| {
        transfer::move_arguments(cursor, Numbers::Sequence)
    }),
    ("NAMESPACE", |_| Ok(Command::Namespace)),
    ("IDLE", |_| Ok(Command::Idle)),
    ("NOTIFY", notify::arguments),
    ("UNSELECT", |_| Ok(Command::Unselect)),
    ("ENABLE", enable::arguments),
    ("ID", id::arguments),
    ("SETACL", acl::set_arguments),
    ("DELETEACL", acl::delete_arguments),
    ("GETACL", acl::get_arguments),
    ("LISTRIGHTS", acl::list_arguments),
    ("MYRIGHTS", acl::my_arguments),
    ("GETQUOTA", quota::get_arguments),
    ("GETQUOTAROOT", quota::root_arguments),
    ("SETQUOTA", quota::set_arguments),
    ("GETMETADATA", metadata::get_arguments),
    ("SETMETADATA", metadata::set_arguments),
    ("LANGUAGE", language::arguments),
    ("UNAUTHENTICATE", |_| Ok(Command::Unauthenticate)),
];

/// What may stand after `UID` (RFC 3501 §6.4.8, RFC 4315, RFC 6851).
const UID_COMMANDS: &[(&str, Arguments)] = &[
    ("FETCH", |cursor| fetch::arguments(cursor, Numbers::Uid)),
    ("STORE", |cursor| store::arguments(cursor, Numbers::Uid)),
    ("SEARCH", |cursor| search::arguments(cursor, Numbers::Uid)),
    ("SORT", |cursor| sort::arguments(cursor, Numbers::Uid)),
    ("THREAD", |cursor| thread::arguments(cursor, Numbers::Uid)),
    ("COPY", |cursor| transfer::copy_arguments(cursor, Numbers::Uid)),
    ("MOVE", |cursor| transfer::move_arguments(cursor, Numbers::Uid)),
    ("EXPUNGE", expunge::uid_arguments),
    ("REPLACE", |cursor| {
        append::replace_arguments(cursor, Numbers::Uid)
    }),
];

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF` (RFC 3501 §9).
///
/// Of an APPEND the frame ends with the announcement of its first message; octets behind it are not looked at.
///
/// # Errors
/// [`Fault`] says what to answer.
pub fn request(frame: &[u8]) -> Result<Request, Fault> {
    request_in(frame, Mode::default())
}

/// Like [`request`], of a client that has switched something on.
///
/// # Errors
/// [`Fault`] says what to answer.
pub fn request_in(frame: &[u8], mode: Mode) -> Result<Request, Fault> {
    let mut cursor = Cursor::new(frame, mode);
    let tag = Tag::new(cursor.take_while(chars::is_astring_char));
    let (Some(tag), true) = (tag, cursor.peek() == Some(b' ')) else {
        let Trouble { is_no, code, text } = Trouble::bad("A command begins with a tag and a space");
        return Err(Fault {
            tag: None,
            is_no,
            code,
            text,
        });
    };
    match command(&mut cursor) {
        Ok(command) => Ok(Request { tag, command }),
        Err(Trouble { is_no, code, text }) => Err(Fault {
            tag: Some(tag),
            is_no,
            code,
            text,
        }),
    }
}

fn command(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let name = cursor
        .atom()
        .map_err(|_| Trouble::bad("A command name is missing"))?;
    let command = if name.eq_ignore_ascii_case("UID") {
        cursor.space()?;
        let name = cursor.atom()?;
        look_up(UID_COMMANDS, name)?(cursor)?
    } else {
        look_up(COMMANDS, name)?(cursor)?
    };
    if !matches!(command, Command::Append(_) | Command::Replace(_)) {
        cursor.end()?;
    }
    Ok(command)
}

fn look_up(table: &[(&str, Arguments)], name: &str) -> Parsed<Arguments> {
    let found = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found
        .map(|(_, arguments)| *arguments)
        .ok_or(Trouble::bad("Unknown command"))
}

/// `section-spec` that stands alone, as in a URL (RFC 5092 §11, enc-section).
pub fn section_spec(text: &[u8]) -> Option<crate::command::Section> {
    let bracketed = [b"[", text, b"]"].concat();
    let mut cursor = Cursor::new(&bracketed, Mode::default());
    let section = section::section(&mut cursor).ok()?;
    (cursor.rest().is_empty() && !text.is_empty()).then_some(section)
}

/// The line that ends IDLE (RFC 2177 §4), without CR LF.
pub fn is_done(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"DONE")
}

/// A sequence set that stands alone; for tests and fuzzing.
pub fn sequence_set(text: &[u8]) -> Option<SequenceSet> {
    let mut cursor = Cursor::new(text, Mode::default());
    let set = common::sequence_set(&mut cursor).ok()?;
    cursor.rest().is_empty().then_some(set)
}

#[cfg(test)]
mod tests;
