//! DNSSEC against a real authoritative server (knot) with a root of our own: signed, unsigned, falsely signed and dearly signed
//! zones. Without knot the tests are skipped loudly; with `CI=true` that is a failure.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType, Security};
use world_real::dns::{DnsSettings, RealDns, Validation};

/// What every zone holds, under its own name.
const ZONE: &str = "\
@ 300 SOA ns root 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ MX 10 mx
mx A 192.0.2.1
_25._tcp.mx TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
www CNAME mx
away CNAME mx.unsigned.
*.wild A 192.0.2.2
null MX 0 .
hosted MX 10 mx.signed.
";

/// Zones below the root: name, policy, and what stands in the root for them.
const CHILDREN: [(&str, Option<&str>, Delegation); 6] = [
    ("signed", Some("nsec"), Delegation::Signed),
    ("hashed", Some("nsec3"), Delegation::Signed),
    ("dear", Some("dear"), Delegation::Signed),
    ("absurd", Some("absurd"), Delegation::Signed),
    ("unsigned", None, Delegation::Unsigned),
    ("false", Some("nsec"), Delegation::False),
];

#[derive(Clone, Copy, PartialEq)]
enum Delegation {
    Signed,
    Unsigned,
    /// The DS record is that of another key.
    False,
}

/// How many ports to try, and how long to wait for an answer at each: a busy machine signs the zones in seconds.
const PORTS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

struct Knot {
    child: Child,
    addr: SocketAddr,
    anchor: String,
    /// Its files, once it answers.
    directory: Option<TempDir>,
}

