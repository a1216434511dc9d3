//! What the demo prints when every door is open.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::DOMAIN;
use super::road::Elsewhere;
use super::state::State;
use crate::exit::{Failure, Outcome};

/// Stands for a password that only its owner knows.
const CHANGED: &str = "was changed: hearthpost account password sets another";

/// What there is to print.
pub struct Facts<'a> {
    /// where everything is
    pub dir: &'a Path,
    /// the authority's certificate
    pub ca: &'a Path,
    /// passwords
    pub state: &'a State,
    /// names and addresses of the doors
    pub doors: &'a [(&'static str, SocketAddr)],
    /// how many bulk users were asked for
    pub users: u32,
    /// where mail for other servers goes
    pub elsewhere: &'a Elsewhere,
}

/// Prints the card, or the line of JSON.
pub fn print(facts: &Facts<'_>, json: bool) -> Outcome<()> {
    let text = if json {
        format!("{}\n", line(facts))
    } else {
        card(facts)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Usage(format!("standard output cannot be written: {error}.")))
}

fn line(facts: &Facts<'_>) -> Value {
    let mut line = Map::new();
    line.insert("dir".to_owned(), json!(facts.dir));
    line.insert("pid".to_owned(), json!(std::process::id()));
    for (name, address) in facts.doors {
        line.insert((*name).to_owned(), json!(address.port()));
    }
    line.insert("ca".to_owned(), json!(facts.ca));
    line.insert("elsewhere".to_owned(), json!(facts.elsewhere.words()));
    let users = facts
        .state
        .users
        .iter()
        .map(|user| json!({"address": user.address, "password": facts.state.password_of(user)}));
    line.insert("users".to_owned(), users.collect());
    if let Some(bulk) = facts.state.bulk.as_ref().filter(|_| facts.users > 0) {
        let bulk =
            json!({"pattern": format!("user%d@{DOMAIN}"), "password": bulk.password, "count": facts.users});
        line.insert("bulk".to_owned(), bulk);
    }
    Value::Object(line)
}

fn card(facts: &Facts<'_>) -> String {
    let port = |name: &str| {
        facts
            .doors
            .iter()
            .find(|(door, _)| *door == name)
            .map_or(0, |(_, address)| address.port())
    };
    let mut card = String::new();
    let mut say = |text: std::fmt::Arguments<'_>| card.write_fmt(text).expect("a string takes everything");
    let (ca, dir) = (facts.ca.display(), facts.dir.display());
    say(format_args!(
        "\nHearthpost demo, on this machine only (host localhost)\n\n"
    ));
    say(format_args!(
        "  receive   SMTP {}   LMTP {}\n",
        port("smtp"),
        port("lmtp")
    ));
    say(format_args!(
        "  send      submission {} (STARTTLS)   submissions {} (TLS)\n",
        port("submission"),
        port("submissions")
    ));
    say(format_args!(
        "  read      IMAP {} (STARTTLS)   IMAPS {} (TLS)\n",
        port("imap"),
        port("imaps")
    ));
    if port("pop3s") > 0 {
        say(format_args!(
            "  collect   POP3 {} (STLS)   POP3S {} (TLS)\n",
            port("pop3"),
            port("pop3s")
        ));
    }
    say(format_args!(
        "  elsewhere mail for other servers {}\n\n",
        facts.elsewhere.words()
    ));
    for user in &facts.state.users {
        let password = facts.state.password_of(user).unwrap_or(CHANGED);
        say(format_args!("  {}   password {password}\n", user.address));
    }
    if let Some(bulk) = facts.state.bulk.as_ref().filter(|_| facts.users > 0) {
        let last = facts.users - 1;
        say(format_args!(
            "  user0@{DOMAIN} … user{last}@{DOMAIN}   password {}\n",
            bulk.password
        ));
    }
    say(format_args!(
        "\n  certificate authority   {ca}\n  everything is kept in    {dir}\n\n"
    ));
    let (alice, bob) = (&facts.state.users[0], &facts.state.users[1]);
    let password = |of| facts.state.password_of(of).unwrap_or("PASSWORD");
    say(format_args!("Try:\n"));
    say(format_args!(
        "  curl smtp://localhost:{} --mail-from you@example.net --mail-rcpt {} --crlf -T - <<< $'Subject: hello\\n\\nIt works.'\n",
        port("smtp"),
        alice.address
    ));
    say(format_args!(
        "  curl --cacert {ca} imaps://localhost:{}/INBOX -u '{}:{}' -X 'FETCH 1:* (FLAGS ENVELOPE)'\n",
        port("imaps"),
        alice.address,
        password(alice)
    ));
    say(format_args!(
        "  curl --cacert {ca} smtps://localhost:{} -u '{}:{}' --mail-from {} --mail-rcpt {} --crlf -T - <<< $'From: {}\\nSubject: hi\\n\\nFrom bob.'\n\n",
        port("submissions"),
        bob.address,
        password(bob),
        bob.address,
        alice.address,
        bob.address
    ));
    say(format_args!(
        "Thunderbird: import the authority (Settings, Privacy & Security, Certificates), add the account {} with\n\
         manual settings: IMAP localhost {} SSL/TLS, SMTP localhost {} SSL/TLS, normal password.\n\n",
        alice.address,
        port("imaps"),
        port("submissions")
    ));
    say(format_args!(
        "Ctrl-C ends it; the same command starts it again with the same accounts and mail.\n"
    ));
    card
}
