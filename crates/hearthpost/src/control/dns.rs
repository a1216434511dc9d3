//! What the server knows of itself that stands in DNS: asked by `hearthpost dns`, which makes records of it and compares.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::dkim::{self, Shown};
use crate::dns::leaving::{self, Leaving};
use crate::services::{Live, Services};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// its name
    pub hostname: String,
    /// doors by their names in settings, each with a port
    pub doors: Vec<(String, u16)>,
    /// hash of the served certificate's key, in hexadecimal digits
    pub tlsa: Option<String>,
    /// the same of the certificate that comes next
    pub next_tlsa: Option<String>,
    /// the certificates that it shows, its own first: DER in base64
    #[serde(default)]
    pub chain: Vec<String>,
    /// addresses that the settings make mail leave from
    #[serde(default)]
    pub sources: Vec<IpAddr>,
    /// by whom else the domain's mail leaves
    #[serde(default)]
    pub leaving: Leaving,
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
        server: services.live.get().map(|live| of_live(live, &known.name)),
        domain: known.name,
    })
}

/// What the running server knows of itself, for a domain of its own.
pub fn of_live(live: &Live, domain: &str) -> Server {
    let delivery = live.remote.settings();
    Server {
        hostname: live.hostname.clone(),
        doors: live
            .doors
            .iter()
            .map(|(name, at)| ((*name).to_owned(), at.port()))
            .collect(),
        tlsa: live.reload.tlsa().map(hex),
        next_tlsa: live.reload.next_tlsa().map(hex),
        chain: live
            .reload
            .chain()
            .iter()
            .map(|one| STANDARD.encode(one))
            .collect(),
        sources: sources(&delivery),
        leaving: leaving::of(&delivery.routes, domain),
    }
}

/// What the settings bind connections to.
fn sources(delivery: &deliver::settings::Settings) -> Vec<IpAddr> {
    let four = delivery.v4.address.map(IpAddr::V4);
    let six = delivery.v6.address.map(IpAddr::V6);
    four.into_iter().chain(six).collect()
}

/// As TLSA records are written.
pub fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}
