//! The part for people: plain words first, the original answer behind them.

use mail::date::rfc5322;

use super::{Answer, Kind, Reader, Report, Told, clean, original, situation, words};
use crate::limits::{REPLY_LINE_BYTES, REPLY_LINES};

/// Letters of a line before it is wrapped.
const WIDTH: usize = 72;

/// The subject: what became of it, and for whom.
pub(super) fn subject(report: &Report<'_>) -> String {
    let what = match report.kind {
        Kind::Failed if report.reader == Reader::Postmaster => "Report not delivered",
        Kind::Failed => "Not delivered",
        Kind::Delayed => "Delayed",
        Kind::Relayed => "Passed on",
        Kind::Delivered => "Delivered",
        Kind::Expanded => "Delivered",
    };
    match report.recipients.as_slice() {
        [one] => format!("{what}: {}", one.shown()),
        several => format!("{what}: {} addresses", several.len()),
    }
}

/// The whole text.
pub(super) fn plain(report: &Report<'_>) -> String {
    let mut text = String::new();
    paragraph(&mut text, "", &opening(report));
    for told in &report.recipients {
        text.push_str(&format!(
            "    {}\n\n",
            clean::line(&told.shown().to_string(), 300)
        ));
        one(&mut text, report, told);
    }
    about(&mut text, report);
    text
}

fn opening(report: &Report<'_>) -> String {
    let address = match report.recipients.len() {
        1 => "this address",
        _ => "these addresses",
    };
    let said = match report.kind {
        Kind::Failed if report.reader == Reader::Postmaster => {
            format!(
                "A report that this server wrote could not be delivered to {address}. A report has no sender who could be told, so you get it as postmaster:"
            )
        }
        Kind::Failed => {
            format!("Your message was NOT delivered to {address}, and it will not be tried again:")
        }
        Kind::Delayed => format!(
            "Your message has not reached {address} yet. It is still being tried; you need not send it again:"
        ),
        Kind::Relayed => format!(
            "Your message for {address} was handed to the next server, which sends no delivery notices of its own:"
        ),
        Kind::Delivered => format!("Your message was delivered to {address}, as you asked to be told:"),
        Kind::Expanded => {
            format!(
                "Your message was delivered to {address}, which stands for several addresses, and goes on to each of them. \
                 You are told again only if that fails:"
            )
        }
    };
    format!("This is the mail server {}. {said}", report.host)
}

fn one(text: &mut String, report: &Report<'_>, told: &Told<'_>) {
    match report.kind {
        Kind::Failed => {
            let words = words::of(situation::of(told));
            if told.expired {
                paragraph(text, "    ", &tried_for(report));
            }
            paragraph(text, "    ", &filled(words.what, told));
            paragraph(
                text,
                "    ",
                &format!("Whose turn it is: {}.", words.turn.words()),
            );
            paragraph(text, "    ", &format!("Next step: {}", filled(words.next, told)));
            answer(text, told);
        }
        Kind::Delayed => {
            let words = words::of(situation::of(told));
            paragraph(text, "    ", &format!("So far: {}", filled(words.what, told)));
            let until = told.retry_until.map_or_else(
                || "It is tried again on its own.".to_owned(),
                |until| format!("It is tried again on its own, until {}.", rfc5322(until.0)),
            );
            paragraph(text, "    ", &format!("Next step: none. {until}"));
            answer(text, told);
        }
        Kind::Relayed | Kind::Delivered | Kind::Expanded => answer(text, told),
    }
}

fn tried_for(report: &Report<'_>) -> String {
    let hours = report.now.0.saturating_sub(report.arrived.0) / 3_600_000;
    let span = match hours {
        0 => "some minutes".to_owned(),
        1 => "an hour".to_owned(),
        2..48 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    };
    format!("It was tried for {span}. This is what happened the last time:")
}

fn filled(words: &str, told: &Told<'_>) -> String {
    words.replace("{domain}", &told.shown().domain().to_unicode())
}

/// The original answer, as it came.
fn answer(text: &mut String, told: &Told<'_>) {
    match &told.answer {
        Answer::Server { host, .. } => {
            let lines = reply(told);
            if lines.is_empty() {
                return;
            }
            paragraph(
                text,
                "    ",
                &format!("The server {} answered:", clean::line(host, 255)),
            );
            for line in lines {
                text.push_str(&format!("        {line}\n"));
            }
            text.push('\n');
        }
        Answer::Ours { text: words, .. } if !words.is_empty() => {
            paragraph(
                text,
                "    ",
                &format!("Details: {}", clean::line(&clean::ours(words), 500)),
            );
        }
        Answer::Ours { .. } => {}
    }
}

/// The reply's lines with their codes, an address behind ours replaced by ours.
pub(super) fn reply(told: &Told<'_>) -> Vec<String> {
    let Answer::Server {
        code,
        enhanced,
        lines,
        ..
    } = &told.answer
    else {
        return Vec::new();
    };
    let last = lines.len().min(REPLY_LINES).saturating_sub(1);
    let written = lines.iter().take(REPLY_LINES).enumerate().map(|(place, line)| {
        let mark = if place == last { ' ' } else { '-' };
        let enhanced = enhanced.map(|(class, subject, detail)| format!("{class}.{subject}.{detail} "));
        // A line that was kept with its code is not given another one.
        let head = match enhanced {
            Some(enhanced) if !line.starts_with(enhanced.trim_end()) => format!("{code}{mark}{enhanced}"),
            _ => format!("{code}{mark}"),
        };
        let line = line.strip_prefix(&format!("{code}{mark}")).unwrap_or(line);
        format!(
            "{head}{}",
            clean::line(&without_target(line, told), REPLY_LINE_BYTES)
        )
    });
    written.collect()
}

/// The sender wrote to an address of ours, and learns of no other.
fn without_target(line: &str, told: &Told<'_>) -> String {
    let Some(via) = told.via else {
        return line.to_owned();
    };
    let target = told.address.to_string();
    let small = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut from = 0;
    while let Some(at) = small[from..].find(&target.to_ascii_lowercase()) {
        out.push_str(&line[from..from + at]);
        out.push_str(&via.to_string());
        from += at + target.len();
    }
    out.push_str(&line[from..]);
    out
}

/// What the report is about, so that people recognise it.
fn about(text: &mut String, report: &Report<'_>) {
    text.push_str(match report.reader {
        Reader::Sender => "Your message:\n\n",
        Reader::Postmaster => "The report:\n\n",
    });
    if let Some(subject) = original::shown_field(report.original.header, "Subject") {
        text.push_str(&format!("    Subject:  {subject}\n"));
    }
    if let Some(date) = original::shown_field(report.original.header, "Date") {
        text.push_str(&format!("    Date:     {date}\n"));
    }
    text.push_str(&format!("    Received: {}\n", rfc5322(report.arrived.0)));
    text.push_str(&format!("    Number:   {}\n\n", report.queue_id));
    let back = match report.original.whole {
        Some(_) => "your message",
        None => "the header of your message",
    };
    paragraph(
        text,
        "",
        &format!("Behind this text follow details for mail administrators and programs, and {back}."),
    );
}

/// Wrapped at [`WIDTH`], with an empty line behind it.
fn paragraph(text: &mut String, indent: &str, words: &str) {
    let mut column = 0;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(indent);
            column = indent.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push_str("\n\n");
}
