//! What is remembered of a domain's policy, and what is to be asked when: pure decisions over plain values (RFC 8461 §5.1, §10.2).
//!
//! | what is known | what comes of DNS and HTTPS | what counts |
//! |---|---|---|
//! | a policy within its `max_age` | the record names the same id | it; fetched again in good time |
//! | | the record names another id | the new one; if that cannot be fetched, still the old one |
//! | | no record, several, or no answer | it: whoever blocks DNS gains nothing |
//! | none, or one that is too old | a record | what is fetched; if that fails, nothing, and it is tried again later |
//! | | a record, and no place to fetch it | mail waits for an hour at most, and the domain is not held to blame |
//! | | no record | nothing |
//!
//! A record that comes and goes, or names ids in turns, resets no pause, and nobody is asked more than [`STS_FETCHES_AN_HOUR`] times an hour.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use world::clock::UnixMs;

use super::policy::{StsMode, StsPolicy};
use super::record::{NoRecord, StsRecord};
use crate::limits::{
    CLOCK_STEP, STS_AWAITED, STS_BACK_OFF_FIRST, STS_BACK_OFF_LONGEST, STS_FAILS_FOR_GOOD,
    STS_FETCHES_AN_HOUR, STS_LEAST_AGE, STS_NO_PLACE, STS_RECHECK, STS_REFRESH, STS_REFRESHED_FOR,
    STS_TROUBLE_KEPT, STS_UNANSWERED, STS_USE_NOTED,
};
use crate::tls::attempt::ResultType;
use crate::tls::day::Day;
use crate::tls::text::shortened;
use crate::tls::timeline::Moved;

/// Milliseconds of an hour.
const HOUR_MS: u128 = 3_600_000;

/// What is remembered of one domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// the policy that was fetched last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// when DNS was last asked for the record, in milliseconds since 1970
    pub checked_at: u64,
    /// when it was asked and did not answer, in milliseconds since 1970; 0: it did, the last time
    #[serde(skip_serializing_if = "is_zero")]
    pub unanswered_at: u64,
    /// fetching failed since
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// when mail was last sent there, in milliseconds since 1970
    pub used_at: u64,
    /// when mail last went as an `enforce` policy asks, in milliseconds since 1970; 0: never
    #[serde(skip_serializing_if = "is_zero")]
    pub proved_at: u64,
    /// on how many days it did
    #[serde(skip_serializing_if = "is_zero")]
    pub proved_days: u32,
    /// DNS said last that there is no record; a policy, or trouble, from before is remembered all the same
    #[serde(skip)]
    pub unannounced: bool,
    /// fetches of this hour; a restart begins another one
    #[serde(skip)]
    pub fetches: Fetches,
    /// there was no place to fetch the policy
    #[serde(skip)]
    pub turned_away: Option<TurnedAway>,
}

/// A fetch found no place among others. That says nothing about the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAway {
    /// since when, in milliseconds since 1970
    since: u64,
    /// when last, in milliseconds since 1970
    at: u64,
}

/// How often a policy was fetched within an hour, whatever came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetches {
    /// when the hour began, in milliseconds since 1970
    since: u64,
    count: u32,
}

/// A policy that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// what the record called it
    pub id: String,
    /// when it was fetched, in milliseconds since 1970
    pub fetched_at: u64,
    /// the policy
    pub policy: StsPolicy,
}

/// Fetching failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// how often, one after the other
    pub failures: u32,
    /// when last, in milliseconds since 1970
    pub at: u64,
    /// why, in words
    pub why: String,
    /// in the words of reports
    pub result: ResultType,
}

