//! Running other programs: with a deadline, with their output kept, and never left behind.

use crate::report::{Outcome, Stopwatch, pause};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Most bytes of a program's output that are kept; the rest is read and dropped.
const OUTPUT_LIMIT_BYTES: u64 = 16 << 20;

/// What a finished program left: its status and everything it said.
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, lossily decoded.
    pub stdout: String,
    /// Standard error, lossily decoded.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, for searching and for messages.
    pub fn both(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a program to its end, at most `limit` long; then it is killed and that is an error.
pub fn run(command: &mut Command, limit: Duration) -> Outcome<Finished> {
    let name = format!("{:?}", command.get_program());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {name}: {error}"))?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, limit);
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let finished = (
        stdout.join().unwrap_or_default(),
        stderr.join().unwrap_or_default(),
    );
    match status {
        Some(status) => Ok(Finished {
            status,
            stdout: finished.0,
            stderr: finished.1,
        }),
        None => Err(format!(
            "{name} did not finish within {} s\n{}{}",
            limit.as_secs(),
            finished.0,
            finished.1
        )
        .into()),
    }
}

/// Runs a program and demands success; its output is in the error.
pub fn must(command: &mut Command, limit: Duration) -> Outcome<Finished> {
    let finished = run(command, limit)?;
    if finished.status.success() {
        Ok(finished)
    } else {
        Err(format!(
            "{command:?} ended with {}\n{}",
            finished.status,
            tail(&finished.both(), 40)
        )
        .into())
    }
}

/// As [`run`], with both outputs also on our own terminal while they come.
pub fn run_shown(command: &mut Command, limit: Duration) -> Outcome<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let stdout = echo(child.stdout.take(), std::io::stdout());
    let stderr = echo(child.stderr.take(), std::io::stderr());
    let status = wait(&mut child, limit);
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let (stdout, stderr) = (
        stdout.join().unwrap_or_default(),
        stderr.join().unwrap_or_default(),
    );
    let status = status.ok_or_else(|| format!("{command:?} did not finish within {} s", limit.as_secs()))?;
    Ok(Finished {
        status,
        stdout,
        stderr,
    })
}

fn echo(
    pipe: Option<impl Read + Send + 'static>,
    mut terminal: impl Write + Send + 'static,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = String::new();
        if let Some(pipe) = pipe {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                // A closed terminal must not stop the run.
                let _ = writeln!(terminal, "{line}");
                if (kept.len() as u64) < OUTPUT_LIMIT_BYTES {
                    kept.push_str(&line);
                    kept.push('\n');
                }
            }
        }
        kept
    })
}

/// Runs a program with its output on our own terminal.
pub fn show(command: &mut Command) -> Outcome<ExitStatus> {
    Ok(command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?)
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A broken pipe only shortens the text that is shown.
            let _ = pipe.by_ref().take(OUTPUT_LIMIT_BYTES).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a child, at most `limit`; `None` when it still runs.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let started = Stopwatch::start();
    let mut nap = Duration::from_millis(2);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if started.elapsed() > limit {
            return None;
        }
        pause(nap);
        nap = (nap * 2).min(Duration::from_millis(100));
    }
}

/// Ends a child politely (TERM), then surely (KILL).
pub fn stop(child: &mut Child, patience: Duration) {
    // A child that is already gone is what we want.
    let _ = Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .stderr(Stdio::null())
        .status();
    if wait(child, patience).is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Where a program is, looking also where Debian keeps the administrator's.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        .into_iter()
        .map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A directory that goes away with its owner.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new empty directory under the system's temporary one, mode as the umask gives.
    pub fn new(name: &str) -> Outcome<Self> {
        for attempt in 0..1000 {
            let dir =
                std::env::temp_dir().join(format!("hearthpost-{name}-{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("cannot make {}: {error}", dir.display()).into()),
            }
        }
        Err("no free name for a temporary directory".into())
    }

    /// The directory.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("HEARTHPOST_KEEP").is_some() {
            eprintln!("kept {}", self.0.display());
        } else {
            // What cannot be removed is left for the system's cleaner of temporary files.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = run(Command::new("sleep").arg("60"), Duration::from_millis(50))
            .err()
            .expect("must not finish");
        assert!(error.to_string().contains("did not finish"), "{error}");
    }

    #[test]
    fn output_of_a_failing_program_is_in_the_error() {
        let error = must(
            Command::new("sh").args(["-c", "echo because; exit 3"]),
            Duration::from_secs(5),
        )
        .err()
        .expect("fails");
        assert!(error.to_string().contains("because"), "{error}");
    }

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
    }
}
