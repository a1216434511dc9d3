//! AUT-4 within the crates: DMARC's author, IMAP's ENVELOPE and the keys of SORT read real and made From fields alike, and where mail-auth
//! reads another author nobody passes.

use msgauth::author::Author;
use oracles::classes::{Class, Tally};
use oracles::corpus;
use oracles::judge::Judge;
use oracles::letters::Dice;
use oracles::zone::Zone;

/// From fields that are made.
const FIELDS: u64 = 60_000;

const PIECES: &[&str] = &[
    "a@evil.example",
    "v@victim.example",
    "<a@evil.example>",
    "<v@victim.example>",
    "\"v@victim.example\"",
    "(v@victim.example)",
    "Ann",
    "\"Ann\"",
    ",",
    ";",
    ":",
    "Team:",
    "<",
    ">",
    "@",
    "(",
    ")",
    "\"",
    "\\",
    " ",
    "\r\n ",
    "\t",
    "=?utf-8?q?v=40victim.example?=",
    "@victim.example:",
    "caf\u{e9}",
    "\0",
    ".",
    "a",
    "evil.example",
    "b@evil.example",
    "<>",
    "\\\"",
    "[127.0.0.1]",
    "'",
    "\u{3002}",
];

fn made(seed: u64) -> Vec<u8> {
    let dice = &mut Dice::new(seed ^ 0xf0f0);
    let mut value: String = (0..1 + dice.below(6)).map(|_| dice.one(PIECES)).collect();
    if dice.once_in(3) {
        value.push_str(dice.one(&[" <a@evil.example>", ", a@evil.example", " a@evil.example"]));
    }
    format!("From: {value}\r\nSubject: x\r\n\r\n").into_bytes()
}

/// The domains that IMAP shows, as DNS knows them; `None` where one is none.
fn displayed(header: &[u8]) -> Vec<Option<String>> {
    let envelope = mail::envelope::Envelope::parse(header);
    let hosts = envelope.from.into_iter().filter_map(|one| one.host);
    hosts
        .map(|host| {
            let read = std::str::from_utf8(&host).ok().map(mail::address::Domain::parse);
            read.and_then(Result::ok).map(|domain| domain.as_str().to_owned())
        })
        .collect()
}

/// What our own roads must agree on.
fn agree(header: &[u8]) -> Author {
    let at = mail::header::body_start(header);
    let scanned = mail::header::Header::scan(&header[..at]);
    let author = scanned.map_or(Author::Unreadable, |header| Author::of(&header));
    let shown = displayed(&header[..at]);
    if let Author::Domain(domain) = &author {
        let same = shown.iter().all(|host| host.as_ref() == Some(domain));
        assert!(
            same && !shown.is_empty(),
            "{author}: {shown:?} {}",
            header.escape_ascii()
        );
        let keys = mail::sort_keys::SortKeys::of(&header[..at]);
        let first = mail::envelope::Envelope::parse(&header[..at])
            .from
            .into_iter()
            .next();
        let local = first.and_then(|first| first.mailbox).unwrap_or_default();
        let key = mail::collation::fold(&mail::decode::text(&local));
        assert_eq!(keys.from, key, "{}", header.escape_ascii());
    }
    author
}

const SPACE_IN_DOMAIN: Class = Class {
    name: "white space or a comment beside the @ or a dot of the domain",
    standard: "RFC 5322 §4.4",
    verdict: "ours: obsolete, and it does not belong to the name; mail-auth reads it as a part, or no domain: nobody can own such a name",
};

fn theirs(judge: &Judge, message: &[u8]) -> Vec<String> {
    let mut domains: Vec<String> = judge
        .authors(message)
        .iter()
        .map(|author| {
            author
                .rsplit_once('@')
                .map_or("", |(_, domain)| domain)
                .to_ascii_lowercase()
        })
        .map(|domain| mail::address::Domain::parse(&domain).map_or(domain, |read| read.as_str().to_owned()))
        .collect();
    domains.sort();
    domains.dedup();
    domains
}

fn compare(tally: &mut Tally, judge: &Judge, message: &[u8]) -> bool {
    // Who does not pass with us passes with nobody: only one author is compared.
    let Author::Domain(domain) = agree(message) else {
        return false;
    };
    let theirs = theirs(judge, message);
    let ours = vec![domain];
    let class = || {
        let bare = theirs.iter().map(|one| one.replace([' ', '\t', '\r', '\n'], ""));
        let empty = theirs.iter().all(String::is_empty) && message.windows(2).any(|pair| pair == b"@(");
        (empty || bare.eq(ours.iter().cloned())).then_some(SPACE_IN_DOMAIN)
    };
    tally.note(&ours, &theirs, class, || {
        String::from_utf8_lossy(&message[..message.len().min(300)]).into_owned()
    });
    true
}

#[tokio::test]
async fn aut_4_made_from_fields_have_one_author_or_none_on_every_road() {
    let judge = Judge::of(&Zone::default());
    let mut tally = Tally::default();
    let mut one = 0;
    for seed in 0..FIELDS {
        one += usize::from(compare(&mut tally, &judge, &made(seed)));
    }
    println!("{one} of {FIELDS} have one author");
    tally.end("made From fields, mail-auth");
    assert!(one > FIELDS as usize / 50, "{one}");
}

#[tokio::test]
async fn aut_4_real_from_fields_have_the_same_author_on_every_road() {
    let judge = Judge::of(&Zone::default());
    let mut tally = Tally::default();
    let messages = corpus::messages(1);
    let mut one = 0;
    for message in &messages {
        one += usize::from(compare(&mut tally, &judge, message));
    }
    println!("{one} of {} have one author", messages.len());
    tally.end("real From fields, mail-auth");
    assert!(messages.is_empty() || one > messages.len() * 9 / 10, "{one}");
}
