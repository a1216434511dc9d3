//! Sessions over simulated wires with a real store: what is kept, what is refused, what is said.

mod house;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use house::{House, PASSWORD};
use receive::DoorKind;

/// The doors at which strangers and local programs hand in mail.
const UNSIGNED: [(DoorKind, &str); 2] = [
    (DoorKind::Mx, "EHLO there.example"),
    (DoorKind::Lmtp, "LHLO there.example"),
];

const MESSAGE: &str = "From: a@there.example\r\nSubject: hello\r\n\r\nbody\r\n.\r\n..two\r\n.x\r\n";

#[tokio::test]
async fn a_strangers_message_is_in_the_mailbox_when_250_is_said() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220 mx.example.test ESMTP").await;
    client
        .ask(
            "EHLO there.example",
            "250-mx.example.test|250-PIPELINING|250-SIZE 1048576",
        )
        .await;
    client
        .ask("MAIL FROM:<a@there.example> SIZE=200", "250 2.1.0")
        .await;
    client.ask("RCPT TO:<Alice+news@EXAMPLE.test>", "250 2.1.5").await;
    let reply = client.data(MESSAGE, "250 2.0.0").await;
    let inbox = house.inbox("alice@example.test").await;
    assert_eq!(inbox.len(), 1);
    let text = String::from_utf8(inbox[0].clone()).expect("text");
    let queue_id = reply.split("queued as ").nth(1).expect("a queue id");
    let prefix = format!(
        "Return-Path: <a@there.example>\r\nDelivered-To: alice@example.test\r\nReceived: from there.example \
         ([192.0.2.77])\r\n\tby mx.example.test with ESMTP id {queue_id}\r\n\tfor <Alice+news@example.test>;\r\n\t"
    );
    assert!(text.starts_with(&prefix), "{text}");
    assert!(
        text.ends_with(&format!(" +0000\r\n{MESSAGE}")),
        "SMG-6: the body is what was sent: {text}"
    );
    client.ask("QUIT", "221 2.0.0").await;
    assert_eq!(client.rest().await, "");
    client.served().await;
    let told = house.events.named("queue.accepted");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].number("delivered"), Some(1));
}

#[tokio::test]
async fn a_group_of_commands_is_answered_in_order() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO there.example", "250-").await;
    for round in 0..3 {
        client
            .say("MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<postmaster>\r\nDATA\r\n")
            .await;
        for want in ["250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354"] {
            client.expect(want).await;
        }
        client.say(format!("Subject: {round}\r\n\r\n.\r\n")).await;
        client.expect("250 2.0.0").await;
    }
    // The postmaster of a house without one is its first account: the same mailbox, one copy.
    assert_eq!(house.inbox("alice@example.test").await.len(), 3);
}

#[tokio::test]
async fn an_alias_and_its_member_get_one_copy_each() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO there.example", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.ask("RCPT TO:<team@example.test>", "250").await;
    client.data(MESSAGE, "250").await;
    assert_eq!(house.inbox("alice@example.test").await.len(), 1);
    let bobs = house.inbox("bob@example.test").await;
    assert_eq!(bobs.len(), 1);
    let text = String::from_utf8_lossy(&bobs[0]);
    assert!(
        !text.contains("for <"),
        "with several recipients nobody is named: {text}"
    );
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Lmtp);
    client.expect("220 mx.example.test LMTP").await;
    client.ask("LHLO localhost", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<alice@example.test>", "250").await;
    client.ask("RCPT TO:<dave@example.test> ", "250").await;
    client.ask("RCPT TO:<team@example.test>", "250").await;
    client.data(MESSAGE, "250 2.0.0").await;
    client.expect("250 2.0.0").await;
    client.expect("250 2.0.0").await;
    for (user, want) in [("alice", 1), ("bob", 1), ("dave", 1)] {
        assert_eq!(
            house.inbox(&format!("{user}@example.test")).await.len(),
            want,
            "{user}"
        );
    }
    let text = String::from_utf8(house.inbox("bob@example.test").await.remove(0)).expect("text");
    assert!(
        text.contains("\r\nReceived: by mx.example.test with LMTP id q"),
        "{text}"
    );
    assert!(
        !text.contains("192.0.2.77"),
        "PRV-4: no address of a local program: {text}"
    );
}

#[tokio::test]
async fn a_message_in_chunks_is_the_message() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO there.example", "250-").await;
    client
        .say("MAIL FROM:<a@there.example>\r\nRCPT TO:<alice@example.test>\r\nBDAT 12\r\nSubject: x\r\nBDAT 8\r\n\r\n.\r\n..\r")
        .await;
    for want in ["250 2.1.0", "250 2.1.5", "250 2.0.0 Chunk", "250 2.0.0 Chunk"] {
        client.expect(want).await;
    }
    client.say("BDAT 5 LAST\r\n\nlast").await;
    client.expect("250 2.0.0 Thank you, queued as q").await;
    let text = String::from_utf8(house.inbox("alice@example.test").await.remove(0)).expect("text");
    assert!(
        text.ends_with("\r\nSubject: x\r\n\r\n.\r\n..\r\nlast\r\n"),
        "{text:?}"
    );
    client.ask("RCPT TO:<alice@example.test>", "503").await;
}

