//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use imap::name::MailboxName;

use crate::imap::io::Stop;
use crate::imap::notices::Own;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    name: &MailboxName,
    subscribed: bool,
    answer: Change,
) -> Result<(), Stop> {
    let done = match refusal::name(name) {
        Ok(name) => user.person.subscribe(&name, subscribed).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(proof) => {
            let own = Own::Subscription(name.as_str().to_owned(), subscribed);
            user.notify.did([own]);
            answer.ok(&mut cx.io.out, proof, None);
        }
        // A client tidies up after a mailbox that went: there is nothing left to change.
        Err(mailbox::Error::NoSuchMailbox) if !subscribed => answer.unchanged(&mut cx.io.out, None),
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}
