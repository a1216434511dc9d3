//! `check_host()` (RFC 7208 §4): the record, its terms in order, and where they lead.

use std::net::IpAddr;

use world::clock::BoxFuture;
use world::dns::{Record, RecordType};

use super::macros::{Known, MacroString, Place};
use super::record::{Directive, Mechanism, SpfRecord, Target, is_record, same_network};
use super::rule::Rule;
use super::{Question, SpfEvidence, SpfResult};
use crate::desk::{Desk, Reply};
use crate::evidence::printable;
use crate::limits::{SPF_EXCHANGERS, SPF_EXPLANATION_LETTERS, SPF_TERMS, SPF_VOIDS};
use crate::names;

/// Asks the domain of `question.sender` about the client.
pub async fn check(desk: &mut Desk<'_>, question: &Question<'_>) -> SpfEvidence {
    let mut question = question.clone();
    question.client = question.client.to_canonical();
    let mut check = Check {
        desk,
        question: &question,
        terms: 0,
        voids: 0,
        client_names: None,
    };
    let domain = question.sender.domain.clone();
    let ended = check
        .host(&domain)
        .await
        .unwrap_or_else(|stop| Ended::by(stop.0, stop.1));
    let explanation = match ended.explanation {
        Some((string, of)) if ended.result == SpfResult::Fail => check.explain(&string, &of).await,
        _ => None,
    };
    SpfEvidence {
        result: ended.result,
        domain: printable(domain.as_bytes()),
        identity: question.sender.identity,
        client: question.client,
        rule: ended.rule,
        explanation,
        asked: desk.take_asked(),
    }
}

struct Check<'c, 'd> {
    desk: &'c mut Desk<'d>,
    question: &'c Question<'c>,
    /// terms that asked DNS
    terms: usize,
    /// of them those that found nothing
    voids: usize,
    /// the client's validated names, once they were needed
    client_names: Option<Vec<String>>,
}

/// A way to end that no other term can change: temperror or permerror.
struct Stop(SpfResult, Rule);

/// How the evaluation of a record ended.
struct Ended {
    result: SpfResult,
    rule: Rule,
    /// what the record says of a fail, and whose record it is
    explanation: Option<(MacroString, String)>,
}

impl Ended {
    fn by(result: SpfResult, rule: Rule) -> Self {
        Self {
            result,
            rule,
            explanation: None,
        }
    }
}

fn permanent(rule: Rule) -> Stop {
    Stop(SpfResult::PermError, rule)
}

impl Check<'_, '_> {
    /// Evaluates the record of `domain`. Boxed, because `include` and `redirect` come back here; at most ten of them do.
    fn host<'s>(&'s mut self, domain: &'s str) -> BoxFuture<'s, Result<Ended, Stop>> {
        Box::pin(async move {
            if !names::is_qualified(domain) {
                return Ok(Ended::by(SpfResult::None, Rule::NotADomain));
            }
            let Some(record) = self.record(domain).await? else {
                return Ok(Ended::by(SpfResult::None, Rule::NoRecord));
            };
            for directive in &record.directives {
                if self.matches(directive, domain).await? {
                    return Ok(matched(&record, directive, domain));
                }
            }
            match &record.redirect {
                Some(target) => self.redirect(target, domain).await,
                None => Ok(Ended::by(
                    SpfResult::Neutral,
                    Rule::NothingMatched(domain.to_owned()),
                )),
            }
        })
    }

    /// §4.4, §4.5.
    async fn record(&mut self, domain: &str) -> Result<Option<SpfRecord>, Stop> {
        let texts = self.ask(domain, RecordType::Txt).await?;
        let mut records = texts.iter().filter_map(|record| match record {
            Record::Txt(text) if is_record(text) => Some(text),
            _ => None,
        });
        let Some(text) = records.next() else {
            return Ok(None);
        };
        if records.next().is_some() {
            return Err(permanent(Rule::SeveralRecords(domain.to_owned())));
        }
        SpfRecord::parse(text).map(Some).map_err(|term| {
            permanent(Rule::Unreadable {
                domain: domain.to_owned(),
                term,
            })
        })
    }

