//! The pages of docs/reference that are written by the code itself: limits and events from the sources' doc comments,
//! settings and commands from the program. `cargo xtask reference [--fix]` checks or writes them.

use crate::process;
use crate::report::{Outcome, Summary};
use crate::rules::Findings;
use crate::tree;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CALL_LIMIT: Duration = Duration::from_secs(90);

/// Limits and events by text; settings and commands by asking the program, which is built when it must be.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let fix = args.iter().any(|arg| arg == "--fix");
    let binary = tree::build("hearthpost", "dev")?;
    let mut summary = Summary::new();
    let pages = [
        ("docs/reference/limits.md", limits()?),
        ("docs/reference/events.md", events()?),
        ("docs/reference/imap.md", imap()?),
        ("docs/reference/settings.md", settings(&binary)?),
        ("docs/reference/commands.md", commands(&binary)?),
    ];
    for (place, text) in pages {
        let findings = compare(place, &text, fix)?;
        if findings.is_empty() {
            summary.pass(format!("{place} says what the code says"));
        } else {
            summary.fail(place, findings.join("\n"));
        }
    }
    Ok(summary)
}

/// The pages that need no program, for the house rules.
pub fn check_sources(fix: bool) -> Outcome<Findings> {
    let mut findings = compare("docs/reference/limits.md", &limits()?, fix)?;
    findings.extend(compare("docs/reference/events.md", &events()?, fix)?);
    findings.extend(compare("docs/reference/imap.md", &imap()?, fix)?);
    for (package, text) in sources("events.rs")? {
        let missing = undocumented_events(&text).into_iter();
        findings.extend(missing.map(|name| {
            format!("{package}: the event {name} has no comment that begins with its name: it is missing from the page")
        }));
    }
    Ok(findings)
}

/// Events that have a name in the code (`=> "crate.what"`), and none in a comment.
fn undocumented_events(text: &str) -> Vec<String> {
    let documented = named_events(text);
    let names = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("=> \"")?;
        rest.strip_suffix("\",")
    });
    let is_name = |name: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c == '-' || c == '.';
        name.contains('.') && name.chars().all(letters)
    };
    names
        .filter(|name| is_name(name) && !documented.iter().any(|(known, ..)| known == name))
        .map(str::to_owned)
        .collect()
}

fn compare(place: &str, text: &str, fix: bool) -> Outcome<Findings> {
    if fix {
        std::fs::write(tree::root().join(place), text)?;
    }
    let same = tree::read(place).unwrap_or_default() == text;
    Ok(if same {
        Findings::new()
    } else {
        vec![format!(
            "{place} is out of step: run `cargo xtask reference --fix`"
        )]
    })
}

/// Files called `name` in the server's crates, with the crate each belongs to.
fn sources(name: &str) -> Outcome<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in tree::files_with("rs")? {
        let shown = tree::shown(&file);
        let own = shown
            .strip_prefix("crates/")
            .and_then(|rest| rest.split_once("/src/"));
        if let Some((package, inside)) = own
            && inside.rsplit('/').next() == Some(name)
            && !["xtask", "testkit"].contains(&package)
        {
            found.push((package.to_owned(), std::fs::read_to_string(&file)?));
        }
    }
    Ok(found)
}

fn limits() -> Outcome<String> {
    let mut out = String::from(
        "# Limits\n\nEvery limit of the server, with its value as the code has it. Each is a named constant in its crate's `limits.rs`, \
         enforced, and\nanswered with the code that the RFC gives: 4xx where waiting helps, 5xx where it does not. Those that a setting can \
         change say so\n(`docs/reference/settings.md`). This page is generated: `cargo xtask reference --fix`.\n",
    );
    for (package, text) in sources("limits.rs")? {
        let rows = constants(&text);
        if rows.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "\n## {package}\n\n| limit | value | what it bounds |\n|---|---|---|\n"
        ));
        for (name, value, doc) in rows {
            out.push_str(&format!("| `{name}` | `{value}` | {doc} |\n"));
        }
    }
    Ok(out)
}

