//! Programs that read (and some that also send): curl, mbsync, neomutt, Python's imaplib.

use super::{Held, World, works};
use crate::process::{self, tail};
use crate::report::Outcome;
use std::path::{Path, PathBuf};
use std::process::Command;

/// curl: send over both TLS forms; list, search, fetch and append over IMAP.
pub fn curl(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let (alice, bob) = (&world.alice, &world.bob);
    let call = |who: &(String, String), url: String| -> Outcome<Command> {
        let mut command = world.command("curl");
        command.args([
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "30",
            "--ssl-reqd",
        ]);
        command.arg("--cacert").arg(&world.ca).args([
            "--user",
            &format!("{}:{}", who.0, who.1),
            "--url",
            &url,
        ]);
        Ok(command)
    };
    for (door, scheme) in [("submission", "smtp"), ("submissions", "smtps")] {
        let subject = format!("curl-{door}");
        let text = format!(
            "From: <{}>\r\nTo: <{}>\r\nSubject: {subject}\r\n\r\nfrom curl\r\n",
            alice.0, bob.0
        );
        let mut send = call(
            alice,
            format!("{scheme}://localhost:{}/client", world.port(door)?),
        )?;
        send.args(["--mail-from", &alice.0, "--mail-rcpt", &bob.0, "--upload-file"])
            .arg(world.file(&subject, &text)?);
        works("curl send", &mut send)?;
        world.arrived("bob", &subject, 1)?;
        held.add(&format!("curl: {scheme} to {door}"));
    }
    for (door, scheme) in [("imaps", "imaps"), ("imap", "imap")] {
        let base = format!("{scheme}://localhost:{}", world.port(door)?);
        let list = works("curl LIST", &mut call(bob, format!("{base}/"))?)?.stdout;
        says(&list, "INBOX")?;
        let found = works(
            "curl SEARCH",
            &mut call(bob, format!("{base}/INBOX?SUBJECT%20curl-submissions"))?,
        )?
        .stdout;
        let number = found.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        let fetched = works(
            "curl FETCH",
            &mut call(bob, format!("{base}/INBOX;MAILINDEX={number}"))?,
        )?
        .stdout;
        says(&fetched, "from curl")?;
        held.add(&format!("curl: {scheme} list, search, fetch"));
    }
    let base = format!("imaps://localhost:{}", world.port("imaps")?);
    let note = world.file(
        "note",
        "Subject: curl-append\r\nFrom: <a@b.test>\r\n\r\nappended\r\n",
    )?;
    works(
        "curl APPEND",
        call(bob, format!("{base}/INBOX"))?.arg("--upload-file").arg(note),
    )?;
    world.arrived("bob", "curl-append", 1)?;
    let status = call(bob, base)?
        .args(["--request", "STATUS INBOX (MESSAGES UIDNEXT)"])
        .output()?;
    says(&String::from_utf8_lossy(&status.stdout), "MESSAGES")?;
    held.add("curl: append, status");
    Ok(held.0)
}

fn says(text: &str, wanted: &str) -> Outcome<()> {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{wanted:?} is not in\n{}", tail(text, 20)).into())
    }
}

