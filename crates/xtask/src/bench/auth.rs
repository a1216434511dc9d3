//! What it costs to find out whom a message is really from: SPF, DKIM and DMARC of a signed message, beside Debian's rspamd with nothing else
//! on, and opendkim, which does DKIM alone.
//!
//! Ours is measured as the program does it: receiving with `smtp.authenticity = "enforce"` minus receiving with `"off"`, the same message at the
//! same door. rspamd's is a scan with those three modules; what a scan with none costs it is told too. Names come from one knot, and what may be cached is warm.
//! opendkim reads a list of files with the key in a file: so many copies minus one copy, so that its start does not count.

#![allow(
    clippy::disallowed_methods,
    reason = "measures from outside, in real time, over real sockets"
)]

use super::Options;
use super::lab::{Lab, median};
use super::results::{Goal, Results};
use super::sending::cpu_seconds;
use crate::campaign::names::Names;
use crate::campaign::server::{Plan, Server, certificate};
use crate::process;
use crate::report::{Outcome, pause};
use crate::tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::sink::Authority;
use testkit::talk::Talk;

/// Sizes of the message, and how many of it a run has: ours, rspamd's, opendkim's.
const SIZES: [(usize, [usize; 3]); 2] = [(4096, [6_000, 2_000, 400]), (102_400, [1_500, 600, 200])];
/// Connections at the same time.
const SESSIONS: usize = 4;
const SCAN_PORT: u16 = 11_333;
const BARE_PORT: u16 = 11_343;
const START_LIMIT: Duration = Duration::from_secs(180);
const ROW_LIMIT: Duration = Duration::from_secs(1_800);
const RSPAMD: &str = "rspamd (SPF, DKIM, DMARC)";

/// Measures and records.
pub fn compare(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let dir = lab.dir("auth");
    std::fs::create_dir_all(&dir)?;
    results.beside(RSPAMD);
    let mut command = lab.inside(std::env::current_exe()?);
    command.arg("auth-inside").arg(&lab.binary).arg(&dir);
    for group in ["hearthpost", "floor", "peer", "opendkim"] {
        command.arg(lab.group(group));
    }
    let quick = if options.quick { "4" } else { "1" };
    command.args([&options.runs.to_string(), quick]);
    let finished = process::run_shown(&mut command, ROW_LIMIT)?;
    let lines = finished.stdout.lines();
    for line in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        record(&line, results);
    }
    results.remark(format!(
        "rspamd is {}; opendkim is {}. Every figure is CPU time of the server's group; the name server's is nobody's.",
        version("rspamd"),
        version("opendkim")
    ));
    match finished.status.success() {
        true => Ok(()),
        false => Err(process::tail(&finished.both(), 5).into()),
    }
}

fn version(package: &str) -> String {
    let said = process::run(
        Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]),
        Duration::from_secs(10),
    );
    said.map_or("of an unknown version".to_owned(), |said| said.stdout)
}

fn record(line: &Value, results: &mut Results) {
    let number = |name: &str| line[name].as_f64().unwrap_or(f64::NAN);
    let size = line["size"].as_u64().unwrap_or(0) / 1024;
    let (ours, theirs) = (number("ours") - number("ours_off"), number("rspamd"));
    results.compared(
        format!("CPU ms of SPF, DKIM and DMARC a message, {size} KB"),
        ours,
        theirs,
        Some(ours / theirs),
        Some(Goal::at_most(0.5, "≤ 1/2 of rspamd".into())),
        ours / theirs,
    );
    let theirs = theirs - number("rspamd_bare");
    results.compared(
        format!("the same, rspamd without what a scan costs it with nothing on, {size} KB"),
        ours,
        theirs,
        Some(ours / theirs),
        None,
        0.0,
    );
    let (ours, theirs) = (number("ours"), number("rspamd"));
    results.compared(
        format!("CPU ms in all (ours: received, verified, kept; theirs: scanned), {size} KB"),
        ours,
        theirs,
        Some(ours / theirs),
        None,
        0.0,
    );
    results.compared(
        format!("messages/s, {SESSIONS} sessions, {size} KB"),
        number("ours_per_s"),
        number("rspamd_per_s"),
        None,
        None,
        0.0,
    );
    results.own(
        format!("for comparison: opendkim, DKIM alone, its key in a file, CPU ms a message, {size} KB"),
        number("opendkim"),
        format!("{:.3}", number("opendkim")),
        None,
    );
}

