//! The control socket: `<data>/control.sock`, mode 0600, one line of JSON each way.
//!
//! 1. [`server::run`] takes callers whose user is ours or root (SO_PEERCRED), reads one [`Envelope`] a line, and answers.
//! 2. [`answer`] gives each [`Request`] to the file of its noun; none of them knows whether it came over the socket.
//! 3. [`client::ask`] is the other side. When nobody serves the socket it takes the store's lock, becomes the owner for
//!    one command, and answers itself ([`client`]).
//!
//! The format is versioned: a request of another version is refused, so that an old command line never half-works.

pub mod account;
pub mod alias;
pub mod client;
pub mod dkim;
pub mod dns;
pub mod domain;
pub mod history;
pub mod holdings;
pub mod index;
pub mod log;
pub mod mailbox;
pub mod queue;
pub mod reload;
pub mod server;
pub mod status;
pub mod store;
pub mod tls;
mod undo;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::Services;
use history::About;
pub use history::By;

/// Version of the format.
pub const VERSION: u32 = 1;
/// The socket's name in the data directory.
pub const SOCKET: &str = "control.sock";

/// A line from the caller.
#[derive(Serialize, Deserialize)]
pub struct Envelope {
    /// [`VERSION`]
    pub version: u32,
    /// what is asked
    pub request: Request,
}

/// What can be asked, by noun.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// of domains
    Domain(domain::Request),
    /// of the keys that sign mail
    Dkim(dkim::Request),
    /// of what stands in DNS
    Dns(dns::Request),
    /// of accounts
    Account(account::Request),
    /// of aliases
    Alias(alias::Request),
    /// of who may use whose mailbox
    Mailbox(mailbox::Request),
    /// of the queue
    Queue(queue::Request),
    /// of the whole
    Status(status::Request),
    /// of what is kept on disk
    Store(store::Request),
    /// of what is kept ready of messages
    Index(index::Request),
    /// of the TLS of other domains
    Tls(tls::Request),
    /// of the log
    Log(log::Request),
    /// of the settings
    Settings(reload::Request),
    /// of what was changed
    History(history::Request),
}

impl Request {
    /// The noun, for the log: what else a request holds may be secret.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Domain(_) => "domain",
            Self::Dkim(_) => "dkim",
            Self::Dns(_) => "dns",
            Self::Account(_) => "account",
            Self::Alias(_) => "alias",
            Self::Mailbox(_) => "mailbox",
            Self::Queue(_) => "queue",
            Self::Status(_) => "status",
            Self::Store(_) => "store",
            Self::Index(_) => "index",
            Self::Tls(_) => "tls",
            Self::Log(_) => "log",
            Self::Settings(_) => "reload",
            Self::History(_) => "history",
        }
    }
}

/// A line to the caller.
#[derive(Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`]
    pub version: u32,
    /// what came of it
    #[serde(flatten)]
    pub answer: Answer,
}

/// What came of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// done, with what there is to show
    Done(Value),
    /// not done; a sentence with the next step
    Refused(String),
    /// not done: arguments or settings are wrong; all that is, in words
    Wrong(String),
    /// not done: the store or the disk failed
    Failed(String),
}

impl Answer {
    /// Shows `value`.
    pub fn done(value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => Self::Done(value),
            Err(error) => Self::Failed(format!("the answer cannot be written: {error}")),
        }
    }

    /// From administration's results.
    pub fn from_admin<T: Serialize>(result: directory::admin::Result<T>) -> Self {
        match result {
            Ok(value) => Self::done(value),
            Err(error @ directory::AdminError::Store(_)) => Self::Failed(error.to_string()),
            Err(error) => Self::Refused(error.to_string()),
        }
    }
}

/// Does what is asked, and writes down what that changes.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    let subjects = history::subjects(&request);
    let work = carry_out(services, by, request);
    if subjects.is_empty() {
        return work.await;
    }
    let new_domain = subjects
        .first()
        .filter(|first| first.noun == history::Noun::Domain)
        .map(|first| first.name.clone());
    let about = About {
        by,
        subjects,
        undoes: None,
    };
    let answer = history::around(services, about, work).await;
    if let (Some(name), Answer::Done(_)) = (new_domain, &answer) {
        services.keys.provide(Some(&name), by).await;
    }
    answer
}

async fn carry_out(services: &Services, by: &By, request: Request) -> Answer {
    match request {
        Request::Domain(request) => domain::answer(&services.directory, request).await,
        Request::Dkim(request) => dkim::answer(services, by, request).await,
        Request::Dns(request) => dns::answer(services, request).await,
        Request::Account(request) => account::answer(services, request).await,
        Request::Alias(request) => alias::answer(&services.directory, request).await,
        Request::Mailbox(request) => mailbox::answer(services, by, request).await,
        Request::Queue(request) => queue::answer(services, by, request).await,
        Request::Status(request) => status::answer(services, request).await,
        Request::History(request) => history::answer(services, by, request).await,
        Request::Settings(request) => reload::answer(services, request).await,
        Request::Tls(request) => tls::answer(services, by, request).await,
        Request::Log(request) => log::answer(services, request).await,
        Request::Store(request) => store::answer(services, request).await,
        Request::Index(request) => index::answer(services, request).await,
    }
}
