//! The place where it is measured: a namespace with nothing but loopback, a directory on the real disk, and accounting.

use crate::demo::Demo;
use crate::process::{self, Scratch};
use crate::report::{Outcome, Stopwatch};
use crate::tree;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Writes when the disk's own sync is measured.
const SYNC_SAMPLES: usize = 300;
/// How long one call of the load generator may take.
const LOAD_LIMIT: Duration = Duration::from_secs(900);

/// Namespace, directory and program.
pub struct Lab {
    namespace: String,
    place: Scratch,
    /// The program that is measured.
    pub binary: PathBuf,
}

impl Lab {
    /// Builds the program, unless one is given, and makes the namespace.
    pub fn new(binary: Option<PathBuf>) -> Outcome<Self> {
        let binary = match binary {
            Some(binary) => binary,
            None => tree::build("hearthpost", "release")?,
        };
        let namespace = format!("hearthpost-{}", std::process::id());
        let ip =
            |args: &[&str]| process::must(Command::new("ip").args(args), Duration::from_secs(10)).map(drop);
        ip(&["netns", "add", &namespace])?;
        let lab = Self {
            namespace,
            place: Scratch::new("bench")?,
            binary,
        };
        ip(&["-n", &lab.namespace, "link", "set", "lo", "up"])?;
        process::must(
            Command::new("chmod").arg("755").arg(lab.place.path()),
            Duration::from_secs(5),
        )?;
        Ok(lab)
    }

    /// A directory for one server.
    pub fn dir(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A command that runs inside the namespace, with the rest of the system as it is.
    pub fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.net()).arg("--").arg(program);
        command
    }

    /// As [`Lab::inside`], with CPU time accounted to the group `name`, children included.
    pub fn inside_group(&self, name: &str, program: &Path) -> Outcome<Command> {
        let group = self.group(name);
        std::fs::create_dir_all(&group)?;
        let mut command = Command::new("sh");
        let script = "echo $$ > \"$0/cgroup.procs\"; exec nsenter \"$@\"";
        command
            .args(["-c", script])
            .arg(&group)
            .arg(self.net())
            .arg("--")
            .arg(program);
        Ok(command)
    }

    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn net(&self) -> String {
        format!("--net=/run/netns/{}", self.namespace)
    }

    /// The accounting group's directory.
    pub fn group(&self, name: &str) -> PathBuf {
        let v1 = Path::new("/sys/fs/cgroup/cpuacct");
        let root = if v1.is_dir() {
            v1
        } else {
            Path::new("/sys/fs/cgroup")
        };
        root.join(format!("{}-{name}", self.namespace))
    }

    /// A fresh Hearthpost in the lab, with as many bulk users as asked.
    pub fn hearthpost(&self, name: &str, users: usize) -> Outcome<Demo> {
        let command = self.inside_group("hearthpost", &self.binary)?;
        Demo::start_with(
            command,
            &self.dir(name),
            &["--users", &users.to_string(), "--insecure-auth"],
        )
    }

    /// Runs the shared load generator; gives one JSON object per run.
    pub fn mailbench(&self, args: &[String]) -> Outcome<Vec<Value>> {
        let script = tree::shared()
            .map(|shared| shared.join("mailbench/mailbench.py"))
            .filter(|script| script.is_file());
        let script = script.ok_or(
            "the shared load generator is not here: set HEARTHPOST_SHARED to the directory with mailbench/",
        )?;
        let mut command = self.inside("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).args(args);
        let said = process::must(&mut command, LOAD_LIMIT)?.stdout;
        let runs: Vec<Value> = said
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if runs.is_empty() {
            Err("the load generator printed no result".into())
        } else {
            Ok(runs)
        }
    }

    /// Runs one of our own scripts of `bench/`; gives the JSON object it prints last.
    pub fn script(&self, name: &str, args: &[String]) -> Outcome<Value> {
        let mut command = self.inside("python3");
        command.arg(tree::root().join("bench").join(name)).args(args);
        let said = process::must(&mut command, LOAD_LIMIT)?.stdout;
        let line = said
            .lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .ok_or_else(|| format!("{name} printed no result"))?;
        Ok(serde_json::from_str(line)?)
    }

    /// Median milliseconds of appending 4 KiB and syncing it, now, on the disk that the servers use.
    pub fn sync_ms(&self) -> Outcome<f64> {
        let path = self.place.path().join("sync");
        let mut file = File::create(&path)?;
        let block = [0x5a_u8; 4096];
        let mut times = Vec::with_capacity(SYNC_SAMPLES);
        for _ in 0..SYNC_SAMPLES {
            let started = Stopwatch::start();
            file.write_all(&block)?;
            file.sync_data()?;
            times.push(started.seconds() * 1e3);
        }
        std::fs::remove_file(path)?;
        Ok(median(times))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Both can be left over only by a crash of this tool; neither disturbs anything.
        let _ = Command::new("ip")
            .args(["netns", "del", &self.namespace])
            .status();
        for name in ["hearthpost", "peer", "floor", "opendkim"] {
            let _ = std::fs::remove_dir(self.group(name));
        }
    }
}

/// The middle of the values; NaN without values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => (values[length / 2 - 1] + values[length / 2]) / 2.0,
    }
}

/// A field of `/proc/PID/status` in KiB.
pub fn status_kib(pid: u32, field: &str) -> Outcome<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .ok_or_else(|| format!("no {field}"))?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0, f64::NAN]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
