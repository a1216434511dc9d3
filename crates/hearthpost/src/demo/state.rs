//! What the demo remembers beside the store: passwords, so that it can print them again, whether they were still right at the last start,
//! and the ports it had.

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
#[derive(Clone, Serialize, Deserialize)]
pub struct State {
    /// in the order of [`PEOPLE`]
    pub users: Vec<User>,
    /// once `--users` was given
    pub bulk: Option<Bulk>,
    /// ports of the last start; the next one tries them again, so that mail programs need not be told anew
    #[serde(default)]
    ports: BTreeMap<String, u16>,
    /// of each user, what the last start found
    #[serde(default)]
    found: BTreeMap<String, Found>,
    /// what this start found
    #[serde(skip)]
    now: OnceLock<BTreeMap<String, Found>>,
}

/// Somebody who can sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// main address
    pub address: String,
    /// in the clear: this is a demo
    pub password: String,
}

/// What was found out about the remembered password of a user: good for as long as the mark is the same, so that a start need not hash it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// of what the account had then: [`directory::Directory::password_mark`]
    pub mark: Option<String>,
    /// whether the remembered one was right
    pub right: bool,
}

/// What the bulk users share.
#[derive(Clone, Serialize, Deserialize)]
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
            found: BTreeMap::new(),
            now: OnceLock::new(),
        }
    }

    /// What the last start found about a user's password.
    pub fn found(&self, user: &User) -> Option<&Found> {
        self.found.get(&user.address)
    }

    /// What this start finds about the passwords, by address. Of whom it says nothing, the remembered one is printed.
    pub fn find(&self, now: BTreeMap<String, Found>) {
        let _ = self.now.set(now); // once, at the start
    }

    /// A user's password, unless somebody set another one: that is known to nobody here.
    pub fn password_of<'a>(&self, user: &'a User) -> Option<&'a str> {
        let now = self.now.get().and_then(|now| now.get(&user.address));
        let is_right = now.is_none_or(|found| found.right);
        is_right.then_some(&*user.password)
    }

    /// The port a door had last time, else 0.
    pub fn port(&self, door: &str) -> u16 {
        self.ports.get(door).copied().unwrap_or(0)
    }

    /// Remembers where the doors are now, and what was found about the passwords, if any of it is news.
    pub fn remember(&self, dir: &Path, doors: &[(&'static str, SocketAddr)]) -> Outcome<()> {
        let ports = doors
            .iter()
            .map(|(name, address)| ((*name).to_owned(), address.port()))
            .collect();
        let found = self.now.get().unwrap_or(&self.found);
        if ports == self.ports && *found == self.found {
            return Ok(());
        }
        let next = Self {
            ports,
            found: found.clone(),
            ..self.clone()
        };
        next.write(dir)
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
