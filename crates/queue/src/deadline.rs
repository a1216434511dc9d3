//! When somebody must look at a recipient that was not delivered, and what its passing means: pure functions.
//!
//! A row has one deadline: first the time of the delay notice, then the time at which it is given up. The times count from the
//! arrival, or from the time before which the sender did not want it to leave.

use std::time::Duration;

use world::clock::UnixMs;

use crate::limits::LAST_TRY_GRACE;
use crate::params::{ByMode, EnvelopeParams, RecipientParams};
use crate::schedule::{Schedule, later};

/// What a row's deadline says at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Nothing yet: this is the right deadline.
    NotYet {
        /// the deadline
        deadline: UnixMs,
    },
    /// The sender is to be told of the delay (if it wants to be), and the deadline moves.
    Delayed {
        /// the next deadline: when it is given up
        deadline: UnixMs,
    },
    /// Time to give up, but nobody tried lately: the machine was off or its clock has jumped. It gets one more try.
    TryFirst {
        /// when: at once
        due: UnixMs,
        /// the next deadline
        deadline: UnixMs,
    },
    /// Given up.
    Expired(Expiry),
}

/// Why a recipient is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It waited as long as anything may.
    WaitedLong,
    /// The sender wanted it back by now (RFC 2852, mode R).
    DeliverBy,
}

/// The deadline of a recipient at its acceptance.
pub fn first(
    schedule: &Schedule,
    received_at: UnixMs,
    envelope: &EnvelopeParams,
    tell_delay: bool,
) -> UnixMs {
    let expiry = expiry(schedule, received_at, envelope).0;
    if tell_delay {
        notice(schedule, received_at, envelope).min(expiry)
    } else {
        expiry
    }
}

/// When a recipient is given up.
pub fn expiry(schedule: &Schedule, received_at: UnixMs, envelope: &EnvelopeParams) -> (UnixMs, Expiry) {
    let long = later(envelope.not_before(received_at), schedule.give_up);
    match envelope.deliver_by {
        Some(by) if by.mode == ByMode::Return && by.until_unix_ms < long.0 => {
            (UnixMs(by.until_unix_ms), Expiry::DeliverBy)
        }
        _ => (long, Expiry::WaitedLong),
    }
}

/// When the sender is told of the delay: as it asked (RFC 2852, mode N), else after the usual time.
fn notice(schedule: &Schedule, received_at: UnixMs, envelope: &EnvelopeParams) -> UnixMs {
    match envelope.deliver_by {
        Some(by) if by.mode == ByMode::Notify => UnixMs(by.until_unix_ms),
        _ => later(envelope.not_before(received_at), schedule.delay_notice),
    }
}

/// A row at its deadline: what the decision needs of it.
#[derive(Debug, Clone, Copy)]
pub struct Overdue<'a> {
    /// when the message came
    pub received_at: UnixMs,
    /// when the recipient was to be tried next
    pub due: UnixMs,
    /// the message's parameters
    pub envelope: &'a EnvelopeParams,
    /// the recipient's parameters
    pub recipient: &'a RecipientParams,
    /// whether there is a sender who wants to be told of delays
    pub tell_delay: bool,
}

/// What the deadline of a row means now. A due time that lies back further than any try may take means that nobody tried.
pub fn passed(schedule: &Schedule, now: UnixMs, row: Overdue<'_>) -> Passed {
    let (expiry, why) = expiry(schedule, row.received_at, row.envelope);
    if now >= expiry {
        let stale = later(row.due, schedule.longest_wait() + LAST_TRY_GRACE) < now;
        return match why {
            Expiry::WaitedLong if stale => Passed::TryFirst {
                due: now,
                deadline: later(now, LAST_TRY_GRACE),
            },
            _ => Passed::Expired(why),
        };
    }
    let notice = notice(schedule, row.received_at, row.envelope);
    match (row.tell_delay && !row.recipient.delayed_told, now >= notice) {
        (true, true) => Passed::Delayed { deadline: expiry },
        (true, false) => Passed::NotYet {
            deadline: notice.min(expiry),
        },
        (false, _) => Passed::NotYet { deadline: expiry },
    }
}

