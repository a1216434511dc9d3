//! `bench/RESULTS.md`: figures beside goals, one section a row, which stays as it is until that row is measured again.

use super::Options;
use super::lab::Lab;
use crate::process::{self, Finished};
use crate::report::Outcome;
use crate::tree;
use std::process::Command;
use std::time::Duration;

/// What a figure should be.
pub struct Goal {
    text: String,
    limit: f64,
    at_least: bool,
}

impl Goal {
    /// Met by values of at least `limit`.
    pub fn at_least(limit: f64, text: String) -> Self {
        Self {
            text,
            limit,
            at_least: true,
        }
    }

    /// Met by values of at most `limit`.
    pub fn at_most(limit: f64, text: String) -> Self {
        Self {
            text,
            limit,
            at_least: false,
        }
    }

    fn met(&self, value: f64) -> bool {
        if self.at_least {
            value >= self.limit
        } else {
            value <= self.limit
        }
    }
}

struct Line {
    name: String,
    ours: String,
    theirs: String,
    goal: Option<(String, bool)>,
}

/// What one row measured in this run.
pub struct Results {
    row: &'static str,
    /// whose figures stand beside ours
    peer: &'static str,
    head: String,
    lines: Vec<Line>,
    remarks: Vec<String>,
}

impl Results {
    /// Notes the machine, the versions and the disk.
    pub fn new(lab: &Lab, options: &Options, row: &'static str) -> Outcome<Self> {
        let say = |program: &str, args: &[&str]| -> String {
            let said = process::run(Command::new(program).args(args), Duration::from_secs(20));
            said.map(|said: Finished| said.stdout.lines().next().unwrap_or_default().trim().to_owned())
                .unwrap_or_default()
        };
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let head = format!(
            "{SECTION}{row}\n\n\
             {date}, {cores} cores ({cpu}), Linux {kernel}; server and load generator share them.\n\
             Hearthpost {commit} ({build}); Postfix {postfix} and Dovecot {dovecot} from Debian, Maildir, Debian's defaults with\n\
             limits per client lifted; both in one network namespace, taking turns. Medians of {runs} runs of at least {run_s} s each,\n\
             or of 100,000 messages of 4 KB.\n\
             The disk's own 4 KB append and fdatasync at the start: **{sync:.2} ms** (median of 300).\n\n\
             Written by `cargo xtask bench{quick} --rows {row}`; do not edit.\n",
            date = say("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            cpu = cpu.trim_start_matches([' ', '\t', ':']),
            kernel = say("uname", &["-r"]),
            commit = say(
                "git",
                &[
                    "-C",
                    &tree::root().display().to_string(),
                    "rev-parse",
                    "--short",
                    "HEAD"
                ]
            ),
            postfix = say("postconf", &["-d", "-h", "mail_version"]),
            dovecot = say("dovecot", &["--version"]),
            build = if options.binary.is_some() {
                "a program that was built before"
            } else {
                "release build"
            },
            runs = options.runs,
            run_s = options.run_s,
            sync = lab.sync_ms()?,
            quick = if options.quick { " quick" } else { "" },
        );
        Ok(Self {
            row,
            peer: "Postfix + Dovecot",
            head,
            lines: Vec::new(),
            remarks: Vec::new(),
        })
    }

    /// Whose figures stand beside ours, where it is not Postfix and Dovecot.
    pub fn beside(&mut self, peer: &'static str) {
        self.peer = peer;
    }

    /// A figure with the peer's beside it; the goal judges `judged`.
    pub fn compared(
        &mut self,
        name: String,
        ours: f64,
        theirs: f64,
        ratio: Option<f64>,
        goal: Option<Goal>,
        judged: f64,
    ) {
        let ours = match ratio {
            Some(ratio) => format!("{} (× {ratio:.2})", figure(ours)),
            None => figure(ours),
        };
        self.push(name, ours, figure(theirs), goal, judged);
    }

    /// A figure of ours alone.
    pub fn own(&mut self, name: String, value: f64, shown: String, goal: Option<Goal>) {
        self.push(name, shown, "–".into(), goal, value);
    }

    fn push(&mut self, name: String, ours: String, theirs: String, goal: Option<Goal>, judged: f64) {
        let goal = goal.map(|goal| (goal.text.clone(), goal.met(judged)));
        let verdict = goal.as_ref().map_or(String::new(), |(text, met)| {
            format!("{text}: {}", if *met { "met" } else { "NOT MET" })
        });
        println!("  {name}: {ours} | {theirs} | {verdict}");
        self.lines.push(Line {
            name,
            ours,
            theirs,
            goal,
        });
    }

    /// A sentence below the table.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// Goals met, goals not met.
    pub fn goals(&self) -> (usize, usize) {
        let verdicts: Vec<bool> = self
            .lines
            .iter()
            .filter_map(|line| line.goal.as_ref().map(|(_, met)| *met))
            .collect();
        (
            verdicts.iter().filter(|met| **met).count(),
            verdicts.iter().filter(|met| !**met).count(),
        )
    }

    /// Writes the row's section of the page.
    pub fn write(&self) -> Outcome<()> {
        let page = tree::root().join(PAGE);
        let before = std::fs::read_to_string(&page).unwrap_or_default();
        Ok(std::fs::write(
            page,
            with_section(&before, self.row, &self.section()),
        )?)
    }

    /// The section as text.
    pub fn section(&self) -> String {
        let mut out = self.head.clone();
        let peer = self.peer;
        out.push_str(&format!(
            "\n| what | Hearthpost | {peer} | goal | |\n|---|---:|---:|---|---|\n"
        ));
        for line in &self.lines {
            let (goal, met) = match &line.goal {
                Some((text, true)) => (text.as_str(), "met"),
                Some((text, false)) => (text.as_str(), "**not met**"),
                None => ("", ""),
            };
            out.push_str(&format!(
                "| {} | {} | {} | {goal} | {met} |\n",
                line.name, line.ours, line.theirs
            ));
        }
        let (met, missed) = self.goals();
        out.push_str(&format!("\n{met} goals met, {missed} not met.\n"));
        for remark in &self.remarks {
            out.push_str(&format!("\n{remark}\n"));
        }
        out
    }
}

const PAGE: &str = "bench/RESULTS.md";
/// How a section of the page begins.
const SECTION: &str = "## ";

/// The page with this section in the place of the one of that name, or at its end.
fn with_section(page: &str, name: &str, text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for line in page.split_inclusive('\n') {
        match parts.last_mut() {
            Some(part) if !line.starts_with(SECTION) => part.push_str(line),
            _ => parts.push(line.to_owned()),
        }
    }
    let title = format!("{SECTION}{name}\n");
    match parts.iter_mut().find(|part| part.starts_with(&title)) {
        Some(part) => *part = format!("{}\n", text.trim_end()) + "\n",
        None => parts.push(format!("\n{}\n", text.trim_end())),
    }
    parts.concat().trim_end().to_owned() + "\n"
}

/// Three significant digits.
fn figure(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".into(),
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_section_replaces_the_one_of_its_name_alone() {
        let page = "# IMAP\n\nWords.\n\n## imap\n\nold\n\n## imap-idle\n\nstays\n";
        let new = with_section(page, "imap", "## imap\n\nnew\n");
        assert_eq!(
            new,
            "# IMAP\n\nWords.\n\n## imap\n\nnew\n\n## imap-idle\n\nstays\n"
        );
        let more = with_section(&new, "imap-million", "## imap-million\n\nmore\n");
        assert!(more.ends_with("stays\n\n## imap-million\n\nmore\n"));
    }
}
