//! The line driver against simulated wires and a simulated clock.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use testkit::clock::SimClock;
use testkit::net::{SimWire, some_peer, wire_pair, wire_pair_in_pieces, wire_pair_with_capacity};
use testkit::tls::SimTlsClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::clock::{BoxFuture, Clock, Monotonic};
use world::line::limits::{BUFFERED_MAX_BYTES, OVERLONG_SKIP_MAX_BYTES, PACE_WINDOW, PACE_WINDOW_MIN_BYTES};
use world::line::{Connection, Driver, IntoTlsError, Pace, Plain, ReadError, Secured, WriteError};
use world::net::{BoxWire, TlsFacts, TlsFailureKind, TlsPolicy, TlsServer, TlsVersion};

const LATER: Monotonic = Monotonic(Duration::from_secs(300));
const LIMIT: usize = 64;

fn plain(wire: SimWire, clock: &SimClock) -> Connection<Plain> {
    Connection::new(Box::new(wire), some_peer(), clock.door())
}

/// What reading lines from `sent` gives, until it ends.
async fn lines_of(sent: &[u8], seed: Option<u64>) -> Vec<Result<String, String>> {
    let (mut client, server) = seed.map_or_else(wire_pair, wire_pair_in_pieces);
    client.write_all(sent).await.unwrap();
    client.shutdown().await.unwrap();
    let mut connection = plain(server, &SimClock::new());
    let mut outcomes = Vec::new();
    loop {
        match connection.read_line(LIMIT, LATER).await {
            Ok(line) => outcomes.push(Ok(String::from_utf8(line).unwrap())),
            Err(error) => {
                let go_on = error.session_may_go_on();
                outcomes.push(Err(format!("{error:?}")));
                if !go_on {
                    return outcomes;
                }
            }
        }
    }
}

#[tokio::test]
async fn lines_end_with_crlf_only() {
    let long = "x".repeat(LIMIT - 2);
    let exact = format!("{long}\r\nQUIT\r\n");
    let over = format!("{long}x\r\nQUIT\r\n");
    let far_over = format!("{}\r\nQUIT\r\n", long.repeat(20));
    let cr_at_limit = format!("{long}x\rzz\r\nQUIT\r\n");
    let table: [(&str, &[Result<&str, &str>]); 13] = [
        ("", &[Err("Closed")]),
        ("NOOP\r\nQUIT\r\n", &[Ok("NOOP"), Ok("QUIT"), Err("Closed")]),
        ("\r\n\r\n", &[Ok(""), Ok(""), Err("Closed")]),
        ("NOOP", &[Err("Closed")]),
        ("NOOP\r", &[Err("Closed")]),
        ("NOOP\nQUIT\r\n", &[Err("BareLf"), Ok("QUIT"), Err("Closed")]),
        ("NO\rOP\r\n", &[Err("BareCr"), Ok("OP"), Err("Closed")]),
        ("NOOP\r\r\n", &[Err("BareCr"), Ok(""), Err("Closed")]),
        ("NO\0OP\r\n", &[Err("Nul"), Ok("OP"), Err("Closed")]),
        (&exact, &[Ok(&long), Ok("QUIT"), Err("Closed")]),
        (&over, &[Err("TooLong"), Ok("QUIT"), Err("Closed")]),
        (&far_over, &[Err("TooLong"), Ok("QUIT"), Err("Closed")]),
        (&cr_at_limit, &[Err("TooLong"), Ok("QUIT"), Err("Closed")]),
    ];
    for (sent, expected) in table {
        let expected: Vec<Result<String, String>> = expected
            .iter()
            .map(|outcome| outcome.map(str::to_owned).map_err(str::to_owned))
            .collect();
        for seed in [None, Some(1), Some(2), Some(3), Some(4)] {
            let outcomes = lines_of(sent.as_bytes(), seed).await;
            assert_eq!(outcomes, expected, "{sent:?} in pieces by {seed:?}");
        }
    }
}

#[tokio::test]
async fn smt_1_a_line_without_end_needs_no_memory() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    let sending = tokio::spawn(async move { while client.write_all(&[b'x'; 8192]).await.is_ok() {} });
    let error = connection.read_line(LIMIT, LATER).await.unwrap_err();
    assert!(matches!(error, ReadError::Endless), "{error:?}");
    assert!(connection.buffer_bytes() < OVERLONG_SKIP_MAX_BYTES);
    drop(connection);
    sending.await.unwrap();
}

