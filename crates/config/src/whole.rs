//! What doors and certificates must agree on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::problem::Problem;
use crate::table::Values;
use crate::value::Value;

/// All doors.
const DOORS: [&str; 8] = [
    "doors.smtp",
    "doors.submission",
    "doors.submissions",
    "doors.lmtp",
    "doors.imap",
    "doors.imaps",
    "doors.pop3",
    "doors.pop3s",
];
/// Doors where people sign in, which they do under TLS only.
const NEED_TLS: [&str; 6] = [
    "doors.submission",
    "doors.submissions",
    "doors.imap",
    "doors.imaps",
    "doors.pop3",
    "doors.pop3s",
];

pub(crate) fn check(values: &Values, problems: &mut Vec<Problem>) {
    check_tls(values, problems);
    check_lmtp(values, problems);
    check_addresses(values, problems);
    if values.gives("imap.message_limit") && values.gives("imap.save_limit") {
        let reason = "imap.message_limit holds for COPY too, and clients are told of one limit";
        problems.push(Problem::at(
            values,
            "imap.save_limit",
            reason,
            "Keep one of the two.",
        ));
    }
}

fn check_tls(values: &Values, problems: &mut Vec<Problem>) {
    match (values.gives("tls.certificate"), values.gives("tls.key")) {
        (true, true) => {}
        (true, false) => {
            let reason = "a certificate without its private key is of no use";
            problems.push(Problem::at(values, "tls.certificate", reason, "Add tls.key."));
        }
        (false, true) => {
            let reason = "a private key without its certificate is of no use";
            problems.push(Problem::at(values, "tls.key", reason, "Add tls.certificate."));
        }
        (false, false) => {
            for door in NEED_TLS.iter().filter(|door| !values.addresses(door).is_empty()) {
                let reason = "people sign in at this door, and that is allowed under TLS only";
                let next_step = "Add tls.certificate and tls.key, or turn it \"off\".";
                problems.push(Problem::at(values, door, reason, next_step));
            }
        }
    }
}

fn check_lmtp(values: &Values, problems: &mut Vec<Problem>) {
    let open = values
        .addresses("doors.lmtp")
        .iter()
        .find(|address| !address.ip().is_loopback());
    if let Some(address) = open {
        problems.push(Problem::at(
            values,
            "doors.lmtp",
            format!("{address} can be reached from outside, and LMTP asks nobody to sign in"),
            "Use a loopback address, like \"127.0.0.1:24\".",
        ));
    }
}

fn check_addresses(values: &Values, problems: &mut Vec<Problem>) {
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for door in DOORS {
        for address in values.addresses(door) {
            if address.port() == 0 {
                continue;
            }
            if let Some(other) = taken.insert(*address, door) {
                let reason = format!("{address} is already the address of {other}");
                problems.push(Problem::at(values, door, reason, "Give each door its own port."));
            }
        }
    }
    let none_given = DOORS
        .iter()
        .all(|door| values.get(door) == Some(&Value::Addresses(vec![])));
    if none_given {
        problems.push(Problem {
            line: None,
            setting: Some("doors".to_owned()),
            reason: "no door is open, so nobody could reach the server".to_owned(),
            next_step: "Add at least: [doors] smtp = [\"0.0.0.0:25\", \"[::]:25\"]".to_owned(),
        });
    }
}
