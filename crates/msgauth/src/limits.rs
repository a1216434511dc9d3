//! Every limit of this crate, with its unit and where it comes from.

use std::time::Duration;

/// Octets of a name in the DNS as text, without the last dot (RFC 1035 §2.3.4).
pub const NAME_BYTES: usize = 253;
/// Octets of one label (RFC 1035 §2.3.4).
pub const LABEL_BYTES: usize = 63;
/// Records of one answer that evidence repeats; the others are counted.
pub const EVIDENCE_RECORDS: usize = 10;
/// Letters of one record that evidence repeats.
pub const EVIDENCE_LETTERS: usize = 512;

/// Time for one SPF check, all questions together (RFC 7208 §4.6.4: at least 20 seconds).
pub const SPF_TIME: Duration = Duration::from_secs(20);
/// Questions of one SPF check: ten terms with ten addresses each, their records, the client's names, the explanation.
pub const SPF_QUESTIONS: usize = 150;
/// Terms of one SPF check that ask DNS (RFC 7208 §4.6.4).
pub const SPF_TERMS: usize = 10;
/// Terms of one SPF check that may find nothing (RFC 7208 §4.6.4).
pub const SPF_VOIDS: usize = 2;
/// Exchangers of one `mx` (RFC 7208 §4.6.4).
pub const SPF_EXCHANGERS: usize = 10;
/// Names of a client that are looked at (RFC 7208 §4.6.4, §5.5).
pub const CLIENT_NAMES: usize = 10;
/// Octets of an SPF record. Real ones have a few hundred.
pub const SPF_RECORD_BYTES: usize = 16 * 1024;
/// Octets that a macro string of SPF may grow to.
pub const SPF_EXPANDED_BYTES: usize = 16 * 1024;
/// Letters of a domain's explanation that are kept.
pub const SPF_EXPLANATION_LETTERS: usize = 512;

/// Signatures of one message that are verified; those of the author's domain come first (threat case AUT-9).
pub const DKIM_SIGNATURES: usize = 10;
/// Keys of one message that are asked for.
pub const DKIM_KEYS: usize = 5;
/// Time for the keys of one message.
pub const DKIM_TIME: Duration = Duration::from_secs(15);
/// Tags of one tag list: signatures, keys, policies.
pub const TAGS: usize = 64;
/// Octets of one tag list.
pub const TAG_LIST_BYTES: usize = 64 * 1024;
/// Fields of one name that a signature of ours covers, from the last one up. More than one of most of them is not allowed (RFC 5322
/// §3.6); a header of thousands would make a list that nobody reads.
pub const DKIM_SIGNED_SAME: usize = 20;
/// Names that one signature may list as signed.
pub const DKIM_SIGNED_NAMES: usize = 2_000;
/// Key records of one name that are tried; there should be one (RFC 6376 §3.6.2.2).
pub const DKIM_KEY_RECORDS: usize = 3;
/// Bits of the shortest RSA key that is believed (RFC 8301 §3.2).
pub const RSA_BITS_MIN: usize = 1024;
/// Bits of the longest RSA key that is computed with.
pub const RSA_BITS_MAX: usize = 4096;

/// Names that one tree walk asks for (RFC 9989 §4.10).
pub const WALK_NAMES: usize = 8;
/// Questions of one DMARC check: walks of the author's, the envelope's and the signers' domains, and whether the first exists.
pub const DMARC_QUESTIONS: usize = 50;
/// Time for one DMARC check.
pub const DMARC_TIME: Duration = Duration::from_secs(15);
/// Time for the names of a client.
pub const IPREV_TIME: Duration = Duration::from_secs(10);
/// Questions about the names of a client.
pub const IPREV_QUESTIONS: usize = 1 + CLIENT_NAMES;
/// Mailboxes that one From may name.
pub const AUTHORS: usize = 20;
/// Octets before the colon of a field that is looked for in a continuation line: a name of ours and white space.
pub const HIDDEN_NAME_BYTES: usize = 80;
/// Octets of a list of public suffixes.
pub const SUFFIX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// Sets of one ARC chain (RFC 8617 §4.2.1).
pub const ARC_SETS: usize = 50;
/// Keys of one ARC chain that are asked for.
pub const ARC_KEYS: usize = 10;
/// Time for the keys of one ARC chain.
pub const ARC_TIME: Duration = Duration::from_secs(15);

