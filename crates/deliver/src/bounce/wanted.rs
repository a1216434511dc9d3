//! Who is told: a pure function (RFC 3461 §4.1, §5.2).

use mail::address::Path;

use super::Kind;

/// What a sender asked to be told of one recipient (NOTIFY, RFC 3461 §4.1). Nothing given means failures and delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// when it was delivered
    pub success: bool,
    /// when it was given up
    pub failure: bool,
    /// when it takes long
    pub delay: bool,
}

impl Asked {
    /// NOTIFY=NEVER.
    pub const NEVER: Self = Self {
        success: false,
        failure: false,
        delay: false,
    };
}

/// Whether the sender is told. Never with the null reverse-path: no report about a report (RFC 5321 §4.5.5; threat case
/// LOOP-4).
pub fn wanted(kind: Kind, notify: Option<Asked>, reverse_path: &Path) -> bool {
    let asked = notify.unwrap_or(Asked {
        success: false,
        failure: true,
        delay: true,
    });
    let wants = match kind {
        Kind::Failed => asked.failure,
        Kind::Delayed => asked.delay,
        Kind::Relayed | Kind::Delivered | Kind::Expanded => asked.success,
    };
    wants && *reverse_path != Path::Null
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_4_nobody_is_told_of_a_report() {
        for kind in Kind::ALL {
            let all = Asked {
                success: true,
                failure: true,
                delay: true,
            };
            assert!(!wanted(kind, Some(all), &Path::Null), "{kind:?}");
            assert!(!wanted(kind, None, &Path::Null), "{kind:?}");
        }
    }

    #[test]
    fn notify_decides() {
        let sender = Path::Mailbox("a@example.test".parse().expect("an address"));
        let only = |success, failure, delay| {
            Some(Asked {
                success,
                failure,
                delay,
            })
        };
        // In the order of `Kind::ALL`: failed, delayed, relayed, delivered, expanded.
        let table = [
            (None, [true, true, false, false, false]),
            (Some(Asked::NEVER), [false; 5]),
            (only(true, false, false), [false, false, true, true, true]),
            (only(false, true, false), [true, false, false, false, false]),
            (only(false, false, true), [false, true, false, false, false]),
            (only(true, true, true), [true; 5]),
        ];
        for (notify, want) in table {
            assert_eq!(
                Kind::ALL.map(|kind| wanted(kind, notify, &sender)),
                want,
                "{notify:?}"
            );
        }
    }
}
