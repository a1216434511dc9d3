//! Performing the steps.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::parse::{Door, Say, Story, What};
use super::pattern::{Values, fill_in, matches, unknown_name};
use super::server::Server;
use crate::sink::{Script, Sink};
use crate::talk::Talk;

/// How often, and with what pause, is looked again for something that may take a moment.
const LOOKS: u32 = 1200;
const PAUSE: Duration = Duration::from_millis(50);

/// An `S*:` gives up after this many lines.
const SKIPPED_MAX: usize = 5000;

struct Dialogue {
    talk: Talk,
    door: Door,
    transcript: Vec<String>,
}

struct Player {
    server: Server,
    dialogues: HashMap<String, Dialogue>,
    values: Values,
    /// stands for all other servers
    sink: Option<Sink>,
}

/// Plays `story` against `binary`. The error is a report for people; `line` is the line that was being performed.
pub fn play(story: &Story, binary: &Path, line: &AtomicUsize) -> Result<(), String> {
    let sink = story.sink.as_deref().map(open_sink).transpose()?;
    let place = sink
        .as_ref()
        .map_or_else(String::new, |sink| sink.address().to_string());
    let options: Vec<String> = story
        .options
        .iter()
        .map(|option| option.replace("{sink}", &place))
        .collect();
    let server = Server::start(binary, &options)?;
    let values = server.values();
    let mut player = Player {
        server,
        dialogues: HashMap::new(),
        values,
        sink,
    };
    for step in &story.steps {
        line.store(step.line, Ordering::Relaxed);
        player
            .perform(&step.what)
            .map_err(|why| format!("{why}\n{}", player.server.stderr_tail()))?;
    }
    Ok(())
}

fn open_sink(script: &str) -> Result<Sink, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Sink::start(address, Script::read(script)?).map_err(|error| error.to_string())
}

impl Player {
    fn perform(&mut self, what: &What) -> Result<(), String> {
        match what {
            What::Open { dialogue, door } => {
                let talk = self.server.connect(*door)?;
                let opened = Dialogue {
                    talk,
                    door: *door,
                    transcript: Vec::new(),
                };
                self.dialogues.insert(dialogue.clone(), opened);
                Ok(())
            }
            What::Say { dialogue, bytes } => {
                let bytes = match bytes {
                    Say::Line(text) => format!("{}\r\n", self.filled(text)?).into_bytes(),
                    Say::Bytes(bytes) => bytes.clone(),
                };
                self.dialogue(dialogue)?.say(&bytes);
                Ok(())
            }
            What::Hear { dialogue, pattern } => self.hear(dialogue, pattern),
            What::HearUntil {
                dialogue,
                pattern,
                not,
            } => self.hear_until(dialogue, pattern, not),
            What::StartTls { dialogue } => self.start_tls(dialogue),
            What::LogIn { dialogue, user } => self.log_in(dialogue, user),
            What::Closed { dialogue } => {
                let dialogue = self.dialogue(dialogue)?;
                match dialogue.talk.line() {
                    None => Ok(()),
                    Some(line) => Err(dialogue.report("the end of the connection", &line)),
                }
            }
            What::Count {
                user,
                mailbox,
                messages,
            } => self.count(user, mailbox, *messages),
            What::Content {
                user,
                mailbox,
                number,
                has,
                pattern,
            } => self.content(user, mailbox, *number, *has, pattern),
            What::Taken { messages } => self.taken(*messages),
            What::TakenContent { number, has, pattern } => self.taken_content(*number, *has, pattern),
            What::Sink { script } => {
                self.sink()?.set(Script::read(script)?);
                Ok(())
            }
            What::Event { name, fields } => self.event(name, fields),
            What::LogLacks { text } => {
                let text = self.filled(text)?;
                match self.server.log().lines().find(|line| line.contains(&text)) {
                    Some(line) => Err(format!("the log must not have: {text}\n    {line}")),
                    None => Ok(()),
                }
            }
            What::Restart { gently } => {
                self.dialogues.clear();
                self.server.restart(*gently)?;
                self.values.extend(self.server.values());
                Ok(())
            }
        }
    }

    fn hear(&mut self, dialogue: &str, pattern: &str) -> Result<(), String> {
        let mut values = std::mem::take(&mut self.values);
        let dialogue = self.dialogue(dialogue)?;
        let line = dialogue.hear();
        let fits = line
            .as_deref()
            .is_some_and(|line| matches(pattern, line, &mut values));
        let report = || dialogue.report(&fill_in(pattern, &values), line.as_deref().unwrap_or("(closed)"));
        let outcome = if fits { Ok(()) } else { Err(report()) };
        self.values = values;
        outcome
    }

