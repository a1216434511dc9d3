//! Reading CSV (RFC 4180): commas, double quotes, CR LF or LF. Lines that begin with `#` and empty lines are skipped.

/// One line's fields, without the white space around unquoted ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// from 1
    pub number: usize,
    /// at least one
    pub fields: Vec<String>,
}

/// Reads all lines, or says in which one a quote is wrong.
pub fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let fields = fields(line).ok_or_else(|| {
            format!("line {number}: a quote is not closed, or something follows it. Write \"\" for a quote inside quotes.")
        })?;
        lines.push(Line { number, fields });
    }
    Ok(lines)
}

fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let (field, after) = rest
                    .split_once(',')
                    .map_or((rest, None), |(field, after)| (field, Some(after)));
                (field.trim().to_owned(), after)
            }
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Some(fields),
        }
    }
}

/// The field up to its closing quote, and what follows the comma behind it.
fn quoted_field(quoted: &str) -> Option<(String, Option<&str>)> {
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        if let Some(after) = after.strip_prefix('"') {
            field.push('"');
            rest = after;
            continue;
        }
        let after = after.trim_start();
        if after.is_empty() {
            return Some((field, None));
        }
        return after.strip_prefix(',').map(|after| (field, Some(after)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_of_all_kinds() {
        let text = "\u{feff}# comment\r\na@x, b ,c\r\n\n\"a,b\",\"say \"\"hi\"\"\"\na,,\n";
        let read = read(text).unwrap();
        let fields: Vec<Vec<&str>> = read
            .iter()
            .map(|line| line.fields.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(
            fields,
            [
                vec!["a@x", "b", "c"],
                vec!["a,b", "say \"hi\""],
                vec!["a", "", ""]
            ]
        );
        assert_eq!(read[1].number, 4);
    }

    #[test]
    fn a_wrong_quote_is_named_by_its_line() {
        for wrong in ["a\nb,\"c\n", "a\n\"b\"c\n"] {
            assert!(read(wrong).unwrap_err().starts_with("line 2: "), "{wrong:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn quoted_fields_round_trip(fields in proptest::collection::vec("[^\r\n]{0,20}", 1..6)) {
            let quoted: Vec<String> = fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            let lines = read(&quoted.join(",")).unwrap();
            prop_assert_eq!(&lines[0].fields, &fields);
        }

        #[test]
        fn no_text_confuses_it(text in "[a,\"# \r\n\u{feff}]{0,60}") {
            if let Ok(lines) = read(&text) {
                prop_assert!(lines.iter().all(|line| !line.fields.is_empty() && line.number > 0));
            }
        }
    }
}