/// Name, value and doc of every public constant of a file.
fn constants(text: &str) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let mut doc = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(more) = line.strip_prefix("///") {
            doc.push_str(more);
        } else if line.starts_with("pub const ") || line.starts_with("pub(crate) const ") {
            let mut whole = line.to_owned();
            while !whole.ends_with(';') {
                let Some(more) = lines.next() else { break };
                whole.push(' ');
                whole.push_str(more.trim());
            }
            let declared = whole
                .split_once("const ")
                .map(|(_, rest)| rest)
                .unwrap_or_default();
            if let Some((name, rest)) = declared.split_once(':')
                && !name.contains('(')
                && let Some((_, value)) = rest.split_once('=')
            {
                rows.push((
                    name.to_owned(),
                    value.trim().trim_end_matches(';').to_owned(),
                    cell(&doc),
                ));
            }
            doc.clear();
        } else if !line.starts_with("#[") {
            doc.clear();
        }
    }
    rows
}

fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

fn events() -> Outcome<String> {
    let mut out = String::from(
        "# Events\n\nWhat the log says. Each event has a name that never changes its meaning, a severity, a sentence for people and fields for\n\
         machines; those of a message carry its `queue_id`, so that `hearthpost trace ID` can tell its life. This page is generated from the\n\
         enums that emit them: `cargo xtask reference --fix`.\n",
    );
    for (package, text) in sources("events.rs")? {
        let rows = named_events(&text);
        if rows.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "\n## {package}\n\n| event | when | fields |\n|---|---|---|\n"
        ));
        for (name, doc, fields) in rows {
            out.push_str(&format!("| `{name}` | {doc} | {} |\n", fields.join(", ")));
        }
    }
    Ok(out)
}

/// Variants documented as `` `name`: when ``, with the names of their fields.
fn named_events(text: &str) -> Vec<(String, String, Vec<String>)> {
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("/// `") else {
            continue;
        };
        let Some((name, when)) = rest.split_once("`: ") else {
            continue;
        };
        let mut doc = when.to_owned();
        while let Some(more) = lines.peek().and_then(|line| line.strip_prefix("/// ")) {
            doc.push(' ');
            doc.push_str(more);
            lines.next();
        }
        let mut fields = Vec::new();
        if lines.next().is_some_and(|line| line.ends_with('{')) {
            for line in lines.by_ref().take_while(|line| !line.starts_with('}')) {
                if let Some((field, _)) = line.split_once(": ")
                    && !line.starts_with("//")
                {
                    fields.push(format!("`{field}`"));
                }
            }
        }
        rows.push((name.to_owned(), cell(&doc), fields));
    }
    rows
}

/// The table of IMAP's capabilities, from the one list of the code.
fn imap() -> Outcome<String> {
    let mut out = String::from(
        "# IMAP\n\nWhat this server announces, and when. ENABLE says whether a client switches it on (RFC 5161). Each line names a test that\n\
         shows it on the wire (`crates/access/tests`), or in the codec (`crates/imap`). This page is generated from\n\
         `imap::capability::EXTENSIONS`: `cargo xtask reference --fix`.\n\n\
         | capability | specified in | announced | ENABLE | test |\n|---|---|---|---|---|\n",
    );
    let text = tree::read("crates/imap/src/capability.rs")?;
    for line in extensions(&text) {
        let [name, rfc, when, enable, test] = line;
        out.push_str(&format!("| `{name}` | {rfc} | {when} | {enable} | `{test}` |\n"));
    }
    out.push_str(
        "\nWithout a name of their own, and here: STATUS of DELETED (RFC 9051 §6.3.11) and DELETED-STORAGE (RFC 9208 §4.1.4), the keywords and uses of\n\
         RFC 9979. POP3 has [its page](../run/pop3.md).\n\n\
         ## What is left out\n\n| capability | specified in | since | why |\n|---|---|---|---|\n",
    );
    for [name, rfc, since, why] in left_out(&text) {
        out.push_str(&format!("| `{name}` | {rfc} | {since} | {why} |\n"));
    }
    Ok(out)
}

/// The lines of what is not announced: name, RFC, day, reason.
fn left_out(text: &str) -> Vec<[String; 4]> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("left(\"")?.strip_suffix("\"),"));
    lines
        .filter_map(|line| {
            let mut parts = line.splitn(4, "\", \"").map(str::to_owned);
            Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
        })
        .collect()
}

