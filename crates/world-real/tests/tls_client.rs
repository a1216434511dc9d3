//! TLS on the way out, as servers with good and bad certificates, and as attackers, see it.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use testkit::clock::TokioClock;
use testkit::net::{SimWire, some_peer, wire_pair, wire_pair_in_pieces};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::clock::Monotonic;
use world::line::{Connection, Secured};
use world::net::{OutwardTls, TlsFailure, TlsFailureKind, TlsPolicy, TlsVersion};
use world_real::tls::{ServerTls, TlsSetupError};
use world_real::tls_client::ClientTls;

const DEADLINE: Monotonic = Monotonic(Duration::from_secs(30));
const MX: &str = "mx.example.org";

/// A certificate authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerTls> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![MX.to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server(&certificate.pem(), &key)
    }
}

fn server(chain_pem: &str, key: &KeyPair) -> Arc<ServerTls> {
    let key_pem = key.serialize_pem();
    Arc::new(ServerTls::from_pem(chain_pem.as_bytes(), key_pem.as_bytes(), &["smtp"]).unwrap())
}

fn self_signed() -> Arc<ServerTls> {
    let made = rcgen::generate_simple_self_signed(vec![MX.to_owned()]).unwrap();
    server(&made.cert.pem(), &made.signing_key)
}

fn old(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2019, 5, 1);
    params.not_after = date_time_ymd(2020, 5, 1);
}

fn early(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2090, 5, 1);
    params.not_after = date_time_ymd(2091, 5, 1);
}

fn of_somebody_else(params: &mut CertificateParams) {
    *params = CertificateParams::new(vec!["www.example.net".to_owned(), "*.example.net".to_owned()]).unwrap();
}

type Shaken = Result<(Connection<Secured>, OutwardTls), TlsFailure>;

async fn shake(
    tls: &ClientTls,
    server: &Arc<ServerTls>,
    name: &str,
    policy: TlsPolicy,
    wires: (SimWire, SimWire),
) -> (Shaken, Option<Connection<Secured>>) {
    let (client, wire) = wires;
    let server = Arc::clone(server);
    let accepting = tokio::spawn(async move {
        let clock = Arc::new(TokioClock::new());
        Connection::accept_tls(Box::new(wire), some_peer(), clock, &*server, DEADLINE).await
    });
    let clock = Arc::new(TokioClock::new());
    let connected =
        Connection::connect_tls(Box::new(client), some_peer(), clock, tls, name, policy, DEADLINE).await;
    (connected, accepting.await.unwrap().ok())
}

