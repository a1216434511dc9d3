//! From one TOML value to one typed value, with the reason and the next step when it does not fit.
//!
//! [`Kind`] lists the types; each family has its file: [`mod@measure`] (sizes, durations, numbers), [`network`] (addresses and
//! hosts), [`words`] (paths, names, choices). Tables inside a list are read by [`crate::table`], because they can be wrong in several places.

mod measure;
mod network;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

pub(crate) use measure::duration_text;
pub(crate) use network::MX;
pub(crate) use words::ROOT;

use crate::NameServer;
use crate::setting::Setting;
use crate::table::Values;

/// The type of a setting, with its unit and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// an absolute path
    AbsolutePath,
    /// a list of absolute paths
    AbsolutePaths,
    /// a DNS name with at least one dot
    Hostname,
    /// a list of domain names
    Domains,
    /// a list of networks: `address/bits`, or one address
    Networks,
    /// a list of `address:port`, or `"off"`
    Addresses,
    /// a list of at least one name server: `address:port` or `name:port`
    Servers,
    /// an IPv4 address to send from
    SourceV4,
    /// an IPv6 address to send from
    SourceV6,
    /// an absolute path, or `"root"`
    Anchor,
    /// a host name, an IP address, or `"mx"`
    NextHost,
    /// a short name of the operator's choice
    Label,
    /// one line of text
    Line,
    /// bytes, written as a number or with a unit
    Size {
        /// in bytes
        least: u64,
        /// in bytes
        most: u64,
    },
    /// a duration with its unit
    Duration {
        /// in seconds
        least_s: u64,
        /// in seconds
        most_s: u64,
    },
    /// a whole number
    Number {
        /// at least
        least: u64,
        /// at most
        most: u64,
    },
    /// true or false
    Flag,
    /// a user of this machine: a name, a number, or `uid:gid`
    User,
    /// an absolute path, or `"off"`
    SocketPath,
    /// a list of `user: address`
    LocalUsers,
    /// one of these words
    Choice(&'static [&'static str]),
    /// a list of tables, each with these settings
    Tables(&'static [Setting]),
}

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// of [`Kind::AbsolutePath`], [`Kind::Anchor`], and [`Kind::SocketPath`], where off is empty
    Path(PathBuf),
    /// of [`Kind::Hostname`], [`Kind::NextHost`], [`Kind::Label`], [`Kind::Line`] and [`Kind::User`]
    Name(String),
    /// of [`Kind::Domains`], [`Kind::AbsolutePaths`] and [`Kind::LocalUsers`]
    Names(Vec<String>),
    /// of [`Kind::Networks`]: an address and how many of its bits count
    Networks(Vec<(IpAddr, u8)>),
    /// of [`Kind::Addresses`]
    Addresses(Vec<SocketAddr>),
    /// of [`Kind::Servers`]
    Servers(Vec<NameServer>),
    /// of [`Kind::SourceV4`] and [`Kind::SourceV6`]
    Ip(IpAddr),
    /// of [`Kind::Size`]
    Bytes(u64),
    /// of [`Kind::Duration`]
    Duration(Duration),
    /// of [`Kind::Number`]
    Number(u64),
    /// of [`Kind::Flag`]
    Flag(bool),
    /// of [`Kind::Choice`]
    Word(&'static str),
    /// of [`Kind::Tables`]: each table with its line
    Tables(Vec<Values>),
}

/// Why a value does not fit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// what is wrong
    pub reason: String,
    /// what to do
    pub next_step: String,
}

fn wrong<T>(reason: String, next_step: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        reason,
        next_step: next_step.into(),
    })
}

