//! A sink's host as a client without manners: any envelope, any header; and as a mailing list that changes what it passes on.

use super::hosts::in_dns;
use super::net::{self, MIDDLE};
use super::story::{HostPlan, Letter, Outcome as Said, Passing};
use crate::process::{self, find};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::story::line_fits;
use testkit::talk::Talk;

const SEAL_LIMIT: Duration = Duration::from_secs(30);

/// Where a message comes from and where it goes.
pub struct Way<'a> {
    /// whose address it comes from
    pub from: &'a HostPlan,
    /// whose port 25 it goes to
    pub to: &'a HostPlan,
}

/// Gives a letter over, as it stands, and holds the last answer against what the story says.
///
/// # Errors
///
/// The answer is another one.
pub fn give(way: &Way<'_>, letter: &Letter, text: &str) -> Result<(), String> {
    let (source, peer) = ends(way)?;
    net::speak_from(source, peer).map_err(|error| error.to_string())?;
    let answer = talk(way, letter, text, peer);
    let middle = MIDDLE[usize::from(peer.is_ipv6())];
    net::speak_from(middle, peer).map_err(|error| error.to_string())?;
    holds(&answer?, letter)
}

/// The first family that both have.
fn ends(way: &Way<'_>) -> Result<(IpAddr, IpAddr), String> {
    let sources = in_dns(way.from);
    in_dns(way.to)
        .into_iter()
        .find_map(|peer| {
            let source = sources.iter().find(|source| source.is_ipv6() == peer.is_ipv6())?;
            Some((*source, peer))
        })
        .ok_or_else(|| "the two have no family in common".to_owned())
}

