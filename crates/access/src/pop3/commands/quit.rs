//! QUIT after the sign-in (RFC 1939 §6): the UPDATE state removes what is marked, all of it in one commit, or nothing.

use pop3::{Removal, Update};
use store::durable::Durable;

use crate::pop3::Context;
use crate::pop3::io::Io;
use crate::pop3::maildrop::Maildrop;
use crate::pop3::refusal::{tell_operator, words};
use crate::pop3::session::Inbox;

/// What QUIT's `+OK` takes.
pub(crate) type Proof = Durable<mailbox::Expunged>;

/// Removes, and answers.
pub(crate) async fn run(ctx: &Context, io: &mut Io<'_>, inbox: Inbox) {
    match inbox.quit() {
        Update::Nothing => io.out.ok("Until next time"),
        Update::Removes(removal) => remove(ctx, io, removal).await,
    }
}

async fn remove(ctx: &Context, io: &mut Io<'_>, removal: Removal<Maildrop, Proof>) {
    let maildrop = &removal.maildrop;
    let uids = maildrop.uids_of(&removal.marks);
    match maildrop.person.remove(maildrop.mailbox, uids).await {
        Ok(proof) => removal.ok(&mut io.out, proof),
        Err(error) => {
            tell_operator(ctx, maildrop, &error);
            let (code, text) = words(&error);
            removal.failed(&mut io.out, code.unwrap_or(pop3::Code::SysTemp), text);
        }
    }
}
