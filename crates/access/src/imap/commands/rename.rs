//! RENAME (RFC 3501 §6.3.5).

use imap::command::Rename;

use super::create::tell_name;
use crate::imap::io::Stop;
use crate::imap::notices::Own;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    rename: &Rename,
    answer: Change,
) -> Result<(), Stop> {
    let renamed = match (refusal::name(&rename.from), refusal::name(&rename.to)) {
        (Ok(from), Ok(to)) => user.person.rename(&from, &to).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match renamed {
        Ok(proof) => {
            user.notify.did(Own::removed(&rename.from));
            user.notify.did(Own::made(&rename.to));
            if !rename.from.is_inbox() {
                let old = Some(rename.from.as_str());
                tell_name(&mut cx.io.out, cx.io.mode, &rename.to, old);
            }
            answer.ok(&mut cx.io.out, proof, None);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}
