//! SPF records as values (RFC 7208 §4.5, §4.6, §5, §6, §12). Pure.
//!
//! ```text
//! record    = "v=spf1" terms *SP
//! terms     = *( 1*SP ( directive / modifier ) )
//! directive = [ "+" / "-" / "?" / "~" ] mechanism
//! modifier  = "redirect=" domain-spec / "exp=" domain-spec / name "=" macro-string
//! ```
//! A record with one wrong letter is no record: the whole of it is read before any of it counts (§4.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::SpfResult;
use super::macros::{MacroString, Place};
use crate::evidence::printable;
use crate::limits::SPF_RECORD_BYTES;

/// A whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfRecord {
    /// in order
    pub directives: Vec<Directive>,
    /// where to go on when nothing matched
    pub redirect: Option<MacroString>,
    /// where the explanation of a fail is
    pub explanation: Option<MacroString>,
}

/// A mechanism and what its match means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// pass, fail, softfail or neutral
    pub result: SpfResult,
    /// what must match
    pub mechanism: Mechanism,
    /// the term as it stands in the record, printable
    pub text: String,
}

/// RFC 7208 §5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// §5.1
    All,
    /// §5.2
    Include(MacroString),
    /// §5.3
    A(Target),
    /// §5.4
    Mx(Target),
    /// §5.5
    Ptr(Option<MacroString>),
    /// §5.6: IPv4 or IPv6, with the number of bits that count
    Ip(IpAddr, u8),
    /// §5.7
    Exists(MacroString),
}

/// A name, and how many bits of its addresses count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// nothing for the domain itself
    pub domain: Option<MacroString>,
    /// of an IPv4 address
    pub bits_four: u8,
    /// of an IPv6 address
    pub bits_six: u8,
}

/// Why a record cannot be used: the term, printable, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTerm {
    /// as it stands in the record
    pub term: String,
    /// as half a sentence: `is …`
    pub why: &'static str,
}

/// Whether a TXT record is an SPF record: `v=spf1`, then a space or the end (RFC 7208 §4.5).
pub fn is_record(text: &[u8]) -> bool {
    let version = text
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(text.get(6), None | Some(b' '))
}

impl SpfRecord {
    /// Reads a record for which [`is_record`] is true.
    pub fn parse(text: &[u8]) -> Result<Self, BadTerm> {
        let mut record = Self {
            directives: Vec::new(),
            redirect: None,
            explanation: None,
        };
        if text.len() > SPF_RECORD_BYTES {
            return Err(bad(&text[..6], "begins a record that is too long"));
        }
        let terms = text.get(6..).unwrap_or_default().split(|byte| *byte == b' ');
        for term in terms.filter(|term| !term.is_empty()) {
            record.add(term).map_err(|why| bad(term, why))?;
        }
        Ok(record)
    }

    fn add(&mut self, term: &[u8]) -> Result<(), &'static str> {
        let Some((name, value)) = modifier(term) else {
            self.directives.push(directive(term)?);
            return Ok(());
        };
        let slot = match name.to_ascii_lowercase().as_slice() {
            b"redirect" => &mut self.redirect,
            b"exp" => &mut self.explanation,
            _ => {
                return MacroString::parse(value, Place::Term)
                    .map(drop)
                    .ok_or("has a macro that does not exist");
            }
        };
        if slot.is_some() {
            return Err("stands there twice");
        }
        *slot = Some(MacroString::parse_domain(value).ok_or(NO_NAME)?);
        Ok(())
    }
}

const NO_NAME: &str = "has no proper domain name";

fn bad(term: &[u8], why: &'static str) -> BadTerm {
    BadTerm {
        term: printable(term),
        why,
    }
}

/// `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`, then `=`.
fn modifier(term: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = term.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&term[..equals], &term[equals + 1..]);
    let begins = name.first().is_some_and(u8::is_ascii_alphabetic);
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (begins && name.iter().all(goes_on)).then_some((name, value))
}

fn directive(term: &[u8]) -> Result<Directive, &'static str> {
    let (result, rest) = match term.split_first() {
        Some((b'+', rest)) => (SpfResult::Pass, rest),
        Some((b'-', rest)) => (SpfResult::Fail, rest),
        Some((b'~', rest)) => (SpfResult::SoftFail, rest),
        Some((b'?', rest)) => (SpfResult::Neutral, rest),
        _ => (SpfResult::Pass, term),
    };
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b':' | b'/'))
        .unwrap_or(rest.len());
    let (name, argument) = rest.split_at(end);
    Ok(Directive {
        result,
        mechanism: mechanism(&name.to_ascii_lowercase(), argument)?,
        text: printable(term),
    })
}

/// `argument` begins with the colon or slash, or is empty.
fn mechanism(name: &[u8], argument: &[u8]) -> Result<Mechanism, &'static str> {
    let named = argument.strip_prefix(b":");
    match name {
        b"all" if argument.is_empty() => Ok(Mechanism::All),
        b"all" => Err("has something behind it"),
        b"include" => Ok(Mechanism::Include(name_in(named.unwrap_or_default())?)),
        b"exists" => Ok(Mechanism::Exists(name_in(named.unwrap_or_default())?)),
        b"a" => Ok(Mechanism::A(target(argument)?)),
        b"mx" => Ok(Mechanism::Mx(target(argument)?)),
        b"ptr" if argument.is_empty() => Ok(Mechanism::Ptr(None)),
        b"ptr" => Ok(Mechanism::Ptr(Some(name_in(named.unwrap_or_default())?))),
        b"ip4" => network::<Ipv4Addr>(named.unwrap_or_default(), 32),
        b"ip6" => network::<Ipv6Addr>(named.unwrap_or_default(), 128),
        _ => Err("is no term that SPF knows"),
    }
}

