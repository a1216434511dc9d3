//! Tables of what counts in DNS, over simulated zones.

use std::sync::Arc;
use std::time::Duration;

use testkit::clock::TokioClock;
use testkit::dns::SimDns;
use world::dns::Absence;

use super::*;

const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

async fn found(zone: &str) -> Dane {
    let clock = Arc::new(TokioClock::new());
    let dns = SimDns::new(clock.clone(), zone).expect("a zone");
    let v4 = dns.lookup("mx.there.test", RecordType::A).await;
    let v6 = dns.lookup("mx.there.test", RecordType::Aaaa).await;
    let host = Host {
        domain: "there.test",
        name: "mx.there.test",
        v4: &v4,
        v6: &v6,
        port: 25,
    };
    find(&dns, &*clock, host).await
}

/// One line for a finding.
fn line(found: &Dane) -> String {
    match found {
        Dane::Insecure => "insecure".to_owned(),
        Dane::Absent => "absent".to_owned(),
        Dane::Usable { records, names, .. } => format!("{} for {}", records.len(), names.join(" ")),
        Dane::Unusable { base } => format!("unusable at {base}"),
        Dane::Failed { base, failure } => format!("{failure:?} at {base}"),
    }
}

#[tokio::test(start_paused = true)]
async fn tls_6_only_signed_records_of_a_host_with_signed_addresses_count() {
    let way = "$security secure\nthere.test MX 10 mx.there.test\n";
    let host = "mx.there.test A 192.0.2.1\n";
    let tlsa = |fields: &str| format!("_25._tcp.mx.there.test TLSA {fields}\n");
    let good = tlsa(&format!("3 1 1 {HASH}"));
    let unsigned = "$security insecure\n";
    let table = [
        (format!("{way}{host}{good}"), "1 for mx.there.test there.test"),
        // the addresses are not
        (
            format!("{way}{unsigned}{host}$security secure\n{good}"),
            "insecure",
        ),
        (
            format!("{way}$security indeterminate\n{host}$security secure\n{good}"),
            "insecure",
        ),
        // the MX records are not: that is for the rule to judge
        (
            format!("there.test MX 10 mx.there.test\n$security secure\n{host}{good}"),
            "1 for mx.there.test there.test",
        ),
        // the records are not
        (format!("{way}{host}{unsigned}{good}"), "absent"),
        (
            format!("{way}{host}$security indeterminate\n{good}"),
            "Bogus at mx.there.test",
        ),
        (format!("{way}{host}"), "absent"),
        // the question fails
        (
            format!("{way}{host}_25._tcp.mx.there.test !bogus"),
            "Bogus at mx.there.test",
        ),
        (
            format!("{way}{host}_25._tcp.mx.there.test !servfail"),
            "ServFail at mx.there.test",
        ),
        (
            format!("{way}{host}_25._tcp.mx.there.test !timeout"),
            "Timeout at mx.there.test",
        ),
        (
            format!("{way}{host}_25._tcp.mx.there.test !delay 60s\n{good}"),
            "Timeout at mx.there.test",
        ),
        // which can be used
        (
            format!("{way}{host}{}", tlsa(&format!("1 1 1 {HASH}"))),
            "unusable at mx.there.test",
        ),
        (
            format!("{way}{host}{}", tlsa(&format!("0 0 1 {HASH}"))),
            "unusable at mx.there.test",
        ),
        (
            format!("{way}{host}{}", tlsa("3 1 1 00ff")),
            "unusable at mx.there.test",
        ),
        (
            format!("{way}{host}{good}{}", tlsa(&format!("1 1 1 {HASH}"))),
            "1 for mx.there.test there.test",
        ),
        // RFC 7671 §9: the longer hash of the same thing counts
        (
            format!(
                "{way}{host}{good}{}{}",
                tlsa(&format!("3 1 2 {HASH}{HASH}")),
                tlsa(&format!("2 1 1 {HASH}"))
            ),
            "2 for mx.there.test there.test",
        ),
    ];
    for (zone, want) in table {
        assert_eq!(line(&found(&zone).await), want, "{zone}");
    }
}

#[tokio::test(start_paused = true)]
async fn tls_6_aliases_are_followed_as_far_as_they_are_signed() {
    let way = "$security secure\nthere.test MX 10 mx.there.test\nmx.there.test CNAME host.far.test\n";
    let tlsa = |base: &str| format!("_25._tcp.{base} TLSA 3 1 1 {HASH}\n");
    let signed = "host.far.test A 192.0.2.1\n";
    let unsigned = "$security insecure\nhost.far.test A 192.0.2.1\n$security secure\n";
    let table = [
        // RFC 7672 §2.2.3: the target's records come first, then those of the name itself
        (
            format!("{way}{signed}{}{}", tlsa("host.far.test"), tlsa("mx.there.test")),
            "1 for host.far.test mx.there.test there.test",
        ),
        (
            format!("{way}{signed}{}", tlsa("mx.there.test")),
            "1 for mx.there.test there.test",
        ),
        (format!("{way}{signed}"), "absent"),
        (
            format!(
                "{way}{signed}_25._tcp.host.far.test !servfail\n{}",
                tlsa("mx.there.test")
            ),
            "ServFail at host.far.test",
        ),
        // the target is not signed, the alias is
        (
            format!("{way}{unsigned}{}", tlsa("mx.there.test")),
            "1 for mx.there.test there.test",
        ),
        (format!("{way}{unsigned}{}", tlsa("host.far.test")), "absent"),
        // the alias is not signed either
        (
            format!(
                "$security secure\nthere.test MX 10 mx.there.test\n{}$security insecure\nmx.there.test CNAME host.far.test\nhost.far.test A 192.0.2.1",
                tlsa("mx.there.test")
            ),
            "insecure",
        ),
    ];
    for (zone, want) in table {
        assert_eq!(line(&found(&zone).await), want, "{zone}");
    }
}

#[test]
fn tls_6_a_hundred_records_are_no_more_work_than_a_few() {
    let records = (0..=255)
        .map(|byte| Record::Tlsa(3, 1, 1, vec![byte; 32]))
        .collect();
    let answer = Lookup::Answer {
        records,
        ttl: Duration::ZERO,
        chain: Vec::new(),
        security: Security::Secure,
    };
    let none = Lookup::Negative {
        absence: Absence::NoData,
        security: Security::Secure,
        ttl: Duration::ZERO,
    };
    let host = Host {
        domain: "there.test",
        name: "mx.there.test",
        v4: &none,
        v6: &none,
        port: 25,
    };
    let Dane::Usable { records, .. } = finding(&answer, "mx.there.test", host) else {
        panic!("they are usable");
    };
    assert_eq!(records.len(), TLSA_RECORDS);
}
