//! Peers, networks, clocks and operators that make trouble.

mod house;

use std::sync::Arc;
use std::time::Duration;

use deliver::Settings;
use deliver::settings::{Applies, Fallback, Login, Ours, Road, Rule, Smarthost, SmarthostTls, Way};
use house::peer::{Peer, Script};
use house::{BODY, House, MX, ZONE};
use mail::address::Domain;
use queue::attempt::AttemptResult;
use queue::params::{EnvelopeParams, Notify, RecipientParams, Ret, When};
use store::contract::{Batch, Op, Store};
use testkit::net::Fault;
use testkit::tls::{Answer, SimTlsServer};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn q_5_a_handshake_that_fails_leads_to_a_new_connection_in_the_clear() {
    for answer in [Answer::Abort, Answer::Garbage, Answer::Silent] {
        let house = House::new().await;
        let tls = SimTlsServer::new(answer.clone());
        let script = Script::default().offering("STARTTLS");
        let peer = Peer::at(&house.network, MX, script, Some(tls));
        house.start();
        let id = house.send(&["bob@there.test"]).await;
        house
            .until(Duration::from_secs(1), async |house| {
                house.waiting().await.is_empty()
            })
            .await;
        let taken = peer.taken.lock().clone();
        assert_eq!((taken.len(), taken[0].tls), (1, false), "{answer:?}");
        assert_eq!(
            (taken[0].connection, peer.connections()),
            (2, 2),
            "never on the same one"
        );
        let talks = &house.attempts(id).await[0].talks;
        assert!(talks[0].trouble.contains("TLS handshake"), "{talks:?}");
        assert_eq!(talks[1].tls, None);
    }
}

#[tokio::test]
async fn q_5_any_certificate_will_do_and_what_is_wrong_with_it_is_kept() {
    for (answer, verified) in [
        (Answer::Good, true),
        (Answer::Unverified("expired".to_owned()), false),
    ] {
        let house = House::new().await;
        let script = Script::default().offering("STARTTLS");
        let peer = Peer::at(&house.network, MX, script, Some(SimTlsServer::new(answer)));
        house.start();
        let id = house.send(&["bob@there.test"]).await;
        house.until_empty().await;
        assert!(peer.taken.lock()[0].tls);
        let attempts = house.attempts(id).await;
        let tls = attempts[0].talks[0].tls.clone().expect("TLS facts");
        assert_eq!((tls.version.as_str(), tls.verified), ("TLSv1.3", verified));
        assert_eq!(tls.unverified_because.is_empty(), verified);
    }
}

/// All mail goes by relay.test.
fn by_smarthost(tls: SmarthostTls, login: bool, fallback: Option<u32>) -> Settings {
    let login = login.then(|| Login {
        user: "alice".to_owned(),
        password: "secret".to_owned(),
    });
    Settings {
        routes: vec![Rule {
            name: "relay".to_owned(),
            applies: Applies::Everything,
            way: Way::Smarthost(Arc::new(Smarthost {
                name: "relay".to_owned(),
                host: Domain::parse("relay.test").expect("a domain"),
                port: 587,
                tls,
                login,
            })),
            fallback: fallback.map(|after_attempts| Fallback {
                to: "mx".to_owned(),
                after_attempts,
            }),
        }],
        ..Settings::new("mail.home.test")
    }
}

#[tokio::test]
async fn a_smarthost_takes_everything_after_a_sign_in_under_verified_tls() {
    let house = House::with(by_smarthost(SmarthostTls::StartTls, true, None)).await;
    let script = Script::default().offering("STARTTLS").offering("AUTH PLAIN");
    let tls = Some(SimTlsServer::new(Answer::Good));
    let relay = Peer::at(&house.network, "192.0.2.40:587", script, tls);
    house.start();
    house.send(&["bob@there.test", "carol@two.test"]).await;
    house.until_empty().await;
    assert_eq!(relay.taken.lock().len(), 1, "one transaction for both domains");
    assert!(relay.taken.lock()[0].tls);
    let auth = relay
        .commands
        .lock()
        .iter()
        .filter(|line| line.starts_with("AUTH"))
        .count();
    assert_eq!(auth, relay.connections());
}

