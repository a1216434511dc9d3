//! Who may use whom: the table in ARCHITECTURE.md, held against every Cargo.toml.

use super::Findings;
use crate::report::Outcome;
use crate::tree;
use std::collections::{BTreeMap, BTreeSet};

/// Crates of others that floor 0 may use: pure computations on bytes and text.
const FLOOR_ZERO_MAY_USE: &[&str] = &["base64", "encoding_rs", "idna", "memchr", "unicode-normalization"];

/// What has no place in floor 0, and why.
const FLOOR_ZERO_MUST_NOT_SAY: &[(&str, &str)] = &[
    ("tokio", "async belongs to `world` and above"),
    (
        "async fn",
        "a pure core takes bytes and gives replies; its driver waits",
    ),
    ("std::fs", "files belong to `store`, `hearthpost` and the tests"),
    ("std::time::Instant", "time comes as an argument"),
    ("std::time::SystemTime", "time comes as an argument"),
    ("SystemTime::now", "time comes as an argument"),
    ("std::net::Tcp", "sockets belong to `world-real`"),
    ("std::net::Udp", "sockets belong to `world-real`"),
    ("std::thread", "a pure core starts nothing"),
    ("std::env", "settings come as arguments"),
    ("std::process", "a pure core starts nothing"),
    ("println!", "a pure core returns what it has to say"),
    ("eprintln!", "a pure core returns what it has to say"),
];

/// One row of the table.
struct Row {
    floor: u8,
    uses: BTreeSet<String>,
}

/// Reads `| floor | crate | one line | uses |`; a floor holds until the next one is named; `dev` is above all.
fn table(text: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    let mut floor = 0;
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("| Floor"))
        .skip(2);
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [floor_cell, name, _, uses] = cells[..] else {
            continue;
        };
        let floor_text = floor_cell.trim_matches('*');
        if let Some(digit) = floor_text.chars().next().and_then(|first| first.to_digit(10)) {
            floor = digit as u8;
        } else if floor_text.starts_with("dev") {
            floor = u8::MAX;
        }
        let uses = uses
            .split(',')
            .map(|used| used.trim().trim_matches('`').to_owned());
        let uses = uses.filter(|used| !used.is_empty() && used != "–").collect();
        rows.insert(name.trim_matches('`').to_owned(), Row { floor, uses });
    }
    rows
}

/// The keys of `[dependencies]` in a Cargo.toml.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Compares the table with every manifest, both ways.
pub fn follow_the_table() -> Outcome<Findings> {
    let rows = table(&tree::read("ARCHITECTURE.md")?);
    let crates: BTreeSet<String> = tree::crates()?.into_iter().collect();
    let mut findings = Findings::new();
    for name in crates.iter().filter(|name| !rows.contains_key(*name)) {
        findings.push(format!(
            "crate `{name}` has no row in ARCHITECTURE.md: say its floor, its line, what it uses"
        ));
    }
    for (name, row) in &rows {
        if !crates.contains(name) {
            findings.push(format!(
                "ARCHITECTURE.md names crate `{name}`, which does not exist"
            ));
            continue;
        }
        let used = dependencies(&tree::read(&format!("crates/{name}/Cargo.toml"))?);
        let used: BTreeSet<String> = used.intersection(&crates).cloned().collect();
        for extra in used.difference(&row.uses) {
            findings.push(format!(
                "`{name}` uses `{extra}`, which its row in ARCHITECTURE.md does not allow"
            ));
        }
        for unused in row.uses.difference(&used) {
            findings.push(format!(
                "`{name}` does not use `{unused}`; its row in ARCHITECTURE.md says it does"
            ));
        }
        for above in used
            .iter()
            .filter(|used| rows.get(*used).is_some_and(|used| used.floor > row.floor))
        {
            findings.push(format!("`{name}` uses `{above}`, which stands on a higher floor"));
        }
    }
    Ok(findings)
}

/// Drawers collect what nobody thought about.
pub fn no_drawer_crates() -> Outcome<Findings> {
    let drawers = ["common", "utils", "util", "core", "helpers", "misc", "shared"];
    Ok(tree::crates()?
        .into_iter()
        .filter(|name| drawers.contains(&name.as_str()))
        .collect())
}

/// Looks at manifests and sources of floor 0.
pub fn floor_zero_is_pure() -> Outcome<Findings> {
    let rows = table(&tree::read("ARCHITECTURE.md")?);
    let crates: BTreeSet<String> = tree::crates()?.into_iter().collect();
    let mut findings = Findings::new();
    for (name, _) in rows.iter().filter(|(_, row)| row.floor == 0) {
        for used in dependencies(&tree::read(&format!("crates/{name}/Cargo.toml"))?).difference(&crates) {
            if !FLOOR_ZERO_MAY_USE.contains(&used.as_str()) {
                findings.push(format!(
                    "`{name}` uses `{used}`: floor 0 may use {}",
                    FLOOR_ZERO_MAY_USE.join(", ")
                ));
            }
        }
        let place = format!("crates/{name}/src/");
        for file in tree::files_with("rs")?
            .iter()
            .filter(|file| tree::shown(file).starts_with(&place) && !tree::is_test(file))
        {
            for (number, line) in code_lines(&std::fs::read_to_string(file)?) {
                for (word, why) in FLOOR_ZERO_MUST_NOT_SAY
                    .iter()
                    .filter(|(word, _)| line.contains(word))
                {
                    findings.push(format!("{}:{number} says `{word}`: {why}", tree::shown(file)));
                }
            }
        }
    }
    Ok(findings)
}

/// Randomness that a test cannot repeat hides bugs.
pub fn one_source_of_chance() -> Outcome<Findings> {
    let sources = ["SystemRandom", "getrandom", "thread_rng", "rand::rng"];
    let mut findings = Findings::new();
    for file in tree::files_with("rs")? {
        let shown = tree::shown(&file);
        // `ring` asks for a source of chance where it signs with RSA, and PKCS#1 v1.5 uses none.
        let unused = shown == "crates/msgauth/src/dkim/sign.rs";
        if unused || shown.starts_with("crates/world-real/") || shown.starts_with("crates/xtask/") {
            continue;
        }
        for (number, line) in code_lines(&std::fs::read_to_string(&file)?) {
            for source in sources.iter().filter(|source| line.contains(*source)) {
                findings.push(format!(
                    "{shown}:{number} says `{source}`: take the `world::chance` door"
                ));
            }
        }
    }
    Ok(findings)
}

/// Numbered lines that are code of the program: no comments, nothing from the first `#[cfg(test)]` on.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "x\n| Floor | Crate | One line | Uses |\n|---|---|---|---|\n| **0 Words** | `mail` | a | – |\n\
                    | | `smtp` | b | mail |\n| **1 World** | `world` | c | mail |\n\nafter";
        let rows = table(text);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows["smtp"].uses.iter().collect::<Vec<_>>(), ["mail"]);
        assert_eq!((rows["smtp"].floor, rows["world"].floor), (0, 1));
        assert!(rows["mail"].uses.is_empty());
    }

    #[test]
    fn manifests_are_read() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nmail.workspace = true\n# why\nserde = \"1\"\n\n\
                    [dev-dependencies]\ntempfile.workspace = true\n";
        assert_eq!(
            dependencies(text).into_iter().collect::<Vec<_>>(),
            ["mail", "serde"]
        );
    }
}