/// The lines of the table: name, RFC, when it is announced in words, whether ENABLE takes it, test.
fn extensions(text: &str) -> Vec<[String; 5]> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("extension(\""));
    lines
        .filter_map(|line| {
            let mut parts = line.strip_suffix("\"),")?.split(", ");
            let mut next = || Some(parts.next()?.trim_matches('"').to_owned());
            let (name, rfc) = (next()?, next()?);
            let (when, enable, test) = (next()?, next()?, next()?);
            let enable = if enable == "Enable::No" { "" } else { "yes" };
            Some([
                name,
                rfc,
                in_words(when.trim_start_matches("When::")),
                enable.to_owned(),
                test,
            ])
        })
        .collect()
}

/// `BeforeSignIn`: `before sign in`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn settings(binary: &Path) -> Outcome<String> {
    Ok(process::must(Command::new(binary).args(["config", "reference"]), CALL_LIMIT)?.stdout)
}

fn commands(binary: &Path) -> Outcome<String> {
    let mut out = String::from(
        "# Commands\n\nThe command line, as the program prints it with `--help`. This page is generated: `cargo xtask reference --fix`.\n",
    );
    add_command(binary, &[], &mut out)?;
    Ok(out)
}

/// Appends the help of one command, then of each of its own commands.
fn add_command(binary: &Path, words: &[String], out: &mut String) -> Outcome<()> {
    let help = process::must(
        Command::new(binary)
            .args(words)
            .arg("--help")
            .env("COLUMNS", "100"),
        CALL_LIMIT,
    )?
    .stdout;
    let name = [&["hearthpost".to_owned()], words].concat().join(" ");
    let body: Vec<&str> = help.lines().map(str::trim_end).collect();
    out.push_str(&format!(
        "\n## {name}\n\n```text\n{}\n```\n",
        body.join("\n").trim_end()
    ));
    let listed = body
        .iter()
        .skip_while(|line| **line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "));
    for name in listed
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
    {
        if name != "help" {
            add_command(binary, &[words, &[name.to_owned()]].concat(), out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_read_with_their_docs() {
        let text = "/// One thing\n/// more (RFC 1).\npub const A_BYTES: usize = 10 * 1024;\npub const B: Duration =\n    Duration::from_secs(1);\n";
        let rows = constants(text);
        assert_eq!(
            rows[0],
            (
                "A_BYTES".into(),
                "10 * 1024".into(),
                "One thing more (RFC 1).".into()
            )
        );
        assert_eq!(rows[1].1, "Duration::from_secs(1)");
    }

    #[test]
    fn what_is_left_out_is_read_with_its_reason() {
        let text = "    left(\"X=1\", \"RFC 1\", \"2026-01-02\", \"one, two (three)\"),\nconst fn left(";
        assert_eq!(
            left_out(text),
            [["X=1", "RFC 1", "2026-01-02", "one, two (three)"]]
        );
    }

    #[test]
    fn events_are_read_with_their_fields() {
        let text = "    /// `x.y`: it happened,\n    /// twice.\n    A {\n        /// which\n        queue_id: QueueId,\n    },\n    /// `x.z`: also.\n    B,\n";
        let rows = named_events(text);
        assert_eq!(
            rows[0],
            (
                "x.y".into(),
                "it happened, twice.".into(),
                vec!["`queue_id`".into()]
            )
        );
        assert_eq!((rows[1].0.as_str(), rows[1].2.len()), ("x.z", 0));
    }

    #[test]
    fn the_table_of_extensions_is_read() {
        let text = "    extension(\"A=B\", \"RFC 1\", When::AfterSignIn, Enable::Yes, \"it_works\"),\n";
        assert_eq!(
            extensions(text),
            [["A=B", "RFC 1", "after sign in", "yes", "it_works"].map(str::to_owned)]
        );
    }

    #[test]
    fn an_event_without_its_name_in_its_comment_is_found() {
        let text = "    /// `x.y`: it happened.\n    A,\n    /// Also.\n    B,\n  Self::A => \"x.y\",\n  Self::B => \"x.z\",\n                     Self::B => \"A sentence.\",\n";
        assert_eq!(undocumented_events(text), ["x.z"]);
    }
}
