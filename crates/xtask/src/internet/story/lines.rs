//! From a text to blocks: a line, and the lines that are indented below it.

/// A line with what is indented below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// from 1
    pub line: usize,
    /// without the spaces around it
    pub text: &'a str,
    /// what stands below, in order
    pub below: Vec<Block<'a>>,
}

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// Cuts a text into blocks. Empty lines and lines that start with `#` say nothing.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .enumerate()
        .map(|(at, line)| Line {
            number: at + 1,
            indent: line.len() - line.trim_start().len(),
            text: line.trim(),
        })
        .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
        .collect();
    nested(&lines)
}

fn nested<'a>(mut lines: &[Line<'a>]) -> Vec<Block<'a>> {
    let mut out = Vec::new();
    while let Some((head, rest)) = lines.split_first() {
        let below = rest.iter().take_while(|line| line.indent > head.indent).count();
        out.push(Block {
            line: head.number,
            text: head.text,
            below: nested(&rest[..below]),
        });
        lines = &rest[below..];
    }
    out
}

/// The words of a line. What stands in quotes is one word that begins with a quote; a comma after a word is dropped.
pub fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if let Some(inner) = rest.strip_prefix('"') {
            1 + inner.find('"').ok_or("a quote is open")?
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        let after = after.strip_prefix('"').unwrap_or(after);
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        out.push(if word.starts_with('"') {
            word
        } else {
            word.trim_end_matches(',')
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_indented_belongs_to_the_line_above() {
        let found = blocks("# why\n\na\n  b\n    c\n  d\ne\n");
        let shown: Vec<_> = found.iter().map(|block| (block.line, block.text)).collect();
        assert_eq!(shown, [(3, "a"), (7, "e")]);
        let below: Vec<_> = found[0].below.iter().map(|block| block.text).collect();
        assert_eq!(below, ["b", "d"]);
        assert_eq!(found[0].below[0].below[0].line, 5);
    }

    #[test]
    fn quoted_words_stay_together() {
        assert_eq!(
            words("a@b.test sends \"x y, z\" to c@d.test, e@f.test"),
            Ok(vec![
                "a@b.test", "sends", "\"x y, z", "to", "c@d.test", "e@f.test"
            ])
        );
        assert_eq!(words("\"x\", y"), Ok(vec!["\"x", "y"]));
        assert!(words("\"x").is_err());
    }
}
