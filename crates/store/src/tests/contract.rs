//! The contract's suite against both sides.

use std::sync::Arc;

use crate::contract_tests::model::Model;
use crate::contract_tests::run_all;
use crate::tests::support::World;

#[tokio::test]
async fn the_embedded_backend_keeps_the_contract() {
    let cases = run_all(|| {
        let dir = tempfile::tempdir().expect("a directory");
        (World::new().open(dir.path()), Box::new(dir))
    });
    assert!(cases.await >= 20);
}

#[tokio::test]
async fn the_model_keeps_the_contract() {
    let cases = run_all(|| (Arc::new(Model::new(World::new().clock.door())), Box::new(())));
    assert!(cases.await >= 20);
}
