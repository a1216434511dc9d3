//! Stories: scenarios as text, played against the real program. The file's name is a sentence; a name that starts with the id of a
//! threat case (`tls-1-…`) counts for that case.
//!
//! ```text
//! # What this story shows, and why.
//! server: --insecure-auth                 # options of `hearthpost demo`; default: none; {sink} is the sink's address
//! sink: first 1 mail: reply 451 later     # a server that stands for all others ([`crate::sink`]), a rule a line
//!
//! dialogue stranger on smtp:              # smtp submission submissions lmtp imap imaps
//!   S: 220                                # the next line starts so
//!   C: EHLO client.example
//!   not: *AUTH*                           # no line up to the next S*: may match
//!   S*: 250 HELP                          # reads on until a line matches
//!   C: MAIL FROM:<a@client.example>
//!   S: 250 2.1.0 *ok*                     # with *: the whole line has to match; a leading "* " is meant literally
//!   C-raw: NOOP\r\nNOOP\n\x00             # exactly these bytes
//!   C:                                    # an empty line
//!   starttls
//!   login alice
//!   S: 250 2.0.0 * queued as {id}         # keeps the word that stands there as {id}
//!   closed                                # the server has ended the connection
//! dialogue stranger:                      # goes on with the same connection
//!   C: QUIT
//!
//! mailbox alice INBOX contains 1 message
//! message alice INBOX 1 has: Subject: hello
//! message alice INBOX 1 lacks: Bcc:*
//! sink takes 1 message
//! taken 1 has: Subject: hello             # or lacks:
//! sink: rcpt: reply 550 no; data: close   # another script for it from now on
//! log has event receive.accepted with queue_id={id}
//! log lacks: {alice.password}
//! restart                                 # SIGTERM, start on the same directory
//! kill                                    # SIGKILL, start on the same directory
//! ```
//!
//! `{alice}` is Alice's address, `{alice.password}` her password, `{alice.plain}` the base64 of her SASL PLAIN answer. A comment
//! stands on a line of its own. A story that fails names its file and line and shows the dialogue so far.
//!
//! 1. [`Story::read`] turns the text into steps;
//! 2. [`play`] starts a demo in a new directory, performs the steps and stops it;
//! 3. [`play_all`] does that for every `*.story` of a directory.

mod parse;
mod pattern;
mod play;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use parse::Story;
pub use play::play;

/// How many stories are played at the same time.
const AT_ONCE: usize = 3;

/// How one story ended.
#[derive(Debug)]
pub struct Outcome {
    /// the file's name without its ending
    pub name: String,
    /// `Err` is the report for people
    pub result: Result<(), String>,
}

/// Plays every `*.story` below `dir` whose name contains `filter`, in the order of their names.
pub fn play_all(dir: &Path, binary: &Path, filter: &str) -> std::io::Result<Vec<Outcome>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| {
        path.extension().is_some_and(|ending| ending == "story") && name_of(path).contains(filter)
    });
    paths.sort();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = Outcome {
                        name: name_of(path),
                        result: read_and_play(path, binary),
                    };
                    outcomes.lock().expect("no player panics").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no player panics");
    outcomes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(outcomes)
}

/// The program under test: `HEARTHPOST_BIN`, or `hearthpost` in the directory of this test's target.
pub fn binary() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("HEARTHPOST_BIN") {
        return Some(path.into());
    }
    let own = std::env::current_exe().ok()?;
    own.ancestors()
        .map(|dir| dir.join("hearthpost"))
        .find(|path| path.is_file())
}

/// Whether a line of a message fits a story's pattern: it starts so, or with `*` in the pattern the whole line has to match.
pub fn line_fits(pattern: &str, line: &str) -> bool {
    pattern::matches(pattern, line, &mut pattern::Values::new())
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read_and_play(path: &Path, binary: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let story = Story::read(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    let line = AtomicUsize::new(0);
    let playing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&story, binary, &line)));
    let result = playing.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(panic.downcast_ref::<&str>().copied());
        Err(text.unwrap_or("the player panicked").to_owned())
    });
    result.map_err(|why| format!("{}:{}: {why}", path.display(), line.load(Ordering::Relaxed)))
}
