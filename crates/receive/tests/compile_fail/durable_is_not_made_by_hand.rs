//! Only a store that has synced makes the proof.

use store::durable::Durable;

fn main() {
    let _ = Durable::synced(());
    let _ = Durable { committed: () };
}
