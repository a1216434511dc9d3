//! What happened to a recipient: one table, from status, reply code, step and the words of the answer. Pure.
//!
//! Real servers use enhanced codes loosely, so words decide where a code says little (`5.7.1`, `5.0.0`); the lines of
//! the table are tried in order, the telling ones first.

use super::{Answer, Status, Step, Told};
use Situation as S;

/// What is known of a failure.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// RFC 3463
    pub status: Status,
    /// the reply code; nothing when we found it ourselves
    pub code: Option<u16>,
    /// where in the conversation; nothing when we found it ourselves
    pub step: Option<Step>,
    /// the answer's words in small letters
    pub says: &'a str,
}

/// What happened, in kinds that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the words of each stand in `words`
pub enum Situation {
    NoSuchUser,
    Moved,
    MailboxDisabled,
    MailboxFull,
    TooLarge,
    NoSuchDomain,
    NullMx,
    BadAddress,
    SenderRefused,
    RelayRefused,
    Blocklisted,
    Spam,
    Virus,
    NotAuthenticated,
    NoReverseName,
    MembersOnly,
    ContentRefused,
    Malformed,
    RefusedByPolicy,
    TooMuchMail,
    Greylisted,
    Unreachable,
    DnsTrouble,
    NoUsableServer,
    Loop,
    NeedsUtf8,
    NeedsEightBit,
    NeedsTls,
    TlsAllTheWay,
    TlsFailed,
    SignInNeeded,
    SignInFailed,
    ServerBusy,
    ServerFull,
    TooManyRecipients,
    TimeOver,
    ListTrouble,
    ServerRefusesUs,
    ProtocolTrouble,
    RefusedForGood,
    RefusedForNow,
}

/// The evidence of a recipient in a report.
pub(super) fn of(told: &Told<'_>) -> Situation {
    let (code, step, words) = match &told.answer {
        Answer::Server {
            code, step, lines, ..
        } => (Some(*code), Some(*step), lines.join(" ").to_lowercase()),
        Answer::Ours { text, .. } => (None, None, text.to_lowercase()),
    };
    decide(Evidence {
        status: told.status(),
        code,
        step,
        says: &words,
    })
}

/// Finds the first line of the table that fits.
pub fn decide(evidence: Evidence<'_>) -> Situation {
    let fits = |rule: &&Rule| rule.fits(&evidence);
    match RULES.iter().find(fits) {
        Some(rule) => rule.then,
        None if evidence.status.class() == 4 => Situation::RefusedForNow,
        None => Situation::RefusedForGood,
    }
}

/// One line of the table: everything it names must hold.
struct Rule {
    status: Is,
    code: &'static [u16],
    step: &'static [Step],
    says: &'static [&'static str],
    then: Situation,
}

