//! The verdict on a message: one pure function from evidence and local rules, with a table of tests.
//!
//! In order, the first that fits decides:
//! 1. no author, several, or one that can be read in several ways: refused;
//! 2. the operator refuses the author's domain: refused, whoever vouches;
//! 3. a server of the operator's own brought it: accepted;
//! 4. somebody who may speak for the author's domain vouches: accepted;
//! 5. a sealer of the operator's list vouches: accepted;
//! 6. DNS did not answer: later;
//! 7. the author's domain is ours, and the message came from outside: refused;
//! 8. nobody vouches: what the author's domain wants, or the operator for it;
//! 9. the author's domain says nothing: accepted, and nobody vouches.

use std::fmt;

use crate::arc::ArcResult;
use crate::author::Author;
use crate::dmarc::record::Policy;
use crate::dmarc::{DmarcResult, Rule, Voucher};
use crate::examine::Evidence;
use crate::network::Network;
use crate::spf::SpfResult;

/// What the operator decided.
#[derive(Clone, Copy, Default)]
pub struct Local<'a> {
    /// domains whose mail is ours, canonical
    pub own: &'a [String],
    /// whose seals are believed, canonical
    pub sealers: &'a [String],
    /// domains whose wish to refuse or quarantine is noted and not followed
    pub lenient: &'a [String],
    /// authors' domains that are refused, with everything below them, canonical
    pub refused: &'a [String],
    /// the network of the operator's own servers that the client is in
    pub brought: Option<&'a Network>,
}

/// What happens to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// taken
    Accept,
    /// taken, and kept apart
    Quarantine,
    /// refused for good: 550 5.7.1
    Reject,
    /// refused for now: 451 4.7.24
    Defer,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::Defer => "defer",
        })
    }
}

/// The rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is not one author's domain.
    Author(Author),
    /// The operator refuses this domain.
    Refused(String),
    /// A server of the operator's own brought it: its network.
    Brought(Network),
    /// Somebody vouches for the author's domain.
    Vouched(Voucher),
    /// A sealer of the list does.
    Sealed(String),
    /// DNS did not answer.
    NoAnswer,
    /// The author's domain is ours, and nobody vouches.
    OwnDomain(String),
    /// The author's domain wants this.
    Wish {
        /// the author's domain
        domain: String,
        /// what it wants
        policy: Policy,
        /// the operator does not follow it
        lenient: bool,
    },
    /// The author's domain says nothing.
    NoPolicy(String),
}

/// The verdict and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// what happens
    pub verdict: Verdict,
    /// why
    pub reason: Reason,
    /// Whether a copy may leave for another server: not of what the author's domain disowns (threat case AUT-12).
    pub may_forward: bool,
}

/// Decides about a message that came from outside and that nobody signed in for.
pub fn decide(evidence: &Evidence, local: &Local<'_>) -> Decision {
    let (verdict, reason) = rule(evidence, local);
    let disowned = evidence.dmarc.result == DmarcResult::Fail
        && !matches!(
            reason,
            Reason::Sealed(_)
                | Reason::Brought(_)
                | Reason::Wish {
                    policy: Policy::None,
                    ..
                }
        );
    Decision {
        may_forward: verdict == Verdict::Accept && !disowned,
        verdict,
        reason,
    }
}

fn rule(evidence: &Evidence, local: &Local<'_>) -> (Verdict, Reason) {
    let dmarc = &evidence.dmarc;
    let Some(domain) = dmarc.author.domain() else {
        return (Verdict::Reject, Reason::Author(dmarc.author.clone()));
    };
    if let Some(refused) = local.refused.iter().find(|known| is_in(domain, known)) {
        return (Verdict::Reject, Reason::Refused(refused.clone()));
    }
    if let Some(network) = local.brought {
        return (Verdict::Accept, Reason::Brought(*network));
    }
    if let Some(voucher) = voucher(evidence, domain) {
        return (Verdict::Accept, Reason::Vouched(voucher));
    }
    let sealer = evidence
        .arc
        .sealers
        .last()
        .filter(|sealer| holds(local.sealers, sealer));
    match (sealer, evidence.arc.result) {
        (Some(sealer), ArcResult::Pass) if evidence.arc.author_vouched => {
            return (Verdict::Accept, Reason::Sealed(sealer.clone()));
        }
        (Some(_), ArcResult::TempError) => return (Verdict::Defer, Reason::NoAnswer),
        _ => {}
    }
    if dmarc.result == DmarcResult::TempError {
        return (Verdict::Defer, Reason::NoAnswer);
    }
    let domain = domain.to_owned();
    if holds(local.own, &domain) {
        return match waits(evidence, &domain) {
            true => (Verdict::Defer, Reason::NoAnswer),
            false => (Verdict::Reject, Reason::OwnDomain(domain)),
        };
    }
    match &dmarc.applied {
        Some(applied) if dmarc.result == DmarcResult::Fail => {
            let lenient = holds(local.lenient, &domain) || holds(local.lenient, &applied.domain);
            wish(domain, applied.policy, lenient)
        }
        _ => (Verdict::Accept, Reason::NoPolicy(domain)),
    }
}

