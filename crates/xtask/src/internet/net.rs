//! Namespaces and cables.

use crate::process;
use crate::report::Outcome;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CALL_LIMIT: Duration = Duration::from_secs(20);

/// The middle's own address: clients and sinks are there.
pub const MIDDLE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The name server's.
pub const DNS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
/// Where sinks may listen, in the middle.
pub const SINKS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(203, 0, 113, 41),
    Ipv4Addr::new(203, 0, 113, 42),
    Ipv4Addr::new(203, 0, 113, 43),
    Ipv4Addr::new(203, 0, 113, 44),
];

/// All namespaces of one run; the owner of the first takes all away.
pub struct Net {
    prefix: String,
    owner: bool,
}

impl Net {
    /// Makes the middle: a bridge with addresses on it.
    pub fn new() -> Outcome<Self> {
        let net = Self {
            prefix: format!("hpnet{}", std::process::id()),
            owner: true,
        };
        let middle = net.name("middle");
        ip(&["netns", "add", &middle])?;
        ip(&["-n", &middle, "link", "set", "lo", "up"])?;
        ip(&["-n", &middle, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &middle, "link", "set", "br0", "up"])?;
        for address in [MIDDLE].into_iter().chain(SINKS) {
            ip(&[
                "-n",
                &middle,
                "address",
                "add",
                &format!("{address}/24"),
                "dev",
                "br0",
            ])?;
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

    /// A host with this address, cabled to the bridge, asking our name server.
    pub fn host(&self, host: &str, address: IpAddr) -> Outcome<Host> {
        let (name, cable) = (self.name(host), format!("c-{host}"));
        ip(&["netns", "add", &name])?;
        ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name,
        ])?;
        ip(&["link", "set", &cable, "master", "br0", "up"])?;
        for words in [
            "link set lo up".to_owned(),
            "link set eth0 up".to_owned(),
            format!("address add {address}/24 dev eth0"),
        ] {
            let mut command = Command::new("ip");
            command.args(["-n", &name]).args(words.split(' '));
            process::must(&mut command, CALL_LIMIT)?;
        }
        let etc = Path::new("/etc/netns").join(&name);
        std::fs::create_dir_all(&etc)?;
        std::fs::write(etc.join("resolv.conf"), format!("nameserver {DNS}\n"))?;
        Ok(Host { name, address })
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
    /// its address
    pub address: IpAddr,
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

    /// From now on packets from these addresses are lost.
    pub fn cut_off(&self, from: &[IpAddr]) -> Result<(), String> {
        let drops: String = from
            .iter()
            .map(|address| format!("add rule inet cut in ip saddr {address} drop\n"))
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
