//! By whose servers a domain's mail leaves, as far as the routes say: what its SPF record has to name beside this one. Pure.

use deliver::remote::route::MX;
use deliver::settings::{Applies, Rule, Way};
use mail::address::Domain;
use serde::{Deserialize, Serialize};

/// The ways of a domain's mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// servers that take some of it or all of it from us; what goes by default comes first
    pub smarthosts: Vec<Smarthost>,
    /// none of it leaves straight from this server
    pub never_directly: bool,
}

/// A server that takes mail from us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smarthost {
    /// its route in the settings
    pub route: String,
    /// its name or address
    pub host: String,
    /// whether the domain's mail leaves by it unless another route says otherwise
    pub by_default: bool,
}

/// The ways of what is sent from addresses of a domain.
pub fn of(rules: &[Rule], domain: &str) -> Leaving {
    let from = |rule: &&Rule| match &rule.applies {
        Applies::From(domains) => domains.iter().any(|one| one.as_str() == domain),
        _ => false,
    };
    let everything = |rule: &&Rule| matches!(rule.applies, Applies::Everything);
    let default = rules.iter().find(from).or_else(|| rules.iter().find(everything));
    let exceptions = rules.iter().filter(|rule| matches!(rule.applies, Applies::To(_)));
    let first: Vec<&Rule> = default.into_iter().chain(exceptions).collect();
    let second = first.iter().filter_map(|rule| rule.fallback.as_ref());
    let (to_mx, second): (Vec<_>, Vec<_>) = second.partition(|second| second.to == MX);
    let named = second
        .iter()
        .filter_map(|second| rules.iter().find(|rule| rule.name == second.to));
    let ways: Vec<&Rule> = first.iter().copied().chain(named).collect();
    let mut leaving = Leaving {
        smarthosts: Vec::new(),
        never_directly: default.is_some() && to_mx.is_empty() && ways.iter().all(|rule| rule.way != Way::Mx),
    };
    for rule in ways {
        let Way::Smarthost(smarthost) = &rule.way else {
            continue;
        };
        let host = name_of(&smarthost.host);
        if leaving.smarthosts.iter().all(|known| known.host != host) {
            leaving.smarthosts.push(Smarthost {
                route: rule.name.clone(),
                by_default: default.is_some_and(|default| default.name == rule.name),
                host,
            });
        }
    }
    leaving
}

/// As SPF and people write it: an address without the brackets of a literal.
fn name_of(host: &Domain) -> String {
    host.literal()
        .map_or_else(|| host.as_str().to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deliver::settings::{Fallback, SmarthostTls};

    use super::*;

    fn rule(name: &str, applies: Applies, host: Option<&str>, fallback: Option<&str>) -> Rule {
        Rule {
            name: name.to_owned(),
            applies,
            way: host.map_or(Way::Mx, |host| {
                Way::Smarthost(Arc::new(deliver::settings::Smarthost {
                    name: name.to_owned(),
                    host: Domain::parse(host).unwrap(),
                    port: 587,
                    tls: SmarthostTls::StartTls,
                    login: None,
                }))
            }),
            fallback: fallback.map(|to| Fallback {
                to: to.to_owned(),
                after_attempts: 3,
            }),
        }
    }

    #[test]
    fn every_way_of_a_domains_mail_is_known() {
        let ours = || vec![Domain::parse("example.org").unwrap()];
        let all = |fallback| rule("all", Applies::Everything, Some("relay.example"), fallback);
        let mine = |host| rule("mine", Applies::From(ours()), host, None);
        let some = |host| rule("some", Applies::To(ours()), host, None);
        let spare = |host| rule("spare", Applies::FallbackOnly, host, None);
        let table: Vec<(Vec<Rule>, &[&str], bool)> = vec![
            // rules; hosts, a star on the one by default; whether nothing leaves directly
            (vec![], &[], false),
            (vec![all(None)], &["relay.example*"], true),
            (vec![all(Some("mx"))], &["relay.example*"], false),
            (vec![all(None), mine(None)], &[], false),
            (
                vec![all(None), mine(Some("own.example"))],
                &["own.example*"],
                true,
            ),
            (vec![some(Some("partner.example"))], &["partner.example"], false),
            (vec![all(None), some(None)], &["relay.example*"], false),
            (
                vec![all(Some("spare")), spare(Some("second.example"))],
                &["relay.example*", "second.example"],
                true,
            ),
            (vec![all(Some("spare")), spare(None)], &["relay.example*"], false),
            (
                vec![rule("all", Applies::Everything, Some("[192.0.2.7]"), None)],
                &["192.0.2.7*"],
                true,
            ),
        ];
        for (rules, hosts, never_directly) in table {
            let leaving = of(&rules, "example.org");
            let got: Vec<String> = leaving
                .smarthosts
                .iter()
                .map(|one| format!("{}{}", one.host, if one.by_default { "*" } else { "" }))
                .collect();
            assert_eq!(
                (got.as_slice(), leaving.never_directly),
                (
                    hosts
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .as_slice(),
                    never_directly
                ),
                "{rules:?}"
            );
        }
    }
}
