//! Whom strangers' messages are really from: what is refused, what is written into the message, what is removed.

mod house;

use std::sync::Arc;

use house::House;
use receive::{Context, Door, DoorKind, DoorSettings, Genuine, GenuineMode};
use testkit::dns::SimDns;
use testkit::net::wire_pair;

const ZONE: &str = r#"
    there.example            TXT "v=spf1 ip4:192.0.2.77 -all"
    _dmarc.there.example     TXT "v=DMARC1; p=reject"
    other.example            TXT "v=spf1 ip4:192.0.2.78 -all"
    _dmarc.other.example     TXT "v=DMARC1; p=reject"
    soft.example             TXT "v=spf1 -all"
    _dmarc.soft.example      TXT "v=DMARC1; p=quarantine"
    slow.example             !delay 15s
    broken.example           !servfail
    _dmarc.broken.example    !servfail
    77.2.0.192.in-addr.arpa  PTR mx.there.example
    mx.there.example         A   192.0.2.77
"#;

/// The house with a name server, and its door for strangers.
async fn house(mode: GenuineMode) -> (House, Door) {
    let (house, door, _) = house_and_dns(mode).await;
    (house, door)
}

async fn house_and_dns(mode: GenuineMode) -> (House, Door, Arc<SimDns>) {
    let mut house = House::new().await;
    let context = &house.context;
    let dns = Arc::new(SimDns::new(context.queue.clock.clone(), ZONE).expect("a zone"));
    house.context = Arc::new(Context {
        queue: context.queue.clone(),
        directory: context.directory.clone(),
        guard: context.guard.clone(),
        chance: context.chance.clone(),
        dns: Some(dns.clone()),
        examining: context.examining.clone(),
        ids: context.ids.clone(),
        shutdown: context.shutdown.clone(),
    });
    let settings = DoorSettings {
        genuine: Genuine {
            mode,
            ..Genuine::default()
        },
        ..DoorSettings::new("mx.example.test")
    };
    (house, Door::new(DoorKind::Mx, None, settings), dns)
}

/// Waits until this name was asked for so often: bodies are written by other threads, at their own time.
async fn asked_for(dns: &SimDns, name: &str, times: usize) {
    while dns.asked().iter().filter(|(asked, _)| asked == name).count() < times {
        tokio::task::yield_now().await;
    }
}

/// Sends one message from 192.0.2.77; the reply to its end.
async fn send(parts: &(House, Door), from: &str, to: &str, message: &str) -> String {
    let (house, door) = parts;
    let mut client = house.connect_to(door.clone(), wire_pair());
    client.expect("220 ").await;
    client.ask("EHLO mx.there.example", "250").await;
    client.ask(&format!("MAIL FROM:<{from}>"), "250 ").await;
    client.ask(&format!("RCPT TO:<{to}>"), "250 ").await;
    client.data(message, "").await
}

fn message(from: &str) -> String {
    format!("From: {from}\r\nSubject: x\r\n\r\nbody\r\n")
}

#[tokio::test]
async fn aut_5_results_are_written_and_forged_ones_removed() {
    let parts = house(GenuineMode::Note).await;
    let forged = "Authentication-Results: mx.example.test; dmarc=pass\r\nAuthentication-Results: other.example; dmarc=pass\r\n\
                  Received-SPF: pass receiver=mx.example.test\r\n";
    let reply = send(
        &parts,
        "a@there.example",
        "alice@example.test",
        &(forged.to_owned() + &message("a@there.example")),
    )
    .await;
    assert!(reply.starts_with("250 "), "{reply}");
    let inbox = parts.0.inbox("alice@example.test").await;
    let text = String::from_utf8_lossy(&inbox[0]);
    let ours = "Authentication-Results: mx.example.test;\r\n spf=pass smtp.mailfrom=there.example;\r\n dkim=none;\r\n \
                dmarc=pass (p=reject) header.from=there.example;\r\n arc=none;\r\n iprev=pass policy.iprev=192.0.2.77\r\n";
    assert!(text.contains(ours), "{text}");
    assert_eq!(
        text.matches("Authentication-Results: mx.example.test").count(),
        1,
        "{text}"
    );
    assert!(
        text.contains("Authentication-Results: other.example; dmarc=pass\r\n"),
        "{text}"
    );
    assert!(!text.contains("Received-SPF"), "{text}");
    let ours = text.find("Authentication-Results: mx").expect("ours");
    assert!(ours < text.find("Received: from").expect("Received"), "{text}");
}

