//! What a client is told when the store or the mailbox says no.

use mailbox::Error;
use pop3::{Code, Out};
use store::contract::StoreError;

use super::Context;
use super::maildrop::Maildrop;
use crate::events::AccessEvent;

/// `-ERR` for the client; and for the operator, if it concerns them.
pub(crate) fn refuse(ctx: &Context, out: &mut Out, maildrop: &Maildrop, error: &Error) {
    let (code, text) = words(error);
    out.err(code, text);
    tell_operator(ctx, maildrop, error);
}

/// The same without an answer.
pub(crate) fn tell_operator(ctx: &Context, maildrop: &Maildrop, error: &Error) {
    if let Error::Store(StoreError::Damaged(_) | StoreError::Full | StoreError::Fatal(_)) = error {
        let (address, reason) = (maildrop.who.address().to_string(), error.to_string());
        ctx.events.emit(&AccessEvent::StoreRefused { address, reason });
    }
}

/// A code for the program, a sentence for the person.
pub(crate) fn words(error: &Error) -> (Option<Code>, &'static str) {
    match error {
        Error::NoSuchMessage => (None, "That message is gone: another session removed it"),
        Error::NoSuchMailbox => (Some(Code::SysTemp), "The INBOX is gone; sign in again"),
        Error::Store(StoreError::Damaged(_)) => (
            Some(Code::SysPerm),
            "That message cannot be read, its stored bytes are damaged; the operator was told",
        ),
        Error::Store(StoreError::Busy) => (Some(Code::SysTemp), "The server is busy; try again in a moment"),
        _ => (
            Some(Code::SysTemp),
            "The server cannot do that now; nothing was changed. Try again later",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_a_sentence_without_secrets() {
        let table = [
            (Error::NoSuchMessage, None),
            (Error::NoSuchMailbox, Some(Code::SysTemp)),
            (Error::Store(StoreError::Busy), Some(Code::SysTemp)),
            (Error::Store(StoreError::Full), Some(Code::SysTemp)),
            (
                Error::Store(StoreError::Damaged("m".to_owned())),
                Some(Code::SysPerm),
            ),
            (
                Error::Store(StoreError::Fatal("/var/lib".to_owned())),
                Some(Code::SysTemp),
            ),
        ];
        for (error, code) in table {
            let (said, text) = words(&error);
            assert_eq!(said, code, "{error:?}");
            assert!(!text.contains("/var"), "{text}");
        }
    }
}
