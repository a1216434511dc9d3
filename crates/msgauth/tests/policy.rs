//! The verdict, over whole messages and zones: what came in, which local rules hold, what happens.

use std::net::IpAddr;
use std::sync::Arc;

use msgauth::dkim::sign::{Signing, SigningKey};
use msgauth::examine::{Doors, Envelope, Evidence, Examination};
use msgauth::network::Network;
use msgauth::policy::{Decision, Local, Verdict, decide};
use msgauth::results::{Results, write};
use testkit::clock::{START, TokioClock};
use testkit::dns::SimDns;

const ZONE: &str = r#"
    there.example            TXT "v=spf1 ip4:192.0.2.1 -all"
    _dmarc.there.example     TXT "v=DMARC1; p=reject"
    soft.example             TXT "v=spf1 ip4:192.0.2.1 ~all"
    _dmarc.soft.example      TXT "v=DMARC1; p=quarantine"
    watch.example            TXT "v=spf1 ip4:192.0.2.1 ~all"
    _dmarc.watch.example     TXT "v=DMARC1; p=none"
    plain.example            TXT "v=spf1 ip4:192.0.2.1 -all"
    here.example             TXT "v=spf1 ip4:203.0.113.9 -all"
    evil.example             TXT "v=spf1 +all"
    _dmarc.silent.example    !timeout
    mute.example             TXT "v=spf1 ip4:192.0.2.1 -all"
    _dmarc.mute.example      !servfail
    broken.example           TXT "v=spf1 include:silent.example -all"
    silent.example           !servfail
    1.2.0.192.in-addr.arpa   PTR mx.there.example
    mx.there.example         A   192.0.2.1
"#;

async fn examine(message: &str, client: &str, reverse_path: &str, zone: &str) -> Evidence {
    let clock = Arc::new(TokioClock::new());
    let dns = SimDns::new(clock.clone(), &format!("{ZONE}\n{zone}")).expect("a zone");
    let at = mail::header::body_start(message.as_bytes());
    let mut examination = Examination::begin(&message.as_bytes()[..at]);
    examination.body(&message.as_bytes()[at..]);
    let doors = Doors {
        dns: &dns,
        clock: &*clock,
        suffixes: None,
    };
    let envelope = Envelope {
        client: client.parse::<IpAddr>().expect("an address"),
        hello: "mx.there.example",
        reverse_path,
        receiver: "mx.here.example",
    };
    examination.finish(doors, envelope).await
}

async fn judge(from: &str, client: &str, reverse_path: &str) -> Decision {
    let message = format!("From: {from}\r\nSubject: x\r\n\r\nbody\r\n");
    let own = ["here.example".to_owned(), "broken.example".to_owned()];
    let lenient = ["list.there.example".to_owned()];
    let local = Local {
        own: &own,
        lenient: &lenient,
        ..Local::default()
    };
    decide(&examine(&message, client, reverse_path, "").await, &local)
}

#[tokio::test(start_paused = true)]
async fn aut_14_and_aut_11_the_table_of_verdicts() {
    use Verdict::{Accept, Defer, Quarantine, Reject};
    let (good, bad) = ("192.0.2.1", "198.51.100.7");
    let table = [
        // from, client, reverse-path, verdict, may be forwarded
        ("a@there.example", good, "a@there.example", Accept, true),
        ("a@there.example", bad, "a@there.example", Reject, false),
        ("a@there.example", bad, "x@evil.example", Reject, false),
        ("a@list.there.example", bad, "x@evil.example", Accept, true),
        ("a@soft.example", bad, "x@evil.example", Quarantine, false),
        ("a@watch.example", bad, "x@evil.example", Accept, true),
        ("a@plain.example", good, "a@plain.example", Accept, true),
        ("a@plain.example", bad, "x@evil.example", Accept, true),
        // our own domains, from outside
        ("a@here.example", bad, "a@here.example", Reject, false),
        ("a@here.example", bad, "x@evil.example", Reject, false),
        ("a@here.example", "203.0.113.9", "a@here.example", Accept, true),
        ("a@here.example", "203.0.113.9", "", Reject, false),
        ("a@broken.example", bad, "a@broken.example", Defer, false),
        // DNS
        ("a@silent.example", bad, "x@evil.example", Defer, false),
        ("a@mute.example", bad, "x@evil.example", Defer, false),
        ("a@mute.example", good, "a@mute.example", Accept, true),
        // authors
        (
            "a@there.example, b@evil.example",
            bad,
            "x@evil.example",
            Reject,
            false,
        ),
        (
            "<a@there.example> <b@evil.example>",
            bad,
            "x@evil.example",
            Reject,
            false,
        ),
        ("nobody:;", bad, "x@evil.example", Reject, false),
        (
            "a@evil.example\r\nFrom: b@there.example",
            bad,
            "x@evil.example",
            Reject,
            false,
        ),
    ];
    for (from, client, reverse_path, want, forward) in table {
        let got = judge(from, client, reverse_path).await;
        // A lenient rule takes the message, and still does not hand it on.
        let forward = forward && from != "a@list.there.example";
        assert_eq!(
            (got.verdict, got.may_forward),
            (want, forward),
            "{from} {client} {reverse_path}: {got}"
        );
    }
}