/// `auth-inside BINARY DIR GROUP GROUP_OFF GROUP_RSPAMD GROUP_OPENDKIM RUNS PART`
pub fn inside(args: &[String]) -> Outcome<()> {
    let [binary, dir, ours, off, peer, opendkim, runs, part] = args else {
        return Err("auth-inside wants eight words".into());
    };
    let (dir, runs, part): (PathBuf, usize, usize) = (dir.into(), runs.parse()?, part.parse()?);
    let key = SigningKey::of_the_tests()?;
    let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
    let names = Names::start(&[], &dir.join("dns"), &[dns], &records(&key))?;
    let server = |name: &str, group: &str, port_base: u16, authenticity: &str| {
        hearthpost(
            Path::new(binary),
            &dir.join(name),
            Path::new(group),
            port_base,
            &names,
            authenticity,
        )
    };
    let (enforcing, plain) = (
        server("enforcing", ours, 20_000, "enforce")?,
        server("plain", off, 30_000, "off")?,
    );
    let scanner = Rspamd::start(&dir.join("rspamd"), Path::new(peer), SCAN_PORT, true)?;
    let bare_group = format!("{peer}-bare");
    let bare = Rspamd::start(&dir.join("bare"), Path::new(&bare_group), BARE_PORT, false)?;
    for (size, counts) in SIZES {
        let [own, scans, files] = counts.map(|count| count / part);
        let message = signed(&key, size);
        let mut figures: [Vec<f64>; 7] = Default::default();
        for round in 0..=runs {
            let one = [
                receive(&enforcing, Path::new(ours), &message, own)?,
                receive(&plain, Path::new(off), &message, own)?,
                scanner.scan(&message, scans)?,
                bare.scan(&message, scans)?,
            ];
            let alone =
                verify_by_opendkim(&dir.join("opendkim"), Path::new(opendkim), &key, &message, files)?;
            println!(
                "  {size} B, round {round}: enforce {:.3}, off {:.3}, rspamd {:.3}, bare {:.3}, opendkim {alone:.3} CPU ms",
                one[0].0, one[1].0, one[2].0, one[3].0
            );
            // The first round warms what may be warm.
            if round > 0 {
                let values = [one[0].0, one[1].0, one[2].0, one[3].0, alone, one[0].1, one[2].1];
                figures
                    .iter_mut()
                    .zip(values)
                    .for_each(|(all, value)| all.push(value));
            }
        }
        let [
            ours,
            ours_off,
            rspamd,
            rspamd_bare,
            opendkim,
            ours_per_s,
            rspamd_per_s,
        ] = figures.map(median);
        println!(
            "{}",
            json!({
                "size": size, "ours": ours, "ours_off": ours_off, "rspamd": rspamd, "rspamd_bare": rspamd_bare,
                "opendkim": opendkim, "ours_per_s": ours_per_s, "rspamd_per_s": rspamd_per_s,
            })
        );
    }
    drop(bare);
    // A group that is still in use stays; the lab's own are removed with it.
    let _ = std::fs::remove_dir(bare_group);
    Ok(())
}

/// A key pair whose public half stands in the names as `r1._domainkey.there.test`.
struct SigningKey {
    pair: RsaKeyPair,
}

fn test_key() -> Outcome<Vec<u8>> {
    Ok(std::fs::read(
        tree::root().join("crates/msgauth/tests/keys/rsa-2048.pk8"),
    )?)
}

impl SigningKey {
    fn of_the_tests() -> Outcome<Self> {
        let pair = RsaKeyPair::from_pkcs8(&test_key()?).map_err(|error| error.to_string())?;
        Ok(Self { pair })
    }

