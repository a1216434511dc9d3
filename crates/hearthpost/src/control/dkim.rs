//! Requests about the keys that sign mail.

use serde::{Deserialize, Serialize};
use world::clock::UnixMs;

use super::{Answer, By};
use crate::dkim::{Entry, Stage, Unfulfilled, not_ours};
use crate::services::Services;

/// What can be asked of keys.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the command line documents the same fields
pub enum Request {
    /// All [`Shown`], or those of one domain.
    List { domain: Option<String> },
    /// Keys where none signs or may come to sign.
    Make { domain: String },
    /// Another pair.
    Rotate { domain: String },
    /// An end.
    Retire {
        domain: String,
        selector: Option<String>,
    },
    /// Without waiting for the record.
    SignNow {
        domain: String,
        selector: Option<String>,
    },
    /// Asks DNS now.
    Look { domain: String },
}

/// A key as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// whose mail it signs
    pub domain: String,
    /// where its record is published
    pub name: String,
    /// its selector
    pub selector: String,
    /// `rsa` or `ed25519`
    pub kind: String,
    /// `waiting`, `published`, `signing`, `retiring`, `removable`; `settings`: the settings name it, and it signs
    pub state: String,
    /// since when (RFC 3339)
    pub since: Option<String>,
    /// when its record was last seen in DNS (RFC 3339)
    pub seen: Option<String>,
    /// since when its record is missing or another one, while it signs (RFC 3339)
    pub lost: Option<String>,
    /// what the record must say
    pub record: String,
    /// the domain is ours, and none of its keys signs or may come to sign
    #[serde(default)]
    pub nothing_signs: bool,
}

/// Answers.
pub async fn answer(services: &Services, by: &By, request: Request) -> Answer {
    let keys = &services.keys;
    let (domain, done) = match request {
        Request::List { domain } => return list(services, domain.as_deref()).await,
        Request::Make { domain } => {
            if !keys.is_ours(&domain) {
                return Answer::Refused(not_ours(&domain));
            }
            keys.provide(Some(&domain), by).await;
            let silent = keys.silent().await;
            // An operator ended them once, and wishes them now.
            let done = match silent.iter().any(|one| one.eq_ignore_ascii_case(&domain)) {
                true => keys.rotate(&domain, by).await,
                false => Ok(()),
            };
            (domain, done)
        }
        Request::Rotate { domain } => {
            let done = keys.rotate(&domain, by).await;
            (domain, done)
        }
        Request::Retire { domain, selector } => {
            let done = keys.retire(&domain, selector.as_deref(), by).await;
            (domain, done)
        }
        Request::SignNow { domain, selector } => {
            let done = keys.sign_now(&domain, selector.as_deref(), by).await;
            (domain, done)
        }
        Request::Look { domain } => {
            let Some(live) = services.live.get() else {
                return Answer::Refused(
                    "no server runs, and it is the server that asks DNS. Start it first.".to_owned(),
                );
            };
            let done = keys.look_at(&domain, Some(&*live.dns), by).await;
            (domain, done)
        }
    };
    match done {
        Ok(()) => list(services, Some(&domain)).await,
        Err(Unfulfilled::Refused(text)) => Answer::Refused(text),
        Err(Unfulfilled::Failed(text)) => Answer::Failed(text),
    }
}

async fn list(services: &Services, domain: Option<&str>) -> Answer {
    let all = shown(services, domain).await;
    // Keys of a domain that is gone are still there while mail that they signed is on its way.
    match domain.filter(|domain| all.is_empty() && !services.keys.is_ours(domain)) {
        Some(domain) => Answer::Refused(not_ours(domain)),
        None => Answer::done(all),
    }
}

/// Every key, or those of a domain.
pub async fn shown(services: &Services, domain: Option<&str>) -> Vec<Shown> {
    let named = services.keys.named().into_iter().map(of_settings);
    let silent = services.keys.silent().await;
    let made = services.keys.all().await.into_iter().map(|entry| Shown {
        nothing_signs: silent.contains(&entry.domain),
        ..of_entry(entry)
    });
    named
        .chain(made)
        .filter(|one| domain.is_none_or(|domain| domain.eq_ignore_ascii_case(&one.domain)))
        .collect()
}

fn of_settings((domain, name, record): (String, String, String)) -> Shown {
    let selector = name.split("._domainkey.").next().unwrap_or_default().to_owned();
    let kind = if record.contains("k=ed25519") {
        "ed25519"
    } else {
        "rsa"
    };
    Shown {
        domain,
        selector,
        name,
        kind: kind.to_owned(),
        state: "settings".to_owned(),
        since: None,
        seen: None,
        lost: None,
        record,
        nothing_signs: false,
    }
}

fn of_entry(entry: Entry) -> Shown {
    let time = |ms: u64| UnixMs(ms).rfc3339();
    let (since_ms, lost_ms) = match entry.stage {
        Stage::Signing { since_ms, lost_ms } => (since_ms, lost_ms),
        Stage::Waiting { since_ms }
        | Stage::Published { since_ms }
        | Stage::Retiring { since_ms }
        | Stage::Removable { since_ms } => (since_ms, None),
    };
    Shown {
        name: entry.name(),
        domain: entry.domain,
        selector: entry.selector,
        kind: entry.kind.word().to_owned(),
        state: entry.stage.word().to_owned(),
        since: Some(time(since_ms)),
        seen: entry.seen_ms.map(time),
        lost: lost_ms.map(time),
        record: entry.record,
        nothing_signs: false,
    }
}
