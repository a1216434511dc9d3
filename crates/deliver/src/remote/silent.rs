//! Which address family of a host gave no sign of life lately, so that not every new connection waits for it. Pure; the time is
//! given.
//!
//! Packets that vanish (a tunnel without a far end, a firewall that drops) cost [`CONNECT_BEFORE_OTHER_FAMILY`] before the other family
//! has its turn. That is remembered of a host for [`SILENT_FOR`]: its silent family then comes last. It is never left out.
//!
//! [`CONNECT_BEFORE_OTHER_FAMILY`]: crate::limits::CONNECT_BEFORE_OTHER_FAMILY

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use world::clock::Monotonic;

use super::connect::patience;
use crate::limits::{SILENT_FAMILIES, SILENT_FOR};

/// Silent families of hosts. Forgotten at a restart.
#[derive(Debug, Default)]
pub struct Silent {
    /// host and whether it is IPv6; until when it comes last
    until: HashMap<(String, bool), Monotonic>,
}

impl Silent {
    /// A host's addresses in the order to try them, each with how long connecting may take.
    pub fn in_order(&self, host: &str, addresses: &[IpAddr], now: Monotonic) -> Vec<(IpAddr, Duration)> {
        let known = |address: &IpAddr| self.is_silent(host, address.is_ipv6(), now);
        let (last, mut order): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.iter().partition(|address| known(address));
        // When all are silent, that says nothing of a family.
        let hoped_for = if order.is_empty() { last.len() } else { order.len() };
        order.extend(last);
        let with_patience = |(place, address): (usize, &IpAddr)| {
            let others = order.get(place + 1..hoped_for).unwrap_or_default();
            (*address, patience(*address, others))
        };
        order.iter().enumerate().map(with_patience).collect()
    }

    /// Learns of a try: whether anything came back from `address`, one of `addresses`.
    pub fn learn(
        &mut self,
        (host, addresses): (&str, &[IpAddr]),
        address: IpAddr,
        answered: bool,
        now: Monotonic,
    ) {
        let is_other = |other: &IpAddr| other.is_ipv6() != address.is_ipv6();
        if !addresses.iter().any(is_other) {
            return;
        }
        let key = (host.to_owned(), address.is_ipv6());
        if answered {
            self.until.remove(&key);
            return;
        }
        if self.until.len() >= SILENT_FAMILIES {
            self.until.retain(|_, until| *until > now);
        }
        // A table that is full of others costs some seconds, and nothing else.
        if self.until.len() < SILENT_FAMILIES {
            self.until.insert(key, Monotonic(now.0 + SILENT_FOR));
        }
    }

    fn is_silent(&self, host: &str, v6: bool, now: Monotonic) -> bool {
        let until = self.until.get(&(host.to_owned(), v6));
        until.is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CONNECT, CONNECT_BEFORE_OTHER_FAMILY};

    const V4: &str = "192.0.2.1";
    const V6: &str = "2001:db8::1";
    const V6_TOO: &str = "2001:db8::2";

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn all(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn q_9_a_silent_family_comes_last_for_a_while_and_is_waited_for_once() {
        let (short, long) = (CONNECT_BEFORE_OTHER_FAMILY, CONNECT);
        let both: &[&str] = &[V6, V6_TOO, V4];
        let table = [
            // what was silent, what is tried, in which order and how long
            (&[][..], both, vec![(V6, short), (V6_TOO, short), (V4, long)]),
            (&[V6], both, vec![(V4, long), (V6, long), (V6_TOO, long)]),
            (&[V4], both, vec![(V6, long), (V6_TOO, long), (V4, long)]),
            (&[V6, V4], both, vec![(V6, short), (V6_TOO, short), (V4, long)]),
            (&[V6], &[V6, V6_TOO], vec![(V6, long), (V6_TOO, long)]),
            (&[V6], &[V4], vec![(V4, long)]),
        ];
        for (silent, tried, want) in table {
            let mut known = Silent::default();
            for address in all(silent) {
                known.learn(("mx.example", &all(both)), address, false, at(0));
            }
            let want: Vec<(IpAddr, Duration)> = want
                .into_iter()
                .map(|(address, time)| (address.parse().unwrap(), time))
                .collect();
            let shown = format!("{silent:?} {tried:?}");
            assert_eq!(known.in_order("mx.example", &all(tried), at(1)), want, "{shown}");
            let plain = Silent::default().in_order("mx.example", &all(tried), at(1));
            assert_eq!(
                known.in_order("other.example", &all(tried), at(1)),
                plain,
                "{shown}"
            );
            let later = at(0).0 + SILENT_FOR;
            assert_eq!(
                known.in_order("mx.example", &all(tried), Monotonic(later)),
                plain,
                "{shown}"
            );
        }
    }

    #[test]
    fn an_answer_ends_it_and_the_table_is_bounded() {
        let (mut known, v6, both) = (Silent::default(), all(&[V6])[0], all(&[V6, V4]));
        known.learn(("mx.example", &both), v6, false, at(0));
        known.learn(("mx.example", &both), v6, true, at(1));
        assert!(!known.is_silent("mx.example", true, at(1)));
        known.learn(("alone.example", &[v6]), v6, false, at(1));
        assert!(known.until.is_empty(), "it has no other family");
        for number in 0..2 * SILENT_FAMILIES {
            known.learn((&format!("mx{number}.example"), &both), v6, false, at(2));
        }
        assert_eq!(known.until.len(), SILENT_FAMILIES);
        known.learn(
            ("late.example", &both),
            v6,
            false,
            Monotonic(at(2).0 + SILENT_FOR),
        );
        assert_eq!(known.until.len(), 1, "what has passed makes room");
    }
}
