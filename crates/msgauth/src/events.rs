//! What this crate tells the log about the TLS of other domains.

use world::events::{Event, Severity, Value};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEvent {
    /// `tls.policy-found`: a domain's MTA-STS policy was fetched, and is new or another one.
    PolicyFound {
        /// whose
        domain: String,
        /// `enforce`, `testing`, `none`
        mode: &'static str,
        /// what its record calls it
        id: String,
        /// for how long it counts, in seconds
        max_age_s: u64,
    },
    /// `tls.policy-missing`: a domain says that it has an MTA-STS policy, and it cannot be fetched.
    PolicyMissing {
        /// whose
        domain: String,
        /// why
        reason: String,
        /// whether an older policy counts meanwhile
        older_counts: bool,
    },
    /// `tls.stage-reached`: a domain has shown verified TLS for long enough to climb a stage.
    StageReached {
        /// which
        domain: String,
        /// `observe`, `warn`, `require`
        stage: &'static str,
        /// days with good sessions
        days: u64,
    },
    /// `tls.downgraded`: a domain that had always shown verified TLS did not; mail went as it would have.
    Downgraded {
        /// which
        domain: String,
        /// at which host
        host: String,
        /// what there was instead
        reason: String,
        /// days with good sessions before; 0: the shipped list says that it has it
        days: u64,
    },
    /// `tls.withheld`: a domain on the list of those that must have TLS does not have it; mail for it waits. Told once a day.
    Withheld {
        /// which
        domain: String,
        /// at which host
        host: String,
        /// what there was instead
        reason: String,
        /// who put it on the list: `operator`, `shipped`, `learned`
        by: &'static str,
    },
    /// `tls.memory-damaged`: a file of what is remembered was not what was written. It was put aside and is begun anew.
    MemoryDamaged {
        /// which
        file: String,
    },
    /// `tls.memory-refused`: what is remembered could not be written. It is tried again; told at once, and then once an hour.
    MemoryRefused {
        /// which file
        file: String,
        /// why
        reason: String,
    },
    /// `tls.memory-taken`: what is remembered could be written again after it was refused.
    MemoryTaken {
        /// which file
        file: String,
    },
}

impl Event for TlsEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::PolicyFound { .. } => "tls.policy-found",
            Self::PolicyMissing { .. } => "tls.policy-missing",
            Self::StageReached { .. } => "tls.stage-reached",
            Self::Downgraded { .. } => "tls.downgraded",
            Self::Withheld { .. } => "tls.withheld",
            Self::MemoryDamaged { .. } => "tls.memory-damaged",
            Self::MemoryRefused { .. } => "tls.memory-refused",
            Self::MemoryTaken { .. } => "tls.memory-taken",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::PolicyFound { .. } | Self::StageReached { .. } | Self::MemoryTaken { .. } => Severity::Info,
            Self::PolicyMissing { .. } | Self::Downgraded { .. } | Self::MemoryDamaged { .. } => {
                Severity::Warning
            }
            Self::Withheld { .. } | Self::MemoryRefused { .. } => Severity::Alert,
        }
    }

    fn queue_id(&self) -> Option<mail::ids::QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::PolicyFound { domain, mode, .. } => {
                format!("{domain} has an MTA-STS policy, mode {mode}.")
            }
            Self::PolicyMissing {
                domain,
                reason,
                older_counts,
            } => {
                let meanwhile = match older_counts {
                    true => "The policy that was fetched before still counts.",
                    false => "Mail goes there as if it had none; it is asked for again.",
                };
                format!("{domain} says that it has an MTA-STS policy, but {reason}. {meanwhile}")
            }
            Self::StageReached { domain, stage, days } => {
                let next = match *stage {
                    "observe" => format!("To require it: hearthpost tls require {domain}"),
                    "warn" => "From now on a downgrade is told.".to_owned(),
                    _ => format!(
                        "From now on mail waits where it has none. To take it back: hearthpost tls remove {domain}"
                    ),
                };
                format!("{domain} has shown verified TLS on {days} days (stage {stage}). {next}")
            }
            Self::Downgraded {
                domain,
                host,
                reason,
                days,
            } => {
                let before = match days {
                    0 => format!(
                        "{domain} is on the shipped list of domains with verified TLS, and does not have it"
                    ),
                    _ => format!("{domain} had shown verified TLS on {days} days and no longer does"),
                };
                format!(
                    "{before}: {host}: {reason}. Mail goes there as before. If that is an attack, stop it: hearthpost tls require {domain}"
                )
            }
            Self::Withheld {
                domain, host, reason, ..
            } => format!(
                "Mail for {domain} waits: the domain must have TLS, and {host} has not: {reason}. Ask its postmaster. \
                 If it has given TLS up for good: hearthpost tls remove {domain}"
            ),
            Self::MemoryDamaged { file } => format!(
                "The file {file} of what is remembered about the TLS of others was damaged. It was put aside as {file}.damaged and is begun anew."
            ),
            Self::MemoryRefused { file, reason } => format!(
                "What is remembered about the TLS of others cannot be written to {file}: {reason}. Check the disk's free space and the directory's owner."
            ),
            Self::MemoryTaken { file } => {
                format!("What is remembered about the TLS of others is written to {file} again.")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::PolicyFound {
                domain,
                mode,
                id,
                max_age_s,
            } => {
                field("domain", Value::Text(domain));
                field("mode", Value::Text(mode));
                field("id", Value::Text(id));
                field("max_age_s", Value::Number(*max_age_s));
            }
            Self::PolicyMissing {
                domain,
                reason,
                older_counts,
            } => {
                field("domain", Value::Text(domain));
                field("reason", Value::Text(reason));
                field("older_counts", Value::Flag(*older_counts));
            }
            Self::StageReached { domain, stage, days } => {
                field("domain", Value::Text(domain));
                field("stage", Value::Text(stage));
                field("days", Value::Number(*days));
            }
            Self::Downgraded {
                domain,
                host,
                reason,
                days,
            } => {
                field("domain", Value::Text(domain));
                field("host", Value::Text(host));
                field("reason", Value::Text(reason));
                field("days", Value::Number(*days));
            }
            Self::Withheld {
                domain,
                host,
                reason,
                by,
            } => {
                field("domain", Value::Text(domain));
                field("host", Value::Text(host));
                field("reason", Value::Text(reason));
                field("by", Value::Text(by));
            }
            Self::MemoryDamaged { file } | Self::MemoryTaken { file } => field("file", Value::Text(file)),
            Self::MemoryRefused { file, reason } => {
                field("file", Value::Text(file));
                field("reason", Value::Text(reason));
            }
        }
    }
}
