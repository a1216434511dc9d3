//! From DNS answers to the servers to try: pure functions (RFC 5321 §5.1, RFC 7505). Threat cases.
//!
//! 1. [`exchangers`]: MX records → host names by preference; none → the domain itself; the null MX → nobody.
//! 2. [`candidates`]: their addresses → hosts in the order to try, without ourselves and without addresses mail must not go to.
//!
//! Only a proven absence is permanent. A name server that is silent, broken or forged says nothing about the domain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use world::dns::{Absence, Failure, Lookup, Record};

use super::status::Trouble;
use crate::limits::{ADDRESSES, HOSTS};
use crate::settings::Ours;

/// A host that takes a domain's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanger {
    /// lower is tried first
    pub preference: u16,
    /// its name, lower case, without a dot at the end
    pub host: String,
}

/// What was found of one host's addresses.
#[derive(Debug, Clone)]
pub struct Found {
    /// the answer for A
    pub v4: Lookup,
    /// the answer for AAAA
    pub v6: Lookup,
}

/// A host to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// its name, as its certificate should say
    pub host: String,
    /// its addresses in the order to try, at least one
    pub addresses: Vec<IpAddr>,
}

/// What decides which hosts are tried, and in which order.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// what means this server
    pub ours: &'a Ours,
    /// private and loopback addresses are allowed
    pub allow_private: bool,
    /// IPv6 before IPv4
    pub v6_first: bool,
    /// chance, to share the load among hosts of one preference
    pub shuffle: u64,
}

/// Who takes the domain's mail, from the answer to MX; sorted by preference.
///
/// # Errors
/// The null MX, a domain that does not exist, and an answer that is none.
pub fn exchangers(domain: &str, answer: &Lookup) -> Result<Vec<Exchanger>, Trouble> {
    let records = match answer {
        Lookup::Answer { records, .. } => records.as_slice(),
        // RFC 5321 §5.1: without MX the domain's own address is its exchanger, with preference 0.
        Lookup::Negative {
            absence: Absence::NoData,
            ..
        } => &[],
        Lookup::Negative {
            absence: Absence::NxDomain,
            ..
        } => return Err(no_such_domain(domain)),
        Lookup::Failed(failure) => return Err(unanswered(domain, *failure)),
    };
    let mut found: Vec<Exchanger> = records.iter().filter_map(exchanger).collect();
    if found.is_empty() {
        return Ok(vec![Exchanger {
            preference: 0,
            host: domain.to_owned(),
        }]);
    }
    // RFC 7505 §3: one record with an empty name. Beside others it means nothing and is left out.
    found.retain(|exchanger| !exchanger.host.is_empty());
    if found.is_empty() {
        return Err(Trouble::never(
            1,
            10,
            format!("{domain} says that it takes no mail (null MX)"),
        ));
    }
    found.sort_by_key(|exchanger| exchanger.preference);
    Ok(found)
}

fn exchanger(record: &Record) -> Option<Exchanger> {
    let Record::Mx(preference, host) = record else {
        return None;
    };
    Some(Exchanger {
        preference: *preference,
        host: host.trim_end_matches('.').to_ascii_lowercase(),
    })
}

/// The hosts to try, in order. `found` has the addresses of each of `exchangers`, which are sorted by preference.
///
/// # Errors
/// When there is nobody to try: why.
pub fn candidates(
    domain: &str,
    exchangers: &[Exchanger],
    found: &[Found],
    choice: Choice<'_>,
) -> Result<Vec<Candidate>, Trouble> {
    let cut = cut(exchangers, found, choice.ours);
    let before_us = |(exchanger, _): &(&Exchanger, &Found)| cut.is_none_or(|cut| exchanger.preference < cut);
    let mut usable = Vec::new();
    let mut nobody = Nobody {
        domain,
        leads_back: cut.is_some(),
        unanswered: None,
        refused: None,
    };
    for (exchanger, found) in exchangers.iter().zip(found).take_while(before_us) {
        let host = exchanger.host.as_str();
        nobody.unanswered = nobody.unanswered.or_else(|| Some((host, failure_of(found)?)));
        match addresses(found, choice) {
            Addresses::Usable(addresses) => {
                let host = host.to_owned();
                usable.push((exchanger.preference, Candidate { host, addresses }));
            }
            Addresses::Refused(address) => nobody.refused = nobody.refused.or(Some((host, address))),
            Addresses::None => {}
        }
    }
    match usable.is_empty() {
        false => Ok(shuffled(usable, choice.shuffle)),
        true => Err(nobody.why()),
    }
}

