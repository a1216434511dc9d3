//! DKIM: what we sign and verify, what others signed, and what hostile mail tries.

use std::path::PathBuf;
use std::sync::Arc;

use msgauth::desk::Desk;
use msgauth::dkim::sign::{Signing, SigningKey};
use msgauth::dkim::{DkimReport, DkimResult, Rule, Verifying};
use msgauth::limits::{DKIM_KEYS, DKIM_SIGNATURES, DKIM_TIME};
use testkit::clock::{START, TokioClock};
use testkit::dns::SimDns;

const NOW_S: u64 = START.0 / 1000;
const BODY: &str = "Hello  there \r\n\r\nlast line\r\n\r\n";
const HEADER: &str = "From: Ann <ann@there.example>\r\nTo: bob@here.example\r\nSubject: A  test\r\n with a fold\r\n\
    Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@there.example>\r\n\r\n";

fn rsa() -> SigningKey {
    SigningKey::rsa("there.example", "r1", include_bytes!("keys/rsa-2048.pk8")).expect("a key")
}

fn ed25519() -> SigningKey {
    SigningKey::ed25519("there.example", "e1", &[7; 32]).expect("a key")
}

fn zone(keys: &[SigningKey]) -> String {
    keys.iter()
        .map(|key| format!("{} TXT \"{}\"\n", key.record_name(), key.record()))
        .collect()
}

fn signed(keys: &[SigningKey]) -> String {
    let mut signing = Signing::begin(HEADER.as_bytes());
    signing.body(BODY.as_bytes());
    let fields = signing.finish(keys, NOW_S);
    String::from_utf8(fields).expect("ASCII") + HEADER + BODY
}

/// Verifies, the body in pieces of 7; also tells how many questions were asked.
async fn verify(message: &[u8], zone: &str) -> (DkimReport, usize) {
    let clock = Arc::new(TokioClock::new());
    let dns = SimDns::new(clock.clone(), zone).expect("a zone");
    let mut desk = Desk::new(&dns, &*clock, DKIM_KEYS, DKIM_TIME);
    let at = mail::header::body_start(message);
    let mut verifying = Verifying::begin(&message[..at], Some("there.example"));
    message[at..].chunks(7).for_each(|piece| verifying.body(piece));
    let report = verifying.finish(&mut desk, NOW_S).await;
    (report, dns.asked().len())
}

async fn rules(message: &str, zone: &str) -> Vec<Rule> {
    let (report, _) = verify(message.as_bytes(), zone).await;
    report.signatures.iter().map(|one| one.rule).collect()
}

#[tokio::test(start_paused = true)]
async fn what_we_sign_is_verified_with_both_keys() {
    let keys = [rsa(), ed25519()];
    let message = signed(&keys);
    assert!(message.lines().all(|line| line.len() <= 78), "{message}");
    let (report, asked) = verify(message.as_bytes(), &zone(&keys)).await;
    assert_eq!(asked, 2);
    assert_eq!(
        report
            .signatures
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "there.example (key r1): the signature is good",
            "there.example (key e1): the signature is good"
        ]
    );
    assert_eq!(report.signatures[0].key_bits, Some(2048));
    // Relaxed: white space on the way changes nothing.
    let travelled = message
        .replace("Subject: A  test\r\n with a fold", "SUBJECT:A test with a\tfold ")
        .replace("Hello  there ", "Hello there")
        + "\r\n \r\n";
    assert_eq!(rules(&travelled, &zone(&keys)).await, [Rule::Good, Rule::Good]);
}

