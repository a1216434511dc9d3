//! The Debian packages that the tests use: installed when we may, named one by one when we may not.

use crate::process::{self, Scratch, find};
use crate::report::{Outcome, Summary};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A program of another project that a test runs, and the package that brings it.
pub struct Tool {
    /// The program's file name.
    pub program: &'static str,
    /// Packages to install for it, separated by spaces.
    pub package: &'static str,
    /// What would go untested without it.
    pub used_for: &'static str,
}

/// Everything `cargo xtask test` calls.
pub const TOOLS: &[Tool] = &[
    Tool {
        program: "swaks",
        package: "swaks libnet-ssleay-perl libauthen-sasl-perl",
        used_for: "client test: swaks",
    },
    Tool {
        program: "msmtp",
        package: "msmtp",
        used_for: "client test: msmtp",
    },
    Tool {
        program: "curl",
        package: "curl",
        used_for: "client test: curl",
    },
    Tool {
        program: "mbsync",
        package: "isync",
        used_for: "client test: mbsync",
    },
    Tool {
        program: "offlineimap",
        package: "offlineimap3",
        used_for: "client test: OfflineIMAP",
    },
    Tool {
        program: "fetchmail",
        package: "fetchmail",
        used_for: "client test: fetchmail",
    },
    Tool {
        program: "neomutt",
        package: "neomutt",
        used_for: "client test: neomutt",
    },
    Tool {
        program: "thunderbird",
        package: "thunderbird",
        used_for: "client test: Thunderbird",
    },
    Tool {
        program: "Xvfb",
        package: "xvfb fonts-dejavu-core",
        used_for: "client test: Thunderbird",
    },
    Tool {
        program: "certutil",
        package: "libnss3-tools",
        used_for: "client test: Thunderbird",
    },
    Tool {
        program: "import",
        package: "imagemagick",
        used_for: "client test: Thunderbird",
    },
    Tool {
        program: "python3",
        package: "python3",
        used_for: "client tests: smtplib, imaplib",
    },
    Tool {
        program: "pip3",
        package: "python3-pip python3-venv",
        used_for: "client test: IMAPClient",
    },
    Tool {
        program: "postfix",
        package: "postfix",
        used_for: "client test: Postfix as the sending peer",
    },
    Tool {
        program: "script",
        package: "bsdutils",
        used_for: "client test: neomutt",
    },
    Tool {
        program: "strace",
        package: "strace",
        used_for: "power cuts, disk faults, sync order",
    },
    Tool {
        program: "zstd",
        package: "zstd",
        used_for: "the shared mail corpora",
    },
    Tool {
        program: "ip",
        package: "iproute2",
        used_for: "the benchmark's network namespace",
    },
    Tool {
        program: "mkfs.ext4",
        package: "e2fsprogs",
        used_for: "small, full and read-only disks",
    },
    Tool {
        program: "openssl",
        package: "openssl",
        used_for: "TLS versions and handshakes",
    },
    Tool {
        program: "systemd-analyze",
        package: "systemd",
        used_for: "the unit's exposure, socket activation",
    },
    Tool {
        program: "knotd",
        package: "knot",
        used_for: "DNS of the test Internet",
    },
    Tool {
        program: "unbound",
        package: "unbound",
        used_for: "a validating resolver for a Postfix of the test Internet (DANE)",
    },
    Tool {
        program: "nft",
        package: "nftables",
        used_for: "partitions of the test Internet",
    },
    Tool {
        program: "opendkim",
        package: "opendkim",
        used_for: "signatures of the test Internet",
    },
    Tool {
        program: "opendmarc",
        package: "opendmarc dbconfig-no-thanks",
        used_for: "the other opinion on who a message is from",
    },
    Tool {
        program: "arcsign",
        package: "python3-dkim python3-nacl python3-spf",
        used_for: "seals of the test Internet's mailing lists",
    },
];

