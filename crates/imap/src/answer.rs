//! The one tagged answer a command gets; for a change, `OK` needs a proof.
//!
//! `P` is the proof that something is durable; the driver uses the store's `Durable`. A [`Change`] says `OK` only by taking a
//! `P` by value, or by [`Change::unchanged`], which says in its name that there was nothing to do.
//!
//! ```compile_fail,E0061
//! struct Proof;
//! fn cheat(change: imap::answer::Change<Proof>, out: &mut imap::out::Out) {
//!     change.ok(out, None);
//! }
//! ```
//! ```compile_fail,E0451
//! fn forge(tag: imap::command::Tag, verb: imap::command::Verb) -> imap::answer::Reading {
//!     imap::answer::Reading { tag, verb }
//! }
//! ```

use std::marker::PhantomData;

use crate::command::{Request, Tag, Verb};
use crate::out::{Code, Out};

/// The answer to a request, not yet given.
#[derive(Debug)]
#[must_use = "every command gets a tagged answer"]
pub enum Answer<P> {
    /// to a command that changes nothing durable
    Reading(Reading),
    /// to a command that changes something
    Change(Change<P>),
}

impl<P> Answer<P> {
    /// The answer this request is owed.
    pub fn to(request: &Request) -> Self {
        let (tag, verb) = (request.tag.clone(), request.command.verb());
        if verb.changes() {
            Self::Change(Change {
                tag,
                verb,
                proof: PhantomData,
            })
        } else {
            Self::Reading(Reading { tag, verb })
        }
    }

    /// `tag NO [code] text`: it was understood and not done. Closes nothing.
    pub fn no(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(self.tag(), "NO", code.as_ref(), text);
    }

    /// `tag BAD [code] text`: the client's fault.
    pub fn bad(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(self.tag(), "BAD", code.as_ref(), text);
    }

    /// The request's tag.
    pub fn tag(&self) -> &Tag {
        match self {
            Self::Reading(reading) => &reading.tag,
            Self::Change(change) => &change.tag,
        }
    }
}

/// The answer to a command that changes nothing durable.
#[derive(Debug)]
#[must_use = "every command gets a tagged answer"]
pub struct Reading {
    tag: Tag,
    verb: Verb,
}

impl Reading {
    /// `tag OK [code] VERB completed`.
    pub fn ok(self, out: &mut Out, code: Option<Code<'_>>) {
        let text = format!("{} completed", self.verb.name());
        out.tagged(&self.tag, "OK", code.as_ref(), &text);
    }

    /// `tag OK [code] text`, where the text says more than "completed".
    pub fn ok_with(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(&self.tag, "OK", code.as_ref(), text);
    }

    /// `tag NO [code] text`.
    pub fn no(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(&self.tag, "NO", code.as_ref(), text);
    }

    /// `tag BAD [code] text`.
    pub fn bad(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(&self.tag, "BAD", code.as_ref(), text);
    }

    /// The request's tag.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }
}

/// The answer to a command that changes something durable.
#[derive(Debug)]
#[must_use = "every command gets a tagged answer"]
pub struct Change<P> {
    tag: Tag,
    verb: Verb,
    proof: PhantomData<fn(P)>,
}

impl<P> Change<P> {
    /// `tag OK [code] VERB completed`, for the price of the proof.
    pub fn ok(self, out: &mut Out, proof: P, code: Option<Code<'_>>) {
        drop(proof);
        let text = format!("{} completed", self.verb.name());
        out.tagged(&self.tag, "OK", code.as_ref(), &text);
    }

    /// `tag OK [code] VERB completed`, when there was nothing to change: an empty set of messages, a CLOSE after EXAMINE, a SUBSCRIBE
    /// to what is subscribed already.
    pub fn unchanged(self, out: &mut Out, code: Option<Code<'_>>) {
        let text = format!("{} completed, nothing to change", self.verb.name());
        out.tagged(&self.tag, "OK", code.as_ref(), &text);
    }

    /// `tag OK [MODIFIED set] …`: a conditional STORE that changed some messages, or none (`proof` is `None`), and left out
    /// those in the code (RFC 7162 §3.1.3).
    pub fn partly(self, out: &mut Out, proof: Option<P>, code: Option<Code<'_>>) {
        drop(proof);
        out.tagged(
            &self.tag,
            "OK",
            code.as_ref(),
            "Conditional STORE failed for some",
        );
    }

    /// `tag NO [code] text`.
    pub fn no(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(&self.tag, "NO", code.as_ref(), text);
    }

    /// `tag BAD [code] text`.
    pub fn bad(self, out: &mut Out, code: Option<Code<'_>>, text: &str) {
        out.tagged(&self.tag, "BAD", code.as_ref(), text);
    }

    /// The request's tag.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }
}
