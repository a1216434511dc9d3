//! `hearthpost history` and `hearthpost undo`

use serde_json::{Map, Value};

use super::{ask, parse, show};
use crate::cli::{Common, HistoryArgs};
use crate::control::Request;
use crate::control::history::{Record, Request as HistoryRequest, Shown};
use crate::exit::Outcome;

/// Runs `history`.
pub fn run(args: HistoryArgs) -> Outcome<()> {
    let request = HistoryRequest::List {
        noun: args.noun,
        name: args.name,
        limit: args.limit,
    };
    let entries: Vec<Shown> = parse(ask(&args.common, Request::History(request))?)?;
    show(&args.common, &entries, || {
        if entries.is_empty() {
            return vec!["No change is on record.".to_owned()];
        }
        entries.iter().map(line).collect()
    })
}

/// Runs `undo`.
pub fn undo(id: String, common: &Common) -> Outcome<()> {
    let done = ask(common, Request::History(HistoryRequest::Undo { id: id.clone() }))?;
    show(common, &done, || {
        let text = |field: &str| done[field].as_str().unwrap_or_default();
        let (noun, name) = (text("noun"), text("name"));
        let mut line = match noun {
            "tls" => format!(
                "Took {id} back: what is asked of the TLS of {name} is as before. See it with: hearthpost tls show {name}"
            ),
            noun => format!("Took {id} back: the {noun} {name} is as before."),
        };
        if let Some(password) = done["password"].as_str() {
            line.push_str(&format!(" Its new password is shown this once: {password}"));
        }
        vec![line]
    })
}

fn line(entry: &Shown) -> String {
    let Record {
        by,
        noun,
        verb,
        name,
        undoes,
        note,
        ..
    } = &entry.record;
    let mut line = format!("{}  {}  {by}: {noun} {name} {verb}", entry.at, entry.id);
    let what = differences(&entry.record);
    if !what.is_empty() {
        line.push_str(&format!(": {}", what.join(", ")));
    }
    if let Some(undone) = undoes {
        line.push_str(&format!(" (takes {undone} back)"));
    }
    if let Some(note) = note {
        line.push_str(&format!(" {note}"));
    }
    line
}

/// Of a change, only what differs; of an addition, what was said. A state that is one word is that word.
fn differences(record: &Record) -> Vec<String> {
    if let Some(Value::String(word)) = &record.after {
        return vec![word.clone()];
    }
    let nothing = Map::new();
    let fields = |state: &'_ Option<Value>| state.as_ref().and_then(Value::as_object).cloned();
    let before = fields(&record.before).unwrap_or_default();
    let after = fields(&record.after).unwrap_or(nothing);
    let mut what: Vec<String> = after
        .iter()
        .filter(|(name, value)| {
            before.get(*name) != Some(value) && !is_nothing(value, record.before.is_none())
        })
        .map(|(name, value)| match before.get(name) {
            Some(old) if record.before.is_some() => format!("{name} {} → {}", plain(old), plain(value)),
            _ => format!("{name} {}", plain(value)),
        })
        .collect();
    if record.password {
        what.push("password".to_owned());
    }
    what
}

/// What goes without saying of something new.
fn is_nothing(value: &Value, new: bool) -> bool {
    new && (value.is_null()
        || *value == Value::Bool(true)
        || *value == 0
        || *value == Value::Array(Vec::new()))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(parts) => {
            let parts = parts
                .iter()
                .map(|(name, value)| format!("{name} {}", plain(value)));
            format!("({})", parts.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_differs() {
        let entry = |before, after, password| {
            line(&Shown {
                id: "c".to_owned(),
                at: "now".to_owned(),
                record: Record {
                    by: "uid 0".to_owned(),
                    noun: "account".to_owned(),
                    verb: "set".to_owned(),
                    name: "ann@example.org".to_owned(),
                    before,
                    after,
                    password,
                    ..Record::default()
                },
            })
        };
        let (one, two) = (
            json!({"quota_bytes": 0, "name": null, "enabled": true, "send_as": []}),
            json!({"quota_bytes": 5, "name": "Ann", "enabled": true, "send_as": ["@example.net"]}),
        );
        assert_eq!(
            entry(Some(one.clone()), Some(two.clone()), true),
            "now  c  uid 0: account ann@example.org set: name none → Ann, quota_bytes 0 → 5, send_as none → @example.net, password"
        );
        assert_eq!(
            entry(None, Some(two), false),
            "now  c  uid 0: account ann@example.org set: name Ann, quota_bytes 5, send_as @example.net"
        );
        assert_eq!(
            entry(Some(one), None, false),
            "now  c  uid 0: account ann@example.org set"
        );
        assert_eq!(
            entry(None, Some(json!("exempt")), false),
            "now  c  uid 0: account ann@example.org set: exempt"
        );
        let require = |any| Some(json!({"require": {"any_certificate": any, "hosts": ["mx.example.net"]}}));
        assert_eq!(
            entry(require(false), require(true), false),
            "now  c  uid 0: account ann@example.org set: require (any_certificate false, hosts mx.example.net) → \
             (any_certificate true, hosts mx.example.net)"
        );
    }
}
