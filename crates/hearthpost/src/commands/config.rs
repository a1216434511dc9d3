//! `hearthpost config …`

use std::path::Path;

use config::{Problem, Shown, Source, Takes};
use serde_json::json;

use super::print;
use crate::cli::ConfigCommand;
use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::serve::{self, Unread};

/// Runs the command.
pub fn run(command: ConfigCommand) -> Outcome<()> {
    match command {
        ConfigCommand::Reference => print(config::reference().trim_end()),
        ConfigCommand::Check { config: file, json } => check(&file, json),
        ConfigCommand::Show { config: file, json } => {
            let shown = serve::read(&file)?.shown();
            if json {
                return print(&json!(shown.iter().map(as_json).collect::<Vec<_>>()).to_string());
            }
            print(&shown.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn check(file: &Path, json: bool) -> Outcome<()> {
    let mut notes = Vec::new();
    let problems = match serve::check(file, &Shelf::Disk) {
        Ok(checked) => {
            notes = serve::notes(&checked.config);
            files::read(&checked, &Shelf::Disk).err().unwrap_or_default()
        }
        Err(Unread::Problems(problems)) => problems,
        Err(Unread::File(text)) => return Err(Failure::Usage(text)),
    };
    if json {
        let list: Vec<_> = problems.iter().map(problem_as_json).collect();
        print(
            &json!({"file": file, "in_order": problems.is_empty(), "problems": list, "notes": notes})
                .to_string(),
        )?;
    }
    match (problems.is_empty(), json) {
        (true, true) => Ok(()),
        (true, false) => {
            let notes = notes.iter().map(|note| format!("\nNote: {note}"));
            print(&format!(
                "{} is in order.{}",
                file.display(),
                notes.collect::<String>()
            ))
        }
        (false, _) => Err(Failure::Usage(serve::told(file, &problems))),
    }
}

fn problem_as_json(problem: &Problem) -> serde_json::Value {
    json!({
        "line": problem.line,
        "setting": problem.setting,
        "reason": problem.reason,
        "next_step": problem.next_step,
    })
}

fn as_json(shown: &Shown) -> serde_json::Value {
    let (source, line) = match shown.source {
        Source::Line(line) => ("file", Some(line)),
        Source::Default => ("default", None),
        Source::Unset => ("unset", None),
    };
    json!({
        "name": shown.name,
        "value": shown.value,
        "source": source,
        "line": line,
        "takes": match shown.takes {
            Takes::Reload => "reload",
            Takes::Restart => "restart",
        },
    })
}

/// Together the lines are a settings file.
fn line(shown: &Shown) -> String {
    match (&shown.value, shown.source) {
        (Some(value), Source::Line(line)) => format!("{} = {value}  # line {line}", shown.name),
        (Some(value), _) => format!("{} = {value}  # default", shown.name),
        (None, _) => format!("# {} has no value", shown.name),
    }
}
