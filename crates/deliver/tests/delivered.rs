//! Reports of deliveries here (RFC 3461 §4.1, NOTIFY=SUCCESS): in the same transaction as the delivery, once, and only to
//! who asked.

mod house;

use deliver::Worker;
use directory::Resolution;
use directory::admin::AliasSpec;
use house::{BODY, House};
use mail::address::{Mailbox, Path, Utf8};
use queue::params::{Notify, When};
use queue::{Envelope, EnvelopeParams, Generated, Message, RecipientParams};
use store::contract::Store;

fn worker(house: &House) -> Worker {
    Worker {
        queue: house.queue.clone(),
        directory: house.directory.clone(),
        reports: Some(house.remote.clone()),
    }
}

/// A message to an address of ours whose sender wants to know of its delivery.
async fn send(house: &House, from: &str, to: &str) {
    let from = Mailbox::parse(from, Utf8::Allowed).map_or(Path::Null, Path::Mailbox);
    let params = EnvelopeParams {
        envid: Some("QQ 314".to_owned()),
        ..EnvelopeParams::default()
    };
    let now = world::clock::Clock::now(&*house.clock.door());
    let generated = Generated { maker: "test" };
    let mut envelope = Envelope::new(house.ids.next(), from, now, generated).with_params(params);
    let wishes = RecipientParams {
        notify: Some(Notify::On(When {
            success: true,
            failure: true,
            delay: false,
        })),
        ..RecipientParams::default()
    };
    let to = Mailbox::parse(to, Utf8::Allowed).expect("an address");
    let Resolution::Local(reached) = house.directory.resolve(&to) else {
        panic!("{to} is one of ours");
    };
    envelope.add_reached(reached, &wishes);
    let mut stage = house.store.stage(house.ids.next());
    stage.write(BODY).await.expect("it takes it");
    let message = Message {
        body: stage.finish().await.expect("a body"),
        header: &BODY[..mail::header::body_start(BODY)],
        received: b"Received: by mail.home.test\r\n",
    };
    let _ = queue::accept(&house.queue, &envelope, message)
        .await
        .expect("accepted");
}

#[tokio::test]
async fn a_delivery_here_is_reported_once() {
    let house = House::new().await;
    send(&house, "alice@home.test", "Postmaster+tag@home.test").await;
    assert!(
        house.inbox("postmaster@home.test").await.is_empty(),
        "with its report, or not yet"
    );
    let worker = worker(&house);
    assert_eq!(worker.round().await.expect("a round"), 1);
    assert_eq!(worker.round().await.expect("a round"), 0);
    assert_eq!(
        house.inbox("postmaster@home.test").await,
        [String::from_utf8_lossy(BODY)]
    );
    let reports = house.inbox("alice@home.test").await;
    assert_eq!(reports.len(), 1);
    for part in [
        "Action: delivered\r\n",
        "Status: 2.0.0\r\n",
        "Original-Envelope-Id: QQ 314\r\n",
        "Postmaster+tag@home.test",
        "Subject: hello",
    ] {
        assert!(reports[0].contains(part), "{part} in {}", reports[0]);
    }
    assert!(house.waiting().await.is_empty());
}

#[tokio::test]
async fn an_alias_of_two_is_reported_once() {
    let house = House::new().await;
    let team = AliasSpec {
        address: "team@home.test".to_owned(),
        targets: vec!["alice@home.test".to_owned(), "postmaster@home.test".to_owned()],
    };
    house.directory.add_alias(team).await.expect("an alias");
    send(&house, "alice@home.test", "team@home.test").await;
    let worker = worker(&house);
    while worker.round().await.expect("a round") > 0 {}
    assert_eq!(house.inbox("postmaster@home.test").await.len(), 1);
    let alice = house.inbox("alice@home.test").await;
    let reports: Vec<&String> = alice
        .iter()
        .filter(|text| text.contains("Action: expanded\r\n"))
        .collect();
    assert_eq!((alice.len(), reports.len()), (2, 1), "{alice:?}");
    assert!(
        reports[0].contains("Final-Recipient: rfc822; team@home.test\r\n"),
        "{}",
        reports[0]
    );
    assert!(!reports[0].contains("postmaster@home.test"), "{}", reports[0]);
}

#[tokio::test]
async fn a_sender_elsewhere_has_its_report_in_the_queue_and_nobody_has_none() {
    let house = House::new().await;
    send(&house, "eve@there.test", "alice@home.test").await;
    send(&house, "", "postmaster@home.test").await;
    let worker = worker(&house);
    while worker.round().await.expect("a round") > 0 {}
    assert_eq!(house.inbox("alice@home.test").await.len(), 1);
    assert_eq!(house.inbox("postmaster@home.test").await.len(), 1);
    let waiting: Vec<String> = house.waiting().await.into_iter().map(|(to, ..)| to).collect();
    assert_eq!(waiting, ["eve@there.test"]);
}
