//! Debian's Postfix: one domain, virtual mailboxes as Maildir, TLS in both directions; where the story says so with its milters.

use super::hosts::in_dns;
use super::keys::Key;
use super::milters::Milters;
use super::net::{self, Host, MIDDLE};
use super::story::{HostPlan, PostfixPlan};
use super::unbound::Unbound;
use crate::process::{self, find, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::sink::Authority;
use testkit::talk::Talk;

const START_LIMIT: Duration = Duration::from_secs(60);
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// A running Postfix; stopped with its owner.
pub struct Postfix {
    host: Host,
    address: IpAddr,
    dir: PathBuf,
    _milters: Milters,
    _resolver: Option<Unbound>,
}

impl Postfix {
    /// Writes everything and starts.
    pub fn start(
        host: Host,
        plan: &HostPlan,
        own: &PostfixPlan,
        dir: &Path,
        authority: &Authority,
        (ca, anchor): (&Path, &Path),
        key: Option<&Key>,
    ) -> Outcome<Self> {
        let domain = &plan.domains[0];
        for part in ["etc", "spool", "data", "log", "mail"] {
            std::fs::create_dir_all(dir.join(part))?;
        }
        for part in ["data", "mail"] {
            give_to_postfix(&dir.join(part))?;
        }
        authority.write(
            &[&format!("mx.{domain}")],
            &dir.join("chain.pem"),
            &dir.join("key.pem"),
        )?;
        let (uid, gid) = (id("-u")?, id("-g")?);
        let milters = Milters::start(&host, plan, own.checks, key, dir)?;
        let resolver = match own.dane {
            true => Some(Unbound::start(
                &host,
                &net::reached_from(&plan.addresses, net::DNS),
                anchor,
                dir,
            )?),
            false => None,
        };
        let mut settings = main_cf(domain, dir, ca, &uid, &gid) + &milters.main_cf();
        if own.dane {
            settings.push_str(DANE);
        }
        std::fs::write(dir.join("etc/main.cf"), settings)?;
        std::fs::write(dir.join("etc/master.cf"), MASTER_CF)?;
        let table = |lines: Vec<String>| lines.concat();
        let boxes = own.people.iter().map(|who| format!("{who} {who}/\n")).collect();
        let passed_on = own.passed_on.iter().map(|(who, to)| format!("{who} {to}\n"));
        let put_off = own
            .put_off
            .iter()
            .map(|who| format!("{who} 450 4.7.1 Greylisted, come back later\n"));
        std::fs::write(dir.join("boxes"), table(boxes))?;
        std::fs::write(dir.join("aliases"), table(passed_on.collect()))?;
        std::fs::write(dir.join("access"), table(put_off.collect()))?;
        let address = *in_dns(plan).first().ok_or("Postfix has no address")?;
        if address.is_ipv6() {
            // Of the middle's many addresses the one that may send through it.
            net::speak_from(MIDDLE[1], address)?;
        }
        let started = Self {
            host,
            address,
            dir: dir.to_owned(),
            _milters: milters,
            _resolver: resolver,
        };
        started.control("start")?;
        let began = Stopwatch::start();
        while TcpStream::connect_timeout(&started.door(), Duration::from_secs(1)).is_err() {
            if began.elapsed() > START_LIMIT {
                return Err(format!("Postfix did not open its door\n{}", started.log_tail()).into());
            }
            pause(Duration::from_millis(50));
        }
        Ok(started)
    }

    /// Its port 25.
    pub fn door(&self) -> SocketAddr {
        SocketAddr::new(self.address, 25)
    }

    fn control(&self, verb: &str) -> Outcome<()> {
        let postfix = find("postfix").ok_or("postfix is not installed")?;
        // Its daemons inherit our pipes and would keep them open for ever, so they get none.
        let status = process::show(
            self.host
                .command("sh")
                .args(["-c", "exec \"$0\" -c \"$1\" \"$2\" >/dev/null 2>&1"])
                .arg(postfix)
                .arg(self.dir.join("etc"))
                .arg(verb),
        )?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("postfix {verb}: {status}\n{}", self.log_tail()).into())
        }
    }

    /// From now on everybody is taken at once.
    pub fn put_nobody_off(&self) -> Result<(), String> {
        std::fs::write(self.dir.join("access"), "").map_err(|error| error.to_string())?;
        self.control("reload").map_err(|error| error.to_string())
    }

    /// Sends as a client of its own network.
    pub fn send(
        &self,
        from: &str,
        to: &str,
        (subject, header): (&str, &[String]),
        id: &str,
    ) -> Result<(), String> {
        let mut talk = Talk::connect_to(self.door()).map_err(|error| error.to_string())?;
        talk.reply();
        let header: String = header.iter().map(|field| format!("{field}\r\n")).collect();
        let text = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{id}@postfix.test>\r\n{header}\r\nHello from Postfix.\r\n."
        );
        for (command, class) in [
            ("EHLO client.test".to_owned(), '2'),
            (format!("MAIL FROM:<{from}>"), '2'),
            (format!("RCPT TO:<{to}>"), '2'),
            ("DATA".to_owned(), '3'),
            (text, '2'),
        ] {
            let reply = talk.ask(&command);
            if !reply.starts_with(class) {
                return Err(format!("Postfix: {reply}"));
            }
        }
        talk.ask("QUIT");
        Ok(())
    }

    /// Everything in the mailbox of this address.
    pub fn read(&self, user: &str) -> Vec<String> {
        let new = self.dir.join("mail").join(user).join("new");
        let files = std::fs::read_dir(new)
            .map(|files| files.flatten().collect::<Vec<_>>())
            .unwrap_or_default();
        files
            .iter()
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        tail(
            &std::fs::read_to_string(self.dir.join("log/maillog")).unwrap_or_default(),
            12,
        )
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Err(error) = self.control("stop") {
            eprintln!("{error}");
        }
    }
}

