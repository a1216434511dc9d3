//! `hearthpost account …`

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ask, not_done, parse, read_csv, send_as, show, size, size_text, table};
use crate::cli::{AccountCommand, Common};
use crate::control::Request;
use crate::control::account::{Change, Made, New, Request as AccountRequest};
use crate::control::holdings::{Held, Holdings};
use crate::exit::{Failure, Outcome};

/// An account as it is answered.
#[derive(Serialize, Deserialize)]
struct Account {
    id: String,
    address: String,
    name: Option<String>,
    enabled: bool,
    can_sign_in: bool,
    quota_bytes: u64,
    used_bytes: u64,
}

/// Runs the command.
pub fn run(command: AccountCommand) -> Outcome<()> {
    match command {
        AccountCommand::Add {
            csv: Some(file),
            common,
            ..
        } => add(&common, from_csv(&file)?),
        AccountCommand::Add {
            address,
            password_stdin,
            quota,
            name,
            csv: None,
            common,
        } => {
            let password = password_stdin.then(read_password).transpose()?;
            let quota_bytes = quota.as_deref().map(size).transpose()?.unwrap_or(0);
            let new = New {
                address: address.unwrap_or_default(),
                password,
                quota_bytes,
                name,
            };
            add(&common, vec![new])
        }
        AccountCommand::Set {
            address,
            new_password,
            password_stdin,
            quota,
            name,
            enable,
            disable,
            common,
        } => {
            let change = Change {
                password: password_stdin.then(read_password).transpose()?,
                new_password,
                quota_bytes: quota.as_deref().map(size).transpose()?,
                enabled: (enable || disable).then_some(enable),
                name,
            };
            set(&common, address, change, "Changed")
        }
        AccountCommand::Password {
            address,
            generate,
            common,
        } => {
            let change = Change {
                password: (!generate).then(read_password).transpose()?,
                new_password: generate,
                ..Change::default()
            };
            set(&common, address, change, "Changed the password of")
        }
        AccountCommand::List(common) => {
            let all: Vec<Account> = parse(ask(&common, Request::Account(AccountRequest::List))?)?;
            show(&common, &all, || lines(&all))
        }
        AccountCommand::Show { address, common } => {
            let one: Account = parse(ask(&common, Request::Account(AccountRequest::Show { address }))?)?;
            show(&common, &one, || lines(std::slice::from_ref(&one)))
        }
        AccountCommand::SendAs { address, command } => send_as::run(address, command),
        AccountCommand::Remove { address, yes, common } => remove(&common, address, yes),
    }
}

fn add(common: &Common, accounts: Vec<New>) -> Outcome<()> {
    let made: Vec<Made> = parse(ask(common, Request::Account(AccountRequest::Add { accounts }))?)?;
    show(common, &made, || {
        made.iter().map(|made| made_line("Added", made)).collect()
    })
}

fn set(common: &Common, address: String, change: Change, done: &str) -> Outcome<()> {
    let request = AccountRequest::Set { address, change };
    let set: Made = parse(ask(common, Request::Account(request))?)?;
    show(common, &set, || vec![made_line(done, &set)])
}

/// Says what goes, and with `yes` removes it.
fn remove(common: &Common, address: String, yes: bool) -> Outcome<()> {
    let request = AccountRequest::Holdings {
        address: address.clone(),
    };
    let mut held: Holdings = parse(ask(common, Request::Account(request))?)?;
    if yes {
        ask(common, Request::Account(AccountRequest::Remove { address }))?;
        held.removed = true;
    }
    show(common, &held, || removal_lines(&held))?;
    match yes {
        true => Ok(()),
        false => not_done("remove the account"),
    }
}

