//! Which file handles which command of somebody who signed in.

use imap::answer::Answer;
use imap::command::Command;
use imap::out::Code;
use mailbox::{Expunges, Opened};

use super::commands;
use super::contexts;
use super::filters;
use super::io::Stop;
use super::session::{Cx, Next, Proof, User};

/// RFC 9586 §3.1.
pub(crate) const ONLY_UIDS: &str = "UIDONLY is enabled: use UIDs";
/// What a command hears that no file handles.
const NOT_HERE: &str = "Not here";

/// Commands that need an open mailbox; the others go on to `of_user`.
pub(crate) async fn in_mailbox(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    mut command: Command,
    mut answer: Answer<Proof>,
) -> Result<Next, Stop> {
    if filters::are_in(&command) {
        match Box::pin(filters::put_in(cx, user, Some(opened), &mut command, answer)).await {
            Some(owed) => answer = owed,
            None => return Ok(Next::Go),
        }
    }
    if user.uid_only && command.uses_sequence_numbers() {
        answer.bad(&mut cx.io.out, Some(Code::UidRequired), ONLY_UIDS);
        return Ok(Next::Go);
    }
    match (command, answer) {
        (Command::Noop | Command::Check, Answer::Reading(answer)) => {
            Box::pin(commands::noop::run(cx, user, opened, answer)).await?;
        }
        (Command::Fetch(fetch), Answer::Reading(answer)) => {
            Box::pin(commands::fetch::run(cx, user, opened, &fetch, answer)).await?;
        }
        (Command::Search(search), Answer::Reading(answer)) => {
            Box::pin(commands::search::run(cx, user, opened, &search, answer)).await?;
        }
        (Command::Sort(sort), Answer::Reading(answer)) => {
            Box::pin(commands::sort::run(cx, user, opened, &sort, answer)).await?;
        }
        (Command::Thread(thread), Answer::Reading(answer)) => {
            Box::pin(commands::thread::run(cx, user, opened, &thread, answer)).await?;
        }
        (Command::CancelUpdate(tags), Answer::Reading(answer)) => {
            contexts::cancel(user, opened, &tags);
            cx.tell(user, opened, Expunges::Tell)?;
            answer.ok(&mut cx.io.out, None);
        }
        (Command::UidBatches(asked), Answer::Reading(answer)) => {
            Box::pin(commands::uid_batches::run(cx, user, opened, asked, answer)).await?;
        }
        (Command::MultiSearch(asked), Answer::Reading(answer)) => {
            Box::pin(commands::multi_search::run(
                cx,
                user,
                Some(opened),
                &asked,
                answer,
            ))
            .await?;
        }
        (Command::Store(store), Answer::Change(answer)) => {
            Box::pin(commands::store::run(cx, user, opened, &store, answer)).await?;
        }
        (Command::Copy(copy), Answer::Change(answer)) => {
            Box::pin(commands::copy::run(cx, user, opened, &copy, answer)).await?;
        }
        (Command::Move(moved), Answer::Change(answer)) => {
            Box::pin(commands::move_to::run(cx, user, opened, &moved, answer)).await?;
        }
        (Command::Expunge, Answer::Change(answer)) => {
            Box::pin(commands::expunge::run(cx, user, opened, None, answer)).await?;
        }
        (Command::UidExpunge(set), Answer::Change(answer)) => {
            Box::pin(commands::expunge::run(cx, user, opened, Some(&set), answer)).await?;
        }
        // Its message came without octets of its own: it is put together from others (RFC 4469).
        (Command::Replace(replace), Answer::Change(answer)) => {
            return Box::pin(commands::replace::run(cx, user, opened, &replace, answer)).await;
        }
        (command, answer) => return of_user(cx, user, Some(opened), command, answer).await,
    }
    Ok(Next::Go)
}

/// Commands that need no open mailbox. If there is one, what happened in it is told first.
pub(crate) async fn of_user(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: Option<&mut Opened>,
    command: Command,
    answer: Answer<Proof>,
) -> Result<Next, Stop> {
    let mut opened = opened;
    if let Some(opened) = opened.as_deref_mut() {
        cx.tell(user, opened, Expunges::Tell)?;
    }
    match (command, answer) {
        (Command::Noop, Answer::Reading(answer)) => answer.ok(&mut cx.io.out, None),
        (Command::Enable(names), Answer::Reading(answer)) => {
            commands::enable::run(cx, user, opened.as_deref(), &names, answer);
        }
        (mut command @ Command::MultiSearch(_), answer) if filters::are_in(&command) => {
            if let Some(answer) = Box::pin(filters::put_in(cx, user, None, &mut command, answer)).await {
                return Box::pin(of_user(cx, user, None, command, answer)).await;
            }
        }
        (Command::MultiSearch(asked), Answer::Reading(answer)) => {
            Box::pin(commands::multi_search::run(cx, user, None, &asked, answer)).await?;
        }
        (Command::Append(append), Answer::Change(answer)) => {
            return Box::pin(commands::append::run(cx, user, opened, &append, answer)).await;
        }
        (Command::Notify(asked), Answer::Reading(answer)) => {
            Box::pin(commands::notify::run(cx, user, opened, asked, answer)).await?;
        }
        (Command::Idle, Answer::Reading(answer)) => {
            return Box::pin(commands::idle::run(cx, user, opened, answer)).await;
        }
        (command, answer) => {
            let Some((command, answer)) = of_names(cx, user, command, answer).await? else {
                return Ok(Next::Go);
            };
            if let Some((_, answer)) = of_extras(cx, user, command, answer).await? {
                answer.bad(&mut cx.io.out, None, NOT_HERE);
            }
        }
    }
    Ok(Next::Go)
}

