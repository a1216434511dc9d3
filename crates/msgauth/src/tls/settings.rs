//! What the operator decides about the TLS of other domains, as plain values. The program fills them from its settings.

use super::list::Power;
use super::list::learn::Thresholds;

/// What the operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// whether policies of MTA-STS are looked for and honoured
    pub mta_sts: bool,
    /// the port of the web servers that serve them; 443 but in test networks
    pub mta_sts_port: u16,
    /// whether those may be at private and loopback addresses: for test networks only
    pub allow_private: bool,
    /// domains that must have TLS, lower case
    pub required: Vec<String>,
    /// how far the shipped list goes
    pub shipped: Power,
    /// how far learning goes, and how much it takes
    pub learning: Thresholds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mta_sts: true,
            mta_sts_port: 443,
            allow_private: false,
            required: Vec::new(),
            shipped: Power::Require,
            learning: Thresholds {
                most: Power::Warn,
                observe_days: 7,
                warn_days: 30,
                require_days: 90,
                sessions: 10,
            },
        }
    }
}
