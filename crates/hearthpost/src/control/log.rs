//! What can be asked of the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Answer;
use crate::services::Services;

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Write what waits in memory, so that whoever reads the files sees everything up to now.
    Flush,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Flush = request;
    let events = Arc::clone(&services.events);
    match tokio::task::spawn_blocking(move || events.flush()).await {
        Ok(()) => Answer::Done(Value::Null),
        Err(_) => Answer::Failed("the log could not be written. Look at the disk.".to_owned()),
    }
}
