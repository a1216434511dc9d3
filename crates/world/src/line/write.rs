//! Writing: replies are collected, then sent together.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::driver::Driver;
use super::limits::LINGER_MAX_BYTES;
use crate::clock::Monotonic;

/// Why bytes could not be sent.
#[derive(Debug)]
pub enum WriteError {
    /// The peer did not take them in time.
    TimedOut,
    /// The wire failed.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the peer did not take our reply in time"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TimedOut => None,
        }
    }
}

impl Driver {
    /// Adds to what the next [`Driver::flush`] sends.
    pub fn write(&mut self, bytes: &[u8]) {
        self.output.push(bytes);
    }

    /// The same for bytes that are nobody else's: they are not copied where nothing else waits.
    pub fn write_whole(&mut self, bytes: Vec<u8>) {
        self.output.push_whole(bytes);
    }

    /// How many bytes wait to be sent.
    pub fn unsent(&self) -> usize {
        self.output.len()
    }

    /// Sends everything that was written. Cancel-safe: what was not sent stays for the next flush.
    pub async fn flush(&mut self, deadline: Monotonic) -> Result<(), WriteError> {
        if self.output.is_empty() {
            return Ok(());
        }
        poll_fn(|cx| {
            if let Poll::Ready(sent) = self.poll_send(cx) {
                return Poll::Ready(sent.map_err(WriteError::Io));
            }
            self.alarm
                .poll(&*self.clock, deadline, cx)
                .map(|()| Err(WriteError::TimedOut))
        })
        .await
    }

    /// Flushes only when more than `limit_bytes` wait: for answers of many parts, so that a client that does not read
    /// slows itself down instead of filling our memory.
    pub async fn flush_if_over(&mut self, limit_bytes: usize, deadline: Monotonic) -> Result<(), WriteError> {
        if self.output.len() > limit_bytes {
            self.flush(deadline).await
        } else {
            Ok(())
        }
    }

    /// Sends what waits, ends our direction (with close_notify inside TLS) and throws away what the peer has already sent.
    pub async fn close(&mut self, deadline: Monotonic) -> Result<(), WriteError> {
        self.flush(deadline).await?;
        poll_fn(|cx| {
            if let Poll::Ready(ended) = Pin::new(&mut self.wire).poll_shutdown(cx) {
                return Poll::Ready(ended.map_err(WriteError::Io));
            }
            self.alarm
                .poll(&*self.clock, deadline, cx)
                .map(|()| Err(WriteError::TimedOut))
        })
        .await?;
        self.consume_all();
        // Unread bytes in the socket would turn our close into a reset, which can overtake the last reply.
        let mut budget = LINGER_MAX_BYTES;
        let _ = self.poll_discard(&mut budget, &mut Context::from_waker(Waker::noop()));
        Ok(())
    }

    /// Like [`Driver::close`], but waits until `deadline` for the peer to end too, reading at most [`LINGER_MAX_BYTES`]:
    /// for goodbyes in the middle of what a client is sending, which it should still get to read.
    pub async fn close_lingering(&mut self, deadline: Monotonic) -> Result<(), WriteError> {
        self.close(deadline).await?;
        let mut budget = LINGER_MAX_BYTES;
        poll_fn(|cx| {
            if self.poll_discard(&mut budget, cx).is_ready() {
                return Poll::Ready(());
            }
            self.alarm.poll(&*self.clock, deadline, cx)
        })
        .await;
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let sent = ready!(Pin::new(&mut self.wire).poll_write(cx, self.output.as_slice()))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.consume(sent);
        }
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    /// Reads and forgets until the peer ends, fails, or `budget` is used up.
    fn poll_discard(&mut self, budget: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 4096];
        while !self.ended && *budget > 0 {
            let mut chunk = ReadBuf::uninit(&mut space);
            match ready!(Pin::new(&mut self.wire).poll_read(cx, &mut chunk)) {
                Ok(()) if !chunk.filled().is_empty() => *budget = budget.saturating_sub(chunk.filled().len()),
                _ => self.ended = true,
            }
        }
        Poll::Ready(())
    }
}