    fn hear_until(&mut self, dialogue: &str, pattern: &str, not: &[String]) -> Result<(), String> {
        let mut values = std::mem::take(&mut self.values);
        let dialogue = self.dialogue(dialogue)?;
        let mut outcome = Err(format!("nothing matches in {SKIPPED_MAX} lines"));
        for _ in 0..SKIPPED_MAX {
            let Some(line) = dialogue.hear() else {
                outcome = Err(dialogue.report(&fill_in(pattern, &values), "(closed)"));
                break;
            };
            if let Some(forbidden) = not
                .iter()
                .find(|forbidden| matches(forbidden, &line, &mut values.clone()))
            {
                outcome = Err(dialogue.report(&format!("never {forbidden}"), &line));
                break;
            }
            if matches(pattern, &line, &mut values) {
                outcome = Ok(());
                break;
            }
        }
        self.values = values;
        outcome
    }

    fn start_tls(&mut self, dialogue: &str) -> Result<(), String> {
        let tls = self.server.tls();
        let dialogue = self.dialogue(dialogue)?;
        let (command, ready) = if dialogue.door.is_imap() {
            ("tls STARTTLS\r\n", "tls OK")
        } else {
            ("STARTTLS\r\n", "220 ")
        };
        dialogue.say(command.as_bytes());
        match dialogue.hear() {
            Some(line) if line.starts_with(ready) => {}
            other => return Err(dialogue.report(ready, other.as_deref().unwrap_or("(closed)"))),
        }
        dialogue
            .talk
            .start_tls(&tls)
            .map_err(|error| format!("the TLS handshake failed: {error}"))
    }

    fn log_in(&mut self, dialogue: &str, user: &str) -> Result<(), String> {
        let imap = format!("login LOGIN {{{user}}} \"{{{user}.password}}\"\r\n");
        let (imap, smtp) = (
            self.filled(&imap)?,
            self.filled(&format!("AUTH PLAIN {{{user}.plain}}\r\n"))?,
        );
        let dialogue = self.dialogue(dialogue)?;
        let (command, ok) = if dialogue.door.is_imap() {
            (imap, "login OK")
        } else {
            (smtp, "235 ")
        };
        dialogue.say(command.as_bytes());
        while let Some(line) = dialogue.hear() {
            if line.starts_with(ok) {
                return Ok(());
            }
            if !line.starts_with("* ") {
                return Err(dialogue.report(ok, &line));
            }
        }
        Err(dialogue.report(ok, "(closed)"))
    }

    /// Delivery that was promised may still be under way when the mail waits in the queue; more than expected never passes.
    fn count(&mut self, user: &str, mailbox: &str, messages: usize) -> Result<(), String> {
        let mut found = 0;
        for _ in 0..LOOKS {
            found = self.examine(user, mailbox)?.1;
            if found >= messages {
                break;
            }
            pause();
        }
        if found == messages {
            Ok(())
        } else {
            Err(format!(
                "{user}'s {mailbox} should contain {messages} messages and contains {found}"
            ))
        }
    }

    fn content(
        &mut self,
        user: &str,
        mailbox: &str,
        number: usize,
        has: bool,
        pattern: &str,
    ) -> Result<(), String> {
        let (mut talk, _) = self.examine(user, mailbox)?;
        let lines = talk.imap("f", &format!("FETCH {number} BODY.PEEK[]"));
        if !lines.last().is_some_and(|line| line.starts_with("f OK")) || lines.len() < 2 {
            return Err(format!(
                "message {number} of {user}'s {mailbox} cannot be read: {lines:?}"
            ));
        }
        let message = &lines[1..lines.len() - 1];
        let found = message
            .iter()
            .any(|line| matches(pattern, line, &mut self.values.clone()));
        if found == has {
            return Ok(());
        }
        let shown: String = message.iter().map(|line| format!("    {line}\n")).collect();
        Err(format!(
            "the message should {} a line {pattern}\n{shown}",
            if has { "have" } else { "not have" }
        ))
    }

    fn sink(&self) -> Result<&Sink, String> {
        self.sink
            .as_ref()
            .ok_or_else(|| "this story has no sink".to_owned())
    }

