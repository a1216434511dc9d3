//! A zone in which everything is right, and each fault in it by itself.

use msgauth::dkim::sign::SigningKey;
use testkit::clock::SimClock;
use testkit::dns::SimDns;

use super::*;
use crate::dns::gather;
use crate::dns::leaving::{Leaving, Smarthost};
use crate::dns::records::tests::facts;
use crate::dns::records::wanted;

/// Of a key of this name, as a record has it.
pub fn public_key(name: &str) -> String {
    let seed = [name.as_bytes().first().copied().unwrap_or(1); 32];
    let key = SigningKey::ed25519("example.org", name, &seed).unwrap();
    key.record().rsplit("p=").next().unwrap_or_default().to_owned()
}

/// A zone in which everything is right.
fn zone() -> String {
    let (b, c) = (public_key("b"), public_key("c"));
    let (served, next) = ("ab".repeat(32), "cd".repeat(32));
    format!(
        r#"
        $security secure
        example.org TXT "v=spf1 mx -all"
        example.org MX 10 mail.example.org
        mail.example.org A 192.0.2.25
        mail.example.org TXT "v=spf1 a -all"
        25.2.0.192.in-addr.arpa PTR mail.example.org
        b._domainkey.example.org TXT "v=DKIM1; k=ed25519; p={b}"
        c._domainkey.example.org TXT "v=DKIM1; k=ed25519; p={c}"
        _dmarc.example.org TXT "v=DMARC1; p=reject"
        _smtp._tls.example.org TXT "v=TLSRPTv1; rua=mailto:postmaster@example.org"
        _25._tcp.mail.example.org TLSA 3 1 1 {served}
        _25._tcp.mail.example.org TLSA 3 1 1 {next}
        _submissions._tcp.example.org SRV 0 1 465 mail.example.org
        _submission._tcp.example.org SRV 0 0 0 .
        _imaps._tcp.example.org SRV 0 1 993 mail.example.org
        _imap._tcp.example.org SRV 0 0 0 .
        _pop3s._tcp.example.org SRV 0 0 0 .
        _pop3._tcp.example.org SRV 0 0 0 .
        "#
    )
}

/// What is not good in a zone: what about, how, and the first word of what to do.
async fn found(zone: &str) -> Vec<(String, Level, String)> {
    found_by(zone, |_| {}).await
}

/// The same for a server that differs.
async fn found_by(zone: &str, differs: impl FnOnce(&mut Server)) -> Vec<(String, Level, String)> {
    let clock = SimClock::new();
    let dns = SimDns::new(clock.door(), zone).unwrap();
    let facts = facts();
    let mut server = facts.server.clone().unwrap();
    differs(&mut server);
    let wanted = wanted(&facts, &server);
    let evidence = gather::all(&dns, &*clock.door(), &facts.domain, &server, &wanted).await;
    let all = findings(&facts.domain, &server, &wanted, &evidence);
    let bad = all.into_iter().filter(|one| one.level != Level::Good);
    bad.map(|one| (one.about, one.level, one.fix)).collect()
}

#[tokio::test]
async fn a_zone_in_which_everything_is_right_has_nothing_to_do() {
    assert_eq!(found(&zone()).await, []);
}

