//! From text to steps.

use crate::sink::Script;

/// One thing to do, with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub line: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Opens a connection.
    Open { dialogue: String, door: Door },
    /// Says bytes.
    Say { dialogue: String, bytes: Say },
    /// Reads one line.
    Hear { dialogue: String, pattern: String },
    /// Reads until a line matches; none up to then may match `not`.
    HearUntil {
        dialogue: String,
        pattern: String,
        not: Vec<String>,
    },
    /// STARTTLS with its handshake.
    StartTls { dialogue: String },
    /// Signs in.
    LogIn { dialogue: String, user: String },
    /// The server has closed.
    Closed { dialogue: String },
    /// So many messages are there.
    Count {
        user: String,
        mailbox: String,
        messages: usize,
    },
    /// A message has a line, or none such.
    Content {
        user: String,
        mailbox: String,
        number: usize,
        has: bool,
        pattern: String,
    },
    /// The sink accepted so many messages.
    Taken { messages: usize },
    /// A message that the sink accepted has a line, or none such.
    TakenContent {
        number: usize,
        has: bool,
        pattern: String,
    },
    /// The sink has another script from now on.
    Sink { script: String },
    /// An event was logged, with these fields.
    Event {
        name: String,
        fields: Vec<(String, String)>,
    },
    /// A text is nowhere in the log.
    LogLacks { text: String },
    /// Stops and starts the server.
    Restart { gently: bool },
}

/// What is said: lines have values filled in and CRLF added, bytes are sent as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    Line(String),
    Bytes(Vec<u8>),
}

/// A door of the demo, by the name its JSON line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Smtp,
    Submission,
    Submissions,
    Lmtp,
    Imap,
    Imaps,
}

impl Door {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
        }
    }

    pub(super) fn starts_with_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps)
    }

    pub(super) fn is_imap(self) -> bool {
        matches!(self, Self::Imap | Self::Imaps)
    }

    fn read(name: &str) -> Option<Self> {
        [
            Self::Smtp,
            Self::Submission,
            Self::Submissions,
            Self::Lmtp,
            Self::Imap,
            Self::Imaps,
        ]
        .into_iter()
        .find(|door| door.name() == name)
    }
}

/// A story as steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    pub(super) options: Vec<String>,
    /// The script of the sink that stands for all other servers, when there is one.
    pub(super) sink: Option<String>,
    pub(super) steps: Vec<Step>,
}

impl Story {
    /// Reads a story. The error names the line.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader {
            story: Self {
                options: Vec::new(),
                sink: None,
                steps: Vec::new(),
            },
            dialogue: None,
            not: Vec::new(),
        };
        let mut expects = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let steps = reader.story.steps.len();
            reader
                .line(number + 1, line)
                .map_err(|why| format!("line {}: {why}: {line}", number + 1))?;
            expects |= reader.story.steps[steps..].iter().any(|step| step.what.expects());
        }
        if !reader.not.is_empty() {
            return Err("`not:` stands before an `S*:`, and there is none after the last".into());
        }
        if expects {
            Ok(reader.story)
        } else {
            Err("the story expects nothing, so it cannot fail".into())
        }
    }
}

impl What {
    /// Whether the step can fail because of what the server does.
    fn expects(&self) -> bool {
        !matches!(
            self,
            Self::Open { .. } | Self::Say { .. } | Self::Restart { .. } | Self::Sink { .. }
        )
    }
}

