//! What TLS must be, held against servers and people in between that have other ideas.

mod house;

use std::time::Duration;

use deliver::Settings;
use deliver::remote::connect::{self, Begin, Doors, Target};
use deliver::remote::talk::{Notes, Pulse};
use deliver::settings::Login;
use house::peer::{Peer, Script};
use house::{BODY, House, MX};
use msgauth::tls::OfDomain;
use msgauth::tls::attempt::{PolicyKind, ResultType, Went};
use msgauth::tls::policy::{Demand, Listed, ListedBy, Reason, Refusal, Required, Rule, Sts, StsHost, Wish};
use queue::attempt::AttemptResult;
use queue::params::{EnvelopeParams, RecipientParams, Ret, TlsWish};
use smtp::client::ClientName;
use testkit::tls::{Answer, SimTlsServer};

/// The hash in the TLSA record of the zones here.
const HASH: [u8; 32] = [0xaa; 32];

/// `there.test` in a signed zone, with TLSA records as a test has them.
fn signed(tlsa: &str) -> String {
    format!(
        "$security secure\nthere.test MX 10 mx.there.test\nmx.there.test A 192.0.2.25\n{}",
        tlsa.replace("TLSA ", "_25._tcp.mx.there.test TLSA ")
            .replace("HASH", &"aa".repeat(32))
    )
}

fn unsigned() -> String {
    "there.test MX 10 mx.there.test\nmx.there.test A 192.0.2.25\n".to_owned()
}

fn enforce(fits: bool) -> OfDomain {
    OfDomain {
        sts: Sts::Enforce(StsHost {
            fits,
            id: "1".to_owned(),
            patterns: vec!["mx.there.test".to_owned()].into(),
        }),
        ..OfDomain::default()
    }
}

fn awaited() -> OfDomain {
    OfDomain {
        sts: Sts::Awaited,
        sts_unsure: true,
        ..OfDomain::default()
    }
}

fn testing() -> OfDomain {
    OfDomain {
        sts: Sts::Testing(StsHost {
            fits: true,
            id: "1".to_owned(),
            patterns: vec!["mx.there.test".to_owned()].into(),
        }),
        ..OfDomain::default()
    }
}

fn required(what: Required, fits: bool) -> OfDomain {
    let by = ListedBy::Operator;
    OfDomain {
        listed: Listed::Required { by, what, fits },
        ..OfDomain::default()
    }
}

/// What a server, or somebody in between, makes of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Stripped,
    Refused,
    Injected,
    Abort,
    Garbage,
    Silent,
    BadCertificate,
    GoodCertificate,
    RightKey,
    RightKeyAndCertificate,
    WrongKey,
}

const SERVERS: [Server; 11] = [
    Server::Stripped,
    Server::Refused,
    Server::Injected,
    Server::Abort,
    Server::Garbage,
    Server::Silent,
    Server::BadCertificate,
    Server::GoodCertificate,
    Server::RightKey,
    Server::RightKeyAndCertificate,
    Server::WrongKey,
];

impl Server {
    fn at(self, house: &House, address: &str, script: Script) -> Peer {
        let expired = || Err("expired".to_owned());
        let offers = script.clone().offering("STARTTLS");
        let (script, answer) = match self {
            Self::Stripped => (script, None),
            Self::Refused => (
                Script {
                    starttls: "454 4.7.0 not now".to_owned(),
                    ..offers
                },
                None,
            ),
            Self::Injected => (
                Script {
                    starttls: "220 go\r\n250-fake\r\n250 SIZE 1".to_owned(),
                    ..offers
                },
                Some(Answer::Good),
            ),
            Self::Abort => (offers, Some(Answer::Abort)),
            Self::Garbage => (offers, Some(Answer::Garbage)),
            Self::Silent => (offers, Some(Answer::Silent)),
            Self::BadCertificate => (offers, Some(Answer::Unverified("expired".to_owned()))),
            Self::GoodCertificate => (offers, Some(Answer::Good)),
            Self::RightKey => (offers, Some(Answer::Keyed(HASH.to_vec(), expired()))),
            Self::RightKeyAndCertificate => (offers, Some(Answer::Keyed(HASH.to_vec(), Ok(())))),
            Self::WrongKey => (offers, Some(Answer::Keyed(vec![0xbb; 32], Ok(())))),
        };
        Peer::at(&house.network, address, script, answer.map(SimTlsServer::new))
    }

