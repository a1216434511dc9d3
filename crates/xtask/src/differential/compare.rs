//! Two answers side by side: the smallest values in which they differ.

use super::mailset::Letter;
use super::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Two servers said different things of one message.
pub struct Difference<'l> {
    /// The message; none when a whole command was answered differently.
    pub letter: Option<&'l Letter>,
    /// The item or the search key: `ENVELOPE`, `BODY[1.MIME]`, `SEARCH SENTON`.
    pub item: String,
    /// Where in the item's value: indices of lists; for a search the whole command.
    pub path: String,
    /// What we said.
    pub ours: Value,
    /// What Dovecot said.
    pub theirs: Value,
}

impl Difference<'_> {
    /// The octets of the message.
    pub fn message(&self) -> &[u8] {
        self.letter.map_or(&[], |letter| &letter.octets)
    }
}

/// The items of FETCH responses, by UID.
pub type Fetched = BTreeMap<u32, BTreeMap<String, Value>>;

/// Sorts FETCH responses by UID and item.
pub fn fetched(responses: &[Vec<u8>]) -> Result<Fetched, String> {
    let mut found = Fetched::new();
    for response in responses {
        let shown = || response[..response.len().min(200)].escape_ascii().to_string();
        let values = super::value::read(response).map_err(|error| format!("{error} in {}", shown()))?;
        let [_, _, Value::Atom(word), Value::List(items)] = values.as_slice() else {
            continue;
        };
        if !word.eq_ignore_ascii_case(b"FETCH") {
            continue;
        }
        let mut named = BTreeMap::new();
        for pair in items.chunks(2) {
            let [Value::Atom(name), value] = pair else {
                return Err(format!("an item without name or value in {}", shown()));
            };
            named.insert(String::from_utf8_lossy(name).to_uppercase(), value.clone());
        }
        let uid = named.get("UID").and_then(Value::octets);
        let uid = uid.and_then(|uid| std::str::from_utf8(uid).ok()?.parse().ok());
        let uid: u32 = uid.ok_or_else(|| format!("no UID in {}", shown()))?;
        found.entry(uid).or_default().extend(named);
    }
    Ok(found)
}

/// Compares all items of one message.
pub fn items<'l>(
    letter: &'l Letter,
    ours: &BTreeMap<String, Value>,
    theirs: &BTreeMap<String, Value>,
) -> Vec<Difference<'l>> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for item in names
        .into_iter()
        .filter(|item| *item != "UID" && *item != "MODSEQ")
    {
        let missing = Value::Atom(b"not told".to_vec());
        let (one, other) = (
            ours.get(item).unwrap_or(&missing),
            theirs.get(item).unwrap_or(&missing),
        );
        let mut places = Vec::new();
        if item == "FLAGS" {
            if flags(one) != flags(other) {
                places.push((String::new(), one, other));
            }
        } else {
            descend(one, other, String::new(), &mut places);
        }
        found.extend(places.into_iter().map(|(path, one, other)| Difference {
            letter: Some(letter),
            item: item.clone(),
            path,
            ours: one.clone(),
            theirs: other.clone(),
        }));
    }
    found
}

/// Flags have no order; what is recent depends on who looked when.
fn flags(value: &Value) -> BTreeSet<String> {
    let members = value
        .members()
        .unwrap_or_default()
        .iter()
        .filter_map(Value::octets);
    let names = members.map(|flag| String::from_utf8_lossy(flag).to_lowercase());
    names.filter(|flag| flag != "\\recent").collect()
}

fn descend<'v>(
    one: &'v Value,
    other: &'v Value,
    path: String,
    places: &mut Vec<(String, &'v Value, &'v Value)>,
) {
    match (one, other) {
        _ if one == other => {}
        (Value::List(ours), Value::List(theirs)) if ours.len() == theirs.len() => {
            for (at, (one, other)) in ours.iter().zip(theirs).enumerate() {
                descend(one, other, format!("{path}.{at}"), places);
            }
        }
        _ => places.push((path, one, other)),
    }
}

/// The numbers of a SEARCH, SORT or THREAD response, in order.
pub fn numbers(responses: &[Vec<u8>]) -> Vec<u32> {
    let lines = responses
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned());
    let lines = lines.filter(|line| ["* SEARCH", "* SORT"].iter().any(|word| line.starts_with(word)));
    let words = lines.flat_map(|line| line.split(' ').skip(2).map(str::to_owned).collect::<Vec<_>>());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_that_differs_is_named() {
        let letter = Letter {
            name: "one".to_owned(),
            octets: Vec::new(),
            own: true,
        };
        let read = |text: &str| fetched(&[text.as_bytes().to_vec()]).unwrap().remove(&7).unwrap();
        let ours = read("* 1 FETCH (UID 7 FLAGS (A \\Recent b) X (1 (2 3)) BODY[] {1}\r\nx)");
        let theirs = read("* 1 FETCH (FLAGS (B a) X (1 (2 4)) UID 7 BODY[] \"x\")");
        let found = items(&letter, &ours, &theirs);
        assert_eq!(found.len(), 1);
        let told = (found[0].item.as_str(), found[0].path.as_str());
        assert_eq!((told, found[0].ours.to_string().as_str()), (("X", ".1.1"), "3"));
    }
}
