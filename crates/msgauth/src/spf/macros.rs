//! Macro strings of SPF (RFC 7208 §7): parsing, and expanding with what is known of a message. Pure.
//!
//! ```text
//! macro-expand  = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
//! transformers  = *DIGIT [ "r" ]
//! macro-literal = %x21-24 / %x26-7E
//! domain-spec   = macro-string domain-end
//! domain-end    = ( "." toplabel [ "." ] ) / macro-expand
//! ```

use std::net::IpAddr;

use super::Question;
use crate::limits::{NAME_BYTES, SPF_EXPANDED_BYTES};

/// A parsed macro string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroString {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `%%`, `%_`, `%-` as what they stand for
    Fixed(&'static str),
    Macro(Macro),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    /// lower case
    letter: u8,
    /// the right-hand parts that stay; 0 for all
    keep: usize,
    reverse: bool,
    delimiters: Vec<u8>,
    escape: bool,
}

/// Where a macro string stands: an explanation has three more letters and may hold spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// a record's term
    Term,
    /// an explanation (RFC 7208 §6.2)
    Explanation,
}

/// What macros stand for.
pub struct Known<'a> {
    /// client, sender, greeting, receiver
    pub question: &'a Question<'a>,
    /// the domain whose record is evaluated
    pub domain: &'a str,
    /// the client's validated name; only looked up for strings that need it
    pub client_name: Option<&'a str>,
}

impl MacroString {
    /// Reads a macro string. Nothing when it breaks the grammar.
    pub fn parse(text: &[u8], place: Place) -> Option<Self> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((first, behind)) = rest.split_first() {
            if *first != b'%' {
                literal(&mut parts, *first, place)?;
                rest = behind;
                continue;
            }
            let (part, behind) = percent(behind, place)?;
            parts.push(part);
            rest = behind;
        }
        Some(Self { parts })
    }

    /// Reads a `domain-spec`.
    pub fn parse_domain(text: &[u8]) -> Option<Self> {
        let string = Self::parse(text, Place::Term)?;
        let ends_well = match string.parts.last()? {
            Part::Literal(text) => ends_with_toplabel(text),
            Part::Fixed(_) | Part::Macro(_) => true,
        };
        ends_well.then_some(string)
    }

    /// Whether expanding it takes the client's validated name.
    pub fn needs_client_name(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Macro(what) if what.letter == b'p'))
    }

    /// The text; nothing when it grows over [`SPF_EXPANDED_BYTES`].
    pub fn expand(&self, known: &Known<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Fixed(fixed) => text.push_str(fixed),
                Part::Macro(what) => text.push_str(&what.expand(known)),
            }
            if text.len() > SPF_EXPANDED_BYTES {
                return None;
            }
        }
        Some(text)
    }

    /// The text as a name to ask for: canonical, labels on the left left out until it fits (RFC 7208 §7.3).
    pub fn expand_domain(&self, known: &Known<'_>) -> Option<String> {
        let name = crate::names::canonical(&self.expand(known)?);
        let mut kept = name.as_str();
        while kept.len() > NAME_BYTES {
            kept = kept.split_once('.')?.1;
        }
        Some(kept.to_owned())
    }
}

fn literal(parts: &mut Vec<Part>, letter: u8, place: Place) -> Option<()> {
    let allowed = letter.is_ascii_graphic() || (letter == b' ' && place == Place::Explanation);
    if !allowed {
        return None;
    }
    match parts.last_mut() {
        Some(Part::Literal(text)) => text.push(char::from(letter)),
        _ => parts.push(Part::Literal(char::from(letter).to_string())),
    }
    Some(())
}

/// What follows a percent sign.
fn percent(rest: &[u8], place: Place) -> Option<(Part, &[u8])> {
    let (first, rest) = rest.split_first()?;
    match first {
        b'%' => Some((Part::Fixed("%"), rest)),
        b'_' => Some((Part::Fixed(" "), rest)),
        b'-' => Some((Part::Fixed("%20"), rest)),
        b'{' => {
            let end = memchr::memchr(b'}', rest)?;
            Some((Part::Macro(braces(&rest[..end], place)?), &rest[end + 1..]))
        }
        _ => None,
    }
}