#[tokio::test]
async fn smg_1_text_behind_a_false_end_never_becomes_a_message() {
    let house = House::new().await;
    for (door, hello) in UNSIGNED {
        for end in [
            "\n.\n",
            "\n.\r\n",
            "\r.\r\n",
            "\r\n.\n",
            "\r\n.\r",
            "\r\n\0.\r\n",
            "\r\n.\0\r\n",
            "\r\n.\r\r\n",
            "\r\r\n.\r\r\n",
        ] {
            let mut client = house.connect(door);
            client.expect("220").await;
            client.ask(hello, "250").await;
            client.ask("MAIL FROM:<a@there.example>", "250").await;
            client.ask("RCPT TO:<alice@example.test>", "250").await;
            let smuggled =
                "MAIL FROM:<evil@there.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nsmuggled\r\n";
            client
                .data(&format!("Subject: x\r\n\r\nbody{end}{smuggled}"), "550 5.6.0")
                .await;
            client.ask("NOOP", "250").await;
            client.ask("QUIT", "221").await;
        }
    }
    assert!(house.inbox("alice@example.test").await.is_empty());
    assert!(house.inbox("bob@example.test").await.is_empty());
    assert!(!house.events.named("receive.message-refused").is_empty());
}

#[tokio::test]
async fn smg_4_data_after_bdat_is_refused_and_bare_octets_in_chunks_too() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO there.example", "250-").await;
    client.say("BDAT 6\r\nQUIT\r\n").await;
    client.expect("503 5.5.1").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.say("BDAT 6 LAST\r\nQUIT\r\n").await;
    client.expect("503 5.5.1").await;
    client.ask("RCPT TO:<alice@example.test>", "250").await;
    client.say("BDAT 4\r\nab\r\n").await;
    client.expect("250").await;
    client.ask("DATA", "503 5.5.1").await;
    client.say("BDAT 4 LAST\r\na\nb\n").await;
    client.expect("550 5.6.0").await;
    client.ask("BDAT 18446744073709551616 LAST", "501 5.5.4").await;
    assert_eq!(client.rest().await, "", "closed");
    assert!(house.inbox("alice@example.test").await.is_empty());
}

#[tokio::test]
async fn smg_5_nothing_is_done_that_was_sent_too_early() {
    let house = House::new().await;
    for script in ["EHLO x\r\nMAIL FROM:<a@there.example>\r\n", "EHLO x\r\nQUIT\r\n"] {
        let mut client = house.connect(DoorKind::Mx);
        client.expect("220").await;
        client.say(script).await;
        client.expect("554 5.5.0").await;
        assert_eq!(client.rest().await, "", "closed");
    }
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client
        .say("MAIL FROM:<a@there.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
        .await;
    client.expect("250").await;
    client.expect("250").await;
    client.expect("554 5.5.0").await;
    assert_eq!(client.rest().await, "", "closed");
    assert!(house.inbox("alice@example.test").await.is_empty());
}

#[tokio::test]
async fn smt_1_a_line_without_end_is_cut_off() {
    let house = House::new().await;
    for (door, _) in UNSIGNED {
        let mut client = house.connect(door);
        client.expect("220").await;
        for _ in 0..8 {
            client.shout(vec![b'x'; 4096]).await;
        }
        client.expect("500 5.5.6").await;
        assert_eq!(client.rest().await, "", "closed");
    }
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    let longest = format!("NOOP {}", "x".repeat(2048 - 7));
    client.ask(&longest, "250").await;
}

#[tokio::test]
async fn smt_1_a_text_line_above_998_octets_refuses_the_message() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    for (length, want) in [(998, "250 2.0.0"), (999, "550 5.6.0"), (200_000, "550 5.6.0")] {
        client.ask("MAIL FROM:<a@there.example>", "250").await;
        client.ask("RCPT TO:<alice@example.test>", "250").await;
        client
            .data(&format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(length)), want)
            .await;
    }
}

#[tokio::test]
async fn smt_2_recipients_sizes_and_headers_have_limits() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client
        .ask("MAIL FROM:<a@there.example> SIZE=1048577", "552 5.3.4")
        .await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    for number in 0..1000 {
        client
            .ask(&format!("RCPT TO:<alice+{number}@example.test>"), "250 2.1.5")
            .await;
    }
    client.ask("RCPT TO:<bob@example.test>", "452 4.5.3").await;
    client.data("Subject: x\r\n\r\n", "250 2.0.0").await;
    assert_eq!(house.inbox("alice@example.test").await.len(), 1);
    for (message, want) in [
        (format!("{}\r\n", "X: y\r\n".repeat(1001)), "554 5.6.0"),
        (
            format!("{}\r\n", format!("X: {}\r\n", "y".repeat(995)).repeat(300)),
            "552 5.3.4",
        ),
        (
            format!(
                "Subject: x\r\n\r\n{}",
                format!("{}\r\n", "z".repeat(998)).repeat(1049)
            ),
            "552 5.3.4",
        ),
        ("Subject: fine\r\n\r\n".to_owned(), "250 2.0.0"),
    ] {
        client.ask("MAIL FROM:<a@there.example>", "250").await;
        client.ask("RCPT TO:<bob@example.test>", "250").await;
        client.data(&message, want).await;
    }
    assert_eq!(house.inbox("bob@example.test").await.len(), 1);
}

