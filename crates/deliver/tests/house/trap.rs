//! A network whose client side meets a fault of ours: it panics where it is told to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use testkit::net::SimNetwork;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::clock::BoxFuture;
use world::net::{BoxWire, Network, Peer};

/// Where it panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panics {
    Never,
    Connecting,
    /// when the answer to the end of the message is read
    AfterTheDot,
}

pub struct Trap {
    network: Arc<SimNetwork>,
    panics: Arc<Mutex<Panics>>,
}

impl Trap {
    pub fn around(network: Arc<SimNetwork>) -> Arc<Self> {
        Arc::new(Self {
            network,
            panics: Arc::new(Mutex::new(Panics::Never)),
        })
    }

    pub fn set(&self, panics: Panics) {
        *self.panics.lock() = panics;
    }
}

impl Network for Trap {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>> {
        Box::pin(async move {
            let (wire, peer) = self.network.connect(to, from).await?;
            let connecting = *self.panics.lock() == Panics::Connecting;
            assert!(!connecting, "a fault of ours while connecting");
            let wire = TrapWire {
                wire,
                panics: self.panics.clone(),
                dot_sent: false,
            };
            Ok((Box::new(wire) as BoxWire, peer))
        })
    }
}

struct TrapWire {
    wire: BoxWire,
    panics: Arc<Mutex<Panics>>,
    dot_sent: bool,
}

impl AsyncRead for TrapWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let armed = *self.panics.lock() == Panics::AfterTheDot;
        assert!(!(self.dot_sent && armed), "a fault of ours after the dot");
        Pin::new(&mut self.wire).poll_read(cx, into)
    }
}

impl AsyncWrite for TrapWire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.dot_sent |= from.ends_with(b"\r\n.\r\n");
        Pin::new(&mut self.wire).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
