//! A validating resolver on a Postfix's host: Debian's unbound. Postfix believes TLSA records only when a resolver on its own machine says that they
//! are signed (the AD bit).

use super::net::Host;
use crate::process;
use crate::report::{Outcome, Stopwatch, pause};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running resolver at 127.0.0.1 of its host; the host asks it from now on.
pub struct Unbound(Child);

impl Unbound {
    /// Starts it. It asks `servers` for everything and trusts the key in `anchor`.
    pub fn start(host: &Host, servers: &[IpAddr], anchor: &Path, dir: &Path) -> Outcome<Self> {
        let conf = dir.join("unbound.conf");
        let log = dir.join("unbound.log");
        std::fs::write(&conf, settings(servers, anchor, dir))?;
        let file = std::fs::File::create(&log)?;
        let child = host
            .command("unbound")
            .args(["-d", "-p", "-c"])
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let mut started = Self(child);
        let began = Stopwatch::start();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        while !said().contains("start of service") {
            if began.elapsed() > START_LIMIT || started.0.try_wait()?.is_some() {
                return Err(format!("unbound did not start\n{}", process::tail(&said(), 10)).into());
            }
            pause(Duration::from_millis(50));
        }
        host.asks("nameserver 127.0.0.1\noptions trust-ad\n")?;
        Ok(started)
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        process::stop(&mut self.0, STOP_LIMIT);
    }
}

/// One zone holds all names, `test.` and private addresses included, of which unbound would say by itself that there are none.
fn settings(servers: &[IpAddr], anchor: &Path, dir: &Path) -> String {
    let servers: String = servers
        .iter()
        .map(|server| format!("  stub-addr: {server}\n"))
        .collect();
    format!(
        "server:\n  interface: 127.0.0.1\n  do-daemonize: no\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  directory: {dir:?}\n\
         \x20 use-syslog: no\n  logfile: \"\"\n  verbosity: 1\n  module-config: \"validator iterator\"\n  trust-anchor-file: {anchor:?}\n\
         \x20 local-zone: \"test.\" nodefault\n  unblock-lan-zones: yes\n  do-not-query-localhost: no\nremote-control:\n  control-enable: no\n\
         stub-zone:\n  name: \".\"\n  stub-prime: no\n{servers}",
    )
}