#[tokio::test]
async fn smt_4_a_client_that_speaks_first_is_turned_away() {
    let house = House::new().await;
    let (ours, theirs) = testkit::net::wire_pair();
    let mut ours = ours;
    tokio::io::AsyncWriteExt::write_all(&mut ours, b"EHLO early\r\n")
        .await
        .expect("it takes it");
    let mut client = house.connect_to(House::door(DoorKind::Mx), (ours, theirs));
    client.expect("554 5.5.0").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn smt_6_a_session_of_errors_ends() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    for _ in 0..9 {
        client.ask("WHAT IS THIS", "500 5.5.1").await;
    }
    client.ask("WHAT IS THIS", "421 4.7.0").await;
    assert_eq!(client.rest().await, "", "closed");
    assert_eq!(house.events.named("receive.session-closed").len(), 1);
}

#[tokio::test]
async fn smt_7_guessing_recipients_ends_and_disabled_looks_like_unknown() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<>", "250").await;
    let disabled = client.ask("RCPT TO:<carol@example.test>", "550 5.1.1").await;
    let unknown = client.ask("RCPT TO:<nobody@example.test>", "550 5.1.1").await;
    assert_eq!(disabled, unknown);
    for number in 0..8 {
        client
            .ask(&format!("RCPT TO:<guess{number}@example.test>"), "550 5.1.1")
            .await;
    }
    client.ask("RCPT TO:<guess8@example.test>", "421 4.7.0").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn smt_7_an_address_that_guesses_is_sent_away_also_in_later_sessions() {
    let house = House::guarded().await;
    let greeted = async || {
        let mut client = house.connect(DoorKind::Mx);
        client.expect("220").await;
        client.ask("EHLO x", "250-").await;
        client.ask("MAIL FROM:<a@there.example>", "250").await;
        client
    };
    for number in 0..10 {
        let mut client = greeted().await;
        client
            .ask(&format!("RCPT TO:<guess{number}@example.test>"), "550 5.1.1")
            .await;
    }
    greeted()
        .await
        .ask("RCPT TO:<guess10@example.test>", "421 4.7.0")
        .await;
    greeted()
        .await
        .ask("RCPT TO:<alice@example.test>", "421 4.7.0")
        .await;
    greeted().await.ask("RCPT TO:<postmaster>", "250").await;
    let mut user = house.submitter("alice@example.test").await;
    user.ask("MAIL FROM:<alice@example.test>", "250").await;
    user.ask("RCPT TO:<bob@example.test>", "250").await;
    house.clock.advance(guard::limits::GUESSING).await;
    greeted().await.ask("RCPT TO:<alice@example.test>", "250").await;
}

#[tokio::test]
async fn wrong_passwords_make_their_address_wait() {
    let house = House::guarded().await;
    let signing_in = async |password: &str, want: &str| {
        let mut client = house.connect(DoorKind::Submissions);
        client.handshake().await;
        client.expect("220").await;
        client.ask("EHLO laptop.home.example", "250-").await;
        let plain = STANDARD.encode(format!("\0alice@example.test\0{password}"));
        client.ask(&format!("AUTH PLAIN {plain}"), want).await;
    };
    for _ in 0..guard::limits::FAILURES {
        signing_in("wrong", "535 5.7.8").await;
    }
    signing_in(house::PASSWORD, "454 4.7.0").await;
    house.clock.advance(guard::limits::SIGN_IN).await;
    signing_in(house::PASSWORD, "235 2.7.0").await;
    for _ in 0..2 * guard::limits::FAILURES {
        signing_in("wrong", "535 5.7.8").await;
    }
    signing_in(house::PASSWORD, "235 2.7.0").await;
}

#[tokio::test]
async fn smt_8_a_greeting_never_breaks_the_header() {
    let house = House::new().await;
    for name in ["a\"b)(", "<x@y>", "x;y", "a_b.example"] {
        let mut client = house.connect(DoorKind::Mx);
        client.expect("220").await;
        client.ask(&format!("EHLO {name}"), "250-").await;
        client.ask("MAIL FROM:<a@there.example>", "250").await;
        client.ask("RCPT TO:<bob@example.test>", "250").await;
        client.data("Subject: x\r\n\r\n", "250").await;
    }
    for message in house.inbox("bob@example.test").await {
        let header = mail::header::Header::scan(&message).expect("small");
        let names: Vec<_> = header
            .fields()
            .iter()
            .map(|field| String::from_utf8_lossy(field.name()).into_owned())
            .collect();
        assert_eq!(names, ["Return-Path", "Delivered-To", "Received", "Subject"]);
    }
}

