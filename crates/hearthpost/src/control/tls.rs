//! Requests about the TLS of other domains: which must have it, what is known of them, what was seen.

use mail::address::Domain;
use mail::ids::ChangeId;
use msgauth::tls::book::{Book, NoEntry, Told, by_word};
use msgauth::tls::day::Day;
use msgauth::tls::dry_run::dry_run;
use msgauth::tls::list::learn::{Loss, Seen, Stage};
use msgauth::tls::list::{Entry, Power};
use msgauth::tls::rpt::document::{Reporter, document};
use msgauth::tls::rpt::record;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::{Batch, Op, Urgency};
use world::clock::UnixMs;
use world::dns::{Lookup, RecordType};

use super::Answer;
use super::history::{By, Record, Turn};
use crate::limits::{TLS_LIST_HOSTS, TLS_LISTED};
use crate::services::Services;

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Every domain that something is said about, by name: one [`Page`].
    List {
        /// behind this name; empty: from the start
        after: String,
    },
    /// All that is known of one: a [`OfDomain`].
    Show {
        /// its name
        domain: String,
    },
    /// It must have TLS: a [`OfDomain`].
    Require {
        /// its name
        domain: String,
        /// hosts that its MX records may name
        hosts: Vec<String>,
        /// any certificate will do
        any_certificate: bool,
    },
    /// It need not have TLS any more: a [`OfDomain`].
    Remove {
        /// its name
        domain: String,
    },
    /// What would have failed if all that is proposed had been required: a [`Trials`].
    DryRun {
        /// how many days, today included
        days: u32,
    },
    /// The report of one day about one domain, as RFC 8460 §4.4 has it.
    Report {
        /// whose
        domain: String,
        /// which day, `today` or `yesterday`; yesterday if none
        day: Option<String>,
    },
}

/// A part of the list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// the domains
    pub domains: Vec<OfDomain>,
    /// when the shipped list was put together
    pub shipped_list_of: String,
    /// whether a server runs; without one its settings are not known, and those by default are shown
    pub running: bool,
    /// go on behind this name
    pub next: Option<String>,
}

/// What is known of a domain.
#[derive(Debug, Serialize, Deserialize)]
pub struct OfDomain {
    /// its name
    pub domain: String,
    /// what was asked for was so already: nothing was changed, and the history has no entry
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// `require`, `warn`, `observe`, `exempt`, `nothing`
    pub stage: String,
    /// who says so: `operator`, `settings`, `shipped`, `learned`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// hosts that its MX records may name; none: any
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// any certificate will do
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_certificate: bool,
    /// when the operator said so (RFC 3339)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// which user of this machine that was
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// where the shipped list has it from
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// what was seen of its TLS
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Shown>,
    /// its MTA-STS policy
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mta_sts: Option<Policy>,
    /// why it has none, though it says so
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mta_sts_trouble: Option<String>,
    /// where it wants reports about TLS (asked of DNS for `show` alone)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants_reports_at: Vec<String>,
}

/// What was seen of a domain's TLS.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// the first day
    pub first: String,
    /// the last day
    pub last: String,
    /// since when it has always been good; nothing: it was not, the last time
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_since: Option<String>,
    /// days with good TLS since then
    pub good_days: u32,
    /// connections since then
    pub good_sessions: u64,
    /// hosts whose certificates verified, the first few
    pub hosts: Vec<String>,
    /// the last time it was not good
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Lost>,
}

/// A time without good TLS.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lost {
    /// which day
    pub day: String,
    /// at which host
    pub host: String,
    /// what, in words
    pub what: String,
    /// how far the domain had come: `new`, `observe`, `warn`, `require`
    pub stage: Stage,
    /// after so many good days
    pub after_days: u32,
}

/// An MTA-STS policy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Policy {
    /// `enforce`, `testing`, `none`
    pub mode: String,
    /// hosts that take its mail
    pub mx: Vec<String>,
    /// what its record calls it
    pub id: String,
    /// when it was fetched (RFC 3339)
    pub fetched: String,
    /// until when it counts (RFC 3339)
    pub until: String,
}

