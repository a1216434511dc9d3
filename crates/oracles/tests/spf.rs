//! SPF over made zones: ours, pyspf and mail-auth.

use std::net::IpAddr;
use std::sync::Arc;

use msgauth::desk::Desk;
use msgauth::evidence::Answered;
use msgauth::limits::{SPF_QUESTIONS, SPF_TIME, SPF_VOIDS};
use msgauth::spf::rule::Rule;
use msgauth::spf::{self, Question, Sender, SpfEvidence};
use oracles::classes::{Class, Tally};
use oracles::judge::Judge;
use oracles::zone::Zone;
use oracles::{python, records};
use testkit::clock::TokioClock;
use world::dns::{Record, RecordType};

/// Zones that are made for each test.
const ZONES: u64 = 3_000;
const HELLO: &str = "mx.d0.test";
const REVERSE_PATH: &str = "ann@d0.test";

async fn ours(zone: &Zone, client: IpAddr) -> SpfEvidence {
    let clock = Arc::new(TokioClock::new());
    let question = Question {
        client,
        hello: HELLO,
        sender: Sender::of(REVERSE_PATH, HELLO),
        receiver: "here.example",
        now_s: 1,
    };
    let mut desk = Desk::new(zone, &*clock, SPF_QUESTIONS, SPF_TIME);
    spf::check(&mut desk, &question).await
}

fn shown(zone: &Zone, client: IpAddr, evidence: &SpfEvidence) -> String {
    let mut text = format!("{client}: {}\n", evidence.rule);
    for (name, records) in zone.names() {
        for record in records {
            text.push_str(&match record {
                Record::Txt(text) => format!("  {name} TXT {}\n", String::from_utf8_lossy(text)),
                other => format!("  {name} {other:?}\n"),
            });
        }
    }
    text
}

const PYSPF: &str = r#"
import json, sys
import spf
zone = {}
def lookup(name, qtype, tcpfallback=True, timeout=30):
    found = zone.get(name.lower().rstrip('.'), {}).get(qtype, [])
    return [((name, qtype), tuple(v.encode() for v in one) if qtype == 'TXT' else tuple(one) if isinstance(one, list) else one) for one in found]
spf.DNSLookup = lookup
for line in sys.stdin:
    case = json.loads(line)
    zone = case['zone']
    try:
        query = spf.query(i=case['ip'], s=case['from'], h=case['helo'], receiver='here.example', strict=True, querytime=0)
        print(query.check()[0], flush=True)
    except Exception as error:
        print('broke:', repr(error).replace('\n', ' '), flush=True)
"#;

fn json(zone: &Zone, client: IpAddr) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let names: Vec<String> = zone
        .names()
        .map(|(name, records)| {
            let of = |kind: &str, values: Vec<String>| format!("\"{kind}\": [{}]", values.join(", "));
            let pick = |read: &dyn Fn(&Record) -> Option<String>| records.iter().filter_map(read).collect();
            let kinds = [
                of(
                    "A",
                    pick(&|record| match record {
                        Record::A(address) => Some(quoted(&address.to_string())),
                        _ => None,
                    }),
                ),
                of(
                    "MX",
                    pick(&|record| match record {
                        Record::Mx(preference, host) => Some(format!("[{preference}, {}]", quoted(host))),
                        _ => None,
                    }),
                ),
                of(
                    "PTR",
                    pick(&|record| match record {
                        Record::Ptr(host) => Some(quoted(host)),
                        _ => None,
                    }),
                ),
                of(
                    "TXT",
                    pick(&|record| match record {
                        Record::Txt(text) => Some(format!("[{}]", quoted(&String::from_utf8_lossy(text)))),
                        _ => None,
                    }),
                ),
            ];
            format!("{}: {{{}}}", quoted(name), kinds.join(", "))
        })
        .collect();
    format!(
        "{{\"ip\": {}, \"from\": {}, \"helo\": {}, \"zone\": {{{}}}}}",
        quoted(&client.to_string()),
        quoted(REVERSE_PATH),
        quoted(HELLO),
        names.join(", ")
    )
}

