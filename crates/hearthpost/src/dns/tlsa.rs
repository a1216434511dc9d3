//! TLSA records of this server, each judged by its own parameters against the certificates that the server shows (RFC 6698 §2.1, RFC 7672 §3.1),
//! by the same code that judges other servers'. Pure.
//!
//! Senders that check DANE bring mail when one of the records that they go by fits. Records that fit nothing do no harm beside it, until it goes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msgauth::tls::dane::strongest;
use world::clock::UnixMs;
use world::dns::{Lookup, Record as Answer, Security};
use world::tlsa::{TlsaRecord, Unusable, Usage};
use world_real::tlsa::believes;

use super::judge::{Finding, Found, Level, Said, good, note, shown, wrong};
use super::records::{Purpose, Record};
use crate::control::dns::Server;

/// What the server shows, as far as it is known.
pub struct Served {
    host: String,
    /// hash of its key in hexadecimal digits
    key: Option<String>,
    /// the same of the certificate that comes next
    next: Option<String>,
    /// in DER, its own certificate first
    chain: Vec<Vec<u8>>,
    now: UnixMs,
}

impl Served {
    /// As the server says, at this time.
    pub fn of(server: &Server, now: UnixMs) -> Self {
        let chain = server
            .chain
            .iter()
            .map(|one| STANDARD.decode(one).unwrap_or_default());
        Self {
            host: server.hostname.clone(),
            key: server.tlsa.clone(),
            next: server.next_tlsa.clone(),
            chain: chain.collect(),
            now,
        }
    }

    /// What a record comes to.
    fn fit(&self, record: &TlsaRecord) -> Fit {
        let text = record.to_string();
        let is_of = |hash: &Option<String>| hash.as_ref().is_some_and(|hash| text == format!("3 1 1 {hash}"));
        if is_of(&self.key) {
            return Fit::Served;
        }
        if is_of(&self.next) {
            return Fit::Next;
        }
        if self.chain.is_empty() {
            return Fit::Unknown;
        }
        match believes(record, &self.chain, &self.host, self.now) {
            Ok(()) => Fit::Served,
            Err(why) => Fit::Nothing(why),
        }
    }
}

/// What a record fits.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    /// what the server shows
    Served,
    /// the certificate that comes next
    Next,
    /// what the server shows is not known here
    Unknown,
    /// nothing; why
    Nothing(String),
}

/// A record that stands in DNS.
struct One<'a> {
    answer: &'a Answer,
    /// what it comes to, or why no sender uses it
    standing: Result<(TlsaRecord, Fit), Unusable>,
    /// senders go by a longer hash of the same kind beside it (RFC 7671 §9)
    hidden: bool,
}

impl One<'_> {
    fn fits(&self, fit: &Fit) -> bool {
        matches!(&self.standing, Ok((_, own)) if own == fit)
    }

    /// Whether an authority's record fits what is served.
    fn is_of_authority(&self) -> bool {
        matches!(&self.standing, Ok((record, Fit::Served)) if record.usage() == Usage::Authority)
    }
}

/// Each record, sorted by what it comes to.
fn all<'a>(served: &Served, records: &'a [Answer]) -> Vec<One<'a>> {
    let of = |answer: &'a Answer| {
        let Answer::Tlsa(usage, selector, matching, data) = answer else {
            return None;
        };
        let read = TlsaRecord::new(*usage, *selector, *matching, data.clone());
        Some(One {
            answer,
            standing: read.map(|record| {
                let fit = served.fit(&record);
                (record, fit)
            }),
            hidden: false,
        })
    };
    let mut all: Vec<One> = records.iter().filter_map(of).collect();
    let usable = all.iter().filter_map(|one| one.standing.as_ref().ok());
    let strongest = strongest(usable.map(|(record, _)| record.clone()).collect());
    for one in &mut all {
        one.hidden = matches!(&one.standing, Ok((record, _)) if !strongest.contains(record));
    }
    all
}