/// Time for the TLSA records of one mail exchanger, aliases included.
pub const DANE_TIME: Duration = Duration::from_secs(20);
/// Usable TLSA records of one mail exchanger that a certificate is held against; real ones have two to four.
pub const TLSA_RECORDS: usize = 64;

/// Octets of a TXT record of MTA-STS; real ones have about 40.
pub const STS_RECORD_BYTES: usize = 4 * 1024;
/// Letters of the id in it (RFC 8461 §3.1).
pub const STS_ID_LETTERS: usize = 32;
/// Octets of a policy of MTA-STS (RFC 8461 §3.3 suggests 64 KiB).
pub const STS_POLICY_BYTES: usize = 64 * 1024;
/// `mx` patterns of one policy.
pub const STS_POLICY_HOSTS: usize = 100;
/// Seconds for which a policy may count (RFC 8461 §3.2: a year). A longer time counts as this.
pub const STS_MAX_AGE_S: u64 = 31_557_600;
/// A policy that says it ends sooner counts for so long.
pub const STS_LEAST_AGE: Duration = Duration::from_secs(5 * 60);
/// Time for all of fetching one policy (RFC 8461 §3.3 suggests a minute).
pub const STS_FETCH: Duration = Duration::from_secs(60);
/// Time for connecting to one address of a policy's web server.
pub const STS_CONNECT: Duration = Duration::from_secs(10);
/// Addresses of a policy's web server that are tried.
pub const STS_ADDRESSES: usize = 4;
/// Octets of the header of its answer.
pub const STS_HEADER_BYTES: usize = 32 * 1024;
/// Fields of that header.
pub const STS_HEADER_FIELDS: usize = 100;
/// Time for the TXT record of MTA-STS.
pub const STS_RECORD_TIME: Duration = Duration::from_secs(15);
/// While a policy counts, DNS is asked for another id once in so long.
pub const STS_RECHECK: Duration = Duration::from_secs(10 * 60);
/// Where DNS gave no answer, it is asked again after so long: a name server that is silent on such names would hold up every message.
pub const STS_UNANSWERED: Duration = Duration::from_secs(60);
/// A policy in use is fetched again after so long, or half its age, whichever is shorter (RFC 8461 §10.2 suggests a day).
pub const STS_REFRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// In use is what mail was sent to within so long.
pub const STS_REFRESHED_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The moment of the last use is noted once in so long.
pub const STS_USE_NOTED: Duration = Duration::from_secs(60 * 60);
/// After a failed fetch the next is tried after so long; each further one doubles it (RFC 8461 §3.3 suggests five minutes).
pub const STS_BACK_OFF_FIRST: Duration = Duration::from_secs(5 * 60);
/// And at most so long.
pub const STS_BACK_OFF_LONGEST: Duration = Duration::from_secs(60 * 60);
/// After so many failures, one after the other, mail with REQUIRETLS waits for the policy no more.
pub const STS_FAILS_FOR_GOOD: u32 = 6;
/// Policies fetched at the same time, not counting those that take long.
pub const STS_FETCHES: usize = 32;
/// After so long a fetch takes long, and its place goes to the next.
pub const STS_QUICK: Duration = Duration::from_secs(10);
/// Fetches that take long, at the same time. One more is broken off, as if it had not begun.
pub const STS_SLOW_FETCHES: usize = 64;
/// A fetch waits so long for a place among the others; then it is left for the next message.
pub const STS_PLACE: Duration = Duration::from_secs(60);
/// After there was no place for a domain's fetch, mail to it asks for none for so long.
pub const STS_NO_PLACE: Duration = Duration::from_secs(60);
/// Mail to a domain whose first fetch found no place is held back for so long in all; then it goes as if there were no policy.
pub const STS_AWAITED: Duration = Duration::from_secs(60 * 60);
/// Policies that one round fetches anew.
pub const STS_REFRESHES: usize = 16;
/// Policies are written this long after a change at the latest.
pub const POLICIES_WRITTEN: Duration = Duration::from_secs(5);
/// A round of the memory: counts are written, policies are fetched anew.
pub const MEMORY_ROUND: Duration = Duration::from_secs(60);
/// Domains whose policies are remembered. Those that count for least go first.
pub const STS_DOMAINS: usize = 10_000;
/// Octets of memory for all of them: 10,000 of what real domains say need about 4 MiB, and 10,000 of the longest would take 280 MB.
pub const STS_MEMORY_BYTES: usize = 16 * 1024 * 1024;
/// Octets of what is remembered of one domain that are no reason to push it out before others: a policy with ten hosts. 10,000 such fit;
/// each doubling goes sooner.
pub const STS_SMALL_BYTES: usize = 1024;
/// Days on which a policy was kept to with success that count for staying; more days count as this.
pub const STS_PROVED_DAYS: u32 = 7;
/// Policies of one domain that are fetched in an hour, whatever its record says: as often as one with the shortest age is needed.
pub const STS_FETCHES_AN_HOUR: u32 = 12;
/// That fetching failed is remembered for so long after the last time, so that the next pause is longer than the one before.
pub const STS_TROUBLE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// No clock is right that shows an earlier moment, in milliseconds since 1970 (2026-11-01): no build of this program is older.
pub const CLOCK_FLOOR_MS: u64 = 1_793_491_200_000;
/// A clock that differs by no more than this from what passed is believed at once; all its steps of a day together are no more.
pub const CLOCK_STEP: Duration = Duration::from_secs(60 * 60);
/// A clock that has jumped makes nothing older or younger for so long.
pub const CLOCK_DOUBTED: Duration = Duration::from_secs(24 * 60 * 60);
/// A disk that refuses what is remembered is told of at once, and then once in so long.
pub const REFUSED_AGAIN: Duration = Duration::from_secs(60 * 60);
/// Pages of evidence from other days that wait in memory for a disk that refuses them.
pub const EVIDENCE_DAYS_UNWRITTEN: usize = 4;
/// Pages of evidence up to today that stay whatever the clock says: a month, and the month before a clock ran ahead.
pub const EVIDENCE_PAGES: usize = 64;
/// Pages of evidence from days to come, which a clock that ran ahead has left, that stay beside the others.
pub const EVIDENCE_DAYS_AHEAD: usize = 32;

