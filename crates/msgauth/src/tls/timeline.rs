//! The time by which what is remembered of others' TLS grows old: it goes on steadily, and is slow to believe a clock that jumps (threat
//! case Q-12). Pure: told what the wall clock and the steady one show.
//!
//! | the wall clock | what counts |
//! |---|---|
//! | shows what passed, up to [`CLOCK_STEP`], all steps of a day ([`CLOCK_DOUBTED`]) together | it |
//! | shows a moment before any build of this program ([`CLOCK_FLOOR_MS`]) | what passed since what was noted last; it is never believed |
//! | at the start shows less than what was noted last | it, and nothing grows old by it; what was noted ahead of it is put right after [`CLOCK_DOUBTED`] |
//! | goes back within [`CLOCK_DOUBTED`] of the start, to a time that can be | it, at once: it was ahead at the start |
//! | has jumped otherwise | what passed; the clock is believed after [`CLOCK_DOUBTED`], if it has not come back until then |
//!
//! So a clock that is wrong for less than a day makes nothing older. When a clock is believed after all, what was noted in the meantime moves
//! with it ([`Moved`]): a policy that was fetched an hour ago is an hour old on either reckoning.
//!
//! A machine that slept looks like one whose clock jumped: for a day everything there is younger than it is, and then as old as it is.

use std::time::Duration;

use world::clock::{Monotonic, UnixMs};

use crate::limits::{CLOCK_DOUBTED, CLOCK_FLOOR_MS, CLOCK_STEP};

/// The time that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// the time at `steady`
    line: UnixMs,
    steady: Monotonic,
    start: Start,
    /// where the line was a day ago at most: steps of the clock count from there, or many small ones would be a large one
    mark: Mark,
    doubt: Option<Doubt>,
}

/// The line at a steady time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    line: UnixMs,
    steady: Monotonic,
}

/// What was so when the program started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    /// the latest moment that had been noted
    noted: UnixMs,
    /// the line
    line: UnixMs,
    steady: Monotonic,
}

/// The wall clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    /// since this time of the line
    since: UnixMs,
    /// since this steady time
    steady: Monotonic,
    /// no clock was believed since the start
    from_the_start: bool,
}

/// The line was put where the clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// what was noted from this time of the line on moves along
    pub since: UnixMs,
    /// where the line was
    pub from: UnixMs,
    /// where it is
    pub to: UnixMs,
}

impl Timeline {
    /// Begins; `noted` is the latest moment that was noted before the program started.
    pub fn begin(noted: UnixMs, wall: UnixMs, steady: Monotonic) -> Self {
        let line = match wall.0 < CLOCK_FLOOR_MS {
            // What is noted from now on is told from what was noted last.
            true => UnixMs(noted.0.saturating_add(1).max(CLOCK_FLOOR_MS)),
            false => wall,
        };
        let mut begun = Self {
            line,
            steady,
            start: Start { noted, line, steady },
            mark: Mark { line, steady },
            doubt: None,
        };
        if !begun.can_be(wall) {
            begun.doubt = Some(Doubt {
                since: line,
                steady,
                from_the_start: true,
            });
        }
        begun
    }

    /// The time now, and whether the line was moved to it.
    pub fn look(&mut self, wall: UnixMs, steady: Monotonic) -> (UnixMs, Option<Moved>) {
        let passed = ms(steady.0.saturating_sub(self.steady.0));
        let expected = UnixMs(self.line.0.saturating_add(passed));
        self.steady = self.steady.max(steady);
        let moved = match self.judge(wall, expected) {
            Judged::Right => {
                (self.line, self.doubt) = (wall, None);
                if self.since(self.mark.steady) >= CLOCK_DOUBTED {
                    self.mark_here();
                }
                None
            }
            Judged::Doubtful => {
                self.line = expected;
                self.doubt.get_or_insert(Doubt {
                    since: expected,
                    steady,
                    from_the_start: false,
                });
                None
            }
            Judged::RightAfterAll(since) => {
                (self.line, self.doubt) = (wall, None);
                self.mark_here();
                let moved = Moved {
                    since,
                    from: expected,
                    to: wall,
                };
                self.start.line = UnixMs(moved.moment(self.start.line.0));
                Some(moved)
            }
        };
        (self.line, moved)
    }

