//! The policy that a domain serves over HTTPS (RFC 8461 §3.2). Pure.
//!
//! ```text
//! sts-policy-record = sts-policy-field *WSP *(sts-policy-term sts-policy-field *WSP) [sts-policy-term]
//! sts-policy-field  = version / mode / mx / max_age / extension     ; each NAME *WSP ":" *WSP VALUE
//! mode   = %s"testing" / %s"enforce" / %s"none"        mx = ["*."] Domain        max_age = 1*10(DIGIT)
//! sts-policy-term   = LF / CRLF
//! ```

use serde::{Deserialize, Serialize};

use crate::limits::{STS_MAX_AGE_S, STS_POLICY_BYTES, STS_POLICY_HOSTS};
use crate::names;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsPolicy {
    /// what is asked of senders
    pub mode: StsMode,
    /// which hosts take the domain's mail; lower case, `*.` in front stands for one label. Empty with [`StsMode::None`] only.
    pub mx: Vec<String>,
    /// how long it counts after it was fetched, in seconds; at most [`STS_MAX_AGE_S`]
    pub max_age_s: u64,
}

/// What a policy asks of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StsMode {
    /// a host that does not fit, or has no certificate for its name, gets no mail
    Enforce,
    /// mail goes on as before; what would have failed is evidence
    Testing,
    /// the domain gives its policy up
    None,
}

impl StsMode {
    /// Its word in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// Why a text is no policy. The words go to the operator and into reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPolicy {
    /// more octets than are read
    TooLong,
    /// a line that is no field
    Line,
    /// no `version: STSv1`
    Version,
    /// no mode, or one that nobody knows
    Mode,
    /// no `max_age`, or one that is no number
    MaxAge,
    /// an `mx` that is no host name, none at all, or too many
    Mx,
}

impl BadPolicy {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "the policy is longer than 64 KiB",
            Self::Line => "a line of the policy is no field",
            Self::Version => "the policy does not say \"version: STSv1\"",
            Self::Mode => "the policy has no mode that we know",
            Self::MaxAge => "the policy has no max_age in seconds",
            Self::Mx => "the policy names no mail servers, or not as host names",
        }
    }
}

impl StsPolicy {
    /// Reads a policy. Of a field that stands twice the first counts (but every `mx`); fields that nobody knows are left alone.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, BadPolicy> {
        if text.len() > STS_POLICY_BYTES {
            return Err(BadPolicy::TooLong);
        }
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // Not in the grammar, but written by hand often enough.
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (name, value) = super::super::text::pair(line, b':').ok_or(BadPolicy::Line)?;
            match name {
                b"version" => first(&mut version, value),
                b"mode" => first(&mut mode, value),
                b"max_age" => first(&mut max_age, value),
                b"mx" => add_host(&mut mx, value)?,
                _ => {}
            }
        }
        if version != Some(b"STSv1") {
            return Err(BadPolicy::Version);
        }
        let mode = read_mode(mode.ok_or(BadPolicy::Mode)?)?;
        if mx.is_empty() && mode != StsMode::None {
            return Err(BadPolicy::Mx);
        }
        Ok(Self {
            mode,
            mx,
            max_age_s: read_age(max_age.ok_or(BadPolicy::MaxAge)?)?,
        })
    }

    /// Whether mail for the domain may go to `host` (RFC 8461 §4.1). Upper case and a last dot do not matter.
    pub fn covers(&self, host: &str) -> bool {
        self.mx.iter().any(|pattern| names::fits(pattern, host))
    }

    /// Its lines, as reports repeat them (RFC 8460 §4.4 `policy-string`).
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            "version: STSv1".to_owned(),
            format!("mode: {}", self.mode.as_str()),
        ];
        lines.extend(self.mx.iter().map(|pattern| format!("mx: {pattern}")));
        lines.push(format!("max_age: {}", self.max_age_s));
        lines
    }
}

fn first<'a>(kept: &mut Option<&'a [u8]>, value: &'a [u8]) {
    kept.get_or_insert(value);
}

fn read_mode(value: &[u8]) -> Result<StsMode, BadPolicy> {
    match value {
        b"enforce" => Ok(StsMode::Enforce),
        b"testing" => Ok(StsMode::Testing),
        b"none" => Ok(StsMode::None),
        _ => Err(BadPolicy::Mode),
    }
}

/// One to ten digits. What is above the limit of RFC 8461 §3.2 counts as the limit.
fn read_age(value: &[u8]) -> Result<u64, BadPolicy> {
    if value.is_empty() || value.len() > 10 || !value.iter().all(u8::is_ascii_digit) {
        return Err(BadPolicy::MaxAge);
    }
    let seconds = value
        .iter()
        .fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    Ok(seconds.min(STS_MAX_AGE_S))
}

