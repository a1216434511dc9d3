//! The collation `i;unicode-casemap` (RFC 5051): how texts are compared when case and compatibility forms do not matter.
//!
//! One function, [`fold`], for everybody who searches, sorts or threads (RFC 5255 §4.3, I18NLEVEL=1): two texts are equal when
//! their folded forms are, one contains the other when its folded form does, and order is the order of the octets.
//!
//! Letter by letter: the titlecase letter of UnicodeData.txt, then its decomposition, canonical and compatible, as far as it goes
//! (RFC 5051 §2). Marks are not brought into an order, and what a decomposition yields is not case-mapped again: the
//! ligature `ﬁ` is `fi` and not `FI`. So folding goes along with joining: `fold(a) + fold(b) == fold(a + b)`.
//!
//! Not here: languages' own orders, and `i;ascii-casemap`, which [`str::eq_ignore_ascii_case`] is.

use unicode_normalization::char::decompose_compatible;

/// The text as it is compared. Its size is at most 11 times the text's (U+FDFA: 33 octets of 3).
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends the folded text.
pub fn fold_into(text: &str, folded: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest
            .bytes()
            .position(|byte| !byte.is_ascii())
            .unwrap_or(rest.len());
        let (ascii, other) = rest.split_at(plain);
        let start = folded.len();
        folded.push_str(ascii);
        folded[start..].make_ascii_uppercase();
        let beyond = other
            .bytes()
            .position(|byte| byte.is_ascii())
            .unwrap_or(other.len());
        let (letters, after) = other.split_at(beyond);
        for letter in letters.chars() {
            decompose_compatible(titlecase(letter), |part| folded.push(part));
        }
        rest = after;
    }
}

/// The simple titlecase mapping (field 14 of UnicodeData.txt); the letter itself when it has none.
fn titlecase(letter: char) -> char {
    match letter {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capitals, but no titlecase.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => letter,
        // Greek with a iota below: one letter as titlecase, two as capitals.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => offset(letter, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => offset(letter, 9),
        // These stand for titlecase already.
        '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' => letter,
        _ => {
            let mut capitals = letter.to_uppercase();
            match (capitals.next(), capitals.next()) {
                (Some(capital), None) => capital,
                _ => letter,
            }
        }
    }
}

fn offset(letter: char, by: u32) -> char {
    char::from_u32(letter as u32 + by).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_fold_as_rfc_5051_says() {
        for (text, folded) in [
            ("", ""),
            ("Hello, World 42!", "HELLO, WORLD 42!"),
            // RFC 5051 §2 walks through this one: titlecase first, decomposed twice, not mapped again.
            ("\u{1c4}", "D\u{7a}\u{30c}"),
            ("\u{1c6}", "D\u{7a}\u{30c}"),
            ("é", "E\u{301}"),
            ("e\u{301}", "E\u{301}"),
            ("É", "E\u{301}"),
            ("straße", "STRA\u{df}E"),
            ("STRASSE", "STRASSE"),
            ("ǅ", "Dz\u{30c}"),
            ("ÿ", "Y\u{308}"),
            ("µ", "\u{39c}"),
            ("μ", "\u{39c}"),
            ("ς", "Σ"),
            ("ſ", "S"),
            ("ı", "I"),
            ("İ", "I\u{307}"),
            ("ﬁ", "fi"),
            ("①", "1"),
            ("Ａｂ", "AB"),
            ("\u{1f80}", "\u{391}\u{313}\u{345}"),
            ("\u{1f88}", "\u{391}\u{313}\u{345}"),
            ("\u{1fb3}", "\u{391}\u{345}"),
            ("\u{10d0}", "\u{10d0}"),
            ("각", "\u{1100}\u{1161}\u{11a8}"),
            ("\u{a0}", " "),
            ("жЖ", "ЖЖ"),
            ("日本", "日本"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn folding_goes_along_with_joining(one in any::<String>(), other in any::<String>()) {
            let together = fold(&format!("{one}{other}"));
            prop_assert_eq!(&together, &format!("{}{}", fold(&one), fold(&other)));
            prop_assert!(together.contains(&fold(&one)) && together.contains(&fold(&other)));
            prop_assert!(together.len() <= 11 * (one.len() + other.len()));
        }
    }
}
