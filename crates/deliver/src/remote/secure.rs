//! What is known of the way to each host before it is connected to, and whether an open connection will do for another message.
//!
//! 1. [`Known::of`] asks what holds for the recipient's domain (MTA-STS, the list), for all its hosts at once.
//! 2. [`Known::evidence`] adds one host's TLSA records, when it is that host's turn.
//! 3. [`msgauth::tls::policy::decide`] makes the rule; [`still_good`] holds an open connection to the rule of the next message.
//! 4. [`tell`] passes on how TLS went, for reports (RFC 8460).

use std::net::{IpAddr, SocketAddr};

use msgauth::tls::OfDomain;
use msgauth::tls::attempt::{ResultType, TlsAttempt, Went, counted_under};
use msgauth::tls::dane;
use msgauth::tls::policy::{self, Dane, Evidence, Found, RouteTls, Rule, Wish};
use world::dns::Security as Signed;

use super::Remote;
use super::find::Hosts;
use super::route::Route;
use super::session::Security;
use crate::settings::{Settings, SmarthostTls};

/// What is known of a way's hosts for one message.
#[derive(Debug)]
pub struct Known {
    found: Found,
    wish: Wish,
    /// of each candidate
    of_domain: Vec<OfDomain>,
}

impl Known {
    /// Asks for all of them. What the recipient's side says counts on its own servers only.
    pub async fn of(remote: &Remote, route: &Route, hosts: &Hosts, wish: Wish) -> Self {
        let names: Vec<String> = hosts.candidates.iter().map(|one| one.host.clone()).collect();
        Self {
            found: found(route, hosts.mx),
            wish,
            of_domain: of_domain(remote, route, &names).await,
        }
    }

    /// All that counts at the candidate of this position.
    pub async fn evidence(
        &self,
        remote: &Remote,
        (route, settings): (&Route, &Settings),
        (hosts, position): (&Hosts, usize),
    ) -> Evidence {
        let asked = match (route, self.wish) {
            (Route::Mx(_), Wish::NotRequired) | (Route::Literal(_), _) => None,
            (Route::Mx(domain), _) => Some((domain.as_str(), settings.port)),
            // The operator named it, so there is nothing that could be forged on the way to it (RFC 7672 §2.2.2).
            (Route::Smarthost(host), _) if host.tls == SmarthostTls::Dane => {
                Some((host.host.as_str(), host.port))
            }
            (Route::Smarthost(_), _) => None,
        };
        let dane = match asked {
            Some(asked) => dane_of(remote, asked, (hosts, position)).await,
            None => Dane::default(),
        };
        let OfDomain {
            sts,
            sts_unsure,
            listed,
        } = self.of_domain.get(position).cloned().unwrap_or_default();
        Evidence {
            found: self.found,
            dane,
            sts,
            sts_unsure,
            listed,
            wish: self.wish,
        }
    }
}

/// Whether an open connection to `host` may carry a message that asks `wish`: what it is meets the rule as it is now.
pub async fn still_good(
    remote: &Remote,
    route: &Route,
    (host, security): (String, Security),
    wish: Wish,
) -> bool {
    // For a message that would rather go in the clear nobody asked what others need.
    if security.evidence.wish == Wish::NotRequired && wish != Wish::NotRequired {
        return false;
    }
    let Some(found) = found_now(route, &host, security.evidence.found) else {
        return false;
    };
    let OfDomain {
        sts,
        sts_unsure,
        listed,
    } = of_domain(remote, route, &[host]).await.pop().unwrap_or_default();
    let evidence = Evidence {
        found,
        sts,
        sts_unsure,
        listed,
        wish,
        ..security.evidence
    };
    policy::decide(&evidence).demand.is_met_by(security.grade)
}

/// How an open connection's host is found now; nothing where it is not the host any more. A message that was claimed before the operator
/// changed a route may have opened the connection, and what comes behind it goes by the route as it is.
fn found_now(route: &Route, host: &str, before: Found) -> Option<Found> {
    match route {
        Route::Smarthost(smarthost) if smarthost.host.as_str() != host => None,
        Route::Smarthost(_) => Some(found(route, Signed::Indeterminate)),
        Route::Mx(_) | Route::Literal(_) => Some(before),
    }
}

