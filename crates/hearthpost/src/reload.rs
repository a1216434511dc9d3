//! Settings and certificates are read again while the server runs (SIGHUP, `hearthpost reload`).
//!
//! 1. [`Reload::run`] reads and checks the settings file and every file it names. A problem: nothing changes, all are told.
//! 2. It makes everything that can fail, the domains last and in one commit: they stay.
//! 3. It hands the new values on, which cannot fail: all of them count, or none. Sessions that exist go on with what they began with.
//! 4. It says what counts now and what takes a restart.
//!
//! A server without a settings file (the demo) has nothing to read again.

use std::path::PathBuf;
use std::sync::Arc;

use config::{Checked, Config, Problem, Takes};
use receive::{Genuine, GenuineMode};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};
use world::clock::UnixMs;
use world_real::keeper::Keeper;
use world_real::tls::Identity;
use world_real::tlsa::KeyHash;

use crate::events::ProgramEvent;
use crate::files::{self, Named, Shelf};
use crate::outward::{Outgoing, Outward, Prepared};
use crate::serve::{self, Unread};
use crate::server::Tls;
use crate::services::Services;
use crate::serving::Serving;

/// Settings that belong together: a certificate where there was none takes new doors.
const TLS_FILES: [&str; 2] = ["tls.certificate", "tls.key"];

/// Reads settings again and hands them on.
pub struct Reload {
    file: Option<(PathBuf, Keeper)>,
    tls: Option<Tls>,
    next_tlsa: parking_lot::Mutex<Option<KeyHash>>,
    read_again: Notify,
    serving: Arc<Serving>,
    outgoing: Arc<Outgoing>,
    /// one reload at a time; `None` without a settings file
    state: Mutex<Option<State>>,
}

struct State {
    /// as of the start: what takes a restart is compared with it
    started: Checked,
    now: Checked,
}

/// What a reload did.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// settings that changed and count now
    pub changed: Vec<String>,
    /// settings that differ from those of the start, and count after the next one
    pub restart: Vec<String>,
    /// whether the certificate files were read
    pub certificates: bool,
}

/// Why nothing changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// The settings or the files they name are wrong; all that is, in words.
    Settings(String),
    /// The store refused.
    Store(String),
}

impl Reload {
    /// For a server that started with these settings.
    pub fn new(
        source: Option<(PathBuf, Checked, Keeper)>,
        (tls, next_tlsa): (Option<Tls>, Option<KeyHash>),
        serving: Arc<Serving>,
        outgoing: Arc<Outgoing>,
    ) -> Self {
        let (file, state) = match source {
            Some((file, started, keeper)) => {
                let now = started.clone();
                (Some((file, keeper)), Some(State { started, now }))
            }
            None => (None, None),
        };
        Self {
            file,
            tls,
            next_tlsa: parking_lot::Mutex::new(next_tlsa),
            read_again: Notify::new(),
            serving,
            outgoing,
            state: Mutex::new(state),
        }
    }

    /// When our certificate ends.
    pub fn certificate_until(&self) -> Option<UnixMs> {
        self.tls.as_ref().and_then(Tls::until)
    }

    /// The hash of its key.
    pub fn tlsa(&self) -> Option<KeyHash> {
        self.tls.as_ref().and_then(Tls::key)
    }

    /// The certificates that are shown, in DER, our own first; none without TLS.
    pub fn chain(&self) -> Arc<[Vec<u8>]> {
        self.tls.as_ref().map_or_else(|| Vec::new().into(), Tls::chain)
    }

    /// The hash of the key of the certificate that comes next.
    pub fn next_tlsa(&self) -> Option<KeyHash> {
        *self.next_tlsa.lock()
    }

    /// What is done now about mail that is not from whom it says.
    pub fn genuine_mode(&self) -> GenuineMode {
        self.serving.genuine_mode()
    }

    /// Whether there is a settings file: a demo has none.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Ends when the settings and the certificate were read again.
    pub async fn read_again(&self) {
        self.read_again.notified().await;
    }

    /// Reads everything again, and tells the log how it went.
    ///
    /// # Errors
    /// Nothing changed.
    pub async fn run(&self, services: &Services) -> Result<Report, Kept> {
        let outcome = self.read_and_apply(services).await;
        let event = match &outcome {
            Ok(report) => ProgramEvent::SettingsRead {
                changed: report.changed.join(" "),
                restart: report.restart.join(" "),
            },
            Err(Kept::Settings(reason) | Kept::Store(reason)) => ProgramEvent::SettingsKept {
                reason: reason.clone(),
            },
        };
        services.events.emit(&event);
        outcome
    }

