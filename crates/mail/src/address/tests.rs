use proptest::prelude::*;

use super::*;

#[test]
fn domains_are_kept_as_small_a_labels() {
    let label = "a".repeat(63);
    let long = format!("{label}.{label}.{label}.{}", "b".repeat(63));
    let table: &[(&str, Result<&str, BadAddress>)] = &[
        ("Example.COM", Ok("example.com")),
        ("localhost", Ok("localhost")),
        ("bücher.example", Ok("xn--bcher-kva.example")),
        ("BÜCHER.example", Ok("xn--bcher-kva.example")),
        ("XN--BCHER-KVA.example", Ok("xn--bcher-kva.example")),
        ("例え.テスト", Ok("xn--r8jz45g.xn--zckzah")),
        ("example\u{3002}com", Ok("example.com")),
        ("my_host.example", Ok("my_host.example")),
        (&long, Ok(&long)),
        ("", Err(BadAddress::Empty)),
        ("example.com.", Err(BadAddress::BadDomain)),
        (".example.com", Err(BadAddress::BadDomain)),
        ("a..b", Err(BadAddress::BadDomain)),
        ("-a.example", Err(BadAddress::BadDomain)),
        ("a-.example", Err(BadAddress::BadDomain)),
        ("a b.example", Err(BadAddress::BadDomain)),
        ("a@b.example", Err(BadAddress::BadDomain)),
        ("a\u{0}b", Err(BadAddress::Control)),
        ("a\r\nb", Err(BadAddress::Control)),
        ("xn--a.example", Err(BadAddress::BadDomain)),
        ("[192.0.2.1]", Ok("[192.0.2.1]")),
        ("[ipv6:2001:DB8::0:1]", Ok("[IPv6:2001:db8::1]")),
        ("[2001:db8::1]", Err(BadAddress::BadDomain)),
        ("[192.0.2.256]", Err(BadAddress::BadDomain)),
        ("[192.0.2.1", Err(BadAddress::Syntax)),
        ("[]", Err(BadAddress::BadDomain)),
    ];
    for (text, expected) in table {
        assert_eq!(
            Domain::parse(text).as_ref().map(Domain::as_str),
            expected.as_deref(),
            "{text}"
        );
    }
    assert_eq!(Domain::parse(&format!("{long}x")), Err(BadAddress::DomainTooLong));
    assert_eq!(
        Domain::parse(&format!("{label}x.example")),
        Err(BadAddress::DomainTooLong)
    );
    assert_eq!(
        Domain::parse("xn--bcher-kva.example").unwrap().to_unicode(),
        "bücher.example"
    );
    assert_eq!(
        Domain::parse("[IPv6:::1]").unwrap().literal(),
        Some("::1".parse().unwrap())
    );
    assert_eq!(Domain::parse("a.example").unwrap().literal(), None);
}

#[test]
fn local_parts_are_unquoted_and_quoted_again() {
    let table: &[(&str, &str, &str)] = &[
        ("alice", "alice", "alice"),
        ("Alice.B+tag", "Alice.B+tag", "Alice.B+tag"),
        ("\"alice\"", "alice", "alice"),
        ("\"al\\ice\"", "alice", "alice"),
        ("\"john doe\"", "john doe", "\"john doe\""),
        ("\"a@b\"", "a@b", "\"a@b\""),
        ("\"a\\\"b\\\\c\"", "a\"b\\c", "\"a\\\"b\\\\c\""),
        ("\".a..b.\"", ".a..b.", "\".a..b.\""),
        ("\"\"", "", "\"\""),
        ("user%other", "user%other", "user%other"),
        ("other!user", "other!user", "other!user"),
        ("jørgen", "jørgen", "jørgen"),
    ];
    for (written, kept, wire) in table {
        let local = LocalPart::parse(written, Utf8::Allowed).unwrap();
        assert_eq!(local.as_str(), *kept);
        assert_eq!(local.to_string(), *wire);
    }
    let long = "a".repeat(64);
    assert!(LocalPart::parse(&long, Utf8::Refused).is_ok());
    let refused: &[(&str, BadAddress)] = &[
        ("", BadAddress::Syntax),
        (".a", BadAddress::Syntax),
        ("a.", BadAddress::Syntax),
        ("a..b", BadAddress::Syntax),
        ("a b", BadAddress::Syntax),
        ("a@b", BadAddress::Syntax),
        ("\"a", BadAddress::Syntax),
        ("\"a\\", BadAddress::Syntax),
        ("\"a\"b", BadAddress::Syntax),
        ("\"a\rb\"", BadAddress::Control),
        ("\"a\\\nb\"", BadAddress::Control),
        ("jørgen", BadAddress::NeedsUtf8),
    ];
    for (text, fault) in refused {
        assert_eq!(LocalPart::parse(text, Utf8::Refused), Err(*fault), "{text:?}");
    }
    assert_eq!(
        LocalPart::parse(&format!("{long}a"), Utf8::Refused),
        Err(BadAddress::LocalTooLong)
    );
    assert_eq!(
        LocalPart::parse(&format!("\"{long}a\""), Utf8::Refused),
        Err(BadAddress::LocalTooLong)
    );
}

