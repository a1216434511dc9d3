//! Numbers in octets, read without believing them: what is damaged is `None`.

/// Appends a number, seven bits an octet.
pub(crate) fn put_varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads a number and moves on.
pub(crate) fn varint(octets: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let octet = *octets.get(*at)?;
        *at += 1;
        number |= u64::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends four octets.
pub(crate) fn put_u32(into: &mut Vec<u8>, number: usize) {
    into.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// The `n`th number of a table of four octets each.
pub(crate) fn u32_at(table: &[u8], n: usize) -> Option<usize> {
    let octets = table.get(4 * n..4 * n + 4)?;
    Some(u32::from_le_bytes(octets.try_into().ok()?) as usize)
}

/// Ascending numbers as steps.
pub(crate) fn put_ascending(into: &mut Vec<u8>, numbers: impl IntoIterator<Item = u64>) {
    let mut last = 0;
    for number in numbers {
        put_varint(into, number.saturating_sub(last));
        last = number;
    }
}

/// The numbers of [`put_ascending`], to the end of the octets.
pub(crate) fn ascending(octets: &[u8]) -> Option<Vec<u64>> {
    let (mut at, mut last) = (0, 0u64);
    let mut numbers = Vec::new();
    while at < octets.len() {
        last = last.checked_add(varint(octets, &mut at)?)?;
        numbers.push(last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn numbers_come_back(mut numbers in proptest::collection::vec(any::<u64>(), 0..50)) {
            numbers.sort_unstable();
            let mut octets = Vec::new();
            put_ascending(&mut octets, numbers.iter().copied());
            prop_assert_eq!(ascending(&octets), Some(numbers));
        }

        #[test]
        fn any_octets_are_numbers_or_not(octets in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = ascending(&octets);
        }
    }
}