struct Reader {
    story: Story,
    dialogue: Option<String>,
    not: Vec<String>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(options) = line.strip_prefix("server:") {
            if !self.story.steps.is_empty() {
                return Err("`server:` stands before everything else".into());
            }
            self.story.options = options.split_whitespace().map(str::to_owned).collect();
            return Ok(());
        }
        if let Some(rule) = line.strip_prefix("sink:") {
            return self.sink(number, rule.trim());
        }
        let what = match self.read_in_dialogue(line)? {
            Some(what) => Some(what),
            None => self.read_outside(line)?,
        };
        self.story
            .steps
            .extend(what.map(|what| Step { line: number, what }));
        Ok(())
    }

    /// Before everything else: a line of the sink's first script. Later: another script, rules separated by `;`.
    fn sink(&mut self, number: usize, rule: &str) -> Result<(), String> {
        Script::read(&rule.replace("; ", "\n"))?;
        if self.story.steps.is_empty() {
            let script = self.story.sink.get_or_insert_default();
            script.push_str(rule);
            script.push('\n');
            return Ok(());
        }
        if self.story.sink.is_none() {
            return Err("the first `sink:` stands before everything else".into());
        }
        let script = rule.replace("; ", "\n");
        let what = What::Sink { script };
        self.story.steps.push(Step { line: number, what });
        Ok(())
    }

    /// What belongs to a connection; `None` for everything else.
    fn read_in_dialogue(&mut self, line: &str) -> Result<Option<What>, String> {
        let said = ["C:", "C-raw:", "S:", "S*:", "not:"]
            .into_iter()
            .find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        let done = matches!(line.trim_end(), "starttls" | "closed") || line.starts_with("login ");
        if said.is_none() && !done {
            return Ok(None);
        }
        let dialogue = self.dialogue.clone().ok_or("this belongs to a dialogue")?;
        match said {
            Some((mark, text)) => self.read_said(dialogue, mark, text).map(Some),
            None => read_done(dialogue, line).map(Some),
        }
    }

    /// What one side says. A `not:` waits for the `S*:` behind it, and says nothing itself.
    fn read_said(&mut self, dialogue: String, mark: &str, text: &str) -> Result<What, String> {
        let said = text.strip_prefix(' ').unwrap_or(text);
        let pattern = text.trim().to_owned();
        let bytes = match mark {
            "C:" => Say::Line(said.to_owned()),
            "C-raw:" => Say::Bytes(unescape(said)?),
            "not:" => {
                self.not.push(pattern);
                Say::Bytes(Vec::new())
            }
            "S*:" => {
                let not = std::mem::take(&mut self.not);
                return Ok(What::HearUntil {
                    dialogue,
                    pattern,
                    not,
                });
            }
            _ if self.not.is_empty() => return Ok(What::Hear { dialogue, pattern }),
            _ => return Err("after `not:` an `S*:` is expected".into()),
        };
        Ok(What::Say { dialogue, bytes })
    }

    fn read_outside(&mut self, line: &str) -> Result<Option<What>, String> {
        if let Some(text) = line.strip_prefix("log lacks:") {
            return Ok(Some(What::LogLacks {
                text: text.trim().to_owned(),
            }));
        }
        if let Some(rest) = line.strip_prefix("message ") {
            return read_message(rest).map(Some);
        }
        if let Some(rest) = line.strip_prefix("taken ") {
            return read_taken(rest).map(Some);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["dialogue", name, "on", door] => {
                let door = Door::read(door.trim_end_matches(':')).ok_or("this door does not exist")?;
                let dialogue = (*name).to_owned();
                self.dialogue = Some(dialogue.clone());
                Ok(Some(What::Open { dialogue, door }))
            }
            ["dialogue", name] => self.go_on(name.trim_end_matches(':')).map(|()| None),
            [
                "mailbox",
                user,
                mailbox,
                "contains",
                count,
                "message" | "messages",
            ] => {
                let messages = count.parse().map_err(|_| "a number is expected")?;
                Ok(Some(What::Count {
                    user: (*user).to_owned(),
                    mailbox: (*mailbox).to_owned(),
                    messages,
                }))
            }
            ["sink", "takes", count, "message" | "messages"] => Ok(Some(What::Taken {
                messages: count.parse().map_err(|_| "a number is expected")?,
            })),
            ["log", "has", "event", name] => read_event(name, &[]).map(Some),
            ["log", "has", "event", name, "with", fields @ ..] => read_event(name, fields).map(Some),
            ["restart"] => Ok(Some(What::Restart { gently: true })),
            ["kill"] => Ok(Some(What::Restart { gently: false })),
            _ => Err("this is not understood".into()),
        }
    }

    /// Goes on with a dialogue that was opened before.
    fn go_on(&mut self, name: &str) -> Result<(), String> {
        let opens = |step: &Step| matches!(&step.what, What::Open { dialogue, .. } if dialogue == name);
        if !self.story.steps.iter().any(opens) {
            return Err("this dialogue was not opened".into());
        }
        self.dialogue = Some(name.to_owned());
        Ok(())
    }
}

/// What is done over a connection beside saying and hearing.
fn read_done(dialogue: String, line: &str) -> Result<What, String> {
    Ok(match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["starttls"] => What::StartTls { dialogue },
        ["closed"] => What::Closed { dialogue },
        ["login", user] => What::LogIn {
            dialogue,
            user: (*user).to_owned(),
        },
        _ => return Err("this is not understood".into()),
    })
}

/// `USER MAILBOX NUMBER has: LINE`, after the word `message`.
fn read_message(text: &str) -> Result<What, String> {
    let (place, pattern) = text.split_once(':').ok_or("`has:` or `lacks:` is expected")?;
    let [user, mailbox, number, verb] = place.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err("`message USER MAILBOX NUMBER has: LINE` is expected".into());
    };
    let has = match verb {
        "has" => true,
        "lacks" => false,
        _ => return Err("`has:` or `lacks:` is expected".into()),
    };
    let number = number.parse().map_err(|_| "a number is expected")?;
    let pattern = pattern.trim().to_owned();
    Ok(What::Content {
        user: user.to_owned(),
        mailbox: mailbox.to_owned(),
        number,
        has,
        pattern,
    })
}

/// `NUMBER has: LINE`, after the word `taken`.
fn read_taken(text: &str) -> Result<What, String> {
    let (place, pattern) = text.split_once(':').ok_or("`has:` or `lacks:` is expected")?;
    let (number, has) = match place.split_whitespace().collect::<Vec<_>>()[..] {
        [number, "has"] => (number, true),
        [number, "lacks"] => (number, false),
        _ => return Err("`taken NUMBER has: LINE` is expected".into()),
    };
    Ok(What::TakenContent {
        number: number.parse().map_err(|_| "a number is expected")?,
        has,
        pattern: pattern.trim().to_owned(),
    })
}

