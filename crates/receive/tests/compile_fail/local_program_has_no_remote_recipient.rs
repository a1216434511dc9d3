//! Coming from this machine is no right to send to other servers.

fn relay(mut envelope: queue::Envelope<queue::LocalProgram>, mailbox: mail::address::Mailbox, grant: &queue::RelayGrant) {
    envelope.add_remote(mailbox, queue::RecipientParams::default(), grant);
}

fn main() {}
