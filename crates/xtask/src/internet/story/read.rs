//! From blocks to a story. Every error names its line.

use super::lines::{Block, blocks, words};
use super::{
    Bound, Check, Expectation, Family, HearthpostPlan, HostPlan, Kind, PostfixPlan, RoutePlan, Rule, Setting,
    SinkPlan, Slow, Step, Story, WebPlan, What,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use testkit::sink::Script;

impl Story {
    /// Reads a story.
    ///
    /// # Errors
    ///
    /// `line N: what is wrong: the line`; or the story expects nothing.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut story = Self::default();
        for block in blocks(text) {
            at(&block, story.block(&block))?;
        }
        if expects(&story.steps) {
            Ok(story)
        } else {
            Err("the story expects nothing, so it cannot fail".into())
        }
    }

    fn block(&mut self, block: &Block<'_>) -> Result<(), String> {
        let declares = ["zone:", "unsigned zone ", "host ", "names of "]
            .iter()
            .any(|word| block.text.starts_with(word));
        if declares && !self.steps.is_empty() {
            return Err("hosts and names stand before everything else".into());
        }
        if let Some(rest) = block.text.strip_prefix("names of ") {
            self.slow.push(read_slow(rest)?);
        } else if block.text == "zone:" {
            self.zone.extend(texts(&block.below));
        } else if let Some(name) = block.text.strip_prefix("unsigned zone ") {
            let name = name
                .strip_suffix(':')
                .ok_or("`unsigned zone NAME:` is expected")?;
            self.unsigned.push((name.to_owned(), texts(&block.below)));
        } else if let Some(rest) = block.text.strip_prefix("host ") {
            let host = read_host(rest, &block.below, self.hosts.len())?;
            if self.host(&host.domains[0]).is_some() {
                return Err("this host is there already".into());
            }
            self.hosts.push(host);
        } else {
            let step = self.step(block)?;
            self.steps.push(step);
        }
        Ok(())
    }

    /// The host that is named after this domain.
    pub fn host(&self, name: &str) -> Option<&HostPlan> {
        self.hosts.iter().find(|host| host.domains[0] == name)
    }

    /// The host where this person has a mailbox.
    pub fn home_of(&self, who: &str) -> Option<&HostPlan> {
        self.hosts.iter().find(|host| match &host.kind {
            Kind::Hearthpost(plan) => plan.people.iter().any(|known| known == who),
            Kind::Postfix(plan) => plan.people.iter().any(|known| known == who),
            Kind::Sink(_) | Kind::Web(_) => false,
        })
    }

    fn step(&self, block: &Block<'_>) -> Result<Step, String> {
        let what = match self.happens(block)? {
            Some(what) => what,
            None => self.expected(block)?,
        };
        let takes_lines = matches!(
            &what,
            What::Times { .. } | What::Expect { .. } | What::Give { .. } | What::PassOn { .. }
        );
        if !takes_lines && !block.below.is_empty() {
            return Err("nothing stands below this".into());
        }
        Ok(Step {
            line: block.line,
            what,
        })
    }

    /// What happens; `None` for everything else.
    fn happens(&self, block: &Block<'_>) -> Result<Option<What>, String> {
        if let Some((sink, rules)) = block.text.split_once(" from now on: ") {
            let rules: Result<Vec<Rule>, String> = rules.split("; ").map(read_rule).collect();
            return Ok(Some(What::Behave {
                sink: self.sink(sink)?,
                rules: rules?,
            }));
        }
        if let Some(what) = self.handed_over(block)? {
            return Ok(Some(what));
        }
        if let Some((host, setting)) = block.text.split_once(" reloads with ") {
            return Ok(Some(What::Set {
                host: self.hearthpost(host)?,
                setting: read_setting(setting)?,
            }));
        }
        let words = words(block.text)?;
        Ok(Some(match words.as_slice() {
            [from, "sends", count, "messages", subject, "to", domain] => What::SendMany {
                from: self.person(from)?,
                count: number(count)?,
                subject: quoted(subject)?,
                domain: (*domain).to_owned(),
            },
            [from, "sends", subject, "to", rest @ ..] => {
                let (rest, asking) = cut(rest, "asking");
                let (to, header) = cut(rest, "with");
                What::Send {
                    from: self.person(from)?,
                    to: owned(to),
                    subject: quoted(subject)?,
                    header: header
                        .iter()
                        .map(|field| read_field(field))
                        .collect::<Result<_, _>>()?,
                    asking: owned(asking),
                }
            }
            [host, "is", "killed", "and", "starts", "again"] => What::Kill {
                host: self.hearthpost(host)?,
            },
            [host, "is", "stopped"] => What::Stop {
                host: self.hearthpost(host)?,
            },
            [host, "starts", "again"] => What::Start {
                host: self.hearthpost(host)?,
            },
            [host, "tries", "everything", "again"] => What::TryAgain {
                host: self.hearthpost(host)?,
            },
            [host, "publishes", "its", "records"] => What::Publish {
                host: self.hearthpost(host)?,
            },
            [host, "makes", "other", "keys"] => What::Rotate {
                host: self.hearthpost(host)?,
            },
            [host, "signs", "with", "its", "new", "keys"] => What::SignNow {
                host: self.hearthpost(host)?,
            },
            [host, "is", "cut", "off", "from", "the", "name", "server"] => What::CutOffNames {
                host: self.hearthpost(host)?,
            },
            [host, "is", "cut", "off", "from", others @ .., "over", family] => {
                self.cut_off(host, others, Some(read_family(family)?))?
            }
            [host, "is", "cut", "off", "from", others @ ..] => self.cut_off(host, others, None)?,
            [host, "is", "reconnected"] => What::Reconnect {
                host: self.hearthpost(host)?,
            },
            [host, "puts", "nobody", "off", "any", "more"] => What::TakeFromNowOn {
                host: self.postfix(host)?,
            },
            [who, "has", "room", "for", size] => What::Room {
                who: self.reader(who)?,
                host: self
                    .home_of(who)
                    .map_or_else(String::new, |host| host.domains[0].clone()),
                size: (*size).to_owned(),
            },
            [sink, "behaves", "well", "from", "now", "on"] => What::Behave {
                sink: self.sink(sink)?,
                rules: Vec::new(),
            },
            [seconds, "s", "pass"] => What::Pass(secs(seconds)?),
            [count, "times:"] => What::Times {
                count: number(count)?,
                steps: block
                    .below
                    .iter()
                    .map(|inner| at(inner, self.step(inner)))
                    .collect::<Result<_, _>>()?,
            },
            [
                network,
                "opens",
                count,
                "connection" | "connections",
                "to",
                host,
                let_in,
                "is" | "are",
                "let",
                "in",
            ] => What::Knock {
                network: read_network(network)?,
                count: number(count)?,
                host: self.hearthpost(host.trim_end_matches(':'))?,
                let_in: number(let_in)?,
            },
            _ => return Ok(None),
        }))
    }

    fn expected(&self, block: &Block<'_>) -> Result<What, String> {
        let words = words(block.text)?;
        let (words, bound) = read_bound(&words)?;
        let what = self.expectation(words)?;
        let mut checks = Vec::new();
        for line in &block.below {
            checks.extend(at(line, read_checks(line.text, &what))?);
        }
        Ok(What::Expect { what, bound, checks })
    }

    fn expectation(&self, words: &[&str]) -> Result<Expectation, String> {
        let action = |word: &str| match word {
            "failed" | "delayed" | "relayed" | "delivered" => Ok(match word {
                "failed" => "failed",
                "delayed" => "delayed",
                "relayed" => "relayed",
                _ => "delivered",
            }),
            _ => Err("`failed`, `was delayed`, `was relayed` or `was delivered` is expected".to_owned()),
        };
        Ok(match words {
            [who, "receives", subject] => Expectation::Receives {
                who: self.person(who)?,
                subject: quoted(subject)?,
                mailbox: None,
            },
            [who, "receives", subject, "in", mailbox] => Expectation::Receives {
                who: self.reader(who)?,
                subject: quoted(subject)?,
                mailbox: Some((*mailbox).to_owned()),
            },
            [who, "gets", "a", "report", "that", about, "was", word]
            | [who, "gets", "a", "report", "that", about, word] => Expectation::Report {
                who: self.reader(who)?,
                about: (*about).to_owned(),
                action: action(word)?,
            },
            [who, "gets", "a", "report", "on", subject] => Expectation::ReportOn {
                who: self.reader(who)?,
                subject: quoted(subject)?,
            },
            [who, "has", "no", "report", "about", about] => Expectation::NoReport {
                who: self.reader(who)?,
                about: (*about).to_owned(),
            },
            ["nothing", "waits", "at", host] => Expectation::NothingWaits {
                host: self.hearthpost(host)?,
            },
            [who, "waits", "at", host] => Expectation::Waits {
                who: (*who).to_owned(),
                host: self.hearthpost(host)?,
            },
            [host, "tells", "of", about] => Expectation::Tells {
                host: self.hearthpost(host)?,
                about: (*about).to_owned(),
            },
            [host, "reports", "on", domain] => Expectation::Reports {
                host: self.hearthpost(host)?,
                domain: (*domain).to_owned(),
            },
            [sink, "takes", "at", "least", count, "message" | "messages"] => Expectation::Takes {
                sink: self.sink(sink)?,
                count: number(count)?,
                or_more: true,
            },
            [sink, "takes", count, "message" | "messages"] => Expectation::Takes {
                sink: self.sink(sink)?,
                count: number(count)?,
                or_more: false,
            },
            [sink, "has", "taken", count, "different", "messages"] => Expectation::Different {
                sink: self.sink(sink)?,
                count: number(count)?,
            },
            [sink, "has", "taken", "no", "message", "twice"] => Expectation::NothingTwice {
                sink: self.sink(sink)?,
            },
            [
                sink,
                "has",
                "taken",
                "at",
                "most",
                count,
                "message" | "messages",
                "of",
                "a",
                "connection",
                "twice",
            ] => Expectation::TwiceAtMost {
                sink: self.sink(sink)?,
                count: number(count)?,
            },
            [
                sink,
                "has",
                "had",
                "at",
                "most",
                count,
                "connections",
                "at",
                "a",
                "time",
            ] => Expectation::Connections {
                sink: self.sink(sink)?,
                count: number(count)?,
            },
            _ => return Err("this is not understood".into()),
        })
    }

    fn cut_off(&self, host: &str, others: &[&str], over: Option<Family>) -> Result<What, String> {
        Ok(What::CutOff {
            host: self.hearthpost(host)?,
            from: others
                .iter()
                .map(|other| self.any(other))
                .collect::<Result<_, _>>()?,
            over,
        })
    }

    fn person(&self, who: &str) -> Result<String, String> {
        match self.home_of(who) {
            Some(_) => Ok(who.to_owned()),
            None => Err(format!("nobody is called {who}")),
        }
    }

    /// A person who reads by IMAP.
    fn reader(&self, who: &str) -> Result<String, String> {
        match self.home_of(who).map(|host| &host.kind) {
            Some(Kind::Hearthpost(_)) => Ok(who.to_owned()),
            _ => Err(format!("no Hearthpost has somebody called {who}")),
        }
    }

    fn any(&self, name: &str) -> Result<String, String> {
        match self.host(name) {
            Some(_) => Ok(name.to_owned()),
            None => Err(format!("no host is called {name}")),
        }
    }

    fn of_kind(&self, name: &str, kind: &str, fits: impl Fn(&Kind) -> bool) -> Result<String, String> {
        match self.host(name).map(|host| &host.kind) {
            Some(found) if fits(found) => Ok(name.to_owned()),
            _ => Err(format!("no {kind} is called {name}")),
        }
    }

    fn hearthpost(&self, name: &str) -> Result<String, String> {
        self.of_kind(name, "Hearthpost", |kind| matches!(kind, Kind::Hearthpost(_)))
    }

    fn postfix(&self, name: &str) -> Result<String, String> {
        self.of_kind(name, "Postfix", |kind| matches!(kind, Kind::Postfix(_)))
    }

    pub(super) fn sink(&self, name: &str) -> Result<String, String> {
        self.of_kind(name, "sink", |kind| matches!(kind, Kind::Sink(_)))
    }
}

