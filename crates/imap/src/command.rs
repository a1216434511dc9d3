//! What a client asks: the commands as values. Made by [`crate::parse::request`], never by hand except in tests.
//!
//! Everything here is owned and already checked: numbers fit, names are canonical, texts are UTF-8.

use std::fmt;
use std::num::NonZeroU32;

use crate::date::DateTime;
use crate::flag::Flag;
use crate::name::MailboxName;
use crate::notify::Notify;
use crate::pattern::ListPattern;
use crate::set::SequenceSet;

pub use crate::search::{
    MultiSearch, PartialRange, Returns, Search, SearchKey, Sort, SortCriterion, SortKey, Source, Thread,
    ThreadAlgorithm,
};
pub use crate::verb::Verb;

/// The client's name for a command (RFC 3501 §2.2.1): 1..=128 ASTRING-CHARs without `+`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// From the wire; `None` when it is empty, too long, or has another character than the grammar allows.
    pub fn new(text: &[u8]) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= crate::limits::TAG_BYTES;
        let clean = text
            .iter()
            .all(|&byte| byte != b'+' && crate::parse::chars::is_astring_char(byte));
        let text = std::str::from_utf8(text).ok()?;
        (fits && clean).then(|| Self(text.into()))
    }

    /// As the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes that never appear in logs or in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes in.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who checks them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A command with its tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// to be repeated in the tagged response
    pub tag: Tag,
    /// what is asked
    pub command: Command,
}

/// How message numbers of a command are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// message sequence numbers
    Sequence,
    /// unique identifiers: the `UID` form of the command
    Uid,
}

/// A command. The section of RFC 3501 (or the extension) stands at each parser, `src/parse/*.rs`.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE, perhaps with an initial response (SASL-IR)
    Authenticate(Authenticate),
    /// LOGIN
    Login(Login),
    /// ENABLE: upper-case names, unknown ones included
    Enable(Vec<String>),
    /// ID: what the client says about itself; `None` for NIL
    Id(Option<Vec<(String, Option<String>)>>),
    /// SELECT
    Select(Select),
    /// EXAMINE
    Examine(Select),
    /// CREATE
    Create(Create),
    /// DELETE
    Delete(MailboxName),
    /// RENAME
    Rename(Rename),
    /// SUBSCRIBE
    Subscribe(MailboxName),
    /// UNSUBSCRIBE
    Unsubscribe(MailboxName),
    /// LIST
    List(List),
    /// LSUB
    Lsub(ListPattern),
    /// NAMESPACE
    Namespace,
    /// STATUS
    Status(Status),
    /// APPEND up to the announcement of its first octets, which come separately ([`crate::frame`])
    Append(Append),
    /// REPLACE and UID REPLACE up to the announcement of the message, like APPEND
    Replace(Replace),
    /// COMPRESS: the mechanism, upper case (RFC 4978)
    Compress(String),
    /// IDLE; the line `DONE` that ends it is read raw
    Idle,
    /// NOTIFY: what the client wants to hear of without asking (RFC 5465)
    Notify(Notify),
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// LANGUAGE: the wanted ranges in the client's order; none asks what there is (RFC 5255 §3)
    Language(Vec<String>),
    /// GETQUOTA: the root
    GetQuota(Vec<u8>),
    /// GETQUOTAROOT
    GetQuotaRoot(MailboxName),
    /// SETQUOTA: the root; what was to be set does not matter, as nobody may
    SetQuota(Vec<u8>),
    /// SETACL
    SetAcl(SetAcl),
    /// DELETEACL
    DeleteAcl(AclEntry),
    /// GETACL
    GetAcl(MailboxName),
    /// LISTRIGHTS
    ListRights(AclEntry),
    /// MYRIGHTS
    MyRights(MailboxName),
    /// GETMETADATA
    GetMetadata(GetMetadata),
    /// SETMETADATA
    SetMetadata(SetMetadata),
    /// CHECK
    Check,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// EXPUNGE
    Expunge,
    /// UID EXPUNGE
    UidExpunge(SequenceSet),
    /// SEARCH and UID SEARCH
    Search(Search),
    /// SORT and UID SORT
    Sort(Sort),
    /// THREAD and UID THREAD
    Thread(Thread),
    /// ESEARCH: a search in several mailboxes
    MultiSearch(MultiSearch),
    /// CANCELUPDATE: the tags of searches whose results need not be kept up to date any more (RFC 5267)
    CancelUpdate(Vec<Tag>),
    /// RESETKEY: URLs that were authorized before are worth nothing any more
    ResetKey(ResetKey),
    /// GENURLAUTH: URLs to be authorized; at least one
    GenUrlAuth(Vec<UrlRump>),
    /// URLFETCH: authorized URLs; at least one
    UrlFetch(Vec<Vec<u8>>),
    /// UIDBATCHES
    UidBatches(UidBatches),
    /// FETCH and UID FETCH
    Fetch(Fetch),
    /// STORE and UID STORE
    Store(Store),
    /// COPY and UID COPY
    Copy(Transfer),
    /// MOVE and UID MOVE
    Move(Transfer),
}

/// AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959).
#[derive(Debug, Clone, PartialEq)]
pub struct Authenticate {
    /// upper case
    pub mechanism: String,
    /// the initial response, decoded; `Some` of nothing when the client wrote `=`
    pub initial: Option<Secret>,
}

/// LOGIN (RFC 3501 §6.2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// as sent; octets, since old clients send other charsets than UTF-8
    pub user: Vec<u8>,
    /// as sent
    pub password: Secret,
}

/// SELECT and EXAMINE (RFC 3501 §6.3.1, RFC 7162 §3.1.8).
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// which
    pub mailbox: MailboxName,
    /// `(CONDSTORE)`: the client wants MODSEQ in its FETCH responses from now on
    pub condstore: bool,
    /// `(QRESYNC (…))`: it wants to be told only what changed since it was here
    pub resync: Option<Resync>,
}

/// What a client that comes back remembers of a mailbox (RFC 7162 §3.2.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Resync {
    /// of the mailbox it remembers; if it is another now, all it remembers is worth nothing
    pub uidvalidity: NonZeroU32,
    /// it has seen every change up to here
    pub modseq: u64,
    /// the UIDs it remembers; without them it wants to hear of all
    pub known_uids: Option<SequenceSet>,
    /// some of its sequence numbers and the UIDs that belonged to them, as two sets of the same size
    pub matches: Option<(SequenceSet, SequenceSet)>,
}

/// CREATE (RFC 3501 §6.3.3, RFC 6154 §3).
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// which; a trailing `/` was dropped, as §6.3.3 demands
    pub mailbox: MailboxName,
    /// `(USE (\Drafts))`
    pub special_use: Vec<SpecialUse>,
}

/// RENAME (RFC 3501 §6.3.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Rename {
    /// the old name; INBOX has its own rule there
    pub from: MailboxName,
    /// the new name
    pub to: MailboxName,
}

/// What a mailbox is for (RFC 6154 §2, RFC 9979).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
    /// `\Memos`: notes about messages
    Memos,
    /// `\Scheduled`: messages to be sent later
    Scheduled,
    /// `\Snoozed`: messages put off
    Snoozed,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Junk,
        Self::Sent,
        Self::Trash,
        Self::Memos,
        Self::Scheduled,
        Self::Snoozed,
    ];

    /// On the wire, with the backslash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
            Self::Memos => "\\Memos",
            Self::Scheduled => "\\Scheduled",
            Self::Snoozed => "\\Snoozed",
        }
    }
}

/// LIST (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154).
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// each joined with the reference; one of them may ask for the delimiter only
    pub patterns: Vec<ListPattern>,
    /// selection options
    pub select: ListSelect,
    /// return options
    pub returns: ListReturn,
    /// whether the extended syntax was used: `\NoInferiors` etc. follow RFC 5258 then
    pub extended: bool,
}

/// Selection options of LIST (RFC 5258 §3.1, RFC 6154 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListSelect {
    /// only subscribed names, existing or not
    pub subscribed: bool,
    /// accepted and without effect: there are no remote mailboxes
    pub remote: bool,
    /// also parents of subscribed names that match; with CHILDINFO
    pub recursive_match: bool,
    /// only mailboxes with a special use
    pub special_use: bool,
}

/// Return options of LIST (RFC 5258 §3.2, RFC 5819, RFC 6154).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListReturn {
    /// say `\Subscribed`
    pub subscribed: bool,
    /// say `\HasChildren` or `\HasNoChildren`
    pub children: bool,
    /// say the special uses
    pub special_use: bool,
    /// a STATUS response for each mailbox, with these items; empty when not asked
    pub status: Vec<StatusItem>,
    /// a METADATA response for each mailbox, with these entries (RFC 9590); empty when not asked
    pub metadata: Vec<String>,
    /// a MYRIGHTS response for each mailbox (RFC 8440)
    pub my_rights: bool,
}

