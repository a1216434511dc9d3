//! DNS from a text.
//!
//! ```text
//! ; comments, empty lines
//! $security secure            ; of everything below: secure, insecure (at the start), indeterminate
//! example.org  300 MX  10 mx.example.org
//! mx.example.org   A   192.0.2.25
//! example.org      TXT "v=spf1 " "-all"
//! *.example.org    A   192.0.2.1
//! slow.example     !delay 5s  ; before every answer about this name
//! broken.example   !servfail  ; or !timeout !refused !bogus !malformed, for every type
//! half.example A   !timeout   ; for one type
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use world::clock::{BoxFuture, Clock, Monotonic};
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType, Security};

/// RFC 1034 sets no limit; the door says 10.
const CHAIN_MAX: usize = 10;
const TTL_DEFAULT: Duration = Duration::from_secs(300);

/// A DNS door that knows one zone text.
pub struct SimDns {
    clock: Arc<dyn Clock>,
    zone: Mutex<Zone>,
    asked: Mutex<Vec<(String, RecordType)>>,
}

#[derive(Default)]
struct Zone {
    names: HashMap<String, Name>,
}

#[derive(Default, Clone)]
struct Name {
    records: Vec<(RecordType, Record, Duration, Security)>,
    failures: Vec<(Option<RecordType>, Failure)>,
    delay: Option<Duration>,
}

impl SimDns {
    /// Reads a zone; the error names the line.
    pub fn new(clock: Arc<dyn Clock>, zone: &str) -> Result<Self, String> {
        Ok(Self {
            clock,
            zone: Mutex::new(read_zone(zone)?),
            asked: Mutex::default(),
        })
    }

    /// Answers from another zone from now on.
    pub fn replace(&self, zone: &str) -> Result<(), String> {
        *self.zone.lock() = read_zone(zone)?;
        Ok(())
    }

    /// Every question so far, in order.
    pub fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().clone()
    }

    fn answer(&self, asked: &str, kind: RecordType) -> (Lookup, Duration) {
        let zone = self.zone.lock();
        let (mut name, mut chain, mut delay) = (canonical(asked), Vec::new(), Duration::ZERO);
        loop {
            let Some(entry) = zone.find(&name) else {
                return (absent(Absence::NxDomain), delay);
            };
            delay += entry.delay.unwrap_or_default();
            if let Some((_, failure)) = entry
                .failures
                .iter()
                .find(|(of, _)| of.is_none_or(|of| of == kind))
            {
                return (Lookup::Failed(*failure), delay);
            }
            let fitting: Vec<_> = entry.records.iter().filter(|(of, ..)| *of == kind).collect();
            if let Some((_, _, ttl, security)) = fitting.first() {
                let records = fitting.iter().map(|(_, record, ..)| record.clone()).collect();
                return (
                    Lookup::Answer {
                        records,
                        ttl: *ttl,
                        chain,
                        security: *security,
                    },
                    delay,
                );
            }
            let alias = entry.records.iter().find_map(|(_, record, ..)| match record {
                Record::Cname(target) => Some(target.clone()),
                _ => None,
            });
            let Some(target) = alias else {
                return (absent(Absence::NoData), delay);
            };
            if chain.len() == CHAIN_MAX {
                return (Lookup::Failed(Failure::ServFail), delay);
            }
            name = canonical(&target);
            chain.push(target);
        }
    }
}

fn absent(absence: Absence) -> Lookup {
    Lookup::Negative {
        absence,
        security: Security::Insecure,
        ttl: TTL_DEFAULT,
    }
}

impl Dns for SimDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            self.asked.lock().push((name.to_owned(), kind));
            let (lookup, delay) = self.answer(name, kind);
            if !delay.is_zero() {
                self.clock
                    .sleep_until(Monotonic(self.clock.monotonic().0 + delay))
                    .await;
            }
            lookup
        })
    }
}

