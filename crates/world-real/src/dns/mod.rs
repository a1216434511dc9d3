//! Asking name servers: the operator's recursive resolvers, over UDP and TCP.
//!
//! A lookup's journey:
//! 1. [`RealDns::lookup`](world::dns::Dns::lookup) looks into the [`cache`];
//! 2. [`ask`] sends the question with a random port, id and letter case, goes over to TCP when an answer is truncated, tries again,
//!    and validates DNSSEC if told to;
//! 3. [`answer::read`] decides what the reply means for the name that was asked: records, an absence, an alias that must be
//!    followed, a failure;
//! 4. the outcome is kept for as long as it says, within limits.
//!
//! Guarantees: a lookup ends within [`limits::DNS_LOOKUP_DEADLINE`]; an absence is only reported when a server said so itself, never
//! for want of an answer, because mail bounces on it; what a server put beside the answer is not used. Absent: recursion,
//! search domains; the hosts file and `localhost`, which only [`system`] knows.
//!
//! [`limits::DNS_LOOKUP_DEADLINE`]: crate::limits::DNS_LOOKUP_DEADLINE

mod answer;
mod apart;
mod ask;
mod cache;
mod denial;
pub mod system;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::Name;
use parking_lot::RwLock;
use world::clock::BoxFuture;
use world::dns::{Absence, Dns, Failure, Lookup, RecordType, Security};

use crate::limits::{DNS_CHAIN_MAX, DNS_LOOKUP_DEADLINE, DNS_NEGATIVE_TTL_MAX, DNS_TRY_TIMEOUT};
use answer::Step;
use ask::Asker;
use cache::Cache;

/// Whom to ask, and what to believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// recursive resolvers; none means those of `/etc/resolv.conf`
    pub servers: Vec<SocketAddr>,
    /// who checks signatures
    pub validation: Validation,
    /// how long one try at the servers may take; there are [`DNS_TRIES`](crate::limits::DNS_TRIES)
    pub try_timeout: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            validation: Validation::default(),
            try_timeout: DNS_TRY_TIMEOUT,
        }
    }
}

/// Who checks DNSSEC signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Validation {
    /// Nobody: every answer is [`Security::Indeterminate`].
    #[default]
    Off,
    /// The resolver: its AD bit is believed, for which every server must have a loopback address (RFC 7672 §2.2). Absences are
    /// [`Security::Indeterminate`] then.
    TrustAd,
    /// We, from the root's keys that are compiled in.
    Root,
    /// We, from these keys: DNSKEY records as in a zone file.
    Anchors(String),
}

/// Why names cannot be asked for. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsSetupError {
    /// The system's settings name no server.
    NoServers(String),
    /// The AD bit of a server that is not on this machine would be believed.
    AdFromAfar(SocketAddr),
    /// The trust anchors cannot be read.
    BadAnchors(String),
    /// The parts do not fit together.
    Setup(String),
}

impl fmt::Display for DnsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServers(why) => write!(
                f,
                "/etc/resolv.conf names no name server that can be used ({why}): set dns.servers, for example [\"127.0.0.1:53\"]"
            ),
            Self::AdFromAfar(server) => write!(
                f,
                "the AD bit of {server} would be believed, but anybody on the way could set it: name servers on a loopback address only, or let Hearthpost validate"
            ),
            Self::BadAnchors(why) => write!(
                f,
                "the trust anchors cannot be used: {why}; DNSKEY records as in a zone file are expected"
            ),
            Self::Setup(why) => write!(f, "name servers cannot be asked: {why}"),
        }
    }
}

impl std::error::Error for DnsSetupError {}

/// The DNS door to real name servers.
pub struct RealDns {
    current: RwLock<Arc<Current>>,
}

struct Current {
    asker: Asker,
    cache: Cache,
    /// the servers are those of `/etc/resolv.conf`
    of_system: bool,
}

/// Checked settings that are not in force yet.
pub struct Prepared(Current);

impl RealDns {
    /// Checks the settings. Nothing is asked yet.
    pub fn new(settings: &DnsSettings) -> Result<Arc<Self>, DnsSetupError> {
        Ok(Arc::new(Self {
            current: RwLock::new(Arc::new(Current::new(settings)?)),
        }))
    }

    /// Other settings, checked, for [`RealDns::put`]. Also reads `/etc/resolv.conf` again.
    pub fn prepare(&self, settings: &DnsSettings) -> Result<Prepared, DnsSetupError> {
        let new = Current::new(settings).or_else(|error| self.with_known_servers(settings, error))?;
        Ok(Prepared(new))
    }

    /// Goes by other settings from now on, with an empty cache.
    pub fn put(&self, new: Prepared) {
        *self.current.write() = Arc::new(new.0);
    }

    /// Prepares and puts.
    pub fn replace(&self, settings: &DnsSettings) -> Result<(), DnsSetupError> {
        self.put(self.prepare(settings)?);
        Ok(())
    }

