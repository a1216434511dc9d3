//! Requests about accounts. Passwords travel over the socket in the clear: it is a file only its owner can open.

use directory::admin::AccountChange;
use directory::{AccountSpec, Credential, Password};
use serde::{Deserialize, Serialize};

use super::{Answer, holdings};
use crate::services::Services;

/// What can be asked of accounts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the command line documents the same fields
pub enum Request {
    Add {
        accounts: Vec<New>,
    },
    Set {
        address: String,
        change: Change,
    },
    List,
    Show {
        address: String,
    },
    /// what would go with it
    Holdings {
        address: String,
    },
    Remove {
        address: String,
    },
    GrantSendAs {
        address: String,
        names: Vec<String>,
    },
    RevokeSendAs {
        address: String,
        names: Vec<String>,
    },
    ListSendAs {
        address: String,
    },
}

/// An account to be made.
#[derive(Serialize, Deserialize)]
pub struct New {
    /// main address
    pub address: String,
    /// `None`: one is made, and is part of the answer
    pub password: Option<String>,
    /// 0: no limit
    pub quota_bytes: u64,
    /// name of the person
    pub name: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct Change {
    pub password: Option<String>,
    /// make one, and answer with it
    pub new_password: bool,
    pub quota_bytes: Option<u64>,
    pub enabled: Option<bool>,
    pub name: Option<String>,
}

/// An account that was made or changed; the password only if it was made here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Made {
    /// main address
    pub address: String,
    /// the generated password, told this once
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let directory = &services.directory;
    match request {
        Request::Add { accounts } => add(services, accounts).await,
        Request::Set { address, change } => set(services, address, change).await,
        Request::List => Answer::from_admin(directory.refresh_usage().await.map(|()| directory.accounts())),
        Request::Show { address } => {
            let fresh = directory.refresh_usage().await;
            Answer::from_admin(fresh.and_then(|()| directory.account(&address)))
        }
        Request::Holdings { address } => holdings::answer(services, &address).await,
        Request::Remove { address } => Answer::from_admin(directory.remove_account(&address).await),
        Request::GrantSendAs { address, names } => {
            Answer::from_admin(directory.grant_send_as(&address, &names).await)
        }
        Request::RevokeSendAs { address, names } => {
            Answer::from_admin(directory.revoke_send_as(&address, &names).await)
        }
        Request::ListSendAs { address } => Answer::from_admin(directory.send_as(&address)),
    }
}

async fn add(services: &Services, accounts: Vec<New>) -> Answer {
    let mut made = Vec::with_capacity(accounts.len());
    let mut specs = Vec::with_capacity(accounts.len());
    for new in accounts {
        let given = new.password.map(Password::new);
        let generated = given
            .is_none()
            .then(|| Password::generate(services.chance.as_ref()));
        let shown = generated.as_ref().map(|password| password.reveal().to_owned());
        made.push(Made {
            address: new.address.clone(),
            password: shown,
        });
        specs.push(AccountSpec {
            address: new.address,
            credential: given.or(generated).map_or(Credential::None, Credential::Password),
            quota_bytes: new.quota_bytes,
            name: new.name,
        });
    }
    Answer::from_admin(services.directory.add_accounts(specs).await.map(|_| made))
}

async fn set(services: &Services, address: String, change: Change) -> Answer {
    let generated = change
        .new_password
        .then(|| Password::generate(services.chance.as_ref()));
    let shown = generated.as_ref().map(|password| password.reveal().to_owned());
    let change = AccountChange {
        password: change.password.map(Password::new).or(generated),
        quota_bytes: change.quota_bytes,
        enabled: change.enabled,
        name: change.name,
    };
    let done = services.directory.set_account(&address, change).await;
    Answer::from_admin(done.map(|account| Made {
        address: account.address,
        password: shown,
    }))
}
