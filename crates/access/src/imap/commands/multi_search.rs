//! ESEARCH (RFC 7377): a search in several mailboxes, one after the other. Each that has matches gets an answer of its own, with
//! UIDs; those without, and those that went meanwhile, get none (RFC 7377 §2.1).

use std::collections::HashMap;

use imap::command::{MultiSearch, Returns, Source, Tag};
use imap::name::MailboxName;
use imap::out::Code;
use index::Found;
use mail::ids::AccountId;
use mailbox::{Act, Entry, Expunges, Opened};
use store::uids::UidSet;

use super::enable;
use crate::imap::find::{Halt, Hit, everything, matching, refuse};
use crate::imap::io::Stop;
use crate::imap::results::{kept, tell_of};
use crate::imap::search::prepare;
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    mut opened: Option<&mut Opened>,
    asked: &MultiSearch,
    answer: Reading,
) -> Result<(), Stop> {
    if opened.is_none() && asked.sources.contains(&Source::Selected) {
        answer.bad(&mut cx.io.out, None, "No mailbox is selected");
        return Ok(());
    }
    if asked.search.uses_modseq() {
        enable::condstore(cx, user, opened.as_deref());
    }
    if asked.search.returns.is_some_and(|returns| returns.update) {
        let text = "ESEARCH results are not kept up to date; SEARCH in the open mailbox can be";
        cx.io.out.no(Some(&Code::NoUpdate(answer.tag())), text);
    }
    match everywhere(cx, user, opened.as_deref_mut(), asked, answer.tag()).await {
        Ok(()) => {}
        Err(Failure::Halt(halt)) => return refuse(cx, user, halt, answer),
        Err(Failure::NoSuchNumber) => {
            answer.bad(&mut cx.io.out, None, "There is no message of that number");
            return Ok(());
        }
        Err(Failure::TooMuch(text)) => {
            answer.no(&mut cx.io.out, Some(Code::Limit), &text);
            return Ok(());
        }
    }
    if let Some(opened) = opened {
        cx.tell(user, opened, Expunges::Tell)?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

enum Failure {
    Halt(Halt),
    NoSuchNumber,
    TooMuch(String),
}

impl<E: Into<Halt>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Halt(error.into())
    }
}

async fn everywhere(
    cx: &mut Cx<'_, '_>,
    user: &User,
    mut opened: Option<&mut Opened>,
    asked: &MultiSearch,
    tag: &Tag,
) -> Result<(), Failure> {
    let tree = user.person.everything().await?;
    let mut found: HashMap<AccountId, Vec<Found>> = HashMap::new();
    // RFC 7377 §4: what may not be read is not searched, and nothing is said of it.
    for entry in tree.entries().iter().filter(|entry| entry.may(Act::Read).is_ok()) {
        let here = opened.as_deref_mut().filter(|opened| opened.id() == entry.row.id);
        let is_open = here.is_some();
        let wanted = asked.sources.iter().any(|source| is_in(entry, source, is_open));
        // A name that IMAP cannot say was made by another door; it is not shown.
        let (true, Ok(name)) = (wanted, MailboxName::from_utf8(&entry.name)) else {
            continue;
        };
        let found = found.entry(entry.row.account).or_default();
        match here {
            Some(opened) => in_mailbox(cx, user, opened, (asked, found), (tag, &name)).await?,
            None => elsewhere(cx, user, entry, (asked, found), (tag, &name)).await?,
        }
        cx.io.send().await?;
        cx.io.breathe().await?;
    }
    Ok(())
}

/// A mailbox that is not open here: opened for as long as it takes. One that went meanwhile has no matches.
async fn elsewhere(
    cx: &mut Cx<'_, '_>,
    user: &User,
    entry: &Entry,
    asked: (&MultiSearch, &mut Vec<Found>),
    named: (&Tag, &MailboxName),
) -> Result<(), Failure> {
    let Ok(name) = mailbox::MailboxName::parse(&entry.name) else {
        return Ok(());
    };
    match user.person.open(&name, true).await {
        Ok(mut opened) => in_mailbox(cx, user, &mut opened, asked, named).await,
        Err(mailbox::Error::NoSuchMailbox | mailbox::Error::NoPermission(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn in_mailbox(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    (asked, found): (&MultiSearch, &mut Vec<Found>),
    (tag, name): (&Tag, &MailboxName),
) -> Result<(), Failure> {
    opened.look();
    let returns = asked.search.returns.unwrap_or(Returns::ALL);
    let key = prepare(&asked.search.keys, opened, cx.ctx.clock.now());
    let mut key = key.ok_or(Failure::NoSuchNumber)?;
    if returns.save {
        opened.save(UidSet::new());
    }
    if let Some(text) = key.cost().too_much() {
        return Err(Failure::TooMuch(text));
    }
    let hits: Vec<Hit> = matching(cx, user, opened, (&mut key, found, &everything())).await?;
    if returns.save {
        opened.save(kept(&hits, returns));
    }
    if !hits.is_empty() {
        let mailbox = Some((name, opened.uidvalidity()));
        let how = (asked.search.numbers, returns, asked.search.uses_modseq());
        tell_of(&mut cx.io.out, (tag, mailbox), &hits, how);
    }
    Ok(())
}

/// Whether a mailbox belongs to a source.
fn is_in(entry: &Entry, source: &Source, is_open: bool) -> bool {
    let named = |names: &[MailboxName], belongs: fn(&str) -> bool| {
        names
            .iter()
            .any(|name| match entry.name.strip_prefix(name.as_str()) {
                Some("") => true,
                Some(below) => below.strip_prefix('/').is_some_and(belongs),
                None => false,
            })
    };
    match source {
        Source::Selected => is_open,
        // Mail arrives in INBOX alone, unless the sender names another mailbox in the address.
        Source::Inboxes => entry.name == mailbox::MailboxName::inbox().to_string(),
        Source::Personal => !mailbox::name::is_of_others(&entry.name),
        Source::Subscribed => entry.row.subscribed,
        Source::Subtree(names) => named(names, |_| true),
        Source::SubtreeOne(names) => named(names, |below| !below.contains('/')),
        Source::Mailboxes(names) => named(names, |_| false),
    }
}
