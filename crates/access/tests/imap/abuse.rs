//! Clients without manners.

use access::imap::Security;

use crate::support::World;

/// IMP-1: before sign-in commands, literals and their number are bounded, and so is the time.
#[tokio::test]
async fn imp_1_guests_cannot_make_the_server_hold_much() {
    let world = World::new().await;
    for flood in [
        b"A1 LOGIN {4294967295+}\r\n".to_vec(),
        b"A1 LOGIN {99999999999999999999999}\r\n".to_vec(),
        [b"A1 SEARCH ".to_vec(), b"(".repeat(300_000)].concat(),
        b"x".repeat(300_000),
        b"A".repeat(300_000),
    ] {
        let mut client = world.secure().await;
        let sending = async {
            use tokio::io::AsyncWriteExt as _;
            let wire = &mut client.wire;
            // The server may close before it took everything.
            let _ = wire.write_all(&flood).await;
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), sending).await;
        let end = client.rest_of_it().await;
        assert!(
            end.iter().all(|line| line.starts_with("* NO")
                || line.starts_with("* BAD")
                || line.starts_with("* BYE")
                || line.starts_with("A1 ")),
            "{end:?}"
        );
    }
    let mut client = world.secure().await;
    client.send(b"A1 LOGIN {8193}\r\n").await;
    assert!(
        client.line().await.starts_with("A1 NO [TOOBIG]"),
        "no continuation for a literal that is too large"
    );
    client.send(b"A2 LOGIN {5000+}\r\n").await;
    assert!(
        client.line().await.starts_with("A2 "),
        "LITERAL-: at most 4096 octets without asking"
    );
}

#[tokio::test]
async fn imp_1_guests_have_a_minute() {
    let world = World::new().await;
    let mut client = world.secure().await;
    let end = client.rest_of_it().await;
    assert!(end.last().unwrap().starts_with("* BYE"), "{end:?}");
    let mut client = world.connect(Security::ImplicitTls);
    assert!(client.rest_of_it().await.is_empty(), "no handshake, no words");
}

#[tokio::test]
async fn imp_1_guests_are_slowed_down() {
    let world = World::with(|ctx| ctx.unpaced = false).await;
    let mut client = world.secure().await;
    let flood: String = (0..25).map(|count| format!("n{count} NOOP\r\n")).collect();
    client.send(flood.as_bytes()).await;
    for count in 0..10 {
        assert!(client.line().await.starts_with(&format!("n{count} OK")));
    }
    let more = tokio::time::timeout(std::time::Duration::from_millis(100), client.line()).await;
    assert!(more.is_err(), "the eleventh waits for the next second: {more:?}");
    world.clock.advance(std::time::Duration::from_secs(1)).await;
    assert!(client.line().await.starts_with("n10 OK"));
}

/// IMP-2: what is too large is refused before it is sent, or thrown away within a bound.
#[tokio::test]
async fn imp_2_large_literals_are_refused_before_they_come() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    client.send(b"a APPEND INBOX {10737418240}\r\n").await;
    assert!(client.line().await.starts_with("a NO [TOOBIG]"));
    client.ok("NOOP").await;
    let size = (4 << 20) + 1;
    client
        .send(format!("a APPEND INBOX {{{size}+}}\r\n").as_bytes())
        .await;
    client.send(&vec![b'x'; size]).await;
    client.send(b"\r\n").await;
    assert!(client.line().await.starts_with("a NO [TOOBIG]"));
    client.ok("NOOP").await;
    client.send(b"a APPEND INBOX {10737418240+}\r\n").await;
    let end = client.rest_of_it().await;
    assert!(
        end.iter().any(|line| line.starts_with("* BYE")),
        "too much to throw away: {end:?}"
    );
}

/// IMP-3: nesting and lists are bounded.
#[tokio::test]
async fn imp_3_nesting_is_bounded() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    for command in [
        format!("SEARCH {}", "(".repeat(5000)),
        format!("SEARCH {}ALL", "NOT ".repeat(5000)),
        format!("SEARCH {}ALL{}", "(".repeat(5000), ")".repeat(5000)),
        format!(
            "UID FETCH {} FLAGS",
            (1..20_000)
                .map(|n| (2 * n).to_string())
                .collect::<Vec<_>>()
                .join(",")
        ),
    ] {
        let lines = client.run(&command).await;
        let last = lines.last().unwrap();
        assert!(last.starts_with("BAD") || last.starts_with("NO"), "{lines:?}");
    }
    client.ok("NOOP").await;
}

