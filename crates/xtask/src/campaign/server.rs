//! `hearthpost serve` as the campaigns use it: settings of their own, accounts, commands, killed and restarted on one directory.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process;

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a polite end may take (threat case DUR-7 asks for less than 10 s).
const STOP_LIMIT: Duration = Duration::from_secs(12);
/// How long one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// What a server shall be.
#[derive(Clone)]
pub struct Plan {
    /// the program
    pub binary: PathBuf,
    /// words in front of it (ip netns exec …)
    pub wrapper: Vec<String>,
    /// where everything of this server goes
    pub dir: PathBuf,
    /// its name
    pub hostname: String,
    /// its domains
    pub domains: Vec<String>,
    /// where its doors are found
    pub address: IpAddr,
    /// the addresses that the settings name for them; without any only that one
    pub listen: Vec<IpAddr>,
    /// added to each door's usual port (25, 587, 993)
    pub port_base: u16,
    /// certificate chain and key
    pub certificate: (PathBuf, PathBuf),
    /// further settings, whole tables
    pub settings: String,
}

impl Plan {
    /// Where a door is.
    pub fn door(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.port_base + port)
    }

    /// A door as the settings name it.
    fn doors(&self, port: u16) -> String {
        let only = [self.address];
        let addresses = if self.listen.is_empty() {
            &only[..]
        } else {
            &self.listen
        };
        let doors: Vec<String> = addresses
            .iter()
            .map(|address| format!("\"{}\"", SocketAddr::new(*address, self.port_base + port)))
            .collect();
        doors.join(", ")
    }

    fn file(&self) -> PathBuf {
        self.dir.join("hearthpost.toml")
    }

    fn text(&self) -> String {
        let domains: Vec<String> = self.domains.iter().map(|domain| format!("{domain:?}")).collect();
        format!(
            "data_dir = \"{dir}/data\"\nhostname = \"{hostname}\"\ndomains = [{domains}]\n\
             [doors]\nsmtp = [{smtp}]\nsubmission = [{submission}]\nimaps = [{imaps}]\n\
             [process]\nuser = \"root\"\n{settings}\n",
            dir = self.dir.display(),
            hostname = self.hostname,
            domains = domains.join(", "),
            smtp = self.doors(25),
            submission = self.doors(587),
            imaps = self.doors(993),
            settings = self.settings,
        )
        .replace(
            "[tls]\n",
            &format!(
                "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
                self.certificate.0.display(),
                self.certificate.1.display()
            ),
        )
    }
}

/// A running server. Dropping it ends it.
pub struct Server {
    /// what it is
    pub plan: Plan,
    child: Option<Child>,
}

impl Server {
    /// Writes the settings (which must have a `[tls]` table), starts, waits until the doors are open.
    pub fn start(plan: Plan) -> Result<Self, String> {
        std::fs::create_dir_all(&plan.dir).map_err(|error| error.to_string())?;
        let mut server = Self { plan, child: None };
        server.write_settings()?;
        server.launch()?;
        Ok(server)
    }

    /// Writes the settings file anew; a running server does not notice before `reload`.
    pub fn write_settings(&self) -> Result<(), String> {
        std::fs::write(self.plan.file(), self.plan.text()).map_err(|error| error.to_string())
    }

