//! Failures of the store in words for the peer.

use smtp::Refusal;
use smtp::refusal::codes;
use store::contract::StoreError;

/// What to tell the client when the store did not do what was asked: always temporary, since nothing is wrong with the
/// message. What exactly happened is for the operator.
pub fn of_store(error: &StoreError) -> Refusal {
    match error {
        StoreError::Full => no_room(),
        StoreError::Busy => Refusal::new(
            codes::SYSTEM_FULL,
            "Too much is waiting here just now: please try again later",
        ),
        StoreError::Conflict(_) | StoreError::Damaged(_) | StoreError::Fatal(_) => Refusal::new(
            codes::SYSTEM_FAULT,
            "Something is wrong here and its owner is told: please try again later",
        ),
    }
}

/// 452: not now, for want of room on the disk.
pub fn no_room() -> Refusal {
    Refusal::new(
        codes::SYSTEM_FULL,
        "There is no room for mail here just now: please try again later",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::contract::Conflict;

    #[test]
    fn a_failing_store_is_never_the_senders_fault() {
        let table = [
            (StoreError::Busy, 452),
            (StoreError::Full, 452),
            (StoreError::Conflict(Conflict::AlreadyDelivered), 451),
            (StoreError::Damaged("row".to_owned()), 451),
            (StoreError::Fatal("EIO".to_owned()), 451),
        ];
        for (error, want) in table {
            let refusal = of_store(&error);
            assert_eq!(refusal.code.code(), want, "{error}");
            assert!(refusal.is_temporary());
        }
    }
}
