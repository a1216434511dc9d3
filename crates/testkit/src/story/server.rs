//! The demo that a story is played against.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::parse::Door;
use super::pattern::Values;
use crate::talk::{Talk, TlsClient};

/// How long a start or a stop may take.
const START_MAX: Duration = Duration::from_secs(60);

/// A running demo.
pub(super) struct Server {
    child: Child,
    json: Value,
    dir: tempfile::TempDir,
    binary: PathBuf,
    options: Vec<String>,
}

impl Server {
    pub(super) fn start(binary: &Path, options: &[String]) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (child, json) = launch(binary, options, dir.path())?;
        Ok(Self {
            child,
            json,
            dir,
            binary: binary.to_owned(),
            options: options.to_vec(),
        })
    }

    /// Ends the process and starts it again on the same directory.
    pub(super) fn restart(&mut self, gently: bool) -> Result<(), String> {
        if gently {
            let pid = self.child.id().to_string();
            let told = Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .map_err(|error| error.to_string())?;
            if !told.success() {
                return Err("the server was gone before it was told to stop".into());
            }
            let status = self.child.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(format!(
                    "the server stopped with {status}\n{}",
                    self.stderr_tail()
                ));
            }
        } else {
            // Already dead is dead too.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        (self.child, self.json) = launch(&self.binary, &self.options, self.dir.path())?;
        Ok(())
    }

    pub(super) fn connect(&self, door: Door) -> Result<Talk, String> {
        let port = self.json[door.name()]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| format!("the demo has no door {}", door.name()))?;
        Ok(if door.starts_with_tls() {
            Talk::connect_tls(port, &self.tls())
        } else {
            Talk::connect(port)
        })
    }

    pub(super) fn tls(&self) -> TlsClient {
        TlsClient::trusting(Path::new(self.json["ca"].as_str().unwrap_or_default()))
    }

    /// `alice`, `alice.password`, `alice.plain` and so on.
    pub(super) fn values(&self) -> Values {
        let mut values = Values::new();
        for user in self.json["users"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let text = |name: &str| user[name].as_str().unwrap_or_default();
            let (address, password) = (text("address"), text("password"));
            let (name, domain) = address.split_once('@').unwrap_or_default();
            values.insert(name.to_owned(), address.to_owned());
            values.insert(format!("{name}.password"), password.to_owned());
            values.insert(
                format!("{name}.plain"),
                base64(format!("\0{address}\0{password}").as_bytes()),
            );
            values.insert("domain".into(), domain.to_owned());
        }
        values
    }

    /// Everything logged so far, the current file only.
    pub(super) fn log(&self) -> String {
        let dir = PathBuf::from(self.json["dir"].as_str().unwrap_or_default());
        let places = [
            dir.join("log/hearthpost.jsonl"),
            dir.join("data/log/hearthpost.jsonl"),
        ];
        places
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok())
            .unwrap_or_default()
    }

    /// The last lines the server wrote to its standard error.
    pub(super) fn stderr_tail(&self) -> String {
        stderr_tail(self.dir.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already dead is dead too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(binary: &Path, options: &[String], dir: &Path) -> Result<(Child, Value), String> {
    let stderr = File::options().create(true).append(true).open(dir.join("stderr"));
    let mut child = Command::new(binary)
        .args(["demo", "--json", "--dir"])
        .arg(dir.join("demo"))
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.map_err(|error| error.to_string())?)
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", binary.display()))?;
    let stdout = child.stdout.take().expect("it was asked for");
    let (sender, line) = mpsc::channel();
    // Reads on, so that the server never waits for somebody to read its output.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                continue;
            }
        }
    });
    let first = line.recv_timeout(START_MAX).ok();
    match first.as_deref().map(serde_json::from_str) {
        Some(Ok(json)) => Ok((child, json)),
        other => {
            let _ = child.kill();
            let _ = child.wait();
            Err(format!(
                "the demo did not print its line of JSON: {other:?}\n{}",
                stderr_tail(dir)
            ))
        }
    }
}

fn stderr_tail(dir: &Path) -> String {
    let text = std::fs::read(dir.join("stderr")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..]
        .iter()
        .map(|line| format!("    stderr: {line}\n"))
        .collect()
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
