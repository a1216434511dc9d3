//! The classes of differences: what is known and judged. Whatever fits none of them fails the test.
//!
//! A predicate looks at the two values, at where they stand and, where that decides, at the message. None may take everything of
//! an item: a new difference has to show.

use super::compare::Difference;
use super::value::Value;

/// Who is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// We are, by the section named.
    Ours,
    /// The standard leaves it open.
    Open,
}

/// A kind of difference.
pub struct Class {
    /// What it is called.
    pub name: &'static str,
    /// The section that decides.
    pub rfc: &'static str,
    /// Who is right.
    pub verdict: Verdict,
    /// Why, in a sentence or two.
    pub why: &'static str,
    /// What recognises it.
    pub fits: fn(&Difference<'_>) -> bool,
}

/// At most thirty, and none that takes everything.
pub const CLASSES: &[Class] = &[
    Class {
        name: "A part that is not there",
        rfc: "RFC 9051 §7.5.2 (nstring)",
        verdict: Verdict::Open,
        why: "We answer NIL, Dovecot an empty string. NIL says that there is no such part; the empty string is also what an empty \
              part looks like.",
        fits: |it| it.of_part() && it.ours == Value::Nil && it.theirs == Value::Text(Vec::new()),
    },
    Class {
        name: "A number below a part that has no parts",
        rfc: "RFC 3501 §6.4.5",
        verdict: Verdict::Ours,
        why: "Only multiparts and message/rfc822 have parts within. Dovecot lets `.1` below any other part stand for the part itself.",
        fits: |it| {
            let number = it
                .item
                .strip_prefix("BODY[")
                .or_else(|| it.item.strip_prefix("BINARY"));
            let number = number
                .unwrap_or_default()
                .trim_start_matches(|c: char| !c.is_ascii_digit());
            let number = number
                .split([']', 'M', 'H', 'T'])
                .next()
                .unwrap_or_default()
                .trim_end_matches('.');
            let none = it.ours == Value::Nil || it.ours == Value::Atom(b"0".to_vec());
            it.of_part() && number.ends_with(".1") && none && it.theirs.octets().is_some() && !it.not_told()
        },
    },
    Class {
        name: "Addresses without local part or domain",
        rfc: "RFC 3501 §7.4.2",
        verdict: Verdict::Open,
        why: "Such an address cannot be told in ENVELOPE, where NIL marks groups. We tell what is missing as empty, Dovecot as \
              MISSING_MAILBOX and MISSING_DOMAIN.",
        fits: |it| it.in_envelope() && it.theirs.to_string().contains("MISSING_"),
    },
    Class {
        name: "White space in folded fields",
        rfc: "RFC 5322 §2.2.3",
        verdict: Verdict::Ours,
        why: "Unfolding takes away the line end and nothing else; Dovecot makes one space of all white space in Subject, and leaves \
              the white space before a value that begins on its second line. Searches of the header compare with one space for all.",
        fits: |it| {
            let (ours, theirs) = (squeezed(&it.ours), squeezed(&it.theirs));
            (it.in_envelope() && ours.is_some() && ours == theirs)
                || (it.of_search() && it.needle().contains("  "))
        },
    },
    Class {
        name: "A field that stands twice",
        rfc: "RFC 5322 §3.6",
        verdict: Verdict::Open,
        why: "These fields may stand once. We tell the first; Dovecot tells the last of those with text, and the addresses of all.",
        fits: |it| it.in_envelope() && it.fields_at_path().iter().any(|field| it.count_of(field) > 1),
    },
    Class {
        name: "The charset of a text without one",
        rfc: "RFC 2046 §4.1.2, RFC 3501 §7.4.2",
        verdict: Verdict::Open,
        why: "A text/plain without charset is US-ASCII. We tell the parameters that the message has, and the default only where the \
              whole Content-Type is missing (RFC 2045 §5.2); Dovecot adds it to every text.",
        fits: |it| {
            it.of_structure() && without_default(&it.theirs).is_some_and(|theirs| theirs == lowered(&it.ours))
        },
    },
    Class {
        name: "Letters of types, encodings and parameter names",
        rfc: "RFC 2045 §5.1, RFC 3501 §7.4.2",
        verdict: Verdict::Open,
        why: "They mean the same in capitals and small letters. We tell them in small letters, Dovecot as they stand in the message.",
        fits: |it| it.of_structure() && lowered(&it.ours) == lowered(&it.theirs),
    },
    Class {
        name: "An encoding without a type",
        rfc: "RFC 2045 §6.1",
        verdict: Verdict::Open,
        why: "We tell Content-Transfer-Encoding as it stands, also where Content-Type is missing; Dovecot then tells 7bit.",
        fits: |it| {
            let octets = |value: &Value| value.octets().unwrap_or_default().to_ascii_lowercase();
            it.of_structure()
                && octets(&it.ours) == b"8bit"
                && octets(&it.theirs) == b"7bit"
                && it.count_of("content-type") == 0
        },
    },
    Class {
        name: "One language",
        rfc: "RFC 3501 §9 (body-fld-lang)",
        verdict: Verdict::Open,
        why: "One language may be told as a string or as a list of one.",
        fits: |it| it.item == "BODYSTRUCTURE" && it.theirs == Value::List(vec![it.ours.clone()]),
    },
    Class {
        name: "A message part that is encoded",
        rfc: "RFC 2046 §5.2.1",
        verdict: Verdict::Open,
        why: "message/rfc822 may not be base64 or quoted-printable. We tell such a part as application/octet-stream, which is what can \
              be saved; Dovecot as a message with nothing in it.",
        fits: |it| {
            let theirs = it.theirs.to_string();
            let encoded = ["\"base64\"", "\"quoted-printable\""]
                .iter()
                .any(|word| theirs.to_lowercase().contains(word));
            (it.of_structure() && encoded && theirs.to_lowercase().starts_with("(\"message\" \"rfc822\""))
                || (it.of_part() && (it.ours == Value::Nil || it.of_binary()) && it.holds_encoded_message())
        },
    },
    Class {
        name: "Parameters in pieces",
        rfc: "RFC 2231 §3",
        verdict: Verdict::Open,
        why: "RFC 3501 does not say whether a server joins them. We tell the parameters as they stand, Dovecot joins the pieces.",
        fits: |it| {
            it.of_structure()
                && (it.ours.to_string().contains("*0") || it.says("name*0="))
                && it.in_parameters()
        },
    },
    Class {
        name: "A multipart without parts",
        rfc: "RFC 2046 §5.1.1, RFC 2045 §5.2",
        verdict: Verdict::Open,
        why: "A multipart has at least one part. Where the boundary is missing or never comes we tell the body as plain text, so that it can be \
              read; Dovecot tells one empty part.",
        fits: |it| {
            let hollow = "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0";
            (it.of_structure()
                && it.theirs.to_string().contains(hollow)
                && !it.ours.to_string().contains(hollow))
                || (it.of_part() && it.theirs_is_empty() && it.boundary_never_comes())
                || (it.of_search() && it.ours_found() && it.boundary_never_comes())
        },
    },
    Class {
        name: "A type that cannot be read",
        rfc: "RFC 2045 §5.2",
        verdict: Verdict::Ours,
        why: "A part whose Content-Type is not valid is plain text. Dovecot tells an empty type, and does not search such a text.",
        fits: |it| {
            let theirs = it.theirs.to_string();
            (it.of_structure()
                && (theirs == "\"\"" || theirs.starts_with("(\"\"") || theirs.contains("(\"\" \"\"")))
                || (it.of_search() && it.ours_found() && it.type_is_broken())
                || (it.of_part() && it.type_is_broken())
        },
    },
    Class {
        name: "The line end before a boundary",
        rfc: "RFC 2046 §5.1.1",
        verdict: Verdict::Ours,
        why: "It belongs to the boundary. Dovecot counts it to a part that ends with the boundary of a multipart within.",
        fits: |it| {
            let more =
                |ours: &[u8], theirs: &[u8]| theirs.strip_prefix(ours).is_some_and(|rest| rest == b"\r\n");
            let texts = matches!((it.ours.octets(), it.theirs.octets()), (Some(ours), Some(theirs)) if more(ours, theirs));
            let sizes = matches!((it.ours.number(), it.theirs.number()), (Some(ours), Some(theirs)) if (1..=2).contains(&(theirs - ours)));
            (it.of_part() && texts && !it.item.contains("MIME"))
                || ((it.of_structure() || it.of_binary()) && sizes)
        },
    },
    Class {
        name: "The empty line of a part without body",
        rfc: "RFC 2046 §5.1.1",
        verdict: Verdict::Open,
        why: "Between the header of a part and a boundary that follows at once there is one line end: of the header, or of the boundary.",
        fits: |it| {
            let both = (it.ours.octets(), it.theirs.octets());
            let ended =
                |one: &[u8], other: &[u8]| one.strip_prefix(other).is_some_and(|rest| rest == b"\r\n");
            let differ =
                matches!(both, (Some(ours), Some(theirs)) if ended(ours, theirs) || ended(theirs, ours));
            it.of_part() && it.item.contains("MIME") && differ
        },
    },
    Class {
        name: "A day of one digit",
        rfc: "RFC 3501 §9 (date-day-fixed)",
        verdict: Verdict::Open,
        why: "In INTERNALDATE it is written with a space or a zero before it.",
        fits: |it| {
            let text =
                |value: &Value| String::from_utf8_lossy(value.octets().unwrap_or_default()).into_owned();
            it.item == "INTERNALDATE" && text(&it.ours).replacen(' ', "0", 1) == text(&it.theirs)
        },
    },
    Class {
        name: "Names and addresses that break the grammar",
        rfc: "RFC 5322 §3.4, §4.4",
        verdict: Verdict::Open,
        why: "We keep the words behind an address as a part of its name, take a comment behind it for the name when there is no other, and \
              keep what stands around white space in a domain; Dovecot drops them.",
        fits: |it| {
            let (ours, theirs) = (it.ours.to_string(), it.theirs.to_string());
            let searched =
                ["SEARCH FROM", "SEARCH TO", "SEARCH CC", "SEARCH BCC"].contains(&it.item.as_str());
            (searched && it.ours_found() && it.says(&it.needle()))
                || it.in_envelope()
                    && it.in_addresses()
                    && (theirs == "NIL"
                        || theirs.contains("SYNTAX_ERROR")
                        || ours.len() != theirs.len()
                        || it.encoded_word_has_an_at())
        },
    },
    Class {
        name: "Parameters that break the grammar",
        rfc: "RFC 2045 §5.1",
        verdict: Verdict::Open,
        why: "Quotes without end, parameters without name or `=`, comments between them: each server reads on where it can. What is lost to \
              neither of the two is told alike.",
        fits: |it| it.of_structure() && it.in_parameters(),
    },
    Class {
        name: "No empty line behind the header",
        rfc: "RFC 3501 §6.4.5",
        verdict: Verdict::Open,
        why: "A message that ends with its header has no empty line. We end every HEADER.FIELDS and HEADER.FIELDS.NOT with one; Dovecot only the first, and that \
              not in a message within.",
        fits: |it| {
            let within = it.ours == Value::Text(b"\r\n".to_vec()) && it.theirs_is_empty();
            (it.item.contains("HEADER.FIELDS.NOT") && !it.says("\r\n\r\n"))
                || (it.item.contains("HEADER.FIELDS") && within && it.says("message/rfc822"))
        },
    },
    Class {
        name: "Boundaries that break the grammar",
        rfc: "RFC 2046 §5.1.1",
        verdict: Verdict::Open,
        why: "One boundary begins another, comes back within itself, stands in the header of a part, or has text behind it. We take the longest boundary that is open and \
              end a header only at its empty line; Dovecot decides otherwise, and not always alike.",
        fits: |it| {
            let searched = it.of_search() && it.ours_found() && !it.found_in_message_within();
            (it.of_structure() || it.of_part() || searched) && it.boundaries_break_the_grammar()
        },
    },
    Class {
        name: "SENTBEFORE and messages without date",
        rfc: "RFC 3501 §6.4.4",
        verdict: Verdict::Ours,
        why: "The key compares the Date field. A message whose Date is missing or unreadable matches none of the three; to Dovecot it was sent in 1970.",
        fits: |it| it.item == "SEARCH SENTBEFORE" && !it.ours_found(),
    },
    Class {
        name: "BODY and the headers of messages within",
        rfc: "RFC 3501 §6.4.4",
        verdict: Verdict::Open,
        why: "The header of a message within is text of the message that holds it. We find words there, with the names of its fields; Dovecot finds some of them.",
        fits: |it| it.item == "SEARCH BODY" && it.ours_found() && it.found_in_message_within(),
    },
    Class {
        name: "Orders by texts outside ASCII",
        rfc: "RFC 5256 §2.1, RFC 2047 §5",
        verdict: Verdict::Open,
        why: "Octets above 127 stand in a header without a charset. We read those that are not UTF-8 as windows-1252, so they sort and thread with the \
              same words in encoded form; Dovecot does not read them.",
        fits: |it| it.of_order() && it.has_words_outside_ascii(),
    },
    Class {
        name: "Orders by addresses that break the grammar",
        rfc: "RFC 5256 §3, RFC 5957",
        verdict: Verdict::Open,
        why: "What ENVELOPE tells as empty sorts first; MISSING_MAILBOX sorts under M. Names behind an address, within broken quotes, or that begin with a space \
              differ likewise.",
        fits: |it| it.of_order() && it.sorted_address_is_odd(),
    },
    Class {
        name: "Dates that break the grammar",
        rfc: "RFC 5322 §3.3, RFC 5256 §2.2",
        verdict: Verdict::Open,
        why: "Hours, minutes or zones of another form, a comma that is missing, or a year that is neither 19xx nor 20xx: a date to one server and none to the \
              other. In orders and threads the date of arrival counts without one, for the message and for those that it stands beside.",
        fits: |it| {
            let sorted = it.item.starts_with("SORT") && it.item.contains("DATE");
            let sent = it.item.starts_with("SEARCH SENT") && it.ours_found();
            (sorted || sent || it.item == "THREAD ORDEREDSUBJECT") && it.date_is_odd()
        },
    },
    Class {
        name: "BINARY of a part with parts",
        rfc: "RFC 3516 §4.2",
        verdict: Verdict::Ours,
        why: "BINARY undoes the encoding of the part that is named, and a multipart or a message has none. Dovecot decodes the parts within too, \
              so that their header lines say what is not so any more, and tells sizes below zero.",
        fits: |it| {
            it.of_binary()
                && it.says("multipart/")
                && !it.not_told()
                && (it.ours_is_longer() || it.theirs_is_below_zero())
        },
    },
    Class {
        name: "Texts that are not well encoded",
        rfc: "RFC 3516 §4.3, RFC 2045 §6.8",
        verdict: Verdict::Open,
        why: "We give, and find, what can be decoded, and read gb2312 and euc-kr as what they grew into (WHATWG Encoding); Dovecot refuses BINARY, and finds \
              nothing behind the first octet that does not fit.",
        fits: |it| {
            let searched = it.of_search() && it.ours_found() && it.says("encoding: base64");
            (it.of_binary() && it.not_told()) || (searched && (it.base64_goes_on() || it.charset_grew()))
        },
    },
    Class {
        name: "message/global",
        rfc: "RFC 6532 §3.7, RFC 9051 §7.5.2",
        verdict: Verdict::Ours,
        why: "It has a header and a text like message/rfc822; Dovecot does not look into it.",
        fits: |it| it.of_part() && it.theirs_is_empty() && it.says("message/global"),
    },
];

impl Difference<'_> {
    fn of_part(&self) -> bool {
        let starts = ["BODY[", "BINARY[", "BINARY.SIZE["];
        let section = starts.iter().find_map(|start| self.item.strip_prefix(start));
        section.is_some_and(|section| section.starts_with(|c: char| c.is_ascii_digit()))
    }

