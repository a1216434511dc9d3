//! Where a demo's mail for other servers goes: nowhere, to one relay, or by the DNS of a test network.

use std::path::PathBuf;

use config::NameServer;
use deliver::settings::Road;
use mail::address::Domain;

use crate::cli::DemoArgs;
use crate::exit::{Failure, Outcome};

/// Where it goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// nowhere: it waits in the queue
    Waits,
    /// all of it to this server
    Relay {
        /// a name or an address
        host: String,
        /// its port
        port: u16,
    },
    /// by MX, as this name server says
    Dns {
        /// who is asked
        server: NameServer,
        /// the port of the servers it names
        port: u16,
        /// roots that their certificates may lead to
        extra_roots: Option<PathBuf>,
    },
}

impl Elsewhere {
    /// What the command line asks for.
    pub fn of(args: &DemoArgs) -> Outcome<Self> {
        match (&args.relay, &args.dns) {
            (Some(relay), _) => relay_of(relay),
            (None, Some(server)) => Ok(Self::Dns {
                server: name_server(server)?,
                port: args.deliver_port,
                extra_roots: args.extra_roots.as_deref().map(absolute).transpose()?,
            }),
            (None, None) => Ok(Self::Waits),
        }
    }

    /// Whether mail leaves.
    pub fn road(&self) -> Road {
        match self {
            Self::Waits => Road::Closed {
                reason: "this demo has no road to other servers: start it with --relay HOST:PORT or --dns HOST:PORT"
                    .to_owned(),
            },
            Self::Relay { .. } | Self::Dns { .. } => Road::Open,
        }
    }

    /// For the card and the line of JSON.
    pub fn words(&self) -> String {
        match self {
            Self::Waits => "waits here: --relay HOST:PORT or --dns HOST:PORT gives it a road".to_owned(),
            Self::Relay { host, port } => format!("goes to {host} port {port}"),
            Self::Dns { server, port, .. } => format!("goes by the DNS of {server}, to port {port}"),
        }
    }

    /// The lines of a settings file that say the same.
    pub fn settings(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Waits => String::new(),
            Self::Relay { host, port } => format!(
                "deliver.allow_private = true\n\
                 routes = [{{ name = \"relay\", host = {}, port = {port}, tls = \"opportunistic\" }}]\n",
                text(host)
            ),
            Self::Dns {
                server,
                port,
                extra_roots,
            } => {
                let roots = extra_roots
                    .as_ref()
                    .map(|path| format!("tls.extra_roots = {}\n", text(&path.display().to_string())));
                format!(
                    "deliver.allow_private = true\ndeliver.port = {port}\ndns.servers = [\"{server}\"]\nsmtp.authenticity = \"enforce\"\n{}",
                    roots.unwrap_or_default()
                )
            }
        }
    }
}

fn name_server(text: &str) -> Outcome<NameServer> {
    NameServer::parse(text).ok_or_else(|| {
        Failure::Usage(format!(
            "--dns {text:?} is not a name server and its port. Write it like localhost:5353 or 127.0.0.1:5353."
        ))
    })
}

fn relay_of(text: &str) -> Outcome<Elsewhere> {
    let wrong = || {
        Failure::Usage(format!(
            "--relay {text:?} is not a server and its port. Write it like relay.example.net:25 or 127.0.0.1:2525."
        ))
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(wrong)?;
    // DNS does not know that name.
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "localhost" => "127.0.0.1",
        other => other,
    };
    let is_name = Domain::parse(host).is_ok_and(|domain| domain.literal().is_none());
    if host.parse::<std::net::IpAddr>().is_err() && !is_name {
        return Err(wrong());
    }
    Ok(Elsewhere::Relay {
        host: host.to_owned(),
        port,
    })
}

/// Settings name files by their full path.
fn absolute(path: &std::path::Path) -> Outcome<PathBuf> {
    std::path::absolute(path)
        .map_err(|error| Failure::Usage(format!("{} cannot be found: {error}.", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(text: &str) -> Option<(String, u16)> {
        match relay_of(text) {
            Ok(Elsewhere::Relay { host, port }) => Some((host, port)),
            _ => None,
        }
    }

    #[test]
    fn a_name_server_may_have_a_name() {
        let named = NameServer::Named {
            host: "localhost".to_owned(),
            port: 5353,
        };
        assert_eq!(name_server("localhost:5353").ok(), Some(named));
        let Err(Failure::Usage(said)) = name_server("localhost") else {
            panic!("a port is missing");
        };
        assert!(
            said.starts_with("--dns \"localhost\" is not a name server and its port"),
            "{said}"
        );
    }

    #[test]
    fn a_relay_is_a_host_and_a_port() {
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(relay("relay.example.net:25"), is("relay.example.net", 25));
        assert_eq!(relay("localhost:2525"), is("127.0.0.1", 2525));
        assert_eq!(relay("[::1]:25"), is("::1", 25));
        for bad in [
            "relay.example.net",
            "127.0.0.1:0",
            "127.0.0.1:x",
            ":25",
            "a b:25",
            "127.0.0.1:99999",
        ] {
            assert_eq!(relay(bad), None, "{bad}");
        }
    }
}
