//! The hosts of a story: Hearthposts and Debian's Postfix in namespaces of their own, sinks and the name server in the middle.

use super::keys::{self, Key};
use super::net::{self, DNS, Host, Net, SLOW_DNS};
use super::postfix::Postfix;
use super::sinks::Doors;
use super::slow;
use super::story::{Family, HearthpostPlan, HostPlan, Kind, RoutePlan, Setting, Story, WebPlan};
use crate::campaign::mailer::Person;
use crate::campaign::names::Names;
use crate::campaign::server::{Plan, Server, certificate};
use crate::process::{self, Scratch};
use crate::report::{Outcome, Stopwatch, pause};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::sink::{Authority, PolicyServer};
use testkit::talk::TlsClient;

/// How long a record that was just published may stay unseen.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);
/// Where policies are fetched.
const WEB_PORT: u16 = 443;
/// Everybody's password.
const PASSWORD: &str = "correct horse battery";

/// All that runs. Fields are dropped in this order: servers first, names and files later.
pub struct Hosts {
    /// by the domain that names the host
    all: BTreeMap<String, Running>,
    authority: Authority,
    ca: PathBuf,
    /// by the domain that names the host
    keys: BTreeMap<String, Vec<Key>>,
    names: Names,
    /// whom Hearthposts ask for names
    asks: [IpAddr; 2],
    place: Scratch,
}

/// What runs on a host.
enum Running {
    Hearthpost(Box<Hearthpost>),
    Postfix(Box<Postfix>),
    Sink(Doors),
    Web(Vec<PolicyServer>),
}

/// A Hearthpost on its host.
pub struct Hearthpost {
    /// the program
    pub server: RefCell<Server>,
    /// its place in the net
    pub host: Host,
    /// what the story has set since it began
    set_later: RefCell<Vec<Setting>>,
}

