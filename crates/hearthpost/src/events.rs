//! What the program itself tells the log.

use std::net::SocketAddr;

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};
use world_real::confine::{Confined, Held};

/// One thing that happened to the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEvent {
    /// `program.started`: every door is open.
    Started {
        /// version of the program
        version: &'static str,
        /// from the beginning of main
        duration_ms: u64,
    },
    /// `program.door-open`: a listener takes connections.
    DoorOpen {
        /// which
        door: &'static str,
        /// where
        address: SocketAddr,
    },
    /// `program.door-lost`: a listener failed for good.
    DoorLost {
        /// which
        door: &'static str,
        /// why
        reason: String,
    },
    /// `program.panic`: one connection or job was closed by a fault of ours.
    Panic {
        /// which door or job
        job: &'static str,
        /// the panic's own text
        message: String,
    },
    /// `program.panic-place`: where the program's own fault is; written before `program.panic`.
    PanicPlace {
        /// name of the thread
        thread: String,
        /// text and place
        message: String,
    },
    /// `program.stopping`: the server was told to stop; no door takes connections any more.
    Stopping {
        /// connections that are still open
        connections: u64,
    },
    /// `program.stopped`: everything is closed, the log is the last.
    Stopped {
        /// connections that did not end in time and were cut
        cut: u64,
        /// from the signal
        duration_ms: u64,
    },
    /// `program.control`: somebody used the control socket.
    Control {
        /// which command
        command: &'static str,
        /// user id of the caller
        uid: u64,
    },
    /// `program.control-refused`: somebody who may not used the control socket.
    ControlRefused {
        /// user id of the caller
        uid: u64,
    },
    /// `program.settings-read`: the settings file was read again; sessions that exist go on with what they began with.
    SettingsRead {
        /// names of settings that changed and count now
        changed: String,
        /// names of settings that differ from those of the start and take a restart
        restart: String,
    },
    /// `program.settings-kept`: the settings file or a file it names is wrong, so nothing changed.
    SettingsKept {
        /// every problem
        reason: String,
    },
    /// `program.certificates-read`: new handshakes use them.
    CertificatesRead,
    /// `program.certificate-ends`: the certificate in use ends soon or has ended.
    CertificateEnds {
        /// when (RFC 3339)
        until: String,
        /// within so many days; 0: it has ended
        days: u64,
    },
    /// `program.tlsa-lacks`: DNS has TLSA records of this server, and none fits the certificate.
    TlsaLacks {
        /// where the record should be
        name: String,
        /// the certificate that comes next; false: the one in use
        next: bool,
    },
    /// `program.keeper-lost`: the process that keeps the key has ended; the server stops, to be started again.
    KeeperLost {
        /// why
        reason: String,
    },
    /// `program.confined`: the server has given up what serving does not need.
    Confined {
        /// user id of the process
        uid: u64,
        /// Landlock: whether the rest of the file system is out of reach
        files: String,
        /// seccomp: whether system calls are refused that serving does not need
        syscalls: String,
        /// whether no further door can be opened
        doors: String,
        /// whether all of them hold
        fully: bool,
    },
}

impl ProgramEvent {
    /// What was given up, and whether the kernel holds us to it.
    pub fn confined(confined: &Confined, sealed: &Held) -> Self {
        Self::Confined {
            uid: u64::from(confined.uid),
            files: confined.files.to_string(),
            syscalls: confined.syscalls.to_string(),
            doors: sealed.to_string(),
            fully: [&confined.files, &confined.syscalls, sealed]
                .iter()
                .all(|held| **held == Held::Fully),
        }
    }
}

