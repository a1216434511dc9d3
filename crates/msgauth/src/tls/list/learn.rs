//! Learning from what is seen: a domain that has always shown TLS with a certificate that verifies climbs from stage to stage. Pure.
//!
//! | stage | takes | a session without verified TLS |
//! |---|---|---|
//! | new | – | starts the count anew |
//! | observe | `observe_days` days with good sessions, and `sessions` of them in all | starts the count anew |
//! | warn | `warn_days` such days | is told, once; mail goes as it would have; then the count starts anew |
//! | require | `require_days` such days, and the operator lets learning go so far | is told, once a day; the mail waits; the stage stays |
//!
//! Days are counted on which there was mail, so a domain that is written to once a month takes its time. Whoever can break one
//! session sends a domain back to the start, but never one that is required: for that takes an operator's word.

use serde::{Deserialize, Serialize};

use super::Power;
use crate::limits::LEARN_HOSTS;
use crate::tls::day::Day;

/// How much it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// how far learning goes by itself
    pub most: Power,
    /// days for `observe`
    pub observe_days: u32,
    /// days for `warn`
    pub warn_days: u32,
    /// days for `require`
    pub require_days: u32,
    /// sessions for any of them
    pub sessions: u64,
}

/// How far a domain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// too little is known
    New,
    /// proposed: an operator may require it
    Observe,
    /// a downgrade is told
    Warn,
    /// mail waits instead of going without
    Require,
}

impl Stage {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Observe => "observe",
            Self::Warn => "warn",
            Self::Require => "require",
        }
    }
}

/// What was seen of one domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// the first session ever
    pub first: Day,
    /// the last one
    pub last: Day,
    /// since when all were good
    pub good_since: Day,
    /// days with good sessions since then
    pub good_days: u32,
    /// good sessions since then
    pub good_sessions: u64,
    /// hosts whose certificates verified since then, the first few
    pub hosts: Vec<String>,
    /// it is required, and stays so
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// the last session that was not good
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
}

/// A session that was not good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// when
    pub day: Day,
    /// at which host
    pub host: String,
    /// what, in words
    pub what: String,
    /// the stage before
    pub stage: Stage,
    /// days with good sessions before
    pub after_days: u32,
}

impl Seen {
    /// How far it has come.
    pub fn stage(&self, thresholds: &Thresholds) -> Stage {
        let climbed = match self.good_days {
            _ if self.good_sessions < thresholds.sessions => Stage::New,
            days if days >= thresholds.require_days => Stage::Require,
            days if days >= thresholds.warn_days => Stage::Warn,
            days if days >= thresholds.observe_days => Stage::Observe,
            _ => Stage::New,
        };
        let climbed = if self.required { Stage::Require } else { climbed };
        climbed.min(match thresholds.most {
            Power::Off => Stage::New,
            Power::Observe => Stage::Observe,
            Power::Warn => Stage::Warn,
            Power::Require => Stage::Require,
        })
    }

    /// Brings days that lie ahead of now by more than one back to now: a clock that ran ahead would else let no day count for years.
    fn settle(&mut self, day: Day) {
        let moments = [&mut self.first, &mut self.last, &mut self.good_since];
        for moment in moments
            .into_iter()
            .chain(self.loss.as_mut().map(|loss| &mut loss.day))
        {
            if moment.since(day) > 1 {
                *moment = day;
            }
        }
    }

