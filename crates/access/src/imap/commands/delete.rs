//! DELETE (RFC 3501 §6.3.4).

use imap::name::MailboxName;

use crate::imap::io::Stop;
use crate::imap::notices::Own;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    name: &MailboxName,
    answer: Change,
) -> Result<(), Stop> {
    let deleted = match refusal::name(name) {
        Ok(name) => user.person.delete(&name).await,
        Err(error) => Err(error),
    };
    match deleted {
        Ok(proof) => {
            user.notify.did(Own::removed(name));
            answer.ok(&mut cx.io.out, proof, None);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}
