//! Text from outside, and of ours, before it stands in a report.

use std::net::IpAddr;

/// One line of at most `max` octets: control characters and those that turn the direction of text become `?`.
pub(super) fn line(text: &str, max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(max));
    for letter in text.chars() {
        if clean.len() + letter.len_utf8() > max {
            break;
        }
        clean.push(if is_unsafe(letter) { '?' } else { letter });
    }
    clean
}

/// The same in ASCII: other letters become `?`.
pub(super) fn ascii_line(text: &str, max: usize) -> String {
    let ascii: String = text
        .chars()
        .map(|letter| if letter.is_ascii() { letter } else { '?' })
        .collect();
    line(&ascii, max)
}

fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        || ('\u{202a}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter)
}

/// A text of our own without what is nobody's business: words that are paths, or addresses of a private network.
pub(super) fn ours(text: &str) -> String {
    let word = |word: &str| {
        if is_internal(word) {
            "…".to_owned()
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn is_internal(word: &str) -> bool {
    let bare =
        word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '/' && letter != ':');
    let is_path = bare.len() > 1 && bare.starts_with('/');
    is_path || address(bare).is_some_and(is_private)
}

/// The address in `192.0.2.1`, `192.0.2.1:25`, `2001:db8::1` or `[2001:db8::1]:25` (the bracket before is trimmed).
fn address(word: &str) -> Option<IpAddr> {
    let word = word.trim_end_matches(':');
    let without_port = || word.rsplit_once(':').map(|(host, _)| host.trim_end_matches(']'));
    word.parse()
        .ok()
        .or_else(|| without_port().and_then(|host| host.parse().ok()))
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            four.is_private() || four.is_loopback() || four.is_link_local() || four.is_unspecified()
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unspecified() || six.is_unique_local() || six.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_7_nothing_of_our_machine_goes_out() {
        let table = [
            ("no connection to 192.0.2.9:25", "no connection to 192.0.2.9:25"),
            ("from 10.0.0.5: refused", "from … refused"),
            ("from [fd00::5]:25 refused", "from … refused"),
            ("from 127.0.0.1:2525", "from …"),
            ("cannot open /var/lib/hearthpost/queue: no", "cannot open … no"),
            (
                "TLS 1.2 and/or 1.3, 2001:db8::1",
                "TLS 1.2 and/or 1.3, 2001:db8::1",
            ),
            ("::1 and ::ffff:10.1.1.1", "… and …"),
        ];
        for (text, want) in table {
            assert_eq!(ours(text), want);
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("a\r\nBcc: x\0\u{202e}y", 100), "a??Bcc: x??y");
        assert_eq!(line("äää", 5), "ää");
        assert_eq!(ascii_line("Grüße", 100), "Gr??e");
    }
}
