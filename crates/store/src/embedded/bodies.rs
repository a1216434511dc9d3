//! Bodies on their way in: small ones stay in memory, large ones stream into a pack of their own.

use std::fs::{self, File};
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use mail::ids::{BlobId, Id};
use tokio::task::spawn_blocking;
use world::clock::BoxFuture;

use crate::contract::{Body, BodyPlace, BodyStage, INLINE_BODY_BYTES, Result, Staged, StoreError};
use crate::embedded::blanks::{Blank, Blanks};
use crate::embedded::faults::io_at;
use crate::embedded::layout::open_private;
use crate::embedded::pack::{self, Codec, RECORD_HEADER_BYTES, Record};
use crate::embedded::shared::{Release, Shared};
use crate::limits::CHUNK_BYTES;

/// Where the first chunk begins in the pack.
const FIRST_CHUNK: u64 = (pack::HEADER_BYTES + RECORD_HEADER_BYTES) as u64;

/// Bytes collected before they are written, in whole chunks.
const WRITE_BYTES: usize = 4 * CHUNK_BYTES;

/// A body being collected.
pub(crate) struct Stage {
    shared: Arc<Shared>,
    blob: BlobId,
    held: Vec<u8>,
    spill: Option<Spill>,
}

/// A large body on its way to the disk. Dropping it removes the file.
struct Spill {
    shared: Arc<Shared>,
    file: File,
    /// the blank pack that it lies in; otherwise it lies in `staging/` and becomes a pack by its own name
    blank: Option<u64>,
    blob: u64,
    hasher: blake3::Hasher,
    size: u64,
    chunks: u64,
    end: u64,
    published: bool,
}

impl Stage {
    pub fn new(shared: Arc<Shared>, blob: BlobId) -> Self {
        Self {
            shared,
            blob,
            held: Vec::new(),
            spill: None,
        }
    }

    /// Writes the whole chunks that are held, off the async worker.
    async fn spill_chunks(&mut self) -> Result<()> {
        let whole = self.held.len() / CHUNK_BYTES * CHUNK_BYTES;
        let rest = self.held.split_off(whole);
        let chunks = mem::replace(&mut self.held, rest);
        let (spill, shared, blob) = (self.spill.take(), Arc::clone(&self.shared), self.blob.raw());
        let written = spawn_blocking(move || -> Result<Spill> {
            let mut spill = Spill::go_on(spill, shared, blob)?;
            spill.append(&chunks)?;
            Ok(spill)
        });
        self.spill = Some(written.await.map_err(stopped)??);
        Ok(())
    }
}

impl BodyStage for Stage {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut rest = bytes;
            while !rest.is_empty() {
                let take = rest.len().min(WRITE_BYTES - self.held.len().min(WRITE_BYTES - 1));
                self.held.extend_from_slice(&rest[..take]);
                rest = &rest[take..];
                let large = self.spill.is_some() || self.held.len() > INLINE_BODY_BYTES;
                if large && self.held.len() >= WRITE_BYTES {
                    self.spill_chunks().await?;
                }
            }
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Body>> {
        Box::pin(async move {
            if self.spill.is_none() && self.held.len() <= INLINE_BODY_BYTES {
                let hash = *blake3::hash(&self.held).as_bytes();
                let bytes = Bytes::from(mem::take(&mut self.held));
                let size_bytes = bytes.len() as u64;
                return Ok(Body {
                    blob: self.blob,
                    size_bytes,
                    hash,
                    place: BodyPlace::Inline(bytes),
                });
            }
            let (spill, shared, blob) = (self.spill.take(), Arc::clone(&self.shared), self.blob);
            let rest = mem::take(&mut self.held);
            let published = spawn_blocking(move || -> Result<_> {
                let release = Release {
                    shared: Arc::downgrade(&shared),
                    blob: blob.raw(),
                };
                let spill = Spill::go_on(spill, shared, blob.raw())?;
                let (size_bytes, hash) = spill.publish(&rest)?;
                Ok((size_bytes, hash, Staged::with(release)))
            });
            let (size_bytes, hash, staged) = published.await.map_err(stopped)??;
            if let Some(making) = Blanks::are_wanted(&self.shared) {
                drop(spawn_blocking(move || making.make()));
            }
            Ok(Body {
                blob,
                size_bytes,
                hash,
                place: BodyPlace::Staged(staged),
            })
        })
    }
}