fn name_in(text: &[u8]) -> Result<MacroString, &'static str> {
    MacroString::parse_domain(text).ok_or(NO_NAME)
}

/// `[ ":" domain-spec ] [ "/" bits-of-IPv4 ] [ "//" bits-of-IPv6 ]`. A name may hold slashes, so the bits are read from the end.
fn target(argument: &[u8]) -> Result<Target, &'static str> {
    let (rest, bits_six) = bits_at_end(argument, b"//", 128)?;
    let (rest, bits_four) = bits_at_end(rest, b"/", 32)?;
    let domain = match rest.split_first() {
        None => None,
        Some((b':', name)) => Some(name_in(name)?),
        Some(_) => return Err("has a wrong number of bits"),
    };
    Ok(Target {
        domain,
        bits_four: bits_four.unwrap_or(32),
        bits_six: bits_six.unwrap_or(128),
    })
}

/// Splits `mark` and a number off the end. Digits behind another mark are not ours.
fn bits_at_end<'a>(text: &'a [u8], mark: &[u8], most: u8) -> Result<(&'a [u8], Option<u8>), &'static str> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, number) = text.split_at(text.len() - digits);
    let Some(rest) = before.strip_suffix(mark) else {
        return Ok((text, None));
    };
    Ok((rest, Some(bits(number, most)?)))
}

/// `"0" / %x31-39 *DIGIT`, at most `most`.
fn bits(number: &[u8], most: u8) -> Result<u8, &'static str> {
    let wrong = "has a wrong number of bits";
    if number.len() > 3 || (number.len() > 1 && number[0] == b'0') || !number.iter().all(u8::is_ascii_digit) {
        return Err(wrong);
    }
    let text = std::str::from_utf8(number).map_err(|_| wrong)?;
    text.parse().ok().filter(|bits| *bits <= most).ok_or(wrong)
}

fn network<A: std::str::FromStr + Into<IpAddr>>(text: &[u8], most: u8) -> Result<Mechanism, &'static str> {
    let (address, number) = match text.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&text[..slash], Some(&text[slash + 1..])),
        None => (text, None),
    };
    let address = std::str::from_utf8(address)
        .ok()
        .and_then(|text| text.parse::<A>().ok());
    let address = address.ok_or("has no proper address")?;
    let bits = number.map_or(Ok(most), |number| bits(number, most))?;
    Ok(Mechanism::Ip(address.into(), bits))
}

/// Whether the first `bits` bits are the same. Addresses of two families never match.
pub fn same_network(client: IpAddr, of: IpAddr, bits: u8) -> bool {
    match (client, of) {
        (IpAddr::V4(client), IpAddr::V4(of)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            client.to_bits() & mask == of.to_bits() & mask
        }
        (IpAddr::V6(client), IpAddr::V6(of)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            client.to_bits() & mask == of.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_compared_by_their_bits() {
        let table = [
            ("192.0.2.1", "192.0.2.129", 24, true),
            ("192.0.2.1", "192.0.2.129", 25, false),
            ("192.0.2.1", "10.0.0.1", 0, true),
            ("192.0.2.1", "192.0.2.1", 32, true),
            ("2001:db8::1", "2001:db8::2", 126, true),
            ("2001:db8::1", "2001:db8::2", 128, false),
            ("2001:db8::1", "::", 0, true),
            ("192.0.2.1", "::", 0, false),
        ];
        for (client, of, bits, want) in table {
            let at = |text: &str| text.parse().expect("an address");
            assert_eq!(
                same_network(at(client), at(of), bits),
                want,
                "{client} {of}/{bits}"
            );
        }
    }

    #[test]
    fn one_wrong_term_spoils_the_record() {
        for good in [
            "v=spf1",
            "V=SPF1  ip4:192.0.2.1/0  -ALL ",
            "v=spf1 a/24 mx//64 a:x.example/1//2 ptr ptr:x.example ?exists:%{i}.x.example",
            "v=spf1 x-y=%{l} redirect=%{d}",
            "v=spf1 a:x/y.example",
        ] {
            assert!(is_record(good.as_bytes()), "{good}");
            assert!(SpfRecord::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for wrong in [
            "v=spf1 all.",
            "v=spf1 all/8",
            "v=spf1 include:",
            "v=spf1 include:com",
            "v=spf1 a/33",
            "v=spf1 a/",
            "v=spf1 a//129",
            "v=spf1 a/08",
            "v=spf1 ip4:192.0.2.256",
            "v=spf1 ip4",
            "v=spf1 ip6:192.0.2.1",
            "v=spf1 redirect=a.example redirect=a.example",
            "v=spf1 \t-all",
            "v=spf1 -all\u{a0}",
            "v=spf1 --all",
            "v=spf1 =x",
        ] {
            assert!(SpfRecord::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(!is_record(b"v=spf10") && !is_record(b"v=spf1\t") && !is_record(b" v=spf1"));
    }
}
