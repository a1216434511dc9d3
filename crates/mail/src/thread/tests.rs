use proptest::prelude::*;

use super::*;

/// A mailbox in lines: number, date, subject, identifier, references.
fn threads(lines: &[(i64, &str, &str, &str)]) -> Threads {
    let mut threads = Threads::default();
    for (sent_ms, subject, id, references) in lines {
        let base = crate::subject::BaseSubject::of(subject);
        let references: Vec<Vec<u8>> = references
            .split_whitespace()
            .map(|reference| reference.as_bytes().to_vec())
            .collect();
        threads.add(Threaded {
            sent_ms: *sent_ms,
            subject: &base.text,
            is_reply: base.is_reply,
            id: (!id.is_empty()).then_some(id.as_bytes()),
            references: &references,
        });
    }
    threads
}

/// As it stands on the wire, messages counted from 1.
fn shown(forest: &Forest) -> String {
    let mut text = String::new();
    for step in forest.walk() {
        match step {
            Step::Open => text.push('('),
            Step::Close => text.push(')'),
            Step::Message(message) => {
                if text.ends_with(|last: char| last.is_ascii_digit()) {
                    text.push(' ');
                }
                text.push_str(&(message + 1).to_string());
            }
        }
    }
    text
}

#[test]
fn references_make_threads() {
    for (lines, expected) in [
        (&[][..], ""),
        (&[(1, "a", "1", "")], "(1)"),
        (&[(1, "a", "1", ""), (2, "b", "2", "")], "(1)(2)"),
        (&[(2, "a", "1", ""), (1, "b", "2", "")], "(2)(1)"),
        (
            &[
                (1, "a", "1", ""),
                (2, "re: a", "2", "1"),
                (3, "re: a", "3", "1 2"),
            ],
            "(1 2 3)",
        ),
        // Branches, in the order of their dates.
        (
            &[
                (1, "a", "1", ""),
                (3, "re: a", "2", "1"),
                (2, "re: a", "3", "1"),
                (4, "re: a", "4", "1 3"),
            ],
            "(1(3 4)(2))",
        ),
        // The answer came first.
        (&[(2, "re: a", "2", "1"), (1, "a", "1", "")], "(2 1)"),
        // The parent is missing: one child is promoted, several stay together.
        (&[(1, "re: a", "2", "1")], "(1)"),
        (&[(1, "re: a", "2", "1"), (2, "re: b", "3", "1")], "((1)(2))"),
        // Deeper missing ones vanish.
        (&[(1, "a", "1", ""), (2, "re: a", "3", "1 2")], "(1 2)"),
        (
            &[
                (1, "a", "1", ""),
                (2, "re: a", "4", "1 2 3"),
                (3, "re: a", "5", "1 2 3"),
            ],
            "(1(2)(3))",
        ),
        // A loop is not closed; the message's own last reference wins over what others say of it.
        (&[(1, "a", "1", "2"), (2, "b", "2", "1")], "(2 1)"),
        (&[(1, "a", "1", "1")], "(1)"),
        (
            &[(1, "x", "3", "1 2"), (2, "y", "2", "9"), (3, "z", "1", "")],
            "(2 1)(3)",
        ),
        // The same identifier twice: the first one has it.
        (
            &[(1, "a", "1", ""), (2, "b", "1", ""), (3, "c", "3", "1")],
            "(1 3)(2)",
        ),
        (&[(1, "a", "", ""), (2, "b", "", "")], "(1)(2)"),
        // Subjects gather: a reply below the original, originals side by side.
        (&[(1, "a", "1", ""), (2, "re: a", "2", "")], "(1 2)"),
        (&[(1, "re: a", "1", ""), (2, "a", "2", "")], "(2 1)"),
        (&[(1, "a", "1", ""), (2, "a", "2", "")], "((1)(2))"),
        (&[(1, "re: a", "1", ""), (2, "re: a", "2", "")], "((1)(2))"),
        (
            &[(1, "a", "1", ""), (2, "a", "2", ""), (3, "a", "3", "")],
            "((1)(2)(3))",
        ),
        (
            &[(1, "", "1", ""), (2, "", "2", ""), (3, "re:", "3", "")],
            "(1)(2)(3)",
        ),
        // A thread whose parent is missing takes others of its subject in.
        (
            &[(1, "re: a", "2", "1"), (2, "re: a", "3", "1"), (3, "a", "4", "")],
            "((1)(2)(3))",
        ),
        (
            &[
                (1, "re: a", "2", "1"),
                (2, "re: a", "3", "1"),
                (4, "re: a", "5", "9"),
                (3, "re: a", "6", "9"),
            ],
            "((1)(2)(4)(3))",
        ),
        // Not the subject but the first of the thread counts.
        (
            &[(1, "a", "1", ""), (2, "b", "2", "1"), (3, "b", "3", "")],
            "(1 2)(3)",
        ),
    ] {
        assert_eq!(shown(&threads(lines).by_references()), expected, "{lines:?}");
    }
}

