//! DMARC over zones: which domain decides, who may vouch, and what a domain wants done.

use std::net::IpAddr;
use std::sync::Arc;

use msgauth::author::Author;
use msgauth::desk::Desk;
use msgauth::dkim::signature::Algorithm;
use msgauth::dkim::{DkimEvidence, DkimReport, Rule as DkimRule};
use msgauth::dmarc::{self, DmarcEvidence, DmarcResult};
use msgauth::limits::{DMARC_QUESTIONS, DMARC_TIME};
use msgauth::spf::rule::Rule as SpfRule;
use msgauth::spf::{Identity, SpfEvidence, SpfResult};
use msgauth::suffixes::PublicSuffixes;
use testkit::clock::TokioClock;
use testkit::dns::SimDns;

const ZONE: &str = r#"
    _dmarc.example.com      TXT "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:a@example.com"
    example.com             A   192.0.2.1
    mail.example.com        A   192.0.2.1
    _dmarc.strict.example   TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
    _dmarc.test.example     TXT "v=DMARC1; p=reject; t=y"
    _dmarc.two.example      TXT "v=DMARC1; p=reject"
    _dmarc.two.example      TXT "v=DMARC1; p=none"
    _dmarc.bank             TXT "v=DMARC1; p=reject; np=quarantine; psd=y"
    one.bank                A   192.0.2.1
    _dmarc.corp.example     TXT "v=DMARC1; p=reject"
    _dmarc.unit.corp.example TXT "v=DMARC1; p=none; psd=n"
    _dmarc.reg.corp.example TXT "v=DMARC1; p=reject; psd=y"
    _dmarc.broken.example   !servfail
    _dmarc.down.example.com !servfail
    _dmarc.bad.example      TXT "v=DMARC1; p=refuse"
    _dmarc.co.uk            TXT "v=DMARC1; p=reject"
"#;

fn spf(result: SpfResult, domain: &str) -> SpfEvidence {
    SpfEvidence {
        result,
        domain: domain.to_owned(),
        identity: Identity::MailFrom,
        client: IpAddr::from([192, 0, 2, 1]),
        rule: SpfRule::NoRecord,
        explanation: None,
        asked: Vec::new(),
    }
}

fn dkim(rule: DkimRule, domain: &str) -> DkimReport {
    let evidence = DkimEvidence {
        result: rule.result(),
        domain: Some(domain.to_owned()),
        selector: Some("s".to_owned()),
        algorithm: Some(Algorithm::RsaSha256),
        key_bits: None,
        testing: false,
        rule,
        asked: Vec::new(),
    };
    DkimReport {
        signatures: vec![evidence],
        skipped: 0,
    }
}

