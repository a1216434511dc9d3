//! Mail for other servers, from the queue to a simulated peer and back as a report.

mod house;

use std::time::Duration;

use house::peer::{Peer, Script};
use house::{BODY, House, MX};
use queue::attempt::AttemptResult;
use store::contract::{Batch, Op, Store};

#[tokio::test]
async fn a_message_reaches_another_server_once_and_leaves_its_timeline() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.start();
    let id = house.send(&["bob@there.test", "carol@there.test"]).await;
    house.until_empty().await;
    let taken = peer.taken.lock().clone();
    assert_eq!(taken.len(), 1, "both recipients in one transaction");
    let sent = [b"Received: by mail.home.test\r\n", BODY].concat();
    assert_eq!(
        taken[0].mail,
        format!("MAIL FROM:<alice@home.test> SIZE={}", sent.len())
    );
    assert_eq!(
        taken[0].rcpt,
        ["RCPT TO:<bob@there.test>", "RCPT TO:<carol@there.test>"]
    );
    assert_eq!(taken[0].text, sent);
    let attempts = house.attempts(id).await;
    assert_eq!(attempts.len(), 2);
    let attempt = &attempts[1];
    assert_eq!(attempt.result, AttemptResult::Delivered);
    let talk = &attempt.talks[0];
    assert_eq!((talk.host.as_str(), talk.address.as_str()), ("mx.there.test", MX));
    let stages: Vec<&str> = talk.replies.iter().map(|reply| reply.stage.as_str()).collect();
    assert_eq!(stages, ["banner", "hello", "mail", "rcpt", "data", "final"]);
    assert_eq!(house.events.named("deliver.sent").len(), 2);
    assert!(
        house.inbox("alice@home.test").await.is_empty(),
        "nobody asked to be told"
    );
}

#[tokio::test]
async fn several_messages_share_a_connection() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    for _ in 0..10 {
        house.send(&["bob@there.test"]).await;
    }
    house.start();
    house.until_empty().await;
    assert_eq!(peer.taken.lock().len(), 10);
    assert!(peer.connections() <= 5, "{}", peer.connections());
    assert!(
        !peer.commands.lock().iter().any(|line| line == "RSET"),
        "only where it is needed"
    );
}

#[tokio::test]
async fn q_1_closed_after_the_dot_is_tried_again_and_never_bounced() {
    for ending in ["close", "silence"] {
        let house = House::new().await;
        let peer = Peer::at(&house.network, MX, Script::at("final", ending), None);
        house.start();
        house.send(&["bob@there.test"]).await;
        house
            .until(Duration::from_secs(1), async |house| {
                house.waiting().await[0].1 == 1
            })
            .await;
        let waiting = house.waiting().await;
        assert!(waiting[0].2.contains("it may have it"), "{waiting:?}");
        assert!(house.inbox("alice@home.test").await.is_empty());
        peer.set(Script::default());
        house
            .until(Duration::from_secs(10), async |house| {
                house.waiting().await.is_empty()
            })
            .await;
        assert_eq!(peer.taken.lock().len(), 1, "{ending}");
    }
}

#[tokio::test]
async fn q_2_temporary_answers_at_each_stage_are_tried_again() {
    for stage in ["banner", "hello", "mail", "rcpt", "data", "final"] {
        for code in ["421 4.3.2", "450 4.2.1", "451 4.3.0", "452 4.3.1"] {
            let house = House::new().await;
            let peer = Peer::at(
                &house.network,
                MX,
                Script::at(stage, &format!("{code} later")),
                None,
            );
            house.start();
            house.send(&["bob@there.test"]).await;
            house.until_tried(1).await;
            assert!(house.waiting().await[0].2.contains(code), "{stage} {code}");
            peer.set(Script::default());
            house
                .until(Duration::from_secs(10), async |house| {
                    house.waiting().await.is_empty()
                })
                .await;
            assert_eq!(peer.taken.lock().len(), 1, "{stage} {code}");
            assert!(house.inbox("alice@home.test").await.is_empty(), "{stage} {code}");
        }
    }
}

