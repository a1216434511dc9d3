//! COMPRESS=DEFLATE (RFC 4978): both directions after the `OK`.
//!
//! - Inwards at most [`INFLATED_BYTES`] wait, however much the octets swell (IMP-6); commands and literals count as if they had
//!   come uncompressed, so the limits of the framer hold. The decompressor's window (44 KiB) must be kept while the client is
//!   silent, because the client may refer to it.
//! - Outwards each flush is compressed by itself: nothing that was sent before can be told from the length of what
//!   follows, and an idle connection keeps no compressor.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::limits::INFLATED_BYTES;

/// The client's octets are no DEFLATE stream, or it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// Compression of one connection.
pub(crate) struct Deflate {
    inward: Decompress,
    /// decompressed and not yet read: from `read` on
    plain: Vec<u8>,
    read: usize,
    /// the decompressor may hold more than fitted
    more: bool,
    /// to be compressed at the next flush
    outward: Vec<u8>,
}

impl Deflate {
    pub(crate) fn new() -> Self {
        Self {
            inward: Decompress::new(false),
            plain: Vec::new(),
            read: 0,
            more: false,
            outward: Vec::new(),
        }
    }

    /// What was decompressed and not yet read.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain[self.read..]
    }

    /// Some of it was read; when all was, its memory goes.
    pub(crate) fn consume(&mut self, used: usize) {
        self.read += used;
        if self.read >= self.plain.len() {
            (self.plain, self.read) = (Vec::new(), 0);
        }
    }

    /// Decompresses some of `octets` if all that came before was read. Says how many were used.
    pub(crate) fn inflate(&mut self, octets: &[u8]) -> Result<usize, Broken> {
        if !self.plain.is_empty() || (octets.is_empty() && !self.more) {
            return Ok(0);
        }
        let mut plain = Vec::with_capacity(INFLATED_BYTES);
        let before = self.inward.total_in();
        let status = self
            .inward
            .decompress_vec(octets, &mut plain, FlushDecompress::Sync)
            .map_err(|_| Broken)?;
        let used = (self.inward.total_in() - before) as usize;
        self.more = plain.len() == plain.capacity();
        if plain.is_empty() && (status == Status::StreamEnd || (used == 0 && !octets.is_empty())) {
            return Err(Broken);
        }
        self.plain = plain;
        Ok(used)
    }

    /// Whether `inflate` could give something without further octets.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// Keeps octets for the next flush.
    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.outward.extend_from_slice(octets);
    }

    /// Octets that wait for it.
    pub(crate) fn unsent(&self) -> usize {
        self.outward.len()
    }

    /// What waited, compressed, up to the border of an octet.
    pub(crate) fn flush(&mut self) -> Vec<u8> {
        let plain = std::mem::take(&mut self.outward);
        if plain.is_empty() {
            return Vec::new();
        }
        deflated(&plain)
    }
}

/// A stretch of a DEFLATE stream that refers to nothing before it.
fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut state = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(plain.len() / 2 + 64);
    let mut rest = plain;
    loop {
        let before = state.total_in();
        // A buffer error says only that there was nothing to do.
        let _status = state.compress_vec(rest, &mut out, FlushCompress::Sync);
        rest = &rest[(state.total_in() - before) as usize..];
        if rest.is_empty() && out.len() < out.capacity() {
            return out;
        }
        out.reserve(out.len().max(1024));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(deflate: &mut Deflate, mut octets: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut all = Vec::new();
        loop {
            let used = deflate.inflate(octets)?;
            octets = &octets[used..];
            let plain = deflate.plain().to_vec();
            assert!(plain.len() <= INFLATED_BYTES);
            deflate.consume(plain.len());
            all.extend_from_slice(&plain);
            if octets.is_empty() && !deflate.has_more() {
                return Ok(all);
            }
        }
    }

    #[test]
    fn what_goes_out_comes_in() {
        let (mut here, mut there) = (Deflate::new(), Deflate::new());
        for text in [&b"* OK\r\n"[..], &b"abc".repeat(100_000), b"x"] {
            here.write(text);
            let sent = here.flush();
            assert_eq!(here.unsent(), 0);
            assert_eq!(inflated(&mut there, &sent).unwrap(), text);
        }
        assert!(here.flush().is_empty());
    }

    #[test]
    fn octets_may_come_one_by_one() {
        let mut there = Deflate::new();
        let mut all = Vec::new();
        for octet in deflated(b"a NOOP\r\nb NOOP\r\n") {
            all.extend(inflated(&mut there, &[octet]).unwrap());
        }
        assert_eq!(all, b"a NOOP\r\nb NOOP\r\n");
    }

    /// IMP-6: a stream that swells a thousandfold is held in small pieces.
    #[test]
    fn imp_6_a_bomb_waits_in_pieces() {
        let bomb = deflated(&vec![b'x'; 8 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(inflated(&mut Deflate::new(), &bomb).unwrap().len(), 8 << 20);
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        assert_eq!(
            inflated(&mut Deflate::new(), b"a NOOP\r\n a NOOP\r\n"),
            Err(Broken)
        );
        assert_eq!(inflated(&mut Deflate::new(), &[0xff; 64]), Err(Broken));
    }
}