impl Zone {
    /// The name itself, an empty non-terminal, or the closest wildcard (RFC 4592).
    fn find(&self, name: &str) -> Option<Name> {
        if let Some(found) = self.names.get(name) {
            return Some(found.clone());
        }
        if self
            .names
            .keys()
            .any(|known| known.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
        {
            return Some(Name::default());
        }
        let mut parent = name;
        while let Some((_, rest)) = parent.split_once('.') {
            parent = rest;
            if let Some(found) = self.names.get(&format!("*.{parent}")) {
                return Some(found.clone());
            }
            if self.names.contains_key(parent) {
                return None;
            }
        }
        None
    }
}

pub(crate) fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn read_zone(text: &str) -> Result<Zone, String> {
    let mut zone = Zone::default();
    let mut security = Security::Insecure;
    for (number, line) in text.lines().enumerate() {
        let words = words_of(line);
        if words.is_empty() {
            continue;
        }
        read_entry(&mut zone, &mut security, &words)
            .map_err(|why| format!("zone line {}: {why}: {line}", number + 1))?;
    }
    Ok(zone)
}

/// Words between blanks; quoted strings are one word and may hold blanks; a semicolon starts a comment.
pub(crate) fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut started) = (Vec::new(), String::new(), false, false);
    for character in line.chars() {
        match character {
            '"' => (quoted, started) = (!quoted, true),
            ';' if !quoted => break,
            _ if character.is_whitespace() && !quoted => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            _ => {
                word.push(character);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    words
}

fn read_entry(zone: &mut Zone, security: &mut Security, words: &[String]) -> Result<(), String> {
    if words[0] == "$security" {
        *security = match words.get(1).map(String::as_str) {
            Some("secure") => Security::Secure,
            Some("insecure") => Security::Insecure,
            Some("indeterminate") => Security::Indeterminate,
            _ => return Err("secure, insecure or indeterminate is expected".into()),
        };
        return Ok(());
    }
    let name = zone.names.entry(canonical(&words[0])).or_default();
    let mut rest = &words[1..];
    let ttl = match rest.first().and_then(|word| word.parse().ok()) {
        Some(seconds) => {
            rest = &rest[1..];
            Duration::from_secs(seconds)
        }
        None => TTL_DEFAULT,
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["!delay", time] => name.delay = Some(read_duration(time)?),
        [fault] if fault.starts_with('!') => name.failures.push((None, read_failure(fault)?)),
        [kind, fault] if fault.starts_with('!') => {
            name.failures.push((Some(read_kind(kind)?), read_failure(fault)?));
        }
        [kind, value @ ..] => {
            let kind = read_kind(kind)?;
            name.records
                .push((kind, read_value(kind, value)?, ttl, *security));
        }
        [] => return Err("a type is missing".into()),
    }
    Ok(())
}

pub(crate) fn read_duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| {
        digits
            .parse::<u64>()
            .map_err(|_| format!("{text} is not a time like 5s or 100ms"))
    };
    match text.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => number(text.trim_end_matches('s')).map(Duration::from_secs),
    }
}

fn read_failure(text: &str) -> Result<Failure, String> {
    Ok(match text {
        "!timeout" => Failure::Timeout,
        "!servfail" => Failure::ServFail,
        "!refused" => Failure::Refused,
        "!bogus" => Failure::Bogus,
        "!malformed" => Failure::Malformed,
        _ => return Err(format!("{text} is not a failure")),
    })
}

pub(crate) fn read_kind(text: &str) -> Result<RecordType, String> {
    Ok(match text.to_ascii_uppercase().as_str() {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "TXT" => RecordType::Txt,
        "PTR" => RecordType::Ptr,
        "TLSA" => RecordType::Tlsa,
        "CNAME" => RecordType::Cname,
        "SRV" => RecordType::Srv,
        _ => return Err(format!("{text} is not a type")),
    })
}

pub(crate) fn read_value(kind: RecordType, value: &[&str]) -> Result<Record, String> {
    let bad = || format!("{value:?} is not a value of {kind:?}");
    let number = |text: &str| text.parse::<u8>().map_err(|_| bad());
    let large = |text: &str| text.parse::<u16>().map_err(|_| bad());
    Ok(match (kind, value) {
        (RecordType::A, [address]) => Record::A(address.parse().map_err(|_| bad())?),
        (RecordType::Aaaa, [address]) => Record::Aaaa(address.parse().map_err(|_| bad())?),
        (RecordType::Mx, [preference, host]) => Record::Mx(large(preference)?, host_or_none(host)),
        (RecordType::Txt, strings) if !strings.is_empty() => Record::Txt(strings.concat().into_bytes()),
        (RecordType::Ptr, [host]) => Record::Ptr(canonical(host)),
        (RecordType::Cname, [target]) => Record::Cname(canonical(target)),
        (RecordType::Srv, [priority, weight, port, host]) => {
            Record::Srv(large(priority)?, large(weight)?, large(port)?, host_or_none(host))
        }
        (RecordType::Tlsa, [usage, selector, matching, data]) => Record::Tlsa(
            number(usage)?,
            number(selector)?,
            number(matching)?,
            read_hex(data).ok_or_else(bad)?,
        ),
        _ => return Err(bad()),
    })
}

