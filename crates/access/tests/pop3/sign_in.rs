//! Who may come in, and how.

use access::Security;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::admin::AccountChange;

use crate::client::{Pop, PopClient};
use crate::support::{HELLO, PASSWORD, World};

#[tokio::test]
async fn tls_1_nothing_said_before_stls_counts_after_it() {
    let pop = Pop::new().await;
    let mut client = pop.connect(Security::StartTls);
    assert_eq!(client.line().await, "+OK Hearthpost ready");
    assert!(client.lines("CAPA").await.contains(&"STLS".to_owned()));
    client
        .err("USER alice@example.test", "Signing in is possible under TLS only")
        .await;
    client
        .err("AUTH PLAIN", "Signing in is possible under TLS only")
        .await;
    client.ok("STLS").await;
    client.send(HELLO).await;
    let capabilities = client.lines("CAPA").await;
    assert!(!capabilities.contains(&"STLS".to_owned()), "{capabilities:?}");
    assert!(
        capabilities.contains(&"SASL PLAIN".to_owned()),
        "{capabilities:?}"
    );
    client.err("STLS", "STLS is not possible here").await;
    client.ok("USER alice@example.test").await;
    client.ok(&format!("PASS {PASSWORD}")).await;
}

#[tokio::test]
async fn tls_1_plaintext_behind_stls_ends_the_connection() {
    let pop = Pop::new().await;
    let mut client = pop.connect(Security::StartTls);
    client.line().await;
    client.send(b"STLS\r\nUSER alice@example.test\r\n").await;
    let said = client.line().await;
    assert!(said.is_empty() || said.starts_with("+OK"), "{said}");
    client.is_closed().await;
    assert_eq!(pop.world.events.named("access.plaintext-after-starttls").len(), 1);
}

#[tokio::test]
async fn plain_signs_in_with_and_without_an_initial_response() {
    let pop = Pop::new().await;
    let words = STANDARD.encode(format!("\0alice@example.test\0{PASSWORD}"));
    let mut client = pop.secure().await;
    assert_eq!(client.lines("AUTH").await, ["PLAIN"]);
    client.ok(&format!("AUTH PLAIN {words}")).await;
    client.err("AUTH PLAIN", "You are signed in already").await;
    client.ok("QUIT").await;
    let mut client = pop.secure().await;
    assert_eq!(client.run("AUTH PLAIN").await, "+ ");
    client.ok(&words).await;
    client.ok("QUIT").await;
    let mut client = pop.secure().await;
    for (line, refusal) in [
        ("*", "Sign-in cancelled"),
        ("!!!", "That is not base64"),
        ("AAAA", "That response does not fit"),
    ] {
        assert_eq!(client.run("AUTH PLAIN").await, "+ ");
        client.err(line, refusal).await;
    }
    client.err("AUTH CRAM-MD5", "This mechanism is not offered").await;
}

#[tokio::test]
async fn scram_proves_both_sides() {
    let pop = Pop::new().await;
    let mut word = String::new();
    for (seed, name) in [(2, "bob"), (1, "alice")] {
        let password = directory::Password::generate(&testkit::chance::SeededChance::new(seed));
        word = password.reveal().to_owned();
        let change = AccountChange {
            password: Some(password),
            ..AccountChange::default()
        };
        let address = format!("{name}@example.test");
        pop.world.directory.set_account(&address, change).await.unwrap();
    }
    for initial in [true, false] {
        let mut client = pop.secure().await;
        assert_eq!(client.lines("AUTH").await, ["SCRAM-SHA-256", "PLAIN"]);
        let said = scram(&mut client, &word, initial).await;
        assert!(said.starts_with("+ "), "{said}");
        client.ok("").await;
        client.ok("STAT").await;
        client.ok("QUIT").await;
    }
    let mut client = pop.secure().await;
    let said = scram(&mut client, "another one", true).await;
    assert!(said.starts_with("-ERR [AUTH]"), "{said}");
}

