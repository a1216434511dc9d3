//! ESMTP parameters.
//!
//! ```text
//! Mail-parameters = *( SP esmtp-param )
//! esmtp-param     = esmtp-keyword ["=" esmtp-value]
//! esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//! esmtp-value     = 1*(%d33-60 / %d62-126)                    (RFC 5321 §4.1.2; RFC 6531 §3.3 adds UTF-8)
//! ```

use crate::limits::PARAMETERS;
use crate::refusal::{Refusal, codes};

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// as sent; compare without case
    pub keyword: &'a str,
    /// what follows the `=`
    pub value: Option<&'a str>,
}

/// Reads what follows the path of MAIL or RCPT. Every parameter has a well-formed keyword that no other has.
pub fn parse(rest: &[u8]) -> Result<Vec<Param<'_>>, Refusal> {
    let text = std::str::from_utf8(rest).map_err(|_| malformed())?;
    let mut params: Vec<Param<'_>> = Vec::new();
    if text.trim_end_matches(' ').is_empty() {
        return Ok(params);
    }
    let body = quirk_spaces_at_end(text)
        .strip_prefix(' ')
        .ok_or_else(malformed)?;
    for word in body.split(' ') {
        let param = one(word)?;
        let twice = params
            .iter()
            .any(|known| known.keyword.eq_ignore_ascii_case(param.keyword));
        if twice || params.len() == PARAMETERS {
            return Err(malformed());
        }
        params.push(param);
    }
    Ok(params)
}

/// Some clients leave spaces at the end of the line; they mean nothing.
fn quirk_spaces_at_end(text: &str) -> &str {
    text.trim_end_matches(' ')
}

fn one(word: &str) -> Result<Param<'_>, Refusal> {
    let (keyword, value) = match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    };
    let keyword_ok = keyword.starts_with(|first: char| first.is_ascii_alphanumeric())
        && keyword
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let value_ok = value.is_none_or(|value| {
        !value.is_empty()
            && !value.contains(|letter: char| letter <= ' ' || letter == '=' || letter.is_control())
    });
    if keyword_ok && value_ok {
        Ok(Param { keyword, value })
    } else {
        Err(malformed())
    }
}

/// 501 for parameters that cannot be read.
pub fn malformed() -> Refusal {
    Refusal::new(
        codes::BAD_ARGUMENTS,
        "The parameters of this command cannot be read: write KEYWORD or KEYWORD=value",
    )
}

/// 555 for a parameter that is not offered with this command.
pub fn unknown(keyword: &str) -> Refusal {
    let text = format!("The parameter {keyword} is not offered here: leave it out");
    Refusal::new(codes::UNKNOWN_PARAMETER, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_strictly() {
        type Params = &'static [(&'static str, Option<&'static str>)];
        let table: &[(&str, Result<Params, u16>)] = &[
            ("", Ok(&[])),
            ("  ", Ok(&[])),
            (
                " SIZE=10 smtputf8",
                Ok(&[("SIZE", Some("10")), ("smtputf8", None)]),
            ),
            (" BODY=8BITMIME ", Ok(&[("BODY", Some("8BITMIME"))])),
            ("SIZE=10", Err(501)),
            ("  SIZE=10", Err(501)),
            (" SIZE=", Err(501)),
            (" SIZE=1=2", Err(501)),
            (" -SIZE=1", Err(501)),
            (" SI_ZE=1", Err(501)),
            (" SIZE=1 size=2", Err(501)),
            (" A B C D E F G H I J K", Err(501)),
            (" X=a\tb", Err(501)),
        ];
        for (input, want) in table {
            let got = parse(input.as_bytes());
            match want {
                Ok(params) => {
                    let got: Vec<_> = got
                        .as_ref()
                        .expect(input)
                        .iter()
                        .map(|p| (p.keyword, p.value))
                        .collect();
                    assert_eq!(&got[..], *params, "{input:?}");
                }
                Err(code) => assert_eq!(got.expect_err(input).code.code(), *code, "{input:?}"),
            }
        }
    }
}