#[tokio::test(start_paused = true)]
async fn aut_8_what_readers_see_cannot_be_changed_or_added() {
    let keys = [rsa(), ed25519()];
    let message = signed(&keys);
    for name in [
        "From",
        "To",
        "Cc",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Reply-To",
        "References",
    ] {
        for added in [
            message.replacen("From: Ann", &format!("{name}: added\r\nFrom: Ann"), 1),
            message.replacen("\r\n\r\nHello", &format!("\r\n{name}: added\r\n\r\nHello"), 1),
            format!("{name}: added\r\n{message}"),
        ] {
            assert_eq!(
                rules(&added, &zone(&keys)).await,
                [Rule::HeaderChanged; 2],
                "{name}"
            );
        }
    }
    let changed = message.replace("last line", "lost line");
    assert_eq!(rules(&changed, &zone(&keys)).await, [Rule::BodyChanged; 2]);
    assert!(!message.contains(" l="));
    let without_from = message.replace("h=From:From:", "h=");
    assert_eq!(rules(&without_from, &zone(&keys)).await, [Rule::FromNotSigned; 2]);
}

/// Signed by hand, because our own signer never writes `l=`: From, and so many octets of the body.
fn signed_with_length(length: usize) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ring::digest::{SHA256, digest};
    let body = "Hello there\r\n\r\nlast line\r\n";
    let hash = STANDARD.encode(digest(&SHA256, &body.as_bytes()[..length.min(body.len())]));
    let field = format!(
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=there.example; s=e1; h=from; l={length}; bh={hash}; b="
    );
    let data = format!(
        "from:Ann <ann@there.example>\r\n{}",
        field.replace("DKIM-Signature: ", "dkim-signature:")
    );
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let value = STANDARD.encode(pair.sign(digest(&SHA256, data.as_bytes()).as_ref()));
    format!("{field}{value}\r\n{HEADER}{body}")
}

#[tokio::test(start_paused = true)]
async fn aut_6_what_lies_behind_l_is_not_vouched_for() {
    let canonical = "Hello there\r\n\r\nlast line\r\n".len();
    let zone = zone(&[ed25519()]);
    let with_length = |length: usize, appended: &str| signed_with_length(length) + appended;
    assert_eq!(rules(&with_length(canonical, ""), &zone).await, [Rule::Good]);
    assert_eq!(
        rules(&with_length(canonical, "more\r\n"), &zone).await,
        [Rule::PartOfBody(6)]
    );
    assert_eq!(
        rules(&with_length(5, ""), &zone).await,
        [Rule::PartOfBody(canonical as u64 - 5)]
    );
    assert_eq!(
        rules(&with_length(0, "x"), &zone).await,
        [Rule::PartOfBody(canonical as u64 + 3)]
    );
    let (report, _) = verify(with_length(canonical, "more\r\n").as_bytes(), &zone).await;
    assert_eq!(report.signatures[0].result, DkimResult::Policy);
}

#[tokio::test(start_paused = true)]
async fn aut_7_weak_and_huge_keys_and_old_hashes_are_not_believed() {
    let message = signed(&[rsa()]);
    let record = |key: &str| format!("r1._domainkey.there.example TXT \"v=DKIM1; p={key}\"");
    let table = [
        (include_str!("keys/rsa-512.pub"), Rule::ShortKey(512)),
        (include_str!("keys/rsa-768.pub"), Rule::ShortKey(768)),
        (include_str!("keys/rsa-1024.pub"), Rule::HeaderChanged),
        (include_str!("keys/rsa-4096.pub"), Rule::HeaderChanged),
        (include_str!("keys/rsa-8192.pub"), Rule::LongKey(8192)),
    ];
    for (key, want) in table {
        assert_eq!(rules(&message, &record(key.trim())).await, [want]);
    }
    let sha1 = message.replace("a=rsa-sha256", "a=rsa-sha1");
    let (report, asked) = verify(sha1.as_bytes(), &zone(&[rsa()])).await;
    assert_eq!((report.signatures[0].rule, asked), (Rule::WeakAlgorithm, 0));
    let ed = signed(&[ed25519()]).replace("s=e1", "s=r1");
    let crossed = rules(&ed, &zone(&[rsa()])).await;
    assert_eq!(crossed, [Rule::BadKey(msgauth::dkim::key::BadKey::UnknownType)]);
}