    /// As [`Player::count`], for what other servers took.
    fn taken(&self, messages: usize) -> Result<(), String> {
        let sink = self.sink()?;
        for _ in 0..LOOKS {
            if sink.accepted_count() >= messages as u64 {
                break;
            }
            pause();
        }
        match sink.accepted_count() {
            found if found == messages as u64 => Ok(()),
            found => Err(format!(
                "the sink should have taken {messages} messages and took {found}: {:?}",
                sink.statistics()
            )),
        }
    }

    fn taken_content(&self, number: usize, has: bool, pattern: &str) -> Result<(), String> {
        let accepted = self.sink()?.accepted();
        let message = number
            .checked_sub(1)
            .and_then(|at| accepted.get(at))
            .ok_or_else(|| format!("the sink took {} messages", accepted.len()))?;
        let text = String::from_utf8_lossy(&message.content).into_owned();
        let found = text
            .lines()
            .any(|line| matches(pattern, line, &mut self.values.clone()));
        if found == has {
            return Ok(());
        }
        Err(format!(
            "the message should {} a line {pattern}\n{text}",
            if has { "have" } else { "not have" }
        ))
    }

    fn examine(&self, user: &str, mailbox: &str) -> Result<(Talk, usize), String> {
        let mut talk = self.server.connect(Door::Imaps)?;
        talk.line();
        let login = talk.imap(
            "l",
            &self.filled(&format!("LOGIN {{{user}}} \"{{{user}.password}}\""))?,
        );
        let opened = talk.imap("e", &format!("EXAMINE \"{mailbox}\""));
        let exists = opened
            .iter()
            .find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok());
        match exists {
            Some(exists) => Ok((talk, exists)),
            None => Err(format!(
                "{user}'s {mailbox} cannot be opened: {login:?} {opened:?}"
            )),
        }
    }

    fn event(&mut self, name: &str, fields: &[(String, String)]) -> Result<(), String> {
        let wanted: Vec<(String, String)> = fields
            .iter()
            .map(|(field, value)| Ok((field.clone(), self.filled(value)?)))
            .collect::<Result<_, String>>()?;
        for _ in 0..LOOKS {
            if self
                .server
                .log()
                .lines()
                .any(|line| is_event(line, name, &wanted))
            {
                return Ok(());
            }
            pause();
        }
        let log = self.server.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail: String = lines[lines.len().saturating_sub(20)..]
            .iter()
            .map(|line| format!("    {line}\n"))
            .collect();
        Err(format!(
            "the log has no event {name} with {wanted:?}; it ends with\n{tail}"
        ))
    }

    fn dialogue(&mut self, name: &str) -> Result<&mut Dialogue, String> {
        self.dialogues
            .get_mut(name)
            .ok_or_else(|| format!("the dialogue {name} ended with the server"))
    }

    fn filled(&self, text: &str) -> Result<String, String> {
        let filled = fill_in(text, &self.values);
        match unknown_name(&filled).filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(name) => Err(format!("{{{name}}} is not known here")),
            None => Ok(filled),
        }
    }
}

impl Dialogue {
    fn say(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.transcript.push(format!("C: {}", shown(bytes)));
            self.talk.say(bytes);
        }
    }

    fn hear(&mut self) -> Option<String> {
        let line = self.talk.line();
        self.transcript.push(
            line.as_ref()
                .map_or("(closed)".into(), |line| format!("S: {line}")),
        );
        line
    }

    fn report(&self, expected: &str, got: &str) -> String {
        let from = self.transcript.len().saturating_sub(30);
        let tail: String = self.transcript[from..]
            .iter()
            .map(|line| format!("    {line}\n"))
            .collect();
        format!(
            "the server said something else\n  expected: {expected}\n  got:      {got}\n  so far:\n{tail}"
        )
    }
}

fn shown(bytes: &[u8]) -> String {
    let text: String = bytes
        .iter()
        .take(200)
        .map(|byte| byte.escape_ascii().to_string())
        .collect();
    text.strip_suffix("\\r\\n").map(str::to_owned).unwrap_or(text)
}

fn is_event(line: &str, name: &str, fields: &[(String, String)]) -> bool {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
        return false;
    };
    event["event"] == name
        && fields.iter().all(|(field, wanted)| {
            let found = event[field]
                .as_str()
                .map_or_else(|| event[field].to_string(), str::to_owned);
            found == *wanted
        })
}

#[expect(clippy::disallowed_methods, reason = "a real process is polled")]
fn pause() {
    std::thread::sleep(PAUSE);
}
