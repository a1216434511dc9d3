//! `hearthpost serve`: from the settings file to a plan.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::imap::MessageLimit;
use config::{Authenticity, BareNewlines, Checked, Config, LogStderr, Problem, Road, Validation};
use mail::address::{Mailbox, Utf8};
use msgauth::network::Network;
use msgauth::suffixes::PublicSuffixes;
use receive::{DoorKind, Genuine, GenuineMode};
use world::clock::BoxFuture;
use world_real::clock::RealClock;
use world_real::confine::user;
use world_real::dns::system::HOSTS_FILE;
use world_real::keeper::Keeper;
use world_real::log::{Options as LogOptions, Stderr};

use crate::control::history::{About, By, Subject};
use crate::control::{Answer, history};
use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::keeper;
use crate::limits::CONFIG_BYTES;
use crate::openings;
use crate::outward::Outward;
use crate::privileges;
use crate::sendmail;
use crate::server::{self, Kind, Plan};
use crate::services::Services;

/// Runs the server of `file`.
pub fn run(file: &Path, clock: Arc<RealClock>) -> Outcome<()> {
    let handed = openings::handed()?;
    // The same path here and there, whatever directory either is started in.
    let file = &std::path::absolute(file).map_err(|error| Failure::Disk(error.to_string()))?;
    let (keeper, pulse) = keeper::start(file)?;
    let shelf = Shelf::of(&keeper).map_err(Failure::Disk)?;
    let settings = check(file, &shelf).map_err(|unread| unread.failure(file))?;
    let named = files::read(&settings, &shelf).map_err(|problems| Failure::Usage(told(file, &problems)))?;
    let outward = Outward::of(&settings.config, &named);
    let genuine = genuine(&settings.config, named.suffixes);
    let domains = settings.config.domains.clone();
    let prepare = move |services: Arc<Services>| -> BoxFuture<'static, Outcome<()>> {
        Box::pin(async move { add_domains(&services, &domains).await })
    };
    let plan = Plan {
        handed,
        keeper: Some(pulse),
        tls: named.identity,
        genuine,
        signers: named.signers,
        next_tlsa: named.next_tlsa,
        ..plan(file.to_owned(), (settings, keeper), outward)?
    };
    server::run(plan, clock, Box::new(prepare), Box::new(|_| Ok(())))
}

/// Why there are no settings.
pub enum Unread {
    /// The file cannot be read.
    File(String),
    /// What it says is wrong.
    Problems(Vec<Problem>),
}

impl Unread {
    fn failure(self, file: &Path) -> Failure {
        Failure::Usage(match self {
            Self::File(text) => text,
            Self::Problems(problems) => told(file, &problems),
        })
    }
}

/// Reads and checks a settings file.
pub fn read(file: &Path) -> Outcome<Checked> {
    check(file, &Shelf::Disk).map_err(|unread| unread.failure(file))
}

/// Reads and checks a settings file, but not the files it names.
pub fn check(file: &Path, shelf: &Shelf) -> Result<Checked, Unread> {
    let unreadable = |error: std::io::Error| {
        let next = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "Run this as a user who may read them, or with sudo.",
            _ => "Say where they are with --config FILE.",
        };
        Unread::File(format!(
            "the settings in {} cannot be read: {error}. {next}",
            file.display()
        ))
    };
    let mut bytes = shelf.contents(file, CONFIG_BYTES).map_err(unreadable)?.bytes;
    bytes.truncate(usize::try_from(CONFIG_BYTES).unwrap_or(usize::MAX));
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })?;
    config::read(&text).map_err(Unread::Problems)
}

/// Problems for people, one a line.
pub fn told(file: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    let count = match problems.len() {
        1 => "a problem".to_owned(),
        many => format!("{many} problems"),
    };
    format!(
        "the settings in {} have {count}:\n{}",
        file.display(),
        lines.join("\n")
    )
}

