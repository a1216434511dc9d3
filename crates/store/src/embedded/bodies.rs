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
use crate::embedded::faults::io_at;
use crate::embedded::layout::open_private;
use crate::embedded::pack::{self, Codec, RECORD_HEADER_BYTES, Record};
use crate::embedded::shared::{Release, Shared};
use crate::limits::CHUNK_BYTES;

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
                    pack: blob.raw(),
                };
                let mut spill = Spill::go_on(spill, shared, blob.raw())?;
                spill.append(&rest)?;
                let (size_bytes, hash) = spill.publish()?;
                Ok((size_bytes, hash, Staged::with(release)))
            });
            let (size_bytes, hash, staged) = published.await.map_err(stopped)??;
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
        let file = open_private(&shared.layout.staged(blob)).map_err(io_at("staging"))?;
        let end = (pack::HEADER_BYTES + RECORD_HEADER_BYTES) as u64;
        Ok(Self {
            shared,
            file,
            blob,
            hasher: blake3::Hasher::new(),
            size: 0,
            chunks: 0,
            end,
            published: false,
        })
    }

    /// Appends bytes; only the last call may bring a part of a chunk.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(bytes.len() + 16 * bytes.len().div_ceil(CHUNK_BYTES));
        for chunk in bytes.chunks(CHUNK_BYTES) {
            pack::push_chunk(&mut out, self.blob, self.chunks, chunk);
            self.chunks += 1;
        }
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file
            .write_all_at(&out, self.end)
            .map_err(|error| self.failed(&error))?;
        self.end += out.len() as u64;
        Ok(())
    }

    /// Header, sync, name, sync of the directory: from here on the body outlives a power cut.
    fn publish(mut self) -> Result<(u64, [u8; 32])> {
        let hash = *self.hasher.finalize().as_bytes();
        let stored = pack::raw_stored_bytes(self.size);
        let record = Record {
            codec: Codec::Raw,
            blob: self.blob,
            size: self.size,
            stored,
            hash,
        };
        let mut head = pack::header(self.blob).to_vec();
        head.extend_from_slice(&record.encode());
        self.file
            .write_all_at(&head, 0)
            .map_err(|error| self.failed(&error))?;
        self.file.sync_data().map_err(|error| self.failed(&error))?;
        self.shared.staged.add(self.blob, self.end, self.shared.now());
        self.published = true;
        let published = self.shared.layout.publish_pack(self.blob);
        if let Err(error) = published {
            self.shared.staged.remove(self.blob);
            let _ = fs::remove_file(self.shared.layout.pack(self.blob));
            self.published = false;
            return Err(error);
        }
        Ok((self.size, hash))
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
        if !self.published {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(self.shared.layout.staged(self.blob));
        }
    }
}