fn texts(blocks: &[Block<'_>]) -> Vec<String> {
    blocks.iter().map(|line| line.text.to_owned()).collect()
}

/// Whether anything can fail because of what the servers do.
fn expects(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.what {
        What::Expect { .. } | What::Knock { .. } | What::Give { .. } | What::PassOn { .. } => true,
        What::Times { steps, .. } => expects(steps),
        _ => false,
    })
}

/// An error with its line; an inner one has its own already.
fn at<T>(block: &Block<'_>, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|why| {
        if why.starts_with("line ") {
            why
        } else {
            format!("line {}: {why}: {}", block.line, block.text)
        }
    })
}

/// `a.test[, b.test] [at ADDRESS, …]: Hearthpost|Postfix|sink …`, after the word `host`.
fn read_host(text: &str, below: &[Block<'_>], place: usize) -> Result<HostPlan, String> {
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

/// `TABLE.KEY = VALUE`.
fn read_setting(text: &str) -> Result<Setting, String> {
    let parts = text
        .split_once(" = ")
        .and_then(|(name, value)| Some((name.rsplit_once('.')?, value)));
    let ((table, key), value) = parts.ok_or("`TABLE.KEY = VALUE` is expected")?;
    Ok((table.to_owned(), key.to_owned(), value.to_owned()))
}

/// `DOMAIN take N s`, after `names of`.
fn read_slow(text: &str) -> Result<Slow, String> {
    match words(text)?.as_slice() {
        [domain, "take", seconds, "s"] => Ok(Slow {
            domain: (*domain).to_owned(),
            takes: secs(seconds)?,
        }),
        _ => Err("`names of DOMAIN take N s` is expected".into()),
    }
}

/// A field of a header, in quotes.
fn read_field(word: &str) -> Result<String, String> {
    let field = quoted(word).ok().filter(|field| field.contains(": "));
    field.ok_or_else(|| "a field like \"Name: value\" is expected".to_owned())
}

/// The words in front of `word`, and those behind it and the word that follows it (`asking for`, `with header`).
fn cut<'a, 'b>(words: &'a [&'b str], word: &str) -> (&'a [&'b str], &'a [&'b str]) {
    match words.iter().position(|other| *other == word) {
        Some(at) => (&words[..at], words.get(at + 2..).unwrap_or_default()),
        None => (words, &[]),
    }
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

/// `[over IPv4: |over IPv6: ]RULE`, the rule as a sink's script has it.
fn read_rule(text: &str) -> Result<Rule, String> {
    let (family, text) = if let Some(rest) = text.strip_prefix("over IPv4: ") {
        (Some(Family::V4), rest)
    } else if let Some(rest) = text.strip_prefix("over IPv6: ") {
        (Some(Family::V6), rest)
    } else {
        (None, text)
    };
    Script::read(text).map_err(|why| why.trim_start_matches("line 1: ").to_owned())?;
    Ok(Rule {
        family,
        text: text.to_owned(),
    })
}

/// Takes the bound off the end: `within N s`, or `A to B s after sending`.
fn read_bound<'a, 'b>(words: &'a [&'b str]) -> Result<(&'a [&'b str], Bound), String> {
    Ok(match words {
        [rest @ .., from, "to", to, "s", "after", "sending"] => (
            rest,
            Bound::AfterSending {
                from: secs(from)?,
                to: secs(to)?,
            },
        ),
        [rest @ .., "within", seconds, "s"] => (rest, Bound::Within(secs(seconds)?)),
        _ => (words, Bound::Now),
    })
}