    /// A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of a key of 2048 bits, in Base64.
    fn public(&self) -> String {
        const HEAD: [u8; 24] = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
        ];
        STANDARD.encode([&HEAD[..], self.pair.public_key().as_ref()].concat())
    }

    fn record(&self) -> String {
        format!("v=DKIM1; k=rsa; p={}", self.public())
    }
}

fn records(key: &SigningKey) -> String {
    let record = key.record();
    let (first, rest) = record.split_at(200);
    format!(
        "there.test. 3600 TXT \"v=spf1 ip4:127.0.0.1 -all\"\nthere.test. 3600 MX 10 mx.there.test.\nthere.test. 3600 A 192.0.2.1\n\
         mx.there.test. 3600 A 127.0.0.1\n1.0.0.127.in-addr.arpa. 3600 PTR mx.there.test.\n\
         _dmarc.there.test. 3600 TXT \"v=DMARC1; p=reject\"\nr1._domainkey.there.test. 3600 TXT \"{first}\" \"{rest}\"\n"
    )
}

/// A message of that size whose text is canonical as it stands, with its signature before it (RFC 6376 §3.7).
fn signed(key: &SigningKey, size: usize) -> String {
    let body = "A line of text of seventy-two octets, the last two of which are CR LF.\r\n".repeat(size / 72);
    let fields = [
        ("From", "Ann <ann@there.test>"),
        ("To", "u1@example.test"),
        ("Subject", "what it costs"),
        ("Date", "Mon, 23 Nov 2026 12:00:00 +0000"),
        ("Message-ID", "<1@there.test>"),
    ];
    let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()));
    let value = format!(
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d=there.test; s=r1; h=from:to:subject:date:message-id; bh={hash}; b="
    );
    let (mut data, mut header) = (String::new(), String::new());
    for (name, text) in fields {
        data.push_str(&format!("{}:{text}\r\n", name.to_lowercase()));
        header.push_str(&format!("{name}: {text}\r\n"));
    }
    data.push_str(&format!("dkim-signature:{value}"));
    let mut made = vec![0; key.pair.public().modulus_len()];
    key.pair
        .sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            data.as_bytes(),
            &mut made,
        )
        .expect("the buffer has the modulus' length");
    format!(
        "DKIM-Signature: {value}{}\r\n{header}\r\n{body}",
        STANDARD.encode(made)
    )
}

/// Milliseconds of one RSA-2048 signature, alone on a core: the median of a few hundred.
pub fn rsa_signature_ms() -> Outcome<f64> {
    let key = SigningKey::of_the_tests()?;
    let mut made = vec![0; key.pair.public().modulus_len()];
    let chance = SystemRandom::new();
    let mut times = Vec::new();
    for _ in 0..400 {
        let began = Instant::now();
        let signed = key.pair.sign(&RSA_PKCS1_SHA256, &chance, b"a header", &mut made);
        signed.map_err(|error| error.to_string())?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}

/// Files with private keys as `dkim.keys` names them: RSA-2048 and Ed25519 of that domain.
pub fn key_files(dir: &Path, domain: &str) -> Outcome<Vec<PathBuf>> {
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    std::fs::create_dir_all(dir)?;
    let mut files = Vec::new();
    for (selector, text) in [("r1", STANDARD.encode(test_key()?)), ("e1", ED25519.to_owned())] {
        let file = dir.join(format!("{selector}._domainkey.{domain}.pem"));
        let word = "PRIVATE KEY";
        std::fs::write(
            &file,
            format!("-----BEGIN {word}-----\n{text}\n-----END {word}-----\n"),
        )?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        files.push(file);
    }
    Ok(files)
}

fn hearthpost(
    binary: &Path,
    dir: &Path,
    group: &Path,
    port_base: u16,
    names: &Names,
    authenticity: &str,
) -> Outcome<Server> {
    std::fs::create_dir_all(group)?;
    let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.display());
    let authority = Authority::new();
    let server = Server::start(Plan {
        binary: binary.to_owned(),
        wrapper: ["sh", "-c", &join, "sh"].map(str::to_owned).to_vec(),
        hostname: "mx.example.test".into(),
        domains: vec!["example.test".into()],
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listen: Vec::new(),
        port_base,
        certificate: certificate(&authority, &["mx.example.test"], &dir.join("tls"))?,
        settings: format!(
            "[tls]\n[smtp]\nauthenticity = \"{authenticity}\"\n[dns]\nservers = [\"127.0.0.1:53\"]\ntrust_anchor = \"{}\"\n[log]\nstderr = \"off\"\n",
            names.anchor.display()
        ),
        dir: dir.to_owned(),
    })?;
    server.account("u1@example.test", super::sending::PASSWORD)?;
    Ok(server)
}

