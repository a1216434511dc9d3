//! `hearthpost account send-as ADDRESS …`

use super::{ask, parse, show};
use crate::cli::{Common, SendAsCommand};
use crate::control::Request;
use crate::control::account::Request as AccountRequest;
use crate::exit::Outcome;

/// Runs the command.
pub fn run(address: String, command: SendAsCommand) -> Outcome<()> {
    let account = address.clone();
    match command {
        SendAsCommand::Add { names, common } => {
            tell(&common, &account, AccountRequest::GrantSendAs { address, names })
        }
        SendAsCommand::List(common) => tell(&common, &account, AccountRequest::ListSendAs { address }),
        SendAsCommand::Remove { names, common } => {
            tell(&common, &account, AccountRequest::RevokeSendAs { address, names })
        }
    }
}

/// Each answer is what is granted now.
fn tell(common: &Common, account: &str, request: AccountRequest) -> Outcome<()> {
    let granted: Vec<String> = parse(ask(common, Request::Account(request))?)?;
    show(common, &granted, || {
        if granted.is_empty() {
            return vec![format!(
                "{account} sends as its own addresses only. Grant another: hearthpost account send-as {account} add \
                 info@example.org"
            )];
        }
        let head = format!("Beside its own addresses {account} may send as:");
        std::iter::once(head)
            .chain(granted.iter().map(|name| format!("  {name}")))
            .collect()
    })
}
