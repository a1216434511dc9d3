//! When somebody must look at a recipient that was not delivered, and what its passing means: pure functions.
//!
//! A row has one deadline: first the time of the delay notice, then the time at which it is given up. The times count from the
//! arrival, or from the time before which the sender did not want it to leave.
//!
//! A wrong clock may have stamped the arrival ([`counted_from`], threat case Q-12). One that was behind is seen by the queue id, which
//! is younger; one that was ahead is seen as long as the arrival lies ahead, and the row then says itself since when it counts.

use world::clock::UnixMs;

use crate::limits::{LAST_TRY_GRACE, RELEASE_GRACE, STAMP_TOLERANCE};
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
    /// The arrival was stamped by a clock that was ahead: the row counts as come now.
    CountAnew {
        /// now: [`RecipientParams::counted_from_unix_ms`]
        from: UnixMs,
        /// the right deadline
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
    let counted = Counted {
        came: received_at,
        from: received_at,
    };
    counted.first(schedule, envelope, tell_delay)
}

/// Since when a message counts as waiting; `made_at` is its queue id's time. `None` when it came by a clock that was ahead, and nobody has decided yet.
pub fn counted_from(
    now: UnixMs,
    received_at: UnixMs,
    made_at: UnixMs,
    decided: Option<UnixMs>,
) -> Option<UnixMs> {
    if received_at > later(now, STAMP_TOLERANCE) {
        return decided.filter(|decided| *decided <= now);
    }
    // Identifiers never go back: after a clock that was ahead they are ahead for a while, and say nothing.
    let by_id = (made_at <= now).then_some(made_at);
    Some(by_id.map_or(received_at, |made_at| made_at.max(received_at)))
}

/// When a message came, by its stamp and as it counts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    came: UnixMs,
    from: UnixMs,
}

impl Counted {
    /// A time that was reckoned from the arrival.
    fn shifted(self, unix_ms: u64) -> UnixMs {
        UnixMs(unix_ms.saturating_add(self.from.0).saturating_sub(self.came.0))
    }

    fn first(self, schedule: &Schedule, envelope: &EnvelopeParams, tell_delay: bool) -> UnixMs {
        let expiry = self.expiry(schedule, envelope).0;
        if tell_delay {
            self.notice(schedule, envelope).min(expiry)
        } else {
            expiry
        }
    }

    /// When a recipient is given up.
    fn expiry(self, schedule: &Schedule, envelope: &EnvelopeParams) -> (UnixMs, Expiry) {
        let long = later(envelope.not_before(self.from), schedule.give_up);
        let by = envelope.deliver_by.filter(|by| by.mode == ByMode::Return);
        match by.map(|by| self.shifted(by.until_unix_ms)) {
            Some(until) if until < long => (until, Expiry::DeliverBy),
            _ => (long, Expiry::WaitedLong),
        }
    }

    /// When the sender is told of the delay: as it asked (RFC 2852, mode N), else after the usual time.
    fn notice(self, schedule: &Schedule, envelope: &EnvelopeParams) -> UnixMs {
        match envelope.deliver_by {
            Some(by) if by.mode == ByMode::Notify => self.shifted(by.until_unix_ms),
            _ => later(envelope.not_before(self.from), schedule.delay_notice),
        }
    }
}

/// A row at its deadline: what the decision needs of it.
#[derive(Debug, Clone, Copy)]
pub struct Overdue<'a> {
    /// when the message came
    pub received_at: UnixMs,
    /// its queue id's time
    pub made_at: UnixMs,
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
    let tell_delay = row.tell_delay && !row.recipient.delayed_told;
    let decided = row.recipient.counted_from_unix_ms.map(UnixMs);
    let Some(from) = counted_from(now, row.received_at, row.made_at, decided) else {
        let counted = Counted {
            came: row.received_at,
            from: now,
        };
        return Passed::CountAnew {
            from: now,
            deadline: counted.first(schedule, row.envelope, tell_delay),
        };
    };
    let counted = Counted {
        came: row.received_at,
        from,
    };
    let (expiry, why) = counted.expiry(schedule, row.envelope);
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
    let notice = counted.notice(schedule, row.envelope);
    match (tell_delay, now >= notice) {
        (true, true) => Passed::Delayed { deadline: expiry },
        (true, false) => Passed::NotYet {
            deadline: notice.min(expiry),
        },
        (false, _) => Passed::NotYet { deadline: expiry },
    }
}

