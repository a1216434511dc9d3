//! The sets of an ARC chain as values (RFC 8617 §4): three fields an instance, and what a chain must look like. Pure.

use mail::header::Field;

use super::Rule;
use crate::dkim::canon::Canon;
use crate::dkim::header::Signable;
use crate::dkim::signature::{BadSignature, Common, Signature, canons, must, names_in, number};
use crate::limits::ARC_SETS;
use crate::tags::{Tags, base64};

/// What a sealer says of the chain it found (RFC 8617 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    None,
    Pass,
    Fail,
}

/// One set: places among the fields of the header.
pub(crate) struct Set {
    pub results: usize,
    pub message: (usize, Signature),
    pub seal: (usize, Signature),
    found: Found,
}

/// A set that is being gathered.
#[derive(Default)]
struct Draft {
    results: Option<usize>,
    message: Option<(usize, Signature)>,
    seal: Option<(usize, Signature, Found)>,
}

/// The sets in order, first to last; none when the message has no ARC field at all.
pub(crate) fn of(signable: &Signable<'_>) -> Result<Vec<Set>, Rule> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (place, field) in signable.fields().iter().enumerate() {
        add(&mut drafts, place, field)?;
    }
    // A sealer that found the chain broken ends it (RFC 8617 §5.2, step 1).
    let newest = drafts.last().and_then(|draft| draft.seal.as_ref());
    if newest.is_some_and(|(_, _, found)| *found == Found::Fail) {
        return Err(Rule::SaidToFail);
    }
    let mut sets = Vec::with_capacity(drafts.len());
    for (at, draft) in drafts.into_iter().enumerate() {
        let (Some(results), Some(message), Some((place, seal, found))) =
            (draft.results, draft.message, draft.seal)
        else {
            return Err(Rule::Incomplete(at + 1));
        };
        let wanted = if at == 0 { Found::None } else { Found::Pass };
        if found != wanted {
            return Err(Rule::Structure);
        }
        sets.push(Set {
            results,
            message,
            seal: (place, seal),
            found,
        });
    }
    debug_assert!(sets.iter().skip(1).all(|set| set.found == Found::Pass));
    Ok(sets)
}

fn add(drafts: &mut Vec<Draft>, place: usize, field: &Field<'_>) -> Result<(), Rule> {
    let bad = Rule::Unreadable;
    if field.is("ARC-Authentication-Results") {
        let at = results_instance(field.value()).ok_or(Rule::Structure)?;
        return once(&mut slot(drafts, at)?.results, place);
    }
    if field.is("ARC-Message-Signature") {
        let (at, signature) = message(field.value()).map_err(bad)?;
        return once(&mut slot(drafts, at)?.message, (place, signature));
    }
    if field.is("ARC-Seal") {
        let (at, signature, found) = seal(field.value()).map_err(bad)?;
        return once(&mut slot(drafts, at)?.seal, (place, signature, found));
    }
    Ok(())
}

fn slot(drafts: &mut Vec<Draft>, instance: usize) -> Result<&mut Draft, Rule> {
    if instance > ARC_SETS {
        return Err(Rule::TooManySets);
    }
    while drafts.len() < instance {
        drafts.push(Draft::default());
    }
    Ok(&mut drafts[instance - 1])
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Rule> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Rule::Structure),
    }
}

/// `[CFWS] "i=" instance [CFWS] ";"` before the results of RFC 8601.
fn results_instance(value: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b';', value)?;
    let (name, number) = value[..end].split_at_checked(memchr::memchr(b'=', &value[..end])?)?;
    if name.trim_ascii() != b"i" {
        return None;
    }
    instance(number[1..].trim_ascii())
}

/// 1 to 50 are allowed; anything of up to four digits is read.
fn instance(digits: &[u8]) -> Option<usize> {
    let plain = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()?;
    (number > 0).then_some(number)
}

fn instance_of(tags: &Tags<'_>) -> Result<usize, BadSignature> {
    instance(must(tags, "i")?).ok_or(BadSignature::Value("i"))
}

/// RFC 8617 §4.1.2: as DKIM, without `v=`; it must not cover seals.
fn message(value: &[u8]) -> Result<(usize, Signature), BadSignature> {
    let tags = Tags::parse(value).map_err(BadSignature::Tags)?;
    let instance = instance_of(&tags)?;
    let common = common(&tags)?;
    // Other implementations and the public suite read a missing `c=` so; RFC 8617 does not say.
    let (header_canon, body_canon) = canons(&tags, Canon::Relaxed)?;
    let signed = names_in(tags.get("h").ok_or(BadSignature::Missing("h"))?)?;
    if signed.iter().any(|name| name == "arc-seal") {
        return Err(BadSignature::Value("h"));
    }
    let signature = Signature {
        body_hash: base64(must(&tags, "bh")?).ok_or(BadSignature::Value("bh"))?,
        header_canon,
        body_canon,
        signed,
        body_length: number(&tags, "l")?,
        made_s: number(&tags, "t")?,
        ..bare(common)
    };
    Ok((instance, signature))
}

/// RFC 8617 §4.1.3: it covers ARC fields alone, so it has neither `h=` nor a body.
fn seal(value: &[u8]) -> Result<(usize, Signature, Found), BadSignature> {
    let tags = Tags::parse(value).map_err(BadSignature::Tags)?;
    let instance = instance_of(&tags)?;
    if tags.get("h").is_some() {
        return Err(BadSignature::Value("h"));
    }
    let found = match must(&tags, "cv")? {
        b"none" => Found::None,
        b"pass" => Found::Pass,
        b"fail" => Found::Fail,
        _ => return Err(BadSignature::Value("cv")),
    };
    let signature = Signature {
        made_s: number(&tags, "t")?,
        ..bare(common(&tags)?)
    };
    Ok((instance, signature, found))
}

/// In ARC the word of the algorithm is taken exactly.
fn common(tags: &Tags<'_>) -> Result<Common, BadSignature> {
    let common = Common::parse(tags)?;
    if tags.text("a") != Some(common.algorithm.word()) {
        return Err(BadSignature::Value("a"));
    }
    Ok(common)
}

fn bare(common: Common) -> Signature {
    Signature {
        algorithm: common.algorithm,
        value: common.value,
        value_range: common.value_range,
        body_hash: Vec::new(),
        header_canon: Canon::Relaxed,
        body_canon: Canon::Relaxed,
        agent_domain: common.domain.clone(),
        domain: common.domain,
        selector: common.selector,
        signed: Vec::new(),
        body_length: None,
        made_s: None,
        expires_s: None,
    }
}
