//! IDLE (RFC 2177): tells what changes as it changes, until the client says DONE.

use imap::frame::Progress;
use mailbox::{Expunges, Opened, Standing};

use crate::imap::contexts;
use crate::imap::io::Stop;
use crate::imap::notices;
use crate::imap::rights;
use crate::imap::session::{Cx, Next, Reading, User};
use crate::limits::IDLE;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    mut opened: Option<&mut Opened>,
    answer: Reading,
) -> Result<Next, Stop> {
    cx.io.out.continuation("Idling; end with DONE");
    cx.io.framer.expect_line();
    let until = cx.io.after(IDLE);
    let line = loop {
        opened = match opened {
            Some(opened) => readable(cx, user, opened).await?,
            None => None,
        };
        tokio::select! {
            biased;
            line = cx.io.next(until) => break line?,
            () = changed(user, opened.as_deref_mut()) => {}
        }
        if !user.who.still_welcome() {
            cx.io.out.bye(None, "This account is not enabled any more");
            return Ok(Next::Close);
        }
        // RFC 5465 §4: the same as between commands.
        notices::tell_others(cx, user, opened.as_deref().map(Opened::id)).await?;
    };
    match line {
        Progress::Line(line) if line.eq_ignore_ascii_case(b"DONE") => answer.ok(&mut cx.io.out, None),
        Progress::Line(_) => answer.bad(&mut cx.io.out, None, "IDLE ends with DONE"),
        _ => {
            answer.bad(&mut cx.io.out, None, "That line is too long");
            return Ok(Next::Close);
        }
    }
    Ok(Next::Go)
}

/// Tells what changed, as long as the mailbox may be read.
async fn readable<'o>(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &'o mut Opened,
) -> Result<Option<&'o mut Opened>, Stop> {
    match rights::look(cx, user, opened).await {
        Ok(Standing::Same | Standing::Changed) => {
            cx.tell(user, opened, Expunges::Tell)?;
            contexts::settle(cx, user, opened).await?;
            Ok(Some(opened))
        }
        Ok(Standing::Withdrawn | Standing::StillWithdrawn) => Ok(None),
        // Nothing is told while nobody can say whether it may be.
        Err(error) => {
            drop(cx.refusal(user, &error));
            Ok(Some(opened))
        }
    }
}

/// Waits until something may have changed that is told.
async fn changed(user: &mut User, opened: Option<&mut Opened>) {
    match opened {
        _ if user.notify.is_set() => notices::changed(user, opened).await,
        Some(opened) => opened.changed().await,
        None => std::future::pending().await,
    }
}