#[tokio::test]
async fn smt_9_a_browser_gets_no_answer() {
    let house = House::new().await;
    for (door, _) in UNSIGNED {
        let mut client = house.connect(door);
        client.expect("220").await;
        client
            .say("POST / HTTP/1.1\r\nHost: mx.example.test\r\n\r\nMAIL FROM:<a@there.example>\r\n")
            .await;
        assert_eq!(client.rest().await, "", "closed at once");
    }
}

/// Address tricks of the threat list: none of them may leave, at any door where nobody signed in.
const TRICKS: [&str; 26] = [
    "user%victim.example@example.test",
    "victim.example!user@example.test",
    "@example.test:user@victim.example",
    "@a.example,@b.example:user@victim.example",
    "\"user@victim.example\"@example.test",
    "\"user@victim.example\"",
    "user@victim.example@example.test",
    "user@example.test@victim.example",
    "user@[192.0.2.1]",
    "user@[127.0.0.1]",
    "user@[IPv6:::1]",
    "user@victim.example.",
    "alice@example.test.",
    "user@VICTIM.example",
    "user@localhost",
    "user@mx.example.test",
    "user@sub.example.test",
    "user@xn--n3h.example",
    "user@\u{2603}.example",
    "user@example\u{3002}test.victim.example",
    "user@victim.example,alice@example.test",
    "alice@example.test user@victim.example",
    "victim.example!user",
    "user%victim.example",
    "\"@victim.example:\"@example.test",
    "user@",
];

#[tokio::test]
async fn rel_1_rel_2_rel_3_nothing_leaves_without_signing_in() {
    let house = House::new().await;
    let recipients = TRICKS.iter().map(|trick| format!("<{trick}>"));
    let recipients: Vec<String> = recipients.chain(["<user@victim.example>".to_owned()]).collect();
    for (door, hello) in UNSIGNED {
        for sender in [
            "<>",
            "<a@there.example>",
            "<alice@example.test>",
            "<postmaster@example.test>",
        ] {
            for group in recipients.chunks(7) {
                let mut client = house.connect(door);
                client.expect("220").await;
                client.ask(hello, "250").await;
                client.ask(&format!("MAIL FROM:{sender}"), "250").await;
                for recipient in group {
                    let reply = client.ask(&format!("RCPT TO:{recipient}"), "").await;
                    assert!(
                        reply.starts_with("55") || reply.starts_with("501"),
                        "{recipient}: {reply}"
                    );
                }
                client.ask("DATA", "503 5.5.1").await;
            }
        }
    }
    assert!(house.waiting().await.is_empty());
}

#[tokio::test]
async fn rel_5_a_user_sends_as_nobody_else() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    for sender in [
        "bob@example.test",
        "bob+alice@example.test",
        "a@there.example",
        "postmaster@there.example",
    ] {
        client.ask(&format!("MAIL FROM:<{sender}>"), "550 5.7.1").await;
    }
    drop(client);
    let own = ["alice@example.test", "ALICE@example.TEST", "alice+x@example.test"];
    for from in own {
        let mut client = house.submitter("alice@example.test").await;
        client.ask(&format!("MAIL FROM:<{from}>"), "250").await;
        client.ask("RCPT TO:<bob@example.test>", "250").await;
        client
            .data(&format!("From: Alice <{from}>\r\n\r\nx\r\n"), "250")
            .await;
    }
    let mut client = house.submitter("alice@example.test").await;
    for header in [
        "From: bob@example.test",
        "From: alice@example.test, bob@example.test",
        "From: alice@example.test\r\nSender: bob@example.test",
        "From: alice@example.test\r\nResent-From: bob@example.test",
        "From: alice@example.test\r\nFrom: bob@example.test",
    ] {
        client.ask("MAIL FROM:<alice@example.test>", "250").await;
        client.ask("RCPT TO:<bob@example.test>", "250").await;
        client.data(&format!("{header}\r\n\r\nx\r\n"), "550 5.").await;
    }
    assert_eq!(house.inbox("bob@example.test").await.len(), own.len());
}

/// Everybody has a generated password from now on; alice's.
async fn generated_passwords(house: &House) -> String {
    let mut alices = String::new();
    for (seed, name) in [(1, "alice"), (2, "bob"), (3, "carol"), (4, "dave")] {
        let password = directory::Password::generate(&testkit::chance::SeededChance::new(seed));
        if name == "alice" {
            alices = password.reveal().to_owned();
        }
        let change = directory::admin::AccountChange {
            password: Some(password),
            ..Default::default()
        };
        let address = format!("{name}@example.test");
        house
            .directory
            .set_account(&address, change)
            .await
            .expect("an account");
    }
    alices
}

