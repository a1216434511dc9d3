//! Commands: one line in, one [`Command`] out.

use std::fmt;

/// Something that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// For the one who checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A command. Message numbers are as the client sent them; whether there is such a message, [`crate::Marks`] knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `CAPA` (RFC 2449 §5)
    Capa,
    /// `STLS` (RFC 2595 §4)
    Stls,
    /// `USER name` (RFC 1939 §7); the name is the whole rest of the line
    User(String),
    /// `PASS string` (RFC 1939 §7); the whole rest of the line, spaces included
    Pass(Secret),
    /// `AUTH mechanism [initial-response]` (RFC 5034 §4)
    Auth {
        /// in capitals
        mechanism: String,
        /// base64 as sent; `=` is an empty one
        initial: Option<Secret>,
    },
    /// `AUTH` alone: old clients ask for the mechanisms so
    AuthList,
    /// `UTF8` (RFC 6856 §2.1)
    Utf8,
    /// `LANG [tag]` (RFC 6856 §3)
    Lang(Option<String>),
    /// `STAT` (RFC 1939 §5)
    Stat,
    /// `LIST [message]` (RFC 1939 §5)
    List(Option<u32>),
    /// `UIDL [message]` (RFC 1939 §7)
    Uidl(Option<u32>),
    /// `RETR message` (RFC 1939 §5)
    Retr(u32),
    /// `TOP message lines` (RFC 1939 §7)
    Top {
        /// which
        message: u32,
        /// how many lines of the body
        lines: u32,
    },
    /// `DELE message` (RFC 1939 §5)
    Dele(u32),
    /// `NOOP` (RFC 1939 §5)
    Noop,
    /// `RSET` (RFC 1939 §5)
    Rset,
    /// `QUIT` (RFC 1939 §4, §6)
    Quit,
}

/// The verb of a command, without what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // documented at `Command`
pub enum Verb {
    Capa,
    Stls,
    User,
    Pass,
    Auth,
    Utf8,
    Lang,
    Stat,
    List,
    Uidl,
    Retr,
    Top,
    Dele,
    Noop,
    Rset,
    Quit,
}

const VERBS: [(&str, Verb); 16] = [
    ("CAPA", Verb::Capa),
    ("STLS", Verb::Stls),
    ("USER", Verb::User),
    ("PASS", Verb::Pass),
    ("AUTH", Verb::Auth),
    ("UTF8", Verb::Utf8),
    ("LANG", Verb::Lang),
    ("STAT", Verb::Stat),
    ("LIST", Verb::List),
    ("UIDL", Verb::Uidl),
    ("RETR", Verb::Retr),
    ("TOP", Verb::Top),
    ("DELE", Verb::Dele),
    ("NOOP", Verb::Noop),
    ("RSET", Verb::Rset),
    ("QUIT", Verb::Quit),
];

impl Command {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Capa => Verb::Capa,
            Self::Stls => Verb::Stls,
            Self::User(_) => Verb::User,
            Self::Pass(_) => Verb::Pass,
            Self::Auth { .. } | Self::AuthList => Verb::Auth,
            Self::Utf8 => Verb::Utf8,
            Self::Lang(_) => Verb::Lang,
            Self::Stat => Verb::Stat,
            Self::List(_) => Verb::List,
            Self::Uidl(_) => Verb::Uidl,
            Self::Retr(_) => Verb::Retr,
            Self::Top { .. } => Verb::Top,
            Self::Dele(_) => Verb::Dele,
            Self::Noop => Verb::Noop,
            Self::Rset => Verb::Rset,
            Self::Quit => Verb::Quit,
        }
    }
}

/// Why a line is no command. [`Bad::text`] says what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// No such command.
    Unknown,
    /// The command is known, what follows it does not fit.
    Arguments(&'static str),
}

impl Bad {
    /// One plain sentence for the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => "There is no such command; CAPA lists what there is",
            Self::Arguments(usage) => usage,
        }
    }
}

/// Reads a command line, without its CR LF.
///
/// RFC 1939 §3: a keyword in any case, then arguments, each after one space. Spaces at the end are let pass.
///
/// # Errors
/// When it is none.
pub fn parse(line: &[u8]) -> Result<Command, Bad> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let known = VERBS
        .iter()
        .find(|(name, _)| keyword.eq_ignore_ascii_case(name.as_bytes()));
    let verb = known.ok_or(Bad::Unknown)?.1;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    with_arguments(verb, rest)
}

fn with_arguments(verb: Verb, rest: &[u8]) -> Result<Command, Bad> {
    match verb {
        Verb::Capa => alone(rest, Command::Capa),
        Verb::Stls => alone(rest, Command::Stls),
        Verb::Utf8 => alone(rest, Command::Utf8),
        Verb::Stat => alone(rest, Command::Stat),
        Verb::Noop => alone(rest, Command::Noop),
        Verb::Rset => alone(rest, Command::Rset),
        Verb::Quit => alone(rest, Command::Quit),
        Verb::User => Ok(Command::User(text(rest, "USER takes a user name, in UTF-8")?)),
        Verb::Pass => Ok(Command::Pass(Secret(text(
            rest,
            "PASS takes a password, in UTF-8",
        )?))),
        Verb::Auth => auth(rest),
        Verb::Lang => lang(rest),
        Verb::List => Ok(Command::List(maybe_number(rest)?)),
        Verb::Uidl => Ok(Command::Uidl(maybe_number(rest)?)),
        Verb::Retr => Ok(Command::Retr(number(rest.trim_ascii_end())?)),
        Verb::Dele => Ok(Command::Dele(number(rest.trim_ascii_end())?)),
        Verb::Top => top(rest),
    }
}

