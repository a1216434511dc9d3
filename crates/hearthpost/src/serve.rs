//! `hearthpost serve`: from the settings file to a plan.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{BareNewlines, Checked, Config, LogStderr, Problem, Road, Validation};
use mail::address::{Mailbox, Utf8};
use receive::DoorKind;
use world::clock::BoxFuture;
use world_real::clock::RealClock;
use world_real::confine::{Reach, user};
use world_real::log::{Options as LogOptions, Stderr};

use crate::control::history::{About, By, Subject};
use crate::control::{Answer, domain, history};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::limits::CONFIG_BYTES;
use crate::outward::Outward;
use crate::privileges;
use crate::sendmail;
use crate::server::{self, Kind, Plan, ReadPem};
use crate::services::Services;

/// Runs the server of `file`.
pub fn run(file: &Path, clock: Arc<RealClock>) -> Outcome<()> {
    let settings = read(file)?;
    let named = files::read(&settings).map_err(|problems| Failure::Usage(told(file, &problems)))?;
    let outward = Outward::of(&settings.config, &named);
    let domains = settings.config.domains.clone();
    let prepare = move |services: Arc<Services>| -> BoxFuture<'static, Outcome<()>> {
        Box::pin(async move { add_domains(&services, &domains).await })
    };
    server::run(
        plan(file.to_owned(), settings, outward)?,
        clock,
        Box::new(prepare),
        Box::new(|_| Ok(())),
    )
}

/// Why there are no settings.
pub enum Unread {
    /// The file cannot be read.
    File(String),
    /// What it says is wrong.
    Problems(Vec<Problem>),
}

/// Reads and checks a settings file.
pub fn read(file: &Path) -> Outcome<Checked> {
    check(file).map_err(|unread| {
        Failure::Usage(match unread {
            Unread::File(text) => text,
            Unread::Problems(problems) => told(file, &problems),
        })
    })
}

/// Reads and checks a settings file, but not the files it names.
pub fn check(file: &Path) -> Result<Checked, Unread> {
    let unreadable = |error: std::io::Error| {
        Unread::File(format!(
            "the settings in {} cannot be read: {error}. Say where they are with --config FILE.",
            file.display()
        ))
    };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened
        .take(CONFIG_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
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

/// Whether bare newlines become CRLF.
pub fn normalises(config: &Config) -> bool {
    config.bare_newlines == BareNewlines::Normalise
}

/// Where a server of these settings logs.
pub fn log_dir(config: &Config) -> std::path::PathBuf {
    config
        .log_dir
        .clone()
        .unwrap_or_else(|| config.data_dir.join("log"))
}

fn plan(file: PathBuf, settings: Checked, outward: Outward) -> Outcome<Plan> {
    let config = settings.config.clone();
    let user = privileges::choose(config.user.as_deref())?;
    let reach = reach(&config, &file);
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
    let tls = config.tls.clone().map(|files| {
        let read: ReadPem = Arc::new(move || certs::files::read(&files.certificate, &files.key));
        read
    });
    Ok(Plan {
        data: config.data_dir.clone(),
        log,
        hostname: config.hostname.clone(),
        doors,
        any_port: false,
        tls,
        insecure_auth: false,
        unpaced: false,
        message_bytes: config.message_bytes,
        normalise_newlines: normalises(&config),
        connections: config.connections,
        outward,
        source: Some((file, settings)),
        user,
        reach,
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

/// Files that are read again at a reload.
fn reach(config: &Config, file: &Path) -> Reach {
    let mut reach = Reach::default();
    for file in read_again(config, file) {
        reach.read_file(file);
    }
    reach
}

/// For whoever checks as root: files that are read at the start, but not by the user whom the server becomes, so that a reload
/// would not take new ones; or why there is no such user.
pub fn notes_for_root(config: &Config, file: &Path) -> Vec<String> {
    if !user::is_root() {
        return Vec::new();
    }
    let user = match privileges::choose(config.user.as_deref()) {
        Ok(Some(user)) => user,
        Ok(None) => return Vec::new(),
        Err(failure) => return vec![failure.to_string()],
    };
    let notes = read_again(config, file).filter_map(|file| user::may_read(&user, file).err());
    notes
        .map(|note| format!("a reload will not take a new one: {note}."))
        .collect()
}

fn read_again<'a>(config: &'a Config, file: &'a Path) -> impl Iterator<Item = &'a Path> {
    let tls = config
        .tls
        .iter()
        .flat_map(|files| [&files.certificate, &files.key]);
    let passwords = config.routes.iter().filter_map(|route| match &route.road {
        Road::Smarthost(host) => host.login.as_ref().map(|login| &login.password_file),
        Road::Mx => None,
    });
    let anchor = match &config.dns.validation {
        Validation::File(path) => Some(path),
        Validation::Off | Validation::Servers | Validation::Root => None,
    };
    let others = config.extra_roots.iter().chain(anchor);
    [file]
        .into_iter()
        .chain(tls.chain(passwords).chain(others).map(PathBuf::as_path))
}

fn addresses(config: &Config, kind: Kind) -> &[std::net::SocketAddr] {
    match kind {
        Kind::Mail(DoorKind::Mx) => &config.doors.smtp,
        Kind::Mail(DoorKind::Submission) => &config.doors.submission,
        Kind::Mail(DoorKind::Submissions) => &config.doors.submissions,
        Kind::Mail(DoorKind::Lmtp) => &config.doors.lmtp,
        // It has a socket of its own, see `local_socket`.
        Kind::Mail(DoorKind::Local) => &[],
        Kind::Imap => &config.doors.imap,
        Kind::Imaps => &config.doors.imaps,
    }
}

/// Makes the domains that are missing.
pub async fn add_domains(services: &Services, domains: &[String]) -> Outcome<()> {
    let missing = |name: &&String| services.directory.domain_settings(name).is_err();
    for name in domains.iter().filter(missing) {
        let add = domain::Request::Add {
            name: name.clone(),
            change: domain::Change::default(),
        };
        let about = About {
            by: &By::settings(),
            subjects: vec![Subject::domain(name)],
            password: false,
            undoes: None,
        };
        let work = domain::answer(&services.directory, add);
        match history::around(services, about, work).await {
            Answer::Done(_) => {}
            Answer::Refused(text) | Answer::Wrong(text) => return Err(Failure::Usage(text)),
            Answer::Failed(text) => return Err(Failure::Disk(text)),
        }
    }
    Ok(())
}