#[tokio::test]
async fn smt_3_a_deadline_holds_against_clients_that_never_pause() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    for _ in 0..40 {
        client.write_all(b"x").await.unwrap();
        match connection.fill(LATER).await {
            Ok(1) => clock.advance(Duration::from_secs(10)).await,
            outcome => {
                assert!(matches!(outcome, Err(ReadError::TimedOut)), "{outcome:?}");
                assert_eq!(
                    clock.monotonic(),
                    LATER,
                    "one byte in ten seconds does not move the deadline"
                );
                return;
            }
        }
    }
    panic!("a client that sends a byte now and then was served for ever");
}

#[tokio::test]
async fn smt_3_silence_ends_at_the_deadline() {
    let clock = SimClock::new();
    let (_client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    let reading = tokio::spawn(async move { connection.read_line(LIMIT, LATER).await });
    clock.advance(LATER.0 - Duration::from_millis(1)).await;
    assert!(!reading.is_finished());
    clock.advance(Duration::from_millis(1)).await;
    assert!(matches!(reading.await.unwrap(), Err(ReadError::TimedOut)));
}

/// How long a client lives that sends `bytes` every `every`.
async fn lifetime_of(bytes: usize, every: Duration, absolute: Monotonic) -> Duration {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    let reading = tokio::spawn(async move {
        let clock = Arc::clone(connection.clock());
        let mut pace = Pace::start(clock.monotonic(), absolute);
        loop {
            match connection.fill(pace.deadline()).await {
                Ok(count) => {
                    pace.received(clock.monotonic(), count);
                    connection.consume(count);
                }
                Err(error) => {
                    assert!(matches!(error, ReadError::TimedOut), "{error:?}");
                    return clock.monotonic().0;
                }
            }
        }
    });
    while !reading.is_finished() {
        // The last write may find the connection closed.
        let _ = client.write_all(&vec![b'x'; bytes]).await;
        clock.advance(every).await;
    }
    reading.await.unwrap()
}

#[tokio::test]
async fn smt_3_a_message_needs_a_minimum_rate() {
    let hour = Monotonic(Duration::from_secs(3600));
    let ten_seconds = Duration::from_secs(10);
    assert_eq!(lifetime_of(1, ten_seconds, hour).await, PACE_WINDOW);
    let half = usize::try_from(PACE_WINDOW_MIN_BYTES / PACE_WINDOW.as_secs() * 10 / 2).unwrap();
    assert_eq!(lifetime_of(half, ten_seconds, hour).await, PACE_WINDOW);
    assert_eq!(
        lifetime_of(3 * half, ten_seconds, hour).await,
        hour.0,
        "fast enough: only the absolute end counts"
    );
}

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    client.write_all(&[b'x'; 10_000]).await.unwrap();
    connection.fill(LATER).await.unwrap();
    assert!(connection.buffer_bytes() >= 10_000);
    connection.consume_all();
    assert_eq!(connection.buffer_bytes(), 0);
    connection.write(&[b'y'; 10_000]);
    assert!(connection.buffer_bytes() >= 10_000);
    connection.flush(LATER).await.unwrap();
    assert_eq!(connection.buffer_bytes(), 0);
    let waiting = connection.fill(LATER);
    assert!(
        size_of_val(&waiting) < 256,
        "the future that waits is small: {}",
        size_of_val(&waiting)
    );
    drop(waiting);
    assert!(
        size_of::<Connection<Plain>>() <= 256,
        "{}",
        size_of::<Connection<Plain>>()
    );
    assert!(
        size_of::<Connection<Secured>>() <= 264,
        "{}",
        size_of::<Connection<Secured>>()
    );
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let clock = SimClock::new();
    for seed in 0..64 {
        let (mut client, server) = wire_pair_in_pieces(seed);
        let mut connection = plain(server, &clock);
        client
            .write_all(format!("A1 IDLE\r\n{}\r\nDONE\r\n", "x".repeat(200)).as_bytes())
            .await
            .unwrap();
        let mut outcomes = Vec::new();
        while outcomes.len() < 3 {
            // Polled once, then dropped, as `select!` does when another branch is ready.
            let mut reading = Box::pin(connection.read_line(LIMIT, LATER));
            if let Poll::Ready(outcome) = reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                outcomes.push(outcome);
            }
        }
        assert_eq!(outcomes[0].as_ref().unwrap(), b"A1 IDLE", "seed {seed}");
        assert!(
            matches!(outcomes[1], Err(ReadError::TooLong)),
            "seed {seed}: {:?}",
            outcomes[1]
        );
        assert_eq!(outcomes[2].as_ref().unwrap(), b"DONE", "seed {seed}");
    }
}