/// What a dry run came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trials {
    /// the first day
    pub from: String,
    /// the last day
    pub to: String,
    /// proposed domains that had connections
    pub domains: Vec<Trial>,
}

/// One domain of a dry run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trial {
    /// which
    pub domain: String,
    /// `observe` or `warn`
    pub stage: String,
    /// connections
    pub sessions: u64,
    /// of which would have failed
    pub would_fail: u64,
    /// why, and how often
    pub reasons: Vec<(String, u64)>,
}

/// Answers.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    let answered = match request {
        Request::List { after } => Ok(list(services, &after)),
        Request::Show { domain } => show(services, &domain).await,
        Request::Require {
            domain,
            hosts,
            any_certificate,
        } => require(services, by, &domain, (hosts, any_certificate)).await,
        Request::Remove { domain } => remove(services, by, &domain).await,
        Request::DryRun { days } => trials(services, days),
        Request::Report { domain, day } => report(services, &domain, day.as_deref()),
    };
    answered.unwrap_or_else(|refused| refused)
}

type Answered = Result<Answer, Answer>;

fn list(services: &Services, after: &str) -> Answer {
    let told = services.tls.all(after, TLS_LISTED);
    let next = (told.len() == TLS_LISTED).then(|| told.last().map(|told| told.domain.clone()));
    Answer::done(Page {
        domains: told.into_iter().map(of_told).collect(),
        shipped_list_of: services.tls.shipped_as_of().to_string(),
        running: services.live.get().is_some(),
        next: next.flatten(),
    })
}

async fn show(services: &Services, domain: &str) -> Answered {
    let domain = name(domain)?;
    let mut shown = of_told(services.tls.told(&domain));
    if let Some(live) = services.live.get() {
        let asked = format!("_smtp._tls.{domain}");
        if let Lookup::Answer { records, .. } = live.remote.dns.lookup(&asked, RecordType::Txt).await {
            shown.wants_reports_at = record::the_one(&records)
                .map(|found| found.uris)
                .unwrap_or_default();
        }
    }
    Ok(Answer::done(shown))
}

async fn require(
    services: &Services,
    by: &By,
    domain: &str,
    (hosts, any_certificate): (Vec<String>, bool),
) -> Answered {
    let domain = name(domain)?;
    if hosts.len() > TLS_LIST_HOSTS {
        return Err(Answer::Refused(format!(
            "at most {TLS_LIST_HOSTS} hosts can be named."
        )));
    }
    let hosts = hosts.iter().map(|host| pattern(host)).collect::<Result<_, _>>()?;
    let entry = Entry::Require {
        any_certificate,
        hosts,
    };
    let turn = Turn::of(services).await;
    note(&turn, services, by, &domain, (Some(entry), None)).await
}

async fn remove(services: &Services, by: &By, domain: &str) -> Answered {
    let domain = name(domain)?;
    let turn = Turn::of(services).await;
    let entry = services
        .tls
        .to_remove(&domain)
        .map_err(|why| refused(&domain, &why))?;
    note(&turn, services, by, &domain, (entry, None)).await
}

/// What the operator said of a domain, as the history has it.
pub fn state(services: &Services, domain: &str) -> Option<Value> {
    let noted = services.tls.told(domain).noted;
    noted.map(|noted| serde_json::to_value(noted.entry).unwrap_or_default())
}

/// Says of a domain again what was said before a change, `None`: nothing.
pub async fn restore(
    turn: &Turn<'_>,
    services: &Services,
    by: &By,
    (domain, before, undoes): (&str, Option<&Value>, ChangeId),
) -> Answer {
    let entry = before.map(|before| serde_json::from_value::<Entry>(before.clone()));
    let Ok(entry) = entry.transpose() else {
        return Answer::Refused(format!(
            "what was said of {domain} before cannot be read. See it with: hearthpost history --noun tls"
        ));
    };
    match note(turn, services, by, domain, (entry, Some(undoes))).await {
        Ok(Answer::Done(_)) => Answer::done(serde_json::json!({ "noun": "tls", "name": domain })),
        Ok(answer) | Err(answer) => answer,
    }
}

