//! Mail made of what canonicalisation looks at: folds, white space, line ends, fields that stand several times. The same number makes the
//! same mail.

/// A row of numbers that every run repeats.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins at a number.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    /// A number below a limit; 0 when the limit is.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const VALUES: &[&str] = &[
    "",
    " ",
    "a",
    "  two   words ",
    "\ttab\t tab",
    "x\r\n y",
    "x \r\n \ty ",
    "\r\n folded at once",
    "(comment) x",
    "\"quoted  string\"",
    "=?utf-8?q?=C3=A9?=",
    "caf\u{e9}",
    "a:b;c=d",
    "x ",
    ":",
    "v=1; b=x",
];
const NAMES: &[&str] = &[
    "To",
    "Subject",
    "SUBJECT",
    "subject",
    "Cc",
    "Date",
    "X-One",
    "x-one",
    "List-Id",
    "Reply-To",
    "Received",
    "MIME-Version",
    "Content-Type",
    "Sender",
    "X",
];
const PIECES: &[&str] = &[
    "a",
    "b c",
    " ",
    "\t",
    "  ",
    "\r\n",
    "\r\n\r\n",
    "x\t \ty",
    ".",
    "=20",
    " \r\n",
    "\r\n ",
    "\t\r\n",
    "caf\u{e9}",
    "word word word",
    "--\r\n",
    "..\r\n",
    "-- \r\n",
    "a\r\n",
];

/// Whether a field's name has white space before its colon (RFC 5322 §4.5.8).
pub fn has_space_before_colon(message: &[u8]) -> bool {
    let header = &message[..mail::header::body_start(message)];
    let spaced = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.len() < line.len()
            && name.first().is_some_and(u8::is_ascii_graphic)
            && name.ends_with(b" ") | name.ends_with(b"\t")
    };
    header.split(|byte| *byte == b'\n').any(spaced)
}

/// Whether a field goes on after a line of white space alone (RFC 5322 §4.2).
pub fn has_blank_fold(message: &[u8]) -> bool {
    let header = &message[..mail::header::body_start(message)];
    let mut lines = header.split(|byte| *byte == b'\n');
    lines.any(|line| {
        line.strip_suffix(b"\r")
            .is_some_and(|line| !line.is_empty() && line.trim_ascii().is_empty())
    })
}

/// Whether the body, without its empty lines at the end, ends with a line of white space alone.
pub fn ends_blank(message: &[u8]) -> bool {
    let body = &message[mail::header::body_start(message)..];
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    while lines.last().is_some_and(|line| line.is_empty() || *line == b"\r") {
        lines.pop();
    }
    lines.last().is_some_and(|line| line.trim_ascii().is_empty())
}

/// A whole message with CRLF line ends. Its author is `ann@there.example`.
pub fn letter(seed: u64) -> Vec<u8> {
    let dice = &mut Dice::new(seed);
    let mut text = String::new();
    let fields = 1 + dice.below(9);
    let author = dice.below(fields);
    for place in 0..fields {
        if place == author {
            let name = dice.one(&["From", "FROM", "from"]);
            text.push_str(&format!(
                "{name}: {}Ann <ann@there.example>\r\n",
                dice.one(&["", "  ", "\r\n "])
            ));
            continue;
        }
        // Obsolete syntax (RFC 5322 §4.5.8, §4.2) is rare, here as there.
        if dice.once_in(60) {
            text.push_str(dice.one(&[
                "X-Old : x\r\n",
                "To\t: x@here.example\r\n",
                "Subject: x\r\n \r\n y\r\n",
            ]));
        }
        let after = dice.one(&[" ", "", "  ", "\t", "\r\n "]);
        text.push_str(&format!("{}:{after}{}\r\n", dice.one(NAMES), dice.one(VALUES)));
    }
    text.push_str("\r\n");
    text.push_str(&body(dice));
    text.into_bytes()
}

fn body(dice: &mut Dice) -> String {
    let pieces = dice.below(16);
    let mut body: String = (0..pieces).map(|_| dice.one(PIECES)).collect();
    // What SMTP brings ends with a line end, or is empty.
    if !body.is_empty() && !body.ends_with("\r\n") {
        body.push_str("\r\n");
    }
    body
}

/// Names for `h=`: some of those that are there, some that are not, some twice; From among them.
pub fn names(seed: u64) -> Vec<&'static str> {
    let dice = &mut Dice::new(seed ^ 0x5555);
    let mut names: Vec<&str> = (0..dice.below(8)).map(|_| dice.one(NAMES)).collect();
    names.insert(dice.below(names.len() + 1), "From");
    names
}

/// A change on the way, of one octet or a few: most break a signature, some must not.
pub fn changed(message: &[u8], seed: u64) -> Vec<u8> {
    let dice = &mut Dice::new(seed ^ 0xaaaa);
    let mut message = message.to_vec();
    let spaces: Vec<usize> = (1..message.len()).filter(|at| message[*at] == b' ').collect();
    let at = dice.below(message.len());
    match dice.below(6) {
        0 if !spaces.is_empty() => message.insert(spaces[dice.below(spaces.len())], b' '),
        1 if !spaces.is_empty() => {
            let at = spaces[dice.below(spaces.len())];
            // A fold: but a line of white space alone would end the header for some.
            if message[at - 1].is_ascii_graphic() {
                message.splice(at..at, *b"\r\n");
            }
        }
        2 => message.extend_from_slice(b"\r\n"),
        3 => message.extend_from_slice(b" \t\r\n\r\n"),
        4 if message[at].is_ascii_alphabetic() => message[at] ^= 0x20,
        _ if message[at].is_ascii_alphanumeric() => message[at] ^= 1,
        _ => message.extend_from_slice(b"x\r\n"),
    }
    message
}
