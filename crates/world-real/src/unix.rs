//! The control socket: a Unix socket whose callers the kernel names.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use world::net::BoxWire;

use crate::limits::ACCEPT_PAUSE;

/// Who called, as the kernel knows it (SO_PEERCRED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// user
    pub uid: u32,
    /// group
    pub gid: u32,
    /// process, if it is in our namespace
    pub pid: Option<i32>,
}

/// A bound control socket that no runtime knows yet.
#[derive(Debug)]
pub struct BoundControl {
    socket: std::os::unix::net::UnixListener,
    path: PathBuf,
}

impl BoundControl {
    /// Binds `path` with mode 0600. A socket left behind by a dead process is removed first: only call it with the store's
    /// lock in hand, which says that no other process serves it. Anything that is not a socket is left alone and is an error.
    pub fn bind(path: &Path) -> io::Result<Self> {
        Self::with_mode(path, 0o600)
    }

    /// The same for every user of this machine: who calls is all that protects it.
    pub fn bind_for_all(path: &Path) -> io::Result<Self> {
        Self::with_mode(path, 0o666)
    }

    fn with_mode(path: &Path, mode: u32) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "a file that is not a socket is in the way",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = std::os::unix::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
        })
    }

    /// Hands the socket to the runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn listen(self) -> io::Result<ControlDoor> {
        Ok(ControlDoor {
            listener: tokio::net::UnixListener::from_std(self.socket)?,
            path: self.path,
        })
    }
}

/// The control socket inside the runtime. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct ControlDoor {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

impl ControlDoor {
    /// The next caller. Errors of a single connection are returned; the caller may simply ask again: where the machine has
    /// no room for another connection there is a pause first, so that asking again does not spin.
    pub async fn accept(&self) -> io::Result<(BoxWire, Caller)> {
        let (stream, _) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return Err(error);
            }
        };
        let caller = caller_of(&stream)?;
        Ok((Box::new(stream), caller))
    }
}

impl Drop for ControlDoor {
    fn drop(&mut self) {
        // If it stays, the next start removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn caller_of(stream: &UnixStream) -> io::Result<Caller> {
    let known = stream.peer_cred()?;
    Ok(Caller {
        uid: known.uid(),
        gid: known.gid(),
        pid: known.pid(),
    })
}

/// Connects to the control socket at `path`, as the command line does.
pub async fn connect(path: &Path) -> io::Result<BoxWire> {
    Ok(Box::new(UnixStream::connect(path).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn callers_are_named_and_the_file_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        drop(BoundControl::bind(&path).unwrap());
        assert!(path.exists(), "a dead process leaves its socket");
        let door = BoundControl::bind(&path).unwrap().listen().unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let (wire, accepted) = tokio::join!(connect(&path), door.accept());
        let (mut served, caller) = accepted.unwrap();
        assert_eq!(caller.uid, rustix::process::getuid().as_raw());
        assert_eq!(caller.pid, Some(std::process::id().cast_signed()));
        wire.unwrap().write_all(b"hello").await.unwrap();
        let mut text = String::new();
        served.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        drop(door);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_the_way_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(BoundControl::bind(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
