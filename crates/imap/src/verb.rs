//! The commands by name.

use crate::command::Command;

/// Which command it is, without its arguments: for the state table, logs and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Verb {
    Capability,
    Noop,
    Logout,
    StartTls,
    Authenticate,
    Login,
    Enable,
    Id,
    Select,
    Examine,
    Create,
    Delete,
    Rename,
    Subscribe,
    Unsubscribe,
    List,
    Lsub,
    Namespace,
    Status,
    Append,
    Idle,
    Notify,
    Replace,
    Compress,
    Unauthenticate,
    Language,
    GetQuota,
    GetQuotaRoot,
    SetQuota,
    SetAcl,
    DeleteAcl,
    GetAcl,
    ListRights,
    MyRights,
    GetMetadata,
    SetMetadata,
    Check,
    Close,
    Unselect,
    Expunge,
    UidExpunge,
    Search,
    Sort,
    Thread,
    MultiSearch,
    CancelUpdate,
    ResetKey,
    GenUrlAuth,
    UrlFetch,
    UidBatches,
    Fetch,
    Store,
    Copy,
    Move,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 54] = [
        Self::Capability,
        Self::Noop,
        Self::Logout,
        Self::StartTls,
        Self::Authenticate,
        Self::Login,
        Self::Enable,
        Self::Id,
        Self::Select,
        Self::Examine,
        Self::Create,
        Self::Delete,
        Self::Rename,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::List,
        Self::Lsub,
        Self::Namespace,
        Self::Status,
        Self::Append,
        Self::Idle,
        Self::Notify,
        Self::Replace,
        Self::Compress,
        Self::Unauthenticate,
        Self::Language,
        Self::GetQuota,
        Self::GetQuotaRoot,
        Self::SetQuota,
        Self::SetAcl,
        Self::DeleteAcl,
        Self::GetAcl,
        Self::ListRights,
        Self::MyRights,
        Self::GetMetadata,
        Self::SetMetadata,
        Self::Check,
        Self::Close,
        Self::Unselect,
        Self::Expunge,
        Self::UidExpunge,
        Self::Search,
        Self::Sort,
        Self::Thread,
        Self::MultiSearch,
        Self::CancelUpdate,
        Self::ResetKey,
        Self::GenUrlAuth,
        Self::UrlFetch,
        Self::UidBatches,
        Self::Fetch,
        Self::Store,
        Self::Copy,
        Self::Move,
    ];

    /// The name on the wire; also used for the completion text (`FETCH completed`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::StartTls => "STARTTLS",
            Self::Authenticate => "AUTHENTICATE",
            Self::Login => "LOGIN",
            Self::Enable => "ENABLE",
            Self::Id => "ID",
            Self::Select => "SELECT",
            Self::Examine => "EXAMINE",
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Rename => "RENAME",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::List => "LIST",
            Self::Lsub => "LSUB",
            Self::Namespace => "NAMESPACE",
            Self::Status => "STATUS",
            Self::Append => "APPEND",
            Self::Idle => "IDLE",
            Self::Notify => "NOTIFY",
            Self::Replace => "REPLACE",
            Self::Compress => "COMPRESS",
            Self::Unauthenticate => "UNAUTHENTICATE",
            Self::Language => "LANGUAGE",
            Self::GetQuota => "GETQUOTA",
            Self::GetQuotaRoot => "GETQUOTAROOT",
            Self::SetQuota => "SETQUOTA",
            Self::SetAcl => "SETACL",
            Self::DeleteAcl => "DELETEACL",
            Self::GetAcl => "GETACL",
            Self::ListRights => "LISTRIGHTS",
            Self::MyRights => "MYRIGHTS",
            Self::GetMetadata => "GETMETADATA",
            Self::SetMetadata => "SETMETADATA",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge => "EXPUNGE",
            Self::UidExpunge => "UID EXPUNGE",
            Self::Search => "SEARCH",
            Self::Sort => "SORT",
            Self::Thread => "THREAD",
            Self::MultiSearch => "ESEARCH",
            Self::CancelUpdate => "CANCELUPDATE",
            Self::ResetKey => "RESETKEY",
            Self::GenUrlAuth => "GENURLAUTH",
            Self::UrlFetch => "URLFETCH",
            Self::UidBatches => "UIDBATCHES",
            Self::Fetch => "FETCH",
            Self::Store => "STORE",
            Self::Copy => "COPY",
            Self::Move => "MOVE",
        }
    }

    /// Whether success means that something durable changed, so that its `OK` needs a proof ([`crate::answer`]).
    /// FETCH may set `\Seen`, but does not promise it; it counts as reading.
    pub const fn changes(self) -> bool {
        match self {
            Self::Create
            | Self::Delete
            | Self::Rename
            | Self::Subscribe
            | Self::Unsubscribe
            | Self::Append
            | Self::SetAcl
            | Self::DeleteAcl
            | Self::SetMetadata
            | Self::Replace
            | Self::ResetKey
            | Self::Close
            | Self::Expunge
            | Self::UidExpunge
            | Self::Store
            | Self::Copy
            | Self::Move => true,
            Self::Capability
            | Self::Noop
            | Self::Logout
            | Self::StartTls
            | Self::Authenticate
            | Self::Login
            | Self::Enable
            | Self::Id
            | Self::Select
            | Self::Examine
            | Self::List
            | Self::Lsub
            | Self::Namespace
            | Self::Status
            | Self::Idle
            | Self::Notify
            | Self::Unauthenticate
            | Self::Compress
            | Self::Language
            | Self::GetQuota
            | Self::GetQuotaRoot
            | Self::SetQuota
            | Self::GetAcl
            | Self::ListRights
            | Self::MyRights
            | Self::GetMetadata
            | Self::Check
            | Self::Unselect
            | Self::Search
            | Self::Sort
            | Self::Thread
            | Self::MultiSearch
            | Self::CancelUpdate
            | Self::GenUrlAuth
            | Self::UrlFetch
            | Self::UidBatches
            | Self::Fetch => false,
        }
    }
}

