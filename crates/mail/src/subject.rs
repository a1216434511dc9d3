//! The base subject: what is left of a subject without the marks of replies and forwards (RFC 5256 §2.1).
//!
//! ```text
//! subject      = *subj-leader [subj-middle] *subj-trailer
//! subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
//! subj-blob    = "[" *BLOBCHAR "]" *WSP            ; BLOBCHAR: neither "[" nor "]"
//! subj-fwd     = "[fwd:" subject "]"
//! subj-leader  = (*subj-blob subj-refwd) / WSP
//! subj-middle  = *subj-blob (subj-base / subj-fwd)
//! subj-trailer = "(fwd)" / WSP
//! ```
//!
//! Every step takes something off one end, and blobs that lead nowhere are looked at once: the work grows with the length.

/// A subject without its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSubject {
    /// what is left; may be empty
    pub text: String,
    /// whether a mark of a reply or forward was taken off
    pub is_reply: bool,
}

impl BaseSubject {
    /// Of a subject whose encoded words are decoded and whose folds are undone, as [`crate::decode::text`] does.
    pub fn of(subject: &str) -> Self {
        let flat = single_spaced(subject);
        let mut reader = Reader {
            rest: &flat,
            no_leader_above: usize::MAX,
            is_reply: false,
        };
        reader.strip();
        Self {
            text: reader.rest.to_owned(),
            is_reply: reader.is_reply,
        }
    }
}

/// Step 1: tabs and folds are spaces, several spaces are one.
fn single_spaced(subject: &str) -> String {
    let mut flat = String::with_capacity(subject.len());
    for letter in subject.chars() {
        let letter = if matches!(letter, '\t' | '\r' | '\n') {
            ' '
        } else {
            letter
        };
        if letter != ' ' || !flat.ends_with(' ') {
            flat.push(letter);
        }
    }
    flat
}

struct Reader<'s> {
    rest: &'s str,
    /// while `rest` is longer than this, its blobs are known to lead to no `re:`
    no_leader_above: usize,
    is_reply: bool,
}

impl Reader<'_> {
    fn strip(&mut self) {
        loop {
            while self.trailer() {}
            while self.leader() || self.blob() {}
            if !self.forward() {
                return;
            }
            self.no_leader_above = usize::MAX;
        }
    }

    /// Step 2.
    fn trailer(&mut self) -> bool {
        if let Some(before) = self.rest.strip_suffix(' ') {
            self.rest = before;
            return true;
        }
        let cut = self.rest.len().wrapping_sub(5);
        let marked = self
            .rest
            .get(cut..)
            .is_some_and(|end| end.eq_ignore_ascii_case("(fwd)"));
        if marked {
            self.rest = &self.rest[..cut];
            self.is_reply = true;
        }
        marked
    }

    /// Step 3.
    fn leader(&mut self) -> bool {
        if let Some(behind) = self.rest.strip_prefix(' ') {
            self.rest = behind;
            return true;
        }
        if self.no_leader_above < self.rest.len() {
            return false;
        }
        let mut at = self.rest;
        while let Some(behind) = after_blob(at) {
            at = behind;
        }
        match after_refwd(at) {
            Some(behind) => {
                self.rest = behind;
                self.is_reply = true;
                self.no_leader_above = usize::MAX;
                true
            }
            None => {
                self.no_leader_above = at.len();
                false
            }
        }
    }

    /// Step 4.
    fn blob(&mut self) -> bool {
        match after_blob(self.rest) {
            Some(behind) if !behind.is_empty() => {
                self.rest = behind;
                true
            }
            _ => false,
        }
    }

    /// Step 6.
    fn forward(&mut self) -> bool {
        let inside = strip_word(self.rest, "[fwd:").and_then(|inside| inside.strip_suffix(']'));
        if let Some(inside) = inside {
            self.rest = inside;
            self.is_reply = true;
        }
        inside.is_some()
    }
}

fn after_refwd(text: &str) -> Option<&str> {
    // "fwd" before "fw": the longer one first.
    let word = ["re", "fwd", "fw"]
        .into_iter()
        .find_map(|word| strip_word(text, word))?;
    let word = word.trim_start_matches(' ');
    after_blob(word).unwrap_or(word).strip_prefix(':')
}

fn after_blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(['[', ']'])?;
    let behind = inside[end..].strip_prefix(']')?;
    Some(behind.trim_start_matches(' '))
}

