//! DKIM: mail-auth, opendkim and dkimpy verify what we sign, we verify what they sign, and everybody says the same of what was changed.

use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msgauth::desk::Desk;
use msgauth::dkim::sign::{Signing, SigningKey};
use msgauth::dkim::{DkimResult, Rule, Verifying};
use msgauth::limits::{DKIM_KEYS, DKIM_TIME};
use oracles::classes::{Class, Tally};
use oracles::judge::{Judge, Wanted, sign_ed25519, sign_rsa};
use oracles::zone::Zone;
use oracles::{corpus, letters, python};
use ring::signature::KeyPair as _;
use testkit::clock::TokioClock;

const RSA: &[u8] = include_bytes!("../../msgauth/tests/keys/rsa-2048.pk8");
const SEED: [u8; 32] = [7; 32];
/// 2023; nothing here expires.
const NOW_S: u64 = 1_700_000_000;
/// Messages that are made for each test.
const LETTERS: u64 = 3_000;

/// mail-auth keeps the line end of a trailing line of white space alone.
const BLANK_LINES_AT_THE_END: Class = Class {
    name: "relaxed body that ends with a line of white space alone",
    standard: "RFC 6376 §3.4.4",
    verdict: "ours: such a line is empty once its white space is gone, and empty lines at the end are ignored; dkimpy and opendkim agree",
};

const SPACE_BEFORE_COLON: Class = Class {
    name: "white space between a field's name and its colon",
    standard: "RFC 6376 §3.4.2, RFC 5322 §4.5.8",
    verdict: "ours: relaxed deletes it, simple keeps it, and the field is the field; mail-auth does it the other way round, dkimpy refuses the header",
};
const BLANK_FOLD: Class = Class {
    name: "a field that goes on after a line of white space alone",
    standard: "RFC 6376 §3.4.2, RFC 5322 §4.2",
    verdict: "ours: obsolete folding is folding; others end the field or the header there",
};

const LENGTH_BEFORE: Class = Class {
    name: "l= that counts octets before canonicalisation",
    standard: "RFC 6376 §3.5, §3.7",
    verdict: "ours: l= counts octets of the canonical body; mail-auth counts those of the body as it came",
};

fn keys() -> [SigningKey; 2] {
    [
        SigningKey::rsa("there.example", "r1", RSA).expect("a key"),
        SigningKey::ed25519("there.example", "e1", &SEED).expect("a key"),
    ]
}

fn zone() -> Zone {
    let mut zone = Zone::default();
    for key in keys() {
        zone.text(key.record_name(), key.record());
    }
    zone
}

fn signed(message: &[u8]) -> Vec<u8> {
    let at = mail::header::body_start(message);
    let mut signing = Signing::begin(&message[..at]);
    signing.body(&message[at..]);
    [signing.finish(&keys(), NOW_S), message.to_vec()].concat()
}

/// What we say, in the order of the header.
async fn ours(message: &[u8], zone: &Zone) -> Vec<Rule> {
    let clock = Arc::new(TokioClock::new());
    let at = mail::header::body_start(message);
    let mut verifying = Verifying::begin(&message[..at], None);
    message[at..].chunks(61).for_each(|piece| verifying.body(piece));
    let mut desk = Desk::new(zone, &*clock, DKIM_KEYS, DKIM_TIME);
    let report = verifying.finish(&mut desk, NOW_S).await;
    report.signatures.iter().map(|one| one.rule).collect()
}

fn passes(rules: &[Rule]) -> Vec<bool> {
    rules
        .iter()
        .map(|rule| rule.result() == DkimResult::Pass)
        .collect()
}

/// How many mail-auth passes: it tells first of what it cannot read.
fn count(words: &[&str]) -> usize {
    words.iter().filter(|word| **word == "pass").count()
}

fn good(rules: &[Rule]) -> usize {
    passes(rules).iter().filter(|pass| **pass).count()
}

/// The class of a case where others verify less than we do. Where they verify more there is none.
fn stricter(ours: usize, theirs: usize, message: &[u8]) -> Option<Class> {
    match () {
        () if theirs > ours => None,
        () if letters::has_space_before_colon(message) => Some(SPACE_BEFORE_COLON),
        () if letters::has_blank_fold(message) => Some(BLANK_FOLD),
        () if letters::ends_blank(message) => Some(BLANK_LINES_AT_THE_END),
        () => None,
    }
}

