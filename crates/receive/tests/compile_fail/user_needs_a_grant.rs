//! Somebody who signed in still needs the grant, and nobody can make one up.

fn relay(mut envelope: queue::Envelope<queue::Submitted>, mailbox: mail::address::Mailbox) {
    let params = queue::RecipientParams::default();
    envelope.add_remote(mailbox, params, &queue::RelayGrant { holder: None });
}

fn main() {}
