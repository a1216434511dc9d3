//! LOGIN (RFC 3501 §6.2.3).

use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Login, Secret};

/// `login = "LOGIN" SP userid SP password`, both `astring`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let user = cursor.astring()?.into_owned();
    cursor.space()?;
    let password = Secret::new(cursor.astring()?.into_owned());
    Ok(Command::Login(Login { user, password }))
}
