//! The one pass over the bytes: see the steps at the top of [`crate::mime`].

use super::*;
use crate::limits::BOUNDARY_BYTES;

/// A part that is still open.
struct Frame {
    part: PartId,
    /// The delimiter text without its two dashes, while delimiters of this multipart are waited for.
    boundary: Option<Vec<u8>>,
    last_child: Option<PartId>,
    digest: bool,
}

/// A delimiter line of an open multipart.
struct Delimiter {
    /// The frame whose boundary it is.
    frame: usize,
    /// `--boundary--`.
    closing: bool,
    line_start: usize,
    line_end: usize,
}

/// Counts line ends up to offsets that only grow, so that every octet is counted once.
struct LineCount {
    at: usize,
    count: u32,
}

impl LineCount {
    fn up_to(&mut self, message: &[u8], offset: usize) -> u32 {
        if offset > self.at {
            self.count += memchr::memchr_iter(b'\n', &message[self.at..offset]).count() as u32;
            self.at = offset;
        }
        self.count
    }
}

pub(super) struct Scanner<'a> {
    message: &'a [u8],
    budget: Budget,
    parts: Vec<Part>,
    frames: Vec<Frame>,
    waiting: usize,
    lines: LineCount,
    dashes: memmem::Finder<'static>,
    complete: bool,
}

enum Class {
    Multipart { boundary: Vec<u8>, digest: bool },
    Message,
    Leaf(Leaf),
}

impl<'a> Scanner<'a> {
    pub(super) fn new(message: &'a [u8], budget: Budget) -> Self {
        let looked_at = message.len().min(budget.bytes).min(u32::MAX as usize);
        Self {
            message: &message[..looked_at],
            budget,
            parts: Vec::with_capacity(4),
            frames: Vec::with_capacity(4),
            waiting: 0,
            lines: LineCount { at: 0, count: 0 },
            dashes: memmem::Finder::new(b"\n--"),
            complete: looked_at == message.len(),
        }
    }

    pub(super) fn run(mut self) -> Structure {
        let mut at = self.open(0, None, DefaultType::TextPlain);
        while let Some(delimiter) = self.next_delimiter(at) {
            self.close_above(delimiter.frame, self.end_before(delimiter.line_start));
            at = self.after_delimiter(&delimiter);
        }
        self.close_above_all(self.message.len());
        Structure {
            parts: self.parts,
            complete: self.complete,
        }
    }

    /// Reads the header at `start` and pushes the part (and, for a message/rfc822, the message inside it, and so on).
    /// Returns where to go on.
    fn open(&mut self, start: usize, parent: Option<usize>, default_type: DefaultType) -> usize {
        let (mut start, mut parent, mut default_type) = (start, parent, default_type);
        loop {
            let (fields, body_start) = self.read_header(start);
            let lines_before = self.lines.up_to(self.message, body_start);
            let id = PartId(self.parts.len() as u32);
            self.parts.push(Part {
                header: Span::new(start, body_start),
                body: Span::new(body_start, body_start),
                // Holds the count before the body until the part closes.
                lines: lines_before,
                kind: Kind::Leaf(Leaf::Plain),
                parent: parent.map(|frame| self.frames[frame].part),
                depth: self.frames.len() as u32,
                default_type,
                fields,
                first_child: None,
                next_sibling: None,
            });
            if let Some(frame) = parent {
                self.adopt(frame, id);
            }
            let class = self.classify(id);
            let inside = self.push_frame(id, class);
            if !inside {
                return body_start;
            }
            (start, parent, default_type) = (body_start, Some(self.frames.len() - 1), DefaultType::TextPlain);
        }
    }

    fn adopt(&mut self, frame: usize, child: PartId) {
        let frame = &mut self.frames[frame];
        match frame.last_child.replace(child) {
            Some(sibling) => self.parts[sibling.index()].next_sibling = Some(child),
            None => self.parts[frame.part.index()].first_child = Some(child),
        }
    }

