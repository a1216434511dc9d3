//! What a client works out from responses it did not ask for just now: results that are kept up to date (RFC 5267), and other
//! mailboxes (RFC 5465). Pure, so that a wrong dialogue can be shown to be found.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::ranges;

/// What is asked, in which order, and whether a message with these flags belongs to the result.
pub type Question = (&'static str, Option<&'static str>, fn(&BTreeSet<String>) -> bool);

/// Searches that a client has kept up to date.
pub const QUESTIONS: [Question; 4] = [
    ("UNSEEN", None, |flags| !flags.contains("\\Seen")),
    ("FLAGGED", None, |flags| flags.contains("\\Flagged")),
    ("UNDELETED", Some("(REVERSE ARRIVAL)"), |flags| {
        !flags.contains("\\Deleted")
    }),
    ("KEYWORD $Forwarded", Some("(SIZE)"), |flags| {
        flags.contains("$Forwarded")
    }),
];

/// Results by the tag of their command.
#[derive(Debug, Default)]
pub struct Lists {
    by_tag: BTreeMap<String, Vec<u32>>,
    /// the place in [`QUESTIONS`], by tag
    questions: BTreeMap<String, usize>,
}

impl Lists {
    /// The command of this tag asked this question.
    pub fn asked(&mut self, tag: &str, question: usize) {
        self.by_tag.entry(tag.to_owned()).or_default();
        self.questions.insert(tag.to_owned(), question);
    }

    /// All of them: the place in [`QUESTIONS`], and the messages.
    pub fn all(&self) -> impl Iterator<Item = (usize, &Vec<u32>)> {
        let questions = self.questions.iter();
        questions.filter_map(|(tag, &question)| Some((question, self.by_tag.get(tag)?)))
    }

    /// Takes in `* ESEARCH (TAG "…") UID …`; an error says what cannot be.
    pub fn take(&mut self, text: &str) -> Result<(), String> {
        let wrong = || format!("cannot read {text}");
        let rest = text.strip_prefix("* ESEARCH (TAG \"").ok_or_else(wrong)?;
        let (tag, rest) = rest.split_once("\") UID").ok_or_else(wrong)?;
        let list = self.by_tag.entry(tag.to_owned()).or_default();
        if let Some(all) = rest.strip_prefix(" ALL ") {
            *list = numbers(all).ok_or_else(wrong)?;
        } else if let Some(places) = rest.strip_prefix(" ADDTO (") {
            for (place, uids) in pairs(places).ok_or_else(wrong)? {
                add(list, place, &uids).map_err(|what| format!("{what}: {text}"))?;
            }
        } else if let Some(places) = rest.strip_prefix(" REMOVEFROM (") {
            for (place, uids) in pairs(places).ok_or_else(wrong)? {
                remove(list, place, &uids).map_err(|what| format!("{what}: {text}"))?;
            }
        } else if !rest.is_empty() {
            return Err(wrong());
        }
        Ok(())
    }
}

fn add(list: &mut Vec<u32>, place: usize, uids: &[u32]) -> Result<(), String> {
    if uids.iter().any(|uid| list.contains(uid)) {
        return Err(format!("{uids:?} come into {list:?} twice"));
    }
    if place == 0 {
        list.extend(uids);
        list.sort_unstable();
    } else if place <= list.len() + 1 {
        list.splice(place - 1..place - 1, uids.iter().copied());
    } else {
        return Err(format!("there is no place {place} in {list:?}"));
    }
    Ok(())
}

fn remove(list: &mut Vec<u32>, place: usize, uids: &[u32]) -> Result<(), String> {
    if place == 0 {
        if !uids.iter().all(|uid| list.contains(uid)) {
            return Err(format!("{uids:?} go from {list:?}"));
        }
        list.retain(|uid| !uids.contains(uid));
        return Ok(());
    }
    if list.get(place - 1..place - 1 + uids.len()) != Some(uids) {
        return Err(format!("{uids:?} are not at {place} in {list:?}"));
    }
    list.drain(place - 1..place - 1 + uids.len());
    Ok(())
}

fn pairs(text: &str) -> Option<Vec<(usize, Vec<u32>)>> {
    let words: Vec<&str> = text.strip_suffix(')')?.split(' ').collect();
    let pair = |pair: &[&str]| match pair {
        [place, uids] => Some((place.parse().ok()?, numbers(uids)?)),
        _ => None,
    };
    words.chunks(2).map(pair).collect()
}

fn numbers(set: &str) -> Option<Vec<u32>> {
    let all = ranges(set)?;
    Some(all.into_iter().flat_map(|(first, last)| first..=last).collect())
}

/// What NOTIFY told of mailboxes that are not open.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// the numbers told last, by name and item
    pub numbers: BTreeMap<String, BTreeMap<String, u64>>,
    /// names that are there, as told
    pub names: BTreeSet<String>,
}

