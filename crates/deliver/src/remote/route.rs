//! Which way a recipient's mail goes: a pure function from the settings and what is known of the recipient.
//!
//! The first rule that names the recipient's domain wins, then the first that names the sender's, then the one for
//! everything, then the domain's own servers. A rule with a fallback gives way after so many failed attempts, and at once
//! while its own way cannot be reached or when its server refuses us ([`super::outcome::refuses_us`]).

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mail::address::{Domain, Mailbox};

use crate::settings::{Applies, Rule, Settings, Smarthost, Way};

/// The name under which the domain's own servers can be a fallback.
pub const MX: &str = "mx";

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// to the servers that the domain's MX records name (RFC 5321 §5.1)
    Mx(Domain),
    /// to this address: the domain is an address literal
    Literal(IpAddr),
    /// to this server, whatever the domain
    Smarthost(Arc<Smarthost>),
}

/// What is known of a recipient.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// the recipient's domain
    pub to: &'a Domain,
    /// the sender's domain; `None` for the null reverse-path, or while it is not known
    pub from: Option<&'a Domain>,
    /// failed attempts so far
    pub attempts: u32,
    /// whether the first way's server refused us
    pub refused_us: bool,
}

/// One destination: what has connections, concurrency and troubles of its own. Stable as text, for the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(Arc<str>);

/// Chooses. `unreachable` says whether a destination is known not to answer now.
pub fn choose(settings: &Settings, asked: Asked<'_>, unreachable: impl Fn(&Destination) -> bool) -> Route {
    let Some(rule) = fitting(settings, asked) else {
        return direct(asked.to);
    };
    let first = follow(rule, asked.to);
    let Some(fallback) = &rule.fallback else {
        return first;
    };
    let holds = asked.attempts < fallback.after_attempts && !asked.refused_us;
    if holds && !unreachable(&first.destination()) {
        return first;
    }
    match settings.rule(&fallback.to) {
        Some(second) => follow(second, asked.to),
        None if fallback.to == MX => direct(asked.to),
        None => first,
    }
}

/// Whether there is another way than the one `taken`, whose server refused us.
pub fn has_second(settings: &Settings, asked: Asked<'_>, taken: &Route) -> bool {
    let refused = Asked {
        refused_us: true,
        ..asked
    };
    choose(settings, refused, |_| false) != *taken
}

/// Destinations all of whose mail has a second way: a lane that leads there is looked at while they cannot be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bypassed {
    /// these have one
    with: HashSet<Destination>,
    /// these have none
    without: HashSet<Destination>,
    /// of the other destinations, whether those that are domains have one
    domains: bool,
}

impl Bypassed {
    /// As the rules have it.
    pub fn of(settings: &Settings) -> Self {
        let mut found = Self::default();
        for rule in &settings.routes {
            let has_second = rule.fallback.is_some();
            match (&rule.way, &rule.applies) {
                (Way::Smarthost(host), _) if has_second => {
                    found.with.insert(Route::Smarthost(host.clone()).destination());
                }
                (Way::Mx, Applies::To(names)) => {
                    let destinations = names.iter().map(|name| direct(name).destination());
                    // The first rule that names a domain decides.
                    let new: Vec<_> = destinations.filter(|domain| !found.has_rule(domain)).collect();
                    let list = if has_second {
                        &mut found.with
                    } else {
                        &mut found.without
                    };
                    list.extend(new);
                }
                _ => {}
            }
        }
        found.domains = others_have_second(settings);
        found
    }

    /// Whether all mail for this destination has a second way.
    pub fn contains(&self, destination: &Destination) -> bool {
        let is_domain = !destination.as_str().starts_with("route:");
        self.with.contains(destination) || (self.domains && is_domain && !self.without.contains(destination))
    }

    fn has_rule(&self, destination: &Destination) -> bool {
        self.with.contains(destination) || self.without.contains(destination)
    }
}