#[tokio::test]
async fn q_5_a_smarthost_is_never_spoken_to_in_the_clear_when_tls_was_asked_for() {
    let unverified = Some(SimTlsServer::new(Answer::Unverified("expired".to_owned())));
    let offers = || Script::default().offering("STARTTLS").offering("AUTH PLAIN");
    let table = [
        ("no STARTTLS", Script::default().offering("AUTH PLAIN"), None),
        ("bad certificate", offers(), unverified),
        ("abort", offers(), Some(SimTlsServer::new(Answer::Abort))),
        (
            "refused",
            Script {
                starttls: "454 4.7.0 no".to_owned(),
                ..offers()
            },
            None,
        ),
    ];
    for (name, script, tls) in table {
        let house = House::with(by_smarthost(SmarthostTls::StartTls, true, None)).await;
        let relay = Peer::at(&house.network, "192.0.2.40:587", script, tls);
        house.start();
        house.send(&["bob@there.test"]).await;
        house.until_tried(1).await;
        assert!(
            house.waiting().await[0].2.contains("no secure connection"),
            "{name}: {:?}",
            house.waiting().await
        );
        let commands = relay.commands.lock().clone();
        assert!(
            !commands
                .iter()
                .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn tls_6_a_smarthost_is_held_to_the_records_of_its_name_unless_its_route_says_otherwise() {
    let (right, wrong) = (vec![0xaa; 32], vec![0xbb; 32]);
    let expired = || Err("expired".to_owned());
    let host = "$security secure\nrelay.test A 192.0.2.40\n";
    let of_port = |port: u16| format!("{host}_{port}._tcp.relay.test TLSA 3 1 1 {}", "aa".repeat(32));
    let unsigned = || "relay.test A 192.0.2.40".to_owned();
    let failing = || format!("{host}_587._tcp.relay.test !servfail");
    let bad = || Answer::Unverified("expired".to_owned());
    let (dane, starttls) = (SmarthostTls::Dane, SmarthostTls::StartTls);
    let table = [
        (
            dane,
            of_port(587),
            Answer::Keyed(right.clone(), expired()),
            "taken",
        ),
        (dane, of_port(587), Answer::Keyed(wrong.clone(), Ok(())), "(DANE)"),
        (
            dane,
            failing(),
            Answer::Good,
            "its TLSA records (DANE) could not be looked up",
        ),
        (dane, unsigned(), Answer::Good, "taken"),
        (dane, unsigned(), bad(), "the setting of the route says so"),
        (dane, of_port(25), bad(), "the setting of the route says so"),
        (starttls, of_port(587), Answer::Keyed(wrong, Ok(())), "taken"),
        (
            starttls,
            of_port(587),
            Answer::Keyed(right, expired()),
            "the setting of the route says so",
        ),
        (starttls, failing(), Answer::Good, "taken"),
    ];
    for (tls, zone, answer, expected) in table {
        let house = House::with(by_smarthost(tls, true, None)).await;
        house.dns.replace(&zone).expect("a zone");
        let script = Script::default().offering("STARTTLS").offering("AUTH PLAIN");
        let relay = Peer::at(
            &house.network,
            "192.0.2.40:587",
            script,
            Some(SimTlsServer::new(answer)),
        );
        house.start();
        house.send(&["bob@there.test"]).await;
        if expected == "taken" {
            house.until_empty().await;
            assert!(relay.taken.lock()[0].tls, "{zone}");
            continue;
        }
        house.until_tried(1).await;
        let why = house.waiting().await[0].2.clone();
        assert!(why.contains(expected), "{tls:?} {zone}: {why}");
        assert!(
            !relay.commands.lock().iter().any(|line| line.starts_with("AUTH")),
            "{zone}"
        );
    }
}

#[tokio::test]
async fn a_smarthost_that_refuses_our_password_costs_nobody_their_mail() {
    let house = House::with(by_smarthost(SmarthostTls::StartTls, true, None)).await;
    let script = Script {
        auth: "535 5.7.8 wrong".to_owned(),
        ..Script::default().offering("STARTTLS").offering("AUTH PLAIN")
    };
    Peer::at(
        &house.network,
        "192.0.2.40:587",
        script,
        Some(SimTlsServer::new(Answer::Good)),
    );
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    assert!(
        house.waiting().await[0].2.contains("sign-in: 535"),
        "{:?}",
        house.waiting().await
    );
    assert!(house.inbox("alice@home.test").await.is_empty());
}

#[tokio::test]
async fn a_second_way_is_taken_when_the_first_does_not_answer() {
    let house = House::with(by_smarthost(SmarthostTls::None, false, Some(3))).await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house
        .until(MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    assert_eq!(peer.taken.lock().len(), 1);
}

#[tokio::test]
async fn a_second_way_serves_a_domain_at_once_while_its_own_servers_cannot_be_reached() {
    let relay = Rule {
        applies: Applies::FallbackOnly,
        ..by_smarthost(SmarthostTls::None, false, None).routes.remove(0)
    };
    let all = Rule {
        name: "all".to_owned(),
        applies: Applies::Everything,
        way: Way::Mx,
        fallback: Some(Fallback {
            to: "relay".to_owned(),
            after_attempts: 3,
        }),
    };
    let house = House::with(Settings {
        routes: vec![all, relay],
        ..Settings::new("mail.home.test")
    })
    .await;
    let peer = Peer::at(&house.network, "192.0.2.40:587", Script::default(), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    let parked_at = house.clock_seconds();
    house.send(&["carol@there.test"]).await;
    house
        .until(Duration::from_secs(1), async |house| {
            house.waiting().await.len() == 1
        })
        .await;
    assert_eq!(peer.taken.lock().len(), 1);
    assert!(house.clock_seconds() < parked_at + 10, "a pause is a minute long");
}

#[tokio::test]
async fn a_second_way_is_taken_at_once_when_the_first_refuses_us_and_never_when_it_refuses_the_recipient() {
    for (stage, reply, second) in [
        ("banner", "554 5.7.1 you are listed", true),
        ("mail", "530 5.7.0 sign in first", true),
        ("rcpt", "550 5.1.1 nobody", false),
    ] {
        let house = House::with(by_smarthost(SmarthostTls::None, false, Some(50))).await;
        Peer::at(&house.network, "192.0.2.40:587", Script::at(stage, reply), None);
        let peer = Peer::at(&house.network, MX, Script::default(), None);
        house.start();
        let id = house.send(&["bob@there.test"]).await;
        house
            .until(Duration::from_secs(10), async |house| {
                house.waiting().await.is_empty()
            })
            .await;
        assert_eq!(peer.taken.lock().len(), usize::from(second), "{stage}");
        assert_eq!(
            house.inbox("alice@home.test").await.len(),
            usize::from(!second),
            "{stage}"
        );
        let results: Vec<AttemptResult> = house.attempts(id).await.iter().map(|one| one.result).collect();
        let want: &[AttemptResult] = match second {
            true => &[AttemptResult::Later, AttemptResult::Delivered],
            false => &[AttemptResult::Failed],
        };
        assert_eq!(results, want, "{stage}");
    }
}

#[tokio::test]
async fn q_6_silence_at_each_stage_ends_at_its_deadline() {
    let table = [
        ("banner", 6),
        ("hello", 6),
        ("mail", 6),
        ("rcpt", 6),
        ("data", 6),
        ("final", 11),
    ];
    for (stage, minutes) in table {
        let house = House::new().await;
        Peer::at(&house.network, MX, Script::at(stage, "silence"), None);
        house.start();
        house.send(&["bob@there.test"]).await;
        house
            .until(Duration::from_secs(30), async |house| {
                house.waiting().await[0].1 == 1
            })
            .await;
        assert!(
            house.clock_minutes() <= minutes,
            "{stage}: {} minutes",
            house.clock_minutes()
        );
        assert!(
            house.waiting().await[0].2.contains("in time"),
            "{stage}: {:?}",
            house.waiting().await
        );
    }
}

#[tokio::test]
async fn q_6_a_family_whose_packets_vanish_costs_seconds_and_no_attempt() {
    let mut settings = Settings::new("mail.home.test");
    settings.v6.address = Some("2001:db8::10".parse().expect("an address"));
    let house = House::with(settings).await;
    house
        .dns
        .replace(&format!("{}\nmx.there.test AAAA 2001:db8::25", house::ZONE))
        .expect("a zone");
    house
        .network
        .break_at("[2001:db8::25]:25".parse().expect("an address"), Fault::BlackHole);
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    assert_eq!(peer.taken.lock().len(), 1);
    assert!(house.clock_seconds() <= 6, "{} s", house.clock_seconds());
    let attempts = house.attempts(id).await;
    assert_eq!((attempts.len(), attempts[0].talks.len()), (1, 2), "{attempts:?}");
}

#[tokio::test]
async fn q_8_a_dead_domain_with_thousands_does_not_hold_up_a_healthy_one() {
    let house = House::new().await;
    house
        .dns
        .replace(&format!("{}\ndead.test A 192.0.2.66", house::ZONE))
        .expect("a zone");
    house
        .network
        .break_at("192.0.2.66:25".parse().expect("an address"), Fault::BlackHole);
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    for _ in 0..300 {
        house.send(&["bob@dead.test"]).await;
    }
    house.start();
    house
        .until(MINUTE, async |house| !house.network.tried().is_empty())
        .await;
    let before = house.clock_seconds();
    house.send(&["bob@there.test"]).await;
    house
        .until(Duration::from_millis(100), async |_| {
            !peer.taken.lock().is_empty()
        })
        .await;
    assert!(house.clock_seconds() - before <= 5);
    assert_eq!(house.waiting().await.len(), 256, "a page of those who wait");
}

#[tokio::test]
async fn q_12_a_jump_of_the_clock_gives_nothing_up_and_tries_no_more_than_usual() {
    for days in [-30_i64, 30, 5000] {
        let house = House::new().await;
        let peer = Peer::at(&house.network, MX, Script::at("mail", "451 4.3.0 later"), None);
        house.start();
        house.send(&["bob@there.test"]).await;
        house.until_tried(1).await;
        house.clock.set_wall_clock(days * 86_400_000);
        house
            .until(MINUTE, async |house| house.clock_minutes() >= 10)
            .await;
        let waiting = house.waiting().await;
        assert_eq!(house.events.named("deliver.clock-jumped").len(), 1, "{days} days");
        assert_eq!(waiting.len(), 1, "{days} days: it still waits");
        assert!(waiting[0].1 <= 6, "{days} days: {waiting:?}");
        assert!(
            !house
                .inbox("alice@home.test")
                .await
                .iter()
                .any(|text| text.contains("Action: failed"))
        );
        peer.set(Script::default());
        house
            .until(10 * MINUTE, async |house| house.waiting().await.is_empty())
            .await;
        assert_eq!(peer.taken.lock().len(), 1, "{days} days");
    }
}

#[tokio::test]
async fn q_13_after_a_partition_everything_leaves_once_by_few_connections() {
    let settings = Settings {
        connections: 10,
        connections_per_destination: 4,
        ..Settings::new("mail.home.test")
    };
    let house = House::with(settings).await;
    let at = MX.parse().expect("an address");
    house.network.break_at(at, Fault::Unreachable);
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    for _ in 0..50 {
        house.send(&["bob@there.test"]).await;
    }
    house.start();
    house
        .until(MINUTE, async |house| house.clock_minutes() >= 60)
        .await;
    assert!(
        house.network.tried().len() <= 20,
        "it is left alone: {}",
        house.network.tried().len()
    );
    house.network.mend(at);
    house
        .until(MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    assert_eq!(peer.taken.lock().len(), 50);
    assert!(
        house.clock_minutes() <= 60 + 75,
        "{} minutes",
        house.clock_minutes()
    );
}

#[tokio::test]
async fn q_14_who_is_purged_is_not_sent_any_more_and_the_others_are() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::at("mail", "451 4.3.0 later"), None);
    house.start();
    let purged = house.send(&["bob@there.test"]).await;
    let kept = house.send(&["carol@there.test"]).await;
    house.until_tried(1).await;
    let note = r#"{"result":"purged"}"#.to_owned();
    let purge = Op::Purge {
        queue_id: purged,
        recipient: 0,
        note,
    };
    drop(house.store.commit(Batch::urgent(purge)).await.expect("purged"));
    peer.set(Script::default());
    house
        .until(MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    let taken = peer.taken.lock().clone();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].rcpt, ["RCPT TO:<carol@there.test>"]);
    assert_eq!(
        house.attempts(purged).await.last().map(|last| last.result),
        Some(AttemptResult::Purged)
    );
    assert_eq!(
        house.attempts(kept).await.last().map(|last| last.result),
        Some(AttemptResult::Delivered)
    );
}

#[tokio::test]
async fn q_14_a_purge_in_the_middle_of_an_attempt_makes_no_bounce() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::at("final", "silence"), None);
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house
        .until(Duration::from_millis(10), async |_| {
            peer.commands.lock().iter().any(|line| line == "DATA")
        })
        .await;
    let purge = Op::Purge {
        queue_id: id,
        recipient: 0,
        note: r#"{"result":"purged"}"#.to_owned(),
    };
    drop(house.store.commit(Batch::urgent(purge)).await.expect("purged"));
    house
        .until(MINUTE, async |house| {
            !house.events.named("deliver.not-ours").is_empty()
        })
        .await;
    assert!(house.waiting().await.is_empty());
    assert!(house.inbox("alice@home.test").await.is_empty());
}

#[tokio::test]
async fn an_operator_s_retry_reaches_a_destination_that_is_left_alone() {
    let house = House::new().await;
    let at = MX.parse().expect("an address");
    house.network.break_at(at, Fault::Refused);
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    house.network.mend(at);
    let now = house.now();
    let due = Op::Reschedule {
        queue_id: id,
        recipient: 0,
        due: now,
        deadline: None,
    };
    drop(house.store.commit(Batch::urgent(due)).await.expect("rescheduled"));
    house.queue.tell_urgent("there.test -", now);
    house.until_empty().await;
    assert_eq!(peer.taken.lock().len(), 1);
    assert!(house.clock_seconds() < 30, "long before its time");
}

#[tokio::test]
async fn at_the_end_an_answered_message_is_recorded_and_the_rest_stays() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::at("banner", "silence"), None);
    let running = house.start();
    house.send(&["bob@there.test"]).await;
    house
        .until(Duration::from_millis(10), async |_| peer.connections() == 1)
        .await;
    house.stop.send(true).expect("it listens");
    running.await.expect("it ends at once: nothing was at risk");
    assert_eq!(house.waiting().await.len(), 1);
    assert_eq!(house.waiting().await[0].1, 0, "no attempt was wasted");
}

