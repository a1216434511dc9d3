//! From blocks to a story. Every error names its line. The sentences are in `cast`, `happens`, `letters` and `expects`.

use super::cast::read_host;
use super::lines::{Block, blocks, words};
use super::{Family, HostPlan, Kind, Rule, Setting, Slow, Step, Story, What};
use std::net::IpAddr;
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

    pub(super) fn step(&self, block: &Block<'_>) -> Result<Step, String> {
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

    pub(super) fn person(&self, who: &str) -> Result<String, String> {
        match self.home_of(who) {
            Some(_) => Ok(who.to_owned()),
            None => Err(format!("nobody is called {who}")),
        }
    }

    /// A person who reads by IMAP.
    pub(super) fn reader(&self, who: &str) -> Result<String, String> {
        match self.home_of(who).map(|host| &host.kind) {
            Some(Kind::Hearthpost(_)) => Ok(who.to_owned()),
            _ => Err(format!("no Hearthpost has somebody called {who}")),
        }
    }

    pub(super) fn any(&self, name: &str) -> Result<String, String> {
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

    pub(super) fn hearthpost(&self, name: &str) -> Result<String, String> {
        self.of_kind(name, "Hearthpost", |kind| matches!(kind, Kind::Hearthpost(_)))
    }

    pub(super) fn postfix(&self, name: &str) -> Result<String, String> {
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
pub(super) fn at<T>(block: &Block<'_>, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|why| {
        if why.starts_with("line ") {
            why
        } else {
            format!("line {}: {why}: {}", block.line, block.text)
        }
    })
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

/// `TABLE.KEY = VALUE`.
pub(super) fn read_setting(text: &str) -> Result<Setting, String> {
    let parts = text
        .split_once(" = ")
        .and_then(|(name, value)| Some((name.rsplit_once('.')?, value)));
    let ((table, key), value) = parts.ok_or("`TABLE.KEY = VALUE` is expected")?;
    Ok((table.to_owned(), key.to_owned(), value.to_owned()))
}

/// `[over IPv4: |over IPv6: ]RULE`, the rule as a sink's script has it.
pub(super) fn read_rule(text: &str) -> Result<Rule, String> {
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

pub(super) fn read_family(word: &str) -> Result<Family, String> {
    match word {
        "IPv4" => Ok(Family::V4),
        "IPv6" => Ok(Family::V6),
        _ => Err("`IPv4` or `IPv6` is expected".into()),
    }
}

pub(super) fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text} is not an address"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("a number is expected, not {text}"))
}

pub(super) fn secs(text: &str) -> Result<Duration, String> {
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
    use super::super::{Bound, Check, Expectation};
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