/// A command of another family, with the answer that is owed to it.
type NotHere = (Command, Answer<Proof>);

/// The tree of mailboxes.
async fn of_names(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    command: Command,
    answer: Answer<Proof>,
) -> Result<Option<NotHere>, Stop> {
    match (command, answer) {
        (Command::Namespace, Answer::Reading(answer)) => {
            cx.io.out.namespace();
            answer.ok(&mut cx.io.out, None);
        }
        (Command::List(list), Answer::Reading(answer)) => {
            Box::pin(commands::list::run(cx, user, &list, answer)).await?;
        }
        (Command::Lsub(pattern), Answer::Reading(answer)) => {
            Box::pin(commands::lsub::run(cx, user, &pattern, answer)).await?;
        }
        (Command::Status(status), Answer::Reading(answer)) => {
            Box::pin(commands::status::run(cx, user, &status, answer)).await?;
        }
        (Command::Create(create), Answer::Change(answer)) => {
            Box::pin(commands::create::run(cx, user, &create, answer)).await?;
        }
        (Command::Delete(name), Answer::Change(answer)) => {
            Box::pin(commands::delete::run(cx, user, &name, answer)).await?;
        }
        (Command::Rename(rename), Answer::Change(answer)) => {
            Box::pin(commands::rename::run(cx, user, &rename, answer)).await?;
        }
        (Command::Subscribe(name), Answer::Change(answer)) => {
            Box::pin(commands::subscribe::run(cx, user, &name, true, answer)).await?;
        }
        (Command::Unsubscribe(name), Answer::Change(answer)) => {
            Box::pin(commands::subscribe::run(cx, user, &name, false, answer)).await?;
        }
        other => return Ok(Some(other)),
    }
    Ok(None)
}

/// What a mailbox has beside messages: rights, room, notes, and URLs that let others in.
async fn of_extras(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    command: Command,
    answer: Answer<Proof>,
) -> Result<Option<NotHere>, Stop> {
    match (command, answer) {
        (Command::ResetKey(reset), Answer::Change(answer)) => {
            Box::pin(commands::urlauth::reset(cx, user, &reset, answer)).await?;
        }
        (Command::GenUrlAuth(rumps), Answer::Reading(answer)) => {
            Box::pin(commands::urlauth::generate(cx, user, &rumps, answer)).await?;
        }
        (Command::UrlFetch(urls), Answer::Reading(answer)) => {
            Box::pin(commands::urlauth::fetch(cx, user, &urls, answer)).await?;
        }
        (Command::SetAcl(set), Answer::Change(answer)) => {
            Box::pin(commands::acl::set(cx, user, &set, answer)).await?;
        }
        (Command::DeleteAcl(entry), Answer::Change(answer)) => {
            Box::pin(commands::acl::delete(cx, user, &entry, answer)).await?;
        }
        (Command::GetAcl(name), Answer::Reading(answer)) => {
            Box::pin(commands::acl::get(cx, user, &name, answer)).await?;
        }
        (Command::ListRights(entry), Answer::Reading(answer)) => {
            Box::pin(commands::acl::list(cx, user, &entry, answer)).await?;
        }
        (Command::MyRights(name), Answer::Reading(answer)) => {
            Box::pin(commands::acl::mine(cx, user, &name, answer)).await?;
        }
        (Command::GetQuota(root), Answer::Reading(answer)) => {
            Box::pin(commands::quota::get(cx, user, &root, answer)).await?;
        }
        (Command::GetQuotaRoot(name), Answer::Reading(answer)) => {
            Box::pin(commands::quota::root_of(cx, user, &name, answer)).await?;
        }
        (Command::SetQuota(_), Answer::Reading(answer)) => commands::quota::set(cx, answer),
        (Command::GetMetadata(get), Answer::Reading(answer)) => {
            Box::pin(commands::metadata::get(cx, user, &get, answer)).await?;
        }
        (Command::SetMetadata(set), Answer::Change(answer)) => {
            Box::pin(commands::metadata::set(cx, user, &set, answer)).await?;
        }
        other => return Ok(Some(other)),
    }
    Ok(None)
}
