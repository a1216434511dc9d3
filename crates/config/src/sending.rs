//! What the settings of the queue, of delivery and of DNS must agree on.

use std::time::Duration;

use crate::problem::Problem;
use crate::table::Values;
use crate::value::duration_text;

pub(crate) fn check(values: &Values, problems: &mut Vec<Problem>) {
    check_times(values, problems);
    check_connections(values, problems);
    check_learning(values, problems);
    check_dns(values, problems);
}

/// Which of two durations must not be longer than the other, whether they may be equal, and what it would do.
const TIMES: [(&str, &str, bool, &str); 3] = [
    (
        "queue.retry_first",
        "queue.retry_longest",
        true,
        "the first wait would be longer than the longest one",
    ),
    (
        "queue.retry_longest",
        "queue.give_up",
        false,
        "messages would go back before they are tried again",
    ),
    (
        "queue.delay_notice",
        "queue.give_up",
        false,
        "nobody would be told of a delay before the message goes back",
    ),
];

fn check_times(values: &Values, problems: &mut Vec<Problem>) {
    for (shorter, longer, may_be_equal, effect) in TIMES {
        let (Some(short), Some(long)) = (values.duration(shorter), values.duration(longer)) else {
            continue;
        };
        if short < long || (may_be_equal && short == long) {
            continue;
        }
        problems.push(too_long(values, (shorter, short), (longer, long), effect));
    }
}

/// Told of the one that the file gives; of the shorter one if it gives both.
fn too_long(
    values: &Values,
    (shorter, short): (&str, Duration),
    (longer, long): (&str, Duration),
    effect: &str,
) -> Problem {
    let (short, long) = (duration_text(short), duration_text(long));
    if values.gives(shorter) {
        let reason = format!("{short} with {longer} at {long}: {effect}");
        Problem::at(
            values,
            shorter,
            reason,
            format!("Make it shorter, or {longer} longer."),
        )
    } else {
        let reason = format!("{long} with {shorter} at {short}: {effect}");
        Problem::at(
            values,
            longer,
            reason,
            format!("Make it longer, or {shorter} shorter."),
        )
    }
}

fn check_connections(values: &Values, problems: &mut Vec<Problem>) {
    const ALL: &str = "deliver.connections";
    const EACH: &str = "deliver.connections_per_destination";
    let (Some(all), Some(each)) = (values.number(ALL), values.number(EACH)) else {
        return;
    };
    if each <= all {
        return;
    }
    let problem = if values.gives(EACH) {
        let reason = format!("one destination may have {each} connections, all together only {all}");
        Problem::at(
            values,
            EACH,
            reason,
            format!("Write at most {all}, or raise {ALL}."),
        )
    } else {
        let reason = format!("there may be {all} connections, but {each} to one destination");
        Problem::at(
            values,
            ALL,
            reason,
            format!("Write at least {each}, or lower {EACH}."),
        )
    };
    problems.push(problem);
}

/// Domains climb from one stage to the next.
fn check_learning(values: &Values, problems: &mut Vec<Problem>) {
    const STAGES: [&str; 3] = [
        "mandatory_tls.observe_days",
        "mandatory_tls.warn_days",
        "mandatory_tls.require_days",
    ];
    for pair in STAGES.windows(2) {
        let (lower, higher) = (pair[0], pair[1]);
        let (Some(few), Some(many)) = (values.number(lower), values.number(higher)) else {
            continue;
        };
        if few <= many {
            continue;
        }
        let problem = if values.gives(higher) {
            let reason = format!("{many} days are fewer than the {few} of {lower}, which comes before");
            Problem::at(
                values,
                higher,
                reason,
                format!("Write at least {few}, or lower {lower}."),
            )
        } else {
            let reason = format!("{few} days are more than the {many} of {higher}, which comes after");
            Problem::at(
                values,
                lower,
                reason,
                format!("Write at most {many}, or raise {higher}."),
            )
        };
        problems.push(problem);
    }
}

fn check_dns(values: &Values, problems: &mut Vec<Problem>) {
    if !values.flag("dns.trust_ad") {
        return;
    }
    let servers = values.servers("dns.servers");
    let far = servers.iter().find(|server| !server.is_here());
    if let Some(server) = far {
        problems.push(Problem::at(
            values,
            "dns.trust_ad",
            format!("{server} may not be on this machine, so its word could be forged on the way"),
            "Run a validating resolver here and name only that in dns.servers, or leave trust_ad out.",
        ));
    } else if servers.is_empty() && !values.gives("dns.servers") {
        problems.push(Problem::at(
            values,
            "dns.trust_ad",
            "it is not said whose word is meant",
            "Name the validating resolver of this machine: dns.servers = [\"127.0.0.1:53\"]",
        ));
    }
    if values.gives("dns.trust_anchor") {
        problems.push(Problem::at(
            values,
            "dns.trust_anchor",
            "with dns.trust_ad nothing is checked here, so no anchor is used",
            "Leave one of the two out.",
        ));
    }
}
