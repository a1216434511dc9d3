//! What has become of every recipient, and whether that is right.

use super::cells::{Cell, Fate};
use super::field::{Field, addresses};
use crate::campaign::mailer::is_report;

/// What was found.
pub struct Verdicts {
    /// for each cell, in words
    pub rows: Vec<String>,
    /// how many recipients there are
    pub recipients: usize,
    /// what is not right
    pub wrong: Vec<String>,
}

impl Verdicts {
    /// As a check.
    pub fn told(&self) -> Result<String, String> {
        if self.wrong.is_empty() {
            Ok(format!(
                "{} recipients in {} cells",
                self.recipients,
                self.rows.len()
            ))
        } else {
            Err(format!("{:?}", self.wrong))
        }
    }
}

/// What is known of one recipient.
struct Known {
    arrived: u64,
    waits: bool,
    bounced: usize,
}

impl Known {
    fn words(&self) -> String {
        let mut words = Vec::new();
        if self.arrived > 0 {
            words.push(format!("arrived × {}", self.arrived));
        }
        if self.bounced > 0 {
            words.push(format!("bounced × {}", self.bounced));
        }
        if self.waits {
            words.push("waits".into());
        }
        if words.is_empty() {
            words.push("LOST".into());
        }
        words.join(" + ")
    }

    fn fate(&self) -> Option<Fate> {
        match (self.arrived, self.waits, self.bounced) {
            (1, false, 0) => Some(Fate::Arrived),
            (0, true, 0) => Some(Fate::Waits),
            (0, false, 1) => Some(Fate::Bounced),
            _ => None,
        }
    }
}

/// While the sinks misbehave every recipient has one of the fates its cell allows.
pub fn while_sick(field: &Field, cells: &[Cell]) -> Result<Verdicts, String> {
    look(field, cells, |known, fates| {
        known.fate().is_some_and(|fate| fates.contains(&fate))
    })
}

/// In the end everybody has the message once, or the sender was told once where that was right.
pub fn when_healed(field: &Field, cells: &[Cell]) -> Result<Verdicts, String> {
    look(field, cells, |known, fates| match known.fate() {
        Some(Fate::Arrived) => fates != [Fate::Bounced],
        Some(Fate::Bounced) => fates.contains(&Fate::Bounced),
        Some(Fate::Waits) | None => false,
    })
}

fn look(field: &Field, cells: &[Cell], right: impl Fn(&Known, &[Fate]) -> bool) -> Result<Verdicts, String> {
    // In this order: whoever leaves the queue in between is then found where it went.
    let waiting = field.waiting()?;
    let inbox = field.alice.read("INBOX")?;
    let mut verdicts = Verdicts {
        rows: Vec::new(),
        recipients: 0,
        wrong: Vec::new(),
    };
    for (number, cell) in cells.iter().enumerate() {
        let counts = field.sinks[number].counts();
        let mut words = Vec::new();
        for (address, fates) in addresses(number, cell).iter().zip(&cell.recipients) {
            let arrived = counts
                .iter()
                .filter(|((_, recipient), _)| recipient == address)
                .map(|(_, count)| count)
                .sum();
            let known = Known {
                arrived,
                waits: waiting.contains_key(address),
                bounced: inbox
                    .iter()
                    .filter(|message| is_report(message, "failed", address))
                    .count(),
            };
            verdicts.recipients += 1;
            words.push(known.words());
            if !right(&known, fates) {
                verdicts
                    .wrong
                    .push(format!("{} ({address}): {}", cell.name, known.words()));
            }
        }
        verdicts.rows.push(words.join(", "));
    }
    Ok(verdicts)
}
