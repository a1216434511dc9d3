//! `docs/reference/imap-differences.md`: the classes, how often each was met, and one example of our own mail.

use super::classes::{CLASSES, Verdict};
use super::compare::Difference;
use crate::report::Outcome;
use crate::tree;

/// Most characters of a value that are shown.
const SHOWN: usize = 160;

/// What one class came to.
#[derive(Default, Clone)]
pub struct Met {
    /// How many differences.
    pub count: u64,
    /// One of them, of a message that we wrote.
    pub example: Option<String>,
}

/// One difference on one line; the text of mail that others wrote stays out of it.
pub fn shown(difference: &Difference<'_>) -> String {
    let cut = |text: String| match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    };
    let name = difference.letter.map_or("", |letter| letter.name.as_str());
    format!(
        "{name}: {} {}: {} | {}",
        difference.item,
        difference.path,
        cut(difference.ours.to_string()),
        cut(difference.theirs.to_string())
    )
}

/// Writes the page.
pub fn write(met: &[Met], letters: usize, compared: u64, peer: &str) -> Outcome<()> {
    let mut out = format!(
        "# Where we differ from Dovecot\n\n\
         Both servers hold the same {letters} messages and are asked the same: {compared} values compared, with Dovecot {peer}.\n\
         Every difference belongs to a class of this page; one that fits none fails `cargo xtask differential`.\n\
         In the examples our answer stands before the bar, Dovecot's behind it.\n\n\
         Written by `cargo xtask differential --write`; do not edit.\n\n\
         | class | count | standard | who is right |\n|---|---:|---|---|\n"
    );
    let verdict = |verdict| match verdict {
        Verdict::Ours => "Hearthpost",
        Verdict::Open => "both may",
    };
    for (class, met) in CLASSES.iter().zip(met) {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            class.name,
            met.count,
            class.rfc,
            verdict(class.verdict)
        ));
    }
    for (class, met) in CLASSES.iter().zip(met) {
        out.push_str(&format!("\n## {}\n\n{}\n", class.name, class.why));
        if let Some(example) = &met.example {
            out.push_str(&format!("\n    {example}\n"));
        }
    }
    Ok(std::fs::write(
        tree::root().join("docs/reference/imap-differences.md"),
        out,
    )?)
}
