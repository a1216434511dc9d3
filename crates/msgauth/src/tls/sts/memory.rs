//! All that is remembered of policies, within two bounds: how many domains, and how many octets. Pure.
//!
//! When there is no room, what is worth least goes first ([`Worth`]): what strangers can have many of at will (policies that are over, that
//! enforce nothing, that nobody has kept to, that are long) goes before what takes mail under verified TLS, on several days, to get.
//!
//! Age alone removes nothing: a clock that runs ahead for an hour would else leave everybody without the policy that counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use world::clock::UnixMs;

use super::cache::Remembered;
use super::policy::StsMode;
use crate::limits::{STS_DOMAINS, STS_MEMORY_BYTES, STS_PROVED_DAYS, STS_SMALL_BYTES};
use crate::tls::timeline::Moved;

/// What an entry takes beside its texts: numbers, pointers, its place in the table.
const ENTRY_BYTES: usize = 256;
/// What a text takes beside its letters.
const TEXT_BYTES: usize = 24;

/// The policies.
#[derive(Debug, Default)]
pub struct Memory {
    all: HashMap<String, Arc<Remembered>>,
    octets: usize,
}

/// What a change was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// there was none
    Nothing,
    /// moments: losing them costs next to nothing
    Moments,
    /// another policy, or other trouble
    Policy,
}

/// All of it at one moment, to be written while the memory goes on changing.
#[derive(Debug)]
pub struct Snapshot(Vec<(String, Arc<Remembered>)>);

impl Memory {
    /// From what was kept. An older version may have kept more than there is room for.
    pub fn restored(kept: HashMap<String, Remembered>, now: UnixMs) -> Self {
        let mut memory = Self::default();
        for (domain, known) in kept
            .into_iter()
            .filter(|(_, known)| *known != Remembered::default())
        {
            memory.put(domain, Arc::new(known));
        }
        memory.make_room("", now);
        memory
    }

    /// What is remembered of a domain.
    pub fn get(&self, domain: &str) -> Option<&Remembered> {
        self.all.get(domain).map(|known| &**known)
    }

    /// Does something with what is remembered of a domain, and whether that changed it. What is nothing is not kept.
    pub fn change<T>(
        &mut self,
        domain: &str,
        now: UnixMs,
        work: impl FnOnce(&mut Remembered) -> T,
    ) -> (T, Change) {
        let before = self.get(domain).cloned().unwrap_or_default();
        let mut known = before.clone();
        let told = work(&mut known);
        let change = change(&before, &known);
        if change != Change::Nothing {
            self.take(domain);
            if known != Remembered::default() {
                self.put(domain.to_owned(), Arc::new(known));
                self.make_room(domain, now);
            }
        }
        (told, change)
    }

    /// The time that counts was moved, and everything noted meanwhile with it.
    pub fn moved(&mut self, moved: &Moved) {
        for known in self.all.values_mut() {
            Arc::make_mut(known).moved(moved);
        }
    }

    /// Every domain.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Remembered)> {
        self.all.iter().map(|(domain, known)| (domain.as_str(), &**known))
    }

    /// All of it as it is now. Costs a name and a pointer for each domain.
    pub fn snapshot(&self) -> Snapshot {
        let all = self.all.iter();
        Snapshot(
            all.map(|(domain, known)| (domain.clone(), known.clone()))
                .collect(),
        )
    }

    fn put(&mut self, domain: String, known: Arc<Remembered>) {
        self.octets += octets(&domain, &known);
        if let Some(old) = self.all.insert(domain.clone(), known) {
            self.octets -= octets(&domain, &old);
        }
    }

    fn take(&mut self, domain: &str) {
        if let Some(old) = self.all.remove(domain) {
            self.octets -= octets(domain, &old);
        }
    }

    /// Removes what counts for least, never `but`, until a tenth is free: sorting then costs little for each that comes.
    fn make_room(&mut self, but: &str, now: UnixMs) {
        if self.all.len() <= STS_DOMAINS && self.octets <= STS_MEMORY_BYTES {
            return;
        }
        let others = self.all.iter().filter(|(domain, _)| *domain != but);
        let mut order: Vec<_> = others
            .map(|(domain, known)| (worth(domain, known, now), domain.clone()))
            .collect();
        order.sort_unstable();
        for (_, domain) in order {
            if self.all.len() <= STS_DOMAINS / 10 * 9 && self.octets <= STS_MEMORY_BYTES / 10 * 9 {
                break;
            }
            self.take(&domain);
        }
    }
}