#[tokio::test]
async fn q_3_a_permanent_answer_at_each_stage_makes_one_report() {
    for stage in ["banner", "hello", "mail", "rcpt", "data", "final"] {
        for code in ["550 5.1.1", "552 5.2.2", "554 5.7.1", "571 5.7.1"] {
            let house = House::new().await;
            let peer = Peer::at(&house.network, MX, Script::at(stage, &format!("{code} no")), None);
            house.start();
            house.send(&["bob@there.test", "carol@there.test"]).await;
            house.until_empty().await;
            let inbox = house.inbox("alice@home.test").await;
            assert_eq!(inbox.len(), 1, "{stage} {code}");
            for part in [
                "bob@there.test",
                "carol@there.test",
                code,
                "Auto-Submitted: auto-replied",
            ] {
                assert!(inbox[0].contains(part), "{stage} {code}: {part} in {}", inbox[0]);
            }
            assert!(peer.taken.lock().is_empty());
            assert!(peer.connections() <= 1, "{stage} {code}");
        }
    }
}

/// The directory still knows alice, the store does not any more: the moment in which an account is removed.
#[tokio::test]
async fn q_3_a_report_whose_reader_is_removed_meanwhile_does_not_lose_the_outcome() {
    let house = House::new().await;
    let _peer = Peer::at(&house.network, MX, Script::at("rcpt", "550 5.1.1 no"), None);
    house.send(&["bob@there.test"]).await;
    let account = house.directory.account("alice@home.test").expect("alice").id;
    let account = account.parse().expect("an id");
    let removed = house.store.commit(Batch::urgent(Op::RemoveAccount { account }));
    drop(removed.await.expect("removed"));
    house.start();
    house
        .until(Duration::from_secs(1), async |house| {
            house.events.named("deliver.store-failed").len() > 1
        })
        .await;
    assert!(
        house.events.named("deliver.not-ours").is_empty(),
        "it is recorded again and again"
    );
}

#[tokio::test]
async fn q_4_each_recipient_gets_what_its_own_reply_says() {
    let house = House::new().await;
    let script = Script {
        rcpt: vec![
            ("later", "450 4.2.1 greylisted".to_owned()),
            ("never", "550 5.1.1 nobody".to_owned()),
        ],
        ..Script::default()
    };
    let peer = Peer::at(&house.network, MX, script, None);
    house.start();
    house
        .send(&["now@there.test", "later@there.test", "never@there.test"])
        .await;
    house.until_tried(1).await;
    let waiting = house.waiting().await;
    assert_eq!((waiting.len(), waiting[0].0.as_str()), (1, "later@there.test"));
    assert_eq!(peer.taken.lock()[0].rcpt, ["RCPT TO:<now@there.test>"]);
    let inbox = house.inbox("alice@home.test").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("never@there.test") && !inbox[0].contains("later@there.test"));
    peer.set(Script::default());
    house
        .until(Duration::from_secs(10), async |house| {
            house.waiting().await.is_empty()
        })
        .await;
    assert_eq!(peer.taken.lock()[1].rcpt, ["RCPT TO:<later@there.test>"]);
    assert_eq!(peer.taken.lock().len(), 2);
}

#[tokio::test]
async fn q_7_an_endless_reply_is_temporary() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::at("hello", "endless"), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    assert!(
        house.waiting().await[0].2.contains("no answer"),
        "{:?}",
        house.waiting().await
    );
}