/// There is nobody to try: what was seen on the way.
struct Nobody<'a> {
    domain: &'a str,
    /// we are among the exchangers
    leads_back: bool,
    /// the first host whose addresses could not be learned
    unanswered: Option<(&'a str, Failure)>,
    /// the first address that mail must not go to, and whose it is
    refused: Option<(&'a str, IpAddr)>,
}

impl Nobody<'_> {
    fn why(self) -> Trouble {
        let domain = self.domain;
        if let Some((host, failure)) = self.unanswered {
            return unanswered(host, failure);
        }
        if self.leads_back {
            let text =
                format!("the MX records of {domain} lead back to this server, which does not take its mail");
            return Trouble::never(4, 6, text);
        }
        // Permanent: nothing that waiting changes. A domain that names such an address says that it takes no mail, or
        // would have us speak to machines of our own network.
        if let Some((host, address)) = self.refused {
            let text = format!("{host} has the address {address}, to which mail from the Internet cannot go");
            return Trouble::never(4, 4, text);
        }
        Trouble::never(4, 4, format!("no mail server of {domain} has an address"))
    }
}

/// A host of which nobody can say now where it is: it may take the mail once it is found, whatever others say of us meanwhile. `None`
/// when all hosts that count have an address, or provably none.
pub fn not_found_now(exchangers: &[Exchanger], found: &[Found], choice: Choice<'_>) -> Option<Trouble> {
    let cut = cut(exchangers, found, choice.ours);
    exchangers
        .iter()
        .zip(found)
        .take_while(|(exchanger, _)| cut.is_none_or(|cut| exchanger.preference < cut))
        .filter(|(_, found)| matches!(addresses(found, choice), Addresses::None))
        .find_map(|(exchanger, found)| failure_of(found).map(|failure| unanswered(&exchanger.host, failure)))
}

/// RFC 5321 §5.1: ourselves, and everybody who is not preferred to us, must go, or mail runs in circles.
fn cut(exchangers: &[Exchanger], found: &[Found], ours: &Ours) -> Option<u16> {
    let mut pairs = exchangers.iter().zip(found);
    let ourselves = pairs.find(|(exchanger, found)| is_ours(exchanger, found, ours));
    ourselves.map(|(exchanger, _)| exchanger.preference)
}

fn is_ours(exchanger: &Exchanger, found: &Found, ours: &Ours) -> bool {
    let named = ours.names.contains(&exchanger.host);
    named || all_of(found).any(|address| ours.addresses.contains(&plain(address)))
}

enum Addresses {
    Usable(Vec<IpAddr>),
    Refused(IpAddr),
    None,
}

fn addresses(found: &Found, choice: Choice<'_>) -> Addresses {
    let (usable, refused): (Vec<_>, Vec<_>) =
        all_of(found).partition(|address| choice.allow_private || is_public(*address));
    if usable.is_empty() {
        return refused
            .first()
            .map_or(Addresses::None, |address| Addresses::Refused(*address));
    }
    let (mut first, second): (Vec<_>, Vec<_>) = usable
        .into_iter()
        .partition(|address| address.is_ipv6() == choice.v6_first);
    // Of the second family one is always among those tried: the first may have no road at all.
    first.truncate(ADDRESSES - usize::from(!second.is_empty()));
    first.extend(second);
    first.truncate(ADDRESSES);
    Addresses::Usable(first)
}

/// Every address in the answers. An IPv4 address in IPv6 clothes is one of IPv4: it is reached over IPv4, from our address there.
fn all_of(found: &Found) -> impl Iterator<Item = IpAddr> {
    [&found.v4, &found.v6].into_iter().flat_map(|lookup| {
        let records = match lookup {
            Lookup::Answer { records, .. } => records.as_slice(),
            _ => &[],
        };
        records.iter().filter_map(|record| match record {
            Record::A(address) => Some(IpAddr::V4(*address)),
            Record::Aaaa(address) => Some(plain(IpAddr::V6(*address))),
            _ => None,
        })
    })
}

fn failure_of(found: &Found) -> Option<Failure> {
    [&found.v4, &found.v6]
        .into_iter()
        .find_map(|lookup| match lookup {
            Lookup::Failed(failure) => Some(*failure),
            _ => None,
        })
}

