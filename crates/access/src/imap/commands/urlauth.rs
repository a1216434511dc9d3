//! RESETKEY, GENURLAUTH, URLFETCH (RFC 4467): letting others have a message, or a part of it, by its URL.
//!
//! 1. GENURLAUTH takes URLs of one's own mail; the token is the directory's ([`directory::url_keys`]) and covers every octet before it.
//! 2. URLFETCH first asks who may use the URL and until when, then whether the token is right, and only then looks at the mailbox. Whatever
//!    is wrong, the answer is NIL: nobody learns what is there.
//! 3. RESETKEY makes all earlier URLs worthless, of a mailbox or of all.

use directory::url_keys::UrlProof;
use imap::command::{ResetKey, UrlRump};
use imap::out::Code;
use imap::url::{Access, Url, UrlAccess};
use mailbox::limits::READ_BYTES;
use mailbox::message::Bytes;
use mailbox::{Error, Person, Room};

use crate::imap::Context;
use crate::imap::io::Stop;
use crate::imap::part::{Finder, NoPart, Part};
use crate::imap::refusal;
use crate::imap::response::OWN_BYTES;
use crate::imap::session::{Change, Cx, Reading, User};

/// The one mechanism (RFC 4467 §3).
const INTERNAL: &str = "INTERNAL";