    /// Whether the wall clock is not believed.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    fn judge(&self, wall: UnixMs, expected: UnixMs) -> Judged {
        if wall.0 < CLOCK_FLOOR_MS {
            return Judged::Doubtful;
        }
        match self.doubt {
            Some(doubt) if self.since(doubt.steady) >= CLOCK_DOUBTED => Judged::RightAfterAll(doubt.since),
            Some(doubt) if doubt.from_the_start && self.can_be(wall) => Judged::RightAfterAll(doubt.since),
            Some(doubt) if doubt.from_the_start => Judged::Doubtful,
            _ if wall.0.abs_diff(self.without_steps().0) <= ms(CLOCK_STEP) => Judged::Right,
            _ if wall < expected && self.is_young() && self.can_be(wall) => {
                Judged::RightAfterAll(self.start.line)
            }
            _ => Judged::Doubtful,
        }
    }

    fn mark_here(&mut self) {
        let (line, steady) = (self.line, self.steady);
        self.mark = Mark { line, steady };
    }

    /// Where the line would be had the clock made no step since the mark.
    fn without_steps(&self) -> UnixMs {
        UnixMs(self.mark.line.0.saturating_add(ms(self.since(self.mark.steady))))
    }

    /// Whether a clock may show this: no build is older, and what was noted before the start was noted in the past.
    fn can_be(&self, wall: UnixMs) -> bool {
        let least = self
            .start
            .noted
            .0
            .saturating_add(ms(self.since(self.start.steady)));
        wall.0 >= CLOCK_FLOOR_MS && wall.0.saturating_add(ms(CLOCK_STEP)) >= least
    }

    /// Whether the clock that was believed at the start may still turn out to have been ahead.
    fn is_young(&self) -> bool {
        self.since(self.start.steady) < CLOCK_DOUBTED
    }

    fn since(&self, then: Monotonic) -> Duration {
        self.steady.0.saturating_sub(then.0)
    }
}

/// What is thought of the wall clock.
enum Judged {
    Right,
    Doubtful,
    /// what was noted since this time of the line moves along
    RightAfterAll(UnixMs),
}