#[tokio::test]
async fn without_a_road_mail_waits() {
    let settings = Settings {
        road: Road::Closed {
            reason: "there is no road".to_owned(),
        },
        ..Settings::new("mail.home.test")
    };
    let house = House::with(settings).await;
    Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house
        .until(MINUTE, async |house| house.clock_minutes() >= 60)
        .await;
    assert_eq!(house.waiting().await.len(), 1);
    assert!(house.network.tried().is_empty());
}

#[tokio::test]
async fn what_a_server_lacks_decides_before_anything_is_sent() {
    let eight = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: 8bit\r\n\r\ngr\u{fc}n\r\n";
    let utf8 = EnvelopeParams {
        smtputf8: true,
        ..EnvelopeParams::default()
    };
    let header_utf8 = "Subject: gr\u{fc}n\r\n\r\nx\r\n";
    let small = Script::default().without("SIZE 1000000").offering("SIZE 10");
    let table = [
        ("size", small, EnvelopeParams::default(), BODY.to_vec(), "5.3.4"),
        (
            "smtputf8",
            Script::default(),
            utf8,
            header_utf8.as_bytes().to_vec(),
            "5.6.7",
        ),
        (
            "8bit in the header",
            Script::default().without("8BITMIME"),
            EnvelopeParams::default(),
            header_utf8.as_bytes().to_vec(),
            "5.6.3",
        ),
    ];
    for (name, script, params, text, code) in table {
        let house = House::new().await;
        let peer = Peer::at(&house.network, MX, script, None);
        house.start();
        let params = (params, RecipientParams::default());
        house
            .send_with("alice@home.test", &["bob@there.test"], params, &text)
            .await;
        house.until_empty().await;
        let inbox = house.inbox("alice@home.test").await;
        assert!(
            inbox[0].contains(&format!("Status: {code}")),
            "{name}: {}",
            inbox[0]
        );
        assert!(
            !peer.commands.lock().iter().any(|line| line.starts_with("MAIL")),
            "{name}"
        );
    }
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default().without("8BITMIME"), None);
    house.start();
    let params = (EnvelopeParams::default(), RecipientParams::default());
    house
        .send_with("alice@home.test", &["bob@there.test"], params, eight.as_bytes())
        .await;
    house.until_empty().await;
    let taken = peer.taken.lock().clone();
    assert!(taken[0].text.is_ascii(), "what is ours is encoded anew");
    assert!(!taken[0].mail.contains("BODY="), "{}", taken[0].mail);
}

