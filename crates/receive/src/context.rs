//! What a session needs, and which door it came through.

use std::net::IpAddr;
use std::sync::Arc;

use directory::{Directory, LocalSender};
use guard::Guard;
use msgauth::network::Network;
use msgauth::policy::Local;
use msgauth::suffixes::PublicSuffixes;
use queue::Queue;
use smtp::{Flavour, Setup, TextRules};
use tokio::sync::watch;
use world::chance::Chance;
use world::dns::Dns;
use world::ids::IdSource;
use world::net::TlsServer;

use crate::examining::Examinations;

/// Everything a session needs, shared by all of them.
pub struct Context {
    /// where accepted messages go; holds the store, the clock and the log
    pub queue: Arc<Queue>,
    /// who is here
    pub directory: Arc<Directory>,
    /// counts guesses for each address
    pub guard: Arc<Guard>,
    /// for Message-IDs
    pub chance: Arc<dyn Chance>,
    /// for what is asked about strangers' messages; without it nothing is
    pub dns: Option<Arc<dyn Dns>>,
    /// and how much of that at once
    pub examining: Arc<Examinations>,
    /// for queue and blob ids
    pub ids: Arc<IdSource>,
    /// turns true when the program stops: sessions end with 421 between two commands
    pub shutdown: watch::Receiver<bool>,
}

/// The kinds of doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorKind {
    /// Mail from other servers, port 25.
    Mx,
    /// Mail from users, port 587, with STARTTLS.
    Submission,
    /// Mail from users, port 465, inside TLS.
    Submissions,
    /// Mail from local programs (RFC 2033).
    Lmtp,
    /// Mail from users of this machine, whom the kernel names.
    Local,
}

impl DoorKind {
    /// Its name in logs and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mx => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
            Self::Local => "local",
        }
    }

    pub(crate) const fn flavour(self) -> Flavour {
        match self {
            Self::Mx => Flavour::Mx,
            Self::Submission | Self::Submissions | Self::Local => Flavour::Submission,
            Self::Lmtp => Flavour::Lmtp,
        }
    }
}

/// What can be set about a door.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// our name in the banner, EHLO and Received
    pub host_name: String,
    /// a message's octets; see [`crate::limits::MESSAGE_BYTES`]
    pub max_message_bytes: u64,
    /// rules for bare CR, LF, NUL and long lines
    pub text: TextRules,
    /// sign-in without TLS: the demo's measuring tools alone
    pub insecure_auth: bool,
    /// what is done about messages that are not from whom they say
    pub genuine: Genuine,
}

/// What is done about strangers' messages that are not from whom they say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Genuine {
    /// how far it goes
    pub mode: GenuineMode,
    /// whose ARC seals are believed, canonical
    pub sealers: Vec<String>,
    /// whose wish about failing mail is noted and not followed, canonical
    pub lenient: Vec<String>,
    /// authors' domains that are refused, with everything below them, canonical
    pub refused: Vec<String>,
    /// where servers of the operator's own stand that bring others' mail
    pub brought_by: Vec<Network>,
    /// where registries end
    pub suffixes: Option<Arc<PublicSuffixes>>,
}

impl Genuine {
    /// The rules for a message of this client. `own`: domains of ours, the author's among them if it is one.
    pub fn local<'a>(&'a self, own: &'a [String], client: IpAddr) -> Local<'a> {
        Local {
            own,
            sealers: &self.sealers,
            lenient: &self.lenient,
            refused: &self.refused,
            brought: self.brought_by.iter().find(|network| network.contains(client)),
        }
    }
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GenuineMode {
    /// Nothing is asked.
    #[default]
    Off,
    /// Results are written into the message (Authentication-Results), everything is taken.
    Note,
    /// And the verdict holds: [`msgauth::policy::decide`].
    Enforce,
}

impl DoorSettings {
    /// The defaults for a host of this name.
    pub fn new(host_name: impl Into<String>) -> Self {
        Self {
            host_name: host_name.into(),
            max_message_bytes: crate::limits::MESSAGE_BYTES,
            text: TextRules::default(),
            insecure_auth: false,
            genuine: Genuine::default(),
        }
    }
}

/// A door: its kind, its TLS, its settings.
#[derive(Clone)]
pub struct Door {
    pub(crate) kind: DoorKind,
    pub(crate) tls: Option<Arc<dyn TlsServer>>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) genuine: Arc<Genuine>,
}

impl Door {
    /// STARTTLS is offered when there is a `tls`; [`DoorKind::Submissions`] cannot be without one: its connections are
    /// closed then.
    pub fn new(kind: DoorKind, tls: Option<Arc<dyn TlsServer>>, settings: DoorSettings) -> Self {
        let setup = Setup {
            host_name: settings.host_name,
            flavour: kind.flavour(),
            starttls: tls.is_some() && kind != DoorKind::Submissions,
            insecure_auth: settings.insecure_auth && kind != DoorKind::Local,
            sender: None,
            max_message_bytes: settings.max_message_bytes,
            text: settings.text,
        };
        Self {
            kind,
            tls,
            setup: Arc::new(setup),
            genuine: Arc::new(settings.genuine),
        }
    }

    /// The same for one caller, who is told whose mail theirs is.
    pub(crate) fn of_sender(&self, sender: &LocalSender) -> Self {
        let setup = Setup {
            sender: Some(sender.address().to_string()),
            ..Setup::clone(&self.setup)
        };
        Self {
            setup: Arc::new(setup),
            ..self.clone()
        }
    }

    /// Its kind.
    pub fn kind(&self) -> DoorKind {
        self.kind
    }
}