/// Octets of a TXT record of TLS reporting; real ones have about 60.
pub const TLSRPT_RECORD_BYTES: usize = 4 * 1024;
/// Places to report to that one record may name.
pub const TLSRPT_URIS: usize = 10;

/// Days after which the shipped list of domains that must have TLS only warns: two years.
pub const LIST_AGES_DAYS: u32 = 730;
/// Entries of the operator in the list of domains that must have TLS.
pub const LIST_ENTRIES: usize = 10_000;
/// Host names of one entry.
pub const LIST_HOSTS: usize = 20;
/// Domains that are learned of. Those that have shown verified TLS on fewest days go first, then those that were written to longest ago.
pub const LEARN_DOMAINS: usize = 20_000;
/// Hosts of one domain whose names are remembered.
pub const LEARN_HOSTS: usize = 8;
/// Reasons that a dry run repeats of one domain.
pub const DRY_RUN_REASONS: usize = 5;
/// Days of evidence about TLS that are kept: a month, and the day that is not over.
pub const EVIDENCE_DAYS: u32 = 32;
/// Rows of evidence of one day. What comes then is counted under no domain.
pub const EVIDENCE_ROWS: usize = 20_000;
/// Rows of one domain that tell its hosts apart. What comes then is counted under the domain alone.
pub const EVIDENCE_DOMAIN_ROWS: usize = 256;
/// Letters of one text in evidence.
pub const EVIDENCE_TEXT: usize = 200;
/// Policies that one day repeats for reports.
pub const EVIDENCE_POLICIES: usize = 5_000;
/// Lines of such a policy.
pub const EVIDENCE_POLICY_LINES: usize = 110;