/// Which statuses a line is for.
enum Is {
    /// any
    Any,
    /// one of these (subject, detail)
    One(&'static [(u16, u16)]),
    /// one of these, and we found it ourselves
    Ours(&'static [(u16, u16)]),
    /// one that says little
    Vague,
}

/// Statuses that servers use for anything.
const VAGUE: &[(u16, u16)] = &[
    (0, 0),
    (1, 0),
    (2, 0),
    (3, 0),
    (3, 2),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (7, 1),
    (4, 1),
    (5, 4),
];

impl Rule {
    fn fits(&self, evidence: &Evidence<'_>) -> bool {
        let rest = evidence.status.rest();
        let status = match self.status {
            Is::Any => true,
            Is::One(list) => list.contains(&rest),
            Is::Ours(list) => evidence.code.is_none() && list.contains(&rest),
            Is::Vague => VAGUE.contains(&rest),
        };
        let code = self.code.is_empty() || evidence.code.is_some_and(|code| self.code.contains(&code));
        let step = self.step.is_empty() || evidence.step.is_some_and(|step| self.step.contains(&step));
        // Words of our own are no evidence: our statuses say all.
        let says = self.says.is_empty()
            || (evidence.code.is_some() && self.says.iter().any(|words| evidence.says.contains(words)));
        status && code && step && says
    }
}

const fn status(list: &'static [(u16, u16)], then: Situation) -> Rule {
    Rule {
        status: Is::One(list),
        code: &[],
        step: &[],
        says: &[],
        then,
    }
}

const fn words(says: &'static [&'static str], then: Situation) -> Rule {
    Rule {
        status: Is::Vague,
        code: &[],
        step: &[],
        says,
        then,
    }
}

const fn code(code: &'static [u16], step: &'static [Step], then: Situation) -> Rule {
    Rule {
        status: Is::Vague,
        code,
        step,
        says: &[],
        then,
    }
}

#[rustfmt::skip] // a table
const RULES: &[Rule] = &[
    // Words that are clear whatever the code.
    Rule { status: Is::Any, code: &[421, 450, 451, 452], step: &[], says: &["greylist", "graylist", "grey-list", "gray-list", "grey listed"], then: S::Greylisted },
    Rule { status: Is::Any, code: &[], step: &[], says: &["spamhaus", "spamcop", "dnsbl", "blocklist", "block list", "blacklist", "black list", "barracudacentral", "sorbs.net", "blocked using"], then: S::Blocklisted },

    // Codes that are clear whatever the words.
    status(&[(1, 1)], S::NoSuchUser),
    status(&[(1, 6)], S::Moved),
    status(&[(1, 2)], S::NoSuchDomain),
    status(&[(1, 10)], S::NullMx),
    status(&[(1, 3), (1, 4)], S::BadAddress),
    status(&[(1, 7), (1, 8), (7, 27)], S::SenderRefused),
    status(&[(2, 1)], S::MailboxDisabled),
    status(&[(2, 2)], S::MailboxFull),
    status(&[(2, 3), (3, 4)], S::TooLarge),
    status(&[(2, 4)], S::ListTrouble),
    status(&[(3, 1)], S::ServerFull),
    status(&[(4, 3)], S::DnsTrouble),
    status(&[(4, 4)], S::NoUsableServer),
    status(&[(4, 6), (4, 14)], S::Loop),
    status(&[(4, 7)], S::TimeOver),
    status(&[(4, 2), (4, 9)], S::Unreachable),
    status(&[(5, 3)], S::TooManyRecipients),
    status(&[(6, 1)], S::ContentRefused),
    status(&[(6, 3)], S::NeedsEightBit),
    status(&[(6, 7)], S::NeedsUtf8),
    status(&[(7, 2)], S::MembersOnly),
    // RFC 8689 §4.2.1: 5.7.30 is about REQUIRETLS and nothing else; 5.7.10 is when it is ours, or says so.
    status(&[(7, 30)], S::TlsAllTheWay),
    Rule { status: Is::Ours(&[(7, 10)]), code: &[], step: &[], says: &[], then: S::TlsAllTheWay },
    Rule { status: Is::One(&[(7, 10)]), code: &[], step: &[], says: &["requiretls"], then: S::TlsAllTheWay },
    status(&[(7, 4), (7, 10)], S::NeedsTls),
    status(&[(7, 5)], S::TlsFailed),
    status(&[(7, 8), (7, 9)], S::SignInFailed),
    status(&[(7, 20), (7, 21), (7, 22), (7, 23), (7, 24), (7, 26), (7, 509), (7, 515)], S::NotAuthenticated),
    status(&[(7, 25)], S::NoReverseName),
    status(&[(7, 28)], S::TooMuchMail),

    // Codes that say little: the words.
    words(&["relay access denied", "relaying denied", "relay denied", "not permitted to relay", "unable to relay", "relay not permitted", "relaying is not", "passes nothing on"], S::RelayRefused),
    words(&["user unknown", "unknown user", "no such user", "no such recipient", "no such address", "does not exist", "doesn't exist", "unknown recipient", "recipient unknown", "recipient not found", "mailbox not found", "invalid recipient", "unknown mailbox", "no mailbox", "no such mailbox", "recipient address rejected: access denied", "unrouteable address", "not our customer"], S::NoSuchUser),
    words(&["over quota", "overquota", "quota exceeded", "exceeded quota", "mailbox full", "mailbox is full", "inbox is full", "insufficient storage"], S::MailboxFull),
    words(&["account disabled", "account is disabled", "mailbox disabled", "mailbox is disabled", "account inactive", "suspended"], S::MailboxDisabled),
    words(&["too large", "too big", "size limit", "message size", "exceeds the maximum", "maximum message size"], S::TooLarge),
    words(&["virus", "malware", "infected", "phish"], S::Virus),
    words(&["reverse dns", "ptr record", "reverse hostname", "reverse name", "rdns"], S::NoReverseName),
    words(&["spf", "dkim", "dmarc", "unauthenticated"], S::NotAuthenticated),
    words(&["spam", "unsolicited", "bulk mail", "junk", "content rejected", "message content"], S::Spam),
    words(&["attachment", "file type", "file extension"], S::ContentRefused),
    words(&["reputation", "your ip", "banned", "blocked"], S::Blocklisted),
    words(&["rate limit", "too many messages", "too fast", "throttl", "user complaints", "too many connections", "rate exceeded", "temporarily deferred"], S::TooMuchMail),
    words(&["must issue a starttls", "requires tls", "encryption required", "tls required", "tls is required"], S::NeedsTls),
    words(&["certificate", "handshake", "tls"], S::TlsFailed),
    words(&["too many hops", "mail loop", "loop detected", "looping"], S::Loop),
    words(&["only members", "not a member", "non-member", "members only", "not allowed to post", "moderat"], S::MembersOnly),
    words(&["sender address rejected", "sender rejected", "invalid sender", "sender domain", "bad sender", "sender verify"], S::SenderRefused),
    words(&["too many recipients"], S::TooManyRecipients),

    // The plain reply code and the step.
    status(&[(6, 0), (6, 2), (6, 4), (6, 5), (6, 6)], S::Malformed),
    code(&[530], &[], S::SignInNeeded),
    code(&[535, 534, 538], &[], S::SignInFailed),
    code(&[551], &[], S::Moved),
    code(&[556], &[], S::NullMx),
    code(&[553], &[Step::Sender], S::SenderRefused),
    code(&[553, 501], &[Step::Recipient], S::BadAddress),
    code(&[552], &[Step::Sender, Step::Content], S::TooLarge),
    code(&[552, 452, 522], &[Step::Recipient], S::MailboxFull),
    code(&[550, 554, 521, 571], &[Step::Connection], S::ServerRefusesUs),
    status(&[(7, 0), (7, 1), (7, 3)], S::RefusedByPolicy),
    code(&[550], &[Step::Recipient], S::NoSuchUser),
    code(&[550, 554], &[Step::Sender], S::SenderRefused),
    code(&[550, 554], &[Step::Content], S::ContentRefused),
    code(&[421], &[], S::ServerBusy),
    code(&[452], &[], S::ServerFull),

    // What is left of the subjects.
    Rule { status: Is::One(&[(4, 1), (4, 0)]), code: &[], step: &[], says: &[], then: S::Unreachable },
    status(&[(3, 0), (3, 2), (3, 5), (4, 5)], S::ServerBusy),
    status(&[(3, 3), (5, 0), (5, 1), (5, 2), (5, 4), (5, 5)], S::ProtocolTrouble),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_real_servers_are_understood() {
        use Step::{Connection, Content, Recipient, Sender};
        // Wordings as Postfix, Exim, Exchange, Gmail, Yahoo and others use them.
        #[rustfmt::skip] // one line for each
        let table: &[(u16, &str, Step, &str, Situation)] = &[
            (550, "5.1.1", Recipient, "<bob@example.net>: Recipient address rejected: User unknown in virtual mailbox table", S::NoSuchUser),
            (550, "", Recipient, "Unrouteable address", S::NoSuchUser),
            (550, "", Recipient, "No.", S::NoSuchUser),
            (550, "5.4.1", Recipient, "Recipient address rejected: Access denied. [AM0PR01]", S::NoSuchUser),
            (551, "", Recipient, "User not local; please try <bob@example.org>", S::Moved),
            (550, "5.1.6", Recipient, "Moved", S::Moved),
            (550, "5.2.1", Recipient, "The email account that you tried to reach is inactive", S::MailboxDisabled),
            (554, "", Recipient, "This account is disabled", S::MailboxDisabled),
            (452, "4.2.2", Recipient, "The recipient's inbox is out of storage space", S::MailboxFull),
            (552, "", Recipient, "Requested mail action aborted", S::MailboxFull),
            (550, "", Content, "Mailbox full", S::MailboxFull),
            (552, "5.3.4", Sender, "Message size exceeds fixed limit", S::TooLarge),
            (552, "", Sender, "No", S::TooLarge),
            (552, "", Content, "5 MB is too big", S::TooLarge),
            (556, "", Recipient, "Domain does not accept mail", S::NullMx),
            (553, "", Recipient, "Malformed", S::BadAddress),
            (501, "5.1.3", Recipient, "Bad recipient address syntax", S::BadAddress),
            (550, "5.7.27", Sender, "Sender's domain has a null MX", S::SenderRefused),
            (553, "", Sender, "<x@y>: not owned by user", S::SenderRefused),
            (450, "4.1.8", Recipient, "Sender address rejected: Domain not found", S::SenderRefused),
            (554, "5.7.1", Recipient, "<bob@example.net>: Relay access denied", S::RelayRefused),
            (550, "5.7.1", Recipient, "Unable to relay", S::RelayRefused),
            (554, "5.7.1", Recipient, "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", S::Blocklisted),
            (550, "", Connection, "Your IP is on our blacklist", S::Blocklisted),
            (554, "5.7.1", Content, "Blocked by SpamAssassin", S::Spam),
            (550, "5.7.1", Content, "This message contains a virus", S::Virus),
            (550, "5.7.26", Content, "Your email has been blocked because the sender is unauthenticated.", S::NotAuthenticated),
            (550, "5.7.1", Sender, "SPF check failed", S::NotAuthenticated),
            (450, "4.7.25", Recipient, "Client host rejected: cannot find your hostname", S::NoReverseName),
            (550, "5.7.1", Recipient, "Fix reverse DNS for 192.0.2.1", S::NoReverseName),
            (550, "5.7.2", Recipient, "Not authorised", S::MembersOnly),
            (550, "5.7.1", Content, "Only members may post", S::MembersOnly),
            (552, "5.7.0", Content, "This message was blocked because its attachment type is dangerous", S::ContentRefused),
            (550, "", Content, "No", S::ContentRefused),
            (554, "5.6.0", Content, "Malformed header", S::Malformed),
            (550, "5.7.1", Recipient, "Access denied", S::RefusedByPolicy),
            (421, "4.7.28", Content, "unusual rate of mail", S::TooMuchMail),
            (421, "4.7.0", Connection, "[TSS04] Messages temporarily deferred due to user complaints", S::TooMuchMail),
            (450, "4.2.0", Recipient, "<bob@example.net>: Recipient address rejected: Greylisted", S::Greylisted),
            (451, "4.7.1", Recipient, "Greylisting in action, please come back later", S::Greylisted),
            (554, "5.4.6", Content, "Too many hops", S::Loop),
            (554, "", Content, "Too many hops", S::Loop),
            (550, "5.6.7", Sender, "SMTPUTF8 needed", S::NeedsUtf8),
            (554, "5.6.3", Sender, "8BITMIME needed", S::NeedsEightBit),
            (530, "5.7.0", Sender, "Must issue a STARTTLS command first", S::NeedsTls),
            (530, "5.7.10", Sender, "Encryption needed", S::NeedsTls),
            (554, "5.7.30", Sender, "REQUIRETLS needed", S::TlsAllTheWay),
            (530, "5.7.0", Sender, "Authentication required", S::SignInNeeded),
            (535, "5.7.8", Connection, "Error: authentication failed", S::SignInFailed),
            (421, "", Connection, "Service not available", S::ServerBusy),
            (451, "4.3.0", Recipient, "Temporary lookup failure", S::ServerBusy),
            (452, "4.3.1", Sender, "Insufficient system storage", S::ServerFull),
            (452, "4.5.3", Recipient, "Too many recipients", S::TooManyRecipients),
            (554, "", Connection, "No SMTP service here", S::ServerRefusesUs),
            (503, "5.5.1", Sender, "Bad sequence", S::ProtocolTrouble),
            (599, "", Recipient, "No", S::RefusedForGood),
            (450, "", Recipient, "Later", S::RefusedForNow),
        ];
        for (code, enhanced, step, says, want) in table {
            let parts: Vec<u16> = enhanced.split('.').filter_map(|part| part.parse().ok()).collect();
            let enhanced = (parts.len() == 3).then(|| (parts[0] as u8, parts[1], parts[2]));
            let words = says.to_lowercase();
            let got = decide(Evidence {
                status: Status::of_reply(*code, enhanced),
                code: Some(*code),
                step: Some(*step),
                says: &words,
            });
            assert_eq!(got, *want, "{code} {enhanced:?} {step:?} {says}");
        }
    }

    #[test]
    fn what_we_found_ourselves_is_told_by_its_status() {
        let table = [
            ((5, 1, 10), S::NullMx),
            ((5, 1, 2), S::NoSuchDomain),
            ((4, 4, 1), S::Unreachable),
            ((4, 4, 2), S::Unreachable),
            ((4, 4, 3), S::DnsTrouble),
            ((5, 4, 4), S::NoUsableServer),
            ((5, 4, 6), S::Loop),
            ((4, 4, 7), S::TimeOver),
            ((5, 6, 3), S::NeedsEightBit),
            ((5, 6, 7), S::NeedsUtf8),
            ((5, 3, 4), S::TooLarge),
            ((4, 7, 5), S::TlsFailed),
            ((5, 7, 10), S::TlsAllTheWay),
            ((5, 7, 30), S::TlsAllTheWay),
            ((4, 5, 0), S::ProtocolTrouble),
        ];
        for ((class, subject, detail), want) in table {
            let got = decide(Evidence {
                status: Status::new(class, subject, detail),
                code: None,
                step: None,
                says: "virus from a blacklist, over quota",
            });
            assert_eq!(got, want, "{class}.{subject}.{detail}");
        }
    }
}
