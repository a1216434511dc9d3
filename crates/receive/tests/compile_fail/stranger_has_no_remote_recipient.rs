//! A stranger's envelope cannot hold a recipient on another server, grant or not.

fn relay(mut envelope: queue::Envelope<queue::Stranger>, mailbox: mail::address::Mailbox, grant: &queue::RelayGrant) {
    envelope.add_remote(mailbox, queue::RecipientParams::default(), grant);
}

fn main() {}