/// The client's proof that it knows the password, after the server's salt; the reply must begin so.
async fn prove(client: &mut house::Client, user: &str, password: &str, initial: bool, want: &str) {
    let bare = format!("n={user}@example.test,r=fyko+d2lbbFgONRv9qkxdawL");
    let first = STANDARD.encode(format!("n,,{bare}"));
    let challenge = if initial {
        client.ask(&format!("AUTH SCRAM-SHA-256 {first}"), "334 ").await
    } else {
        assert_eq!(client.ask("AUTH scram-sha-256", "334").await.trim_end(), "334");
        client.ask(&first, "334 ").await
    };
    let challenge = STANDARD.decode(challenge[4..].trim()).expect("base64");
    let challenge = String::from_utf8(challenge).expect("text");
    let last = directory::scram::client_final(password, &bare, &challenge).expect("a proof");
    client.say(format!("{}\r\n", STANDARD.encode(last))).await;
    let reply = client.reply().await;
    if !reply.starts_with("334 ") {
        assert!(reply.starts_with(want), "{reply}");
        return;
    }
    let proof = STANDARD.decode(reply[4..].trim()).expect("base64");
    assert!(proof.starts_with(b"v="), "the server proves itself too");
    client.ask("", want).await;
}

#[tokio::test]
async fn a_submitter_proves_the_password_without_telling_it() {
    let house = House::new().await;
    let connect = async || {
        let mut client = house.connect(DoorKind::Submissions);
        client.handshake().await;
        client.expect("220").await;
        let offers = client.ask("EHLO laptop", "250-").await;
        (client, offers)
    };
    let (mut client, offers) = connect().await;
    assert!(
        !offers.contains("SCRAM"),
        "chosen passwords have no keys: {offers}"
    );
    client.ask("AUTH SCRAM-SHA-256", "504").await;
    let password = generated_passwords(&house).await;
    let (mut client, offers) = connect().await;
    assert!(offers.contains("AUTH PLAIN LOGIN SCRAM-SHA-256"), "{offers}");
    prove(&mut client, "alice", &password, true, "235 2.7.0").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
    let (mut client, _) = connect().await;
    prove(&mut client, "alice", &password, false, "235 2.7.0").await;
    // Who is not there, who is disabled, and a wrong password look alike.
    for user in ["bob", "carol", "nobody"] {
        let (mut client, _) = connect().await;
        prove(&mut client, user, &password, true, "535 5.7.8").await;
        client.ask("MAIL FROM:<alice@example.test>", "530 5.7.0").await;
    }
    let (mut client, _) = connect().await;
    client.ask("AUTH SCRAM-SHA-256 !!!", "501").await;
    client.ask("AUTH SCRAM-SHA-256 AAAA", "501").await;
    client.ask("AUTH SCRAM-SHA-256", "334").await;
    client.ask("*", "501").await;
    client.ask("NOOP", "250").await;
}

#[tokio::test]
async fn log_4_scram_that_is_broken_off_counts_at_submission_too() {
    let house = House::guarded().await;
    let password = generated_passwords(&house).await;
    let first = STANDARD.encode("n,,n=nobody@example.test,r=fyko+d2lbbFgONRv9qkxdawL");
    let connect = async || {
        let mut client = house.connect(DoorKind::Submissions);
        client.handshake().await;
        client.expect("220").await;
        client.ask("EHLO laptop", "250-").await;
        client
    };
    for n in 0..guard::limits::FAILURES {
        let mut client = connect().await;
        client.ask(&format!("AUTH SCRAM-SHA-256 {first}"), "334 ").await;
        match n % 3 {
            0 => drop(client.ask("*", "501").await),
            1 => drop(client.ask("AAAA", "501").await),
            // Or it just goes.
            _ => {}
        }
        client.hang_up().await;
    }
    let mut client = connect().await;
    let plain = STANDARD.encode(format!("\0alice@example.test\0{password}"));
    client.ask(&format!("AUTH PLAIN {plain}"), "454 4.7.0").await;
    client
        .ask(&format!("AUTH SCRAM-SHA-256 {first}"), "454 4.7.0")
        .await;
}

#[tokio::test]
async fn rel_6_submission_begins_with_tls_and_sign_in() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Submission);
    client.expect("220").await;
    let offers = client.ask("EHLO laptop", "250-").await;
    assert!(
        !offers.contains("AUTH") && offers.contains("STARTTLS"),
        "{offers}"
    );
    client.ask("MAIL FROM:<alice@example.test>", "530 5.7.0").await;
    let plain = STANDARD.encode(format!("\0alice@example.test\0{PASSWORD}"));
    let warned = client.ask(&format!("AUTH PLAIN {plain}"), "538 5.7.11").await;
    assert!(warned.contains("change it"), "{warned}");
    client.ask("STARTTLS", "220 2.0.0").await;
    client.handshake().await;
    client.ask("MAIL FROM:<alice@example.test>", "503").await;
    let offers = client.ask("EHLO laptop", "250-").await;
    assert!(
        offers.contains("AUTH PLAIN LOGIN") && !offers.contains("STARTTLS"),
        "{offers}"
    );
    client.ask("MAIL FROM:<alice@example.test>", "530 5.7.0").await;
    client.ask("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    client
        .ask(&STANDARD.encode("alice@example.test"), "334 UGFzc3dvcmQ6")
        .await;
    client.ask(&STANDARD.encode(PASSWORD), "235 2.7.0").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
}

