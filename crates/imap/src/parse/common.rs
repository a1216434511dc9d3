//! Pieces of grammar that several commands share.

use std::num::NonZeroU32;

use super::Trouble;
use super::chars;
use super::cursor::{Cursor, Parsed};
use crate::date::{Date, DateTime};
use crate::flag::Flag;
use crate::limits;
use crate::set::{Bound, SequenceSet};

/// `sequence-set = (seq-number / seq-range) *("," sequence-set)`, `seq-range = seq-number ":" seq-number`,
/// `seq-number = nz-number / "*"`, `sequence-set =/ "$"` (RFC 5182 §5; it stands alone, as a saved result is a whole set)
pub(super) fn sequence_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    if cursor.eat(b'$') {
        cursor.token()?;
        return Ok(SequenceSet::saved());
    }
    let mut ranges = Vec::new();
    loop {
        let from = bound(cursor)?;
        let to = if cursor.eat(b':') { bound(cursor)? } else { from };
        ranges.push((from, to));
        if !cursor.eat(b',') {
            return SequenceSet::new(ranges).ok_or(Trouble::bad("Message numbers are missing"));
        }
    }
}

/// `seq-number = nz-number / "*"`
pub(super) fn bound(cursor: &mut Cursor<'_>) -> Parsed<Bound> {
    cursor.token()?;
    if cursor.eat(b'*') {
        return Ok(Bound::Largest);
    }
    // No call to `number`: a range costs one token for each bound, not two.
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let number: Option<NonZeroU32> = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    number
        .map(Bound::Number)
        .ok_or(Trouble::bad("A message number is missing, 0, or too large"))
}

/// `flag-list = "(" [flag *(SP flag)] ")"`
pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    let flags = cursor.list(flag)?;
    Ok(flags.into_iter().flatten().collect())
}

/// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension`
///
/// No extension exists, so an unknown one is refused. `None` is [`quirk_recent_as_flag`].
pub(super) fn flag(cursor: &mut Cursor<'_>) -> Parsed<Option<Flag>> {
    if !cursor.eat(b'\\') {
        return keyword(cursor).map(Some);
    }
    let name = cursor.atom()?;
    if quirk_recent_as_flag(name) {
        return Ok(None);
    }
    Flag::system(name)
        .map(Some)
        .ok_or(Trouble::bad("Unknown system flag"))
}

/// Leniency: `\Recent` in STORE and APPEND, which RFC 3501 forbids and clients that copy mail send; it is ignored, since only the
/// server gives it.
fn quirk_recent_as_flag(name: &str) -> bool {
    name.eq_ignore_ascii_case("Recent")
}

/// `flag-keyword = atom`
pub(super) fn keyword(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    let name = cursor.atom()?;
    Flag::keyword(name).ok_or(Trouble::bad("A keyword is too long"))
}

/// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = date-day "-" date-month "-" date-year`
pub(super) fn date(cursor: &mut Cursor<'_>) -> Parsed<Date> {
    cursor.token()?;
    let quoted = cursor.eat(b'"');
    let day = digits(cursor, 1, 2)?;
    let date = date_after_day(cursor, day)?;
    if quoted {
        cursor.need(b'"', WRONG_DATE)?;
    }
    Ok(date)
}

const WRONG_DATE: &str = "A date looks like 1-Feb-1994";
const WRONG_MOMENT: &str = "A date and time looks like \"17-Jul-1996 02:44:25 -0700\"";

fn date_after_day(cursor: &mut Cursor<'_>, day: u16) -> Parsed<Date> {
    cursor.need(b'-', WRONG_DATE)?;
    let month = Date::month_named(cursor.take_while(|byte| byte.is_ascii_alphabetic()));
    cursor.need(b'-', WRONG_DATE)?;
    let year = digits(cursor, 4, 4)?;
    let date = month.and_then(|month| Date::new(year, month, day as u8));
    date.ok_or(Trouble::bad(WRONG_DATE))
}

/// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`, `date-day-fixed = (SP DIGIT) / 2DIGIT`,
/// `time = 2DIGIT ":" 2DIGIT ":" 2DIGIT`, `zone = ("+" / "-") 4DIGIT`
///
/// A day of one digit without the space is accepted too: it can mean nothing else.
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Parsed<DateTime> {
    cursor.token()?;
    cursor.need(b'"', WRONG_MOMENT)?;
    cursor.eat(b' ');
    let day = digits(cursor, 1, 2)?;
    let date = date_after_day(cursor, day)?;
    cursor.need(b' ', WRONG_MOMENT)?;
    let hour = digits(cursor, 2, 2)?;
    cursor.need(b':', WRONG_MOMENT)?;
    let minute = digits(cursor, 2, 2)?;
    cursor.need(b':', WRONG_MOMENT)?;
    let second = digits(cursor, 2, 2)?;
    cursor.need(b' ', WRONG_MOMENT)?;
    let west = cursor.peek() == Some(b'-');
    if !west && cursor.peek() != Some(b'+') {
        return Err(Trouble::bad(WRONG_MOMENT));
    }
    cursor.eat(if west { b'-' } else { b'+' });
    let zone = digits(cursor, 4, 4)?;
    cursor.need(b'"', WRONG_MOMENT)?;
    let minutes = (zone / 100 * 60 + zone % 100) as i16;
    let zone_minutes = if west { -minutes } else { minutes };
    let moment = DateTime::new(date, hour as u8, minute as u8, second as u8, zone_minutes);
    moment.ok_or(Trouble::bad(WRONG_MOMENT))
}

/// So many digits; the largest is 9999.
fn digits(cursor: &mut Cursor<'_>, least: usize, most: usize) -> Parsed<u16> {
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let fits = (least..=most).contains(&digits.len());
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    number.filter(|_| fits).ok_or(Trouble::bad(WRONG_DATE))
}

/// A text that must be UTF-8: `astring` in SEARCH, values in ID.
pub(super) fn utf8(octets: &[u8]) -> Parsed<String> {
    let text = std::str::from_utf8(octets).map_err(|_| Trouble::bad("A text is not valid UTF-8"))?;
    Ok(text.to_owned())
}

/// `header-fld-name = astring`, a field name as RFC 5322 §2.2 allows.
pub(super) fn field_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let name = cursor.astring()?;
    let clean = !name.is_empty()
        && name
            .iter()
            .all(|&byte| matches!(byte, 0x21..=0x7e) && byte != b':');
    if clean {
        utf8(&name)
    } else {
        Err(Trouble::bad("A header field name has a forbidden character"))
    }
}

/// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7)
pub(super) fn object_id(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let id = cursor.run_of(is_in, "An object identifier is missing")?;
    if id.len() > 255 {
        Err(Trouble::bad("An object identifier is too long"))
    } else {
        utf8(id)
    }
}

/// Part numbers of a section are limited like nesting.
pub(super) const PART_LEVELS: usize = limits::DEPTH as usize;

/// A name of capabilities, options and items: `chars::is_atom_char` up to a bracket or parenthesis.
pub(super) fn item_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let is_in = |byte: u8| chars::is_atom_char(byte) && !matches!(byte, b'[' | b'<');
    let name = cursor.run_of(is_in, "A name is missing")?;
    Ok(utf8(name)?.to_ascii_uppercase())
}