/// What the operator says, in its order: no clear author, refused, brought by a server of ours, and only then who vouches.
#[tokio::test(start_paused = true)]
async fn aut_11_the_operators_word_comes_in_its_order() {
    use Verdict::{Accept, Reject};
    let (refused, own) = (["there.example".to_owned()], ["here.example".to_owned()]);
    let network = Network::new("192.0.2.0".parse().expect("an address"), 24);
    let plain = Local {
        own: &own,
        refused: &refused,
        ..Local::default()
    };
    let brought = Local {
        brought: Some(&network),
        ..plain
    };
    for (from, local, want, forward) in [
        ("a@there.example", &plain, Reject, false),
        ("a@list.there.example", &plain, Reject, false),
        ("a@elsethere.example", &plain, Accept, true),
        ("a@there.example", &brought, Reject, false),
        ("a@here.example", &plain, Reject, false),
        ("a@here.example", &brought, Accept, true),
        ("a@soft.example", &brought, Accept, true),
        ("a@silent.example", &brought, Accept, true),
        ("a@soft.example, b@there.example", &brought, Reject, false),
    ] {
        let message = format!("From: {from}\r\nSubject: x\r\n\r\nbody\r\n");
        // SPF vouches for there.example: the operator refuses it all the same.
        let evidence = examine(&message, "192.0.2.1", "a@there.example", "").await;
        let got = decide(&evidence, local);
        assert_eq!((got.verdict, got.may_forward), (want, forward), "{from}: {got}");
    }
}

#[tokio::test(start_paused = true)]
async fn aut_12_a_forward_does_not_launder() {
    // A forwarder writes its own reverse-path, which passes SPF, and leaves From: that vouches for nobody but itself.
    let zone = "fwd.example TXT \"v=spf1 ip4:192.0.2.1 -all\"";
    let message = "From: a@there.example\r\n\r\nbody\r\n";
    let evidence = examine(message, "192.0.2.1", "srs0=x=y=there.example=a@fwd.example", zone).await;
    assert_eq!(evidence.spf.result.to_string(), "pass");
    let decision = decide(&evidence, &Local::default());
    assert_eq!((decision.verdict, decision.may_forward), (Verdict::Reject, false));
}

#[tokio::test(start_paused = true)]
async fn aut_5_our_field_holds_no_words_of_others() {
    let key = SigningKey::ed25519("there.example", "e1", &[7; 32]).expect("a key");
    let header = "From: a@there.example\r\n\r\n";
    let mut signing = Signing::begin(header.as_bytes());
    signing.body(b"body\r\n");
    let fields =
        String::from_utf8(signing.finish(std::slice::from_ref(&key), START.0 / 1000)).expect("ASCII");
    let zone = format!("{} TXT \"{}\"", key.record_name(), key.record());
    let written = |evidence: &Evidence| {
        let results = Results {
            spf: &evidence.spf,
            dkim: &evidence.dkim,
            dmarc: &evidence.dmarc,
            arc: &evidence.arc,
            iprev: &evidence.iprev,
        };
        String::from_utf8(write("mx.here.example", &results)).expect("ASCII")
    };
    let message = format!("{fields}{header}body\r\n");
    let evidence = examine(&message, "192.0.2.1", "a@there.example", &zone).await;
    assert_eq!(
        written(&evidence),
        "Authentication-Results: mx.here.example;\r\n spf=pass smtp.mailfrom=there.example;\r\n \
         dkim=pass header.d=there.example header.s=e1 header.a=ed25519-sha256;\r\n \
         dmarc=pass (p=reject) header.from=there.example;\r\n arc=none;\r\n iprev=pass policy.iprev=192.0.2.1\r\n"
    );
    let hostile =
        "DKIM-Signature: v=1; a=rsa-sha256; d=evil.example(; s=x dmarc=pass; h=from; bh=AA==; b=AA==\r\n";
    let message = format!("{hostile}From: \"x; dmarc=pass\" <a@there.example>\r\n\r\nbody\r\n");
    for path in [
        "\"; dmarc=pass\"@evil.example",
        "a@evil.example; dmarc=pass",
        "a@evil.example\r\nX: y",
    ] {
        let evidence = examine(&message, "2001:db8::1", path, "").await;
        let field = written(&evidence);
        assert_eq!(field.matches("dmarc=").count(), 1, "{field}");
        assert!(
            field.contains("dmarc=fail") && field.contains("policy.iprev=\"2001:db8::1\""),
            "{field}"
        );
        assert_eq!(mail::header::Fields::new(field.as_bytes()).count(), 1);
    }
}

