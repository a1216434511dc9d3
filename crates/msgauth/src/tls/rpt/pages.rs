//! Which pages of evidence are removed. Pure, and slow to believe a clock: one that ran ahead must not cost a month of evidence.
//!
//! | page | what becomes of it |
//! |---|---|
//! | of the last [`EVIDENCE_DAYS`], today included | stays |
//! | older | goes |
//! | older, and between it and the days that lead to today is a gap of more than a month | stays until those days are a month old themselves |
//! | older, and beyond [`EVIDENCE_PAGES`] | goes: a server that sends little has such gaps for ever |
//! | of a day to come | is read by nobody before that day; the furthest go when there are more than [`EVIDENCE_DAYS_AHEAD`] |

use crate::limits::{EVIDENCE_DAYS, EVIDENCE_DAYS_AHEAD, EVIDENCE_PAGES};
use crate::tls::day::Day;

/// The pages to remove of those that there are, in any order.
pub fn to_remove(mut pages: Vec<Day>, today: Day) -> Vec<Day> {
    pages.sort_unstable();
    let ahead = pages.split_off(pages.partition_point(|page| *page <= today));
    let mut gone: Vec<Day> = ahead.into_iter().skip(EVIDENCE_DAYS_AHEAD).collect();
    if is_believed(&pages, today) {
        let old = |page: &Day| today.since(*page) >= EVIDENCE_DAYS;
        gone.extend(pages.into_iter().filter(old));
    } else {
        let most = pages.len().saturating_sub(EVIDENCE_PAGES);
        gone.extend(pages.drain(..most));
    }
    gone
}

/// Whether the days that lead to today without a long gap began a month ago, or nothing lies before them. `pages` are sorted.
fn is_believed(pages: &[Day], today: Day) -> bool {
    let mut first = today;
    for page in pages.iter().rev() {
        if first.since(*page) > EVIDENCE_DAYS {
            return today.since(first) >= EVIDENCE_DAYS;
        }
        first = *page;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: u32 = 20_000;

    /// What is removed of pages so many days before today (after it: negative).
    fn removed(before: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let day = |before: i64| Day(u32::try_from(i64::from(TODAY) - before).unwrap());
        let gone = to_remove(before.into_iter().map(day).collect(), Day(TODAY));
        gone.into_iter()
            .map(|page| i64::from(TODAY) - i64::from(page.0))
            .collect()
    }

    #[test]
    fn a_month_stays_and_what_is_older_goes() {
        assert_eq!(removed([]), [0; 0]);
        assert_eq!(removed(0..40), (32..40).rev().collect::<Vec<_>>());
        assert_eq!(removed((0..90).step_by(30)), [60]);
        assert_eq!(removed([31, 32, 33]), [33, 32]);
    }

    #[test]
    fn tls_5_a_clock_that_ran_ahead_removes_no_evidence_until_it_has_been_so_for_a_month() {
        let years = 4 * 365;
        let month = || years..years + 32;
        assert_eq!(removed(month()), [0; 0], "the first moment");
        assert_eq!(removed((0..5).chain(month())), [0; 0], "five days");
        assert_eq!(removed((0..31).chain(month())), [0; 0], "almost a month");
        assert_eq!(removed((0..33).chain(month())).len(), 33, "it was a pause");
    }

    #[test]
    fn q_7_a_server_that_pauses_for_more_than_a_month_again_and_again_keeps_no_page_for_ever() {
        let (mut pages, mut most) = (Vec::new(), 0);
        for day in (0..20_000).filter(|day| day % 50 < 3) {
            pages.push(Day(day));
            let gone = to_remove(pages.clone(), Day(day));
            pages.retain(|page| !gone.contains(page));
            most = most.max(pages.len());
        }
        assert_eq!(most, EVIDENCE_PAGES);
    }

    #[test]
    fn pages_of_days_to_come_stay_and_remove_nothing() {
        let years = 4 * 365;
        assert_eq!(removed((0..32).chain([-years, -years - 1, -1])), [0; 0]);
        assert_eq!(
            removed((0..32).chain(-40..0)),
            (-40..-32).rev().collect::<Vec<_>>()
        );
    }
}
