//! One question to the name servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ResolveHosts, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query};
use hickory_resolver::proto::rr::{Name, RecordType as Wire};
use hickory_resolver::{PoolContext, TlsConfig};
use world::dns::RecordType;

use super::answer::Believes;
use super::apart::Apart;
use super::{DnsSettings, DnsSetupError, Validation};
use crate::limits::{DNS_ACTIVE_MAX, DNS_NSEC3_ITERATIONS_MAX, DNS_TRIES, DNS_UDP_PAYLOAD_BYTES};

type Pool = RetryDnsHandle<Apart>;

/// Sends questions.
pub(super) struct Asker {
    handle: Handle,
    believes: Believes,
    servers: Vec<SocketAddr>,
}

enum Handle {
    Plain(Pool),
    Validating(Box<DnssecDnsHandle<Pool>>),
}

impl Asker {
    pub(super) fn new(settings: &DnsSettings) -> Result<Self, DnsSetupError> {
        let servers = match settings.servers.as_slice() {
            [] => system_servers()?,
            named => named.to_vec(),
        };
        let believes = match &settings.validation {
            Validation::Off => Believes::Nothing,
            Validation::TrustAd => Believes::AdBit,
            Validation::Root | Validation::Anchors(_) => Believes::OwnProofs,
        };
        if let (Believes::AdBit, Some(far)) = (believes, servers.iter().find(|at| !at.ip().is_loopback())) {
            return Err(DnsSetupError::AdFromAfar(*far));
        }
        let tls = TlsConfig::new().map_err(|error| DnsSetupError::Setup(error.to_string()))?;
        let context = Arc::new(PoolContext::new(
            options(settings.try_timeout, believes == Believes::OwnProofs),
            tls,
        ));
        let pool = RetryDnsHandle::new(Apart::new(&servers, context), DNS_TRIES - 1);
        Ok(Self {
            handle: match anchors(&settings.validation)? {
                None => Handle::Plain(pool),
                Some(anchors) => Handle::Validating(Box::new(validating(pool, anchors))),
            },
            believes,
            servers,
        })
    }

    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    pub(super) fn believes(&self) -> Believes {
        self.believes
    }

    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Result<DnsResponse, NetError> {
        let mut options = DnsRequestOptions::default();
        options.case_randomization = true;
        options.edns_payload_len = DNS_UDP_PAYLOAD_BYTES;
        options.edns_set_dnssec_ok = self.believes == Believes::OwnProofs;
        let mut request = DnsRequest::from_query(Query::query(name.clone(), wire(kind)), options);
        // Asks for the AD bit without asking for signatures (RFC 6840 §5.7).
        request.metadata.authentic_data = self.believes == Believes::AdBit;
        match &self.handle {
            Handle::Plain(pool) => pool.send(request).first_answer().await,
            Handle::Validating(pool) => pool.send(request).first_answer().await,
        }
    }
}

fn options(try_timeout: Duration, validate: bool) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = try_timeout;
    options.attempts = DNS_TRIES - 1;
    options.validate = validate;
    options.use_hosts_file = ResolveHosts::Never;
    options.case_randomization = true;
    options.edns_payload_len = DNS_UDP_PAYLOAD_BYTES;
    options.max_active_requests = DNS_ACTIVE_MAX;
    options
}

fn system_servers() -> Result<Vec<SocketAddr>, DnsSetupError> {
    let (config, _) = hickory_resolver::system_conf::read_system_conf()
        .map_err(|error| DnsSetupError::NoServers(error.to_string()))?;
    Ok(config
        .name_servers()
        .iter()
        .map(|server| SocketAddr::new(server.ip, 53))
        .collect())
}

fn anchors(validation: &Validation) -> Result<Option<TrustAnchors>, DnsSetupError> {
    match validation {
        Validation::Off | Validation::TrustAd => Ok(None),
        Validation::Root => Ok(Some(TrustAnchors::default())),
        Validation::Anchors(text) => read_anchors(text).map(Some).map_err(DnsSetupError::BadAnchors),
    }
}

/// Reads DNSKEY records. The class may be left out, as `keymgr` writes them; hickory insists on it.
fn read_anchors(text: &str) -> Result<TrustAnchors, String> {
    let mut records = String::new();
    for line in text
        .lines()
        .map(|line| line.split(';').next().unwrap_or_default())
    {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let at = words.iter().position(|word| word.eq_ignore_ascii_case("DNSKEY"));
        let Some(at) = at.filter(|&at| (1..=3).contains(&at)) else {
            return Err(format!("this is not a DNSKEY record: {line}"));
        };
        if !words[1..at].iter().any(|word| word.eq_ignore_ascii_case("IN")) {
            words.insert(at, "IN");
        }
        records += &words.join(" ");
        records.push('\n');
    }
    if records.is_empty() {
        return Err("there is no record".into());
    }
    records
        .parse()
        .map_err(|error: hickory_resolver::proto::serialize::txt::ParseError| error.to_string())
}

fn validating(pool: Pool, anchors: TrustAnchors) -> DnssecDnsHandle<Pool> {
    DnssecDnsHandle::with_trust_anchor(pool, Arc::new(anchors))
        .nsec3_iteration_limits(Some(DNS_NSEC3_ITERATIONS_MAX), Some(5 * DNS_NSEC3_ITERATIONS_MAX))
}

/// The type's name on the wire.
pub(super) fn wire(kind: RecordType) -> Wire {
    match kind {
        RecordType::A => Wire::A,
        RecordType::Aaaa => Wire::AAAA,
        RecordType::Mx => Wire::MX,
        RecordType::Txt => Wire::TXT,
        RecordType::Ptr => Wire::PTR,
        RecordType::Tlsa => Wire::TLSA,
        RecordType::Cname => Wire::CNAME,
        RecordType::Srv => Wire::SRV,
    }
}