impl Kind {
    /// For the reference.
    pub fn describe(self) -> String {
        match self {
            Self::AbsolutePath => "An absolute path".to_owned(),
            Self::AbsolutePaths => "A list of absolute paths".to_owned(),
            Self::Hostname => "A host name".to_owned(),
            Self::Domains => "A list of domain names".to_owned(),
            Self::Networks => "A list of networks, like 192.0.2.0/24".to_owned(),
            Self::Addresses => "A list of address:port, or \"off\"".to_owned(),
            Self::Servers => "A list of address:port or name:port".to_owned(),
            Self::SourceV4 => "An IPv4 address of this machine".to_owned(),
            Self::SourceV6 => "An IPv6 address of this machine".to_owned(),
            Self::Anchor => "An absolute path, or \"root\"".to_owned(),
            Self::NextHost => "A host name, an IP address, or \"mx\"".to_owned(),
            Self::Label => "A name of letters, digits, - and _".to_owned(),
            Self::Line => "A line of text".to_owned(),
            Self::Size { least, most } => format!(
                "A size in bytes, KiB, MiB or GiB, from {} to {}",
                measure::size_text(least),
                measure::size_text(most)
            ),
            Self::Duration { least_s, most_s } => format!(
                "A duration in s, min, h or days, from {} to {}",
                duration_text(Duration::from_secs(least_s)),
                duration_text(Duration::from_secs(most_s))
            ),
            Self::Number { least, most } => format!("A whole number from {least} to {most}"),
            Self::Flag => "true or false".to_owned(),
            Self::User => "A user of this machine, by name, number or uid:gid".to_owned(),
            Self::SocketPath => "An absolute path, or \"off\"".to_owned(),
            Self::LocalUsers => "A list of user: address".to_owned(),
            Self::Choice(list) => format!("One of {}", words::quoted(list)),
            Self::Tables(_) => "A list of tables".to_owned(),
        }
    }

    /// Checks a value. Lists of tables are [`crate::table`]'s: here they are only told from other values.
    pub fn read(self, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
        let value = value.get_ref();
        match self {
            Self::AbsolutePath => words::path(value),
            Self::AbsolutePaths => words::paths(value),
            Self::Hostname => words::hostname(value),
            Self::Domains => words::domains(value),
            Self::Networks => network::networks(value),
            Self::Addresses => network::addresses(value),
            Self::Servers => network::servers(value),
            Self::SourceV4 => network::source(value, "IPv4", "\"192.0.2.25\"", IpAddr::is_ipv4),
            Self::SourceV6 => network::source(value, "IPv6", "\"2001:db8::25\"", IpAddr::is_ipv6),
            Self::Anchor => words::anchor(value),
            Self::NextHost => network::next_host(value),
            Self::Label => words::label(value),
            Self::Line => words::line(value),
            Self::Size { least, most } => measure::size(value, least, most),
            Self::Duration { least_s, most_s } => measure::duration(value, least_s, most_s),
            Self::Number { least, most } => measure::number(value, least, most),
            Self::Flag => words::flag(value),
            Self::User => words::user(value),
            Self::SocketPath => words::socket_path(value),
            Self::LocalUsers => words::local_users(value),
            Self::Choice(list) => words::choice(value, list),
            Self::Tables(_) => match value.as_array() {
                Some(_) => Ok(Value::Tables(Vec::new())),
                None => wrong(
                    format!("this is {}, not a list of tables", with_article(value)),
                    "Write [[routes]] on a line of its own and the settings of one route below, once for each.",
                ),
            },
        }
    }
}

impl Value {
    /// As it would be written in the file; tables as inline ones.
    pub fn written(&self) -> String {
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        match self {
            Self::Path(path) if path.as_os_str().is_empty() => "\"off\"".to_owned(),
            Self::Path(path) => words::written(&path.display().to_string()),
            Self::Name(text) => words::written(text),
            Self::Names(names) => list(names.iter().map(|name| words::written(name)).collect()),
            Self::Networks(networks) => {
                let each = networks
                    .iter()
                    .map(|(address, bits)| format!("\"{address}/{bits}\""));
                list(each.collect())
            }
            Self::Addresses(addresses) if addresses.is_empty() => "\"off\"".to_owned(),
            Self::Addresses(addresses) => list(addresses.iter().map(|at| format!("\"{at}\"")).collect()),
            Self::Servers(servers) => {
                list(servers.iter().map(|at| words::written(&at.to_string())).collect())
            }
            Self::Ip(address) => format!("\"{address}\""),
            Self::Bytes(bytes) => format!("\"{}\"", measure::size_text(*bytes)),
            Self::Duration(duration) => format!("\"{}\"", duration_text(*duration)),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Word(word) => words::written(word),
            Self::Tables(rows) => list(rows.iter().map(Values::written).collect()),
        }
    }
}

fn text_of<'a>(value: &'a DeValue<'_>, example: &str) -> Result<&'a str, Wrong> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => wrong(
            format!("this is {}, not text", with_article(value)),
            format!("Write it in quotes, like {example}."),
        ),
    }
}

pub(crate) fn with_article(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "integer" => "a number".to_owned(),
        "array" => "a list".to_owned(),
        other => format!("a {other}"),
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}
