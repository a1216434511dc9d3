//! The sentences about mail that a sink's host hands over itself: forged, or passed on as a mailing list does.

use super::lines::{Block, words};
use super::{Letter, Outcome, Passing, Story, What};

impl Story {
    /// `SINK gives "SUBJECT" from ADDRESS to ADDRESSES: it is OUTCOME`, `SINK passes "SUBJECT" on …`; `None` for everything else.
    pub(super) fn handed_over(&self, block: &Block<'_>) -> Result<Option<What>, String> {
        let Some((sentence, outcome)) = block.text.rsplit_once(": it is ") else {
            return Ok(None);
        };
        let words = words(sentence)?;
        let (sink, verb, subject, from, to) = match words.as_slice() {
            [sink, "gives", subject, "from", from, "to", to @ ..] => (sink, "gives", subject, from, to),
            [sink, "passes", subject, "on", "from", from, "to", to @ ..] => {
                (sink, "passes", subject, from, to)
            }
            _ => return Ok(None),
        };
        let mut letter = Letter {
            from: if *from == "nobody" {
                String::new()
            } else {
                (*from).to_owned()
            },
            to: to.iter().map(|one| (*one).to_owned()).collect(),
            header: Vec::new(),
            text: None,
            outcome: read_outcome(outcome)?,
            answers: Vec::new(),
        };
        let mut passing = Passing::default();
        for line in &block.below {
            read_line(&mut letter, &mut passing, line.text, verb == "passes")
                .map_err(|why| format!("line {}: {why}: {}", line.line, line.text))?;
        }
        let (sink, host) = (self.sink(sink)?, self.host_of(&letter.to)?);
        let subject = super::read::quoted(subject)?;
        Ok(Some(match verb {
            "gives" => What::Give {
                sink,
                host,
                subject,
                letter,
            },
            _ => What::PassOn {
                sink,
                host,
                subject,
                letter,
                passing,
            },
        }))
    }

    /// The host that has the domain of all of them.
    fn host_of(&self, to: &[String]) -> Result<String, String> {
        let first = to.first().ok_or("a recipient is expected")?;
        let domain = first.rsplit('@').next().unwrap_or_default();
        let host = self
            .hosts
            .iter()
            .find(|host| host.domains.iter().any(|one| one == domain))
            .ok_or_else(|| format!("no host has {domain}"))?;
        Ok(host.domains[0].clone())
    }
}

fn read_outcome(text: &str) -> Result<Outcome, String> {
    Ok(match text {
        "taken" => Outcome::Taken,
        "put off" => Outcome::PutOff,
        "refused" => Outcome::Refused,
        _ => return Err("`it is taken`, `it is put off` or `it is refused` is expected".into()),
    })
}

fn read_line(letter: &mut Letter, passing: &mut Passing, text: &str, passes: bool) -> Result<(), String> {
    if let Some(pattern) = text.strip_prefix("answer: ") {
        letter.answers.push(pattern.to_owned());
    } else if let Some(body) = text.strip_prefix("text: ").filter(|_| !passes) {
        letter.text = Some(body.to_owned());
    } else if let Some(footer) = text.strip_prefix("adds: ").filter(|_| passes) {
        passing.footer = Some(footer.to_owned());
    } else if let Some(results) = text.strip_prefix("seals: ").filter(|_| passes) {
        passing.seals = Some(results.to_owned());
    } else if is_field(text) && !passes {
        letter.header.push(text.to_owned());
    } else {
        return Err("this is not understood".into());
    }
    Ok(())
}

/// Whether a line begins as a header field does; a space before the colon is a forger's.
fn is_field(text: &str) -> bool {
    let name = text.split_once(':').map_or("", |(name, _)| name.trim_end());
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: &str = "host a.test, c.test: Hearthpost with alice\nhost s.test: sink\n";

    fn read(steps: &str) -> Result<What, String> {
        let mut story = Story::read(&format!("{CAST}{steps}nothing waits at a.test\n"))?;
        Ok(story.steps.remove(0).what)
    }

    #[test]
    fn a_forged_letter_has_any_envelope_and_any_header() {
        let text = "s.test gives \"money\" from nobody to x@c.test, y@c.test: it is refused\n  From : a <b@c.test>\n  text: Pay.\n  answer: 550*\n";
        let What::Give {
            sink,
            host,
            subject,
            letter,
        } = read(text).unwrap()
        else {
            panic!()
        };
        assert_eq!(
            (&sink[..], &host[..], &subject[..]),
            ("s.test", "a.test", "money")
        );
        let wanted = Letter {
            from: String::new(),
            to: vec!["x@c.test".into(), "y@c.test".into()],
            header: vec!["From : a <b@c.test>".into()],
            text: Some("Pay.".into()),
            outcome: Outcome::Refused,
            answers: vec!["550*".into()],
        };
        assert_eq!(letter, wanted);
    }

    #[test]
    fn a_list_changes_and_seals() {
        let text = "s.test passes \"x\" on from l@s.test to alice@a.test: it is taken\n  adds: -- list\n  seals: dmarc=pass\n";
        let What::PassOn { passing, letter, .. } = read(text).unwrap() else {
            panic!()
        };
        assert_eq!(passing.footer.as_deref(), Some("-- list"));
        assert_eq!(passing.seals.as_deref(), Some("dmarc=pass"));
        assert_eq!((&letter.from[..], letter.outcome), ("l@s.test", Outcome::Taken));
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, expected) in [
            (
                "s.test gives \"x\" from a@b to alice@a.test: it is eaten\n",
                "line 3: `it is taken`",
            ),
            (
                "a.test gives \"x\" from a@b to alice@a.test: it is taken\n",
                "line 3: no sink",
            ),
            (
                "s.test gives \"x\" from a@b to x@b.test: it is taken\n",
                "line 3: no host has b.test",
            ),
            (
                "s.test gives \"x\" from a@b to alice@a.test: it is taken\n  yes\n",
                "line 4: this is not",
            ),
            (
                "s.test passes \"x\" on from a@b to alice@a.test: it is taken\n  text: y\n",
                "line 4: this is not",
            ),
        ] {
            let error = read(text).map(|_| ()).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