/// Whether mail to domains that no rule names has a second way when it goes to their own servers, whoever sends it.
fn others_have_second(settings: &Settings) -> bool {
    let general = |rule: &&Rule| matches!(rule.way, Way::Mx) && !matches!(rule.applies, Applies::To(_));
    let mut rules = settings.routes.iter().filter(general).peekable();
    let all_have = rules.clone().all(|rule| rule.fallback.is_some());
    // Without a rule for everything, who is in no rule has no second way either.
    all_have && rules.any(|rule| matches!(rule.applies, Applies::Everything))
}

/// For the queue, which names lanes after ways ([`queue::Queue::set_routes`]).
pub fn names(settings: Arc<Settings>) -> Arc<queue::RouteName> {
    Arc::new(move |to, from| {
        let asked = Asked {
            to: to.domain(),
            from: from.mailbox().map(Mailbox::domain),
            attempts: 0,
            refused_us: false,
        };
        let destination = choose(&settings, asked, |_| false).destination();
        Some(destination.as_str().to_owned())
    })
}

fn fitting<'a>(settings: &'a Settings, asked: Asked<'_>) -> Option<&'a Rule> {
    let to = |rule: &&Rule| matches!(&rule.applies, Applies::To(domains) if domains.contains(asked.to));
    let from = |rule: &&Rule| match (&rule.applies, asked.from) {
        (Applies::From(domains), Some(from)) => domains.contains(from),
        _ => false,
    };
    let everything = |rule: &&Rule| matches!(rule.applies, Applies::Everything);
    let rules = || settings.routes.iter();
    rules()
        .find(to)
        .or_else(|| rules().find(from))
        .or_else(|| rules().find(everything))
}

fn follow(rule: &Rule, to: &Domain) -> Route {
    match &rule.way {
        Way::Mx => direct(to),
        Way::Smarthost(host) => Route::Smarthost(host.clone()),
    }
}

fn direct(to: &Domain) -> Route {
    to.literal().map_or_else(|| Route::Mx(to.clone()), Route::Literal)
}

impl Route {
    /// What its connections are counted under.
    pub fn destination(&self) -> Destination {
        Destination(match self {
            Self::Mx(domain) => domain.as_str().into(),
            Self::Literal(address) => Domain::from_ip(*address).as_str().into(),
            Self::Smarthost(host) => format!("route:{}", host.name).into(),
        })
    }
}

impl Destination {
    /// The text: a domain, an address literal, or `route:NAME`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Fallback, SmarthostTls};

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn rule(name: &str, applies: Applies, fallback: Option<(&str, u32)>) -> Rule {
        Rule {
            name: name.to_owned(),
            applies,
            way: Way::Smarthost(Arc::new(Smarthost {
                name: name.to_owned(),
                host: domain("relay.example"),
                port: 587,
                tls: SmarthostTls::StartTls,
                login: None,
            })),
            fallback: fallback.map(|(to, after_attempts)| Fallback {
                to: to.to_owned(),
                after_attempts,
            }),
        }
    }

    fn house() -> Settings {
        Settings {
            routes: vec![
                rule("all", Applies::Everything, Some(("spare", 3))),
                rule("spare", Applies::FallbackOnly, None),
                rule(
                    "partner",
                    Applies::To(vec![domain("partner.example")]),
                    Some((MX, 2)),
                ),
                rule("shop", Applies::From(vec![domain("shop.example")]), None),
                Rule {
                    way: Way::Mx,
                    ..rule("straight", Applies::To(vec![domain("near.example")]), None)
                },
            ],
            ..Settings::new("mail.example")
        }
    }