    /// The system's file may be out of reach by now: Landlock holds to the file that was there at the start, and programs that
    /// write it put another one in its place. The servers that it named are better than none.
    fn with_known_servers(
        &self,
        settings: &DnsSettings,
        error: DnsSetupError,
    ) -> Result<Current, DnsSetupError> {
        let before = Arc::clone(&self.current.read());
        if !before.of_system || !matches!(error, DnsSetupError::NoServers(_)) {
            return Err(error);
        }
        let servers = before.asker.servers().to_vec();
        let known = Current::new(&DnsSettings {
            servers,
            ..settings.clone()
        })?;
        Ok(Current {
            of_system: true,
            ..known
        })
    }
}

impl fmt::Debug for RealDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealDns").finish_non_exhaustive()
    }
}

impl Dns for RealDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        let current = Arc::clone(&self.current.read());
        Box::pin(async move { current.lookup(name, kind).await })
    }
}

impl Current {
    fn new(settings: &DnsSettings) -> Result<Self, DnsSetupError> {
        Ok(Self {
            asker: Asker::new(settings)?,
            cache: Cache::default(),
            of_system: settings.servers.is_empty(),
        })
    }

    async fn lookup(&self, asked: &str, kind: RecordType) -> Lookup {
        let Some(name) = name_of(asked) else {
            // Such a name cannot be in the DNS: labels have 1 to 63 octets, names at most 255 (RFC 1035 §2.3.4).
            return Lookup::Negative {
                absence: Absence::NxDomain,
                security: Security::Indeterminate,
                ttl: DNS_NEGATIVE_TTL_MAX,
            };
        };
        let key = (text_of(&name), kind);
        if let Some(known) = self.cache.get(&key, tokio::time::Instant::now()) {
            return known;
        }
        let lookup = tokio::time::timeout(DNS_LOOKUP_DEADLINE, self.follow(name, kind))
            .await
            .unwrap_or(Lookup::Failed(Failure::Timeout));
        self.cache.put(key, &lookup, tokio::time::Instant::now());
        lookup
    }

    /// Asks, and asks again for what an alias leads to when the server did not follow it itself.
    async fn follow(&self, mut name: Name, kind: RecordType) -> Lookup {
        let mut path = answer::Path::default();
        loop {
            let reply = self.asker.ask(&name, kind).await;
            match answer::read(reply, &name, kind, self.asker.believes(), path) {
                Step::Done(lookup) => return lookup,
                Step::Follow(next, walked) => (name, path) = (next, walked),
            }
            if path.chain.len() > DNS_CHAIN_MAX {
                return Lookup::Failed(Failure::ServFail);
            }
        }
    }
}

/// A name as it was given: dots separate labels, nothing is escaped; `.` is the root.
fn name_of(text: &str) -> Option<Name> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.is_empty() {
        return (text == ".").then(Name::root);
    }
    Name::from_labels(bare.split('.').map(str::as_bytes)).ok()
}

