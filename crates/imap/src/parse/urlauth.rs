//! RESETKEY, GENURLAUTH, URLFETCH (RFC 4467 §7).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, ResetKey, UrlRump};
use crate::limits::URLS;

/// `resetkey = "RESETKEY" [SP mailbox *(SP mechanism)]`
pub(super) fn reset_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut reset = ResetKey {
        mailbox: None,
        mechanisms: Vec::new(),
    };
    if cursor.more() {
        reset.mailbox = Some(cursor.mailbox()?);
        while cursor.more() {
            reset.mechanisms.push(mechanism(cursor)?);
        }
    }
    Ok(Command::ResetKey(reset))
}

/// `genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism)`
pub(super) fn generate_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    several(cursor, |cursor| {
        let url = cursor.astring()?.into_owned();
        cursor.space()?;
        let mechanism = mechanism(cursor)?;
        Ok(UrlRump { url, mechanism })
    })
    .map(Command::GenUrlAuth)
}

/// `urlfetch = "URLFETCH" 1*(SP url-full)`, `url-full = astring`
pub(super) fn fetch_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    several(cursor, |cursor| {
        cursor.astring().map(std::borrow::Cow::into_owned)
    })
    .map(Command::UrlFetch)
}

fn several<T>(cursor: &mut Cursor<'_>, item: impl Fn(&mut Cursor<'_>) -> Parsed<T>) -> Parsed<Vec<T>> {
    cursor.space()?;
    let mut items = vec![item(cursor)?];
    while cursor.more() {
        if items.len() == URLS {
            return Err(Trouble::bad("Too many URLs in one command"));
        }
        items.push(item(cursor)?);
    }
    Ok(items)
}

/// `mechanism = "INTERNAL" / 1*(ALPHA / DIGIT / "-" / ".")`; upper case
fn mechanism(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let word = cursor.run_of(is_in, "A mechanism is missing")?;
    Ok(String::from_utf8_lossy(word).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::command;

    #[test]
    fn commands_of_urlauth() {
        let Some(Command::ResetKey(reset)) = command("RESETKEY INBOX internal X-1") else {
            panic!("a command")
        };
        assert_eq!(reset.mechanisms, ["INTERNAL", "X-1"]);
        assert!(reset.mailbox.is_some_and(|name| name.is_inbox()));
        assert!(matches!(command("resetkey"), Some(Command::ResetKey(reset)) if reset.mailbox.is_none()));
        let Some(Command::GenUrlAuth(rumps)) = command("GENURLAUTH \"a\" INTERNAL {1+}\r\nb x") else {
            panic!("a command")
        };
        let read: Vec<_> = rumps
            .iter()
            .map(|rump| (rump.url.as_slice(), rump.mechanism.as_str()))
            .collect();
        assert_eq!(read, [(&b"a"[..], "INTERNAL"), (b"b", "X")]);
        let fetch = command("URLFETCH imap://a@b/c/;UID=1;URLAUTH=anonymous:internal:00 \"d\"");
        assert!(matches!(fetch, Some(Command::UrlFetch(urls)) if urls.len() == 2 && urls[1] == b"d"));
        let many = |count| command(&format!("URLFETCH{}", " a".repeat(count)));
        assert!(many(URLS).is_some() && many(URLS + 1).is_none());
        for bad in [
            "GENURLAUTH",
            "GENURLAUTH a",
            "GENURLAUTH a b c",
            "URLFETCH",
            "URLFETCH (a)",
            "RESETKEY INBOX ()",
        ] {
            assert_eq!(command(bad), None, "{bad}");
        }
    }
}
