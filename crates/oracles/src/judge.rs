//! mail-auth as a judge: its caches are filled from a [`Zone`]; for what they lack it asks a name server of ours, which says that no name
//! exists.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use mail_auth::dmarc::Dmarc;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::spf::{Macro, Spf};
use mail_auth::{
    AuthenticatedMessage, AuthenticationResults, DkimResult, DmarcResult, DnsError, Error, MX,
    MessageAuthenticator, Parameters, RecordSet, ResolverCache, SpfResult, Txt,
};
use world::dns::Record;

use crate::zone::Zone;

/// mail-auth with a zone in its caches.
pub struct Judge {
    authenticator: MessageAuthenticator,
    texts: Texts,
    exchangers: Sets<Box<str>, MX>,
    fours: Sets<Box<str>, Ipv4Addr>,
    sixes: Sets<Box<str>, Ipv6Addr>,
    pointers: Sets<IpAddr, Box<str>>,
}

struct Texts(HashMap<Box<str>, Txt>);

struct Sets<K, V>(HashMap<K, Vec<V>>);

type With<'a, P> = Parameters<
    'a,
    P,
    Texts,
    Sets<Box<str>, MX>,
    Sets<Box<str>, Ipv4Addr>,
    Sets<Box<str>, Ipv6Addr>,
    Sets<IpAddr, Box<str>>,
>;

impl ResolverCache<Box<str>, Txt> for Texts {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let absent = || Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)));
        Some(self.0.get(name).cloned().unwrap_or_else(absent))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

impl<K: Hash + Eq, V: Clone> ResolverCache<K, RecordSet<V>> for Sets<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<RecordSet<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let records = self.0.get(name)?.clone();
        Some(RecordSet {
            rrset: Arc::from(records),
            dnssec_status: Default::default(),
        })
    }

    fn remove<Q>(&self, _: &Q) -> Option<RecordSet<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: RecordSet<V>, _: Instant) {}
}

/// The port of a name server that answers NXDOMAIN to everything. It ends with the process.
static NOTHING_EXISTS: LazyLock<u16> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "mail-auth's resolver has no seam: it asks over a socket"
    )]
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let port = socket.local_addr().expect("a bound socket has an address").port();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if length < 12 {
                continue;
            }
            // RFC 1035 §4.1.1: a response, authoritative, name error; the question stays, the other sections go.
            packet[2] = 0x85;
            packet[3] = 0x83;
            packet[6..12].fill(0);
            let end = question_end(&packet[..length]);
            // Whoever asked has given up when it cannot be sent.
            let _ = socket.send_to(&packet[..end], from);
        }
    });
    port
});

/// Where the one question of a query ends.
fn question_end(packet: &[u8]) -> usize {
    let mut at = 12;
    while packet.get(at).is_some_and(|length| *length != 0) {
        at += 1 + usize::from(packet[at]);
    }
    packet.len().min(at + 5)
}

/// The first text that can be read as what its name is for, as mail-auth does it with several.
fn text(name: &str, texts: &[&[u8]]) -> Txt {
    fn first<T: TxtRecordParser>(texts: &[&[u8]]) -> Result<T, Error> {
        let mut last = Err(Error::Dns(DnsError::InvalidRecordType));
        for text in texts {
            last = T::parse(text);
            if last.is_ok() {
                break;
            }
        }
        last
    }
    let read = if name.starts_with("_dmarc.") {
        first::<Dmarc>(texts).map(Txt::from)
    } else if name.contains("._domainkey.") {
        first::<DomainKey>(texts).map(Txt::from)
    } else if name.starts_with("why.") {
        first::<Macro>(texts).map(Txt::from)
    } else {
        first::<Spf>(texts).map(Txt::from)
    };
    read.unwrap_or_else(Txt::Error)
}

impl Judge {
    /// Knows this zone. Texts of names that begin with `why.` are explanations of SPF.
    pub fn of(zone: &Zone) -> Self {
        let mut server = NameServerConfig::udp(Ipv4Addr::LOCALHOST.into());
        server.connections[0].port = *NOTHING_EXISTS;
        let resolver = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut options = ResolverOpts::default();
        (options.ndots, options.cache_size) = (0, 0);
        let mut judge = Self {
            authenticator: MessageAuthenticator::new(resolver, options)
                .expect("a resolver with one server by its address needs nothing else"),
            texts: Texts(HashMap::new()),
            exchangers: Sets(HashMap::new()),
            fours: Sets(HashMap::new()),
            sixes: Sets(HashMap::new()),
            pointers: Sets(HashMap::new()),
        };
        for (name, records) in zone.names() {
            let full: Box<str> = format!("{name}.").into();
            let texts = zone.texts(name);
            if !texts.is_empty() {
                judge.texts.0.insert(full.clone(), text(name, &texts));
            }
            for record in records {
                judge.add(name, full.clone(), record);
            }
        }
        judge
    }

    fn add(&mut self, name: &str, full: Box<str>, record: &Record) {
        match record {
            Record::A(four) => self.fours.0.entry(full).or_default().push(*four),
            Record::Aaaa(six) => self.sixes.0.entry(full).or_default().push(*six),
            Record::Mx(preference, host) => self.exchangers.0.entry(full).or_default().push(MX {
                exchanges: [format!("{host}.").into()].into(),
                preference: *preference,
            }),
            Record::Ptr(host) => {
                if let Some(address) = address_of(name) {
                    let host = format!("{host}.").into();
                    self.pointers.0.entry(address).or_default().push(host);
                }
            }
            _ => {}
        }
    }

