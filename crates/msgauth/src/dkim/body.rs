//! Hashes over the body, as it streams by (RFC 6376 §3.7). Pure.

use ring::digest::{Context, SHA256};

use super::canon::{BodyCanon, Canon};

/// One hash over the body, shared by signatures that ask for the same.
pub(crate) struct BodyHash {
    canon: BodyCanon,
    asked: (Canon, Option<u64>),
    context: Context,
    /// octets that were written by the canonicalisation
    length: u64,
}

/// A body hash that is done.
pub(crate) struct Hashed {
    /// SHA-256
    pub hash: Vec<u8>,
    /// octets of the canonical body, those behind `l=` included
    pub length: u64,
}

impl BodyHash {
    /// The place of the hash that is asked for; it is begun when it is new.
    pub fn place(all: &mut Vec<Self>, canon: Canon, limit: Option<u64>) -> usize {
        let asked = (canon, limit);
        if let Some(place) = all.iter().position(|body| body.asked == asked) {
            return place;
        }
        all.push(Self {
            canon: BodyCanon::new(canon),
            asked,
            context: Context::new(&SHA256),
            length: 0,
        });
        all.len() - 1
    }

    pub fn take(&mut self, octets: &[u8]) {
        let (context, length, limit) = (&mut self.context, &mut self.length, self.asked.1);
        self.canon
            .take(octets, &mut |octets| hash_within(context, length, limit, octets));
    }

    pub fn finish(mut self) -> Hashed {
        let (context, length, limit) = (&mut self.context, &mut self.length, self.asked.1);
        self.canon
            .finish(&mut |octets| hash_within(context, length, limit, octets));
        Hashed {
            hash: self.context.finish().as_ref().to_vec(),
            length: self.length,
        }
    }
}

/// Hashes what lies before the limit, counts everything.
fn hash_within(context: &mut Context, length: &mut u64, limit: Option<u64>, octets: &[u8]) {
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(*length));
    let taken = octets.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    context.update(&octets[..taken]);
    *length += octets.len() as u64;
}
