//! Programs that send: swaks, msmtp, Python's smtplib.

use super::{Held, World, refused, works};
use crate::report::Outcome;
use std::process::Command;

/// swaks on every SMTP door, with and without TLS and sign-in, and as a stranger who wants to relay.
pub fn swaks(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let ca = world.ca.display().to_string();
    let call = |door: &str, from: &str, to: &str, subject: &str, more: &[&str]| -> Outcome<Command> {
        let mut command = world.command("swaks");
        command.args([
            "--server",
            "localhost",
            "--port",
            &world.port(door)?.to_string(),
            "--ehlo",
            "client.remote.test",
        ]);
        command.args([
            "--from",
            from,
            "--to",
            to,
            "--header",
            &format!("Subject: {subject}"),
            "--timeout",
            "20",
        ]);
        command.args(more);
        Ok(command)
    };
    let tls = ["--tls-verify", "--tls-ca-path", &ca];
    let (alice, bob) = (&world.alice, &world.bob);

    works(
        "swaks 25",
        &mut call("smtp", "stranger@remote.test", &alice.0, "swaks-25", &[])?,
    )?;
    world.arrived("alice", "swaks-25", 1)?;
    held.add("swaks: port 25");

    let starttls = [&["-tls"][..], &tls].concat();
    works(
        "swaks 25 STARTTLS",
        &mut call("smtp", "<>", &alice.0, "swaks-25-tls", &starttls)?,
    )?;
    world.arrived("alice", "swaks-25-tls", 1)?;
    held.add("swaks: port 25, STARTTLS, null sender");

    let both = format!("{},{}", alice.0, bob.0);
    works(
        "swaks two",
        &mut call(
            "smtp",
            "stranger@remote.test",
            &both,
            "swaks-two",
            &["--pipeline"],
        )?,
    )?;
    world.arrived("alice", "swaks-two", 1)?;
    world.arrived("bob", "swaks-two", 1)?;
    held.add("swaks: two recipients, pipelined");

    let sign_in = [
        "--auth",
        "PLAIN",
        "--auth-user",
        &alice.0,
        "--auth-password",
        &alice.1,
    ];
    let submission = [&["-tls"][..], &tls, &sign_in].concat();
    works(
        "swaks 587",
        &mut call("submission", &alice.0, &bob.0, "swaks-587", &submission)?,
    )?;
    world.arrived("bob", "swaks-587", 1)?;
    held.add("swaks: 587, STARTTLS, AUTH PLAIN");

    let sign_in = [
        "--auth",
        "LOGIN",
        "--auth-user",
        &bob.0,
        "--auth-password",
        &bob.1,
    ];
    let submissions = [&["-tlsc"][..], &tls, &sign_in].concat();
    works(
        "swaks 465",
        &mut call("submissions", &bob.0, &alice.0, "swaks-465", &submissions)?,
    )?;
    world.arrived("alice", "swaks-465", 1)?;
    held.add("swaks: 465, AUTH LOGIN");

    works(
        "swaks LMTP",
        &mut call(
            "lmtp",
            "local@example.test",
            &both,
            "swaks-lmtp",
            &["--protocol", "LMTP"],
        )?,
    )?;
    world.arrived("bob", "swaks-lmtp", 1)?;
    held.add("swaks: LMTP");

    let relay = &mut call(
        "smtp",
        "stranger@remote.test",
        "victim@elsewhere.test",
        "relay",
        &[],
    )?;
    refused("swaks relay", "550 5.7.1", relay)?;
    let relay = &mut call("smtp", &alice.0, "victim@elsewhere.test", "relay", &starttls)?;
    refused("swaks relay as a local sender", "550 5.7.1", relay)?;
    held.add("swaks: a stranger cannot relay, also with a local sender");

    let unsigned = &mut call("submissions", &alice.0, &bob.0, "unsigned", &["-tlsc"])?;
    refused("swaks unsigned", "530 5.7.0", unsigned)?;
    held.add("swaks: 465 wants a sign-in");
    Ok(held.0)
}

/// msmtp over both submission doors, with its own check of the certificate's name.
pub fn msmtp(world: &World) -> Outcome<Vec<String>> {
    let mut held = Held::default();
    let config = format!(
        "defaults\nauth plain\ntls on\ntls_trust_file {ca}\nuser {user}\npassword {password}\nfrom {user}\nhost localhost\n\
         account implicit\ntls_starttls off\nport {submissions}\n\
         account explicit\ntls_starttls on\nport {submission}\n\
         account clear\ntls off\nport {submission}\n",
        ca = world.ca.display(),
        user = world.alice.0,
        password = world.alice.1,
        submissions = world.port("submissions")?,
        submission = world.port("submission")?,
    );
    let config = world.file("msmtprc", &config)?;
    let send = |account: &str, subject: &str| -> Outcome<Command> {
        let text = format!(
            "From: {}\nTo: {}\nSubject: {subject}\n\n.\nfrom msmtp\n",
            world.alice.0, world.bob.0
        );
        let message = world.file(subject, &text)?;
        let mut command = world.command("sh");
        // msmtp reads the message from its standard input.
        command
            .args(["-c", "exec msmtp -C \"$0\" -a \"$1\" \"$2\" < \"$3\""])
            .arg(&config);
        command.arg(account).arg(&world.bob.0).arg(message);
        Ok(command)
    };
    works("msmtp 465", &mut send("implicit", "msmtp-465")?)?;
    world.arrived("bob", "msmtp-465", 1)?;
    held.add("msmtp: 465");
    works("msmtp 587", &mut send("explicit", "msmtp-587")?)?;
    world.arrived("bob", "msmtp-587", 1)?;
    held.add("msmtp: 587, STARTTLS");
    refused("msmtp without TLS", "msmtp:", &mut send("clear", "msmtp-clear")?)?;
    held.add("msmtp: finds no sign-in without TLS");
    Ok(held.0)
}

/// Python's smtplib.
pub fn smtplib(world: &World) -> Outcome<Vec<String>> {
    world.python_checks("python_smtplib.py")
}
