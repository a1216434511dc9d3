//! What the operator says by signals.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: finish and stop.
    Stop,
    /// SIGHUP: read settings and certificates again.
    Reload,
}

/// The signals we listen to.
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    /// From now on the signals come here instead of ending the process.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn signals_become_wishes() {
        let mut signals = Signals::install().unwrap();
        for (number, expected) in [
            (Number::HUP, Signal::Reload),
            (Number::TERM, Signal::Stop),
            (Number::INT, Signal::Stop),
        ] {
            kill_process(getpid(), number).unwrap();
            assert_eq!(signals.next().await, expected);
        }
    }
}
