//! Sender and recipients of one message, with its direction in the type.

use directory::{Forward, LocalRecipient, Reached};
use mail::address::{Mailbox, Path};
use mail::ids::QueueId;
use world::clock::UnixMs;

use crate::origin::{MayRelay, Origin, RelayGrant};
use crate::params::{EnvelopeParams, RecipientParams};

/// Sender and recipients of one message from an origin `O`.
#[derive(Debug)]
pub struct Envelope<O> {
    queue_id: QueueId,
    reverse_path: Path,
    received_at: UnixMs,
    origin: O,
    params: EnvelopeParams,
    recipients: Vec<Addressed>,
    addressees: Vec<Addressee>,
    kept_back: Option<String>,
}

/// A recipient with what the sender asked for it.
#[derive(Debug)]
pub(crate) struct Addressed {
    pub to: Recipient,
    pub params: RecipientParams,
}

/// Who gets a copy. An account that is reached by two addresses gets one, with the parameters of the first.
#[derive(Debug)]
pub(crate) enum Recipient {
    Local(LocalRecipient),
    Remote(Mailbox),
}

/// One accepted RCPT: the positions of the recipients it stands for (an alias stands for several). LMTP answers for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    positions: Vec<u32>,
}

impl Addressee {
    /// The recipients' positions, as in [`store::contract::Placed::recipient`]; at least one.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }
}

impl<O: Origin> Envelope<O> {
    /// An envelope without recipients. `received_at` becomes INTERNALDATE.
    pub fn new(queue_id: QueueId, reverse_path: Path, received_at: UnixMs, origin: O) -> Self {
        Self {
            queue_id,
            reverse_path,
            received_at,
            origin,
            params: EnvelopeParams::default(),
            recipients: Vec::new(),
            addressees: Vec::new(),
            kept_back: None,
        }
    }

    /// What the sender asked for the whole message. Origin and account are filled in by the envelope itself.
    pub fn with_params(mut self, params: EnvelopeParams) -> Self {
        self.set_params(params);
        self
    }

    /// As [`Envelope::with_params`].
    pub fn set_params(&mut self, params: EnvelopeParams) {
        self.params = params;
    }

    /// What the sender asked for the whole message, with origin and account.
    pub fn params(&self) -> EnvelopeParams {
        EnvelopeParams {
            origin: self.origin.name().to_owned(),
            account: self.origin.account(),
            ..self.params.clone()
        }
    }

    /// Adds all whom one address of ours reaches, here and elsewhere.
    pub fn add_reached(&mut self, of: Reached, params: &RecipientParams) {
        let (here, elsewhere) = of.into_parts();
        self.add(here, elsewhere, params);
    }

    /// Adds accounts that one address of ours resolved to. `of` holds at least one; an empty one adds nothing.
    pub fn add_local(&mut self, of: Vec<LocalRecipient>, params: &RecipientParams) {
        self.add(of, Vec::new(), params);
    }

    /// Adds somebody on another server to whom an address of ours leads. No grant is asked for: the directory made the
    /// [`Forward`], because whoever runs this server wants it. The one way by which a stranger's message leaves.
    pub fn add_forward(&mut self, forward: Forward, params: &RecipientParams) {
        self.add(Vec::new(), vec![forward], params);
    }

    fn add(&mut self, here: Vec<LocalRecipient>, elsewhere: Vec<Forward>, params: &RecipientParams) {
        // One address, one report of success, however many it stands for: their number is nobody's business; of several it says
        // "expanded" (RFC 3461 §5.2.7.3). None at all to a sender that anybody may have written (threat case LOOP-3).
        let others = params.without_success();
        let first = RecipientParams {
            expanded: params.tells().success && here.len() + elsewhere.len() > 1,
            ..params.clone()
        };
        let params = if self.origin.vouched() { &first } else { &others };
        let mut positions: Vec<u32> = Vec::with_capacity(here.len() + elsewhere.len());
        for recipient in here {
            let params = if positions.is_empty() { params } else { &others };
            positions.push(self.position_of(recipient, params));
        }
        for forward in elsewhere {
            let params = if positions.is_empty() { params } else { &others };
            let params = self.forwarded(&forward, params);
            positions.push(self.position_of_remote(forward.target(), params));
        }
        if !positions.is_empty() {
            self.addressees.push(Addressee { positions });
        }
    }

