//! Requests about what is kept on disk.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::services::Services;

/// What can be asked of the store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Verifies every checksum, while the server goes on.
    Check,
}

/// What a check found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checked {
    /// bodies verified
    pub bodies: u64,
    /// rows verified
    pub rows: u64,
    /// what is damaged, by name; at most 1000
    pub damaged: Vec<String>,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Check = request;
    let embedded = services.embedded.clone();
    match tokio::task::spawn_blocking(move || embedded.upkeep().scrub()).await {
        Ok(Ok(found)) => Answer::done(Checked {
            bodies: found.bodies,
            rows: found.rows,
            damaged: found.damaged,
        }),
        Ok(Err(error)) => Answer::Failed(error.to_string()),
        Err(_) => Answer::Failed("the check stopped by a fault of ours. Look at the log.".to_owned()),
    }
}
