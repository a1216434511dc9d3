//! IMAP URLs (RFC 5092) that name one message or a part of it, as CATENATE (RFC 4469) and URLAUTH (RFC 4467) take them.
//!
//! `imap://user@host/Drafts;UIDVALIDITY=7/;UID=20/;SECTION=1.2/;PARTIAL=0.1024;EXPIRE=…;URLAUTH=user+fred:INTERNAL:…`; a relative one
//! begins with `/` (a mailbox of whoever asks) or `;` (the open mailbox). Everything else that RFC 5092 can say (lists of messages,
//! searches, paths relative to a mailbox) is refused: nobody who asks here means it.

use std::num::NonZeroU32;

use crate::command::Section;
use crate::date::{Date, DateTime};
use crate::limits::URL_BYTES;
use crate::name::MailboxName;
use crate::parse;

/// One message, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// whose and where; `None` in a relative URL
    pub server: Option<Server>,
    /// `None`: the open mailbox
    pub mailbox: Option<MailboxName>,
    /// the mailbox must have it, if it is said
    pub uidvalidity: Option<NonZeroU32>,
    /// which message
    pub uid: NonZeroU32,
    /// the whole message, if not said
    pub section: Section,
    /// only these octets of it
    pub partial: Option<UrlPartial>,
    /// who may use it (RFC 4467)
    pub access: Option<UrlAccess>,
}

/// `iserver`: `[user[;AUTH=…]@]host[:port]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// whose mailboxes; decoded
    pub user: Option<String>,
    /// host and port as written
    pub host: String,
}

/// `;PARTIAL=offset[.length]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlPartial {
    /// first octet, counted from 0
    pub offset: u32,
    /// at most so many; to the end, if absent
    pub length: Option<NonZeroU32>,
}

impl UrlPartial {
    /// The octets it leaves of so many: from, to.
    pub fn within(self, size: u64) -> (u64, u64) {
        let start = u64::from(self.offset).min(size);
        let end = self.length.map_or(size, |length| start + u64::from(length.get()));
        (start, end.min(size))
    }
}

/// `[;EXPIRE=…];URLAUTH=access[:mechanism:token]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlAccess {
    /// worth nothing from then on
    pub expires: Option<DateTime>,
    /// who may use it
    pub who: Access,
    /// octets of the URL before the colon of the verifier: what the token was made from
    pub rump_bytes: usize,
    /// absent in a rump
    pub verifier: Option<Verifier>,
}

/// The access identifiers of RFC 4467 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// `submit+user`: the server of submission, for a message of this user
    Submit(String),
    /// `user+user`: this user
    User(String),
    /// `authuser`: whoever signed in
    AnyUser,
    /// `anonymous`: everybody
    Anonymous,
}

/// `:mechanism:token`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// upper case
    pub mechanism: String,
    /// the octets that the hexadecimal digits mean; at least 16
    pub token: Vec<u8>,
}

impl Url {
    /// Reads a URL. `None`: it is none, or says something that is not taken here.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > URL_BYTES || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let (server, path) = server_and_path(text)?;
        let (mailbox, mut rest) = path.split_at(path.find(';')?);
        let uidvalidity = match parameter(&mut rest, "UIDVALIDITY") {
            Some(value) => Some(number(value.strip_suffix('/')?)?),
            None => None,
        };
        let mailbox = match uidvalidity {
            Some(_) => mailbox,
            None => mailbox.strip_suffix('/').unwrap_or(""),
        };
        let is_open_one = path.starts_with(';') && !text.starts_with('/') && server.is_none();
        let mailbox = match mailbox {
            "" if is_open_one && uidvalidity.is_none() => None,
            name => Some(mailbox_name(name)?),
        };
        let uid = number(part_of_path(&mut rest, "UID")?)?;
        let section = match part_of_path(&mut rest, "SECTION") {
            Some(value) => parse::section_spec(&decoded(value, is_bchar)?)?,
            None => Section::default(),
        };
        let partial = match part_of_path(&mut rest, "PARTIAL") {
            Some(value) => Some(partial(value)?),
            None => None,
        };
        let access = access(text, &mut rest)?;
        rest.is_empty().then_some(Self {
            server,
            mailbox,
            uidvalidity,
            uid,
            section,
            partial,
            access,
        })
    }
}

/// `"imap://" iserver "/" …`, `"/" …` or `";" …`
fn server_and_path(text: &str) -> Option<(Option<Server>, &str)> {
    if let Some(path) = text.strip_prefix('/') {
        return Some((None, path));
    }
    if text.starts_with(';') {
        return Some((None, text));
    }
    let (scheme, rest) = text.split_at_checked("imap://".len())?;
    if !scheme.eq_ignore_ascii_case("imap://") {
        return None;
    }
    let (authority, path) = rest.split_once('/')?;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user_name(user)?), host),
        None => (None, authority),
    };
    let host_octets = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    if host.is_empty() || !host.bytes().all(host_octets) {
        return None;
    }
    let host = host.to_owned();
    Some((Some(Server { user, host }), path))
}

/// `enc-user [";AUTH=" …]`; how one would sign in does not matter here.
fn user_name(text: &str) -> Option<String> {
    let user = text.split_once(';').map_or(text, |(user, _)| user);
    let user = decoded(user, is_achar)?;
    String::from_utf8(user).ok().filter(|user| !user.is_empty())
}