impl Moved {
    /// Where a moment that was noted is now. None lies ahead of the line.
    pub fn moment(&self, noted: u64) -> u64 {
        let along = match (self.since.0..=self.from.0).contains(&noted) {
            false => noted,
            true if self.to >= self.from => noted.saturating_add(self.to.0 - self.from.0),
            true => noted.saturating_sub(self.from.0 - self.to.0),
        };
        along.min(self.to.0)
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    /// A right clock at the start.
    const NOW: u64 = CLOCK_FLOOR_MS + 100 * DAY;

    fn at(steady: u64) -> Monotonic {
        Monotonic(Duration::from_millis(steady))
    }

    /// The line at each look (wall clock and steady time, in milliseconds) of a program that starts with the first of them.
    fn line(noted: u64, looks: &[(u64, u64)]) -> Vec<u64> {
        let mut line = Timeline::begin(UnixMs(noted), UnixMs(looks[0].0), at(looks[0].1));
        let look = |(wall, steady): &(u64, u64)| line.look(UnixMs(*wall), at(*steady)).0.0;
        looks.iter().map(look).collect()
    }

    #[test]
    fn q_12_the_line_goes_on_steadily_whatever_a_clock_shows_that_comes_back() {
        let (before, floor) = (NOW - DAY, CLOCK_FLOOR_MS);
        let table = [
            ("right", before, vec![(NOW, 0), (NOW + 5, 5)], vec![NOW, NOW + 5]),
            (
                "small steps",
                before,
                vec![(NOW, 0), (NOW + HOUR, 0), (NOW, 0)],
                vec![NOW, NOW + HOUR, NOW],
            ),
            (
                "small steps without end",
                before,
                vec![
                    (NOW, 0),
                    (NOW + HOUR, 0),
                    (NOW + 2 * HOUR, 0),
                    (NOW + 3 * HOUR, 9),
                ],
                vec![NOW, NOW + HOUR, NOW + HOUR, NOW + HOUR + 9],
            ),
            (
                "a small step a day",
                before,
                vec![
                    (NOW, 0),
                    (NOW + DAY + HOUR, DAY),
                    (NOW + 2 * DAY + 2 * HOUR, 2 * DAY),
                ],
                vec![NOW, NOW + DAY + HOUR, NOW + 2 * DAY + 2 * HOUR],
            ),
            (
                "ten years ahead for an hour",
                before,
                vec![
                    (NOW, 0),
                    (NOW + 10 * YEAR, 9),
                    (NOW + 10 * YEAR + HOUR, HOUR),
                    (NOW + HOUR, HOUR),
                ],
                vec![NOW, NOW + 9, NOW + HOUR, NOW + HOUR],
            ),
            (
                "1970 for an hour",
                before,
                vec![(NOW, 0), (9, 9), (HOUR, HOUR), (NOW + HOUR, HOUR)],
                vec![NOW, NOW + 9, NOW + HOUR, NOW + HOUR],
            ),
            (
                "1970 at the start, then right",
                before,
                vec![(0, 0), (HOUR, HOUR), (NOW, 2 * HOUR)],
                vec![before + 1, before + 1 + HOUR, NOW],
            ),
            (
                "1970 at the first start of all, then right",
                0,
                vec![(0, 0), (HOUR, HOUR), (NOW, 2 * HOUR)],
                vec![floor, floor + HOUR, NOW],
            ),
            (
                "1970 for a year",
                before,
                vec![(0, 0), (YEAR, YEAR)],
                vec![before + 1, before + 1 + YEAR],
            ),
            (
                "behind what was noted",
                NOW,
                vec![(before, 0), (before + 9, 9), (NOW + YEAR, 10)],
                vec![before, before + 9, NOW + YEAR],
            ),
            (
                "ahead at the start, then right",
                before,
                vec![(NOW + YEAR, 0), (NOW + HOUR, HOUR), (NOW + YEAR, HOUR)],
                vec![NOW + YEAR, NOW + HOUR, NOW + HOUR],
            ),
            (
                "behind what was noted, after a right start",
                NOW,
                vec![(NOW, 0), (before, HOUR), (NOW + DAY, DAY)],
                vec![NOW, NOW + HOUR, NOW + DAY],
            ),
            (
                "ahead for a day",
                before,
                vec![(NOW, 0), (NOW + YEAR, 0), (NOW + YEAR + DAY, DAY)],
                vec![NOW, NOW, NOW + YEAR + DAY],
            ),
            (
                "back for good",
                before,
                vec![(NOW, 0), (NOW - 50 * DAY, 0), (NOW - 49 * DAY, DAY)],
                vec![NOW, NOW, NOW - 49 * DAY],
            ),
        ];
        for (name, noted, looks, expected) in table {
            assert_eq!(line(noted, &looks), expected, "{name}");
        }
    }

    #[test]
    fn q_12_what_was_noted_in_doubt_moves_with_the_clock_and_what_was_noted_before_stays() {
        let mut line = Timeline::begin(UnixMs(NOW), UnixMs(0), at(0));
        assert!(line.is_in_doubt());
        let (now, moved) = line.look(UnixMs(NOW + 30 * DAY), at(HOUR));
        let moved = moved.expect("the clock is right");
        assert!(!line.is_in_doubt());
        assert_eq!(now.0, NOW + 30 * DAY);
        assert_eq!(moved.moment(NOW), NOW);
        assert_eq!(
            moved.moment(NOW + 1 + HOUR / 2),
            now.0 - HOUR / 2,
            "half an hour old, still"
        );
        let mut line = Timeline::begin(UnixMs(NOW), UnixMs(NOW), at(0));
        line.look(UnixMs(NOW - 50 * DAY), at(HOUR));
        let (now, moved) = line.look(UnixMs(NOW - 49 * DAY), at(HOUR + DAY));
        let moved = moved.expect("for a day");
        assert_eq!(moved.moment(NOW + HOUR), now.0 - DAY, "a day old, still");
        assert_eq!(moved.moment(NOW), now.0, "nothing lies ahead");
        assert_eq!(moved.moment(NOW + YEAR), now.0);
        assert_eq!(moved.moment(NOW - YEAR), NOW - YEAR);
        let mut line = Timeline::begin(UnixMs(NOW), UnixMs(NOW + YEAR), at(0));
        let (now, moved) = line.look(UnixMs(NOW + HOUR), at(HOUR));
        let moved = moved.expect("it began ahead");
        assert_eq!(moved.moment(NOW + YEAR), now.0 - HOUR, "an hour old, still");
        assert_eq!(moved.moment(NOW), NOW);
    }

    #[test]
    fn the_floor_is_a_day_before_which_no_build_was_made_and_not_years_old() {
        let shipped = crate::tls::list::starter::Starter::shipped().as_of.begins().0;
        assert!(
            CLOCK_FLOOR_MS <= shipped && shipped - CLOCK_FLOOR_MS < YEAR,
            "raise CLOCK_FLOOR_MS"
        );
    }

    /// What a clock may show: anything, or nearly the right time.
    fn wall() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..4_000_000_000_000, NOW - 2 * HOUR..NOW + 22 * HOUR]
    }

    proptest! {
        #[test]
        fn q_12_no_clock_moves_the_line_within_a_day_by_more_than_what_passed_and_one_small_step(
            looks in proptest::collection::vec((wall(), 0u64..HOUR), 1..20),
        ) {
            let mut line = Timeline::begin(UnixMs(NOW), UnixMs(NOW), at(0));
            let mut steady = 0;
            for (wall, passed) in looks {
                steady += passed;
                let (now, _) = line.look(UnixMs(wall), at(steady));
                prop_assert!(now.0.abs_diff(NOW + steady) <= HOUR);
            }
        }
    }
}
