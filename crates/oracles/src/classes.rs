//! Where two implementations may differ: named classes, counted, each with its reason. What fits none is a failure.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// A class of differences.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    /// its name
    pub name: &'static str,
    /// where the standard says what is right
    pub standard: &'static str,
    /// who is right, and why
    pub verdict: &'static str,
}

/// What a comparison found.
#[derive(Default)]
pub struct Tally {
    same: usize,
    found: BTreeMap<&'static str, (Class, usize, String)>,
    unknown: Vec<String>,
}

impl Tally {
    /// Notes one case. `class` names the reason where the two differ.
    pub fn note<T: PartialEq + Debug>(
        &mut self,
        ours: &T,
        theirs: &T,
        class: impl FnOnce() -> Option<Class>,
        example: impl FnOnce() -> String,
    ) {
        if ours == theirs {
            self.same += 1;
            return;
        }
        match class() {
            Some(class) => {
                let entry = || (class, 0, format!("{ours:?}, theirs {theirs:?}: {}", example()));
                self.found.entry(class.name).or_insert_with(entry).1 += 1;
            }
            None => self
                .unknown
                .push(format!("ours {ours:?}, theirs {theirs:?}: {}", example())),
        }
    }

    /// How often both said the same.
    pub fn same(&self) -> usize {
        self.same
    }

    /// How often a class was met.
    pub fn count(&self, class: Class) -> usize {
        self.found.get(class.name).map_or(0, |(_, count, _)| *count)
    }

    /// Tells what was found; fails where something has no class.
    ///
    /// # Panics
    /// When a difference is in no class.
    pub fn end(&self, what: &str) {
        let different: usize = self.found.values().map(|(_, count, _)| count).sum();
        println!(
            "{what}: {} alike, {different} different in {} classes",
            self.same,
            self.found.len()
        );
        for (class, count, example) in self.found.values() {
            println!(
                "  {} × {}: {} ({}). First: {}",
                count,
                class.name,
                class.verdict,
                class.standard,
                example.escape_debug()
            );
        }
        let shown: Vec<&String> = self.unknown.iter().take(5).collect();
        assert!(
            self.unknown.is_empty(),
            "{what}: {} differences without a class, the first: {shown:#?}",
            self.unknown.len()
        );
    }
}