/// The rule of a record that should be there: of the certificate in use, or of the one that comes next.
pub(super) fn judge(served: &Served, record: &Record, found: &Found<'_>) -> Said {
    let all = all(served, found.records);
    let is_next = record.state.as_deref() == Some("next");
    let wanted = if is_next { Fit::Next } else { Fit::Served };
    let listed = all.iter().any(|one| !one.hidden && one.fits(&wanted));
    let hidden = all.iter().any(|one| one.hidden && one.fits(&wanted));
    let usable = all.iter().any(|one| one.standing.is_ok());
    let unknown = all.iter().any(|one| one.fits(&Fit::Unknown));
    match (listed, found.security) {
        (true, Security::Secure) => good(),
        (true, _) => note("It counts only where DNSSEC signs the name, which this answer did not show"),
        (false, _) if hidden => wrong(
            "Correct the record with the longer hash (matching type 2): senders go by it and not by this one (RFC 7671 §9)",
        ),
        (false, _) if !usable && all.is_empty() => note("Publish it where DNSSEC signs the name"),
        (false, _) if !usable => {
            note("Publish it where DNSSEC signs the name: what is there cannot be used for mail")
        }
        (false, Security::Insecure) => note(
            "None of the records fits, which nobody sees as long as DNSSEC does not sign the name: publish it before that, or take them all out",
        ),
        (false, _) if !is_next && unknown => {
            note("No record 3 1 1 has the served key; whether one of the others fits is not known here")
        }
        (false, _) if is_next && all.iter().any(One::is_of_authority) => note(
            "An authority's record is there: it is enough when the next certificate is from the same one. Otherwise publish this a day before",
        ),
        (false, _) if is_next => wrong(
            "Publish it, and wait for a day, before that certificate is used: else servers that check DANE bring no mail",
        ),
        (false, _) => wrong(
            "Publish it now: none of the records fits the certificate that is served, so servers that check DANE bring no mail",
        ),
    }
}

/// The records that fit nothing, each with what it does.
pub fn others(served: &Served, name: &str, lookup: Option<&Lookup>) -> Vec<Finding> {
    let Some(Lookup::Answer {
        records, security, ..
    }) = lookup
    else {
        return Vec::new();
    };
    let all = all(served, records);
    let another_fits = all.iter().any(|one| !one.hidden && one.fits(&Fit::Served));
    all.iter()
        .filter_map(|one| Some((one, useless(one, another_fits, *security)?)))
        .map(|(one, (level, fix))| Finding {
            level,
            about: "tlsa-other".to_owned(),
            name: name.to_owned(),
            kind: "TLSA",
            wanted: "a record of the served certificate, or none".to_owned(),
            found: shown(std::slice::from_ref(one.answer)),
            why: Purpose::Tlsa.why(),
            fix,
        })
        .collect()
}

fn useless(one: &One<'_>, another_fits: bool, security: Security) -> Option<Said> {
    match &one.standing {
        Err(unusable) => Some(note(&format!(
            "Take it out: no sender uses it for mail, because {}",
            words(*unusable)
        ))),
        Ok((_, Fit::Nothing(why))) if another_fits => Some(note(&format!(
            "Take it out: it fits nothing that this server shows ({why}), and does no harm only as long as another one fits"
        ))),
        Ok((_, Fit::Nothing(why))) => {
            let level = match security {
                Security::Insecure => Level::Note,
                Security::Secure | Security::Indeterminate => Level::Wrong,
            };
            let fix = format!(
                "Replace it: it fits nothing that this server shows ({why}), so servers that check DANE bring no mail where DNSSEC signs the name"
            );
            Some((level, fix))
        }
        Ok((_, Fit::Served | Fit::Next | Fit::Unknown)) => None,
    }
}

fn words(unusable: Unusable) -> String {
    match unusable {
        Unusable::Usage(usage @ (0 | 1)) => {
            format!("usage {usage} is not for mail between servers (RFC 7672 §3.1.3)")
        }
        Unusable::Usage(usage) => format!("usage {usage} means nothing"),
        Unusable::Selector(selector) => format!("selector {selector} means nothing"),
        Unusable::Matching(matching) => format!("matching type {matching} means nothing"),
        Unusable::Data(octets) => format!("{octets} octets are not as long as its matching type wants"),
    }
}

