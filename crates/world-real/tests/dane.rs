//! Certificates held against TLSA records, with real handshakes.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData,
    date_time_ymd,
};
use ring::digest::{SHA256, SHA512, digest};
use testkit::clock::TokioClock;
use testkit::net::{some_peer, wire_pair};
use world::clock::Monotonic;
use world::line::{Connection, Secured};
use world::net::{CertificateFaultKind, OutwardTls, TlsFailure, TlsFailureKind, TlsPolicy};
use world::tlsa::TlsaRecord;
use world_real::tls::ServerTls;
use world_real::tls_client::ClientTls;

const DEADLINE: Monotonic = Monotonic(Duration::from_secs(30));
const MX: &str = "mx.example.org";

/// A server's chain, and the authority it is from.
struct Chain {
    own: Certificate,
    key: KeyPair,
    authority: Certificate,
    authority_key: Vec<u8>,
}

impl Chain {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.distinguished_name
            .push(DnType::CommonName, "an authority of the server's own");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = root.self_signed(&root_key).unwrap();
        let authority_key = root_key.subject_public_key_info();
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![MX.to_owned()]).unwrap();
        change(&mut params);
        let own = params.signed_by(&key, &issuer).unwrap();
        Self {
            own,
            key,
            authority,
            authority_key,
        }
    }

    fn server(&self, with_authority: bool) -> Arc<ServerTls> {
        let mut chain = self.own.pem();
        if with_authority {
            chain.push_str(&self.authority.pem());
        }
        let key = self.key.serialize_pem();
        Arc::new(ServerTls::from_pem(chain.as_bytes(), key.as_bytes(), &["smtp"]).unwrap())
    }
}

fn record(usage: u8, selector: u8, matching: u8, shown: &[u8]) -> TlsaRecord {
    let data = match matching {
        0 => shown.to_vec(),
        1 => digest(&SHA256, shown).as_ref().to_vec(),
        _ => digest(&SHA512, shown).as_ref().to_vec(),
    };
    TlsaRecord::new(usage, selector, matching, data).unwrap()
}

async fn shake(server: &Arc<ServerTls>, records: Vec<TlsaRecord>) -> Result<OutwardTls, TlsFailure> {
    let tls = ClientTls::new(b"").unwrap();
    let (client, wire) = wire_pair();
    let server = Arc::clone(server);
    let clock = || Arc::new(TokioClock::new());
    let accepting = tokio::spawn(async move {
        Connection::accept_tls(Box::new(wire), some_peer(), clock(), &*server, DEADLINE).await
    });
    let policy = TlsPolicy::Dane {
        records: records.into(),
        names: vec![
            MX.to_owned(),
            "alias.example.org".to_owned(),
            "example.org".to_owned(),
        ]
        .into(),
    };
    let connected: Result<(Connection<Secured>, _), _> = Connection::connect_tls(
        Box::new(client),
        some_peer(),
        clock(),
        &*tls,
        MX,
        policy,
        DEADLINE,
    )
    .await;
    let accepted = accepting.await.unwrap();
    let (_, outward) = connected?;
    accepted.unwrap();
    Ok(outward)
}

fn old(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2019, 5, 1);
    params.not_after = date_time_ymd(2020, 5, 1);
}

fn named(name: &'static str) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        let names = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.subject_alt_names = names.subject_alt_names;
    }
}

#[tokio::test(start_paused = true)]
async fn tls_6_every_selector_and_matching_type_finds_its_certificate_and_no_other() {
    let (ours, other) = (Chain::new(|_| {}), Chain::new(|_| {}));
    for usage in [2, 3] {
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let of = |chain: &Chain| {
                    let shown = match (usage, selector) {
                        (2, 0) => chain.authority.der().to_vec(),
                        (2, _) => chain.authority_key.clone(),
                        (_, 0) => chain.own.der().to_vec(),
                        _ => chain.key.subject_public_key_info(),
                    };
                    record(usage, selector, matching, &shown)
                };
                let what = format!("{usage} {selector} {matching}");
                let server = ours.server(true);
                let fits = shake(&server, vec![of(&other), of(&ours)]).await.expect(&what);
                assert!(
                    fits.verified.is_err(),
                    "{what}: no public authority vouches for it"
                );
                assert_eq!(fits.facts.sni.as_deref(), Some(MX));
                let failure = shake(&server, vec![of(&other)]).await.expect_err(&what);
                assert_eq!(failure.kind, TlsFailureKind::Certificate, "{what}");
                // A whole authority in DNS is one, whether the server shows it or not; it just did not issue this.
                let want = match (usage, selector, matching) {
                    (2, 0, 0) => CertificateFaultKind::NotTrusted,
                    _ => CertificateFaultKind::Tlsa,
                };
                assert_eq!(failure.certificate, Some(want), "{what}: {}", failure.text);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tls_6_names_and_dates_count_for_an_authority_and_not_for_the_server_itself() {
    let table: [(Chain, Option<CertificateFaultKind>); 5] = [
        (Chain::new(|_| {}), None),
        (Chain::new(old), Some(CertificateFaultKind::Expired)),
        (
            Chain::new(named("other.example.net")),
            Some(CertificateFaultKind::OtherName),
        ),
        // RFC 7672 §3.2.2: the next hop's own name will do
        (Chain::new(named("example.org")), None),
        (Chain::new(named("alias.example.org")), None),
    ];
    for (number, (chain, want)) in table.into_iter().enumerate() {
        let server = chain.server(true);
        let authority = record(2, 0, 1, chain.authority.der());
        let by_authority = shake(&server, vec![authority]).await;
        let fault = by_authority.err().and_then(|failure| failure.certificate);
        assert_eq!(fault, want, "case {number}");
        let itself = record(3, 1, 1, &chain.key.subject_public_key_info());
        assert!(shake(&server, vec![itself]).await.is_ok(), "case {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn tls_6_an_authority_must_be_shown_or_stand_in_dns_and_the_server_is_none_of_its_own() {
    let chain = Chain::new(|_| {});
    let alone = chain.server(false);
    let hashed = record(2, 0, 1, chain.authority.der());
    let failure = shake(&alone, vec![hashed]).await.unwrap_err();
    assert_eq!(failure.certificate, Some(CertificateFaultKind::Tlsa));
    assert_eq!(
        failure.text,
        "the certificate fits none of the TLSA records in DNS"
    );
    let whole = record(2, 0, 0, chain.authority.der());
    assert!(shake(&alone, vec![whole]).await.is_ok());
    // a record about an authority says nothing of the server's own certificate
    let own = record(2, 0, 1, chain.own.der());
    assert!(shake(&chain.server(true), vec![own]).await.is_err());
    // and one about the server nothing of its authority
    let authority = record(3, 0, 1, chain.authority.der());
    assert!(shake(&chain.server(true), vec![authority]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn tls_6_an_authority_in_dns_that_cannot_be_read_vouches_for_nobody() {
    let chain = Chain::new(|_| {});
    for data in [vec![0x30], vec![0xff; 500], chain.own.der()[..100].to_vec()] {
        let record = TlsaRecord::new(2, 0, 0, data).unwrap();
        let failure = shake(&chain.server(true), vec![record]).await.unwrap_err();
        assert_eq!(failure.certificate, Some(CertificateFaultKind::Tlsa));
    }
}
