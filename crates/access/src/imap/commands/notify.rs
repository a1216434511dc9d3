//! NOTIFY (RFC 5465 §3.1): what is told without asking from now on. It takes the place of what was asked for before.

use imap::notify::{self, NotifySet};
use imap::out::Code;
use mailbox::{Error, Expunges, Opened};

use super::status;
use crate::imap::contexts;
use crate::imap::io::Stop;
use crate::imap::notices::{Notices, Notify, Trouble, say_access};
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    mut opened: Option<&mut Opened>,
    asked: notify::Notify,
    answer: Reading,
) -> Result<(), Stop> {
    let begun = match asked {
        notify::Notify::None => Ok(None),
        notify::Notify::Set(set) => begin(cx, user, opened.as_deref_mut(), set).await?.map(Some),
    };
    let notices = match begun {
        Ok(notices) => notices,
        Err(Trouble::TooMuch) => {
            let text = "That is too much to watch at once";
            answer.no(&mut cx.io.out, Some(Code::NotificationOverflow), text);
            return Ok(());
        }
        Err(Trouble::Store(error)) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    user.notify = notices.map_or(Notify::Nothing, |notices| Notify::Set(Box::new(notices)));
    if let Some(opened) = opened {
        opened.watch_new(!user.notify.items().is_empty());
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

/// Tells everything of the open mailbox, as NOOP would, and how the others are, if that is wanted.
async fn begin(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: Option<&mut Opened>,
    set: NotifySet,
) -> Result<Result<Notices, Trouble>, Stop> {
    let wants_status = set.status;
    let notices = match Notices::begin(&user.person, set).await {
        Ok(notices) => notices,
        Err(trouble) => return Ok(Err(trouble)),
    };
    for name in notices.without_access() {
        say_access(&mut cx.io.out, &name, false);
    }
    let mut open = None;
    if let Some(opened) = opened {
        match user.person.refresh(opened).await {
            // Telling finds that it is gone.
            Ok(()) | Err(Error::NoSuchMailbox) => {}
            Err(error) => return Ok(Err(Trouble::Store(error))),
        }
        user.notify = Notify::Unset;
        cx.tell(user, opened, Expunges::Tell)?;
        contexts::settle(cx, user, opened).await?;
        open = Some(opened.id());
    }
    if wants_status {
        let statuses = notices.statuses().into_iter();
        for (name, row, items) in statuses.filter(|(_, row, _)| Some(row.id) != open) {
            status::line(cx, user, &name, &row, &items).await?;
            cx.io.send().await?;
        }
    }
    Ok(Ok(notices))
}
