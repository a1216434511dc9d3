//! The settings of `hearthpost serve`: each defined once, with its type, unit, default, doc and check.
//!
//! 1. [`setting::SETTINGS`] is the one list; the reference ([`reference()`]), the check and the reader all come from it.
//! 2. [`read`] takes the text of `hearthpost.toml` and gives a [`Config`] or every [`Problem`] at once, each with its
//!    line, the reason and the next step.
//! 3. [`table`] finds each setting's value; [`value`] turns one TOML value into a typed one.
//! 4. [`whole`], [`sending`] and [`routes`] check what several settings must agree on; [`finish`] makes the [`Config`].
//! 5. [`weaker_fallbacks`] says what is no problem and should be known.
//! 6. [`Checked::shown`] says what holds and where it comes from; [`Checked::changes`] what differs after a reload.
//!
//! Pure: it reads no file. Whether certificate files can be read is checked where they are read.
//! Domains, accounts and aliases are not settings: they live in the store and are changed by the command line.

mod finish;
mod name_server;
pub mod problem;
mod routes;
mod sending;
pub mod setting;
mod shown;
pub mod table;
pub mod value;
mod weaker;
mod whole;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

pub use name_server::NameServer;
pub use problem::Problem;
pub use setting::{SETTINGS, Setting, Takes, reference};
pub use shown::{Change, Shown, Source};
pub use weaker::weaker_fallbacks;

use crate::problem::Lines;
use crate::table::{Scope, Values};

/// Everything `serve` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// where everything is kept
    pub data_dir: PathBuf,
    /// the name this server says of itself
    pub hostname: String,
    /// domains made at the start when they are missing
    pub domains: Vec<String>,
    /// whom the server becomes when it is started as root; `None` is the default
    pub user: Option<String>,
    /// where it listens
    pub doors: Doors,
    /// where programs on this machine hand in mail
    pub local: LocalDoor,
    /// certificate and key files in PEM
    pub tls: Option<TlsFiles>,
    /// the certificate that will be served next, or its public key
    pub next_certificate: Option<PathBuf>,
    /// further roots for the certificates of others, in PEM
    pub extra_roots: Option<PathBuf>,
    /// largest message taken, in bytes
    pub message_bytes: u64,
    /// most connections at once, over all doors
    pub connections: u64,
    /// messages that one IMAP command takes; all, if absent
    pub message_limit: Option<u32>,
    /// messages that one COPY takes; all, if absent
    pub save_limit: Option<u32>,
    /// what happens to bare CR and LF in incoming mail
    pub bare_newlines: BareNewlines,
    /// what is done about mail that is not from whom it says
    pub authenticity: Authenticity,
    /// whose ARC seals are believed, in the form of [`mail::address::Domain::as_str`]
    pub arc_sealers: Vec<String>,
    /// authors' domains whose policy is not followed
    pub lenient_domains: Vec<String>,
    /// authors' domains that are refused
    pub refused_domains: Vec<String>,
    /// networks of the operator's own servers that bring mail of others: address, bits
    pub own_servers: Vec<(std::net::IpAddr, u8)>,
    /// the list of public suffixes
    pub public_suffixes: Option<PathBuf>,
    /// private keys that sign what users submit
    pub dkim_keys: Vec<PathBuf>,
    /// how old keys of ours may get; `None`: until an operator makes others
    pub dkim_rotate: Option<Duration>,
    /// when the queue tries again and when it gives up
    pub queue: QueueTimes,
    /// how mail leaves
    pub deliver: Deliver,
    /// what is asked of other domains' TLS
    pub others_tls: OthersTls,
    /// whom DNS is asked of
    pub dns: Dns,
    /// roads other than DNS, in the order of the file
    pub routes: Vec<Route>,
    /// what of the log goes to standard error
    pub log_stderr: LogStderr,
    /// directory of the log files; `None` is `log` in the data directory
    pub log_dir: Option<PathBuf>,
}

/// Addresses of each door; empty is off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // documented in SETTINGS under the same names
pub struct Doors {
    pub smtp: Vec<SocketAddr>,
    pub submission: Vec<SocketAddr>,
    pub submissions: Vec<SocketAddr>,
    pub lmtp: Vec<SocketAddr>,
    pub imap: Vec<SocketAddr>,
    pub imaps: Vec<SocketAddr>,
    pub pop3: Vec<SocketAddr>,
    pub pop3s: Vec<SocketAddr>,
}

impl Doors {
    /// Each door's name and addresses.
    pub fn each(&self) -> [(&'static str, &[SocketAddr]); 8] {
        [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
            ("lmtp", &self.lmtp),
            ("imap", &self.imap),
            ("imaps", &self.imaps),
            ("pop3", &self.pop3),
            ("pop3s", &self.pop3s),
        ]
    }
}

/// The door for programs on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalDoor {
    /// its socket; `None` is `submit.sock` in the data directory, an empty path is off
    pub socket: Option<PathBuf>,
    /// which users may send, and as which address
    pub users: Vec<(String, String)>,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// our certificate and those that lead to its root
    pub certificate: PathBuf,
    /// its private key
    pub key: PathBuf,
}

/// What happens to bare CR and LF in incoming mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewlines {
    /// `550 5.6.0`
    Refuse,
    /// Each becomes CRLF, after the end of the message was found by CRLF.CRLF alone.
    Normalise,
}

/// What is done about mail from other servers that is not from whom it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticity {
    /// Nothing is asked.
    Off,
    /// Results are written into the message.
    Note,
    /// And the verdict holds.
    Enforce,
}

/// When the queue tries again and when it gives up. `retry_first` ≤ `retry_longest` < `give_up`, and `delay_notice` < `give_up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // documented in SETTINGS under the same names
pub struct QueueTimes {
    pub retry_first: Duration,
    pub retry_longest: Duration,
    pub delay_notice: Duration,
    pub give_up: Duration,
}

