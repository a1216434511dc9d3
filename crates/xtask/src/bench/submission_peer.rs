//! The peer for mail going out: Debian's Postfix with a submission door (TLS, SASL by Debian's Dovecot), sending by MX.

#![allow(
    clippy::disallowed_methods,
    reason = "looks from outside whether Postfix listens"
)]

use super::postfix;
use super::sending::{PASSWORD, Place, person};
use crate::campaign::mailer::Person;
use crate::process::{self, find, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where its submission door is.
const PORT: u16 = 2587;
const START_LIMIT: Duration = Duration::from_secs(30);
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Running daemons; stopped with their owner.
pub struct SubmissionPeer {
    /// who may send there
    pub person: Person,
    postfix: PathBuf,
    dovecot: PathBuf,
    etc: PathBuf,
}

impl SubmissionPeer {
    /// Writes a configuration, starts both, waits for the door.
    pub fn start(place: &Place) -> Outcome<Self> {
        let dir = place.dir.join("peer");
        for part in ["postfix", "spool", "data", "log", "run"] {
            std::fs::create_dir_all(dir.join(part))?;
        }
        process::must(
            Command::new("chown").arg("postfix").arg(dir.join("data")),
            CALL_LIMIT,
        )?;
        place
            .authority
            .write(&["mx.sender.test"], &dir.join("chain.pem"), &dir.join("key.pem"))?;
        let shown = dir.display().to_string();
        std::fs::write(dir.join("postfix/main.cf"), MAIN_CF.replace("@DIR@", &shown))?;
        std::fs::write(
            dir.join("postfix/master.cf"),
            postfix::master_cf(&format!("127.0.0.1:{PORT}")),
        )?;
        std::fs::write(dir.join("dovecot.conf"), DOVECOT_CONF.replace("@DIR@", &shown))?;
        std::fs::write(
            dir.join("accounts"),
            format!("alice@sender.test:{{PLAIN}}{PASSWORD}::::::\n"),
        )?;
        // Postfix asks the resolver of the system: in this namespace that is ours.
        let etc = Path::new("/etc/netns").join(&place.namespace);
        std::fs::create_dir_all(&etc)?;
        std::fs::write(etc.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let peer = Self {
            person: person(place, "alice@sender.test", door, door)?,
            postfix: dir.join("postfix"),
            dovecot: dir.join("dovecot.conf"),
            etc,
        };
        std::fs::create_dir_all(&place.peer_group)?;
        for (program, config, verb) in [
            ("postfix", &peer.postfix, "start"),
            ("dovecot", &peer.dovecot, ""),
        ] {
            // Daemons keep every pipe they inherit, so they get none.
            let script = format!(
                "echo $$ > {}/cgroup.procs; exec ip netns exec {} {} -c {} {verb} >/dev/null 2>&1",
                place.peer_group.display(),
                place.namespace,
                find(program)
                    .ok_or_else(|| format!("{program} is not installed"))?
                    .display(),
                config.display(),
            );
            let status = process::show(Command::new("sh").args(["-c", &script]))?;
            if !status.success() {
                return Err(format!("{program}: {status}\n{}", logs(&dir)).into());
            }
        }
        let began = Stopwatch::start();
        while TcpStream::connect_timeout(&door, Duration::from_secs(1)).is_err() {
            if began.elapsed() > START_LIMIT {
                return Err(format!("the peer did not open its door\n{}", logs(&dir)).into());
            }
            pause(Duration::from_millis(100));
        }
        Ok(peer)
    }
}

impl Drop for SubmissionPeer {
    fn drop(&mut self) {
        for (program, config) in [("postfix", &self.postfix), ("doveadm", &self.dovecot)] {
            let program = find(program).unwrap_or_else(|| PathBuf::from(program));
            let script = "exec \"$0\" -c \"$1\" stop >/dev/null 2>&1";
            // Daemons that are already gone are what we want.
            let _ = Command::new("sh")
                .args(["-c", script])
                .arg(program)
                .arg(config)
                .status();
        }
        let _ = std::fs::remove_dir_all(&self.etc);
        pause(Duration::from_millis(500));
    }
}

fn logs(dir: &Path) -> String {
    ["maillog", "dovecot.log"]
        .map(|name| {
            tail(
                &std::fs::read_to_string(dir.join("log").join(name)).unwrap_or_default(),
                8,
            )
        })
        .join("\n")
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
myhostname = mx.sender.test
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = @DIR@/chain.pem
smtpd_tls_key_file = @DIR@/key.pem
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 50000000
maillog_file = @DIR@/log/maillog
maillog_file_prefixes = @DIR@/log
";

const DOVECOT_CONF: &str = "\
base_dir = @DIR@/run
protocols =
log_path = @DIR@/log/dovecot.log
ssl = no
passdb {
  driver = passwd-file
  args = @DIR@/accounts
}
service auth {
  unix_listener @DIR@/spool/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
";
