//! Threat case TLS-5: what a policy server can do to us, over simulated names, wires and TLS.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::clock::TokioClock;
use testkit::dns::SimDns;
use testkit::events::CollectEvents;
use testkit::net::{Fault, SimNetwork};
use testkit::tls::{Answer as TlsAnswer, SimTlsClient, SimTlsServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::advance;
use world::clock::{Clock as _, UnixMs};
use world::net::{BoxWire, CertificateFault, CertificateFaultKind, Listener as _, TlsServer as _};

use super::super::policy::{ListedBy, Refusal, Rule, StsHost};
use super::super::settings::Settings;
use super::super::shelf::tests::MemoryShelf;
use super::*;
use crate::limits::{STS_AWAITED, STS_NO_PLACE};

const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 80)), 443);
const ZONE: &str = "
_mta-sts.there.test TXT \"v=STSv1; id=1;\"
mta-sts.there.test A 192.0.2.80
";
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: *.there.test\nmax_age: 864000\n";
const DAY: Duration = Duration::from_secs(86_400);

/// What the web server does.
#[derive(Clone)]
enum Web {
    Says(Vec<u8>),
    Silent,
    Drips,
}

struct House {
    dns: Arc<SimDns>,
    network: Arc<SimNetwork>,
    tls: Arc<SimTlsServer>,
    web: Arc<Mutex<Web>>,
    asked: Arc<Mutex<Vec<String>>>,
    events: Arc<CollectEvents>,
    shelf: Arc<MemoryShelf>,
    clock: Arc<TokioClock>,
    keeper: Arc<Keeper>,
}

fn says(status: &str, header: &str, body: &[u8]) -> Web {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\n\r\n");
    Web::Says([head.as_bytes(), body].concat())
}

fn good(policy: &str) -> Web {
    says("200 OK", "Content-Type: text/plain\r\n", policy.as_bytes())
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(TokioClock::new());
        let dns = Arc::new(SimDns::new(clock.clone(), ZONE).unwrap());
        let network = Arc::new(SimNetwork::new());
        let (events, shelf) = (Arc::new(CollectEvents::new()), MemoryShelf::new());
        let tls = SimTlsServer::new(TlsAnswer::Good);
        let (web, asked) = (
            Arc::new(Mutex::new(good(POLICY))),
            Arc::new(Mutex::new(Vec::new())),
        );
        tokio::spawn(serve(
            network.listen(WEB),
            tls.clone(),
            web.clone(),
            asked.clone(),
        ));
        let mut house = Self {
            keeper: Keeper::new(
                Book::open(shelf.clone(), clock.clone(), events.clone(), Settings::default()).unwrap(),
                Doors {
                    dns: dns.clone(),
                    network: network.clone(),
                    tls: SimTlsClient::new(),
                    clock: clock.clone(),
                },
                |address| !matches!(address, IpAddr::V4(four) if four.is_private()),
            ),
            dns,
            network,
            tls,
            web,
            asked,
            events,
            shelf,
            clock,
        };
        house.start_anew();
        house
    }

    /// Another process with what is on the shelf.
    fn start_anew(&mut self) {
        let doors = self.keeper.doors.clone();
        let book = Book::open(
            self.shelf.clone(),
            self.clock.clone(),
            self.events.clone(),
            self.keeper.book.settings(),
        );
        self.keeper = Keeper::new(book.unwrap(), doors, self.keeper.is_public);
    }

    async fn sts(&self) -> Sts {
        let hosts = ["mx.there.test".to_owned()];
        self.keeper.of("there.test", &hosts).await.remove(0).sts
    }

    fn fetches(&self) -> usize {
        self.asked.lock().len()
    }

    fn trouble(&self) -> Option<Trouble> {
        self.keeper
            .book
            .with_policy("there.test", |known, _| known.trouble.clone())
    }
}

async fn serve(
    listener: testkit::net::SimListener,
    tls: Arc<SimTlsServer>,
    web: Arc<Mutex<Web>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((wire, _)) = listener.accept().await {
        let (tls, web, asked) = (tls.clone(), web.clone(), asked.clone());
        tokio::spawn(async move {
            if let Ok((wire, facts)) = tls.accept(wire).await {
                answer(wire, facts.sni.unwrap_or_default(), &web, &asked).await;
            }
        });
    }
}

