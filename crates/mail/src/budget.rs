//! What one parse may spend. Parsers of outside bytes take a [`Budget`]; when it is spent they stop early and say so in
//! their result, they never fail and never go on (invariant 6 of the architecture).

use crate::limits::{MIME_DEPTH, MIME_PARTS, STEPS_PER_BYTE};

/// Limits for one parse. `Budget::for_message` has the defaults of `limits.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Octets of input that are looked at; what lies behind stays unparsed body.
    pub bytes: usize,
    /// Nodes (MIME parts) that are made.
    pub nodes: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Steps that may still be taken; one step is about one octet looked at.
    pub steps: u64,
}

impl Budget {
    /// The default limits for a message of `size_bytes` octets: steps grow with the size, the rest is fixed.
    pub fn for_message(size_bytes: usize) -> Self {
        Self {
            bytes: u32::MAX as usize,
            nodes: MIME_PARTS,
            depth: MIME_DEPTH,
            steps: (size_bytes as u64 + 1024).saturating_mul(STEPS_PER_BYTE),
        }
    }

    /// Takes `count` steps. False when there were not that many left; then none are left.
    pub fn spend(&mut self, count: usize) -> bool {
        match self.steps.checked_sub(count as u64) {
            Some(left) => {
                self.steps = left;
                true
            }
            None => {
                self.steps = 0;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_out_once_and_stay_out() {
        let mut budget = Budget {
            steps: 10,
            ..Budget::for_message(0)
        };
        assert!(budget.spend(4));
        assert!(budget.spend(6));
        assert!(!budget.spend(1));
        assert!(budget.spend(0));
        let mut short = Budget {
            steps: 3,
            ..Budget::for_message(0)
        };
        assert!(!short.spend(4));
        assert!(!short.spend(1));
    }
}