    /// The copy goes under the forward's own sender, and its reports come to the message's.
    fn forwarded(&self, forward: &Forward, params: &RecipientParams) -> RecipientParams {
        let other = (forward.reverse_path() != self.reverse_path()).then(|| {
            let mailbox = forward.reverse_path().mailbox();
            mailbox.map(ToString::to_string).unwrap_or_default()
        });
        RecipientParams {
            reverse_path: other,
            via: vec![forward.via().to_string()],
            ..params.clone()
        }
    }

    fn position_of_remote(&mut self, mailbox: &Mailbox, params: RecipientParams) -> u32 {
        let same = |known: &Addressed| matches!(&known.to, Recipient::Remote(known) if known == mailbox);
        match self.recipients.iter().position(same) {
            Some(position) => as_position(position),
            None => self.push(Recipient::Remote(mailbox.clone()), params),
        }
    }

    fn position_of(&mut self, recipient: LocalRecipient, params: &RecipientParams) -> u32 {
        let same = |known: &Addressed| matches!(&known.to, Recipient::Local(known) if known.account() == recipient.account());
        match self.recipients.iter().position(same) {
            Some(position) => as_position(position),
            None => self.push(Recipient::Local(recipient), params.clone()),
        }
    }

    fn push(&mut self, to: Recipient, params: RecipientParams) -> u32 {
        self.recipients.push(Addressed { to, params });
        as_position(self.recipients.len() - 1)
    }

    /// Its name in every log line, in Received, and in the reply.
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// Who gets the bounce.
    pub fn reverse_path(&self) -> &Path {
        &self.reverse_path
    }

    /// When it came.
    pub fn received_at(&self) -> UnixMs {
        self.received_at
    }

    /// Where it comes from.
    pub fn origin(&self) -> &O {
        &self.origin
    }

    /// Accepted RCPTs, in order.
    pub fn addressees(&self) -> &[Addressee] {
        &self.addressees
    }

    /// Whether somebody on another server is among the recipients.
    pub fn has_remote(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| matches!(recipient.to, Recipient::Remote(_)))
    }

    /// The first few recipients, for the log.
    pub fn first_recipients(&self, most: usize) -> String {
        let names = self
            .recipients
            .iter()
            .take(most)
            .map(|recipient| match &recipient.to {
                Recipient::Local(local) => local.original().to_string(),
                Recipient::Remote(mailbox) => mailbox.to_string(),
            });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether somebody here is among the recipients.
    pub fn has_local(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| matches!(recipient.to, Recipient::Local(_)))
    }

    /// What addresses of ours lead to on other servers does not leave: the sender is told of it as of a refusal, in these words.
    pub fn keep_forwards_back(&mut self, why: String) {
        self.kept_back = Some(why);
    }

    /// Why this recipient's copy does not leave, if it does not.
    pub(crate) fn kept_back(&self, recipient: &Addressed) -> Option<&str> {
        let forwarded = matches!(recipient.to, Recipient::Remote(_)) && !recipient.params.via.is_empty();
        self.kept_back.as_deref().filter(|_| forwarded)
    }

    pub(crate) fn recipients(&self) -> &[Addressed] {
        &self.recipients
    }
}

impl<O: MayRelay> Envelope<O> {
    /// Adds somebody on another server. The grant shows that the origin may.
    pub fn add_remote(&mut self, mailbox: Mailbox, params: RecipientParams, grant: &RelayGrant) {
        assert_eq!(
            grant.holder(),
            self.origin.account(),
            "a grant is for its holder's own messages"
        );
        let position = self.position_of_remote(&mailbox, params);
        self.addressees.push(Addressee {
            positions: vec![position],
        });
    }
}

fn as_position(index: usize) -> u32 {
    u32::try_from(index).expect("a message has far fewer than 2^32 recipients")
}