/// The history first: there is no change without its record, whenever the machine stops. What is so already is no change.
async fn note(
    _turn: &Turn<'_>,
    services: &Services,
    by: &By,
    domain: &str,
    (entry, undoes): (Option<Entry>, Option<ChangeId>),
) -> Answered {
    let book: &Book = &services.tls;
    if entry.is_some() && !book.has_room_for(domain) {
        return Err(refused(domain, &NoEntry::Full));
    }
    let before = book.told(domain).noted.map(|noted| noted.entry);
    if before == entry {
        return Ok(Answer::done(OfDomain {
            unchanged: true,
            ..of_told(book.told(domain))
        }));
    }
    let record = record(by, domain, (before.as_ref(), entry.as_ref()), undoes);
    let text = serde_json::to_string(&record).expect("plain values are always JSON");
    let batch = Batch {
        ops: vec![Op::Audit { text }],
        urgency: Urgency::Urgent,
    };
    let committed = services.store.commit(batch).await;
    committed
        .map_err(|error| Answer::Failed(error.to_string()))?
        .committed();
    let (tls, name, by) = (services.tls.clone(), domain.to_owned(), by.text().to_owned());
    let noted = tokio::task::spawn_blocking(move || tls.note(&name, entry, &by)).await;
    let noted =
        noted.map_err(|_| Answer::Failed("the list could not be written. Look at the log.".to_owned()))?;
    noted.map_err(|why| refused(domain, &why))?;
    Ok(Answer::done(of_told(book.told(domain))))
}

fn record(
    by: &By,
    domain: &str,
    (before, after): (Option<&Entry>, Option<&Entry>),
    undoes: Option<ChangeId>,
) -> Record {
    let text = |entry: &Entry| serde_json::to_value(entry).unwrap_or_default();
    Record {
        by: by.text().to_owned(),
        noun: "tls".to_owned(),
        verb: match (before, after) {
            (None, _) => "added",
            (Some(_), Some(_)) => "set",
            (Some(_), None) => "removed",
        }
        .to_owned(),
        name: domain.to_owned(),
        before: before.map(text),
        after: after.map(text),
        undoes: undoes.map(|id| id.to_string()),
        ..Record::default()
    }
}

fn refused(domain: &str, why: &NoEntry) -> Answer {
    Answer::Refused(match why {
        NoEntry::Full => {
            "the list is full. Remove domains that need not be on it: hearthpost tls list".to_owned()
        }
        NoEntry::InSettings => format!(
            "{domain} is required by the settings (mandatory_tls.domains). Take it out there, then: hearthpost reload"
        ),
        NoEntry::Nothing => {
            format!("nothing requires TLS of {domain}. What does of others: hearthpost tls list")
        }
        NoEntry::Disk(error) => {
            return Answer::Failed(format!(
                "the list cannot be written: {error}. Check the disk's free space and the directory's owner."
            ));
        }
    })
}

fn trials(services: &Services, days: u32) -> Answered {
    let found = dry_run(&services.tls, days).map_err(|error| unreadable(&error))?;
    let domains = found.domains.into_iter().map(|trial| Trial {
        domain: trial.domain,
        stage: trial.proposed.to_owned(),
        sessions: trial.sessions,
        would_fail: trial.would_fail,
        reasons: trial.reasons,
    });
    Ok(Answer::done(Trials {
        from: found.from.to_string(),
        to: found.to.to_string(),
        domains: domains.collect(),
    }))
}