    fn with<P>(&self, params: P) -> With<'_, P> {
        Parameters {
            params,
            cache_txt: Some(&self.texts),
            cache_mx: Some(&self.exchangers),
            cache_ptr: Some(&self.pointers),
            cache_ipv4: Some(&self.fours),
            cache_ipv6: Some(&self.sixes),
        }
    }

    /// SPF's word for a reverse-path.
    pub async fn spf(&self, client: IpAddr, hello: &str, reverse_path: &str) -> &'static str {
        let params = SpfParameters::verify_mail_from(client, hello, "here.example", reverse_path);
        word_of_spf(self.authenticator.check_host(self.with(params)).await.result())
    }

    /// DKIM's word for every signature, in the order of the header; what cannot be read comes first.
    pub async fn dkim(&self, message: &[u8]) -> Vec<&'static str> {
        let Some(message) = AuthenticatedMessage::parse_with_opts(message, None, false) else {
            return Vec::new();
        };
        let outputs = self.authenticator.verify_dkim(self.with(&message)).await;
        outputs
            .iter()
            .map(|output| word_of_dkim(output.result()))
            .collect()
    }

    /// ARC's word.
    pub async fn arc(&self, message: &[u8]) -> &'static str {
        let Some(message) = AuthenticatedMessage::parse_with_opts(message, None, false) else {
            return "none";
        };
        word_of_dkim(self.authenticator.verify_arc(self.with(&message)).await.result())
    }

    /// DMARC's word and the policy's, for a message and its envelope.
    pub async fn dmarc(&self, message: &[u8], client: IpAddr, reverse_path: &str) -> (&'static str, String) {
        let Some(message) = AuthenticatedMessage::parse_with_opts(message, None, false) else {
            return ("none", String::new());
        };
        let signatures = self.authenticator.verify_dkim(self.with(&message)).await;
        let params = SpfParameters::verify_mail_from(client, "there.example", "here.example", reverse_path);
        let spf = self.authenticator.check_host(self.with(params)).await;
        let domain = reverse_path.rsplit_once('@').map_or("", |(_, domain)| domain);
        let params = DmarcParameters::new(&message, &signatures, domain, &spf);
        let output = self.authenticator.verify_dmarc(self.with(params)).await;
        let word = match (output.result(), output.dmarc_record()) {
            (_, None) => "none",
            (DmarcResult::Pass, _) => "pass",
            (DmarcResult::TempError(_), _) => "temperror",
            (DmarcResult::PermError(_), _) => "permerror",
            _ => "fail",
        };
        (word, format!("{:?}", output.policy()).to_lowercase())
    }

    /// The addresses of From, as mail-auth reads them.
    pub fn authors(&self, message: &[u8]) -> Vec<String> {
        let read = AuthenticatedMessage::parse(message);
        read.map(|message| message.froms().to_vec()).unwrap_or_default()
    }

    /// Seals a message that has no chain yet, or adds to the one it has; gives the fields, to stand before it.
    pub async fn seal(&self, message: &[u8], key: &[u8]) -> Option<String> {
        let message = AuthenticatedMessage::parse_with_opts(message, None, false)?;
        let before = self.authenticator.verify_arc(self.with(&message)).await;
        let results = AuthenticationResults::new("mx.there.example");
        let key = rsa(key);
        let sealer = ArcSealer::from_key(key)
            .domain("there.example")
            .selector("r1")
            .headers(["From", "To", "Subject", "Date"]);
        Some(sealer.seal(&message, &results, &before).ok()?.to_header())
    }
}

fn rsa(pkcs8: &[u8]) -> RsaKey<Sha256> {
    let der = mail_auth_key(pkcs8);
    RsaKey::from_key_der(der).expect("the key is one of 2048 bits")
}

fn mail_auth_key(pkcs8: &[u8]) -> rustls::pki_types::PrivateKeyDer<'_> {
    rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8).into()
}

/// How a message is to be signed.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// names for `h=`
    pub names: Vec<&'a str>,
    /// the header is made canonical by the relaxed rules
    pub relaxed_header: bool,
    /// the body is
    pub relaxed_body: bool,
    /// `l=` covers the whole body
    pub with_length: bool,
}

fn canon(relaxed: bool) -> Canonicalization {
    match relaxed {
        true => Canonicalization::Relaxed,
        false => Canonicalization::Simple,
    }
}

/// The signature field that mail-auth makes with an RSA key in PKCS#8.
pub fn sign_rsa(message: &[u8], pkcs8: &[u8], wanted: &Wanted<'_>) -> Option<String> {
    let signer = DkimSigner::from_key(rsa(pkcs8))
        .domain("there.example")
        .selector("r1")
        .headers(wanted.names.clone())
        .header_canonicalization(canon(wanted.relaxed_header))
        .body_canonicalization(canon(wanted.relaxed_body))
        .body_length(wanted.with_length);
    Some(signer.sign(message).ok()?.to_header())
}

/// The signature field that mail-auth makes with an Ed25519 key.
pub fn sign_ed25519(message: &[u8], (seed, public): (&[u8], &[u8]), wanted: &Wanted<'_>) -> Option<String> {
    let key = Ed25519Key::from_seed_and_public_key(seed, public).ok()?;
    let signer = DkimSigner::from_key(key)
        .domain("there.example")
        .selector("e1")
        .headers(wanted.names.clone())
        .header_canonicalization(canon(wanted.relaxed_header))
        .body_canonicalization(canon(wanted.relaxed_body))
        .body_length(wanted.with_length);
    Some(signer.sign(message).ok()?.to_header())
}

fn word_of_spf(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

fn word_of_dkim(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

/// The address that a reverse name of IPv4 is about.
fn address_of(name: &str) -> Option<IpAddr> {
    let labels = name.strip_suffix(".in-addr.arpa")?;
    let parts: Vec<&str> = labels.split('.').rev().collect();
    parts.join(".").parse().ok()
}
