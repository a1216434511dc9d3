//! Our own field.
//!
//! ```text
//! authres-header = "Authentication-Results:" authserv-id *( ";" method "=" result [ reasonspec ] *( propspec ) )
//! ```

use crate::arc::ArcEvidence;
use crate::dkim::DkimReport;
use crate::dmarc::DmarcEvidence;
use crate::iprev::IprevEvidence;
use crate::names;
use crate::spf::{Identity, SpfEvidence};

/// What the field tells.
#[derive(Debug, Clone, Copy)]
pub struct Results<'a> {
    /// the envelope
    pub spf: &'a SpfEvidence,
    /// the signatures
    pub dkim: &'a DkimReport,
    /// the author
    pub dmarc: &'a DmarcEvidence,
    /// the sealed history
    pub arc: &'a ArcEvidence,
    /// the client
    pub iprev: &'a IprevEvidence,
}

/// The whole field with its line ends. `our_name` is our host name.
pub fn write(our_name: &str, results: &Results<'_>) -> Vec<u8> {
    let mut field = format!("Authentication-Results: {our_name}");
    for part in parts(results) {
        field.push_str(";\r\n ");
        field.push_str(&part);
    }
    field.push_str("\r\n");
    field.into_bytes()
}

fn parts(results: &Results<'_>) -> Vec<String> {
    let mut parts = vec![spf(results.spf)];
    if results.dkim.signatures.is_empty() {
        parts.push("dkim=none".to_owned());
    }
    for signature in &results.dkim.signatures {
        let domain = property("header.d", signature.domain.as_deref());
        let selector = property("header.s", signature.selector.as_deref());
        let algorithm = signature.algorithm.map(|algorithm| algorithm.word());
        let algorithm = property("header.a", algorithm);
        parts.push(format!("dkim={}{domain}{selector}{algorithm}", signature.result));
    }
    let policy = match &results.dmarc.applied {
        Some(applied) => format!(" ({}={})", applied.tag, applied.policy),
        None => String::new(),
    };
    let author = property("header.from", results.dmarc.author.domain());
    parts.push(format!("dmarc={}{policy}{author}", results.dmarc.result));
    parts.push(format!("arc={}", results.arc.result));
    let client = match results.iprev.client {
        std::net::IpAddr::V4(four) => four.to_string(),
        std::net::IpAddr::V6(six) => format!("\"{six}\""),
    };
    parts.push(format!("iprev={} policy.iprev={client}", results.iprev.result));
    parts
}

fn spf(evidence: &SpfEvidence) -> String {
    let name = match evidence.identity {
        Identity::MailFrom => "smtp.mailfrom",
        Identity::Hello => "smtp.helo",
    };
    format!(
        "spf={}{}",
        evidence.result,
        property(name, Some(&evidence.domain))
    )
}

/// Only a plain name is written; anything else is left out.
fn property(name: &str, value: Option<&str>) -> String {
    match value.filter(|value| names::is_plain(value)) {
        Some(value) => format!(" {name}={value}"),
        None => String::new(),
    }
}
