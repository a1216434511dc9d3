//! THREAD and UID THREAD (RFC 5256 §3, §5).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use super::search::criteria;
use crate::command::{Command, Numbers, Thread, ThreadAlgorithm};

/// `thread = "THREAD" SP thread-alg SP search-criteria`, `thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext`
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    let algorithm = match cursor.word()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(Trouble::bad("Unknown threading algorithm")),
    };
    cursor.space()?;
    let search = criteria(cursor, numbers)?;
    Ok(Command::Thread(Thread { algorithm, search }))
}
