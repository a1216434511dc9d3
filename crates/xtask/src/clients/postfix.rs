//! Debian's Postfix as the sending peer: its own queue and configuration, a door on loopback, everything relayed to us.

use super::{CALL_LIMIT, Held, World, works};
use crate::install::is_root;
use crate::process::{self, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long Postfix may take to open its door.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long its log may lag behind.
const LOG_LIMIT: Duration = Duration::from_secs(60);
/// Deliveries that are expected in it.
const SENT: usize = 6;
/// How many ports are tried for it.
const PORTS: usize = 4;

/// Sends through Postfix and looks at what arrived and at what its log says.
pub fn run(world: &World) -> Outcome<Vec<String>> {
    if !is_root()? {
        return Err("Postfix starts only as root".into());
    }
    let mut held = Held::default();
    let postfix = Postfix::start(world)?;
    let port = postfix.port.to_string();
    world.python("through_postfix.py", &[&port])?;
    held.add("postfix: relays plain, 8-bit, long, dotted and large mail to us, each arrives once");
    let sent = |log: &str| {
        let lines = log.lines();
        lines
            .filter(|line| line.contains("status=sent (250 2.0.0"))
            .count()
    };
    let bounced = |log: &str| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("nobody-here@") && line.contains("status=bounced"))
    };
    // The last of them may still be under way to the log.
    let began = Stopwatch::start();
    let mut log = std::fs::read_to_string(&postfix.log)?;
    while (sent(&log) < SENT || !bounced(&log)) && began.elapsed() < LOG_LIMIT {
        pause(Duration::from_millis(100));
        log = std::fs::read_to_string(&postfix.log)?;
    }
    let sent = sent(&log);
    let tls = log
        .lines()
        .any(|line| line.contains("TLS connection established to"));
    if sent < SENT || !tls {
        return Err(format!("{sent} deliveries, TLS {tls}\n{}", tail(&log, 30)).into());
    }
    held.add("postfix: STARTTLS verified against the demo's authority, every delivery answered 250 2.0.0");
    if !bounced(&log) {
        return Err(format!("mail for an unknown user was not bounced\n{}", tail(&log, 30)).into());
    }
    held.add("postfix: mail for an unknown user bounces there");
    Ok(held.0)
}

/// A Postfix that is stopped with its owner.
struct Postfix {
    config: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Postfix {
    fn start(world: &World) -> Outcome<Self> {
        let place = world.place.path().join("postfix");
        let (config, spool, data, logs) = (
            place.join("etc"),
            place.join("spool"),
            place.join("data"),
            place.join("log"),
        );
        for dir in [&config, &spool, &data, &logs] {
            std::fs::create_dir_all(dir)?;
        }
        // Postfix gives up its rights and must still reach its files.
        works(
            "chmod",
            Command::new("chmod")
                .arg("755")
                .args([world.place.path(), &place, &config, &spool, &logs]),
        )?;
        works("chown", Command::new("chown").arg("postfix").arg(&data))?;
        let ca = place.join("ca.pem");
        std::fs::copy(&world.ca, &ca)?;
        std::fs::write(config.join("main.cf"), main_cf(&place, world.port("smtp")?, &ca))?;
        let log = logs.join("maillog");
        for _ in 0..PORTS {
            let port = free_port()?;
            std::fs::write(config.join("master.cf"), master_cf(port))?;
            let started = Self {
                config: config.clone(),
                log: log.clone(),
                port,
            };
            if started.comes_up()? {
                return Ok(started);
            }
        }
        Err(format!("none of {PORTS} ports was left to Postfix").into())
    }

    /// Whether it has its door; not when somebody took the port between our look for it and Postfix's.
    fn comes_up(&self) -> Outcome<bool> {
        let opened = self.control("start").and_then(|()| self.wait_until_open());
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        match opened {
            Err(_) if log.contains("Address already in use") => std::fs::write(&self.log, "")?,
            Err(error) => return Err(error),
            Ok(()) => return Ok(true),
        }
        Ok(false)
    }

    fn control(&self, verb: &str) -> Outcome<()> {
        let postfix = process::find("postfix").ok_or("postfix is not installed")?;
        // Its daemons inherit our pipes and would keep them open for ever, so they get none.
        let status = process::show(
            Command::new("sh")
                .args(["-c", "exec \"$0\" -c \"$1\" \"$2\" >/dev/null 2>&1"])
                .arg(postfix)
                .arg(&self.config)
                .arg(verb),
        )?;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        if status.success() {
            Ok(())
        } else {
            Err(format!("postfix {verb}: {status}\n{}", tail(&log, 10)).into())
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "looks from outside whether Postfix listens"
    )]
    fn wait_until_open(&self) -> Outcome<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let started = Stopwatch::start();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if started.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                return Err(format!("Postfix did not open its door\n{}", tail(&log, 10)).into());
            }
            pause(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Err(error) = self.control("stop") {
            eprintln!("{error}");
        }
        // `postfix stop` returns when the master has gone; its children follow at once.
        let _ = process::run(
            Command::new("postfix").arg("-c").arg(&self.config).arg("status"),
            CALL_LIMIT,
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "Postfix must be told a number")]
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn main_cf(place: &Path, smtp_port: u16, ca: &Path) -> String {
    let place = place.display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {place}/spool\ndata_directory = {place}/data\nmail_owner = postfix\n\
         setgid_group = postdrop\ncommand_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
         myhostname = peer.remote.test\nmydestination =\nalias_maps =\nlocal_recipient_maps =\ninet_protocols = ipv4\n\
         inet_interfaces = 127.0.0.1\nmynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtpd_peername_lookup = no\nrelayhost = [127.0.0.1]:{smtp_port}\nsmtp_host_lookup = native\n\
         smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = mail.example.test, localhost\n\
         smtp_tls_CAfile = {ca}\nsmtp_tls_loglevel = 1\nsmtp_dns_support_level = disabled\n\
         notify_classes =\nmaximal_queue_lifetime = 1h\nminimal_backoff_time = 5s\nqueue_run_delay = 5s\n\
         maillog_file = {place}/log/maillog\nmaillog_file_prefixes = {place}/log\n",
        ca = ca.display(),
    )
}

fn master_cf(port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n\
         pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\n\
         rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\nproxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
         error unix - - n - - error\nretry unix - - n - - error\ndiscard unix - - n - - discard\nanvil unix - - n - 1 anvil\n\
         scache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n"
    )
}
