//! The public suite of ARC's chain validation, from the shared material: every test, or aloud that it is not here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use msgauth::arc::{ArcResult, Verifying};
use msgauth::desk::Desk;
use msgauth::limits::{ARC_KEYS, ARC_TIME};
use testkit::clock::TokioClock;
use world::clock::{BoxFuture, Clock};
use world::dns::{Absence, Dns, Lookup, Record, RecordType, Security};
use yaml_rust2::YamlLoader;

struct Texts(HashMap<String, Vec<u8>>);

impl Dns for Texts {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        let found = self.0.get(name).filter(|_| kind == RecordType::Txt);
        let (security, ttl) = (Security::Insecure, Duration::ZERO);
        let lookup = match found {
            Some(text) => Lookup::Answer {
                records: vec![Record::Txt(text.clone())],
                ttl,
                chain: Vec::new(),
                security,
            },
            None => Lookup::Negative {
                absence: Absence::NxDomain,
                security,
                ttl,
            },
        };
        Box::pin(async move { lookup })
    }
}

/// The suite uses a test's name twice, which YAML does not allow: every name gets its line's number.
fn with_own_names(text: &str) -> String {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(number, line)| match line.strip_suffix(':') {
            Some(name) if name.starts_with("  ") && !name.starts_with("   ") => format!("{name}-{number}:\n"),
            _ => format!("{line}\n"),
        });
    numbered.collect()
}

#[tokio::test(start_paused = true)]
async fn the_suite_of_arc_validation_passes_whole() {
    let shared = std::env::var_os("HEARTHPOST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("suites/arc-validation/arc-draft-validation-tests.yml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    };
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let (mut played, mut wrong) = (0, Vec::new());
    for scenario in YamlLoader::load_from_str(&with_own_names(&text)).expect("YAML") {
        let keys = scenario["txt-records"].as_hash().expect("keys");
        let keys = keys.iter().map(|(name, text)| {
            (
                name.as_str().expect("a name").to_owned(),
                text.as_str().unwrap_or_default().as_bytes().to_vec(),
            )
        });
        let dns = Texts(keys.collect());
        for (name, test) in scenario["tests"].as_hash().expect("tests") {
            let message = test["message"].as_str().unwrap_or_default().replace('\n', "\r\n");
            let at = mail::header::body_start(message.as_bytes());
            let mut verifying = Verifying::begin(&message.as_bytes()[..at]);
            verifying.body(&message.as_bytes()[at..]);
            let mut desk = Desk::new(&dns, &*clock, ARC_KEYS, ARC_TIME);
            let got = verifying.finish(&mut desk).await;
            let right = match test["cv"].as_str() {
                Some("Pass") => got.result == ArcResult::Pass,
                Some("Fail") => got.result == ArcResult::Fail,
                Some("None") => got.result == ArcResult::None,
                // A sealer said that the chain is broken: RFC 8617 §5.2 ends there.
                _ => got.result == ArcResult::Fail,
            };
            played += 1;
            if !right {
                wrong.push(format!(
                    "{}: {got}, wanted {:?}",
                    name.as_str().unwrap_or("?"),
                    test["cv"]
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {played}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // 171 names; four of them stand twice.
    assert_eq!(played, 175);
}
