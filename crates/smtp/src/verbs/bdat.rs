//! `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF`, `end-marker = "LAST"` (RFC 3030 §2).
//!
//! The octets of a chunk follow at once, whatever the answer: a chunk that is refused is read and thrown away. When its
//! size cannot be read nobody knows where the next command begins, so the session ends.

use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::{Session, Stage, Transaction};
use crate::steps::Step;
use crate::text::Decoder;
use crate::transfer::{Purpose, TakeChunk};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    let Some((size_bytes, last)) = read(args) else {
        let text = "Write BDAT and the chunk's size in octets, and LAST with the last: closing, since what follows is unclear";
        return Step::Close(Some(Reply::refuse(&Refusal::new(codes::BAD_ARGUMENTS, text))));
    };
    // More than any message may have is not worth reading to its end.
    if size_bytes > session.setup().max_message_bytes.saturating_mul(2) {
        let limit = session.setup().max_message_bytes;
        let text = format!("A message may have at most {limit} octets: closing, please send a smaller one");
        return Step::Close(Some(Reply::refuse(&Refusal::new(codes::TOO_LARGE, text))));
    }
    if size_bytes == 0 && !last {
        // An empty chunk leads nowhere: fine, but not for ever.
        return session.count_idle(|session| take(session, 0, false));
    }
    take(session, size_bytes, last)
}

fn take<P>(session: Session<P>, size_bytes: u64, last: bool) -> Step<P> {
    let rules = session.setup().text;
    let (session, stage) = take_stage(session);
    let (session, purpose) = match stage {
        Stage::Open(Transaction {
            recipients: 0,
            smtputf8,
        }) => {
            let text = "No recipient was taken: name one with RCPT TO:<address>";
            let stage = Stage::Open(Transaction {
                recipients: 0,
                smtputf8,
            });
            (
                session.at(stage),
                Purpose::Discard(Refusal::new(codes::NO_RECIPIENTS, text)),
            )
        }
        Stage::Open(transaction) => (
            session,
            Purpose::Text {
                transaction,
                decoder: Decoder::chunked(rules),
                last,
            },
        ),
        Stage::Chunking(transaction, decoder) => (
            session,
            Purpose::Text {
                transaction,
                decoder,
                last,
            },
        ),
        Stage::Fresh | Stage::Greeted => {
            let text = "Name sender and recipients first: MAIL and RCPT";
            (session, Purpose::Discard(Refusal::new(codes::BAD_SEQUENCE, text)))
        }
    };
    Step::Chunk(TakeChunk {
        session,
        remaining_bytes: size_bytes,
        purpose,
    })
}

fn take_stage<P>(mut session: Session<P>) -> (Session<P>, Stage) {
    let idle = if session.hello().is_some() {
        Stage::Greeted
    } else {
        Stage::Fresh
    };
    let stage = std::mem::replace(&mut session.stage, idle);
    (session, stage)
}

/// `chunk-size = 1*DIGIT`; what does not fit 64 bits is malformed.
fn read(args: &[u8]) -> Option<(u64, bool)> {
    let text = std::str::from_utf8(args).ok()?.trim_end_matches(' ');
    let (digits, last) = match text.split_once(' ') {
        Some((digits, marker)) if marker.eq_ignore_ascii_case("LAST") => (digits, true),
        Some(_) => return None,
        None => (text, false),
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits
        .then(|| digits.parse().ok())
        .flatten()
        .map(|size| (size, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smg_4_a_chunk_size_that_overflows_is_no_size() {
        let table: &[(&str, Option<(u64, bool)>)] = &[
            ("0", Some((0, false))),
            ("10 LAST", Some((10, true))),
            ("10 last ", Some((10, true))),
            ("18446744073709551615", Some((u64::MAX, false))),
            ("18446744073709551616", None),
            ("-1", None),
            ("+1", None),
            ("1 LAST LAST", None),
            ("1  LAST", None),
            ("LAST", None),
            ("", None),
            ("0x10", None),
        ];
        for (args, want) in table {
            assert_eq!(read(args.as_bytes()), *want, "{args:?}");
        }
    }
}
