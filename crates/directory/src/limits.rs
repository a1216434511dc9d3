//! Every limit of this crate, with its unit.

use std::time::Duration;

/// Longest SASL response line, in bytes of base64 (RFC 4954 §4 asks for 12,288).
pub const SASL_LINE_BYTES: usize = 12 * 1024;
/// Longest password anybody may set, in bytes of UTF-8.
pub const PASSWORD_BYTES: usize = 1024;
/// Shortest password anybody may set, in characters.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// Characters of a generated password: 20 of a 32-letter alphabet are 100 bits.
pub const GENERATED_PASSWORD_CHARS: usize = 20;
/// Rounds of PBKDF2 in SCRAM keys (RFC 7677 §4 asks for at least 4096); only generated passwords have such keys.
pub const SCRAM_ROUNDS: u32 = 4096;
/// argon2id memory of one hash, in KiB: 19 MiB (OWASP Password Storage).
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// argon2id passes.
pub const ARGON2_PASSES: u32 = 2;
/// argon2id lanes.
pub const ARGON2_LANES: u32 = 1;
/// Allocations of at least this many bytes always get pages of their own from glibc (its DEFAULT_MMAP_THRESHOLD_MAX).
pub const OWN_PAGES_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of salt in a new verifier.
pub const SALT_BYTES: usize = 16;
/// Bytes of hash in a new verifier.
pub const HASH_BYTES: usize = 32;
/// Sign-ins that may wait for a hashing slot at once; one more is told to come back later.
pub const WAITING_SIGN_INS: usize = 2048;
/// How long one sign-in waits for a hashing slot, in milliseconds, before it is told to come back later.
pub const HASH_WAIT_MS: u64 = 30_000;
/// How long a verified password is remembered (as a keyed hash), in milliseconds.
pub const REMEMBER_MS: u64 = 10 * 60 * 1000;
/// How many verified passwords are remembered.
pub const REMEMBERED: usize = 65_536;
/// Aliases followed one after another before a target is given up.
pub const ALIAS_DEPTH: usize = 10;
/// Recipients, here and elsewhere, one address may expand to.
pub const ALIAS_RECIPIENTS: usize = 1000;
/// Targets of one alias.
pub const ALIAS_TARGETS: usize = 1000;
/// Accounts created in one commit when many are added.
pub const ACCOUNTS_PER_COMMIT: usize = 250;
/// Letters of base32 in the hash of a return address (SRS): 30 bits. Each more would cost long senders their rewriting.
pub const SRS_HASH_LETTERS: usize = 6;
/// How long reports to a return address are taken, in days: longer than any server tries.
pub const SRS_VALID_DAYS: u64 = 21;
/// Addresses and domains that one account may be allowed to send as.
pub const SEND_AS_GRANTS: usize = 1000;
/// The count of used bytes rests this long after it was brought up to date; what is delivered meanwhile counts by its reservation.
pub const USAGE_REST: Duration = Duration::from_millis(20);
