//! `hearthpost queue …`

use mail::address::{Domain, Mailbox, Utf8};
use queue::attempt::{AttemptResult, Talk};
use queue::operate::Act;
use queue::params::TlsWish;
use serde::Serialize;
use serde_json::Value;

use super::{block_on, data_dir, not_done, parse, show, size_text, table};
use crate::cli::{ChangeArgs, Common, QueueCommand, SelectionArgs};
use crate::control::Request;
use crate::control::client::{Link, connect};
use crate::control::queue::{
    Attempt, Changed, Message, Page, Request as QueueRequest, Selection, Shown, Waiting,
};
use crate::exit::{Failure, Outcome};
use crate::limits::SAMPLE_ROWS;

/// Runs the command.
pub fn run(command: QueueCommand) -> Outcome<()> {
    match command {
        QueueCommand::List {
            selection,
            held,
            common,
        } => {
            let mut selection = selected(selection)?;
            selection.held = held.then_some(true);
            list(&common, selection)
        }
        QueueCommand::Search {
            text,
            selection,
            common,
        } => {
            let mut selection = selected(selection)?;
            selection.text = Some(text);
            list(&common, selection)
        }
        QueueCommand::Show { id, common } => show_one(&common, id),
        QueueCommand::Retry(args) => change(Act::Retry, args),
        QueueCommand::Hold(args) => change(Act::Hold, args),
        QueueCommand::Release(args) => change(Act::Release, args),
        QueueCommand::Purge(args) => change(Act::Purge, args),
    }
}

fn selected(args: SelectionArgs) -> Outcome<Selection> {
    let from = args.from.map(|from| match from.as_str() {
        "<>" | "" => Ok(from),
        _ => address("--from", from),
    });
    Ok(Selection {
        id: args.id,
        from: from.transpose()?,
        to: args.to.map(|to| address("--to", to)).transpose()?,
        domain: args.domain.map(domain).transpose()?,
        older_than_s: args.older_than.as_deref().map(age).transpose()?,
        error: args.error,
        account: args.account,
        held: None,
        text: None,
    })
}

/// What can be nobody's address would mean nobody, and look as if nobody waited.
fn address(option: &str, text: String) -> Outcome<String> {
    let is_one = match text.strip_prefix('@') {
        Some(domain) => Domain::parse(domain).is_ok(),
        None => Mailbox::parse(&text, Utf8::Allowed).is_ok(),
    };
    is_one.then_some(text.clone()).ok_or_else(|| {
        Failure::Usage(format!(
            "{option} {text:?} is no address. Write name@example.org, or @example.org for all of a domain."
        ))
    })
}

fn domain(text: String) -> Outcome<String> {
    let read = Domain::parse(text.strip_prefix('@').unwrap_or(&text));
    read.is_ok().then_some(text.clone()).ok_or_else(|| {
        Failure::Usage(format!(
            "--domain {text:?} is no domain. Write it as example.org."
        ))
    })
}

/// Seconds of a text like `90 s`, `30min`, `4 h` or `5 days`.
fn age(text: &str) -> Outcome<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.trim() {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3600),
        "d" | "day" | "days" => Some(86_400),
        _ => None,
    };
    let seconds = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
    seconds.ok_or_else(|| {
        Failure::Usage(format!(
            "{text:?} is no age. Write it like \"30 min\", \"4 h\" or \"5 days\"."
        ))
    })
}

fn list(common: &Common, selection: Selection) -> Outcome<()> {
    let data = data_dir(common)?;
    let everybody = is_everybody(&selection) && selection.held.is_none();
    let all = block_on(async {
        let mut link = connect(&data).await?;
        let (mut all, mut after): (Vec<Waiting>, _) = (Vec::new(), None);
        loop {
            let selection = selection.clone();
            let page: Page = asked(&mut link, QueueRequest::List { selection, after }).await?;
            all.extend(page.waiting);
            if page.next.is_none() {
                return Ok(all);
            }
            after = page.next;
        }
    })?;
    show(common, &all, || match all.as_slice() {
        [] if everybody => vec!["Nothing waits.".to_owned()],
        [] => vec!["Nobody who waits is meant by that.".to_owned()],
        all => rows(all),
    })
}

