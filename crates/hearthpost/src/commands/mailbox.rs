//! `hearthpost mailbox …`

use super::{ask, parse, show, table};
use crate::cli::{AclCommand, Common, MailboxCommand};
use crate::control::Request;
use crate::control::mailbox::{Request as MailboxRequest, Shown};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(command: MailboxCommand) -> Outcome<()> {
    let MailboxCommand::Acl(command) = command;
    match command {
        AclCommand::List {
            address,
            mailbox,
            common,
        } => {
            let nobody = format!(
                "Nobody but {address} sees {}.",
                mailbox.as_deref().unwrap_or("any of it")
            );
            tell(&common, MailboxRequest::Rights { address, mailbox }, &nobody)
        }
        AclCommand::Set {
            address,
            mailbox,
            who,
            rights,
            common,
        } => {
            let nobody = format!("Nobody but {address} sees {mailbox}.");
            let request = MailboxRequest::SetRights {
                address,
                mailbox,
                who,
                rights,
            };
            tell(&common, request, &nobody)
        }
        AclCommand::Remove {
            address,
            mailbox,
            who,
            common,
        } => {
            let nobody = format!("Nobody but {address} sees {mailbox}.");
            let request = MailboxRequest::SetRights {
                address,
                mailbox,
                who,
                rights: String::new(),
            };
            tell(&common, request, &nobody)
        }
    }
}

/// Each answer is what holds now.
fn tell(common: &Common, request: MailboxRequest, nobody: &str) -> Outcome<()> {
    let entries: Vec<Shown> = parse(ask(common, Request::Mailbox(request))?)?;
    show(common, &entries, || lines(&entries, nobody))
}

fn lines(entries: &[Shown], nobody: &str) -> Vec<String> {
    if entries.is_empty() {
        return vec![nobody.to_owned()];
    }
    let rows: Vec<Vec<String>> = entries.iter().flat_map(rows).collect();
    table(&["MAILBOX", "WHO", "RIGHTS"], &rows)
}

/// What is taken stands in a line of its own, as IMAP has it.
fn rows(entry: &Shown) -> Vec<Vec<String>> {
    let row = |who: String, rights: &String| vec![entry.mailbox.clone(), who, rights.clone()];
    let mut rows = Vec::with_capacity(2);
    if !entry.rights.is_empty() {
        rows.push(row(entry.who.clone(), &entry.rights));
    }
    if !entry.taken.is_empty() {
        rows.push(row(format!("-{}", entry.who), &entry.taken));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_and_what_is_taken_are_two_lines() {
        let entry = |who: &str, rights: &str, taken: &str| Shown {
            address: "ann@example.org".to_owned(),
            mailbox: "Team".to_owned(),
            who: who.to_owned(),
            rights: rights.to_owned(),
            taken: taken.to_owned(),
        };
        let entries = [entry("anyone", "lr", ""), entry("bob@example.org", "lrs", "w")];
        assert_eq!(
            lines(&entries, "nobody"),
            [
                "MAILBOX  WHO               RIGHTS",
                "Team     anyone            lr",
                "Team     bob@example.org   lrs",
                "Team     -bob@example.org  w",
            ]
        );
        assert_eq!(lines(&[], "nobody"), ["nobody"]);
    }
}
