//! Rules about text: what documents must say, and what no file may.

use super::Findings;
use crate::report::Outcome;
use crate::tree;
use std::path::Path;

/// Text formats that are looked through.
const TEXT: &[&str] = &[
    "rs", "md", "toml", "py", "sh", "story", "service", "txt", "pem", "key", "yml",
];

fn text_files() -> Outcome<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in tree::files()? {
        let shown = tree::shown(&file);
        let textual = file
            .extension()
            .and_then(|ext| ext.to_str())
            .is_some_and(|ext| TEXT.contains(&ext));
        if (textual || shown.starts_with(".ci/"))
            && let Ok(text) = std::fs::read_to_string(&file)
        {
            found.push((shown, text));
        }
    }
    Ok(found)
}

fn lines_saying(words: &[String], why: &str, exempt: impl Fn(&str) -> bool) -> Outcome<Findings> {
    let mut findings = Findings::new();
    for (shown, text) in text_files()?.iter().filter(|(shown, _)| !exempt(shown)) {
        for (at, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                findings.push(format!("{shown}:{} says {word:?}: {why}", at + 1));
            }
        }
    }
    Ok(findings)
}

/// A newcomer opens `lib.rs` first.
pub fn crates_introduce_themselves() -> Outcome<Findings> {
    let mut findings = Findings::new();
    for name in tree::crates()? {
        let place = ["lib.rs", "main.rs"].map(|file| format!("crates/{name}/src/{file}"));
        let Some(place) = place.iter().find(|place| tree::root().join(place).is_file()) else {
            findings.push(format!("crate `{name}` has no lib.rs and no main.rs"));
            continue;
        };
        let top = tree::read(place)?
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        if top < 5 {
            findings.push(format!(
                "{place} starts with {top} lines of `//!`: say its purpose, journey and limits"
            ));
        }
    }
    Ok(findings)
}

/// The tree must build and be read anywhere.
pub fn no_foreign_places() -> Outcome<Findings> {
    // Put together here, so that this file does not break its own rule.
    let hosts = [
        ("crates", "io"),
        ("pypi", "org"),
        ("npmjs", "org"),
        ("deb.debian", "org"),
        ("proxy.golang", "org"),
    ];
    let mut words: Vec<String> = hosts.iter().map(|(name, end)| format!("{name}.{end}")).collect();
    words.push(["", "work", ""].join("/"));
    lines_saying(
        &words,
        "name packages, not where one machine gets or keeps them",
        |shown| shown == "Cargo.lock",
    )
}

/// A key in the tree is a key that somebody uses.
pub fn no_secrets() -> Outcome<Findings> {
    let mut findings = Findings::new();
    for (shown, text) in text_files()? {
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----") {
                findings.push(format!(
                    "{shown}:{} starts a private key: make keys when they are needed",
                    at + 1
                ));
            }
        }
    }
    Ok(findings)
}

/// What is not done is an issue, not a comment.
pub fn no_open_ends() -> Outcome<Findings> {
    let words = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("].map(str::to_owned);
    let rules = |shown: &str| {
        let rust = shown.ends_with(".rs") || shown.ends_with(".py") || shown.ends_with(".sh");
        !rust || shown.starts_with("crates/xtask/src/rules/") || shown.contains("/compile_fail/")
    };
    lines_saying(
        &words,
        "finish it or write down elsewhere what must happen first",
        rules,
    )
}

/// Changes are written down when they are made.
pub fn changelog_is_open() -> Outcome<Findings> {
    let open = tree::read("CHANGELOG.md")?
        .lines()
        .any(|line| line.trim() == "## Unreleased");
    Ok(if open {
        Findings::new()
    } else {
        vec!["no line `## Unreleased`".into()]
    })
}

/// Whatever reads bytes from outside is fuzzed (threat case MIM-7).
pub fn every_parser_is_fuzzed() -> Outcome<Findings> {
    let targets = tree::read("fuzz/src/lib.rs")?;
    let mut findings = Findings::new();
    for (shown, text) in text_files()?
        .iter()
        .filter(|(shown, _)| shown.starts_with("crates/") && shown.ends_with(".rs"))
    {
        let name = shown.split('/').nth(1).unwrap_or_default();
        let entries = text
            .lines()
            .filter_map(super::function_name)
            .filter(|name| name.starts_with("fuzz_"));
        for entry in entries.filter(|entry| name != "xtask" && !targets.contains(&format!("::{entry})"))) {
            findings.push(format!(
                "{shown} offers `{entry}`, which fuzz/src/lib.rs does not call"
            ));
        }
    }
    Ok(findings)
}

/// A decision that nobody finds is taken twice.
pub fn decisions_are_listed(fix: bool) -> Outcome<Findings> {
    let place = "docs/decisions/README.md";
    let mut names: Vec<String> = tree::files_with("md")?
        .iter()
        .map(|file| tree::shown(file))
        .filter_map(|shown| shown.strip_prefix("docs/decisions/").map(str::to_owned))
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    let mut list = String::from(
        "# Decisions\n\nWhat was decided where another way was open, and why. Half a page each; a decision that no longer holds \
         says so\nat its top and names its successor. This list is generated: `cargo xtask rules --fix`.\n\n",
    );
    let mut findings = Findings::new();
    for name in &names {
        let text = tree::read(&format!("docs/decisions/{name}"))?;
        let title = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches('#')
            .trim();
        let number = name.split('-').next().unwrap_or_default();
        if number.len() != 4 || number.parse::<u16>().is_err() {
            findings.push(format!("docs/decisions/{name} does not start with four digits"));
        }
        list.push_str(&format!("- [{name}]({name}): {title}\n"));
    }
    if fix {
        std::fs::write(tree::root().join(place), &list)?;
    } else if tree::read(place).unwrap_or_default() != list {
        findings.push(format!(
            "{place} is not the list of decisions: run `cargo xtask rules --fix`"
        ));
    }
    Ok(findings)
}

/// Relative links in Markdown point at files that exist.
pub fn links_lead_somewhere() -> Outcome<Findings> {
    let mut findings = Findings::new();
    for (shown, text) in text_files()?.iter().filter(|(shown, _)| shown.ends_with(".md")) {
        let folder = tree::root()
            .join(shown)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
            if !outside && !folder.join(target).exists() {
                findings.push(format!("{shown} links to {target}, which does not exist"));
            }
        }
    }
    Ok(findings)
}
