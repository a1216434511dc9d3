//! The asking side of the control socket, and what the command line does when the server is stopped.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world_real::unix;

use super::{Answer, By, Envelope, Reply, Request, SOCKET, VERSION, answer};
use crate::exit::{Failure, Outcome};
use crate::limits::{CONTROL_LINE_BYTES, DIRECTORY_NAMES, SOCKET_PATH_BYTES};
use crate::privileges;
use crate::services::Services;

/// The store's first file.
const STORE_FILE: &str = "mail.db";
/// What else may be in a data directory before there is a store: beginnings of one, settings, what a file system makes.
const BEFORE_STORE: [&str; 6] = [
    "LOCK",
    "log",
    "packs",
    "demo.json",
    "hearthpost.toml",
    "lost+found",
];

/// Somebody to ask: the running server, or the store itself.
pub enum Link {
    /// the server, over its socket
    Server(Box<BufReader<world::net::BoxWire>>),
    /// nobody serves the store: we own it while this lives
    Own(Arc<Services>),
}

/// Finds whom to ask about the data in `data`.
pub async fn connect(data: &Path) -> Outcome<Link> {
    if data.is_file() {
        return Err(no_data(data, &io::ErrorKind::NotADirectory.into()));
    }
    let socket = SocketPath::of(data).map_err(|error| no_data(data, &error))?;
    match unix::connect(&socket.path).await {
        Ok(wire) => Ok(Link::Server(Box::new(BufReader::new(wire)))),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failure::Unreachable(format!(
            "the control socket in {} is not ours to use. Run this as the server's user, or with sudo.",
            data.display()
        ))),
        Err(_) => {
            refuse_strange(data)?;
            privileges::become_owner(data)?;
            Services::open_stopped(data).await.map(Link::Own)
        }
    }
}

/// Whether a server, or a command, has ever made its store in `data`. Where that cannot be seen it may have: whoever asks there is told why not.
pub fn has_store(data: &Path) -> bool {
    data.join(STORE_FILE).try_exists().unwrap_or(true)
}

fn no_data(data: &Path, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::PermissionDenied => "Run this as the server's user, or with sudo.",
        io::ErrorKind::NotFound => {
            "A server makes it at its first start. If another one is meant, say which with --data DIR or --config FILE."
        }
        _ => "Say which server is meant with --data DIR or --config FILE.",
    };
    Failure::Unreachable(format!(
        "the data directory {} cannot be opened: {error}. {next}",
        data.display()
    ))
}

/// A store is made in an empty directory, so that a server can be set up before its first start; not in one that is full of other things.
fn refuse_strange(data: &Path) -> Outcome<()> {
    let entries = std::fs::read_dir(data).map_err(|error| no_data(data, &error))?;
    let names: Vec<_> = entries
        .flatten()
        .take(DIRECTORY_NAMES)
        .map(|entry| entry.file_name())
        .collect();
    let ours = |name: &OsString| BEFORE_STORE.iter().any(|known| *known == name);
    if names.is_empty() || has_store(data) || names.iter().any(ours) {
        return Ok(());
    }
    Err(Failure::Unreachable(format!(
        "{} is no server's data directory: there are other things in it, and no store ({STORE_FILE}). Say which server is meant with --data DIR \
         or --config FILE.",
        data.display()
    )))
}

/// Asks a running server to write its log out. Without one there is nothing to write.
pub async fn flush_log(data: &Path) {
    let Ok(socket) = SocketPath::of(data) else { return };
    if let Ok(wire) = unix::connect(&socket.path).await {
        // The files are read in any case: what a silent server keeps back is at most its last moments.
        let _ = exchange(
            &mut BufReader::new(wire),
            Request::Log(super::log::Request::Flush),
        )
        .await;
    }
}

impl Link {
    /// Asks once. A refusal is an error with the server's own words.
    pub async fn ask(&mut self, request: Request) -> Outcome<Value> {
        let answer = match self {
            Self::Own(services) => {
                let by = By::user(rustix::process::getuid().as_raw());
                answer(services, &by, request).await
            }
            Self::Server(wire) => exchange(wire, request).await?,
        };
        match answer {
            Answer::Done(value) => Ok(value),
            Answer::Refused(text) => Err(Failure::Refused(text)),
            Answer::Wrong(text) => Err(Failure::Usage(text)),
            Answer::Failed(text) => Err(Failure::Disk(text)),
        }
    }
}

async fn exchange(wire: &mut BufReader<world::net::BoxWire>, request: Request) -> Outcome<Answer> {
    let lost = |error: io::Error| {
        Failure::Unreachable(format!(
            "the server stopped answering: {error}. See whether it runs with: hearthpost status"
        ))
    };
    let envelope = Envelope {
        version: VERSION,
        request,
    };
    let mut line = serde_json::to_vec(&envelope).expect("plain values are always JSON");
    line.push(b'\n');
    if line.len() > CONTROL_LINE_BYTES {
        return Err(Failure::Usage(
            "that is too much for one request. Split the file.".to_owned(),
        ));
    }
    // A server that sends us away has answered before it read the request: its answer counts, not our broken pipe.
    let sent = wire.get_mut().write_all(&line).await;
    let mut text = Vec::new();
    let limit = 8 * CONTROL_LINE_BYTES as u64;
    let read = wire.take(limit).read_until(b'\n', &mut text).await;
    if !text.ends_with(b"\n") {
        let silent = Err(io::ErrorKind::UnexpectedEof.into());
        return sent.and(read.map(drop)).and(silent).map_err(lost);
    }
    let reply: Reply = serde_json::from_slice(&text).map_err(|error| lost(error.into()))?;
    Ok(reply.answer)
}

/// The socket's path in a form the kernel takes: long ones go through the open directory.
pub struct SocketPath {
    /// to bind or to connect
    pub path: PathBuf,
    _dir: Option<std::fs::File>,
}

impl SocketPath {
    /// For the control socket of the data directory `data`, which must exist.
    pub fn of(data: &Path) -> io::Result<Self> {
        Self::named(data, SOCKET)
    }

    /// For a socket of this name in `dir`, which must exist.
    pub fn named(dir: &Path, name: &str) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let path = dir.join(name);
        let dir = std::fs::File::open(dir)?;
        if path.as_os_str().len() <= SOCKET_PATH_BYTES {
            return Ok(Self { path, _dir: None });
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok(Self {
            path,
            _dir: Some(dir),
        })
    }
}