#[test]
fn mailboxes_fit_a_path() {
    let mailbox: Mailbox = "Alice@Example.TEST".parse().unwrap();
    assert_eq!(mailbox.to_string(), "Alice@example.test");
    assert!(!mailbox.needs_utf8());
    let wide = format!(
        "{}@{}.{}.{}.example",
        "a".repeat(64),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(51)
    );
    assert_eq!(wide.len(), 64 + 1 + 63 + 1 + 63 + 1 + 51 + 8);
    assert!(wide.parse::<Mailbox>().is_ok());
    let wider = wide.replace(".example", "ddd.example");
    assert_eq!(wider.parse::<Mailbox>(), Err(BadAddress::TooLong));
    assert_eq!("alice".parse::<Mailbox>(), Err(BadAddress::NoDomain));
    assert_eq!("@example.test".parse::<Mailbox>(), Err(BadAddress::Syntax));
    assert_eq!("a@b@c".parse::<Mailbox>(), Err(BadAddress::BadDomain));
    assert_eq!("a@".parse::<Mailbox>(), Err(BadAddress::NoDomain));
    assert_eq!("a@b>".parse::<Mailbox>(), Err(BadAddress::Syntax));
}

#[test]
fn keys_are_the_same_for_one_person() {
    let key = |text: &str| AddressKey::split(&text.parse().unwrap(), '+');
    assert_eq!(key("Alice@Example.TEST").0.as_str(), "alice@example.test");
    assert_eq!(
        key("ALICE+News@example.test"),
        (key("alice@example.test").0, Some("News".into()))
    );
    assert_eq!(key("alice+a+b@example.test").1.as_deref(), Some("a+b"));
    assert_eq!(key("alice+@example.test").1.as_deref(), Some(""));
    assert_eq!(key("+alice@example.test").0.local(), "+alice");
    assert_eq!(
        key("J\u{00d6}RG@example.test").0,
        key("jo\u{308}rg@example.test").0
    );
    assert_eq!(key("\"a@b\"@example.test").0.as_str(), "a@b@example.test");
    assert_eq!(key("\"a@b\"@example.test").0.domain(), "example.test");
    assert_ne!(key("alice@example.test").0, key("alice@example.org").0);
    let exact = AddressKey::exact(&"alice+news@example.test".parse().unwrap());
    assert_eq!(exact.local(), "alice+news");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn local_parts_round_trip(text in "\\PC{0,20}") {
        if let Ok(local) = LocalPart::from_unquoted(&text, Utf8::Allowed) {
            prop_assert_eq!(LocalPart::parse(&local.to_string(), Utf8::Allowed), Ok(local));
        }
    }

    #[test]
    fn domains_round_trip(text in "[a-zA-Zäß日Ω0-9._-]{1,30}") {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert!(domain.as_str().is_ascii());
            prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
        }
    }

    #[test]
    fn keys_fold_once(text in "\\PC{1,16}") {
        if let Ok(local) = LocalPart::from_unquoted(&text, Utf8::Allowed) {
            let domain = Domain::parse("example.test").unwrap();
            let key = AddressKey::exact(&Mailbox::new(local, domain.clone()).unwrap());
            if let Ok(again) = LocalPart::from_unquoted(key.local(), Utf8::Allowed) {
                prop_assert_eq!(AddressKey::exact(&Mailbox::new(again, domain).unwrap()), key);
            }
        }
    }
}