async fn answer(mut wire: BoxWire, sni: String, web: &Mutex<Web>, asked: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(wire.read_u8().await.unwrap());
    }
    asked
        .lock()
        .push(format!("{sni} {}", String::from_utf8_lossy(&request)));
    let does = web.lock().clone();
    match does {
        Web::Says(octets) => {
            let _ = wire.write_all(&octets).await;
            let _ = wire.flush().await;
        }
        Web::Silent => std::future::pending().await,
        Web::Drips => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n";
            let _ = wire.write_all(head).await;
            while wire.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_enforced(sts: &Sts) -> bool {
    matches!(sts, Sts::Enforce(host) if host.fits)
}

#[tokio::test(start_paused = true)]
async fn tls_5_a_policy_is_found_before_the_first_message_and_asked_for_once() {
    let house = House::new();
    assert!(is_enforced(&house.sts().await));
    assert!(is_enforced(&house.sts().await));
    let asked = house.asked.lock().clone();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].starts_with("mta-sts.there.test GET /.well-known/mta-sts.txt HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    assert!(asked[0].contains("host: mta-sts.there.test\r\n"), "{}", asked[0]);
    let other = [
        "mx.there.test".to_owned(),
        "mx.evil.test".to_owned(),
        "a.mx.there.test".to_owned(),
    ];
    let told = house.keeper.of("there.test", &other).await;
    let fit: Vec<bool> = told.iter().map(|one| is_enforced(&one.sts)).collect();
    assert_eq!(fit, [true, false, false]);
    assert_eq!(house.events.names(), ["tls.policy-found"]);
}

#[tokio::test(start_paused = true)]
async fn tls_5_no_answer_but_a_plain_policy_makes_one() {
    let plain = "Content-Type: text/plain\r\n";
    let long = format!("{POLICY}x: {}\n", "y".repeat(65 * 1024));
    let chunked = |body: &str| {
        Web::Says(format!("HTTP/1.1 200 OK\r\n{plain}Transfer-Encoding: chunked\r\n\r\n{body}").into_bytes())
    };
    let many_fields = format!("{plain}{}", "X-A: b\r\n".repeat(101));
    let table = [
        (
            says(
                "301 Moved",
                "Location: https://mta-sts.there.test/x\r\nContent-Type: text/plain\r\n",
                POLICY.as_bytes(),
            ),
            ResultType::StsPolicyFetchError,
            "status 301",
        ),
        (
            says("404 Not Found", plain, POLICY.as_bytes()),
            ResultType::StsPolicyFetchError,
            "status 404",
        ),
        (
            says("204 No Content", plain, b""),
            ResultType::StsPolicyFetchError,
            "status 204",
        ),
        (
            says("200 OK", "Content-Type: text/html\r\n", POLICY.as_bytes()),
            ResultType::StsPolicyInvalid,
            "text/html",
        ),
        (
            says("200 OK", "", POLICY.as_bytes()),
            ResultType::StsPolicyInvalid,
            "not text/plain",
        ),
        (
            says("200 OK", plain, long.as_bytes()),
            ResultType::StsPolicyInvalid,
            "64 KiB",
        ),
        (
            chunked(&format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len())),
            ResultType::StsPolicyInvalid,
            "64 KiB",
        ),
        (
            chunked("5\r\nversi"),
            ResultType::StsPolicyFetchError,
            "cannot be read",
        ),
        (
            says("200 OK", &many_fields, POLICY.as_bytes()),
            ResultType::StsPolicyFetchError,
            "cannot be read",
        ),
        (
            says("200 OK", plain, b"<html>"),
            ResultType::StsPolicyInvalid,
            "no field",
        ),
        (
            Web::Says(b"version: STSv1\n".to_vec()),
            ResultType::StsPolicyFetchError,
            "cannot be read",
        ),
        (
            Web::Says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec()),
            ResultType::StsPolicyFetchError,
            "cannot be read",
        ),
        (Web::Silent, ResultType::StsPolicyFetchError, "within a minute"),
        (Web::Drips, ResultType::StsPolicyFetchError, "within a minute"),
    ];
    for (web, result, why) in table {
        let house = House::new();
        *house.web.lock() = web;
        assert_eq!(house.sts().await, Sts::None, "{why}");
        let trouble = house.trouble().unwrap();
        assert_eq!(trouble.result, result, "{why}: {}", trouble.why);
        assert!(trouble.why.contains(why), "{}", trouble.why);
        assert!(house.clock.monotonic().0 <= Duration::from_secs(60), "{why}");
        assert_eq!(house.fetches(), 1, "nothing was followed: {why}");
        assert_eq!(house.sts().await, Sts::None);
        assert!(house.keeper.book.is_unsure("there.test"), "{why}");
        assert_eq!(house.fetches(), 1, "not at once again");
        assert_eq!(house.events.names(), ["tls.policy-missing"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_real_servers_send_is_taken() {
    for (header, body) in [
        ("content-type: Text/Plain; charset=utf-8\r\n", POLICY.to_owned()),
        ("Content-Type: text/plain\r\n", POLICY.replace('\n', "\r\n")),
    ] {
        let house = House::new();
        *house.web.lock() = says("200 OK", header, body.as_bytes());
        assert!(is_enforced(&house.sts().await), "{header}");
    }
    let house = House::new();
    let chunks: String = POLICY
        .as_bytes()
        .chunks(9)
        .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
        .collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    *house.web.lock() = Web::Says(format!("{head}{chunks}0\r\n\r\n").into_bytes());
    assert!(is_enforced(&house.sts().await));
}

#[tokio::test(start_paused = true)]
async fn tls_5_only_a_certificate_for_the_name_at_an_address_of_the_internet_will_do() {
    let house = House::new();
    house.tls.set(TlsAnswer::Unverified(
        "the certificate is for other.test, not for mta-sts.there.test".to_owned(),
    ));
    assert_eq!(house.sts().await, Sts::None);
    assert_eq!(
        house.trouble().map(|trouble| trouble.result),
        Some(ResultType::StsWebpkiInvalid)
    );
    assert_eq!(house.fetches(), 0, "nothing was asked");
    for (zone, why) in [
        ("mta-sts.there.test A 10.0.0.1", "10.0.0.1"),
        ("mta-sts.there.test !servfail", "ServFail"),
        ("other.test A 192.0.2.80", "no address"),
    ] {
        let house = House::new();
        house
            .dns
            .replace(&format!("_mta-sts.there.test TXT \"v=STSv1; id=1;\"\n{zone}"))
            .unwrap();
        assert_eq!(house.sts().await, Sts::None, "{why}");
        assert!(house.trouble().unwrap().why.contains(why), "{why}");
        assert_eq!(house.network.tried(), [], "{why}");
    }
    for fault in [Fault::Refused, Fault::BlackHole, Fault::Reset] {
        let house = House::new();
        house.network.break_at(WEB, fault);
        assert_eq!(house.sts().await, Sts::None, "{fault:?}");
        assert_eq!(
            house.trouble().map(|trouble| trouble.result),
            Some(ResultType::StsPolicyFetchError)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tls_5_several_records_or_none_are_no_policy() {
    for zone in [
        "",
        "_mta-sts.there.test TXT \"v=STSv1; id=1;\"\n_mta-sts.there.test TXT \"v=STSv1; id=2;\"",
        "_mta-sts.there.test TXT \"v=STSv1; id=?;\"",
        "_mta-sts.there.test !timeout",
    ] {
        let house = House::new();
        house
            .dns
            .replace(&format!("{zone}\nmta-sts.there.test A 192.0.2.80"))
            .unwrap();
        assert_eq!(house.sts().await, Sts::None, "{zone}");
        assert_eq!((house.fetches(), house.trouble()), (0, None), "{zone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_silent_on_the_record_holds_up_one_message_a_minute() {
    let house = House::new();
    house
        .dns
        .replace("_mta-sts.there.test !delay 12s\n_mta-sts.there.test !timeout")
        .unwrap();
    let began = house.clock.monotonic().0;
    for _ in 0..5 {
        assert_eq!(house.sts().await, Sts::None);
    }
    assert!(house.keeper.book.is_unsure("there.test"));
    assert_eq!((house.clock.monotonic().0 - began).as_secs(), 12);
    assert_eq!(house.dns.asked().len(), 1);
    advance(Duration::from_secs(60)).await;
    house.dns.replace(ZONE).unwrap();
    assert!(is_enforced(&house.sts().await));
}

#[tokio::test(start_paused = true)]
async fn tls_5_a_kept_policy_outlives_blocked_dns_blocked_https_and_a_restart_until_its_age() {
    let mut house = House::new();
    assert!(is_enforced(&house.sts().await));
    house.keeper.book.save();
    for zone in [
        "_mta-sts.there.test !timeout",
        "",
        "_mta-sts.there.test TXT \"v=STSv1; id=2;\"",
    ] {
        advance(DAY).await;
        house.dns.replace(zone).unwrap();
        house.network.break_at(WEB, Fault::BlackHole);
        assert!(is_enforced(&house.sts().await), "{zone}");
        house.start_anew();
        assert!(is_enforced(&house.sts().await), "{zone}, after a restart");
    }
    advance(DAY * 7).await;
    assert_eq!(house.sts().await, Sts::None, "ten days are over");
}

#[tokio::test(start_paused = true)]
async fn tls_5_another_id_is_fetched_and_another_mode_counts() {
    let house = House::new();
    assert!(is_enforced(&house.sts().await));
    *house.web.lock() = good(&POLICY.replace("enforce", "testing"));
    advance(Duration::from_secs(599)).await;
    assert!(is_enforced(&house.sts().await));
    house.dns.replace(&ZONE.replace("id=1", "id=2")).unwrap();
    advance(Duration::from_secs(1)).await;
    let Sts::Testing(StsHost { fits: true, id, .. }) = house.sts().await else {
        panic!("it is testing now");
    };
    assert_eq!((id.as_str(), house.fetches()), ("2", 2));
    *house.web.lock() = good("version: STSv1\nmode: none\nmax_age: 86400\n");
    house.dns.replace(&ZONE.replace("id=1", "id=3")).unwrap();
    advance(Duration::from_secs(600)).await;
    assert_eq!((house.sts().await, house.fetches()), (Sts::None, 3));
    assert_eq!(
        (house.sts().await, house.fetches()),
        (Sts::None, 3),
        "that policy is remembered, too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_use_is_fetched_anew_every_day_and_written_down() {
    let house = House::new();
    assert!(is_enforced(&house.sts().await));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(house.keeper.clone().run(stopped));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(house.shelf.files.lock().contains_key("policies.json"));
    for day in 1..=20 {
        tokio::time::sleep(DAY).await;
        assert!(
            house.fetches() >= day,
            "{} fetches in {day} days",
            house.fetches()
        );
    }
    house.network.break_at(WEB, Fault::BlackHole);
    tokio::time::sleep(DAY * 9).await;
    assert!(matches!(
        house.keeper.book.sts("there.test", "mx.there.test"),
        Sts::Enforce(_)
    ));
    stop.send_replace(true);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_web_server_delays_neither_what_is_written_nor_mail_under_a_policy_that_counts() {
    let house = House::new();
    assert!(is_enforced(&house.sts().await));
    advance(DAY).await;
    *house.web.lock() = Web::Silent;
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(house.keeper.clone().run(stopped));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(house.fetches(), 2, "it is being fetched anew");
    let began = house.clock.monotonic().0;
    assert!(is_enforced(&house.sts().await));
    assert_eq!(house.clock.monotonic().0, began, "the message did not wait");
    house.keeper.book.with_policy("other.test", |known, now| {
        known.failed("no".to_owned(), ResultType::StsPolicyFetchError, now);
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    let written = house.shelf.files.lock()["policies.json"].clone();
    assert!(String::from_utf8_lossy(&written).contains("other.test"));
    stop.send_replace(true);
    let began = house.clock.monotonic().0;
    running.await.unwrap();
    assert_eq!(
        house.clock.monotonic().0,
        began,
        "and stopping does not wait either"
    );
}

#[tokio::test(start_paused = true)]
async fn q_7_web_servers_that_take_their_time_keep_no_place_from_others() {
    let house = House::new();
    // Each holds a place for 10 s, and a slow one for 30 s more: four addresses that do not answer.
    let addresses = ["192.0.2.81", "192.0.2.82", "192.0.2.83", "192.0.2.84"];
    let strangers = STS_FETCHES + STS_SLOW_FETCHES;
    let mut zone = ZONE.to_owned();
    for number in 0..strangers {
        zone += &format!("_mta-sts.d{number}.test TXT \"v=STSv1; id=1;\"\n");
        for address in addresses {
            zone += &format!("mta-sts.d{number}.test A {address}\n");
        }
    }
    house.dns.replace(&zone).unwrap();
    for address in addresses {
        let address = SocketAddr::new(address.parse().unwrap(), 443);
        house.network.break_at(address, Fault::BlackHole);
    }
    let began = house.clock.monotonic().0;
    for number in 0..strangers {
        let keeper = house.keeper.clone();
        tokio::spawn(async move { keeper.of(&format!("d{number}.test"), &["mx".to_owned()]).await });
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(is_enforced(&house.sts().await));
    let waited = house.clock.monotonic().0 - began;
    assert!(waited < STS_PLACE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn tls_5_a_fetch_that_finds_no_place_is_no_failure_of_the_domain_and_its_first_mail_waits() {
    let house = House::new();
    let taken = house
        .keeper
        .places
        .acquire_many(u32::try_from(STS_FETCHES).unwrap())
        .await;
    let began = house.clock.monotonic().0;
    let hosts = ["mx.there.test".to_owned()];
    for _ in 0..3 {
        let told = house.keeper.of("there.test", &hosts).await.remove(0);
        assert_eq!((told.sts, told.sts_unsure), (Sts::Awaited, true));
    }
    assert_eq!(house.clock.monotonic().0 - began, STS_PLACE, "one of them waited");
    assert_eq!((house.trouble(), house.events.names().len()), (None, 0));
    let refused = Demand::Refuse(Refusal::Later);
    house.keeper.attempted(&attempt(
        PolicyKind::NoPolicy,
        Reason::StsAwaited,
        refused,
        stripped(false),
    ));
    let evidence = house.keeper.book.evidence(house.keeper.book.today()).unwrap();
    assert!(evidence.is_empty(), "nothing was tried");
    advance(STS_NO_PLACE).await;
    drop(taken);
    assert!(is_enforced(&house.sts().await));
}

#[tokio::test(start_paused = true)]
async fn tls_5_a_slow_fetch_that_is_broken_off_for_others_is_no_failure_of_the_domain() {
    let house = House::new();
    *house.web.lock() = Web::Silent;
    let taken = house
        .keeper
        .slow_places
        .acquire_many(u32::try_from(STS_SLOW_FETCHES).unwrap())
        .await;
    let began = house.clock.monotonic().0;
    assert_eq!(house.sts().await, Sts::Awaited);
    assert_eq!(house.clock.monotonic().0 - began, STS_QUICK);
    assert_eq!(house.trouble(), None);
    drop(taken);
    advance(STS_NO_PLACE).await;
    assert_eq!(house.sts().await, Sts::None);
    assert!(
        house.trouble().unwrap().why.contains("within a minute"),
        "now it is"
    );
}

#[tokio::test(start_paused = true)]
async fn tls_5_first_mail_waits_for_a_place_for_an_hour_and_a_policy_that_counts_waits_for_none() {
    let house = House::new();
    assert!(is_enforced(&house.sts().await));
    let _taken = house
        .keeper
        .places
        .acquire_many(u32::try_from(STS_FETCHES).unwrap())
        .await;
    house
        .dns
        .replace(&ZONE.replace("id=1", "id=2").replace("there", "new"))
        .unwrap();
    let began = house.clock.monotonic().0;
    let of_new = || async {
        house
            .keeper
            .of("new.test", &["mx.new.test".to_owned()])
            .await
            .remove(0)
    };
    while house.clock.monotonic().0 - began < STS_AWAITED {
        assert_eq!(of_new().await.sts, Sts::Awaited);
        advance(Duration::from_secs(300)).await;
    }
    let told = of_new().await;
    assert_eq!(
        (told.sts, told.sts_unsure),
        (Sts::None, true),
        "as if there were none"
    );
    assert!(is_enforced(&house.sts().await), "the old one counts all the time");
}

#[tokio::test(start_paused = true)]
async fn q_7_mail_under_a_policy_proves_it() {
    let house = House::new();
    house.sts().await;
    let proved = || {
        house
            .keeper
            .book
            .with_policy("there.test", |known, _| known.proved_days)
    };
    let sts = |went| attempt(PolicyKind::Sts, Reason::Sts, Demand::WebPki, went);
    house.keeper.attempted(&sts(stripped(false)));
    house
        .keeper
        .attempted(&sts(unverified(CertificateFaultKind::Expired)));
    let by_list = Reason::Listed(ListedBy::Operator);
    house.keeper.attempted(&attempt(
        PolicyKind::NoPolicy,
        by_list,
        Demand::WebPki,
        verified(),
    ));
    assert_eq!(proved(), 0);
    house.keeper.book.save_policies();
    house.keeper.attempted(&sts(verified()));
    assert_eq!(proved(), 1);
    assert!(
        !house.keeper.book.has_other_policies(),
        "it need not be written at once"
    );
}

#[tokio::test(start_paused = true)]
async fn tls_5_a_record_that_comes_and_goes_is_not_fetched_for_every_message() {
    let house = House::new();
    *house.web.lock() = says("404 Not Found", "Content-Type: text/plain\r\n", b"");
    let other = ZONE.replace("id=1", "id=2");
    for minute in 0..60 {
        let zone = ["", ZONE, &other][minute % 3];
        house
            .dns
            .replace(&format!("mta-sts.there.test A 192.0.2.80\n{zone}"))
            .unwrap();
        assert_eq!(house.sts().await, Sts::None);
        assert_eq!(
            house.keeper.book.is_unsure("there.test"),
            minute % 3 != 0 && minute > 0
        );
        advance(Duration::from_secs(60)).await;
    }
    assert_eq!(house.fetches(), 4, "after 5, 10 and 20 minutes again");
}

#[tokio::test(start_paused = true)]
async fn deliveries_at_the_same_time_fetch_once() {
    let house = House::new();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let keeper = house.keeper.clone();
            tokio::spawn(async move { keeper.of("there.test", &["mx.there.test".to_owned()]).await })
        })
        .collect();
    for one in all {
        assert!(is_enforced(&one.await.unwrap()[0].sts));
    }
    assert_eq!(house.fetches(), 1);
    assert!(house.keeper.turns.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn switched_off_nothing_is_asked() {
    let house = House::new();
    house.keeper.book.set(Settings {
        mta_sts: false,
        ..Settings::default()
    });
    assert_eq!(house.sts().await, Sts::None);
    assert_eq!((house.dns.asked().len(), house.fetches()), (0, 0));
}

fn attempt(kind: PolicyKind, reason: Reason, demand: Demand, went: Went) -> TlsAttempt {
    TlsAttempt {
        at: UnixMs(0),
        domain: "there.test".to_owned(),
        kind,
        policy_domain: "there.test".to_owned(),
        mx_host: "mx.there.test".to_owned(),
        mx_address: Some([192, 0, 2, 25].into()),
        our_address: None,
        rule: Rule { demand, reason },
        went,
    }
}

fn verified() -> Went {
    Went::Secured { verified: Ok(()) }
}

fn unverified(kind: CertificateFaultKind) -> Went {
    let text = "words".to_owned();
    Went::Secured {
        verified: Err(CertificateFault { kind, text }),
    }
}

fn stripped(clear: bool) -> Went {
    let (result, text) = (ResultType::StarttlsNotSupported, "words".to_owned());
    Went::Failed { result, text, clear }
}

#[test]
fn what_counts_as_failed_depends_on_the_policy() {
    use CertificateFaultKind::{Expired, NotTrusted};
    let host = |fits| StsHost {
        fits,
        id: "1".to_owned(),
        patterns: Arc::from([]),
    };
    let (none, testing, other) = (Sts::None, Sts::Testing(host(true)), Sts::Testing(host(false)));
    let trouble = Trouble {
        failures: 1,
        at: 0,
        why: "no".to_owned(),
        result: ResultType::StsWebpkiInvalid,
    };
    let dane = || Demand::Dane {
        records: Arc::from([]),
        names: Arc::from([]),
    };
    for (kind, demand, went, sts, trouble, expected) in [
        (
            PolicyKind::NoPolicy,
            Demand::Opportunistic,
            verified(),
            &none,
            None,
            (PolicyKind::NoPolicy, None, Grade::Verified),
        ),
        (
            PolicyKind::NoPolicy,
            Demand::Opportunistic,
            unverified(Expired),
            &none,
            None,
            (PolicyKind::NoPolicy, None, Grade::Encrypted),
        ),
        (
            PolicyKind::NoPolicy,
            Demand::Opportunistic,
            stripped(true),
            &none,
            None,
            (
                PolicyKind::NoPolicy,
                Some(ResultType::StarttlsNotSupported),
                Grade::Clear,
            ),
        ),
        (
            PolicyKind::NoPolicy,
            Demand::WebPki,
            stripped(false),
            &none,
            None,
            (
                PolicyKind::NoPolicy,
                Some(ResultType::StarttlsNotSupported),
                Grade::Refused,
            ),
        ),
        (
            PolicyKind::NoPolicy,
            Demand::Opportunistic,
            verified(),
            &none,
            Some(&trouble),
            (
                PolicyKind::Sts,
                Some(ResultType::StsWebpkiInvalid),
                Grade::Verified,
            ),
        ),
        (
            PolicyKind::Sts,
            Demand::Opportunistic,
            verified(),
            &testing,
            None,
            (PolicyKind::Sts, None, Grade::Verified),
        ),
        (
            PolicyKind::Sts,
            Demand::Opportunistic,
            verified(),
            &other,
            None,
            (
                PolicyKind::Sts,
                Some(ResultType::StsPolicyInvalid),
                Grade::Verified,
            ),
        ),
        (
            PolicyKind::Sts,
            Demand::Opportunistic,
            unverified(NotTrusted),
            &testing,
            None,
            (
                PolicyKind::Sts,
                Some(ResultType::CertificateNotTrusted),
                Grade::Encrypted,
            ),
        ),
        (
            PolicyKind::Sts,
            Demand::Opportunistic,
            stripped(true),
            &testing,
            None,
            (
                PolicyKind::Sts,
                Some(ResultType::StarttlsNotSupported),
                Grade::Clear,
            ),
        ),
        (
            PolicyKind::Tlsa,
            dane(),
            unverified(NotTrusted),
            &none,
            None,
            (PolicyKind::Tlsa, None, Grade::Verified),
        ),
        (
            PolicyKind::Tlsa,
            Demand::Encrypted,
            unverified(NotTrusted),
            &none,
            None,
            (PolicyKind::Tlsa, None, Grade::Encrypted),
        ),
    ] {
        let attempt = attempt(kind, Reason::Nobody, demand, went);
        let session = session_of(&attempt, sts, trouble);
        assert_eq!(
            (session.kind, session.result, session.grade),
            expected,
            "{attempt:?}"
        );
    }
}

#[test]
fn lessons_are_learned_from_what_a_domain_does_by_itself() {
    let listed = Reason::Listed(ListedBy::Operator);
    let bad = || Lesson::Bad("words".to_owned());
    for (kind, reason, went, expected) in [
        (PolicyKind::NoPolicy, Reason::Nobody, verified(), Lesson::Good),
        (PolicyKind::NoPolicy, Reason::Nobody, stripped(true), bad()),
        (
            PolicyKind::NoPolicy,
            Reason::Nobody,
            unverified(CertificateFaultKind::Expired),
            bad(),
        ),
        (PolicyKind::NoPolicy, listed, stripped(false), bad()),
        (PolicyKind::NoPolicy, Reason::NotRequired, stripped(true), bad()),
        (PolicyKind::Sts, Reason::Sts, verified(), Lesson::Good),
        (PolicyKind::Sts, Reason::Sts, stripped(false), Lesson::None),
        (PolicyKind::Sts, Reason::StsHost, stripped(false), Lesson::None),
        (PolicyKind::NoPolicy, Reason::Route, verified(), Lesson::None),
        (PolicyKind::Tlsa, Reason::Dane, verified(), Lesson::None),
        (PolicyKind::Tlsa, Reason::RequireTls, verified(), Lesson::None),
    ] {
        let attempt = attempt(kind, reason, Demand::Refuse(Refusal::Later), went);
        assert_eq!(lesson(&attempt), expected, "{attempt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_under_the_policy_that_was_in_force() {
    let house = House::new();
    house.sts().await;
    house.keeper.attempted(&attempt(
        PolicyKind::Sts,
        Reason::Sts,
        Demand::WebPki,
        stripped(false),
    ));
    house
        .keeper
        .attempted(&attempt(PolicyKind::Sts, Reason::Sts, Demand::WebPki, verified()));
    let evidence = house.keeper.book.evidence(house.keeper.book.today()).unwrap();
    assert_eq!(evidence.of("there.test").count(), 2);
    assert_eq!(
        evidence.terms(PolicyKind::Sts, "there.test").hosts,
        ["*.there.test"]
    );
    assert_eq!(
        house
            .keeper
            .book
            .told("there.test")
            .seen
            .map(|seen| seen.good_sessions),
        Some(1)
    );
}