/// The null MX (RFC 7505) keeps its dot, and so does a service that there is not (RFC 2782).
fn host_or_none(host: &str) -> String {
    if host == "." {
        host.to_owned()
    } else {
        canonical(host)
    }
}

fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| {
            c.to_digit(16)
                .map(|digit| u8::try_from(digit).expect("a hex digit"))
        })
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimClock;

    const ZONE: &str = r#"
; a zone
example.org  60 MX 10 mx.example.org.
mx.example.org A 192.0.2.25
www.example.org CNAME mx.example.org
loop.example.org CNAME loop.example.org
example.org TXT "v=spf1 " "-all"
*.wild.example A 192.0.2.1
broken.example !servfail
half.example A !timeout
half.example MX 0 .
slow.example !delay 5s
$security secure
signed.example TLSA 3 1 1 00ff
_imaps._tcp.example.org SRV 0 1 993 Mail.example.org.
_imap._tcp.example.org SRV 0 0 0 .
"#;

    #[tokio::test]
    async fn a_zone_answers_as_written() {
        let dns = SimDns::new(SimClock::new().door(), ZONE).unwrap();
        let answer = |records, chain: &[&str], ttl, security| Lookup::Answer {
            records,
            ttl: Duration::from_secs(ttl),
            chain: chain.iter().map(|&name| name.to_owned()).collect(),
            security,
        };
        let address = |last| vec![Record::A([192, 0, 2, last].into())];
        let insecure = Security::Insecure;
        let table = [
            (
                "Example.ORG.",
                RecordType::Mx,
                answer(vec![Record::Mx(10, "mx.example.org".into())], &[], 60, insecure),
            ),
            (
                "example.org",
                RecordType::Txt,
                answer(vec![Record::Txt(b"v=spf1 -all".to_vec())], &[], 300, insecure),
            ),
            (
                "www.example.org",
                RecordType::A,
                answer(address(25), &["mx.example.org"], 300, insecure),
            ),
            (
                "a.b.wild.example",
                RecordType::A,
                answer(address(1), &[], 300, insecure),
            ),
            (
                "half.example",
                RecordType::Mx,
                answer(vec![Record::Mx(0, ".".into())], &[], 300, insecure),
            ),
            (
                "signed.example",
                RecordType::Tlsa,
                answer(
                    vec![Record::Tlsa(3, 1, 1, vec![0, 255])],
                    &[],
                    300,
                    Security::Secure,
                ),
            ),
            (
                "_imaps._tcp.example.org",
                RecordType::Srv,
                answer(
                    vec![Record::Srv(0, 1, 993, "mail.example.org".into())],
                    &[],
                    300,
                    Security::Secure,
                ),
            ),
            (
                "_imap._tcp.example.org",
                RecordType::Srv,
                answer(vec![Record::Srv(0, 0, 0, ".".into())], &[], 300, Security::Secure),
            ),
            ("example.org", RecordType::A, absent(Absence::NoData)),
            ("org", RecordType::A, absent(Absence::NoData)),
            ("nobody.example.org", RecordType::A, absent(Absence::NxDomain)),
            ("broken.example", RecordType::A, Lookup::Failed(Failure::ServFail)),
            ("half.example", RecordType::A, Lookup::Failed(Failure::Timeout)),
            (
                "loop.example.org",
                RecordType::A,
                Lookup::Failed(Failure::ServFail),
            ),
        ];
        for (name, kind, expected) in table {
            assert_eq!(dns.lookup(name, kind).await, expected, "{name} {kind:?}");
        }
        assert_eq!(dns.asked().len(), 14);
    }

    #[tokio::test]
    async fn a_slow_name_takes_its_time() {
        let clock = SimClock::new();
        let dns = Arc::new(SimDns::new(clock.door(), ZONE).unwrap());
        let asking = tokio::spawn(async move { dns.lookup("slow.example", RecordType::A).await });
        clock.advance(Duration::from_secs(4)).await;
        assert!(!asking.is_finished());
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(asking.await.unwrap(), absent(Absence::NoData));
    }

    #[test]
    fn mistakes_name_their_line() {
        let clock = SimClock::new().door();
        for bad in [
            "\nx",
            "\nx Q 1",
            "\nx A 1.2.3",
            "\nx !nonsense",
            "\nx TLSA 1 1 1 0",
            "\nx SRV 0 1 65536 y",
            "\nx SRV 0 1 y",
            "\n$security much",
        ] {
            let error = SimDns::new(Arc::clone(&clock), bad).err().unwrap();
            assert!(error.starts_with("zone line 2: "), "{error}");
        }
    }
}
