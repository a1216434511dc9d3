#![allow(missing_docs)]
//! Entries for fuzz targets: each takes any bytes, calls parsers and checks what they promise.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mail::header::{Fields, Header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::clock::{BoxFuture, Clock, Monotonic, UnixMs};
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType, Security};

use crate::dkim::canon::{BodyCanon, Canon};
use crate::dkim::key::Key;
use crate::dkim::sign::{Signing, SigningKey};
use crate::dkim::signature::Signature;
use crate::dmarc::record::DmarcRecord;
use crate::examine::{Doors, Envelope, Evidence, Examination};
use crate::limits::{
    self, SPF_EXPANDED_BYTES, STS_MAX_AGE_S, STS_POLICY_BYTES, STS_POLICY_HOSTS, TLSA_RECORDS, TLSRPT_URIS,
};
use crate::names;
use crate::policy::{self, Local};
use crate::results::{self, Results};
use crate::spf::macros::{Known, MacroString, Place};
use crate::spf::record::{SpfRecord, is_record};
use crate::spf::{Question, Sender};
use crate::suffixes::PublicSuffixes;
use crate::tags::Tags;
use crate::tls::dane;
use crate::tls::policy::Dane;
use crate::tls::rpt::record::RptRecord;
use crate::tls::sts::fetch;
use crate::tls::sts::policy::StsPolicy;
use crate::tls::sts::record::StsRecord;