    async fn matches(&mut self, directive: &Directive, domain: &str) -> Result<bool, Stop> {
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(of, bits) => Ok(same_network(self.question.client, *of, *bits)),
            Mechanism::Include(target) => self.include(target, domain).await,
            Mechanism::A(target) => self.address(target, domain).await,
            Mechanism::Mx(target) => self.exchanger(target, domain).await,
            Mechanism::Ptr(target) => self.client_name_within(target.as_ref(), domain).await,
            Mechanism::Exists(target) => {
                self.term()?;
                let name = self.expand(target, domain).await?;
                Ok(!self.ask_term(&name, RecordType::A).await?.is_empty())
            }
        }
    }

    /// §5.2: its pass is a match, its lack of a record an error.
    async fn include(&mut self, target: &MacroString, domain: &str) -> Result<bool, Stop> {
        self.term()?;
        let name = self.expand(target, domain).await?;
        let ended = self.host(&name).await?;
        match ended.result {
            SpfResult::None => Err(permanent(Rule::LeadsNowhere(name))),
            result => Ok(result == SpfResult::Pass),
        }
    }

    /// §6.1: its result is ours, its explanation too.
    async fn redirect(&mut self, target: &MacroString, domain: &str) -> Result<Ended, Stop> {
        self.term()?;
        let name = self.expand(target, domain).await?;
        let ended = self.host(&name).await?;
        match ended.result {
            SpfResult::None => Err(permanent(Rule::LeadsNowhere(name))),
            _ => Ok(ended),
        }
    }

    /// §5.3
    async fn address(&mut self, target: &Target, domain: &str) -> Result<bool, Stop> {
        self.term()?;
        let name = self.target_name(target, domain).await?;
        let addresses = self.ask_term(&name, self.address_kind()).await?;
        Ok(self.is_among(&addresses, target))
    }

    /// §5.4. Exchangers without an address of the client's family are common, so they are not counted as void.
    async fn exchanger(&mut self, target: &Target, domain: &str) -> Result<bool, Stop> {
        self.term()?;
        let name = self.target_name(target, domain).await?;
        let exchangers = self.ask_term(&name, RecordType::Mx).await?;
        if exchangers.len() > SPF_EXCHANGERS {
            return Err(permanent(Rule::TooManyExchangers(name)));
        }
        for exchanger in &exchangers {
            let Record::Mx(_, host) = exchanger else { continue };
            let addresses = self.ask(host, self.address_kind()).await?;
            if self.is_among(&addresses, target) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// §5.5: errors are no match.
    async fn client_name_within(&mut self, target: Option<&MacroString>, domain: &str) -> Result<bool, Stop> {
        self.term()?;
        let name = match target {
            Some(target) => self.expand(target, domain).await?,
            None => domain.to_owned(),
        };
        let known = self.client_names().await;
        Ok(known.iter().any(|known| names::is_within(known, &name)))
    }

    async fn target_name(&mut self, target: &Target, domain: &str) -> Result<String, Stop> {
        match &target.domain {
            Some(string) => self.expand(string, domain).await,
            None => Ok(domain.to_owned()),
        }
    }

    async fn expand(&mut self, string: &MacroString, domain: &str) -> Result<String, Stop> {
        let client_name = self.client_name_for(string, domain).await;
        let known = Known {
            question: self.question,
            domain,
            client_name: client_name.as_deref(),
        };
        let too_long = || permanent(Rule::TooLong(domain.to_owned()));
        string.expand_domain(&known).ok_or_else(too_long)
    }

    /// §7.3, letter p: the domain itself, else a name below it, else any.
    async fn client_name_for(&mut self, string: &MacroString, domain: &str) -> Option<String> {
        if !string.needs_client_name() {
            return None;
        }
        let known = self.client_names().await;
        let exact = known.iter().find(|name| *name == domain);
        let below = || known.iter().find(|name| names::is_within(name, domain));
        exact.or_else(below).or_else(|| known.first()).cloned()
    }

    async fn client_names(&mut self) -> Vec<String> {
        if let Some(known) = &self.client_names {
            return known.clone();
        }
        let found = crate::iprev::validated_names(self.desk, self.question.client)
            .await
            .names;
        self.client_names = Some(found.clone());
        found
    }

    fn address_kind(&self) -> RecordType {
        match self.question.client {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::Aaaa,
        }
    }

    fn is_among(&self, addresses: &[Record], target: &Target) -> bool {
        let client = self.question.client;
        addresses.iter().any(|record| match record {
            Record::A(of) => same_network(client, (*of).into(), target.bits_four),
            Record::Aaaa(of) => same_network(client, (*of).into(), target.bits_six),
            _ => false,
        })
    }

    /// Counts a term that asks DNS (§4.6.4).
    fn term(&mut self) -> Result<(), Stop> {
        self.terms += 1;
        if self.terms > SPF_TERMS {
            return Err(permanent(Rule::TooManyTerms));
        }
        Ok(())
    }

    /// The question of a term: finding nothing is counted (§4.6.4).
    async fn ask_term(&mut self, name: &str, kind: RecordType) -> Result<Vec<Record>, Stop> {
        let records = self.ask(name, kind).await?;
        if records.is_empty() && names::can_be_asked(name) {
            self.voids += 1;
            if self.voids > SPF_VOIDS {
                return Err(permanent(Rule::TooManyVoids));
            }
        }
        Ok(records)
    }

    async fn ask(&mut self, name: &str, kind: RecordType) -> Result<Vec<Record>, Stop> {
        match self.desk.ask(name, kind).await {
            Reply::Records(records) => Ok(records),
            Reply::Absent(_) => Ok(Vec::new()),
            Reply::Failed(_) | Reply::Spent(_) => Err(Stop(
                SpfResult::TempError,
                Rule::NoAnswer {
                    name: name.to_owned(),
                    kind,
                },
            )),
        }
    }

    /// §6.2: what the domain says of its fail. Whatever goes wrong, it says nothing.
    async fn explain(&mut self, string: &MacroString, domain: &str) -> Option<String> {
        let name = self.expand(string, domain).await.ok()?;
        let Reply::Records(records) = self.desk.ask(&name, RecordType::Txt).await else {
            return None;
        };
        let [Record::Txt(text)] = records.as_slice() else {
            return None;
        };
        let string = MacroString::parse(text, Place::Explanation)?;
        let client_name = self.client_name_for(&string, domain).await;
        let known = Known {
            question: self.question,
            domain,
            client_name: client_name.as_deref(),
        };
        let plain = |text: &String| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let mut text = string.expand(&known).filter(plain)?;
        text.truncate(SPF_EXPLANATION_LETTERS);
        Some(text)
    }
}

fn matched(record: &SpfRecord, directive: &Directive, domain: &str) -> Ended {
    Ended {
        result: directive.result,
        rule: Rule::Matched {
            domain: domain.to_owned(),
            term: directive.text.clone(),
        },
        explanation: record
            .explanation
            .clone()
            .map(|string| (string, domain.to_owned())),
    }
}
