//! Response codes in brackets (RFC 3501 §7.1, RFC 5530 and the extensions').

use std::borrow::Cow;

use super::Out;
use crate::command::Tag;
use crate::filter::FilterName;
use crate::limits::URL_TOLD_BYTES;
use crate::notify::SUPPORTED;

/// A response code. Sets are ascending inclusive ranges and not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code<'a> {
    /// the text must be shown to the user
    Alert,
    /// RFC 5530: the name is taken
    AlreadyExists,
    /// RFC 4315: UIDVALIDITY and the UIDs given
    AppendUid(u32, &'a [(u32, u32)]),
    /// RFC 5530: wrong user or password
    AuthenticationFailed,
    /// RFC 5530: right password, may not act as that user
    AuthorizationFailed,
    /// RFC 5465: with the events that can be asked for
    BadEvent,
    /// RFC 3501: with the charsets that are known
    BadCharset,
    /// RFC 4469: this URL names nothing that can be had; what has no place in a code is left out
    BadUrl(Cow<'a, [u8]>),
    /// RFC 5530: can never work
    Cannot,
    /// RFC 3501: names separated by spaces, from [`crate::capability::capabilities`]
    Capability(&'a str),
    /// RFC 5530: the client does something silly
    ClientBug,
    /// RFC 7162: the previously open mailbox is closed
    Closed,
    /// RFC 4978: compression is active already
    CompressionActive,
    /// RFC 5530
    ContactAdmin,
    /// RFC 4315: the target's UIDVALIDITY, the source's UIDs, the target's UIDs in the same order
    CopyUid(u32, &'a [(u32, u32)], &'a [(u32, u32)]),
    /// RFC 5530: the password has expired
    Expired,
    /// RFC 9051: a mailbox with children is not deleted
    HasChildren,
    /// RFC 7162
    HighestModSeq(u64),
    /// RFC 9585: the command of this tag is under way
    InProgress(&'a Tag),
    /// RFC 5530: somebody else holds it; try again
    InUse,
    /// RFC 5530: a limit of the operator's
    Limit,
    /// RFC 8474
    MailboxId(&'a str),
    /// RFC 9738: so many messages one command takes; the lowest UID that it took, if it took some
    MessageLimit(u32, Option<u32>),
    /// RFC 5464: so many octets has the largest value that was left out because of MAXSIZE
    MetadataLongEntries(u64),
    /// RFC 5464: a value may have at most so many octets
    MetadataMaxSize(u64),
    /// RFC 5464: no more entries
    MetadataTooMany,
    /// RFC 7162: message numbers or UIDs that were left out
    Modified(&'a [(u32, u32)]),
    /// RFC 5465: more happens than can be told
    NotificationOverflow,
    /// RFC 5267: the result of the search of this tag is not kept up to date
    NoUpdate(&'a Tag),
    /// RFC 7162: no mod-sequences here
    NoModSeq,
    /// RFC 5530
    NonExistent,
    /// RFC 5530
    NoPerm,
    /// RFC 5530, RFC 9208
    OverQuota,
    /// RFC 3501: a message could not be parsed
    Parse,
    /// RFC 3501: flags that are kept; `true` adds `\*`, new keywords may be made
    PermanentFlags(&'a [&'a str], bool),
    /// RFC 5530: use TLS first
    PrivacyRequired,
    /// RFC 3501
    ReadOnly,
    /// RFC 3501
    ReadWrite,
    /// RFC 5530: we are wrong, not you
    ServerBug,
    /// RFC 4469, RFC 7889: the message is too large
    TooBig,
    /// RFC 10022: batches of so few messages are not made
    TooFew,
    /// RFC 10022: so many batches are not told at once
    TooMany,
    /// RFC 3501: the target does not exist; CREATE it
    TryCreate,
    /// RFC 5466: there is no saved search of that name
    UndefinedFilter(&'a FilterName),
    /// RFC 9586: sequence numbers are not taken any more
    UidRequired,
    /// RFC 3516: a part's transfer encoding cannot be undone
    UnknownCte,
    /// RFC 3501
    UidNext(u32),
    /// RFC 3501
    UidValidity(u32),
    /// RFC 5530: a part of the server is out of order; try later
    Unavailable,
    /// RFC 3501: the first message without `\Seen`, as sequence number
    Unseen(u32),
    /// RFC 4467: how URLs of the mailbox can be authorized
    UrlMech,
    /// RFC 6154: a special use that cannot be given
    UseAttr,
}

impl Code<'_> {
    pub(super) fn write(&self, out: &mut Out) {
        match self {
            Self::AppendUid(validity, uids) => {
                out.raw(b"APPENDUID ");
                out.number(u64::from(*validity));
                out.raw(b" ");
                out.ranges(uids);
            }
            Self::CopyUid(validity, from, to) => {
                out.raw(b"COPYUID ");
                out.number(u64::from(*validity));
                out.raw(b" ");
                out.ranges(from);
                out.raw(b" ");
                out.ranges(to);
            }
            Self::Modified(numbers) => {
                out.raw(b"MODIFIED ");
                out.ranges(numbers);
            }
            Self::MessageLimit(limit, lowest) => {
                out.raw(b"MESSAGELIMIT ");
                out.number(u64::from(*limit));
                if let Some(lowest) = lowest {
                    out.raw(b" ");
                    out.number(u64::from(*lowest));
                }
            }
            Self::BadUrl(url) => {
                out.raw(b"BADURL ");
                let told = url
                    .iter()
                    .copied()
                    .filter(|&byte| byte.is_ascii_graphic() && byte != b']');
                out.raw(&told.take(URL_TOLD_BYTES).collect::<Vec<u8>>());
            }
            Self::PermanentFlags(flags, new_ones) => write_permanent_flags(flags, *new_ones, out),
            Self::Capability(names) => {
                out.raw(b"CAPABILITY ");
                out.text(names);
            }
            Self::InProgress(tag) => {
                out.raw(b"INPROGRESS (");
                out.quoted(tag.as_str().as_bytes());
                out.raw(b" NIL NIL)");
            }
            Self::BadEvent => {
                out.raw(b"BADEVENT ");
                out.list(SUPPORTED, |out, name| out.raw(name.as_bytes()));
            }
            Self::NoUpdate(tag) => {
                out.raw(b"NOUPDATE ");
                out.quoted(tag.as_str().as_bytes());
            }
            Self::UndefinedFilter(name) => {
                out.raw(b"UNDEFINED-FILTER ");
                out.raw(name.as_str().as_bytes());
            }
            Self::MailboxId(id) => {
                out.raw(b"MAILBOXID (");
                out.text(id);
                out.raw(b")");
            }
            _ => self.write_short(out),
        }
    }

    fn write_short(&self, out: &mut Out) {
        let (name, number) = self.name_and_number();
        out.raw(name.as_bytes());
        if let Some(number) = number {
            out.raw(b" ");
            out.number(number);
        }
    }

    fn name_and_number(&self) -> (&'static str, Option<u64>) {
        match self {
            Self::HighestModSeq(value) => ("HIGHESTMODSEQ", Some(*value)),
            Self::UidNext(value) => ("UIDNEXT", Some(u64::from(*value))),
            Self::UidValidity(value) => ("UIDVALIDITY", Some(u64::from(*value))),
            Self::Unseen(value) => ("UNSEEN", Some(u64::from(*value))),
            Self::Alert => ("ALERT", None),
            Self::AlreadyExists => ("ALREADYEXISTS", None),
            Self::AppendUid(..) => ("APPENDUID", None),
            Self::AuthenticationFailed => ("AUTHENTICATIONFAILED", None),
            Self::AuthorizationFailed => ("AUTHORIZATIONFAILED", None),
            Self::BadUrl(_) => ("BADURL", None),
            Self::BadCharset => ("BADCHARSET (US-ASCII UTF-8)", None),
            Self::Cannot => ("CANNOT", None),
            Self::Capability(_) => ("CAPABILITY", None),
            Self::ClientBug => ("CLIENTBUG", None),
            Self::Closed => ("CLOSED", None),
            Self::CompressionActive => ("COMPRESSIONACTIVE", None),
            Self::ContactAdmin => ("CONTACTADMIN", None),
            Self::CopyUid(..) => ("COPYUID", None),
            Self::Expired => ("EXPIRED", None),
            Self::HasChildren => ("HASCHILDREN", None),
            Self::InProgress(_) => ("INPROGRESS", None),
            Self::InUse => ("INUSE", None),
            Self::Limit => ("LIMIT", None),
            Self::MailboxId(_) => ("MAILBOXID", None),
            Self::MessageLimit(..) => ("MESSAGELIMIT", None),
            Self::MetadataLongEntries(value) => ("METADATA LONGENTRIES", Some(*value)),
            Self::MetadataMaxSize(value) => ("METADATA MAXSIZE", Some(*value)),
            Self::MetadataTooMany => ("METADATA TOOMANY", None),
            Self::Modified(_) => ("MODIFIED", None),
            Self::NoModSeq => ("NOMODSEQ", None),
            Self::NoUpdate(_) => ("NOUPDATE", None),
            Self::BadEvent => ("BADEVENT", None),
            Self::NotificationOverflow => ("NOTIFICATIONOVERFLOW", None),
            Self::NonExistent => ("NONEXISTENT", None),
            Self::NoPerm => ("NOPERM", None),
            Self::OverQuota => ("OVERQUOTA", None),
            Self::Parse => ("PARSE", None),
            Self::PermanentFlags(..) => ("PERMANENTFLAGS", None),
            Self::PrivacyRequired => ("PRIVACYREQUIRED", None),
            Self::ReadOnly => ("READ-ONLY", None),
            Self::ReadWrite => ("READ-WRITE", None),
            Self::ServerBug => ("SERVERBUG", None),
            Self::TooBig => ("TOOBIG", None),
            Self::TooFew => ("TOOFEW", None),
            Self::TooMany => ("TOOMANY", None),
            Self::TryCreate => ("TRYCREATE", None),
            Self::Unavailable => ("UNAVAILABLE", None),
            Self::UnknownCte => ("UNKNOWN-CTE", None),
            Self::UidRequired => ("UIDREQUIRED", None),
            Self::UndefinedFilter(_) => ("UNDEFINED-FILTER", None),
            Self::UrlMech => ("URLMECH INTERNAL", None),
            Self::UseAttr => ("USEATTR", None),
        }
    }
}

fn write_permanent_flags(flags: &[&str], new_ones: bool, out: &mut Out) {
    out.raw(b"PERMANENTFLAGS (");
    let known = flags.iter().copied().filter(|flag| crate::flag::is_flag(flag));
    for (at, flag) in known.chain(new_ones.then_some("\\*")).enumerate() {
        if at > 0 {
            out.raw(b" ");
        }
        out.raw(flag.as_bytes());
    }
    out.raw(b")");
}
