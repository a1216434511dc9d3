//! The suite that every backend of [`Store`] runs ([`run_all`]), and an in-memory reference ([`model::Model`]).

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// Every case.
        pub(super) const CASES: &[super::Case] = &[$((stringify!($name), |store| Box::pin($name(store)))),*];
    };
}

mod cases;
pub mod make;
pub mod model;
mod queue_cases;

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::contract::Store;

/// A fresh, empty store and whatever must live as long as it does (a temporary directory).
pub type Fresh = (Arc<dyn Store>, Box<dyn Any>);

/// One case: a sentence as its name, and what it does with a fresh store. It panics when the backend breaks the contract.
pub type Case = (
    &'static str,
    for<'a> fn(&'a dyn Store) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
);

/// Runs every case, each on a fresh store, and names it on standard error. Returns how many there were.
pub async fn run_all(make: impl Fn() -> Fresh) -> usize {
    let all = || cases::CASES.iter().chain(queue_cases::CASES);
    for (name, case) in all() {
        eprintln!("contract: {name}");
        let (store, _keep) = make();
        case(store.as_ref()).await;
    }
    all().count()
}
