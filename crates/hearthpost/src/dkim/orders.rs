//! What an operator may wish of keys, and what goes on by itself when the settings say so: other keys, an end, signing at once.

use std::collections::{BTreeMap, BTreeSet};

use world::dns::Dns;

use super::Keys;
use super::entry::Entry;
use super::life::{Order, Stage};
use crate::control::history::By;
use crate::limits::DKIM_KEYS_OF_A_DOMAIN;

/// Why a wish was not fulfilled.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfulfilled {
    /// It makes no sense now; a sentence with the next step.
    Refused(String),
    /// The disk failed.
    Failed(String),
}

type Fulfilled = Result<(), Unfulfilled>;

impl Keys {
    /// Makes another pair for a domain; the old ones sign until the records of the new ones were seen.
    ///
    /// # Errors
    /// One still waits, there are too many, the domain is not ours or has keys of the settings, or the disk failed.
    pub async fn rotate(&self, domain: &str, by: &By) -> Fulfilled {
        let domain = self.own(domain)?;
        let mut state = self.state.lock().await;
        let of_it: Vec<&Entry> = state.iter().filter(|entry| entry.domain == domain).collect();
        let waits = |entry: &&&Entry| matches!(entry.stage, Stage::Waiting { .. } | Stage::Published { .. });
        if let Some(waiting) = of_it.iter().find(waits) {
            return refused(format!(
                "{} has not begun to sign yet. Publish its record (hearthpost dns records {domain}), or end it: hearthpost dkim retire \
                 {domain} --selector {}",
                waiting.name(),
                waiting.selector
            ));
        }
        if of_it.len() >= DKIM_KEYS_OF_A_DOMAIN {
            return refused(format!(
                "{domain} has {} keys already. Take the records that are removable out of DNS first: hearthpost dkim list {domain}",
                of_it.len()
            ));
        }
        self.make(&mut state, &[domain], by)
            .await
            .map_err(Unfulfilled::Failed)
    }

    /// Ends a key of a domain, or all that sign or are to sign. The records of those that signed stay for mail in flight.
    ///
    /// # Errors
    /// There is none, or the disk failed.
    pub async fn retire(&self, domain: &str, selector: Option<&str>, by: &By) -> Fulfilled {
        self.order(domain, selector, (Order::Retire, by)).await
    }

    /// Has keys of a domain sign whose records were not seen: one, or all that wait.
    ///
    /// # Errors
    /// There is none, or the disk failed.
    pub async fn sign_now(&self, domain: &str, selector: Option<&str>, by: &By) -> Fulfilled {
        self.own(domain)?;
        self.order(domain, selector, (Order::SignNow, by)).await
    }

    /// Asks DNS for all records of a domain now.
    ///
    /// # Errors
    /// There is no key whose record could be looked for, or the disk failed.
    pub async fn look_at(&self, domain: &str, dns: Option<&dyn Dns>, by: &By) -> Fulfilled {
        let known = self
            .state
            .lock()
            .await
            .iter()
            .any(|entry| entry.domain.eq_ignore_ascii_case(domain));
        if !known {
            return self.nothing_to_look_for(domain);
        }
        let whose = |entry: &Entry| entry.domain.eq_ignore_ascii_case(domain);
        self.look(dns, &whose, by).await.map_err(Unfulfilled::Failed)
    }

    fn nothing_to_look_for(&self, domain: &str) -> Fulfilled {
        if !self.is_ours(domain) {
            return refused(not_ours(domain));
        }
        if self.is_named(&domain.to_ascii_lowercase()) {
            return refused(format!(
                "the settings name the keys of {domain} (dkim.keys), which sign whatever DNS says. Whether their records are there: hearthpost dns \
                 check {domain}"
            ));
        }
        refused(format!(
            "{domain} has no keys. Make some: hearthpost dkim make {domain}"
        ))
    }

    /// Whether a domain is ours, however it is written.
    pub fn is_ours(&self, domain: &str) -> bool {
        let name = mail::address::Domain::parse(domain);
        name.is_ok_and(|name| self.directory.is_local_domain(&name))
    }

    async fn order(&self, domain: &str, selector: Option<&str>, (order, by): (Order, &By)) -> Fulfilled {
        let mut state = self.state.lock().await;
        let fits = |entry: &&Entry| {
            let may = match order {
                Order::Retire => entry.stage.needs_key(),
                Order::SignNow => {
                    let waits = matches!(entry.stage, Stage::Waiting { .. } | Stage::Published { .. });
                    waits && entry.key.is_some()
                }
            };
            let meant = selector.is_none_or(|selector| selector.eq_ignore_ascii_case(&entry.selector));
            may && meant && entry.domain.eq_ignore_ascii_case(domain)
        };
        let names: Vec<String> = state.iter().filter(fits).map(Entry::name).collect();
        let known = state
            .iter()
            .any(|entry| entry.domain.eq_ignore_ascii_case(domain));
        if !known && !self.is_ours(domain) {
            return refused(not_ours(domain));
        }
        if names.is_empty() {
            return refused(format!(
                "no key of {domain} fits. See all with: hearthpost dkim list {domain}"
            ));
        }
        for name in &names {
            let given = (Some((name.as_str(), order)), by);
            let done = self.advance(&mut state, &BTreeMap::new(), given).await;
            done.map_err(Unfulfilled::Failed)?;
        }
        Ok(())
    }

    /// Makes others for domains whose newest key is older than the settings want.
    pub(super) async fn rotate_old(&self, by: &By) -> Result<(), String> {
        let Some(every) = *self.rotate_every.lock() else {
            return Ok(());
        };
        let now_ms = self.queue.clock.now().0;
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let old: BTreeSet<String> = {
            let state = self.state.lock().await;
            let mut newest = BTreeMap::<String, u64>::new();
            // Where nothing signs, age is not the question: `provide` decides whether there are to be others.
            for entry in state.iter().filter(|entry| entry.is_of_use()) {
                let made = newest.entry(entry.domain.clone()).or_default();
                *made = (*made).max(entry.made_ms);
            }
            let old = |(_, made): &(String, u64)| now_ms >= made.saturating_add(every_ms);
            newest.into_iter().filter(old).map(|(domain, _)| domain).collect()
        };
        for domain in old {
            match self.rotate(&domain, by).await {
                // Its last pair still waits for somebody to publish it, or the domain is gone.
                Ok(()) | Err(Unfulfilled::Refused(_)) => {}
                Err(Unfulfilled::Failed(reason)) => return Err(reason),
            }
        }
        Ok(())
    }

    /// Its canonical name, when it is ours and we make its keys.
    fn own(&self, domain: &str) -> Result<String, Unfulfilled> {
        let name = mail::address::Domain::parse(domain)
            .ok()
            .filter(|name| self.directory.is_local_domain(name))
            .map(|name| name.as_str().to_owned());
        let Some(name) = name else {
            return refused(not_ours(domain));
        };
        if self.is_named(&name) {
            return Err(Unfulfilled::Refused(format!(
                "the settings name the keys of {name} (dkim.keys), so none are made here. Take them out there first, then: hearthpost reload"
            )));
        }
        Ok(name)
    }
}

/// What to do about a name that is not served here.
pub fn not_ours(domain: &str) -> String {
    format!("{domain} is no domain of ours. See all with: hearthpost domain list")
}

fn refused<T>(text: String) -> Result<T, Unfulfilled> {
    Err(Unfulfilled::Refused(text))
}