/// SPF records and macro strings: what is read expands within its limit, and to a name that can be cut to one that can be asked for.
pub fn fuzz_spf(bytes: &[u8]) {
    if is_record(bytes) {
        let _ = SpfRecord::parse(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    let question = Question {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hello: &text,
        sender: Sender::of(&text, "there.example"),
        receiver: "here.example",
        now_s: 1,
    };
    let known = Known {
        question: &question,
        domain: "there.example",
        client_name: None,
    };
    for place in [Place::Term, Place::Explanation] {
        let Some(string) = MacroString::parse(bytes, place) else {
            continue;
        };
        if let Some(expanded) = string.expand(&known) {
            assert!(expanded.len() <= SPF_EXPANDED_BYTES);
        }
        if let Some(name) = string.expand_domain(&known) {
            assert!(name.len() <= crate::limits::NAME_BYTES);
        }
    }
}

/// Tag lists, signatures, keys and policies: the names of a signature can stand in a header field of ours.
pub fn fuzz_tags(bytes: &[u8]) {
    if let Ok(tags) = Tags::parse(bytes) {
        for name in ["b", "bh", "d", "h", "p"] {
            let _ = (tags.compact(name), tags.text(name));
            assert!(tags.range(name).is_none_or(|range| range.end <= bytes.len()));
        }
    }
    if let Ok(signature) = Signature::parse(bytes) {
        assert!(names::is_plain(&signature.domain) && names::is_plain(&signature.selector));
        assert!(names::is_within(&signature.agent_domain, &signature.domain));
    }
    let _ = Key::parse(bytes);
    let _ = DmarcRecord::parse(bytes);
    let _ = crate::arc::vouches(bytes);
    let _ = crate::evidence::printable(bytes);
}

/// A whole message through everything that asks no DNS; what is signed of it verifies, whatever it holds.
pub fn fuzz_message(bytes: &[u8]) {
    let at = mail::header::body_start(bytes);
    let (header, body) = bytes.split_at(at);
    let mut examination = Examination::begin(header);
    body.chunks(7).for_each(|piece| examination.body(piece));
    for canon in [Canon::Simple, Canon::Relaxed] {
        let mut written = 0;
        let mut canonical = BodyCanon::new(canon);
        canonical.take(body, &mut |octets| written += octets.len());
        canonical.finish(&mut |octets| written += octets.len());
        assert!(written <= body.len() + 2);
    }
    if let Ok(scanned) = Header::scan(header) {
        let _ = crate::author::Author::of(&scanned);
        for range in crate::results::forged(&scanned, &["mx.here.example"]) {
            assert!(range.end <= header.len() && !range.is_empty());
        }
    }
    let key = SigningKey::ed25519("there.example", "k", &[7; 32]).expect("a key");
    let mut signing = Signing::begin(header);
    signing.body(body);
    let field = signing.finish(&[key], 1);
    let mut found = Fields::new(&field);
    let signature = found.next().map(|field| Signature::parse(field.value()));
    assert!(matches!(signature, Some(Ok(_))) && found.next().is_none());
}

/// What stands between the message and the answers of DNS in an input of [`fuzz_answers`].
const NEXT: &[u8] = b"\n%%\n";

/// A message, then the answers that DNS gives about it in turn: every check to its end within its questions, and our field is one field
/// whatever strangers wrote.
pub fn fuzz_answers(bytes: &[u8]) {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, NEXT) {
        parts.push(rest[..at].to_vec());
        rest = &rest[at + NEXT.len()..];
    }
    parts.push(rest.to_vec());
    let message = parts.remove(0);
    let answers = Answers {
        texts: parts,
        asked: AtomicUsize::new(0),
    };
    let at = mail::header::body_start(&message);
    let (header, body) = message.split_at(at);
    let mut examination = Examination::begin(header);
    examination.body(body);
    let sender = String::from_utf8_lossy(answers.texts.last().map_or(&[][..], Vec::as_slice));
    let doors = Doors {
        dns: &answers,
        clock: &Stopped,
        suffixes: None,
    };
    let envelope = Envelope {
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        hello: &sender,
        reverse_path: &sender,
        receiver: "here.example",
    };
    let evidence = at_once(examination.finish(doors, envelope));
    let most = limits::SPF_QUESTIONS
        + limits::DKIM_KEYS
        + limits::ARC_KEYS
        + limits::IPREV_QUESTIONS
        + limits::DMARC_QUESTIONS;
    assert!(answers.asked.load(Ordering::Relaxed) <= most);
    told_safely(&evidence);
}

fn told_safely(evidence: &Evidence) {
    let decision = policy::decide(evidence, &Local::default());
    let told = format!(
        "{decision}{}{}{}{}",
        evidence.spf, evidence.dmarc, evidence.arc, evidence.iprev
    );
    assert!(!told.contains(['\r', '\n', '\0']));
    let results = Results {
        spf: &evidence.spf,
        dkim: &evidence.dkim,
        dmarc: &evidence.dmarc,
        arc: &evidence.arc,
        iprev: &evidence.iprev,
    };
    let field = results::write("mx.here.example", &results);
    let mut fields = Fields::new(&field);
    assert!(
        fields
            .next()
            .is_some_and(|field| field.is("Authentication-Results"))
            && fields.next().is_none()
    );
    assert!(field.is_ascii() && !field.contains(&0));
}

/// The door and the clock of [`fuzz_answers`] never keep anybody waiting.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

struct Answers {
    texts: Vec<Vec<u8>>,
    asked: AtomicUsize,
}

impl Answers {
    /// The next text, or what its first octet says went wrong.
    fn next(&self, kind: RecordType) -> Lookup {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let (security, ttl) = (Security::Insecure, Duration::ZERO);
        let Some(text) = self.texts.get(asked % self.texts.len().max(1)) else {
            return Lookup::Failed(Failure::Timeout);
        };
        let name = String::from_utf8_lossy(text).into_owned();
        let record = match (text.first(), kind) {
            (Some(b'!'), _) => return Lookup::Failed(Failure::ServFail),
            (None, _) => {
                return Lookup::Negative {
                    absence: Absence::NoData,
                    security,
                    ttl,
                };
            }
            (_, RecordType::A) => Record::A(Ipv4Addr::new(192, 0, 2, text[0] % 4)),
            (_, RecordType::Mx) => Record::Mx(10, name),
            (_, RecordType::Ptr) => Record::Ptr(name),
            _ => Record::Txt(text.clone()),
        };
        Lookup::Answer {
            records: vec![record],
            ttl,
            chain: Vec::new(),
            security,
        }
    }
}

impl Dns for Answers {
    fn lookup<'a>(&'a self, _: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup> {
        let lookup = self.next(kind);
        Box::pin(async move { lookup })
    }
}

/// A clock that stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixMs {
        UnixMs(1_700_000_000_000)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(Duration::ZERO)
    }

    fn sleep_until(&self, _: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A list of public suffixes, and names held against it.
pub fn fuzz_suffixes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let list = PublicSuffixes::parse(&text);
    assert!(PublicSuffixes::are_in(&text) || list == PublicSuffixes::parse("") || text.contains('!'));
    for line in text.lines().take(20) {
        let name = names::canonical(line);
        if names::can_be_asked(&name) {
            assert!(name.ends_with(list.suffix_of(&name)));
            assert!(list.registrable(&name).is_none_or(|found| name.ends_with(found)));
        }
    }
}