#[tokio::test]
async fn aut_5_forged_results_go_even_where_nothing_is_asked() {
    let parts = house(GenuineMode::Off).await;
    let forged = "Authentication-Results : MX.example.test; dmarc=pass\r\n".to_owned();
    send(
        &parts,
        "a@there.example",
        "alice@example.test",
        &(forged + &message("a@there.example")),
    )
    .await;
    let inbox = parts.0.inbox("alice@example.test").await;
    assert!(!String::from_utf8_lossy(&inbox[0]).contains("Authentication-Results"));
}

#[tokio::test]
async fn aut_14_and_aut_3_the_verdict_holds_where_it_is_enforced() {
    let table = [
        ("a@there.example", "a@there.example", "250 2.0.0 "),
        (
            "a@there.example",
            "a@other.example",
            "550 5.7.1 Not taken: nobody vouches for other.example, and it wants for such mail: reject. ",
        ),
        (
            "",
            "alice@example.test",
            "550 5.7.1 Not taken: example.test is a domain of ours",
        ),
        ("alice@example.test", "alice@example.test", "550 5.7.1 "),
        ("a@there.example", "x@plain.example", "250 2.0.0 "),
        ("a@soft.example", "a@soft.example", "250 2.0.0 "),
        (
            "a@broken.example",
            "a@broken.example",
            "451 4.4.3 Not now: DNS did not answer",
        ),
        (
            "a@there.example",
            "a@there.example\r\nFrom: b@other.example",
            "550 5.7.1 Not taken: the message names several authors",
        ),
        (
            "a@there.example",
            "<a@other.example> <a@there.example>",
            "550 5.7.1 ",
        ),
    ];
    let parts = house(GenuineMode::Enforce).await;
    for (from, author, want) in table {
        let reply = send(&parts, from, "alice@example.test", &message(author)).await;
        assert!(reply.starts_with(want), "{from} {author}: {reply}");
    }
    assert_eq!(parts.0.inbox("alice@example.test").await.len(), 2);
    assert_eq!(parts.0.mailbox("alice@example.test", "Junk").await.len(), 1);
    let noted = house(GenuineMode::Note).await;
    for (from, author, _) in table {
        let reply = send(&noted, from, "alice@example.test", &message(author)).await;
        assert!(reply.starts_with("250 "), "{from} {author}: {reply}");
    }
}

#[tokio::test]
async fn aut_12_what_its_domain_disowns_is_not_forwarded() {
    let parts = house(GenuineMode::Enforce).await;
    let spec = directory::admin::AliasSpec {
        address: "out@example.test".to_owned(),
        targets: vec!["x@far.example".to_owned()],
    };
    parts.0.directory.add_alias(spec).await.expect("an alias");
    let reply = send(
        &parts,
        "a@soft.example",
        "out@example.test",
        &message("a@soft.example"),
    )
    .await;
    assert!(
        reply.starts_with("550 5.7.1 ") && reply.contains("it would be forwarded"),
        "{reply}"
    );
    assert!(parts.0.waiting().await.is_empty());
    let reply = send(
        &parts,
        "a@there.example",
        "out@example.test",
        &message("a@there.example"),
    )
    .await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(parts.0.waiting().await.len(), 1);
}

