//! UIDBATCHES (RFC 10022).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, UidBatches};

/// `uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let size = cursor.nonzero()?;
    let mut wanted = None;
    if cursor.more() {
        let first = cursor.nonzero()?;
        cursor.need(b':', "Batches are counted like 1:20")?;
        let last = cursor.nonzero()?;
        if first > last {
            return Err(Trouble::bad("The first of the batches stands first"));
        }
        wanted = Some((first, last));
    }
    Ok(Command::UidBatches(UidBatches { size, wanted }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::request;

    #[test]
    fn batches_have_a_size_and_perhaps_a_range() {
        let read = |text: &str| match request(format!("a {text}\r\n").as_bytes()) {
            Ok(request) => match request.command {
                Command::UidBatches(batches) => Some((
                    batches.size.get(),
                    batches.wanted.map(|(first, last)| (first.get(), last.get())),
                )),
                other => panic!("{other:?}"),
            },
            Err(_) => None,
        };
        assert_eq!(read("UIDBATCHES 2000"), Some((2000, None)));
        assert_eq!(read("uidbatches 1000 10:20"), Some((1000, Some((10, 20)))));
        for bad in [
            "",
            " 0",
            " x",
            " 1000 0:1",
            " 1000 3:2",
            " 1000 3",
            " 1000 1:*",
            " 1000 1:2 x",
            " 4294967296",
        ] {
            assert_eq!(read(&format!("UIDBATCHES{bad}")), None, "{bad}");
        }
    }
}