    fn encrypts(self) -> bool {
        !matches!(
            self,
            Self::Stripped | Self::Refused | Self::Injected | Self::Abort | Self::Garbage | Self::Silent
        )
    }

    fn verifies(self) -> bool {
        matches!(
            self,
            Self::GoodCertificate | Self::RightKeyAndCertificate | Self::WrongKey
        )
    }

    fn has_the_key(self) -> bool {
        matches!(self, Self::RightKey | Self::RightKeyAndCertificate)
    }
}

fn wanting(tls: TlsWish) -> (EnvelopeParams, RecipientParams) {
    let envelope = EnvelopeParams {
        tls,
        ..EnvelopeParams::default()
    };
    (envelope, RecipientParams::default())
}

/// Sends one message; true when the server has it after one attempt.
async fn one_attempt(house: &House, peer: &Peer, wish: TlsWish) -> bool {
    house.start();
    let id = house
        .send_with("alice@home.test", &["bob@there.test"], wanting(wish), BODY)
        .await;
    house
        .until(Duration::from_secs(1), async |house| {
            !house.attempts(id).await.is_empty()
        })
        .await;
    !peer.taken.lock().is_empty()
}

#[tokio::test]
async fn tls_4_nothing_goes_in_the_clear_or_to_a_stranger_where_a_policy_forbids_it() {
    type Allows = fn(Server) -> bool;
    let never: Allows = |_| false;
    let any: Allows = |_| true;
    let dane = || signed("TLSA 3 1 1 HASH");
    let listed = |what| required(what, true);
    let table: Vec<(&str, String, OfDomain, TlsWish, Allows)> = vec![
        ("nothing", unsigned(), OfDomain::default(), TlsWish::Nothing, any),
        ("no TLSA", signed(""), OfDomain::default(), TlsWish::Nothing, any),
        (
            "DANE",
            dane(),
            OfDomain::default(),
            TlsWish::Nothing,
            Server::has_the_key,
        ),
        (
            "DANE and MTA-STS",
            dane(),
            enforce(true),
            TlsWish::Nothing,
            Server::has_the_key,
        ),
        (
            "unusable",
            signed("TLSA 1 1 1 HASH"),
            OfDomain::default(),
            TlsWish::Nothing,
            Server::encrypts,
        ),
        (
            "unusable and MTA-STS",
            signed("TLSA 1 1 1 HASH"),
            enforce(true),
            TlsWish::Nothing,
            Server::verifies,
        ),
        (
            "bogus",
            signed("_25._tcp.mx.there.test !bogus"),
            OfDomain::default(),
            TlsWish::Nothing,
            never,
        ),
        (
            "SERVFAIL",
            signed("_25._tcp.mx.there.test !servfail"),
            enforce(true),
            TlsWish::Nothing,
            never,
        ),
        (
            "unsigned TLSA",
            signed("$security insecure\nTLSA 3 1 1 HASH"),
            OfDomain::default(),
            TlsWish::Nothing,
            any,
        ),
        (
            "MTA-STS",
            unsigned(),
            enforce(true),
            TlsWish::Nothing,
            Server::verifies,
        ),
        (
            "MTA-STS, other host",
            unsigned(),
            enforce(false),
            TlsWish::Nothing,
            never,
        ),
        (
            "MTA-STS, not fetched",
            unsigned(),
            awaited(),
            TlsWish::Nothing,
            never,
        ),
        (
            "DANE, MTA-STS not fetched",
            dane(),
            awaited(),
            TlsWish::Nothing,
            Server::has_the_key,
        ),
        ("MTA-STS testing", unsigned(), testing(), TlsWish::Nothing, any),
        (
            "list",
            unsigned(),
            listed(Required::Encrypted),
            TlsWish::Nothing,
            Server::encrypts,
        ),
        (
            "list",
            unsigned(),
            listed(Required::Verified),
            TlsWish::Nothing,
            Server::verifies,
        ),
        (
            "list, other host",
            unsigned(),
            required(Required::Verified, false),
            TlsWish::Nothing,
            never,
        ),
        ("No, DANE", dane(), OfDomain::default(), TlsWish::NotRequired, any),
        (
            "No, MTA-STS",
            unsigned(),
            enforce(true),
            TlsWish::NotRequired,
            any,
        ),
        (
            "No, list",
            unsigned(),
            listed(Required::Encrypted),
            TlsWish::NotRequired,
            Server::encrypts,
        ),
        // nobody offers REQUIRETLS here
        (
            "REQUIRETLS",
            dane(),
            OfDomain::default(),
            TlsWish::RequireTls,
            never,
        ),
        (
            "REQUIRETLS",
            unsigned(),
            enforce(true),
            TlsWish::RequireTls,
            never,
        ),
    ];
    for (name, zone, of, wish, allows) in table {
        for server in SERVERS {
            let house = House::new().await;
            house.dns.replace(&zone).expect("a zone");
            *house.policies.of.lock() = of.clone();
            let peer = server.at(&house, MX, Script::default());
            let taken = one_attempt(&house, &peer, wish).await;
            assert_eq!(taken, allows(server), "{name}, {server:?}");
            let clear = peer.taken.lock().iter().any(|one| !one.tls);
            assert!(!clear || allows(Server::Stripped), "{name}, {server:?}");
            // what is inside a message is never said outside of what is allowed
            let commands = peer.commands.lock().clone();
            assert!(
                allows(server) || !commands.iter().any(|line| line.starts_with("MAIL")),
                "{name}, {server:?}: {commands:?}"
            );
        }
    }
}