/// What the settings say of it: at most one of the two is there.
fn message_limit(config: &Config) -> Option<MessageLimit> {
    let all = config
        .message_limit
        .and_then(NonZeroU32::new)
        .map(MessageLimit::All);
    all.or_else(|| {
        config
            .save_limit
            .and_then(NonZeroU32::new)
            .map(MessageLimit::Saving)
    })
}

/// Whether bare newlines become CRLF.
pub fn normalises(config: &Config) -> bool {
    config.bare_newlines == BareNewlines::Normalise
}

/// What is done about mail that is not from whom it says.
pub fn genuine(config: &Config, suffixes: Option<Arc<PublicSuffixes>>) -> Genuine {
    Genuine {
        mode: match config.authenticity {
            Authenticity::Off => GenuineMode::Off,
            Authenticity::Note => GenuineMode::Note,
            Authenticity::Enforce => GenuineMode::Enforce,
        },
        sealers: config.arc_sealers.clone(),
        lenient: config.lenient_domains.clone(),
        refused: config.refused_domains.clone(),
        brought_by: (config.own_servers.iter())
            .map(|(address, bits)| Network::new(*address, *bits))
            .collect(),
        suffixes,
    }
}

/// Where a server of these settings logs.
pub fn log_dir(config: &Config) -> std::path::PathBuf {
    config
        .log_dir
        .clone()
        .unwrap_or_else(|| config.data_dir.join("log"))
}

fn plan(file: PathBuf, (settings, keeper): (Checked, Keeper), outward: Outward) -> Outcome<Plan> {
    let config = settings.config.clone();
    let user = privileges::choose(config.user.as_deref())?;
    let log = LogOptions {
        stderr: match config.log_stderr {
            LogStderr::Human => Stderr::Human,
            LogStderr::Json => Stderr::Json,
            LogStderr::Off => Stderr::Quiet,
        },
        ..LogOptions::files(log_dir(&config))
    };
    let mut doors = Vec::new();
    for (kind, addresses) in Kind::ALL.into_iter().map(|kind| (kind, addresses(&config, kind))) {
        doors.extend(addresses.iter().map(|address| (kind, *address)));
    }
    Ok(Plan {
        data: config.data_dir.clone(),
        log,
        hostname: config.hostname.clone(),
        doors,
        any_port: false,
        handed: Vec::new(),
        keeper: None,
        tls: None,
        insecure_auth: false,
        unpaced: false,
        message_bytes: config.message_bytes,
        message_limit: message_limit(&config),
        normalise_newlines: normalises(&config),
        genuine: Genuine::default(),
        signers: Vec::new(),
        rotate_keys: config.dkim_rotate,
        next_tlsa: None,
        connections: config.connections,
        outward,
        source: Some((file, settings, keeper)),
        user,
        local: local_socket(&config),
        local_users: local_users(&config)?,
    })
}

fn local_socket(config: &Config) -> Option<PathBuf> {
    match &config.local.socket {
        None => Some(config.data_dir.join(sendmail::SOCKET)),
        Some(off) if off.as_os_str().is_empty() => None,
        Some(path) => Some(path.clone()),
    }
}

fn local_users(config: &Config) -> Outcome<Vec<(u32, Mailbox)>> {
    let one = |(name, address): &(String, String)| {
        let found = user::find(name).ok_or_else(|| {
            Failure::Usage(format!(
                "doors.local_users: this machine has no user {name:?}. Write a name from /etc/passwd, or a number."
            ))
        })?;
        let address = Mailbox::parse(address, Utf8::Allowed)
            .map_err(|error| Failure::Usage(format!("doors.local_users: {address:?}: {error}.")))?;
        Ok((found.uid, address))
    };
    config.local.users.iter().map(one).collect()
}

/// About a server that takes mail from others and asks nothing about it.
pub const UNEXAMINED: &str = "smtp.authenticity is off: mail from other servers is taken whoever it claims to be from, your own domains included. Write \
                          smtp.authenticity = \"note\" to see what would be refused, then \"enforce\".";

