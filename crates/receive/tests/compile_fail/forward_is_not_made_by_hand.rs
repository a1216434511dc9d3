//! A stranger's message leaves only by a forward, and only the directory makes one.

use mail::address::{Mailbox, Path};

fn relay(mut envelope: queue::Envelope<queue::Stranger>, target: Mailbox, via: Mailbox) {
    let forward = directory::Forward {
        target,
        via,
        reverse_path: Path::Null,
    };
    envelope.add_forward(forward, &queue::RecipientParams::default());
}

fn main() {}
