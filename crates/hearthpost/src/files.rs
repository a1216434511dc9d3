//! The files that settings name: what is in them, and what is wrong with them.
//!
//! Read at the start, by `config check`, and at each reload; every problem has the line of the setting that names the file.
//! Absent: writing. Secrets stay in [`Secret`], which does not print.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::{Checked, Config, Problem, Road, Validation};
use world_real::tls::Identity;

use crate::limits::{NAMED_FILE_BYTES, SECRET_BYTES};

/// A password. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// For whoever signs in with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What the files hold.
pub struct Named {
    /// our certificate, if there is one
    pub identity: Option<Identity>,
    /// further roots in PEM
    pub extra_roots: Option<Vec<u8>>,
    /// DNSSEC trust anchors
    pub trust_anchor: Option<Vec<u8>>,
    /// for each route, in the order of the settings
    pub passwords: Vec<Option<Secret>>,
}

/// Reads them all.
///
/// # Errors
/// Every problem at once.
pub fn read(settings: &Checked) -> Result<Named, Vec<Problem>> {
    let config = &settings.config;
    let mut problems = Vec::new();
    let mut keep = |setting: &str, line: Option<usize>, wrong: Wrong| {
        problems.push(Problem {
            line,
            setting: Some(setting.to_owned()),
            reason: wrong.reason,
            next_step: wrong.next_step,
        });
    };
    let named = Named {
        identity: identity(config).unwrap_or_else(|(setting, wrong)| {
            keep(setting, settings.line_of(setting), wrong);
            None
        }),
        extra_roots: optional(config.extra_roots.as_deref(), roots).unwrap_or_else(|wrong| {
            keep("tls.extra_roots", settings.line_of("tls.extra_roots"), wrong);
            None
        }),
        trust_anchor: optional(anchor_file(config), any).unwrap_or_else(|wrong| {
            keep("dns.trust_anchor", settings.line_of("dns.trust_anchor"), wrong);
            None
        }),
        passwords: (config.routes.iter().enumerate())
            .map(|(index, route)| match &route.road {
                Road::Smarthost(host) => {
                    let file = host.login.as_ref().map(|login| login.password_file.as_path());
                    optional(file, secret).unwrap_or_else(|wrong| {
                        let line = settings.line_of_route(index, "password_file");
                        keep("routes.password_file", line, wrong);
                        None
                    })
                }
                Road::Mx => None,
            })
            .collect(),
    };
    if problems.is_empty() {
        Ok(named)
    } else {
        problems.sort_by_key(|problem| problem.line);
        Err(problems)
    }
}

fn anchor_file(config: &Config) -> Option<&Path> {
    match &config.dns.validation {
        Validation::File(path) => Some(path),
        Validation::Off | Validation::Servers | Validation::Root => None,
    }
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    reason: String,
    next_step: String,
}

fn wrong<T>(reason: String, next_step: &str) -> Result<T, Wrong> {
    Err(Wrong {
        reason,
        next_step: next_step.to_owned(),
    })
}

/// An error's own words are a reason and what to do, divided by the end of a sentence.
fn told(text: &str) -> Wrong {
    let (reason, next_step) = text
        .split_once(". ")
        .unwrap_or((text.trim_end_matches('.'), "Look at the file."));
    Wrong {
        reason: reason.to_owned(),
        next_step: next_step.to_owned(),
    }
}

fn optional<T>(
    path: Option<&Path>,
    read: impl FnOnce(&Path) -> Result<T, Wrong>,
) -> Result<Option<T>, Wrong> {
    path.map(read).transpose()
}

/// With the setting that is at fault.
fn identity(config: &Config) -> Result<Option<Identity>, (&'static str, Wrong)> {
    let Some(files) = &config.tls else { return Ok(None) };
    let (certificate, key) = ("tls.certificate", "tls.key");
    let pem = certs::files::read(&files.certificate, &files.key).map_err(|error| {
        let at_key = error.path() == Some(files.key.as_path());
        (if at_key { key } else { certificate }, told(&error.to_string()))
    })?;
    Identity::from_pem::<&str>(&[], &pem.chain, &pem.key)
        .map(Some)
        .map_err(|error| (certificate, told(&error.to_string())))
}