/// mbsync both ways: pull, push flags and a new message, take over a deletion, and then nothing more to do.
pub fn mbsync(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let maildir = world.place.path().join("maildir");
    std::fs::create_dir(&maildir)?;
    let config = format!(
        "IMAPAccount far\nHost localhost\nPort {port}\nUser {user}\nPass {password}\nSSLType IMAPS\nCertificateFile {ca}\n\
         SystemCertificates no\nAuthMechs PLAIN\n\n\
         IMAPStore far\nAccount far\n\nMaildirStore near\nPath {maildir}/\nInbox {maildir}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n",
        port = world.port("imaps")?,
        user = world.bob.0,
        password = world.bob.1,
        ca = world.ca.display(),
        maildir = maildir.display(),
    );
    let config = world.file("mbsyncrc", &config)?;
    let sync = || {
        works(
            "mbsync",
            world.command("mbsync").arg("-V").arg("-c").arg(&config).arg("-a"),
        )
    };
    world.python(
        "mbsync_far.py",
        &["deliver:INBOX:one", "deliver:INBOX:two", "deliver:Drafts:three"],
    )?;
    sync()?;
    let inbox = maildir.join("INBOX");
    let one = message(&inbox, "Subject: one")?;
    let two = message(&inbox, "Subject: two")?;
    message(&maildir.join("Drafts"), "Subject: three")?;
    held.add("mbsync: pull");

    let flagged = inbox.join("cur").join(format!("{}:2,FS", base_name(&one)));
    std::fs::rename(&one, &flagged)?;
    std::fs::write(
        inbox.join("new/1.local.test"),
        "Subject: near\nFrom: <bob@example.test>\n\nwritten here\n",
    )?;
    std::fs::create_dir_all(maildir.join("Made here/cur"))?;
    std::fs::create_dir_all(maildir.join("Made here/new"))?;
    std::fs::create_dir_all(maildir.join("Made here/tmp"))?;
    std::fs::write(
        maildir.join("Made here/new/2.local.test"),
        "Subject: folder\nFrom: <bob@example.test>\n\nx\n",
    )?;
    sync()?;
    world.python("mbsync_far.py", &["flagged:INBOX:one"])?;
    world.arrived("bob", "near", 1)?;
    world.python("arrived.py", &["bob", "\"Made here\"", "folder", "1", "0"])?;
    held.add("mbsync: push of flags, of a message, of a folder");

    world.python("mbsync_far.py", &["delete:INBOX:two"])?;
    sync()?;
    if two.exists() || message(&inbox, "Subject: two").is_ok() {
        return Err("a message deleted on the server is still here".into());
    }
    held.add("mbsync: a deletion on the server");

    let before = listing(&maildir)?;
    let said = sync()?.both();
    if listing(&maildir)? != before {
        return Err(format!("a second run changed something\n{}", tail(&said, 30)).into());
    }
    world.arrived("bob", "near", 1)?;
    held.add("mbsync: a second run does nothing");
    Ok(held.0)
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

/// neomutt: sends over SMTP from the command line; then, in a terminal of its own, opens the INBOX and copies all of it here.
pub fn neomutt(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let config = format!(
        "set ssl_ca_certificates_file={ca}\nset certificate_file={ca}\nset ssl_force_tls=yes\n\
         set smtp_url=\"smtps://{user_quoted}@localhost:{submissions}\"\nset smtp_pass=\"{password}\"\n\
         set imap_user=\"{user}\"\nset imap_pass=\"{password}\"\nset folder=\"imaps://localhost:{imaps}/\"\n\
         set spoolfile=\"imaps://localhost:{imaps}/INBOX\"\nset from=\"{user}\"\nset use_from=yes\nset use_envelope_from=yes\n\
         set record=\"\"\nset copy=no\nset confirmappend=no\nset confirmcreate=no\nset delete=yes\nset quit=yes\nset sleep_time=0\n\
         set header_cache=\"\"\nset message_cachedir=\"\"\nset wait_key=no\nset mark_old=no\nset timeout=5\nset net_inc=0\n",
        ca = world.ca.display(),
        user = world.alice.0,
        user_quoted = world.alice.0.replace('@', "%40"),
        password = world.alice.1,
        submissions = world.port("submissions")?,
        imaps = world.port("imaps")?,
    );
    let config = world.file("neomuttrc", &config)?;
    let body = world.file("body", "Grüße from neomutt\n")?;
    let mut send = world.command("sh");
    send.args([
        "-c",
        "exec neomutt -n -F \"$0\" -s neomutt-sends -- \"$1\" \"$2\" < \"$3\"",
    ])
    .arg(&config);
    send.arg(&world.bob.0).arg(&world.alice.0).arg(body);
    works("neomutt send", &mut send)?;
    world.arrived("bob", "neomutt-sends", 1)?;
    world.arrived("alice", "neomutt-sends", 1)?;
    held.add("neomutt: sends over SMTP with TLS");

    let copy = world.place.path().join("copied");
    let keys = format!(
        "<tag-pattern>~A<enter><tag-prefix><copy-message>{}<enter><untag-pattern>~A<enter>\
         <limit>~s neomutt-sends<enter><first-entry><flag-message><sync-mailbox><exit>",
        copy.display()
    );
    let script = format!("neomutt -n -F '{}' -e 'push \"{keys}\"'", config.display());
    let mut read = world.command("script");
    read.args([
        "--quiet",
        "--return",
        "--flush",
        "--command",
        &script,
        "/dev/null",
    ]);
    let said = process::run(&mut read, super::CALL_LIMIT)?;
    let copied =
        std::fs::read(&copy).map_err(|_| format!("nothing was copied\n{}", tail(&said.both(), 30)))?;
    let copied = String::from_utf8_lossy(&copied);
    says(&copied, "Subject: neomutt-sends")?;
    held.add("neomutt: opens the INBOX, reads and copies every message");
    world.python("flag_of.py", &["alice", "INBOX", "neomutt-sends", r"\Flagged"])?;
    held.add("neomutt: sets a flag");
    Ok(held.0)
}

/// Python's imaplib.
pub fn imaplib(world: &World) -> Outcome<Vec<String>> {
    world.python_checks("python_imaplib.py")
}
