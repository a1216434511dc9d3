//! Whether a name that a wildcard answered for really has no records of its own (RFC 4035 §5.3.4).
//!
//! The validator of hickory 0.26 calls every wildcard answer of a zone with NSEC bogus, and every alias whose target lacks the type;
//! here such answers get a second look. Signatures were checked before: what comes here is secure record by record.

use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, NSEC, RRSIG};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

/// Whether the secure records of this type at `name` may stand there: signed for this very name, or for a wildcard above it while
/// nothing closer exists.
pub(super) fn may_stand(message: &Message, name: &Name, kind: RecordType) -> bool {
    let signatures = message.answers.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature))
            if record.name == *name && record.proof == Proof::Secure =>
        {
            Some(signature)
        }
        _ => None,
    });
    let mut of_kind = signatures
        .filter(|signature| signature.input().type_covered == kind)
        .peekable();
    // The weakest signature counts: the one that leaves most names unproven.
    of_kind.peek().is_some() && of_kind.all(|signature| stands_by(message, name, signature))
}

fn stands_by(message: &Message, name: &Name, signature: &RRSIG) -> bool {
    let labels = signature.input().num_labels;
    if labels >= name.num_labels() {
        return true;
    }
    message.authorities.iter().any(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => {
            record.proof == Proof::Secure
                && signature.input().signer_name.zone_of(&record.name)
                && proves_nothing_closer(&record.name, nsec, name, usize::from(labels))
        }
        _ => false,
    })
}

/// Whether there is no name in the zone between a wildcard's parent, of this many labels, and `name`.
///
/// The record says that nothing is between its owner and the next name. So the closest name that exists above `name` is what it
/// shares with either of them; that must not be longer than the wildcard's parent.
fn proves_nothing_closer(owner: &Name, nsec: &NSEC, name: &Name, parent_labels: usize) -> bool {
    let next = nsec.next_domain_name();
    let last = next <= owner && next.zone_of(name);
    let covers = name > owner && (name < next || last);
    // A delegation or a DNAME says nothing of what is below it (RFC 6840 §4.1).
    if !covers || (nsec.is_ancestor_delegation() && owner.zone_of(name)) {
        return false;
    }
    shared_labels(owner, name) <= parent_labels && shared_labels(next, name) <= parent_labels
}

/// How many labels two names have in common, counted from the root.
fn shared_labels(one: &Name, other: &Name) -> usize {
    let of = |name: &Name| -> Vec<Vec<u8>> { name.to_lowercase().iter().map(<[u8]>::to_vec).collect() };
    let (one, other) = (of(one), of(other));
    one.iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(one, other)| one == other)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    #[test]
    fn a_wildcard_answers_only_where_nothing_closer_exists() {
        let (a, ns, soa) = (RecordType::A, RecordType::NS, RecordType::SOA);
        let dname = RecordType::DNAME;
        // Owner, next name, its types, the name that was asked for, labels of the wildcard's parent.
        let table: [(&str, &str, &[RecordType], &str, usize, bool); 13] = [
            ("*.wild.z.", "www.z.", &[a], "x.wild.z.", 2, true),
            ("*.wild.z.", "www.z.", &[a], "b.x.wild.z.", 2, true),
            ("*.wild.z.", "www.z.", &[a], "X.Wild.z.", 2, true),
            ("a.wild.z.", "www.z.", &[a], "x.wild.z.", 2, true),
            // The record must cover the name.
            ("*.wild.z.", "b.wild.z.", &[a], "x.wild.z.", 2, false),
            ("y.wild.z.", "www.z.", &[a], "x.wild.z.", 2, false),
            // Something closer exists: sub.wild.z, as an owner, as the next name, as an empty non-terminal.
            ("sub.wild.z.", "www.z.", &[a], "x.sub.wild.z.", 2, false),
            ("a.sub.wild.z.", "www.z.", &[a], "x.sub.wild.z.", 2, false),
            ("*.wild.z.", "y.sub.wild.z.", &[a], "x.sub.wild.z.", 2, false),
            // The last record of the zone leads back to its beginning.
            ("m.z.", "z.", &[a], "x.z.", 1, true),
            ("m.z.", "y.", &[a], "x.z.", 1, false),
            // A parent's delegation and a DNAME say nothing of what is below.
            ("z.", "zz.", &[ns], "x.z.", 1, false),
            ("z.", "zz.", &[dname, soa], "x.z.", 1, false),
        ];
        for (owner, next, types, asked, labels, expected) in table {
            let nsec = NSEC::new(name(next), types.iter().copied());
            let proven = proves_nothing_closer(&name(owner), &nsec, &name(asked), labels);
            assert_eq!(proven, expected, "{owner} NSEC {next} for {asked}");
        }
    }
}