/// For whoever checks: what is no problem, but less than it could be.
pub fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if user::is_root()
        && let Err(failure) = privileges::choose(config.user.as_deref())
    {
        notes.push(failure.to_string());
    }
    let open = config
        .tls
        .iter()
        .filter(|files| files.key.starts_with(&config.data_dir));
    notes.extend(open.map(|files| {
        format!(
            "the key {} lies in the data directory, which the server itself can read. Move it elsewhere, and only the keeper \
             can.",
            files.key.display()
        )
    }));
    notes.extend(config::weaker_fallbacks(&config.routes));
    if config.authenticity == Authenticity::Off && !config.doors.smtp.is_empty() {
        notes.push(UNEXAMINED.to_owned());
    }
    notes
}

/// Files that the settings name and the server may see: all but the key; and the hosts file when a name must be found.
pub fn named(config: &Config) -> impl Iterator<Item = &Path> {
    let certificate = config.tls.iter().map(|files| &files.certificate);
    let passwords = config.routes.iter().filter_map(|route| match &route.road {
        Road::Smarthost(host) => host.login.as_ref().map(|login| &login.password_file),
        Road::Mx => None,
    });
    let anchor = match &config.dns.validation {
        Validation::File(path) => Some(path),
        Validation::Off | Validation::Servers | Validation::Root => None,
    };
    let others = config.extra_roots.iter().chain(&config.next_certificate);
    let others = others.chain(anchor).chain(&config.dkim_keys);
    let suffixes = config.public_suffixes.as_deref();
    let named = certificate.chain(passwords).chain(others).map(PathBuf::as_path);
    let named = named.chain([suffixes.unwrap_or(Path::new(files::USUAL_SUFFIXES))]);
    named.chain(files::names_servers(config).then_some(Path::new(HOSTS_FILE)))
}

/// Where a kind of door listens.
pub fn addresses(config: &Config, kind: Kind) -> &[std::net::SocketAddr] {
    match kind {
        Kind::Mail(DoorKind::Mx) => &config.doors.smtp,
        Kind::Mail(DoorKind::Submission) => &config.doors.submission,
        Kind::Mail(DoorKind::Submissions) => &config.doors.submissions,
        Kind::Mail(DoorKind::Lmtp) => &config.doors.lmtp,
        // It has a socket of its own, see `local_socket`.
        Kind::Mail(DoorKind::Local) => &[],
        Kind::Imap => &config.doors.imap,
        Kind::Imaps => &config.doors.imaps,
        Kind::Pop3 => &config.doors.pop3,
        Kind::Pop3s => &config.doors.pop3s,
    }
}

/// Makes the domains that are missing: all of them or none.
pub async fn add_domains(services: &Services, domains: &[String]) -> Outcome<()> {
    let about = About {
        by: &By::settings(),
        subjects: domains.iter().map(|name| Subject::domain(name)).collect(),
        undoes: None,
    };
    let work = async { Answer::from_admin(services.directory.add_domains(domains).await) };
    match history::around(services, about, work).await {
        Answer::Done(_) => Ok(()),
        Answer::Refused(text) | Answer::Wrong(text) => Err(Failure::Usage(text)),
        Answer::Failed(text) => Err(Failure::Disk(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_settings_are_in_order_and_who_leaves_authors_unexamined_is_told() {
        let sample = include_str!("../../../packaging/hearthpost.toml");
        let read = |text: &str| config::read(text).unwrap().config;
        let tells = |config: &Config| notes(config).iter().any(|note| note == UNEXAMINED);
        let config = read(sample);
        assert_eq!(config.authenticity, Authenticity::Note);
        assert!(!tells(&config));
        let silent = sample.replace("authenticity = \"note\"", "");
        assert!(tells(&read(&silent)));
        let no_strangers = silent.replace("smtp = [\"0.0.0.0:25\", \"[::]:25\"]", "");
        assert!(
            !tells(&read(&no_strangers)),
            "nobody brings mail that could be examined"
        );
    }
}
