//! The DKIM-Signature field as a value (RFC 6376 §3.5). Pure.

use std::ops::Range;

use super::canon::Canon;
use crate::limits::DKIM_SIGNED_NAMES;
use crate::names;
use crate::tags::{BadTags, Tags, base64};

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 6376 §3.3.2
    RsaSha256,
    /// RFC 8463
    Ed25519Sha256,
    /// RFC 6376 §3.3.1; not believed (RFC 8301 §3.1)
    RsaSha1,
}

impl Algorithm {
    /// The word of `a=`.
    pub fn word(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }

    /// Reads the word of `a=`, in any case.
    pub fn parse(word: &[u8]) -> Option<Self> {
        [Self::RsaSha256, Self::Ed25519Sha256, Self::RsaSha1]
            .into_iter()
            .find(|known| word.eq_ignore_ascii_case(known.word().as_bytes()))
    }
}

/// A signature that keeps the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `a=`
    pub algorithm: Algorithm,
    /// `b=`
    pub value: Vec<u8>,
    /// where `b=` has its value in the field's value: cut out before hashing
    pub value_range: Range<usize>,
    /// `bh=`
    pub body_hash: Vec<u8>,
    /// `c=`, header
    pub header_canon: Canon,
    /// `c=`, body
    pub body_canon: Canon,
    /// `d=`, canonical
    pub domain: String,
    /// `s=`, canonical
    pub selector: String,
    /// `h=`, lower case
    pub signed: Vec<String>,
    /// `i=`: what stands behind its last `@`, canonical; the domain itself when there is none
    pub agent_domain: String,
    /// `l=`
    pub body_length: Option<u64>,
    /// `t=`, seconds since 1970
    pub made_s: Option<u64>,
    /// `x=`, seconds since 1970
    pub expires_s: Option<u64>,
}

/// Why a field is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSignature {
    /// not a tag list
    Tags(BadTags),
    /// a tag that must be there is not
    Missing(&'static str),
    /// a tag's value is not one
    Value(&'static str),
    /// `i=` is not within `d=` (RFC 6376 §3.5)
    AgentOutside,
}

impl Signature {
    /// Reads the value of a DKIM-Signature field.
    pub fn parse(value: &[u8]) -> Result<Self, BadSignature> {
        let tags = Tags::parse(value).map_err(BadSignature::Tags)?;
        if must(&tags, "v")? != b"1" {
            return Err(BadSignature::Value("v"));
        }
        let common = Common::parse(&tags)?;
        let (header_canon, body_canon) = canons(&tags, Canon::Simple)?;
        let agent_domain = agent_domain(&tags, &common.domain)?;
        if tags.compact("q").is_some_and(|methods| !offers_dns(&methods)) {
            return Err(BadSignature::Value("q"));
        }
        Ok(Self {
            algorithm: common.algorithm,
            value: common.value,
            value_range: common.value_range,
            body_hash: base64(must(&tags, "bh")?).ok_or(BadSignature::Value("bh"))?,
            header_canon,
            body_canon,
            domain: common.domain,
            selector: common.selector,
            signed: signed_names(&tags)?,
            agent_domain,
            body_length: number(&tags, "l")?,
            made_s: number(&tags, "t")?,
            expires_s: number(&tags, "x")?,
        })
    }
}

/// What signatures of DKIM and ARC have in common.
pub(crate) struct Common {
    pub algorithm: Algorithm,
    pub value: Vec<u8>,
    pub value_range: Range<usize>,
    pub domain: String,
    pub selector: String,
}

impl Common {
    pub fn parse(tags: &Tags<'_>) -> Result<Self, BadSignature> {
        let algorithm = Algorithm::parse(must(tags, "a")?).ok_or(BadSignature::Value("a"))?;
        Ok(Self {
            algorithm,
            value: base64(must(tags, "b")?).ok_or(BadSignature::Value("b"))?,
            value_range: tags.range("b").ok_or(BadSignature::Missing("b"))?,
            domain: name(tags, "d")?,
            selector: name(tags, "s")?,
        })
    }
}

/// A tag that must be there and have a value.
pub(crate) fn must<'a>(tags: &Tags<'a>, name: &'static str) -> Result<&'a [u8], BadSignature> {
    tags.get(name)
        .filter(|value| !value.is_empty())
        .ok_or(BadSignature::Missing(name))
}

/// A domain or a selector: letters, digits, `-` and `_` between dots, so that it can stand in a header field of ours as it is.
fn name(tags: &Tags<'_>, tag: &'static str) -> Result<String, BadSignature> {
    let value = must(tags, tag)?;
    let name = std::str::from_utf8(value).ok().map(names::canonical);
    name.filter(|name| names::is_plain(name))
        .ok_or(BadSignature::Value(tag))
}

/// `c=`: header, then body, which is simple when it is not named. `absent` is what counts without the tag.
pub(crate) fn canons(tags: &Tags<'_>, absent: Canon) -> Result<(Canon, Canon), BadSignature> {
    let Some(words) = tags.get("c") else {
        return Ok((absent, absent));
    };
    let word = |word: &[u8]| match word.to_ascii_lowercase().as_slice() {
        b"simple" => Ok(Canon::Simple),
        b"relaxed" => Ok(Canon::Relaxed),
        _ => Err(BadSignature::Value("c")),
    };
    match words.iter().position(|byte| *byte == b'/') {
        Some(slash) => Ok((word(&words[..slash])?, word(&words[slash + 1..])?)),
        None => Ok((word(words)?, Canon::Simple)),
    }
}

/// `h=`: names with colons between them.
fn signed_names(tags: &Tags<'_>) -> Result<Vec<String>, BadSignature> {
    let names = names_in(must(tags, "h")?)?;
    match names.iter().any(String::is_empty) {
        true => Err(BadSignature::Value("h")),
        false => Ok(names),
    }
}

/// A list of names with colons between them; it may have gaps.
pub(crate) fn names_in(list: &[u8]) -> Result<Vec<String>, BadSignature> {
    let mut names = Vec::new();
    for name in list.split(|byte| *byte == b':') {
        let name = name.trim_ascii();
        if names.len() == DKIM_SIGNED_NAMES || !name.iter().all(u8::is_ascii_graphic) {
            return Err(BadSignature::Value("h"));
        }
        names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
    }
    Ok(names)
}

fn agent_domain(tags: &Tags<'_>, domain: &str) -> Result<String, BadSignature> {
    let Some(agent) = tags.get("i") else {
        return Ok(domain.to_owned());
    };
    let at = memchr::memrchr(b'@', agent).ok_or(BadSignature::Value("i"))?;
    let behind = std::str::from_utf8(&agent[at + 1..]).map_err(|_| BadSignature::Value("i"))?;
    let behind = names::canonical(behind);
    if names::is_within(&behind, domain) {
        Ok(behind)
    } else {
        Err(BadSignature::AgentOutside)
    }
}

/// A number of at most 19 digits (RFC 6376 allows more; nothing is that large or late).
pub(crate) fn number(tags: &Tags<'_>, tag: &'static str) -> Result<Option<u64>, BadSignature> {
    let Some(digits) = tags.text(tag) else {
        return Ok(None);
    };
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadSignature::Value(tag));
    }
    digits.parse().map(Some).map_err(|_| BadSignature::Value(tag))
}

