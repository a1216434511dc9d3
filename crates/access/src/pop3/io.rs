//! Lines from the wire and replies to it.

use std::time::Duration;

use pop3::Out;
use tokio::sync::watch;
use world::clock::Monotonic;
use world::line::{Driver, ReadError};

use crate::limits::{GOODBYE, OUTPUT_BYTES, WRITE};

/// The connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The client left, the wire failed, or an answer that was begun could not be ended.
    Gone,
    /// The client was silent for too long.
    TimedOut,
    /// The server is about to stop.
    Shutdown,
}

/// The two directions of one connection.
pub(crate) struct Io<'d> {
    driver: &'d mut Driver,
    /// replies that are being made
    pub(crate) out: Out,
    shutdown: watch::Receiver<bool>,
}

impl<'d> Io<'d> {
    pub(crate) fn new(driver: &'d mut Driver, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            driver,
            out: Out::default(),
            shutdown,
        }
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.driver.clock().monotonic()
    }

    pub(crate) fn after(&self, wait: Duration) -> Monotonic {
        Monotonic(self.now().0 + wait)
    }

    /// The next line without its CR LF, or what is wrong with it. Answers to commands that came together go out together.
    pub(crate) async fn line(
        &mut self,
        limit_bytes: usize,
        deadline: Monotonic,
    ) -> Result<Result<Vec<u8>, ReadError>, Stop> {
        if self.driver.buffered().contains(&b'\n') {
            self.send().await?;
        } else {
            self.flush().await?;
        }
        let Self { driver, shutdown, .. } = self;
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

    /// Hands replies on; sends when much waits.
    pub(crate) async fn send(&mut self) -> Result<(), Stop> {
        if self.out.len() + self.driver.unsent() > OUTPUT_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// In the middle of a long answer: sends, lets others have the processor, and hears of the end of the server.
    pub(crate) async fn breathe(&mut self) -> Result<(), Stop> {
        self.send().await?;
        tokio::task::yield_now().await;
        if *self.shutdown.borrow() {
            // An answer without its end must not look like one that has it: the connection closes without another word.
            return Err(Stop::Gone);
        }
        Ok(())
    }

    /// Sends everything now.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        self.hold();
        if self.driver.unsent() == 0 {
            return Ok(());
        }
        let deadline = self.after(WRITE);
        self.driver.flush(deadline).await.map_err(|_| Stop::Gone)
    }

    /// Puts replies where `into_tls` finds them, unsent.
    pub(crate) fn hold(&mut self) {
        let replies = self.out.take();
        self.driver.write(&replies);
    }

    /// Sends what waits and ends.
    pub(crate) async fn close(&mut self) {
        self.hold();
        let deadline = self.after(GOODBYE);
        // Whether the client still listens does not matter any more.
        let _left = self.driver.close_lingering(deadline).await;
    }

    /// Waits without reading.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Stop> {
        self.flush().await?;
        let wake = self.driver.clock().sleep_until(self.after(pause));
        tokio::select! {
            () = wake => Ok(()),
            () = stopping(&mut self.shutdown) => Err(Stop::Shutdown),
        }
    }
}

/// Completes when the server is to stop; never, when nobody can tell us any more.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