    /// True when the message inside is to be opened next.
    fn push_frame(&mut self, part: PartId, class: Class) -> bool {
        let (kind, boundary, digest) = match class {
            // Becomes a multipart when its first delimiter comes.
            Class::Multipart { boundary, digest } => (Kind::Leaf(Leaf::NoParts), Some(boundary), digest),
            Class::Message => (Kind::Message, None, false),
            Class::Leaf(why) => (Kind::Leaf(why), None, false),
        };
        self.parts[part.index()].kind = kind;
        self.waiting += usize::from(boundary.is_some());
        self.frames.push(Frame {
            part,
            boundary,
            last_child: None,
            digest,
        });
        kind == Kind::Message
    }

    /// Where the MIME fields stand, and where the body starts. A delimiter of an open multipart ends a header too.
    fn read_header(&mut self, start: usize) -> (PartFields, usize) {
        let mut found = PartFields::default();
        let mut fields = Fields::starting_at(self.message, start);
        loop {
            let field_start = fields.body_start();
            let Some(field) = fields.next() else { break };
            if !self.budget.spend(field.whole().len()) {
                self.complete = false;
                return (found, field_start);
            }
            let dashed = self.waiting > 0 && field.whole().starts_with(b"--");
            if dashed && self.delimiter_at(field_start).is_some() {
                return (found, field_start);
            }
            note_field(&mut found, &field);
        }
        (found, fields.body_start())
    }

    fn classify(&mut self, id: PartId) -> Class {
        let part = &self.parts[id.index()];
        let declared = part.fields.content_type.map(|span| span.of(self.message));
        let container = match declared.map(value::media_kind) {
            None if part.default_type == DefaultType::MessageRfc822 => value::MediaKind::Message,
            None => value::MediaKind::Other,
            Some(kind) => kind,
        };
        let full = part.depth as usize >= self.budget.depth || self.parts.len() >= self.budget.nodes;
        match container {
            value::MediaKind::Other => Class::Leaf(Leaf::Plain),
            _ if full => {
                self.complete = false;
                Class::Leaf(Leaf::NotOpened)
            }
            // An encoded message/rfc822 breaks RFC 2045 §6.4; its parts have no offsets in our bytes.
            value::MediaKind::Message if part.encoding(self.message).changes_octets() => {
                Class::Leaf(Leaf::NotOpened)
            }
            value::MediaKind::Message => Class::Message,
            value::MediaKind::Multipart => {
                let declared = ContentType::parse(declared.unwrap_or_default());
                let boundary = declared.as_ref().and_then(usable_boundary);
                match boundary {
                    None => Class::Leaf(Leaf::NoParts),
                    Some(boundary) => {
                        let digest = declared.is_some_and(|declared| declared.subtype == "digest");
                        Class::Multipart { boundary, digest }
                    }
                }
            }
        }
    }

    /// The next delimiter line at or after `from`, which is the start of a line.
    fn next_delimiter(&mut self, from: usize) -> Option<Delimiter> {
        let mut line = from;
        while self.waiting > 0 && line < self.message.len() {
            if !self.message[line..].starts_with(b"--") {
                let found = self.dashes.find(&self.message[line..]);
                let next = found.map_or(self.message.len(), |lf| line + lf + 1);
                if !self.spend(next - line) {
                    return None;
                }
                line = next;
                continue;
            }
            if let Some(delimiter) = self.delimiter_at(line) {
                return Some(delimiter);
            }
            let next = line + 2 + memchr::memchr(b'\n', &self.message[line + 2..]).map_or(0, |lf| lf + 1);
            // Without a line end behind it, nothing follows.
            if next == line + 2 || !self.spend(next - line) {
                return None;
            }
            line = next;
        }
        None
    }

    fn spend(&mut self, count: usize) -> bool {
        let enough = self.budget.spend(count);
        self.complete &= enough;
        enough
    }

