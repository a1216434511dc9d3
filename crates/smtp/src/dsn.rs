//! What a sender asks for in reports on delivery (RFC 3461), the same on both sides: [`Ret`] and [`EnvId`] of MAIL,
//! [`Notify`] and [`OriginalRecipient`] of RCPT. Each value is checked when it is made, so that it can be written again.

use std::fmt;

use crate::limits::{ENVID_BYTES, ORCPT_BYTES};
use crate::xtext;

/// RET: how much of the message a failure report brings back (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// all of it
    Full,
    /// its header
    Headers,
}

impl Ret {
    /// Reads `FULL` or `HDRS`.
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers]
            .into_iter()
            .find(|ret| value.eq_ignore_ascii_case(ret.word()))
    }

    /// The word of the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

/// NOTIFY: when a report is sent (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// in no case
    Never,
    /// in these cases; none of them is the same as never
    On {
        /// when it was delivered
        success: bool,
        /// when it cannot be delivered
        failure: bool,
        /// when it takes long
        delay: bool,
    },
}

impl Notify {
    /// `NEVER / 1#( SUCCESS / FAILURE / DELAY )`: never stands alone.
    pub fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for word in value.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => success = true,
                "FAILURE" => failure = true,
                "DELAY" => delay = true,
                _ => return None,
            }
        }
        Some(Self::On {
            success,
            failure,
            delay,
        })
    }
}

impl fmt::Display for Notify {
    /// The value on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (success, failure, delay) = match *self {
            Self::Never => (false, false, false),
            Self::On {
                success,
                failure,
                delay,
            } => (success, failure, delay),
        };
        let words: Vec<&str> = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")]
            .into_iter()
            .filter_map(|(asked, word)| asked.then_some(word))
            .collect();
        if words.is_empty() {
            return f.write_str("NEVER");
        }
        f.write_str(&words.join(","))
    }
}

/// ENVID: the sender's own name of this sending (RFC 3461 §4.4). Visible ASCII and spaces, one to 100 octets when encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvId(String);

impl EnvId {
    /// Takes the decoded form. `None` when it may not be an ENVID.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let good = is_printable(&text) && xtext::encode(&text).len() <= ENVID_BYTES;
        good.then_some(Self(text))
    }

    /// Reads the value of the parameter.
    pub fn parse(value: &str) -> Option<Self> {
        Self::new(xtext::decode(value)?)
    }

    /// The decoded form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the parameter.
    pub fn to_xtext(&self) -> String {
        xtext::encode(&self.0)
    }
}

/// ORCPT: the recipient as the sender first wrote it (RFC 3461 §4.2, RFC 6533 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    kind: String,
    address: String,
}

impl OriginalRecipient {
    /// `kind` is the address type (`rfc822`, `utf-8`), `address` the decoded address. `None` when they may not be an ORCPT:
    /// an address is visible, without control characters, outside ASCII only for `utf-8`, at most 500 octets when encoded.
    pub fn new(kind: &str, address: impl Into<String>) -> Option<Self> {
        let (kind, address) = (kind.to_ascii_lowercase(), address.into());
        let kind_is_atom = !kind.is_empty()
            && kind
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let letters = if kind == "utf-8" {
            !address.is_empty() && !address.contains(char::is_control)
        } else {
            is_printable(&address)
        };
        let original = Self { kind, address };
        (kind_is_atom && letters && original.to_value().len() <= ORCPT_BYTES).then_some(original)
    }

    /// Reads the value of the parameter: `addr-type ";" xtext`.
    pub fn parse(value: &str) -> Option<Self> {
        let (kind, address) = value.split_once(';')?;
        let address = if kind.eq_ignore_ascii_case("utf-8") {
            // RFC 6533 §3: most write `\x{…}`; xtext of UTF-8 is seen too, and cannot be mistaken for it.
            xtext::decode_utf8_address(address).or_else(|| xtext::decode(address))?
        } else {
            xtext::decode(address)?
        };
        Self::new(kind, address)
    }

    /// The address type, in lower case.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The decoded address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The value of the parameter, in ASCII.
    pub fn to_value(&self) -> String {
        let address = if self.kind == "utf-8" {
            xtext::encode_utf8_address(&self.address)
        } else {
            xtext::encode(&self.address)
        };
        format!("{};{address}", self.kind)
    }
}

/// "printable (graphic and white space) US-ASCII characters" (RFC 3461 §4.2, §4.4), and something at all.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_is_never_alone_or_a_list() {
        let on = |success, failure, delay| {
            Some(Notify::On {
                success,
                failure,
                delay,
            })
        };
        let table: &[(&str, Option<Notify>, &str)] = &[
            ("NEVER", Some(Notify::Never), "NEVER"),
            ("never", Some(Notify::Never), "NEVER"),
            ("SUCCESS", on(true, false, false), "SUCCESS"),
            ("delay,failure", on(false, true, true), "FAILURE,DELAY"),
            (
                "SUCCESS,FAILURE,DELAY",
                on(true, true, true),
                "SUCCESS,FAILURE,DELAY",
            ),
            ("NEVER,SUCCESS", None, ""),
            ("SUCCESS,", None, ""),
            ("SUCCESS, DELAY", None, ""),
            ("ALWAYS", None, ""),
            ("", None, ""),
        ];
        for (value, want, written) in table {
            let got = Notify::parse(value);
            assert_eq!(got, *want, "{value:?}");
            if let Some(notify) = got {
                assert_eq!(notify.to_string(), *written);
            }
        }
    }

    #[test]
    fn envid_and_orcpt_are_held_to_their_letters_and_lengths() {
        let envids: &[(&str, Option<&str>)] = &[
            ("QQ314159", Some("QQ314159")),
            ("a+20b+3Dc", Some("a b=c")),
            ("a+0D+0AQUIT", None),
            ("+C3+BC", None),
            ("a+00", None),
            ("", None),
        ];
        for (value, want) in envids {
            assert_eq!(
                EnvId::parse(value).as_ref().map(EnvId::as_str),
                *want,
                "{value:?}"
            );
        }
        assert!(EnvId::new("x".repeat(100)).is_some());
        assert!(EnvId::new("x".repeat(101)).is_none());
        assert!(
            EnvId::new("=".repeat(34)).is_none(),
            "the limit is on the encoded form"
        );

        let orcpts: &[(&str, Option<(&str, &str)>)] = &[
            ("rfc822;a@example.org", Some(("rfc822", "a@example.org"))),
            ("RFC822;a+2Bb@example.org", Some(("rfc822", "a+b@example.org"))),
            (
                "utf-8;j\\x{FC}rgen@example.org",
                Some(("utf-8", "j\u{fc}rgen@example.org")),
            ),
            (
                "utf-8;j+C3+BCrgen@example.org",
                Some(("utf-8", "j\u{fc}rgen@example.org")),
            ),
            ("utf-8;a\\x{0A}b", None),
            ("rfc822;a+0Ab", None),
            ("rfc822;", None),
            (";a@example.org", None),
            ("rfc 822;a", None),
            ("a@example.org", None),
        ];
        for (value, want) in orcpts {
            let got = OriginalRecipient::parse(value);
            let got = got.as_ref().map(|orcpt| (orcpt.kind(), orcpt.address()));
            assert_eq!(got, *want, "{value:?}");
        }
        assert!(OriginalRecipient::new("rfc822", "x".repeat(493)).is_some());
        assert!(OriginalRecipient::new("rfc822", "x".repeat(494)).is_none());
    }
}
