//! A mail transaction, from MAIL to its end. Its direction is in its type: only the user's variant has a relay grant,
//! and only its envelope could take a remote recipient. What an address of ours leads to is for every direction.

use std::collections::BTreeMap;
use std::net::IpAddr;

use directory::{Reached, Reservation, SignedIn, TrustedUser};
use mail::address::{Mailbox, Path};
use mail::ids::{AccountId, QueueId};
use queue::{
    Envelope, EnvelopeParams, LocalProgram, LocalUser, RecipientParams, RelayGrant, Stranger, Submitted,
};
use smtp::MailFrom;
use world::clock::{Monotonic, UnixMs};

use crate::genuine::Leads;
use crate::intake::Intake;
use crate::limits::RECIPIENTS_IN_EVENT;
use crate::wishes;

/// Sender and recipients, by origin.
pub(crate) enum Direction {
    /// from another server
    Stranger(Envelope<Stranger>),
    /// from a program on this machine
    Local(Envelope<LocalProgram>),
    /// from somebody who signed in
    User {
        envelope: Envelope<Submitted>,
        grant: RelayGrant,
        user: SignedIn,
    },
    /// from root or the server's own user
    Trusted {
        envelope: Envelope<LocalUser>,
        grant: RelayGrant,
        user: TrustedUser,
    },
}

/// Whose submission it is.
#[derive(Clone)]
pub(crate) enum Sender {
    Account(SignedIn),
    Trusted(TrustedUser),
}

impl Sender {
    /// Whose mail it is when nothing else is said.
    pub fn address(&self) -> &Mailbox {
        match self {
            Self::Account(user) => user.address(),
            Self::Trusted(user) => user.address(),
        }
    }

    /// Whether they may send as this address.
    pub fn may_send_as(&self, address: &Mailbox) -> bool {
        match self {
            Self::Account(user) => user.may_send_as(address),
            Self::Trusted(user) => user.may_send_as(address),
        }
    }
}

/// A transaction that MAIL opened.
pub(crate) struct Transaction {
    pub direction: Direction,
    pub mail: MailFrom,
    /// room held in the recipients' mailboxes: once for each, however often they are named
    pub reservations: BTreeMap<AccountId, Reservation>,
    /// the first recipient; named in Received when it stays the only one
    pub first_recipient: Option<Mailbox>,
    /// RCPTs that were taken
    pub recipients: usize,
    /// those of them that lead to other servers too
    forwarding: Vec<Mailbox>,
    /// the message, while it comes in chunks
    pub intake: Option<Intake>,
    /// when a message in chunks must have come, from its first chunk on
    pub message_until: Option<Monotonic>,
}

impl Transaction {
    pub fn new(direction: Direction, mail: MailFrom) -> Self {
        let (reservations, first_recipient, recipients, intake) = (BTreeMap::new(), None, 0, None);
        Self {
            direction,
            mail,
            reservations,
            first_recipient,
            recipients,
            forwarding: Vec::new(),
            intake,
            message_until: None,
        }
    }

    pub fn queue_id(&self) -> QueueId {
        match &self.direction {
            Direction::Stranger(envelope) => envelope.queue_id(),
            Direction::Local(envelope) => envelope.queue_id(),
            Direction::User { envelope, .. } => envelope.queue_id(),
            Direction::Trusted { envelope, .. } => envelope.queue_id(),
        }
    }

    pub fn received_at(&self) -> UnixMs {
        match &self.direction {
            Direction::Stranger(envelope) => envelope.received_at(),
            Direction::Local(envelope) => envelope.received_at(),
            Direction::User { envelope, .. } => envelope.received_at(),
            Direction::Trusted { envelope, .. } => envelope.received_at(),
        }
    }

    /// What the sender asked for the whole message, in the envelope and in its `header`, and whether its copies here are kept apart.
    pub fn set_params(&mut self, eight_bit: bool, quarantined: bool, header: &[u8]) {
        let tls = wishes::of_tls(&self.mail, header, self.may_relay());
        let params = EnvelopeParams {
            quarantined,
            ..wishes::of_message(&self.mail, self.received_at(), eight_bit, tls)
        };
        match &mut self.direction {
            Direction::Stranger(envelope) => envelope.set_params(params),
            Direction::Local(envelope) => envelope.set_params(params),
            Direction::User { envelope, .. } => envelope.set_params(params),
            Direction::Trusted { envelope, .. } => envelope.set_params(params),
        }
    }