/// CPU ms a message, and messages a second.
type Cost = (f64, f64);

/// So many calls of `one` by [`SESSIONS`] workers, each with a connection of its own; what they cost the group.
fn cost<S>(
    group: &Path,
    count: usize,
    open: impl Fn() -> Result<S, String> + Sync,
    one: impl Fn(&mut S) -> Result<(), String> + Sync,
) -> Outcome<Cost> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        let mut session = open()?;
        while next.fetch_add(1, Ordering::Relaxed) < count {
            one(&mut session)?;
        }
        Ok(())
    };
    let (cpu, began) = (cpu_seconds(group)?, Instant::now());
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.unwrap_or_else(|_| Err("a client gave up waiting".into())))
            .collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    results.into_iter().collect::<Result<(), String>>()?;
    // What is done after the last answer belongs to it too.
    std::thread::sleep(Duration::from_millis(300));
    let ms = (cpu_seconds(group)? - cpu) * 1e3 / count as f64;
    Ok((ms, count as f64 / seconds))
}

fn receive(server: &Server, group: &Path, message: &str, count: usize) -> Outcome<Cost> {
    let door = server.plan.door(25);
    let open = || {
        let mut talk = Talk::connect_to(door).map_err(|error| error.to_string())?;
        talk.reply();
        talk.ask("EHLO mx.there.test");
        Ok(talk)
    };
    let text = format!("{message}.");
    cost(group, count, open, |talk| {
        talk.ask("MAIL FROM:<ann@there.test>");
        talk.ask("RCPT TO:<u1@example.test>");
        talk.ask("DATA");
        let reply = talk.ask(&text);
        match reply.starts_with("250 ") {
            true => Ok(()),
            false => Err(format!("not taken: {reply}")),
        }
    })
}

/// rspamd with one worker and either the three modules or none.
struct Rspamd {
    child: Child,
    group: PathBuf,
    port: u16,
    checks: bool,
}

impl Rspamd {
    fn start(dir: &Path, group: &Path, port: u16, checks: bool) -> Outcome<Self> {
        std::fs::create_dir_all(dir)?;
        std::fs::create_dir_all(group)?;
        process::must(
            Command::new("chown").arg("_rspamd").arg(dir),
            Duration::from_secs(5),
        )?;
        let settings = dir.join("rspamd.conf");
        std::fs::write(
            &settings,
            rspamd_settings(&dir.display().to_string(), port, checks),
        )?;
        let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.display());
        let log = std::fs::File::create(dir.join("said"))?;
        let child = Command::new("sh")
            .args([
                "-c", &join, "sh", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c",
            ])
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut rspamd = Self {
            child,
            group: group.to_owned(),
            port,
            checks,
        };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > START_LIMIT || rspamd.child.try_wait()?.is_some() {
                let said = std::fs::read_to_string(dir.join("rspamd.log")).unwrap_or_default();
                return Err(format!("rspamd did not start\n{}", process::tail(&said, 10)).into());
            }
            pause(Duration::from_millis(100));
        }
        Ok(rspamd)
    }

    fn scan(&self, message: &str, count: usize) -> Outcome<Cost> {
        let request = format!(
            "POST /checkv2 HTTP/1.0\r\nIP: 127.0.0.1\r\nHelo: mx.there.test\r\nFrom: ann@there.test\r\nRcpt: u1@example.test\r\n\
             Content-Length: {}\r\n\r\n{message}",
            message.len()
        );
        let one = |_: &mut ()| {
            let mut answer = String::new();
            let mut stream =
                TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map_err(|error| error.to_string())?;
            let sent = stream.write_all(request.as_bytes());
            sent.and_then(|()| stream.read_to_string(&mut answer))
                .map_err(|error| error.to_string())?;
            let found = ["R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"]
                .iter()
                .filter(|word| answer.contains(**word));
            let wanted = if self.checks { 3 } else { 0 };
            match answer.starts_with("HTTP/1.") && found.count() == wanted {
                true => Ok(()),
                false => Err(format!("rspamd says {answer}")),
            }
        };
        cost(&self.group, count, || Ok(()), one)
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        process::stop(&mut self.child, Duration::from_secs(10));
    }
}