/// `macro-letter transformers *delimiter`
fn braces(inner: &[u8], place: Place) -> Option<Macro> {
    let (letter, rest) = inner.split_first()?;
    let lower = letter.to_ascii_lowercase();
    let allowed = match place {
        Place::Term => b"slodiphv".contains(&lower),
        Place::Explanation => b"slodiphvcrt".contains(&lower),
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let keep = rest[..digits].iter().fold(0usize, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    // A number of parts that is 0 is an error (RFC 7208 §7.3).
    if !allowed || (digits > 0 && keep == 0) {
        return None;
    }
    let rest = &rest[digits..];
    let (reverse, delimiters) = match rest.split_first() {
        Some((b'r' | b'R', behind)) => (true, behind),
        _ => (false, rest),
    };
    delimiters
        .iter()
        .all(|byte| b".-+,/_=".contains(byte))
        .then(|| Macro {
            letter: lower,
            keep,
            reverse,
            delimiters: if delimiters.is_empty() {
                b".".to_vec()
            } else {
                delimiters.to_vec()
            },
            escape: letter.is_ascii_uppercase(),
        })
}

/// `"." toplabel [ "." ]` at the end; a toplabel has a letter or, between its ends, a hyphen.
fn ends_with_toplabel(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = text.rsplit_once('.') else {
        return false;
    };
    let bytes = label.as_bytes();
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !bytes.iter().all(u8::is_ascii_digit)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl Macro {
    fn expand(&self, known: &Known<'_>) -> String {
        let value = self.value(known);
        let mut parts: Vec<&str> = value
            .split(|letter: char| letter.is_ascii() && self.delimiters.contains(&(letter as u8)))
            .collect();
        if self.reverse {
            parts.reverse();
        }
        if self.keep > 0 {
            parts.drain(..parts.len().saturating_sub(self.keep));
        }
        let text = parts.join(".");
        if self.escape { url_escaped(&text) } else { text }
    }

    fn value(&self, known: &Known<'_>) -> String {
        let question = known.question;
        let sender = &question.sender;
        match self.letter {
            b's' => format!("{}@{}", sender.local, sender.domain),
            b'l' => sender.local.clone(),
            b'o' => sender.domain.clone(),
            b'd' => known.domain.to_owned(),
            b'i' => dotted(question.client),
            b'p' => known.client_name.unwrap_or("unknown").to_owned(),
            b'v' if question.client.is_ipv4() => "in-addr".to_owned(),
            b'v' => "ip6".to_owned(),
            b'h' => question.hello.to_owned(),
            b'c' => question.client.to_string(),
            b'r' => question.receiver.to_owned(),
            b't' => question.now_s.to_string(),
            _ => String::new(),
        }
    }
}

/// IPv6 as 32 nibbles with dots between them (RFC 7208 §7.3).
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let nibbles = six
                .octets()
                .into_iter()
                .flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles
                .map(|nibble| format!("{nibble:x}"))
                .collect::<Vec<_>>()
                .join(".")
        }
    }
}

/// Everything but the unreserved letters of RFC 3986 §2.3.
fn url_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::Sender;
    use super::*;

    fn expand(text: &str, client: &str) -> Option<String> {
        let question = Question {
            client: client.parse().expect("an address"),
            hello: "mx.example.org",
            sender: Sender::of("strong-bad@email.example.com", "mx.example.org"),
            receiver: "here.example",
            now_s: 1,
        };
        let known = Known {
            question: &question,
            domain: "email.example.com",
            client_name: None,
        };
        MacroString::parse(text.as_bytes(), Place::Explanation)?.expand(&known)
    }

    /// RFC 7208 §7.4.
    #[test]
    fn the_examples_of_the_rfc_expand_as_they_should() {
        let table = [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{S}", "strong-bad%40email.example.com"),
            ("%%%_%-", "% %20"),
        ];
        for (text, want) in table {
            assert_eq!(expand(text, "192.0.2.3").as_deref(), Some(want), "{text}");
        }
        assert_eq!(
            expand("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01").as_deref(),
            Some("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com")
        );
    }

    #[test]
    fn aut_10_macros_do_not_grow_without_end() {
        let text = "%{S}".repeat(10_000);
        assert_eq!(expand(&text, "192.0.2.3"), None);
        assert_eq!(
            expand("%{l99999999999999999999999}", "192.0.2.3").as_deref(),
            Some("strong-bad")
        );
        for bad in [
            "%", "%{", "%{}", "%{d0}", "%{x}", "%{dr2}", "%{d!}", "%a", "a\u{7f}",
        ] {
            assert_eq!(expand(bad, "192.0.2.3"), None, "{bad}");
        }
    }
}
