//! TLS as our clients and our attackers see it, over simulated wires.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use testkit::clock::TokioClock;
use testkit::net::{SimWire, some_peer, wire_pair, wire_pair_in_pieces, wire_pair_with_capacity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use world::clock::Monotonic;
use world::line::{Connection, IntoTlsError, Secured};
use world::net::{TlsServer, TlsVersion};
use world_real::tls::{Certificates, Identity, ServerTls, TlsSetupError};

const DEADLINE: Monotonic = Monotonic(Duration::from_secs(30));

struct Made {
    chain_pem: String,
    key_pem: String,
    der: CertificateDer<'static>,
}

fn make(name: &str) -> Made {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    Made {
        chain_pem: made.cert.pem(),
        key_pem: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

fn identity(names: &[&str], made: &Made) -> Identity {
    Identity::from_pem(names, made.chain_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
}

fn server(made: &Made, alpn: &[&str]) -> Arc<ServerTls> {
    Arc::new(ServerTls::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), alpn).unwrap())
}

fn client(
    trusted: &[&Made],
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for made in trusted {
        roots.add(made.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

type Both = (
    io::Result<TlsStream<SimWire>>,
    Result<Connection<Secured>, IntoTlsError>,
);

/// Both sides of a handshake.
async fn shake(
    tls: &Arc<ServerTls>,
    config: Arc<ClientConfig>,
    name: &str,
    wires: (SimWire, SimWire),
) -> Both {
    let (client_wire, server_wire) = wires;
    let tls = Arc::clone(tls);
    let accepting = tokio::spawn(async move {
        let clock = Arc::new(TokioClock::new());
        Connection::accept_tls(Box::new(server_wire), some_peer(), clock, &*tls, DEADLINE).await
    });
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connected = TlsConnector::from(config).connect(name, client_wire).await;
    (connected, accepting.await.unwrap())
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[tokio::test(start_paused = true)]
async fn tls_7_versions_1_2_and_1_3_work_and_the_facts_tell() {
    let made = make("mail.example.org");
    let tls = server(&made, &["smtp"]);
    let table = [
        (BOTH, TlsVersion::Tls13),
        (&BOTH[..1], TlsVersion::Tls13),
        (&BOTH[1..], TlsVersion::Tls12),
    ];
    for (versions, expected) in table {
        for seed in 0..4 {
            let wires = wire_pair_in_pieces(seed);
            let (client, server) =
                shake(&tls, client(&[&made], versions, &[]), "Mail.Example.org", wires).await;
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            assert_eq!(server.tls().version, expected);
            assert_eq!(server.tls().sni.as_deref(), Some("mail.example.org"));
            assert_eq!(server.tls().alpn, None);
            assert!(server.tls().cipher.starts_with("TLS"), "{}", server.tls().cipher);
            client.write_all(b"NOOP\r\n").await.unwrap();
            assert_eq!(server.read_line(512, DEADLINE).await.unwrap(), b"NOOP");
            server.write(&[b'y'; 100_000]);
            let (sent, read) = tokio::join!(server.flush(DEADLINE), read_exactly(&mut client, 100_000));
            sent.unwrap();
            assert!(read.iter().all(|&byte| byte == b'y'));
            let mut rest = Vec::new();
            let (closed, ended) = tokio::join!(server.close(DEADLINE), client.read_to_end(&mut rest));
            closed.unwrap();
            assert_eq!(
                ended.unwrap(),
                0,
                "close_notify was sent, or this would be an error"
            );
        }
    }
}

async fn read_exactly(from: &mut TlsStream<SimWire>, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// A ClientHello without extensions, as an old client sends it.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let suites: [u8; 8] = [0xc0, 0x14, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x0a];
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 8]);
    body.extend(suites);
    body.extend([1, 0]);
    record(22, &handshake_message(1, &body))
}

fn handshake_message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1], &length[..], body].concat()
}

/// What the server answers to raw bytes, whether it accepted, and how many bytes it never read. The client ends after sending.
async fn answer_to(raw: &[u8], wires: (SimWire, SimWire)) -> (Vec<u8>, Result<(), IntoTlsError>) {
    let made = make("mail.example.org");
    let tls = server(&made, &["smtp"]);
    let (mut client, server) = wires;
    let accepting = tokio::spawn(async move {
        let clock = Arc::new(TokioClock::new());
        Connection::accept_tls(Box::new(server), some_peer(), clock, &*tls, DEADLINE)
            .await
            .map(drop)
    });
    // A server that refuses early stops reading.
    let _ = client.write_all(raw).await;
    let _ = client.shutdown().await;
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    (answer, accepting.await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn tls_7_older_versions_are_refused_with_an_alert() {
    for version in [[3, 0], [3, 1], [3, 2]] {
        let (answer, outcome) = answer_to(&old_hello(version), wire_pair()).await;
        assert!(
            matches!(outcome, Err(IntoTlsError::Handshake(_))),
            "{version:?}: {outcome:?}"
        );
        assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
        assert_eq!(answer[5], 2, "fatal");
    }
    let sslv2 = [0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10];
    let (_, outcome) = answer_to(&sslv2, wire_pair()).await;
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
    let (_, outcome) = answer_to(b"EHLO plain.example\r\n", wire_pair()).await;
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
}

/// A real ClientHello, without its record header.
fn real_hello() -> Vec<u8> {
    let made = make("mail.example.org");
    let name = ServerName::try_from("mail.example.org").unwrap();
    let mut session = ClientConnection::new(client(&[&made], BOTH, &[]), name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes.split_off(5)
}

#[tokio::test(start_paused = true)]
async fn tls_10_a_fragmented_client_hello_is_understood() {
    let hello = real_hello();
    for size in [1, 2, 7, 100] {
        let raw: Vec<u8> = hello.chunks(size).flat_map(|piece| record(22, piece)).collect();
        for wires in [wire_pair(), wire_pair_in_pieces(9)] {
            let (answer, outcome) = answer_to(&raw, wires).await;
            assert!(outcome.is_err(), "the client leaves after its hello");
            assert_eq!(
                answer.first(),
                Some(&22),
                "a ServerHello to pieces of {size}: {outcome:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tls_10_an_oversized_client_hello_is_refused_before_it_is_read_to_the_end() {
    let body = handshake_message(1, &vec![3; 1_000_000]);
    let raw: Vec<u8> = body.chunks(16_000).flat_map(|piece| record(22, piece)).collect();
    let (_, outcome) = answer_to(&raw, wire_pair_with_capacity(4096)).await;
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
    let endless_record = [&[22, 3, 1, 0xff, 0xff][..], &[1; 70_000]].concat();
    let (_, outcome) = answer_to(&endless_record, wire_pair_with_capacity(4096)).await;
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn tls_10_close_notify_after_the_client_hello_ends_it() {
    let raw = [record(22, &real_hello()), record(21, &[1, 0])].concat();
    for wires in [wire_pair(), wire_pair_in_pieces(3)] {
        let (_, outcome) = answer_to(&raw, wires).await;
        assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
    }
    let only_alerts: Vec<u8> = (0..5000).flat_map(|_| record(21, &[1, 0])).collect();
    let (_, outcome) = answer_to(&only_alerts, wire_pair()).await;
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn smt_10_a_handshake_that_stops_in_the_middle_ends_at_the_deadline() {
    let made = make("mail.example.org");
    let tls = server(&made, &["smtp"]);
    let hello = record(22, &real_hello());
    for sent in [&b""[..], &hello[..1], &hello[..hello.len() - 1], &hello] {
        let (mut client, server) = wire_pair();
        client.write_all(sent).await.unwrap();
        let clock = Arc::new(TokioClock::new());
        let outcome = Connection::accept_tls(Box::new(server), some_peer(), clock, &*tls, DEADLINE).await;
        assert!(matches!(outcome, Err(IntoTlsError::TimedOut)), "{outcome:?}");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn tls_1_plaintext_instead_of_the_handshake_is_not_executed() {
    let made = make("mail.example.org");
    let tls = server(&made, &["smtp"]);
    let (mut client, wire) = wire_pair();
    let mut connection = Connection::new(Box::new(wire), some_peer(), Arc::new(TokioClock::new()));
    connection.write(b"220 go ahead\r\n");
    let injected = [b"NOOP\r\n", &record(22, &real_hello())[..]].concat();
    let (outcome, ()) = tokio::join!(connection.into_tls(&*tls, DEADLINE), async {
        let mut go_ahead = [0; 14];
        client.read_exact(&mut go_ahead).await.unwrap();
        client.write_all(&injected).await.unwrap();
    });
    assert!(matches!(outcome, Err(IntoTlsError::Handshake(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn tls_8_protocols_of_other_doors_are_refused() {
    let made = make("mail.example.org");
    let imap = server(&made, &["imap"]);
    let nothing = server(&made, &[]);
    let table: [(&Arc<ServerTls>, &[&str], Option<Option<&str>>); 6] = [
        (&imap, &[], Some(None)),
        (&imap, &["imap"], Some(Some("imap"))),
        (&imap, &["h2", "imap"], Some(Some("imap"))),
        (&imap, &["http/1.1"], None),
        (&nothing, &[], Some(None)),
        (&nothing, &["http/1.1"], None),
    ];
    for (tls, offered, expected) in table {
        let config = client(&[&made], BOTH, offered);
        let (client, server) = shake(tls, config, "mail.example.org", wire_pair()).await;
        match expected {
            Some(alpn) => assert_eq!(server.unwrap().tls().alpn.as_deref(), alpn, "{offered:?}"),
            None => {
                assert!(server.is_err(), "{offered:?}");
                let told = client.unwrap_err().to_string();
                assert!(
                    told.contains("NoApplicationProtocol"),
                    "the client is told by an alert: {told}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn certificates_are_chosen_by_name_and_exchanged_while_sessions_go_on() {
    let (default, mail, wild) = (
        make("default.example"),
        make("mail.example.org"),
        make("x.wild.example"),
    );
    let certificates = Certificates::new(vec![
        identity(&[], &default),
        identity(&["mail.example.org"], &mail),
        identity(&["*.wild.example"], &wild),
    ])
    .unwrap();
    let tls = Arc::new(ServerTls::new(Arc::clone(&certificates), &["imap"]).unwrap());
    let table = [
        ("mail.example.org", &mail),
        ("x.wild.example", &wild),
        ("default.example", &default),
    ];
    for (name, expected) in table {
        let (client, _server) = shake(&tls, client(&[expected], BOTH, &[]), name, wire_pair()).await;
        assert!(client.is_ok(), "{name}: {:?}", client.err());
    }
    let two_labels = shake(&tls, client(&[&wild], BOTH, &[]), "a.b.wild.example", wire_pair()).await;
    assert!(two_labels.0.is_err(), "a wildcard stands for one label");

    let config = client(&[&mail], BOTH, &[]);
    let (before, mut server) = match shake(&tls, config, "mail.example.org", wire_pair()).await {
        (Ok(client), Ok(server)) => (client, server),
        other => panic!("{other:?}"),
    };
    let renewed = make("mail.example.org");
    certificates.replace(vec![identity(&[], &renewed)]).unwrap();
    let (after, _) = shake(
        &tls,
        client(&[&renewed], BOTH, &[]),
        "mail.example.org",
        wire_pair(),
    )
    .await;
    assert_eq!(
        after.unwrap().get_ref().1.peer_certificates().unwrap()[0],
        renewed.der
    );
    let mut before = before;
    before.write_all(b"still here\r\n").await.unwrap();
    assert_eq!(server.read_line(512, DEADLINE).await.unwrap(), b"still here");
    assert!(matches!(
        certificates.replace(Vec::new()),
        Err(TlsSetupError::NothingToServe)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_resumed_at_its_own_door_only() {
    let made = make("mail.example.org");
    let (one, other) = (server(&made, &["imap"]), server(&made, &["imap"]));
    let config = client(&[&made], BOTH, &[]);
    let mut resumed = Vec::new();
    for tls in [&one, &one, &other] {
        let (client, server) = shake(tls, Arc::clone(&config), "mail.example.org", wire_pair()).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        resumed.push(server.tls().resumed);
        // The ticket comes with the first bytes.
        server.write(b"* OK\r\n");
        server.flush(DEADLINE).await.unwrap();
        read_exactly(&mut client, 6).await;
        assert_eq!(
            client.get_ref().1.protocol_version(),
            Some(ProtocolVersion::TLSv1_3)
        );
    }
    assert_eq!(resumed, [false, true, false]);
}

#[test]
fn mistakes_with_files_say_what_to_do() {
    let (one, other) = (make("one.example"), make("other.example"));
    let (chain, key) = (one.chain_pem.as_bytes(), one.key_pem.as_bytes());
    let table: [(&[u8], &[u8], &str); 4] = [
        (b"", key, "the certificate file has no certificate"),
        (key, key, "the certificate file has no certificate"),
        (chain, chain, "the key file has no usable private key"),
        (
            chain,
            other.key_pem.as_bytes(),
            "the private key does not fit the certificate",
        ),
    ];
    for (chain, key, expected) in table {
        let error = ServerTls::from_pem(chain, key, &[]).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let tls: Arc<dyn TlsServer> = server(&one, &[]);
    drop(tls);
}