#[tokio::test]
async fn tls_5_mail_waits_for_a_policy_that_found_no_place_and_goes_by_it_when_it_is_there() {
    let house = House::new().await;
    *house.policies.of.lock() = awaited();
    let peer = Server::GoodCertificate.at(&house, MX, Script::default());
    house.start();
    let to = ["bob@there.test"];
    let wish = wanting(TlsWish::Nothing);
    let id = house.send_with("alice@home.test", &to, wish, BODY).await;
    house
        .until(Duration::from_secs(1), async |house| {
            !house.attempts(id).await.is_empty()
        })
        .await;
    let attempt = house.attempts(id).await.remove(0);
    assert_eq!((attempt.status.as_str(), peer.connections()), ("4.7.5", 0));
    *house.policies.of.lock() = enforce(true);
    house
        .until(Duration::from_secs(60), async |house| {
            house.attempts(id).await.len() > 1
        })
        .await;
    assert!(peer.taken.lock()[0].tls);
}

#[tokio::test]
async fn tls_2_what_a_server_says_behind_its_go_ahead_is_dropped_and_counted() {
    let house = House::new().await;
    *house.policies.of.lock() = enforce(true);
    let peer = Server::Injected.at(&house, MX, Script::default());
    assert!(!one_attempt(&house, &peer, TlsWish::Nothing).await);
    assert_eq!(peer.connections(), 1, "and no other one in the clear");
    let attempts = house.policies.attempts.lock().clone();
    assert_eq!(attempts.len(), 1);
    let Went::Failed { result, text, clear } = &attempts[0].went else {
        panic!("{attempts:?}");
    };
    assert_eq!((*result, *clear), (ResultType::ValidationFailure, false));
    assert!(text.contains("before the handshake"), "{text}");
}

