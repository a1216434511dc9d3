//! DMARC (RFC 9989): does somebody who may speak for the author's domain vouch for the message, and what if not?
//!
//! [`check`] walks the tree ([`walk`]) for the author's domain, then for the domains that SPF and DKIM vouch for where that can matter;
//! [`decide`] is the pure part.

pub mod record;
pub mod walk;

use std::fmt;

use world::dns::RecordType;

use crate::author::Author;
use crate::desk::{Desk, Reply};
use crate::dkim::{DkimReport, DkimResult};
use crate::evidence::Asked;
use crate::names;
use crate::spf::{SpfEvidence, SpfResult};
use crate::suffixes::PublicSuffixes;
use record::{DmarcRecord, Policy};
use walk::{NoAnswer, Walks};

/// RFC 9989 §11; `Display` writes the words of RFC 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmarcResult {
    /// the domain has no say
    None,
    /// somebody who may speak for it vouches
    Pass,
    /// nobody does
    Fail,
    /// DNS did not answer: another time
    TempError,
    /// there is not one author, or the record cannot be used
    PermError,
}

impl fmt::Display for DmarcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}

/// Who vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// the envelope's domain, by SPF
    Spf(String),
    /// a signer's domain, by DKIM
    Dkim(String),
}

/// The rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// There is not one author's domain.
    Author(Author),
    /// Neither the domain nor its organization nor its registry has a usable record.
    NoRecord,
    /// An aligned identifier passed.
    Aligned(Voucher),
    /// None did.
    NotAligned,
    /// None did yet: an aligned one waits for DNS.
    Waiting(Voucher),
    /// DNS did not answer about a name.
    NoAnswer(String),
}

/// The policy that counts, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// what the domain wants, after `t=y`
    pub policy: Policy,
    /// `p`, `sp` or `np`
    pub tag: &'static str,
    /// whose record
    pub domain: String,
    /// the record says that the domain only tests
    pub testing: bool,
}

/// The answer and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcEvidence {
    /// the answer
    pub result: DmarcResult,
    /// whose message it claims to be
    pub author: Author,
    /// the author's organization
    pub organization: Option<String>,
    /// what the domain wants done on a fail
    pub applied: Option<Applied>,
    /// the rule that decided
    pub rule: Rule,
    /// every question
    pub asked: Vec<Asked>,
}

/// Asks about the author's domain, given what SPF and DKIM found.
pub async fn check(
    desk: &mut Desk<'_>,
    author: Author,
    spf: &SpfEvidence,
    dkim: &DkimReport,
    suffixes: Option<&PublicSuffixes>,
) -> DmarcEvidence {
    let mut evidence = DmarcEvidence {
        result: DmarcResult::PermError,
        organization: None,
        applied: None,
        rule: Rule::Author(author.clone()),
        author,
        asked: Vec::new(),
    };
    if let Some(domain) = evidence.author.domain().map(str::to_owned) {
        let told = ask(desk, &domain, spf, dkim, suffixes, &mut evidence).await;
        let rule = told.unwrap_or_else(|NoAnswer(name)| Rule::NoAnswer(name));
        evidence.result = rule.result();
        evidence.rule = rule;
    }
    evidence.asked = desk.take_asked();
    evidence
}

impl Rule {
    /// The result that follows.
    pub fn result(&self) -> DmarcResult {
        match self {
            Self::Author(_) => DmarcResult::PermError,
            Self::NoRecord => DmarcResult::None,
            Self::Aligned(_) => DmarcResult::Pass,
            Self::NotAligned => DmarcResult::Fail,
            Self::Waiting(_) | Self::NoAnswer(_) => DmarcResult::TempError,
        }
    }
}

async fn ask(
    desk: &mut Desk<'_>,
    domain: &str,
    spf: &SpfEvidence,
    dkim: &DkimReport,
    suffixes: Option<&PublicSuffixes>,
    evidence: &mut DmarcEvidence,
) -> Result<Rule, NoAnswer> {
    let mut walks = Walks::default();
    let walk = walks.walk(desk, domain).await?;
    let organization = walk.organization(suffixes);
    evidence.organization = Some(organization.clone());
    let Some((owner, record)) = walk.policy_record(&organization) else {
        return Ok(Rule::NoRecord);
    };
    let Some(policy) = record.policy else {
        return Ok(Rule::NoRecord);
    };
    let exists = match owner == domain || record.nonexistent.is_none() {
        true => true,
        false => exists(desk, domain).await?,
    };
    evidence.applied = Some(applied(domain, owner, record, policy, exists));
    let mut candidates = candidates(spf, dkim, record);
    for candidate in &mut candidates {
        candidate.aligned = candidate.domain == domain;
    }
    // The author's own name is enough: what DNS says of others could not change that.
    if candidates.iter().any(|one| one.aligned && one.passed) {
        return Ok(decide(&candidates));
    }
    for candidate in candidates.iter_mut().filter(|one| !one.aligned && !one.strict) {
        // An organization is above or at its domain, so a domain outside the author's organization cannot share it.
        candidate.aligned = names::is_within(&candidate.domain, &organization)
            && walks.walk(desk, &candidate.domain).await?.organization(suffixes) == organization;
    }
    Ok(decide(&candidates))
}