fn strip_word<'s>(text: &'s str, word: &str) -> Option<&'s str> {
    let (start, behind) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(behind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Subject, base subject, whether it is a reply.
    const TABLE: &[(&str, &str, bool)] = &[
        ("", "", false),
        ("hello", "hello", false),
        ("  hello \t world  ", "hello world", false),
        ("Re: hello", "hello", true),
        ("RE:hello", "hello", true),
        ("re : hello", "hello", true),
        ("Re: Re: re: hello", "hello", true),
        ("Fw: hello", "hello", true),
        ("FWD: hello", "hello", true),
        ("Fwd : Re: hello", "hello", true),
        ("fwdx: hello", "fwdx: hello", false),
        ("Rex: hello", "Rex: hello", false),
        ("Re hello", "Re hello", false),
        ("re", "re", false),
        ("re:", "", true),
        ("Re[2]: hello", "hello", true),
        ("Re [2] : hello", "hello", true),
        ("Re[[2]]: hello", "Re[[2]]: hello", false),
        ("Re[2][3]: hello", "Re[2][3]: hello", false),
        ("[list] hello", "hello", false),
        ("[list][other] hello", "hello", false),
        ("[list] Re: hello", "hello", true),
        ("Re: [list] hello", "hello", true),
        ("[list] Re: [list] re: [other] hello", "hello", true),
        ("[a] [b] Re[c]: [d] hello", "hello", true),
        ("[list]", "[list]", false),
        ("[a] [b]", "[b]", false),
        ("Re: [list]", "[list]", true),
        ("[list] Re:", "", true),
        ("[]", "[]", false),
        ("[] x", "x", false),
        ("[list hello", "[list hello", false),
        ("list] hello", "list] hello", false),
        ("hello (fwd)", "hello", true),
        ("hello (FWD) (fwd)", "hello", true),
        ("hello(fwd)", "hello", true),
        ("(fwd)", "", true),
        ("Re: hello (fwd) ", "hello", true),
        ("hello (fwd) x", "hello (fwd) x", false),
        ("[Fwd: hello]", "hello", true),
        ("[fwd:hello]", "hello", true),
        ("[Fwd: Re: hello]", "hello", true),
        ("[Fwd: [Fwd: hello]]", "hello", true),
        ("Re: [Fwd: hello (fwd)]", "hello", true),
        ("[Fwd: [list] hello] (fwd)", "hello", true),
        ("[fwd: hello", "[fwd: hello", false),
        ("[fwd: a] b", "b", false),
        ("[fwd:]", "", true),
        ("Re: [Fwd: ]", "", true),
        ("re: ré: hello", "ré: hello", true),
        ("Größe (fwd)", "Größe", true),
        ("ße: hello", "ße: hello", false),
        ("AW: hello", "AW: hello", false),
        ("[ü] hello", "hello", false),
    ];

    #[test]
    fn subjects_lose_their_marks() {
        for &(subject, base, is_reply) in TABLE {
            let text = base.to_owned();
            assert_eq!(
                BaseSubject::of(subject),
                BaseSubject { text, is_reply },
                "{subject:?}"
            );
        }
    }

    #[test]
    fn the_work_grows_with_the_length() {
        for piece in ["[a]", "[fwd:", "re: ", "[", "[a", "(fwd)", "[a]re", "re[a]", " "] {
            let long = piece.repeat(200_000);
            for subject in [
                long.clone(),
                format!("{long}x"),
                format!("{long}{}", "]".repeat(200_000)),
            ] {
                assert!(BaseSubject::of(&subject).text.len() <= subject.len());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn a_base_subject_has_no_marks(subject in "([Rr][Ee]|[Ff][Ww][Dd]?|:|\\[|\\]|\\[fwd:|\\(fwd\\)| |x|é|\t){0,12}") {
            let base = BaseSubject::of(&subject);
            let again = BaseSubject::of(&base.text);
            prop_assert_eq!(&again.text, &base.text);
            prop_assert!(!again.is_reply);
            prop_assert!(single_spaced(&subject).contains(&base.text));
            let marked = BaseSubject::of(&format!("Re: {subject} (fwd)"));
            prop_assert!(marked.is_reply);
            prop_assert_eq!(marked.text, base.text);
        }
    }
}
