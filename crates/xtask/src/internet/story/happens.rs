//! The sentences that say what happens.

use super::lines::{Block, words};
use super::read::{address, at, number, owned, quoted, read_family, read_rule, read_setting, secs};
use super::{Act, Family, Rule, Story, What};

impl Story {
    /// What happens; `None` for everything else.
    pub(super) fn happens(&self, block: &Block<'_>) -> Result<Option<What>, String> {
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
        if let [count, "times:"] = words.as_slice() {
            return self.times(count, &block.below).map(Some);
        }
        for sentences in [Self::sent, Self::done, Self::on_the_network] {
            if let Some(what) = sentences(self, &words)? {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    fn times(&self, count: &str, below: &[Block<'_>]) -> Result<What, String> {
        let steps = below.iter().map(|inner| at(inner, self.step(inner)));
        Ok(What::Times {
            count: number(count)?,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }

    /// Somebody sends something.
    fn sent(&self, words: &[&str]) -> Result<Option<What>, String> {
        Ok(Some(match words {
            [from, "sends", count, "messages", subject, "to", domain] => What::SendMany {
                from: self.person(from)?,
                count: number(count)?,
                subject: quoted(subject)?,
                domain: (*domain).to_owned(),
            },
            [from, "sends", subject, "to", rest @ ..] => {
                let (rest, asking) = cut(rest, "asking");
                let (to, header) = cut(rest, "with");
                let header = header.iter().map(|field| read_field(field));
                What::Send {
                    from: self.person(from)?,
                    to: owned(to),
                    subject: quoted(subject)?,
                    header: header.collect::<Result<_, _>>()?,
                    asking: owned(asking),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// Somebody does something to a host, or waits.
    fn done(&self, words: &[&str]) -> Result<Option<What>, String> {
        if let [host, rest @ ..] = words
            && let Some(act) = read_act(rest)
        {
            let host = self.hearthpost(host)?;
            return Ok(Some(What::Act { host, act }));
        }
        Ok(Some(match words {
            [host, "puts", "nobody", "off", "any", "more"] => What::TakeFromNowOn {
                host: self.postfix(host)?,
            },
            [sink, "behaves", "well", "from", "now", "on"] => What::Behave {
                sink: self.sink(sink)?,
                rules: Vec::new(),
            },
            [who, "has", "room", "for", size] => What::Room {
                who: self.reader(who)?,
                host: self
                    .home_of(who)
                    .map_or_else(String::new, |host| host.domains[0].clone()),
                size: (*size).to_owned(),
            },
            [seconds, "s", "pass"] => What::Pass(secs(seconds)?),
            _ => return Ok(None),
        }))
    }

    /// Packets are lost, or connections come.
    fn on_the_network(&self, words: &[&str]) -> Result<Option<What>, String> {
        Ok(Some(match words {
            [host, "is", "cut", "off", "from", others @ .., "over", family] => {
                self.cut_off(host, others, Some(read_family(family)?))?
            }
            [host, "is", "cut", "off", "from", others @ ..] => self.cut_off(host, others, None)?,
            [
                network,
                "opens",
                count,
                "connection" | "connections",
                "to",
                host,
                rest @ ..,
            ] => {
                let [let_in, "is" | "are", "let", "in"] = rest else {
                    return Ok(None);
                };
                What::Knock {
                    network: read_network(network)?,
                    count: number(count)?,
                    host: self.hearthpost(host.trim_end_matches(':'))?,
                    let_in: number(let_in)?,
                }
            }
            _ => return Ok(None),
        }))
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
}

/// What is done to a Hearthpost, after its name.
fn read_act(words: &[&str]) -> Option<Act> {
    Some(match words {
        ["is", "killed", "and", "starts", "again"] => Act::Kill,
        ["is", "stopped"] => Act::Stop,
        ["starts", "again"] => Act::Start,
        ["tries", "everything", "again"] => Act::TryAgain,
        ["publishes", "its", "records"] => Act::Publish,
        ["makes", "other", "keys"] => Act::Rotate,
        ["signs", "with", "its", "new", "keys"] => Act::SignNow,
        ["is", "cut", "off", "from", "the", "name", "server"] => Act::CutOffNames,
        ["is", "reconnected"] => Act::Reconnect,
        _ => return None,
    })
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

fn read_network(text: &str) -> Result<String, String> {
    let network = text
        .strip_suffix("::/64")
        .ok_or("a network like 2001:db8:113:7::/64 is expected")?;
    address(&format!("{network}::"))?;
    Ok(network.to_owned())
}
