//! The header-field tables.

use std::collections::BTreeMap;

use mail::date::DateTime;
use mail::decode;
use mail::header::Fields;
use mail::value::addresses::{self, Entry, HeaderMailbox};
use mail::value::{ContentType, Disposition, Parameter, ids};
use serde_json::{Value, json};

use crate::shared;

/// Runs `ours` over a table; `differences` names headers (by a piece of their text) where we differ, with the reason.
fn compare(
    table: &str,
    differences: &[(&str, &str)],
    ours: impl Fn(&[u8]) -> Value,
    theirs: impl Fn(&Value) -> Value,
) {
    let Some(folder) = shared::folder("suites/mime-mailparser") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join(table)).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    let mut used: BTreeMap<&str, bool> = differences.iter().map(|(piece, _)| (*piece, false)).collect();
    for row in &rows {
        let header = row["header"].as_str().unwrap();
        // The tables hold what stands behind the colon, some with more fields after it.
        let source = format!("X:{header}");
        let value = Fields::new(source.as_bytes()).next().unwrap().value().to_vec();
        let (ours, theirs) = (ours(&value), theirs(&row["expected"]));
        let named = differences.iter().find(|(piece, _)| header.contains(piece));
        match named {
            Some((piece, _)) if ours != theirs => {
                used.insert(piece, true);
            }
            None if ours != theirs => wrong.push(format!("{header:?}\n  ours   {ours}\n  theirs {theirs}")),
            _ => {}
        }
    }
    let idle: Vec<_> = used
        .iter()
        .filter(|(_, used)| !**used)
        .map(|(piece, _)| *piece)
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    assert!(idle.is_empty(), "these agree after all: {idle:?}");
}

fn text_of(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| json!(decode::words::untrimmed(bytes)))
}

fn our_address(mailbox: &HeaderMailbox) -> Value {
    let mut address = String::from_utf8_lossy(&mailbox.local).into_owned();
    if let Some(domain) = &mailbox.domain {
        address = format!("{address}@{}", String::from_utf8_lossy(domain));
    }
    json!([text_of(mailbox.name.as_ref()), address])
}

/// Groups as in their layout: addresses outside a group lie in a group without a name, unless there is no group at all.
fn our_addresses(value: &[u8]) -> Value {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut inside = false;
    for entry in addresses::parse(value) {
        match entry {
            Entry::GroupStart(name) => {
                groups.push((text_of(Some(&name)), Vec::new()));
                inside = true;
            }
            Entry::GroupEnd => inside = false,
            Entry::Mailbox(mailbox) => {
                let open = inside || groups.last().is_some_and(|(name, _)| name.is_null());
                if !open {
                    groups.push((Value::Null, Vec::new()));
                }
                groups.last_mut().unwrap().1.push(our_address(&mailbox));
            }
        }
    }
    json!(groups)
}

fn their_list(list: &Value) -> Vec<Value> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["name"], one["address"]]))
        .collect()
}

fn their_addresses(expected: &Value) -> Value {
    if let Some(list) = expected.get("List") {
        return json!([[null, their_list(list)]]);
    }
    let groups = expected["Group"].as_array().unwrap();
    groups
        .iter()
        .map(|group| json!([group["name"], their_list(&group["addresses"])]))
        .collect()
}

#[test]
fn addresses_are_read_as_in_the_published_table() {
    let comments = "a phrase is the whole display name: comments are not appended to it";
    let differences = [
        ("Pete(A nice \\) chap)", comments),
        ("Pete(A nice \n", comments),
        ("A Group(Some people)", comments),
        ("(Empty list)(start)", comments),
        ("jdoe@machine(comment)", comments),
        ("Nathaniel Borenstein", comments),
        ("Name (comment)", comments),
        (
            "@node.test:mary",
            "a source route is told apart, white space inside an address is dropped",
        ),
    ];
    compare("address.json", &differences, our_addresses, their_addresses);
}

fn joined(parameters: &[Parameter], find: impl Fn(&str) -> Option<mail::value::Joined>) -> Value {
    let mut found = BTreeMap::new();
    for parameter in parameters {
        let base = parameter.name.split('*').next().unwrap_or_default();
        if let Some(joined) = find(base).filter(|_| !base.is_empty()) {
            found.insert(base.to_owned(), decode::parameter(&joined));
        }
    }
    json!(found)
}