/// The forms of "Composition Kills" (Chen, Paxson, Jiang; USENIX Security 2020): the attacker has a domain of its own with good SPF and
/// DKIM, and wants to be taken for legit.example, which wants such mail refused.
#[tokio::test(start_paused = true)]
async fn aut_1_no_trick_makes_an_attackers_mail_pass_as_the_victims() {
    let key = SigningKey::ed25519("attack.example", "k", &[7; 32]).expect("a key");
    let zone = format!(
        "attack.example TXT \"v=spf1 ip4:192.0.2.66 -all\"\nhelo.attack.example TXT \"v=spf1 ip4:192.0.2.66 -all\"\n\
         legit.example TXT \"v=spf1 -all\"\nlegit.example A 192.0.2.1\n_dmarc.legit.example TXT \"v=DMARC1; p=reject\"\n\
         {} TXT \"{}\"\n",
        key.record_name(),
        key.record()
    );
    let attacks: &[(&str, &str)] = &[
        // MAIL FROM and HELO
        ("", "From: admin@legit.example\r\n"),
        ("any@attack.example", "From: admin@legit.example\r\n"),
        (
            "(any@legit.example,@attack.example",
            "From: admin@legit.example\r\n",
        ),
        (
            "any@legit.example'@attack.example",
            "From: admin@legit.example\r\n",
        ),
        (
            "any@legit.example\0@attack.example",
            "From: admin@legit.example\r\n",
        ),
        (
            "any@[legit.example]@attack.example",
            "From: admin@legit.example\r\n",
        ),
        // subdomains
        ("any@attack.example", "From: admin@notexist.legit.example\r\n"),
        // From, twice
        (
            "any@attack.example",
            "From: x@attack.example\r\nFrom: admin@legit.example\r\n",
        ),
        (
            "any@attack.example",
            "From: admin@legit.example\r\nFrom: x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            "From : admin@legit.example\r\nFrom: x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            "From\t: admin@legit.example\r\nFrom: x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            " From: admin@legit.example\r\nFrom: x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            "From\0: admin@legit.example\r\nFrom: x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            "From: x@attack.example\r\n From: admin@legit.example\r\n",
        ),
        (
            "any@attack.example",
            "Subject: x\r\n\tFrom: <admin@legit.example>\r\nFrom: x@attack.example\r\n",
        ),
        // From, one field
        (
            "any@attack.example",
            "From: <x@attack.example>, <admin@legit.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: admin@legit.example, <x@attack.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: <@attack.example,@any.example:admin@legit.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: <x@attack.example>\\,<admin@legit.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: <x@attack.example>admin@legit.example\r\n",
        ),
        (
            "any@attack.example",
            "From: admin@legit.example<x@attack.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: <admin@legit.example\0x@attack.example>\r\n",
        ),
        (
            "any@attack.example",
            "From: <admin@legit.example(x@attack.example)>\r\n",
        ),
        ("any@attack.example", "From: admin@legit.example (x\r\n"),
        (
            "any@attack.example",
            "From: <admin@legit.example>x@attack.example\r\n",
        ),
        (
            "any@attack.example",
            "From: bs64 <=?utf-8?B?YWRtaW5AbGVnaXQuZXhhbXBsZQ==?=@attack.example>, admin@legit.example\r\n",
        ),
        ("any@attack.example", "From: admin@legit.example.\r\n"),
        ("any@attack.example", "From: admin@LEGIT.example\r\n"),
        // no From, or another field in its place
        ("any@attack.example", "Sender: admin@legit.example\r\n"),
        (
            "any@attack.example",
            "Resent-From: x@attack.example\r\nFrom: admin@legit.example\r\n",
        ),
    ];
    // The attacker's own signature, over whatever it sends; and signatures with its own names written oddly.
    let odd = [
        "",
        "DKIM-Signature: v=1; a=ed25519-sha256; d=legit.example(.attack.example; s=k; h=from; bh=AA==; b=AA==\r\n",
        "DKIM-Signature: v=1; a=ed25519-sha256; d=legit.example\0.attack.example; s=k; h=from; bh=AA==; b=AA==\r\n",
        "DKIM-Signature: v=1; a=ed25519-sha256; d=legit.example; s=attack.example\0; h=from; bh=AA==; b=AA==\r\n",
        "DKIM-Signature: v=1; a=ed25519-sha256; d=legit.example'a.attack.example; s=k; h=from; bh=AA==; b=AA==\r\n",
        "Authentication-Results: mx.here.example; dmarc=pass header.from=legit.example\r\n",
    ];
    for (reverse_path, header) in attacks {
        for odd in odd {
            let header = format!("{odd}{header}To: b@here.example\r\n\r\n");
            let mut signing = Signing::begin(header.as_bytes());
            signing.body(b"body\r\n");
            let field = String::from_utf8(signing.finish([&key], START.0 / 1000)).expect("ASCII");
            let message = format!("{field}{header}body\r\n");
            let evidence = examine(&message, "192.0.2.66", reverse_path, &zone).await;
            let decision = decide(&evidence, &Local::default());
            assert_eq!(
                decision.verdict,
                Verdict::Reject,
                "{reverse_path:?} {header:?}: {decision}"
            );
            assert_ne!(
                evidence.dmarc.result.to_string(),
                "pass",
                "{reverse_path:?} {header:?}"
            );
        }
    }
}