/// Tells how TLS went at a host of the recipient's own.
pub fn tell(remote: &Remote, route: &Route, tried: Tried<'_>, went: Went) {
    let Route::Mx(domain) = route else {
        return;
    };
    let (kind, policy_domain) = counted_under(tried.evidence, domain.as_str());
    remote.policies.attempted(&TlsAttempt {
        at: remote.queue.clock.now(),
        domain: domain.as_str().to_owned(),
        kind,
        policy_domain,
        mx_host: tried.host.to_owned(),
        mx_address: tried.address.map(|address| address.ip()),
        our_address: tried.our_address,
        rule: tried.rule.clone(),
        went,
    });
}

/// Tells that the rule refused a host.
pub fn tell_refused(remote: &Remote, route: &Route, tried: Tried<'_>) {
    let went = Went::Failed {
        result: ResultType::of_refusal(tried.rule.reason),
        text: tried.rule.reason.to_string(),
        clear: false,
    };
    tell(remote, route, tried, went);
}

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    /// the host
    pub host: &'a str,
    /// its address, if it came to that
    pub address: Option<SocketAddr>,
    /// ours, if it came to that
    pub our_address: Option<IpAddr>,
    /// what was known
    pub evidence: &'a Evidence,
    /// what was made of it
    pub rule: &'a Rule,
}

async fn of_domain(remote: &Remote, route: &Route, hosts: &[String]) -> Vec<OfDomain> {
    match route {
        Route::Mx(domain) => remote.policies.of(domain.as_str(), hosts).await,
        Route::Literal(_) | Route::Smarthost(_) => Vec::new(),
    }
}

fn found(route: &Route, mx: Signed) -> Found {
    match route {
        Route::Mx(_) if mx == Signed::Secure => Found::Secure,
        Route::Mx(_) => Found::Insecure,
        // The recipient's address names it: there is nothing that could be forged on the way.
        Route::Literal(_) => Found::Secure,
        Route::Smarthost(host) => Found::Route(match host.tls {
            SmarthostTls::None => RouteTls::None,
            SmarthostTls::Opportunistic => RouteTls::Opportunistic,
            SmarthostTls::Dane => RouteTls::DaneOrVerified,
            SmarthostTls::StartTls | SmarthostTls::Implicit => RouteTls::Verified,
        }),
    }
}

async fn dane_of(remote: &Remote, (domain, port): (&str, u16), (hosts, position): (&Hosts, usize)) -> Dane {
    let Some(candidate) = hosts.candidates.get(position) else {
        return Dane::default();
    };
    let Some(addresses) = hosts.addresses_of(&candidate.host) else {
        return Dane::default();
    };
    let host = dane::Host {
        domain,
        name: &candidate.host,
        v4: &addresses.v4,
        v6: &addresses.v6,
        port,
    };
    dane::find(&*remote.dns, &*remote.queue.clock, host).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::address::Domain;

    use super::*;
    use crate::settings::Smarthost;

    #[test]
    fn q_5_an_open_connection_is_held_to_the_route_as_it_is_now() {
        let domain = |name: &str| Domain::parse(name).unwrap();
        let relay = |tls| {
            Route::Smarthost(Arc::new(Smarthost {
                name: "relay".to_owned(),
                host: domain("relay.test"),
                port: 25,
                tls,
                login: None,
            }))
        };
        let (none, verified) = (Found::Route(RouteTls::None), Found::Route(RouteTls::Verified));
        let table = [
            (relay(SmarthostTls::StartTls), "relay.test", none, Some(verified)),
            (relay(SmarthostTls::None), "relay.test", verified, Some(none)),
            (relay(SmarthostTls::StartTls), "old.test", verified, None),
            (
                Route::Mx(domain("there.test")),
                "mx.there.test",
                Found::Secure,
                Some(Found::Secure),
            ),
            (
                Route::Mx(domain("there.test")),
                "mx.there.test",
                Found::Insecure,
                Some(Found::Insecure),
            ),
        ];
        for (route, host, before, expected) in table {
            assert_eq!(found_now(&route, host, before), expected, "{route:?}, {host}");
        }
    }
}
