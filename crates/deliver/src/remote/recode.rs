//! A message with eight bits for a server that takes seven (RFC 6152 §3).

use mail::downgrade::to_seven_bit;
use queue::params::EnvelopeParams;
use store::contract::{Result, StoreError};

use super::Remote;
use super::letter::Letter;
use crate::limits::RECODED_BYTES;

/// Origins whose messages are ours to change: nobody has signed them on the way to us.
const OURS: [&str; 3] = ["submitted", "local-user", "generated"];

/// The same letter in seven bits; `None` when that cannot be, or is not ours to do.
///
/// # Errors
/// Those of the store.
pub async fn seven_bits(
    remote: &Remote,
    letter: &Letter,
    envelope: &EnvelopeParams,
) -> Result<Option<Letter>> {
    if letter.bytes() > RECODED_BYTES {
        return Ok(None);
    }
    // Each is in memory as a whole.
    let turn = remote.recoding.acquire().await;
    let body = match letter.whole_body().await {
        Ok(body) => body,
        Err(StoreError::Damaged(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let ours = OURS.contains(&envelope.origin.as_str());
    let recoded = tokio::task::spawn_blocking(move || recode(body, ours)).await;
    drop(turn);
    Ok(recoded.ok().flatten().map(|body| letter.recoded(body)))
}

fn recode(body: Vec<u8>, ours: bool) -> Option<Vec<u8>> {
    // It was announced as eight bits and has only seven.
    if body.is_ascii() {
        return Some(body);
    }
    if !ours {
        return None;
    }
    to_seven_bit(&body).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_changed() {
        let plain = b"Subject: x\r\n\r\nplain\r\n".to_vec();
        let eight = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngr\u{fc}n\r\n";
        assert_eq!(recode(plain.clone(), false), Some(plain));
        assert_eq!(recode(eight.as_bytes().to_vec(), false), None);
        let ours = recode(eight.as_bytes().to_vec(), true).unwrap();
        assert!(ours.is_ascii());
        let header_too = "Subject: gr\u{fc}n\r\n\r\nx\r\n";
        assert_eq!(recode(header_too.as_bytes().to_vec(), true), None);
    }
}