#[tokio::test(start_paused = true)]
async fn aut_9_signature_bombs_end_within_their_limits() {
    let bomb = |number: usize| {
        let names = "from:x-long-name:".repeat(600);
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d{number}.bomb.example; s=k;\r\n \
             h={names}to; bh={}; b=AAAA\r\n",
            "hUb/kHLnpeUTTcpjCYSp7/XOSfcD9wi44IUCTDRo0TE="
        )
    };
    let bombs: String = (0..15).map(bomb).collect();
    let message = bombs + &signed(&[rsa()]);
    let (report, asked) = verify(message.as_bytes(), &zone(&[rsa()])).await;
    // The author's own signature comes first, wherever it stands.
    assert_eq!(report.signatures[0].rule, Rule::Good);
    assert_eq!((report.signatures.len(), report.skipped), (DKIM_SIGNATURES, 6));
    assert!(asked <= DKIM_KEYS, "{asked}");

    let long = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; d=there.example; s=k; h=from{}; bh=AA==; b=AA==\r\n",
        ":a".repeat(10_000)
    );
    let (report, asked) = verify((long + HEADER).as_bytes(), "").await;
    assert_eq!((report.signatures[0].result, asked), (DkimResult::Neutral, 0));

    let same_key = "DKIM-Signature: v=1; a=rsa-sha256; d=there.example; s=k; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AA==\r\n".repeat(100);
    let (report, asked) = verify((same_key + HEADER).as_bytes(), "").await;
    assert_eq!((report.signatures.len(), report.skipped, asked), (10, 90, 1));
}

#[tokio::test(start_paused = true)]
async fn aut_13_a_key_that_cannot_be_asked_for_is_asked_for_later() {
    let message = signed(&[rsa()]);
    for fault in [
        "!servfail",
        "!timeout",
        "!refused",
        "!bogus",
        "!malformed",
        "!delay 60s",
    ] {
        let (report, _) = verify(
            message.as_bytes(),
            &format!("r1._domainkey.there.example {fault}"),
        )
        .await;
        assert_eq!(report.signatures[0].result, DkimResult::TempError, "{fault}");
    }
    let (report, _) = verify(message.as_bytes(), "").await;
    assert_eq!(report.signatures[0].rule, Rule::NoKey);
    let expired = message.replacen("t=", "x=1; t=", 1);
    assert_eq!(rules(&expired, "").await, [Rule::Expired]);
}

/// The example of RFC 8463 §A.3 and other signed messages, from the shared material.
#[tokio::test(start_paused = true)]
async fn published_vectors_verify() {
    let shared = std::env::var_os("HEARTHPOST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("suites/dkim-vectors");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return;
    }
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("a file of the suite");
        text.replace("\r\n", "\n").replace('\n', "\r\n")
    };
    let line = |name: &str| read(name).trim().to_owned();
    let football = format!(
        "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
         test._domainkey.football.example.com TXT \"{}\"",
        line("test.txt")
    );
    let message = read("rfc6376.signed.msg");
    assert_eq!(rules(&message, &football).await, [Rule::Good; 2]);
    for (from, to, want) in [
        ("Is dinner", "is dinner", Rule::HeaderChanged),
        ("lost the game", "won the game", Rule::BodyChanged),
    ] {
        assert_eq!(rules(&message.replace(from, to), &football).await, [want; 2]);
    }
    let exim = format!("sed._domainkey.test.ex TXT \"{}\"", line("eximtest.dns"));
    assert_eq!(rules(&read("ed25519test2.msg"), &exim).await, [Rule::Good]);
    for (file, good) in [
        ("test.txt", true),
        ("test2.txt", true),
        ("badversion.txt", false),
        ("badk.txt", false),
        ("test_tlsrpt.txt", false),
    ] {
        assert_eq!(
            msgauth::dkim::key::Key::parse(line(file).as_bytes()).is_ok(),
            good,
            "{file}"
        );
    }
}