impl Event for ProgramEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "program.started",
            Self::DoorOpen { .. } => "program.door-open",
            Self::DoorLost { .. } => "program.door-lost",
            Self::Panic { .. } => "program.panic",
            Self::PanicPlace { .. } => "program.panic-place",
            Self::Stopping { .. } => "program.stopping",
            Self::Stopped { .. } => "program.stopped",
            Self::Control { .. } => "program.control",
            Self::ControlRefused { .. } => "program.control-refused",
            Self::SettingsRead { .. } => "program.settings-read",
            Self::SettingsKept { .. } => "program.settings-kept",
            Self::CertificatesRead => "program.certificates-read",
            Self::CertificateEnds { .. } => "program.certificate-ends",
            Self::TlsaLacks { .. } => "program.tlsa-lacks",
            Self::KeeperLost { .. } => "program.keeper-lost",
            Self::Confined { .. } => "program.confined",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::DoorLost { .. }
            | Self::Panic { .. }
            | Self::PanicPlace { .. }
            | Self::KeeperLost { .. }
            | Self::SettingsKept { .. }
            | Self::CertificateEnds { days: 0..=5, .. }
            | Self::TlsaLacks { next: false, .. } => Severity::Alert,
            Self::ControlRefused { .. }
            | Self::Confined { fully: false, .. }
            | Self::CertificateEnds { .. }
            | Self::TlsaLacks { .. } => Severity::Warning,
            _ => Severity::Info,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::Started { version, duration_ms } => {
                format!("Hearthpost {version} started in {duration_ms} ms")
            }
            Self::DoorOpen { door, address } => format!("The door {door} is open on {address}"),
            Self::DoorLost { door, reason } => {
                format!(
                    "The door {door} is lost ({reason}): the server stops, so that whoever watches it starts it again"
                )
            }
            Self::Panic { job, message } => {
                format!("A fault in {job} closed one connection: {message}. Please report it with this line")
            }
            Self::PanicPlace { thread, message } => {
                format!("The thread {thread} met a fault of ours: {message}")
            }
            Self::Stopping { connections } => format!("Stopping; {connections} connections are asked to end"),
            Self::Stopped { cut, duration_ms } => {
                format!("Stopped after {duration_ms} ms; {cut} connections were cut")
            }
            Self::Control { command, uid } => format!("User {uid} ran {command} over the control socket"),
            Self::ControlRefused { uid } => format!("User {uid} may not use the control socket"),
            Self::SettingsRead { changed, restart } => match (changed.as_str(), restart.as_str()) {
                ("", "") => "The settings were read again; nothing changed".to_owned(),
                (changed, "") => format!("The settings were read again; these count now: {changed}"),
                ("", restart) => format!("The settings were read again; these take a restart: {restart}"),
                (changed, restart) => format!(
                    "The settings were read again; these count now: {changed}; these take a restart: {restart}"
                ),
            },
            Self::SettingsKept { reason } => {
                format!("The settings cannot be used, so those in memory stay: {reason}")
            }
            Self::CertificatesRead => "The certificate files were read again".to_owned(),
            Self::CertificateEnds { until, days: 0 } => {
                format!(
                    "The certificate ended at {until}: mail programs and servers refuse it. Get a new one, then: hearthpost reload"
                )
            }
            Self::CertificateEnds { until, .. } => {
                format!("The certificate ends at {until}. Get a new one, then: hearthpost reload")
            }
            Self::TlsaLacks { name, next: false } => format!(
                "No TLSA record at {name} fits the certificate in use, so servers that check DANE bring no mail. Publish it now: hearthpost dns \
                 records"
            ),
            Self::TlsaLacks { name, next: true } => format!(
                "No TLSA record at {name} fits the certificate that comes next. Publish it a day before that certificate is used: hearthpost dns \
                 records"
            ),
            Self::KeeperLost { reason } => {
                format!(
                    "The process that keeps the key is gone ({reason}), and without it no connection can be encrypted: the server stops. \
                     Start it again; a service manager does so by itself"
                )
            }
            Self::Confined {
                uid, files, syscalls, ..
            } => {
                format!("Serving as user {uid} without privileges; Landlock: {files}; seccomp: {syscalls}")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Started { version, duration_ms } => {
                field("version", Value::Text(version));
                field("duration_ms", Value::Number(*duration_ms));
            }
            Self::DoorOpen { door, address } => {
                field("door", Value::Text(door));
                field("address", Value::Text(&address.to_string()));
            }
            Self::DoorLost { door, reason } => {
                field("door", Value::Text(door));
                field("reason", Value::Text(reason));
            }
            Self::Stopping { connections } => {
                field("connections", Value::Number(*connections));
            }
            Self::Panic { job, message } => {
                field("job", Value::Text(job));
                field("message", Value::Text(message));
            }
            Self::PanicPlace { thread, message } => {
                field("thread", Value::Text(thread));
                field("message", Value::Text(message));
            }
            Self::Stopped { cut, duration_ms } => {
                field("cut", Value::Number(*cut));
                field("duration_ms", Value::Number(*duration_ms));
            }
            Self::Control { command, uid } => {
                field("command", Value::Text(command));
                field("uid", Value::Number(*uid));
            }
            Self::ControlRefused { uid } => field("uid", Value::Number(*uid)),
            Self::CertificatesRead => {}
            Self::CertificateEnds { until, days } => {
                field("until", Value::Text(until));
                field("days", Value::Number(*days));
            }
            Self::TlsaLacks { name, next } => {
                field("name", Value::Text(name));
                field("next", Value::Flag(*next));
            }
            Self::SettingsRead { changed, restart } => {
                field("changed", Value::Text(changed));
                field("restart", Value::Text(restart));
            }
            Self::SettingsKept { reason } | Self::KeeperLost { reason } => {
                field("reason", Value::Text(reason));
            }
            Self::Confined {
                uid,
                files,
                syscalls,
                doors,
                fully,
            } => {
                field("uid", Value::Number(*uid));
                field("files", Value::Text(files));
                field("syscalls", Value::Text(syscalls));
                field("doors", Value::Text(doors));
                field("fully", Value::Flag(*fully));
            }
        }
    }
}
