//! What the server knows of itself that stands in DNS: asked by `hearthpost dns`, which makes records of it and compares.

use serde::{Deserialize, Serialize};

use super::Answer;
use super::dkim::{self, Shown};
use crate::services::Services;

/// What can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// One [`Facts`].
    Facts {
        /// the domain
        domain: String,
    },
}

/// What is known here of a domain and of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// canonical
    pub domain: String,
    /// its keys
    pub keys: Vec<Shown>,
    /// of the running server; `None`: none runs, and the settings say
    pub server: Option<Server>,
}

/// What is known of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// its name
    pub hostname: String,
    /// doors by their names in settings, each with a port
    pub doors: Vec<(String, u16)>,
    /// hash of the served certificate's key, in hexadecimal digits
    pub tlsa: Option<String>,
    /// the same of the certificate that comes next
    pub next_tlsa: Option<String>,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Facts { domain } = request;
    let known = match services.directory.domain(&domain) {
        Ok(known) => known,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    Answer::done(Facts {
        keys: dkim::shown(services, Some(&known.name)).await,
        domain: known.name,
        server: services.live.get().map(|live| Server {
            hostname: live.hostname.clone(),
            doors: live
                .doors
                .iter()
                .map(|(name, at)| ((*name).to_owned(), at.port()))
                .collect(),
            tlsa: live.reload.tlsa().map(hex),
            next_tlsa: live.reload.next_tlsa().map(hex),
        }),
    })
}

/// As TLSA records are written.
pub fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}