#[tokio::test]
async fn wishes_about_reports_go_along_or_are_met_here() {
    let wishes = || {
        let envelope = EnvelopeParams {
            ret: Some(Ret::Hdrs),
            envid: Some("order 7".to_owned()),
            ..EnvelopeParams::default()
        };
        let recipient = RecipientParams {
            notify: Some(Notify::On(When {
                success: true,
                failure: true,
                delay: false,
            })),
            ..RecipientParams::default()
        };
        (envelope, recipient)
    };
    for dsn in [true, false] {
        let house = House::new().await;
        let script = if dsn {
            Script::default().offering("DSN")
        } else {
            Script::default()
        };
        let peer = Peer::at(&house.network, MX, script, None);
        house.start();
        house
            .send_with("alice@home.test", &["bob@there.test"], wishes(), BODY)
            .await;
        house.until_empty().await;
        let taken = peer.taken.lock()[0].clone();
        assert_eq!(
            taken.mail.contains("RET=HDRS ENVID=order+207"),
            dsn,
            "{}",
            taken.mail
        );
        assert_eq!(
            taken.rcpt[0].contains("NOTIFY=SUCCESS,FAILURE"),
            dsn,
            "{:?}",
            taken.rcpt
        );
        let inbox = house.inbox("alice@home.test").await;
        assert_eq!(
            inbox.len(),
            usize::from(!dsn),
            "a server without DSN tells nobody, so we do"
        );
        assert!(inbox.iter().all(|text| text.contains("Action: relayed")));
    }
}