fn any(path: &Path) -> Result<Vec<u8>, Wrong> {
    let unreadable = |error: io::Error| Wrong {
        reason: format!("{} cannot be read: {error}", path.display()),
        next_step: "Check the path and that the server's user may read it.".to_owned(),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(NAMED_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > NAMED_FILE_BYTES {
        return wrong(
            format!("{} is larger than 1 MiB", path.display()),
            "Check the path.",
        );
    }
    Ok(bytes)
}

fn roots(path: &Path) -> Result<Vec<u8>, Wrong> {
    let bytes = any(path)?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if bytes.windows(begin.len()).any(|window| window == begin) {
        return Ok(bytes);
    }
    wrong(
        format!("{} has no certificate in it", path.display()),
        "It should be PEM with one root certificate after the other.",
    )
}

/// The first line. What everybody on the machine may read is no secret.
fn secret(path: &Path) -> Result<Secret, Wrong> {
    let bytes = any(path)?;
    let mode = std::fs::metadata(path).map_or(0, |meta| meta.mode());
    if mode & 0o007 != 0 {
        return wrong(
            format!("everybody on this machine may open {}", path.display()),
            "Let only the server's user read it: chmod 600, or chmod 640 with the server's group.",
        );
    }
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().next() {
        Some(line)
            if !line.is_empty() && line.len() <= SECRET_BYTES && !line.chars().any(char::is_control) =>
        {
            Ok(Secret(line.to_owned()))
        }
        _ => wrong(
            format!("the first line of {} is no password", path.display()),
            "Write the password, and nothing else, on its first line.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn ops_3_a_password_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let said = |wrong: Wrong| wrong.reason.replace(&path.display().to_string(), "FILE");
        write(&path, "correct horse\nbattery", 0o600);
        assert_eq!(secret(&path).ok().unwrap().reveal(), "correct horse");
        write(&path, "correct horse", 0o644);
        assert_eq!(
            said(secret(&path).err().unwrap()),
            "everybody on this machine may open FILE"
        );
        write(&path, "\nx", 0o600);
        assert_eq!(
            said(secret(&path).err().unwrap()),
            "the first line of FILE is no password"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(said(secret(&path).err().unwrap()).starts_with("FILE cannot be read: No such file"));
    }

    #[test]
    fn every_file_is_looked_at_and_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        write(&dir.path().join("roots"), "nothing", 0o644);
        let text = format!(
            "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n\
             tls.extra_roots = \"{}\"\ndns.trust_anchor = \"{}\"\ntls.certificate = \"{}\"\ntls.key = \"{}\"\n\
             [[routes]]\nname = \"a\"\nhost = \"192.0.2.1\"\nuser = \"me\"\npassword_file = \"{}\"\n",
            at("roots"),
            at("anchor"),
            at("cert"),
            at("key"),
            at("password")
        );
        let problems = read(&config::read(&text).unwrap()).err().unwrap();
        let said: Vec<String> = problems
            .iter()
            .map(|problem| {
                problem
                    .to_string()
                    .replace(&format!("{}/", dir.path().display()), "")
            })
            .collect();
        assert_eq!(
            said,
            [
                "line 4: tls.extra_roots: roots has no certificate in it. It should be PEM with one root certificate after the other.",
                "line 5: dns.trust_anchor: anchor cannot be read: No such file or directory (os error 2). Check the path and that the server's user may read it.",
                "line 6: tls.certificate: cert cannot be read: No such file or directory (os error 2). Check the path and that the server's user may read it.",
                "line 12: routes.password_file: password cannot be read: No such file or directory (os error 2). Check the path and that the server's user may read it.",
            ]
        );
    }
}
