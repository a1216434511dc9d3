//! Giving up what a server that reads outside bytes must not have, before its first thread starts (OPS-1, OPS-2).
//!
//! 1. [`confine`] checks that the process has one thread: everything below acts on one thread and is inherited by later ones.
//! 2. [`user::become_user`]: supplementary groups, group and user, where the process is root.
//! 3. Every capability goes: bounding, ambient, permitted, effective and inheritable; then `no_new_privs`.
//! 4. [`files::restrict`]: Landlock leaves the server's own directories and a few files of the system.
//! 5. [`syscalls::restrict`]: seccomp refuses what a mail server never calls: running programs, tracing, mounting, new users.
//! 6. [`seal`], once every door is open: no further listener in any thread.
//!
//! A kernel without Landlock or seccomp is no error: [`Confined`] says so, and the caller tells the operator.
//! The keeper of keys keeps reading, and loses sockets: [`Duty`].
//! Not undone by anything: a process that must write elsewhere must not call this.

pub mod files;
pub mod syscalls;
pub mod user;

use std::fmt;
use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

pub use files::Reach;
pub use user::User;

/// What the process may keep.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    /// whom to become; `None` stays who we are
    pub user: Option<User>,
    /// the part of the file system it may reach
    pub reach: Reach,
    /// what it is for
    pub duty: Duty,
}

/// What a process is for, which decides what else it loses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Duty {
    /// to talk with others
    #[default]
    Serve,
    /// to read files and to sign: no socket beyond those it has; a root that may read files of other users goes on doing so
    Keep,
}

/// What holds from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    /// user id of the process
    pub uid: u32,
    /// whether Landlock holds
    pub files: Held,
    /// whether seccomp holds
    pub syscalls: Held,
}

/// Whether one of the kernel's protections holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// all that was asked for
    Fully,
    /// what this kernel knows of it
    Partly,
    /// nothing, and why
    Not(String),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fully => f.write_str("on"),
            Self::Partly => f.write_str("partly on: this kernel does not know all of it"),
            Self::Not(why) => write!(f, "off: {why}"),
        }
    }
}

/// Why the process may not go on: it would keep rights that it was to give up.
#[derive(Debug)]
pub enum ConfineError {
    /// Other threads run already, and would keep what this one gives up.
    Threads(usize),
    /// The kernel refused a step.
    Refused {
        /// which
        step: &'static str,
        /// why
        error: io::Error,
    },
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(count) => write!(
                f,
                "privileges cannot be given up with {count} threads running; please report it"
            ),
            Self::Refused { step, error } => {
                write!(f, "privileges could not be given up ({step}): {error}")
            }
        }
    }
}

impl std::error::Error for ConfineError {}

/// Gives up everything but `keep`. Call it before the runtime and the log start their threads.
pub fn confine(keep: &Confinement) -> Result<Confined, ConfineError> {
    // What cannot be counted is no single thread.
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(ConfineError::Threads(threads));
    }
    // Opening the directories takes the rights we still have; the rules hold from `restrict` on.
    let files = files::prepare(&keep.reach, keep.duty);
    empty_bounding_set();
    if let Some(user) = &keep.user {
        user::become_user(user).map_err(|error| refused("user", error))?;
    }
    drop_capabilities(keep.duty).map_err(|error| refused("capabilities", error))?;
    set_no_new_privs(true).map_err(|error| refused("no_new_privs", error.into()))?;
    Ok(Confined {
        uid: rustix::process::geteuid().as_raw(),
        files: files.map_or_else(Held::Not, files::restrict),
        syscalls: syscalls::restrict(keep.duty),
    })
}

/// Forbids further listeners in every thread. Call it when every door is open.
pub fn seal() -> Held {
    syscalls::seal()
}

fn refused(step: &'static str, error: io::Error) -> ConfineError {
    ConfineError::Refused { step, error }
}

/// Only a process that may change it can; for others the set bounds nothing that they could get back: they have
/// `no_new_privs` and no file to run.
fn empty_bounding_set() {
    let highest = u64::BITS;
    for number in 0..highest {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if !capability_is_in_bounding_set(one).unwrap_or(false) {
            continue;
        }
        if remove_capability_from_bounding_set(one).is_err() {
            return;
        }
    }
}

fn drop_capabilities(duty: Duty) -> io::Result<()> {
    // Kernels before 4.3 know no ambient set, so there is none to clear.
    let _ = clear_ambient_capability_set();
    let kept = match duty {
        Duty::Serve => CapabilitySet::empty(),
        Duty::Keep => capabilities(None)?.permitted & CapabilitySet::DAC_READ_SEARCH,
    };
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, sets)?)
}
