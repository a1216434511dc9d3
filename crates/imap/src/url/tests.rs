use proptest::prelude::*;

use super::*;
use crate::command::SectionText;

fn url(text: &str) -> Option<Url> {
    Url::parse(text.as_bytes())
}

fn shown(text: &str) -> String {
    let Some(url) = url(text) else {
        return "none".to_owned();
    };
    let mailbox = url.mailbox.map_or("open".to_owned(), |name| name.to_string());
    let validity = url.uidvalidity.map_or(0, NonZeroU32::get);
    let part: Vec<u32> = url.section.part.iter().map(|number| number.get()).collect();
    let partial = url.partial.map(|partial| partial.within(1000));
    format!(
        "{mailbox} {validity} {} {part:?} {:?} {partial:?}",
        url.uid, url.section.text
    )
}

/// The forms of RFC 4469 §5 and RFC 5092 §9.
#[test]
fn urls_of_messages_and_parts() {
    for (text, wanted) in [
        ("/INBOX/;UID=20", "INBOX 0 20 [] All None"),
        (
            "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
            "Drafts 385759045 20 [] Header None",
        ),
        (
            "/Drafts;UIDVALIDITY=385759045/;UID=30/;section=1.MIME",
            "Drafts 385759045 30 [1] Mime None",
        ),
        (
            "/a/b%20c/;uid=3/;SECTION=1.2/;PARTIAL=10.20",
            "a/b c 0 3 [1, 2] All Some((10, 30))",
        ),
        ("/a/;UID=3/;PARTIAL=990", "a 0 3 [] All Some((990, 1000))"),
        ("/a/;UID=3/;PARTIAL=2000.5", "a 0 3 [] All Some((1000, 1000))"),
        (";UID=7/;SECTION=TEXT", "open 0 7 [] Text None"),
        ("/%C3%BCber/;UID=1", "über 0 1 [] All None"),
        (
            "imap://joe@example.com/INBOX/;UID=20/;SECTION=1.2",
            "INBOX 0 20 [1, 2] All None",
        ),
        (
            "IMAP://joe;AUTH=*@example.com:143/inbox;UIDVALIDITY=9/;UID=2",
            "INBOX 9 2 [] All None",
        ),
        (
            "/a/;UID=1/;SECTION=HEADER.FIELDS%20(To%20Subject)",
            "a 0 1 [] HeaderFields([\"To\", \"Subject\"]) None",
        ),
        (
            "/a/;UID=1/;SECTION=HEADER.FIELDS%20(a/b)/;PARTIAL=0.1",
            "a 0 1 [] HeaderFields([\"a/b\"]) Some((0, 1))",
        ),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn what_is_no_url_of_a_message() {
    for text in [
        "",
        "/",
        "/INBOX",
        "/INBOX/",
        "/INBOX;UID=1",
        "/INBOX/;UID=0",
        "/INBOX/;UID=*",
        "/INBOX/;UID=1:2",
        "/INBOX/;UID=+1",
        "/INBOX/;UID=4294967296",
        "/INBOX/;UID=1/",
        "/INBOX/;UID=1;SECTION=1",
        "/INBOX/;UID=1/;SECTION=",
        "/INBOX/;UID=1/;SECTION=0",
        "/INBOX/;UID=1/;SECTION=1/",
        "/INBOX/;UID=1/;SECTION=1]",
        "/INBOX/;UID=1/;PARTIAL=1.0",
        "/INBOX/;UID=1/;PARTIAL=0.5/;SECTION=1",
        "/INBOX/;UID=1/;BOGUS=1",
        "/INBOX;UIDVALIDITY=0/;UID=1",
        "/INBOX;UIDVALIDITY=1;UID=1",
        "//;UID=1",
        "/;UID=1",
        ";UIDVALIDITY=1/;UID=1",
        "/../;UID=1",
        "/a/../b/;UID=1",
        "/a%00b/;UID=1",
        "/a%0d%0ab/;UID=1",
        "/a%2/;UID=1",
        "/a%zz/;UID=1",
        "/%ff/;UID=1",
        "/a b/;UID=1",
        "/a\"b/;UID=1",
        "INBOX/;UID=1",
        "http://example.com/INBOX/;UID=1",
        "imap:///INBOX/;UID=1",
        "imap://@h/INBOX/;UID=1",
        "imap://a@h?/INBOX/;UID=1",
        "imap://joe@example.com/;UID=1",
        "imap://joe@example.com",
        "/INBOX/;UID=1;URLAUTH=bogus",
        "/INBOX/;UID=1;URLAUTH=user+",
        "/INBOX/;UID=1;URLAUTH=user",
        "/INBOX/;UID=1;URLAUTH=anonymous+x",
        "/INBOX/;UID=1;EXPIRE=2026-11-26T12:00:00Z",
        "/INBOX/;UID=1;EXPIRE=2026-11-31T12:00:00Z;URLAUTH=anonymous",
        "/INBOX/;UID=1;URLAUTH=anonymous;EXPIRE=2026-11-26T12:00:00Z",
        "/INBOX/;UID=1;URLAUTH=anonymous:internal",
        "/INBOX/;UID=1;URLAUTH=anonymous:internal:00",
        "/INBOX/;UID=1;URLAUTH=anonymous:internal:0000000000000000000000000000000x",
    ] {
        assert_eq!(url(text), None, "{text}");
    }
    assert_eq!(url(&format!("/{}/;UID=1", "a/".repeat(URL_BYTES))), None);
}

/// RFC 4467 §3, §9.
#[test]
fn urlauth_says_who_and_until_when() {
    let rump = "imap://joe@example.com/INBOX/;uid=20/;section=1.2;expire=2026-11-26T13:00:00+01:00;urlauth=submit+fred%2b1";
    let text = format!("{rump}:internal:91354a473744909de610943775f92038");
    let access = url(&text).and_then(|url| url.access).expect("an access");
    assert_eq!(access.who, Access::Submit("fred+1".to_owned()));
    assert_eq!(&text[..access.rump_bytes], rump);
    let expires = access.expires.map(|moment| moment.unix_seconds);
    assert_eq!(
        expires,
        Date::new(2026, 11, 26).map(|date| date.days_since_1970() * 86_400 + 12 * 3600)
    );
    let verifier = access.verifier.expect("a verifier");
    assert_eq!(
        (verifier.mechanism.as_str(), verifier.token.len()),
        ("INTERNAL", 16)
    );
    let rump = url(rump).and_then(|url| url.access).expect("an access");
    assert_eq!(rump.verifier, None);
    for (text, who) in [
        ("anonymous", Access::Anonymous),
        ("AuthUser", Access::AnyUser),
        ("user+a@b", Access::User("a@b".to_owned())),
    ] {
        let found = url(&format!(
            "imap://a@h/INBOX/;UID=1;URLAUTH={}",
            text.replace('@', "%40")
        ));
        assert_eq!(
            found.and_then(|url| url.access).map(|access| access.who),
            Some(who)
        );
    }
    let server = url("imap://joe%40example.com@h:143/INBOX/;UID=1")
        .and_then(|url| url.server)
        .expect("a server");
    assert_eq!(
        (server.user.as_deref(), server.host.as_str()),
        (Some("joe@example.com"), "h:143")
    );
    assert!(url("/a/;UID=1").is_some_and(|url| url.section.text == SectionText::All));
}

proptest! {
    /// Whatever comes, nothing panics, and what is accepted is one message of a name that can exist.
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..80), text in "[/;=a-zA-Z0-9.%:+@]{0,60}") {
        crate::fuzzing::fuzz_url(&octets);
        crate::fuzzing::fuzz_url(text.as_bytes());
        crate::fuzzing::fuzz_url(format!("/INBOX/;UID=1{text}").as_bytes());
        crate::fuzzing::fuzz_url(format!("imap://{text}/INBOX/;UID=1;URLAUTH={text}").as_bytes());
    }
}
