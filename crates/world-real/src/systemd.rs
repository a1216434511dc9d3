//! What systemd gives a service and wants to hear from it: bound sockets, "ready".
//!
//! Each is named by an environment variable and means nothing without it. Protocols: sd_listen_fds(3), sd_notify(3).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use listenfd::ListenFd;

use crate::tcp::Bound;

/// A socket that was bound for us.
#[derive(Debug)]
pub struct Inherited {
    /// its name (`FileDescriptorName=`), often the unit's
    pub name: String,
    /// the socket, listening
    pub bound: Bound,
}

/// The sockets that were handed over, in order. Call it once, early: the numbers of descriptors are used again.
pub fn inherited() -> io::Result<Vec<Inherited>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut handed = ListenFd::from_env();
    let mut names = names.split(':');
    let mut sockets = Vec::with_capacity(handed.len());
    for index in 0..handed.len() {
        let name = names.next().unwrap_or("").to_owned();
        if let Some(socket) = handed.take_tcp_listener(index)? {
            rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?; // doors are for this process alone
            let bound = Bound::adopt(socket)?;
            sockets.push(Inherited { name, bound });
        }
    }
    Ok(sockets)
}

/// The line to the service manager. Without one every message goes nowhere.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
}

impl Notifier {
    /// Opens it as `NOTIFY_SOCKET` says; before the process is confined, which may keep it from connecting.
    pub fn from_env() -> Self {
        let socket = std::env::var("NOTIFY_SOCKET")
            .ok()
            .and_then(|path| open(&path).ok());
        Self { socket }
    }

    /// Every door is open.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Settings are read again; [`Notifier::ready`] follows.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // A manager that does not listen learns of our end in another way.
            let _ = socket.send(text.as_bytes());
        }
    }
}

fn open(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_each_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier {
            socket: open(path.to_str().unwrap()).ok(),
        };
        notifier.ready();
        notifier.reloading();
        notifier.stopping();
        for want in ["READY=1", "RELOADING=1", "STOPPING=1"] {
            let mut heard = [0; 64];
            let length = manager.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], want.as_bytes());
        }
        Notifier::default().ready();
    }
}