/// What is asked of other domains' TLS (`mta_sts`, `mandatory_tls`). `observe_days` ≤ `warn_days` ≤ `require_days`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // documented in SETTINGS under the same names
pub struct OthersTls {
    pub mta_sts: bool,
    pub mta_sts_port: u16,
    pub domains: Vec<String>,
    pub shipped_list: ListPower,
    pub learning: ListPower,
    pub observe_days: u32,
    pub warn_days: u32,
    pub require_days: u32,
    pub sessions: u64,
}

/// How far a list of domains that must have TLS goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPower {
    /// Nothing is done.
    Off,
    /// It is shown.
    Observe,
    /// A downgrade is told.
    Warn,
    /// Mail waits.
    Require,
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // documented in SETTINGS under the same names
pub struct Deliver {
    pub port: u16,
    pub allow_private: bool,
    /// always IPv4
    pub source_v4: Option<IpAddr>,
    /// always IPv6
    pub source_v6: Option<IpAddr>,
    /// `deliver.ehlo_name`, or else `hostname`
    pub ehlo_name: String,
    /// `deliver.ehlo_name_v6`, or else `ehlo_name`
    pub ehlo_name_v6: String,
    pub connections: u64,
    /// at most `connections`
    pub connections_per_destination: u64,
}

/// Whom DNS is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// empty: the system's
    pub servers: Vec<NameServer>,
    /// who checks DNSSEC
    pub validation: Validation,
}

/// Who checks DNSSEC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Validation {
    /// nobody
    #[default]
    Off,
    /// the name servers, which are named and all of them on this machine
    Servers,
    /// we, with the Internet's own trust anchors
    Root,
    /// we, with those in this file
    File(PathBuf),
}

/// A road other than DNS, or "by DNS" as an exception from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// letters, digits, - and _; unique; never `mx` or `local`
    pub name: String,
    /// which mail takes it
    pub serves: Serves,
    /// where it leads
    pub road: Road,
    /// another road after some failed attempts; fallbacks never form a circle
    pub fallback: Option<Fallback>,
}

/// Which mail takes a route. Recipient domains go before sender domains, and those before `Everything`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// what no other route serves; at most one route has it
    Everything,
    /// these recipient domains, in the form of [`mail::address::Domain::as_str`]; empty: it is only a fallback
    To(Vec<String>),
    /// these sender domains
    From(Vec<String>),
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Road {
    /// to the recipient domain's own servers
    Mx,
    /// to this server
    Smarthost(Smarthost),
}

/// A server that takes mail for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// a host name or an IP address
    pub host: String,
    /// never 0
    pub port: u16,
    /// how the connection is protected
    pub tls: RouteTls,
    /// who signs in there; only with `StartTls` or `Implicit`
    pub login: Option<Login>,
}

/// How a connection to a smarthost is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTls {
    /// STARTTLS must be offered, and the certificate must fit the TLSA records of the host's name, or verify where it has none
    Dane,
    /// STARTTLS must be offered, and the certificate must verify
    StartTls,
    /// TLS from the first byte, and the certificate must verify
    Implicit,
    /// STARTTLS when it is offered, with any certificate
    Opportunistic,
    /// in the clear
    None,
}

/// Who signs in at a smarthost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// user name
    pub user: String,
    /// file whose first line is the password
    pub password_file: PathBuf,
}

/// Another road after some failed attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// which
    pub to: FallbackTo,
    /// failed attempts before it is taken, at least 1
    pub after_attempts: u32,
}

/// Where a fallback leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FallbackTo {
    /// to the recipient domain's own servers
    Mx,
    /// to the route of this name, which exists
    Route(String),
}

/// What of the log goes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStderr {
    /// lines for people
    Human,
    /// one JSON object a line
    Json,
    /// nothing
    Off,
}

/// Settings without a problem, and where each came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// what they mean
    pub config: Config,
    values: Values,
}

/// Reads `hearthpost.toml`. All problems are reported, in the order of their lines.
pub fn read(text: &str) -> Result<Checked, Vec<Problem>> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems = Vec::new();
    let scope = Scope {
        prefix: "",
        settings: SETTINGS,
        whole: errors.is_empty(),
    };
    let values = table::read(scope, table.get_ref(), 1, &lines, &mut problems);
    if let Some(torn) = torn(&errors, &lines) {
        problems.retain(|problem| problem.line < torn.iter().map(|problem| problem.line).min().flatten());
        problems.extend(torn);
    } else {
        whole::check(&values, &mut problems);
        sending::check(&values, &mut problems);
        routes::check(&values, &mut problems);
    }
    if problems.is_empty() {
        let config = finish::build(&values);
        return Ok(Checked { config, values });
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    Err(problems)
}

/// What is no TOML, once for each line. From there on nothing can be said of settings, and nothing of what they should agree on.
fn torn(errors: &[toml::de::Error], lines: &Lines) -> Option<Vec<Problem>> {
    let mut torn: Vec<Problem> = errors.iter().map(|error| Problem::syntax(error, lines)).collect();
    torn.sort_by_key(|problem| problem.line);
    torn.dedup_by_key(|problem| problem.line);
    (!torn.is_empty()).then_some(torn)
}

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Reads any text as a configuration; what is good is good again when it is shown and read.
    pub fn fuzz_config(bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        match crate::read(text) {
            Err(problems) => assert!(!problems.is_empty()),
            Ok(checked) => {
                let again = crate::read(&checked.written()).expect("what is shown can be read");
                assert_eq!(again.config, checked.config);
            }
        }
    }
}

#[cfg(test)]
mod tests;