fn stopped(error: tokio::task::JoinError) -> StoreError {
    StoreError::Fatal(format!("the write of a large body was interrupted: {error}"))
}

impl Spill {
    /// The one there is, or a new one.
    fn go_on(begun: Option<Self>, shared: Arc<Shared>, blob: u64) -> Result<Self> {
        begun.map_or_else(|| Self::create(shared, blob), Ok)
    }

    fn create(shared: Arc<Shared>, blob: u64) -> Result<Self> {
        let (file, blank) = match shared.blanks.take() {
            Some(Blank { pack, file }) => (file, Some(pack)),
            None => {
                let staged = open_private(&shared.layout.staged(blob)).map_err(io_at("staging"))?;
                (staged, None)
            }
        };
        Ok(Self {
            shared,
            file,
            blank,
            blob,
            hasher: blake3::Hasher::new(),
            size: 0,
            chunks: 0,
            end: FIRST_CHUNK,
            published: false,
        })
    }

    /// Appends whole chunks.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let out = self.chunks_of(bytes, Vec::new());
        self.write(&out, self.end)?;
        self.end += out.len() as u64;
        Ok(())
    }

    /// The next chunks, behind `out`.
    fn chunks_of(&mut self, bytes: &[u8], mut out: Vec<u8>) -> Vec<u8> {
        out.reserve_exact(bytes.len() + 16 * bytes.len().div_ceil(CHUNK_BYTES));
        for chunk in bytes.chunks(CHUNK_BYTES) {
            pack::push_chunk(&mut out, self.blob, self.chunks, chunk);
            self.chunks += 1;
        }
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        out
    }

    fn write(&self, octets: &[u8], at: u64) -> Result<()> {
        let written = self.file.write_all_at(octets, at);
        written.map_err(|error| self.failed(&error))
    }

    /// The rest and the header, a sync, and unless it has a name, that and a sync of the directory: from here on the body outlives a
    /// power cut.
    fn publish(mut self, rest: &[u8]) -> Result<(u64, [u8; 32])> {
        let whole = self.end == FIRST_CHUNK;
        let room = vec![0; if whole { FIRST_CHUNK as usize } else { 0 }];
        let mut out = self.chunks_of(rest, room);
        let hash = *self.hasher.finalize().as_bytes();
        let stored = pack::raw_stored_bytes(self.size);
        let record = Record {
            codec: Codec::Raw,
            blob: self.blob,
            size: self.size,
            stored,
            hash,
        };
        let pack = self.blank.unwrap_or(self.blob);
        let head = [&pack::header(pack)[..], &record.encode()].concat();
        if whole {
            out[..head.len()].copy_from_slice(&head);
            self.write(&out, 0)?;
            self.end = out.len() as u64;
        } else {
            self.write(&out, self.end)?;
            self.end += out.len() as u64;
            self.write(&head, 0)?;
        }
        self.file.sync_data().map_err(|error| self.failed(&error))?;
        self.name(pack)?;
        Ok((self.size, hash))
    }

    /// Counts it as staged, under a name that is durable.
    fn name(&mut self, pack: u64) -> Result<()> {
        let (shared, now) = (&self.shared, self.shared.now());
        shared.staged.add(self.blob, pack, self.end, now);
        if self.blank.is_some() {
            shared.blanks.forget(pack);
        } else if let Err(error) = shared.layout.publish_pack(pack) {
            shared.staged.remove(self.blob);
            let _ = fs::remove_file(shared.layout.pack(pack));
            return Err(error);
        }
        self.published = true;
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> StoreError {
        let error = crate::embedded::faults::from_io("staging", error);
        if error == StoreError::Full {
            self.shared.space.refused(&self.shared.options);
        }
        error
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        let layout = &self.shared.layout;
        let path = self
            .blank
            .map_or_else(|| layout.staged(self.blob), |pack| layout.pack(pack));
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(path);
        if let Some(pack) = self.blank {
            self.shared.blanks.forget(pack);
        }
    }
}
