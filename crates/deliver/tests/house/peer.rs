//! A mail server on the simulated network that answers as it is told, and keeps what it took.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use testkit::net::SimNetwork;
use testkit::tls::SimTlsServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world::net::{BoxWire, Listener, TlsServer};

/// What it answers where. `close` and `silence` are no answers; everything else is sent as it is.
#[derive(Debug, Clone)]
pub struct Script {
    pub banner: String,
    pub ehlo: String,
    pub starttls: String,
    pub auth: String,
    pub mail: String,
    /// by the start of the address; else good
    pub rcpt: Vec<(&'static str, String)>,
    pub data: String,
    /// one for each message, the last one for all that follow
    pub dot: VecDeque<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            banner: "220 mx.there.test ready".to_owned(),
            ehlo: "250-mx.there.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n250 ENHANCEDSTATUSCODES".to_owned(),
            starttls: "220 go".to_owned(),
            auth: "235 2.7.0 welcome".to_owned(),
            mail: "250 2.1.0 ok".to_owned(),
            rcpt: Vec::new(),
            data: "354 go".to_owned(),
            dot: VecDeque::from(["250 2.0.0 taken".to_owned()]),
        }
    }
}

impl Script {
    /// Answers `reply` at this stage.
    pub fn at(stage: &str, reply: &str) -> Self {
        let mut script = Self::default();
        let reply = reply.to_owned();
        match stage {
            "banner" => script.banner = reply,
            "hello" => script.ehlo = reply,
            "starttls" => script.starttls = reply,
            "mail" => script.mail = reply,
            "rcpt" => script.rcpt = vec![("", reply)],
            "data" => script.data = reply,
            "final" => script.dot = VecDeque::from([reply]),
            other => panic!("no stage {other}"),
        }
        script
    }

    /// Offers this, too.
    pub fn offering(mut self, keyword: &str) -> Self {
        self.ehlo = self
            .ehlo
            .replacen("250-PIPELINING", &format!("250-{keyword}\r\n250-PIPELINING"), 1);
        self
    }

    /// Offers this no more.
    pub fn without(mut self, keyword: &str) -> Self {
        self.ehlo = self.ehlo.replace(&format!("250-{keyword}\r\n"), "");
        self
    }
}

/// A message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub mail: String,
    pub rcpt: Vec<String>,
    pub text: Vec<u8>,
    pub connection: usize,
    pub tls: bool,
}

/// The server.
#[derive(Clone)]
pub struct Peer {
    script: Arc<Mutex<Script>>,
    pub taken: Arc<Mutex<Vec<Taken>>>,
    pub commands: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    tls: Option<Arc<SimTlsServer>>,
}

impl Peer {
    /// Listens at `address`.
    pub fn at(network: &SimNetwork, address: &str, script: Script, tls: Option<Arc<SimTlsServer>>) -> Self {
        let address: SocketAddr = address.parse().expect("an address and a port");
        let listener = network.listen(address);
        let peer = Self {
            script: Arc::new(Mutex::new(script)),
            taken: Arc::default(),
            commands: Arc::default(),
            connections: Arc::default(),
            tls,
        };
        let serving = peer.clone();
        tokio::spawn(async move {
            while let Ok((wire, _)) = listener.accept().await {
                let number = {
                    let mut connections = serving.connections.lock();
                    *connections += 1;
                    *connections
                };
                let serving = serving.clone();
                tokio::spawn(async move {
                    let _ = serving.session(wire, number, false).await;
                });
            }
        });
        peer
    }

    /// Answers like this from now on.
    pub fn set(&self, script: Script) {
        *self.script.lock() = script;
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        *self.connections.lock()
    }

    fn script(&self) -> Script {
        self.script.lock().clone()
    }

    async fn session(&self, wire: BoxWire, connection: usize, tls: bool) -> Option<()> {
        let mut wire = BufReader::new(wire);
        if !tls {
            say(&mut wire, &self.script().banner).await?;
        }
        let mut envelope = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if wire.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            self.commands.lock().push(line.clone());
            let script = self.script();
            let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "HELO" => say(&mut wire, &script.ehlo).await?,
                "STARTTLS" => {
                    say(&mut wire, &script.starttls).await?;
                    if script.starttls.starts_with("220") {
                        let server = self.tls.clone().expect("a server that offers TLS has some");
                        let (inside, _) = server.accept(wire.into_inner()).await.ok()?;
                        return Box::pin(self.session(inside, connection, true)).await;
                    }
                }
                "AUTH" => say(&mut wire, &script.auth).await?,
                "RSET" => say(&mut wire, "250 ok").await?,
                "MAIL" => {
                    envelope = (line, Vec::new());
                    say(&mut wire, &script.mail).await?;
                }
                "RCPT" if !script.mail.starts_with("25") => say(&mut wire, "503 5.5.1 no sender").await?,
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    let said = script.rcpt.iter().find(|(start, _)| address.starts_with(start));
                    let reply = said.map_or("250 2.1.5 ok", |(_, reply)| reply);
                    if reply.starts_with("25") {
                        envelope.1.push(line.clone());
                    }
                    say(&mut wire, reply).await?;
                }
                "DATA" if envelope.1.is_empty() => say(&mut wire, "554 5.5.1 nobody").await?,
                "DATA" => {
                    say(&mut wire, &script.data).await?;
                    if script.data.starts_with("354") {
                        let text = text(&mut wire).await?;
                        let reply = self.dot();
                        if reply.starts_with("250") {
                            self.taken.lock().push(Taken {
                                mail: envelope.0.clone(),
                                rcpt: envelope.1.clone(),
                                text,
                                connection,
                                tls,
                            });
                        }
                        say(&mut wire, &reply).await?;
                    }
                    envelope.1.clear();
                }
                "QUIT" => {
                    say(&mut wire, "221 bye").await?;
                    return None;
                }
                _ => say(&mut wire, "500 what").await?,
            }
        }
    }

    fn dot(&self) -> String {
        let mut script = self.script.lock();
        if script.dot.len() > 1 {
            script.dot.pop_front().expect("it has several")
        } else {
            script.dot.front().expect("it has one").clone()
        }
    }
}

/// Sends a reply; `None` ends the connection.
async fn say(wire: &mut BufReader<BoxWire>, reply: &str) -> Option<()> {
    match reply {
        "close" => None,
        "silence" => {
            // Reads on, so that the end of the connection is noticed.
            let mut rest = Vec::new();
            wire.read_to_end(&mut rest).await.ok()?;
            None
        }
        "endless" => loop {
            wire.write_all(b"250-and more\r\n").await.ok()?;
        },
        reply => {
            wire.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
            wire.flush().await.ok()
        }
    }
}

async fn text(wire: &mut BufReader<BoxWire>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let mut line = Vec::new();
        if wire.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        match line.as_slice() {
            b".\r\n" => return Some(text),
            [b'.', rest @ ..] => text.extend_from_slice(rest),
            line => text.extend_from_slice(line),
        }
    }
}
