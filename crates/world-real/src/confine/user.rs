//! Users of this machine, and becoming one of them.
//!
//! Read from `/etc/passwd` alone: asking the system's name service would load its libraries and start threads.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// name, or the number when it has none
    pub name: String,
    /// user id
    pub uid: u32,
    /// main group
    pub gid: u32,
}

/// The user of this name, or of this number (`1000` or `1000:1000`).
pub fn find(name: &str) -> Option<User> {
    let table = std::fs::read("/etc/passwd").unwrap_or_default();
    find_in(&String::from_utf8_lossy(&table), name)
}

/// The user of this number.
pub fn of_uid(uid: u32) -> Option<User> {
    let table = std::fs::read("/etc/passwd").unwrap_or_default();
    users(&String::from_utf8_lossy(&table)).find(|user| user.uid == uid)
}

fn find_in(table: &str, name: &str) -> Option<User> {
    if let Some(named) = users(table).find(|user| user.name == name) {
        return Some(named);
    }
    let (uid, gid) = name.split_once(':').unwrap_or((name, ""));
    let uid: u32 = uid.parse().ok()?;
    if let Some(known) = users(table).find(|user| user.uid == uid && gid.is_empty()) {
        return Some(known);
    }
    Some(User {
        name: uid.to_string(),
        uid,
        gid: if gid.is_empty() { uid } else { gid.parse().ok()? },
    })
}

/// passwd(5): name:password:UID:GID:GECOS:directory:shell.
fn users(table: &str) -> impl Iterator<Item = User> + '_ {
    table.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { name, uid, gid })
    })
}

/// Whether the process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes `user`, without any supplementary group, for good. Each call acts on the calling thread alone: there must be no
/// other one. A process that is this user already and has no other groups to give up may be anybody.
pub fn become_user(user: &User) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    if rustix::process::geteuid() == uid && !is_root() {
        return Ok(());
    }
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// Gives `path` to `user`; for root, before it stops being root.
pub fn give(path: &Path, user: &User) -> io::Result<()> {
    std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
}

/// Whether `user` could read `path`: every directory above must let them through, the file itself be readable.
/// The error says what is in the way. Access lists beyond the mode are not looked at.
pub fn may_read(user: &User, path: &Path) -> Result<(), String> {
    let real = path
        .canonicalize()
        .map_err(|error| format!("{} cannot be opened: {error}", path.display()))?;
    for part in real.ancestors() {
        let found = std::fs::metadata(part)
            .map_err(|error| format!("{} cannot be looked at: {error}", part.display()))?;
        let (bit, what) = if part == real {
            (0o4, "is not readable")
        } else {
            (0o1, "does not let in")
        };
        if !allows(user, (found.uid(), found.gid(), found.mode()), bit) {
            return Err(format!(
                "{} {what} for the user {} (owner {}, mode {:04o})",
                part.display(),
                user.name,
                found.uid(),
                found.mode() & 0o7777
            ));
        }
    }
    Ok(())
}

/// The kernel's rule: the first class that fits decides.
fn allows(user: &User, (uid, gid, mode): (u32, u32, u32), bit: u32) -> bool {
    let shift = if user.uid == uid {
        6
    } else if user.gid == gid {
        3
    } else {
        0
    };
    mode >> shift & bit == bit
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nhearthpost:x:990:989::/var/lib/hearthpost:/usr/sbin/nologin\n7:x:1007:1007:::\n";

    fn user(name: &str, uid: u32, gid: u32) -> User {
        User {
            name: name.to_owned(),
            uid,
            gid,
        }
    }

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let table = [
            ("hearthpost", Some(user("hearthpost", 990, 989))),
            ("990", Some(user("hearthpost", 990, 989))),
            ("990:5", Some(user("990", 990, 5))),
            ("7", Some(user("7", 1007, 1007))),
            ("65533", Some(user("65533", 65533, 65533))),
            ("nobody-here", None),
            ("990:x", None),
            ("-1", None),
        ];
        for (name, want) in table {
            assert_eq!(find_in(TABLE, name), want, "{name}");
        }
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let ann = user("ann", 1000, 100);
        for (owner, group, mode, want) in [
            (1000, 100, 0o400, true),
            (1000, 100, 0o044, false),
            (0, 100, 0o440, true),
            (0, 100, 0o404, false),
            (0, 0, 0o404, true),
            (0, 0, 0o640, false),
        ] {
            assert_eq!(
                allows(&ann, (owner, group, mode), 4),
                want,
                "{owner} {group} {mode:o}"
            );
        }
    }
}