    fn of_structure(&self) -> bool {
        self.item == "BODY" || self.item == "BODYSTRUCTURE"
    }

    fn of_search(&self) -> bool {
        self.item.starts_with("SEARCH ")
    }

    /// Dovecot refused the item.
    fn not_told(&self) -> bool {
        self.theirs == Value::Atom(b"not told".to_vec())
    }

    /// By octets, or by the size that is told.
    fn ours_is_longer(&self) -> bool {
        let text = |value: &Value| value.octets().map_or(0, <[u8]>::len);
        match (self.ours.number(), self.theirs.number()) {
            (Some(ours), Some(theirs)) => ours > theirs,
            _ => text(&self.ours) > text(&self.theirs),
        }
    }

    /// A size that was counted below zero, as an unsigned number.
    fn theirs_is_below_zero(&self) -> bool {
        let told = self
            .theirs
            .octets()
            .and_then(|octets| std::str::from_utf8(octets).ok());
        told.and_then(|number| number.parse::<u64>().ok())
            .is_some_and(|number| number > i64::MAX as u64)
    }

    fn theirs_is_empty(&self) -> bool {
        self.theirs == Value::Text(Vec::new()) || self.theirs.number() == Some(0)
    }

    fn of_binary(&self) -> bool {
        self.item.starts_with("BINARY")
    }