#[tokio::test]
async fn q_5_every_attempt_is_told_with_the_word_of_reports() {
    let dane = || signed("TLSA 3 1 1 HASH");
    let (tlsa, sts, none) = (PolicyKind::Tlsa, PolicyKind::Sts, PolicyKind::NoPolicy);
    let table = [
        (
            dane(),
            OfDomain::default(),
            Server::Stripped,
            tlsa,
            "starttls-not-supported",
            false,
        ),
        (
            dane(),
            OfDomain::default(),
            Server::WrongKey,
            tlsa,
            "validation-failure",
            false,
        ),
        (
            dane(),
            OfDomain::default(),
            Server::RightKey,
            tlsa,
            "secured",
            true,
        ),
        (
            signed("_25._tcp.mx.there.test !bogus"),
            OfDomain::default(),
            Server::RightKey,
            tlsa,
            "dnssec-invalid",
            false,
        ),
        (
            unsigned(),
            enforce(true),
            Server::BadCertificate,
            sts,
            "certificate-expired",
            false,
        ),
        (
            unsigned(),
            enforce(false),
            Server::GoodCertificate,
            sts,
            "sts-policy-invalid",
            false,
        ),
        (
            unsigned(),
            testing(),
            Server::Stripped,
            sts,
            "starttls-not-supported",
            true,
        ),
        (
            unsigned(),
            testing(),
            Server::BadCertificate,
            sts,
            "secured, certificate-expired",
            true,
        ),
        (
            unsigned(),
            OfDomain::default(),
            Server::Abort,
            none,
            "validation-failure",
            true,
        ),
        (
            unsigned(),
            OfDomain::default(),
            Server::Refused,
            none,
            "starttls-not-supported",
            true,
        ),
        (
            unsigned(),
            OfDomain::default(),
            Server::GoodCertificate,
            none,
            "secured",
            true,
        ),
    ];
    for (zone, of, server, kind, want, taken) in table {
        let house = House::new().await;
        house.dns.replace(&zone).expect("a zone");
        *house.policies.of.lock() = of;
        let peer = server.at(&house, MX, Script::default());
        assert_eq!(
            one_attempt(&house, &peer, TlsWish::Nothing).await,
            taken,
            "{server:?}"
        );
        let attempts = house.policies.attempts.lock().clone();
        assert_eq!(attempts.len(), 1, "{server:?}: once each: {attempts:?}");
        let told = match &attempts[0].went {
            Went::Secured { verified: Ok(()) } => "secured".to_owned(),
            // what DANE vouches for needs no other voucher
            Went::Secured { .. } if kind == tlsa => "secured".to_owned(),
            Went::Secured { verified: Err(fault) } => {
                format!("secured, {}", ResultType::of_certificate(fault.kind).as_str())
            }
            Went::Failed { result, .. } => result.as_str().to_owned(),
        };
        let base = if kind == tlsa {
            "mx.there.test"
        } else {
            "there.test"
        };
        assert_eq!((told.as_str(), attempts[0].kind), (want, kind), "{server:?}");
        assert_eq!(attempts[0].policy_domain, base);
        assert_eq!(attempts[0].was_refused(), !taken, "{server:?}");
    }
}

#[tokio::test]
async fn tls_6_the_timeline_says_what_was_asked_for_and_why() {
    let house = House::new().await;
    house.dns.replace(&signed("TLSA 3 1 1 HASH")).expect("a zone");
    let peer = Server::Stripped.at(&house, MX, Script::default());
    assert!(!one_attempt(&house, &peer, TlsWish::Nothing).await);
    let want = "no secure connection to mx.there.test: it does not offer STARTTLS. Mail to it needs TLS with a certificate that DNS \
                vouches for: its TLSA records in DNS say so (DANE)";
    assert_eq!(house.waiting().await[0].2, want);
    peer.set(Script::default().offering("STARTTLS"));
    let house = House::new().await;
    house.dns.replace(&signed("TLSA 3 1 1 HASH")).expect("a zone");
    Server::RightKey.at(&house, MX, Script::default());
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    let attempts = house.attempts(id).await;
    let talk = &attempts[0].talks[0];
    assert!(talk.rule.contains("(DANE)"), "{talk:?}");
    let tls = talk.tls.as_ref().expect("TLS");
    assert!(tls.dane && !tls.verified);
    assert_eq!(house.tls.asked()[0].0, "mx.there.test");
}

