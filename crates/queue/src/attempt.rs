//! What an attempt to deliver leaves behind: kept as JSON beside the recipient ([`store::contract::Attempt`]), told in order by
//! `hearthpost queue show` and `hearthpost trace`.
//!
//! Reading is tolerant: a missing field has its default, an unknown one is ignored.

use serde::{Deserialize, Serialize};

use crate::limits::{ATTEMPT_BYTES, ATTEMPT_REPLIES, ATTEMPT_TALKS, ATTEMPT_WORDS};

/// One attempt for one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptText {
    /// how it ended
    pub result: AttemptResult,
    /// the enhanced status code, `4.4.1`
    pub status: String,
    /// why, in words; empty when it was delivered
    pub reason: String,
    /// from its beginning to its end
    pub duration_ms: u64,
    /// the hosts that were asked, in order; empty when there was none to ask
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub talks: Vec<Talk>,
    /// the reply that decided, if a server's did
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decisive>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptResult {
    /// the other server answers for it
    Delivered,
    /// it is tried again
    #[default]
    Later,
    /// it was given up
    Failed,
    /// an operator removed it
    Purged,
}

/// A conversation with one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Talk {
    /// when it began, in milliseconds since 1970
    pub at_unix_ms: u64,
    /// the host's name
    pub host: String,
    /// its address, with the port
    pub address: String,
    /// our address; empty when no connection was made
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// whether the connection was open already, from another message
    #[serde(skip_serializing_if = "is_false")]
    pub reused: bool,
    /// what of TLS was asked for and why, in words; empty where nobody asked for more than what is offered
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// TLS, if there was
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsText>,
    /// what it replied, in order
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Replied>,
    /// what went wrong, in words; empty when all went well
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trouble: String,
    /// how long it took
    pub duration_ms: u64,
}

/// What TLS agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsText {
    /// `TLSv1.3`
    pub version: String,
    /// the cipher suite's IANA name
    pub cipher: String,
    /// whether the certificate verifies for the host's name
    pub verified: bool,
    /// whether the certificate fits a TLSA record (DANE); it is not held against any where that is not asked for
    #[serde(skip_serializing_if = "is_false")]
    pub dane: bool,
    /// why it does not verify
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unverified_because: String,
}

/// One reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replied {
    /// to what: `banner`, `hello`, `starttls`, `auth`, `mail`, `rcpt`, `data`, `final`
    pub stage: String,
    /// three digits and text, on one line
    pub reply: String,
}

/// The reply that decided a recipient's fate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisive {
    /// who said it
    pub host: String,
    /// to what; the words of [`Replied::stage`]
    pub stage: String,
    /// three digits
    pub code: u16,
    /// the lines behind the code, enhanced code included
    pub lines: Vec<String>,
}

impl AttemptText {
    /// From a row ([`store::contract::AttemptRow::text`]).
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// For a row. One that hostile servers made large is cut: the first and the last conversations stay, with their last words.
    pub fn json(&self) -> String {
        let text = |attempt: &Self| serde_json::to_string(attempt).expect("plain values are always JSON");
        let whole = text(self);
        if whole.len() <= ATTEMPT_BYTES {
            return whole;
        }
        let mut small = self.clone();
        if small.talks.len() > ATTEMPT_TALKS {
            small.talks.drain(1..=small.talks.len() - ATTEMPT_TALKS);
        }
        for talk in &mut small.talks {
            let early = talk.replies.len().saturating_sub(ATTEMPT_REPLIES);
            talk.replies.drain(..early);
            let words = talk.replies.iter_mut().map(|replied| &mut replied.reply);
            words.chain([&mut talk.trouble]).for_each(cut);
        }
        if let Some(decisive) = &mut small.decided_by {
            decisive.lines.truncate(ATTEMPT_REPLIES);
            decisive.lines.iter_mut().for_each(cut);
        }
        text(&small)
    }
}

fn cut(text: &mut String) {
    let end = text
        .char_indices()
        .nth(ATTEMPT_WORDS)
        .map_or(text.len(), |(at, _)| at);
    text.truncate(end);
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_7_what_hostile_servers_say_makes_no_large_record() {
        let talk = |number: usize| Talk {
            host: format!("mx{number}.example"),
            replies: vec![
                Replied {
                    stage: "mail".to_owned(),
                    reply: "\u{1F4A3}".repeat(400),
                };
                16
            ],
            trouble: "x".repeat(1000),
            ..Talk::default()
        };
        let attempt = AttemptText {
            talks: (0..80).map(talk).collect(),
            decided_by: Some(Decisive {
                lines: vec!["\u{fffd}".repeat(1000); 20],
                ..Decisive::default()
            }),
            ..AttemptText::default()
        };
        let json = attempt.json();
        assert!(json.len() < 64 * 1024, "{}", json.len());
        let kept: Vec<String> = AttemptText::read(&json)
            .talks
            .into_iter()
            .map(|talk| talk.host)
            .collect();
        assert_eq!(
            (kept[0].as_str(), kept[5].as_str(), kept.len()),
            ("mx0.example", "mx79.example", 6)
        );
    }

    #[test]
    fn an_attempt_comes_back_and_another_version_s_is_read() {
        let attempt = AttemptText {
            result: AttemptResult::Failed,
            status: "5.1.1".to_owned(),
            reason: "mx.example said no".to_owned(),
            duration_ms: 7,
            talks: vec![Talk {
                host: "mx.example".to_owned(),
                tls: Some(TlsText::default()),
                replies: vec![Replied {
                    stage: "rcpt".to_owned(),
                    reply: "550 5.1.1 no".to_owned(),
                }],
                ..Talk::default()
            }],
            decided_by: Some(Decisive::default()),
        };
        assert_eq!(AttemptText::read(&attempt.json()), attempt);
        assert_eq!(AttemptText::read(r#"{"moon":"full"}"#), AttemptText::default());
        assert_eq!(AttemptText::read("not json"), AttemptText::default());
    }
}