#[tokio::test]
async fn unread_bytes_have_a_limit() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    let sending = tokio::spawn(async move { while client.write_all(&[b'x'; 8192]).await.is_ok() {} });
    let error = loop {
        if let Err(error) = connection.fill(LATER).await {
            break error;
        }
    };
    assert!(matches!(error, ReadError::BufferFull));
    assert!(connection.buffered().len() < BUFFERED_MAX_BYTES + 16 * 1024);
    let too_many = 1 + connection.buffered().len() - BUFFERED_MAX_BYTES;
    connection.consume(too_many);
    assert!(connection.fill(LATER).await.is_ok());
    drop(connection);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_at_the_deadline() {
    let clock = SimClock::new();
    let (_client, server) = wire_pair_with_capacity(1000);
    let mut connection = plain(server, &clock);
    let writing = tokio::spawn(async move {
        connection.write(&[b'x'; 600]);
        connection.flush_if_over(600, LATER).await.unwrap();
        assert_eq!(connection.unsent(), 600, "not over the limit yet");
        connection.write(&[b'x'; 600]);
        let outcome = connection.flush_if_over(600, LATER).await;
        (outcome, connection.unsent())
    });
    clock.advance(LATER.0).await;
    let (outcome, unsent) = writing.await.unwrap();
    assert!(matches!(outcome, Err(WriteError::TimedOut)), "{outcome:?}");
    assert_eq!(unsent, 200);
}

#[tokio::test]
async fn early_talkers_are_seen_and_their_words_kept() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    assert!(!connection.pending_input());
    client.write_all(b"EHLO x\r\n").await.unwrap();
    assert!(connection.pending_input());
    assert_eq!(connection.read_line(LIMIT, LATER).await.unwrap(), b"EHLO x");
    assert!(!connection.pending_input());
    drop(client);
    assert!(connection.pending_input(), "a peer that has gone is seen too");
    assert_eq!(connection.fill(LATER).await.unwrap(), 0);
}

#[tokio::test]
async fn closing_sends_the_last_reply_first() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    client.write_all(b"QUIT\r\nmore").await.unwrap();
    connection.write(b"221 bye\r\n");
    connection.close(LATER).await.unwrap();
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "221 bye\r\n");
    let lingering = tokio::spawn(async move { connection.close_lingering(LATER).await.is_ok() });
    clock.advance(LATER.0 - Duration::from_secs(1)).await;
    assert!(!lingering.is_finished(), "the client has not ended");
    clock.advance(Duration::from_secs(1)).await;
    assert!(lingering.await.unwrap());
}

/// "TLS" whose handshake is the client saying `hello!`, in plaintext: what matters here is who gets which byte.
struct FakeTls;

impl TlsServer for FakeTls {
    fn accept(&self, mut wire: BoxWire) -> BoxFuture<'_, io::Result<(BoxWire, TlsFacts)>> {
        Box::pin(async move {
            let mut hello = [0; 6];
            wire.read_exact(&mut hello).await?;
            if &hello != b"hello!" {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let facts = TlsFacts {
                version: TlsVersion::Tls13,
                cipher: "none",
                sni: None,
                alpn: None,
                resumed: false,
            };
            Ok((wire, facts))
        })
    }
}

/// What becomes of a connection whose client sends `before` the go-ahead and `after` it.
async fn starttls(
    before: &[u8],
    after: &[u8],
    flush_first: bool,
) -> Result<Connection<Secured>, IntoTlsError> {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    client.write_all(before).await.unwrap();
    assert_eq!(connection.read_line(LIMIT, LATER).await.unwrap(), b"STARTTLS");
    connection.write(b"220 go ahead\r\n");
    if flush_first {
        connection.flush(LATER).await.unwrap();
    }
    let upgrade = tokio::spawn(async move { connection.into_tls(&FakeTls, LATER).await });
    let mut reply = [0; 14];
    if client.read_exact(&mut reply).await.is_ok() {
        // The server may have closed.
        let _ = client.write_all(after).await;
    }
    clock.advance(LATER.0).await;
    upgrade.await.unwrap()
}

#[tokio::test]
async fn tls_1_plaintext_after_starttls_is_never_executed() {
    for flush_first in [false, true] {
        let with_the_command = starttls(b"MAIL FROM:<a@b.example>\r\n", b"hello!", flush_first).await;
        assert!(
            matches!(with_the_command, Err(IntoTlsError::PlaintextAfterStarttls)),
            "{with_the_command:?}"
        );
        let after_the_go_ahead = starttls(b"", b"NOOP\r\nhello!", flush_first).await;
        assert!(
            matches!(after_the_go_ahead, Err(IntoTlsError::Handshake(_))),
            "{after_the_go_ahead:?}"
        );
        let mut honest = starttls(b"", b"hello!EHLO x\r\n", flush_first).await.unwrap();
        assert_eq!(honest.tls().version, TlsVersion::Tls13);
        let much_later = Monotonic(2 * LATER.0);
        assert_eq!(honest.read_line(LIMIT, much_later).await.unwrap(), b"EHLO x");
    }
}

