//! How TLS went in one attempt at one host, in the words of reports about TLS (RFC 8460).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use world::clock::UnixMs;
use world::net::{CertificateFault, CertificateFaultKind, TlsFailure};

use super::policy::{Dane, Demand, Evidence, Found, Reason, Rule, Sts};

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsAttempt {
    /// when it ended
    pub at: UnixMs,
    /// the recipient's domain, or the operator's smarthost
    pub domain: String,
    /// which policy it was held to
    pub kind: PolicyKind,
    /// whose policy that is: for DANE the name that the TLSA records stand under (RFC 8460 §1.1)
    pub policy_domain: String,
    /// the host
    pub mx_host: String,
    /// its address; `None` where no connection was tried
    pub mx_address: Option<IpAddr>,
    /// our address; `None` where no connection was made
    pub our_address: Option<IpAddr>,
    /// the rule
    pub rule: Rule,
    /// how it went
    pub went: Went,
}

/// Which policy an attempt is counted under (RFC 8460 §4.4, `policy-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// DANE
    Tlsa,
    /// MTA-STS, in force or being tested
    Sts,
    /// neither
    NoPolicy,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// TLS came about.
    Secured {
        /// whether the certificate verifies for the host's name, whether that was asked for or not; if not, why not
        verified: Result<(), CertificateFault>,
    },
    /// TLS did not come about, or was refused.
    Failed {
        /// what failed
        result: ResultType,
        /// in words
        text: String,
        /// whether mail may still have gone, in the clear
        clear: bool,
    },
}

/// What failed (RFC 8460 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultType {
    /// STARTTLS is not offered, or was refused
    StarttlsNotSupported,
    /// the certificate is for other names
    CertificateHostMismatch,
    /// the certificate has expired
    CertificateExpired,
    /// nobody whom we trust issued the certificate
    CertificateNotTrusted,
    /// anything else
    ValidationFailure,
    /// none of the TLSA records is valid
    TlsaInvalid,
    /// the name servers gave no valid answer
    DnssecInvalid,
    /// DANE was required, and there are no records
    DaneRequired,
    /// the MTA-STS policy could not be fetched
    StsPolicyFetchError,
    /// the MTA-STS policy is none, or does not name the host
    StsPolicyInvalid,
    /// the certificate of the policy's web server does not verify
    StsWebpkiInvalid,
}

impl ResultType {
    /// As RFC 8460 §4.3 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }

    /// What a certificate that does not verify is called.
    pub fn of_certificate(fault: CertificateFaultKind) -> Self {
        match fault {
            CertificateFaultKind::Expired => Self::CertificateExpired,
            CertificateFaultKind::OtherName => Self::CertificateHostMismatch,
            CertificateFaultKind::NotTrusted => Self::CertificateNotTrusted,
            CertificateFaultKind::Tlsa | CertificateFaultKind::Other => Self::ValidationFailure,
        }
    }

    /// What a handshake that failed is called.
    pub fn of_handshake(failure: &TlsFailure) -> Self {
        // For injected plaintext, closed connections and silence RFC 8460 §4.3.1 has only the general word.
        failure
            .certificate
            .map_or(Self::ValidationFailure, Self::of_certificate)
    }

    /// What a rule that refuses a host is called.
    pub fn of_refusal(reason: Reason) -> Self {
        match reason {
            Reason::DaneFailed(_) => Self::DnssecInvalid,
            Reason::StsHost => Self::StsPolicyInvalid,
            _ => Self::ValidationFailure,
        }
    }
}

impl PolicyKind {
    /// As RFC 8460 §4.4 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicy => "no-policy-found",
        }
    }
}

/// Under which policy an attempt to send to `domain` is counted, and whose that is.
pub fn counted_under(evidence: &Evidence, domain: &str) -> (PolicyKind, String) {
    match (&evidence.dane, &evidence.sts, evidence.found) {
        (_, _, Found::Route(_)) => (PolicyKind::NoPolicy, domain.to_owned()),
        // The policy refuses a host that it does not name, whatever records that host has.
        (Dane::Usable { .. }, Sts::Enforce(host), Found::Insecure) if !host.fits => {
            (PolicyKind::Sts, domain.to_owned())
        }
        (Dane::Usable { base, .. } | Dane::Unusable { base } | Dane::Failed { base, .. }, _, _) => {
            (PolicyKind::Tlsa, base.clone())
        }
        (_, Sts::Testing(_) | Sts::Enforce(_), _) => (PolicyKind::Sts, domain.to_owned()),
        (Dane::Insecure | Dane::Absent, Sts::None | Sts::Awaited, _) => {
            (PolicyKind::NoPolicy, domain.to_owned())
        }
    }
}

/// The policy as a report repeats it (RFC 8460 §4.4, `policy-string`).
pub fn policy_strings(evidence: &Evidence) -> Vec<String> {
    match &evidence.dane {
        Dane::Usable { records, .. } => records.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

impl TlsAttempt {
    /// Whether a policy of the recipient's side that was in force forbade the mail.
    pub fn was_refused(&self) -> bool {
        matches!(&self.went, Went::Failed { clear: false, .. })
            && !matches!(self.rule.demand, Demand::Clear | Demand::Opportunistic)
    }
}
