//! The work tree: where it is, which files it has, which programs cargo made of it.

use crate::process;
use crate::report::Outcome;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The root of the work tree.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The cargo that runs us, at the root.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// All files below the root that belong to the project: no `target`, no dot directories except `.ci` and `.cargo`.
pub fn files() -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(&root(), &mut found)?;
    found.sort();
    Ok(found)
}

/// All project files with this extension.
pub fn files_with(extension: &str) -> Outcome<Vec<PathBuf>> {
    Ok(files()?
        .into_iter()
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect())
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) -> Outcome<()> {
    for entry in std::fs::read_dir(dir).map_err(|error| format!("cannot list {}: {error}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
        if entry.file_type()?.is_dir() {
            if !hidden && name != "target" && name != "crashes" {
                collect(&entry.path(), found)?;
            }
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// A path as people write it: relative to the root.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Whether a Rust file holds nothing but tests, by its name or its folder.
pub fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let shown = shown(path);
    stem == "tests" || stem.ends_with("_tests") || shown.contains("/tests/") || shown.contains("_tests/")
}

/// Reads a project file as text.
pub fn read(relative: &str) -> Outcome<String> {
    let path = root().join(relative);
    Ok(std::fs::read_to_string(&path).map_err(|error| format!("cannot read {relative}: {error}"))?)
}

/// Names of the crates: the folders under `crates/`.
pub fn crates() -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Files that other sessions share with the work tree (mail corpora, the load generator), when they are there.
pub fn shared() -> Option<PathBuf> {
    let dir = match std::env::var_os("HEARTHPOST_SHARED") {
        Some(dir) => PathBuf::from(dir),
        None => root().join("../shared"),
    };
    dir.is_dir().then_some(dir)
}

/// Builds one package's program and returns where it is. `profile` is a cargo profile name, such as `dev` or `release`.
pub fn build(package: &str, profile: &str) -> Outcome<PathBuf> {
    build_with(package, profile, &[])
}

/// As [`build`], with cargo features.
pub fn build_with(package: &str, profile: &str, features: &[&str]) -> Outcome<PathBuf> {
    let output = cargo()
        .args([
            "build",
            "--quiet",
            "--package",
            package,
            "--bins",
            "--profile",
            profile,
        ])
        .args(["--features", &features.join(",")])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo build --package {package} failed").into());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .ok_or_else(|| format!("{package} has no program").into())
}

/// What `cargo metadata` says, without asking the network.
pub fn metadata() -> Outcome<Value> {
    let finished = process::must(
        cargo().args(["metadata", "--format-version", "1", "--offline", "--all-features"]),
        Duration::from_secs(120),
    )?;
    Ok(serde_json::from_str(&finished.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
        assert!(crates().expect("crates").contains(&"xtask".to_owned()));
    }
}