#[tokio::test]
async fn tls_1_plaintext_that_arrives_before_the_go_ahead_counts_even_unread() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    connection.write(b"220 go ahead\r\n");
    client.write_all(b"hello!").await.unwrap();
    let outcome = connection.into_tls(&FakeTls, LATER).await;
    assert!(
        matches!(outcome, Err(IntoTlsError::PlaintextAfterStarttls)),
        "{outcome:?}"
    );
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "", "no go-ahead for an injector");
}

#[tokio::test]
async fn tls_2_what_a_server_says_between_its_go_ahead_and_the_handshake_ends_the_connection() {
    let clock = SimClock::new();
    // What the server sends, in one segment with its go-ahead or behind it, and how it ends.
    let table = [
        ("220 go\r\n250-mx\r\n", "", TlsFailureKind::PlaintextAhead),
        ("220 go\r\n", "250-mx\r\n", TlsFailureKind::PlaintextAhead),
        ("220 go\r\n\x16", "", TlsFailureKind::PlaintextAhead),
    ];
    for (first, then, expected) in table {
        let (client, mut server) = wire_pair();
        let mut client = plain(client, &clock);
        server.write_all(first.as_bytes()).await.unwrap();
        assert_eq!(client.read_line(512, LATER).await.unwrap(), b"220 go");
        server.write_all(then.as_bytes()).await.unwrap();
        let tls = SimTlsClient::new();
        let started = client
            .start_tls(&*tls, "mx.example.org", TlsPolicy::Opportunistic, LATER)
            .await;
        assert_eq!(started.err().unwrap().kind, expected, "{first:?} {then:?}");
        assert!(tls.asked().is_empty(), "the handshake must not begin");
    }
    let (client, server) = wire_pair();
    drop(server);
    let tls = SimTlsClient::new();
    let started = plain(client, &clock).start_tls(&*tls, "mx.example.org", TlsPolicy::Opportunistic, LATER);
    assert_eq!(started.await.err().unwrap().kind, TlsFailureKind::Closed);
}

#[tokio::test]
async fn smt_10_a_handshake_that_does_not_come_ends_at_its_deadline_and_frees_the_wire() {
    for sent in [&b""[..], b"hel"] {
        let clock = SimClock::new();
        let (mut client, server) = wire_pair();
        client.write_all(sent).await.unwrap();
        let door = clock.door();
        let accepting = tokio::spawn(async move {
            Connection::accept_tls(Box::new(server), some_peer(), door, &FakeTls, LATER).await
        });
        clock.advance(LATER.0 - Duration::from_secs(1)).await;
        assert!(!accepting.is_finished());
        clock.advance(Duration::from_secs(1)).await;
        assert!(matches!(accepting.await.unwrap(), Err(IntoTlsError::TimedOut)));
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "closed");
    }
}

#[tokio::test]
async fn a_session_that_reads_many_commands_sets_few_timers() {
    let clock = SimClock::new();
    let (mut client, server) = wire_pair();
    let mut connection = plain(server, &clock);
    let wait = |driver: &Driver| Monotonic(driver.clock().monotonic().0 + Duration::from_secs(300));
    for _ in 0..10 {
        let deadline = wait(&connection);
        let mut reading = Box::pin(connection.read_line(LIMIT, deadline));
        assert!(
            reading
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        client.write_all(b"NOOP\r\n").await.unwrap();
        assert_eq!(reading.await.unwrap(), b"NOOP");
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(60)).await;
    }
}

/// Bytes in which everything that can go wrong with lines is frequent.
fn troublesome() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\0".to_vec()),
        4 => "[a-z]{1,20}".prop_map(String::into_bytes),
        1 => "[a-z]{50,70}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lines_do_not_depend_on_how_bytes_arrive(sent in troublesome(), seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = runtime.block_on(lines_of(&sent, None));
        let in_pieces = runtime.block_on(lines_of(&sent, Some(seed)));
        prop_assert_eq!(&whole, &in_pieces);
        for line in whole.iter().flatten() {
            prop_assert!(line.len() + 2 <= LIMIT && !line.contains(['\r', '\n', '\0']));
        }
        let clean = !sent.is_empty() && sent.ends_with(b"\r\n") && whole[..whole.len() - 1].iter().all(Result::is_ok);
        if clean {
            let joined: String = whole.iter().flatten().flat_map(|line| [line.as_str(), "\r\n"]).collect();
            prop_assert_eq!(joined.as_bytes(), &sent[..]);
        }
    }

    #[test]
    fn no_bytes_break_the_line_cutter(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        world::fuzzing::fuzz_lines(&bytes);
    }
}
