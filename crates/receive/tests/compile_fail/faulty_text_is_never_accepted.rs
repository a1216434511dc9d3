//! A message with a bare LF, CR or NUL can only be refused.

use mail::ids::QueueId;

fn accept(faulty: smtp::FaultyVerdict<()>, id: QueueId) {
    let _ = faulty.accept((), id, None);
}

fn main() {}