#[tokio::test]
async fn each_fault_is_found_alone_and_said_with_what_to_do() {
    use Level::{Note, Unknown, Wrong};
    let key = public_key("b");
    let long = "include:a.example.org ".repeat(11);
    let table: &[(&str, &str, &str, Level, &str)] = &[
        // what is replaced, by what, which finding, how, how its advice begins
        (
            "example.org MX 10 mail.example.org",
            "",
            "mx",
            Wrong,
            "Publish it",
        ),
        (
            "MX 10 mail.example.org",
            "MX 0 .",
            "mx",
            Wrong,
            "Replace it: a null MX",
        ),
        (
            "MX 10 mail.example.org",
            "MX 10 other.example",
            "mx",
            Wrong,
            "Add this server",
        ),
        (
            "v=spf1 mx -all",
            "v=spf1 ip4:192.0.2.77 -all",
            "spf",
            Wrong,
            "Name 192.0.2.25 in it",
        ),
        ("v=spf1 mx -all", "v=spf1 mx +all", "spf", Wrong, "Narrow it"),
        ("v=spf1 mx -all", "v=spf1 mx", "spf", Note, "End it with -all"),
        ("v=spf1 mx -all", "v=spf1 mix -all", "spf", Wrong, "Correct it"),
        ("v=spf1 a -all", "v=x", "spf-host", Note, "Publish it"),
        (
            &key,
            "AAAA",
            "dkim",
            Wrong,
            "Replace what is there: it is another key",
        ),
        (
            "c._domainkey.example.org",
            "x._domainkey.example.org",
            "dkim",
            Note,
            "Publish it: until it is seen",
        ),
        (
            "b._domainkey.example.org",
            "x._domainkey.example.org",
            "dkim",
            Wrong,
            "Publish it again",
        ),
        (
            "_imaps._tcp.example.org SRV 0 1 993 mail.example.org",
            "",
            "srv",
            Note,
            "Publish it, so that nobody has to type",
        ),
        (
            "_pop3._tcp.example.org SRV 0 0 0 .",
            "",
            "srv",
            Note,
            "Publish it, so that programs do not look",
        ),
        ("SRV 0 1 993 mail", "SRV 5 0 993 MAIL", "", Level::Good, ""),
        (
            "SRV 0 1 993 mail",
            "SRV 0 1 9930 mail",
            "srv",
            Wrong,
            "Correct its port: programs are sent to 9930",
        ),
        (
            "SRV 0 1 993 mail.example.org",
            "SRV 0 1 993 other.example",
            "srv",
            Wrong,
            "Name this server: programs are sent to other.example (port 993)",
        ),
        (
            "SRV 0 1 465 mail.example.org",
            "SRV 0 0 0 .",
            "srv",
            Wrong,
            "Replace it: a point says",
        ),
        (
            "SRV 0 1 993 mail.example.org",
            "SRV 0 1 993 mail.example.org\n_imaps._tcp.example.org SRV 5 1 993 second.example",
            "srv",
            Note,
            "Programs are also sent to second.example",
        ),
        (
            "_pop3._tcp.example.org SRV 0 0 0 .",
            "_pop3._tcp.example.org SRV 0 1 110 mail.example.org",
            "srv",
            Wrong,
            "Replace it, or open the door: programs are sent to port 110",
        ),
        (
            "_pop3._tcp.example.org SRV 0 0 0 .",
            "_pop3._tcp.example.org SRV 0 1 110 pop.example",
            "srv",
            Note,
            "Programs are sent to pop.example (port 110)",
        ),
        (
            "_imap._tcp.example.org SRV 0 0 0 .",
            "_imap._tcp.example.org !servfail",
            "srv",
            Unknown,
            "Ask again",
        ),
        ("p=reject", "p=none", "dmarc", Note, "p=none asks"),
        ("p=reject", "p=rejekt", "dmarc", Wrong, "Correct it"),
        ("v=DMARC1", "v=DMARC", "dmarc", Wrong, "Correct it"),
        (
            "_dmarc.example.org",
            "x.example.org",
            "dmarc",
            Wrong,
            "Publish it",
        ),
        ("v=TLSRPTv1", "v=x", "tls-rpt", Note, "Publish it"),
        (
            "PTR mail.example.org",
            "PTR other.example",
            "iprev",
            Wrong,
            "Have whoever gave you",
        ),
        (
            "$security secure",
            "$security insecure",
            "tlsa",
            Note,
            "It counts only",
        ),
        (
            "_dmarc.example.org TXT \"v=DMARC1; p=reject\"",
            "_dmarc.example.org !timeout",
            "dmarc",
            Unknown,
            "Ask again",
        ),
    ];
    for (from, to, about, level, fix) in table {
        let changed = zone().replacen(from, to, 1);
        assert_ne!(changed, zone(), "{from}");
        let all = found(&changed).await;
        let fits = match *level {
            Level::Good => all.is_empty(),
            level => all
                .iter()
                .any(|(a, l, f)| a == about && *l == level && f.starts_with(fix)),
        };
        assert!(fits, "{from} -> {to}: {all:?}");
    }
    let many = zone().replace("v=spf1 mx -all", &format!("v=spf1 mx {long}-all"))
        + "\na.example.org TXT \"v=spf1 -all\"\n";
    let all = found(&many).await;
    assert!(
        all.iter()
            .any(|(_, level, fix)| *level == Wrong && fix.contains("more than 10 terms")),
        "{all:?}"
    );
    let two = zone() + "\nexample.org TXT \"v=spf1 -all\"\n_dmarc.example.org TXT \"v=DMARC1; p=none\"\n";
    let all = found(&two).await;
    assert_eq!(
        all.iter()
            .filter(|(.., fix)| fix.starts_with("Leave one"))
            .count(),
        2,
        "{all:?}"
    );
    let alias = zone().replace(
        "mail.example.org A 192.0.2.25",
        "mail.example.org CNAME h.example.org\nh.example.org A 192.0.2.25",
    );
    let alias = alias.replace("mail.example.org TXT", "h.example.org TXT");
    let all = found(&alias).await;
    assert!(
        all.iter()
            .any(|(about, level, _)| about == "host" && *level == Wrong),
        "{all:?}"
    );
}

