//! What a sealer wrote of the author (ARC-Authentication-Results, RFC 8617 §4.1.1). Pure.

/// Whether one of the results is `dmarc=pass`. Comments and quoted strings may hold words of others and are not read.
pub fn vouches(value: &[u8]) -> bool {
    let plain = without_comments(value);
    plain.split(|byte| *byte == b';').any(|part| {
        let words: Vec<u8> = part.iter().map(u8::to_ascii_lowercase).collect();
        let mut sides = words.splitn(2, |byte| *byte == b'=');
        let (method, result) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        let result = result.trim_ascii_start();
        let end = result
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric())
            .unwrap_or(result.len());
        method.trim_ascii() == b"dmarc" && &result[..end] == b"pass"
    })
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    let (mut plain, mut depth, mut quoted) = (Vec::with_capacity(value.len()), 0usize, false);
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            other if depth == 0 && !quoted => plain.push(*other),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aut_5_only_a_result_of_its_own_vouches() {
        for (value, want) in [
            (
                "i=1; there.example; spf=fail; dmarc=pass (p=none) header.from=x.example",
                true,
            ),
            ("i=1; there.example;\r\n DMARC = Pass", true),
            ("i=1; there.example; dmarc=fail", false),
            ("i=1; there.example; dmarc=passive", false),
            ("i=1; there.example; x-dmarc=pass", false),
            ("i=1; there.example; spf=fail (; dmarc=pass;)", false),
            ("i=1; there.example; spf=fail smtp.helo=\"; dmarc=pass\"", false),
            ("i=1; there.example; spf=fail (\\); dmarc=pass)", false),
        ] {
            assert_eq!(vouches(value.as_bytes()), want, "{value}");
        }
    }
}