/// IMP-9: the octets of a refused literal are never parsed as a command.
#[tokio::test]
async fn imp_9_refused_literals_are_never_commands() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let inner = b"A2 LOGOUT\r\n";
    for command in [
        "A1 BOGUS",
        "A1 SELECT a b c",
        "A1 CREATE x y",
        "A1 APPEND Nowhere",
        "A1 FETCH",
    ] {
        client
            .send(format!("{command} {{{}+}}\r\n", inner.len()).as_bytes())
            .await;
        client.send(inner).await;
        client.send(b"\r\nA3 NOOP\r\n").await;
        assert!(client.line().await.starts_with("A1 "), "{command}");
        assert!(client.line().await.starts_with("A3 OK"), "{command}");
    }
    client
        .send(format!("A1 SELECT {{{}+}}\r\n", 100_000).as_bytes())
        .await;
    client.send(&b"A2 LOGOUT\r\n".repeat(10_000)[..100_000]).await;
    client.send(b"\r\nA3 NOOP\r\n").await;
    assert!(client.line().await.starts_with("A1 NO [TOOBIG]"));
    assert!(client.line().await.starts_with("A3 OK"));
}

/// SMT-9: browsers are sent away before they can say more.
#[tokio::test]
async fn smt_9_http_is_sent_away() {
    let world = World::new().await;
    for first in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\na LOGIN x y\r\n",
        "Host: x\r\n",
    ] {
        let mut client = world.connect(Security::StartTls);
        client.line().await;
        client.send(first.as_bytes()).await;
        assert!(client.rest_of_it().await.is_empty(), "{first}");
    }
    assert_eq!(world.events.named("access.other-protocol").len(), 3);
}

#[tokio::test]
async fn too_many_errors_end_it() {
    let world = World::new().await;
    let mut client = world.secure().await;
    for _ in 0..20 {
        client.send(b"x BOGUS\r\n").await;
    }
    let end = client.rest_of_it().await;
    assert_eq!(
        end.iter().filter(|line| line.starts_with("x BAD")).count(),
        5,
        "{end:?}"
    );
    assert!(end.last().unwrap().starts_with("* BYE"), "{end:?}");
}

#[tokio::test]
async fn bare_line_feeds_close() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    client.send(b"a NOOP\nb NOOP\r\n").await;
    let end = client.rest_of_it().await;
    assert!(end.iter().all(|line| line.starts_with("* BYE")), "{end:?}");
}

/// A FETCH of many parts of one message is made as the client reads it, not at once.
#[tokio::test]
async fn imp_3_many_partials_of_one_message_arrive_whole() {
    let world = World::new().await;
    let body: String = (0..30_000)
        .map(|line| format!("line {line:06} of the body\r\n"))
        .collect();
    let message = format!("Subject: long\r\n\r\n{body}");
    world.deliver("alice@example.test", message.as_bytes()).await;
    let mut client = world.inbox().await;
    let length = |count: usize| message.len() - count;
    let items: Vec<String> = (1..20)
        .map(|count| format!("BODY.PEEK[]<0.{}>", length(count)))
        .collect();
    let lines = client.ok(&format!("FETCH 1 ({} UID)", items.join(" "))).await;
    let mut expected = "* 1 FETCH (".to_owned();
    for count in 1..20 {
        let part = &message[..length(count)];
        expected.push_str(&format!("BODY[]<0> {{{}}}\r\n{part} ", part.len()));
    }
    expected.push_str("UID 1)");
    assert!(
        lines[0] == expected,
        "{} octets, not {}",
        lines[0].len(),
        expected.len()
    );
}

/// The number of texts that one SEARCH looks for is bounded.
#[tokio::test]
async fn imp_3_a_search_for_very_many_texts_is_refused() {
    let world = World::new().await;
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nabc\r\n")
        .await;
    let mut client = world.inbox().await;
    let search = |texts: usize| format!("SEARCH {}", vec!["NOT BODY abd"; texts].join(" "));
    assert_eq!(client.ok(&search(64)).await[0], "* SEARCH 1");
    client.refused(&search(65), "NO [LIMIT]").await;
    assert_eq!(
        client
            .ok(&format!("SEARCH {}", vec!["SEEN"; 1_000].join(" ")))
            .await[0],
        "* SEARCH"
    );
}

/// The number of keys of one SEARCH is bounded, and what was kept of a search costs nothing to name again.
#[tokio::test]
async fn imp_3_a_search_of_very_many_keys_is_refused() {
    let world = World::new().await;
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nabc\r\n")
        .await;
    let mut client = world.inbox().await;
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    let search = |keys: usize| format!("SEARCH {}", vec!["$"; keys].join(" "));
    assert_eq!(client.ok(&search(1000)).await[0], "* SEARCH 1");
    let refused = client.refused(&search(1001), "NO [LIMIT]").await;
    assert!(refused.contains("1000"), "says what is allowed: {refused}");
}

/// The work that the patterns of one LIST make is bounded.
#[tokio::test]
async fn imp_3_a_list_of_very_many_patterns_is_refused() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client.ok("CREATE aaaa/aaaa").await;
    let long = "*a".repeat(500);
    let list = |patterns: usize| format!("LIST \"\" ({})", vec![long.as_str(); patterns].join(" "));
    client.ok(&list(4)).await;
    client.refused(&list(5), "NO [LIMIT]").await;
    client.ok("SUBSCRIBE aaaa/aaaa").await;
    let lines = client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %").await;
    assert!(lines.iter().any(|line| line.contains("CHILDINFO")), "{lines:?}");
}
