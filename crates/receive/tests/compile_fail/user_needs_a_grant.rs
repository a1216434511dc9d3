//! Somebody who signed in still needs the grant, and nobody can make one up.

fn relay(mut envelope: queue::Envelope<queue::Submitted>, mailbox: mail::address::Mailbox) {
    envelope.add_remote(mailbox, &queue::RelayGrant { holder: None });
}

fn main() {}
