//! NOTIFY (RFC 5465 §3.1, §8).

use super::cursor::{Cursor, Parsed};
use super::multi_search::{names_in, source};
use super::{Trouble, fetch};
use crate::command::{Command, FetchItem, Source};
use crate::limits::NOTIFY_GROUPS;
use crate::notify::{EventGroup, Events, Notify, NotifySet, SelectedEvents};
use crate::out::Code;

/// `notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-group *(SP event-group) / "NONE")`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    match cursor.word()?.as_str() {
        "NONE" => Ok(Command::Notify(Notify::None)),
        "SET" => set(cursor).map(Notify::Set).map(Command::Notify),
        _ => Err(Trouble::bad("NOTIFY is SET or NONE")),
    }
}

fn set(cursor: &mut Cursor<'_>) -> Parsed<NotifySet> {
    cursor.space()?;
    let status = cursor.eat_word("STATUS");
    if status {
        cursor.space()?;
    }
    let (mut selected, mut groups) = (None, Vec::new());
    loop {
        cursor.need(b'(', "A group of events in parentheses is missing")?;
        match group(cursor)? {
            Group::Selected(events) if selected.is_none() => selected = Some(events),
            Group::Selected(_) => return Err(Trouble::bad("The open mailbox is named twice")),
            Group::Other(group) => groups.push(group),
        }
        cursor.need(b')', "A group of events does not end")?;
        if !cursor.more() {
            break;
        }
    }
    let names: usize = groups.iter().map(|group| names_in(&group.source)).sum();
    if groups.len() > NOTIFY_GROUPS || names > NOTIFY_GROUPS {
        return Err(Trouble::no(
            Code::NotificationOverflow,
            "That is too much to watch at once",
        ));
    }
    Ok(NotifySet {
        status,
        selected: selected.flatten(),
        groups,
    })
}

enum Group {
    /// `None` for `NONE`
    Selected(Option<SelectedEvents>),
    Other(EventGroup),
}

/// `event-group = "(" filter-mailboxes SP events ")"`, inside the parentheses;
/// `filter-mailboxes = "selected" / "selected-delayed" / filter-mailboxes-other`
fn group(cursor: &mut Cursor<'_>) -> Parsed<Group> {
    let delayed = cursor.eat_word("SELECTED-DELAYED");
    let source = if delayed {
        Source::Selected
    } else {
        source(cursor)?
    };
    cursor.space()?;
    let of_selected = source == Source::Selected;
    let heard = events(cursor, of_selected)?;
    let messages = heard.messages()?;
    if !of_selected {
        let events = Events {
            messages,
            flags: heard.flags,
            ..heard.others
        };
        return Ok(Group::Other(EventGroup { source, events }));
    }
    if heard.others != Events::default() {
        return Err(Trouble::bad("Only messages of the open mailbox can be watched"));
    }
    Ok(Group::Selected(messages.then_some(SelectedEvents {
        delayed,
        flags: heard.flags,
        items: heard.items,
    })))
}

#[derive(Default)]
struct Heard {
    new: bool,
    expunge: bool,
    flags: bool,
    items: Vec<FetchItem>,
    others: Events,
}

impl Heard {
    /// RFC 5465 §5: `MessageNew` and `MessageExpunge` go together, and with `FlagChange` they must be there.
    fn messages(&self) -> Parsed<bool> {
        if self.new != self.expunge || self.flags && !self.new {
            return Err(Trouble::bad(
                "MessageNew and MessageExpunge go together, and FlagChange with both",
            ));
        }
        Ok(self.new)
    }
}

/// `events = ("(" event *(SP event) ")") / "NONE"`; [`quirk_bare_events`]
fn events(cursor: &mut Cursor<'_>, of_selected: bool) -> Parsed<Heard> {
    let mut heard = Heard::default();
    if cursor.eat_word("NONE") {
        return Ok(heard);
    }
    if cursor.peek() == Some(b'(') {
        cursor.filled_list(|cursor| event(cursor, of_selected, &mut heard))?;
    } else {
        quirk_bare_events(cursor, of_selected, &mut heard)?;
    }
    Ok(heard)
}

/// Leniency: the examples of RFC 5465 §3.1 have no parentheses around the events.
fn quirk_bare_events(cursor: &mut Cursor<'_>, of_selected: bool, heard: &mut Heard) -> Parsed<()> {
    loop {
        event(cursor, of_selected, heard)?;
        if !cursor.eat(b' ') {
            return Ok(());
        }
    }
}

/// `event = message-event / mailbox-event / user-event / event-ext`,
/// `message-event = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / "MessageExpunge" / "FlagChange" / …`
fn event(cursor: &mut Cursor<'_>, of_selected: bool, heard: &mut Heard) -> Parsed<()> {
    match cursor.word()?.as_str() {
        "MESSAGENEW" => {
            heard.new = true;
            if cursor.rest().starts_with(b" (") {
                cursor.space()?;
                heard.items = items(cursor, of_selected)?;
            }
        }
        "MESSAGEEXPUNGE" => heard.expunge = true,
        "FLAGCHANGE" => heard.flags = true,
        "MAILBOXNAME" => heard.others.names = true,
        "SUBSCRIPTIONCHANGE" => heard.others.subscriptions = true,
        "MAILBOXMETADATACHANGE" => heard.others.metadata = true,
        "SERVERMETADATACHANGE" => heard.others.server_metadata = true,
        // RFC 5465 §3.1: NO, not BAD.
        _ => return Err(Trouble::no(Code::BadEvent, "That event is not known here")),
    }
    Ok(())
}