#[tokio::test]
async fn q_9_q_10_what_dns_says_decides() {
    let table = [
        ("there.test MX 0 .", Some("5.1.10")),
        ("other.test A 192.0.2.1", Some("5.1.2")),
        (
            "there.test MX 10 mail.home.test\nmail.home.test A 192.0.2.7",
            Some("5.4.6"),
        ),
        (
            "there.test MX 10 mx.there.test\nmx.there.test A 127.0.0.1",
            Some("5.4.4"),
        ),
        ("there.test !servfail", None),
        ("there.test !timeout", None),
        ("there.test !bogus", None),
        ("there.test MX 10 mx.there.test\nmx.there.test !servfail", None),
    ];
    for (zone, bounced) in table {
        let house = House::new().await;
        house.dns.replace(zone).expect("a zone");
        house.start();
        house.send(&["bob@there.test"]).await;
        match bounced {
            Some(code) => {
                house.until_empty().await;
                let inbox = house.inbox("alice@home.test").await;
                assert_eq!(inbox.len(), 1, "{zone}");
                assert!(
                    inbox[0].contains(&format!("Status: {code}")),
                    "{zone}: {}",
                    inbox[0]
                );
            }
            None => {
                house.until_tried(1).await;
                assert!(house.waiting().await[0].2.contains("looked up"), "{zone}");
                assert!(house.inbox("alice@home.test").await.is_empty(), "{zone}");
            }
        }
        assert!(house.network.tried().is_empty(), "{zone}");
    }
}

#[tokio::test]
async fn another_host_takes_what_the_first_cannot_and_never_what_it_refused() {
    for (first, want) in [("451 4.3.0 later", 1), ("550 5.7.1 no", 0)] {
        let house = House::new().await;
        Peer::at(&house.network, "192.0.2.31:25", Script::at("mail", first), None);
        let other = Peer::at(&house.network, "192.0.2.32:25", Script::default(), None);
        house.start();
        house.send(&["bob@two.test"]).await;
        house.until_empty().await;
        assert_eq!(other.taken.lock().len(), want, "{first}");
        assert_eq!(house.inbox("alice@home.test").await.len(), 1 - want, "{first}");
    }
}

#[tokio::test]
async fn loop_4_a_report_that_cannot_be_delivered_is_told_to_nobody_but_postmaster() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::at("rcpt", "550 5.1.1 nobody"), None);
    house.start();
    for _ in 0..30 {
        house.send_as("", &["forged@there.test"]).await;
    }
    house.until_empty().await;
    assert!(house.inbox("alice@home.test").await.is_empty());
    assert_eq!(
        house.inbox("postmaster@home.test").await.len(),
        20,
        "at a capped rate"
    );
    assert_eq!(house.events.named("deliver.nobody-to-tell").len(), 30);
}

#[tokio::test]
async fn a_report_to_another_server_is_sent_there_with_the_null_path() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house
        .dns
        .replace(&format!("{}\nnone.test MX 0 .", house::ZONE))
        .expect("a zone");
    house.start();
    house.send_as("sender@there.test", &["bob@none.test"]).await;
    house.until_empty().await;
    let taken = peer.taken.lock().clone();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].mail.starts_with("MAIL FROM:<>"), "{}", taken[0].mail);
    assert_eq!(taken[0].rcpt, ["RCPT TO:<sender@there.test>"]);
}

#[tokio::test]
async fn q_11_a_sender_is_told_of_the_delay_and_then_of_the_end_once_each() {
    let house = House::new().await;
    house.start();
    house.send(&["bob@there.test"]).await;
    house.send_as("", &["bob@there.test"]).await;
    let minute = Duration::from_secs(60);
    house
        .until(minute, async |house| {
            house.inbox("alice@home.test").await.len() == 1
        })
        .await;
    let elapsed = house.clock_hours();
    assert!((3..=5).contains(&elapsed), "{elapsed} hours");
    assert_eq!(house.waiting().await.len(), 2, "it still waits");
    house
        .until(10 * minute, async |house| house.waiting().await.is_empty())
        .await;
    assert!(
        (119..=121).contains(&house.clock_hours()),
        "{} hours",
        house.clock_hours()
    );
    let inbox = house.inbox("alice@home.test").await;
    assert_eq!(inbox.len(), 2);
    assert!(inbox[0].contains("Action: delayed") && inbox[1].contains("Action: failed"));
    assert!(inbox[1].contains("4.4.1"), "the last error is told: {}", inbox[1]);
}
