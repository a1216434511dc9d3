//! What the server is doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::contract::Admission;

use super::Answer;
use crate::services::Services;

/// What can be asked of the whole.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// One [`Status`].
    Show,
}

/// What the server is doing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// of the program that answers
    pub version: String,
    /// whether a server runs; false when the command line answers for a stopped one
    pub running: bool,
    /// its process
    pub pid: Option<u32>,
    /// seconds since its start
    pub uptime_s: Option<u64>,
    /// addresses of each open door
    pub doors: BTreeMap<String, Vec<String>>,
    /// open connections
    pub connections: u64,
    /// connections and jobs closed by a fault of ours since the start
    pub panics: u64,
    /// how many
    pub domains: u64,
    /// how many
    pub accounts: u64,
    /// whether mail waits in the queue
    pub queue_waits: bool,
    /// `open`, `users-only` (space is short: strangers wait), `deleting-only` (the disk is full)
    pub admission: String,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Show = request;
    let queue_waits = match services.store.waiting(None).await {
        Ok(rows) => !rows.is_empty(),
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let live = services.live.get();
    let mut doors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, address) in live.map(|live| live.doors.as_slice()).unwrap_or_default() {
        doors
            .entry((*name).to_owned())
            .or_default()
            .push(address.to_string());
    }
    Answer::done(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: live.is_some(),
        pid: live.map(|_| std::process::id()),
        uptime_s: live.map(|live| {
            services
                .clock
                .monotonic()
                .0
                .saturating_sub(live.started.0)
                .as_secs()
        }),
        doors,
        connections: live.map_or(0, |live| live.gate.open()),
        panics: live.map_or(0, |live| live.gate.panics()),
        domains: services.directory.domains().len() as u64,
        accounts: services.directory.count_accounts() as u64,
        queue_waits,
        admission: match services.store.admission() {
            Admission::Open => "open",
            Admission::UsersOnly => "users-only",
            Admission::DeletingOnly => "deleting-only",
        }
        .to_owned(),
    })
}