fn read_event(name: &str, fields: &[&str]) -> Result<What, String> {
    let pair = |field: &&str| {
        field
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let fields = fields
        .iter()
        .map(pair)
        .collect::<Option<Vec<_>>>()
        .ok_or("fields are written name=value")?;
    Ok(What::Event {
        name: name.to_owned(),
        fields,
    })
}

/// `\r \n \t \0 \\ \xNN`, and `\*N{text}` for N times a text.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let Some(escape) = rest.strip_prefix('\\') else {
            out.extend(character.to_string().bytes());
            rest = &rest[character.len_utf8()..];
            continue;
        };
        let kind = escape.chars().next().ok_or("a lone backslash at the end")?;
        rest = &escape[kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            '\\' => out.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or("two digits after \\x")?;
                out.push(u8::from_str_radix(digits, 16).map_err(|_| "two digits after \\x")?);
                rest = &rest[2..];
            }
            '*' => {
                let (count, after) = rest.split_once('{').ok_or("\\*N{text}")?;
                let (repeated, after) = after.split_once('}').ok_or("\\*N{text}")?;
                let count: usize = count.parse().map_err(|_| "\\*N{text}")?;
                out.extend(unescape(repeated)?.repeat(count));
                rest = after;
            }
            _ => return Err(format!("\\{kind} is not an escape")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_becomes_steps() {
        let text = "# why\nserver: --users 2\ndialogue a on smtp:\n  S: 220\n  C:\n  C-raw: x\\r\\n\\x00\\*2{ab}\n  not: *AUTH*\n  S*: 250 *\n\
                    dialogue b on imaps:\n  login alice\ndialogue a:\n  closed\nmailbox alice INBOX contains 1 message\n\
                    message alice INBOX 1 lacks: Bcc: x\nlog has event receive.accepted with queue_id={id}\nkill\n";
        let story = Story::read(text).unwrap();
        assert_eq!(story.options, ["--users", "2"]);
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let steps: Vec<_> = story.steps.into_iter().map(|step| step.what).collect();
        let expected = [
            What::Open {
                dialogue: a.clone(),
                door: Door::Smtp,
            },
            What::Hear {
                dialogue: a.clone(),
                pattern: "220".into(),
            },
            What::Say {
                dialogue: a.clone(),
                bytes: Say::Line(String::new()),
            },
            What::Say {
                dialogue: a.clone(),
                bytes: Say::Bytes(b"x\r\n\0abab".to_vec()),
            },
            What::Say {
                dialogue: a.clone(),
                bytes: Say::Bytes(Vec::new()),
            },
            What::HearUntil {
                dialogue: a.clone(),
                pattern: "250 *".into(),
                not: vec!["*AUTH*".into()],
            },
            What::Open {
                dialogue: b.clone(),
                door: Door::Imaps,
            },
            What::LogIn {
                dialogue: b,
                user: "alice".into(),
            },
            What::Closed { dialogue: a },
            What::Count {
                user: "alice".into(),
                mailbox: "INBOX".into(),
                messages: 1,
            },
            What::Content {
                user: "alice".into(),
                mailbox: "INBOX".into(),
                number: 1,
                has: false,
                pattern: "Bcc: x".into(),
            },
            What::Event {
                name: "receive.accepted".into(),
                fields: vec![("queue_id".into(), "{id}".into())],
            },
            What::Restart { gently: false },
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_sink_has_a_script_first_and_others_later() {
        let text = "server: --relay {sink}\nsink: mail: close\nsink: rcpt 2: reply 450 x\nsink takes 0 messages\n\
                    sink: data: close; quit: close\ntaken 1 lacks: Bcc:*\n";
        let story = Story::read(text).unwrap();
        assert_eq!(story.sink.as_deref(), Some("mail: close\nrcpt 2: reply 450 x\n"));
        let steps: Vec<_> = story.steps.into_iter().map(|step| step.what).collect();
        let expected = [
            What::Taken { messages: 0 },
            What::Sink {
                script: "data: close\nquit: close".into(),
            },
            What::TakenContent {
                number: 1,
                has: false,
                pattern: "Bcc:*".into(),
            },
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, expected) in [
            ("\nS: 220", "line 2: this belongs to a dialogue: S: 220"),
            ("dialogue a on pop3:", "line 1: this door does not exist"),
            ("dialogue a:", "line 1: this dialogue was not opened"),
            ("sing", "line 1: this is not understood: sing"),
            ("sink: lunch: close", "line 1: line 1: no such stage"),
            (
                "dialogue a on smtp:\nS: 220\nsink: mail: close",
                "line 3: the first `sink:` stands before everything else",
            ),
            ("taken one has: x", "line 1: a number is expected"),
            (
                "dialogue a on smtp:\nC: QUIT",
                "the story expects nothing, so it cannot fail",
            ),
            (
                "dialogue a on smtp:\nnot: x\nS: 220",
                "line 3: after `not:` an `S*:` is expected",
            ),
            ("dialogue a on smtp:\nC-raw: \\q", "line 2: \\q is not an escape"),
        ] {
            let error = Story::read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