    #[test]
    fn who_has_a_second_way_is_known_by_the_destination() {
        let mx = |name: &str, applies, fallback| Rule {
            way: Way::Mx,
            ..rule(name, applies, fallback)
        };
        let to = |names: &[&str]| Applies::To(names.iter().map(|name| domain(name)).collect());
        let from = || Applies::From(vec![domain("shop.example")]);
        let spare = || rule("spare", Applies::FallbackOnly, None);
        let second = Some(("spare", 3));
        let table = [
            // rules, destinations with a second way, and without
            (vec![spare()], &[][..], &["route:spare", "a.example"][..]),
            (
                vec![rule("all", Applies::Everything, second), spare()],
                &["route:all"],
                &["a.example"],
            ),
            (
                vec![mx("some", to(&["a.example", "b.example"]), second), spare()],
                &["a.example", "b.example"],
                &["c.example", "route:spare"],
            ),
            (
                vec![
                    mx("plain", to(&["a.example"]), None),
                    mx("late", to(&["a.example"]), second),
                    mx("all", Applies::Everything, second),
                    spare(),
                ],
                &["c.example", "[192.0.2.1]"],
                &["a.example", "route:spare"],
            ),
            // Mail from the shop to any domain has no second way, and shares the domain's destination with the rest.
            (
                vec![
                    mx("shop", from(), None),
                    mx("all", Applies::Everything, second),
                    spare(),
                ],
                &[],
                &["c.example"],
            ),
            (vec![mx("shop", from(), second), spare()], &[], &["c.example"]),
        ];
        for (routes, with, without) in table {
            let bypassed = Bypassed::of(&Settings {
                routes,
                ..Settings::new("mail.example")
            });
            for (list, want) in [(with, true), (without, false)] {
                for name in list {
                    let is = bypassed.contains(&Destination::from(*name));
                    assert_eq!(is, want, "{name}: {bypassed:?}");
                }
            }
        }
    }

    #[test]
    fn the_recipient_decides_before_the_sender_and_both_before_the_rest() {
        let table = [
            ("a.example", None, 0, "route:all"),
            ("a.example", Some("shop.example"), 0, "route:shop"),
            ("partner.example", Some("shop.example"), 0, "route:partner"),
            ("near.example", None, 9, "near.example"),
            // fallbacks, after so many attempts
            ("a.example", None, 2, "route:all"),
            ("a.example", None, 3, "route:spare"),
            ("partner.example", None, 2, "partner.example"),
        ];
        for (to, from, attempts, want) in table {
            let (to, from) = (domain(to), from.map(domain));
            let asked = Asked {
                to: &to,
                from: from.as_ref(),
                attempts,
                refused_us: false,
            };
            let route = choose(&house(), asked, |_| false);
            assert_eq!(route.destination().as_str(), want, "{asked:?}");
        }
    }

    #[test]
    fn a_way_that_cannot_be_reached_gives_way_at_once() {
        let to = domain("a.example");
        let asked = Asked {
            to: &to,
            from: None,
            attempts: 0,
            refused_us: false,
        };
        let route = choose(&house(), asked, |destination| destination.as_str() == "route:all");
        assert_eq!(route.destination().as_str(), "route:spare");
    }

    #[test]
    fn a_way_whose_server_refused_us_gives_way_once() {
        let asked = |to| Asked {
            to,
            from: None,
            attempts: 0,
            refused_us: false,
        };
        let (a, near) = (domain("a.example"), domain("near.example"));
        let first = choose(&house(), asked(&a), |_| false);
        assert!(has_second(&house(), asked(&a), &first));
        let again = Asked {
            refused_us: true,
            ..asked(&a)
        };
        let second = choose(&house(), again, |_| false);
        assert_eq!(second.destination().as_str(), "route:spare");
        assert!(!has_second(&house(), again, &second), "there is no third");
        let only = choose(&house(), asked(&near), |_| false);
        assert!(!has_second(&house(), asked(&near), &only));
    }

    #[test]
    fn without_rules_mail_goes_to_the_domain_or_its_address() {
        let settings = Settings::new("mail.example");
        for (to, want) in [
            ("x.example", Route::Mx(domain("x.example"))),
            ("[192.0.2.7]", Route::Literal("192.0.2.7".parse().unwrap())),
            (
                "[IPv6:2001:db8::7]",
                Route::Literal("2001:db8::7".parse().unwrap()),
            ),
        ] {
            let to = domain(to);
            let asked = Asked {
                to: &to,
                from: None,
                attempts: 7,
                refused_us: false,
            };
            assert_eq!(choose(&settings, asked, |_| false), want);
        }
    }
}