fn items(cursor: &mut Cursor<'_>, of_selected: bool) -> Parsed<Vec<FetchItem>> {
    if of_selected {
        fetch::attributes(cursor)
    } else {
        Err(Trouble::bad("Items are told of the open mailbox alone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::MailboxName;
    use crate::parse::request;

    fn asked(line: &str) -> NotifySet {
        let frame = format!("a NOTIFY {line}\r\n");
        match request(frame.as_bytes()).map(|request| request.command) {
            Ok(Command::Notify(Notify::Set(set))) => set,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn group(source: Source, events: Events) -> EventGroup {
        EventGroup { source, events }
    }

    const NOTHING: Events = Events {
        messages: false,
        flags: false,
        names: false,
        subscriptions: false,
        metadata: false,
        server_metadata: false,
    };

    #[test]
    fn events_are_asked_for() {
        let name = |text: &str| MailboxName::from_utf8(text).expect("a name");
        let messages = Events {
            messages: true,
            ..NOTHING
        };
        for (line, status, selected, groups) in [
            ("SET (selected NONE)", false, None, vec![]),
            (
                "set status (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (subtree Lists (messagenew messageexpunge))",
                true,
                Some(SelectedEvents {
                    delayed: false,
                    flags: true,
                    items: vec![FetchItem::Uid, FetchItem::Flags],
                }),
                vec![group(Source::Subtree(vec![name("Lists")]), messages)],
            ),
            (
                "SET (selected-delayed MessageExpunge MessageNew (UID)) (mailboxes (a INBOX) NONE)",
                false,
                Some(SelectedEvents {
                    delayed: true,
                    flags: false,
                    items: vec![FetchItem::Uid],
                }),
                vec![group(Source::Mailboxes(vec![name("a"), name("INBOX")]), NOTHING)],
            ),
            (
                "SET (personal (MailboxName SubscriptionChange)) (inboxes (ServerMetadataChange)) (subscribed (MailboxMetadataChange))",
                false,
                None,
                vec![
                    group(
                        Source::Personal,
                        Events {
                            names: true,
                            subscriptions: true,
                            ..NOTHING
                        },
                    ),
                    group(
                        Source::Inboxes,
                        Events {
                            server_metadata: true,
                            ..NOTHING
                        },
                    ),
                    group(
                        Source::Subscribed,
                        Events {
                            metadata: true,
                            ..NOTHING
                        },
                    ),
                ],
            ),
        ] {
            let wanted = NotifySet {
                status,
                selected,
                groups,
            };
            assert_eq!(asked(line), wanted, "{line}");
        }
        let none = request(b"a NOTIFY NONE\r\n").map(|request| request.command);
        assert_eq!(none, Ok(Command::Notify(Notify::None)));
    }

    #[test]
    fn what_cannot_be_watched_is_refused() {
        let many = format!("SET {}", ["(personal (MailboxName))"; 201].join(" "));
        for (line, is_no, code) in [
            ("", false, None),
            ("SOME", false, None),
            ("SET", false, None),
            ("SET STATUS", false, None),
            ("SET ()", false, None),
            ("SET (selected)", false, None),
            ("SET (selected ())", false, None),
            ("SET (elsewhere (MailboxName))", false, None),
            ("SET (selected (MessageNew))", false, None),
            ("SET (personal (MessageExpunge))", false, None),
            ("SET (personal (FlagChange))", false, None),
            ("SET (personal (MessageNew (UID) MessageExpunge))", false, None),
            ("SET (selected (MailboxName))", false, None),
            ("SET (selected NONE) (selected-delayed NONE)", false, None),
            ("SET (mailboxes (MailboxName))", false, None),
            (
                "SET (selected (MessageNew (NOTHING) MessageExpunge))",
                false,
                None,
            ),
            ("SET (personal (MailboxName)", false, None),
            (
                "SET (personal (MessageNew MessageExpunge AnnotationChange))",
                true,
                Some(Code::BadEvent),
            ),
            ("SET (personal (Thunder))", true, Some(Code::BadEvent)),
            (&many, true, Some(Code::NotificationOverflow)),
        ] {
            let frame = format!("a NOTIFY {line}\r\n");
            let fault = request(frame.as_bytes()).expect_err(line);
            assert_eq!((fault.is_no, fault.code), (is_no, code), "{line}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn anything_like_it_is_answered(words in proptest::collection::vec(proptest::prop_oneof![
            proptest::strategy::Just("("), proptest::strategy::Just(")"), proptest::strategy::Just(" "),
            proptest::strategy::Just("selected"), proptest::strategy::Just("personal"), proptest::strategy::Just("mailboxes"),
            proptest::strategy::Just("MessageNew"), proptest::strategy::Just("MessageExpunge"), proptest::strategy::Just("NONE"),
            proptest::strategy::Just("INBOX"), proptest::strategy::Just("UID"), proptest::strategy::Just("SET"),
        ], 0..30)) {
            let frame = format!("a NOTIFY SET {}\r\n", words.concat());
            if let Ok(request) = request(frame.as_bytes()) {
                proptest::prop_assert!(matches!(request.command, Command::Notify(Notify::Set(_))));
            }
        }
    }
}
