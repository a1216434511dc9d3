//! LSUB (RFC 3501 §6.3.9): subscribed names. A parent of a subscribed name that does not match itself shows as `\Noselect`,
//! so that a client that asks with `%` finds its way down.

use std::collections::BTreeMap;

use imap::limits::NAME_LEVELS;
use imap::name::MailboxName;
use imap::out::ListLine;
use imap::pattern::ListPattern;

use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};
use crate::limits::LIST_STEPS_AT_ONCE;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    pattern: &ListPattern,
    answer: Reading,
) -> Result<(), Stop> {
    if pattern.asks_separator() {
        cx.io.out.list_separator();
    }
    let found = match user.person.everything().await {
        Ok(tree) => user.person.subscribed_names().await.map(|names| (tree, names)),
        Err(error) => Err(error),
    };
    let (tree, bare) = match found {
        Ok(found) => found,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    let subscribed = tree.entries().iter().filter(|entry| entry.row.subscribed);
    let names = subscribed
        .map(|entry| entry.name.as_str())
        .chain(bare.iter().map(String::as_str));
    let names = names.filter_map(|name| MailboxName::from_utf8(name).ok());
    let (mut shown, mut compared) = (BTreeMap::new(), 0);
    for name in names {
        // Each name and each one above it.
        compared += pattern.steps() * name.as_str().len() * NAME_LEVELS;
        if compared > LIST_STEPS_AT_ONCE {
            compared = 0;
            tokio::task::yield_now().await;
        }
        show(&mut shown, name, pattern);
    }
    for (name, selectable) in shown {
        let attributes = if selectable { vec![] } else { vec!["\\Noselect"] };
        cx.io.out.lsub_line(&ListLine {
            attributes,
            name: &name,
            child_info: &[],
            old_name: None,
        });
        cx.io.send().await?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

/// Adds what is to be shown because of `name`, and whether it is subscribed itself.
fn show(shown: &mut BTreeMap<MailboxName, bool>, name: MailboxName, pattern: &ListPattern) {
    if pattern.matches(&name) {
        shown.insert(name, true);
        return;
    }
    let parents = std::iter::successors(name.parent(), MailboxName::parent);
    for parent in parents.filter(|parent| pattern.matches(parent)) {
        shown.entry(parent).or_insert(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_of_subscribed_names_show_the_way() {
        let names = ["INBOX", "Work/Plans", "Work/Old/2020", "News"];
        let names = || names.iter().map(|name| MailboxName::from_utf8(name).unwrap());
        for (pattern, expected) in [
            (
                "*",
                vec![
                    ("INBOX", true),
                    ("News", true),
                    ("Work/Old/2020", true),
                    ("Work/Plans", true),
                ],
            ),
            ("%", vec![("INBOX", true), ("News", true), ("Work", false)]),
            ("Work/%", vec![("Work/Old", false), ("Work/Plans", true)]),
            ("Nothing", vec![]),
        ] {
            let pattern = ListPattern::new(b"", pattern.as_bytes()).unwrap();
            let mut shown = BTreeMap::new();
            names().for_each(|name| show(&mut shown, name, &pattern));
            let found: Vec<(String, bool)> = shown
                .into_iter()
                .map(|(name, own)| (name.to_string(), own))
                .collect();
            let expected: Vec<(String, bool)> = expected
                .into_iter()
                .map(|(name, own)| (name.to_owned(), own))
                .collect();
            assert_eq!(found, expected);
        }
    }
}
