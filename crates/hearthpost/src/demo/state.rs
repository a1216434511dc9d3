//! What the demo remembers beside the store: passwords, so that it can print them again, and the ports it had.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use directory::{Password, Verifier};
use serde::{Deserialize, Serialize};
use world_real::chance::RealChance;

use super::DOMAIN;
use crate::exit::{Failure, Outcome};

/// The file's name.
pub const FILE: &str = "demo.json";
/// Who there is beside the bulk users.
pub const PEOPLE: [&str; 2] = ["alice", "bob"];

/// The file's content. Never printed by `Debug`.
#[derive(Serialize, Deserialize)]
pub struct State {
    /// in the order of [`PEOPLE`]
    pub users: Vec<User>,
    /// once `--users` was given
    pub bulk: Option<Bulk>,
    /// ports of the last start; the next one tries them again, so that mail programs need not be told anew
    #[serde(default)]
    ports: BTreeMap<String, u16>,
    /// users who have another password by now
    #[serde(skip)]
    changed: OnceLock<Vec<String>>,
}

/// Somebody who can sign in.
#[derive(Serialize, Deserialize)]
pub struct User {
    /// main address
    pub address: String,
    /// in the clear: this is a demo
    pub password: String,
}

/// What the bulk users share.
#[derive(Serialize, Deserialize)]
pub struct Bulk {
    /// in the clear
    pub password: String,
    /// PHC string: one for all of them, so that making them costs one hash
    pub verifier: String,
}

impl State {
    /// Reads the file, or makes passwords and writes it, before any account exists.
    pub fn provide(dir: &Path, users: u32) -> Outcome<Self> {
        let path = dir.join(FILE);
        let mut state = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::Usage(format!(
                    "{} cannot be read: {error}. Remove it, or name another --dir.",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let state = Self::new();
                state.write(dir)?;
                state
            }
            Err(error) => {
                return Err(Failure::Disk(format!(
                    "{} cannot be read: {error}. Check who owns the directory, or name another --dir.",
                    path.display()
                )));
            }
        };
        if users > 0 && state.bulk.is_none() {
            let chance = RealChance::new();
            let password = Password::generate(&chance);
            let verifier = Verifier::hash(&password, &chance).to_string();
            state.bulk = Some(Bulk {
                password: password.reveal().to_owned(),
                verifier,
            });
            state.write(dir)?;
        }
        Ok(state)
    }

    fn new() -> Self {
        let chance = RealChance::new();
        let user = |name| User {
            address: format!("{name}@{DOMAIN}"),
            password: Password::generate(&chance).reveal().to_owned(),
        };
        Self {
            users: PEOPLE.into_iter().map(user).collect(),
            bulk: None,
            ports: BTreeMap::new(),
            changed: OnceLock::new(),
        }
    }

    /// These users have another password than the one that is remembered.
    pub fn passwords_changed(&self, of: Vec<String>) {
        let _ = self.changed.set(of); // once, at the start
    }

    /// A user's password, unless somebody set another one: that is known to nobody here.
    pub fn password_of<'a>(&self, user: &'a User) -> Option<&'a str> {
        let changed = self.changed.get().is_some_and(|of| of.contains(&user.address));
        (!changed).then_some(&*user.password)
    }

    /// The port a door had last time, else 0.
    pub fn port(&self, door: &str) -> u16 {
        self.ports.get(door).copied().unwrap_or(0)
    }

    /// Remembers where the doors are now, if that is news.
    pub fn remember_ports(&self, dir: &Path, doors: &[(&'static str, SocketAddr)]) -> Outcome<()> {
        let ports: BTreeMap<String, u16> = doors
            .iter()
            .map(|(name, address)| ((*name).to_owned(), address.port()))
            .collect();
        if ports == self.ports {
            return Ok(());
        }
        let users = self.users.iter().map(|user| User {
            address: user.address.clone(),
            password: user.password.clone(),
        });
        let bulk = self.bulk.as_ref().map(|bulk| Bulk {
            password: bulk.password.clone(),
            verifier: bulk.verifier.clone(),
        });
        Self {
            users: users.collect(),
            bulk,
            ports,
            changed: OnceLock::new(),
        }
        .write(dir)
    }

    /// Whole or not at all, only for our eyes.
    fn write(&self, dir: &Path) -> Outcome<()> {
        let (path, new) = (dir.join(FILE), dir.join("demo.json.new"));
        let bytes = serde_json::to_vec_pretty(self).expect("plain values are always JSON");
        let write = || {
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        write().map_err(|error| Failure::Disk(format!("{} cannot be written: {error}.", path.display())))
    }
}
