//! Namespaces and cables. Both families everywhere; nobody looks for doubled addresses (DAD), so an address works at once.

use crate::process;
use crate::report::Outcome;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CALL_LIMIT: Duration = Duration::from_secs(90);

/// The middle's own address: clients and sinks are there.
pub const MIDDLE: [IpAddr; 2] = pair(1);
/// The name server's.
pub const DNS: [IpAddr; 2] = pair(0x35);
/// The one in front of it, in stories with slow names.
pub const SLOW_DNS: [IpAddr; 2] = pair(0x36);

/// The bridge's hardware address. Without one that was set it takes the lowest of its cables', so that another one may come with every
/// host, and whoever knows the old one (ARP, RFC 4861) is unheard for half a minute: the kernel drops what comes in by one cable for
/// another's address.
const MIDDLE_MAC: &str = "02:00:00:00:00:01";

/// One place in both families. A story's own addresses begin at 10.
const fn pair(last: u8) -> [IpAddr; 2] {
    [
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, last as u16)),
    ]
}

/// An address with the net it is in: everybody is on one link, where an IPv6 line has a /64 of its own.
fn on_link(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv6() { 48 } else { 24 })
}

/// All namespaces of one story; the owner of the first takes all away.
pub struct Net {
    prefix: String,
    owner: bool,
}

impl Net {
    /// Makes the middle: a bridge with addresses on it.
    pub fn new(number: usize) -> Outcome<Self> {
        let net = Self {
            prefix: format!("hpnet{}n{number}", std::process::id()),
            owner: true,
        };
        let middle = net.name("middle");
        ip(&["netns", "add", &middle])?;
        ip(&["-n", &middle, "link", "set", "lo", "up"])?;
        ip(&[
            "-n", &middle, "link", "add", "br0", "address", MIDDLE_MAC, "type", "bridge",
        ])?;
        ip(&["-n", &middle, "link", "set", "br0", "up"])?;
        for address in MIDDLE.into_iter().chain(DNS) {
            add_address(&["-n", &middle], "br0", address)?;
        }
        Ok(net)
    }

    /// The same net, seen by the process inside.
    pub fn inside(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            owner: false,
        }
    }

    /// What all names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn name(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// A command in the middle.
    pub fn in_the_middle(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name("middle")))
            .arg("--")
            .arg(program);
        command
    }

    /// A host with these addresses, cabled to the bridge, asking our name server. Called in the middle.
    pub fn host(&self, domain: &str, addresses: &[IpAddr]) -> Outcome<Host> {
        let short = domain.split('.').next().unwrap_or(domain);
        let (name, cable) = (self.name(short), format!("c-{short}"));
        ip(&["netns", "add", &name])?;
        ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name,
        ])?;
        ip(&["link", "set", &cable, "master", "br0", "up"])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])?;
        ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        for address in addresses {
            add_address(&["-n", &name], "eth0", *address)?;
        }
        let servers: String = reached_from(addresses, DNS)
            .iter()
            .map(|server| format!("nameserver {server}\n"))
            .collect();
        let etc = Path::new("/etc/netns").join(&name);
        std::fs::create_dir_all(&etc)?;
        std::fs::write(etc.join("resolv.conf"), servers)?;
        Ok(Host { name })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !self.owner {
            return;
        }
        let said = process::run(Command::new("ip").args(["netns", "list"]), CALL_LIMIT);
        let list = said.map(|said| said.stdout).unwrap_or_default();
        let ours = list
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| name.starts_with(&format!("{}-", self.prefix)));
        for name in ours {
            end_all_in(name);
            // What cannot be removed disturbs nobody but its reader.
            let _ = Command::new("ip").args(["netns", "del", name]).status();
            let _ = std::fs::remove_dir_all(Path::new("/etc/netns").join(name));
        }
        let _ = std::fs::remove_dir("/etc/netns");
    }
}

/// Those of a name server's addresses that a host with these addresses can reach.
pub fn reached_from(addresses: &[IpAddr], servers: [IpAddr; 2]) -> Vec<IpAddr> {
    let reached = |server: &IpAddr| {
        addresses
            .iter()
            .any(|address| address.is_ipv6() == server.is_ipv6())
    };
    servers.into_iter().filter(reached).collect()
}

/// Gives the middle another address: a sink's, or a stranger's.
pub fn add_to_the_middle(address: IpAddr) -> Outcome<()> {
    add_address(&[], "br0", address)
}

/// From now on what the middle says to `peer` comes from `source`. Both are of one family.
pub fn speak_from(source: IpAddr, peer: IpAddr) -> Outcome<()> {
    let (family, bits) = if peer.is_ipv6() { ("-6", 128) } else { ("-4", 32) };
    let (peer, source) = (format!("{peer}/{bits}"), source.to_string());
    ip(&[family, "route", "replace", &peer, "dev", "br0", "src", &source])
}

fn add_address(place: &[&str], device: &str, address: IpAddr) -> Outcome<()> {
    let address_on_link = on_link(address);
    let mut words = [place, &["address", "add", &address_on_link, "dev", device]].concat();
    if address.is_ipv6() {
        words.push("nodad");
    }
    ip(&words)
}

/// Only processes of our own run can be in a namespace of our own name.
fn end_all_in(name: &str) {
    let said = process::run(Command::new("ip").args(["netns", "pids", name]), CALL_LIMIT);
    for pid in said
        .map(|said| said.stdout)
        .unwrap_or_default()
        .split_whitespace()
    {
        let _ = Command::new("kill").args(["-KILL", pid]).status();
    }
}

/// A host of the net.
pub struct Host {
    name: String,
}

impl Host {
    /// The words that bring a program onto this host.
    pub fn wrapper(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// A command on this host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// From now on its programs find name servers so (resolv.conf).
    pub fn asks(&self, resolv_conf: &str) -> Outcome<()> {
        Ok(std::fs::write(
            Path::new("/etc/netns").join(&self.name).join("resolv.conf"),
            resolv_conf,
        )?)
    }

    /// From now on what these addresses say over TCP and UDP is lost. That they are there can still be learnt (ARP, RFC 4861), as it can of a
    /// server behind a router: nobody is told that there is no way.
    pub fn cut_off(&self, from: &[IpAddr]) -> Result<(), String> {
        let drops: String = from
            .iter()
            .map(|address| {
                let family = if address.is_ipv6() { "ip6" } else { "ip" };
                format!("add rule inet cut in {family} saddr {address} meta l4proto {{ tcp, udp }} drop\n")
            })
            .collect();
        let rules = format!(
            "add table inet cut\nadd chain inet cut in {{ type filter hook input priority 0; }}\n{drops}"
        );
        self.nft(&rules)
    }

    /// All packets arrive again.
    pub fn heal(&self) -> Result<(), String> {
        self.nft("delete table inet cut\n")
    }

    fn nft(&self, rules: &str) -> Result<(), String> {
        let file = std::env::temp_dir().join(format!("{}.nft", self.name));
        std::fs::write(&file, rules).map_err(|error| error.to_string())?;
        let done = process::must(self.command("nft").arg("-f").arg(&file), CALL_LIMIT);
        let _ = std::fs::remove_file(&file);
        done.map(drop).map_err(|error| error.to_string())
    }
}

fn ip(words: &[&str]) -> Outcome<()> {
    process::must(Command::new("ip").args(words), CALL_LIMIT).map(drop)
}
