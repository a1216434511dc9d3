//! Step 6: whom a stranger's message is really from. Asks, tells the log, and makes a refusal or the field with the results.

use std::net::IpAddr;

use mail::address::Domain;
use mail::ids::QueueId;
use msgauth::examine::{Doors, Envelope, Evidence, Examination};
use msgauth::policy::{self, Decision, Local, Reason, Verdict};
use msgauth::results::{self, Results};
use smtp::Refusal;
use smtp::refusal::codes;

use crate::context::{Context, Door, GenuineMode};
use crate::events::ReceiveEvent;
use crate::talk::Talk;
use crate::transaction::Transaction;

/// Everything that is needed of a session while DNS is waited for.
pub(crate) struct Inquiry<'a> {
    context: &'a Context,
    door: &'a Door,
    client: IpAddr,
    hello: String,
    reverse_path: String,
    queue_id: QueueId,
    forwards: bool,
}

impl<'a> Inquiry<'a> {
    /// About the message of a transaction.
    pub fn of(talk: &Talk<'a>, transaction: &Transaction) -> Self {
        let sender = transaction.mail.reverse_path.mailbox();
        Self {
            context: talk.context,
            door: talk.door,
            client: talk.peer(),
            hello: talk.hello.clone().unwrap_or_default(),
            reverse_path: sender
                .map(|sender| format!("{}@{}", sender.local().as_str(), sender.domain()))
                .unwrap_or_default(),
            queue_id: transaction.queue_id(),
            forwards: transaction.forwards(),
        }
    }

    /// The Authentication-Results field, or why the message is not taken.
    pub async fn run(self, examination: Examination) -> Result<Vec<u8>, Refusal> {
        let Some(dns) = &self.context.dns else {
            return Ok(Vec::new());
        };
        let doors = Doors {
            dns: &**dns,
            clock: &*self.context.queue.clock,
            suffixes: None,
        };
        let envelope = Envelope {
            client: self.client,
            hello: &self.hello,
            reverse_path: &self.reverse_path,
            receiver: &self.door.setup.host_name,
        };
        let evidence = examination.finish(doors, envelope).await;
        let own = self.own_author(&evidence);
        let local = Local {
            own: own.as_slice(),
            sealers: &self.door.genuine.sealers,
            lenient: &[],
        };
        let decision = policy::decide(&evidence, &local);
        let enforced = self.door.genuine.mode == GenuineMode::Enforce;
        let event = event(self.queue_id, &evidence, &decision, enforced);
        self.context.queue.events.emit(&event);
        match refusal(&decision, self.forwards).filter(|_| enforced) {
            Some(refusal) => Err(refusal),
            None => Ok(field(&self.door.setup.host_name, &evidence)),
        }
    }

    /// The author's domain, if mail for it is ours.
    fn own_author(&self, evidence: &Evidence) -> Vec<String> {
        let domain = evidence.dmarc.author.domain();
        let ours = |domain: &&str| {
            let read = Domain::parse(domain);
            read.is_ok_and(|domain| self.context.directory.is_local_domain(&domain))
        };
        domain.filter(ours).map(str::to_owned).into_iter().collect()
    }
}

/// What the verdict means for the session. `forwards`: a recipient's address leads to another server.
fn refusal(decision: &Decision, forwards: bool) -> Option<Refusal> {
    match decision.verdict {
        Verdict::Reject => Some(Refusal::new(
            codes::NOT_GENUINE,
            format!("Not taken: {decision}. {}", next_step(decision)),
        )),
        Verdict::Defer => Some(Refusal::new(
            codes::GENUINE_UNKNOWN,
            format!("Not now: {decision}. Try again later"),
        )),
        // A copy that left here would look as if we vouched for it (threat case AUT-12).
        Verdict::Accept | Verdict::Quarantine if forwards && !decision.may_forward => Some(Refusal::new(
            codes::NOT_GENUINE,
            format!(
                "Not taken: {decision}, and it would be forwarded. {}",
                next_step(decision)
            ),
        )),
        Verdict::Accept | Verdict::Quarantine => None,
    }
}

fn next_step(decision: &Decision) -> &'static str {
    match &decision.reason {
        Reason::Author(_) => "Write one From field with one address",
        Reason::OwnDomain(_) => {
            "Sign in and submit it, or have the server's administrator name yours in SPF or DKIM"
        }
        _ => {
            "Send it through a server that the author's domain names in SPF, or that signs with its DKIM key"
        }
    }
}

fn field(our_name: &str, evidence: &Evidence) -> Vec<u8> {
    let results = Results {
        spf: &evidence.spf,
        dkim: &evidence.dkim,
        dmarc: &evidence.dmarc,
        arc: &evidence.arc,
        iprev: &evidence.iprev,
    };
    results::write(our_name, &results)
}

fn event(queue_id: QueueId, evidence: &Evidence, decision: &Decision, enforced: bool) -> ReceiveEvent {
    let signatures = evidence.dkim.signatures.iter();
    let dkim: Vec<String> = signatures.map(|one| one.result.to_string()).collect();
    ReceiveEvent::Examined {
        queue_id,
        author: evidence.dmarc.author.domain().unwrap_or_default().to_owned(),
        spf: evidence.spf.result.to_string(),
        dkim: if dkim.is_empty() {
            "none".to_owned()
        } else {
            dkim.join(",")
        },
        dmarc: evidence.dmarc.result.to_string(),
        arc: evidence.arc.result.to_string(),
        iprev: evidence.iprev.result.to_string(),
        verdict: decision.verdict.to_string(),
        reason: decision.to_string(),
        enforced,
    }
}

#[cfg(test)]
mod tests {
    use msgauth::dmarc::record::Policy;

    use super::*;

    #[test]
    fn aut_12_what_its_domain_disowns_is_not_forwarded() {
        let wish = |policy, verdict, may_forward| Decision {
            verdict,
            reason: Reason::Wish {
                domain: "there.example".to_owned(),
                policy,
                lenient: false,
            },
            may_forward,
        };
        let code =
            |decision: &Decision, forwards| refusal(decision, forwards).map(|refusal| refusal.code.code());
        let quarantine = wish(Policy::Quarantine, Verdict::Quarantine, false);
        assert_eq!(code(&quarantine, false), None);
        assert_eq!(code(&quarantine, true), Some(550));
        assert_eq!(code(&wish(Policy::None, Verdict::Accept, true), true), None);
        assert_eq!(
            code(&wish(Policy::Reject, Verdict::Reject, false), false),
            Some(550)
        );
        assert_eq!(
            code(&wish(Policy::Reject, Verdict::Defer, false), false),
            Some(451)
        );
    }
}