fn alone(rest: &[u8], command: Command) -> Result<Command, Bad> {
    match rest.trim_ascii().is_empty() {
        true => Ok(command),
        false => Err(Bad::Arguments("This command takes nothing after it")),
    }
}

fn text(rest: &[u8], usage: &'static str) -> Result<String, Bad> {
    let text = std::str::from_utf8(rest).map_err(|_| Bad::Arguments(usage))?;
    match text.is_empty() {
        true => Err(Bad::Arguments(usage)),
        false => Ok(text.to_owned()),
    }
}

fn words(rest: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(rest.trim_ascii_end()).ok()?;
    Some(text.split(' ').filter(|word| !word.is_empty()).collect())
}

/// RFC 5034 §4: `AUTH mechanism [initial-response]`.
fn auth(rest: &[u8]) -> Result<Command, Bad> {
    match words(rest).as_deref() {
        Some([]) => Ok(Command::AuthList),
        Some([mechanism]) => Ok(Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial: None,
        }),
        Some([mechanism, initial]) => Ok(Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial: Some(Secret((*initial).to_owned())),
        }),
        _ => Err(Bad::Arguments(
            "AUTH takes a mechanism and perhaps an initial response",
        )),
    }
}

/// RFC 6856 §3: `LANG [language-range]`.
fn lang(rest: &[u8]) -> Result<Command, Bad> {
    match words(rest).as_deref() {
        Some([]) => Ok(Command::Lang(None)),
        Some([tag]) => Ok(Command::Lang(Some((*tag).to_owned()))),
        _ => Err(Bad::Arguments("LANG takes one language tag, or nothing")),
    }
}

fn top(rest: &[u8]) -> Result<Command, Bad> {
    const USAGE: Bad = Bad::Arguments("TOP takes a message number and a number of lines");
    match words(rest).as_deref() {
        Some([message, lines]) => Ok(Command::Top {
            message: number(message.as_bytes())?,
            lines: number(lines.as_bytes()).map_err(|_| USAGE)?,
        }),
        _ => Err(USAGE),
    }
}

fn maybe_number(rest: &[u8]) -> Result<Option<u32>, Bad> {
    match rest.trim_ascii() {
        [] => Ok(None),
        digits => number(digits).map(Some),
    }
}

/// Digits; what is too large for any message is the largest number, which no message has.
fn number(digits: &[u8]) -> Result<u32, Bad> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Bad::Arguments("A message number is written in digits"));
    }
    Ok(digits.iter().fold(0u32, |number, digit| {
        number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case_with_their_arguments() {
        let auth = |mechanism: &str, initial: Option<&str>| Command::Auth {
            mechanism: mechanism.to_owned(),
            initial: initial.map(|text| Secret::new(text.to_owned())),
        };
        let table: &[(&[u8], Result<Command, Bad>)] = &[
            (b"CAPA", Ok(Command::Capa)),
            (b"capa ", Ok(Command::Capa)),
            (b"QuIt", Ok(Command::Quit)),
            (b"USER a b@c", Ok(Command::User("a b@c".to_owned()))),
            (
                b"PASS  two  spaces ",
                Ok(Command::Pass(Secret::new(" two  spaces ".to_owned()))),
            ),
            (
                "PASS pä".as_bytes(),
                Ok(Command::Pass(Secret::new("pä".to_owned()))),
            ),
            (b"AUTH", Ok(Command::AuthList)),
            (b"AUTH plain", Ok(auth("PLAIN", None))),
            (b"AUTH PLAIN =", Ok(auth("PLAIN", Some("=")))),
            (b"LANG", Ok(Command::Lang(None))),
            (b"LANG en-GB", Ok(Command::Lang(Some("en-GB".to_owned())))),
            (b"LIST", Ok(Command::List(None))),
            (b"LIST 007", Ok(Command::List(Some(7)))),
            (b"uidl 2", Ok(Command::Uidl(Some(2)))),
            (b"RETR 99999999999999999999", Ok(Command::Retr(u32::MAX))),
            (b"TOP 1 0", Ok(Command::Top { message: 1, lines: 0 })),
            (b"DELE 3", Ok(Command::Dele(3))),
        ];
        for (line, command) in table {
            assert_eq!(parse(line), *command, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_command_is_said_so() {
        let unknown: &[&[u8]] = &[
            b"",
            b" ",
            b"XYZZY",
            b"APOP x y",
            b"LAST",
            b"STATS",
            b"\xff\xfe",
            b"GET / HTTP/1.1",
        ];
        for line in unknown {
            assert_eq!(parse(line), Err(Bad::Unknown), "{}", line.escape_ascii());
        }
        let wrong: &[&[u8]] = &[
            b"USER",
            b"USER ",
            b"PASS",
            b"USER \xff",
            b"STAT 1",
            b"RETR",
            b"RETR x",
            b"RETR -1",
            b"RETR 1 2",
            b"DELE",
            b"LIST 1 2",
            b"LIST a",
            b"TOP 1",
            b"TOP 1 x",
            b"TOP 1 2 3",
            b"TOP",
            b"QUIT now",
            b"AUTH a b c",
            b"LANG a b",
            b"UIDL 1.5",
            b"RETR \xd9\xa1",
        ];
        for line in wrong {
            assert!(
                matches!(parse(line), Err(Bad::Arguments(_))),
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn passwords_do_not_show_in_debug_output() {
        let shown = format!("{:?} {:?}", parse(b"PASS geheim"), parse(b"AUTH PLAIN Z2VoZWlt"));
        assert!(
            !shown.contains("geheim") && !shown.contains("Z2VoZWlt"),
            "{shown}"
        );
    }
}