async fn ask(author: &str, spf: &SpfEvidence, dkim: &DkimReport) -> DmarcEvidence {
    let clock = Arc::new(TokioClock::new());
    let dns = SimDns::new(clock.clone(), ZONE).expect("a zone");
    let mut desk = Desk::new(&dns, &*clock, DMARC_QUESTIONS, DMARC_TIME);
    let list = PublicSuffixes::parse("com\nexample\nbank\nuk\nco.uk");
    dmarc::check(
        &mut desk,
        Author::Domain(author.to_owned()),
        spf,
        dkim,
        Some(&list),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn aut_11_alignment_is_by_organization_or_strict() {
    let none = (spf(SpfResult::None, "there.example"), DkimReport::default());
    let table = [
        // author, SPF's pass, DKIM's pass, result
        ("example.com", "example.com", "", DmarcResult::Pass),
        ("example.com", "bounces.example.com", "", DmarcResult::Pass),
        ("news.example.com", "example.com", "", DmarcResult::Pass),
        ("example.com", "", "mail.example.com", DmarcResult::Pass),
        ("example.com", "evil.example", "evil.example", DmarcResult::Fail),
        ("example.com", "notexample.com", "com", DmarcResult::Fail),
        ("example.com", "example.com.evil.example", "", DmarcResult::Fail),
        ("strict.example", "strict.example", "", DmarcResult::Pass),
        (
            "strict.example",
            "mail.strict.example",
            "mail.strict.example",
            DmarcResult::Fail,
        ),
        ("corp.example", "", "unit.corp.example", DmarcResult::Fail),
        ("unit.corp.example", "corp.example", "", DmarcResult::Fail),
        ("unit.corp.example", "x.unit.corp.example", "", DmarcResult::Pass),
        ("one.bank", "two.bank", "bank", DmarcResult::Fail),
        // A walk ends at psd=y also where it begins (RFC 9989 §4.10, step 2).
        ("corp.example", "", "reg.corp.example", DmarcResult::Fail),
        ("reg.corp.example", "", "corp.example", DmarcResult::Fail),
        ("reg.corp.example", "", "reg.corp.example", DmarcResult::Pass),
        ("one.bank", "mail.one.bank", "", DmarcResult::Pass),
        ("shop.co.uk", "other.co.uk", "", DmarcResult::None),
        ("two.example", "two.example", "", DmarcResult::None),
        ("bad.example", "bad.example", "", DmarcResult::None),
        ("quiet.example", "quiet.example", "", DmarcResult::None),
    ];
    for (author, by_spf, by_dkim, want) in table {
        let spf = if by_spf.is_empty() {
            none.0.clone()
        } else {
            spf(SpfResult::Pass, by_spf)
        };
        let dkim = if by_dkim.is_empty() {
            none.1.clone()
        } else {
            dkim(DkimRule::Good, by_dkim)
        };
        let got = ask(author, &spf, &dkim).await;
        assert_eq!(got.result, want, "{author} {by_spf} {by_dkim}: {got}");
    }
}

#[tokio::test(start_paused = true)]
async fn aut_11_the_policy_is_of_the_right_tag() {
    let table = [
        ("example.com", Some("reject by p of example.com")),
        ("mail.example.com", Some("quarantine by sp of example.com")),
        ("nothing.example.com", Some("reject by np of example.com")),
        ("test.example", Some("quarantine by p of test.example")),
        ("one.bank", Some("reject by p of bank")),
        ("no.bank", Some("quarantine by np of bank")),
        ("quiet.example", None),
    ];
    for (author, want) in table {
        let got = ask(
            author,
            &spf(SpfResult::Fail, "evil.example"),
            &DkimReport::default(),
        )
        .await;
        let applied = got
            .applied
            .map(|applied| format!("{} by {} of {}", applied.policy, applied.tag, applied.domain));
        assert_eq!(applied.as_deref(), want, "{author}");
    }
}

#[tokio::test(start_paused = true)]
async fn aut_6_and_aut_7_only_a_pass_vouches() {
    for rule in [
        DkimRule::PartOfBody(1),
        DkimRule::ShortKey(512),
        DkimRule::WeakAlgorithm,
        DkimRule::Expired,
        DkimRule::BodyChanged,
        DkimRule::HeaderChanged,
        DkimRule::FromNotSigned,
        DkimRule::NoKey,
    ] {
        for result in [
            SpfResult::SoftFail,
            SpfResult::Neutral,
            SpfResult::PermError,
            SpfResult::None,
        ] {
            let got = ask(
                "example.com",
                &spf(result, "example.com"),
                &dkim(rule, "example.com"),
            )
            .await;
            assert_eq!(got.result, DmarcResult::Fail, "{rule:?} {result}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn aut_13_no_answer_is_neither_a_fail_nor_no_policy() {
    let passes = spf(SpfResult::Pass, "broken.example");
    assert_eq!(
        ask("broken.example", &passes, &DkimReport::default())
            .await
            .result,
        DmarcResult::TempError
    );
    assert_eq!(
        ask("x.broken.example", &passes, &DkimReport::default())
            .await
            .result,
        DmarcResult::TempError
    );
    let waits = spf(SpfResult::TempError, "bounces.example.com");
    let got = ask("example.com", &waits, &DkimReport::default()).await;
    assert_eq!(got.result, DmarcResult::TempError);
    assert_eq!(
        got.to_string(),
        "bounces.example.com by SPF might vouch for example.com, but DNS did not answer; \
         it wants for such mail: reject (p= in the record of example.com)"
    );
    // Of somebody who could not vouch anyway nothing is waited for.
    let other = spf(SpfResult::TempError, "evil.example");
    assert_eq!(
        ask("example.com", &other, &dkim(DkimRule::NoAnswer, "evil.example"))
            .await
            .result,
        DmarcResult::Fail
    );
    let good = dkim(DkimRule::Good, "example.com");
    assert_eq!(ask("example.com", &waits, &good).await.result, DmarcResult::Pass);
    // Nor of a relative's policy, where the author's own name vouches.
    let relative = spf(SpfResult::Pass, "down.example.com");
    assert_eq!(
        ask("example.com", &relative, &DkimReport::default()).await.result,
        DmarcResult::TempError
    );
    assert_eq!(
        ask("example.com", &relative, &good).await.result,
        DmarcResult::Pass
    );
}

/// The list and its tests, from the shared material.
#[test]
fn the_suite_of_the_public_suffix_list_passes_whole() {
    let shared = std::env::var_os("HEARTHPOST_SHARED").map_or_else(
        || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        std::path::PathBuf::from,
    );
    let folder = shared.join("suites/public-suffix");
    let Ok(list) = std::fs::read_to_string(folder.join("public_suffix_list.dat")) else {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return;
    };
    let list = PublicSuffixes::parse(&list);
    let tests = std::fs::read_to_string(folder.join("tests.txt")).expect("the tests");
    let mut played = 0;
    for line in tests.lines().filter(|line| !line.starts_with("//")) {
        let Some((name, want)) = line.split_once(' ') else {
            continue;
        };
        // What no mail domain can be is kept out before the list is asked.
        let Ok(name) = mail::address::Domain::parse(name) else {
            assert_eq!(want, "null", "{name}");
            continue;
        };
        let want = mail::address::Domain::parse(want).ok().filter(|_| want != "null");
        assert_eq!(
            list.registrable(name.as_str()),
            want.as_ref().map(|want| want.as_str()),
            "{name}"
        );
        played += 1;
    }
    assert!(played > 70, "{played}");
}
