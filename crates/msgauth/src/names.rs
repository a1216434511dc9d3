//! Names in the DNS as plain text: lower case, no last dot. Pure.

use std::net::IpAddr;

use crate::limits::{LABEL_BYTES, NAME_BYTES};

/// The name as this crate writes it: lower case, without one last dot.
pub fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a question about it can be asked: ASCII without control characters, labels of 1 to 63 octets, at most 253 in all (RFC 1035 §2.3.4).
pub fn can_be_asked(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES
        && name.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && name
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= LABEL_BYTES)
}

/// Whether it can be asked for and has letters, digits, `-` and `_` only: it can stand in a header field of ours as it is.
pub fn is_plain(name: &str) -> bool {
    can_be_asked(name)
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether it has at least two labels and can be asked for: what RFC 7208 §4.3 calls a fully qualified domain name.
pub fn is_qualified(name: &str) -> bool {
    can_be_asked(name) && name.contains('.')
}

/// Whether `name` is `domain` or below it. Both canonical.
pub fn is_within(name: &str, domain: &str) -> bool {
    match name.strip_suffix(domain) {
        Some("") => true,
        Some(rest) => rest.ends_with('.'),
        None => false,
    }
}

/// Whether `host` is what a canonical pattern names: itself, or with `*.` in front exactly one label more (RFC 8461 §4.1).
pub fn fits(pattern: &str, host: &str) -> bool {
    let host = canonical(host);
    match pattern.strip_prefix("*.") {
        None => *pattern == host,
        Some(below) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == below),
    }
}

/// The name below which a client's names are found (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(six) => {
            let mut name = String::with_capacity(72);
            for octet in six.octets().iter().rev() {
                name.push_str(&format!("{:x}.{:x}.", octet & 15, octet >> 4));
            }
            name.push_str("ip6.arpa");
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_the_dns() {
        let long = "a".repeat(63);
        for good in ["a.b", "_dmarc.example.org", &long, "x!y.example"] {
            assert!(can_be_asked(good), "{good}");
        }
        let too_long = format!("{long}a.example");
        for bad in [
            "",
            ".",
            "a..b",
            ".a",
            "a.",
            &too_long,
            "a\tb.example",
            "é.example",
        ] {
            assert!(!can_be_asked(bad), "{bad}");
        }
        assert!(!is_qualified("localhost"));
        assert!(is_within("a.example", "example") && is_within("example", "example"));
        assert!(!is_within("badexample", "example") && !is_within("example", "a.example"));
        assert_eq!(canonical("A.Example."), "a.example");
    }

    #[test]
    fn reverse_names_are_those_of_the_rfcs() {
        let of = |text: &str| reverse(text.parse().expect("an address"));
        assert_eq!(of("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(of("::ffff:192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            of("2001:db8::cb01"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
