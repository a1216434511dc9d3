//! A sink with an address in each family: one door for each, one record.

use super::net;
use super::story::{Family, HostPlan, Rule, SinkPlan};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use testkit::sink::{Accepted, Authority, Script, Sink};

/// A running sink.
pub struct Doors {
    doors: Vec<(IpAddr, Sink)>,
}

/// A message that a sink took, with the door it came through.
pub struct Taken {
    /// what the sink wrote down
    pub message: Accepted,
    /// its door
    pub door: Family,
}

impl Doors {
    /// Opens a door at each address, with STARTTLS and a certificate that verifies.
    pub fn open(plan: &HostPlan, sink: &SinkPlan, authority: &Authority) -> Result<Self, String> {
        let name = format!("mx.{}", plan.domains[0]);
        let mut doors = Vec::new();
        for address in &plan.addresses {
            net::add_to_the_middle(*address).map_err(|error| error.to_string())?;
            let door = SocketAddr::new(*address, sink.port);
            let script = script_for(*address, &sink.rules)?;
            let open = Sink::start_with_tls(door, script, authority.certificates(&[&name]))
                .map_err(|error| format!("no sink at {door}: {error}"))?;
            doors.push((*address, open));
        }
        Ok(Self { doors })
    }

    /// Other rules from now on.
    pub fn behave(&self, rules: &[Rule]) -> Result<(), String> {
        for (address, door) in &self.doors {
            door.set(script_for(*address, rules)?);
        }
        Ok(())
    }

    /// How many messages were taken.
    pub fn count(&self) -> u64 {
        self.doors.iter().map(|(_, door)| door.accepted_count()).sum()
    }

    /// Every message that was taken, in the order of time.
    pub fn taken(&self) -> Vec<Taken> {
        let mut all: Vec<Taken> = Vec::new();
        for (address, door) in &self.doors {
            let of_door = door.accepted().into_iter().map(|message| Taken {
                message,
                door: Family::of(*address),
            });
            all.extend(of_door);
        }
        all.sort_by_key(|taken| taken.message.at);
        all
    }

    /// How often each (Message-ID, recipient) was taken.
    pub fn counts(&self) -> BTreeMap<(String, String), u64> {
        let mut all = BTreeMap::new();
        for (_, door) in &self.doors {
            for (key, count) in door.counts() {
                *all.entry(key).or_default() += count;
            }
        }
        all
    }

    /// Most connections at a time; with two doors, at most so many.
    pub fn most_open(&self) -> u64 {
        self.doors
            .iter()
            .map(|(_, door)| door.statistics().most_open)
            .sum()
    }

    /// What was said to it that it had not offered.
    pub fn violations(&self) -> Vec<String> {
        self.doors
            .iter()
            .flat_map(|(_, door)| door.statistics().violations)
            .collect()
    }

    /// For people: what each door counted.
    pub fn told(&self) -> String {
        self.doors
            .iter()
            .map(|(address, door)| format!("{address}: {:?}", door.statistics()))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

fn script_for(address: IpAddr, rules: &[Rule]) -> Result<Script, String> {
    let here = |rule: &&Rule| rule.family.is_none_or(|family| family == Family::of(address));
    let lines: Vec<&str> = rules.iter().filter(here).map(|rule| rule.text.as_str()).collect();
    Script::read(&lines.join("\n"))
}
