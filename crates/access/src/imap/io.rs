//! Reading whole commands from the wire and sending responses: the framer and the line driver together.

use std::time::Duration;

use imap::command::Tag;
use imap::frame::{Framer, Progress};
use imap::mode::Mode;
use imap::out::{Code, Out};
use tokio::sync::watch;
use world::clock::Monotonic;
use world::line::Driver;

use super::compress::Deflate;
use crate::limits::{IN_PROGRESS, OUTPUT_BYTES, SENT_AHEAD_BYTES};
use crate::wire::{self, Wire};

/// The connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The client left, or the wire failed, or something promised could not be sent.
    Gone,
    /// The client was silent for too long.
    TimedOut,
    /// The server is about to stop.
    Shutdown,
    /// The open mailbox was deleted by another session.
    MailboxGone,
}

impl From<wire::Stop> for Stop {
    fn from(stop: wire::Stop) -> Self {
        match stop {
            wire::Stop::Gone => Self::Gone,
            wire::Stop::TimedOut => Self::TimedOut,
            wire::Stop::Shutdown => Self::Shutdown,
        }
    }
}

/// The command under way.
struct Task {
    tag: Tag,
    /// when the client heard of it last
    told: Monotonic,
}

/// The two directions of one connection.
pub(crate) struct Io<'d> {
    wire: Wire<'d>,
    pub(crate) framer: Framer,
    /// responses that are being made; [`Io::send`] hands them on
    pub(crate) out: Out,
    /// what the client switched on
    pub(crate) mode: Mode,
    compression: Option<Box<Deflate>>,
    task: Option<Task>,
}

impl<'d> Io<'d> {
    pub(crate) fn new(driver: &'d mut Driver, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            wire: Wire::new(driver, shutdown),
            framer: Framer::default(),
            out: Out::new(),
            mode: Mode::default(),
            compression: None,
            task: None,
        }
    }

    /// From now on octets are read and written so.
    pub(crate) fn switch(&mut self, mode: Mode) {
        self.mode = mode;
        self.out.set_mode(mode);
    }

    /// The moment after which a wait that begins now is over.
    pub(crate) fn after(&self, wait: Duration) -> Monotonic {
        self.wire.after(wait)
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.wire.now()
    }

    /// The next thing the client sent. What waits to be sent goes out before it waits. Cancel-safe.
    pub(crate) async fn next(&mut self, deadline: Monotonic) -> Result<Progress, Stop> {
        loop {
            let (used, progress) = self.feed();
            self.consume(used);
            match progress {
                Progress::NeedMore => self.more(deadline).await?,
                Progress::Continue => self.go_ahead(),
                progress => return Ok(progress),
            }
        }
    }

    /// Like `next`, inside the message of an APPEND: octets stay in [`Io::buffered`] until [`Io::consume`].
    pub(crate) fn feed(&mut self) -> (usize, Progress) {
        let octets = match &self.compression {
            Some(deflate) => deflate.plain(),
            None => self.wire.buffered(),
        };
        self.framer.feed(octets)
    }

    pub(crate) fn buffered(&self) -> &[u8] {
        match &self.compression {
            Some(deflate) => deflate.plain(),
            None => self.wire.buffered(),
        }
    }

    pub(crate) fn consume(&mut self, used: usize) {
        match &mut self.compression {
            Some(deflate) => deflate.consume(used),
            None => self.wire.consume(used),
        }
    }

    /// Waits for more octets, or for the order to stop. Cancel-safe.
    pub(crate) async fn more(&mut self, deadline: Monotonic) -> Result<(), Stop> {
        if self.inflate()? {
            // Few octets may become very many: others have their turn in between.
            tokio::task::yield_now().await;
            return Ok(());
        }
        self.flush().await?;
        Ok(self.wire.fill(deadline).await?)
    }

    /// Between two steps of a long command: lets others have the processor, and ends the command when nobody waits for its
    /// answer any more. What the client sent meanwhile is kept, up to [`SENT_AHEAD_BYTES`]. Cancel-safe.
    pub(crate) async fn breathe(&mut self) -> Result<(), Stop> {
        tokio::task::yield_now().await;
        self.tell_progress().await?;
        if self.wire.is_stopping() {
            return Err(Stop::Shutdown);
        }
        if self.wire.buffered().len() >= SENT_AHEAD_BYTES {
            return Ok(());
        }
        Ok(self.wire.take_what_came().await?)
    }

    /// A command begins; [`Io::breathe`] and [`Io::patiently`] tell the client when it takes long.
    pub(crate) fn begin(&mut self, tag: &Tag) {
        let (tag, told) = (tag.clone(), self.now());
        self.task = Some(Task { tag, told });
    }

    /// It is over.
    pub(crate) fn end(&mut self) {
        self.task = None;
    }

    /// Waits for work that may take long, and tells the client now and then that it is under way (RFC 9585).
    pub(crate) async fn patiently<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut work = std::pin::pin!(work);
        loop {
            let wake = self.wire.sleep_until(self.after(IN_PROGRESS));
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = wake => {}
            }
            self.tell_progress().await?;
        }
    }

    /// `* OK [INPROGRESS ("tag" NIL NIL)]`, when the last was long enough ago. How much is left nobody knows.
    async fn tell_progress(&mut self) -> Result<(), Stop> {
        let now = self.now();
        let Some(task) = self
            .task
            .as_mut()
            .filter(|task| now.0 >= task.told.0 + IN_PROGRESS)
        else {
            return Ok(());
        };
        task.told = now;
        self.out.ok(Some(&Code::InProgress(&task.tag)), "Still at it");
        self.flush().await
    }

    /// Decompresses what has come, if that is how it comes. Whether something did.
    fn inflate(&mut self) -> Result<bool, Stop> {
        let Some(deflate) = &mut self.compression else {
            return Ok(false);
        };
        let octets = self.wire.buffered();
        if octets.is_empty() && !deflate.has_more() {
            return Ok(false);
        }
        let used = deflate.inflate(octets).map_err(|_| Stop::Gone)?;
        self.wire.consume(used);
        Ok(used > 0 || !deflate.plain().is_empty())
    }

    /// From here on both directions are compressed (RFC 4978 §3); what was said goes out before.
    pub(crate) async fn compress(&mut self) -> Result<(), Stop> {
        self.flush().await?;
        self.compression = Some(Box::new(Deflate::new()));
        Ok(())
    }

    /// From here on they are not any more; what was said goes out before.
    pub(crate) async fn end_compression(&mut self) -> Result<(), Stop> {
        self.flush().await?;
        self.compression = None;
        Ok(())
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// Gives octets on, to be sent at the next flush.
    fn put(&mut self, octets: Vec<u8>) {
        match &mut self.compression {
            Some(deflate) => deflate.write(&octets),
            None => self.wire.write_whole(octets),
        }
    }

    /// Gives the responses on, and the memory they were made in.
    fn put_responses(&mut self) {
        let responses = self.out.take();
        self.put(responses);
    }

    /// Octets that are made and not sent.
    pub(crate) fn waiting(&self) -> usize {
        let compressed = self.compression.as_ref().map_or(0, |deflate| deflate.unsent());
        self.out.len() + compressed + self.wire.unsent()
    }

    /// Asks for the literal (RFC 3501 §4.3).
    pub(crate) fn go_ahead(&mut self) {
        self.out.continuation("OK");
    }

    /// Hands responses on; sends when much waits.
    pub(crate) async fn send(&mut self) -> Result<(), Stop> {
        if self.waiting() <= OUTPUT_BYTES {
            return Ok(());
        }
        self.flush().await?;
        // What has made so much makes more; the next flush gives it back.
        self.out.reserve(OUTPUT_BYTES + OUTPUT_BYTES / 4);
        Ok(())
    }

    /// Adds octets that were made elsewhere, after what waits; sends when much waits.
    pub(crate) async fn write(&mut self, octets: Vec<u8>) -> Result<(), Stop> {
        self.put_responses();
        self.put(octets);
        self.send().await
    }

    /// Sends everything now.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        self.put_responses();
        self.deflate();
        Ok(self.wire.flush().await?)
    }

    /// Puts responses where `into_tls` finds them, unsent.
    pub(crate) fn hold(&mut self) {
        self.put_responses();
        self.deflate();
    }

    fn deflate(&mut self) {
        if let Some(deflate) = &mut self.compression {
            let octets = deflate.flush();
            self.wire.write_whole(octets);
        }
    }

    /// The last words, and the end.
    pub(crate) async fn goodbye(&mut self, text: &str) {
        self.out.bye(None, text);
        self.hold();
        self.close().await;
    }

    /// Sends what waits and ends.
    pub(crate) async fn close(&mut self) {
        self.hold();
        self.wire.close().await;
    }

    /// Waits without reading.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Stop> {
        self.flush().await?;
        Ok(self.wire.pause(pause).await?)
    }
}

