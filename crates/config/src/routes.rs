//! What the settings of routes must agree on: each by itself ([`one`]), and all together.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Problem, nearest_of};
use crate::table::Values;
use crate::value::{MX, Value};

pub(crate) fn check(values: &Values, problems: &mut Vec<Problem>) {
    let routes = values.tables("routes");
    for route in routes {
        one(route, problems);
        own_domains(route, values, problems);
    }
    names(routes, problems);
    domains(routes, "to", problems);
    domains(routes, "from", problems);
    defaults(routes, problems);
    fallbacks(routes, problems);
}

fn say(
    route: &Values,
    setting: &str,
    problems: &mut Vec<Problem>,
    reason: impl Into<String>,
    next_step: impl Into<String>,
) {
    problems.push(Problem {
        line: Some(route.line_of(setting).unwrap_or_else(|| route.line())),
        setting: Some(format!("routes.{setting}")),
        reason: reason.into(),
        next_step: next_step.into(),
    });
}

fn one(route: &Values, problems: &mut Vec<Problem>) {
    if route.gives("to") && route.gives("from") {
        let reason = "a route serves recipient domains or sender domains, not both";
        say(route, "from", problems, reason, "Make two routes of it.");
    }
    if route.gives("from") && route.names("from").is_some_and(<[String]>::is_empty) {
        let reason = "the list is empty";
        say(
            route,
            "from",
            problems,
            reason,
            "Name sender domains; a route that is only a fallback has to = [].",
        );
    }
    if route.gives("after_attempts") && !route.gives("fallback") {
        let reason = "there is no fallback that could be taken then";
        say(
            route,
            "after_attempts",
            problems,
            reason,
            "Add fallback, or leave it out.",
        );
    }
    if route.name("host").as_deref() == Some(MX) {
        let useless = ["port", "tls", "user", "password_file"];
        for setting in useless.into_iter().filter(|setting| route.gives(setting)) {
            let reason = "a route with host \"mx\" goes to servers that DNS names, so this has no meaning";
            say(route, setting, problems, reason, "Leave it out, or name a host.");
        }
        return;
    }
    sign_in(route, problems);
}

fn sign_in(route: &Values, problems: &mut Vec<Problem>) {
    match (route.gives("user"), route.gives("password_file")) {
        (false, false) => {}
        (true, false) => {
            let reason = "a user without a password cannot sign in";
            say(
                route,
                "user",
                problems,
                reason,
                "Add password_file = \"/etc/hearthpost/smarthost.password\"",
            );
        }
        (false, true) => {
            let reason = "a password without a user is of no use";
            say(route, "password_file", problems, reason, "Add user.");
        }
        (true, true) => {
            if let word @ ("opportunistic" | "none") = route.word("tls") {
                let reason = format!("with tls {word:?} the password could be read on the way");
                say(
                    route,
                    "user",
                    problems,
                    reason,
                    "Use tls = \"starttls\" or \"implicit\".",
                );
            }
        }
    }
}

/// Mail to our own domains never leaves, so a route to one is a mistake.
fn own_domains(route: &Values, values: &Values, problems: &mut Vec<Problem>) {
    let ours = values.names("domains").unwrap_or_default();
    let to = route.names("to").unwrap_or_default();
    if let Some(domain) = to.iter().find(|domain| ours.contains(domain)) {
        let reason = format!("{domain} is a domain of ours, whose mail stays here");
        say(route, "to", problems, reason, "Leave it out, here or in domains.");
    }
}

fn names(routes: &[Values], problems: &mut Vec<Problem>) {
    let mut seen = BTreeMap::new();
    for route in routes {
        let Some(name) = route.name("name") else { continue };
        if let Some(first) = seen.insert(name.clone(), route.line()) {
            let reason = format!("the route on line {first} is called {name:?} already");
            say(
                route,
                "name",
                problems,
                reason,
                "Give each route a name of its own.",
            );
        }
    }
}

fn domains(routes: &[Values], setting: &str, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for route in routes {
        for domain in route.names(setting).unwrap_or_default() {
            match seen.get(domain.as_str()) {
                Some(line) => {
                    let reason = format!("{domain} is served by the route on line {line} already");
                    say(route, setting, problems, reason, "Leave it out in one of them.");
                }
                None => drop(seen.insert(domain, route.line())),
            }
        }
    }
}

fn defaults(routes: &[Values], problems: &mut Vec<Problem>) {
    let mut all = routes
        .iter()
        .filter(|route| !route.gives("to") && !route.gives("from"));
    let Some(first) = all.next() else { return };
    for route in all {
        let reason = format!(
            "the route on line {} is the default already, having neither to nor from",
            first.line()
        );
        let next_step = "Add to or from; a route that is only a fallback has to = [].";
        problems.push(Problem {
            line: Some(route.line()),
            setting: Some("routes".to_owned()),
            reason,
            next_step: next_step.to_owned(),
        });
    }
}

fn fallbacks(routes: &[Values], problems: &mut Vec<Problem>) {
    let next: BTreeMap<String, String> = routes
        .iter()
        .filter_map(|route| route.name("name").zip(route.name("fallback")))
        .collect();
    let known: BTreeSet<String> = routes.iter().filter_map(|route| route.name("name")).collect();
    let mut told = BTreeSet::new();
    for route in routes {
        let (Some(name), Some(fallback)) = (route.name("name"), route.name("fallback")) else {
            continue;
        };
        if fallback == MX {
            if route.get("host") == Some(&Value::Name(MX.to_owned())) {
                let reason = "this route goes by MX already";
                say(route, "fallback", problems, reason, "Leave it out.");
            }
        } else if !known.contains(&fallback) {
            let reason = format!("there is no route called {fallback:?}");
            let next_step = match nearest_of(&fallback, known.iter().map(String::as_str)) {
                Some(near) => format!("Did you mean {near:?}?"),
                None => "Name one of [[routes]], or \"mx\".".to_owned(),
            };
            say(route, "fallback", problems, reason, next_step);
        } else if let Some(circle) = circle(&name, &next)
            && told.insert(circle.iter().cloned().collect::<BTreeSet<_>>())
        {
            let reason = format!("the fallbacks go in a circle: {}", circle.join(", "));
            say(
                route,
                "fallback",
                problems,
                reason,
                "Let the last of them have none, or \"mx\".",
            );
        }
    }
}

/// The names from `start` back to it, if its fallbacks lead there.
fn circle(start: &str, next: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let mut way = vec![start.to_owned()];
    while let Some(name) = next.get(way.last()?) {
        if name == start {
            way.push(name.clone());
            return Some(way);
        }
        if way.contains(name) {
            return None;
        }
        way.push(name.clone());
    }
    None
}
