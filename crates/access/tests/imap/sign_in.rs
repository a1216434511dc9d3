//! Signing in: what is offered when, and what a refusal looks like.

use std::time::Duration;

use access::imap::Security;

use crate::support::{HELLO, PASSWORD, World};

#[tokio::test]
async fn log_4_plaintext_sign_in_is_off() {
    let world = World::new().await;
    let mut client = world.connect(Security::StartTls);
    let greeting = client.line().await;
    assert!(
        greeting.contains("LOGINDISABLED") && greeting.contains("STARTTLS"),
        "{greeting}"
    );
    assert!(!greeting.contains("AUTH="), "{greeting}");
    client
        .refused(
            &format!("LOGIN alice@example.test \"{PASSWORD}\""),
            "NO [PRIVACYREQUIRED]",
        )
        .await;
    client
        .refused("AUTHENTICATE PLAIN AGFsaWNlAHg=", "NO [PRIVACYREQUIRED]")
        .await;
    client.refused("SELECT INBOX", "BAD").await;
    assert!(world.events.named("directory.signed-in").is_empty());
}

#[tokio::test]
async fn the_demo_may_allow_plaintext_sign_in() {
    let world = World::with(|ctx| ctx.insecure_auth = true).await;
    let mut client = world.connect(Security::Plain);
    let greeting = client.line().await;
    assert!(
        greeting.contains("AUTH=PLAIN") && !greeting.contains("STARTTLS"),
        "{greeting}"
    );
    client
        .ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""))
        .await;
}

#[tokio::test]
async fn both_mechanisms_work_with_and_without_an_initial_response() {
    let world = World::new().await;
    let plain = base64(format!("\0alice@example.test\0{PASSWORD}").as_bytes());
    let mut client = world.secure().await;
    let lines = client.ok(&format!("AUTHENTICATE PLAIN {plain}")).await;
    assert!(
        lines[0].contains("LITERAL+") && lines[0].contains("IDLE"),
        "{lines:?}"
    );

    let mut client = world.secure().await;
    client.send(b"a AUTHENTICATE PLAIN\r\n").await;
    assert_eq!(client.line().await, "+ ");
    client.send(format!("{plain}\r\n").as_bytes()).await;
    assert!(client.line().await.starts_with("a OK"));

    let mut client = world.secure().await;
    client.send(b"a AUTHENTICATE LOGIN\r\n").await;
    assert_eq!(client.line().await, "+ VXNlcm5hbWU6");
    client
        .send(format!("{}\r\n", base64(b"alice@example.test")).as_bytes())
        .await;
    assert_eq!(client.line().await, "+ UGFzc3dvcmQ6");
    client
        .send(format!("{}\r\n", base64(PASSWORD.as_bytes())).as_bytes())
        .await;
    assert!(client.line().await.starts_with("a OK"));
}

#[tokio::test]
async fn log_4_malformed_exchanges_touch_nobody() {
    let world = World::new().await;
    let acting = base64(format!("bob@example.test\0alice@example.test\0{PASSWORD}").as_bytes());
    for (line, start) in [
        ("*", "a BAD"),
        ("!!!", "a BAD"),
        ("AAAA", "a BAD"),
        (acting.as_str(), "a NO [AUTHORIZATIONFAILED]"),
    ] {
        let mut client = world.secure().await;
        client.send(b"a AUTHENTICATE PLAIN\r\n").await;
        assert_eq!(client.line().await, "+ ");
        client.send(format!("{line}\r\n").as_bytes()).await;
        let lines = tokio::select! {
            line = client.line() => line,
            () = crate::support::pass_time(&world.clock) => client.line().await,
        };
        assert!(lines.starts_with(start), "{line}: {lines}");
    }
    let mut client = world.secure().await;
    client.refused("AUTHENTICATE GSSAPI", "BAD").await;
    client.send(b"a AUTHENTICATE PLAIN\r\n").await;
    assert_eq!(client.line().await, "+ ");
    client.send(&b"A".repeat(20_000)).await;
    client.send(b"\r\n").await;
    let end = client.rest_of_it().await;
    assert!(
        end.iter()
            .any(|line| line.starts_with("* BYE") || line.starts_with("a BAD")),
        "{end:?}"
    );
    assert!(world.events.named("directory.signed-in").is_empty());
}

#[tokio::test]
async fn refusals_are_all_alike_and_three_end_it() {
    let world = World::new().await;
    let mut answers = Vec::new();
    let mut client = world.secure().await;
    for (refused, user) in (1..).zip(["alice@example.test", "nobody@example.test", "\"\""]) {
        client.send(format!("x LOGIN {user} wrong\r\n").as_bytes()).await;
        while world.events.named("directory.sign-in-refused").len() < refused {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let answer = tokio::select! {
            line = client.line() => line,
            () = async { loop { world.clock.advance(Duration::from_millis(50)).await } } => unreachable!(),
        };
        answers.push(answer);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(
        answers[0].starts_with("x NO [AUTHENTICATIONFAILED]"),
        "{answers:?}"
    );
    let end = client.rest_of_it().await;
    assert_eq!(end.len(), 1);
    assert!(end[0].starts_with("* BYE"), "{end:?}");
    assert_eq!(world.events.named("access.too-many-errors").len(), 1);
}

#[tokio::test]
async fn a_disabled_account_is_sent_away() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let change = directory::admin::AccountChange {
        enabled: Some(false),
        ..Default::default()
    };
    world
        .directory
        .set_account("alice@example.test", change)
        .await
        .unwrap();
    client.send(b"a NOOP\r\n").await;
    assert!(client.line().await.starts_with("* BYE"));
}

/// TLS-1: plaintext behind STARTTLS is never executed after the handshake.
#[tokio::test]
async fn tls_1_commands_behind_starttls_are_never_executed() {
    let world = World::new().await;
    for injected in [&b"a2 NOOP\r\n"[..], b"a2 LOGIN alice@example.test x\r\n"] {
        let mut client = world.connect(Security::StartTls);
        client.line().await;
        client.send(&[b"a1 STARTTLS\r\n", injected].concat()).await;
        let lines = client.rest_of_it().await;
        assert!(lines.iter().all(|line| !line.starts_with("a2")), "{lines:?}");
    }
    assert_eq!(world.events.named("access.plaintext-after-starttls").len(), 2);
}

/// TLS-3: nothing that was said before TLS holds after it.
#[tokio::test]
async fn tls_3_the_state_before_tls_is_forgotten() {
    let world = World::new().await;
    let mut client = world.connect(Security::StartTls);
    client.line().await;
    client.ok("ID (\"name\" \"before\")").await;
    client.send(b"a1 STARTTLS\r\n").await;
    assert!(client.line().await.starts_with("a1 OK"));
    client.send(HELLO).await;
    let lines = client.ok("CAPABILITY").await;
    assert!(
        lines[0].contains("AUTH=PLAIN") && !lines[0].contains("STARTTLS"),
        "{lines:?}"
    );
    client.refused("STARTTLS", "BAD").await;
    client
        .ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""))
        .await;
    client.ok("SELECT INBOX").await;
}

#[tokio::test]
async fn plaintext_without_a_certificate_offers_nothing() {
    let world = World::with(|ctx| ctx.tls = None).await;
    let mut client = world.connect(Security::StartTls);
    assert!(!client.line().await.contains("STARTTLS"));
    client.refused("STARTTLS", "BAD").await;
    let mut client = world.connect(Security::ImplicitTls);
    assert_eq!(client.line().await, "");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
