//! `hearthpost keeper`: the second process of a server. It holds the TLS key and reads the settings and the files they name,
//! so that the process which reads strangers' bytes can open none of them (OPS-2). See [`world_real::keeper`].
//!
//! 1. [`start`]: the server starts it before it gives anything up.
//! 2. [`run`]: it gives up everything but reading, then answers until the server is gone. Which files it reads, only the
//!    settings say.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use config::Checked;
use world_real::confine::{self, Confinement, Duty, Reach};
use world_real::keeper::{self, FileRead, Keeper, Pulse, Reading};
use world_real::signals::Signals;

use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::limits::{CONFIG_BYTES, NAMED_FILE_BYTES};
use crate::serve;

/// The command's name.
pub const COMMAND: &str = "keeper";
/// The one variable of the environment that it needs: where systemd puts what `LoadCredential=` names.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Starts it for the settings in `file`.
pub fn start(file: &Path) -> Outcome<(Keeper, Pulse)> {
    let file = std::path::absolute(file).map_err(|error| Failure::Disk(error.to_string()))?;
    let args = [COMMAND.as_ref(), "--config".as_ref(), file.as_os_str()];
    Keeper::spawn(&args, CREDENTIALS).map_err(|error| {
        Failure::Disk(format!(
            "the process that keeps the keys cannot be started: {error}. Check the limits of processes and memory."
        ))
    })
}

/// Is it, until the server's end.
pub fn run(file: &Path) -> Outcome<()> {
    let signing = line(std::io::stdin().as_fd())?;
    let reading = line(std::io::stdout().as_fd())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let ears = runtime.and_then(|runtime| {
        let entered = runtime.enter();
        let signals = Signals::install()?;
        drop(entered);
        Ok((runtime, signals))
    });
    // Whoever ends the service by signals to all means the server, which still needs its key to finish.
    let _deaf = ears.map_err(|error| Failure::Disk(format!("signals cannot be received: {error}.")))?;
    confine::confine(&Confinement {
        user: None,
        reach: Reach {
            write: Vec::new(),
            read: vec!["/".into()],
        },
        duty: Duty::Keep,
    })
    .map_err(|error| Failure::Disk(error.to_string()))?;
    let file = file.to_owned();
    keeper::serve(signing, reading, move || look(&file))
        .map_err(|error| Failure::Disk(format!("the server's line: {error}.")))
}

/// A line to the server.
fn line(end: BorrowedFd<'_>) -> Outcome<UnixStream> {
    let line = end.try_clone_to_owned().map(UnixStream::from).ok();
    line.filter(|line| line.peer_addr().is_ok()).ok_or_else(|| {
        Failure::Usage("this command is for the server itself: start it with hearthpost serve.".to_owned())
    })
}

/// The settings, and what they name. Settings that are wrong name nothing; whoever asked will see what is wrong with them.
fn look(file: &Path) -> Reading {
    let mut files = vec![read(file, CONFIG_BYTES)];
    let settings = serve::check(file, &Shelf::Disk).ok();
    if let Some(settings) = &settings {
        files.extend(serve::named(&settings.config).map(|path| read(path, NAMED_FILE_BYTES)));
    }
    Reading {
        files,
        key: settings.as_ref().and_then(key),
    }
}

fn read(path: &Path, limit: u64) -> FileRead {
    let read = files::read_at_most(path, limit);
    FileRead {
        path: path.to_owned(),
        read: read.map_err(|error| {
            error
                .raw_os_error()
                .unwrap_or(rustix::io::Errno::IO.raw_os_error())
        }),
    }
}

fn key(settings: &Checked) -> Option<Result<Vec<u8>, String>> {
    let path = &settings.config.tls.as_ref()?.key;
    let bytes = files::read_at_most(path, NAMED_FILE_BYTES).map(|contents| contents.bytes);
    Some(certs::files::key(path, bytes).map_err(|error| error.to_string()))
}