/// The answer to the end of the message, or the first refusal before it.
fn talk(way: &Way<'_>, letter: &Letter, text: &str, peer: IpAddr) -> Result<String, String> {
    let mut talk = Talk::connect_to(SocketAddr::new(peer, 25)).map_err(|error| error.to_string())?;
    talk.reply();
    let mut commands = vec![
        format!("EHLO mx.{}", way.from.domains[0]),
        format!("MAIL FROM:<{}>", letter.from),
    ];
    commands.extend(letter.to.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".to_owned());
    commands.push(format!("{}.", stuffed(text)));
    let mut answer = String::new();
    for command in commands {
        answer = talk.ask(&command);
        if !answer.starts_with(['2', '3']) {
            break;
        }
    }
    talk.ask("QUIT");
    Ok(answer)
}

/// With CRLF line ends and a dot before every dot that begins a line (RFC 5321 §4.5.2).
fn stuffed(text: &str) -> String {
    let line = |line: &str| {
        let dot = if line.starts_with('.') { "." } else { "" };
        format!("{dot}{line}\r\n")
    };
    text.lines().map(line).collect()
}

fn holds(answer: &str, letter: &Letter) -> Result<(), String> {
    let is = match answer.as_bytes().first() {
        Some(b'2') => Said::Taken,
        Some(b'4') => Said::PutOff,
        _ => Said::Refused,
    };
    if is != letter.outcome {
        return Err(format!(
            "{:?} was expected, and the answer is: {answer}",
            letter.outcome
        ));
    }
    let sentence = sentence(answer);
    match letter
        .answers
        .iter()
        .find(|pattern| !line_fits(pattern, &sentence))
    {
        Some(pattern) => Err(format!("the answer should fit {pattern}, and is: {answer}")),
        None => Ok(()),
    }
}

/// The lines of a reply as a person reads them: the codes once, the words as one sentence.
fn sentence(answer: &str) -> String {
    let mut words = Vec::new();
    for (at, line) in answer.lines().enumerate() {
        let said = line.get(4..).unwrap_or_default();
        let bare = said.split_once(' ').map_or(said, |(_, words)| words);
        words.push(if at == 0 { said } else { bare });
    }
    format!("{} {}", answer.get(..3).unwrap_or_default(), words.join(" "))
}

/// A forged letter, whole.
pub fn text_of(letter: &Letter, subject: &str, id: &str, domain: &str) -> String {
    let has = |name: &str| {
        let start = format!("{}:", name.to_ascii_lowercase());
        letter
            .header
            .iter()
            .any(|line| line.to_ascii_lowercase().starts_with(&start))
    };
    let mut text = String::new();
    for line in &letter.header {
        text.push_str(line);
        text.push('\n');
    }
    if !has("From") {
        text.push_str(&format!("From: <{}>\n", letter.from));
    }
    if !has("To") {
        text.push_str(&format!("To: <{}>\n", letter.to.join(">, <")));
    }
    text.push_str(&format!("Subject: {subject}\nMessage-ID: <{id}@{domain}>\n\n"));
    match &letter.text {
        Some(body) => text.push_str(&format!("{body}\n")),
        None => text.push_str("Hello.\n"),
    }
    text
}

/// What a sink took, as it passes it on.
///
/// # Errors
///
/// The seal cannot be made.
pub fn changed(message: &str, passing: &Passing, domain: &str, key: Option<&Path>) -> Result<String, String> {
    let mut text = message.replace("\r\n", "\n");
    if let Some(results) = &passing.seals {
        let key = key.ok_or("who seals has to have the line `signs`")?;
        text = sealed(
            &format!("Authentication-Results: mx.{domain}; {results}\n{text}"),
            passing,
            domain,
            key,
        )?;
    } else if let Some(footer) = &passing.footer {
        text.push_str(&format!("{footer}\n"));
    }
    Ok(text)
}

/// The list seals what it sends (RFC 8617 §5.1): the footer is in it already.
fn sealed(text: &str, passing: &Passing, domain: &str, key: &Path) -> Result<String, String> {
    let text = match &passing.footer {
        Some(footer) => format!("{text}{footer}\n"),
        None => text.to_owned(),
    };
    let program = find("arcsign").ok_or("arcsign is not installed")?;
    let mut child = Command::new(program)
        .args([super::keys::SELECTOR, domain])
        .arg(key)
        .arg(format!("mx.{domain}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(text.replace('\n', "\r\n").as_bytes())
            .map_err(|error| error.to_string())?;
    }
    process::wait(&mut child, SEAL_LIMIT).ok_or("arcsign does not end")?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    if output.status.success() && said.starts_with("ARC-Seal:") {
        Ok(said)
    } else {
        Err(format!(
            "arcsign: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "a@s.test".into(),
            to: vec!["b@a.test".into()],
            header: vec!["From: Boss <boss@a.test>".into()],
            text: Some(".hidden".into()),
            outcome: Said::Refused,
            answers: vec!["550 5.7.1 *boss*".into()],
        }
    }

    #[test]
    fn what_the_story_says_stands_and_the_rest_is_usual() {
        let text = text_of(&letter(), "x", "letter-1", "s.test");
        let lines = "From: Boss <boss@a.test>\nTo: <b@a.test>\nSubject: x\nMessage-ID: <letter-1@s.test>\n\n.hidden\n";
        assert_eq!(text, lines);
        assert!(stuffed(&text).ends_with("\r\n\r\n..hidden\r\n"));
    }

    #[test]
    fn the_answer_has_to_be_as_the_story_says() {
        assert_eq!(holds("550-5.7.1 Not\n550 5.7.1 the boss", &letter()), Ok(()));
        for wrong in ["250 2.0.0 boss", "450 4.7.1 boss", "550 5.7.1 who", ""] {
            assert!(holds(wrong, &letter()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_adds_its_footer_at_the_end() {
        let passing = Passing {
            footer: Some("-- the list".into()),
            seals: None,
        };
        let text = changed("A: b\r\n\r\nHello.\r\n", &passing, "l.test", None);
        assert_eq!(text, Ok("A: b\n\nHello.\n-- the list\n".to_owned()));
    }
}