    async fn read_and_apply(&self, services: &Services) -> Result<Report, Kept> {
        let mut state = self.state.lock().await;
        let (Some(file), Some(state)) = (&self.file, state.as_mut()) else {
            return Ok(Report::default());
        };
        let (path, keeper) = file.clone();
        let read = tokio::task::spawn_blocking(move || checked(&path, &keeper)).await;
        let (new, named) =
            read.map_err(|_| Kept::Settings("the settings could not be read. Look at the log.".to_owned()))??;
        let report = report(state, &new, self.tls.is_some());
        let config = in_effect(&new.config, &state.started.config);
        let outward = self
            .outgoing
            .prepare(Outward::of(&config, &named))
            .map_err(Kept::Settings)?;
        serve::add_domains(services, &new.config.domains)
            .await
            .map_err(|failure| Kept::Store(failure.to_string()))?;
        let genuine = serve::genuine(&config, named.suffixes);
        self.put(&config, (outward, genuine), named.identity, services);
        *self.next_tlsa.lock() = named.next_tlsa;
        self.read_again.notify_one();
        services.keys.follow(named.signers, config.dkim_rotate).await;
        state.now = new;
        Ok(report)
    }

    /// Nothing here can fail.
    fn put(
        &self,
        config: &Config,
        (outward, genuine): (Prepared, Genuine),
        identity: Option<Identity>,
        services: &Services,
    ) {
        self.outgoing.put(outward);
        if let (Some(tls), Some(identity)) = (&self.tls, identity) {
            tls.put(identity);
            services.events.emit(&ProgramEvent::CertificatesRead);
        }
        self.serving
            .put(config.message_bytes, serve::normalises(config), genuine);
    }
}

fn checked(file: &std::path::Path, keeper: &Keeper) -> Result<(Checked, Named), Kept> {
    let wrong = |problems: Vec<Problem>| Kept::Settings(serve::told(file, &problems));
    let shelf = Shelf::of(keeper).map_err(Kept::Settings)?;
    let checked = serve::check(file, &shelf).map_err(|unread| match unread {
        Unread::File(text) => Kept::Settings(text),
        Unread::Problems(problems) => wrong(problems),
    })?;
    let named = files::read(&checked, &shelf).map_err(wrong)?;
    Ok((checked, named))
}

/// What differs, by when it counts.
fn report(state: &State, new: &Checked, has_tls: bool) -> Report {
    let at_start = |name: &str, takes: Takes| {
        let tls_comes_or_goes = has_tls != new.config.tls.is_some() && TLS_FILES.contains(&name);
        takes == Takes::Restart || tls_comes_or_goes
    };
    let changed = state.now.changes(new);
    let pending = state.started.changes(new);
    Report {
        changed: changed
            .iter()
            .filter(|change| !at_start(change.name, change.takes))
            .map(|change| change.name.to_owned())
            .collect(),
        restart: pending
            .iter()
            .filter(|change| at_start(change.name, change.takes))
            .map(|change| change.name.to_owned())
            .collect(),
        certificates: has_tls && new.config.tls.is_some(),
    }
}

/// The new settings, but for those that take a restart.
fn in_effect(new: &Config, started: &Config) -> Config {
    let mut config = Config {
        data_dir: started.data_dir.clone(),
        hostname: started.hostname.clone(),
        doors: started.doors.clone(),
        connections: started.connections,
        message_limit: started.message_limit,
        save_limit: started.save_limit,
        log_dir: started.log_dir.clone(),
        log_stderr: started.log_stderr,
        ..new.clone()
    };
    // Not named, they follow the host name.
    let delivery = &mut config.deliver;
    for name in [&mut delivery.ehlo_name, &mut delivery.ehlo_name_v6] {
        if *name == new.hostname {
            name.clone_from(&started.hostname);
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n\
                        tls.certificate = \"/c\"\ntls.key = \"/k\"\n";

    fn state() -> State {
        let started = config::read(FILE).unwrap();
        State {
            now: started.clone(),
            started,
        }
    }

    #[test]
    fn what_takes_a_restart_is_said_as_long_as_it_differs_from_the_start() {
        let mut state = state();
        let new = FILE.replace("mail.", "mx.") + "queue.give_up = \"3 days\"\n";
        let new = config::read(&new).unwrap();
        let first = report(&state, &new, true);
        assert_eq!(first.changed, ["queue.give_up"]);
        assert_eq!(first.restart, ["hostname"]);
        state.now = new.clone();
        let again = report(&state, &new, true);
        assert_eq!(again.changed, Vec::<String>::new(), "it counts already");
        assert_eq!(again.restart, ["hostname"], "still");
        let effect = in_effect(&new.config, &state.started.config);
        assert_eq!(effect.deliver.ehlo_name, "mail.example.org");
        assert_eq!(effect.queue.give_up.as_secs(), 3 * 86_400);
    }

    #[test]
    fn certificates_move_at_once_but_cannot_come_or_go() {
        let new = config::read(&FILE.replace("\"/c\"", "\"/new\"")).unwrap();
        assert_eq!(report(&state(), &new, true).changed, ["tls.certificate"]);
        let none = config::read(FILE.split_once("tls.").unwrap().0).unwrap();
        let report = report(&state(), &none, true);
        assert_eq!(report.restart, ["tls.certificate", "tls.key"]);
        assert!(!report.certificates);
    }
}
