//! Refusals: the only answers the outside of this crate can word.

use std::borrow::Cow;

/// A reply code of 4xx or 5xx with its enhanced status code (RFC 3463, RFC 5248). Only [`RefusalCode::new`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefusalCode {
    code: u16,
    subject: u16,
    detail: u16,
}

impl RefusalCode {
    /// `code` is 400 to 599; the class of the enhanced code follows from it. Meant for constants.
    ///
    /// # Panics
    /// When the code is not a refusal: in a constant that is an error of compilation.
    pub const fn new(code: u16, subject: u16, detail: u16) -> Self {
        assert!(code >= 400 && code <= 599, "a refusal has a code of 4xx or 5xx");
        assert!(
            subject <= 7 && detail <= 999,
            "RFC 3463 knows subjects 0 to 7 and details 0 to 999"
        );
        Self {
            code,
            subject,
            detail,
        }
    }

    /// The three digits.
    pub const fn code(self) -> u16 {
        self.code
    }

    /// `5.1.1` as numbers.
    pub const fn enhanced(self) -> (u16, u16, u16) {
        (self.code / 100, self.subject, self.detail)
    }

    /// Whether trying again may help (4xx).
    pub const fn is_temporary(self) -> bool {
        self.code < 500
    }
}

/// A refusal: code and one plain sentence that says what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// the code
    pub code: RefusalCode,
    /// the sentence; whatever it holds, control characters never reach the wire
    pub text: Cow<'static, str>,
}

impl Refusal {
    /// Joins the two.
    pub fn new(code: RefusalCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// Whether trying again may help (4xx).
    pub const fn is_temporary(&self) -> bool {
        self.code.is_temporary()
    }
}

/// The refusals of the protocol itself and of its receiving side, by name.
pub mod codes {
    use super::RefusalCode as Code;

    /// Closing: not now.
    pub const SHUTTING_DOWN: Code = Code::new(421, 3, 2);
    /// Closing: too many errors.
    pub const TOO_MANY_ERRORS: Code = Code::new(421, 7, 0);
    /// Closing: nothing came in time.
    pub const TIMED_OUT: Code = Code::new(421, 4, 2);
    /// The mailbox has no room now.
    pub const OVER_QUOTA_NOW: Code = Code::new(452, 2, 2);
    /// The mailbox can never take a message of this size.
    pub const OVER_QUOTA: Code = Code::new(552, 2, 2);
    /// No room or too busy.
    pub const SYSTEM_FULL: Code = Code::new(452, 3, 1);
    /// The disk refused or something here is broken.
    pub const SYSTEM_FAULT: Code = Code::new(451, 3, 0);
    /// Nothing shows that the message is from whom it says (RFC 9989 §8.3).
    pub const NOT_GENUINE: Code = Code::new(550, 7, 1);
    /// It cannot be known now whom the message is from (RFC 7208 §8.6).
    pub const GENUINE_UNKNOWN: Code = Code::new(451, 4, 3);
    /// Too many recipients in this message.
    pub const TOO_MANY_RECIPIENTS: Code = Code::new(452, 5, 3);
    /// TLS is not to be had now.
    pub const TLS_NOT_NOW: Code = Code::new(454, 7, 0);
    /// Signing in is not possible now.
    pub const AUTH_NOT_NOW: Code = Code::new(454, 7, 0);
    /// The line is not a command.
    pub const SYNTAX: Code = Code::new(500, 5, 2);
    /// The line is too long.
    pub const LINE_TOO_LONG: Code = Code::new(500, 5, 6);
    /// No such command.
    pub const UNKNOWN_COMMAND: Code = Code::new(500, 5, 1);
    /// A command that is not offered here.
    pub const NOT_OFFERED: Code = Code::new(502, 5, 1);
    /// Arguments that cannot be read.
    pub const BAD_ARGUMENTS: Code = Code::new(501, 5, 4);
    /// A response in an AUTH exchange that cannot be read.
    pub const BAD_AUTH_RESPONSE: Code = Code::new(501, 5, 2);
    /// The sender's address cannot be read.
    pub const BAD_SENDER: Code = Code::new(501, 1, 7);
    /// The recipient's address cannot be read.
    pub const BAD_RECIPIENT: Code = Code::new(501, 1, 3);
    /// The address needs SMTPUTF8.
    pub const NEEDS_UTF8: Code = Code::new(553, 6, 7);
    /// A parameter that is not known.
    pub const UNKNOWN_PARAMETER: Code = Code::new(555, 5, 4);
    /// Not now: the order of commands.
    pub const BAD_SEQUENCE: Code = Code::new(503, 5, 1);
    /// DATA without a recipient.
    pub const NO_RECIPIENTS: Code = Code::new(503, 5, 1);
    /// Text was sent before it was allowed.
    pub const PIPELINING: Code = Code::new(554, 5, 0);
    /// Not without signing in.
    pub const AUTH_REQUIRED: Code = Code::new(530, 7, 0);
    /// Name or password are wrong.
    pub const AUTH_FAILED: Code = Code::new(535, 7, 8);
    /// Not without TLS.
    pub const TLS_REQUIRED: Code = Code::new(538, 7, 11);
    /// Not a mechanism of ours.
    pub const UNKNOWN_MECHANISM: Code = Code::new(504, 5, 4);
    /// Nobody of this name.
    pub const UNKNOWN_USER: Code = Code::new(550, 1, 1);
    /// Not ours, and not passed on.
    pub const RELAY_REFUSED: Code = Code::new(550, 7, 1);
    /// Not the sender's own address.
    pub const NOT_YOUR_ADDRESS: Code = Code::new(550, 7, 1);
    /// The content cannot be taken.
    pub const BAD_CONTENT: Code = Code::new(550, 6, 0);
    /// Larger than the limit.
    pub const TOO_LARGE: Code = Code::new(552, 3, 4);
    /// The header is larger than the limit.
    pub const HEADER_TOO_LARGE: Code = Code::new(552, 3, 4);
    /// The header has too many fields.
    pub const TOO_MANY_FIELDS: Code = Code::new(554, 6, 0);
    /// Too many hops.
    pub const MAIL_LOOP: Code = Code::new(554, 4, 6);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_enhanced_code_follows_the_reply_code() {
        assert_eq!(codes::UNKNOWN_USER.enhanced(), (5, 1, 1));
        assert_eq!(codes::SYSTEM_FULL.enhanced(), (4, 3, 1));
        assert!(codes::SYSTEM_FULL.is_temporary());
        assert!(!codes::UNKNOWN_USER.is_temporary());
    }

    #[test]
    #[should_panic(expected = "4xx or 5xx")]
    fn a_positive_code_is_no_refusal() {
        let _ = RefusalCode::new(250, 0, 0);
    }
}