fn give_to_postfix(dir: &Path) -> Outcome<()> {
    process::must(Command::new("chown").arg("postfix").arg(dir), CALL_LIMIT).map(drop)
}

fn id(what: &str) -> Outcome<String> {
    let said = process::must(Command::new("id").args([what, "postfix"]), CALL_LIMIT)?;
    Ok(said.stdout.trim().to_owned())
}

fn main_cf(domain: &str, dir: &Path, ca: &Path, uid: &str, gid: &str) -> String {
    let (dir, ca) = (dir.display(), ca.display());
    let [v4, v6] = MIDDLE;
    format!(
        "compatibility_level = 3.6\nqueue_directory = {dir}/spool\ndata_directory = {dir}/data\nmail_owner = postfix\n\
         setgid_group = postdrop\ncommand_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
         myhostname = mx.{domain}\nmyorigin = {domain}\nmydestination =\nalias_maps =\nlocal_recipient_maps =\n\
         inet_protocols = all\ninet_interfaces = all\nmynetworks = {v4}/32 [{v6}]/128\n\
         smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
         smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/access, permit_mynetworks, reject_unauth_destination\n\
         smtpd_peername_lookup = no\nvirtual_mailbox_domains = {domain}\nvirtual_mailbox_base = {dir}/mail\n\
         virtual_mailbox_maps = texthash:{dir}/boxes\nvirtual_alias_maps = texthash:{dir}/aliases\n\
         virtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\nvirtual_minimum_uid = 1\n\
         smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {dir}/chain.pem\nsmtpd_tls_key_file = {dir}/key.pem\n\
         smtpd_tls_received_header = yes\nsmtp_tls_security_level = may\nsmtp_tls_CAfile = {ca}\nsmtp_tls_loglevel = 1\n\
         smtpd_client_connection_rate_limit = 0\nminimal_backoff_time = 2s\nmaximal_backoff_time = 5s\nqueue_run_delay = 2s\n\
         notify_classes =\nmaillog_file = {dir}/log/maillog\nmaillog_file_prefixes = {dir}/log\n"
    )
}

/// The last setting of a name counts.
const DANE: &str = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\n";

const MASTER_CF: &str = "\
smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