/// The class of a signature of mail-auth that we do not verify: it hashed in its own way.
fn signed_wrong(rules: &[Rule], message: &[u8], wanted: &Wanted<'_>) -> Option<Class> {
    let body = rules.contains(&Rule::BodyChanged) || rules.contains(&Rule::BodyShorter);
    let header = rules.contains(&Rule::HeaderChanged);
    match () {
        () if body && wanted.relaxed_body && letters::ends_blank(message) => Some(BLANK_LINES_AT_THE_END),
        () if body && wanted.with_length => Some(LENGTH_BEFORE),
        () if header && letters::has_space_before_colon(message) => Some(SPACE_BEFORE_COLON),
        () => None,
    }
}

fn shown(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

#[tokio::test]
async fn aut_8_mail_auth_verifies_what_we_sign_and_what_was_changed() {
    let (zone, mut tally) = (zone(), Tally::default());
    let judge = Judge::of(&zone);
    let mut both = 0;
    for seed in 0..LETTERS {
        let message = signed(&letters::letter(seed));
        for message in [letters::changed(&message, seed), message] {
            let (ours, theirs) = (
                good(&ours(&message, &zone).await),
                count(&judge.dkim(&message).await),
            );
            both += usize::from(ours == 2);
            tally.note(
                &ours,
                &theirs,
                || stricter(ours, theirs, &message),
                || shown(&message),
            );
        }
    }
    tally.end("what we signed, mail-auth verifying");
    assert!(both > LETTERS as usize, "{both} verified");
    // The known class is met, or the generator no longer makes it.
    assert!(tally.count(BLANK_LINES_AT_THE_END) > 10);
}

#[tokio::test]
async fn aut_8_we_verify_what_mail_auth_signs_and_what_was_changed() {
    let (zone, mut tally) = (zone(), Tally::default());
    let judge = Judge::of(&zone);
    let public = ring::signature::Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a key");
    let mut both = 0;
    for seed in 0..LETTERS {
        let letter = letters::letter(seed);
        let wanted = Wanted {
            names: letters::names(seed),
            relaxed_header: seed & 1 == 0,
            relaxed_body: seed & 2 == 0,
            with_length: seed % 7 == 0,
        };
        let mut message = letter.clone();
        for field in [
            sign_rsa(&letter, RSA, &wanted),
            sign_ed25519(&letter, (&SEED, public.public_key().as_ref()), &wanted),
        ] {
            message = [field.expect("mail-auth signs").into_bytes(), message].concat();
        }
        for message in [letters::changed(&message, seed), message] {
            let (rules, theirs) = (ours(&message, &zone).await, count(&judge.dkim(&message).await));
            let ours = good(&rules);
            both += usize::from(ours == 2);
            let class = || {
                length(&rules)
                    .or_else(|| stricter(ours, theirs, &message))
                    .or_else(|| signed_wrong(&rules, &message, &wanted))
            };
            tally.note(&ours, &theirs, class, || shown(&message));
        }
    }
    tally.end("what mail-auth signed, we verifying");
    assert!(both > LETTERS as usize / 2, "{both} verified");
}

/// `l=` shorter than the body: mail-auth passes it when it is told to be lenient, and by default takes no `l=` at all.
const PART_OF_BODY: Class = Class {
    name: "l= leaves a part of the body uncovered",
    standard: "RFC 6376 §8.2",
    verdict: "ours is stricter on purpose (threat case AUT-6): `policy`, never a pass",
};

fn length(rules: &[Rule]) -> Option<Class> {
    let cut = |rule: &Rule| matches!(rule, Rule::PartOfBody(_));
    rules.iter().any(cut).then_some(PART_OF_BODY)
}

#[tokio::test]
async fn aut_8_real_mail_is_signed_and_verified_alike() {
    let (zone, mut tally) = (zone(), Tally::default());
    let judge = Judge::of(&zone);
    let mut hashes = Tally::default();
    for mail in corpus::messages(6) {
        let Some(message) = with_header(&mail) else {
            continue;
        };
        let signed = signed(message);
        // Signatures of the senders themselves stand below ours; nobody has their keys any more.
        let (ours, theirs) = (ours(&signed, &zone).await, judge.dkim(&signed).await);
        let (ours, theirs) = (good(&ours), count(&theirs));
        tally.note(
            &ours,
            &theirs,
            || stricter(ours, theirs, message),
            || shown(message),
        );
        let wanted = Wanted {
            names: vec!["From", "To", "Subject", "Date", "Message-ID", "Received"],
            relaxed_header: true,
            relaxed_body: true,
            with_length: false,
        };
        let made = sign_rsa(message, RSA, &wanted).expect("mail-auth signs");
        let pair = (body_hash(&made), body_hash(&shown(&signed)));
        let class = || letters::ends_blank(message).then_some(BLANK_LINES_AT_THE_END);
        hashes.note(&pair.1, &pair.0, class, || shown(message));
    }
    tally.end("real mail, signed by us");
    hashes.end("real mail, hash of the relaxed body");
}

/// A message that has a header with a From and a body: others are nothing that could be signed.
fn with_header(mail: &[u8]) -> Option<&[u8]> {
    let at = mail::header::body_start(mail);
    let header = mail::header::Header::scan(&mail[..at]).ok()?;
    (header.from_fields().is_single() && header.first("From").is_some()).then_some(mail)
}

/// `bh=` of the first signature.
fn body_hash(text: &str) -> String {
    let (_, rest) = text.split_once("bh=").expect("a signature");
    let end = rest.find(';').unwrap_or(rest.len());
    rest[..end]
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

#[test]
fn aut_8_opendkim_says_the_same_of_changed_mail() {
    const OPENDKIM: &str = "/usr/sbin/opendkim";
    if !std::path::Path::new(OPENDKIM).exists() {
        eprintln!("SKIPPED: {OPENDKIM} is absent");
        return;
    }
    let [rsa, _] = keys();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("keys");
    std::fs::write(&file, format!("{} {}\n", rsa.record_name(), rsa.record())).expect("written");
    let settings = dir.path().join("opendkim.conf");
    let text = format!(
        "TestPublicKeys {}\nMode v\nSyslog no\nOn-Default accept\n",
        file.display()
    );
    std::fs::write(&settings, text).expect("written");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let zone = zone();
    let mut tally = Tally::default();
    for seed in 0..300 {
        let letter = letters::letter(seed);
        let at = mail::header::body_start(&letter);
        let mut signing = Signing::begin(&letter[..at]);
        signing.body(&letter[at..]);
        let message = [signing.finish([&rsa], NOW_S), letter.clone()].concat();
        let message = if seed % 3 == 0 {
            message
        } else {
            letters::changed(&message, seed)
        };
        let eml = dir.path().join("one.eml");
        std::fs::write(&eml, &message).expect("written");
        let told = Command::new(OPENDKIM)
            .arg("-x")
            .arg(&settings)
            .arg("-v")
            .arg("-t")
            .arg(&eml)
            .output();
        let told = told.expect("opendkim runs");
        let told =
            String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
        let theirs = told.contains("2048-bit key) succeeded");
        let ours = runtime.block_on(ours(&message, &zone));
        let (ours, theirs) = (good(&ours), usize::from(theirs));
        tally.note(
            &ours,
            &theirs,
            || stricter(ours, theirs, &message),
            || told.clone() + &shown(&message),
        );
    }
    tally.end("what we signed, opendkim verifying");
    assert_eq!(
        tally.count(BLANK_LINES_AT_THE_END),
        0,
        "opendkim reads the standard as we do"
    );
}

const DKIMPY: &str = r#"
import base64, sys
import dkim
keys = {}
def txt(name, timeout=5):
    return keys.get(name.rstrip(b'.'))
for line in sys.stdin:
    words = line.split()
    data = [base64.b64decode(word) for word in words[1:]]
    if words[0] == 'key':
        keys[data[0]] = data[1]
        continue
    said = []
    for place in (0, 1):
        try:
            said.append(str(dkim.DKIM(data[0], minkey=1024).verify(idx=place, dnsfunc=txt)))
        except dkim.DKIMException as error:
            said.append('False')
    print(' '.join(said), flush=True)
"#;

#[tokio::test(start_paused = true)]
async fn aut_8_dkimpy_says_the_same_of_changed_mail() {
    let line = |word: &str, parts: &[&[u8]]| {
        let parts: Vec<String> = parts.iter().map(|part| STANDARD.encode(part)).collect();
        format!("{word} {}", parts.join(" "))
    };
    let mut lines: Vec<String> = keys()
        .iter()
        .map(|key| line("key", &[key.record_name().as_bytes(), key.record().as_bytes()]))
        .collect();
    let messages: Vec<Vec<u8>> = (0..600)
        .map(|seed| {
            let message = signed(&letters::letter(seed));
            if seed % 3 == 0 {
                message
            } else {
                letters::changed(&message, seed)
            }
        })
        .collect();
    lines.extend(messages.iter().map(|message| line("verify", &[message])));
    let Some(answers) = python::ask("dkim, nacl", DKIMPY, &lines) else {
        return;
    };
    assert_eq!(answers.len(), messages.len());
    let (zone, mut tally) = (zone(), Tally::default());
    for (message, answer) in messages.iter().zip(answers) {
        let theirs = answer.split(' ').filter(|word| *word == "True").count();
        let ours = good(&ours(message, &zone).await);
        tally.note(
            &ours,
            &theirs,
            || stricter(ours, theirs, message),
            || shown(message),
        );
    }
    tally.end("what we signed, dkimpy verifying");
    assert_eq!(
        tally.count(BLANK_LINES_AT_THE_END),
        0,
        "dkimpy reads the standard as we do"
    );
}