/// Whether records bind and none of them fits: the certificate in use, or the one that comes next.
pub fn lacks(served: &Served, lookup: &Lookup, is_next: bool) -> bool {
    let Lookup::Answer {
        records, security, ..
    } = lookup
    else {
        return false;
    };
    if *security == Security::Insecure {
        return false;
    }
    let all = all(served, records);
    let binds = all.iter().any(|one| one.standing.is_ok());
    let wanted = if is_next { Fit::Next } else { Fit::Served };
    let fits = all
        .iter()
        .any(|one| !one.hidden && (one.fits(&wanted) || one.fits(&Fit::Unknown)));
    // Of the next certificate only the key's hash is known: what has other parameters may be of it.
    let of_form = records.iter().all(|one| matches!(one, Answer::Tlsa(3, 1, 1, _)));
    binds && !fits && (of_form || !is_next)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
    use ring::digest::{SHA256, SHA512, digest};

    use super::*;
    use crate::control::dns::hex;

    const HOST: &str = "mail.example.org";
    /// Certificates made by a test run hold from 1975 to 4096.
    const NOW: UnixMs = UnixMs(1_795_000_000_000);

    /// A server whose chain has its own certificate and its authority's, and the parts that records are made of.
    struct Made {
        server: Server,
        own: Vec<u8>,
        own_key: Vec<u8>,
        above: Vec<u8>,
        above_key: Vec<u8>,
    }

    fn made(name: &str) -> Made {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = root.self_signed(&root_key).unwrap();
        let above_key = root_key.subject_public_key_info();
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let own = own.signed_by(&key, &issuer).unwrap();
        let own_key = key.subject_public_key_info();
        let chain = [own.der().to_vec(), authority.der().to_vec()];
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &own_key).as_ref());
        Made {
            server: Server {
                hostname: HOST.to_owned(),
                tlsa: Some(hex(hash)),
                chain: chain.iter().map(|one| STANDARD.encode(one)).collect(),
                ..Server::default()
            },
            own: chain[0].clone(),
            own_key,
            above: chain[1].clone(),
            above_key,
        }
    }

    fn record(usage: u8, selector: u8, matching: u8, shown: &[u8]) -> Answer {
        let data = match matching {
            1 => digest(&SHA256, shown).as_ref().to_vec(),
            2 => digest(&SHA512, shown).as_ref().to_vec(),
            _ => shown.to_vec(),
        };
        Answer::Tlsa(usage, selector, matching, data)
    }

    fn lookup(records: &[Answer]) -> Lookup {
        signed(records, Security::Secure)
    }

    fn signed(records: &[Answer], security: Security) -> Lookup {
        Lookup::Answer {
            records: records.to_vec(),
            ttl: std::time::Duration::ZERO,
            chain: Vec::new(),
            security,
        }
    }

    fn said(served: &Served, state: &str, records: &[Answer]) -> Said {
        said_of(served, state, (records, Security::Secure))
    }

    fn said_of(served: &Served, state: &str, (records, security): (&[Answer], Security)) -> Said {
        let wanted = Record {
            purpose: Purpose::Tlsa,
            name: format!("_25._tcp.{HOST}"),
            kind: "TLSA",
            value: String::new(),
            state: Some(state.to_owned()),
            remark: None,
        };
        let found = Found { records, security };
        judge(served, &wanted, &found)
    }

    #[test]
    fn tls_11_every_record_is_judged_by_its_own_parameters() {
        let made = made(HOST);
        let served = Served::of(&made.server, NOW);
        let other = b"something else";
        let (own, own_key, above, above_key) = (&made.own, &made.own_key, &made.above, &made.above_key);
        for matching in 0..=2 {
            for (usage, selector, shown, fits) in [
                (3, 0, own.as_slice(), true),
                (3, 1, own_key, true),
                (2, 0, above, true),
                (2, 1, above_key, true),
                (3, 0, own_key, false),
                (3, 1, own, false),
                (3, 0, above, false),
                (3, 1, above_key, false),
                (2, 0, own, false),
                (2, 1, own_key, false),
                (3, 1, other, false),
            ] {
                let one = [record(usage, selector, matching, shown)];
                let (level, fix) = said(&served, "served", &one);
                let want = if fits { Level::Good } else { Level::Wrong };
                assert_eq!(level, want, "{usage} {selector} {matching}: {fix}");
                let others = others(&served, "_25._tcp", Some(&lookup(&one)));
                assert_eq!(
                    others.len(),
                    usize::from(!fits),
                    "{usage} {selector} {matching}: {others:?}"
                );
                assert!(
                    others
                        .iter()
                        .all(|one| one.level == Level::Wrong && one.fix.starts_with("Replace it"))
                );
                assert_eq!(lacks(&served, &lookup(&one), false), !fits);
            }
        }
    }

    #[test]
    fn tls_11_records_that_fit_nothing_are_named_with_what_they_do() {
        let made = made(HOST);
        let served = Served::of(&made.server, NOW);
        let good = record(3, 1, 1, &made.own_key);
        let told = |more: Answer| {
            let all = [good.clone(), more];
            let (level, _) = said(&served, "served", &all);
            let others = others(&served, "_25._tcp", Some(&lookup(&all)));
            let fix = others.first().map(|one| (one.level, one.fix.clone()));
            (level, fix)
        };
        let note = |begin: &str, told: (Level, Option<(Level, String)>)| {
            let (level, fix) = told.1.expect("it is named");
            assert!(
                told.0 == Level::Good && level == Level::Note && fix.starts_with(begin),
                "{fix}"
            );
        };
        note(
            "Take it out: it fits nothing",
            told(record(3, 0, 1, b"an old certificate")),
        );
        note(
            "Take it out: no sender uses it for mail, because usage 1",
            told(record(1, 1, 1, b"x")),
        );
        note(
            "Take it out: no sender uses it for mail, because selector 7",
            told(record(3, 7, 1, b"x")),
        );
        note(
            "Take it out: no sender uses it for mail, because 4 octets",
            told(Answer::Tlsa(3, 1, 1, vec![0; 4])),
        );
        assert_eq!(told(record(2, 1, 1, &made.above_key)), (Level::Good, None));
        // A longer hash of the same kind is what senders go by, even a wrong one.
        let (level, fix) = told(record(3, 1, 2, b"an old key"));
        assert_eq!(
            (level, fix.map(|(level, _)| level)),
            (Level::Wrong, Some(Level::Wrong))
        );
    }

    #[test]
    fn tls_11_an_authority_counts_with_the_name_and_the_dates_of_the_certificate() {
        let other_name = made("other.example.org");
        let by_authority = |made: &Made, now| {
            let served = Served::of(&made.server, now);
            said(&served, "served", &[record(2, 1, 1, &made.above_key)]).0
        };
        assert_eq!(by_authority(&other_name, NOW), Level::Wrong);
        let made = made(HOST);
        assert_eq!(by_authority(&made, NOW), Level::Good);
        assert_eq!(by_authority(&made, UnixMs(1)), Level::Wrong, "before it holds");
    }

    #[test]
    fn tls_11_the_next_certificate_needs_its_record_or_its_authoritys() {
        let mut made = made(HOST);
        made.server.next_tlsa = Some("cd".repeat(32));
        let served = Served::of(&made.server, NOW);
        let next = Answer::Tlsa(3, 1, 1, vec![0xcd; 32]);
        let own = record(3, 1, 1, &made.own_key);
        let above = record(2, 1, 1, &made.above_key);
        let table: [(&[Answer], Level); 4] = [
            (&[own.clone(), next], Level::Good),
            (std::slice::from_ref(&own), Level::Wrong),
            (&[own.clone(), above], Level::Note),
            (&[], Level::Note),
        ];
        for (records, want) in table {
            let (level, fix) = said(&served, "next", records);
            assert_eq!(level, want, "{records:?}: {fix}");
        }
    }

    #[test]
    fn tls_11_what_dnssec_does_not_sign_binds_nobody() {
        let made = made(HOST);
        let served = Served::of(&made.server, NOW);
        let wrong = [record(3, 1, 1, b"an old key")];
        for (security, level, binds) in [
            (Security::Secure, Level::Wrong, true),
            (Security::Indeterminate, Level::Wrong, true),
            (Security::Insecure, Level::Note, false),
        ] {
            let lookup = signed(&wrong, security);
            assert_eq!(
                said_of(&served, "served", (&wrong, security)).0,
                level,
                "{security:?}"
            );
            assert_eq!(
                others(&served, "_25._tcp", Some(&lookup))[0].level,
                level,
                "{security:?}"
            );
            assert_eq!(lacks(&served, &lookup, false), binds, "{security:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_server_is_not_judged() {
        let server = Server {
            hostname: HOST.to_owned(),
            tlsa: Some("ab".repeat(32)),
            ..Server::default()
        };
        let served = Served::of(&server, NOW);
        let one = [record(3, 0, 1, b"a certificate")];
        assert_eq!(said(&served, "served", &one).0, Level::Note);
        assert!(others(&served, "_25._tcp", Some(&lookup(&one))).is_empty());
        assert!(!lacks(&served, &lookup(&one), false));
    }
}