    fn of_order(&self) -> bool {
        self.item.starts_with("SORT ") || self.item.starts_with("THREAD ")
    }

    /// Not `[day ","] 1*2DIGIT month 4DIGIT 2DIGIT ":" 2DIGIT [":" 2DIGIT] zone`, or a year that cannot be.
    fn date_is_odd(&self) -> bool {
        let header = self.header();
        let date = header
            .lines()
            .find_map(|line| line.strip_prefix("date:"))
            .unwrap_or_default();
        let date = date.split_once(',').map_or(date, |(_, rest)| rest);
        let words: Vec<&str> = date.split_whitespace().collect();
        let digits = |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
        let two = |word: &str| word.len() == 2 && digits(word);
        let zone = |word: &str| match word.strip_prefix(['+', '-']) {
            Some(offset) => offset.len() == 4 && digits(offset),
            None => word.bytes().all(|octet| octet.is_ascii_alphabetic()),
        };
        let whole = matches!(words.as_slice(), [day, month, _, time, offset, ..]
            if digits(day) && month.len() == 3 && time.split(':').all(two) && zone(offset));
        !whole || self.year_is_odd()
    }

    fn year_is_odd(&self) -> bool {
        let header = self.header();
        let date = header
            .lines()
            .find_map(|line| line.strip_prefix("date:"))
            .unwrap_or_default();
        let year = date
            .split_whitespace()
            .find(|word| word.len() == 4 && word.bytes().all(|octet| octet.is_ascii_digit()));
        year.is_none_or(|year| !year.starts_with("19") && !year.starts_with("20"))
    }