async fn asked<T: serde::de::DeserializeOwned>(link: &mut Link, request: QueueRequest) -> Outcome<T> {
    parse(link.ask(Request::Queue(request)).await?)
}

fn rows(waiting: &[Waiting]) -> Vec<String> {
    let row = |one: &Waiting| {
        vec![
            one.queue_id.clone(),
            one.received_at.clone(),
            size_text(one.size_bytes),
            one.from.clone(),
            one.to.clone(),
            one.attempts.to_string(),
            next(one),
            one.reason.clone(),
        ]
    };
    let head = ["ID", "CAME", "SIZE", "FROM", "TO", "TRIES", "NEXT", "WHY"];
    table(&head, &waiting.iter().map(row).collect::<Vec<_>>())
}

fn next(one: &Waiting) -> String {
    match one.state.as_str() {
        "held" => "held".to_owned(),
        _ => one.due.clone(),
    }
}

/// What a change came to, for people and as JSON.
#[derive(Serialize)]
struct Came {
    matched: u64,
    sample: Vec<Waiting>,
    changed: u64,
}

fn change(act: Act, args: ChangeArgs) -> Outcome<()> {
    let ChangeArgs {
        selection,
        all,
        yes,
        common,
    } = args;
    let selection = selected(selection)?;
    if !all && is_everybody(&selection) {
        return Err(Failure::Usage(format!(
            "say who is meant, for example with --from or --domain, or --all for everybody who waits. \
             See who waits with: hearthpost queue list. See all ways with: hearthpost queue {} --help",
            act.name()
        )));
    }
    let data = data_dir(&common)?;
    let came = block_on(changed(&data, act, &selection, yes))?;
    show(&common, &came, || told(act, &came, yes))?;
    match yes || came.matched == 0 {
        true => Ok(()),
        false => not_done(&format!("{} them", act.name())),
    }
}

fn is_everybody(selection: &Selection) -> bool {
    let given = [
        &selection.id,
        &selection.from,
        &selection.to,
        &selection.domain,
        &selection.error,
        &selection.account,
        &selection.text,
    ];
    selection.older_than_s.is_none() && given.iter().all(|part| part.is_none())
}

async fn changed(data: &std::path::Path, act: Act, selection: &Selection, yes: bool) -> Outcome<Came> {
    let mut link = connect(data).await?;
    let mut after = None;
    let mut came = Came {
        matched: 0,
        sample: Vec::new(),
        changed: 0,
    };
    loop {
        let request = QueueRequest::Change {
            act,
            selection: selection.clone(),
            yes,
            after,
        };
        let part: Changed = asked(&mut link, request).await?;
        came.matched += part.matched;
        came.changed += part.changed;
        let room = SAMPLE_ROWS.saturating_sub(came.sample.len());
        came.sample.extend(part.sample.into_iter().take(room));
        if part.next.is_none() {
            return Ok(came);
        }
        after = part.next;
    }
}

fn told(act: Act, came: &Came, yes: bool) -> Vec<String> {
    let recipients = |n: u64| match n {
        1 => "1 recipient".to_owned(),
        n => format!("{n} recipients"),
    };
    if came.matched == 0 {
        return vec!["Nobody who waits is meant by that; nothing was changed.".to_owned()];
    }
    if yes {
        let done = match act {
            Act::Retry => "tried now",
            Act::Hold => "held",
            Act::Release => "released and tried now",
            Act::Purge => "removed; nobody is told",
        };
        let mut lines = vec![format!("{}: {done}.", recipients(came.changed))];
        if came.changed < came.matched {
            let gone = recipients(came.matched - came.changed);
            lines.push(format!("{gone} left the queue meanwhile."));
        }
        return lines;
    }
    let mut lines = vec![format!("{} meant:", recipients(came.matched))];
    lines.extend(rows(&came.sample));
    let more = came.matched - came.sample.len() as u64;
    if more > 0 {
        lines.push(format!("… and {more} more."));
    }
    lines
}

/// A message with its attempts, as JSON.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    shown: Shown,
    attempts: Vec<Attempt>,
}

