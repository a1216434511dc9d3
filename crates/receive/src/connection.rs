//! Step 1: is there to be a session at all? A pure function.

use crate::context::DoorKind;

/// What is known before the banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// through which door
    pub door: DoorKind,
    /// the client has sent something already
    pub spoke_first: bool,
    /// the program is stopping
    pub stopping: bool,
}

/// How to greet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// 220
    Welcome,
    /// 554: it spoke before the banner (threat case SMT-4)
    SpokeTooEarly,
    /// 421
    Stopping,
}

/// Decides how to greet. Only strangers are held to waiting for the banner: RFC 5321 §4.3.1 asks it of everybody, but a
/// user's broken program is better told in its own language than turned away.
pub fn greet(evidence: Evidence) -> Greeting {
    match evidence {
        Evidence { stopping: true, .. } => Greeting::Stopping,
        Evidence {
            door: DoorKind::Mx,
            spoke_first: true,
            ..
        } => Greeting::SpokeTooEarly,
        _ => Greeting::Welcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smt_4_only_strangers_are_turned_away_for_speaking_first() {
        let table = [
            (DoorKind::Mx, false, false, Greeting::Welcome),
            (DoorKind::Mx, true, false, Greeting::SpokeTooEarly),
            (DoorKind::Lmtp, true, false, Greeting::Welcome),
            (DoorKind::Submission, true, false, Greeting::Welcome),
            (DoorKind::Mx, true, true, Greeting::Stopping),
        ];
        for (door, spoke_first, stopping, want) in table {
            assert_eq!(
                greet(Evidence {
                    door,
                    spoke_first,
                    stopping
                }),
                want
            );
        }
    }
}