    /// The header of the message, in small letters, unfolded.
    fn header(&self) -> String {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let header = message.split("\r\n\r\n").next().unwrap_or_default();
        header.replace("\r\n\t", " ").replace("\r\n ", " ")
    }

    /// Subject, From or To with encoded words or octets above 127.
    fn has_words_outside_ascii(&self) -> bool {
        let header = self.header();
        let mut fields = header.lines().filter(|line| {
            ["subject:", "from:", "to:"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        fields.any(|field| field.contains("=?") || !field.is_ascii())
    }

    /// The field that is sorted by has an address without local part or domain, or with quotes, commas or comments where none belong.
    fn sorted_address_is_odd(&self) -> bool {
        let field = match self.item.as_str() {
            "SORT FROM" | "SORT DISPLAYFROM" => "from:",
            "SORT TO" | "SORT DISPLAYTO" => "to:",
            "SORT CC" => "cc:",
            _ => return false,
        };
        let header = self.header();
        let value = header
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap_or_default()
            .trim();
        let angle = value
            .split_once('<')
            .map_or("", |(_, rest)| rest.split('>').next().unwrap_or_default());
        let odd = [",", "@", "\"\""].iter().any(|start| value.starts_with(start));
        let behind = value
            .split_once('>')
            .is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with([',', ' ']));
        let blank = value.starts_with("\" ");
        let marks = [':', ';', '`', '[']
            .iter()
            .any(|mark| angle.contains(*mark) || value.starts_with(*mark));
        let unknown = value.contains("undisclosed-recipients");
        odd || behind
            || blank
            || marks
            || unknown
            || !value.contains('@')
            || angle.contains(' ')
            || value.contains("<>")
            || value.contains('(')
    }

    fn ours_found(&self) -> bool {
        self.ours == Value::Atom(b"found".to_vec())
    }

    /// ENVELOPE itself, or an envelope within a structure.
    fn in_envelope(&self) -> bool {
        self.item == "ENVELOPE" || (self.of_structure() && self.path.contains(".7."))
    }

    /// The fields that the member of ENVELOPE in which the path stands is made of.
    fn fields_at_path(&self) -> &'static [&'static str] {
        let path = match self.item.as_str() {
            "ENVELOPE" => self.path.as_str(),
            _ => self.path.rsplit_once(".7").map_or("", |(_, path)| path),
        };
        match path.split('.').nth(1) {
            Some("0") => &["date"],
            Some("1") => &["subject"],
            Some("2") => &["from"],
            Some("3") => &["sender", "from"],
            Some("4") => &["reply-to", "from"],
            Some("5") => &["to"],
            Some("6") => &["cc"],
            Some("7") => &["bcc"],
            Some("8") => &["in-reply-to"],
            Some("9") => &["message-id"],
            _ => &[],
        }
    }

    /// How often a field stands in the message: its header, for an envelope within anywhere.
    fn count_of(&self, field: &str) -> usize {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let header = if self.item == "ENVELOPE" {
            message.split("\r\n\r\n").next().unwrap_or_default()
        } else {
            &message
        };
        let is_field = |line: &&str| {
            line.strip_prefix(field)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        };
        header.lines().filter(is_field).count()
    }

    /// The path ends in the parameters of a type or of a disposition.
    fn in_parameters(&self) -> bool {
        let path: Vec<&str> = self.path.split('.').skip(1).collect();
        let place = |from_end: usize| {
            path.len()
                .checked_sub(from_end)
                .and_then(|at| path.get(at))
                .copied()
        };
        let places = [place(1), place(2)];
        places.contains(&Some("2"))
            || (places.contains(&Some("1")) && (place(2) == Some("8") || place(2) == Some("9")))
    }

    /// An encoded word in the header with an `@`, which reads like an address.
    fn encoded_word_has_an_at(&self) -> bool {
        let header = self.header();
        let words = header.split("=?").skip(1);
        words
            .filter_map(|rest| rest.split("?=").next())
            .any(|word| word.contains('@'))
    }

    /// From, Sender, Reply-To, To, Cc or Bcc.
    fn in_addresses(&self) -> bool {
        let fields = self.fields_at_path();
        !fields.is_empty() && !["date", "subject", "in-reply-to", "message-id"].contains(&fields[0])
    }

    /// What was searched for stands in the header of a message that the message holds.
    fn found_in_message_within(&self) -> bool {
        let holders = ["message/rfc822", "multipart/digest", "text/rfc822-headers"];
        holders.iter().any(|holder| self.says(holder)) && self.fields_within().contains(&self.needle())
    }

    /// What was searched for, in small letters.
    fn needle(&self) -> String {
        let (_, words) = self.path.split_once(' ').unwrap_or_default();
        words.trim_matches('"').to_lowercase()
    }

    /// The lines of the message in small letters, each with whether it is in the header of a part or of a message within.
    fn lines(&self) -> Vec<(String, bool)> {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let boundaries = boundaries(&message);
        let (mut top, mut within, mut told) = (true, false, Vec::new());
        for line in message.split("\r\n") {
            let bound = boundaries
                .iter()
                .any(|boundary| line.starts_with(&format!("--{boundary}")));
            told.push((line.to_owned(), within));
            within = match line {
                _ if bound => true,
                "" => false,
                _ => within,
            };
            if line.is_empty() {
                // The header of a message within follows the empty line of its part.
                let before = told.iter().rev().skip(1).take_while(|(_, header)| *header || top);
                let mut before = before.map(|(line, _)| line);
                within = before.any(|line| line.starts_with("content-type: message/"));
                top = false;
            }
        }
        told
    }

    /// All lines behind the header that look like fields, or go on one.
    fn fields_within(&self) -> String {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let body = message.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let fields = body.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            line.starts_with([' ', '\t']) || (line.contains(':') && !name.contains(' '))
        });
        fields.collect::<Vec<_>>().join("\n")
    }

    fn boundaries_break_the_grammar(&self) -> bool {
        let message = String::from_utf8_lossy(self.message()).into_owned();
        let found = boundaries(&message);
        let clash = |at: usize, boundary: &String| {
            let mut others = found.iter().enumerate().filter(|(other, _)| *other != at);
            others.any(|(_, other)| other.starts_with(boundary.as_str()))
        };
        let runs_on = found.iter().any(|boundary| {
            let last = format!("\r\n--{boundary}--");
            let rest = message.split(last.as_str()).nth(1).unwrap_or_default();
            !rest.is_empty() && !rest.starts_with([' ', '\t', '\r'])
        });
        let in_header = self.lines().iter().any(|(line, header)| {
            *header
                && found
                    .iter()
                    .any(|boundary| line.starts_with(&format!("--{}", boundary.to_lowercase())))
        });
        runs_on || in_header || found.iter().enumerate().any(|(at, boundary)| clash(at, boundary))
    }

    fn says(&self, word: &str) -> bool {
        String::from_utf8_lossy(self.message())
            .to_lowercase()
            .contains(word)
    }

    fn holds_encoded_message(&self) -> bool {
        self.says("message/rfc822")
            && (self.says("encoding: base64") || self.says("encoding: quoted-printable"))
    }

    fn charset_grew(&self) -> bool {
        ["gb2312", "euc-kr"]
            .iter()
            .any(|name| self.says(&format!("charset=\"{name}\"")) || self.says(&format!("charset={name}")))
    }

    /// Behind the base64 of a part there is text that is none.
    fn base64_goes_on(&self) -> bool {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let boundaries = boundaries(&message);
        let parts = message.split("encoding: base64").skip(1);
        parts
            .filter_map(|part| part.split_once("\r\n\r\n"))
            .any(|(_, body)| {
                let ours = |line: &&str| {
                    !boundaries
                        .iter()
                        .any(|boundary| line.starts_with(&format!("--{boundary}")))
                };
                let text = |octet: u8| !octet.is_ascii_alphanumeric() && !b"+/=".contains(&octet);
                body.split("\r\n")
                    .take_while(ours)
                    .any(|line| line.bytes().any(text))
            })
    }

    fn boundary_never_comes(&self) -> bool {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let found = boundaries(&message);
        let comes = |boundary: &String| message.contains(&format!("\r\n--{boundary}"));
        // A parameter at the beginning of a line is none of the field above.
        let unfolded = message.contains("\r\nboundary=");
        message.contains("multipart/") && (found.is_empty() || unfolded || !found.iter().all(comes))
    }

    /// A Content-Type without a slash, or with words behind the type that no `;` parts from it.
    fn type_is_broken(&self) -> bool {
        let message = String::from_utf8_lossy(self.message()).to_lowercase();
        let mut types = message
            .lines()
            .filter_map(|line| line.strip_prefix("content-type:"));
        let unfolded = message.replace("\r\n\t", " ").replace("\r\n ", " ");
        let unfolded = unfolded
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let unparted = ["mixed boundary=", "plain charset=", "html charset="];
        types.any(|value| !value.contains('/')) || unparted.iter().any(|words| unfolded.contains(words))
    }
}

/// The boundaries that the message names.
fn boundaries(message: &str) -> Vec<String> {
    let lower = message.to_ascii_lowercase();
    let places = lower.match_indices("boundary=").map(|(at, word)| at + word.len());
    let values = places.map(|at| match message[at..].strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => message[at..]
            .split([';', ' ', '\r', '\n', '\t'])
            .next()
            .unwrap_or_default(),
    });
    values
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Value {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Atom(octets) => std::str::from_utf8(octets).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// The words of a text.
fn squeezed(value: &Value) -> Option<String> {
    let text = String::from_utf8_lossy(value.octets()?).into_owned();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// All texts in small letters.
fn lowered(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.to_ascii_lowercase()),
        Value::List(members) => Value::List(members.iter().map(lowered).collect()),
        other => other.clone(),
    }
}

/// Parameters without the `charset us-ascii` at their end, in small letters.
fn without_default(value: &Value) -> Option<Value> {
    let rest = value.members()?.strip_suffix(&[
        Value::Text(b"charset".to_vec()),
        Value::Text(b"us-ascii".to_vec()),
    ])?;
    Some(if rest.is_empty() {
        Value::Nil
    } else {
        lowered(&Value::List(rest.to_vec()))
    })
}
