//! A stranger's mail to an address that leads to another server: how it leaves, how it ends when it cannot, how a circle ends.

mod house;

use std::time::Duration;

use directory::admin::AliasSpec;
use house::peer::{Peer, Script};
use house::{BODY, House, MX};
use mail::address::{Mailbox, Path};
use queue::params::{EnvelopeParams, RecipientParams};
use queue::{Envelope, Message, Stranger};

/// Where `two.test` takes its mail.
const TWO: &str = "192.0.2.31:25";

/// A message of sam@there.test to out@home.test, which leads to bob@two.test, and whom else `to` names.
async fn arrive(house: &House, to: &[&str], text: &[u8]) {
    let address = |text: &str| text.parse::<Mailbox>().expect("an address");
    let sender = Path::Mailbox(address("sam@there.test"));
    let mut envelope = Envelope::new(
        house.ids.next(),
        sender.clone(),
        house.queue.clock.now(),
        Stranger,
    )
    .with_params(EnvelopeParams::default());
    for to in to {
        match house
            .directory
            .resolve_from(&address(to), &sender, directory::Vouched::No)
        {
            directory::Resolution::Local(reached) => {
                envelope.add_reached(reached, &RecipientParams::default());
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    let mut stage = store::contract::Store::stage(&*house.store, house.ids.next());
    stage.write(text).await.expect("it takes it");
    let message = Message {
        body: stage.finish().await.expect("a body"),
        header: &text[..mail::header::body_start(text)],
        received: b"Received: from there.test\r\n",
    };
    drop(
        queue::accept(&house.queue, &envelope, message)
            .await
            .expect("accepted"),
    );
}

async fn house() -> House {
    let house = House::new().await;
    let spec = AliasSpec {
        address: "out@home.test".to_owned(),
        targets: vec!["bob@two.test".to_owned()],
    };
    house.directory.add_alias(spec).await.expect("an alias");
    house
}

#[tokio::test]
async fn rel_4_a_forwarded_copy_leaves_as_it_came_under_a_return_address_of_ours() {
    let house = house().await;
    let peer = Peer::at(&house.network, TWO, Script::default(), None);
    arrive(&house, &["out@home.test"], BODY).await;
    house.start();
    house.until_empty().await;
    let taken = peer.taken.lock().clone();
    assert_eq!(taken.len(), 1);
    let mail = &taken[0].mail;
    assert!(
        mail.starts_with("MAIL FROM:<SRS0=") && mail.contains("=there.test=sam@home.test>"),
        "{mail}"
    );
    assert_eq!(taken[0].rcpt, ["RCPT TO:<bob@two.test>"]);
    let ours = b"Delivered-To: out@home.test\r\nReceived: from there.test\r\n";
    assert_eq!(
        taken[0].text,
        [&ours[..], BODY].concat(),
        "no signature, nothing else of ours"
    );
}

#[tokio::test]
async fn loop_7_a_forward_that_fails_is_told_to_who_wrote_without_naming_the_target() {
    let house = house().await;
    let _two = Peer::at(
        &house.network,
        TWO,
        Script::at("rcpt", "550 5.1.1 <bob@two.test>: user unknown"),
        None,
    );
    let there = Peer::at(&house.network, MX, Script::default(), None);
    arrive(&house, &["out@home.test"], BODY).await;
    house.start();
    house
        .until(Duration::from_secs(1), async |_| !there.taken.lock().is_empty())
        .await;
    let taken = there.taken.lock().clone();
    assert!(taken[0].mail.starts_with("MAIL FROM:<>"), "{}", taken[0].mail);
    assert_eq!(
        taken[0].rcpt[0]
            .split_once(" NOTIFY")
            .map_or(&*taken[0].rcpt[0], |(to, _)| to),
        "RCPT TO:<sam@there.test>"
    );
    let text = String::from_utf8(taken[0].text.clone()).expect("text");
    assert!(text.contains("Final-Recipient: rfc822; out@home.test"), "{text}");
    assert!(text.contains("550 5.1.1 <out@home.test>: user unknown"), "{text}");
    assert!(!text.contains("bob@two.test"), "{text}");
}

#[tokio::test]
async fn loop_2_a_circle_over_another_server_ends_with_one_report_and_costs_nobody_else() {
    let house = house().await;
    let two = Peer::at(&house.network, TWO, Script::default(), None);
    let there = Peer::at(&house.network, MX, Script::default(), None);
    let text = [b"Delivered-To: out@home.test\r\n", BODY].concat();
    arrive(&house, &["out@home.test", "alice@home.test"], &text).await;
    house.start();
    house
        .until(Duration::from_secs(1), async |_| !there.taken.lock().is_empty())
        .await;
    house.until_empty().await;
    assert!(two.taken.lock().is_empty());
    assert_eq!(house.inbox("alice@home.test").await.len(), 1);
    let taken = there.taken.lock().clone();
    assert_eq!(taken.len(), 1);
    let text = String::from_utf8(taken[0].text.clone()).expect("text");
    assert!(
        text.contains("Status: 5.4.6") && text.contains("goes round in circles"),
        "{text}"
    );
}