impl Hosts {
    /// Starts everything that the story declares.
    pub fn start(net: &Net, binary: &Path, story: &Story) -> Outcome<Self> {
        let place = Scratch::new("internet")?;
        let dir = place.path().to_owned();
        chmod("755", &dir)?;
        let authority = Authority::new();
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, authority.pem())?;
        let listen = DNS.map(|address| SocketAddr::new(address, 53));
        let keys = keys_of(story, &dir)?;
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
        let unsigned: Vec<(String, String)> = story
            .unsigned
            .iter()
            .map(|(zone, lines)| (zone.clone(), text(lines)))
            .collect();
        let records = records(story, &keys, &authority, &dir)?;
        let names = Names::start_with(&[], &dir.join("dns"), &listen, (&records, &unsigned))?;
        if !story.slow.is_empty() {
            slow::start(&story.slow)?;
        }
        let password_file = dir.join("password");
        std::fs::write(&password_file, format!("{PASSWORD}\n"))?;
        chmod("600", &password_file)?;
        let mut hosts = Self {
            all: BTreeMap::new(),
            authority,
            ca,
            keys,
            names,
            asks: if story.slow.is_empty() { DNS } else { SLOW_DNS },
            place,
        };
        for plan in &story.hosts {
            let running = hosts.running(net, binary, plan)?;
            hosts.all.insert(plan.domains[0].clone(), running);
        }
        Ok(hosts)
    }

    /// Starts what runs on one host.
    fn running(&self, net: &Net, binary: &Path, plan: &HostPlan) -> Outcome<Running> {
        Ok(match &plan.kind {
            Kind::Hearthpost(own) => {
                Running::Hearthpost(Box::new(self.hearthpost_of(net, binary, plan, own)?))
            }
            Kind::Postfix(own) => {
                let domain = &plan.domains[0];
                let place = self.place.path().join(domain);
                Running::Postfix(Box::new(Postfix::start(
                    net.host(domain, &plan.addresses)?,
                    plan,
                    own,
                    &place,
                    &self.authority,
                    (&self.ca, &self.names.anchor),
                    self.keys.get(domain).and_then(|keys| keys.first()),
                )?))
            }
            Kind::Web(own) => Running::Web(web(plan, own, &self.authority)?),
            Kind::Sink(own) => Running::Sink(Doors::open(plan, own, &self.authority)?),
        })
    }

    fn hearthpost_of(
        &self,
        net: &Net,
        binary: &Path,
        plan: &HostPlan,
        own: &HearthpostPlan,
    ) -> Outcome<Hearthpost> {
        let host = net.host(&plan.domains[0], &plan.addresses)?;
        let dir = self.place.path().join(&plan.domains[0]);
        let name = format!("mx.{}", plan.domains[0]);
        let addresses = in_dns(plan);
        let address = *addresses.first().ok_or("a host without an address")?;
        let listen = if own.everywhere {
            addresses.iter().map(|one| everywhere(*one)).collect()
        } else {
            addresses
        };
        let server = Server::start(Plan {
            binary: binary.to_owned(),
            wrapper: host.wrapper(),
            hostname: name.clone(),
            domains: plan.domains.clone(),
            address,
            listen,
            port_base: 0,
            certificate: certificate(&self.authority, &[&name], &dir.join("tls"))?,
            settings: self.settings(plan, own),
            dir,
        })?;
        for person in &own.people {
            server.account(person, PASSWORD)?;
        }
        for (address, targets) in &own.aliases {
            let mut words = vec!["alias", "add", address];
            words.extend(targets.iter().map(String::as_str));
            server.tell(&words)?;
        }
        Ok(Hearthpost {
            server: RefCell::new(server),
            host,
            set_later: RefCell::default(),
        })
    }

    /// Short waits, our name server, our authority, and what the story sets.
    fn settings(&self, plan: &HostPlan, own: &HearthpostPlan) -> String {
        let servers: Vec<String> = net::reached_from(&plan.addresses, self.asks)
            .into_iter()
            .map(|server| format!("\"{}\"", SocketAddr::new(server, 53)))
            .collect();
        let usual = [
            ("tls", "extra_roots", format!("{:?}", self.ca)),
            ("queue", "retry_first", "\"2 s\"".to_owned()),
            ("queue", "retry_longest", "\"5 s\"".to_owned()),
            ("dns", "servers", format!("[{}]", servers.join(", "))),
            ("dns", "trust_anchor", format!("{:?}", self.names.anchor)),
        ];
        let keys = self.keys.get(&plan.domains[0]).map(|keys| {
            let files: Vec<String> = keys.iter().map(|key| format!("{:?}", key.path)).collect();
            ("dkim", "keys", format!("[{}]", files.join(", ")))
        });
        let mut tables: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (table, key, value) in usual.iter().chain(&keys) {
            tables.entry(table).or_default().insert(key, value);
        }
        for (table, key, value) in &own.settings {
            tables.entry(table).or_default().insert(key, value);
        }
        let mut out = String::new();
        for (table, lines) in tables {
            out.push_str(&format!("[{table}]\n"));
            for (key, value) in lines {
                out.push_str(&format!("{key} = {value}\n"));
            }
        }
        let password_file = self.place.path().join("password");
        for route in &own.routes {
            out.push_str(&route_text(route, &password_file));
        }
        out
    }

    /// A Hearthpost, by its domain.
    pub fn hearthpost(&self, name: &str) -> Result<&Hearthpost, String> {
        match self.all.get(name) {
            Some(Running::Hearthpost(found)) => Ok(found),
            _ => Err(format!("no Hearthpost is called {name}")),
        }
    }

    /// Sets one thing otherwise in a Hearthpost's settings file, and has it read the file again.
    pub fn set_and_reload(&self, plan: &HostPlan, setting: &Setting) -> Result<(), String> {
        let found = self.hearthpost(&plan.domains[0])?;
        let Kind::Hearthpost(own) = &plan.kind else {
            return Err("only a Hearthpost reads its settings again".into());
        };
        found.set_later.borrow_mut().push(setting.clone());
        let mut own = own.clone();
        own.settings.extend(found.set_later.borrow().iter().cloned());
        let mut server = found.server.borrow_mut();
        server.plan.settings = self.settings(plan, &own);
        server.write_settings()?;
        server.tell(&["reload"]).map(drop)
    }

    /// Puts the records of a Hearthpost's own keys into DNS, and waits until it has seen them. A reload forgets that there were none.
    pub fn publish_keys(&self, name: &str) -> Result<(), String> {
        let server = self.hearthpost(name)?.server.borrow();
        let listed = server.tell(&["dkim", "list", name])?;
        let waiting: Vec<String> = listed
            .lines()
            .filter(|line| line.split_whitespace().nth(2) == Some("waiting"))
            .filter_map(|line| Some(format!("{}. ", line.split_whitespace().next()?)))
            .collect();
        let zone = server.tell(&["dns", "records", name, "--zone"])?;
        let keys = zone
            .lines()
            .filter(|line| waiting.iter().any(|record| line.starts_with(record)));
        let records: Vec<[&str; 4]> = keys
            .filter_map(|line| {
                let mut words = line.splitn(5, ' ');
                let (name, ttl) = (words.next()?, words.next()?);
                let (kind, value) = (words.nth(1)?, words.next()?);
                Some([name, ttl, kind, value])
            })
            .collect();
        if records.is_empty() {
            return Err(format!("no key of {name} waits for its record"));
        }
        self.names.add(&records).map_err(|error| error.to_string())?;
        server.tell(&["reload"])?;
        let began = Stopwatch::start();
        while server
            .tell(&["dkim", "look", name, "--json"])?
            .contains("\"waiting\"")
        {
            if began.elapsed() > PUBLISHED_WITHIN {
                return Err("its records are in DNS, and it does not see them".into());
            }
            pause(Duration::from_secs(1));
        }
        Ok(())
    }

    /// A Postfix, by its domain.
    pub fn postfix(&self, name: &str) -> Result<&Postfix, String> {
        match self.all.get(name) {
            Some(Running::Postfix(found)) => Ok(found),
            _ => Err(format!("no Postfix is called {name}")),
        }
    }

    /// A sink, by its domain.
    pub fn sink(&self, name: &str) -> Result<&Doors, String> {
        match self.all.get(name) {
            Some(Running::Sink(found)) => Ok(found),
            _ => Err(format!("no sink is called {name}")),
        }
    }

    /// The key that a host signs with, if it does.
    pub fn key_of(&self, name: &str) -> Option<&Path> {
        let key = self.keys.get(name)?.first()?;
        Some(&key.path)
    }

    /// Every sink with its name.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, &Doors)> {
        self.all.iter().filter_map(|(name, running)| match running {
            Running::Sink(doors) => Some((name.as_str(), doors)),
            _ => None,
        })
    }

    /// Somebody of the Hearthpost `home`, with a mail program.
    pub fn person(&self, address: &str, home: &str) -> Result<Person, String> {
        let server = self.hearthpost(home)?.server.borrow();
        Ok(Person {
            address: address.to_owned(),
            password: PASSWORD.to_owned(),
            submission: server.plan.door(587),
            imaps: server.plan.door(993),
            server: server.plan.hostname.clone(),
            tls: TlsClient::trusting(&self.ca),
        })
    }

    /// What the servers said last.
    pub fn tails(&self) -> String {
        let told = self.all.iter().map(|(name, running)| {
            let said = match running {
                Running::Hearthpost(found) => found.server.borrow().log_tail(),
                Running::Postfix(found) => found.log_tail(),
                Running::Sink(found) => found.told(),
                Running::Web(found) => {
                    let counts: Vec<u64> = found.iter().map(PolicyServer::served).collect();
                    format!("it said its policy so often: {counts:?}")
                }
            };
            format!("--- {name}\n{said}\n")
        });
        told.collect()
    }
}