fn rspamd_settings(dir: &str, port: u16, checks: bool) -> String {
    let plugins = "/usr/share/rspamd/plugins";
    let modules = match checks {
        true => format!(
            "modules {{ path = \"{plugins}/spf.lua\"; path = \"{plugins}/dmarc.lua\"; }}\n\
             dkim {{ check_local = true; }}\nspf {{ check_local = true; }}\ndmarc {{ check_local = true; }}\n"
        ),
        false => String::new(),
    };
    let filters = if checks { "dkim" } else { "" };
    format!(
        "options {{\n  pidfile = \"{dir}/pid\"; filters = \"{filters}\"; local_addrs = [];\n\
         dns {{ nameserver = [\"127.0.0.1:53:1\"]; timeout = 2s; }}\n\
         url_tld = \"/usr/share/rspamd/effective_tld_names.dat\"; tempdir = \"{dir}\"; cache_file = \"{dir}/symbols\";\n\
         history_file = \"{dir}/history\"; hs_cache_dir = \"{dir}/\"; control_socket = \"{dir}/control mode=0600\";\n}}\n\
         logging {{ type = \"file\"; filename = \"{dir}/rspamd.log\"; level = \"error\"; }}\n\
         worker \"normal\" {{ bind_socket = \"127.0.0.1:{port}\"; count = 1; mime = true; }}\n{modules}"
    )
}

/// CPU ms of one message more in opendkim's list of files.
fn verify_by_opendkim(
    dir: &Path,
    group: &Path,
    key: &SigningKey,
    message: &str,
    count: usize,
) -> Outcome<f64> {
    std::fs::create_dir_all(dir)?;
    std::fs::create_dir_all(group)?;
    let (keys, settings, file) = (dir.join("keys"), dir.join("opendkim.conf"), dir.join("m.eml"));
    std::fs::write(&keys, format!("r1._domainkey.there.test {}\n", key.record()))?;
    std::fs::write(
        &settings,
        format!("TestPublicKeys {}\nMode v\nSyslog no\n", keys.display()),
    )?;
    std::fs::write(&file, message)?;
    let file = file.display().to_string();
    let run = |copies: usize| -> Outcome<f64> {
        let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.display());
        let before = cpu_seconds(group)?;
        let files = vec![file.as_str(); copies].join(",");
        let mut command = Command::new("sh");
        command
            .args(["-c", &join, "sh", "opendkim", "-x"])
            .arg(&settings)
            .args(["-v", "-t", &files]);
        let said = process::run(&mut command, Duration::from_secs(120))?;
        let good = said.both().matches("2048-bit key) succeeded").count();
        match good == copies {
            true => Ok(cpu_seconds(group)? - before),
            false => Err(format!("opendkim verified {good} of {copies}").into()),
        }
    };
    let (one, many) = (run(1)?, run(count)?);
    Ok((many - one) * 1e3 / (count - 1) as f64)
}
