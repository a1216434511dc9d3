//! The test suite of RFC 7208, from the shared material: every test, or aloud that it is not here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use msgauth::desk::Desk;
use msgauth::limits::{SPF_QUESTIONS, SPF_TIME};
use msgauth::spf::{self, Question, Sender};
use testkit::clock::TokioClock;
use world::clock::{BoxFuture, Clock};
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType, Security};
use yaml_rust2::{Yaml, YamlLoader};

/// A name's records of the suite; `None` stands for TIMEOUT.
struct SuiteDns(HashMap<String, Vec<Option<(String, Yaml)>>>);

impl SuiteDns {
    fn read(zone: &Yaml) -> Self {
        let mut names = HashMap::new();
        for (name, entries) in zone.as_hash().expect("a zone") {
            let mut records: Vec<Option<(String, Yaml)>> = Vec::new();
            for entry in entries.as_vec().expect("a list") {
                match entry.as_hash().and_then(|one| one.iter().next()) {
                    Some((kind, value)) => {
                        records.push(Some((kind.as_str().expect("a type").to_owned(), value.clone())));
                    }
                    None => records.push(None),
                }
            }
            let has_txt = records.iter().flatten().any(|(kind, _)| kind == "TXT");
            let copies: Vec<_> = records
                .iter()
                .flatten()
                .filter(|(kind, _)| kind == "SPF" && !has_txt)
                .map(|(_, value)| Some(("TXT".to_owned(), value.clone())))
                .collect();
            let at = records.iter().position(Option::is_none).unwrap_or(records.len());
            records.splice(at..at, copies);
            names.insert(name.as_str().expect("a name").to_ascii_lowercase(), records);
        }
        Self(names)
    }

    fn answer(&self, name: &str, kind: RecordType, depth: usize) -> Lookup {
        let absent = |absence| Lookup::Negative {
            absence,
            security: Security::Insecure,
            ttl: Duration::ZERO,
        };
        if depth > 10 {
            return Lookup::Failed(Failure::ServFail);
        }
        let Some(entries) = self.0.get(&name.to_ascii_lowercase()) else {
            return absent(Absence::NxDomain);
        };
        let wanted = msgauth::evidence::kind_word(kind);
        let mut records = Vec::new();
        for entry in entries {
            match entry {
                None if records.is_empty() => return Lookup::Failed(Failure::Timeout),
                None => break,
                Some((of, value)) if of == wanted && value.as_str() == Some("TIMEOUT") => {
                    return Lookup::Failed(Failure::Timeout);
                }
                Some((of, value)) if of == "CNAME" && wanted != "CNAME" => {
                    let target = value.as_str().expect("a name").trim_end_matches('.');
                    return self.answer(target, kind, depth + 1);
                }
                Some((of, value)) if of == wanted && value.as_str() != Some("NONE") => {
                    records.push(record(kind, value));
                }
                Some(_) => {}
            }
        }
        if records.is_empty() {
            return absent(Absence::NoData);
        }
        Lookup::Answer {
            records,
            ttl: Duration::ZERO,
            chain: Vec::new(),
            security: Security::Insecure,
        }
    }
}

fn record(kind: RecordType, value: &Yaml) -> Record {
    let text = |value: &Yaml| value.as_str().expect("a text").to_owned();
    let name = |value: &Yaml| text(value).trim_end_matches('.').to_ascii_lowercase();
    match (kind, value) {
        (RecordType::A, _) => Record::A(text(value).parse().expect("an address")),
        (RecordType::Aaaa, _) => Record::Aaaa(text(value).parse().expect("an address")),
        (RecordType::Mx, Yaml::Array(parts)) => Record::Mx(
            u16::try_from(parts[0].as_i64().expect("a number")).expect("small"),
            name(&parts[1]),
        ),
        (RecordType::Txt, Yaml::Array(parts)) => {
            Record::Txt(parts.iter().map(text).collect::<String>().into())
        }
        (RecordType::Txt, _) => Record::Txt(text(value).into()),
        (RecordType::Ptr, _) => Record::Ptr(name(value)),
        _ => panic!("{kind:?} {value:?}"),
    }
}

impl Dns for SuiteDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        Box::pin(async move { self.answer(name, kind, 0) })
    }
}

fn suite() -> Option<Vec<Yaml>> {
    let shared = std::env::var_os("HEARTHPOST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("suites/spf-rfc7208/rfc7208-tests.yml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(YamlLoader::load_from_str(&text).expect("YAML")),
        Err(_) => {
            eprintln!("SKIPPED: {} is absent", path.display());
            None
        }
    }
}

#[tokio::test(start_paused = true)]
async fn aut_10_the_suite_of_rfc_7208_passes_whole() {
    let Some(scenarios) = suite() else { return };
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let (mut played, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let dns = SuiteDns::read(&scenario["zonedata"]);
        for (name, test) in scenario["tests"].as_hash().expect("tests") {
            let text = |key: &str| test[key].as_str().unwrap_or_default();
            let question = Question {
                client: text("host").parse().expect("an address"),
                hello: text("helo"),
                sender: Sender::of(text("mailfrom"), text("helo")),
                receiver: "receiver.example",
                now_s: 1,
            };
            let mut desk = Desk::new(&dns, &*clock, SPF_QUESTIONS, SPF_TIME);
            let got = spf::check(&mut desk, &question).await;
            let result = got.result.to_string();
            let allowed = match &test["result"] {
                Yaml::Array(list) => list.iter().any(|one| one.as_str() == Some(&result)),
                one => one.as_str() == Some(&result),
            };
            let explained = match test["explanation"].as_str() {
                None => true,
                Some("DEFAULT") => got.explanation.is_none(),
                // Hexadecimal digits may have either case.
                Some(want) => got
                    .explanation
                    .is_some_and(|text| text.eq_ignore_ascii_case(want)),
            };
            played += 1;
            if !allowed || !explained {
                wrong.push(format!("{name:?}: {result} {} \nwanted {test:?}", got.rule));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {played}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert_eq!(played, 203);
}
