//! Gets a policy over HTTPS (RFC 8461 §3.3): one GET, HTTP/1.1, TLS 1.2 or newer with a certificate for the host's name, no
//! redirects, no cache, `text/plain`, at most 64 KiB, at most a minute for all of it.
//!
//! The words of HTTP are read by `hyper`; connections, names, TLS and time are the doors of `world`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::rt::ReadBufCursor;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::clock::{Clock, Monotonic};
use world::dns::{Dns, Failure, Lookup, Record, RecordType};
use world::net::{BoxWire, Network, TlsClient, TlsFailureKind, TlsPolicy};

use super::policy::{BadPolicy, StsPolicy};
use crate::limits::{
    STS_ADDRESSES, STS_CONNECT, STS_FETCH, STS_HEADER_BYTES, STS_HEADER_FIELDS, STS_POLICY_BYTES,
};
use crate::tls::attempt::ResultType;

/// Octets that are handed to the reader of HTTP at once.
const PIECE_BYTES: usize = 4096;

/// The doors that fetching needs.
#[derive(Clone)]
pub struct Doors {
    /// names
    pub dns: Arc<dyn Dns>,
    /// connections
    pub network: Arc<dyn Network>,
    /// TLS
    pub tls: Arc<dyn TlsClient>,
    /// time
    pub clock: Arc<dyn Clock>,
}

/// Where policies are fetched.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// the port; 443 but in test networks
    pub port: u16,
    /// whether a connection may be made to this address
    pub may_reach: fn(IpAddr) -> bool,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// the host's name could not be looked up
    Names(Failure),
    /// the host has no address
    NoAddress,
    /// none of its addresses may be connected to
    Private(IpAddr),
    /// no connection came about
    Unreachable(String),
    /// the certificate does not verify for the host's name
    Certificate(String),
    /// the handshake failed otherwise
    Tls(String),
    /// the answer is no good HTTP
    Http(String),
    /// another status than 200; redirects are not followed
    Status(u16),
    /// another type than `text/plain`
    ContentType(String),
    /// longer than 64 KiB
    TooLong,
    /// not all of it came within a minute
    TimedOut,
    /// it came and is no policy
    Policy(BadPolicy),
}

impl FetchError {
    /// What reports call it (RFC 8460 §4.3.2.2).
    pub fn result(&self) -> ResultType {
        match self {
            Self::Certificate(_) => ResultType::StsWebpkiInvalid,
            Self::Policy(_) | Self::TooLong | Self::ContentType(_) => ResultType::StsPolicyInvalid,
            _ => ResultType::StsPolicyFetchError,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(failure) => write!(f, "its web server's name could not be looked up ({failure:?})"),
            Self::NoAddress => f.write_str("its web server has no address"),
            Self::Private(address) => write!(
                f,
                "its web server has the address {address}, to which we do not connect"
            ),
            Self::Unreachable(why) => write!(f, "its web server could not be reached: {why}"),
            Self::Certificate(why) | Self::Tls(why) => write!(f, "no TLS with its web server: {why}"),
            Self::Http(why) => write!(f, "its web server's answer cannot be read: {why}"),
            Self::Status(status) => write!(f, "its web server answered with status {status}"),
            Self::ContentType(kind) => write!(f, "its web server sent {kind:?}, not text/plain"),
            Self::TooLong => f.write_str(BadPolicy::TooLong.as_str()),
            Self::TimedOut => f.write_str("its web server did not send all of it within a minute"),
            Self::Policy(bad) => f.write_str(bad.as_str()),
        }
    }
}

/// The host that serves the policy of `domain` (RFC 8461 §3.3).
pub fn host_of(domain: &str) -> String {
    format!("mta-sts.{domain}")
}

/// Fetches the policy of `domain`.
///
/// # Errors
/// Why there is none.
pub async fn fetch(doors: &Doors, place: Place, domain: &str) -> Result<StsPolicy, FetchError> {
    let over = Monotonic(doors.clock.monotonic().0 + STS_FETCH);
    let fetched = in_time(doors, over, all_of_it(doors, place, domain)).await;
    let text = fetched.unwrap_or(Err(FetchError::TimedOut))?;
    StsPolicy::parse(&text).map_err(FetchError::Policy)
}

async fn all_of_it(doors: &Doors, place: Place, domain: &str) -> Result<Vec<u8>, FetchError> {
    let host = host_of(domain);
    let addresses = addresses_of(doors, place, &host).await?;
    let wire = connect(doors, place, &addresses).await?;
    let wire = secure(doors, wire, &host).await?;
    get(wire, &host, place.port).await
}

