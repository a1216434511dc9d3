//! `1:100` and `-1:-100` of PARTIAL (RFC 9394 §4).

use super::cursor::{Cursor, Parsed};
use crate::command::Window;

/// `partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number`; either way round
pub(super) fn window(cursor: &mut Cursor<'_>) -> Parsed<Window> {
    let from_end = cursor.eat(b'-');
    let one = cursor.nonzero()?.get();
    cursor.need(b':', WRONG)?;
    if from_end {
        cursor.need(b'-', WRONG)?;
    }
    let other = cursor.nonzero()?.get();
    Ok(Window {
        from_end,
        first: one.min(other),
        last: one.max(other),
    })
}

const WRONG: &str = "A partial range looks like 1:100 or -1:-100";
