//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §4.1).

use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// `getquota = "GETQUOTA" SP quota-root-name`, `quota-root-name = astring`
pub(super) fn get_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    Ok(Command::GetQuota(cursor.astring()?.into_owned()))
}

/// `getquotaroot = "GETQUOTAROOT" SP mailbox`
pub(super) fn root_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    Ok(Command::GetQuotaRoot(cursor.mailbox()?))
}

/// `setquota = "SETQUOTA" SP quota-root-name SP setquota-list`,
/// `setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"`, `setquota-resource = resource-name SP resource-limit`
pub(super) fn set_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let root = cursor.astring()?.into_owned();
    cursor.space()?;
    cursor.list(|cursor| {
        cursor.atom()?;
        cursor.space()?;
        cursor.number64()
    })?;
    Ok(Command::SetQuota(root))
}
