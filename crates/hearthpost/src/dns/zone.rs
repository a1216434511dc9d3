//! Records as the text of a zone (RFC 1035 §5.1): lines to put into the domain's own zone, or to include.
//!
//! What stands in another zone (the host's, where it is no name within the domain) becomes a comment.

use super::records::Record;

/// Octets that one string of a TXT record can hold (RFC 1035 §3.3).
const STRING_BYTES: usize = 255;
/// How long others may remember a record, in seconds: an hour, so that a change of keys is seen soon.
const TTL_S: u32 = 3600;

/// The text.
pub fn text(domain: &str, records: &[Record]) -> String {
    let mut lines = vec![format!("; {domain}: records for its mail")];
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| is_within(&record.name, domain));
    for record in here {
        lines.extend(record.remark.iter().map(|remark| format!("; {remark}")));
        lines.push(line(record));
    }
    if !elsewhere.is_empty() {
        lines.push("; In the zone of the server's own name:".to_owned());
        lines.extend(elsewhere.iter().map(|record| format!("; {}", line(record))));
    }
    lines.join("\n")
}

/// One record.
pub fn line(record: &Record) -> String {
    format!("{}. {TTL_S} IN {} {}", record.name, record.kind, data(record))
}

/// What it says, as it is written in a zone.
pub fn data(record: &Record) -> String {
    match record.kind {
        "TXT" => quoted(&record.value),
        _ => record.value.clone(),
    }
}

/// Strings of at most 255 octets, each in quotation marks.
pub fn quoted(text: &str) -> String {
    let strings = text.as_bytes().chunks(STRING_BYTES).map(|piece| {
        let text = String::from_utf8_lossy(piece);
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    });
    strings.collect::<Vec<_>>().join(" ")
}

fn is_within(name: &str, domain: &str) -> bool {
    name == domain
        || name
            .strip_suffix(domain)
            .is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::records::{Purpose, tests::facts, wanted};
    use super::*;

    #[test]
    fn long_texts_are_cut_and_names_of_other_zones_are_comments() {
        let long = Record {
            purpose: Purpose::Dkim,
            name: "x._domainkey.example.org".to_owned(),
            kind: "TXT",
            value: "k".repeat(600),
            state: None,
            remark: None,
        };
        let strings: Vec<usize> = data(&long).split(' ').map(|string| string.len() - 2).collect();
        assert_eq!(strings, [255, 255, 90]);
        let mut facts = facts();
        let mut server = facts.server.take().unwrap();
        server.hostname = "mx.notexample.org".to_owned();
        let text = text("example.org", &wanted(&facts, &server).records);
        let outside: Vec<&str> = text.lines().filter(|line| line.starts_with("; ")).collect();
        assert_eq!(outside.len(), 2 + 3, "{text}");
        assert!(
            text.contains("\nexample.org. 3600 IN MX 10 mx.notexample.org.\n"),
            "{text}"
        );
    }
}