impl Others {
    /// Takes in STATUS and LIST; an error says what cannot be.
    pub fn take(&mut self, text: &str) -> Result<(), String> {
        if let Some(rest) = text.strip_prefix("* STATUS ") {
            return self.status(rest).ok_or_else(|| format!("cannot be: {text}"));
        }
        if let Some(rest) = text.strip_prefix("* LIST ") {
            return self.list(rest).ok_or_else(|| format!("cannot read {text}"));
        }
        Ok(())
    }

    /// UIDNEXT never falls while UIDVALIDITY is the same.
    fn status(&mut self, rest: &str) -> Option<()> {
        let (name, items) = rest.strip_suffix(')')?.split_once(" (")?;
        let words: Vec<&str> = items.split(' ').collect();
        let known = self.numbers.entry(name.to_owned()).or_default();
        let before = (known.get("UIDVALIDITY").copied(), known.get("UIDNEXT").copied());
        for pair in words.chunks(2) {
            known.insert((*pair.first()?).to_owned(), pair.get(1)?.parse().ok()?);
        }
        let now = (known.get("UIDVALIDITY").copied(), known.get("UIDNEXT").copied());
        (before.0 != now.0 || before.1 <= now.1).then_some(())
    }

    fn list(&mut self, rest: &str) -> Option<()> {
        let (attributes, rest) = rest.strip_prefix('(')?.split_once(") \"/\" ")?;
        let (name, extended) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some(old) = extended.strip_prefix("(\"OLDNAME\" (") {
            self.names.remove(old.strip_suffix("))")?);
        }
        self.is_there(name, !attributes.contains("\\NonExistent"));
        Some(())
    }

    /// There is a mailbox of this name now, or none: in any case not the one of before.
    pub fn is_there(&mut self, name: &str, there: bool) {
        self.numbers.remove(name);
        match there {
            true => self.names.insert(name.to_owned()),
            false => self.names.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_follow_what_is_told() {
        let mut lists = Lists::default();
        for line in [
            "* ESEARCH (TAG \"t1\") UID ALL 2,1,3",
            "* ESEARCH (TAG \"t1\") UID ADDTO (1 5 3 6:7)",
            "* ESEARCH (TAG \"t1\") UID REMOVEFROM (5 1 1 5,2)",
            "* ESEARCH (TAG \"t2\") UID",
            "* ESEARCH (TAG \"t2\") UID ADDTO (0 9,4)",
            "* ESEARCH (TAG \"t2\") UID REMOVEFROM (0 4)",
        ] {
            assert_eq!(lists.take(line), Ok(()), "{line}");
        }
        lists.asked("t1", 2);
        lists.asked("t2", 0);
        let all: Vec<(usize, Vec<u32>)> = lists.all().map(|(at, list)| (at, list.clone())).collect();
        assert_eq!(all, [(2, vec![6, 7, 3]), (0, vec![9])]);
    }

    /// The test of the test.
    #[test]
    fn what_cannot_be_is_found() {
        for line in [
            "* ESEARCH (TAG \"t1\") UID ADDTO (1 2)",
            "* ESEARCH (TAG \"t1\") UID ADDTO (9 8)",
            "* ESEARCH (TAG \"t1\") UID REMOVEFROM (1 3)",
            "* ESEARCH (TAG \"t1\") UID REMOVEFROM (0 7)",
            "* ESEARCH (TAG \"t1\") UID REMOVEFROM (2 3,1)",
            "* ESEARCH (TAG \"t1\") UID COUNTS 3",
        ] {
            let mut lists = Lists::default();
            assert_eq!(lists.take("* ESEARCH (TAG \"t1\") UID ALL 2:3"), Ok(()));
            assert!(lists.take(line).is_err(), "{line}");
        }
        let mut others = Others::default();
        assert_eq!(others.take("* STATUS a (UIDNEXT 5 MESSAGES 2)"), Ok(()));
        assert!(others.take("* STATUS a (UIDNEXT 4)").is_err());
    }

    #[test]
    fn others_follow_what_is_told() {
        let mut others = Others::default();
        for line in [
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" a",
            "* LIST (\\HasNoChildren) \"/\" b",
            "* LIST (\\HasNoChildren) \"/\" c (\"OLDNAME\" (a))",
            "* LIST (\\NonExistent) \"/\" b",
            "* STATUS c (MESSAGES 1 UIDNEXT 2)",
            "* STATUS c (UNSEEN 1)",
            "* OK something else",
            "* LIST () \"/\" d",
            "* STATUS d (UIDNEXT 9)",
            "* LIST () \"/\" d",
            "* STATUS d (UIDNEXT 1)",
            "* LIST (\\NonExistent) \"/\" d",
        ] {
            assert_eq!(others.take(line), Ok(()), "{line}");
        }
        assert_eq!(others.names, ["c".to_owned()].into());
        assert_eq!(others.numbers["c"].len(), 3);
    }
}