/// What `cargo xtask differential` calls.
pub const IMAP_PEER: &[Tool] = &[Tool {
    program: "dovecot",
    package: "dovecot-imapd",
    used_for: "the other opinion on IMAP",
}];

/// What `cargo xtask bench` calls beyond [`TOOLS`].
pub const BENCH_TOOLS: &[Tool] = &[
    Tool {
        program: "dovecot",
        package: "dovecot-imapd dovecot-lmtpd",
        used_for: "the peer: Postfix and Dovecot",
    },
    Tool {
        program: "dnsmasq",
        package: "dnsmasq-base",
        used_for: "names inside the benchmark's namespace",
    },
    Tool {
        program: "rspamd",
        package: "rspamd",
        used_for: "the other price of SPF, DKIM and DMARC",
    },
];

/// `cargo xtask install`.
pub fn run(_args: &[String]) -> Outcome<Summary> {
    ensure(TOOLS)
}

/// Installs what is missing when we are root on a system with apt; names what stays missing.
///
/// A missing tool is a failure with `CI=true`, else a skip.
pub fn ensure(tools: &[Tool]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let missing: Vec<&Tool> = tools.iter().filter(|tool| find(tool.program).is_none()).collect();
    if !missing.is_empty() && is_root()? && find("apt-get").is_some() {
        let packages: Vec<&str> = missing.iter().flat_map(|tool| tool.package.split(' ')).collect();
        println!("  installing {}", packages.join(" "));
        if let Err(error) = install(&packages) {
            summary.note(format!(
                "apt-get could not install everything: {}",
                process::tail(&error.to_string(), 5)
            ));
        }
    }
    for tool in tools {
        if find(tool.program).is_some() {
            summary.pass_quietly(1);
        } else {
            let why = format!(
                "not installed; as root: apt-get install {} (for {})",
                tool.package, tool.used_for
            );
            missing_is(&mut summary, tool.program, &why);
        }
    }
    Ok(summary)
}

/// Counts something missing on this machine: a failure on the build machine, a skip elsewhere.
pub fn missing_is(summary: &mut Summary, name: &str, why: &str) {
    if std::env::var("CI").is_ok_and(|value| value == "true" || value == "1") {
        summary.fail(name, why);
    } else {
        summary.skip(name, why);
    }
}

/// Whether we may install packages, make namespaces and mount disks.
pub fn is_root() -> Outcome<bool> {
    let finished = process::must(Command::new("id").arg("-u"), Duration::from_secs(5))?;
    Ok(finished.stdout.trim() == "0")
}

fn install(packages: &[&str]) -> Outcome<()> {
    let _quiet = NoAutostart::hold()?;
    let answers = Scratch::new("debconf")?;
    let file = answers.path().join("answers");
    std::fs::write(
        &file,
        "postfix postfix/main_mailer_type select No configuration\n",
    )?;
    // Without debconf-utils Postfix asks nothing either, because the frontend is noninteractive.
    let _ = process::run(
        Command::new("debconf-set-selections").arg(&file),
        Duration::from_secs(30),
    );
    let apt = |args: &[&str], limit| {
        process::must(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .arg("-q")
                .args(args),
            limit,
        )
    };
    apt(&["update"], Duration::from_secs(300))?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments, Duration::from_secs(900))?;
    Ok(())
}

/// While held, Debian's maintainer scripts start no daemons.
struct NoAutostart(Option<&'static Path>);

impl NoAutostart {
    fn hold() -> Outcome<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        std::fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        process::must(
            Command::new("chmod").arg("755").arg(policy),
            Duration::from_secs(5),
        )?;
        Ok(Self(Some(policy)))
    }
}

impl Drop for NoAutostart {
    fn drop(&mut self) {
        if let Some(policy) = self.0 {
            // Left behind it would only keep daemons from starting; the next run reuses it.
            let _ = std::fs::remove_file(policy);
        }
    }
}
