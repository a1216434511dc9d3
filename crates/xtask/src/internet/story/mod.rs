//! Stories of several hosts: what they are made of. Decision 0023 has the language on half a page.
//!
//! 1. [`Story::read`] (in `read`, over the blocks that `lines` makes) turns a text into hosts (`cast`), names and steps (`happens`,
//!    `letters`, `expects`);
//! 2. [`play::play`] puts the hosts up and performs the steps;
//! 3. [`look`] waits for what is expected, [`check`] holds each message against the lines below the expectation.
//!
//! Whoever is not declared cannot be named: the reader says so with the line, before anything runs.

mod cast;
mod check;
mod expects;
mod happens;
mod letters;
mod lines;
mod look;
pub mod play;
mod read;

use super::slow::Slow;
use std::net::IpAddr;
use std::time::Duration;

/// A story as hosts, names and steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Story {
    /// who takes part, in the order of the text
    pub hosts: Vec<HostPlan>,
    /// records beside those that every host has, as a zone file has them
    pub zone: Vec<String>,
    /// zones that nobody signs, each with its records
    pub unsigned: Vec<(String, Vec<String>)>,
    /// names that take their time
    pub slow: Vec<Slow>,
    /// what happens
    pub steps: Vec<Step>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// its domains; the first one names it, and DNS leads there
    pub domains: Vec<String>,
    /// its addresses; the first of each family is in DNS
    pub addresses: Vec<IpAddr>,
    /// what runs there
    pub kind: Kind,
    /// it has DKIM keys, which are published, and signs with them what its own people send
    pub signs: bool,
}

/// What runs on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// our own server
    Hearthpost(HearthpostPlan),
    /// Debian's Postfix
    Postfix(PostfixPlan),
    /// a server that does what its rules say, and remembers what it took
    Sink(SinkPlan),
    /// a web server that says an MTA-STS policy
    Web(WebPlan),
}

/// What a web server says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebPlan {
    /// the lines of its policy
    pub policy: Vec<String>,
    /// what is wrong with its certificate
    pub fault: Option<String>,
}

/// A Hearthpost's people and settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HearthpostPlan {
    /// whole addresses
    pub people: Vec<String>,
    /// in the order of the text
    pub settings: Vec<Setting>,
    /// its doors are at all addresses of the machine, as they are without a setting
    pub everywhere: bool,
    /// address, targets
    pub aliases: Vec<(String, Vec<String>)>,
    /// other domains' mail that goes through one server
    pub routes: Vec<RoutePlan>,
}

/// Table, key, value as TOML has it.
pub type Setting = (String, String, String);

/// A smarthost for one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    /// the domain
    pub to: String,
    /// the server
    pub host: String,
    /// its port
    pub port: u16,
    /// who signs in there, with everybody's password, under the TLS that a route asks for by itself; without one nobody does, and any TLS will do
    pub user: Option<String>,
    /// its second way is the domain's own servers, taken after so many failed attempts
    pub else_mx_after: Option<u32>,
}

/// A Postfix's people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostfixPlan {
    /// whole addresses
    pub people: Vec<String>,
    /// addresses that are answered 450 until the story says otherwise
    pub put_off: Vec<String>,
    /// address, target
    pub passed_on: Vec<(String, String)>,
    /// what comes is verified by opendkim and opendmarc
    pub checks: bool,
    /// what it sends goes by TLSA records, where there are some
    pub dane: bool,
}

/// A message that a sink's host hands over itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// the envelope's sender; empty for nobody
    pub from: String,
    /// the envelope's recipients
    pub to: Vec<String>,
    /// fields, as they stand
    pub header: Vec<String>,
    /// the body, one line
    pub text: Option<String>,
    /// what must come of it
    pub outcome: Outcome,
    /// patterns of the last answer
    pub answers: Vec<String>,
}

/// What a mailing list does with what it passes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passing {
    /// a line at the end of the body
    pub footer: Option<String>,
    /// an ARC seal over these results
    pub seals: Option<String>,
}

/// What came of a message at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 2yz
    Taken,
    /// 4yz
    PutOff,
    /// 5yz, or the end of the connection
    Refused,
}

/// A sink's port and first rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkPlan {
    /// where it listens
    pub port: u16,
    /// what it does
    pub rules: Vec<Rule>,
}