/// An unsigned domain at a provider whose hosts are signed.
fn hosted() -> String {
    format!(
        "there.test MX 10 mx.provider.test\n$security secure\nmx.provider.test A 192.0.2.25\n_25._tcp.mx.provider.test TLSA 3 1 1 {}\n",
        "aa".repeat(32)
    )
}

#[tokio::test]
async fn tls_6_the_records_of_a_signed_host_count_for_an_unsigned_domain_and_prove_the_host_alone() {
    for server in SERVERS {
        let house = House::new().await;
        house.dns.replace(&hosted()).expect("a zone");
        let peer = server.at(&house, MX, Script::default());
        let fits = matches!(server, Server::RightKey | Server::RightKeyAndCertificate);
        assert_eq!(
            one_attempt(&house, &peer, TlsWish::Nothing).await,
            fits,
            "{server:?}"
        );
        assert!(peer.taken.lock().iter().all(|taken| taken.tls), "{server:?}");
    }
    // Whoever forges MX records has a host with records, and a policy names others.
    let house = House::new().await;
    house.dns.replace(&hosted()).expect("a zone");
    *house.policies.of.lock() = enforce(false);
    let peer = Server::RightKeyAndCertificate.at(&house, MX, Script::default());
    assert!(!one_attempt(&house, &peer, TlsWish::Nothing).await);
    let why = house.waiting().await[0].2.clone();
    assert!(
        why.contains("does not name this host in its policy (MTA-STS)"),
        "{why}"
    );
    assert_eq!(peer.connections(), 0);

    let house = House::new().await;
    house.dns.replace(&hosted()).expect("a zone");
    Server::RightKey.at(&house, MX, Script::default());
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    let rule = house.attempts(id).await[0].talks[0].rule.clone();
    assert!(rule.ends_with("the MX records are not signed"), "{rule}");
    let told = house.policies.attempts.lock()[0].clone();
    assert_eq!(
        (told.kind, told.policy_domain.as_str()),
        (PolicyKind::Tlsa, "mx.provider.test")
    );
}

#[tokio::test]
async fn tls_6_the_notice_of_delay_and_the_bounce_say_why() {
    let house = House::new().await;
    house.dns.replace(&signed("TLSA 3 1 1 HASH")).expect("a zone");
    let peer = Server::Stripped.at(&house, MX, Script::default());
    house.start();
    house.send(&["bob@there.test"]).await;
    for (messages, hours) in [(1, 5), (2, 6 * 24)] {
        house
            .until(Duration::from_secs(600), async |house| {
                house.inbox("alice@home.test").await.len() == messages
            })
            .await;
        assert!(house.clock_hours() < hours, "{} h", house.clock_hours());
        let inbox = house.inbox("alice@home.test").await;
        let words: Vec<&str> = inbox[messages - 1].split_whitespace().collect();
        let text = words.join(" ");
        assert!(
            text.contains("No secure connection to the recipient's server could be made"),
            "{text}"
        );
        assert!(
            text.contains("it does not offer STARTTLS. Mail to it needs TLS with a certificate"),
            "{text}"
        );
    }
    assert!(peer.taken.lock().is_empty());
}