fn removal_lines(held: &Holdings) -> Vec<String> {
    let Holdings {
        address, messages, ..
    } = held;
    let count = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    let mail = match *messages {
        0 => "no mail".to_owned(),
        number => format!(
            "{} in {}, {}",
            count(number, "message", "messages"),
            count(held.mailboxes, "mailbox", "mailboxes"),
            size_text(held.size_bytes)
        ),
    };
    if held.removed {
        return vec![format!("Removed {address} with all its mail ({mail}).")];
    }
    let mut lines = vec![format!("{address} has {mail}.")];
    if !held.sample.is_empty() {
        let row = |one: &Held| {
            vec![
                one.mailbox.clone(),
                one.received_at.clone(),
                size_text(one.size_bytes),
                one.from.clone(),
                one.subject.clone(),
            ]
        };
        let rows: Vec<_> = held.sample.iter().map(row).collect();
        lines.extend(table(&["MAILBOX", "CAME", "SIZE", "FROM", "SUBJECT"], &rows));
    }
    let more = messages.saturating_sub(held.sample.len() as u64);
    if more > 0 {
        lines.push(format!("… and {more} more."));
    }
    lines.push("Removed mail cannot be brought back.".to_owned());
    lines
}

fn made_line(verb: &str, made: &Made) -> String {
    match &made.password {
        Some(password) => format!(
            "{verb} {}. Its password is shown this once: {password}",
            made.address
        ),
        None => format!("{verb} {}.", made.address),
    }
}

/// One line of standard input.
/// One line. At a terminal it is asked for, and its end ends it.
fn read_password() -> Outcome<String> {
    let mut text = String::new();
    let input = std::io::stdin();
    if input.is_terminal() {
        // If nobody reads standard error nobody types either.
        let _ = writeln!(
            std::io::stderr(),
            "The new password, one line (it is shown as you type):"
        );
    }
    input
        .lock()
        .take(64 * 1024)
        .read_line(&mut text)
        .map_err(|error| {
            Failure::Usage(format!(
                "the password cannot be read from standard input: {error}."
            ))
        })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::Usage(
            "there is no password on standard input. Pipe it in, one line; or have one made and printed (see --help).".to_owned(),
        )),
    }
}

/// `address,password,quota,name`, all but the first optional. A first line without an @ is a head.
fn from_csv(file: &Path) -> Outcome<Vec<New>> {
    let mut accounts = Vec::new();
    for (index, line) in read_csv(file)?.into_iter().enumerate() {
        let wrong =
            |text: String| Failure::Usage(format!("{}: line {}: {text}", file.display(), line.number));
        let mut fields = line
            .fields
            .into_iter()
            .map(|field| Some(field).filter(|field| !field.is_empty()));
        let mut next = || fields.next().flatten();
        let Some(address) = next() else {
            return Err(wrong("the address is missing.".to_owned()));
        };
        if index == 0 && !address.contains('@') {
            continue;
        }
        let password = next();
        let quota = next()
            .map(|text| size(&text))
            .transpose()
            .map_err(|failure| wrong(failure.to_string()))?;
        let name = next();
        if fields.next().is_some() {
            return Err(wrong(
                "there are more than four fields. Write address,password,quota,name.".to_owned(),
            ));
        }
        accounts.push(New {
            address,
            password,
            quota_bytes: quota.unwrap_or(0),
            name,
        });
    }
    if accounts.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no accounts in it.",
            file.display()
        )));
    }
    Ok(accounts)
}

fn lines(accounts: &[Account]) -> Vec<String> {
    if accounts.is_empty() {
        return vec![
            "There is no account yet. Add one: hearthpost account add someone@example.org".to_owned(),
        ];
    }
    let row = |account: &Account| {
        let state = match (account.enabled, account.can_sign_in) {
            (true, true) => "enabled",
            (true, false) => "no password",
            (false, _) => "disabled",
        };
        let quota = if account.quota_bytes == 0 {
            "no limit".to_owned()
        } else {
            size_text(account.quota_bytes)
        };
        let name = account.name.clone().unwrap_or_default();
        vec![
            account.address.clone(),
            state.to_owned(),
            size_text(account.used_bytes),
            quota,
            name,
        ]
    };
    table(
        &["ACCOUNT", "STATE", "USED", "QUOTA", "NAME"],
        &accounts.iter().map(row).collect::<Vec<_>>(),
    )
}