/// RESETKEY.
pub(crate) async fn reset(
    cx: &mut Cx<'_, '_>,
    user: &User,
    reset: &ResetKey,
    answer: Change,
) -> Result<(), Stop> {
    if reset.mechanisms.iter().any(|mechanism| mechanism != INTERNAL) {
        answer.no(
            &mut cx.io.out,
            Some(Code::Cannot),
            "INTERNAL is the one mechanism here",
        );
        return Ok(());
    }
    let done = match reset.mailbox.as_ref().map(refusal::name).transpose() {
        Ok(name) => user.person.reset_url_key(name.as_ref()).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(proof) => answer.ok(&mut cx.io.out, proof, Some(Code::UrlMech)),
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// GENURLAUTH: all of them or none.
pub(crate) async fn generate(
    cx: &mut Cx<'_, '_>,
    user: &User,
    rumps: &[UrlRump],
    answer: Reading,
) -> Result<(), Stop> {
    let mut urls = Vec::with_capacity(rumps.len());
    for rump in rumps {
        match authorized(cx.ctx, user, rump).await {
            Ok(url) => urls.push(url),
            Err(Refused::Bad) => {
                let text = "GENURLAUTH takes imap://you@host/mailbox/;UID=…;URLAUTH=… of your own mail, without a token";
                answer.bad(&mut cx.io.out, None, text);
                return Ok(());
            }
            Err(Refused::No(text)) => {
                answer.no(&mut cx.io.out, Some(Code::Cannot), text);
                return Ok(());
            }
            Err(Refused::Failed(error)) => {
                cx.no_reading(user, answer, &error);
                return Ok(());
            }
        }
    }
    cx.io.out.gen_url_auth(urls.iter().map(Vec::as_slice));
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

enum Refused {
    /// it is no URL that this command takes
    Bad,
    /// it is one, but cannot be authorized here
    No(&'static str),
    Failed(Error),
}

async fn authorized(ctx: &Context, user: &User, rump: &UrlRump) -> Result<Vec<u8>, Refused> {
    if rump.mechanism != INTERNAL {
        return Err(Refused::No("INTERNAL is the one mechanism here"));
    }
    let url = Url::parse(&rump.url).ok_or(Refused::Bad)?;
    let access = url.access.as_ref().filter(|access| access.verifier.is_none());
    let (Some(access), Some(name)) = (access, &url.mailbox) else {
        return Err(Refused::Bad);
    };
    let owner = url.server.as_ref().and_then(|server| server.user.as_deref());
    if owner.and_then(|owner| ctx.directory.account_named(owner)) != Some(user.person.account()) {
        return Err(Refused::Bad);
    }
    if matches!(access.who, Access::Submit(_)) {
        return Err(Refused::No(
            "Submission takes no URLs here (BURL), so submit+ would help nobody",
        ));
    }
    let name = refusal::name(name).map_err(Refused::Failed)?;
    let parts = user.person.url_key_parts(&name).await.map_err(Refused::Failed)?;
    let token = ctx.directory.url_token(parts.key(), &rump.url);
    let digits: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok([&rump.url[..], b":internal:", digits.as_bytes()].concat())
}

/// URLFETCH: an answer for each, in order; NIL where there is nothing to be had.
pub(crate) async fn fetch(
    cx: &mut Cx<'_, '_>,
    user: &User,
    urls: &[Vec<u8>],
    answer: Reading,
) -> Result<(), Stop> {
    let mut finder = Finder::new();
    for url in urls {
        match fetched(cx.ctx, user, url, &mut finder).await {
            Ok(part) => send(cx, user, url, &part).await?,
            Err(NoPart::NotThere) => cx.io.out.url_fetch_nil(url),
            Err(NoPart::TooMuch) => {
                let text = "The URLs of this command look through too much mail; use fewer";
                answer.no(&mut cx.io.out, Some(Code::Limit), text);
                return Ok(());
            }
            Err(NoPart::Failed(error)) => {
                cx.no_reading(user, answer, &error);
                return Ok(());
            }
        }
        cx.io.send().await?;
        cx.io.breathe().await?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

async fn fetched(ctx: &Context, user: &User, text: &[u8], finder: &mut Finder) -> Result<Part, NoPart> {
    let url = Url::parse(text).ok_or(NoPart::NotThere)?;
    let access = url.access.as_ref().ok_or(NoPart::NotThere)?;
    if !may_use(ctx, user, access) {
        return Err(NoPart::NotThere);
    }
    let (owner, proof) = proved(ctx, &url, access, text).await?;
    finder.find(&owner, None, &url, Some(proof.mailbox())).await
}

/// Who asks, and when (RFC 4467 §3). `submit+` is nobody here.
fn may_use(ctx: &Context, user: &User, access: &UrlAccess) -> bool {
    let now_seconds = i64::try_from(ctx.clock.now().0 / 1000).unwrap_or(i64::MAX);
    let in_time = access
        .expires
        .is_none_or(|expires| now_seconds < expires.unix_seconds);
    in_time
        && match &access.who {
            Access::Submit(_) => false,
            Access::User(name) => ctx.directory.account_named(name) == Some(user.person.account()),
            Access::AnyUser | Access::Anonymous => true,
        }
}

/// The owner's mail, if the token is right.
async fn proved(
    ctx: &Context,
    url: &Url,
    access: &UrlAccess,
    text: &[u8],
) -> Result<(Person, UrlProof), NoPart> {
    let verifier = access
        .verifier
        .as_ref()
        .filter(|verifier| verifier.mechanism == INTERNAL);
    let owner = url.server.as_ref().and_then(|server| server.user.as_deref());
    let (Some(verifier), Some(owner), Some(name)) = (verifier, owner, &url.mailbox) else {
        return Err(NoPart::NotThere);
    };
    let directory = &ctx.directory;
    let owner = directory.account_named(owner).ok_or(NoPart::NotThere)?;
    let lender = ctx.mailboxes.lender(owner);
    let parts = lender.key_parts(&refusal::name(name)?).await?;
    let proof = directory
        .check_url(parts.key(), &text[..access.rump_bytes], &verifier.token)
        .ok_or(NoPart::NotThere)?;
    Ok((lender.shown(&proof)?, proof))
}

/// What is announced must follow: if it cannot be read any more, only closing is left.
async fn send(cx: &mut Cx<'_, '_>, user: &User, url: &[u8], part: &Part) -> Result<(), Stop> {
    let size = part.size_bytes();
    let mut room = user.person.memory().room(OWN_BYTES);
    let mut next = match read(part, 0, cx.io.waiting(), &mut room).await {
        Ok(octets) => octets,
        Err(_) => {
            cx.io.out.url_fetch_nil(url);
            return Ok(());
        }
    };
    cx.io.out.url_fetch_begin(url, size);
    let mut sent = 0;
    while sent < size {
        if next.is_empty() {
            return Err(Stop::Gone);
        }
        sent += next.len() as u64;
        cx.io.write(std::mem::take(&mut next).into()).await?;
        room.give_back();
        if sent < size {
            let read = read(part, sent, cx.io.waiting(), &mut room).await;
            next = read.map_err(|_| Stop::Gone)?;
        }
    }
    cx.io.out.url_fetch_end();
    Ok(())
}

/// As much as there is room for beside what waits.
async fn read(part: &Part, from: u64, waiting: usize, room: &mut Room) -> mailbox::Result<Bytes> {
    let wanted = (part.size_bytes() - from).min(READ_BYTES);
    let piece = room.piece(waiting as u64, wanted);
    part.read(from, piece).await
}