/// STATUS (RFC 3501 §6.3.10).
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// which
    pub mailbox: MailboxName,
    /// at least one
    pub items: Vec<StatusItem>,
}

/// What STATUS can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusItem {
    /// how many messages
    Messages,
    /// how many with `\Recent`
    Recent,
    /// the next UID
    UidNext,
    /// the UIDVALIDITY
    UidValidity,
    /// how many without `\Seen`
    Unseen,
    /// how many with `\Deleted` (RFC 9051)
    Deleted,
    /// sum of RFC822.SIZE (RFC 8438)
    Size,
    /// RFC 7162
    HighestModSeq,
    /// RFC 7889
    AppendLimit,
    /// RFC 8474
    MailboxId,
    /// sum of RFC822.SIZE of those with `\Deleted` (RFC 9208 §4.1.4)
    DeletedStorage,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
        Self::AppendLimit,
        Self::MailboxId,
        Self::DeletedStorage,
    ];

    /// On the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::AppendLimit => "APPENDLIMIT",
            Self::MailboxId => "MAILBOXID",
            Self::DeletedStorage => "DELETED-STORAGE",
        }
    }
}

/// REPLACE and UID REPLACE (RFC 8508 §3).
#[derive(Debug, Clone, PartialEq)]
pub struct Replace {
    /// how `set` is meant
    pub numbers: Numbers,
    /// one number
    pub set: SequenceSet,
    /// what comes in its place
    pub append: Append,
}

/// An entry of a mailbox's access control list (RFC 4314 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// which mailbox
    pub mailbox: MailboxName,
    /// whom it is about; with `-` in front it takes rights. Not empty
    pub identifier: String,
}

/// SETACL (RFC 4314 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAcl {
    /// which entry
    pub entry: AclEntry,
    /// what happens with the rights
    pub sign: RightsSign,
    /// of `lrswipkxteacd`; may be empty
    pub letters: String,
}

/// How SETACL changes rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightsSign {
    /// these and no others
    Set,
    /// `+`
    Add,
    /// `-`
    Remove,
}

/// GETMETADATA (RFC 5464 §4.2).
#[derive(Debug, Clone, PartialEq)]
pub struct GetMetadata {
    /// `None`: the server's own
    pub mailbox: Option<MailboxName>,
    /// lower case, at least one
    pub entries: Vec<String>,
    /// larger values are left out and counted (octets)
    pub max_size_bytes: Option<u64>,
    /// how far below the entries
    pub depth: MetadataDepth,
}

/// DEPTH of GETMETADATA (RFC 5464 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataDepth {
    /// these entries alone
    #[default]
    Exact,
    /// and those right below
    Children,
    /// and everything below
    Infinity,
}

/// SETMETADATA (RFC 5464 §4.3).
#[derive(Clone, PartialEq)]
pub struct SetMetadata {
    /// `None`: the server's own
    pub mailbox: Option<MailboxName>,
    /// lower-case names with their values; without one the entry goes
    pub entries: Vec<(String, Option<Vec<u8>>)>,
}

impl fmt::Debug for SetMetadata {
    /// Without values: they are somebody's notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.entries.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "SetMetadata({:?}, {names:?})", self.mailbox)
    }
}

/// APPEND and REPLACE up to the first octets that do not stand in a line (RFC 3501 §6.3.11, RFC 3502, RFC 4469).
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// where to
    pub mailbox: MailboxName,
    /// what the first line says; further lines are read by [`crate::parse::further_messages`]
    pub pieces: Vec<Piece>,
}

/// What a line of APPEND says, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// a message begins
    Begin(Begin),
    /// a part of a catenated message: what this URL names, as it stands (RFC 4469)
    Url(Vec<u8>),
    /// octets that come behind the line, so it is the last of its line: a message, or a part of a catenated one
    Octets {
        /// as announced: not to be trusted, nor allocated
        size_bytes: u64,
        /// `~{n}`: they may hold NUL (RFC 3516)
        binary: bool,
    },
    /// a catenated message is whole
    End,
}

/// What is said of a message before its octets.
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    /// may be empty
    pub flags: Vec<Flag>,
    /// the INTERNALDATE; now, if absent
    pub date: Option<DateTime>,
    /// it is put together from parts, up to [`Piece::End`]; otherwise it is one [`Piece::Octets`]
    pub catenated: bool,
}

/// Whether a catenated message goes on behind these pieces. `before`: whether one went on before them.
pub fn is_open_after(pieces: &[Piece], before: bool) -> bool {
    pieces.iter().fold(before, |open, piece| match piece {
        Piece::Begin(begin) => begin.catenated,
        Piece::End => false,
        Piece::Url(_) | Piece::Octets { .. } => open,
    })
}