#[tokio::test]
async fn rel_11_prv_1_a_submission_tells_only_what_it_should() {
    let house = House::new().await;
    let mut client = house.submitter("alice@example.test").await;
    client.ask("MAIL FROM:<alice@example.test>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    let remote = client.ask("RCPT TO:<eve@victim.example>", "250 2.1.5").await;
    assert!(remote.contains("another server"), "{remote}");
    let message = "From: alice@example.test\r\nTo: bob@example.test\r\nBcc: eve@victim.example,\r\n secret@there.example\r\n\r\nx\r\n";
    client.data(message, "250 2.0.0").await;
    let text = String::from_utf8(house.inbox("bob@example.test").await.remove(0)).expect("text");
    for secret in ["192.0.2.77", "laptop", "home.example", "Bcc", "secret@", "eve@"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(
        text.contains("\r\nReceived: by mx.example.test with ESMTPSA id q"),
        "{text}"
    );
    assert!(text.contains("\r\nDate: Mon, 23 Nov 2026 "), "{text}");
    let header = mail::header::Header::scan(text.as_bytes()).expect("small");
    let id = String::from_utf8_lossy(header.first("Message-ID").expect("added").value())
        .trim()
        .to_owned();
    assert!(
        id.starts_with('<') && id.ends_with("@example.test>") && id.len() == 32 + 15,
        "{id}"
    );

    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].address.as_str(), waiting[0].account),
        ("eve@victim.example", None)
    );
    assert_eq!(waiting[0].reason, queue::accept::FIRST_TRY);
    let body = store::contract::Store::read_body(&*house.store, waiting[0].blob, 0, 1 << 20)
        .await
        .expect("a body");
    assert!(!String::from_utf8_lossy(&body).contains("Bcc"));
}

#[tokio::test]
async fn rel_7_rel_9_what_looks_like_code_is_only_text() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO $(touch${IFS}x)", "250-").await;
    client
        .ask("MAIL FROM:<\"$(touch x);`id`|\"@there.example>", "250")
        .await;
    client
        .ask("RCPT TO:<\"|touch x\"@example.test>", "550 5.1.1")
        .await;
    client.ask("RCPT TO:<bob+$(id)@example.test>", "5").await;
    client.ask("RCPT TO:<bob+`id`@example.test>", "250").await;
    client
        .ask("RCPT TO:<bob@example.test\nRCPT TO:<alice@example.test>", "500")
        .await;
    assert_eq!(client.rest().await, "", "closed");
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<\"a\\\rb\"@there.example>", "500").await;
    client
        .ask("MAIL FROM:<\"$(touch x);`id`|\"@there.example>", "250")
        .await;
    client.ask("RCPT TO:<bob+`id`@example.test>", "250").await;
    client
        .data(
            "Subject: =?utf-8?q?=0D=0ABcc:_x?=\r\nX: $(touch x)\r\n\r\n",
            "250",
        )
        .await;
    let message = house.inbox("bob@example.test").await.remove(0);
    let header = mail::header::Header::scan(&message).expect("small");
    let names: Vec<_> = header
        .fields()
        .iter()
        .map(|field| String::from_utf8_lossy(field.name()).into_owned())
        .collect();
    assert_eq!(names, ["Return-Path", "Delivered-To", "Received", "Subject", "X"]);
}

#[tokio::test]
async fn rel_10_a_message_in_circles_is_stopped() {
    let house = House::new().await;
    for (door, hello) in UNSIGNED {
        let mut client = house.connect(door);
        client.expect("220").await;
        client.ask(hello, "250").await;
        for (hops, want) in [(50, "250"), (51, "554 5.4.6")] {
            client.ask("MAIL FROM:<a@there.example>", "250").await;
            client.ask("RCPT TO:<bob@example.test>", "250").await;
            client
                .data(
                    &format!("{}\r\nx\r\n", "Received: by x; y\r\n".repeat(hops)),
                    want,
                )
                .await;
        }
    }
}

#[tokio::test]
async fn tls_1_plaintext_behind_starttls_is_never_done() {
    let house = House::new().await;
    for (door, hello) in UNSIGNED {
        let mut client = house.connect(door);
        client.expect("220").await;
        client.ask(hello, "250").await;
        client.say("STARTTLS\r\nMAIL FROM:<evil@there.example>\r\n").await;
        client.expect("554 5.5.0").await;
        assert_eq!(client.rest().await, "", "closed");
    }
}