impl Remembered {
    /// The policy that counts now.
    pub fn live(&self, now: UnixMs) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| !kept.is_over(now))
    }

    /// Whether there may be a policy that could not be had now: DNS is silent, fetching failed a few times only, or was not begun.
    pub fn is_unsure(&self, now: UnixMs) -> bool {
        let fails = |trouble: &Trouble| trouble.failures < STS_FAILS_FOR_GOOD;
        let missing = self.waits_for_dns(now)
            || self.announced_trouble().is_some_and(fails)
            || self.turned_away.is_some();
        self.live(now).is_none() && missing
    }

    /// Whether mail waits for a first fetch that found no place. RFC 8461 §3.3 has mail go on where a policy *cannot* be fetched; whether
    /// it can is not known yet. One that failed before is not waited for.
    pub fn is_awaited(&self, now: UnixMs) -> bool {
        let waits = |turned: TurnedAway| since(turned.since, now) < STS_AWAITED.as_millis();
        self.live(now).is_none() && self.trouble.is_none() && self.turned_away.is_some_and(waits)
    }

    /// Whether mail went as the policy asks, which is in force, within its `max_age`, or a month where that is shorter: many say a day, and
    /// are written to once a week.
    pub fn is_proved(&self, now: UnixMs) -> bool {
        let enforced = self.live(now).filter(|kept| kept.policy.mode == StsMode::Enforce);
        let recent = |kept: &Kept| {
            let age = u128::from(kept.policy.max_age_s) * 1000;
            since(self.proved_at, now) < age.max(STS_REFRESHED_FOR.as_millis())
        };
        self.proved_at != 0 && enforced.is_some_and(recent)
    }

    /// Why there is no policy though the record says that there is one.
    pub fn announced_trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref().filter(|_| !self.unannounced)
    }

    /// Whether DNS is to be asked for the record before mail is sent.
    pub fn asks_record(&self, now: UnixMs) -> bool {
        if self.waits_for_dns(now) || self.waits_for_place(now) {
            return false;
        }
        self.live(now).is_none() || !goes_on(self.checked_at, now, STS_RECHECK)
    }

    /// Whether the policy is to be fetched, now that DNS said this.
    pub fn fetches(&self, id: &str, now: UnixMs) -> bool {
        let known = self.live(now).is_some_and(|kept| kept.id == id);
        !known && !self.backs_off(now) && !self.waits_for_place(now) && !self.fetches.are_spent(now)
    }

    /// Whether a policy that counts is to be fetched anew, so that it does not end while somebody blocks HTTPS (RFC 8461 §10.2).
    pub fn refreshes(&self, now: UnixMs) -> bool {
        let Some(kept) = self.live(now) else {
            return false;
        };
        let half = u128::from(kept.policy.max_age_s) * 500;
        since(kept.fetched_at, now) >= half.clamp(STS_LEAST_AGE.as_millis(), STS_REFRESH.as_millis())
            && since(self.used_at, now) < STS_REFRESHED_FOR.as_millis()
            && !self.backs_off(now)
            && !self.waits_for_place(now)
            && !self.fetches.are_spent(now)
    }

    /// When fetching was tried last, whatever came of it, in milliseconds since 1970; 0: never.
    pub fn tried_at(&self) -> u64 {
        let came = self.kept.as_ref().map_or(0, |kept| kept.fetched_at);
        let failed = self.trouble.as_ref().map_or(0, |trouble| trouble.at);
        came.max(failed)
    }

    /// DNS was asked; `None`: there was no answer. Nothing is remembered of a domain that has nothing and had no trouble.
    pub fn checked(&mut self, answer: Option<&Result<StsRecord, NoRecord>>, now: UnixMs) {
        self.unanswered_at = if answer.is_none() { now.0 } else { 0 };
        match answer {
            Some(Err(NoRecord::None)) => self.unannounced = true,
            Some(Ok(_)) => self.unannounced = false,
            Some(Err(NoRecord::Several | NoRecord::Broken)) | None => {}
        }
        if self.live(now).is_some() {
            self.checked_at = now.0;
        } else if self.unannounced && self.trouble.is_none() {
            *self = Self::default();
        }
    }

    /// The time that counts was moved. Nothing lies ahead of it afterwards: a clock that ran ahead would else leave a policy, or a
    /// pause, that lasts for years.
    pub fn moved(&mut self, moved: &Moved) {
        for moment in self.moments() {
            *moment = moved.moment(*moment);
        }
    }

    /// The latest moment that is noted, in milliseconds since 1970; 0: none.
    pub fn latest(&self) -> u64 {
        let mut known = self.clone();
        known
            .moments()
            .into_iter()
            .map(|moment| *moment)
            .max()
            .unwrap_or(0)
    }

    fn moments(&mut self) -> Vec<&mut u64> {
        let mut moments = vec![&mut self.checked_at, &mut self.unanswered_at, &mut self.used_at];
        moments.extend([&mut self.proved_at, &mut self.fetches.since]);
        moments.extend(self.kept.as_mut().map(|kept| &mut kept.fetched_at));
        moments.extend(self.trouble.as_mut().map(|trouble| &mut trouble.at));
        let turned = self.turned_away.as_mut();
        moments.extend(
            turned
                .into_iter()
                .flat_map(|turned| [&mut turned.since, &mut turned.at]),
        );
        moments
    }

    /// Mail is sent there. Within an hour the moment does not matter.
    pub fn used(&mut self, now: UnixMs) {
        if self.kept.is_some() && since(self.used_at, now) >= STS_USE_NOTED.as_millis() {
            self.used_at = now.0;
        }
    }

    /// Mail went as an `enforce` policy asks, to a host that it names and under the host's certificate. Within an hour the moment does not
    /// matter.
    pub fn proved(&mut self, now: UnixMs) {
        let (day, last) = (Day::of(now), Day::of(UnixMs(self.proved_at)));
        if self.kept.is_none() || (day == last && since(self.proved_at, now) < STS_USE_NOTED.as_millis()) {
            return;
        }
        if day > last {
            self.proved_days = self.proved_days.saturating_add(1);
        }
        self.proved_at = now.0;
    }

    /// There was no place to fetch the policy. What is known stays, and it is no trouble of the domain's.
    pub fn found_no_place(&mut self, now: UnixMs) {
        let recent = self
            .turned_away
            .filter(|turned| since(turned.at, now) < STS_TROUBLE_KEPT.as_millis());
        self.turned_away = Some(TurnedAway {
            since: recent.map_or(now.0, |turned| turned.since),
            at: now.0,
        });
    }

    /// A policy came.
    pub fn fetched(&mut self, id: String, policy: StsPolicy, now: UnixMs) {
        if self.kept.is_none() {
            self.used_at = now.0;
        }
        self.checked_at = now.0;
        (self.trouble, self.turned_away) = (None, None);
        self.fetches.one_more(now);
        self.kept = Some(Kept {
            id,
            fetched_at: now.0,
            policy,
        });
    }

    /// None came. What was there stays.
    pub fn failed(&mut self, why: String, result: ResultType, now: UnixMs) {
        let recent = self
            .trouble
            .as_ref()
            .filter(|trouble| since(trouble.at, now) < STS_TROUBLE_KEPT.as_millis());
        self.turned_away = None;
        self.fetches.one_more(now);
        self.trouble = Some(Trouble {
            failures: recent.map_or(0, |trouble| trouble.failures).saturating_add(1),
            at: now.0,
            why: shortened(&why),
            result,
        });
    }

    fn waits_for_dns(&self, now: UnixMs) -> bool {
        self.unanswered_at != 0 && goes_on(self.unanswered_at, now, STS_UNANSWERED)
    }

    fn waits_for_place(&self, now: UnixMs) -> bool {
        let waits = |turned: TurnedAway| since(turned.at, now) < STS_NO_PLACE.as_millis();
        self.turned_away.is_some_and(waits)
    }

    fn backs_off(&self, now: UnixMs) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| {
            let doubled = STS_BACK_OFF_FIRST.saturating_mul(1 << trouble.failures.saturating_sub(1).min(16));
            goes_on(trouble.at, now, doubled.min(STS_BACK_OFF_LONGEST))
        })
    }
}

