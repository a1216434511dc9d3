//! What a client is told when the store or the mailbox says no: a code for the program, a calm sentence for the person.

use imap::out::Code;
use mailbox::{Error, MailboxName};
use store::contract::{Conflict, StoreError};

/// A `NO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Option<Code<'static>>,
    pub(crate) text: String,
    /// the operator must hear of it
    pub(crate) alarming: bool,
}

impl Refusal {
    fn new(code: Code<'static>, text: &str) -> Self {
        Self {
            code: Some(code),
            text: text.to_owned(),
            alarming: false,
        }
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        match error {
            Error::BadName(bad) => Self::new(Code::Cannot, &bad.to_string()),
            Error::NoSuchMailbox => Self::new(Code::NonExistent, "There is no such mailbox"),
            Error::ReadOnly => Self::new(Code::ReadOnly, "The mailbox was opened read-only; use SELECT"),
            Error::NoSuchMessage => Self::new(Code::NonExistent, "There is no such message any more"),
            Error::NoPermission(missing) => Self::new(
                Code::NoPerm,
                &format!("You need the right {missing} in this mailbox"),
            ),
            Error::OtherOwner => Self::new(
                Code::Cannot,
                "A mailbox cannot move to another account; copy its messages instead",
            ),
            Error::Store(store) => of_store(store),
        }
    }
}

fn of_store(error: &StoreError) -> Refusal {
    match error {
        StoreError::Busy => Refusal::new(Code::Unavailable, "The server is busy; try again in a moment"),
        StoreError::Full => {
            let text = "The server's disk is full; nothing was changed. Deleting mail still works";
            Refusal {
                alarming: true,
                ..Refusal::new(Code::OverQuota, text)
            }
        }
        StoreError::Damaged(what) => {
            let text = format!("Cannot be read, its stored bytes are damaged: {what}. The operator was told");
            Refusal {
                alarming: true,
                ..Refusal::new(Code::ServerBug, &text)
            }
        }
        StoreError::Fatal(_) => {
            let text = "The server cannot use its disk; nothing was changed. Try again later";
            Refusal {
                alarming: true,
                ..Refusal::new(Code::Unavailable, text)
            }
        }
        StoreError::Conflict(conflict) => of_conflict(*conflict),
    }
}

fn of_conflict(conflict: Conflict) -> Refusal {
    match conflict {
        Conflict::NoSuchMailbox => Refusal::new(Code::NonExistent, "There is no such mailbox"),
        Conflict::MailboxExists => {
            Refusal::new(Code::AlreadyExists, "A mailbox of this name is there already")
        }
        Conflict::NotAllowed => Refusal::new(
            Code::Cannot,
            "INBOX stays, and a mailbox cannot move below itself",
        ),
        Conflict::HasChildren => Refusal::new(
            Code::HasChildren,
            "There are mailboxes below it; delete or rename those first",
        ),
        Conflict::TooManyMailboxes => Refusal::new(Code::Limit, "No more mailboxes; delete some first"),
        Conflict::TooManyKeywords => Refusal::new(
            Code::Limit,
            "No more new keywords in this mailbox; use one that is there",
        ),
        Conflict::TooManyEntries => Refusal::new(Code::Limit, "The account has as many entries as it may"),
        Conflict::TooManyPublic => Refusal::new(
            Code::Limit,
            "You show everybody as many mailboxes as you may; take one back first",
        ),
        Conflict::MetadataTooLarge => Refusal::new(Code::Limit, "The metadata is larger than allowed"),
        Conflict::NoSuchMessage => Refusal::new(Code::NonExistent, "There is no such message any more"),
        Conflict::OverQuota => Refusal::new(Code::OverQuota, "The account is full; delete some mail first"),
        Conflict::NoUidsLeft => {
            Refusal::new(Code::Limit, "This mailbox can take no more messages; use another")
        }
        other => {
            let text = format!("The server did not expect this: {other}. The operator was told");
            Refusal {
                alarming: true,
                ..Refusal::new(Code::ServerBug, &text)
            }
        }
    }
}

/// The name as `mailbox` knows names.
pub(crate) fn name(name: &imap::name::MailboxName) -> Result<MailboxName, Error> {
    Ok(MailboxName::parse(name.as_str())?)
}

#[cfg(test)]
mod tests {
    use store::rights::Rights;

    use super::*;

    #[test]
    fn every_refusal_has_a_code_and_a_sentence_without_secrets() {
        let errors = [
            Error::NoSuchMailbox,
            Error::ReadOnly,
            Error::NoSuchMessage,
            Error::NoPermission(Rights::READ),
            Error::OtherOwner,
            Error::Store(StoreError::Busy),
            Error::Store(StoreError::Full),
            Error::Store(StoreError::Damaged("message maaaaaaaaaaaaa".to_owned())),
            Error::Store(StoreError::Fatal(
                "/var/lib/secret: Input/output error".to_owned(),
            )),
            Error::Store(StoreError::Conflict(Conflict::OverQuota)),
            Error::Store(StoreError::Conflict(Conflict::ClaimLost)),
        ];
        for error in errors {
            let refusal = Refusal::from(&error);
            assert!(refusal.code.is_some(), "{error:?}");
            assert!(
                !refusal.text.is_empty() && !refusal.text.contains("/var"),
                "{}",
                refusal.text
            );
        }
    }

    #[test]
    fn dsk_5_a_damaged_message_is_named() {
        let refusal = Refusal::from(&Error::Store(StoreError::Damaged(
            "message maaaaaaaaaaaaa".to_owned(),
        )));
        assert_eq!(refusal.code, Some(Code::ServerBug));
        assert!(refusal.text.contains("maaaaaaaaaaaaa") && refusal.alarming);
    }
}
