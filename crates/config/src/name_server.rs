//! A name server as an operator writes it: an address with its port, or a name with its port.

use std::fmt;
use std::net::SocketAddr;

use mail::address::Domain;

/// Whom DNS is asked of. The port is never 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameServer {
    /// this address
    At(SocketAddr),
    /// the address that the system knows for a name
    Named {
        /// in the form of [`mail::address::Domain::as_str`]; no address
        host: String,
        /// its port
        port: u16,
    },
}

impl NameServer {
    /// Reads `127.0.0.1:53`, `[::1]:53` or `localhost:5353`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return (address.port() > 0).then_some(Self::At(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let domain = Domain::parse(host)
            .ok()
            .filter(|domain| domain.literal().is_none())?;
        // No top-level domain is a number (RFC 3696 section 2): these are addresses with a slip in them.
        let last = domain.as_str().rsplit('.').next()?;
        let number = last.bytes().all(|octet| octet.is_ascii_digit());
        (!number).then(|| Self::Named {
            host: domain.as_str().to_owned(),
            port,
        })
    }

    /// Whether it is certainly on this machine. `localhost` never leads elsewhere (RFC 6761 §6.3).
    pub fn is_here(&self) -> bool {
        match self {
            Self::At(address) => address.ip().is_loopback(),
            Self::Named { host, .. } => is_localhost(host),
        }
    }
}

fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Named { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_or_a_name_with_a_port() {
        for (text, read, here) in [
            ("127.0.0.1:53", Some("127.0.0.1:53"), true),
            ("[::1]:5353", Some("[::1]:5353"), true),
            ("192.0.2.53:53", Some("192.0.2.53:53"), false),
            ("localhost:5353", Some("localhost:5353"), true),
            ("LocalHost:5353", Some("localhost:5353"), true),
            ("dns.localhost:53", Some("dns.localhost:53"), true),
            ("unbound:53", Some("unbound:53"), false),
            ("ns.example.org:53", Some("ns.example.org:53"), false),
            ("notlocalhost:53", Some("notlocalhost:53"), false),
            ("127.0.0.1", None, false),
            ("localhost", None, false),
            ("localhost:0", None, false),
            ("127.0.0.1:0", None, false),
            ("localhost:x", None, false),
            ("localhost:65536", None, false),
            ("127.0.0.300:53", None, false),
            ("::1:53", None, false),
            ("[127.0.0.1]:53", None, false),
            ("a b:53", None, false),
            (":53", None, false),
            ("", None, false),
        ] {
            let server = NameServer::parse(text);
            assert_eq!(
                server.as_ref().map(ToString::to_string).as_deref(),
                read,
                "{text}"
            );
            assert_eq!(server.is_some_and(|server| server.is_here()), here, "{text}");
        }
    }
}
