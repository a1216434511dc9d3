//! Makes what is missing of the demo's domain, accounts and welcome messages.

use directory::{AccountSpec, AdminError, Credential, DomainSettings, Password, Verifier};

use super::DOMAIN;
use super::state::State;
use super::welcome;
use crate::exit::{Failure, Outcome};
use crate::services::Services;

/// Everything the demo promises, made where it is missing.
pub async fn prepare(services: &Services, state: &State, users: u32) -> Outcome<()> {
    let domain = services
        .directory
        .add_domain(DOMAIN, DomainSettings::default())
        .await;
    accept_existing(domain.map(drop))?;
    let missing = |address: &str| services.directory.account(address).is_err();
    let mut specs = Vec::new();
    for user in state.users.iter().filter(|user| missing(&user.address)) {
        let credential = Credential::Password(Password::new(user.password.clone()));
        specs.push(AccountSpec {
            address: user.address.clone(),
            credential,
            quota_bytes: 0,
            name: None,
        });
    }
    if let Some(bulk) = &state.bulk {
        let verifier = Verifier::parse(&bulk.verifier).map_err(|_| {
            Failure::Usage("demo.json is damaged. Remove it, or name another --dir.".to_owned())
        })?;
        for address in (0..users).map(bulk_address).filter(|address| missing(address)) {
            let credential = Credential::Verifier(verifier.clone());
            specs.push(AccountSpec {
                address,
                credential,
                quota_bytes: 0,
                name: None,
            });
        }
    }
    if !specs.is_empty() {
        accept_existing(services.directory.add_accounts(specs).await.map(drop))?;
    }
    let mut changed = Vec::new();
    for user in &state.users {
        let known = Password::new(user.password.clone());
        let same = services.directory.has_password(&user.address, &known).await;
        // When nobody can say, what was true at the last start is printed.
        if matches!(same, Ok(false)) {
            changed.push(user.address.clone());
        }
    }
    state.passwords_changed(changed);
    for user in &state.users {
        welcome::ensure(services, &user.address).await?;
    }
    Ok(())
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
