//! The peer: Debian's Postfix with LMTP into Debian's Dovecot, Maildir, nothing in between, all state in the lab.

use super::lab::Lab;
use super::postfix;
use crate::process::{self, find, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where Postfix listens inside the namespace.
pub const SMTP_PORT: u16 = 2025;
/// Where Dovecot listens inside the namespace.
pub const IMAP_PORT: u16 = 2143;
/// Accounts `u0@bench.test` … of the peer; all have the same password.
pub const PASSWORD: &str = "bench-password";
const START_LIMIT: Duration = Duration::from_secs(30);
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Running daemons; stopped with their owner.
pub struct Peer {
    postfix: PathBuf,
    dovecot: PathBuf,
}

impl Peer {
    /// Writes a configuration, starts both, waits for their doors.
    pub fn start(lab: &Lab, users: usize) -> Outcome<Self> {
        for program in ["postfix", "dovecot"] {
            find(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        let dir = lab.dir("peer");
        let (postfix, spool, mail, log) = (
            dir.join("postfix"),
            dir.join("spool"),
            dir.join("mail"),
            dir.join("log"),
        );
        for part in [&postfix, &spool, &mail, &log, &dir.join("data"), &dir.join("run")] {
            std::fs::create_dir_all(part)?;
        }
        let dovecot = dir.join("dovecot.conf");
        let shown = dir.display().to_string();
        std::fs::write(postfix.join("main.cf"), MAIN_CF.replace("@DIR@", &shown))?;
        std::fs::write(
            postfix.join("master.cf"),
            postfix::master_cf(&SMTP_PORT.to_string()),
        )?;
        std::fs::write(&dovecot, dovecot_conf(&shown)?)?;
        let (mut boxes, mut accounts) = (String::new(), String::new());
        for number in 0..users {
            boxes.push_str(&format!("u{number}@bench.test u{number}\n"));
            accounts.push_str(&format!("u{number}@bench.test:{{PLAIN}}{PASSWORD}::::::\n"));
        }
        std::fs::write(dir.join("boxes"), boxes)?;
        std::fs::write(dir.join("accounts"), accounts)?;
        own("postfix", &dir.join("data"))?;
        own("nobody", &mail)?;
        let peer = Self { postfix, dovecot };
        // Daemons keep every pipe they inherit, so they get none.
        let start = |program: &str, args: &[&Path], verb: &str| -> Outcome<()> {
            let program = find(program).unwrap_or_else(|| PathBuf::from(program));
            let mut command = lab.inside_group("peer", Path::new("sh"))?;
            command
                .args(["-c", "exec \"$@\" >/dev/null 2>&1", "sh"])
                .arg(program)
                .arg("-c")
                .args(args)
                .args(words(verb));
            let status = process::show(&mut command)?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("{command:?}: {status}").into())
            }
        };
        start("postfix", &[&peer.postfix], "start")?;
        start("dovecot", &[&peer.dovecot], "")?;
        peer.wait_until_open(lab, &log)?;
        Ok(peer)
    }

    fn wait_until_open(&self, lab: &Lab, log: &Path) -> Outcome<()> {
        let started = Stopwatch::start();
        for port in [SMTP_PORT, IMAP_PORT] {
            let test = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
            while !process::run(lab.inside("bash").args(["-c", &test]), CALL_LIMIT)?
                .status
                .success()
            {
                if started.elapsed() > START_LIMIT {
                    let said: String = ["maillog", "dovecot.log"]
                        .map(|name| std::fs::read_to_string(log.join(name)).unwrap_or_default())
                        .concat();
                    return Err(format!("the peer did not open port {port}\n{}", tail(&said, 15)).into());
                }
                pause(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let quiet = |program: &str, config: &Path| {
            let program = find(program).unwrap_or_else(|| PathBuf::from(program));
            let script = "exec \"$0\" -c \"$1\" stop >/dev/null 2>&1";
            // Daemons that are already gone are what we want.
            let _ = Command::new("sh")
                .args(["-c", script])
                .arg(program)
                .arg(config)
                .status();
        };
        quiet("postfix", &self.postfix);
        quiet("doveadm", &self.dovecot);
        pause(Duration::from_millis(500));
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn own(user: &str, dir: &Path) -> Outcome<()> {
    process::must(Command::new("chown").arg(user).arg(dir), CALL_LIMIT).map(drop)
}

fn id(what: &str, user: &str) -> Outcome<String> {
    Ok(process::must(Command::new("id").args([what, user]), CALL_LIMIT)?
        .stdout
        .trim()
        .to_owned())
}

/// Only what makes it work in a directory of its own and lifts per-client limits; the rest is Debian's default.
const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = @DIR@/spool
data_directory = @DIR@/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.bench.test
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = texthash:@DIR@/boxes
virtual_transport = lmtp:unix:@DIR@/spool/private/dovecot-lmtp
message_size_limit = 50000000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
maillog_file = @DIR@/log/maillog
maillog_file_prefixes = @DIR@/log
";

fn dovecot_conf(dir: &str) -> Outcome<String> {
    let (uid, gid) = (id("-u", "nobody")?, id("-g", "nobody")?);
    Ok(format!(
        "base_dir = {dir}/run\nprotocols = imap lmtp\nlisten = 127.0.0.1\nlog_path = {dir}/log/dovecot.log\nssl = no\n\
         disable_plaintext_auth = no\nmail_location = maildir:{dir}/mail/%u\nfirst_valid_uid = 1\nmail_max_userip_connections = 20000\n\
         default_client_limit = 4000\ndefault_process_limit = 500\n\
         passdb {{\n  driver = passwd-file\n  args = {dir}/accounts\n}}\n\
         userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={dir}/mail/%u\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {IMAP_PORT}\n  }}\n\
         \x20 inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service imap {{\n  process_limit = 2000\n}}\n\
         service lmtp {{\n  unix_listener {dir}/spool/private/dovecot-lmtp {{\n    mode = 0600\n    user = postfix\n  }}\n}}\n"
    ))
}
