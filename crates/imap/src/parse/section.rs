//! `BODY[section]<partial>` (RFC 3501 §6.4.5).

use std::num::NonZeroU32;

use super::Trouble;
use super::common::{PART_LEVELS, field_name};
use super::cursor::{Cursor, Parsed};
use crate::command::{Partial, Section, SectionText};
use crate::limits;

/// `section ["<" number "." nz-number ">"]`
pub(super) fn section_and_partial(cursor: &mut Cursor<'_>) -> Parsed<(Section, Option<Partial>)> {
    let section = section(cursor)?;
    if !cursor.eat(b'<') {
        return Ok((section, None));
    }
    let offset = cursor.number()?;
    cursor.need(b'.', "A partial looks like <0.1024>")?;
    let length = cursor.nonzero()?;
    cursor.need(b'>', "A partial looks like <0.1024>")?;
    Ok((section, Some(Partial { offset, length })))
}

/// `section = "[" [section-spec] "]"`, `section-spec = section-msgtext / (section-part ["." section-text])`,
/// `section-part = nz-number *("." nz-number)`
pub(super) fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.need(b'[', "A section in brackets is missing")?;
    if cursor.eat(b']') {
        return Ok(Section::default());
    }
    let mut part: Vec<NonZeroU32> = Vec::new();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        if part.len() == PART_LEVELS {
            return Err(Trouble::bad("A section is nested too deeply"));
        }
        part.push(cursor.nonzero()?);
        if cursor.eat(b']') {
            return Ok(Section {
                part,
                text: SectionText::All,
            });
        }
        cursor.need(b'.', UNKNOWN)?;
    }
    let text = section_text(cursor, !part.is_empty())?;
    cursor.need(b']', UNKNOWN)?;
    Ok(Section { part, text })
}

/// `section-binary = "[" [section-part] "]"` (RFC 3516 §7)
pub(super) fn of_part(section: Section) -> Parsed<Section> {
    if section.text == SectionText::All {
        Ok(section)
    } else {
        Err(Trouble::bad("BINARY takes the number of a part"))
    }
}

const UNKNOWN: &str = "Unknown section";

/// `section-text = section-msgtext / "MIME"`, `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`
fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Parsed<SectionText> {
    let name = cursor.run_of(|byte| byte.is_ascii_alphabetic() || byte == b'.', UNKNOWN)?;
    match name.to_ascii_uppercase().as_slice() {
        b"HEADER" => Ok(SectionText::Header),
        b"TEXT" => Ok(SectionText::Text),
        b"MIME" if of_part => Ok(SectionText::Mime),
        b"HEADER.FIELDS" => header_list(cursor).map(SectionText::HeaderFields),
        b"HEADER.FIELDS.NOT" => header_list(cursor).map(SectionText::HeaderFieldsNot),
        _ => Err(Trouble::bad(UNKNOWN)),
    }
}

/// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`
fn header_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.space()?;
    let names = cursor.filled_list(field_name)?;
    if names.len() > limits::HEADER_FIELDS {
        Err(Trouble::bad("Too many header fields"))
    } else {
        Ok(names)
    }
}
