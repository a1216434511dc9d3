//! Who the server is while it serves, and what it keeps: decided after binding, before the first thread (OPS-1).
//!
//! 1. [`choose`]: started as root, the server becomes the user of `process.user`, or `hearthpost`.
//! 2. [`own`]: its directories must be that user's.
//! 3. [`give_up`]: everything else goes, see [`world_real::confine`].

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use world_real::confine::{self, Confined, Confinement, User, user};

use crate::exit::{Failure, Outcome};
use crate::server::make_private;

/// Whom a server becomes that is started as root and not told otherwise.
pub const DEFAULT_USER: &str = "hearthpost";

/// Whom to become: `None` stays who we are. `wanted` is the setting.
pub fn choose(wanted: Option<&str>) -> Outcome<Option<User>> {
    let found = user::find(wanted.unwrap_or(DEFAULT_USER));
    decide(rustix::process::geteuid().as_raw(), wanted, found).map_err(Failure::Usage)
}

fn decide(uid: u32, wanted: Option<&str>, found: Option<User>) -> Result<Option<User>, String> {
    match (uid, wanted, found) {
        (0, Some(_), Some(found)) if found.uid == 0 => Ok(None),
        (0, _, Some(found)) => Ok(Some(found)),
        (0, Some(wanted), None) => Err(format!(
            "process.user: this machine has no user {wanted:?}. Write a name from /etc/passwd, or a number."
        )),
        (0, None, None) => Err(format!(
            "a mail server does not go on as root, and this machine has no user {DEFAULT_USER}. Make one: useradd --system \
             --home-dir /var/lib/hearthpost --shell /usr/sbin/nologin {DEFAULT_USER}. Or name another in the setting process.user."
        )),
        (_, Some(wanted), found) => match found {
            Some(found) if found.uid == uid => Ok(None),
            _ => Err(format!(
                "process.user is {wanted:?}, but only root can become another user. Start the server as root or as {wanted}."
            )),
        },
        (_, None, _) => Ok(None),
    }
}

/// Makes `dir` and sees to it that it is the server's. An empty directory is given to `user`; one with files in it stays as
/// it is, because they could be anybody's.
pub fn own(dir: &Path, user: Option<&User>) -> Outcome<()> {
    make_private(dir)?;
    let Some(user) = user else { return Ok(()) };
    let failed = |error: std::io::Error| {
        Failure::Disk(format!(
            "the directory {} cannot be given to {}: {error}.",
            dir.display(),
            user.name
        ))
    };
    let owner = std::fs::metadata(dir).map_err(failed)?.uid();
    if owner == user.uid {
        return Ok(());
    }
    if std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::Usage(format!(
            "the directory {dir} belongs to the user {owner}, but the server runs as {name} ({uid}). Give it over: chown -R {name}: {dir}",
            dir = dir.display(),
            name = user.name,
            uid = user.uid
        )));
    }
    user::give(dir, user).map_err(failed)
}

/// Makes `dir` for a socket that every user of this machine may reach; one that exists stays as it is, but for its owner.
pub fn open_to_all(dir: &Path, user: Option<&User>) -> Outcome<()> {
    let failed = |error: std::io::Error| {
        Failure::Disk(format!(
            "the directory {} of doors.local cannot be made: {error}.",
            dir.display()
        ))
    };
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(dir)
        .map_err(failed)?;
    user.map_or(Ok(()), |user| user::give(dir, user)).map_err(failed)
}

/// Gives up everything but `keep`.
pub fn give_up(keep: &Confinement) -> Outcome<Confined> {
    confine::confine(keep).map_err(|error| Failure::Disk(error.to_string()))
}

/// For the command line at a stopped server: root becomes the owner of `data` first, so that no file in it becomes root's.
pub fn become_owner(data: &Path) -> Outcome<()> {
    if !user::is_root() {
        return Ok(());
    }
    let Ok(found) = std::fs::metadata(data) else {
        return Ok(());
    };
    if found.uid() == 0 {
        return Ok(());
    }
    let owner = User {
        name: found.uid().to_string(),
        uid: found.uid(),
        gid: found.gid(),
    };
    user::become_user(&owner).map_err(|error| {
        Failure::Disk(format!(
            "the owner of {} ({}) cannot be become: {error}. Run the command as that user.",
            data.display(),
            owner.uid
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_1_nobody_serves_as_root_without_saying_so() {
        let user = |uid| {
            Some(User {
                name: "u".to_owned(),
                uid,
                gid: uid,
            })
        };
        let table = [
            (0, None, user(990), Some(Some(990))),
            (0, None, None, None),
            (0, Some("mail"), user(8), Some(Some(8))),
            (0, Some("mail"), None, None),
            (0, Some("root"), user(0), Some(None)),
            (1000, None, None, Some(None)),
            (1000, None, user(990), Some(None)),
            (1000, Some("ann"), user(1000), Some(None)),
            (1000, Some("hearthpost"), user(990), None),
            (1000, Some("nobody-here"), None, None),
        ];
        for (uid, wanted, found, want) in table {
            let got = decide(uid, wanted, found)
                .ok()
                .map(|user| user.map(|user| user.uid));
            assert_eq!(got, want, "{uid} {wanted:?}");
        }
    }
}
