//! The two directions of one connection below any protocol: waits end with the client, its time, or the server.

use std::time::Duration;

use tokio::sync::watch;
use world::clock::Monotonic;
use world::line::{Driver, ReadError};

use crate::limits::{GOODBYE, WRITE};

/// The connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The client left, the wire failed, or something promised could not be sent.
    Gone,
    /// The client was silent for too long.
    TimedOut,
    /// The server is about to stop.
    Shutdown,
}

/// A connection, and the word that the server is to stop.
pub(crate) struct Wire<'d> {
    driver: &'d mut Driver,
    shutdown: watch::Receiver<bool>,
}

impl<'d> Wire<'d> {
    pub(crate) fn new(driver: &'d mut Driver, shutdown: watch::Receiver<bool>) -> Self {
        Self { driver, shutdown }
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.driver.clock().monotonic()
    }

    /// The moment after which a wait that begins now is over.
    pub(crate) fn after(&self, wait: Duration) -> Monotonic {
        Monotonic(self.now().0 + wait)
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Octets that came and are not taken.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.driver.buffered()
    }

    pub(crate) fn consume(&mut self, used: usize) {
        self.driver.consume(used);
    }

    /// Waits for more octets. Cancel-safe.
    pub(crate) async fn fill(&mut self, deadline: Monotonic) -> Result<(), Stop> {
        if self.is_stopping() {
            return Err(Stop::Shutdown);
        }
        let Self { driver, shutdown } = self;
        tokio::select! {
            biased;
            read = driver.fill(deadline) => came(read),
            () = stopping(shutdown) => Err(Stop::Shutdown),
        }
    }

    /// Takes what has come, without waiting for it. Cancel-safe.
    pub(crate) async fn take_what_came(&mut self) -> Result<(), Stop> {
        let deadline = self.after(WRITE);
        tokio::select! {
            biased;
            read = self.driver.fill(deadline) => came(read),
            () = std::future::ready(()) => Ok(()),
        }
    }

    /// The next line without its CR LF, or what is wrong with it. Cancel-safe.
    pub(crate) async fn line(
        &mut self,
        limit_bytes: usize,
        deadline: Monotonic,
    ) -> Result<Result<Vec<u8>, ReadError>, Stop> {
        let Self { driver, shutdown } = self;
        tokio::select! {
            biased;
            () = stopping(shutdown) => Err(Stop::Shutdown),
            read = driver.read_line(limit_bytes, deadline) => match read {
                Ok(line) => Ok(Ok(line)),
                Err(error) if error.session_may_go_on() => Ok(Err(error)),
                Err(ReadError::TimedOut) => Err(Stop::TimedOut),
                Err(_) => Err(Stop::Gone),
            },
        }
    }

    /// Puts octets behind those that wait to be sent.
    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.driver.write(octets);
    }

    /// The same for octets that are nobody else's.
    pub(crate) fn write_whole(&mut self, octets: Vec<u8>) {
        self.driver.write_whole(octets);
    }

    pub(crate) fn unsent(&self) -> usize {
        self.driver.unsent()
    }

    /// Sends everything now.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        if self.driver.unsent() == 0 {
            return Ok(());
        }
        let deadline = self.after(WRITE);
        self.driver.flush(deadline).await.map_err(|_| Stop::Gone)
    }

    /// Sends what waits and ends.
    pub(crate) async fn close(&mut self) {
        let deadline = self.after(GOODBYE);
        // Whether the client still listens does not matter any more.
        let _left = self.driver.close_lingering(deadline).await;
    }

    /// Wakes at that moment.
    pub(crate) fn sleep_until(&self, wake: Monotonic) -> impl Future<Output = ()> + Send + use<> {
        self.driver.clock().sleep_until(wake)
    }

    /// Waits without reading; what waited to be sent has gone out.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Stop> {
        self.flush().await?;
        let wake = self.sleep_until(self.after(pause));
        tokio::select! {
            () = wake => Ok(()),
            () = stopping(&mut self.shutdown) => Err(Stop::Shutdown),
        }
    }
}

fn came(read: Result<usize, ReadError>) -> Result<(), Stop> {
    match read {
        Ok(0) => Err(Stop::Gone),
        Ok(_) => Ok(()),
        Err(ReadError::TimedOut) => Err(Stop::TimedOut),
        Err(_) => Err(Stop::Gone),
    }
}

/// Completes when the server is to stop; never, when nobody can tell us any more.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
