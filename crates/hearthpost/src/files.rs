//! The files and name servers that settings name: what is in them, where they are, and what is wrong with them.
//!
//! Read at the start, by `config check`, and at each reload; every problem has the line of the setting that names the file.
//! A server has them read by its keeper ([`crate::keeper`]), everybody else reads them from the disk: [`Shelf`].
//! Absent: writing. Secrets stay in [`Secret`], which does not print.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use config::{Checked, Config, NameServer, Problem, Road, Route, TlsFiles, Validation};
use msgauth::dkim::sign::{BadSigningKey, SigningKey};
use msgauth::suffixes::PublicSuffixes;
use world_real::dns::system::{self, HOSTS_FILE};
use world_real::keeper::{Bundle, Contents, Keeper};
use world_real::tls::{Identity, TlsSetupError};
use world_real::tlsa::{self, KeyHash};

use crate::limits::{NAMED_FILE_BYTES, SECRET_BYTES};

/// Debian's list of public suffixes (package publicsuffix).
pub const USUAL_SUFFIXES: &str = "/usr/share/publicsuffix/public_suffix_list.dat";

/// What can be read.
pub enum Shelf {
    /// every file, when it is asked for
    Disk,
    /// what the keeper has read; the key stays with it
    Kept(Box<Bundle>),
}

impl Shelf {
    /// Everything as the keeper reads it now.
    ///
    /// # Errors
    /// It does not answer; in words.
    pub fn of(keeper: &Keeper) -> Result<Self, String> {
        let bundle = keeper.read().map_err(|error| {
            format!("the process that keeps the key does not answer: {error}. Start the server again.")
        })?;
        Ok(Self::Kept(Box::new(bundle)))
    }

    /// What is in a file, up to one octet more than `limit`.
    pub fn contents(&self, path: &Path, limit: u64) -> io::Result<Contents> {
        match self {
            Self::Disk => read_at_most(path, limit),
            Self::Kept(bundle) => bundle.contents(path),
        }
    }
}

/// What is in a file, up to one octet more than `limit`, so that it can be seen to be too long.
pub fn read_at_most(path: &Path, limit: u64) -> io::Result<Contents> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    let mode = found.mode();
    // One read where the size is true; nothing is believed of it beyond the limit.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len().min(limit) + 1).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(Contents { bytes, mode })
}

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
    /// hash of the key of the certificate that comes next
    pub next_tlsa: Option<KeyHash>,
    /// further roots in PEM
    pub extra_roots: Option<Vec<u8>>,
    /// DNSSEC trust anchors
    pub trust_anchor: Option<Vec<u8>>,
    /// for each route, in the order of the settings
    pub passwords: Vec<Option<Secret>>,
    /// what signs submissions
    pub signers: Vec<SigningKey>,
    /// where registries end
    pub suffixes: Option<Arc<PublicSuffixes>>,
    /// whom DNS is asked of; empty: the system's
    pub name_servers: Vec<SocketAddr>,
}

/// Reads and finds them all. Finding a name server may take seconds: not for a task of the runtime.
///
/// # Errors
/// Every problem at once.
pub fn read(settings: &Checked, shelf: &Shelf) -> Result<Named, Vec<Problem>> {
    let config = &settings.config;
    let mut ask = Asking::of(settings);
    let named = Named {
        identity: identity(config, shelf).unwrap_or_else(|(setting, wrong)| ask.none(setting, wrong)),
        next_tlsa: ask.file(
            "tls.next_certificate",
            config.next_certificate.as_deref(),
            |path| next(shelf, path),
        ),
        extra_roots: ask.file("tls.extra_roots", config.extra_roots.as_deref(), |path| {
            roots(shelf, path)
        }),
        trust_anchor: anchor(config, shelf).unwrap_or_else(|wrong| ask.none("dns.trust_anchor", wrong)),
        passwords: passwords(&mut ask, &config.routes, shelf),
        signers: (config.dkim_keys.iter())
            .filter_map(|path| ask.file("dkim.keys", Some(path.as_path()), |path| signer(shelf, path)))
            .collect(),
        suffixes: suffixes(config, shelf).unwrap_or_else(|wrong| ask.none("smtp.public_suffixes", wrong)),
        name_servers: name_servers(&mut ask, config, shelf),
    };
    ask.end(named)
}

