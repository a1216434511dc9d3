//! LIST (RFC 1939 §5) and UIDL (RFC 1939 §7): a line for one message, or for all that are not marked.

use mailbox::Row;

use crate::limits::POP3_LINES_AT_ONCE;
use crate::pop3::io::{Io, Stop};
use crate::pop3::maildrop::{Maildrop, octets};
use crate::pop3::session::Inbox;

/// LIST.
pub(crate) async fn sizes(io: &mut Io<'_>, inbox: &Inbox, number: Option<u32>) -> Result<(), Stop> {
    run(io, inbox, number, |_, row| octets(row).to_string()).await
}

/// UIDL.
pub(crate) async fn unique_ids(io: &mut Io<'_>, inbox: &Inbox, number: Option<u32>) -> Result<(), Stop> {
    run(io, inbox, number, Maildrop::unique_id).await
}

async fn run(
    io: &mut Io<'_>,
    inbox: &Inbox,
    number: Option<u32>,
    word: impl Fn(&Maildrop, &Row) -> String,
) -> Result<(), Stop> {
    if let Some(number) = number {
        match inbox.marks.find(number) {
            Ok(index) => {
                let said = inbox.maildrop.at(index).map(|row| word(&inbox.maildrop, row));
                io.out.ok(&format!("{number} {}", said.unwrap_or_default()));
            }
            Err(missing) => io.out.err(None, missing.text()),
        }
        return Ok(());
    }
    io.out.ok(&inbox.marks.left().to_string());
    for (count, index) in inbox.marks.unmarked().enumerate() {
        if let Some(row) = inbox.maildrop.at(index) {
            io.out
                .line(&format!("{} {}", index + 1, word(&inbox.maildrop, row)));
        }
        if count % POP3_LINES_AT_ONCE == POP3_LINES_AT_ONCE - 1 {
            io.breathe().await?;
        }
    }
    io.out.end();
    Ok(())
}