impl Drop for Knot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Knot {
    /// `None` when knot is not installed and need not be.
    async fn start() -> Option<Self> {
        if Command::new("knotd").arg("--version").output().is_err() {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
            assert!(!ci, "knot is not installed: apt-get install knot");
            eprintln!("SKIPPED: knot is not installed; as root: apt-get install knot");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        for name in ["run", "db"] {
            std::fs::create_dir(at.join(name)).unwrap();
        }
        std::fs::write(at.join("zone"), ZONE).unwrap();
        std::fs::write(at.join("knot.conf"), settings(at, free_port())).unwrap();
        let signed = CHILDREN.iter().filter(|(_, policy, _)| policy.is_some());
        for (name, ..) in std::iter::once(&(".", None, Delegation::Signed)).chain(signed) {
            keymgr(
                at,
                name,
                &["generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes"],
            );
        }
        std::fs::write(at.join("root"), root_zone(at)).unwrap();
        let anchor = keymgr(at, ".", &["dnskey"]);
        // Between the look for a free port and knot's binding to it, another test may have taken it.
        for _ in 0..PORTS {
            let addr = free_port();
            std::fs::write(at.join("knot.conf"), settings(at, addr)).unwrap();
            let mut knot = Self {
                child: spawn(at),
                addr,
                anchor: anchor.clone(),
                directory: None,
            };
            if knot.answers().await {
                knot.directory = Some(directory);
                return Some(knot);
            }
        }
        panic!("knot answers at none of {PORTS} ports");
    }

    /// Whether it came up: false when it ended or said nothing for [`PATIENCE`].
    async fn answers(&mut self) -> bool {
        let asked = async {
            while self.child.try_wait().unwrap().is_none() {
                let dns = self.dns(Validation::Off);
                let signed = dns.lookup("mx.dear", RecordType::A).await;
                if matches!(signed, Lookup::Answer { .. }) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(false)
    }

    fn dns(&self, validation: Validation) -> Arc<RealDns> {
        let settings = DnsSettings {
            servers: vec![self.addr],
            validation,
            ..DnsSettings::default()
        };
        RealDns::new(&settings).unwrap()
    }

    fn validating(&self) -> Arc<RealDns> {
        self.dns(Validation::Anchors(self.anchor.clone()))
    }
}

/// A port that is free over UDP and TCP.
fn free_port() -> SocketAddr {
    #[expect(clippy::disallowed_methods, reason = "a real server needs a port")]
    let bound = || {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
        let addr = tcp.local_addr().ok()?;
        std::net::UdpSocket::bind(addr).ok().map(|_udp| addr)
    };
    (0..100).find_map(|_| bound()).expect("a free port")
}

fn spawn(at: &Path) -> Child {
    Command::new("knotd")
        .arg("-c")
        .arg(at.join("knot.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn keymgr(at: &Path, zone: &str, arguments: &[&str]) -> String {
    let output = Command::new("keymgr")
        .arg("-c")
        .arg(at.join("knot.conf"))
        .arg(zone)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "keymgr {zone} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn settings(at: &Path, addr: SocketAddr) -> String {
    let at = at.display();
    let mut text = format!(
        "server:\n  rundir: {at}/run\n  listen: {}@{}\ndatabase:\n  storage: {at}/db\n",
        addr.ip(),
        addr.port()
    );
    text += "policy:\n";
    for (name, more) in [
        ("nsec", String::new()),
        ("nsec3", hashed(0)),
        ("dear", hashed(200)),
        ("absurd", hashed(2000)),
    ] {
        write!(
            text,
            "  - id: {name}\n    manual: on\n    single-type-signing: on\n{more}"
        )
        .unwrap();
    }
    write!(
        text,
        "template:\n  - id: default\n    storage: {at}\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    journal-content: all\n"
    )
    .unwrap();
    text += "zone:\n";
    let root = (".", Some("nsec"), Delegation::Signed);
    for (name, policy, _) in std::iter::once(&root).chain(&CHILDREN) {
        let file = if *name == "." { "root" } else { "zone" };
        write!(text, "  - domain: {name}\n    file: {file}\n").unwrap();
        if let Some(policy) = policy {
            write!(text, "    dnssec-signing: on\n    dnssec-policy: {policy}\n").unwrap();
        }
    }
    text
}

fn hashed(iterations: u16) -> String {
    format!("    nsec3: on\n    nsec3-iterations: {iterations}\n")
}

fn root_zone(at: &Path) -> String {
    let mut text = String::from(". 300 SOA ns. root. 1 3600 600 86400 60\n. NS ns.\nns. A 127.0.0.1\n");
    for (name, _, delegation) in CHILDREN {
        write!(text, "{name}. NS ns.{name}.\nns.{name}. A 127.0.0.1\n").unwrap();
        match delegation {
            Delegation::Unsigned => {}
            Delegation::Signed => text += &keymgr(at, name, &["ds"]),
            Delegation::False => {
                text += &keymgr(at, "signed", &["ds"]).replace("signed. DS", &format!("{name}. DS"));
            }
        }
    }
    text
}

/// What a lookup came to, in a word.
fn word(lookup: &Lookup) -> String {
    match lookup {
        Lookup::Answer { security, .. } => format!("answer {security:?}"),
        Lookup::Negative {
            absence, security, ..
        } => format!("{absence:?} {security:?}"),
        Lookup::Failed(failure) => format!("failed {failure:?}"),
    }
}

#[tokio::test]
async fn net_3_answers_and_absences_are_proven_down_from_the_root() {
    let Some(knot) = Knot::start().await else { return };
    let dns = knot.validating();
    let (a, mx, tlsa) = (RecordType::A, RecordType::Mx, RecordType::Tlsa);
    let table = [
        ("signed", mx, "answer Secure"),
        ("mx.signed", a, "answer Secure"),
        ("_25._tcp.mx.signed", tlsa, "answer Secure"),
        ("www.signed", a, "answer Secure"),
        ("x.wild.signed", a, "answer Secure"),
        ("_25._tcp.x.wild.signed", a, "answer Secure"),
        ("x.wild.hashed", a, "answer Secure"),
        ("x.wild.unsigned", a, "answer Insecure"),
        ("x.wild.signed", mx, "NoData Secure"),
        ("null.signed", mx, "answer Secure"),
        ("www.hashed", mx, "NoData Secure"),
        ("www.unsigned", mx, "NoData Insecure"),
        ("away.signed", mx, "NoData Insecure"),
        ("_25._tcp.www.hashed", tlsa, "NxDomain Secure"),
        ("away.signed", a, "answer Insecure"),
        ("mx.signed", RecordType::Aaaa, "NoData Secure"),
        ("nobody.signed", a, "NxDomain Secure"),
        ("_25._tcp.www.signed", tlsa, "NxDomain Secure"),
        ("www.signed", mx, "NoData Secure"),
        ("hashed", mx, "answer Secure"),
        ("_25._tcp.mx.hashed", tlsa, "answer Secure"),
        ("nobody.hashed", a, "NxDomain Secure"),
        ("mx.hashed", RecordType::Aaaa, "NoData Secure"),
        ("_25._tcp.ns.hashed", tlsa, "NxDomain Secure"),
        ("unsigned", mx, "answer Insecure"),
        // an unsigned domain at a signed host: DANE goes by the host (RFC 7672 §2.2.1)
        ("hosted.unsigned", mx, "answer Insecure"),
        ("mx.signed", a, "answer Secure"),
        ("_25._tcp.mx.signed", tlsa, "answer Secure"),
        ("_25._tcp.mx.unsigned", tlsa, "answer Insecure"),
        ("www.unsigned", a, "answer Insecure"),
        ("nobody.unsigned", a, "NxDomain Insecure"),
        ("mx.unsigned", RecordType::Aaaa, "NoData Insecure"),
        // what stands under a wildcard, or between two names, has no TLSA records, and that is proven
        ("_25._tcp.x.wild.signed", tlsa, "NoData Secure"),
        ("_25._tcp.x.wild.hashed", tlsa, "NoData Secure"),
        ("_25._tcp.x.wild.unsigned", tlsa, "NoData Insecure"),
        ("_tcp.mx.signed", tlsa, "NoData Secure"),
        ("_tcp.mx.hashed", tlsa, "NoData Secure"),
        ("nosuchzone", mx, "NxDomain Secure"),
        // GHSA-5j98-2g5x-46v6: a failed validation once came back as an answer.
        ("false", mx, "failed Bogus"),
        ("mx.false", a, "failed Bogus"),
        ("nobody.false", a, "failed Bogus"),
        ("mx.false", RecordType::Aaaa, "failed Bogus"),
    ];
    let mut wrong = Vec::new();
    for (name, kind, expected) in table {
        let lookup = dns.lookup(name, kind).await;
        if word(&lookup) != expected {
            wrong.push(format!("{name} {kind:?}: {}, not {expected}", word(&lookup)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    match dns.lookup("null.signed", mx).await {
        Lookup::Answer { records, .. } => assert_eq!(records, [Record::Mx(0, ".".into())]),
        other => panic!("{other:?}"),
    }
    match dns.lookup("www.signed", a).await {
        Lookup::Answer { chain, .. } => assert_eq!(chain, ["mx.signed"]),
        other => panic!("{other:?}"),
    }
}

/// What this process has used of the processor so far (proc(5): fields 14 and 15, in hundredths of a second).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = behind
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(10 * ticks)
}

#[tokio::test]
async fn net_3_denials_that_are_dear_to_check_are_not_checked() {
    let Some(knot) = Knot::start().await else { return };
    let dns = knot.validating();
    let before = cpu_time();
    // More than 100 iterations count as not signed, more than 500 as false (RFC 9276 §3.2); either is cheap.
    let table = [
        ("mx.dear", RecordType::A, "answer Secure"),
        ("nobody.dear", RecordType::A, "NxDomain Insecure"),
        ("mx.absurd", RecordType::A, "answer Secure"),
        ("nobody.absurd", RecordType::A, "failed Bogus"),
    ];
    for (name, kind, expected) in table {
        let lookup = dns.lookup(name, kind).await;
        assert_eq!(word(&lookup), expected, "{name}");
    }
    let spent = cpu_time() - before;
    assert!(
        spent < Duration::from_secs(4),
        "at most 1 s for each lookup: {spent:?}"
    );
}

#[tokio::test]
async fn without_validation_nothing_is_claimed_and_with_wrong_anchors_nothing_is_believed() {
    let Some(knot) = Knot::start().await else { return };
    let plain = knot.dns(Validation::Off);
    for (name, expected) in [
        ("mx.signed", "answer Indeterminate"),
        ("mx.false", "answer Indeterminate"),
        ("nobody.signed", "NxDomain Indeterminate"),
    ] {
        assert_eq!(word(&plain.lookup(name, RecordType::A).await), expected, "{name}");
    }
    let root = knot.dns(Validation::Root);
    for name in ["mx.signed", "mx.unsigned", "nobody.signed"] {
        let lookup = root.lookup(name, RecordType::A).await;
        assert_eq!(lookup, Lookup::Failed(Failure::Bogus), "{name}");
    }
    let absent = Lookup::Negative {
        absence: Absence::NxDomain,
        security: Security::Indeterminate,
        ttl: Duration::from_secs(60),
    };
    assert_eq!(plain.lookup("nobody.signed", RecordType::Mx).await, absent);
}
