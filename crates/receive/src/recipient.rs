//! Step 4: is this recipient taken? A pure function.

use smtp::Refusal;
use smtp::refusal::codes;

use crate::limits::{RECIPIENTS, UNKNOWN_RECIPIENTS, UNKNOWN_RECIPIENTS_EVER};

/// What the directory says of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// ours, and somebody gets it
    Local {
        /// whether at least one of those who get it has room
        room: bool,
    },
    /// our domain, nobody of this name, or somebody who takes no mail: the same for the outside
    Nobody,
    /// a return address of mail that was forwarded from here, and the message is no report
    ReportsOnly,
    /// not our domain
    Elsewhere,
}

/// What the answer follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// what the directory says
    pub known: Known,
    /// recipients of this message so far
    pub recipients: usize,
    /// whether the origin may send to other servers: true for somebody who signed in, for nobody else
    pub may_relay: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// taken, to be delivered here
    Local,
    /// taken, to wait for the road to its server
    Remote,
    /// refused
    Refused(Refusal),
    /// refused because nobody has this name: counts towards the session's limit
    Unknown(Refusal),
}

/// Decides on RCPT. Where the client connects from is no evidence (threat case REL-3).
pub fn decide(evidence: Evidence) -> Ruling {
    if evidence.recipients >= RECIPIENTS {
        let text = "No more recipients for this message: send it to the others separately";
        return Ruling::Refused(Refusal::new(codes::TOO_MANY_RECIPIENTS, text));
    }
    match evidence.known {
        Known::Local { room: true } => Ruling::Local,
        Known::Local { room: false } => {
            let text = "The mailbox is full: please try again later";
            Ruling::Refused(Refusal::new(codes::OVER_QUOTA_NOW, text))
        }
        Known::Nobody => {
            let text = "Nobody here has this address: please check it";
            Ruling::Unknown(Refusal::new(codes::UNKNOWN_USER, text))
        }
        Known::ReportsOnly => {
            let text = "This address takes only delivery reports, with the null sender: write to the person's own address";
            Ruling::Refused(Refusal::new(codes::RELAY_REFUSED, text))
        }
        Known::Elsewhere if evidence.may_relay => Ruling::Remote,
        Known::Elsewhere => {
            let text = "That address is not on this server, and it passes nothing on: send to the address's own server";
            Ruling::Refused(Refusal::new(codes::RELAY_REFUSED, text))
        }
    }
}

/// Whether a session asked for so many who do not exist that it is guessing.
pub fn is_guessing(unknown: u32, known: u32) -> bool {
    unknown > UNKNOWN_RECIPIENTS_EVER || (unknown > UNKNOWN_RECIPIENTS && unknown > known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rel_1_nobody_but_a_user_reaches_another_server() {
        let code = |known, recipients, may_relay| match decide(Evidence {
            known,
            recipients,
            may_relay,
        }) {
            Ruling::Local => (250, false),
            Ruling::Remote => (251, false),
            Ruling::Refused(refusal) => (refusal.code.code(), false),
            Ruling::Unknown(refusal) => (refusal.code.code(), true),
        };
        let table = [
            (Known::Local { room: true }, 0, false, (250, false)),
            (Known::Local { room: true }, 0, true, (250, false)),
            (Known::Local { room: true }, RECIPIENTS - 1, false, (250, false)),
            (Known::Local { room: true }, RECIPIENTS, false, (452, false)),
            (Known::Local { room: false }, 0, false, (452, false)),
            (Known::Nobody, 0, false, (550, true)),
            (Known::Nobody, 0, true, (550, true)),
            (Known::ReportsOnly, 0, false, (550, false)),
            (Known::ReportsOnly, 0, true, (550, false)),
            (Known::Elsewhere, 0, false, (550, false)),
            (Known::Elsewhere, 0, true, (251, false)),
        ];
        for (known, recipients, may_relay, want) in table {
            assert_eq!(
                code(known, recipients, may_relay),
                want,
                "{known:?} {recipients} {may_relay}"
            );
        }
    }

    #[test]
    fn smt_7_guessing_ends_and_an_old_list_does_not() {
        let table = [
            (10, 0, false),
            (11, 0, true),
            (11, 11, false),
            (50, 900, false),
            (101, 1000, true),
            (12, 11, true),
        ];
        for (unknown, known, want) in table {
            assert_eq!(is_guessing(unknown, known), want, "{unknown} {known}");
        }
    }
}
