//! Names asked of a server that answers rightly, wrongly, late and never (NET-1, NET-2).

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use testkit::hostile_dns::HostileDns;
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType, Security};
use world_real::dns::{DnsSettings, RealDns, Validation};
use world_real::limits::{DNS_LOOKUP_DEADLINE, DNS_NEGATIVE_TTL_MAX, DNS_TRY_TIMEOUT, DNS_TTL_MAX};

/// One try where the end of all tries is waited for.
const SHORT_TRY: Duration = Duration::from_millis(400);

/// Asks as the program does: a machine that is busy elsewhere for a moment changes nothing.
async fn asking(script: &str, validation: Validation) -> (HostileDns, Arc<RealDns>) {
    asking_for(DNS_TRY_TIMEOUT, script, validation).await
}

/// Asks servers of which many never answer.
async fn asking_briefly(script: &str) -> (HostileDns, Arc<RealDns>) {
    asking_for(SHORT_TRY, script, Validation::Off).await
}

async fn asking_for(
    try_timeout: Duration,
    script: &str,
    validation: Validation,
) -> (HostileDns, Arc<RealDns>) {
    let server = HostileDns::start(script).await.unwrap();
    let dns = RealDns::new(&DnsSettings {
        servers: vec![server.addr()],
        validation,
        try_timeout,
    });
    (server, dns.unwrap())
}

const RIGHT: &str = r#"
example.org        MX   10 mx.example.org
example.org        MX   20 MX2.example.org.
example.org        TXT  "v=spf1 -all"
nobody.example     MX   0 .
mx.example.org     A    192.0.2.25
mx.example.org 60  AAAA 2001:db8::25
www.example.org 30 CNAME mx.example.org
once.example.org   !alone
once.example.org 30 CNAME mx.example.org
gone.example.org   CNAME nowhere.example.org
_25._tcp.mx.example.org TLSA 3 1 1 00ff
25.2.0.192.in-addr.arpa PTR mx.example.org
long.example 999999999 A 192.0.2.9
private.example    A    127.0.0.1
_imaps._tcp.example.org SRV 0 1 993 mx.example.org.
_imap._tcp.example.org  SRV 0 0 0 .
private.example    A    10.0.0.1
"#;

#[tokio::test]
async fn right_answers_come_as_they_are() {
    // Lines of a record are read in their order: a TTL stands before the type.
    let script = RIGHT.replace("mx.example.org 60  AAAA", "mx.example.org 60 AAAA");
    let (_server, dns) = asking(&script, Validation::Off).await;
    let address = |last| Record::A([192, 0, 2, last].into());
    let table = [
        (
            "Example.ORG.",
            RecordType::Mx,
            vec![
                Record::Mx(10, "mx.example.org".into()),
                Record::Mx(20, "mx2.example.org".into()),
            ],
            &[][..],
            300,
        ),
        (
            "example.org",
            RecordType::Txt,
            vec![Record::Txt(b"v=spf1 -all".to_vec())],
            &[],
            300,
        ),
        (
            "nobody.example",
            RecordType::Mx,
            vec![Record::Mx(0, ".".into())],
            &[],
            300,
        ),
        (
            "www.example.org",
            RecordType::A,
            vec![address(25)],
            &["mx.example.org"],
            30,
        ),
        (
            "once.example.org",
            RecordType::A,
            vec![address(25)],
            &["mx.example.org"],
            30,
        ),
        (
            "mx.example.org",
            RecordType::Aaaa,
            vec![Record::Aaaa("2001:db8::25".parse().unwrap())],
            &[],
            60,
        ),
        (
            "_25._tcp.mx.example.org",
            RecordType::Tlsa,
            vec![Record::Tlsa(3, 1, 1, vec![0, 255])],
            &[],
            300,
        ),
        (
            "_imaps._tcp.example.org",
            RecordType::Srv,
            vec![Record::Srv(0, 1, 993, "mx.example.org".into())],
            &[],
            300,
        ),
        (
            "_imap._tcp.example.org",
            RecordType::Srv,
            vec![Record::Srv(0, 0, 0, ".".into())],
            &[],
            300,
        ),
        (
            "25.2.0.192.in-addr.arpa",
            RecordType::Ptr,
            vec![Record::Ptr("mx.example.org".into())],
            &[],
            300,
        ),
        (
            "www.example.org",
            RecordType::Cname,
            vec![Record::Cname("mx.example.org".into())],
            &[],
            30,
        ),
        (
            "long.example",
            RecordType::A,
            vec![address(9)],
            &[],
            DNS_TTL_MAX.as_secs(),
        ),
        // Whether mail may go there is not for the resolver to say.
        (
            "private.example",
            RecordType::A,
            vec![Record::A([127, 0, 0, 1].into()), Record::A([10, 0, 0, 1].into())],
            &[],
            300,
        ),
    ];
    for (name, kind, records, chain, ttl) in table {
        let expected = Lookup::Answer {
            records,
            ttl: Duration::from_secs(ttl),
            chain: chain.iter().map(|&name: &&str| name.to_owned()).collect(),
            security: Security::Indeterminate,
        };
        assert_eq!(dns.lookup(name, kind).await, expected, "{name} {kind:?}");
    }
}