/// RESETKEY (RFC 4467 §7).
#[derive(Debug, Clone, PartialEq)]
pub struct ResetKey {
    /// of all mailboxes, if absent
    pub mailbox: Option<MailboxName>,
    /// upper case; all, if none is named
    pub mechanisms: Vec<String>,
}

/// A URL of GENURLAUTH (RFC 4467 §7).
#[derive(Debug, Clone, PartialEq)]
pub struct UrlRump {
    /// as sent, without a verifier
    pub url: Vec<u8>,
    /// upper case
    pub mechanism: String,
}

/// UIDBATCHES (RFC 10022).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidBatches {
    /// messages in one batch
    pub size: NonZeroU32,
    /// which batches, counted from 1 at the newest message; all, if absent
    pub wanted: Option<(NonZeroU32, NonZeroU32)>,
}

/// FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    /// how `set` is meant; with `Uid`, the response must say UID even if unasked
    pub numbers: Numbers,
    /// which messages
    pub set: SequenceSet,
    /// macros are already spelled out; at least one
    pub items: Vec<FetchItem>,
    /// `(CHANGEDSINCE n)`: only messages with a larger mod-sequence, and MODSEQ in the response
    pub changed_since: Option<u64>,
    /// `VANISHED` beside it: also what went since (RFC 7162 §3.2.6)
    pub vanished: bool,
    /// `(PARTIAL 1:100)`: only these of the messages that are found (RFC 9394 §3.3)
    pub partial: Option<PartialRange>,
}

impl Fetch {
    /// Whether some item sets `\Seen` (RFC 3501 §6.4.5).
    pub fn sets_seen(&self) -> bool {
        self.items.iter().any(|item| match item {
            FetchItem::Section(section) | FetchItem::Binary(section) => !section.peek,
            FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
            _ => false,
        })
    }
}

/// One thing to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Rfc822Size,
    /// RFC822: like `BODY[]`
    Rfc822,
    /// RFC822.HEADER: like `BODY.PEEK[HEADER]`
    Rfc822Header,
    /// RFC822.TEXT: like `BODY[TEXT]`
    Rfc822Text,
    /// BODY without extension data
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162)
    ModSeq,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// `BODY[…]<…>` and `BODY.PEEK[…]<…>`
    Section(FetchSection),
    /// `BINARY[…]<…>` and `BINARY.PEEK[…]<…>`: a part with its transfer encoding undone (RFC 3516)
    Binary(FetchSection),
    /// `BINARY.SIZE[…]`: how many octets that is
    BinarySize(Section),
    /// PREVIEW, with or without LAZY (RFC 8970): it costs the same here
    Preview,
    /// SAVEDATE (RFC 8514)
    SaveDate,
}

/// `BODY[section]<partial>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSection {
    /// `BODY.PEEK`: does not set `\Seen`
    pub peek: bool,
    /// which part of the message
    pub section: Section,
    /// only some octets of it
    pub partial: Option<Partial>,
}

/// Which part of a message (RFC 3501 §6.4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// part numbers, counted from 1; empty for the message itself
    pub part: Vec<NonZeroU32>,
    /// what of that part
    pub text: SectionText,
}

/// What of a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SectionText {
    /// all of it; for a part number its body without the MIME header
    #[default]
    All,
    /// `HEADER`: of the message, or of a message/rfc822 part
    Header,
    /// `HEADER.FIELDS (…)`: names as asked, in that order
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (…)`
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`: the body of the message, or of a message/rfc822 part
    Text,
    /// `MIME`: the header of a part
    Mime,
}

/// `<offset.length>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// first octet, counted from 0
    pub offset: u32,
    /// at most so many
    pub length: NonZeroU32,
}

/// STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// how `set` is meant
    pub numbers: Numbers,
    /// which messages
    pub set: SequenceSet,
    /// `(UNCHANGEDSINCE n)`: only messages whose mod-sequence is not larger
    pub unchanged_since: Option<u64>,
    /// replace, add, remove
    pub action: StoreAction,
    /// `.SILENT`: the client does not want the new flags
    pub silent: bool,
    /// may be empty
    pub flags: Vec<Flag>,
}

/// What STORE does with the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAction {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// COPY and MOVE (RFC 3501 §6.4.7, RFC 6851).
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// how `set` is meant
    pub numbers: Numbers,
    /// which messages
    pub set: SequenceSet,
    /// where to
    pub mailbox: MailboxName,
}