/// The deadline a row should have at `now`, when its own lies too far ahead: it was made while the clock was wrong. One that is near is
/// left alone: somebody may have given the recipient this time.
pub fn pulled_in(schedule: &Schedule, now: UnixMs, deadline: UnixMs, row: Overdue<'_>) -> Option<UnixMs> {
    let right = match passed(schedule, now, row) {
        Passed::NotYet { deadline } => deadline,
        _ if deadline <= later(now, RELEASE_GRACE) => return None,
        _ => now,
    };
    (deadline > later(right, STAMP_TOLERANCE)).then_some(right)
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
                made_at: CAME,
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
            made_at: CAME,
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
            Passed::CountAnew {
                from: UnixMs(0),
                deadline: UnixMs(4 * HOUR)
            },
            "a clock at 1970"
        );
    }

    #[test]
    fn q_12_a_stamp_of_a_wrong_clock_does_not_count() {
        // (name, received, id, decided, now, counted from), in hours
        let table = [
            ("plain", 0, 0, None, 5, Some(0)),
            ("taken a while after MAIL", 1, 0, None, 5, Some(1)),
            ("by a clock that was behind", -700, 0, None, 5, Some(0)),
            ("after a clock that was ahead", 0, 700, None, 5, Some(0)),
            ("by a clock that was ahead", 700, 700, None, 5, None),
            ("the same, decided", 700, 700, Some(4), 5, Some(4)),
            ("the same, put right twice", 700, 700, Some(9), 5, None),
            ("the time has come", 700, 700, Some(4), 701, Some(700)),
        ];
        let at = |hours: i64| UnixMs(CAME.0.saturating_add_signed(hours * HOUR as i64));
        for (name, received, made, decided, now, want) in table {
            let found = counted_from(at(now), at(received), at(made), decided.map(at));
            assert_eq!(found, want.map(at), "{name}");
        }
    }

    #[test]
    fn q_12_a_deadline_made_by_a_wrong_clock_is_pulled_in() {
        let return_by = by(ByMode::Return, 6 * HOUR);
        let plain = EnvelopeParams::default();
        // (name, envelope, hours since it came, deadline in so many hours, right one)
        let table = [
            ("right", &plain, 1, 3, None),
            ("ahead by an hour", &plain, 1, 4, Some(3)),
            ("ahead by a month", &plain, 1, 700, Some(3)),
            ("long over", &plain, 200, 700, Some(0)),
            ("long over, but given some hours", &plain, 200, 4, None),
            ("the sender's own", &return_by, 5, 700, Some(0)),
        ];
        for (name, envelope, hours, deadline, want) in table {
            let now = UnixMs(CAME.0 + hours * HOUR);
            let row = Overdue {
                received_at: CAME,
                made_at: CAME,
                due: now,
                envelope,
                recipient: &RecipientParams::default(),
                tell_delay: true,
            };
            let found = pulled_in(&Schedule::default(), now, UnixMs(now.0 + deadline * HOUR), row);
            assert_eq!(found.map(|right| (right.0 - now.0) / HOUR), want, "{name}");
        }
    }

    #[test]
    fn q_12_what_was_reckoned_from_a_wrong_arrival_moves_with_it() {
        let envelope = by(ByMode::Return, 6 * HOUR);
        let now = UnixMs(CAME.0 - 700 * HOUR);
        let row = |decided: Option<UnixMs>, recipient| Overdue {
            received_at: CAME,
            made_at: CAME,
            due: decided.unwrap_or(CAME),
            envelope: &envelope,
            recipient,
            tell_delay: false,
        };
        let undecided = RecipientParams::default();
        let deadline = UnixMs(now.0 + 6 * HOUR);
        let anew = passed(&Schedule::default(), now, row(None, &undecided));
        assert_eq!(anew, Passed::CountAnew { from: now, deadline });
        let decided = RecipientParams {
            counted_from_unix_ms: Some(now.0),
            ..RecipientParams::default()
        };
        let then = passed(&Schedule::default(), deadline, row(Some(now), &decided));
        assert_eq!(then, Passed::Expired(Expiry::DeliverBy));
    }
}