#[tokio::test]
async fn loop_2_a_forward_that_comes_round_again_ends() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    let params = RecipientParams {
        via: vec!["list@home.test".to_owned()],
        ..RecipientParams::default()
    };
    let text = b"Delivered-To: list@home.test\r\nSubject: round\r\n\r\nx\r\n";
    house
        .send_with(
            "alice@home.test",
            &["bob@there.test"],
            (EnvelopeParams::default(), params),
            text,
        )
        .await;
    house.until_empty().await;
    let inbox = house.inbox("alice@home.test").await;
    assert!(inbox[0].contains("Status: 5.4.6"), "{}", inbox[0]);
    assert!(house.network.tried().is_empty());
}

#[tokio::test]
async fn q_9_a_host_that_greets_with_our_name_is_ourselves() {
    let ours = Ours {
        names: vec!["mail.home.test".to_owned()],
        ..Ours::default()
    };
    let settings = || Settings {
        ours: ours.clone(),
        ..Settings::new("mail.home.test")
    };
    let script = || Script::at("hello", "250-Mail.Home.Test at your service\r\n250 PIPELINING");
    let house = House::with(settings()).await;
    let peer = Peer::at(&house.network, MX, script(), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    let inbox = house.inbox("alice@home.test").await;
    assert!(inbox[0].contains("Status: 5.4.6"), "{}", inbox[0]);
    assert!(!peer.commands.lock().iter().any(|line| line.starts_with("MAIL")));

    // A better host that is down may come back.
    let house = House::with(settings()).await;
    Peer::at(&house.network, "192.0.2.32:25", script(), None);
    house.start();
    house.send(&["bob@two.test"]).await;
    house.until_tried(1).await;
    assert!(house.inbox("alice@home.test").await.is_empty());

    // So may one whose name nobody answers for just now.
    let house = House::with(settings()).await;
    let zone = ZONE.replace("one.two.test A 192.0.2.31", "one.two.test !timeout");
    house.dns.replace(&zone).expect("a zone");
    Peer::at(&house.network, "192.0.2.32:25", script(), None);
    house.start();
    house.send(&["bob@two.test"]).await;
    house.until_tried(1).await;
    assert!(house.inbox("alice@home.test").await.is_empty());
}

#[tokio::test]
async fn a_report_says_by_when_and_a_trace_tells_of_the_next_server() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default().offering("DSN"), None);
    house.start();
    let until_unix_ms = house.now().0 + 3_600_000;
    let by = |trace| queue::params::DeliverBy {
        until_unix_ms,
        mode: queue::params::ByMode::Notify,
        trace,
    };
    for (trace, reports) in [(false, 0), (true, 1)] {
        let envelope = EnvelopeParams {
            deliver_by: Some(by(trace)),
            hold_for_s: Some(5),
            hold_until_unix_ms: Some(house.now().0),
            ..EnvelopeParams::default()
        };
        let params = (envelope, RecipientParams::default());
        house
            .send_with("alice@home.test", &["bob@there.test"], params, BODY)
            .await;
        house.until_empty().await;
        let inbox = house.inbox("alice@home.test").await;
        assert_eq!(inbox.len(), reports, "{trace}");
    }
    assert_eq!(peer.taken.lock().len(), 2);
    let report = house.inbox("alice@home.test").await.remove(0);
    for field in [
        "Action: relayed\r\n",
        "\r\nDeliver-By-Date: ",
        "\r\nFuture-Release-Request: for;5\r\n",
    ] {
        assert!(report.contains(field), "{field} in {report}");
    }
}