fn add_host(hosts: &mut Vec<String>, value: &[u8]) -> Result<(), BadPolicy> {
    let text = std::str::from_utf8(value).map_err(|_| BadPolicy::Mx)?;
    let pattern = names::canonical(text);
    let name = pattern.strip_prefix("*.").unwrap_or(&pattern);
    if !names::is_plain(name) || hosts.len() == STS_POLICY_HOSTS {
        return Err(BadPolicy::Mx);
    }
    if !hosts.contains(&pattern) {
        hosts.push(pattern);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";

    fn read(text: &str) -> Result<StsPolicy, BadPolicy> {
        StsPolicy::parse(text.as_bytes())
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        // RFC 8461 §3.2.
        let policy = read(GOOD).unwrap();
        assert_eq!(policy.mode, StsMode::Enforce);
        assert_eq!(
            policy.mx,
            ["mail.example.com", "*.example.net", "backupmx.example.com"]
        );
        assert_eq!(policy.max_age_s, 604_800);
        assert_eq!(read(&policy.lines().join("\n")), Ok(policy));
    }

    #[test]
    fn tls_5_what_is_no_policy_is_none() {
        let many: String = (0..=STS_POLICY_HOSTS)
            .map(|n| format!("mx: a{n}.example\n"))
            .collect();
        let many = format!("version: STSv1\nmode: enforce\nmax_age: 1\n{many}");
        let long = format!("{GOOD}x: {}", "y".repeat(STS_POLICY_BYTES));
        for (text, why) in [
            ("", BadPolicy::Version),
            ("<html>\n</html>", BadPolicy::Line),
            ("mode: enforce\nmx: a.example\nmax_age: 1", BadPolicy::Version),
            (
                "version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1",
                BadPolicy::Version,
            ),
            ("version: STSv1\nmx: a.example\nmax_age: 1", BadPolicy::Mode),
            (
                "version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1",
                BadPolicy::Mode,
            ),
            ("version: STSv1\nmode: enforce\nmax_age: 1", BadPolicy::Mx),
            ("version: STSv1\nmode: enforce\nmx: \nmax_age: 1", BadPolicy::Line),
            ("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1", BadPolicy::Mx),
            (
                "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1",
                BadPolicy::Mx,
            ),
            (
                "version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1",
                BadPolicy::Mx,
            ),
            (
                "version: STSv1\nmode: enforce\nmx: .example.com\nmax_age: 1",
                BadPolicy::Mx,
            ),
            ("version: STSv1\nmode: enforce\nmx: a.example", BadPolicy::MaxAge),
            (
                "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1",
                BadPolicy::MaxAge,
            ),
            (
                "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901",
                BadPolicy::MaxAge,
            ),
            (
                "version: STSv1\rmode: enforce\rmx: a.example\rmax_age: 1",
                BadPolicy::Version,
            ),
            (many.as_str(), BadPolicy::Mx),
            (long.as_str(), BadPolicy::TooLong),
        ] {
            assert_eq!(read(text), Err(why), "{text:.100}");
        }
    }

    #[test]
    fn what_the_standard_leaves_open_is_taken() {
        let policy = read("version:STSv1  \nmode :\ttesting\nmode: enforce\nmx: MX.Example.\nnew-thing: some words\nmax_age: 9999999999\nmax_age: 1").unwrap();
        assert_eq!(policy.mode, StsMode::Testing, "the first of two counts");
        assert_eq!(policy.mx, ["mx.example"]);
        assert_eq!(policy.max_age_s, STS_MAX_AGE_S);
        let none = read("version: STSv1\nmode: none\nmax_age: 86400").unwrap();
        assert_eq!((none.mode, none.mx.len()), (StsMode::None, 0));
    }

    #[test]
    fn tls_5_a_wildcard_stands_for_one_label_only() {
        let policy = read(GOOD).unwrap();
        for (host, covered) in [
            ("mail.example.com", true),
            ("MAIL.Example.COM.", true),
            ("backupmx.example.com", true),
            ("example.com", false),
            ("x.mail.example.com", false),
            ("a.example.net", true),
            ("*.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            (".example.net", false),
            ("a.example.network", false),
            ("aexample.net", false),
            ("", false),
        ] {
            assert_eq!(policy.covers(host), covered, "{host}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_within_its_limits_and_comes_back(text in "(version: STSv1\n|mode: (none|enforce|testing)\n|mx: [*.a-z]{1,9}\n|max_age: [0-9]{1,12}\n|[ -~]{0,9}\r?\n){0,9}") {
            if let Ok(policy) = StsPolicy::parse(text.as_bytes()) {
                prop_assert!(policy.max_age_s <= STS_MAX_AGE_S && policy.mx.len() <= STS_POLICY_HOSTS);
                prop_assert_eq!(StsPolicy::parse(policy.lines().join("\r\n").as_bytes()), Ok(policy));
            }
        }
    }
}