/// The problems found so far, each with the line of its setting.
struct Asking<'a> {
    settings: &'a Checked,
    problems: Vec<Problem>,
}

impl<'a> Asking<'a> {
    fn of(settings: &'a Checked) -> Self {
        Self {
            settings,
            problems: Vec::new(),
        }
    }

    /// What is in the file that a setting names, if it names one.
    fn file<T>(
        &mut self,
        setting: &str,
        path: Option<&Path>,
        read: impl FnOnce(&Path) -> Result<T, Wrong>,
    ) -> Option<T> {
        let found = path.map(read).transpose();
        found.unwrap_or_else(|wrong| self.none(setting, wrong))
    }

    /// Keeps the problem of a setting; there is nothing in its place.
    fn none<T>(&mut self, setting: &str, wrong: Wrong) -> Option<T> {
        self.keep(setting, self.settings.line_of(setting), wrong);
        None
    }

    fn keep(&mut self, setting: &str, line: Option<usize>, wrong: Wrong) {
        self.problems.push(Problem {
            line,
            setting: Some(setting.to_owned()),
            reason: wrong.reason,
            next_step: wrong.next_step,
        });
    }

    /// What was read, when nothing is wrong; else everything that is, from the top of the settings down.
    fn end<T>(mut self, read: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(read);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(self.problems)
    }
}

/// For each route the password with which to sign in, where it is a smarthost that asks for one.
fn passwords(ask: &mut Asking<'_>, routes: &[Route], shelf: &Shelf) -> Vec<Option<Secret>> {
    let mut passwords = Vec::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let found = password_file(route).map(|path| secret(shelf, path)).transpose();
        passwords.push(found.unwrap_or_else(|wrong| {
            let line = ask.settings.line_of_route(index, "password_file");
            ask.keep("routes.password_file", line, wrong);
            None
        }));
    }
    passwords
}

fn password_file(route: &Route) -> Option<&Path> {
    match &route.road {
        Road::Smarthost(host) => host.login.as_ref().map(|login| login.password_file.as_path()),
        Road::Mx => None,
    }
}

/// Where the name servers are now. The hosts file is only read when a name asks for it.
fn name_servers(ask: &mut Asking<'_>, config: &Config, shelf: &Shelf) -> Vec<SocketAddr> {
    let hosts = if names_servers(config) {
        hosts(shelf)
    } else {
        String::new()
    };
    let mut found = Vec::with_capacity(config.dns.servers.len());
    for server in &config.dns.servers {
        match address_of(server, &hosts) {
            Ok(address) => found.push(address),
            Err(wrong) => ask.keep("dns.servers", ask.settings.line_of("dns.servers"), wrong),
        }
    }
    found
}

fn address_of(server: &NameServer, hosts: &str) -> Result<SocketAddr, Wrong> {
    let (host, port) = match server {
        NameServer::At(address) => return Ok(*address),
        NameServer::Named { host, port } => (host, *port),
    };
    match system::address_of(host, hosts) {
        Ok(address) => Ok(SocketAddr::new(address, port)),
        Err(reason) => wrong(
            format!("{server} leads to no name server: {reason}"),
            "Write its address, like \"127.0.0.1:53\", or add the name to /etc/hosts.",
        ),
    }
}