fn mailbox_name(text: &str) -> Option<MailboxName> {
    let octets = decoded(text, is_bchar)?;
    MailboxName::from_utf8(std::str::from_utf8(&octets).ok()?).ok()
}

/// The value of `;NAME=value` if it is next, up to the next `;`.
fn parameter<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let after = rest.strip_prefix(';')?;
    let (found, value) = after.split_once('=')?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    let end = value.find(';').unwrap_or(value.len());
    let (value, left) = value.split_at(end);
    *rest = left;
    Some(value)
}

/// Like `parameter`; a `/` stands before the next part of the path, and only there.
fn part_of_path<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let value = parameter(rest, name)?;
    let another = ["SECTION", "PARTIAL"]
        .iter()
        .any(|name| parameter(&mut &**rest, name).is_some());
    if another {
        // A value without it is spoilt: no number or section ends so.
        Some(value.strip_suffix('/').unwrap_or(";"))
    } else {
        Some(value)
    }
}

/// `nz-number`
fn number(text: &str) -> Option<NonZeroU32> {
    whole_number(text).and_then(NonZeroU32::new)
}

fn whole_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn partial(text: &str) -> Option<UrlPartial> {
    let (offset, length) = match text.split_once('.') {
        Some((offset, length)) => (offset, Some(number(length)?)),
        None => (text, None),
    };
    let offset = whole_number(offset)?;
    Some(UrlPartial { offset, length })
}

/// `[";EXPIRE=" date-time] [";URLAUTH=" access [":" mechanism ":" enc-urlauth]]`. `None`: it cannot be read.
#[allow(clippy::option_option)]
fn access(text: &str, rest: &mut &str) -> Option<Option<UrlAccess>> {
    let expires = match parameter(rest, "EXPIRE") {
        Some(value) => Some(rfc3339(value)?),
        None => None,
    };
    let Some(value) = parameter(rest, "URLAUTH") else {
        return expires.is_none().then_some(None);
    };
    let (who, verifier) = match value.split_once(':') {
        Some((who, verifier)) => (who, Some(verifier)),
        None => (value, None),
    };
    // `rest` is empty in what is accepted, so the verifier stands at the end.
    let rump_bytes = text.len() - verifier.map_or(0, |verifier| verifier.len() + 1);
    Some(Some(UrlAccess {
        expires,
        who: access_of(who)?,
        rump_bytes,
        verifier: match verifier {
            Some(verifier) => Some(verifier_of(verifier)?),
            None => None,
        },
    }))
}

fn access_of(text: &str) -> Option<Access> {
    let (kind, user) = match text.split_once('+') {
        Some((kind, user)) => (kind, Some(user_name(user)?)),
        None => (text, None),
    };
    match (kind.to_ascii_lowercase().as_str(), user) {
        ("submit", Some(user)) => Some(Access::Submit(user)),
        ("user", Some(user)) => Some(Access::User(user)),
        ("authuser", None) => Some(Access::AnyUser),
        ("anonymous", None) => Some(Access::Anonymous),
        _ => None,
    }
}

/// `uauth-mechanism ":" enc-urlauth`, `enc-urlauth = 32*HEXDIG`
fn verifier_of(text: &str) -> Option<Verifier> {
    let (mechanism, digits) = text.split_once(':')?;
    let is_mechanism = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if mechanism.is_empty() || !mechanism.bytes().all(is_mechanism) || digits.len() < 32 {
        return None;
    }
    let digits = digits.as_bytes().chunks(2);
    let octets = digits.map(|pair| match pair {
        [high, low] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    });
    let token = octets.collect::<Option<Vec<u8>>>()?;
    let mechanism = mechanism.to_ascii_uppercase();
    Some(Verifier { mechanism, token })
}

/// `2026-11-26T12:00:00Z`, `2026-11-26T12:00:00.5+01:00` (RFC 3339 §5.6)
fn rfc3339(text: &str) -> Option<DateTime> {
    let (head, tail) = text.split_at_checked(19)?;
    let [year, month, day, hour, minute, second] = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)]
        .map(|(from, to)| whole_number(head.get(from..to)?));
    let octets = head.as_bytes();
    let marks = [octets[4], octets[7], octets[10], octets[13], octets[16]];
    if !matches!(marks, [b'-', b'-', b'T' | b't', b':', b':']) {
        return None;
    }
    let zone = match tail.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            &fraction[digits..]
        }
        None => tail,
    };
    let small = |number: Option<u32>| u8::try_from(number?).ok();
    let date = Date::new(u16::try_from(year?).ok()?, small(month)?, small(day)?)?;
    DateTime::new(
        date,
        small(hour)?,
        small(minute)?,
        small(second)?,
        zone_minutes(zone)?,
    )
}

fn zone_minutes(text: &str) -> Option<i16> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (whole_number(hours)?, whole_number(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let all = i16::try_from(hours * 60 + minutes).ok()?;
    match sign {
        "+" => Some(all),
        "-" => Some(-all),
        _ => None,
    }
}

/// `%xx` undone; other octets must be of the class.
fn decoded(text: &str, is_in: fn(u8) -> bool) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        octets.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte if is_in(byte) => byte,
            _ => return None,
        });
    }
    Some(octets)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// `achar` of RFC 5092 §11, without `%xx`
fn is_achar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*+,&=".contains(&byte)
}

/// `bchar = achar / ":" / "@" / "/"`
fn is_bchar(byte: u8) -> bool {
    is_achar(byte) || b":@/".contains(&byte)
}

#[cfg(test)]
mod tests;