#[tokio::test]
async fn tls_3_starttls_forgets_the_session_and_received_tells_of_it() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO plain.example", "250-").await;
    client.ask("MAIL FROM:<evil@there.example>", "250").await;
    client.ask("RCPT TO:<alice@example.test>", "250").await;
    client.ask("STARTTLS", "220").await;
    client.handshake().await;
    client.ask("RCPT TO:<alice@example.test>", "503").await;
    client.ask("DATA", "503").await;
    client.ask("EHLO secure.example", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data("Subject: x\r\n\r\n", "250").await;
    let text = String::from_utf8(house.inbox("bob@example.test").await.remove(0)).expect("text");
    assert!(text.contains("from secure.example"), "{text}");
    assert!(text.contains("with ESMTPS id"), "{text}");
    assert!(text.contains("(TLSv1.3 TLS13_AES_256_GCM_SHA384)"), "{text}");
    assert!(!text.contains("plain.example"), "{text}");
}

#[tokio::test]
async fn log_4_broken_exchanges_sign_nobody_in() {
    let house = House::new().await;
    let tries: [(&[&str], &str); 9] = [
        (&["AUTH PLAIN !!!"], "501 5.5.2"),
        (&["AUTH PLAIN ="], "501 5.5.2"),
        (&["AUTH PLAIN", "*"], "501 5.5.2"),
        (&["AUTH LOGIN", "*"], "501 5.5.2"),
        (&["AUTH CRAM-MD5"], "504 5.5.4"),
        (&["AUTH EXTERNAL ="], "504 5.5.4"),
        (&["AUTH PLAIN", "AGFsaWNl"], "501 5.5.2"),
        // alice for bob, and a third NUL
        (
            &["AUTH PLAIN Ym9iQGV4YW1wbGUudGVzdABhbGljZUBleGFtcGxlLnRlc3QAeA=="],
            "535 5.7.8",
        ),
        (&["AUTH PLAIN AGFsaWNlAGIAYw=="], "501 5.5.2"),
    ];
    for (lines, want) in tries {
        let mut client = house.connect(DoorKind::Submissions);
        client.handshake().await;
        client.expect("220").await;
        client.ask("EHLO x", "250-").await;
        for line in &lines[..lines.len() - 1] {
            client.ask(line, "334").await;
        }
        client.ask(lines[lines.len() - 1], want).await;
        client.ask("MAIL FROM:<alice@example.test>", "530").await;
    }
    let mut client = house.connect(DoorKind::Submissions);
    client.handshake().await;
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("AUTH PLAIN", "334").await;
    client.shout("A".repeat(13_000)).await;
    client.expect("500 5.5.6").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn log_4_wrong_passwords_end_the_session() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Submissions);
    client.handshake().await;
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    let wrong = STANDARD.encode("\0alice@example.test\0wrong password");
    for _ in 0..4 {
        client.ask(&format!("AUTH PLAIN {wrong}"), "535 5.7.8").await;
    }
    client.ask(&format!("AUTH PLAIN {wrong}"), "421 4.7.0").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn a_full_mailbox_is_told_at_once_and_later() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example> SIZE=100", "250").await;
    client.ask("RCPT TO:<dave@example.test>", "452 4.2.2").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
}

#[tokio::test]
async fn a_mailbox_that_is_named_often_holds_room_once() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    // dave has room for one octet, which the first of them holds.
    client.ask("RCPT TO:<dave@example.test>", "250").await;
    client.ask("RCPT TO:<dave@example.test>", "250").await;
    client.ask("RCPT TO:<dave+tag@example.test>", "250").await;
    let mut other = house.connect(DoorKind::Mx);
    other.expect("220").await;
    other.ask("EHLO x", "250-").await;
    other.ask("MAIL FROM:<a@there.example>", "250").await;
    other.ask("RCPT TO:<dave@example.test>", "452 4.2.2").await;
    client.ask("RSET", "250").await;
    other.ask("RCPT TO:<dave@example.test>", "250").await;
}

#[tokio::test]
async fn smt_3_a_message_in_chunks_has_an_hour() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    let mut chunks = 0;
    let end = loop {
        client.shout("BDAT 1\r\nx").await;
        let reply = client.reply().await;
        if !reply.starts_with("250") {
            break reply;
        }
        chunks += 1;
        assert!(chunks < 40, "a chunk every two minutes goes on for ever");
        house.clock.advance(std::time::Duration::from_secs(120)).await;
    };
    assert!(end.starts_with("421"), "{end:?}");
    assert_eq!(chunks, 30, "an hour of them");
}

#[tokio::test]
async fn a_cut_connection_leaves_nothing() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.ask("DATA", "354").await;
    client.say("Subject: x\r\n\r\nhalf of it\r\n").await;
    client.hang_up().await;
    assert!(house.inbox("bob@example.test").await.is_empty());
    assert_eq!(house.events.named("receive.cut-off").len(), 1);
}

