//! Threat cases and the tests that hold them: found by name in the tree, written to docs/reference/threats.md.
//!
//! A test belongs to a case when its name starts with the case's id (`smg_1_only_crlf_dot_crlf_ends_data`), a story when its
//! file does, a campaign's check when its text starts with the id (`"dur_1 …"`).

use crate::report::{Outcome, Summary};
use crate::rules::{Findings, function_name};
use crate::tree;
use std::collections::{BTreeMap, BTreeSet};

const PLACE: &str = "docs/reference/threats.md";
/// Letters of a group's name.
const LONGEST_GROUP: usize = 4;

/// The cases for the doors that exist, with what each is about.
const CASES: &[(&str, &[(u32, &str)])] = &[
    (
        "SMG",
        &[
            (1, "sequences that look like the end of DATA"),
            (2, "bare CR, bare LF and NUL in a message"),
            (3, "what we write has CRLF only"),
            (4, "BDAT mixed with DATA, sizes that overflow"),
            (5, "pipelining where it is not allowed"),
            (6, "dots survive every road"),
        ],
    ),
    (
        "SMT",
        &[
            (1, "endless command and text lines"),
            (2, "too many recipients, headers, octets"),
            (3, "clients that are slow on purpose"),
            (4, "clients that speak before the banner"),
            (5, "limits for each address and for all, and the users' reserve"),
            (6, "clients that only make errors"),
            (7, "asking for many users' names"),
            (8, "odd, illegal and hostile EHLO names"),
            (9, "HTTP and other languages on mail ports"),
            (10, "TLS handshakes that never finish"),
        ],
    ),
    (
        "REL",
        &[
            (1, "open relay, plain forms"),
            (2, "open relay, tricks with addresses"),
            (3, "an address of the network is no permission"),
            (
                4,
                "what others brought goes elsewhere only where an alias leads, and never with a signature of ours",
            ),
            (5, "a user sends as himself only"),
            (6, "no submission without sign-in, no sign-in without TLS"),
            (7, "header injection"),
            (
                8,
                "what is said to other servers holds no CR, LF or NUL of others",
            ),
            (9, "nothing in a message is ever run"),
            (10, "loops of Received fields"),
            (11, "Bcc stays private"),
        ],
    ),
    (
        "TLS",
        &[
            (1, "commands slipped in before STARTTLS finishes"),
            (2, "answers slipped in before our own STARTTLS finishes"),
            (3, "nothing said before TLS counts after it"),
            (4, "STARTTLS taken away on the way to a server that must have TLS"),
            (
                5,
                "MTA-STS policies that are forged, blocked, too large or changed",
            ),
            (
                6,
                "DANE: TLSA records that are forged, false, unusable or kept from us",
            ),
            (7, "versions and ciphers"),
            (8, "protocols of other doors"),
            (9, "implicit TLS everywhere, clear-text sign-in nowhere"),
            (10, "handshakes that waste memory or time"),
            (
                11,
                "certificates that change under load, end, or no longer fit their TLSA record",
            ),
            (
                12,
                "mail that must have TLS all the way, and mail that may do without",
            ),
        ],
    ),
    (
        "AUT",
        &[
            (1, "tricks that make a stranger's mail pass as somebody else's"),
            (2, "the same, by a user of ours"),
            (3, "more than one From, or none"),
            (4, "From fields that can be read in two ways"),
            (5, "forged results, and words of others in our own fields"),
            (6, "DKIM signatures that cover a part of the body"),
            (7, "weak DKIM keys and algorithms"),
            (8, "header fields that DKIM does not cover"),
            (9, "DKIM signature bombs"),
            (10, "SPF records that ask too much"),
            (11, "whose DMARC policy counts, and who is aligned"),
            (12, "forwarding that makes forged mail look genuine"),
            (13, "DNS that fails during a check"),
            (14, "mail from outside that claims to be from a domain here"),
        ],
    ),
    (
        "LOG",
        &[
            (
                2,
                "unknown user, wrong password, disabled account look and last the same",
            ),
            (3, "how passwords are kept, and how many are checked at once"),
            (4, "malformed and abusive SASL exchanges"),
        ],
    ),
    (
        "IMP",
        &[
            (1, "what a client may send before sign-in"),
            (2, "literal sizes after sign-in"),
            (3, "nesting bombs in commands"),
            (4, "mailbox names that mean something else"),
            (5, "other people's mailboxes and messages"),
            (6, "compressed floods"),
            (7, "many clients that idle"),
            (9, "an error does not put the session out of step"),
        ],
    ),
    (
        "MIM",
        &[
            (1, "parts within parts within parts"),
            (2, "a hundred thousand parts"),
            (3, "header bombs"),
            (4, "decoders at their edges"),
            (6, "what reading one message may cost"),
            (7, "every parser has a fuzz target, and it stays clean"),
        ],
    ),
    (
        "DUR",
        &[
            (1, "kill -9 under load"),
            (2, "the sync comes before the 250"),
            (3, "power cut"),
            (4, "kill during outbound delivery"),
            (5, "kill during changes over IMAP"),
            (6, "UIDs, UIDVALIDITY and modseq across crashes"),
            (7, "SIGTERM under load"),
            (8, "killed for memory"),
            (9, "killed while recovering"),
            (10, "killed while accounts and domains are made"),
            (11, "leftovers of unfinished deliveries"),
        ],
    ),
    (
        "Q",
        &[
            (1, "closed after the final dot"),
            (2, "4xx at every stage"),
            (3, "5xx at every stage"),
            (4, "recipients answered one by one"),
            (5, "TLS that fails or is broken off"),
            (6, "servers that drip"),
            (7, "endless and huge replies"),
            (8, "dead domains beside healthy ones"),
            (9, "MX rules"),
            (10, "DNS that fails is no absence"),
            (11, "lifetime, delay notice, the last report"),
            (12, "clock jumps"),
            (13, "partition and heal"),
            (14, "purged while it is delivered"),
        ],
    ),
    (
        "LOOP",
        &[
            (1, "no automatic answer to an automatic message"),
            (2, "aliases and forwards in circles"),
            (3, "no backscatter"),
            (4, "no bounce of a bounce"),
            (7, "what a report may hold"),
        ],
    ),
    (
        "NET",
        &[
            (1, "DNS answers are hostile input"),
            (2, "forged DNS answers"),
            (3, "what a DNSSEC check may cost"),
        ],
    ),
    (
        "PRV",
        &[
            (1, "Received of a submission tells nothing of its client"),
            (5, "logs hold no secrets, and nobody writes lines into them"),
        ],
    ),
    (
        "OPS",
        &[
            (1, "rights at run time"),
            (2, "the sandbox is real"),
            (3, "secrets on disk"),
            (4, "wrong settings fail safe"),
            (10, "a panic ends its own connection only"),
            (11, "memory and descriptors have ceilings"),
        ],
    ),
    (
        "DSK",
        &[
            (1, "disk full while receiving"),
            (2, "disk full: reading and deleting still work"),
            (3, "no inodes left"),
            (4, "a sync that fails"),
            (5, "a read that fails"),
            (6, "short writes and interrupted calls"),
            (7, "read-only remount"),
            (8, "a flipped bit in a stored message"),
            (9, "a file lost or overwritten"),
            (10, "a very slow disk"),
        ],
    ),
];