/// `has: LINE`, `lacks: LINE`, or for what a sink took several of `over IPv6, under TLS, from ADDRESS, …`.
fn read_checks(text: &str, what: &Expectation) -> Result<Vec<Check>, String> {
    let of_sink = matches!(what, Expectation::Takes { .. });
    let has_text = of_sink
        || matches!(
            what,
            Expectation::Receives { .. }
                | Expectation::Report { .. }
                | Expectation::ReportOn { .. }
                | Expectation::Waits { .. }
                | Expectation::Tells { .. }
                | Expectation::Reports { .. }
        );
    if !has_text {
        return Err("nothing stands below this expectation".into());
    }
    if let Some(pattern) = text.strip_prefix("has: ") {
        return Ok(vec![Check::Has(pattern.to_owned())]);
    }
    if let Some(pattern) = text.strip_prefix("lacks: ") {
        return Ok(vec![Check::Lacks(pattern.to_owned())]);
    }
    if !of_sink {
        return Err("`has: LINE` or `lacks: LINE` is expected".into());
    }
    text.split(", ").map(read_property).collect()
}

fn read_property(text: &str) -> Result<Check, String> {
    Ok(match words(text)?.as_slice() {
        ["over", family] => Check::Over(read_family(family)?),
        ["under", "TLS"] => Check::Tls(true),
        ["in", "the", "clear"] => Check::Tls(false),
        ["from", from] => Check::From(address(from)?),
        ["greeted", "as", name] => Check::Greeted((*name).to_owned()),
        ["signed", "in", "as", user] => Check::SignedIn((*user).to_owned()),
        _ => return Err("this is not understood".into()),
    })
}

