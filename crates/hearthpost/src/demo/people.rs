//! Makes what is missing of the demo's domain, accounts and welcome messages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use directory::{AccountSpec, AdminError, Credential, Directory, DomainSettings, Password, Verifier};
use tokio::task::JoinSet;

use super::DOMAIN;
use super::state::{Found, State, User};
use super::welcome;
use crate::exit::{Failure, Outcome};
use crate::limits;
use crate::services::Services;

/// Everything the demo promises, made where it is missing.
pub async fn prepare(services: &Services, state: &State, users: u32) -> Outcome<()> {
    let domain = services
        .directory
        .add_domain(DOMAIN, DomainSettings::default())
        .await;
    accept_existing(domain.map(drop))?;
    let added = add_people(&services.directory, state).await?;
    add_bulk(&services.directory, state, users).await?;
    state.find(look_at_passwords(&services.directory, state, &added).await);
    for user in &state.users {
        welcome::ensure(services, &user.address).await?;
    }
    Ok(())
}

/// Gives the addresses of those who were added now. Alice stays the older account: mail for the postmaster is hers.
async fn add_people(directory: &Directory, state: &State) -> Outcome<BTreeSet<String>> {
    let mut missing = state.users.clone();
    missing.retain(|user| is_missing(directory, &user.address));
    let named = |user: &User| {
        spec(
            user.address.clone(),
            Credential::Password(Password::new(user.password.clone())),
        )
    };
    let specs: Vec<AccountSpec> = missing.iter().map(named).collect();
    if specs.is_empty() {
        return Ok(BTreeSet::new());
    }
    let added = directory.add_accounts(specs).await;
    let now = match &added {
        Ok(_) => missing.into_iter().map(|user| user.address).collect(),
        Err(_) => BTreeSet::new(),
    };
    accept_existing(added.map(drop))?;
    Ok(now)
}

/// With the one verifier that all of them share.
async fn add_bulk(directory: &Directory, state: &State, users: u32) -> Outcome<()> {
    let Some(bulk) = &state.bulk else { return Ok(()) };
    let verifier = Verifier::parse(&bulk.verifier)
        .map_err(|_| Failure::Usage("demo.json is damaged. Remove it, or name another --dir.".to_owned()))?;
    let missing = (0..users)
        .map(bulk_address)
        .filter(|address| is_missing(directory, address));
    let specs: Vec<AccountSpec> = missing
        .map(|address| spec(address, Credential::Verifier(verifier.clone())))
        .collect();
    if specs.is_empty() {
        return Ok(());
    }
    if specs.len() >= limits::DEMO_ACCOUNTS_TOLD {
        let told = format!("Making {} accounts; the next start finds them made.", specs.len());
        // If nobody reads standard error there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{told}");
    }
    accept_existing(directory.add_accounts(specs).await.map(drop))
}

/// Whether the passwords that are printed are still those of the accounts: as it was found last where nobody has set one since, which costs
/// nothing; by hashing elsewhere. When nobody can say, there is no answer.
async fn look_at_passwords(
    directory: &Arc<Directory>,
    state: &State,
    added: &BTreeSet<String>,
) -> BTreeMap<String, Found> {
    let mut now = BTreeMap::new();
    let mut asking = JoinSet::new();
    for user in &state.users {
        let Ok(mark) = directory.password_mark(&user.address) else {
            continue;
        };
        let known = state.found(user).filter(|found| found.mark == mark);
        if let Some(found) = known {
            now.insert(user.address.clone(), found.clone());
        } else if added.contains(&user.address) {
            now.insert(user.address.clone(), Found { mark, right: true });
        } else {
            let (directory, address) = (directory.clone(), user.address.clone());
            let password = Password::new(user.password.clone());
            asking.spawn(async move {
                let right = directory.has_password(&address, &password).await;
                (address, right.map(|right| Found { mark, right }))
            });
        }
    }
    while let Some(ended) = asking.join_next().await {
        if let Ok((address, Ok(found))) = ended {
            now.insert(address, found);
        }
    }
    now
}

fn is_missing(directory: &Directory, address: &str) -> bool {
    directory.account(address).is_err()
}

fn spec(address: String, credential: Credential) -> AccountSpec {
    AccountSpec {
        address,
        credential,
        quota_bytes: 0,
        name: None,
    }
}

/// The address of bulk user `number`.
pub fn bulk_address(number: u32) -> String {
    format!("user{number}@{DOMAIN}")
}

fn accept_existing(result: Result<(), AdminError>) -> Outcome<()> {
    match result {
        Ok(()) | Err(AdminError::Exists { .. }) => Ok(()),
        Err(error) => Err(Failure::Disk(error.to_string())),
    }
}