#[tokio::test]
async fn absence_is_told_from_failure() {
    let script = format!(
        "{RIGHT}
        nx.example !nxdomain
        broken.example !servfail
        refused.example !refused
        formerr.example !formerr
        notimp.example !notimp
        lame.example !referral
        silent.example !silent"
    );
    let (_server, dns) = asking_briefly(&script).await;
    let after = |absence, seconds| Lookup::Negative {
        absence,
        security: Security::Indeterminate,
        ttl: Duration::from_secs(seconds),
    };
    let absent = |absence| after(absence, 60);
    let table = [
        ("unknown.example", RecordType::Mx, absent(Absence::NxDomain)),
        ("nx.example", RecordType::A, absent(Absence::NxDomain)),
        ("example.org", RecordType::A, absent(Absence::NoData)),
        ("www.example.org", RecordType::Mx, after(Absence::NoData, 30)),
        ("once.example.org", RecordType::Mx, after(Absence::NoData, 30)),
        ("gone.example.org", RecordType::Mx, absent(Absence::NxDomain)),
        (
            "broken.example",
            RecordType::Mx,
            Lookup::Failed(Failure::ServFail),
        ),
        (
            "refused.example",
            RecordType::Mx,
            Lookup::Failed(Failure::Refused),
        ),
        (
            "formerr.example",
            RecordType::Mx,
            Lookup::Failed(Failure::ServFail),
        ),
        (
            "notimp.example",
            RecordType::Mx,
            Lookup::Failed(Failure::ServFail),
        ),
        ("lame.example", RecordType::Mx, Lookup::Failed(Failure::ServFail)),
        ("silent.example", RecordType::Mx, Lookup::Failed(Failure::Timeout)),
    ];
    for (name, kind, expected) in table {
        assert_eq!(dns.lookup(name, kind).await, expected, "{name} {kind:?}");
    }
    let impossible = format!("{}.example", "a".repeat(64));
    let expected = Lookup::Negative {
        absence: Absence::NxDomain,
        security: Security::Indeterminate,
        ttl: DNS_NEGATIVE_TTL_MAX,
    };
    assert_eq!(dns.lookup(&impossible, RecordType::Mx).await, expected);
}

#[tokio::test]
async fn net_1_a_denial_of_another_name_denies_nothing() {
    // Such replies are dropped when they come over UDP; over TCP nobody below us looks at the question.
    let script = "a.example !truncated\na.example TXT x\na.example !wrong-question";
    let (server, dns) = asking_briefly(script).await;
    for kind in [RecordType::Mx, RecordType::Txt] {
        let lookup = dns.lookup("a.example", kind).await;
        assert!(matches!(lookup, Lookup::Failed(_)), "{kind:?}: {lookup:?}");
    }
    assert!(server.asked().iter().any(|question| question.tcp));
}