#[cfg(test)]
mod tests {
    use testkit::clock::SimClock;
    use testkit::net::{some_peer, wire_pair};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use world::line::{Connection, Plain};

    use super::*;

    /// Sending ahead does not make a command go on for a client that left.
    #[tokio::test]
    async fn imp_3_a_client_that_left_is_noticed_behind_what_it_sent_ahead() {
        let clock = SimClock::new();
        let (mut client, server) = wire_pair();
        let mut connection = Connection::<Plain>::new(Box::new(server), some_peer(), clock.door());
        let (_stop, shutdown) = watch::channel(false);
        let mut io = Io::new(&mut connection, shutdown);
        client.write_all(b"x").await.unwrap();
        assert_eq!(io.breathe().await, Ok(()));
        assert_eq!(io.buffered(), b"x");
        assert_eq!(io.breathe().await, Ok(()), "it is still there");
        client.write_all(b"y").await.unwrap();
        drop(client);
        assert_eq!(io.breathe().await, Ok(()));
        assert_eq!(io.buffered(), b"xy");
        assert_eq!(io.breathe().await, Err(Stop::Gone));
    }

    #[tokio::test]
    async fn long_commands_tell_that_they_go_on() {
        let clock = SimClock::new();
        let (mut client, server) = wire_pair();
        let mut connection = Connection::<Plain>::new(Box::new(server), some_peer(), clock.door());
        let (_stop, shutdown) = watch::channel(false);
        let mut io = Io::new(&mut connection, shutdown);
        io.begin(&Tag::new(b"a1").unwrap());
        let (done, work) = tokio::sync::oneshot::channel();
        let passing = async {
            for _ in 0..2 {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                clock.advance(IN_PROGRESS).await;
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            done.send(7).unwrap();
        };
        let (said, ()) = tokio::join!(io.patiently(work), passing);
        assert_eq!(said, Ok(Ok(7)));
        let (quick, ()) = tokio::join!(io.patiently(std::future::ready(1)), std::future::ready(()));
        assert_eq!(quick, Ok(1));
        let mut told = vec![0; 1000];
        let read = client.read(&mut told).await.unwrap();
        let told = String::from_utf8_lossy(&told[..read]).into_owned();
        let line = "* OK [INPROGRESS (\"a1\" NIL NIL)] Still at it\r\n";
        assert_eq!(told, line.repeat(2));
    }
}
