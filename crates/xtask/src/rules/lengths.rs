//! Long functions are named, not forbidden: length is harmless where the shape is a list and hurts where it is a decision.

use crate::report::Outcome;
use crate::tree;

/// Functions longer than this are listed.
pub const LONG_LINES: usize = 100;

/// `file:line name (lines)` of every long function outside tests.
pub fn long_functions() -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for file in tree::files_with("rs")? {
        let shown = tree::shown(&file);
        if tree::is_test(&file) {
            continue;
        }
        for (line, name, length) in functions(&std::fs::read_to_string(&file)?) {
            if length > LONG_LINES {
                found.push(format!("{shown}:{line} {name} ({length})"));
            }
        }
    }
    Ok(found)
}

/// Line number, name and length of each function of a formatted file, up to its tests.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let end = lines[at..]
            .iter()
            .position(|line| line.trim_end() == format!("{}}}", " ".repeat(indent)));
        if let Some(length) = end {
            found.push((at + 1, name.to_owned(), length + 1));
        }
    }
    found
}

/// The name when this line starts a function.
pub fn function_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with('"') {
        return None;
    }
    let (before, after) = line.split_once("fn ")?;
    let starts = before.split_whitespace().all(|word| {
        word == "pub" || word == "async" || word == "const" || word == "extern" || word.starts_with("pub(")
    });
    let name = after.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
    (starts && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text =
            "pub fn a() {\n    x\n}\nimpl T {\n    pub(crate) async fn b(\n    ) {\n    }\n}\n// fn c\n";
        let found = functions(text);
        assert_eq!(found, [(1, "a".to_owned(), 3), (5, "b".to_owned(), 3)]);
    }
}
