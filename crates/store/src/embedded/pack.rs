//! Packs: immutable files of bodies.
//!
//! File: header of 32 bytes, then records. Record: header of 96 bytes, then chunks. A chunk: 16 bytes of BLAKE3 over blob,
//! index and the stored bytes, then the stored bytes. Codec 0 stores chunks of 64 KiB as they are, so that any offset is
//! found without an index; codec 1 stores the whole body (at most 64 KiB) as one zstd frame. All numbers little-endian.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use crate::contract::INLINE_BODY_BYTES;
use crate::embedded::plants;
use crate::limits::CHUNK_BYTES;

const MAGIC: &[u8; 8] = b"HPpack\x01\n";
const RECORD_MAGIC: &[u8; 4] = b"rec1";
const VERSION: u16 = 1;
/// Size of the file's header.
pub(crate) const HEADER_BYTES: usize = 32;
/// Size of a record's header.
pub(crate) const RECORD_HEADER_BYTES: usize = 96;
/// Size of the checksum before each chunk.
pub(crate) const SUM_BYTES: usize = 16;
const STRIDE: u64 = (SUM_BYTES + CHUNK_BYTES) as u64;

/// How a record's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Raw,
    Zstd,
}

/// A record's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub codec: Codec,
    pub blob: u64,
    /// of the body
    pub size: u64,
    /// of the chunks with their sums
    pub stored: u64,
    pub hash: [u8; 32],
}

/// Why a pack could not be read.
#[derive(Debug)]
pub(crate) enum PackError {
    /// Wrong bytes, or too few.
    Damaged,
    /// The file is not there.
    Missing,
}

impl From<io::Error> for PackError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else {
            Self::Damaged
        }
    }
}

/// The file's header. `key` names an encryption key; 0 means none.
pub(crate) fn header(pack: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0u8; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&pack.to_le_bytes());
    let check = short_hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&check);
    bytes
}

/// Whether the file begins as this pack must.
pub(crate) fn has_header(file: &File, pack: u64) -> bool {
    let mut bytes = [0u8; HEADER_BYTES];
    file.read_exact_at(&mut bytes, 0).is_ok() && (bytes == header(pack) || plants::no_checksum())
}

impl Record {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0u8; RECORD_HEADER_BYTES];
        bytes[..4].copy_from_slice(RECORD_MAGIC);
        bytes[4] = u8::from(self.codec == Codec::Zstd);
        bytes[8..16].copy_from_slice(&self.blob.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stored.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.hash);
        let check = short_hash(&bytes[..88]);
        bytes[88..].copy_from_slice(&check);
        bytes
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Result<Self, PackError> {
        if &bytes[..4] != RECORD_MAGIC || bytes[88..] != short_hash(&bytes[..88]) {
            return Err(PackError::Damaged);
        }
        let codec = match bytes[4] {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            _ => return Err(PackError::Damaged),
        };
        let mut hash = [0u8; 32];
        hash.copy_from_slice(&bytes[32..64]);
        Ok(Self {
            codec,
            blob: number(bytes, 8),
            size: number(bytes, 16),
            stored: number(bytes, 24),
            hash,
        })
    }

    /// Reads the header at `place` of a pack.
    pub fn read(file: &File, place: u64) -> Result<Self, PackError> {
        let mut bytes = [0u8; RECORD_HEADER_BYTES];
        file.read_exact_at(&mut bytes, place)?;
        Self::decode(&bytes)
    }
}

/// Bytes that chunks of a raw body of this size take.
pub(crate) fn raw_stored_bytes(size: u64) -> u64 {
    size + size.div_ceil(CHUNK_BYTES as u64) * SUM_BYTES as u64
}

/// Appends one chunk with its sum.
pub(crate) fn push_chunk(out: &mut Vec<u8>, blob: u64, index: u64, bytes: &[u8]) {
    out.extend_from_slice(&chunk_sum(blob, index, bytes));
    out.extend_from_slice(bytes);
}

/// Appends a whole small body, compressed when that helps.
pub(crate) fn push_small(out: &mut Vec<u8>, blob: u64, hash: [u8; 32], body: &[u8]) {
    debug_assert!(
        body.len() <= INLINE_BODY_BYTES,
        "larger bodies have packs of their own"
    );
    let packed = zstd::bulk::compress(body, 1)
        .ok()
        .filter(|packed| packed.len() < body.len());
    let (codec, bytes) = match &packed {
        Some(packed) => (Codec::Zstd, packed.as_slice()),
        None => (Codec::Raw, body),
    };
    let stored = if bytes.is_empty() {
        0
    } else {
        (SUM_BYTES + bytes.len()) as u64
    };
    let record = Record {
        codec,
        blob,
        size: body.len() as u64,
        stored,
        hash,
    };
    out.extend_from_slice(&record.encode());
    if !bytes.is_empty() {
        push_chunk(out, blob, 0, bytes);
    }
}

