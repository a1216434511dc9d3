//! IMAPClient's own live test: what the authors of a client library ask of every server.
//!
//! The library comes by pip into a virtual environment under `target/`, one version by its checksum; its test runs from there.

use super::{CALL_LIMIT, World, checks_in};
use crate::process;
use crate::report::Outcome;
use crate::tree;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const REQUIREMENT: &str = "imapclient==4.1.0 \
    --hash=sha256:5fd62ab2a099494ed2a5a21e7bda03c1e99e3d55bdedb4e9c12c8176873a8fe4\n";
/// For making the environment and fetching 170 KiB.
const INSTALL_LIMIT: Duration = Duration::from_secs(180);

/// Runs every test of `imapclient.livetest`; `imapclient_live.py` names those that cannot hold, each with the reason.
pub fn run(world: &World) -> Outcome<Vec<String>> {
    let script = tree::root().join("crates/xtask/clients/imapclient_live.py");
    let python = place().join("bin/python");
    let mut command = world.command(&python.to_string_lossy());
    command
        .env("HEARTHPOST_DEMO", world.demo.json.to_string())
        .env("SSL_CERT_FILE", &world.ca)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    checks_in(&process::must(command.arg(script), CALL_LIMIT)?.stdout)
}

/// Fetches the library unless it is there.
pub fn ready() -> Outcome<()> {
    let place = place();
    let requirement = place.join("requirement.txt");
    if std::fs::read_to_string(&requirement).is_ok_and(|there| there == REQUIREMENT) {
        return Ok(());
    }
    let fresh = ["-m", "venv", "--clear"];
    process::must(Command::new("python3").args(fresh).arg(&place), INSTALL_LIMIT)?;
    let wanted = place.join("wanted.txt");
    std::fs::write(&wanted, REQUIREMENT)?;
    let mut install = Command::new(place.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    install.args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r"]);
    process::must(install.arg(&wanted), INSTALL_LIMIT)?;
    std::fs::rename(&wanted, &requirement)?;
    Ok(())
}

fn place() -> PathBuf {
    tree::root().join("target/clients/imapclient")
}
