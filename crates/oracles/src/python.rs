//! Judges written in Python: a script of ours around dkimpy or pyspf, a line in and a line out.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Answers to lines, in order; nothing where no Python has the modules.
///
/// # Panics
/// When Python breaks off: a judge that is there must judge.
pub fn ask(modules: &str, script: &str, lines: &[String]) -> Option<Vec<String>> {
    let Some(python) = with(modules) else {
        eprintln!("SKIPPED: no Python has {modules}; Debian: python3-dkim, python3-nacl, python3-spf");
        return None;
    };
    let mut child = Command::new(python)
        .args(["-W", "ignore", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was there a moment ago");
    let mut input = child.stdin.take().expect("it is piped");
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("the child can be waited for");
    assert!(output.status.success(), "the script broke off");
    let written = writer.join().expect("the writer does not panic");
    written.expect("the script reads everything");
    let answers: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    Some(answers)
}

/// `$HEARTHPOST_PYTHON`, the first `python3`, or the system's: whichever has the modules.
fn with(modules: &str) -> Option<String> {
    let named = std::env::var("HEARTHPOST_PYTHON").ok();
    let candidates = ["python3".to_owned(), "/usr/bin/python3".to_owned()];
    named.into_iter().chain(candidates).find(|python| {
        let tried = Command::new(python)
            .args(["-W", "ignore", "-c", &format!("import {modules}")])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}
