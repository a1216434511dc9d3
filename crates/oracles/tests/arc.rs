//! ARC: mail-auth over the public suite, and chains that it seals.

use std::sync::Arc;

use msgauth::arc::{ArcEvidence, ArcResult, Rule, Verifying};
use msgauth::desk::Desk;
use msgauth::dkim::Rule as DkimRule;
use msgauth::dkim::sign::SigningKey;
use msgauth::limits::{ARC_KEYS, ARC_TIME};
use oracles::classes::{Class, Tally};
use oracles::judge::Judge;
use oracles::zone::Zone;
use oracles::{corpus, letters};
use testkit::clock::TokioClock;
use yaml_rust2::YamlLoader;

const RSA: &[u8] = include_bytes!("../../msgauth/tests/keys/rsa-2048.pk8");

async fn ours(message: &[u8], zone: &Zone) -> ArcEvidence {
    let clock = Arc::new(TokioClock::new());
    let at = mail::header::body_start(message);
    let mut verifying = Verifying::begin(&message[..at]);
    message[at..].chunks(61).for_each(|piece| verifying.body(piece));
    let mut desk = Desk::new(zone, &*clock, ARC_KEYS, ARC_TIME);
    verifying.finish(&mut desk).await
}

/// `pass`, `none`, or that it is neither.
fn word(word: &str) -> &'static str {
    match word {
        "pass" => "pass",
        "none" => "none",
        _ => "broken",
    }
}

fn shown(message: &[u8], evidence: &ArcEvidence) -> String {
    format!("{evidence}: {}", String::from_utf8_lossy(message))
}

/// The suite uses a test's name twice, which YAML does not allow: every name gets its line's number.
fn with_own_names(text: &str) -> String {
    let numbered = text.lines().enumerate();
    numbered
        .map(|(number, line)| match line.strip_suffix(':') {
            Some(name) if name.starts_with("  ") && !name.starts_with("   ") => format!("{name}-{number}:\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[tokio::test]
async fn mail_auth_over_the_public_suite_of_arc() {
    let path = corpus::shared().join("suites/arc-validation/arc-draft-validation-tests.yml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    };
    let mut tally = Tally::default();
    for scenario in YamlLoader::load_from_str(&with_own_names(&text)).expect("YAML") {
        let mut zone = Zone::default();
        for (name, text) in scenario["txt-records"].as_hash().expect("keys") {
            zone.text(name.as_str().expect("a name"), text.as_str().unwrap_or_default());
        }
        let judge = Judge::of(&zone);
        for (name, test) in scenario["tests"].as_hash().expect("tests") {
            let message = test["message"].as_str().unwrap_or_default().replace('\n', "\r\n");
            let evidence = ours(message.as_bytes(), &zone).await;
            let (mine, theirs) = (
                word(&evidence.result.to_string()),
                word(judge.arc(message.as_bytes()).await),
            );
            let right = match test["cv"].as_str() {
                Some("Pass") => "pass",
                Some("None") => "none",
                _ => "broken",
            };
            assert_eq!(mine, right, "{evidence}");
            tally.note(
                &mine,
                &theirs,
                || class(&evidence, theirs, name.as_str().unwrap_or_default()),
                || {
                    name.as_str().unwrap_or_default().to_owned()
                        + ": "
                        + &shown(message.as_bytes(), &evidence)
                },
            );
        }
    }
    tally.end("the suite of ARC, mail-auth");
}

const INCOMPLETE: Class = Class {
    name: "a set that lacks its ARC-Message-Signature",
    standard: "RFC 8617 §5.2, step 3",
    verdict: "ours and the suite: the chain is broken; mail-auth: there is none",
};
const SHA1: Class = Class {
    name: "rsa-sha1",
    standard: "RFC 8301 §3.1",
    verdict: "ours and the suite: not believed; mail-auth verifies it",
};
const GRAMMAR: Class = Class {
    name: "a tag list that breaks the grammar or lacks a tag that must be there",
    standard: "RFC 8617 §4.1.2, §4.1.3, RFC 6376 §3.2",
    verdict: "ours and the suite: the chain is broken; mail-auth reads over it",
};
const NO_CANON: Class = Class {
    name: "an ARC-Message-Signature without c=",
    standard: "RFC 8617 §4.1.2",
    verdict: "ours and the suite take relaxed/relaxed; mail-auth takes another",
};
const EMPTY_NAMES: Class = Class {
    name: "an empty name in h= of an ARC-Message-Signature",
    standard: "RFC 8617 §4.1.2",
    verdict: "ours and the suite: it covers nothing and breaks nothing; mail-auth: the chain is broken",
};

fn class(evidence: &ArcEvidence, theirs: &str, test: &str) -> Option<Class> {
    match (&evidence.rule, theirs) {
        (Rule::Incomplete(_), "none") => Some(INCOMPLETE),
        (Rule::Message(DkimRule::WeakAlgorithm) | Rule::Seal(_, DkimRule::WeakAlgorithm), "pass") => {
            Some(SHA1)
        }
        (Rule::Unreadable(_), "pass") => Some(GRAMMAR),
        (Rule::Good, "broken") if test.starts_with("ams_fields_c_na-") => Some(NO_CANON),
        (Rule::Good, "broken") if test.starts_with("ams_fields_h_empty-") => Some(EMPTY_NAMES),
        _ => None,
    }
}

const SPACE_BEFORE_COLON: Class = Class {
    name: "white space between a field's name and its colon",
    standard: "RFC 6376 §3.4.2",
    verdict: "ours: the relaxed rules delete it; mail-auth signs it",
};
const BLANK_LINES_AT_THE_END: Class = Class {
    name: "relaxed body that ends with a line of white space alone",
    standard: "RFC 6376 §3.4.4",
    verdict: "ours: such a line is empty once its white space is gone, and empty lines at the end are ignored",
};

#[tokio::test]
async fn chains_that_mail_auth_seals_are_whole_and_broken_alike() {
    let key = SigningKey::rsa("there.example", "r1", RSA).expect("a key");
    let mut zone = Zone::default();
    zone.text(key.record_name(), key.record());
    let (judge, mut tally) = (Judge::of(&zone), Tally::default());
    let mut whole = 0;
    for seed in 0..600 {
        let mut message = letters::letter(seed);
        for _ in 0..1 + seed % 3 {
            let fields = judge.seal(&message, RSA).await.expect("mail-auth seals");
            message = [fields.into_bytes(), message].concat();
        }
        for message in [letters::changed(&message, seed), message] {
            let evidence = ours(&message, &zone).await;
            whole += usize::from(evidence.result == ArcResult::Pass);
            let (mine, theirs) = (
                word(&evidence.result.to_string()),
                word(judge.arc(&message).await),
            );
            let class = || {
                let body = matches!(evidence.rule, Rule::Message(DkimRule::BodyChanged));
                let blank = letters::ends_blank(&message);
                let lenient = body || (mine == "pass" && theirs == "broken");
                let header = matches!(evidence.rule, Rule::Message(DkimRule::HeaderChanged));
                match () {
                    () if blank && lenient => Some(BLANK_LINES_AT_THE_END),
                    () if header && letters::has_space_before_colon(&message) => Some(SPACE_BEFORE_COLON),
                    () => None,
                }
            };
            tally.note(&mine, &theirs, class, || shown(&message, &evidence));
        }
    }
    tally.end("chains that mail-auth sealed");
    assert!(whole > 300, "{whole}");
}