    /// Whether the line at `line`, which begins with two dashes, is a delimiter:
    /// `"--" boundary [ "--" ] transport-padding` (RFC 2046 §5.1.1), compared with the innermost frame first.
    fn delimiter_at(&mut self, line: usize) -> Option<Delimiter> {
        let rest = &self.message[line + 2..];
        let line_end = memchr::memchr(b'\n', rest).map_or(self.message.len(), |lf| line + 2 + lf + 1);
        let text = self.message[line + 2..line_end].trim_ascii_end();
        if text.len() > BOUNDARY_BYTES + 2 {
            return None;
        }
        let stem = text.strip_suffix(b"--");
        let mut compared = 0;
        let mut found = None;
        for (index, frame) in self.frames.iter().enumerate().rev() {
            let Some(boundary) = &frame.boundary else { continue };
            compared += 1;
            let closing = stem == Some(boundary.as_slice());
            if closing || boundary == text {
                found = Some(Delimiter {
                    frame: index,
                    closing,
                    line_start: line,
                    line_end,
                });
                break;
            }
        }
        self.budget.spend(compared);
        found
    }

    /// Opens the part behind a delimiter, or ends the multipart (its epilogue follows).
    fn after_delimiter(&mut self, delimiter: &Delimiter) -> usize {
        let frame = &mut self.frames[delimiter.frame];
        let full = self.parts.len() >= self.budget.nodes;
        if delimiter.closing || full {
            frame.boundary = None;
            self.waiting -= 1;
            self.complete &= delimiter.closing || !full;
            return delimiter.line_end;
        }
        let default_type = if frame.digest {
            DefaultType::MessageRfc822
        } else {
            DefaultType::TextPlain
        };
        self.parts[frame.part.index()].kind = Kind::Multipart;
        self.open(delimiter.line_end, Some(delimiter.frame), default_type)
    }

    /// The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1), unless it is the blank line that
    /// ends the header of an empty part.
    fn end_before(&self, line_start: usize) -> usize {
        let before = &self.message[..line_start];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let end = before.strip_suffix(b"\r").unwrap_or(before).len();
        let innermost = self
            .frames
            .last()
            .map_or(0, |frame| self.parts[frame.part.index()].body.start as usize);
        end.max(innermost)
    }

    fn close_above(&mut self, frame: usize, end: usize) {
        while self.frames.len() > frame + 1 {
            self.close_top(end);
        }
    }

    fn close_above_all(&mut self, end: usize) {
        while !self.frames.is_empty() {
            self.close_top(end);
        }
    }

    fn close_top(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else { return };
        self.waiting -= usize::from(frame.boundary.is_some());
        let lines = self.lines.up_to(self.message, end);
        let part = &mut self.parts[frame.part.index()];
        part.body = Span::new(part.body.start as usize, end);
        part.lines = lines.saturating_sub(part.lines);
    }
}

fn usable_boundary(declared: &ContentType) -> Option<Vec<u8>> {
    let boundary = declared.parameter("boundary")?.trim_ascii_end();
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES).then(|| boundary.to_vec())
}

fn note_field(found: &mut PartFields, field: &crate::header::Field<'_>) {
    let name = field.name();
    // All names of interest begin with "Content-".
    let Some(rest) = name.get(8..) else { return };
    if !name[..8].eq_ignore_ascii_case(b"Content-") {
        return;
    }
    let slot = match rest.to_ascii_lowercase().as_slice() {
        b"type" => &mut found.content_type,
        b"transfer-encoding" => &mut found.encoding,
        b"disposition" => &mut found.disposition,
        b"language" => &mut found.language,
        b"location" => &mut found.location,
        b"md5" => &mut found.md5,
        b"id" => &mut found.id,
        b"description" => &mut found.description,
        _ => return,
    };
    let range = field.value_range();
    slot.get_or_insert(Span::new(range.start, range.end));
}
