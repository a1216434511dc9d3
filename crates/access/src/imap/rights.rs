//! Rights in the open mailbox, looked at before each command and whenever an idle session wakes (RFC 4314 §5.1.1). One's own mailbox
//! costs nothing.

use imap::command::Verb;
use imap::out::Code;
use imap::state::{Permit, Stage, permit};
use mailbox::{Error, Opened, Standing};

use super::commands::select;
use super::session::{Cx, User};

/// What is said of a mailbox whose rights went.
pub(crate) const WITHDRAWN: &str = "The right to read the open mailbox was withdrawn; select another one";

/// Looks, and tells what changed. Whoever may not read any more is told once, with an untagged `NO`: the connection stays, and nothing
/// more is told of the mailbox.
pub(crate) async fn look(cx: &mut Cx<'_, '_>, user: &User, opened: &mut Opened) -> Result<Standing, Error> {
    let standing = user.person.recheck(opened).await?;
    match standing {
        Standing::Same | Standing::StillWithdrawn => {}
        Standing::Changed => select::tell_flags(&mut cx.io.out, opened),
        Standing::Withdrawn => cx.io.out.no(Some(&Code::NoPerm), WITHDRAWN),
    }
    Ok(standing)
}

/// Whether a command is about the open mailbox, and must be refused when that may not be read any more. It can still be left.
pub(crate) const fn is_about_the_open_mailbox(verb: Verb) -> bool {
    let needs_one = matches!(permit(Stage::Authenticated, false, verb), Permit::NeedsMailbox);
    needs_one && !matches!(verb, Verb::Close | Verb::Unselect)
}