fn offers_dns(methods: &[u8]) -> bool {
    methods
        .split(|byte| *byte == b':')
        .any(|method| method.eq_ignore_ascii_case(b"dns/txt") || method.eq_ignore_ascii_case(b"dns"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_with_its_defaults() {
        let value = b" v=1; a=RSA-sha256; d=Example.ORG; s=k; h=From : to;\r\n\tbh=AA==; b=AQ\r\n ID; l=7";
        let signature = Signature::parse(value).expect("a signature");
        assert_eq!(signature.domain, "example.org");
        assert_eq!(signature.agent_domain, "example.org");
        assert_eq!(signature.signed, ["from", "to"]);
        assert_eq!(signature.value, [1, 2, 3]);
        assert_eq!(&value[signature.value_range.clone()], b"AQ\r\n ID");
        assert_eq!(
            (signature.header_canon, signature.body_canon),
            (Canon::Simple, Canon::Simple)
        );
        assert_eq!(signature.body_length, Some(7));
    }

    #[test]
    fn aut_5_names_that_could_break_our_own_fields_are_no_names() {
        for (tag, value) in [
            ("d", "a.example;x=y"),
            ("d", "a.example dmarc=pass"),
            ("d", "a.example(x"),
            ("d", "\"a\".example"),
            ("d", "a..example"),
            ("s", "k\u{e9}"),
            ("s", "a/b"),
        ] {
            let (mut d, mut s) = ("there.example", "k");
            if tag == "d" {
                d = value
            } else {
                s = value
            }
            let text = format!("v=1; a=rsa-sha256; d={d}; s={s}; h=from; bh=AA==; b=AA==");
            assert!(Signature::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn broken_signatures_say_what_is_wrong() {
        let good = "v=1; a=rsa-sha256; d=a.example; s=k; h=from; bh=AA==; b=AA==";
        let change = |from: &str, to: &str| Signature::parse(good.replace(from, to).as_bytes());
        for (from, to, want) in [
            ("v=1; ", "", BadSignature::Missing("v")),
            ("v=1", "v=2", BadSignature::Value("v")),
            ("rsa-sha256", "rsa-md5", BadSignature::Value("a")),
            ("h=from", "h=", BadSignature::Missing("h")),
            ("h=from", "h=from::to", BadSignature::Value("h")),
            ("b=AA==", "b=AA==; i=x@b.example", BadSignature::AgentOutside),
            ("b=AA==", "b=AA==; i=x@xa.example", BadSignature::AgentOutside),
            ("b=AA==", "b=AA==; l=-1", BadSignature::Value("l")),
            ("b=AA==", "b=AA==; c=relaxed/x", BadSignature::Value("c")),
            ("b=AA==", "b=AA==; q=http", BadSignature::Value("q")),
            ("b=AA==", "b=AA==; b=AA==", BadSignature::Tags(BadTags::Twice)),
            ("b=AA==", "b=A*==", BadSignature::Value("b")),
        ] {
            assert_eq!(change(from, to), Err(want), "{to}");
        }
        assert!(change("b=AA==", "b=AA==; i=x@sub.a.example; x=1; zz=new").is_ok());
    }
}
