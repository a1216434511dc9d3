//! The report of one day about one domain, in the JSON of RFC 8460 §4.4. Pure.

use serde_json::{Map, Value, json};
use world::clock::UnixMs;

use super::evidence::{Evidence, Session};
use crate::tls::attempt::PolicyKind;
use crate::tls::day::Day;

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporter {
    /// our organisation's name: the server's host name
    pub organisation: String,
    /// whom to ask about the report: an address
    pub contact: String,
}

/// The report about `domain`; nothing when there was no session with it.
pub fn document(evidence: &Evidence, domain: &str, day: Day, reporter: &Reporter) -> Option<Value> {
    let rows: Vec<(&Session, u64)> = evidence.of(domain).collect();
    let mut policies: Vec<(PolicyKind, &str)> = Vec::new();
    for (row, _) in &rows {
        let policy = (row.kind, row.policy_domain.as_str());
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    if policies.is_empty() {
        return None;
    }
    let policies: Vec<Value> = policies
        .into_iter()
        .map(|(kind, of)| {
            let own = rows
                .iter()
                .filter(|(row, _)| row.kind == kind && row.policy_domain == of);
            policy(evidence, (kind, of), &own.copied().collect::<Vec<_>>())
        })
        .collect();
    Some(json!({
        "organization-name": reporter.organisation,
        "date-range": {
            "start-datetime": second(day.begins()),
            "end-datetime": second(UnixMs(Day(day.0 + 1).begins().0 - 1000)),
        },
        "contact-info": reporter.contact,
        "report-id": format!("{day}_{domain}@{}", reporter.organisation),
        "policies": policies,
    }))
}

fn policy(evidence: &Evidence, (kind, of): (PolicyKind, &str), rows: &[(&Session, u64)]) -> Value {
    let total = |failed: bool| -> u64 {
        let own = rows.iter().filter(|(row, _)| row.result.is_some() == failed);
        own.map(|(_, count)| count).sum()
    };
    let terms = evidence.terms(kind, of);
    let mut policy = Map::new();
    policy.insert("policy-type".to_owned(), json!(kind.as_str()));
    if kind != PolicyKind::NoPolicy {
        policy.insert("policy-string".to_owned(), json!(terms.lines));
    }
    policy.insert("policy-domain".to_owned(), json!(of));
    if !terms.hosts.is_empty() {
        policy.insert("mx-host".to_owned(), json!(terms.hosts));
    }
    let mut block = json!({
        "policy": policy,
        "summary": {
            "total-successful-session-count": total(false),
            "total-failure-session-count": total(true),
        },
    });
    let details: Vec<Value> = rows
        .iter()
        .filter_map(|(row, count)| detail(row, *count))
        .collect();
    if !details.is_empty() {
        block["failure-details"] = json!(details);
    }
    block
}

fn detail(row: &Session, count: u64) -> Option<Value> {
    let mut detail = Map::new();
    detail.insert("result-type".to_owned(), json!(row.result?.as_str()));
    let known = [
        ("sending-mta-ip", row.ours.as_deref()),
        (
            "receiving-mx-hostname",
            Some(row.host.as_str()).filter(|host| !host.is_empty()),
        ),
        ("receiving-ip", row.address.as_deref()),
        (
            "failure-reason-code",
            Some(row.text.as_str()).filter(|text| !text.is_empty()),
        ),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            detail.insert(name.to_owned(), json!(value));
        }
    }
    detail.insert("failed-session-count".to_owned(), json!(count));
    Some(Value::Object(detail))
}

/// RFC 3339 to the second, as the examples of RFC 8460 have it.
fn second(moment: UnixMs) -> String {
    format!("{}Z", &moment.rfc3339()[..19])
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::session;
    use super::super::evidence::{Grade, Terms};
    use super::*;
    use crate::tls::attempt::ResultType;

    #[test]
    fn a_report_has_the_form_of_the_standard() {
        let mut seen = Evidence::default();
        let sts = |session: Session| Session {
            kind: PolicyKind::Sts,
            ..session
        };
        for _ in 0..4 {
            seen.count(sts(session(
                "company-y.example",
                "mx1.mail.company-y.example",
                None,
                Grade::Verified,
            )));
        }
        let expired = Some(ResultType::CertificateExpired);
        seen.count(sts(session(
            "company-y.example",
            "mx2.mail.company-y.example",
            expired,
            Grade::Refused,
        )));
        seen.count(session(
            "company-y.example",
            "mx1.mail.company-y.example",
            None,
            Grade::Encrypted,
        ));
        seen.count(session("other.example", "mx", None, Grade::Verified));
        seen.policy(PolicyKind::Sts, "company-y.example", || Terms {
            lines: vec!["version: STSv1".to_owned(), "mode: testing".to_owned()],
            hosts: vec!["*.mail.company-y.example".to_owned()],
        });
        let reporter = Reporter {
            organisation: "mail.home.test".to_owned(),
            contact: "postmaster@home.test".to_owned(),
        };
        let day = Day::parse("2016-04-01").unwrap();
        let report = document(&seen, "company-y.example", day, &reporter).unwrap();
        let expected = json!({
            "organization-name": "mail.home.test",
            "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
            "contact-info": "postmaster@home.test",
            "report-id": "2016-04-01_company-y.example@mail.home.test",
            "policies": [{
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing"],
                    "policy-domain": "company-y.example",
                    "mx-host": ["*.mail.company-y.example"],
                },
                "summary": {"total-successful-session-count": 4, "total-failure-session-count": 1},
                "failure-details": [{
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "198.51.100.1",
                    "receiving-mx-hostname": "mx2.mail.company-y.example",
                    "receiving-ip": "192.0.2.25",
                    "failure-reason-code": "some words",
                    "failed-session-count": 1,
                }],
            }, {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "company-y.example"},
                "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
            }],
        });
        assert_eq!(report, expected);
        assert_eq!(document(&seen, "nobody.example", day, &reporter), None);
    }
}
