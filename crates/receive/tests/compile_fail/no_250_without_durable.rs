//! A message is acknowledged only with the proof that it is on disk.

use store::contract::Accepted;
use store::durable::Durable;

fn acknowledge(verdict: smtp::OneVerdict<Durable<Accepted>>, accepted: Accepted) {
    let id = accepted.queue_id;
    let _ = verdict.accept(accepted, id, None);
}

fn main() {}