fn wish(domain: String, policy: Policy, lenient: bool) -> (Verdict, Reason) {
    let verdict = match policy {
        _ if lenient => Verdict::Accept,
        Policy::None => Verdict::Accept,
        Policy::Quarantine => Verdict::Quarantine,
        Policy::Reject => Verdict::Reject,
    };
    let reason = Reason::Wish {
        domain,
        policy,
        lenient,
    };
    (verdict, reason)
}

/// By DMARC. Where the domain has no policy, or DNS did not say which, only the very same domain counts: it is aligned
/// under every policy there can be.
fn voucher(evidence: &Evidence, domain: &str) -> Option<Voucher> {
    if let Rule::Aligned(voucher) = &evidence.dmarc.rule {
        return Some(voucher.clone());
    }
    if !matches!(evidence.dmarc.result, DmarcResult::None | DmarcResult::TempError) {
        return None;
    }
    let mut signatures = evidence.dkim.signatures.iter();
    if signatures.any(|one| one.passes() && one.domain.as_deref() == Some(domain)) {
        return Some(Voucher::Dkim(domain.to_owned()));
    }
    let by_spf = evidence.spf.result == SpfResult::Pass && evidence.spf.domain == domain;
    by_spf.then(|| Voucher::Spf(domain.to_owned()))
}

/// Whether the very same domain may yet vouch.
fn waits(evidence: &Evidence, domain: &str) -> bool {
    let by_spf = evidence.spf.result == SpfResult::TempError && evidence.spf.domain == domain;
    by_spf
        || evidence.dkim.signatures.iter().any(|one| {
            one.result == crate::dkim::DkimResult::TempError && one.domain.as_deref() == Some(domain)
        })
}

/// Whether a domain is this one or below it.
fn is_in(domain: &str, top: &str) -> bool {
    let below = domain.strip_suffix(top);
    below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

fn holds(list: &[String], name: &str) -> bool {
    list.iter().any(|known| known == name)
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, self.verdict) {
            (Reason::Author(author), _) => {
                write!(
                    f,
                    "{author}: a message from one sender with one address that everybody reads alike is needed"
                )
            }
            (Reason::Refused(domain), _) => write!(f, "mail from {domain} is not taken here"),
            (Reason::Brought(network), _) => {
                write!(
                    f,
                    "a server of ours brought it ({network}), which has to know whom it takes mail from"
                )
            }
            (Reason::Vouched(voucher), _) => write!(f, "{voucher} vouches for the author's domain"),
            (Reason::Sealed(sealer), _) => {
                write!(
                    f,
                    "{sealer}, whose seals are believed here, vouched for the author before it changed the message"
                )
            }
            (Reason::NoAnswer, _) => f.write_str("DNS did not answer, so it cannot be decided now"),
            (Reason::OwnDomain(domain), _) => {
                write!(
                    f,
                    "{domain} is a domain of ours, and nothing shows that the message comes from us"
                )
            }
            (
                Reason::Wish {
                    domain,
                    policy,
                    lenient: true,
                },
                _,
            ) => {
                write!(
                    f,
                    "nobody vouches for {domain}; it wants {policy}, which is not followed here for this domain"
                )
            }
            (Reason::Wish { domain, policy, .. }, _) => {
                write!(
                    f,
                    "nobody vouches for {domain}, and it wants for such mail: {policy}"
                )
            }
            (Reason::NoPolicy(domain), _) => {
                write!(
                    f,
                    "nobody vouches for {domain}, and it does not say what is to be done with such mail"
                )
            }
        }
    }
}
