//! Every limit of this crate, with its unit. Threat cases IMP-1, IMP-2, IMP-3.

/// Before sign-in: a whole command, lines and literals together (octets).
pub const COMMAND_BEFORE_SIGN_IN_BYTES: usize = 8 * 1024;
/// Before sign-in: one literal (octets).
pub const LITERAL_BEFORE_SIGN_IN_BYTES: u64 = 8 * 1024;
/// Before sign-in: one non-synchronising literal (octets); RFC 7888 §5, LITERAL-.
pub const LITERAL_MINUS_BYTES: u64 = 4096;
/// After sign-in: one line, without the literals it announces (octets).
pub const LINE_BYTES: usize = 64 * 1024;
/// After sign-in: one literal that is not the message of an APPEND (octets); the default of the setting.
pub const LITERAL_BYTES: u64 = 64 * 1024;
/// After sign-in: a whole command, lines and literals together (octets).
pub const COMMAND_BYTES: usize = 256 * 1024;
/// Before sign-in: octets of a refused command that are read and thrown away; beyond that the connection closes.
pub const DRAIN_BEFORE_SIGN_IN_BYTES: u64 = 64 * 1024;
/// After sign-in: octets of a refused command that are read and thrown away; beyond that the connection closes.
pub const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
/// A client's line in the middle of a command: `DONE`, an AUTHENTICATE response (octets).
pub const RAW_LINE_BYTES: usize = 16 * 1024;
/// Octets of a literal's announcement that are worth reading: `~{`, 20 digits, `+}`, CR LF.
pub const LITERAL_HEADER_BYTES: usize = 26;
/// A tag (octets).
pub const TAG_BYTES: usize = 128;
/// Tokens (atoms, strings, numbers, ranges, parentheses) in one command.
pub const TOKENS: u32 = 10_000;
/// Nested parentheses, NOTs and ORs in one command, and levels of a section's part number.
pub const DEPTH: u32 = 50;
/// One flag or keyword (octets).
pub const FLAG_BYTES: usize = 128;
/// A whole mailbox name as UTF-8 (octets): 20 levels of 255 and the separators.
pub const NAME_BYTES: usize = NAME_LEVELS * (NAME_LEVEL_BYTES + 1);
/// One level of a mailbox name as UTF-8 in NFC (octets).
pub const NAME_LEVEL_BYTES: usize = 255;
/// Levels of a mailbox name.
pub const NAME_LEVELS: usize = 20;
/// A LIST pattern with its reference as UTF-8 (octets).
pub const PATTERN_BYTES: usize = 1024;
/// Patterns in one LIST command.
pub const PATTERNS: usize = 64;
/// Field-value pairs in ID; RFC 2971 §3.3.
pub const ID_PAIRS: usize = 30;
/// A field name in ID (octets); RFC 2971 §3.3.
pub const ID_FIELD_BYTES: usize = 30;
/// A value in ID (octets); RFC 2971 §3.3.
pub const ID_VALUE_BYTES: usize = 1024;
/// Header field names in one `HEADER.FIELDS` list.
pub const HEADER_FIELDS: usize = 200;
/// Items in one FETCH.
pub const FETCH_ITEMS: usize = 500;
/// Different `BINARY` items in one FETCH: each has its part decoded.
pub const FETCH_BINARIES: usize = 16;
/// Criteria of one SORT; there are nine keys, and one that stands twice decides nothing the second time.
pub const SORT_CRITERIA: usize = 32;
/// Entries in one GETMETADATA, SETMETADATA or LIST with METADATA.
pub const METADATA_ENTRIES: usize = 100;
/// The name of one entry of metadata (octets).
pub const METADATA_ENTRY_BYTES: usize = 1000;
/// An identifier of an access control list (octets): an address and a sign.
pub const IDENTIFIER_BYTES: usize = 512;
/// Languages in one LANGUAGE.
pub const LANGUAGES: usize = 20;
/// One language range (octets); RFC 5646 §4.4.1 wants at least 35.
pub const LANGUAGE_BYTES: usize = 64;
/// The name of a saved search (octets); RFC 5466.
pub const FILTER_NAME_BYTES: usize = 128;
/// A saved search (octets); RFC 5466.
pub const FILTER_BYTES: usize = 8 * 1024;
/// Groups of events in one NOTIFY, and mailbox names in them.
pub const NOTIFY_GROUPS: usize = 200;
/// Sources of one search in several mailboxes, and names in them.
pub const SEARCH_SOURCES: usize = 200;
/// A URL of a message (octets): the longest mailbox name, each octet of it as `%xx`, and room for the rest.
pub const URL_BYTES: usize = NAME_BYTES * 3 + 1024;
/// A URL as it is told in `BADURL` (octets); the rest is left out.
pub const URL_TOLD_BYTES: usize = 500;
/// URLs in one GENURLAUTH or URLFETCH.
pub const URLS: usize = 100;