/// A deadline that no schedule gives was made while the clock was wrong: it is pulled in.
pub fn sane(now: UnixMs, deadline: UnixMs, longest: Duration) -> UnixMs {
    crate::schedule::sane_due(now, deadline, longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::DeliverBy;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const CAME: UnixMs = UnixMs(1000 * DAY);

    fn by(mode: ByMode, after_ms: u64) -> EnvelopeParams {
        let until_unix_ms = CAME.0 + after_ms;
        EnvelopeParams {
            deliver_by: Some(DeliverBy {
                until_unix_ms,
                mode,
                trace: false,
            }),
            ..EnvelopeParams::default()
        }
    }

    fn held(after_ms: u64) -> EnvelopeParams {
        EnvelopeParams {
            hold_until_unix_ms: Some(CAME.0 + after_ms),
            ..EnvelopeParams::default()
        }
    }

    #[test]
    fn the_first_deadline_is_the_notice_or_the_end() {
        let plain = EnvelopeParams::default();
        let table = [
            ("plain", plain.clone(), true, 4 * HOUR),
            ("nobody to tell", plain, false, 5 * DAY),
            ("not before tomorrow", held(DAY), true, DAY + 4 * HOUR),
            ("notify after a minute", by(ByMode::Notify, 60_000), true, 60_000),
            ("notify after a day", by(ByMode::Notify, DAY), true, DAY),
            ("return after an hour", by(ByMode::Return, HOUR), true, HOUR),
            (
                "return after six hours",
                by(ByMode::Return, 6 * HOUR),
                true,
                4 * HOUR,
            ),
            ("return after a week", by(ByMode::Return, 7 * DAY), false, 5 * DAY),
        ];
        for (name, envelope, tell, want) in table {
            let found = first(&Schedule::default(), CAME, &envelope, tell);
            assert_eq!(found.0 - CAME.0, want, "{name}");
        }
    }

    #[test]
    fn q_11_deadlines_pass_in_order() {
        let plain = EnvelopeParams::default();
        let ret = by(ByMode::Return, 6 * HOUR);
        let end = UnixMs(CAME.0 + 5 * DAY);
        let early = UnixMs(CAME.0 + 4 * HOUR);
        // (name, envelope, told before, somebody to tell, hours since it came, due in so many hours, what)
        let table = [
            (
                "early",
                &plain,
                false,
                true,
                1,
                1,
                Passed::NotYet { deadline: early },
            ),
            (
                "delayed",
                &plain,
                false,
                true,
                4,
                1,
                Passed::Delayed { deadline: end },
            ),
            ("told", &plain, true, true, 5, 1, Passed::NotYet { deadline: end }),
            (
                "null sender",
                &plain,
                false,
                false,
                5,
                1,
                Passed::NotYet { deadline: end },
            ),
            (
                "the end",
                &plain,
                true,
                true,
                120,
                1,
                Passed::Expired(Expiry::WaitedLong),
            ),
            (
                "the end, untold",
                &plain,
                false,
                true,
                120,
                1,
                Passed::Expired(Expiry::WaitedLong),
            ),
            (
                "a last wait",
                &plain,
                true,
                true,
                121,
                -5,
                Passed::Expired(Expiry::WaitedLong),
            ),
            (
                "back by six",
                &ret,
                false,
                true,
                6,
                1,
                Passed::Expired(Expiry::DeliverBy),
            ),
            (
                "back long ago",
                &ret,
                false,
                true,
                600,
                -500,
                Passed::Expired(Expiry::DeliverBy),
            ),
        ];
        for (name, envelope, delayed_told, tell_delay, hours, due, want) in table {
            let now = UnixMs(CAME.0 + hours * HOUR);
            let row = Overdue {
                received_at: CAME,
                due: UnixMs(now.0.saturating_add_signed(due * HOUR as i64)),
                envelope,
                recipient: &RecipientParams {
                    delayed_told,
                    ..RecipientParams::default()
                },
                tell_delay,
            };
            assert_eq!(passed(&Schedule::default(), now, row), want, "{name}");
        }
    }

    #[test]
    fn q_12_a_jump_of_the_clock_gives_nothing_up_untried() {
        let envelope = EnvelopeParams::default();
        let recipient = RecipientParams::default();
        let row = |due| Overdue {
            received_at: CAME,
            due,
            envelope: &envelope,
            recipient: &recipient,
            tell_delay: true,
        };
        let schedule = Schedule::default();
        for days in [30, 10_000, 40_000] {
            let now = UnixMs(CAME.0 + days * DAY);
            let soon = UnixMs(now.0 + HOUR);
            let first = passed(&schedule, now, row(UnixMs(CAME.0 + HOUR)));
            assert_eq!(
                first,
                Passed::TryFirst {
                    due: now,
                    deadline: soon
                },
                "{days} days ahead"
            );
            let then = passed(&schedule, soon, row(now));
            assert_eq!(then, Passed::Expired(Expiry::WaitedLong), "it had its try");
        }
        let before = passed(&schedule, UnixMs(0), row(CAME));
        assert_eq!(
            before,
            Passed::NotYet {
                deadline: UnixMs(CAME.0 + 4 * HOUR)
            },
            "a clock at 1970"
        );
    }
}