/// As the door writes names: lower case, without the last dot; the root is `.`. Octets that are no text are escaped.
fn text_of(name: &Name) -> String {
    if name.is_root() {
        return ".".into();
    }
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// Reads a reply in every way there is, and checks what is promised of what comes out.
#[doc(hidden)]
pub(crate) fn fuzz_dns_reply(bytes: &[u8]) {
    use hickory_resolver::net::DnsError;
    use hickory_resolver::proto::op::DnsResponse;

    let Ok(response) = DnsResponse::from_buffer(bytes.to_vec()) else {
        return;
    };
    let Some(query) = response.queries.first().cloned() else {
        return;
    };
    let kinds = [
        RecordType::A,
        RecordType::Mx,
        RecordType::Txt,
        RecordType::Tlsa,
        RecordType::Cname,
        RecordType::Srv,
    ];
    for kind in kinds
        .into_iter()
        .filter(|kind| ask::wire(*kind) == query.query_type())
    {
        for believes in [
            answer::Believes::Nothing,
            answer::Believes::AdBit,
            answer::Believes::OwnProofs,
        ] {
            let reply = DnsError::from_response(response.clone()).map_err(Into::into);
            match answer::read(reply, query.name(), kind, believes, answer::Path::default()) {
                Step::Done(lookup) => check(&lookup, kind),
                Step::Follow(_, path) => assert!(path.chain.len() <= DNS_CHAIN_MAX),
            }
        }
    }
}

fn check(lookup: &Lookup, kind: RecordType) {
    use world::dns::Record;

    let Lookup::Answer {
        records, chain, ttl, ..
    } = lookup
    else {
        return;
    };
    assert!(!records.is_empty() && records.len() <= crate::limits::DNS_RECORDS_MAX);
    assert!(chain.len() <= DNS_CHAIN_MAX && *ttl <= crate::limits::DNS_TTL_MAX);
    for record in records {
        let name = match (record, kind) {
            (Record::A(_), RecordType::A) | (Record::Txt(_), RecordType::Txt) => continue,
            (Record::Tlsa(..), RecordType::Tlsa) => continue,
            (Record::Mx(_, host), RecordType::Mx) | (Record::Cname(host), RecordType::Cname) => host,
            (Record::Srv(.., host), RecordType::Srv) => host,
            other => panic!("not what was asked for: {other:?}"),
        };
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn q_10_a_reload_that_cannot_read_the_systems_file_keeps_the_servers_it_named() {
        let servers = vec!["192.0.2.53:53".parse().unwrap()];
        let named = DnsSettings {
            servers: servers.clone(),
            ..DnsSettings::default()
        };
        for of_system in [true, false] {
            let dns = RealDns::new(&named).unwrap();
            let before = Current::new(&named).unwrap();
            *dns.current.write() = Arc::new(Current { of_system, ..before });
            let gone = DnsSetupError::NoServers("permission denied".to_owned());
            let kept = dns.with_known_servers(&DnsSettings::default(), gone);
            assert_eq!(kept.is_ok_and(|kept| kept.asker.servers() == servers), of_system);
        }
    }

    /// A reply with the question `a.z MX` or `a.z SRV`, and octets behind it that are often nearly records.
    fn reply() -> impl Strategy<Value = Vec<u8>> {
        let owner = prop_oneof![
            Just(b"\xc0\x0c".to_vec()),
            Just(b"\x01a\x01z\0".to_vec()),
            Just(b"\x01m\x01z\0".to_vec()),
            Just(b"\xc0\xff".to_vec()),
        ];
        let kind = prop_oneof![
            Just(1u8),
            Just(2),
            Just(5),
            Just(6),
            Just(15),
            Just(16),
            Just(33),
            Just(46),
            Just(52)
        ];
        let data = prop_oneof![
            Just(b"\x00\x0a\x01m\x01z\0".to_vec()),
            Just(b"\x00\x00\x00\x01\x03\xe1\x01m\x01z\0".to_vec()),
            Just(b"\x01m\x01z\0".to_vec()),
            Just(b"\xc0\x0c".to_vec()),
            Just(b"\xc0\x00\x02\x01".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ];
        let record = (owner, kind, data).prop_map(|(owner, kind, data)| {
            let length = u8::try_from(data.len()).unwrap();
            [&owner[..], &[0, kind, 0, 1, 0, 0, 0, 60, 0, length], &data].concat()
        });
        let records = proptest::collection::vec(record, 0..12);
        let asked = prop_oneof![Just(15u8), Just(33)];
        (any::<u8>(), records, 0..12u8, asked).prop_map(|(flags, records, beside, asked)| {
            let count = u8::try_from(records.len()).unwrap();
            let beside = beside.min(count);
            let header = [7, 7, 0x81, flags & 0x2f, 0, 1, 0, count - beside, 0, beside, 0, 0];
            let question = [&b"\x01a\x01z\0\x00"[..], &[asked, 0, 1]].concat();
            [&header[..], &question, &records.concat()].concat()
        })
    }

    proptest! {
        #[test]
        fn net_1_no_reply_breaks_a_promise(bytes in reply()) {
            fuzz_dns_reply(&bytes);
        }

        #[test]
        fn net_1_no_octets_break_a_promise(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_dns_reply(&bytes);
        }
    }

    #[test]
    fn names_are_taken_as_they_are_and_impossible_ones_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let table = [
            ("Example.ORG.", Some("example.org")),
            ("example.org", Some("example.org")),
            (".", Some(".")),
            ("_25._tcp.mx.example.org", Some("_25._tcp.mx.example.org")),
            ("25.2.0.192.in-addr.arpa", Some("25.2.0.192.in-addr.arpa")),
            ("", None),
            ("a..b", None),
            (".a", None),
            (long.as_str(), None),
        ];
        for (text, expected) in table {
            assert_eq!(
                name_of(text).map(|name| text_of(&name)).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn net_2_the_ad_bit_is_believed_from_this_machine_only() {
        let with = |server: &str| DnsSettings {
            servers: vec![server.parse().unwrap()],
            validation: Validation::TrustAd,
            ..DnsSettings::default()
        };
        for near in ["127.0.0.1:53", "127.0.0.53:53", "[::1]:5300"] {
            assert!(RealDns::new(&with(near)).is_ok(), "{near}");
        }
        for far in [
            "192.0.2.53:53",
            "10.0.0.1:53",
            "[2001:db8::53]:53",
            "[::ffff:127.0.0.1]:53",
        ] {
            let error = RealDns::new(&with(far)).unwrap_err();
            assert_eq!(error, DnsSetupError::AdFromAfar(far.parse().unwrap()));
        }
    }

    #[test]
    fn anchors_that_cannot_be_read_are_refused() {
        let with = |text: &str| DnsSettings {
            servers: vec!["127.0.0.1:53".parse().unwrap()],
            validation: Validation::Anchors(text.into()),
            ..DnsSettings::default()
        };
        let ds = ". 300 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
        for text in [
            "",
            "what?",
            "; nothing\n",
            ds,
            ". IN DNSKEY 257 3 13 !",
            ". IN DNSKEY",
        ] {
            let error = RealDns::new(&with(text)).unwrap_err();
            assert!(
                matches!(error, DnsSetupError::BadAnchors(_)),
                "{text:?}: {error:?}"
            );
        }
    }
}