/// A web server at each address, on the port of the web.
fn web(plan: &HostPlan, own: &WebPlan, authority: &Authority) -> Outcome<Vec<PolicyServer>> {
    let certificates = authority.certificates(&[&plan.domains[0]]);
    let policy: String = own.policy.iter().map(|line| format!("{line}\n")).collect();
    let mut servers = Vec::new();
    for address in &plan.addresses {
        net::add_to_the_middle(*address)?;
        let door = SocketAddr::new(*address, WEB_PORT);
        let fault = own.fault.as_deref();
        servers.push(PolicyServer::start(door, policy.clone(), &certificates, fault)?);
    }
    Ok(servers)
}

/// The first address of each family.
pub fn in_dns(plan: &HostPlan) -> Vec<IpAddr> {
    [Family::V4, Family::V6]
        .into_iter()
        .filter_map(|family| {
            plan.addresses
                .iter()
                .copied()
                .find(|address| Family::of(*address) == family)
        })
        .collect()
}

/// All addresses of the family, as settings name them.
fn everywhere(address: IpAddr) -> IpAddr {
    match Family::of(address) {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn route_text(route: &RoutePlan, password_file: &Path) -> String {
    let mut out = format!(
        "[[routes]]\nname = \"{name}\"\nto = [\"{to}\"]\nhost = \"{host}\"\nport = {port}\n",
        name = route.to.replace('.', "-"),
        to = route.to,
        host = route.host,
        port = route.port,
    );
    match &route.user {
        Some(user) => out.push_str(&format!("user = \"{user}\"\npassword_file = {password_file:?}\n")),
        None => out.push_str("tls = \"opportunistic\"\n"),
    }
    if let Some(attempts) = route.else_mx_after {
        out.push_str(&format!("fallback = \"mx\"\nafter_attempts = {attempts}\n"));
    }
    out
}

/// Keys for everybody who signs. Debian's opendkim signs with one; we do with two kinds.
fn keys_of(story: &Story, dir: &Path) -> Outcome<BTreeMap<String, Vec<Key>>> {
    let mut all = BTreeMap::new();
    for host in story.hosts.iter().filter(|host| host.signs) {
        let domain = &host.domains[0];
        let both = matches!(host.kind, Kind::Hearthpost(_));
        all.insert(domain.clone(), keys::make(domain, both, &dir.join("keys"))?);
    }
    Ok(all)
}

/// An MX record for each host, the addresses it leads to, keys, and what the story adds. `{key}` stands for the SHA-256 of the servers'
/// public key, `{authority}` for that of their authority's certificate (TLSA, RFC 6698 §2.1).
fn records(
    story: &Story,
    keys: &BTreeMap<String, Vec<Key>>,
    authority: &Authority,
    dir: &Path,
) -> Outcome<String> {
    let key = keys::sha256(&authority.server_key(), dir)?;
    let issuer = keys::sha256(authority.der(), dir)?;
    let mut out = String::new();
    for host in &story.hosts {
        let domain = &host.domains[0];
        let name = match host.kind {
            Kind::Web(_) => domain.clone(),
            _ => {
                out.push_str(&format!("{domain}. MX 10 mx.{domain}.\n"));
                format!("mx.{domain}")
            }
        };
        for address in in_dns(host) {
            let kind = if address.is_ipv6() { "AAAA" } else { "A" };
            out.push_str(&format!("{name}. {kind} {address}\n"));
        }
    }
    for key in keys.values().flatten() {
        out.push_str(&key.record);
        out.push('\n');
    }
    for record in &story.zone {
        out.push_str(&record.replace("{key}", &key).replace("{authority}", &issuer));
        out.push('\n');
    }
    Ok(out)
}

fn chmod(mode: &str, path: &Path) -> Outcome<()> {
    process::must(Command::new("chmod").arg(mode).arg(path), Duration::from_secs(5)).map(drop)
}
