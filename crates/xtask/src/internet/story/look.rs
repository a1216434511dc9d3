//! Waiting for what is expected: what is looked at, and when it counts.

use super::{Bound, Check, Expectation, check};
use crate::campaign::mailer::{Person, has_line, is_report};
use crate::internet::hosts::Hosts;
use crate::internet::sinks::Doors;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a mailbox or a queue is looked at while something is expected.
const LOOK: Duration = Duration::from_millis(200);
/// How often a sink is: a kill shall hit it in the middle of its work.
const LOOK_AT_SINK: Duration = Duration::from_millis(2);

/// What one look showed.
pub enum Seen<T> {
    /// it is so
    There(T),
    /// it may still become so; what is there now
    NotYet(String),
    /// it can no longer become so
    Never(String),
}

/// Looks until it is so.
///
/// # Errors
///
/// It is not so in time, or too early, or can no longer become so.
pub fn until<T>(
    bound: Bound,
    sent: Instant,
    pause: Duration,
    mut look: impl FnMut() -> Result<Seen<T>, String>,
) -> Result<T, String> {
    let (begin, from, to) = match bound {
        Bound::Now => (Instant::now(), Duration::ZERO, Duration::ZERO),
        Bound::Within(time) => (Instant::now(), Duration::ZERO, time),
        Bound::AfterSending { from, to } => (sent, from, to),
    };
    loop {
        let late = begin.elapsed() > to;
        match look()? {
            Seen::There(_) if begin.elapsed() < from => {
                return Err(format!("too early: after {:.1} s", begin.elapsed().as_secs_f64()));
            }
            Seen::There(found) => return Ok(found),
            Seen::Never(why) => return Err(why),
            Seen::NotYet(why) if late || bound == Bound::Now => return Err(why),
            Seen::NotYet(_) => std::thread::sleep(pause),
        }
    }
}

/// One message of a mailbox that fits; several can never become one.
fn one(messages: Vec<String>, fits: impl Fn(&str) -> bool) -> Seen<String> {
    let number = messages.len();
    let mut found: Vec<String> = messages.into_iter().filter(|message| fits(message)).collect();
    match found.len() {
        1 => Seen::There(found.remove(0)),
        0 => Seen::NotYet(format!("it is not there; {number} other messages are")),
        count => Seen::Never(format!("it is there {count} times")),
    }
}

/// Exactly one message with this Subject, in a mailbox that `read` reads.
pub fn receives(
    read: impl Fn() -> Result<Vec<String>, String>,
    subject: &str,
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let line = format!("Subject: {subject}");
    // A report has the header of another message in its body.
    let header = |message: &str| message.split("\n\n").next().unwrap_or_default().to_owned();
    let fits = |message: &str| has_line(&header(message), &line);
    let message = until(bound, sent, LOOK, || Ok(one(read()?, fits)))?;
    check::text(&message, checks)
}

/// Exactly one report on this recipient.
pub fn report(
    person: &Person,
    (about, action): (&str, &str),
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let fits = |message: &str| is_report(message, action, about);
    let message = until(bound, sent, LOOK, || Ok(one(person.read("INBOX")?, fits)))?;
    check::text(&message, checks)
}

/// Exactly one report on a message with this Subject.
pub fn report_on(
    person: &Person,
    subject: &str,
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let line = format!("Subject: {subject}");
    let fits = |message: &str| message.contains("report-type=") && has_line(message, &line);
    let message = until(bound, sent, LOOK, || Ok(one(person.read("INBOX")?, fits)))?;
    check::text(&message, checks)
}

/// No report of any kind about this recipient.
pub fn no_report(person: &Person, about: &str) -> Result<(), String> {
    let actions = ["failed", "delayed", "relayed", "delivered"];
    let all = person.read("INBOX")?;
    let found = all
        .iter()
        .find(|message| actions.iter().any(|action| is_report(message, action, about)));
    found.map_or(Ok(()), |report| Err(format!("there is one:\n{report}")))
}

/// The row of this recipient, or with `None` that nobody waits.
pub fn queue(
    hosts: &Hosts,
    host: &str,
    who: Option<&str>,
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let server = &hosts.hearthpost(host)?.server;
    until(bound, sent, LOOK, || {
        let rows = server.borrow().waiting()?;
        let shown = rows
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        Ok(match who {
            None if rows.is_empty() => Seen::There(()),
            None => Seen::NotYet(format!("these wait:\n{shown}")),
            Some(who) => {
                let row = rows.iter().map(ToString::to_string).find(|row| row.contains(who));
                let held = row
                    .ok_or_else(|| format!("not among those who wait:\n{shown}"))
                    .and_then(|row| check::text(&row, checks));
                held.map_or_else(Seen::NotYet, Seen::There)
            }
        })
    })
}

/// What the server tells of the newest message to `about`: the lines of its log and every attempt, in order.
pub fn timeline(
    hosts: &Hosts,
    host: &str,
    about: &str,
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let server = &hosts.hearthpost(host)?.server;
    until(bound, sent, LOOK, || {
        let told = server.borrow().timeline_of(about);
        let held = told.and_then(|told| check::text(&told, checks));
        Ok(held.map_or_else(Seen::NotYet, Seen::There))
    })
}

