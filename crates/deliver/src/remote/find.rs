//! Asks DNS for the hosts of a route, and lets [`super::hosts`] decide.

use std::net::IpAddr;
use std::sync::Arc;

use mail::address::Domain;
use tokio::task::JoinSet;
use world::chance::Chance;
use world::clock::Clock;
use world::dns::{Absence, Dns, Lookup, Record, RecordType, Security};

use super::hosts::{self, Candidate, Choice, Exchanger, Found};
use super::route::Route;
use super::status::Trouble;
use super::talk::in_time;
use crate::limits::{HOSTS_LOOKED_UP, NAMES_AGAIN};
use crate::settings::{Settings, Smarthost};

/// The hosts of a route, and what DNSSEC says of the way to them.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// in the order to try
    pub candidates: Vec<Candidate>,
    /// one more that could not be found now
    pub missing: Option<Trouble>,
    /// what DNSSEC says of the MX records, or of their absence
    pub mx: Security,
    /// the answers for the addresses of each host that was asked for
    pub addresses: Vec<(String, Found)>,
}

impl Hosts {
    /// Of a way that MX records have no say in.
    fn fixed(candidates: Vec<Candidate>, addresses: Vec<(String, Found)>) -> Self {
        Self {
            candidates,
            missing: None,
            mx: Security::Indeterminate,
            addresses,
        }
    }

    /// The answers for a host's addresses.
    pub fn addresses_of(&self, host: &str) -> Option<&Found> {
        let mut known = self.addresses.iter();
        known.find(|(name, _)| name == host).map(|(_, found)| found)
    }
}

/// The hosts to try for `route`, in order. When names cannot be found now they are asked for once more a moment later: one lost
/// answer should not cost the destination its pause.
///
/// # Errors
/// Why there is nobody to try.
pub async fn hosts_in_the_end(
    route: &Route,
    settings: &Settings,
    doors: (&Arc<dyn Dns>, &dyn Clock),
    chance: &dyn Chance,
) -> Result<Hosts, Trouble> {
    let (dns, clock) = doors;
    match hosts_of(route, settings, dns, chance).await {
        Err(trouble) if trouble.status.class() == 4 => {
            clock.sleep_until(in_time(clock, NAMES_AGAIN)).await;
            hosts_of(route, settings, dns, chance).await
        }
        found => found,
    }
}

/// The hosts to try for `route`, in order.
///
/// # Errors
/// Why there is nobody to try.
pub async fn hosts_of(
    route: &Route,
    settings: &Settings,
    dns: &Arc<dyn Dns>,
    chance: &dyn Chance,
) -> Result<Hosts, Trouble> {
    let choice = Choice {
        ours: &settings.ours,
        allow_private: settings.allow_private,
        v6_first: settings.v6.address.is_some(),
        shuffle: number(chance),
    };
    match route {
        Route::Mx(domain) => by_mx(domain, choice, dns).await,
        Route::Literal(address) => {
            let found = [one_address(*address)];
            let name = name_of(*address);
            let candidates = hosts::candidates(&name, &[direct(&name)], &found, choice)?;
            Ok(Hosts::fixed(candidates, Vec::new()))
        }
        Route::Smarthost(host) => smarthost(host, choice, dns).await,
    }
}

async fn by_mx(domain: &Domain, choice: Choice<'_>, dns: &Arc<dyn Dns>) -> Result<Hosts, Trouble> {
    let domain = domain.as_str();
    let answer = dns.lookup(domain, RecordType::Mx).await;
    let mut exchangers = hosts::exchangers(domain, &answer)?;
    exchangers.truncate(HOSTS_LOOKED_UP);
    let found = addresses_of(&exchangers, dns).await;
    let mx = match answer {
        Lookup::Answer { security, .. } | Lookup::Negative { security, .. } => security,
        Lookup::Failed(_) => Security::Indeterminate,
    };
    Ok(Hosts {
        candidates: hosts::candidates(domain, &exchangers, &found, choice)?,
        missing: hosts::not_found_now(&exchangers, &found, choice),
        mx,
        addresses: exchangers.into_iter().map(|one| one.host).zip(found).collect(),
    })
}

/// The operator named it: any address will do, our own included.
async fn smarthost(host: &Smarthost, choice: Choice<'_>, dns: &Arc<dyn Dns>) -> Result<Hosts, Trouble> {
    let name = host.host.as_str();
    let exchangers = [direct(name)];
    let found = match host.host.literal() {
        Some(address) => vec![one_address(address)],
        None => addresses_of(&exchangers, dns).await,
    };
    let choice = Choice {
        ours: &crate::settings::Ours::default(),
        allow_private: true,
        ..choice
    };
    // Waiting helps: the operator mends the name, or the settings.
    let candidates = hosts::candidates(name, &exchangers, &found, choice)
        .map_err(|_| Trouble::later(4, 3, format!("the smarthost {name} has no address now")).about(name))?;
    let addresses = found.into_iter().map(|found| (name.to_owned(), found));
    Ok(Hosts::fixed(candidates, addresses.collect()))
}

/// All at once: a slow name server costs its time once.
async fn addresses_of(exchangers: &[Exchanger], dns: &Arc<dyn Dns>) -> Vec<Found> {
    let mut asking = JoinSet::new();
    for (position, exchanger) in exchangers.iter().enumerate() {
        let (dns, host) = (dns.clone(), exchanger.host.clone());
        asking.spawn(async move {
            let (v4, v6) = tokio::join!(
                dns.lookup(&host, RecordType::A),
                dns.lookup(&host, RecordType::Aaaa)
            );
            (position, Found { v4, v6 })
        });
    }
    let mut found: Vec<Found> = exchangers.iter().map(|_| nothing()).collect();
    while let Some(answered) = asking.join_next().await {
        if let Ok((position, answer)) = answered {
            found[position] = answer;
        }
    }
    found
}

fn direct(name: &str) -> Exchanger {
    Exchanger {
        preference: 0,
        host: name.to_owned(),
    }
}

fn name_of(address: IpAddr) -> String {
    Domain::from_ip(address).as_str().to_owned()
}

fn one_address(address: IpAddr) -> Found {
    let record = match address {
        IpAddr::V4(address) => Record::A(address),
        IpAddr::V6(address) => Record::Aaaa(address),
    };
    let answer = Lookup::Answer {
        records: vec![record],
        ttl: std::time::Duration::ZERO,
        chain: Vec::new(),
        security: Security::Indeterminate,
    };
    Found {
        v4: answer,
        v6: nothing().v6,
    }
}

/// Before an answer is there nothing is known.
fn nothing() -> Found {
    let absent = || Lookup::Negative {
        absence: Absence::NoData,
        security: Security::Indeterminate,
        ttl: std::time::Duration::ZERO,
    };
    Found {
        v4: absent(),
        v6: absent(),
    }
}

/// Any number.
pub fn number(chance: &dyn Chance) -> u64 {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
