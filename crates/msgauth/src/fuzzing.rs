#![allow(missing_docs)]
//! Entries for fuzz targets: each takes any bytes, calls parsers and checks what they promise.

use std::net::{IpAddr, Ipv4Addr};

use mail::header::Header;

use crate::dkim::canon::{BodyCanon, Canon};
use crate::dkim::key::Key;
use crate::dkim::sign::{Signing, SigningKey};
use crate::dkim::signature::Signature;
use crate::dmarc::record::DmarcRecord;
use crate::limits::SPF_EXPANDED_BYTES;
use crate::names;
use crate::spf::macros::{Known, MacroString, Place};
use crate::spf::record::{SpfRecord, is_record};
use crate::spf::{Question, Sender};
use crate::suffixes::PublicSuffixes;
use crate::tags::Tags;

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
    let mut examination = crate::examine::Examination::begin(header);
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
    let mut found = mail::header::Fields::new(&field);
    let signature = found.next().map(|field| Signature::parse(field.value()));
    assert!(matches!(signature, Some(Ok(_))) && found.next().is_none());
}

/// A list of public suffixes, and names held against it.
pub fn fuzz_suffixes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let list = PublicSuffixes::parse(&text);
    for line in text.lines().take(20) {
        let name = names::canonical(line);
        if names::can_be_asked(&name) {
            assert!(name.ends_with(list.suffix_of(&name)));
            assert!(list.registrable(&name).is_none_or(|found| name.ends_with(found)));
        }
    }
}