#[tokio::test(start_paused = true)]
async fn aut_10_pyspf_says_the_same_of_made_zones() {
    let cases: Vec<(Zone, IpAddr)> = (0..ZONES).map(records::spf).collect();
    let lines: Vec<String> = cases.iter().map(|(zone, client)| json(zone, *client)).collect();
    let Some(answers) = python::ask("spf", PYSPF, &lines) else {
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let mut tally = Tally::default();
    for ((zone, client), theirs) in cases.iter().zip(answers) {
        let evidence = ours(zone, *client).await;
        tally.note(
            &evidence.result.to_string(),
            &theirs,
            || class_of_pyspf(zone, &evidence, &theirs),
            || shown(zone, *client, &evidence),
        );
    }
    tally.end("made zones, pyspf");
    assert!(tally.same() > ZONES as usize * 9 / 10);
}

#[tokio::test]
async fn aut_10_mail_auth_says_the_same_of_made_zones() {
    let mut tally = Tally::default();
    for seed in 0..ZONES {
        let (zone, client) = records::spf(seed);
        let evidence = ours(&zone, client).await;
        let theirs = Judge::of(&zone).spf(client, HELLO, REVERSE_PATH).await.to_owned();
        tally.note(
            &evidence.result.to_string(),
            &theirs,
            || class_of_mail_auth(&zone, &evidence, &theirs),
            || shown(&zone, client, &evidence),
        );
    }
    tally.end("made zones, mail-auth");
    assert!(tally.same() > ZONES as usize * 4 / 5);
}

const SELF: Class = Class {
    name: "a record that includes itself",
    standard: "RFC 7208 §4.6.2, §4.6.4",
    verdict: "ours: terms are read from left to right and a loop ends at ten terms; pyspf refuses the record before it looks at a term",
};
const VOIDS_OF_THE_CLIENT: Class = Class {
    name: "void lookups about names that are not the domain's own",
    standard: "RFC 7208 §4.6.4",
    verdict: "theirs by the letter, which is a SHOULD; ours counts no missing name of the client (ptr) and no exchanger without an address, \
              because the domain's owner cannot repair them (decision 0030)",
};

const UNKNOWN_TWICE: Class = Class {
    name: "an unknown modifier that stands there twice",
    standard: "RFC 7208 §6",
    verdict: "ours: it is ignored no matter where, or how often; pyspf: permerror",
};

fn class_of_pyspf(zone: &Zone, evidence: &SpfEvidence, theirs: &str) -> Option<Class> {
    match theirs {
        "permerror" if includes_itself(zone) => Some(SELF),
        "permerror" if texts(zone).any(|(_, text)| text.matches("x-new=y").count() > 1) => {
            Some(UNKNOWN_TWICE)
        }
        "permerror" if voids(zone, evidence) > SPF_VOIDS => Some(VOIDS_OF_THE_CLIENT),
        _ => None,
    }
}

fn texts(zone: &Zone) -> impl Iterator<Item = (&str, String)> {
    zone.names().flat_map(|(name, _)| {
        let texts = zone.texts(name).into_iter();
        texts.map(move |text| (name, String::from_utf8_lossy(text).to_ascii_lowercase()))
    })
}

fn includes_itself(zone: &Zone) -> bool {
    texts(zone).any(|(name, text)| {
        text.contains(&format!("include:{name}")) || text.contains(&format!("redirect={name}"))
    })
}

/// Questions that found nothing, as somebody counts them who counts all, and the client's name again at each `ptr`.
fn voids(zone: &Zone, evidence: &SpfEvidence) -> usize {
    let absent = evidence
        .asked
        .iter()
        .filter(|asked| matches!(asked.answer, Answered::Absent(_)));
    let pointers = texts(zone)
        .map(|(_, text)| text.matches("ptr").count())
        .sum::<usize>();
    absent
        .map(|asked| {
            if asked.kind == RecordType::Ptr {
                pointers.max(1)
            } else {
                1
            }
        })
        .sum()
}

const SEVERAL: Class = Class {
    name: "several SPF records at one name",
    standard: "RFC 7208 §4.5",
    verdict: "ours: permerror; mail-auth takes the first that it can read",
};

const GRAMMAR: Class = Class {
    name: "a record that breaks the grammar",
    standard: "RFC 7208 §4.6",
    verdict: "ours and pyspf: permerror, wherever the broken term stands; mail-auth reads over some of them, and says none of others",
};
const VOIDS: Class = Class {
    name: "more than two void lookups",
    standard: "RFC 7208 §4.6.4",
    verdict: "ours and pyspf: permerror; mail-auth has no such limit",
};
const ODD_NAME: Class = Class {
    name: "a name that no server can have (a::d1.test)",
    standard: "RFC 7208 §4.8",
    verdict: "ours and pyspf: no match; mail-auth: temperror, which asks the sender to come again for ever",
};
const NESTED: Class = Class {
    name: "an include within an include, with another sign than +",
    standard: "RFC 7208 §5.2",
    verdict: "ours and pyspf: only a pass of the included record is a match; mail-auth ends with the inner result",
};

fn class_of_mail_auth(zone: &Zone, evidence: &SpfEvidence, theirs: &str) -> Option<Class> {
    let inner = |text: &str| {
        ["-include:", "~include:", "?include:"]
            .iter()
            .any(|sign| text.contains(sign))
    };
    let records = evidence
        .asked
        .iter()
        .filter(|asked| asked.kind == RecordType::Txt)
        .count();
    match &evidence.rule {
        Rule::SeveralRecords(_) => Some(SEVERAL),
        Rule::Unreadable { .. } if theirs != "permerror" => Some(GRAMMAR),
        Rule::TooManyVoids => Some(VOIDS),
        _ if theirs == "temperror" && texts(zone).any(|(_, text)| text.contains("a::d1.test")) => {
            Some(ODD_NAME)
        }
        Rule::Matched { .. } if records > 2 && texts(zone).any(|(_, text)| inner(&text)) => Some(NESTED),
        _ => None,
    }
}