impl Fetches {
    fn are_spent(self, now: UnixMs) -> bool {
        self.count >= STS_FETCHES_AN_HOUR && since(self.since, now) < HOUR_MS
    }

    fn one_more(&mut self, now: UnixMs) {
        if self.count == 0 || since(self.since, now) >= HOUR_MS {
            *self = Self {
                since: now.0,
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
    }
}

impl Kept {
    /// Its `max_age` is over. One that would end at once counts for a moment, or every message would fetch it anew.
    pub fn is_over(&self, now: UnixMs) -> bool {
        let age_ms = u128::from(self.policy.max_age_s) * 1000;
        since(self.fetched_at, now) >= age_ms.max(STS_LEAST_AGE.as_millis())
    }

    /// When it ends, in milliseconds since 1970.
    pub fn until(&self) -> UnixMs {
        UnixMs(
            self.fetched_at
                .saturating_add(self.policy.max_age_s.saturating_mul(1000)),
        )
    }
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// Whether a pause that began `then` goes on. One that would begin in hours began under a clock that ran ahead when the program ran last:
/// it is over, or nobody would be asked before that is put right.
fn goes_on(then: u64, now: UnixMs, pause: Duration) -> bool {
    let is_ahead = u128::from(then) > u128::from(now.0) + CLOCK_STEP.as_millis();
    !is_ahead && since(then, now) < pause.as_millis()
}

/// Milliseconds from `then` to `now`. A clock that was set back makes nothing older.
fn since(then: u64, now: UnixMs) -> u128 {
    u128::from(now.0.saturating_sub(then))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const START: u64 = 1_700_000_000_000;

    fn policy(max_age_s: u64) -> StsPolicy {
        StsPolicy {
            mode: StsMode::Enforce,
            mx: vec!["mx.example".to_owned()],
            max_age_s,
        }
    }

    fn known(max_age_s: u64) -> Remembered {
        let mut known = Remembered::default();
        known.fetched("1".to_owned(), policy(max_age_s), UnixMs(START));
        known
    }

    fn at(ms: u64) -> UnixMs {
        UnixMs(START + ms)
    }

    #[test]
    fn tls_5_a_policy_counts_until_its_age_is_over_whatever_dns_says() {
        let mut known = known(10 * 86_400);
        for answer in [Err(NoRecord::None), Err(NoRecord::Several), Err(NoRecord::Broken)] {
            known.checked(Some(&answer), at(5 * DAY_MS));
            assert!(known.live(at(5 * DAY_MS)).is_some());
        }
        known.checked(None, at(6 * DAY_MS));
        assert!(known.live(at(10 * DAY_MS - 1)).is_some());
        assert!(known.live(at(10 * DAY_MS)).is_none());
    }

    #[test]
    fn tls_5_another_id_is_fetched_and_a_failure_leaves_the_old_policy() {
        let mut known = known(10 * 86_400);
        assert!(!known.asks_record(at(1000)), "it was just asked");
        assert!(known.asks_record(at(600_000)));
        assert!(!known.fetches("1", at(600_000)));
        assert!(known.fetches("2", at(600_000)));
        known.failed("no".to_owned(), ResultType::StsPolicyFetchError, at(600_000));
        assert_eq!(known.live(at(600_001)).map(|kept| kept.id.as_str()), Some("1"));
        assert!(!known.fetches("2", at(600_001)), "not at once again");
        assert!(known.fetches("2", at(600_000 + 300_000)));
        known.fetched("2".to_owned(), policy(86_400), at(900_000));
        assert_eq!(known.live(at(900_000)).map(|kept| kept.id.as_str()), Some("2"));
        assert_eq!(known.trouble, None);
    }

    #[test]
    fn tls_5_failures_are_tried_again_later_and_later_within_a_bound() {
        let mut new = Remembered::default();
        let mut now = START;
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert!(new.fetches("1", UnixMs(now)));
            new.failed("no".to_owned(), ResultType::StsPolicyFetchError, UnixMs(now));
            let wait = (0..)
                .map(|minutes| minutes * 60_000)
                .find(|wait| new.fetches("1", UnixMs(now + wait)));
            waits.push(wait.unwrap() / 60_000);
            assert_eq!(new.is_unsure(UnixMs(now)), waits.len() < 6, "{waits:?}");
            now += wait.unwrap();
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60]);
        let later = UnixMs(now + DAY_MS);
        new.failed("no".to_owned(), ResultType::StsPolicyFetchError, later);
        assert_eq!(
            new.trouble.map(|trouble| trouble.failures),
            Some(1),
            "a day later"
        );
    }

    /// A domain whose record says another thing at every message, a message a minute for a day: fetches by hour.
    fn fetches_by_hour(
        says: impl Fn(u64) -> Option<&'static str>,
        fetch: impl Fn(&mut Remembered, &str, UnixMs),
    ) -> Vec<u32> {
        let (mut known, mut hours) = (Remembered::default(), vec![0; 24]);
        for minute in 0..24 * 60 {
            let now = at(minute * 60_000);
            if !known.asks_record(now) {
                continue;
            }
            let id = says(minute);
            let record = id.map(|id| StsRecord { id: id.to_owned() }).ok_or(NoRecord::None);
            known.checked(Some(&record), now);
            if let Some(id) = id.filter(|id| known.fetches(id, now)) {
                hours[usize::try_from(minute / 60).unwrap()] += 1;
                fetch(&mut known, id, now);
            }
        }
        hours
    }

    #[test]
    fn tls_5_a_record_that_changes_with_every_question_resets_no_pause_and_is_not_fetched_for_every_message()
    {
        let in_turns = |minute: u64| Some(["1", "2"][usize::try_from(minute % 2).unwrap()]);
        let comes_and_goes = |minute: u64| in_turns(minute).filter(|_| minute % 2 == 1);
        let fails = |known: &mut Remembered, _: &str, now: UnixMs| {
            known.failed("no".to_owned(), ResultType::StsPolicyFetchError, now);
        };
        for hours in [
            fetches_by_hour(in_turns, fails),
            fetches_by_hour(comes_and_goes, fails),
        ] {
            assert!(hours[0] <= 4, "{hours:?}");
            assert!(hours[2..].iter().all(|count| *count <= 1), "{hours:?}");
        }
        let ends_at_once = |known: &mut Remembered, id: &str, now: UnixMs| {
            known.fetched(id.to_owned(), policy(0), now);
        };
        let hours = fetches_by_hour(in_turns, ends_at_once);
        assert!(
            hours.iter().all(|count| *count <= STS_FETCHES_AN_HOUR),
            "{hours:?}"
        );
        let long =
            |known: &mut Remembered, id: &str, now: UnixMs| known.fetched(id.to_owned(), policy(86_400), now);
        let hours = fetches_by_hour(
            |minute| Some(["1", "2", "3"][usize::try_from(minute / 10 % 3).unwrap()]),
            long,
        );
        assert!(hours.iter().all(|count| (1..=6).contains(count)), "{hours:?}");
    }

    #[test]
    fn a_policy_that_ends_soon_counts_all_the_time_within_the_bound() {
        for max_age_s in [0, 60, 300, 600, 900] {
            let (mut known, mut fetched) = (known(max_age_s), 1);
            for second in 0..3_600 {
                let now = at(second * 1_000);
                known.used_at = now.0;
                if known.refreshes(now) || (known.live(now).is_none() && known.fetches("1", now)) {
                    known.fetched("1".to_owned(), policy(max_age_s), now);
                    fetched += 1;
                }
                assert!(known.live(now).is_some(), "{max_age_s}, second {second}");
            }
            assert!(fetched <= STS_FETCHES_AN_HOUR, "{max_age_s}: {fetched}");
        }
    }

    #[test]
    fn trouble_of_a_record_that_was_taken_away_makes_nobody_wait() {
        let mut known = Remembered::default();
        known.failed("no".to_owned(), ResultType::StsPolicyFetchError, at(0));
        assert!(known.is_unsure(at(1)) && known.announced_trouble().is_some());
        known.checked(Some(&Err(NoRecord::None)), at(1));
        assert!(!known.is_unsure(at(1)) && known.announced_trouble().is_none());
        assert!(!known.fetches("1", at(2)), "and it is not forgotten");
    }

    #[test]
    fn tls_5_a_fetch_that_found_no_place_is_no_failure_and_holds_mail_for_an_hour() {
        let minute = 60_000;
        let mut new = Remembered::default();
        new.found_no_place(at(0));
        assert!(new.is_awaited(at(0)) && new.is_unsure(at(0)));
        assert!(
            !new.asks_record(at(minute - 1)) && !new.fetches("1", at(minute - 1)),
            "not at once again"
        );
        for again in 1..60 {
            assert!(
                new.asks_record(at(again * minute)) && new.fetches("1", at(again * minute)),
                "{again}"
            );
            assert!(new.is_awaited(at(again * minute)), "{again}");
            new.found_no_place(at(again * minute));
        }
        assert!(!new.is_awaited(at(60 * minute)), "an hour is enough");
        new.found_no_place(at(60 * minute));
        assert!(!new.is_awaited(at(60 * minute)) && new.is_unsure(at(60 * minute)));
        assert_eq!((new.trouble.clone(), new.announced_trouble()), (None, None));
        new.found_no_place(at(3 * DAY_MS));
        assert!(new.is_awaited(at(3 * DAY_MS)), "another time");
        new.failed("no".to_owned(), ResultType::StsPolicyFetchError, at(3 * DAY_MS));
        new.found_no_place(at(3 * DAY_MS + 600_000));
        assert!(!new.is_awaited(at(3 * DAY_MS + 600_000)), "it cannot be fetched");
        let mut known = known(86_400);
        known.found_no_place(at(1));
        assert!(
            !known.is_awaited(at(1)) && known.live(at(1)).is_some(),
            "what is known counts"
        );
        known.fetched("2".to_owned(), policy(1), at(2));
        assert_eq!(known.turned_away, None);
    }

    #[test]
    fn a_domain_that_takes_its_record_away_is_not_waited_for() {
        let mut new = Remembered::default();
        new.found_no_place(at(0));
        new.checked(Some(&Err(NoRecord::None)), at(60_000));
        assert_eq!(new, Remembered::default());
    }

    #[test]
    fn q_7_a_policy_is_proved_by_mail_under_it_within_its_age_and_by_the_day() {
        let mut known = known(2 * 86_400);
        assert!(!known.is_proved(at(0)));
        for hour in 0..48 {
            known.proved(at(hour * 3_600_000));
            known.proved(at(hour * 3_600_000 + 1));
        }
        let last = 47 * 3_600_000;
        assert_eq!((known.proved_at, known.proved_days), (START + last, 3));
        assert!(
            known.is_proved(at(2 * DAY_MS - 1)) && !known.is_proved(at(2 * DAY_MS)),
            "it is over"
        );
        known.fetched("2".to_owned(), policy(90 * 86_400), at(2 * DAY_MS));
        let age = 90 * DAY_MS;
        assert!(
            known.is_proved(at(last + age - 1)),
            "the new one is the domain's as well"
        );
        assert!(!known.is_proved(at(last + age)) && known.live(at(last + age)).is_some());
        for (day, proved) in [(20, true), (40, false)] {
            known.fetched("3".to_owned(), policy(86_400), at(day * DAY_MS));
            assert_eq!(
                known.is_proved(at(day * DAY_MS)),
                proved,
                "a short age, day {day}"
            );
        }
        let testing = StsPolicy {
            mode: StsMode::Testing,
            ..policy(86_400)
        };
        known.fetched("4".to_owned(), testing, at(2 * DAY_MS));
        assert!(!known.is_proved(at(2 * DAY_MS)));
        let mut nothing = Remembered::default();
        nothing.proved(at(0));
        assert_eq!(nothing, Remembered::default());
    }

    #[test]
    fn a_policy_in_use_is_fetched_again_in_good_time() {
        let week = known(7 * 86_400);
        assert!(!week.refreshes(at(DAY_MS - 1)));
        assert!(week.refreshes(at(DAY_MS)));
        let hour = known(3600);
        assert!(!hour.refreshes(at(1_799_999)));
        assert!(hour.refreshes(at(1_800_000)));
        assert!(!hour.refreshes(at(3_600_000)), "it is over");
        let year = known(31_557_600);
        assert!(year.refreshes(at(29 * DAY_MS)));
        assert!(!year.refreshes(at(30 * DAY_MS)), "nobody wrote there for a month");
        let mut blocked = known(7 * 86_400);
        blocked.failed("no".to_owned(), ResultType::StsPolicyFetchError, at(DAY_MS));
        assert!(!blocked.refreshes(at(DAY_MS + 1)));
        assert!(blocked.refreshes(at(DAY_MS + 300_000)));
    }

    #[test]
    fn a_policy_that_would_end_at_once_is_not_fetched_for_every_message() {
        let none = known(0);
        assert!(none.live(at(0)).is_some() && none.live(at(299_999)).is_some());
        assert!(none.live(at(300_000)).is_none());
    }

    #[test]
    fn tls_5_what_a_clock_that_ran_ahead_left_ends_in_good_time() {
        let ahead = at(10 * 365 * DAY_MS);
        let mut known = Remembered::default();
        known.fetched("1".to_owned(), policy(86_400), ahead);
        known.failed("no".to_owned(), ResultType::StsPolicyFetchError, ahead);
        known.checked(None, ahead);
        assert!(known.live(at(DAY_MS)).is_some());
        assert!(
            known.asks_record(at(0)) && known.fetches("2", at(0)),
            "and no pause goes on"
        );
        let mended = |to| Moved {
            since: ahead,
            from: ahead,
            to,
        };
        known.moved(&mended(at(0)));
        assert!(known.asks_record(at(600_000)) && known.fetches("2", at(600_000)));
        assert!(known.live(at(DAY_MS - 1)).is_some() && known.live(at(DAY_MS)).is_none());
        assert_eq!(known.latest(), at(0).0);
        let before = known.clone();
        known.moved(&mended(at(DAY_MS)));
        assert_eq!(known, before, "what lies behind stays where it is");
    }

    #[test]
    fn a_clock_that_was_set_back_ends_nothing() {
        let known = known(86_400);
        assert!(known.live(UnixMs(START - DAY_MS)).is_some());
        assert!(!known.refreshes(UnixMs(0)));
    }
}
