//! SPF against hostile and broken DNS.

use std::sync::Arc;
use std::time::Duration;

use msgauth::desk::Desk;
use msgauth::limits::{SPF_QUESTIONS, SPF_TIME};
use msgauth::spf::{self, Question, Sender, SpfEvidence, SpfResult};
use testkit::clock::TokioClock;
use testkit::dns::SimDns;
use world::clock::Clock;

async fn ask(zone: &str, client: &str) -> (SpfEvidence, Duration, usize) {
    ask_of(zone, client, "ann@there.example").await
}

async fn ask_of(zone: &str, client: &str, reverse_path: &str) -> (SpfEvidence, Duration, usize) {
    let clock = Arc::new(TokioClock::new());
    let dns = SimDns::new(clock.clone(), zone).expect("a zone");
    let question = Question {
        client: client.parse().expect("an address"),
        hello: "mx.there.example",
        sender: Sender::of(reverse_path, "mx.there.example"),
        receiver: "here.example",
        now_s: 1,
    };
    let mut desk = Desk::new(&dns, &*clock, SPF_QUESTIONS, SPF_TIME);
    let evidence = spf::check(&mut desk, &question).await;
    (evidence, clock.monotonic().0, dns.asked().len())
}

/// Lines of a zone from a pattern in which `#` is a number.
fn lines(pattern: &str, numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|number| pattern.replace('#', &number.to_string()) + "\n")
        .collect()
}

#[tokio::test(start_paused = true)]
async fn aut_10_bombs_end_within_their_limits() {
    let wide = format!(
        "there.example TXT \"v=spf1 {} -all\"\n{}{}",
        lines("mx:m#.there.example", 0..10).replace('\n', " "),
        (0..10)
            .map(|mx| lines(&format!("m{mx}.there.example MX 1 h{mx}-#.there.example"), 0..10))
            .collect::<String>(),
        "x.example A 192.0.2.9"
    );
    let names = format!(
        "there.example TXT \"v=spf1 ptr exists:%{{p}}.x.example -all\"\n{}",
        lines("1.2.0.192.in-addr.arpa PTR n#.there.example", 0..500)
    );
    let table = [
        (
            "there.example TXT \"v=spf1 include:there.example -all\"".to_owned(),
            SpfResult::PermError,
            11,
        ),
        (
            "there.example TXT \"v=spf1 redirect=there.example\"".to_owned(),
            SpfResult::PermError,
            11,
        ),
        (wide, SpfResult::Fail, 111),
        (names, SpfResult::Fail, 13),
        (
            format!(
                "there.example TXT \"v=spf1 {} -all\"",
                lines("exists:n#.example", 0..5).replace('\n', " ")
            ),
            SpfResult::PermError,
            4,
        ),
        (
            format!(
                "there.example TXT \"v=spf1 mx -all\"\n{}",
                lines("there.example MX 1 h#.there.example", 0..11)
            ),
            SpfResult::PermError,
            2,
        ),
        (
            format!(
                "there.example TXT \"v=spf1 {} -all\"",
                "exists:%{S}%{S}%{S}.x.example ".repeat(200)
            ),
            SpfResult::PermError,
            4,
        ),
    ];
    for (zone, want, most) in table {
        let (evidence, _, asked) = ask(&zone, "192.0.2.1").await;
        assert_eq!(evidence.result, want, "{evidence}");
        assert!(asked <= most, "{asked} questions: {evidence}");
    }
}

#[tokio::test(start_paused = true)]
async fn aut_10_a_slow_domain_gets_twenty_seconds() {
    let zone = format!(
        "there.example TXT \"v=spf1 {} -all\"\n{}{}",
        lines("a:n#.example", 0..10).replace('\n', " "),
        lines("n#.example !delay 4s", 0..10),
        lines("n#.example A 192.0.2.77", 0..10)
    );
    let (evidence, took, _) = ask(&zone, "192.0.2.1").await;
    assert_eq!(evidence.result, SpfResult::TempError);
    assert_eq!(took, SPF_TIME);
}

#[tokio::test(start_paused = true)]
async fn aut_13_no_answer_is_never_an_answer() {
    for fault in ["!servfail", "!timeout", "!refused", "!bogus", "!malformed"] {
        let whole = format!("there.example {fault}");
        let inside = format!("there.example TXT \"v=spf1 a:x.example +all\"\nx.example {fault}");
        let included = format!("there.example TXT \"v=spf1 include:x.example +all\"\nx.example {fault}");
        for zone in [whole, inside, included] {
            let (evidence, ..) = ask(&zone, "192.0.2.1").await;
            assert_eq!(evidence.result, SpfResult::TempError, "{zone}");
        }
        // Nobody answers for the client's name: the domain's own words decide (RFC 7208 §5.5).
        let named = format!("there.example TXT \"v=spf1 ptr -all\"\n1.2.0.192.in-addr.arpa {fault}");
        assert_eq!(ask(&named, "192.0.2.1").await.0.result, SpfResult::Fail);
    }
}

#[tokio::test(start_paused = true)]
async fn the_rule_says_whose_record_and_which_term() {
    let zone = "there.example TXT \"v=spf1 include:_spf.there.example -all\"\n\
                _spf.there.example TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"";
    let (evidence, ..) = ask(zone, "192.0.2.1").await;
    assert_eq!(
        evidence.to_string(),
        "the reverse-path's domain there.example about 192.0.2.1: \
         \"include:_spf.there.example\" in the SPF record of there.example matched"
    );
    assert_eq!(
        evidence.asked[1].to_string(),
        "TXT _spf.there.example: \"\"v=spf1 ip4:192.0.2.0/24 ~all\"\"".replace("\"\"", "\"")
    );
    let (evidence, ..) = ask(zone, "::ffff:198.51.100.1").await;
    assert_eq!(evidence.result, SpfResult::Fail);
}

#[tokio::test(start_paused = true)]
async fn aut_10_an_explanation_is_ascii_and_short_whoever_the_sender_is() {
    let zone = format!(
        "there.example TXT \"v=spf1 exp=e.there.example -all\"\ne.there.example TXT \"x{}\"",
        "%{l}".repeat(40)
    );
    let (evidence, ..) = ask_of(&zone, "192.0.2.1", "a.long.name@there.example").await;
    assert_eq!(evidence.explanation.map(|text| text.len()), Some(441));
    // Letters of two octets each, one of which the limit would cut through.
    let sender = format!("{}@there.example", "\u{e9}".repeat(32));
    let (evidence, ..) = ask_of(&zone, "192.0.2.1", &sender).await;
    assert_eq!((evidence.result, evidence.explanation), (SpfResult::Fail, None));
}
