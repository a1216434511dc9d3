//! The asking side of the control socket, and what the command line does when the server is stopped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world_real::unix;

use super::{Answer, By, Envelope, Reply, Request, SOCKET, VERSION, answer};
use crate::exit::{Failure, Outcome};
use crate::limits::{CONTROL_LINE_BYTES, SOCKET_PATH_BYTES};
use crate::privileges;
use crate::services::Services;

/// Somebody to ask: the running server, or the store itself.
pub enum Link {
    /// the server, over its socket
    Server(Box<BufReader<world::net::BoxWire>>),
    /// nobody serves the store: we own it while this lives
    Own(Arc<Services>),
}

/// Finds whom to ask about the data in `data`.
pub async fn connect(data: &Path) -> Outcome<Link> {
    let socket = SocketPath::of(data).map_err(|error| no_data(data, &error))?;
    match unix::connect(&socket.path).await {
        Ok(wire) => Ok(Link::Server(Box::new(BufReader::new(wire)))),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failure::Unreachable(format!(
            "the control socket in {} is not ours to use. Run this as the server's user, or with sudo.",
            data.display()
        ))),
        Err(_) => {
            privileges::become_owner(data)?;
            Services::open_stopped(data).await.map(Link::Own)
        }
    }
}

fn no_data(data: &Path, error: &io::Error) -> Failure {
    Failure::Unreachable(format!(
        "the data directory {} cannot be opened: {error}. Say which server is meant with --data DIR or --config FILE.",
        data.display()
    ))
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