fn show_one(common: &Common, id: String) -> Outcome<()> {
    let data = data_dir(common)?;
    let whole = block_on(async {
        let mut link = connect(&data).await?;
        let shown: Shown = asked(&mut link, QueueRequest::Show { id: id.clone() }).await?;
        let attempts = attempts(&mut link, &id).await?;
        Ok(Whole { shown, attempts })
    })?;
    show(common, &whole, || lines_of(&whole))
}

/// Every attempt for a message, in the order of their times.
pub async fn attempts(link: &mut Link, id: &str) -> Outcome<Vec<Attempt>> {
    let mut all: Vec<Attempt> = Vec::new();
    loop {
        let after = all.last().map(|last| (last.recipient, last.number));
        let id = id.to_owned();
        let page: Vec<Attempt> = asked(link, QueueRequest::Attempts { id, after }).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(all)
}

fn lines_of(whole: &Whole) -> Vec<String> {
    let id = &whole.shown.id;
    let mut lines = match &whole.shown.message {
        Some(message) => envelope_lines(id, message),
        None => vec![format!("{id}: nobody waits for it any more.")],
    };
    let row = |one: &Waiting| {
        vec![
            one.to.clone(),
            one.attempts.to_string(),
            next(one),
            one.deadline.clone(),
            one.reason.clone(),
        ]
    };
    if !whole.shown.recipients.is_empty() {
        lines.push(String::new());
        let rows: Vec<_> = whole.shown.recipients.iter().map(row).collect();
        lines.extend(table(&["TO", "TRIES", "NEXT", "DEADLINE", "WHY"], &rows));
    }
    lines.push(String::new());
    if whole.attempts.is_empty() {
        lines.push("Nobody tried yet.".to_owned());
    }
    lines.extend(whole.attempts.iter().flat_map(attempt_lines));
    lines
}

fn envelope_lines(id: &str, message: &Message) -> Vec<String> {
    let params = &message.params;
    let mut lines = vec![format!(
        "{id} from {}, {}, came {}",
        message.from,
        size_text(message.size_bytes),
        message.received_at
    )];
    let mut say = |text: String| lines.push(format!("  {text}"));
    match &message.account {
        Some(account) => say(format!("origin: {} by {account}", params.origin)),
        None => say(format!("origin: {}", params.origin)),
    }
    if let Some(envid) = &params.envid {
        say(format!("the sender's name for it: {envid:?}"));
    }
    let time = |unix_ms: u64| world::clock::UnixMs(unix_ms).rfc3339();
    if let Some(until) = params.hold_until_unix_ms {
        say(format!("not before {}, as the sender asked", time(until)));
    }
    if let Some(by) = params.deliver_by {
        say(format!("by {}, as the sender asked", time(by.until_unix_ms)));
    }
    match params.tls {
        TlsWish::Nothing => {}
        TlsWish::RequireTls => {
            say("only over verified TLS, all the way, as the sender asked (REQUIRETLS)".to_owned())
        }
        TlsWish::NotRequired => {
            say("rather in the clear than not at all, as the sender asked (TLS-Required: No)".to_owned());
        }
    }
    lines
}

/// An attempt for people: what came of it, and each conversation with each reply.
pub fn attempt_lines(attempt: &Attempt) -> Vec<String> {
    let what = &attempt.what;
    let result = match what.result {
        AttemptResult::Delivered => "delivered",
        AttemptResult::Later => "later",
        AttemptResult::Failed => "failed",
        AttemptResult::Purged => "removed",
    };
    let mut line = format!("{} {}: {result}", attempt.at, safe(&attempt.to));
    for text in [&what.status, &what.reason] {
        if !text.is_empty() {
            line.push_str(&format!(" {}", safe(text)));
        }
    }
    if what.duration_ms > 0 {
        line.push_str(&format!(" ({} ms)", what.duration_ms));
    }
    let mut lines = vec![line];
    lines.extend(what.talks.iter().flat_map(talk_lines));
    lines
}

fn talk_lines(talk: &Talk) -> Vec<String> {
    let mut line = format!("  {} {}", safe(&talk.host), safe(&talk.address));
    if !talk.source.is_empty() {
        line.push_str(&format!(" from {}", safe(&talk.source)));
    }
    if talk.reused {
        line.push_str(", on an open connection");
    }
    match &talk.tls {
        Some(tls) if tls.dane => line.push_str(&format!(
            ", {} {}, verified by DNS (DANE)",
            tls.version, tls.cipher
        )),
        Some(tls) if tls.verified => line.push_str(&format!(", {} {}, verified", tls.version, tls.cipher)),
        Some(tls) => line.push_str(&format!(
            ", {} {}, not verified: {}",
            tls.version,
            tls.cipher,
            safe(&tls.unverified_because)
        )),
        // Refused before any connection was made.
        None if talk.address.is_empty() => {}
        None => line.push_str(", no TLS"),
    }
    line.push_str(&format!(", {} ms", talk.duration_ms));
    let mut lines = vec![line];
    if !talk.rule.is_empty() {
        lines.push(format!("    asked for {}", safe(&talk.rule)));
    }
    lines.extend(
        talk.replies
            .iter()
            .map(|one| format!("    {}: {}", safe(&one.stage), safe(&one.reply))),
    );
    if !talk.trouble.is_empty() {
        lines.push(format!("    {}", safe(&talk.trouble)));
    }
    lines
}

/// What another server said, fit for a terminal.
fn safe(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}

/// An attempt as one line of JSON, in the shape of a line of the log.
pub fn attempt_json(attempt: &Attempt) -> String {
    let mut value = serde_json::to_value(attempt).unwrap_or(Value::Null);
    if let Some(object) = value.as_object_mut() {
        let at = object.remove("at").unwrap_or(Value::Null);
        object.insert("time".to_owned(), at);
        object.insert("event".to_owned(), Value::from("attempt"));
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use queue::attempt::{AttemptText, Replied, TlsText};

    use super::*;

    #[test]
    fn ages_are_read() {
        let table = [
            ("90 s", 90),
            ("30min", 1800),
            ("4 h", 14_400),
            ("5 days", 432_000),
            ("1d", 86_400),
        ];
        for (text, seconds) in table {
            assert_eq!(age(text).unwrap(), seconds, "{text}");
        }
        for bad in ["", "5", "h", "-1 h", "1 year", "99999999999999999999 s"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attempt_tells_host_address_tls_replies_and_duration_in_order() {
        let reply = |stage: &str, reply: &str| Replied {
            stage: stage.to_owned(),
            reply: reply.to_owned(),
        };
        let attempt = Attempt {
            recipient: 0,
            number: 2,
            to: "eve@there.test".to_owned(),
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            what: AttemptText {
                status: "4.2.1".to_owned(),
                reason: "mx.there.test wants it later".to_owned(),
                duration_ms: 70,
                talks: vec![Talk {
                    host: "mx.there.test".to_owned(),
                    address: "192.0.2.1:25".to_owned(),
                    source: "192.0.2.9".to_owned(),
                    tls: Some(TlsText {
                        version: "TLSv1.3".to_owned(),
                        cipher: "TLS13_AES_128_GCM_SHA256".to_owned(),
                        verified: false,
                        unverified_because: "it is self-signed".to_owned(),
                        dane: false,
                    }),
                    rule: "TLS with any certificate: somebody says so".to_owned(),
                    replies: vec![
                        reply("banner", "220 hi\u{1b}[2J"),
                        reply("rcpt", "450 4.2.1 later"),
                    ],
                    duration_ms: 65,
                    ..Talk::default()
                }],
                ..AttemptText::default()
            },
        };
        let want = [
            "2026-01-01T00:00:00.000Z eve@there.test: later 4.2.1 mx.there.test wants it later (70 ms)",
            "  mx.there.test 192.0.2.1:25 from 192.0.2.9, TLSv1.3 TLS13_AES_128_GCM_SHA256, not verified: it is self-signed, 65 ms",
            "    asked for TLS with any certificate: somebody says so",
            "    banner: 220 hi\u{fffd}[2J",
            "    rcpt: 450 4.2.1 later",
        ];
        assert_eq!(attempt_lines(&attempt), want);
        assert!(attempt_json(&attempt).contains(r#""time":"2026-01-01T00:00:00.000Z""#));
    }
}
