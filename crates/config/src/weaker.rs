//! Fallbacks that ask for less TLS than the road they stand in for. They are the operator's to choose, so it is said and not forbidden.

use std::fmt;

use crate::{FallbackTo, Road, Route, RouteTls};

/// What is asked of TLS on a road, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asks {
    Nothing,
    WhereOffered,
    /// What the recipient's domain (DANE, MTA-STS) and the list of domains ask, and else TLS where it is offered.
    AsTheDomain,
    Verified,
}

/// For whoever checks: each fallback that asks for less than its route, and the next step. Routes in the order of the file.
pub fn weaker_fallbacks(routes: &[Route]) -> Vec<String> {
    routes.iter().filter_map(|route| weaker(route, routes)).collect()
}

fn weaker(route: &Route, routes: &[Route]) -> Option<String> {
    let to = &route.fallback.as_ref()?.to;
    let (name, second) = match to {
        FallbackTo::Mx => ("mx", Asks::AsTheDomain),
        FallbackTo::Route(name) => {
            let second = routes.iter().find(|route| route.name == *name)?;
            (name.as_str(), Asks::on(&second.road))
        }
    };
    let first = Asks::on(&route.road);
    (second < first).then(|| {
        let next_step = match to {
            FallbackTo::Mx => {
                "Leave fallback out, name a route whose tls is \"starttls\" or \"implicit\", or put the domains into mandatory_tls.domains."
            }
            FallbackTo::Route(_) => "Write tls = \"starttls\" or \"implicit\" in the fallback, or leave it out.",
        };
        format!(
            "the route {:?} asks for {first}, its fallback {name:?} for less: {second}. Mail that the route cannot deliver, also because \
             TLS failed there, goes by the fallback. {next_step}",
            route.name
        )
    })
}

impl Asks {
    fn on(road: &Road) -> Self {
        match road {
            Road::Mx => Self::AsTheDomain,
            Road::Smarthost(host) => match host.tls {
                RouteTls::Dane | RouteTls::StartTls | RouteTls::Implicit => Self::Verified,
                RouteTls::Opportunistic => Self::WhereOffered,
                RouteTls::None => Self::Nothing,
            },
        }
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "no TLS",
            Self::WhereOffered => "TLS where it is offered, with any certificate",
            Self::AsTheDomain => "the TLS that the recipient's domain or your list asks for",
            Self::Verified => "TLS with a certificate that verifies",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fallback, Serves, Smarthost};

    fn route(name: &str, tls: Option<RouteTls>, fallback: Option<&str>) -> Route {
        Route {
            name: name.to_owned(),
            serves: Serves::To(Vec::new()),
            road: tls.map_or(Road::Mx, |tls| {
                Road::Smarthost(Smarthost {
                    host: "relay.example".to_owned(),
                    port: 25,
                    tls,
                    login: None,
                })
            }),
            fallback: fallback.map(|to| Fallback {
                to: match to {
                    "mx" => FallbackTo::Mx,
                    name => FallbackTo::Route(name.to_owned()),
                },
                after_attempts: 3,
            }),
        }
    }

    #[test]
    fn a_fallback_that_asks_for_less_than_its_route_is_told() {
        use RouteTls::{Dane, Implicit, None as Clear, Opportunistic, StartTls};
        let by_mx = None;
        let table = [
            // the route's TLS, its fallback's, whether it is told
            (Some(StartTls), Some(Implicit), false),
            (Some(Implicit), Some(StartTls), false),
            (Some(StartTls), Some(Dane), false),
            (Some(Dane), Some(StartTls), false),
            (Some(Dane), Some(Opportunistic), true),
            (Some(StartTls), Some(Opportunistic), true),
            (Some(Implicit), Some(Clear), true),
            (Some(Opportunistic), Some(Opportunistic), false),
            (Some(Opportunistic), Some(Clear), true),
            (Some(Opportunistic), Some(StartTls), false),
            (Some(Clear), Some(Clear), false),
            // by MX what the recipient's side and the list ask counts
            (by_mx, Some(StartTls), false),
            (by_mx, Some(Opportunistic), true),
            (by_mx, Some(Clear), true),
        ];
        for (first, second, told) in table {
            let routes = [
                route("first", first, Some("second")),
                route("second", second, None),
            ];
            assert_eq!(
                weaker_fallbacks(&routes).len(),
                usize::from(told),
                "{first:?} {second:?}"
            );
        }
        for (first, told) in [
            (StartTls, true),
            (Implicit, true),
            (Opportunistic, false),
            (Clear, false),
        ] {
            let routes = [route("first", Some(first), Some("mx"))];
            assert_eq!(weaker_fallbacks(&routes).len(), usize::from(told), "{first:?} mx");
        }
        assert!(weaker_fallbacks(&[route("only", Some(StartTls), None)]).is_empty());
    }

    #[test]
    fn what_is_told_names_both_and_the_next_step() {
        let routes = [
            route("partner", Some(RouteTls::StartTls), Some("spare")),
            route("spare", Some(RouteTls::None), None),
        ];
        assert_eq!(
            weaker_fallbacks(&routes),
            [
                "the route \"partner\" asks for TLS with a certificate that verifies, its fallback \"spare\" for less: no TLS. Mail that the \
              route cannot deliver, also because TLS failed there, goes by the fallback. Write tls = \"starttls\" or \"implicit\" in the fallback, \
              or leave it out."
            ]
        );
    }
}