/// An address that reaches bob here and somebody elsewhere: SPF vouches for the envelope, so its sender can be told of the copy that
/// does not leave; without that nobody could, and the message is refused.
#[tokio::test]
async fn aut_12_what_is_disowned_is_kept_here_and_its_sender_told_of_the_copy_that_does_not_leave() {
    let parts = house(GenuineMode::Enforce).await;
    let spec = directory::admin::AliasSpec {
        address: "both@example.test".to_owned(),
        targets: vec!["bob@example.test".to_owned(), "x@far.example".to_owned()],
    };
    parts.0.directory.add_alias(spec).await.expect("an alias");
    let from = |envelope| (envelope, "both@example.test", message("a@soft.example"));
    let (envelope, to, text) = from("a@soft.example");
    let reply = send(&parts, envelope, to, &text).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    let (envelope, to, text) = from("a@there.example");
    let reply = send(&parts, envelope, to, &text).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(parts.0.mailbox("bob@example.test", "Junk").await.len(), 1);
    let waiting = parts.0.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert!(
        waiting[0]
            .reason
            .starts_with("not forwarded: nobody vouches for soft.example"),
        "{}",
        waiting[0].reason
    );
    assert!(
        queue::RecipientParams::read(&waiting[0].params).refused,
        "it never leaves"
    );
}

#[tokio::test]
async fn aut_10_slow_domains_do_not_hold_up_others_and_are_put_off() {
    let (house, door, dns) = house_and_dns(GenuineMode::Enforce).await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut client = house.connect_to(door.clone(), wire_pair());
        client.expect("220 ").await;
        client.ask("EHLO mx.there.example", "250").await;
        client.ask("MAIL FROM:<a@slow.example>", "250 ").await;
        client.ask("RCPT TO:<alice@example.test>", "250 ").await;
        client.ask("DATA", "354").await;
        client.say(&format!("{}.\r\n", message("a@slow.example"))).await;
        slow.push(client);
    }
    asked_for(&dns, "slow.example", slow.len()).await;
    let parts = (house, door);
    let reply = send(
        &parts,
        "a@there.example",
        "alice@example.test",
        &message("a@there.example"),
    )
    .await;
    assert!(
        reply.starts_with("250 "),
        "while five others wait for DNS: {reply}"
    );
    for _ in 0..4 {
        parts.0.clock.advance(std::time::Duration::from_secs(15)).await;
    }
    let mut put_off = 0;
    for mut client in slow {
        let reply = client.reply().await;
        put_off += usize::from(
            reply.starts_with("451 4.4.3 Not now: whom the message is from cannot be found out: "),
        );
    }
    assert_eq!(
        put_off,
        5 - receive::limits::SLOW_EXAMINATIONS_OF_ONE,
        "of one client"
    );
}

/// The operator's word, and what it comes before.
#[tokio::test]
async fn aut_11_what_the_operator_says_holds_at_the_door() {
    let (house, _) = house(GenuineMode::Enforce).await;
    let genuine = Genuine {
        mode: GenuineMode::Enforce,
        refused: vec!["there.example".to_owned()],
        lenient: vec!["other.example".to_owned()],
        ..Genuine::default()
    };
    let door = |genuine: Genuine| {
        let settings = DoorSettings {
            genuine,
            ..DoorSettings::new("mx.example.test")
        };
        Door::new(DoorKind::Mx, None, settings)
    };
    let brought = Genuine {
        brought_by: vec![msgauth::network::Network::new(
            "192.0.2.64".parse().expect("an address"),
            27,
        )],
        ..genuine.clone()
    };
    let (plain, brought) = (door(genuine), door(brought));
    for (door, author, want) in [
        (
            &plain,
            "a@there.example",
            "550 5.7.1 Not taken: mail from there.example is not taken here",
        ),
        (&plain, "a@sub.there.example", "550 5.7.1 "),
        (&plain, "a@other.example", "250 "),
        (&plain, "a@example.test", "550 5.7.1 "),
        (&brought, "a@there.example", "550 5.7.1 "),
        (&brought, "a@example.test", "250 "),
        (&brought, "a@soft.example", "250 "),
    ] {
        let mut client = house.connect_to(door.clone(), wire_pair());
        client.expect("220 ").await;
        client.ask("EHLO mx.there.example", "250").await;
        client.ask("MAIL FROM:<a@there.example>", "250 ").await;
        client.ask("RCPT TO:<alice@example.test>", "250 ").await;
        let reply = client.data(&message(author), "").await;
        assert!(reply.starts_with(want), "{author}: {reply}");
    }
    assert!(house.mailbox("alice@example.test", "Junk").await.is_empty());
}