async fn addresses_of(doors: &Doors, place: Place, host: &str) -> Result<Vec<IpAddr>, FetchError> {
    let (v4, v6) = tokio::join!(
        doors.dns.lookup(host, RecordType::A),
        doors.dns.lookup(host, RecordType::Aaaa)
    );
    let all: Vec<IpAddr> = [&v4, &v6].into_iter().flat_map(addresses).collect();
    let mut usable: Vec<IpAddr> = all
        .iter()
        .copied()
        .filter(|one| (place.may_reach)(*one))
        .collect();
    // Of the second family one is always among those tried.
    let second = usable.iter().position(IpAddr::is_ipv6).unwrap_or(usable.len());
    if second >= STS_ADDRESSES && second < usable.len() {
        usable.swap(STS_ADDRESSES - 1, second);
    }
    usable.truncate(STS_ADDRESSES);
    match (usable.is_empty(), all.first(), &v4, &v6) {
        (false, ..) => Ok(usable),
        (true, Some(address), ..) => Err(FetchError::Private(*address)),
        (true, None, Lookup::Failed(failure), _) | (true, None, _, Lookup::Failed(failure)) => {
            Err(FetchError::Names(*failure))
        }
        (true, None, ..) => Err(FetchError::NoAddress),
    }
}

fn addresses(lookup: &Lookup) -> impl Iterator<Item = IpAddr> {
    let records = match lookup {
        Lookup::Answer { records, .. } => records.as_slice(),
        _ => &[],
    };
    records.iter().filter_map(|record| match record {
        Record::A(address) => Some(IpAddr::V4(*address)),
        Record::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}

async fn connect(doors: &Doors, place: Place, addresses: &[IpAddr]) -> Result<BoxWire, FetchError> {
    let mut why = "it has no address".to_owned();
    for address in addresses {
        let over = Monotonic(doors.clock.monotonic().0 + STS_CONNECT);
        let connecting = doors.network.connect((*address, place.port).into(), None);
        match in_time(doors, over, connecting).await {
            Some(Ok((wire, _))) => return Ok(wire),
            Some(Err(error)) => why = format!("{address}: {error}"),
            None => why = format!("{address}: no answer"),
        }
    }
    Err(FetchError::Unreachable(why))
}

async fn secure(doors: &Doors, wire: BoxWire, host: &str) -> Result<BoxWire, FetchError> {
    let shaken = doors.tls.connect(wire, host, TlsPolicy::Verified).await;
    shaken
        .map(|(wire, _)| wire)
        .map_err(|failure| match failure.kind {
            TlsFailureKind::Certificate => FetchError::Certificate(failure.text),
            _ => FetchError::Tls(failure.text),
        })
}

/// Asks over a wire that is secured.
pub(crate) async fn get(wire: BoxWire, host: &str, port: u16) -> Result<Vec<u8>, FetchError> {
    let named = if port == 443 {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(HOST, named)
        .header(USER_AGENT, concat!("Hearthpost/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "text/plain")
        .header(CONNECTION, "close")
        .body(String::new())
        .map_err(|error| FetchError::Http(error.to_string()))?;
    let mut http = http1::Builder::new();
    http.max_buf_size(STS_HEADER_BYTES).max_headers(STS_HEADER_FIELDS);
    let (mut sender, connection) = http.handshake(Io(wire)).await.map_err(no_http)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(no_http)?;
        decide(answer.status(), answer.headers())?;
        read_whole(answer).await
    };
    // One task drives both: the connection moves octets for as long as the exchange waits.
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    let mut moves = true;
    poll_fn(|cx| {
        if moves && connection.as_mut().poll(cx).is_ready() {
            moves = false;
        }
        exchange.as_mut().poll(cx)
    })
    .await
}

/// Whether an answer can hold a policy (RFC 8461 §3.3).
fn decide(status: StatusCode, header: &HeaderMap) -> Result<(), FetchError> {
    if status != StatusCode::OK {
        return Err(FetchError::Status(status.as_u16()));
    }
    let kind = header
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    let media = kind.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("text/plain") {
        return Ok(());
    }
    Err(FetchError::ContentType(kind.chars().take(60).collect()))
}

async fn read_whole(answer: Response<Incoming>) -> Result<Vec<u8>, FetchError> {
    let mut body = pin!(answer.into_body());
    if body.size_hint().lower() > STS_POLICY_BYTES as u64 {
        return Err(FetchError::TooLong);
    }
    let mut text = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(no_http)?;
        let piece = frame.data_ref().map_or(&[][..], |piece| piece.as_ref());
        if text.len() + piece.len() > STS_POLICY_BYTES {
            return Err(FetchError::TooLong);
        }
        text.extend_from_slice(piece);
    }
    Ok(text)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it")]
fn no_http(error: hyper::Error) -> FetchError {
    FetchError::Http(error.to_string())
}

/// What `work` gives, or nothing when `over` comes first.
async fn in_time<T>(doors: &Doors, over: Monotonic, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut alarm = doors.clock.sleep_until(over);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => alarm.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// A wire as `hyper` wants it.
struct Io(BoxWire);

impl hyper::rt::Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = [0; PIECE_BYTES];
        let most = to.remaining().min(PIECE_BYTES);
        let mut read = ReadBuf::new(&mut piece[..most]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        to.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
