//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 7889): each message goes from the wire into the store's stage as it comes; memory stays flat. All messages of one command
//! come in one commit.

use imap::command::Append;
use imap::frame::{Progress, Recovery};
use imap::out::Code;
use mail::ids::MailboxId;
use mailbox::{Error, Expunges, NewMessage, Opened};
use store::contract::{Body, BodyPlace, BodyStage, Conflict, StoreError};
use store::uids::UidSet;
use world::clock::UnixMs;

use crate::imap::io::{Io, Stop};
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, Next, User};
use crate::imap::updates::stored_flags;
use crate::limits::{APPEND_KEPT_BYTES, APPEND_MESSAGES, APPEND_PAUSE, APPEND_SUM};

/// The messages of one command, whole.
pub(crate) struct Collected {
    pub(crate) to: MailboxId,
    pub(crate) messages: Vec<NewMessage>,
    pub(crate) answer: Change,
}

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&mut Opened>,
    append: &Append,
    answer: Change,
) -> Result<Next, Stop> {
    let wanted = Wanted {
        at_most: APPEND_MESSAGES,
        leaves_bytes: 0,
    };
    match collect(cx, user, append, wanted, answer).await? {
        Ok(collected) => place(cx, user, opened, collected).await,
        Err(next) => Ok(next),
    }
}

/// What a command may bring.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// messages
    pub(crate) at_most: usize,
    /// octets of what goes for it (REPLACE)
    pub(crate) leaves_bytes: u64,
}

/// Takes in what is announced. `Err`: the answer was given, this comes next; what was staged goes with it.
pub(crate) async fn collect(
    cx: &mut Cx<'_, '_>,
    user: &User,
    append: &Append,
    wanted: Wanted,
    answer: Change,
) -> Result<Result<Collected, Next>, Stop> {
    let to = match target(cx, user, append, wanted).await {
        Ok(to) => to,
        Err((code, text)) => return Ok(Err(refuse(cx, answer, code, &text))),
    };
    let (mut next, mut messages, mut kept_bytes, mut staged_bytes) = (append.clone(), Vec::new(), 0, 0);
    loop {
        if cx.io.framer.accept_append() {
            cx.io.go_ahead();
        }
        let (body, more) = match receive(cx, user.person.stage(), next.binary).await? {
            Received::Message(body, more) => (body, more),
            Received::Refused(code, text) => return Ok(Err(refuse(cx, answer, code, &text))),
            Received::Unclean => {
                answer.bad(
                    &mut cx.io.out,
                    None,
                    "After a message comes another one, or the end",
                );
                return Ok(Err(Next::Go));
            }
        };
        kept_bytes += match &body.place {
            BodyPlace::Inline(bytes) => bytes.len(),
            BodyPlace::Staged(_) => 0,
        };
        staged_bytes += body.size_bytes;
        messages.push(new_message(&next, body));
        let Some(line) = more else {
            return Ok(Ok(Collected { to, messages, answer }));
        };
        if messages.len() >= wanted.at_most || kept_bytes > APPEND_KEPT_BYTES {
            let text = "Too many messages in one command; send the others in another one";
            return Ok(Err(refuse(cx, answer, Some(Code::Limit), text)));
        }
        next = match imap::parse::another_message(&line, cx.io.mode, answer.tag(), &append.mailbox) {
            Ok(next) => next,
            Err(fault) => {
                fault.write(&mut cx.io.out);
                let recovery = cx.io.framer.refuse_append();
                return Ok(Err(recover(cx.io, recovery)));
            }
        };
        if let Err((code, text)) = may_come(cx, user, &next, staged_bytes, wanted).await {
            return Ok(Err(refuse(cx, answer, code, &text)));
        }
    }
}

fn refuse(cx: &mut Cx<'_, '_>, answer: Change, code: Option<Code<'static>>, text: &str) -> Next {
    answer.no(&mut cx.io.out, code, text);
    let recovery = cx.io.framer.refuse_append();
    recover(cx.io, recovery)
}

fn new_message(append: &Append, body: Body) -> NewMessage {
    let date = append.date;
    NewMessage {
        body,
        flags: stored_flags(&append.flags),
        internal_date: date
            .map(|date| UnixMs(u64::try_from(date.unix_seconds).unwrap_or(0).saturating_mul(1000))),
    }
}

