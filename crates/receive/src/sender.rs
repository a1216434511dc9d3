//! Step 3: may this sender send? A pure function.

use smtp::Refusal;
use smtp::refusal::codes;
use store::contract::Admission;

use crate::refusals;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// another server, or anybody
    Stranger,
    /// a program on this machine
    LocalProgram,
    /// somebody who signed in
    User {
        /// whether the account still exists and is enabled
        welcome: bool,
        /// whether the sender's address is one of theirs; true for `<>`
        own_address: bool,
    },
}

/// Decides on MAIL. Strangers are the first to wait when room is short, users the last.
pub fn decide(speaker: Speaker, admission: Admission) -> Result<(), Refusal> {
    let room = match speaker {
        Speaker::User { .. } => admission != Admission::DeletingOnly,
        Speaker::Stranger | Speaker::LocalProgram => admission == Admission::Open,
    };
    if !room {
        return Err(refusals::no_room());
    }
    match speaker {
        Speaker::User { welcome: false, .. } => {
            let text = "Your account has been closed: ask whoever runs this server";
            Err(Refusal::new(codes::NOT_YOUR_ADDRESS, text))
        }
        // RFC 6409 §6.1. The null path is fine: RFC 8098 §3 asks for it in receipts.
        Speaker::User {
            own_address: false, ..
        } => {
            let text = "That is not an address of yours: send as one of your own";
            Err(Refusal::new(codes::NOT_YOUR_ADDRESS, text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Speaker = Speaker::User {
        welcome: true,
        own_address: true,
    };

    #[test]
    fn senders_are_decided_on_by_who_they_are_and_how_much_room_there_is() {
        let table = [
            (Speaker::Stranger, Admission::Open, 250),
            (Speaker::Stranger, Admission::UsersOnly, 452),
            (Speaker::Stranger, Admission::DeletingOnly, 452),
            (Speaker::LocalProgram, Admission::Open, 250),
            (Speaker::LocalProgram, Admission::UsersOnly, 452),
            (USER, Admission::Open, 250),
            (USER, Admission::UsersOnly, 250),
            (USER, Admission::DeletingOnly, 452),
            (
                Speaker::User {
                    welcome: true,
                    own_address: false,
                },
                Admission::Open,
                550,
            ),
            (
                Speaker::User {
                    welcome: false,
                    own_address: true,
                },
                Admission::Open,
                550,
            ),
        ];
        for (speaker, admission, want) in table {
            let got = decide(speaker, admission).map_or_else(|refusal| refusal.code.code(), |()| 250);
            assert_eq!(got, want, "{speaker:?} {admission:?}");
        }
    }
}
