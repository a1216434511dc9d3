//! Signing in: what is offered when, and what a refusal looks like.

use std::time::Duration;

use access::imap::Security;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Client, HELLO, PASSWORD, World, pass_a_moment};

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
            () = async { loop { pass_a_moment(&world.clock).await } } => unreachable!(),
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
    world.disable("alice@example.test").await;
    client.send(b"a NOOP\r\n").await;
    assert!(client.line().await.starts_with("* BYE"));
}

/// Whoever waits in IDLE is told nothing any more either, least of all what NOTIFY asks to see of new mail.
#[tokio::test]
async fn imp_5_a_disabled_account_hears_nothing_in_idle() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    client
        .ok("NOTIFY SET (selected (MessageNew (BODY[]) MessageExpunge))")
        .await;
    client.send(b"a IDLE\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    world
        .deliver("alice@example.test", b"Subject: 1\r\n\r\nx\r\n")
        .await;
    assert_eq!(client.line().await, "* 1 EXISTS");
    client.line().await;
    assert!(client.line().await.contains("Subject: 1"));
    world.disable("alice@example.test").await;
    world
        .deliver("alice@example.test", b"Subject: 2\r\n\r\nx\r\n")
        .await;
    let rest = client.rest_of_it().await;
    assert!(rest.len() == 1 && rest[0].starts_with("* BYE"), "{rest:?}");
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

#[tokio::test]
async fn scram_is_offered_when_everybody_can_use_it() {
    let world = World::new().await;
    let mut client = world.secure().await;
    assert!(
        !client.ok("CAPABILITY").await[0].contains("SCRAM"),
        "chosen passwords have no keys"
    );
    client.refused("AUTHENTICATE SCRAM-SHA-256", "BAD").await;
    let words = generated_passwords(&world).await;
    let mut client = world.secure().await;
    assert!(client.ok("CAPABILITY").await[0].contains("AUTH=SCRAM-SHA-256"));
    client.ok(&format!("LOGIN bob@example.test {}", words[1])).await;

    // Wrong passwords and nobody look alike: the same challenge for the same name, the same refusal.
    for (user, word) in [("alice", words[1].as_str()), ("nobody", &words[0])] {
        let mut client = world.secure().await;
        let (salt, said) = scram(&world, &mut client, user, word, false).await;
        assert!(said.starts_with("NO [AUTHENTICATIONFAILED]"), "{said}");
        let mut client = world.secure().await;
        assert_eq!(scram(&world, &mut client, user, word, true).await.0, salt);
    }
    let mut client = world.secure().await;
    let (_, said) = scram(&world, &mut client, "alice", &words[0], true).await;
    assert!(said.starts_with("OK [CAPABILITY"), "{said}");
    client.ok("SELECT INBOX").await;
    let mut client = world.secure().await;
    client.send(b"x AUTHENTICATE SCRAM-SHA-256\r\n").await;
    assert_eq!(client.line().await, "+ ");
    client.send(b"*\r\n").await;
    assert!(client.line().await.starts_with("x BAD"));
}

#[tokio::test]
async fn log_4_scram_that_is_broken_off_counts_as_a_wrong_password() {
    let world = World::with(|ctx| {
        let settings = guard::Settings {
            places: 1000,
            lifted: false,
        };
        ctx.guard = guard::Guard::new(settings, ctx.clock.clone(), ctx.events.clone());
    })
    .await;
    let words = generated_passwords(&world).await;
    let first = base64(b"n,,n=nobody@example.test,r=fyko+d2lbbFgONRv9qkxdawL");
    for n in 0..20 {
        let mut client = world.secure().await;
        client
            .send(format!("s AUTHENTICATE SCRAM-SHA-256 {first}\r\n").as_bytes())
            .await;
        assert!(client.line().await.starts_with("+ "), "{n}");
        if n % 3 > 0 {
            let last: &[u8] = if n % 3 == 1 { b"*\r\n" } else { b"AAAA\r\n" };
            client.send(last).await;
            assert!(client.line().await.starts_with("s BAD"), "{n}");
        }
        // One of three just goes.
    }
    let mut client = world.secure().await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    client
        .send(format!("x LOGIN alice@example.test {}\r\n", words[0]).as_bytes())
        .await;
    // A refusal comes after a pause.
    let said = tokio::select! {
        said = client.line() => said,
        () = async { loop { pass_a_moment(&world.clock).await } } => unreachable!(),
    };
    assert!(said.starts_with("x NO [UNAVAILABLE]"), "{said}");
}

/// Alice and Bob have generated passwords from now on, in this order.
async fn generated_passwords(world: &World) -> Vec<String> {
    use directory::admin::AccountChange;
    let mut words = Vec::new();
    for (seed, name) in [(1, "alice"), (2, "bob")] {
        let password = directory::Password::generate(&testkit::chance::SeededChance::new(seed));
        words.push(password.reveal().to_owned());
        let change = AccountChange {
            password: Some(password),
            ..AccountChange::default()
        };
        let address = format!("{name}@example.test");
        world.directory.set_account(&address, change).await.unwrap();
    }
    words
}

/// One exchange; the salt that was told, and the tagged answer.
async fn scram(
    world: &World,
    client: &mut Client,
    user: &str,
    password: &str,
    initial: bool,
) -> (String, String) {
    let bare = format!("n={user}@example.test,r=fyko+d2lbbFgONRv9qkxdawL");
    let first = base64(format!("n,,{bare}").as_bytes());
    if initial {
        client
            .send(format!("s AUTHENTICATE SCRAM-SHA-256 {first}\r\n").as_bytes())
            .await;
    } else {
        client.send(b"s AUTHENTICATE SCRAM-SHA-256\r\n").await;
        assert_eq!(client.line().await, "+ ");
        client.send(format!("{first}\r\n").as_bytes()).await;
    }
    let challenge = client.line().await;
    let challenge = STANDARD.decode(challenge.strip_prefix("+ ").unwrap()).unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let salt = challenge.split(',').nth(1).unwrap().to_owned();
    let last = directory::scram::client_final(password, &bare, &challenge).unwrap();
    client
        .send(format!("{}\r\n", base64(last.as_bytes())).as_bytes())
        .await;
    // A refusal comes after a pause.
    let said = tokio::select! {
        said = client.line() => said,
        () = async { loop { pass_a_moment(&world.clock).await } } => unreachable!(),
    };
    if said.starts_with("+ ") {
        client.send(b"\r\n").await;
        return (salt, client.until("s").await.pop().unwrap());
    }
    (salt, said.strip_prefix("s ").unwrap().to_owned())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
