//! What happens to a message at its recipient: a pure function, wired in by the program.

use directory::LocalRecipient;
use store::contract::Target;
use store::flags::Flags;

/// Where a copy goes, with its initial flags; at least one target.
pub type Planned = Vec<(Target, Flags)>;

/// The plan could not be made now. The recipient waits in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFailed {
    /// why, in words for the operator
    pub reason: String,
}

/// Decides where a message goes, from the recipient and the message's header (its bytes, with the empty line). Pure, and
/// done within 20 ms: it is asked while the sender waits.
pub type Plan = dyn Fn(&LocalRecipient, &[u8]) -> Result<Planned, PlanFailed> + Send + Sync;

/// Everything goes to INBOX, unseen.
pub fn inbox_plan(_recipient: &LocalRecipient, _header: &[u8]) -> Result<Planned, PlanFailed> {
    Ok(vec![(Target::Inbox, Flags::default())])
}