/// Mixes hosts of one preference (RFC 5321 §5.1: "MUST randomize them"), and keeps the first [`HOSTS`].
fn shuffled(mut usable: Vec<(u16, Candidate)>, seed: u64) -> Vec<Candidate> {
    let mut state = seed | 1;
    let mut start = 0;
    while start < usable.len() {
        let preference = usable[start].0;
        let equal = usable[start..]
            .iter()
            .take_while(|(other, _)| *other == preference)
            .count();
        for fixed in (1..equal).rev() {
            // xorshift: fair enough to spread load, nothing more.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let other = usize::try_from(state % (fixed as u64 + 1)).expect("smaller than a list's length");
            usable.swap(start + fixed, start + other);
        }
        start += equal;
    }
    usable
        .into_iter()
        .take(HOSTS)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// Whether mail may go to an address of its own right: not to private networks, to this machine, to a group, or to nowhere.
/// Addresses for documentation (RFC 5737, RFC 3849) reach nobody and harm nobody.
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let shared = first == 100 && (64..128).contains(&second); // RFC 6598
    let protocol = first == 192 && second == 0 && third == 0; // RFC 6890
    let benchmark = first == 198 && (second == 18 || second == 19); // RFC 2544
    let nowhere = first == 0 || first >= 224; // RFC 1122 §3.2.1.3, multicast, reserved, broadcast
    !(address.is_private() || address.is_loopback() || address.is_link_local())
        && !(shared || protocol || benchmark || nowhere)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // What is given out to the Internet is 2000::/3. 64:ff9b::/96 (RFC 6052) leads to an IPv4 address.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    // 6to4 (RFC 3056) leads to an IPv4 address, too.
    if let [0x2002, high, low, ..] = address.segments() {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    address.segments()[0] & 0xe000 == 0x2000
}

/// An IPv4 address in IPv6 clothes (`::ffff:127.0.0.1`) is that IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn no_such_domain(domain: &str) -> Trouble {
    Trouble::never(1, 2, format!("the domain {domain} does not exist"))
}