    /// Whose submission it is, if it is one.
    pub fn sender(&self) -> Option<Sender> {
        match &self.direction {
            Direction::User { user, .. } => Some(Sender::Account(user.clone())),
            Direction::Trusted { user, .. } => Some(Sender::Trusted(user.clone())),
            Direction::Stranger(_) | Direction::Local(_) => None,
        }
    }

    pub fn may_relay(&self) -> bool {
        matches!(self.direction, Direction::User { .. } | Direction::Trusted { .. })
    }

    pub fn add_reached(&mut self, asked_for: Option<&Mailbox>, of: Reached, params: &RecipientParams) {
        self.forwarding
            .extend(of.forwards().first().map(|forward| forward.via().clone()));
        match &mut self.direction {
            Direction::Stranger(envelope) => envelope.add_reached(of, params),
            Direction::Local(envelope) => envelope.add_reached(of, params),
            Direction::User { envelope, .. } => envelope.add_reached(of, params),
            Direction::Trusted { envelope, .. } => envelope.add_reached(of, params),
        }
        self.count(asked_for);
    }

    /// The addresses the message was sent to, when each of them leads to another server.
    pub fn forwarding_only(&self) -> &[Mailbox] {
        if self.forwarding.len() == self.recipients {
            &self.forwarding
        } else {
            &[]
        }
    }

    /// Whom a message that nobody submitted is for.
    pub fn leads(&self) -> Leads {
        let has_local = match &self.direction {
            Direction::Stranger(envelope) => envelope.has_local(),
            Direction::Local(envelope) => envelope.has_local(),
            Direction::User { envelope, .. } => envelope.has_local(),
            Direction::Trusted { envelope, .. } => envelope.has_local(),
        };
        match (has_local, self.forwarding.is_empty()) {
            (_, true) => Leads::Here,
            (true, false) => Leads::Both,
            (false, false) => Leads::Elsewhere,
        }
    }

    /// A stranger's message does not go where addresses of ours lead.
    pub fn keep_forwards_back(&mut self, why: String) {
        if let Direction::Stranger(envelope) = &mut self.direction {
            envelope.keep_forwards_back(why);
        }
    }

    /// Adds a recipient on another server; false when the direction does not allow it.
    pub fn add_remote(&mut self, mailbox: &Mailbox, params: RecipientParams) -> bool {
        match &mut self.direction {
            Direction::User { envelope, grant, .. } => envelope.add_remote(mailbox.clone(), params, grant),
            Direction::Trusted { envelope, grant, .. } => envelope.add_remote(mailbox.clone(), params, grant),
            Direction::Stranger(_) | Direction::Local(_) => return false,
        }
        self.count(Some(mailbox));
        true
    }

    fn count(&mut self, asked_for: Option<&Mailbox>) {
        if self.recipients == 0 {
            self.first_recipient = asked_for.cloned();
        }
        self.recipients += 1;
    }

    /// The first few, for the log.
    pub fn first_recipients(&self) -> String {
        match &self.direction {
            Direction::Stranger(envelope) => envelope.first_recipients(RECIPIENTS_IN_EVENT),
            Direction::Local(envelope) => envelope.first_recipients(RECIPIENTS_IN_EVENT),
            Direction::User { envelope, .. } => envelope.first_recipients(RECIPIENTS_IN_EVENT),
            Direction::Trusted { envelope, .. } => envelope.first_recipients(RECIPIENTS_IN_EVENT),
        }
    }

    /// The only recipient, if there is one only.
    pub fn only_recipient(&self) -> Option<&Mailbox> {
        self.first_recipient.as_ref().filter(|_| self.recipients == 1)
    }

    /// Octets of the message that came so far.
    pub fn size_bytes(&self) -> u64 {
        self.intake.as_ref().map_or(0, Intake::size_bytes)
    }

    /// The envelope sender for the log; empty for `<>`.
    pub fn sender_text(&self) -> String {
        sender_text(&self.mail.reverse_path)
    }
}

/// The envelope sender for the log; empty for `<>`.
pub(crate) fn sender_text(path: &Path) -> String {
    path.mailbox().map(ToString::to_string).unwrap_or_default()
}

/// The address of a peer in its shortest family.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