/// A server whose mail, or some of it, leaves by relay.example.
fn by_relay(by_default: bool, never_directly: bool) -> impl Fn(&mut Server) {
    move |server| {
        server.leaving = Leaving {
            smarthosts: vec![Smarthost {
                route: "relay".to_owned(),
                host: "relay.example".to_owned(),
                by_default,
            }],
            never_directly,
        };
    }
}

#[tokio::test]
async fn a_record_is_judged_by_the_addresses_that_the_domains_mail_comes_from() {
    use Level::{Good, Note, Unknown, Wrong};
    let relay = "relay.example A 198.51.100.9\nout.relay.example TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n\
                 elsewhere.example TXT \"v=spf1 ip4:203.0.113.0/24 -all\"\nme.example TXT \"v=spf1 ip4:192.0.2.25 -all\"\n\
                 silent.example !timeout\n";
    let (all, most, some) = (
        by_relay(true, true),
        by_relay(true, false),
        by_relay(false, false),
    );
    let nothing = |_: &mut Server| {};
    let far = |server: &mut Server| server.sources = vec!["203.0.113.5".parse().unwrap()];
    type Differs<'a> = &'a dyn Fn(&mut Server);
    let table: &[(Differs<'_>, &str, Level, &str)] = &[
        // the server, its domain's record, how it is, how the advice begins
        (&nothing, "v=spf1 include:me.example -all", Good, ""),
        (&nothing, "v=spf1 a:mail.example.org -all", Good, ""),
        (&nothing, "v=spf1 ip4:192.0.2.16/28 ~all", Good, ""),
        (&nothing, "v=spf1 redirect=me.example", Good, ""),
        (
            &nothing,
            "v=spf1 include:elsewhere.example -all",
            Wrong,
            "Name 192.0.2.25 in it",
        ),
        (
            &nothing,
            "v=spf1 include:nowhere.example -all",
            Wrong,
            "Correct it",
        ),
        (
            &nothing,
            "v=spf1 include:silent.example -all",
            Unknown,
            "Ask again later",
        ),
        (&far, "v=spf1 mx -all", Wrong, "Name 203.0.113.5 in it"),
        (&far, "v=spf1 mx ip4:203.0.113.5 -all", Good, ""),
        // all of it leaves by the smarthost: what matters is that one's addresses
        (
            &all,
            "v=spf1 mx -all",
            Wrong,
            "Put in what whoever runs relay.example names",
        ),
        (
            &all,
            "v=spf1 mx ~all",
            Note,
            "Put in what whoever runs relay.example names",
        ),
        (&all, "v=spf1 include:out.relay.example -all", Good, ""),
        (&all, "v=spf1 mx a:relay.example -all", Good, ""),
        (
            &all,
            "v=spf1 include:elsewhere.example -all",
            Note,
            "Mail leaves by relay.example: whether",
        ),
        (
            &all,
            "v=spf1 mx ip4:192.0.2.25 -all",
            Wrong,
            "Put in what whoever runs relay.example names",
        ),
        // this server by its own names is nobody else
        (
            &all,
            "v=spf1 a:Mail.example.org mx:example.org -all",
            Wrong,
            "Put in what whoever runs relay.example names",
        ),
        (&all, "v=spf1 include:out.relay.example", Note, "End it with -all"),
        (&all, "v=spf1 +all", Wrong, "Narrow it"),
        // there is a second way straight from here
        (
            &most,
            "v=spf1 include:out.relay.example -all",
            Wrong,
            "Name 192.0.2.25 in it",
        ),
        (&most, "v=spf1 mx include:out.relay.example -all", Good, ""),
        (
            &most,
            "v=spf1 mx -all",
            Wrong,
            "Put in what whoever runs relay.example names",
        ),
        // some of it leaves by the smarthost
        (
            &some,
            "v=spf1 mx -all",
            Note,
            "Put in what whoever runs relay.example names",
        ),
        (&some, "v=spf1 mx include:out.relay.example -all", Good, ""),
    ];
    for (server, spf, level, fix) in table {
        let zone = zone().replace("v=spf1 mx -all", spf) + relay;
        let told = found_by(&zone, server).await;
        let told = told.iter().find(|(about, ..)| about == "spf");
        let told = told.map_or((Good, ""), |(_, level, fix)| (*level, fix.as_str()));
        assert!(told.0 == *level && told.1.starts_with(fix), "{spf}: {told:?}");
    }
}

#[test]
fn where_a_smarthost_takes_mail_the_record_is_careful_and_says_what_is_missing() {
    let facts = facts();
    let record = |differs: &dyn Fn(&mut Server)| {
        let mut server = facts.server.clone().unwrap();
        differs(&mut server);
        let records = wanted(&facts, &server).records;
        records
            .into_iter()
            .find(|one| one.purpose == Purpose::Spf)
            .unwrap()
    };
    let plain = record(&|_| {});
    assert_eq!((plain.value.as_str(), plain.remark), ("v=spf1 mx -all", None));
    let relayed = record(&by_relay(true, true));
    assert_eq!(relayed.value, "v=spf1 mx ~all");
    let remark = relayed.remark.unwrap();
    assert!(
        remark.starts_with("Mail from example.org leaves by relay.example (route \"relay\")")
            && remark.contains("include:"),
        "{remark}"
    );
    let some = record(&by_relay(false, false)).remark.unwrap();
    assert!(
        some.starts_with("Some mail from example.org leaves by relay.example"),
        "{some}"
    );
    let from = record(&|server| {
        server.sources = vec![
            "203.0.113.5".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
            "2001:db8::5".parse().unwrap(),
        ];
    });
    assert_eq!(from.value, "v=spf1 mx ip4:203.0.113.5 ip6:2001:db8::5 -all");
}

#[tokio::test]
async fn tls_11_a_certificate_without_its_record_is_wrong_before_it_is_used_and_while_it_is() {
    let said = |all: &[(String, Level, String)]| -> Vec<(Level, String)> {
        let tlsa = all.iter().filter(|(about, ..)| about == "tlsa");
        tlsa.map(|(_, level, fix)| (*level, fix.split(':').next().unwrap_or_default().to_owned()))
            .collect()
    };
    let without = |digits: &str| {
        let line = format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", digits.repeat(32));
        zone().replace(&line, "")
    };
    let next = said(&found(&without("cd")).await);
    assert_eq!(next.len(), 1, "the served one is there: {next:?}");
    assert!(
        next[0].0 == Level::Wrong && next[0].1.contains("before that certificate is used"),
        "{next:?}"
    );
    let served = said(&found(&without("ab")).await);
    assert_eq!(served, [(Level::Wrong, "Publish it now".to_owned())]);
    let none = without("ab").replace(
        &format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", "cd".repeat(32)),
        "",
    );
    let none = said(&found(&none).await);
    assert!(
        none.iter().all(|(level, _)| *level == Level::Note),
        "who publishes none promises nothing: {none:?}"
    );
}
