//! A host that an operator names as this machine knows it: for settings, never for where mail goes.
//!
//! 1. `localhost` is this machine and `invalid` is nowhere (RFC 6761 §6.3, §6.4);
//! 2. then the hosts file, as `hosts(5)` has it;
//! 3. then the name servers of `/etc/resolv.conf`, for at most [`SYSTEM_LOOKUP_DEADLINE`].
//!
//! Of several addresses the first counts, an IPv4 address before others. Absent: search domains, multicast DNS, other sources of
//! `nsswitch.conf`: they would take libraries that a confined server cannot load.
//!
//! [`SYSTEM_LOOKUP_DEADLINE`]: crate::limits::SYSTEM_LOOKUP_DEADLINE

use std::net::{IpAddr, Ipv4Addr};

use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType};

use super::{DnsSettings, RealDns};
use crate::limits::SYSTEM_LOOKUP_DEADLINE;

/// Where a machine keeps the names it knows without asking.
pub const HOSTS_FILE: &str = "/etc/hosts";

/// Where `host` leads; `hosts` is the text of the hosts file. Blocks, for a thread that may wait.
///
/// # Errors
/// Why it leads nowhere, in words without a full stop.
pub fn address_of(host: &str, hosts: &str) -> Result<IpAddr, String> {
    match special(host) {
        Some(known) => known,
        None => in_hosts(hosts, host).map_or_else(|| asked(host), Ok),
    }
}

fn special(host: &str) -> Option<Result<IpAddr, String>> {
    let top = host.rsplit('.').next()?;
    match top.to_ascii_lowercase().as_str() {
        "localhost" => Some(Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        "invalid" => Some(Err(unknown(host))),
        _ => None,
    }
}

fn unknown(host: &str) -> String {
    format!("neither {HOSTS_FILE} nor DNS knows the name {host}")
}

fn in_hosts(hosts: &str, host: &str) -> Option<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse::<IpAddr>().ok()?;
        words
            .any(|name| name.eq_ignore_ascii_case(host))
            .then_some(address)
    };
    let found: Vec<IpAddr> = hosts.lines().filter_map(of_line).collect();
    found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first())
        .copied()
}

/// Asks the system's name servers.
fn asked(host: &str) -> Result<IpAddr, String> {
    // One thread: whoever calls may be about to give up rights, which takes that there are no others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the name {host} cannot be asked for: {error}"))?;
    let lookups = async {
        let dns = RealDns::new(&DnsSettings::default()).map_err(|error| error.to_string())?;
        let (v4, v6) = tokio::join!(
            dns.lookup(host, RecordType::A),
            dns.lookup(host, RecordType::Aaaa)
        );
        first(host, v4, v6)
    };
    let ended = runtime.block_on(async { tokio::time::timeout(SYSTEM_LOOKUP_DEADLINE, lookups).await });
    ended.unwrap_or_else(|_| Err(unanswered(host)))
}

fn unanswered(host: &str) -> String {
    format!("the name servers of /etc/resolv.conf gave no answer for the name {host}")
}

fn first(host: &str, v4: Lookup, v6: Lookup) -> Result<IpAddr, String> {
    let mut said_no = 0;
    for lookup in [v4, v6] {
        match lookup {
            Lookup::Answer { records, .. } => {
                let address = records.into_iter().find_map(|record| match record {
                    Record::A(address) => Some(IpAddr::V4(address)),
                    Record::Aaaa(address) => Some(IpAddr::V6(address)),
                    _ => None,
                });
                if let Some(address) = address {
                    return Ok(address);
                }
            }
            Lookup::Negative {
                absence: Absence::NxDomain | Absence::NoData,
                ..
            }
            | Lookup::Failed(Failure::Refused) => said_no += 1,
            Lookup::Failed(_) => {}
        }
    }
    Err(if said_no == 2 {
        unknown(host)
    } else {
        unanswered(host)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use world::dns::Security;

    use super::*;

    const HOSTS: &str = "\
        127.0.0.1 localhost\n\
        ::1 localhost ip6-localhost resolver\n\
        192.0.2.53\tNS.lan resolver # the old one: gone\n\
        # 192.0.2.1 commented\n\
        nonsense ns.lan\n\
        2001:db8::6 six\n\
        192.0.2.54 ns.lan\n";

    #[test]
    fn a_name_of_this_machine_needs_no_dns() {
        for (host, want) in [
            ("localhost", Some("127.0.0.1")),
            ("dns.localhost", Some("127.0.0.1")),
            ("ns.lan", Some("192.0.2.53")),
            ("resolver", Some("192.0.2.53")),
            ("six", Some("2001:db8::6")),
            ("nowhere.invalid", None),
        ] {
            let found = address_of(host, HOSTS).ok().map(|address| address.to_string());
            assert_eq!(found.as_deref(), want, "{host}");
        }
        for host in ["gone", "commented", "lan", "ns"] {
            assert_eq!(in_hosts(HOSTS, host), None, "{host}");
        }
    }

    #[test]
    fn what_dns_says_of_a_name_decides() {
        let v4 = || answer(Record::A(Ipv4Addr::new(192, 0, 2, 53)));
        let v6 = || answer(Record::Aaaa("2001:db8::53".parse().unwrap()));
        let none = || Lookup::Negative {
            absence: Absence::NoData,
            security: Security::Indeterminate,
            ttl: Duration::ZERO,
        };
        let failed = || Lookup::Failed(Failure::Timeout);
        for (a, aaaa, want) in [
            (v4(), v6(), Ok("192.0.2.53")),
            (none(), v6(), Ok("2001:db8::53")),
            (failed(), v6(), Ok("2001:db8::53")),
            (v4(), failed(), Ok("192.0.2.53")),
            (
                none(),
                none(),
                Err("neither /etc/hosts nor DNS knows the name ns"),
            ),
            (
                none(),
                failed(),
                Err("the name servers of /etc/resolv.conf gave no answer for the name ns"),
            ),
        ] {
            let found = first("ns", a, aaaa).map(|address| address.to_string());
            assert_eq!(found, want.map(str::to_owned).map_err(str::to_owned));
        }
    }

    fn answer(record: Record) -> Lookup {
        Lookup::Answer {
            records: vec![record],
            ttl: Duration::ZERO,
            chain: Vec::new(),
            security: Security::Indeterminate,
        }
    }
}
