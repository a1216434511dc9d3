//! Programs that keep a copy of the mail on this machine and carry changes both ways: mbsync, OfflineIMAP.

use super::{Held, World, works};
use crate::process::{Finished, tail};
use crate::report::Outcome;
use std::path::{Path, PathBuf};

/// mbsync with every extension it knows, and once more without those by which it learns the UID of what it sent.
pub fn mbsync(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    mbsync_once(world, &mut held, "mbsync", "near", "")?;
    world.python("far_side.py", &["delete:INBOX:one", "delete:Drafts:three"])?;
    let plain = "DisableExtensions LITERAL+ MOVE UIDPLUS NAMESPACE\nPipelineDepth 1\n";
    mbsync_once(world, &mut held, "mbsync without extensions", "near plain", plain)?;
    Ok(held.0)
}

/// Pull, push, a deletion, and then nothing more to do; `near` is the subject of the message written here.
fn mbsync_once(world: &World, held: &mut Held, name: &str, near: &str, more: &str) -> Outcome<()> {
    let maildir = world.place.path().join(name);
    std::fs::create_dir(&maildir)?;
    let config = format!(
        "IMAPAccount far\nHost localhost\nPort {port}\nUser {user}\nPass {password}\nSSLType IMAPS\nCertificateFile {ca}\n\
         SystemCertificates no\nAuthMechs PLAIN\n{more}\n\
         IMAPStore far\nAccount far\n\nMaildirStore near\nPath \"{dir}/\"\nInbox \"{dir}/INBOX\"\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n",
        port = world.port("imaps")?,
        user = world.bob.0,
        password = world.bob.1,
        ca = world.ca.display(),
        dir = maildir.display(),
    );
    let config = world.file(&format!("{name}.rc"), &config)?;
    let copy = Copy {
        world,
        name,
        maildir: &maildir,
        near,
        sync: &|| {
            works(
                name,
                world.command("mbsync").arg("-V").arg("-c").arg(&config).arg("-a"),
            )
        },
    };
    copy.both_ways(held)
}

/// OfflineIMAP, its folders as a tree of maildirs.
pub fn offlineimap(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let maildir = world.place.path().join("offline");
    let config = format!(
        "[general]\naccounts = bob\nmetadata = {place}/offline-state\nui = basic\n\
         [Account bob]\nlocalrepository = near\nremoterepository = far\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {maildir}\n\
         [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\nremoteuser = {user}\nremotepass = {password}\n\
         ssl = yes\nsslcacertfile = {ca}\nauth_mechanisms = PLAIN\nmaxconnections = 2\nexpunge = yes\n",
        place = world.place.path().display(),
        maildir = maildir.display(),
        port = world.port("imaps")?,
        user = world.bob.0,
        password = world.bob.1.replace('%', "%%"),
        ca = world.ca.display(),
    );
    let config = world.file("offlineimaprc", &config)?;
    let copy = Copy {
        world,
        name: "OfflineIMAP",
        maildir: &maildir,
        near: "near",
        sync: &|| {
            let said = works(
                "OfflineIMAP",
                world.command("offlineimap").arg("-c").arg(&config).arg("-o"),
            )?;
            match said.both().contains("ERROR") {
                true => Err(format!("OfflineIMAP\n{}", tail(&said.both(), 30)).into()),
                false => Ok(said),
            }
        },
    };
    copy.both_ways(&mut held)?;
    Ok(held.0)
}

/// A copy of bob's mail in maildirs, and the program that keeps it the same.
struct Copy<'a> {
    world: &'a World,
    name: &'a str,
    maildir: &'a Path,
    /// Subject of the message that is written here.
    near: &'a str,
    sync: &'a dyn Fn() -> Outcome<Finished>,
}

impl Copy<'_> {
    fn both_ways(&self, held: &mut Held) -> Outcome<()> {
        self.pull()?;
        held.add(&format!("{}: pull", self.name));
        self.push()?;
        held.add(&format!(
            "{}: push of flags, of a message, of a folder",
            self.name
        ));
        self.deletions()?;
        held.add(&format!("{}: a deletion on the server, one here", self.name));
        self.nothing_more()?;
        held.add(&format!("{}: a second run does nothing", self.name));
        Ok(())
    }

    fn pull(&self) -> Outcome<()> {
        self.world.python(
            "far_side.py",
            &[
                "deliver:INBOX:one",
                "deliver:INBOX:two",
                "deliver:INBOX:four",
                "deliver:Drafts:three",
            ],
        )?;
        (self.sync)()?;
        for subject in ["one", "two", "four"] {
            message(&self.maildir.join("INBOX"), &format!("Subject: {subject}"))?;
        }
        message(&self.maildir.join("Drafts"), "Subject: three").map(drop)
    }

    fn push(&self) -> Outcome<()> {
        let (inbox, folder) = (self.maildir.join("INBOX"), format!("Made by {}", self.name));
        let one = message(&inbox, "Subject: one")?;
        std::fs::rename(&one, inbox.join("cur").join(format!("{}:2,FS", base_name(&one))))?;
        std::fs::write(
            inbox.join("new/1.local.test"),
            format!(
                "Subject: {}\nFrom: <bob@example.test>\n\nwritten here\n",
                self.near
            ),
        )?;
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(self.maildir.join(&folder).join(part))?;
        }
        std::fs::write(
            self.maildir.join(&folder).join("new/2.local.test"),
            "Subject: folder\nFrom: <bob@example.test>\n\nx\n",
        )?;
        (self.sync)()?;
        self.world.python("far_side.py", &["flagged:INBOX:one"])?;
        self.world.arrived("bob", self.near, 1)?;
        let quoted = format!("\"{folder}\"");
        self.world
            .python("arrived.py", &["bob", &quoted, "folder", "1", "0"])
            .map(drop)
    }

    fn deletions(&self) -> Outcome<()> {
        let inbox = self.maildir.join("INBOX");
        self.world.python("far_side.py", &["delete:INBOX:two"])?;
        std::fs::remove_file(message(&inbox, "Subject: four")?)?;
        (self.sync)()?;
        if message(&inbox, "Subject: two").is_ok() {
            return Err("a message deleted on the server is still here".into());
        }
        self.world.arrived("bob", "four", 0)
    }

    fn nothing_more(&self) -> Outcome<()> {
        let before = listing(self.maildir)?;
        let said = (self.sync)()?.both();
        if listing(self.maildir)? != before {
            return Err(format!("a second run changed something\n{}", tail(&said, 30)).into());
        }
        self.world.arrived("bob", self.near, 1)
    }
}

/// All files of a maildir with their sizes, without mbsync's own state.
fn listing(dir: &Path) -> Outcome<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)?.flatten() {
        let meta = entry.metadata()?;
        let own = entry.file_name().to_string_lossy().starts_with(".mbsyncstate");
        if meta.is_dir() {
            found.extend(listing(&entry.path())?);
        } else if !own {
            found.push((entry.path(), meta.len()));
        }
    }
    found.sort();
    Ok(found)
}

fn message(folder: &Path, header: &str) -> Outcome<PathBuf> {
    for part in ["cur", "new"] {
        for entry in std::fs::read_dir(folder.join(part))?.flatten() {
            if String::from_utf8_lossy(&std::fs::read(entry.path())?).contains(header) {
                return Ok(entry.path());
            }
        }
    }
    Err(format!("no message with {header:?} in {}", folder.display()).into())
}

fn base_name(file: &Path) -> String {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name.split(":2,").next().unwrap_or_default().to_owned()
}