/// `cargo xtask threats [--fix]`.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let findings = check(args.iter().any(|arg| arg == "--fix"))?;
    if findings.is_empty() {
        summary.pass(format!("{PLACE} is in step with the tests"));
    } else {
        summary.fail(PLACE, findings.join("\n"));
    }
    Ok(summary)
}

/// Compares the document with what the tree holds now, or writes it.
pub fn check(fix: bool) -> Outcome<Findings> {
    let tests = tests_by_case()?;
    let text = document(&tests);
    if fix {
        std::fs::write(tree::root().join(PLACE), &text)?;
    }
    let mut findings = unlisted(&tests);
    if tree::read(PLACE).unwrap_or_default() != text {
        findings.push(format!("{PLACE} is out of step: run `cargo xtask threats --fix`"));
    }
    Ok(findings)
}

/// Tests whose id the list lacks: they would be on no page.
fn unlisted(tests: &Tests) -> Findings {
    let is_listed = |id: &str| {
        let mut cases = CASES
            .iter()
            .flat_map(|(group, cases)| cases.iter().map(move |(number, _)| format!("{group}-{number}")));
        cases.any(|case| case == id)
    };
    tests
        .iter()
        .filter(|(id, _)| !is_listed(id))
        .flat_map(|(id, names)| names.iter().map(move |name| (id, name)))
        .map(|(id, name)| {
            format!("{name}: {id} is not in CASES of crates/xtask/src/threats.rs: add it there")
        })
        .collect()
}

type Tests = BTreeMap<String, BTreeSet<String>>;

fn tests_by_case() -> Outcome<Tests> {
    let mut found = Tests::new();
    for file in tree::files()? {
        let shown = tree::shown(&file);
        if shown == "crates/xtask/src/threats.rs" {
            continue;
        }
        if shown.starts_with("stories/") {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            for case in cases_of(name) {
                found.entry(case).or_default().insert(format!("`{shown}`"));
            }
        }
        if !shown.ends_with(".rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        for line in text.lines() {
            for case in function_name(line).into_iter().flat_map(cases_of) {
                let name = function_name(line).unwrap_or_default();
                let test = format!("{}: `{name}`", place_of(&shown));
                found.entry(case).or_default().insert(test);
            }
            if let Some(name) = campaign_of(&shown) {
                for (case, about) in checks(line) {
                    found
                        .entry(case)
                        .or_default()
                        .insert(format!("campaign {name}: {about}"));
                }
            }
        }
    }
    Ok(found)
}