#[tokio::test]
async fn a_stopping_program_says_so_between_commands() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    house.stop.send(true).expect("sessions listen");
    client.expect("421 4.3.2").await;
    assert_eq!(client.rest().await, "", "closed");
    let mut late = house.connect(DoorKind::Mx);
    late.expect("421 4.3.2").await;
}

#[tokio::test]
async fn a_message_under_way_is_finished_before_the_end() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.ask("DATA", "354").await;
    house.stop.send(true).expect("sessions listen");
    client.say("Subject: x\r\n\r\n.\r\n").await;
    client.expect("250 2.0.0").await;
    client.expect("421 4.3.2").await;
    assert_eq!(house.inbox("bob@example.test").await.len(), 1);
}

#[tokio::test]
async fn a_failing_plan_leaves_the_recipient_waiting() {
    let plan = |_: &directory::LocalRecipient, _: queue::Facts<'_>| {
        Err(queue::PlanFailed {
            reason: "the script is broken".to_owned(),
        })
    };
    let house = House::with_plan(std::sync::Arc::new(plan)).await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data("Subject: x\r\n\r\n", "250 2.0.0").await;
    assert!(house.inbox("bob@example.test").await.is_empty());
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].address.as_str(), waiting[0].reason.as_str()),
        ("bob@example.test", "the script is broken")
    );
}

#[tokio::test]
async fn every_cut_of_the_wire_gives_the_same_session() {
    let house = House::new().await;
    let mut transcripts = Vec::new();
    for seed in 0..24 {
        let mut client = house.connect_in_pieces(DoorKind::Mx, seed);
        let mut said = vec![client.reply().await];
        for (send, replies) in [
            ("EHLO x\r\n", 1),
            (
                "MAIL FROM:<a@there.example>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n",
                4,
            ),
            ("Subject: x\r\n\r\n..dots\r\n...\r\n.\r\n", 1),
            (
                "MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 5\r\nA: b\rBDAT 3 LAST\r\n\n\r\n",
                4,
            ),
            (
                "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n",
                4,
            ),
            ("bare\nlf\r\n.\r\nQUIT\r\n", 2),
        ] {
            client.say(send).await;
            for _ in 0..replies {
                let reply = client.reply().await;
                said.push(reply.split(" queued as ").next().unwrap_or_default().to_owned());
            }
        }
        assert_eq!(client.rest().await, "");
        transcripts.push(said);
    }
    for transcript in &transcripts {
        assert_eq!(*transcript, transcripts[0]);
    }
    let bodies = house.inbox("alice@example.test").await;
    assert_eq!(bodies.len(), 24);
    assert!(
        bodies
            .iter()
            .all(|body| body.ends_with(b"\r\nSubject: x\r\n\r\n.dots\r\n..\r\n"))
    );
}

/// An idle plaintext connection may cost 16 KiB in all, buffers of the kernel aside. What a session holds while it waits
/// is its future and little more: buffers are given back, work on a message is boxed.
#[tokio::test]
async fn a_waiting_session_is_small() {
    let house = House::new().await;
    let (_ours, theirs) = testkit::net::wire_pair();
    let peer = world::net::Peer {
        addr: "192.0.2.77:50000".parse().expect("an address"),
        local: "192.0.2.1:25".parse().expect("an address"),
    };
    let session = receive::serve_connection(
        house.context.clone(),
        House::door(DoorKind::Mx),
        Box::new(theirs),
        peer,
    );
    let size_bytes = std::mem::size_of_val(&session);
    assert!(size_bytes <= 4096, "{size_bytes} octets");
}

#[test]
fn a_session_may_cross_threads() {
    fn is_send<T: Send>(_: &T) {}
    let check = |house: &House, wire: world::net::BoxWire, peer: world::net::Peer| {
        is_send(&receive::serve_connection(
            house.context.clone(),
            House::door(DoorKind::Mx),
            wire,
            peer,
        ));
    };
    let _ = check;
}

#[tokio::test]
async fn smg_6_a_large_message_arrives_as_it_was_sent_by_data_and_by_chunks() {
    let house = House::new().await;
    let mut body = String::from("Subject: large\r\n\r\n");
    for number in 0..9_000 {
        body.push_str(&format!("{}{number} text of a line\r\n", ".".repeat(number % 4)));
    }
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.data(&body, "250 2.0.0 Thank you").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    let chunks: Vec<&[u8]> = body.as_bytes().chunks(70_001).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let last = if number + 1 == chunks.len() { " LAST" } else { "" };
        client.say(format!("BDAT {}{last}\r\n", chunk.len())).await;
        client.say(chunk).await;
        client.expect("250 2.0.0").await;
    }
    let kept = house.inbox("bob@example.test").await;
    assert_eq!(kept.len(), 2);
    assert!(
        kept.iter().all(|message| message.ends_with(body.as_bytes())),
        "octet for octet"
    );
}
