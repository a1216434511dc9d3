//! The hosts: A and B are Hearthposts, P is Debian's Postfix, sinks are in the middle.

use super::net::{DNS, Host, Net, SINKS};
use super::postfix::Postfix;
use crate::campaign::mailer::Person;
use crate::campaign::names::Names;
use crate::campaign::server::{Plan, Server, certificate};
use crate::process::Scratch;
use crate::report::Outcome;
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use testkit::sink::{Authority, Script, Sink};
use testkit::talk::TlsClient;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";
/// People of A and B.
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "relay"];

/// All that runs. Fields are dropped in this order: servers first, the net last by its owner.
pub struct Hosts {
    /// Hearthpost of a.test
    pub a: RefCell<Server>,
    /// Hearthpost of b.test
    pub b: RefCell<Server>,
    /// Postfix of p.test
    pub p: Postfix,
    /// A's place in the net
    pub host_a: Host,
    _names: Names,
    authority: Authority,
    ca: PathBuf,
    _host_b: Host,
    place: Scratch,
}

impl Hosts {
    /// Starts everything.
    pub fn start(net: &Net, binary: &Path) -> Outcome<Self> {
        let place = Scratch::new("internet")?;
        let dir = place.path().to_owned();
        crate::process::must(
            std::process::Command::new("chmod").arg("755").arg(&dir),
            std::time::Duration::from_secs(5),
        )?;
        let authority = Authority::new();
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, authority.pem())?;
        let at = |last: u8| IpAddr::V4(Ipv4Addr::new(203, 0, 113, last));
        let host_d = net.host("d", at(53))?;
        let (host_a, host_b, host_p) = (
            net.host("a", at(10))?,
            net.host("b", at(20))?,
            net.host("p", at(30))?,
        );
        let listen = SocketAddr::from((DNS, 53));
        let names = Names::start(&host_d.wrapper(), &dir.join("dns"), listen, &records())?;
        let start = |host: &Host, letter: &str, more: &str| -> Result<Server, String> {
            let own = dir.join(letter);
            let name = format!("mx.{letter}.test");
            Server::start(Plan {
                binary: binary.to_owned(),
                wrapper: host.wrapper(),
                hostname: name.clone(),
                domains: vec![format!("{letter}.test")],
                address: host.address,
                port_base: 0,
                certificate: certificate(&authority, &[&name], &own.join("tls"))?,
                settings: format!("{}{more}", settings(&ca, &names.anchor)),
                dir: own,
            })
        };
        let password_file = dir.join("relay.password");
        std::fs::write(&password_file, format!("{PASSWORD}\n"))?;
        crate::process::must(
            std::process::Command::new("chmod").arg("600").arg(&password_file),
            std::time::Duration::from_secs(5),
        )?;
        let a = start(&host_a, "a", &routes(&password_file))?;
        let b = start(&host_b, "b", "")?;
        for (server, domain) in [(&a, "a.test"), (&b, "b.test")] {
            for name in PEOPLE {
                server.account(&format!("{name}@{domain}"), PASSWORD)?;
            }
        }
        let p = Postfix::start(host_p, &dir.join("p"), &authority, &ca)?;
        Ok(Self {
            a: RefCell::new(a),
            b: RefCell::new(b),
            p,
            host_a,
            _names: names,
            authority,
            ca,
            _host_b: host_b,
            place,
        })
    }

    /// `alice@a.test` and the like, with her mail program.
    pub fn person(&self, address: &str) -> Person {
        let (_, domain) = address.split_once('@').unwrap_or_default();
        let server = if domain == "a.test" { &self.a } else { &self.b };
        let server = server.borrow();
        Person {
            address: address.to_owned(),
            password: PASSWORD.to_owned(),
            submission: server.plan.door(587),
            imaps: server.plan.door(993),
            server: server.plan.hostname.clone(),
            tls: TlsClient::trusting(&self.ca),
        }
    }

    /// A sink for `sN.test`, with STARTTLS and a certificate that verifies.
    pub fn sink(&self, number: usize, script: &str) -> Result<Sink, String> {
        let name = format!("mx.s{number}.test");
        let address = SocketAddr::from((SINKS[number], 25));
        let certificates = self.authority.certificates(&[&name]);
        Sink::start_with_tls(address, Script::read(script)?, certificates)
            .map_err(|error| format!("no sink at {address}: {error}"))
    }

    /// A sink on another port.
    pub fn sink_at(&self, number: usize, port: u16, script: &str) -> Result<Sink, String> {
        let name = format!("mx.s{number}.test");
        let address = SocketAddr::from((SINKS[number], port));
        let certificates = self.authority.certificates(&[&name]);
        Sink::start_with_tls(address, Script::read(script)?, certificates)
            .map_err(|error| format!("no sink at {address}: {error}"))
    }

    /// What the servers said last.
    pub fn tails(&self) -> String {
        format!(
            "--- A\n{}\n--- B\n{}\n--- P\n{}\n--- (files in {})",
            self.a.borrow().log_tail(),
            self.b.borrow().log_tail(),
            self.p.log_tail(),
            self.place.path().display(),
        )
    }
}

/// Short waits, our name server, our authority.
fn settings(ca: &Path, anchor: &Path) -> String {
    format!(
        "[tls]\nextra_roots = \"{}\"\n\
         [queue]\nretry_first = \"2 s\"\nretry_longest = \"5 s\"\n\
         [dns]\nservers = [\"{}:53\"]\ntrust_anchor = \"{}\"\n",
        ca.display(),
        DNS,
        anchor.display(),
    )
}

/// A sends to far.test through B as a user of B, and to guarded.test through a sink that wants a password.
fn routes(password_file: &Path) -> String {
    let password_file = password_file.display();
    format!(
        "[[routes]]\nname = \"through-b\"\nto = [\"far.test\"]\nhost = \"mx.b.test\"\nport = 587\ntls = \"starttls\"\n\
         user = \"relay@b.test\"\npassword_file = \"{password_file}\"\n\
         [[routes]]\nname = \"guarded\"\nto = [\"guarded.test\"]\nhost = \"mx.s3.test\"\nport = 587\ntls = \"starttls\"\n\
         user = \"joe\"\npassword_file = \"{password_file}\"\n"
    )
}

/// Who is where.
fn records() -> String {
    let mut out = String::new();
    for (letter, address) in [
        ("a", "203.0.113.10"),
        ("b", "203.0.113.20"),
        ("p", "203.0.113.30"),
    ] {
        out.push_str(&format!(
            "{letter}.test. MX 10 mx.{letter}.test.\nmx.{letter}.test. A {address}\n"
        ));
    }
    for (number, address) in SINKS.iter().enumerate() {
        out.push_str(&format!(
            "s{number}.test. MX 10 mx.s{number}.test.\nmx.s{number}.test. A {address}\n"
        ));
    }
    // Only B is asked to send there.
    out.push_str("far.test. MX 10 mx.s2.test.\n");
    // A domain that takes no mail (RFC 7505), one with a dead first server, one whose only server is not on the Internet.
    out.push_str("null.test. MX 0 .\n");
    out.push_str("two.test. MX 5 mx.dead.test.\ntwo.test. MX 10 mx.s0.test.\nmx.dead.test. A 203.0.113.99\n");
    out.push_str("private.test. MX 10 mx.private.test.\nmx.private.test. A 127.0.0.1\n");
    out
}
