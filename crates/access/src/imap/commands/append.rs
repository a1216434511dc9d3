//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 4469, RFC 7889): each message goes from the wire into the store's stage as it comes, and so do
//! parts that are copied from other messages; memory stays flat. All messages of one command come in one commit.

use imap::command::{Append, Begin, Piece, Tag, is_open_after};
use imap::frame::{Progress, Recovery};
use imap::out::Code;
use imap::parse::Fault;
use imap::url::Url;
use mailbox::limits::{READ_BYTES, SHARE_BYTES};
use mailbox::{Act, Error, Expunges, NewMessage, Opened, Place};
use store::contract::{Body, BodyPlace, BodyStage, Conflict, StoreError};
use store::uids::UidSet;
use world::clock::UnixMs;

use crate::imap::io::{Io, Stop};
use crate::imap::part::{Finder, NoPart, Part};
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, Next, User};
use crate::imap::updates::stored_flags;
use crate::limits::{APPEND_KEPT_BYTES, APPEND_MESSAGES, APPEND_PAUSE, APPEND_SUM, CATENATE_URLS};

/// The messages of one command, whole.
pub(crate) struct Collected {
    pub(crate) to: Place,
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
    let limit = cx
        .ctx
        .own
        .message_limit
        .map_or(usize::MAX, |limit| limit.of_saving() as usize);
    let wanted = Wanted {
        at_most: APPEND_MESSAGES.min(limit),
        leaves_bytes: 0,
    };
    match collect(cx, user, opened.as_deref(), append, wanted, answer).await? {
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
    opened: Option<&Opened>,
    append: &Append,
    wanted: Wanted,
    answer: Change,
) -> Result<Result<Collected, Next>, Stop> {
    match all(cx, user, opened, append, (wanted, answer.tag())).await {
        Ok((to, messages)) => return Ok(Ok(Collected { to, messages, answer })),
        Err(Halt::Stop(stop)) => return Err(stop),
        Err(Halt::No(code, text)) => answer.no(&mut cx.io.out, code, &text),
        Err(Halt::Bad(text)) => answer.bad(&mut cx.io.out, None, text),
        Err(Halt::Fault(fault)) => fault.write(&mut cx.io.out),
    }
    Ok(Err(turn_away(cx.io)))
}

/// Why nothing comes.
pub(crate) enum Halt {
    Stop(Stop),
    No(Option<Code<'static>>, String),
    Bad(&'static str),
    Fault(Fault),
}

impl Halt {
    fn no(code: Code<'static>, text: &str) -> Self {
        Self::No(Some(code), text.to_owned())
    }

    fn bad_url(text: &[u8]) -> Self {
        let code = Code::BadUrl(text.to_vec().into());
        Self::No(Some(code), "The URL names nothing that is there".to_owned())
    }

    fn failed(cx: &Cx<'_, '_>, user: &User, error: &Error) -> Self {
        let refusal = cx.refusal(user, error);
        Self::No(refusal.code, refusal.text)
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        let refusal = refusal::Refusal::from(&Error::Store(error));
        Self::No(refusal.code, refusal.text)
    }
}

/// Line by line: what each says, then the octets it announces.
async fn all(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&Opened>,
    append: &Append,
    (wanted, tag): (Wanted, &Tag),
) -> Result<(Place, Vec<NewMessage>), Halt> {
    let to = target(cx, user, append).await?;
    let mut taking = Taking::new(wanted, to);
    let (mut pieces, mut open) = (append.pieces.clone(), false);
    loop {
        open = is_open_after(&pieces, open);
        let mut tail = Tail::End;
        let mut announced = false;
        for piece in pieces {
            match piece {
                Piece::Begin(begin) => taking.begin(user, begin)?,
                Piece::Url(url) => taking.url(cx, user, opened, &url).await?,
                Piece::Octets { size_bytes, binary } => {
                    announced = true;
                    tail = taking.octets(cx, user, (size_bytes, binary)).await?;
                }
                Piece::End => taking.end().await?,
            }
        }
        pieces = match tail {
            Tail::Line(line) => {
                imap::parse::further_messages(&line, cx.io.mode, tag, open).map_err(Halt::Fault)?
            }
            Tail::End if open && announced => return Err(Halt::Bad("A catenated message does not end")),
            // Octets may come for hours: the rights are those of now, not of the beginning.
            Tail::End => return Ok((still(cx, user, to).await?, taking.messages)),
        };
    }
}

/// The messages of one command, as they come.
struct Taking {
    wanted: Wanted,
    to: Place,
    messages: Vec<NewMessage>,
    /// the message under way
    current: Option<Building>,
    /// octets of messages that are in memory
    kept_bytes: usize,
    /// octets of all messages that are whole
    staged_bytes: u64,
    /// URLs so far
    urls: usize,
    finder: Finder,
}

struct Building {
    begin: Begin,
    stage: Box<dyn BodyStage>,
    bytes: u64,
}

impl Taking {
    fn new(wanted: Wanted, to: Place) -> Self {
        Self {
            wanted,
            to,
            messages: Vec::new(),
            current: None,
            kept_bytes: 0,
            staged_bytes: 0,
            urls: 0,
            finder: Finder::new(),
        }
    }

    fn begin(&mut self, user: &User, begin: Begin) -> Result<(), Halt> {
        if self.messages.len() >= self.wanted.at_most || self.kept_bytes > APPEND_KEPT_BYTES {
            let text = "Too many messages in one command; send the others in another one";
            return Err(Halt::no(Code::Limit, text));
        }
        let stage = user.person.stage();
        self.current = Some(Building {
            begin,
            stage,
            bytes: 0,
        });
        Ok(())
    }

    /// A message that comes at once, or a part of one.
    async fn octets(
        &mut self,
        cx: &mut Cx<'_, '_>,
        user: &User,
        (size_bytes, binary): (u64, bool),
    ) -> Result<Tail, Halt> {
        self.may_grow(cx, user, size_bytes).await?;
        let Some(current) = &mut self.current else {
            return Err(Halt::Bad(MISPLACED));
        };
        if !current.begin.catenated && size_bytes == 0 {
            return Err(Halt::no(Code::Cannot, EMPTY));
        }
        if cx.io.framer.accept_append() {
            cx.io.go_ahead();
        }
        let tail = receive(cx, current.stage.as_mut(), binary).await?;
        current.bytes += size_bytes;
        if !current.begin.catenated {
            self.end().await?;
        }
        Ok(tail)
    }

    /// A part that is here already, copied as it stands (RFC 4469 §3).
    async fn url(
        &mut self,
        cx: &mut Cx<'_, '_>,
        user: &User,
        opened: Option<&Opened>,
        text: &[u8],
    ) -> Result<(), Halt> {
        self.urls += 1;
        if self.urls > CATENATE_URLS {
            return Err(Halt::no(Code::Limit, "Too many URLs in one command"));
        }
        let part = self.part(cx, user, opened, text).await?;
        self.may_grow(cx, user, part.size_bytes()).await?;
        let Some(current) = &mut self.current else {
            return Err(Halt::Bad(MISPLACED));
        };
        let mut room = user.person.memory().room(SHARE_BYTES);
        let mut copied = 0;
        while copied < part.size_bytes() {
            let piece = room.piece(0, (part.size_bytes() - copied).min(READ_BYTES));
            let octets = match part.read(copied, piece).await {
                Ok(octets) if !octets.is_empty() => octets,
                // It went while it was copied.
                Ok(_) => return Err(Halt::bad_url(text)),
                Err(error) => return Err(Halt::failed(cx, user, &error)),
            };
            current.stage.write(&octets).await?;
            copied += octets.len() as u64;
            // The client may have to hear that it takes long, and may take its time.
            drop(octets);
            room.give_back();
            cx.io.breathe().await?;
        }
        current.bytes += copied;
        Ok(())
    }

    /// What a URL names.
    async fn part(
        &mut self,
        cx: &mut Cx<'_, '_>,
        user: &User,
        opened: Option<&Opened>,
        text: &[u8],
    ) -> Result<Part, Halt> {
        // RFC 4469 §3: other servers, and people other than the one who asks, are beyond CATENATE.
        let url = Url::parse(text).filter(|url| url.server.is_none() && url.access.is_none());
        let url = url.ok_or_else(|| Halt::bad_url(text))?;
        let found = self.finder.find(&user.person, opened, &url, None).await;
        found.map_err(|none| match none {
            NoPart::NotThere => Halt::bad_url(text),
            NoPart::TooMuch => {
                let text = "The URLs of this command look through too much mail; use fewer";
                Halt::no(Code::Limit, text)
            }
            NoPart::Failed(error) => Halt::failed(cx, user, &error),
        })
    }

    /// The message under way is whole.
    async fn end(&mut self) -> Result<(), Halt> {
        let Some(Building { begin, stage, bytes }) = self.current.take() else {
            return Err(Halt::Bad(MISPLACED));
        };
        if bytes == 0 {
            return Err(Halt::no(Code::Cannot, EMPTY));
        }
        let body = stage.finish().await?;
        self.kept_bytes += match &body.place {
            BodyPlace::Inline(bytes) => bytes.len(),
            BodyPlace::Staged(_) => 0,
        };
        self.staged_bytes += body.size_bytes;
        self.messages.push(new_message(&begin, body));
        Ok(())
    }

    /// Whether so many octets may be added to the message under way: everything that can be refused before they come is.
    async fn may_grow(&mut self, cx: &mut Cx<'_, '_>, user: &User, more_bytes: u64) -> Result<(), Halt> {
        let limit = cx.ctx.own.append_limit_bytes;
        let begun = self.current.as_ref().map_or(0, |current| current.bytes);
        let message_bytes = begun.saturating_add(more_bytes);
        if message_bytes > limit {
            let text = format!("Messages of at most {limit} octets are taken");
            return Err(Halt::No(Some(Code::TooBig), text));
        }
        let all_bytes = self.staged_bytes.saturating_add(message_bytes);
        if all_bytes > limit.saturating_mul(APPEND_SUM) {
            let text = "Too many octets in one command; send the other messages in another one";
            return Err(Halt::no(Code::Limit, text));
        }
        // The room is the owner's, whoever brings the message.
        let owner = user.person.at_place(self.to);
        let room = owner.may_add(all_bytes, self.wanted.leaves_bytes).await;
        room.map_err(|error| {
            let refusal = cx.refusal(user, &error);
            Halt::No(refusal.code, refusal.text)
        })
    }
}

const NO_MAILBOX: &str = "There is no such mailbox; create it first";
const EMPTY: &str = "A message cannot be empty";
const MISPLACED: &str = "A message is missing";

fn new_message(begin: &Begin, body: Body) -> NewMessage {
    let date = begin.date;
    NewMessage {
        body,
        flags: stored_flags(&begin.flags),
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
                if to.mailbox == opened.id() {
                    let placed = placed.committed().iter().map(|placed| placed.uid);
                    opened.brought(&UidSet::from_uids(placed));
                }
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
        Error::NoSuchMailbox | Error::Store(StoreError::Conflict(Conflict::NoSuchMailbox)) => {
            answer.no(&mut cx.io.out, Some(Code::TryCreate), NO_MAILBOX)
        }
        error => cx.no_change(user, answer, error),
    }
}

/// Where the messages go.
async fn target(cx: &mut Cx<'_, '_>, user: &User, append: &Append) -> Result<Place, Halt> {
    let found = match refusal::name(&append.mailbox) {
        Ok(name) => user.person.find_for(&name, Act::Insert).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(entry) => Ok(entry.place()),
        Err(Error::NoSuchMailbox) => Err(Halt::no(Code::TryCreate, NO_MAILBOX)),
        Err(error) => {
            let refusal = cx.refusal(user, &error);
            Err(Halt::No(refusal.code, refusal.text))
        }
    }
}

/// The same place, if messages may still go there.
async fn still(cx: &mut Cx<'_, '_>, user: &User, to: Place) -> Result<Place, Halt> {
    user.person
        .still_may(Act::Insert, to)
        .await
        .map_err(|error| match error {
            Error::NoSuchMailbox => Halt::no(Code::TryCreate, NO_MAILBOX),
            error => {
                let refusal = cx.refusal(user, &error);
                Halt::No(refusal.code, refusal.text)
            }
        })
}

/// What stands behind octets.
enum Tail {
    /// the end of the command
    End,
    /// a line that goes on, to be read
    Line(Vec<u8>),
}

async fn receive(cx: &mut Cx<'_, '_>, stage: &mut dyn BodyStage, binary: bool) -> Result<Tail, Halt> {
    loop {
        let (used, progress) = cx.io.feed();
        match progress {
            Progress::AppendOctets => {
                let octets = &cx.io.buffered()[..used];
                if octets.contains(&0) {
                    cx.io.consume(used);
                    // RFC 3516 §4.4: what BINARY calls the same.
                    let code = if binary { Code::UnknownCte } else { Code::Cannot };
                    return Err(Halt::no(code, "A message cannot hold NUL"));
                }
                let written = stage.write(octets).await;
                cx.io.consume(used);
                written?;
            }
            Progress::NeedMore => {
                cx.io.consume(used);
                let until = cx.io.after(APPEND_PAUSE);
                cx.io.more(until).await?;
            }
            Progress::Continue => {
                cx.io.consume(used);
                cx.io.go_ahead();
            }
            Progress::AppendMore(line) | Progress::AppendLast(line) => {
                cx.io.consume(used);
                return Ok(Tail::Line(line));
            }
            Progress::AppendEnd { clean } => {
                cx.io.consume(used);
                return if clean {
                    Ok(Tail::End)
                } else {
                    Err(Halt::Bad("After a message comes another one, or the end"))
                };
            }
            _ => return Err(Stop::Gone.into()),
        }
    }
}

/// After a refused APPEND: the framer throws its message away, or there is too much of it.
pub(crate) fn turn_away(io: &mut Io<'_>) -> Next {
    match io.framer.refuse_append() {
        Recovery::GoOn => Next::Go,
        Recovery::Close => {
            io.out.bye(None, "The refused message is too large to be skipped");
            Next::Close
        }
    }
}