    /// A session with a certificate that verified for the name of `host`. The new stage, if it climbed.
    pub fn good(&mut self, host: &str, day: Day, thresholds: &Thresholds) -> Option<Stage> {
        self.settle(day);
        let before = self.stage(thresholds);
        if self.first == Day::default() {
            self.first = day;
        }
        if self.good_sessions == 0 {
            self.good_since = day;
        }
        if self.good_sessions == 0 || day > self.last {
            self.good_days = self.good_days.saturating_add(1);
        }
        self.good_sessions = self.good_sessions.saturating_add(1);
        self.last = self.last.max(day);
        if self.hosts.len() < LEARN_HOSTS && !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.to_owned());
        }
        let after = self.stage(thresholds);
        self.required = after == Stage::Require;
        (after > before).then_some(after)
    }

    /// A session without. The loss, if it is to be told.
    pub fn bad(&mut self, host: &str, what: &str, day: Day, thresholds: &Thresholds) -> Option<Loss> {
        self.settle(day);
        let stage = self.stage(thresholds);
        let loss = Loss {
            day,
            host: host.to_owned(),
            what: what.to_owned(),
            stage,
            after_days: self.good_days,
        };
        let told_today = self
            .loss
            .as_ref()
            .is_some_and(|told| told.day == day && told.stage == stage);
        if self.first == Day::default() {
            self.first = day;
        }
        self.last = self.last.max(day);
        self.loss = Some(loss.clone());
        if stage == Stage::Require {
            return (!told_today).then_some(loss);
        }
        (self.good_days, self.good_sessions) = (0, 0);
        self.hosts.clear();
        self.required = false;
        (stage == Stage::Warn).then_some(loss)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the settings have them by default.
    pub(in crate::tls::list) const THRESHOLDS: Thresholds = Thresholds {
        most: Power::Warn,
        observe_days: 7,
        warn_days: 30,
        require_days: 90,
        sessions: 10,
    };
    const FAR: Thresholds = Thresholds {
        most: Power::Require,
        ..THRESHOLDS
    };

    /// Good sessions on so many days, two each.
    pub(in crate::tls::list) fn seen_for(days: u32) -> Seen {
        let mut seen = Seen::default();
        for day in 1..=days {
            seen.good("mx.example", Day(day), &FAR);
            seen.good("mx.example", Day(day), &FAR);
        }
        seen
    }

    #[test]
    fn tls_4_a_domain_climbs_by_days_with_mail_and_as_far_as_the_operator_lets_it() {
        for (days, by_default, far) in [
            (0, Stage::New, Stage::New),
            (4, Stage::New, Stage::New),
            (6, Stage::New, Stage::New),
            (7, Stage::Observe, Stage::Observe),
            (29, Stage::Observe, Stage::Observe),
            (30, Stage::Warn, Stage::Warn),
            (89, Stage::Warn, Stage::Warn),
            (90, Stage::Warn, Stage::Require),
            (400, Stage::Warn, Stage::Require),
        ] {
            let seen = seen_for(days);
            assert_eq!(
                (seen.stage(&THRESHOLDS), seen.stage(&FAR)),
                (by_default, far),
                "{days}"
            );
            let off = Thresholds {
                most: Power::Off,
                ..FAR
            };
            assert_eq!(seen.stage(&off), Stage::New, "{days}");
        }
    }

    #[test]
    fn many_sessions_of_one_day_are_one_day_and_few_sessions_are_too_few() {
        let mut busy = Seen::default();
        for _ in 0..1000 {
            busy.good("mx.example", Day(1), &FAR);
        }
        assert_eq!((busy.good_days, busy.stage(&FAR)), (1, Stage::New));
        let mut rare = Seen::default();
        for day in 1..10 {
            rare.good("mx.example", Day(day), &FAR);
        }
        assert_eq!(rare.stage(&FAR), Stage::New, "nine sessions");
        assert_eq!(rare.good("mx.example", Day(10), &FAR), Some(Stage::Observe));
        assert_eq!(rare.good("mx.example", Day(10), &FAR), None, "told once");
    }

    #[test]
    fn tls_4_below_warn_a_bad_session_only_starts_the_count_anew() {
        let mut seen = seen_for(7);
        assert_eq!(seen.bad("mx.example", "no STARTTLS", Day(8), &THRESHOLDS), None);
        assert_eq!(
            (seen.stage(&THRESHOLDS), seen.good_days, seen.first),
            (Stage::New, 0, Day(1))
        );
        assert_eq!(
            seen.loss.as_ref().map(|loss| (loss.stage, loss.after_days)),
            Some((Stage::Observe, 7))
        );
        seen.good("mx.example", Day(9), &THRESHOLDS);
        assert_eq!((seen.good_since, seen.good_days), (Day(9), 1));
    }

    #[test]
    fn tls_4_a_downgrade_after_the_warning_stage_is_told_once() {
        let mut seen = seen_for(30);
        let loss = seen.bad("mx.example", "no STARTTLS", Day(31), &THRESHOLDS);
        assert_eq!(
            loss.map(|loss| (loss.stage, loss.after_days)),
            Some((Stage::Warn, 30))
        );
        assert_eq!(seen.stage(&THRESHOLDS), Stage::New);
        assert_eq!(seen.bad("mx.example", "no STARTTLS", Day(31), &THRESHOLDS), None);
    }

    #[test]
    fn tls_4_a_required_domain_stays_required_and_is_told_of_every_day() {
        let mut seen = seen_for(90);
        assert_eq!(seen.stage(&FAR), Stage::Require);
        assert!(seen.bad("mx.example", "no STARTTLS", Day(91), &FAR).is_some());
        assert!(
            seen.bad("mx.example", "no STARTTLS", Day(91), &FAR).is_none(),
            "the same day"
        );
        assert!(seen.bad("mx.example", "no STARTTLS", Day(92), &FAR).is_some());
        assert_eq!(seen.stage(&FAR), Stage::Require);
        let longer = Thresholds {
            require_days: 200,
            ..FAR
        };
        assert_eq!(
            seen.stage(&longer),
            Stage::Require,
            "another setting takes nothing back"
        );
        assert_eq!(
            seen.stage(&THRESHOLDS),
            Stage::Warn,
            "but the power to require does"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_a_little_makes_no_new_days() {
        let mut seen = seen_for(7);
        for _ in 0..3 {
            seen.good("mx.example", Day(6), &FAR);
        }
        assert_eq!((seen.good_days, seen.last), (7, Day(7)));
    }

    #[test]
    fn tls_4_a_clock_that_ran_ahead_costs_one_day_and_not_the_years_that_it_was_ahead() {
        let mut seen = seen_for(7);
        seen.good("mx.example", Day(2_000), &FAR);
        for day in 8..=12 {
            seen.good("mx.example", Day(day), &FAR);
        }
        assert_eq!((seen.good_days, seen.last), (12, Day(12)));
    }

    proptest! {
        #[test]
        fn no_order_of_sessions_requires_without_enough_good_days(sessions in proptest::collection::vec((any::<bool>(), 0u32..3), 0..400)) {
            let (mut seen, mut day, mut run) = (Seen::default(), 1, std::collections::BTreeSet::new());
            for (good, later) in sessions {
                day += later;
                if good {
                    run.insert(day);
                    seen.good("mx.example", Day(day), &FAR);
                } else if seen.stage(&FAR) != Stage::Require {
                    run.clear();
                    seen.bad("mx.example", "x", Day(day), &FAR);
                }
                prop_assert!(seen.stage(&FAR) != Stage::Require || run.len() >= 90);
                prop_assert!(seen.good_days as usize <= run.len());
            }
        }
    }
}
