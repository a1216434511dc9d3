//! Whose mail is signed with keys of ours (DKIM), and by which key: the only road to them.
//!
//! 1. [`Signer::put`] takes the keys; nothing gives one out again.
//! 2. [`Signer::begin`] starts a signature for a message whose origin is [`Signable`]: an account, a user of this machine who may send as
//!    any address of ours, or the system itself. A stranger's or a local program's message has no such origin, forwarded or not, so the
//!    compiler refuses to sign it (threat case REL-4).
//! 3. The body goes past [`Signature::body`]; [`Signature::fields`] are what stands before the header. RSA takes half a millisecond of a core,
//!    so it is computed beside the runtime's workers, as many at a time as there are cores: on the workers fifty sessions that submit
//!    kept every other task waiting for a tenth of a second (decision 0038).
//!
//! A user's message is signed by the keys of the very domain in From. A report of ours is from a host, so the nearest domain above it
//! that has keys signs it: such a signature is aligned by DMARC's relaxed rule (RFC 9989 §4.4.1).

use std::sync::Arc;

use mail::header::Header;
use msgauth::author::Author;
use msgauth::dkim::sign::{Signing, SigningKey};
use parking_lot::RwLock;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::origin::{Generated, LocalUser, Origin, Submitted};

/// An origin whose messages we answer for with a signature. As closed as [`Origin`] is.
pub trait Signable: Origin {
    /// Whether a domain above the author's may sign.
    const ABOVE: bool;
}

impl Signable for Submitted {
    const ABOVE: bool = false;
}

impl Signable for LocalUser {
    const ABOVE: bool = false;
}

impl Signable for Generated {
    const ABOVE: bool = true;
}

/// The keys that sign now. Shared by whoever accepts and whoever writes reports.
#[derive(Default)]
pub struct Signer {
    keys: RwLock<Keys>,
    slots: Slots,
}

/// Signatures that may be computed at once.
#[derive(Clone)]
struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }
}

type Keys = Arc<[Arc<SigningKey>]>;

impl Signer {
    /// These keys sign from now on; signatures that are being made keep theirs.
    pub fn put(&self, keys: Vec<Arc<SigningKey>>) {
        *self.keys.write() = keys.into();
    }

    /// Of the header as it is kept; nothing when the author's domain has no key, or there is no one author.
    pub fn begin<O: Signable>(&self, _origin: &O, header: &[u8]) -> Option<Signature> {
        let keys = self.keys.read().clone();
        if keys.is_empty() {
            return None;
        }
        let scanned = Header::scan(header).ok()?;
        let author = Author::of(&scanned).domain()?.to_owned();
        let domain = signing_domain(&author, O::ABOVE, |name| {
            keys.iter().any(|key| key.domain() == name)
        })?;
        Some(Signature {
            signing: Signing::begin(header),
            domain: domain.to_owned(),
            keys,
            slots: self.slots.clone(),
        })
    }
}

/// The author's domain, or the nearest above it that has keys; never a name without a dot.
fn signing_domain(author: &str, above: bool, has_keys: impl Fn(&str) -> bool) -> Option<&str> {
    let mut name = author;
    loop {
        if has_keys(name) {
            return Some(name);
        }
        name = name.split_once('.').map(|(_, rest)| rest)?;
        if !above || !name.contains('.') {
            return None;
        }
    }
}

/// Signatures in the making.
pub struct Signature {
    signing: Signing,
    keys: Keys,
    domain: String,
    slots: Slots,
}

impl Signature {
    /// Takes octets of the body, with CRLF line ends, cut anywhere.
    pub fn body(&mut self, octets: &[u8]) {
        self.signing.body(octets);
    }

    /// One DKIM-Signature field for each key, with line ends. `now_s` is seconds since 1970.
    ///
    /// # Panics
    /// When the computation does: its connection ends with it.
    pub async fn fields(self, now_s: u64) -> Vec<u8> {
        let slot = self.slots.0.clone().acquire_owned().await;
        let slot = slot.expect("nobody closes the semaphore");
        // The slot travels with the work: a client that hangs up does not make room for more than there are cores.
        let work = tokio::task::spawn_blocking(move || {
            let fields = self.compute(now_s);
            drop(slot);
            fields
        });
        match work.await.map_err(JoinError::try_into_panic) {
            Ok(fields) => fields,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime ends, and this task with it; nothing may be acknowledged without its signature.
            Err(Err(_)) => std::future::pending().await,
        }
    }

    fn compute(self, now_s: u64) -> Vec<u8> {
        let keys = self.keys.iter().filter(|key| key.domain() == self.domain);
        self.signing.finish(keys.map(|key| &**key), now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_domain_signs_for_itself_and_a_report_is_signed_by_the_nearest_domain_with_keys() {
        let keys = |name: &str| ["example.org", "sub.example.org", "org"].contains(&name);
        for (author, above, want) in [
            ("example.org", false, Some("example.org")),
            ("mail.example.org", false, None),
            ("mail.example.org", true, Some("example.org")),
            ("mx.sub.example.org", true, Some("sub.example.org")),
            ("other.example", true, None),
            ("other.org", true, None),
            ("org", true, Some("org")),
            ("localhost", true, None),
        ] {
            assert_eq!(signing_domain(author, above, keys), want, "{author} {above}");
        }
    }

    #[tokio::test]
    async fn rel_4_a_message_without_one_author_or_without_a_key_gets_no_signature() {
        let signer = Signer::default();
        let ours = Generated { maker: "test" };
        let from = |domain: &str| format!("From: a@{domain}\r\n\r\n").into_bytes();
        assert!(signer.begin(&ours, &from("example.org")).is_none(), "no key yet");
        let key = SigningKey::ed25519("example.org", "e1", &[7; 32]).expect("a key");
        signer.put(vec![Arc::new(key)]);
        let signed = signer.begin(&ours, &from("example.org")).expect("a signature");
        let fields = String::from_utf8(signed.fields(1).await).expect("text");
        assert!(fields.contains("d=example.org;\r\n s=e1;"), "{fields}");
        assert!(signer.begin(&ours, &from("other.example")).is_none());
        let two = b"From: a@example.org\r\nFrom: b@example.org\r\n\r\n";
        assert!(signer.begin(&ours, two).is_none());
        assert!(signer.begin(&ours, b"Subject: x\r\n\r\n").is_none());
    }
}
