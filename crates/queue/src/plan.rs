//! What happens to a message at its recipient: a pure function, wired in by the program.

use directory::LocalRecipient;
use store::contract::{SpecialUse, Target};
use store::flags::Flags;

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// the message's header: its bytes, with the empty line
    pub header: &'a [u8],
    /// nobody vouches for the author, and the author's domain wants such mail kept apart (RFC 9989 §5.4)
    pub quarantined: bool,
}

/// Where a copy goes, with its initial flags; at least one target.
pub type Planned = Vec<(Target, Flags)>;

/// The plan could not be made now. The recipient waits in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFailed {
    /// why, in words for the operator
    pub reason: String,
}

/// Decides where a message goes, from the recipient and what is known of the message. Pure, and done within 20 ms: it is
/// asked while the sender waits.
pub type Plan = dyn Fn(&LocalRecipient, Facts<'_>) -> Result<Planned, PlanFailed> + Send + Sync;

/// Everything goes to INBOX, unseen; what is quarantined goes to Junk, unseen too, and without `$Junk`: that keyword is a judgement
/// of the contents, from which filters learn, and nobody has looked at them.
pub fn inbox_plan(_recipient: &LocalRecipient, facts: Facts<'_>) -> Result<Planned, PlanFailed> {
    let target = if facts.quarantined {
        Target::Special(SpecialUse::Junk)
    } else {
        Target::Inbox
    };
    Ok(vec![(target, Flags::default())])
}
