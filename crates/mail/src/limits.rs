//! Every limit of this crate, with its unit and where it comes from.

/// Octets of a local part, unquoted (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_BYTES: usize = 64;
/// Octets of a domain (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_BYTES: usize = 255;
/// Octets of one label of a domain (RFC 1035 §2.3.4).
pub const LABEL_BYTES: usize = 63;
/// Octets of a path including `<` and `>` (RFC 5321 §4.5.3.1.3). A source route may be longer: it is skipped, not kept.
pub const PATH_BYTES: usize = 256;
/// Octets of an SMTP command argument or a source route that we look at (twice the command line of RFC 5321 §4.5.3.1.4).
pub const ARGUMENT_BYTES: usize = 2048;
/// Octets of a line on the wire without its CRLF (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6).
pub const LINE_BYTES: usize = 998;
/// Octets a line that we build should not pass (RFC 5322 §2.1.1).
pub const PREFERRED_LINE_BYTES: usize = 78;
/// Letters of a line of base64 that we write (RFC 2045 §6.8).
pub const ENCODED_LINE_BYTES: usize = 76;
/// Octets of the header block of a message that we accept (the receiver answers 552 above it).
pub const HEADER_BLOCK_BYTES: usize = 256 * 1024;
/// Fields in the header block of a message that we accept (the receiver answers 554 above it).
pub const HEADER_FIELDS: usize = 1_000;
/// Parts of one message that get a node of their own. Later parts stay bytes of their parent's body.
pub const MIME_PARTS: usize = 10_000;
/// Levels of multipart and message/rfc822 inside one another. A part at this level is a leaf whatever its type says.
pub const MIME_DEPTH: usize = 50;
/// Octets of a boundary. RFC 2046 §5.1.1 says 70; real mail has longer ones.
pub const BOUNDARY_BYTES: usize = 200;
/// Addresses (members of groups included) that one address field yields; the rest is not returned.
pub const ADDRESSES: usize = 10_000;
/// Levels of comments inside comments that are told apart. A deeper `(` counts as text, so the comment ends earlier.
pub const COMMENT_DEPTH: usize = 100;
/// Parameters of one Content-Type or Content-Disposition field (continuations counted one by one, RFC 2231 §3).
pub const PARAMETERS: usize = 1_000;
/// Message identifiers that one References or In-Reply-To field yields.
pub const MESSAGE_IDS: usize = 2_000;
/// Octets of one header field value that the value parsers look at.
pub const FIELD_VALUE_BYTES: usize = HEADER_BLOCK_BYTES;
/// Characters of a preview (RFC 8970 §3.2: at most 256, 200 recommended).
pub const PREVIEW_LETTERS: usize = 200;
/// Octets of a text part that a preview looks at.
pub const PREVIEW_PART_BYTES: usize = 64 * 1024;
/// Octets of a message, from its beginning, that a preview needs.
pub const PREVIEW_MESSAGE_BYTES: usize = 256 * 1024;
/// Steps (roughly octets looked at) that a parse may take for one octet of message: the passes of one message are few.
pub const STEPS_PER_BYTE: u64 = 64;
/// Message identifiers that one threading tells apart; further ones are as if they were not there.
pub const THREAD_NAMES: usize = 1_000_000;
/// References that one threading looks at, of all messages together.
pub const THREAD_REFERENCES: usize = 4_000_000;
/// Steps up a thread that one threading takes to find loops, for each message and each message that is missing.
pub const THREAD_STEPS_PER_NODE: u64 = 256;
/// Octets of a text by which messages are sorted or threaded.
pub const SORT_KEY_BYTES: usize = 1024;
