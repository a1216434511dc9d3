//! From text to rules.

use std::time::Duration;

/// Where in a session a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Banner,
    Ehlo,
    Helo,
    StartTls,
    Tls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Body,
    AfterDot,
    Rset,
    Quit,
}

const STAGES: [(&str, Stage); 14] = [
    ("connect", Stage::Connect),
    ("banner", Stage::Banner),
    ("ehlo", Stage::Ehlo),
    ("helo", Stage::Helo),
    ("starttls", Stage::StartTls),
    ("tls", Stage::Tls),
    ("auth", Stage::Auth),
    ("mail", Stage::Mail),
    ("rcpt", Stage::Rcpt),
    ("data", Stage::Data),
    ("body", Stage::Body),
    ("after-dot", Stage::AfterDot),
    ("rset", Stage::Rset),
    ("quit", Stage::Quit),
];

/// What the sink does at a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behaviour {
    Good,
    /// Complete reply, CRLF included.
    Reply(Vec<u8>),
    /// The same reply two times.
    Twice(Vec<u8>),
    Close,
    Reset,
    Silence,
    Drip(Duration),
    Endless,
    Flood,
    Garbage,
    LateClose(Duration),
    /// No listening socket.
    Refuse,
    /// SYNs are not answered.
    BlackHole,
    /// Closes after ClientHello.
    Abort,
    Certificate(Fault),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    WrongName,
    Expired,
    Unknown,
}

impl Fault {
    /// Its word.
    pub(super) fn read(word: &str) -> Result<Self, String> {
        match word {
            "wrong-name" => Ok(Self::WrongName),
            "expired" => Ok(Self::Expired),
            "unknown" => Ok(Self::Unknown),
            _ => Err("`wrong-name`, `expired` or `unknown` is expected".into()),
        }
    }
}

/// Which commands of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    All,
    /// The n-th recipient of a transaction, from 1.
    Place(usize),
    /// Recipients whose address fits; `*` stands for anything.
    Address(String),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    stage: Stage,
    which: Which,
    /// Fires so many times, then never again.
    pub first: Option<u64>,
    pub behaviour: Behaviour,
}

impl Rule {
    pub(super) fn fits(&self, stage: Stage, place: usize, address: &str) -> bool {
        self.stage == stage
            && match &self.which {
                Which::All => true,
                Which::Place(wanted) => *wanted == place,
                Which::Address(pattern) => fits(pattern, address),
            }
    }
}

/// How a sink behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub(super) rules: Vec<Rule>,
    /// Keywords of the EHLO reply, `=` for the space.
    pub(super) offers: Vec<String>,
    /// Name and password that AUTH takes; everybody's without.
    pub(super) credentials: Option<(String, String)>,
}

/// What a well-behaved sink announces; STARTTLS only when it has certificates.
const OFFERS: [&str; 7] = [
    "PIPELINING",
    "SIZE=104857600",
    "STARTTLS",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "ENHANCEDSTATUSCODES",
];

impl Default for Script {
    fn default() -> Self {
        Self::good()
    }
}

impl Script {
    /// Behaves well.
    pub fn good() -> Self {
        Self {
            rules: Vec::new(),
            offers: OFFERS.map(str::to_owned).to_vec(),
            credentials: None,
        }
    }

    /// Reads a script; empty lines and lines that start with `#` say nothing. The error names the line.
    ///
    /// # Errors
    ///
    /// A line is not understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut script = Self::good();
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            script
                .line(line)
                .map_err(|why| format!("line {}: {why}: {line}", number + 1))?;
        }
        Ok(script)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (head, tail) = line.split_once(':').ok_or("`STAGE: BEHAVIOUR` is expected")?;
        let tail = tail.trim();
        match head.trim() {
            "offer" => self.offers = tail.split_whitespace().map(str::to_owned).collect(),
            "credentials" => {
                let (name, secret) = tail.split_once(' ').ok_or("`credentials: NAME PASSWORD`")?;
                self.credentials = Some((name.to_owned(), secret.trim().to_owned()));
            }
            head => self.rules.push(read_rule(head, tail)?),
        }
        Ok(())
    }

    /// What the listening socket does.
    pub(super) fn door(&self) -> Behaviour {
        let at_door = |rule: &&Rule| {
            rule.stage == Stage::Connect && matches!(rule.behaviour, Behaviour::Refuse | Behaviour::BlackHole)
        };
        self.rules
            .iter()
            .find(at_door)
            .map_or(Behaviour::Good, |rule| rule.behaviour.clone())
    }

    /// Whether EHLO announces it.
    pub(super) fn offers(&self, keyword: &str) -> bool {
        self.offers
            .iter()
            .any(|offer| offer.split('=').next() == Some(keyword))
    }
}

