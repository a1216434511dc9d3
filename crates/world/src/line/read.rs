//! Reading: whatever comes, or whole lines.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

use super::driver::Driver;
use super::limits::{BUFFERED_MAX_BYTES, OVERLONG_SKIP_MAX_BYTES, READ_CHUNK_BYTES};
use crate::clock::Monotonic;

/// Why a read gave nothing.
#[derive(Debug)]
pub enum ReadError {
    /// The line is longer than allowed. Its rest was skipped: the next read starts at the next line.
    TooLong,
    /// The line is so much longer than allowed that its end was not looked for. Close the connection.
    Endless,
    /// A LF without a CR before it. The bytes up to and with it were consumed.
    BareLf,
    /// A CR without a LF after it. The bytes up to and with it were consumed.
    BareCr,
    /// A NUL byte. The bytes up to and with it were consumed.
    Nul,
    /// The peer closed the connection; an unfinished line was thrown away.
    Closed,
    /// The deadline passed.
    TimedOut,
    /// [`BUFFERED_MAX_BYTES`] are unread: consume some first.
    BufferFull,
    /// The wire failed.
    Io(io::Error),
}

impl ReadError {
    /// Whether the line was at fault and the session may answer and go on with the next one.
    pub fn session_may_go_on(&self) -> bool {
        matches!(self, Self::TooLong | Self::BareLf | Self::BareCr | Self::Nul)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the line is too long"),
            Self::Endless => f.write_str("the line has no end within reason"),
            Self::BareLf => f.write_str("the line has a LF without a CR before it"),
            Self::BareCr => f.write_str("the line has a CR without a LF after it"),
            Self::Nul => f.write_str("the line has a NUL byte"),
            Self::Closed => f.write_str("the peer closed the connection"),
            Self::TimedOut => f.write_str("the peer sent nothing (or not enough) in time"),
            Self::BufferFull => f.write_str("too many bytes wait unread"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl Driver {
    /// What was read and not consumed yet.
    pub fn buffered(&self) -> &[u8] {
        self.input.as_slice()
    }

    /// Drops the first `count` buffered bytes.
    ///
    /// # Panics
    /// When fewer are buffered.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Drops everything that is buffered.
    pub fn consume_all(&mut self) {
        self.input.consume(self.input.len());
    }

    /// Waits until at least one more byte is buffered, and returns how many came; `Ok(0)` means that the peer has finished.
    /// Cancel-safe. Holds no buffer while it waits.
    pub async fn fill(&mut self, deadline: Monotonic) -> Result<usize, ReadError> {
        if self.input.len() >= BUFFERED_MAX_BYTES {
            return Err(ReadError::BufferFull);
        }
        if self.ended {
            return Ok(0);
        }
        // Past is past, even if bytes are ready: a client that never pauses must not outlive its deadline (SMT-3).
        if self.clock.monotonic() >= deadline {
            return Err(ReadError::TimedOut);
        }
        poll_fn(|cx| {
            if let Poll::Ready(read) = self.poll_fill(cx) {
                return Poll::Ready(read.map_err(ReadError::Io));
            }
            self.alarm
                .poll(&*self.clock, deadline, cx)
                .map(|()| Err(ReadError::TimedOut))
        })
        .await
    }

    /// The next line without its CRLF. `limit_bytes` counts the CRLF, as RFC 5321 §4.5.3.1 does. Cancel-safe.
    pub async fn read_line(&mut self, limit_bytes: usize, deadline: Monotonic) -> Result<Vec<u8>, ReadError> {
        if self.overlong_bytes.is_some() {
            return Err(self.skip_overlong(deadline).await);
        }
        let mut scanned = 0;
        loop {
            match find_line(self.buffered(), scanned, limit_bytes) {
                Found::Line(length) => {
                    let line = self.buffered()[..length].to_vec();
                    self.consume(length + 2);
                    return Ok(line);
                }
                Found::Fault(length, error) => {
                    self.consume(length);
                    return Err(error);
                }
                Found::TooLong => return Err(self.skip_overlong(deadline).await),
                Found::More(seen) => scanned = seen,
            }
            if self.fill(deadline).await? == 0 {
                self.consume_all();
                return Err(ReadError::Closed);
            }
        }
    }

    /// Whether the client has spoken although it is not its turn, or has gone. Does not wait. What came is buffered.
    pub fn pending_input(&mut self) -> bool {
        if self.input.is_empty() && !self.ended {
            // A failure here shows up again at the next read or write.
            let _ = self.poll_fill(&mut Context::from_waker(Waker::noop()));
        }
        !self.input.is_empty() || self.ended
    }

    /// One read into the stack, then into the buffer: while nothing comes, nothing is allocated.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::<u8>::uninit(); READ_CHUNK_BYTES];
        let mut chunk = ReadBuf::uninit(&mut space);
        let read = match Pin::new(&mut self.wire).poll_read(cx, &mut chunk) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(read) => read,
        };
        match read {
            // A TLS peer that leaves without close_notify; what a cut means, the protocol above decides as for TCP.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended = true,
            Err(error) => return Poll::Ready(Err(error)),
            Ok(()) => self.ended = chunk.filled().is_empty(),
        }
        self.input.push(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }

    /// Skips to the end of a line that is longer than its limit, without keeping it. How far it came is remembered, so that a
    /// cancelled skip goes on at the next call.
    async fn skip_overlong(&mut self, deadline: Monotonic) -> ReadError {
        loop {
            let end = self.buffered().windows(2).position(|pair| pair == b"\r\n");
            if let Some(end) = end {
                self.consume(end + 2);
                self.overlong_bytes = None;
                return ReadError::TooLong;
            }
            // The last byte may be the CR of the CRLF.
            let keep = usize::from(self.buffered().last() == Some(&b'\r'));
            let count = self.buffered().len() - keep;
            self.consume(count);
            let skipped = self.overlong_bytes.unwrap_or(0) + count;
            self.overlong_bytes = Some(skipped);
            if skipped > OVERLONG_SKIP_MAX_BYTES {
                return ReadError::Endless;
            }
            match self.fill(deadline).await {
                Ok(0) => return ReadError::Closed,
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }
}

enum Found {
    /// A whole line of this length, CRLF not counted.
    Line(usize),
    /// This many bytes end with the fault.
    Fault(usize, ReadError),
    /// No end within the limit.
    TooLong,
    /// Nothing yet in the first so many bytes.
    More(usize),
}

/// Looks for the end of the first line in `bytes`, of which `scanned` are known to have neither end nor fault.
fn find_line(bytes: &[u8], scanned: usize, limit_bytes: usize) -> Found {
    let window = &bytes[..bytes.len().min(limit_bytes)];
    let special = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    let Some(at) = window[scanned..].iter().position(special).map(|at| at + scanned) else {
        return if bytes.len() >= limit_bytes {
            Found::TooLong
        } else {
            Found::More(bytes.len())
        };
    };
    match (window[at], bytes.get(at + 1)) {
        (b'\r', _) if at + 2 > limit_bytes => Found::TooLong,
        (b'\r', Some(b'\n')) => Found::Line(at),
        (b'\r', None) => Found::More(at),
        (b'\r', Some(_)) => Found::Fault(at + 1, ReadError::BareCr),
        (b'\n', _) => Found::Fault(at + 1, ReadError::BareLf),
        _ => Found::Fault(at + 1, ReadError::Nul),
    }
}

/// Cuts `bytes` into lines as [`Driver::read_line`] would, as far as faults allow it, and checks what it promises of them.
#[doc(hidden)]
pub(crate) fn fuzz_lines(bytes: &[u8]) {
    let (limit_bytes, mut rest) = match bytes.split_first() {
        Some((first, rest)) => (usize::from(*first).max(2), rest),
        None => return,
    };
    loop {
        let (used, line) = match find_line(rest, 0, limit_bytes) {
            Found::Line(length) => (length + 2, Some(&rest[..length])),
            Found::Fault(length, _) => (length, None),
            Found::More(seen) => {
                assert!(seen < limit_bytes, "a line is never waited for beyond its limit");
                return;
            }
            Found::TooLong => return,
        };
        if let Some(line) = line {
            assert!(used <= limit_bytes && !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
        assert!(used > 0, "every outcome consumes something");
        rest = &rest[used..];
    }
}
