//! NOOP and CHECK (RFC 3501 §6.1.2, §6.4.1): the moment to tell everything, up to what is committed right now.

use mailbox::{Expunges, Opened};

use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    answer: Reading,
) -> Result<(), Stop> {
    match user.person.refresh(opened).await {
        // `tell` finds that it is gone.
        Ok(()) | Err(mailbox::Error::NoSuchMailbox) => {}
        // What is known can still be told; the next NOOP asks again.
        Err(error) => drop(cx.refusal(user, &error)),
    }
    cx.tell(user, opened, Expunges::Tell)?;
    answer.ok(&mut cx.io.out, None);
    Ok(())
}