    /// Starts on what is there.
    pub fn launch(&mut self) -> Result<(), String> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.plan.dir.join("stderr"));
        let child = self
            .command()
            .args(["serve", "--config"])
            .arg(self.plan.file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| format!("the server does not start: {error}"))?;
        self.child = Some(child);
        self.wait_until_open()
    }

    fn command(&self) -> Command {
        let mut words = self
            .plan
            .wrapper
            .iter()
            .cloned()
            .chain([self.plan.binary.display().to_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }

    fn wait_until_open(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let control = self.plan.dir.join("data/control.sock");
        for port in [25, 587, 993] {
            while TcpStream::connect_timeout(&self.plan.door(port), Duration::from_millis(500)).is_err()
                || std::os::unix::net::UnixStream::connect(&control).is_err()
            {
                let gone = self
                    .child
                    .as_mut()
                    .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
                if gone || began.elapsed() > START_LIMIT {
                    return Err(format!(
                        "{} did not open its doors\n{}",
                        self.plan.hostname,
                        self.log_tail()
                    ));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// The process id; a wrapper must exec.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already dead is dead too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; how long the end took, or an error when it took too long.
    pub fn stop(&mut self) -> Result<Duration, String> {
        let mut child = self.child.take().ok_or("not running")?;
        let began = Instant::now();
        let _ = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        if process::wait(&mut child, STOP_LIMIT).is_none() {
            process::stop(&mut child, Duration::ZERO);
            return Err(format!(
                "{} did not end within {STOP_LIMIT:?} of SIGTERM",
                self.plan.hostname
            ));
        }
        Ok(began.elapsed())
    }

    /// `hearthpost WORDS --config FILE`; its standard output, or what went wrong.
    pub fn tell(&self, words: &[&str]) -> Result<String, String> {
        self.tell_with(words, "")
    }

    /// As [`Server::tell`], with something on standard input.
    pub fn tell_with(&self, words: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new(&self.plan.binary)
            .args(words)
            .arg("--config")
            .arg(self.plan.file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read says so in its output.
            let _ = stdin.write_all(input.as_bytes());
        }
        let began = Instant::now();
        let output = std::thread::spawn(move || child.wait_with_output());
        while !output.is_finished() {
            if began.elapsed() > COMMAND_LIMIT {
                return Err(format!("hearthpost {} does not end", words.join(" ")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = output
            .join()
            .map_err(|_| "cannot wait")?
            .map_err(|error| error.to_string())?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if output.status.success() {
            Ok(out.into_owned())
        } else {
            Err(format!(
                "hearthpost {}: {}{}",
                words.join(" "),
                out.trim(),
                err.trim()
            ))
        }
    }

    /// An account with this password.
    pub fn account(&self, address: &str, password: &str) -> Result<(), String> {
        let input = format!("{password}\n");
        self.tell_with(&["account", "add", address, "--password-stdin"], &input)
            .map(drop)
    }

    /// Everybody who waits in the queue, one JSON object each.
    pub fn waiting(&self) -> Result<Vec<Value>, String> {
        let said = self.tell(&["queue", "list", "--json"])?;
        let value: Value =
            serde_json::from_str(said.trim()).map_err(|error| format!("{error} in {said:?}"))?;
        let list = value
            .as_array()
            .or_else(|| value.as_object()?.values().find_map(Value::as_array));
        list.cloned()
            .ok_or_else(|| format!("no list of those who wait: {said}"))
    }

    /// `trace` of the newest message to or from an address.
    pub fn timeline_of(&self, address: &str) -> Result<String, String> {
        let said = self.tell(&["trace", address, "--json"])?;
        let value: Value =
            serde_json::from_str(said.trim()).map_err(|error| format!("{error} in {said:?}"))?;
        let id = value[0]["id"]
            .as_str()
            .ok_or_else(|| format!("nothing is known of {address}: {said}"))?;
        self.tell(&["trace", id])
    }

    /// Makes everything that waits due now.
    pub fn retry_all(&self) -> Result<(), String> {
        self.tell(&["queue", "retry", "--all", "--yes"]).map(drop)
    }

    /// What it said last.
    pub fn log_tail(&self) -> String {
        let said = std::fs::read_to_string(self.plan.dir.join("stderr")).unwrap_or_default();
        process::tail(&said, 15)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            process::stop(child, STOP_LIMIT);
        }
    }
}

/// A key and a certificate that every server of a campaign can share where nobody looks at names.
pub fn certificate(
    authority: &testkit::sink::Authority,
    names: &[&str],
    dir: &Path,
) -> Result<(PathBuf, PathBuf), String> {
    std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
    authority
        .write(names, &chain, &key)
        .map_err(|error| error.to_string())?;
    process::must(Command::new("chmod").arg("600").arg(&key), Duration::from_secs(5))
        .map_err(|error| error.to_string())?;
    Ok((chain, key))
}