/// What a fault may come to; never an absence, and never records that were not asked for.
enum May {
    Answer,
    Fail(&'static [Failure]),
}

#[tokio::test]
async fn net_1_hostile_answers_are_bounded_and_prove_nothing() {
    use Failure::{Malformed, ServFail, Timeout};
    let unread: &[Failure] = &[Timeout, Malformed];
    let faults = [
        ("!silent", May::Fail(&[Timeout])),
        ("!garbage", May::Fail(unread)),
        ("!short", May::Fail(unread)),
        ("!counts", May::Fail(unread)),
        ("!loop", May::Fail(unread)),
        ("!forward", May::Fail(unread)),
        ("!wrong-id", May::Fail(unread)),
        ("!wrong-question", May::Fail(unread)),
        ("!no-question", May::Fail(unread)),
        ("!class", May::Fail(unread)),
        ("!truncated", May::Answer),
        ("!truncated-always", May::Fail(unread)),
        ("!tcp-hangs", May::Fail(unread)),
        ("!tcp-half", May::Fail(unread)),
        ("!tcp-closes", May::Fail(unread)),
        ("!endless", May::Fail(&[Timeout, Malformed, ServFail])),
        ("!wrong-name", May::Fail(&[Malformed])),
        ("!forged", May::Answer),
        ("!spoofed", May::Answer),
        ("!wrong-case", May::Answer),
        ("!poison", May::Answer),
    ];
    let mut script = String::new();
    for (fault, _) in &faults {
        let name = fault.trim_start_matches('!');
        script += &format!("{name}.example A 192.0.2.7\n{name}.example {fault}\n");
    }
    let (_server, dns) = asking_briefly(&script).await;
    let start = tokio::time::Instant::now();
    let mut asked = Vec::new();
    for (fault, may) in faults {
        let dns = Arc::clone(&dns);
        let name = format!("{}.example", fault.trim_start_matches('!'));
        let asking = tokio::spawn(async move { dns.lookup(&name, RecordType::A).await });
        asked.push((fault, may, asking));
    }
    for (fault, may, asking) in asked {
        let lookup = asking.await.expect("no panic");
        let fine = match (&may, &lookup) {
            (May::Answer, Lookup::Answer { records, .. }) => {
                records.as_slice() == [Record::A([192, 0, 2, 7].into())]
            }
            (May::Fail(kinds), Lookup::Failed(kind)) => kinds.contains(kind),
            _ => false,
        };
        assert!(fine, "{fault}: {lookup:?}");
    }
    // Some tries, and not the deadline of all of them together.
    assert!(start.elapsed() < DNS_LOOKUP_DEADLINE / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn net_1_aliases_are_followed_ten_times_and_not_around_in_circles() {
    let mut script = String::from(
        "end.example A 192.0.2.7\nring.example CNAME ring2.example\nring2.example CNAME ring.example\n",
    );
    for alone in ["", "alone-"] {
        for n in 1..=40 {
            let target = match n {
                1 => "end.example".to_owned(),
                n => format!("{alone}c{}.example", n - 1),
            };
            script += &format!("{alone}c{n}.example CNAME {target}\n");
            if !alone.is_empty() {
                script += &format!("{alone}c{n}.example !alone\n");
            }
        }
    }
    script += "self.example CNAME self.example\nself.example !alone\n";
    let (server, dns) = asking(&script, Validation::Off).await;
    for alone in ["", "alone-"] {
        match dns.lookup(&format!("{alone}c10.example"), RecordType::A).await {
            Lookup::Answer { chain, records, .. } => {
                assert_eq!((chain.len(), records.len()), (10, 1), "{alone}");
            }
            other => panic!("{alone}: {other:?}"),
        }
        for n in [11, 12, 40] {
            let lookup = dns.lookup(&format!("{alone}c{n}.example"), RecordType::A).await;
            assert_eq!(lookup, Lookup::Failed(Failure::ServFail), "{alone}c{n}");
        }
    }
    for name in ["ring.example", "self.example"] {
        let before = server.asked().len();
        let lookup = dns.lookup(name, RecordType::A).await;
        assert_eq!(lookup, Lookup::Failed(Failure::ServFail), "{name}");
        assert!(server.asked().len() - before <= 12, "{name}");
    }
}

#[tokio::test]
async fn net_1_large_and_unprintable_answers_are_only_data() {
    let script = "huge.example !huge\nnul.example !nul\nnul.example MX 10 x.example";
    let (_server, dns) = asking(script, Validation::Off).await;
    match dns.lookup("huge.example", RecordType::Txt).await {
        Lookup::Answer { records, .. } => match records.as_slice() {
            [Record::Txt(text)] => assert_eq!(text.len(), 250 * 255),
            other => panic!("{} records", other.len()),
        },
        other => panic!("{other:?}"),
    }
    match dns.lookup("nul.example", RecordType::Mx).await {
        Lookup::Answer { records, .. } => {
            let [Record::Mx(10, host)] = records.as_slice() else {
                panic!("{records:?}");
            };
            let printable = host.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(printable, "{host:?}");
            assert!(
                host.contains('\\'),
                "such a host is escaped and so found nowhere: {host}"
            );
        }
        Lookup::Failed(failure) => assert_eq!(failure, Failure::Malformed),
        other @ Lookup::Negative { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn net_2_questions_cannot_be_guessed() {
    let (server, dns) = asking("*.many.example A 192.0.2.7", Validation::Off).await;
    const COUNT: usize = 300;
    for n in 0..COUNT {
        let lookup = dns
            .lookup(&format!("abcdefgh{n}.many.example"), RecordType::A)
            .await;
        assert!(matches!(lookup, Lookup::Answer { .. }), "{lookup:?}");
    }
    let asked = server.asked();
    assert!(asked.len() >= COUNT);
    let ports: HashSet<u16> = asked.iter().map(|question| question.from.port()).collect();
    let ids: HashSet<u16> = asked.iter().map(|question| question.id).collect();
    // Of 300 draws from 64,512 ports or 65,536 ids hardly any meet: fewer than 10 with a chance of more than 1 - 10^-6.
    assert!(ports.len() > COUNT - 10, "{} ports", ports.len());
    assert!(ids.len() > COUNT - 10, "{} ids", ids.len());
    // Every bit of either is set about half of the time: far from 150 only with a chance below 10^-6.
    for bit in 0..16 {
        let set = asked
            .iter()
            .filter(|question| question.id >> bit & 1 == 1)
            .count();
        assert!((100..=200).contains(&set), "bit {bit} of the id: {set}");
    }
    for bit in 0..14 {
        let set = asked
            .iter()
            .filter(|question| question.from.port() >> bit & 1 == 1)
            .count();
        assert!((100..=200).contains(&set), "bit {bit} of the port: {set}");
    }
    let steps: HashSet<u16> = asked
        .windows(2)
        .map(|pair| pair[1].id.wrapping_sub(pair[0].id))
        .collect();
    assert!(steps.len() > COUNT - 20, "ids do not count up");
    let cased = asked.iter().filter(|question| {
        let letters = || question.name.bytes().filter(u8::is_ascii_alphabetic);
        letters().any(|byte| byte.is_ascii_uppercase()) && letters().any(|byte| byte.is_ascii_lowercase())
    });
    assert!(cased.count() > COUNT - 10, "letters have random case (0x20)");
}

#[tokio::test]
async fn net_2_what_a_server_says_beside_the_answer_is_not_believed() {
    let script = "a.example A 192.0.2.7\na.example !poison\nbank.example A 192.0.2.8";
    let (_server, dns) = asking(script, Validation::Off).await;
    for (name, last) in [("a.example", 7), ("bank.example", 8)] {
        match dns.lookup(name, RecordType::A).await {
            Lookup::Answer { records, .. } => {
                assert_eq!(records, [Record::A([192, 0, 2, last].into())], "{name}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn net_2_the_ad_bit_counts_only_where_it_is_trusted() {
    let script =
        "signed.example A 192.0.2.7\nsigned.example !ad\nbare.example A 192.0.2.8\nnone.example !nxdomain";
    let table = [
        (Validation::Off, Security::Indeterminate, Security::Indeterminate),
        (Validation::TrustAd, Security::Secure, Security::Insecure),
    ];
    for (validation, signed, bare) in table {
        let (_server, dns) = asking(script, validation.clone()).await;
        for (name, expected) in [("signed.example", signed), ("bare.example", bare)] {
            match dns.lookup(name, RecordType::A).await {
                Lookup::Answer { security, .. } => assert_eq!(security, expected, "{name} {validation:?}"),
                other => panic!("{other:?}"),
            }
        }
        match dns.lookup("none.example", RecordType::A).await {
            Lookup::Negative { security, .. } => assert_eq!(security, Security::Indeterminate),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn answers_are_kept_and_forgotten_with_the_settings() {
    let (server, dns) = asking(
        "a.example A 192.0.2.7\nb.example !servfail\nc.example 0 A 192.0.2.8",
        Validation::Off,
    )
    .await;
    for _ in 0..3 {
        for name in ["A.example", "a.example.", "gone.example"] {
            dns.lookup(name, RecordType::A).await;
        }
    }
    assert_eq!(server.asked().len(), 2);
    for _ in 0..2 {
        dns.lookup("c.example", RecordType::A).await;
    }
    assert_eq!(server.asked().len(), 4, "a TTL of 0 is not kept");
    let failing = || dns.lookup("b.example", RecordType::A);
    failing().await;
    let tries = server.asked().len();
    failing().await;
    assert_eq!(server.asked().len(), tries, "a failure is kept for a moment");
    dns.replace(&DnsSettings {
        servers: vec![server.addr()],
        ..DnsSettings::default()
    })
    .unwrap();
    dns.lookup("a.example", RecordType::A).await;
    assert_eq!(server.asked().len(), tries + 1);
}

#[tokio::test]
async fn a_dead_server_beside_a_good_one_is_not_noticed() {
    let good = HostileDns::start("*.many.example A 192.0.2.7").await.unwrap();
    let silent = HostileDns::start("*.many.example !silent").await.unwrap();
    let closed: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    for dead in [silent.addr(), closed] {
        let dns = RealDns::new(&DnsSettings {
            servers: vec![dead, good.addr()],
            ..DnsSettings::default()
        })
        .unwrap();
        for n in 0..20 {
            let start = tokio::time::Instant::now();
            let lookup = dns.lookup(&format!("{n}.many.example"), RecordType::A).await;
            assert!(matches!(lookup, Lookup::Answer { .. }), "{lookup:?}");
            assert!(start.elapsed() < DNS_TRY_TIMEOUT, "{:?}", start.elapsed());
        }
    }
}

/// The deadline itself, in simulated time: nothing real answers, so that time may jump.
#[tokio::test(start_paused = true)]
async fn net_1_a_lookup_ends_at_its_deadline() {
    let (_server, dns) = asking("silent.example !silent", Validation::Off).await;
    dns.replace(&DnsSettings {
        // Nobody answers there either (RFC 6666), and no error comes back.
        servers: vec![_server.addr()],
        try_timeout: Duration::from_secs(3600),
        ..DnsSettings::default()
    })
    .unwrap();
    let start = tokio::time::Instant::now();
    let lookup = dns.lookup("silent.example", RecordType::Mx).await;
    assert_eq!(lookup, Lookup::Failed(Failure::Timeout));
    assert!(
        start.elapsed() <= DNS_LOOKUP_DEADLINE + Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_slow_domain_does_not_hold_up_another() {
    let script = "*.slow.example !silent\nfast.example A 192.0.2.7";
    let (_server, dns) = asking(script, Validation::Off).await;
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let dns = Arc::clone(&dns);
            tokio::spawn(async move { dns.lookup(&format!("{n}.slow.example"), RecordType::A).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let lookup = dns.lookup("fast.example", RecordType::A).await;
    assert!(matches!(lookup, Lookup::Answer { .. }), "{lookup:?}");
    assert!(waiting.iter().all(|slow| !slow.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn net_1_an_answer_that_comes_by_half_holds_up_nobody_else() {
    let script = "
half.example !tcp-half
half.example TXT \"never whole\"
long.example !truncated
long.example TXT \"over TCP\"
";
    let (server, dns) = asking(script, Validation::Off).await;
    let half = tokio::spawn({
        let dns = dns.clone();
        async move { dns.lookup("half.example", RecordType::Txt).await }
    });
    while !server.asked().iter().any(|question| question.tcp) {
        tokio::task::yield_now().await;
    }
    let long = dns.lookup("long.example", RecordType::Txt).await;
    assert!(matches!(long, Lookup::Answer { .. }), "{long:?}");
    assert!(!half.is_finished());
    half.abort();
}
