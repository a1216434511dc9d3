//! APPEND (RFC 3501 §6.3.11, RFC 7889): the message goes from the wire into the store's stage as it comes; memory stays flat.

use imap::command::Append;
use imap::frame::{Progress, Recovery};
use imap::out::Code;
use mail::ids::MailboxId;
use mailbox::{Error, Expunges, Opened};
use store::contract::{Body, BodyStage};
use world::clock::UnixMs;

use crate::imap::io::{Io, Stop};
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, Next, User};
use crate::imap::updates::stored_flags;
use crate::limits::APPEND_PAUSE;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&mut Opened>,
    append: &Append,
    answer: Change,
) -> Result<Next, Stop> {
    let to = match target(cx, user, append).await {
        Ok(to) => to,
        Err((code, text)) => {
            answer.no(&mut cx.io.out, code, &text);
            let recovery = cx.io.framer.refuse_append();
            return Ok(recover(cx.io, recovery));
        }
    };
    if cx.io.framer.accept_append() {
        cx.io.go_ahead();
    }
    let body = match receive(cx, user.person.stage()).await? {
        Received::Message(body) => body,
        Received::Refused(code, text) => {
            answer.no(&mut cx.io.out, code, &text);
            let recovery = cx.io.framer.refuse_append();
            return Ok(recover(cx.io, recovery));
        }
        Received::Unclean => {
            answer.bad(
                &mut cx.io.out,
                None,
                "One message in each APPEND, and nothing after it",
            );
            return Ok(Next::Go);
        }
    };
    place(cx, user, opened, (append, to, body), answer).await
}

async fn place(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&mut Opened>,
    (append, to, body): (&Append, MailboxId, Body),
    answer: Change,
) -> Result<Next, Stop> {
    let date = append
        .date
        .map(|date| UnixMs(u64::try_from(date.unix_seconds).unwrap_or(0).saturating_mul(1000)));
    match user
        .person
        .append(to, body, stored_flags(&append.flags), date)
        .await
    {
        Ok(placed) => {
            if let Some(opened) = opened {
                cx.tell(user, opened, Expunges::Tell)?;
            }
            let (validity, uid) = (placed.committed().uidvalidity, placed.committed().uid);
            answer.ok(
                &mut cx.io.out,
                placed.narrow(|_| ()),
                Some(Code::AppendUid(validity, &[(uid, uid)])),
            );
        }
        // The mailbox went while the message came.
        Err(Error::NoSuchMailbox) => {
            answer.no(
                &mut cx.io.out,
                Some(Code::TryCreate),
                "There is no such mailbox; create it first",
            );
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(Next::Go)
}

/// Where the message goes, if it may come at all: everything that can be refused before it is sent is.
async fn target(
    cx: &mut Cx<'_, '_>,
    user: &User,
    append: &Append,
) -> Result<MailboxId, (Option<Code<'static>>, String)> {
    let no = |code, text: &str| Err((Some(code), text.to_owned()));
    if append.size_bytes > cx.ctx.append_limit_bytes {
        return no(
            Code::TooBig,
            &format!(
                "Messages of at most {} octets are taken",
                cx.ctx.append_limit_bytes
            ),
        );
    }
    if append.size_bytes == 0 {
        return no(Code::Cannot, "A message cannot be empty");
    }
    let found = match refusal::name(&append.mailbox) {
        Ok(name) => user
            .person
            .tree()
            .await
            .map(|tree| tree.find(&name).map(|entry| entry.row.id)),
        Err(error) => Err(error),
    };
    match found {
        Ok(Some(to)) => Ok(to),
        Ok(None) => no(Code::TryCreate, "There is no such mailbox; create it first"),
        Err(error) => {
            let refusal = cx.refusal(user, &error);
            Err((refusal.code, refusal.text))
        }
    }
}

enum Received {
    Message(Body),
    /// it cannot be kept; its rest is still on the way
    Refused(Option<Code<'static>>, String),
    /// something stood behind it
    Unclean,
}

async fn receive(cx: &mut Cx<'_, '_>, mut stage: Box<dyn BodyStage>) -> Result<Received, Stop> {
    loop {
        let (used, progress) = cx.io.feed();
        match progress {
            Progress::AppendOctets => {
                let octets = &cx.io.buffered()[..used];
                if octets.contains(&0) {
                    cx.io.consume(used);
                    return Ok(Received::Refused(
                        Some(Code::Cannot),
                        "A message cannot hold NUL".to_owned(),
                    ));
                }
                let written = stage.write(octets).await;
                cx.io.consume(used);
                if let Err(error) = written {
                    let refusal = refusal::Refusal::from(&Error::Store(error));
                    return Ok(Received::Refused(refusal.code, refusal.text));
                }
            }
            Progress::NeedMore => {
                cx.io.consume(used);
                let until = cx.io.after(APPEND_PAUSE);
                cx.io.more(until).await?;
            }
            Progress::AppendEnd { clean } => {
                cx.io.consume(used);
                if !clean {
                    return Ok(Received::Unclean);
                }
                return Ok(match stage.finish().await {
                    Ok(body) => Received::Message(body),
                    Err(error) => {
                        let refusal = refusal::Refusal::from(&Error::Store(error));
                        Received::Refused(refusal.code, refusal.text)
                    }
                });
            }
            _ => return Err(Stop::Gone),
        }
    }
}

/// After a refused APPEND: the framer throws its message away, or there is too much of it.
pub(crate) fn recover(io: &mut Io<'_>, recovery: Recovery) -> Next {
    match recovery {
        Recovery::GoOn => Next::Go,
        Recovery::Close => {
            io.out.bye(None, "The refused message is too large to be skipped");
            Next::Close
        }
    }
}