#[test]
fn subjects_make_threads() {
    for (lines, expected) in [
        (&[][..], ""),
        (&[(1, "a", "", ""), (2, "b", "", "")], "(1)(2)"),
        (
            &[(3, "a", "", ""), (2, "re: a", "", ""), (1, "b", "", "")],
            "(3)(2 1)",
        ),
        (
            &[(1, "a", "", ""), (2, "re: a", "", ""), (2, "a", "", "")],
            "(1(2)(3))",
        ),
        (&[(1, "", "", ""), (2, "re:", "", "")], "(1 2)"),
    ] {
        assert_eq!(shown(&threads(lines).by_subject()), expected, "{lines:?}");
    }
}

fn chain(order: impl Iterator<Item = usize>) -> Threads {
    let mut threads = Threads::default();
    for at in order {
        let references = [format!("{}", at.wrapping_sub(1)).into_bytes()];
        threads.add(Threaded {
            sent_ms: at as i64,
            id: Some(at.to_string().as_bytes()),
            references: if at == 0 { &[] } else { &references },
            ..Threaded::default()
        });
    }
    threads
}

#[test]
fn mim_2_depth_costs_no_stack_and_little_time() {
    let count = 50_000;
    for threads in [chain(0..count), chain((0..count).rev())] {
        let forest = threads.by_references();
        let steps: Vec<Step> = forest.walk().collect();
        assert_eq!(steps.len(), count + 2, "one thread");
    }
    // In the order that makes looking for loops dear, the steps end and messages are still told once each.
    let threads = chain((0..count).map(|at| (at * 7919) % count));
    let told = threads.by_references();
    let messages = told.walk().filter(|step| matches!(step, Step::Message(_)));
    assert_eq!(messages.count(), count);
}

/// Every message once, parentheses matched, siblings in the order of their dates.
fn check(threads: &Threads, forest: &Forest) {
    let mut seen = vec![false; threads.messages.len()];
    let mut open = 0;
    for step in forest.walk() {
        match step {
            Step::Open => open += 1,
            Step::Close => open -= 1,
            Step::Message(message) => {
                assert!(open > 0 && !std::mem::replace(&mut seen[message as usize], true));
            }
        }
    }
    assert!(open == 0 && seen.iter().all(|seen| *seen));
    for node in &forest.nodes {
        assert!(node.children.is_sorted_by_key(|&child| threads.age(child)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn every_message_stands_once(
        lines in prop::collection::vec((0i64..6, "(re: )?[a-c]?", "[a-h]?", "([a-h] ){0,4}"), 0..16),
    ) {
        let lines: Vec<(i64, &str, &str, &str)> = lines
            .iter()
            .map(|(sent, subject, id, references)| (*sent, subject.as_str(), id.as_str(), references.as_str()))
            .collect();
        let threads = threads(&lines);
        check(&threads, &threads.by_references());
        check(&threads, &threads.by_subject());
    }

    #[test]
    fn numbers_make_the_same_threads_as_names(
        lines in prop::collection::vec((0i64..6, "(re: )?[a-c]?", "[a-h]?", "([a-h] ){0,4}"), 0..16),
    ) {
        let mut known: Vec<String> = vec!["unused".to_owned()];
        let mut number = |name: &str| {
            let at = known.iter().position(|known| known == name).unwrap_or_else(|| {
                known.push(name.to_owned());
                known.len() - 1
            });
            at as u32
        };
        let borrowed: Vec<(i64, &str, &str, &str)> = lines
            .iter()
            .map(|(sent, subject, id, references)| (*sent, subject.as_str(), id.as_str(), references.as_str()))
            .collect();
        let named = threads(&borrowed);
        let mut numbered = Threads::default();
        for &(sent, subject, id, references) in &borrowed {
            let base = crate::subject::BaseSubject::of(subject);
            let references: Vec<u32> = references.split_whitespace().map(&mut number).collect();
            numbered.add_numbered(Numbered {
                sent,
                subject: (!base.text.is_empty()).then(|| 7 * u32::from(base.text.as_bytes()[0])),
                is_reply: base.is_reply,
                id: (!id.is_empty()).then(|| number(id)),
                references: &references,
            });
        }
        prop_assert_eq!(shown(&numbered.by_references()), shown(&named.by_references()));
        prop_assert_eq!(shown(&numbered.by_subject()), shown(&named.by_subject()));
    }
}