/// An identifier that may vouch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// its domain, canonical
    pub domain: String,
    /// only the same domain is aligned
    pub strict: bool,
    /// it is aligned
    pub aligned: bool,
    /// it passed; otherwise it waits for DNS
    pub passed: bool,
    /// by DKIM; otherwise by SPF
    pub by_dkim: bool,
}

/// One aligned pass is enough; one that may still become one is waited for.
pub fn decide(candidates: &[Candidate]) -> Rule {
    let voucher = |candidate: &Candidate| match candidate.by_dkim {
        true => Voucher::Dkim(candidate.domain.clone()),
        false => Voucher::Spf(candidate.domain.clone()),
    };
    let aligned = |passed| {
        candidates
            .iter()
            .find(move |one| one.aligned && one.passed == passed)
    };
    match (aligned(true), aligned(false)) {
        (Some(one), _) => Rule::Aligned(voucher(one)),
        (None, Some(one)) => Rule::Waiting(voucher(one)),
        (None, None) => Rule::NotAligned,
    }
}

fn candidates(spf: &SpfEvidence, dkim: &DkimReport, record: &DmarcRecord) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for signature in &dkim.signatures {
        let open = matches!(signature.result, DkimResult::Pass | DkimResult::TempError);
        let Some(domain) = signature.domain.clone().filter(|_| open) else {
            continue;
        };
        candidates.push(Candidate {
            domain,
            strict: record.strict_dkim,
            aligned: false,
            passed: signature.passes(),
            by_dkim: true,
        });
    }
    if matches!(spf.result, SpfResult::Pass | SpfResult::TempError) {
        candidates.push(Candidate {
            domain: spf.domain.clone(),
            strict: record.strict_spf,
            aligned: false,
            passed: spf.result == SpfResult::Pass,
            by_dkim: false,
        });
    }
    candidates
}

fn applied(domain: &str, owner: &str, record: &DmarcRecord, policy: Policy, exists: bool) -> Applied {
    let (policy, tag) = match (owner == domain, exists, record.subdomains, record.nonexistent) {
        (false, false, _, Some(policy)) => (policy, "np"),
        (false, _, Some(policy), _) => (policy, "sp"),
        _ => (policy, "p"),
    };
    Applied {
        policy: if record.testing { policy.milder() } else { policy },
        tag,
        domain: owner.to_owned(),
        testing: record.testing,
    }
}

/// Whether there is anything at a name: an address or an exchanger (RFC 9989 §3.2). NXDOMAIN for one type is so for all (RFC 8020).
async fn exists(desk: &mut Desk<'_>, domain: &str) -> Result<bool, NoAnswer> {
    for kind in [RecordType::Mx, RecordType::A, RecordType::Aaaa] {
        match desk.ask(domain, kind).await {
            Reply::Records(_) => return Ok(true),
            Reply::Absent(world::dns::Absence::NxDomain) => return Ok(false),
            Reply::Absent(world::dns::Absence::NoData) => {}
            Reply::Failed(_) | Reply::Spent(_) => return Err(NoAnswer(domain.to_owned())),
        }
    }
    Ok(false)
}

impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spf(domain) => write!(f, "{domain} by SPF"),
            Self::Dkim(domain) => write!(f, "{domain} by DKIM"),
        }
    }
}

impl fmt::Display for DmarcEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.author.domain().unwrap_or_default();
        match &self.rule {
            Rule::Author(author) => return write!(f, "{author}"),
            Rule::NoRecord => return write!(f, "{domain} has no DMARC policy"),
            Rule::NoAnswer(name) => {
                let name = crate::evidence::printable(name.as_bytes());
                return write!(f, "DNS did not answer about {name}");
            }
            Rule::Aligned(voucher) => write!(f, "{voucher} vouches for the author's domain {domain}")?,
            Rule::NotAligned => write!(f, "nobody who may speak for {domain} vouches for the message")?,
            Rule::Waiting(voucher) => {
                write!(f, "{voucher} might vouch for {domain}, but DNS did not answer")?
            }
        }
        let Some(applied) = &self.applied else {
            return Ok(());
        };
        let Applied {
            policy, tag, domain, ..
        } = applied;
        let wish = match self.result {
            DmarcResult::Pass => "without that it would want",
            _ => "it wants for such mail:",
        };
        write!(f, "; {wish} {policy} ({tag}= in the record of {domain}")?;
        f.write_str(if applied.testing {
            ", one step milder because it only tests)"
        } else {
            ")"
        })
    }
}