#[tokio::test]
async fn tls_6_another_exchanger_takes_what_one_cannot() {
    let zone = "$security secure\nthere.test MX 10 bad.there.test\nthere.test MX 20 mx.there.test\n\
                bad.there.test A 192.0.2.26\nmx.there.test A 192.0.2.25\n_25._tcp.bad.there.test !servfail\n";
    let house = House::new().await;
    house.dns.replace(zone).expect("a zone");
    let bad = Server::GoodCertificate.at(&house, "192.0.2.26:25", Script::default());
    let good = Server::GoodCertificate.at(&house, MX, Script::default());
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    assert_eq!((bad.connections(), good.taken.lock().len()), (0, 1));
    let talks = &house.attempts(id).await[0].talks;
    let want = "no mail is sent to bad.there.test now: its TLSA records (DANE) could not be looked up: its name servers answered \
                SERVFAIL";
    assert_eq!((talks[0].trouble.as_str(), talks[0].address.as_str()), (want, ""));
}

#[tokio::test]
async fn tls_12_requiretls_goes_only_where_it_is_promised_under_verified_tls() {
    let promises = || Script::default().offering("REQUIRETLS");
    let dane = || signed("TLSA 3 1 1 HASH");
    let table = [
        // zone, domain's policy, server, offers, the code of the failure
        (dane(), OfDomain::default(), Server::RightKey, promises(), None),
        (
            signed(""),
            OfDomain::default(),
            Server::GoodCertificate,
            promises(),
            None,
        ),
        (
            unsigned(),
            enforce(true),
            Server::GoodCertificate,
            promises(),
            None,
        ),
        (
            dane(),
            OfDomain::default(),
            Server::RightKey,
            Script::default(),
            Some("5.7.30"),
        ),
        (
            signed(""),
            OfDomain::default(),
            Server::GoodCertificate,
            Script::default(),
            Some("5.7.30"),
        ),
        (
            signed(""),
            OfDomain::default(),
            Server::BadCertificate,
            promises(),
            Some("5.7.10"),
        ),
        (
            signed(""),
            OfDomain::default(),
            Server::Stripped,
            promises(),
            Some("5.7.10"),
        ),
        // anybody could have written these MX records
        (
            unsigned(),
            OfDomain::default(),
            Server::GoodCertificate,
            promises(),
            Some("5.7.10"),
        ),
        // MTA-STS might, once its web server answers again
        (
            unsigned(),
            OfDomain {
                sts_unsure: true,
                ..OfDomain::default()
            },
            Server::GoodCertificate,
            promises(),
            Some("4.7.5"),
        ),
        // what is not now may be later
        (
            signed(""),
            OfDomain::default(),
            Server::Refused,
            promises(),
            Some("4.7.5"),
        ),
        // a mishap of the connection says nothing of the server
        (
            signed(""),
            OfDomain::default(),
            Server::Abort,
            promises(),
            Some("4.7.5"),
        ),
    ];
    for (zone, of, server, script, code) in table {
        let house = House::new().await;
        house.dns.replace(&zone).expect("a zone");
        *house.policies.of.lock() = of;
        let peer = server.at(&house, MX, script);
        house.start();
        let id = house
            .send_with(
                "alice@home.test",
                &["bob@there.test"],
                wanting(TlsWish::RequireTls),
                BODY,
            )
            .await;
        house
            .until(Duration::from_secs(1), async |house| {
                !house.attempts(id).await.is_empty()
            })
            .await;
        let attempt = house.attempts(id).await.remove(0);
        let taken = peer.taken.lock().clone();
        match code {
            None => assert!(taken[0].mail.contains(" REQUIRETLS") && taken[0].tls, "{taken:?}"),
            Some(code) => {
                assert_eq!(
                    (attempt.status.as_str(), taken.len()),
                    (code, 0),
                    "{server:?}: {attempt:?}"
                );
            }
        }
        if code.is_some_and(|code| code.starts_with('5')) {
            let inbox = house.inbox("alice@home.test").await;
            assert_eq!((attempt.result, inbox.len()), (AttemptResult::Failed, 1));
            assert!(inbox[0].contains("REQUIRETLS"), "it says why: {}", inbox[0]);
        }
    }
}