/// One line of a sink's script ([`testkit::sink`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// where it holds; everywhere without
    pub family: Option<Family>,
    /// as [`testkit::sink::Script::read`] takes it
    pub text: String,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv6() { Self::V6 } else { Self::V4 }
    }
}

/// Something that happens or is expected, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// from 1
    pub line: usize,
    /// what
    pub what: What,
}

/// What happens, or is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// somebody sends one message
    Send {
        from: String,
        to: Vec<String>,
        subject: String,
        header: Vec<String>,
        asking: Vec<String>,
    },
    /// somebody sends many, each to another recipient of a domain
    SendMany {
        from: String,
        domain: String,
        subject: String,
        count: usize,
    },
    /// a sink's host sends what it likes
    Give {
        sink: String,
        host: String,
        subject: String,
        letter: Letter,
    },
    /// a sink's host passes on what it took last with this Subject
    PassOn {
        sink: String,
        host: String,
        subject: String,
        letter: Letter,
        passing: Passing,
    },
    /// somebody does something to a Hearthpost
    Act { host: String, act: Act },
    /// another setting, which it reads while it runs
    Set { host: String, setting: Setting },
    /// packets from these hosts are lost
    CutOff {
        host: String,
        from: Vec<String>,
        over: Option<Family>,
    },
    /// a sink has other rules
    Behave { sink: String, rules: Vec<Rule> },
    /// a Postfix puts nobody off any more
    TakeFromNowOn { host: String },
    /// somebody's mailbox has another size from now on
    Room { who: String, host: String, size: String },
    /// time goes by
    Pass(Duration),
    /// several times the same
    Times { count: usize, steps: Vec<Step> },
    /// connections from so many addresses of one network, held until the story ends
    Knock {
        network: String,
        count: usize,
        host: String,
        let_in: usize,
    },
    /// what must be so
    Expect {
        what: Expectation,
        bound: Bound,
        checks: Vec<Check>,
    },
}

/// What somebody does to a Hearthpost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// SIGKILL and a new start on the same directory
    Kill,
    /// SIGTERM, and nobody listens any more
    Stop,
    /// a start on the same directory
    Start,
    /// everything that waits becomes due
    TryAgain,
    /// the records of its own keys are put into DNS, and it sees them
    Publish,
    /// it makes other keys
    Rotate,
    /// keys that wait sign at once
    SignNow,
    /// packets from the name server are lost
    CutOffNames,
    /// all packets arrive again
    Reconnect,
}

/// What must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// exactly one message with this Subject is in the mailbox; without a name it is the INBOX
    Receives {
        who: String,
        subject: String,
        mailbox: Option<String>,
    },
    /// exactly one report of this action on this recipient is in the mailbox
    Report {
        who: String,
        about: String,
        action: &'static str,
    },
    /// exactly one report of a message with this Subject is in the mailbox
    ReportOn { who: String, subject: String },
    /// no report about this recipient is in the mailbox
    NoReport { who: String, about: String },
    /// this recipient's mail is in the queue
    Waits { who: String, host: String },
    /// the queue is empty
    NothingWaits { host: String },
    /// what the server tells of the newest message to this recipient
    Tells { host: String, about: String },
    /// what the server has seen of a domain's TLS today, as a report has it
    Reports { host: String, domain: String },
    /// the sink took so many messages since the story last spoke of it
    Takes { sink: String, count: u64, or_more: bool },
    /// the sink took so many different messages in the whole story
    Different { sink: String, count: usize },
    /// the sink took no message twice
    NothingTwice { sink: String },
    /// of what came over one connection the sink took at most so many again
    TwiceAtMost { sink: String, count: usize },
    /// the sink never had more connections open
    Connections { sink: String, count: u64 },
}

/// How long an expectation has time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// it is so now
    Now,
    /// it becomes so in this time
    Within(Duration),
    /// it becomes so in this span after the last sending
    AfterSending { from: Duration, to: Duration },
}

/// A line below an expectation: it holds for each message that the expectation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// a line fits this pattern
    Has(String),
    /// no line fits it
    Lacks(String),
    /// it came over this family
    Over(Family),
    /// it came under TLS, or in the clear
    Tls(bool),
    /// it came from this address
    From(IpAddr),
    /// the client called itself so
    Greeted(String),
    /// the client had signed in so
    SignedIn(String),
}
