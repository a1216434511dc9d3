//! Where questions to DNS are asked: a [`Desk`] has a number of questions and a time, and notes what was asked and answered.
//!
//! One desk serves one check, so that one check cannot spend what another needs. The door follows aliases and has its own cache and
//! deadlines; the desk ends what takes longer than the whole check may.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use world::clock::{Clock, Monotonic};
use world::dns::{Absence, Dns, Failure, Lookup, Record, RecordType};

use crate::evidence::{Answered, Asked, Spent};
use crate::names;

/// What came of a question, for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// at least one record of the type
    Records(Vec<Record>),
    /// proven absent, or a name that no server can have
    Absent(Absence),
    /// nothing is known
    Failed(Failure),
    /// the budget is spent; nothing is known
    Spent(Spent),
}

/// The questions of one check.
pub struct Desk<'a> {
    dns: &'a dyn Dns,
    clock: &'a dyn Clock,
    until: Monotonic,
    questions: usize,
    asked: Vec<Asked>,
}

impl<'a> Desk<'a> {
    /// At most `questions` questions, all answered within `time` from now.
    pub fn new(dns: &'a dyn Dns, clock: &'a dyn Clock, questions: usize, time: Duration) -> Self {
        Self {
            dns,
            clock,
            until: Monotonic(clock.monotonic().0 + time),
            questions,
            asked: Vec::new(),
        }
    }

    /// Asks. A name that no server can have is absent without a question.
    pub async fn ask(&mut self, name: &str, kind: RecordType) -> Reply {
        let reply = self.put(name, kind).await;
        let answer = match &reply {
            Reply::Records(records) => Answered::of_records(records),
            Reply::Absent(absence) => Answered::Absent(*absence),
            Reply::Failed(failure) => Answered::Failed(*failure),
            Reply::Spent(spent) => Answered::Spent(*spent),
        };
        let name = name.to_owned();
        self.asked.push(Asked { name, kind, answer });
        reply
    }

    async fn put(&mut self, name: &str, kind: RecordType) -> Reply {
        if !names::can_be_asked(name) {
            return Reply::Absent(Absence::NxDomain);
        }
        if self.clock.monotonic() >= self.until {
            return Reply::Spent(Spent::Time);
        }
        let Some(left) = self.questions.checked_sub(1) else {
            return Reply::Spent(Spent::Questions);
        };
        self.questions = left;
        let mut lookup = self.dns.lookup(name, kind);
        let mut over = self.clock.sleep_until(self.until);
        let answered = poll_fn(|cx| match lookup.as_mut().poll(cx) {
            Poll::Ready(lookup) => Poll::Ready(Some(lookup)),
            Poll::Pending => over.as_mut().poll(cx).map(|()| None),
        })
        .await;
        answered.map_or(Reply::Spent(Spent::Time), |lookup| of_lookup(lookup, kind))
    }

    /// What was asked since the desk was made or this was called, in order.
    pub fn take_asked(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.asked)
    }
}

fn of_lookup(lookup: Lookup, kind: RecordType) -> Reply {
    match lookup {
        Lookup::Answer { mut records, .. } => {
            records.retain(|record| kind_of(record) == kind);
            if records.is_empty() {
                return Reply::Absent(Absence::NoData);
            }
            Reply::Records(records)
        }
        Lookup::Negative { absence, .. } => Reply::Absent(absence),
        Lookup::Failed(failure) => Reply::Failed(failure),
    }
}

fn kind_of(record: &Record) -> RecordType {
    match record {
        Record::A(_) => RecordType::A,
        Record::Aaaa(_) => RecordType::Aaaa,
        Record::Mx(..) => RecordType::Mx,
        Record::Txt(_) => RecordType::Txt,
        Record::Ptr(_) => RecordType::Ptr,
        Record::Tlsa(..) => RecordType::Tlsa,
        Record::Cname(_) => RecordType::Cname,
        Record::Srv(..) => RecordType::Srv,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testkit::clock::TokioClock;
    use testkit::dns::SimDns;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn aut_10_a_check_ends_when_its_questions_or_its_time_are_spent() {
        let clock = Arc::new(TokioClock::new());
        let zone = "a.example TXT \"x\"\nslow.example !delay 15s\nslow.example TXT \"y\"";
        let dns = SimDns::new(clock.clone(), zone).expect("a zone");
        let mut desk = Desk::new(&dns, &*clock, 3, Duration::from_secs(20));
        let txt = |text: &str| Reply::Records(vec![Record::Txt(text.into())]);
        assert_eq!(desk.ask("a.example", RecordType::Txt).await, txt("x"));
        assert_eq!(desk.ask("slow.example", RecordType::Txt).await, txt("y"));
        assert_eq!(
            desk.ask("slow.example", RecordType::Txt).await,
            Reply::Spent(Spent::Time)
        );
        assert_eq!(clock.monotonic().0, Duration::from_secs(20));
        let asked: Vec<String> = desk.take_asked().iter().map(ToString::to_string).collect();
        assert_eq!(
            asked,
            [
                "TXT a.example: \"x\"",
                "TXT slow.example: \"y\"",
                "TXT slow.example: not answered: the check's time was over"
            ]
        );
        let mut desk = Desk::new(&dns, &*clock, 1, Duration::from_secs(20));
        let nothing = Reply::Absent(Absence::NxDomain);
        assert_eq!(desk.ask("a..example", RecordType::A).await, nothing);
        assert_eq!(desk.ask("b.example", RecordType::A).await, nothing);
        assert_eq!(
            desk.ask("b.example", RecordType::A).await,
            Reply::Spent(Spent::Questions)
        );
    }
}
