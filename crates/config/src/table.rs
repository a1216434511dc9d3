//! From a TOML table to the values of a list of settings: unknown, misplaced, wrong and missing ones become problems.
//!
//! The whole file is such a table, and so is each element of a list of tables ([`Kind::Tables`]).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::NameServer;
use crate::problem::{Lines, Problem, nearest};
use crate::setting::Setting;
use crate::value::{Kind, Value, Wrong, with_article};

/// The values of one table, given or by default, each with the line that gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// where the table begins, from 1
    line: usize,
    found: BTreeMap<&'static str, (Value, Option<usize>)>,
    /// given, but misspelled or not as their kind wants it: one fault should be one problem
    wrong: BTreeMap<&'static str, usize>,
}

/// Which settings a table may have.
#[derive(Clone, Copy)]
pub(crate) struct Scope {
    /// what stands before their names when they are spoken of: empty, or `routes.`
    pub prefix: &'static str,
    /// the list
    pub settings: &'static [Setting],
    /// whether to say what is missing: a torn file has other problems
    pub whole: bool,
}

/// Reads the table that begins on `line`.
pub(crate) fn read(
    scope: Scope,
    table: &DeTable<'_>,
    line: usize,
    lines: &Lines,
    problems: &mut Vec<Problem>,
) -> Values {
    let mut values = Values {
        line,
        found: BTreeMap::new(),
        wrong: BTreeMap::new(),
    };
    let mut given = Given {
        values: BTreeMap::new(),
        misspelled: &mut values.wrong,
    };
    walk(scope, "", table, lines, &mut given, problems);
    let mut given = given.values;
    for setting in scope.settings {
        let name = format!("{}{}", scope.prefix, setting.name);
        match given.remove(setting.name) {
            Some((value, line)) => match one(scope, setting, &value, lines, problems) {
                Ok(value) => drop(values.found.insert(setting.name, (value, Some(line)))),
                Err(wrong) => {
                    values.wrong.insert(setting.name, line);
                    problems.push(Problem::of_setting(line, &name, wrong));
                }
            },
            None => match setting.default_value() {
                Some(value) => drop(values.found.insert(setting.name, (value, None))),
                // A misspelled one was reported already, with its right name.
                None if setting.required && scope.whole && !values.gives(setting.name) => {
                    problems.push(Problem::missing(setting, scope.prefix, line));
                }
                None => {}
            },
        }
    }
    values
}

fn one(
    scope: Scope,
    setting: &'static Setting,
    value: &Spanned<DeValue<'_>>,
    lines: &Lines,
    problems: &mut Vec<Problem>,
) -> Result<Value, Wrong> {
    let (Kind::Tables(fields), Some(list)) = (setting.kind, value.get_ref().as_array()) else {
        return setting.kind.read(value);
    };
    let inner = Scope {
        prefix: setting.fields_prefix(),
        settings: fields,
        whole: scope.whole,
    };
    let mut rows = Vec::with_capacity(list.len());
    for item in list.iter() {
        let line = lines.line(item.span().start);
        match item.get_ref().as_table() {
            Some(table) => rows.push(read(inner, table, line, lines, problems)),
            None => problems.push(Problem::not_a_table(
                line,
                setting.name,
                &with_article(item.get_ref()),
            )),
        }
    }
    Ok(Value::Tables(rows))
}

/// What stands in a table.
struct Given<'a, 'b> {
    values: BTreeMap<&'static str, (Spanned<DeValue<'a>>, usize)>,
    /// settings that were probably meant, with the line of what is there
    misspelled: &'b mut BTreeMap<&'static str, usize>,
}

/// Collects settings under their dotted names; unknown ones become problems that name the nearest known one.
fn walk<'a>(
    scope: Scope,
    section: &str,
    table: &DeTable<'a>,
    lines: &Lines,
    given: &mut Given<'a, '_>,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in table {
        let name = format!("{section}{}", key.get_ref());
        let said = format!("{}{name}", scope.prefix);
        let line = lines.line(key.span().start);
        let inner = format!("{name}.");
        if let Some(setting) = scope.settings.iter().find(|setting| setting.name == name) {
            given.values.insert(setting.name, (value.clone(), line));
        } else if scope
            .settings
            .iter()
            .any(|setting| setting.name.starts_with(&inner))
        {
            match value.get_ref().as_table() {
                Some(table) => walk(scope, &inner, table, lines, given, problems),
                None => problems.push(Problem::not_a_section(line, &said)),
            }
        } else if key.get_ref() == "password" {
            problems.push(Problem::secret(line, &said));
        } else {
            let known = nearest(&name, scope.settings);
            given.misspelled.extend(known.map(|known| (known, line)));
            let known = known.map(|known| format!("{}{known}", scope.prefix));
            problems.push(Problem::unknown(line, &said, known.as_deref()));
        }
    }
}

impl Values {
    /// Where the table begins, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line that gives a setting; `None` when it has its default, or no value.
    pub fn line_of(&self, name: &str) -> Option<usize> {
        let good = self.found.get(name).and_then(|(_, line)| *line);
        good.or_else(|| self.wrong.get(name).copied())
    }

    /// Whether the file gives it, rightly or not.
    pub fn gives(&self, name: &str) -> bool {
        self.line_of(name).is_some()
    }

    /// The value, given or by default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.found.get(name).map(|(value, _)| value)
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        match self.get(name) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    pub(crate) fn name(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Name(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn names(&self, name: &str) -> Option<&[String]> {
        match self.get(name) {
            Some(Value::Names(names)) => Some(names),
            _ => None,
        }
    }

    pub(crate) fn addresses(&self, name: &str) -> &[SocketAddr] {
        match self.get(name) {
            Some(Value::Addresses(addresses)) => addresses,
            _ => &[],
        }
    }

    pub(crate) fn networks(&self, name: &str) -> &[(IpAddr, u8)] {
        match self.get(name) {
            Some(Value::Networks(networks)) => networks,
            _ => &[],
        }
    }

    pub(crate) fn servers(&self, name: &str) -> &[NameServer] {
        match self.get(name) {
            Some(Value::Servers(servers)) => servers,
            _ => &[],
        }
    }

    pub(crate) fn ip(&self, name: &str) -> Option<IpAddr> {
        match self.get(name) {
            Some(Value::Ip(address)) => Some(*address),
            _ => None,
        }
    }

    /// A size, in bytes, or a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number) | Value::Bytes(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name) {
            Some(Value::Duration(duration)) => Some(*duration),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Flag(true))
    }

    pub(crate) fn word(&self, name: &str) -> &'static str {
        match self.get(name) {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }

    pub(crate) fn tables(&self, name: &str) -> &[Values] {
        match self.get(name) {
            Some(Value::Tables(rows)) => rows,
            _ => &[],
        }
    }

    /// As an inline table, in the order of the alphabet. Defaults are left out: whether they have a meaning depends on the rest of
    /// the table, and where they have none it may not be read again.
    pub fn written(&self) -> String {
        let pairs: Vec<String> = self
            .found
            .iter()
            .filter(|(name, _)| self.gives(name))
            .map(|(name, (value, _))| format!("{name} = {}", value.written()))
            .collect();
        format!("{{ {} }}", pairs.join(", "))
    }
}
