//! What holds, where it comes from, and what another file would change.

use crate::setting::{SETTINGS, Takes};
use crate::table::Values;
use crate::value::Value;
use crate::{Checked, Config};

/// One setting as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// dotted name
    pub name: &'static str,
    /// as it would be written in the file; `None`: it has no value. No setting holds a secret.
    pub value: Option<String>,
    /// who says so
    pub source: Source,
    /// when another value would count
    pub takes: Takes,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// this line of the file, from 1
    Line(usize),
    /// the default
    Default,
    /// nowhere: it has no value
    Unset,
}

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// dotted name
    pub name: &'static str,
    /// what held, as it would be written
    pub before: Option<String>,
    /// what is to hold, as it would be written
    pub after: Option<String>,
    /// when that counts
    pub takes: Takes,
}

impl Checked {
    /// Every setting, in the order of the reference.
    pub fn shown(&self) -> Vec<Shown> {
        let one = |setting: &'static crate::Setting| {
            let value = self.values.get(setting.name);
            let source = match (value, self.values.line_of(setting.name)) {
                (None, _) => Source::Unset,
                (Some(_), Some(line)) => Source::Line(line),
                (Some(_), None) => Source::Default,
            };
            Shown {
                name: setting.name,
                value: value.map(Value::written),
                source,
                takes: setting.takes,
            }
        };
        SETTINGS.iter().map(one).collect()
    }

    /// A settings file that says everything, defaults too.
    pub fn written(&self) -> String {
        let shown = self.shown();
        let lines = shown
            .iter()
            .filter_map(|shown| Some(format!("{} = {}\n", shown.name, shown.value.as_deref()?)));
        lines.collect()
    }

    /// What differs when `new` is to hold instead, in the order of the reference.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let written = |values: &Values, name| values.get(name).map(Value::written);
        let change = |setting: &'static crate::Setting| {
            let before = written(&self.values, setting.name);
            let after = written(&new.values, setting.name);
            (before != after).then_some(Change {
                name: setting.name,
                before,
                after,
                takes: setting.takes,
            })
        };
        SETTINGS.iter().filter_map(change).collect()
    }

    /// The line of the file that gives a setting.
    pub fn line_of(&self, name: &str) -> Option<usize> {
        self.values.line_of(name)
    }

    /// The line of the file that gives a setting of the `index`-th route.
    pub fn line_of_route(&self, index: usize, name: &str) -> Option<usize> {
        let route = self.values.tables("routes").get(index)?;
        Some(route.line_of(name).unwrap_or_else(|| route.line()))
    }
}

impl From<Checked> for Config {
    fn from(checked: Checked) -> Self {
        checked.config
    }
}