async fn scram(client: &mut PopClient, password: &str, initial: bool) -> String {
    let bare = "n=alice@example.test,r=fyko+d2lbbFgONRv9qkxdawL";
    let first = STANDARD.encode(format!("n,,{bare}"));
    let challenge = match initial {
        true => client.run(&format!("AUTH SCRAM-SHA-256 {first}")).await,
        false => {
            assert_eq!(client.run("AUTH scram-sha-256").await, "+ ");
            client.run(&first).await
        }
    };
    let challenge = STANDARD.decode(challenge.strip_prefix("+ ").unwrap()).unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let last = directory::scram::client_final(password, bare, &challenge).unwrap();
    client
        .send(format!("{}\r\n", STANDARD.encode(last)).as_bytes())
        .await;
    client.late_line().await
}

#[tokio::test]
async fn log_2_unknown_users_and_wrong_passwords_look_alike() {
    let pop = Pop::new().await;
    for user in ["alice@example.test", "nobody@example.test", "no address"] {
        let mut client = pop.secure().await;
        client.ok(&format!("USER {user}")).await;
        client
            .late_err("PASS wrong", "[AUTH] Wrong user name or password")
            .await;
        client.err("PASS again", "USER first").await;
        client.ok(&format!("USER {user}")).await;
        client.late_err("PASS wrong", "[AUTH]").await;
        client.ok(&format!("USER {user}")).await;
        client.late_err("PASS wrong", "[AUTH]").await;
        client.is_closed().await;
    }
}

#[tokio::test]
async fn wrong_passwords_of_all_doors_are_counted_together() {
    let world = World::with(|ctx| {
        let settings = guard::Settings {
            places: 1000,
            lifted: false,
        };
        ctx.guard = guard::Guard::new(settings, ctx.clock.clone(), ctx.events.clone());
    })
    .await;
    let pop = Pop::over(world);
    for _ in 0..10 {
        let mut client = pop.secure().await;
        for _ in 0..2 {
            client.ok("USER alice@example.test").await;
            client.late_err("PASS wrong", "[").await;
        }
    }
    let mut client = pop.secure().await;
    client.ok("USER alice@example.test").await;
    client
        .late_err(&format!("PASS {PASSWORD}"), "[SYS/TEMP] Too many wrong passwords")
        .await;
    assert!(!pop.ctx.guard.may_sign_in(testkit::net::some_peer().addr.ip()));
}

#[tokio::test]
async fn a_disabled_account_is_sent_away_and_its_marks_are_forgotten() {
    let pop = Pop::with(&[b"Subject: x\r\n\r\nx\r\n"]).await;
    let mut client = pop.user("alice").await;
    client.ok("DELE 1").await;
    let change = |enabled| AccountChange {
        enabled: Some(enabled),
        ..AccountChange::default()
    };
    let directory = &pop.world.directory;
    directory
        .set_account("alice@example.test", change(false))
        .await
        .unwrap();
    client
        .err("QUIT", "[SYS/PERM] This account is not enabled any more")
        .await;
    client.is_closed().await;
    directory
        .set_account("alice@example.test", change(true))
        .await
        .unwrap();
    assert!(pop.user("alice").await.ok("STAT").await.starts_with("1 "));
}

#[tokio::test]
async fn utf8_and_languages() {
    let pop = Pop::with(&["Subject: Grüße\r\n\r\nx\r\n".as_bytes()]).await;
    let mut client = pop.secure().await;
    let capabilities = client.lines("CAPA").await;
    for word in [
        "UTF8 USER",
        "LANG",
        "TOP",
        "UIDL",
        "PIPELINING",
        "EXPIRE NEVER",
        "RESP-CODES",
        "AUTH-RESP-CODE",
    ] {
        assert!(
            capabilities.contains(&word.to_owned()),
            "{word}: {capabilities:?}"
        );
    }
    assert_eq!(client.lines("LANG").await, ["i-default English", "en English"]);
    assert!(client.ok("LANG en-GB").await.starts_with("en "));
    client.err("LANG de", "There is English only").await;
    client.ok("UTF8").await;
    client.ok("USER älice@example.test").await;
    client.late_err("PASS geheim", "[AUTH]").await;
    client.ok("USER alice@example.test").await;
    client.ok(&format!("PASS {PASSWORD}")).await;
    client.err("UTF8", "You are signed in already").await;
    assert_eq!(client.lines("TOP 1 0").await[0], "Subject: Grüße");
}