impl Command {
    /// Which command it is.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Capability => Verb::Capability,
            Self::Noop => Verb::Noop,
            Self::Logout => Verb::Logout,
            Self::StartTls => Verb::StartTls,
            Self::Authenticate(_) => Verb::Authenticate,
            Self::Login(_) => Verb::Login,
            Self::Enable(_) => Verb::Enable,
            Self::Id(_) => Verb::Id,
            Self::Select(_) => Verb::Select,
            Self::Examine(_) => Verb::Examine,
            Self::Create(_) => Verb::Create,
            Self::Delete(_) => Verb::Delete,
            Self::Rename(_) => Verb::Rename,
            Self::Subscribe(_) => Verb::Subscribe,
            Self::Unsubscribe(_) => Verb::Unsubscribe,
            Self::List(_) => Verb::List,
            Self::Lsub(_) => Verb::Lsub,
            Self::Namespace => Verb::Namespace,
            Self::Status(_) => Verb::Status,
            Self::Append(_) => Verb::Append,
            Self::Idle => Verb::Idle,
            Self::Notify(_) => Verb::Notify,
            Self::Replace(_) => Verb::Replace,
            Self::Compress(_) => Verb::Compress,
            Self::Unauthenticate => Verb::Unauthenticate,
            Self::Language(_) => Verb::Language,
            Self::GetQuota(_) => Verb::GetQuota,
            Self::GetQuotaRoot(_) => Verb::GetQuotaRoot,
            Self::SetQuota(_) => Verb::SetQuota,
            Self::SetAcl(_) => Verb::SetAcl,
            Self::DeleteAcl(_) => Verb::DeleteAcl,
            Self::GetAcl(_) => Verb::GetAcl,
            Self::ListRights(_) => Verb::ListRights,
            Self::MyRights(_) => Verb::MyRights,
            Self::GetMetadata(_) => Verb::GetMetadata,
            Self::SetMetadata(_) => Verb::SetMetadata,
            Self::Check => Verb::Check,
            Self::Close => Verb::Close,
            Self::Unselect => Verb::Unselect,
            Self::Expunge => Verb::Expunge,
            Self::UidExpunge(_) => Verb::UidExpunge,
            Self::Search(_) => Verb::Search,
            Self::Sort(_) => Verb::Sort,
            Self::Thread(_) => Verb::Thread,
            Self::MultiSearch(_) => Verb::MultiSearch,
            Self::CancelUpdate(_) => Verb::CancelUpdate,
            Self::ResetKey(_) => Verb::ResetKey,
            Self::GenUrlAuth(_) => Verb::GenUrlAuth,
            Self::UrlFetch(_) => Verb::UrlFetch,
            Self::UidBatches(_) => Verb::UidBatches,
            Self::Fetch(_) => Verb::Fetch,
            Self::Store(_) => Verb::Store,
            Self::Copy(_) => Verb::Copy,
            Self::Move(_) => Verb::Move,
        }
    }
}