/// What an entry is worth; what is least in the first respect in which two differ goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    /// a policy counts: it came, and is not over
    counts: bool,
    /// how much it asks: nothing, evidence, TLS
    asks: u8,
    /// mail went under it, to a host that it names and that had the certificate, of late
    proved: bool,
    /// on so many days, up to [`STS_PROVED_DAYS`]
    days: u32,
    /// how often [`STS_SMALL_BYTES`] must be doubled to hold it
    doublings: Reverse<u32>,
    /// when mail was last sent there
    used_at: u64,
}

fn worth(domain: &str, known: &Remembered, now: UnixMs) -> Worth {
    let live = known.live(now);
    let size = octets(domain, known).div_ceil(STS_SMALL_BYTES);
    Worth {
        counts: live.is_some(),
        asks: live.map_or(0, |kept| match kept.policy.mode {
            StsMode::None => 0,
            StsMode::Testing => 1,
            StsMode::Enforce => 2,
        }),
        proved: known.is_proved(now),
        days: known.proved_days.min(STS_PROVED_DAYS),
        doublings: Reverse(size.next_power_of_two().ilog2()),
        used_at: known.used_at,
    }
}

fn change(before: &Remembered, after: &Remembered) -> Change {
    let policy = |known: &Remembered| {
        known
            .kept
            .as_ref()
            .map(|kept| (kept.id.clone(), kept.policy.clone()))
    };
    if before == after {
        Change::Nothing
    } else if before.trouble == after.trouble && policy(before) == policy(after) {
        Change::Moments
    } else {
        Change::Policy
    }
}

