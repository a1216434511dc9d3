//! What several settings must agree on, and the finished [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::problem::Problem;
use crate::value::Value;
use crate::{BareNewlines, Config, Doors, LogStderr, TlsFiles};

type Values = BTreeMap<&'static str, (Value, Option<usize>)>;

/// All doors.
const DOORS: [&str; 6] = [
    "doors.smtp",
    "doors.submission",
    "doors.submissions",
    "doors.lmtp",
    "doors.imap",
    "doors.imaps",
];
/// Doors where people sign in, which they do under TLS only.
const NEED_TLS: [&str; 4] = [
    "doors.submission",
    "doors.submissions",
    "doors.imap",
    "doors.imaps",
];

pub(crate) fn check(values: &Values, problems: &mut Vec<Problem>) {
    check_tls(values, problems);
    check_lmtp(values, problems);
    check_addresses(values, problems);
}

fn addresses<'a>(values: &'a Values, name: &str) -> &'a [SocketAddr] {
    match values.get(name) {
        Some((Value::Addresses(addresses), _)) => addresses,
        _ => &[],
    }
}

fn problem(values: &Values, name: &str, reason: String, next_step: &str) -> Problem {
    let line = values.get(name).and_then(|(_, line)| *line);
    Problem {
        line,
        setting: Some(name.to_owned()),
        reason,
        next_step: next_step.to_owned(),
    }
}

fn check_tls(values: &Values, problems: &mut Vec<Problem>) {
    match (
        values.contains_key("tls.certificate"),
        values.contains_key("tls.key"),
    ) {
        (true, true) => {}
        (true, false) => {
            let reason = "a certificate without its private key is of no use".to_owned();
            problems.push(problem(values, "tls.certificate", reason, "Add tls.key."));
        }
        (false, true) => {
            let reason = "a private key without its certificate is of no use".to_owned();
            problems.push(problem(values, "tls.key", reason, "Add tls.certificate."));
        }
        (false, false) => {
            for door in NEED_TLS.iter().filter(|door| !addresses(values, door).is_empty()) {
                let reason = "people sign in at this door, and that is allowed under TLS only".to_owned();
                problems.push(problem(
                    values,
                    door,
                    reason,
                    "Add tls.certificate and tls.key, or turn it \"off\".",
                ));
            }
        }
    }
}

fn check_lmtp(values: &Values, problems: &mut Vec<Problem>) {
    let open = addresses(values, "doors.lmtp")
        .iter()
        .find(|address| !address.ip().is_loopback());
    if let Some(address) = open {
        let reason = format!("{address} can be reached from outside, and LMTP asks nobody to sign in");
        problems.push(problem(
            values,
            "doors.lmtp",
            reason,
            "Use a loopback address, like \"127.0.0.1:24\".",
        ));
    }
}

fn check_addresses(values: &Values, problems: &mut Vec<Problem>) {
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for door in DOORS {
        for address in addresses(values, door) {
            if address.port() == 0 {
                continue;
            }
            if let Some(other) = taken.insert(*address, door) {
                let reason = format!("{address} is already the address of {other}");
                problems.push(problem(values, door, reason, "Give each door its own port."));
            }
        }
    }
    let none_given = DOORS.iter().all(|door| {
        values
            .get(door)
            .is_some_and(|(value, _)| *value == Value::Addresses(vec![]))
    });
    if none_given {
        let reason = "no door is open, so nobody could reach the server".to_owned();
        problems.push(Problem {
            line: None,
            setting: Some("doors".to_owned()),
            reason,
            next_step: "Add at least: [doors] smtp = [\"0.0.0.0:25\", \"[::]:25\"]".to_owned(),
        });
    }
}

/// Called when there is no problem, so every value is there and of its kind.
pub(crate) fn build(values: Values) -> Config {
    let path = |name: &str| match values.get(name) {
        Some((Value::Path(path), _)) => Some(path.clone()),
        _ => None,
    };
    let number = |name: &str| match values.get(name) {
        Some((Value::Number(number), _)) => *number,
        _ => 0,
    };
    let word = |name: &str| match values.get(name) {
        Some((Value::Word(word), _)) => word,
        _ => "",
    };
    let listen = |name: &str| addresses(&values, name).to_vec();
    Config {
        data_dir: path("data_dir").unwrap_or_else(PathBuf::new),
        hostname: match values.get("hostname") {
            Some((Value::Name(name), _)) => name.clone(),
            _ => String::new(),
        },
        domains: match values.get("domains") {
            Some((Value::Names(names), _)) => names.clone(),
            _ => Vec::new(),
        },
        doors: Doors {
            smtp: listen("doors.smtp"),
            submission: listen("doors.submission"),
            submissions: listen("doors.submissions"),
            lmtp: listen("doors.lmtp"),
            imap: listen("doors.imap"),
            imaps: listen("doors.imaps"),
        },
        tls: path("tls.certificate")
            .zip(path("tls.key"))
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        message_bytes: number("limits.message_size"),
        connections: number("limits.connections"),
        bare_newlines: if word("smtp.bare_newlines") == "normalise" {
            BareNewlines::Normalise
        } else {
            BareNewlines::Refuse
        },
        log_stderr: match word("log.stderr") {
            "json" => LogStderr::Json,
            "off" => LogStderr::Off,
            _ => LogStderr::Human,
        },
        log_dir: path("log.dir"),
    }
}