fn report(services: &Services, domain: &str, day: Option<&str>) -> Answered {
    let domain = name(domain)?;
    let day = match day {
        None | Some("yesterday") => services.tls.today().before(1),
        Some("today") => services.tls.today(),
        Some(text) => Day::parse(text).ok_or_else(|| {
            Answer::Wrong(format!(
                "{text:?} is no day. Write it as 2026-11-26, or today or yesterday."
            ))
        })?,
    };
    let evidence = services.tls.evidence(day).map_err(|error| unreadable(&error))?;
    let organisation = services
        .live
        .get()
        .map_or_else(|| "localhost".to_owned(), |live| live.hostname.clone());
    let reporter = Reporter {
        contact: format!("postmaster@{organisation}"),
        organisation,
    };
    match document(&evidence, &domain, day, &reporter) {
        Some(report) => Ok(Answer::done(report)),
        None => Err(Answer::Refused(format!(
            "no connection to a server of {domain} on {day} is on record; they are kept for a month, by days in UTC."
        ))),
    }
}

fn unreadable(error: &std::io::Error) -> Answer {
    Answer::Failed(format!("what was seen cannot be read: {error}"))
}

fn name(text: &str) -> Result<String, Answer> {
    match Domain::parse(text) {
        Ok(domain) if domain.literal().is_none() => Ok(domain.as_str().to_owned()),
        _ => Err(Answer::Wrong(format!(
            "{text:?} is no domain. Write it as example.org."
        ))),
    }
}

fn pattern(text: &str) -> Result<String, Answer> {
    let (star, rest) = match text.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text),
    };
    let read = name(rest).map_err(|_| {
        Answer::Wrong(format!(
            "{text:?} names no host for --mx. Write it as mx.example.org, or as *.example.org for every host one label below example.org; without \
             --mx every host that the domain names will do."
        ))
    });
    Ok(format!("{star}{}", read?))
}

fn of_told(told: Told) -> OfDomain {
    let noted = told.noted;
    let (hosts, any_certificate) = match noted.as_ref().map(|noted| &noted.entry) {
        Some(Entry::Require {
            any_certificate,
            hosts,
        }) => (hosts.clone(), *any_certificate),
        _ => (Vec::new(), false),
    };
    let exempt = matches!(noted.as_ref().map(|noted| &noted.entry), Some(Entry::Exempt));
    let by_settings = noted.is_none() && told.in_settings;
    OfDomain {
        domain: told.domain,
        unchanged: false,
        stage: match told.verdict.map(|verdict| verdict.power) {
            Some(Power::Require) => "require",
            Some(Power::Warn) => "warn",
            Some(Power::Observe) => "observe",
            Some(Power::Off) | None if exempt => "exempt",
            Some(Power::Off) | None => "nothing",
        }
        .to_owned(),
        by: match told.verdict {
            Some(_) if by_settings => Some("settings".to_owned()),
            Some(verdict) => Some(by_word(verdict.by).to_owned()),
            None => exempt.then(|| "operator".to_owned()),
        },
        hosts,
        any_certificate,
        since: noted.as_ref().map(|noted| UnixMs(noted.at).rfc3339()),
        user: noted.map(|noted| noted.by),
        sources: told.sources,
        seen: told.seen.map(of_seen),
        mta_sts: told.sts.map(|kept| Policy {
            mode: kept.policy.mode.as_str().to_owned(),
            until: kept.until().rfc3339(),
            fetched: UnixMs(kept.fetched_at).rfc3339(),
            id: kept.id,
            mx: kept.policy.mx,
        }),
        mta_sts_trouble: told.trouble,
        wants_reports_at: Vec::new(),
    }
}

fn of_seen(seen: Seen) -> Shown {
    Shown {
        first: seen.first.to_string(),
        last: seen.last.to_string(),
        good_since: (seen.good_days > 0).then(|| seen.good_since.to_string()),
        good_days: seen.good_days,
        good_sessions: seen.good_sessions,
        hosts: seen.hosts,
        loss: seen.loss.map(
            |Loss {
                 day,
                 host,
                 what,
                 stage,
                 after_days,
             }| Lost {
                day: day.to_string(),
                host,
                what,
                stage,
                after_days,
            },
        ),
    }
}
