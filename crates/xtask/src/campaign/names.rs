//! Names of a test network: one signed root zone that holds them all but those of unsigned zones, served by Debian's knot.

use crate::process;
use crate::report::{Outcome, Stopwatch, pause};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(60);
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// A running name server.
pub struct Names {
    child: Child,
    conf: PathBuf,
    /// its key, as other programs trust it (a DNSKEY record)
    pub anchor: PathBuf,
}

impl Names {
    /// Serves `records` at every address of `listen`; the words in `wrapper` stand in front of the program (`ip netns exec …`).
    pub fn start(wrapper: &[String], dir: &Path, listen: &[SocketAddr], records: &str) -> Outcome<Self> {
        Self::start_with(wrapper, dir, listen, (records, &[]))
    }

    /// As [`Names::start`], with zones of their own, each with its records, that nobody signs: the root says that it has no key of theirs.
    pub fn start_with(
        wrapper: &[String],
        dir: &Path,
        listen: &[SocketAddr],
        (records, unsigned): (&str, &[(String, String)]),
    ) -> Outcome<Self> {
        for part in ["run", "db"] {
            std::fs::create_dir_all(dir.join(part))?;
        }
        let conf = dir.join("knot.conf");
        let mut root = format!("{HEAD}{records}");
        for (zone, records) in unsigned {
            root.push_str(&format!("{zone}. NS ns.test.\n"));
            std::fs::write(
                dir.join(format!("{zone}.zone")),
                format!("{}{records}", head(zone)),
            )?;
        }
        std::fs::write(dir.join("root.zone"), root)?;
        let zones: Vec<&str> = unsigned.iter().map(|(zone, _)| zone.as_str()).collect();
        std::fs::write(&conf, settings(dir, listen, &zones))?;
        let mut words = wrapper.iter().map(String::as_str).chain(["knotd"]);
        let mut command = Command::new(words.next().unwrap_or("knotd"));
        command.args(words);
        let log = std::fs::File::create(dir.join("knot.log"))?;
        let child = command
            .arg("-c")
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut names = Self {
            child,
            conf: conf.clone(),
            anchor: dir.join("anchor"),
        };
        names.wait_until_it_answers(dir, 1 + zones.len())?;
        let said = process::must(
            Command::new("keymgr").arg("-c").arg(&conf).args([".", "dnskey"]),
            CALL_LIMIT,
        )?;
        std::fs::write(&names.anchor, said.stdout)?;
        Ok(names)
    }

    /// Adds records while it serves: each is a name, a time to live, a type and a value, as `knotc zone-set` takes them.
    pub fn add(&self, records: &[[&str; 4]]) -> Outcome<()> {
        let ask = |words: &[&str]| {
            let mut command = Command::new("knotc");
            command.arg("-c").arg(&self.conf).arg("-b").args(words);
            process::must(&mut command, CALL_LIMIT).map(drop)
        };
        ask(&["zone-begin", "."])?;
        for record in records {
            ask(&[&["zone-set", "."], &record[..]].concat())?;
        }
        ask(&["zone-commit", "."])
    }

    fn wait_until_it_answers(&mut self, dir: &Path, zones: usize) -> Outcome<()> {
        let log = || std::fs::read_to_string(dir.join("knot.log")).unwrap_or_default();
        let began = Stopwatch::start();
        let all_loaded = |log: &str| log.matches("loaded, serial").count() >= zones;
        while !(log().contains("server started") && all_loaded(&log())) {
            if began.elapsed() > START_LIMIT || self.child.try_wait()?.is_some() {
                return Err(format!("the name server did not start\n{}", process::tail(&log(), 10)).into());
            }
            pause(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        process::stop(&mut self.child, Duration::from_secs(5));
    }
}

/// The zone's own records.
const HEAD: &str = "$ORIGIN .\n$TTL 60\n@ SOA ns.test. hostmaster.test. 1 3600 600 86400 30\n@ NS ns.test.\nns.test. A 192.0.2.53\n";

/// The beginning of a zone that nobody signs.
fn head(zone: &str) -> String {
    format!(
        "$ORIGIN .\n$TTL 60\n{zone}. SOA ns.test. hostmaster.test. 1 3600 600 86400 30\n{zone}. NS ns.test.\n"
    )
}

fn settings(dir: &Path, listen: &[SocketAddr], unsigned: &[&str]) -> String {
    let listen: Vec<String> = listen
        .iter()
        .map(|door| format!("{}@{}", door.ip(), door.port()))
        .collect();
    let unsigned: String = unsigned
        .iter()
        .map(|zone| {
            let dir = dir.display();
            format!("  - domain: {zone}.\n    storage: {dir}\n    file: {zone}.zone\n    zonefile-sync: -1\n")
        })
        .collect();
    format!(
        "server:\n    listen: [{listen}]\n    rundir: {dir}/run\ndatabase:\n    storage: {dir}/db\n\
         log:\n  - target: stderr\n    any: info\n\
         policy:\n  - id: one\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n\
         zone:\n  - domain: .\n    storage: {dir}\n    file: root.zone\n    zonefile-sync: -1\n    dnssec-signing: on\n    dnssec-policy: one\n{unsigned}",
        listen = listen.join(", "),
        dir = dir.display(),
    )
}
