//! The sentences that say what must be so, and the lines below them.

use super::lines::{Block, words};
use super::read::{address, at, number, quoted, read_family, secs};
use super::{Bound, Check, Expectation, Story, What};

impl Story {
    /// What must be so, by when, and of what message.
    pub(super) fn expected(&self, block: &Block<'_>) -> Result<What, String> {
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
        for sentences in [Self::of_a_person, Self::of_a_hearthpost, Self::of_a_sink] {
            if let Some(what) = sentences(self, words)? {
                return Ok(what);
            }
        }
        Err("this is not understood".into())
    }

    /// What is in somebody's mailbox.
    fn of_a_person(&self, words: &[&str]) -> Result<Option<Expectation>, String> {
        Ok(Some(match words {
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
            [who, "gets", "a", "report", "that", about, "was", action]
            | [who, "gets", "a", "report", "that", about, action] => Expectation::Report {
                who: self.reader(who)?,
                about: (*about).to_owned(),
                action: read_action(action)?,
            },
            [who, "gets", "a", "report", "on", subject] => Expectation::ReportOn {
                who: self.reader(who)?,
                subject: quoted(subject)?,
            },
            [who, "has", "no", "report", "about", about] => Expectation::NoReport {
                who: self.reader(who)?,
                about: (*about).to_owned(),
            },
            _ => return Ok(None),
        }))
    }

    /// What waits at a Hearthpost, and what it tells.
    fn of_a_hearthpost(&self, words: &[&str]) -> Result<Option<Expectation>, String> {
        Ok(Some(match words {
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
            _ => return Ok(None),
        }))
    }

    /// What a sink takes, or has taken and had.
    fn of_a_sink(&self, words: &[&str]) -> Result<Option<Expectation>, String> {
        Ok(Some(match words {
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
            [sink, "has", "taken", rest @ ..] => match rest {
                [count, "different", "messages"] => Expectation::Different {
                    sink: self.sink(sink)?,
                    count: number(count)?,
                },
                ["no", "message", "twice"] => Expectation::NothingTwice {
                    sink: self.sink(sink)?,
                },
                [
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
                _ => return Ok(None),
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
            _ => return Ok(None),
        }))
    }
}

/// What a report says was done (RFC 3464 §2.3.3).
fn read_action(word: &str) -> Result<&'static str, String> {
    ["failed", "delayed", "relayed", "delivered"]
        .into_iter()
        .find(|action| *action == word)
        .ok_or_else(|| "`failed`, `was delayed`, `was relayed` or `was delivered` is expected".to_owned())
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
