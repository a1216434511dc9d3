//! `hearthpost self-test sandbox`: gives up its rights as the server does, then tries what must fail (OPS-2).
//!
//! Every attempt is harmless where it succeeds. The one that would run another program is the last: if it were allowed, this
//! command would become `/bin/false`, whose exit code says so.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use rustix::thread::UnshareFlags;
use serde::Serialize;
use world_real::confine::{self, Confinement, Duty, Held, Reach};
use world_real::tcp::Bound;

use super::{print, show};
use crate::cli::Common;
use crate::exit::{Failure, Outcome};
use crate::{privileges, serve};

/// One attempt and what came of it.
#[derive(Serialize)]
struct Tried {
    /// what was tried
    attempt: &'static str,
    /// whether it went as it must
    right: bool,
    /// what the kernel said
    result: String,
}

/// Tries everything and prints each.
pub fn sandbox(common: &Common) -> Outcome<()> {
    let (keep, data, kept) = plan(common)?;
    if let Some(user) = &keep.user {
        privileges::own(&data, Some(user))?;
    }
    let confined = privileges::give_up(&keep)?;
    let sealed = confine::seal();
    let mut tried: Vec<Tried> = attempts()
        .into_iter()
        .map(|(attempt, refused)| judge(attempt, refused()))
        .collect();
    tried.extend(
        kept.iter()
            .map(|(attempt, file)| judge(attempt, std::fs::File::open(file).map(drop))),
    );
    tried.push(still_works(&data));
    let bad = tried.iter().filter(|tried| !tried.right).count();
    show(common, &tried, || lines(&tried, &confined, &sealed))?;
    if bad > 0 {
        return Err(Failure::Refused(format!(
            "{bad} of {} attempts did not go as they must. The lines above say which; an older kernel may lack Landlock or seccomp.",
            tried.len()
        )));
    }
    if !common.json {
        print("last: running /bin/false in our place (its exit code 1 would mean that it was allowed)")?;
    }
    let error = Command::new("/bin/false").exec();
    let last = judge("run another program in our place", Err(error));
    if last.right {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "running a program failed for another reason: {}",
        last.result
    )))
}

/// What the settings have that is for the keeper alone.
type Kept = Vec<(&'static str, PathBuf)>;

/// As the settings say; without settings, a directory of its own.
fn plan(common: &Common) -> Outcome<(Confinement, PathBuf, Kept)> {
    let mut reach = Reach::default();
    let mut kept = Kept::new();
    let (data, user) = match (&common.data, common.config.exists()) {
        (Some(data), _) => (data.clone(), None),
        (None, true) => {
            let config = serve::read(&common.config)?.config;
            kept.extend(config.tls.map(|files| ("read the TLS key", files.key)));
            kept.push(("read the settings", common.config.clone()));
            (config.data_dir, privileges::choose(config.user.as_deref())?)
        }
        (None, false) => {
            return Err(Failure::Usage(
                "there are no settings to take the directories from. Say which with --data DIR or --config FILE."
                    .to_owned(),
            ));
        }
    };
    if !data.is_dir() {
        return Err(Failure::Usage(format!(
            "{} is no directory. Start the server once, or name another with --data DIR.",
            data.display()
        )));
    }
    reach.write.push(data.clone());
    let duty = Duty::Serve;
    Ok((Confinement { user, reach, duty }, data, kept))
}

type Attempt = (&'static str, fn() -> io::Result<()>);

/// What must fail.
fn attempts() -> Vec<Attempt> {
    vec![
        ("read /etc/shadow", || {
            std::fs::File::open("/etc/shadow").map(drop)
        }),
        ("read the memory of the first process", || {
            std::fs::File::open("/proc/1/mem").map(drop)
        }),
        ("look into /root", || std::fs::read_dir("/root").map(drop)),
        ("write to /tmp", || write_to("/tmp")),
        ("write to /var/tmp", || write_to("/var/tmp")),
        ("write to /etc", || write_to("/etc")),
        ("run /bin/sh", || {
            Command::new("/bin/sh").arg("-c").arg(":").status().map(drop)
        }),
        ("take a descriptor from the parent (ptrace)", take_descriptor),
        ("open another door", || {
            Bound::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).map(drop)
        }),
        ("open a raw socket", || {
            socket(AddressFamily::INET, SocketType::RAW)
        }),
        ("open a packet socket", || {
            socket(AddressFamily::PACKET, SocketType::DGRAM)
        }),
        ("open a netlink socket", || {
            socket(AddressFamily::NETLINK, SocketType::RAW)
        }),
        ("make namespaces of its own", unshare_nothing),
        ("become root", || {
            Ok(rustix::thread::set_thread_uid(rustix::fs::Uid::ROOT)?)
        }),
        ("load a kernel module", || {
            Ok(rustix::system::init_module(b"", c"")?)
        }),
        ("change the host's name", || {
            // To what it is.
            let now = rustix::system::uname();
            Ok(rustix::system::sethostname(now.nodename().to_bytes())?)
        }),
    ]
}

fn write_to(dir: &str) -> io::Result<()> {
    let file = Path::new(dir).join(format!("hearthpost-self-test-{}", std::process::id()));
    let made = std::fs::File::create_new(&file);
    made.and_then(|_| std::fs::remove_file(&file))
}

fn socket(family: AddressFamily, kind: SocketType) -> io::Result<()> {
    let made = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None);
    Ok(made.map(drop)?)
}

fn take_descriptor() -> io::Result<()> {
    let parent = rustix::process::getppid().ok_or(io::ErrorKind::PermissionDenied)?;
    let parent = rustix::process::pidfd_open(parent, PidfdFlags::empty())?;
    let taken = rustix::process::pidfd_getfd(parent, 0, PidfdGetfdFlags::empty());
    Ok(taken.map(drop)?)
}

/// Asks for no namespace at all, which is harmless and goes through the same call.
#[expect(
    deprecated,
    reason = "its successor is unsafe because of a flag that is not used here"
)]
fn unshare_nothing() -> io::Result<()> {
    Ok(rustix::thread::unshare(UnshareFlags::empty())?)
}

fn judge(attempt: &'static str, outcome: io::Result<()>) -> Tried {
    let (right, result) = match outcome {
        Ok(()) => (false, "ALLOWED".to_owned()),
        Err(error) => (error.kind() == io::ErrorKind::PermissionDenied, error.to_string()),
    };
    Tried {
        attempt,
        right,
        result,
    }
}

/// A sandbox that keeps the server from its own mail would be none.
fn still_works(data: &Path) -> Tried {
    let file = data.join(format!("self-test-{}", std::process::id()));
    let made = std::fs::write(&file, b"x").and_then(|()| std::fs::remove_file(&file));
    Tried {
        attempt: "write to the data directory, which must work",
        right: made.is_ok(),
        result: made.map_or_else(|error| error.to_string(), |()| "works".to_owned()),
    }
}

fn lines(tried: &[Tried], confined: &confine::Confined, sealed: &Held) -> Vec<String> {
    let mut lines = vec![
        format!("user {}", confined.uid),
        format!("Landlock {}", confined.files),
        format!("seccomp {}", confined.syscalls),
        format!("no further doors: {sealed}"),
    ];
    lines.extend(tried.iter().map(|tried| {
        let word = if tried.right { "right" } else { "WRONG" };
        format!("{word}: {}: {}", tried.attempt, tried.result)
    }));
    lines
}