async fn place(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&mut Opened>,
    collected: Collected,
) -> Result<Next, Stop> {
    let Collected { to, messages, answer } = collected;
    match cx.io.patiently(user.person.append_all(to, messages)).await? {
        Ok(placed) => {
            if let Some(opened) = opened {
                cx.tell(user, opened, Expunges::Tell)?;
            }
            let uids = UidSet::from_uids(placed.committed().iter().map(|placed| placed.uid));
            let validity = placed.committed().first().map_or(0, |placed| placed.uidvalidity);
            let code = Some(Code::AppendUid(validity, uids.ranges()));
            answer.ok(&mut cx.io.out, placed.narrow(|_| ()), code);
        }
        Err(error) => not_placed(cx, user, answer, &error),
    }
    Ok(Next::Go)
}

pub(crate) fn not_placed(cx: &mut Cx<'_, '_>, user: &User, answer: Change, error: &Error) {
    match error {
        // The mailbox went while the message came.
        Error::NoSuchMailbox | Error::Store(StoreError::Conflict(Conflict::NoSuchMailbox)) => answer.no(
            &mut cx.io.out,
            Some(Code::TryCreate),
            "There is no such mailbox; create it first",
        ),
        error => cx.no_change(user, answer, error),
    }
}

/// Everything about one message that can be refused before it is sent, after so many octets of the same command.
async fn may_come(
    cx: &mut Cx<'_, '_>,
    user: &User,
    append: &Append,
    staged_bytes: u64,
    wanted: Wanted,
) -> Result<(), (Option<Code<'static>>, String)> {
    let limit = cx.ctx.append_limit_bytes;
    if append.size_bytes > limit {
        let text = format!("Messages of at most {limit} octets are taken");
        return Err((Some(Code::TooBig), text));
    }
    if append.size_bytes == 0 {
        return Err((Some(Code::Cannot), "A message cannot be empty".to_owned()));
    }
    let all_bytes = staged_bytes.saturating_add(append.size_bytes);
    if all_bytes > limit.saturating_mul(APPEND_SUM) {
        let text = "Too many octets in one command; send the other messages in another one";
        return Err((Some(Code::Limit), text.to_owned()));
    }
    let room = user.person.may_add(all_bytes, wanted.leaves_bytes).await;
    room.map_err(|error| {
        let refusal = cx.refusal(user, &error);
        (refusal.code, refusal.text)
    })
}

/// Where the message goes, if it may come at all: everything that can be refused before it is sent is.
async fn target(
    cx: &mut Cx<'_, '_>,
    user: &User,
    append: &Append,
    wanted: Wanted,
) -> Result<MailboxId, (Option<Code<'static>>, String)> {
    let no = |code, text: &str| Err((Some(code), text.to_owned()));
    may_come(cx, user, append, 0, wanted).await?;
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
    /// with the line that announces another one
    Message(Body, Option<Vec<u8>>),
    /// it cannot be kept; its rest is still on the way
    Refused(Option<Code<'static>>, String),
    /// something stood behind it
    Unclean,
}

async fn receive(cx: &mut Cx<'_, '_>, mut stage: Box<dyn BodyStage>, binary: bool) -> Result<Received, Stop> {
    loop {
        let (used, progress) = cx.io.feed();
        match progress {
            Progress::AppendOctets => {
                let octets = &cx.io.buffered()[..used];
                if octets.contains(&0) {
                    cx.io.consume(used);
                    return Ok(Received::Refused(
                        // RFC 3516 §4.4: what BINARY calls the same.
                        Some(if binary { Code::UnknownCte } else { Code::Cannot }),
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
            Progress::AppendMore(line) => {
                cx.io.consume(used);
                return Ok(finish(stage, Some(line)).await);
            }
            Progress::AppendEnd { clean } => {
                cx.io.consume(used);
                return Ok(if clean {
                    finish(stage, None).await
                } else {
                    Received::Unclean
                });
            }
            _ => return Err(Stop::Gone),
        }
    }
}

async fn finish(stage: Box<dyn BodyStage>, more: Option<Vec<u8>>) -> Received {
    match stage.finish().await {
        Ok(body) => Received::Message(body, more),
        Err(error) => {
            let refusal = refusal::Refusal::from(&Error::Store(error));
            Received::Refused(refusal.code, refusal.text)
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
