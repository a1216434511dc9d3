//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one root holds all mailboxes of an account.

use imap::name::MailboxName;
use imap::out::Code;
use store::limits::MAILBOXES_PER_ACCOUNT;

use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Cx, Reading, User};

/// The one root there is.
const ROOT: &str = "mail";
/// RFC 9208 §5.1: STORAGE counts in units of so many octets.
const STORAGE_UNIT_BYTES: u64 = 1024;

/// GETQUOTA.
pub(crate) async fn get(cx: &mut Cx<'_, '_>, user: &User, root: &[u8], answer: Reading) -> Result<(), Stop> {
    if root != ROOT.as_bytes() {
        answer.no(
            &mut cx.io.out,
            Some(Code::NonExistent),
            "There is no such quota root",
        );
        return Ok(());
    }
    match tell(cx, user).await {
        Ok(()) => answer.ok(&mut cx.io.out, None),
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// GETQUOTAROOT; also of a name that could be created (RFC 9208 §4.1.3).
pub(crate) async fn root_of(
    cx: &mut Cx<'_, '_>,
    user: &User,
    name: &MailboxName,
    answer: Reading,
) -> Result<(), Stop> {
    if let Err(error) = refusal::name(name) {
        cx.no_reading(user, answer, &error);
        return Ok(());
    }
    cx.io.out.quota_root(name, ROOT);
    get(cx, user, ROOT.as_bytes(), answer).await
}

/// SETQUOTA: limits are the operator's.
pub(crate) fn set(cx: &mut Cx<'_, '_>, answer: Reading) {
    answer.no(
        &mut cx.io.out,
        Some(Code::NoPerm),
        "Quotas are set by the operator of this server, not over IMAP",
    );
}

async fn tell(cx: &mut Cx<'_, '_>, user: &User) -> Result<(), mailbox::Error> {
    let usage = user.person.usage().await?;
    let mut resources = Vec::with_capacity(2);
    if usage.quota_bytes > 0 {
        resources.push((
            "STORAGE",
            usage.used_bytes.div_ceil(STORAGE_UNIT_BYTES),
            usage.quota_bytes / STORAGE_UNIT_BYTES,
        ));
    }
    resources.push(("MAILBOX", usage.mailboxes, MAILBOXES_PER_ACCOUNT as u64));
    cx.io.out.quota(ROOT, &resources);
    Ok(())
}