/// The campaign whose checks a file holds.
fn campaign_of(shown: &str) -> Option<&str> {
    let rest = shown.strip_prefix("crates/xtask/src/")?;
    match rest.split_once('/')? {
        ("campaign", file) => Some(file.trim_end_matches(".rs")),
        (name @ "hostile", _) => Some(name),
        _ => None,
    }
}

fn place_of(shown: &str) -> &str {
    shown
        .strip_prefix("crates/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or(shown)
}

/// The ids a name starts with, listed or not: `rel_1_rel_3_no_relaying` → `REL-1`, `REL-3`. An id alone names nothing, and
/// a longer number is another thing's (`rfc_3501_…`).
fn cases_of(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(['_', '-']).collect();
    let mut found = Vec::new();
    for pair in words.chunks(2) {
        let [group, number] = pair else { break };
        let is_group =
            (1..=LONGEST_GROUP).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_alphabetic());
        let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        if !is_group || !is_number {
            break;
        }
        found.push(format!("{}-{number}", group.to_ascii_uppercase()));
    }
    if words.len() == found.len() * 2 {
        found.clear();
    }
    found
}

/// A campaign's check: the text of a string literal that starts with ids, `"dur_5_dur_6 acknowledged changes hold"`.
fn checks(line: &str) -> Vec<(String, &str)> {
    let literals = line.split('"').skip(1).step_by(2);
    let told = literals.filter_map(|literal| Some((literal, literal.split_once(' ')?.1)));
    // The ids end at the first space: `echo 1 > file` begins with none.
    told.flat_map(|(literal, about)| {
        let cases = cases_of(&literal.replacen(' ', "_", 1));
        cases.into_iter().map(move |case| (case, about))
    })
    .collect()
}

fn document(tests: &Tests) -> String {
    let mut out = String::from(
        "# Threat cases and their tests\n\n\
         Attacks and faults that the server must stand up to, for the doors that exist, and the tests that show it. A test \
         carries\nthe id of its case in its name; this page is generated from those names (`cargo xtask threats --fix`) and \
         checked by\n`cargo xtask rules`. A case without a test says so.\n",
    );
    let mut held = 0;
    let mut all = 0;
    for (group, cases) in CASES {
        out.push_str(&format!(
            "\n## {group}\n\n| case | about | tests |\n|---|---|---|\n"
        ));
        for (number, about) in *cases {
            let id = format!("{group}-{number}");
            let names: Vec<String> = tests.get(&id).into_iter().flatten().cloned().collect();
            all += 1;
            held += usize::from(!names.is_empty());
            let shown = if names.is_empty() {
                "none yet".to_owned()
            } else {
                names.join("<br>")
            };
            out.push_str(&format!("| {id} | {about} | {shown} |\n"));
        }
    }
    out.push_str(&format!("\n{held} of {all} cases have a test.\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_names_and_checks() {
        assert_eq!(cases_of("smg_1_only_crlf_dot_crlf_ends_data"), ["SMG-1"]);
        assert_eq!(cases_of("tls-10-slow-hello.story"), ["TLS-10"]);
        assert_eq!(cases_of("rel_1_rel_3_no_relaying"), ["REL-1", "REL-3"]);
        assert_eq!(cases_of("zz_9_unheard_of"), ["ZZ-9"]);
        for none in ["smg_x_y", "reading_1_x", "rfc_3501_examples", "dsk_1", "x"] {
            assert!(cases_of(none).is_empty(), "{none}");
        }
        let found = checks(r#"told(&mut summary, "dur_5_dur_6 changes hold", x)"#);
        assert_eq!(found[0], ("DUR-5".to_owned(), "changes hold"));
        assert_eq!(found[1], ("DUR-6".to_owned(), "changes hold"));
        for none in [r#"say("dur_ing lunch")"#, r#"run("echo 1 > file")"#] {
            assert!(checks(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_test_with_an_id_that_is_not_listed_is_a_finding() {
        let test = |id: &str| (id.to_owned(), BTreeSet::from(["smtp: `some_test`".to_owned()]));
        let found = unlisted(&Tests::from([test("SMG-1"), test("SMG-99"), test("ZZ-1")]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("smtp: `some_test`: SMG-99 is not in CASES"),
            "{found:?}"
        );
    }
}
