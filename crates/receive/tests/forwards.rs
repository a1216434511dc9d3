//! Addresses that lead to other servers, through whole sessions.

use directory::admin::AliasSpec;
use queue::RecipientParams;
use receive::DoorKind;
use store::contract::WaitingRow;

mod house;

use house::{Client, House};

const MESSAGE: &str = "Subject: hello\r\n\r\nA body.\r\n";

async fn alias(house: &House, address: &str, targets: &[&str]) {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    let spec = AliasSpec {
        address: address.to_owned(),
        targets,
    };
    house.directory.add_alias(spec).await.expect("an alias");
}

async fn stranger(house: &House) -> Client {
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO there.example", "250-").await;
    client
}

fn params(row: &WaitingRow) -> RecipientParams {
    RecipientParams::read(&row.params)
}

#[tokio::test]
async fn a_strangers_message_goes_where_an_alias_leads_under_a_sender_of_ours() {
    let house = House::new().await;
    alias(
        &house,
        "out@example.test",
        &["alice@example.test", "x@far.example"],
    )
    .await;
    let mut client = stranger(&house).await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.data(MESSAGE, "250").await;
    assert_eq!(house.inbox("alice@example.test").await.len(), 1);
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    let row = &waiting[0];
    assert_eq!((row.address.as_str(), row.account), ("x@far.example", None));
    assert_eq!(row.lane, "far.example -");
    assert_eq!(row.reverse_path, "a@there.example", "who gets the report");
    assert_eq!(params(row).via, ["out@example.test"]);
    let sender = params(row).reverse_path.expect("rewritten");
    assert!(
        sender.starts_with("SRS0=") && sender.ends_with("=there.example=a@example.test"),
        "{sender}"
    );
}

#[tokio::test]
async fn loop_3_a_report_comes_back_to_who_wrote_and_nothing_else_does() {
    let house = House::new().await;
    alias(&house, "out@example.test", &["x@far.example"]).await;
    let mut client = stranger(&house).await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.data(MESSAGE, "250").await;
    let back = params(&house.waiting().await[0]).reverse_path.expect("rewritten");
    client.ask("MAIL FROM:<spam@there.example>", "250").await;
    client.ask(&format!("RCPT TO:<{back}>"), "550 5.7.1").await;
    client.ask("RSET", "250").await;
    client.ask("MAIL FROM:<>", "250").await;
    let forged = back.replace("=a@", "=victim@");
    client.ask(&format!("RCPT TO:<{forged}>"), "550 5.1.1").await;
    client
        .ask(&format!("RCPT TO:<{}>", back.to_lowercase()), "250")
        .await;
    client.data(MESSAGE, "250").await;
    let waiting = house.waiting().await;
    let report = waiting
        .iter()
        .find(|row| row.address == "a@there.example")
        .expect("the report");
    assert_eq!(report.reverse_path, "");
    assert_eq!(params(report).reverse_path, None, "null stays null");
}

#[tokio::test]
async fn loop_2_a_message_that_comes_back_is_not_forwarded_again() {
    let house = House::new().await;
    alias(
        &house,
        "out@example.test",
        &["alice@example.test", "x@far.example"],
    )
    .await;
    let back = "Delivered-To: out@example.test\r\nReceived: by far.example; x\r\nSubject: hello\r\n\r\nx\r\n";
    let mut client = stranger(&house).await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.data(back, "554 5.4.6").await;
    assert!(house.inbox("alice@example.test").await.is_empty() && house.waiting().await.is_empty());
    // Somebody else's mail is not lost over it.
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data(back, "250").await;
    assert_eq!(house.inbox("bob@example.test").await.len(), 1);
}

#[tokio::test]
async fn lmtp_and_users_forward_too() {
    let house = House::new().await;
    alias(
        &house,
        "out@example.test",
        &["alice@example.test", "x@far.example"],
    )
    .await;
    let mut client = house.connect(DoorKind::Lmtp);
    client.expect("220").await;
    client.ask("LHLO localhost", "250-").await;
    client.ask("MAIL FROM:<bob@example.test>", "250").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data(MESSAGE, "250 2.0.0").await;
    client.expect("250 2.0.0").await;
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(params(&waiting[0]).reverse_path, None, "a sender of ours stays");
}

#[tokio::test]
async fn a_full_mailbox_keeps_no_forward() {
    let house = House::new().await;
    alias(
        &house,
        "out@example.test",
        &["dave@example.test", "x@far.example"],
    )
    .await;
    let mut client = stranger(&house).await;
    client.ask("MAIL FROM:<a@there.example> SIZE=1000", "250").await;
    client.ask("RCPT TO:<dave@example.test>", "452").await;
    client.ask("RCPT TO:<out@example.test>", "250").await;
    client.data(MESSAGE, "250").await;
    assert_eq!(house.waiting().await.len(), 1);
}

/// Every refusal is said in the session: nothing is written to the sender later, whoever that may be.
#[tokio::test]
async fn loop_3_no_refusal_becomes_mail_to_the_sender() {
    let house = House::new().await;
    alias(&house, "out@example.test", &["x@far.example"]).await;
    let mut client = stranger(&house).await;
    for (recipient, answer) in [
        ("nobody@example.test", "550 5.1.1"),
        ("carol@example.test", "550 5.1.1"),
        ("x@far.example", "550 5.7.1"),
        ("SRS0=AAAAAA=BB=far.example=victim@example.test", "550 5.1.1"),
    ] {
        client.ask("MAIL FROM:<forged@victim.example>", "250").await;
        client.ask(&format!("RCPT TO:<{recipient}>"), answer).await;
        client.ask("RSET", "250").await;
    }
    client
        .ask("MAIL FROM:<forged@victim.example> SIZE=1000", "250")
        .await;
    client.ask("RCPT TO:<dave@example.test>", "452 4.2.2").await;
    client.ask("RSET", "250").await;
    client
        .ask("MAIL FROM:<forged@victim.example> SIZE=99999999999", "552")
        .await;
    for (message, answer) in [
        (format!("{}\r\nx\r\n", "Received: x\r\n".repeat(51)), "554 5.4.6"),
        (
            "Delivered-To: out@example.test\r\n\r\nx\r\n".to_owned(),
            "554 5.4.6",
        ),
        (" continued\r\n\r\nx\r\n".to_owned(), "550 5.6.0"),
    ] {
        client.ask("MAIL FROM:<forged@victim.example>", "250").await;
        client.ask("RCPT TO:<out@example.test>", "250").await;
        client.data(&message, answer).await;
    }
    assert!(house.waiting().await.is_empty());
    for name in ["alice", "bob"] {
        assert!(house.inbox(&format!("{name}@example.test")).await.is_empty());
    }
}