#[tokio::test]
async fn a_submission_is_not_examined() {
    let (house, _) = house(GenuineMode::Enforce).await;
    let mut client = house.submitter("alice@example.test").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data(&message("alice@example.test"), "250").await;
    let inbox = house.inbox("bob@example.test").await;
    assert!(!String::from_utf8_lossy(&inbox[0]).contains("Authentication-Results"));
}

/// What dns says of our keys, and the header as other servers will see it.
#[tokio::test]
async fn aut_8_what_users_submit_is_signed_and_verifies_and_nothing_else_is() {
    use msgauth::desk::Desk;
    use msgauth::dkim::sign::SigningKey;
    let keys = || {
        vec![
            SigningKey::ed25519("example.test", "e1", &[7; 32]).expect("a key"),
            SigningKey::ed25519("far.example", "e1", &[8; 32]).expect("a key"),
        ]
    };
    let house = House::new().await;
    let signer = &house.context.queue.signer;
    signer.put(keys().into_iter().map(Arc::new).collect());
    let door = |kind| {
        let settings = DoorSettings::new("mx.example.test");
        Door::new(kind, Some(Arc::new(house::PretendTls)), settings)
    };
    let mut client = house.connect_to(door(DoorKind::Submissions), wire_pair());
    client.sign_in("alice@example.test").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    let text =
        "From: alice@example.test\r\nBcc: x@far.example\r\nSubject: x\r\n\r\nbody \r\n\r\nlast\r\n\r\n";
    client.data(text, "250").await;
    let inbox = house.inbox("bob@example.test").await;
    let kept = &inbox[0];
    let shown = String::from_utf8_lossy(kept);
    assert_eq!(shown.matches("DKIM-Signature:").count(), 1, "{shown}");

    let key = &keys()[0];
    let zone = format!("{} TXT \"{}\"", key.record_name(), key.record());
    let clock = house.context.queue.clock.clone();
    let dns = SimDns::new(clock.clone(), &zone).expect("a zone");
    let at = mail::header::body_start(kept);
    let mut verifying = msgauth::dkim::Verifying::begin(&kept[..at], None);
    verifying.body(&kept[at..]);
    let mut desk = Desk::new(&dns, &*clock, 5, std::time::Duration::from_secs(5));
    let report = verifying.finish(&mut desk, clock.now().0 / 1000).await;
    assert_eq!(
        report.signatures[0].to_string(),
        "example.test (key e1): the signature is good"
    );

    let mut stranger = house.connect_to(door(DoorKind::Mx), wire_pair());
    stranger.expect("220").await;
    stranger.ask("EHLO there.example", "250").await;
    stranger.ask("MAIL FROM:<alice@example.test>", "250").await;
    stranger.ask("RCPT TO:<alice@example.test>", "250").await;
    stranger.data(text, "250").await;
    let inbox = house.inbox("alice@example.test").await;
    assert!(
        !String::from_utf8_lossy(&inbox[0]).contains("DKIM-Signature"),
        "a stranger's mail is not signed"
    );
}

/// The client attacks of the same paper: an account of ours cannot write as another.
#[tokio::test]
async fn aut_2_a_user_cannot_submit_as_somebody_else() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    for header in [
        "From: bob@example.test",
        "From: alice@example.test\r\nFrom: bob@example.test",
        "From: bob@example.test\r\nFrom: alice@example.test",
        "From: alice@example.test, bob@example.test",
        "From: alice@example.test\r\n From: bob@example.test",
        "From : bob@example.test\r\nFrom: alice@example.test",
        "From: <alice@example.test> <bob@example.test>",
        "From: alice@example.test\r\nSender: bob@example.test",
    ] {
        client.ask("MAIL FROM:<alice@example.test>", "250").await;
        client.ask("RCPT TO:<bob@example.test>", "250").await;
        client
            .data(&format!("{header}\r\nSubject: x\r\n\r\nbody\r\n"), "550 ")
            .await;
    }
    assert!(house.inbox("bob@example.test").await.is_empty());
}
