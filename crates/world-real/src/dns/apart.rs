//! Questions over UDP, and each that needs TCP over a connection of its own.
//!
//! One connection for all would be held up by the first answer that comes by half: answers to other questions stand behind it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::{NameServerPool, PoolContext};

type Pool = NameServerPool<TokioRuntimeProvider>;

/// Asks these servers.
#[derive(Clone)]
pub(super) struct Apart {
    udp: Pool,
    servers: Arc<[SocketAddr]>,
    context: Arc<PoolContext>,
}

impl Apart {
    pub(super) fn new(servers: &[SocketAddr], context: Arc<PoolContext>) -> Self {
        Self {
            udp: pool(servers, ConnectionConfig::udp, context.clone()),
            servers: servers.into(),
            context,
        }
    }

    async fn ask(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        match self.udp.send(request.clone()).first_answer().await {
            // The answer is too long for UDP, or what came over UDP is not to be believed.
            Err(NetError::Truncated | NetError::QueryCaseMismatch | NetError::NoConnections) => {
                let tcp = pool(&self.servers, ConnectionConfig::tcp, self.context);
                tcp.send(request).first_answer().await
            }
            answer => answer,
        }
    }
}

impl DnsHandle for Apart {
    type Response = Once;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        Once(Some(Box::pin(self.clone().ask(request))))
    }
}

fn pool(servers: &[SocketAddr], connection: fn() -> ConnectionConfig, context: Arc<PoolContext>) -> Pool {
    let configs = servers.iter().map(|at| {
        let mut connection = connection();
        connection.port = at.port();
        NameServerConfig::new(at.ip(), true, vec![connection])
    });
    NameServerPool::from_config(configs, context, TokioRuntimeProvider::default())
}

type Answer = Pin<Box<dyn Future<Output = Result<DnsResponse, NetError>> + Send>>;

/// One answer.
pub(super) struct Once(Option<Answer>);

impl Stream for Once {
    type Item = Result<DnsResponse, NetError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(answer) = self.0.as_mut() else {
            return Poll::Ready(None);
        };
        let answered = answer.as_mut().poll(cx);
        if answered.is_ready() {
            self.0 = None;
        }
        answered.map(Some)
    }
}
