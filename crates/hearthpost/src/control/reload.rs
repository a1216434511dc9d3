//! What can be asked of the settings.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::reload::Kept;
use crate::services::Services;

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Read them again. The answer is a [`crate::reload::Report`].
    Reload,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Reload = request;
    let Some(live) = services.live.get() else {
        return Answer::Refused(
            "the server is stopped: it reads its settings when it starts. Check them with: hearthpost config check"
                .to_owned(),
        );
    };
    match live.reload.run(services).await {
        Ok(report) => Answer::done(report),
        Err(Kept::Settings(text)) => Answer::Wrong(text),
        Err(Kept::Store(text)) => Answer::Failed(text),
    }
}
