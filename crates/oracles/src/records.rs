//! Zones with SPF and DMARC records made of what the standards talk about, right and wrong. The same number makes the same zone.

use std::net::{IpAddr, Ipv4Addr};

use world::dns::Record;

use crate::letters::Dice;
use crate::zone::Zone;

/// Domains of a zone of SPF.
pub const DOMAINS: usize = 6;

/// A zone with records of SPF at `d0.test` … `d5.test`, and a client that asks.
pub fn spf(seed: u64) -> (Zone, IpAddr) {
    let dice = &mut Dice::new(seed);
    let mut zone = Zone::default();
    for number in 0..DOMAINS {
        let name = format!("d{number}.test");
        if !dice.once_in(12) {
            zone.text(name.clone(), record(dice));
        }
        if dice.once_in(25) {
            zone.text(name.clone(), record(dice));
        }
        if dice.once_in(6) {
            zone.text(name.clone(), "another text");
        }
        if !dice.once_in(4) {
            zone.add(name.clone(), Record::A(address(dice)));
        }
        for _ in 0..dice.below(3) {
            zone.add(name.clone(), Record::Mx(10, format!("mx{}.test", dice.below(3))));
        }
    }
    for number in 0..3 {
        if !dice.once_in(5) {
            zone.add(format!("mx{number}.test"), Record::A(address(dice)));
        }
    }
    let client = address(dice);
    if dice.once_in(2) {
        let [a, b, c, d] = client.octets();
        let name = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
        zone.add(name, Record::Ptr(format!("h.d{}.test", dice.below(DOMAINS))));
        for number in 0..DOMAINS {
            zone.add(format!("h.d{number}.test"), Record::A(client));
        }
        zone.add(format!("{client}.x.test"), Record::A(Ipv4Addr::LOCALHOST));
    }
    zone.text("why.test", "not %{i} for %{d}");
    (zone, client.into())
}

fn address(dice: &mut Dice) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, dice.below(6) as u8)
}

fn record(dice: &mut Dice) -> String {
    let mut record = dice
        .one(&["v=spf1", "v=spf1", "v=spf1", "V=SPF1", "v=spf1 ", "v=spf10"])
        .to_owned();
    for _ in 0..dice.below(5) {
        record.push_str(dice.one(&[" ", " ", " ", "  "]));
        record.push_str(&term(dice));
    }
    if dice.once_in(2) {
        record.push_str(dice.one(&[" -all", " ~all", " ?all", " all", " +all", " -ALL"]));
    }
    record
}

fn term(dice: &mut Dice) -> String {
    let sign = dice.one(&["", "", "+", "-", "~", "?"]);
    let domain = format!("d{}.test", dice.below(DOMAINS + 1));
    match dice.below(16) {
        0 => format!("{sign}ip4:{}", address(dice)),
        1 => format!(
            "{sign}ip4:192.0.2.{}/{}",
            dice.below(6),
            dice.one(&["24", "31", "32", "0", "30"])
        ),
        2 => format!("{sign}a"),
        3 => format!("{sign}a:{domain}"),
        4 => format!("{sign}a:{domain}/{}", dice.one(&["24", "31", "30//64"])),
        5 => format!("{sign}mx"),
        6 => format!("{sign}mx:{domain}"),
        7 => format!("{sign}ptr"),
        8 => format!("{sign}ptr:{domain}"),
        9 => format!("{sign}exists:%{{i}}.x.test"),
        10 | 11 => format!("{sign}include:{domain}"),
        12 => format!("redirect={domain}"),
        13 => dice
            .one(&["exp=why.test", "x-new=y", "exists:%{l}.%{d2}", "a:%{o}"])
            .to_owned(),
        14 => format!("{sign}ip6:2001:db8::/32"),
        // One in sixteen is wrong somewhere.
        _ => dice
            .one(&[
                "ip4:192.0.2",
                "ip4:192.0.2.1/33",
                "a:/24",
                "mx:%",
                "nothing",
                "a::d1.test",
                "ip4",
                "all:x",
                "include",
                "-",
                "exists:%{q}.test",
                "a/99",
            ])
            .to_owned(),
    }
}

/// A zone of DMARC and a message's names.
#[derive(Debug, Clone)]
pub struct DmarcCase {
    /// the names
    pub zone: Zone,
    /// the domain of From
    pub author: String,
    /// `d=` of the signature, which holds
    pub signer: String,
    /// the envelope's sender
    pub reverse_path: String,
}

const TREE: &[&str] = &[
    "org.test",
    "sub.org.test",
    "deep.sub.org.test",
    "other.test",
    "sub.other.test",
];

/// A zone with policies in a small tree of names, one of which is the author's.
pub fn dmarc(seed: u64) -> DmarcCase {
    let dice = &mut Dice::new(seed ^ 0x0d0d);
    let mut zone = Zone::default();
    for name in TREE {
        zone.add(*name, Record::A(Ipv4Addr::new(192, 0, 2, 9)));
        if dice.once_in(2) {
            zone.text(
                *name,
                dice.one(&[
                    "v=spf1 ip4:192.0.2.1 -all",
                    "v=spf1 ip4:192.0.2.1 ~all",
                    "v=spf1 -all",
                ]),
            );
        }
        let often = if *name == "org.test" { 1 } else { 3 };
        if dice.once_in(often) {
            zone.text(format!("_dmarc.{name}"), policy(dice));
        }
    }
    if dice.once_in(8) {
        zone.text(
            "_dmarc.test",
            dice.one(&[
                "v=DMARC1; p=reject; psd=y",
                "v=DMARC1; p=reject",
                "v=DMARC1; p=none; psd=n",
            ]),
        );
    }
    let name = |dice: &mut Dice| dice.one(TREE).to_owned();
    let author = match dice.once_in(8) {
        true => format!("gone.{}", name(dice)),
        false => name(dice),
    };
    DmarcCase {
        author,
        signer: name(dice),
        reverse_path: format!("bounce@{}", name(dice)),
        zone,
    }
}

fn policy(dice: &mut Dice) -> String {
    let words = ["none", "quarantine", "reject"];
    let mut record = format!("v=DMARC1; p={}", dice.one(&words));
    for (tag, times) in [("sp", 3), ("np", 4)] {
        if dice.once_in(times) {
            record.push_str(&format!("; {tag}={}", dice.one(&words)));
        }
    }
    for (more, times) in [
        ("; adkim=s", 4),
        ("; aspf=s", 4),
        ("; t=y", 6),
        ("; psd=n", 10),
        ("; psd=y", 14),
        ("; pct=50", 10),
        ("; x=y", 10),
    ] {
        if dice.once_in(times) {
            record.push_str(more);
        }
    }
    match dice.below(24) {
        0 => record.replace("v=DMARC1", "v=DMARC2"),
        1 => record.replace("p=", "p=x"),
        2 => record.replace("; ", ";"),
        3 => record.replace("; ", " ; "),
        4 => record.replace("=", " = "),
        _ => record,
    }
}