#[tokio::test]
async fn tls_12_requiretls_asks_every_exchanger_before_it_is_given_up() {
    let zone = "$security secure\nthere.test MX 10 one.there.test\nthere.test MX 20 mx.there.test\n\
                one.there.test A 192.0.2.26\nmx.there.test A 192.0.2.25\n";
    let house = House::new().await;
    house.dns.replace(zone).expect("a zone");
    let one = Server::GoodCertificate.at(&house, "192.0.2.26:25", Script::default());
    let other = Server::GoodCertificate.at(&house, MX, Script::default().offering("REQUIRETLS"));
    house.start();
    house
        .send_with(
            "alice@home.test",
            &["bob@there.test"],
            wanting(TlsWish::RequireTls),
            BODY,
        )
        .await;
    house.until_empty().await;
    assert_eq!((one.taken.lock().len(), other.taken.lock().len()), (0, 1));
}

#[tokio::test]
async fn tls_12_a_report_about_requiretls_mail_asks_for_it_where_it_is_offered_and_is_never_lost() {
    for (server, script, asks) in [
        (
            Server::GoodCertificate,
            Script::default().offering("REQUIRETLS"),
            true,
        ),
        (Server::GoodCertificate, Script::default(), false),
        // whoever promises it in the clear promises nothing
        (Server::Stripped, Script::default().offering("REQUIRETLS"), false),
    ] {
        let house = House::new().await;
        let peer = server.at(&house, MX, script);
        house.start();
        house
            .send_with("", &["bob@there.test"], wanting(TlsWish::RequireTls), BODY)
            .await;
        house.until_empty().await;
        let taken = peer.taken.lock().clone();
        assert_eq!(taken[0].mail.contains("REQUIRETLS"), asks, "{server:?}");
    }
}

#[tokio::test]
async fn tls_12_a_bounce_of_requiretls_mail_brings_back_its_header_alone_and_asks_for_the_same() {
    let zone = format!(
        "{}far.test MX 10 mx.far.test\nmx.far.test A 192.0.2.26\n",
        signed("")
    );
    let house = House::new().await;
    house.dns.replace(&zone).expect("a zone");
    Server::GoodCertificate.at(&house, MX, Script::default());
    let promises = Script::default().offering("REQUIRETLS");
    let back = Server::GoodCertificate.at(&house, "192.0.2.26:25", promises);
    house.start();
    let (envelope, params) = wanting(TlsWish::RequireTls);
    let envelope = EnvelopeParams {
        ret: Some(Ret::Full),
        ..envelope
    };
    house
        .send_with("sender@far.test", &["bob@there.test"], (envelope, params), BODY)
        .await;
    house.until_empty().await;
    let taken = back.taken.lock().clone();
    assert_eq!(
        taken[0].mail.split(' ').next_back(),
        Some("REQUIRETLS"),
        "{taken:?}"
    );
    let text = String::from_utf8_lossy(&taken[0].text).into_owned();
    assert!(
        text.contains("Subject: hello") && !text.contains("a line with a dot"),
        "{text}"
    );
    assert!(text.contains("5.7.30"), "{text}");
}

#[tokio::test]
async fn tls_4_an_open_connection_is_held_to_the_rule_of_the_next_message() {
    let house = House::with(Settings {
        connections_per_destination: 1,
        ..Settings::new("mail.home.test")
    })
    .await;
    let peer = Server::Stripped.at(&house, MX, Script::default());
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    assert_eq!(
        (peer.taken.lock().len(), peer.connections()),
        (2, 1),
        "it was reused"
    );
    // The domain is put on the list while the connection is open.
    *house.policies.of.lock() = required(Required::Encrypted, true);
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    assert_eq!(peer.taken.lock().len(), 2);
    assert!(
        house.waiting().await[0]
            .2
            .contains("list of domains that must have TLS")
    );
}