/// What decompression needs, kept from body to body: making it anew costs more than most bodies do.
#[derive(Default)]
pub(crate) struct Unzip(Option<zstd::bulk::Decompressor<'static>>);

impl Unzip {
    fn body(&mut self, bytes: &[u8], size: usize) -> Result<Vec<u8>, PackError> {
        if self.0.is_none() {
            self.0 = Some(zstd::bulk::Decompressor::new()?);
        }
        let unzip = self.0.as_mut().ok_or(PackError::Damaged)?;
        unzip.decompress(bytes, size).map_err(|_| PackError::Damaged)
    }
}

/// Appends the whole of a small body, verified. `record`: its record as it is stored, header included; `expected` is what the body's
/// row says.
pub(crate) fn append_small(
    record: &[u8],
    unzip: &mut Unzip,
    (blob, size, hash): (u64, u64, &[u8; 32]),
    out: &mut Vec<u8>,
) -> Result<(), PackError> {
    let (header, data) = record.split_first_chunk().ok_or(PackError::Damaged)?;
    let record = Record::decode(header)?;
    let fits = record.blob == blob && record.size == size && &record.hash == hash;
    if !fits || record.stored != data.len() as u64 || size > INLINE_BODY_BYTES as u64 {
        return Err(PackError::Damaged);
    }
    if size == 0 {
        return Ok(());
    }
    let (sum, bytes) = data.split_first_chunk::<SUM_BYTES>().ok_or(PackError::Damaged)?;
    if *sum != chunk_sum(blob, 0, bytes) {
        return Err(PackError::Damaged);
    }
    let body = match record.codec {
        Codec::Raw => Cow::Borrowed(bytes),
        Codec::Zstd => Cow::Owned(unzip.body(bytes, size as usize)?),
    };
    if body.len() as u64 != size {
        return Err(PackError::Damaged);
    }
    out.extend_from_slice(&body);
    Ok(())
}

/// Reads a part of a body, verified. `expected` is what the body's row says.
pub(crate) fn read_range(
    file: &File,
    unzip: &mut Unzip,
    place: u64,
    expected: (u64, u64, &[u8; 32]),
    offset: u64,
    length: u64,
) -> Result<Bytes, PackError> {
    let record = Record::read(file, place)?;
    let (blob, size, hash) = expected;
    let fits = record.blob == blob && record.size == size && &record.hash == hash;
    if !fits && !plants::no_checksum() {
        return Err(PackError::Damaged);
    }
    let start = offset.min(size);
    let end = start + length.min(size - start);
    if start == end {
        return Ok(Bytes::new());
    }
    let data = place + RECORD_HEADER_BYTES as u64;
    match record.codec {
        Codec::Raw => read_raw(file, data, (blob, size), start, end),
        Codec::Zstd => {
            read_zstd(file, unzip, data, &record).map(|body| body.slice(start as usize..end as usize))
        }
    }
}

fn read_raw(
    file: &File,
    data: u64,
    (blob, size): (u64, u64),
    start: u64,
    end: u64,
) -> Result<Bytes, PackError> {
    let chunk_bytes = CHUNK_BYTES as u64;
    let mut out = Vec::with_capacity((end - start) as usize);
    let mut chunk = vec![0u8; STRIDE.min(SUM_BYTES as u64 + size) as usize];
    for index in start / chunk_bytes..end.div_ceil(chunk_bytes) {
        let first = index * chunk_bytes;
        let held = (size - first).min(chunk_bytes) as usize;
        let bytes = &mut chunk[..SUM_BYTES + held];
        file.read_exact_at(bytes, data + index * STRIDE)?;
        let (sum, bytes) = bytes.split_at(SUM_BYTES);
        if sum != chunk_sum(blob, index, bytes) && !plants::no_checksum() {
            return Err(PackError::Damaged);
        }
        let from = start.saturating_sub(first) as usize;
        let to = (end - first).min(held as u64) as usize;
        out.extend_from_slice(&bytes[from..to]);
    }
    Ok(Bytes::from(out))
}

fn read_zstd(file: &File, unzip: &mut Unzip, data: u64, record: &Record) -> Result<Bytes, PackError> {
    let (stored, size) = (record.stored as usize, record.size as usize);
    if size > INLINE_BODY_BYTES || !(SUM_BYTES..=SUM_BYTES + INLINE_BODY_BYTES).contains(&stored) {
        return Err(PackError::Damaged);
    }
    let mut chunk = vec![0u8; stored];
    file.read_exact_at(&mut chunk, data)?;
    let (sum, bytes) = chunk.split_at(SUM_BYTES);
    if sum != chunk_sum(record.blob, 0, bytes) && !plants::no_checksum() {
        return Err(PackError::Damaged);
    }
    let body = unzip.body(bytes, size)?;
    if body.len() != size {
        return Err(PackError::Damaged);
    }
    Ok(Bytes::from(body))
}

fn chunk_sum(blob: u64, index: u64, bytes: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&blob.to_le_bytes())
        .update(&index.to_le_bytes())
        .update(bytes);
    let mut sum = [0u8; SUM_BYTES];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM_BYTES]);
    sum
}

fn short_hash(bytes: &[u8]) -> [u8; 8] {
    let mut short = [0u8; 8];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    short
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