/// Octets of memory that an entry takes, near enough.
fn octets(domain: &str, known: &Remembered) -> usize {
    let text = |text: &str| TEXT_BYTES + text.len();
    let kept = known.kept.as_ref().map_or(0, |kept| {
        let hosts: usize = kept.policy.mx.iter().map(|host| text(host)).sum();
        text(&kept.id) + hosts
    });
    let why = known.trouble.as_ref().map_or(0, |trouble| text(&trouble.why));
    ENTRY_BYTES + text(domain) + kept + why
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sorted: BTreeMap<&str, &Remembered> = self
            .0
            .iter()
            .map(|(domain, known)| (domain.as_str(), &**known))
            .collect();
        sorted.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LABEL_BYTES, NAME_BYTES, STS_POLICY_HOSTS};
    use crate::tls::sts::policy::StsPolicy;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn policy(mode: StsMode, hosts: usize, letters: usize) -> StsPolicy {
        StsPolicy {
            mode,
            mx: vec!["x".repeat(letters); hosts],
            max_age_s: 86_400,
        }
    }

    fn fetch(memory: &mut Memory, domain: &str, policy: StsPolicy, now: UnixMs) {
        memory.change(domain, now, |known| known.fetched("1".to_owned(), policy, now));
    }

    fn after(ms: u64) -> UnixMs {
        UnixMs(NOW.0 + ms)
    }

    #[test]
    fn q_7_the_longest_policies_of_strangers_fill_sixteen_mebibytes_and_push_out_each_other() {
        let mut memory = Memory::default();
        for number in 0..50 {
            fetch(
                &mut memory,
                &format!("real{number}.test"),
                policy(StsMode::Enforce, 4, 30),
                NOW,
            );
        }
        for number in 0..2_000 {
            let name = format!("{number}.{}.test", "l".repeat(LABEL_BYTES));
            let long = policy(StsMode::Enforce, STS_POLICY_HOSTS, NAME_BYTES);
            fetch(&mut memory, &name, long, after(1_000));
            assert!(memory.octets <= STS_MEMORY_BYTES, "{number}");
            assert!(memory.get(&name).is_some(), "the newest is there");
        }
        for number in 0..50 {
            assert!(memory.get(&format!("real{number}.test")).is_some(), "{number}");
        }
        let counted: usize = memory.iter().map(|(domain, known)| octets(domain, known)).sum();
        assert_eq!(counted, memory.octets, "the sum is kept in step");
    }

    /// What a domain has, in the order in which it goes.
    #[test]
    fn q_7_what_is_worth_least_goes_first() {
        const DAY_MS: u64 = 86_400_000;
        let week = |mode, hosts, letters| StsPolicy {
            max_age_s: 7 * 86_400,
            ..policy(mode, hosts, letters)
        };
        // policy, how many days ago it was fetched and used, on how many days mail went under it, how many days ago the last time
        let table = [
            ("failed", None, 0, 0, 0),
            ("over", Some(week(StsMode::Enforce, 1, 9)), 8, 0, 0),
            ("none", Some(week(StsMode::None, 0, 0)), 0, 0, 0),
            ("testing", Some(week(StsMode::Testing, 1, 9)), 0, 0, 0),
            ("the longest", Some(week(StsMode::Enforce, 100, 253)), 0, 0, 0),
            ("four KiB", Some(week(StsMode::Enforce, 16, 200)), 0, 0, 0),
            ("two KiB", Some(week(StsMode::Enforce, 8, 150)), 0, 0, 0),
            ("long ago", Some(week(StsMode::Enforce, 1, 9)), 6, 0, 0),
            ("of late, small", Some(week(StsMode::Enforce, 10, 30)), 3, 0, 0),
            (
                "many days, months ago",
                Some(week(StsMode::Enforce, 1, 9)),
                0,
                7,
                31,
            ),
            ("one day, long", Some(week(StsMode::Enforce, 16, 200)), 0, 1, 0),
            ("one day", Some(week(StsMode::Enforce, 1, 9)), 3, 1, 0),
            ("two days, long", Some(week(StsMode::Enforce, 100, 253)), 3, 2, 0),
            ("many days", Some(week(StsMode::Enforce, 1, 9)), 6, 7, 0),
        ];
        let now = after(90 * DAY_MS);
        let worth_of =
            |(name, policy, used, days, last): &(&'static str, Option<StsPolicy>, u64, u64, u64)| {
                let before = |days: u64| UnixMs(now.0 - days * DAY_MS);
                let then = before(*used);
                let mut known = Remembered::default();
                match policy {
                    Some(policy) => known.fetched("1".to_owned(), policy.clone(), then),
                    None => known.failed(
                        "no".to_owned(),
                        crate::tls::attempt::ResultType::StsPolicyFetchError,
                        then,
                    ),
                }
                (0..*days).rev().for_each(|day| known.proved(before(last + day)));
                (worth(name, &known, now), *name)
            };
        let mut order: Vec<_> = table.iter().map(worth_of).collect();
        order.sort_unstable();
        let order: Vec<&str> = order.into_iter().map(|(_, name)| name).collect();
        assert_eq!(order, table.map(|(name, ..)| name));
    }

    #[test]
    fn q_7_thousands_of_policies_of_four_kib_push_out_each_other_and_nobody_else() {
        let mut memory = Memory::default();
        let real = |number: usize| format!("real{number}.test");
        for number in 0..50 {
            fetch(&mut memory, &real(number), policy(StsMode::Enforce, 4, 30), NOW);
        }
        fetch(&mut memory, "proved.test", policy(StsMode::Enforce, 16, 200), NOW);
        memory.change("proved.test", NOW, |known| known.proved(NOW));
        for number in 0..8_200_u64 {
            let name = format!("d{number}.test");
            let moment = after(1 + number);
            fetch(&mut memory, &name, policy(StsMode::Enforce, 16, 200), moment);
            assert!(
                octets(&name, memory.get(&name).unwrap()) <= 4 * 1024,
                "an ordinary one, by its length"
            );
        }
        assert!(memory.all.len() < 8_000, "there was no room for all");
        for number in 0..50 {
            assert!(memory.get(&real(number)).is_some(), "{number}");
        }
        assert!(memory.get("proved.test").is_some());
    }

    #[test]
    fn a_moment_that_is_noted_makes_no_haste() {
        let mut memory = Memory::default();
        let (later, hour) = (after(1), after(3_600_000));
        let trouble = |known: &mut Remembered| {
            known.failed(
                "no".to_owned(),
                crate::tls::attempt::ResultType::StsPolicyFetchError,
                later,
            );
        };
        let first = policy(StsMode::Enforce, 1, 9);
        let (second, same) = (policy(StsMode::Testing, 1, 9), policy(StsMode::Testing, 1, 9));
        let changes = [
            memory
                .change("a.test", NOW, |known| known.fetched("1".to_owned(), first, NOW))
                .1,
            memory.change("a.test", NOW, |known| known.used(hour)).1,
            memory.change("a.test", NOW, |known| known.proved(hour)).1,
            memory.change("a.test", NOW, |known| known.used(hour)).1,
            memory.change("a.test", NOW, trouble).1,
            memory
                .change("a.test", NOW, |known| known.fetched("1".to_owned(), second, hour))
                .1,
            memory
                .change("a.test", NOW, |known| {
                    known.fetched("1".to_owned(), same, after(9))
                })
                .1,
        ];
        use Change::{Moments, Nothing, Policy};
        assert_eq!(
            changes,
            [Policy, Moments, Moments, Nothing, Policy, Policy, Moments]
        );
    }

    #[test]
    fn who_was_written_to_longest_ago_goes_first() {
        let mut memory = Memory::default();
        for number in 0..STS_DOMAINS {
            let moment = after(number as u64);
            fetch(
                &mut memory,
                &format!("d{number}.test"),
                policy(StsMode::Enforce, 1, 9),
                moment,
            );
        }
        let hour = after(3_600_000 + STS_DOMAINS as u64);
        memory.change("d0.test", hour, |known| known.used(hour));
        memory.change("failed.test", hour, |known| {
            known.failed(
                "no".to_owned(),
                crate::tls::attempt::ResultType::StsPolicyFetchError,
                hour,
            );
        });
        assert_eq!(memory.all.len(), STS_DOMAINS / 10 * 9);
        assert!(memory.get("d0.test").is_some() && memory.get("failed.test").is_some());
        assert!(memory.get("d1.test").is_none() && memory.get("d1001.test").is_none());
        assert!(memory.get("d1002.test").is_some());
    }

    #[test]
    fn what_an_older_version_kept_beyond_the_bound_is_cut_when_it_is_read() {
        let mut known = Remembered::default();
        known.fetched(
            "1".to_owned(),
            policy(StsMode::Testing, STS_POLICY_HOSTS, NAME_BYTES),
            NOW,
        );
        let kept = (0..1_000).map(|number| (format!("d{number}.test"), known.clone()));
        let memory = Memory::restored(kept.collect(), NOW);
        assert!(memory.octets <= STS_MEMORY_BYTES && memory.all.len() > 500);
    }

    #[test]
    fn a_snapshot_stays_as_it_was_and_is_written_as_it_is_read() {
        let mut memory = Memory::default();
        fetch(&mut memory, "a.test", policy(StsMode::Enforce, 1, 9), NOW);
        let snapshot = memory.snapshot();
        fetch(&mut memory, "b.test", policy(StsMode::Enforce, 1, 9), NOW);
        let text = serde_json::to_string(&snapshot).unwrap();
        let read: HashMap<String, Remembered> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a.test"]);
        let restored = Memory::restored(read, NOW);
        let kept = |memory: &Memory| memory.get("a.test").and_then(|known| known.kept.clone());
        assert!(kept(&restored).is_some() && kept(&restored) == kept(&memory));
    }

    #[test]
    fn what_is_nothing_is_not_kept() {
        let mut memory = Memory::default();
        let ((), changed) = memory.change("a.test", NOW, |known| known.used(NOW));
        assert!(changed == Change::Nothing && memory.iter().next().is_none() && memory.octets == 0);
    }
}
