//! The journey in ARCHITECTURE.md: numbered steps that name a function and the line where it starts.

use crate::report::{Outcome, Summary};
use crate::rules::Findings;
use crate::tree;
use std::collections::BTreeMap;

/// A newcomer reads the journey in one sitting.
const MOST_STEPS: usize = 30;

/// `cargo xtask journey [--fix]`.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let findings = check(args.iter().any(|arg| arg == "--fix"))?;
    if findings.is_empty() {
        summary.pass("the journey in ARCHITECTURE.md is where it says");
    } else {
        summary.fail("the journey in ARCHITECTURE.md", findings.join("\n"));
    }
    Ok(summary)
}

/// One step: `` `crates/x/src/y.rs:12` `name` ``.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Step {
    file: String,
    line: usize,
    function: String,
}

/// Compares every step with the tree; with `fix` it first writes the lines where the functions are now.
pub fn check(fix: bool) -> Outcome<Findings> {
    let mut text = tree::read("ARCHITECTURE.md")?;
    if fix {
        let fixed = with_lines_updated(&text);
        if fixed != text {
            std::fs::write(tree::root().join("ARCHITECTURE.md"), &fixed)?;
            text = fixed;
        }
    }
    let steps: Vec<Step> = text.lines().filter_map(parse).collect();
    let mut findings = Findings::new();
    if steps.is_empty() {
        findings.push("ARCHITECTURE.md tells no journey".into());
    }
    for (heading, count) in steps_by_heading(&text) {
        if count > MOST_STEPS {
            findings.push(format!(
                "{heading} has {count} steps; {MOST_STEPS} are the most a newcomer will read"
            ));
        }
    }
    let mut lines_of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for step in &steps {
        let found = lines_of
            .entry(format!("{} {}", step.file, step.function))
            .or_insert_with(|| find(step));
        if found.is_empty() {
            findings.push(format!("{} has no function `{}`", step.file, step.function));
        } else if !found.contains(&step.line) {
            findings.push(format!(
                "{}:{} is not where `{}` starts ({found:?}): run `cargo xtask journey --fix`",
                step.file, step.line, step.function
            ));
        }
    }
    Ok(findings)
}

/// How many steps stand under each heading that has some.
fn steps_by_heading(text: &str) -> Vec<(&str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut heading = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name;
        } else if parse(line).is_some() {
            match counts.last_mut() {
                Some((last, count)) if *last == heading => *count += 1,
                _ => counts.push((heading, 1)),
            }
        }
    }
    counts
}

/// Reads a step from a line of the document.
fn parse(line: &str) -> Option<Step> {
    let rest = line.split_once("`crates/")?.1;
    let (place, rest) = rest.split_once('`')?;
    let (file, number) = place.rsplit_once(':')?;
    let function = rest.split('`').nth(1)?;
    Some(Step {
        file: format!("crates/{file}"),
        line: number.parse().ok()?,
        function: function.to_owned(),
    })
}

/// All lines of the step's file where a function of that name starts; `Type::name` looks for `name`.
fn find(step: &Step) -> Vec<usize> {
    let text = tree::read(&step.file).unwrap_or_default();
    let name = step
        .function
        .rsplit("::")
        .next()
        .unwrap_or_default()
        .trim_end_matches("()");
    let starts = text
        .lines()
        .enumerate()
        .filter(|(_, line)| crate::rules::function_name(line) == Some(name));
    starts.map(|(at, _)| at + 1).collect()
}

fn with_lines_updated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match parse(line) {
            Some(step) => {
                let nearest = find(&step)
                    .into_iter()
                    .min_by_key(|found| found.abs_diff(step.line));
                let old = format!("`{}:{}`", step.file, step.line);
                let new = format!("`{}:{}`", step.file, nearest.unwrap_or(step.line));
                out.push_str(&line.replacen(&old, &new, 1));
            }
            None => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_and_its_function_found() {
        let step = parse("3. `crates/xtask/src/journey.rs:1` `check`: compares").expect("a step");
        assert_eq!(step.function, "check");
        assert_eq!(find(&step).len(), 1);
        assert_ne!(find(&step), [1]);
        assert_eq!(parse("no step"), None);
    }

    #[test]
    fn steps_are_counted_for_each_journey() {
        let text = "## In\n1. `crates/a.rs:1` `f`: x\n2. `crates/a.rs:1` `g`: x\n## Between\n## Out\n1. `crates/a.rs:1` `h`: x\n";
        assert_eq!(steps_by_heading(text), [("In", 2), ("Out", 1)]);
    }

    #[test]
    fn fixing_moves_the_line_number_only() {
        let line = "3. `crates/xtask/src/journey.rs:1` `check`: compares\n";
        let fixed = with_lines_updated(line);
        assert!(
            fixed.ends_with("` `check`: compares\n") && !fixed.contains(":1`"),
            "{fixed}"
        );
    }
}
