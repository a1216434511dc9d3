//! TLSA records that can be used for mail (RFC 6698 §2.1, RFC 7672 §3.1): what a certificate is held against.
//!
//! A [`TlsaRecord`] exists only with a usage, a selector and a matching type that mean something, and with as much data as they need.
//! The usages 0 and 1 (PKIX-TA, PKIX-EE) are none for mail between servers (RFC 7672 §3.1.3).

use std::fmt;

/// Octets of a record that holds a whole certificate or key. Longer ones are not used.
pub const TLSA_DATA_BYTES: usize = 16 * 1024;

/// A usable record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    usage: Usage,
    selector: Selector,
    matching: Matching,
    data: Vec<u8>,
}

/// Whom a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Usage {
    /// 2, DANE-TA: an authority in the server's chain; the certificate's name and dates count
    Authority,
    /// 3, DANE-EE: the server itself; neither name nor dates count (RFC 7672 §3.1.1)
    Server,
}

/// What of the certificate is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selector {
    /// 0: all of it
    Certificate,
    /// 1: its public key (SubjectPublicKeyInfo)
    Key,
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// 0: octet by octet
    Whole,
    /// 1
    Sha256,
    /// 2
    Sha512,
}

/// Why a record is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unusable {
    /// usage 0 or 1, which is not for mail between servers, or one that nobody has defined
    Usage(u8),
    /// nobody has defined it
    Selector(u8),
    /// nobody has defined it
    Matching(u8),
    /// too long, or not as long as the hash
    Data(usize),
}

impl TlsaRecord {
    /// From the fields of a record.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(usage: u8, selector: u8, matching: u8, data: Vec<u8>) -> Result<Self, Unusable> {
        let usage = match usage {
            2 => Usage::Authority,
            3 => Usage::Server,
            other => return Err(Unusable::Usage(other)),
        };
        let selector = match selector {
            0 => Selector::Certificate,
            1 => Selector::Key,
            other => return Err(Unusable::Selector(other)),
        };
        let (matching, fits) = match matching {
            0 => (Matching::Whole, (1..=TLSA_DATA_BYTES).contains(&data.len())),
            1 => (Matching::Sha256, data.len() == 32),
            2 => (Matching::Sha512, data.len() == 64),
            other => return Err(Unusable::Matching(other)),
        };
        if !fits {
            return Err(Unusable::Data(data.len()));
        }
        Ok(Self {
            usage,
            selector,
            matching,
            data,
        })
    }

    /// Whom it is about.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// What is compared.
    pub fn selector(&self) -> Selector {
        self.selector
    }

    /// How.
    pub fn matching(&self) -> Matching {
        self.matching
    }

    /// What it is compared with.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl fmt::Display for TlsaRecord {
    /// As in a zone file, `3 1 1 0ab1…`, in full (RFC 8460 §4.4 wants it so).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = match self.usage {
            Usage::Authority => 2,
            Usage::Server => 3,
        };
        let selector = match self.selector {
            Selector::Certificate => 0,
            Selector::Key => 1,
        };
        let matching = match self.matching {
            Matching::Whole => 0,
            Matching::Sha256 => 1,
            Matching::Sha512 => 2,
        };
        write!(f, "{usage} {selector} {matching} ")?;
        self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(0 | 1) => f.write_str("its usage (PKIX) is not for mail between servers"),
            Self::Usage(other) => write!(f, "its usage {other} is unknown"),
            Self::Selector(other) => write!(f, "its selector {other} is unknown"),
            Self::Matching(other) => write!(f, "its matching type {other} is unknown"),
            Self::Data(octets) => write!(f, "its data cannot have {octets} octets"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tls_6_only_records_that_mean_something_for_mail_are_used() {
        let hash = |count| vec![0xab; count];
        let table = [
            ((3, 1, 1, hash(32)), None),
            ((2, 0, 2, hash(64)), None),
            ((3, 0, 0, hash(700)), None),
            ((0, 1, 1, hash(32)), Some(Unusable::Usage(0))),
            ((1, 1, 1, hash(32)), Some(Unusable::Usage(1))),
            ((4, 1, 1, hash(32)), Some(Unusable::Usage(4))),
            ((255, 1, 1, hash(32)), Some(Unusable::Usage(255))),
            ((3, 2, 1, hash(32)), Some(Unusable::Selector(2))),
            ((3, 1, 3, hash(32)), Some(Unusable::Matching(3))),
            ((3, 1, 1, hash(31)), Some(Unusable::Data(31))),
            ((3, 1, 2, hash(32)), Some(Unusable::Data(32))),
            ((3, 1, 0, hash(0)), Some(Unusable::Data(0))),
            (
                (3, 0, 0, hash(TLSA_DATA_BYTES + 1)),
                Some(Unusable::Data(TLSA_DATA_BYTES + 1)),
            ),
        ];
        for ((usage, selector, matching, data), want) in table {
            let text = format!("{usage} {selector} {matching} {}", data.len());
            assert_eq!(
                TlsaRecord::new(usage, selector, matching, data).err(),
                want,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn tls_6_what_a_usable_record_says_is_what_was_read(
            usage in 0u8..5, selector in 0u8..3, matching in 0u8..4,
            data in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            if let Ok(record) = TlsaRecord::new(usage, selector, matching, data.clone()) {
                let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                prop_assert_eq!(record.to_string(), format!("{usage} {selector} {matching} {hex}"));
            }
        }
    }
}
