//! The words that a page (HTML) shows. Not a browser: tags, comments, what is never shown, and the common entities.

use super::Words;

/// Elements whose content is not shown.
const HIDDEN: [&str; 7] = ["head", "style", "script", "title", "template", "noscript", "svg"];
/// Elements inside a line: they do not part words.
const INLINE: [&str; 20] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "em", "font", "i", "ins", "mark", "s", "small", "span",
    "strong", "sub", "sup", "u", "wbr",
];
/// Entities with a name, beside those with a number.
const ENTITIES: [(&str, &str); 24] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "\u{2013}"),
    ("mdash", "\u{2014}"),
    ("hellip", "\u{2026}"),
    ("lsquo", "\u{2018}"),
    ("rsquo", "\u{2019}"),
    ("ldquo", "\u{201c}"),
    ("rdquo", "\u{201d}"),
    ("bull", "\u{2022}"),
    ("middot", "\u{b7}"),
    ("copy", "\u{a9}"),
    ("reg", "\u{ae}"),
    ("trade", "\u{2122}"),
    ("euro", "\u{20ac}"),
    ("zwnj", ""),
    ("zwj", ""),
    ("shy", ""),
    ("ensp", " "),
    ("emsp", " "),
];
/// Longest entity that is looked for, in octets.
const ENTITY_BYTES: usize = 12;

/// What a person would read first.
pub(super) fn words(page: &str) -> String {
    let mut words = Words::default();
    let mut rest = page;
    while !rest.is_empty() && !words.is_full() {
        let next = rest.find(['<', '&']).unwrap_or(rest.len());
        rest[..next].chars().for_each(|letter| words.letter(letter));
        rest = &rest[next..];
        rest = match rest.as_bytes().first() {
            Some(b'<') => tag(rest, &mut words),
            Some(_) => entity(rest, &mut words),
            None => rest,
        };
    }
    words.finish()
}

/// Behind a tag or comment; behind the whole element if it is never shown.
fn tag<'p>(rest: &'p str, words: &mut Words) -> &'p str {
    if rest.starts_with("<!--") {
        return behind(rest, "-->");
    }
    let inside = &rest[1..];
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let end = name
        .find(|letter: char| !letter.is_ascii_alphanumeric())
        .unwrap_or(name.len());
    let name = name[..end].to_ascii_lowercase();
    if name.is_empty() && !inside.is_empty() && !inside.starts_with(['/', '!', '?']) {
        // `a < b`
        words.letter('<');
        return inside;
    }
    if !INLINE.contains(&name.as_str()) {
        words.space();
    }
    let after = behind(rest, ">");
    if HIDDEN.contains(&name.as_str()) && !inside.starts_with('/') {
        return behind_element(after, &name);
    }
    after
}

/// Behind the end tag of an element; without one, behind everything.
fn behind_element<'p>(rest: &'p str, name: &str) -> &'p str {
    let mut from = 0;
    while let Some(found) = rest[from..].find("</") {
        let at = from + found + 2;
        let is_it = rest.as_bytes()[at..]
            .get(..name.len())
            .is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()));
        if is_it {
            return behind(&rest[at..], ">");
        }
        from = at;
    }
    ""
}

fn behind<'p>(rest: &'p str, end: &str) -> &'p str {
    rest.find(end).map_or("", |at| &rest[at + end.len()..])
}

fn entity<'p>(rest: &'p str, words: &mut Words) -> &'p str {
    let end = rest.bytes().take(ENTITY_BYTES).position(|byte| byte == b';');
    let Some((end, text)) = end.and_then(|end| Some((end, named(&rest[1..end])?))) else {
        words.letter('&');
        return &rest[1..];
    };
    text.chars().for_each(|letter| words.letter(letter));
    &rest[end + 1..]
}

fn named(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(number).map(String::from);
    }
    let found = ENTITIES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn pages_are_read_like_people_do() {
        for (page, wanted) in [
            (
                "<html><head><title>T</title><style>p{}</style></head><body><p>One</p><p>two</p>",
                "One two",
            ),
            ("a<br>b<b>c</b>d", "a bcd"),
            ("<SCRIPT>if (a</b) {}</SCRIPT>shown", "shown"),
            ("x<!-- <p>no -->y", "xy"),
            (
                "1 < 2 &amp; 3 &#62; 2 &#x20AC; &unknown; &",
                "1 < 2 & 3 > 2 \u{20ac} &unknown; &",
            ),
            ("<p title=\"unfinished", ""),
            ("<style>never ends", ""),
            (
                "\u{fc}&\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc};",
                "\u{fc}&\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc};",
            ),
        ] {
            assert_eq!(words(page), wanted, "{page}");
        }
    }
}
