//! Tests over the embedded store in a temporary directory.

mod admin;
mod domain_alias;
mod forward;
mod hashing;
mod noted;
mod resolve;
mod send_as;
mod sign_in;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mail::address::{Mailbox, Utf8};
use store::contract::Store;
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::Clock;
use world::ids::IdSource;

use crate::{AccountSpec, Credential, Directory, DomainSettings, Doors, Origin, Password};

pub(crate) const ORIGIN: Origin = Origin {
    door: "imaps",
    peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
};

/// A store in a temporary directory, a simulated clock, a seeded chance.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub clock: SimClock,
    pub events: Arc<CollectEvents>,
}

impl Place {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: SimClock::new(),
            events: Arc::new(CollectEvents::new()),
        }
    }

    pub async fn open(&self) -> Arc<Directory> {
        let clock: Arc<dyn Clock> = self.clock.door();
        let options = Options {
            upkeep: false,
            ..Options::new(clock.clone(), self.events.clone())
        };
        let store = Embedded::open(self.dir.path(), options).unwrap();
        let ids = Arc::new(IdSource::new(clock.clone(), 0, store.id_floor()));
        let chance = Arc::new(SeededChance::new(7));
        Directory::open(Doors {
            store,
            clock,
            chance,
            ids,
            events: self.events.clone(),
        })
        .await
        .unwrap()
    }

    /// With the domain `example.test` and the accounts `alice` and `bob` in it, without passwords.
    pub async fn with_people(&self) -> Arc<Directory> {
        let directory = self.open().await;
        directory
            .add_domain("example.test", DomainSettings::default())
            .await
            .unwrap();
        for name in ["alice", "bob"] {
            directory
                .add_account(spec(&format!("{name}@example.test")))
                .await
                .unwrap();
        }
        directory
    }
}

pub(crate) fn spec(address: &str) -> AccountSpec {
    AccountSpec {
        address: address.to_owned(),
        credential: Credential::None,
        quota_bytes: 0,
        name: None,
    }
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text)
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, Utf8::Allowed).unwrap()
}
