//! What a server offers in its answer to EHLO.
//!
//! `ehlo-line = ehlo-keyword *( SP ehlo-param )` (RFC 5321 §4.1.1.1), keywords in any case.

use super::reply::Reply;

/// A way to sign in that both sides know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// the old one of two questions
    Login,
}

/// What the server offers. After HELO it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers {
    /// RFC 2920
    pub pipelining: bool,
    /// RFC 1870: the largest message in octets; 0 when none is named
    pub size: Option<u64>,
    /// RFC 6152
    pub eightbitmime: bool,
    /// RFC 6531
    pub smtputf8: bool,
    /// RFC 3030 (BDAT)
    pub chunking: bool,
    /// RFC 3207
    pub starttls: bool,
    /// RFC 3461
    pub dsn: bool,
    /// RFC 2034
    pub enhanced: bool,
    /// RFC 4954, the mechanisms of ours among those offered, in the order offered
    pub auth: Vec<Mechanism>,
    /// RFC 2852: the least time in seconds that a BY with mode R may name; 0 when none is named
    pub deliver_by: Option<u32>,
    /// RFC 4865
    pub future_release: bool,
    /// RFC 8689
    pub requiretls: bool,
}

impl Offers {
    /// Reads the lines behind the first. Unknown keywords and values that cannot be read are passed over.
    pub fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            if let Some(keyword) = words.next() {
                offers.take(&keyword.to_ascii_uppercase(), words);
            }
        }
        offers
    }

    fn take<'a>(&mut self, keyword: &str, mut params: impl Iterator<Item = &'a str>) {
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).unwrap_or(0);
        match keyword {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size = Some(number(params.next())),
            "8BITMIME" => self.eightbitmime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "STARTTLS" => self.starttls = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced = true,
            "AUTH" => params.for_each(|word| self.mechanism(word)),
            "DELIVERBY" => {
                let least = number(params.next());
                self.deliver_by = Some(u32::try_from(least).unwrap_or(u32::MAX));
            }
            "FUTURERELEASE" => self.future_release = true,
            "REQUIRETLS" => self.requiretls = true,
            other => self.quirk_auth_with_equals(other),
        }
    }

    fn mechanism(&mut self, word: &str) {
        let mechanism = match word.to_ascii_uppercase().as_str() {
            "PLAIN" => Mechanism::Plain,
            "LOGIN" => Mechanism::Login,
            _ => return,
        };
        if !self.auth.contains(&mechanism) {
            self.auth.push(mechanism);
        }
    }

    /// `AUTH=LOGIN`: from before RFC 2554, still offered for old clients beside the proper line.
    fn quirk_auth_with_equals(&mut self, keyword: &str) {
        if let Some(mechanism) = keyword.strip_prefix("AUTH=") {
            self.mechanism(mechanism);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_any_case_and_the_unknown_is_passed_over() {
        let reply = Reply::read(
            b"250-mx.example.org PIPELINING is my name\r\n250-size 1000\r\n250-8bitMIME\r\n250-STARTTLS\r\n\
            250-AUTH=LOGIN\r\n250-AUTH SCRAM-SHA-256 plain LOGIN\r\n250-DELIVERBY 240\r\n250-X-OWN thing\r\n\
            250-\r\n250 DSN\r\n",
        )
        .unwrap();
        let want = Offers {
            size: Some(1000),
            eightbitmime: true,
            starttls: true,
            auth: vec![Mechanism::Login, Mechanism::Plain],
            deliver_by: Some(240),
            dsn: true,
            ..Offers::default()
        };
        assert_eq!(Offers::of(&reply), want);
    }

    #[test]
    fn a_size_that_cannot_be_read_names_no_limit() {
        for (line, want) in [
            ("SIZE", 0),
            ("SIZE 0", 0),
            ("SIZE x", 0),
            ("SIZE 99999999999999999999999", 0),
            ("SIZE 5", 5),
        ] {
            let reply = Reply::read(format!("250-me\r\n250 {line}\r\n").as_bytes()).unwrap();
            assert_eq!(Offers::of(&reply).size, Some(want), "{line:?}");
        }
    }
}
