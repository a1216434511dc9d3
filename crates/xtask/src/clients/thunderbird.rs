//! Thunderbird on a display of its own (Xvfb), driven through Marionette by `crates/xtask/clients/thunderbird.py`.
//!
//! It trusts the demo's authority because its profile does (certutil), and no certificate is waved through. Pictures of its windows are
//! left in `target/clients/thunderbird/`.

use super::{CALL_LIMIT, World, checks_in};
use crate::demo::first_line;
use crate::process::{self, find, tail};
use crate::report::{Outcome, Stopwatch, pause};
use crate::tree;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// From exec until it takes orders.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Debian's own script in `/usr/bin` starts this one, and would stay between us and it.
const DEBIAN: &str = "/usr/lib/thunderbird/thunderbird";

/// No questions at the start, nothing that leaves this machine, and any free port for our orders.
const SETTINGS: &str = r#"user_pref("marionette.port", 0);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.donation.eoy.version.viewed", 999);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.rights.version", 1);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mailnews.start_page.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://localhost:9/");
user_pref("toolkit.telemetry.enabled", false);
"#;

/// Receive, read, star, search, move, delete, send: as its user would, and each time the server is asked what it has.
pub fn run(world: &World) -> Outcome<Vec<String>> {
    let pictures = tree::root().join("target/clients/thunderbird");
    std::fs::create_dir_all(&pictures)?;
    let profile = make_profile(world)?;
    let display = Display::open()?;
    let log = world.place.path().join("thunderbird.log");
    let program = start(world, &profile, &display, &log)?;
    let port = program.port(&profile);
    let done = port.and_then(|port| drive(world, &display, port, &pictures));
    drop(program);
    let done = done.and_then(|mut held| {
        let commands = nothing_refused(&world.place.path().join("talk.moz_log"))?;
        held.push(format!(
            "Thunderbird: none of its {commands} IMAP commands was refused"
        ));
        Ok(held)
    });
    done.map_err(|error| {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        format!("{error}\nThunderbird said:\n{}", tail(&said, 15)).into()
    })
}

/// Whether everything it needs is here.
pub fn ready() -> Outcome<()> {
    match ["Xvfb", "certutil", "import"]
        .into_iter()
        .find(|tool| find(tool).is_none())
    {
        Some(tool) => Err(format!("{tool} is not installed").into()),
        None => Ok(()),
    }
}

fn make_profile(world: &World) -> Outcome<PathBuf> {
    let profile = world.place.path().join("profile");
    std::fs::create_dir(&profile)?;
    std::fs::write(profile.join("user.js"), SETTINGS)?;
    let database = format!("sql:{}", profile.display());
    let certutil = |args: &[&str]| {
        let mut command = world.command("certutil");
        process::must(command.args(["-d", &database]).args(args), CALL_LIMIT)
    };
    certutil(&["-N", "--empty-password"])?;
    let ca = world.ca.display().to_string();
    certutil(&["-A", "-n", "demo", "-t", "C,,", "-i", &ca])?;
    Ok(profile)
}

fn start(world: &World, profile: &Path, display: &Display, log: &Path) -> Outcome<Program> {
    let program = match Path::new(DEBIAN).is_file() {
        true => DEBIAN,
        false => "thunderbird",
    };
    let said = File::create(log)?;
    let child = world
        .command(program)
        .env("DISPLAY", &display.name)
        .env("MOZ_CRASHREPORTER_DISABLE", "1")
        .env("MOZ_LOG", "IMAP:4")
        .env("MOZ_LOG_FILE", world.place.path().join("talk"))
        .args([
            "--no-remote",
            "--marionette",
            "--remote-allow-system-access",
            "--profile",
        ])
        .arg(profile)
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()?;
    Ok(Program(child))
}

fn drive(world: &World, display: &Display, port: u16, pictures: &Path) -> Outcome<Vec<String>> {
    let mut command = world.python_command("thunderbird.py");
    command.env("DISPLAY", &display.name);
    command.arg(port.to_string()).arg(pictures);
    checks_in(&process::must(&mut command, CALL_LIMIT)?.stdout)
}

/// Reads Thunderbird's own log of its conversations; gives the number of commands that were answered.
fn nothing_refused(log: &Path) -> Outcome<usize> {
    let log = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines = log
        .lines()
        .filter_map(|line| line.split_once("CreateNewLineFromSocket: "));
    let tagged = lines.filter(|(_, said)| said.starts_with(|first: char| first.is_ascii_digit()));
    let answers: Vec<&str> = tagged.map(|(_, said)| said).collect();
    let refused = |said: &&&str| matches!(said.split(' ').nth(1), Some("NO" | "BAD"));
    match answers.iter().find(refused) {
        Some(said) => Err(format!("a command was refused: {said}").into()),
        None if answers.is_empty() => Err("Thunderbird's log has no conversation".into()),
        None => Ok(answers.len()),
    }
}

/// A running Thunderbird; it ends with its owner.
struct Program(Child);

impl Program {
    /// Where it takes orders: it writes the port into its profile once it does.
    fn port(&self, profile: &Path) -> Outcome<u16> {
        let waited = Stopwatch::start();
        while waited.elapsed() < START_LIMIT {
            let written = std::fs::read_to_string(profile.join("MarionetteActivePort")).unwrap_or_default();
            if let Ok(port) = written.trim().parse() {
                return Ok(port);
            }
            pause(Duration::from_millis(50));
        }
        Err(format!("Thunderbird takes no orders after {} s", START_LIMIT.as_secs()).into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It was told to quit when all went well; then this only waits for it.
        let _ = process::wait(&mut self.0, STOP_LIMIT);
        process::stop(&mut self.0, STOP_LIMIT);
    }
}

/// A display that nobody sees.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open() -> Outcome<Self> {
        let mut server = Command::new(find("Xvfb").unwrap_or_else(|| "Xvfb".into()))
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x900x24",
                "-nolisten",
                "tcp",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let number = first_line(&mut server);
        let mut display = Self {
            server,
            name: String::new(),
        };
        let number = number?.ok_or("Xvfb opened no display")?;
        display.name = format!(":{}", number.trim());
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        process::stop(&mut self.server, STOP_LIMIT);
    }
}
