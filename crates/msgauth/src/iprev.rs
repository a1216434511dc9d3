//! Whether a client's address has a name that leads back to it (RFC 8601 §3, RFC 7208 §5.5).

use std::fmt;
use std::net::IpAddr;

use world::dns::{Record, RecordType};

use crate::desk::{Desk, Reply};
use crate::evidence::Asked;
use crate::limits::CLIENT_NAMES;
use crate::names;

/// RFC 8601 §2.7.3; `Display` writes its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IprevResult {
    /// a name leads back
    Pass,
    /// there are names, none leads back
    Fail,
    /// DNS did not answer: another time
    TempError,
    /// the address has no name
    PermError,
}

impl fmt::Display for IprevResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}

/// The answer and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IprevEvidence {
    /// the answer
    pub result: IprevResult,
    /// where the connection came from
    pub client: IpAddr,
    /// the name that leads back, if there is one
    pub name: Option<String>,
    /// every question
    pub asked: Vec<Asked>,
}

impl fmt::Display for IprevEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client;
        match (self.result, &self.name) {
            (IprevResult::Pass, Some(name)) => {
                write!(f, "{client} has the name {name}, which leads back to it")
            }
            (IprevResult::PermError, _) => write!(f, "{client} has no name"),
            (IprevResult::TempError, _) => write!(f, "DNS did not answer about the name of {client}"),
            _ => write!(f, "{client} has a name, but none that leads back to it"),
        }
    }
}

/// Asks for the client's names and where they lead.
pub async fn check(desk: &mut Desk<'_>, client: IpAddr) -> IprevEvidence {
    let client = client.to_canonical();
    let found = validated_names(desk, client).await;
    IprevEvidence {
        result: found.result(),
        client,
        name: found.names.into_iter().next(),
        asked: desk.take_asked(),
    }
}

/// What is known of a client's names.
pub(crate) struct ClientNames {
    /// those that lead back, at most [`CLIENT_NAMES`]
    pub names: Vec<String>,
    /// it has names at all
    named: bool,
    /// a question was not answered
    failed: bool,
}

impl ClientNames {
    fn result(&self) -> IprevResult {
        match (self.names.is_empty(), self.failed, self.named) {
            (false, _, _) => IprevResult::Pass,
            (true, true, _) => IprevResult::TempError,
            (true, false, true) => IprevResult::Fail,
            (true, false, false) => IprevResult::PermError,
        }
    }
}

/// Only the first [`CLIENT_NAMES`] names are looked at (RFC 7208 §4.6.4): whoever has the address writes them.
pub(crate) async fn validated_names(desk: &mut Desk<'_>, client: IpAddr) -> ClientNames {
    let mut found = ClientNames {
        names: Vec::new(),
        named: false,
        failed: false,
    };
    let records = match desk.ask(&names::reverse(client), RecordType::Ptr).await {
        Reply::Records(records) => records,
        Reply::Absent(_) => return found,
        Reply::Failed(_) | Reply::Spent(_) => {
            found.failed = true;
            return found;
        }
    };
    found.named = true;
    let kind = match client {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::Aaaa,
    };
    for record in records.iter().take(CLIENT_NAMES) {
        let Record::Ptr(name) = record else { continue };
        match desk.ask(name, kind).await {
            Reply::Records(addresses) if addresses.iter().any(|of| is_address(of, client)) => {
                found.names.push(names::canonical(name));
            }
            Reply::Failed(_) | Reply::Spent(_) => found.failed = true,
            Reply::Records(_) | Reply::Absent(_) => {}
        }
    }
    found
}

fn is_address(record: &Record, client: IpAddr) -> bool {
    match record {
        Record::A(of) => client == IpAddr::V4(*of),
        Record::Aaaa(of) => client == IpAddr::V6(*of),
        _ => false,
    }
}