fn our_type(value: &[u8]) -> Value {
    if let Some(found) = ContentType::parse(value) {
        return json!([
            found.kind,
            found.subtype,
            joined(&found.parameters, |name| found.joined(name))
        ]);
    }
    match Disposition::parse(value) {
        Some(found) if !found.kind.contains('/') => {
            json!([
                found.kind,
                null,
                joined(&found.parameters, |name| found.joined(name))
            ])
        }
        _ => Value::Null,
    }
}

fn their_type(expected: &Value) -> Value {
    if expected.is_null() {
        return Value::Null;
    }
    let attributes: BTreeMap<&str, &str> = expected
        .get("attributes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .filter(|(name, _)| !name.ends_with("-language"))
        .collect();
    json!([expected["c_type"], expected.get("c_subtype"), attributes])
}

#[test]
fn content_type_table() {
    let no_subtype = "without a subtype the field does not count (RFC 2045 §5.2)";
    let star_soup = "only name, name*, name*N and name*N* are forms of RFC 2231";
    let differences = [
        (
            "filename*1*=iso-8859-1'%20r",
            "only the first piece names a charset (RFC 2231 §4.1)",
        ),
        (
            "name=\"=?iso-8859-1?B?4Q==?= =?utf-8?B?w6k=?=",
            "white space between encoded words is dropped (RFC 2047 §6.2)",
        ),
        ("test/\n", no_subtype),
        ("text/\n", no_subtype),
        ("text/;charset", no_subtype),
        ("text/ ;charset", no_subtype),
        ("text/plain; name=  ", "an empty value is a value"),
        ("test/encoded; key4*", "NUL is left out"),
        ("malicious/attempt", star_soup),
    ];
    compare("content_type.json", &differences, our_type, their_type);
}

fn our_date(value: &[u8]) -> Value {
    DateTime::parse(value).map_or(Value::Null, |date| {
        json!([
            date.year,
            date.month,
            date.day,
            date.hour,
            date.minute,
            date.second,
            date.offset_minutes
        ])
    })
}

fn their_date(expected: &Value) -> Value {
    if expected.is_null() {
        return Value::Null;
    }
    let number = |name: &str| expected[name].as_i64().unwrap();
    let minutes = number("tz_hour") * 60 + number("tz_minute");
    let offset = if expected["tz_before_gmt"].as_bool().unwrap() {
        -minutes
    } else {
        minutes
    };
    json!([
        number("year"),
        number("month"),
        number("day"),
        number("hour"),
        number("minute"),
        number("second"),
        offset
    ])
}

#[test]
fn dates_are_read_as_in_the_published_table() {
    let no_date = "not a date by any grammar";
    let differences = [
        ("20 11 (some", "a month in digits is no form of RFC 5322"),
        ("4 8 15 16 23 42", no_date),
        ("by 2002:aa7", "a Received field, not a date"),
    ];
    compare("date.json", &differences, our_date, their_date);
}

#[test]
fn message_ids_are_read_as_in_the_published_table() {
    let ours = |value: &[u8]| {
        let ids: Vec<_> = ids::message_ids(value)
            .iter()
            .map(|id| decode::text(id))
            .collect();
        if ids.is_empty() { Value::Null } else { json!(ids) }
    };
    compare("id.json", &[], ours, Value::clone);
}

#[test]
fn comma_lists_are_read_as_in_the_published_table() {
    let ours = |value: &[u8]| {
        let items: Vec<_> = mail::value::comma_list(value)
            .iter()
            .map(|item| decode::text(item))
            .collect();
        json!(items)
    };
    compare("list.json", &[], ours, Value::clone);
}

#[test]
fn unstructured_text_is_read_as_in_the_published_table() {
    let glued = "an encoded word glued to text is decoded, but no space is made up";
    let differences = [("[SUSPECTED SPAM]", glued), ("Some text =?utf-8?Q??=here", glued)];
    let ours = |value: &[u8]| json!(decode::text(value));
    compare("unstructured.json", &differences, ours, Value::clone);
}
