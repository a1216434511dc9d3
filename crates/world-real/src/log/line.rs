//! One event as one line. Whatever a value holds, it stays on its line and inside its quotes (CWE-117).

use std::fmt::Write;

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

use crate::limits::LOG_VALUE_MAX_CHARS;

/// The part of a JSON line after the time: `,"event":…}` with the line feed.
pub(super) fn json_tail(event: &dyn Event) -> String {
    let mut out = String::with_capacity(384);
    out.push_str(",\"event\":");
    quote(&mut out, event.name());
    out.push_str(",\"severity\":");
    quote(&mut out, severity(event.severity()));
    if let Some(id) = event.queue_id() {
        put(&mut out, format_args!(",\"queue_id\":\"{id}\""));
    }
    out.push_str(",\"sentence\":");
    quote(&mut out, &event.sentence());
    event.fields(&mut |name, value| {
        out.push(',');
        quote(&mut out, name);
        out.push(':');
        match value {
            Value::Text(text) => quote(&mut out, text),
            Value::Number(number) => put(&mut out, format_args!("{number}")),
            Value::Flag(flag) => put(&mut out, format_args!("{flag}")),
        }
    });
    out.push_str("}\n");
    out
}

/// The part of a line for people after the time.
pub(super) fn human_tail(event: &dyn Event) -> String {
    let mut fields = String::new();
    event.fields(&mut |name, value| {
        put(&mut fields, format_args!(" {name}="));
        match value {
            Value::Text(text) => quote(&mut fields, text),
            Value::Number(number) => put(&mut fields, format_args!("{number}")),
            Value::Flag(flag) => put(&mut fields, format_args!("{flag}")),
        }
    });
    human_line(
        severity(event.severity()),
        event.name(),
        event.queue_id(),
        &event.sentence(),
        &fields,
    )
}

/// A JSON line of the log as a line for people, the line feed not included; a line that is not from our log comes back escaped.
pub fn human(json_line: &str) -> String {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(json_line) else {
        return escaped(json_line.trim_end_matches('\n'));
    };
    let text = |name: &str| object.get(name).and_then(|value| value.as_str()).unwrap_or("");
    let mut fields = String::new();
    for (name, value) in &object {
        if ["time", "event", "severity", "queue_id", "sentence"].contains(&name.as_str()) {
            continue;
        }
        put(&mut fields, format_args!(" {}=", escaped(name)));
        match value.as_str() {
            Some(text) => quote(&mut fields, text),
            None => put(&mut fields, format_args!("{value}")),
        }
    }
    let tail = human_line(
        &escaped(text("severity")),
        &escaped(text("event")),
        text("queue_id").parse().ok(),
        text("sentence"),
        &fields,
    );
    format!("{}{}", escaped(text("time")), tail.trim_end_matches('\n'))
}

fn human_line(severity: &str, name: &str, queue_id: Option<QueueId>, sentence: &str, fields: &str) -> String {
    let id = queue_id.map(|id| format!(" {id}")).unwrap_or_default();
    format!(" {severity:7} {name}{id} {}{fields}\n", escaped(sentence))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Alert => "alert",
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(&mut out, text);
    out
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text);
    out.push('"');
}

/// JSON escapes (RFC 8259 §7), and beyond them everything that could move a cursor or reorder text on a terminal.
fn escape(out: &mut String, text: &str) {
    if text.len() <= LOG_VALUE_MAX_CHARS && is_plain(text) {
        return out.push_str(text);
    }
    for (count, character) in text.chars().enumerate() {
        if count == LOG_VALUE_MAX_CHARS {
            out.push('…');
            return;
        }
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_dangerous(character) => put(out, format_args!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
}

/// Whether a text is printable ASCII that stands as it is. Nearly every text is; no early end, so that many octets are looked at together.
fn is_plain(text: &str) -> bool {
    let plain = |octet: u8| matches!(octet, b' '..=b'~') & (octet != b'"') & (octet != b'\\');
    text.bytes().fold(true, |so_far, octet| so_far & plain(octet))
}

/// C0, DEL and C1 controls; line and paragraph separators; marks and embeddings of bidirectional text; the byte order mark.
/// All are in the basic plane, so that one `\u` escape is enough.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    struct Said(String);

    impl Event for Said {
        fn name(&self) -> &'static str {
            "test.said"
        }
        fn severity(&self) -> Severity {
            Severity::Info
        }
        fn queue_id(&self) -> Option<QueueId> {
            None
        }
        fn sentence(&self) -> String {
            format!("A client said {}.", self.0)
        }
        fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
            field("said", Value::Text(&self.0));
            field("size_bytes", Value::Number(self.0.len() as u64));
            field("tls", Value::Flag(true));
        }
    }

    #[test]
    fn prv_5_log_injection_is_impossible() {
        let forged = "x\r\n{\"time\":\"2026-01-01T00:00:00.000Z\",\"event\":\"sign-in.succeeded\"}\u{1b}[2J\u{85}\u{2028}\u{202e}\"";
        let line = format!("{{\"time\":\"\"{}", json_tail(&Said(forged.into())));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.ends_with("}\n"));
        assert!(!line.trim_end().chars().any(is_dangerous), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["said"], forged, "nothing is lost by escaping");
        assert_eq!(read["event"], "test.said");
        assert!(
            !human_tail(&Said(forged.into()))
                .trim_end()
                .chars()
                .any(is_dangerous)
        );
    }

    #[test]
    fn lines_read_well() {
        let event = Said("hi".into());
        let json = format!("{{\"time\":\"T\"{}", json_tail(&event));
        assert_eq!(
            json,
            "{\"time\":\"T\",\"event\":\"test.said\",\"severity\":\"info\",\"sentence\":\"A client said hi.\",\
             \"said\":\"hi\",\"size_bytes\":2,\"tls\":true}\n"
        );
        assert_eq!(
            human_tail(&event),
            " info    test.said A client said hi. said=\"hi\" size_bytes=2 tls=true\n"
        );
        assert_eq!(
            human(&json),
            "T info    test.said A client said hi. said=\"hi\" size_bytes=2 tls=true"
        );
        assert_eq!(human("not\u{7}ours\n"), "not\\u0007ours");
    }

    #[test]
    fn a_value_is_cut_off_at_its_limit() {
        let line = json_tail(&Said("ä".repeat(LOG_VALUE_MAX_CHARS + 1)));
        let shown = "ä".repeat(LOG_VALUE_MAX_CHARS) + "…";
        assert!(line.contains(&format!("\"said\":\"{shown}\"")));
    }

    proptest! {
        #![proptest_config(Config::with_cases(256))]
        #[test]
        fn every_text_stays_on_one_line_and_comes_back(text in ".{0,200}|[\\x00-\\x9f]{0,50}") {
            let line = format!("{{\"time\":\"\"{}", json_tail(&Said(text.clone())));
            prop_assert!(!line.trim_end_matches('\n').chars().any(is_dangerous));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["said"].as_str().unwrap(), text);
            prop_assert!(!human(&line).chars().any(is_dangerous));
        }
    }
}