#[tokio::test(start_paused = true)]
async fn q_5_a_certificate_that_does_not_verify_is_told_in_words_and_refused_where_it_must_verify() {
    let (ours, strange) = (Authority::new("ours"), Authority::new("strange"));
    let tls = ClientTls::new(ours.pem.as_bytes()).unwrap();
    let names = "the certificate is for www.example.net, *.example.net, not for mx.example.org";
    let table = [
        (ours.issue(|_| {}), Ok(())),
        (ours.issue(old), Err("the certificate expired on 2020-05-01")),
        (
            ours.issue(early),
            Err("the certificate is valid from 2090-05-01 on only"),
        ),
        (ours.issue(of_somebody_else), Err(names)),
        (
            strange.issue(|_| {}),
            Err("the certificate was issued by nobody we trust"),
        ),
        (self_signed(), Err("the certificate is self-signed")),
    ];
    for (seed, (server, expected)) in table.into_iter().enumerate() {
        let expected = expected.map_err(str::to_owned);
        let wires = || wire_pair_in_pieces(seed as u64);
        let (any, accepted) = shake(&tls, &server, MX, TlsPolicy::Opportunistic, wires()).await;
        let (mut client, outward) = any.unwrap();
        assert_eq!(outward.verified.map_err(|fault| fault.text), expected);
        assert_eq!(outward.facts.version, TlsVersion::Tls13);
        assert_eq!(outward.facts.sni.as_deref(), Some(MX));
        assert_eq!(client.tls(), &outward.facts);
        let mut server_side = accepted.unwrap();
        assert_eq!(server_side.tls().sni.as_deref(), Some(MX));
        client.write(b"EHLO us\r\n");
        client.flush(DEADLINE).await.unwrap();
        assert_eq!(server_side.read_line(512, DEADLINE).await.unwrap(), b"EHLO us");

        let (verified, _) = shake(&tls, &server, MX, TlsPolicy::Verified, wires()).await;
        match (verified, expected) {
            (Ok((_, outward)), Ok(())) => assert_eq!(outward.verified, Ok(())),
            (Err(failure), Err(why)) => {
                assert_eq!(failure.kind, TlsFailureKind::Certificate, "{failure:?}");
                // rustls' own verdict does not know of self-signed certificates.
                let same = failure.text == why || why.contains("self-signed");
                assert!(same, "{failure:?}, not {why}");
            }
            (verified, expected) => panic!("{verified:?}, not {expected:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_addresses_are_matched_as_they_should_be() {
    let ours = Authority::new("ours");
    let tls = ClientTls::new(ours.pem.as_bytes()).unwrap();
    let address = ours.issue(|params| {
        *params = CertificateParams::new(vec!["192.0.2.25".to_owned()]).unwrap();
    });
    let named = ours.issue(|_| {});
    let table = [
        (&named, "MX.Example.ORG.", Some(MX), true),
        (&address, "192.0.2.25", None, true),
        (&address, "192.0.2.26", None, false),
        (&named, "not a name", None, false),
    ];
    for (server, name, sni, fits) in table {
        let (any, accepted) = shake(&tls, server, name, TlsPolicy::Opportunistic, wire_pair()).await;
        let (_, outward) = any.unwrap();
        assert_eq!(outward.verified.is_ok(), fits, "{name}: {:?}", outward.verified);
        assert_eq!(outward.facts.sni.as_deref(), sni, "{name}");
        assert_eq!(accepted.unwrap().tls().sni.as_deref(), sni, "{name}");
        let (verified, _) = shake(&tls, server, name, TlsPolicy::Verified, wire_pair()).await;
        assert_eq!(verified.is_ok(), fits, "{name}");
    }
}

/// What comes of a server that answers to a ClientHello with these octets and then closes, or stays silent.
async fn against(answer: &[u8], closes: bool) -> TlsFailure {
    let tls = ClientTls::new(b"").unwrap();
    let (client, mut server) = wire_pair();
    let clock = Arc::new(TokioClock::new());
    let connecting = Connection::connect_tls(
        Box::new(client),
        some_peer(),
        clock,
        &*tls,
        MX,
        TlsPolicy::Opportunistic,
        DEADLINE,
    );
    let serving = async {
        let mut hello = [0; 5];
        server.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello[0], 22, "a handshake record");
        let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
        server.read_exact(&mut rest).await.unwrap();
        server.write_all(answer).await.unwrap();
        if closes {
            drop(server);
            return None;
        }
        Some(server)
    };
    let (outcome, _kept) = tokio::join!(connecting, serving);
    outcome.err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn q_5_a_handshake_that_is_aborted_or_answered_with_garbage_says_so() {
    let alert = [21, 3, 3, 0, 2, 2, 40];
    // A server that speaks TLS 1.1 at most answers with its version (RFC 8446 Appendix D.1).
    let tls11: Vec<u8> = {
        let mut body = vec![3, 2];
        body.extend([9; 32]);
        body.extend([0, 0xc0, 0x14, 0]);
        let hello = [&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
        [&[22, 3, 2, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat()
    };
    let table: [(&[u8], bool, TlsFailureKind, &str); 6] = [
        (
            b"",
            true,
            TlsFailureKind::Closed,
            "the server closed the connection during the TLS handshake",
        ),
        (
            b"",
            false,
            TlsFailureKind::TimedOut,
            "the TLS handshake did not end in time",
        ),
        (
            b"500 5.5.1 What was that?\r\n",
            true,
            TlsFailureKind::Handshake,
            "what the server sent is not TLS",
        ),
        (
            &[0xff; 20_000],
            false,
            TlsFailureKind::Handshake,
            "what the server sent is not TLS",
        ),
        (
            &alert,
            true,
            TlsFailureKind::Handshake,
            "the server broke the TLS handshake off (alert HandshakeFailure)",
        ),
        (
            &tls11,
            false,
            TlsFailureKind::Handshake,
            "the TLS handshake failed",
        ),
    ];
    for (answer, closes, kind, text) in table {
        let failure = against(answer, closes).await;
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.text.starts_with(text), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_resumed_within_one_policy_and_forgotten_when_the_authorities_change() {
    let ours = Authority::new("ours");
    let tls = ClientTls::new(ours.pem.as_bytes()).unwrap();
    let server = ours.issue(|_| {});
    let mut resumed = Vec::new();
    let mut go = async |policy| {
        let (shaken, accepted) = shake(&tls, &server, MX, policy, wire_pair()).await;
        let ((mut client, outward), mut server) = (shaken.unwrap(), accepted.unwrap());
        assert_eq!(outward.verified, Ok(()), "judged again after a resumption");
        resumed.push(outward.facts.resumed);
        // The ticket comes with the first bytes.
        server.write(b"220 hello\r\n");
        server.flush(DEADLINE).await.unwrap();
        client.read_line(512, DEADLINE).await.unwrap();
    };
    go(TlsPolicy::Opportunistic).await;
    go(TlsPolicy::Opportunistic).await;
    go(TlsPolicy::Verified).await;
    go(TlsPolicy::Verified).await;
    assert_eq!(resumed, [false, true, false, true]);

    tls.replace(b"").unwrap();
    let (shaken, _) = shake(&tls, &server, MX, TlsPolicy::Opportunistic, wire_pair()).await;
    let (_, outward) = shaken.unwrap();
    assert!(!outward.facts.resumed);
    assert!(outward.verified.is_err(), "nobody vouches for it any more");
}

#[test]
fn authorities_that_cannot_be_read_are_refused() {
    for text in [
        "what?",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    ] {
        let error = ClientTls::new(text.as_bytes()).unwrap_err();
        assert!(matches!(error, TlsSetupError::BadRoots(_)), "{error}");
    }
}
