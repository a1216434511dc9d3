//! Landlock: which part of the file system is left.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::{Duty, Held};

/// What is asked of the kernel; it does what it knows of it.
const KNOWN: ABI = ABI::V6;

/// Files of the system that are read while a server runs: names, time zones, the roots that TLS trusts, its own state.
const SYSTEM: &[&str] = &[
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/proc/self",
    "/dev/null",
    "/dev/urandom",
];

/// The directories of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// it may change everything in these directories
    pub write: Vec<PathBuf>,
    /// it may read these files, and everything in these directories
    pub read: Vec<PathBuf>,
}

/// A file's directory, so that it can be read when another one takes its place; but only the file itself where others
/// keep secrets.
fn around(file: &Path) -> PathBuf {
    let shared = [
        "/",
        "/etc",
        "/root",
        "/home",
        "/etc/ssl",
        "/etc/ssl/private",
        "/tmp",
        "/var",
        "/run",
    ];
    match file.parent() {
        Some(dir) if !shared.iter().any(|shared| Path::new(shared) == dir) => dir.to_owned(),
        _ => file.to_owned(),
    }
}

/// Rules with their directories opened. The error says why the kernel has no Landlock.
pub(super) fn prepare(reach: &Reach, duty: Duty) -> Result<RulesetCreated, String> {
    let write = AccessFs::from_all(KNOWN) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let network = match duty {
        Duty::Serve => AccessNet::BindTcp.into(),
        Duty::Keep => AccessNet::from_all(KNOWN),
    };
    let rules = || {
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(network)?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        if duty == Duty::Serve {
            // Any free port for going out from a given address; no other one.
            rules = rules.add_rule(NetPort::new(0, AccessNet::BindTcp))?;
        }
        for path in &reach.write {
            rules = add(rules, path, write)?;
        }
        // Behind a link it is replaced by those who write it.
        let names = Path::new("/etc/resolv.conf").canonicalize();
        let names = names.map(|real| around(&real)).ok();
        for path in SYSTEM
            .iter()
            .map(Path::new)
            .chain(reach.read.iter().chain(&names).map(PathBuf::as_path))
        {
            rules = add(rules, path, read)?;
        }
        Ok(rules)
    };
    rules().map_err(|error: landlock::RulesetError| error.to_string())
}

/// What does not exist needs no rule.
fn add(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(opened) = PathFd::new(path) else {
        return Ok(rules);
    };
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(KNOWN)
    };
    rules.add_rule(PathBeneath::new(opened, access))
}

pub(super) fn restrict(rules: RulesetCreated) -> Held {
    match rules.restrict_self().map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Held::Fully,
        Ok(RulesetStatus::PartiallyEnforced) => Held::Partly,
        Ok(RulesetStatus::NotEnforced) => Held::Not("this kernel has no Landlock".to_owned()),
        Err(error) => Held::Not(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_its_directory_unless_others_keep_secrets_there() {
        for (file, want) in [
            ("/etc/hearthpost/key.pem", "/etc/hearthpost"),
            ("/etc/letsencrypt/live/x/key.pem", "/etc/letsencrypt/live/x"),
            ("/etc/key.pem", "/etc/key.pem"),
            ("/etc/ssl/private/key.pem", "/etc/ssl/private/key.pem"),
            ("/key.pem", "/key.pem"),
        ] {
            assert_eq!(around(Path::new(file)), Path::new(want));
        }
    }
}
