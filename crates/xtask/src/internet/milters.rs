//! Debian's opendkim and opendmarc beside a Postfix: what comes is verified and gets `Authentication-Results`, what its own clients send is
//! signed.

use super::keys::{Key, SELECTOR};
use super::net::{self, Host, MIDDLE};
use super::story::HostPlan;
use crate::process::{self, tail};
use crate::report::{Outcome, Stopwatch, pause};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Running filters; stopped with their owner.
pub struct Milters {
    running: Vec<Child>,
    doors: Vec<PathBuf>,
}

impl Milters {
    /// Starts opendkim where the host `signs` or `checks`, and opendmarc where it checks.
    pub fn start(host: &Host, plan: &HostPlan, checks: bool, key: Option<&Key>, dir: &Path) -> Outcome<Self> {
        let mut milters = Self {
            running: Vec::new(),
            doors: Vec::new(),
        };
        let name = &plan.domains[0];
        if checks || key.is_some() {
            std::fs::write(dir.join("unbound.conf"), unbound_conf(&plan.addresses))?;
            let conf = opendkim_conf(name, checks, key, dir);
            milters.launch(host, "opendkim", &["-f", "-x"], &conf, dir)?;
        }
        if checks {
            milters.launch(host, "opendmarc", &["-f", "-c"], &opendmarc_conf(name, dir), dir)?;
        }
        Ok(milters)
    }

    fn launch(&mut self, host: &Host, program: &str, words: &[&str], conf: &str, dir: &Path) -> Outcome<()> {
        let path = process::find(program).ok_or_else(|| format!("{program} is not installed"))?;
        let (file, door) = (dir.join(format!("{program}.conf")), door(dir, program));
        std::fs::write(&file, conf)?;
        let log = std::fs::File::create(dir.join(format!("{program}.log")))?;
        let child = host
            .command(path)
            .args(words)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.running.push(child);
        let began = Stopwatch::start();
        while !door.exists() {
            let gone = self
                .running
                .last_mut()
                .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if gone || began.elapsed() > START_LIMIT {
                let said = std::fs::read_to_string(dir.join(format!("{program}.log"))).unwrap_or_default();
                return Err(format!("{program} did not open its door\n{}", tail(&said, 10)).into());
            }
            pause(Duration::from_millis(20));
        }
        self.doors.push(door);
        Ok(())
    }

    /// What Postfix has to know of them, as lines of main.cf.
    pub fn main_cf(&self) -> String {
        if self.doors.is_empty() {
            return String::new();
        }
        let doors: Vec<String> = self
            .doors
            .iter()
            .map(|door| format!("unix:{}", door.display()))
            .collect();
        format!(
            "smtpd_milters = {}\nmilter_default_action = tempfail\nmilter_protocol = 6\n",
            doors.join(", ")
        )
    }
}

impl Drop for Milters {
    fn drop(&mut self) {
        for child in &mut self.running {
            process::stop(child, STOP_LIMIT);
        }
    }
}

fn door(dir: &Path, program: &str) -> PathBuf {
    dir.join(format!("{program}.sock"))
}

fn opendkim_conf(domain: &str, checks: bool, key: Option<&Key>, dir: &Path) -> String {
    let mode = match (key.is_some(), checks) {
        (true, true) => "sv",
        (true, false) => "s",
        _ => "v",
    };
    let key = key.map_or_else(String::new, |key| {
        format!(
            "Domain {domain}\nSelector {SELECTOR}\nKeyFile {}\n",
            key.path.display()
        )
    });
    let [v4, v6] = MIDDLE;
    format!(
        "Syslog no\nMode {mode}\nSocket local:{door}\nUMask 000\nAuthservID mx.{domain}\nAlwaysAddARHeader yes\n\
         RequireSafeKeys no\nCanonicalization relaxed/simple\nOversignHeaders From\nInternalHosts {v4}, {v6}\n\
         ResolverConfiguration {dir}/unbound.conf\nDNSTimeout 10\n{key}",
        door = door(dir, "opendkim").display(),
        dir = dir.display(),
    )
}

/// Debian's opendkim asks through libunbound, which knows without asking that there is no `test.` (RFC 6761 §6.2).
fn unbound_conf(addresses: &[IpAddr]) -> String {
    let servers: String = net::reached_from(addresses, net::DNS)
        .iter()
        .map(|server| format!("  forward-addr: {server}\n"))
        .collect();
    format!("server:\n  local-zone: \"test.\" nodefault\nforward-zone:\n  name: \".\"\n{servers}")
}

fn opendmarc_conf(domain: &str, dir: &Path) -> String {
    format!(
        "Syslog false\nSocket local:{door}\nUMask 000\nAuthservID mx.{domain}\nTrustedAuthservIDs mx.{domain}\n\
         SPFSelfValidate true\nSPFIgnoreResults true\nRejectFailures false\n",
        door = door(dir, "opendmarc").display(),
    )
}
