//! Every limit of the program itself, with its unit.

use std::time::Duration;

/// Domains of one page of the list of those that must have TLS.
pub const TLS_LISTED: usize = 500;
/// Hosts that one entry of that list may name.
pub const TLS_LIST_HOSTS: usize = msgauth::limits::LIST_HOSTS;
/// How long connections may take to end after SIGTERM before they are cut. With [`CLOSE`], under the 10 seconds
/// service managers give.
pub const DRAIN: Duration = Duration::from_secs(8);
/// How long what remains (blocking work) may take at the very end.
pub const CLOSE: Duration = Duration::from_secs(1);
/// Stack of each worker thread, in bytes.
pub const STACK_BYTES: usize = 1024 * 1024;
/// Threads for work that blocks (hashing passwords): idle ones end by themselves.
pub const BLOCKING_THREADS: usize = 16;
/// Connections at once in the demo, over all doors.
pub const DEMO_CONNECTIONS: u64 = 50_000;
/// Accounts to be made from which on the demo says why its doors are not open yet.
pub const DEMO_ACCOUNTS_TOLD: usize = 1000;
/// Largest message in the demo, in bytes.
pub const DEMO_MESSAGE_BYTES: u64 = 50 * 1024 * 1024;
/// File descriptors wanted beside those of connections: store, log, listeners.
pub const OTHER_DESCRIPTORS: u64 = 256;
/// Recipients shown before a change of the queue, and messages before an account is removed.
pub const SAMPLE_ROWS: usize = 5;
/// The newest UIDs of a mailbox among which messages to show are looked for.
pub const SAMPLE_UIDS: u32 = 1000;
/// How much of a message is read to show whom it is from and its subject, in bytes.
pub const SAMPLE_HEADER_BYTES: u64 = 16 * 1024;
/// Longest sender or subject that is shown of a message, in characters.
pub const SAMPLE_TEXT_CHARS: usize = 60;
/// Longest line on the control socket, in bytes: room for 100,000 accounts from one file.
pub const CONTROL_LINE_BYTES: usize = 32 * 1024 * 1024;
/// Callers on the control socket at once.
pub const CONTROL_CALLERS: usize = 16;
/// Longest path of a Unix socket the kernel takes, in bytes.
pub const SOCKET_PATH_BYTES: usize = 100;
/// Largest file of accounts or aliases, in bytes.
pub const CSV_BYTES: u64 = 16 * 1024 * 1024;
/// Largest file that a setting names, in bytes.
pub const NAMED_FILE_BYTES: u64 = 1024 * 1024;
/// Longest password in a file, in bytes.
pub const SECRET_BYTES: usize = 1024;
/// Warnings and alerts kept in memory for `hearthpost status`.
pub const RECENT_EVENTS: usize = 10;
/// Longest sentence kept of each, in letters.
pub const RECENT_SENTENCE_LETTERS: usize = 500;
/// Waiting recipients that `hearthpost status` counts at most.
pub const STATUS_ROWS: u64 = 1_000_000;
/// Destinations it counts at most.
pub const STATUS_DESTINATIONS_SEEN: usize = 10_000;
/// Destinations it shows.
pub const STATUS_DESTINATIONS: usize = 10;
/// Longest reason it shows, in letters.
pub const STATUS_REASON_LETTERS: usize = 200;
/// Names that are looked at in a directory without a store, to see whether it is a server's.
pub const DIRECTORY_NAMES: usize = 1000;
/// Most entries of the history in one answer.
pub const HISTORY_ENTRIES: usize = 10_000;
/// Largest message `sendmail` reads, in bytes; the server's own limit is the smaller one.
pub const SENDMAIL_BYTES: u64 = 1024 * 1024 * 1024;
/// Largest settings file, in bytes.
pub const CONFIG_BYTES: u64 = 1024 * 1024;

/// Messages that `trace` shows of an address, unless more are asked for.
pub const TRACED: usize = 20;

/// Messages that `trace` shows of an address at most.
pub const TRACED_MOST: usize = 1000;

/// Largest message that `check message` reads, in bytes.
pub const CHECKED_MESSAGE_BYTES: u64 = 64 * 1024 * 1024;

/// How often the keys that sign mail are looked over.
pub const DKIM_ROUND: Duration = Duration::from_secs(60);

/// Questions about records of keys that may go unanswered one after the other before the rest of a round is left for the next.
pub const DKIM_UNANSWERED: usize = 3;

/// How long after one look DNS is asked again for the record of a key that waits for it, or whose record was lost.
pub const DKIM_LOOK_SOON: Duration = Duration::from_secs(5 * 60);

/// The same for a key that signs.
pub const DKIM_LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// How long a record must have been seen before its key takes over from another: name servers of others remember for so long that
/// there was none (RFC 2308 §5).
pub const DKIM_SETTLE: Duration = Duration::from_secs(60 * 60);

/// How long the record of a key that signs no more stays at least: mail that it signed may still wait in queues. A longer
/// `queue.give_up` counts, and a day more.
pub const DKIM_KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many days before its end a certificate is spoken of.
pub const CERTIFICATE_DAYS: [u64; 4] = [20, 10, 5, 1];

/// How often the certificate in use is looked at.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(60 * 60);

/// Addresses of this server that `dns check` looks at.
pub const DNS_CHECK_ADDRESSES: usize = 8;

/// Smarthosts whose addresses `hearthpost dns check` holds against a domain's SPF record.
pub const DNS_CHECK_SMARTHOSTS: usize = 8;

/// Keys of one domain, whatever their state.
pub const DKIM_KEYS_OF_A_DOMAIN: usize = 16;

/// Domains whose keys are made before the list of keys is written.
pub const DKIM_BATCH_DOMAINS: usize = 16;
