//! A POP3 client for tests, and its server.

use std::sync::Arc;
use std::time::Duration;

use access::Security;
use access::pop3::{Context, Taken, serve_connection};
use testkit::clock::SimClock;
use testkit::net::{SimWire, some_peer, wire_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{HELLO, PASSWORD, PATIENCE, World, pass_time};

/// The POP3 side of a [`World`].
pub struct Pop {
    pub world: World,
    pub ctx: Arc<Context>,
}

impl Pop {
    pub async fn new() -> Self {
        Self::over(World::new().await)
    }

    pub fn over(world: World) -> Self {
        let ctx = Context {
            doors: world.ctx.doors.clone(),
            own: Arc::new(Taken::default()),
        };
        Self {
            world,
            ctx: Arc::new(ctx),
        }
    }

    /// With messages for alice, oldest first.
    pub async fn with(messages: &[&[u8]]) -> Self {
        let pop = Self::new().await;
        for message in messages {
            pop.world.deliver("alice@example.test", message).await;
        }
        pop
    }

    pub fn connect(&self, security: Security) -> PopClient {
        let (ours, theirs) = wire_pair();
        let ctx = self.ctx.clone();
        let _serving = tokio::spawn(async move {
            serve_connection(&ctx, Box::new(theirs), some_peer(), security).await;
        });
        PopClient {
            wire: ours,
            unread: Vec::new(),
            clock: self.world.clock.clone(),
        }
    }

    /// Inside TLS, greeted.
    pub async fn secure(&self) -> PopClient {
        let mut client = self.connect(Security::ImplicitTls);
        client.send(HELLO).await;
        assert_eq!(client.line().await, "+OK Hearthpost ready");
        client
    }

    /// Signed in.
    pub async fn user(&self, name: &str) -> PopClient {
        let mut client = self.secure().await;
        client.ok(&format!("USER {name}@example.test")).await;
        client.ok(&format!("PASS {PASSWORD}")).await;
        client
    }
}

pub struct PopClient {
    pub wire: SimWire,
    unread: Vec<u8>,
    clock: SimClock,
}

impl PopClient {
    pub async fn send(&mut self, octets: &[u8]) {
        self.wire.write_all(octets).await.unwrap();
    }

    /// One line without its CRLF; empty at the end of the connection.
    pub async fn line(&mut self) -> String {
        let read = tokio::time::timeout(PATIENCE, self.next_line()).await;
        read.expect("an answer in time")
    }

    /// The same after a pause of the server's: time passes, slowly enough that no minute for signing in ends while a busy machine still
    /// compares a password.
    pub async fn late_line(&mut self) -> String {
        loop {
            let clock = self.clock.clone();
            tokio::select! {
                biased;
                line = self.next_line() => return line,
                () = tokio::time::sleep(Duration::from_millis(50)) => clock.advance(Duration::from_millis(250)).await,
            }
        }
    }

    async fn next_line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.unread.split_off(end + 2);
                let line = std::mem::replace(&mut self.unread, rest);
                return String::from_utf8(line[..end].to_vec()).expect("UTF-8");
            }
            let mut buffer = vec![0; 65536];
            match self.wire.read(&mut buffer).await {
                Ok(0) | Err(_) => {
                    assert!(self.unread.is_empty(), "half a line");
                    return String::new();
                }
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Sends a command; its first line.
    pub async fn run(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes()).await;
        self.line().await
    }

    /// Must succeed; what comes after `+OK `.
    pub async fn ok(&mut self, command: &str) -> String {
        let said = self.run(command).await;
        said.strip_prefix("+OK ")
            .unwrap_or_else(|| panic!("{command}: {said}"))
            .to_owned()
    }

    /// Must be refused in this way, after a pause.
    pub async fn late_err(&mut self, command: &str, start: &str) {
        self.send(format!("{command}\r\n").as_bytes()).await;
        let said = self.late_line().await;
        assert!(said.starts_with(&format!("-ERR {start}")), "{command}: {said}");
    }

    /// Must be refused in this way.
    pub async fn err(&mut self, command: &str, start: &str) {
        let said = self.run(command).await;
        assert!(said.starts_with(&format!("-ERR {start}")), "{command}: {said}");
    }

    /// The lines of a longer answer, dots taken away.
    pub async fn lines(&mut self, command: &str) -> Vec<String> {
        self.ok(command).await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            match line.strip_prefix('.') {
                Some("") => return lines,
                Some(stuffed) => lines.push(stuffed.to_owned()),
                None => lines.push(line),
            }
        }
    }

    /// Must be at its end, or come to it by mere waiting.
    pub async fn is_closed(&mut self) {
        loop {
            let clock = self.clock.clone();
            tokio::select! {
                biased;
                line = self.next_line() => return assert_eq!(line, ""),
                () = pass_time(&clock) => {}
            }
        }
    }
}

impl PopClient {
    /// The connection ends here, perhaps with a last word.
    pub async fn err_or_end(&mut self) {
        let said = self.line().await;
        assert!(said.is_empty() || said.starts_with("-ERR"), "{said}");
        if !said.is_empty() {
            self.is_closed().await;
        }
    }
}