/// `[first N] STAGE [PLACE|PATTERN]` and what is done then.
fn read_rule(head: &str, tail: &str) -> Result<Rule, String> {
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let mut first = None;
    if words.first() == Some(&"first") {
        let count = words.get(1).and_then(|word| word.parse().ok());
        first = Some(count.ok_or("a number is expected after `first`")?);
        words.drain(..2);
    }
    let (name, which) = match words[..] {
        [name] => (name, Which::All),
        ["rcpt", which] => match which.parse() {
            Ok(place) => ("rcpt", Which::Place(place)),
            Err(_) => ("rcpt", Which::Address(which.to_owned())),
        },
        _ => return Err("`STAGE: BEHAVIOUR` is expected".into()),
    };
    let stage = STAGES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, stage)| *stage)
        .ok_or("no such stage")?;
    let behaviour = read_behaviour(stage, tail)?;
    if first.is_some() && matches!(behaviour, Behaviour::Refuse | Behaviour::BlackHole) {
        return Err("a closed door cannot count".into());
    }
    Ok(Rule {
        stage,
        which,
        first,
        behaviour,
    })
}

fn read_behaviour(stage: Stage, text: &str) -> Result<Behaviour, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let seconds = || -> Result<Duration, String> {
        let seconds: f64 = rest.parse().map_err(|_| "seconds are expected")?;
        Duration::try_from_secs_f64(seconds).map_err(|_| "seconds are expected".to_owned())
    };
    Ok(match word {
        "good" => Behaviour::Good,
        "reply" => Behaviour::Reply(reply(rest)?),
        "twice" => Behaviour::Twice(reply(rest)?),
        "close" => Behaviour::Close,
        "reset" => Behaviour::Reset,
        "silence" => Behaviour::Silence,
        "drip" => Behaviour::Drip(seconds()?),
        "endless" => Behaviour::Endless,
        "flood" => Behaviour::Flood,
        "garbage" => Behaviour::Garbage,
        "late-close" => Behaviour::LateClose(seconds()?),
        "refuse" if stage == Stage::Connect => Behaviour::Refuse,
        "black-hole" if stage == Stage::Connect => Behaviour::BlackHole,
        "abort" if stage == Stage::Tls => Behaviour::Abort,
        "certificate" if stage == Stage::Tls => Behaviour::Certificate(Fault::read(rest)?),
        _ => return Err("no such behaviour at this stage".into()),
    })
}

/// `CODE TEXT`, or several texts separated by ` | `. The code is not checked: a wrong one is what a sink is for.
fn reply(text: &str) -> Result<Vec<u8>, String> {
    let (code, text) = text.split_once(' ').unwrap_or((text, ""));
    if code.is_empty() {
        return Err("a reply code is expected".into());
    }
    let lines: Vec<&str> = text.split(" | ").collect();
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mark = if at + 1 == lines.len() { ' ' } else { '-' };
        out.extend(format!("{code}{mark}{line}\r\n").bytes());
    }
    Ok(out)
}

/// The class of a reply: the first digit of a code of three; `?` for anything else, which no client may take for an answer.
pub(super) fn class_of(reply: &[u8]) -> u8 {
    match reply {
        [class, second, third, b' ' | b'-', ..]
            if [class, second, third].iter().all(|octet| octet.is_ascii_digit()) =>
        {
            *class
        }
        _ => b'?',
    }
}

/// `*` stands for any text; case does not matter.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
