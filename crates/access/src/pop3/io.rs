//! Lines from the wire and replies to it.

use std::time::Duration;

use pop3::Out;
use tokio::sync::watch;
use world::clock::Monotonic;
use world::line::{Driver, ReadError};

use crate::limits::OUTPUT_BYTES;
use crate::wire::Wire;

pub(crate) use crate::wire::Stop;

/// The two directions of one connection.
pub(crate) struct Io<'d> {
    wire: Wire<'d>,
    /// replies that are being made
    pub(crate) out: Out,
}

impl<'d> Io<'d> {
    pub(crate) fn new(driver: &'d mut Driver, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            wire: Wire::new(driver, shutdown),
            out: Out::default(),
        }
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.wire.now()
    }

    pub(crate) fn after(&self, wait: Duration) -> Monotonic {
        self.wire.after(wait)
    }

    /// The next line without its CR LF, or what is wrong with it. Answers to commands that came together go out together.
    pub(crate) async fn line(
        &mut self,
        limit_bytes: usize,
        deadline: Monotonic,
    ) -> Result<Result<Vec<u8>, ReadError>, Stop> {
        if self.wire.buffered().contains(&b'\n') {
            self.send().await?;
        } else {
            self.flush().await?;
        }
        self.wire.line(limit_bytes, deadline).await
    }

    /// Octets that are made and not sent.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len() + self.wire.unsent()
    }

    /// Hands replies on; sends when much waits.
    pub(crate) async fn send(&mut self) -> Result<(), Stop> {
        if self.waiting() > OUTPUT_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// In the middle of a long answer: sends, lets others have the processor, and hears of the end of the server.
    pub(crate) async fn breathe(&mut self) -> Result<(), Stop> {
        self.send().await?;
        tokio::task::yield_now().await;
        if self.wire.is_stopping() {
            // An answer without its end must not look like one that has it: the connection closes without another word.
            return Err(Stop::Gone);
        }
        Ok(())
    }

    /// Sends everything now.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        self.hold();
        self.wire.flush().await
    }

    /// Puts replies where `into_tls` finds them, unsent.
    pub(crate) fn hold(&mut self) {
        let replies = self.out.take();
        self.wire.write(&replies);
    }

    /// Sends what waits and ends.
    pub(crate) async fn close(&mut self) {
        self.hold();
        self.wire.close().await;
    }

    /// Waits without reading.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Stop> {
        self.hold();
        self.wire.pause(pause).await
    }
}
