//! DMARC over made zones: mail-auth walks the same tree.

use std::net::IpAddr;
use std::sync::Arc;

use msgauth::dkim::sign::{Signing, SigningKey};
use msgauth::examine::{Doors, Envelope, Evidence, Examination};
use oracles::classes::{Class, Tally};
use oracles::judge::Judge;
use oracles::records::{self, DmarcCase};
use testkit::clock::TokioClock;

const SEED: [u8; 32] = [7; 32];
/// Zones that are made.
const ZONES: u64 = 1_500;

async fn ours(case: &DmarcCase, message: &[u8]) -> Evidence {
    let clock = Arc::new(TokioClock::new());
    let at = mail::header::body_start(message);
    let mut examination = Examination::begin(&message[..at]);
    examination.body(&message[at..]);
    let doors = Doors {
        dns: &case.zone,
        clock: &*clock,
        suffixes: None,
    };
    let envelope = Envelope {
        client: client(),
        hello: "there.example",
        reverse_path: &case.reverse_path,
        receiver: "here.example",
    };
    examination.finish(doors, envelope).await
}

fn client() -> IpAddr {
    [192, 0, 2, 1].into()
}

#[tokio::test]
async fn aut_11_mail_auth_says_the_same_of_made_zones() {
    let mut tally = Tally::default();
    let mut words = std::collections::BTreeMap::new();
    for seed in 0..ZONES {
        let mut case = records::dmarc(seed);
        let key = SigningKey::ed25519(&case.signer, "e1", &SEED).expect("a key");
        case.zone.text(key.record_name(), key.record());
        let letter = format!(
            "From: a@{}\r\nTo: b@here.example\r\nSubject: x\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\ntext\r\n",
            case.author
        );
        let at = mail::header::body_start(letter.as_bytes());
        let mut signing = Signing::begin(&letter.as_bytes()[..at]);
        signing.body(&letter.as_bytes()[at..]);
        let message = [signing.finish([&key], 1_700_000_000), letter.into_bytes()].concat();
        let evidence = ours(&case, &message).await;
        let (word, policy) = Judge::of(&case.zone)
            .dmarc(&message, client(), &case.reverse_path)
            .await;
        let applied = evidence.dmarc.applied.as_ref();
        let mine = (
            evidence.dmarc.result.to_string(),
            applied
                .map(|applied| applied.policy.to_string())
                .unwrap_or_default(),
        );
        let theirs = match word {
            "none" => (word.to_owned(), String::new()),
            word => (word.to_owned(), policy),
        };
        *words.entry(mine.0.clone()).or_insert(0) += 1;
        let example = || format!("{} {}", evidence.dmarc, shown(&case));
        tally.note(&mine, &theirs, || class(&case, &theirs), example);
    }
    tally.end("made zones of DMARC, mail-auth");
    println!("{words:?}");
    assert!(words["pass"] > 150 && words["fail"] > 150 && words["none"] > 50);
}

fn shown(case: &DmarcCase) -> String {
    let mut text = format!(
        "From {}, d={}, envelope {}",
        case.author, case.signer, case.reverse_path
    );
    for (name, _) in case.zone.names().filter(|(name, _)| !name.contains("_domainkey")) {
        for record in case.zone.texts(name) {
            text.push_str(&format!("; {name}: {}", String::from_utf8_lossy(record)));
        }
    }
    text
}

const TAG_TWICE: Class = Class {
    name: "a record that has a tag twice",
    standard: "RFC 9989 §4.7, RFC 6376 §3.2",
    verdict: "ours: the list is invalid, so it is no record; mail-auth takes the last one",
};
const UNREADABLE_POLICY: Class = Class {
    name: "a record in the tree whose p= is no policy",
    standard: "RFC 9989 §4.10.1",
    verdict: "ours: it still tells whose domain it is, and the record that counts is the author's, the organization's or the registry's; \
              mail-auth ends the walk there and has no result",
};

fn class(case: &DmarcCase, theirs: &(String, String)) -> Option<Class> {
    let has = |wanted: &dyn Fn(&str) -> bool| {
        let names = case.zone.names().filter(|(name, _)| name.starts_with("_dmarc."));
        let mut texts = names.flat_map(|(name, _)| case.zone.texts(name));
        texts.any(|text| wanted(&String::from_utf8_lossy(text).replace(' ', "")))
    };
    match () {
        () if has(&|text| text.matches(";psd=").count() > 1) => Some(TAG_TWICE),
        () if has(&|text| text.contains(";p=x")) && theirs.0 != "pass" => Some(UNREADABLE_POLICY),
        () => None,
    }
}
