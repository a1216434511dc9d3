//! What a sender asks for beside sender and recipient (reports, holding, deadlines) reaches the queue, and only through
//! the doors that offer it.

mod house;

use house::House;
use queue::params::{BodyType, ByMode, EnvelopeParams, Notify, RecipientParams, Ret, TlsWish};
use receive::DoorKind;

const MINUTE_MS: u64 = 60_000;

#[tokio::test]
async fn a_submission_with_wishes_waits_with_them() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    client
        .ask(
            "MAIL FROM:<alice@example.test> RET=HDRS ENVID=QQ+20314 HOLDFOR=3600 BY=120;R BODY=8BITMIME",
            "250",
        )
        .await;
    client
        .ask(
            "RCPT TO:<eve@victim.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;eve+2Bx@victim.example",
            "250",
        )
        .await;
    client.ask("RCPT TO:<bob@example.test> NOTIFY=NEVER", "250").await;
    let text = "From: alice@example.test\r\n\r\nGr\u{fc}\u{df}e\r\n";
    let reply = client.data(text, "250 2.0.0").await;
    assert!(reply.contains("held here until"), "{reply}");

    assert!(
        house.inbox("bob@example.test").await.is_empty(),
        "it is held for everybody"
    );
    let waiting = house.waiting().await;
    let far = waiting
        .iter()
        .find(|row| row.address.starts_with("eve@"))
        .expect("waits");
    let near = waiting
        .iter()
        .find(|row| row.address.starts_with("bob@"))
        .expect("waits");
    for row in [far, near] {
        let held_ms = row.due.0 - row.received_at.0 / 1000 * 1000;
        assert_eq!(held_ms, 60 * MINUTE_MS, "{}", row.address);
    }
    assert_eq!(near.lane, queue::lanes::LOCAL);

    let message = EnvelopeParams::read(&far.envelope);
    assert_eq!(
        (message.ret, message.envid.as_deref()),
        (Some(Ret::Hdrs), Some("QQ 314"))
    );
    assert_eq!(message.body, BodyType::EightBit);
    let by = message.deliver_by.expect("BY was given");
    assert_eq!(
        (by.until_unix_ms - far.due.0, by.mode),
        (2 * MINUTE_MS, ByMode::Return)
    );

    let params = RecipientParams::read(&far.params);
    let tells = params.tells();
    assert_eq!((tells.success, tells.failure, tells.delay), (true, true, false));
    let orcpt = params.orcpt.expect("ORCPT was given");
    assert_eq!(
        (orcpt.kind.as_str(), orcpt.address.as_str()),
        ("rfc822", "eve+x@victim.example")
    );
    assert_eq!(RecipientParams::read(&near.params).notify, Some(Notify::Never));
}

#[tokio::test]
async fn loop_3_a_stranger_may_ask_for_reports_but_nobody_is_sent_a_receipt() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    let offers = client.ask("EHLO mx.there.example", "250").await;
    assert!(offers.contains("DSN"), "{offers}");
    assert!(
        !offers.contains("FUTURERELEASE") && !offers.contains("DELIVERBY"),
        "{offers}"
    );
    client
        .ask("MAIL FROM:<a@there.example> HOLDFOR=60", "555 5.5.4")
        .await;
    client
        .ask("MAIL FROM:<a@there.example> BY=60;R", "555 5.5.4")
        .await;
    client
        .ask("MAIL FROM:<a@there.example> RET=FULL ENVID=1", "250")
        .await;
    client
        .ask("RCPT TO:<alice@example.test> NOTIFY=SUCCESS", "250")
        .await;
    client
        .ask("RCPT TO:<bob@example.test> NOTIFY=FAILURE", "250")
        .await;
    client
        .data("From: a@there.example\r\n\r\nx\r\n", "250 2.0.0")
        .await;

    assert_eq!(house.inbox("bob@example.test").await.len(), 1);
    assert_eq!(house.inbox("alice@example.test").await.len(), 1);
    assert!(
        house.waiting().await.is_empty(),
        "anybody may have written that sender: a receipt would be mail from us to whom they like"
    );
}

#[tokio::test]
async fn nobody_is_told_of_the_success_of_a_report() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO mx.there.example", "250").await;
    client.ask("MAIL FROM:<>", "250").await;
    client
        .ask("RCPT TO:<alice@example.test> NOTIFY=SUCCESS", "250")
        .await;
    client
        .data("From: a@there.example\r\n\r\nx\r\n", "250 2.0.0")
        .await;
    assert_eq!(house.inbox("alice@example.test").await.len(), 1);
    assert!(house.waiting().await.is_empty());
}

#[tokio::test]
async fn submission_says_how_long_it_holds() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    let offers = client.ask("EHLO laptop", "250").await;
    // The house's clock stands at 2026-11-23.
    assert!(offers.contains("FUTURERELEASE 604800 2026-11-30T"), "{offers}");
    assert!(
        offers.contains("DELIVERBY 60") && offers.contains("DSN"),
        "{offers}"
    );
    client
        .ask("MAIL FROM:<alice@example.test> HOLDFOR=604801", "501 5.5.4")
        .await;
    client
        .ask(
            "MAIL FROM:<alice@example.test> HOLDUNTIL=2027-01-01T00:00:00Z",
            "501 5.5.4",
        )
        .await;
    client
        .ask(
            "MAIL FROM:<alice@example.test> HOLDUNTIL=2026-11-29T00:00:00Z",
            "250",
        )
        .await;
}

#[tokio::test]
async fn tls_12_requiretls_is_offered_inside_tls_and_kept_with_the_message() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    let offers = client.ask("EHLO mx.there.example", "250").await;
    assert!(!offers.contains("REQUIRETLS"), "{offers}");
    client
        .ask("MAIL FROM:<a@there.example> REQUIRETLS", "555 5.5.4")
        .await;

    let mut client = house.submitter("alice@example.test").await;
    client
        .ask("MAIL FROM:<alice@example.test> REQUIRETLS RET=FULL", "250")
        .await;
    client.ask("RCPT TO:<eve@victim.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client
        .data(
            "From: alice@example.test\r\nTLS-Required: No\r\n\r\nhi\r\n",
            "250 2.0.0",
        )
        .await;
    let waiting = house.waiting().await;
    let kept = EnvelopeParams::read(&waiting[0].envelope).tls;
    assert_eq!((waiting.len(), kept), (1, TlsWish::RequireTls));
    assert_eq!(
        house.inbox("bob@example.test").await.len(),
        1,
        "it is here already"
    );
}

#[tokio::test]
async fn tls_12_who_signed_in_may_do_without_tls_and_nobody_else() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
    client.ask("RCPT TO:<eve@victim.example>", "250").await;
    client
        .data(
            "From: alice@example.test\r\nTLS-Required: No\r\n\r\nhi\r\n",
            "250 2.0.0",
        )
        .await;
    let waiting = house.waiting().await;
    assert_eq!(
        EnvelopeParams::read(&waiting[0].envelope).tls,
        TlsWish::NotRequired
    );
}
