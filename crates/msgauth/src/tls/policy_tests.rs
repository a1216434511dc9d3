//! The table of the rule, and what holds for all of it.

use proptest::prelude::*;

use super::*;

fn usable() -> Dane {
    let record = TlsaRecord::new(3, 1, 1, vec![7; 32]).expect("usable");
    Dane::Usable {
        records: vec![record].into(),
        base: "mx.there.test".to_owned(),
        names: vec!["mx.there.test".to_owned()].into(),
    }
}

fn unusable() -> Dane {
    Dane::Unusable {
        base: "mx.there.test".to_owned(),
    }
}

fn failed(failure: Failure) -> Dane {
    Dane::Failed {
        base: "mx.there.test".to_owned(),
        failure,
    }
}

fn host(fits: bool) -> StsHost {
    StsHost {
        fits,
        id: "1".to_owned(),
        patterns: vec!["*.there.test".to_owned()].into(),
    }
}

fn listed(what: Required, fits: bool) -> Listed {
    let by = ListedBy::Operator;
    Listed::Required { by, what, fits }
}

/// One word for a demand.
fn word(demand: &Demand) -> &'static str {
    match demand {
        Demand::Clear => "clear",
        Demand::Opportunistic => "opportunistic",
        Demand::Encrypted => "encrypted",
        Demand::WebPki => "webpki",
        Demand::Dane { .. } => "dane",
        Demand::Refuse(Refusal::Later) => "later",
        Demand::Refuse(Refusal::Never) => "never",
    }
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn tls_4_the_rule_is_the_strictest_of_those_who_may_ask() {
    let (secure, insecure) = (Found::Secure, Found::Insecure);
    let route = Found::Route(RouteTls::DaneOrVerified);
    let none = || Dane::Absent;
    let unsigned = || Dane::Insecure;
    let any = Wish::Nothing;
    let list = |what| listed(what, true);
    let operator = ListedBy::Operator;
    let (encrypted, verified) = (Required::Encrypted, Required::Verified);
    let table = [
        // nobody asks
        (
            insecure,
            unsigned(),
            Sts::None,
            Listed::No,
            any,
            "opportunistic",
            Reason::Nobody,
        ),
        (
            secure,
            none(),
            Sts::None,
            Listed::No,
            any,
            "opportunistic",
            Reason::Nobody,
        ),
        // DANE
        (secure, usable(), Sts::None, Listed::No, any, "dane", Reason::Dane),
        (
            secure,
            unusable(),
            Sts::None,
            Listed::No,
            any,
            "encrypted",
            Reason::DaneUnusable,
        ),
        (
            secure,
            failed(Failure::Bogus),
            Sts::None,
            Listed::No,
            any,
            "later",
            Reason::DaneFailed(Failure::Bogus),
        ),
        (
            secure,
            failed(Failure::ServFail),
            Sts::Enforce(host(true)),
            list(verified),
            any,
            "later",
            Reason::DaneFailed(Failure::ServFail),
        ),
        // DANE of a host that unsigned MX records name (RFC 7672 §2.2.1)
        (
            insecure,
            usable(),
            Sts::None,
            Listed::No,
            any,
            "dane",
            Reason::DaneOfHost,
        ),
        (
            insecure,
            usable(),
            Sts::Testing(host(false)),
            list(verified),
            any,
            "dane",
            Reason::DaneOfHost,
        ),
        (
            insecure,
            usable(),
            Sts::Enforce(host(true)),
            Listed::No,
            any,
            "dane",
            Reason::Dane,
        ),
        (
            insecure,
            usable(),
            Sts::Enforce(host(false)),
            Listed::No,
            any,
            "later",
            Reason::StsHost,
        ),
        (
            insecure,
            usable(),
            Sts::None,
            listed(verified, false),
            any,
            "later",
            Reason::ListedHost(operator),
        ),
        (
            insecure,
            unusable(),
            Sts::None,
            Listed::No,
            any,
            "encrypted",
            Reason::DaneUnusable,
        ),
        (
            insecure,
            failed(Failure::ServFail),
            Sts::None,
            Listed::No,
            any,
            "later",
            Reason::DaneFailed(Failure::ServFail),
        ),
        (
            insecure,
            usable(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "never",
            Reason::RequireTlsForgeable,
        ),
        (
            insecure,
            usable(),
            Sts::Testing(host(true)),
            Listed::No,
            Wish::RequireTls,
            "dane",
            Reason::DaneOfHost,
        ),
        (
            insecure,
            usable(),
            Sts::None,
            Listed::No,
            Wish::NotRequired,
            "opportunistic",
            Reason::NotRequired,
        ),
        // MTA-STS
        (
            insecure,
            unsigned(),
            Sts::Testing(host(false)),
            Listed::No,
            any,
            "opportunistic",
            Reason::Nobody,
        ),
        (
            insecure,
            unsigned(),
            Sts::Enforce(host(true)),
            Listed::No,
            any,
            "webpki",
            Reason::Sts,
        ),
        (
            insecure,
            unsigned(),
            Sts::Enforce(host(false)),
            Listed::No,
            any,
            "later",
            Reason::StsHost,
        ),
        (
            secure,
            none(),
            Sts::Enforce(host(true)),
            Listed::No,
            any,
            "webpki",
            Reason::Sts,
        ),
        // MTA-STS, and there was no place to fetch the policy
        (
            insecure,
            unsigned(),
            Sts::Awaited,
            list(encrypted),
            any,
            "later",
            Reason::StsAwaited,
        ),
        (
            secure,
            unusable(),
            Sts::Awaited,
            Listed::No,
            Wish::RequireTls,
            "later",
            Reason::StsAwaited,
        ),
        (
            secure,
            usable(),
            Sts::Awaited,
            Listed::No,
            any,
            "dane",
            Reason::Dane,
        ),
        (
            insecure,
            usable(),
            Sts::Awaited,
            Listed::No,
            any,
            "later",
            Reason::StsAwaited,
        ),
        (
            insecure,
            unsigned(),
            Sts::Awaited,
            Listed::No,
            Wish::NotRequired,
            "opportunistic",
            Reason::NotRequired,
        ),
        // both: RFC 8461 §2
        (
            secure,
            usable(),
            Sts::Enforce(host(false)),
            Listed::No,
            any,
            "dane",
            Reason::Dane,
        ),
        (
            secure,
            unusable(),
            Sts::Enforce(host(true)),
            Listed::No,
            any,
            "webpki",
            Reason::Sts,
        ),
        (
            secure,
            unusable(),
            Sts::Testing(host(true)),
            Listed::No,
            any,
            "encrypted",
            Reason::DaneUnusable,
        ),
        // the list raises and never lowers
        (
            insecure,
            unsigned(),
            Sts::None,
            list(encrypted),
            any,
            "encrypted",
            Reason::Listed(operator),
        ),
        (
            insecure,
            unsigned(),
            Sts::None,
            list(verified),
            any,
            "webpki",
            Reason::Listed(operator),
        ),
        (
            insecure,
            unsigned(),
            Sts::Enforce(host(true)),
            list(encrypted),
            any,
            "webpki",
            Reason::Sts,
        ),
        (
            secure,
            usable(),
            Sts::None,
            list(verified),
            any,
            "dane",
            Reason::Dane,
        ),
        (
            secure,
            unusable(),
            Sts::None,
            list(verified),
            any,
            "webpki",
            Reason::Listed(operator),
        ),
        (
            secure,
            usable(),
            Sts::None,
            listed(verified, false),
            any,
            "later",
            Reason::ListedHost(operator),
        ),
        // REQUIRETLS
        (
            insecure,
            unsigned(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "never",
            Reason::RequireTlsForgeable,
        ),
        (
            insecure,
            unsigned(),
            Sts::Testing(host(true)),
            Listed::No,
            Wish::RequireTls,
            "webpki",
            Reason::RequireTls,
        ),
        (
            insecure,
            unsigned(),
            Sts::Testing(host(false)),
            Listed::No,
            Wish::RequireTls,
            "never",
            Reason::RequireTlsForgeable,
        ),
        (
            secure,
            none(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "webpki",
            Reason::RequireTls,
        ),
        (
            secure,
            unusable(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "webpki",
            Reason::RequireTls,
        ),
        (
            secure,
            usable(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "dane",
            Reason::Dane,
        ),
        // its report does not have to
        (
            insecure,
            unsigned(),
            Sts::None,
            Listed::No,
            Wish::RequireTlsReport,
            "opportunistic",
            Reason::Nobody,
        ),
        (
            secure,
            usable(),
            Sts::None,
            Listed::No,
            Wish::RequireTlsReport,
            "dane",
            Reason::Dane,
        ),
        // TLS-Required: No leaves out what the recipient's side says, not what our operator says
        (
            secure,
            usable(),
            Sts::None,
            Listed::No,
            Wish::NotRequired,
            "opportunistic",
            Reason::NotRequired,
        ),
        (
            secure,
            failed(Failure::Bogus),
            Sts::Enforce(host(false)),
            Listed::No,
            Wish::NotRequired,
            "opportunistic",
            Reason::NotRequired,
        ),
        (
            insecure,
            unsigned(),
            Sts::Enforce(host(true)),
            list(encrypted),
            Wish::NotRequired,
            "encrypted",
            Reason::Listed(operator),
        ),
        // the operator's routes
        (
            Found::Route(RouteTls::None),
            none(),
            Sts::None,
            Listed::No,
            any,
            "clear",
            Reason::Route,
        ),
        (
            Found::Route(RouteTls::None),
            none(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "never",
            Reason::RequireTlsRoute,
        ),
        (
            Found::Route(RouteTls::Opportunistic),
            none(),
            Sts::None,
            Listed::No,
            any,
            "opportunistic",
            Reason::Route,
        ),
        (
            Found::Route(RouteTls::Opportunistic),
            none(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "webpki",
            Reason::RequireTls,
        ),
        (
            Found::Route(RouteTls::Verified),
            none(),
            Sts::None,
            Listed::No,
            Wish::NotRequired,
            "webpki",
            Reason::Route,
        ),
        // whose setting leaves it to the TLSA records of the server that they name
        (
            route,
            unsigned(),
            Sts::None,
            Listed::No,
            any,
            "webpki",
            Reason::Route,
        ),
        (
            route,
            none(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "webpki",
            Reason::Route,
        ),
        (
            route,
            unusable(),
            Sts::None,
            Listed::No,
            Wish::NotRequired,
            "webpki",
            Reason::Route,
        ),
        (route, usable(), Sts::None, Listed::No, any, "dane", Reason::Dane),
        (
            route,
            usable(),
            Sts::None,
            Listed::No,
            Wish::RequireTls,
            "dane",
            Reason::Dane,
        ),
        (
            route,
            failed(Failure::Timeout),
            Sts::None,
            Listed::No,
            any,
            "later",
            Reason::DaneFailed(Failure::Timeout),
        ),
    ];
    for (found, dane, sts, listed, wish, want, reason) in table {
        let evidence = Evidence {
            found,
            dane,
            sts,
            sts_unsure: false,
            listed,
            wish,
        };
        let rule = decide(&evidence);
        assert_eq!((word(&rule.demand), rule.reason), (want, reason), "{evidence:?}");
    }
}

#[test]
fn tls_12_a_policy_that_could_not_be_had_now_is_waited_for() {
    let evidence = |sts, sts_unsure, wish| Evidence {
        found: Found::Insecure,
        dane: Dane::Insecure,
        sts,
        sts_unsure,
        listed: Listed::No,
        wish,
    };
    let (later, never) = (Demand::Refuse(Refusal::Later), Demand::Refuse(Refusal::Never));
    for (evidence, demand) in [
        (evidence(Sts::None, true, Wish::RequireTls), later),
        (evidence(Sts::None, false, Wish::RequireTls), never),
        (
            evidence(Sts::Enforce(host(true)), true, Wish::RequireTls),
            Demand::WebPki,
        ),
        (evidence(Sts::None, true, Wish::Nothing), Demand::Opportunistic),
    ] {
        assert_eq!(decide(&evidence).demand, demand, "{evidence:?}");
    }
}

#[test]
fn tls_4_what_a_connection_is_meets_a_demand_or_does_not() {
    let grades = [
        Grade::Clear,
        Grade::Encrypted,
        Grade::WebPki,
        Grade::Dane,
        Grade::Both,
    ];
    let Dane::Usable { records, names, .. } = usable() else {
        unreachable!("it is usable");
    };
    let table = [
        (Demand::Clear, [true; 5]),
        (Demand::Opportunistic, [true; 5]),
        (Demand::Encrypted, [false, true, true, true, true]),
        (Demand::WebPki, [false, false, true, false, true]),
        (Demand::Dane { records, names }, [false, false, false, true, true]),
        (Demand::Refuse(Refusal::Later), [false; 5]),
    ];
    for (demand, want) in table {
        assert_eq!(grades.map(|grade| demand.is_met_by(grade)), want, "{demand:?}");
        assert_eq!(demand.may_be_clear(), want[0], "{demand:?}");
    }
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let found = prop_oneof![
        Just(Found::Secure),
        Just(Found::Insecure),
        Just(Found::Route(RouteTls::None)),
        Just(Found::Route(RouteTls::Opportunistic)),
        Just(Found::Route(RouteTls::Verified)),
        Just(Found::Route(RouteTls::DaneOrVerified)),
    ];
    let dane = prop_oneof![
        Just(Dane::Insecure),
        Just(Dane::Absent),
        Just(usable()),
        Just(unusable()),
        Just(failed(Failure::Bogus)),
        Just(failed(Failure::Timeout)),
    ];
    let sts = prop_oneof![
        Just(Sts::None),
        Just(Sts::Awaited),
        any::<bool>().prop_map(|fits| Sts::Testing(host(fits))),
        any::<bool>().prop_map(|fits| Sts::Enforce(host(fits))),
    ];
    let list = prop_oneof![
        Just(Listed::No),
        any::<(bool, bool)>().prop_map(|(verified, fits)| {
            let what = if verified {
                Required::Verified
            } else {
                Required::Encrypted
            };
            listed(what, fits)
        }),
    ];
    let wish = prop_oneof![
        Just(Wish::Nothing),
        Just(Wish::RequireTls),
        Just(Wish::RequireTlsReport),
        Just(Wish::NotRequired),
    ];
    let unsure = any::<bool>();
    (found, dane, sts, unsure, list, wish).prop_map(|(found, dane, sts, sts_unsure, listed, wish)| Evidence {
        found,
        dane,
        sts,
        sts_unsure,
        listed,
        wish,
    })
}

proptest! {
    #[test]
    fn tls_4_no_policy_is_ever_followed_by_plaintext(evidence in evidence()) {
        let rule = decide(&evidence);
        let by_mx = !matches!(evidence.found, Found::Route(_));
        let asked = matches!(evidence.dane, Dane::Usable { .. } | Dane::Unusable { .. } | Dane::Failed { .. })
            || matches!(evidence.sts, Sts::Enforce(_) | Sts::Awaited);
        if by_mx && asked && evidence.wish != Wish::NotRequired {
            prop_assert!(!rule.demand.may_be_clear());
        }
        if by_mx && evidence.listed != Listed::No {
            prop_assert!(!rule.demand.may_be_clear());
        }
        if evidence.wish == Wish::RequireTls {
            prop_assert!(!rule.demand.is_met_by(Grade::Clear) && !rule.demand.is_met_by(Grade::Encrypted));
        }
        if evidence.found == Found::Route(RouteTls::Verified) {
            prop_assert_eq!(&rule.demand, &Demand::WebPki);
        }
        if evidence.found == Found::Route(RouteTls::DaneOrVerified) {
            prop_assert!(rule.demand.strength() >= Demand::WebPki.strength());
        }
    }

    #[test]
    fn tls_5_no_records_of_a_host_that_anybody_can_name_satisfy_a_policy_that_does_not_name_it(mut evidence in evidence()) {
        evidence.found = Found::Insecure;
        evidence.sts = Sts::Enforce(host(false));
        let refused = matches!(decide(&evidence).demand, Demand::Refuse(_));
        prop_assert!(refused || evidence.wish == Wish::NotRequired);
    }

    #[test]
    fn tls_6_mta_sts_never_outweighs_dane(mut evidence in evidence(), fits: bool) {
        // For REQUIRETLS it may vouch for the host's name.
        evidence.wish = Wish::Nothing;
        evidence.sts = Sts::None;
        let plain = decide(&evidence);
        if matches!(evidence.dane, Dane::Usable { .. } | Dane::Failed { .. }) {
            evidence.sts = Sts::Enforce(host(fits));
            let with = decide(&evidence);
            // Nothing is accepted that DANE alone refuses; where the host's name may be forged, less is.
            prop_assert!(with.demand.strength() >= plain.demand.strength());
            prop_assert!(evidence.found == Found::Insecure || with.demand == plain.demand);
        }
    }

    #[test]
    fn tls_4_the_list_adds_and_never_weakens(mut evidence in evidence()) {
        let with = decide(&evidence);
        evidence.listed = Listed::No;
        prop_assert!(with.demand.strength() >= decide(&evidence).demand.strength());
    }
}
