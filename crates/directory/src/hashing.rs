//! Checking passwords: at most one hash per core at a time, the rest waits in a bounded line, and what was right once is
//! remembered for a while as a keyed hash.
//!
//! The remembered key is HMAC(process key, verifier, password). The verifier is part of it, so that a changed password
//! forgets itself, and accounts that share one verifier share the memory of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ring::hmac;
use tokio::sync::Semaphore;
use world::chance::Chance;
use world::clock::{Clock, Monotonic};
use zeroize::Zeroizing;

use crate::limits;
use crate::password::{Password, Verifier};

/// Too many passwords are being checked: come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

type Digest = [u8; 32];

/// The checker.
pub struct Hashing {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    done: AtomicU64,
    key: hmac::Key,
    remembered: Mutex<HashMap<Digest, Monotonic>>,
    /// tried when there is nobody, so that this costs the same
    nobody: Verifier,
}

impl Hashing {
    /// `at_once` hashes may run together, each with 19 MiB.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>, at_once: usize) -> Self {
        let mut secret = Zeroizing::new([0u8; 32]);
        chance.fill(secret.as_mut());
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()),
            nobody: Verifier::unmatchable(chance.as_ref()),
            clock,
            chance,
            slots: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            remembered: Mutex::new(HashMap::new()),
        }
    }

    /// Whether `password` fits `credential` (a PHC string). `None`, for somebody who is not there, costs the same and
    /// is never right.
    pub async fn check(&self, credential: Option<&str>, password: &Password) -> Result<bool, Busy> {
        let digest = self.digest(credential.unwrap_or_default(), password);
        if credential.is_some() && self.is_remembered(&digest) {
            return Ok(true);
        }
        let slot = self.slot().await?;
        if credential.is_some() && self.is_remembered(&digest) {
            return Ok(true); // somebody with the same verifier and password was before us in the line
        }
        let verifier = credential
            .and_then(|text| Verifier::parse(text).ok())
            .unwrap_or_else(|| self.nobody.clone());
        let password = password.clone();
        // The slot travels with the work: a client that hangs up does not make room for a hash beyond the limit.
        let work = tokio::task::spawn_blocking(move || {
            let right = verifier.matches(&password);
            drop(slot);
            right
        });
        let right = work.await.unwrap_or(false);
        self.done.fetch_add(1, Ordering::Relaxed);
        if right {
            self.remember(digest);
        }
        Ok(right)
    }

    /// How many passwords were hashed to check them, since the start.
    pub fn checked(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Hashes that may run at once and do not run now.
    pub fn free_slots(&self) -> usize {
        self.slots.available_permits()
    }

    /// A new verifier for `password`, in turn with the sign-ins.
    pub async fn hash(&self, password: &Password) -> Result<Verifier, Busy> {
        let slot = self.slot().await?;
        let (password, chance) = (password.clone(), self.chance.clone());
        let work = tokio::task::spawn_blocking(move || {
            let verifier = Verifier::hash(&password, chance.as_ref());
            drop(slot);
            verifier
        });
        work.await.map_err(|_| Busy)
    }

    #[cfg(test)]
    pub(crate) async fn slot_for_test(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.slots
            .clone()
            .acquire_owned()
            .await
            .expect("nobody closes it")
    }

    async fn slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Busy> {
        let _place = Place::take(&self.waiting)?;
        let deadline = Monotonic(self.clock.monotonic().0 + Duration::from_millis(limits::HASH_WAIT_MS));
        tokio::select! {
            biased;
            slot = self.slots.clone().acquire_owned() => slot.map_err(|_| Busy),
            () = self.clock.sleep_until(deadline) => Err(Busy),
        }
    }

    fn digest(&self, credential: &str, password: &Password) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(credential.as_bytes());
        context.update(&[0]);
        context.update(password.reveal().as_bytes());
        let mut digest = [0u8; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    fn is_remembered(&self, digest: &Digest) -> bool {
        let now = self.clock.monotonic();
        self.remembered
            .lock()
            .get(digest)
            .is_some_and(|until| *until > now)
    }

    fn remember(&self, digest: Digest) {
        let now = self.clock.monotonic();
        let mut remembered = self.remembered.lock();
        if remembered.len() >= limits::REMEMBERED {
            remembered.retain(|_, until| *until > now);
            if remembered.len() >= limits::REMEMBERED {
                remembered.clear(); // costs everybody one hash; keeping an order would cost memory always
            }
        }
        remembered.insert(
            digest,
            Monotonic(now.0 + Duration::from_millis(limits::REMEMBER_MS)),
        );
    }
}

/// A place in the line; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Busy> {
        let room = |count| (count < limits::WAITING_SIGN_INS).then_some(count + 1);
        waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .map_err(|_| Busy)?;
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
