//! Debian's Dovecot in a directory of its own, with one account: what our IMAP is compared with.

use crate::process::{self, find, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The account.
pub const USER: &str = "reader@compare.test";
/// Its password.
pub const PASSWORD: &str = "compare-password";
const START_LIMIT: Duration = Duration::from_secs(60);
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// How Dovecot keeps mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// a file each
    Maildir,
    /// packed files with an index
    Mdbox,
}

impl Storage {
    /// As `mail_location` says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Mdbox => "mdbox",
        }
    }
}

/// Makes a command for a program: as it is, or inside a namespace and a group.
pub type Place<'p> = &'p dyn Fn(&Path) -> Outcome<Command>;

/// A running Dovecot; stopped with its owner.
pub struct Dovecot {
    config: PathBuf,
    /// Where it speaks IMAP.
    pub port: u16,
}

impl Dovecot {
    /// Writes a configuration and starts it; what is in the directory already is kept.
    pub fn start(dir: &Path, storage: Storage, port: u16, place: Place<'_>) -> Outcome<Self> {
        let program = find("dovecot").ok_or("dovecot is not installed (Debian: dovecot-imapd)")?;
        for part in ["run", "mail"] {
            std::fs::create_dir_all(dir.join(part))?;
        }
        let mode = |mode: &str, path: &Path| {
            process::must(Command::new("chmod").arg(mode).arg(path), CALL_LIMIT).map(drop)
        };
        mode("755", dir)?;
        mode("777", &dir.join("mail"))?;
        let account = format!("{USER}:{{PLAIN}}{PASSWORD}::::::\n");
        std::fs::write(dir.join("accounts"), account)?;
        let config = dir.join("dovecot.conf");
        std::fs::write(&config, configuration(dir, storage, port)?)?;
        // The daemon keeps every pipe it inherits, so it gets none.
        let start = "exec \"$0\" -c \"$1\" >/dev/null 2>&1";
        let mut command = place(Path::new("sh"))?;
        command
            .args(["-c", start])
            .arg(program)
            .arg(&config)
            .env("TZ", "UTC");
        let status = process::show(&mut command)?;
        if !status.success() {
            return Err(format!("dovecot does not start: {status}").into());
        }
        let peer = Self { config, port };
        let started = Stopwatch::start();
        let knock = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        while !process::run(place(Path::new("bash"))?.args(["-c", &knock]), CALL_LIMIT)?
            .status
            .success()
        {
            if started.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(format!("dovecot did not open its door\n{}", tail(&log, 10)).into());
            }
            pause(Duration::from_millis(50));
        }
        Ok(peer)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let program = find("doveadm").unwrap_or_else(|| PathBuf::from("doveadm"));
        // A daemon that is already gone is what we want.
        let _ = process::run(
            Command::new(program).arg("-c").arg(&self.config).arg("stop"),
            CALL_LIMIT,
        );
        pause(Duration::from_millis(300));
    }
}

fn configuration(dir: &Path, storage: Storage, port: u16) -> Outcome<String> {
    let id = |what: &str| -> Outcome<String> {
        let said = process::must(Command::new("id").args([what, "nobody"]), CALL_LIMIT)?;
        Ok(said.stdout.trim().to_owned())
    };
    let (uid, gid, dir, storage) = (id("-u")?, id("-g")?, dir.display(), storage.word());
    Ok(format!(
        "base_dir = {dir}/run\nprotocols = imap\nlisten = 127.0.0.1\nlog_path = {dir}/log\nssl = no\n\
         disable_plaintext_auth = no\nmail_location = {storage}:{dir}/mail/%u\nfirst_valid_uid = 1\n\
         mail_max_userip_connections = 20000\n\
         passdb {{\n  driver = passwd-file\n  args = {dir}/accounts\n}}\n\
         userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={dir}/mail/%u\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n\
         \x20 inet_listener imaps {{\n    port = 0\n  }}\n}}\n"
    ))
}