#[tokio::test]
async fn tls_12_what_one_message_does_without_is_no_example_for_others() {
    let house = House::new().await;
    house.dns.replace(&signed("TLSA 3 1 1 HASH")).expect("a zone");
    let peer = Server::WrongKey.at(&house, MX, Script::default());
    assert!(one_attempt(&house, &peer, TlsWish::NotRequired).await);
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    assert_eq!(peer.taken.lock().len(), 1, "the next one is held to DANE");
}

#[tokio::test]
async fn tls_4_a_connection_that_is_less_than_its_rule_is_refused_before_auth_and_mail() {
    let dane = Demand::Dane {
        records: Vec::new().into(),
        names: vec!["mx.there.test".to_owned()].into(),
    };
    let table = [
        (Begin::Never, Demand::Clear, Server::GoodCertificate, true),
        (Begin::Never, Demand::Opportunistic, Server::GoodCertificate, true),
        (Begin::Never, Demand::Encrypted, Server::GoodCertificate, false),
        (Begin::Never, Demand::WebPki, Server::GoodCertificate, false),
        (Begin::Never, dane, Server::RightKey, false),
        (Begin::StartTls, Demand::WebPki, Server::GoodCertificate, true),
        (
            Begin::StartTls,
            Demand::Refuse(Refusal::Later),
            Server::GoodCertificate,
            false,
        ),
    ];
    for (begin, demand, server, opens) in table {
        let house = House::new().await;
        let peer = server.at(&house, MX, Script::default().offering("AUTH PLAIN"));
        let doors = Doors {
            network: house.network.clone(),
            tls: house.tls.clone(),
            clock: house.clock.door(),
        };
        let target = Target {
            host: "mx.there.test".to_owned(),
            address: MX.parse().expect("an address"),
            patience: Duration::from_secs(60),
            source: None,
            hello: ClientName::new("mail.home.test").expect("a name"),
            begin,
            rule: Rule {
                demand: demand.clone(),
                reason: Reason::Route,
            },
            wish: Wish::Nothing,
            login: (begin == Begin::StartTls).then(|| Login {
                user: "alice".to_owned(),
                password: "secret".to_owned(),
            }),
            ours: Vec::new(),
        };
        let mut notes = Notes::begin(&target.host, MX.to_owned(), &*doors.clock);
        let opened = connect::open(&doors, &target, &mut notes, &Pulse::default()).await;
        assert_eq!(opened.is_ok(), opens, "{begin:?} {demand:?}");
        let Err(not_open) = opened else { continue };
        let text = format!("{not_open:?}");
        assert!(
            text.contains("the connection is less than what was asked for"),
            "{text}"
        );
        let commands = peer.commands.lock().clone();
        let sent = |verb: &str| commands.iter().any(|line| line.starts_with(verb));
        assert!(sent("EHLO") && !sent("AUTH") && !sent("MAIL"), "{commands:?}");
    }
}

#[tokio::test]
async fn tls_12_a_message_that_is_encoded_anew_in_seven_bits_asks_for_requiretls_as_before() {
    let eight = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: 8bit\r\n\r\ngr\u{fc}n\r\n";
    let seven = Script::default().without("8BITMIME");
    for (script, promised) in [(seven.clone().offering("REQUIRETLS"), true), (seven, false)] {
        let house = House::new().await;
        house.dns.replace(&signed("")).expect("a zone");
        let peer = Server::GoodCertificate.at(&house, MX, script);
        house.start();
        let wish = wanting(TlsWish::RequireTls);
        let id = house
            .send_with("alice@home.test", &["bob@there.test"], wish, eight.as_bytes())
            .await;
        house.until_empty().await;
        let taken = peer.taken.lock().clone();
        if promised {
            let one = &taken[0];
            assert!(
                one.tls && one.text.is_ascii() && !one.mail.contains("BODY="),
                "{one:?}"
            );
            assert!(one.mail.contains(" REQUIRETLS"), "{}", one.mail);
        } else {
            let status = house.attempts(id).await.remove(0).status;
            assert_eq!((taken.len(), status.as_str()), (0, "5.7.30"));
        }
    }
}
