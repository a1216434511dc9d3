//! One message, all checks: the header at once, the body as it streams by, DNS at the end.
//!
//! The checks that do not need one another wait for DNS at the same time; each has a desk of its own, so none can spend what another
//! needs. All of them together end within the longest of their times and DMARC's.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mail::header::Header;
use world::clock::Clock;
use world::dns::Dns;

use crate::arc::{self, ArcEvidence};
use crate::author::Author;
use crate::desk::Desk;
use crate::dkim::{self, DkimReport};
use crate::dmarc::{self, DmarcEvidence};
use crate::iprev::{self, IprevEvidence};
use crate::limits;
use crate::spf::{self, Question, Sender, SpfEvidence};
use crate::suffixes::PublicSuffixes;

/// What is asked for, and by which clock.
#[derive(Clone, Copy)]
pub struct Doors<'a> {
    /// names
    pub dns: &'a dyn Dns,
    /// deadlines, and the time of signatures
    pub clock: &'a dyn Clock,
    /// the list of public suffixes, if there is one
    pub suffixes: Option<&'a PublicSuffixes>,
}

/// What is known of a message beside its text.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// where the connection came from
    pub client: IpAddr,
    /// what the client said in EHLO
    pub hello: &'a str,
    /// `local@domain`, unquoted; empty for none
    pub reverse_path: &'a str,
    /// our own name
    pub receiver: &'a str,
}

/// Everything that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// the envelope
    pub spf: SpfEvidence,
    /// the signatures
    pub dkim: DkimReport,
    /// the author
    pub dmarc: DmarcEvidence,
    /// the sealed history
    pub arc: ArcEvidence,
    /// the client
    pub iprev: IprevEvidence,
}

/// A message that is being examined.
pub struct Examination {
    author: Author,
    dkim: dkim::Verifying,
    arc: arc::Verifying,
}

impl Examination {
    /// Starts with the header block. One over the receiver's limits has no author.
    pub fn begin(header: &[u8]) -> Self {
        let author = Header::scan(header).map_or(Author::Unreadable, |header| Author::of(&header));
        Self {
            dkim: dkim::Verifying::begin(header, author.domain()),
            arc: arc::Verifying::begin(header),
            author,
        }
    }

    /// Takes octets of the body, with CRLF line ends, cut anywhere.
    pub fn body(&mut self, octets: &[u8]) {
        self.dkim.body(octets);
        self.arc.body(octets);
    }

    /// Ends the body and asks.
    pub async fn finish(self, doors: Doors<'_>, envelope: Envelope<'_>) -> Evidence {
        let desk = |questions: usize, time: Duration| Desk::new(doors.dns, doors.clock, questions, time);
        let now_s = doors.clock.now().0 / 1000;
        let question = Question {
            client: envelope.client,
            hello: envelope.hello,
            sender: Sender::of(envelope.reverse_path, envelope.hello),
            receiver: envelope.receiver,
            now_s,
        };
        let mut spf_desk = desk(limits::SPF_QUESTIONS, limits::SPF_TIME);
        let mut dkim_desk = desk(limits::DKIM_KEYS, limits::DKIM_TIME);
        let mut arc_desk = desk(limits::ARC_KEYS, limits::ARC_TIME);
        let mut iprev_desk = desk(limits::IPREV_QUESTIONS, limits::IPREV_TIME);
        let of_envelope = both(
            spf::check(&mut spf_desk, &question),
            iprev::check(&mut iprev_desk, envelope.client),
        );
        let of_message = both(
            self.dkim.finish(&mut dkim_desk, now_s),
            self.arc.finish(&mut arc_desk),
        );
        let ((spf, iprev), (dkim, arc)) = both(of_envelope, of_message).await;
        let mut dmarc_desk = desk(limits::DMARC_QUESTIONS, limits::DMARC_TIME);
        let dmarc = dmarc::check(&mut dmarc_desk, self.author, &spf, &dkim, doors.suffixes).await;
        Evidence {
            spf,
            dkim,
            dmarc,
            arc,
            iprev,
        }
    }
}

/// Waits for both at the same time.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    poll_fn(|cx| {
        if one.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(cx)
        {
            one = Some(value);
        }
        if other.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(cx)
        {
            other = Some(value);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (not_yet, nor_this) => {
                (one, other) = (not_yet, nor_this);
                Poll::Pending
            }
        }
    })
    .await
}
