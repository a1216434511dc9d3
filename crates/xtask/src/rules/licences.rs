//! deny.toml's lists, checked without cargo-deny: what cargo itself knows of every dependency is enough.

use super::Findings;
use crate::report::Outcome;
use crate::tree;
use serde_json::Value;

/// A second cryptographic library, or a system one, is a second set of bugs and a second thing to patch.
const BANNED: &[&str] = &[
    "openssl",
    "openssl-sys",
    "native-tls",
    "aws-lc-rs",
    "aws-lc-sys",
    "aws-lc-fips-sys",
    "boring-sys",
];

/// Every dependency's licence expression must be satisfiable with the allowed licences.
pub fn allowed() -> Outcome<Findings> {
    let allow = allow_list(&tree::read("deny.toml")?);
    if allow.is_empty() {
        return Ok(vec!["deny.toml has no `allow = [` list".into()]);
    }
    let mut findings = Findings::new();
    for package in packages()? {
        let name = package["name"].as_str().unwrap_or_default();
        let expression = package["license"].as_str().unwrap_or_default();
        if !satisfied(expression, &allow) {
            findings.push(format!("{name} {} is under {expression:?}", package["version"]));
        }
    }
    Ok(findings)
}

/// Looks for the banned libraries among all dependencies.
pub fn banned() -> Outcome<Findings> {
    let names = packages()?
        .into_iter()
        .filter_map(|package| package["name"].as_str().map(str::to_owned));
    Ok(names.filter(|name| BANNED.contains(&name.as_str())).collect())
}

fn packages() -> Outcome<Vec<Value>> {
    Ok(tree::metadata()?["packages"]
        .as_array()
        .cloned()
        .unwrap_or_default())
}

fn allow_list(deny: &str) -> Vec<String> {
    let list = deny
        .split("\nallow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Evaluates an SPDX expression: `OR` binds weaker than `AND`; `/` is the old way to write `OR`.
fn satisfied(expression: &str, allow: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let value = either(&words, &mut at, allow);
    value && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let mut value = both(words, at, allow);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        value |= both(words, at, allow);
    }
    value
}

fn both(words: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let mut value = single(words, at, allow);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        value &= single(words, at, allow);
    }
    value
}

fn single(words: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let value = either(words, at, allow);
        *at += 1;
        return value;
    }
    // `WITH` only adds permissions to the licence before it.
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    allow.iter().any(|allowed| allowed == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        let allow: Vec<String> = ["MIT", "Apache-2.0", "BSD-3-Clause"].map(str::to_owned).to_vec();
        let cases = [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND BSD-3-Clause", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT AND AGPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("AGPL-3.0-only", false),
            ("", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(satisfied(expression, &allow), expected, "{expression}");
        }
    }

    #[test]
    fn the_allow_list_is_read() {
        assert_eq!(
            allow_list("x\nallow = [\n  \"MIT\", # a\n  \"ISC\",\n]\n"),
            ["MIT", "ISC"]
        );
    }
}
