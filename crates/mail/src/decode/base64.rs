//! Base64 of mail bodies (RFC 2045 §6.8): octets outside the alphabet are skipped, `=` ends a group and decoding goes on
//! behind it (several encoded pieces are sometimes put together), a group cut short gives the octets it can.

const SKIP: u8 = 0xff;
const PAD: u8 = 0xfe;

const TABLE: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [SKIP; 256];
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b'=' as usize] = PAD;
    table
};

/// Decodes `input`. The result has at most three quarters of its length.
pub fn decode(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len() / 4 * 3 + 3);
    let mut group = 0_u32;
    let mut filled = 0;
    for byte in input {
        match TABLE[usize::from(*byte)] {
            SKIP => {}
            PAD => {
                flush(group, filled, &mut output);
                (group, filled) = (0, 0);
            }
            value => {
                group = group << 6 | u32::from(value);
                filled += 1;
                if filled == 4 {
                    output.extend_from_slice(&group.to_be_bytes()[1..]);
                    (group, filled) = (0, 0);
                }
            }
        }
    }
    flush(group, filled, &mut output);
    output
}

/// Two letters hold one octet, three hold two; one alone holds none.
fn flush(group: u32, filled: u32, output: &mut Vec<u8>) {
    match filled {
        2 => output.push((group >> 4) as u8),
        3 => output.extend_from_slice(&((group >> 2) as u16).to_be_bytes()),
        _ => {}
    }
}