fn read_family(word: &str) -> Result<Family, String> {
    match word {
        "IPv4" => Ok(Family::V4),
        "IPv6" => Ok(Family::V6),
        _ => Err("`IPv4` or `IPv6` is expected".into()),
    }
}

fn read_network(text: &str) -> Result<String, String> {
    let network = text
        .strip_suffix("::/64")
        .ok_or("a network like 2001:db8:113:7::/64 is expected")?;
    address(&format!("{network}::"))?;
    Ok(network.to_owned())
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

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text} is not an address"))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("a number is expected, not {text}"))
}

fn secs(text: &str) -> Result<Duration, String> {
    number(text).map(Duration::from_secs)
}

/// A word in quotes.
pub(super) fn quoted(word: &str) -> Result<String, String> {
    word.strip_prefix('"')
        .map(str::to_owned)
        .ok_or_else(|| "a subject in quotes is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: &str = "host a.test, c.test: Hearthpost with alice, we@c.test\n\
                        host p.test: Postfix with grey\n\
                        host s.test at 2001:db8:113::40: sink\n";

    fn with_cast(steps: &str) -> Result<Story, String> {
        Story::read(&format!("{CAST}{steps}"))
    }

    fn last(steps: &str) -> What {
        let mut story = with_cast(steps).unwrap();
        story.steps.pop().unwrap().what
    }

    #[test]
    fn hosts_have_domains_addresses_and_what_runs_there() {
        let text = "host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice\n  listens everywhere\n  set queue.give_up = \"20 s\"\n  \
                    alias x@a.test leads to y@b.test, z@b.test\n  mail to far.test goes through mx.g.test port 587 as joe\n\
                    \x20 mail to near.test goes through mx.g.test port 25, after 3 attempts by MX\n\
                    host p.test: Postfix with grey\n  checks\n  goes by DANE\n  puts grey@p.test off\n  signs\n  passes late@p.test on to gone@p.test\n\
                    host s.test: sink on port 587\n  over IPv6: connect: refuse\n  rcpt: reply 550 no\n\
                    zone:\n  x.test. MX 0 .\nunsigned zone y.test:\n  y.test. MX 1 mx.s.test.\nnames of s.test take 2 s\nnothing waits at a.test\n";
        let story = Story::read(text).unwrap();
        assert_eq!(story.zone, ["x.test. MX 0 ."]);
        assert_eq!(
            story.unsigned,
            [("y.test".to_owned(), vec!["y.test. MX 1 mx.s.test.".to_owned()])]
        );
        let takes = Duration::from_secs(2);
        assert_eq!(
            story.slow,
            [Slow {
                domain: "s.test".into(),
                takes
            }]
        );
        let [a, p, s] = &story.hosts[..] else { panic!() };
        assert_eq!(a.addresses.len(), 2);
        let Kind::Hearthpost(plan) = &a.kind else { panic!() };
        assert_eq!(
            (plan.everywhere, &plan.people[..]),
            (true, &["alice@a.test".to_owned()][..])
        );
        assert_eq!(plan.settings[0].2, "\"20 s\"");
        assert_eq!(plan.aliases[0].1, ["y@b.test", "z@b.test"]);
        assert_eq!(
            (plan.routes[0].port, plan.routes[0].user.as_deref()),
            (587, Some("joe"))
        );
        let second = &plan.routes[1];
        assert_eq!(
            (second.port, &second.user, second.else_mx_after),
            (25, &None, Some(3))
        );
        let Kind::Postfix(plan) = &p.kind else { panic!() };
        assert!(plan.checks && plan.dane && p.signs && !a.signs);
        assert_eq!(plan.put_off, ["grey@p.test"]);
        assert_eq!(plan.passed_on[0].1, "gone@p.test");
        let Kind::Sink(plan) = &s.kind else { panic!() };
        assert_eq!((plan.port, plan.rules[0].family), (587, Some(Family::V6)));
        assert_eq!(plan.rules[1].text, "rcpt: reply 550 no");
    }

    #[test]
    fn what_happens_is_read() {
        let from = || "alice@a.test".to_owned();
        let end = "nothing waits at a.test\n";
        let table: [(&str, What); 9] = [
            (
                "alice@a.test sends \"x\" to b@s.test with header \"A: b c\", \"D: e\"\n",
                What::Send {
                    from: from(),
                    to: vec!["b@s.test".into()],
                    subject: "x".into(),
                    header: vec!["A: b c".into(), "D: e".into()],
                    asking: vec![],
                },
            ),
            (
                "a.test reloads with mandatory_tls.domains = [\"s.test\"]\n",
                What::Set {
                    host: "a.test".into(),
                    setting: ("mandatory_tls".into(), "domains".into(), "[\"s.test\"]".into()),
                },
            ),
            (
                "alice@a.test sends \"x y\" to b@s.test, c@s.test asking for NOTIFY=SUCCESS RET=HDRS\n",
                What::Send {
                    from: from(),
                    to: vec!["b@s.test".into(), "c@s.test".into()],
                    subject: "x y".into(),
                    header: vec![],
                    asking: vec!["NOTIFY=SUCCESS".into(), "RET=HDRS".into()],
                },
            ),
            (
                "alice@a.test sends 40 messages \"x\" to s.test\n",
                What::SendMany {
                    from: from(),
                    domain: "s.test".into(),
                    subject: "x".into(),
                    count: 40,
                },
            ),
            (
                "a.test is cut off from s.test, p.test over IPv6\n",
                What::CutOff {
                    host: "a.test".into(),
                    from: vec!["s.test".into(), "p.test".into()],
                    over: Some(Family::V6),
                },
            ),
            ("10 s pass\n", What::Pass(Duration::from_secs(10))),
            (
                "alice@a.test has room for 5MiB\n",
                What::Room {
                    who: from(),
                    host: "a.test".into(),
                    size: "5MiB".into(),
                },
            ),
            (
                "s.test from now on: over IPv6: mail: close; quit: close\n",
                What::Behave {
                    sink: "s.test".into(),
                    rules: vec![
                        Rule {
                            family: Some(Family::V6),
                            text: "mail: close".into(),
                        },
                        Rule {
                            family: None,
                            text: "quit: close".into(),
                        },
                    ],
                },
            ),
            (
                "2001:db8:113:7::/64 opens 60 connections to a.test: 50 are let in\n",
                What::Knock {
                    network: "2001:db8:113:7".into(),
                    count: 60,
                    host: "a.test".into(),
                    let_in: 50,
                },
            ),
        ];
        for (text, expected) in table {
            let story = with_cast(&format!("{text}{end}")).unwrap();
            assert_eq!(story.steps[0].what, expected, "{text}");
        }
    }

    #[test]
    fn expectations_have_bounds_and_checks() {
        let What::Expect { what, bound, checks } = last(
            "s.test takes 1 message within 15 s\n  over IPv6, under TLS\n  greeted as mx.a.test\n  has: Subject: x, y\n",
        ) else {
            panic!()
        };
        assert!(matches!(what, Expectation::Takes { count: 1, .. }));
        assert_eq!(bound, Bound::Within(Duration::from_secs(15)));
        assert_eq!(
            checks,
            [
                Check::Over(Family::V6),
                Check::Tls(true),
                Check::Greeted("mx.a.test".into()),
                Check::Has("Subject: x, y".into())
            ]
        );
        let What::Expect { what, bound, .. } =
            last("we@c.test gets a report that x@s.test was delayed, 10 to 45 s after sending\n")
        else {
            panic!()
        };
        assert!(matches!(
            what,
            Expectation::Report {
                action: "delayed",
                ..
            }
        ));
        let [from, to] = [10, 45].map(Duration::from_secs);
        assert_eq!(bound, Bound::AfterSending { from, to });
        let What::Times { count: 3, steps } = last("3 times:\n  1 s pass\n  nothing waits at a.test\n")
        else {
            panic!()
        };
        assert_eq!(steps[1].line, 6);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, expected) in [
            ("sing\n", "line 4: this is not understood: sing"),
            (
                "bob@a.test sends \"x\" to y@s.test\n",
                "line 4: nobody is called bob@a.test",
            ),
            (
                "p.test tries everything again\n",
                "line 4: no Hearthpost is called p.test",
            ),
            (
                "s.test takes two messages\n",
                "line 4: a number is expected, not two",
            ),
            (
                "alice@a.test receives hello\n",
                "line 4: a subject in quotes is expected",
            ),
            (
                "nothing waits at a.test\n  has: x\n",
                "line 5: nothing stands below this expectation",
            ),
            ("1 s pass\n  has: x\n", "line 4: nothing stands below this"),
            ("s.test from now on: lunch: close\n", "line 4: no such stage"),
            (
                "alice@a.test receives \"x\"\n  over IPv6\n",
                "line 5: `has: LINE` or `lacks: LINE` is expected",
            ),
            (
                "grey@p.test has room for 5MiB\n",
                "line 4: no Hearthpost has somebody called grey@p.test",
            ),
            (
                "grey@p.test gets a report on \"x\"\n",
                "line 4: no Hearthpost has somebody called grey@p.test",
            ),
            ("2 times:\n  sing\n", "line 5: this is not understood: sing"),
            (
                "nothing waits at a.test\nhost b.test: sink\n",
                "line 5: hosts and names stand before everything else",
            ),
            (
                "nothing waits at a.test\nnames of s.test take 2 s\n",
                "line 5: hosts and names stand before everything else",
            ),
            (
                "names of s.test take a day\n",
                "line 4: `names of DOMAIN take N s`",
            ),
            (
                "a.test reloads with domains\n",
                "line 4: `TABLE.KEY = VALUE` is expected",
            ),
            (
                "alice@a.test sends \"x\" to y@s.test with header A: b\n",
                "line 4: a field like",
            ),
            ("host a.test: sink\n", "line 4: this host is there already"),
            (
                "host b.test at nowhere: sink\n",
                "line 4: nowhere is not an address",
            ),
            ("host b.test: Exim with bob\n", "line 4: `Hearthpost with PEOPLE`"),
            ("1 s pass\n", "the story expects nothing, so it cannot fail"),
        ] {
            let error = with_cast(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