fn unanswered(name: &str, failure: Failure) -> Trouble {
    let what = match failure {
        Failure::Timeout => "no name server answered in time",
        Failure::ServFail => "its name servers answered SERVFAIL",
        Failure::Refused => "its name servers refused to answer",
        Failure::Bogus => "the answer did not verify (DNSSEC)",
        Failure::Malformed => "the answer could not be read",
    };
    Trouble::later(4, 3, format!("{name} could not be looked up: {what}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use world::dns::Security;

    use super::*;

    fn answer(records: Vec<Record>) -> Lookup {
        Lookup::Answer {
            records,
            ttl: Duration::ZERO,
            chain: Vec::new(),
            security: Security::Insecure,
        }
    }

    fn absent(absence: Absence) -> Lookup {
        Lookup::Negative {
            absence,
            security: Security::Insecure,
            ttl: Duration::ZERO,
        }
    }

    fn mx(list: &[(u16, &str)]) -> Lookup {
        answer(
            list.iter()
                .map(|(preference, host)| Record::Mx(*preference, (*host).to_owned()))
                .collect(),
        )
    }

    fn at(list: &[&str]) -> Found {
        let mut found = Found {
            v4: absent(Absence::NoData),
            v6: absent(Absence::NoData),
        };
        let addresses = || list.iter().map(|text| text.parse::<IpAddr>().unwrap());
        let v4: Vec<Record> = addresses()
            .filter_map(|address| match address {
                IpAddr::V4(address) => Some(Record::A(address)),
                IpAddr::V6(_) => None,
            })
            .collect();
        let v6: Vec<Record> = addresses()
            .filter_map(|address| match address {
                IpAddr::V6(address) => Some(Record::Aaaa(address)),
                IpAddr::V4(_) => None,
            })
            .collect();
        if !v4.is_empty() {
            found.v4 = answer(v4);
        }
        if !v6.is_empty() {
            found.v6 = answer(v6);
        }
        found
    }

    fn house() -> Ours {
        Ours {
            names: vec!["mail.home.example".to_owned()],
            addresses: vec!["203.0.113.25".parse().unwrap()],
        }
    }

    fn choice(ours: &Ours) -> Choice<'_> {
        Choice {
            ours,
            allow_private: false,
            v6_first: false,
            shuffle: 7,
        }
    }

    /// `1.2.3.4 5.6.7.8` of each host tried, or the code.
    fn outcome(domain: &str, mx: &Lookup, found: &[Found], choice: Choice<'_>) -> String {
        let tried = exchangers(domain, mx).and_then(|list| candidates(domain, &list, found, choice));
        match tried {
            Ok(list) => {
                let hosts: Vec<String> = list
                    .iter()
                    .map(|one| format!("{}={:?}", one.host, one.addresses))
                    .collect();
                hosts.join(" ")
            }
            Err(trouble) => trouble.status.to_string(),
        }
    }

    #[test]
    fn q_9_mx_rules() {
        let ours = house();
        let nothing = || Found {
            v4: absent(Absence::NxDomain),
            v6: absent(Absence::NxDomain),
        };
        let table: Vec<(&str, Lookup, Vec<Found>, &str)> = vec![
            (
                "one",
                mx(&[(10, "A.x.")]),
                vec![at(&["192.0.2.1"])],
                "a.x=[192.0.2.1]",
            ),
            (
                "by preference",
                mx(&[(20, "b.x"), (10, "a.x")]),
                vec![at(&["192.0.2.1"]), at(&["192.0.2.2"])],
                "a.x=[192.0.2.1] b.x=[192.0.2.2]",
            ),
            ("null MX", mx(&[(0, ".")]), vec![], "5.1.10"),
            ("null MX, written empty", mx(&[(0, "")]), vec![], "5.1.10"),
            (
                "null MX beside another",
                mx(&[(0, "."), (5, "a.x")]),
                vec![at(&["192.0.2.1"])],
                "a.x=[192.0.2.1]",
            ),
            (
                "no MX, an address",
                absent(Absence::NoData),
                vec![at(&["192.0.2.1"])],
                "x=[192.0.2.1]",
            ),
            (
                "no MX, no address",
                absent(Absence::NoData),
                vec![nothing()],
                "5.4.4",
            ),
            ("no such domain", absent(Absence::NxDomain), vec![], "5.1.2"),
            ("MX without address", mx(&[(1, "a.x")]), vec![nothing()], "5.4.4"),
            (
                "only AAAA",
                mx(&[(1, "a.x")]),
                vec![at(&["2001:db8::1"])],
                "a.x=[2001:db8::1]",
            ),
            (
                "ourselves by name",
                mx(&[(1, "mail.home.example")]),
                vec![at(&["192.0.2.9"])],
                "5.4.6",
            ),
            (
                "ourselves by address",
                mx(&[(1, "a.x")]),
                vec![at(&["203.0.113.25"])],
                "5.4.6",
            ),
            (
                "IPv4 inside IPv6",
                mx(&[(1, "a.x")]),
                vec![at(&["::ffff:192.0.2.1"])],
                "a.x=[192.0.2.1]",
            ),
            (
                "ourselves, mapped",
                mx(&[(1, "a.x")]),
                vec![at(&["::ffff:203.0.113.25"])],
                "5.4.6",
            ),
            (
                "before us, beside us, after us",
                mx(&[(1, "a.x"), (5, "mail.home.example"), (5, "b.x"), (9, "c.x")]),
                vec![
                    at(&["192.0.2.1"]),
                    at(&["192.0.2.9"]),
                    at(&["192.0.2.2"]),
                    at(&["192.0.2.3"]),
                ],
                "a.x=[192.0.2.1]",
            ),
            ("loopback", mx(&[(1, "a.x")]), vec![at(&["127.0.0.1"])], "5.4.4"),
            (
                "private and public",
                mx(&[(1, "a.x")]),
                vec![at(&["10.0.0.1", "192.0.2.1"])],
                "a.x=[192.0.2.1]",
            ),
            (
                "private host, then a public one",
                mx(&[(1, "a.x"), (2, "b.x")]),
                vec![at(&["192.168.0.1"]), at(&["192.0.2.1"])],
                "b.x=[192.0.2.1]",
            ),
            (
                "many addresses, one of the other family stays",
                mx(&[(1, "a.x")]),
                vec![at(&[
                    "192.0.2.1",
                    "192.0.2.2",
                    "192.0.2.3",
                    "192.0.2.4",
                    "192.0.2.5",
                    "2001:db8::1",
                    "2001:db8::2",
                ])],
                "a.x=[192.0.2.1, 192.0.2.2, 192.0.2.3, 2001:db8::1]",
            ),
        ];
        for (name, mx, found, want) in table {
            assert_eq!(outcome("x", &mx, &found, choice(&ours)), want, "{name}");
        }
    }

    #[test]
    fn q_10_what_was_not_answered_is_not_absent() {
        let ours = house();
        for failure in [
            Failure::Timeout,
            Failure::ServFail,
            Failure::Refused,
            Failure::Bogus,
            Failure::Malformed,
        ] {
            assert_eq!(
                outcome("x", &Lookup::Failed(failure), &[], choice(&ours)),
                "4.4.3"
            );
            let half = Found {
                v4: absent(Absence::NoData),
                v6: Lookup::Failed(failure),
            };
            let one = mx(&[(1, "a.x")]);
            assert_eq!(
                outcome("x", &one, std::slice::from_ref(&half), choice(&ours)),
                "4.4.3"
            );
            // Another host that is known is tried, and may not decide alone that nobody takes the mail.
            let two = mx(&[(1, "a.x"), (2, "b.x")]);
            let found = [half, at(&["192.0.2.1"])];
            assert_eq!(outcome("x", &two, &found, choice(&ours)), "b.x=[192.0.2.1]");
            let missing = |list: &Lookup, found: &[Found]| {
                let list = exchangers("x", list).unwrap();
                not_found_now(&list, found, choice(&ours)).map(|trouble| trouble.status.to_string())
            };
            assert_eq!(missing(&two, &found).as_deref(), Some("4.4.3"));
            let both = [at(&["192.0.2.2"]), at(&["192.0.2.1"])];
            assert_eq!(missing(&two, &both), None);
            let behind_us = [at(&["203.0.113.25"]), found[0].clone()];
            assert_eq!(missing(&two, &behind_us), None);
        }
    }

    #[test]
    fn q_9_addresses_mail_never_goes_to() {
        let never = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::8",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fec0::1",
        ];
        for address in never {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let mail = [
            "192.0.2.1",
            "198.51.100.1",
            "8.8.8.8",
            "2001:db8::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for address in mail {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_test_network_may_be_private() {
        let ours = house();
        let allowed = Choice {
            allow_private: true,
            v6_first: true,
            ..choice(&ours)
        };
        let found = [at(&["10.0.0.1", "fd00::1"])];
        assert_eq!(
            outcome("x", &mx(&[(1, "a.x")]), &found, allowed),
            "a.x=[fd00::1, 10.0.0.1]"
        );
    }

    #[test]
    fn q_9_twenty_equal_hosts_take_turns_and_ten_are_tried() {
        let ours = house();
        let names: Vec<String> = (0..20).map(|number| format!("mx{number}.x")).collect();
        let list: Vec<(u16, &str)> = names.iter().map(|name| (10, name.as_str())).collect();
        let found: Vec<Found> = (0..20)
            .map(|number| at(&[&format!("192.0.2.{number}")]))
            .collect();
        let exchangers = exchangers("x", &mx(&list)).unwrap();
        let mut first = std::collections::HashSet::new();
        for seed in 0..2000u64 {
            let choice = Choice {
                shuffle: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                ..choice(&ours)
            };
            let tried = candidates("x", &exchangers, &found, choice).unwrap();
            assert_eq!(tried.len(), HOSTS);
            first.insert(tried[0].host.clone());
        }
        assert_eq!(first.len(), 20, "each of them is first at some time");
    }

    proptest! {
        /// Whatever the records: order by preference, never ourselves, never a private address, within the limits.
        #[test]
        fn the_rules_hold_for_any_records(
            preferences in proptest::collection::vec(0u16..4, 0..30),
            octets in proptest::collection::vec(any::<u32>(), 30),
            seed: u64,
        ) {
            let ours = house();
            let list: Vec<(u16, String)> = preferences.iter().enumerate().map(|(n, p)| (*p, format!("h{n}.x"))).collect();
            let records = list.iter().map(|(p, host)| Record::Mx(*p, host.clone())).collect();
            let Ok(exchangers) = exchangers("x", &answer(records)) else { return Ok(()); };
            let found: Vec<Found> = exchangers.iter().zip(&octets)
                .map(|(_, bits)| Found { v4: answer(vec![Record::A(Ipv4Addr::from_bits(*bits))]), v6: absent(Absence::NoData) })
                .collect();
            let choice = Choice { shuffle: seed, ..choice(&ours) };
            let Ok(tried) = candidates("x", &exchangers, &found, choice) else { return Ok(()); };
            prop_assert!(!tried.is_empty() && tried.len() <= HOSTS);
            let preference = |host: &str| exchangers.iter().find(|one| one.host == host).unwrap().preference;
            for pair in tried.windows(2) {
                prop_assert!(preference(&pair[0].host) <= preference(&pair[1].host));
            }
            for one in &tried {
                prop_assert!(!one.addresses.is_empty() && one.addresses.iter().all(|address| is_public(*address)));
            }
        }
    }
}
