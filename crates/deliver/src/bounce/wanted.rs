//! Who is told: a pure function (RFC 3461 §4.1, §5.2).

use mail::address::Path;
use queue::params::RecipientParams;

use super::Kind;

/// Whether the sender is told. Never with the null reverse-path: no report about a report (RFC 5321 §4.5.5; threat case
/// LOOP-4).
pub fn wanted(kind: Kind, params: &RecipientParams, reverse_path: &Path) -> bool {
    let asked = params.tells();
    let wants = match kind {
        Kind::Failed => asked.failure,
        Kind::Delayed => asked.delay,
        Kind::Relayed | Kind::Delivered | Kind::Expanded => asked.success,
    };
    wants && *reverse_path != Path::Null
}

#[cfg(test)]
mod tests {
    use queue::params::{Notify, When};

    use super::*;

    fn asking(notify: Option<Notify>) -> RecipientParams {
        RecipientParams {
            notify,
            ..RecipientParams::default()
        }
    }

    fn only(success: bool, failure: bool, delay: bool) -> Option<Notify> {
        Some(Notify::On(When {
            success,
            failure,
            delay,
        }))
    }

    #[test]
    fn loop_4_nobody_is_told_of_a_report() {
        for kind in Kind::ALL {
            for notify in [None, only(true, true, true)] {
                assert!(!wanted(kind, &asking(notify), &Path::Null), "{kind:?} {notify:?}");
            }
        }
    }

    #[test]
    fn notify_decides_who_is_told_of_what() {
        let sender = Path::Mailbox("a@example.test".parse().expect("an address"));
        // In the order of `Kind::ALL`: failed, delayed, relayed, delivered, expanded.
        let table = [
            (None, [true, true, false, false, false]),
            (Some(Notify::Never), [false; 5]),
            (only(true, false, false), [false, false, true, true, true]),
            (only(false, true, false), [true, false, false, false, false]),
            (only(false, false, true), [false, true, false, false, false]),
            (only(true, true, true), [true; 5]),
        ];
        for (notify, want) in table {
            let got = Kind::ALL.map(|kind| wanted(kind, &asking(notify), &sender));
            assert_eq!(got, want, "{notify:?}");
        }
    }
}