/// What a server reports on a domain's TLS.
pub fn report_on_tls(
    hosts: &Hosts,
    (host, domain): (&str, &str),
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<(), String> {
    let server = &hosts.hearthpost(host)?.server;
    until(bound, sent, LOOK, || {
        let told = server.borrow().tell(&["tls", "report", domain, "--day", "today"]);
        let held = told.and_then(|told| check::text(&told, checks));
        Ok(held.map_or_else(Seen::NotYet, Seen::There))
    })
}

/// What a sink took since `mark`; how much it has taken in all.
pub fn takes(
    doors: &Doors,
    (mark, count, or_more): (u64, u64, bool),
    bound: Bound,
    sent: Instant,
    checks: &[Check],
) -> Result<u64, String> {
    let all = until(bound, sent, LOOK_AT_SINK, || {
        let (all, new) = (doors.count(), doors.count().saturating_sub(mark));
        Ok(match new.cmp(&count) {
            std::cmp::Ordering::Equal => Seen::There(all),
            std::cmp::Ordering::Greater if or_more => Seen::There(all),
            std::cmp::Ordering::Greater => Seen::Never(format!("it took {new}")),
            std::cmp::Ordering::Less => Seen::NotYet(format!("it took {new}; {}", doors.told())),
        })
    })?;
    if !checks.is_empty() {
        let mark = usize::try_from(mark).unwrap_or(usize::MAX);
        for message in doors.taken().iter().skip(mark) {
            check::taken(message, checks)?;
        }
    }
    Ok(all)
}

/// What is asked of all that a sink took. A remark for people.
pub fn sink(
    doors: &Doors,
    what: &Expectation,
    bound: Bound,
    sent: Instant,
) -> Result<Option<String>, String> {
    match what {
        Expectation::Different { count, .. } => {
            until(bound, sent, LOOK_AT_SINK, || {
                let is = doors.counts().len();
                Ok(match is.cmp(count) {
                    std::cmp::Ordering::Less => Seen::NotYet(format!("it took {is} different ones")),
                    std::cmp::Ordering::Equal => Seen::There(()),
                    std::cmp::Ordering::Greater => Seen::Never(format!("it took {is} different ones")),
                })
            })?;
            Ok(None)
        }
        Expectation::NothingTwice { .. } => {
            let mut counts = doors.counts();
            counts.retain(|_, count| *count > 1);
            if counts.is_empty() {
                Ok(None)
            } else {
                Err(format!("it took more than once: {counts:?}"))
            }
        }
        Expectation::TwiceAtMost { count, .. } => {
            let (doubled, most) = doubled(doors);
            if most <= *count {
                Ok(Some(format!("{doubled} doubled")))
            } else {
                Err(format!("{doubled} doubled, up to {most} of one connection"))
            }
        }
        Expectation::Connections { count, .. } => {
            let most = doors.most_open();
            if most <= *count {
                Ok(Some(format!("at most {most} connections at a time")))
            } else {
                Err(format!("{most} connections at a time"))
            }
        }
        _ => Ok(None),
    }
}

/// How many messages came again after they had been taken, and how many of them at most over one connection.
fn doubled(doors: &Doors) -> (usize, usize) {
    let mut last_taken_over = BTreeMap::new();
    let mut by_connection: BTreeMap<(bool, u64), usize> = BTreeMap::new();
    for taken in doors.taken() {
        let connection = (taken.door == super::Family::V6, taken.message.connection);
        if let Some(earlier) = last_taken_over.insert(taken.message.message_id, connection) {
            *by_connection.entry(earlier).or_default() += 1;
        }
    }
    (
        by_connection.values().sum(),
        by_connection.values().copied().max().unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(bound: Bound, seen: impl Fn() -> Seen<u8>) -> Result<u8, String> {
        until(bound, Instant::now(), Duration::ZERO, || Ok(seen()))
    }

    #[test]
    fn what_is_expected_has_its_time() {
        let (none, long) = (Duration::ZERO, Duration::from_secs(3600));
        let not_yet = || Seen::NotYet("later".into());
        assert_eq!(wait(Bound::Now, || Seen::There(1)), Ok(1));
        assert_eq!(wait(Bound::Now, not_yet), Err("later".into()));
        assert_eq!(wait(Bound::Within(none), not_yet), Err("later".into()));
        assert_eq!(
            wait(Bound::Within(long), || Seen::Never("no".into())),
            Err("no".into())
        );
        let too_early = Bound::AfterSending { from: long, to: long };
        assert!(
            wait(too_early, || Seen::There(1))
                .unwrap_err()
                .starts_with("too early")
        );
    }

    #[test]
    fn one_message_is_not_two() {
        let mailbox = |count| vec!["x".to_owned(); count];
        let fits = |message: &str| message == "x";
        assert!(matches!(one(mailbox(0), fits), Seen::NotYet(_)));
        assert!(matches!(one(mailbox(1), fits), Seen::There(_)));
        assert!(matches!(one(mailbox(2), fits), Seen::Never(_)));
    }
}
