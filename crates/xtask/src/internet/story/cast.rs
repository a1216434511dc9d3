//! Who takes part: the hosts, and what runs there.

use super::lines::{Block, words};
use super::read::{address, at, number, owned, read_rule, read_setting};
use super::{HearthpostPlan, HostPlan, Kind, PostfixPlan, RoutePlan, SinkPlan, WebPlan};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `a.test[, b.test] [at ADDRESS, …]: Hearthpost|Postfix|sink …`, after the word `host`.
pub(super) fn read_host(text: &str, below: &[Block<'_>], place: usize) -> Result<HostPlan, String> {
    let (head, what) = text.split_once(": ").ok_or("`host NAME: WHAT` is expected")?;
    let (domains, addresses) = match head.split_once(" at ") {
        Some((domains, addresses)) => (domains, list(addresses, address)?),
        None => (head, usual_addresses(place)),
    };
    let domains: Vec<String> = domains.split(", ").map(str::to_owned).collect();
    let words = words(what)?;
    let (signing, own): (Vec<_>, Vec<_>) = below.iter().partition(|line| line.text == "signs");
    let kind = match words.as_slice() {
        ["Hearthpost", "with", people @ ..] => {
            let mut plan = HearthpostPlan {
                people: whole(people, &domains[0]),
                ..Default::default()
            };
            for line in own {
                at(line, hearthpost_line(&mut plan, line.text))?;
            }
            Kind::Hearthpost(plan)
        }
        ["Postfix", "with", people @ ..] => {
            let mut plan = PostfixPlan {
                people: whole(people, &domains[0]),
                ..Default::default()
            };
            for line in own {
                at(line, postfix_line(&mut plan, line.text))?;
            }
            Kind::Postfix(plan)
        }
        ["sink"] => Kind::Sink(read_sink(25, &own)?),
        ["web", "server"] => Kind::Web(read_web(&own)),
        ["sink", "on", "port", port] => Kind::Sink(read_sink(number(port)?, &own)?),
        _ => {
            return Err(
                "`Hearthpost with PEOPLE`, `Postfix with PEOPLE`, `sink` or `web server` is expected".into(),
            );
        }
    };
    Ok(HostPlan {
        domains,
        addresses,
        kind,
        signs: !signing.is_empty(),
    })
}

/// `certificate FAULT`, and the lines of the policy.
fn read_web(own: &[&Block<'_>]) -> WebPlan {
    let mut plan = WebPlan::default();
    for line in own {
        match line.text.strip_prefix("certificate ") {
            Some(fault) => plan.fault = Some(fault.to_owned()),
            None => plan.policy.push(line.text.to_owned()),
        }
    }
    plan
}

/// Both families, for a host that does not say where it is.
fn usual_addresses(place: usize) -> Vec<IpAddr> {
    let last = 100 + u8::try_from(place).unwrap_or(u8::MAX - 100);
    vec![
        Ipv4Addr::new(203, 0, 113, last).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, u16::from(last)).into(),
    ]
}

fn hearthpost_line(plan: &mut HearthpostPlan, text: &str) -> Result<(), String> {
    if let Some(setting) = text.strip_prefix("set ") {
        plan.settings.push(read_setting(setting)?);
        return Ok(());
    }
    match words(text)?.as_slice() {
        ["listens", "everywhere"] => plan.everywhere = true,
        ["alias", address, "leads", "to", targets @ ..] if !targets.is_empty() => {
            plan.aliases.push(((*address).to_owned(), owned(targets)));
        }
        ["mail", "to", to, "goes", "through", host, "port", port, rest @ ..] => {
            let (rest, else_mx_after) = read_second_way(rest)?;
            let user = match rest {
                [] => None,
                ["as", user] => Some((*user).to_owned()),
                _ => return Err("`as USER` is expected".into()),
            };
            plan.routes.push(RoutePlan {
                to: (*to).to_owned(),
                host: (*host).to_owned(),
                port: number(port)?,
                user,
                else_mx_after,
            });
        }
        _ => return Err("this is not understood".into()),
    }
    Ok(())
}

/// Takes `after N attempts by MX` off the end.
fn read_second_way<'a, 'b>(words: &'a [&'b str]) -> Result<(&'a [&'b str], Option<u32>), String> {
    match words {
        [rest @ .., "after", count, "attempt" | "attempts", "by", "MX"] => Ok((rest, Some(number(count)?))),
        _ => Ok((words, None)),
    }
}

fn postfix_line(plan: &mut PostfixPlan, text: &str) -> Result<(), String> {
    match words(text)?.as_slice() {
        ["checks"] => plan.checks = true,
        ["goes", "by", "DANE"] => plan.dane = true,
        ["puts", address, "off"] => plan.put_off.push((*address).to_owned()),
        ["passes", address, "on", "to", target] => {
            plan.passed_on.push(((*address).to_owned(), (*target).to_owned()));
        }
        _ => return Err("this is not understood".into()),
    }
    Ok(())
}

fn read_sink(port: u16, below: &[&Block<'_>]) -> Result<SinkPlan, String> {
    let rules = below.iter().map(|line| at(line, read_rule(line.text)));
    Ok(SinkPlan {
        port,
        rules: rules.collect::<Result<_, _>>()?,
    })
}

fn whole(people: &[&str], domain: &str) -> Vec<String> {
    people
        .iter()
        .map(|name| {
            if name.contains('@') {
                (*name).to_owned()
            } else {
                format!("{name}@{domain}")
            }
        })
        .collect()
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(", ").map(read).collect()
}
