//! The commands, one file each: reads the arguments, looks at the state, and answers or asks.

mod auth;
mod bdat;
mod data;
mod ehlo;
mod expn;
mod helo;
mod help;
mod lhlo;
mod mail;
mod noop;
mod quit;
mod rcpt;
mod rset;
mod starttls;
mod vrfy;

use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::{Session, Stage};
use crate::steps::Step;

/// A command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    StartTls,
    Auth,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
}

const VERBS: [(&str, Verb); 15] = [
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("LHLO", Verb::Lhlo),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    ("QUIT", Verb::Quit),
];

/// First words of other protocols: a browser that was tricked into talking to us gets no answer to read (ALPACA).
const FOREIGN: [&str; 12] = [
    "GET",
    "POST",
    "PUT",
    "HEAD",
    "OPTIONS",
    "CONNECT",
    "DELETE",
    "PATCH",
    "TRACE",
    "HOST:",
    "PRI",
    "USER-AGENT:",
];

pub(crate) fn dispatch<P>(session: Session<P>, line: &[u8], more_waits: bool) -> Step<P> {
    let (word, args) = split(line);
    if FOREIGN
        .iter()
        .any(|foreign| word.eq_ignore_ascii_case(foreign.as_bytes()))
    {
        return Step::Close(None);
    }
    let Some(verb) = known(word) else {
        return session.error(&Refusal::new(
            codes::UNKNOWN_COMMAND,
            "That is no command known here: HELP lists them",
        ));
    };
    if more_waits && must_be_last(&session, verb) {
        let text = "Something was sent before the reply to this command: wait for it, and connect again";
        return Step::Close(Some(Reply::refuse(&Refusal::new(codes::PIPELINING, text))));
    }
    // RFC 3030 §2: between chunks only BDAT, RSET, NOOP and QUIT make sense; DATA after BDAT is answered 503.
    match verb {
        Verb::Ehlo => ehlo::answer(session, args),
        Verb::Helo => helo::answer(session, args),
        Verb::Lhlo => lhlo::answer(session, args),
        Verb::Mail => mail::answer(session, args),
        Verb::Rcpt => rcpt::answer(session, args),
        Verb::Data => data::answer(session, args),
        Verb::Bdat => bdat::answer(session, args),
        Verb::StartTls => starttls::answer(session, args),
        Verb::Auth => auth::answer(session, args),
        Verb::Rset => rset::answer(session, args),
        Verb::Noop => noop::answer(session, args),
        Verb::Vrfy => vrfy::answer(session, args),
        Verb::Expn => expn::answer(session, args),
        Verb::Help => help::answer(session, args),
        Verb::Quit => quit::answer(session, args),
    }
}

/// The first word and what follows the space behind it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

fn known(word: &[u8]) -> Option<Verb> {
    VERBS
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, verb)| *verb)
}

/// Whether nothing may stand behind this command in a group (RFC 2920 §3.1, RFC 3207 §4, RFC 4954 §4). VRFY, NOOP and
/// QUIT would be in the list too, but a group that goes on behind them harms nobody. Who did not say EHLO may not group.
fn must_be_last<P>(session: &Session<P>, verb: Verb) -> bool {
    match verb {
        Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Data | Verb::StartTls | Verb::Auth => true,
        Verb::Quit => false,
        Verb::Bdat => {
            !matches!(session.stage, Stage::Fresh) && !session.hello().is_some_and(|hello| hello.extended)
        }
        _ => !session.hello().is_some_and(|hello| hello.extended),
    }
}

/// Whether the arguments are nothing but spaces, for commands that have none.
fn none(args: &[u8]) -> bool {
    args.iter().all(|&byte| byte == b' ')
}

fn no_arguments<P>(session: Session<P>, verb: &str) -> Step<P> {
    session.error(&Refusal::new(
        codes::BAD_ARGUMENTS,
        format!("{verb} stands alone on its line"),
    ))
}

/// Strips `FROM:` or `TO:`, in any case.
fn after_keyword<'a>(args: &'a [u8], keyword: &str) -> Option<&'a [u8]> {
    let (head, rest) = args.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword.as_bytes())
        .then(|| quirk_space_after_colon(rest))
}

/// `MAIL FROM: <a@b>`: RFC 5321 §3.3 forbids the space, many clients write it, and it means nothing.
fn quirk_space_after_colon(rest: &[u8]) -> &[u8] {
    rest.strip_prefix(b" ").unwrap_or(rest)
}
