//! TCP: binding, accepting, connecting.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use world::clock::BoxFuture;
use world::net::{BoxWire, Listener, Network, Peer};

use crate::limits::{ACCEPT_PAUSE, LISTEN_BACKLOG, TCP_KEEPALIVE_IDLE};

/// A bound and listening socket that no runtime knows yet: made before privileges are dropped.
#[derive(Debug)]
pub struct Bound {
    socket: std::net::TcpListener,
    local: SocketAddr,
}

impl Bound {
    /// Binds and listens. IPv6 addresses take IPv6 only, so that `0.0.0.0` and `[::]` can be bound beside each other.
    /// Accepted connections inherit TCP_NODELAY and keep-alive from here, which saves two system calls each.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let family = if addr.is_ipv6() {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if addr.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, TCP_KEEPALIVE_IDLE)?;
        rustix::net::bind(&socket, &addr)?;
        rustix::net::listen(&socket, LISTEN_BACKLOG)?;
        let socket = std::net::TcpListener::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Takes a listening socket that somebody else bound, such as systemd.
    pub fn adopt(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, TCP_KEEPALIVE_IDLE)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Where it listens; with the port the system chose when port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Hands the socket to the runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn listen(self) -> io::Result<TcpDoor> {
        Ok(TcpDoor {
            listener: TcpListener::from_std(self.socket)?,
            local: self.local,
        })
    }
}

/// A TCP listener inside the runtime.
#[derive(Debug)]
pub struct TcpDoor {
    listener: TcpListener,
    local: SocketAddr,
}

impl TcpDoor {
    async fn next(&self) -> io::Result<(BoxWire, Peer)> {
        loop {
            match self.listener.accept().await {
                Ok((stream, addr)) => match self.local_of(&stream) {
                    Ok(local) => return Ok((Box::new(stream), Peer { addr, local })),
                    // The peer is gone already.
                    Err(_) => continue,
                },
                Err(error) => match judge(&error) {
                    AfterError::TakeNext => {}
                    AfterError::Pause => tokio::time::sleep(ACCEPT_PAUSE).await,
                    AfterError::GiveUp => return Err(error),
                },
            }
        }
    }

    /// Asks the kernel only when we listen on every address.
    fn local_of(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        if self.local.ip().is_unspecified() {
            stream.local_addr()
        } else {
            Ok(self.local)
        }
    }
}

impl Listener for TcpDoor {
    fn accept(&self) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>> {
        Box::pin(self.next())
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

#[derive(Debug, PartialEq)]
enum AfterError {
    TakeNext,
    Pause,
    GiveUp,
}

/// What accept(2) says of its errors: those of the new connection, those of a full machine, those of the listener.
fn judge(error: &io::Error) -> AfterError {
    let Some(errno) = Errno::from_io_error(error) else {
        return AfterError::Pause;
    };
    match errno {
        Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT => AfterError::GiveUp,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => AfterError::Pause,
        _ => AfterError::TakeNext,
    }
}

/// Outgoing TCP connections: without delay for small writes, and asked by the kernel whether the other side is still there.
#[derive(Debug, Default)]
pub struct RealNetwork;

impl Network for RealNetwork {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>> {
        Box::pin(connect(to, from))
    }
}

async fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<(BoxWire, Peer)> {
    let socket = if to.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    if let Some(ip) = from {
        if ip.is_ipv4() != to.is_ipv4() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{to} cannot be reached from {ip}: one is IPv4, the other IPv6"),
            ));
        }
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    sockopt::set_tcp_keepidle(&socket, TCP_KEEPALIVE_IDLE)?;
    let stream = socket.connect(to).await?;
    let peer = Peer {
        addr: to,
        local: stream.local_addr()?,
    };
    Ok((Box::new(stream) as BoxWire, peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn errors_of_accept_are_told_apart() {
        let table = [
            (Errno::MFILE, AfterError::Pause),
            (Errno::NFILE, AfterError::Pause),
            (Errno::NOBUFS, AfterError::Pause),
            (Errno::CONNABORTED, AfterError::TakeNext),
            (Errno::NETDOWN, AfterError::TakeNext),
            (Errno::PROTO, AfterError::TakeNext),
            (Errno::BADF, AfterError::GiveUp),
            (Errno::INVAL, AfterError::GiveUp),
        ];
        for (errno, expected) in table {
            assert_eq!(judge(&errno.into()), expected, "{errno:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_inherits_nodelay_and_carries_bytes_both_ways() {
        let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(bound.local_addr().port(), 0);
        let door = bound.listen().unwrap();
        let (client, stream) = tokio::join!(
            RealNetwork.connect(door.local_addr(), None),
            door.listener.accept()
        );
        let (mut client, peer) = client.unwrap();
        let (mut stream, addr) = stream.unwrap();
        assert_eq!(peer.addr, door.local_addr());
        assert_eq!(peer.local, addr);
        assert!(stream.nodelay().unwrap(), "inherited from the listener");
        client.write_all(b"to").await.unwrap();
        stream.write_all(b"fro").await.unwrap();
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes[..2]).await.unwrap();
        assert_eq!(&bytes[..2], b"to");
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"fro");
    }

    #[tokio::test]
    async fn the_wildcard_address_is_replaced_by_the_one_that_was_reached() {
        let door = Bound::bind("0.0.0.0:0".parse().unwrap())
            .unwrap()
            .listen()
            .unwrap();
        let to = SocketAddr::new("127.0.0.1".parse().unwrap(), door.local_addr().port());
        let (client, accepted) = tokio::join!(RealNetwork.connect(to, None), door.accept());
        let (_, peer) = accepted.unwrap();
        assert_eq!(peer.local, to);
        assert_eq!(peer.addr, client.unwrap().1.local);
    }

    #[tokio::test]
    async fn a_connection_leaves_from_the_address_it_is_told() {
        let door = Bound::bind("127.0.0.1:0".parse().unwrap())
            .unwrap()
            .listen()
            .unwrap();
        let own: IpAddr = "127.0.0.9".parse().unwrap();
        let (client, accepted) =
            tokio::join!(RealNetwork.connect(door.local_addr(), Some(own)), door.accept());
        assert_eq!(client.unwrap().1.local.ip(), own);
        assert_eq!(accepted.unwrap().1.addr.ip(), own);
    }

    #[tokio::test]
    async fn connections_that_cannot_be_say_why() {
        let free = {
            let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            bound.local_addr()
        };
        let table = [
            (free, None, io::ErrorKind::ConnectionRefused),
            (free, Some("192.0.2.1"), io::ErrorKind::AddrNotAvailable),
            (free, Some("::1"), io::ErrorKind::InvalidInput),
            (
                "[::1]:25".parse().unwrap(),
                Some("127.0.0.1"),
                io::ErrorKind::InvalidInput,
            ),
        ];
        for (to, from, expected) in table {
            let from = from.map(|ip| ip.parse().unwrap());
            let error = RealNetwork.connect(to, from).await.err().unwrap();
            assert_eq!(error.kind(), expected, "{to} from {from:?}: {error}");
        }
    }
}
