//! Where keys lie: `<data>/dkim/`, mode 0700; `keys.json` says which there are and where each stands, and each private key has a file
//! `SELECTOR.pem`, mode 0600.
//!
//! What a crash leaves: a private key is durable before `keys.json` names it, and goes after `keys.json` has stopped to need it. A file
//! that nobody names was never published and is removed at the next start. A file that is named and holds no such key is never removed: it is
//! set aside as `SELECTOR.pem.damaged`, because somebody may still make something of it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certs::signing::PrivatePem;
use msgauth::dkim::sign::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::entry::{Entry, is_same_key};
use crate::exit::{Failure, Outcome};
use crate::private_file;
use crate::server::make_private;

const DIR: &str = "dkim";
const LIST: &str = "keys.json";
/// Of the list.
const VERSION: u32 = 1;

/// The directory.
#[derive(Debug, Clone)]
pub struct Shelf {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct List {
    version: u32,
    keys: Vec<Entry>,
}

impl Shelf {
    /// In the data directory, which is ours.
    pub fn of(data: &Path) -> Self {
        Self { dir: data.join(DIR) }
    }

    /// What is kept, with the private keys that are still of use; a key whose file is missing or damaged has none. Damaged files are set aside.
    ///
    /// # Errors
    /// The list, or a private key, is there and cannot be read, or cannot be set aside: it may be whole, and is not given up for that.
    pub fn read(&self) -> Outcome<Vec<Entry>> {
        let path = self.dir.join(LIST);
        let damaged = |why: String| {
            Failure::Disk(format!(
                "{} cannot be read: {why}. Restore it from a backup, or remove the directory: new keys are made then, and nothing is \
                 signed until their records are in DNS.",
                path.display()
            ))
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(damaged(error.to_string())),
        };
        let mut list: List = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if list.version != VERSION {
            return Err(damaged(format!("it is of version {}", list.version)));
        }
        for entry in &mut list.keys {
            entry.key = match entry.stage.needs_key() {
                true => self.key(entry)?,
                false => None,
            };
        }
        self.remove_unnamed(&list.keys);
        Ok(list.keys)
    }

    /// Writes the list; it is durable when this returns.
    pub fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let list = List {
            version: VERSION,
            keys: entries.to_vec(),
        };
        let text = serde_json::to_vec_pretty(&list).expect("plain values are always JSON");
        private_file::write(&self.dir.join(LIST), &text)
    }

    /// Keeps a private key that the list does not name yet.
    pub fn put(&self, selector: &str, pem: &PrivatePem) -> Result<(), String> {
        make_private(&self.dir).map_err(|failure| failure.to_string())?;
        let path = self.file(selector);
        private_file::write(&path, pem.reveal().as_bytes())
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// Removes private keys that the list does not need any more.
    pub fn drop_keys<'a>(&self, selectors: impl Iterator<Item = &'a str>) {
        for selector in selectors {
            // What stays behind goes at the next start.
            let _ = std::fs::remove_file(self.file(selector));
        }
    }

    /// Whether a private key of this selector is kept, named or not.
    pub fn has(&self, selector: &str) -> bool {
        self.file(selector).exists()
    }

    fn key(&self, entry: &Entry) -> Outcome<Option<Arc<SigningKey>>> {
        let path = self.file(&entry.selector);
        let octets = match std::fs::read(&path) {
            Ok(octets) => Zeroizing::new(octets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::Disk(format!(
                    "the private key {} cannot be read: {error}. Give it to the server's user with mode 0600, or remove it: then that \
                     key is given up.",
                    path.display()
                )));
            }
        };
        let text = std::str::from_utf8(&octets).ok();
        let key = text.and_then(|text| SigningKey::from_pem(&entry.name(), text).ok());
        // Not the text of the record: it may have been written in another way when the key was made.
        let same = |key: &SigningKey| is_same_key(key.record().as_bytes(), entry.record.as_bytes());
        match key.filter(same) {
            Some(key) => Ok(Some(Arc::new(key))),
            None => self.set_aside(&path).map(|()| None),
        }
    }

    fn set_aside(&self, path: &Path) -> Outcome<()> {
        let aside = path.with_extension("pem.damaged");
        std::fs::rename(path, &aside).map_err(|error| {
            Failure::Disk(format!(
                "the private key {} is damaged and cannot be renamed to {}: {error}. Give the directory to the server's user with mode \
                 0700, or move the file away.",
                path.display(),
                aside.display()
            ))
        })
    }

    /// Removes private keys that no entry needs.
    pub fn remove_unnamed(&self, entries: &[Entry]) {
        let needed: BTreeSet<PathBuf> = entries
            .iter()
            .filter(|entry| entry.stage.needs_key())
            .map(|entry| self.file(&entry.selector))
            .collect();
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for path in files.map(|file| file.path()) {
            let is_key = path
                .extension()
                .is_some_and(|ending| ending == "pem" || ending == "new");
            if is_key && !needed.contains(&path) {
                let _ = std::fs::remove_file(&path); // tried again at the next start
            }
        }
    }

    fn file(&self, selector: &str) -> PathBuf {
        self.dir.join(format!("{selector}.pem"))
    }
}