/// The list of public suffixes that the settings name, or Debian's, which may be missing.
///
/// # Errors
/// The one that they name cannot be used.
pub fn suffixes(config: &Config, shelf: &Shelf) -> Result<Option<Arc<PublicSuffixes>>, Wrong> {
    let text = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    let list = |text: String| Some(Arc::new(PublicSuffixes::later(text)));
    let Some(path) = &config.public_suffixes else {
        let usual = shelf.contents(Path::new(USUAL_SUFFIXES), NAMED_FILE_BYTES);
        return Ok(usual.ok().and_then(|contents| list(text(contents.bytes))));
    };
    let text = text(any(shelf, path)?);
    match PublicSuffixes::are_in(&text) {
        true => Ok(list(text)),
        false => wrong(
            format!("{} has no public suffix in it", path.display()),
            "Name a list like that of publicsuffix.org: a name on each line.",
        ),
    }
}

/// Whether a name server is called by name.
pub fn names_servers(config: &Config) -> bool {
    let is_name = |server: &NameServer| matches!(server, NameServer::Named { .. });
    config.dns.servers.iter().any(is_name)
}

/// A machine may do without the file.
fn hosts(shelf: &Shelf) -> String {
    let read = shelf.contents(Path::new(HOSTS_FILE), NAMED_FILE_BYTES);
    let bytes = read.map(|contents| contents.bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the file of trust anchors holds, where the settings name one.
///
/// # Errors
/// It cannot be used.
pub fn anchor(config: &Config, shelf: &Shelf) -> Result<Option<Vec<u8>>, Wrong> {
    anchor_file(config).map(|path| any(shelf, path)).transpose()
}

fn anchor_file(config: &Config) -> Option<&Path> {
    match &config.dns.validation {
        Validation::File(path) => Some(path),
        Validation::Off | Validation::Servers | Validation::Root => None,
    }
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    reason: String,
    next_step: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. {}", self.reason, self.next_step)
    }
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

/// With the setting that is at fault.
fn identity(config: &Config, shelf: &Shelf) -> Result<Option<Identity>, (&'static str, Wrong)> {
    let Some(files) = &config.tls else { return Ok(None) };
    let at_certificate = |error: String| ("tls.certificate", told(&error));
    let at_key = |error: String| ("tls.key", told(&error));
    let bytes = |path: &Path| {
        shelf
            .contents(path, NAMED_FILE_BYTES)
            .map(|contents| contents.bytes)
    };
    let chain = certs::files::certificate(&files.certificate, bytes(&files.certificate))
        .map_err(|error| at_certificate(error.to_string()))?;
    together(shelf, files, &chain)
        .map_err(at_key)?
        .map(Some)
        .map_err(|error| at_certificate(error.to_string()))
}

/// The chain with its key, wherever that is. The outer error is about the key's file.
fn together(
    shelf: &Shelf,
    files: &TlsFiles,
    chain: &[u8],
) -> Result<Result<Identity, TlsSetupError>, String> {
    match shelf {
        Shelf::Disk => {
            let read = read_at_most(&files.key, NAMED_FILE_BYTES).map(|contents| contents.bytes);
            let key = certs::files::key(&files.key, read).map_err(|error| error.to_string())?;
            Ok(Identity::from_pem::<&str>(&[], chain, &key))
        }
        Shelf::Kept(bundle) => Identity::from_keeper(bundle, chain)
            .unwrap_or_else(|| Err("the settings changed while they were read. Try again.".to_owned())),
    }
}

fn any(shelf: &Shelf, path: &Path) -> Result<Vec<u8>, Wrong> {
    contents(shelf, path).map(|contents| contents.bytes)
}

fn contents(shelf: &Shelf, path: &Path) -> Result<Contents, Wrong> {
    let contents = shelf.contents(path, NAMED_FILE_BYTES).map_err(|error| Wrong {
        reason: format!("{} cannot be read: {error}", path.display()),
        next_step: "Check the path and that the server's user may read it.".to_owned(),
    })?;
    if contents.bytes.len() as u64 > NAMED_FILE_BYTES {
        return wrong(
            format!("{} is larger than 1 MiB", path.display()),
            "Check the path.",
        );
    }
    Ok(contents)
}

/// A certificate, or a public key alone.
fn next(shelf: &Shelf, path: &Path) -> Result<KeyHash, Wrong> {
    let found = tlsa::of_pem(&any(shelf, path)?);
    found.map_or_else(
        || {
            wrong(
                format!("{} holds neither a certificate nor a public key", path.display()),
                "Write a PEM file, for example with: openssl pkey -in next.key -pubout.",
            )
        },
        Ok,
    )
}

fn roots(shelf: &Shelf, path: &Path) -> Result<Vec<u8>, Wrong> {
    let bytes = any(shelf, path)?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if bytes.windows(begin.len()).any(|window| window == begin) {
        return Ok(bytes);
    }
    wrong(
        format!("{} has no certificate in it", path.display()),
        "It should be PEM with one root certificate after the other.",
    )
}

/// What everybody on the machine may read is no secret.
fn kept_to_us(path: &Path, mode: u32) -> Result<(), Wrong> {
    if mode & 0o007 == 0 {
        return Ok(());
    }
    wrong(
        format!("everybody on this machine may open {}", path.display()),
        "Let only the server's user read it: chmod 600, or chmod 640 with the server's group.",
    )
}

/// A private key, named like its record: `h1._domainkey.example.org.pem`.
fn signer(shelf: &Shelf, path: &Path) -> Result<SigningKey, Wrong> {
    let Contents { bytes, mode } = contents(shelf, path)?;
    kept_to_us(path, mode)?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let name = name.strip_suffix(".pem").unwrap_or_default();
    SigningKey::from_pem(name, &String::from_utf8_lossy(&bytes)).or_else(|bad| match bad {
        BadSigningKey::Name => wrong(
            format!("{} is not named like a DKIM record", path.display()),
            "Name it SELECTOR._domainkey.DOMAIN.pem, like h1._domainkey.example.org.pem.",
        ),
        BadSigningKey::Key => wrong(
            format!("{} holds no key that can sign", path.display()),
            "Make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048, or: openssl genpkey -algorithm ed25519.",
        ),
    })
}

/// The first line.
fn secret(shelf: &Shelf, path: &Path) -> Result<Secret, Wrong> {
    let Contents { bytes, mode } = contents(shelf, path)?;
    kept_to_us(path, mode)?;
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
        assert_eq!(
            secret(&Shelf::Disk, &path).ok().unwrap().reveal(),
            "correct horse"
        );
        write(&path, "correct horse", 0o644);
        assert_eq!(
            said(secret(&Shelf::Disk, &path).err().unwrap()),
            "everybody on this machine may open FILE"
        );
        write(&path, "\nx", 0o600);
        assert_eq!(
            said(secret(&Shelf::Disk, &path).err().unwrap()),
            "the first line of FILE is no password"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(
            said(secret(&Shelf::Disk, &path).err().unwrap()).starts_with("FILE cannot be read: No such file")
        );
    }

    #[test]
    fn name_servers_are_found_and_each_that_leads_nowhere_is_told() {
        let text = |servers: &str| {
            format!(
                "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n\n\
                 dns.servers = [{servers}]\n"
            )
        };
        let good = config::read(&text("\"192.0.2.53:53\", \"localhost:5353\"")).unwrap();
        let named = read(&good, &Shelf::Disk).ok().unwrap();
        let want: Vec<SocketAddr> = ["192.0.2.53:53", "127.0.0.1:5353"]
            .iter()
            .map(|at| at.parse().unwrap())
            .collect();
        assert_eq!(named.name_servers, want);
        let bad = config::read(&text("\"a.invalid:53\", \"localhost:53\", \"b.invalid:53\"")).unwrap();
        let problems = read(&bad, &Shelf::Disk).err().unwrap();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2);
        assert_eq!(
            said[0],
            "line 5: dns.servers: a.invalid:53 leads to no name server: neither /etc/hosts nor DNS knows the name a.invalid. \
             Write its address, like \"127.0.0.1:53\", or add the name to /etc/hosts."
        );
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
        let problems = read(&config::read(&text).unwrap(), &Shelf::Disk).err().unwrap();
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
