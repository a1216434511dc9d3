//! One commit, one acknowledgement.

use mail::ids::QueueId;
use store::contract::Accepted;
use store::durable::Durable;

type Verdict = smtp::OneVerdict<Durable<Accepted>>;

fn twice(one: Verdict, other: Verdict, proof: Durable<Accepted>, id: QueueId) {
    let _ = one.accept(proof, id, None);
    let _ = other.accept(proof, id, None);
}

fn clone(proof: &Durable<Accepted>) -> Durable<Accepted> {
    proof.clone()
}

fn main() {}
