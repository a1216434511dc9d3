//! `hearthpost sendmail`, also under the name `sendmail`: programs on this machine hand in mail as they always did.
//!
//! 1. [`args`] reads the options that cron, mail readers and scripts use.
//! 2. [`session`] connects to the server's local door (`doors.local`). The kernel tells the server which user calls; the
//!    server says whose mail this is (`XSENDER`), or that this user may send none.
//! 3. [`message`] makes a message of standard input: line ends, a header if there is none, recipients of `-t`, bare names.
//! 4. [`session`] hands it in; the server decides on it as on any submission (size, author, hops, Bcc, Date, Message-ID).
//!
//! Exit codes are those of sysexits.h ([`exit`]), because that is what callers look at. Nothing is kept here: when the server
//! is down, the caller is told to try again (75).

mod args;
mod exit;
mod message;
mod session;

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mail::address::{Mailbox, Utf8};

use self::args::{Args, Mode};
use self::exit::{Code, Ended};
use self::session::Identity;
use crate::cli::DEFAULT_CONFIG;
use crate::limits::SENDMAIL_BYTES;
use crate::serve;

/// Where the server's socket is for all users.
const SHARED_SOCKET: &str = "/run/hearthpost/submit.sock";
/// Its name in the data directory.
pub const SOCKET: &str = "submit.sock";

/// Runs with the arguments behind the command's name.
pub fn run(args: &[OsString]) -> ExitCode {
    let outcome = Args::read(args).and_then(|args| match args.mode {
        Mode::Nothing => Ok(()),
        Mode::Deliver => deliver(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended { code, text }) => {
            use std::io::Write;
            // If nobody reads standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "sendmail: {text}");
            code.exit()
        }
    }
}

fn deliver(args: &Args) -> Result<(), Ended> {
    // Before anything is read: at a terminal nobody would know what it waits for.
    if args.recipients.is_empty() && !args.recipients_in_header {
        return Err(nobody());
    }
    let socket = socket(args)?;
    let input = read_input(args.lone_dot_ends)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Ended::new(Code::OsError, format!("the runtime cannot start: {error}.")))?;
    runtime.block_on(async {
        let (session, identity) = session::open(&socket).await?;
        let sender = sender(args, &identity)?;
        let parts = message::Parts {
            own: &identity.address,
            author: sender.as_ref().unwrap_or(&identity.address),
            name: args.name.as_deref(),
        };
        let message = message::make(&input, &parts);
        let mut recipients = Vec::new();
        for text in &args.recipients {
            recipients.push(address(text, &identity)?);
        }
        if args.recipients_in_header {
            recipients.extend(message::recipients(&message));
        }
        if recipients.is_empty() {
            return Err(nobody());
        }
        recipients.dedup();
        session.send(args, sender, recipients, &message).await
    })
}

fn nobody() -> Ended {
    Ended::new(
        Code::Usage,
        "nobody to send to: name recipients, or use -t with To, Cc or Bcc in the message.",
    )
}

/// `-f`: `<>` and nothing are the null path; a bare name is one of ours.
fn sender(args: &Args, identity: &Identity) -> Result<Option<Mailbox>, Ended> {
    match args.from.as_deref().map(|from| from.trim_matches(['<', '>'])) {
        None => Ok(Some(identity.address.clone())),
        Some("") => Ok(None),
        Some(from) => address(from, identity).map(Some),
    }
}

/// An address; a bare name is one at our own domain, and our own user's name is our own address.
fn address(text: &str, identity: &Identity) -> Result<Mailbox, Ended> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    let whole = if text.contains('@') {
        text.to_owned()
    } else {
        format!("{text}@{}", identity.address.domain())
    };
    Mailbox::parse(&whole, Utf8::Allowed).map_err(|_| {
        Ended::new(
            Code::Usage,
            format!("{text:?} is not an address. Write it like user@example.org."),
        )
    })
}

/// `-C` and `--data` say it; else the one for all users, or the one of the settings.
fn socket(args: &Args) -> Result<PathBuf, Ended> {
    if let Some(data) = &args.data {
        return Ok(data.join(SOCKET));
    }
    if args.config.is_none() && Path::new(SHARED_SOCKET).exists() {
        return Ok(SHARED_SOCKET.into());
    }
    let file = args.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG));
    let config = serve::read(file)
        .map_err(|failure| Ended::new(Code::Config, failure.to_string()))?
        .config;
    match config.local.socket {
        None => Ok(config.data_dir.join(SOCKET)),
        Some(path) if path.as_os_str().is_empty() => Err(Ended::new(
            Code::Config,
            "this server has no door for local programs. Set doors.local in its settings.",
        )),
        Some(path) => Ok(path),
    }
}

fn read_input(lone_dot_ends: bool) -> Result<Vec<u8>, Ended> {
    let mut input = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(SENDMAIL_BYTES + 1)
        .read_to_end(&mut input);
    read.map_err(|error| Ended::new(Code::OsError, format!("standard input cannot be read: {error}.")))?;
    if input.len() as u64 > SENDMAIL_BYTES {
        return Err(Ended::new(Code::DataError, "the message is larger than 1 GiB."));
    }
    Ok(message::lines(&input, lone_dot_ends))
}