/// The record of MTA-STS: what is read comes back, and is letters and digits.
pub fn fuzz_sts_record(bytes: &[u8]) {
    if let Some(record) = StsRecord::parse(bytes) {
        assert!(record.id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let again = StsRecord::parse(format!("v=STSv1; id={};", record.id).as_bytes());
        assert_eq!(again, Some(record));
    }
}

/// A policy of MTA-STS: what is read is within its limits, comes back, and names hosts with as many labels as its patterns.
pub fn fuzz_sts_policy(bytes: &[u8]) {
    let Ok(policy) = StsPolicy::parse(bytes) else {
        return;
    };
    assert!(policy.max_age_s <= STS_MAX_AGE_S && policy.mx.len() <= STS_POLICY_HOSTS);
    for pattern in &policy.mx {
        let labels = pattern.split('.').count();
        let host = pattern.replace('*', "any");
        assert!(policy.covers(&host) && policy.covers(&host.to_ascii_uppercase()));
        assert_eq!(host.split('.').count(), labels);
    }
    let again = StsPolicy::parse(policy.lines().join("\r\n").as_bytes());
    assert_eq!(again, Ok(policy));
}

/// How often the reader of [`fuzz_sts_answer`] may be asked to go on: no octet takes more than one turn.
const TURNS: usize = 2 * 64 * 1024;

/// What a web server says when it is asked for a policy: nothing of it is taken beyond the limit, and what is wrong with it is told in one line.
pub fn fuzz_sts_answer(bytes: &[u8]) {
    let wire = Said {
        octets: bytes.to_vec(),
        heard: 0,
    };
    let mut answer = pin!(fetch::get(Box::new(wire), "mta-sts.there.example", 443));
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..TURNS).find_map(|_| match answer.as_mut().poll(&mut context) {
        Poll::Ready(ended) => Some(ended),
        Poll::Pending => None,
    });
    match ended.expect("what is said at once is read at once") {
        Ok(text) => assert!(text.len() <= STS_POLICY_BYTES),
        Err(error) => assert!(!error.to_string().contains(['\r', '\n', '\0'])),
    }
}

/// A server that has said all that it will.
struct Said {
    octets: Vec<u8>,
    heard: usize,
}

impl AsyncRead for Said {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let end = self.octets.len().min(self.heard + to.remaining());
        to.put_slice(&self.octets[self.heard..end]);
        self.heard = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Said {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// TLSA records, each as three fields, the length of its data and that: as many are used as may be, and each as it stands in a zone file.
pub fn fuzz_tlsa(bytes: &[u8]) {
    let (mut records, mut rest) = (Vec::new(), bytes);
    while let [usage, selector, matching, length, data @ ..] = rest {
        let (data, more) = data.split_at(data.len().min(usize::from(*length)));
        records.push(Record::Tlsa(*usage, *selector, *matching, data.to_vec()));
        rest = more;
    }
    let answer = Lookup::Answer {
        records,
        ttl: Duration::ZERO,
        chain: Vec::new(),
        security: Security::Secure,
    };
    let host = dane::Host {
        domain: "there.example",
        name: "mx.there.example",
        v4: &answer,
        v6: &answer,
        port: 25,
    };
    match dane::finding(&answer, host.name, host) {
        Dane::Usable { records, names, .. } => {
            assert!(!records.is_empty() && records.len() <= TLSA_RECORDS);
            assert_eq!(names.first().map(String::as_str), Some(host.name));
            for record in records.iter() {
                let text = record.to_string();
                assert_eq!(text.len(), "3 1 1 ".len() + 2 * record.data().len(), "{text}");
            }
        }
        found => assert!(matches!(found, Dane::Unusable { .. }), "{found:?}"),
    }
}

/// The record of TLS reporting: what is read is one line of ASCII for each place.
pub fn fuzz_tlsrpt_record(bytes: &[u8]) {
    if let Some(record) = RptRecord::parse(bytes) {
        assert!(!record.uris.is_empty() && record.uris.len() <= TLSRPT_URIS);
        let plain = |uri: &String| uri.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(record.uris.iter().all(plain));
    }
}
