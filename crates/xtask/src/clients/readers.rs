//! Programs that read (and some that also send): curl, neomutt, Python's imaplib and poplib.

use super::{Held, World, works};
use crate::process::{self, Finished, tail};
use crate::report::Outcome;
use std::path::Path;
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
    for (door, scheme) in [("pop3s", "pop3s"), ("pop3", "pop3")] {
        let base = format!("{scheme}://localhost:{}", world.port(door)?);
        let sizes = works("curl LIST", &mut call(bob, format!("{base}/"))?)?.stdout;
        let last = sizes.trim().lines().last().unwrap_or_default();
        let number = last.split(' ').next().unwrap_or_default().to_owned();
        let got = works("curl RETR", &mut call(bob, format!("{base}/{number}"))?)?.stdout;
        says(&got, "Subject: curl-append")?;
        held.add(&format!("curl: {scheme} list, retrieve"));
    }
    Ok(held.0)
}

pub(super) fn says(text: &str, wanted: &str) -> Outcome<()> {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{wanted:?} is not in\n{}", tail(text, 20)).into())
    }
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
    let said = in_a_terminal(
        world,
        &format!("-n -F '{}' -e 'push \"{keys}\"'", config.display()),
    )?;
    let copied =
        std::fs::read(&copy).map_err(|_| format!("nothing was copied\n{}", tail(&said.both(), 30)))?;
    let copied = String::from_utf8_lossy(&copied);
    says(&copied, "Subject: neomutt-sends")?;
    held.add("neomutt: opens the INBOX, reads and copies every message");
    world.python("flag_of.py", &["alice", "INBOX", "neomutt-sends", r"\Flagged"])?;
    held.add("neomutt: sets a flag");
    resynchronise(world, &config, &mut held)?;
    Ok(held.0)
}

/// The second time it opens the INBOX it asks only for what changed (QRESYNC), and must come to the same messages.
fn resynchronise(world: &World, config: &Path, held: &mut Held) -> Outcome<()> {
    let place = world.place.path();
    let quick = format!(
        "source {}\nset imap_condstore=yes\nset imap_qresync=yes\nset header_cache=\"{}/cache\"\n",
        config.display(),
        place.display()
    );
    let quick = world.file("neomuttrc-quick", &quick)?;
    let copied = place.join("copied-again");
    let look = |keys: &str| {
        let log = place.join("neomutt");
        let arguments = format!(
            "-n -d 3 -l '{}' -F '{}' -e 'push \"{keys}\"'",
            log.display(),
            quick.display()
        );
        let said = in_a_terminal(world, &arguments)?;
        // It numbers its logs; the newest is 0.
        let log = std::fs::read(place.join("neomutt0"))
            .map_err(|_| format!("no log\n{}", tail(&said.both(), 30)))?;
        Outcome::Ok(String::from_utf8_lossy(&log).into_owned())
    };
    for subject in ["stays", "goes"] {
        world.python("far_side.py", &[&format!("deliver:INBOX:{subject}:alice")])?;
    }
    look("<exit>")?;
    world.python(
        "far_side.py",
        &["delete:INBOX:goes:alice", "deliver:INBOX:comes:alice"],
    )?;
    let keys = format!(
        "<tag-pattern>~A<enter><tag-prefix><copy-message>{}<enter><untag-pattern>~A<enter><exit>",
        copied.display()
    );
    let log = look(&keys)?;
    says(&log, "VANISHED)")?;
    says(&log, "Handling VANISHED")?;
    let copied = std::fs::read(&copied).map_err(|_| format!("nothing was copied\n{}", tail(&log, 30)))?;
    let copied = String::from_utf8_lossy(&copied);
    says(&copied, "Subject: stays")?;
    says(&copied, "Subject: comes")?;
    if copied.contains("Subject: goes") {
        return Err("a message that vanished is still there".into());
    }
    held.add("neomutt: asks for what changed and what vanished (QRESYNC), and comes to the right messages");
    Ok(())
}

/// neomutt in a terminal of its own.
fn in_a_terminal(world: &World, arguments: &str) -> Outcome<Finished> {
    let mut run = world.command("script");
    run.args(["--quiet", "--return", "--flush", "--command"]);
    run.arg(format!("neomutt {arguments}")).arg("/dev/null");
    process::run(&mut run, super::CALL_LIMIT)
}

/// Python's imaplib.
pub fn imaplib(world: &World) -> Outcome<Vec<String>> {
    world.python_checks("python_imaplib.py")
}

/// Python's poplib.
pub fn poplib(world: &World) -> Outcome<Vec<String>> {
    world.python_checks("python_poplib.py")
}
